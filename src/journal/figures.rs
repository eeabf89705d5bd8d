//! What the writer is counted by: how many appends came to what, and how long each waited.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{AppendError, Entry};

/// The upper bounds in seconds by which waiting for the disk is counted.
const APPEND_BOUNDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// How long something took, counted by upper bounds.
#[derive(Debug)]
pub struct Times {
    bounds: &'static [f64],
    /// One for each bound, and one for what took longer than all of them.
    counts: Vec<AtomicU64>,
    micros: AtomicU64,
}

impl Times {
    /// Counted by these bounds, in seconds and growing.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, micros: AtomicU64::new(0) }
    }

    /// One more.
    pub fn add(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = self.bounds.iter().take_while(|bound| seconds > **bound).count();
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Each bound with how many took no longer; how many there are; and what they took together, in seconds.
    pub fn read(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut sum = 0;
        let mut up_to = |count: &AtomicU64| {
            sum += count.load(Ordering::Relaxed);
            sum
        };
        let all: Vec<u64> = self.counts.iter().map(&mut up_to).collect();
        let micros = self.micros.load(Ordering::Relaxed);
        let bounds = self.bounds.iter().copied().zip(all.iter().copied()).collect();
        (bounds, all.last().copied().unwrap_or_default(), Duration::from_micros(micros).as_secs_f64())
    }
}

/// What the writer did since the process began.
#[derive(Debug)]
pub struct Figures {
    written: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    /// From the asking to the answer.
    pub took: Times,
}

impl Default for Figures {
    fn default() -> Self {
        let took = Times::new(APPEND_BOUNDS);
        Self { written: AtomicU64::new(0), refused: AtomicU64::new(0), failed: AtomicU64::new(0), took }
    }
}

impl Figures {
    /// An append has its answer.
    pub(super) fn count(&self, answer: &Result<Vec<Entry>, AppendError>, took: Duration) {
        let counter = match answer {
            Ok(_) => &self.written,
            Err(AppendError::NotWritten { .. } | AppendError::Fatal { .. }) => &self.failed,
            Err(_) => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.took.add(took);
    }

    /// Appends that were written, that had to give way to another one, and that could not be written.
    pub fn appends(&self) -> [(&'static str, u64); 3] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [("written", of(&self.written)), ("refused", of(&self.refused)), ("failed", of(&self.failed))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_exactly_a_bound_is_within_it_and_each_bound_counts_those_below_it() {
        let times = Times::new(&[0.1, 1.0]);
        for millis in [100, 101, 1_000, 5_000] {
            times.add(Duration::from_millis(millis));
        }

        let (bounds, count, sum) = times.read();

        assert_eq!(bounds, [(0.1, 1), (1.0, 3)]);
        assert_eq!(count, 4);
        assert!((sum - 6.201).abs() < 1e-9, "{sum}");
    }
}
