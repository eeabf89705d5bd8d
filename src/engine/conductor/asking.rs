//! Hosts are asked: doors, proofs, gates, watches, progress, and logs after a failure. Nothing is changed by it.

use super::{Conductor, Done};
use crate::engine::ask::{Asker, Known, Moved, elapsed, log_tail};
use crate::plan::model::{CheckSeen, Verdict};
use crate::plan::question;
use crate::run::model::{HowFar, LogTail, WatchAt};
use crate::run::next::after;
use crate::run::{Act, UnitAt, World};
use crate::runbook::model::{CheckUse, Item, WatchThen};
use crate::runbook::source::literal::Millis;
use crate::target::Destination;

impl Conductor {
    pub(super) fn asker(&self) -> Option<Asker> {
        let context = self.context.clone()?;
        Some(Asker { context, target: self.inner.planner.target.clone(), clock: self.inner.clock.clone() })
    }

    /// Asks the checks of a unit with the patience that they have.
    pub(super) fn asking(
        &mut self,
        act: Act,
        which: impl Fn(&Item) -> Asking<'_> + Send + 'static,
        world: impl Fn(Vec<CheckSeen>, Millis) -> World + Send + 'static,
    ) {
        let Some(unit) = unit_of(&act).cloned() else { return };
        let Some(asker) = self.asker() else {
            return self.at_once(Done::new(act, world(vec![not_there()], Millis(0))));
        };
        let run = self.run.clone();
        self.fly(act.clone(), async move {
            let began = asker.clock.now();
            let context = asker.context.clone();
            let seen = match context.item_of(&run, &unit) {
                Some((item, at_hand)) => match which(item) {
                    Asking::Checks(used) => {
                        asker.patiently(at_hand, &question::checks(context.runbook(), used)).await
                    }
                    Asking::Preflight => {
                        let runbook = context.runbook();
                        let checks = question::checks(runbook, &runbook.preflight);
                        asker.once(None, &checks, &mut Known::new()).await
                    }
                    Asking::Nothing => Vec::new(),
                },
                None => vec![not_there()],
            };
            let took = elapsed(began, asker.clock.now());
            Done::new(act, world(seen, took))
        });
    }

    pub(super) fn start_gate(&mut self, act: Act, unit: UnitAt, since: jiff::Timestamp) {
        let Some(asker) = self.asker() else {
            return self.at_once(Done::new(act, World::Gate { unit, seen: vec![not_there()], open: false }));
        };
        let (run, inner) = (self.run.clone(), self.inner.clone());
        self.fly(act.clone(), async move {
            let context = asker.context.clone();
            let Some((Item::Wait(wait), at_hand)) = context.item_of(&run, &unit) else {
                return Done::new(act, World::Gate { unit, seen: vec![not_there()], open: false });
            };
            let checks = question::checks(context.runbook(), &wait.until);
            let show = |held: Option<jiff::Timestamp>, seen: &[CheckSeen]| {
                let amount = match (held, wait.hold_for) {
                    (Some(held), Some(hold_for)) => {
                        format!("holds for {} of {hold_for}", elapsed(held, asker.clock.now()))
                    }
                    (Some(_), None) => String::new(),
                    (None, _) => seen
                        .iter()
                        .find(|seen| seen.stops())
                        .map(|seen| seen.says.clone())
                        .unwrap_or_default(),
                };
                inner.show_far(run.id, &unit, |far| far.amount = amount);
            };
            let until = after(since, wait.at_most);
            let (open, seen) = asker.gate(at_hand, &checks, wait.hold_for, until, show).await;
            Done::new(act, World::Gate { unit, seen, open })
        });
    }

    pub(super) fn start_watch(&mut self, act: Act, at: WatchAt, is_broken: bool) {
        let Some(asker) = self.asker() else { return };
        let run = self.run.clone();
        self.fly(act.clone(), async move {
            let context = asker.context.clone();
            let found = match &at.unit {
                None => context.runbook().watch.get(at.index).map(|watch| (watch, None)),
                Some(unit) => context.item_of(&run, unit).and_then(|(item, at_hand)| {
                    let watches = match item {
                        Item::Step(step) => &step.watch,
                        Item::Wait(wait) => &wait.watch,
                        _ => return None,
                    };
                    watches.get(at.index).map(|watch| (watch, at_hand))
                }),
            };
            let Some((watch, at_hand)) = found else { return std::future::pending().await };
            let seen = asker.watch(at_hand, watch, is_broken).await;
            let ends = watch.then == WatchThen::Stop;
            Done::new(act, World::Watched { watch: at, seen, ends })
        });
    }

    pub(super) fn start_progress(&mut self, act: Act, unit: UnitAt, is_stalled: bool) {
        let Some(asker) = self.asker() else { return };
        let (run, inner) = (self.run.clone(), self.inner.clone());
        self.fly(act.clone(), async move {
            let context = asker.context.clone();
            let found = context.item_of(&run, &unit);
            let Some((Item::Step(step), at_hand)) = found else { return std::future::pending().await };
            let Some(progress) = &step.progress else { return std::future::pending().await };
            let show = |now: Option<HowFar>, at| {
                inner.show_far(run.id, &unit, |far| {
                    if let Some(now) = now {
                        *far = HowFar { lines: std::mem::take(&mut far.lines), ..now };
                    } else {
                        far.silent_since.get_or_insert(at);
                        far.left = None;
                    }
                });
            };
            let Moved { stalled, done, since, rate } =
                asker.progress(at_hand, progress, is_stalled, show).await;
            Done::new(act, World::Moved { unit, stalled, done, since, rate })
        });
    }

    /// Reads the end of the log of the system on whose host a step failed.
    pub(super) fn start_reading_log(&mut self, act: Act, unit: UnitAt) {
        let command = self.run.command(&unit, self.run.variant(&unit));
        let to = command.and_then(|command| {
            let pin = self.run.plan()?.hosts.get(&command.host)?;
            Some(Destination::pinned(&command.host, pin))
        });
        let path = self.run.log_path(&unit).unwrap_or_default().to_owned();
        let target = self.inner.planner.target.clone();
        self.fly(act.clone(), async move {
            let log = match to {
                Some(to) => log_tail(&*target, to, path).await,
                None => {
                    LogTail { path, lines: Vec::new(), why_not: Some("its host is not known".to_owned()) }
                }
            };
            Done::new(act, World::Log { unit, log })
        });
    }
}

/// Which checks are asked.
pub(super) enum Asking<'a> {
    Checks(&'a [CheckUse]),
    Preflight,
    Nothing,
}

fn unit_of(act: &Act) -> Option<&UnitAt> {
    match act {
        Act::Begin(unit)
        | Act::Await(unit, ..)
        | Act::End(unit, _)
        | Act::Halt(unit, _)
        | Act::Progress(unit, ..)
        | Act::Prove(unit, _)
        | Act::Settle(unit, _)
        | Act::ReadLog(unit, _)
        | Act::Gate(unit, _)
        | Act::Question(unit)
        | Act::Undo(unit, _)
        | Act::AwaitUndo(unit, _) => Some(unit),
        Act::MakePlan | Act::Claim | Act::Recheck | Act::Watch(..) | Act::LetKnow => None,
    }
}

/// What is asked of a step that its runbook does not have, or whose files cannot be read any more: no door opens, and
/// nothing is proven.
pub(super) fn not_there() -> CheckSeen {
    CheckSeen {
        that: "the step is in its runbook".to_owned(),
        says: "the runbook of this run has no such step".to_owned(),
        warns: false,
        verdict: Verdict::NoAnswer("it was not found".to_owned()),
        read: Vec::new(),
    }
}
