//! What commands printed: kept beside the chain, with its size and digest in the chain.

use sha2::{Digest as _, Sha256};

use crate::plan::measure::{HEAD_BYTES, TAIL_BYTES};
use crate::run::event::{Captured, OutputSummary};
use crate::run::{RunId, UnitAt};
use crate::runbook::source::hidden::visible_lines;

/// Of what a command printed, so many bytes of the beginning and of the end stand in its event.
const EXCERPT_BYTES: usize = 1024;

/// What one command printed on one stream, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its first bytes.
    pub head: Vec<u8>,
    /// Its last bytes, if it was longer.
    pub tail: Vec<u8>,
    /// All bytes that came.
    pub bytes: u64,
    /// SHA-256 of all of them, in hex.
    pub sha256: String,
}

/// Whose output it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputKey {
    /// The run.
    pub run: RunId,
    /// The step.
    pub unit: UnitAt,
    /// The attempt.
    pub attempt: u32,
    /// Whether it was the undo.
    pub undo: bool,
    /// `out` or `err`
    pub stream: &'static str,
}

impl Output {
    /// What stands in the event of its command: a little of its beginning and its end.
    pub fn captured(&self) -> Captured {
        let text = |bytes: &[u8]| visible_lines(&String::from_utf8_lossy(bytes));
        let last = if self.tail.is_empty() { &self.head } else { &self.tail };
        let (head, tail) = if self.tail.is_empty() && self.head.len() <= 2 * EXCERPT_BYTES {
            (self.head.as_slice(), &[] as &[u8])
        } else {
            let end = last.len().saturating_sub(EXCERPT_BYTES);
            (&self.head[..EXCERPT_BYTES.min(self.head.len())], &last[end..])
        };
        Captured { head: text(head), tail: text(tail), bytes: self.bytes, sha256: self.sha256.clone() }
    }

    /// Whether this is what its event says. Where all of it is kept every byte is held against the digest; of a longer
    /// one the excerpts are compared, and what is kept between them cannot be.
    pub fn fits(&self, said: &Captured) -> bool {
        if (self.bytes, &self.sha256) != (said.bytes, &said.sha256) {
            return false;
        }
        let kept = (self.head.len(), self.tail.len());
        if is_kept_whole(self.bytes) {
            let digest = Sha256::new().chain_update(&self.head).chain_update(&self.tail).finalize();
            return (kept.0 + kept.1) as u64 == self.bytes && hex::encode(digest) == self.sha256;
        }
        kept == (HEAD_BYTES, TAIL_BYTES) && self.captured() == *said
    }
}

/// Whether a stream of so many bytes is kept with all of them.
fn is_kept_whole(bytes: u64) -> bool {
    bytes <= (HEAD_BYTES + TAIL_BYTES) as u64
}

/// What has to be known of a summary to hold an output against it: without excerpts where the digest is enough.
pub(super) fn to_compare(summary: &OutputSummary) -> [Captured; 2] {
    [&summary.out, &summary.err].map(|captured| {
        if is_kept_whole(captured.bytes) {
            let (bytes, sha256) = (captured.bytes, captured.sha256.clone());
            Captured { bytes, sha256, ..Captured::default() }
        } else {
            captured.clone()
        }
    })
}
