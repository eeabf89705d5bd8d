//! Shows incidents to all: a card for operators with the timeline as its thread, and a message of its own for Support. It
//! follows what happens, as `runs` does, and no incident waits for it: pages go their own way, and over other paths too.
//!
//! Planned work has no card for operators: that of its run says who is told of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Pulse;
use super::follower::{Follower, Shows, tell};
use super::incident_cards::{Beside, Reader, SUPPORT, card_for, line, thread_name};
use super::incident_channels::{channels_of, channels_of_operators};
use super::limits::cut;
use super::places::{Edited, Key, Place, Places};
use super::post::{Lost, Post};
use super::told::{GIVEN_UP_AFTER, LINE, Stands, Telling};
use crate::chat::desk::Desk;
use crate::engine::Engine;
use crate::engine::incidents::Changed;
use crate::incident::model::{Audience, Severity};
use crate::incident::{Incident, IncidentId};
use crate::runbook::source::name::Role;
use crate::wording::discord as words;

/// How often it is looked whether an incident is open that nothing was told of.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// What goes on is shown anew so often, though nothing happens: by when something is due stands on it.
const REFRESH_EVERY: Duration = Duration::from_mins(1);
/// So many of the newest incidents are looked at after a start: their end may have been seen by nobody.
const CLOSED_UNSEEN: usize = 50;

impl Key for (IncidentId, Reader) {
    const KIND: &'static str = "incident-shown-on-discord";

    fn write(self, entry: &mut Value) {
        entry["incident"] = json!(self.0);
        entry["reader"] = json!(self.1.word());
    }

    fn read(entry: &Value) -> Option<Self> {
        let id = entry["incident"].as_u64().map(IncidentId)?;
        Some((id, Reader::read(entry["reader"].as_str()?)?))
    }

    fn name(self) -> String {
        self.0.to_string()
    }
}

/// What an incident looks like on Discord now.
#[derive(Default)]
pub(super) struct Shown {
    operators: Place,
    support: Place,
}

/// Shows all incidents.
pub(super) struct Incidents {
    engine: Engine,
    follower: Follower<IncidentId>,
    places: Places<(IncidentId, Reader)>,
}

impl Incidents {
    pub(super) fn new(
        desk: Desk,
        engine: Engine,
        post: Post,
        pulse: Arc<Pulse>,
        ending: CancellationToken,
    ) -> Self {
        let places = Places::new(engine.clone(), post, pulse.clone());
        Self { engine, follower: Follower::new(desk, pulse, ending), places }
    }

    /// The thread in which those who read this are told more of an incident.
    pub(super) fn thread_of(&self, id: IncidentId, audience: Audience) -> Option<u64> {
        let reader = match audience {
            Audience::Operator => Reader::Operators,
            Audience::Support => Reader::Support,
            Audience::Public => return None,
        };
        self.places.of((id, reader))?.thread
    }

    /// The channel that the thread of an incident hangs on.
    pub(super) fn channel_of_thread(&self, thread: u64) -> Option<u64> {
        self.places.channel_of_thread(thread)
    }

    /// Something on the server changed: it is looked whether everything stands where it stood.
    pub(super) fn doubts(&self) {
        self.follower.doubts(|_| true);
    }

    /// Messages of a place were deleted, or something happened to a thread: perhaps a card is gone.
    pub(super) fn doubts_place(&self, place: u64) {
        let there = self.places.there(|stands| stands.channel == place || stands.thread == Some(place));
        self.follower.doubts(|id| there.iter().any(|(known, _)| *known == id));
    }

