//! Every way to hurt a host, and the way back.
//!
//! All of it is done to real processes as an ordinary user, no root. Each injection returns when it has taken hold and
//! not before, so that a test can measure from there. [`Host::heal`] undoes all of them, except that a killed database
//! and a switched-off host stay down: to start an old primary again is a decision, not a healing. Who follows whom, and
//! what is corrupt, has a way back of its own.

mod copying;
mod corruption;
mod freeze;
mod power;
mod replication;
mod settings;
pub(crate) mod ssh;

use std::time::Duration;

use crate::error::Result;
use crate::host::Host;
use crate::raise;

/// How long an injection may take to take hold.
const LIMIT: Duration = Duration::from_secs(20);

impl Host {
    /// Undoes everything that was injected here: freezes, cuts, traps, delays, a changed host key. Starts no database
    /// and switches nothing on. Returns when the services that run answer again.
    pub fn heal(&self) -> Result<()> {
        if !self.is_on() {
            ssh::restore_key(self)?;
            return self.heal_files();
        }
        ssh::mark_whole(self)?;
        self.thaw()?;
        self.heal_ssh()?;
        self.heal_files()?;
        if self.postmaster().is_some() {
            raise::answers(self)?;
            self.heal_settings()?;
        }
        Ok(())
    }

    /// What can be healed in files alone.
    fn heal_files(&self) -> Result<()> {
        self.stop_slow_copies()?;
        if self.seat.may_hold_database() {
            self.heal_replication()?;
            self.heal_stopped_settings()?;
        }
        Ok(())
    }
}
