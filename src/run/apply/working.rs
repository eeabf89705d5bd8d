//! Working: what was sent, how it ended, what people answered; gates, questions, watches, batches.

use super::{attempts, set, undoing, who};
use crate::run::event::{Event, Stamped};
use crate::run::model::{Failure, Phase, Run, UnitAt, UnitState, Variant};
use crate::runbook::model::Effect;
use crate::runbook::source::literal::Millis;

#[expect(clippy::too_many_lines, reason = "a table: one case an event")]
pub(super) fn apply(run: &mut Run, stamped: &Stamped) {
    let at = stamped.at;
    match &stamped.event {
        Event::DoorShut { unit, failed } => {
            let attempts = attempts(run, unit);
            set(run, unit, UnitState::Shut { attempts, failed: failed.clone(), at });
        }
        Event::StepSent { unit, attempt, variant, .. } => {
            run.sent.retain(|sent| sent != unit);
            run.sent.push(unit.clone());
            set(run, unit, UnitState::Sent { attempt: *attempt, variant: *variant, at });
        }
        Event::StepUnreached { unit, .. } => {
            // Nothing was started: what is done instead follows, or the failure.
            let attempts = attempts(run, unit);
            if let Some(reached) = run.reached.get_mut(unit) {
                reached.remove(&attempts);
            }
            forget_if_never_reached(run, unit);
            set(run, unit, UnitState::Waiting { attempts });
        }
        Event::StepEnded { unit, attempt, exit, took, .. } => {
            let variant = run.variant(unit);
            note_reached(run, unit, *attempt, variant);
            if exit.is_success() {
                set(run, unit, UnitState::Ran { attempt: *attempt, variant, took: *took });
            }
        }
        Event::StepSucceeded { unit, took, proof, .. } => {
            let variant = run.variant(unit);
            set(run, unit, UnitState::Succeeded { variant, took: *took, proof: proof.clone() });
        }
        Event::StepFailed { unit, failure } => {
            let (attempts, variant) = (attempts(run, unit), run.variant(unit));
            let sent = run.sent.contains(unit);
            set(run, unit, UnitState::Failed { attempts, variant, sent, failure: failure.clone(), at });
        }
        Event::StepUnknown { unit, why } => {
            let (attempt, variant) = (attempts(run, unit), run.variant(unit));
            note_reached(run, unit, attempt, variant);
            let sent_at = match run.units.get(unit) {
                Some(UnitState::Sent { at, .. }) => *at,
                Some(UnitState::Unknown { sent_at, .. }) => *sent_at,
                _ => at,
            };
            set(
                run,
                unit,
                UnitState::Unknown { attempt, variant, why: why.clone(), sent_at, at, found: None },
            );
        }
        Event::StillUnknown { unit, found: seen } => {
            if let Some(UnitState::Unknown { found, .. }) = run.units.get_mut(unit) {
                *found = Some(seen.clone());
            }
        }
        Event::AskedAgain { unit } => match run.units.get_mut(unit) {
            Some(UnitState::Unknown { found, .. }) => *found = None,
            Some(UnitState::Failed { attempts, variant, failure: Failure::NotProven(_), .. }) => {
                let (attempt, variant) = (*attempts, *variant);
                set(run, unit, UnitState::Ran { attempt, variant, took: Millis(0) });
            }
            _ => {}
        },
        Event::Settled { unit, done, .. } => settled(run, unit, *done, stamped),
        Event::GateEntered { unit } => set(run, unit, UnitState::Holding { since: at }),
        Event::GateOpened { unit, took, seen } => {
            set(run, unit, UnitState::Succeeded { variant: Variant::Main, took: *took, proof: seen.clone() });
        }
        Event::GateOverdue { unit, failed } => {
            set(run, unit, UnitState::Overdue { failed: failed.clone(), at });
        }
        Event::Asked { unit, seen } => {
            set(run, unit, UnitState::Asked { at, reminded: 0, seen: seen.clone() });
        }
        Event::Reminded { unit, time } => {
            if let Some(UnitState::Asked { reminded, .. }) = run.units.get_mut(unit) {
                *reminded = *time;
            }
        }
        Event::Answered { unit, go_on } => {
            if *go_on {
                let proof = Vec::new();
                set(run, unit, UnitState::Succeeded { variant: Variant::Main, took: Millis(0), proof });
            } else {
                let by = who(run, stamped);
                set(run, unit, UnitState::Skipped { by, why: "the answer was stop".to_owned() });
            }
        }
        Event::Retried { unit } => {
            let attempts = attempts(run, unit);
            let gate = matches!(run.units.get(unit), Some(UnitState::Overdue { .. }));
            let state = if gate { UnitState::Holding { since: at } } else { UnitState::Waiting { attempts } };
            set(run, unit, state);
        }
        Event::ApprovedAgain { unit } => {
            let by = who(run, stamped);
            let needed = run.plan().map_or(1, |plan| plan.approvals.count);
            if let Some(UnitState::Withheld { attempts, approvals }) = run.units.get_mut(unit) {
                approvals.push(by);
                let enough = u32::try_from(approvals.len()).unwrap_or(u32::MAX) >= needed;
                let attempts = *attempts;
                if enough {
                    set(run, unit, UnitState::Waiting { attempts });
                }
            }
        }
        Event::Skipped { unit, why } => {
            let by = who(run, stamped);
            let rest: Vec<UnitAt> = run
                .units
                .iter()
                .filter(|(at, state)| at.lane == unit.lane && at.number >= unit.number && !state.is_over())
                .filter(|(at, _)| run.block_index(at) == run.block_index(unit))
                .map(|(at, _)| at.clone())
                .collect();
            for at in rest {
                set(run, &at, UnitState::Skipped { by: by.clone(), why: why.clone() });
            }
        }
        Event::WatchBroke { watch, seen, ends } => {
            run.broken.insert(watch.clone(), (seen.clone(), *ends));
        }
        Event::WatchHolds { watch } => {
            run.broken.remove(watch);
        }
        Event::StepStalled { unit, since, .. } => {
            run.stalled.insert(unit.clone(), *since);
        }
        Event::StepLate { unit, .. } => {
            run.late.insert(unit.clone());
        }
        Event::LinkLost { unit, why } => {
            run.unlinked.insert(unit.clone(), (at, why.clone()));
        }
        Event::LinkFound { unit } => {
            run.unlinked.remove(unit);
            if let Some(UnitState::Unknown { attempt, variant, sent_at, .. }) = run.units.get(unit) {
                let sent = UnitState::Sent { attempt: *attempt, variant: *variant, at: *sent_at };
                set(run, unit, sent);
            }
        }
        Event::LogSeen { unit, log } => {
            run.logs.insert(unit.clone(), log.clone());
        }
        Event::AskedNext { unit, role } => {
            run.asked_next.entry(unit.clone()).or_default().push(role.clone());
        }
        Event::StepMoves { unit, .. } => {
            run.stalled.remove(unit);
        }
        Event::BatchEnded { block, batch } => run.resting = Some((*block, *batch, at)),
        Event::BatchRested { block, batch } => {
            run.rested.push((*block, *batch));
            run.resting = None;
        }
        _ => {}
    }
}

