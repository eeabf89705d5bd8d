//! The `SQLite` file: how it is opened, written and read. The only place that knows SQL.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::append::{Append, AppendError, Held, NewEntry};
use super::entry::{ENTRY_FORMAT, Entry, GENESIS, leaf};
use super::{OpenError, Output, OutputKey};
use crate::failpoint::{self, Fault, Point};
use crate::incident::IncidentId;
use crate::plan::Resource;
use crate::run::RunId;

/// The version of the tables.
const SCHEMA_VERSION: i64 = 2;
/// The version that had no incidents yet.
const WITHOUT_INCIDENTS: i64 = 1;
/// So long is waited for another program that holds the file.
const APPEND_WAITS: Duration = Duration::from_secs(5);
/// The same for who only asks whether it could be written.
const PROBE_WAITS: Duration = Duration::from_secs(1);
/// So much room must be there for an append: few take more.
const PROBE_BYTES: usize = 64 * 1024;
/// What a file is that `SQLite` can read and that no journal was made in.
const FOREIGN: &str = "it is a database, and not one of ours";

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

/// A read-only connection.
pub(super) struct Reader {
    connection: Connection,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(OpenError::Missing { path: path.to_owned() }),
            // Whoever may not look must not be told that there is nothing.
            Err(error) => {
                return Err(OpenError::Unusable { path: path.to_owned(), why: error.to_string() });
            }
        }
        no_folder(path)?;
        let broken =
            |error: rusqlite::Error| OpenError::Unusable { path: path.to_owned(), why: error.to_string() };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
        connection.busy_timeout(APPEND_WAITS).map_err(broken)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(broken)?;
        if version == 0 {
            return Err(OpenError::Unusable { path: path.to_owned(), why: FOREIGN.to_owned() });
        }
        if version > SCHEMA_VERSION {
            return Err(OpenError::Newer { path: path.to_owned(), version });
        }
        Ok(Self { connection })
    }

    /// What is read until this is dropped is read as it was at one moment.
    pub(super) fn at_one_moment(&self) -> rusqlite::Result<rusqlite::Transaction<'_>> {
        self.connection.unchecked_transaction()
    }

    /// Whether the file has incidents: one of version 1 has not, until a bot has opened it for writing. Asked each time,
    /// since that may happen meanwhile.
    fn has_incidents(&self) -> rusqlite::Result<bool> {
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(version > WITHOUT_INCIDENTS)
    }

    /// What is read of an entry.
    fn columns(&self) -> rusqlite::Result<&'static str> {
        Ok(if self.has_incidents()? {
            "seq, hash, run, nth, kind, line, incident"
        } else {
            "seq, hash, run, nth, kind, line, null as incident"
        })
    }

    pub(super) fn lines(&self, filter: Lines) -> rusqlite::Result<Vec<StoredLine>> {
        let columns = self.columns()?;
        let statement =
            |rest: &str| self.connection.prepare(&format!("select {columns} from entries {rest}"));
        match filter {
            Lines::OfIncident(_) if !self.has_incidents()? => Ok(Vec::new()),
            Lines::OfIncident(IncidentId(id)) => {
                statement("where incident = ?1 order by nth")?.query_map(params![id], stored_line)?.collect()
            }
            Lines::All => statement("order by seq")?.query_map([], stored_line)?.collect(),
            Lines::OfRun(RunId(id)) => {
                statement("where run = ?1 order by nth")?.query_map(params![id], stored_line)?.collect()
            }
            Lines::After(seq, limit) => statement("where seq > ?1 order by seq limit ?2")?
                .query_map(params![seq, limit], stored_line)?
                .collect(),
        }
    }

    /// The entries of one kind, newest first.
    pub(super) fn newest_of_kind(&self, kind: &str, limit: u32) -> rusqlite::Result<Vec<StoredLine>> {
        let columns = self.columns()?;
        let sql = format!("select {columns} from entries where kind = ?1 order by seq desc limit ?2");
        self.connection.prepare(&sql)?.query_map(params![kind, limit], stored_line)?.collect()
    }

    /// The entries of one kind that have this text somewhere, newest first; of all of the kind only the newest `among`
    /// are looked at.
    pub(super) fn newest_with(
        &self,
        kind: &str,
        text: &str,
        among: u32,
    ) -> rusqlite::Result<Vec<StoredLine>> {
        let columns = self.columns()?;
        let sql = format!(
            "select * from (select {columns} from entries where kind = ?1 order by seq desc limit ?3)
             where instr(line, ?2) > 0 order by seq desc"
        );
        self.connection.prepare(&sql)?.query_map(params![kind, text, among], stored_line)?.collect()
    }

    /// Every run as the table has it: how many events, and whether it is open.
    pub(super) fn run_rows(&self) -> rusqlite::Result<Vec<(RunId, u64, bool)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((RunId(row.get(0)?), row.get(1)?, row.get(2)?));
        self.connection
            .prepare("select id, version, open from runs order by id")?
            .query_map([], read)?
            .collect()
    }

    /// Every incident as the table has it: how many events, and whether it is open.
    pub(super) fn incident_rows(&self) -> rusqlite::Result<Vec<(IncidentId, u64, bool)>> {
        if !self.has_incidents()? {
            return Ok(Vec::new());
        }
        let read = |row: &rusqlite::Row<'_>| Ok((IncidentId(row.get(0)?), row.get(1)?, row.get(2)?));
        self.connection
            .prepare("select id, version, open from incidents order by id")?
            .query_map([], read)?
            .collect()
    }

    /// The last entry that was written before the journal had incidents; 0 if it always had.
    pub(super) fn incidents_from(&self) -> rusqlite::Result<u64> {
        let sql = "select cast(value as integer) from meta where key = 'incidents_from'";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// The number of the next incident.
    pub(super) fn next_incident(&self) -> rusqlite::Result<IncidentId> {
        let last = self.incident_rows()?.last().map_or(0, |(IncidentId(id), ..)| *id);
        Ok(IncidentId(last + 1))
    }

    /// The last fencing token of every resource.
    pub(super) fn tokens(&self) -> rusqlite::Result<Vec<(String, u64)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let sql = "select resource, token from tokens order by resource";
        self.connection.prepare(sql)?.query_map([], read)?.collect()
    }

    pub(super) fn runs(&self, open_only: bool) -> rusqlite::Result<Vec<(RunId, u64)>> {
        let sql = if open_only {
            "select id, version from runs where open = 1 order by id"
        } else {
            "select id, version from runs order by id"
        };
        let read = |row: &rusqlite::Row<'_>| Ok((RunId(row.get(0)?), row.get(1)?));
        self.connection.prepare(sql)?.query_map([], read)?.collect()
    }

    /// The position of the last entry.
    pub(super) fn last(&self) -> rusqlite::Result<u64> {
        self.connection.query_row("select coalesce(max(seq), 0) from entries", [], |row| row.get(0))
    }

    pub(super) fn next_run(&self) -> rusqlite::Result<RunId> {
        let last: Option<u64> =
            self.connection.query_row("select max(id) from runs", [], |row| row.get(0))?;
        Ok(RunId(last.unwrap_or(0) + 1))
    }

    pub(super) fn holds(&self) -> rusqlite::Result<Vec<Held>> {
        let read = |row: &rusqlite::Row<'_>| {
            let since: String = row.get(3)?;
            Ok(Held {
                resource: Resource(row.get(0)?),
                run: RunId(row.get(1)?),
                token: row.get(2)?,
                since: since.parse().unwrap_or_default(),
            })
        };
        let sql = "select resource, run, token, since from holds order by resource";
        self.connection.prepare(sql)?.query_map([], read)?.collect()
    }

    pub(super) fn last_token(&self, resource: &Resource) -> rusqlite::Result<u64> {
        let sql = "select token from tokens where resource = ?1";
        let found = self.connection.query_row(sql, params![resource.0], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    }

    pub(super) fn blob(&self, sha256: &str) -> rusqlite::Result<Option<String>> {
        let sql = "select content from blobs where sha256 = ?1";
        self.connection.query_row(sql, params![sha256], |row| row.get(0)).optional()
    }

    pub(super) fn blobs(&self) -> rusqlite::Result<Vec<(String, String)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.connection
            .prepare("select sha256, content from blobs order by sha256")?
            .query_map([], read)?
            .collect()
    }

    /// Shows every output, with its key as it is stored.
    pub(super) fn each_output(&self, mut show: impl FnMut(StoredKey, Output)) -> rusqlite::Result<()> {
        let sql = "select run, number, lane, attempt, undo, stream, head, tail, bytes, sha256 from outputs
                   order by run, number, lane, undo, attempt, stream";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = StoredKey {
                run: RunId(row.get(0)?),
                number: row.get(1)?,
                lane: row.get(2)?,
                attempt: row.get(3)?,
                undo: row.get(4)?,
                stream: row.get(5)?,
            };
            let (head, tail) = (row.get(6)?, row.get(7)?);
            show(key, Output { head, tail, bytes: row.get(8)?, sha256: row.get(9)? });
        }
        Ok(())
    }

    pub(super) fn output(&self, key: &OutputKey) -> rusqlite::Result<Option<Output>> {
        let sql = "select head, tail, bytes, sha256 from outputs
                   where run = ?1 and number = ?2 and lane = ?3 and attempt = ?4 and undo = ?5 and stream = ?6";
        let lane = key.unit.lane.as_ref().map(ToString::to_string).unwrap_or_default();
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Output { head: row.get(0)?, tail: row.get(1)?, bytes: row.get(2)?, sha256: row.get(3)? })
        };
        let (run, undo) = (key.run.0, key.undo);
        self.connection
            .query_row(sql, params![run, key.unit.number, lane, key.attempt, undo, key.stream], read)
            .optional()
    }
}

