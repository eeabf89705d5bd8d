//! What a speaker says to a run: the words of the grammar that steer one.

use crate::plan::model::{Unit, Work};
use crate::policy::decide::role_names;
use crate::run::Run;
use crate::run::model::{AskedAfter, Phase};
use crate::runbook::model::Runbook;
use crate::runbook::source::name::Person;

/// What a speaker says to a run, before the policy has ruled and tokens are thrown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the command grammar")]
pub enum ToRun {
    Confirm {
        token: String,
    },
    /// Of a step that is sent again: its number and host.
    Approve {
        digest: String,
        step: Option<(u32, Option<String>)>,
    },
    Withdraw,
    Refuse {
        why: String,
    },
    Stop {
        now: bool,
    },
    Pause,
    Resume,
    Retry {
        number: u32,
        host: Option<String>,
        attempt: AskedAfter,
    },
    Skip {
        number: u32,
        host: Option<String>,
        attempt: AskedAfter,
        why: String,
    },
    Ask {
        number: u32,
        host: Option<String>,
    },
    Settle {
        number: u32,
        host: Option<String>,
        attempt: AskedAfter,
        done: bool,
        how: String,
    },
    Answer {
        number: u32,
        host: Option<String>,
        go_on: bool,
    },
    Undo {
        including: Option<u32>,
    },
    Take,
    Handover {
        to: Person,
    },
}

impl ToRun {
    /// The word that people type.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "confirm",
            Self::Approve { .. } => "approve",
            Self::Withdraw => "withdraw",
            Self::Refuse { .. } => "refuse",
            Self::Stop { .. } => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::Ask { .. } => "ask",
            Self::Settle { .. } => "settle",
            Self::Answer { .. } => "answer",
            Self::Undo { .. } => "undo",
            Self::Take => "take",
            Self::Handover { .. } => "handover",
        }
    }

    /// Whether it steers a run that is there. What agrees to one needs the files as they are now.
    pub(super) const fn steers(&self) -> bool {
        !matches!(self, Self::Confirm { .. } | Self::Approve { .. } | Self::Undo { .. })
    }

    /// What it is, at the beginning of a sentence.
    pub(super) const fn deed(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "Confirming",
            Self::Approve { .. } => "Approving",
            Self::Withdraw => "Withdrawing",
            Self::Refuse { .. } => "Refusing",
            Self::Stop { .. } => "Stopping",
            Self::Pause => "Pausing",
            Self::Resume => "Resuming",
            Self::Retry { .. } => "Retrying",
            Self::Skip { .. } => "Skipping",
            Self::Ask { .. } => "Asking",
            Self::Settle { .. } => "Settling",
            Self::Answer { .. } => "Answering",
            Self::Undo { .. } => "Undoing",
            Self::Take => "Taking",
            Self::Handover { .. } => "Handing over",
        }
    }

    /// Whether those who asked for a run or drive it may say it without any role: what begins nothing.
    pub(super) const fn is_free_for_own(&self) -> bool {
        matches!(self, Self::Stop { .. } | Self::Pause | Self::Refuse { .. } | Self::Handover { .. })
    }

    /// The roles of which one is needed. Approving needs those of the plan, answering those that are asked, reading a
    /// plan back those that may start it, everything else one that may start or approve.
    pub(super) fn needs(&self, run: &Run, runbook: Option<&Runbook>) -> Vec<String> {
        let approvers = run.plan().map(|plan| plan.approvals.by.clone()).unwrap_or_default();
        match self {
            Self::Approve { .. } | Self::Withdraw => return approvers,
            Self::Confirm { .. } if run.phase == Phase::Confirming => {
                return runbook.map(|runbook| role_names(&runbook.access.start)).unwrap_or_default();
            }
            Self::Answer { number, .. } => {
                let asked = run.plan().and_then(|plan| plan.units().find(|(_, unit)| unit.number == *number));
                if let Some((_, Unit { work: Work::Decide(decide), .. })) = asked {
                    let asked_next = run.asked_next.iter().filter(|(at, _)| at.number == *number);
                    let mut roles: Vec<String> = decide.ask.clone();
                    roles.extend(
                        asked_next
                            .flat_map(|(_, roles)| roles)
                            .filter(|role| !decide.ask.contains(role))
                            .cloned(),
                    );
                    return roles;
                }
            }
            _ => {}
        }
        let mut roles = approvers;
        if let Some(runbook) = runbook {
            roles.extend(role_names(&runbook.access.start));
            roles.push(runbook.owner.value.clone());
        }
        roles.extend(run.asked_next.values().flatten().cloned());
        roles.push("commander".to_owned());
        roles.sort();
        roles.dedup();
        roles
    }
}
