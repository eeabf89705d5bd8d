//! A runbook and a pack as they were read. Every word keeps its place, so that whatever is wrong with it can be shown.
//!
//! A word that was missing or broken is empty: its problem has been noted, and nothing that has problems is loaded.

use super::expression::{Expr, Type};
use super::source::literal::{Literal, Millis};
use super::source::name::{PackName, RunbookName};
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

/// Who may start a runbook, and who must agree.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Roles that may start it.
    pub start: Vec<Word>,
    /// Who must agree besides the requester.
    pub approve: Option<Approve>,
}

/// Who must agree.
#[derive(Debug, Clone)]
pub struct Approve {
    /// Roles that may.
    pub by: Vec<Word>,
    /// How many people must.
    pub count: u32,
}

/// The time in which a runbook belongs.
#[derive(Debug, Clone)]
pub struct WindowRule {
    /// A window of the policy.
    pub name: Word,
    /// What happens outside it.
    pub outside: Outside,
}

/// What happens outside a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// One more approval.
    Approve,
    /// None may start it.
    Refuse,
}

/// The incident that a run opens.
#[derive(Debug, Clone)]
pub struct IncidentRule {
    /// `sev1`, `sev2`, `sev3`
    pub severity: String,
    /// Opened at the start of the run; otherwise when there is trouble.
    pub at_start: bool,
    /// The service that is affected.
    pub service: Expr,
    /// News for the public.
    pub updates: Option<(Millis, Text)>,
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub struct Tell {
    /// `support`, `status-page` or a role.
    pub who: Word,
    /// `before-start`, `start`, `end`
    pub at: String,
    /// `acknowledged`, `published`, `delivered`
    pub until: Word,
    /// By when.
    pub within: Millis,
}

/// A probe and whom it asks.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Its name.
    pub name: Word,
    /// `pack/probe` or `cluster/probe`.
    pub probe: Word,
    /// Whom it asks.
    pub at: MeasureAt,
    /// The inputs of the probe.
    pub with: Vec<(Word, Text)>,
}

/// Whom a measurement asks.
#[derive(Debug, Clone)]
pub enum MeasureAt {
    /// One host.
    Host(Expr),
    /// Several hosts, one result for each.
    Hosts(Expr),
    /// Both or neither: a problem has been noted.
    Broken,
}

/// A condition and its sentence.
#[derive(Debug, Clone)]
pub struct Check {
    /// The condition.
    pub that: Expr,
    /// What is said when it does not hold.
    pub sentence: Sentence,
    /// How long it may take to come true.
    pub within: Option<At<Millis>>,
    /// How long it must then stay true.
    pub hold_for: Option<At<Millis>>,
}

/// What is said when a check does not hold.
#[derive(Debug, Clone)]
pub enum Sentence {
    /// It must hold.
    Else(Text),
    /// It is said, and the run may go on.
    Warn(Text),
    /// Neither or both: a problem has been noted.
    Broken,
}

/// A check where it is used.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a runbook has a few dozen; boxes would be in every reader's way"
)]
pub enum CheckUse {
    /// By its name.
    Named(Word),
    /// Written out.
    Inline(Check),
}

impl CheckUse {
    /// Where it stands.
    pub const fn place(&self) -> &Place {
        match self {
            Self::Named(word) => &word.place,
            Self::Inline(check) => &check.that.place,
        }
    }
}

/// A condition that is asked while steps work.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The condition.
    pub that: Expr,
    /// Said when it is broken.
    pub sentence: Text,
    /// How often it is asked.
    pub every: Millis,
    /// How long it must be broken before it acts.
    pub broken_for: Millis,
    /// What it does then.
    pub then: WatchThen,
}

/// What a broken watch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchThen {
    /// Ends the processes of the step and asks.
    Stop,
    /// Halts them until it holds again.
    Pause,
}

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

/// What the owner owes after a run.
#[derive(Debug, Clone)]
pub struct FollowUp {
    /// What.
    pub what: Text,
    /// Nothing is owed if false.
    pub when: Option<Expr>,
    /// The runbook that does it.
    pub runbook: Option<Word>,
    /// By when.
    pub within: Millis,
}

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
