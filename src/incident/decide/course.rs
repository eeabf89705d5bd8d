//! The course that an incident takes from here: the events so far, and what they make of it.

use jiff::Timestamp;

use super::{call, customers, delivery, news, obligations, run};
use crate::duty::{Duty, Way};
use crate::incident::apply;
use crate::incident::event::{Event, Stamped};
use crate::incident::model::{
    About, Audience, Delivery, Incident, Notice, Obligation, Owed, Severity, Status,
};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role};

/// So often is looked for what is due: one thing leads to another, and never for long.
const TURNS: usize = 100;

pub(super) struct Course<'a> {
    pub(super) incident: Incident,
    pub(super) events: Vec<Event>,
    pub(super) now: Timestamp,
    by: Option<Person>,
    pub(super) duty: Duty<'a>,
}

impl<'a> Course<'a> {
    pub(super) const fn new(incident: Incident, now: Timestamp, by: Option<Person>, duty: Duty<'a>) -> Self {
        Self { incident, events: Vec::new(), now, by, duty }
    }

    /// It happens: what follows is decided with it.
    pub(super) fn say(&mut self, event: Event) {
        let stamped = Stamped { at: self.now, by: self.by.clone(), event };
        apply(&mut self.incident, &stamped);
        self.events.push(stamped.event);
    }

    /// So much later than now.
    pub(super) fn after(&self, time: Millis) -> Timestamp {
        crate::incident::next::after(self.now, time)
    }

    /// Does whatever is due, until nothing is.
    pub(super) fn settle(&mut self) {
        for _ in 0..TURNS {
            let before = self.events.len();
            delivery::time_is_over(self);
            delivery::told_otherwise(self);
            if !self.incident.is_closed() {
                call::clocks(self);
                obligations::clocks(self);
                customers::settles(self);
                call::falls_silent(self);
                run::releases(self);
                self.ends();
                news::it_is_over(self);
                self.closes();
            }
            if self.events.len() == before {
                return;
            }
        }
    }

    /// Planned work is over by itself; where customers were told of it, once they are told that it is done.
    fn ends(&mut self) {
        let incident = &self.incident;
        let over = incident.severity == Severity::Planned
            && incident.status != Status::Resolved
            && !incident.runs.is_empty()
            && incident.run_that_goes_on().is_none()
            && incident.owed().is_empty();
        if over {
            self.say(Event::IncidentStatus { status: Status::Resolved });
        }
    }

    /// What is over, owes nothing and has told everybody is closed.
    fn closes(&mut self) {
        let incident = &self.incident;
        let told = incident.notices.iter().all(|notice| !notice.delivery.is_open());
        if incident.status == Status::Resolved && incident.owed().is_empty() && told {
            self.say(Event::IncidentStatus { status: Status::Closed });
        }
    }

    /// The ways of a person, best first. That a path is red is never told over that path.
    pub(super) fn ways(&self, person: &Person) -> Vec<Way> {
        self.without_red(self.duty.ways(person))
    }

    /// Those that are not the path that the incident is about.
    pub(super) fn without_red(&self, ways: Vec<Way>) -> Vec<Way> {
        let red = self.incident.red_path();
        ways.into_iter().filter(|way| Some(&way.path) != red).collect()
    }

    /// Queues a notice.
    pub(super) fn tell(&mut self, about: About, audience: Audience, to: Option<Person>, way: Way) {
        self.say(Event::NoticeQueued { about, audience, to, way });
    }

    /// Those who are on duty now; nobody where that is not known. In a drill nobody but those who take part.
    pub(super) fn on_duty(&self, role: &Role) -> Vec<Person> {
        let people = self.duty.people_on_duty(role.as_str(), self.now).unwrap_or_default();
        people.into_iter().filter(|person| self.takes_part(person)).collect()
    }

    /// Everybody does, but in a drill.
    pub(super) fn takes_part(&self, person: &Person) -> bool {
        self.incident.opened.drill.as_ref().is_none_or(|people| people.contains(person))
    }

    /// Whether what a notice asks for is owed still.
    pub(super) fn asks_still(&self, notice: &Notice) -> bool {
        self.obligation_of(notice).is_some_and(Obligation::is_open)
    }

    /// Whether somebody was called by it, or heard an alarm.
    pub(super) fn was_alerted(&self, notice: &Notice) -> bool {
        let rings = match notice.about {
            About::Call(_) | About::Alarm(_) => true,
            About::Late(_) => self.obligation_of(notice).is_some_and(|it| it.owed != Owed::Postmortem),
            _ => false,
        };
        rings && matches!(notice.delivery, Delivery::Accepted(_))
    }

    /// What a notice is about, if something owed.
    pub(super) fn obligation_of(&self, notice: &Notice) -> Option<&Obligation> {
        self.incident.obligation(notice.about.obligation()?)
    }

    /// Whether a notice like this is on its way already.
    pub(super) fn is_open(&self, about: &About, to: Option<&Person>, way: &Way) -> bool {
        let same = |it: &&Notice| it.about == *about && it.to.as_ref() == to && same_place(&it.way, way);
        self.incident.notices.iter().filter(same).any(|it| it.delivery.is_open())
    }
}

/// The same path, and the same place on it.
pub(super) fn same_place(one: &Way, other: &Way) -> bool {
    one.path == other.path && one.address == other.address
}
