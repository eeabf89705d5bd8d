//! What a conductor does: plans, asks, sends, waits. One act at a time for each thing that the run wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::outcome::{NoEnd, escaped, exit_of, outputs, summary};
use super::{Conductor, Done, Flight};
use crate::engine::ask::{Asker, Known, Moved, elapsed, log_tail};
use crate::engine::context::errand_body;
use crate::engine::planner::who_may_no_more;
use crate::library::NotLoaded;
use crate::plan::difference::differences;
use crate::plan::model::{CheckSeen, Command, HostPin, Undo, Verdict};
use crate::plan::question;
use crate::run::decide::CONFIRM_WITHIN;
use crate::run::event::still_run;
use crate::run::model::{HowFar, LogTail, Outcome, Phase, Token, UnitState, Variant, WatchAt};
use crate::run::next::after;
use crate::run::{Act, Run, UnitAt, World, next};
use crate::runbook::model::{Item, WatchThen};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;
use crate::target::guard::Attempt;
use crate::target::{Control, Destination, Ending, Execution, Latest, Leftovers, Link, Report, Target};

/// A host that is asked once more what became of a step has so long to answer. It was asked with patience before.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

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
    fn at_once(&mut self, done: Done) {
        self.flying.insert(done.act.clone(), Flight::default());
        let sender = self.done.clone();
        tokio::spawn(async move {
            let _ = sender.send(done).await;
        });
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

    fn fly(&mut self, act: Act, work: impl Future<Output = Done> + Send + 'static) {
        let (sender, inner, id) = (self.done.clone(), self.inner.clone(), self.run.id);
        let work = async move {
            let _ = sender.send(work.await).await;
        };
        let task = tokio::spawn(async move { inner.survives(work, id).await });
        self.flying.insert(act, Flight { task: Some(task.abort_handle()), control: None });
    }

    fn start_planning(&mut self, act: Act) {
        let inner = self.inner.clone();
        let run = self.run.clone();
        self.fly(act.clone(), async move {
            let again = act == Act::Recheck;
            if let (true, Ok(Ok(policy))) =
                (again, inner.snapshot().as_ref().map(|now| now.set.policy.as_ref()))
            {
                inner.ask_discord(policy).await;
            }
            let snapshot = match inner.snapshot() {
                Ok(snapshot) => snapshot,
                Err(why) => return Done::new(act, not_loaded(&why)),
            };
            let before = inner.before(&snapshot, run.id, &run.request);
            let (offer, context) =
                match inner.planner.offer_of(&snapshot, run.id, &run.request, &before).await {
                    Ok(made) => made,
                    Err(not) => return Done::new(act, not.into()),
                };
            // What was measured took its time: who agreed is looked at last.
            let now = snapshot.at(inner.clock.now(), &inner.said());
            let gone = match who_may_no_more(now.as_ref().unwrap_or(&snapshot), &run) {
                Ok(gone) => gone,
                Err(not) => return Done::new(act, not.into()),
            };
            let stops: Vec<_> = offer.preflight.iter().filter(|seen| seen.stops()).cloned().collect();
            if !again && !stops.is_empty() {
                let world =
                    World::NotPlanned { code: "preflight".to_owned(), why: Vec::new(), failed: stops };
                return Done::new(act, world);
            }
            let token = Token {
                text: inner.dice.token(&offer.plan.target_name()),
                expires: after(inner.clock.now(), CONFIRM_WITHIN),
            };
            let blobs = snapshot.blobs().1;
            let offer = Box::new(offer);
            let world = match run.offer.as_ref().filter(|_| again) {
                Some(was) => {
                    let mut changes = differences(&was.plan, &offer.plan);
                    if changes.is_empty() && !gone.is_empty() {
                        changes.push("Its steps are the same.".to_owned());
                    }
                    changes.extend(gone);
                    World::Rechecked { offer, token, changes }
                }
                None => World::Planned { offer, token },
            };
            Done { act, world, context: Some(context), blobs, outputs: Vec::new() }
        });
    }

    fn asker(&self) -> Option<Asker> {
        let context = self.context.clone()?;
        Some(Asker { context, target: self.inner.planner.target.clone(), clock: self.inner.clock.clone() })
    }

    /// Asks the checks of a unit with the patience that they have.
    fn asking(
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

    /// Asks the host once more what became of a step, and then what must be true after it. Nothing is sent.
    fn start_settling(&mut self, act: Act, unit: &UnitAt, attempt: u32) {
        let variant = self.run.variant(unit);
        let execution = self
            .run
            .command(unit, variant)
            .and_then(|command| self.execution(unit, command, &format!("{attempt}"), None));
        // What only reads was ended with its link: nobody keeps how.
        let execution = execution.filter(|execution| execution.attempt.is_some());
        let (asker, run, inner, unit) = (self.asker(), self.run.clone(), self.inner.clone(), unit.clone());
        let link = self.link(&unit, attempt);
        self.fly(act.clone(), async move {
            let mut lives = false;
            if let Some(mut execution) = execution {
                // Once the host says that it runs, it is followed by whoever is told so, and not here.
                execution.link = Some(link);
                let target = inner.planner.target.clone();
                tokio::select! {
                    biased;
                    report = target.settle(execution) => if let Some(done) = ended(&act, &run, &unit, attempt, &report) {
                        return done;
                    } else {
                        lives = matches!(report.ending, Ending::Lives { .. });
                    },
                    () = inner.clock.after(SETTLE_WITHIN) => {}
                }
            }
            let Some(asker) = asker else {
                return Done::new(act, World::Found { unit, seen: vec![not_there()], lives });
            };
            let seen = match asker.context.item_of(&run, &unit) {
                Some((Item::Step(step), at_hand)) => {
                    let checks = question::checks(asker.context.runbook(), &step.verify);
                    asker.patiently(at_hand, &checks).await
                }
                _ => vec![not_there()],
            };
            Done::new(act, World::Found { unit, seen, lives })
        });
    }

    /// Reads the end of the log of the system on whose host a step failed.
    fn start_reading_log(&mut self, act: Act, unit: UnitAt) {
        let command = self.run.command(&unit, self.run.variant(&unit));
        let to = command.and_then(|command| {
            let pin = self.run.plan()?.hosts.get(&command.host)?;
            Some(destination(&command.host, pin))
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

    fn start_gate(&mut self, act: Act, unit: UnitAt, since: jiff::Timestamp) {
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

    fn start_watch(&mut self, act: Act, at: WatchAt, is_broken: bool) {
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

    fn start_progress(&mut self, act: Act, unit: UnitAt, is_stalled: bool) {
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

    /// Sends a command whose intent has just been recorded by us, or finds out what became of one that was sent before.
    pub(super) fn carry(&mut self, unit: &UnitAt, attempt: u32, variant: Variant, how: Carry) {
        let act = Act::Await(unit.clone(), attempt, variant);
        let Some(command) = self.run.command(unit, variant).cloned() else { return };
        let (control, controlled) = watch::channel(Control::Run);
        let link = self.link(unit, attempt);
        let execution = self.execution(unit, &command, &format!("{attempt}"), Some(controlled));
        let (inner, unit, id) = (self.inner.clone(), unit.clone(), self.run.id);
        let sent = act.clone();
        self.fly(act.clone(), async move {
            let report = match execution {
                Some(execution) => {
                    how.out(&*inner.planner.target, Execution { link: Some(link), ..execution }).await
                }
                None => Report::not_started(
                    "not-sendable",
                    "its host or its script is not known any more",
                    Duration::ZERO,
                ),
            };
            let outputs = outputs(&report, id, &unit, attempt, false);
            let world = match exit_of(&report) {
                Ok(exit) => {
                    let (took, output) = (Millis::from_std(report.took), summary(&report));
                    World::Ended { unit, attempt, exit, took, output, escaped: escaped(&report) }
                }
                Err(NoEnd::NotStarted { silent, why }) => World::Unreached { unit, attempt, silent, why },
                Err(NoEnd::Lost(why)) => World::Lost { unit, attempt, why },
            };
            Done { act: sent, world, context: None, blobs: Vec::new(), outputs }
        });
        if let Some(flight) = self.flying.get_mut(&act) {
            flight.control = Some(control);
        }
    }

    /// Sends an undo whose intent has just been recorded by us, or finds out what became of one that was sent before.
    pub(super) fn carry_undo(&mut self, unit: &UnitAt, attempt: u32, how: Carry) {
        let act = Act::AwaitUndo(unit.clone(), attempt);
        let Some(Undo::Command(command)) = self.run.undo_of(unit).cloned() else { return };
        let (control, controlled) = watch::channel(Control::Run);
        let execution = self.execution(unit, &command, &format!("u{attempt}"), Some(controlled));
        let (inner, unit, id) = (self.inner.clone(), unit.clone(), self.run.id);
        let sent = act.clone();
        self.fly(act.clone(), async move {
            let report = match execution {
                Some(execution) => how.out(&*inner.planner.target, execution).await,
                None => Report::not_started(
                    "not-sendable",
                    "its host or its script is not known any more",
                    Duration::ZERO,
                ),
            };
            let outputs = outputs(&report, id, &unit, attempt, true);
            let ended = match exit_of(&report) {
                Ok(exit) if escaped(&report).is_empty() => {
                    Ok((exit, Millis::from_std(report.took), summary(&report)))
                }
                Ok(exit) => Err((format!("{exit}, but {}", still_run(&escaped(&report))), true)),
                Err(NoEnd::NotStarted { why, .. }) => Err((why, false)),
                Err(NoEnd::Lost(why)) => Err((why, true)),
            };
            let world = World::UndoEnded { unit, attempt, ended };
            Done { act: sent, world, context: None, blobs: Vec::new(), outputs }
        });
        if let Some(flight) = self.flying.get_mut(&act) {
            flight.control = Some(control);
        }
    }

    /// The name of a step on its host; no other run of any bot has it. A journal that was restored from a copy counts
    /// its runs anew, so the number of a run is not enough: the moment when it was asked for tells them apart.
    fn step_key(&self, unit: &UnitAt) -> String {
        let lane = unit.lane.as_ref().map(|lane| format!("-{lane}")).unwrap_or_default();
        let asked = self.run.requested.as_millisecond();
        format!("{}-{}-{asked}-{}{lane}", self.inner.journal.id(), self.run.id, unit.number)
    }

    /// What its hosts keep of a run that is over is removed, beside everything else. Where nobody knows how a step ended
    /// it is kept, and so are the folders as long as something could be taken back.
    pub(super) fn clear_up(&self) {
        let Some(plan) = self.run.plan() else { return };
        let undone = self.run.phase == Phase::Ended(Outcome::Undone);
        // By number, not by host: of thousands of hosts it would take seconds, in which nobody else is heard.
        let numbers: BTreeSet<u32> = self.run.sent.iter().map(|at| at.number).collect();
        let goes_back = !undone && numbers.iter().any(|number| !self.run.can_undo(Some(*number)).is_empty());
        let mut left: BTreeMap<&HostName, Leftovers> = BTreeMap::new();
        for at in self.run.units.keys() {
            let step = self.run.step(at).filter(|step| step.effect.changes());
            let known = !matches!(self.run.units.get(at), Some(UnitState::Unknown { .. }));
            let sent = self.run.units.get(at).is_some_and(|state| state.attempts() > 0)
                || self.run.sent.contains(at);
            let Some(step) = step.filter(|_| known && sent) else { continue };
            for host in
                std::iter::once(&step.command.host).chain(step.instead.as_ref().map(|instead| &instead.host))
            {
                let of_host = left.entry(host).or_default();
                of_host.steps.push(self.step_key(at));
                if !goes_back {
                    of_host.folders.push(self.step_key(at));
                }
            }
        }
        for (host, left) in left {
            let Some(pin) = plan.hosts.get(host) else { continue };
            let (target, to) = (self.inner.planner.target.clone(), destination(host, pin));
            self.inner.clearing.spawn(async move { target.sweep(to, left).await });
        }
    }

    /// Connects to every host of the plan while the first of them works.
    pub(super) fn prewarm(&self) {
        let Some(plan) = self.run.plan() else { return };
        let steps = plan.units().filter_map(|(_, unit)| unit.step());
        let hosts: BTreeSet<&HostName> = steps.map(|step| &step.command.host).collect();
        for (host, pin) in hosts.into_iter().filter_map(|host| Some((host, plan.hosts.get(host)?))) {
            let (target, to) = (self.inner.planner.target.clone(), destination(host, pin));
            tokio::spawn(async move { target.prewarm(to).await });
        }
    }

    /// Hears what becomes of the connection over which a step is followed.
    fn link(&self, unit: &UnitAt, attempt: u32) -> Link {
        let (notes, unit) = (self.notes.clone(), unit.clone());
        Link(Arc::new(move |lost| {
            // Where so much waits to be heard, one thing more would not be.
            let _ =
                notes.try_send(World::Link { unit: unit.clone(), attempt, lost: lost.map(str::to_owned) });
        }))
    }

    fn execution(
        &self,
        unit: &UnitAt,
        command: &Command,
        attempt: &str,
        control: Option<watch::Receiver<Control>>,
    ) -> Option<Execution> {
        let plan = self.run.plan()?;
        let step = self.run.step(unit)?;
        let pin = plan.hosts.get(&command.host)?;
        let step_key = self.step_key(unit);
        let sent = self.run.units.get(unit).and_then(UnitState::sent_at);
        let now = self.inner.clock.now();
        let changes = step.effect.changes();
        let (inner, id, at) = (self.inner.clone(), self.run.id, unit.clone());
        let show = move |lines| inner.show_far(id, &at, |far| far.lines = lines);
        Some(Execution {
            to: destination(&command.host, pin),
            keys: Some(pin.keys.clone()),
            body: errand_body(plan, command, self.run.id.0)?,
            secrets: command.secrets.clone(),
            limit: command.at_most.as_std(),
            // A step, its attempts and its undo share it; no other run of any bot does.
            step_dir: changes.then(|| step_key.clone()),
            attempt: changes.then(|| Attempt {
                key: format!("{step_key}.{attempt}"),
                root: self.run.guards.get(&command.host).map(|guard| guard.root.clone()),
                holds: self
                    .run
                    .holds
                    .iter()
                    .filter(|(what, _)| what.concerns(&command.host))
                    .map(|(what, token)| (what.to_string(), *token))
                    .collect(),
            }),
            ago: sent.map_or(Duration::ZERO, |sent| elapsed(sent, now).as_std()),
            control,
            latest: Some(Latest(Arc::new(show))),
            link: None,
        })
    }
}

/// What the host of a step says of how it ended, if it knows.
fn ended(act: &Act, run: &Run, unit: &UnitAt, attempt: u32, report: &Report) -> Option<Done> {
    let unit = unit.clone();
    let outputs = outputs(report, run.id, &unit, attempt, false);
    let world = match exit_of(report) {
        Ok(exit) => {
            let (took, output) = (Millis::from_std(report.took), summary(report));
            World::Ended { unit, attempt, exit, took, output, escaped: escaped(report) }
        }
        Err(NoEnd::NotStarted { why, .. })
            if matches!(report.ending, Ending::NotStarted { code: "not-started", .. }) =>
        {
            World::Unreached { unit, attempt, silent: false, why }
        }
        Err(_) => return None,
    };
    Some(Done { act: act.clone(), world, context: None, blobs: Vec::new(), outputs })
}

/// A host as the plan froze it, not as the inventory may say by now.
fn destination(name: &HostName, pin: &HostPin) -> Destination {
    let HostPin { address, port, user, .. } = pin;
    Destination { name: name.clone(), address: address.clone(), port: *port, user: user.clone() }
}

/// How a command that was intended is carried to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Carry {
    /// It is sent.
    Send,
    /// It was sent by a process that is gone: its host is asked.
    Settle,
}

impl Carry {
    async fn out(self, target: &dyn Target, execution: Execution) -> Report {
        match self {
            Self::Send => target.execute(execution).await,
            Self::Settle => target.settle(execution).await,
        }
    }
}

/// Which checks are asked.
enum Asking<'a> {
    Checks(&'a [crate::runbook::model::CheckUse]),
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
fn not_there() -> CheckSeen {
    CheckSeen {
        that: "the step is in its runbook".to_owned(),
        says: "the runbook of this run has no such step".to_owned(),
        warns: false,
        verdict: Verdict::NoAnswer("it was not found".to_owned()),
        read: Vec::new(),
    }
}

fn not_planned(code: &str, why: String) -> World {
    World::NotPlanned { code: code.to_owned(), why: vec![why], failed: Vec::new() }
}

fn not_loaded(why: &NotLoaded) -> World {
    let why = match why {
        NotLoaded::Unreadable(why) => vec![format!("The folder of runbooks cannot be read: {why}.")],
        NotLoaded::Problems(report) if report.problems.is_empty() => {
            vec!["The folder of runbooks holds no inventory.".to_owned()]
        }
        NotLoaded::Problems(report) => vec![
            format!(
                "The folder of runbooks has {} problems, so nothing is run from it.",
                report.problems.len()
            ),
            "Next: steadyhand check".to_owned(),
        ],
    };
    World::NotPlanned { code: "runbooks-broken".to_owned(), why, failed: Vec::new() }
}
