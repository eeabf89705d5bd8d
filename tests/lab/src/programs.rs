//! Where the programs are: OpenSSH, and the newest PostgreSQL that is installed.
//!
//! Debian keeps sshd out of an ordinary user's PATH and each PostgreSQL in a folder of its own, so the usual places are
//! looked at first. Nothing is installed here; see `install`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::run;

/// Older versions need another replication setup (`primary_conninfo` could not be changed without a restart).
pub(crate) const OLDEST_POSTGRESQL: u32 = 13;
const LIMIT: Duration = Duration::from_secs(10);

/// What must be called by its full path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Programs {
    pub(crate) sshd: PathBuf,
    pub(crate) ssh: PathBuf,
    pub(crate) ssh_keygen: PathBuf,
    pub(crate) haproxy: PathBuf,
    /// The folder of initdb, postgres, `pg_ctl`, psql …
    pub(crate) pg_bin: PathBuf,
    /// For example `15.18`.
    pub(crate) pg_version: String,
}

impl Programs {
    /// Finds all of them, or names everything that is missing at once.
    pub(crate) fn find() -> Result<Self> {
        let found = (find("sshd"), find("ssh"), find("ssh-keygen"), find("haproxy"), newest_postgresql());
        if let (Some(sshd), Some(ssh), Some(ssh_keygen), Some(haproxy), Some((pg_bin, pg_version))) = found
            && find("socat").is_some()
        {
            return Ok(Self { sshd, ssh, ssh_keygen, haproxy, pg_bin, pg_version });
        }
        Err(Error::new("the lab cannot run here").because(format!("not found: {}", missing().join(", "))).next(
            "`cargo lab install` prints what to install on Debian or Ubuntu; `cargo lab install --run` does it",
        ))
    }
}

/// The programs that are not there, by name. Includes those which the packs' scripts call on hosts.
pub(crate) fn missing() -> Vec<String> {
    let names =
        ["sshd", "ssh", "ssh-keygen", "haproxy", "socat", "ss", "pgrep", "find", "grep", "awk", "ipcrm"];
    let mut missing: Vec<String> =
        names.into_iter().filter(|n| find(n).is_none()).map(str::to_owned).collect();
    if newest_postgresql().is_none() {
        missing.push(format!("postgresql (server, version {OLDEST_POSTGRESQL} or later)"));
    }
    missing
}

/// The path of a program, also of one that only root usually calls.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// The folder and the version of the newest server.
pub(crate) fn newest_postgresql() -> Option<(PathBuf, String)> {
    places().into_iter().filter_map(|dir| Some((version(&dir)?, dir))).max().map(|(v, dir)| (dir, v.text()))
}

fn places() -> Vec<PathBuf> {
    let below = |root: &str, prefix: &str, rest: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        entries
            .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
            .map(|e| e.path().join(rest))
            .collect()
    };
    let mut places = below("/usr/lib/postgresql", "", "bin");
    places.extend(below("/usr", "pgsql-", "bin"));
    places.extend(find("postgres").and_then(|p| p.parent().map(Path::to_owned)));
    places
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl Version {
    fn text(&self) -> String {
        format!("{}.{}", self.0, self.1)
    }
}

/// Only a folder with a whole server counts: a client package leaves a folder too.
fn version(dir: &Path) -> Option<Version> {
    if !["initdb", "postgres", "pg_ctl", "psql"].iter().all(|program| dir.join(program).is_file()) {
        return None;
    }
    let mut command = Command::new(dir.join("postgres"));
    command.arg("--version");
    parse(&run::expect(command, LIMIT, "asking for the version of PostgreSQL").ok()?)
        .filter(|v| v.0 >= OLDEST_POSTGRESQL)
}

/// `postgres (PostgreSQL) 15.18 (Debian …)`, or `18beta1`, which counts as 18.0.
fn parse(text: &str) -> Option<Version> {
    let number = text.split_ascii_whitespace().nth(2)?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str| s.chars().take_while(char::is_ascii_digit).collect::<String>();
    Some(Version(digits(major).parse().ok()?, digits(minor).parse().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let [old, new, beta] =
            ["9.6", "15.18", "18beta1"].map(|v| parse(&format!("postgres (PostgreSQL) {v} (x)")).unwrap());

        assert!(old < new && new < beta);
        assert_eq!((new.text(), beta.text()), ("15.18".to_owned(), "18.0".to_owned()));
    }
}
