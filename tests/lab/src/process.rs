//! The processes of a host: which they are, what they are doing, and signals to them.
//!
//! A host of the lab is no machine, so its processes are told apart by what they cannot lose: a PostgreSQL process by
//! its working directory, an sshd by its open log, a command by the HOME that sshd gave it, and all descendants of
//! these. `scripts/machine-power.sh` follows the same rules; a test compares the two. Zombies count as dead.
//! A signal goes through a process handle, after a second look, so that a reused process number is never hit.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What a process of a host is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// sshd: the listener and one or two for each session.
    Ssh,
    /// The postmaster and its children.
    Database,
    /// What was started over SSH, and everything that it started.
    Command,
}

/// A living process (no zombie) of a host.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// The letter that /proc shows: `S` sleeping, `R` running, `T` stopped …
    pub(crate) state: char,
    pub(crate) part: Part,
    /// Command line or title, for example `postgres: pg1: walsender repl …`.
    pub(crate) title: String,
    /// Clock ticks from boot to its start: with the number, this names one process for ever.
    started: u64,
}

impl Process {
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Sends a signal, unless the process is gone or its number now belongs to another.
    pub(crate) fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // The handle is taken first: from here on the number cannot change its owner behind our back.
        if Stat::read(self.pid).is_some_and(|s| s.started == self.started) {
            let _ = pidfd_send_signal(&handle, signal);
        }
    }
}

/// All living processes of the host whose directory this is, as long as they run under `uid`.
pub(crate) fn of_host(host_dir: &Path, uid: u32) -> Vec<Process> {
    let mut ours = Vec::new();
    let mut others = Vec::new();
    for stat in alive(uid) {
        match part(&stat, host_dir) {
            Some(part) => ours.push(process(&stat, part)),
            None => others.push(stat),
        }
    }
    let mut known: BTreeSet<i32> = ours.iter().map(|p| p.pid).collect();
    loop {
        let (children, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|stat| known.contains(&stat.parent));
        if children.is_empty() {
            return ours;
        }
        known.extend(children.iter().map(|stat| stat.pid));
        ours.extend(children.iter().map(|stat| process(stat, Part::Command)));
        others = rest;
    }
}

/// The state letter of any process, zombies included; none when it is quite gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    Stat::read(pid).map(|s| s.state)
}

fn process(stat: &Stat, part: Part) -> Process {
    let title = fs::read(format!("/proc/{}/cmdline", stat.pid)).unwrap_or_default();
    let title = String::from_utf8_lossy(&title).replace('\0', " ").trim_end().to_owned();
    Process { pid: stat.pid, state: stat.state, part, title, started: stat.started }
}

fn part(stat: &Stat, host_dir: &Path) -> Option<Part> {
    let proc = PathBuf::from(format!("/proc/{}", stat.pid));
    if stat.name == "postgres" && fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(host_dir)) {
        return Some(Part::Database);
    }
    if stat.name.starts_with("sshd") {
        let log = host_dir.join("log/sshd.log");
        let mut files = fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
        return files.any(|f| fs::read_link(f.path()).is_ok_and(|to| to == log)).then_some(Part::Ssh);
    }
    let home = format!("HOME={}/home", host_dir.display());
    let environment = fs::read(proc.join("environ")).unwrap_or_default();
    environment.split(|b| *b == 0).any(|v| v == home.as_bytes()).then_some(Part::Command)
}

fn alive(uid: u32) -> impl Iterator<Item = Stat> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|m| m.uid() == uid))
        .filter_map(Stat::read)
        .filter(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// The few fields of /proc/PID/stat that we need.
struct Stat {
    pid: i32,
    name: String,
    state: char,
    parent: i32,
    started: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// `12 (a name) with ) in it) S 1 …`: the name ends at the last parenthesis. Field 22 is the start time.
    fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { pid: pid.trim().parse().ok()?, name: name.to_owned(), state, parent, started })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::patience;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) S (b) T 7 42 42 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 1 0 98765 1000 1";

        let stat = Stat::parse(line).unwrap();

        assert_eq!(
            (stat.pid, stat.name.as_str(), stat.state, stat.parent, stat.started),
            (42, "a) S (b", 'T', 7, 98765)
        );
    }

    #[test]
    fn a_signal_is_not_sent_to_a_reused_process_number() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let stat = Stat::read(pid).unwrap();
        let mut another = process(&stat, Part::Command);
        another.started += 1;

        another.signal(Signal::KILL);
        let after_the_wrong_one = state(pid);
        process(&stat, Part::Command).signal(Signal::KILL);

        assert_ne!(after_the_wrong_one, Some('Z'));
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_zombie_among_the_descendants_counts_as_dead() {
        let dir = std::env::temp_dir().join(format!("steadyhand-lab-zombie-{}", std::process::id()));
        // sleep inherits a child that it never reaps.
        let mut parent = Command::new("sh");
        parent.args(["-c", "sleep 0 & exec sleep 60"]).env("HOME", dir.join("home"));
        let mut parent = parent.spawn().unwrap();
        let pid = i32::try_from(parent.id()).unwrap();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let child = || fs::read_to_string(&children).unwrap_or_default().trim().parse().ok();
        patience::until(Duration::from_secs(10), "the child is a zombie", || match child().and_then(state) {
            Some('Z') => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .unwrap();

        let found = of_host(&dir, rustix::process::geteuid().as_raw());
        parent.kill().unwrap();
        parent.wait().unwrap();

        assert_eq!(found.iter().map(|p| (p.pid, p.part)).collect::<Vec<_>>(), [(pid, Part::Command)]);
    }
}
