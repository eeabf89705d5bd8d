//! Taking back: the list, what was sent, what was taken back.

use super::{set, who};
use crate::run::event::{Event, Stamped};
use crate::run::model::{Phase, Run, UndoState, UndoStep, UnitAt, UnitState};

pub(super) fn apply(run: &mut Run, stamped: &Stamped) {
    match &stamped.event {
        Event::UndoOffered { list, digest, token, holds } => {
            if !holds.is_empty() {
                run.holds.clone_from(holds);
            }
            run.undo = Some(UndoState {
                by: who(run, stamped),
                list: list.clone(),
                token: Some(token.clone()),
                digest: digest.clone(),
                before: run.phase,
                step: waiting(run, list.first()),
            });
            run.wrong_tokens = 0;
            run.stop = None;
            run.phase = Phase::Undoing;
        }
        Event::UndoConfirmed => {
            run.wrong_tokens = 0;
            if let Some(undo) = &mut run.undo {
                undo.token = None;
            }
        }
        Event::UndoExpired => {
            run.wrong_tokens = 0;
            if let Some(undo) = run.undo.take() {
                run.phase = undo.before;
                if run.is_ended() {
                    run.holds.clear();
                }
            }
        }
        Event::UndoSent { unit, attempt, .. } => {
            run.undo_attempts.insert(unit.clone(), *attempt);
            set_step(run, UndoStep::Sent { attempt: *attempt });
        }
        Event::UndoDone { unit, .. } => undone(run, unit),
        Event::UndoFailed { why, unknown, .. } => {
            let attempts = match run.undo.as_ref().map(|undo| &undo.step) {
                Some(UndoStep::Sent { attempt }) => *attempt,
                Some(UndoStep::Waiting { attempts } | UndoStep::Failed { attempts, .. }) => *attempts,
                None => 0,
            };
            let failed = UndoStep::Failed { attempts, why: why.clone(), at: stamped.at, unknown: *unknown };
            set_step(run, failed);
        }
        Event::UndoRetried => try_again(run),
        _ => {}
    }
}

/// A person said how an undo ended of which nobody knew.
pub(super) fn settled(run: &mut Run, unit: &UnitAt, done: bool) {
    if done { undone(run, unit) } else { try_again(run) }
}

fn undone(run: &mut Run, unit: &UnitAt) {
    set(run, unit, UnitState::Undone);
    let rest: Vec<UnitAt> =
        run.undo.iter().flat_map(|undo| &undo.list).filter(|at| *at != unit).cloned().collect();
    let step = waiting(run, rest.first());
    if let Some(undo) = &mut run.undo {
        (undo.list, undo.step) = (rest, step);
    }
}

/// A unit that is to be taken back, perhaps not for the first time.
fn waiting(run: &Run, unit: Option<&UnitAt>) -> UndoStep {
    let attempts = unit.and_then(|unit| run.undo_attempts.get(unit)).copied().unwrap_or_default();
    UndoStep::Waiting { attempts }
}

fn try_again(run: &mut Run) {
    if let Some(UndoStep::Failed { attempts, .. }) = run.undo.as_ref().map(|undo| &undo.step) {
        let attempts = *attempts;
        set_step(run, UndoStep::Waiting { attempts });
    }
}

fn set_step(run: &mut Run, step: UndoStep) {
    if let Some(undo) = &mut run.undo {
        undo.step = step;
        if let Some(first) = undo.list.first() {
            run.asked_next.remove(first);
        }
    }
}
