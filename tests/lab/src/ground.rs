//! The facts of one lab: its directory, block, account, programs and specification, and where everything lies in it.
//!
//! Kept in `lab.json`, so that the command `lab`, called again later, finds the same lab. Nothing is started here.

use std::fs;
use std::net::SocketAddrV4;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::block::Block;
use crate::error::{Context, Error, Result};
use crate::programs::Programs;
use crate::spec::{Spare, Spec};
use crate::topology::{SEATS, Seat};

/// The length of a unix socket's path that the kernel takes, without the end mark.
const LONGEST_SOCKET_PATH: usize = 107;
/// Raised when the layout of the directory changes: an old lab is then not misread.
const LAYOUT: u32 = 2;

/// Everything that is fixed for the life of a lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ground {
    layout: u32,
    pub(crate) dir: PathBuf,
    pub(crate) block: Block,
    pub(crate) account: Account,
    pub(crate) programs: Programs,
    pub(crate) spec: Spec,
}

impl Ground {
    pub(crate) fn new(
        dir: PathBuf,
        block: Block,
        account: Account,
        programs: Programs,
        spec: Spec,
    ) -> Result<Self> {
        check_path(&dir)?;
        Ok(Self { layout: LAYOUT, dir, block, account, programs, spec })
    }

    /// Reads the facts of an existing lab, which must be the caller's own.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("lab.json");
        let next = "`lab up` makes one; `--block` or `--dir` names another one";
        let file = fs::symlink_metadata(&path)
            .map_err(|e| Error::new(format!("there is no lab in {}", dir.display())).because(e).next(next))?;
        if !file.is_file() || file.uid() != rustix::process::geteuid().as_raw() {
            return Err(Error::new(format!("the lab in {} is not yours", dir.display()))
                .because(format!("{} belongs to user {}", path.display(), file.uid()))
                .next("call `lab` as that user"));
        }
        let text = fs::read(&path).context(|| format!("could not read {}", path.display()))?;
        let ground: Self = serde_json::from_slice(&text).map_err(|e| {
            Error::new(format!("{} cannot be read", path.display()))
                .because(e)
                .next("it was made by another version of the lab; end its processes and delete the directory")
        })?;
        if ground.layout != LAYOUT || ground.dir != dir {
            return Err(Error::new(format!("{} does not describe a lab in this place", path.display()))
                .because("it was made by another version of the lab, or the directory was moved"));
        }
        Ok(ground)
    }

    pub(crate) fn write(&self) -> Result<()> {
        let path = self.dir.join("lab.json");
        let text =
            serde_json::to_vec_pretty(self).map_err(|e| Error::new("could not write lab.json").because(e))?;
        fs::write(&path, text).context(|| format!("could not write {}", path.display()))
    }

    /// The directory of one host. Everything of the host lies in it.
    pub(crate) fn host_dir(&self, seat: Seat) -> PathBuf {
        self.dir.join("h").join(seat.name)
    }

    /// The hosts whose PostgreSQL may belong to the cluster. A foreign cluster on the spare does not.
    pub(crate) fn cluster(&self) -> impl Iterator<Item = Seat> {
        let with_spare = self.spec.spare == Spare::Empty;
        SEATS.into_iter().filter(move |s| s.is_member() || (with_spare && s.may_hold_database()))
    }

    pub(crate) fn ssh_address(&self, seat: Seat) -> SocketAddrV4 {
        SocketAddrV4::new(self.block.address(seat.octet), self.spec.ssh_port)
    }

    pub(crate) fn pg_address(&self, seat: Seat) -> SocketAddrV4 {
        SocketAddrV4::new(self.block.address(seat.octet), self.spec.pg_port)
    }

    pub(crate) fn client_key(&self) -> PathBuf {
        self.dir.join("keys/client")
    }

    pub(crate) fn bot_dir(&self) -> PathBuf {
        self.dir.join("bot")
    }

    pub(crate) fn writer_dir(&self) -> PathBuf {
        self.dir.join("writer")
    }

    /// The PATH of a host's sessions.
    pub(crate) fn path_of(&self, seat: Seat) -> String {
        let own = self.host_dir(seat).join("bin");
        let rest = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
        format!("{}:{}:{rest}", own.display(), self.programs.pg_bin.display())
    }
}

/// A directory that works: short enough for sockets, and of letters that need no quoting in any of the many
/// configuration files, scripts and connection strings that name it.
pub(crate) fn check_path(dir: &Path) -> Result<()> {
    let text = dir.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !dir.is_absolute() || text.contains("/../") || !text.chars().all(plain) {
        return Err(Error::new(format!("`{text}` cannot be the directory of a lab"))
            .because("it must be absolute, and of the letters a-z A-Z 0-9 . _ - /")
            .next("for example `--dir /tmp/lab2`"));
    }
    let longest = SEATS.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let length = text.len() + "/h//run/.s.PGSQL.65535".len() + longest;
    if length > LONGEST_SOCKET_PATH {
        return Err(Error::new(format!("the directory {text} is too long"))
            .because(format!(
                "PostgreSQL's socket in it would have a path of {length} bytes; the kernel allows {LONGEST_SOCKET_PATH}"
            ))
            .next(format!(
                "choose one of at most {} bytes, for example `--dir /tmp/lab2`",
                text.len() - (length - LONGEST_SOCKET_PATH)
            )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_too_long_for_sockets_is_refused() {
        let fits = format!("/tmp/{}", "x".repeat(74));
        let too_long = format!("{fits}y");

        check_path(Path::new(&fits)).unwrap();
        let error = check_path(Path::new(&too_long)).unwrap_err().to_string();

        assert!(error.contains("would have a path of 108 bytes; the kernel allows 107"), "{error}");
        assert!(error.contains("at most 79 bytes"), "{error}");
    }

    #[test]
    fn a_directory_that_needs_quoting_is_refused() {
        for wrong in ["relative", "/tmp/with space", "/tmp/it's", "/tmp/../etc", "/tmp/a$b"] {
            assert!(check_path(Path::new(wrong)).is_err(), "{wrong}");
        }
    }
}
