//! The journal: audit log, recovery log and event stream in one. One log, one writer, many followers.
//!
//! `append` writes events, holds, files and outputs in one durable transaction, or nothing. Waiting appends are
//! committed together. A second process that opens the same file is refused. Reading needs no lock.

pub mod append;
pub mod entry;
pub mod figures;
pub mod output;
mod store;
pub mod verify;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, oneshot};

pub use append::{Append, AppendError, Held, IncidentAppend, NewEntry, RunAppend};
pub use entry::{Actor, Broken, Entry};
pub use figures::Figures;
pub use output::{Output, OutputKey};

use crate::failpoint::{self, Point};
use crate::incident::{self, Incident, IncidentId};
use crate::plan::Resource;
use crate::run::next::history_key;
use crate::run::{Event, Run, RunId, Stamped};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, RunbookName};
use store::{Lines, Reader, Store, StoredLine};

/// At most so many waiting appends are committed together.
const MAX_GROUP: usize = 256;
/// After so many entries, and when nobody waits, the write-ahead log is moved into the main file.
const CHECKPOINT_AFTER: usize = 2_000;
/// How long steps take is learnt from among so many of the newest that went well.
const HISTORY_AMONG: u32 = 5_000;
/// A follower that is further behind reads the journal instead.
const FOLLOW_CAPACITY: usize = 4_096;
/// At most so many entries are read at once by a follower that was too far behind.
const CATCH_UP: u32 = 1_000;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("{} is in use by process {pid}: one bot writes a journal. Next: use that one, or end it", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// The process, if it said so.
        pid: String,
    },
    /// It is not there.
    #[error("there is no journal at {}. Next: start the console once, or name another file in the configuration", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened or is no journal.
    #[error("{} cannot be used as a journal: {why}. Next: look at the file and its folder", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It was written by a newer program.
    #[error("{} has the form {version}, which is newer than this program. Next: use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The form of its tables.
        version: i64,
    },
    /// Its last entry does not have its hash.
    #[error("entry {seq} of {} was changed from outside. Next: steadyhand journal verify, and restore a backup", path.display())]
    Tampered {
        /// The file.
        path: PathBuf,
        /// The last entry.
        seq: u64,
    },
    /// An entry cannot be used.
    #[error(
        "entry {seq} of the journal cannot be used: {why}. Next: steadyhand journal verify, or use the program that wrote it"
    )]
    Entry {
        /// Its position.
        seq: u64,
        /// Why.
        why: Broken,
    },
    /// A demo journal in a real configuration, or the other way round.
    #[error("{} is {} journal, and the configuration is {}. Next: name another file in the configuration",
        path.display(), if *journal_is_demo { "a demo" } else { "a real" }, if *journal_is_demo { "real" } else { "a demo" })]
    Demo {
        /// The file.
        path: PathBuf,
        /// What the file is.
        journal_is_demo: bool,
    },
    /// Reading failed.
    #[error("the journal cannot be read: {0}. Next: look at the file, and restore a backup")]
    Read(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error.to_string())
    }
}

/// What the writer is asked for.
enum Request {
    /// To write this.
    Append(Append, oneshot::Sender<Result<Vec<Entry>, AppendError>>),
    /// Whether it could.
    Probe(oneshot::Sender<Result<(), AppendError>>),
}

/// The journal, open for writing.
#[derive(Debug, Clone)]
pub struct Journal {
    requests: mpsc::Sender<Request>,
    followers: broadcast::Sender<Arc<Entry>>,
    view: JournalView,
    id: Arc<str>,
    figures: Arc<Figures>,
    /// Held as long as the journal is open, or its writer has not ended.
    _lock: Arc<File>,
}

