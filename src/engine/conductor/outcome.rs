//! What came of a command, as its event says it, and what is kept of what it printed.

use crate::journal::output::{self, Output, OutputKey};
use crate::run::UnitAt;
use crate::run::event::{Exit, OutputSummary};
use crate::target::capture::{self, Kept};
use crate::target::{Ending, Report};

// What is kept of a stream on its way is what the journal has of it.
const _: () = assert!(capture::HEAD_BYTES == output::HEAD_BYTES && capture::TAIL_BYTES == output::TAIL_BYTES);

/// How a command ended, or why it did not begin, or (true) that nobody knows.
pub(super) fn exit_of(report: &Report) -> Result<Exit, (String, bool)> {
    match &report.ending {
        Ending::Exited(127) => Ok(Exit::NotFound),
        Ending::Exited(status) if *status > 128 => Ok(Exit::Signal(*status)),
        Ending::Exited(status) => Ok(Exit::Code(*status)),
        Ending::NoCommand => Ok(Exit::NotFound),
        Ending::Ended { by_limit: true, .. } => Ok(Exit::TimedOut),
        Ending::Ended { by_limit: false, .. } => Ok(Exit::Stopped),
        Ending::NotStarted { why, .. } => Err((why.clone(), false)),
        Ending::Lost { why } => Err((why.clone(), true)),
    }
}

/// What stands in the event of a command: a little of its beginning and its end.
pub(super) fn summary(report: &Report) -> OutputSummary {
    OutputSummary { out: to_keep(&report.out).captured(), err: to_keep(&report.err).captured() }
}

fn to_keep(kept: &Kept) -> Output {
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
        (key, to_keep(kept))
    };
    [one("out", &report.out), one("err", &report.err)]
        .into_iter()
        .filter(|(_, output)| output.bytes > 0)
        .collect()
}
