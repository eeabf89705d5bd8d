//! What is shown of steps besides their state: how far they are, and the log of the system that they work on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Run;
use super::unit::{Failure, UnitAt, UnitState};
use crate::runbook::source::literal::Millis;

/// How far a step that works is: shown, never recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HowFar {
    /// Of all of it, if that is known.
    pub percent: Option<u8>,
    /// In its own units: `251 GiB of 412 GiB`. Empty where nothing says so.
    pub amount: String,
    /// How fast it goes: `40 MiB/s`.
    pub rate: Option<String>,
    /// How long it still takes, where that is known well enough.
    pub left: Option<Millis>,
    /// Nobody has answered how far it is since then.
    pub silent_since: Option<Timestamp>,
    /// The last lines that it printed, as they came from the host.
    pub lines: Vec<String>,
}

/// How far the steps of a run are that work.
pub type Far = BTreeMap<UnitAt, HowFar>;

/// The end of a log of the system that a step works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// Where it lies.
    pub path: String,
    /// Its last lines, as they came from the host.
    pub lines: Vec<String>,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

impl Run {
    /// Where the log lies of the system that a step works on.
    pub fn log_path(&self, at: &UnitAt) -> Option<&str> {
        let command = self.command(at, self.variant(at))?;
        let (pack, _) = command.action.as_ref()?.split_once('/')?;
        let logs = &self.offer.as_ref()?.beside.logs;
        logs.get(&format!("{pack}/{}", command.host)).map(String::as_str)
    }

    /// A step failed, and the log of its system is still to be read: people are asked when it was.
    pub fn wants_log(&self, at: &UnitAt) -> bool {
        let failed = match self.units.get(at) {
            Some(UnitState::Failed { failure, .. }) => !matches!(failure, Failure::Unreachable(_)),
            _ => false,
        };
        failed && !self.logs.contains_key(at) && self.log_path(at).is_some()
    }
}
