//! What an event makes of an incident.

use jiff::Timestamp;

use super::event::Stamped;
use super::model::{Incident, IncidentId, Opened};

impl Incident {
    /// An incident right after `IncidentOpened`, which is its first event.
    pub fn new(_id: IncidentId, _opened: Opened, _at: Timestamp) -> Self {
        todo!()
    }
}

/// Takes an event that follows.
pub fn apply(_incident: &mut Incident, _stamped: &Stamped) {
    todo!()
}
