//! Where commands are carried out. The only place that touches hosts.
//!
//! An execution has three ends that must never be taken for one another: nothing was started, it ended so, and nobody
//! knows. Memory, time and the number of sessions have limits; nothing waits for ever.

pub mod blocks;
pub mod capture;
mod connection;
mod folder;
pub mod frame;
pub mod guard;
mod guarded;
pub mod known_hosts;
mod room;
pub mod ssh;
mod talk;
mod why_not;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::plan::measure::ErrandBody;
use crate::plan::model::{GuardSeen, HostPin};
use crate::runbook::source::name::HostName;
use crate::secrets::mask::{Masks, masked};
use capture::Kept;

/// A host as it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// Its name.
    pub name: HostName,
    /// Its address.
    pub address: String,
    /// The port of its sshd.
    pub port: u16,
    /// Whom ssh logs in as.
    pub user: String,
}

impl Destination {
    /// A host as its plan froze it, not as the inventory may say by now.
    pub fn pinned(name: &HostName, pin: &HostPin) -> Self {
        let HostPin { address, port, user, .. } = pin;
        Self { name: name.clone(), address: address.clone(), port: *port, user: user.clone() }
    }
}

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Where.
    pub to: Destination,
    /// The fingerprints of the host keys that were agreed to; none where there is no agreement, as with a probe.
    pub keys: Option<Vec<String>>,
    /// What.
    pub body: ErrandBody,
    /// How long it may take, from the moment when it was sent.
    pub limit: Duration,
    /// How long ago it was meant to be sent; nothing where it is sent now.
    pub ago: Duration,
    /// The names of the secrets that it gets, each as a file of the host.
    pub secrets: Vec<String>,
    /// The folder that a step and its undo share on the host; none for what only reads.
    pub step_dir: Option<String>,
    /// What makes it one that can be asked about later: what changes something. It runs under the guard, and goes on when
    /// the link breaks; what only reads is ended then.
    pub attempt: Option<guard::Attempt>,
    /// Halts, resumes or ends its processes; none if nobody will.
    pub control: Option<watch::Receiver<Control>>,
    /// Where the last lines that it printed are shown while it runs; none if nobody looks.
    pub latest: Option<Latest>,
    /// Who hears that the connection broke while it ran, and that the host answers again; none if nobody asks.
    pub link: Option<Link>,
}

/// Hears what became of the connection of an execution: why it broke, or nothing once the host answers and it runs.
#[derive(Clone)]
pub struct Link(pub Arc<HearsLink>);

/// What hears it.
pub type HearsLink = dyn Fn(Option<&str>) + Send + Sync;

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

impl Execution {
    /// Something that only reads: it is ended with the link, and its host keeps nothing about it.
    pub fn probe(to: Destination, body: ErrandBody, limit: Duration) -> Self {
        Self {
            to,
            keys: None,
            body,
            secrets: Vec::new(),
            limit,
            ago: Duration::ZERO,
            step_dir: None,
            attempt: None,
            control: None,
            latest: None,
            link: None,
        }
    }
}

/// Hears the last lines of an execution, whichever stream they came on, each time it prints something.
#[derive(Clone)]
pub struct Latest(pub Arc<dyn Fn(Vec<String>) + Send + Sync>);

impl std::fmt::Debug for Latest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Latest")
    }
}

/// What is to become of the processes of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// They go on.
    Run,
    /// They are halted, and go on later.
    Pause,
    /// They are ended.
    Stop,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The command ended with this status.
    Exited(i32),
    /// There is no such program on the host. Nothing was started.
    NoCommand,
    /// Its limit was reached or somebody said stop, its processes were ended, and this is their status.
    Ended {
        /// The limit, or a person.
        by_limit: bool,
        /// The status.
        status: i32,
        /// These processes of it live on, in sessions of their own.
        escaped: Vec<u32>,
    },
    /// The host could not be reached, or refused: certainly nothing was started.
    NotStarted {
        /// The stable code: `unreachable`, `host-key-changed`, `host-key-unknown`, `login-refused`, `busy`, `not-sendable`,
        /// `no-secret`, `secret-place`, `no-guard`, `state-dir`, `fenced`, `stopped`, `not-started`.
        code: &'static str,
        /// Why, as the end of a sentence.
        why: String,
    },
    /// It was sent, and nobody knows whether or how it ended.
    Lost {
        /// What broke, as the end of a sentence.
        why: String,
    },
    /// It was to be ended, and its host says that it could not be: it runs still.
    Lives {
        /// What lives, as the end of a sentence.
        why: String,
    },
}

/// What came of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// What it printed on standard output.
    pub out: Kept,
    /// What it printed on standard error.
    pub err: Kept,
    /// From the sending to the end.
    pub took: Duration,
}

impl Report {
    /// An execution that did not start.
    pub fn not_started(code: &'static str, why: impl Into<String>, took: Duration) -> Self {
        let ending = Ending::NotStarted { code, why: why.into() };
        Self { ending, out: Kept::default(), err: Kept::default(), took }
    }
}

impl Ending {
    /// Without secrets: what ssh or a login prints becomes part of a reason.
    fn masked(self, masks: Option<&Arc<Masks>>) -> Self {
        match self {
            Self::NotStarted { code, why } => Self::NotStarted { code, why: masked(masks, &why) },
            Self::Lost { why } => Self::Lost { why: masked(masks, &why) },
            Self::Lives { why } => Self::Lives { why: masked(masks, &why) },
            ended => ended,
        }
    }
}

/// A future of a trait object.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// The future of an execution.
pub type Running<'a> = Later<'a, Report>;

/// What is left on a host of steps that are over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Keys of attempts up to their last dot.
    pub steps: Vec<String>,
    /// Folders that a step and its undo shared.
    pub folders: Vec<String>,
}

/// Where commands are carried out: real hosts over SSH, or a script in a test.
pub trait Target: Send + Sync {
    /// Carries out one execution. The future ends within the limit and a little more, whatever the host does.
    fn execute(&self, execution: Execution) -> Running<'_>;

    /// Finds out what became of an execution that was sent before, and follows it to its end. One that never started
    /// will not start any more.
    fn settle(&self, execution: Execution) -> Running<'_>;

    /// Asks whether what changes something can be carried out on this host, and be asked about afterwards. An error is
    /// an [`Ending::NotStarted`].
    fn hello(&self, to: Destination) -> Later<'_, Result<GuardSeen, Ending>>;

    /// Removes what a host keeps of steps that are over. That it fails does no harm.
    fn sweep(&self, to: Destination, left: Leftovers) -> Later<'_, ()>;

    /// Reads these secrets, so that they are masked in whatever hosts print from now on. What cannot be read is said
    /// where it is needed.
    fn know(&self, _secrets: Vec<String>) -> Later<'_, ()> {
        Box::pin(async {})
    }

    /// Where a secret is read from, as a plan shows and holds it; none if nobody knows.
    fn secret(&self, _name: &str) -> Option<String> {
        None
    }

    /// Makes the next execution on this host quick, if that is possible. Errors show when something is executed.
    fn prewarm(&self, to: Destination) -> Later<'_, ()>;
}
