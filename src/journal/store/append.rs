//! One append in its transaction: entries, versions, holds, files and outputs, or nothing.

use rusqlite::{ErrorCode, OptionalExtension as _, params};

use crate::failpoint::{self, Fault, Point};
use crate::incident::IncidentId;
use crate::journal::append::{Append, AppendError, Held, NewEntry};
use crate::journal::entry::{ENTRY_FORMAT, Entry, leaf};
use crate::run::RunId;

pub(super) enum WriteError {
    Refused(AppendError),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

pub(super) fn write(
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
pub(super) fn passes(point: Point, appends: &[Append]) -> rusqlite::Result<()> {
    let has = |kind: &str| appends.iter().flat_map(|append| &append.entries).any(|entry| entry.kind == kind);
    let code = match failpoint::writes(point, has) {
        Ok(()) => return Ok(()),
        Err(Fault::Io) => rusqlite::ffi::SQLITE_IOERR_FSYNC,
        Err(Fault::Full) => rusqlite::ffi::SQLITE_FULL,
    };
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
}

/// A full disk, a read-only file and a lock are a clean no. Anything else leaves it open whether it was written.
pub(super) fn classify(error: &rusqlite::Error) -> AppendError {
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
