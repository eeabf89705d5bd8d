//! Checks: what has to be measured for them, and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{CheckSeen, Verdict};
use super::situation::Situation;
use crate::runbook::expression::{Ask, Expr, Facts, NoAnswer, Value};
use crate::runbook::model::{Check, CheckUse, Runbook, Sentence};
use crate::runbook::source::name::HostName;
use crate::runbook::text::Text;

/// The checks that stand or are named in one place.
pub fn checks<'a>(runbook: &'a Runbook, used: &'a [CheckUse]) -> Vec<&'a Check> {
    used.iter().filter_map(|used| runbook.resolve(used)).collect()
}

/// All that has to be measured to answer these checks together, and their sentences.
pub fn wanted(situation: &Situation, at_hand: Option<(&str, &HostName)>, checks: &[&Check]) -> BTreeSet<Ask> {
    let facts = Facts::default();
    let values = situation.with_host(at_hand);
    let meaning = situation.meaning_of(&values, &facts);
    let mut asks = BTreeSet::new();
    for check in checks {
        asks.extend(meaning.wanted(&check.that));
        if let Sentence::Else(text) | Sentence::Warn(text) = &check.sentence {
            asks.extend(text.references().flat_map(|reference| meaning.wanted(&reference)));
        }
    }
    asks
}

/// What has to be measured to answer one expression.
pub fn wanted_by(situation: &Situation, at_hand: Option<(&str, &HostName)>, expr: &Expr) -> BTreeSet<Ask> {
    let facts = Facts::default();
    let values = situation.with_host(at_hand);
    situation.meaning_of(&values, &facts).wanted(expr)
}

/// Answers a check from what was measured.
pub fn answer(
    situation: &Situation,
    at_hand: Option<(&str, &HostName)>,
    check: &Check,
    facts: &Facts,
) -> CheckSeen {
    let (text, warns) = match &check.sentence {
        Sentence::Else(text) => (Some(text), false),
        Sentence::Warn(text) => (Some(text), true),
        Sentence::Broken => (None, false),
    };
    let says = text.map_or_else(String::new, |text| say(situation, at_hand, text, facts));
    let values = situation.with_host(at_hand);
    let evaluated = situation.meaning_of(&values, facts).evaluate(&check.that);
    let verdict = match evaluated.answer {
        Ok(Value::Bool(true)) => Verdict::Holds,
        Ok(Value::Bool(false)) => Verdict::Fails,
        Ok(other) => Verdict::NoAnswer(format!("{} is neither true nor false", other.human())),
        Err(NoAnswer(why)) => Verdict::NoAnswer(why),
    };
    let read = evaluated.read.into_iter().map(|(name, value)| {
        let shown = match value {
            Ok(value) => value.human(),
            Err(NoAnswer(why)) => format!("no answer: {why}"),
        };
        (name, shown)
    });
    CheckSeen { that: check.that.source.to_string(), says, warns, verdict, read: read.collect() }
}

/// A text with the names that a plan fixes; what is measured stays as it is written.
pub fn say_fixed(situation: &Situation, text: &Text) -> String {
    let facts = Facts::default();
    let meaning = situation.meaning(&facts);
    let rendered = text.render(|tree| {
        let written = || {
            let path = text.source.chars().skip(tree.offset as usize).take(tree.length as usize);
            format!("{{{{{}}}}}", path.collect::<String>())
        };
        let answer = meaning.evaluate_tree(tree).answer;
        Ok::<_, std::convert::Infallible>(answer.map_or_else(|_| written(), |value| value.human()))
    });
    match rendered {
        Ok(sentence) => sentence,
        Err(never) => match never {},
    }
}

/// A sentence for people. What cannot be answered prints as not known: never as nothing, never as zero.
pub fn say(situation: &Situation, at_hand: Option<(&str, &HostName)>, text: &Text, facts: &Facts) -> String {
    let values: BTreeMap<String, Value> = situation.with_host(at_hand);
    let meaning = situation.meaning_of(&values, facts);
    let rendered = text.render(|tree| {
        let answer = meaning.evaluate_tree(tree).answer;
        Ok::<_, std::convert::Infallible>(
            answer.map_or_else(|_| "(not known)".to_owned(), |value| value.human()),
        )
    });
    match rendered {
        Ok(sentence) => sentence,
        Err(never) => match never {},
    }
}
