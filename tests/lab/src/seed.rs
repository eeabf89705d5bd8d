//! The seed: a data directory of a new cluster, cleanly stopped, which every lab copies instead of running initdb.
//!
//! Kept in the temporary folder, one for each PostgreSQL version and user. It is built under a lock and renamed into its
//! place, so a half-built one is never used. Primary and replicas are copies of the same clean stop: a replica needs
//! only its upstream and `standby.signal`, and begins to stream where the copy ends.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::account::Account;
use crate::error::{Context, Error, Result};
use crate::ground::{self, Ground};
use crate::host::Host;
use crate::patience;
use crate::place;
use crate::postgres;
use crate::process;
use crate::programs::Programs;
use crate::run;
use crate::topology::Duty;

const PREFIX: &str = "steadyhand-lab-seed-";
/// The file that says how many files the data directory has.
const COUNT: &str = "files";
const PART: &str = "part";
const LOCK: &str = "lock";
const LIMIT: Duration = Duration::from_mins(1);
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
fn path(folder: &Path, account: &Account, programs: &Programs, breed: Breed) -> PathBuf {
    let other = if breed == Breed::Foreign { "-foreign" } else { "" };
    folder.join(format!("{PREFIX}{}-{}-{:08x}{other}", account.name, programs.pg_version, layout()))
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
    if !is_whole(&home) {
        let _lock = lock(&home)?;
        // Another process may have built it while we waited.
        if !is_whole(&home) {
            check_owner(account, &home)?;
            build(account, programs, &home)?;
        }
    }
    check_owner(account, &home)?;
    Ok(home.join("pg"))
}

/// As many files as when it was built? Some systems delete old files out of the temporary folder, one by one.
fn is_whole(home: &Path) -> bool {
    let built_with = fs::read_to_string(home.join(COUNT)).ok().and_then(|text| text.parse::<usize>().ok());
    built_with.is_some_and(|files| files == count(&home.join("pg")))
}

fn count(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| if e.file_type().is_ok_and(|t| t.is_dir()) { 1 + count(&e.path()) } else { 1 }).sum()
}

/// In a folder that all may write to, a directory of our name need not be ours.
fn check_owner(account: &Account, home: &Path) -> Result<()> {
    match fs::symlink_metadata(home) {
        Ok(there) if there.uid() != account.uid => {
            Err(Error::new(format!("the seed {} is not ours", home.display()))
                .because(format!(
                    "it belongs to user {}, and {} is user {}",
                    there.uid(),
                    account.name,
                    account.uid
                ))
                .next("delete it, or set TMPDIR to a folder of your own"))
        }
        _ => Ok(()),
    }
}

/// Copies the seed's data directory to a host, as a primary or as a replica of one.
pub(crate) fn plant(host: &Host, seed: &Path) -> Result<()> {
    let account = &host.ground.account;
    let target = host.data_dir();
    let mut copy = host.command(Path::new("cp"));
    copy.args(["-a", "--reflink=auto", "--no-target-directory"]).arg(seed).arg(&target);
    run::expect(copy, LIMIT, &format!("copying the seed to {}", host.name()))?;
    let auto_conf = postgres::auto_conf(&host.ground, host.seat);
    account.write(&target.join("postgresql.auto.conf"), &auto_conf, 0o600)?;
    if host.seat.duty != Duty::Replica {
        return Ok(());
    }
    // A slot belongs to one server. On a replica its copy would keep WAL for ever.
    let slots = target.join("pg_replslot");
    for slot in fs::read_dir(&slots).context(|| format!("could not read {}", slots.display()))?.flatten() {
        fs::remove_dir_all(slot.path()).context(|| format!("could not remove {}", slot.path().display()))?;
    }
    account.write(&target.join("standby.signal"), "", 0o600)
}

/// Removes all seeds of the account, of every version. Says which.
pub(crate) fn remove_all(account: &Account) -> Result<Vec<PathBuf>> {
    let seeds = all(account.uid);
    for seed in &seeds {
        remove(account, seed)?;
    }
    Ok(seeds)
}

/// Removes what killed processes left half built. Says which.
pub(crate) fn remove_half_built(account: &Account) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for part in all(account.uid).into_iter().filter(|path| path.extension().is_some_and(|e| e == PART)) {
        // Whoever builds holds this lock.
        let lock = File::create(part.with_extension(LOCK))
            .context(|| format!("could not lock {}", part.display()))?;
        if lock.try_lock().is_ok() {
            remove(account, &part)?;
            removed.push(part);
        }
    }
    Ok(removed)
}

/// Everything that is a seed or was to become one.
fn all(uid: u32) -> Vec<PathBuf> {
    let entries = place::seed_folders()
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter(|entry| entry.metadata().is_ok_and(|m| m.is_dir() && m.uid() == uid))
        .map(|entry| entry.path())
        .collect()
}

fn remove(account: &Account, dir: &Path) -> Result<()> {
    // A half-built one may still have its server.
    patience::until(LIMIT, &format!("the processes in {} end", dir.display()), || {
        let left = process::of_host(dir, account.uid);
        for process in &left {
            process.signal(Signal::KILL);
        }
        if left.is_empty() { Ok(()) } else { Err(format!("{} processes", left.len())) }
    })?;
    fs::remove_dir_all(dir).context(|| format!("could not remove {}", dir.display()))
}

/// Held while a seed is built. The file stays: to remove it would take it from under those who wait.
fn lock(home: &Path) -> Result<File> {
    let path = with_suffix(home, LOCK);
    let lock = File::create(&path).context(|| format!("could not create {}", path.display()))?;
    lock.lock().context(|| format!("could not lock {}", path.display()))?;
    Ok(lock)
}

/// Builds under the lock, so whatever is half built is a leftover.
fn build(account: &Account, programs: &Programs, home: &Path) -> Result<()> {
    let part = with_suffix(home, PART);
    ground::check_path(&part)?;
    for leftover in [&part, home] {
        if leftover.exists() {
            remove(account, leftover)?;
        }
    }
    account.make_dir(&part, 0o700)?;
    let built = initialise(account, programs, &part);
    let kept = built.and_then(|()| {
        account.write(&part.join(COUNT), &count(&part.join("pg")).to_string(), 0o600)?;
        fs::rename(&part, home).context(|| format!("could not put the seed to {}", home.display()))
    });
    if kept.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    kept
}

/// Adds an ending. `with_extension` would take the version's minor number for one.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(".");
    text.push(suffix);
    PathBuf::from(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_lost_a_file_is_not_whole() {
        let home = std::env::temp_dir().join(format!("steadyhand-lab-whole-{}", std::process::id()));
        fs::create_dir_all(home.join("pg/base/1")).unwrap();
        fs::write(home.join("pg/base/1/259"), "").unwrap();
        let without_count = is_whole(&home);
        fs::write(home.join(COUNT), count(&home.join("pg")).to_string()).unwrap();
        let complete = is_whole(&home);

        fs::remove_file(home.join("pg/base/1/259")).unwrap();
        let robbed = is_whole(&home);
        fs::remove_dir_all(&home).unwrap();

        assert_eq!((without_count, complete, robbed), (false, true, false));
    }
}
