//! Many hosts: hundreds of addresses behind few sshds, each with a home of its own.
//!
//! An sshd takes 16 addresses, so 200 hosts are 13 processes. Each host has its own address, home and name; they share
//! the user, the machine and the key. For what only shows with many hosts: batches, counts, and speed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::account::Account;
use crate::block::Block;
use crate::claim::{Asked, Claim};
use crate::error::{Context, Error, Result};
use crate::keys;
use crate::network::{self, Reach};
use crate::patience;
use crate::place;
use crate::programs::find;
use crate::run;
use crate::spec::Spec;
use crate::sshd::WITHOUT_ROOT;

/// OpenSSH listens on at most so many addresses.
const ADDRESSES_AN_SSHD: usize = 16;
const PORT: u16 = 2200;
const LIMIT: Duration = Duration::from_secs(20);

/// A farm that runs. Dropping it ends it, and so does the end of this process, however that comes.
#[derive(Debug)]
pub struct Farm {
    dir: PathBuf,
    block: Block,
    account: Account,
    hosts: usize,
    /// The shell that started all sshds: it ends them when its standard input ends.
    keeper: Child,
    /// Hosts that take a connection and never say a word.
    _silent: Vec<TcpListener>,
    _claim: Claim,
}

impl Farm {
    /// Starts so many hosts, `w001` and on. Those whose numbers, from 1, are in `silent` take connections and never
    /// answer.
    pub fn up(hosts: usize, silent: &[usize]) -> Result<Self> {
        let programs = [find("sshd"), find("ssh-keygen")];
        let [Some(sshd), Some(keygen)] = programs else {
            return Err(Error::new("there is no OpenSSH here").next("cargo lab install --run"));
        };
        let account = Account::ordinary()?;
        let claim = claim()?;
        let block = claim.block();
        let lab = place::dir(&Spec::default().fast(), block);
        let dir = lab.with_file_name(format!("steadyhand-farm-{block}"));
        // We hold the block, so whoever made it is gone.
        let _ = fs::remove_dir_all(&dir);
        account.make_dir(&dir, 0o755)?;
        make_keys(&account, &dir, &keygen)?;
        let mut script = String::new();
        let mut silent_ones = Vec::new();
        let speaking: Vec<usize> = (1..=hosts).filter(|number| !silent.contains(number)).collect();
        for number in silent {
            let listener = TcpListener::bind(address(block, *number));
            silent_ones.push(listener.context(|| format!("host {number} cannot be made silent"))?);
        }
        for (index, numbers) in speaking.chunks(ADDRESSES_AN_SSHD).enumerate() {
            let path = dir.join(format!("sshd{index}.conf"));
            account.write(&path, &config(&dir, block, numbers), 0o644)?;
            let _ =
                write!(script, "'{}' -D -f {} -E {}.log & ", sshd.display(), path.display(), path.display());
        }
        for number in 1..=hosts {
            account.make_dir(&dir.join("homes").join(name(number)), 0o755)?;
        }
        // It ends all of them as one process group, also when we are killed: then its standard input ends.
        script.push_str("read -r line; trap '' TERM; kill -TERM 0; exit 0");
        let mut shell = account.command("/bin/sh");
        shell.arg("-c").arg(&script).stdin(Stdio::piped()).process_group(0);
        let keeper = shell.spawn().context(|| "the sshds could not be started".to_owned())?;
        let farm = Self { dir, block, account, hosts, keeper, _silent: silent_ones, _claim: claim };
        farm.write_bot_files()?;
        for number in speaking.chunks(ADDRESSES_AN_SSHD).filter_map(<[_]>::first) {
            let look = || match network::ssh(address(block, *number), Duration::from_secs(1)) {
                Reach::Up => Ok(()),
                other => Err(format!("{} is {other:?}", name(*number))),
            };
            patience::until(LIMIT, "the sshds of the farm answer", look)?;
        }
        Ok(farm)
    }

    /// The names of all hosts, in order.
    pub fn names(&self) -> Vec<String> {
        (1..=self.hosts).map(name).collect()
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The home of a host, by its number from 1.
    pub fn home(&self, number: usize) -> PathBuf {
        self.dir.join("homes").join(name(number))
    }

    /// The address of a host, by its number from 1.
    pub fn address(&self, number: usize) -> Ipv4Addr {
        *address(self.block, number).ip()
    }

    /// The port of every sshd.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// Who logs in.
    pub fn user(&self) -> &str {
        &self.account.name
    }

    /// The private key with which they log in.
    pub fn client_key(&self) -> PathBuf {
        self.dir.join("client")
    }

    /// The files of the bot: `steadyhand.toml`, `inventory.yaml`, `policy.yaml`, `known_hosts`, and the empty folder
    /// `runbooks` with `packs`. The cluster `farm` is of the kind `web`, which a pack there must describe.
    pub fn bot_dir(&self) -> PathBuf {
        self.dir.join("bot")
    }

    /// The processors' time that its sshds have used up to now, with all that they started and saw the end of.
    pub fn cpu(&self) -> Duration {
        // Each connection has a session of its own, so it is found by its parents. Pid to parent and ticks.
        let mut processes: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            let parent = fields.get(1).and_then(|parent| parent.parse().ok()).unwrap_or(0);
            let ticks =
                fields.get(11..15).into_iter().flatten().filter_map(|ticks| ticks.parse::<u64>().ok());
            processes.insert(pid, (parent, ticks.sum()));
        }
        let keeper = self.keeper.id();
        let is_ours = |pid: u32| {
            let parent = |pid: &u32| processes.get(pid).map(|(parent, _)| *parent);
            std::iter::successors(Some(pid), parent).take(processes.len()).any(|pid| pid == keeper)
        };
        let ticks: u64 =
            processes.iter().filter(|(pid, _)| is_ours(**pid)).map(|(_, (_, ticks))| ticks).sum();
        Duration::from_millis(ticks * 10)
    }

