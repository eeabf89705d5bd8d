//! One record of the journal, and the chain that binds it to all before it.
//!
//! An entry is one line of canonical JSON. Its hash is SHA-256 over a zero byte and that line, which is also the leaf
//! of an RFC 6962 Merkle tree; each entry holds the hash of the one before, so that nothing can be changed, removed or
//! moved without every later entry telling.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::incident::IncidentId;
use crate::plan::canonical_json;
use crate::policy::decide::Door;
use crate::run::RunId;
use crate::runbook::source::name::Person;

/// The version of the form of entries and of the events in them. A new reader reads every old one.
pub const ENTRY_FORMAT: u32 = 1;

/// The hash that stands before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of this form.
    pub v: u32,
    /// Its position, from 1, without a gap.
    pub seq: u64,
    /// The hash of the entry before.
    pub prev: String,
    /// When it was decided.
    pub time: Timestamp,
    /// The version of the bot that wrote it.
    pub bot: String,
    /// Who caused it; none if it was the bot itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The incident that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Which event of its run or incident it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// What happened: the name of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event itself.
    pub data: serde_json::Value,
}

/// What an entry of any version says.
#[derive(Deserialize)]
struct Form {
    v: u32,
}

/// Who caused an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person; none if the account belongs to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// The account that they used.
    pub account: String,
    /// The way in.
    pub door: Door,
}

impl Entry {
    /// Reads a stored line. Its version is looked at first: a newer form is named as one, and never guessed at.
    pub fn read(line: &str) -> Result<Self, Broken> {
        let unreadable = |error: serde_json::Error| Broken::Unreadable(error.to_string());
        let Form { v } = serde_json::from_str(line).map_err(unreadable)?;
        if v > ENTRY_FORMAT {
            return Err(Broken::Version(v));
        }
        serde_json::from_str(line).map_err(unreadable)
    }

    /// The line that is stored and hashed.
    pub fn line(&self) -> String {
        canonical_json(self)
    }
}

/// The hash of a stored line.
pub fn leaf(line: &str) -> String {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(line.as_bytes());
    hex::encode(hash.finalize())
}

/// What is wrong with a stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The line is no entry.
    Unreadable(String),
    /// A position is missing or there twice.
    Gap {
        /// The position that should stand here.
        expected: u64,
        /// The position that stands here.
        found: u64,
    },
    /// The hash of the entry before is another one.
    Chain,
    /// The line does not have the hash that is stored beside it.
    Edited,
    /// The columns beside the line say something else than the line.
    Index(String),
    /// The form of the entry is newer than this program.
    Version(u32),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::Gap { expected, found } => {
                write!(f, "entry {expected} should stand here, and {found} does")
            }
            Self::Chain => f.write_str("it does not continue the entry before"),
            Self::Edited => f.write_str("it was edited: its hash is another one"),
            Self::Index(what) => write!(f, "{what} beside it says something else"),
            Self::Version(v) => write!(f, "it has the form {v}, and this program knows {ENTRY_FORMAT}"),
        }
    }
}

/// Checks entry after entry.
#[derive(Debug)]
pub struct Chain {
    next: u64,
    head: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { next: 1, head: GENESIS.to_owned() }
    }
}

impl Chain {
    /// Checks the next entry: its stored line and the hash stored beside it.
    pub fn check(&mut self, line: &str, stored_hash: &str) -> Result<Entry, Broken> {
        let entry = Entry::read(line)?;
        if entry.seq != self.next {
            return Err(Broken::Gap { expected: self.next, found: entry.seq });
        }
        let hash = leaf(line);
        if hash != stored_hash {
            return Err(Broken::Edited);
        }
        if entry.prev != self.head {
            return Err(Broken::Chain);
        }
        self.next += 1;
        self.head = hash;
        Ok(entry)
    }

    /// How many entries were checked, and the hash of the last.
    pub fn head(&self) -> (u64, &str) {
        (self.next - 1, &self.head)
    }
}
