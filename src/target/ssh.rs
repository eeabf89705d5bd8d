//! Executes over OpenSSH: one multiplexed connection a host, our own configuration, pinned host keys.
//!
//! Nothing of the user's own ssh configuration is read, no key is ever learnt, nothing is forwarded. What the runner
//! says counts; exit codes of ssh do not, because 255 has three meanings.

#![expect(
    clippy::disallowed_methods,
    reason = "limits of connections and commands are real time, and nonces are random"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;

use super::capture::{Capture, Kept, Said};
use super::frame::{Frame, exec_line};
use super::guarded::{self, Guarded};
use super::known_hosts::KnownKeys;
use super::room::commands_at_once;
use super::{Control, Destination, Ending, Execution, Later, Latest, Leftovers, Report, Running, Target};
use crate::failpoint::{self, Point};
use crate::plan::measure::ErrandBody;
use crate::plan::model::GuardSeen;
use crate::secrets::mask::Masks;
use crate::secrets::{Secret, Secrets};

/// Sessions at once on one connection: sshd allows 10, and frees one a little after we saw its end.
const SESSIONS_A_HOST: usize = 6;
/// So many of them are for steps that change something; they may take hours, and probes and stops must get through.
const STEPS_A_HOST: usize = 4;
/// So many connections are made at once; a few silent hosts among them hold nobody up.
const CONNECTING: usize = 48;
/// A connection is made within this time, or the host is unreachable.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Everything around connecting, resolving included.
const REACH_WITHIN: Duration = Duration::from_secs(8);
/// After a stop, the runner has this long to say what became of the processes: it waits 2 s before it kills, and 1 s
/// behind that.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// After one stream has said the end, the other one has this long to say it too.
const OTHER_STREAM_WITHIN: Duration = Duration::from_millis(500);
/// A session that was refused because all are in use is asked for again after these times.
const SESSION_RETRIES: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(300),
    Duration::from_secs(1),
];
/// So many of the last lines are shown while a command runs.
const SHOWN_LINES: usize = 2;
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
    /// Control sockets and configuration; ours alone, and gone with us or when we close.
    folder: Mutex<Option<tempfile::TempDir>>,
    /// As long as we live, nobody else takes the folder for forsaken.
    _lock: std::fs::File,
    place: PathBuf,
    config: PathBuf,
    links: Mutex<BTreeMap<Destination, Arc<Link>>>,
    /// Connections that may be in the making at once: each takes two processes and some time of a processor.
    connecting: Semaphore,
    /// Commands at once, all hosts together: as many as there are file handles for.
    commands: Semaphore,
}

/// The connection to one host.
#[derive(Debug)]
struct Link {
    slot: AsyncMutex<Slot>,
    /// How many attempts to connect have failed.
    failures: AtomicU64,
    permits: Semaphore,
    /// Turns of steps that change something.
    turns: Arc<Semaphore>,
    /// How many permits there are: fewer once the sshd has refused a session.
    allowed: AtomicUsize,
}

/// What the last attempt to connect led to.
#[derive(Debug, Default)]
enum Slot {
    /// Nobody has tried, or the connection is gone.
    #[default]
    Empty,
    /// A connection, and the keys that were pinned when it was made.
    Open(Arc<Session>, Vec<String>),
    /// The attempt failed; those who waited for it take this over.
    Failed(Ending),
}

impl Link {
    fn new() -> Self {
        Self {
            slot: AsyncMutex::default(),
            failures: AtomicU64::new(0),
            permits: Semaphore::new(SESSIONS_A_HOST),
            turns: Arc::new(Semaphore::new(STEPS_A_HOST)),
            allowed: AtomicUsize::new(SESSIONS_A_HOST),
        }
    }

    /// The attempts to connect that have failed by now. Whoever begins now waits for the next one.
    fn failures(&self) -> u64 {
        self.failures.load(Ordering::SeqCst)
    }

