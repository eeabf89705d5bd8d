//! What is late, for whoever vouches outside that people are told: asked of the state, and never of a timer.

use jiff::{Timestamp, ToSpan as _};

use super::Incidents;
use crate::engine::lock;
use crate::incident::Incident;
use crate::incident::model::{About, Delivery, Notice, Obligation, Owed};
use crate::incident::next::heads;

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
            found.extend(late_duties(incident, late));
            found.extend(late_sends(incident, late));
            found.extend(reaches_nobody(incident, late));
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
        // What cannot be read belongs to a run or an incident that is parked, and is said of those.
        match self.engine.view().readable_after(self.heard()) {
            Ok((entries, _)) => {
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

/// What was not done in time, and nobody was called for it.
fn late_duties(incident: &Incident, late: Timestamp) -> impl Iterator<Item = String> {
    let owed = incident.obligations.iter().filter(|owed| owed.is_open() && owed.late.is_none());
    owed.filter(move |owed| owed.due < late).map(|owed| {
        format!("{} should have heard at {} that obligation {} is late.", incident.id, owed.due, owed.number)
    })
}

fn late_sends(incident: &Incident, late: Timestamp) -> impl Iterator<Item = String> {
    let heads: Vec<u32> = heads(incident).map(|notice| notice.number).collect();
    incident.notices.iter().filter_map(move |notice| {
        let (Delivery::Waiting(at) | Delivery::Sending(at)) = notice.delivery else { return None };
        let since = if is_missed(incident, notice) {
            // A page that is tried again and again has no late moment of its own, and reaches nobody all the same.
            at.min(notice.queued)
        } else if heads.binary_search(&notice.number).is_ok() {
            at
        } else {
            // It waits for the one before it, which is looked at.
            return None;
        };
        (since < late).then(|| {
            format!(
                "Notice {} of {} over {} is late since {since}.",
                notice.number, incident.id, notice.way.path
            )
        })
    })
}

/// Whether it is a page that is still needed, and nothing else of the same was taken by a path.
fn is_missed(incident: &Incident, notice: &Notice) -> bool {
    let is_needed = match &notice.about {
        About::Call(number) | About::Late(number) => incident.obligation(*number).is_some_and(calls_people),
        About::Alarm(_) => incident.obligations.iter().any(calls_people),
        _ => false,
    };
    is_needed && !incident.notices.iter().any(|other| is_taken(other) && is_same_page(other, notice))
}

/// Whether people are called for it while it is owed. A postmortem calls nobody.
fn calls_people(owed: &Obligation) -> bool {
    owed.is_open() && owed.owed != Owed::Postmortem
}

fn is_same_page(one: &Notice, other: &Notice) -> bool {
    match (&one.about, &other.about) {
        (About::Call(one) | About::Late(one), About::Call(other) | About::Late(other)) => one == other,
        (one, other) => one == other,
    }
}

const fn is_taken(notice: &Notice) -> bool {
    matches!(notice.delivery, Delivery::Accepted(_))
}

/// Calls that go on, and of which no path took anything.
fn reaches_nobody(incident: &Incident, late: Timestamp) -> impl Iterator<Item = String> {
    let calls = incident.obligations.iter().filter(|owed| owed.call.is_some() && calls_people(owed));
    calls.filter_map(move |owed| {
        let is_of_it =
            |notice: &&Notice| matches!(notice.about, About::Call(it) | About::Late(it) if it == owed.number);
        let pages = || incident.notices.iter().filter(is_of_it);
        let began = pages().map(|notice| notice.queued).min().unwrap_or(owed.late.unwrap_or(owed.since));
        (began < late && !pages().any(is_taken)).then(|| {
            format!("{} calls for obligation {} since {began}, and reached nobody.", incident.id, owed.number)
        })
    })
}
