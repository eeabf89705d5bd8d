//! Reads what a command prints, in bounded memory, and finds the lines of the runner in it.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::plan::measure::{HEAD_BYTES, TAIL_BYTES};
use crate::secrets::mask::{Masking, Masks};

/// One stream, bounded, without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Its first bytes.
    pub head: Vec<u8>,
    /// Its last bytes, if it was longer than the head.
    pub tail: Vec<u8>,
    /// All bytes, as they are kept: a mask is shorter or longer than what it hides.
    pub bytes: u64,
    /// SHA-256 of all of them, in hex.
    pub sha256: String,
}

impl Kept {
    /// These words instead of a stream.
    pub fn instead(words: &str) -> Self {
        let mut keeping = Keeping::default();
        keeping.take(words.as_bytes());
        keeping.finish()
    }
}

/// What the runner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The command is about to start.
    Started,
    /// Nothing was started, and why.
    Refused(String),
    /// The command ended by itself with this status.
    Exit(i32),
    /// The runner ended it, with this status of the first process, and nobody of its process group is left.
    Ended(i32),
    /// The runner tried to end it, and somebody of its process group may be left.
    Left(i32),
}

/// Masks a stream, keeps its beginning and its end, and counts and hashes all of it. A secret goes no further than here.
#[derive(Debug, Default)]
pub struct Keeping {
    masking: Option<Masking>,
    came: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    bytes: u64,
    hash: Sha256,
    has_gap: bool,
}

impl Keeping {
    /// A stream in which these secrets may be printed.
    pub fn masked(masks: Option<&Arc<Masks>>) -> Self {
        Self { masking: masks.cloned().map(Masking::new), ..Self::default() }
    }

    /// The next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.came += bytes.len() as u64;
        match &mut self.masking {
            Some(masking) => {
                let bytes = masking.take(bytes);
                self.keep(&bytes);
            }
            None => self.keep(bytes),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        let room = HEAD_BYTES - self.head.len();
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(&rest[rest.len().saturating_sub(TAIL_BYTES)..]);
        if self.tail.len() > 2 * TAIL_BYTES {
            self.tail.drain(..self.tail.len() - TAIL_BYTES);
        }
    }

    /// So many bytes are not kept anywhere any more.
    pub fn skip(&mut self, bytes: u64) {
        self.came += bytes;
        if let Some(masking) = &mut self.masking {
            let before = masking.skip();
            self.keep(&before);
        }
        self.bytes += bytes;
        self.has_gap |= bytes > 0;
    }

    /// How many bytes came so far.
    pub fn came(&self) -> u64 {
        self.came
    }

    /// The last lines that came so far, as text; no more than the last kilobyte of them.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let bytes = if self.tail.is_empty() { &self.head } else { &self.tail };
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1024)..]);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(count)..].iter().map(ToString::to_string).collect()
    }

    /// The stream as it is kept. Where a part of it was never seen, nothing proves the whole.
    pub fn finish(mut self) -> Kept {
        let last = self.masking.as_mut().map(Masking::finish);
        self.keep(&last.unwrap_or_default());
        let tail = self.tail.split_off(self.tail.len().saturating_sub(TAIL_BYTES));
        let sha256 = if self.has_gap { String::new() } else { hex::encode(self.hash.finalize()) };
        Kept { head: self.head, tail, bytes: self.bytes, sha256 }
    }
}

/// Takes a stream apart into what the command printed and what the runner said.
#[derive(Debug)]
pub struct Capture {
    /// `\nSH1 <nonce> `
    mark: Vec<u8>,
    /// Bytes that may be the beginning of a mark.
    pending: Vec<u8>,
    kept: Keeping,
    started: bool,
    /// What was printed before the runner spoke: noise of the login.
    noise: Vec<u8>,
}

/// The longest line of the runner behind its mark.
const MAX_SAID: usize = 200;

impl Capture {
    /// A capture of one stream of an execution.
    pub fn new(nonce: &str, masks: Option<&Arc<Masks>>) -> Self {
        Self {
            mark: format!("\nSH1 {nonce} ").into_bytes(),
            pending: Vec::new(),
            kept: Keeping::masked(masks),
            started: false,
            noise: Vec::new(),
        }
    }

