//! Completion on a terminal: words, runbooks, parameters, and values out of the inventory. Nothing is measured.

use std::collections::BTreeSet;
use std::sync::Arc;

use reedline::{Completer, CompletionResult, Span, Suggestion};

use crate::library::{Library, Snapshot};
use crate::runbook::model::{ParameterKind, Runbook};
use crate::wording::look::VERBS;

/// Completes lines.
pub struct Words {
    library: Arc<Library>,
    demo: bool,
    runs: Box<dyn Fn() -> Vec<String> + Send>,
}

impl Words {
    /// Completes from this folder of runbooks; `runs` gives the numbers of open runs.
    pub fn new(library: Arc<Library>, demo: bool, runs: Box<dyn Fn() -> Vec<String> + Send>) -> Self {
        Self { library, demo, runs }
    }

    /// What the word at the end of a line may become.
    fn candidates(&self, line: &str) -> Vec<String> {
        let begun: Vec<&str> = line.split(' ').collect();
        let (last, before) = begun.split_last().map_or(("", &[][..]), |(last, before)| (*last, before));
        let before: Vec<&str> = before.iter().copied().filter(|word| !word.is_empty()).collect();
        let Some(verb) = before.first().map(|verb| verb.trim_start_matches('/')) else {
            let mut verbs: Vec<String> = VERBS.iter().map(|verb| verb.word.to_owned()).collect();
            if self.demo {
                verbs.extend(["as", "next", "lab"].map(str::to_owned));
            }
            verbs.push("exit".to_owned());
            return verbs;
        };
        let Ok(snapshot) = self.library.load() else { return Vec::new() };
        let set = &snapshot.set;
        let names = || set.runbooks.keys().map(ToString::to_string).collect::<Vec<_>>();
        match (verb, before.len()) {
            ("show" | "runbooks" | "run", 1) => names(),
            ("help", 1) => VERBS.iter().map(|verb| verb.word.to_owned()).collect(),
            ("plan", 1) => names().into_iter().chain((self.runs)()).collect(),
            ("who", 1) => vec!["owns".to_owned()],
            ("who", 2) => set.inventory.hosts.keys().map(ToString::to_string).collect(),
            ("journal", 1) => vec!["show".to_owned(), "verify".to_owned()],
            ("as", 1) | ("handover", 2) => people(&snapshot),
            ("run" | "plan", _) => match before.get(1).and_then(|name| set.runbooks.get(*name)) {
                Some(runbook) => parameters(&snapshot, runbook, &before[2..], last),
                None => Vec::new(),
            },
            (verb, 1) if VERBS.iter().any(|known| known.word == verb && !known.looks()) => (self.runs)(),
            ("status" | "output", 1) | ("journal", 2) => (self.runs)(),
            ("answer", 3) => vec!["go-on".to_owned(), "stop".to_owned()],
            _ => Vec::new(),
        }
    }
}

fn people(snapshot: &Snapshot) -> Vec<String> {
    match &snapshot.set.policy {
        Ok(policy) => policy.people.keys().map(ToString::to_string).collect(),
        Err(_) => Vec::new(),
    }
}

/// Parameters that are not given yet, and values of the one that is being typed.
fn parameters(snapshot: &Snapshot, runbook: &Runbook, given: &[&str], last: &str) -> Vec<String> {
    let inventory = &snapshot.set.inventory;
    if let Some((name, _)) = last.split_once('=') {
        let Some(parameter) = runbook.parameters.iter().find(|parameter| parameter.name.value == name) else {
            return Vec::new();
        };
        let values: Vec<String> = match &parameter.kind {
            ParameterKind::Choice(words) => words.iter().map(|word| word.value.clone()).collect(),
            ParameterKind::Bool => vec!["true".to_owned(), "false".to_owned()],
            ParameterKind::Service => inventory.services.keys().map(ToString::to_string).collect(),
            ParameterKind::Cluster(kinds) => {
                let fits = |kind: &str| kinds.iter().any(|word| word.value == kind);
                let clusters = inventory.clusters.iter().filter(|(_, cluster)| fits(&cluster.kind));
                clusters.map(|(name, _)| name.to_string()).collect()
            }
            // Who is a replica is measured; the members of the cluster are possible.
            ParameterKind::Host(_) => {
                let cluster = given.iter().find_map(|word| inventory.clusters.get(word.split_once('=')?.1));
                match cluster {
                    Some(cluster) => cluster.hosts.iter().map(|word| word.value.clone()).collect(),
                    None => inventory.hosts.keys().map(ToString::to_string).collect(),
                }
            }
            _ => Vec::new(),
        };
        return values.into_iter().map(|value| format!("{name}={value}")).collect();
    }
    let names = runbook.parameters.iter().map(|parameter| parameter.name.value.as_str()).chain(["reason"]);
    let missing = names.filter(|name| !given.iter().any(|word| word.starts_with(&format!("{name}="))));
    missing.map(|name| if name == "reason" { "reason=\"".to_owned() } else { format!("{name}=") }).collect()
}

impl Completer for Words {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let line = line.get(..position).unwrap_or(line);
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        let word = &line[start..];
        let fitting: BTreeSet<String> =
            self.candidates(line).into_iter().filter(|candidate| candidate.starts_with(word)).collect();
        let suggestion = |value: String| Suggestion {
            append_whitespace: !value.ends_with(['=', '"']),
            value,
            span: Span::new(start, position),
            ..Suggestion::default()
        };
        CompletionResult::fresh(fitting.into_iter().map(suggestion).collect::<Vec<_>>())
    }
}
