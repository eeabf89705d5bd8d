//! What the names of a runbook stand for, and the checks of names themselves: taken, unused.

use std::collections::{BTreeMap, BTreeSet};

use super::uses::{Desk, fields_of, shared_fields};
use crate::runbook::expression::infer::{Inferred, Uses, infer};
use crate::runbook::expression::tree::Node;
use crate::runbook::expression::types::{Measured, Named, Scope};
use crate::runbook::expression::{Expr, Type};
use crate::runbook::model::{MeasureAt, ParameterKind, Runbook, Word};
use crate::runbook::source::name::NameForm;
use crate::runbook::source::problem::{Code, Problems};
use crate::runbook::text::Text;

/// Infers expressions of one runbook, and keeps what they used.
pub(super) struct Scoped<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) runbook: &'a Runbook,
    pub(super) scope: Scope,
    /// Names that were used anywhere.
    used: BTreeSet<String>,
    /// Checks that were used anywhere.
    pub(super) used_checks: BTreeSet<String>,
    /// What each named check uses.
    pub(super) check_uses: BTreeMap<String, Uses>,
}

impl<'a> Scoped<'a> {
    /// Declares all names: parameters, measurements, `let`, `run`.
    pub(super) fn new(runbook: &'a Runbook, desk: &'a Desk<'a>, problems: &mut Problems) -> Self {
        let mut scope = Scope {
            names: BTreeMap::from([("run".to_owned(), Named::Run)]),
            host_fields: desk.host_fields.clone(),
            cluster_settings: desk.cluster_settings.clone(),
            without_roles: desk.without_roles.clone(),
        };
        let mut taken = BTreeMap::new();
        let words = runbook.parameters.iter().map(|parameter| &parameter.name);
        let words = words.chain(runbook.lets.iter().map(|(name, _)| name));
        let words = words.chain(runbook.measures.iter().map(|measure| &measure.name));
        for word in words.chain(runbook.checks.iter().map(|(name, _)| name)) {
            note_taken(word, &mut taken, desk, problems);
        }
        let declared = runbook.parameters.iter().map(|parameter| &parameter.name.value);
        let declared = declared.chain(runbook.measures.iter().map(|measure| &measure.name.value));
        let declared: BTreeSet<&String> = declared.collect();
        for measure in &runbook.measures {
            let probes = desk.probes(runbook, &measure.probe, problems);
            let measured = Measured {
                by_host: matches!(measure.at, MeasureAt::Hosts(_)),
                fields: shared_fields(probes.iter().map(|(_, probe)| fields_of(&probe.results))),
                writes: probes.iter().any(|(_, probe)| probe.writes.is_some()),
                broken: probes.is_empty() || matches!(measure.at, MeasureAt::Broken),
            };
            scope.names.insert(measure.name.value.clone(), Named::Measurement(measured));
        }
        let (used, used_checks, check_uses) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        let mut scoped = Self { desk, runbook, scope, used, used_checks, check_uses };
        // A parameter may use those above it, and so may a `let`.
        for parameter in &runbook.parameters {
            if let ParameterKind::Host(Some(list)) = &parameter.kind {
                scoped.hosts(list, "in", problems);
            }
            let named = Named::Value(parameter_type(&parameter.kind));
            scoped.scope.names.insert(parameter.name.value.clone(), named);
        }
        for (name, expr) in &runbook.lets {
            let inferred = scoped.infer(expr, problems);
            // Of two with one name nobody knows which is meant: it fits everywhere, so that this is said once.
            let named = if declared.contains(&name.value) {
                Named::Value(Type::Broken)
            } else {
                Named::Let(inferred)
            };
            scoped.scope.names.insert(name.value.clone(), named);
        }
        // Using one `let` in another is no use of it in the runbook.
        let lets: Vec<&str> = runbook.lets.iter().map(|(name, _)| name.value.as_str()).collect();
        scoped.used.retain(|name| !lets.contains(&name.as_str()));
        scoped
    }

