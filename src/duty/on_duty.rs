//! Who is on duty at a moment, until when, and who comes next.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use super::model::{Notify, Schedule};
use crate::policy::members::Seats;
use crate::policy::model::{HeldBy, Policy};
use crate::runbook::source::name::{Person, Role, ScheduleName};

/// So many changes are looked through for the end of a duty: a person alone on a schedule of daily hours has hundreds.
const CHANGES: usize = 1000;

/// Somebody stands in. The newest one that holds a moment goes before all others, and before the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Of which schedule.
    pub schedule: ScheduleName,
    /// Who stands in.
    pub person: Person,
    /// From this moment on.
    pub from: Timestamp,
    /// Until this moment.
    pub to: Timestamp,
    /// Who said so.
    pub by: Person,
    /// Why.
    pub why: String,
}

/// What is known of duties: the policy, the file, and who stands in, in the order in which it was said.
#[derive(Debug, Clone, Copy)]
pub struct Duty<'a> {
    /// Who there is, and what they are.
    pub policy: &'a Policy,
    /// Schedules and ways; or why there are none.
    pub notify: Result<&'a Notify, &'a str>,
    /// Who stands in.
    pub overrides: &'a [Override],
}

/// Who is on duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDuty {
    /// Now. Nobody in a gap.
    pub people: Vec<Person>,
    /// Why they are.
    pub why: Why,
    /// When somebody else is, or nobody. `None` if that does not change for months.
    pub until: Option<Timestamp>,
    /// Who is on duty then.
    pub next: Vec<Person>,
}

