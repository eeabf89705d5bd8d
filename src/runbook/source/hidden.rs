//! Characters that make a text look different from what it is, and the way to show them.
//!
//! Files must not contain them, names and values from chat must not either, and whatever a host printed is shown with
//! them escaped. Look-alikes are found as words that mix scripts (Unicode Technical Standard 39), so that a team may
//! write its titles in any one language.

use std::fmt::Write as _;

use unicode_security::MixedScript;

/// Something in a text that a reader cannot see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// How many characters stand before it.
    pub offset: usize,
    /// How many characters it covers.
    pub length: usize,
    /// What it is, with its code points.
    pub what: String,
}

/// Whether a character is invisible, changes the direction of reading or controls a terminal.
/// A line feed is not hidden; callers that take one line look for it themselves.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'      // controls, tab among them
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
        || is_odd_space(c)
}

/// Spaces that look like the ordinary one and are not.
const fn is_odd_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Letters of full or fancy width, which look like ASCII.
const fn is_fancy_letter(c: char) -> bool {
    matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}')
}

/// All that is hidden in a text, in order. ASCII text without controls costs one pass over its bytes.
pub fn find_hidden(text: &str) -> Vec<Hidden> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n')) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut word = String::new();
    let mut word_start = 0;
    for (offset, c) in text.chars().chain(['\n']).enumerate() {
        if c.is_alphanumeric() || c == '_' {
            if word.is_empty() {
                word_start = offset;
            }
            word.push(c);
            if is_fancy_letter(c) {
                found.push(Hidden {
                    offset,
                    length: 1,
                    what: format!("{} looks like an ASCII letter", code_point(c)),
                });
            }
            continue;
        }
        if !word.is_ascii() && !word.is_single_script() {
            let odd: Vec<_> = word.chars().filter(|c| !c.is_ascii()).map(code_point).collect();
            let length = word.chars().count();
            let what = format!("a word mixes letters that look alike: {}", odd.join(" "));
            found.push(Hidden { offset: word_start, length, what });
        }
        word.clear();
        if is_hidden(c) {
            let what = match c {
                '\t' => "a tab".to_owned(),
                _ if is_odd_space(c) => format!("{} looks like a space", code_point(c)),
                _ => format!("{} cannot be seen", code_point(c)),
            };
            found.push(Hidden { offset, length: 1, what });
        }
    }
    found.sort_by_key(|hidden| hidden.offset);
    found
}

/// The code point as people write it: `U+202E`.
pub fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// A text with everything hidden written out as `\u202e`, and line feeds as `\n`. What comes out is one line that can
/// be shown anywhere, so nobody can write a line that seems to be ours.
pub fn visible(text: &str) -> String {
    visible_lines(text).replace('\n', "\\n")
}

/// The same for a text of several lines, which keeps them.
pub fn visible_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\t' {
            out.push_str("    ");
        } else if is_hidden(c) || is_fancy_letter(c) {
            let code = u32::from(c);
            // Writing to a text never fails.
            let _ = if code > 0xffff { write!(out, "\\u{{{code:x}}}") } else { write!(out, "\\u{code:04x}") };
        } else {
            out.push(c);
        }
    }
    out
}

/// The beginning of a text that somebody gave, for a sentence that quotes it.
pub fn shortened(text: &str, characters: usize) -> String {
    let mut cut: String = text.chars().take(characters).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_language_is_fine_and_a_mixed_word_is_not() {
        assert_eq!(find_hidden("Résumé of größere Übung — 9 °C …"), []);
        assert_eq!(find_hidden("Переключить базу orders"), []);
        assert_eq!(find_hidden("say\u{41d}ello").len(), 1);
    }

    #[test]
    fn what_cannot_be_seen_is_named_with_its_place() {
        let found = find_hidden("is\u{200b}Admin \u{202e}x");

        assert_eq!(found[0], Hidden { offset: 2, length: 1, what: "U+200B cannot be seen".into() });
        assert_eq!(found[1].offset, 9);
    }

    #[test]
    fn shown_text_has_nothing_hidden_left() {
        let shown = visible("a\u{1b}[2J\u{202e}\u{e0041}\r\nb");

        assert_eq!(shown, "a\\u001b[2J\\u202e\\u{e0041}\\u000d\\nb");
        assert_eq!(find_hidden(&shown), []);
        assert_eq!(visible_lines("a\n\tb"), "a\n    b");
    }
}
