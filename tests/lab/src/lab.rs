//! The lab as a whole: up, and down again when the handle is dropped.
//!
//! A test holds a [`Lab`]; the command `lab` brings one up, leaves it, and opens it again by its directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::account::Account;
use crate::block::Block;
use crate::bury;
use crate::claim::{Asked, Claim, Deed, Keeper};
use crate::error::{Context, Error, Result};
use crate::ground::{self, Ground};
use crate::host::Host;
use crate::network;
use crate::place;
use crate::programs::Programs;
use crate::raise;
use crate::spec::{Afterwards, Spec};
use crate::topology::{SEATS, members};
use crate::writer::{self, Writer};

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    ground: Arc<Ground>,
    /// Held as long as this process answers for the lab.
    claim: Option<Claim>,
    at_end: AtEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    Bury,
    Leave,
}

impl Lab {
    /// Brings a lab up and returns when every host answers and the replicas stream. If anything fails, what was started
    /// is ended again, unless the specification says that it is to be kept.
    pub fn up(spec: Spec) -> Result<Self> {
        let programs = Programs::find()?;
        let account = Account::ordinary()?;
        let mut claim = claim(&spec)?;
        let dir = place::dir(&spec, claim.block());
        let ground = Ground::new(dir, claim.block(), account, programs, spec)?;
        claim.write(&Deed { dir: ground.dir.clone(), keeper: Keeper::Process, pid: std::process::id() })?;
        if let Err(e) = make_dir(&ground) {
            claim.release();
            return Err(e);
        }
        let at_end = if ground.spec.afterwards == Afterwards::Keep { AtEnd::Leave } else { AtEnd::Bury };
        let lab = Self { ground: Arc::new(ground), claim: Some(claim), at_end };
        // From here on `?` drops the lab, and dropping it ends it.
        raise::raise(&lab.ground)?;
        Ok(lab)
    }

    /// Finds the lab that `lab up` or a kept test left in this directory. Dropping the handle leaves it as it is.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self { ground: Arc::new(Ground::read(dir)?), claim: None, at_end: AtEnd::Leave })
    }

    /// Where the command `lab` puts and finds the lab of this block, if no other directory is named.
    pub fn usual_dir(block: Block) -> PathBuf {
        std::env::temp_dir().join(format!("steadyhand-lab-{block}"))
    }

    /// Leaves the lab running after this process; `lab down` or [`Lab::down`] ends it.
    pub fn leave(mut self) -> Result<()> {
        self.leave_running()
    }

    /// Ends all processes and removes the directory. Dropping the handle of [`Lab::up`] does the same, without a word
    /// when it fails.
    pub fn down(mut self) -> Result<()> {
        self.at_end = AtEnd::Leave;
        let claim = match self.claim.take() {
            Some(claim) => claim,
            None => match Claim::ask(self.ground.block)? {
                Asked::Ours(claim) => claim,
                Asked::Taken(by) => {
                    return Err(Error::new(format!("the lab in {} is in use", self.ground.dir.display()))
                        .because(by)
                        .next("it ends with that process"));
                }
            },
        };
        bury::bury(&self.ground)?;
        claim.release();
        Ok(())
    }

    /// Back to the first state: new data from the seed, everything healed and running. Keys and addresses stay.
    pub fn reset(&self) -> Result<()> {
        writer::background::end(&self.ground)?;
        bury::stop_hosts(&self.ground)?;
        raise::each(&self.hosts(), raise::forget)?;
        raise::hosts(&self.ground)
    }

    /// A host by its name.
    ///
    /// # Panics
    ///
    /// If there is no host of this name: a test that means another host must not go on.
    pub fn host(&self, name: &str) -> Host {
        match self.find_host(name) {
            Ok(host) => host,
            Err(e) => panic!("{e}"),
        }
    }

    /// A host by its name, if there is one.
    pub fn find_host(&self, name: &str) -> Result<Host> {
        Host::named(&self.ground, name)
    }

    /// All hosts, also spare and power.
    pub fn hosts(&self) -> Vec<Host> {
        SEATS.map(|seat| Host { ground: Arc::clone(&self.ground), seat }).into()
    }

    /// The hosts of the cluster `orders`, as it was at the start.
    pub fn members(&self) -> Vec<Host> {
        members().map(|seat| Host { ground: Arc::clone(&self.ground), seat }).collect()
    }

    /// The hosts that say now that they are a primary: none, one, or in a split brain several. Silent hosts say nothing.
    pub fn primaries(&self) -> Vec<Host> {
        crate::status::primaries(&self.ground)
    }

    /// The one primary; an error if there is none or more than one.
    pub fn primary(&self) -> Result<Host> {
        let mut primaries = self.primaries();
        match (primaries.pop(), primaries.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Error::new("no host says that it is the primary").next("see `lab status`")),
            (Some(last), false) => {
                primaries.push(last);
                let names: Vec<_> = primaries.iter().map(Host::name).collect();
                Err(Error::new(format!("more than one primary: {}", names.join(", ")))
                    .next("name the one you mean"))
            }
        }
    }

    /// Starts the writer and returns after its first acknowledged row.
    pub fn writer(&self) -> Result<Writer> {
        Writer::start(&self.ground, None, None)
    }

    /// A witness: a writer that tries this host alone, on one session for as long as it lasts. It tells until when a
    /// host took writes, whatever other clients are told.
    pub fn writer_at(&self, host: &Host) -> Result<Writer> {
        Writer::start(&self.ground, Some(host.seat), None)
    }

    /// The lab's directory.
    pub fn dir(&self) -> &Path {
        &self.ground.dir
    }

    /// The folder with the bot's files: `inventory.yaml`, `policy.yaml`, `known_hosts`, `steadyhand.toml`.
    pub fn bot_dir(&self) -> PathBuf {
        self.ground.bot_dir()
    }

    /// The private key with which the bot logs in.
    pub fn client_key(&self) -> PathBuf {
        self.ground.client_key()
    }

    /// The user who logs in, under whom everything runs.
    pub fn user(&self) -> &str {
        &self.ground.account.name
    }

    /// The block of addresses.
    pub fn block(&self) -> Block {
        self.ground.block
    }

    pub(crate) fn ground(&self) -> &Arc<Ground> {
        &self.ground
    }

    fn leave_running(&mut self) -> Result<()> {
        self.at_end = AtEnd::Leave;
        if let Some(mut claim) = self.claim.take() {
            let pid = std::process::id();
            claim.write(&Deed { dir: self.ground.dir.clone(), keeper: Keeper::Person, pid })?;
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let ended = match self.at_end {
            AtEnd::Leave => self.leave_running(),
            AtEnd::Bury => bury::bury(&self.ground).map(|()| {
                if let Some(claim) = self.claim.take() {
                    claim.release();
                }
            }),
        };
        if let Err(e) = ended {
            eprintln!("the lab did not end well: {e}");
        }
    }
}

