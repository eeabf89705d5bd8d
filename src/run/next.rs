//! What a run wants next. A question put to the state: after a crash a replay gives the same answer.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::model::{Phase, Run, UndoStep, UnitAt, UnitState, Variant, WatchAt};
use crate::plan::model::{Block, Place, Unit, Work};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::RunbookName;

/// Whoever drives a run has so long to answer before others are asked too,
const ANSWER_WITHIN: Millis = Millis::minutes(2);
/// and so has each of those before the next.
const ASK_NEXT_EVERY: Millis = Millis::minutes(5);

/// Something that the bot must do now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Bind, measure, and make the plan.
    MakePlan,
    /// Claim the resources.
    Claim,
    /// Inside the holds, make the plan once more.
    Recheck,
    /// Measure the door of a step; if it opens, the step is sent.
    Begin(UnitAt),
    /// A command was sent: await its end. Whoever finds no command of its own here must find out what became of it.
    Await(UnitAt, u32, Variant),
    /// End the processes of a step.
    End(UnitAt, u32),
    /// Halt the processes of a step until its watch holds again.
    Halt(UnitAt, u32),
    /// Ask a watch until it says something new; it is broken now.
    Watch(WatchAt, bool),
    /// Ask how far a step is until that says something new; it stands still now.
    Progress(UnitAt, u32, bool),
    /// Ask what must be true after a step.
    Prove(UnitAt, u32),
    /// Find out how a step ended that nobody knows of.
    Settle(UnitAt, u32),
    /// Read the log of the system where a step failed.
    ReadLog(UnitAt, u32),
    /// Measure a gate until it opens or its time is over; it is held since then.
    Gate(UnitAt, Timestamp),
    /// Measure preflight afresh, and put a question to people.
    Question(UnitAt),
    /// Take a step back.
    Undo(UnitAt, u32),
    /// An undo was sent: await its end.
    AwaitUndo(UnitAt, u32),
    /// Wait until everybody knows who must know before anything is changed.
    LetKnow,
}

/// Everything that the run wants now; the order means nothing.
pub fn next(run: &Run) -> Vec<Act> {
    match run.phase {
        Phase::Measuring => vec![Act::MakePlan],
        Phase::Confirming | Phase::Approving | Phase::Ended(_) => Vec::new(),
        Phase::Ready => {
            let claims = run.plan().is_some_and(|plan| !plan.holds.is_empty());
            vec![if claims && run.holds.is_empty() { Act::Claim } else { Act::Recheck }]
        }
        Phase::Working => working(run),
        Phase::Undoing => undoing(run),
    }
}

fn working(run: &Run) -> Vec<Act> {
    let mut acts = Vec::new();
    for (at, state) in run.front() {
        let at = &at;
        match state {
            UnitState::Sent { attempt, variant, .. } => {
                acts.push(Act::Await(at.clone(), *attempt, *variant));
                let broken =
                    run.broken.iter().filter(|(watch, _)| watch.unit.as_ref().is_none_or(|unit| unit == at));
                let ends: Vec<bool> = broken.map(|(_, (_, ends))| *ends).collect();
                if run.stop.as_ref().is_some_and(|stop| stop.now) || ends.contains(&true) {
                    acts.push(Act::End(at.clone(), *attempt));
                } else if !ends.is_empty() {
                    acts.push(Act::Halt(at.clone(), *attempt));
                }
                if let Some(step) = run.step(at) {
                    acts.extend(watch_acts(run, Some(at), step.watches));
                    // What is halted does not move, and nobody is called for that.
                    if step.has_progress && !run.is_halted(at) {
                        acts.push(Act::Progress(at.clone(), *attempt, run.stalled.contains_key(at)));
                    }
                }
            }
            UnitState::Ran { attempt, .. } => acts.push(Act::Prove(at.clone(), *attempt)),
            UnitState::Unknown { attempt, found: None, .. } => acts.push(Act::Settle(at.clone(), *attempt)),
            UnitState::Failed { attempts, .. } if run.wants_log(at) => {
                acts.push(Act::ReadLog(at.clone(), *attempts));
            }
            UnitState::Holding { since } if run.stop.is_none() => {
                acts.push(Act::Gate(at.clone(), *since));
                if let Some(Work::Wait(wait)) = run.unit(at).map(|unit| &unit.work) {
                    acts.extend(watch_acts(run, Some(at), wait.watches));
                }
            }
            _ => {}
        }
    }
    if let Some(plan) = run.plan().filter(|_| run.stop.is_none()) {
        // A broken one is asked until it holds, also when the step that began it turned out never to have been sent.
        let broken = run.broken.keys().any(|watch| watch.unit.is_none());
        let asked = plan.watches > 0 && (broken || run.has_sent_a_change());
        acts.extend(watch_acts(run, None, if asked { plan.watches } else { 0 }));
    }
    if run.stop.is_none() && run.pause.is_none() && run.broken.is_empty() {
        if run.waits_to_be_known() {
            acts.push(Act::LetKnow);
        }
        for at in turn(run) {
            match run.unit(&at).map(|unit| &unit.work) {
                Some(Work::Step(step)) if step.effect.changes() && run.is_not_known() => {}
                Some(Work::Step(_)) => acts.push(Act::Begin(at)),
                Some(Work::Decide(_)) => acts.push(Act::Question(at)),
                // A gate is entered by an event of its own, so that its time is recorded.
                Some(Work::Wait(_)) | None => {}
            }
        }
    }
    acts
}

