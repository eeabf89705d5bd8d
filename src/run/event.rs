//! What happened to a run. Events are stored for ever: a new field has a default, and nothing changes its meaning.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::model::{Failure, LogTail, Outcome, Requested, Token, UnitAt, Variant, WatchAt};
use crate::plan::model::{Body, CheckSeen, GuardSeen, Offer};
use crate::plan::usual::Usual;
use crate::plan::{Digest, Resource};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{HostName, Person};

/// An event with its time and its author.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// When it was decided.
    pub at: Timestamp,
    /// Who said it; `None` is the bot itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Somebody asked for a run.
    Requested(Requested),
    /// A plan was made and is shown.
    Offered {
        /// The plan, with what was measured.
        offer: Box<Offer>,
        /// What the requester must type.
        token: Token,
    },
    /// No plan was made, or it may not begin.
    NotPlanned {
        /// The stable code.
        code: String,
        /// Why, as sentences.
        why: Vec<String>,
        /// The checks that stand in the way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed: Vec<CheckSeen>,
    },
    /// A token was typed that is not right.
    WrongToken {
        /// How many so far.
        tries: u32,
    },
    /// The requester read the plan back.
    Confirmed {
        /// The plan.
        digest: Digest,
        /// Until when others may agree.
        approve_until: Timestamp,
    },
    /// Another person agreed.
    Approved {
        /// The plan.
        digest: Digest,
        /// The roles that they had.
        roles: Vec<String>,
    },
    /// A person took the agreement back.
    Withdrawn,
    /// A person said no.
    Refused {
        /// Why.
        why: String,
    },
    /// Nobody answered in time.
    Expired {
        /// `confirmation` or `approval`.
        what: String,
    },
    /// The run claims its resources.
    HoldsTaken {
        /// What, with fencing tokens.
        holds: Vec<(Resource, u64)>,
    },
    /// Something that the plan was made from changed: all agreements are void.
    PlanChanged {
        /// The new plan.
        offer: Box<Offer>,
        /// What the requester must type now.
        token: Token,
        /// What changed, as sentences.
        changes: Vec<String>,
    },
    /// All was measured again inside the holds, and the first step may begin.
    Started {
        /// Every check of preflight, as it was seen now.
        preflight: Vec<CheckSeen>,
        /// What the guards of the hosts say of themselves now.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        guards: BTreeMap<HostName, GuardSeen>,
    },
    /// The door of a step did not open; nothing was sent.
    DoorShut {
        /// Which.
        unit: UnitAt,
        /// What did not hold.
        failed: Vec<CheckSeen>,
    },
    /// The intent: this command is sent to this host now.
    StepSent {
        /// Which.
        unit: UnitAt,
        /// Which attempt, from 1.
        attempt: u32,
        /// Which command of the step.
        variant: Variant,
        /// Where.
        host: HostName,
        /// What exactly.
        body: Body,
        /// The fencing token of the host's hold, if the run holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<u64>,
        /// What was measured at its door.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        door: Vec<CheckSeen>,
    },
    /// The host could not be reached: nothing was started there.
    StepUnreached {
        /// Which.
        unit: UnitAt,
        /// Why.
        why: String,
    },
    /// The command ended, well or badly.
    StepEnded {
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
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        escaped: Vec<u32>,
    },
    /// The step is done, and proven where something proves it.
    StepSucceeded {
        /// Which.
        unit: UnitAt,
        /// From the sending to the proof.
        took: Millis,
        /// What proved it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        proof: Vec<CheckSeen>,
        /// The key of its history: the runbook, and the title as it is written there.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        key: String,
    },
    /// The step failed; a person is asked.
    StepFailed {
        /// Which.
        unit: UnitAt,
        /// Why.
        failure: Failure,
    },
    /// The command was sent, and nobody knows whether or how it ended.
    StepUnknown {
        /// Which.
        unit: UnitAt,
        /// What broke.
        why: String,
    },
    /// The bot asked and still does not know; a person is asked.
    StillUnknown {
        /// Which.
        unit: UnitAt,
        /// What was measured.
        found: Vec<CheckSeen>,
    },
    /// A person wants the bot to ask again what is known of a step. Nothing is sent.
    AskedAgain {
        /// Which.
        unit: UnitAt,
    },
    /// An unknown outcome was settled.
    Settled {
        /// Which.
        unit: UnitAt,
        /// Whether it was done.
        done: bool,
        /// How that is known.
        how: String,
    },
    /// A gate began to be measured.
    GateEntered {
        /// Which.
        unit: UnitAt,
    },
    /// A gate opened.
    GateOpened {
        /// Which.
        unit: UnitAt,
        /// How long it took.
        took: Millis,
        /// What was seen.
        seen: Vec<CheckSeen>,
    },
    /// A gate is past its limit; a person is asked.
    GateOverdue {
        /// Which.
        unit: UnitAt,
        /// What does not hold.
        failed: Vec<CheckSeen>,
    },
    /// A question was put to people.
    Asked {
        /// Which.
        unit: UnitAt,
        /// The checks of preflight, measured afresh to stand beside the question.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seen: Vec<CheckSeen>,
    },
    /// Nobody has answered yet.
    Reminded {
        /// Which.
        unit: UnitAt,
        /// 1 at half of the time, 2 when it was over.
        time: u32,
    },
    /// A question was answered.
    Answered {
        /// Which.
        unit: UnitAt,
        /// Yes.
        go_on: bool,
    },
    /// A person wants a failed step to be tried again, or a gate to wait as long again.
    Retried {
        /// Which.
        unit: UnitAt,
    },
    /// A person agreed that a step that was not done is sent again.
    ApprovedAgain {
        /// Which.
        unit: UnitAt,
    },
    /// A person went on without a host.
    Skipped {
        /// From this unit on.
        unit: UnitAt,
        /// Why.
        why: String,
    },
    /// A watch has been broken for as long as it may be: its step is halted or ended, and nothing new begins.
    WatchBroke {
        /// Which.
        watch: WatchAt,
        /// What was seen.
        seen: CheckSeen,
        /// Its processes are ended; else they are halted until it holds again.
        ends: bool,
    },
    /// A broken watch holds again.
    WatchHolds {
        /// Which.
        watch: WatchAt,
    },
    /// A step that works has not moved for too long.
    StepStalled {
        /// Which.
        unit: UnitAt,
        /// How far it is.
        done: String,
        /// Since when it stands still.
        since: Timestamp,
        /// How fast it went before: `40 MiB/s`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rate: Option<String>,
    },
    /// A step works for longer than is usual.
    StepLate {
        /// Which.
        unit: UnitAt,
        /// How long it usually takes.
        usual: Usual,
    },
    /// The connection to the host of a step broke while it worked there. It goes on, and its host is asked again.
    LinkLost {
        /// Which.
        unit: UnitAt,
        /// What broke.
        why: String,
    },
    /// The host of a step answers again.
    LinkFound {
        /// Which.
        unit: UnitAt,
    },
    /// The end of the log of the system was read where a step failed.
    LogSeen {
        /// Which.
        unit: UnitAt,
        /// Its end, or why it could not be read.
        log: LogTail,
    },
    /// Nobody has answered a question: somebody else is asked too.
    AskedNext {
        /// What it is about.
        unit: UnitAt,
        /// The role that is asked now.
        role: String,
    },
    /// A stalled step moves again.
    StepMoves {
        /// Which.
        unit: UnitAt,
        /// How far it is.
        done: String,
    },
    /// A batch ended, and the pause before the next one began.
    BatchEnded {
        /// Which block of the plan.
        block: usize,
        /// Which batch.
        batch: usize,
    },
    /// The pause is over.
    BatchRested {
        /// Which block of the plan.
        block: usize,
        /// Which batch.
        batch: usize,
    },
    /// A person said stop: no step begins any more.
    StopAsked {
        /// What runs is ended too.
        now: bool,
    },
    /// A person said pause.
    Paused,
    /// Where the run was shown to people it cannot be stopped any more, so it pauses by itself.
    PlaceLost {
        /// What became of the place, as a sentence.
        why: String,
    },
    /// A person said go on.
    Resumed,
    /// A person wants to take steps back, and the list is shown.
    UndoOffered {
        /// What, first one first.
        list: Vec<UnitAt>,
        /// The digest of the list.
        digest: Digest,
        /// What must be typed.
        token: Token,
        /// The run had ended: what it claims anew.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        holds: Vec<(Resource, u64)>,
    },
    /// It was read back.
    UndoConfirmed,
    /// Nobody read it back in time.
    UndoExpired,
    /// The intent: this step is taken back now.
    UndoSent {
        /// Which.
        unit: UnitAt,
        /// Which attempt, from 1.
        attempt: u32,
        /// Where.
        host: HostName,
        /// What exactly.
        body: Body,
    },
    /// A step was taken back.
    UndoDone {
        /// Which.
        unit: UnitAt,
        /// How it ended; `None` where nothing was left to take back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<(Exit, Millis, OutputSummary)>,
    },
    /// Taking back failed, or nobody knows; a person is asked.
    UndoFailed {
        /// Which.
        unit: UnitAt,
        /// What happened.
        why: String,
        /// Whether it may have happened nevertheless.
        #[serde(default)]
        unknown: bool,
        /// What it printed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputSummary>,
    },
    /// A person wants a failed undo to be tried again.
    UndoRetried,
    /// Everybody knows who must know before anything is changed, or a person waived it.
    Known,
    /// Somebody else answers the questions from now on.
    Driven {
        /// Who.
        driver: Person,
    },
    /// The driver offers the run to somebody.
    HandedOver {
        /// To whom.
        to: Person,
    },
    /// It is over; its holds are released.
    Ended {
        /// How.
        outcome: Outcome,
        /// What is left, as sentences.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remarks: Vec<String>,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// The program is not there (127 of the shell that looked for it).
    NotFound,
    /// By a signal, or with a status that says so (above 128): the shell cannot tell.
    Signal(i32),
    /// It reached its limit, and its processes were ended.
    TimedOut,
    /// A person said stop, and its processes were ended.
    Stopped,
}

