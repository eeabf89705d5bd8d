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
pub mod doctor;
mod duty;
pub mod incidents;
mod members;
pub mod planner;
mod refused;
mod requests;
mod to_run;
mod wellness;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use conductor::Heard;
pub use duty::overrides;
pub use incidents::{Answers, Begin, Changed, Incidents};
pub use planner::{NotOffered, Planner};
pub use refused::Refused;
pub use to_run::ToRun;
pub use wellness::Standing;

use crate::failpoint::{self, Point};
use crate::journal::{Actor, Append, AppendError, Journal, JournalView, NewEntry};
use crate::library::{Library, Said, Snapshot};
use crate::plan::model::Offer;
use crate::policy::decide::Door;
use crate::run::model::{Far, HowFar, Requested, UnitState};
use crate::run::next::after;
use crate::run::{Event, Run, RunId, Stamped, UnitAt, World};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, Person};
use crate::target::Target;
use clock::Clock;
use conductor::{Conductor, Mail};
use dice::Dice;
use members::{Asks, Written};
use planner::Before;

/// Followers that are further behind read the journal instead.
pub const FOLLOW_CAPACITY: usize = 4_096;
/// Things said to one run that wait.
const MAILBOX: usize = 128;

/// An end waits no longer for hosts that are being rid of what they keep.
const CLEARING_WITHIN: Duration = Duration::from_secs(3);

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

/// A run that a conductor carries.
struct Carried {
    state: watch::Sender<Arc<Run>>,
    mailbox: mpsc::Sender<Mail>,
    /// How far the steps that work are.
    far: Far,
}

/// What all conductors share.
pub(crate) struct Inner {
    journal: Journal,
    planner: Planner,
    clock: Clock,
    dice: Dice,
    zone: jiff::tz::TimeZone,
    /// Runs that a conductor carries: all open ones, and those that people still talk to.
    carried: Mutex<BTreeMap<RunId, Carried>>,
    /// Open runs that nobody carries on, and why: they stand still and keep what they hold.
    parked: Mutex<BTreeMap<RunId, String>>,
    /// The files that a run was found to have begun with last, by their hash: most open runs have the same ones.
    files: Mutex<Option<(String, Arc<Snapshot>)>>,
    /// What was said of roles, and stands in no file.
    said: RwLock<Said>,
    /// Who had which role of Discord when it was last written down. Whoever writes down anything of roles holds it.
    written: tokio::sync::Mutex<Written>,
    /// Since when something newer is wanted of Discord, and when it was last asked.
    asks: Asks,
    followers: broadcast::Sender<Happened>,
    ending: CancellationToken,
    /// Hosts that are being rid of what they keep of runs that are over.
    clearing: TaskTracker,
    fatal: watch::Sender<Option<String>>,
    incidents: incidents::Room,
}

impl Inner {
    /// Tells what was appended at one time: each event with the state that it led to. As the state of the run only the
    /// last one is seen, since the others never stood by themselves.
    fn publish(&self, all: Vec<(Stamped, Run)>) {
        let all: Vec<Happened> =
            all.into_iter().map(|(stamped, run)| conductor::happened(run, stamped)).collect();
        let Some(run) = all.last().map(|happened| happened.run.clone()) else { return };
        // Both under the lock: whoever reads the new state can already receive the events that led to it.
        let mut carried = lock(&self.carried);
        if let Some(carried) = carried.get_mut(&run.id) {
            let works =
                |state: &UnitState| matches!(state, UnitState::Sent { .. } | UnitState::Holding { .. });
            carried.far.retain(|unit, _| run.units.get(unit).is_some_and(works));
            carried.state.send_replace(run);
        }
        for happened in all {
            // Nobody follows: that is fine.
            let _ = self.followers.send(happened);
        }
    }

    /// Shows how far a step is that works; it is not recorded.
    fn show_far(&self, run: RunId, unit: &UnitAt, show: impl FnOnce(&mut HowFar)) {
        if let Some(carried) = lock(&self.carried).get_mut(&run) {
            show(carried.far.entry(unit.clone()).or_default());
        }
    }

