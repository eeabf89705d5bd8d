//! Executes over OpenSSH: one multiplexed connection a host, our own configuration, pinned host keys.
//!
//! Nothing of the user's own ssh configuration is read, no key is ever learnt, nothing is forwarded. What the runner
//! says counts; exit codes of ssh do not, because 255 has three meanings. Here a connection is found or made; what is
//! said over it stands in `talk` and `guarded`.

#![expect(
    clippy::disallowed_methods,
    reason = "limits of connections and commands are real time, and nonces are random"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder};
use secrecy::zeroize::Zeroizing;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::capture::Kept;
use super::connection::{Channel, Connection, NotOpened, Slot, open};
use super::folder::Folder;
use super::frame::{Frame, exec_line};
use super::guarded::{self, Guarded};
use super::known_hosts::KnownKeys;
use super::room::commands_at_once;
use super::talk::converse;
use super::why_not::{CONNECT_WITHIN, not_started, why_not_connected};
use super::{Destination, Ending, Execution, Later, Leftovers, Report, Running, Target};
use crate::failpoint::{self, Point};
use crate::plan::measure::ErrandBody;
use crate::plan::model::GuardSeen;
use crate::secrets::mask::Masks;
use crate::secrets::{Secret, Secrets};

/// So many connections are made at once; a few silent hosts among them hold nobody up.
const CONNECTING: usize = 48;
/// Everything around connecting, resolving included.
const REACH_WITHIN: Duration = Duration::from_secs(8);
/// A connection that nobody uses is closed by OpenSSH after so many seconds.
const PERSIST_SECONDS: usize = 60;

/// How hosts are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    /// The private key; none means the agent or the default keys of OpenSSH.
    pub identity_file: Option<PathBuf>,
    /// The pinned host keys.
    pub known_hosts: PathBuf,
}

/// Executes over OpenSSH.
#[derive(Debug)]
pub struct Ssh {
    settings: SshSettings,
    secrets: Secrets,
    /// Control sockets and configuration.
    folder: Folder,
    connections: Mutex<BTreeMap<Destination, Arc<Connection>>>,
    /// Connections that may be in the making at once: each takes two processes and some time of a processor.
    connecting: Semaphore,
    /// Commands at once, all hosts together: as many as there are file handles for.
    commands: Semaphore,
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The folder for control sockets cannot be made.
    #[error("the folder for ssh's control sockets cannot be made: {0}. Next: look at TMPDIR")]
    Folder(#[from] std::io::Error),
}

impl Ssh {
    /// Prepares a folder of its own, 0700, for sockets and configuration.
    pub fn new(settings: SshSettings) -> Result<Self, SshError> {
        Ok(Self {
            settings,
            secrets: Secrets::default(),
            folder: Folder::make()?,
            connections: Mutex::default(),
            connecting: Semaphore::new(CONNECTING),
            commands: Semaphore::new(commands_at_once()),
        })
    }

    /// With secrets that executions may get.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// The folder with the control sockets.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many connections are open: each has a socket of its own.
    pub fn connections(&self) -> usize {
        self.folder.connections()
    }

    /// The turn of a step that changes something on this host; it is kept until the step is over.
    pub(super) async fn turn_of_a_step(&self, to: &Destination) -> Option<OwnedSemaphorePermit> {
        self.connection(to).turn().await
    }

    /// Closes every connection, and removes the folder. What runs on hosts is left alone.
    pub async fn close(&self) {
        let connections =
            std::mem::take(&mut *self.connections.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in connections.into_values() {
            let slot = std::mem::take(&mut *connection.slot.lock().await);
            if let Slot::Open(session, _) = slot
                && let Some(session) = Arc::into_inner(session)
            {
                let _ = timeout(CONNECT_WITHIN, session.close()).await;
            }
        }
        // Somebody may still hold us when the process ends, and would never drop it.
        self.folder.remove();
    }

    fn connection(&self, to: &Destination) -> Arc<Connection> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.entry(to.clone()).or_insert_with(|| Arc::new(Connection::new())).clone()
    }

