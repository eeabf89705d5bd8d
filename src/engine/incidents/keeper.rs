//! The keeper: the one task that owns all open incidents.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::paths::known_paths;
use super::sends::Sent;
use super::take::{From, HEARD, NotTaken, answer};
use super::{Mail, Reply};
use crate::engine::{Inner, Refused, lock};
use crate::incident::input::{Answer, Input, Refusal};
use crate::incident::model::{Delivery, Opened};
use crate::incident::report::Report;
use crate::incident::{self, Incident, IncidentId};
use crate::journal::{Actor, AppendError, Entry, OpenError};
use crate::plan::model::TellPlan;
use crate::run::RunId;
use crate::runbook::source::name::PathName;

/// What the journal could not take is offered to it again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// After so many entries it is written down how far was heard, so that a start reads no more than that.
const NOTE_EVERY: u64 = 1_000;
/// The entries that say how far was heard.
const KIND: &str = "incidents-heard";
/// Among so many of the newest is looked for what a new incident goes on from.
const RECENT: usize = 50;
/// So often is looked whether somebody can be told where nobody was found.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// So many things are heard before what is due is done and sent: a storm of alerts holds up no page.
const HEARD_AT_ONCE: usize = 50;
/// What is due is done in so many rounds at most before others have their turn.
const ROUNDS: usize = 8;

/// Something that is to be heard, and that the journal may not take at once.
pub(super) enum Todo {
    /// An entry of the journal.
    Entry(Arc<Entry>),
    /// The same of a run that had started before this journal had incidents.
    Older(Arc<Entry>),
    /// What a path answered.
    Sent(Sent),
    /// A run that an incident believes to go on, and that may be over.
    Doubted(IncidentId, RunId),
}

pub(super) struct Keeper {
    pub(super) inner: Arc<Inner>,
    /// Incidents that are not over.
    pub(super) open: BTreeMap<IncidentId, Incident>,
    /// The newest closed one of each service.
    pub(super) closed: Vec<Incident>,
    /// Reports that belong to no incident yet, in order.
    pub(super) waiting: Vec<Report>,
    /// Notices that are on their way, and over which path.
    pub(super) flying: BTreeMap<(IncidentId, u32), PathName>,
    pub(super) came: mpsc::UnboundedSender<Sent>,
    mail: mpsc::UnboundedReceiver<Mail>,
    entries: broadcast::Receiver<Arc<Entry>>,
    sent: mpsc::UnboundedReceiver<Sent>,
    /// What is still to be heard, in order.
    pub(super) todo: VecDeque<Todo>,
    /// The journal takes nothing before this moment.
    again: Option<Timestamp>,
    /// The last entry that it was written down of.
    noted: u64,
    /// When it is looked again whether somebody can be told where nobody was found.
    look: Timestamp,
}

impl Keeper {
    pub(super) fn new(inner: Arc<Inner>, mail: mpsc::UnboundedReceiver<Mail>) -> Self {
        let (came, sent) = mpsc::unbounded_channel();
        let entries = inner.journal.follow();
        Self {
            inner,
            open: BTreeMap::new(),
            closed: Vec::new(),
            waiting: Vec::new(),
            flying: BTreeMap::new(),
            came,
            mail,
            entries,
            sent,
            todo: VecDeque::new(),
            again: None,
            noted: 0,
            look: Timestamp::MIN,
        }
    }

    /// Keeps incidents until the bot ends. It says when it has all that the journal has.
    pub(super) async fn keep(mut self, loaded: oneshot::Sender<()>) {
        let mut carriers = self.inner.incidents.carriers.subscribe();
        if let Err(error) = self.load() {
            self.inner.set_fatal(&format!("the incidents of the journal cannot be read ({error})"));
            return;
        }
        loaded.send(()).ok();
        loop {
            self.work().await;
            if self.inner.is_fatal() {
                return;
            }
            let is_behind = !self.todo.is_empty() && self.again.is_none();
            let wake = self.wakes().map(|moment| self.inner.clock.until(moment));
            tokio::select! {
                Some(mail) = self.mail.recv() => self.read(mail).await,
                Some(sent) = self.sent.recv() => self.todo.push_back(Todo::Sent(sent)),
                entry = self.entries.recv() => match entry {
                    Ok(entry) => self.todo.push_back(Todo::Entry(entry)),
                    Err(RecvError::Lagged(_)) => self.catch_up(),
                    Err(RecvError::Closed) => return,
                },
                Ok(()) = carriers.changed() => {}
                () = tokio::task::yield_now(), if is_behind => {}
                () = async { wake.expect("guarded").await }, if wake.is_some() => {}
                () = self.inner.ending.cancelled() => return self.end().await,
            }
        }
    }

