//! Shows runs to all: one card for each, edited in place, and a thread under it. It follows what happens; no run waits for
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Pulse;
use super::cards::{self, line, run_card, thread_name};
use super::follower::{Follower, Shows, tell};
use super::incident_cards;
use super::limits::cut;
use super::places::{Edited, Key, Place, Places};
use super::post::{Lost, Post};
use super::run_questions::Questions;
use super::told::{GIVEN_UP_AFTER, LINE, LOOKED_THROUGH, Stands, Telling, lock};
use crate::chat::desk::Desk;
use crate::engine::incidents::Changed;
use crate::engine::{Engine, Happened};
use crate::incident::IncidentId;
use crate::incident::model::Severity;
use crate::policy::Policy;
use crate::run::model::Phase;
use crate::run::{Run, RunId};
use crate::wording::{Moment, discord as words, incident};

/// What works is shown anew so often, though nothing happens,
const REFRESH_EVERY: Duration = Duration::from_secs(5);
/// and what waits for people outside of the run: by when they are to answer stands on it.
const REFRESH_WAITING_EVERY: Duration = Duration::from_mins(1);
/// So many of the newest runs are looked at after a start: their end may have been seen by nobody.
const ENDED_UNSEEN: usize = 50;
/// So many of the newest incidents are looked through for that of a run which is over.
const NEWEST: usize = 20;

impl Key for RunId {
    const KIND: &'static str = "shown-on-discord";

    fn write(self, entry: &mut Value) {
        entry["run"] = json!(self);
    }

    fn read(entry: &Value) -> Option<Self> {
        entry["run"].as_u64().map(RunId)
    }

    fn name(self) -> String {
        format!("run {self}")
    }
}

/// What a run looks like on Discord now.
#[derive(Default)]
pub(super) struct Shown {
    place: Place,
    questions: Questions,
    /// Where it was asked for.
    asked_in: Option<u64>,
    /// Why the run cannot be stopped where it was shown, until it was told so.
    lost: Option<String>,
    /// The incident of those who are told of it.
    incident: Option<IncidentId>,
}

/// Shows all runs.
pub(super) struct Runs {
    engine: Engine,
    follower: Follower<RunId>,
    places: Places<RunId>,
    /// Where an account last asked for a run.
    asked_in: Mutex<BTreeMap<String, u64>>,
}

impl Runs {
    pub(super) fn new(
        desk: Desk,
        engine: Engine,
        post: Post,
        pulse: Arc<Pulse>,
        ending: CancellationToken,
    ) -> Self {
        let places = Places::new(engine.clone(), post, pulse.clone());
        Self { engine, follower: Follower::new(desk, pulse, ending), places, asked_in: Mutex::default() }
    }

    /// An account is about to ask for a run, in this channel: there it will be shown.
    pub(super) fn asked_in(&self, account: &str, channel: u64) {
        lock(&self.asked_in).insert(account.to_owned(), channel);
    }

    /// The channel that the thread of a run hangs on.
    pub(super) fn channel_of_thread(&self, thread: u64) -> Option<u64> {
        self.places.channel_of_thread(thread)
    }

    /// Something on the server changed: it is looked whether everything stands where it stood.
    pub(super) fn doubts(&self) {
        self.follower.doubts(|_| true);
    }

    /// Messages of a channel or thread were deleted: perhaps a card, or a question.
    pub(super) fn doubts_deleted(&self, place: u64, messages: &[u64]) {
        self.doubts_where(|stands| stands.asks_in() == place || messages.contains(&stands.message));
    }

    /// Something happened to a thread.
    pub(super) fn doubts_thread(&self, thread: u64) {
        self.doubts_where(|stands| stands.thread == Some(thread));
    }

    fn doubts_where(&self, is_meant: impl Fn(Stands) -> bool) {
        self.follower.doubts(|id| self.places.of(id).is_some_and(&is_meant));
    }

