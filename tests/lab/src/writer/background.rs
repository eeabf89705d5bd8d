//! The writer as a process of its own, for `lab write start`, `check` and `stop`.
//!
//! The process notes every outcome in `writer/ledger` at once, so it may be killed at any moment, and the check needs
//! only that file. Its number lies in `writer/pid`; it is ended only if that number still belongs to it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::ledger::Ledger;
use super::{FIRST_ACK, Report, Writer, check, one_primary};
use crate::error::{Context, Error, Result};
use crate::ground::Ground;
use crate::lab::Lab;
use crate::patience;
use crate::process;

const STILL_OURS: Duration = Duration::from_millis(200);
const END_LIMIT: Duration = Duration::from_secs(5);

impl Lab {
    /// Starts the writer as a process: `program` is the command `lab`, which will call
    /// [`Lab::run_background_writer`]. Returns after the first acknowledged row.
    pub fn start_background_writer(&self, program: &Path) -> Result<()> {
        let ground = self.ground();
        if running(ground).is_some() {
            return Err(
                Error::new("the writer is running already").next("`lab write check`, `lab write stop`")
            );
        }
        let dir = ground.writer_dir();
        let _ = fs::remove_file(dir.join("ledger"));
        let log = File::create(dir.join("log")).context(|| "could not create the writer's log".to_owned())?;
        let mut command = Command::new(program);
        command.arg("--dir").arg(&ground.dir).args(["write", "run"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().context(|| format!("could not start {}", program.display()))?;
        fs::write(dir.join("pid"), child.id().to_string())
            .context(|| "could not note the writer's number".to_owned())?;
        patience::until(FIRST_ACK, "the writer writes its first row", || {
            let ledger = Ledger::read(&dir.join("ledger")).map_err(|e| e.to_string())?;
            if ledger.figures().acked > 0 { Ok(()) } else { Err(format!("{:?}", ledger.figures().errors)) }
        })
    }

    /// Writes until the process is ended, or the lab is gone. What `lab write run` does.
    pub fn run_background_writer(&self) -> Result<()> {
        // Out of the terminal's session, so that closing it does not end us.
        let _ = rustix::process::setsid();
        let (dir, me) = (self.ground().writer_dir(), std::process::id().to_string());
        fs::write(dir.join("pid"), &me).context(|| "could not note the writer's number".to_owned())?;
        let _writer = Writer::start(self.ground(), None, Some(dir.join("ledger")))?;
        // Another lab may come up here later; its rows are not ours to write.
        while fs::read_to_string(dir.join("pid")).is_ok_and(|pid| pid == me) {
            thread::park_timeout(STILL_OURS);
        }
        Ok(())
    }

    /// Compares what the background writer noted with the table of the present primary.
    pub fn check_background_writer(&self) -> Result<Report> {
        // Copied before the primary is even looked for.
        let ledger = Ledger::read(&self.ground().writer_dir().join("ledger"))?;
        check(self.ground(), &ledger, &one_primary(self.ground())?)
    }

    /// Ends the background writer, if it runs. Its notes stay, for a check.
    pub fn end_background_writer(&self) -> Result<()> {
        end(self.ground())
    }
}

/// Ends the background writer of a lab, if there is one.
pub(crate) fn end(ground: &Arc<Ground>) -> Result<()> {
    let Some(pid) = running(ground) else { return Ok(()) };
    let handle = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let Some(Ok(handle)) = handle else { return Ok(()) };
    if running(ground) == Some(pid) {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
    patience::until(END_LIMIT, "the writer ends", || match process::state(pid) {
        None | Some('Z') => Ok(()),
        Some(state) => Err(format!("process {pid} is in state {state}")),
    })
}

/// The number of the writer's process, if it is one of this lab.
fn running(ground: &Ground) -> Option<i32> {
    let pid: i32 = fs::read_to_string(ground.writer_dir().join("pid")).ok()?.trim().parse().ok()?;
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let ours = format!("--dir\0{}\0write\0run\0", ground.dir.display());
    String::from_utf8_lossy(&words).ends_with(&ours).then_some(pid)
}
