//! The words for states, the same everywhere. UPPER CASE: a person is needed, or the end was not good.

use super::page::{Role, State};
use crate::incident::Incident;
use crate::incident::model::{Delivery, End, Obligation, Severity, Status};
use crate::run::Run;
use crate::run::model::{Outcome, Phase, UndoStep, UnitState};

macro_rules! states {
    ($($name:ident $mark:literal $word:literal $role:ident;)*) => {
        $(#[doc = $word] pub const $name: State = State::new($mark, $word, Role::$role);)*
        /// All of them, for the help.
        pub const ALL: &[State] = &[$($name),*];
    };
}

states! {
    WAITING '.' "waiting" Quiet;
    MEASURING '>' "measuring" Active;
    WORKING '>' "working" Active;
    UNDOING '>' "undoing" Active;
    SUCCEEDED '+' "succeeded" Good;
    WITH_ISSUES '+' "with issues" Attention;
    SKIPPED '-' "skipped" Quiet;
    UNDONE '~' "undone" Quiet;
    OFFERED ':' "offered" Active;
    CONFIRMING ':' "confirming" Active;
    APPROVING ':' "approving" Active;
    READY ':' "ready" Active;
    FAILED '!' "FAILED" Danger;
    UNKNOWN '?' "UNKNOWN" Unknown;
    AWAITING '!' "AWAITING" Attention;
    OVERDUE '!' "OVERDUE" Attention;
    STALLED '!' "STALLED" Attention;
    PAUSED '=' "PAUSED" Attention;
    STOPPED 'x' "stopped" Quiet;
    REFUSED 'x' "refused" Quiet;
    EXPIRED 'x' "expired" Quiet;
    STUCK '!' "STUCK" Danger;
    PLANNED ':' "planned" Active;
    INVESTIGATING '!' "investigating" Danger;
    IDENTIFIED '!' "identified" Attention;
    MONITORING '>' "monitoring" Active;
    RESOLVED '+' "resolved" Good;
    CLOSED '+' "closed" Quiet;
    OWED '.' "owed" Quiet;
    LATE '!' "LATE" Danger;
    DONE '+' "done" Good;
    WAIVED '-' "waived" Quiet;
    NOT_NEEDED '-' "not needed" Quiet;
    NOT_SENT '!' "NOT SENT" Danger;
    TAKEN '+' "accepted" Good;
}

/// The state of a run, and for AWAITING whom it waits for.
pub fn of_run(run: &Run) -> (State, Option<String>) {
    let driver = || Some(run.driver.to_string());
    match run.phase {
        Phase::Measuring => (MEASURING, None),
        Phase::Confirming => (OFFERED, None),
        Phase::Approving => (APPROVING, None),
        Phase::Ready => (READY, None),
        Phase::Ended(outcome) => (of_outcome(outcome), None),
        Phase::Undoing => match run.undo.as_ref().map(|undo| (&undo.token, &undo.step)) {
            Some((Some(_), _)) => (CONFIRMING, None),
            Some((None, UndoStep::Failed { .. })) => (STUCK, driver()),
            _ => (UNDOING, None),
        },
        Phase::Working => {
            let asked: Vec<&UnitState> = run.questions().map(|(_, state)| state).collect();
            if asked.iter().any(|state| matches!(state, UnitState::Unknown { .. })) {
                (UNKNOWN, driver())
            } else if !asked.is_empty() {
                (AWAITING, driver())
            } else if run.pause.is_some() {
                (PAUSED, None)
            } else if run.waits_to_be_known() {
                (AWAITING, Some(who_must_know(run)))
            } else {
                (WORKING, None)
            }
        }
    }
}

/// Who must know before anything is changed, as people call them.
pub fn who_must_know(run: &Run) -> String {
    let name = |who: &str| match who {
        "support" => "Support".to_owned(),
        other => other.to_owned(),
    };
    run.must_know().into_iter().map(name).collect::<Vec<_>>().join(" and ")
}

/// The state of a run that is over.
pub const fn of_outcome(outcome: Outcome) -> State {
    match outcome {
        Outcome::Succeeded => SUCCEEDED,
        Outcome::WithIssues => WITH_ISSUES,
        Outcome::Undone => UNDONE,
        Outcome::Stopped => STOPPED,
        Outcome::Refused => REFUSED,
        Outcome::Expired => EXPIRED,
        Outcome::Stuck => STUCK,
    }
}

/// The state of a unit.
pub const fn of_unit(state: &UnitState) -> State {
    match state {
        UnitState::Waiting { .. } => WAITING,
        UnitState::Sent { .. } | UnitState::Ran { .. } | UnitState::Holding { .. } => WORKING,
        UnitState::Shut { .. } | UnitState::Asked { .. } | UnitState::Withheld { .. } => AWAITING,
        UnitState::Overdue { .. } => OVERDUE,
        UnitState::Failed { .. } => FAILED,
        UnitState::Unknown { .. } => UNKNOWN,
        UnitState::Succeeded { .. } => SUCCEEDED,
        UnitState::Skipped { .. } => SKIPPED,
        UnitState::Undone => UNDONE,
    }
}

/// The state of an incident. Planned work that nothing has gone wrong with is not investigated.
pub const fn of_incident(incident: &Incident) -> State {
    match (incident.status, incident.severity) {
        (Status::Investigating, Severity::Planned) => PLANNED,
        (Status::Investigating, _) => INVESTIGATING,
        (Status::Identified, _) => IDENTIFIED,
        (Status::Monitoring, _) => MONITORING,
        (Status::Resolved, _) => RESOLVED,
        (Status::Closed, _) => CLOSED,
    }
}

/// The state of something owed.
pub const fn of_obligation(owed: &Obligation) -> State {
    match (&owed.end, owed.late) {
        (Some(End::Met(_)), _) => DONE,
        (Some(End::Waived(..)), _) => WAIVED,
        // Nobody waived it.
        (Some(End::Void), _) => NOT_NEEDED,
        (None, Some(_)) => LATE,
        (None, None) => OWED,
    }
}

/// Where a notice is.
pub const fn of_delivery(delivery: &Delivery) -> State {
    match delivery {
        Delivery::Waiting(_) => WAITING,
        Delivery::Sending(_) => WORKING,
        Delivery::Accepted(_) => TAKEN,
        Delivery::Failed(_) => NOT_SENT,
        Delivery::Superseded | Delivery::Dropped(_) => SKIPPED,
    }
}
