//! What every insert came to, in memory and, if wanted, as one line each in a file that outlives the writer.
//!
//! Pure but for the clock and that file. Times are kept as distances from the ledger's start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Figures, Gap};
use crate::error::{Context, Error, Result};

/// The first line of the file. A later reader must know what it reads.
const HEADER: &str = "steadyhand-lab writer 1";
/// Shorter times between two acknowledgements are usual on a busy machine.
const WORTH_NOTING: Duration = Duration::from_millis(250);

/// The outcomes so far. A clone is a copy that does not grow.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    started: Instant,
    acked: Vec<Ack>,
    unknown: Vec<i64>,
    refused: usize,
    errors: BTreeMap<String, usize>,
    under_way: Option<i64>,
    /// The distance at which nothing more was measured; none while the writer lives.
    ended: Option<Duration>,
    file: Option<Arc<File>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ack {
    n: i64,
    at: Duration,
    by: String,
}

impl Ledger {
    pub(crate) fn new(file: Option<PathBuf>) -> Result<Self> {
        let mut ledger = Self::empty();
        if let Some(path) = file {
            ledger.file = Some(Arc::new(
                File::create(&path).context(|| format!("could not create {}", path.display()))?,
            ));
            ledger.note(HEADER);
        }
        Ok(ledger)
    }

    fn empty() -> Self {
        Self {
            started: Instant::now(),
            acked: Vec::new(),
            unknown: Vec::new(),
            refused: 0,
            errors: BTreeMap::new(),
            under_way: None,
            ended: None,
            file: None,
        }
    }

