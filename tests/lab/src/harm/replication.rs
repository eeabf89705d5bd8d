//! Hurting replication: cut links, and servers that follow the wrong one.
//!
//! A link is cut without root by taking away what it needs to come back: the host may serve no replication
//! (`pg_hba.conf`) and knows no password for it any more (`.pgpass`). Both sides notice at once, as with a reset
//! connection; a silent link is what a freeze is for. Nothing that a probe reads is changed.

use rustix::process::Signal;

use super::LIMIT;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::patience;
use crate::postgres;
use crate::process::{Part, Process};
use crate::status;

impl Host {
    /// Cuts all replication to and from this host until [`Host::heal`], also across restarts.
    pub fn cut_replication(&self) -> Result<()> {
        self.expect_database()?;
        self.write_access(&postgres::hba_without_replication(), &LOGINS_WITHOUT_REPLICATION)?;
        patience::until(LIMIT, &format!("the links of {} end", self.name()), || {
            let links = self.links();
            for link in &links {
                // A frozen server ends its links when it thaws; until then nothing flows anyway.
                link.signal(Signal::TERM);
            }
            let flowing: Vec<_> =
                links.iter().filter(|p| !p.is_stopped()).map(|p| p.title.as_str()).collect();
            if flowing.is_empty() { Ok(()) } else { Err(flowing.join("\n")) }
        })
    }

    /// Points this replica at another server of the lab, through a slot of its own name there, and waits until it
    /// streams from it. Nothing keeps you from a circle.
    pub fn follow(&self, upstream: &str) -> Result<()> {
        let upstream = Self::named(&self.ground, upstream)?;
        if self.sql("select pg_is_in_recovery()")? != "t" {
            return Err(Error::new(format!("{} cannot follow anybody", self.name()))
                .because("it is a primary")
                .next("`follow` is for replicas"));
        }
        upstream.sql(&format!(
            "select pg_create_physical_replication_slot('{0}', true)
               where not exists (select 1 from pg_replication_slots where slot_name = '{0}')",
            self.name()
        ))?;
        self.sql(&format!(
            "alter system set primary_conninfo = '{}';
             alter system set primary_slot_name = '{}';
             select pg_reload_conf();",
            postgres::conninfo(&self.ground, self.seat, upstream.seat),
            self.name()
        ))?;
        let wanted = format!("{}|streaming", upstream.address());
        patience::until(LIMIT, &format!("{} streams from {}", self.name(), upstream.name()), || {
            match self.sql("select sender_host, status from pg_stat_wal_receiver") {
                Ok(seen) if seen == wanted => Ok(()),
                Ok(seen) => Err(format!("receiver: {seen}")),
                Err(e) => Err(e.to_string()),
            }
        })
    }

    /// These two replicas feed each other from now on, and nobody else feeds them: everything looks well, and both stand
    /// still.
    pub fn loop_with(&self, other: &str) -> Result<()> {
        self.follow(other)?;
        Self::named(&self.ground, other)?.follow(self.name())
    }

    /// Takes [`Host::loop_with`] back: both follow the primary.
    pub fn end_loop_with(&self, other: &str) -> Result<()> {
        let other = Self::named(&self.ground, other)?;
        let primary = status::primaries(&self.ground).pop();
        let primary = primary.ok_or_else(|| Error::new("no primary answers").next("see `lab status`"))?;
        for replica in [self, &other] {
            replica.follow(primary.name())?;
        }
        Ok(())
    }

    /// The replica goes on receiving and stops replaying.
    pub fn pause_replay(&self) -> Result<()> {
        self.sql("select pg_wal_replay_pause()").map(|_| ())
    }

    /// The replica replays again.
    pub fn resume_replay(&self) -> Result<()> {
        self.sql("select pg_wal_replay_resume()").map(|_| ())
    }

    pub(super) fn heal_replication(&self) -> Result<()> {
        self.write_access(postgres::HBA, &postgres::LOGINS)
    }

    fn write_access(&self, hba: &str, logins: &[(&str, &str)]) -> Result<()> {
        let account = &self.ground.account;
        account.write(&self.dir().join("pg_hba.conf"), hba, 0o600)?;
        account.write(&self.dir().join("home/.pgpass"), &postgres::pgpass(&self.ground, logins), 0o600)?;
        if let Some(postmaster) = self.postmaster() {
            postmaster.signal(Signal::HUP);
        }
        Ok(())
    }

    /// The receiving and the sending processes of its replication.
    fn links(&self) -> Vec<Process> {
        let all = self.processes_of(Part::Database);
        all.into_iter().filter(|p| p.title.contains("walreceiver") || p.title.contains("walsender")).collect()
    }
}

/// What is left in `.pgpass` of a host that cannot replicate: the application.
const LOGINS_WITHOUT_REPLICATION: [(&str, &str); 1] = [(postgres::APP, postgres::APP_PASSWORD)];
