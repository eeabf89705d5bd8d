//! The arrows: each module uses only those that stand above it in `src/lib.rs`, and the pure ones touch nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The pure modules: no file, no socket, no clock, no randomness, no async.
const PURE: [&str; 9] =
    ["runbook", "inventory", "policy", "duty", "authoring", "plan", "run", "incident", "wording"];

/// Arrows that exist. A new one is a decision: add it here, and say in ARCHITECTURE.md what it is for.
const ARROWS: [(&str, &[&str]); 20] = [
    ("runbook", &[]),
    ("inventory", &["runbook"]),
    ("policy", &["runbook"]),
    ("duty", &["inventory", "policy", "runbook"]),
    ("authoring", &["duty", "inventory", "policy", "runbook"]),
    ("plan", &["authoring", "duty", "policy", "runbook"]),
    ("run", &["plan", "policy", "runbook"]),
    ("incident", &["duty", "plan", "policy", "run", "runbook"]),
    ("wording", &["duty", "incident", "plan", "policy", "run", "runbook"]),
    ("failpoint", &[]),
    ("journal", &["failpoint", "incident", "plan", "policy", "run", "runbook"]),
    ("secrets", &[]),
    ("target", &["failpoint", "plan", "runbook", "secrets"]),
    ("library", &["authoring", "duty", "inventory", "plan", "policy", "runbook", "target"]),
    ("notify", &["duty", "incident", "runbook", "secrets", "target", "wording"]),
    (
        "engine",
        &[
            "authoring",
            "duty",
            "failpoint",
            "incident",
            "inventory",
            "journal",
            "library",
            "notify",
            "plan",
            "policy",
            "run",
            "runbook",
            "target",
            "wording",
        ],
    ),
    (
        "chat",
        &[
            "authoring",
            "duty",
            "engine",
            "incident",
            "journal",
            "library",
            "notify",
            "plan",
            "policy",
            "run",
            "runbook",
            "secrets",
            "target",
            "wording",
        ],
    ),
    ("config", &["chat", "library", "secrets", "target"]),
    (
        "serve",
        &[
            "chat",
            "duty",
            "engine",
            "incident",
            "inventory",
            "journal",
            "library",
            "notify",
            "run",
            "runbook",
            "secrets",
            "target",
            "wording",
        ],
    ),
    (
        "cli",
        &[
            "chat", "config", "duty", "engine", "incident", "journal", "library", "notify", "policy",
            "runbook", "secrets", "serve", "target", "wording",
        ],
    ),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file of a module: `name.rs`, or all of `name/`.
fn files_of(module: &str) -> Vec<(PathBuf, String)> {
    fn collect(path: &Path, found: &mut Vec<(PathBuf, String)>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                collect(&entry.unwrap().path(), found);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((path.to_owned(), fs::read_to_string(path).unwrap()));
        }
    }
    let mut found = Vec::new();
    collect(&source().join(module), &mut found);
    let single = source().join(format!("{module}.rs"));
    if single.exists() {
        collect(&single, &mut found);
    }
    assert!(!found.is_empty(), "{module} has no file");
    found
}

/// The code of a file, without its tests and comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let own = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    own.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The modules that a line names behind `crate::`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let behind = line.split("crate::").skip(1);
    behind.map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default())
}

#[test]
fn every_arrow_is_known_and_points_up_the_list() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let order: Vec<&str> = ARROWS.iter().map(|(module, _)| *module).collect();
    let mut wrong = Vec::new();
    let mut used: BTreeSet<(&str, String)> = BTreeSet::new();
    for module in &order {
        for (path, text) in files_of(module) {
            for (number, line) in code(&text).enumerate() {
                for to in named(line).filter(|to| to != module && order.contains(to)) {
                    used.insert((module, to.to_owned()));
                    if !allowed[module].contains(&to) {
                        wrong.push(format!("{}:{}: {module} -> {to} is new", path.display(), number + 1));
                    }
                }
            }
        }
        let place = |name: &str| order.iter().position(|known| *known == name).unwrap();
        assert!(
            allowed[module].iter().all(|to| place(to) < place(module)),
            "{module} uses what stands below it"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let gone: Vec<_> = ARROWS
        .iter()
        .flat_map(|(module, to)| to.iter().map(move |to| (*module, (*to).to_owned())))
        .filter(|arrow| !used.contains(arrow))
        .collect();
    assert!(gone.is_empty(), "these arrows exist no more, take them off the list: {gone:?}");
}

#[test]
fn the_list_is_the_reading_order_of_the_library() {
    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let listed: Vec<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();

    assert_eq!(listed, ARROWS.map(|(module, _)| module));
}

#[test]
fn pure_modules_touch_nothing() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::process",
        // `thread::scope` is fine: work that is divided and joined again comes to the same.
        "thread::sleep",
        "thread::spawn",
        "std::env",
        "std::time::Instant",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "tokio",
        "rand::",
        "async fn",
        ".await",
        "tracing",
    ];
    let mut wrong = Vec::new();
    for module in PURE {
        for (path, text) in files_of(module) {
            for line in code(&text) {
                wrong.extend(
                    forbidden
                        .iter()
                        .filter(|word| line.contains(**word))
                        .map(|word| format!("{}: {word} in `{}`", path.display(), line.trim())),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_one_room_knows_each_outside_thing() {
    // What, and the only folder or file that may name it.
    let rooms = [
        ("rusqlite", "journal/"),
        ("openssh::", "target/"),
        ("reedline", "chat/console/"),
        ("serenity", "chat/discord/"),
        ("lettre::", "notify/mail.rs"),
        ("reqwest::", "notify/"),
        ("clap::", "cli/"),
        ("axum::", "serve/"),
        ("hyper", "serve/"),
        ("granit_parser", "runbook/source/yaml.rs"),
        ("handlebars::", "runbook/text.rs"),
    ];
    for (what, room) in rooms {
        let mut seen = 0;
        for (module, _) in ARROWS {
            for (path, text) in files_of(module) {
                let inside = path.strip_prefix(source()).unwrap().starts_with(room);
                let named = code(&text).any(|line| line.contains(what));
                assert!(inside || !named, "{} names {what}, which only {room} may", path.display());
                seen += usize::from(named);
            }
        }
        assert!(seen > 0, "nothing names {what} any more: take it off the list");
    }
}
