//! Killing the database, switching the host off and on, and the orderly stop and start beside them.
//!
//! Power goes through `machine-power`, the script that the bot calls over SSH on the power host: one truth.

use std::time::Duration;

use crate::bury;
use crate::error::Result;
use crate::host::Host;
use crate::process::Part;
use crate::raise;
use crate::run;
use crate::topology::power_host;

/// A machine may have to recover a database before it is on.
const POWER_LIMIT: Duration = Duration::from_secs(90);

impl Host {
    /// `kill -9` of PostgreSQL with all its children. Works on a frozen one too.
    pub fn kill(&self) -> Result<()> {
        self.expect_database()?;
        bury::end_all(self, |part| part == Part::Database)
    }

    /// Switches the host off: nothing of it is left, frozen or not.
    pub fn power_off(&self) -> Result<()> {
        self.machine_power(&["off", "--wait", self.name()]).map(|_| ())
    }

    /// Switches the host on: sshd, and PostgreSQL if it has data. Does nothing if it is on.
    pub fn power_on(&self) -> Result<()> {
        self.machine_power(&["on", self.name()])?;
        raise::answers(self)
    }

    /// Switches the host on, with sshd only.
    pub fn power_on_without_database(&self) -> Result<()> {
        self.machine_power(&["on", "--no-database", self.name()]).map(|_| ())
    }

    /// Is the host switched on, or something of it still alive?
    pub fn is_on(&self) -> bool {
        self.machine_power(&["status", self.name()]).is_ok_and(|out| out.trim() == "on")
    }

    /// Starts PostgreSQL after [`Host::kill`] or [`Host::stop_database`] and waits until it answers.
    pub fn start_database(&self) -> Result<()> {
        raise::boot(self, "database")?;
        raise::answers(self)
    }

    /// Stops PostgreSQL in an orderly way: sessions end, a checkpoint is written, the replicas get everything.
    pub fn stop_database(&self) -> Result<()> {
        self.expect_database()?;
        let mut stop = self.command(&self.ground.programs.pg_bin.join("pg_ctl"));
        stop.arg("-D").arg(self.data_dir()).args(["-m", "fast", "-w", "-t", "60", "stop"]);
        run::expect(stop, POWER_LIMIT, &format!("stopping PostgreSQL of {}", self.name())).map(|_| ())
    }

    /// An orderly stop, and a start.
    pub fn restart_database(&self) -> Result<()> {
        self.stop_database()?;
        self.start_database()
    }

    /// The numbers of the processes that `machine-power` would kill. For the test that compares the two rules.
    #[doc(hidden)]
    pub fn processes_by_script(&self) -> Result<Vec<i32>> {
        let out = self.machine_power(&["processes", self.name()])?;
        let mut pids: Vec<i32> = out.split_ascii_whitespace().filter_map(|p| p.parse().ok()).collect();
        pids.sort_unstable();
        Ok(pids)
    }

    /// The numbers of the processes that the library takes for the host's.
    #[doc(hidden)]
    pub fn processes_by_library(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = self.processes().iter().map(|p| p.pid).collect();
        pids.sort_unstable();
        pids
    }

    fn machine_power(&self, words: &[&str]) -> Result<String> {
        let power = Self { ground: self.ground.clone(), seat: power_host() };
        let mut command = power.command(&power.dir().join("bin/machine-power"));
        command.args(words);
        run::expect(command, POWER_LIMIT, &format!("machine-power {}", words.join(" ")))
    }
}
