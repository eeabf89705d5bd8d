//! A request that was read, and what is answered.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::message::Files;
use crate::refusal::{Problems, Refusal};
use crate::rules::messages;
use crate::shape::{Field, check_object};

pub(super) struct Call {
    pub(super) method: String,
    /// What follows `/api/v10`.
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
    pub(super) files: Files,
    pub(super) authorization: Option<String>,
}

pub(super) type Answer = Result<Reply, Refusal>;

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn with(body: Value) -> Self {
        Self { status: 200, body: Some(body) }
    }
    pub(super) fn created(body: Value) -> Self {
        Self { status: 201, body: Some(body) }
    }
    /// Done; there is nothing to say.
    pub(super) fn done() -> Self {
        Self { status: 204, body: None }
    }
}

/// An id in a path.
pub(super) fn id(text: &str) -> Result<u64, Refusal> {
    text.parse()
        .map_err(|_| Refusal::at("", "NUMBER_TYPE_COERCE", &format!("Value \"{text}\" is not snowflake.")))
}

impl Call {
    /// Refuses what may not follow `?`.
    pub(super) fn asks_only(&self, known: &[&str]) -> Result<(), Refusal> {
        match self.query.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Refusal::at(name, "UNKNOWN_FIELD", "No such query parameter here.")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let read = |text: &String| {
            text.parse().map_err(|_| Refusal::at(name, "NUMBER_TYPE_COERCE", "Value is not a number."))
        };
        self.query.get(name).map(read).transpose()
    }

    /// Holds the body against a table.
    pub(super) fn fits(&self, fields: &[Field]) -> Result<(), Refusal> {
        let mut problems = Problems::default();
        check_object(&self.body, fields, "", &mut problems);
        problems.end()
    }

    /// Holds the body against the rules for messages.
    pub(super) fn is_message(&self, fields: &[Field]) -> Result<(), Refusal> {
        messages::check(&self.body, fields, "")
    }
}
