//! The journal on real files: what is written together, what an edit leaves behind, and who may write.

mod appending;
mod chain;
mod edits;
mod files;
mod holds;
mod incidents;
mod processes;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use steadyhand::journal::{Actor, Append, Entry, Journal, JournalView, NewEntry, RunAppend};
use steadyhand::plan::Resource;
use steadyhand::policy::decide::Door;
use steadyhand::run::{Event, Run, RunId, Says, Stamped, apply};
use tempfile::TempDir;

use crate::run::driven::{Driven, a_run_of};
use crate::run::plans::{a_plan, noon, person, unit};

/// A folder with a journal in it.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("steadyhand.db")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path(), false).unwrap()
    }

    fn view(&self) -> JournalView {
        JournalView::open(&self.path()).unwrap()
    }

    /// The file as anybody who can write it sees it.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

/// Appends what happened to a run, one event an append, with what the run holds after each.
async fn write(journal: &Journal, id: RunId, events: &[Stamped]) -> Vec<Entry> {
    let Event::Requested(request) = &events[0].event else { panic!("a run begins with a request") };
    let mut run = Run::new(id, request.clone(), events[0].at);
    let mut entries = Vec::new();
    for stamped in events {
        let append = of_event(&mut run, stamped);
        entries.extend(journal.append(append).await.unwrap());
    }
    entries
}

/// An event of a run, applied to it, as an append.
fn of_event(run: &mut Run, stamped: &Stamped) -> Append {
    let (expected, before) = (run.version, run.holds.clone());
    apply(run, stamped);
    let holds = (run.holds != before).then(|| run.holds.clone());
    let actor = stamped.by.as_ref().map(|by| Actor {
        person: Some(by.clone()),
        account: by.to_string(),
        door: Door::Console,
    });
    Append {
        run: Some(RunAppend { id: run.id, expected, open: !run.is_ended(), holds }),
        entries: vec![NewEntry::of_event(stamped, actor)],
        ..Append::default()
    }
}

/// A run that was carried to its end: 11 events, and a claim that was given back.
fn an_ended_run() -> Driven {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.does(&unit(1));
    run
}

/// A run that works, and holds the cluster.
fn an_open_run() -> Driven {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.says("cara", Says::Pause);
    run
}

/// An entry that belongs to no run.
fn a_note(text: &str) -> Append {
    let data = serde_json::json!({ "what": text, "code": "unknown-run" });
    let entry = NewEntry { time: noon(), actor: None, kind: "command-denied".to_owned(), data };
    Append { entries: vec![entry], ..Append::default() }
}

/// The request of a run, as an append.
fn a_request(id: u64) -> Append {
    let stamped = &a_run_of(&a_plan().made()).log[0];
    let Event::Requested(request) = &stamped.event else { panic!("a request") };
    of_event(&mut Run::new(RunId(id), request.clone(), noon()), stamped)
}

/// A claim as the second event of a run.
fn a_claim(id: u64, expected: u64, claims: &[(&str, u64)]) -> Append {
    let holds: Vec<(Resource, u64)> =
        claims.iter().map(|(name, token)| (Resource((*name).to_owned()), *token)).collect();
    let event = Event::HoldsTaken { holds: holds.clone() };
    let stamped = Stamped { at: noon(), by: Some(person("ana")), event };
    Append {
        run: Some(RunAppend { id: RunId(id), expected, open: true, holds: Some(holds) }),
        entries: vec![NewEntry::of_event(&stamped, None)],
        ..Append::default()
    }
}

/// Opens it, writes an ended and an open run with a note between them, and closes it.
fn a_written_journal() -> Folder {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = folder.open();
        write(&journal, RunId(1), &an_ended_run().log).await;
        journal.append(a_note("approve 9")).await.unwrap();
        let mut second = an_open_run();
        for stamped in &mut second.log {
            if let Event::HoldsTaken { holds } = &mut stamped.event {
                holds[0].1 = 2;
            }
        }
        write(&journal, RunId(2), &second.log).await;
    });
    wait_until_closed(&folder.path());
    folder
}

/// The writer of a journal that was dropped ends by itself; its lock goes last.
fn wait_until_closed(path: &Path) {
    let lock = File::open(path.with_extension("db.lock")).unwrap();
    lock.lock().unwrap();
}
