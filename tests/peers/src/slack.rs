//! An incoming webhook of Slack. Its answers are those of the documentation.

use serde_json::Value;

use crate::peer::Reply;
use crate::request::Request;
use crate::strict::{self, Must, object, text};

pub(crate) const PATH: &str = "/services/T00000000/B00000000/verySecretToken0123456789";
/// As long as a text may be.
const MAX_TEXT: usize = 40_000;

pub(crate) fn judge(request: &Request, json: &Value) -> Result<Reply, (u16, String)> {
    strict::post(request, PATH).map_err(|(status, why)| match status {
        404 => (404, format!("no_service: {why}")),
        _ => (400, format!("invalid_payload: {why}")),
    })?;
    let said = object(json, &[("text", Must::Be(text))], "the message")
        .map_err(|why| (400, format!("invalid_payload: {why}")))?;
    let text = said["text"].as_str().unwrap_or_default();
    if text.chars().count() > MAX_TEXT {
        return Err((400, "msg_too_long".to_owned()));
    }
    unescaped(text).map_err(|why| (400, format!("invalid_payload: {why}")))?;
    Ok(Reply { status: 200, body: "ok".to_owned() })
}

/// Three characters mean something, and only mentions of people may do so.
fn unescaped(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        if !["&amp;", "&lt;", "&gt;"].iter().any(|known| text[at..].starts_with(known)) {
            return Err(format!("an & that means nothing in {text:?}"));
        }
    }
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        if before.contains('>') {
            return Err(format!("a > that ends nothing in {text:?}"));
        }
        let mention = behind.split_once('>').filter(|(inside, _)| {
            inside.strip_prefix('@').is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        });
        let Some((_, after)) = mention else { return Err(format!("a < that is no mention in {text:?}")) };
        rest = after;
    }
    if rest.contains('>') { Err(format!("a > that ends nothing in {text:?}")) } else { Ok(()) }
}
