//! The `SQLite` file: how it is opened, written and read. The only place that knows SQL.

mod append;
mod file;
mod outputs;
mod read;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

pub(super) use outputs::StoredKey;
pub(super) use read::{Lines, Reader, StoredLine};

use self::append::{WriteError, classify, passes, write};
use self::file::{
    FOREIGN, SCHEMA_VERSION, WITHOUT_INCIDENTS, create, is_empty, name_it, no_folder, prepare, upgrade,
};
use super::OpenError;
use super::append::{Append, AppendError};
use super::entry::{Entry, GENESIS, leaf};
use crate::failpoint::{self, Point};

/// So long is waited for another program that holds the file.
const APPEND_WAITS: Duration = Duration::from_secs(5);
/// The same for who only asks whether it could be written.
const PROBE_WAITS: Duration = Duration::from_secs(1);
/// So much room must be there for an append: few take more.
const PROBE_BYTES: usize = 64 * 1024;

/// The connection of the one writer.
pub(super) struct Store {
    connection: Connection,
    /// Position and hash of the last entry.
    head: (u64, String),
    /// What tells this journal from all others.
    id: String,
}

impl Store {
    /// Opens the file for writing, makes the tables if it is new, and asserts that a commit is durable.
    pub(super) fn open(path: &Path, demo: bool) -> Result<Self, OpenError> {
        let broken =
            |error: rusqlite::Error| OpenError::Unusable { path: path.to_owned(), why: error.to_string() };
        no_folder(path)?;
        let mut connection = Connection::open(path).map_err(broken)?;
        connection.busy_timeout(APPEND_WAITS).map_err(broken)?;
        prepare(&connection).map_err(broken)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(broken)?;
        match version {
            0 if !is_empty(&connection).map_err(broken)? => {
                return Err(OpenError::Unusable { path: path.to_owned(), why: FOREIGN.to_owned() });
            }
            0 => {
                create(&mut connection, demo).map_err(broken)?;
                failpoint::pass(Point::JournalMade);
            }
            WITHOUT_INCIDENTS => {
                upgrade(&mut connection).map_err(broken)?;
                failpoint::pass(Point::JournalUpgraded);
            }
            SCHEMA_VERSION => {}
            newer => return Err(OpenError::Newer { path: path.to_owned(), version: newer }),
        }
        let stored_demo: String = connection
            .query_row("select value from meta where key = 'demo'", [], |row| row.get(0))
            .map_err(broken)?;
        if (stored_demo == "true") != demo {
            return Err(OpenError::Demo { path: path.to_owned(), journal_is_demo: stored_demo == "true" });
        }
        let id = name_it(&connection).map_err(broken)?;
        let last = connection
            .query_row("select seq, hash, line from entries order by seq desc limit 1", [], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })
            .optional()
            .map_err(broken)?;
        let head = match last {
            None => (0, GENESIS.to_owned()),
            Some((seq, hash, line)) if leaf(&line) == hash => (seq, hash),
            Some((seq, ..)) => return Err(OpenError::Tampered { path: path.to_owned(), seq }),
        };
        Ok(Self { connection, head, id })
    }

    /// What tells this journal from all others.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Writes several appends in one transaction; each stands or falls by itself.
    pub(super) fn commit(&mut self, appends: &[Append]) -> Vec<Result<Vec<Entry>, AppendError>> {
        let mut results = Vec::with_capacity(appends.len());
        let mut head = self.head.clone();
        let outcome = (|| {
            passes(Point::AppendBegins, appends)?;
            let mut transaction =
                self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for append in appends {
                let before = head.clone();
                let savepoint = transaction.savepoint()?;
                match write(&savepoint, append, &mut head) {
                    Ok(entries) => {
                        savepoint.commit()?;
                        results.push(Ok(entries));
                    }
                    Err(WriteError::Refused(error)) => {
                        head = before;
                        drop(savepoint);
                        results.push(Err(error));
                    }
                    Err(WriteError::Sql(error)) => return Err(error),
                }
            }
            passes(Point::AppendWritten, appends)?;
            transaction.commit()?;
            passes(Point::AppendDurable, appends)
        })();
        match outcome {
            Ok(()) => {
                self.head = head;
                results
            }
            Err(error) => {
                let error = classify(&error);
                appends.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Whether an append could be written now. The file is locked for a moment, and a file without a name grows on its
    /// disk by as much as appends usually take: nothing of either stays.
    pub(super) fn probe(&mut self) -> Result<(), AppendError> {
        let behaviour = rusqlite::TransactionBehavior::Immediate;
        // Who asks waits for less time than who writes.
        let held = self
            .connection
            .busy_timeout(PROBE_WAITS)
            .and_then(|()| self.connection.transaction_with_behavior(behaviour))
            .and_then(rusqlite::Transaction::rollback);
        self.connection.busy_timeout(APPEND_WAITS).and(held).map_err(|error| classify(&error))?;
        let folder = self.connection.path().and_then(|path| Path::new(path).parent());
        let grows = || {
            let mut file = tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))?;
            file.write_all(&vec![0; PROBE_BYTES])?;
            file.sync_data()
        };
        grows().map_err(|error: std::io::Error| AppendError::NotWritten {
            why: format!("its disk takes nothing more: {error}"),
        })
    }

    /// Moves what was written into the main file. Off the commit path: called when nobody waits.
    pub(super) fn checkpoint(&self) {
        failpoint::pass(Point::CheckpointBegins);
        let _ = self.connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()));
        failpoint::pass(Point::CheckpointEnds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::NewEntry;

    #[test]
    fn a_commit_that_is_not_on_disk_is_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("steadyhand.db"), false).unwrap();

        let mode: String =
            store.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let synchronous: i64 =
            store.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();

        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn a_file_that_cannot_be_made_durable_is_refused() {
        // A database in memory has no write-ahead log, whatever is asked for.
        let memory = Connection::open_in_memory().unwrap();

        let error = prepare(&memory).unwrap_err().to_string();

        assert_eq!(error, "journal_mode is memory and synchronous is 2, where wal and 2 are needed");
    }

    /// A store in a folder, and an append that needs some room.
    fn a_store() -> (tempfile::TempDir, Store, Append) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("steadyhand.db"), false).unwrap();
        let data = serde_json::json!({ "what": "approve 9 ".repeat(2_000) });
        let entry = NewEntry {
            time: jiff::Timestamp::UNIX_EPOCH,
            actor: None,
            kind: "command-denied".to_owned(),
            data,
        };
        (folder, store, Append { entries: vec![entry], ..Append::default() })
    }

    #[test]
    fn a_full_disk_takes_nothing_and_the_chain_goes_on_when_there_is_room() {
        let (folder, mut store, append) = a_store();
        let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let limit = |store: &Store, pages: i64| {
            let taken: i64 = store
                .connection
                .query_row(&format!("pragma max_page_count = {pages}"), [], |row| row.get(0))
                .unwrap();
            assert_eq!(taken, pages);
        };

        limit(&store, pages);
        let refused = store.commit(&[append.clone(), append.clone()]);
        limit(&store, pages + 100);
        let taken = store.commit(&[append.clone(), append]);

        assert_eq!(refused.len(), 2);
        for result in refused {
            let Err(AppendError::NotWritten { why }) = result else { panic!("{result:?}") };
            assert!(why.starts_with("the disk is full"), "{why}");
        }
        let places: Vec<u64> = taken.into_iter().map(|entries| entries.unwrap()[0].seq).collect();
        assert_eq!(places, [1, 2]);
        assert!(
            super::super::JournalView::open(&folder.path().join("steadyhand.db"))
                .unwrap()
                .verify()
                .unwrap()
                .holds()
        );
    }

    #[test]
    fn a_program_that_holds_the_file_is_waited_for_and_then_it_is_a_no() {
        let (folder, mut store, append) = a_store();
        let other = Connection::open(folder.path().join("steadyhand.db")).unwrap();
        other.execute_batch("begin immediate").unwrap();
        store.connection.busy_timeout(Duration::ZERO).unwrap();

        let refused = store.commit(std::slice::from_ref(&append));
        other.execute_batch("rollback").unwrap();
        let taken = store.commit(&[append]);

        let [Err(AppendError::NotWritten { why })] = &refused[..] else { panic!("{refused:?}") };
        assert!(why.starts_with("another program holds the file"), "{why}");
        assert_eq!(taken[0].as_ref().unwrap()[0].seq, 1);
    }

    #[test]
    fn a_full_disk_is_a_clean_no_and_a_broken_one_is_not() {
        let error = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);

        for clean in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_READONLY, rusqlite::ffi::SQLITE_BUSY]
        {
            assert!(matches!(classify(&error(clean)), AppendError::NotWritten { .. }), "{clean}");
        }
        for unknown in
            [rusqlite::ffi::SQLITE_IOERR, rusqlite::ffi::SQLITE_CORRUPT, rusqlite::ffi::SQLITE_NOMEM]
        {
            assert!(matches!(classify(&error(unknown)), AppendError::Fatal { .. }), "{unknown}");
        }
    }
}
