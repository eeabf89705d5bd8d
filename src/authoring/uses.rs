//! What runbooks refer to in other files: packs with their probes and actions, roles, windows, runbooks.

use std::collections::{BTreeMap, BTreeSet};

use super::files::Files;
use super::unknown;
use crate::policy::model::Policy;
use crate::runbook::expression::types::Fields;
use crate::runbook::expression::{Field, Type};
use crate::runbook::model::{Action, Pack, ParameterKind, Probe, Runbook, ValueType, Word};
use crate::runbook::source::name::{PackName, RunbookName};
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};

/// Everything that lies open beside the file being checked.
pub(super) struct Desk<'a> {
    pub(super) packs: &'a BTreeMap<PackName, Pack>,
    pub(super) runbooks: &'a BTreeMap<RunbookName, Runbook>,
    pub(super) policy: Option<&'a Policy>,
    /// A file could not be read: what it would have declared is not missed.
    pub(super) unread: bool,
    /// Settings of packs that apply to every host, as fields of a host.
    pub(super) host_fields: Fields,
    /// Settings of each pack, as fields of its clusters.
    pub(super) cluster_settings: BTreeMap<PackName, Fields>,
    /// Packs without a topology.
    pub(super) without_roles: BTreeSet<PackName>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(files: &'a Files) -> Self {
        let mut host_fields = crate::runbook::expression::types::fields([
            ("name", Type::Text),
            ("address", Type::Text),
            ("owner", Type::Text),
        ]);
        for pack in files.packs.values().filter(|pack| pack.every_host) {
            host_fields.extend(fields_of(&pack.settings));
        }
        let cluster_settings =
            files.packs.iter().map(|(name, pack)| (name.clone(), fields_of(&pack.settings))).collect();
        let without_roles = files.packs.iter().filter(|(_, pack)| pack.topology.is_none());
        Self {
            packs: &files.packs,
            runbooks: &files.runbooks,
            policy: files.policy.as_ref(),
            unread: files.unread,
            host_fields,
            cluster_settings,
            without_roles: without_roles.map(|(name, _)| name.clone()).collect(),
        }
    }

    pub(super) fn role(&self, word: &Word, problems: &mut Problems) {
        let Some(policy) = self.policy else { return };
        if !word.is_empty() && !policy.roles.contains_key(word.as_str()) {
            unknown(
                Code::RoleUnknown,
                word,
                "role",
                policy.roles.keys().map(super::super::runbook::source::name::Role::as_str),
                problems,
            );
        }
    }

    pub(super) fn person(&self, word: &Word, problems: &mut Problems) {
        let Some(policy) = self.policy else { return };
        if !word.is_empty() && !policy.people.contains_key(word.as_str()) {
            let known = policy.people.keys().map(super::super::runbook::source::name::Person::as_str);
            unknown(Code::PersonUnknown, word, "person", known, problems);
        }
    }

    pub(super) fn runbook(&self, word: &Word, problems: &mut Problems) {
        if !word.is_empty() && !self.unread && !self.runbooks.contains_key(word.as_str()) {
            unknown(
                Code::RunbookUnknown,
                word,
                "runbook",
                self.runbooks.keys().map(super::super::runbook::source::name::RunbookName::as_str),
                problems,
            );
        }
    }

    pub(super) fn pack(&self, word: &Word, problems: &mut Problems) -> Option<&'a Pack> {
        let found = self.packs.get(word.as_str());
        if found.is_none() && !word.is_empty() && !self.unread {
            unknown(
                Code::PackUnknown,
                word,
                "pack",
                self.packs.keys().map(super::super::runbook::source::name::PackName::as_str),
                problems,
            );
        }
        found
    }

    /// The packs that `pack/name` or `parameter/name` means, and the name. Empty if a problem was noted.
    fn packs_of<'w>(
        &self,
        runbook: &Runbook,
        word: &'w Word,
        problems: &mut Problems,
    ) -> (Vec<&'a Pack>, &'w str) {
        let Some((first, name)) = word.split_once('/') else {
            if !word.is_empty() {
                let cure = "write pack/name, or cluster/name for the pack of the cluster's kind";
                problems.add(Code::NameForm, &word.place, format!("`{}` names no pack", word.value), cure);
            }
            return (Vec::new(), "");
        };
        let parameter = runbook.parameters.iter().find(|parameter| parameter.name.value == first);
        if let Some(parameter) = parameter {
            let ParameterKind::Cluster(kinds) = &parameter.kind else {
                let message = format!("`{first}` is not a cluster");
                let place = part_of(word, 0, first);
                problems.add(Code::PackUnknown, &place, message, "name a pack, or a cluster parameter");
                return (Vec::new(), name);
            };
            // An unknown kind is reported where it is declared.
            return (kinds.iter().filter_map(|kind| self.packs.get(kind.as_str())).collect(), name);
        }
        if let Some(pack) = self.packs.get(first) {
            return (vec![pack], name);
        }
        if !self.unread {
            let clusters = runbook.parameters.iter().filter(|p| matches!(p.kind, ParameterKind::Cluster(_)));
            let known: Vec<&str> = self
                .packs
                .keys()
                .map(super::super::runbook::source::name::PackName::as_str)
                .chain(clusters.map(|p| p.name.value.as_str()))
                .collect();
            let at = Word::new(first.to_owned(), part_of(word, 0, first));
            unknown(Code::PackUnknown, &at, "pack", known.iter().copied(), problems);
        }
        (Vec::new(), name)
    }

    /// The probes that this word may mean, one for each kind of the cluster.
    pub(super) fn probes(
        &self,
        runbook: &Runbook,
        word: &Word,
        problems: &mut Problems,
    ) -> Vec<(&'a Pack, &'a Probe)> {
        let (packs, name) = self.packs_of(runbook, word, problems);
        let found: Vec<_> =
            packs.iter().filter_map(|pack| pack.probe(name).map(|probe| (*pack, probe))).collect();
        for pack in packs.iter().filter(|pack| pack.probe(name).is_none()) {
            let known = pack.probes.iter().map(|probe| probe.name.value.as_str());
            unknown_in(Code::ProbeUnknown, pack, "probe", word, name, known, problems);
        }
        found
    }

    /// The actions that this word may mean, one for each kind of the cluster.
    pub(super) fn actions(
        &self,
        runbook: &Runbook,
        word: &Word,
        problems: &mut Problems,
    ) -> Vec<(&'a Pack, &'a Action)> {
        let (packs, name) = self.packs_of(runbook, word, problems);
        let found: Vec<_> =
            packs.iter().filter_map(|pack| pack.action(name).map(|action| (*pack, action))).collect();
        for pack in packs.iter().filter(|pack| pack.action(name).is_none()) {
            let known = pack.actions.iter().map(|action| action.name.value.as_str());
            unknown_in(Code::ActionUnknown, pack, "action", word, name, known, problems);
        }
        found
    }
}

