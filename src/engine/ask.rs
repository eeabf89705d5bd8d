//! Asks hosts: measurements, checks at once, checks with patience, gates, how far a step is, how a log ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinSet};

use super::clock::Clock;
use super::context::Context;
use crate::plan::measure::{Errand, ErrandBody, Inquiry, inquiry, read_results};
use crate::plan::model::CheckSeen;
use crate::plan::question;
use crate::run::model::{HowFar, LogTail};
use crate::run::pace::{Pace, percent, rate_words};
use crate::runbook::expression::{Ask, Expr, Facts, NoAnswer, Reading, Value};
use crate::runbook::model::{Check, Progress, Sentence, Watch};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;
use crate::target::{Destination, Ending, Execution, Report, Target};

/// A check that does not hold yet is asked again after these times; the last one repeats.
const AGAIN_AFTER: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// A check that must stay true is asked so often.
const HOLD_EVERY: Duration = Duration::from_secs(5);
/// How far a step is is asked so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Between two answers no more than this may lie, or what happened meanwhile is not known: what must hold for a while
/// begins anew.
const UNSEEN_AT_MOST: Millis = Millis::minutes(1);

/// Something new about how far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// It stands still; else it moves again.
    pub stalled: bool,
    /// How far it is.
    pub done: String,
    /// Since when.
    pub since: Timestamp,
    /// How fast it went before.
    pub rate: Option<String>,
}

/// Asks hosts on behalf of one run.
#[derive(Clone)]
pub struct Asker {
    /// The run's files and meanings.
    pub context: Context,
    /// Where it is asked.
    pub target: Arc<dyn Target>,
    /// The time.
    pub clock: Clock,
}

/// The host at hand of an `each`.
pub type AtHand<'a> = Option<(&'a str, &'a HostName)>;

/// Readings of errands that were asked already, so that nobody is asked the same thing twice at one time.
pub type Known = BTreeMap<Errand, (Reading, Timestamp)>;

/// What a task came to; nothing if it broke. While the process goes away its tasks are taken from it one by one, and
/// nobody stops them else: whoever waits for one then decides nothing any more, least of all that a host was silent.
pub(super) async fn came_to<T>(done: Result<T, JoinError>) -> Option<T> {
    match done {
        Ok(came) => Some(came),
        Err(error) if error.is_cancelled() => std::future::pending().await,
        Err(_) => None,
    }
}

impl Asker {
    /// Asks inquiries side by side, each in its own time.
    pub async fn ask(&self, inquiries: Vec<Inquiry>, known: &mut Known) {
        let mut asked = JoinSet::new();
        let mut seen = BTreeSet::new();
        for inquiry in inquiries {
            if known.contains_key(&inquiry.errand) || !seen.insert(inquiry.errand.clone()) {
                continue;
            }
            let Some(to) = self.context.destination(&inquiry.errand.host) else { continue };
            let (target, snapshot) = (self.target.clone(), self.context.snapshot.clone());
            asked.spawn(async move {
                let errand = &inquiry.errand;
                let probe = Execution::probe(to, errand.body.clone(), errand.at_most.as_std());
                let report = target.execute(Execution { secrets: errand.secrets.clone(), ..probe }).await;
                let reading = reading(&snapshot.set, &inquiry, &report);
                (inquiry.errand, reading)
            });
        }
        while let Some(done) = asked.join_next().await {
            if let Some((errand, reading)) = came_to(done).await {
                known.insert(errand, (reading, self.clock.now()));
            }
        }
    }

    /// What these questions come to.
    pub async fn facts(&self, asks: BTreeSet<Ask>, known: &mut Known) -> Facts {
        let set = &self.context.snapshot.set;
        let runbook = self.context.runbook();
        let mut facts = Facts::default();
        let mut wanted = Vec::new();
        for ask in asks {
            match inquiry(set, runbook, &self.context.situation, &ask) {
                Ok(inquiry) => wanted.push((ask, inquiry)),
                Err(why) => {
                    facts.0.insert(ask, Err(why));
                }
            }
        }
        self.ask(wanted.iter().map(|(_, inquiry)| inquiry.clone()).collect(), known).await;
        for (ask, inquiry) in wanted {
            let reading = known.get(&inquiry.errand).map(|(reading, _)| reading.clone());
            let reading =
                reading.unwrap_or_else(|| Err(NoAnswer(format!("{} was not asked", inquiry.errand.host))));
            facts.0.insert(ask, reading);
        }
        facts
    }

