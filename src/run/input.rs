//! What a run can hear: people, hosts, the clock. And how it says no.

use jiff::Timestamp;

use super::event::{Exit, OutputSummary};
use super::model::{AskedAfter, LogTail, Outcome, Token, UnitAt, WatchAt};
use crate::plan::model::{CheckSeen, Offer};
use crate::plan::{Digest, Resource};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{HostName, Person};

/// What a run can hear.
#[derive(Debug, Clone)]
pub enum Input {
    /// A person says something.
    Person {
        /// Who.
        by: Person,
        /// What.
        says: Says,
    },
    /// The world answers.
    World(World),
    /// Time has passed.
    Tick,
}

/// What people say. Whether they may say it was asked of the policy before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the command grammar")]
pub enum Says {
    Confirm {
        token: String,
    },
    Approve {
        digest: String,
        /// A step that is sent again, where one was named.
        step: Option<UnitAt>,
        roles: Vec<String>,
        is_commander: bool,
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
        unit: UnitAt,
    },
    Skip {
        unit: UnitAt,
        why: String,
    },
    Ask {
        unit: UnitAt,
    },
    Settle {
        unit: UnitAt,
        done: bool,
        how: String,
    },
    Answer {
        unit: UnitAt,
        go_on: bool,
    },
    /// `token` is what must be typed to confirm the undo; `holds` are claimed anew if the run had ended.
    Undo {
        including: Option<u32>,
        token: Token,
        holds: Vec<(Resource, u64)>,
    },
    /// What is said of a unit, by somebody who was asked after this attempt.
    After {
        unit: UnitAt,
        attempt: AskedAfter,
        says: Box<Says>,
    },
    Take,
    Handover {
        to: Person,
    },
}

/// What hosts, files and the journal answer.
#[derive(Debug, Clone)]
pub enum World {
    /// Everybody knows who must know before anything is changed, or a person waived it.
    Known,
    /// A plan was made.
    Planned {
        /// The plan with what was measured.
        offer: Box<Offer>,
        /// What must be typed to confirm it.
        token: Token,
    },
    /// No plan could be made.
    NotPlanned {
        /// The stable code.
        code: String,
        /// Why, as sentences.
        why: Vec<String>,
        /// The checks that stand in the way.
        failed: Vec<CheckSeen>,
    },
    /// The resources are free; these tokens are claimed.
    Claimed(Vec<(Resource, u64)>),
    /// Inside the holds, the plan was made once more.
    Rechecked {
        /// The plan as it would be made now.
        offer: Box<Offer>,
        /// What must be typed if it differs.
        token: Token,
        /// How it differs, or who agreed and might not any more, as sentences. Any voids what was agreed.
        changes: Vec<String>,
    },
    /// What is measured at the door of a step.
    AtDoor {
        /// Which.
        unit: UnitAt,
        /// All of it.
        seen: Vec<CheckSeen>,
    },
    /// Nothing was started on the host.
    Unreached {
        /// Which.
        unit: UnitAt,
        /// Which attempt.
        attempt: u32,
        /// The host did not answer at all; else it, or we, refused.
        silent: bool,
        /// Why.
        why: String,
    },
    /// The command ended.
    Ended {
        /// Which.
        unit: UnitAt,
        /// Which attempt.
        attempt: u32,
        /// How.
        exit: Exit,
        /// After how long.
        took: Millis,
        /// What it printed.
        output: OutputSummary,
        /// It was ended, and these processes of it live on in sessions of their own.
        escaped: Vec<u32>,
    },
    /// The link broke after the command was sent.
    Lost {
        /// Which.
        unit: UnitAt,
        /// Which attempt.
        attempt: u32,
        /// What broke.
        why: String,
    },
    /// What must be true after a step was asked.
    Proof {
        /// Which.
        unit: UnitAt,
        /// All of it.
        seen: Vec<CheckSeen>,
        /// How long the asking took.
        took: Millis,
    },
    /// What could be found out about a step whose outcome is unknown; empty where nothing verifies it.
    Found {
        /// Which.
        unit: UnitAt,
        /// What its verify says.
        seen: Vec<CheckSeen>,
        /// Whether its host says that it runs still.
        lives: bool,
    },
    /// The checks of preflight were measured afresh, to stand beside a question.
    Fresh {
        /// The question.
        unit: UnitAt,
        /// All of preflight.
        seen: Vec<CheckSeen>,
    },
    /// A watch broke, or holds again.
    Watched {
        /// Which.
        watch: WatchAt,
        /// What was seen.
        seen: CheckSeen,
        /// It ends what it watches; else it halts it.
        ends: bool,
    },
    /// A step stands still, or moves again.
    Moved {
        /// Which.
        unit: UnitAt,
        /// It stands still.
        stalled: bool,
        /// How far it is.
        done: String,
        /// Since when.
        since: Timestamp,
        /// How fast it went before.
        rate: Option<String>,
    },
    /// The connection to the host of a step broke, or the host answers again.
    Link {
        /// Which.
        unit: UnitAt,
        /// Which attempt.
        attempt: u32,
        /// What broke; none if it answers.
        lost: Option<String>,
    },
    /// The end of the log was read where a step failed.
    Log {
        /// Which.
        unit: UnitAt,
        /// Its end, or why it could not be read.
        log: LogTail,
    },
    /// A gate was measured to its end: it opened, or its time is over.
    Gate {
        /// Which.
        unit: UnitAt,
        /// What was seen last.
        seen: Vec<CheckSeen>,
        /// Whether it opened.
        open: bool,
    },
    /// Where the run was shown to people is gone, or closed to the bot: nobody could stop it there. An outage is none.
    PlaceLost {
        /// What became of it, as a sentence.
        why: String,
    },
    /// The bot is about to take a step back.
    UndoBegins {
        /// Which.
        unit: UnitAt,
        /// Which attempt.
        attempt: u32,
    },
    /// An undo ended.
    UndoEnded {
        /// Which.
        unit: UnitAt,
        /// Which attempt.
        attempt: u32,
        /// How it ended; the error is why it could not begin or what broke, and whether it may have happened.
        ended: Result<(Exit, Millis, OutputSummary), (String, bool)>,
    },
}

