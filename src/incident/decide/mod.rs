//! What follows from what an incident hears: events, or a refusal.
//!
//! One file for each who speaks or is spoken of: people, runs, reports, what is owed, who is called, what
//! customers read, what paths answer. Each says
//! what follows at once; whatever is due besides is done afterwards, by the state alone, until nothing is due any more.

mod call;
mod course;
mod customers;
mod delivery;
mod news;
mod obligations;
mod path;
mod person;
mod rights;
mod reported;
mod run;

use jiff::Timestamp;

use self::course::Course;
use super::event::Event;
use super::input::{Input, Refusal};
use super::model::{Cause, Incident, IncidentId, Opened};
use crate::duty::Duty;
use crate::plan::model::TellPlan;

/// What follows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// To be recorded, in order.
    pub events: Vec<Event>,
    /// Why what was asked for is not done.
    pub refusal: Option<Refusal>,
}

/// The events that an incident begins with: what is owed from its first moment on, who is called, what is sent.
pub fn open(
    id: IncidentId,
    opened: &Opened,
    tell: &[TellPlan],
    now: Timestamp,
    duty: &Duty<'_>,
) -> Vec<Event> {
    let incident = Incident::new(id, opened.clone(), now);
    let (run, by) = match &opened.cause {
        Cause::Run { run, .. } => (Some(*run), None),
        Cause::Person { by, .. } => (None, Some(by.clone())),
        Cause::Watch { .. } | Cause::Reports { .. } => (None, None),
    };
    let mut course = Course::new(incident, now, by, *duty);
    course.events.push(Event::IncidentOpened(opened.clone()));
    obligations::tells(&mut course, run, tell);
    obligations::of_severity(&mut course, obligations::Begin::Missing);
    course.settle();
    course.events
}

/// Decides what follows from an input at this time, with the duties of this time.
pub fn decide(incident: &Incident, input: &Input, now: Timestamp, duty: &Duty<'_>) -> Decided {
    let by = match input {
        Input::Person { by, .. } => Some(by.clone()),
        _ => None,
    };
    let mut course = Course::new(incident.clone(), now, by, *duty);
    let refusal = match input {
        Input::Run { run, trouble, severity, tell } => {
            run::trouble(&mut course, *run, trouble, *severity, tell);
            None
        }
        Input::RunEnded { run, outcome, tell } => {
            run::ended(&mut course, *run, *outcome, tell);
            None
        }
        Input::Reported { report, at_once } => {
            reported::reported(&mut course, report, *at_once);
            None
        }
        Input::Person { by, says } => person::says(&mut course, by, says).err(),
        Input::Sends { notices } => {
            delivery::sends(&mut course, notices);
            None
        }
        Input::Sent { notice, attempt, answer } => {
            delivery::answered(&mut course, *notice, *attempt, answer);
            None
        }
        Input::PathTakes => {
            path::takes(&mut course);
            None
        }
        Input::Tick => None,
    };
    if refusal.is_none() {
        course.settle();
    }
    Decided { events: course.events, refusal }
}
