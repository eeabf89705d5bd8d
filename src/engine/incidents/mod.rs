//! Incidents in the middle: one keeper holds all that are open.
//!
//! It hears what happens to runs, what people say, what paths answer, and the clock; it appends first and acts second.
//! A notice leaves the house after its intent is durable; whatever was on its way when a process died is unknown at the
//! next start, and is sent again with the same key.

mod audit;
mod files;
mod hears;
mod home;
mod keeper;
mod paths;
pub mod reports;
mod say;
mod sends;
mod take;
mod trial;
mod path_watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{Engine, FOLLOW_CAPACITY, Inner, Refused, lock};
use crate::duty::Notify;
use crate::duty::path::Known;
use crate::incident::model::{Notice, Opened, Severity};
use crate::incident::{Incident, IncidentId, Says, Stamped};
use crate::journal::{Actor, OpenError};
use crate::library::Snapshot;
use crate::notify::Messenger;
use crate::plan::model::TellPlan;
use crate::run::RunId;
use crate::runbook::source::name::{PathName, Person};
use crate::wording::incident::reports::Became;
use keeper::Keeper;

pub use files::NotifyFile;
pub use paths::known_paths;
pub use reports::ReportOf;
pub use sends::notice_key;
pub use trial::Tried;

/// Something that happened to an incident.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The incident, after all that was written at that time.
    pub incident: Arc<Incident>,
    /// What happened.
    pub stamped: Stamped,
}

/// What somebody begins by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// How bad it is.
    pub severity: Severity,
    /// The service that is affected, by its name in the inventory.
    pub service: Option<String>,
    /// What it is, in their words: for operators.
    pub what: String,
    /// A drill, and who takes part besides whoever begins it.
    pub drill: Option<Vec<String>>,
}

/// Where a notice can be answered, by `notify.yaml` as it is in use: what it says, and an address.
pub type Answers = Arc<dyn Fn(&Notify, &Incident, &Notice) -> Vec<(String, String)> + Send + Sync>;

/// What carries notices out of the house.
#[derive(Clone)]
struct Carriers {
    messenger: Arc<dyn Messenger>,
    answers: Option<Answers>,
}

/// Something that is said to the keeper.
enum Mail {
    /// A person says something of an incident.
    Says { id: IncidentId, by: Person, says: Says, actor: Actor, reply: Reply },
    /// A person begins one.
    Begins { opened: Box<Opened>, tell: Vec<TellPlan>, actor: Actor, reply: Reply },
    /// The watch found a path red.
    PathIsRed { opened: Box<Opened>, done: oneshot::Sender<()> },
    /// The path of this incident took something again.
    PathTakes { id: IncidentId, done: oneshot::Sender<()> },
    /// Somebody asks what became of the report of this entry.
    Became { seq: u64, reply: oneshot::Sender<Became> },
}

type Reply = oneshot::Sender<Result<Arc<Incident>, Refused>>;

/// What the keeper and those who ask it share.
pub(super) struct Room {
    /// Incidents that are not over, as they are now.
    open: Mutex<BTreeMap<IncidentId, Arc<Incident>>>,
    /// Those that stand still because of a fault, and why.
    parked: Mutex<BTreeMap<IncidentId, String>>,
    /// Runs that may begin: everybody who must know knows.
    released: watch::Sender<BTreeSet<RunId>>,
    /// What carries notices; nothing is sent before there is something.
    carriers: watch::Sender<Option<Carriers>>,
    /// The last entry of the journal that was heard.
    heard: AtomicU64,
    /// The files that could be used whole last.
    usable: Mutex<Option<Arc<Snapshot>>>,
    /// What is known of the paths.
    paths: Mutex<BTreeMap<PathName, Known>>,
    /// Something happened on one of them.
    paths_changed: tokio::sync::Notify,
    /// Alerts that were recorded lately.
    lately: Mutex<reports::Lately>,
    changed: broadcast::Sender<Changed>,
    mailbox: mpsc::UnboundedSender<Mail>,
}

