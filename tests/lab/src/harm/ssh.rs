//! Hurting SSH: a black hole, a refusal, a lost session, a changed host key.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use super::LIMIT;
use crate::bury;
use crate::error::{Context, Error, Result};
use crate::host::Host;
use crate::keys;
use crate::patience;
use crate::process::Part;
use crate::raise;

impl Host {
    /// SSH becomes a black hole: connections are accepted, nothing answers, open sessions hang. What runs, runs on.
    pub fn cut_ssh(&self) -> Result<()> {
        if self.processes_of(Part::Ssh).is_empty() {
            return Err(
                Error::new(format!("{} has no sshd to cut off", self.name())).next("see `lab status`")
            );
        }
        let mark = cut_mark(self);
        self.ground.account.write(&mark, "", 0o644)?;
        self.stop_processes("the cut of ssh", |_, p| p.part == Part::Ssh)
    }

    /// SSH is refused: no listener, all sessions gone. What they had started runs on, without its outputs.
    pub fn refuse_ssh(&self) -> Result<()> {
        bury::end_all(self, |part| part == Part::Ssh)
    }

    /// Ends all SSH sessions as a lost connection does. New ones are welcome. What they had started runs on.
    pub fn kill_ssh_sessions(&self) -> Result<()> {
        let listener = self.listener().map(|p| p.pid);
        patience::until(LIMIT, &format!("the sessions of {} end", self.name()), || {
            let sessions: Vec<_> =
                self.processes_of(Part::Ssh).into_iter().filter(|p| Some(p.pid) != listener).collect();
            for session in &sessions {
                session.signal(Signal::KILL);
            }
            if sessions.is_empty() { Ok(()) } else { Err(format!("{} sessions", sessions.len())) }
        })
    }

    /// Ends the listening sshd, if it is there, and starts it again. Open sessions go on.
    pub fn restart_sshd(&self) -> Result<()> {
        if let Some(listener) = self.listener() {
            patience::until(LIMIT, &format!("the sshd of {} ends", self.name()), || {
                listener.signal(Signal::KILL);
                if self.listener().is_none() { Ok(()) } else { Err("it lives".to_owned()) }
            })?;
        }
        raise::boot(self, "ssh")
    }

    /// The host shows another key from now on, as a replaced machine does. `known_hosts` keeps the old one.
    pub fn change_host_key(&self) -> Result<()> {
        for (now, before) in key_files(self) {
            if !before.exists() {
                fs::rename(&now, &before).context(|| format!("could not set aside {}", now.display()))?;
            }
        }
        keys::make_host(self)?;
        self.restart_sshd()
    }

    pub(super) fn heal_ssh(&self) -> Result<()> {
        if restore_key(self)? == Key::WasChanged {
            self.restart_sshd()?;
        }
        if self.listener().is_none() { raise::boot(self, "ssh") } else { Ok(()) }
    }
}

/// Was the host's sshd cut off on its own, so that a thaw of the host leaves it so?
pub(super) fn is_cut(host: &Host) -> bool {
    cut_mark(host).exists()
}

/// The cut is over.
pub(super) fn mark_whole(host: &Host) -> Result<()> {
    let mark = cut_mark(host);
    if mark.exists() {
        fs::remove_file(&mark).context(|| format!("could not remove {}", mark.display()))?;
    }
    Ok(())
}

/// Whether the key had been changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Key {
    WasChanged,
    WasTheFirst,
}

/// Puts the first key back into its place.
pub(crate) fn restore_key(host: &Host) -> Result<Key> {
    let mut key = Key::WasTheFirst;
    for (now, before) in key_files(host) {
        if before.exists() {
            fs::rename(&before, &now).context(|| format!("could not put back {}", now.display()))?;
            key = Key::WasChanged;
        }
    }
    Ok(key)
}

fn cut_mark(host: &Host) -> PathBuf {
    host.dir().join("ssh-is-cut")
}

/// The key's files, private and public, each with the place where the first one is set aside.
fn key_files(host: &Host) -> [(PathBuf, PathBuf); 2] {
    let dir = host.dir().join("ssh");
    [("hostkey", "first-hostkey"), ("hostkey.pub", "first-hostkey.pub")]
        .map(|(now, before)| (dir.join(now), dir.join(before)))
}
