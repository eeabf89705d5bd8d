//! The state of one incident, as its events made it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::duty::Way;
use crate::run::RunId;
use crate::run::model::Outcome;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{PathName, Person, Role, ServiceName};

/// The number of an incident, counted by the journal: `inc-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inc-{}", self.0)
    }
}

impl FromStr for IncidentId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix("inc-").ok_or(())?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse().map(Self).map_err(|_| ()) } else { Err(()) }
    }
}

/// How bad it is for customers. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Customers cannot use the service.
    Sev1,
    /// Customers are hindered.
    Sev2,
    /// Customers hardly notice, or may soon.
    Sev3,
    /// Planned work that people are told of: nobody is hurt as far as is known.
    Planned,
}

impl Severity {
    /// As it is typed and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sev1 => "sev1",
            Self::Sev2 => "sev2",
            Self::Sev3 => "sev3",
            Self::Planned => "planned",
        }
    }

    /// As the language and people write it.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Sev1, Self::Sev2, Self::Sev3, Self::Planned].into_iter().find(|it| it.word() == word)
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody knows yet what it is.
    Investigating,
    /// The cause is known.
    Identified,
    /// It seems to be over, and is looked at.
    Monitoring,
    /// It is over. What is owed afterwards is still owed.
    Resolved,
    /// The postmortem is done too, or none is owed: closed for good.
    Closed,
}

/// What a person is in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Decides.
    Commander,
    /// Speaks to the public.
    Communications,
    /// Speaks for Support.
    SupportLiaison,
}

/// What an incident began with. Nothing of it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// By what or whom.
    pub cause: Cause,
    /// How bad.
    pub severity: Severity,
    /// The service that is affected, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// As customers know it: the title of the service. Said to everybody, also to the public.
    pub title: String,
    /// Components of the status page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// What it is, for operators only: commands and hosts may stand here.
    pub what: String,
    /// The role that answers for the service: its escalation is called.
    pub owner: Role,
    /// A drill, and who alone takes part. Nobody else is told, and nothing goes to the public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Vec<Person>>,
    /// What the public is told, if the runbook says so: from its `updates`, never from output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<News>,
    /// The incident that it seems to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<IncidentId>,
}

/// News for the public on a cadence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// How often.
    pub every: Millis,
    /// What customers read.
    pub say: String,
}

/// Why an incident was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A run.
    Run {
        /// Which.
        run: RunId,
        /// What happened to it.
        trouble: Trouble,
    },
    /// A person said so.
    Person {
        /// Who.
        by: Person,
        /// Why.
        why: String,
    },
    /// The watch over the paths: one of them is red.
    Watch {
        /// What was found.
        why: String,
        /// Which path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<PathName>,
    },
    /// Several reported the same service, or an alert did that calls at once.
    Reports {
        /// In the order in which they came.
        reports: Vec<Report>,
    },
}

/// What happened to a run that people must know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// None: it starts, and the runbook opens an incident at that moment or has somebody told.
    Starts,
    /// A step failed. The text names it, for operators.
    Failed(String),
    /// Nobody knows how a step ended.
    Unknown(String),
    /// A step or gate takes too long.
    Overdue(String),
    /// A step stands still.
    Stalled(String),
    /// A watch is broken.
    WatchBroke(String),
    /// Somebody stopped the run.
    Stopped,
    /// It ended, and something is left over.
    EndedBadly(String),
    /// A fault in the bot: it stands still.
    Parked(String),
}

/// A run of an incident, as far as the incident knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunSeen {
    /// How it ended.
    pub ended: Option<Outcome>,
    /// It does not begin before these obligations are met, by their numbers.
    pub waits_for: Vec<u32>,
    /// The run was told that everybody knows.
    pub released: bool,
    /// What happened to it so far: the same again where people had answered for it before.
    pub troubles: Vec<Trouble>,
}

