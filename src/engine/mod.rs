//! The middle: takes requests, conducts runs, and tells those who follow.
//!
//! One conductor carries one run on; no run waits for another. The engine asks the policy before anything is decided,
//! records what it refuses, and is the only one that appends events of runs.

mod answers;
pub mod ask;
pub mod clock;
mod conductor;
pub mod context;
pub mod dice;
pub mod planner;
mod refused;
mod requests;
mod to_run;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use conductor::Heard;
pub use planner::{NotOffered, Planner};
pub use refused::Refused;
pub use to_run::ToRun;

use crate::journal::{Actor, Append, AppendError, Journal, JournalView, NewEntry};
use crate::library::{Library, Snapshot};
use crate::plan::model::Offer;
use crate::policy::decide::Door;
use crate::run::model::Requested;
use crate::run::next::after;
use crate::run::{Event, Run, RunId, Stamped, UnitAt};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::Person;
use crate::target::Target;
use clock::Clock;
use conductor::{Conductor, Mail};
use dice::Dice;
use planner::Before;

/// Followers that are further behind read the journal instead.
const FOLLOW_CAPACITY: usize = 4_096;
/// Things said to one run that wait.
const MAILBOX: usize = 128;

/// Something that happened to a run, with the state right after it.
#[derive(Debug, Clone)]
pub struct Happened {
    /// The run, right after the event.
    pub run: Arc<Run>,
    /// The event.
    pub stamped: Stamped,
    /// Whether the run is over.
    pub ended: bool,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowFar {
    /// Of all of it, if that is known.
    pub percent: Option<u8>,
    /// In its own units: `251 GiB of 412 GiB`.
    pub text: String,
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The person; none if the account belongs to nobody.
    pub person: Option<Person>,
    /// The account.
    pub account: String,
    /// The way in.
    pub door: Door,
}

impl Speaker {
    /// As it stands in the journal.
    pub fn actor(&self) -> Actor {
        Actor { person: self.person.clone(), account: self.account.clone(), door: self.door }
    }
}

/// The middle. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// What all conductors share.
pub(crate) struct Inner {
    journal: Journal,
    planner: Planner,
    clock: Clock,
    dice: Dice,
    zone: jiff::tz::TimeZone,
    runs: Mutex<BTreeMap<RunId, watch::Receiver<Arc<Run>>>>,
    states: Mutex<HashMap<RunId, watch::Sender<Arc<Run>>>>,
    mailboxes: Mutex<HashMap<RunId, mpsc::Sender<Mail>>>,
    progress: Mutex<HashMap<(RunId, UnitAt), HowFar>>,
    followers: broadcast::Sender<Happened>,
    ending: CancellationToken,
    fatal: watch::Sender<Option<String>>,
}

impl Inner {
    fn publish(&self, run: &Run, stamped: Stamped) {
        let happened = conductor::happened(run, stamped);
        if let Some(state) = lock(&self.states).get(&run.id) {
            state.send_replace(happened.run.clone());
        }
        // Nobody follows: that is fine.
        let _ = self.followers.send(happened);
    }

    fn show_progress(&self, run: RunId, unit: &UnitAt, how_far: HowFar) {
        lock(&self.progress).insert((run, unit.clone()), how_far);
    }

    fn is_fatal(&self) -> bool {
        self.fatal.borrow().is_some()
    }

    fn set_fatal(&self, why: &str) {
        tracing::error!("{why}");
        self.fatal.send_replace(Some(why.to_owned()));
    }

    fn time_of(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M %Z").to_string()
    }

