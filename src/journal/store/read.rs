//! Reading: entries, runs, incidents and holds, over a connection that cannot write.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::APPEND_WAITS;
use super::file::{FOREIGN, SCHEMA_VERSION, WITHOUT_INCIDENTS, no_folder};
use crate::incident::IncidentId;
use crate::journal::OpenError;
use crate::journal::append::Held;
use crate::plan::Resource;
use crate::run::RunId;

/// A read-only connection.
pub(in crate::journal) struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    pub(in crate::journal) fn open(path: &Path) -> Result<Self, OpenError> {
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
    pub(in crate::journal) fn at_one_moment(&self) -> rusqlite::Result<rusqlite::Transaction<'_>> {
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

    pub(in crate::journal) fn lines(&self, filter: Lines) -> rusqlite::Result<Vec<StoredLine>> {
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
    pub(in crate::journal) fn newest_of_kind(
        &self,
        kind: &str,
        limit: u32,
    ) -> rusqlite::Result<Vec<StoredLine>> {
        let columns = self.columns()?;
        let sql = format!("select {columns} from entries where kind = ?1 order by seq desc limit ?2");
        self.connection.prepare(&sql)?.query_map(params![kind, limit], stored_line)?.collect()
    }

    /// The entries of one kind that have this text somewhere, newest first; of all of the kind only the newest `among`
    /// are looked at.
    pub(in crate::journal) fn newest_with(
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
    pub(in crate::journal) fn run_rows(&self) -> rusqlite::Result<Vec<(RunId, u64, bool)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((RunId(row.get(0)?), row.get(1)?, row.get(2)?));
        self.connection
            .prepare("select id, version, open from runs order by id")?
            .query_map([], read)?
            .collect()
    }

    pub(in crate::journal) fn runs(&self, open_only: bool) -> rusqlite::Result<Vec<(RunId, u64)>> {
        let sql = if open_only {
            "select id, version from runs where open = 1 order by id"
        } else {
            "select id, version from runs order by id"
        };
        let read = |row: &rusqlite::Row<'_>| Ok((RunId(row.get(0)?), row.get(1)?));
        self.connection.prepare(sql)?.query_map([], read)?.collect()
    }

    pub(in crate::journal) fn next_run(&self) -> rusqlite::Result<RunId> {
        let last: Option<u64> =
            self.connection.query_row("select max(id) from runs", [], |row| row.get(0))?;
        Ok(RunId(last.unwrap_or(0) + 1))
    }

    /// Every incident as the table has it: how many events, and whether it is open.
    pub(in crate::journal) fn incident_rows(&self) -> rusqlite::Result<Vec<(IncidentId, u64, bool)>> {
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
    pub(in crate::journal) fn incidents_from(&self) -> rusqlite::Result<u64> {
        let sql = "select cast(value as integer) from meta where key = 'incidents_from'";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// The number of the next incident.
    pub(in crate::journal) fn next_incident(&self) -> rusqlite::Result<IncidentId> {
        let last = self.incident_rows()?.last().map_or(0, |(IncidentId(id), ..)| *id);
        Ok(IncidentId(last + 1))
    }

    /// The position of the last entry.
    pub(in crate::journal) fn last(&self) -> rusqlite::Result<u64> {
        self.connection.query_row("select coalesce(max(seq), 0) from entries", [], |row| row.get(0))
    }

    pub(in crate::journal) fn holds(&self) -> rusqlite::Result<Vec<Held>> {
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

    /// The last fencing token of every resource.
    pub(in crate::journal) fn tokens(&self) -> rusqlite::Result<Vec<(String, u64)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let sql = "select resource, token from tokens order by resource";
        self.connection.prepare(sql)?.query_map([], read)?.collect()
    }

    pub(in crate::journal) fn last_token(&self, resource: &Resource) -> rusqlite::Result<u64> {
        let sql = "select token from tokens where resource = ?1";
        let found = self.connection.query_row(sql, params![resource.0], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    }
}

/// Which entries are read.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) enum Lines {
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
pub(in crate::journal) struct StoredLine {
    pub(in crate::journal) seq: u64,
    pub(in crate::journal) hash: String,
    pub(in crate::journal) run: Option<RunId>,
    pub(in crate::journal) nth: Option<u64>,
    pub(in crate::journal) kind: String,
    pub(in crate::journal) line: String,
    pub(in crate::journal) incident: Option<IncidentId>,
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