/// The state of one incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// How many events it has.
    pub version: u64,
    /// What it began with.
    pub opened: Opened,
    /// When.
    pub since: Timestamp,
    /// How bad it is now.
    pub severity: Severity,
    /// Where it stands.
    pub status: Status,
    /// The runs that belong to it.
    pub runs: BTreeMap<RunId, RunSeen>,
    /// Who is what.
    pub parts: BTreeMap<Part, Person>,
    /// What is and was owed; the number of each is its place, from 1.
    pub obligations: Vec<Obligation>,
    /// What was and is told; the number of each is its place, from 1.
    pub notices: Vec<Notice>,
    /// What was said of it, in order.
    pub updates: Vec<Update>,
    /// What was reported of it, in order: by people and by alerts, for operators only. The number of each is its place,
    /// from 1.
    pub reports: Vec<Report>,
    /// What is to be published next, word for word.
    pub draft: Option<Draft>,
    /// What was published, in order.
    pub published: Vec<Published>,
    /// Somebody said that customers need not hear that it is over.
    pub all_clear_waived: bool,
    /// When it was over the last time.
    pub resolved: Option<Timestamp>,
    /// When a person said that they know, the first time.
    pub acknowledged: Option<(Timestamp, Person)>,
    /// Everybody who said that they know, and when first.
    pub known_by: BTreeMap<Person, Timestamp>,
    /// When somebody last did something about it.
    pub touched: Timestamp,
    /// When the path that was red took something again.
    pub path_takes: Option<Timestamp>,
}

/// What is to be published next, word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// It stands ready, and nobody wrote it.
    pub ready: bool,
    /// It is from a time when it seemed to be over. No program knows what it says.
    pub over: bool,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Person,
    /// Word for word.
    pub text: String,
    /// Both when it was written and when it was published it seemed to be over: it was the all-clear.
    pub over: bool,
}

/// Something owed, with a clock and a role that answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obligation {
    /// Its number within the incident, from 1.
    pub number: u32,
    /// What.
    pub owed: Owed,
    /// Who owes it: the role whose escalation is called when it is late. For `Owed::Acknowledged` and `Owed::Delivered`
    /// the role that is told.
    pub who: Role,
    /// Since when.
    pub since: Timestamp,
    /// By when.
    pub due: Timestamp,
    /// Half of the time was over, and its owner was reminded.
    pub reminded: bool,
    /// It was not met in time, since then.
    pub late: Option<Timestamp>,
    /// How it ended.
    pub end: Option<End>,
    /// The escalation that goes on for it, if one does.
    pub call: Option<Call>,
    /// The run that does not start before it is met.
    pub holds_back: Option<RunId>,
}

impl Obligation {
    /// Whether it is still owed.
    pub const fn is_open(&self) -> bool {
        self.end.is_none()
    }
}

/// What can be owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owed {
    /// A person of the role says that they know. The escalation is called at once.
    Acknowledged,
    /// A path took the notice to a person of the role.
    Delivered,
    /// The draft is published.
    Published,
    /// Customers, who were told of it, are told that it is over.
    AllClear,
    /// Somebody is commander.
    Commander,
    /// The next news.
    Update,
    /// The postmortem.
    Postmortem,
}

/// How an obligation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Met: by whom, if a person did it.
    Met(Option<Person>),
    /// A person said that it is not needed, and why.
    Waived(Person, String),
    /// The incident went on in a way that made it pointless.
    Void,
}

/// An escalation that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its steps are those of this role.
    pub step: usize,
    /// How often all steps were gone through before, from 0.
    pub round: u32,
    /// When this step began.
    pub since: Timestamp,
    /// When the next one begins, if nobody says that they know.
    pub next: Timestamp,
    /// The further ways of its people were used: half of the step is over.
    pub widened: bool,
    /// Notices from this number on belong to this step, if they are about it.
    pub first: u32,
    /// The first of the rounds, one after the other up to this step, in which nobody was found who can be told.
    pub nobody_since: Option<u32>,
}

impl Call {
    /// Whether nobody was found in the whole of this round: it rests, and is looked at again as soon as somebody may be
    /// there.
    pub fn found_nobody(&self) -> bool {
        self.nobody_since.is_some_and(|since| since <= self.round)
    }
}

/// One message to one person over one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number within the incident, from 1.
    pub number: u32,
    /// What it is about.
    pub about: About,
    /// Who reads it.
    pub audience: Audience,
    /// To whom. None where a path reaches nobody in particular: the last resort, the public.
    pub to: Option<Person>,
    /// Over which path.
    pub way: Way,
    /// Since when it is to be sent.
    pub queued: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Where it is.
    pub delivery: Delivery,
    /// It was in the middle of being sent once, and nobody knows whether it was: sent again with the same key.
    pub may_repeat: bool,
}

