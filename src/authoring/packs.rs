//! Packs: bodies, undo, scripts and their variables, the topology.

use std::collections::BTreeSet;

use super::parameters::{OURS, check_input_name};
use super::scripts::check_script;
use super::uses::fields_of;
use crate::runbook::expression::infer::infer;
use crate::runbook::expression::types::{Measured, Named, Scope};
use crate::runbook::expression::{Field, Type};
use crate::runbook::model::{Action, Command, Effect, Pack, Topology, Undo, ValueType, Word};
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};

/// Holds one pack against every rule.
pub(super) fn check_pack(pack: &Pack, problems: &mut Problems) {
    for (name, _) in &pack.settings {
        check_input_name(name, problems);
    }
    if let Some(log) = &pack.log
        && pack.setting(log).is_none()
    {
        let known = pack.settings.iter().map(|(name, _)| name.value.as_str());
        super::unknown(Code::SettingUnknown, log, "setting", known, problems);
    }
    for probe in &pack.probes {
        check_inputs(pack, &probe.inputs, problems);
        check_body(pack, &probe.name.place, probe.body.as_ref(), &probe.inputs, &probe.secrets, problems);
        if probe.results.is_empty() {
            let message = format!("the probe `{}` answers nothing", probe.name.value);
            problems.add(Code::ShapeType, &probe.name.place, message, "results: { answer: bool }");
        }
        check_secrets(pack, &probe.secrets, &probe.inputs, &[probe.body.as_ref()], problems);
    }
    for action in &pack.actions {
        check_action(pack, action, problems);
    }
    if let Some(topology) = &pack.topology {
        check_topology(pack, topology, problems);
    }
}

fn check_inputs(pack: &Pack, inputs: &[(Word, ValueType)], problems: &mut Problems) {
    for (name, _) in inputs {
        check_input_name(name, problems);
        if pack.setting(name).is_some() {
            let message = format!("`{}` is a setting of this pack", name.value);
            problems.add(Code::InputName, &name.place, message, "give the input another name");
        }
    }
}

fn check_action(pack: &Pack, action: &Action, problems: &mut Problems) {
    check_inputs(pack, &action.inputs, problems);
    check_body(pack, &action.name.place, action.body.as_ref(), &action.inputs, &action.secrets, problems);
    let undo = match action.undo.as_ref().map(|undo| &undo.value) {
        Some(Undo::Command(command)) => Some(command),
        _ => None,
    };
    check_secrets(pack, &action.secrets, &action.inputs, &[action.body.as_ref(), undo], problems);
    let Some(effect) = &action.effect else { return };
    match (&action.undo, effect.value) {
        (None, Effect::Reversible) => {
            let message = format!("`{}` is reversible and has no undo", action.name.value);
            problems.add(
                Code::EffectUndo,
                &effect.place,
                message,
                "undo: { script: … }, or undo: { nothing: why }",
            );
        }
        (Some(undo), Effect::Read) => {
            let message = "an undo of an action that only reads";
            problems.add(Code::EffectRead, &undo.place, message, "remove it");
        }
        (Some(undo), Effect::Irreversible) => {
            let message = "an undo of an irreversible action";
            problems.add(Code::EffectWords, &undo.place, message, "effect: reversible, or remove the undo");
        }
        _ => {}
    }
    if let Some(undo) = &action.undo
        && super::effects::undoes(&undo.value)
        && let Undo::Command(command) = &undo.value
    {
        check_body(pack, &undo.place, Some(command), &action.inputs, &action.secrets, problems);
    }
}

/// A secret reaches a script only, as a file: a list of words has no place for it. What nobody reads is not sent.
fn check_secrets(
    pack: &Pack,
    secrets: &[Word],
    inputs: &[(Word, ValueType)],
    bodies: &[Option<&Command>],
    problems: &mut Problems,
) {
    for secret in secrets {
        let variable = format!("{}_file", secret.value);
        let names = pack.settings.iter().map(|(name, _)| name).chain(inputs.iter().map(|(name, _)| name));
        if names.into_iter().any(|name| name.value == variable) {
            let message = format!("`${variable}` would be a setting or an input, and the file of a secret");
            problems.add(Code::InputName, &secret.place, message, "give one of them another name");
        }
        let prelude = pack.prelude.iter().map(|prelude| prelude.value.as_str());
        let scripts = bodies.iter().filter_map(|body| match body {
            Some(Command::Script(script)) => Some(script.value.as_str()),
            _ => None,
        });
        let mut scripts = scripts.peekable();
        let has_script = scripts.peek().is_some();
        if !(has_script && scripts.chain(prelude).any(|text| text.contains(&variable))) {
            let message = format!("no script of it reads the secret `{}`", secret.value);
            let cure = format!("script: read the file named in \"${variable}\"; a `run` cannot");
            problems.add(Code::NameUnused, &secret.place, message, cure);
        }
    }
}

