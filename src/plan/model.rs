//! The plan: a fixed list of rendered steps on named hosts. What is shown is what is confirmed, and what runs.
//!
//! A plan is plain data and is stored whole. Its digest covers all of it; measured values are shown and recorded
//! beside it (see [`Offer`]), because a lag changes every second and an approval must not be void for that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::usual::Usual;
use crate::duty::Fate;
use crate::runbook::expression::Value;
use crate::runbook::model::Effect;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, HostName, Person, Role, RunbookName, ServiceName};

/// The version of the form of plans. A run ends under the form that it began with.
pub const PLAN_FORMAT: u32 = 1;

/// What is confirmed, approved and run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form.
    pub format: u32,
    /// The runbook.
    pub runbook: RunbookName,
    /// SHA-256 of every file that the plan was made from: runbook, packs, policy.
    pub files: BTreeMap<String, String>,
    /// What the run does, in one line.
    pub title: String,
    /// Who asked for it.
    pub asked_by: Person,
    /// Why, in their words.
    pub reason: String,
    /// The parameters with their values, in the order of the runbook.
    pub parameters: Vec<(String, Value)>,
    /// Who was primary and who a replica, of every cluster.
    pub topology: BTreeMap<ClusterName, Topology>,
    /// How each host is reached, and which key it must show.
    pub hosts: BTreeMap<HostName, HostPin>,
    /// What the inventory says of the clusters and hosts that checks and commands may read.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Every check and watch as it is written, by the place where it is asked.
    pub checks: Vec<CheckText>,
    /// How many watches the whole run has.
    pub watches: usize,
    /// What is done, in order.
    pub blocks: Vec<Block>,
    /// Titles of what `when` left out.
    pub left_out: Vec<String>,
    /// Where each secret is read from that a step or a probe gets. Never a value, and nothing that is made of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Texts of all scripts, by their SHA-256.
    pub scripts: BTreeMap<String, String>,
    /// Who must agree.
    pub approvals: Approvals,
    /// The resources that the run claims, in the order in which they are claimed.
    pub holds: Vec<Resource>,
    /// The incident that it opens.
    pub incident: Option<IncidentPlan>,
    /// Who is told.
    pub tell: Vec<TellPlan>,
    /// What is owed afterwards.
    pub follow_up: Vec<FollowUpPlan>,
    /// The runbook to turn to.
    pub contingency: Option<String>,
}

/// Who was what in a cluster when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The primary; none in a cluster whose kind knows no roles, such as web servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<HostName>,
    /// Nobody answered as primary: this one is believed, from the last plan or the inventory.
    pub believed: bool,
    /// Those that answered as replica.
    pub replicas: Vec<HostName>,
    /// Members that did not answer.
    pub silent: Vec<HostName>,
    /// Hosts that may join.
    pub spares: Vec<HostName>,
}

impl Topology {
    /// Of a cluster whose kind knows no roles.
    pub fn without_roles(spares: Vec<HostName>) -> Self {
        Self { primary: None, believed: false, replicas: Vec::new(), silent: Vec::new(), spares }
    }
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPin {
    /// Its address.
    pub address: String,
    /// The port of its sshd.
    pub port: u16,
    /// Whom ssh logs in as.
    pub user: String,
    /// The fingerprints of the keys that it may show.
    pub keys: Vec<String>,
}

/// A resource that one run at a time may claim: `cluster/orders`, `host/pg2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resource(pub String);

impl Resource {
    /// A cluster.
    pub fn cluster(name: &ClusterName) -> Self {
        Self(format!("cluster/{name}"))
    }

    /// A host.
    pub fn host(name: &HostName) -> Self {
        Self(format!("host/{name}"))
    }

    /// Whether this host has to know who holds it: everything but other hosts.
    pub fn concerns(&self, host: &HostName) -> bool {
        !self.0.starts_with("host/") || *self == Self::host(host)
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A check as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckText {
    /// Where it is asked: `preflight`, `require of step 3`.
    pub asked: String,
    /// The condition.
    pub that: String,
    /// Its sentence.
    pub says: String,
    /// How long it may take to come true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Millis>,
    /// How long it must then stay true.
    #[serde(skip_serializing_if = "Option::is_none", rename = "for")]
    pub hold_for: Option<Millis>,
}

/// A unit by itself, or units that are done host by host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// One unit.
    One(Unit),
    /// Units host by host.
    Each(EachBlock),
}

impl Block {
    /// The unit of this number and lane, if it is in here.
    fn unit(&self, number: u32, lane: Option<&HostName>) -> Option<&Unit> {
        match (self, lane) {
            (Self::One(unit), None) => Some(unit).filter(|unit| unit.number == number),
            (Self::Each(each), Some(lane)) => each.lanes.get(lane)?.iter().find(|unit| unit.number == number),
            _ => None,
        }
    }
}

/// Where a unit stands in the order of the run: block by block, batch by batch; of a batch host by host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which block of the plan.
    pub block: usize,
    /// Which batch of it.
    pub batch: usize,
    /// Which host of the batch.
    pub nth: usize,
    /// The number of the unit.
    pub number: u32,
}

/// Units that are done host by host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EachBlock {
    /// The name of the host at hand.
    pub variable: String,
    /// The hosts, batch by batch. The first batch is one host.
    pub batches: Vec<Vec<HostName>>,
    /// Between batches.
    pub pause: Millis,
    /// How many hosts may fail before the run stands still.
    pub failures: usize,
    /// What is done for each: the units of one host, in order. All hosts have the same numbers.
    pub lanes: BTreeMap<HostName, Vec<Unit>>,
    /// The titles of the units for all hosts together, by number.
    pub titles: BTreeMap<u32, String>,
}

