//! What is written together, and why it may not be.

use jiff::Timestamp;

use super::entry::Actor;
use super::{Output, OutputKey};
use crate::incident::{self, IncidentId};
use crate::plan::Resource;
use crate::run::{RunId, Stamped};

/// Entries that stand or fall together, with what belongs to them.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// The run that they belong to.
    pub run: Option<RunAppend>,
    /// The incident that they belong to. Nothing belongs to both.
    pub incident: Option<IncidentAppend>,
    /// In order.
    pub entries: Vec<NewEntry>,
    /// Files that a plan was made from: SHA-256 and text.
    pub blobs: Vec<(String, String)>,
    /// What commands printed.
    pub outputs: Vec<(OutputKey, Output)>,
}

/// What an append says of its run.
#[derive(Debug, Clone)]
pub struct RunAppend {
    /// The run.
    pub id: RunId,
    /// How many events it has before; another number means that somebody else was faster.
    pub expected: u64,
    /// Whether it is still open afterwards.
    pub open: bool,
    /// Everything that it holds afterwards, with tokens; `None` if that does not change.
    pub holds: Option<Vec<(Resource, u64)>>,
}

/// What an append says of its incident.
#[derive(Debug, Clone)]
pub struct IncidentAppend {
    /// The incident.
    pub id: IncidentId,
    /// How many events it has before; another number means that somebody else was faster.
    pub expected: u64,
    /// Whether it is still open afterwards.
    pub open: bool,
}

/// An entry before it has its place.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// When it was decided.
    pub time: Timestamp,
    /// Who caused it.
    pub actor: Option<Actor>,
    /// The name of the event.
    pub kind: String,
    /// The event.
    pub data: serde_json::Value,
}

impl NewEntry {
    /// An event of a run. The name of the event is the type of the entry, and its content the data.
    ///
    /// # Panics
    /// Never: events serialize to a name, or to a map of one name.
    pub fn of_event(stamped: &Stamped, actor: Option<Actor>) -> Self {
        let (kind, data) = named(serde_json::to_value(&stamped.event).expect("events serialize"));
        Self { time: stamped.at, actor, kind, data }
    }

    /// An event of an incident, in the same form.
    ///
    /// # Panics
    /// Never: as of a run.
    pub fn of_incident(stamped: &incident::Stamped, actor: Option<Actor>) -> Self {
        let (kind, data) = named(serde_json::to_value(&stamped.event).expect("events serialize"));
        Self { time: stamped.at, actor, kind, data }
    }
}

/// The name of an event, and what it says.
fn named(event: serde_json::Value) -> (String, serde_json::Value) {
    match event {
        serde_json::Value::String(kind) => (kind, serde_json::Value::Null),
        serde_json::Value::Object(map) => map.into_iter().next().expect("an event has one name"),
        other => (other.to_string(), serde_json::Value::Null),
    }
}

/// A claim that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub resource: Resource,
    /// By which run.
    pub run: RunId,
    /// Its fencing token.
    pub token: u64,
    /// Since when.
    pub since: Timestamp,
}

/// Why an append was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote first.
    #[error("run {run} has {stored} events, not {expected}: somebody else was faster")]
    Conflict {
        /// The run.
        run: RunId,
        /// Events that it was thought to have.
        expected: u64,
        /// Events that it has.
        stored: u64,
    },
    /// Somebody else wrote of the incident first.
    #[error("{incident} has {stored} events, not {expected}: somebody else was faster")]
    IncidentConflict {
        /// The incident.
        incident: IncidentId,
        /// Events that it was thought to have.
        expected: u64,
        /// Events that it has.
        stored: u64,
    },
    /// Another run holds a resource.
    #[error("{} is held by run {}", .0.resource, .0.run)]
    Held(Held),
    /// The fencing token is not newer than the last.
    #[error("the token {token} of {resource} is not newer than {last}")]
    StaleToken {
        /// The resource.
        resource: Resource,
        /// The token that was claimed.
        token: u64,
        /// The last one.
        last: u64,
    },
    /// Certainly not written: nothing starts, and the bot stays up to be read.
    #[error("the journal was not written: {why}")]
    NotWritten {
        /// Why.
        why: String,
    },
    /// Nobody knows whether it was written: the process must end, open the file again and look.
    #[error("whether the journal was written is not known: {why}")]
    Fatal {
        /// Why.
        why: String,
    },
}
