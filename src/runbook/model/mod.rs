//! A runbook and a pack as they were read. Every word keeps its place, so that whatever is wrong with it can be shown.
//!
//! A word that was missing or broken is empty: its problem has been noted, and nothing that has problems is loaded.

mod check;
mod pack;
mod people;
mod step;

pub use check::{Check, CheckUse, Measure, MeasureAt, Sentence, Watch, WatchThen};
pub use pack::{Action, Pack, Probe, Topology, ValueType};
pub use people::{Access, Approve, FollowUp, IncidentRule, Outside, Tell, WindowRule};
pub use step::{
    Batch, BatchSize, Command, Decide, Each, Effect, Instead, Item, Progress, Step, StepBody, Undo, Wait,
};

use super::expression::{Expr, Type};
use super::source::literal::{Literal, Millis};
use super::source::name::RunbookName;
use super::source::place::{At, Place};
use super::text::Text;

/// A word that refers to something declared elsewhere.
pub type Word = At<String>;

/// One procedure.
#[derive(Debug, Clone)]
pub struct Runbook {
    /// Its name.
    pub name: RunbookName,
    /// Where the name stands.
    pub place: Place,
    /// What a run of it does.
    pub title: Text,
    /// When to reach for it.
    pub use_when: String,
    /// The role that answers for it.
    pub owner: Word,
    /// How often it is to be rehearsed.
    pub rehearse: Millis,
    /// How long it waits before it runs again on the same cluster.
    pub cool_down: Option<Millis>,
    /// The runbook to turn to.
    pub contingency: Option<Word>,
    /// Secrets that its probes and actions may read.
    pub secrets: Vec<Word>,
    /// What is asked of the person who runs it.
    pub parameters: Vec<Parameter>,
    /// Who may start and approve it.
    pub access: Access,
    /// When it belongs.
    pub window: Option<WindowRule>,
    /// The incident that a run opens.
    pub incident: Option<IncidentRule>,
    /// Who is told.
    pub tell: Vec<Tell>,
    /// Names for expressions, in order.
    pub lets: Vec<(Word, Expr)>,
    /// What can be asked of hosts.
    pub measures: Vec<Measure>,
    /// Named checks.
    pub checks: Vec<(Word, Check)>,
    /// What must hold for the plan.
    pub preflight: Vec<CheckUse>,
    /// What must hold all the while.
    pub watch: Vec<Watch>,
    /// What is done.
    pub items: Vec<Item>,
    /// What is owed afterwards.
    pub follow_up: Vec<FollowUp>,
}

impl Runbook {
    /// The named check.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|(word, _)| word.value == name).map(|(_, check)| check)
    }

    /// The check that stands or is named here.
    pub fn resolve<'a>(&'a self, used: &'a CheckUse) -> Option<&'a Check> {
        match used {
            CheckUse::Inline(check) => Some(check),
            CheckUse::Named(word) => self.check(word),
        }
    }

    /// The measurement of this name.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name.value == name)
    }

    /// Every step of the file, those inside an `each` with it.
    pub fn all_steps(&self) -> impl Iterator<Item = (&Step, Option<&Each>)> {
        self.items.iter().flat_map(|item| match item {
            Item::Step(step) => vec![(step, None)],
            Item::Each(each) => each
                .items
                .iter()
                .filter_map(|inner| match inner {
                    Item::Step(step) => Some((step, Some(each))),
                    _ => None,
                })
                .collect(),
            Item::Wait(_) | Item::Decide(_) => Vec::new(),
        })
    }
}

/// What is asked of the person who runs a runbook.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: Word,
    /// Its type, with its limits.
    pub kind: ParameterKind,
    /// What it is when nobody says.
    pub default: Option<At<String>>,
    /// What to give here.
    pub help: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone)]
pub enum ParameterKind {
    /// True or false.
    Bool,
    /// A whole number, size, duration, percentage or number, with its limits.
    Quantity(Type, Limits),
    /// Free text that matches a pattern as a whole.
    Text(Option<At<String>>),
    /// A host out of a list.
    Host(Option<Expr>),
    /// One of these words.
    Choice(Vec<Word>),
    /// A cluster of one of these kinds.
    Cluster(Vec<Word>),
    /// A service.
    Service,
    /// A problem has been noted.
    Broken,
}

/// The smallest and largest possible value.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// At least.
    pub min: Option<At<Literal>>,
    /// At most.
    pub max: Option<At<Literal>>,
}
