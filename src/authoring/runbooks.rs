//! One runbook from top to bottom: names, expressions, texts, inputs. What it does to the world is asked in `effects`
//! and `safety`.

use std::collections::{BTreeMap, BTreeSet};

use super::effects;
use super::parameters;
use super::safety;
use super::scope::Scoped;
use super::scripts::check_script;
use super::unknown;
use super::uses::Desk;
use crate::policy::model::{HeldBy, Policy};
use crate::runbook::expression::infer::Uses;
use crate::runbook::expression::types::Type;
use crate::runbook::given::read_value;
use crate::runbook::model::{
    Approve, Check, CheckUse, Command, Decide, Each, Item, MeasureAt, Runbook, Sentence, Step, StepBody,
    Undo, ValueType, Wait, Watch, Word,
};
use crate::runbook::source::nearest::{nearest, nearest_or_all};
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};
use crate::runbook::text::Text;

/// Where a check stands, which decides what it may say and when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Preflight,
    Require,
    Verify,
    Until,
}

/// Holds one runbook against every rule.
pub(super) fn check_runbook(runbook: &Runbook, desk: &Desk<'_>, problems: &mut Problems) {
    let mut scoped = Scoped::new(runbook, desk, problems);
    parameters::check_parameters(runbook, desk, problems);
    check_head(&mut scoped, problems);
    check_measures(&mut scoped, problems);
    for (name, check) in &runbook.checks {
        let uses = check_condition(&mut scoped, check, problems);
        check_sentence(&mut scoped, check, problems);
        scoped.check_uses.insert(name.value.clone(), uses);
    }
    let preflight = check_all(&mut scoped, &runbook.preflight, Stands::Preflight, problems);
    for (name, _) in &preflight.measured {
        if scoped.measured(name).is_some_and(|measured| measured.writes) {
            let place = uses_place(&runbook.preflight, &scoped, name).unwrap_or(&runbook.place);
            let message = format!("`{name}` writes, and preflight is asked before anyone has confirmed");
            problems.add(Code::PreflightWrites, place, message, "ask it in verify, until or watch");
        }
    }
    for watch in &runbook.watch {
        check_watch(&mut scoped, watch, problems);
    }
    check_items(&mut scoped, &runbook.items, problems);
    for follow_up in &runbook.follow_up {
        scoped.text(&follow_up.what, true, problems);
        if let Some(when) = &follow_up.when {
            scoped.when(when, problems);
        }
        if let Some(name) = &follow_up.runbook {
            desk.runbook(name, problems);
        }
    }
    note_titles_twice(runbook, problems);
    effects::check_effects(&scoped, problems);
    safety::check_safety(&mut scoped, problems);
    scoped.note_unused(problems);
}

/// The check in which a measurement is used.
fn uses_place<'a>(checks: &'a [CheckUse], scoped: &'a Scoped<'_>, measurement: &str) -> Option<&'a Place> {
    let uses_it = |used: &&CheckUse| {
        let check = scoped.runbook.resolve(used)?;
        let uses =
            crate::runbook::expression::infer::infer(&check.that, &scoped.scope, &mut Problems::default())
                .uses;
        uses.measured.iter().any(|(name, _)| name == measurement).then_some(())
    };
    checks.iter().find(|used| uses_it(used).is_some()).map(CheckUse::place)
}

