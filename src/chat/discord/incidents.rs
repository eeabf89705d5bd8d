//! Shows incidents to all: a card for operators with the timeline as its thread, and a message of its own for Support. It
//! follows what happens, as `runs` does, and no incident waits for it: pages go their own way, and over other paths too.
//!
//! Planned work has no card for operators: its run has one. Where cards stand is kept in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Pulse;
use super::card::Card;
use super::incident_cards::{Beside, Reader, SUPPORT, card_for, line, thread_name};
use super::limits::{NONCE, cut};
use super::post::{Lost, Post};
use super::safe;
use super::told::{
    EDIT_EVERY, GIVEN_UP_AFTER, LAST_WORDS, LINE, LOOKED_THROUGH, Patience, Stands, Waiting, joined, lock,
};
use crate::chat::desk::Desk;
use crate::duty::Duty;
use crate::duty::model::Carrier;
use crate::engine::Engine;
use crate::engine::incidents::Changed;
use crate::incident::model::{Audience, Severity};
use crate::incident::{Incident, IncidentId};
use crate::runbook::source::name::Role;
use crate::wording::discord as words;

/// The kind of the entries that say where incidents are shown.
const KIND: &str = "incident-shown-on-discord";
/// How often it is looked whether an incident is open that nothing was told of.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// What goes on is shown anew so often, though nothing happens: by when something is due stands on it.
const REFRESH_EVERY: Duration = Duration::from_mins(1);

/// What one message of an incident looks like on Discord now.
#[derive(Default)]
struct One {
    stands: Option<Stands>,
    card: Option<Card>,
    /// The channel and the message of a card that has no thread yet.
    posted: Option<(u64, u64)>,
    /// Channels that are gone or closed to the bot, until that may have changed.
    closed: BTreeSet<u64>,
}

/// What an incident looks like on Discord now.
#[derive(Default)]
struct Shown {
    operators: One,
    support: One,
    /// It was closed before this began: what stands of it is brought up to date, and it is not shown anew.
    was_over: bool,
    /// What stands before the next lines.
    before: Option<String>,
}

impl Shown {
    const fn of(&mut self, reader: Reader) -> &mut One {
        match reader {
            Reader::Operators => &mut self.operators,
            Reader::Support => &mut self.support,
        }
    }
}

/// Shows all incidents.
pub(super) struct Incidents {
    desk: Desk,
    engine: Engine,
    post: Post,
    pulse: Arc<Pulse>,
    ending: CancellationToken,
    /// Incidents that a task shows.
    told: Mutex<BTreeMap<IncidentId, Arc<Waiting>>>,
    /// Where each is shown, and to whom.
    stands: Mutex<BTreeMap<(IncidentId, Reader), Stands>>,
}

impl Incidents {
    pub(super) fn new(
        desk: Desk,
        engine: Engine,
        post: Post,
        pulse: Arc<Pulse>,
        ending: CancellationToken,
    ) -> Self {
        Self { desk, engine, post, pulse, ending, told: Mutex::default(), stands: Mutex::default() }
    }

    /// The thread in which those who read this are told more of an incident.
    pub(super) fn thread_of(&self, id: IncidentId, audience: Audience) -> Option<u64> {
        let reader = match audience {
            Audience::Operator => Reader::Operators,
            Audience::Support => Reader::Support,
            Audience::Public => return None,
        };
        lock(&self.stands).get(&(id, reader))?.thread
    }

    /// The channel that the thread of an incident hangs on.
    pub(super) fn channel_of_thread(&self, thread: u64) -> Option<u64> {
        lock(&self.stands).values().find(|stands| stands.thread == Some(thread)).map(|stands| stands.channel)
    }

    /// Something on the server changed: it is looked whether everything stands where it stood.
    pub(super) fn doubts(&self) {
        lock(&self.told).values().for_each(|waiting| waiting.doubt());
    }

