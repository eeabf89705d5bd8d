//! Every request that came, as a test can ask for it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

use serde_json::{Value, json};

/// The variable that names a file to which every body is appended.
const BODIES: &str = "STEADYHAND_DISCORD_BODIES";

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST` and so on.
    pub method: String,
    /// The path without `/api/v10`, and without what follows `?`.
    pub path: String,
    /// What followed `?`.
    pub query: String,
    /// `application/json`, `multipart/form-data` and so on; empty if nothing was said.
    pub content_type: String,
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
    /// Appends it to the file of bodies, if somebody asked for one: to be held against another description than ours.
    pub(crate) fn is_kept(&self) {
        static KEPT: OnceLock<Option<File>> = OnceLock::new();
        let open = || {
            let path = std::env::var_os(BODIES)?;
            let file = OpenOptions::new().create(true).append(true).open(&path);
            Some(file.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        let Some(mut file) = KEPT.get_or_init(open).as_ref() else { return };
        let line = json!({
            "method": self.method,
            "path": self.path,
            "content_type": self.content_type,
            "files": self.files,
            "body": self.body,
        });
        // One write is one line, also if several tests write at once.
        file.write_all(format!("{line}\n").as_bytes()).expect("the file of bodies takes a line");
    }

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
