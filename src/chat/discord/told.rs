//! What is to be told of a run or an incident, until it stands on Discord; and where that is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::limits::{PINGS, length};
use super::safe;
use crate::engine::clock::Clock;
use crate::policy::Policy;
use crate::runbook::source::name::Person;

/// Between two edits of a card; Discord bears no more than one a second.
pub(super) const EDIT_EVERY: Duration = Duration::from_millis(1_100);
/// After a failure it is tried again, later each time, up to the second one.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// What is over is not told for longer than this.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_hours(24);
/// At the end what is left is told within this.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(3);
/// So many of the entries that say where something is shown are looked through at a start.
pub(super) const LOOKED_THROUGH: u32 = 2_000;
/// A message of lines has at most so much.
const LINES: usize = 1_800;
/// A line has at most so much.
pub(super) const LINE: usize = 400;
/// So many lines are kept while Discord is away; the others are counted.
const KEPT: usize = 200;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stands {
    pub channel: u64,
    pub message: u64,
    /// None where there can be none: then people are asked in the channel, and the card tells the rest.
    pub thread: Option<u64>,
}

impl Stands {
    /// As the journal keeps it. Ids are texts: they are larger than numbers may be in canonical JSON.
    pub(super) fn recorded(self) -> Value {
        let id = |id: u64| id.to_string();
        let (channel, message, thread) =
            (id(self.channel), id(self.message), id(self.thread.unwrap_or_default()));
        json!({ "channel": channel, "message": message, "thread": thread })
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let id = |name: &str| data[name].as_str()?.parse::<u64>().ok();
        let (channel, message) = (id("channel")?, id("message")?);
        let thread = Some(id("thread")?).filter(|thread| *thread != 0);
        Some(Self { channel, message, thread })
    }

    /// Where people are asked.
    pub(super) fn asks_in(self) -> u64 {
        self.thread.unwrap_or(self.channel)
    }
}

/// What waits to be told.
#[derive(Default)]
pub(super) struct Waiting {
    lines: Mutex<Vec<String>>,
    /// How many more there were.
    more: Mutex<usize>,
    /// What stands on Discord may have gone: it is looked at, though nothing happened.
    doubted: AtomicBool,
    pub bell: Notify,
}

impl Waiting {
    pub(super) fn add(&self, line: Option<String>) {
        if let Some(line) = line {
            let mut lines = lock(&self.lines);
            if lines.len() < KEPT { lines.push(line) } else { *lock(&self.more) += 1 }
        }
        self.bell.notify_one();
    }

    /// All lines that wait, and how many more there were.
    pub(super) fn take(&self) -> (Vec<String>, usize) {
        (std::mem::take(&mut *lock(&self.lines)), std::mem::take(&mut *lock(&self.more)))
    }

    /// What could not be told now, before what came meanwhile.
    pub(super) fn put_back(&self, lines: Vec<String>, more: usize) {
        let mut now = lock(&self.lines);
        let newer = std::mem::replace(&mut *now, lines);
        now.extend(newer);
        let too_many = now.len().saturating_sub(KEPT);
        now.truncate(KEPT);
        *lock(&self.more) += more + too_many;
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.lines).is_empty()
    }

    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// Whether it was doubted since the last time.
    pub(super) fn was_doubted(&self) -> bool {
        self.doubted.swap(false, Ordering::Relaxed)
    }
}

/// What is told at once, and what stands before it.
#[derive(Default)]
pub(super) struct Telling {
    /// It was over before anything was shown: what stands of it is brought up to date, and it is not shown anew.
    pub was_over: bool,
    /// What stands before the next lines.
    pub before: Option<String>,
    /// That Discord could not be reached, before the next lines.
    pub away: Option<String>,
    /// What happened.
    pub lines: Vec<String>,
    /// How much more did.
    pub more: usize,
}

impl Telling {
    /// All of it as one message; none if there is nothing to say. `more` says how many lines are not among it.
    pub(super) fn text(&self, more: impl Fn(usize) -> String) -> Option<String> {
        let first = [&self.before, &self.away].into_iter().flatten().map(|line| safe::plain(line));
        let first: Vec<String> = first.collect();
        let (text, left) = joined(first.iter().chain(&self.lines).map(String::as_str));
        let more = Some(self.more + left).filter(|left| *left > 0).map(|left| safe::plain(&more(left)));
        (!text.is_empty()).then(|| [Some(text), more].into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }

    /// It stands there, or nowhere can it stand: the journal has everything.
    pub(super) fn is_told(&mut self) {
        self.lines.clear();
        (self.before, self.away) = (None, None);
    }
}

/// How long it is waited after a failure.
pub(super) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(RETRY.0)
    }
}

impl Patience {
    /// Waits, longer each time, and then it is tried again.
    pub(super) async fn try_later(&mut self, clock: &Clock, ending: &CancellationToken, waiting: &Waiting) {
        tokio::select! {
            () = clock.after(self.0) => {}
            () = ending.cancelled() => {}
        }
        self.0 = (self.0 * 2).min(RETRY.1);
        waiting.bell.notify_one();
    }
}

/// Lines as one message, and how many did not fit.
fn joined<'a>(lines: impl IntoIterator<Item = &'a str>) -> (String, usize) {
    let (mut text, mut left) = (String::new(), 0);
    for line in lines {
        if length(&text) + length(line) + 1 > LINES {
            left += 1;
        } else {
            text = if text.is_empty() { line.to_owned() } else { format!("{text}\n{line}") };
        }
    }
    (text, left)
}

/// The address of a message.
pub(super) fn address(server: &str, place: u64, message: u64) -> String {
    format!("https://discord.com/channels/{server}/{place}/{message}")
}

/// The ids of people on Discord, as many as one message may ping.
pub(super) fn ids_of(policy: Option<&Policy>, people: &[Person]) -> Vec<String> {
    let Some(policy) = policy else { return Vec::new() };
    let ids = people.iter().filter_map(|person| policy.people.get(person)?.discord.first());
    ids.take(PINGS).map(|id| id.value.clone()).collect()
}

/// A sentence with those who are notified before it.
pub(super) fn mentioning(pings: &[String], sentence: &str) -> String {
    let names: Vec<String> = pings.iter().map(|id| format!("<@{id}>")).collect();
    if names.is_empty() { sentence.to_owned() } else { format!("{}: {sentence}", names.join(" ")) }
}
