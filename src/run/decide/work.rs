//! Working: doors, commands, proofs, gates. What a host reports about an attempt that is over changes nothing.

use jiff::Timestamp;

use super::{Decided, MAX_ATTEMPTS};
use crate::plan::model::{CheckSeen, Work};
use crate::run::event::{Event, Exit, OutputSummary};
use crate::run::model::{Failure, Run, UnitAt, UnitState, Variant, WatchAt};
use crate::run::next::{Act, history_key, is_turn, next};
use crate::runbook::source::literal::Millis;

/// The door was measured: the intent is written, or the step stands before a shut door.
pub(super) fn at_door(run: &Run, unit: &UnitAt, seen: &[CheckSeen]) -> Decided {
    // A stop or a pause that came first wins; so does an answer that came while the door was measured.
    let must_know = run.step(unit).is_some_and(|step| step.effect.changes()) && run.is_not_known();
    let may_begin = !is_held(run) && !must_know && run.step(unit).is_some() && is_turn(run, unit);
    if !may_begin {
        return Decided::nothing();
    }
    let failed: Vec<CheckSeen> = seen.iter().filter(|seen| seen.stops()).cloned().collect();
    if !failed.is_empty() {
        return Decided::events([Event::DoorShut { unit: unit.clone(), failed }]);
    }
    let attempts = run.units.get(unit).map_or(0, UnitState::attempts);
    send(run, unit, attempts + 1, Variant::Main, seen)
        .map_or_else(Decided::nothing, |event| Decided::events([event]))
}

/// Whether nothing new is sent: a person said stop or pause, or a watch is broken.
fn is_held(run: &Run) -> bool {
    run.stop.is_some() || run.pause.is_some() || !run.broken.is_empty()
}

fn send(run: &Run, unit: &UnitAt, attempt: u32, variant: Variant, door: &[CheckSeen]) -> Option<Event> {
    let command = run.command(unit, variant)?;
    let resource = crate::plan::Resource::host(&command.host);
    Some(Event::StepSent {
        unit: unit.clone(),
        attempt,
        variant,
        host: command.host.clone(),
        body: command.body.clone(),
        token: run.holds.iter().find(|(held, _)| *held == resource).map(|(_, token)| *token),
        door: door.to_vec(),
    })
}

/// Whether this is the attempt that is being awaited, and which command it was. Of one whose outcome is unknown its host
/// is asked once more.
fn awaited(run: &Run, unit: &UnitAt, attempt: u32) -> Option<Variant> {
    match run.units.get(unit) {
        Some(
            UnitState::Sent { attempt: sent, variant, .. }
            | UnitState::Unknown { attempt: sent, variant, found: None, .. },
        ) if *sent == attempt => Some(*variant),
        _ => None,
    }
}

/// The connection to the host of a step broke, or the host answers again: what runs there goes on meanwhile.
pub(super) fn link(run: &Run, unit: &UnitAt, attempt: u32, lost: Option<&str>) -> Decided {
    let is_unknown = matches!(run.units.get(unit), Some(UnitState::Unknown { .. }));
    match (awaited(run, unit, attempt), lost, run.unlinked.contains_key(unit)) {
        (Some(_), Some(why), false) if !is_unknown => {
            Decided::events([Event::LinkLost { unit: unit.clone(), why: why.to_owned() }])
        }
        (Some(_), None, unlinked) if unlinked || is_unknown => {
            Decided::events([Event::LinkFound { unit: unit.clone() }])
        }
        _ => Decided::nothing(),
    }
}

/// Nothing was started on the host: what is done instead follows, if there is something. Nothing is sent in a pause or
/// while a watch is broken: the step then begins anew, at its door, when the run goes on.
///
/// What is done instead is for a host that is silent. One that refuses, or shows another key, is there: somebody looks.
pub(super) fn unreached(run: &Run, unit: &UnitAt, attempt: u32, silent: bool, why: &str) -> Decided {
    let Some(variant) = awaited(run, unit, attempt) else { return Decided::nothing() };
    let unreached = Event::StepUnreached { unit: unit.clone(), why: why.to_owned() };
    let is_sent = matches!(run.units.get(unit), Some(UnitState::Sent { .. }));
    let instead = (silent && is_sent && variant == Variant::Main && run.stop.is_none())
        .then(|| send(run, unit, attempt + 1, Variant::Instead, &[]))
        .flatten();
    if instead.is_some() && is_held(run) {
        return Decided::events([unreached]);
    }
    let then = instead.unwrap_or_else(|| Event::StepFailed {
        unit: unit.clone(),
        failure: Failure::Unreachable(why.to_owned()),
    });
    Decided::events([unreached, then])
}

/// The command ended.
pub(super) fn ended(
    run: &Run,
    unit: &UnitAt,
    attempt: u32,
    exit: Exit,
    took: Millis,
    output: &OutputSummary,
    escaped: &[u32],
) -> Decided {
    if awaited(run, unit, attempt).is_none() {
        return Decided::nothing();
    }
    let ended = Event::StepEnded {
        unit: unit.clone(),
        attempt,
        exit,
        took,
        output: output.clone(),
        escaped: escaped.to_vec(),
    };
    if !exit.is_success() {
        let watch =
            run.broken.iter().find(|(at, (_, ends))| *ends && at.unit.as_ref().is_none_or(|at| at == unit));
        let failure = match watch {
            Some((_, (seen, _))) if exit == Exit::Stopped => Failure::WatchBroke(Box::new(seen.clone())),
            _ => Failure::Exit { exit, took, output: output.clone(), escaped: escaped.to_vec() },
        };
        return Decided::events([ended, Event::StepFailed { unit: unit.clone(), failure }]);
    }
    if run.step(unit).is_some_and(|step| step.has_proof) {
        return Decided::events([ended]);
    }
    Decided::events([ended, succeeded(run, unit, took, &[])])
}