/// A numbered piece of work: what a person can talk about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Its number in the plan, from 1.
    pub number: u32,
    /// Where it stands in the runbook: which entry of `steps`, and which of an `each`.
    pub path: Path,
    /// Its title.
    pub title: String,
    /// What it is.
    pub work: Work,
}

/// Where a unit stands in its runbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// Which entry of `steps`, from 0.
    pub item: usize,
    /// Which entry of the `steps` of an `each`, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner: Option<usize>,
}

/// What a unit is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// One command on one host.
    Step(Box<StepPlan>),
    /// A gate.
    Wait(WaitPlan),
    /// A question to people.
    Decide(DecidePlan),
}

/// One command on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// What it does to the world.
    pub effect: Effect,
    /// The command.
    pub command: Command,
    /// What is done instead if the host cannot be reached and nothing was started there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<Command>,
    /// What takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What takes back what was done instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_instead: Option<Undo>,
    /// Why it cannot be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_no_undo: Option<String>,
    /// How long it usually takes, if the runbook says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Millis>,
    /// Whether it may be sent again when its outcome is unknown.
    pub repeatable: bool,
    /// Whether something proves it.
    pub has_proof: bool,
    /// How many watches it has.
    pub watches: usize,
    /// Whether something says how far it is.
    pub has_progress: bool,
}

/// A command on a host, with every argument and variable as it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Where it runs.
    pub host: HostName,
    /// The action that it comes from, as `postgresql/promote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What is executed.
    pub body: Body,
    /// The names of the secrets that it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// When we stop waiting and ask.
    pub at_most: Millis,
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// A program with its arguments; no shell sees them.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// A fixed script for `sh -eu`.
    Script {
        /// SHA-256 of its text, prelude included.
        sha256: String,
        /// Its variables, besides `run_id` and `step_dir`.
        variables: BTreeMap<String, String>,
    },
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undo {
    /// A command.
    Command(Command),
    /// Nothing is left to take back, and why.
    Nothing(String),
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitPlan {
    /// When a person is asked.
    pub at_most: Millis,
    /// How long all must hold without a break.
    #[serde(skip_serializing_if = "Option::is_none", rename = "for")]
    pub hold_for: Option<Millis>,
    /// How many watches it has.
    pub watches: usize,
}

/// A question to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidePlan {
    /// Who is asked.
    pub ask: Vec<String>,
    /// By when.
    pub within: Millis,
    /// What yes means.
    pub go_on: String,
    /// What no means.
    pub stop: String,
}

/// Who must agree besides the requester.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Approvals {
    /// How many people.
    pub count: u32,
    /// Roles that may.
    pub by: Vec<String>,
    /// Why there are more than the runbook asks for, as whole sentences.
    pub because: Vec<String>,
    /// One of them must be a commander, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commander: Option<String>,
}

/// The incident that a run opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentPlan {
    /// `sev1`, `sev2`, `sev3`
    pub severity: String,
    /// Opened at the start; otherwise when there is trouble.
    pub at_start: bool,
    /// The title of the service.
    pub service: String,
    /// Its name. Plans of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<ServiceName>,
    /// The role that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Role>,
    /// Its components on the status page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// What the public is told meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<NewsPlan>,
}

/// News for the public on a cadence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsPlan {
    /// How often.
    pub every: Millis,
    /// What customers read.
    pub say: String,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellPlan {
    /// `support`, `status-page` or a role.
    pub who: String,
    /// `before-start`, `start`, `end`
    pub at: String,
    /// `acknowledged`, `published`, `delivered`
    pub until: String,
    /// By when.
    pub within: Millis,
}

/// What the owner owes after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUpPlan {
    /// What.
    pub what: String,
    /// The runbook that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// By when.
    pub within: Millis,
}

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

