//! Hours of the week and turns, as moments: wall-clock times of one zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

use super::model::Layer;

/// Minutes of a day.
pub const DAY: i32 = 24 * 60;

/// Hours of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The days on which they begin, 0 being Monday.
    pub days: Vec<i8>,
    /// When they begin, in minutes after midnight.
    pub from: i32,
    /// When they end, in minutes after midnight; on the next day if not later than `from`.
    pub to: i32,
}

/// The moment of a wall-clock time. One that daylight saving leaves out is as much later as the clock was moved; of one
/// that comes twice it is the first.
pub fn moment(local: DateTime, zone: &TimeZone) -> Timestamp {
    local.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

impl Hours {
    /// The minutes of the week at which they are, each stretch from its begin to its end: `0` is Monday 00:00, and the
    /// end of a stretch may lie in the next week.
    pub fn of_week(&self) -> impl Iterator<Item = (i32, i32)> {
        let length = if self.from < self.to { self.to - self.from } else { self.to + DAY - self.from };
        self.days.iter().map(move |day| {
            let begin = i32::from(*day) * DAY + self.from;
            (begin, begin + length)
        })
    }

    /// When they begin and end on a day, if they begin on it.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let begins = self.days.contains(&date.weekday().to_monday_zero_offset());
        let end = if self.from < self.to { self.to } else { self.to + DAY };
        begins.then(|| (moment(clock(date, self.from), zone), moment(clock(date, end), zone)))
    }

    /// The stretches that begin on the days from the one before `at` to the same day of the next week.
    fn around<'a>(
        &'a self,
        at: Timestamp,
        zone: &'a TimeZone,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
        let today = at.to_zoned(zone.clone()).date();
        (-1..=8_i64).filter_map(move |days| self.on(today.checked_add(days.days()).ok()?, zone))
    }

    /// Whether they hold `at`.
    pub fn hold(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.around(at, zone).any(|(from, to)| from <= at && at < to)
    }

    /// The next begin or end after `at`.
    pub fn change_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let ends = self.around(at, zone).flat_map(|(from, to)| [from, to]);
        ends.filter(|moment| *moment > at).min()
    }
}

/// A time of a day in minutes after its midnight; 24:00 is the next midnight.
fn clock(date: Date, minutes: i32) -> DateTime {
    let midnight = date.to_datetime(Time::midnight());
    midnight.checked_add(i64::from(minutes).minutes()).unwrap_or(DateTime::MAX)
}

impl Layer {
    /// The number of the turn at a moment, from 0. `None` before the first.
    pub fn turn_at(&self, at: Timestamp, zone: &TimeZone) -> Option<i64> {
        let Some(from) = self.from else { return Some(0) };
        if at < moment(from, zone) {
            return None;
        }
        let Some(every) = self.every_minutes() else { return Some(0) };
        let local = at.to_zoned(zone.clone()).datetime();
        let minutes = local.since((jiff::Unit::Minute, from)).map_or(0, |span: Span| span.get_minutes());
        // Close: where the clock is moved, what the wall shows and what begins may differ by one turn.
        let near = minutes.div_euclid(every);
        let begun = (near - 1..=near + 1)
            .rev()
            .find(|turn| self.begin_of(*turn, zone).is_some_and(|begin| begin <= at));
        begun.map(|turn| turn.max(0))
    }

    /// When a turn begins.
    fn begin_of(&self, turn: i64, zone: &TimeZone) -> Option<Timestamp> {
        let minutes = turn.checked_mul(self.every_minutes()?)?.minutes();
        Some(moment(self.from?.checked_add(minutes).ok()?, zone))
    }

    fn every_minutes(&self) -> Option<i64> {
        self.every.as_ref().map(|every| every.value.0 / 60_000).filter(|every| *every > 0)
    }

    /// The next moment after `at` at which its turn, or whether it holds, may be another.
    pub fn change_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let turn = match self.turn_at(at, zone) {
            None => self.from.map(|from| moment(from, zone)),
            Some(turn) => self.begin_of(turn + 1, zone),
        };
        turn.into_iter().chain(self.hours.change_after(at, zone)).filter(|moment| *moment > at).min()
    }
}
