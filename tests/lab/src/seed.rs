//! The seed: a data directory of a new cluster, cleanly stopped, which every lab copies instead of running initdb.
//!
//! Kept in the temporary folder, one for each PostgreSQL version and user. It is built under a lock and renamed into its
//! place, so a half-built one is never used. Primary and replicas are copies of the same clean stop: a replica needs
//! only its upstream and `standby.signal`, and begins to stream where the copy ends.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::account::Account;
use crate::error::{Context, Error, Result};
use crate::ground::{self, Ground};
use crate::place;
use crate::postgres;
use crate::programs::Programs;
use crate::run;
use crate::topology::{Duty, Seat};

const LIMIT: Duration = Duration::from_secs(60);
const INITDB: [&str; 7] =
    ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions"];

/// Which cluster a seed is of. Two seeds have two system identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breed {
    /// The lab's cluster.
    Orders,
    /// Another cluster, for tests that must not confuse the two.
    Foreign,
}

/// The place of a seed, whether it exists or not.
pub(crate) fn path(folder: &Path, account: &Account, programs: &Programs, breed: Breed) -> PathBuf {
    let other = if breed == Breed::Foreign { "-foreign" } else { "" };
    let name =
        format!("steadyhand-lab-seed-{}-{}-{:08x}{other}", account.name, programs.pg_version, layout());
    folder.join(name)
}

/// What a seed holds, as a number: when that changes, another seed is built and the old one is not misread.
fn layout() -> u32 {
    let mut hasher = DefaultHasher::new();
    (postgres::seed_sql(), postgres::COMMON, INITDB).hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or_default()
}

/// Makes sure that the seed exists, and says where its data directory is.
pub(crate) fn ensure(ground: &Ground, breed: Breed) -> Result<PathBuf> {
    let (account, programs) = (&ground.account, &ground.programs);
    let home = path(&place::seed_folder(&ground.dir), account, programs, breed);
    if !home.exists() {
        let lock =
            File::create(home.with_extension("lock")).context(|| "could not lock the seed".to_owned())?;
        lock.lock().context(|| "could not lock the seed".to_owned())?;
        // Another process may have built it while we waited.
        if !home.exists() {
            build(account, programs, &home)?;
        }
        let _ = fs::remove_file(home.with_extension("lock"));
    }
    let owner =
        fs::symlink_metadata(&home).context(|| format!("could not look at {}", home.display()))?.uid();
    if owner != account.uid {
        return Err(Error::new(format!("the seed {} is not ours", home.display()))
            .because(format!("it belongs to user {owner}, not to {}", account.name))
            .next("delete it, or set TMPDIR to a folder of your own"));
    }
    Ok(home.join("pg"))
}

/// Copies the seed's data directory to a host, as a primary or as a replica of one.
pub(crate) fn plant(ground: &Ground, seed: &Path, seat: Seat) -> Result<()> {
    let target = ground.host_dir(seat).join("pg");
    let mut copy = ground.account.command("cp");
    copy.args(["-a", "--reflink=auto", "--no-target-directory"]).arg(seed).arg(&target);
    run::expect(copy, LIMIT, &format!("copying the seed to {}", seat.name))?;
    ground.account.write(&target.join("postgresql.auto.conf"), &postgres::auto_conf(ground, seat), 0o600)?;
    if seat.duty != Duty::Replica {
        return Ok(());
    }
    // A slot belongs to one server. On a replica its copy would keep WAL for ever.
    let slots = target.join("pg_replslot");
    for slot in fs::read_dir(&slots).context(|| format!("could not read {}", slots.display()))?.flatten() {
        fs::remove_dir_all(slot.path()).context(|| format!("could not remove {}", slot.path().display()))?;
    }
    ground.account.write(&target.join("standby.signal"), "", 0o600)
}

fn build(account: &Account, programs: &Programs, home: &Path) -> Result<()> {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    let part =
        home.with_extension(format!("{}-{}", std::process::id(), TRIES.fetch_add(1, Ordering::Relaxed)));
    ground::check_path(&part)?;
    account.make_dir(&part, 0o700)?;
    let built = initialise(account, programs, &part);
    let kept = built.and_then(|()| {
        fs::rename(&part, home).context(|| format!("could not put the seed to {}", home.display()))
    });
    if kept.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    kept
}

fn initialise(account: &Account, programs: &Programs, part: &Path) -> Result<()> {
    let data = part.join("pg");
    let log = part.join("log");
    let mut initdb = account.command(programs.pg_bin.join("initdb"));
    initdb.arg("-D").arg(&data).args(["-U", &account.name, "--no-sync"]).args(INITDB);
    run::expect(initdb, LIMIT, "making a new PostgreSQL cluster")?;

    let conf = part.join("pg.conf");
    account.write(&conf, &postgres::seed_conf(part), 0o600)?;
    let options = format!("-c config_file={}", conf.display());
    let told = |e: Error| e.next(fs::read_to_string(&log).unwrap_or_default());
    let mut start = pg_ctl(account, programs, &data);
    start.arg("-l").arg(&log).args(["-w", "-t", "30", "-o", &options, "start"]);
    run::expect(start, LIMIT, "starting the seed").map_err(told)?;
    let filled = fill(account, programs, part);
    let mut stop = pg_ctl(account, programs, &data);
    stop.args(["-m", "fast", "-w", "-t", "30", "stop"]);
    run::expect(stop, LIMIT, "stopping the seed").map_err(told)?;
    filled
}

fn fill(account: &Account, programs: &Programs, socket_dir: &Path) -> Result<()> {
    let mut psql = account.command(programs.pg_bin.join("psql"));
    psql.arg("-h").arg(socket_dir).args(["-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
    let answer = run::answer_with_input(psql, &postgres::seed_sql(), LIMIT)?;
    if answer.ok() {
        return Ok(());
    }
    Err(Error::new("the seed's roles and tables could not be made").because(answer.err))
}

fn pg_ctl(account: &Account, programs: &Programs, data: &Path) -> std::process::Command {
    let mut command = account.command(programs.pg_bin.join("pg_ctl"));
    command.arg("-D").arg(data);
    command
}
