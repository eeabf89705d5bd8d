//! Time as Discord sees it: real time, moved forward by a test as it likes; and the ids that are made of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When Discord began to count, milliseconds.
const EPOCH_MS: u64 = 1_420_070_400_000;

/// A clock that a test moves, and the ids that carry its time.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_ms: u64,
    last_id: u64,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(real.as_millis()).unwrap_or(u64::MAX) + self.ahead_ms
    }

    pub(crate) fn forward(&mut self, by: Duration) {
        self.ahead_ms += u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    }

    /// A new id, larger than all before.
    pub(crate) fn id(&mut self) -> u64 {
        self.last_id = ((self.now_ms() - EPOCH_MS) << 22).max(self.last_id + 1);
        self.last_id
    }
}

/// `2026-11-21T14:45:46.123000+00:00`.
pub(crate) fn written(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second, milli) =
        (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}000+00:00")
}

/// Days since 1970 as a date, in years that begin in March so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_a_date() {
        assert_eq!(written(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(written(1_709_210_096_789), "2024-02-29T12:34:56.789000+00:00");
    }

    #[test]
    fn ids_grow() {
        let mut clock = Clock::default();
        let first = clock.id();
        assert!(clock.id() > first);
    }
}
