//! Any value that somebody types arrives on the host as exactly one argument with the same bytes, or is refused by its
//! type. Nothing in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lab::Spec;
use steadyhand::engine::Planner;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::context::errand_body;
use steadyhand::engine::planner::{Before, NotOffered};
use steadyhand::library::{Folders, Library};
use steadyhand::policy::decide::Door;
use steadyhand::run::RunId;
use steadyhand::run::model::Requested;
use steadyhand::runbook::source::name::{Person, RunbookName};
use steadyhand::target::{Ending, Execution};

use crate::hosts::Reached;

/// Both ways in which a value reaches a host: as an argument of a program, and as a variable of a script. One parameter
/// of each type; each can be given, and the others stay as they are.
const RUNBOOK: &str = r#"
runbook: say-it
title: Say it on {{where}}
use_when: A value is to be seen as it arrives.
owner: data-platform
rehearse: 30d

parameters:
  cluster: { type: cluster, kind: [postgresql] }
  where: { type: host, in: cluster.hosts }
  service: { type: service }
  text: { type: text, default: a text }
  label: { type: text, pattern: "[a-z]+-[0-9]+", default: change-1 }
  flag: { type: bool, default: true }
  whole: { type: int, min: 0, max: 100, default: 7 }
  number: { type: number, min: 0.5, max: 100, default: 1.5 }
  size: { type: size, min: 1KiB, max: 1TiB, default: 1MiB }
  time: { type: duration, min: 1s, max: 1d, default: 10s }
  part: { type: percent, min: 1%, max: 100%, default: 25% }
  speed: { type: choice, one_of: [slow, fast], default: slow }

access: { start: [on-call] }

steps:
  - step: As arguments
    host: where
    effect: read
    run: [printf, "%s|", before, "{{cluster}}", "{{where}}", "{{service}}", "{{text}}", "{{label}}", "{{flag}}", "{{whole}}", "{{number}}", "{{size}}", "{{time}}", "{{part}}", "{{speed}}", after]
    at_most: 10s
  - step: As variables
    host: where
    effect: read
    script: printf '%s|' before "$cluster" "$where" "$service" "$text" "$label" "$flag" "$whole" "$number" "$size" "$time" "$part" "$speed" after
    with: { cluster: "{{cluster}}", where: "{{where}}", service: "{{service}}", text: "{{text}}", label: "{{label}}", flag: "{{flag}}", whole: "{{whole}}", number: "{{number}}", size: "{{size}}", time: "{{time}}", part: "{{part}}", speed: "{{speed}}" }
    at_most: 10s
"#;

/// The parameters, in the order in which they are printed: what they are if nobody gives another value, and how that
/// arrives. Sizes are bytes, times are seconds, percentages are numbers.
const PARAMETERS: [(&str, &str, &str); 12] = [
    ("cluster", "orders", "orders"),
    ("where", "pg2", "pg2"),
    ("service", "orders", "orders"),
    ("text", "a text", "a text"),
    ("label", "change-1", "change-1"),
    ("flag", "true", "true"),
    ("whole", "7", "7"),
    ("number", "1.5", "1.5"),
    ("size", "1MiB", "1048576"),
    ("time", "10s", "10"),
    ("part", "25%", "25"),
    ("speed", "slow", "slow"),
];

/// Our own hostile values, by what they attack.
fn own() -> Vec<String> {
    let classes: BTreeMap<String, Vec<String>> = serde_json::from_str(include_str!("naughty.json")).unwrap();
    assert!(classes.len() >= 18 && classes.values().all(|values| values.len() >= 5));
    let mut all: Vec<String> = classes.into_values().flatten().collect();
    all.extend(["x", "'", "$(id)", "\u{e9}"].map(|part| part.repeat(4_000)));
    all.extend([60_000, 100_000].map(|length| "x".repeat(length)));
    assert!(all.len() > 400, "only {} values", all.len());
    all
}

/// Public collections of hostile strings, where they lie beside the project or `STEADYHAND_CORPORA` names them.
fn corpora() -> Vec<String> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let folder = std::env::var_os("STEADYHAND_CORPORA").map_or(beside, PathBuf::from);
    // They are not part of this project; ours are.
    let Ok(naughty) = fs::read_to_string(folder.join("blns/blns.json")) else { return Vec::new() };
    let mut all: Vec<String> = serde_json::from_str(&naughty).unwrap();
    let injections = folder.join("payloadbox/command-injection-unix.every-second-line.txt");
    all.extend(fs::read_to_string(injections).unwrap().lines().map(str::to_owned));
    let samples = fs::read_to_string(folder.join("trojan-source/samples.json")).unwrap();
    let samples: serde_json::Value = serde_json::from_str(&samples).unwrap();
    let samples = samples.as_array().cloned().or_else(|| samples["samples"].as_array().cloned()).unwrap();
    all.extend(samples.iter().map(|sample| sample["text"].as_str().unwrap().to_owned()));
    assert!(all.len() > 590, "only {} strings", all.len());
    all
}