impl Exit {
    /// Whether it ended well.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::NotFound => f.write_str("exit 127: the program is not there"),
            Self::Signal(code) => write!(f, "exit {code}: killed, or it said so"),
            Self::TimedOut => f.write_str("its limit was reached and its processes were ended"),
            Self::Stopped => f.write_str("it was stopped and its processes were ended"),
        }
    }
}

/// Of what was ended, these live on.
pub fn still_run(escaped: &[u32]) -> String {
    let pids: Vec<String> = escaped.iter().map(ToString::to_string).collect();
    let which = if pids.len() == 1 { "process" } else { "processes" };
    let runs = if pids.len() == 1 {
        "still runs there, in a session of its own"
    } else {
        "still run there, in sessions of their own"
    };
    format!("{which} {} of it {runs}", pids.join(", "))
}

/// What a command printed: head and tail, with the size and the digest of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputSummary {
    /// Of standard output.
    pub out: Captured,
    /// Of standard error.
    pub err: Captured,
}

/// One stream, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Captured {
    /// Its first bytes; what is no UTF-8 is replaced.
    pub head: String,
    /// Its last bytes, if it was longer than the head.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// All bytes that came.
    pub bytes: u64,
    /// SHA-256 of all of them, in hex.
    pub sha256: String,
}

impl Captured {
    /// Lines for people, last ones first cut: head, a note of what is left out, tail.
    pub fn excerpt(&self, lines: usize) -> Vec<String> {
        let kept = (self.head.len() + self.tail.len()) as u64;
        let mut all: Vec<String> = self.head.lines().map(str::to_owned).collect();
        if self.bytes > kept && !self.tail.is_empty() {
            all.push(format!("… {} bytes left out …", self.bytes - kept));
        }
        all.extend(self.tail.lines().map(str::to_owned));
        let skip = all.len().saturating_sub(lines);
        all.split_off(skip)
    }
}
