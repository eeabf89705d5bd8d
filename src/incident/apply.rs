//! What an event makes of an incident. Never fails and decides nothing: an event that does not fit changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::{Event, Stamped};
use super::model::{
    Call, Cause, Delivery, Draft, End, Incident, IncidentId, Notice, Obligation, Opened, Owed, Published,
    RunSeen, Status, Update,
};

impl Incident {
    /// An incident right after `IncidentOpened`, which is its first event.
    pub fn new(id: IncidentId, opened: Opened, at: Timestamp) -> Self {
        let mut runs = BTreeMap::new();
        if let Cause::Run { run, trouble } = &opened.cause {
            runs.insert(*run, RunSeen { troubles: vec![trouble.clone()], ..RunSeen::default() });
        }
        let reports = match &opened.cause {
            Cause::Reports { reports } => reports.clone(),
            _ => Vec::new(),
        };
        Self {
            id,
            version: 1,
            since: at,
            severity: opened.severity,
            status: Status::Investigating,
            runs,
            parts: BTreeMap::new(),
            obligations: Vec::new(),
            notices: Vec::new(),
            updates: Vec::new(),
            reports,
            draft: None,
            published: Vec::new(),
            all_clear_waived: false,
            resolved: None,
            acknowledged: None,
            known_by: BTreeMap::new(),
            touched: at,
            path_takes: None,
            opened,
        }
    }
}

/// Takes an event that follows.
pub fn apply(incident: &mut Incident, stamped: &Stamped) {
    incident.version += 1;
    match &stamped.event {
        // It is the first event, and made the incident.
        Event::IncidentOpened(_) => {}
        Event::IncidentRun { run, trouble } => {
            incident.runs.entry(*run).or_default().troubles.push(trouble.clone());
        }
        Event::IncidentReported { report } => incident.reports.push(report.clone()),
        Event::IncidentRunEnded { run, outcome } => {
            incident.runs.entry(*run).or_default().ended = Some(*outcome);
        }
        Event::IncidentRunReleased { run } => incident.runs.entry(*run).or_default().released = true,
        Event::IncidentPathTakes => incident.path_takes = Some(stamped.at),
        Event::ObligationBegan { .. }
        | Event::ObligationReminded { .. }
        | Event::ObligationLate { .. }
        | Event::ObligationEnded { .. }
        | Event::CallStep { .. }
        | Event::CallWidened { .. } => owed(incident, stamped),
        Event::NoticeQueued { .. }
        | Event::NoticeSending { .. }
        | Event::NoticeAccepted { .. }
        | Event::NoticeDelayed { .. }
        | Event::NoticeFailed { .. }
        | Event::NoticeUnknown { .. }
        | Event::NoticeDropped { .. } => told(incident, stamped),
        _ => said(incident, stamped),
    }
}

/// What people said, and where it brought the incident.
fn said(incident: &mut Incident, stamped: &Stamped) {
    let at = stamped.at;
    if stamped.by.is_some() {
        incident.touched = at;
    }
    match &stamped.event {
        Event::IncidentSeverity { severity, .. } => incident.severity = *severity,
        Event::IncidentStatus { status } => {
            incident.status = *status;
            if *status < Status::Monitoring {
                incident.all_clear_waived = false;
            }
            if *status == Status::Resolved {
                incident.resolved = Some(at);
            }
        }
        Event::IncidentPart { part, person } => {
            incident.parts.insert(*part, person.clone());
        }
        Event::IncidentDraft { text, ready } => {
            let over = incident.can_be_cleared();
            incident.draft = Some(Draft { text: text.clone(), ready: *ready, over });
        }
        Event::IncidentUpdate { text, for_support } => {
            if let Some(by) = stamped.by.clone() {
                incident.updates.push(Update { at, by, text: text.clone(), for_support: *for_support });
            }
        }
        Event::IncidentPublished { text } => {
            let draft = incident.draft.take();
            let over = draft.is_some_and(|draft| draft.over) && incident.can_be_cleared();
            incident.all_clear_waived = false;
            if let Some(by) = stamped.by.clone() {
                incident.published.push(Published { at, by, text: text.clone(), over });
            }
        }
        Event::IncidentAcknowledged { .. } => {
            if let Some(by) = stamped.by.clone() {
                incident.acknowledged.get_or_insert_with(|| (at, by.clone()));
                incident.known_by.entry(by).or_insert(at);
            }
        }
        _ => {}
    }
}

