//! What the plan of a run says of a unit, and how much of the plan is done.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use super::unit::{UnitAt, UnitState, Variant};
use crate::plan::model::{Block, Command, StepPlan, Unit};
use crate::plan::usual::Usual;
use crate::runbook::source::name::HostName;

impl Run {
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
