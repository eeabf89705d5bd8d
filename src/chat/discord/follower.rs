//! Follows runs or incidents: each is shown by a task of its own, at most once a second. What happened meanwhile is one
//! message, and the newest state is the one that is shown. While Discord is away everything is kept, and told at once when
//! it is back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Pulse;
use super::post::Lost;
use super::told::{EDIT_EVERY, GIVEN_UP_AFTER, LAST_WORDS, Patience, Telling, Waiting, lock};
use crate::chat::desk::Desk;
use crate::wording::discord as words;

/// What is followed, and how it is shown.
pub(super) trait Shows: Send + Sync + 'static {
    /// The number of one of them.
    type Id: Copy + Ord + Send + Sync + 'static;
    /// One of them as it stands now.
    type Now: Send + Sync;
    /// What of it stands on Discord.
    type Shown: Send;

    /// The follower that shows them.
    fn follower(&self) -> &Follower<Self::Id>;

    /// As people call it.
    fn name(id: Self::Id) -> String;

    /// One of them as it stands now, or why it cannot be read.
    fn now(&self, id: Self::Id) -> Result<Arc<Self::Now>, String>;

    /// Whether nothing more is to be expected of it.
    fn is_over(now: &Self::Now) -> bool;

    /// Another after everything that happens to it.
    fn version(now: &Self::Now) -> u64;

    /// What stands of it before anything is shown; and what is said before all else, if it was shown before this start.
    fn begins(&self, id: Self::Id, at_start: bool) -> (Self::Shown, Option<String>);

    /// How soon it is shown anew though nothing happens, if it is.
    fn refreshed_after(&self, now: &Self::Now) -> Option<Duration>;

    /// What stands on Discord may have gone: it is looked at, though nothing happened.
    fn doubts_all(shown: &mut Self::Shown);

    /// Its cards may have gone: whether they still stand is seen by editing them.
    fn doubts_cards(shown: &mut Self::Shown);

    /// Brings everything that stands of it on Discord up to date. What got there is not sent again if the rest did not.
    fn tells(
        &self,
        shown: &mut Self::Shown,
        now: &Arc<Self::Now>,
        telling: &mut Telling,
    ) -> impl Future<Output = Result<(), Lost>> + Send;

    /// Whether something has to be shown once more, since the last message changed it.
    fn is_half_shown(_: &Self::Shown) -> bool {
        false
    }
}

/// Shows what it is told of.
pub(super) struct Follower<Id> {
    pub desk: Desk,
    pub pulse: Arc<Pulse>,
    pub ending: CancellationToken,
    /// Those that a task shows.
    told: Mutex<BTreeMap<Id, Arc<Waiting>>>,
}

impl<Id: Copy + Ord> Follower<Id> {
    pub(super) fn new(desk: Desk, pulse: Arc<Pulse>, ending: CancellationToken) -> Self {
        Self { desk, pulse, ending, told: Mutex::default() }
    }

    /// What stands of these may have gone.
    pub(super) fn doubts(&self, is_meant: impl Fn(Id) -> bool) {
        let told = lock(&self.told);
        told.iter().filter(|(id, _)| is_meant(**id)).for_each(|(_, waiting)| waiting.doubt());
    }

    /// All that a task shows are shown anew.
    pub(super) fn shows_all(&self) {
        lock(&self.told).values().for_each(|waiting| waiting.bell.notify_one());
    }

    async fn rests(&self, wait: Duration) {
        tokio::select! {
            () = self.desk.clock.after(wait) => {}
            () = self.ending.cancelled() => {}
        }
    }
}

/// Hands something to the task that shows one; it begins with the first.
pub(super) fn tell<S: Shows>(
    shows: &Arc<S>,
    tasks: &TaskTracker,
    id: S::Id,
    line: Option<String>,
    at_start: bool,
) {
    let mut told = lock(&shows.follower().told);
    let waiting = told.entry(id).or_insert_with(|| {
        let waiting = Arc::new(Waiting::default());
        tasks.spawn(show(shows.clone(), id, waiting.clone(), at_start));
        waiting
    });
    waiting.add(line);
}

/// Shows one for as long as it goes on.
async fn show<S: Shows>(shows: Arc<S>, id: S::Id, waiting: Arc<Waiting>, at_start: bool) {
    let follower = shows.follower();
    let (clock, ending, name) = (&follower.desk.clock, &follower.ending, S::name(id));
    let (mut shown, before) = shows.begins(id, at_start);
    let was_over = shows.now(id).is_ok_and(|now| S::is_over(&now));
    let mut telling = Telling { was_over, before, ..Telling::default() };
    let (mut patience, mut away): (Patience, Option<Timestamp>) = Default::default();
    loop {
        let refresh = shows.now(id).ok().and_then(|now| shows.refreshed_after(&now));
        tokio::select! {
            () = waiting.bell.notified() => {}
            () = clock.after(refresh.unwrap_or_default()), if refresh.is_some() => {}
            () = ending.cancelled() => {}
        }
        let is_last = ending.is_cancelled();
        let now = match shows.now(id) {
            Ok(now) => now,
            Err(_) if is_last => break,
            Err(why) => {
                follower.pulse.trouble(&format!("{name} cannot be read now, and is not shown: {why}"));
                patience.try_later(clock, ending, &waiting).await;
                continue;
            }
        };
        // What is over can begin again.
        telling.was_over &= S::is_over(&now);
        (telling.lines, telling.more) = waiting.take();
        if waiting.was_doubted() {
            S::doubts_all(&mut shown);
        }
        let told = tokio::select! {
            told = shows.tells(&mut shown, &now, &mut telling) => told,
            () = clock.after(LAST_WORDS), if is_last => Err(Lost::Away("the bot ends".to_owned())),
        };
        match told {
            Ok(()) => {
                (patience, away) = Default::default();
                if S::is_half_shown(&shown) {
                    waiting.bell.notify_one();
                }
            }
            Err(Lost::Refused(why)) => follower.pulse.trouble(&format!("{name} could not be shown: {why}")),
            Err(lost) => {
                follower.pulse.trouble(&format!("{name} is not shown now: {lost}"));
                let since = *away.get_or_insert_with(|| clock.now());
                let is_late = clock.now().duration_since(since).unsigned_abs() > GIVEN_UP_AFTER;
                if is_last || (S::is_over(&now) && is_late) {
                    break;
                }
                waiting.put_back(std::mem::take(&mut telling.lines), telling.more);
                patience.try_later(clock, ending, &waiting).await;
                if !lost.is_away() {
                    S::doubts_cards(&mut shown);
                } else if !telling.was_over {
                    telling.away = Some(words::was_away(since, &follower.desk.moment()));
                }
                continue;
            }
        }
        if is_last {
            break;
        }
        if S::is_over(&now) {
            let mut told = lock(&follower.told);
            // Whoever adds something holds the same lock.
            let is_newest = shows.now(id).is_ok_and(|newest| S::version(&newest) == S::version(&now));
            if waiting.is_empty() && is_newest {
                told.remove(&id);
                return;
            }
        }
        follower.rests(EDIT_EVERY).await;
    }
    lock(&follower.told).remove(&id);
}