fn check_head(scoped: &mut Scoped<'_>, problems: &mut Problems) {
    let (runbook, desk) = (scoped.runbook, scoped.desk);
    scoped.text(&runbook.title, true, problems);
    desk.role(&runbook.owner, problems);
    if let Some(contingency) = &runbook.contingency {
        desk.runbook(contingency, problems);
    }
    let approve = runbook.access.approve.iter().flat_map(|approve| &approve.by);
    for role in runbook.access.start.iter().chain(approve) {
        desk.role(role, problems);
    }
    if let (Some(approve), Some(policy)) = (&runbook.access.approve, desk.policy) {
        check_approvers(approve, policy, problems);
    }
    if let (Some(window), Some(policy)) = (&runbook.window, desk.policy)
        && !policy.windows.contains_key(window.name.as_str())
    {
        unknown(
            Code::WindowUnknown,
            &window.name,
            "window",
            policy.windows.keys().map(String::as_str),
            problems,
        );
    }
    for secret in &runbook.secrets {
        let granted = desk.policy.and_then(|policy| policy.secrets.get(secret.as_str()));
        let to_us = granted.is_some_and(|names| names.iter().any(|name| name.value == runbook.name.as_str()));
        if desk.policy.is_some() && !to_us {
            let message = format!("the policy does not grant `{}` to {}", secret.value, runbook.name);
            let cure = format!("in policy.yaml: secrets: {}: [{}]", secret.value, runbook.name);
            problems.add(Code::SecretUngranted, &secret.place, message, cure);
        }
    }
    if let Some(incident) = &runbook.incident {
        let inferred = scoped.infer(&incident.service, problems);
        if !matches!(inferred.kind, Type::Service | Type::Broken) {
            let message = format!("{} stands where a service belongs", inferred.kind);
            problems.add(Code::TypeWrong, &incident.service.place, message, "write cluster.service");
        }
        if let Some((_, say)) = &incident.updates {
            public_text(scoped, say, problems);
        }
    }
}

/// So many approvals can be asked for.
const MOST_APPROVERS: u32 = 5;

/// A run that too few people could approve would never begin.
fn check_approvers(approve: &Approve, policy: &Policy, problems: &mut Problems) {
    let mut people: BTreeSet<&str> = BTreeSet::new();
    for role in &approve.by {
        match policy.roles.get(role.as_str()).map(|role| &role.held_by) {
            Some(HeldBy::People(holders)) => people.extend(holders.iter().map(|word| word.value.as_str())),
            // Who has a role by a schedule, or one that is not declared, is not known here.
            _ => return,
        }
    }
    // A count that is not possible at all has been noted.
    if let Some(role) = approve.by.first()
        && approve.count <= MOST_APPROVERS
        && people.len() < approve.count as usize
    {
        let message = format!("{} must approve, and {} could", approve.count, people.len());
        problems.add(Code::RoleEmpty, &role.place, message, "name a role that more people have");
    }
}

/// What customers read holds numbers and times, and the title of the service: no host, no name, no free text.
fn public_text(scoped: &mut Scoped<'_>, text: &Text, problems: &mut Problems) {
    scoped.text(text, false, problems);
    for reference in text.references() {
        let kind = scoped.infer(&reference, &mut Problems::default()).kind;
        let service_title = match &reference.root.node {
            crate::runbook::expression::tree::Node::Field(of, field) if field == "title" => {
                let of = crate::runbook::expression::Expr { root: of.as_ref().clone(), ..reference.clone() };
                scoped.infer(&of, &mut Problems::default()).kind == Type::Service
            }
            _ => false,
        };
        if !kind.has_order() && !service_title {
            let place = reference.place_of(&reference.root);
            let message = format!("customers would read {kind}");
            problems.add(
                Code::PublicText,
                &place,
                message,
                "numbers, sizes, times, percentages, service.title",
            );
        }
    }
}

fn check_measures(scoped: &mut Scoped<'_>, problems: &mut Problems) {
    let (runbook, desk) = (scoped.runbook, scoped.desk);
    for measure in &runbook.measures {
        match &measure.at {
            MeasureAt::Host(host) => {
                scoped.host(host, problems);
            }
            MeasureAt::Hosts(hosts) => {
                scoped.hosts(hosts, "hosts", problems);
            }
            MeasureAt::Broken => {}
        }
        if let Some((first, _)) = measure.probe.split_once('/') {
            scoped.note_used(first);
        }
        let probes = desk.probes(runbook, &measure.probe, &mut Problems::default());
        let inputs: Vec<_> = probes.iter().map(|(_, probe)| &probe.inputs).collect();
        check_inputs(scoped, &measure.with, &inputs, &measure.probe, problems);
        for (_, probe) in &probes {
            check_secrets(runbook, &probe.secrets, &measure.probe, problems);
        }
    }
}

