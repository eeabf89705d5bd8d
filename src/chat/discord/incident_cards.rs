//! An incident as messages: the card for operators, and Support's own, in other words and with other buttons.

use super::card::{Card, fit, of_page};
use super::limits::{THREAD, TITLE, cut};
use super::press::{Button, Style};
use super::safe;
use crate::engine::incidents::Changed;
use crate::incident::model::{About, Audience, Obligation, Owed, Part, Status};
use crate::incident::{Event, Incident, IncidentId};
use crate::wording::incident::Post;
use crate::wording::page::Role;
use crate::wording::{Moment, discord as words, incident as said, notice};

/// The role that reads what customers see.
pub const SUPPORT: &str = "support";
/// What is read on a lock screen has at most so much.
const SENTENCE: usize = 400;

/// Who reads a message of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// Those who work on it.
    Operators,
    /// Support.
    Support,
}

impl Reader {
    /// As the journal names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operators => "operators",
            Self::Support => SUPPORT,
        }
    }

    /// As the journal named it.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Operators, Self::Support].into_iter().find(|it| it.word() == word)
    }
}

/// What is known beside an incident, for operators only.
#[derive(Debug, Default)]
pub struct Beside {
    /// Its runs, one sentence each.
    pub run_lines: Vec<String>,
    /// What its events say of its notices.
    pub post: Post,
}

/// The message of an incident as it stands now.
pub fn card_for(reader: Reader, incident: &Incident, beside: &Beside, moment: &Moment) -> Card {
    match reader {
        Reader::Operators => for_operators(incident, beside, moment),
        Reader::Support => for_support(incident, moment),
    }
}

fn for_operators(incident: &Incident, beside: &Beside, moment: &Moment) -> Card {
    let page = said::card(incident, &beside.run_lines, &beside.post, moment);
    let mut card = of_page(&page, "incident.txt");
    // Once, and before everything.
    let mark = safe::plain(drill(incident));
    card.title = cut(&format!("{mark}{}", card.title.replacen(&mark, "", 1)), TITLE);
    card.content = cut(&safe::plain(&words::incident(incident)), SENTENCE);
    card.footer = incident.id.to_string();
    card.buttons = steering(incident);
    card.silent = true;
    card
}

/// What an incident can be told at this moment: five at most, so that they stand in one row.
fn steering(incident: &Incident) -> Vec<Button> {
    let id = incident.id;
    let owes = |what: Owed| incident.obligations.iter().any(|it| it.is_open() && it.owed == what);
    let is_called = incident.obligations.iter().any(|it| it.call.is_some());
    let lines = match incident.status {
        Status::Closed => vec![format!("incident timeline {id}")],
        Status::Resolved => vec![format!("incident timeline {id}"), format!("incident export {id}")],
        status => [
            owes(Owed::Acknowledged).then(|| format!("incident ack {id}")),
            (!incident.parts.contains_key(&Part::Commander)).then(|| format!("incident take commander {id}")),
            // It publishes the draft that stands on this card, and no other.
            said::said::publishes(incident).filter(|_| !incident.is_drill()),
            Some(format!("incident update {id} for=support \"news\"")),
            is_called.then(|| format!("incident escalate {id}")),
            (status == Status::Monitoring && !is_called && !incident.customers_wait())
                .then(|| format!("incident resolve {id}")),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    lines.iter().filter_map(|line| Button::of_line(line)).collect()
}

/// Support's own message: what customers see, what to say, and by when there is news. It holds nothing else.
fn for_support(incident: &Incident, moment: &Moment) -> Card {
    let open = incident.obligations.iter().find(|it| it.is_open() && is_asked_of_support(it));
    let is_over = matches!(incident.status, Status::Resolved | Status::Closed);
    let about = match open {
        _ if is_over => About::Resolved,
        Some(owed) => About::Call(owed.number),
        // The newest news is found by itself.
        None => About::Update(0),
    };
    let facts = notice::Facts::of(incident, Vec::new());
    let words = notice::standing_for_support(incident, &about, &facts, moment);
    let know = open.filter(|_| !is_over).and_then(|_| acknowledge(incident.id, Audience::Support));
    let report = (!is_over).then(|| Button::of_line(&format!("report {} \"what\"", incident.id))).flatten();
    let mut card = Card {
        content: cut(&safe::plain(&words.title), SENTENCE),
        title: cut(&safe::plain(&words.subject), TITLE),
        text: safe::lines(&words.text),
        bar: Some(match open {
            _ if is_over => Role::Quiet,
            Some(_) => Role::Danger,
            None => Role::Active,
        }),
        buttons: know.into_iter().chain(report).collect(),
        silent: true,
        ..Card::default()
    };
    fit(&mut card, "incident.txt", &words.text, "");
    card.footer = incident.id.to_string();
    card
}

fn is_asked_of_support(owed: &Obligation) -> bool {
    owed.owed == Owed::Acknowledged && owed.who.as_str() == SUPPORT
}

/// The button by which somebody says that they know, in the words of those who read it.
pub fn acknowledge(id: IncidentId, audience: Audience) -> Option<Button> {
    let button = Button::of_line(&format!("incident ack {id}"))?;
    Some(match audience {
        Audience::Support => button.labelled("I am Support, I know", Style::Success),
        Audience::Operator | Audience::Public => button,
    })
}

/// What happened, as one line in the thread; nothing for what is not worth one. That a notice is tried again is not: the
/// card says why it waits, and while a path is away such lines would leave no room for what people did.
pub fn line(changed: &Changed, moment: &Moment) -> Option<String> {
    if matches!(changed.stamped.event, Event::NoticeDelayed { .. } | Event::NoticeUnknown { .. }) {
        return None;
    }
    let line = said::timeline::line(&changed.incident, &changed.stamped)?;
    let drill = drill(&changed.incident);
    Some(format!("{drill}{} · {}", moment.second(line.at), safe::plain(&line.text)))
}

/// The name of the thread of an incident for those who read it.
pub fn thread_name(reader: Reader, incident: &Incident) -> String {
    let what = match reader {
        Reader::Operators => incident.severity.word(),
        Reader::Support => "for Support",
    };
    let name = format!("{}{} · {what} · {}", drill(incident), incident.id, incident.opened.title);
    cut(&crate::runbook::source::hidden::visible(&name), THREAD)
}

const fn drill(incident: &Incident) -> &'static str {
    if incident.is_drill() { "[DRILL] " } else { "" }
}
