//! A unit of the plan on one host at hand, and how it stands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::model::CheckSeen;
use crate::run::event::{Exit, OutputSummary};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{HostName, Person};

/// A unit of the plan on one host at hand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitAt {
    /// The number of the unit in the plan.
    pub number: u32,
    /// The host at hand, for units of an `each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<HostName>,
}

/// A watch of a unit, or of the whole run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchAt {
    /// The unit that it watches; none for the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitAt>,
    /// Which of its watches, from 0.
    pub index: usize,
}

/// Which command of a step was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Its own.
    Main,
    /// What is done instead when the host cannot be reached.
    Instead,
}

/// The state of one unit.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitState {
    /// Not begun.
    Waiting {
        /// Attempts before.
        attempts: u32,
    },
    /// Its door did not open: nothing was sent, and a person is asked.
    Shut {
        /// Attempts before.
        attempts: u32,
        /// What did not hold.
        failed: Vec<CheckSeen>,
        /// When.
        at: Timestamp,
    },
    /// The intent is recorded; the command may be running.
    Sent {
        /// Which attempt.
        attempt: u32,
        /// Which command.
        variant: Variant,
        /// When.
        at: Timestamp,
    },
    /// The command ended well; its proof is being asked.
    Ran {
        /// Which attempt.
        attempt: u32,
        /// Which command.
        variant: Variant,
        /// How long it took.
        took: Millis,
    },
    /// It failed: a person is asked.
    Failed {
        /// Attempts so far.
        attempts: u32,
        /// Which command was sent last.
        variant: Variant,
        /// Whether a command was sent at all.
        sent: bool,
        /// What happened.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// Nobody knows whether or how it ended.
    Unknown {
        /// Which attempt.
        attempt: u32,
        /// Which command.
        variant: Variant,
        /// What broke.
        why: String,
        /// When it was sent.
        sent_at: Timestamp,
        /// When it was lost.
        at: Timestamp,
        /// What could be found out; `None` while the bot is still asking.
        found: Option<Vec<CheckSeen>>,
    },
    /// A person said that it was not done: it is sent again only after a new approval.
    Withheld {
        /// Attempts so far.
        attempts: u32,
        /// Who agreed to send it again.
        approvals: Vec<Person>,
    },
    /// Done, and proven where something proves it.
    Succeeded {
        /// Which command did it.
        variant: Variant,
        /// How long it took, proof included.
        took: Millis,
        /// What proved it.
        proof: Vec<CheckSeen>,
    },
    /// A person went on without it.
    Skipped {
        /// Who.
        by: Person,
        /// Why.
        why: String,
    },
    /// Taken back.
    Undone,
    /// A gate that is being measured.
    Holding {
        /// Since when; it is put forward when a person waits as long again.
        since: Timestamp,
    },
    /// A gate past its limit: a person is asked.
    Overdue {
        /// What does not hold.
        failed: Vec<CheckSeen>,
        /// When.
        at: Timestamp,
    },
    /// A question that is open.
    Asked {
        /// Since when.
        at: Timestamp,
        /// How often people were reminded: 1 at half time, 2 when time was over.
        reminded: u32,
        /// The checks of preflight, measured afresh.
        seen: Vec<CheckSeen>,
    },
}

impl UnitState {
    /// Whether nothing more is to be done for it.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Skipped { .. } | Self::Undone)
    }

    /// Whether a person is asked about it.
    pub const fn needs_person(&self) -> bool {
        matches!(
            self,
            Self::Shut { .. }
                | Self::Failed { .. }
                | Self::Unknown { found: Some(_), .. }
                | Self::Withheld { .. }
                | Self::Overdue { .. }
                | Self::Asked { .. }
        )
    }

    /// Whether the bot or a host is at work for it.
    pub const fn is_at_work(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Ran { .. } | Self::Unknown { found: None, .. })
    }

    /// When what works was sent, or what nobody knows the end of.
    pub const fn sent_at(&self) -> Option<Timestamp> {
        match self {
            Self::Sent { at, .. } | Self::Unknown { sent_at: at, .. } => Some(*at),
            _ => None,
        }
    }

    /// How many attempts were made so far.
    pub const fn attempts(&self) -> u32 {
        match self {
            Self::Waiting { attempts }
            | Self::Shut { attempts, .. }
            | Self::Failed { attempts, .. }
            | Self::Withheld { attempts, .. } => *attempts,
            Self::Sent { attempt, .. } | Self::Ran { attempt, .. } | Self::Unknown { attempt, .. } => {
                *attempt
            }
            _ => 0,
        }
    }
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The host could not be reached; nothing was sent.
    Unreachable(String),
    /// The command ended badly.
    Exit {
        /// How.
        exit: Exit,
        /// After how long.
        took: Millis,
        /// What it printed.
        output: OutputSummary,
        /// It was ended, and these processes of it live on in sessions of their own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        escaped: Vec<u32>,
    },
    /// The command ended well, and what must be true afterwards is not.
    NotProven(Vec<CheckSeen>),
    /// A watch broke, and its processes were ended.
    WatchBroke(Box<CheckSeen>),
}
