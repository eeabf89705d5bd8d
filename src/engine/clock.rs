//! The time, and waiting for it. Tests move it; nobody sleeps for it.

#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The clock of the machine.
    System,
    /// A clock that a test moves.
    Moved(Arc<watch::Sender<Timestamp>>),
}

/// A future that a clock ends.
pub type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Clock {
    /// A clock that stands at this moment until it is moved.
    pub fn moved(now: Timestamp) -> Self {
        Self::Moved(Arc::new(watch::Sender::new(now)))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Moved(time) => *time.borrow(),
        }
    }

    /// Moves a clock of a test forward.
    pub fn advance(&self, by: Duration) {
        if let Self::Moved(time) = self {
            time.send_modify(|now| {
                *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
            });
        }
    }

    /// Ends when this moment has come.
    pub fn until(&self, moment: Timestamp) -> Waiting {
        match self {
            Self::System => {
                let wait = Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default();
                Box::pin(tokio::time::sleep(wait))
            }
            Self::Moved(time) => {
                let mut time = time.subscribe();
                Box::pin(async move {
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
