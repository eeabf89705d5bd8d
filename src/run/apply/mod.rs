//! What an event does to the state. Never fails and decides nothing: an event that does not fit changes nothing.
//!
//! One file for each part of a run's life: agreeing, working, taking back.

mod agreeing;
mod undoing;
mod working;

use super::event::{Event, Stamped};
use super::model::{Pause, Phase, Run, Stop, UnitAt, UnitState};
use crate::runbook::source::name::Person;

/// Applies an event to a run.
pub fn apply(run: &mut Run, stamped: &Stamped) {
    run.version += 1;
    let at = stamped.at;
    match &stamped.event {
        Event::StopAsked { now } => {
            let now = *now || run.stop.as_ref().is_some_and(|stop| stop.now);
            run.stop = Some(Stop { by: who(run, stamped), at, now });
        }
        Event::Paused => run.pause = Some(Pause { by: Some(who(run, stamped)), why: String::new(), at }),
        Event::PlaceLost { why } => run.pause = Some(Pause { by: None, why: why.clone(), at }),
        Event::Resumed => run.pause = None,
        Event::Known => run.known = Some(at),
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
        // Each of the others belongs to one part; the parts leave alone what is not theirs.
        _ => {
            agreeing::apply(run, stamped);
            working::apply(run, stamped);
            undoing::apply(run, stamped);
        }
    }
}

/// Who said it; what the bot does by itself counts as the requester's.
fn who(run: &Run, stamped: &Stamped) -> Person {
    stamped.by.clone().unwrap_or_else(|| run.request.by.clone())
}

fn set(run: &mut Run, unit: &UnitAt, state: UnitState) {
    if !matches!(state, UnitState::Sent { .. }) {
        // What is not working is neither watched nor stalled.
        run.stalled.remove(unit);
        run.late.remove(unit);
        run.unlinked.remove(unit);
        run.broken.retain(|watch, _| watch.unit.as_ref() != Some(unit));
    }
    run.logs.remove(unit);
    run.asked_next.remove(unit);
    if let Some(place) = run.plan().and_then(|plan| plan.place(unit.number, unit.lane.as_ref())) {
        if state.is_over() {
            run.open.remove_mut(&place);
        } else {
            run.open.insert_mut(place);
        }
    }
    if let Some(slot) = run.units.get_mut(unit) {
        *slot = state;
    }
}

fn attempts(run: &Run, unit: &UnitAt) -> u32 {
    run.units.get(unit).map_or(0, UnitState::attempts)
}