    /// Reads what another process noted. Its last line may be half written; it is left out.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context(|| format!("could not read {}", path.display()))?;
        let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        if lines.next() != Some(HEADER) {
            return Err(Error::new(format!("{} is not a writer's file", path.display()))
                .because(format!("its first line is not `{HEADER}`")));
        }
        let mut ledger = Self::empty();
        for line in lines {
            ledger.repeat(line).ok_or_else(|| {
                Error::new(format!("{} cannot be understood", path.display())).because(line)
            })?;
        }
        // The present is not measured from here: the file does not say whether its writer still lives.
        ledger.ended = Some(ledger.acked.last().map_or(Duration::ZERO, |ack| ack.at));
        Ok(ledger)
    }

    pub(crate) fn sends(&mut self, n: i64) {
        self.under_way = Some(n);
    }

    pub(crate) fn ack(&mut self, n: i64, by: &str) {
        if self.ended.is_some() {
            return;
        }
        let at = self.started.elapsed();
        self.note(&format!("ack {n} {} {by}", at.as_micros()));
        self.under_way = None;
        self.acked.push(Ack { n, at, by: by.to_owned() });
    }

    pub(crate) fn unknown_fate(&mut self, n: i64) {
        if self.ended.is_some() {
            return;
        }
        self.note(&format!("unknown {n}"));
        self.under_way = None;
        self.unknown.push(n);
    }

    pub(crate) fn refuse(&mut self) {
        self.note("refused");
        self.under_way = None;
        self.refused += 1;
    }

    pub(crate) fn error(&mut self, text: &str) {
        let text = text.replace('\n', " ");
        self.note(&format!("error {text}"));
        *self.errors.entry(text).or_default() += 1;
    }

    /// The writer writes no more. A row that is still under way is of unknown fate, and whatever is heard of it later
    /// comes too late.
    pub(crate) fn end(&mut self) {
        if let Some(n) = self.under_way {
            self.unknown_fate(n);
        }
        self.ended = Some(self.started.elapsed());
    }

    pub(crate) fn acked(&self) -> impl Iterator<Item = i64> + '_ {
        self.acked.iter().map(|ack| ack.n)
    }

    pub(crate) fn unknown(&self) -> impl Iterator<Item = i64> + '_ {
        self.unknown.iter().copied()
    }

    pub(crate) fn first_ack_after(&self, moment: Instant) -> Option<Duration> {
        let moment = moment.saturating_duration_since(self.started);
        self.acked.iter().find_map(|ack| ack.at.checked_sub(moment))
    }

    pub(crate) fn acks_by(&self, host: &str) -> Option<(Instant, Instant)> {
        let first = self.acked.iter().find(|ack| ack.by == host)?;
        let last = self.acked.iter().rfind(|ack| ack.by == host)?;
        Some((self.started + first.at, self.started + last.at))
    }

    pub(crate) fn figures(&self) -> Figures {
        let now = self.ended.unwrap_or_else(|| self.started.elapsed());
        let times: Vec<Duration> = self.acked.iter().map(|ack| ack.at).chain([now]).collect();
        let gaps: Vec<Gap> = times
            .windows(2)
            .filter(|pair| pair[1].saturating_sub(pair[0]) > WORTH_NOTING)
            .map(|pair| Gap {
                after_seconds: pair[0].as_secs_f64(),
                seconds: pair[1].saturating_sub(pair[0]).as_secs_f64(),
            })
            .collect();
        let mut acked_by = BTreeMap::new();
        for ack in &self.acked {
            *acked_by.entry(ack.by.clone()).or_default() += 1;
        }
        Figures {
            acked: self.acked.len(),
            unknown: self.unknown.len(),
            refused: self.refused,
            longest_gap_seconds: gaps.iter().map(|gap| gap.seconds).fold(0.0, f64::max),
            gaps,
            acked_by,
            errors: self.errors.clone(),
        }
    }

    fn note(&self, line: &str) {
        if let Some(file) = &self.file {
            // One write, so that a killed writer leaves at most one half line. A full disk shows in the check.
            let _ = (&**file).write_all(format!("{line}\n").as_bytes());
        }
    }

    fn repeat(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "ack" => {
                let mut fields = rest.splitn(3, ' ');
                let n = fields.next()?.parse().ok()?;
                let at = Duration::from_micros(fields.next()?.parse().ok()?);
                self.acked.push(Ack { n, at, by: fields.next()?.to_owned() });
            }
            "unknown" => self.unknown.push(rest.parse().ok()?),
            "refused" => self.refused += 1,
            "error" => *self.errors.entry(rest.to_owned()).or_default() += 1,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_read_back_as_it_was_written() {
        let path = std::env::temp_dir().join(format!("steadyhand-lab-ledger-{}", std::process::id()));
        let mut written = Ledger::new(Some(path.clone())).unwrap();
        written.ack(7, "pg1");
        written.unknown_fate(8);
        written.refuse();
        written.error("closed\nfor ever");
        written.ack(9, "pg2");
        fs::write(&path, fs::read_to_string(&path).unwrap() + "ack 10 99").unwrap();

        let read = Ledger::read(&path).unwrap();
        fs::remove_file(&path).unwrap();

        assert_eq!(read.acked().collect::<Vec<_>>(), [7, 9]);
        assert_eq!(read.unknown().collect::<Vec<_>>(), [8]);
        assert_eq!(read.figures().acked_by, written.figures().acked_by);
        assert_eq!(read.figures().errors, BTreeMap::from([("closed for ever".to_owned(), 1)]));
        assert_eq!(read.figures().refused, 1);
    }

    #[test]
    fn a_gap_that_is_still_open_counts() {
        let mut ledger = Ledger::empty();
        for (n, millis) in [(1, 0), (2, 100), (3, 500)] {
            ledger.acked.push(Ack { n, at: Duration::from_millis(millis), by: "pg1".to_owned() });
        }
        ledger.ended = Some(Duration::from_millis(1500));

        let figures = ledger.figures();

        assert_eq!(figures.gaps.len(), 2, "{figures:?}");
        assert!((figures.longest_gap_seconds - 1.0).abs() < 1e-9);
        assert!((figures.gaps[0].after_seconds - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_row_still_under_way_at_the_end_is_of_unknown_fate() {
        let mut ledger = Ledger::empty();
        ledger.sends(5);

        ledger.end();
        ledger.ack(5, "pg1");

        assert_eq!(ledger.unknown().collect::<Vec<_>>(), [5]);
        assert_eq!(ledger.figures().acked, 0);
    }
}
