//! Binds what somebody typed to the parameters of a runbook. All wrong values are named at once.

use std::collections::BTreeMap;

use super::model::Topology;
use crate::authoring::Set;
use crate::runbook::expression::{Meaning, NoAnswer, Value};
use crate::runbook::given::read_value;
use crate::runbook::model::{Parameter, ParameterKind, Runbook};
use crate::runbook::source::hidden::{shortened, visible};
use crate::runbook::source::literal::{Literal, read_signed};
use crate::runbook::source::name::{ClusterName, HostName};
use crate::runbook::source::nearest::{nearest, nearest_or_all};

/// A reason has at least so many characters.
pub const MIN_REASON: usize = 10;

/// So many characters of a wrong value are quoted.
const QUOTED: usize = 60;

/// A value that is not right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongValue {
    /// The parameter, or the word that is none.
    pub name: String,
    /// What is wrong and what to give, as sentences.
    pub what: String,
}

/// Everything that can be said without measuring: types, clusters, words, limits, and hosts of the inventory.
///
/// `arguments` are the pairs as they were typed; `reason` is taken apart by the grammar of commands.
pub fn bind(
    set: &Set,
    runbook: &Runbook,
    arguments: &[(String, String)],
    reason: Option<&str>,
) -> Result<BTreeMap<String, Value>, Vec<WrongValue>> {
    let mut values = BTreeMap::new();
    let mut wrong = Vec::new();
    let names: Vec<&str> = runbook.parameters.iter().map(|parameter| parameter.name.value.as_str()).collect();
    for (index, (name, _)) in arguments.iter().enumerate() {
        if arguments[..index].iter().any(|(earlier, _)| earlier == name) {
            wrong.push(WrongValue { name: name.clone(), what: "is given twice.".to_owned() });
        } else if !names.contains(&name.as_str()) {
            let near = nearest(name, names.iter().copied());
            let near = near.map_or_else(
                || format!("There are: {}.", names.join(", ")),
                |near| format!("Nearest: `{near}`."),
            );
            wrong.push(WrongValue { name: name.clone(), what: format!("is not a parameter here. {near}") });
        }
    }
    for parameter in &runbook.parameters {
        let name = &parameter.name.value;
        let given = arguments.iter().find(|(given, _)| given == name).map(|(_, text)| text.as_str());
        let text = given.or(parameter.default.as_ref().map(|default| default.value.as_str()));
        let Some(text) = text else {
            // A misspelt name is reported above; asking for the value as well would say it twice.
            let misspelt = arguments.iter().any(|(given, _)| {
                !names.contains(&given.as_str())
                    && nearest(given, names.iter().copied()) == Some(name.as_str())
            });
            if !misspelt {
                wrong.push(WrongValue {
                    name: name.clone(),
                    what: format!("is missing. {}", what_to_give(parameter)),
                });
            }
            continue;
        };
        match one(set, parameter, text, &values) {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(what) => wrong.push(WrongValue { name: name.clone(), what }),
        }
    }
    let changes = runbook
        .all_steps()
        .any(|(step, _)| step.effect.as_ref().is_some_and(|effect| effect.value.changes()));
    if changes {
        let characters = reason.map_or(0, |reason| reason.trim().chars().count());
        if characters < MIN_REASON {
            let what = match reason {
                None => format!("is missing, needs {MIN_REASON} characters. Say what you saw."),
                Some(_) => format!("has {characters} characters, needs {MIN_REASON}. Say what you saw."),
            };
            wrong.push(WrongValue { name: "reason".to_owned(), what });
        }
    }
    if let Some(Err(not)) = reason.map(|reason| read_value(reason, &crate::runbook::expression::Type::Text)) {
        wrong.push(WrongValue { name: "reason".to_owned(), what: format!("{}: {}.", not.what, not.cure) });
    }
    if wrong.is_empty() { Ok(values) } else { Err(wrong) }
}

