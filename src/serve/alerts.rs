//! `POST /alerts`: the door for Alertmanager. It stands open only where `notify.yaml` names its token.
//!
//! What we answer decides what Alertmanager does: after 200 it is silent, so that nothing is answered so before it is
//! durable; 503 it tries again within seconds, and 4xx only with the next group.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::Mutex;

use super::metrics::Post;
use super::{Service, alertmanager};
use crate::engine::Engine;
use crate::secrets::{Secret, Secrets};

/// A post is no larger.
pub const MAX_BYTES: usize = 1024 * 1024;
/// A token that was read is good for so long: who reads it may have to start a program.
const KNOWN_FOR: Duration = Duration::from_mins(1);
/// One that does not fit, or could not be read, is not read again before: nobody makes us read it as often as they like.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Checks who posts alerts.
pub struct Alerts {
    secrets: Arc<Secrets>,
    known: Mutex<Known>,
}

/// What is known of the token.
#[derive(Default)]
struct Known {
    /// As it was read last, and when.
    read: Option<(Secret, Timestamp)>,
    /// Which could not be read last, and when that was.
    unread: Option<(String, Timestamp)>,
}

/// The token cannot be read. Why stands in the log alone: whoever is told has shown no token.
struct Unread;

/// Why a post is not taken: what is answered and counted.
struct NotTaken(StatusCode, Post, String);

impl Alerts {
    /// The token is one of these secrets.
    pub fn new(secrets: Arc<Secrets>) -> Self {
        Self { secrets, known: Mutex::default() }
    }

    /// Whether a post shows the token of this name.
    async fn is_token(&self, name: &str, shown: &str, now: Timestamp) -> Result<bool, Unread> {
        let mut known = self.known.lock().await;
        let age = |at: Timestamp| now.duration_since(at).unsigned_abs();
        if let Some((secret, read)) = known.read.as_ref().filter(|(secret, _)| secret.name() == name) {
            let fits = is_same(secret.expose(), shown);
            if age(*read) < if fits { KNOWN_FOR } else { READ_AGAIN_AFTER } {
                return Ok(fits);
            }
        }
        if known.unread.as_ref().is_some_and(|(of, at)| of == name && age(*at) < READ_AGAIN_AFTER) {
            return Err(Unread);
        }
        match self.secrets.resolve(&[name.to_owned()]).await {
            Ok(read) => {
                known.unread = None;
                let Some(secret) = read.into_iter().next() else { return Ok(false) };
                let fits = is_same(secret.expose(), shown);
                known.read = Some((secret, now));
                Ok(fits)
            }
            Err(why) => {
                tracing::error!("no alert is taken: {why}");
                known.unread = Some((name.to_owned(), now));
                Err(Unread)
            }
        }
    }

    async fn taken(
        &self,
        engine: &Engine,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(usize, usize), NotTaken> {
        let unavailable = |why: String| NotTaken(StatusCode::SERVICE_UNAVAILABLE, Post::Unavailable, why);
        // Whoever has not shown the token yet is not told what is wrong: health and `steadyhand check` say it.
        let no_files = || unavailable("notify.yaml cannot be used. Next: steadyhand check".to_owned());
        let files = engine.incidents().files_in_use().map_err(|_| no_files())?;
        let notify = files.set.notify.as_ref().map_err(|_| no_files());
        let Some(name) = notify?.reports.alerts.as_ref() else {
            let why = "no alert is taken here: notify.yaml names no token under `reports`".to_owned();
            return Err(NotTaken(StatusCode::NOT_FOUND, Post::Refused, why));
        };
        // Before anything of the body is read.
        let now = engine.clock().now();
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let fits = match shown {
            "" => false,
            shown => self.is_token(&name.value, shown, now).await.map_err(|Unread| {
                let why = "the token that posts must show cannot be read. Next: steadyhand doctor says why";
                unavailable(why.to_owned())
            })?,
        };
        if !fits {
            let why = "it does not show the token that notify.yaml names under `reports`".to_owned();
            return Err(NotTaken(StatusCode::UNAUTHORIZED, Post::Refused, why));
        }
        let too_large = || {
            let why = format!("it has more than {MAX_BYTES} bytes; set max_alerts, or group by more labels");
            NotTaken(StatusCode::PAYLOAD_TOO_LARGE, Post::Malformed, why)
        };
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > MAX_BYTES) {
            return Err(too_large());
        }
        let body = to_bytes(body, MAX_BYTES).await.map_err(|_| too_large())?;
        let post = alertmanager::read(&body, &files.set.inventory, now)
            .map_err(|why| NotTaken(StatusCode::BAD_REQUEST, Post::Malformed, why))?;
        if post.left_out > 0 {
            let left_out = post.left_out;
            tracing::warn!(
                "Alertmanager left {left_out} alerts out of a post, and they are not known here. Next: a larger \
                 max_alerts, or group by more labels"
            );
        }
        let all = post.alerts.len();
        let new = engine.incidents().alerts(post.alerts).await;
        new.map(|new| (all, new)).map_err(|error| {
            tracing::warn!("alerts could not be recorded: {error}");
            unavailable(error.to_string())
        })
    }
}

/// Compares in constant time: of texts of the same length, whatever they are.
fn is_same(one: &str, other: &str) -> bool {
    let mac = |text: &str| Hmac::<Sha256>::new_from_slice(b"alerts").map(|mac| mac.chain_update(text));
    match (mac(one), mac(other)) {
        (Ok(one), Ok(other)) => one.verify(&other.finalize().into_bytes()).is_ok(),
        _ => false,
    }
}

/// `POST /alerts`: alerts that began, go on, or are over.
pub(super) async fn take(State(service): State<Service>, headers: HeaderMap, body: Body) -> Response {
    let taken = if let Some((alerts, engine)) = service.alerts() {
        alerts.taken(engine, &headers, body).await
    } else {
        let why = "the bot is starting or ending".to_owned();
        Err(NotTaken(StatusCode::SERVICE_UNAVAILABLE, Post::Unavailable, why))
    };
    let (status, post, says) = match taken {
        Ok((all, new)) => (StatusCode::OK, Post::Taken, json!({ "alerts": all, "new": new })),
        Err(NotTaken(status, post, why)) => {
            // Whoever has no token must not fill the log either: they are counted.
            if post == Post::Malformed {
                tracing::warn!(status = status.as_u16(), "a post of alerts was not taken: {why}");
            } else {
                tracing::debug!(status = status.as_u16(), "a post of alerts was not taken: {why}");
            }
            (status, post, json!({ "not_taken": why }))
        }
    };
    service.metrics.posted(post);
    super::http::answer(status, "application/json", format!("{says}\n"))
}
