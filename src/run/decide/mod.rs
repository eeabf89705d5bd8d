//! What follows from what a run hears: events, or a refusal. Pure: time, tokens and measured values come in as values.
//!
//! One function for each phase: agreeing, working, answering questions, taking back. Whatever they decide, what follows
//! by itself (a gate is entered, a batch rests, the run is over) is added here, so that it is never forgotten.

mod agree;
mod answer;
mod undo;
mod work;

use jiff::Timestamp;

use super::apply::apply;
use super::event::{Event, Stamped};
use super::input::{Input, Refusal, Says, World};
use super::model::{Outcome, Phase, Run, UndoStep, UnitAt, UnitState};
use super::next::{after, ended_batch, gate_in_turn, late_from, silence};
use crate::plan::model::{Block, Undo, Work};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::Person;

/// A confirmation lives so long.
pub const CONFIRM_WITHIN: Millis = Millis::minutes(5);
/// An approval is waited for so long.
pub const APPROVE_WITHIN: Millis = Millis::minutes(30);
/// So many wrong tokens end a run.
pub const TOKEN_TRIES: u32 = 3;
/// A repeatable step is sent again at most so often when its outcome is unknown.
pub const MAX_ATTEMPTS: u32 = 3;
/// A reason has at least so many characters.
pub const MIN_REASON: usize = 10;

/// What follows: events to be recorded, and a refusal to be said. A wrong token gives both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// In order.
    pub events: Vec<Event>,
    /// Why what was asked for is not done.
    pub refusal: Option<Refusal>,
}

impl Decided {
    fn events<const N: usize>(events: [Event; N]) -> Self {
        Self { events: events.into(), refusal: None }
    }

    fn refused(refusal: Refusal) -> Self {
        Self { events: Vec::new(), refusal: Some(refusal) }
    }

    /// Late reports and repeated clicks change nothing.
    fn nothing() -> Self {
        Self::default()
    }
}

/// Decides what follows from an input at this time.
pub fn decide(run: &Run, input: &Input, now: Timestamp) -> Decided {
    let mut decided = match input {
        Input::Person { by, says } => person(run, by, says, now),
        Input::World(world) => from_world(run, world, now),
        Input::Tick => tick(run, now),
    };
    if decided.events.is_empty() && !matches!(input, Input::Tick) {
        return decided;
    }
    let by = match input {
        Input::Person { by, .. } => Some(by.clone()),
        _ => None,
    };
    let mut scratch = run.clone();
    let stamp = |event: &Event| Stamped { at: now, by: by.clone(), event: event.clone() };
    for event in &decided.events {
        apply(&mut scratch, &stamp(event));
    }
    while let Some(event) = follows(&scratch) {
        apply(&mut scratch, &stamp(&event));
        decided.events.push(event);
    }
    decided
}

fn person(run: &Run, by: &Person, says: &Says, now: Timestamp) -> Decided {
    if let Phase::Ended(outcome) = run.phase
        && !matches!(says, Says::Undo { .. })
    {
        return Decided::refused(Refusal::Ended { outcome });
    }
    // Time may have run out unnoticed: while no bot ran, or while the machine slept.
    if let Some(what) = overdue(run, now) {
        return Decided { refusal: Some(Refusal::Ended { outcome: Outcome::Expired }), ..expired(what) };
    }
    if matches!(says, Says::Confirm { .. }) && undo_is_overdue(run, now) {
        let because = "the time for it is over".to_owned();
        let refusal = Some(Refusal::NotNow { what: "confirmed", because });
        return Decided { events: vec![Event::UndoExpired], refusal };
    }
    match says {
        Says::Confirm { token } => agree::confirm(run, by, token, now),
        Says::Approve { digest, step, roles, is_commander } => {
            agree::approve(run, by, digest, step.as_ref(), (roles, *is_commander))
        }
        Says::Withdraw => agree::withdraw(run, by),
        Says::Refuse { why } => agree::refuse(run, why),
        Says::Stop { now } => answer::stop(run, *now),
        Says::Pause => answer::pause(run),
        Says::Resume => answer::resume(run),
        Says::Retry { unit } => answer::retry(run, unit),
        Says::Skip { unit, why } => answer::skip(run, unit, why),
        Says::Ask { unit } => answer::ask(run, unit),
        Says::Settle { unit, done, how } => answer::settle(run, unit, *done, how),
        Says::Answer { unit, go_on } => answer::answer(run, unit, *go_on),
        Says::Undo { including, token, holds } => undo::offer(run, *including, token, holds),
        Says::After { unit, attempt, says } => match answer::stale(run, unit, *attempt) {
            Some(refusal) => Decided::refused(refusal),
            None => person(run, by, says, now),
        },
        Says::Take => answer::take(run, by),
        Says::Handover { to } => answer::handover(run, by, to),
    }
}

