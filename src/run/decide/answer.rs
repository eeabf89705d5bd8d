//! What people answer while a run works. Each answer is for one step on one host.

use super::{Decided, MIN_REASON, standing};
use crate::plan::model::{Block, Work};
use crate::run::event::Event;
use crate::run::input::Refusal;
use crate::run::model::{AskedAfter, Failure, Outcome, Phase, Run, UndoStep, UnitAt, UnitState};
use crate::runbook::source::name::Person;

/// No step begins any more. Before the start it simply ends the run.
pub(super) fn stop(run: &Run, now: bool) -> Decided {
    match run.phase {
        Phase::Measuring | Phase::Confirming | Phase::Approving | Phase::Ready => {
            let ended = Event::Ended { outcome: Outcome::Stopped, remarks: Vec::new() };
            Decided::events([Event::StopAsked { now }, ended])
        }
        _ if run.stop.as_ref().is_some_and(|stop| stop.now || !now) => {
            let because = "it was stopped already, and what runs is ending".to_owned();
            Decided::refused(Refusal::NotNow { what: "stopped", because })
        }
        // An undo that waits for its token is simply not done. A run that had ended before has nothing to stop.
        Phase::Undoing => match run.undo.as_ref().filter(|undo| undo.token.is_some()) {
            Some(undo) if matches!(undo.before, Phase::Ended(_)) => Decided::events([Event::UndoExpired]),
            Some(_) => Decided::events([Event::UndoExpired, Event::StopAsked { now }]),
            None => Decided::events([Event::StopAsked { now }]),
        },
        _ => Decided::events([Event::StopAsked { now }]),
    }
}

pub(super) fn pause(run: &Run) -> Decided {
    let because = match (run.phase, &run.pause) {
        (Phase::Working, None) if run.stop.is_none() => return Decided::events([Event::Paused]),
        (Phase::Working, Some(_)) => "it is paused already".to_owned(),
        _ => standing(run),
    };
    Decided::refused(Refusal::NotNow { what: "paused", because })
}

/// A run that nobody can stop where it was shown begins nothing new, until somebody resumes it.
pub(super) fn place_lost(run: &Run, why: &str) -> Decided {
    let goes_on = matches!(run.phase, Phase::Ready | Phase::Working) && run.stop.is_none();
    if !goes_on || run.pause.is_some() {
        return Decided::nothing();
    }
    Decided::events([Event::PlaceLost { why: why.to_owned() }])
}

pub(super) fn resume(run: &Run) -> Decided {
    if run.pause.is_some() {
        return Decided::events([Event::Resumed]);
    }
    let because = format!("it is not paused; {}", standing(run));
    Decided::refused(Refusal::NotNow { what: "resumed", because })
}

/// Whether an answer is for an attempt that is over, while another one is asked about.
pub(super) fn stale(run: &Run, unit: &UnitAt, attempt: AskedAfter) -> Option<Refusal> {
    let now = run.asked_about(unit)?;
    (attempt != now).then(|| Refusal::Stale { unit: unit.clone(), attempt, now })
}

/// A new attempt, which this answer approves; a gate waits as long again.
pub(super) fn retry(run: &Run, unit: &UnitAt) -> Decided {
    if let (Phase::Undoing, Some(undo)) = (run.phase, &run.undo) {
        let first = undo.list.first() == Some(unit);
        return match undo.step {
            UndoStep::Failed { unknown: false, .. } if first => Decided::events([Event::UndoRetried]),
            UndoStep::Failed { unknown: true, .. } if first => {
                let because = "its outcome is unknown: settle it first".to_owned();
                Decided::refused(Refusal::NotAsked { unit: unit.clone(), what: "retried", because })
            }
            _ => not_asked(run, unit, "retried"),
        };
    }
    match run.units.get(unit) {
        Some(UnitState::Shut { .. } | UnitState::Failed { .. } | UnitState::Overdue { .. })
            if run.phase == Phase::Working && run.stop.is_none() =>
        {
            Decided::events([Event::Retried { unit: unit.clone() }])
        }
        Some(UnitState::Unknown { .. }) => {
            let because = "its outcome is unknown: settle it first".to_owned();
            Decided::refused(Refusal::NotAsked { unit: unit.clone(), what: "retried", because })
        }
        _ => not_asked(run, unit, "retried"),
    }
}

/// Goes on without this host, where the batch allows it.
pub(super) fn skip(run: &Run, unit: &UnitAt, why: &str) -> Decided {
    if why.trim().chars().count() < MIN_REASON {
        return Decided::refused(Refusal::TooShort { what: "why", needs: MIN_REASON });
    }
    let asked = run.units.get(unit).is_some_and(UnitState::needs_person);
    let Some(block @ Block::Each(each)) = run.block_of(unit) else {
        let because = "only a host of an `each` can be skipped".to_owned();
        return Decided::refused(Refusal::NotAsked { unit: unit.clone(), what: "skipped", because });
    };
    if !asked || run.phase != Phase::Working {
        return not_asked(run, unit, "skipped");
    }
    if run.failed_lanes(block) >= each.failures {
        return Decided::refused(Refusal::TooManyFailures { allowed: each.failures });
    }
    Decided::events([Event::Skipped { unit: unit.clone(), why: why.to_owned() }])
}

