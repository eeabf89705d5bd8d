//! Carries one run on. The only loop that acts.
//!
//! It holds the state of its run, does what `next` wants, and turns what people and hosts say into events. An event is
//! appended to the journal first and acted on second: whoever's append of an intent went through is the one who sends.

mod acts;
mod asking;
mod beside;
mod carry;
mod outcome;
mod planning;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use self::carry::Carry;
use super::context::Context;
use super::{Happened, Inner};
use crate::failpoint::{self, Point};
use crate::journal::{Actor, Append, AppendError, NewEntry, Output, OutputKey, RunAppend};
use crate::run::model::Phase;
use crate::run::{Act, Event, Input, Refusal, Run, Says, Stamped, World, apply, deadline, decide};
use crate::runbook::source::name::Person;
use crate::target::Control;

/// What the journal could not take is offered to it again after this time.
const JOURNAL_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// So much can wait that is heard of acts that go on; what is more is heard when it is said again.
const MAX_NOTES: usize = 4096;
/// What came of so many acts is written together at most.
const MAX_GROUP: usize = 256;

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
    /// Something about the run that no host said.
    Told(World),
    /// Somebody looks whether the run is carried. Nothing is recorded.
    Ping(oneshot::Sender<()>),
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

/// Something that is told to the run, with what belongs to it.
struct Told {
    input: Input,
    actor: Option<Actor>,
    blobs: Vec<(String, String)>,
    outputs: Vec<(OutputKey, Output)>,
}

impl Told {
    fn new(input: Input) -> Self {
        Self { input, actor: None, blobs: Vec::new(), outputs: Vec::new() }
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
    /// What is heard of an act that goes on.
    notes: mpsc::Sender<World>,
    noted: mpsc::Receiver<World>,
    flying: BTreeMap<Act, Flight>,
}

impl Conductor {
    pub(super) fn new(
        inner: Arc<Inner>,
        run: Run,
        context: Option<Context>,
        mail: mpsc::Receiver<Mail>,
    ) -> Self {
        let (done, came) = mpsc::channel(MAX_GROUP);
        let (notes, noted) = mpsc::channel(MAX_NOTES);
        Self { inner, run, context, mail, done, came, notes, noted, flying: BTreeMap::new() }
    }

    /// Carries the run on until it is over and nobody has anything to say to it.
    pub(super) async fn conduct(mut self) {
        // What hosts print of secrets that an earlier process sent is masked too.
        let carried_on = self.run.started.is_some() && !self.run.is_ended();
        let plan = self.run.plan().filter(|_| carried_on);
        let secrets: Vec<String> = plan.into_iter().flat_map(|plan| plan.secrets.keys().cloned()).collect();
        if !secrets.is_empty() {
            self.inner.planner.target.know(secrets).await;
        }
        // Where the run was parked, what is next may be what parked it: whoever speaks to it is heard before.
        if let Ok(mail) = self.mail.try_recv() {
            self.hear(mail).await;
        }
        // Closed: it was parked, and another one may carry it by now.
        while !self.mail.is_closed() {
            self.do_what_is_next();
            if self.run.is_ended() && self.flying.is_empty() && self.inner.put_down(self.run.id, &self.mail) {
                return;
            }
            let until_deadline = deadline(&self.run).map(|moment| self.inner.clock.until(moment));
            tokio::select! {
                mail = self.mail.recv() => match mail {
                    Some(mail) => self.hear(mail).await,
                    None => return,
                },
                Some(done) = self.came.recv() => self.hear_all(done).await,
                // What the journal cannot take of it is heard again soon, or does not matter any more.
                Some(world) = self.noted.recv() => {
                    let mut told = vec![Told::new(Input::World(world))];
                    while told.len() < MAX_GROUP && let Ok(world) = self.noted.try_recv() {
                        told.push(Told::new(Input::World(world)));
                    }
                    self.take(told).await.ok();
                }
                () = async { until_deadline.expect("guarded").await }, if until_deadline.is_some() => {
                    self.take(vec![Told::new(Input::Tick)]).await.ok();
                }
                () = self.inner.ending.cancelled() => return,
            }
            if self.inner.is_fatal() {
                return;
            }
        }
    }

