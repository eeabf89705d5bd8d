//! `/incident`, with a sub-command for each of its words.

use serde_json::{Value, json};

use super::commands::{Filled, Kind, Opt, SUB_COMMAND, described, may, must};
use super::limits::DESCRIPTION;
use crate::chat::grammar::Word;
use crate::wording::incident::help::WORDS;

const INCIDENT: Opt = must("incident", Kind::TextOffered, "An incident, as inc-31");
const SEVERITY: Opt = must("severity", Kind::Choice(&["sev1", "sev2", "sev3"]), "How bad it is");
const PART: Opt = must("part", Kind::Choice(&["commander", "communications", "support-liaison"]), "What");
const PERSON: Opt = may("person", Kind::TextOffered, "Who; you, if nobody is named");
const OWED: Opt = must("number", Kind::Number, "The number of what is owed");
const DRAFT: Opt =
    may("draft", Kind::Text, "Which draft, as the card shows it; without it the draft is read back");
const WHY: Opt = must("text", Kind::Text, "Why; it is recorded");

/// The options of a word, those first that must be given.
fn options(word: &str) -> Vec<Opt> {
    match word {
        "list" => Vec::new(),
        "open" => vec![
            SEVERITY,
            must("text", Kind::Text, "What it is, for operators"),
            may("service", Kind::TextOffered, "The service of the inventory that is affected"),
            may("drill", Kind::Text, "A drill: who alone takes part, as ana,ben"),
        ],
        "take" => vec![PART, INCIDENT, PERSON],
        "update" => vec![
            INCIDENT,
            must("text", Kind::Text, "What is new"),
            may("for", Kind::Choice(&["support"]), "For Support too: no host and no command"),
        ],
        "draft" => vec![INCIDENT, must("text", Kind::Text, "What customers are to read, word for word")],
        "severity" => vec![INCIDENT, SEVERITY, WHY],
        "waive" => vec![INCIDENT, OWED, WHY],
        "publish" => vec![INCIDENT, DRAFT],
        _ => vec![INCIDENT],
    }
}

/// As it is registered.
pub(super) fn command(about: &str) -> Value {
    let words = WORDS.iter().map(|known| {
        let options: Vec<Value> = options(known.word).iter().map(Opt::body).collect();
        json!({
            "type": SUB_COMMAND,
            "name": known.word,
            "description": described(known.about, DESCRIPTION),
            "options": options,
        })
    });
    json!({
        "name": "incident",
        "description": described(about, DESCRIPTION),
        "options": words.collect::<Vec<_>>(),
    })
}

/// The line that was filled in, word by word, so that no value is read as anything else.
pub(super) fn line(filled: &Filled, word: &str) -> Vec<Word> {
    let mut line = vec![Word::Plain("incident".to_owned()), Word::Plain(word.to_owned())];
    for option in options(word) {
        let Some(value) = filled.option(option.name).map(str::to_owned) else { continue };
        line.push(match option.name {
            "text" => Word::Quoted(value),
            "service" | "drill" | "for" => Word::Pair(option.name.to_owned(), value),
            _ => Word::Plain(value),
        });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::grammar::{command as read, words};

    #[test]
    fn what_is_filled_in_is_the_line_that_would_be_typed() {
        for (word, options, typed) in [
            ("list", &[][..], "incident list"),
            ("ack", &[("incident", "inc-31")], "incident ack inc-31"),
            ("take", &[("incident", "31"), ("part", "commander")], "incident take commander inc-31"),
            (
                "update",
                &[("incident", "31"), ("for", "support"), ("text", "orders work again")],
                "incident update inc-31 \"orders work again\" for=support",
            ),
            (
                "severity",
                &[("incident", "31"), ("severity", "sev1"), ("text", "nobody can order")],
                "incident severity inc-31 sev1 \"nobody can order\"",
            ),
            (
                "waive",
                &[("incident", "31"), ("number", "3"), ("text", "no customer sees it")],
                "incident waive inc-31 3 \"no customer sees it\"",
            ),
            (
                "open",
                &[("severity", "sev2"), ("text", "checkout is slow"), ("drill", "ana,ben")],
                "incident open sev2 \"checkout is slow\" drill=ana,ben",
            ),
        ] {
            let options =
                options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let filled = Filled { path: vec!["incident".to_owned(), word.to_owned()], options };
            assert_eq!(filled.command(), read(&words(typed).unwrap()), "{typed}");
            assert!(filled.command().is_ok(), "{typed}");
        }
    }

    #[test]
    fn every_word_has_a_sub_command_whose_options_are_enough() {
        for known in WORDS {
            let all = options(known.word);
            let is_sorted = all.is_sorted_by_key(|option| !option.required);
            assert!(is_sorted, "Discord wants those first that must be given: {}", known.word);
            let value = |name: &str| match name {
                "incident" => "inc-31",
                "severity" => "sev1",
                "part" => "commander",
                "number" => "3",
                _ => "it is as it is",
            };
            let required = all.iter().filter(|option| option.required);
            let options = required.map(|it| (it.name.to_owned(), value(it.name).to_owned())).collect();
            let filled = Filled { path: vec!["incident".to_owned(), known.word.to_owned()], options };
            assert!(filled.command().is_ok(), "{}: {:?}", known.word, filled.command());
        }
    }
}
