//! The connection to one host: who may use it at once, and how a session is opened over it.

#![expect(clippy::disallowed_methods, reason = "limits of connections and commands are real time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use openssh::{Session, Stdio};
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Ending;
use super::why_not::chain;

/// Sessions at once on one connection: sshd allows 10, and frees one a little after we saw its end.
const SESSIONS_A_HOST: usize = 6;
/// So many of them are for steps that change something; they may take hours, and probes and stops must get through.
const STEPS_A_HOST: usize = 4;
/// A session that was refused because all are in use is asked for again after these times.
const SESSION_RETRIES: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(300),
    Duration::from_secs(1),
];

/// The connection to one host.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) slot: AsyncMutex<Slot>,
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
pub(super) enum Slot {
    /// Nobody has tried, or the connection is gone.
    #[default]
    Empty,
    /// A connection, and the keys that were pinned when it was made.
    Open(Arc<Session>, Vec<String>),
    /// The attempt failed; those who waited for it take this over.
    Failed(Ending),
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            slot: AsyncMutex::default(),
            failures: AtomicU64::new(0),
            permits: Semaphore::new(SESSIONS_A_HOST),
            turns: Arc::new(Semaphore::new(STEPS_A_HOST)),
            allowed: AtomicUsize::new(SESSIONS_A_HOST),
        }
    }

    /// The attempts to connect that have failed by now. Whoever begins now waits for the next one.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::SeqCst)
    }

    /// One more attempt has failed.
    pub(super) fn failed_once_more(&self) {
        self.failures.fetch_add(1, Ordering::SeqCst);
    }

    /// A session that broke is not used again.
    pub(super) async fn forget(&self, session: &Arc<Session>) {
        let mut slot = self.slot.lock().await;
        if matches!(&*slot, Slot::Open(current, _) if Arc::ptr_eq(current, session)) {
            *slot = Slot::Empty;
        }
    }

    /// The turn of a step that changes something; it is kept until the step is over.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Waits for a session of ours to be free; none if that takes too long.
    pub(super) async fn permit(&self, within: Duration) -> Option<SemaphorePermit<'_>> {
        timeout(within, self.permits.acquire()).await.ok()?.ok()
    }

    /// The sshd allows fewer sessions than we took it for: from now on one less, if any is left then.
    pub(super) fn allows_less(&self, permit: SemaphorePermit<'_>) -> bool {
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

pub(super) type Channel = openssh::Child<Arc<Session>>;

pub(super) enum NotOpened {
    /// The sshd refused one more session; nothing ran.
    Busy,
    /// The connection is gone.
    Gone(String),
}

/// Opens a session for the runner. One that is refused because all are in use is asked for again.
pub(super) async fn open(session: &Arc<Session>, line: &str) -> Result<Channel, NotOpened> {
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
