//! What an event of a run means for incidents.

use super::model::Trouble;
use crate::run::model::Outcome;
use crate::run::{Event, Run, Stamped, UnitAt};

/// What people must know of it, if anything: `Trouble::Starts` once the holds are taken and all was measured again.
/// The text names the step, for operators; the same trouble of the same step has the same text.
pub fn trouble_of(run: &Run, stamped: &Stamped) -> Option<Trouble> {
    match &stamped.event {
        Event::Started { .. } => Some(Trouble::Starts),
        Event::StepFailed { unit, .. } => Some(Trouble::Failed(name(run, unit))),
        Event::UndoFailed { unit, unknown: false, .. } => Some(Trouble::Failed(taking_back(run, unit))),
        Event::StepUnknown { unit, .. } => Some(Trouble::Unknown(name(run, unit))),
        Event::UndoFailed { unit, unknown: true, .. } => Some(Trouble::Unknown(taking_back(run, unit))),
        Event::GateOverdue { unit, .. } | Event::StepLate { unit, .. } => {
            Some(Trouble::Overdue(name(run, unit)))
        }
        Event::StepStalled { unit, .. } => Some(Trouble::Stalled(name(run, unit))),
        Event::WatchBroke { watch, .. } => {
            let of = watch.unit.as_ref().map_or_else(|| "the whole run".to_owned(), |unit| name(run, unit));
            Some(Trouble::WatchBroke(of))
        }
        // Of a run that never began nobody is hurt.
        Event::StopAsked { .. } if run.started.is_some() => Some(Trouble::Stopped),
        Event::Ended { outcome: Outcome::WithIssues | Outcome::Stuck, remarks } => {
            Some(Trouble::EndedBadly(remarks.join(" ")))
        }
        _ => None,
    }
}

/// `step 3 on pg1: Freeze the old primary`
fn name(run: &Run, at: &UnitAt) -> String {
    let host = at.lane.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
    let title = run.unit(at).map(|unit| format!(": {}", unit.title)).unwrap_or_default();
    format!("step {}{host}{title}", at.number)
}

fn taking_back(run: &Run, at: &UnitAt) -> String {
    format!("taking back {}", name(run, at))
}
