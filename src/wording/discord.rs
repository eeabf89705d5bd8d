//! What is said on Discord only: about the chat itself, and where something is shown.

use jiff::Timestamp;

use super::moment::Moment;
use super::page::Page;
use super::plan::count;
use crate::run::{Run, RunId};

/// A plan was asked for, and everybody sees it.
pub fn shown_to_all(run: &Run) -> Page {
    Page::sentence(format!("The plan of run {} stands in this channel, for everybody to read.", run.id))
        .text("Read it, then press Confirm… under it and type the token. Nothing runs before that.")
}

/// A plan of which a card cannot show all that cannot be taken back.
pub fn too_long(id: RunId) -> Page {
    Page::sentence(format!(
        "Not taken: the plan of run {id} is too long for chat to show whole. Nothing changed."
    ))
    .next(format!("plan {id} --long"), "then confirm and approve it in the console")
    .code("too-long-for-chat")
}

/// A button or form that this version does not know.
pub fn unknown_button() -> Page {
    Page::sentence("This button is not one of this version, or was changed. Nothing was done.")
        .next("status", "what is going on")
        .code("unknown-button")
}

/// A form that would be filled in for nothing.
pub fn run_is_over(run: &Run, what: &str) -> Page {
    Page::sentence(format!("This request has ended: {what} Nothing was done."))
        .next(format!("status {}", run.id), "")
        .code("ended")
}

/// Approvers are asked.
pub fn approval_wanted(run: &Run, needed: &str) -> String {
    format!("{needed}: run {} of {}. The plan and the button stand on the card.", run.id, run.request.by)
}

/// The first message after Discord could not be reached.
pub fn was_away(since: Timestamp, moment: &Moment) -> String {
    format!(
        "Chat was away from {} to {} ({}). What happened meanwhile:",
        moment.time(since),
        moment.time(moment.now),
        moment.ago(since)
    )
}

/// The first message after the bot was started anew.
pub fn started_again(id: RunId) -> String {
    format!("The bot was started again and carries run {id} on. All that happened: journal show {id}")
}

/// Lines that are not shown one by one.
pub fn more_lines(n: usize, id: RunId) -> String {
    format!("… {} more. All of them: journal show {id}", count(n, "line"))
}
