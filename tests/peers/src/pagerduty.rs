//! The Events API v2 of PagerDuty, with its traps: what is triggered after it was resolved is a new alert, and what is said
//! of an alert that is not open is dropped, and accepted all the same.

use serde_json::{Value, json};

use crate::peer::Reply;
use crate::request::Request;
use crate::strict::{self, Must, object, text};

pub(crate) const PATH: &str = "/v2/enqueue";

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is known by.
    pub dedup_key: String,
    /// As the first event said it.
    pub summary: String,
    /// `triggered`, `acknowledged` or `resolved`.
    pub status: &'static str,
    /// How many events it has.
    pub events: usize,
}

/// All alerts, and what was dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alerts {
    alerts: Vec<Alert>,
}

impl Alerts {
    pub(crate) fn all(&self) -> Vec<Alert> {
        self.alerts.clone()
    }

    fn hear(&mut self, action: &str, dedup_key: &str, summary: &str) {
        let open =
            self.alerts.iter_mut().find(|alert| alert.dedup_key == dedup_key && alert.status != "resolved");
        match (action, open) {
            ("trigger", None) => self.alerts.push(Alert {
                dedup_key: dedup_key.to_owned(),
                summary: summary.to_owned(),
                status: "triggered",
                events: 1,
            }),
            (_, Some(alert)) => {
                alert.events += 1;
                match action {
                    "acknowledge" => alert.status = "acknowledged",
                    "resolve" => alert.status = "resolved",
                    // One that is known already stays as it is.
                    _ => {}
                }
            }
            // Dropped.
            (_, None) => {}
        }
    }
}

pub(crate) fn judge(
    routing_key: &str,
    request: &Request,
    json: &Value,
    alerts: &mut Alerts,
) -> Result<Reply, (u16, String)> {
    strict::post(request, PATH)?;
    let (action, dedup_key, summary) = shape(routing_key, json).map_err(|why| (400, invalid(&why)))?;
    alerts.hear(&action, &dedup_key, &summary);
    let body = json!({"status": "success", "message": "Event processed", "dedup_key": dedup_key});
    Ok(Reply { status: 202, body: body.to_string() })
}

fn invalid(why: &str) -> String {
    json!({"status": "invalid event", "message": "Event object is invalid", "errors": [why]}).to_string()
}

/// The action, the key and the summary of an event.
fn shape(routing_key: &str, json: &Value) -> Result<(String, String, String), String> {
    let word = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    if word("routing_key") != routing_key {
        return Err("the routing key is another".to_owned());
    }
    let action = word("event_action");
    let key = |it: &Value| it.as_str().is_some_and(|it| (1..=255).contains(&it.len()));
    let mut keys =
        vec![("routing_key", Must::Be(text)), ("event_action", Must::Be(text)), ("dedup_key", Must::Be(key))];
    match action.as_str() {
        "acknowledge" | "resolve" => {}
        "trigger" => keys.extend([
            ("payload", Must::Be(Value::is_object)),
            ("client", Must::IfThere(text)),
            ("client_url", Must::IfThere(text)),
            ("links", Must::IfThere(Value::is_array)),
            ("images", Must::IfThere(Value::is_array)),
        ]),
        other => return Err(format!("`{other}` is no action")),
    }
    let event = object(json, &keys, "the event")?;
    let mut summary = String::new();
    if let Some(payload) = event.get("payload") {
        let keys = [
            (
                "summary",
                Must::Be(|it: &Value| text(it) && it.as_str().is_some_and(|it| it.chars().count() <= 1_024)),
            ),
            ("source", Must::Be(text)),
            (
                "severity",
                Must::Be(|it| ["critical", "error", "warning", "info"].iter().any(|known| it == known)),
            ),
            ("timestamp", Must::IfThere(text)),
            ("component", Must::IfThere(text)),
            ("group", Must::IfThere(text)),
            ("class", Must::IfThere(text)),
            ("custom_details", Must::IfThere(Value::is_object)),
        ];
        let payload = object(payload, &keys, "the payload")?;
        payload["summary"].as_str().unwrap_or_default().clone_into(&mut summary);
    }
    for link in event.get("links").and_then(Value::as_array).into_iter().flatten() {
        object(link, &[("href", Must::Be(text)), ("text", Must::IfThere(text))], "a link")?;
    }
    Ok((action, word("dedup_key"), summary))
}