/// Who reads something. Each has words of their own, and facts of their own: see `wording::notice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Commands, hosts, runs.
    Operator,
    /// What customers see, what to say and what not to say.
    Support,
    /// What was published, word for word.
    Public,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Somebody must say that they know: an escalation calls them. By the number of the obligation.
    Call(u32),
    /// Something is owed, half of the time is over.
    Reminder(u32),
    /// Something is late.
    Late(u32),
    /// Nobody could be told, or nobody answered: cried out at the last resort. The sentence says which.
    Alarm(String),
    /// News: the number of the update, from 1.
    Update(u32),
    /// Somebody or an alert reports it too: the number of the report, from 1. For operators only.
    Report(u32),
    /// Every alert of it is over. For operators only.
    AlertsOver,
    /// Published: the number of the publication, from 1.
    Published(u32),
    /// Somebody else made its reader something.
    Made {
        /// What.
        part: Part,
        /// Who did.
        by: Person,
    },
    /// Somebody has said that they know: paths that keep an alert open are told.
    Acknowledged,
    /// It is over: everybody who was called is told, and paths that keep an alert open close it.
    Resolved,
}

impl About {
    /// The obligation that it is about, by its number.
    pub const fn obligation(&self) -> Option<u32> {
        match self {
            Self::Call(number) | Self::Reminder(number) | Self::Late(number) => Some(*number),
            _ => None,
        }
    }
}

/// Where a notice is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is to be sent, at this time or later.
    Waiting(Timestamp),
    /// It is being sent; after this time nobody knows.
    Sending(Timestamp),
    /// A path took it. Nobody is told by that.
    Accepted(Timestamp),
    /// The path will never take it: why.
    Failed(String),
    /// News that newer news replaced before it was sent.
    Superseded,
    /// The incident was over before it could be sent, or its obligation was met.
    Dropped(String),
}

impl Delivery {
    /// Whether it may still be sent.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Sending(_))
    }
}

/// What somebody said of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Person,
    /// What, in their words. For operators and never for anybody else, but where it was said for Support too.
    pub text: String,
    /// It is for Support too.
    pub for_support: bool,
}

impl Incident {
    /// Whether nothing will happen to it any more by itself.
    pub fn is_closed(&self) -> bool {
        self.status == Status::Closed
    }

    /// Whether it is closed and nothing of it is left to be sent: nobody need look at it any more.
    pub fn is_over(&self) -> bool {
        self.is_closed() && !self.notices.iter().any(|notice| notice.delivery.is_open())
    }

    /// The path that was red, if it was opened because of one.
    pub const fn red_path(&self) -> Option<&PathName> {
        match &self.opened.cause {
            Cause::Watch { path, .. } => path.as_ref(),
            Cause::Run { .. } | Cause::Person { .. } | Cause::Reports { .. } => None,
        }
    }

    /// Whether it is a drill.
    pub const fn is_drill(&self) -> bool {
        self.opened.drill.is_some()
    }

    /// An obligation by its number.
    pub fn obligation(&self, number: u32) -> Option<&Obligation> {
        self.obligations.get((number as usize).checked_sub(1)?)
    }

    /// A notice by its number.
    pub fn notice(&self, number: u32) -> Option<&Notice> {
        self.notices.get((number as usize).checked_sub(1)?)
    }

    /// Whether people are called for something, and nobody was found who can be told.
    pub fn finds_nobody(&self) -> bool {
        let calls = self.obligations.iter().filter(|it| it.is_open() && it.owed != Owed::Postmortem);
        calls.filter_map(|it| it.call).any(|call| call.found_nobody())
    }

    /// What is owed still, what is due first before the others.
    pub fn owed(&self) -> Vec<&Obligation> {
        let mut owed: Vec<_> = self.obligations.iter().filter(|it| it.is_open()).collect();
        owed.sort_by_key(|it| (it.due, it.number));
        owed
    }
}

impl RunSeen {
    /// Whether it goes on, as far as the incident knows.
    pub const fn goes_on(&self) -> bool {
        self.ended.is_none()
    }

    /// A run that waits until people know, and has not been told so.
    pub const fn is_held_back(&self) -> bool {
        !self.waits_for.is_empty() && !self.released && self.goes_on()
    }

    /// Whether this happened to it before.
    pub fn had(&self, trouble: &Trouble) -> bool {
        self.troubles.contains(trouble)
    }
}

impl Incident {
    /// The first run that goes on.
    pub fn run_that_goes_on(&self) -> Option<RunId> {
        self.runs.iter().find(|(_, seen)| seen.goes_on()).map(|(run, _)| *run)
    }
}
