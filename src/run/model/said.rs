//! What people asked for and said: the request, its token, approvals, a pause, a stop.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::decide::Door;
use crate::runbook::source::name::{Person, RunbookName};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// The runbook.
    pub runbook: RunbookName,
    /// The values as they were typed.
    pub arguments: Vec<(String, String)>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: Person,
    /// The account that they used.
    pub account: String,
    /// The way in.
    pub door: Door,
}

/// What must be typed to agree: it names the target and is good once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// As it is typed: `orders-k7m2qx`.
    pub text: String,
    /// Until when.
    pub expires: Timestamp,
}

/// A person agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: Person,
    /// When.
    pub at: Timestamp,
    /// The roles that they had then.
    pub roles: Vec<String>,
    /// Whether they were a commander.
    pub commander: bool,
}

/// Why nothing new begins until somebody says resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Who said so; none if the run paused by itself.
    pub by: Option<Person>,
    /// Why it paused by itself, as a sentence.
    pub why: String,
    /// Since when.
    pub at: Timestamp,
}

/// A person said stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Who.
    pub by: Person,
    /// When.
    pub at: Timestamp,
    /// What runs is ended too.
    pub now: bool,
}