/// The journal, open for reading: beside the writer, or by itself.
#[derive(Debug, Clone)]
pub struct JournalView {
    reader: Arc<Mutex<Reader>>,
    path: Arc<Path>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Journal {
    /// Opens a journal for writing, and makes it if it is not there. `demo` journals and real ones never mix.
    pub fn open(path: &Path, demo: bool) -> Result<Self, OpenError> {
        let lock = Arc::new(take_lock(path)?);
        let store = Store::open(path, demo)?;
        let view = JournalView::open(path)?;
        let id = store.id().into();
        let (requests, waiting) = mpsc::channel();
        let (followers, _) = broadcast::channel(FOLLOW_CAPACITY);
        let committer = followers.clone();
        let of_writer = lock.clone();
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                commit_forever(store, &waiting, &committer);
                // What waits is written also when everybody has gone; nobody else opens the file before.
                drop(of_writer);
            })
            .map_err(|error| OpenError::Unusable { path: path.to_owned(), why: error.to_string() })?;
        Ok(Self { requests, followers, view, id, figures: Arc::default(), _lock: lock })
    }

    /// Writes durably, all or nothing. The entries come back with their places.
    #[expect(clippy::disallowed_methods, reason = "how long the disk takes is counted, and decides nothing")]
    pub async fn append(&self, append: Append) -> Result<Vec<Entry>, AppendError> {
        let began = std::time::Instant::now();
        let answer = self.ask(|reply| Request::Append(append, reply)).await;
        self.figures.count(&answer, began.elapsed());
        answer
    }

    /// Whether an append could be written now: the writer answers, nobody else holds the file, and its disk takes more.
    /// Nothing stays of it.
    pub async fn probe(&self) -> Result<(), AppendError> {
        self.ask(Request::Probe).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, AppendError>>) -> Request,
    ) -> Result<T, AppendError> {
        let gone = || AppendError::Fatal { why: "the writer of the journal has ended".to_owned() };
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// What the writer did since the process began.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Everything that is written from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.followers.subscribe()
    }

    /// What tells this journal from all others, also from a later one in its place: 16 random hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same journal, for reading.
    pub fn view(&self) -> &JournalView {
        &self.view
    }
}

/// The one writer. It ends with the journal, or at the first commit of which nobody knows whether it was written.
fn commit_forever(
    mut store: Store,
    waiting: &mpsc::Receiver<Request>,
    followers: &broadcast::Sender<Arc<Entry>>,
) {
    let mut since_checkpoint = 0;
    while let Ok(first) = waiting.recv() {
        let (mut appends, mut replies, mut probes) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Append(append, reply) => {
                    appends.push(append);
                    replies.push(reply);
                }
                Request::Probe(reply) => probes.push(reply),
            }
            let is_full = appends.len() + probes.len() >= MAX_GROUP;
            next = if is_full { None } else { waiting.try_recv().ok() };
        }
        if !probes.is_empty() {
            let could = store.probe();
            for reply in probes {
                let _ = reply.send(could.clone());
            }
        }
        if appends.is_empty() {
            continue;
        }
        let results = store.commit(&appends);
        let mut fatal = false;
        for (result, reply) in results.into_iter().zip(replies) {
            fatal |= matches!(result, Err(AppendError::Fatal { .. }));
            for entry in result.iter().flatten() {
                since_checkpoint += 1;
                // Nobody follows: that is fine.
                let _ = followers.send(Arc::new(entry.clone()));
            }
            let _ = reply.send(result);
        }
        failpoint::pass(Point::AppendTold);
        if fatal {
            return;
        }
        if since_checkpoint >= CHECKPOINT_AFTER {
            store.checkpoint();
            since_checkpoint = 0;
        }
    }
    store.checkpoint();
}

/// Where the lock of a journal lies: beside the file itself, so that a link to it has the same one. Its name is that of
/// the file and `.lock`, so that no other file has the same one.
fn lock_of(path: &Path) -> PathBuf {
    let mut file = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    file.push(".lock");
    file.into()
}

