//! Reads what a guard says: lines of its own, and blocks of output whose length it says before. Nothing that a command
//! prints can be taken for a line.

use super::guard::Verdict;
use crate::plan::model::GuardSeen;

/// The longest line of a guard.
const MAX_LINE: usize = 1024;
/// What a login printed before the guard spoke, kept up to so many bytes.
const MAX_NOISE: usize = 4096;

/// A stream of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What is heard from a guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The command has started.
    Started,
    /// Nothing was started, and why.
    Refused(String),
    /// These bytes were printed.
    Printed(Stream, Vec<u8>),
    /// So many bytes are kept no longer.
    Gap(Stream, u64),
    /// How the attempt stands.
    Verdict(Verdict),
    /// The processes that had to end.
    Stopped(Left),
    /// What the guard says of itself.
    Hello(GuardSeen),
    /// Nothing more will be said.
    End,
}

/// What lives on of a command that was ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Somebody of its process group does, or somebody else has the group by now.
    pub group: bool,
    /// These left the group, and carry the mark of the attempt.
    pub escaped: Vec<u32>,
}

/// Takes what comes apart.
#[derive(Debug)]
pub struct Blocks {
    /// `SH1 <nonce> `
    mark: Vec<u8>,
    /// What could not be read yet.
    pending: Vec<u8>,
    /// The block that is being read: so many bytes are missing.
    block: Option<(Stream, u64)>,
    noise: Vec<u8>,
    spoke: bool,
}

impl Blocks {
    /// A reader of one conversation.
    pub fn new(nonce: &str) -> Self {
        Self {
            mark: format!("SH1 {nonce} ").into_bytes(),
            pending: Vec::new(),
            block: None,
            noise: Vec::new(),
            spoke: false,
        }
    }

    /// What a login printed before the guard spoke.
    pub fn noise(&self) -> String {
        String::from_utf8_lossy(&self.noise).trim().to_owned()
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.pending.extend_from_slice(bytes);
        let mut heard = Vec::new();
        loop {
            if let Some((stream, missing)) = self.block {
                let here = self.pending.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                if here > 0 {
                    heard.push(Heard::Printed(stream, self.pending.drain(..here).collect()));
                }
                let missing = missing - here as u64;
                self.block = (missing > 0).then_some((stream, missing));
                if missing > 0 {
                    return heard;
                }
            }
            let Some(length) = self.pending.iter().position(|byte| *byte == b'\n') else {
                if self.pending.len() > MAX_LINE {
                    // No line of a guard is so long.
                    let noise = std::mem::take(&mut self.pending);
                    self.is_noise(&noise);
                }
                return heard;
            };
            let line: Vec<u8> = self.pending.drain(..=length).collect();
            match line.strip_prefix(self.mark.as_slice()) {
                Some(said) => {
                    self.spoke = true;
                    let said = String::from_utf8_lossy(said);
                    heard.extend(self.read(said.trim_end()));
                }
                None => self.is_noise(&line),
            }
        }
    }

    fn is_noise(&mut self, bytes: &[u8]) {
        if !self.spoke {
            let room = MAX_NOISE.saturating_sub(self.noise.len());
            self.noise.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn read(&mut self, said: &str) -> Option<Heard> {
        let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
        let stream = |word: &str| match word {
            "o" => Some(Stream::Out),
            "e" => Some(Stream::Err),
            _ => None,
        };
        match word {
            "started" => Some(Heard::Started),
            "refused" => Some(Heard::Refused(rest.to_owned())),
            "exists" => Verdict::read(rest).map(Heard::Verdict),
            "end" => Some(Heard::End),
            "hello" => {
                let field = |name| Some(rest.split(' ').find_map(|word| word.strip_prefix(name))?.to_owned());
                Some(Heard::Hello(GuardSeen { root: field("id=")?, boot: field("boot=")? }))
            }
            "stopped" => {
                let field = |name| rest.split(' ').find_map(|word| word.strip_prefix(name));
                let escaped = field("escaped=")?.split(',').filter_map(|pid| pid.parse().ok()).collect();
                Some(Heard::Stopped(Left { group: field("group=")? != "gone", escaped }))
            }
            "gap" => {
                let mut words = rest.split(' ');
                let stream = stream(words.next()?)?;
                let (from, to): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                Some(Heard::Gap(stream, to.checked_sub(from)?))
            }
            "o" | "e" => {
                let length = rest.split(' ').nth(1)?.parse().ok()?;
                self.block = Some((stream(word)?, length));
                None
            }
            _ => Verdict::read(said).map(Heard::Verdict),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::guard::Finished;
    use super::*;

    const SAID: &[u8] = b"Welcome!\nno end of line\nSH1 n1 started\nSH1 n1 o 0 12\nSH1 n1 never\nSH1 n1 e 0 3\n\x00\xff\nSH1 n1 gap o 12 40\nSH1 n1 finished rc=3 out=40 err=3 stop=- left=no\nSH1 n1 end\n";

    fn heard(pieces: &[&[u8]]) -> (Vec<Heard>, String) {
        let mut blocks = Blocks::new("n1");
        let mut all: Vec<Heard> = Vec::new();
        for piece in pieces {
            for heard in blocks.take(piece) {
                match (all.last_mut(), heard) {
                    (Some(Heard::Printed(last, before)), Heard::Printed(stream, bytes))
                        if *last == stream =>
                    {
                        before.extend(bytes);
                    }
                    (_, heard) => all.push(heard),
                }
            }
        }
        (all, blocks.noise())
    }

    #[test]
    fn what_a_command_prints_is_never_a_line_of_the_guard() {
        let (all, noise) = heard(&[SAID]);

        let finished = Finished { status: 3, printed: Some((40, 3)), stopped: None, left: false };
        assert_eq!(
            all,
            [
                Heard::Started,
                Heard::Printed(Stream::Out, b"SH1 n1 never".to_vec()),
                Heard::Printed(Stream::Err, b"\x00\xff\n".to_vec()),
                Heard::Gap(Stream::Out, 28),
                Heard::Verdict(Verdict::Finished(finished)),
                Heard::End
            ]
        );
        assert_eq!(noise, "Welcome!\nno end of line");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_stream_is_cut(cuts in prop::collection::vec(0..SAID.len(), 0..20)) {
            let mut cuts = cuts;
            cuts.extend([0, SAID.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &SAID[cut[0]..cut[1]]).collect();

            prop_assert_eq!(heard(&pieces), heard(&[SAID]));
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), said in "[a-z0-9 =-]{0,60}") {
            let mut blocks = Blocks::new("n1");
            blocks.take(&bytes);
            blocks.take(format!("\nSH1 n1 {said}\n").as_bytes());
            blocks.take(&bytes);
        }
    }
}