    /// Messages of a place were deleted, or something happened to a thread: perhaps a card is gone.
    pub(super) fn doubts_place(&self, place: u64) {
        let stands = lock(&self.stands);
        let is_there = |stands: &Stands| stands.channel == place || stands.thread == Some(place);
        let meant: BTreeSet<IncidentId> =
            stands.iter().filter(|(_, stands)| is_there(stands)).map(|((id, _), _)| *id).collect();
        drop(stands);
        let told = lock(&self.told);
        meant.iter().filter_map(|id| told.get(id)).for_each(|waiting| waiting.doubt());
    }

    /// Follows all incidents until the end. What happens is seen from this call on.
    pub(super) fn follow(self: &Arc<Self>, tasks: TaskTracker) -> impl Future<Output = ()> + Send + 'static {
        let incidents = self.clone();
        let mut events = self.engine.incidents().follow();
        async move {
            incidents.remember();
            for id in incidents.closed_lately() {
                incidents.tell(&tasks, id, None, false);
            }
            incidents.tell_open(&tasks, true);
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Ok(changed) => {
                            let line = incidents.line(&changed);
                            incidents.tell(&tasks, changed.incident.id, line, false);
                        }
                        // It was too much at once: the newest states are shown all the same.
                        Err(RecvError::Lagged(_)) => incidents.tell_open(&tasks, false),
                        Err(RecvError::Closed) => return,
                    },
                    () = incidents.desk.clock.after(LOOK_EVERY) => {
                        incidents.tell_open(&tasks, false);
                    }
                    () = incidents.ending.cancelled() => return,
                }
            }
        }
    }

    fn line(&self, changed: &Changed) -> Option<String> {
        line(changed, &self.desk.moment()).map(|line| cut(&line, LINE))
    }

    /// Where incidents were shown before this start.
    fn remember(&self) {
        let entries = self.engine.view().newest_of_kind(KIND, LOOKED_THROUGH).unwrap_or_default();
        let mut stands = lock(&self.stands);
        for entry in entries {
            let reader = entry.data["reader"].as_str().and_then(Reader::read);
            let incident = entry.data["incident"].as_u64().map(IncidentId);
            if let (Some(incident), Some(reader), Some(found)) = (incident, reader, Stands::read(&entry.data))
            {
                // The newest comes first.
                stands.entry((incident, reader)).or_insert(found);
            }
        }
    }

    /// Incidents that were shown and are closed, but not for long: their end may have been seen by nobody.
    fn closed_lately(&self) -> Vec<IncidentId> {
        let shown: BTreeSet<IncidentId> = lock(&self.stands).keys().map(|(id, _)| *id).collect();
        let now = self.desk.clock.now();
        let is_late = |at: Timestamp| now.duration_since(at).unsigned_abs() <= GIVEN_UP_AFTER;
        let closed = |id: &IncidentId| {
            let incident = self.engine.incidents().get(*id).ok().flatten();
            incident.is_some_and(|it| it.is_closed() && is_late(it.touched))
        };
        shown.into_iter().rev().take(50).filter(closed).collect()
    }

    fn tell_open(self: &Arc<Self>, tasks: &TaskTracker, at_start: bool) {
        for incident in self.engine.incidents().open() {
            self.tell(tasks, incident.id, None, at_start);
        }
    }

    /// Hands something to the task of an incident; it begins with the first.
    fn tell(self: &Arc<Self>, tasks: &TaskTracker, id: IncidentId, line: Option<String>, at_start: bool) {
        let mut told = lock(&self.told);
        let waiting = told.entry(id).or_insert_with(|| {
            let waiting = Arc::new(Waiting::default());
            tasks.spawn(self.clone().show(id, waiting.clone(), at_start));
            waiting
        });
        waiting.add(line);
    }

    /// Shows one incident until it is closed.
    async fn show(self: Arc<Self>, id: IncidentId, waiting: Arc<Waiting>, at_start: bool) {
        let stands = |reader| lock(&self.stands).get(&(id, reader)).copied();
        let mut shown = Shown::default();
        shown.operators.stands = stands(Reader::Operators);
        shown.support.stands = stands(Reader::Support);
        shown.before = (at_start && shown.operators.stands.is_some()).then(|| words::incident_goes_on(id));
        shown.was_over = self.read(id).is_some_and(|incident| incident.is_closed());
        let (mut patience, mut away): (Patience, Option<Timestamp>) = Default::default();
        loop {
            let goes_on = self.read(id).is_some_and(|incident| incident.resolved.is_none());
            tokio::select! {
                () = waiting.bell.notified() => {}
                () = self.desk.clock.after(REFRESH_EVERY), if goes_on => {}
                () = self.ending.cancelled() => {}
            }
            let is_last = self.ending.is_cancelled();
            let Some(incident) = self.read(id) else {
                if is_last {
                    break;
                }
                patience.try_later(&self.desk.clock, &self.ending, &waiting).await;
                continue;
            };
            shown.was_over &= incident.is_closed();
            let (mut lines, more) = waiting.take();
            if waiting.was_doubted() {
                for one in [&mut shown.operators, &mut shown.support] {
                    one.card = None;
                    one.closed.clear();
                }
            }
            let told = tokio::select! {
                told = self.told(&mut shown, &incident, &mut lines, more) => told,
                () = self.desk.clock.after(LAST_WORDS), if is_last => Err(Lost::Away("the bot ends".to_owned())),
            };
            match told {
                Ok(()) => (patience, away) = Default::default(),
                Err(Lost::Refused(why)) => {
                    self.pulse.trouble(&format!("{id} could not be shown: {why}"));
                }
                Err(lost) => {
                    self.pulse.trouble(&format!("{id} is not shown now: {lost}"));
                    let now = self.desk.clock.now();
                    let since = *away.get_or_insert(now);
                    let given_up =
                        incident.is_closed() && now.duration_since(since).unsigned_abs() > GIVEN_UP_AFTER;
                    if is_last || given_up {
                        break;
                    }
                    waiting.put_back(lines, more);
                    patience.try_later(&self.desk.clock, &self.ending, &waiting).await;
                    if lost.is_away() {
                        shown.before = Some(words::was_away(since, &self.desk.moment()));
                    }
                    continue;
                }
            }
            if is_last {
                break;
            }
            if incident.is_closed() {
                let mut told = lock(&self.told);
                // Whoever adds something holds the same lock.
                if waiting.is_empty() && self.read(id).is_some_and(|now| now.version == incident.version) {
                    told.remove(&id);
                    return;
                }
            }
            tokio::select! {
                () = self.desk.clock.after(EDIT_EVERY) => {}
                () = self.ending.cancelled() => {}
            }
        }
        lock(&self.told).remove(&id);
    }

    /// What operators read of it that it does not know itself. What cannot be read keeps nobody from the rest.
    fn beside(&self, incident: &Incident) -> Beside {
        let post = self.desk.post_of(incident.id).unwrap_or_default();
        Beside { run_lines: self.desk.run_lines(incident), post }
    }

    fn read(&self, id: IncidentId) -> Option<Arc<Incident>> {
        self.engine.incidents().get(id).ok().flatten()
    }

    /// Brings everything that stands on Discord up to date. Operators and Support do not wait for each other.
    async fn told(
        &self,
        shown: &mut Shown,
        incident: &Arc<Incident>,
        lines: &mut Vec<String>,
        more: usize,
    ) -> Result<(), Lost> {
        let operators = self.show_card(shown, incident, Reader::Operators).await;
        let support = self.show_card(shown, incident, Reader::Support).await;
        match operators? {
            Some(stands) => self.show_lines(shown, incident.id, stands, lines, more).await?,
            // It is told nowhere: the journal has everything.
            None => lines.clear(),
        }
        support.map(|_| ())
    }

    /// The message of an incident for those who read it, and where it stands. None if there is none for them.
    async fn show_card(
        &self,
        shown: &mut Shown,
        incident: &Incident,
        reader: Reader,
    ) -> Result<Option<Stands>, Lost> {
        let was_over = shown.was_over;
        let one = shown.of(reader);
        let is_wanted = match reader {
            Reader::Operators => incident.severity != Severity::Planned,
            Reader::Support => incident.obligations.iter().any(|it| it.who.as_str() == SUPPORT),
        };
        if !is_wanted && one.stands.is_none() {
            return Ok(None);
        }
        let card = card_for(reader, incident, &self.beside(incident), &self.desk.moment());
        if let Some(posted) = one.posted {
            self.begin_thread(one, incident, reader, posted).await?;
        }
        if let Some(stands) = one.stands {
            if one.card.as_ref() == Some(&card) {
                return Ok(Some(stands));
            }
            match self.post.edit(stands.channel, stands.message, &card, true).await {
                Ok(()) => {
                    one.card = Some(card);
                    return Ok(Some(stands));
                }
                // It would not be taken later either.
                Err(Lost::Refused(why)) => {
                    self.pulse.trouble(&format!("the card of {} could not be edited: {why}", incident.id));
                    one.card = Some(card);
                    return Ok(Some(stands));
                }
                Err(Lost::Gone(_) | Lost::Closed(_)) if was_over => {
                    one.stands = None;
                    return Ok(None);
                }
                // Somebody deleted it: it is posted anew.
                Err(Lost::Gone(why)) => {
                    self.pulse.trouble(&format!("the card of {} is gone: {why}", incident.id));
                }
                Err(Lost::Closed(why)) => {
                    self.pulse.trouble(&format!(
                        "where {} was shown is gone, or closed to the bot: {why}",
                        incident.id
                    ));
                    one.closed.insert(stands.channel);
                }
                Err(lost) => return Err(lost),
            }
            one.stands = None;
        }
        if was_over {
            return Ok(None);
        }
        let before = lock(&self.stands).get(&(incident.id, reader)).map(|stands| stands.message);
        // Another one than the first time, or Discord would give the message back that is gone.
        let mut nonce = before.map_or_else(
            || {
                format!(
                    "{}{}-{}",
                    reader.word().get(..1).unwrap_or_default(),
                    incident.id.0,
                    incident.since.as_millisecond()
                )
            },
            |message| format!("a{message}"),
        );
        nonce.truncate(NONCE);
        while let Some(channel) = self.channel_of(incident, reader, &one.closed) {
            match self.post.send(channel, &card, Some(&nonce), None).await {
                Ok(message) => {
                    one.card = Some(card);
                    one.posted = Some((channel, message));
                    return self.begin_thread(one, incident, reader, (channel, message)).await.map(Some);
                }
                Err(Lost::Closed(why)) => {
                    self.pulse.trouble(&format!("{} cannot be shown in a channel: {why}", incident.id));
                    one.closed.insert(channel);
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(None)
    }

    /// Begins the thread of a card that was posted: there it stands from now on, also after the next start.
    async fn begin_thread(
        &self,
        one: &mut One,
        incident: &Incident,
        reader: Reader,
        (channel, message): (u64, u64),
    ) -> Result<Stands, Lost> {
        let thread = match self.post.begin_thread(channel, message, &thread_name(reader, incident)).await {
            Ok(thread) => Some(thread),
            Err(lost) if lost.is_away() => return Err(lost),
            // It was begun before the last end: a thread has the id of its message.
            Err(Lost::Refused(_)) => Some(message),
            Err(_) => None,
        };
        let stands = Stands { channel, message, thread };
        let mut entry = stands.recorded();
        entry["incident"] = json!(incident.id);
        entry["reader"] = json!(reader.word());
        if let Err(refused) = self.engine.note_shown(KIND, entry).await {
            self.pulse.trouble(&format!("where {} is shown was not recorded: {refused:?}", incident.id));
        }
        lock(&self.stands).insert((incident.id, reader), stands);
        (one.stands, one.posted) = (Some(stands), None);
        Ok(stands)
    }

    /// Where it was shown; else the channel of the path over which those are told who answer for it; else, for operators,
    /// the first path that neither Support nor the public reads. A drill has no other place than that of its own people.
    fn channel_of(&self, incident: &Incident, reader: Reader, closed: &BTreeSet<u64>) -> Option<u64> {
        let before = lock(&self.stands).get(&(incident.id, reader)).map(|stands| stands.channel);
        let snapshot = self.desk.files().ok().or_else(|| self.desk.last_files())?;
        let policy = snapshot.set.policy.as_ref().ok()?;
        let overrides = self.desk.overrides();
        let duty = snapshot.set.duty(policy, &overrides);
        let role = match reader {
            Reader::Operators => incident.opened.owner.clone(),
            Reader::Support => Role::new(SUPPORT)?,
        };
        let of_role = channels_of(&duty, &role);
        let any = match reader {
            Reader::Operators if !incident.is_drill() => channels_of_operators(&duty),
            // What is for Support stands where Support is, and nowhere else.
            Reader::Operators | Reader::Support => Vec::new(),
        };
        before.into_iter().chain(of_role).chain(any).find(|channel| !closed.contains(channel))
    }

    async fn show_lines(
        &self,
        shown: &mut Shown,
        id: IncidentId,
        stands: Stands,
        lines: &mut Vec<String>,
        more: usize,
    ) -> Result<(), Lost> {
        let Some(thread) = stands.thread else {
            // Without a thread the card tells what is; the channel is not filled with what was.
            lines.clear();
            shown.before = None;
            return Ok(());
        };
        let first = shown.before.as_ref().map(|line| safe::plain(line));
        let (mut text, left) = joined(first.iter().chain(lines.iter()).map(String::as_str));
        if text.is_empty() {
            return Ok(());
        }
        if more + left > 0 {
            text = format!("{text}\n{}", safe::plain(&words::more_lines_of_incident(more + left, id)));
        }
        let card = Card { content: text, silent: true, ..Card::default() };
        match self.post.send(thread, &card, None, None).await {
            Ok(_) => {}
            // Somebody deleted or locked the thread: the card tells what is, and the journal what was.
            Err(Lost::Gone(why) | Lost::Closed(why)) => {
                self.pulse.trouble(&format!("the thread of {id} is gone, or closed to the bot: {why}"));
                let without = Stands { thread: None, ..stands };
                shown.operators.stands = Some(without);
                lock(&self.stands).insert((id, Reader::Operators), without);
            }
            Err(lost) => return Err(lost),
        }
        lines.clear();
        shown.before = None;
        Ok(())
    }
}

/// The channels over which people of a role are told, best ways first.
fn channels_of(duty: &Duty<'_>, role: &Role) -> Vec<u64> {
    let Ok(notify) = duty.notify else { return Vec::new() };
    let people = duty.reach_of(role.as_str());
    let ways = people.iter().flat_map(|person| duty.ways(person));
    let mut channels: Vec<u64> = Vec::new();
    for way in ways {
        let carrier = notify.paths.get(way.path.as_str()).map(|path| &path.carrier);
        let channel = carrier.and_then(channel).filter(|channel| !channels.contains(channel));
        channels.extend(channel);
    }
    channels
}

/// The channels of all paths but those that Support or the public reads: commands and hosts stand on a card.
fn channels_of_operators(duty: &Duty<'_>) -> Vec<u64> {
    let Ok(notify) = duty.notify else { return Vec::new() };
    let public = notify.public.iter().filter_map(|rule| notify.paths.get(rule.path.value.as_str()));
    let mut others: Vec<u64> = public.filter_map(|path| channel(&path.carrier)).collect();
    others.extend(Role::new(SUPPORT).iter().flat_map(|support| channels_of(duty, support)));
    let all = notify.paths.values().filter_map(|path| channel(&path.carrier));
    all.filter(|channel| !others.contains(channel)).collect()
}

fn channel(carrier: &Carrier) -> Option<u64> {
    match carrier {
        Carrier::Discord { channel } => channel.parse().ok().filter(|id| *id != 0),
        _ => None,
    }
}
