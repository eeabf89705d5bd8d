//! Freezing: the processes are there and do nothing. Connections are still accepted, by the kernel.

use rustix::process::Signal;

use super::LIMIT;
use super::ssh::is_cut;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::patience;
use crate::process::{Part, Process};

impl Host {
    /// Freezes PostgreSQL, postmaster and all its children. SSH still works.
    pub fn freeze(&self) -> Result<()> {
        self.expect_database()?;
        self.stop_processes("the freeze", |_, p| p.part == Part::Database)
    }

    /// Freezes the postmaster only: old sessions and replication go on, new ones get no answer.
    pub fn freeze_postmaster(&self) -> Result<()> {
        self.expect_database()?;
        let postmaster = self.postmaster().map(|p| p.pid);
        self.stop_processes("the half freeze", |_, p| Some(p.pid) == postmaster)
    }

    /// Freezes everything: PostgreSQL, sshd, and what runs over SSH.
    pub fn freeze_host(&self) -> Result<()> {
        self.stop_processes("the freeze of the host", |_, _| true)
    }

    /// Lets everything go on that was frozen. An sshd that was cut on its own stays cut; see [`Host::heal`].
    pub fn thaw(&self) -> Result<()> {
        let cut = is_cut(self);
        patience::until(LIMIT, &format!("{} thaws", self.name()), || {
            let frozen: Vec<_> = self
                .processes()
                .into_iter()
                .filter(|p| p.is_stopped() && !(cut && p.part == Part::Ssh))
                .collect();
            for process in &frozen {
                process.signal(Signal::CONT);
            }
            if frozen.is_empty() { Ok(()) } else { Err(told(&frozen)) }
        })
    }

    /// Stops the chosen processes until none of them runs: while we look, a running one may make new ones.
    pub(super) fn stop_processes(&self, what: &str, chosen: impl Fn(&Self, &Process) -> bool) -> Result<()> {
        patience::until(LIMIT, &format!("{what} of {} takes hold", self.name()), || {
            let running: Vec<_> =
                self.processes().into_iter().filter(|p| chosen(self, p) && !p.is_stopped()).collect();
            for process in &running {
                process.signal(Signal::STOP);
            }
            if running.is_empty() { Ok(()) } else { Err(told(&running)) }
        })
    }

    /// An injection into nothing would pass for one that worked.
    pub(super) fn expect_database(&self) -> Result<()> {
        if self.postmaster().is_some() {
            return Ok(());
        }
        Err(Error::new(format!("{} has no running PostgreSQL", self.name())).next("see `lab status`"))
    }
}

fn told(processes: &[Process]) -> String {
    processes.iter().map(|p| format!("{} {} {}", p.pid, p.state, p.title)).collect::<Vec<_>>().join("\n")
}
