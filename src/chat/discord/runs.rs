//! Shows runs to all: one card for each, edited in place, and a thread under it. It follows what happens; no run waits for
//! it. Where a card stands is kept in the journal, so that the next start goes on with the same one.
//!
//! Each run is shown by a task of its own, at most once a second: what happened meanwhile is one message, and the newest
//! state is the one that is shown. While Discord is away everything is kept, and told at once when it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Pulse;
use super::card::Card;
use super::cards::{asked, closed, line, question_card, run_card, thread_name};
use super::limits::{NONCE, cut};
use super::post::{Lost, Post};
use super::safe;
use super::told::{
    EDIT_EVERY, GIVEN_UP_AFTER, LAST_WORDS, LINE, LOOKED_THROUGH, Patience, Stands, Waiting, address, ids_of,
    joined, lock, mentioning,
};
use crate::chat::desk::Desk;
use crate::engine::{Engine, Happened};
use crate::policy::Policy;
use crate::run::model::Phase;
use crate::run::{Run, RunId};
use crate::runbook::source::name::Person;
use crate::wording::{Moment, discord as words, plan};

/// What works is shown anew so often, though nothing happens.
const REFRESH_EVERY: Duration = Duration::from_secs(5);
/// So many of the newest runs are looked at after a start: their end may have been seen by nobody.
const ENDED_UNSEEN: usize = 50;
/// The kind of the entries that say where runs are shown.
const KIND: &str = "shown-on-discord";

impl Shown {
    /// The address of the question that is open.
    fn link(&self) -> Option<String> {
        let (place, message, _) = self.question.as_ref()?;
        Some(address(&self.server, *place, *message))
    }
}

/// What a run looks like on Discord now.
#[derive(Default)]
struct Shown {
    stands: Option<Stands>,
    card: Option<Card>,
    /// Where it was asked for.
    asked_in: Option<u64>,
    /// The channel and the message of a card that has no thread yet.
    posted: Option<(u64, u64)>,
    /// It had ended before this began: what stands of it is brought up to date, and it is not shown anew.
    was_over: bool,
    /// The plan for which approvers were asked.
    asked_to_approve: Option<String>,
    /// The question that is open: where it stands, and its message.
    question: Option<(u64, u64, Card)>,
    /// It may have gone: it is looked at, though it is the same.
    question_doubted: bool,
    /// Channels that are gone or closed to the bot, until that may have changed.
    closed: BTreeSet<u64>,
    /// The server on which it was asked.
    server: String,
    /// Why the run cannot be stopped where it was shown, until it was told so.
    lost: Option<String>,
    /// That Discord could not be reached, before the next lines.
    away: Option<String>,
    /// What stands before the next lines.
    before: Option<String>,
}

