//! The words of `incident`, as the help tells them.

use crate::incident::model::IncidentId;
use crate::wording::page::{Below, Block, Page, Row, Table, plain};

/// A word behind `incident`.
#[derive(Debug)]
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// What stands behind it.
    pub form: &'static str,
    /// What it does.
    pub about: &'static str,
}

const fn word(word: &'static str, form: &'static str, about: &'static str) -> Word {
    Word { word, form, about }
}

/// All of them, in the order in which an incident needs them.
pub const WORDS: &[Word] = &[
    word("list", "", "The incidents that are open."),
    word("status", "inc-31", "Where it stands, what is owed, who was told."),
    word("open", "sev2 \"what\" [service=…] [drill=ana,ben]", "Opens one and calls who is on duty."),
    word("ack", "inc-31", "You know of it: nobody is called for you any more."),
    word(
        "take",
        "commander inc-31 [person]",
        "You, or somebody else, are commander, communications or support-liaison.",
    ),
    word("update", "inc-31 \"text\" [for=support]", "News for operators; with `for`, for Support too."),
    word("draft", "inc-31 \"text\"", "What customers are to read, word for word."),
    word("publish", "inc-31 [4f2ad01b]", "Publishes that draft; without its digest it is read back."),
    word("severity", "inc-31 sev1 \"why\"", "How bad it is."),
    word("investigating", "inc-31", "Nobody knows yet what it is; also: it is back."),
    word("identified", "inc-31", "The cause is known."),
    word("monitoring", "inc-31", "It seems to be over, and is looked at."),
    word("escalate", "inc-31", "Calls the next ones now."),
    word("waive", "inc-31 3 \"why\"", "Number 3 of what is owed is not needed."),
    word("resolve", "inc-31", "It is over."),
    word("close", "inc-31", "The postmortem is done: closed for good."),
    word("timeline", "inc-31", "What happened, line by line."),
    word("export", "inc-31", "The draft of the postmortem, as Markdown."),
];

/// What somebody meant who left `incident` out: an incident alone, or one of its words.
pub fn said_of(word: &str) -> Option<String> {
    if word.parse::<IncidentId>().is_ok() {
        return Some(format!("incident status {word}"));
    }
    let known = WORDS.iter().find(|known| known.word == word)?;
    Some(format!("incident {word} {}", known.form))
}

/// What stands behind most of them, and need not be said each time.
const USUAL: &str = "inc-31";

/// All of them, for `help incident`: word and meaning side by side, and below what stands behind the word, since both in
/// one line fit no narrow terminal.
pub(in crate::wording) fn words() -> Page {
    let row = |known: &Word| {
        let form = format!("incident {} {}", known.word, known.form);
        let is_said = known.form != USUAL && !known.form.is_empty();
        let below = is_said.then_some(Below::Text(form)).into_iter().collect();
        Row { cells: vec![plain(format!("  {}", known.word)), plain(known.about)], below }
    };
    Page::sentence(format!(
        "Behind a word stands the incident, as in incident ack {USUAL}, or what is said below it."
    ))
    .with(Block::Table(Table { rows: WORDS.iter().map(row).collect(), ..Table::default() }))
}
