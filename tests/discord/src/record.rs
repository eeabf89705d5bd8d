//! Every request that came, as a test can ask for it.

use std::fmt;

use serde_json::Value;

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST` and so on.
    pub method: String,
    /// The path without `/api/v10`, and without what follows `?`.
    pub path: String,
    /// What followed `?`.
    pub query: String,
    /// The body, of a multipart body its `payload_json`; null if there was none.
    pub body: Value,
    /// Names of the files that came with it.
    pub files: Vec<String>,
    /// Status of the answer; 0 if the connection was cut instead.
    pub status: u16,
    /// Body of the answer.
    pub answer: Value,
    /// When it came, milliseconds since 1970 by the fake's clock.
    pub at_ms: u64,
    /// The answer was a fault that the test asked for.
    pub was_fault: bool,
    /// It came before a rate limit was over.
    pub was_impatient: bool,
    /// Nothing here answers such a request.
    pub is_stranger: bool,
}

impl Request {
    /// Whether it was refused for what it said.
    pub fn was_refused(&self) -> bool {
        self.status >= 400 && !self.was_fault
    }

    /// The message that it carries, if it carries one.
    pub fn message(&self) -> Option<&Value> {
        let write = self.method == "POST" || self.method == "PATCH";
        let is_callback = self.path.ends_with("/callback");
        let in_callback = is_callback && matches!(self.body["type"].as_u64(), Some(4 | 7));
        let message = self.path.contains("/messages") && !self.path.contains("/threads");
        let followup = self.path.starts_with("/webhooks/");
        match () {
            () if !write => None,
            () if in_callback => Some(&self.body["data"]),
            () if is_callback => None,
            () if message || followup => Some(&self.body),
            () => None,
        }
    }

    /// Whether its message says `allowed_mentions: {parse: []}`; listed persons are fine. True without a message.
    pub fn mentions_are_closed(&self) -> bool {
        self.message()
            .is_none_or(|message| message["allowed_mentions"]["parse"].as_array().is_some_and(Vec::is_empty))
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} -> {}", self.method, self.path, self.status)?;
        if !self.body.is_null() {
            write!(out, "\n  said   {}", self.body)?;
        }
        if self.status >= 400 {
            write!(out, "\n  heard  {}", self.answer)?;
        }
        Ok(())
    }
}
