//! The form that letters have in common: marks before everything, and one shape of the text.

use std::fmt::Write as _;

use super::Letter;
use crate::runbook::source::hidden::{visible, visible_lines};

/// What a drill says before everything.
const DRILL: &str = "[DRILL] ";
/// What may have come before says so.
const REPEAT: &str = "(repeat) ";
/// What stands where a text was cut: nothing is dropped unsaid.
const CUT: &str = "… (cut here; the incident has the rest)";

/// The subject, the same for all letters of an incident.
pub(super) fn subject(letter: &Letter) -> String {
    drill(letter, &visible(&letter.words.subject))
}

/// What it is, in one line.
pub(super) fn title(letter: &Letter) -> String {
    drill(letter, &visible(&letter.words.title))
}

/// The same where those who read it cannot know a repeated letter by its key.
pub(super) fn headline(letter: &Letter) -> String {
    let repeat = if letter.may_repeat { REPEAT } else { "" };
    drill(letter, &format!("{repeat}{}", visible(&letter.words.title)))
}

/// The whole letter as plain text: what it is, what it says, where it can be answered. What it says may be cut, so that it
/// has at most so many characters; never where it is answered.
pub(super) fn whole(letter: &Letter, characters: usize) -> String {
    let says = cut(&visible_lines(letter.words.text.trim_end()), characters);
    let mut text = format!("{}\n\n{says}\n", headline(letter));
    if !letter.answers.is_empty() {
        text.push('\n');
        for (label, url) in &letter.answers {
            // Writing to a text never fails.
            let _ = writeln!(text, "{}: {}", visible(label), visible(url));
        }
    }
    text
}

/// At most so many characters, and where there were more, that says so.
pub(super) fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept = characters.saturating_sub(CUT.chars().count());
    text.chars().take(kept).chain(CUT.chars()).collect()
}

fn drill(letter: &Letter, text: &str) -> String {
    let mark = if letter.drill && !text.starts_with(DRILL) { DRILL } else { "" };
    format!("{mark}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_fits() {
        let long = "ä".repeat(2_000);

        assert_eq!(cut("short", 5), "short");
        let cut = cut(&long, 1_024);
        assert_eq!(cut.chars().count(), 1_024);
        assert!(cut.ends_with("ä… (cut here; the incident has the rest)"), "{cut}");
    }
}
