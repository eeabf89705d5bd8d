//! Any value that somebody types arrives on the host as exactly one argument with the same bytes, or is refused by its
//! type. Nothing in between.

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

/// Both ways in which a value reaches a host: as an argument of a program, and as a variable of a script.
const RUNBOOK: &str = r#"
runbook: say-it
title: Say it on {{where}}
use_when: A value is to be seen as it arrives.
owner: data-platform
rehearse: 30d

parameters:
  cluster: { type: cluster, kind: [postgresql] }
  where: { type: host, in: cluster.hosts }
  value: { type: text }

access: { start: [on-call] }

steps:
  - step: As an argument
    host: where
    effect: read
    run: [printf, "%s|", before, "{{value}}", after]
    at_most: 10s
  - step: As a variable
    host: where
    effect: read
    script: printf '%s|' before "$value" after
    with: { value: "{{value}}" }
    at_most: 10s
"#;

/// Ours; whatever the collections bring comes on top.
const NASTY: [&str; 26] = [
    "plain",
    "",
    " ",
    " two  spaces ",
    "it's",
    "\"quoted\"",
    "'; touch /tmp/owned; '",
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "${HOME}",
    "$HOME",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "-rf",
    "--help",
    "a && b || c ; d | e > f < g & h",
    "*",
    "~",
    "\\",
    "\\'",
    "%s%n%x",
    "{{value}} {{cluster}}",
    "\u{202e}txt.exe",
    "zero\u{200b}width",
    "nul\0byte",
];

fn corpora() -> Vec<String> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let folder = std::env::var_os("STEADYHAND_CORPORA").map_or(beside, PathBuf::from);
    let Ok(naughty) = fs::read_to_string(folder.join("blns/blns.json")) else {
        println!("SKIPPED: the public collections of hostile strings are not in {}", folder.display());
        return Vec::new();
    };
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

#[tokio::test]
async fn a_value_arrives_as_one_argument_or_is_refused_by_its_type() {
    let reached = Reached::on(Spec::default().fast());
    let bot = reached.lab.bot_dir();
    let runbooks = bot.join("own");
    fs::create_dir_all(runbooks.join("packs")).unwrap();
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runbooks/packs");
    for pack in ["host.yaml", "postgresql.yaml"] {
        fs::copy(shipped.join(pack), runbooks.join("packs").join(pack)).unwrap();
    }
    fs::write(runbooks.join("say-it.yaml"), RUNBOOK).unwrap();
    let folders = Folders {
        runbooks,
        inventory: Some(bot.join("inventory.yaml")),
        policy: Some(bot.join("policy.yaml")),
        known_hosts: bot.join("known_hosts"),
    };
    let planner = Planner {
        library: Arc::new(Library::new(folders)),
        target: reached.ssh.clone(),
        clock: Clock::System,
    };

    let own = NASTY.map(str::to_owned);
    let (mut arrived, mut refused) = (0, 0);
    for value in own.into_iter().chain(corpora()) {
        match arrivals(&planner, &value).await {
            Ok(outputs) => {
                for output in outputs {
                    assert_eq!(output, format!("before|{value}|after|"), "{value:?}");
                }
                arrived += 1;
            }
            Err(not) => {
                assert_eq!(not.code, "bad-parameters", "{value:?}: {not:?}");
                assert!(not.why[0].starts_with("value"), "{value:?}: {not:?}");
                let said = not.why.concat();
                assert!(!said.chars().any(char::is_control), "what is said is clean: {said:?}");
                refused += 1;
            }
        }
    }

    println!("{arrived} arrived, {refused} refused");
    assert!(arrived > 15 && refused > 4, "{arrived} arrived, {refused} refused");
    assert!(!PathBuf::from("/tmp/owned").exists());
}

/// What the host got, for each step of the plan.
async fn arrivals(planner: &Planner, value: &str) -> Result<Vec<String>, NotOffered> {
    let arguments = [("cluster", "orders"), ("where", "pg2"), ("value", value)];
    let ana = Person::new("ana").unwrap();
    let request = Requested {
        runbook: RunbookName::new("say-it").unwrap(),
        arguments: arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
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
                limit: command.at_most.as_std(),
                step_dir: None,
                end_with_link: true,
                control: None,
                latest: None,
            })
            .await;
        assert_eq!(report.ending, Ending::Exited(0), "{value:?}: {report:?}");
        outputs.push(String::from_utf8(report.out.head).unwrap());
    }
    assert_eq!(outputs.len(), 2);
    Ok(outputs)
}