/// One act for each watch of a unit, or of the run.
fn watch_acts(run: &Run, unit: Option<&UnitAt>, count: usize) -> Vec<Act> {
    let watch = |index| WatchAt { unit: unit.cloned(), index };
    (0..count)
        .map(watch)
        .map(|at| {
            let broken = run.broken.contains_key(&at);
            Act::Watch(at, broken)
        })
        .collect()
}

fn undoing(run: &Run) -> Vec<Act> {
    let Some(undo) = run.undo.as_ref().filter(|undo| undo.token.is_none()) else { return Vec::new() };
    let Some(at) = undo.list.first() else { return Vec::new() };
    match undo.step {
        UndoStep::Waiting { attempts } if run.stop.is_none() => vec![Act::Undo(at.clone(), attempts + 1)],
        UndoStep::Sent { attempt } => {
            let end = run.stop.as_ref().is_some_and(|stop| stop.now).then(|| Act::End(at.clone(), attempt));
            std::iter::once(Act::AwaitUndo(at.clone(), attempt)).chain(end).collect()
        }
        UndoStep::Waiting { .. } | UndoStep::Failed { .. } => Vec::new(),
    }
}

/// Units that may begin now and have not begun: the next one, or the next of each host of the batch at hand.
pub fn turn(run: &Run) -> Vec<UnitAt> {
    if rests(run) {
        return Vec::new();
    }
    let waits = |state: &UnitState| matches!(state, UnitState::Waiting { .. });
    run.front().filter(|(_, state)| waits(state)).map(|(at, _)| at).collect()
}

/// Whether this unit is one of those that may begin now.
pub fn is_turn(run: &Run, unit: &UnitAt) -> bool {
    let place = run.plan().and_then(|plan| plan.place(unit.number, unit.lane.as_ref()));
    let (Some(place), Some(first)) = (place, run.open.first()) else { return false };
    let of_lane = run.open.range(Place { number: 0, ..place }..).next();
    (place.block, place.batch) == (first.block, first.batch)
        && of_lane == Some(&place)
        && matches!(run.units.get(unit), Some(UnitState::Waiting { .. }))
        && !rests(run)
}

/// Whether a gate is among the units that may begin now.
pub fn gate_in_turn(run: &Run) -> Option<UnitAt> {
    let is_gate = |unit: &Unit| matches!(unit.work, Work::Wait(_));
    let block = run.plan()?.blocks.get(run.open.first()?.block)?;
    let any = match block {
        Block::One(unit) => is_gate(unit),
        Block::Each(each) => each.lanes.values().flatten().any(is_gate),
    };
    if !any {
        return None;
    }
    turn(run).into_iter().find(|at| run.unit(at).is_some_and(is_gate))
}

/// Whether the batch at hand waits until the pause behind the one before is over.
fn rests(run: &Run) -> bool {
    ended_batch(run).is_some()
}

/// The batch that has ended and must rest before the next one begins: block and batch.
pub fn ended_batch(run: &Run) -> Option<(usize, usize)> {
    let first = run.open.first()?;
    let Block::Each(each) = run.plan()?.blocks.get(first.block)? else { return None };
    let before = (first.block, first.batch.checked_sub(1)?);
    (each.pause > Millis(0) && !run.rested.contains(&before)).then_some(before)
}

