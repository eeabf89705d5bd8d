//! Reading what is stored beside the entries: files, and what steps printed.

use rusqlite::{OptionalExtension as _, params};

use super::Reader;
use crate::journal::{Output, OutputKey};
use crate::run::RunId;

impl Reader {
    pub(in crate::journal) fn blob(&self, sha256: &str) -> rusqlite::Result<Option<String>> {
        let sql = "select content from blobs where sha256 = ?1";
        self.connection.query_row(sql, params![sha256], |row| row.get(0)).optional()
    }

    pub(in crate::journal) fn blobs(&self) -> rusqlite::Result<Vec<(String, String)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.connection
            .prepare("select sha256, content from blobs order by sha256")?
            .query_map([], read)?
            .collect()
    }

    /// Shows every output, with its key as it is stored.
    pub(in crate::journal) fn each_output(
        &self,
        mut show: impl FnMut(StoredKey, Output),
    ) -> rusqlite::Result<()> {
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

    pub(in crate::journal) fn output(&self, key: &OutputKey) -> rusqlite::Result<Option<Output>> {
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
pub(in crate::journal) struct StoredKey {
    pub(in crate::journal) run: RunId,
    pub(in crate::journal) number: u32,
    pub(in crate::journal) lane: String,
    pub(in crate::journal) attempt: u32,
    pub(in crate::journal) undo: bool,
    pub(in crate::journal) stream: String,
}
