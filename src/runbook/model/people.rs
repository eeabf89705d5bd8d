//! Whom a runbook concerns: who may run and must approve it, when, who is told, and what is owed.

use super::Word;
use crate::runbook::expression::Expr;
use crate::runbook::source::literal::Millis;
use crate::runbook::text::Text;

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