/// A person or a verify said how an unknown outcome ended; or it is tried again.
fn settled(run: &mut Run, unit: &UnitAt, done: bool, stamped: &Stamped) {
    if run.phase == Phase::Undoing {
        undoing::settled(run, unit, done);
        return;
    }
    let (attempts, variant) = (attempts(run, unit), run.variant(unit));
    let sent_at = match run.units.get(unit) {
        Some(UnitState::Unknown { sent_at, .. }) => *sent_at,
        _ => stamped.at,
    };
    if done {
        let took = Millis(stamped.at.duration_since(sent_at).as_millis().try_into().unwrap_or(i64::MAX));
        set(run, unit, UnitState::Succeeded { variant, took, proof: Vec::new() });
        return;
    }
    // What cannot be undone closes the way back once it was sent, whatever is said of it: the undos before it may be
    // wrong now.
    let closes = run.step(unit).is_some_and(|step| step.effect == Effect::Irreversible);
    if !closes && let Some(reached) = run.reached.get_mut(unit) {
        reached.remove(&attempts);
    }
    forget_if_never_reached(run, unit);
    let by_person = stamped.by.is_some();
    let needs = run.plan().is_some_and(|plan| plan.approvals.count > 0);
    let free = run.step(unit).is_none_or(|step| step.repeatable || !step.effect.changes());
    let state = if by_person && needs && !free {
        UnitState::Withheld { attempts, approvals: Vec::new() }
    } else {
        UnitState::Waiting { attempts }
    };
    set(run, unit, state);
}

/// An attempt has reached its host, or may have.
fn note_reached(run: &mut Run, unit: &UnitAt, attempt: u32, variant: Variant) {
    let mut attempts = run.reached.get(unit).cloned().unwrap_or_default();
    attempts.insert(attempt, variant);
    run.reached.insert_mut(unit.clone(), attempts);
}

/// A step none of whose attempts reached its host was never sent.
fn forget_if_never_reached(run: &mut Run, unit: &UnitAt) {
    if run.reached.get(unit).is_none_or(std::collections::BTreeMap::is_empty) {
        run.sent.retain(|sent| sent != unit);
    }
}
