//! The state of one run, as its events made it.
//!
//! The fields stand here. What is asked of them stands beside: `of_plan` looks up what the plan says of a unit, and
//! `front` tells what is at hand and for whom the run waits.

mod front;
mod of_plan;
mod said;
mod shown;
mod undo;
mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde::{Deserialize, Serialize};

pub use front::AskedAfter;
pub use said::{Approval, Pause, Requested, Stop, Token};
pub use shown::{Far, HowFar, LogTail};
pub use undo::{UndoState, UndoStep};
pub use unit::{Failure, UnitAt, UnitState, Variant, WatchAt};

use crate::plan::model::{CheckSeen, GuardSeen, Offer, Place, Plan};
use crate::plan::{Digest, Resource};
use crate::runbook::source::name::{HostName, Person};

/// The number of a run, counted by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state of one run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// How many events it has.
    pub version: u64,
    /// What was asked for.
    pub request: Requested,
    /// When.
    pub requested: Timestamp,
    /// The plan and what was measured for it.
    pub offer: Option<Arc<Offer>>,
    /// Where it stands.
    pub phase: Phase,
    /// What must be typed now to confirm the plan.
    pub token: Option<Token>,
    /// Wrong tokens typed for this plan.
    pub wrong_tokens: u32,
    /// When the requester read the plan back.
    pub confirmed: Option<Timestamp>,
    /// Until when others may agree.
    pub approve_until: Option<Timestamp>,
    /// Who agreed.
    pub approvals: Vec<Approval>,
    /// What it claims, with fencing tokens.
    pub holds: Vec<(Resource, u64)>,
    /// What the guards of its hosts said of themselves when it started.
    pub guards: BTreeMap<HostName, GuardSeen>,
    /// The person who answers its questions.
    pub driver: Person,
    /// Whom the driver offered the run to.
    pub offered_to: Option<Person>,
    /// The state of every unit. As with the other two maps of units, a copy of it shares what did not change: each event
    /// has a state of its own, and a run may have thousands of units.
    pub units: RedBlackTreeMapSync<UnitAt, UnitState>,
    /// The units that are not over, in the order of the run.
    pub open: RedBlackTreeSetSync<Place>,
    /// Units in the order in which they were sent.
    pub sent: Vec<UnitAt>,
    /// Attempts that reached their host, or may have, with the command that was sent.
    pub reached: RedBlackTreeMapSync<UnitAt, BTreeMap<u32, Variant>>,
    /// How often taking a unit back was sent, over all its undos: an attempt has a number of its own.
    pub undo_attempts: BTreeMap<UnitAt, u32>,
    /// Batches that have rested: block and batch.
    pub rested: Vec<(usize, usize)>,
    /// When the batch before the next one ended: block, batch, time.
    pub resting: Option<(usize, usize, Timestamp)>,
    /// Watches that are broken, with what was seen, and whether they end what they watch.
    pub broken: BTreeMap<WatchAt, (CheckSeen, bool)>,
    /// Steps that work and stand still, since when.
    pub stalled: BTreeMap<UnitAt, Timestamp>,
    /// Steps that work for longer than is usual.
    pub late: BTreeSet<UnitAt>,
    /// Steps that work on hosts to which the connection broke: since when, and why.
    pub unlinked: BTreeMap<UnitAt, (Timestamp, String)>,
    /// The tail of the system's log, for steps that failed.
    pub logs: BTreeMap<UnitAt, LogTail>,
    /// Roles that were asked about a unit because those before them were silent.
    pub asked_next: BTreeMap<UnitAt, Vec<String>>,
    /// A person said stop.
    pub stop: Option<Stop>,
    /// Nothing new begins.
    pub pause: Option<Pause>,
    /// Taking back.
    pub undo: Option<UndoState>,
    /// When everybody knew who must know before anything is changed.
    pub known: Option<Timestamp>,
    /// When the first step could begin.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// What it ended for, and what is left, as sentences.
    pub remarks: Vec<String>,
}

impl Run {
    /// A run that was just asked for.
    pub fn new(id: RunId, request: Requested, at: Timestamp) -> Self {
        Self {
            id,
            version: 0,
            driver: request.by.clone(),
            request,
            requested: at,
            offer: None,
            phase: Phase::Measuring,
            token: None,
            wrong_tokens: 0,
            confirmed: None,
            approve_until: None,
            approvals: Vec::new(),
            holds: Vec::new(),
            guards: BTreeMap::new(),
            undo_attempts: BTreeMap::new(),
            offered_to: None,
            units: RedBlackTreeMapSync::new_sync(),
            open: RedBlackTreeSetSync::new_sync(),
            sent: Vec::new(),
            reached: RedBlackTreeMapSync::new_sync(),
            rested: Vec::new(),
            resting: None,
            broken: BTreeMap::new(),
            stalled: BTreeMap::new(),
            late: BTreeSet::new(),
            unlinked: BTreeMap::new(),
            logs: BTreeMap::new(),
            asked_next: BTreeMap::new(),
            stop: None,
            pause: None,
            undo: None,
            known: None,
            started: None,
            ended: None,
            remarks: Vec::new(),
        }
    }

    /// The plan, once there is one.
    pub fn plan(&self) -> Option<&Plan> {
        self.offer.as_ref().map(|offer| &offer.plan)
    }

    /// The digest of the plan.
    pub fn digest(&self) -> Option<&Digest> {
        self.offer.as_ref().map(|offer| &offer.digest)
    }

    /// Whether the run is over.
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The plan is being made.
    Measuring,
    /// The requester is to read it back.
    Confirming,
    /// Others are to agree.
    Approving,
    /// All have agreed: holds are taken and everything is measured once more.
    Ready,
    /// Steps are done.
    Working,
    /// Steps are taken back.
    Undoing,
    /// It is over.
    Ended(Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step was done and proven.
    Succeeded,
    /// The run reached its end, and something is left over.
    WithIssues,
    /// What was done has been taken back.
    Undone,
    /// A person ended it.
    Stopped,
    /// It never began: a person, a check or a hold said no.
    Refused,
    /// It never began: nobody answered in time.
    Expired,
    /// An undo failed, and a person gave up.
    Stuck,
}
