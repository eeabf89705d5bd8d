//! Base backups on the backup host: taken as `pg_basebackup` takes them, and as old as a test needs.

use std::fs::{self, File, FileTimes};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::error::{Context, Result};
use crate::ground::Ground;
use crate::host::Host;
use crate::lab::Lab;
use crate::run;
use crate::topology::backup_host;

const LIMIT: Duration = Duration::from_mins(2);

/// Where the newest backup lies.
pub(crate) fn newest(ground: &Ground) -> PathBuf {
    ground.host_dir(backup_host()).join("backup/newest")
}

impl Lab {
    /// Takes a base backup of the primary to the backup host, in the place of the last one, and verifies it. It counts as
    /// taken so long ago.
    pub fn back_up(&self, ago: Duration) -> Result<()> {
        let keeper = Host { ground: self.ground().clone(), seat: backup_host() };
        let newest = newest(self.ground());
        let part = newest.with_extension("part");
        let primary = self.primary()?;
        for leftover in [&part, &newest] {
            if leftover.exists() {
                fs::remove_dir_all(leftover)
                    .context(|| format!("could not remove {}", leftover.display()))?;
            }
        }
        self.ground().account.make_dir(&keeper.dir().join("backup"), 0o755)?;
        let programs = &self.ground().programs.pg_bin;
        let mut take = keeper.command(&programs.join("pg_basebackup"));
        take.arg("-D").arg(&part).args(["-X", "stream", "-c", "fast", "--no-password", "--no-sync", "-d"]);
        take.arg(format!(
            "host={} port={} user=repl application_name=pg_basebackup",
            primary.address(),
            primary.pg_port()
        ));
        run::expect(take, LIMIT, &format!("backing up {}", primary.name()))?;
        let mut verify = keeper.command(&programs.join("pg_verifybackup"));
        verify.arg("-q").arg(&part);
        run::expect(verify, LIMIT, "verifying the backup")?;
        let manifest = part.join("backup_manifest");
        let taken = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
        let dated = File::options().append(true).open(&manifest);
        dated
            .and_then(|file| file.set_times(FileTimes::new().set_modified(taken)))
            .context(|| format!("could not date {}", manifest.display()))?;
        fs::rename(&part, &newest).context(|| format!("could not put the backup to {}", newest.display()))
    }
}
