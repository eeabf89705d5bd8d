//! The file itself: its tables in each version, its name, and that a commit to it is durable.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::failpoint::{self, Point};
use crate::journal::OpenError;

/// The version of the tables.
pub(super) const SCHEMA_VERSION: i64 = 2;
/// The version that had no incidents yet.
pub(super) const WITHOUT_INCIDENTS: i64 = 1;
/// What a file is that `SQLite` can read and that no journal was made in.
pub(super) const FOREIGN: &str = "it is a database, and not one of ours";

/// Durability is asserted, not assumed: a file on which it cannot be had is not used.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
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
pub(super) fn no_folder(path: &Path) -> Result<(), OpenError> {
    if path.is_dir() {
        return Err(OpenError::Unusable { path: path.to_owned(), why: "it is a folder".to_owned() });
    }
    Ok(())
}

/// Whether nothing stands in the file yet: only then are our tables made in it.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("select count(*) = 0 from sqlite_master", [], |row| row.get(0))
}

pub(super) fn create(connection: &mut Connection, demo: bool) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.execute_batch(include_str!("schema_2.sql"))?;
    let meta = "insert into meta (key, value) values (?1, ?2)";
    transaction.execute(meta, params!["demo", demo.to_string()])?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// A journal of version 1 gets what version 2 has besides: all of it, or nothing.
pub(super) fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
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
pub(super) fn name_it(connection: &Connection) -> rusqlite::Result<String> {
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
