//! What is reported of an incident that is open. It tells those who work on it, and never anybody else: how bad it is for
//! customers is for a person to say.

use super::course::Course;
use super::obligations::{Begin, call_owner, of_severity};
use super::run::begins_again;
use super::{customers, news};
use crate::incident::event::Event;
use crate::incident::model::{About, Severity, Status};
use crate::incident::report::Report;

/// Somebody or an alert reports it too, or an alert of it is over.
pub(super) fn reported(course: &mut Course<'_>, report: &Report, at_once: bool) {
    let goes_on = course.incident.status < Status::Resolved;
    let is_held = course.incident.last_of(report).is_some_and(|last| !last.said.over);
    // What it knows already is nothing new, and no alert is over that it does not know.
    let is_worse = at_once && course.incident.is_mild();
    let is_too_much = course.incident.is_full() && !report.said.over && !is_worse;
    if course.incident.is_closed() || is_held != report.said.over || is_too_much {
        return;
    }
    course.say(Event::IncidentReported { report: report.clone() });
    if !goes_on {
        return;
    }
    if report.said.over {
        if course.incident.all_alerts_are_over() {
            news::to_operators(course, &About::AlertsOver);
        }
        return;
    }
    if is_worse {
        let why = "An alert that calls at once belongs to it.".to_owned();
        course.say(Event::IncidentSeverity { severity: Severity::Sev2, why });
        let believed_over = course.incident.status == Status::Monitoring && begins_again(course);
        of_severity(course, Begin::Missing);
        if believed_over {
            customers::hear_that_it_goes_on(course);
        }
        call_owner(course);
    }
    let number = u32::try_from(course.incident.reports.len()).unwrap_or(u32::MAX);
    if is_told(course.incident.reporters_up_to(number)) {
        news::to_operators(course, &About::Report(number));
    }
}

/// Each of the first ten is told, then every tenth, then every hundredth: nobody reads hundreds of messages at night, and
/// all of them stand in the timeline.
const fn is_told(count: usize) -> bool {
    count <= 10 || (count <= 100 && count.is_multiple_of(10)) || count.is_multiple_of(100)
}
