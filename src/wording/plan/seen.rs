//! A check with its values.

use crate::plan::model::{CheckSeen, Verdict};
use crate::runbook::source::hidden::visible;
use crate::wording::page::{Below, Role, Row, cell, plain};

/// A check with its values.
pub fn seen_row(seen: &CheckSeen) -> Row {
    let (mark, role) = match (&seen.verdict, seen.warns) {
        (Verdict::Holds, _) => ("+ holds", Role::Good),
        (Verdict::Fails, true) => ("! warns", Role::Attention),
        (Verdict::Fails, false) => ("! FAILS", Role::Danger),
        (Verdict::NoAnswer(_), true) => ("? warns", Role::Attention),
        (Verdict::NoAnswer(_), false) => ("? NO ANSWER", Role::Danger),
    };
    let mut below = Vec::new();
    if let Verdict::NoAnswer(why) = &seen.verdict {
        below.push(Below::Text(format!("no answer: {}", visible(why))));
    }
    if !seen.holds() {
        below.push(Below::Text(format!("{}.", visible(&seen.says))));
    }
    below.extend(values(seen).map(Below::Text));
    Row { cells: vec![cell(mark, role), plain(visible(&seen.that))], below }
}

/// The values that a check read. Why there is no answer is said once, and not again for each of them.
pub(in crate::wording) fn values(seen: &CheckSeen) -> impl Iterator<Item = String> {
    let why = match &seen.verdict {
        Verdict::NoAnswer(why) => Some(format!("no answer: {why}")),
        _ => None,
    };
    let read = seen.read.iter().filter(move |(_, value)| why.as_ref() != Some(value));
    read.map(|(name, value)| format!("{name} = {}", visible(value)))
}