/// One process writes a journal. The lock is the operating system's: it goes with the process, however that ends.
fn take_lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = lock_of(path);
    let unusable = |error: std::io::Error| OpenError::Unusable {
        path: path.to_owned(),
        why: format!("{}: {error}", lock_path.display()),
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(unusable)?;
    if file.try_lock().is_err() {
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        let pid = if pid.trim().is_empty() { "(unknown)".to_owned() } else { pid.trim().to_owned() };
        return Err(OpenError::InUse { path: path.to_owned(), pid });
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(unusable)?;
    Ok(file)
}

impl JournalView {
    /// Whether a process has the journal open for writing, as far as the system tells. It is only looked: a lock of ours,
    /// however short, would stand in the way of a bot that starts.
    pub fn has_writer(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(lock) = std::fs::metadata(lock_of(&self.path)) else { return false };
        let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return true };
        let inode = format!(":{}", lock.ino());
        locks.lines().any(|line| line.split_whitespace().any(|word| word.ends_with(&inode)))
    }

    /// Opens a journal for reading only. Needs no lock.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { reader: Arc::new(Mutex::new(Reader::open(path)?)), path: path.into() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next run.
    pub fn next_run(&self) -> Result<RunId, OpenError> {
        Ok(self.reader().next_run()?)
    }

    /// Runs that have not ended.
    pub fn open_runs(&self) -> Result<Vec<RunId>, OpenError> {
        Ok(self.reader().runs(true)?.into_iter().map(|(id, _)| id).collect())
    }

    /// All runs.
    pub fn runs(&self) -> Result<Vec<RunId>, OpenError> {
        Ok(self.reader().runs(false)?.into_iter().map(|(id, _)| id).collect())
    }

    /// The state of a run, as its events made it. `None` if there is no such run.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, OpenError> {
        let mut run: Option<Run> = None;
        for entry in self.entries_of(id)? {
            let stamped = stamped(&entry)?;
            if let (None, Event::Requested(request)) = (&run, &stamped.event) {
                run = Some(Run::new(id, request.clone(), stamped.at));
            }
            let Some(run) = &mut run else { continue };
            // A fault of ours in one entry must not take along whoever reads it.
            catch_unwind(AssertUnwindSafe(|| crate::run::apply(run, &stamped))).map_err(|_| {
                OpenError::Entry { seq: entry.seq, why: Broken::Unreadable("it does not follow".to_owned()) }
            })?;
        }
        Ok(run)
    }

    /// The entries of a run, in order.
    pub fn entries_of(&self, id: RunId) -> Result<Vec<Entry>, OpenError> {
        let lines = self.reader().lines(Lines::OfRun(id))?;
        lines.iter().map(read_entry).collect()
    }

    /// The entries of a run, each with the hash of its line as it is stored.
    pub fn hashed_entries_of(&self, id: RunId) -> Result<Vec<(Entry, String)>, OpenError> {
        let lines = self.reader().lines(Lines::OfRun(id))?;
        lines.iter().map(|stored| Ok((read_entry(stored)?, entry::leaf(&stored.line)))).collect()
    }

    /// The number of the next incident.
    pub fn next_incident(&self) -> Result<IncidentId, OpenError> {
        Ok(self.reader().next_incident()?)
    }

    /// The last entry that was written before the journal had incidents; 0 if it always had.
    pub fn incidents_from(&self) -> Result<u64, OpenError> {
        Ok(self.reader().incidents_from()?)
    }

    /// Incidents that are not closed, or of which something is still to be sent.
    pub fn open_incidents(&self) -> Result<Vec<IncidentId>, OpenError> {
        Ok(self
            .reader()
            .incident_rows()?
            .into_iter()
            .filter(|(_, _, open)| *open)
            .map(|(id, ..)| id)
            .collect())
    }

    /// All incidents.
    pub fn incidents(&self) -> Result<Vec<IncidentId>, OpenError> {
        Ok(self.reader().incident_rows()?.into_iter().map(|(id, ..)| id).collect())
    }

    /// The state of an incident, as its events made it. `None` if there is no such incident.
    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, OpenError> {
        let mut incident: Option<Incident> = None;
        for entry in self.incident_entries(id)? {
            let stamped = incident_stamped(&entry)?;
            // A fault of ours in one entry must not take along whoever reads it.
            catch_unwind(AssertUnwindSafe(|| heard(&mut incident, id, &stamped))).map_err(|_| {
                OpenError::Entry { seq: entry.seq, why: Broken::Unreadable("it does not follow".to_owned()) }
            })?;
        }
        Ok(incident)
    }

    /// The entries of an incident, in order.
    pub fn incident_entries(&self, id: IncidentId) -> Result<Vec<Entry>, OpenError> {
        let lines = self.reader().lines(Lines::OfIncident(id))?;
        lines.iter().map(read_entry).collect()
    }

    /// The position of the last entry; 0 if there is none.
    pub fn last(&self) -> Result<u64, OpenError> {
        Ok(self.reader().last()?)
    }

    /// The entries behind this one, in order: as many as are read at once.
    pub fn entries_after(&self, seq: u64) -> Result<Vec<Entry>, OpenError> {
        let lines = self.reader().lines(Lines::After(seq, CATCH_UP))?;
        lines.iter().map(read_entry).collect()
    }

    /// The same without those that cannot be read, and the position of the last one; none if there is nothing behind.
    /// Whoever wants just one of those is told why.
    pub fn readable_after(&self, seq: u64) -> Result<(Vec<Entry>, Option<u64>), OpenError> {
        let lines = self.reader().lines(Lines::After(seq, CATCH_UP))?;
        let last = lines.last().map(|stored| stored.seq);
        Ok((lines.iter().filter_map(|stored| read_entry(stored).ok()).collect(), last))
    }

    /// The newest entries of a kind, newest first.
    pub fn newest_of_kind(&self, kind: &str, limit: u32) -> Result<Vec<Entry>, OpenError> {
        let lines = self.reader().newest_of_kind(kind, limit)?;
        lines.iter().map(read_entry).collect()
    }

    /// How long the steps of a runbook took that went well, newest first, by the key of each.
    pub fn took(&self, runbook: &RunbookName) -> Result<BTreeMap<String, Vec<Millis>>, OpenError> {
        let text = format!("\"key\":\"{}", history_key(runbook, ""));
        let lines = self.reader().newest_with("step-succeeded", &text, HISTORY_AMONG)?;
        let mut all: BTreeMap<String, Vec<Millis>> = BTreeMap::new();
        for line in &lines {
            if let Event::StepSucceeded { key, took, .. } = stamped(&read_entry(line)?)?.event {
                all.entry(key).or_default().push(took);
            }
        }
        Ok(all)
    }

    /// Every entry.
    pub fn entries(&self) -> Result<Vec<Entry>, OpenError> {
        let lines = self.reader().lines(Lines::All)?;
        lines.iter().map(read_entry).collect()
    }

    /// Every claim that stands.
    pub fn holds(&self) -> Result<Vec<Held>, OpenError> {
        Ok(self.reader().holds()?)
    }

    /// The next fencing tokens of resources.
    pub fn next_tokens(&self, resources: &[Resource]) -> Result<Vec<(Resource, u64)>, OpenError> {
        let reader = self.reader();
        resources.iter().map(|resource| Ok((resource.clone(), reader.last_token(resource)? + 1))).collect()
    }

    /// The text of a file that a plan was made from.
    pub fn blob(&self, sha256: &str) -> Result<Option<String>, OpenError> {
        Ok(self.reader().blob(sha256)?)
    }

    /// What a command printed.
    pub fn output(&self, key: &OutputKey) -> Result<Option<Output>, OpenError> {
        Ok(self.reader().output(key)?)
    }
}