fn check_secrets(runbook: &Runbook, secrets: &[Word], used_by: &Word, problems: &mut Problems) {
    for secret in secrets {
        if !runbook.secrets.iter().any(|listed| listed.value == secret.value) {
            let message = format!(
                "`{}` reads the secret `{}`, which this runbook does not list",
                used_by.value, secret.value
            );
            let cure = format!("secrets: [{}]", secret.value);
            problems.add(Code::SecretUngranted, &used_by.place, message, cure);
        }
    }
}

/// Holds the values handed over against the inputs of every probe or action that may be meant.
fn check_inputs(
    scoped: &mut Scoped<'_>,
    with: &[(Word, Text)],
    inputs: &[&Vec<(Word, ValueType)>],
    used: &Word,
    problems: &mut Problems,
) {
    for (_, text) in with {
        scoped.text(text, true, problems);
    }
    for wanted in inputs {
        for (name, _) in *wanted {
            let is_wanted = |given: &Word| wanted.iter().any(|(name, _)| name.value == given.value);
            // A misspelt input is reported as such; missing it as well would say it twice.
            let misspelt =
                with.iter().any(|(given, _)| !is_wanted(given) && nearest(given, [name.as_str()]).is_some());
            if !misspelt && !with.iter().any(|(given, _)| given.value == name.value) {
                let message = format!("`{}` needs the input `{}`", used.value, name.value);
                problems.add(
                    Code::InputMissing,
                    &used.place,
                    message,
                    format!("with: {{ {}: … }}", name.value),
                );
            }
        }
        for (given, text) in with {
            if let Some((_, wanted)) = wanted.iter().find(|(name, _)| name.value == given.value) {
                check_input(scoped, given, text, wanted, problems);
            } else {
                let known = wanted.iter().map(|(name, _)| name.value.as_str());
                let message = format!("`{}` has no input `{}`", used.value, given.value);
                problems.add(Code::InputUnknown, &given.place, message, nearest_or_all(given, known));
            }
        }
    }
}

fn check_input(
    scoped: &mut Scoped<'_>,
    name: &Word,
    text: &Text,
    wanted: &ValueType,
    problems: &mut Problems,
) {
    let mut wrong = |given: String, cure: String| {
        let message = format!("the input `{}` is {}, not {given}", name.value, wanted.kind);
        problems.add(Code::InputType, &text.place, message, cure);
    };
    if let Some(literal) = text.literal() {
        if let Err(not) = read_value(literal, &wanted.kind)
            && wanted.kind != Type::Broken
        {
            wrong(format!("`{literal}`"), not.cure);
        }
    } else if let Some(reference) = text.lone_reference() {
        let inferred = scoped.infer(&reference, &mut Problems::default());
        if !wanted.kind.takes(&inferred.kind) {
            wrong(inferred.kind.to_string(), "hand over a value of that type".to_owned());
        }
    } else if !matches!(wanted.kind, Type::Text | Type::Broken) {
        wrong("a text put together".to_owned(), "one reference or one literal".to_owned());
    }
}

fn check_condition(scoped: &mut Scoped<'_>, check: &Check, problems: &mut Problems) -> Uses {
    let uses = scoped.condition(&check.that, problems);
    let broken = matches!(check.that.root.node, crate::runbook::expression::tree::Node::Broken);
    if uses.names.is_empty() && !broken {
        let message = "this condition depends on nothing";
        problems.add(
            Code::CheckConstant,
            &check.that.place,
            message,
            "measure something, or remove the check",
        );
    }
    uses
}

fn check_sentence(scoped: &mut Scoped<'_>, check: &Check, problems: &mut Problems) {
    if let Sentence::Else(text) | Sentence::Warn(text) = &check.sentence {
        scoped.text(text, false, problems);
    }
}