/// A bot with one runbook of its own.
fn planner_of(reached: &Reached) -> Planner {
    let bot = reached.lab.bot_dir();
    let runbooks = bot.join("own");
    fs::create_dir_all(runbooks.join("packs")).unwrap();
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runbooks/packs");
    for pack in ["haproxy.yaml", "host.yaml", "postgresql.yaml"] {
        fs::copy(shipped.join(pack), runbooks.join("packs").join(pack)).unwrap();
    }
    fs::write(runbooks.join("say-it.yaml"), RUNBOOK).unwrap();
    let folders = Folders {
        runbooks,
        inventory: Some(bot.join("inventory.yaml")),
        policy: Some(bot.join("policy.yaml")),
        known_hosts: bot.join("known_hosts"),
    };
    Planner { library: Arc::new(Library::new(folders)), target: reached.ssh.clone(), clock: Clock::System }
}

/// How often a value was taken and refused.
#[derive(Default)]
struct Tally {
    arrived: usize,
    refused: usize,
}

impl Tally {
    /// Gives one parameter a value: it arrives, and all the others as they were, or it is refused in clean words.
    async fn tries(&mut self, planner: &Planner, name: &str, value: &str) {
        match arrivals(planner, name, value).await {
            Ok(outputs) => {
                for output in outputs {
                    let said = output.strip_prefix("before|").and_then(|rest| rest.strip_suffix("|after|"));
                    let said = said.unwrap_or_else(|| panic!("{name}={value:?}: {output:?}"));
                    let index = PARAMETERS.iter().position(|(known, ..)| *known == name).unwrap();
                    let list = |others: &[(&str, &str, &str)]| {
                        let all: Vec<&str> = others.iter().map(|(.., value)| *value).collect();
                        if all.is_empty() { String::new() } else { all.join("|") + "|" }
                    };
                    let (before, after) = (list(&PARAMETERS[..index]), list(&PARAMETERS[index + 1..]));
                    let said = format!("{said}|");
                    let own = said.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after));
                    let own = own.and_then(|own| own.strip_suffix('|'));
                    let own = own.unwrap_or_else(|| panic!("{name}={value:?} changed another: {said:?}"));
                    let is_text = ["text", "label"].contains(&name);
                    // What is not a text may be written in another way: 1MiB is 1048576.
                    let is_harmless =
                        !is_text && own.chars().all(|c| c.is_ascii_alphanumeric() || ".%-".contains(c));
                    assert!(own == value || is_harmless, "{name}={value:?} arrived as {own:?}");
                }
                self.arrived += 1;
            }
            Err(not) => {
                assert_eq!(not.code, "bad-parameters", "{name}={value:?}: {not:?}");
                assert!(not.why[0].starts_with(name), "{name}={value:?}: {not:?}");
                let said = not.why.concat();
                assert!(!said.chars().any(char::is_control), "what is said is clean: {said:?}");
                self.refused += 1;
            }
        }
    }
}

#[tokio::test]
async fn a_text_arrives_as_one_argument_or_is_refused() {
    let reached = Reached::on(Spec::default().fast());
    let planner = planner_of(&reached);
    let mut tally = Tally::default();

    for value in own().into_iter().chain(corpora()) {
        tally.tries(&planner, "text", &value).await;
    }

    assert!(
        tally.arrived > 250 && tally.refused > 60,
        "{} arrived, {} refused",
        tally.arrived,
        tally.refused
    );
    assert!(!PathBuf::from("/tmp/owned").exists());
}

#[tokio::test]
async fn a_value_of_any_other_type_is_one_of_its_type_or_is_refused() {
    let reached = Reached::on(Spec::default().fast());
    let planner = planner_of(&reached);

    for (name, usual, _) in PARAMETERS.into_iter().filter(|(name, ..)| *name != "text") {
        let mut tally = Tally::default();
        for value in own() {
            tally.tries(&planner, name, &value).await;
        }
        assert!((1..40).contains(&tally.arrived), "{name}: {} arrived", tally.arrived);
        assert!(tally.refused > 350, "{name}: {} refused", tally.refused);
        tally.tries(&planner, name, usual).await;
    }
    assert!(!PathBuf::from("/tmp/owned").exists());
}

/// What the host got, for each step of the plan.
async fn arrivals(planner: &Planner, name: &str, value: &str) -> Result<Vec<String>, NotOffered> {
    let usual =
        PARAMETERS.iter().filter(|(known, ..)| *known != name).map(|(name, value, _)| (*name, *value));
    let arguments = usual.chain([(name, value)]);
    let ana = Person::new("ana").unwrap();
    let request = Requested {
        runbook: RunbookName::new("say-it").unwrap(),
        arguments: arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        reason: String::new(),
        by: ana,
        account: "ana".to_owned(),
        door: Door::Console,
    };
    let snapshot = planner.library.load().unwrap_or_else(|problems| panic!("{problems:?}"));
    let (offer, context) = planner.offer(&snapshot, RunId(1), &request, &Before::default()).await?;
    let mut outputs = Vec::new();
    for (_, unit) in offer.plan.units() {
        let command = &unit.step().unwrap().command;
        let report = planner
            .target
            .execute(Execution {
                to: context.destination(&command.host).unwrap(),
                keys: None,
                body: errand_body(&offer.plan, command, 1).unwrap(),
                secrets: command.secrets.clone(),
                limit: command.at_most.as_std(),
                step_dir: None,
                ago: std::time::Duration::ZERO,
                attempt: None,
                control: None,
                latest: None,
                link: None,
            })
            .await;
        assert_eq!(report.ending, Ending::Exited(0), "{value:?}: {report:?}");
        outputs.push(String::from_utf8(report.out.head).unwrap());
    }
    assert_eq!(outputs.len(), 2);
    Ok(outputs)
}
