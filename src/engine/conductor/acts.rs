//! What a conductor does: one act at a time for each thing that the run wants. Here it begins, or is given up.

use std::collections::BTreeSet;

use super::asking::Asking;
use super::carry::Carry;
use super::planning::not_planned;
use super::{Conductor, Done, Flight};
use crate::run::{Act, UnitAt, World, next};
use crate::runbook::model::Item;
use crate::target::Control;

impl Conductor {
    /// Starts what is wanted and not being done, and gives up what is not wanted any more.
    pub(super) fn do_what_is_next(&mut self) {
        let wanted: BTreeSet<Act> = next(&self.run).into_iter().collect();
        let unwanted: Vec<Act> = self.flying.keys().filter(|act| !wanted.contains(act)).cloned().collect();
        for act in unwanted {
            // A command that was sent is never given up: its end must be known.
            if matches!(act, Act::Await(..) | Act::AwaitUndo(..)) {
                continue;
            }
            if let Some(Flight { task: Some(task), .. }) = self.flying.remove(&act) {
                task.abort();
            }
            if let Act::Halt(unit, attempt) = &act {
                self.control(unit, *attempt, Control::Run);
            }
        }
        for act in wanted {
            if !self.flying.contains_key(&act) {
                self.start(act);
            }
        }
    }

    fn start(&mut self, act: Act) {
        match &act {
            Act::MakePlan | Act::Recheck => self.start_planning(act),
            Act::Claim => {
                let resources = self.run.plan().map(|plan| plan.holds.clone()).unwrap_or_default();
                let world = match self.inner.journal.view().next_tokens(&resources) {
                    Ok(holds) => World::Claimed(holds),
                    Err(error) => not_planned("journal-unreadable", error.to_string()),
                };
                self.at_once(Done::new(act, world));
            }
            Act::Begin(unit) => {
                let unit = unit.clone();
                self.asking(
                    act,
                    |item| match item {
                        Item::Step(step) => Asking::Checks(&step.require),
                        _ => Asking::Nothing,
                    },
                    move |seen, _| World::AtDoor { unit: unit.clone(), seen },
                );
            }
            Act::Prove(unit, _) => {
                let unit = unit.clone();
                self.asking(
                    act,
                    |item| match item {
                        Item::Step(step) => Asking::Checks(&step.verify),
                        _ => Asking::Nothing,
                    },
                    move |seen, took| World::Proof { unit: unit.clone(), seen, took },
                );
            }
            Act::Settle(unit, attempt) => self.start_settling(act.clone(), &unit.clone(), *attempt),
            Act::ReadLog(unit, _) => self.start_reading_log(act.clone(), unit.clone()),
            Act::Question(unit) => {
                let unit = unit.clone();
                // What had to hold before the first change need not hold any more once it was made.
                let changed = self.run.has_sent_a_change();
                self.asking(
                    act,
                    move |_| if changed { Asking::Nothing } else { Asking::Preflight },
                    move |seen, _| World::Fresh { unit: unit.clone(), seen },
                );
            }
            Act::Gate(unit, since) => self.start_gate(act.clone(), unit.clone(), *since),
            // It is not in flight here: it was sent by a process that is gone.
            Act::Await(unit, attempt, variant) => {
                self.carry(&unit.clone(), *attempt, *variant, Carry::Settle);
            }
            Act::End(unit, attempt) => {
                self.control(unit, *attempt, Control::Stop);
                self.flying.insert(act, Flight::default());
            }
            Act::Halt(unit, attempt) => {
                self.control(unit, *attempt, Control::Pause);
                self.flying.insert(act, Flight::default());
            }
            Act::Watch(watch, is_broken) => self.start_watch(act.clone(), watch.clone(), *is_broken),
            Act::Progress(unit, _, is_stalled) => self.start_progress(act.clone(), unit.clone(), *is_stalled),
            Act::Undo(unit, attempt) => {
                let world = World::UndoBegins { unit: unit.clone(), attempt: *attempt };
                self.at_once(Done::new(act, world));
            }
            Act::AwaitUndo(unit, attempt) => self.carry_undo(&unit.clone(), *attempt, Carry::Settle),
            Act::LetKnow => {
                let (inner, id) = (self.inner.clone(), self.run.id);
                self.fly(act.clone(), async move {
                    inner.incidents.is_released(id).await;
                    Done::new(act, World::Known)
                });
            }
        }
    }

    /// What needs no waiting goes the same way as what does.
    pub(super) fn at_once(&mut self, done: Done) {
        self.flying.insert(done.act.clone(), Flight::default());
        let sender = self.done.clone();
        tokio::spawn(async move {
            let _ = sender.send(done).await;
        });
    }

    pub(super) fn fly(&mut self, act: Act, work: impl Future<Output = Done> + Send + 'static) {
        let (sender, inner, id) = (self.done.clone(), self.inner.clone(), self.run.id);
        let work = async move {
            let _ = sender.send(work.await).await;
        };
        let task = tokio::spawn(async move { inner.survives(work, id).await });
        self.flying.insert(act, Flight { task: Some(task.abort_handle()), control: None });
    }

    /// Says what is to become of the processes of a step that is in flight here.
    fn control(&self, unit: &UnitAt, attempt: u32, wanted: Control) {
        let awaited = self.flying.iter().find(|(act, _)| match act {
            Act::Await(at, sent, _) | Act::AwaitUndo(at, sent) => at == unit && *sent == attempt,
            _ => false,
        });
        if let Some(control) = awaited.and_then(|(_, flight)| flight.control.as_ref()) {
            control.send_replace(wanted);
        }
    }
}
