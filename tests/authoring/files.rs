//! A file may hold anything: it is checked to the end, and what is printed about it can be shown anywhere.

use proptest::prelude::*;
use steadyhand::authoring::{SourceFile, check};
use steadyhand::chat::console::render::Style;
use steadyhand::runbook::source::place::FileName;
use steadyhand::runbook::source::problem::Problem;
use steadyhand::wording::check as words;

use crate::nasty::{assert_visible, own, public, trojan};

const RUNBOOK: &str = "runbook: odd\ntitle: TITLE\nuse_when: PLAIN\nowner: team\nrehearse: 30d\naccess: { start: [team] }\nparameters:\n  what: { type: text, default: DEFAULT, help: Say what }\nsteps:\n  - step: Say {{what}}\n    host: WHERE\n    effect: read\n    SCRIPT\n    at_most: 1s\n";

/// One file as the source of lines to underline.
struct Text<'a>(&'a str);

impl words::Lines for Text<'_> {
    fn line(&self, _: &str, line: u32) -> Option<&str> {
        self.0.split('\n').nth(line as usize - 1)
    }
}

/// Checks a file that holds a text at one place, and everything that is printed about it.
fn check_and_print(text: String, odd: &str) -> Vec<Problem> {
    let source = SourceFile { name: FileName::new("odd.yaml"), text };
    let problems = check(std::slice::from_ref(&source)).problems;
    let counts = words::Counts { runbooks: 1, files: 1, asked: 1, ..words::Counts::default() };
    assert_visible(&Style::PIPE.page(&words::problems(&problems, &Text(&source.text), &counts)), odd);
    for problem in &problems {
        assert!(problem.message.chars().count() <= 401, "{}", problem.message);
        let annotation = words::github(problem);
        assert_visible(&annotation, odd);
        assert!(!annotation.contains('\n'), "{annotation:?}");
        let lines = source.text.split('\n').count();
        assert!((1..=lines).contains(&(problem.place.span.line as usize)), "{problem:?}");
    }
    problems
}

/// Puts a text at every place of a file that takes one, as it is and in quotes.
fn try_everywhere(odd: &str) -> usize {
    let quoted = serde_json::to_string(odd).unwrap();
    let block = format!("script: |\n      {}", odd.replace('\n', "\n      "));
    let mut refused = 0;
    for (place, text) in [
        ("TITLE", odd),
        ("TITLE", &quoted),
        ("PLAIN", odd),
        ("PLAIN", &quoted),
        ("DEFAULT", odd),
        ("DEFAULT", &quoted),
        ("WHERE", odd),
        ("WHERE", &quoted),
        ("SCRIPT", &block),
        ("runbook: odd", odd),
        ("help:", &format!("{quoted}:")),
    ] {
        let plain = RUNBOOK.replace(place, text);
        let rest = [
            ("TITLE", "Say {{what}}"),
            ("PLAIN", "A test says so."),
            ("DEFAULT", "words"),
            ("WHERE", "x"),
            ("SCRIPT", "run: [say]"),
        ];
        // What stands in the odd text itself is left as it is: it is put in last.
        let file = if RUNBOOK.contains(place) {
            let filled = rest
                .iter()
                .filter(|(name, _)| *name != place)
                .fold(RUNBOOK.to_owned(), |file, (name, text)| file.replace(name, text));
            filled.replace(place, text)
        } else {
            plain
        };
        refused += usize::from(!check_and_print(file, odd).is_empty());
    }
    refused
}

#[test]
fn our_nasty_values_never_break_the_check() {
    let refused: usize = own().iter().map(|odd| try_everywhere(odd)).sum();

    assert!(refused > 200, "{refused}");
}

#[test]
fn public_nasty_values_never_break_the_check() {
    let (values, skipped) = public();

    let refused: usize = values.iter().map(|odd| try_everywhere(odd)).sum();

    eprintln!("{} public values, {skipped} of 3 collections skipped", values.len());
    assert!(skipped == 3 || refused > 200, "{refused}");
}

#[test]
fn a_line_that_reads_differently_from_what_it_says_is_refused_with_its_code_points() {
    // Ours stand beside the public ones, so that this test has something to show without them.
    let ours = [
        "access = \"user\u{202e} \u{2066}// only for admins\u{2069} \u{2066}\"",
        "is\u{200b}Admin",
        "say\u{41d}ello()",
    ];
    let lines: Vec<String> = ours.into_iter().map(str::to_owned).chain(trojan()).collect();
    for line in &lines {
        for file in [
            RUNBOOK.replace("SCRIPT", &format!("script: |\n      {line}")),
            RUNBOOK.replace("PLAIN", &format!("words # {line}")),
        ] {
            let problems = check_and_print(file, line);

            let named = problems
                .iter()
                .any(|problem| problem.code.as_str() == "hidden-character" && problem.message.contains("U+"));
            assert!(named, "{line:?}: {problems:#?}");
        }
    }
    eprintln!("{} lines, {} of them public", lines.len(), lines.len() - ours.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_never_breaks_the_check(odd in "(?s).{0,60}") {
        try_everywhere(&odd);
    }

    #[test]
    fn any_text_is_a_file(text in "(?s)[\\[\\]{}:,'\"|>&*!#?%@`\\-\n a-c]{0,200}") {
        check_and_print(text.clone(), &text);
    }
}