/// The place of the pack or of the name in `pack/name`.
fn part_of(word: &Word, before: usize, part: &str) -> Place {
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let offset = count(&word.value[..before]);
    Place { file: word.place.file.clone(), span: word.place.span.part(offset, count(part)) }
}

/// A pack that lacks what is named behind the stroke.
fn unknown_in<'a>(
    code: Code,
    pack: &Pack,
    what: &str,
    word: &Word,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    problems: &mut Problems,
) {
    let place = part_of(word, word.value.len() - name.len(), name);
    let message = format!("the pack {} has no {what} `{name}`", pack.name);
    problems.add(code, &place, message, nearest_or_all(name, known));
}

/// Inputs, results or settings as fields.
pub(super) fn fields_of(types: &[(Word, ValueType)]) -> Fields {
    types
        .iter()
        .map(|(name, value)| {
            (name.value.clone(), Field { kind: value.kind.clone(), optional: value.optional })
        })
        .collect()
}

/// The fields that all of these have, with the same type.
pub(super) fn shared_fields(mut all: impl Iterator<Item = Fields>) -> Fields {
    let first = all.next().unwrap_or_default();
    all.fold(first, |shared, next| {
        shared.into_iter().filter(|(name, field)| next.get(name) == Some(field)).collect()
    })
}