    /// The connection to a host, made if there is none. Many may wait for one attempt; if it fails, it fails for all of
    /// them: `failures` is how many had failed when this one began to wait.
    async fn session(
        &self,
        to: &Destination,
        keys: Option<&[String]>,
        connection: &Connection,
        failures: u64,
    ) -> Result<Arc<Session>, Ending> {
        let mut slot = connection.slot.lock().await;
        let pinned = self.pinned(to, keys)?;
        match &*slot {
            // A connection whose key is not pinned any more is not used any more.
            Slot::Open(session, made_with) if *made_with == pinned => return Ok(session.clone()),
            Slot::Failed(ending) if connection.failures() > failures => return Err(ending.clone()),
            Slot::Open(..) | Slot::Failed(_) | Slot::Empty => *slot = Slot::Empty,
        }
        match self.connect(to, &pinned).await {
            Ok(session) => {
                let session = Arc::new(session);
                *slot = Slot::Open(session.clone(), pinned);
                Ok(session)
            }
            Err(ending) => {
                *slot = Slot::Failed(ending.clone());
                connection.failed_once_more();
                Err(ending)
            }
        }
    }

    /// The keys that a host may show: those that are pinned, if they are still those that were agreed to.
    fn pinned(&self, to: &Destination, agreed: Option<&[String]>) -> Result<Vec<String>, Ending> {
        let keys = KnownKeys::read(&self.settings.known_hosts);
        let pinned = keys.map_err(|why| not_started("host-key-unknown", why))?.of(&to.address, to.port);
        let (file, name) = (self.settings.known_hosts.display(), &to.name);
        if pinned.is_empty() {
            let why = format!(
                "{file} has no host key for {name} ({}), and keys are never learnt: compare it on the host, then add it",
                to.address
            );
            return Err(not_started("host-key-unknown", why));
        }
        if agreed.is_some_and(|agreed| !same_keys(agreed, &pinned)) {
            let agreed = agreed.filter(|keys| !keys.is_empty()).map(|keys| keys.join(" or "));
            let why = format!(
                "{file} has {} for {name} now, and the plan was agreed with {}: find out who changed that",
                pinned.join(" or "),
                agreed.unwrap_or_else(|| "no key".to_owned())
            );
            return Err(not_started("host-key-changed", why));
        }
        Ok(pinned)
    }

    /// Makes a connection, within its time.
    async fn connect(&self, to: &Destination, pinned: &[String]) -> Result<Session, Ending> {
        let _turn = self.connecting.acquire().await;
        let mut builder = SessionBuilder::default();
        builder
            .user(to.user.clone())
            .port(to.port)
            .known_hosts_check(KnownHosts::Strict)
            .user_known_hosts_file(&self.settings.known_hosts)
            .control_directory(self.folder.path())
            .control_persist(ControlPersist::IdleFor(PERSIST_SECONDS.try_into().expect("not zero")))
            .config_file(self.folder.config())
            .connect_timeout(CONNECT_WITHIN)
            .server_alive_interval(Duration::from_secs(5));
        if let Some(key) = &self.settings.identity_file {
            builder.keyfile(key);
        }
        let connected = timeout(REACH_WITHIN, builder.connect_mux(&to.address)).await;
        match connected {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(why_not_connected(to, pinned, &error)),
            Err(_) => Err(not_started("unreachable", format!("{} does not answer ssh", to.name))),
        }
    }

    async fn run(&self, execution: Execution, secrets: &[Secret], masks: Option<&Arc<Masks>>) -> Report {
        let began = Instant::now();
        let nonce = nonce();
        let (argv, variables) = parts(&execution.body);
        let frame = Frame { argv: &argv, variables, secrets, nonce: &nonce };
        let line = match frame.line() {
            Ok(line) => Zeroizing::new(line),
            Err(why) => return Report::not_started("not-sendable", why.to_string(), began.elapsed()),
        };
        let command = exec_line();
        let spoken = self.over_a_channel(&execution, &command, async |channel| {
            failpoint::pass(Point::AskUnsent);
            let report = converse(channel, &line, &nonce, &execution, masks).await;
            failpoint::pass(Point::Asked);
            let broke = matches!(report.ending, Ending::Lost { .. });
            (report, broke)
        });
        spoken.await.unwrap_or_else(|ending| Report {
            ending,
            out: Kept::default(),
            err: Kept::default(),
            took: began.elapsed(),
        })
    }

