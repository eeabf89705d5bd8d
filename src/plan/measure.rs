//! From a measurement to the command that answers it, and from what the command printed to results.

use std::collections::BTreeMap;

use super::situation::Situation;
use crate::authoring::Set;
use crate::runbook::expression::{Ask, Facts, NoAnswer, Reading, Type, Value};
use crate::runbook::model::{Action, Command as ModelCommand, Pack, Probe, Runbook, ValueType, Word};
use crate::runbook::source::literal::{Millis, Size};
use crate::runbook::source::name::HostName;
use crate::runbook::text::Text;

/// A probe prints at most so many bytes.
pub const MAX_RESULT_BYTES: usize = 64 * 1024;

/// Kept of the beginning of a stream, in bytes. A probe's whole answer fits.
pub const HEAD_BYTES: usize = MAX_RESULT_BYTES + 1;
/// Kept of the end of a stream, in bytes.
pub const TAIL_BYTES: usize = 64 * 1024;

/// A command with its values, for one host: what a probe asks, or what a step does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errand {
    /// Where it runs.
    pub host: HostName,
    /// What is executed.
    pub body: ErrandBody,
    /// The names of the secrets that it gets.
    pub secrets: Vec<String>,
    /// How long it may take.
    pub at_most: Millis,
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrandBody {
    /// A program with its arguments.
    Run(Vec<String>),
    /// A script with its variables.
    Script {
        /// Its text, prelude included.
        text: String,
        /// Its variables.
        variables: BTreeMap<String, String>,
    },
}

/// The question of one measurement on one host.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// What is executed.
    pub errand: Errand,
    /// The probe, as `postgresql/node`.
    pub probe: String,
    /// What it prints.
    pub results: Vec<(String, ValueType)>,
}

/// The pack that `pack/name` or `parameter/name` means, and the name.
pub fn pack_and_name<'s, 'w>(
    set: &'s Set,
    values: &BTreeMap<String, Value>,
    word: &'w str,
) -> Result<(&'s Pack, &'w str), NoAnswer> {
    let (first, name) = word.split_once('/').ok_or_else(|| NoAnswer(format!("`{word}` names no pack")))?;
    let kind = match values.get(first) {
        Some(Value::Cluster(cluster)) => {
            set.inventory.clusters.get(cluster).map(|cluster| cluster.kind.value.as_str())
        }
        _ => Some(first),
    };
    let pack = kind.and_then(|kind| set.packs.get(kind));
    pack.map(|pack| (pack, name)).ok_or_else(|| NoAnswer(format!("there is no pack for `{first}`")))
}

/// What has to be sent to answer one question of a runbook.
pub fn inquiry(set: &Set, runbook: &Runbook, situation: &Situation, ask: &Ask) -> Result<Inquiry, NoAnswer> {
    let none = |why: String| NoAnswer(why);
    let measure = runbook
        .measure(&ask.measurement)
        .ok_or_else(|| none(format!("nothing measures `{}`", ask.measurement)))?;
    if let Some(why) = situation.nowhere.get(&ask.measurement) {
        return Err(why.clone());
    }
    let host = ask.host.as_ref().or_else(|| situation.one_host.get(&ask.measurement));
    let host = host.ok_or_else(|| none(format!("`{}` asks nobody", ask.measurement)))?;
    let (pack, name) = pack_and_name(set, &situation.values, &measure.probe)?;
    let probe = pack.probe(name).ok_or_else(|| none(format!("{} has no probe `{name}`", pack.name)))?;
    let inputs = render_inputs(situation, &situation.values, &measure.with)?;
    probe_inquiry(set, pack, probe, host, inputs, situation)
}