    /// What is on its way is waited for, so that nothing need be sent twice; who ends us has a limit for that.
    async fn end(mut self) {
        while !self.flying.is_empty()
            && let Some(sent) = self.sent.recv().await
        {
            self.todo.push_back(Todo::Sent(sent));
            self.hear_all().await;
        }
        // What carries notices may know the engine: nothing must keep the journal open.
        self.inner.incidents.carriers.send_replace(None);
    }

    /// Everything that the journal has: open incidents, what became of notices that were on their way, and how far the
    /// runs were heard.
    fn load(&mut self) -> Result<(), OpenError> {
        let view = self.inner.journal.view();
        for id in view.open_incidents()? {
            match view.incident(id) {
                Ok(Some(incident)) => _ = self.open.insert(id, incident),
                Ok(None) => {}
                // It is never reinterpreted, and keeps no other from going on.
                Err(error) => {
                    tracing::error!("{id} is parked: {error}");
                    lock(&self.inner.incidents.parked).insert(id, error.to_string());
                }
            }
        }
        for id in view.incidents()?.into_iter().rev().take(RECENT) {
            if let (false, Ok(Some(incident))) = (self.open.contains_key(&id), view.incident(id))
                && !self.closed.iter().any(|other| other.opened.service == incident.opened.service)
            {
                self.closed.push(incident);
            }
        }
        for incident in self.open.values() {
            for notice in &incident.notices {
                if matches!(notice.delivery, Delivery::Sending(_)) {
                    let why = "the bot ended while it was being sent".to_owned();
                    self.todo.push_back(Todo::Sent(Sent {
                        incident: incident.id,
                        notice: notice.number,
                        attempt: notice.attempts,
                        answer: Answer::Unknown(why),
                    }));
                }
            }
        }
        *lock(&self.inner.incidents.paths) = known_paths(view);
        let released = self.open.values().flat_map(|incident| &incident.runs);
        let released = released.filter(|(_, seen)| seen.released).map(|(run, _)| *run).collect();
        self.inner.incidents.released.send_replace(released);
        let shown = self.open.iter().map(|(id, incident)| (*id, Arc::new(incident.clone()))).collect();
        *lock(&self.inner.incidents.open) = shown;
        let noted = view.newest_of_kind(KIND, 1)?.first().and_then(|entry| entry.data["upto"].as_u64());
        let from = view.incidents_from()?;
        self.noted = noted.unwrap_or(from);
        // What was heard since then stands beside the events that it led to.
        let mut heard = self.noted;
        let mut read = self.noted;
        // What cannot be read belongs to a run or an incident that is parked.
        while let (entries, Some(last)) = view.readable_after(read)? {
            read = last;
            let of_incidents = entries.iter().filter(|entry| entry.incident.is_some());
            heard =
                of_incidents.filter_map(|entry| entry.data[HEARD].as_u64()).max().unwrap_or(heard).max(heard);
        }
        self.inner.incidents.heard.store(heard, Ordering::Release);
        self.load_reports()?;
        self.started_before(from)?;
        self.catch_up();
        let open: Vec<IncidentId> = self.open.keys().copied().collect();
        for id in open {
            self.doubts_runs_of(id);
        }
        Ok(())
    }

    /// Puts what was written behind the last entry that was heard on the list.
    fn catch_up(&mut self) {
        let entries_todo = self.todo.iter().filter_map(|todo| match todo {
            Todo::Entry(entry) => Some(entry.seq),
            Todo::Older(_) | Todo::Sent(_) | Todo::Doubted(..) => None,
        });
        let heard = self.inner.incidents.heard.load(Ordering::Acquire);
        let mut from = entries_todo.max().unwrap_or(heard).max(heard);
        loop {
            match self.inner.journal.view().readable_after(from) {
                Ok((_, None)) => break,
                Ok((entries, Some(last))) => {
                    from = last;
                    self.todo.extend(entries.into_iter().map(|entry| Todo::Entry(Arc::new(entry))));
                }
                Err(error) => {
                    self.inner.set_fatal(&format!("incidents cannot follow the journal ({error})"));
                    break;
                }
            }
        }
    }