    /// Waits for a session of ours to be free; none if that takes too long.
    async fn permit(&self, within: Duration) -> Option<SemaphorePermit<'_>> {
        timeout(within, self.permits.acquire()).await.ok()?.ok()
    }

    /// The sshd allows fewer sessions than we took it for: from now on one less, if any is left then.
    fn allows_less(&self, permit: SemaphorePermit<'_>) -> bool {
        let less = |allowed: usize| (allowed > 1).then(|| allowed - 1);
        let learnt = self.allowed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if learnt {
            permit.forget();
            // A step waits as long as it must, so it can have one turn less; the last one stays.
            if self.turns.available_permits() > 1
                && let Ok(turn) = self.turns.try_acquire()
            {
                turn.forget();
            }
        }
        learnt
    }
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The folder for control sockets cannot be made.
    #[error("the folder for ssh's control sockets cannot be made: {0}. Next: look at TMPDIR")]
    Folder(#[from] std::io::Error),
}

/// How our folders begin; six letters follow.
const FOLDER: &str = "steadyhand-";
/// The file in a folder that its owner has locked.
const LOCK: &str = "owner.lock";

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

impl Ssh {
    /// Prepares a folder of its own, 0700, for sockets and configuration.
    pub fn new(settings: SshSettings) -> Result<Self, SshError> {
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
        let place = folder.path().to_owned();
        Ok(Self {
            settings,
            secrets: Secrets::default(),
            folder: Mutex::new(Some(folder)),
            _lock: locked,
            place,
            config,
            links: Mutex::default(),
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
        &self.place
    }

    /// How many connections are open: each has a socket of its own.
    pub fn connections(&self) -> usize {
        let folders = std::fs::read_dir(&self.place).into_iter().flatten().flatten();
        folders.filter(|folder| folder.path().join("master").exists()).count()
    }

    /// The turn of a step that changes something on this host; it is kept until the step is over.
    pub(super) async fn turn_of_a_step(&self, to: &Destination) -> Option<OwnedSemaphorePermit> {
        self.link(to).turns.clone().acquire_owned().await.ok()
    }

    /// Closes every connection, and removes the folder. What runs on hosts is left alone.
    pub async fn close(&self) {
        let links = std::mem::take(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner));
        for link in links.into_values() {
            let slot = std::mem::take(&mut *link.slot.lock().await);
            if let Slot::Open(session, _) = slot
                && let Some(session) = Arc::into_inner(session)
            {
                let _ = timeout(CONNECT_WITHIN, session.close()).await;
            }
        }
        // Somebody may still hold us when the process ends, and would never drop it.
        drop(self.folder.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn link(&self, to: &Destination) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.entry(to.clone()).or_insert_with(|| Arc::new(Link::new())).clone()
    }

    /// The connection to a host, made if there is none. Many may wait for one attempt; if it fails, it fails for all of
    /// them: `failures` is how many had failed when this one began to wait.
    async fn session(
        &self,
        to: &Destination,
        keys: Option<&[String]>,
        link: &Link,
        failures: u64,
    ) -> Result<Arc<Session>, Ending> {
        let mut slot = link.slot.lock().await;
        let pinned = self.pinned(to, keys)?;
        match &*slot {
            // A connection whose key is not pinned any more is not used any more.
            Slot::Open(session, made_with) if *made_with == pinned => return Ok(session.clone()),
            Slot::Failed(ending) if link.failures() > failures => return Err(ending.clone()),
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
                link.failures.fetch_add(1, Ordering::SeqCst);
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
            .control_directory(&self.place)
            .control_persist(ControlPersist::IdleFor(PERSIST_SECONDS.try_into().expect("not zero")))
            .config_file(&self.config)
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

    /// A connection that broke is not used again.
    async fn forget(&self, link: &Link, session: &Arc<Session>) {
        let mut slot = link.slot.lock().await;
        if matches!(&*slot, Slot::Open(current, _) if Arc::ptr_eq(current, session)) {
            *slot = Slot::Empty;
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
        let link = self.link(&execution.to);
        let busy = || {
            not_started(
                "busy",
                format!("all sessions that the sshd of {} allows are in use", execution.to.name),
            )
        };
        let turn = execution.limit.max(REACH_WITHIN);
        let mut failures = link.failures();
        let mut permit = link.permit(turn).await.ok_or_else(busy)?;
        let room = timeout(turn, self.commands.acquire()).await;
        let _room = room.map_err(|_| {
            not_started("busy", "too many commands are at work for the file handles of this process")
        })?;
        let mut last = None;
        // A connection that died while nobody used it is made anew, once: nothing was sent over it.
        let mut lives = 2;
        while lives > 0 {
            let session = self.session(&execution.to, execution.keys.as_deref(), &link, failures).await?;
            match open(&session, command).await {
                Ok(channel) => {
                    let (said, broke) = speak(channel).await;
                    if broke {
                        self.forget(&link, &session).await;
                    }
                    return Ok(said);
                }
                // All sessions of a connection are ours, so one of them will be free.
                Err(NotOpened::Busy) => {
                    if !link.allows_less(permit) {
                        return Err(busy());
                    }
                    permit = link.permit(turn).await.ok_or_else(busy)?;
                }
                Err(NotOpened::Gone(why)) => {
                    lives -= 1;
                    failures = link.failures();
                    self.forget(&link, &session).await;
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
            let link = self.link(&to);
            let _ = self.session(&to, None, &link, link.failures()).await;
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

pub(super) fn not_started(code: &'static str, why: impl Into<String>) -> Ending {
    Ending::NotStarted { code, why: why.into() }
}

/// Secrets are not put anywhere else.
pub(super) fn no_place_for_secrets() -> Ending {
    let why =
        "its secrets cannot be put on the host: neither /dev/shm nor the home of the login user takes a file";
    not_started("secret-place", why)
}

/// In whichever order they stand.
fn same_keys(one: &[String], other: &[String]) -> bool {
    let sorted = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
    sorted(one) == sorted(other)
}

pub(super) type Channel = openssh::Child<Arc<Session>>;

enum NotOpened {
    /// The sshd refused one more session; nothing ran.
    Busy,
    /// The connection is gone.
    Gone(String),
}

/// Opens a session for the runner. One that is refused because all are in use is asked for again.
async fn open(session: &Arc<Session>, line: &str) -> Result<Channel, NotOpened> {
    let mut waits = SESSION_RETRIES.iter();
    loop {
        let mut command = session.clone().arc_raw_command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let error = match command.spawn().await {
            Ok(child) => return Ok(child),
            Err(error) => error,
        };
        let text = chain(&error);
        if !text.contains("open refused") {
            return Err(NotOpened::Gone(text));
        }
        match waits.next() {
            Some(wait) => tokio::time::sleep(*wait).await,
            None => return Err(NotOpened::Busy),
        }
    }
}

/// Sends the frame, and listens until the runner has said the end on both streams, the limit is over, or the link is.
async fn converse(
    mut channel: Channel,
    line: &str,
    nonce: &str,
    execution: &Execution,
    masks: Option<&Arc<Masks>>,
) -> Report {
    let began = Instant::now();
    let (mut out, mut err) = (Capture::new(nonce, masks), Capture::new(nonce, masks));
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (channel.stdin().take(), channel.stdout().take(), channel.stderr().take())
    else {
        return Report::not_started("unreachable", "ssh gave no streams", began.elapsed());
    };
    let mut talk = Talk::default();
    let mut wrote = Ok(());
    if let Err(error) = stdin.write_all(line.as_bytes()).await {
        wrote = Err(error);
    }
    failpoint::pass(Point::AskSent);
    let (mut out_block, mut err_block) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let limit = tokio::time::sleep(execution.limit);
    tokio::pin!(limit);
    let mut give_up: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
    let mut control = execution.control.clone();
    while !talk.is_over() {
        tokio::select! {
            read = stdout.read(&mut out_block), if !talk.out.closed => match read {
                Ok(0) | Err(_) => talk.out.closed = true,
                Ok(n) => {
                    talk.hear(out.take(&out_block[..n]), |talk| &mut talk.out);
                    show(execution, &out);
                }
            },
            read = stderr.read(&mut err_block), if !talk.err.closed => match read {
                Ok(0) | Err(_) => talk.err.closed = true,
                Ok(n) => {
                    talk.hear(err.take(&err_block[..n]), |talk| &mut talk.err);
                    show(execution, &err);
                }
            },
            () = &mut limit, if talk.stopped.is_none() => {
                talk.stopped = Some(true);
                let _ = stdin.write_all(b"stop\n").await;
                give_up = Some(Box::pin(tokio::time::sleep(STOP_WITHIN)));
            }
            wanted = wanted(&mut control), if talk.stopped.is_none() => {
                let word: &[u8] = match wanted {
                    Control::Run => b"resume\n",
                    Control::Pause => b"pause\n",
                    Control::Stop => b"stop\n",
                };
                let _ = stdin.write_all(word).await;
                if wanted == Control::Stop {
                    talk.stopped = Some(false);
                    give_up = Some(Box::pin(tokio::time::sleep(STOP_WITHIN)));
                }
            }
            () = async { if let Some(timer) = give_up.as_mut() { timer.await } }, if give_up.is_some() => {
                talk.gave_up = true;
            }
        }
        if talk.said_once() && give_up.is_none() {
            give_up = Some(Box::pin(tokio::time::sleep(OTHER_STREAM_WITHIN)));
        }
    }
    drop(stdin);
    let ending = ending(&talk, channel, wrote.err(), &out, &err).await;
    Report { ending, out: out.finish(), err: err.finish(), took: began.elapsed() }
}

/// Shows the last lines of a stream to those who look.
fn show(execution: &Execution, stream: &Capture) {
    if let Some(Latest(show)) = &execution.latest {
        show(stream.last_lines(SHOWN_LINES));
    }
}

/// The next thing that is wanted of the processes; never, if nobody can want anything any more.
pub(super) async fn wanted(control: &mut Option<watch::Receiver<Control>>) -> Control {
    if let Some(receiver) = control {
        // A wish that came before we listened is one too.
        let first = receiver.has_changed().is_ok_and(|changed| changed);
        if first || receiver.changed().await.is_ok() {
            return *receiver.borrow_and_update();
        }
    }
    *control = None;
    std::future::pending().await
}

/// How far one stream is.
#[derive(Debug, Default)]
struct Stream {
    /// How the command ended, once the runner has said it here.
    end: Option<End>,
    closed: bool,
}

/// How a command ended, and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By itself.
    Itself(i32),
    /// By us, and nobody of its process group is left.
    ByUs(i32),
    /// We tried, and somebody may be left.
    Left,
}

/// What was heard so far.
#[derive(Debug, Default)]
struct Talk {
    started: bool,
    refused: Option<String>,
    out: Stream,
    err: Stream,
    /// Stop was sent: because of the limit, or because somebody said so.
    stopped: Option<bool>,
    gave_up: bool,
}

impl Talk {
    fn hear(&mut self, said: Vec<Said>, on: impl Fn(&mut Self) -> &mut Stream) {
        for said in said {
            match said {
                Said::Started => self.started = true,
                Said::Refused(why) => self.refused = Some(why),
                Said::Exit(status) => on(self).end = Some(End::Itself(status)),
                Said::Ended(status) => on(self).end = Some(End::ByUs(status)),
                Said::Left(_) => on(self).end = Some(End::Left),
            }
        }
    }

    fn end(&self) -> Option<End> {
        self.err.end.or(self.out.end)
    }

    fn said_once(&self) -> bool {
        self.end().is_some() || self.refused.is_some()
    }

    /// Nothing more is worth waiting for.
    fn is_over(&self) -> bool {
        let both = (self.out.end.is_some() || self.out.closed) && (self.err.end.is_some() || self.err.closed);
        (both && self.said_once())
            || self.refused.is_some()
            || (self.out.closed && self.err.closed)
            || self.gave_up
    }
}

async fn ending(
    talk: &Talk,
    channel: Channel,
    wrote: Option<std::io::Error>,
    out: &Capture,
    err: &Capture,
) -> Ending {
    match (&talk.refused, talk.end()) {
        (Some(why), _) if why == "no-command" => return Ending::NoCommand,
        (Some(why), _) if why == "secret-place" => return no_place_for_secrets(),
        (Some(why), _) => {
            let why = format!("the folder .steadyhand in the home of the login user cannot be used ({why})");
            return not_started("state-dir", why);
        }
        (None, Some(End::Itself(status))) => return Ending::Exited(status),
        (None, Some(End::ByUs(status))) => {
            return Ending::Ended { by_limit: talk.stopped.unwrap_or_default(), status, escaped: Vec::new() };
        }
        (None, Some(End::Left)) => {
            return Ending::Lost { why: "processes of it may still run: they could not be ended".to_owned() };
        }
        (None, None) => {}
    }
    if talk.started || talk.stopped.is_some() {
        let why = if talk.stopped.is_some() {
            "the host did not say that its processes ended".to_owned()
        } else {
            "the connection broke".to_owned()
        };
        return Ending::Lost { why };
    }
    // The runner never spoke. If ssh says that the login shell ended by itself, it never ran.
    match timeout(STOP_WITHIN, channel.wait()).await {
        Ok(Ok(status)) => {
            let noise = [err.noise(), out.noise()].join(" ");
            let noise: String = noise.trim().chars().take(200).collect();
            let why = format!("the login shell ended with {status} before the runner began: {noise}");
            not_started("login-refused", why)
        }
        Ok(Err(openssh::Error::Remote(_))) => {
            not_started("login-refused", "the login shell cannot run `exec env -i … /bin/sh`")
        }
        Ok(Err(error)) => Ending::Lost { why: format!("the connection broke: {}", chain(&error)) },
        Err(_) => match wrote {
            Some(error) => Ending::Lost { why: format!("the command could not be sent whole: {error}") },
            None => Ending::Lost { why: "the connection broke".to_owned() },
        },
    }
}

/// Why there is no connection. OpenSSH says it in words only.
fn why_not_connected(to: &Destination, pinned: &[String], error: &openssh::Error) -> Ending {
    let text = chain(error);
    let name = &to.name;
    if text.contains("IDENTIFICATION HAS CHANGED") || text.contains("Host key verification failed") {
        let shown = text
            .split_whitespace()
            .find(|word| word.starts_with("SHA256:"))
            .map(|word| word.trim_end_matches('.'));
        let shown = shown.map_or_else(|| "another one".to_owned(), str::to_owned);
        let why = format!(
            "{name} shows the host key {shown}, and {} is pinned: find out why before anybody changes that",
            pinned.join(" or ")
        );
        return not_started("host-key-changed", why);
    }
    if text.contains("Permission denied") {
        return not_started(
            "login-refused",
            format!("{name} does not let {} in: {}", to.user, first_line(&text)),
        );
    }
    let why = if text.contains("Connection refused") {
        format!("{name} refuses connections on port {}", to.port)
    } else if text.contains("timed out") {
        format!("{name} does not answer ssh in {} s", CONNECT_WITHIN.as_secs())
    } else {
        format!("{name} cannot be reached by ssh: {}", first_line(&text))
    };
    not_started("unreachable", why)
}

fn first_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('@'))
        .unwrap_or("no reason given")
        .to_owned()
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// 128 random bits as hex.
pub(super) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
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