    /// What the journal knows that a plan needs. What cannot be read is not known.
    fn before(&self, snapshot: &Snapshot, id: RunId, request: &Requested) -> Before {
        let view = self.journal.view();
        let mut before = Before::default();
        for entry in view.newest_of_kind("offered", 50).unwrap_or_default() {
            let Ok(Stamped { event: Event::Offered { offer, .. }, .. }) = crate::journal::stamped(&entry)
            else {
                continue;
            };
            for (cluster, topology) in offer.plan.topology {
                if !topology.believed {
                    before.primaries.entry(cluster).or_insert(topology.primary);
                }
            }
        }
        let cool_down = snapshot.set.runbooks.get(&request.runbook).and_then(|runbook| runbook.cool_down);
        if let Some(cool_down) = cool_down {
            before.last_end = self.last_end(id, request, cool_down);
        }
        before
    }

    /// When this runbook last ended on one of these clusters, if that is not longer ago than it cools down.
    fn last_end(&self, id: RunId, request: &Requested, cool_down: Millis) -> Option<Timestamp> {
        let view = self.journal.view();
        let oldest = after(self.clock.now(), Millis(-cool_down.0));
        let ends = view.newest_of_kind("ended", 200).ok()?;
        let recent = ends.into_iter().take_while(|entry| entry.time > oldest);
        for entry in recent.filter(|entry| entry.run.is_some_and(|run| run != id)) {
            let Ok(Some(run)) = view.run(entry.run?) else { continue };
            let shares_a_value = run.request.arguments.iter().any(|argument| {
                let is_cluster = run
                    .plan()
                    .is_some_and(|plan| plan.topology.keys().any(|cluster| cluster.as_str() == argument.1));
                is_cluster && request.arguments.contains(argument)
            });
            if run.request.runbook == request.runbook && run.started.is_some() && shares_a_value {
                return Some(entry.time);
            }
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Starts the middle: records the start, and carries on every run that the journal has open.
    pub async fn start(
        journal: Journal,
        library: Arc<Library>,
        target: Arc<dyn Target>,
        clock: Clock,
        dice: Dice,
        zone: jiff::tz::TimeZone,
    ) -> Result<Self, Refused> {
        let (followers, _) = broadcast::channel(FOLLOW_CAPACITY);
        let inner = Arc::new(Inner {
            planner: Planner { library, target, clock: clock.clone() },
            journal,
            clock,
            dice,
            zone,
            runs: Mutex::default(),
            states: Mutex::default(),
            mailboxes: Mutex::default(),
            progress: Mutex::default(),
            followers,
            ending: CancellationToken::new(),
            fatal: watch::Sender::new(None),
        });
        let engine = Self { inner };
        engine.note("start", None, serde_json::json!({ "pid": std::process::id() })).await?;
        for id in engine.view().open_runs()? {
            if let Some(run) = engine.view().run(id)? {
                engine.conduct(run);
            }
        }
        Ok(engine)
    }

    /// Ends: no new step begins. What runs on hosts is left alone.
    pub async fn end(&self) {
        let _ = self.note("stop", None, serde_json::json!({ "pid": std::process::id() })).await;
        self.inner.ending.cancel();
    }

    /// The journal, for reading.
    pub fn view(&self) -> &JournalView {
        self.inner.journal.view()
    }

    /// The folder of runbooks.
    pub fn library(&self) -> &Arc<Library> {
        &self.inner.planner.library
    }

    /// Makes plans without asking for anything.
    pub fn planner(&self) -> &Planner {
        &self.inner.planner
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Everything that happens from now on.
    pub fn follow(&self) -> broadcast::Receiver<Happened> {
        self.inner.followers.subscribe()
    }

    /// Why the process must end, once it must.
    pub async fn fatal(&self) -> String {
        let mut fatal = self.inner.fatal.subscribe();
        match fatal.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// The files as they are now.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, Refused> {
        self.library().load().map_err(Refused::NotLoaded)
    }

    /// A run as it is now.
    pub fn run(&self, id: RunId) -> Result<Arc<Run>, Refused> {
        let known = lock(&self.inner.runs).get(&id).map(|state| state.borrow().clone());
        match known {
            Some(run) => Ok(run),
            None => self.view().run(id)?.map(Arc::new).ok_or(Refused::UnknownRun(id)),
        }
    }

    /// How far the steps of a run are, as they last said.
    pub fn progress(&self, id: RunId) -> BTreeMap<UnitAt, HowFar> {
        let progress = lock(&self.inner.progress);
        progress
            .iter()
            .filter(|((run, _), _)| *run == id)
            .map(|((_, unit), far)| (unit.clone(), far.clone()))
            .collect()
    }

    /// Runs that have not ended.
    pub fn open_runs(&self) -> Vec<Arc<Run>> {
        let runs = lock(&self.inner.runs);
        runs.values().map(|state| state.borrow().clone()).filter(|run| !run.is_ended()).collect()
    }

    /// Ends when the run waits for a person, or is over.
    pub async fn rest(&self, id: RunId) -> Result<Arc<Run>, Refused> {
        let state = lock(&self.inner.runs).get(&id).cloned();
        let Some(mut state) = state else { return self.run(id) };
        match state.wait_for(|run| run.waits_for_person()).await {
            Ok(run) => Ok(run.clone()),
            Err(_) => self.run(id),
        }
    }

    /// Records something that belongs to no run.
    async fn note(&self, kind: &str, actor: Option<Actor>, data: serde_json::Value) -> Result<(), Refused> {
        let entry = NewEntry { time: self.inner.clock.now(), actor, kind: kind.to_owned(), data };
        let append = Append { entries: vec![entry], ..Append::default() };
        match self.inner.journal.append(append).await {
            Ok(_) => Ok(()),
            Err(error) => {
                if let AppendError::Fatal { why } = &error {
                    self.inner.set_fatal(why);
                }
                Err(Refused::NotWritten(error))
            }
        }
    }

    /// Records that somebody was refused.
    async fn note_denied(
        &self,
        speaker: &Speaker,
        what: &str,
        code: &str,
        run: Option<RunId>,
    ) -> Result<(), Refused> {
        let data = serde_json::json!({ "what": what, "code": code, "run": run });
        self.note("command-denied", Some(speaker.actor()), data).await
    }

    fn conduct(&self, run: Run) {
        let id = run.id;
        let context = match conductor::recovered_context(&self.inner, &run) {
            Ok(context) => context,
            Err(why) => {
                // It is never reinterpreted: it stands still, and people can look at it and stop it.
                tracing::error!(run.id = %id, "run {id} cannot be carried on: {why}");
                None
            }
        };
        let (sender, receiver) = watch::channel(Arc::new(run.clone()));
        let (mailbox, mail) = mpsc::channel(MAILBOX);
        lock(&self.inner.runs).insert(id, receiver);
        lock(&self.inner.states).insert(id, sender);
        lock(&self.inner.mailboxes).insert(id, mailbox);
        tokio::spawn(Conductor::new(self.inner.clone(), run, context, mail).conduct());
    }

    async fn send(
        &self,
        id: RunId,
        mail: impl FnOnce(oneshot::Sender<Heard>) -> Mail,
    ) -> Result<Heard, Refused> {
        let mailbox = lock(&self.inner.mailboxes).get(&id).cloned();
        let mailbox = if let Some(mailbox) = mailbox {
            mailbox
        } else {
            // A run that ended before this process began: it can still be taken back.
            let run = self.view().run(id)?.ok_or(Refused::UnknownRun(id))?;
            self.conduct(run);
            lock(&self.inner.mailboxes).get(&id).cloned().ok_or(Refused::UnknownRun(id))?
        };
        let (reply, answer) = oneshot::channel();
        let gone = || {
            Refused::NotWritten(AppendError::Fatal { why: "the run is not carried on any more".to_owned() })
        };
        mailbox.send(mail(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// An offer made only to be looked at.
pub async fn look(
    planner: &Planner,
    snapshot: &Arc<Snapshot>,
    request: &Requested,
) -> Result<Offer, NotOffered> {
    let id = RunId(0);
    planner.offer(snapshot, id, request, &Before::default()).await.map(|(offer, _)| offer)
}
