//! What people and alerts report of a service: a fact of its own in the journal, before it belongs to any incident.
//!
//! [`place()`] decides what becomes of each, from the reports that wait, the incidents that are open and the settings alone:
//! it joins an incident, waits for others, or opens one. The same source counts once, however often it says the same.

pub mod place;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::model::{Incident, IncidentId, Severity};
use crate::runbook::source::name::{Person, ServiceName};

pub use place::{Place, place};

/// The type of its entry in the journal.
pub const KIND: &str = "reported";

/// An incident takes so many reports. Whatever is reported then is in the journal, and nobody is told of it any more.
pub const MAX_REPORTS: usize = 500;

/// What somebody reports, as its entry in the journal says it. Stored for ever: a new field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Who or what.
    pub source: Source,
    /// Of what.
    pub of: Of,
    /// In their words; data, never markup. Cut where it was too long, and then it says so.
    pub words: String,
    /// The incident that it was said of, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// That incident is a drill: it counts for nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// Not that something is wrong, but that this alert is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// Who or what reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Somebody.
    Person(Person),
    /// A watch over the hosts.
    Alert(Alert),
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The same for as long as its labels are, also when it lapses and returns.
    pub fingerprint: String,
    /// Its name.
    pub name: String,
    /// Since when it fires. It moves when the alert lapses and returns.
    pub since: Timestamp,
    /// Its label `severity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

/// What a report is about. Reports of the same are seen together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// A service of the inventory.
    Service(ServiceName),
    /// It is not known which service: by the name of the alert.
    Unknown(String),
}

/// A report at its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its entry in the journal.
    pub entry: u64,
    /// When it was heard.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub said: Reported,
}

impl Report {
    /// Whether both say the same: the same alert, or the same person in the same words. One person may speak for several
    /// customers, and each in other words.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.said.source, &other.said.source) {
            (Source::Alert(one), Source::Alert(another)) => one.fingerprint == another.fingerprint,
            (Source::Person(one), Source::Person(another)) => one == another && self.key() == other.key(),
            _ => false,
        }
    }

    /// What tells it from those that say something else.
    fn key(&self) -> (bool, &str, String) {
        match &self.said.source {
            Source::Alert(alert) => (true, &alert.fingerprint, String::new()),
            Source::Person(person) => {
                let words = self.said.words.to_lowercase();
                let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                (false, person.as_str(), words.collect::<Vec<_>>().join(" "))
            }
        }
    }

    /// Whether an alert said it.
    pub const fn is_alert(&self) -> bool {
        matches!(self.said.source, Source::Alert(_))
    }
}

/// How many of these say something else than the others.
pub fn distinct<'a>(reports: impl IntoIterator<Item = &'a Report>) -> usize {
    reports.into_iter().map(Report::key).collect::<BTreeSet<_>>().len()
}

impl Incident {
    /// How many sources reported it, up to this report by its number from 1.
    pub fn reporters_up_to(&self, number: u32) -> usize {
        distinct(self.reports.iter().take(number as usize))
    }

    /// The last word of a source, if it is known here.
    pub fn last_of(&self, report: &Report) -> Option<&Report> {
        self.reports.iter().rev().find(|known| known.is_same(report))
    }

    /// Whether it takes no more reports.
    pub const fn is_full(&self) -> bool {
        self.reports.len() >= MAX_REPORTS
    }

    /// Whether an alert that calls at once makes it worse than it is known to be: such a one is heard also where it is full.
    pub fn is_mild(&self) -> bool {
        self.severity > Severity::Sev2
    }

    /// Whether it has alerts, and all of them are over. Where there were too many to know each, nobody can say that.
    pub fn all_alerts_are_over(&self) -> bool {
        if self.is_full() {
            return false;
        }
        let mut alerts = self.reports.iter().filter(|report| report.is_alert()).peekable();
        alerts.peek().is_some()
            && alerts.all(|report| self.last_of(report).is_some_and(|last| last.said.over))
    }
}
