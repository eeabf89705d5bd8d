//! How Discord says no: a status, a code, a sentence, and for a bad body the place of each mistake.

use serde_json::{Map, Value, json};

/// One mistake in a body.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// Where, as `embeds.0.title`; empty for the body itself.
    pub(crate) path: String,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// The mistakes found so far in one body.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(Problem { path: path.to_owned(), code, message: message.into() });
    }

    /// All mistakes as one refusal, or nothing if there is none.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::form(&self.0)) }
    }
}

/// A request that is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
    pub(crate) errors: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), errors: None }
    }

    fn form(problems: &[Problem]) -> Self {
        let mut root = Map::new();
        for problem in problems {
            let mut node = &mut root;
            for part in problem.path.split('.').filter(|part| !part.is_empty()) {
                let below = node.entry(part).or_insert_with(|| json!({}));
                node = below.as_object_mut().expect("only objects are put here");
            }
            let list = node.entry("_errors").or_insert_with(|| json!([]));
            let entry = json!({"code": problem.code, "message": problem.message});
            list.as_array_mut().expect("only lists are put here").push(entry);
        }
        Self { errors: Some(root.into()), ..Self::new(400, 50035, "Invalid Form Body") }
    }

    /// One mistake at one place.
    pub(crate) fn at(path: &str, code: &'static str, message: &str) -> Self {
        Self::form(&[Problem { path: path.to_owned(), code, message: message.to_owned() }])
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"message": self.message, "code": self.code});
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, 0, "401: Unauthorized")
    }
    pub(crate) fn no_such_route() -> Self {
        Self::new(404, 0, "404: Not Found")
    }
    pub(crate) fn unknown_channel() -> Self {
        Self::new(404, 10003, "Unknown Channel")
    }
    pub(crate) fn unknown_guild() -> Self {
        Self::new(404, 10004, "Unknown Guild")
    }
    pub(crate) fn unknown_member() -> Self {
        Self::new(404, 10007, "Unknown Member")
    }
    pub(crate) fn unknown_message() -> Self {
        Self::new(404, 10008, "Unknown Message")
    }
    pub(crate) fn unknown_user() -> Self {
        Self::new(404, 10013, "Unknown User")
    }
    pub(crate) fn unknown_webhook() -> Self {
        Self::new(404, 10015, "Unknown Webhook")
    }
    pub(crate) fn unknown_interaction() -> Self {
        Self::new(404, 10062, "Unknown interaction")
    }
    pub(crate) fn already_acknowledged() -> Self {
        Self::new(400, 40060, "Interaction has already been acknowledged.")
    }
    pub(crate) fn missing_access() -> Self {
        Self::new(403, 50001, "Missing Access")
    }
    pub(crate) fn of_another() -> Self {
        Self::new(403, 50005, "Cannot edit a message authored by another user")
    }
    pub(crate) fn empty_message() -> Self {
        Self::new(400, 50006, "Cannot send an empty message")
    }
    pub(crate) fn missing_permissions() -> Self {
        Self::new(403, 50013, "Missing Permissions")
    }
    pub(crate) fn wrong_channel_type() -> Self {
        Self::new(400, 50024, "Cannot execute action on this channel type")
    }
    pub(crate) fn dead_token() -> Self {
        Self::new(401, 50027, "Invalid Webhook Token")
    }
    pub(crate) fn archived() -> Self {
        Self::new(
            400,
            50083,
            "Tried to perform an operation on an archived thread, such as editing a message or adding a user to the thread",
        )
    }
    pub(crate) fn bad_json() -> Self {
        Self::new(400, 50109, "The request body contains invalid JSON.")
    }
    pub(crate) fn thread_exists() -> Self {
        Self::new(400, 160_004, "A thread has already been created for this message")
    }
    pub(crate) fn thread_locked() -> Self {
        Self::new(400, 160_005, "This thread is locked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_stand_at_their_place() {
        let mut problems = Problems::default();
        problems.add("embeds.0.title", "BASE_TYPE_MAX_LENGTH", "Must be 256 or fewer in length.");
        problems.add("", "BODY", "all of it");

        let body = problems.end().unwrap_err().body();

        assert_eq!(body["code"], 50035);
        assert_eq!(body["errors"]["embeds"]["0"]["title"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");
        assert_eq!(body["errors"]["_errors"][0]["message"], "all of it");
    }
}
