//! The order of a plan: blocks, and in a block of many hosts batches and lanes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::unit::Unit;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;

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
    pub(super) fn unit(&self, number: u32, lane: Option<&HostName>) -> Option<&Unit> {
        match (self, lane) {
            (Self::One(unit), None) => Some(unit).filter(|unit| unit.number == number),
            (Self::Each(each), Some(lane)) => each.lanes.get(lane)?.iter().find(|unit| unit.number == number),
            _ => None,
        }
    }
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
