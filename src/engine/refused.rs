//! Why a request is not taken.

use std::sync::Arc;

use jiff::Timestamp;

use crate::duty::NoStandIn;
use crate::incident::{self, IncidentId};
use crate::journal::{AppendError, OpenError};
use crate::library::NotLoaded;
use crate::plan::Resource;
use crate::plan::bind::WrongValue;
use crate::policy::decide::Denial;
use crate::run::{Refusal, Run, RunId};
use crate::runbook::source::name::{Person, RunbookName};

/// Why a request is not taken.
#[derive(Debug)]
pub enum Refused {
    /// The policy says no.
    Denied(Denial),
    /// There is no such runbook.
    UnknownRunbook(String),
    /// There is no such run, or the speaker may not know of it.
    UnknownRun(RunId),
    /// Values are not right; nothing was measured.
    WrongValues(RunbookName, Vec<WrongValue>),
    /// A resource is held; nothing was measured.
    Held {
        /// Which.
        resource: Resource,
        /// By which run.
        by: Arc<Run>,
        /// Since when.
        since: Timestamp,
    },
    /// The run says no.
    Run(Refusal, Arc<Run>),
    /// The plan was made anew, because what it was made from changed: the agreement is not taken. How it differs.
    PlanChanged(Arc<Run>, Vec<String>),
    /// There is no such person; these there are.
    UnknownPerson(Person, Vec<Person>),
    /// Nobody stands in.
    StandIn(NoStandIn),
    /// The incident says no.
    Incident(incident::Refusal),
    /// There is no such incident.
    UnknownIncident(String),
    /// It is a drill, and only these take part in it.
    NotOfDrill(IncidentId, Vec<Person>),
    /// There is no such service; these there are.
    UnknownService(String, Vec<String>),
    /// Somebody who shall take part in a drill is not known; these are.
    UnknownParticipant(String, Vec<Person>),
    /// There is no such path to the one who asks; over these they are told.
    UnknownPath(String, Vec<String>),
    /// Nothing carries letters: this process is not the one that tells people.
    NoMessenger,
    /// The incident stands still because of a fault in the bot.
    Parked(IncidentId, String),
    /// Too much is being said to the run at once.
    Busy(RunId),
    /// The runbooks cannot be used.
    NotLoaded(NotLoaded),
    /// The journal did not take it.
    NotWritten(AppendError),
    /// The journal cannot be read.
    Journal(OpenError),
}

impl Refused {
    /// The reason as the log of the service has it. What people read is worded by the chat.
    pub fn for_log(&self) -> String {
        match self {
            Self::NotWritten(error) => error.to_string(),
            Self::Journal(error) => error.to_string(),
            Self::NotLoaded(NotLoaded::Unreadable(why)) => format!("the runbooks cannot be read: {why}"),
            Self::NotLoaded(NotLoaded::Problems(report)) => {
                format!("the runbooks have {} problems", report.problems.len())
            }
            Self::UnknownRun(id) => format!("there is no run {id}"),
            Self::NoMessenger => "nothing carries notices".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        Self::Journal(error)
    }
}