fn make_dir(ground: &Ground) -> Result<()> {
    let dir = &ground.dir;
    fs::create_dir(dir).map_err(|e| {
        Error::new(format!("could not create the directory {}", dir.display()))
            .because(e)
            .next("`lab gc` clears leftovers, `lab down` a lab of yours; `--dir` names another place")
    })?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
        .context(|| format!("could not open {}", dir.display()))?;
    ground.write()
}

/// Claims the wanted block, or the first that is free in every respect.
fn claim(spec: &Spec) -> Result<Claim> {
    let next = "choose another one, for example `--block 127.78`; `lab gc` clears what dead processes left";
    if let Some(block) = spec.block {
        return free(spec, block)?
            .map_err(|why| Error::new(format!("the block {block} cannot be used")).because(why).next(next));
    }
    let mut reasons = Vec::new();
    for block in Block::choices() {
        match free(spec, block)? {
            Ok(claim) => return Ok(claim),
            Err(why) => reasons.push(format!("{block}: {why}")),
        }
    }
    Err(Error::new("no free block of addresses")
        .because(reasons.join("\n"))
        .next("`lab gc` clears leftovers"))
}

/// The claim, or why the block is not free. A dead lab that is found on the way is cleared.
fn free(spec: &Spec, block: Block) -> Result<std::result::Result<Claim, String>> {
    let mut claim = match Claim::ask(block)? {
        Asked::Ours(claim) => claim,
        Asked::Taken(by) => return Ok(Err(by)),
    };
    if let Some(deed) = claim.deed() {
        if deed.keeper == Keeper::Person && deed.dir.exists() {
            return Ok(Err(format!("a lab is up in {}; `lab down` ends it", deed.dir.display())));
        }
        if let Err(e) = clear(&deed) {
            return Ok(Err(e.to_string()));
        }
    }
    let dir = place::dir(spec, block);
    ground::check_path(&dir)?;
    if dir.exists() {
        return Ok(Err(format!("{} exists", dir.display())));
    }
    Ok(why_taken(spec, block).map_or(Ok(claim), Err))
}

/// Ends what a deed's lab left behind.
pub(crate) fn clear(deed: &Deed) -> Result<()> {
    if !deed.dir.exists() {
        return Ok(());
    }
    bury::bury(&Arc::new(Ground::read(&deed.dir)?))
}

pub(crate) fn why_taken(spec: &Spec, block: Block) -> Option<String> {
    SEATS.into_iter().find_map(|seat| {
        let ports = [Some(spec.ssh_port), seat.takes_clients().then_some(spec.pg_port)];
        ports.into_iter().flatten().find_map(|port| {
            let address = std::net::SocketAddrV4::new(block.address(seat.octet), port);
            network::why_taken(address).map(|why| format!("port {port} of {} is taken: {why}", address.ip()))
        })
    })
}