fn from_world(run: &Run, world: &World, now: Timestamp) -> Decided {
    match world {
        World::Planned { offer, token } if run.phase == Phase::Measuring => {
            Decided::events([Event::Offered { offer: offer.clone(), token: token.clone() }])
        }
        World::NotPlanned { code, why, failed } if run.started.is_none() && !run.is_ended() => {
            let not_planned =
                Event::NotPlanned { code: code.clone(), why: why.clone(), failed: failed.clone() };
            Decided::events([not_planned, Event::Ended { outcome: Outcome::Refused, remarks: Vec::new() }])
        }
        World::Claimed(holds) if run.phase == Phase::Ready && run.holds.is_empty() => {
            Decided::events([Event::HoldsTaken { holds: holds.clone() }])
        }
        World::Rechecked { offer, token, changes }
            if matches!(run.phase, Phase::Confirming | Phase::Approving | Phase::Ready) =>
        {
            agree::rechecked(run, offer, token, changes)
        }
        World::PlaceLost { why } => answer::place_lost(run, why),
        World::UndoBegins { unit, attempt } => undo::begins(run, unit, *attempt),
        World::UndoEnded { unit, attempt, ended } => undo::ended(run, unit, *attempt, ended),
        World::Planned { .. } | World::NotPlanned { .. } | World::Claimed(_) | World::Rechecked { .. } => {
            Decided::nothing()
        }
        World::Known if run.phase == Phase::Working && run.is_not_known() => Decided::events([Event::Known]),
        World::Known => Decided::nothing(),
        // While steps are taken back nothing new is sent, whatever was being measured.
        _ if run.phase != Phase::Working => Decided::nothing(),
        World::AtDoor { unit, seen } => work::at_door(run, unit, seen),
        World::Unreached { unit, attempt, silent, why } => work::unreached(run, unit, *attempt, *silent, why),
        World::Ended { unit, attempt, exit, took, output, escaped } => {
            work::ended(run, unit, *attempt, *exit, *took, output, escaped)
        }
        World::Lost { unit, attempt, why } => work::lost(run, unit, *attempt, why),
        World::Proof { unit, seen, took } => work::proof(run, unit, seen, *took),
        World::Found { unit, seen, lives } => work::found(run, unit, seen, *lives),
        World::Fresh { unit, seen } => work::fresh(run, unit, seen),
        World::Watched { watch, seen, ends } => work::watched(run, watch, seen, *ends),
        World::Moved { unit, stalled, done, since, rate } => {
            work::moved(run, unit, *stalled, (done, *since, rate.as_deref()))
        }
        World::Link { unit, attempt, lost } => work::link(run, unit, *attempt, lost.as_deref()),
        World::Log { unit, log } if run.wants_log(unit) => {
            Decided::events([Event::LogSeen { unit: unit.clone(), log: log.clone() }])
        }
        World::Log { .. } => Decided::nothing(),
        World::Gate { unit, seen, open } => work::gate(run, unit, seen, *open, now),
    }
}

/// The agreement for which the time is over.
fn overdue(run: &Run, now: Timestamp) -> Option<&'static str> {
    match run.phase {
        Phase::Confirming if run.token.as_ref().is_some_and(|token| token.expires <= now) => {
            Some("confirmation")
        }
        Phase::Approving if run.approve_until.is_some_and(|until| until <= now) => Some("approval"),
        _ => None,
    }
}

fn undo_is_overdue(run: &Run, now: Timestamp) -> bool {
    let token = run.undo.as_ref().and_then(|undo| undo.token.as_ref());
    run.phase == Phase::Undoing && token.is_some_and(|token| token.expires <= now)
}

/// Time has passed: what has expired, whom to remind, which batch has rested.
fn tick(run: &Run, now: Timestamp) -> Decided {
    if let Some(what) = overdue(run, now) {
        return expired(what);
    }
    if undo_is_overdue(run, now) {
        return Decided::events([Event::UndoExpired]);
    }
    match run.phase {
        Phase::Working => {
            let mut events = Vec::new();
            for (at, state) in run.front() {
                if let (UnitState::Asked { at: since, reminded, .. }, Some(Work::Decide(decide))) =
                    (state, run.unit(&at).map(|unit| &unit.work))
                {
                    let half = Millis(decide.within.0 / 2);
                    if *reminded == 0 && after(*since, half) <= now {
                        events.push(Event::Reminded { unit: at.clone(), time: 1 });
                    } else if *reminded == 1 && after(*since, decide.within) <= now {
                        events.push(Event::Reminded { unit: at.clone(), time: 2 });
                    }
                }
            }
            if let Some((block, batch, since)) = run.resting
                && let Some(Block::Each(each)) = run.plan().and_then(|plan| plan.blocks.get(block))
                && after(since, each.pause) <= now
            {
                events.push(Event::BatchRested { block, batch });
            }
            for (at, _) in run.front() {
                if late_from(run, &at).is_some_and(|from| from <= now)
                    && let Some(usual) = run.usual(&at)
                {
                    events.push(Event::StepLate { unit: at, usual });
                }
            }
            events.extend(unanswered(run, now));
            Decided { events, refusal: None }
        }
        Phase::Undoing => Decided { events: unanswered(run, now), refusal: None },
        _ => Decided::nothing(),
    }
}

