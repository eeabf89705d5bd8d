//! What was reached: every phase, every kind of event, every state of a step, every outcome. A property that never
//! comes to a state says nothing about it.

use std::collections::BTreeSet;

use steadyhand::run::model::{Outcome, Phase, UndoStep, UnitState};
use steadyhand::run::{Event, Run};

/// Everything that there is, by name.
pub(super) const EVERYTHING: &[&str] = &[
    // Events.
    "requested",
    "offered",
    "not-planned",
    "wrong-token",
    "confirmed",
    "approved",
    "withdrawn",
    "refused",
    "expired",
    "holds-taken",
    "plan-changed",
    "started",
    "door-shut",
    "step-sent",
    "step-unreached",
    "step-ended",
    "step-succeeded",
    "step-failed",
    "step-unknown",
    "still-unknown",
    "asked-again",
    "settled",
    "gate-entered",
    "gate-opened",
    "gate-overdue",
    "asked",
    "reminded",
    "answered",
    "retried",
    "approved-again",
    "skipped",
    "watch-broke",
    "watch-holds",
    "step-stalled",
    "step-moves",
    "batch-ended",
    "batch-rested",
    "stop-asked",
    "paused",
    "resumed",
    "undo-offered",
    "undo-confirmed",
    "undo-expired",
    "undo-sent",
    "undo-done",
    "undo-failed",
    "undo-retried",
    "driven",
    "handed-over",
    "ended",
    // Phases.
    "measuring",
    "confirming",
    "approving",
    "ready",
    "working",
    "undoing",
    "undoing: to be confirmed",
    "undoing: sent",
    "undoing: failed",
    "undoing: unknown",
    "undoing: after the end",
    // Outcomes.
    "ended: Succeeded",
    "ended: WithIssues",
    "ended: Undone",
    "ended: Stopped",
    "ended: Refused",
    "ended: Expired",
    "ended: Stuck",
    // States of a unit.
    "waiting",
    "waiting again",
    "shut",
    "sent",
    "ran",
    "failed",
    "unknown",
    "unknown: asked",
    "withheld",
    "succeeded",
    "skipped",
    "undone",
    "holding",
    "overdue",
    "asked: by step",
    // Together.
    "stopped and working",
    "paused and working",
    "paused and undoing",
    "watch broken",
    "stalled",
];

/// The name of an event. There is no other case: a new event must be named here, and then be reached.
pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Requested(_) => "requested",
        Event::Offered { .. } => "offered",
        Event::NotPlanned { .. } => "not-planned",
        Event::WrongToken { .. } => "wrong-token",
        Event::Confirmed { .. } => "confirmed",
        Event::Approved { .. } => "approved",
        Event::Withdrawn => "withdrawn",
        Event::Refused { .. } => "refused",
        Event::Expired { .. } => "expired",
        Event::HoldsTaken { .. } => "holds-taken",
        Event::PlanChanged { .. } => "plan-changed",
        Event::Started { .. } => "started",
        Event::DoorShut { .. } => "door-shut",
        Event::StepSent { .. } => "step-sent",
        Event::StepUnreached { .. } => "step-unreached",
        Event::StepEnded { .. } => "step-ended",
        Event::StepSucceeded { .. } => "step-succeeded",
        Event::StepFailed { .. } => "step-failed",
        Event::StepUnknown { .. } => "step-unknown",
        Event::StillUnknown { .. } => "still-unknown",
        Event::AskedAgain { .. } => "asked-again",
        Event::Settled { .. } => "settled",
        Event::GateEntered { .. } => "gate-entered",
        Event::GateOpened { .. } => "gate-opened",
        Event::GateOverdue { .. } => "gate-overdue",
        Event::Asked { .. } => "asked",
        Event::Reminded { .. } => "reminded",
        Event::Answered { .. } => "answered",
        Event::Retried { .. } => "retried",
        Event::ApprovedAgain { .. } => "approved-again",
        Event::Skipped { .. } => "skipped",
        Event::WatchBroke { .. } => "watch-broke",
        Event::WatchHolds { .. } => "watch-holds",
        Event::StepStalled { .. } => "step-stalled",
        Event::StepMoves { .. } => "step-moves",
        Event::BatchEnded { .. } => "batch-ended",
        Event::BatchRested { .. } => "batch-rested",
        Event::StopAsked { .. } => "stop-asked",
        Event::Paused => "paused",
        Event::Resumed => "resumed",
        Event::UndoOffered { .. } => "undo-offered",
        Event::UndoConfirmed => "undo-confirmed",
        Event::UndoExpired => "undo-expired",
        Event::UndoSent { .. } => "undo-sent",
        Event::UndoDone { .. } => "undo-done",
        Event::UndoFailed { .. } => "undo-failed",
        Event::UndoRetried => "undo-retried",
        Event::Driven { .. } => "driven",
        Event::HandedOver { .. } => "handed-over",
        Event::Ended { .. } => "ended",
    }
}