/// Why somebody is on duty, or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The policy says that they have the role, always.
    Always,
    /// They have one of its roles on Discord.
    Discord,
    /// It is their turn.
    Turn,
    /// They stand in.
    StandsIn {
        /// Who said so.
        by: Person,
        /// Why.
        why: String,
    },
    /// Nobody is needed, and why.
    Declared(String),
    /// Nobody is on duty, and nobody has said that this is meant.
    Gap,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl<'a> Duty<'a> {
    /// Who has a role at a moment. An error says why nobody can know.
    pub fn on_duty(&self, role: &str, at: Timestamp) -> Result<OnDuty, String> {
        match self.policy.roles.get(role).map(|role| &role.held_by) {
            Some(HeldBy::People(people)) => {
                let people = people.iter().filter_map(|word| Person::new(word)).collect();
                Ok(OnDuty { people, why: Why::Always, until: None, next: Vec::new() })
            }
            Some(HeldBy::Schedule { schedule, .. }) => self.on_schedule(schedule, at),
            Some(HeldBy::Discord { now, .. }) => {
                if let Some(Err(why)) = now.values().find(|seat| seat.is_err()) {
                    return Err(format!("Discord {why}"));
                }
                Ok(OnDuty {
                    people: with_seat(now).collect(),
                    why: Why::Discord,
                    until: None,
                    next: Vec::new(),
                })
            }
            Some(HeldBy::Nobody) | None => Err(format!("the policy does not say who has `{role}`")),
        }
    }

    /// The same people and no more: when that changes takes far longer to find out.
    pub fn people_on_duty(&self, role: &str, at: Timestamp) -> Result<Vec<Person>, String> {
        match self.policy.roles.get(role).map(|role| &role.held_by) {
            Some(HeldBy::Schedule { schedule, .. }) => self.who(schedule, at),
            _ => self.on_duty(role, at).map(|duty| duty.people),
        }
    }

    /// Who is on duty by a schedule at a moment.
    pub fn on_schedule(&self, name: &str, at: Timestamp) -> Result<OnDuty, String> {
        let schedule = self.schedule(name)?;
        let (people, why) = self.seat(name, schedule, at);
        let mut moment = at;
        for _ in 0..CHANGES {
            let Some(change) = self.change_after(name, schedule, moment) else { break };
            let (next, next_why) = self.seat(name, schedule, change);
            // Of hours without anybody it matters only whether they are meant.
            if next != people || (next_why == Why::Gap) != (why == Why::Gap) {
                return Ok(OnDuty { people, why, until: Some(change), next });
            }
            moment = change;
        }
        Ok(OnDuty { people, why, until: None, next: Vec::new() })
    }

    /// When nobody is on duty and nobody has said that this is meant, between two moments.
    pub fn gaps(&self, name: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Stretch>, String> {
        let schedule = self.schedule(name)?;
        let (mut gaps, mut moment): (Vec<Stretch>, _) = (Vec::new(), from);
        while moment < to {
            let end = self.change_after(name, schedule, moment).map_or(to, |change| change.min(to));
            if self.seat(name, schedule, moment).1 == Why::Gap {
                match gaps.last_mut().filter(|last| last.to == moment) {
                    Some(last) => last.to = end,
                    None => gaps.push(Stretch { from: moment, to: end }),
                }
            }
            moment = end;
        }
        Ok(gaps)
    }

    /// Who may stand in on a schedule: those who take turns on it, and those to whom a role escalates that it holds.
    /// Authority comes from the files; to stand in only moves it among those who have it there.
    pub fn may_stand_in(&self, schedule: &str) -> BTreeSet<Person> {
        let mut people = self.members(schedule);
        for role in self.roles_held_by(schedule) {
            if let Some(next) =
                self.policy.roles.get(role.as_str()).and_then(|held| held.escalates_to.as_ref())
            {
                people.extend(self.reach_of(next));
            }
        }
        people
    }

    /// Everybody who may ever have a role; of one that Discord gives, those who have it now.
    pub fn reach_of(&self, role: &str) -> BTreeSet<Person> {
        match self.policy.roles.get(role).map(|role| &role.held_by) {
            Some(HeldBy::People(people)) => people.iter().filter_map(|word| Person::new(word)).collect(),
            Some(HeldBy::Schedule { schedule, .. }) => self.members(schedule),
            Some(HeldBy::Discord { now, .. }) => with_seat(now).collect(),
            Some(HeldBy::Nobody) | None => BTreeSet::new(),
        }
    }

    /// The roles that a schedule holds.
    pub fn roles_held_by(&self, schedule: &str) -> Vec<Role> {
        let holds =
            |held: &HeldBy| matches!(held, HeldBy::Schedule { schedule: word, .. } if word.value == schedule);
        let roles = self.policy.roles.iter().filter(|(_, role)| holds(&role.held_by));
        roles.map(|(role, _)| role.clone()).collect()
    }

    /// The schedule of this name, or why it cannot be asked.
    pub fn schedule(&self, name: &str) -> Result<&'a Schedule, String> {
        let notify = self.notify.map_err(str::to_owned)?;
        notify.schedules.get(name).ok_or_else(|| format!("notify.yaml has no schedule `{name}`"))
    }

    /// The policy of a moment: roles that a schedule holds have those who are on duty then.
    pub fn policy_at(&self, at: Timestamp) -> Policy {
        let mut policy = self.policy.clone();
        for role in policy.roles.values_mut() {
            if let HeldBy::Schedule { schedule, now } = &mut role.held_by {
                *now = self.who(schedule, at);
            }
        }
        policy
    }

    /// Whether the policy is that of this moment already.
    pub fn is_policy_of(&self, at: Timestamp) -> bool {
        self.policy.roles.values().all(|role| match &role.held_by {
            HeldBy::Schedule { schedule, now } => *now == self.who(schedule, at),
            _ => true,
        })
    }

    /// Those who are on duty by a schedule at a moment, and no more.
    pub fn who(&self, schedule: &str, at: Timestamp) -> Result<Vec<Person>, String> {
        Ok(self.seat(schedule, self.schedule(schedule)?, at).0)
    }

    /// Those who take turns on a schedule.
    fn members(&self, schedule: &str) -> BTreeSet<Person> {
        let layers = self.schedule(schedule).map(|schedule| schedule.layers.as_slice()).unwrap_or_default();
        layers.iter().flat_map(|layer| &layer.people).filter_map(|word| Person::new(word)).collect()
    }

    /// Who stands in at a moment. Somebody whom the files do not trust with it any more does not.
    fn who_stands_in(&self, name: &str, at: Timestamp) -> Option<&'a Override> {
        let holds = |it: &&Override| it.schedule.as_str() == name && it.from <= at && at < it.to;
        let mut all = self.overrides.iter().rev().filter(holds).peekable();
        all.peek()?;
        let trusted = self.may_stand_in(name);
        all.find(|it| trusted.contains(&it.person))
    }

    /// Who is on duty, and why.
    fn seat(&self, name: &str, schedule: &Schedule, at: Timestamp) -> (Vec<Person>, Why) {
        if let Some(it) = self.who_stands_in(name, at) {
            return (vec![it.person.clone()], Why::StandsIn { by: it.by.clone(), why: it.why.clone() });
        }
        let zone = &schedule.time_zone;
        if let Some(gap) = schedule.gaps.iter().find(|gap| gap.hours.hold(at, zone)) {
            return (Vec::new(), Why::Declared(gap.why.clone()));
        }
        for layer in schedule.layers.iter().rev() {
            let Some(turn) = layer.turn_at(at, zone).filter(|_| layer.hours.hold(at, zone)) else { continue };
            let number = i64::try_from(layer.people.len()).unwrap_or(1).max(1);
            let person = usize::try_from(turn.rem_euclid(number)).ok().and_then(|nth| layer.people.get(nth));
            if let Some(person) = person.and_then(|word| Person::new(word)) {
                return (vec![person], Why::Turn);
            }
        }
        (Vec::new(), Why::Gap)
    }

    /// The next moment after `at` at which somebody else may be on duty.
    fn change_after(&self, name: &str, schedule: &Schedule, at: Timestamp) -> Option<Timestamp> {
        let zone = &schedule.time_zone;
        let layers = schedule.layers.iter().filter_map(|layer| layer.change_after(at, zone));
        let gaps = schedule.gaps.iter().filter_map(|gap| gap.hours.change_after(at, zone));
        let ours = self.overrides.iter().filter(|it| it.schedule.as_str() == name);
        let overrides = ours.flat_map(|it| [it.from, it.to]).filter(|moment| *moment > at);
        layers.chain(gaps).chain(overrides).min()
    }
}

/// Those who certainly have a role that Discord gives.
fn with_seat(seats: &Seats) -> impl Iterator<Item = Person> {
    seats.iter().filter(|(_, seat)| **seat == Ok(true)).map(|(person, _)| person.clone())
}

/// Fourteen days of wall-clock time: how far gaps are looked for.
pub fn two_weeks_after(at: Timestamp) -> Timestamp {
    at.checked_add((14 * 24).hours()).unwrap_or(Timestamp::MAX)
}
