//! What is said on Discord only: about the chat itself, and where something is shown.

use jiff::Timestamp;

use super::incident::said;
use super::moment::Moment;
use super::page::Page;
use super::plan::{count, target};
use super::refusal;
use crate::incident::model::Part;
use crate::incident::{Incident, IncidentId};
use crate::run::{Event, Run, RunId, Stamped, UnitAt};
use crate::runbook::source::hidden::visible;

/// A plan was asked for, and everybody sees it.
pub fn shown_to_all(run: &Run) -> Page {
    Page::sentence(format!("The plan of run {} stands in this channel, for everybody to read.", run.id))
        .text("Read it, then press Confirm… under it and type the token. Nothing runs before that.")
}

/// A plan of which a card cannot show all that cannot be taken back.
pub fn too_long(id: RunId) -> Page {
    Page::sentence(format!(
        "Not taken: the plan of run {id} is too long for chat to show whole. Nothing changed."
    ))
    .next(format!("plan {id} --long"), "then confirm and approve it in the console")
    .code("too-long-for-chat")
}

/// A button or form that this version does not know.
pub fn unknown_button() -> Page {
    Page::sentence("This button is not one of this version, or was changed. Nothing was done.")
        .next("status", "what is going on")
        .code("unknown-button")
}

/// A form that would be filled in for nothing.
pub fn run_is_over(run: &Run, what: &str) -> Page {
    Page::sentence(format!("This request has ended: {what} Nothing was done."))
        .next(format!("status {}", run.id), "")
        .code("ended")
}

/// What somebody decided, for all to read. On a terminal it is the answer to a line, and needs no line of its own.
pub fn decision(stamped: &Stamped) -> Option<String> {
    let by = stamped.by.as_ref()?;
    let step = |unit: &UnitAt| refusal::step(unit);
    Some(match &stamped.event {
        Event::Confirmed { .. } => format!("Confirmed by {by}, who read the plan back."),
        Event::WrongToken { tries } => format!("{by} typed a wrong token, try {tries}."),
        Event::Approved { .. } => format!("Approved by {by}."),
        Event::Withdrawn => format!("{by} took the approval back."),
        Event::Refused { why } => format!("Refused by {by}: \"{}\".", visible(why)),
        Event::Retried { unit } => format!("{by}: {} is tried again.", step(unit)),
        Event::AskedAgain { unit } => format!("{by}: {} is asked about again.", step(unit)),
        Event::ApprovedAgain { unit } => format!("{by} approved that {} is sent again.", step(unit)),
        Event::UndoRetried => format!("{by}: the undo is tried again."),
        Event::Driven { driver } => format!("{driver} drives now, said by {by}."),
        Event::HandedOver { to } => format!("{by} offers the run to {to}."),
        _ => return None,
    })
}

/// Approvers are asked.
pub fn approval_wanted(run: &Run, needed: &str) -> String {
    let what = run.plan().map(|plan| format!("{} on {}", plan.runbook, target(plan))).unwrap_or_default();
    format!("{needed}: {what}, run {} of {}. The plan and the button stand here:", run.id, run.request.by)
}

/// The first message after Discord could not be reached.
pub fn was_away(since: Timestamp, moment: &Moment) -> String {
    format!(
        "Chat was away from {} to {} ({}). What happened meanwhile:",
        moment.time(since),
        moment.time(moment.now),
        moment.ago(since)
    )
}

/// The first message after the bot was started anew.
pub fn started_again(id: RunId) -> String {
    format!("The bot was started again and carries run {id} on. All that happened: journal show {id}")
}

/// The first message after somebody deleted the card of a run.
pub fn card_deleted(id: RunId) -> String {
    format!("The card of run {id} was deleted, and stands here anew. All that happened: journal show {id}")
}

/// The first message after the channel of a run was taken away.
pub fn shown_elsewhere(id: RunId) -> String {
    format!(
        "Run {id} was shown in another channel, which is gone or closed to the bot. All that happened: journal show {id}"
    )
}

/// Why a run pauses whose channel was taken away. An outage is another thing.
pub fn place_lost(why: &str) -> String {
    format!(
        "Nobody could stop it where it was shown: its channel on Discord is gone, or closed to the bot ({why})."
    )
}

/// How an incident stands, for a lock screen.
pub fn incident(incident: &Incident) -> String {
    let drill = if incident.is_drill() { "[DRILL] " } else { "" };
    let (id, severity) = (incident.id, incident.severity.word());
    let known = match (incident.parts.get(&Part::Commander), &incident.acknowledged) {
        (Some(commander), _) => format!("{commander} commands."),
        (None, Some((_, by))) => format!("{by} knows; nobody commands."),
        (None, None) => "Nobody has said that they know.".to_owned(),
    };
    format!("{drill}{severity} {id}, {}: {}. {known}", incident.opened.title, said::status(incident.status))
}

/// The first message after the bot was started anew.
pub fn incident_goes_on(id: IncidentId) -> String {
    format!("The bot was started again; {id} goes on. All that happened: incident timeline {id}")
}

/// A form that would be filled in for nothing.
pub fn incident_is_closed(id: IncidentId) -> Page {
    Page::sentence(format!("{id} is closed. Nothing was done."))
        .next(format!("incident timeline {id}"), "")
        .code("incident-closed")
}

/// Lines of an incident that are not shown one by one.
pub fn more_lines_of_incident(n: usize, id: IncidentId) -> String {
    format!("… {} more. All of them: incident timeline {id}", count(n, "line"))
}

/// Lines that are not shown one by one.
pub fn more_lines(n: usize, id: RunId) -> String {
    format!("… {} more. All of them: journal show {id}", count(n, "line"))
}
