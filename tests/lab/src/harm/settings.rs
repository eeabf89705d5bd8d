//! Traps made of settings: a server that looks healthy and refuses writes, a replica that receives and does not replay.

use std::fs;

use super::LIMIT;
use crate::error::{Context, Result};
use crate::host::Host;
use crate::patience;

/// Every setting that an injection here changes.
const TRAPS: [&str; 2] = ["default_transaction_read_only", "recovery_min_apply_delay"];
/// A delay that no test outlives.
const FOR_EVER: &str = "1h";

impl Host {
    /// Writes are refused while everything looks healthy: it answers, reads work, it is in no recovery.
    pub fn set_read_only(&self) -> Result<()> {
        self.set(TRAPS[0], "on")
    }

    /// Takes [`Host::set_read_only`] back.
    pub fn clear_read_only(&self) -> Result<()> {
        self.reset(TRAPS[0])
    }

    /// The replica receives and acknowledges, but does not replay any commit.
    pub fn lag(&self) -> Result<()> {
        self.set(TRAPS[1], FOR_EVER)
    }

    /// Takes [`Host::lag`] back.
    pub fn stop_lagging(&self) -> Result<()> {
        self.reset(TRAPS[1])
    }

    pub(super) fn heal_settings(&self) -> Result<()> {
        for name in TRAPS {
            self.reset(name)?;
        }
        self.sql("select pg_wal_replay_resume() where pg_is_in_recovery()").map(|_| ())
    }

    /// The same for a server that does not run and so cannot be asked: out of its file.
    pub(super) fn heal_stopped_settings(&self) -> Result<()> {
        let path = self.data_dir().join("postgresql.auto.conf");
        if self.postmaster().is_some() || !path.exists() {
            return Ok(());
        }
        let text = fs::read_to_string(&path).context(|| format!("could not read {}", path.display()))?;
        let healed: String = text
            .split_inclusive('\n')
            .filter(|line| !TRAPS.iter().any(|name| line.trim_start().starts_with(name)))
            .collect();
        self.ground.account.write(&path, &healed, 0o600)
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        self.sql(&format!("alter system set {name} = '{value}'; select pg_reload_conf();"))?;
        self.wait_for_setting(name, "source = 'configuration file'")
    }

    fn reset(&self, name: &str) -> Result<()> {
        self.sql(&format!("alter system reset {name}; select pg_reload_conf();"))?;
        self.wait_for_setting(name, "source <> 'configuration file'")
    }

    /// A reload is asked for, not done, when `pg_reload_conf` returns.
    fn wait_for_setting(&self, name: &str, condition: &str) -> Result<()> {
        let query = format!("select {condition} from pg_settings where name = '{name}'");
        patience::until(LIMIT, &format!("{name} of {} takes hold", self.name()), || match self.sql(&query) {
            Ok(answer) if answer == "t" => Ok(()),
            Ok(answer) => Err(format!("{condition}: {answer}")),
            Err(e) => Err(e.to_string()),
        })
    }
}
