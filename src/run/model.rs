//! The state of one run, as its events made it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde::{Deserialize, Serialize};

use super::event::{Exit, OutputSummary};
use super::next::turn;
use crate::plan::model::{Block, CheckSeen, Command, GuardSeen, Offer, Place, Plan, StepPlan, Unit};
use crate::plan::usual::Usual;
use crate::plan::{Digest, Resource};
use crate::policy::decide::Door;
use crate::runbook::model::Effect;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{HostName, Person, RunbookName};

/// The number of a run, counted by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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

/// Taking back what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoState {
    /// Who asked for it.
    pub by: Person,
    /// What is taken back, first one first.
    pub list: Vec<UnitAt>,
    /// What must be typed; none once it was.
    pub token: Option<Token>,
    /// The digest of the list.
    pub digest: Digest,
    /// Where the run stood before.
    pub before: Phase,
    /// How the undo of the step at hand stands.
    pub step: UndoStep,
}

/// How the undo of one step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoStep {
    /// Not sent.
    Waiting {
        /// Attempts before.
        attempts: u32,
    },
    /// Sent; its end is not known yet.
    Sent {
        /// Which attempt.
        attempt: u32,
    },
    /// It failed or its outcome is unknown: a person is asked.
    Failed {
        /// Attempts so far.
        attempts: u32,
        /// What happened.
        why: String,
        /// When.
        at: Timestamp,
        /// Whether it may have happened nevertheless.
        unknown: bool,
    },
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

/// The attempt after which people are asked: of a step, typed as `2`, or of taking it back, typed as `u2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedAfter {
    /// Of the step.
    Step(u32),
    /// Of taking it back.
    Undo(u32),
}

impl fmt::Display for AskedAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(attempt) => attempt.fmt(f),
            Self::Undo(attempt) => write!(f, "u{attempt}"),
        }
    }
}