/// Those of the values that are right, of a line that is not ready yet.
pub fn bind_given(set: &Set, runbook: &Runbook, given: &[(String, String)]) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for parameter in &runbook.parameters {
        let name = &parameter.name.value;
        let text = given.iter().find(|(given, _)| given == name).map(|(_, text)| text.as_str());
        let text = text.or(parameter.default.as_ref().map(|default| default.value.as_str()));
        if let Some(Ok(value)) = text.map(|text| one(set, parameter, text, &values)) {
            values.insert(name.clone(), value);
        }
    }
    values
}

fn what_to_give(parameter: &Parameter) -> String {
    let possible = match &parameter.kind {
        ParameterKind::Choice(words) => {
            let words: Vec<_> = words.iter().map(|word| word.value.as_str()).collect();
            format!("Possible: {}.", words.join(", "))
        }
        _ => String::new(),
    };
    match (&parameter.help, possible.is_empty()) {
        (Some(help), true) => format!("{help}."),
        (Some(help), false) => format!("{help}. {possible}"),
        (None, true) => "Give a value.".to_owned(),
        (None, false) => possible,
    }
}

/// One parameter, as far as it can be said without measuring.
fn one(
    set: &Set,
    parameter: &Parameter,
    text: &str,
    values: &BTreeMap<String, Value>,
) -> Result<Value, String> {
    let quoted = |what: &str| format!("`{}` {what}", shortened(&visible(text), QUOTED));
    if text.is_empty() && !matches!(parameter.kind, ParameterKind::Text(_)) {
        return Err(format!("is empty. {}", what_to_give(parameter)));
    }
    match &parameter.kind {
        ParameterKind::Host(_) => {
            let members: Vec<_> = members_of_first_cluster(set, values);
            let known = set.inventory.hosts.contains_key(text);
            let possible = if members.is_empty() {
                String::new()
            } else {
                format!(" Possible: {}.", members.join(", "))
            };
            if known {
                read_value(text, &crate::runbook::expression::Type::Host).map_err(|not| quoted(&not.what))
            } else {
                Err(quoted(&format!("is not a host that we know.{possible}")))
            }
        }
        ParameterKind::Cluster(kinds) => {
            let fits = |name: &str| {
                let cluster = set.inventory.clusters.get(name);
                cluster.is_some_and(|cluster| kinds.iter().any(|kind| kind.value == cluster.kind.value))
            };
            if fits(text) {
                return ClusterName::new(text).map(Value::Cluster).ok_or_else(|| quoted("is no name."));
            }
            let possible: Vec<&str> =
                set.inventory.clusters.keys().map(ClusterName::as_str).filter(|name| fits(name)).collect();
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.value.as_str()).collect();
            let what = format!("is not a cluster of kind {}.", kinds.join(" or "));
            Err(quoted(&format!("{what} {}.", capital(&nearest_or_all(text, possible.iter().copied())))))
        }
        ParameterKind::Service => {
            if set.inventory.services.contains_key(text) {
                return read_value(text, &crate::runbook::expression::Type::Service)
                    .map_err(|not| quoted(&not.what));
            }
            let known =
                set.inventory.services.keys().map(super::super::runbook::source::name::ServiceName::as_str);
            Err(quoted(&format!("is not a service. {}.", capital(&nearest_or_all(text, known)))))
        }
        kind => {
            let wanted = match kind {
                ParameterKind::Bool => crate::runbook::expression::Type::Bool,
                ParameterKind::Quantity(kind, _) => kind.clone(),
                ParameterKind::Choice(words) => crate::runbook::expression::Type::Words(
                    words.iter().map(|word| word.value.clone()).collect(),
                ),
                _ => crate::runbook::expression::Type::Text,
            };
            let value = read_value(text, &wanted)
                .map_err(|not| format!("{}. {}.", quoted(&not.what), capital(&not.cure)))?;
            within_limits(kind, text, &quoted)?;
            Ok(value)
        }
    }
}