    /// Takes the next bytes. What the runner said in them is returned, in order.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.pending.extend_from_slice(bytes);
        let mut said = Vec::new();
        loop {
            let Some(at) = find(&self.pending, &self.mark) else {
                // All but what could be the beginning of a mark belongs to the command.
                let keep = partial_mark(&self.pending, &self.mark);
                let printed = self.pending.len() - keep;
                let rest = self.pending.split_off(printed);
                let printed = std::mem::replace(&mut self.pending, rest);
                self.printed(&printed);
                return said;
            };
            let after = at + self.mark.len();
            let Some(length) = self.pending[after..].iter().position(|byte| *byte == b'\n') else {
                if self.pending.len() - after > MAX_SAID {
                    // No line of ours is so long.
                    let rest = self.pending.split_off(after);
                    let printed = std::mem::replace(&mut self.pending, rest);
                    self.printed(&printed);
                    continue;
                }
                let rest = self.pending.split_off(at);
                let printed = std::mem::replace(&mut self.pending, rest);
                self.printed(&printed);
                return said;
            };
            let line = String::from_utf8_lossy(&self.pending[after..after + length]).into_owned();
            let rest = self.pending.split_off(after + length + 1);
            let mut printed = std::mem::replace(&mut self.pending, rest);
            printed.truncate(at);
            self.printed(&printed);
            match read_said(&line) {
                Some(Said::Started) => {
                    self.started = true;
                    said.push(Said::Started);
                }
                Some(other) => said.push(other),
                None => {}
            }
        }
    }

    fn printed(&mut self, bytes: &[u8]) {
        if !self.started {
            let room = 4096_usize.saturating_sub(self.noise.len());
            self.noise.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return;
        }
        self.kept.take(bytes);
    }

    /// The last lines that came so far, as text.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        self.kept.last_lines(count)
    }

    /// What a login printed before the runner spoke.
    pub fn noise(&self) -> String {
        String::from_utf8_lossy(&self.noise).trim().to_owned()
    }

    /// The stream as it is kept.
    pub fn finish(mut self) -> Kept {
        let pending = std::mem::take(&mut self.pending);
        self.printed(&pending);
        self.kept.finish()
    }
}

fn read_said(line: &str) -> Option<Said> {
    if line == "started" {
        return Some(Said::Started);
    }
    if let Some(why) = line.strip_prefix("refused ") {
        return Some(Said::Refused(why.to_owned()));
    }
    let (how, status) = line.split_once('=')?;
    let status = status.parse().ok()?;
    match how {
        "exit" => Some(Said::Exit(status)),
        "ended" => Some(Said::Ended(status)),
        "left" => Some(Said::Left(status)),
        _ => None,
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// How many bytes at the end could be the beginning of a mark.
fn partial_mark(bytes: &[u8], mark: &[u8]) -> usize {
    (1..mark.len()).rev().find(|length| bytes.ends_with(&mark[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take_in_pieces(stream: &[u8], cuts: &[usize]) -> (Vec<Said>, Kept) {
        let mut capture = Capture::new("n0", None);
        let mut said = Vec::new();
        let mut at = 0;
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.sort_unstable();
        for cut in cuts.into_iter().chain([stream.len()]) {
            said.extend(capture.take(&stream[at..cut]));
            at = cut;
        }
        (said, capture.finish())
    }

    #[test]
    fn the_runner_is_told_from_the_command_and_from_noise() {
        let stream = b"Welcome!\n\nSH1 n0 started\nhello\nSH1 nX exit=0\nbye\nSH1 n0 exit=3\n";

        let (said, kept) = take_in_pieces(stream, &[]);

        assert_eq!(said, [Said::Started, Said::Exit(3)]);
        assert_eq!(String::from_utf8(kept.head).unwrap(), "hello\nSH1 nX exit=0\nbye");
        assert_eq!(kept.bytes, 23);
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_makes_no_difference(cuts in prop::collection::vec(0usize..500, 0..8), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut stream = b"noise\nSH1 n0 started\n".to_vec();
            stream.extend_from_slice(&body);
            stream.extend_from_slice(b"\nSH1 n0 exit=0\n");

            let (said, kept) = take_in_pieces(&stream, &cuts);

            prop_assert_eq!(said, [Said::Started, Said::Exit(0)]);
            prop_assert_eq!(kept.head, body);
        }
    }

    #[test]
    fn endless_output_is_kept_as_head_tail_size_and_digest() {
        let mut capture = Capture::new("n0", None);
        capture.take(b"\nSH1 n0 started\n");
        let block = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            capture.take(&block);
            assert!(capture.kept.tail.len() <= 3 * TAIL_BYTES && capture.pending.len() < 4096);
        }
        capture.take(b"end");

        let kept = capture.finish();

        assert_eq!(kept.bytes, (64 << 20) + 3);
        assert_eq!(kept.head.len(), HEAD_BYTES);
        assert_eq!(kept.tail.len(), TAIL_BYTES);
        assert!(kept.tail.ends_with(b"xend"));
    }
}