    /// Finds the type of an expression and notes what it uses.
    pub(super) fn infer(&mut self, expr: &Expr, problems: &mut Problems) -> Inferred {
        let inferred = infer(expr, &self.scope, problems);
        self.used.extend(inferred.uses.names.iter().cloned());
        if matches!(expr.root.node, Node::Broken) {
            // What cannot be read may use any name that it mentions: one slip is one problem.
            let words = expr.source.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            self.used.extend(words.map(str::to_owned));
        }
        inferred
    }

    /// A condition.
    pub(super) fn condition(&mut self, expr: &Expr, problems: &mut Problems) -> Uses {
        let inferred = self.infer(expr, problems);
        if !matches!(inferred.kind, Type::Bool | Type::Broken) {
            let message = format!("{} stands where a condition belongs", inferred.kind);
            problems.add(Code::TypeWrong, &expr.place, message, "compare it with something");
        }
        inferred.uses
    }

    /// A condition that decides what is left out: it may not be measured.
    pub(super) fn when(&mut self, expr: &Expr, problems: &mut Problems) {
        let uses = self.condition(expr, problems);
        if uses.measures() {
            let message = "`when` depends on a measurement, so the plan could not be frozen";
            let cure = "decide by a parameter, or wait for it with `wait`, or check it with `require`";
            problems.add(Code::WhenMeasured, &expr.place, message, cure);
        }
    }

    /// One host, which may not be measured.
    pub(super) fn host(&mut self, expr: &Expr, problems: &mut Problems) -> Uses {
        let inferred = self.infer(expr, problems);
        match &inferred.kind {
            Type::Host | Type::Broken => {}
            other => {
                let cure = "one host, as `candidate` or `cluster.primary`; for several write an `each`";
                problems.add(
                    Code::TargetType,
                    &expr.place,
                    format!("{other} stands where one host belongs"),
                    cure,
                );
            }
        }
        self.not_measured(expr, &inferred, problems);
        inferred.uses
    }

