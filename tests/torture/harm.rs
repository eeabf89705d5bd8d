//! What is done to a step at a random moment, and who is hit by it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Chance, Place};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    Nothing,
    Client,
    Master,
    Session,
    HalfOpen,
    Front,
    Keeper,
    OneGuard,
    AllGuards,
    Command,
    Everything,
    Twice,
    Stop,
    StopStubborn,
}

impl Harm {
    pub(crate) const ALL: [Self; 14] = [
        Self::Nothing,
        Self::Client,
        Self::Master,
        Self::Session,
        Self::HalfOpen,
        Self::Front,
        Self::Keeper,
        Self::OneGuard,
        Self::AllGuards,
        Self::Command,
        Self::Everything,
        Self::Twice,
        Self::Stop,
        Self::StopStubborn,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Client => "client gone",
            Self::Master => "ssh of the client killed",
            Self::Session => "sshd session killed",
            Self::HalfOpen => "sshd session halted, client gone",
            Self::Front => "front of the guard killed",
            Self::Keeper => "keeper killed",
            Self::OneGuard => "one process of the guard killed",
            Self::AllGuards => "all processes of the guard killed",
            Self::Command => "command killed",
            Self::Everything => "everything of the step killed",
            Self::Twice => "sent twice at once",
            Self::Stop => "stopped",
            Self::StopStubborn => "stopped, ignores TERM",
        }
    }

    /// The one who follows it is gone.
    pub(crate) const fn loses_client(self) -> bool {
        matches!(self, Self::Client | Self::HalfOpen)
    }

    pub(crate) const fn stops(self) -> bool {
        matches!(self, Self::Stop | Self::StopStubborn)
    }

    /// A connection that is cut before anything was sent has another code.
    pub(crate) const fn cuts(self) -> bool {
        matches!(self, Self::Master | Self::Session | Self::Everything)
    }

    pub(crate) const fn kills_guards(self) -> bool {
        matches!(self, Self::Keeper | Self::OneGuard | Self::AllGuards | Self::Everything)
    }

    pub(crate) const fn kills_commands(self) -> bool {
        self.kills_guards() || matches!(self, Self::Command)
    }

    /// Does it. What is halted must be killed later.
    pub(crate) fn strike(self, place: &Place, key: &str, sockets: &Path, chance: &mut Chance) -> Vec<u32> {
        let guards = || guards(place);
        let front =
            || guards().into_iter().filter(|pid| name(parent(*pid)).starts_with("sshd")).collect::<Vec<_>>();
        match self {
            Self::Nothing | Self::Client | Self::Twice | Self::Stop | Self::StopStubborn => {}
            Self::Master => kill_all(&masters(sockets)),
            Self::Session => kill_all(&front().into_iter().map(parent).collect::<Vec<_>>()),
            Self::HalfOpen => {
                let sessions: Vec<u32> = front().into_iter().map(parent).collect();
                signal("STOP", &sessions);
                return sessions;
            }
            Self::Front => kill_all(&front()),
            Self::Keeper => kill_all(&keeper(place, key)),
            Self::OneGuard => {
                let all = guards();
                if !all.is_empty() {
                    let at = usize::try_from(chance.below(all.len() as u64)).expect("few");
                    kill_all(&all[at..=at]);
                }
            }
            Self::AllGuards => kill_all(&guards()),
            Self::Command => kill_all(&marked(key)),
            Self::Everything => {
                let sessions: Vec<u32> = front().into_iter().map(parent).collect();
                kill_all(&[guards(), marked(key), sessions].concat());
            }
        }
        Vec::new()
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").expect("Linux").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holds(file: &str, words: &[u8]) -> bool {
    fs::read(file).is_ok_and(|bytes| bytes.windows(words.len()).any(|window| window == words))
}

/// The processes of the guards on a host: the text of the guard is their argument.
fn guards(place: &Place) -> Vec<u32> {
    let home = format!("HOME={}\0", place.home.display());
    pids()
        .filter(|pid| holds(&format!("/proc/{pid}/cmdline"), b"SH1 $nonce"))
        .filter(|pid| holds(&format!("/proc/{pid}/environ"), home.as_bytes()))
        .collect()
}

/// The processes of the command of an attempt, and all that they started.
pub(crate) fn marked(key: &str) -> Vec<u32> {
    let mark = format!("STEADYHAND={key}:");
    let lives = |pid: &u32| !stat(*pid).is_some_and(|stat| stat.starts_with(['Z', 'X']));
    pids().filter(|pid| holds(&format!("/proc/{pid}/environ"), mark.as_bytes())).filter(lives).collect()
}

/// The keeper, as the mark of the start has it; before the start there is none to be named.
fn keeper(place: &Place, key: &str) -> Vec<u32> {
    let started = place.home.join(".steadyhand/a").join(key).join("started");
    let text = fs::read_to_string(started).unwrap_or_default();
    text.split(' ').nth(4).and_then(|pid| pid.parse().ok()).into_iter().collect()
}

/// The ssh processes that hold the connections of a client.
fn masters(sockets: &Path) -> Vec<u32> {
    let mark = sockets.display().to_string();
    pids()
        .filter(|pid| name(*pid) == "ssh" && holds(&format!("/proc/{pid}/cmdline"), mark.as_bytes()))
        .collect()
}

/// What stands behind the name in the line of a process.
fn stat(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.to_owned())
}

fn parent(pid: u32) -> u32 {
    stat(pid).and_then(|stat| stat.split(' ').nth(1)?.parse().ok()).unwrap_or_default()
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

pub(crate) fn kill_all(pids: &[u32]) {
    signal("KILL", pids);
}

fn signal(signal: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().filter(|pid| **pid > 1).map(ToString::to_string).collect();
    if !pids.is_empty() {
        let _ =
            Command::new("kill").args(["-s", signal]).args(pids).stderr(std::process::Stdio::null()).status();
    }
}
