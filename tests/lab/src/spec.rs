//! What kind of lab is wanted.
//!
//! The defaults are boring and honest: asynchronous replication, fsync on, a free block. A test names only what it is
//! about: `Spec::default().fast().synchronous()`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::block::Block;
use crate::error::Result;

/// What [`Lab::up`](crate::Lab::up) is told.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub(crate) block: Option<Block>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) ssh_port: u16,
    pub(crate) pg_port: u16,
    pub(crate) disk: Disk,
    pub(crate) commit: Commit,
    pub(crate) spare: Spare,
    pub(crate) afterwards: Afterwards,
    pub(crate) replication_timeout: Duration,
    pub(crate) max_sessions: u16,
    pub(crate) client_alive_seconds: Option<u16>,
    pub(crate) runbooks: PathBuf,
}

/// Does PostgreSQL wait for the disk?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Disk {
    Durable,
    /// `fsync = off`.
    Fast,
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Commit {
    Local,
    /// One of the replicas has it too.
    Quorum,
}

/// What lies on the spare host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Spare {
    Empty,
    /// A running primary of another cluster: another system identifier.
    Foreign,
}

/// What happens when `up` fails or the handle is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Afterwards {
    CleanUp,
    Keep,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            block: None,
            dir: None,
            ssh_port: 2422,
            pg_port: 5532,
            disk: Disk::Durable,
            commit: Commit::Local,
            spare: Spare::Empty,
            afterwards: Afterwards::CleanUp,
            replication_timeout: Duration::from_secs(2),
            max_sessions: 10,
            client_alive_seconds: None,
            runbooks: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks"),
        }
    }
}

impl Spec {
    /// Use this block, `127.78`, and fail if it is taken. Default: the first free one from `127.77` on.
    pub fn block(mut self, block: &str) -> Result<Self> {
        self.block = Some(block.parse()?);
        Ok(self)
    }

    /// Use this directory, which must not exist. Default: `steadyhand-lab-<block>` in the temporary folder; in
    /// /dev/shm for a [`fast`](Self::fast) lab, if there is room and the lab is not [`kept`](Self::kept).
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The port of every sshd. Default: 2422.
    pub fn ssh_port(mut self, port: u16) -> Self {
        self.ssh_port = port;
        self
    }

    /// The port of every PostgreSQL. Default: 5532.
    pub fn pg_port(mut self, port: u16) -> Self {
        self.pg_port = port;
        self
    }

    /// `fsync = off` and, if there is room, all in memory: for tests that are not about the disk.
    pub fn fast(mut self) -> Self {
        self.disk = Disk::Fast;
        self
    }

    /// A commit on the primary waits until one of the two replicas has it: `ANY 1 (pg2, pg3)`.
    pub fn synchronous(mut self) -> Self {
        self.commit = Commit::Quorum;
        self
    }

    /// The spare pg4 runs the primary of another cluster, with another system identifier.
    pub fn foreign_cluster_on_spare(mut self) -> Self {
        self.spare = Spare::Foreign;
        self
    }

    /// Leave processes and files for a look, when `up` fails and when the handle is dropped. `lab down` ends it.
    pub fn kept(mut self) -> Self {
        self.afterwards = Afterwards::Keep;
        self
    }

    /// `wal_sender_timeout` and `wal_receiver_timeout`: after this time a silent peer is noticed. Default: 2 s.
    /// PostgreSQL's own default is 60 s.
    pub fn replication_timeout(mut self, timeout: Duration) -> Self {
        self.replication_timeout = timeout;
        self
    }

    /// sshd's `MaxSessions`: sessions in one connection. Default: 10, as sshd's own.
    pub fn max_sessions(mut self, sessions: u16) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// sshd's `ClientAliveInterval`. Default: not set, as sshd's own, so a half-open link stays for long.
    pub fn client_alive_seconds(mut self, seconds: u16) -> Self {
        self.client_alive_seconds = Some(seconds);
        self
    }

    /// The folder that `steadyhand.toml` names as `runbooks`. Default: the one of this repository.
    pub fn runbooks(mut self, dir: impl Into<PathBuf>) -> Self {
        self.runbooks = dir.into();
        self
    }
}
