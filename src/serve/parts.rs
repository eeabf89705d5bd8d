//! The parts that every service has, and how each is asked: the journal, the runs, those who follow, the runbooks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::health::{Finding, Health, Report, State};
use super::{Service, Stage};
use crate::engine::{self, Engine};
use crate::journal::{AppendError, Journal};
use crate::library::NotLoaded;

/// A run that is carried answers within this time.
const RUN_ANSWERS_WITHIN: Duration = Duration::from_secs(4);

/// Whether the journal takes what happens: its writer is asked, and its disk.
pub(super) fn register_journal(health: &Health, journal: &Journal) {
    let journal = journal.clone();
    health.register("journal", move || {
        let journal = journal.clone();
        async move {
            match journal.probe().await {
                Ok(()) => Finding::OK,
                Err(AppendError::Fatal { why }) => Finding::new(State::Stuck, why),
                Err(error) => {
                    let next = "Nothing new begins. Next: make room, or look at the disk";
                    Finding::new(State::Down, format!("{error}. {next}"))
                }
            }
        }
    });
}

/// Whether every open run is carried, and whether those who follow keep up.
pub(super) fn register_engine(health: &Health, engine: &Engine) {
    let runs = engine.clone();
    health.register("runs", move || {
        let engine = runs.clone();
        async move {
            if !engine.is_sound() {
                return Finding::new(State::Stuck, "the journal cannot be relied on any more");
            }
            let silent = engine.silent(RUN_ANSWERS_WITHIN).await;
            if silent > 0 {
                return Finding::new(State::Stuck, format!("{silent} of the open runs do not move"));
            }
            match engine.standing().parked {
                0 => Finding::OK,
                parked => {
                    let says = format!("{parked} of the open runs are parked. Next: status");
                    Finding::new(State::Attention, says)
                }
            }
        }
    });
    let engine = engine.clone();
    health.register("followers", move || {
        let behind = engine.behind();
        async move {
            if behind < engine::FOLLOW_CAPACITY / 2 {
                return Finding::OK;
            }
            let says = format!("somebody who follows is {behind} events behind; the journal has all of them");
            Finding::new(State::Attention, says)
        }
    });
}

/// Whether requests can be taken.
pub(super) async fn readiness(service: &Service) -> Report {
    let stage = match service.stage() {
        Stage::Ready => Finding::OK,
        Stage::Starting => Finding::new(State::Down, "open runs are being read"),
        Stage::Ending => Finding::new(State::Down, "the process ends"),
    };
    let library = service.library.clone();
    let runbooks = tokio::task::spawn_blocking(move || match library.load() {
        Ok(snapshot) if snapshot.set.policy.is_ok() => Finding::OK,
        Ok(_) => {
            let says = "the policy has problems, so nobody may do anything. Next: steadyhand check";
            Finding::new(State::Attention, says)
        }
        Err(NotLoaded::Problems(report)) => {
            let says = format!("{} problems. Next: steadyhand check", report.problems.len());
            Finding::new(State::Down, says)
        }
        Err(NotLoaded::Unreadable(_)) => {
            Finding::new(State::Down, "the folder cannot be read. Next: steadyhand check")
        }
    });
    let gone = Finding::new(State::Stuck, "a fault in the bot itself");
    let runbooks = runbooks.await.unwrap_or(gone.clone());
    let journal = service.health.report().await.parts.remove("journal").unwrap_or(gone);
    Report::of(BTreeMap::from([("process", stage), ("runbooks", runbooks), ("journal", journal)]))
}
