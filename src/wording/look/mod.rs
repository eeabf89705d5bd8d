//! Looking: the words and their help, runbooks, one runbook as a document, what is going on.

mod help;
mod runbook;
mod status;
mod words;

pub use help::{Opening, greeting, help, help_word, lines_of_a_shell, not_yet, unknown_word};
pub use runbook::{Listed, runbooks, show};
pub use status::{
    holds, long_look, no_bot, no_journal, output, parked, plan_of_run, status, status_of_run, who_owns,
};
pub use words::{LATER, VERBS, Verb, Weight};
