//! The knowledge of one system: what can be measured there, and what can be changed.

use super::Word;
use super::step::{Command, Effect, Undo};
use crate::runbook::expression::{Expr, Type};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::PackName;
use crate::runbook::source::place::{At, Place};

/// The knowledge of one system.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Its name.
    pub name: PackName,
    /// Where the name stands.
    pub place: Place,
    /// The system.
    pub title: String,
    /// Its settings belong to every host.
    pub every_host: bool,
    /// Commands that must be on the host.
    pub commands: Vec<Word>,
    /// The setting that names a log.
    pub log: Option<Word>,
    /// What the inventory must say.
    pub settings: Vec<(Word, ValueType)>,
    /// Who is primary and who is a replica.
    pub topology: Option<Topology>,
    /// Stands before each script.
    pub prelude: Option<At<String>>,
    /// What can be measured.
    pub probes: Vec<Probe>,
    /// What can be changed.
    pub actions: Vec<Action>,
}

impl Pack {
    /// The probe of this name.
    pub fn probe(&self, name: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.name.value == name)
    }

    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name.value == name)
    }

    /// The type of a setting.
    pub fn setting(&self, name: &str) -> Option<&ValueType> {
        self.settings.iter().find(|(word, _)| word.value == name).map(|(_, kind)| kind)
    }
}

/// The type of an input, a result or a setting.
#[derive(Debug, Clone)]
pub struct ValueType {
    /// The type.
    pub kind: Type,
    /// Whether it may be missing: `or none`.
    pub optional: bool,
}

/// How the hosts of a cluster tell their roles.
#[derive(Debug, Clone)]
pub struct Topology {
    /// The probe that is asked of every host.
    pub probe: Word,
    /// Holds for the primary.
    pub primary: Expr,
    /// Holds for a replica.
    pub replica: Expr,
}

/// A named measurement.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name.
    pub name: Word,
    /// The question that it answers.
    pub asks: String,
    /// What it must be given.
    pub inputs: Vec<(Word, ValueType)>,
    /// Secrets that it reads.
    pub secrets: Vec<Word>,
    /// How long it may take.
    pub at_most: Millis,
    /// What it prints.
    pub results: Vec<(Word, ValueType)>,
    /// The command; `None` is a noted problem.
    pub body: Option<Command>,
    /// What it changes.
    pub writes: Option<String>,
}

/// A named change.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its name.
    pub name: Word,
    /// What it does.
    pub does: String,
    /// What it must be given.
    pub inputs: Vec<(Word, ValueType)>,
    /// Secrets that it reads.
    pub secrets: Vec<Word>,
    /// What it does to the world.
    pub effect: Option<At<Effect>>,
    /// How long it usually takes.
    pub takes: Option<Millis>,
    /// How long it may take.
    pub at_most: Millis,
    /// Whether it may be sent again when its outcome is unknown.
    pub repeatable: bool,
    /// The command; `None` is a noted problem.
    pub body: Option<Command>,
    /// What takes it back.
    pub undo: Option<At<Undo>>,
}
