//! Requests to addresses of others. Nothing is followed, no connection is kept, no proxy is taken from the environment,
//! and what is answered is read to 4 KiB.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, Url};
use tokio::time::timeout;

use super::attempt::Attempt;
use crate::incident::input::Answer;
use crate::runbook::source::literal::Millis;
use crate::secrets::MIN_BYTES;

/// The status says it all; what else is said is waited for so long.
const READ_WITHIN: Duration = Duration::from_secs(3);
/// So much of an answer is read.
const READ_BYTES: usize = 4 * 1024;
/// Nobody keeps us silent for longer by asking for it.
const LONGEST_WAIT: Millis = Millis::minutes(60);

/// Sends requests.
pub(super) struct Http(Client);

/// What was answered.
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    /// How long we are asked to be silent.
    pub(super) wait: Option<Millis>,
    /// The beginning of what was said; none where the connection broke in the middle of it.
    pub(super) body: Option<String>,
}

/// Why there is no answer. Neither holds an address.
pub(super) enum NoReply {
    /// Nothing was sent: why.
    NotSent(String),
    /// It may have been taken: why nobody knows.
    Unknown(String),
}

impl From<NoReply> for Answer {
    fn from(no_reply: NoReply) -> Self {
        match no_reply {
            NoReply::NotSent(why) => Self::NotNow(why, None),
            NoReply::Unknown(why) => Self::Unknown(why),
        }
    }
}

impl Http {
    /// A connection stands after this time, TLS and all, or nothing was sent.
    pub(super) fn new(connect_within: Duration) -> Result<Self, String> {
        let client = Client::builder()
            .user_agent(concat!("steadyhand/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(connect_within)
            // A connection that the other side closed meanwhile would make an unknown of what was never sent.
            .pool_max_idle_per_host(0)
            .build();
        client.map(Self).map_err(|error| {
            format!(
                "nothing can be sent over HTTP: {}. Next: look at the certificates of this system (ca-certificates)",
                cause(&error)
            )
        })
    }

    /// Posts JSON.
    pub(super) async fn post(
        &self,
        attempt: &Attempt<'_>,
        url: &str,
        headers: HeaderMap,
        json: String,
    ) -> Result<Reply, NoReply> {
        let url = parsed(url)?;
        let request = self.0.post(url.clone()).header(CONTENT_TYPE, "application/json");
        attempt.leaves();
        asked(&url, request.headers(headers).body(json), attempt.outside.now()).await
    }

    /// Gets.
    pub(super) async fn get(&self, url: &str, now: Timestamp) -> Result<Reply, NoReply> {
        let url = parsed(url)?;
        asked(&url, self.0.get(url.clone()), now).await
    }
}

fn parsed(url: &str) -> Result<Url, NoReply> {
    let url = Url::parse(url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        NoReply::NotSent("its address is none: it begins with https:// and names a host".to_owned())
    })
}

async fn asked(url: &Url, request: RequestBuilder, now: Timestamp) -> Result<Reply, NoReply> {
    let response = request.send().await.map_err(|error| {
        let why = cause(&error);
        if error.is_connect() || error.is_builder() {
            NoReply::NotSent(format!("no connection: {why}"))
        } else {
            NoReply::Unknown(format!("the connection broke before there was an answer: {why}"))
        }
    })?;
    let status = response.status().as_u16();
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    let body = timeout(READ_WITHIN, beginning(response)).await.ok().flatten();
    Ok(Reply { status, wait, body: body.map(|body| without(url, body)) })
}

/// What was said, without what stands in the address behind its host: many servers say again what they were asked for, and
/// a part of an address that is a secret is as good as all of it.
fn without(url: &Url, said: String) -> String {
    let is_telling = |part: &&str| part.len() >= MIN_BYTES;
    let query = url.query().unwrap_or_default();
    let of_query = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let parts = [url.as_str(), url.path(), query].into_iter().chain(url.path().split('/')).chain(of_query);
    parts.filter(is_telling).fold(said, |said, part| said.replace(part, "…"))
}

/// The beginning of what was said.
async fn beginning(mut response: Response) -> Option<String> {
    let mut read = Vec::new();
    while read.len() < READ_BYTES {
        let Some(more) = response.chunk().await.ok()? else { break };
        read.extend_from_slice(&more);
    }
    read.truncate(READ_BYTES);
    Some(String::from_utf8_lossy(&read).into_owned())
}

/// The innermost cause: what stands around it says where it happened in the library, and may hold the address.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if innermost.is::<reqwest::Error>() { "it could not be sent".to_owned() } else { innermost.to_string() }
}

/// In seconds, or until a moment.
fn retry_after(text: &str, now: Timestamp) -> Option<Millis> {
    let text = text.trim();
    let wait = match text.parse::<u32>() {
        Ok(seconds) => Millis::seconds(i64::from(seconds)),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST_WAIT,
        Err(_) => {
            let until = DateTimeParser::new().parse_timestamp(text).ok()?;
            Millis(until.as_millisecond().saturating_sub(now.as_millisecond()).max(0))
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

impl Reply {
    /// The answer where the other side did not take it. Too much and trouble of its own are for now; everything else says
    /// that this letter, or this address, is wrong.
    pub(super) fn refused(&self, attempt: &Attempt<'_>) -> Answer {
        let said = self.body.as_deref().map(|body| attempt.quoted(body)).filter(|said| !said.is_empty());
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        match self.status {
            429 => Answer::NotNow(format!("it takes no more for now (429){said}"), self.wait),
            500..=599 => Answer::NotNow(format!("it is in trouble ({}){said}", self.status), self.wait),
            // Where it leads is not said: nothing of it was agreed to.
            300..=399 => {
                Answer::Never(format!("it leads elsewhere ({}), and nothing is followed", self.status))
            }
            410 => Answer::Never(format!("it is gone for good (410){said}")),
            status => Answer::Never(format!("it refuses this ({status}){said}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_holds_no_part_of_the_address() {
        let url = Url::parse("https://hc.example/ping/5e2d8c1a-77?token=verySecret0&x=1").unwrap();
        for (said, shown) in [
            ("no https://hc.example/ping/5e2d8c1a-77?token=verySecret0&x=1", "no …"),
            ("Cannot GET /ping/5e2d8c1a-77?token=verySecret0&x=1", "Cannot GET …?…"),
            ("unknown check 5e2d8c1a-77, token verySecret0", "unknown check …, token …"),
            ("ping: not found", "ping: not found"),
        ] {
            assert_eq!(without(&url, said.to_owned()), shown);
        }
    }

    #[test]
    fn a_wait_is_read_in_seconds_or_as_a_moment_and_has_an_end() {
        let now: Timestamp = "2026-11-20T21:36:22Z".parse().unwrap();
        let wait = |text| retry_after(text, now);

        assert_eq!(wait("30"), Some(Millis::seconds(30)));
        assert_eq!(wait("0"), Some(Millis(0)));
        assert_eq!(wait("Fri, 20 Nov 2026 21:37:22 GMT"), Some(Millis::minutes(1)));
        assert_eq!(wait("Fri, 20 Nov 2026 21:00:00 GMT"), Some(Millis(0)));
        assert_eq!(wait("999999999999999999999"), Some(LONGEST_WAIT));
        assert_eq!(wait("86400"), Some(LONGEST_WAIT));
        for text in ["", "soon", "-5", "1.5"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }
}