/// Why something that was asked for is not done. Expected, never an error of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another person must do this.
    NotYourRun {
        /// Whom the run waits for.
        waits_for: Person,
    },
    /// The requester cannot be the second person.
    OwnRun {
        /// Who asked for the run.
        asked_by: Person,
    },
    /// The token is not right.
    BadToken {
        /// How many so far; this one is recorded.
        tries: u32,
        /// The first odd character: its position from 1, and what it is.
        odd: Option<(usize, char)>,
    },
    /// The third wrong token: the run is over.
    TokensSpent,
    /// The run is over.
    Ended {
        /// How.
        outcome: Outcome,
    },
    /// This was done already.
    Again {
        /// What, as a participle: "approved".
        what: &'static str,
        /// By whom.
        by: Person,
        /// When.
        at: Timestamp,
    },
    /// The digest is not that of the plan.
    OldPlan {
        /// The digest that was typed.
        typed: String,
        /// The digest of the plan.
        now: Digest,
    },
    /// The run is somewhere else.
    NotNow {
        /// What was asked for, as a participle: "confirmed".
        what: &'static str,
        /// Where the run stands, as a sentence.
        because: String,
    },
    /// There is no such unit, or it has several hosts.
    NoSuchStep {
        /// As it was typed.
        number: u32,
        /// Hosts that it has.
        hosts: Vec<HostName>,
    },
    /// The unit does not wait for this.
    NotAsked {
        /// Which.
        unit: UnitAt,
        /// What was asked for, as a participle.
        what: &'static str,
        /// What it is, as a sentence.
        because: String,
    },
    /// The answer is for an attempt that is over: another one was asked about since.
    Stale {
        /// Which.
        unit: UnitAt,
        /// The attempt that it is for.
        attempt: AskedAfter,
        /// The attempt that is asked about now.
        now: AskedAfter,
    },
    /// Nothing can be taken back.
    NothingToUndo {
        /// The step past which nothing is taken back.
        past: Option<UnitAt>,
    },
    /// More hosts have failed than the batch allows.
    TooManyFailures {
        /// So many may.
        allowed: usize,
    },
    /// A text is too short to be a reason.
    TooShort {
        /// What it is for: "why", "how you know".
        what: &'static str,
        /// So many characters are needed.
        needs: usize,
    },
    /// One of those who approve must be a commander.
    NeedsCommander {
        /// Why.
        why: String,
    },
}

impl Refusal {
    /// The stable code that stands beside the sentence.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotYourRun { .. } => "not-your-run",
            Self::OwnRun { .. } => "own-run",
            Self::BadToken { .. } => "bad-token",
            Self::TokensSpent => "tokens-spent",
            Self::Ended { .. } => "ended",
            Self::Again { .. } => "again",
            Self::OldPlan { .. } => "old-plan",
            Self::NotNow { .. } => "not-now",
            Self::NoSuchStep { .. } => "no-such-step",
            Self::NotAsked { .. } => "not-asked",
            Self::Stale { .. } => "stale",
            Self::NothingToUndo { .. } => "no-way-back",
            Self::TooManyFailures { .. } => "too-many-failures",
            Self::TooShort { .. } => "too-short",
            Self::NeedsCommander { .. } => "needs-commander",
        }
    }
}
