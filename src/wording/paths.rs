//! The paths out of the house: how each is, whose way it is, and what is said of one that is red.

use std::collections::BTreeMap;

use super::moment::Moment;
use super::page::{Below, Block, Page, Role as Look, Row, Table, cell, plain};
use crate::duty::path::{GOOD_FOR, State};
use crate::duty::trials::{Target, Whose};
use crate::incident::paths::Seen;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::PathName;

/// What an incident is called that is opened because of a path: everybody may read it.
pub const TITLE: &str = "How people are told";
/// So many people are named; of more it is said how many.
const NAMED: usize = 5;

/// Why a path is red: `3 tries in a row failed since 02:40 CET, the last one: no answer in 15 s`.
pub fn why_red(seen: &Seen, moment: &Moment) -> String {
    let known = &seen.known;
    match (known.since, known.took) {
        (Some(since), _) if known.fails() => format!(
            "{} tries in a row failed since {}, the last one: {}",
            known.failed,
            moment.time(since),
            visible(known.why.trim_end_matches('.'))
        ),
        (_, Some(took)) => format!("it took nothing since {}", moment.time(took)),
        (_, None) => "it was never tried".to_owned(),
    }
}

/// What that means: whose way it is, what goes instead, and what waits.
pub fn what_is_red(seen: &Seen, states: &BTreeMap<PathName, State>) -> String {
    let whose = whose(&seen.whose).map_or_else(String::new, |whose| format!(" It is {whose}."));
    let instead: Vec<String> = seen.whose.instead.iter().map(|path| with_state(path, states)).collect();
    let instead = match instead.as_slice() {
        [] => " Nothing goes instead: they have no other path.".to_owned(),
        paths => format!(" Instead goes: {}.", paths.join(", ")),
    };
    let waits = match seen.waits {
        0 => String::new(),
        1 => " 1 notice waits for it and is tried again.".to_owned(),
        waits => format!(" {waits} notices wait for it and are tried again."),
    };
    format!("Path {} is red.{whose}{instead}{waits} To try it: notify test {}", seen.path, seen.path)
}

fn with_state(path: &PathName, states: &BTreeMap<PathName, State>) -> String {
    let state = states.get(path).map_or(State::Untested, |state| *state);
    format!("{path}, which is {}", state.word())
}

/// `the 1st way to ana and ben and the last resort of on-call`
fn whose(whose: &Whose) -> Option<String> {
    let ways = whose.people.iter().map(|(place, people)| {
        let names: Vec<String> = people.iter().map(ToString::to_string).collect();
        format!("the {} way to {}", nth(*place), some_of(&names))
    });
    let roles: Vec<String> = whose.last_resort_of.iter().map(ToString::to_string).collect();
    let resort = (!roles.is_empty()).then(|| format!("the last resort of {}", some_of(&roles)));
    let all: Vec<String> = ways.chain(resort).collect();
    (!all.is_empty()).then(|| all.join(", and "))
}

fn some_of(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        [others @ .., last] if names.len() <= NAMED => format!("{} and {last}", others.join(", ")),
        _ => {
            let first: Vec<_> = names.iter().take(NAMED).cloned().collect();
            format!("{} and {} more", first.join(", "), names.len().saturating_sub(NAMED))
        }
    }
}

fn nth(place: usize) -> String {
    let ending = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{ending}")
}

/// When a path is tried next, or why it is not.
pub fn next_trial(seen: &Seen, moment: &Moment) -> String {
    match (&seen.target, seen.next) {
        (Target::Public, _) => "never: customers read it".to_owned(),
        (Target::Nobody, _) => "never: nobody has it".to_owned(),
        (_, _) if seen.waits > 0 => "notices wait for it".to_owned(),
        (_, Some(next)) if next <= moment.now => "now".to_owned(),
        (_, Some(next)) => moment.with_distance(next),
        (_, None) => String::new(),
    }
}