/// Whose output it is, as the columns say.
pub(super) struct StoredKey {
    pub(super) run: RunId,
    pub(super) number: u32,
    pub(super) lane: String,
    pub(super) attempt: u32,
    pub(super) undo: bool,
    pub(super) stream: String,
}

/// Which entries are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    /// Every one.
    All,
    /// Those of a run.
    OfRun(RunId),
    /// Those of an incident.
    OfIncident(IncidentId),
    /// Those behind this position, at most so many.
    After(u64, u32),
}

/// An entry as it is stored, with the columns beside it.
pub(super) struct StoredLine {
    pub(super) seq: u64,
    pub(super) hash: String,
    pub(super) run: Option<RunId>,
    pub(super) nth: Option<u64>,
    pub(super) kind: String,
    pub(super) line: String,
    pub(super) incident: Option<IncidentId>,
}

fn stored_line(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredLine> {
    Ok(StoredLine {
        seq: row.get(0)?,
        hash: row.get(1)?,
        run: row.get::<_, Option<u64>>(2)?.map(RunId),
        nth: row.get(3)?,
        kind: row.get(4)?,
        line: row.get(5)?,
        incident: row.get::<_, Option<u64>>(6)?.map(IncidentId),
    })
}

/// Durability is asserted, not assumed: a file on which it cannot be had is not used.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    // Checkpoints are made when nobody waits for a commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if mode != "wal" || synchronous != 2 {
        let why =
            format!("journal_mode is {mode} and synchronous is {synchronous}, where wal and 2 are needed");
        return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(1), Some(why)));
    }
    Ok(())
}

