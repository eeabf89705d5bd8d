//! What a path does to the incident that the watch opened because of it.

use super::course::Course;
use super::obligations::void;
use crate::incident::event::Event;
use crate::incident::model::{Incident, Status};

/// The path took something again. What the bot opened and nobody took over is over by that.
pub(super) fn takes(course: &mut Course<'_>) {
    let incident = &course.incident;
    let is_known = incident.path_takes.is_some();
    if incident.red_path().is_none() || is_known || incident.status >= Status::Resolved {
        return;
    }
    let is_ours = !is_taken_over(incident);
    course.say(Event::IncidentPathTakes);
    if is_ours {
        course.say(Event::IncidentStatus { status: Status::Resolved });
        void(course, |_| true);
    }
}

/// Whether a person does something about it: says where it stands, how bad it is, what they found, or that they command.
/// Whoever only says that they know has not.
fn is_taken_over(incident: &Incident) -> bool {
    !incident.parts.is_empty()
        || !incident.updates.is_empty()
        || !incident.published.is_empty()
        || incident.severity != incident.opened.severity
        || incident.status != Status::Investigating
}
