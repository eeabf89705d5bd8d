//! What is late, for whoever vouches outside that people are told: asked of the state, and never of a timer.

use jiff::{Timestamp, ToSpan as _};

use super::Incidents;
use crate::engine::lock;
use crate::incident::Incident;
use crate::incident::model::Delivery;

/// So late may be whatever is done by the clock.
const LATE_AFTER_MINUTES: i64 = 5;
/// What happens to a run is heard within this time.
const HEARD_WITHIN_MINUTES: i64 = 1;

impl Incidents {
    /// What should have been done by now and was not, as sentences. Empty: everybody who must be told is being told.
    pub fn audit(&self, now: Timestamp) -> Vec<String> {
        let room = self.room();
        let late = now.checked_sub(LATE_AFTER_MINUTES.minutes()).unwrap_or(Timestamp::MIN);
        let mut found = Vec::new();
        if room.mailbox.is_closed() {
            found.push("The keeper of incidents has ended: nobody is told of anything.".to_owned());
        }
        for (id, why) in lock(&room.parked).iter() {
            found.push(format!("{id} stands still: {why}."));
        }
        let open: Vec<_> = lock(&room.open).values().cloned().collect();
        for incident in &open {
            found.extend(late_calls(incident, late));
            found.extend(late_sends(incident, late));
        }
        let waits = open.iter().flat_map(|it| &it.notices).any(|notice| notice.delivery.is_open());
        if waits && room.carriers.borrow().is_none() {
            found.push("Notices wait, and nothing carries them.".to_owned());
        }
        found.extend(self.behind(now));
        found
    }

    /// What was written and is not heard.
    fn behind(&self, now: Timestamp) -> Option<String> {
        let by = now.checked_sub(HEARD_WITHIN_MINUTES.minutes()).unwrap_or(Timestamp::MIN);
        match self.engine.view().entries_after(self.heard()) {
            Ok(entries) => {
                let first = entries.first().filter(|entry| entry.time < by)?;
                Some(format!(
                    "Entry {} and {} more of the journal are not heard yet.",
                    first.seq,
                    entries.len() - 1
                ))
            }
            Err(error) => Some(format!("Whether everything was heard is not known: {error}.")),
        }
    }
}

fn late_calls(incident: &Incident, late: Timestamp) -> impl Iterator<Item = String> {
    let calls = incident.obligations.iter().filter(|owed| owed.is_open());
    let calls = calls.filter_map(|owed| Some((owed, owed.call?)));
    calls.filter(move |(_, call)| call.next < late).map(|(owed, call)| {
        format!("{} should have gone on with obligation {} at {}.", incident.id, owed.number, call.next)
    })
}

fn late_sends(incident: &Incident, late: Timestamp) -> impl Iterator<Item = String> {
    incident.notices.iter().filter_map(move |notice| {
        let (Delivery::Waiting(at) | Delivery::Sending(at)) = notice.delivery else { return None };
        (at < late).then(|| {
            format!(
                "Notice {} of {} over {} is late since {at}.",
                notice.number, incident.id, notice.way.path
            )
        })
    })
}