    /// Asks checks once, all that they use together.
    pub async fn once(&self, at_hand: AtHand<'_>, checks: &[&Check], known: &mut Known) -> Vec<CheckSeen> {
        let asks = question::wanted(&self.context.situation, at_hand, checks);
        let facts = self.facts(asks, known).await;
        checks.iter().map(|check| question::answer(&self.context.situation, at_hand, check, &facts)).collect()
    }

    /// What an expression comes to now.
    pub async fn value(&self, at_hand: AtHand<'_>, expr: &Expr) -> Result<Value, NoAnswer> {
        let asks = question::wanted_by(&self.context.situation, at_hand, expr);
        let facts = self.facts(asks, &mut Known::new()).await;
        let values = self.context.situation.with_host(at_hand);
        self.context.situation.meaning_of(&values, &facts).evaluate(expr).answer
    }

    /// Asks a watch again and again until it has been broken for as long as it may, or holds again.
    pub async fn watch(&self, at_hand: AtHand<'_>, watch: &Watch, is_broken: bool) -> CheckSeen {
        let check = Check {
            that: watch.that.clone(),
            sentence: Sentence::Else(watch.sentence.clone()),
            within: None,
            hold_for: None,
        };
        let mut broken_since: Option<Timestamp> = None;
        loop {
            let seen = self.once(at_hand, &[&check], &mut Known::new()).await;
            let now = self.clock.now();
            if let Some(seen) = seen.into_iter().next() {
                if seen.holds() {
                    broken_since = None;
                    if is_broken {
                        return seen;
                    }
                } else {
                    let since = *broken_since.get_or_insert(now);
                    if !is_broken && elapsed(since, now) >= watch.broken_for {
                        return seen;
                    }
                }
            }
            self.clock.after(watch.every.as_std()).await;
        }
    }

    /// Asks how far a step is until that says something new: it stands still for too long, or it moves again.
    ///
    /// No answer is not standing still: nobody knows. When it is answered again, and is where it was, it has stood.
    pub async fn progress(
        &self,
        at_hand: AtHand<'_>,
        progress: &Progress,
        is_stalled: bool,
        show: impl Fn(Option<HowFar>, Timestamp),
    ) -> Moved {
        let mut last: Option<(Value, Timestamp)> = None;
        let (mut pace, mut moved_at) = (Pace::default(), None);
        loop {
            let done = self.value(at_hand, &progress.done).await;
            let total = match &progress.total {
                Some(total) => self.value(at_hand, total).await.ok(),
                None => None,
            };
            let now = self.clock.now();
            if let Ok(done) = done.and_then(measured) {
                let is_same = last.as_ref().is_some_and(|(value, _)| *value == done);
                if !is_same {
                    // How fast it went until it stood still is what is said of it then.
                    moved_at = pace.rate().and_then(|rate| rate_words(&done, rate)).or(moved_at);
                }
                // A total of nothing is one that nobody knows.
                let total = total.filter(|total| percent(&done, total).is_some());
                pace.hears(now, &done, total.as_ref());
                let of = total.as_ref().map(|total| format!(" of {}", total.human())).unwrap_or_default();
                let far = HowFar {
                    percent: total.as_ref().and_then(|total| percent(&done, total)),
                    amount: format!("{}{of}", done.human()),
                    rate: pace.rate().and_then(|rate| rate_words(&done, rate)),
                    left: pace.left().filter(|_| !is_same),
                    ..HowFar::default()
                };
                show(Some(far), now);
                match &last {
                    Some((_, since)) if is_same => {
                        if !is_stalled && elapsed(*since, now) >= progress.stalled_after {
                            return Moved {
                                stalled: true,
                                done: done.human(),
                                since: *since,
                                rate: moved_at,
                            };
                        }
                    }
                    Some(_) if is_stalled => {
                        return Moved { stalled: false, done: done.human(), since: now, rate: None };
                    }
                    _ => last = Some((done, now)),
                }
            } else {
                show(None, now);
            }
            self.clock.after(PROGRESS_EVERY).await;
        }
    }

