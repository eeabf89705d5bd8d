//! A value that somebody types is refused by its type, in words for a person, or reaches the command as exactly one
//! argument with the same bytes. Nothing in between, whatever the value is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use steadyhand::authoring::Set;
use steadyhand::chat::console::render::Style;
use steadyhand::chat::grammar::{Command, command, words_of_shell};
use steadyhand::plan::bind::bind;
use steadyhand::plan::model::{Body, Offer, Plan};
use steadyhand::runbook::expression::{Facts, Value};
use steadyhand::runbook::model::Runbook;
use steadyhand::wording::moment::Moment;
use steadyhand::wording::{plan as words, refusal};

use crate::folder::Folder;
use crate::nasty::{assert_visible, own, public};
use crate::planned::{self, set_of};

/// A parameter of every type, with a value that fits.
const PARAMETERS: [(&str, &str, &str); 12] = [
    ("bool", "{ type: bool }", "true"),
    ("int", "{ type: int, min: 1, max: 9 }", "3"),
    ("number", "{ type: number, min: 0.5 }", "1.5"),
    ("size", "{ type: size, max: 1GiB }", "16MiB"),
    ("duration", "{ type: duration }", "30s"),
    ("percent", "{ type: percent, max: 100% }", "25%"),
    ("text", "{ type: text }", "words"),
    ("pattern", "{ type: text, pattern: '[a-z]+' }", "words"),
    ("choice", "{ type: choice, one_of: [slow, fast] }", "slow"),
    ("cluster", "{ type: cluster, kind: [store] }", "books"),
    ("host", "{ type: host, in: cluster.hosts }", "db2"),
    ("service", "{ type: service }", "shop"),
];

fn set() -> Set {
    let mut runbook = String::from(
        "runbook: values\ntitle: Say {{text}}\nuse_when: A test says so.\nowner: team\nrehearse: 30d\naccess: { start: [team] }\nparameters:\n",
    );
    let mut steps = String::from("steps:\n");
    // The host comes after its cluster.
    for (name, form, _) in PARAMETERS {
        runbook += &format!("  {name}_value: {form}\n").replace("cluster.hosts", "cluster_value.hosts");
        let _ = write!(
            steps,
            "  - step: Say {name} {{{{{name}_value}}}}\n    host: cluster_value.primary\n    effect: read\n    run: [say, \"{{{{{name}_value}}}}\"]\n    at_most: 1s\n"
        );
    }
    steps += "  - step: Say it in a script\n    host: cluster_value.primary\n    effect: read\n    with: { text: \"{{text_value}}\" }\n    script: echo \"$text\"\n    at_most: 1s\n";
    let runbook = runbook.replace("{{text}}", "{{text_value}}") + &steps;
    set_of(&Folder::town().with("runbooks/values.yaml", runbook))
}

fn runbook(set: &Set) -> &Runbook {
    &set.runbooks["values"]
}

/// All values that fit, but one.
fn arguments(of: &str, value: &str) -> Vec<(String, String)> {
    let one = |(name, _, fits): (&str, &str, &str)| {
        (format!("{name}_value"), if name == of { value.to_owned() } else { fits.to_owned() })
    };
    PARAMETERS.map(one).to_vec()
}

fn offer(set: &Set, values: BTreeMap<String, Value>) -> Offer {
    planned::offer(set, runbook(set), values, ("books", "db1", &["db2", "db3"]), &Facts::default())
}

/// The arguments of the step that says this parameter, and the variables of the script.
fn commands(plan: &Plan) -> (Vec<Vec<String>>, Vec<BTreeMap<String, String>>) {
    let (mut argvs, mut variables) = (Vec::new(), Vec::new());
    for step in plan.units().filter_map(|(_, unit)| unit.step()) {
        match &step.command.body {
            Body::Run { argv } => argvs.push(argv.clone()),
            Body::Script { variables: set, .. } => variables.push(set.clone()),
        }
    }
    (argvs, variables)
}