    /// Follows all incidents until the end. What happens is seen from this call on.
    pub(super) fn follow(self: &Arc<Self>, tasks: TaskTracker) -> impl Future<Output = ()> + Send + 'static {
        let incidents = self.clone();
        let mut events = self.engine.incidents().follow();
        async move {
            incidents.places.remember();
            for id in incidents.closed_lately() {
                tell(&incidents, &tasks, id, None, false);
            }
            incidents.tell_open(&tasks, true);
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Ok(changed) => {
                            tell(&incidents, &tasks, changed.incident.id, incidents.line(&changed), false);
                        }
                        // It was too much at once: the newest states are shown all the same.
                        Err(RecvError::Lagged(_)) => {
                            incidents.tell_open(&tasks, false);
                            incidents.follower.shows_all();
                        }
                        Err(RecvError::Closed) => return,
                    },
                    () = incidents.follower.desk.clock.after(LOOK_EVERY) => incidents.tell_open(&tasks, false),
                    () = incidents.follower.ending.cancelled() => return,
                }
            }
        }
    }

    fn line(&self, changed: &Changed) -> Option<String> {
        line(changed, &self.follower.desk.moment()).map(|line| cut(&line, LINE))
    }

    fn tell_open(self: &Arc<Self>, tasks: &TaskTracker, at_start: bool) {
        for incident in self.engine.incidents().open() {
            tell(self, tasks, incident.id, None, at_start);
        }
    }

    /// Incidents that were shown and are closed, but not for long: their end may have been seen by nobody.
    fn closed_lately(&self) -> Vec<IncidentId> {
        let shown: BTreeSet<IncidentId> = self.places.there(|_| true).into_iter().map(|(id, _)| id).collect();
        let now = self.follower.desk.clock.now();
        let is_late = |at: Timestamp| now.duration_since(at).unsigned_abs() <= GIVEN_UP_AFTER;
        let closed = |id: &IncidentId| self.now(*id).is_ok_and(|it| it.is_closed() && is_late(it.touched));
        shown.into_iter().rev().take(CLOSED_UNSEEN).filter(closed).collect()
    }

    /// What operators read of it that it does not know itself. What cannot be read keeps nobody from the rest.
    fn beside(&self, incident: &Incident) -> Beside {
        let desk = &self.follower.desk;
        Beside { run_lines: desk.run_lines(incident), post: desk.post_of(incident.id).unwrap_or_default() }
    }

    /// The message of an incident for those who read it, and where it stands. None if there is none for them.
    async fn show_card(
        &self,
        place: &mut Place,
        was_over: bool,
        incident: &Incident,
        reader: Reader,
    ) -> Result<Option<Stands>, Lost> {
        let is_wanted = match reader {
            Reader::Operators => incident.severity != Severity::Planned,
            Reader::Support => incident.obligations.iter().any(|it| it.who.as_str() == SUPPORT),
        };
        if !is_wanted && place.stands.is_none() {
            return Ok(None);
        }
        let (key, thread) = ((incident.id, reader), thread_name(reader, incident));
        let card = card_for(reader, incident, &self.beside(incident), &self.follower.desk.moment());
        match self.places.edit(key, place, &card, &thread).await? {
            Edited::Stands(stands) => return Ok(Some(stands)),
            // What is over is not shown anew.
            _ if was_over => return Ok(None),
            Edited::Nowhere | Edited::Deleted | Edited::Closed(_) => {}
        }
        let kind = reader.word().get(..1).unwrap_or_default();
        let first = format!("{kind}{}-{}", incident.id.0, incident.since.as_millisecond());
        let channel = |closed: &BTreeSet<u64>| self.channel_of(incident, reader, closed);
        self.places.post(key, place, (card, first, &thread), channel).await
    }

    /// Where it was shown; else the channel of the path over which those are told who answer for it; else, for operators,
    /// the first path that neither Support nor the public reads. A drill has no other place than that of its own people.
    fn channel_of(&self, incident: &Incident, reader: Reader, closed: &BTreeSet<u64>) -> Option<u64> {
        let desk = &self.follower.desk;
        let before = self.places.of((incident.id, reader)).map(|stands| stands.channel);
        let snapshot = desk.files().ok().or_else(|| desk.last_files())?;
        let policy = snapshot.set.policy.as_ref().ok()?;
        let overrides = desk.overrides();
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

    /// Tells what happened in the thread of the operators; in another, if that is gone.
    async fn show_lines(
        &self,
        place: &mut Place,
        telling: &mut Telling,
        incident: &Incident,
    ) -> Result<(), Lost> {
        let id = incident.id;
        while let Some(stands) = place.stands {
            match self.places.tell(stands, telling, |more| words::more_lines_of_incident(more, id)).await {
                Err(Lost::Gone(why) | Lost::Closed(why)) if stands.thread.is_some() => {
                    let what = format!("the thread of {id} is gone, or closed to the bot: {why}");
                    self.follower.pulse.trouble(&what);
                    let name = thread_name(Reader::Operators, incident);
                    self.places.begin_again((id, Reader::Operators), place, &name).await?;
                }
                told => return told,
            }
        }
        Ok(())
    }
}

impl Shows for Incidents {
    type Id = IncidentId;
    type Now = Incident;
    type Shown = Shown;

    fn follower(&self) -> &Follower<IncidentId> {
        &self.follower
    }

    fn name(id: IncidentId) -> String {
        id.to_string()
    }

    fn now(&self, id: IncidentId) -> Result<Arc<Incident>, String> {
        let read = self.engine.incidents().get(id).map_err(|why| why.to_string())?;
        read.ok_or_else(|| "the journal has none of this number".to_owned())
    }

    fn is_over(incident: &Incident) -> bool {
        incident.is_closed()
    }

    fn version(incident: &Incident) -> u64 {
        incident.version
    }

    fn begins(&self, id: IncidentId, at_start: bool) -> (Shown, Option<String>) {
        let place = |reader| self.places.begins((id, reader));
        let shown = Shown { operators: place(Reader::Operators), support: place(Reader::Support) };
        let before = (at_start && shown.operators.stands.is_some()).then(|| words::incident_goes_on(id));
        (shown, before)
    }

    fn refreshed_after(&self, incident: &Incident) -> Option<Duration> {
        incident.resolved.is_none().then_some(REFRESH_EVERY)
    }

    fn doubts_all(shown: &mut Shown) {
        Self::doubts_cards(shown);
        shown.operators.closed.clear();
        shown.support.closed.clear();
    }

    fn doubts_cards(shown: &mut Shown) {
        (shown.operators.card, shown.support.card) = (None, None);
    }

    /// Operators and Support do not wait for each other.
    async fn tells(
        &self,
        shown: &mut Shown,
        incident: &Arc<Incident>,
        telling: &mut Telling,
    ) -> Result<(), Lost> {
        let was_over = telling.was_over;
        let operators = self.show_card(&mut shown.operators, was_over, incident, Reader::Operators).await;
        let support = self.show_card(&mut shown.support, was_over, incident, Reader::Support).await;
        match operators? {
            Some(_) => self.show_lines(&mut shown.operators, telling, incident).await?,
            // It is told nowhere: the journal has everything.
            None => telling.lines.clear(),
        }
        support.map(|_| ())
    }
}
