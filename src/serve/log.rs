//! The log of what happens to runs: one line an event, with its fields. Sentences are those of the console.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::Happened;
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
