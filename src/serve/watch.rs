//! The watch over notices: somebody outside is called again and again, and cries out when that ends. It is called only
//! after it was seen that everybody who must be told is being told: a timer that goes on while nothing is sent would be
//! the false comfort itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::engine::Engine;
use crate::engine::clock::Clock;
use crate::engine::incidents::NotifyFile;
use crate::incident::paths::Seen;
use crate::notify;

/// How often it is looked when nobody outside is named.
const LOOK_EVERY: Duration = Duration::from_mins(2);

/// So long may a start need for what came due, and for what was written and not heard, while no bot was there.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// How often it is looked meanwhile.
const SETTLES_EVERY: Duration = Duration::from_millis(100);

/// Whether somebody outside hears us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// They heard us the last time.
    Heard,
    /// Nobody is named.
    NotNamed,
    /// They are not called, since something is late: they cry out soon.
    Withheld,
    /// They did not hear us: why, and what to do next.
    Deaf(String),
}

/// What the watch found last. Cheap to clone.
#[derive(Clone)]
pub struct Watch {
    engine: Engine,
    outside: Arc<notify::Outside>,
    clock: Clock,
    found: Arc<Mutex<Outside>>,
    /// How `notify.yaml` was when that was said last.
    said: Arc<Mutex<NotifyFile>>,
}

impl Watch {
    /// A watch that has not looked yet.
    pub fn new(engine: Engine, outside: Arc<notify::Outside>, clock: Clock) -> Self {
        let said = Arc::new(Mutex::new(NotifyFile::Usable));
        Self { engine, outside, clock, found: Arc::new(Mutex::new(Outside::NotNamed)), said }
    }

    /// What should have been done by now and was not.
    pub fn late(&self) -> Vec<String> {
        self.engine.incidents().audit(self.now())
    }

    /// Whether somebody outside heard us the last time.
    pub fn outside(&self) -> Outside {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How `notify.yaml` is at this moment.
    pub fn notify_file(&self) -> NotifyFile {
        self.engine.incidents().notify_file()
    }

    /// How the paths are; none where nobody can know.
    pub fn paths(&self) -> Vec<Seen> {
        self.engine.incidents().paths().unwrap_or_default()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks, and calls, until the process ends.
    pub async fn watch(self) {
        self.settles().await;
        loop {
            let wait = self.look().await;
            self.clock.after(wait).await;
        }
    }

    /// Waits until what a start finds undone is done: all of it would be late otherwise, and nobody outside called before
    /// the next look.
    async fn settles(&self) {
        let until = self.now().checked_add(SETTLES_WITHIN).unwrap_or(Timestamp::MAX);
        while self.now() < until && !self.late().is_empty() {
            self.clock.after(SETTLES_EVERY).await;
        }
    }

    /// Says how `notify.yaml` is, once for each change of it.
    fn say_of_file(&self) {
        let file = self.notify_file();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == file {
            return;
        }
        match &file {
            NotifyFile::Usable => tracing::info!("notify.yaml can be used"),
            NotifyFile::Missing => {
                tracing::warn!("there is no notify.yaml: nobody is called for incidents. Next: write one");
            }
            NotifyFile::Old(why) => {
                tracing::warn!("{why}; what was read before goes on. Next: steadyhand check");
            }
            NotifyFile::Unusable(why) => tracing::error!(
                "{why}, and none was read before: nobody is called for incidents. Next: steadyhand check"
            ),
        }
        *said = file;
    }

    /// Looks once. How long until the next time.
    async fn look(&self) -> Duration {
        self.say_of_file();
        // A slip in the folder is no reason to be silent.
        let snapshot = self.engine.incidents().files_in_use().ok();
        let notify = snapshot.as_ref().and_then(|snapshot| snapshot.set.notify.as_ref().ok());
        let watcher = notify.and_then(|notify| notify.watcher.as_ref());
        let every =
            watcher.and_then(|watcher| u64::try_from(watcher.every.0).ok()).map(Duration::from_millis);
        let late = self.late();
        for late in &late {
            tracing::warn!("late: {late}");
        }
        let found = match watcher {
            None => Outside::NotNamed,
            Some(_) if !late.is_empty() => Outside::Withheld,
            Some(watcher) => match self.outside.call(&watcher.url).await {
                Ok(()) => Outside::Heard,
                Err(why) => {
                    tracing::warn!("the watcher outside did not hear us, and will cry out: {why}");
                    Outside::Deaf(why)
                }
            },
        };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
        every.unwrap_or(LOOK_EVERY)
    }
}