    fn write_bot_files(&self) -> Result<()> {
        let bot = self.bot_dir();
        fs::create_dir_all(bot.join("runbooks/packs"))
            .context(|| format!("could not create {}", bot.display()))?;
        let key = keys::public(&self.dir.join("hostkey.pub"))?;
        let mut known_hosts = String::new();
        let mut inventory = format!(
            "inventory: farm\nservices:\n  shop: {{ title: The shop, owner: web }}\nclusters:\n  farm: {{ kind: web, service: shop, owner: web, hosts: [{}] }}\nhosts:\n",
            self.names().join(", ")
        );
        for number in 1..=self.hosts {
            let (name, address) = (name(number), self.address(number));
            let _ = writeln!(
                inventory,
                "  {name}: {{ address: {address}, port: {PORT}, user: {} }}",
                self.user()
            );
            let _ = writeln!(known_hosts, "[{address}]:{PORT} {key}");
        }
        let quoted = |path: PathBuf| format!("{:?}", path.display().to_string());
        let configuration = format!(
            "time_zone = \"Europe/Berlin\"\njournal = {}\nrunbooks = {}\ninventory = {}\npolicy = {}\nknown_hosts = {}\n\n[ssh]\nidentity_file = {}\n\n[demo]\nstart_as = \"ana\"\n",
            quoted(bot.join("steadyhand.db")),
            quoted(bot.join("runbooks")),
            quoted(bot.join("inventory.yaml")),
            quoted(bot.join("policy.yaml")),
            quoted(bot.join("known_hosts")),
            quoted(self.client_key()),
        );
        let files = [
            ("inventory.yaml", inventory),
            ("policy.yaml", POLICY.to_owned()),
            ("known_hosts", known_hosts),
            ("steadyhand.toml", configuration),
        ];
        for (name, text) in files {
            fs::write(bot.join(name), text).context(|| format!("could not write {name}"))?;
        }
        Ok(())
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.keeper.stdin.take() {
            let _ = stdin.write_all(b"end\n");
        }
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

const POLICY: &str = "policy: farm
people:
  ana: { console: ana }
  ben: { console: ben }
roles:
  on-call: { people: [ana, ben] }
  web:     { people: [ana] }
  support: { people: [ben] }
doors: { console: {} }
";

fn name(number: usize) -> String {
    format!("w{number:03}")
}

fn address(block: Block, number: usize) -> SocketAddrV4 {
    let [a, b, ..] = block.address(0).octets();
    let [high, low] = u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(a, b, high + 1, low), PORT)
}

/// A block that nobody has, and on which nobody listens.
fn claim() -> Result<Claim> {
    for block in Block::choices() {
        let Asked::Ours(mut claim) = Claim::ask(block)? else { continue };
        // A deed is that of a lab, which its own commands clear.
        if claim.deed().is_none() && network::why_taken(address(block, 1)).is_none() {
            return Ok(claim);
        }
    }
    Err(Error::new("no free block of addresses").next("`lab gc` clears leftovers"))
}

fn make_keys(account: &Account, dir: &Path, keygen: &Path) -> Result<()> {
    for name in ["hostkey", "client"] {
        let mut command = Command::new(keygen);
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(dir.join(name));
        run::expect(command, LIMIT, "making a key")?;
    }
    account.give(&dir.join("hostkey"), 0o600)?;
    account.give(&dir.join("client.pub"), 0o644)
}

/// One sshd for these hosts. Keys are exchanged by curve25519, whoever connects, so that clients compare.
fn config(dir: &Path, block: Block, numbers: &[usize]) -> String {
    let dir = dir.display();
    let mut text = format!(
        "Port {PORT}
HostKey {dir}/hostkey
PidFile none
AuthorizedKeysFile {dir}/client.pub
{WITHOUT_ROOT}LogLevel ERROR
MaxStartups 400:30:800
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
Subsystem sftp internal-sftp
"
    );
    for number in numbers {
        let _ = writeln!(text, "ListenAddress {}", address(block, *number).ip());
    }
    for number in numbers {
        let (address, name) = (address(block, *number), name(*number));
        let _ = writeln!(
            text,
            "Match LocalAddress {}\n  SetEnv HOME={dir}/homes/{name} PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8",
            address.ip()
        );
    }
    text
}
