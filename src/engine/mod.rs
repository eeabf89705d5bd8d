//! The middle: takes requests, conducts runs, and tells those who follow.
//!
//! One conductor carries one run on; no run waits for another. The engine asks the policy before anything is decided,
//! records what it refuses, and is the only one that appends events of runs.

pub mod ask;
pub mod clock;
mod conductor;
pub mod context;
pub mod dice;
pub mod planner;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use conductor::Heard;
pub use planner::{NotOffered, Planner};

use crate::journal::{Actor, Append, AppendError, Journal, JournalView, NewEntry, OpenError, RunAppend};
use crate::library::{Library, NotLoaded, Snapshot};
use crate::plan::Resource;
use crate::plan::bind::{WrongValue, bind};
use crate::plan::difference::differences;
use crate::plan::model::Offer;
use crate::policy::decide::{Denial, Door, Ruling, policy_of, role_names};
use crate::policy::model::Policy;
use crate::run::decide::CONFIRM_WITHIN;
use crate::run::model::{Outcome, Phase, Requested, Token};
use crate::run::next::after;
use crate::run::{Event, Refusal, Run, RunId, Says, Stamped, UnitAt, World, apply};
use crate::runbook::expression::Value;
use crate::runbook::model::Runbook;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, Person, RunbookName};
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

/// Why a request is not taken.
#[derive(Debug)]
pub enum Refused {
    /// The policy says no.
    Denied(Denial),
    /// There is no such runbook.
    UnknownRunbook(String),
    /// There is no such run, or the speaker may not know of it.
    UnknownRun(RunId),
    /// Values are not right; nothing was measured.
    WrongValues(RunbookName, Vec<WrongValue>),
    /// A resource is held; nothing was measured.
    Held {
        /// Which.
        resource: Resource,
        /// By which run.
        by: Arc<Run>,
        /// Since when.
        since: Timestamp,
    },
    /// The run says no.
    Run(Refusal, Arc<Run>),
    /// The plan was made anew, because what it was made from changed: the agreement is not taken.
    PlanChanged(Arc<Run>),
    /// The runbooks cannot be used.
    NotLoaded(NotLoaded),
    /// The journal did not take it.
    NotWritten(AppendError),
    /// The journal cannot be read.
    Journal(OpenError),
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        Self::Journal(error)
    }
}

/// What a speaker says to a run, before the policy has ruled and tokens are thrown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the command grammar")]
pub enum ToRun {
    Confirm { token: String },
    Approve { digest: String },
    Withdraw,
    Refuse { why: String },
    Stop { now: bool },
    Pause,
    Resume,
    Retry { number: u32, host: Option<String> },
    Skip { number: u32, host: Option<String>, why: String },
    Ask { number: u32, host: Option<String> },
    Settle { number: u32, host: Option<String>, done: bool, how: String },
    Answer { number: u32, host: Option<String>, go_on: bool },
    Undo { including: Option<u32> },
    Take,
    Handover { to: Person },
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

    /// Who speaks, and under which policy; denials are recorded.
    async fn person(&self, speaker: &Speaker, snapshot: &Snapshot, what: &str) -> Result<Person, Refused> {
        let denial = match policy_of(&snapshot.set.policy) {
            Err(denial) => denial,
            Ok(policy) if !policy.is_open(speaker.door) => Denial::DoorClosed(speaker.door),
            Ok(policy) => match &speaker.person {
                Some(person) if policy.people.contains_key(person) => return Ok(person.clone()),
                _ => Denial::NoPerson(speaker.account.clone()),
            },
        };
        self.deny(speaker, what, denial, None).await
    }

    async fn deny<T>(
        &self,
        speaker: &Speaker,
        what: &str,
        denial: Denial,
        run: Option<RunId>,
    ) -> Result<T, Refused> {
        self.note_denied(speaker, what, denial.code(), run).await?;
        Err(Refused::Denied(denial))
    }

    async fn allow(
        &self,
        speaker: &Speaker,
        what: &str,
        ruling: Ruling,
        run: Option<RunId>,
    ) -> Result<(), Refused> {
        match ruling {
            Ruling::Allow => Ok(()),
            Ruling::Deny(denial) => self.deny(speaker, what, denial, run).await,
        }
    }

