//! Carries one run on. The only loop that acts.
//!
//! It holds the state of its run, does what `next` wants, and turns what people and hosts say into events. An event is
//! appended to the journal first and acted on second: whoever's append of an intent went through is the one who sends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::ask::{Asker, Known, elapsed};
use super::context::{Context, errand_body};
use super::planner::NotOffered;
use super::{Happened, HowFar, Inner};
use crate::journal::{Actor, Append, AppendError, NewEntry, Output, OutputKey, RunAppend};
use crate::library::{NotLoaded, Snapshot};
use crate::plan::difference::differences;
use crate::plan::model::{Command, Undo};
use crate::plan::question;
use crate::run::decide::CONFIRM_WITHIN;
use crate::run::event::{Captured, Exit, OutputSummary};
use crate::run::model::{Phase, Token, Variant, WatchAt};
use crate::run::next::after;
use crate::run::{
    Act, Event, Input, Refusal, Run, Says, Stamped, UnitAt, World, apply, deadline, decide, next,
};
use crate::runbook::model::{Item, WatchThen};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::Person;
use crate::target::capture::Kept;
use crate::target::{Control, Ending, Execution, Report};

/// What the journal could not take is offered to it again after this time.
const JOURNAL_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Of what a command printed, so many bytes of the beginning and of the end stand in its event.
const EXCERPT_BYTES: usize = 1024;

/// Something for a run, and where the answer goes.
pub(super) enum Mail {
    /// A person says something.
    Says { by: Person, says: Says, actor: Actor, reply: oneshot::Sender<Heard> },
    /// Before an agreement was taken, the plan was made anew.
    Replanned {
        world: World,
        context: Option<Context>,
        blobs: Vec<(String, String)>,
        reply: oneshot::Sender<Heard>,
    },
}

/// What came of something that was said.
#[derive(Debug)]
pub struct Heard {
    /// The run as it is now.
    pub run: Arc<Run>,
    /// What was recorded.
    pub events: Vec<Event>,
    /// Why it was not done.
    pub refusal: Option<Refusal>,
    /// Why the journal did not take it.
    pub not_written: Option<AppendError>,
}

/// What came of an act.
struct Done {
    act: Act,
    world: World,
    context: Option<Context>,
    blobs: Vec<(String, String)>,
    outputs: Vec<(OutputKey, Output)>,
}

impl Done {
    fn new(act: Act, world: World) -> Self {
        Self { act, world, context: None, blobs: Vec::new(), outputs: Vec::new() }
    }
}

/// An act that is being done.
#[derive(Default)]
struct Flight {
    task: Option<AbortHandle>,
    /// Halts, resumes or ends the processes of a step.
    control: Option<watch::Sender<Control>>,
}

pub(super) struct Conductor {
    inner: Arc<Inner>,
    run: Run,
    context: Option<Context>,
    mail: mpsc::Receiver<Mail>,
    done: mpsc::Sender<Done>,
    came: mpsc::Receiver<Done>,
    flying: BTreeMap<Act, Flight>,
}

impl Conductor {
    pub(super) fn new(
        inner: Arc<Inner>,
        run: Run,
        context: Option<Context>,
        mail: mpsc::Receiver<Mail>,
    ) -> Self {
        let (done, came) = mpsc::channel(64);
        Self { inner, run, context, mail, done, came, flying: BTreeMap::new() }
    }

    /// Carries the run on until nobody talks to it any more.
    pub(super) async fn conduct(mut self) {
        loop {
            self.do_what_is_next();
            let until_deadline = deadline(&self.run).map(|moment| self.inner.clock.until(moment));
            tokio::select! {
                mail = self.mail.recv() => match mail {
                    Some(mail) => self.hear(mail).await,
                    None => return,
                },
                Some(done) = self.came.recv() => self.hear_world(done).await,
                () = async { until_deadline.expect("guarded").await }, if until_deadline.is_some() => {
                    self.take(&Input::Tick, None, Vec::new(), Vec::new()).await.ok();
                }
                () = self.inner.ending.cancelled() => return,
            }
            if self.inner.is_fatal() {
                return;
            }
        }
    }