fn check_body(
    pack: &Pack,
    whose: &Place,
    body: Option<&Command>,
    inputs: &[(Word, ValueType)],
    secrets: &[Word],
    problems: &mut Problems,
) {
    let mut names: Vec<String> = inputs.iter().map(|(name, _)| name.value.clone()).collect();
    match body {
        Some(Command::Script(script)) => {
            names.extend(pack.settings.iter().map(|(name, _)| name.value.clone()));
            names.extend(secrets.iter().map(|secret| format!("{}_file", secret.value)));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            check_script(
                script,
                pack.prelude.as_ref().map(|prelude| prelude.value.as_str()),
                &names,
                problems,
            );
        }
        Some(Command::Run(arguments)) => {
            names.extend(pack.settings.iter().map(|(name, _)| name.value.clone()));
            names.extend(OURS.map(str::to_owned));
            if arguments.first().is_none_or(|program| program.source.is_empty()) {
                let cure = "run: [command, argument]";
                problems.add(Code::StepBody, whose, "a command without words", cure);
            }
            let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            for reference in arguments.iter().flat_map(|argument| argument.references().collect::<Vec<_>>()) {
                let place = reference.place_of(&reference.root);
                match &reference.root.node {
                    crate::runbook::expression::tree::Node::Name(name) if known.contains(name.as_str()) => {}
                    crate::runbook::expression::tree::Node::Name(name)
                        if secrets.iter().any(|secret| secret.value == *name) =>
                    {
                        let cure = "read the file named in \"$NAME_file\" from a script";
                        problems.add(
                            Code::SecretInText,
                            &place,
                            "a secret in an argument would be seen",
                            cure,
                        );
                    }
                    crate::runbook::expression::tree::Node::Name(name) => {
                        let cure = nearest_or_all(name, known.iter().copied());
                        problems.add(Code::NameUnknown, &place, format!("nothing sets `{name}` here"), cure);
                    }
                    _ => {
                        let cure = "inputs, settings, host, address, run_id and step_dir";
                        problems.add(Code::FieldUnknown, &place, "an action sees plain names only", cure);
                    }
                }
            }
        }
        None => {}
    }
}

fn check_topology(pack: &Pack, topology: &Topology, problems: &mut Problems) {
    let Some(probe) = pack.probe(&topology.probe) else {
        let known = pack.probes.iter().map(|probe| probe.name.value.as_str());
        super::unknown(Code::ProbeUnknown, &topology.probe, "probe", known, problems);
        return;
    };
    let odd = match (probe.writes.is_some(), probe.inputs.is_empty()) {
        (true, _) => Some("writes, and a topology is asked before anyone has confirmed"),
        (false, false) => Some("has inputs, and a topology is asked without any"),
        (false, true) => None,
    };
    if let Some(odd) = odd {
        let message = format!("the probe `{}` {odd}", topology.probe.value);
        problems.add(Code::PackTopology, &topology.probe.place, message, "use a probe that only asks");
    }
    let mut fields = fields_of(&probe.results);
    fields.insert("answered".to_owned(), Field::always(Type::Bool));
    let measured = Measured { by_host: false, fields, writes: probe.writes.is_some(), broken: false };
    let mut scope = Scope::default();
    scope.names.insert(probe.name.value.clone(), Named::Measurement(measured));
    for expr in [&topology.primary, &topology.replica] {
        let mut found = Problems::default();
        let inferred = infer(expr, &scope, &mut found);
        let other = inferred.uses.names.iter().find(|name| **name != probe.name.value);
        if let Some(other) = other {
            let message = format!("`{other}` is not the probe of this topology");
            problems.add(
                Code::PackTopology,
                &expr.place,
                message,
                format!("use the results of `{}`", probe.name.value),
            );
            continue;
        }
        problems.join(found);
        if !matches!(inferred.kind, Type::Bool | Type::Broken) {
            let message = format!("{} stands where a condition belongs", inferred.kind);
            problems.add(Code::TypeWrong, &expr.place, message, "compare it with something");
        }
        if !inferred.uses.measures() && inferred.kind != Type::Broken {
            let message = "this condition depends on nothing";
            problems.add(Code::CheckConstant, &expr.place, message, "use a result of the probe");
        }
    }
}
