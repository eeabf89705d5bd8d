//! The log of what happens to runs and to incidents: one line an event, with its fields. Sentences of runs are those of
//! the console; those of incidents name no person, and nothing that people wrote.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::{Changed, Happened};
use crate::incident::{self, Incident};
use crate::run::{Event, Stamped};
use crate::wording::run::event_line;

/// Writes a line for each event, until nobody tells events any more.
pub async fn follow(mut events: Receiver<Happened>) {
    loop {
        match events.recv().await {
            Ok(happened) => line(&happened),
            Err(RecvError::Lagged(n)) => {
                tracing::warn!("{n} events are not in this log; the journal has all of them");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// The same for incidents.
pub async fn follow_incidents(mut events: Receiver<Changed>) {
    loop {
        match events.recv().await {
            Ok(changed) => of_incident(&changed),
            Err(RecvError::Lagged(n)) => {
                tracing::warn!("{n} events of incidents are not in this log; the journal has all of them");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn of_incident(changed: &Changed) {
    if let Some(sentence) = sentence(&changed.incident, &changed.stamped.event) {
        let incident = changed.incident.id.to_string();
        let severity = changed.incident.severity.word();
        tracing::info!(incident, severity, "{sentence}");
    }
}

/// What is said of an event of an incident, if anything is.
fn sentence(incident: &Incident, event: &incident::Event) -> Option<String> {
    let over = |number: u32| incident.notice(number).map(|notice| format!(" over {}", notice.way.path));
    let over = |number: u32| over(number).unwrap_or_default();
    Some(match event {
        incident::Event::IncidentOpened(_) if incident.is_drill() => "Opened, as a drill.".to_owned(),
        incident::Event::IncidentOpened(_) => "Opened.".to_owned(),
        incident::Event::CallStep { obligation, step, people, .. } => {
            format!("Called for obligation {obligation}, step {}; people: {}.", step + 1, people.len())
        }
        incident::Event::NoticeAccepted { notice, .. } => {
            format!("Notice {notice} was accepted{}.", over(*notice))
        }
        incident::Event::NoticeDelayed { notice, .. } => {
            format!("Notice {notice} was not taken{}; it is tried again.", over(*notice))
        }
        incident::Event::NoticeUnknown { notice, .. } => {
            format!("Nobody knows whether notice {notice} was taken{}; it is sent again.", over(*notice))
        }
        incident::Event::NoticeFailed { notice, .. } => format!("Notice {notice} failed{}.", over(*notice)),
        incident::Event::IncidentAcknowledged { how, .. } => format!("Acknowledged, by {how}."),
        _ => return None,
    })
}

fn line(happened: &Happened) {
    let (fields, sentence) = match event_line(&happened.run, &happened.stamped) {
        Some(line) => line,
        None => match before_it_starts(&happened.stamped) {
            Some(sentence) => (Vec::new(), sentence),
            None => return,
        },
    };
    let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    let run = happened.run.id.0;
    let runbook = happened.run.request.runbook.as_str();
    let step = field("step").and_then(|step| step.parse::<u32>().ok());
    let (host, lane, state, took) = (field("host"), field("for"), field("state"), field("took"));
    tracing::info!(run, runbook, step, host, lane, state, took, "{sentence}");
}

/// What the console says as the answer to a line, and not as an event.
fn before_it_starts(stamped: &Stamped) -> Option<String> {
    let by = stamped.by.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(match &stamped.event {
        Event::Requested(_) => format!("Asked for by {by}."),
        Event::NotPlanned { code, .. } => format!("There is no plan: {code}."),
        Event::Confirmed { .. } => format!("Confirmed by {by}."),
        Event::Approved { .. } => format!("Approved by {by}."),
        Event::Refused { .. } => format!("Refused by {by}."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::model::{Cause, Opened, Severity};
    use crate::incident::{Event as Of, IncidentId};
    use crate::runbook::source::name::{Person, Role};

    #[test]
    fn what_happens_to_an_incident_names_no_person_and_nothing_that_was_written() {
        let ana = Person::new("ana").unwrap();
        let opened = Opened {
            cause: Cause::Person { by: ana.clone(), why: "it hangs on pg1".to_owned() },
            severity: Severity::Sev1,
            service: None,
            title: "Order processing".to_owned(),
            components: Vec::new(),
            what: "it hangs on pg1".to_owned(),
            owner: Role::new("on-call").unwrap(),
            drill: None,
            news: None,
            follows: None,
        };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let incident = Incident::new(IncidentId(1), opened.clone(), now);
        let call = Of::CallStep { obligation: 1, step: 0, round: 0, people: vec![ana], next: now };

        let lines = [
            Of::IncidentOpened(opened),
            call,
            Of::NoticeAccepted { notice: 1, id: None },
            Of::NoticeFailed { notice: 2, why: "no such address: ana@example.org".to_owned() },
            Of::NoticeDelayed { notice: 3, why: "ana is away".to_owned(), again: now },
            Of::NoticeUnknown { notice: 4, why: "ana is away".to_owned(), again: now },
            Of::IncidentAcknowledged { roles: Vec::new(), how: "link".to_owned() },
            Of::IncidentDraft { text: "Orders cannot be placed.".to_owned(), ready: false },
        ]
        .map(|event| sentence(&incident, &event).unwrap_or_default());

        let called = "Called for obligation 1, step 1; people: 1.";
        let accepted = "Notice 1 was accepted.";
        let delayed = "Notice 3 was not taken; it is tried again.";
        let unknown = "Nobody knows whether notice 4 was taken; it is sent again.";
        let failed = "Notice 2 failed.";
        assert_eq!(
            lines,
            ["Opened.", called, accepted, failed, delayed, unknown, "Acknowledged, by link.", ""]
        );
    }
}
