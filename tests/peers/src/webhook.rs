//! An address that takes messages after Standard Webhooks. Every key must have signed, and every key of ours is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::peer::Reply;
use crate::request::Request;
use crate::strict::{self, Must, object, text};

pub(crate) fn keys(secrets: &str) -> Vec<Vec<u8>> {
    let key = |secret: &str| {
        let base64 = secret.strip_prefix("whsec_").expect("a secret begins with whsec_");
        STANDARD.decode(base64).expect("a secret is base64")
    };
    secrets.split(' ').map(key).collect()
}

pub(crate) fn judge(keys: &[Vec<u8>], request: &Request, json: &Value) -> Result<Reply, (u16, String)> {
    strict::post(request, "/siren")?;
    let header = |name| request.header(name).ok_or_else(|| (400, format!("there is no `{name}`")));
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    if id.is_empty() || id.contains('.') || id.len() > 64 {
        return Err((400, format!("{id:?} is no id")));
    }
    if timestamp.parse::<u64>().is_err() {
        return Err((400, format!("{timestamp:?} is no time in seconds")));
    }
    let came: Vec<_> = header("webhook-signature")?.split(' ').collect();
    let owed: Vec<_> = keys.iter().map(|key| signature(key, id, timestamp, &request.body)).collect();
    if came != owed {
        return Err((401, format!("signed with {came:?} instead of {owed:?}")));
    }
    shape(json).map_err(|why| (400, why))?;
    Ok(Reply { status: 204, body: String::new() })
}

fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn shape(json: &Value) -> Result<(), String> {
    let kinds = |kind: &Value| {
        ["incident.page", "incident.news", "incident.acknowledged", "incident.resolved"]
            .iter()
            .any(|it| kind == it)
    };
    let keys = [
        ("type", Must::Be(kinds)),
        ("incident", Must::Be(|it| it.as_str().is_some_and(|it| it.starts_with("inc-")))),
        ("severity", Must::Be(|it| ["sev1", "sev2", "sev3", "planned"].iter().any(|known| it == known))),
        ("title", Must::Be(text)),
        ("text", Must::Be(Value::is_string)),
        ("drill", Must::Be(Value::is_boolean)),
        ("repeat", Must::Be(Value::is_boolean)),
        ("to", Must::Be(|it| it.is_null() || text(it))),
        ("address", Must::Be(Value::is_string)),
        ("answers", Must::Be(Value::is_array)),
    ];
    let message = object(json, &keys, "the message")?;
    if message["drill"] == true && !message["title"].as_str().unwrap_or_default().starts_with("[DRILL] ") {
        return Err(format!("a drill must say so before everything: {}", message["title"]));
    }
    for answer in message["answers"].as_array().into_iter().flatten() {
        object(answer, &[("label", Must::Be(text)), ("url", Must::Be(text))], "an answer")?;
    }
    Ok(())
}
