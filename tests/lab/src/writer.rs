//! The writer: measures what clients lose, instead of guessing it.
//!
//! One thread inserts unique numbers as the application does, wherever a server takes writes, and keeps what each insert
//! came to. The check afterwards reads the table: a row that was acknowledged and is absent is lost. The list is copied
//! *before* the table is read; the other way round, rows written meanwhile would look lost.

pub(crate) mod background;
mod client;
mod ledger;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::ground::Ground;
use crate::host::Host;
use crate::patience;
use crate::status;
use crate::topology::Seat;
use ledger::Ledger;

/// The first row needs a primary that answers.
const FIRST_ACK: Duration = Duration::from_secs(20);
/// A writer that waits for a frozen server cannot be woken; after this time it is left to itself.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// A running writer. Dropping it stops it without a check.
#[derive(Debug)]
pub struct Writer {
    ground: Arc<Ground>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    stop: AtomicBool,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the writer has met so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Rows that the server acknowledged.
    pub acked: usize,
    /// Rows that were sent and whose fate the client does not know.
    pub unknown: usize,
    /// Rows that the server refused; they are certainly not there.
    pub refused: usize,
    /// Times longer than 0.25 s without an acknowledgement, in order, the present one included.
    pub gaps: Vec<Gap>,
    /// The longest of them, in seconds; 0 if there is none.
    pub longest_gap_seconds: f64,
    /// How many rows each host acknowledged.
    pub acked_by: BTreeMap<String, usize>,
    /// What clients got to read, with counts.
    pub errors: BTreeMap<String, usize>,
}

/// A time without acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gap {
    /// When it began, in seconds after the writer's start.
    pub after_seconds: f64,
    /// How long it was.
    pub seconds: f64,
}

/// What the check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The host whose table was read.
    pub checked_on: String,
    /// Rows that were acknowledged and are absent.
    pub lost: Vec<i64>,
    /// Rows of unknown fate that are present.
    pub unknown_present: usize,
    /// What the writer had met until the check.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Writer {
    /// Starts writing, on one host only if one is given; a file, if given, gets every outcome as a line at once.
    pub(crate) fn start(ground: &Arc<Ground>, only: Option<Seat>, file: Option<PathBuf>) -> Result<Self> {
        let shared =
            Arc::new(Shared { ledger: Mutex::new(Ledger::new(file)?), stop: AtomicBool::new(false) });
        let thread = thread::spawn({
            let (ground, shared) = (Arc::clone(ground), Arc::clone(&shared));
            move || client::write(&ground, &shared, only)
        });
        let writer = Self { ground: Arc::clone(ground), shared, thread: Some(thread) };
        patience::until(FIRST_ACK, "the writer writes its first row", || match writer.figures() {
            figures if figures.acked > 0 => Ok(()),
            figures => Err(format!("{:?}", figures.errors)),
        })?;
        Ok(writer)
    }

    /// What it has met so far.
    pub fn figures(&self) -> Figures {
        self.shared.ledger().figures()
    }

    /// How long after this moment the first row was acknowledged: the time until "writable again". None so far.
    pub fn first_ack_after(&self, moment: Instant) -> Option<Duration> {
        self.shared.ledger().first_ack_after(moment)
    }

    /// Waits for that.
    pub fn wait_for_ack_after(&self, moment: Instant, limit: Duration) -> Result<Duration> {
        patience::until(limit, "the application can write again", || {
            self.first_ack_after(moment).ok_or_else(|| format!("{:?}", self.figures().errors))
        })
    }

    /// The moments of the first and the last row that this host acknowledged; none if it acknowledged none.
    pub fn acks_by(&self, host: &str) -> Option<(Instant, Instant)> {
        self.shared.ledger().acks_by(host)
    }

    /// Compares what was acknowledged with the table of the present primary, while writing goes on.
    pub fn check(&self) -> Result<Report> {
        let ledger = self.shared.ledger().clone();
        check(&self.ground, &ledger, &one_primary(&self.ground)?)
    }

    /// The same on a host of your choice. A replica must first have replayed everything, or rows seem lost.
    pub fn check_on(&self, host: &Host) -> Result<Report> {
        let ledger = self.shared.ledger().clone();
        check(&self.ground, &ledger, host)
    }

    /// Stops writing and checks against the present primary. Where there may be none, [`Writer::end`] and then
    /// [`Writer::check`] keep the figures.
    pub fn stop(mut self) -> Result<Report> {
        self.end();
        self.check()
    }

    /// Stops writing. A server that does not answer is not waited for: its row is of unknown fate then.
    pub fn end(&mut self) -> Figures {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = patience::until(LAST_ANSWER, "the writer ends", || {
                if thread.is_finished() { Ok(()) } else { Err(String::new()) }
            });
            self.shared.ledger().end();
        }
        self.figures()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

fn one_primary(ground: &Arc<Ground>) -> Result<Host> {
    let primaries = status::primaries(ground);
    match &primaries[..] {
        [only] => Ok(only.clone()),
        none_or_more => {
            let names: Vec<_> = none_or_more.iter().map(Host::name).collect();
            Err(Error::new("what was written cannot be checked")
                .because(format!("hosts that say that they are primary: [{}]", names.join(", ")))
                .next("wait until there is one, or name the host to check on"))
        }
    }
}

/// Reads the table and compares. The ledger is a copy, taken before.
fn check(ground: &Ground, ledger: &Ledger, host: &Host) -> Result<Report> {
    debug_assert_eq!(ground.dir, host.ground.dir, "a ledger is compared with its own lab");
    let text = host.sql("select n from w")?;
    let present: BTreeSet<i64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    Ok(Report {
        checked_on: host.name().to_owned(),
        lost: ledger.acked().filter(|n| !present.contains(n)).collect(),
        unknown_present: ledger.unknown().filter(|n| present.contains(n)).count(),
        figures: ledger.figures(),
    })
}
