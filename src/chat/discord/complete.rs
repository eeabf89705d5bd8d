//! What Discord offers while somebody types: only what they may know, and nothing is measured for it.

use serde_json::{Value, json};

use super::commands::{ANY, Filled};
use super::limits::{DESCRIPTION, OPTIONS, cut};
use crate::chat::desk::Desk;
use crate::engine::{Engine, Speaker};
use crate::library::Snapshot;
use crate::policy::decide::{Ruling, role_names};
use crate::wording::look::VERBS;
use crate::wording::plan::target;

/// Name and value of each, for the option that is being typed.
pub(super) fn choices(
    desk: &Desk,
    speaker: &Speaker,
    filled: &Filled,
    option: &str,
    begun: &str,
) -> Vec<Value> {
    // Whom the policy does not know is told no names.
    let Some(snapshot) = desk.files_for(speaker) else { return Vec::new() };
    let inventory = &snapshot.set.inventory;
    let words = |names: Vec<String>| names.into_iter().map(|name| (name.clone(), json!(name))).collect();
    let name = filled.path.first().map(String::as_str).unwrap_or_default();
    let all: Vec<(String, Value)> = match (name, option) {
        ("run", "runbook") if filled.path.last().is_some_and(|last| last == ANY) => {
            words(may_run(&snapshot, speaker))
        }
        ("run", parameter) if filled.path.len() > 1 => {
            let runbook = filled.runbook().and_then(|name| snapshot.set.runbooks.get(name));
            let mine = may_run(&snapshot, speaker);
            match runbook.filter(|runbook| mine.iter().any(|name| name == runbook.name.as_str())) {
                Some(runbook) => words(desk.values_for(&snapshot, runbook, parameter, &filled.options)),
                None => Vec::new(),
            }
        }
        ("help", _) => words(VERBS.iter().map(|verb| verb.word.to_owned()).collect()),
        ("show", _) => words(snapshot.set.runbooks.keys().map(ToString::to_string).collect()),
        ("who", _) => words(inventory.hosts.keys().map(ToString::to_string).collect()),
        ("handover" | "incident", "person") => match &snapshot.set.policy {
            Ok(policy) => words(policy.people.keys().map(ToString::to_string).collect()),
            Err(_) => Vec::new(),
        },
        ("status", _) => {
            let runs = runs(desk).into_iter().map(|(name, id)| (name, json!(id.to_string())));
            let clusters = inventory.clusters.keys().map(ToString::to_string);
            let others: Vec<String> =
                clusters.chain(inventory.hosts.keys().map(ToString::to_string)).collect();
            runs.chain(others.into_iter().map(|name| (name.clone(), json!(name)))).collect()
        }
        ("report", "of") => {
            let services = inventory.services.keys().map(|name| (name.to_string(), json!(name.to_string())));
            services.chain(incidents(desk).into_iter().map(|(name, id)| (name, json!(id)))).collect()
        }
        ("incident", "service") => words(inventory.services.keys().map(ToString::to_string).collect()),
        ("incident" | "notify", "incident") => {
            incidents(desk).into_iter().map(|(name, id)| (name, json!(id))).collect()
        }
        ("notify", "path") => match &snapshot.set.notify {
            Ok(notify) => words(notify.paths.keys().map(ToString::to_string).collect()),
            Err(_) => Vec::new(),
        },
        (_, "run") => runs(desk).into_iter().map(|(name, id)| (name, json!(id))).collect(),
        _ => Vec::new(),
    };
    let begun = begun.to_lowercase();
    let fits = |(name, _): &(String, Value)| name.to_lowercase().contains(&begun);
    let mut all: Vec<(String, Value)> = all.into_iter().filter(fits).collect();
    all.sort_by_key(|(name, _)| !name.to_lowercase().starts_with(&begun));
    let choice = |(name, value): (String, Value)| json!({ "name": cut(&name, DESCRIPTION), "value": value });
    all.into_iter().take(OPTIONS).map(choice).collect()
}

fn may_run(snapshot: &Snapshot, speaker: &Speaker) -> Vec<String> {
    let (Ok(policy), Some(person)) = (&snapshot.set.policy, &speaker.person) else { return Vec::new() };
    let may = |start: &[String]| policy.needs_role(person, "Running", start) == Ruling::Allow;
    let all = snapshot.set.runbooks.values().filter(|runbook| may(&role_names(&runbook.access.start)));
    all.map(|runbook| runbook.name.to_string()).collect()
}

/// Open incidents, each with what it is about.
fn incidents(desk: &Desk) -> Vec<(String, String)> {
    let open = desk.engine.as_ref().map(|engine| engine.incidents().open()).unwrap_or_default();
    let named = open.iter().map(|it| {
        let name = format!("{} · {} · {}", it.id, it.severity.word(), it.opened.title);
        (crate::runbook::source::hidden::visible(&name), it.id.to_string())
    });
    named.collect()
}

/// Open runs, each with what it is about.
fn runs(desk: &Desk) -> Vec<(String, u64)> {
    let runs = desk.engine.as_ref().map(Engine::open_runs).unwrap_or_default();
    let named = runs.iter().map(|run| {
        let on = run.plan().map(|plan| format!(" · {}", target(plan))).unwrap_or_default();
        (format!("{} · {}{on}", run.id, run.request.runbook), run.id.0)
    });
    named.collect()
}