/// Limits of a quantity, the pattern of a text, and no text that a program would take for an option.
fn within_limits(kind: &ParameterKind, text: &str, quoted: &dyn Fn(&str) -> String) -> Result<(), String> {
    match kind {
        ParameterKind::Quantity(_, limits) => {
            let amount = |literal: Literal| crate::authoring::amount(literal);
            let Ok(given) = read_signed(text) else { return Ok(()) };
            let show = |literal: Literal| match literal {
                Literal::Int(n) => n.to_string(),
                Literal::Number(n) => n.to_string(),
                Literal::Size(size) => size.to_string(),
                Literal::Duration(millis) => millis.to_string(),
                Literal::Percent(percent) => format!("{percent} %"),
            };
            if let Some(min) = limits.min.as_ref().filter(|min| amount(given) < amount(min.value)) {
                return Err(quoted(&format!("is below {}, the smallest possible.", show(min.value))));
            }
            if let Some(max) = limits.max.as_ref().filter(|max| amount(given) > amount(max.value)) {
                return Err(quoted(&format!("is above {}, the largest possible.", show(max.value))));
            }
            Ok(())
        }
        ParameterKind::Text(pattern) => {
            if let Some(pattern) = pattern {
                let whole = format!("^(?:{})$", pattern.value);
                let fits = regex_lite::Regex::new(&whole).is_ok_and(|pattern| pattern.is_match(text));
                if fits { Ok(()) } else { Err(quoted(&format!("does not match {}.", pattern.value))) }
            } else if text.starts_with('-') {
                // Quoting does not stop a program from taking it for an option; a pattern can allow it.
                Err(quoted("begins with `-`: a program would take it for an option."))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// The members of the first cluster that was given, to say which hosts are possible.
fn members_of_first_cluster<'a>(set: &'a Set, values: &BTreeMap<String, Value>) -> Vec<&'a str> {
    let cluster = values.values().find_map(|value| match value {
        Value::Cluster(name) => set.inventory.clusters.get(name),
        _ => None,
    });
    cluster.into_iter().flat_map(|cluster| &cluster.hosts).map(|host| host.value.as_str()).collect()
}

/// What the hosts said when they were asked who is primary.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Who is what, by cluster.
    pub topology: BTreeMap<ClusterName, Topology>,
    /// Hosts that gave no answer, and why.
    pub silent: BTreeMap<HostName, NoAnswer>,
}

impl Asked {
    /// Why a host is not where somebody looks for it; empty if nothing is known.
    fn what_of(&self, host: &HostName) -> String {
        if let Some(why) = self.silent.get(host) {
            return format!(": {}", why.0);
        }
        for (cluster, seen) in &self.topology {
            if seen.primary.as_ref() == Some(host) {
                return format!(": it is the primary of {cluster}");
            }
            if seen.spares.contains(host) {
                return format!(": it is a spare, and no member of {cluster}");
            }
        }
        String::new()
    }
}

/// Host parameters against their lists, once the topology is known.
pub fn bind_hosts(
    runbook: &Runbook,
    values: &BTreeMap<String, Value>,
    meaning: &Meaning<'_>,
    asked: &Asked,
) -> Vec<WrongValue> {
    let mut wrong = Vec::new();
    for parameter in &runbook.parameters {
        let ParameterKind::Host(Some(list)) = &parameter.kind else { continue };
        let name = parameter.name.value.clone();
        let Some(Value::Host(given)) = values.get(&name) else { continue };
        match meaning.evaluate(list).answer {
            Ok(Value::List(items)) if items.iter().any(|item| item.as_host() == Some(given)) => {}
            Ok(Value::List(items)) => {
                let possible: Vec<_> = items.iter().map(Value::human).collect();
                let possible = if possible.is_empty() { "none".to_owned() } else { possible.join(", ") };
                let what = format!(
                    "`{given}` is not one of {} now{}. Possible: {possible}.",
                    list.source,
                    asked.what_of(given)
                );
                wrong.push(WrongValue { name, what });
            }
            Ok(_) => {}
            Err(why) => wrong.push(WrongValue { name, what: format!("cannot be checked: {}.", why.0) }),
        }
    }
    wrong
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
