//! Taking back: how far it is, and what of a run can be taken back.

use jiff::Timestamp;

use super::unit::{UnitAt, UnitState, Variant};
use super::{Phase, Run, Token};
use crate::plan::Digest;
use crate::plan::model::Undo;
use crate::runbook::model::Effect;
use crate::runbook::source::name::Person;

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

impl Run {
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
    pub fn undo_of(&self, at: &UnitAt) -> Option<&Undo> {
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
}