/// When something must happen by itself, if nothing else does before.
pub fn deadline(run: &Run) -> Option<Timestamp> {
    match run.phase {
        Phase::Confirming => run.token.as_ref().map(|token| token.expires),
        Phase::Approving => run.approve_until,
        Phase::Undoing => {
            let token = run.undo.as_ref()?.token.as_ref().map(|token| token.expires);
            token.into_iter().chain(silence(run).into_iter().map(|(_, _, at)| at)).min()
        }
        Phase::Working => {
            let questions =
                run.front().filter_map(|(at, state)| match (state, run.unit(&at).map(|unit| &unit.work)) {
                    (UnitState::Asked { at, reminded: 0, .. }, Some(Work::Decide(decide))) => {
                        Some(after(*at, Millis(decide.within.0 / 2)))
                    }
                    (UnitState::Asked { at, reminded: 1, .. }, Some(Work::Decide(decide))) => {
                        Some(after(*at, decide.within))
                    }
                    _ => None,
                });
            let rest = run.resting.and_then(|(block, _, at)| match run.plan()?.blocks.get(block)? {
                Block::Each(each) => Some(after(at, each.pause)),
                Block::One(_) => None,
            });
            let late = run.front().filter_map(|(at, _)| late_from(run, &at));
            questions.chain(rest).chain(late).chain(silence(run).into_iter().map(|(_, _, at)| at)).min()
        }
        Phase::Measuring | Phase::Ready | Phase::Ended(_) => None,
    }
}

/// From when on a step that works is late; none if it is not known how long it takes, or if that was said already.
pub fn late_from(run: &Run, at: &UnitAt) -> Option<Timestamp> {
    let Some(UnitState::Sent { at: sent, .. }) = run.units.get(at) else { return None };
    (!run.late.contains(at)).then(|| Some(after(*sent, run.usual(at)?.late())))?
}

/// About whom nobody has answered, which role is asked next, and when. First those who answer for the runbook, then
/// whom they escalate to; for a question of the runbook those whom the asked ones escalate to.
pub fn silence(run: &Run) -> Vec<(UnitAt, String, Timestamp)> {
    let Some(beside) = run.offer.as_ref().map(|offer| &offer.beside) else { return Vec::new() };
    let asked = run.front().filter_map(|(at, state)| {
        let since = match state {
            UnitState::Shut { at, .. } | UnitState::Failed { at, .. } | UnitState::Overdue { at, .. } => *at,
            UnitState::Unknown { at, found: Some(_), .. } => *at,
            UnitState::Asked { at: since, .. } => {
                let Some(Work::Decide(decide)) = run.unit(&at).map(|unit| &unit.work) else { return None };
                let next = decide.ask.iter().filter_map(|role| beside.escalates_to.get(role)).cloned();
                return Some((at, next.collect(), after(*since, decide.within)));
            }
            _ => return None,
        };
        Some((at, vec![beside.owner.clone()], after(since, ANSWER_WITHIN)))
    });
    let undo = run.undo.as_ref().filter(|_| run.phase == Phase::Undoing).and_then(|undo| match &undo.step {
        UndoStep::Failed { at, .. } => {
            Some((undo.list.first()?.clone(), vec![beside.owner.clone()], after(*at, ANSWER_WITHIN)))
        }
        _ => None,
    });
    let asked: Vec<(UnitAt, Vec<String>, Timestamp)> =
        if run.phase == Phase::Undoing { undo.into_iter().collect() } else { asked.collect() };
    asked
        .into_iter()
        .filter_map(|(at, first, from)| {
            let so_far = run.asked_next.get(&at).map_or(&[][..], Vec::as_slice);
            let role = chain(first, &beside.escalates_to).into_iter().find(|role| !so_far.contains(role))?;
            let steps = i64::try_from(so_far.len()).unwrap_or(i64::MAX);
            Some((at, role, after(from, Millis(ASK_NEXT_EVERY.0.saturating_mul(steps)))))
        })
        .collect()
}

/// These roles, then those whom they escalate to, each once.
fn chain(first: Vec<String>, escalates_to: &BTreeMap<String, String>) -> Vec<String> {
    let mut roles: Vec<String> = Vec::new();
    let mut next = first;
    while !next.is_empty() {
        next.retain(|role| !role.is_empty() && !roles.contains(role));
        next.dedup();
        roles.extend(next.iter().cloned());
        next = next.iter().filter_map(|role| escalates_to.get(role)).cloned().collect();
    }
    roles
}

/// The key of the history of a step.
pub fn history_key(runbook: &RunbookName, written: &str) -> String {
    format!("{runbook}: {written}")
}

/// A moment so much later.
pub fn after(at: Timestamp, millis: Millis) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(millis.0)).unwrap_or(Timestamp::MAX)
}
