//! What customers read: the draft that stands ready, the word that goes out, and the word that it is over.

use super::course::Course;
use super::news;
use super::obligations::{Begin, PUBLISH, is_missing, meet, news_came, owe, void};
use crate::incident::event::Event;
use crate::incident::input::Refusal;
use crate::incident::model::{Incident, Owed, Severity};
use crate::runbook::source::name::Person;

/// Exactly the draft that they have read.
pub(super) fn publish(course: &mut Course<'_>, by: &Person, read: Option<&str>) -> Result<(), Refusal> {
    if course.incident.is_drill() {
        return Err(Refusal::Drill);
    }
    let text = course.incident.draft.as_ref().map(|draft| draft.text.clone());
    let (text, digest) = text.zip(course.incident.draft_digest()).ok_or(Refusal::NoDraft)?;
    match read {
        None => return Err(Refusal::DraftUnread { text, digest }),
        Some(read) if !digest.is_meant_by(read) => return Err(Refusal::DraftChanged { text, digest }),
        Some(_) => {}
    }
    course.say(Event::IncidentPublished { text });
    let number = u32::try_from(course.incident.published.len()).unwrap_or(u32::MAX);
    news::publish(course, number);
    meet(course, Owed::Published, by);
    if !course.incident.customers_wait() {
        meet(course, Owed::AllClear, by);
    }
    news_came(course, by);
    Ok(())
}

/// Customers who were told of it are told that it is over, once it seems to be. A draft that stands ready says what is the
/// case.
pub(super) fn settles(course: &mut Course<'_>) {
    let incident = &course.incident;
    let over = incident.can_be_cleared();
    if incident.draft.as_ref().is_some_and(|draft| draft.ready && draft.over != over) {
        stands_ready(course);
    }
    let incident = &course.incident;
    if !incident.wants_all_clear() {
        void(course, |it| it.owed == Owed::AllClear);
    } else if incident.owed_to_customers().is_none() {
        let who = incident.opened.owner.clone();
        owe(course, Owed::AllClear, who, PUBLISH, None);
    } else if incident.draft.is_none() {
        stands_ready(course);
    }
}

/// It goes on after all: customers for whom it is over must hear that.
pub(super) fn hear_that_it_goes_on(course: &mut Course<'_>) {
    if is_missing(&course.incident, Owed::Published, None, Begin::Again) {
        let who = course.incident.opened.owner.clone();
        owe(course, Owed::Published, who, PUBLISH, None);
    }
}

/// What a person may publish as it stands.
pub(super) fn stands_ready(course: &mut Course<'_>) {
    let text = own_words(&course.incident);
    course.say(Event::IncidentDraft { text, ready: true });
}

/// The words of the runbook, or what everybody may know anyhow.
fn own_words(incident: &Incident) -> String {
    let title = &incident.opened.title;
    let planned = incident.severity == Severity::Planned;
    match (&incident.opened.news, incident.can_be_cleared(), planned) {
        (_, true, true) => format!("{title}: the planned work is over."),
        (_, true, false) => format!("{title}: there was a problem. It works again, and we keep watching it."),
        (Some(news), false, _) => news.say.clone(),
        (None, false, true) => {
            format!("{title}: planned work is under way. It may be noticed for a short time.")
        }
        (None, false, false) => {
            format!("{title}: we are looking into a problem. More news will follow here.")
        }
    }
}

/// Why it cannot be over: what customers read last, and what would tell them.
pub(super) fn wait(incident: &Incident) -> Refusal {
    let over = incident.can_be_cleared();
    let draft = incident.draft.as_ref().filter(|draft| over && draft.over).map(|draft| draft.text.clone());
    Refusal::CustomersWait {
        read: incident.published.last().map(|it| it.text.clone()).unwrap_or_default(),
        over,
        draft: draft.zip(incident.draft_digest()),
        owed: incident.owed_to_customers().map(|it| it.number).filter(|_| over),
    }
}
