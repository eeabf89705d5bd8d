//! What an event does to the state. Never fails and decides nothing: an event that does not fit changes nothing.

use std::sync::Arc;

use super::event::{Event, Stamped};
use super::model::{
    Approval, Failure, Outcome, Phase, Run, Stop, UndoState, UndoStep, UnitAt, UnitState, Variant,
};
use crate::plan::model::{Offer, Undo, Work};
use crate::runbook::source::literal::Millis;

/// Applies an event to a run.
pub fn apply(run: &mut Run, stamped: &Stamped) {
    run.version += 1;
    let at = stamped.at;
    let by = || stamped.by.clone().unwrap_or_else(|| run.request.by.clone());
    match &stamped.event {
        Event::Requested(request) => {
            run.request = request.clone();
            run.driver = request.by.clone();
            run.requested = at;
        }
        Event::Offered { offer, token } => {
            take_offer(run, offer);
            run.token = Some(token.clone());
            run.phase = Phase::Confirming;
        }
        Event::NotPlanned { why, .. } => run.remarks.clone_from(why),
        Event::WrongToken { tries } => run.wrong_tokens = *tries,
        Event::Confirmed { approve_until, .. } => {
            run.confirmed = Some(at);
            run.token = None;
            run.approve_until = Some(*approve_until);
            let alone = run.plan().is_some_and(|plan| plan.approvals.count == 0);
            run.phase = if alone { Phase::Ready } else { Phase::Approving };
        }
        Event::Approved { roles, .. } => {
            let commander = roles.iter().any(|role| role == "commander");
            let approval = Approval { by: by(), at, commander };
            run.approvals.push(approval);
            let needed = run.plan().map_or(u32::MAX, |plan| plan.approvals.count);
            if u32::try_from(run.approvals.len()).unwrap_or(u32::MAX) >= needed {
                run.phase = Phase::Ready;
            }
        }
        Event::Withdrawn => {
            let by = by();
            run.approvals.retain(|approval| approval.by != by);
            run.holds.clear();
            run.phase = Phase::Approving;
        }
        Event::Refused { why } => run.remarks = vec![why.clone()],
        Event::Expired { .. } => run.token = None,
        Event::HoldsTaken { holds } => run.holds.clone_from(holds),
        Event::PlanChanged { offer, token, .. } => {
            take_offer(run, offer);
            run.token = Some(token.clone());
            run.wrong_tokens = 0;
            run.confirmed = None;
            run.approvals.clear();
            run.approve_until = None;
            run.holds.clear();
            run.phase = Phase::Confirming;
        }
        Event::Started { .. } => {
            run.started = Some(at);
            run.phase = Phase::Working;
        }
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
            forget_if_never_reached(run, unit);
            set(run, unit, UnitState::Waiting { attempts });
        }
        Event::StepEnded { unit, attempt, exit, took, .. } => {
            run.reached.entry(unit.clone()).or_default().insert(*attempt);
            let variant = variant(run, unit);
            if exit.is_success() {
                set(run, unit, UnitState::Ran { attempt: *attempt, variant, took: *took });
            }
        }
        Event::StepSucceeded { unit, took, proof } => {
            let variant = variant(run, unit);
            set(run, unit, UnitState::Succeeded { variant, took: *took, proof: proof.clone() });
        }
        Event::StepFailed { unit, failure } => {
            let (attempts, variant) = (attempts(run, unit), variant(run, unit));
            let sent = run.sent.contains(unit);
            set(run, unit, UnitState::Failed { attempts, variant, sent, failure: failure.clone(), at });
        }
        Event::StepUnknown { unit, why } => {
            let (attempt, variant) = (attempts(run, unit), variant(run, unit));
            run.reached.entry(unit.clone()).or_default().insert(attempt);
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
        Event::Asked { unit, .. } => set(run, unit, UnitState::Asked { at, reminded: 0 }),
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
                let by = by();
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
            let by = by();
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
            let by = by();
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
        Event::StepMoves { unit, .. } => {
            run.stalled.remove(unit);
        }
        Event::BatchEnded { block, batch } => run.resting = Some((*block, *batch, at)),
        Event::BatchRested { block, batch } => {
            run.rested.push((*block, *batch));
            run.resting = None;
        }
        Event::StopAsked { now } => {
            let by = by();
            run.stop = Some(Stop { by, at, now: *now || run.stop.as_ref().is_some_and(|stop| stop.now) });
        }
        Event::Paused => run.pause = Some((by(), at)),
        Event::Resumed => run.pause = None,
        Event::UndoOffered { list, digest, token, holds } => {
            if !holds.is_empty() {
                run.holds.clone_from(holds);
            }
            run.undo = Some(UndoState {
                by: by(),
                list: list.clone(),
                token: Some(token.clone()),
                digest: digest.clone(),
                before: run.phase,
                step: UndoStep::Waiting { attempts: 0 },
            });
            run.wrong_tokens = 0;
            run.stop = None;
            run.pause = None;
            run.phase = Phase::Undoing;
        }
        Event::UndoConfirmed => {
            if let Some(undo) = &mut run.undo {
                undo.token = None;
            }
        }
        Event::UndoExpired => {
            if let Some(undo) = run.undo.take() {
                run.phase = undo.before;
                if run.is_ended() {
                    run.holds.clear();
                }
            }
        }
        Event::UndoSent { attempt, .. } => set_undo_step(run, UndoStep::Sent { attempt: *attempt }),
        Event::UndoDone { unit, .. } => {
            set(run, unit, UnitState::Undone);
            if let Some(undo) = &mut run.undo {
                undo.list.retain(|at| at != unit);
                undo.step = UndoStep::Waiting { attempts: 0 };
            }
        }
        Event::UndoFailed { why, unknown, .. } => {
            let attempts = match run.undo.as_ref().map(|undo| &undo.step) {
                Some(UndoStep::Sent { attempt }) => *attempt,
                Some(UndoStep::Waiting { attempts } | UndoStep::Failed { attempts, .. }) => *attempts,
                None => 0,
            };
            set_undo_step(run, UndoStep::Failed { attempts, why: why.clone(), at, unknown: *unknown });
        }
        Event::UndoRetried => {
            if let Some(UndoStep::Failed { attempts, .. }) = run.undo.as_ref().map(|undo| undo.step.clone()) {
                set_undo_step(run, UndoStep::Waiting { attempts });
            }
        }
        Event::Driven { driver } => {
            run.driver = driver.clone();
            run.offered_to = None;
        }
        Event::HandedOver { to } => run.offered_to = Some(to.clone()),
        Event::Ended { outcome, remarks } => {
            run.phase = Phase::Ended(*outcome);
            run.ended = Some(at);
            run.holds.clear();
            run.token = None;
            run.undo = None;
            run.remarks.extend(remarks.iter().cloned());
        }
    }
}

