//! An incoming webhook of Slack, or of what speaks as it does. Its address is the secret. It knows no key of letters: what
//! may have come before says so in its first line.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::attempt::Attempt;
use super::{Letter, form};
use crate::incident::input::Answer;

/// Slack takes 40,000 characters in all, and escaping makes five of one.
const MAX_TEXT: usize = 7_000;

/// Posts a letter.
pub(super) async fn send(attempt: &Attempt<'_>, url: &str) -> Answer {
    match posted(attempt, url).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn posted(attempt: &Attempt<'_>, url: &str) -> Result<Answer, Answer> {
    let url = attempt.secret(url).await?;
    let json = json!({"text": text(attempt.letter)}).to_string();
    let reply = attempt.outside.http.post(attempt, url.expose(), HeaderMap::new(), json).await?;
    Ok(match (reply.status, reply.body.as_deref().map(str::trim)) {
        (200, Some("ok")) => Answer::Accepted(None),
        (200, None) => Answer::Unknown("the connection broke in the middle of its answer".to_owned()),
        // Something else than Slack answers there.
        (200, Some(said)) => {
            Answer::NotNow(format!("it answered, but not with `ok`: {}", attempt.quoted(said)), None)
        }
        _ => reply.refused(attempt),
    })
}

/// The letter, with who is meant before it.
fn text(letter: &Letter) -> String {
    let id = Some(&letter.address)
        .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let meant = id.map(|id| format!("<@{id}> ")).unwrap_or_default();
    format!("{meant}{}", escaped(&form::whole(letter, MAX_TEXT)))
}

/// The three characters that mean something to Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
