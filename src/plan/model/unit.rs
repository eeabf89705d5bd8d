//! A numbered piece of work: a step with its commands, a gate, or a question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::runbook::model::Effect;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;

/// A numbered piece of work: what a person can talk about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Its number in the plan, from 1.
    pub number: u32,
    /// Where it stands in the runbook: which entry of `steps`, and which of an `each`.
    pub path: Path,
    /// Its title.
    pub title: String,
    /// What it is.
    pub work: Work,
}

impl Unit {
    /// What it does to the world, if it is a step.
    pub fn effect(&self) -> Option<Effect> {
        match &self.work {
            Work::Step(step) => Some(step.effect),
            _ => None,
        }
    }

    /// The step, if it is one.
    pub fn step(&self) -> Option<&StepPlan> {
        match &self.work {
            Work::Step(step) => Some(step),
            _ => None,
        }
    }
}

/// Where a unit stands in its runbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// Which entry of `steps`, from 0.
    pub item: usize,
    /// Which entry of the `steps` of an `each`, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner: Option<usize>,
}

/// What a unit is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// One command on one host.
    Step(Box<StepPlan>),
    /// A gate.
    Wait(WaitPlan),
    /// A question to people.
    Decide(DecidePlan),
}

/// One command on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// What it does to the world.
    pub effect: Effect,
    /// The command.
    pub command: Command,
    /// What is done instead if the host cannot be reached and nothing was started there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<Command>,
    /// What takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What takes back what was done instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_instead: Option<Undo>,
    /// Why it cannot be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_no_undo: Option<String>,
    /// How long it usually takes, if the runbook says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Millis>,
    /// Whether it may be sent again when its outcome is unknown.
    pub repeatable: bool,
    /// Whether something proves it.
    pub has_proof: bool,
    /// How many watches it has.
    pub watches: usize,
    /// Whether something says how far it is.
    pub has_progress: bool,
}

/// A command on a host, with every argument and variable as it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Where it runs.
    pub host: HostName,
    /// The action that it comes from, as `postgresql/promote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What is executed.
    pub body: Body,
    /// The names of the secrets that it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// When we stop waiting and ask.
    pub at_most: Millis,
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// A program with its arguments; no shell sees them.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// A fixed script for `sh -eu`.
    Script {
        /// SHA-256 of its text, prelude included.
        sha256: String,
        /// Its variables, besides `run_id` and `step_dir`.
        variables: BTreeMap<String, String>,
    },
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undo {
    /// A command.
    Command(Command),
    /// Nothing is left to take back, and why.
    Nothing(String),
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitPlan {
    /// When a person is asked.
    pub at_most: Millis,
    /// How long all must hold without a break.
    #[serde(skip_serializing_if = "Option::is_none", rename = "for")]
    pub hold_for: Option<Millis>,
    /// How many watches it has.
    pub watches: usize,
}

/// A question to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidePlan {
    /// Who is asked.
    pub ask: Vec<String>,
    /// By when.
    pub within: Millis,
    /// What yes means.
    pub go_on: String,
    /// What no means.
    pub stop: String,
}