    /// Asks for a run. Ends when its plan is shown, or when there will be none.
    pub async fn request(
        &self,
        speaker: &Speaker,
        runbook: &str,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
    ) -> Result<Arc<Run>, Refused> {
        let id = self.begin(speaker, runbook, arguments, reason).await?;
        let state = lock(&self.inner.runs).get(&id).cloned();
        let Some(mut state) = state else { return self.run(id) };
        match state.wait_for(|run| run.phase != Phase::Measuring).await {
            Ok(run) => Ok(run.clone()),
            Err(_) => self.run(id),
        }
    }

    /// Everything that can be said before anything is measured; then the run exists.
    async fn begin(
        &self,
        speaker: &Speaker,
        name: &str,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
    ) -> Result<RunId, Refused> {
        let what = format!("run {name}");
        let snapshot = self.snapshot()?;
        let person = self.person(speaker, &snapshot, &what).await?;
        let policy =
            snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
        let Some(runbook) = snapshot.set.runbooks.get(name) else {
            return Err(Refused::UnknownRunbook(name.to_owned()));
        };
        let start = role_names(&runbook.access.start);
        self.allow(speaker, &what, policy.needs_role(&person, "Running", &start), None).await?;
        let values = bind(&snapshot.set, runbook, &arguments, reason.as_deref())
            .map_err(|wrong| Refused::WrongValues(runbook.name.clone(), wrong))?;
        if let Some(refused) = self.held(&values)? {
            return Err(refused);
        }
        let request = Requested {
            runbook: runbook.name.clone(),
            arguments,
            reason: reason.unwrap_or_default(),
            by: person.clone(),
            account: speaker.account.clone(),
            door: speaker.door,
        };
        let now = self.inner.clock.now();
        let stamped = Stamped { at: now, by: Some(person), event: Event::Requested(request.clone()) };
        // Two requests at one time want the same number: the journal takes one, the other asks for the next.
        loop {
            let id = self.view().next_run()?;
            let append = Append {
                run: Some(RunAppend { id, expected: 0, open: true, holds: None }),
                entries: vec![NewEntry::of_event(&stamped, Some(speaker.actor()))],
                ..Append::default()
            };
            match self.inner.journal.append(append).await {
                Ok(_) => {
                    let mut run = Run::new(id, request, now);
                    apply(&mut run, &stamped);
                    self.conduct(run);
                    return Ok(id);
                }
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(Refused::NotWritten(error)),
            }
        }
    }

    /// A cluster that another run holds: then nothing is measured.
    fn held(&self, values: &BTreeMap<String, Value>) -> Result<Option<Refused>, Refused> {
        let clusters: Vec<Resource> = values
            .values()
            .filter_map(|value| match value {
                Value::Cluster(name) => Some(Resource::cluster(name)),
                _ => None,
            })
            .collect();
        let held = self.view().holds()?.into_iter().find(|held| clusters.contains(&held.resource));
        held.map(|held| {
            Ok(Refused::Held { resource: held.resource, by: self.run(held.run)?, since: held.since })
        })
        .transpose()
    }

    /// Says something to a run.
    pub async fn say(&self, speaker: &Speaker, id: RunId, to_run: ToRun) -> Result<Heard, Refused> {
        let what = format!("{} {id}", to_run.verb());
        let snapshot = self.snapshot()?;
        let person = self.person(speaker, &snapshot, &what).await?;
        let policy =
            snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
        let run = match self.run(id) {
            Ok(run) => run,
            Err(refused) => {
                self.note_denied(speaker, &what, "unknown-run", Some(id)).await?;
                return Err(refused);
            }
        };
        let runbook = snapshot.set.runbooks.get(&run.request.runbook);
        let roles = to_run.needs(&run, runbook);
        // The requester and the driver may always steer their own run.
        let own =
            (run.request.by == person || run.driver == person) && !matches!(to_run, ToRun::Approve { .. });
        // That requester and approver differ is said before anything about roles: it is the first thing to know.
        let own_approval = matches!(to_run, ToRun::Approve { .. }) && run.request.by == person;
        if !own && !own_approval && !matches!(to_run, ToRun::Confirm { .. }) {
            self.allow(speaker, &what, policy.needs_role(&person, to_run.deed(), &roles), Some(id)).await?;
        }
        if matches!(to_run, ToRun::Confirm { .. } | ToRun::Approve { .. })
            && let Some(changed) = self.changed_files(&run, &snapshot).await?
        {
            self.note_denied(speaker, &what, "plan-changed", Some(id)).await?;
            return Err(Refused::PlanChanged(changed));
        }
        let says = self.says(policy, &person, &run, to_run)?;
        let says = match says {
            Ok(says) => says,
            Err(refusal) => {
                self.note_denied(speaker, &what, refusal.code(), Some(id)).await?;
                return Err(Refused::Run(refusal, run));
            }
        };
        let mail = |reply| Mail::Says { by: person, says, actor: speaker.actor(), reply };
        let heard = self.send(id, mail).await?;
        if let Some(error) = heard.not_written {
            return Err(Refused::NotWritten(error));
        }
        if let Some(refusal) = heard.refusal {
            self.note_denied(speaker, &what, refusal.code(), Some(id)).await?;
            return Err(Refused::Run(refusal, heard.run));
        }
        Ok(heard)
    }