/// A person or a verify said how an unknown outcome ended; or it is tried again.
fn settled(run: &mut Run, unit: &UnitAt, done: bool, stamped: &Stamped) {
    if run.phase == Phase::Undoing {
        if done {
            set(run, unit, UnitState::Undone);
            if let Some(undo) = &mut run.undo {
                undo.list.retain(|at| at != unit);
                undo.step = UndoStep::Waiting { attempts: 0 };
            }
        } else {
            let attempts = match run.undo.as_ref().map(|undo| &undo.step) {
                Some(UndoStep::Failed { attempts, .. }) => *attempts,
                _ => 0,
            };
            set_undo_step(run, UndoStep::Waiting { attempts });
        }
        return;
    }
    let (attempts, variant) = (attempts(run, unit), variant(run, unit));
    let sent_at = match run.units.get(unit) {
        Some(UnitState::Unknown { sent_at, .. }) => *sent_at,
        _ => stamped.at,
    };
    if done {
        let took = Millis(stamped.at.duration_since(sent_at).as_millis().try_into().unwrap_or(i64::MAX));
        set(run, unit, UnitState::Succeeded { variant, took, proof: Vec::new() });
        return;
    }
    if let Some(reached) = run.reached.get_mut(unit) {
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

/// Every unit of a new plan waits.
fn take_offer(run: &mut Run, offer: &Offer) {
    run.offer = Some(Arc::new(offer.clone()));
    run.units.clear();
    run.sent.clear();
    run.reached.clear();
    let plan = &offer.plan;
    for (lane, unit) in plan.units() {
        let at = UnitAt { number: unit.number, lane: lane.cloned() };
        run.units.insert(at, UnitState::Waiting { attempts: 0 });
    }
}

/// A step none of whose attempts reached its host was never sent.
fn forget_if_never_reached(run: &mut Run, unit: &UnitAt) {
    if run.reached.get(unit).is_none_or(std::collections::BTreeSet::is_empty) {
        run.sent.retain(|sent| sent != unit);
    }
}

fn set(run: &mut Run, unit: &UnitAt, state: UnitState) {
    if !matches!(state, UnitState::Sent { .. }) {
        // What is not working is neither watched nor stalled.
        run.stalled.remove(unit);
        run.broken.retain(|watch, _| watch.unit.as_ref() != Some(unit));
    }
    if let Some(slot) = run.units.get_mut(unit) {
        *slot = state;
    }
}

fn set_undo_step(run: &mut Run, step: UndoStep) {
    if let Some(undo) = &mut run.undo {
        undo.step = step;
    }
}

fn attempts(run: &Run, unit: &UnitAt) -> u32 {
    run.units.get(unit).map_or(0, UnitState::attempts)
}

fn variant(run: &Run, unit: &UnitAt) -> Variant {
    match run.units.get(unit) {
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

/// Whether a unit has something that takes it back, for the words that people read.
pub fn has_undo(work: &Work) -> bool {
    match work {
        Work::Step(step) => matches!(step.undo, Some(Undo::Command(_))),
        _ => false,
    }
}

/// Whether an outcome is a good end.
pub const fn is_good(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Succeeded | Outcome::Undone)
}
