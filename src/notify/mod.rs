//! The ways out of the house: what carries one notice to one person over one path. What is told, when and to whom is
//! decided by `incident`; here it leaves, and what the path answers comes back as one of four answers.
//!
//! A file for each carrier, and [`Outside`], which knows them all. A carrier says whether a no is for now or for ever, and
//! never guesses that from a text. Nothing that the other side says reaches people unescaped or at length, and no secret
//! and no address with a secret in it stands in an answer.

mod attempt;
mod form;
mod http;
pub mod link;
pub mod link_key;
mod mail;
mod outside;
mod pagerduty;
mod slack;
mod watcher;
mod webhook;

pub use outside::{DiscordRoom, Outside};

use crate::duty::model::Carrier;
use crate::incident::IncidentId;
use crate::incident::input::Answer;
use crate::incident::model::{Audience, Severity};
use crate::runbook::source::name::{PathName, Person};
use crate::target::Later;
use crate::wording::notice::Words;

/// One notice as it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The same for every attempt, another for every notice: 22 characters of base64url. Paths that know such keys show
    /// a letter once, however often it comes.
    pub key: String,
    /// The incident. Letters of one incident hang together where a path can show that.
    pub incident: IncidentId,
    /// Of the incident, at this moment.
    pub severity: Severity,
    /// Who reads it.
    pub audience: Audience,
    /// What it is for.
    pub kind: Kind,
    /// What it says.
    pub words: Words,
    /// Where it can be answered: what it says, and an address. Only where one person alone reads it.
    pub answers: Vec<(String, String)>,
    /// To whom, if to somebody in particular.
    pub to: Option<Person>,
    /// Where on the path: a mail address, an id. Empty where the path alone says whom it reaches.
    pub address: String,
    /// `[DRILL]` stands before everything.
    pub drill: bool,
    /// It may have come before.
    pub may_repeat: bool,
}

/// What a letter is for. Paths that ring do so for pages only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody must say that they know.
    Page,
    /// Something is owed, and who reads this owes it: it points them to it where a chat can, and nothing rings.
    Reminder {
        /// What is owed is that they say that they know.
        of_answer: bool,
    },
    /// News; nothing rings.
    News,
    /// Somebody has said so: an alert that is open elsewhere stops ringing.
    Acknowledged,
    /// It is over: an alert that is open elsewhere is closed.
    Resolved,
}

/// Carries letters.
pub trait Messenger: Send + Sync {
    /// Carries one letter over a path. The future ends within 15 s, whatever the other side does.
    fn send<'a>(&'a self, path: &'a PathName, carrier: &'a Carrier, letter: &'a Letter) -> Later<'a, Answer>;
}