    /// Does everything that can be done now.
    async fn work(&mut self) {
        let now = self.inner.clock.now();
        if self.again.is_some_and(|again| again > now) {
            return;
        }
        self.again = None;
        self.hear(HEARD_AT_ONCE).await;
        self.tick_all().await;
        self.send_all().await;
        self.note().await;
    }

    /// Hears all that is to be heard, as long as the journal takes it.
    async fn hear_all(&mut self) {
        self.hear(usize::MAX).await;
    }

    /// Hears so much of what is to be heard, in order, as long as the journal takes it.
    async fn hear(&mut self, most: usize) {
        let mut count = 0;
        while let Ok(sent) = self.sent.try_recv() {
            self.todo.push_back(Todo::Sent(sent));
        }
        while self.again.is_none()
            && count < most
            && let Some(todo) = self.todo.pop_front()
        {
            count += 1;
            let heard = match &todo {
                Todo::Entry(entry) => self.hear_entry(entry).await,
                Todo::Older(entry) => self.hear_new(entry).await,
                Todo::Sent(sent) => self.hear_sent(sent).await,
                Todo::Doubted(id, run) => self.hear_doubted(*id, *run).await,
            };
            if let Err(NotTaken::NotWritten(error)) = heard {
                self.todo.push_front(todo);
                self.not_written(&error);
            }
        }
    }

    /// Certainly not written. Nothing is sent, and all of it is tried again soon.
    pub(super) fn not_written(&mut self, error: &AppendError) {
        tracing::error!("{error}; incidents stand still and try again");
        self.again = self.inner.clock.now().checked_add(AGAIN_AFTER).ok();
    }

    /// Whether an entry of the journal was heard.
    pub(super) fn has_heard(&self, seq: u64) -> bool {
        seq <= self.inner.incidents.heard.load(Ordering::Acquire)
    }

    pub(super) const fn stands_still(&self) -> bool {
        self.again.is_some()
    }

    /// What is due by the clock.
    async fn tick_all(&mut self) {
        let ids: Vec<IncidentId> = self.open.keys().copied().collect();
        let looks = self.looks();
        for id in ids {
            if looks && self.finds_nobody(id) {
                self.tick(id).await;
            }
            for _ in 0..ROUNDS {
                let now = self.inner.clock.now();
                if self.again.is_some() || self.deadline(id).await.is_none_or(|due| due > now) {
                    break;
                }
                let before = self.open.get(&id).map(|incident| incident.version);
                self.tick(id).await;
                if self.open.get(&id).map(|incident| incident.version) == before {
                    break;
                }
            }
        }
    }

    async fn tick(&mut self, id: IncidentId) {
        if let Err(NotTaken::NotWritten(error)) = self.take(id, &[Input::Tick], From::default()).await {
            self.not_written(&error);
        }
    }

    /// Whether it is time to look again where nobody was found. That writes nothing unless somebody is there.
    fn looks(&mut self) -> bool {
        let now = self.inner.clock.now();
        let is_time = self.look <= now;
        if is_time {
            self.look = now.checked_add(LOOK_EVERY).unwrap_or(Timestamp::MAX);
        }
        is_time
    }

    /// Whether people are called of whom nobody was found.
    fn finds_nobody(&self, id: IncidentId) -> bool {
        !self.is_parked(id) && self.open.get(&id).is_some_and(Incident::finds_nobody)
    }

    /// When something of an incident is due; none while it is parked.
    async fn deadline(&mut self, id: IncidentId) -> Option<Timestamp> {
        let incident = self.open.get(&id).filter(|_| !self.is_parked(id))?;
        if let Ok(due) = catch_unwind(AssertUnwindSafe(|| incident::deadline(incident))) {
            return due;
        }
        self.park(id).await;
        None
    }