/// Obligations, and who is called for them.
fn owed(incident: &mut Incident, stamped: &Stamped) {
    let at = stamped.at;
    match &stamped.event {
        Event::ObligationBegan { owed, who, due, holds_back } => {
            let number = following(incident.obligations.len());
            if let Some(run) = holds_back {
                incident.runs.entry(*run).or_default().waits_for.push(number);
            }
            incident.obligations.push(Obligation {
                number,
                owed: *owed,
                who: who.clone(),
                since: at,
                due: *due,
                reminded: false,
                late: None,
                end: None,
                call: None,
                holds_back: *holds_back,
            });
        }
        Event::ObligationReminded { obligation } => {
            with(&mut incident.obligations, *obligation, |it| it.reminded = true);
        }
        Event::ObligationLate { obligation } => {
            with(&mut incident.obligations, *obligation, |it| it.late = Some(at));
        }
        Event::ObligationEnded { obligation, end } => {
            if stamped.by.is_some() {
                incident.touched = at;
            }
            let cleared = incident.can_be_cleared();
            let mut public = false;
            with(&mut incident.obligations, *obligation, |it| {
                it.end = Some(end.clone());
                it.call = None;
                public = matches!(it.owed, Owed::AllClear | Owed::Published);
            });
            incident.all_clear_waived |= cleared && public && matches!(end, End::Waived(..));
        }
        Event::CallStep { obligation, step, round, people, next } => {
            let first = following(incident.notices.len());
            let nobody = people.is_empty();
            with(&mut incident.obligations, *obligation, |it| {
                let before = it.call.and_then(|call| call.nobody_since);
                // A round counts if nobody was found from its first step on.
                let nobody_since = before.unwrap_or(round.saturating_add(u32::from(*step > 0)));
                it.call = it.is_open().then_some(Call {
                    step: *step,
                    round: *round,
                    since: at,
                    next: *next,
                    // Where nobody was told nobody has further ways.
                    widened: nobody,
                    first,
                    nobody_since: nobody.then_some(nobody_since),
                });
            });
        }
        Event::CallWidened { obligation } => with(&mut incident.obligations, *obligation, |it| {
            if let Some(call) = &mut it.call {
                call.widened = true;
            }
        }),
        _ => {}
    }
}

/// Notices, and what became of them.
fn told(incident: &mut Incident, stamped: &Stamped) {
    let at = stamped.at;
    match &stamped.event {
        Event::NoticeQueued { about, audience, to, way } => {
            let number = following(incident.notices.len());
            incident.notices.push(Notice {
                number,
                about: about.clone(),
                audience: *audience,
                to: to.clone(),
                way: way.clone(),
                queued: at,
                attempts: 0,
                delivery: Delivery::Waiting(at),
                may_repeat: false,
            });
        }
        Event::NoticeSending { notice, attempt, until } => {
            with(&mut incident.notices, *notice, |it| {
                it.attempts = *attempt;
                it.delivery = Delivery::Sending(*until);
            });
        }
        Event::NoticeAccepted { notice, .. } => {
            with(&mut incident.notices, *notice, |it| it.delivery = Delivery::Accepted(at));
        }
        Event::NoticeDelayed { notice, again, .. } => {
            with(&mut incident.notices, *notice, |it| it.delivery = Delivery::Waiting(*again));
        }
        Event::NoticeFailed { notice, why } => {
            with(&mut incident.notices, *notice, |it| it.delivery = Delivery::Failed(why.clone()));
        }
        Event::NoticeUnknown { notice, again, .. } => with(&mut incident.notices, *notice, |it| {
            it.may_repeat = true;
            it.delivery = Delivery::Waiting(*again);
        }),
        Event::NoticeDropped { notice, superseded, why } => {
            with(&mut incident.notices, *notice, |it| {
                it.delivery = if *superseded { Delivery::Superseded } else { Delivery::Dropped(why.clone()) };
            });
        }
        _ => {}
    }
}

/// The number of the next one: they are counted from 1.
fn following(length: usize) -> u32 {
    u32::try_from(length + 1).unwrap_or(u32::MAX)
}

fn with<T>(all: &mut [T], number: u32, change: impl FnOnce(&mut T)) {
    if let Some(one) = (number as usize).checked_sub(1).and_then(|place| all.get_mut(place)) {
        change(one);
    }
}