impl Room {
    /// A room, and the mail that comes to it.
    pub(super) fn new() -> (Self, Post) {
        let (mailbox, mail) = mpsc::unbounded_channel();
        let room = Self {
            open: Mutex::default(),
            parked: Mutex::default(),
            released: watch::Sender::default(),
            carriers: watch::Sender::new(None),
            heard: AtomicU64::new(0),
            usable: Mutex::default(),
            paths: Mutex::default(),
            paths_changed: tokio::sync::Notify::new(),
            lately: Mutex::default(),
            changed: broadcast::channel(FOLLOW_CAPACITY).0,
            mailbox,
        };
        (room, Post(mail))
    }

    /// Ends when a run may begin as far as people must know of it.
    pub(super) async fn is_released(&self, run: RunId) {
        let mut released = self.released.subscribe();
        if released.wait_for(|runs| runs.contains(&run)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The mail of the keeper, until it begins.
pub(super) struct Post(mpsc::UnboundedReceiver<Mail>);

/// Lets the keeper begin, and ends once it has all that the journal has.
pub(super) async fn begin(inner: &Arc<Inner>, post: Post) {
    let keeper = Keeper::new(inner.clone(), post.0);
    let (loaded, has_loaded) = oneshot::channel();
    inner.clearing.spawn(keeper.keep(loaded));
    // A journal that cannot be read is fatal, and that is said elsewhere.
    has_loaded.await.ok();
}

/// Incidents, for whoever asks, follows or says something. Cheap to clone.
#[derive(Clone)]
pub struct Incidents {
    engine: Engine,
}

impl Engine {
    /// Incidents.
    pub fn incidents(&self) -> Incidents {
        Incidents { engine: self.clone() }
    }
}

impl Incidents {
    fn room(&self) -> &Room {
        &self.engine.inner.incidents
    }

    /// Those that are not closed.
    pub fn open(&self) -> Vec<Arc<Incident>> {
        lock(&self.room().open).values().filter(|incident| !incident.is_closed()).cloned().collect()
    }

    /// One, also if it is closed.
    pub fn get(&self, id: IncidentId) -> Result<Option<Arc<Incident>>, OpenError> {
        let open = lock(&self.room().open).get(&id).cloned();
        match open {
            Some(incident) => Ok(Some(incident)),
            None => Ok(self.engine.view().incident(id)?.map(Arc::new)),
        }
    }

    /// The newest that is not closed and that a run belongs to.
    pub fn of_run(&self, run: RunId) -> Option<Arc<Incident>> {
        self.open().into_iter().rev().find(|incident| incident.runs.contains_key(&run))
    }

    /// Those that stand still because of a fault, and why.
    pub fn parked(&self) -> BTreeMap<IncidentId, String> {
        lock(&self.room().parked).clone()
    }

    /// Everything that happens from now on. Whoever is further behind reads the journal.
    pub fn follow(&self) -> broadcast::Receiver<Changed> {
        self.room().changed.subscribe()
    }

    /// Notices leave over this from now on; until then they wait. `answers` says where somebody who reads one alone can
    /// answer it.
    pub fn over(&self, messenger: Arc<dyn Messenger>, answers: Option<Answers>) {
        self.room().carriers.send_replace(Some(Carriers { messenger, answers }));
    }

    /// The files that people are told by: those of this moment, or the last that could be used.
    pub fn files_in_use(&self) -> Result<Arc<Snapshot>, String> {
        files::usable(&self.engine.inner)
    }

    /// How `notify.yaml` is at this moment.
    pub fn notify_file(&self) -> NotifyFile {
        files::of_notify(&self.engine.inner)
    }

    /// The last entry of the journal that was heard.
    pub fn heard(&self) -> u64 {
        self.room().heard.load(Ordering::Acquire)
    }
}