impl Offer {
    /// How long a step usually takes: as it is stated, or else as it was learnt.
    pub fn usual(&self, number: u32) -> Option<Usual> {
        let step =
            self.plan.units().find(|(_, unit)| unit.number == number).and_then(|(_, unit)| unit.step());
        let stated = step.and_then(|step| step.takes).map(Usual::stated);
        stated.or_else(|| self.beside.learnt.get(&number).copied())
    }
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

impl Plan {
    /// Every unit with its lane, in the order of the plan: block by block, of an `each` host by host.
    pub fn units(&self) -> impl Iterator<Item = (Option<&HostName>, &Unit)> {
        self.placed_units().map(|(_, lane, unit)| (lane, unit))
    }

    /// The same with the place of each.
    pub fn placed_units(&self) -> impl Iterator<Item = (Place, Option<&HostName>, &Unit)> {
        self.blocks.iter().enumerate().flat_map(|(block, found)| match found {
            Block::One(unit) => {
                vec![(Place { block, batch: 0, nth: 0, number: unit.number }, None, unit)]
            }
            Block::Each(each) => {
                let hosts = each.batches.iter().enumerate().flat_map(|(batch, hosts)| {
                    hosts.iter().enumerate().map(move |(nth, host)| (batch, nth, host))
                });
                hosts
                    .flat_map(|(batch, nth, host)| {
                        let units = each.lanes.get(host).into_iter().flatten();
                        units.map(move |unit| {
                            (Place { block, batch, nth, number: unit.number }, Some(host), unit)
                        })
                    })
                    .collect()
            }
        })
    }

    /// The unit of this number and lane.
    pub fn unit(&self, number: u32, lane: Option<&HostName>) -> Option<&Unit> {
        self.blocks.iter().find_map(|block| block.unit(number, lane))
    }

    /// Where the unit of this number and lane stands in the order of the run.
    pub fn place(&self, number: u32, lane: Option<&HostName>) -> Option<Place> {
        let block = self.blocks.iter().position(|block| block.unit(number, lane).is_some())?;
        let (batch, nth) = match (&self.blocks[block], lane) {
            (Block::Each(each), Some(lane)) => {
                let of = |hosts: &Vec<HostName>| hosts.iter().position(|host| host == lane);
                each.batches.iter().enumerate().find_map(|(batch, hosts)| Some((batch, of(hosts)?)))?
            }
            _ => (0, 0),
        };
        Some(Place { block, batch, nth, number })
    }

    /// The lane that stands at a place; none for a unit by itself.
    pub fn lane_at(&self, place: Place) -> Option<&HostName> {
        match self.blocks.get(place.block)? {
            Block::One(_) => None,
            Block::Each(each) => each.batches.get(place.batch)?.get(place.nth),
        }
    }

    /// The number of the last unit that nothing takes back; what stands before it has a way back until it is sent.
    pub fn point_of_no_return(&self) -> Option<u32> {
        self.units()
            .filter(|(_, unit)| unit.effect() == Some(Effect::Irreversible))
            .map(|(_, unit)| unit.number)
            .min()
    }

    /// What a token names: the first cluster, else the first host, else the runbook.
    pub fn target_name(&self) -> String {
        let cluster = self.topology.keys().next().map(ToString::to_string);
        let host = || self.changed_hosts().first().map(ToString::to_string);
        cluster.or_else(host).unwrap_or_else(|| self.runbook.to_string())
    }

    /// Hosts on which something may be changed: by a step, by what is done instead, or when it is taken back.
    pub fn guarded_hosts(&self) -> BTreeSet<&HostName> {
        let steps = self.units().filter_map(|(_, unit)| unit.step()).filter(|step| step.effect.changes());
        steps
            .flat_map(|step| {
                let undos = [&step.undo, &step.undo_instead].map(|undo| match undo {
                    Some(Undo::Command(command)) => Some(command),
                    _ => None,
                });
                [Some(&step.command), step.instead.as_ref()].into_iter().chain(undos).flatten()
            })
            .map(|command| &command.host)
            .collect()
    }

    /// Hosts on which something is changed, in the order of the plan.
    pub fn changed_hosts(&self) -> Vec<&HostName> {
        let mut hosts: Vec<&HostName> = Vec::new();
        for (_, unit) in self.units() {
            if let Work::Step(step) = &unit.work
                && step.effect.changes()
                && !hosts.contains(&&step.command.host)
            {
                hosts.push(&step.command.host);
            }
        }
        hosts
    }
}

impl Unit {
    /// What it does to the world, if it is a step.
    pub fn effect(&self) -> Option<Effect> {
        match &self.work {
            Work::Step(step) => Some(step.effect),
            _ => None,
        }
    }

    /// The step, if it is one.
    pub fn step(&self) -> Option<&StepPlan> {
        match &self.work {
            Work::Step(step) => Some(step),
            _ => None,
        }
    }
}
