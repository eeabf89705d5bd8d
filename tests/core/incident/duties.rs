//! Calls over the ends of duties: weekends, hand-overs, clocks that are moved, a leap day.

use steadyhand::incident::model::{About, Severity};

use super::driven::{Driven, is_call, opened, with_schedules};

const WEEKEND: &str = "schedules:
  primary:
    zone: Europe/Berlin
    layers:
      - { people: [anna, ben], every: 7d, from: \"2026-01-05 09:00\" }
      - { people: [tom], days: [sat, sun] }
  help:
    zone: Europe/Berlin
    layers: [{ people: [sue], days: [mon, tue, wed, thu, fri], between: [\"08:00\", \"20:00\"] }]
    gaps:
      - { days: [sat, sun], why: The help desk of the group answers. }
      - { days: [mon, tue, wed, thu, fri], between: [\"20:00\", \"24:00\"], why: The same. }
      - { days: [mon, tue, wed, thu, fri], between: [\"00:00\", \"08:00\"], why: The same. }
";

/// Who is called first at a moment, and ten minutes later in the second round.
fn called(schedules: &str, moment: &str) -> (String, String) {
    let notify = with_schedules(schedules);
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], moment, Some(notify));
    let first = driven.queued_now(is_call)[0].clone();
    driven.minutes(10);
    (first, driven.queued_now(is_call)[0].clone())
}

fn names(first: &str, then: &str) -> (String, String) {
    (format!("{first} chat"), format!("{then} chat"))
}

#[test]
fn at_the_weekend_those_of_the_weekend_are_called_and_the_hand_over_takes_effect_in_the_next_round() {
    assert_eq!(called(WEEKEND, "2026-11-20T22:55:00Z"), names("ben", "tom"), "Friday, five to midnight");
    assert_eq!(called(WEEKEND, "2026-11-22T22:55:00Z"), names("tom", "ben"), "Sunday, five to midnight");
    assert_eq!(called(WEEKEND, "2026-11-23T07:55:00Z"), names("ben", "anna"), "Monday, five to nine");
}

#[test]
fn a_hand_over_in_the_night_in_which_the_clock_is_moved_comes_when_the_wall_shows_it() {
    let nightly = "schedules:
  primary:
    zone: Europe/Berlin
    layers: [{ people: [anna, ben], every: 1d, from: \"2026-10-23 02:30\" }]
  help: { zone: Europe/Berlin, layers: [{ people: [sue] }] }
";
    // 25 October: 02:30 comes twice, and the first one counts: anna again from 00:30 UTC on.
    assert_eq!(called(nightly, "2026-10-25T00:25:00Z"), names("ben", "anna"));
    assert_eq!(
        called(nightly, "2026-10-25T01:25:00Z"),
        names("anna", "anna"),
        "the second 02:30 hands nothing over"
    );
    let spring = nightly.replace("2026-10-23", "2026-03-27");
    // 29 March: 02:30 is left out, and is 03:30: 01:30 UTC.
    assert_eq!(called(&spring, "2026-03-29T00:25:00Z"), names("ben", "ben"));
    assert_eq!(called(&spring, "2026-03-29T01:25:00Z"), names("ben", "anna"));
}

#[test]
fn the_leap_day_is_a_day() {
    let daily = "schedules:
  primary:
    zone: Europe/Berlin
    layers: [{ people: [anna, ben], every: 1d, from: \"2028-02-28 00:00\" }]
  help: { zone: Europe/Berlin, layers: [{ people: [sue] }] }
";
    assert_eq!(called(daily, "2028-02-28T22:55:00Z"), names("anna", "ben"));
    assert_eq!(called(daily, "2028-02-29T22:55:00Z"), names("ben", "anna"));
}

#[test]
fn support_at_a_weekend_that_was_declared_free_is_skipped_at_once_and_that_is_not_cried_out() {
    let tells = [super::driven::tell("support", "start", "acknowledged", 10)];
    let saturday = "2026-11-21T10:00:00Z";

    let driven = Driven::open(&opened(Severity::Planned), &tells, saturday, Some(with_schedules(WEEKEND)));

    assert_eq!(driven.queued_now(is_call), ["chidi chat", "chidi mail"]);
    assert_eq!(driven.queued_now(|it| matches!(it, About::Alarm(_))), [""; 0]);
}

#[test]
fn who_stands_in_is_called() {
    use super::driven::{at, person};
    use steadyhand::duty::Override;
    use steadyhand::runbook::source::name::ScheduleName;

    let mut driven =
        Driven::open(&opened(Severity::Sev3), &[], "2026-11-18T10:00:00Z", Some(with_schedules(WEEKEND)));
    assert_eq!(driven.queued_now(is_call)[0], "ben chat");
    driven.overrides.push(Override {
        schedule: ScheduleName::new("primary").unwrap(),
        person: person("anna"),
        from: at("2026-11-18T10:01:00Z"),
        to: at("2026-11-18T12:00:00Z"),
        by: person("chidi"),
        why: "ben sits in a train".to_owned(),
    });

    driven.minutes(10);

    assert_eq!(driven.queued_now(is_call)[0], "anna chat");
}