/// `SQLite` would say of a folder that the disk is broken.
fn no_folder(path: &Path) -> Result<(), OpenError> {
    if path.is_dir() {
        return Err(OpenError::Unusable { path: path.to_owned(), why: "it is a folder".to_owned() });
    }
    Ok(())
}

/// Whether nothing stands in the file yet: only then are our tables made in it.
fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("select count(*) = 0 from sqlite_master", [], |row| row.get(0))
}

fn create(connection: &mut Connection, demo: bool) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.execute_batch(include_str!("schema_2.sql"))?;
    let meta = "insert into meta (key, value) values (?1, ?2)";
    transaction.execute(meta, params!["demo", demo.to_string()])?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// A journal of version 1 gets what version 2 has besides: all of it, or nothing.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(include_str!("schema_2.sql"))?;
    // What was written before is the past: no incident is made of it.
    let from = "insert into meta (key, value) select 'incidents_from', coalesce(max(seq), 0) from entries";
    transaction.execute(from, [])?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// The random name of the journal, made when it has none: numbers of runs begin anew with each journal, and bots may
/// share hosts.
fn name_it(connection: &Connection) -> rusqlite::Result<String> {
    let id =
        || connection.query_row("select value from meta where key = 'id'", [], |row| row.get(0)).optional();
    if let Some(id) = id()? {
        return Ok(id);
    }
    let name = "insert into meta (key, value) values ('id', lower(hex(randomblob(8))))";
    connection.execute(name, [])?;
    failpoint::pass(Point::JournalNamed);
    id()?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

enum WriteError {
    Refused(AppendError),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn write(
    transaction: &rusqlite::Savepoint<'_>,
    append: &Append,
    head: &mut (u64, String),
) -> Result<Vec<Entry>, WriteError> {
    let mut nth = None;
    if let Some(run) = &append.run {
        let stored = transaction
            .query_row("select version from runs where id = ?1", params![run.id.0], |row| {
                row.get::<_, u64>(0)
            })
            .optional()?
            .unwrap_or(0);
        if stored != run.expected {
            return Err(WriteError::Refused(AppendError::Conflict {
                run: run.id,
                expected: run.expected,
                stored,
            }));
        }
        claim(transaction, append)?;
        nth = Some(stored);
    }
    if let Some(incident) = &append.incident {
        let stored = transaction
            .prepare_cached("select version from incidents where id = ?1")?
            .query_row(params![incident.id.0], |row| row.get::<_, u64>(0))
            .optional()?
            .unwrap_or(0);
        if stored != incident.expected {
            return Err(WriteError::Refused(AppendError::IncidentConflict {
                incident: incident.id,
                expected: incident.expected,
                stored,
            }));
        }
        nth = Some(stored);
    }
    let mut entries = Vec::with_capacity(append.entries.len());
    for NewEntry { time, actor, kind, data } in &append.entries {
        if let Some(nth) = &mut nth {
            *nth += 1;
        }
        let entry = Entry {
            v: ENTRY_FORMAT,
            seq: head.0 + 1,
            prev: head.1.clone(),
            time: *time,
            bot: env!("CARGO_PKG_VERSION").to_owned(),
            actor: actor.clone(),
            run: append.run.as_ref().map(|run| run.id),
            incident: append.incident.as_ref().map(|incident| incident.id),
            nth,
            kind: kind.clone(),
            data: data.clone(),
        };
        let line = entry.line();
        let hash = leaf(&line);
        let (run, incident) = (entry.run.map(|RunId(id)| id), entry.incident.map(|IncidentId(id)| id));
        transaction
            .prepare_cached(
                "insert into entries (seq, hash, run, nth, kind, line, incident) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![entry.seq, hash, run, entry.nth, entry.kind, line, incident])?;
        *head = (entry.seq, hash);
        entries.push(entry);
    }
    if let (Some(run), Some(version)) = (&append.run, nth) {
        transaction
            .prepare_cached(
                "insert into runs (id, version, open) values (?1, ?2, ?3)
                 on conflict (id) do update set version = excluded.version, open = excluded.open",
            )?
            .execute(params![run.id.0, version, run.open])?;
    }
    if let (Some(incident), Some(version)) = (&append.incident, nth) {
        transaction
            .prepare_cached(
                "insert into incidents (id, version, open) values (?1, ?2, ?3)
                 on conflict (id) do update set version = excluded.version, open = excluded.open",
            )?
            .execute(params![incident.id.0, version, incident.open])?;
    }
    for (sha256, content) in &append.blobs {
        transaction
            .prepare_cached("insert or ignore into blobs (sha256, content) values (?1, ?2)")?
            .execute(params![sha256, content])?;
    }
    for (key, output) in &append.outputs {
        let lane = key.unit.lane.as_ref().map(ToString::to_string).unwrap_or_default();
        transaction
            .prepare_cached(
                "insert or replace into outputs (run, number, lane, attempt, undo, stream, head, tail, bytes, sha256)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                key.run.0, key.unit.number, lane, key.attempt, key.undo, key.stream, output.head, output.tail,
                output.bytes, output.sha256
            ])?;
    }
    Ok(entries)
}

/// Makes the holds of a run those that it has after its events: all of them, or the append is refused.
fn claim(transaction: &rusqlite::Savepoint<'_>, append: &Append) -> Result<(), WriteError> {
    let Some(run) = &append.run else { return Ok(()) };
    let Some(after) = &run.holds else { return Ok(()) };
    let time = append.entries.first().map(|entry| entry.time).unwrap_or_default();
    let mut statement = transaction.prepare_cached("select resource, token from holds where run = ?1")?;
    let before: Vec<(String, u64)> = statement
        .query_map(params![run.id.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    drop(statement);
    for (resource, _) in before.iter().filter(|(name, _)| !after.iter().any(|(kept, _)| kept.0 == *name)) {
        transaction.execute("delete from holds where resource = ?1", params![resource])?;
    }
    for (resource, token) in after {
        if before.iter().any(|(name, held)| *name == resource.0 && held == token) {
            continue;
        }
        let other = transaction
            .query_row(
                "select run, token, since from holds where resource = ?1",
                params![resource.0],
                |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?, row.get::<_, String>(2)?)),
            )
            .optional()?;
        if let Some((other, token, since)) = other {
            let since = since.parse().unwrap_or_default();
            let held = Held { resource: resource.clone(), run: RunId(other), token, since };
            return Err(WriteError::Refused(AppendError::Held(held)));
        }
        let last: u64 = transaction
            .query_row("select token from tokens where resource = ?1", params![resource.0], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        if *token <= last {
            let stale = AppendError::StaleToken { resource: resource.clone(), token: *token, last };
            return Err(WriteError::Refused(stale));
        }
        transaction.execute(
            "insert into holds (resource, run, token, since) values (?1, ?2, ?3, ?4)",
            params![resource.0, run.id.0, token, time.to_string()],
        )?;
        transaction.execute(
            "insert into tokens (resource, token) values (?1, ?2)
             on conflict (resource) do update set token = excluded.token",
            params![resource.0, token],
        )?;
    }
    Ok(())
}

/// A write that a test lets fail, as `SQLite` would say it.
fn passes(point: Point, appends: &[Append]) -> rusqlite::Result<()> {
    let has = |kind: &str| appends.iter().flat_map(|append| &append.entries).any(|entry| entry.kind == kind);
    let code = match failpoint::writes(point, has) {
        Ok(()) => return Ok(()),
        Err(Fault::Io) => rusqlite::ffi::SQLITE_IOERR_FSYNC,
        Err(Fault::Full) => rusqlite::ffi::SQLITE_FULL,
    };
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
}

/// A full disk, a read-only file and a lock are a clean no. Anything else leaves it open whether it was written.
fn classify(error: &rusqlite::Error) -> AppendError {
    let why = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => AppendError::NotWritten { why: format!("the disk is full ({why})") },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            AppendError::NotWritten { why: format!("the file cannot be written ({why})") }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            AppendError::NotWritten { why: format!("another program holds the file ({why})") }
        }
        _ => AppendError::Fatal { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
