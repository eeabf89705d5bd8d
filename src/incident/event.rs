//! What happened to an incident. Events are stored for ever: a new field has a default, and nothing changes its meaning.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::model::{About, Audience, End, Opened, Owed, Part, Severity, Status, Trouble};
use super::report::Report;
use crate::duty::Way;
use crate::run::RunId;
use crate::run::model::Outcome;
use crate::runbook::source::name::{Person, Role};

/// An event with its time and its author.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When it was decided.
    pub at: Timestamp,
    /// Who said it; `None` is the bot itself.
    pub by: Option<Person>,
    /// What happened.
    pub event: Event,
}

/// What happened. The name of each is the type of its entry in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It began.
    IncidentOpened(Opened),
    /// A run belongs to it too, or something happened to a run of it.
    IncidentRun {
        /// Which.
        run: RunId,
        /// What happened to it.
        trouble: Trouble,
    },
    /// A run of it is over.
    IncidentRunEnded {
        /// Which.
        run: RunId,
        /// How.
        outcome: Outcome,
    },
    /// Everybody who must know before a run begins knows, or a person waived it: the run may begin.
    IncidentRunReleased {
        /// Which.
        run: RunId,
    },
    /// Somebody says how bad it is.
    IncidentSeverity {
        /// How bad.
        severity: Severity,
        /// Why.
        why: String,
    },
    /// It stands elsewhere now. Back to investigating after an end is a recurrence.
    IncidentStatus {
        /// Where.
        status: Status,
    },
    /// Somebody is something in it.
    IncidentPart {
        /// What.
        part: Part,
        /// Who.
        person: Person,
    },
    /// Somebody said something of it.
    IncidentUpdate {
        /// What.
        text: String,
        /// It is for Support too.
        for_support: bool,
    },
    /// Somebody or an alert reports it too, or an alert of it is over.
    IncidentReported {
        /// What was reported.
        report: Report,
    },
    /// What is to be published, word for word.
    IncidentDraft {
        /// The text.
        text: String,
        /// It stands ready, and nobody wrote it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ready: bool,
    },
    /// A person published the draft.
    IncidentPublished {
        /// The text.
        text: String,
    },
    /// A person said that they know.
    IncidentAcknowledged {
        /// For which role, if they answer for one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<Role>,
        /// How: `console`, `discord`, `link`.
        how: String,
    },
    /// The path that was red took something again: a trial, or a notice.
    IncidentPathTakes,
    /// Something is owed from now on. Its number is the next one.
    ObligationBegan {
        /// What.
        owed: Owed,
        /// By whom.
        who: Role,
        /// By when.
        due: Timestamp,
        /// The run that does not start before it is met.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holds_back: Option<RunId>,
    },
    /// Half of the time is over.
    ObligationReminded {
        /// Which.
        obligation: u32,
    },
    /// The time is over.
    ObligationLate {
        /// Which.
        obligation: u32,
    },
    /// It is not owed any more.
    ObligationEnded {
        /// Which.
        obligation: u32,
        /// How.
        end: End,
    },
    /// A step of an escalation began.
    CallStep {
        /// For which obligation.
        obligation: u32,
        /// Which step, from 0.
        step: usize,
        /// Which round, from 0.
        round: u32,
        /// The people who are told. Empty: nobody is on duty, and the next step begins at once.
        people: Vec<Person>,
        /// When the next step begins if nobody answers.
        next: Timestamp,
    },
    /// Half of a step is over, and its people are told over their further ways too.
    CallWidened {
        /// For which obligation.
        obligation: u32,
    },
    /// A notice is to be sent. Its number is the next one.
    NoticeQueued {
        /// What it is about.
        about: About,
        /// Who reads it.
        audience: Audience,
        /// To whom.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Person>,
        /// Over which path.
        way: Way,
    },
    /// The intent: it is sent now.
    NoticeSending {
        /// Which.
        notice: u32,
        /// Which attempt, from 1.
        attempt: u32,
        /// After this time nobody knows what became of it.
        until: Timestamp,
    },
    /// A path took it.
    NoticeAccepted {
        /// Which.
        notice: u32,
        /// What the path calls it, if it said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// The path did not take it now: it is tried again.
    NoticeDelayed {
        /// Which.
        notice: u32,
        /// Why.
        why: String,
        /// When.
        again: Timestamp,
    },
    /// The path will never take it.
    NoticeFailed {
        /// Which.
        notice: u32,
        /// Why.
        why: String,
    },
    /// Nobody knows whether the path took it: it is sent again with the same key.
    NoticeUnknown {
        /// Which.
        notice: u32,
        /// Why.
        why: String,
        /// When it is sent again.
        again: Timestamp,
    },
    /// It need not be sent any more.
    NoticeDropped {
        /// Which.
        notice: u32,
        /// Newer news replaced it.
        superseded: bool,
        /// Why.
        why: String,
    },
}
