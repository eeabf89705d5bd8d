//! What is asked of hosts: measurements, checks on them, and watches.

use super::Word;
use crate::runbook::expression::Expr;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::place::{At, Place};
use crate::runbook::text::Text;

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
