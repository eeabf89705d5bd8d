//! What moves and what does not: each part of the process is asked, with a limit.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::engine::clock::Clock;

/// A part that says nothing for so long is stuck. The journal may wait five seconds for a program that holds its file.
const ANSWERS_WITHIN: Duration = Duration::from_secs(7);
/// What was found is good for so long: whoever asks more often is told the same.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It moves.
    Ok,
    /// It moves, and somebody should look.
    Attention,
    /// It does not move, and another start of the process would not help.
    Down,
    /// It does not move, and another start of the process may help.
    Stuck,
}

/// What a part says of itself. Nothing secret, and no name of a host or a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub state: State,
    /// Why, and what to do; empty where all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub says: String,
}

impl Finding {
    /// All is well.
    pub const OK: Self = Self { state: State::Ok, says: String::new() };

    /// Something is not.
    pub fn new(state: State, says: impl Into<String>) -> Self {
        Self { state, says: says.into() }
    }
}

/// What was found of all parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of them.
    pub state: State,
    /// Each by its name.
    pub parts: BTreeMap<&'static str, Finding>,
}

impl Report {
    /// The findings as one report.
    pub fn of(parts: BTreeMap<&'static str, Finding>) -> Self {
        let state = parts.values().map(|finding| finding.state).max().unwrap_or(State::Ok);
        Self { state, parts }
    }

    /// Whether everything moves.
    pub fn is_good(&self) -> bool {
        self.state < State::Down
    }
}

type Asked = Pin<Box<dyn Future<Output = Finding> + Send>>;
type Part = Arc<dyn Fn() -> Asked + Send + Sync>;

/// The parts of the process, and how each is asked.
pub struct Health {
    clock: Clock,
    parts: Mutex<BTreeMap<&'static str, Part>>,
    last: tokio::sync::Mutex<Option<(Timestamp, Report)>>,
}

impl Health {
    /// No parts yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, parts: Mutex::default(), last: tokio::sync::Mutex::default() }
    }

    /// Adds a part, or another way to ask it.
    pub fn register<F>(&self, name: &'static str, ask: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Finding> + Send + 'static,
    {
        let part: Part = Arc::new(move || Box::pin(ask()));
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(name, part);
    }

    /// Asks all parts side by side. Those who ask at one time share the answers.
    pub async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &*last
            && self.clock.now().duration_since(*at).unsigned_abs() < GOOD_FOR
        {
            return report.clone();
        }
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut asked = JoinSet::new();
        for (name, part) in parts {
            let late = self.clock.after(ANSWERS_WITHIN);
            asked.spawn(async move {
                tokio::select! {
                    finding = part() => (name, finding),
                    () = late => {
                        let says = format!("it does not answer in {} s", ANSWERS_WITHIN.as_secs());
                        (name, Finding::new(State::Stuck, says))
                    }
                }
            });
        }
        let report = Report::of(asked.join_all().await.into_iter().collect());
        *last = Some((self.clock.now(), report.clone()));
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::moved("2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[tokio::test]
    async fn the_worst_part_says_how_the_process_is_and_a_parked_run_is_no_reason_to_end_it() {
        let health = Health::new(clock());
        health.register("journal", || async { Finding::OK });
        assert_eq!(health.report().await.state, State::Ok);

        health.register("runs", || async { Finding::new(State::Attention, "1 run is parked") });
        health.clock.advance(GOOD_FOR);
        let report = health.report().await;
        assert!(report.is_good() && report.state == State::Attention);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"state":"attention","parts":{"journal":{"state":"ok"},"runs":{"state":"attention","says":"1 run is parked"}}}"#
        );

        health.register("gateway", || async { Finding::new(State::Down, "it is gone") });
        assert!(health.report().await.is_good(), "what was found a moment ago is told again");
        health.clock.advance(GOOD_FOR);
        assert!(!health.report().await.is_good());
    }

    #[tokio::test]
    async fn a_part_that_says_nothing_is_stuck_and_holds_nobody_up() {
        let health = Arc::new(Health::new(clock()));
        health.register("journal", std::future::pending);
        health.register("runs", || async { Finding::OK });

        let asked = tokio::spawn({
            let health = health.clone();
            async move { health.report().await }
        });
        while health.clock.next_awaited().is_none() {
            tokio::task::yield_now().await;
        }
        health.clock.advance(ANSWERS_WITHIN);
        let report = asked.await.unwrap();

        assert_eq!(report.parts["journal"], Finding::new(State::Stuck, "it does not answer in 7 s"));
        assert_eq!(report.parts["runs"], Finding::OK);
    }
}