    /// Before an agreement is taken: if a file of the plan changed meanwhile, the plan is made anew at once.
    async fn changed_files(&self, run: &Run, snapshot: &Arc<Snapshot>) -> Result<Option<Arc<Run>>, Refused> {
        let Some(offer) =
            run.offer.as_ref().filter(|_| matches!(run.phase, Phase::Confirming | Phase::Approving))
        else {
            return Ok(None);
        };
        if offer.sources == snapshot.blobs().0 {
            return Ok(None);
        }
        let before = self.inner.before(snapshot, run.id, &run.request);
        let made = self.inner.planner.offer(snapshot, run.id, &run.request, &before).await;
        let (world, context) = match made {
            Ok((offer, _)) if Some(&offer.digest) == run.digest() => return Ok(None),
            Ok((new, context)) => {
                let changes = differences(&offer.plan, &new.plan);
                let token = self.token(&conductor::target_name(&new.plan));
                (World::Rechecked { offer: Box::new(new), token, changes }, Some(context))
            }
            Err(NotOffered { code, why, failed }) => (World::NotPlanned { code, why, failed }, None),
        };
        let blobs = snapshot.blobs().1;
        let mail = |reply| Mail::Replanned { world, context, blobs, reply };
        Ok(Some(self.send(run.id, mail).await?.run))
    }

    fn token(&self, target: &str) -> Token {
        Token { text: self.inner.dice.token(target), expires: after(self.inner.clock.now(), CONFIRM_WITHIN) }
    }

