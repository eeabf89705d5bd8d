//! The lab's one error.
//!
//! Whoever reads it has a broken lab and wants to go on, so every error says what happened, why, and what to do next.
//! It is a sentence, not a code: nobody decides on the kind of a lab's error, everybody reads it.

use std::fmt;
use std::io;
use std::path::Path;

/// What every function of the lab returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What happened, why, and what to do next. `Debug` reads like `Display`, so that `unwrap` in a test is legible.
#[derive(Clone)]
pub struct Error {
    what: String,
    why: String,
    next: String,
}

impl Error {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: String::new(), next: String::new() }
    }

    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = why.to_string();
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}

/// For the command `lab`, which has few errors of its own.
impl Error {
    /// A program could not take our place.
    pub fn of_exec(why: io::Error) -> Self {
        Self::new("could not start ssh").because(why)
    }

    /// A file could not be read.
    pub fn of_file(path: &Path, why: &io::Error) -> Self {
        Self::new(format!("could not read {}", path.display())).because(why)
    }

    /// A result could not be written as JSON.
    pub fn of_json(why: serde_json::Error) -> Self {
        Self::new("could not print a result").because(why)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (label, text) in [("why", &self.why), ("next", &self.next)] {
            if !text.trim().is_empty() {
                write!(f, "\n  {label:<5} {}", text.trim_end().replace('\n', "\n        "))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// Gives an error of the operating system the sentence that it lacks.
pub(crate) trait Context<T> {
    /// `what` says what could not be done: "could not write /tmp/x".
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::new(what()).because(e))
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::new(what()).because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_next() {
        let error = Error::new("pg1 did not start").because("line one\nline two\n").next("look at pg.log");

        assert_eq!(
            error.to_string(),
            "pg1 did not start\n  why   line one\n        line two\n  next  look at pg.log"
        );
    }
}
