//! Can a lab run here? Every condition is looked at, and every trouble comes with what to do.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::account::{self, Account};
use crate::block::Block;
use crate::ground;
use crate::lab;
use crate::place;
use crate::programs::{self, Programs};
use crate::run;
use crate::spec::Spec;

/// Below this, commits are so slow that measured times say more of the disk than of the bot.
const SLOW_FSYNC: Duration = Duration::from_millis(20);
const FSYNCS: u32 = 20;
/// From this version on libpq looks for `.pgpass` in HOME; before, it asks the account's entry.
const LIBPQ_THAT_READS_HOME: u32 = 15;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Good, or how bad.
    pub verdict: Verdict,
    /// What was found; for trouble, also what to do.
    pub text: String,
}

/// How good a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// A lab runs, but something is to be known.
    Doubtful,
    /// No lab can run.
    Bad,
}

/// Looks at everything, for a lab of this block and directory.
pub fn examine(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |verdict, text: String| findings.push(Finding { verdict, text });
    match Programs::find() {
        Ok(p) => say(
            Verdict::Good,
            format!("programs: {}, PostgreSQL {} in {}", version(&p.ssh), p.pg_version, p.pg_bin.display()),
        ),
        Err(_) => say(
            Verdict::Bad,
            format!(
                "programs: missing {}; `cargo lab install` says how to get them",
                programs::missing().join(", ")
            ),
        ),
    }
    if let Some((bin, _)) = programs::newest_postgresql() {
        let (verdict, text) = libpq(&bin);
        say(verdict, text);
    }
    match Account::ordinary() {
        Ok(a) => {
            let (verdict, text) = user(&a);
            say(verdict, text);
        }
        Err(e) => say(Verdict::Bad, format!("user: {e}")),
    }
    let block = spec.block.unwrap_or(Block::FIRST);
    let dir = place::dir(spec, block);
    match ground::check_path(&dir) {
        Ok(()) => say(Verdict::Good, format!("directory: {}", dir.display())),
        Err(e) => say(Verdict::Bad, format!("directory: {e}")),
    }
    match lab::why_taken(spec, block) {
        None => {
            say(Verdict::Good, format!("ports: {} and {} are free on {block}", spec.ssh_port, spec.pg_port));
        }
        Some(why) => say(
            Verdict::Doubtful,
            format!("ports: {why}; is a lab up (`lab status`)? else use `--block 127.78`"),
        ),
    }
    let (verdict, text) = disk(&std::env::temp_dir());
    say(verdict, text);
    findings
}

fn version(ssh: &Path) -> String {
    let mut command = Command::new(ssh);
    command.arg("-V");
    // It is said on the error output.
    run::answer(command, Duration::from_secs(5))
        .map_or_else(|_| "ssh".to_owned(), |a| a.err.trim().to_owned())
}

fn libpq(bin: &Path) -> (Verdict, String) {
    let mut psql = Command::new(bin.join("psql"));
    psql.arg("--version");
    let text = run::answer(psql, Duration::from_secs(5)).map(|a| a.out).unwrap_or_default();
    let major: Option<u32> =
        text.split_ascii_whitespace().nth(2).and_then(|v| v.split('.').next()?.parse().ok());
    match major {
        Some(major) if major < LIBPQ_THAT_READS_HOME => (
            Verdict::Doubtful,
            format!(
                "libpq: version {major} may not find a host's own .pgpass; install PostgreSQL {LIBPQ_THAT_READS_HOME} or later"
            ),
        ),
        _ => (Verdict::Good, format!("libpq: {}", text.trim())),
    }
}

fn user(account: &Account) -> (Verdict, String) {
    let entry = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let shell = entry
        .lines()
        .find(|l| l.starts_with(&format!("{}:", account.name)))
        .and_then(|l| l.rsplit(':').next());
    match shell {
        Some(shell) if shell.ends_with("nologin") || shell.ends_with("false") => (
            Verdict::Bad,
            format!(
                "user: {} has the shell {shell}, so sshd lets it run nothing; use another user",
                account.name
            ),
        ),
        _ if account::we_are_root() => {
            (Verdict::Good, format!("user: root; everything will run as {}", account.name))
        }
        _ => (Verdict::Good, format!("user: {}", account.name)),
    }
}

fn disk(dir: &Path) -> (Verdict, String) {
    let path: PathBuf = dir.join(format!("steadyhand-lab-fsync-{}", std::process::id()));
    let measured = measure(&path);
    let _ = fs::remove_file(&path);
    match measured {
        Ok(each) if each > SLOW_FSYNC => (
            Verdict::Doubtful,
            format!(
                "disk: an fsync in {} takes {each:.1?}; use `--fast`, or set TMPDIR to a faster disk",
                dir.display()
            ),
        ),
        Ok(each) => (Verdict::Good, format!("disk: an fsync in {} takes {each:.1?}", dir.display())),
        Err(e) => (
            Verdict::Bad,
            format!("disk: {} cannot be written: {e}; set TMPDIR to another folder", dir.display()),
        ),
    }
}

fn measure(path: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(path)?;
    let start = Instant::now();
    for _ in 0..FSYNCS {
        file.write_all(&[0; 8192])?;
        file.sync_data()?;
    }
    Ok(start.elapsed() / FSYNCS)
}
