//! A plan with what was measured for it, and what is known besides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::duty::Fate;
use crate::plan::digest::Digest;
use crate::plan::usual::Usual;
use crate::runbook::source::name::HostName;

/// A plan with what was measured for it: what is shown before anyone agrees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The plan.
    pub plan: Plan,
    /// Its digest.
    pub digest: Digest,
    /// The commit of the folder of runbooks, if it is one: information, the files are hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// SHA-256 of the list of all files that it was made from, as the journal keeps them.
    pub sources: String,
    /// Every check of preflight, with what was read.
    pub preflight: Vec<CheckSeen>,
    /// What the guards said of themselves, on the hosts that the plan changes and that answered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guards: BTreeMap<HostName, GuardSeen>,
    /// When the first and the last of it was measured.
    pub measured: (Timestamp, Timestamp),
    /// What is known besides.
    #[serde(default)]
    pub beside: Beside,
}

impl Offer {
    /// How long a step usually takes: as it is stated, or else as it was learnt.
    pub fn usual(&self, number: u32) -> Option<Usual> {
        let step =
            self.plan.units().find(|(_, unit)| unit.number == number).and_then(|(_, unit)| unit.step());
        let stated = step.and_then(|step| step.takes).map(Usual::stated);
        stated.or_else(|| self.beside.learnt.get(&number).copied())
    }
}

/// What was known when a plan was made, and what no agreement depends on: it may be another the next day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Beside {
    /// The role that answers for the runbook: it is asked when the driver is silent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Who is asked next when a role is silent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub escalates_to: BTreeMap<String, String>,
    /// Titles of steps and gates as the runbook has them, by number: the keys of their history.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<u32, String>,
    /// How long steps usually take that say nothing of it, as earlier runs show.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub learnt: BTreeMap<u32, Usual>,
    /// The log of each pack on each host, by `pack/host`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, String>,
    /// Paths by which people are told that depend on what the plan changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fates: Vec<Fate>,
    /// What is typed to turn to the contingency; `…` stands for what only a person can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_to: Option<String>,
}

/// What the guard of a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardSeen {
    /// The identity of its state directory: another one knows nothing of what was done before.
    pub root: String,
    /// The identity of the boot of its host.
    pub boot: String,
}

/// A check that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSeen {
    /// The condition as it is written.
    pub that: String,
    /// Its sentence, rendered.
    pub says: String,
    /// It only warns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warns: bool,
    /// What came out.
    pub verdict: Verdict,
    /// What was read to find it: `node[pg2].replayed` and its value.
    pub read: Vec<(String, String)>,
}

impl CheckSeen {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Holds
    }

    /// Whether it stands in the way.
    pub fn stops(&self) -> bool {
        !self.warns && !self.holds()
    }
}

/// What came out of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It cannot be answered, and why: it does not hold.
    NoAnswer(String),
}