/// Gives a value to a parameter of each type. Says how often it was taken.
fn try_everywhere(set: &Set, given: &str) -> usize {
    let mut taken = 0;
    for (index, (name, _, fits)) in PARAMETERS.into_iter().enumerate() {
        match bind(set, runbook(set), &arguments(name, given), Some("because it is a test")) {
            Err(wrong) => {
                assert_eq!(wrong.len(), 1, "{name} {given:?}: {wrong:?}");
                let what = &wrong[0].what;
                assert!(what.ends_with('.') && what.contains(' '), "{name} {given:?}: {what}");
                assert!(what.chars().count() < 400, "{name}: {} characters are said", what.chars().count());
                assert_visible(&Style::PIPE.page(&refusal::wrong_values(&runbook(set).name, &wrong)), given);
            }
            Ok(values) => {
                taken += 1;
                let offer = offer(set, values);
                let (argvs, variables) = commands(&offer.plan);
                let said = &argvs[index];
                assert_eq!(said.len(), 2, "{name} {given:?}: {said:?}");
                let exact =
                    ["text", "pattern", "choice", "cluster", "host", "service", "bool"].contains(&name);
                if exact {
                    assert_eq!(said[1], given, "{name}");
                }
                if name == "text" {
                    assert_eq!(variables[0].get("text").map(String::as_str), Some(given));
                }
                assert!(!said[1].starts_with('-') || fits != "words", "{name}: {}", said[1]);
                let moment = Moment { now: offer.measured.0, zone: jiff::tz::TimeZone::UTC };
                assert_visible(&Style::PIPE.page(&words::long(&offer, &moment)), given);
                let look = words::looked_at(&offer, &offer.plan.asked_by, None, &moment);
                assert_visible(&Style::PIPE.page(&look), given);
            }
        }
        // The door keeps the bytes too: the shell has parted the words already.
        let line = ["run".to_owned(), "values".to_owned(), format!("{name}_value={given}")];
        let Ok(Command::Run { arguments, .. }) = command(&words_of_shell(&line)) else { panic!("{given:?}") };
        assert_eq!(arguments, [(format!("{name}_value"), given.to_owned())]);
    }
    taken
}

#[test]
fn every_value_that_fits_is_taken() {
    let set = set();

    let values = bind(&set, runbook(&set), &arguments("", ""), None).unwrap();

    let (argvs, _) = commands(&offer(&set, values).plan);
    let said: Vec<&str> = argvs.iter().map(|argv| argv[1].as_str()).collect();
    assert_eq!(
        said,
        ["true", "3", "1.5", "16777216", "30", "25", "words", "words", "slow", "books", "db2", "shop"]
    );
}

#[test]
fn our_nasty_values_are_refused_or_one_argument() {
    let set = set();

    let taken: usize = own().iter().map(|value| try_everywhere(&set, value)).sum();

    // Free text takes what can be seen; were it all refused, this test would show nothing.
    assert!(taken > 80, "{taken}");
}

#[test]
fn public_nasty_values_are_refused_or_one_argument() {
    let set = set();
    let (values, skipped) = public();

    let taken: usize = values.iter().map(|value| try_everywhere(&set, value)).sum();

    eprintln!(
        "{} public values, {taken} of them taken somewhere, {skipped} of 3 collections skipped",
        values.len()
    );
    assert!(skipped == 3 || taken > 20, "{taken}");
}

#[test]
fn a_value_below_its_limit_is_refused_whatever_its_sign() {
    let set = set();
    for (name, value, why) in [
        ("int", "0", "is below 1"),
        ("int", "-5", "is below 1"),
        ("int", "10", "is above 9"),
        ("number", "-2.5", "is below 0.5"),
        ("size", "2GiB", "is above 1 GiB"),
    ] {
        let wrong = bind(&set, runbook(&set), &arguments(name, value), None).unwrap_err();

        assert!(wrong[0].what.contains(why), "{name} {value}: {}", wrong[0].what);
    }
}

#[test]
fn a_reason_is_held_to_the_same() {
    let set = set();
    for reason in own() {
        if let Err(wrong) = bind(&set, runbook(&set), &arguments("", ""), Some(&reason)) {
            assert_visible(&Style::PIPE.page(&refusal::wrong_values(&runbook(&set).name, &wrong)), &reason);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused_or_one_argument(value in ".{0,40}") {
        thread_local!(static SET: Set = set());
        SET.with(|set| try_everywhere(set, &value));
    }
}
