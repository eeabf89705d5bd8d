//! What of a run is at hand, and for whom it waits.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use super::undo::UndoStep;
use super::unit::{UnitAt, UnitState};
use super::{Phase, Run};
use crate::plan::model::{Place, Plan};
use crate::run::next::turn;

impl Run {
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

    /// Whether the processes of a step are halted, because a watch is broken.
    pub fn is_halted(&self, at: &UnitAt) -> bool {
        self.broken.keys().any(|watch| watch.unit.as_ref().is_none_or(|unit| unit == at))
    }

    /// Whether anything was sent that changes something.
    pub fn has_sent_a_change(&self) -> bool {
        self.sent.iter().any(|at| self.step(at).is_some_and(|step| step.effect.changes()))
    }

    /// Units about which a person is asked, in the order of the plan.
    pub fn questions(&self) -> impl Iterator<Item = (UnitAt, &UnitState)> {
        self.front().filter(|(_, state)| state.needs_person())
    }
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

impl Run {
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
}
