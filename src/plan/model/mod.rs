//! The plan: a fixed list of rendered steps on named hosts. What is shown is what is confirmed, and what runs.
//!
//! A plan is plain data and is stored whole. Its digest covers all of it; measured values are shown and recorded
//! beside it (see [`Offer`]), because a lag changes every second and an approval must not be void for that.

mod block;
mod offer;
mod people;
mod unit;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use block::{Block, EachBlock, Place};
pub use offer::{Beside, CheckSeen, GuardSeen, Offer, Verdict};
pub use people::{Approvals, FollowUpPlan, IncidentPlan, NewsPlan, TellPlan};
pub use unit::{Body, Command, DecidePlan, Path, StepPlan, Undo, Unit, WaitPlan, Work};

use crate::runbook::expression::Value;
use crate::runbook::model::Effect;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, HostName, Person, RunbookName};

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
