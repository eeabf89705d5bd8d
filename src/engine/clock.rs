//! The time, and waiting for it. Tests move it; nobody sleeps for it.

#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The clock of the machine.
    System,
    /// A clock that a test moves.
    Moved(Arc<Moved>),
}

/// A time that stands still until it is moved, and who waits for which moment of it.
#[derive(Debug)]
pub struct Moved {
    time: watch::Sender<Timestamp>,
    /// How many wait for each moment.
    awaited: Mutex<BTreeMap<Timestamp, usize>>,
}

/// One who waits. It is forgotten when the waiting ends, or is given up.
struct Waiter {
    moved: Arc<Moved>,
    moment: Timestamp,
}

impl Waiter {
    fn new(moved: &Arc<Moved>, moment: Timestamp) -> Self {
        *moved.awaited().entry(moment).or_default() += 1;
        Self { moved: moved.clone(), moment }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut awaited = self.moved.awaited();
        if let Some(waiters) = awaited.get_mut(&self.moment) {
            *waiters -= 1;
            if *waiters == 0 {
                awaited.remove(&self.moment);
            }
        }
    }
}

impl Moved {
    fn awaited(&self) -> std::sync::MutexGuard<'_, BTreeMap<Timestamp, usize>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that a clock ends.
pub type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Clock {
    /// A clock that stands at this moment until it is moved.
    pub fn moved(now: Timestamp) -> Self {
        Self::Moved(Arc::new(Moved { time: watch::Sender::new(now), awaited: Mutex::default() }))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Moved(moved) => *moved.time.borrow(),
        }
    }

    /// Moves a clock of a test forward.
    pub fn advance(&self, by: Duration) {
        if let Self::Moved(moved) = self {
            moved.time.send_modify(|now| {
                *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
            });
        }
    }

    /// The next moment that somebody waits for on a clock of a test: when nothing else goes on, a test moves there.
    pub fn next_awaited(&self) -> Option<Timestamp> {
        match self {
            Self::System => None,
            Self::Moved(moved) => moved.awaited().keys().next().copied(),
        }
    }

    /// Ends when this moment has come.
    pub fn until(&self, moment: Timestamp) -> Waiting {
        match self {
            Self::System => {
                let wait = Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default();
                Box::pin(tokio::time::sleep(wait))
            }
            Self::Moved(moved) => {
                let mut time = moved.time.subscribe();
                let waiter = Waiter::new(moved, moment);
                Box::pin(async move {
                    let _waiter = waiter;
                    // The sender lives as long as the clock; without it no time comes any more.
                    if time.wait_for(|now| *now >= moment).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                })
            }
        }
    }

    /// Ends after this time.
    pub fn after(&self, wait: Duration) -> Waiting {
        self.until(self.now().checked_add(wait).unwrap_or(Timestamp::MAX))
    }
}