/// Notes everything that a state is.
pub(super) fn note(run: &Run, reached: &mut BTreeSet<&'static str>) {
    let phase = match run.phase {
        Phase::Measuring => "measuring",
        Phase::Confirming => "confirming",
        Phase::Approving => "approving",
        Phase::Ready => "ready",
        Phase::Working => "working",
        Phase::Undoing => "undoing",
        Phase::Ended(Outcome::Succeeded) => "ended: Succeeded",
        Phase::Ended(Outcome::WithIssues) => "ended: WithIssues",
        Phase::Ended(Outcome::Undone) => "ended: Undone",
        Phase::Ended(Outcome::Stopped) => "ended: Stopped",
        Phase::Ended(Outcome::Refused) => "ended: Refused",
        Phase::Ended(Outcome::Expired) => "ended: Expired",
        Phase::Ended(Outcome::Stuck) => "ended: Stuck",
    };
    reached.insert(phase);
    if let Some(undo) = &run.undo {
        reached.insert(match &undo.step {
            _ if undo.token.is_some() => "undoing: to be confirmed",
            UndoStep::Sent { .. } => "undoing: sent",
            UndoStep::Failed { unknown: false, .. } => "undoing: failed",
            UndoStep::Failed { unknown: true, .. } => "undoing: unknown",
            UndoStep::Waiting { .. } => "undoing",
        });
        if matches!(undo.before, Phase::Ended(_)) {
            reached.insert("undoing: after the end");
        }
    }
    for state in run.units.values() {
        reached.insert(match state {
            UnitState::Waiting { attempts: 0 } => "waiting",
            UnitState::Waiting { .. } => "waiting again",
            UnitState::Shut { .. } => "shut",
            UnitState::Sent { .. } => "sent",
            UnitState::Ran { .. } => "ran",
            UnitState::Failed { .. } => "failed",
            UnitState::Unknown { found: None, .. } => "unknown",
            UnitState::Unknown { .. } => "unknown: asked",
            UnitState::Withheld { .. } => "withheld",
            UnitState::Succeeded { .. } => "succeeded",
            UnitState::Skipped { .. } => "skipped",
            UnitState::Undone => "undone",
            UnitState::Holding { .. } => "holding",
            UnitState::Overdue { .. } => "overdue",
            UnitState::Asked { .. } => "asked: by step",
        });
    }
    let together = [
        ("stopped and working", run.stop.is_some() && run.phase == Phase::Working),
        ("paused and working", run.pause.is_some() && run.phase == Phase::Working),
        ("paused and undoing", run.pause.is_some() && run.phase == Phase::Undoing),
        ("watch broken", !run.broken.is_empty()),
        ("stalled", !run.stalled.is_empty()),
    ];
    reached.extend(together.iter().filter(|(_, is)| *is).map(|(name, _)| *name));
}
