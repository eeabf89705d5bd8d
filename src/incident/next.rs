//! What is sent now, and when to look again. Questions put to the state: after a crash a replay gives the same answers.

use jiff::Timestamp;

use super::model::Incident;

/// The notices that may be sent now, first ones first. Of each path and address only one at a time, in the order in which
/// they were queued: nothing overtakes.
pub fn next(_incident: &Incident, _now: Timestamp) -> Vec<u32> {
    todo!()
}

/// When something is due next: an escalation, an obligation, another attempt, the end of an attempt of which nobody hears.
pub fn deadline(_incident: &Incident) -> Option<Timestamp> {
    todo!()
}