fn read_entry(stored: &StoredLine) -> Result<Entry, OpenError> {
    Entry::read(&stored.line).map_err(|why| OpenError::Entry { seq: stored.seq, why })
}

/// The event of an entry of a run.
pub fn stamped(entry: &Entry) -> Result<Stamped, OpenError> {
    event_of(entry).map_err(|why| OpenError::Entry { seq: entry.seq, why })
}

/// The event of an entry of an incident.
pub fn incident_stamped(entry: &Entry) -> Result<incident::Stamped, OpenError> {
    incident_event_of(entry).map_err(|why| OpenError::Entry { seq: entry.seq, why })
}

fn event_of(entry: &Entry) -> Result<Stamped, Broken> {
    Ok(Stamped { at: entry.time, by: person_of(entry), event: event(entry)? })
}

fn incident_event_of(entry: &Entry) -> Result<incident::Stamped, Broken> {
    Ok(incident::Stamped { at: entry.time, by: person_of(entry), event: event(entry)? })
}

fn person_of(entry: &Entry) -> Option<Person> {
    entry.actor.as_ref().and_then(|actor| actor.person.clone())
}

fn event<T: DeserializeOwned>(entry: &Entry) -> Result<T, Broken> {
    let value = if entry.data.is_null() {
        serde_json::Value::String(entry.kind.clone())
    } else {
        serde_json::Value::Object(serde_json::Map::from_iter([(entry.kind.clone(), entry.data.clone())]))
    };
    serde_json::from_value(value).map_err(|error| Broken::Unreadable(error.to_string()))
}

/// What an event makes of an incident, or which one it begins.
fn heard(incident: &mut Option<Incident>, id: IncidentId, stamped: &incident::Stamped) {
    match (incident.as_mut(), &stamped.event) {
        (Some(incident), _) => incident::apply(incident, stamped),
        (None, incident::Event::IncidentOpened(opened)) => {
            *incident = Some(Incident::new(id, opened.clone(), stamped.at));
        }
        (None, _) => {}
    }
}