/// Checks at one place, and all that they use together.
pub(super) fn check_all(
    scoped: &mut Scoped<'_>,
    checks: &[CheckUse],
    stands: Stands,
    problems: &mut Problems,
) -> Uses {
    let mut all = Uses::default();
    for used in checks {
        let uses = match used {
            CheckUse::Named(word) => {
                scoped.used_checks.insert(word.value.clone());
                if let Some(uses) = scoped.check_uses.get(word.as_str()) {
                    uses.clone()
                } else {
                    let known = scoped.runbook.checks.iter().map(|(name, _)| name.value.as_str());
                    unknown(Code::CheckUnknown, word, "check", known, problems);
                    continue;
                }
            }
            CheckUse::Inline(check) => {
                let uses = check_condition(scoped, check, problems);
                check_sentence(scoped, check, problems);
                uses
            }
        };
        all.join(&uses);
        if let Some(check) = scoped.runbook.resolve(used) {
            check_standing(check, used, stands, problems);
        }
    }
    all
}

/// What a check may have depends on where it stands.
fn check_standing(check: &Check, used: &CheckUse, stands: Stands, problems: &mut Problems) {
    if stands != Stands::Preflight
        && let Sentence::Warn(text) = &check.sentence
    {
        let place = if matches!(used, CheckUse::Named(_)) { used.place() } else { &text.place };
        let message = "`warn` says something in the plan; here it must hold";
        problems.add(Code::CheckWarn, place, message, "write `else`");
    }
    if stands == Stands::Preflight
        && let Some(time) = check.within.as_ref().or(check.hold_for.as_ref())
    {
        let place = if matches!(used, CheckUse::Named(_)) { used.place() } else { &time.place };
        let message = "preflight asks once and waits for nothing";
        problems.add(
            Code::PreflightWait,
            place,
            message,
            "make it a `wait`, or leave out `within` and `for`",
        );
    }
    if stands == Stands::Until
        && let Some(time) = &check.within
    {
        let place = if matches!(used, CheckUse::Named(_)) { used.place() } else { &time.place };
        let message = "`within` in a `wait`";
        problems.add(Code::WaitWithin, place, message, "the wait has `at_most`");
    }
}

pub(super) fn check_watch(scoped: &mut Scoped<'_>, watch: &Watch, problems: &mut Problems) {
    let uses = scoped.condition(&watch.that, problems);
    if !uses.measures() {
        let message = "a watch that measures nothing never changes its answer";
        problems.add(Code::CheckConstant, &watch.that.place, message, "watch a measurement");
    }
    scoped.text(&watch.sentence, false, problems);
}

fn check_items(scoped: &mut Scoped<'_>, items: &[Item], problems: &mut Problems) {
    for item in items {
        if let Some(when) = item.when() {
            scoped.when(when, problems);
        }
        match item {
            Item::Step(step) => check_step(scoped, step, problems),
            Item::Each(each) => check_each(scoped, each, problems),
            Item::Wait(wait) => check_wait(scoped, wait, problems),
            Item::Decide(decide) => check_decide(scoped, decide, problems),
        }
    }
}

fn check_each(scoped: &mut Scoped<'_>, each: &Each, problems: &mut Problems) {
    scoped.hosts(&each.of, "of", problems);
    let used = scoped.with_host_at_hand(&each.variable, problems, |scoped, problems| {
        check_items(scoped, &each.items, problems);
    });
    if !used {
        let message = format!(
            "no step uses `{}`, so each of them would be done several times on one host",
            each.variable.value
        );
        let cure = format!("host: {}, or take the steps out of the `each`", each.variable.value);
        problems.add(Code::EachUnused, &each.variable.place, message, cure);
    }
}

fn check_wait(scoped: &mut Scoped<'_>, wait: &Wait, problems: &mut Problems) {
    scoped.text(&wait.title, true, problems);
    let uses = check_all(scoped, &wait.until, Stands::Until, problems);
    if !uses.measures() {
        let message = "this wait measures nothing, so it would open at once or never";
        problems.add(Code::WaitEmpty, &wait.title.place, message, "until: a check of a measurement");
    }
    for watch in &wait.watch {
        check_watch(scoped, watch, problems);
    }
}

