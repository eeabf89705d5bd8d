//! Whether somebody may stand in, and from when until when.

use std::collections::BTreeSet;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::hours::moment;
use super::on_duty::{Duty, Override};
use crate::runbook::grammar::fit::date_time;
use crate::runbook::source::literal::{Literal, Millis, read_literal};
use crate::runbook::source::name::{Person, ScheduleName};

/// A reason has at least so many characters.
pub const MIN_REASON: usize = 10;

/// Nobody stands in for longer: that is a change of the file.
const LONGEST: Millis = Millis(92 * 24 * 3_600_000);

/// What somebody asks for, as they typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The schedule.
    pub schedule: String,
    /// Who shall stand in.
    pub person: String,
    /// From when on; from now on, if they do not say.
    pub from: Option<String>,
    /// Until when.
    pub to: String,
    /// Why.
    pub why: String,
}

/// Why nobody stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoStandIn {
    /// Schedules cannot be asked, and why.
    NotKnown(String),
    /// There is no such schedule; these there are.
    UnknownSchedule(String, Vec<String>),
    /// No role is held by this schedule, so nobody may say who stands in.
    NoRole(ScheduleName),
    /// The files do not trust this person with it; these they do.
    NotTrusted(String, BTreeSet<Person>),
    /// That is no time.
    NoTime(String),
    /// It ends before it begins, or has ended.
    Over,
    /// It is longer than anybody stands in.
    TooLong,
    /// The reason says too little.
    TooShort,
}

impl NoStandIn {
    /// The stable code that stands beside the sentence.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotKnown(_) => "no-schedules",
            Self::UnknownSchedule(..) => "unknown-schedule",
            Self::NoRole(_) => "no-role-of-schedule",
            Self::NotTrusted(..) => "not-of-schedule",
            Self::NoTime(_) => "no-time",
            Self::Over => "time-over",
            Self::TooLong => "time-too-long",
            Self::TooShort => "too-short",
        }
    }
}

impl Duty<'_> {
    /// The roles of which one is needed to say who stands in on a schedule: those that it holds, and those to which
    /// they escalate.
    pub fn who_may_say(&self, schedule: &str) -> Result<Vec<String>, NoStandIn> {
        let known = self.notify.map_err(|why| NoStandIn::NotKnown(why.to_owned()))?;
        let Some((name, _)) = known.schedules.get_key_value(schedule) else {
            let all = known.schedules.keys().map(ToString::to_string).collect();
            return Err(NoStandIn::UnknownSchedule(schedule.to_owned(), all));
        };
        let held = self.roles_held_by(schedule);
        let next = held.iter().filter_map(|role| self.policy.roles.get(role)?.escalates_to.as_ref());
        let next: Vec<String> = next.map(|word| word.value.clone()).collect();
        let mut roles: Vec<String> = held.iter().map(ToString::to_string).collect();
        roles.extend(next.into_iter().filter(|role| !roles.contains(role)).collect::<BTreeSet<_>>());
        if roles.is_empty() { Err(NoStandIn::NoRole(name.clone())) } else { Ok(roles) }
    }

    /// What is recorded, if somebody who may say so asks for this.
    pub fn stand_in(&self, by: &Person, asked: &StandIn, now: Timestamp) -> Result<Override, NoStandIn> {
        let schedule = self.schedule(&asked.schedule).map_err(NoStandIn::NotKnown)?;
        let trusted = self.may_stand_in(&asked.schedule);
        let not_trusted = || NoStandIn::NotTrusted(asked.person.clone(), trusted.clone());
        let person = Person::new(&asked.person).filter(|it| trusted.contains(it)).ok_or_else(not_trusted)?;
        let zone = &schedule.time_zone;
        let time = |text: &str, after| {
            read_moment(text, after, zone).ok_or_else(|| NoStandIn::NoTime(text.to_owned()))
        };
        // What is over cannot be changed any more: it begins now at the earliest.
        let from = asked.from.as_deref().map_or(Ok(now), |from| time(from, now))?.max(now);
        let to = time(&asked.to, from)?;
        if to <= from {
            return Err(NoStandIn::Over);
        }
        if to.duration_since(from).as_millis() > i128::from(LONGEST.0) {
            return Err(NoStandIn::TooLong);
        }
        if asked.why.trim().chars().count() < MIN_REASON {
            return Err(NoStandIn::TooShort);
        }
        let Some(schedule) = ScheduleName::new(&asked.schedule) else {
            return Err(NoStandIn::UnknownSchedule(asked.schedule.clone(), Vec::new()));
        };
        Ok(Override { schedule, person, from, to, by: by.clone(), why: asked.why.trim().to_owned() })
    }
}

/// `now`, `8h` after a moment, `09:00` the next time that the wall shows it, or `2026-11-22 09:00`.
pub fn read_moment(text: &str, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if text == "now" {
        return Some(after);
    }
    if let Ok(Literal::Duration(millis)) = read_literal(text) {
        return after.checked_add(millis.0.milliseconds()).ok();
    }
    if let Some(shown) = date_time(text) {
        return Some(moment(shown, zone));
    }
    let (hours, minutes) = text.split_once(':').filter(|_| text.len() == 5)?;
    let clock = Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()?;
    let today = after.to_zoned(zone.clone()).date();
    let days = [0, 1].into_iter().filter_map(|days| today.checked_add(days.days()).ok());
    days.map(|day| moment(day.to_datetime(clock), zone)).find(|moment| *moment > after)
}
