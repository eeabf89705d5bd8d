//! A service of `PagerDuty`, over its Events API v2. It takes pages, and hears when somebody knows and when it is over. All
//! letters of an incident have one key there, so that an alert that is open is never opened twice.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::attempt::Attempt;
use super::{Kind, form};
use crate::incident::input::Answer;
use crate::incident::model::Severity;

/// Where events go.
const EVENTS: &str = "https://events.pagerduty.com/v2/enqueue";
/// As long as a summary may be.
const MAX_SUMMARY: usize = 1_024;
/// An event has at most 512 KB; a character has at most 6 bytes in JSON.
const MAX_TEXT: usize = 64 * 1_024;

/// Sends a letter as an event.
pub(super) async fn send(attempt: &Attempt<'_>, routing_key: &str, url: Option<&str>) -> Answer {
    match sent(attempt, routing_key, url).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn sent(attempt: &Attempt<'_>, routing_key: &str, url: Option<&str>) -> Result<Answer, Answer> {
    let Some(mut event) = event(attempt) else {
        // An event of any severity rings or opens an alert: news would do what it must not.
        return Err(Answer::Never("PagerDuty takes pages only, no news".to_owned()));
    };
    let routing_key = attempt.secret(routing_key).await?;
    event["routing_key"] = json!(routing_key.expose());
    let url = url.unwrap_or(EVENTS);
    let reply = attempt.outside.http.post(attempt, url, HeaderMap::new(), event.to_string()).await?;
    Ok(match reply.status {
        202 => Answer::Accepted(event["dedup_key"].as_str().map(str::to_owned)),
        _ => reply.refused(attempt),
    })
}

/// The event of a letter, without the routing key; none for news and reminders.
fn event(attempt: &Attempt<'_>) -> Option<Value> {
    let letter = attempt.letter;
    let dedup_key = format!("steadyhand-{}-{}", attempt.outside.origin, letter.incident);
    let action = match letter.kind {
        Kind::News | Kind::Reminder { .. } => return None,
        Kind::Page => "trigger",
        Kind::Acknowledged => "acknowledge",
        Kind::Resolved => "resolve",
    };
    let mut event = json!({"event_action": action, "dedup_key": dedup_key});
    if letter.kind == Kind::Page {
        let severity = match letter.severity {
            Severity::Sev1 => "critical",
            Severity::Sev2 => "error",
            Severity::Sev3 => "warning",
            Severity::Planned => "info",
        };
        event["client"] = json!("steadyhand");
        event["payload"] = json!({
            "summary": form::cut(&form::title(letter), MAX_SUMMARY),
            "source": "steadyhand",
            "severity": severity,
            "custom_details": {
                "incident": letter.incident.to_string(),
                "text": form::cut(&letter.words.text, MAX_TEXT),
                "to": letter.to,
                "drill": letter.drill,
            },
        });
        let link = |(label, url): &(String, String)| json!({"href": url, "text": label});
        event["links"] = letter.answers.iter().map(link).collect();
    }
    Some(event)
}
