//! What its events say of the notices of an incident, beside what it knows itself: why one waits, and who answered when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::incident::model::{About, Incident, Notice, Owed};
use crate::incident::{Event, Stamped};
use crate::runbook::source::name::Person;

/// What is known of the notices of one incident from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    /// The last error of each notice, by its number.
    whys: BTreeMap<u32, String>,
    /// Who said that they know, in order.
    answers: Vec<(Timestamp, Person)>,
}

impl Post {
    /// Reads it from all events of an incident.
    pub fn of(events: &[Stamped]) -> Self {
        let mut post = Self::default();
        for stamped in events {
            match &stamped.event {
                Event::NoticeDelayed { notice, why, .. }
                | Event::NoticeFailed { notice, why }
                | Event::NoticeUnknown { notice, why, .. } => {
                    post.whys.insert(*notice, why.clone());
                }
                Event::IncidentAcknowledged { .. } => {
                    post.answers.extend(stamped.by.clone().map(|by| (stamped.at, by)));
                }
                _ => {}
            }
        }
        post
    }

    /// The last error of a notice, if it had one.
    pub fn why(&self, notice: &Notice) -> Option<&str> {
        self.whys.get(&notice.number).map(String::as_str)
    }

    /// When its reader answered a notice that asks whether they know: the first time after it was queued.
    pub fn answered(&self, incident: &Incident, notice: &Notice) -> Option<Timestamp> {
        let to = notice.to.as_ref().filter(|_| asks(incident, &notice.about))?;
        self.answers.iter().find(|(at, by)| by == to && *at >= notice.queued).map(|(at, _)| *at)
    }
}

/// Whether somebody is asked to say that they know.
fn asks(incident: &Incident, about: &About) -> bool {
    let owed = about.obligation().and_then(|number| incident.obligation(number));
    owed.is_some_and(|owed| owed.owed == Owed::Acknowledged)
}