    /// A list of hosts, which may not be measured.
    pub(super) fn hosts(&mut self, expr: &Expr, key: &str, problems: &mut Problems) -> Uses {
        let inferred = self.infer(expr, problems);
        match &inferred.kind {
            Type::Broken => {}
            Type::List(inner) if Type::Host.takes(inner) => {}
            other => {
                let message = format!("{other} stands where a list of hosts belongs");
                let cure = format!("write {key}: cluster.replicas, or {key}: \"[a, b]\"");
                problems.add(Code::TypeWrong, &expr.place, message, cure);
            }
        }
        self.not_measured(expr, &inferred, problems);
        inferred.uses
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn not_measured(&self, expr: &Expr, inferred: &Inferred, problems: &mut Problems) {
        if inferred.uses.measures() {
            let message = "a target that depends on a measurement could move after the approval";
            let cure = "name it by a parameter or the topology; what is measured belongs into a check";
            problems.add(Code::TargetMeasured, &expr.place, message, cure);
        }
    }

    /// A text. `frozen` texts are fixed by the plan and may not be measured.
    pub(super) fn text(&mut self, text: &Text, frozen: bool, problems: &mut Problems) -> Uses {
        let mut uses = Uses::default();
        for reference in text.references() {
            if let Some(secret) = self.secret(&reference) {
                let place = reference.place_of(&reference.root);
                let cure = format!(
                    "list it under `secrets` of an action, whose script reads the file named in \"${secret}_file\""
                );
                problems.add(Code::SecretInText, &place, "a secret in a text would be seen", cure);
                continue;
            }
            let inferred = self.infer(&reference, problems);
            let place = || reference.place_of(&reference.root);
            if !inferred.kind.prints() {
                let message = format!("{} does not print", inferred.kind);
                problems.add(Code::TextValue, &place(), message, "name one value or field");
            } else if frozen && inferred.uses.measures() && inferred.kind != Type::Broken {
                let message = "a measured value in a text that the plan fixes";
                let cure = "parameters, inventory and topology only; what is measured belongs into a sentence of a check";
                problems.add(Code::FrozenText, &place(), message, cure);
            }
            uses.join(&inferred.uses);
        }
        uses
    }

    /// The secret that a reference names.
    fn secret<'e>(&self, reference: &'e Expr) -> Option<&'e str> {
        let Node::Name(name) = &reference.root.node else { return None };
        let listed = self.runbook.secrets.iter().any(|secret| secret.value == *name);
        let known = self.desk.policy.is_some_and(|policy| policy.secrets.contains_key(name));
        (!self.scope.names.contains_key(name) && (listed || known)).then_some(name.as_str())
    }

    /// Declares the host at hand of an `each` while `inside` is checked, and says whether it was used there.
    pub(super) fn with_host_at_hand(
        &mut self,
        variable: &Word,
        problems: &mut Problems,
        inside: impl FnOnce(&mut Self, &mut Problems),
    ) -> bool {
        let name = variable.value.clone();
        let used_before = self.used.remove(&name);
        let hidden = self.scope.names.insert(name.clone(), Named::Value(Type::Host));
        if hidden.is_some() {
            let message = format!("`{name}` hides another name");
            problems.add(Code::NameTaken, &variable.place, message, "call the host at hand something else");
        } else if self.desk.packs.contains_key(name.as_str()) {
            let message = format!("`{name}` is the name of a pack");
            problems.add(Code::NameTaken, &variable.place, message, "call the host at hand something else");
        }
        inside(self, problems);
        match hidden {
            Some(named) => self.scope.names.insert(name.clone(), named),
            None => self.scope.names.remove(&name),
        };
        let used = self.used.remove(&name);
        if used_before {
            self.used.insert(name);
        }
        used
    }

    /// Notes what was declared and never used.
    pub(super) fn note_unused(&self, problems: &mut Problems) {
        let mut note = |word: &Word, what: &str, used: bool| {
            if !used && NameForm::Variable.fits(&word.value) {
                let message = format!("nothing uses the {what} `{}`", word.value);
                problems.add(Code::NameUnused, &word.place, message, "remove it, or check it");
            }
        };
        for parameter in &self.runbook.parameters {
            note(&parameter.name, "parameter", self.used.contains(&parameter.name.value));
        }
        for (name, _) in &self.runbook.lets {
            note(name, "`let` name", self.used.contains(&name.value));
        }
        for measure in &self.runbook.measures {
            note(&measure.name, "measurement", self.used.contains(&measure.name.value));
        }
        for (name, _) in &self.runbook.checks {
            note(name, "check", self.used_checks.contains(&name.value));
        }
    }

    /// Notes names as used, such as the cluster parameter of `cluster/node`.
    pub(super) fn note_used(&mut self, name: &str) {
        self.used.insert(name.to_owned());
    }

    /// What a measurement gives.
    pub(super) fn measured(&self, name: &str) -> Option<&Measured> {
        match self.scope.names.get(name) {
            Some(Named::Measurement(measured)) => Some(measured),
            _ => None,
        }
    }
}

fn note_taken(word: &Word, taken: &mut BTreeMap<String, u32>, desk: &Desk<'_>, problems: &mut Problems) {
    let mut note = |message: String| {
        problems.add(Code::NameTaken, &word.place, message, "give it another name; nothing hides anything");
    };
    if let Some(line) = taken.get(&word.value) {
        note(format!("`{}` is declared on line {line} already", word.value));
    } else if word.value == "run" {
        note("`run` is the run itself".to_owned());
    } else if desk.packs.contains_key(word.as_str()) {
        note(format!("`{}` is the name of a pack", word.value));
    }
    taken.entry(word.value.clone()).or_insert(word.place.span.line);
}

/// The type that a parameter has in expressions.
pub(super) fn parameter_type(kind: &ParameterKind) -> Type {
    match kind {
        ParameterKind::Bool => Type::Bool,
        ParameterKind::Quantity(kind, _) => kind.clone(),
        ParameterKind::Text(_) => Type::Text,
        ParameterKind::Host(_) => Type::Host,
        ParameterKind::Choice(words) => Type::Words(words.iter().map(|word| word.value.clone()).collect()),
        ParameterKind::Cluster(kinds) => Type::Cluster(
            kinds.iter().filter_map(|kind| crate::runbook::source::name::PackName::new(kind)).collect(),
        ),
        ParameterKind::Service => Type::Service,
        ParameterKind::Broken => Type::Broken,
    }
}