impl FromStr for AskedAfter {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('u') {
            Some(undo) => undo.parse().map(Self::Undo),
            None => text.parse().map(Self::Step),
        }
    }
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

    /// The unit of the plan at this place.
    pub fn unit(&self, at: &UnitAt) -> Option<&Unit> {
        self.plan()?.unit(at.number, at.lane.as_ref())
    }

    /// The step of the plan at this place.
    pub fn step(&self, at: &UnitAt) -> Option<&StepPlan> {
        self.unit(at)?.step()
    }

    /// The command that this variant of a step sends.
    pub fn command(&self, at: &UnitAt, variant: Variant) -> Option<&Command> {
        let step = self.step(at)?;
        match variant {
            Variant::Main => Some(&step.command),
            Variant::Instead => step.instead.as_ref(),
        }
    }

    /// How long a unit usually takes, if that is stated or was learnt.
    pub fn usual(&self, at: &UnitAt) -> Option<Usual> {
        self.offer.as_ref()?.usual(at.number)
    }

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

    /// Whether the processes of a step are halted, because a watch is broken.
    pub fn is_halted(&self, at: &UnitAt) -> bool {
        self.broken.keys().any(|watch| watch.unit.as_ref().is_none_or(|unit| unit == at))
    }

    /// How many steps of the plan are done, and how many there are. One on several hosts is one, done when it is on all
    /// that were not left out.
    pub fn steps_done(&self) -> (usize, usize) {
        let mut numbers: BTreeMap<u32, bool> = BTreeMap::new();
        for (at, state) in self.units.iter().filter(|(_, state)| !matches!(state, UnitState::Skipped { .. }))
        {
            *numbers.entry(at.number).or_insert(true) &= matches!(state, UnitState::Succeeded { .. });
        }
        let all: BTreeSet<u32> = self.units.keys().map(|at| at.number).collect();
        (numbers.values().filter(|done| **done).count(), all.len())
    }

    /// Which command of a step was sent last, or will be sent first.
    pub fn variant(&self, at: &UnitAt) -> Variant {
        match self.units.get(at) {
            Some(
                UnitState::Sent { variant, .. }
                | UnitState::Ran { variant, .. }
                | UnitState::Failed { variant, .. }
                | UnitState::Unknown { variant, .. }
                | UnitState::Succeeded { variant, .. },
            ) => *variant,
            _ => Variant::Main,
        }
    }

    /// Whether anything was sent that changes something.
    pub fn has_sent_a_change(&self) -> bool {
        self.sent.iter().any(|at| self.step(at).is_some_and(|step| step.effect.changes()))
    }

    /// Whether somebody must know before anything is changed, and that is not so yet. What was begun is never held back.
    pub fn is_not_known(&self) -> bool {
        let before = |plan: &Plan| plan.tell.iter().any(|tell| tell.at == "before-start");
        self.known.is_none() && self.plan().is_some_and(before) && !self.has_sent_a_change()
    }

    /// Whether a step that changes something is next, and does not begin because somebody must know before.
    pub fn waits_to_be_known(&self) -> bool {
        let goes_on = self.stop.is_none() && self.pause.is_none() && self.broken.is_empty();
        let changes = |at: &UnitAt| self.step(at).is_some_and(|step| step.effect.changes());
        self.phase == Phase::Working && goes_on && self.is_not_known() && turn(self).iter().any(changes)
    }

    /// Who must know before anything is changed.
    pub fn must_know(&self) -> Vec<&str> {
        let tells = self.plan().map(|plan| plan.tell.as_slice()).unwrap_or_default();
        tells.iter().filter(|tell| tell.at == "before-start").map(|tell| tell.who.as_str()).collect()
    }

    /// Whether the run is over.
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// The first unit of each host of the batch at hand that is not over, or the one unit at hand: what comes before is
    /// over, and what comes after has not begun.
    pub fn front(&self) -> impl Iterator<Item = (UnitAt, &UnitState)> {
        let first = self.open.first().copied();
        let after = |place: &Place| {
            let next_lane = Place { nth: place.nth + 1, number: 0, ..*place };
            let next = self.open.range(next_lane..).next().copied();
            next.filter(|next| (next.block, next.batch) == (place.block, place.batch))
        };
        std::iter::successors(first, after).filter_map(|place| {
            let lane = self.plan()?.lane_at(place).cloned();
            let at = UnitAt { number: place.number, lane };
            let state = self.units.get(&at)?;
            Some((at, state))
        })
    }

    /// Whether the bot or a host is at work for any unit.
    pub fn is_at_work(&self) -> bool {
        self.front().any(|(_, state)| state.is_at_work())
    }

    /// Units about which a person is asked, in the order of the plan.
    pub fn questions(&self) -> impl Iterator<Item = (UnitAt, &UnitState)> {
        self.front().filter(|(_, state)| state.needs_person())
    }

    /// After which attempt people are asked about a unit, if they are: also about an undo of it. What was never sent
    /// counts as the first attempt.
    pub fn asked_about(&self, at: &UnitAt) -> Option<AskedAfter> {
        if let Some(undo) = self.undo.as_ref().filter(|_| self.phase == Phase::Undoing) {
            return match undo.step {
                UndoStep::Failed { attempts, .. } if undo.list.first() == Some(at) => {
                    Some(AskedAfter::Undo(attempts))
                }
                _ => None,
            };
        }
        let asked = self.units.get(at).filter(|state| state.needs_person());
        asked.map(|state| AskedAfter::Step(state.attempts().max(1)))
    }

    /// Whether nothing moves until a person says something.
    pub fn waits_for_person(&self) -> bool {
        match self.phase {
            Phase::Measuring | Phase::Ready => false,
            Phase::Confirming | Phase::Approving | Phase::Ended(_) => true,
            Phase::Undoing => self
                .undo
                .as_ref()
                .is_some_and(|undo| undo.token.is_some() || matches!(undo.step, UndoStep::Failed { .. })),
            Phase::Working => {
                let at_work = self.is_at_work();
                if !self.broken.is_empty() {
                    return !at_work && self.broken.values().any(|(_, ends)| *ends);
                }
                let asked = self.questions().next().is_some();
                let reads = self.units.keys().any(|at| self.wants_log(at));
                let waits = self.pause.is_some() || self.undo.is_some() || self.waits_to_be_known();
                !at_work && !reads && (asked || waits)
            }
        }
    }

    /// The block of a unit.
    pub fn block_of(&self, at: &UnitAt) -> Option<&Block> {
        self.plan()?.blocks.get(self.block_index(at)?)
    }

    /// Which block of the plan a unit is in.
    pub fn block_index(&self, at: &UnitAt) -> Option<usize> {
        let is_here = |block: &&Block| match block {
            Block::One(unit) => at.lane.is_none() && unit.number == at.number,
            Block::Each(each) => {
                let lane = at.lane.as_ref().and_then(|lane| each.lanes.get(lane));
                lane.is_some_and(|units| units.iter().any(|unit| unit.number == at.number))
            }
        };
        self.plan()?.blocks.iter().position(|block| is_here(&block))
    }

    /// Steps that can be taken back, the last one first; they end at the last irreversible step that was sent.
    /// `including` names a step that did not succeed and may have done something nevertheless.
    pub fn can_undo(&self, including: Option<u32>) -> Vec<UnitAt> {
        let mut list = Vec::new();
        for at in self.sent.iter().rev() {
            let Some(step) = self.step(at) else { continue };
            if step.effect == Effect::Irreversible {
                break;
            }
            let done = matches!(self.units.get(at), Some(UnitState::Succeeded { .. }));
            let named =
                including == Some(at.number) && !matches!(self.units.get(at), Some(UnitState::Undone));
            if (done || named)
                && step.effect == Effect::Reversible
                && self.undo_of(at).is_some()
                && !list.contains(at)
            {
                list.push(at.clone());
            }
        }
        list
    }

    /// What takes a step back, by the command that reached its host last, or may have. The state of the step does not
    /// tell that: one that was skipped, or waits to be sent again, may have done something before.
    pub fn undo_of(&self, at: &UnitAt) -> Option<&crate::plan::model::Undo> {
        let step = self.step(at)?;
        let last = self.reached.get(at).and_then(|attempts| attempts.values().next_back());
        match last.copied().unwrap_or(Variant::Main) {
            Variant::Main => step.undo.as_ref(),
            Variant::Instead => step.undo_instead.as_ref(),
        }
    }

    /// The irreversible step that was sent last: nothing before it is taken back.
    pub fn past_no_return(&self) -> Option<&UnitAt> {
        let irreversible =
            |at: &&UnitAt| self.step(at).is_some_and(|step| step.effect == Effect::Irreversible);
        self.sent.iter().rev().find(irreversible)
    }

    /// How many hosts of an `each` were given up so far.
    pub fn failed_lanes(&self, block: &Block) -> usize {
        let Block::Each(each) = block else { return 0 };
        let given_up = |host: &&HostName| {
            each.lanes.get(*host).into_iter().flatten().any(|unit| {
                let at = UnitAt { number: unit.number, lane: Some((*host).clone()) };
                matches!(self.units.get(&at), Some(UnitState::Skipped { .. }))
            })
        };
        each.lanes.keys().filter(given_up).count()
    }
}
