//! How long something usually takes, and from when on it is late.

use serde::{Deserialize, Serialize};

use crate::runbook::source::literal::Millis;

/// Fewer runs than this teach nothing: one that was odd would be the rule.
pub const RUNS_TO_LEARN: usize = 3;
/// Only so many of the newest runs count: hosts and data change.
pub const RUNS_THAT_COUNT: usize = 20;
/// Nothing is late by less than this: whoever is woken for a second does not come the next time.
const LATE_AT_LEAST: Millis = Millis::minutes(1);

/// How long something usually takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// What the runbook states, or the median of the runs that went well.
    pub takes: Millis,
    /// The median distance from it; nothing where it is stated.
    pub spread: Millis,
    /// From so many runs; 0 where it is stated.
    pub runs: u32,
}

impl Usual {
    /// As the runbook states it.
    pub const fn stated(takes: Millis) -> Self {
        Self { takes, spread: Millis(0), runs: 0 }
    }

    /// From the runs that went well, newest first. `None` if they are too few.
    pub fn learnt(took: &[Millis]) -> Option<Self> {
        let took = &took[..took.len().min(RUNS_THAT_COUNT)];
        if took.len() < RUNS_TO_LEARN {
            return None;
        }
        let takes = median(took.iter().map(|took| took.0).collect())?;
        let spread = median(took.iter().map(|took| (took.0 - takes).abs()).collect())?;
        Some(Self { takes: Millis(takes), spread: Millis(spread), runs: u32::try_from(took.len()).ok()? })
    }

    /// From when on it is late: the usual time, and three spreads or a quarter of it or a minute more, whichever is most.
    pub fn late(&self) -> Millis {
        let more = (self.spread.0.saturating_mul(3)).max(self.takes.0 / 4).max(LATE_AT_LEAST.0);
        Millis(self.takes.0.saturating_add(more))
    }
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { i64::midpoint(values[middle - 1], upper) } else { upper })
}
