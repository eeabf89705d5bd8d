//! What came of a command, as its event says it, and what is kept of what it printed.

use crate::journal::{Output, OutputKey};
use crate::run::UnitAt;
use crate::run::event::{Exit, OutputSummary};
use crate::target::capture::Kept;
use crate::target::{Ending, Report};

/// Why there is no end of a command.
pub(super) enum NoEnd {
    /// Nothing was started: the host did not answer at all, or else it was refused.
    NotStarted { silent: bool, why: String },
    /// Nobody knows.
    Lost(String),
}

/// How a command ended, or why nobody can tell.
pub(super) fn exit_of(report: &Report) -> Result<Exit, NoEnd> {
    match &report.ending {
        Ending::Exited(127) => Ok(Exit::NotFound),
        Ending::Exited(status) if *status > 128 => Ok(Exit::Signal(*status)),
        Ending::Exited(status) => Ok(Exit::Code(*status)),
        Ending::NoCommand => Ok(Exit::NotFound),
        Ending::Ended { by_limit: true, .. } => Ok(Exit::TimedOut),
        Ending::Ended { by_limit: false, .. } => Ok(Exit::Stopped),
        Ending::NotStarted { code, why } => {
            Err(NoEnd::NotStarted { silent: *code == "unreachable", why: why.clone() })
        }
        Ending::Lost { why } | Ending::Lives { why } => Err(NoEnd::Lost(why.clone())),
    }
}

/// Processes that live on of a command that was ended.
pub(super) fn escaped(report: &Report) -> Vec<u32> {
    match &report.ending {
        Ending::Ended { escaped, .. } => escaped.clone(),
        _ => Vec::new(),
    }
}

/// What stands in the event of a command: a little of its beginning and its end.
pub(super) fn summary(report: &Report) -> OutputSummary {
    OutputSummary { out: output(&report.out).captured(), err: output(&report.err).captured() }
}

fn output(kept: &Kept) -> Output {
    Output {
        head: kept.head.clone(),
        tail: kept.tail.clone(),
        bytes: kept.bytes,
        sha256: kept.sha256.clone(),
    }
}

/// What is kept beside the chain: head and tail of both streams.
pub(super) fn outputs(
    report: &Report,
    run: crate::run::RunId,
    unit: &UnitAt,
    attempt: u32,
    undo: bool,
) -> Vec<(OutputKey, Output)> {
    let one = |stream: &'static str, kept: &Kept| {
        let key = OutputKey { run, unit: unit.clone(), attempt, undo, stream };
        (key, output(kept))
    };
    [one("out", &report.out), one("err", &report.err)]
        .into_iter()
        .filter(|(_, output)| output.bytes > 0)
        .collect()
}
