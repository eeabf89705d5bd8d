//! The claim of a block: at most one lab has it, also across processes and users.
//!
//! A lock file for each block lies in the temporary folder as long as there is a lab. Whoever holds its lock owns the
//! block; the kernel gives the lock back when the process dies, however it dies. The file's text says which directory
//! belongs to the lab, so that `gc` finds what a killed process left behind. Other users' files are never believed.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::block::Block;
use crate::error::{Context, Error, Result};

/// Who answers for the lab of this claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keeper {
    /// The process that holds the lock. Once it is gone, the lab is a leftover.
    Process,
    /// A person, who will say `lab down`.
    Person,
}

/// What the lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deed {
    pub(crate) dir: PathBuf,
    pub(crate) keeper: Keeper,
    /// The process that brought it up. Only for messages.
    pub(crate) pid: u32,
}

/// A held lock. Dropping it gives the block back; the file stays only if a deed is in it.
#[derive(Debug)]
pub(crate) struct Claim {
    block: Block,
    file: File,
    written: bool,
}

/// What came of asking for a block.
pub(crate) enum Asked {
    Ours(Claim),
    /// A living process holds it, or another user's file stands there; the text says which.
    Taken(String),
}

impl Claim {
    /// Asks for a block. Never waits.
    pub(crate) fn ask(block: Block) -> Result<Asked> {
        loop {
            if let Some(answer) = Self::take(block, open(&path(block))?)? {
                return Ok(answer);
            }
        }
    }

    /// Takes the block with an opened file; none if that file is no longer the one that counts.
    fn take(block: Block, file: File) -> Result<Option<Asked>> {
        let path = path(block);
        let ours = file.metadata().context(|| format!("could not look at {}", path.display()))?;
        if ours.uid() != rustix::process::geteuid().as_raw() {
            return Ok(Some(Asked::Taken(format!("{} belongs to user {}", path.display(), ours.uid()))));
        }
        match file.try_lock() {
            // The last owner removes the file. If we opened it just before, our lock locks nothing.
            Ok(()) if fs::metadata(&path).is_ok_and(|there| there.ino() == ours.ino()) => {
                Ok(Some(Asked::Ours(Self { block, file, written: ours.len() > 0 })))
            }
            Ok(()) => Ok(None),
            Err(fs::TryLockError::WouldBlock) => Ok(Some(Asked::Taken(holder(&path)))),
            Err(fs::TryLockError::Error(e)) => {
                Err(Error::new(format!("could not lock {}", path.display())).because(e))
            }
        }
    }

    pub(crate) fn block(&self) -> Block {
        self.block
    }

    /// What the last owner wrote; none if it left nothing behind.
    pub(crate) fn deed(&mut self) -> Option<Deed> {
        let mut text = String::new();
        self.file.rewind().ok()?;
        self.file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub(crate) fn write(&mut self, deed: &Deed) -> Result<()> {
        let text = serde_json::to_vec(deed).map_err(|e| Error::new("could not write a claim").because(e))?;
        let written =
            self.file.set_len(0).and_then(|()| self.file.rewind()).and_then(|()| self.file.write_all(&text));
        self.written = true;
        written.context(|| format!("could not write {}", path(self.block).display()))
    }

    /// Nothing of the lab is left: the deed goes, and with it the file.
    pub(crate) fn release(mut self) {
        self.written = false;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.written {
            // While we hold the lock nobody else can own the block, so it is our file that goes.
            let _ = fs::remove_file(path(self.block));
        }
    }
}

/// Is there a lock file for this block at all?
pub(crate) fn exists(block: Block) -> bool {
    path(block).exists()
}

fn path(block: Block) -> PathBuf {
    std::env::temp_dir().join(format!("steadyhand-lab-{block}.lock"))
}

/// Opens without creating first: some kernels forbid `O_CREAT` on another user's file in a sticky folder.
fn open(path: &Path) -> Result<File> {
    loop {
        let opened = File::options().read(true).write(true).open(path);
        let opened = match opened {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => File::open(path),
            other => other,
        };
        match opened {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                match File::options().read(true).write(true).create_new(true).open(path) {
                    Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                    other => return other.context(|| format!("could not create {}", path.display())),
                }
            }
            other => return other.context(|| format!("could not open {}", path.display())),
        }
    }
}

fn holder(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str::<Deed>(&text)
        .map_or_else(|_| "a lab that is just coming up".to_owned(), |deed| format!("process {}", deed.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_its_last_owner_removed_gives_nothing() {
        let block: Block = "127.240".parse().unwrap();
        let Asked::Ours(owner) = Claim::ask(block).unwrap() else { panic!("taken") };
        let opened_too_early = open(&path(block)).unwrap();
        owner.release();
        let Asked::Ours(_next_owner) = Claim::ask(block).unwrap() else { panic!("taken") };

        let second_owner = Claim::take(block, opened_too_early).unwrap();

        assert!(second_owner.is_none());
    }

    #[test]
    fn a_deed_outlives_its_writer_and_not_its_release() {
        let block: Block = "127.241".parse().unwrap();
        let ask = || match Claim::ask(block).unwrap() {
            Asked::Ours(claim) => claim,
            Asked::Taken(by) => panic!("{by}"),
        };
        let deed = Deed { dir: PathBuf::from("/nowhere"), keeper: Keeper::Person, pid: 7 };
        ask().write(&deed).unwrap();

        let mut again = ask();
        let found = again.deed();
        let taken = Claim::ask(block).unwrap();
        again.release();

        assert_eq!(found, Some(deed));
        assert!(matches!(taken, Asked::Taken(by) if by == "process 7"));
        assert!(!exists(block));
        assert_eq!(ask().deed(), None);
    }
}