    /// What a person says, with what the state machine needs besides: roles, tokens, claims.
    fn says(
        &self,
        policy: &Policy,
        person: &Person,
        run: &Run,
        to_run: ToRun,
    ) -> Result<Result<Says, Refusal>, Refused> {
        let unit = |number, host: Option<String>| find_unit(run, number, host.as_deref());
        Ok(Ok(match to_run {
            ToRun::Confirm { token } => Says::Confirm { token },
            ToRun::Approve { digest } => {
                let roles = policy.roles_of(person);
                let is_commander = roles.iter().any(|role| role == "commander");
                Says::Approve { digest, roles, is_commander }
            }
            ToRun::Withdraw => Says::Withdraw,
            ToRun::Refuse { why } => Says::Refuse { why },
            ToRun::Stop { now } => Says::Stop { now },
            ToRun::Pause => Says::Pause,
            ToRun::Resume => Says::Resume,
            ToRun::Retry { number, host } => match unit(number, host) {
                Ok(unit) => Says::Retry { unit },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Skip { number, host, why } => match unit(number, host) {
                Ok(unit) => Says::Skip { unit, why },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Ask { number, host } => match unit(number, host) {
                Ok(unit) => Says::Ask { unit },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Settle { number, host, done, how } => match unit(number, host) {
                Ok(unit) => Says::Settle { unit, done, how },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Answer { number, host, go_on } => match unit(number, host) {
                Ok(unit) => Says::Answer { unit, go_on },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Undo { including } => {
                let target = run.plan().map(conductor::target_name).unwrap_or_default();
                Says::Undo { including, token: self.token(&target), holds: self.claim_again(run)? }
            }
            ToRun::Take => Says::Take,
            ToRun::Handover { to } => Says::Handover { to },
        }))
    }

    /// What an ended run would claim to be taken back: only if nobody else has held any of it since.
    fn claim_again(&self, run: &Run) -> Result<Vec<(Resource, u64)>, Refused> {
        if !matches!(
            run.phase,
            Phase::Ended(Outcome::Stopped | Outcome::WithIssues | Outcome::Stuck | Outcome::Succeeded)
        ) {
            return Ok(Vec::new());
        }
        let mut last_held = Vec::new();
        for entry in self.view().entries_of(run.id)? {
            match crate::journal::stamped(&entry)?.event {
                Event::HoldsTaken { holds } => last_held = holds,
                Event::UndoOffered { holds, .. } if !holds.is_empty() => last_held = holds,
                _ => {}
            }
        }
        let resources: Vec<Resource> = last_held.iter().map(|(resource, _)| resource.clone()).collect();
        let next = self.view().next_tokens(&resources)?;
        let untouched = next.iter().zip(&last_held).all(|((_, next), (_, last))| *next == last + 1);
        Ok(if untouched { next } else { Vec::new() })
    }
}

/// The unit that a number and a host name; a unit that has one host needs none.
fn find_unit(run: &Run, number: u32, host: Option<&str>) -> Result<crate::run::UnitAt, Refusal> {
    let of_number: Vec<&crate::run::UnitAt> = run.units.keys().filter(|at| at.number == number).collect();
    let called = |at: &&&crate::run::UnitAt| match (&at.lane, host) {
        (Some(lane), Some(host)) => lane.as_str() == host,
        (None, Some(host)) => run.step(at).is_none_or(|step| {
            let hosts = std::iter::once(&step.command).chain(&step.instead);
            hosts.map(|command| command.host.as_str()).any(|name| name == host)
        }),
        (_, None) => of_number.len() == 1,
    };
    let hosts = || of_number.iter().filter_map(|at| at.lane.clone()).collect();
    of_number
        .iter()
        .find(called)
        .map(|at| (**at).clone())
        .ok_or_else(|| Refusal::NoSuchStep { number, hosts: hosts() })
}

impl ToRun {
    /// The word that people type.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "confirm",
            Self::Approve { .. } => "approve",
            Self::Withdraw => "withdraw",
            Self::Refuse { .. } => "refuse",
            Self::Stop { .. } => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::Ask { .. } => "ask",
            Self::Settle { .. } => "settle",
            Self::Answer { .. } => "answer",
            Self::Undo { .. } => "undo",
            Self::Take => "take",
            Self::Handover { .. } => "handover",
        }
    }

    /// What it is, at the beginning of a sentence.
    const fn deed(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "Confirming",
            Self::Approve { .. } => "Approving",
            Self::Withdraw => "Withdrawing",
            Self::Refuse { .. } => "Refusing",
            Self::Stop { .. } => "Stopping",
            Self::Pause => "Pausing",
            Self::Resume => "Resuming",
            Self::Retry { .. } => "Retrying",
            Self::Skip { .. } => "Skipping",
            Self::Ask { .. } => "Asking",
            Self::Settle { .. } => "Settling",
            Self::Answer { .. } => "Answering",
            Self::Undo { .. } => "Undoing",
            Self::Take => "Taking",
            Self::Handover { .. } => "Handing over",
        }
    }

    /// The roles of which one is needed. Approving needs those of the plan, answering those that are asked, everything
    /// else one that may start or approve.
    fn needs(&self, run: &Run, runbook: Option<&Runbook>) -> Vec<String> {
        let approvers = run.plan().map(|plan| plan.approvals.by.clone()).unwrap_or_default();
        match self {
            Self::Approve { .. } | Self::Withdraw => approvers,
            Self::Answer { number, .. } => {
                let asked = run.plan().and_then(|plan| {
                    plan.units().find(|(_, unit)| unit.number == *number).map(|(_, unit)| unit.work.clone())
                });
                match asked {
                    Some(crate::plan::model::Work::Decide(decide)) => decide.ask,
                    _ => approvers,
                }
            }
            _ => {
                let mut roles = approvers;
                if let Some(runbook) = runbook {
                    roles.extend(role_names(&runbook.access.start));
                    roles.push(runbook.owner.value.clone());
                }
                roles.push("commander".to_owned());
                roles.sort();
                roles.dedup();
                roles
            }
        }
    }
}

impl Denial {
    /// The stable code that stands beside the sentence.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPolicy(_) => "no-policy",
            Self::NoPerson(_) => "no-person",
            Self::DoorClosed(_) => "door-closed",
            Self::NoRole { .. } => "no-role",
            Self::RoleUnknown { .. } => "role-unknown",
        }
    }
}

/// The clusters that a run is about, for people.
pub fn clusters_of(run: &Run) -> Vec<ClusterName> {
    run.plan().map(|plan| plan.topology.keys().cloned().collect()).unwrap_or_default()
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