/// The question of a probe on a host, with these inputs.
pub fn probe_inquiry(
    set: &Set,
    pack: &Pack,
    probe: &Probe,
    host: &HostName,
    inputs: BTreeMap<String, String>,
    situation: &Situation,
) -> Result<Inquiry, NoAnswer> {
    let body = probe.body.as_ref().ok_or_else(|| NoAnswer(format!("{} does nothing", probe.name.value)))?;
    let variables = variables(set, pack, host, inputs)?;
    let run_id = situation.records.run.get("id").and_then(Value::raw).unwrap_or_default();
    let body = match errand_body(pack, body, variables)? {
        ErrandBody::Script { text, mut variables } => {
            variables.insert("run_id".to_owned(), run_id);
            ErrandBody::Script { text, variables }
        }
        run @ ErrandBody::Run(_) => run,
    };
    Ok(Inquiry {
        errand: Errand { host: host.clone(), body, secrets: names(&probe.secrets), at_most: probe.at_most },
        probe: format!("{}/{}", pack.name, probe.name.value),
        results: probe.results.iter().map(|(name, kind)| (name.value.clone(), kind.clone())).collect(),
    })
}

/// The inputs of a probe or action as plain text. A value that is missing has no text.
pub fn render_inputs(
    situation: &Situation,
    values: &BTreeMap<String, Value>,
    with: &[(Word, Text)],
) -> Result<BTreeMap<String, String>, NoAnswer> {
    with.iter().map(|(name, text)| Ok((name.value.clone(), render_raw(situation, values, text)?))).collect()
}

/// A text as a command gets it, in one pass.
pub fn render_raw(
    situation: &Situation,
    values: &BTreeMap<String, Value>,
    text: &Text,
) -> Result<String, NoAnswer> {
    let facts = Facts::default();
    let meaning = situation.meaning_of(values, &facts);
    text.render(|tree| match meaning.evaluate_tree(tree).answer? {
        Value::None => Err(NoAnswer(format!("a value in `{}` is none", text.source))),
        value => value.raw().ok_or_else(|| NoAnswer(format!("a list in `{}` does not print", text.source))),
    })
}

