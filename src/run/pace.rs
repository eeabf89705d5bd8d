//! How fast something goes, and how long it still takes: from the last answers, and only as far as they tell.
//!
//! Slopes are medians over all pairs of answers, so that a pause of a minute or one odd answer changes little.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::runbook::expression::Value;
use crate::runbook::source::literal::{Millis, Size};

/// So many of the last answers count.
const KEPT: usize = 30;
/// Fewer tell nothing of the time that is left,
const TO_TELL: usize = 7;
/// nor do any within a shorter time.
const TO_TELL_WITHIN: Millis = Millis::minutes(1);
/// Nor do they if one half of them went so many times as fast as the other.
const STEADY: f64 = 2.0;
/// What is further away than this is not foretold.
const FORETOLD: Millis = Millis(7 * 24 * 3_600_000);

/// The last answers.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    answers: VecDeque<Answer>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    /// In milliseconds of the clock.
    at: f64,
    done: f64,
    /// What is left of a total.
    left: Option<f64>,
}

impl Pace {
    /// Hears an answer. One that lies behind the last, because the work began anew, forgets all before it.
    pub fn hears(&mut self, at: Timestamp, done: &Value, total: Option<&Value>) {
        let Some(done) = amount(done) else { return };
        let left = total.and_then(amount).map(|total| (total - done).max(0.0));
        if self.answers.back().is_some_and(|last| done < last.done) {
            self.answers.clear();
        }
        if self.answers.len() == KEPT {
            self.answers.pop_front();
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
        let at = at.as_millisecond() as f64;
        self.answers.push_back(Answer { at, done, left });
    }

    /// So much is done in a second, if it moves.
    pub fn rate(&self) -> Option<f64> {
        slope(self.answers.iter().map(|answer| (answer.at, answer.done)))
            .filter(|rate| *rate > 0.0)
            .map(|rate| rate * 1000.0)
    }

    /// How long it still takes, if that can be told: the total is known, there are enough answers, and it goes steadily.
    /// A total that grows counts as it grows.
    pub fn left(&self) -> Option<Millis> {
        let (first, last) = (self.answers.front()?, self.answers.back()?);
        #[expect(clippy::cast_precision_loss, reason = "a minute")]
        let long_enough = last.at - first.at >= TO_TELL_WITHIN.0 as f64;
        if self.answers.len() < TO_TELL || !long_enough {
            return None;
        }
        let points: Vec<(f64, f64)> =
            self.answers.iter().map(|answer| Some((answer.at, answer.left?))).collect::<Option<_>>()?;
        let shrinks =
            |points: &[(f64, f64)]| slope(points.iter().copied()).map(|slope| -slope).filter(|it| *it > 0.0);
        let (older, newer) = points.split_at(points.len() / 2);
        let (older, newer) = (shrinks(older)?, shrinks(newer)?);
        if older.max(newer) > older.min(newer) * STEADY {
            return None;
        }
        let left = last.left? / shrinks(&points)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most a week")]
        (left <= FORETOLD.0 as f64).then_some(Millis(left as i64))
    }
}

/// The median of the slopes between all pairs.
fn slope(points: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let points: Vec<_> = points.collect();
    let mut slopes: Vec<f64> = Vec::new();
    for (nth, (x, y)) in points.iter().enumerate() {
        let later = points[nth + 1..].iter().filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, high)| (high - y) / (later - x)));
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied()
}

/// So many percent are done. More than all of it is not: the total was an estimate.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
pub fn percent(done: &Value, total: &Value) -> Option<u8> {
    let (done, total) = (amount(done)?, amount(total)?);
    (total > 0.0).then(|| (done / total * 100.0).clamp(0.0, 100.0) as u8)
}

/// So much a second, in the unit of what is done: `40 MiB/s`.
#[expect(clippy::cast_possible_truncation, reason = "bytes in a second")]
pub fn rate_words(done: &Value, rate: f64) -> Option<String> {
    match done {
        Value::Size(_) => Some(format!("{}/s", Size(rate as i64))),
        Value::Int(_) | Value::Number(_) if rate >= 1.0 => Some(format!("{}/s", Value::Number(rate).human())),
        Value::Int(_) | Value::Number(_) => Some(format!("{}/min", Value::Number(rate * 60.0).human())),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown, not calculated with")]
fn amount(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Number(n) | Value::Percent(n) => Some(*n),
        Value::Size(size) => Some(size.0 as f64),
        Value::Duration(millis) => Some(millis.0 as f64),
        _ => None,
    }
}
