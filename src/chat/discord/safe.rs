//! Text that Discord shows letter by letter: nothing in it is markup, mentions anybody, leads anywhere or is hidden.

use super::limits::COLUMNS;
use crate::runbook::source::hidden::{visible, visible_lines};

/// A text of one line, whatever it holds.
pub fn plain(text: &str) -> String {
    escaped(&visible(text))
}

/// A text of several lines.
pub fn lines(text: &str) -> String {
    visible_lines(text).split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// With a backslash before everything that Discord would read as markup. A backslash is one, too.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut only_spaces = true;
    let mut digits = false;
    for (at, c) in line.char_indices() {
        let rest = &line[at + c.len_utf8()..];
        let is_markup = match c {
            '\\' | '`' | '*' | '_' | '~' | '|' | '<' | '[' | ']' => true,
            '@' => rest.starts_with(|next: char| !next.is_whitespace()),
            // A link is made of what looks like one.
            ':' => rest.starts_with("//") || is_emoji(rest),
            // A heading, a quote, a list.
            '#' | '>' | '-' | '+' => only_spaces,
            '.' | ')' if digits && rest.starts_with(' ') => true,
            // An invitation is one without `https`, too.
            '.' => is_invitation(rest),
            _ => false,
        };
        if is_markup {
            out.push('\\');
        }
        out.push(c);
        digits = c.is_ascii_digit() && (only_spaces || digits);
        only_spaces &= c == ' ';
    }
    out
}

/// `gg/abc` or `com/invite/abc`, behind a point.
fn is_invitation(rest: &str) -> bool {
    let begins = |with: &str| rest.get(..with.len()).is_some_and(|part| part.eq_ignore_ascii_case(with));
    begins("gg/") || begins("com/invite")
}

/// `name:` behind a colon.
fn is_emoji(rest: &str) -> bool {
    let name = rest.split(':').next().unwrap_or_default();
    name.len() < rest.len()
        && (name == "100" || name.chars().any(|c| c.is_ascii_alphabetic()))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-'))
}

/// Lines in a fence, exactly as they are, and no wider than a phone shows. No line can end the fence.
pub fn fence(all: &[String]) -> String {
    let mut out = String::from("```\n");
    for line in all {
        out.push_str(&unfenced(line));
        out.push('\n');
    }
    out.push_str("```");
    out
}

/// Discord ends a block at the first three backticks, however many began it. So there are never three in a row: behind
/// each second one stands what it is.
fn unfenced(line: &str) -> String {
    visible(line).replace("```", "``\\u0060")
}

/// Text inside of a line that is shown as code, such as a command.
pub fn code(text: &str) -> String {
    let text = visible(text);
    if text.contains('`') { escaped(&text) } else { format!("`{text}`") }
}

/// Breaks a line at spaces, so that each part fits into a fence. What goes on is indented.
pub fn wrapped(line: &str, indent: usize) -> Vec<String> {
    let width = |text: &str| text.chars().count();
    let text = line.trim_start_matches(' ');
    let mut out = Vec::new();
    let mut current = " ".repeat((line.len() - text.len()).min(COLUMNS / 2));
    let mut has_word = false;
    let next = |current: &mut String, out: &mut Vec<String>| {
        out.push(std::mem::take(current).trim_end().to_owned());
        *current = " ".repeat(indent);
    };
    for mut word in text.split(' ') {
        if has_word && width(&current) + 1 + width(word) > COLUMNS {
            next(&mut current, &mut out);
        } else if has_word {
            current.push(' ');
        }
        // A word that is wider than a line is broken: nothing of it is left out.
        while width(&current) + width(word) > COLUMNS {
            let room = COLUMNS - width(&current);
            let end = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            current.push_str(&word[..end]);
            word = &word[end..];
            next(&mut current, &mut out);
        }
        current.push_str(word);
        has_word = true;
    }
    out.push(current);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        for (text, shown) in [
            ("**bold** _it_ ~~no~~ ||spoiler||", r"\*\*bold\*\* \_it\_ \~\~no\~\~ \|\|spoiler\|\|"),
            ("@everyone and <@1234> and <#5>", r"\@everyone and \<\@1234> and \<#5>"),
            ("[link](https://evil.example)", r"\[link\](https\://evil.example)"),
            ("join discord.gg/abc", r"join discord\.gg/abc"),
            ("# big", r"\# big"),
            ("  > quote", r"  \> quote"),
            ("- list", r"\- list"),
            ("12. list", r"12\. list"),
            ("`code`", r"\`code\`"),
            (":smile:", r"\:smile:"),
            ("at 12:30:45 it is", "at 12:30:45 it is"),
            ("pg-1, 3.5 s, a > b, 1+1, e-mail", "pg-1, 3.5 s, a > b, 1+1, e-mail"),
            ("a\nb", r"a\\nb"),
            ("a\u{202e}b\u{200b}", r"a\\u202eb\\u200b"),
            (r"\*", r"\\\*"),
        ] {
            assert_eq!(plain(text), shown, "{text}");
        }
        assert_eq!(lines("a\n# b"), "a\n\\# b");
    }

    #[test]
    fn no_line_ends_a_fence() {
        for line in ["```", "````", "`````````", "a```b", "``` \u{1b}[2J"] {
            let shown = fence(&[line.to_owned()]);
            let inside = shown.strip_prefix("```\n").unwrap().strip_suffix("\n```").unwrap();

            assert!(!inside.contains("```"), "{shown}");
            assert!(!inside.contains('\u{1b}'), "{shown}");
        }
        assert_eq!(fence(&["one".to_owned(), "two".to_owned()]), "```\none\ntwo\n```");
    }

    #[test]
    fn a_long_line_is_broken_and_nothing_is_lost() {
        let line = "the quick brown fox jumps over the lazy dog again and again";
        let parts = wrapped(line, 3);

        assert_eq!(parts, ["the quick brown fox jumps over the lazy dog", "   again and again"]);
        let long = "x".repeat(100);
        let parts = wrapped(&long, 3);
        assert!(parts.iter().all(|part| part.chars().count() <= COLUMNS), "{parts:?}");
        assert_eq!(parts.concat().replace(' ', ""), long);
    }
}