fn check_decide(scoped: &mut Scoped<'_>, decide: &Decide, problems: &mut Problems) {
    for text in [&decide.question, &decide.go_on, &decide.stop] {
        scoped.text(text, false, problems);
    }
    for role in &decide.ask {
        scoped.desk.role(role, problems);
    }
}

fn check_step(scoped: &mut Scoped<'_>, step: &Step, problems: &mut Problems) {
    let (runbook, desk) = (scoped.runbook, scoped.desk);
    scoped.text(&step.title, true, problems);
    scoped.host(&step.host, problems);
    check_all(scoped, &step.require, Stands::Require, problems);
    match &step.body {
        StepBody::Use(word) => {
            if let Some((first, _)) = word.split_once('/') {
                scoped.note_used(first);
            }
            let actions = desk.actions(runbook, word, problems);
            let inputs: Vec<_> = actions.iter().map(|(_, action)| &action.inputs).collect();
            check_inputs(scoped, &step.with, &inputs, word, problems);
            for (_, action) in &actions {
                check_secrets(runbook, &action.secrets, word, problems);
            }
        }
        StepBody::Own(command) => {
            check_own(scoped, step, command, problems);
            if let Some(Undo::Command(undo)) = step.undo.as_ref().map(|undo| &undo.value) {
                check_own(scoped, step, undo, problems);
            }
        }
        StepBody::Broken => {}
    }
    if let Some(progress) = &step.progress {
        for expr in [Some(&progress.done), progress.total.as_ref()].into_iter().flatten() {
            let inferred = scoped.infer(expr, problems);
            if !inferred.kind.has_order() {
                let message = format!("{} stands where an amount belongs", inferred.kind);
                problems.add(Code::TypeWrong, &expr.place, message, "a size or a number");
            } else if !inferred.uses.measures() && inferred.kind != Type::Broken {
                let message = "progress that measures nothing never moves";
                problems.add(Code::CheckConstant, &expr.place, message, "measure it");
            }
        }
    }
    for watch in &step.watch {
        check_watch(scoped, watch, problems);
    }
    if let Some(instead) = &step.instead {
        scoped.host(&instead.host, problems);
        let actions = desk.actions(runbook, &instead.action, problems);
        let inputs: Vec<_> = actions.iter().map(|(_, action)| &action.inputs).collect();
        check_inputs(scoped, &instead.with, &inputs, &instead.action, problems);
    }
    check_all(scoped, &step.verify, Stands::Verify, problems);
}

/// A command or script that stands in the runbook itself.
fn check_own(scoped: &mut Scoped<'_>, step: &Step, command: &Command, problems: &mut Problems) {
    for (name, text) in &step.with {
        scoped.text(text, true, problems);
        parameters::check_input_name(name, problems);
    }
    match command {
        Command::Run(arguments) => {
            for argument in arguments {
                scoped.text(argument, true, problems);
            }
            if arguments.first().is_none_or(|program| program.source.is_empty()) {
                problems.add(
                    Code::StepBody,
                    &step.title.place,
                    "a command without words",
                    "run: [command, argument]",
                );
            }
            for (name, _) in &step.with {
                let cure = "write it as an argument, or use a script";
                let message =
                    format!("`{}` reaches no command: `run` takes its values as arguments", name.value);
                problems.add(Code::InputUnknown, &name.place, message, cure);
            }
        }
        Command::Script(script) => {
            let names: Vec<&str> = step.with.iter().map(|(name, _)| name.value.as_str()).collect();
            check_script(script, None, &names, problems);
        }
    }
}

fn note_titles_twice(runbook: &Runbook, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let inner = runbook.items.iter().flat_map(|item| match item {
        Item::Each(each) => each.items.iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    for item in inner {
        let text = match item {
            Item::Step(step) => &step.title,
            Item::Wait(wait) => &wait.title,
            Item::Decide(decide) => &decide.question,
            Item::Each(_) => continue,
        };
        if let Some(line) = seen.insert(&text.source, text.place.span.line) {
            let message = format!("line {line} has this title too");
            let cure = "a title is the key of the step's history: make it say what differs";
            problems.add(Code::TitleTwice, &text.place, message, cure);
        }
    }
}
