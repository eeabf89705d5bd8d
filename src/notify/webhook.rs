//! An address that takes signed messages, after Standard Webhooks: whoever has the secret can prove that it was us, and
//! knows a repeated message by its id.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::attempt::Attempt;
use super::link::keyed;
use super::{Kind, form};
use crate::incident::input::Answer;
use crate::secrets::Secret;

/// So many bytes a key has, by the standard.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Posts a letter.
pub(super) async fn send(attempt: &Attempt<'_>, url: &str, secret: &str) -> Answer {
    match posted(attempt, url, secret).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn posted(attempt: &Attempt<'_>, url: &str, secret: &str) -> Result<Answer, Answer> {
    let keys = keys(&attempt.secret(secret).await?)?;
    let id = &attempt.letter.key;
    let timestamp = attempt.outside.now().as_second().to_string();
    let body = body(attempt);
    let signature = signed(&keys, id, &timestamp, &body);
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)]
    {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Answer::Never(format!("`{name}` would hold what no header can hold")))?;
        headers.insert(name, value);
    }
    let reply = attempt.outside.http.post(attempt, url, headers, body).await?;
    match reply.status {
        200..=299 => Ok(Answer::Accepted(None)),
        _ => Ok(reply.refused(attempt)),
    }
}

fn body(attempt: &Attempt<'_>) -> String {
    let letter = attempt.letter;
    let kind = match letter.kind {
        Kind::Page => "incident.page",
        Kind::News | Kind::Reminder { .. } => "incident.news",
        Kind::Acknowledged => "incident.acknowledged",
        Kind::Resolved => "incident.resolved",
    };
    let answers: Vec<_> =
        letter.answers.iter().map(|(label, url)| json!({"label": label, "url": url})).collect();
    json!({
        "type": kind,
        "incident": letter.incident.to_string(),
        "severity": letter.severity.word(),
        "title": form::title(letter),
        "text": letter.words.text,
        "drill": letter.drill,
        "repeat": letter.may_repeat,
        "to": letter.to,
        "address": letter.address,
        "answers": answers,
    })
    .to_string()
}

/// The keys of a secret: several while one takes the place of another.
fn keys(secret: &Secret) -> Result<Vec<Vec<u8>>, Answer> {
    let key = |word: &str| {
        let bytes = STANDARD.decode(word.strip_prefix("whsec_")?).ok()?;
        KEY_BYTES.contains(&bytes.len()).then_some(bytes)
    };
    let keys: Option<Vec<_>> = secret.expose().split_whitespace().map(key).collect();
    // A person can cure that, so it is no answer for ever.
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        let why = format!(
            "the secret `{}` is no key: it is `whsec_` and 24 to 64 random bytes in base64, or several of them with \
             spaces between",
            secret.name()
        );
        Answer::NotNow(why, None)
    })
}

/// A signature by each key.
fn signed(keys: &[Vec<u8>], id: &str, timestamp: &str, body: &str) -> String {
    let signature = |key: &Vec<u8>| {
        let mut mac = keyed(key);
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    keys.iter().map(signature).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new("siren_key", text.as_bytes().to_vec().into()).unwrap()
    }

    #[test]
    fn the_signature_is_the_one_of_the_standard() {
        let keys = keys(&secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();

        let signature =
            signed(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_keys_change_places_each_of_them_signs() {
        let both =
            keys(&secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));

        let signature = signed(&both.unwrap(), "a", "1", "{}");

        assert_eq!(signature.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for text in
            ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjU", "whsec_%%%%%%%%", "word word word"]
        {
            let Err(Answer::NotNow(why, None)) = keys(&secret(text)) else { panic!("{text} is a key") };
            assert!(why.contains("`siren_key`") && !why.contains("MfKQ"), "{why}");
        }
    }
}