    /// Asks checks with the patience that they have: `within` to come true, `for` to stay true.
    pub async fn patiently(&self, at_hand: AtHand<'_>, checks: &[&Check]) -> Vec<CheckSeen> {
        let began = self.clock.now();
        let mut waits = Waits::default();
        let mut states: Vec<Patience> = checks.iter().map(|_| Patience::Asking).collect();
        let mut seen: Vec<Option<CheckSeen>> = checks.iter().map(|_| None).collect();
        loop {
            let open: Vec<usize> = (0..checks.len()).filter(|i| states[*i] != Patience::Done).collect();
            if open.is_empty() {
                return seen.into_iter().flatten().collect();
            }
            let asked: Vec<&Check> = open.iter().map(|i| checks[*i]).collect();
            let answers = self.once(at_hand, &asked, &mut Known::new()).await;
            let now = self.clock.now();
            for (index, answer) in open.into_iter().zip(answers) {
                let check = checks[index];
                states[index] = next_patience(states[index], check, answer.holds(), began, now);
                seen[index] = Some(answer);
            }
            if states.iter().any(|state| *state != Patience::Done) {
                let holding =
                    states.iter().all(|state| matches!(state, Patience::Done | Patience::Holding(_)));
                self.clock.after(if holding { HOLD_EVERY } else { waits.next() }).await;
            }
        }
    }

    /// Measures a gate until all of it holds, for as long as it must, or its time is over. `show` hears each time since
    /// when it holds, and what was seen.
    pub async fn gate(
        &self,
        at_hand: AtHand<'_>,
        checks: &[&Check],
        hold_for: Option<Millis>,
        until: Timestamp,
        show: impl Fn(Option<Timestamp>, &[CheckSeen]),
    ) -> (bool, Vec<CheckSeen>) {
        let mut waits = Waits::default();
        let mut held: Option<(Timestamp, Timestamp)> = None;
        loop {
            let seen = self.once(at_hand, checks, &mut Known::new()).await;
            let now = self.clock.now();
            held = held.filter(|(_, last)| elapsed(*last, now) <= UNSEEN_AT_MOST);
            if seen.iter().all(CheckSeen::holds) {
                let since = held.map_or(now, |(since, _)| since);
                held = Some((since, now));
                if elapsed(since, now) >= hold_for.unwrap_or_default() {
                    return (true, seen);
                }
            } else {
                held = None;
            }
            show(held.map(|(since, _)| since), &seen);
            if now >= until {
                return (false, seen);
            }
            let wait = if held.is_some() { HOLD_EVERY } else { waits.next() };
            let next = now.checked_add(wait).unwrap_or(Timestamp::MAX).min(until);
            self.clock.until(next).await;
        }
    }
}

/// How long ago, never negative.
pub fn elapsed(since: Timestamp, now: Timestamp) -> Millis {
    Millis(now.duration_since(since).max(SignedDuration::ZERO).as_millis().try_into().unwrap_or(i64::MAX))
}

/// Waits that grow.
#[derive(Debug, Default)]
struct Waits(usize);

impl Waits {
    fn next(&mut self) -> Duration {
        let wait = AGAIN_AFTER[self.0.min(AGAIN_AFTER.len() - 1)];
        self.0 += 1;
        wait
    }
}

/// How one check with patience stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It does not hold yet.
    Asking,
    /// It holds since then, and must stay so.
    Holding(Timestamp),
    /// It is decided.
    Done,
}

