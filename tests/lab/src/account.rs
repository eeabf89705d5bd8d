//! The ordinary user under whom everything runs.
//!
//! PostgreSQL refuses to run as root, and a lab as root would hide every mistake with rights. So the caller is used if
//! it is an ordinary user; root makes a user of its own for the lab and starts everything under that one. Files that
//! the daemons need are given to it.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::run;

/// The user that root makes.
const OF_ROOT: &str = "steadyhand-lab";
const LIMIT: Duration = Duration::from_secs(10);

/// An ordinary user. It is also the user who logs in over SSH, and the database's superuser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// The caller; for root the lab's own user, made if it is missing.
    pub(crate) fn ordinary() -> Result<Self> {
        if we_are_root() { make() } else { of_caller() }
    }

    /// A command that runs as this user, in `/`, with nothing in its environment but a PATH and the locale.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/");
        if we_are_root() {
            // std drops root's supplementary groups along with it.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Creates a directory that belongs to this user.
    pub(crate) fn make_dir(&self, path: &Path, mode: u32) -> Result<()> {
        fs::create_dir_all(path).context(|| format!("could not create {}", path.display()))?;
        self.give(path, mode)
    }

    /// Writes a file that belongs to this user.
    pub(crate) fn write(&self, path: &Path, text: &str, mode: u32) -> Result<()> {
        fs::write(path, text).context(|| format!("could not write {}", path.display()))?;
        self.give(path, mode)
    }

    /// Hands an existing file over, with this mode.
    pub(crate) fn give(&self, path: &Path, mode: u32) -> Result<()> {
        let context = || format!("could not give {} to {}", path.display(), self.name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).context(context)?;
        if we_are_root() { chown(path, Some(self.uid), Some(self.gid)).context(context) } else { Ok(()) }
    }
}

pub(crate) fn we_are_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn of_caller() -> Result<Account> {
    let name = id(&["-un"]).map_err(|e| {
        Error::new("this user has no name").because(e).next(
            "sshd and initdb refuse a user without an entry in /etc/passwd: add one, or use another user",
        )
    })?;
    Ok(Account { name, uid: number(&["-u"])?, gid: number(&["-g"])? })
}

fn make() -> Result<Account> {
    if id(&["-u", OF_ROOT]).is_err() {
        // Two labs may come to this at once, and two useradd for one name leave half an account: both look before they
        // lock. Nobody else locks this folder.
        let etc = File::open("/etc").context(|| "could not open /etc".to_owned())?;
        etc.lock().context(|| "could not lock /etc".to_owned())?;
        if id(&["-u", OF_ROOT]).is_err() {
            let mut useradd = Command::new("useradd");
            useradd.args(["-r", "-m", "-s", "/bin/bash", OF_ROOT]);
            run::expect(useradd, LIMIT, &format!("making the user {OF_ROOT}"))?;
        }
    }
    Ok(Account { name: OF_ROOT.to_owned(), uid: number(&["-u", OF_ROOT])?, gid: number(&["-g", OF_ROOT])? })
}

fn number(arguments: &[&str]) -> Result<u32> {
    let text = id(arguments)?;
    text.parse().map_err(|_| Error::new(format!("`id` said `{text}`, which is no number")))
}

fn id(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("id");
    command.args(arguments);
    run::expect(command, LIMIT, "asking who a user is").map(|out| out.trim().to_owned())
}
