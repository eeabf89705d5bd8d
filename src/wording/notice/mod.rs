//! What people are told who are not looking: one text for each audience, from the facts that it may know.
//!
//! Each audience has a type of its own that is made from an incident and holds only what this audience may know; its
//! words are made of that type alone. So no host, no command and no operator's own word can reach Support or the public
//! because somebody forgot: it is not there.

mod operator;
mod public;
mod support;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::moment::Moment;
use crate::incident::Incident;
use crate::incident::model::{About, Audience, Notice, Owed};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::{PathName, Person};
use operator::ForOperators;
use public::ForPublic;
use support::ForSupport;

/// What a notice says, before a path gives it its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The same for all notices of an incident, as long as it lasts: `inc-31 Order processing`. Programs that put mails
    /// of one subject together would make two of an incident that becomes worse, so how bad it is stands in the title.
    /// `[DRILL]` stands before it if it is one.
    pub subject: String,
    /// What it is, in one line: who reads only this knows what to do.
    pub title: String,
    /// The whole text, in paragraphs; no markup.
    pub text: String,
}

/// What is known beside an incident when one of its notices is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// How its runs stand, one line each: for operators only.
    pub run_lines: Vec<String>,
    /// By when the next news is due.
    pub next_news: Option<Timestamp>,
}

impl Facts {
    /// What the incident says itself; its runs stand elsewhere.
    pub fn of(incident: &Incident, run_lines: Vec<String>) -> Self {
        Self { run_lines, next_news: next_news(incident) }
    }
}

/// By when the next news is due.
pub fn next_news(incident: &Incident) -> Option<Timestamp> {
    incident.owed().into_iter().find(|owed| owed.owed == Owed::Update).map(|owed| owed.due)
}

/// The words of one notice for its audience.
pub fn words(incident: &Incident, notice: &Notice, facts: &Facts, moment: &Moment) -> Words {
    let words = match notice.audience {
        Audience::Operator => operator::say(&ForOperators::new(incident, notice, facts), moment),
        Audience::Support => support::say(&ForSupport::new(incident, notice, facts), moment),
        Audience::Public => public::say(&ForPublic::new(incident, notice)),
    };
    if incident.is_drill() { of_a_drill(&words) } else { words }
}

/// What stands before Support as long as the incident goes on, in the words of a notice about this.
pub fn standing_for_support(incident: &Incident, about: &About, facts: &Facts, moment: &Moment) -> Words {
    let words = support::say(&ForSupport::about(incident, about, moment.now, facts), moment);
    if incident.is_drill() { of_a_drill(&words) } else { words }
}

/// What a letter says that only tries a path. `to` is none at the last resort, and `by` where nobody asked for it.
pub fn trial(path: &PathName, to: Option<&Person>, by: Option<&Person>, moment: &Moment) -> Words {
    let whom = to.map(|to| format!(", {to}")).unwrap_or_default();
    let now = moment.time(moment.now);
    let why = match by {
        Some(by) => format!("{by} asked at {now} whether {path} works."),
        None => format!("steadyhand tries {path} by itself, at {now}: it carried nothing for some time."),
    };
    Words {
        subject: "[test] steadyhand".to_owned(),
        title: format!("A test of the path {path}: nothing has happened{whom}."),
        text: format!("{why} If you read this, it works. There is nothing to do."),
    }
}

/// `[DRILL]` before everything: no line of it can be taken for the real thing.
fn of_a_drill(words: &Words) -> Words {
    const DRILL: &str = "[DRILL]";
    let text: Vec<String> = words
        .text
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("{DRILL} {line}") })
        .collect();
    Words {
        subject: format!("{DRILL} {}", words.subject),
        title: format!("{DRILL} {}", words.title),
        text: text.join("\n"),
    }
}

/// Paragraphs with an empty line between them.
fn paragraphs(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// What a person or a file said, as the end of a sentence: visible, and with one full stop.
fn sentence(text: &str) -> String {
    let text = in_one_line(text);
    if text.ends_with(['.', '!', '?']) || text.is_empty() { text } else { format!("{text}.") }
}

/// What a person said, visible, in one line though they wrote several.
fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    visible(&lines.collect::<Vec<_>>().join(" "))
}