    async fn hear(&mut self, mail: Mail) {
        let (taken, reply) = match mail {
            Mail::Ping(reply) => {
                let _ = reply.send(());
                return;
            }
            Mail::Told(world) => {
                // Whoever said it sees by the state whether it was taken.
                self.take(vec![Told::new(Input::World(world))]).await.ok();
                return;
            }
            Mail::Says { by, says, actor, reply } => {
                let told = Told { actor: Some(actor), ..Told::new(Input::Person { by, says }) };
                (self.take(vec![told]).await, reply)
            }
            Mail::Replanned { world, context, blobs, reply } => {
                let taken = self.take(vec![Told { blobs, ..Told::new(Input::World(world)) }]).await;
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

    /// Takes what came, and what came meanwhile: hosts that answer at one time are written at one time.
    async fn hear_all(&mut self, first: Done) {
        let mut group = vec![first];
        while group.len() < MAX_GROUP
            && let Ok(next) = self.came.try_recv()
        {
            group.push(next);
        }
        // Plans and claims can be refused by the journal, and stand alone.
        if !group.iter().any(|done| matches!(done.act, Act::MakePlan | Act::Claim | Act::Recheck)) {
            return self.hear_hosts(group).await;
        }
        for done in group {
            self.hear_world(done).await;
        }
    }

    async fn hear_hosts(&mut self, group: Vec<Done>) {
        let told = group.iter().map(|done| {
            self.flying.remove(&done.act);
            heard(&done.act);
            Told { outputs: done.outputs.clone(), ..Told::new(Input::World(done.world.clone())) }
        });
        let told = told.collect();
        if let Err(error) = self.take(told).await
            && !matches!(error, AppendError::Fatal { .. })
        {
            self.again_later(group, &error);
        }
    }

    async fn hear_world(&mut self, done: Done) {
        self.flying.remove(&done.act);
        heard(&done.act);
        let makes_a_plan = matches!(done.world, World::Planned { .. });
        let changes_it = matches!(&done.world, World::Rechecked { offer, changes, .. } if !changes.is_empty() || Some(&offer.digest) != self.run.digest());
        let context = done.context.clone();
        let told = Told {
            blobs: done.blobs.clone(),
            outputs: done.outputs.clone(),
            ..Told::new(Input::World(done.world.clone()))
        };
        match self.take(vec![told]).await {
            Ok(_) if makes_a_plan || changes_it => self.context = context,
            // With an old token nothing was claimed; the claim is wanted still, and is made with a new one.
            Ok(_) | Err(AppendError::Fatal { .. } | AppendError::StaleToken { .. }) => {}
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
                self.take(vec![Told::new(Input::World(world))]).await.ok();
            }
            Err(error) => self.again_later(vec![done], &error),
        }
    }

    /// Certainly not written. What happened is kept and offered again; nothing new is sent meanwhile.
    fn again_later(&mut self, group: Vec<Done>, error: &AppendError) {
        tracing::error!(run.id = %self.run.id, "{error}; run {} stands still and tries again", self.run.id);
        let (sender, clock) = (self.done.clone(), self.inner.clock.clone());
        self.flying.extend(group.iter().map(|done| (done.act.clone(), Flight::default())));
        tokio::spawn(async move {
            clock.after(JOURNAL_AGAIN_AFTER).await;
            for done in group {
                let _ = sender.send(done).await;
            }
        });
    }

    /// Decides, appends, applies, and sends what was intended: in this order. All that is told at one time is appended
    /// at one time, and stands or falls together.
    async fn take(&mut self, told: Vec<Told>) -> Result<(Vec<Event>, Option<Refusal>), AppendError> {
        let now = self.inner.clock.now();
        let mut after_them = self.run.clone();
        // Each event with the state that it leads to.
        let mut happened: Vec<(Stamped, Run)> = Vec::new();
        let (mut entries, mut blobs, mut outputs, mut refusal) = (Vec::new(), Vec::new(), Vec::new(), None);
        for told in told {
            let decided = decide(&after_them, &told.input, now);
            refusal = decided.refusal.or(refusal);
            if decided.events.is_empty() {
                continue;
            }
            let by = told.actor.as_ref().and_then(|actor| actor.person.clone());
            for event in decided.events {
                let stamped = Stamped { at: now, by: by.clone(), event };
                apply(&mut after_them, &stamped);
                entries.push(NewEntry::of_event(&stamped, told.actor.clone()));
                happened.push((stamped, after_them.clone()));
            }
            blobs.extend(told.blobs);
            outputs.extend(told.outputs);
        }
        if happened.is_empty() {
            return Ok((Vec::new(), refusal));
        }
        let append = Append {
            run: Some(RunAppend {
                id: self.run.id,
                expected: self.run.version,
                open: !after_them.is_ended(),
                holds: (after_them.holds != self.run.holds).then(|| after_them.holds.clone()),
            }),
            entries,
            blobs,
            outputs,
            ..Append::default()
        };
        if let Err(error) = self.inner.journal.append(append).await {
            if let AppendError::Fatal { why } = &error {
                self.inner.journal_is_lost(why);
            }
            return Err(error);
        }
        self.run = after_them;
        let events: Vec<Event> = happened.iter().map(|(stamped, _)| stamped.event.clone()).collect();
        self.inner.publish(happened);
        for event in &events {
            match event {
                Event::StepSent { unit, attempt, variant, .. } => {
                    failpoint::pass(Point::StepIntended);
                    self.carry(unit, *attempt, *variant, Carry::Send);
                }
                Event::Started { .. } => self.prewarm(),
                Event::UndoSent { unit, attempt, .. } => {
                    failpoint::pass(Point::UndoIntended);
                    self.carry_undo(unit, *attempt, Carry::Send);
                }
                Event::Ended { .. } => self.clear_up(),
                _ => {}
            }
        }
        Ok((events, refusal))
    }
}

impl Drop for Conductor {
    /// Nobody hears any more what its acts come to. What was sent to hosts goes on there.
    fn drop(&mut self) {
        for task in self.flying.values().filter_map(|flight| flight.task.as_ref()) {
            task.abort();
        }
    }
}

/// The context of a run that was found in the journal: made from the files that it began with.
pub(super) fn recovered_context(inner: &Inner, run: &Run) -> Result<Option<Context>, String> {
    let Some(offer) = &run.offer else { return Ok(None) };
    let snapshot = inner.files(&offer.sources)?;
    Context::of_plan(snapshot, run, &offer.plan)
        .map(Some)
        .ok_or_else(|| format!("{} is not among its files", offer.plan.runbook))
}

/// What happened, for those who follow.
pub(super) fn happened(run: Run, stamped: Stamped) -> Happened {
    let ended = matches!(run.phase, Phase::Ended(_));
    Happened { run: Arc::new(run), stamped, ended }
}

/// Where a test ends the process: what a host did is known, and not recorded.
fn heard(act: &Act) {
    match act {
        Act::Await(..) => failpoint::pass(Point::StepHeard),
        Act::AwaitUndo(..) => failpoint::pass(Point::UndoHeard),
        _ => {}
    }
}
