//! What is done: the entries of `steps`.

use super::Word;
use super::check::{CheckUse, Watch};
use crate::runbook::expression::Expr;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::place::At;
use crate::runbook::text::Text;

/// An entry of `steps`.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a runbook has a few dozen; boxes would be in every reader's way"
)]
pub enum Item {
    /// One command on one host.
    Step(Step),
    /// Steps host by host.
    Each(Each),
    /// A gate.
    Wait(Wait),
    /// A question to people.
    Decide(Decide),
}

impl Item {
    /// Its title as written; of an `each` its variable.
    pub fn title(&self) -> &str {
        match self {
            Self::Step(step) => &step.title.source,
            Self::Each(each) => &each.variable.value,
            Self::Wait(wait) => &wait.title.source,
            Self::Decide(decide) => &decide.question.source,
        }
    }

    /// The condition under which it is part of the plan.
    pub const fn when(&self) -> Option<&Expr> {
        match self {
            Self::Step(Step { when, .. })
            | Self::Each(Each { when, .. })
            | Self::Wait(Wait { when, .. })
            | Self::Decide(Decide { when, .. }) => when.as_ref(),
        }
    }
}

/// One command on one host.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its title; unrendered, the key of its history.
    pub title: Text,
    /// Left out if false.
    pub when: Option<Expr>,
    /// Where it runs.
    pub host: Expr,
    /// What it does to the world; `None` is a noted problem.
    pub effect: Option<At<Effect>>,
    /// Why it cannot be taken back.
    pub why_no_undo: Option<At<String>>,
    /// What is measured at its door.
    pub require: Vec<CheckUse>,
    /// What it does.
    pub body: StepBody,
    /// The inputs of the action, or the variables of the script.
    pub with: Vec<(Word, Text)>,
    /// Whether it may be sent again when its outcome is unknown.
    pub repeatable: Option<At<bool>>,
    /// How long it usually takes.
    pub takes: Option<Millis>,
    /// When we stop waiting and ask.
    pub at_most: Option<Millis>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// What must hold while it works.
    pub watch: Vec<Watch>,
    /// What is done instead.
    pub instead: Option<Instead>,
    /// What takes it back.
    pub undo: Option<At<Undo>>,
    /// What proves it.
    pub verify: Vec<CheckUse>,
}

/// What a step, probe or action does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing.
    Read,
    /// Something that an undo takes back.
    Reversible,
    /// Something that nothing takes back.
    Irreversible,
}

impl Effect {
    /// As it is written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Reversible => "reversible",
            Self::Irreversible => "irreversible",
        }
    }

    /// Whether it changes anything.
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepBody {
    /// An action of a pack.
    Use(Word),
    /// A command or script of its own.
    Own(Command),
    /// None or several: a problem has been noted.
    Broken,
}

/// A command or a script.
#[derive(Debug, Clone)]
pub enum Command {
    /// Each entry is exactly one argument.
    Run(Vec<Text>),
    /// Fixed text for `sh -eu`.
    Script(At<String>),
}

/// What takes a step back.
#[derive(Debug, Clone)]
pub enum Undo {
    /// A command or script.
    Command(Command),
    /// Nothing is left to take back, and why.
    Nothing(String),
    /// None or several: a problem has been noted.
    Broken,
}

/// How far a step is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// What is done.
    pub done: Expr,
    /// Of how much.
    pub total: Option<Expr>,
    /// How long it may stand still.
    pub stalled_after: Millis,
}

/// What is done instead on another host.
#[derive(Debug, Clone)]
pub struct Instead {
    /// The other host.
    pub host: Expr,
    /// The action.
    pub action: Word,
    /// Its inputs.
    pub with: Vec<(Word, Text)>,
}

/// Steps host by host.
#[derive(Debug, Clone)]
pub struct Each {
    /// The name of the host at hand.
    pub variable: Word,
    /// The hosts.
    pub of: Expr,
    /// Left out if false.
    pub when: Option<Expr>,
    /// How many at once.
    pub batch: Batch,
    /// What is done for each: steps, waits and decides.
    pub items: Vec<Item>,
}

/// How many hosts at once.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Hosts at once, after the first batch, which is one host.
    pub size: BatchSize,
    /// Between batches.
    pub pause: Millis,
    /// How many hosts may fail before the run stands still.
    pub failures: usize,
}

/// The size of a batch.
#[derive(Debug, Clone, Copy)]
pub enum BatchSize {
    /// So many hosts.
    Hosts(usize),
    /// So many percent of them, rounded up.
    Percent(f64),
}

impl BatchSize {
    /// Hosts at once, of so many in all.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a list"
    )]
    pub fn of(self, hosts: usize) -> usize {
        match self {
            Self::Hosts(size) => size.max(1),
            Self::Percent(percent) => ((hosts as f64 * percent / 100.0).ceil() as usize).max(1),
        }
    }
}

/// A gate.
#[derive(Debug, Clone)]
pub struct Wait {
    /// Its title.
    pub title: Text,
    /// Left out if false.
    pub when: Option<Expr>,
    /// What must hold.
    pub until: Vec<CheckUse>,
    /// How long all must hold without a break.
    pub hold_for: Option<Millis>,
    /// When a person is asked.
    pub at_most: Millis,
    /// How long it usually takes.
    pub takes: Option<Millis>,
    /// What must hold meanwhile.
    pub watch: Vec<Watch>,
}

/// A question to people.
#[derive(Debug, Clone)]
pub struct Decide {
    /// The question.
    pub question: Text,
    /// Left out if false.
    pub when: Option<Expr>,
    /// Who is asked.
    pub ask: Vec<Word>,
    /// By when.
    pub within: Millis,
    /// What yes means.
    pub go_on: Text,
    /// What no means.
    pub stop: Text,
}