/// How the paths are, in a line: `Paths: 2 green, 1 untested, 1 RED (sms).` Nothing where there are none.
pub fn line(all: &[Seen]) -> Page {
    let of = |state: State| all.iter().filter(move |seen| seen.state == state);
    let count = |state: State, word: &str| match of(state).count() {
        0 => None,
        count => Some(format!("{count} {word}")),
    };
    let red: Vec<&str> = of(State::Red).map(|seen| seen.path.as_str()).collect();
    let red = (!red.is_empty()).then(|| format!("{} RED ({})", red.len(), red.join(", ")));
    let says: Vec<String> = [count(State::Green, "green"), count(State::Untested, "untested"), red]
        .into_iter()
        .flatten()
        .collect();
    if says.is_empty() {
        Page::new()
    } else {
        Page::sentence(format!("Paths: {}. More: notify paths", says.join(", ")))
    }
}

/// All paths, each with how it is.
pub fn list(all: &[Seen], moment: &Moment) -> Page {
    if all.is_empty() {
        return Page::sentence(
            "There are no paths: notify.yaml names none, so that nobody is told of anything.",
        )
        .next("steadyhand check", "in a shell, says what is wrong with the file, if something is");
    }
    let row = |seen: &Seen| {
        let look = match seen.state {
            State::Green => Look::Good,
            State::Untested => Look::Quiet,
            State::Red => Look::Danger,
        };
        let mark = match seen.state {
            State::Green => "+ green",
            State::Untested => ". untested",
            State::Red => "! RED",
        };
        let known = &seen.known;
        let mut below: Vec<Below> = whose(&seen.whose).map(Below::Text).into_iter().collect();
        if seen.state == State::Red || known.failed > 0 {
            below.push(Below::Text(why_not_well(seen, moment)));
        }
        Row {
            cells: vec![
                plain(seen.path.to_string()),
                cell(mark, look),
                plain(known.took.map_or_else(|| "never".to_owned(), |took| moment.time(took))),
                plain(next_trial(seen, moment)),
            ],
            below,
        }
    };
    let heads = ["PATH", "STATE", "TOOK LAST", "TRIED NEXT"].map(str::to_owned).to_vec();
    let rows = all.iter().map(row).collect();
    let page = Page::new().with(Block::Table(Table { heads, wide: Vec::new(), rows }));
    match all.iter().find(|seen| seen.state == State::Red && seen.target.letter().is_some()) {
        Some(red) => page.next(format!("notify test {}", red.path), "tries it now"),
        None => page,
    }
}

fn why_not_well(seen: &Seen, moment: &Moment) -> String {
    let known = &seen.known;
    match known.since {
        Some(since) if !known.fails() => format!(
            "{} of 3 tries failed since {}, the last one: {}",
            known.failed,
            moment.time(since),
            visible(known.why.trim_end_matches('.'))
        ),
        _ => why_red(seen, moment),
    }
}

/// How a path is, for `steadyhand doctor`: what is said of it, and what to do if it is red.
pub fn examined(seen: &Seen, moment: &Moment) -> (String, Option<String>) {
    let path = &seen.path;
    let last = || match seen.known.took {
        Some(took) => format!("took something last at {}", moment.with_distance(took)),
        None => "untested".to_owned(),
    };
    let days = GOOD_FOR.0 / (24 * 3_600_000);
    match (seen.state, &seen.target) {
        (State::Red, _) if seen.known.fails() => (
            format!("{path}: red, {}", why_red(seen, moment)),
            Some(format!("look at what it depends on, then notify test {path}")),
        ),
        (State::Red, _) => (
            format!("{path}: {}", last()),
            Some(format!("notify test {path}; it took nothing for {days} days")),
        ),
        (State::Untested, Target::Public) => {
            (format!("{path}: untested; what is published proves it, it is never tried"), None)
        }
        (State::Untested, Target::Nobody) => {
            (format!("{path}: untested; nobody has it as a way, so it is never tried"), None)
        }
        (State::Untested, _) => {
            (format!("{path}: untested; whether it works is seen by notify test {path}"), None)
        }
        (State::Green, _) => (format!("{path}: {}", last()), None),
    }
}
