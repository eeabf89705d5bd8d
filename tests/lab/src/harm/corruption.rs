//! Corruption: a page of a replica's data is overwritten on the disk. Nobody notices until somebody reads it.
//!
//! It is a page of a table that the lab makes for this and nobody writes to again, so that no replay mends it unseen.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::LIMIT;
use crate::error::{Context, Error, Result};
use crate::host::Host;
use crate::patience;
use crate::status;

const PAGE: usize = 8192;
/// The page that is overwritten. The table has more.
const WHICH: u64 = 3;
/// It keeps its head: a page that says that it is newer than a copy is not looked at by that copy.
const HEAD: usize = 24;
const NOISE: [u8; PAGE - HEAD] = [0xA5; PAGE - HEAD];
/// Frozen and checkpointed: no later hint about a row brings the page along in the log.
const KEEPSAKES: &str = "create table if not exists keepsakes (n int, note text);
alter table keepsakes owner to app;
insert into keepsakes select n, repeat(md5(n::text), 4) from generate_series(1, 2000) n where not exists (select 1 from keepsakes);
vacuum (freeze) keepsakes;
checkpoint;
select pg_current_wal_lsn()";

impl Host {
    /// Corrupts a page of this replica. Its server is stopped for that and started again; reading the table then fails.
    pub fn corrupt(&self) -> Result<()> {
        self.expect_database()?;
        if self.sql("select pg_is_in_recovery()")? != "t" {
            return Err(Error::new(format!("{} is not corrupted", self.name()))
                .because("it is a primary, and its replicas would get what it wrote over it")
                .next("`corrupt` is for replicas"));
        }
        let primary = status::primaries(&self.ground).pop();
        let primary = primary.ok_or_else(|| Error::new("no primary answers").next("see `lab status`"))?;
        let said = primary.sql(KEEPSAKES)?;
        let until = said.lines().last().unwrap_or_default().to_owned();
        let reached = format!("select pg_last_wal_replay_lsn() >= '{until}'");
        patience::until(LIMIT, &format!("{} replays up to {until}", self.name()), || {
            match self.sql(&reached) {
                Ok(answer) if answer == "t" => Ok(()),
                Ok(answer) => Err(answer),
                Err(error) => Err(error.to_string()),
            }
        })?;
        let file = self.data_dir().join(self.sql("select pg_relation_filepath('keepsakes')")?);
        self.stop_database()?;
        let mut page = [0; PAGE];
        let opened = File::options().read(true).write(true).open(&file);
        let written = opened.and_then(|open| {
            open.read_exact_at(&mut page, WHICH * PAGE as u64)?;
            fs::write(self.kept_page(), page)?;
            fs::write(self.kept_place(), file.display().to_string())?;
            open.write_all_at(&NOISE, (WHICH * PAGE as u64) + HEAD as u64)?;
            open.sync_all()
        });
        written.context(|| format!("could not corrupt {}", file.display()))?;
        self.start_database()?;
        match self.sql("select count(note) from keepsakes") {
            Ok(rows) => Err(Error::new(format!("{} was not corrupted", self.name()))
                .because(format!("{rows} rows are read"))),
            Err(_) => Ok(()),
        }
    }

    /// Puts the page back, if what was corrupted is still there and has not been copied anew.
    pub fn mend(&self) -> Result<()> {
        let (Ok(page), Ok(place)) = (fs::read(self.kept_page()), fs::read_to_string(self.kept_place()))
        else {
            return Ok(());
        };
        let runs = self.postmaster().is_some();
        if runs {
            self.stop_database()?;
        }
        let mut now = [0; PAGE];
        if let Ok(open) = File::options().read(true).write(true).open(&place) {
            let at = WHICH * PAGE as u64;
            let still = open.read_exact_at(&mut now, at).is_ok() && now[HEAD..] == NOISE;
            let mended =
                if still { open.write_all_at(&page, at).and_then(|()| open.sync_all()) } else { Ok(()) };
            mended.context(|| format!("could not mend {place}"))?;
        }
        for kept in [self.kept_page(), self.kept_place()] {
            fs::remove_file(&kept).context(|| format!("could not remove {}", kept.display()))?;
        }
        if runs { self.start_database() } else { Ok(()) }
    }

    fn kept_page(&self) -> PathBuf {
        self.dir().join("corrupted-page")
    }

    fn kept_place(&self) -> PathBuf {
        self.dir().join("corrupted-file")
    }
}
