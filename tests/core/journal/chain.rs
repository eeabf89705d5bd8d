//! The chain by itself: whatever is done to the lines, the first one that is not what was written is found.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use steadyhand::journal::entry::{Chain, leaf};

use super::an_ended_run;

/// The lines of a journal with the hashes beside them, each continuing the one before.
fn written() -> &'static [(String, String)] {
    static WRITTEN: LazyLock<Vec<(String, String)>> = LazyLock::new(write);
    &WRITTEN
}

fn write() -> Vec<(String, String)> {
    let mut head = steadyhand::journal::entry::GENESIS.to_owned();
    let mut lines = Vec::new();
    for line in &an_ended_run().lines {
        let mut entry: steadyhand::journal::Entry = serde_json::from_str(line).unwrap();
        entry.prev = head;
        let line = entry.line();
        head = leaf(&line);
        lines.push((line, head.clone()));
    }
    lines
}

/// How many lines hold, from the first on.
fn holds(lines: &[(String, String)]) -> usize {
    let mut chain = Chain::default();
    lines.iter().take_while(|(line, hash)| chain.check(line, hash).is_ok()).count()
}

#[derive(Debug, Clone)]
enum Edit {
    /// One byte of a line becomes another.
    Byte {
        line: Index,
        at: Index,
        to: u8,
    },
    /// One digit of a hash becomes another.
    Hash {
        line: Index,
        at: Index,
    },
    /// A line is rewritten with a hash that fits.
    Forged {
        line: Index,
        at: Index,
        to: u8,
    },
    Removed {
        line: Index,
    },
    Twice {
        line: Index,
    },
    Swapped {
        one: Index,
        other: Index,
    },
    Moved {
        from: Index,
        to: Index,
    },
}

fn an_edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    prop_oneof![
        (index(), index(), b' '..b'~').prop_map(|(line, at, to)| Edit::Byte { line, at, to }),
        (index(), index()).prop_map(|(line, at)| Edit::Hash { line, at }),
        (index(), index(), b' '..b'~').prop_map(|(line, at, to)| Edit::Forged { line, at, to }),
        index().prop_map(|line| Edit::Removed { line }),
        index().prop_map(|line| Edit::Twice { line }),
        (index(), index()).prop_map(|(one, other)| Edit::Swapped { one, other }),
        (index(), index()).prop_map(|(from, to)| Edit::Moved { from, to }),
    ]
}

fn with_byte(text: &str, at: Index, to: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] = to;
    String::from_utf8_lossy(&bytes).into_owned()
}

fn edited(lines: &[(String, String)], edit: &Edit) -> Vec<(String, String)> {
    let mut lines = lines.to_vec();
    let count = lines.len();
    match edit {
        Edit::Byte { line, at, to } => {
            let line = &mut lines[line.index(count)];
            line.0 = with_byte(&line.0, *at, *to);
        }
        Edit::Hash { line, at } => {
            let line = &mut lines[line.index(count)];
            let digit = if line.1.as_bytes()[at.index(64)] == b'0' { b'1' } else { b'0' };
            line.1 = with_byte(&line.1, *at, digit);
        }
        Edit::Forged { line, at, to } => {
            let line = &mut lines[line.index(count)];
            line.0 = with_byte(&line.0, *at, *to);
            line.1 = leaf(&line.0);
        }
        Edit::Removed { line } => drop(lines.remove(line.index(count))),
        Edit::Twice { line } => {
            let at = line.index(count);
            lines.insert(at, lines[at].clone());
        }
        Edit::Swapped { one, other } => lines.swap(one.index(count), other.index(count)),
        Edit::Moved { from, to } => {
            let line = lines.remove(from.index(count));
            lines.insert(to.index(count), line);
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_done_to_the_lines_is_found_where_it_was_done(edit in an_edit()) {
        let before = written();
        let after = edited(before, &edit);
        let same = before.iter().zip(&after).take_while(|(before, after)| before == after).count();
        prop_assume!(before != after.as_slice());

        let holding = holds(&after);

        // A forger may give a line the hash that fits: the line behind it tells. Behind the last one nothing stands, as
        // nothing is missed where the very end was cut off.
        let forged = matches!(edit, Edit::Forged { .. }) && holding == same + 1;
        prop_assert!(forged || holding == same, "{holding} lines hold, and {same} are as they were");
    }
}

#[test]
fn what_was_only_written_holds_to_the_last_line() {
    let lines = written();

    assert_eq!(holds(lines), lines.len());
    assert!(lines.len() > 9);
}
