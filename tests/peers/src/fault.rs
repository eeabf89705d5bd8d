//! What goes wrong with a request.

use std::time::Duration;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is read, and never answered. Nothing was taken.
    Silence,
    /// It is answered with this, and nothing was taken.
    Status {
        /// The status.
        status: u16,
        /// The header `Retry-After`.
        after: Option<String>,
        /// The body.
        body: String,
    },
    /// It is taken; the connection breaks before a word of the answer.
    TakenThenCut,
    /// It is taken; the connection breaks in the middle of the body of the answer.
    HalfAnAnswer,
    /// It is taken, and answered after this time.
    Slow(Duration),
    /// It is led elsewhere.
    Redirect(String),
}

impl Fault {
    /// An answer of this status.
    pub fn status(status: u16) -> Self {
        Self::Status { status, after: None, body: format!("fault {status}") }
    }

    /// The same, with so many seconds in its `Retry-After`.
    ///
    /// # Panics
    /// If it is no answer of a status.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        match self {
            Self::Status { status, body, .. } => {
                Self::Status { status, after: Some(seconds.to_string()), body }
            }
            other => panic!("{other:?} has no Retry-After"),
        }
    }

    /// The same, with this body.
    ///
    /// # Panics
    /// If it is no answer of a status.
    #[must_use]
    pub fn saying(self, body: &str) -> Self {
        match self {
            Self::Status { status, after, .. } => Self::Status { status, after, body: body.to_owned() },
            other => panic!("{other:?} says nothing"),
        }
    }
}