/// The bot asks once more what is known of a step whose outcome is unknown or not proven. Nothing is sent.
pub(super) fn ask(run: &Run, unit: &UnitAt) -> Decided {
    match run.units.get(unit) {
        Some(UnitState::Unknown { .. } | UnitState::Failed { failure: Failure::NotProven(_), .. })
            if run.phase == Phase::Working && run.stop.is_none() =>
        {
            Decided::events([Event::AskedAgain { unit: unit.clone() }])
        }
        _ => not_asked(run, unit, "asked"),
    }
}

/// A person says how an unknown outcome ended, and how they know.
pub(super) fn settle(run: &Run, unit: &UnitAt, done: bool, how: &str) -> Decided {
    if how.trim().chars().count() < MIN_REASON {
        return Decided::refused(Refusal::TooShort { what: "how you know", needs: MIN_REASON });
    }
    let undo_unknown = run.undo.as_ref().is_some_and(|undo| {
        undo.list.first() == Some(unit) && matches!(undo.step, UndoStep::Failed { unknown: true, .. })
    });
    let unknown = matches!(run.units.get(unit), Some(UnitState::Unknown { found: Some(_), .. }))
        && run.phase == Phase::Working;
    if unknown || (undo_unknown && run.phase == Phase::Undoing) {
        return Decided::events([Event::Settled { unit: unit.clone(), done, how: how.to_owned() }]);
    }
    not_asked(run, unit, "settled")
}

/// The answer to a `decide`. No is a stop.
pub(super) fn answer(run: &Run, unit: &UnitAt, go_on: bool) -> Decided {
    let is_question = matches!(run.unit(unit).map(|unit| &unit.work), Some(Work::Decide(_)));
    if !is_question || !matches!(run.units.get(unit), Some(UnitState::Asked { .. })) {
        return not_asked(run, unit, "answered");
    }
    let answered = Event::Answered { unit: unit.clone(), go_on };
    if go_on {
        Decided::events([answered])
    } else {
        Decided::events([answered, Event::StopAsked { now: false }])
    }
}

pub(super) fn take(run: &Run, by: &Person) -> Decided {
    if run.driver == *by {
        let because = "you drive it already".to_owned();
        return Decided::refused(Refusal::NotNow { what: "taken", because });
    }
    Decided::events([Event::Driven { driver: by.clone() }])
}

pub(super) fn handover(run: &Run, by: &Person, to: &Person) -> Decided {
    if run.driver != *by {
        return Decided::refused(Refusal::NotYourRun { waits_for: run.driver.clone() });
    }
    if by == to {
        let because = "you drive it already".to_owned();
        return Decided::refused(Refusal::NotNow { what: "handed over", because });
    }
    Decided::events([Event::HandedOver { to: to.clone() }])
}

/// The unit waits for something else, or for nothing.
fn not_asked(run: &Run, unit: &UnitAt, what: &'static str) -> Decided {
    let because = match run.units.get(unit) {
        None => "there is no such step on this host".to_owned(),
        Some(_) if run.phase != Phase::Working => standing(run),
        Some(_) if run.stop.is_some() => "the run was stopped".to_owned(),
        Some(UnitState::Waiting { .. }) => "it has not begun".to_owned(),
        Some(UnitState::Sent { .. } | UnitState::Ran { .. }) => "it is working".to_owned(),
        Some(UnitState::Unknown { found: None, .. }) => "the bot is finding out how it ended".to_owned(),
        Some(UnitState::Unknown { .. }) => "its outcome is unknown".to_owned(),
        Some(UnitState::Shut { .. }) => "it stands before its door".to_owned(),
        Some(UnitState::Failed { .. }) => "it failed".to_owned(),
        Some(UnitState::Withheld { .. }) => "it waits for a new approval".to_owned(),
        Some(UnitState::Succeeded { .. }) => "it succeeded".to_owned(),
        Some(UnitState::Skipped { .. }) => "it was skipped".to_owned(),
        Some(UnitState::Undone) => "it was taken back".to_owned(),
        Some(UnitState::Holding { .. }) => "it is a gate that is being measured".to_owned(),
        Some(UnitState::Overdue { .. }) => "it is a gate past its limit".to_owned(),
        Some(UnitState::Asked { .. }) => "it is a question: answer it with go-on or stop".to_owned(),
    };
    Decided::refused(Refusal::NotAsked { unit: unit.clone(), what, because })
}
