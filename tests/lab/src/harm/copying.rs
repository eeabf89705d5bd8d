//! Hurting copies: slow ones, and ones that stand still.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use super::LIMIT;
use crate::error::{Context, Result};
use crate::host::Host;
use crate::patience;
use crate::process::{Part, Process};

/// What a slow copy gets in a second, whatever rate was asked for.
const SLOW: &str = "1M";

impl Host {
    /// Every copy onto this host takes its time from now on, as over a slow line: the program that copies is given
    /// another rate.
    pub fn slow_copies(&self) -> Result<()> {
        let real = self.ground.programs.pg_bin.join("pg_basebackup");
        let text = format!("#!/bin/sh\nexec {} \"$@\" --max-rate={SLOW}\n", real.display());
        self.ground.account.write(&self.slow_program(), &text, 0o755)
    }

    /// Takes [`Host::slow_copies`] back. A copy that runs stays slow.
    pub fn stop_slow_copies(&self) -> Result<()> {
        let program = self.slow_program();
        if program.exists() {
            fs::remove_file(&program).context(|| format!("could not remove {}", program.display()))?;
        }
        Ok(())
    }

    /// The copy that this host gives stands still from now on. It is waited for until it streams: before that it waits
    /// for a checkpoint, and nobody could tell the one from the other. Everything else on the host goes on.
    pub fn stall_copy(&self) -> Result<()> {
        self.expect_database()?;
        let streamed = "select coalesce(max(backup_streamed), 0) from pg_stat_progress_basebackup";
        patience::until(LIMIT, &format!("a copy from {} streams", self.name()), || {
            match self.sql(streamed) {
                Ok(bytes) if bytes.trim() != "0" => Ok(()),
                Ok(_) => Err("it gives none that streams".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })?;
        patience::until(LIMIT, &format!("a copy from {} stands still", self.name()), || {
            let senders = self.senders();
            if senders.is_empty() {
                return Err("it gives none".to_owned());
            }
            let moving: Vec<_> = senders.iter().filter(|sender| !sender.is_stopped()).collect();
            for sender in &moving {
                sender.signal(Signal::STOP);
            }
            if moving.is_empty() { Ok(()) } else { Err("it is being stopped".to_owned()) }
        })
    }

    /// The copy goes on.
    pub fn let_copy_go_on(&self) -> Result<()> {
        for sender in self.senders() {
            sender.signal(Signal::CONT);
        }
        Ok(())
    }

    /// The processes that give a base backup.
    fn senders(&self) -> Vec<Process> {
        let all = self.processes_of(Part::Database);
        all.into_iter().filter(|process| process.title.contains("sending backup")).collect()
    }

    fn slow_program(&self) -> PathBuf {
        self.dir().join("bin/pg_basebackup")
    }
}
