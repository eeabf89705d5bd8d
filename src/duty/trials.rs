//! Over which way a path is tried, whose way it is, and what goes instead of a path that fails.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::model::{Notify, WayRule};
use super::on_duty::Duty;
use super::tell::Way;
use crate::runbook::source::name::{PathName, Person, Role};

/// How a path can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A letter to this person.
    Person(Person, Way),
    /// A letter to where this role cries out at last.
    LastResort(Role, Way),
    /// Never: customers read what goes there.
    Public,
    /// Nobody has it.
    Nobody,
}

impl Target {
    /// The way of the letter, and to whom it is; none where no letter is sent.
    pub const fn letter(&self) -> Option<(&Way, Option<&Person>)> {
        match self {
            Self::Person(person, way) => Some((way, Some(person))),
            Self::LastResort(_, way) => Some((way, None)),
            Self::Public | Self::Nobody => None,
        }
    }
}

/// Whose way a path is: the place among the ways of each person, from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    /// The people who have it as their way of this number.
    pub people: Vec<(usize, Vec<Person>)>,
    /// The roles that cry out there at last.
    pub last_resort_of: Vec<Role>,
    /// The other paths of all these, best first.
    pub instead: Vec<PathName>,
}

impl Duty<'_> {
    /// How a path is tried at a moment: with a letter to somebody on duty, to anybody who has it, or to where is cried
    /// out at last.
    pub fn target(&self, path: &PathName, now: Timestamp) -> Target {
        let Ok(notify) = self.notify else { return Target::Nobody };
        if notify.public.iter().any(|rule| rule.path.as_str() == path.as_str()) {
            return Target::Public;
        }
        let way_of = |person: &Person| self.ways(person).into_iter().find(|way| way.path == *path);
        let on_duty =
            self.policy.roles.keys().filter_map(|role| self.people_on_duty(role.as_str(), now).ok());
        let on_duty: BTreeSet<Person> = on_duty.flatten().collect();
        let others = notify.people.keys().filter(|person| self.policy.people.contains_key(*person));
        let mut people = on_duty.iter().chain(others);
        if let Some((person, way)) = people.find_map(|person| Some((person.clone(), way_of(person)?))) {
            return Target::Person(person, way);
        }
        match self.last_resort_over(path.as_str()) {
            Some((role, way)) => Target::LastResort(role, way),
            None => Target::Nobody,
        }
    }

    /// The first role that cries out at last over a path, and where on it.
    pub fn last_resort_over(&self, path: &str) -> Option<(Role, Way)> {
        let notify = self.notify.ok()?;
        notify.escalations.iter().find_map(|(role, escalation)| {
            let rule = escalation.last_resort.iter().find(|rule| rule.path.as_str() == path)?;
            Some((role.clone(), self.way(notify, rule, None)?))
        })
    }
}

impl Notify {
    /// Whose way a path is.
    pub fn whose(&self, path: &PathName) -> Whose {
        let is_it = |rule: &&WayRule| rule.path.as_str() == path.as_str();
        let mut whose = Whose::default();
        let mut add = |rules: &[WayRule]| {
            for other in rules.iter().filter(|rule| !is_it(rule)) {
                let known = self.paths.get_key_value(other.path.as_str()).map(|(name, _)| name);
                whose.instead.extend(known.filter(|name| !whose.instead.contains(name)).cloned());
            }
        };
        let mut people: Vec<(usize, Vec<Person>)> = Vec::new();
        for (person, reached) in &self.people {
            let Some(place) = reached.ways.iter().position(|rule| is_it(&rule)) else { continue };
            add(&reached.ways);
            match people.iter_mut().find(|(nth, _)| *nth == place + 1) {
                Some((_, same)) => same.push(person.clone()),
                None => people.push((place + 1, vec![person.clone()])),
            }
        }
        let mut last_resort_of = Vec::new();
        for (role, escalation) in &self.escalations {
            if escalation.last_resort.iter().any(|rule| is_it(&rule)) {
                add(&escalation.last_resort);
                last_resort_of.push(role.clone());
            }
        }
        people.sort();
        Whose { people, last_resort_of, ..whose }
    }

    /// The same, where these paths are the last ways of everybody: what is known to fail is no way to be relied on.
    #[must_use]
    pub fn avoiding(mut self, fail: &BTreeSet<PathName>) -> Self {
        let is_last = |rule: &WayRule| fail.iter().any(|path| path.as_str() == rule.path.as_str());
        for reached in self.people.values_mut() {
            reached.ways.sort_by_key(is_last);
        }
        self
    }
}
