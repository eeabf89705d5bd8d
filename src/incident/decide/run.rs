//! What runs do to an incident.

use super::course::Course;
use super::customers;
use super::obligations::{Begin, call_owner, is_owner_called, of_severity, of_worse, tells, void};
use crate::incident::event::Event;
use crate::incident::model::{Owed, Severity, Status, Trouble};
use crate::plan::model::TellPlan;
use crate::run::RunId;
use crate::run::model::Outcome;

/// Something happened to a run. What was heard before is not recorded again while the owner is being called for it; once
/// somebody has answered, or it seemed to be over, the same trouble is a new one.
pub(super) fn trouble(
    course: &mut Course<'_>,
    run: RunId,
    trouble: &Trouble,
    severity: Severity,
    tell: &[TellPlan],
) {
    if course.incident.is_closed() {
        return;
    }
    let raised = severity < course.incident.severity;
    let calls = *trouble != Trouble::Starts;
    let known = course.incident.runs.get(&run).is_some_and(|seen| seen.had(trouble));
    let heard = known && !(calls && is_answered(course));
    if !heard {
        course.say(Event::IncidentRun { run, trouble: trouble.clone() });
    }
    if raised {
        // No word of what happened: it is read by more people than operators.
        let why = format!("Run {run} says how bad it is.");
        course.say(Event::IncidentSeverity { severity, why });
    }
    let bad = raised || (!heard && calls);
    let again = bad && course.incident.status == Status::Resolved;
    let believed_over = bad && seems_over(course) && begins_again(course);
    if !known {
        tells(course, Some(run), tell);
    }
    if raised {
        of_worse(course);
    } else {
        of_severity(course, if again { Begin::Again } else { Begin::Missing });
    }
    if believed_over {
        customers::hear_that_it_goes_on(course);
    }
    if bad && calls {
        call_owner(course);
    }
}

/// Whether people believe that they know all: nobody is called any more, or it seems to be over.
fn is_answered(course: &Course<'_>) -> bool {
    seems_over(course) || !is_owner_called(course)
}

const fn seems_over(course: &Course<'_>) -> bool {
    matches!(course.incident.status, Status::Resolved | Status::Monitoring)
}

/// It is not over after all. What was to be learnt from it is learnt when it is. Whether customers believe that it is over.
pub(super) fn begins_again(course: &mut Course<'_>) -> bool {
    let believed_over = course.incident.is_over_for_customers();
    course.say(Event::IncidentStatus { status: Status::Investigating });
    void(course, |it| it.owed == Owed::Postmortem);
    believed_over
}

/// A run is over.
pub(super) fn ended(course: &mut Course<'_>, run: RunId, outcome: Outcome, tell: &[TellPlan]) {
    let ended = course.incident.runs.get(&run).is_some_and(|seen| !seen.goes_on());
    if ended || course.incident.is_closed() {
        return;
    }
    course.say(Event::IncidentRunEnded { run, outcome });
    // It waited until people know, and never began.
    void(course, |it| it.holds_back == Some(run));
    let looked_into = matches!(course.incident.status, Status::Investigating | Status::Identified);
    let done = outcome == Outcome::Succeeded && course.incident.run_that_goes_on().is_none();
    if done && looked_into && course.incident.severity != Severity::Planned {
        course.say(Event::IncidentStatus { status: Status::Monitoring });
    }
    tells(course, Some(run), tell);
}

/// Runs begin once everybody knows who must.
pub(super) fn releases(course: &mut Course<'_>) {
    let knows = |number: &u32| course.incident.obligation(*number).is_none_or(|it| !it.is_open());
    let held_back = course.incident.runs.iter().filter(|(_, seen)| seen.is_held_back());
    let free = held_back.filter(|(_, seen)| seen.waits_for.iter().all(knows));
    let free: Vec<RunId> = free.map(|(run, _)| *run).collect();
    for run in free {
        course.say(Event::IncidentRunReleased { run });
    }
}
