//! When paths are tried and when they are red: over weekends, daylight saving, restarts and failures.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use steadyhand::duty::path::{Heard, Known, State};
use steadyhand::duty::read::read_notify;
use steadyhand::duty::trials::Target;
use steadyhand::duty::{Duty, Notify};
use steadyhand::policy::read::read_policy;
use steadyhand::runbook::source::name::PathName;
use steadyhand::runbook::source::place::FileName;
use steadyhand::runbook::source::problem::Problems;
use steadyhand::runbook::source::yaml::read_yaml;

const FILE: &str = "notify: sample
paths:
  chat: { kind: discord, channel: \"214600000000000100\", depends_on: [discord] }
  mail: { kind: mail, server: \"mail:25\", from: a@b.example, depends_on: [relay] }
  siren: { kind: webhook, url: \"https://siren.example\", secret: s, depends_on: [modem] }
  page: { kind: webhook, url: \"https://page.example\", secret: s, depends_on: [page] }
  spare: { kind: webhook, url: \"https://spare.example\", secret: s, depends_on: [spare] }
people:
  anna: [chat, { path: mail, to: anna@x.example }]
  ben: [{ path: mail, to: ben@x.example }, chat]
  gone: [spare, chat]
schedules:
  primary:
    zone: Europe/Berlin
    layers: [{ people: [anna, ben], every: 7d, from: \"2026-11-16 09:00\" }]
escalations:
  on-call: { steps: [{ tell: [on-call] }], last_resort: [siren] }
public: [page]
";

const POLICY: &str = "policy: sample
people: { anna: {}, ben: {} }
roles:
  on-call: { schedule: primary }
";

/// A Tuesday at 10:00 in Berlin, in winter.
const TUESDAY: &str = "2026-11-17T09:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn berlin() -> TimeZone {
    TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap()
}

fn notify(trials: &str) -> Notify {
    let (file, mut problems) = (FileName::new("notify.yaml"), Problems::default());
    let root = read_yaml(&file, &format!("{FILE}{trials}"), &mut problems).unwrap();
    let notify = read_notify(&file, &root, &mut problems);
    assert_eq!(problems.count(), 0, "{problems:?}");
    notify
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn took(text: &str) -> Known {
    let mut known = Known::default();
    known.hear(at(text), Heard::Took);
    known
}

fn fails(known: &mut Known, moment: Timestamp) {
    known.hear(moment, Heard::Failed("no answer".to_owned()));
}

/// The next trial by the wall in Berlin.
fn next(known: &Known, trials: &str, now: &str) -> String {
    let notify = notify(trials);
    let next = known.next_trial(&notify.trials.times(&berlin()), at(now));
    next.to_zoned(berlin()).strftime("%a %d %b %H:%M").to_string()
}

#[test]
fn a_path_is_tried_two_days_after_it_took_something_in_working_hours_only() {
    let known = took(TUESDAY);
    assert_eq!(next(&known, "", TUESDAY), "Thu 19 Nov 10:00");
    assert_eq!(next(&took("2026-11-17T02:00:00Z"), "", TUESDAY), "Thu 19 Nov 09:00", "not at night");
    assert_eq!(
        next(&took("2026-11-17T16:30:00Z"), "", "2026-11-17T16:30:00Z"),
        "Fri 20 Nov 09:00",
        "not in the evening"
    );
    assert_eq!(
        next(&took("2026-11-19T09:00:00Z"), "", "2026-11-19T09:00:00Z"),
        "Mon 23 Nov 09:00",
        "not at a weekend"
    );

    let other = "trials: { every: 6h, days: [sat], between: [\"22:00\", \"02:00\"], zone: Asia/Tokyo }\n";
    assert_eq!(next(&known, other, TUESDAY), "Sat 21 Nov 14:00", "22:00 in Tokyo");
    assert_eq!(next(&known, "trials: { every: 1h }\n", TUESDAY), "Tue 17 Nov 11:00");
}

#[test]
fn what_was_never_tried_is_tried_in_the_next_hours_and_what_is_long_due_too() {
    let never = Known::default();
    assert_eq!(next(&never, "", TUESDAY), "Tue 17 Nov 10:00", "at once");
    assert_eq!(next(&never, "", "2026-11-21T09:00:00Z"), "Mon 23 Nov 09:00");
    let old = took("2026-10-01T09:00:00Z");
    assert_eq!(next(&old, "", "2026-11-20T20:00:00Z"), "Mon 23 Nov 09:00", "after an outage of the bot");
}

#[test]
fn working_hours_stay_where_the_wall_has_them_when_the_clock_is_moved() {
    // Both weekends have a night of another length: 25 October has 25 hours, 29 March has 23.
    assert_eq!(next(&took("2026-10-23T06:59:00Z"), "", "2026-10-23T07:00:00Z"), "Mon 26 Oct 09:00");
    let monday = notify("").trials;
    let next_of = |known: &Known, now: &str| known.next_trial(&monday.times(&berlin()), at(now));
    assert_eq!(next_of(&took("2026-10-23T07:00:00Z"), "2026-10-23T07:00:00Z"), at("2026-10-26T08:00:00Z"));
    assert_eq!(next_of(&took("2026-03-27T08:00:00Z"), "2026-03-27T08:00:00Z"), at("2026-03-30T07:00:00Z"));
    // Hours that the clock leaves out are no reason to try at another time of the day.
    let night = "trials: { days: [sun], between: [\"02:00\", \"03:00\"] }\n";
    assert_eq!(next(&took("2026-03-26T08:00:00Z"), night, "2026-03-26T08:00:00Z"), "Sun 05 Apr 02:00");
}

#[test]
fn a_trial_that_failed_is_repeated_after_5_and_15_minutes_and_the_third_makes_it_red() {
    let notify = notify("");
    let zone = berlin();
    let times = notify.trials.times(&zone);
    let mut known = took("2026-11-13T09:00:00Z");
    let first = at("2026-11-17T15:58:00Z");
    fails(&mut known, first);
    assert_eq!(known.next_trial(&times, first), first + minutes(5), "also after hours");
    fails(&mut known, first + minutes(5));
    assert_eq!(known.next_trial(&times, first + minutes(5)), first + minutes(20));
    assert_eq!(known.state(Some(&times), first + minutes(6)), State::Green);

    fails(&mut known, first + minutes(20));

    assert_eq!(known.state(Some(&times), first + minutes(20)), State::Red);
    assert_eq!(known.state(None, first + minutes(20)), State::Red, "also where only publishing proves it");
    assert_eq!(known.since, Some(first));
    assert!(known.is_to_report(Some(&times), first, first + minutes(20)));
    assert_eq!(known.next_trial(&times, first + minutes(20)), first + minutes(80), "every hour from then on");

    known.hear(first + minutes(80), Heard::Took);

    assert_eq!(known.state(Some(&times), first + minutes(80)), State::Green);
    assert_eq!((known.failed, known.since), (0, None));
    assert!(!known.is_to_report(Some(&times), first, first + minutes(80)));
}

#[test]
fn a_clock_that_was_far_ahead_for_a_while_makes_no_path_green_for_ever() {
    let notify = notify("");
    let (zone, wrong) = (berlin(), "2027-11-17T09:00:00Z");
    let times = notify.trials.times(&zone);
    let mut known = took(wrong);
    fails(&mut known, at(wrong) + minutes(1));
    let mut green = took(wrong);
    green.hear(at(wrong), Heard::Tries);
    let now = at(TUESDAY);
    // It is right again.
    assert_eq!(known.next_trial(&times, now), now);
    assert_eq!(green.next_trial(&times, now), now, "nobody knows when it took something");

    fails(&mut known, now);
    assert_eq!(known.next_trial(&times, now), now + minutes(15));
    fails(&mut known, now + minutes(15));
    assert_eq!(known.state(Some(&times), now + minutes(15)), State::Red);
    known.hear(now + minutes(75), Heard::Took);
    assert_eq!(known, took("2026-11-17T10:15:00Z"));
}

#[test]
fn three_quick_tries_of_one_notice_are_one_failure() {
    let mut known = took(TUESDAY);
    let begin = at(TUESDAY) + minutes(60);
    for seconds in [0, 5, 20, 80, 290] {
        fails(&mut known, begin + SignedDuration::from_secs(seconds));
    }
    assert_eq!(known.failed, 1, "it was away for five minutes");
    for minute in [6, 21] {
        fails(&mut known, begin + minutes(minute));
    }
    assert!(known.fails());
}

#[test]
fn what_took_nothing_for_7_days_is_red_once_a_trial_was_due_and_missed() {
    let zone = berlin();
    let usual = notify("");
    let times = usual.trials.times(&zone);
    let known = took(TUESDAY);
    let week = at(TUESDAY) + SignedDuration::from_hours(7 * 24);
    assert_eq!(known.state(Some(&times), week - minutes(1)), State::Green);
    assert_eq!(known.state(Some(&times), week), State::Red);
    assert_eq!(known.state(None, week), State::Green, "what is never tried is not red for its age");

    // With one day a week the trial comes a week later, and has an hour.
    let rarely = notify("trials: { every: 2d, days: [tue], between: [\"10:00\", \"12:00\"] }\n");
    let times = rarely.trials.times(&zone);
    assert_eq!(known.state(Some(&times), week + minutes(59)), State::Green);
    assert_eq!(known.state(Some(&times), week + minutes(60)), State::Red);

    // A bot that was away tries first, and cries only then.
    let back = at("2026-12-05T09:00:00Z");
    assert_eq!(known.state(Some(&times), back), State::Red);
    assert!(!known.is_to_report(Some(&times), back, back));
    assert!(!known.is_to_report(Some(&times), back, at("2026-12-08T09:59:00Z")));
    assert!(known.is_to_report(Some(&times), back, at("2026-12-08T10:00:00Z")));

    assert_eq!(Known::default().state(Some(&times), back), State::Untested);
    assert!(!Known::default().is_to_report(Some(&times), back, back));
}

#[test]
fn what_was_being_tried_when_the_process_died_is_not_tried_again_at_once() {
    let notify = notify("");
    let zone = berlin();
    let times = notify.trials.times(&zone);
    let mut known = took("2026-11-10T09:00:00Z");
    known.hear(at(TUESDAY), Heard::Tries);

    assert_eq!(known.next_trial(&times, at(TUESDAY)), at(TUESDAY) + minutes(5));
    assert_eq!(known.failed, 0, "nobody knows that it failed");
}

#[test]
fn an_incident_is_opened_once_until_it_takes_something_again() {
    let notify = notify("");
    let zone = berlin();
    let times = notify.trials.times(&zone);
    let mut known = Known::default();
    let begin = at(TUESDAY);
    for minute in [0, 5, 20] {
        fails(&mut known, begin + minutes(minute));
    }
    let now = begin + minutes(21);
    assert!(known.is_to_report(Some(&times), begin, now));
    known.hear(now, Heard::Reported);
    assert!(!known.is_to_report(Some(&times), begin, now + minutes(600)));
    // What is heard late changes nothing.
    known.hear(now, Heard::Took);
    fails(&mut known, begin);
    assert_eq!((known.failed, known.took), (0, Some(now)));
}

#[test]
fn a_path_is_tried_with_whoever_is_on_duty_then_with_anybody_who_has_it() {
    let (file, mut problems) = (FileName::new("policy.yaml"), Problems::default());
    let policy = read_policy(&file, &read_yaml(&file, POLICY, &mut problems).unwrap(), &mut problems);
    let notify = notify("");
    let duty = Duty { policy: &policy, notify: Ok(&notify), overrides: &[] };
    let target = |path: &str, now: &str| match duty.target(&PathName::new(path).unwrap(), at(now)) {
        Target::Person(person, way) => format!("{person} at {}", way.address),
        Target::LastResort(role, _) => format!("last resort of {role}"),
        other => format!("{other:?}"),
    };

    assert_eq!(target("mail", TUESDAY), "anna at anna@x.example");
    assert_eq!(target("mail", "2026-11-24T09:00:00Z"), "ben at ben@x.example", "a week later");
    assert_eq!(target("siren", TUESDAY), "last resort of on-call");
    assert_eq!(target("page", TUESDAY), "Public", "customers read it");
    assert_eq!(target("spare", TUESDAY), "Nobody", "the policy does not know them any more");
}

#[test]
fn ways_over_a_path_that_fails_come_last() {
    let fail = [PathName::new("chat").unwrap()].into();
    let notify = notify("").avoiding(&fail);
    let ways: Vec<Vec<&str>> =
        notify.people.values().map(|it| it.ways.iter().map(|way| way.path.as_str()).collect()).collect();

    assert_eq!(ways, [["mail", "chat"], ["mail", "chat"], ["spare", "chat"]]);
}