/// Shows all runs.
pub(super) struct Runs {
    desk: Desk,
    engine: Engine,
    post: Post,
    pulse: Arc<Pulse>,
    ending: CancellationToken,
    /// Runs that a task shows.
    told: Mutex<BTreeMap<RunId, Arc<Waiting>>>,
    /// Where each run is shown.
    stands: Mutex<BTreeMap<RunId, Stands>>,
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
        let (told, stands, asked_in) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { desk, engine, post, pulse, ending, told, stands, asked_in }
    }

    /// An account is about to ask for a run, in this channel: there it will be shown.
    pub(super) fn asked_in(&self, account: &str, channel: u64) {
        lock(&self.asked_in).insert(account.to_owned(), channel);
    }

    /// The channel that the thread of a run hangs on.
    pub(super) fn channel_of_thread(&self, thread: u64) -> Option<u64> {
        lock(&self.stands).values().find(|stands| stands.thread == Some(thread)).map(|stands| stands.channel)
    }

    /// Something on the server changed: it is looked whether everything stands where it stood.
    pub(super) fn doubts(&self) {
        self.doubts_where(|_| true);
    }

    /// Messages of a channel or thread were deleted: perhaps a card, or a question.
    pub(super) fn doubts_deleted(&self, place: u64, messages: &[u64]) {
        let is_of = |stands: Stands| stands.asks_in() == place || messages.contains(&stands.message);
        self.doubts_where(|stands| stands.is_some_and(is_of));
    }

    /// Something happened to a thread.
    pub(super) fn doubts_thread(&self, thread: u64) {
        self.doubts_where(|stands| stands.is_some_and(|stands| stands.thread == Some(thread)));
    }

    fn doubts_where(&self, is_meant: impl Fn(Option<Stands>) -> bool) {
        for (id, waiting) in &*lock(&self.told) {
            if is_meant(lock(&self.stands).get(id).copied()) {
                waiting.doubt();
            }
        }
    }

    /// Follows all runs until the end. What happens is seen from this call on.
    pub(super) fn follow(self: &Arc<Self>, tasks: TaskTracker) -> impl Future<Output = ()> + Send + 'static {
        let runs = self.clone();
        let mut events = self.engine.follow();
        async move {
            runs.remember();
            for run in runs.engine.open_runs() {
                runs.tell(&tasks, run.id, None, true);
            }
            for id in runs.ended_lately() {
                runs.tell(&tasks, id, None, false);
            }
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    () = runs.ending.cancelled() => return,
                };
                match event {
                    Ok(happened) => {
                        let line = runs.line(&happened);
                        runs.tell(&tasks, happened.run.id, line, false);
                    }
                    // It was too much at once: the newest states are shown all the same.
                    Err(RecvError::Lagged(_)) => {
                        runs.engine.open_runs().iter().for_each(|run| runs.tell(&tasks, run.id, None, false));
                        // Also of those that ended meanwhile.
                        lock(&runs.told).values().for_each(|waiting| waiting.bell.notify_one());
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }

    fn line(&self, happened: &Happened) -> Option<String> {
        line(happened, &self.desk.moment()).map(|line| cut(&line, LINE))
    }

    /// Where runs were shown before this start.
    fn remember(&self) {
        let entries = self.engine.view().newest_of_kind(KIND, LOOKED_THROUGH).unwrap_or_default();
        let mut stands = lock(&self.stands);
        for entry in entries {
            if let (Some(run), Some(found)) = (entry.data["run"].as_u64(), Stands::read(&entry.data)) {
                // The newest comes first.
                stands.entry(RunId(run)).or_insert(found);
            }
        }
    }

    /// Runs that were shown and are over, but not for long.
    fn ended_lately(&self) -> Vec<RunId> {
        let newest: Vec<RunId> = lock(&self.stands).keys().rev().take(ENDED_UNSEEN).copied().collect();
        let now = self.desk.clock.now();
        let is_late = |ended: Timestamp| now.duration_since(ended).unsigned_abs() <= GIVEN_UP_AFTER;
        let ended = |id: &RunId| self.engine.run(*id).ok().filter(|run| run.is_ended())?.ended;
        newest.into_iter().filter(|id| ended(id).is_some_and(is_late)).collect()
    }

    /// Hands something to the task of a run; it begins with the first.
    fn tell(self: &Arc<Self>, tasks: &TaskTracker, id: RunId, line: Option<String>, at_start: bool) {
        let mut told = lock(&self.told);
        let waiting = told.entry(id).or_insert_with(|| {
            let waiting = Arc::new(Waiting::default());
            tasks.spawn(self.clone().show(id, waiting.clone(), at_start));
            waiting
        });
        waiting.add(line);
    }

    /// Shows one run for as long as it goes on.
    async fn show(self: Arc<Self>, id: RunId, waiting: Arc<Waiting>, at_start: bool) {
        let mut shown = Shown { stands: lock(&self.stands).get(&id).copied(), ..Shown::default() };
        shown.before = (at_start && shown.stands.is_some()).then(|| words::started_again(id));
        shown.was_over = self.engine.run(id).is_ok_and(|run| run.is_ended());
        let (mut patience, mut away): (Patience, Option<Timestamp>) = Default::default();
        loop {
            let works = self.engine.run(id).is_ok_and(|run| !run.waits_for_person());
            tokio::select! {
                () = waiting.bell.notified() => {}
                () = self.desk.clock.after(REFRESH_EVERY), if works => {}
                () = self.ending.cancelled() => {}
            }
            let is_last = self.ending.is_cancelled();
            let run = match self.engine.run(id) {
                Ok(run) => run,
                Err(_) if is_last => break,
                Err(why) => {
                    self.pulse.trouble(&format!("run {id} cannot be read now, and is not shown: {why:?}"));
                    patience.try_later(&self.desk.clock, &self.ending, &waiting).await;
                    continue;
                }
            };
            // What is over can be taken back.
            shown.was_over &= run.is_ended();
            let (mut lines, more) = waiting.take();
            if waiting.was_doubted() {
                shown.card = None;
                shown.question_doubted = true;
                shown.closed.clear();
            }
            let told = self.told(&mut shown, &run, &mut lines, more);
            let told = tokio::select! {
                told = told => told,
                () = self.last_words(), if is_last => Err(Lost::Away("the bot ends".to_owned())),
            };
            match told {
                Ok(()) => {
                    (patience, away) = Default::default();
                    if shown.card.as_ref().is_some_and(|card| card.link != shown.link()) {
                        // The card leads to the question that is open.
                        waiting.bell.notify_one();
                    }
                }
                Err(Lost::Refused(why)) => self.pulse.trouble(&format!("run {id} could not be shown: {why}")),
                Err(lost) => {
                    self.pulse.trouble(&format!("run {id} is not shown now: {lost}"));
                    let is_away = lost.is_away();
                    let now = self.desk.clock.now();
                    let since = *away.get_or_insert(now);
                    let given_up =
                        run.is_ended() && now.duration_since(since).unsigned_abs() > GIVEN_UP_AFTER;
                    if is_last || given_up {
                        break;
                    }
                    waiting.put_back(lines, more);
                    patience.try_later(&self.desk.clock, &self.ending, &waiting).await;
                    if !is_away {
                        // Whether the card still stands is seen by editing it.
                        shown.card = None;
                    } else if !shown.was_over {
                        shown.away = Some(words::was_away(since, &self.desk.moment()));
                    }
                    continue;
                }
            }
            if is_last {
                break;
            }
            if run.is_ended() {
                let mut told = lock(&self.told);
                // Whoever adds something holds the same lock.
                if waiting.is_empty() && self.engine.run(id).is_ok_and(|now| now.version == run.version) {
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

    async fn last_words(&self) {
        self.desk.clock.after(LAST_WORDS).await;
    }

    /// Brings everything that stands on Discord up to date. What got there is not sent again if the rest did not.
    async fn told(
        &self,
        shown: &mut Shown,
        run: &Arc<Run>,
        lines: &mut Vec<String>,
        more: usize,
    ) -> Result<(), Lost> {
        if run.offer.is_none() && shown.stands.is_none() {
            // There is nothing to show of a plan that is still measured, or that was not made; who asked was told why.
            return Ok(());
        }
        let moment = self.desk.moment();
        let snapshot = self.desk.files().ok().or_else(|| self.desk.last_files());
        let policy = snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
        shown.lost = shown.lost.take().and_then(|why| self.place_lost(run.id, why));
        let stands = self.show_card(shown, run, policy, &moment).await?;
        if stands.is_some() {
            // What is shown elsewhere before it begins can be stopped there.
            shown.lost = None;
        }
        let Some(stands) = stands else {
            // It is told nowhere: the journal has everything.
            lines.clear();
            return Ok(());
        };
        loop {
            let below = async {
                let stands = shown.stands.unwrap_or(stands);
                self.show_lines(shown, run.id, stands, lines, more).await?;
                self.ask_approvers(shown, stands, run, policy).await?;
                self.show_question(shown, stands, run, policy, &moment).await
            };
            match below.await {
                Err(Lost::Closed(why) | Lost::Gone(why))
                    if shown.stands.is_some_and(|at| at.thread.is_some()) =>
                {
                    self.pulse.trouble(&format!(
                        "the thread of run {} is gone, or closed to the bot: {why}",
                        run.id
                    ));
                    self.begin_thread_again(shown, run).await?;
                }
                told => return told,
            }
        }
    }

    /// Tells a run that nobody can stop it where it was shown. What has not begun does not pause: it is to be told again.
    fn place_lost(&self, id: RunId, why: String) -> Option<String> {
        let waits = self.engine.run(id).is_ok_and(|now| now.started.is_none() && now.phase != Phase::Ready);
        self.engine.place_lost(id, &why);
        waits.then_some(why)
    }

    /// Somebody deleted or locked the thread. Where no other can be begun, people are asked in the channel.
    async fn begin_thread_again(&self, shown: &mut Shown, run: &Run) -> Result<(), Lost> {
        let Some(stands) = shown.stands else { return Ok(()) };
        let thread = match self.post.begin_thread(stands.channel, stands.message, &thread_name(run)).await {
            Ok(thread) => Some(thread),
            Err(lost) if lost.is_away() => return Err(lost),
            Err(_) => None,
        };
        self.stands_now(shown, run.id, Stands { thread, ..stands }).await;
        Ok(())
    }

    /// From now on it stands there, also after the next start. What was asked elsewhere is asked anew.
    async fn stands_now(&self, shown: &mut Shown, run: RunId, stands: Stands) {
        let mut entry = stands.recorded();
        entry["run"] = serde_json::json!(run);
        if let Err(refused) = self.engine.note_shown(KIND, entry).await {
            self.pulse.trouble(&format!("where run {run} is shown was not recorded: {refused:?}"));
        }
        lock(&self.stands).insert(run, stands);
        (shown.stands, shown.asked_to_approve, shown.question) = (Some(stands), None, None);
        shown.posted = None;
    }

    /// Begins the thread of a card that was posted: there the run stands from now on.
    async fn begin_thread(
        &self,
        shown: &mut Shown,
        run: &Run,
        (channel, message): (u64, u64),
    ) -> Result<Stands, Lost> {
        let thread = match self.post.begin_thread(channel, message, &thread_name(run)).await {
            Ok(thread) => Some(thread),
            Err(lost) if lost.is_away() => return Err(lost),
            // It was begun before the last end: a thread has the id of its message.
            Err(Lost::Refused(_)) => Some(message),
            Err(_) => None,
        };
        let stands = Stands { channel, message, thread };
        self.stands_now(shown, run.id, stands).await;
        Ok(stands)
    }

    /// The card of a run, and where it stands. None if there is no channel for it.
    async fn show_card(
        &self,
        shown: &mut Shown,
        run: &Run,
        policy: Option<&Policy>,
        moment: &Moment,
    ) -> Result<Option<Stands>, Lost> {
        let mut card = run_card(run, &self.engine.far(run.id), policy, moment);
        // What is not asked any more is closed only after this.
        card.lead_to(shown.link().filter(|_| question_card(run, moment).is_some()));
        // Another one than the first time, or Discord would give the message back that is gone or closed.
        let before = lock(&self.stands).get(&run.id).map(|stands| stands.message);
        let mut nonce = before.map_or_else(
            || format!("r{}-{}", run.id, run.requested.as_millisecond()),
            |message| format!("a{message}"),
        );
        if let Some(posted) = shown.posted {
            self.begin_thread(shown, run, posted).await?;
        }
        if let Some(stands) = shown.stands {
            if shown.card.as_ref() == Some(&card) {
                return Ok(Some(stands));
            }
            let is_new_file = shown.card.as_ref().is_none_or(|before| before.file != card.file);
            match self.post.edit(stands.channel, stands.message, &card, is_new_file).await {
                Ok(()) => {
                    shown.card = Some(card);
                    return Ok(Some(stands));
                }
                // It would not be taken later either; whoever is asked below it is asked all the same.
                Err(Lost::Refused(why)) => {
                    self.pulse.trouble(&format!("the card of run {} could not be edited: {why}", run.id));
                    shown.card = Some(card);
                    return Ok(Some(stands));
                }
                Err(Lost::Gone(_) | Lost::Closed(_)) if shown.was_over => {
                    shown.stands = None;
                    return Ok(None);
                }
                // Somebody deleted it: it is posted anew, at once.
                Err(Lost::Gone(why)) => {
                    self.pulse.trouble(&format!("the card of run {} is gone: {why}", run.id));
                    shown.before.get_or_insert_with(|| words::card_deleted(run.id));
                }
                Err(Lost::Closed(why)) => {
                    self.pulse.trouble(&format!(
                        "where run {} was shown is gone, or closed to the bot: {why}",
                        run.id
                    ));
                    shown.closed.insert(stands.channel);
                    // At once, whether or not it can be shown elsewhere.
                    shown.lost = self.place_lost(run.id, words::place_lost(&why));
                    shown.before.get_or_insert_with(|| words::shown_elsewhere(run.id));
                }
                Err(lost) => return Err(lost),
            }
            shown.stands = None;
        }
        nonce.truncate(NONCE);
        card.lead_to(None);
        if before.is_none() && shown.asked_in.is_none() {
            // Kept, so that what cannot be told now goes to the same place later.
            shown.asked_in = lock(&self.asked_in).remove(&run.request.account);
        }
        while let Some(channel) = self.channel_of(run, policy, shown) {
            match self.post.send(channel, &card, Some(&nonce), None).await {
                Ok(message) => {
                    shown.card = Some(card);
                    shown.posted = Some((channel, message));
                    return self.begin_thread(shown, run, (channel, message)).await.map(Some);
                }
                Err(Lost::Closed(why)) => {
                    self.pulse.trouble(&format!("run {} cannot be shown in a channel: {why}", run.id));
                    shown.closed.insert(channel);
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(None)
    }

    /// Where it was shown or asked for; else the first channel of the policy that is not closed.
    fn channel_of(&self, run: &Run, policy: Option<&Policy>, shown: &Shown) -> Option<u64> {
        let door = policy?.doors.discord.as_ref()?;
        let before = lock(&self.stands).get(&run.id).map(|stands| stands.channel);
        let open: Vec<u64> = door.channels.iter().filter_map(|known| known.value.parse().ok()).collect();
        let open = || open.iter().copied().filter(|channel| !shown.closed.contains(channel));
        let wanted = [before, shown.asked_in]
            .into_iter()
            .flatten()
            .find(|wanted| open().any(|known| known == *wanted));
        wanted.or_else(|| open().next())
    }

    async fn show_lines(
        &self,
        shown: &mut Shown,
        run: RunId,
        stands: Stands,
        lines: &mut Vec<String>,
        more: usize,
    ) -> Result<(), Lost> {
        if lines.is_empty() && shown.before.is_none() && shown.away.is_none() {
            return Ok(());
        }
        let first = [&shown.before, &shown.away].into_iter().flatten().map(|line| safe::plain(line));
        let first: Vec<String> = first.collect();
        let (mut text, left) = joined(first.iter().chain(lines.iter()).map(String::as_str));
        let more = more + left;
        let Some(thread) = stands.thread else {
            // Without a thread the card tells what is; the channel is not filled with what was.
            lines.clear();
            (shown.before, shown.away) = (None, None);
            return Ok(());
        };
        if more > 0 {
            text = format!("{text}\n{}", safe::plain(&words::more_lines(more, run)));
        }
        let card = Card { content: text, silent: true, ..Card::default() };
        self.post.send(thread, &card, None, None).await?;
        lines.clear();
        (shown.before, shown.away) = (None, None);
        Ok(())
    }

    /// Asks those who may approve, once for each plan.
    async fn ask_approvers(
        &self,
        shown: &mut Shown,
        stands: Stands,
        run: &Run,
        policy: Option<&Policy>,
    ) -> Result<(), Lost> {
        let (Phase::Approving, Some(plan), Some(digest)) = (run.phase, run.plan(), run.digest()) else {
            return Ok(());
        };
        if shown.asked_to_approve.as_deref() == Some(digest.short()) {
            return Ok(());
        }
        let holders = policy.map(|policy| policy.holders(&plan.approvals.by)).unwrap_or_default();
        let others: Vec<Person> = holders.into_iter().filter(|person| *person != run.request.by).collect();
        let pings = ids_of(policy, &others);
        let sentence = words::approval_wanted(run, &plan::needed(&plan.approvals));
        let sentence = cut(&safe::plain(&sentence), LINE);
        let server = policy.and_then(Policy::server).unwrap_or_default();
        let card = address(server, stands.channel, stands.message);
        let sentence = format!("{sentence} {card}");
        let card = Card { content: mentioning(&pings, &sentence), pings, ..Card::default() };
        self.post.send(stands.asks_in(), &card, None, None).await?;
        shown.asked_to_approve = Some(digest.short().to_owned());
        Ok(())
    }

    /// A question is posted anew, since an edit notifies nobody; one that is not asked any more is closed.
    async fn show_question(
        &self,
        shown: &mut Shown,
        stands: Stands,
        run: &Run,
        policy: Option<&Policy>,
        moment: &Moment,
    ) -> Result<(), Lost> {
        let question = question_card(run, moment).map(|mut card| {
            card.pings = ids_of(policy, &asked(run, policy));
            card
        });
        let is_same = |open: &Card, now: &Card| {
            open.buttons == now.buttons && open.title == now.title && open.pings == now.pings
        };
        if let Some((place, message, open)) = &shown.question
            && question.as_ref().is_some_and(|now| is_same(open, now))
        {
            if !shown.question_doubted {
                return Ok(());
            }
            match self.post.edit(*place, *message, &posted(open), false).await {
                Ok(()) => {
                    shown.question_doubted = false;
                    return Ok(());
                }
                // In a thread that was archived it could not be seen any more either.
                Err(Lost::Gone(_) | Lost::Refused(_)) => shown.question = None,
                Err(lost) => return Err(lost),
            }
        }
        if let Some((place, message, open)) = &shown.question {
            let how =
                if question.is_some() { "It is asked anew below." } else { "This is not asked any more." };
            match self.post.edit(*place, *message, &closed(open, how), false).await {
                Ok(()) | Err(Lost::Gone(_) | Lost::Closed(_) | Lost::Refused(_)) => shown.question = None,
                Err(away) => return Err(away),
            }
        }
        if let Some(open) = question {
            let place = stands.asks_in();
            let message = self.post.send(place, &posted(&open), None, None).await?;
            shown.question = Some((place, message, open));
            shown.question_doubted = false;
            policy.and_then(Policy::server).unwrap_or_default().clone_into(&mut shown.server);
        }
        Ok(())
    }
}

/// A question as it is posted.
fn posted(question: &Card) -> Card {
    Card { content: mentioning(&question.pings, &question.content), ..question.clone() }
}