/// The variables of a pack's scripts on a host: ours, its settings, the inputs.
fn variables(
    set: &Set,
    pack: &Pack,
    host: &HostName,
    inputs: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, NoAnswer> {
    let known = set.inventory.hosts.get(host).ok_or_else(|| NoAnswer(format!("there is no host {host}")))?;
    let mut variables = BTreeMap::from([
        ("host".to_owned(), host.to_string()),
        ("address".to_owned(), known.address.value.clone()),
    ]);
    for (setting, kind) in &pack.settings {
        let given = set.inventory.setting_of(host.as_str(), setting).map(|word| word.value.as_str());
        let value = match given.filter(|text| *text != "none") {
            None => String::new(),
            Some(text) => match crate::runbook::given::read_value(text, &kind.kind) {
                Ok(value) => value.raw().unwrap_or_default(),
                Err(_) => {
                    return Err(NoAnswer(format!("`{}` of {host} is not {}", setting.value, kind.kind)));
                }
            },
        };
        variables.insert(setting.value.clone(), value);
    }
    variables.extend(inputs);
    Ok(variables)
}

/// A pack's command with its values.
fn errand_body(
    pack: &Pack,
    command: &ModelCommand,
    variables: BTreeMap<String, String>,
) -> Result<ErrandBody, NoAnswer> {
    match command {
        ModelCommand::Script(script) => {
            let prelude = pack.prelude.as_ref().map_or("", |prelude| prelude.value.as_str());
            Ok(ErrandBody::Script { text: format!("{prelude}{}", script.value), variables })
        }
        ModelCommand::Run(arguments) => {
            let print = |tree: &crate::runbook::expression::tree::Tree| match &tree.node {
                crate::runbook::expression::tree::Node::Name(name) => variables
                    .get(name)
                    .cloned()
                    .ok_or_else(|| NoAnswer(format!("nothing sets `{name}` in a command of {}", pack.name))),
                _ => Err(NoAnswer("a command of a pack sees plain names only".to_owned())),
            };
            arguments.iter().map(|text| text.render(print)).collect::<Result<_, _>>().map(ErrandBody::Run)
        }
    }
}

/// The command of an action on a host.
pub fn action_errand(
    set: &Set,
    pack: &Pack,
    action: &Action,
    host: &HostName,
    inputs: BTreeMap<String, String>,
) -> Result<Errand, NoAnswer> {
    let body = action.body.as_ref().ok_or_else(|| NoAnswer(format!("{} does nothing", action.name.value)))?;
    let body = errand_body(pack, body, variables(set, pack, host, inputs)?)?;
    Ok(Errand { host: host.clone(), body, secrets: names(&action.secrets), at_most: action.at_most })
}

fn names(secrets: &[Word]) -> Vec<String> {
    secrets.iter().map(|secret| secret.value.clone()).collect()
}

/// The command that takes an action back on a host.
pub fn undo_errand(
    set: &Set,
    pack: &Pack,
    action: &Action,
    command: &ModelCommand,
    host: &HostName,
    inputs: BTreeMap<String, String>,
) -> Result<Errand, NoAnswer> {
    let body = errand_body(pack, command, variables(set, pack, host, inputs)?)?;
    Ok(Errand { host: host.clone(), body, secrets: names(&action.secrets), at_most: action.at_most })
}

/// Reads what a probe printed: one JSON object with exactly its results, each of its type.
pub fn read_results(set: &Set, inquiry: &Inquiry, printed: &[u8]) -> Reading {
    let wrong = |why: String| Err(NoAnswer(format!("{} on {} {why}", inquiry.probe, inquiry.errand.host)));
    if printed.len() > MAX_RESULT_BYTES {
        return wrong("printed more than 64 KiB".to_owned());
    }
    let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_slice(printed) {
        Ok(object) => object,
        Err(_) if printed.iter().all(u8::is_ascii_whitespace) => return wrong("printed nothing".to_owned()),
        Err(error) => return wrong(format!("printed no JSON object: {error}")),
    };
    let mut results = BTreeMap::new();
    for (name, kind) in &inquiry.results {
        let Some(given) = object.get(name) else { return wrong(format!("did not print `{name}`")) };
        if let Some(value) = result_value(set, given, kind) {
            results.insert(name.clone(), value)
        } else {
            let given: String = given.to_string().chars().take(80).collect();
            return wrong(format!("printed {given} for `{name}`, which is {}", kind.kind));
        };
    }
    if let Some(odd) = object.keys().find(|key| !results.contains_key(*key)) {
        return wrong(format!("printed `{odd}`, which is not among its results"));
    }
    Ok(results)
}

#[expect(clippy::cast_possible_truncation, reason = "durations of probes are far below 2^53 ms")]
fn result_value(set: &Set, given: &serde_json::Value, wanted: &ValueType) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match (given, &wanted.kind) {
        (Json::Null, _) => return wanted.optional.then_some(Value::None),
        (Json::Bool(value), Type::Bool) => Value::Bool(*value),
        (Json::Number(n), Type::Int) => Value::Int(n.as_i64()?),
        (Json::Number(n), Type::Number) => Value::Number(n.as_f64().filter(|n| n.is_finite())?),
        (Json::Number(n), Type::Size) => Value::Size(Size(n.as_i64()?)),
        (Json::Number(n), Type::Duration) => Value::Duration(Millis((n.as_f64()? * 1000.0).round() as i64)),
        (Json::Number(n), Type::Percent) => Value::Percent(n.as_f64().filter(|n| n.is_finite())?),
        (Json::String(text), Type::Text) => Value::Text(text.clone()),
        (Json::String(word), Type::Words(words)) if words.contains(word) => Value::Text(word.clone()),
        (Json::String(name), Type::Host) => Value::Host(set.inventory.host_called(name)?.clone()),
        _ => return None,
    })
}