/// Questions that nobody has answered in time, and who is asked now. Silence never answers.
fn unanswered(run: &Run, now: Timestamp) -> Vec<Event> {
    let due = silence(run).into_iter().filter(|(_, _, at)| *at <= now);
    due.map(|(unit, role, _)| Event::AskedNext { unit, role }).collect()
}

fn expired(what: &str) -> Decided {
    let ended = Event::Ended { outcome: Outcome::Expired, remarks: Vec::new() };
    Decided::events([Event::Expired { what: what.to_owned() }, ended])
}

/// What follows by itself.
fn follows(run: &Run) -> Option<Event> {
    match run.phase {
        Phase::Working => {
            let all_over = run.open.is_empty();
            let skipped = || run.units.values().any(|state| matches!(state, UnitState::Skipped { .. }));
            // A stop that came while the last step ended well stops nothing.
            if all_over && (run.stop.is_none() || !skipped()) {
                return Some(finished(run));
            }
            if run.stop.is_some() {
                return (!run.is_at_work()).then(|| stopped(run));
            }
            if run.resting.is_none()
                && let Some((block, batch)) = ended_batch(run)
            {
                return Some(Event::BatchEnded { block, batch });
            }
            if run.pause.is_none() && run.broken.is_empty() {
                return gate_in_turn(run).map(|unit| Event::GateEntered { unit });
            }
            None
        }
        Phase::Undoing => {
            let undo = run.undo.as_ref().filter(|undo| undo.token.is_none())?;
            let Some(first) = undo.list.first() else {
                return Some(Event::Ended { outcome: Outcome::Undone, remarks: Vec::new() });
            };
            if run.stop.is_some() && !matches!(undo.step, UndoStep::Sent { .. }) {
                return Some(stopped(run));
            }
            let nothing = matches!(run.undo_of(first), Some(Undo::Nothing(_)) | None);
            (nothing && matches!(undo.step, UndoStep::Waiting { .. }))
                .then(|| Event::UndoDone { unit: first.clone(), ended: None })
        }
        _ => None,
    }
}

/// The last unit is over.
fn finished(run: &Run) -> Event {
    let mut remarks = Vec::new();
    for (at, state) in &run.units {
        if let UnitState::Skipped { by, why } = state {
            let title = run.unit(at).map(|unit| unit.title.clone()).unwrap_or_default();
            let host = at.lane.as_ref().map(|lane| format!(" on {lane}")).unwrap_or_default();
            remarks.push(format!("Step {}{host} ({title}) was skipped by {by}: \"{why}\".", at.number));
        }
    }
    let outcome = if remarks.is_empty() { Outcome::Succeeded } else { Outcome::WithIssues };
    Event::Ended { outcome, remarks }
}

/// A person said stop, and nothing runs any more.
fn stopped(run: &Run) -> Event {
    let mut remarks = Vec::new();
    for (at, state) in &run.units {
        let unknown = matches!(state, UnitState::Unknown { .. });
        let failed = matches!(state, UnitState::Failed { sent: true, .. });
        if unknown || failed {
            let host = run.step(at).map(|step| step.command.host.to_string()).unwrap_or_default();
            let title = run.unit(at).map(|unit| unit.title.clone()).unwrap_or_default();
            let what =
                if unknown { "has an unknown outcome" } else { "failed and may have changed something" };
            remarks.push(format!("Step {} on {host} ({title}) {what}.", at.number));
        }
    }
    let stuck = run.phase == Phase::Undoing;
    if let Some(undo) = run.undo.as_ref().filter(|_| stuck) {
        let step = |at: &UnitAt| match &at.lane {
            Some(lane) => format!("step {} on {lane}", at.number),
            None => format!("step {}", at.number),
        };
        let left: Vec<String> = undo.list.iter().map(step).collect();
        remarks.push(format!("Not taken back: {}.", left.join(", ")));
    }
    let outcome = if stuck { Outcome::Stuck } else { Outcome::Stopped };
    Event::Ended { outcome, remarks }
}

/// Where the run stands, for "not now" refusals.
fn standing(run: &Run) -> String {
    match run.phase {
        Phase::Measuring => "its plan is still being made".to_owned(),
        Phase::Confirming => format!("it waits for {} to confirm its plan", run.request.by),
        Phase::Approving => "it waits for an approval".to_owned(),
        Phase::Ready => "everything is being measured once more before it starts".to_owned(),
        Phase::Working if run.stop.is_some() => "it was stopped, and what runs is ending".to_owned(),
        Phase::Working => "it is working".to_owned(),
        Phase::Undoing => "it is taking steps back".to_owned(),
        Phase::Ended(_) => "it has ended".to_owned(),
    }
}
