//! What an incident can hear: people, runs, paths, the clock. And how it says no.

use jiff::Timestamp;

use super::model::{Part, Severity, Status, Trouble};
use super::report::Report;
use crate::plan::Digest;
use crate::plan::model::TellPlan;
use crate::policy::decide::Denial;
use crate::run::RunId;
use crate::run::model::Outcome;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role};

/// What an incident can hear.
#[derive(Debug, Clone)]
pub enum Input {
    /// Something happened to a run that belongs to it, or belongs to it from now on.
    Run {
        /// Which.
        run: RunId,
        /// What.
        trouble: Trouble,
        /// How bad that is, if it is worse than what is known.
        severity: Severity,
        /// Whom the plan of the run tells at this moment.
        tell: Vec<TellPlan>,
    },
    /// A run of it is over.
    RunEnded {
        /// Which.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// Whom the plan of the run tells at the end.
        tell: Vec<TellPlan>,
    },
    /// Somebody or an alert reports it too, or an alert of it is over.
    Reported {
        /// What was reported.
        report: Report,
        /// The alert is labelled as one for which nobody waits.
        at_once: bool,
    },
    /// A person says something. Whether they may speak at all was asked of the policy before.
    Person {
        /// Who.
        by: Person,
        /// What.
        says: Says,
    },
    /// These notices are sent now, by `next`: the intent.
    Sends {
        /// By number.
        notices: Vec<u32>,
    },
    /// A path answered.
    Sent {
        /// Which notice.
        notice: u32,
        /// Which attempt.
        attempt: u32,
        /// What it answered.
        answer: Answer,
    },
    /// The path that was red took something again.
    PathTakes,
    /// Time has passed; also: the bot was started again. Whatever is due is done.
    Tick,
}

/// What a path answered. The sender says whether it is for now or for ever: it is never guessed from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It took it, and may call it something.
    Accepted(Option<String>),
    /// Not now: why, and how long it wants to be left alone.
    NotNow(String, Option<Millis>),
    /// Never: why.
    Never(String),
    /// Nobody knows: the connection broke after the message had been sent, or it took too long.
    Unknown(String),
}

/// What people say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the command grammar")]
pub enum Says {
    /// They know. `how` is the way in: `console`, `discord`, `link`.
    Acknowledge {
        how: String,
    },
    /// They, or somebody else, are something in it.
    Take {
        part: Part,
        person: Person,
    },
    Update {
        text: String,
        for_support: bool,
    },
    /// What is to be published, instead of what stands there.
    Draft {
        text: String,
    },
    /// Exactly the draft with this digest, which they have read. Without one it is read back to them.
    Publish {
        digest: Option<String>,
    },
    Severity {
        severity: Severity,
        why: String,
    },
    /// Identified, monitoring, or investigating again.
    Status {
        status: Status,
    },
    Resolve,
    /// Something owed is not needed: the number of the obligation.
    Waive {
        obligation: u32,
        why: String,
    },
    /// The next step of every escalation now.
    Escalate,
    /// The postmortem is done.
    Close,
}

/// Why what was asked for is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is closed.
    Closed,
    /// It is resolved already, or not yet.
    NotNow(Status),
    /// The policy gives this word to others.
    Denied(Denial),
    /// Somebody cannot be that by the policy.
    NotFor(NotFor),
    /// There is nothing to publish.
    NoDraft,
    /// Nobody has said which draft: it is read back first, and its digest stands beside it.
    DraftUnread {
        /// The draft.
        text: String,
        /// Its digest.
        digest: Digest,
    },
    /// The draft is another one than the one that was read.
    DraftChanged {
        /// The draft as it is now.
        text: String,
        /// Its digest.
        digest: Digest,
    },
    /// Nothing of a drill goes to the public.
    Drill,
    /// There is no such obligation, or it is not owed any more. These are.
    NotOwed(Vec<u32>),
    /// A run of it goes on: it cannot be over.
    RunGoesOn(RunId),
    /// Customers were told of it and not that it is over, so it cannot be over.
    CustomersWait {
        /// What they read last.
        read: String,
        /// It seems to be over, so they can be told.
        over: bool,
        /// The draft of what they are told then.
        draft: Option<(String, Digest)>,
        /// The obligation that waits for it.
        owed: Option<u32>,
    },
    /// The reason or text says too little; so many characters it must have.
    TooShort(usize),
    /// The text is longer than this.
    TooLong(usize),
    /// Somebody else is that already, since then.
    Taken(Part, Person),
    /// They said so already.
    Already(Timestamp),
}

/// Who cannot be something in an incident, and who can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFor {
    /// What they were to be.
    pub part: Part,
    /// Who.
    pub person: Person,
    /// Whoever has one of these roles can be that.
    pub roles: Vec<Role>,
    /// Those who can.
    pub next: Vec<Person>,
    /// Whether they have one could not be found out, and why.
    pub unknown: Option<String>,
}

impl Refusal {
    /// The stable code that stands beside the sentence.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "incident-closed",
            Self::NotNow(_) => "not-now",
            Self::Denied(denial) => denial.code(),
            Self::NotFor(not) if not.unknown.is_some() => "role-unknown",
            Self::NotFor(_) => "no-role",
            Self::NoDraft => "no-draft",
            Self::DraftUnread { .. } => "draft-unread",
            Self::DraftChanged { .. } => "draft-changed",
            Self::Drill => "drill",
            Self::NotOwed(_) => "not-owed",
            Self::RunGoesOn(_) => "run-goes-on",
            Self::CustomersWait { .. } => "customers-wait",
            Self::TooShort(_) => "too-short",
            Self::TooLong(_) => "too-long",
            Self::Taken(..) => "taken",
            Self::Already(_) => "already",
        }
    }
}
