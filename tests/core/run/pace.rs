//! How fast something goes and how long it still takes: said as far as the answers tell, and no further.

use jiff::{SignedDuration, Timestamp};
use steadyhand::plan::usual::Usual;
use steadyhand::run::pace::{Pace, percent, rate_words};
use steadyhand::runbook::expression::Value;
use steadyhand::runbook::source::literal::{Millis, Size};

use super::plans::noon;

const MIB: i64 = 1 << 20;

fn at(seconds: i64) -> Timestamp {
    noon().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// Asked every ten seconds; so many MiB are done each time, of so many.
fn heard(done: &[i64], total: impl Fn(i64) -> Option<i64>) -> Pace {
    let mut pace = Pace::default();
    for (nth, done) in (0..).zip(done) {
        let total = total(nth).map(|total| Value::Size(Size(total * MIB)));
        pace.hears(at(nth * 10), &Value::Size(Size(done * MIB)), total.as_ref());
    }
    pace
}

fn steady(count: i64) -> Vec<i64> {
    (0..count).map(|nth| nth * 400).collect()
}

fn rate(pace: &Pace) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "MiB in a second")]
    pace.rate().map(|rate| (rate / MIB as f64).round() as i64)
}

#[test]
fn the_time_left_is_said_when_there_are_answers_enough() {
    let total = |_| Some(40_000);

    assert_eq!(heard(&steady(6), total).left(), None);
    let pace = heard(&steady(10), total);

    assert_eq!(rate(&pace), Some(40));
    assert_eq!(pace.left(), Some(Millis::seconds((40_000 - 3_600) / 40)));
}

#[test]
fn without_a_total_there_is_a_rate_and_no_time_left() {
    let pace = heard(&steady(20), |_| None);

    assert_eq!((rate(&pace), pace.left()), (Some(40), None));
}

#[test]
fn a_total_that_grows_as_fast_is_never_reached() {
    let pace = heard(&steady(20), |nth| Some(10_000 + nth * 400));

    assert_eq!((rate(&pace), pace.left()), (Some(40), None));
}

#[test]
fn one_odd_answer_changes_little() {
    let mut done = steady(20);
    done[12] = done[11];

    let pace = heard(&done, |_| Some(40_000));

    assert_eq!(rate(&pace), Some(40));
    assert!(pace.left().is_some());
}

#[test]
fn what_goes_at_two_speeds_foretells_nothing() {
    let mut done = steady(10);
    done.extend((1..10).map(|nth| 3_600 + nth * 20));

    assert_eq!(heard(&done, |_| Some(40_000)).left(), None);
}

#[test]
fn what_stands_still_has_neither() {
    let pace = heard(&[500; 20], |_| Some(40_000));

    assert_eq!((pace.rate(), pace.left()), (None, None));
}

#[test]
fn work_that_began_anew_is_judged_anew() {
    let mut done = steady(20);
    done.push(0);
    let mut pace = heard(&done, |_| Some(40_000));
    pace.hears(at(210), &Value::Size(Size(100 * MIB)), None);

    assert_eq!(rate(&pace), Some(10));
}

#[test]
fn a_rate_has_the_unit_of_what_is_done() {
    assert_eq!(rate_words(&Value::Size(Size(0)), 41_943_040.0).as_deref(), Some("40 MiB/s"));
    assert_eq!(rate_words(&Value::Int(0), 12.5).as_deref(), Some("12.5/s"));
    assert_eq!(rate_words(&Value::Int(0), 0.5).as_deref(), Some("30/min"));
    assert_eq!(rate_words(&Value::Duration(Millis(0)), 2.0), None);
    assert_eq!(percent(&Value::Size(Size(300)), &Value::Size(Size(200))), Some(100));
    assert_eq!(percent(&Value::Size(Size(300)), &Value::Size(Size(0))), None);
}

fn minutes(took: &[i64]) -> Vec<Millis> {
    took.iter().map(|took| Millis::minutes(*took)).collect()
}

#[test]
fn a_usual_time_is_learnt_from_three_runs_and_the_newest_twenty() {
    assert_eq!(Usual::learnt(&minutes(&[170, 172])), None);
    let usual = Usual::learnt(&minutes(&[170, 172, 190])).unwrap();
    assert_eq!((usual.takes, usual.spread, usual.runs), (Millis::minutes(172), Millis::minutes(2), 3));

    let mut took = vec![10; 20];
    took.extend([500; 30]);
    let usual = Usual::learnt(&minutes(&took)).unwrap();
    assert_eq!((usual.takes, usual.runs), (Millis::minutes(10), 20));
}

#[test]
fn late_is_later_than_the_spread_explains_and_never_by_a_moment() {
    let late = |took: &[i64]| Usual::learnt(&minutes(took)).unwrap().late();

    assert_eq!(late(&[100, 100, 100]), Millis::minutes(125), "a quarter");
    assert_eq!(late(&[80, 100, 120]), Millis::minutes(160), "three spreads");
    assert_eq!(Usual::stated(Millis::seconds(3)).late(), Millis::seconds(63), "a minute");
}