    /// Follows all runs until the end. What happens is seen from this call on.
    pub(super) fn follow(self: &Arc<Self>, tasks: TaskTracker) -> impl Future<Output = ()> + Send + 'static {
        let runs = self.clone();
        let mut events = self.engine.follow();
        let mut of_incidents = self.engine.incidents().follow();
        async move {
            runs.places.remember();
            for run in runs.engine.open_runs() {
                tell(&runs, &tasks, run.id, None, true);
            }
            for (id, went_on) in runs.ended_lately() {
                tell(&runs, &tasks, id, None, went_on);
            }
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Ok(happened) => tell(&runs, &tasks, happened.run.id, runs.line(&happened), false),
                        // It was too much at once: the newest states are shown all the same.
                        Err(RecvError::Lagged(_)) => {
                            runs.engine.open_runs().iter().for_each(|run| tell(&runs, &tasks, run.id, None, false));
                            // Also of those that ended meanwhile.
                            runs.follower.shows_all();
                        }
                        Err(RecvError::Closed) => return,
                    },
                    changed = of_incidents.recv() => match changed {
                        Ok(changed) => runs.tell_of_people(&tasks, &changed),
                        Err(RecvError::Lagged(_)) => runs.follower.shows_all(),
                        Err(RecvError::Closed) => return,
                    },
                    () = runs.follower.ending.cancelled() => return,
                }
            }
        }
    }

    fn line(&self, happened: &Happened) -> Option<String> {
        line(happened, &self.follower.desk.moment()).map(|line| cut(&line, LINE))
    }

    /// Planned work that people are told of has no card of its own: what comes of it is told where its runs are shown.
    fn tell_of_people(self: &Arc<Self>, tasks: &TaskTracker, changed: &Changed) {
        if changed.incident.severity != Severity::Planned {
            return;
        }
        let line = incident_cards::line(changed, &self.follower.desk.moment()).map(|line| cut(&line, LINE));
        for run in changed.incident.runs.keys().filter(|run| self.places.of(**run).is_some()) {
            tell(self, tasks, *run, line.clone(), false);
        }
    }

    /// Runs that were shown and are over, but not for long; and whether this start carried them on to their end, before
    /// anybody was there to show it.
    fn ended_lately(&self) -> Vec<(RunId, bool)> {
        let newest = self.places.there(|_| true).into_iter().rev().take(ENDED_UNSEEN);
        let now = self.follower.desk.clock.now();
        let is_late = |ended: Timestamp| now.duration_since(ended).unsigned_abs() <= GIVEN_UP_AFTER;
        let ended = |id: &RunId| self.engine.run(*id).ok().filter(|run| run.is_ended())?.ended;
        let ended_now = self.ended_since_start();
        newest.filter(|id| ended(id).is_some_and(is_late)).map(|id| (id, ended_now.contains(&id))).collect()
    }

    /// Runs that ended after this start, as far as many of them are looked at.
    fn ended_since_start(&self) -> BTreeSet<RunId> {
        let newest = |kind, most| self.engine.view().newest_of_kind(kind, most).unwrap_or_default();
        let Some(start) = newest("start", 1).first().map(|entry| entry.seq) else { return BTreeSet::new() };
        let ends = newest("ended", LOOKED_THROUGH).into_iter().filter(|entry| entry.seq > start);
        ends.filter_map(|entry| entry.run).collect()
    }

    /// What stands on the card of those who are told of a run, while it is planned work.
    fn people(&self, shown: &mut Shown, run: &Run, moment: &Moment) -> Vec<cards::Beside> {
        let tells = run.started.is_some() && run.plan().is_some_and(|plan| !plan.tell.is_empty());
        if !tells {
            return Vec::new();
        }
        let incidents = self.engine.incidents();
        let known = shown.incident.and_then(|id| incidents.get(id).ok().flatten());
        let found = known.or_else(|| incidents.of_run(run.id)).or_else(|| self.closed_of(run));
        let Some(found) = found.filter(|it| it.severity == Severity::Planned) else { return Vec::new() };
        shown.incident = Some(found.id);
        let post = self.follower.desk.post_of(found.id).unwrap_or_default();
        incident::of_run::people(run.id, &found, &post, moment)
    }

    /// The incident of a run that is over, though it is closed too.
    fn closed_of(&self, run: &Run) -> Option<Arc<crate::incident::Incident>> {
        let newest =
            run.is_ended().then(|| self.engine.view().incidents().ok())??.into_iter().rev().take(NEWEST);
        let mut newest = newest.filter_map(|id| self.engine.incidents().get(id).ok().flatten());
        newest.find(|it| it.runs.contains_key(&run.id))
    }

    /// Tells a run that nobody can stop it where it was shown. What has not begun does not pause: it is to be told again.
    fn place_lost(&self, id: RunId, why: String) -> Option<String> {
        let waits = self.engine.run(id).is_ok_and(|now| now.started.is_none() && now.phase != Phase::Ready);
        self.engine.place_lost(id, &why);
        waits.then_some(why)
    }

    /// The card of a run, and where it stands. None if there is no channel for it.
    async fn show_card(
        &self,
        shown: &mut Shown,
        telling: &mut Telling,
        run: &Run,
        policy: Option<&Policy>,
        moment: &Moment,
    ) -> Result<Option<Stands>, Lost> {
        let (id, thread) = (run.id, thread_name(run));
        let people = self.people(shown, run, moment);
        let mut card = run_card(run, &self.engine.far(id), people, policy, moment);
        // What is not asked any more is closed only after this.
        card.lead_to(shown.questions.link().filter(|_| cards::question_card(run, None, moment).is_some()));
        match self.places.edit(id, &mut shown.place, &card, &thread).await? {
            Edited::Stands(stands) => return Ok(Some(stands)),
            Edited::Nowhere => {}
            Edited::Deleted | Edited::Closed(_) if telling.was_over => return Ok(None),
            // It is posted anew, at once.
            Edited::Deleted => {
                telling.before.get_or_insert_with(|| words::card_deleted(id));
            }
            Edited::Closed(why) => {
                // At once, whether or not it can be shown elsewhere.
                shown.lost = self.place_lost(id, words::place_lost(&why));
                telling.before.get_or_insert_with(|| words::shown_elsewhere(id));
            }
        }
        card.lead_to(None);
        if self.places.of(id).is_none() && shown.asked_in.is_none() {
            // Kept, so that what cannot be told now goes to the same place later.
            shown.asked_in = lock(&self.asked_in).remove(&run.request.account);
        }
        let asked_in = shown.asked_in;
        let first = format!("r{id}-{}", run.requested.as_millisecond());
        let channel = |closed: &BTreeSet<u64>| self.channel_of(id, policy, asked_in, closed);
        self.places.post(id, &mut shown.place, (card, first, &thread), channel).await
    }

    /// Where it was shown or asked for; else the first channel of the policy that is not closed.
    fn channel_of(
        &self,
        id: RunId,
        policy: Option<&Policy>,
        asked_in: Option<u64>,
        closed: &BTreeSet<u64>,
    ) -> Option<u64> {
        let door = policy?.doors.discord.as_ref()?;
        let before = self.places.of(id).map(|stands| stands.channel);
        let open: Vec<u64> = door.channels.iter().filter_map(|known| known.value.parse().ok()).collect();
        let open = || open.iter().copied().filter(|channel| !closed.contains(channel));
        let wanted =
            [before, asked_in].into_iter().flatten().find(|wanted| open().any(|known| known == *wanted));
        wanted.or_else(|| open().next())
    }

    /// What stands below the card: what happened, and who is asked what.
    async fn show_below(
        &self,
        shown: &mut Shown,
        telling: &mut Telling,
        run: &Run,
        policy: Option<&Policy>,
        moment: &Moment,
    ) -> Result<(), Lost> {
        let Some(stands) = shown.place.stands else { return Ok(()) };
        self.places.tell(stands, telling, |more| words::more_lines(more, run.id)).await?;
        shown.questions.ask_approvers(&self.places.post, stands, run, policy).await?;
        let held_by = self.follower.desk.held_back_by(run);
        shown.questions.show(&self.places.post, stands, run, held_by.as_deref(), policy, moment).await
    }
}

