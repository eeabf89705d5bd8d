//! What follows from what an incident hears: events, or a refusal.

use jiff::Timestamp;

use super::event::Event;
use super::input::{Input, Refusal};
use super::model::{Incident, IncidentId, Opened};
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
    _id: IncidentId,
    _opened: &Opened,
    _tell: &[TellPlan],
    _now: Timestamp,
    _duty: &Duty<'_>,
) -> Vec<Event> {
    todo!()
}

/// Decides what follows from an input at this time, with the duties of this time.
pub fn decide(_incident: &Incident, _input: &Input, _now: Timestamp, _duty: &Duty<'_>) -> Decided {
    todo!()
}