    /// Starts what is wanted and not being done, and gives up what is not wanted any more.
    fn do_what_is_next(&mut self) {
        let wanted = next(&self.run);
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
            Act::Settle(unit, _) => {
                let unit = unit.clone();
                self.asking(
                    act,
                    |item| match item {
                        Item::Step(step) => Asking::Checks(&step.verify),
                        _ => Asking::Nothing,
                    },
                    move |seen, _| World::Found { unit: unit.clone(), seen },
                );
            }
            Act::Question(unit) => {
                let unit = unit.clone();
                self.asking(
                    act,
                    |_| Asking::Preflight,
                    move |seen, _| World::Fresh { unit: unit.clone(), seen },
                );
            }
            Act::Gate(unit, since) => self.start_gate(act.clone(), unit.clone(), *since),
            Act::Await(unit, attempt, _) => {
                // It is not in flight here: it was sent by a process that is gone.
                let why = "the bot ended while it ran".to_owned();
                let world = World::Lost { unit: unit.clone(), attempt: *attempt, why };
                self.at_once(Done::new(act, world));
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
            Act::AwaitUndo(unit, attempt) => {
                let ended = Err(("the bot ended while it ran".to_owned(), true));
                let world = World::UndoEnded { unit: unit.clone(), attempt: *attempt, ended };
                self.at_once(Done::new(act, world));
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
        let awaited = self
            .flying
            .iter()
            .find(|(act, _)| matches!(act, Act::Await(at, sent, _) if at == unit && *sent == attempt));
        if let Some(control) = awaited.and_then(|(_, flight)| flight.control.as_ref()) {
            control.send_replace(wanted);
        }
    }

    fn fly(&mut self, act: Act, work: impl Future<Output = Done> + Send + 'static) {
        let sender = self.done.clone();
        let task = tokio::spawn(async move {
            let _ = sender.send(work.await).await;
        });
        self.flying.insert(act, Flight { task: Some(task.abort_handle()), control: None });
    }

    fn start_planning(&mut self, act: Act) {
        let inner = self.inner.clone();
        let (id, request, was) = (self.run.id, self.run.request.clone(), self.run.offer.clone());
        self.fly(act.clone(), async move {
            let again = act == Act::Recheck;
            let snapshot = match inner.planner.library.load() {
                Ok(snapshot) => snapshot,
                Err(why) => return Done::new(act, not_loaded(&why)),
            };
            let before = inner.before(&snapshot, id, &request);
            let (offer, context) = match inner.planner.offer(&snapshot, id, &request, &before).await {
                Ok(made) => made,
                Err(NotOffered { code, why, failed }) => {
                    return Done::new(act, World::NotPlanned { code, why, failed });
                }
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
            let world = match was.filter(|_| again) {
                Some(was) => {
                    let changes = differences(&was.plan, &offer.plan);
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
        world: impl Fn(Vec<crate::plan::model::CheckSeen>, Millis) -> World + Send + 'static,
    ) {
        let unit = unit_of(&act).cloned();
        let (Some(asker), Some(unit)) = (self.asker(), unit) else { return };
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
                None => Vec::new(),
            };
            let took = elapsed(began, asker.clock.now());
            Done::new(act, world(seen, took))
        });
    }

    fn start_gate(&mut self, act: Act, unit: UnitAt, since: jiff::Timestamp) {
        let Some(asker) = self.asker() else { return };
        let run = self.run.clone();
        self.fly(act.clone(), async move {
            let context = asker.context.clone();
            let Some((Item::Wait(wait), at_hand)) = context.item_of(&run, &unit) else {
                return Done::new(act, World::Gate { unit, seen: Vec::new(), open: true });
            };
            let checks = question::checks(context.runbook(), &wait.until);
            let (open, seen) = asker.gate(at_hand, &checks, wait.hold_for, after(since, wait.at_most)).await;
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
            let show = |done: &str, total: Option<&str>, percent: Option<u8>| {
                let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
                inner.show_progress(run.id, &unit, HowFar { percent, text: format!("{done}{of}") });
            };
            let moved = asker.progress(at_hand, progress, is_stalled, show).await;
            Done::new(
                act,
                World::Moved { unit, stalled: moved.stalled, done: moved.done, since: moved.since },
            )
        });
    }

    /// Sends a command whose intent has just been recorded by us.
    fn send(&mut self, unit: &UnitAt, attempt: u32, variant: Variant) {
        let act = Act::Await(unit.clone(), attempt, variant);
        let Some(command) = self.run.command(unit, variant).cloned() else { return };
        let (control, controlled) = watch::channel(Control::Run);
        let execution = self.execution(unit, &command, Some(controlled));
        let (inner, unit, id) = (self.inner.clone(), unit.clone(), self.run.id);
        let sent = act.clone();
        self.fly(act.clone(), async move {
            let report = match execution {
                Some(execution) => inner.planner.target.execute(execution).await,
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
                    World::Ended { unit, attempt, exit, took, output }
                }
                Err((why, false)) => World::Unreached { unit, attempt, why },
                Err((why, true)) => World::Lost { unit, attempt, why },
            };
            Done { act: sent, world, context: None, blobs: Vec::new(), outputs }
        });
        if let Some(flight) = self.flying.get_mut(&act) {
            flight.control = Some(control);
        }
    }

    /// Sends an undo whose intent has just been recorded by us.
    fn send_undo(&mut self, unit: &UnitAt, attempt: u32) {
        let act = Act::AwaitUndo(unit.clone(), attempt);
        let Some(Undo::Command(command)) = self.run.undo_of(unit).cloned() else { return };
        let execution = self.execution(unit, &command, None);
        let (inner, unit, id) = (self.inner.clone(), unit.clone(), self.run.id);
        self.fly(act.clone(), async move {
            let report = match execution {
                Some(execution) => inner.planner.target.execute(execution).await,
                None => Report::not_started(
                    "not-sendable",
                    "its host or its script is not known any more",
                    Duration::ZERO,
                ),
            };
            let outputs = outputs(&report, id, &unit, attempt, true);
            let ended = exit_of(&report).map(|exit| (exit, Millis::from_std(report.took), summary(&report)));
            let world = World::UndoEnded { unit, attempt, ended };
            Done { act, world, context: None, blobs: Vec::new(), outputs }
        });
    }

    fn execution(
        &self,
        unit: &UnitAt,
        command: &Command,
        control: Option<watch::Receiver<Control>>,
    ) -> Option<Execution> {
        let plan = self.run.plan()?;
        let step = self.run.step(unit)?;
        let pin = plan.hosts.get(&command.host)?;
        let lane = unit.lane.as_ref().map(|lane| format!("-{lane}")).unwrap_or_default();
        Some(Execution {
            // As the plan froze it, not as the inventory may say by now.
            to: crate::target::Destination {
                name: command.host.clone(),
                address: pin.address.clone(),
                port: pin.port,
                user: pin.user.clone(),
            },
            body: errand_body(plan, command, self.run.id.0)?,
            limit: command.at_most.as_std(),
            step_dir: step.effect.changes().then(|| format!("{}-{}{lane}", self.run.id, unit.number)),
            end_with_link: !step.effect.changes(),
            control,
        })
    }

    async fn hear(&mut self, mail: Mail) {
        let (taken, reply) = match mail {
            Mail::Says { by, says, actor, reply } => {
                let input = Input::Person { by, says };
                (self.take(&input, Some(actor), Vec::new(), Vec::new()).await, reply)
            }
            Mail::Replanned { world, context, blobs, reply } => {
                let taken = self.take(&Input::World(world), None, blobs, Vec::new()).await;
                if taken.as_ref().is_ok_and(|(events, _)| !events.is_empty()) {
                    self.context = context;
                }
                (taken, reply)
            }
        };
        let (events, refusal, not_written) = match taken {
            Ok((events, refusal)) => (events, refusal, None),
            Err(error) => (Vec::new(), None, Some(error)),
        };
        let _ = reply.send(Heard { run: Arc::new(self.run.clone()), events, refusal, not_written });
    }

    async fn hear_world(&mut self, done: Done) {
        self.flying.remove(&done.act);
        let makes_a_plan = matches!(done.world, World::Planned { .. });
        let changes_it =
            matches!(&done.world, World::Rechecked { offer, .. } if Some(&offer.digest) != self.run.digest());
        let context = done.context.clone();
        let taken = self
            .take(&Input::World(done.world.clone()), None, done.blobs.clone(), done.outputs.clone())
            .await;
        match taken {
            Ok(_) if makes_a_plan || changes_it => self.context = context,
            Ok(_) | Err(AppendError::Fatal { .. }) => {}
            Err(AppendError::Held(held)) => {
                let world = World::NotPlanned {
                    code: "held".to_owned(),
                    why: vec![
                        format!(
                            "{} is held by run {} since {}.",
                            held.resource,
                            held.run,
                            self.inner.time_of(held.since)
                        ),
                        format!("Next: status {}, and run it again when it is free.", held.run),
                    ],
                    failed: Vec::new(),
                };
                self.take(&Input::World(world), None, Vec::new(), Vec::new()).await.ok();
            }
            Err(error) => {
                // Certainly not written. What happened is kept and offered again; nothing new is sent meanwhile.
                tracing::error!(run.id = %self.run.id, "{error}; run {} stands still and tries again", self.run.id);
                let (sender, clock) = (self.done.clone(), self.inner.clock.clone());
                self.flying.insert(done.act.clone(), Flight::default());
                tokio::spawn(async move {
                    clock.after(JOURNAL_AGAIN_AFTER).await;
                    let _ = sender.send(done).await;
                });
            }
        }
    }

    /// Decides, appends, applies, and sends what was intended: in this order.
    async fn take(
        &mut self,
        input: &Input,
        actor: Option<Actor>,
        blobs: Vec<(String, String)>,
        outputs: Vec<(OutputKey, Output)>,
    ) -> Result<(Vec<Event>, Option<Refusal>), AppendError> {
        let now = self.inner.clock.now();
        let decided = decide(&self.run, input, now);
        if decided.events.is_empty() {
            return Ok((Vec::new(), decided.refusal));
        }
        let by = actor.as_ref().and_then(|actor| actor.person.clone());
        let stamped: Vec<Stamped> = decided
            .events
            .iter()
            .map(|event| Stamped { at: now, by: by.clone(), event: event.clone() })
            .collect();
        let mut after_them = self.run.clone();
        for stamped in &stamped {
            apply(&mut after_them, stamped);
        }
        let append = Append {
            run: Some(RunAppend {
                id: self.run.id,
                expected: self.run.version,
                open: !after_them.is_ended(),
                holds: (after_them.holds != self.run.holds).then(|| after_them.holds.clone()),
            }),
            entries: stamped.iter().map(|stamped| NewEntry::of_event(stamped, actor.clone())).collect(),
            blobs,
            outputs,
        };
        if let Err(error) = self.inner.journal.append(append).await {
            if let AppendError::Fatal { why } = &error {
                self.inner.set_fatal(why);
            }
            return Err(error);
        }
        for stamped in stamped {
            apply(&mut self.run, &stamped);
            self.inner.publish(&self.run, stamped);
        }
        for event in &decided.events {
            match event {
                Event::StepSent { unit, attempt, variant, .. } => self.send(unit, *attempt, *variant),
                Event::UndoSent { unit, attempt, .. } => self.send_undo(unit, *attempt),
                _ => {}
            }
        }
        Ok((decided.events, decided.refusal))
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
        | Act::Gate(unit, _)
        | Act::Question(unit)
        | Act::Undo(unit, _)
        | Act::AwaitUndo(unit, _) => Some(unit),
        Act::MakePlan | Act::Claim | Act::Recheck | Act::Watch(..) => None,
    }
}

fn not_planned(code: &str, why: String) -> World {
    World::NotPlanned { code: code.to_owned(), why: vec![why], failed: Vec::new() }
}

fn not_loaded(why: &NotLoaded) -> World {
    let why = match why {
        NotLoaded::Unreadable(why) => vec![format!("The folder of runbooks cannot be read: {why}.")],
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

/// How a command ended, or why it did not begin, or (true) that nobody knows.
fn exit_of(report: &Report) -> Result<Exit, (String, bool)> {
    match &report.ending {
        Ending::Exited(127) => Ok(Exit::NotFound),
        Ending::Exited(status) if *status > 128 => Ok(Exit::Signal(*status)),
        Ending::Exited(status) => Ok(Exit::Code(*status)),
        Ending::NoCommand => Ok(Exit::NotFound),
        Ending::Ended { by_limit: true, .. } => Ok(Exit::TimedOut),
        Ending::Ended { by_limit: false, .. } => Ok(Exit::Stopped),
        Ending::NotStarted { why, .. } => Err((why.clone(), false)),
        Ending::Lost { why } => Err((why.clone(), true)),
    }
}

/// What stands in the event of a command: a little of its beginning and its end.
fn summary(report: &Report) -> OutputSummary {
    OutputSummary { out: captured(&report.out), err: captured(&report.err) }
}

fn captured(kept: &Kept) -> Captured {
    let text = |bytes: &[u8]| crate::runbook::source::hidden::visible(&String::from_utf8_lossy(bytes));
    let last = if kept.tail.is_empty() { &kept.head } else { &kept.tail };
    let (head, tail) = if kept.tail.is_empty() && kept.head.len() <= 2 * EXCERPT_BYTES {
        (kept.head.as_slice(), &[] as &[u8])
    } else {
        let end = last.len().saturating_sub(EXCERPT_BYTES);
        (&kept.head[..EXCERPT_BYTES.min(kept.head.len())], &last[end..])
    };
    Captured { head: text(head), tail: text(tail), bytes: kept.bytes, sha256: kept.sha256.clone() }
}

/// What is kept beside the chain: head and tail of both streams.
fn outputs(
    report: &Report,
    run: crate::run::RunId,
    unit: &UnitAt,
    attempt: u32,
    undo: bool,
) -> Vec<(OutputKey, Output)> {
    let one = |stream: &'static str, kept: &Kept| {
        let key = OutputKey { run, unit: unit.clone(), attempt, undo, stream };
        let output = Output {
            head: kept.head.clone(),
            tail: kept.tail.clone(),
            bytes: kept.bytes,
            sha256: kept.sha256.clone(),
        };
        (key, output)
    };
    [one("out", &report.out), one("err", &report.err)]
        .into_iter()
        .filter(|(_, output)| output.bytes > 0)
        .collect()
}

/// The context of a run that was found in the journal: made from the files that it began with.
pub(super) fn recovered_context(inner: &Inner, run: &Run) -> Result<Option<Context>, String> {
    let Some(offer) = &run.offer else { return Ok(None) };
    let view = inner.journal.view();
    let blob = |hash: &str| view.blob(hash).ok().flatten();
    let snapshot = Snapshot::from_blobs(&offer.sources, blob)?;
    Context::of_plan(Arc::new(snapshot), run, &offer.plan)
        .map(Some)
        .ok_or_else(|| format!("{} is not among its files", offer.plan.runbook))
}

/// What happened, for those who follow.
pub(super) fn happened(run: &Run, stamped: Stamped) -> Happened {
    Happened { run: Arc::new(run.clone()), stamped, ended: matches!(run.phase, Phase::Ended(_)) }
}