    /// When to look again, if nothing happens before.
    fn wakes(&self) -> Option<Timestamp> {
        let now = self.inner.clock.now();
        if self.again.is_some() {
            return self.again;
        }
        let looks = self.open.keys().any(|id| self.finds_nobody(*id)).then_some(self.look);
        let open = self.open.iter().filter(|(id, _)| !self.is_parked(**id));
        let due = open.filter_map(|(_, incident)| {
            let due = catch_unwind(AssertUnwindSafe(|| incident::deadline(incident))).ok()??;
            // What could leave now waits for its path: it is not waited for by the clock.
            if due > now {
                Some(due)
            } else {
                incident::deadline(&without_due(incident, now)).filter(|due| *due > now)
            }
        });
        due.chain(looks).min()
    }

    async fn read(&mut self, mail: Mail) {
        match mail {
            Mail::Says { id, by, says, actor, reply } => {
                self.unpark(id);
                let from = From { actor: Some(actor), entry: None };
                let is_open = self.open.contains_key(&id);
                let taken = self.take(id, &[Input::Person { by, says }], from).await;
                let state = self.state(id);
                // It was over before, and nothing was recorded.
                let is_over = !is_open && state.as_ref().is_some_and(Incident::is_over);
                let taken = if is_over { Ok(Some(Refusal::Closed)) } else { taken };
                answer(id, taken, state, reply);
            }
            Mail::Became { seq, reply } => {
                self.catch_up();
                // What is due goes on meanwhile.
                while !self.has_heard(seq) && !self.todo.is_empty() && !self.stands_still() {
                    self.work().await;
                }
                let _ = reply.send(self.became_of(seq));
            }
            Mail::Begins { opened, tell, actor, reply } => self.begins(*opened, tell, actor, reply).await,
            Mail::PathIsRed { opened, done } => {
                self.path_is_red(&opened).await;
                done.send(()).ok();
            }
            Mail::PathTakes { id, done } => {
                self.path_takes(id).await;
                done.send(()).ok();
            }
        }
    }

    async fn begins(&mut self, mut opened: Opened, tell: Vec<TellPlan>, actor: Actor, reply: Reply) {
        opened.follows = self.follows(&opened);
        let taken = self.begin(&opened, &tell, From { actor: Some(actor), entry: None }).await;
        match taken {
            Ok(id) => answer(id, Ok(None), self.state(id), reply),
            Err(NotTaken::NotWritten(error)) => _ = reply.send(Err(Refused::NotWritten(error))),
            Err(NotTaken::Parked(why)) => {
                let error = AppendError::NotWritten { why };
                let _ = reply.send(Err(Refused::NotWritten(error)));
            }
        }
    }

    /// The state right after something was taken, also if it is closed by that.
    fn state(&self, id: IncidentId) -> Option<Incident> {
        let closed = || self.closed.iter().find(|incident| incident.id == id).cloned();
        let stored = || self.inner.journal.view().incident(id).ok().flatten();
        self.open.get(&id).cloned().or_else(closed).or_else(stored)
    }

    /// Whoever speaks of a parked incident has it carried on again, as the journal has it.
    fn unpark(&mut self, id: IncidentId) {
        if lock(&self.inner.incidents.parked).remove(&id).is_some() {
            match self.inner.journal.view().incident(id) {
                Ok(Some(incident)) => _ = self.open.insert(id, incident),
                Ok(None) => {}
                Err(error) => _ = lock(&self.inner.incidents.parked).insert(id, error.to_string()),
            }
            self.doubts_runs_of(id);
        }
    }

    /// Writes down how far was heard, now and then.
    async fn note(&mut self) {
        let heard = self.inner.incidents.heard.load(Ordering::Acquire);
        if self.again.is_some() || heard < self.noted + NOTE_EVERY {
            return;
        }
        let data = serde_json::json!({ "upto": heard });
        match self.inner.note(KIND, None, data).await {
            Ok(()) => self.noted = heard,
            Err(Refused::NotWritten(error)) => self.not_written(&error),
            Err(_) => {}
        }
    }
}

/// The same without what could leave now: its deadline is that of the clock alone.
fn without_due(incident: &Incident, now: Timestamp) -> Incident {
    let mut rest = incident.clone();
    for notice in &mut rest.notices {
        if matches!(notice.delivery, Delivery::Waiting(at) if at <= now) {
            notice.delivery = Delivery::Accepted(now);
        }
    }
    rest
}