fn succeeded(run: &Run, unit: &UnitAt, took: Millis, proof: &[CheckSeen]) -> Event {
    let written = run.offer.as_ref().and_then(|offer| offer.beside.written.get(&unit.number));
    let key = written.map(|written| history_key(&run.request.runbook, written)).unwrap_or_default();
    Event::StepSucceeded { unit: unit.clone(), took, proof: proof.to_vec(), key }
}

/// The link broke after the command was sent.
pub(super) fn lost(run: &Run, unit: &UnitAt, attempt: u32, why: &str) -> Decided {
    let sent = matches!(run.units.get(unit), Some(UnitState::Sent { .. }));
    if awaited(run, unit, attempt).is_none() || !sent {
        return Decided::nothing();
    }
    Decided::events([Event::StepUnknown { unit: unit.clone(), why: why.to_owned() }])
}

/// What must be true after the step was asked.
pub(super) fn proof(run: &Run, unit: &UnitAt, seen: &[CheckSeen], asking: Millis) -> Decided {
    let Some(UnitState::Ran { took, .. }) = run.units.get(unit) else { return Decided::nothing() };
    if seen.iter().any(CheckSeen::stops) {
        let failure = Failure::NotProven(seen.iter().filter(|seen| seen.stops()).cloned().collect());
        return Decided::events([Event::StepFailed { unit: unit.clone(), failure }]);
    }
    let took = Millis(took.0 + asking.0);
    Decided::events([succeeded(run, unit, took, seen)])
}

/// The bot asked about an unknown outcome. A proof settles it; a step that may repeat is sent again; else people decide.
///
/// What is known to run still is never sent again beside itself.
pub(super) fn found(run: &Run, unit: &UnitAt, seen: &[CheckSeen], lives: bool) -> Decided {
    let Some(UnitState::Unknown { attempt, found: None, .. }) = run.units.get(unit) else {
        return Decided::nothing();
    };
    let proven = !seen.is_empty() && !seen.iter().any(CheckSeen::stops);
    if proven {
        let how = "its verify holds".to_owned();
        return Decided::events([Event::Settled { unit: unit.clone(), done: true, how }]);
    }
    let may_repeat = run.step(unit).is_some_and(|step| step.repeatable || !step.effect.changes());
    if may_repeat && !lives && *attempt < MAX_ATTEMPTS && run.stop.is_none() {
        let how = "it may be repeated, so it is sent again".to_owned();
        return Decided::events([Event::Settled { unit: unit.clone(), done: false, how }]);
    }
    Decided::events([Event::StillUnknown { unit: unit.clone(), found: seen.to_vec() }])
}

/// Preflight was measured afresh: the question can be put.
pub(super) fn fresh(run: &Run, unit: &UnitAt, seen: &[CheckSeen]) -> Decided {
    let is_question = matches!(run.unit(unit).map(|unit| &unit.work), Some(Work::Decide(_)));
    if !is_question || is_held(run) || !is_turn(run, unit) {
        return Decided::nothing();
    }
    Decided::events([Event::Asked { unit: unit.clone(), seen: seen.to_vec() }])
}

/// A watch broke, or holds again. Only one that is asked now counts: nobody would ask again about a late report.
pub(super) fn watched(run: &Run, watch: &WatchAt, seen: &CheckSeen, ends: bool) -> Decided {
    if !next(run).contains(&Act::Watch(watch.clone(), run.broken.contains_key(watch))) {
        return Decided::nothing();
    }
    match (run.broken.contains_key(watch), seen.holds()) {
        (false, false) => {
            Decided::events([Event::WatchBroke { watch: watch.clone(), seen: seen.clone(), ends }])
        }
        (true, true) => Decided::events([Event::WatchHolds { watch: watch.clone() }]),
        _ => Decided::nothing(),
    }
}

/// A step stands still, or moves again: how far it is, since when, and how fast it went before.
pub(super) fn moved(
    run: &Run,
    unit: &UnitAt,
    stalled: bool,
    (done, since, rate): (&str, Timestamp, Option<&str>),
) -> Decided {
    let works = matches!(run.units.get(unit), Some(UnitState::Sent { .. })) && !run.is_halted(unit);
    let rate = rate.map(str::to_owned);
    match (works, run.stalled.contains_key(unit), stalled) {
        (true, false, true) => {
            Decided::events([Event::StepStalled { unit: unit.clone(), done: done.to_owned(), since, rate }])
        }
        (true, true, false) => {
            Decided::events([Event::StepMoves { unit: unit.clone(), done: done.to_owned() }])
        }
        _ => Decided::nothing(),
    }
}

/// A gate opened, or its time is over.
pub(super) fn gate(run: &Run, unit: &UnitAt, seen: &[CheckSeen], open: bool, now: Timestamp) -> Decided {
    let Some(UnitState::Holding { since }) = run.units.get(unit) else { return Decided::nothing() };
    if open {
        let took = Millis(now.duration_since(*since).as_millis().try_into().unwrap_or(i64::MAX));
        return Decided::events([Event::GateOpened { unit: unit.clone(), took, seen: seen.to_vec() }]);
    }
    let failed = seen.iter().filter(|seen| seen.stops()).cloned().collect();
    Decided::events([Event::GateOverdue { unit: unit.clone(), failed }])
}
