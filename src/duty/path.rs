//! What is known of a path out of the house: when it took something last, how often it failed since, and what that
//! makes of it. Told by what trials and notices came to, one after the other; the clock comes in as a value.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::hours::Hours;
use super::model::Trials;
use crate::runbook::source::literal::Millis;

/// A path that took nothing for so long is red, if it should have been tried since.
pub const GOOD_FOR: Millis = Millis(7 * 24 * 3_600_000);
/// So many tries in a row that failed make a path red.
pub const FAILS: u32 = 3;
/// A try that fails so soon after another counts with it: what is away for a minute is not red by three quick tries.
const APART: Millis = Millis::minutes(5);
/// A path that failed once, or twice, is tried again after this time.
const AGAIN: [Millis; 2] = [APART, Millis::minutes(15)];
/// One that is red is tried so often, so that it is known when it is well again.
const RED_AGAIN: Millis = Millis::minutes(60);
/// What is so much later than now was said by a clock that has been set back since.
const AHEAD: Millis = Millis::minutes(60);
/// A trial that was due may be so late before its path is red.
const GRACE: Millis = Millis::minutes(60);

/// Something that happened on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A trial is about to be sent.
    Tries,
    /// It took a trial or a notice.
    Took,
    /// It did not, or nobody knows; and why.
    Failed(String),
    /// An incident was opened because it is red.
    Reported,
}

/// What is known of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// When it took something last.
    pub took: Option<Timestamp>,
    /// How many tries failed since.
    pub failed: u32,
    /// When the first of them failed.
    pub since: Option<Timestamp>,
    /// What the last of them was told.
    pub why: String,
    /// When something was tried last.
    pub tried: Option<Timestamp>,
    /// When the last one failed that counts.
    counted: Option<Timestamp>,
    /// An incident was opened since it took something last.
    pub reported: bool,
}

/// How a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It took something not long ago.
    Green,
    /// It was never tried.
    Untested,
    /// It fails, or took nothing for too long.
    Red,
}

impl State {
    /// As it is shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Untested => "untested",
            Self::Red => "red",
        }
    }
}

impl Known {
    /// Takes what happened at a moment. What is heard twice, or late, changes nothing.
    pub fn hear(&mut self, at: Timestamp, heard: Heard) {
        let is_news = credible(self.took, at).is_none_or(|took| took <= at);
        let tried = credible(self.tried, at).max(Some(at));
        match heard {
            Heard::Tries => self.tried = tried,
            Heard::Took if is_news => *self = Self { took: Some(at), tried, ..Self::default() },
            Heard::Failed(why) if is_news => {
                self.tried = tried;
                self.why = why;
                if credible(self.counted, at).is_none_or(|counted| at >= later(counted, APART)) {
                    self.counted = Some(at);
                    self.failed = self.failed.saturating_add(1);
                    self.since.get_or_insert(at);
                }
            }
            Heard::Reported => self.reported = true,
            Heard::Took | Heard::Failed(_) => {}
        }
    }

    /// Whether so many tries failed that it is red.
    pub const fn fails(&self) -> bool {
        self.failed >= FAILS
    }

    /// How it is. `trials` are there where it can be tried at all: what only a person can prove is not red for its age.
    pub fn state(&self, trials: Option<&Times<'_>>, now: Timestamp) -> State {
        match (self.took, trials) {
            _ if self.fails() => State::Red,
            (None, _) => State::Untested,
            (Some(took), Some(times)) if is_old(took, took, times, now) => State::Red,
            (Some(_), _) => State::Green,
        }
    }

    /// Whether an incident is to be opened: it is red, nothing was said of it, and whoever tries paths was there since
    /// `up` and could have tried it.
    pub fn is_to_report(&self, times: Option<&Times<'_>>, up: Timestamp, now: Timestamp) -> bool {
        let is_old = || {
            let of = self.took.zip(times);
            of.is_some_and(|(took, times)| is_old(took, took.max(up), times, now))
        };
        !self.reported && (self.fails() || is_old())
    }

    /// When it is tried next if it takes nothing before: now, or later.
    pub fn next_trial(&self, times: &Times<'_>, now: Timestamp) -> Timestamp {
        let tried = |pause| credible(self.tried, now).map_or(now, |tried| later(tried, pause));
        let next = match (self.failed, AGAIN.get((self.failed as usize).wrapping_sub(1))) {
            (0, _) => {
                let due = credible(self.took, now).map_or(now, |took| later(took, times.every));
                // A trial of which nobody knows what became of it: the process died.
                times.in_hours(due.max(tried(APART)).max(now))
            }
            (_, Some(pause)) => tried(*pause),
            (_, None) => tried(RED_AGAIN),
        };
        next.max(now)
    }
}

/// Whether it took nothing for too long, and a trial was due since that could have been sent from `from` on.
fn is_old(took: Timestamp, from: Timestamp, times: &Times<'_>, now: Timestamp) -> bool {
    let due = times.in_hours(later(took, times.every).max(from));
    now >= later(took, GOOD_FOR).max(later(due, GRACE))
}

/// When paths are tried, in a zone.
#[derive(Debug, Clone, Copy)]
pub struct Times<'a> {
    every: Millis,
    hours: &'a Hours,
    zone: &'a TimeZone,
}

impl Trials {
    /// When paths are tried; in this zone, where the file does not say one.
    pub fn times<'a>(&'a self, zone: &'a TimeZone) -> Times<'a> {
        let zone = self.zone.as_ref().map_or(zone, |(_, zone)| zone);
        Times { every: self.every.value, hours: &self.hours, zone }
    }
}

impl Times<'_> {
    /// The first moment from this one on that lies in the hours. Were there none in a week, it is this one.
    fn in_hours(&self, at: Timestamp) -> Timestamp {
        let mut moment = at;
        while !self.hours.hold(moment, self.zone) {
            let Some(next) = self.hours.change_after(moment, self.zone) else { return at };
            moment = next;
        }
        moment
    }
}

/// A moment, unless a clock said it that was far ahead.
fn credible(moment: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    moment.filter(|moment| *moment < later(now, AHEAD))
}

fn later(at: Timestamp, by: Millis) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(by.0)).unwrap_or(Timestamp::MAX)
}