/// False with `within` is asked again until its time is over; true with `for` must stay true, and a break begins again
/// if `within` allows it.
fn next_patience(state: Patience, check: &Check, holds: bool, began: Timestamp, now: Timestamp) -> Patience {
    if holds {
        let Some(hold_for) = &check.hold_for else { return Patience::Done };
        let since = match state {
            Patience::Holding(since) => since,
            _ => now,
        };
        return if elapsed(since, now) >= hold_for.value { Patience::Done } else { Patience::Holding(since) };
    }
    let in_time = check.within.as_ref().is_some_and(|within| elapsed(began, now) < within.value);
    if in_time { Patience::Asking } else { Patience::Done }
}

/// What is none is no answer.
fn measured(value: Value) -> Result<Value, NoAnswer> {
    if value == Value::None { Err(NoAnswer("it is none".to_owned())) } else { Ok(value) }
}

/// The script that reads the end of a log. What is named is a file of the inventory, and no option.
const LOG_TAIL: &str = "tail -n 20 -- \"$log\"\n";
/// Reading a log takes no longer: people wait for it.
const LOG_AT_MOST: Duration = Duration::from_secs(5);
/// So many of its lines are kept, and so many characters of each.
const LOG_LINES: usize = 12;
const LOG_WIDTH: usize = 300;

/// The end of a log on a host.
pub async fn log_tail(target: &dyn Target, to: Destination, path: String) -> LogTail {
    let variables = BTreeMap::from([("log".to_owned(), path.clone())]);
    let body = ErrandBody::Script { text: LOG_TAIL.to_owned(), variables };
    let host = to.name.clone();
    let report = target.execute(Execution::probe(to, body, LOG_AT_MOST)).await;
    let why_not = match &report.ending {
        Ending::Exited(0) => None,
        Ending::Exited(_) => Some(first_line(&report.err.head)),
        Ending::NoCommand => Some("tail is not there".to_owned()),
        Ending::Ended { .. } => Some(format!("{host} did not show it in {} s", LOG_AT_MOST.as_secs())),
        Ending::NotStarted { why, .. } | Ending::Lost { why } | Ending::Lives { why } => Some(why.clone()),
    };
    let printed = [report.out.head, report.out.tail].concat();
    let text = String::from_utf8_lossy(&printed);
    let lines: Vec<String> = text.lines().map(|line| line.chars().take(LOG_WIDTH).collect()).collect();
    let lines = lines[lines.len().saturating_sub(LOG_LINES)..].to_vec();
    LogTail { path, lines: if why_not.is_none() { lines } else { Vec::new() }, why_not }
}

/// What a program complained of first.
fn first_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    crate::runbook::source::hidden::visible(line).chars().take(160).collect()
}

/// What a probe answered, or why it did not.
fn reading(set: &crate::authoring::Set, inquiry: &Inquiry, report: &Report) -> Reading {
    let (probe, host) = (&inquiry.probe, &inquiry.errand.host);
    let why = match &report.ending {
        Ending::Exited(0) => return read_results(set, inquiry, &report.out.head),
        Ending::Exited(status) => {
            format!("{probe} on {host} ended with {status}: {}", first_line(&report.err.head))
        }
        Ending::NoCommand => format!("{probe} on {host} needs a program that is not there"),
        Ending::Ended { .. } => format!("{host} did not answer {probe} in {}", inquiry.errand.at_most),
        Ending::NotStarted { why, .. } => why.clone(),
        Ending::Lost { why } | Ending::Lives { why } => format!("{host} did not answer {probe}: {why}"),
    };
    Err(NoAnswer(why))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context as Polled, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn a_task_that_was_taken_away_is_no_answer_and_one_that_broke_is_none() {
        let gone = tokio::spawn(std::future::pending::<()>());
        gone.abort();
        let gone = gone.await;
        assert!(pin!(came_to(gone)).poll(&mut Polled::from_waker(Waker::noop())).is_pending());

        let broke = tokio::spawn(async { panic!("a fault") }).await;
        let came = pin!(came_to::<()>(broke)).poll(&mut Polled::from_waker(Waker::noop()));
        assert_eq!(came, Poll::Ready(None));
        assert_eq!(came_to(tokio::spawn(async { 7 }).await).await, Some(7));
    }
}