    /// Opens a session with this command and speaks over it; `speak` says besides whether the connection broke. Where
    /// there is no session, certainly nothing was started.
    pub(super) async fn over_a_channel<T>(
        &self,
        execution: &Execution,
        command: &str,
        speak: impl AsyncFnOnce(Channel) -> (T, bool),
    ) -> Result<T, Ending> {
        let connection = self.connection(&execution.to);
        let busy = || {
            not_started(
                "busy",
                format!("all sessions that the sshd of {} allows are in use", execution.to.name),
            )
        };
        let turn = execution.limit.max(REACH_WITHIN);
        let mut failures = connection.failures();
        let mut permit = connection.permit(turn).await.ok_or_else(busy)?;
        let room = timeout(turn, self.commands.acquire()).await;
        let _room = room.map_err(|_| {
            not_started("busy", "too many commands are at work for the file handles of this process")
        })?;
        let mut last = None;
        // A connection that died while nobody used it is made anew, once: nothing was sent over it.
        let mut lives = 2;
        while lives > 0 {
            let session =
                self.session(&execution.to, execution.keys.as_deref(), &connection, failures).await?;
            match open(&session, command).await {
                Ok(channel) => {
                    let (said, broke) = speak(channel).await;
                    if broke {
                        connection.forget(&session).await;
                    }
                    return Ok(said);
                }
                // All sessions of a connection are ours, so one of them will be free.
                Err(NotOpened::Busy) => {
                    if !connection.allows_less(permit) {
                        return Err(busy());
                    }
                    permit = connection.permit(turn).await.ok_or_else(busy)?;
                }
                Err(NotOpened::Gone(why)) => {
                    lives -= 1;
                    failures = connection.failures();
                    connection.forget(&session).await;
                    last = Some(why);
                }
            }
        }
        let why = format!(
            "the connection to {} broke before anything was sent: {}",
            execution.to.name,
            last.unwrap_or_default()
        );
        Err(not_started("unreachable", why))
    }
}

impl Target for Ssh {
    fn execute(&self, execution: Execution) -> Running<'_> {
        Box::pin(async move {
            let began = Instant::now();
            let secrets = match self.secrets.resolve(&execution.secrets).await {
                Ok(secrets) => secrets,
                Err(why) => return Report::not_started("no-secret", why.to_string(), began.elapsed()),
            };
            let masks = self.secrets.masks();
            let report = match &execution.attempt {
                Some(attempt) => {
                    Guarded::new(self, &execution, attempt, masks.as_ref()).start(&secrets).await
                }
                None => self.run(execution, &secrets, masks.as_ref()).await,
            };
            Report { ending: report.ending.masked(masks.as_ref()), ..report }
        })
    }

    fn settle(&self, mut execution: Execution) -> Running<'_> {
        Box::pin(async move {
            // Only to mask them: the host has them already. What cannot be masked is not shown.
            let resolved = self.secrets.resolve(&execution.secrets).await;
            execution.latest = execution.latest.filter(|_| resolved.is_ok());
            let masks = self.secrets.masks();
            let Some(attempt) = &execution.attempt else {
                let ending = Ending::Lost { why: "the bot ended while it ran".to_owned() };
                return Report { ending, out: Kept::default(), err: Kept::default(), took: Duration::ZERO };
            };
            let mut report = Guarded::new(self, &execution, attempt, masks.as_ref()).settle().await;
            if let Err(why) = resolved {
                report.out = Kept::instead(&format!("(not kept, because it cannot be masked: {why})\n"));
                report.err = Kept::default();
            }
            Report { ending: report.ending.masked(masks.as_ref()), ..report }
        })
    }

    fn know(&self, secrets: Vec<String>) -> Later<'_, ()> {
        Box::pin(async move {
            for name in secrets {
                let _ = self.secrets.resolve(&[name]).await;
            }
        })
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.secrets.shown(name)
    }

    fn hello(&self, to: Destination) -> Later<'_, Result<GuardSeen, Ending>> {
        Box::pin(guarded::hello(self, to))
    }

    fn sweep(&self, to: Destination, left: Leftovers) -> Later<'_, ()> {
        Box::pin(async move { guarded::sweep(self, to, &left).await })
    }

    fn prewarm(&self, to: Destination) -> Later<'_, ()> {
        Box::pin(async move {
            let connection = self.connection(&to);
            let _ = self.session(&to, None, &connection, connection.failures()).await;
        })
    }
}

/// Program and arguments of a command, and its variables.
pub(super) fn parts(body: &ErrandBody) -> (Vec<String>, &BTreeMap<String, String>) {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    match body {
        ErrandBody::Run(argv) => (argv.clone(), &NONE),
        ErrandBody::Script { text, variables } => {
            (vec!["/bin/sh".to_owned(), "-euc".to_owned(), text.clone()], variables)
        }
    }
}

/// In whichever order they stand.
fn same_keys(one: &[String], other: &[String]) -> bool {
    let sorted = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
    sorted(one) == sorted(other)
}

/// 128 random bits as hex.
pub(super) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}
