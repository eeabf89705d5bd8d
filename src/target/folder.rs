//! The folder of this process for ssh: its configuration, and a control socket for each connection.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How our folders begin; six letters follow.
const FOLDER: &str = "steadyhand-";
/// The file in a folder that its owner has locked.
const LOCK: &str = "owner.lock";
/// The ssh configuration: all of it. What the crate sets on the command line goes before it.
const CONFIG: &str = "\
Host *
  StrictHostKeyChecking yes
  UpdateHostKeys no
  HashKnownHosts no
  GlobalKnownHostsFile /dev/null
  CheckHostIP no
  ForwardAgent no
  ForwardX11 no
  ClearAllForwardings yes
  ExitOnForwardFailure yes
  PermitLocalCommand no
  Tunnel no
  RequestTTY no
  PasswordAuthentication no
  KbdInteractiveAuthentication no
  NumberOfPasswordPrompts 0
  ServerAliveInterval 5
  ServerAliveCountMax 2
  TCPKeepAlive yes
  SendEnv -*
";

/// Ours alone, and gone with us or when we are done with it.
#[derive(Debug)]
pub(super) struct Folder {
    made: Mutex<Option<tempfile::TempDir>>,
    /// As long as we live, nobody else takes the folder for forsaken.
    _lock: std::fs::File,
    path: PathBuf,
    config: PathBuf,
}

impl Folder {
    /// Makes it, 0700, with the configuration in it.
    pub(super) fn make() -> std::io::Result<Self> {
        // A short path: sockets have at most 107 bytes.
        let ours_alone = std::fs::Permissions::from_mode(0o700);
        remove_forsaken(&std::env::temp_dir());
        let folder = tempfile::Builder::new().prefix(FOLDER).permissions(ours_alone).tempdir()?;
        // It is there only once it is locked: else another bot could take it for forsaken.
        let (new, lock) = (folder.path().join("new"), folder.path().join(LOCK));
        let locked = std::fs::File::create(&new)?;
        locked.lock()?;
        std::fs::rename(new, lock)?;
        let config = folder.path().join("config");
        std::fs::write(&config, CONFIG)?;
        let path = folder.path().to_owned();
        Ok(Self { made: Mutex::new(Some(folder)), _lock: locked, path, config })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration in it.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// How many connections are open: each has a socket of its own.
    pub(super) fn connections(&self) -> usize {
        let folders = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        folders.filter(|folder| folder.path().join("master").exists()).count()
    }

    /// Removes it, although somebody may still hold it.
    pub(super) fn remove(&self) {
        drop(self.made.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Removes the folders of bots that were killed. The lock goes with its process, however that ends.
fn remove_forsaken(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours =
            name.to_str().and_then(|name| name.strip_prefix(FOLDER)).is_some_and(|rest| rest.len() == 6);
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if let Ok(lock) = std::fs::File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_bot_that_was_killed_goes_and_no_other() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = |name: &str, lock: bool| {
            let folder = temporary.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            lock.then(|| std::fs::File::create(folder.join(LOCK)).unwrap())
        };
        drop(folder("steadyhand-killed", true));
        let alive = folder("steadyhand-living", true).unwrap();
        alive.lock().unwrap();
        folder("steadyhand-strang", false);
        drop(folder("steadyhand-lab-127.77", true));

        remove_forsaken(temporary.path());

        let mut left: Vec<_> =
            std::fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, ["steadyhand-lab-127.77", "steadyhand-living", "steadyhand-strang"]);
    }
}