    /// A run that is over is carried no longer, once nobody has anything to say to it.
    fn put_down(&self, run: RunId, mail: &mpsc::Receiver<Mail>) -> bool {
        let mut carried = lock(&self.carried);
        let quiet = mail.is_empty();
        if quiet {
            carried.remove(&run);
        }
        quiet
    }

    fn is_fatal(&self) -> bool {
        self.fatal.borrow().is_some()
    }

    fn set_fatal(&self, why: &str) {
        tracing::error!("{why}");
        self.fatal.send_replace(Some(why.to_owned()));
    }

    fn journal_is_lost(&self, why: &str) {
        self.set_fatal(&format!("the journal cannot be relied on any more ({why})"));
    }

    /// Does what a run needs. After a fault of ours in it that run is parked; all others go on.
    async fn survives(self: Arc<Self>, work: impl Future<Output = ()>, id: RunId) {
        let mut work = std::pin::pin!(work);
        let ended = std::future::poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
            polled.map_or_else(|_| Poll::Ready(Err(())), |polled| polled.map(Ok))
        });
        if ended.await.is_err() {
            self.park(id, "a fault in the bot itself".to_owned());
        }
    }

    /// Lets a run stand still: its conductor ends, what was sent to hosts goes on there, and it keeps what it holds.
    /// Somebody who speaks to it, or another start of the bot, has it carried on again.
    fn park(self: Arc<Self>, id: RunId, why: String) {
        tracing::error!(run.id = %id, "run {id} is parked: {why}");
        lock(&self.parked).insert(id, why.clone());
        // Those who wait for it hear that nobody carries it any more.
        lock(&self.carried).remove(&id);
        tokio::spawn(async move {
            self.note("run-parked", None, serde_json::json!({ "run": id, "why": why })).await
        });
    }

    /// Records something that belongs to no run.
    async fn note(&self, kind: &str, actor: Option<Actor>, data: serde_json::Value) -> Result<(), Refused> {
        let entry = NewEntry { time: self.clock.now(), actor, kind: kind.to_owned(), data };
        let append = Append { entries: vec![entry], ..Append::default() };
        match self.journal.append(append).await {
            Ok(_) => Ok(()),
            Err(error) => {
                if let AppendError::Fatal { why } = &error {
                    self.journal_is_lost(why);
                }
                Err(Refused::NotWritten(error))
            }
        }
    }

    /// The files that a run began with, from the journal.
    fn files(&self, sources: &str) -> Result<Arc<Snapshot>, String> {
        let mut last = lock(&self.files);
        if let Some((_, files)) = last.as_ref().filter(|(hash, _)| hash == sources) {
            return Ok(files.clone());
        }
        let blob = |hash: &str| self.journal.view().blob(hash).ok().flatten();
        let files = Arc::new(Snapshot::from_blobs(sources, blob)?);
        *last = Some((sources.to_owned(), files.clone()));
        Ok(files)
    }

    fn time_of(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M %Z").to_string()
    }

    /// What the journal knows that a plan needs. What cannot be read is not known.
    fn before(&self, snapshot: &Snapshot, id: RunId, request: &Requested) -> Before {
        let view = self.journal.view();
        let mut before = Before::default();
        // Only clusters that were named, and only until each is known: a plan of many hosts is long.
        let named = request.arguments.iter().filter_map(|(_, value)| ClusterName::new(value));
        let named: Vec<ClusterName> = named.filter(|name| snapshot.set.knows_roles(name)).collect();
        let plans = if named.is_empty() { 0 } else { 50 };
        for entry in view.newest_of_kind("offered", plans).unwrap_or_default() {
            if named.iter().all(|name| before.primaries.contains_key(name)) {
                break;
            }
            let Ok(Stamped { event: Event::Offered { offer, .. }, .. }) = crate::journal::stamped(&entry)
            else {
                continue;
            };
            for (cluster, topology) in offer.plan.topology {
                if let (false, Some(primary)) = (topology.believed, topology.primary) {
                    before.primaries.entry(cluster).or_insert(primary);
                }
            }
        }
        before.took = view.took(&request.runbook).unwrap_or_default();
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
        let overrides = duty::overrides_of(journal.view())?;
        let said = RwLock::new(Said { overrides, ..Said::default() });
        let (incidents, post) = incidents::Room::new();
        let inner = Arc::new(Inner {
            planner: Planner { library, target, clock: clock.clone() },
            journal,
            clock,
            dice,
            zone,
            carried: Mutex::default(),
            parked: Mutex::default(),
            files: Mutex::default(),
            said,
            written: tokio::sync::Mutex::default(),
            asks: Asks::default(),
            followers,
            ending: CancellationToken::new(),
            clearing: TaskTracker::new(),
            fatal: watch::Sender::new(None),
            incidents,
        });
        let engine = Self { inner };
        engine.inner.note("start", None, serde_json::json!({ "pid": std::process::id() })).await?;
        failpoint::pass(Point::EngineStarted);
        incidents::begin(&engine.inner, post).await;
        for id in engine.view().open_runs()? {
            match engine.view().run(id) {
                Ok(Some(run)) => _ = engine.conduct(run, None),
                Ok(None) => {}
                // It is never reinterpreted, and keeps no other from going on.
                Err(error) => engine.inner.clone().park(id, error.to_string()),
            }
        }
        Ok(engine)
    }

    /// Ends: no new step begins. What runs on hosts is left alone.
    pub async fn end(&self) {
        let _ = self.inner.note("stop", None, serde_json::json!({ "pid": std::process::id() })).await;
        failpoint::pass(Point::EngineEnds);
        self.inner.ending.cancel();
        self.inner.clearing.close();
        tokio::select! {
            () = self.inner.clearing.wait() => {}
            () = self.inner.clock.after(CLEARING_WITHIN) => {}
        }
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

    /// The files as they are now, and who has which role now.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, Refused> {
        self.inner.snapshot().map_err(Refused::NotLoaded)
    }

    /// A run as it is now.
    pub fn run(&self, id: RunId) -> Result<Arc<Run>, Refused> {
        let carried = lock(&self.inner.carried).get(&id).map(|carried| carried.state.borrow().clone());
        match carried {
            Some(run) => Ok(run),
            None => self.view().run(id)?.map(Arc::new).ok_or(Refused::UnknownRun(id)),
        }
    }

    fn watch(&self, id: RunId) -> Option<watch::Receiver<Arc<Run>>> {
        lock(&self.inner.carried).get(&id).map(|carried| carried.state.subscribe())
    }

    /// How far the steps of a run are that work.
    pub fn far(&self, id: RunId) -> Far {
        lock(&self.inner.carried).get(&id).map(|carried| carried.far.clone()).unwrap_or_default()
    }

    /// Runs that have not ended.
    pub fn open_runs(&self) -> Vec<Arc<Run>> {
        let mut ids: Vec<RunId> = lock(&self.inner.carried).keys().copied().collect();
        ids.extend(self.parked().into_keys());
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.run(id).ok()).filter(|run| !run.is_ended()).collect()
    }

    /// Open runs that stand still because of a fault, and why.
    pub fn parked(&self) -> BTreeMap<RunId, String> {
        lock(&self.inner.parked).clone()
    }

    /// Ends when the run waits for a person, or is over.
    pub async fn rest(&self, id: RunId) -> Result<Arc<Run>, Refused> {
        self.when(id, Run::waits_for_person).await
    }

    /// Ends when this is so of the run, or when the run is carried no longer.
    async fn when(&self, id: RunId, is_so: impl Fn(&Run) -> bool) -> Result<Arc<Run>, Refused> {
        if let Some(mut state) = self.watch(id)
            && let Ok(run) = state.wait_for(|run| is_so(run)).await
        {
            return Ok(run.clone());
        }
        self.run(id)
    }

    /// Records that somebody was refused.
    pub async fn note_denied(
        &self,
        speaker: &Speaker,
        what: &str,
        code: &str,
        run: Option<RunId>,
    ) -> Result<(), Refused> {
        let data = serde_json::json!({ "what": what, "code": code, "run": run });
        self.inner.note("command-denied", Some(speaker.actor()), data).await
    }

    /// Records where a run is shown in a chat, so that the next start finds it there. It is no event of the run.
    pub async fn note_shown(&self, kind: &str, place: serde_json::Value) -> Result<(), Refused> {
        self.inner.note(kind, None, place).await
    }

    /// Where a run was shown to people is gone, or closed: nobody could stop it there, so that it pauses before its next
    /// effect. A run that nobody carries, or that has not begun, does nothing.
    pub fn place_lost(&self, id: RunId, why: &str) {
        let told = self.hand_over(id, Mail::Told(World::PlaceLost { why: why.to_owned() }));
        if let Err(busy) = told {
            tracing::warn!(run.id = %id, "run {id} was not told that its place is gone: {busy:?}");
        }
    }

    /// Gives the run to a conductor of its own, with the first thing that is said to it; that comes back if the run
    /// is carried already.
    fn conduct(&self, run: Run, first: Option<Mail>) -> Option<Mail> {
        let context = match conductor::recovered_context(&self.inner, &run) {
            Ok(context) => context,
            Err(why) => {
                // It is never reinterpreted: it stands still, and people can look at it and stop it.
                tracing::error!(run.id = %run.id, "run {} cannot be carried on: {why}", run.id);
                None
            }
        };
        let mut carried = lock(&self.inner.carried);
        // Two may talk to an ended run at once: one conductor is enough, and there must be no second.
        let Entry::Vacant(entry) = carried.entry(run.id) else { return first };
        lock(&self.inner.parked).remove(&run.id);
        let (mailbox, mail) = mpsc::channel(MAILBOX);
        if let Some(first) = first {
            // An empty mailbox takes it.
            let _ = mailbox.try_send(first);
        }
        let state = watch::Sender::new(Arc::new(run.clone()));
        entry.insert(Carried { state, mailbox, far: Far::new() });
        let (inner, id) = (self.inner.clone(), run.id);
        let conductor = Conductor::new(inner.clone(), run, context, mail);
        tokio::spawn(async move { inner.survives(conductor.conduct(), id).await });
        None
    }

    async fn send(
        &self,
        id: RunId,
        mail: impl FnOnce(oneshot::Sender<Heard>) -> Mail,
    ) -> Result<Heard, Refused> {
        let (reply, answer) = oneshot::channel();
        let gone = || {
            Refused::NotWritten(AppendError::Fatal { why: "the run is not carried on any more".to_owned() })
        };
        let mut unsent = Some(mail(reply));
        while let Some(mail) = unsent.take() {
            unsent = self.hand_over(id, mail)?;
            if let Some(mail) = unsent.take() {
                // It has ended, and can still be taken back; or it is parked.
                let run = self.view().run(id)?.ok_or(Refused::UnknownRun(id))?;
                unsent = self.conduct(run, Some(mail));
            }
        }
        answer.await.map_err(|_| gone())
    }

    /// Puts something into the mailbox of a run; it comes back if nobody carries the run. Under the lock, so that no
    /// conductor leaves at that moment.
    fn hand_over(&self, id: RunId, mail: Mail) -> Result<Option<Mail>, Refused> {
        let carried = lock(&self.inner.carried);
        let Some(carried) = carried.get(&id) else { return Ok(Some(mail)) };
        match carried.mailbox.try_send(mail) {
            // Closed: the process is ending, and the reply will never come.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(None),
            Err(TrySendError::Full(_)) => Err(Refused::Busy(id)),
        }
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