impl Shows for Runs {
    type Id = RunId;
    type Now = Run;
    type Shown = Shown;

    fn follower(&self) -> &Follower<RunId> {
        &self.follower
    }

    fn name(id: RunId) -> String {
        Key::name(id)
    }

    fn now(&self, id: RunId) -> Result<Arc<Run>, String> {
        self.engine.run(id).map_err(|refused| refused.for_log())
    }

    fn is_over(run: &Run) -> bool {
        run.is_ended()
    }

    fn version(run: &Run) -> u64 {
        run.version
    }

    fn begins(&self, id: RunId, at_start: bool) -> (Shown, Option<String>) {
        let place = self.places.begins(id);
        let before = (at_start && place.stands.is_some()).then(|| words::started_again(id));
        (Shown { place, ..Shown::default() }, before)
    }

    fn refreshed_after(&self, run: &Run) -> Option<Duration> {
        let waits = run.waits_to_be_known().then_some(REFRESH_WAITING_EVERY);
        waits.or_else(|| (!run.waits_for_person()).then_some(REFRESH_EVERY))
    }

    fn doubts_all(shown: &mut Shown) {
        shown.place.card = None;
        shown.place.closed.clear();
        shown.questions.doubt();
    }

    fn doubts_cards(shown: &mut Shown) {
        shown.place.card = None;
    }

    async fn tells(&self, shown: &mut Shown, run: &Arc<Run>, telling: &mut Telling) -> Result<(), Lost> {
        if run.offer.is_none() && shown.place.stands.is_none() {
            // There is nothing to show of a plan that is still measured, or that was not made; who asked was told why.
            return Ok(());
        }
        let desk = &self.follower.desk;
        let moment = desk.moment();
        let snapshot = desk.files().ok().or_else(|| desk.last_files());
        let policy = snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
        shown.lost = shown.lost.take().and_then(|why| self.place_lost(run.id, why));
        let stood = shown.place.stands;
        let stands = self.show_card(shown, telling, run, policy, &moment).await?;
        let Some(stands) = stands else {
            // It is told nowhere: the journal has everything.
            telling.lines.clear();
            return Ok(());
        };
        // What is shown elsewhere before it begins can be stopped there.
        shown.lost = None;
        if stood != Some(stands) {
            // What was asked elsewhere is asked anew.
            shown.questions.ask_anew();
        }
        loop {
            match self.show_below(shown, telling, run, policy, &moment).await {
                Err(Lost::Closed(why) | Lost::Gone(why))
                    if shown.place.stands.is_some_and(|at| at.thread.is_some()) =>
                {
                    let name = Key::name(run.id);
                    let what = format!("the thread of {name} is gone, or closed to the bot: {why}");
                    self.follower.pulse.trouble(&what);
                    self.places.begin_again(run.id, &mut shown.place, &thread_name(run)).await?;
                    shown.questions.ask_anew();
                }
                told => return told,
            }
        }
    }

    fn is_half_shown(shown: &Shown) -> bool {
        // The card leads to the question that is open.
        shown.place.card.as_ref().is_some_and(|card| card.link != shown.questions.link())
    }
}
