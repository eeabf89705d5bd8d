//! What somebody reads who follows the link of a notice. Operators and Support read the same: nothing but what everybody
//! may know of an incident stands here.

use super::moment::Moment;
use crate::incident::model::Owed;
use crate::incident::{Incident, IncidentId, Refusal};
use crate::runbook::source::name::Person;

/// What a page of the web says. Whoever shows it decides how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Above it, and on the tab.
    pub title: String,
    /// The rest, in paragraphs.
    pub says: Vec<String>,
    /// What can be pressed.
    pub button: Option<&'static str>,
}

/// What is pressed.
const KNOW: &str = "I know of it";

/// What somebody finds behind a link that is good: what it is about, and a button. To open it says nothing: programs
/// that look for harm in mails open every link.
pub fn asked(incident: &Incident, person: &Person, moment: &Moment) -> Answer {
    if incident.is_closed() {
        return refused(incident, person, &Refusal::Closed, moment);
    }
    if has_said(incident, person) {
        let says = format!("{person} said so already. Nothing more is needed.");
        return Answer { title: title(incident), says: vec![says, go_on(incident.id)], button: None };
    }
    Answer {
        title: title(incident),
        says: vec![
            format!("{person}, this began at {}.", moment.with_distance(incident.since)),
            "Press the button to say that you know. It is recorded with your name, and nobody calls you again for it."
                .to_owned(),
        ],
        button: Some(KNOW),
    }
}

/// It was pressed, and is written down.
pub fn said(incident: &Incident, person: &Person, moment: &Moment) -> Answer {
    let at = moment.time(moment.now);
    Answer {
        title: title(incident),
        says: vec![format!("Recorded: {person} knows of it since {at}."), go_on(incident.id)],
        button: None,
    }
}

/// It was pressed, and says nothing new, or comes too late. Nothing changed.
pub fn refused(incident: &Incident, person: &Person, refusal: &Refusal, moment: &Moment) -> Answer {
    let says = match refusal {
        Refusal::Already(at) => {
            format!("{person} said so already, {}. Nothing more is needed.", moment.with_distance(*at))
        }
        Refusal::Closed => "It is closed. Nothing is needed any more, and nothing was recorded.".to_owned(),
        _ => "Not taken as it stands now. Nothing changed.".to_owned(),
    };
    Answer { title: title(incident), says: vec![says, go_on(incident.id)], button: None }
}

/// A link that does not count any more.
pub fn expired() -> Answer {
    not_taken("This link is too old", "Links in notices work for a week. Nothing was recorded.")
}

/// A link that is none of ours, or not whole.
pub fn unknown() -> Answer {
    let says = "It is not one that this bot made, or a part of it is missing. Nothing was recorded.";
    not_taken("This link does not work", says)
}

/// The person of the link may say nothing any more.
pub fn not_allowed(person: &Person) -> Answer {
    let says = format!("The policy does not let {person} answer for anything now. Nothing was recorded.");
    not_taken("Not taken", &says)
}

/// The bot does not take answers yet, or not any more.
pub fn not_now() -> Answer {
    let says = "The bot is starting or ending, or its journal takes nothing now. Nothing was recorded.";
    let mut answer = not_taken("Not now", says);
    answer.says.insert(1, "Load this page again in a minute.".to_owned());
    answer
}

fn not_taken(title: &str, says: &str) -> Answer {
    let next = "Next: say it in the chat or on the console, with the number that the notice names: incident ack inc-31";
    Answer { title: title.to_owned(), says: vec![says.to_owned(), next.to_owned()], button: None }
}

/// `[DRILL] inc-31 · sev1 · Order processing`
fn title(incident: &Incident) -> String {
    let drill = if incident.is_drill() { "[DRILL] " } else { "" };
    format!("{drill}{} · {} · {}", incident.id, incident.severity.word(), incident.opened.title)
}

fn go_on(id: IncidentId) -> String {
    format!("Next: incident status {id}, in the chat or on the console.")
}

/// Whether a person said that they know, and nobody has been called again since.
fn has_said(incident: &Incident, person: &Person) -> bool {
    let is_asked = incident.obligations.iter().any(|owed| owed.owed == Owed::Acknowledged && owed.is_open());
    incident.known_by.contains_key(person) && !is_asked
}
