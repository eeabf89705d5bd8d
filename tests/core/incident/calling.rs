//! Who is called, over which ways, and who next.

use steadyhand::incident::input::Answer;
use steadyhand::incident::model::{About, Audience, Delivery, End, Owed, Part, Severity, Trouble};
use steadyhand::incident::{Event, Input, Says};

use super::driven::{
    Driven, Path, TUESDAY, an_incident, by_run, is_call, opened, person, tell, usual, with_escalations,
    with_schedules,
};

fn calls(driven: &Driven) -> Vec<String> {
    driven.queued_now(is_call)
}

#[test]
fn at_half_of_a_step_over_the_further_ways_then_the_next_step_and_all_again_until_somebody_answers() {
    let mut driven = an_incident(Severity::Sev3);
    assert_eq!(calls(&driven), ["anna chat", "anna mail"]);

    driven.later(149);
    assert_eq!(driven.incident.notices.len(), 2);
    driven.later(1);
    assert_eq!(calls(&driven), ["anna pager", "anna sms"]);
    driven.later(150);
    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"]);
    assert_eq!(driven.alarms(), [""; 0]);
    driven.minutes(5);
    assert_eq!(calls(&driven), ["anna chat", "anna mail"], "the second round");
    assert_eq!(
        driven.alarms(),
        ["Nobody answered: all who are called for `on-call` were called once. They are called again."]
    );
    driven.minutes(10);
    assert_eq!(driven.alarms().len(), 2, "each round cries out");

    driven.acknowledges("chidi");
    let so_far = driven.incident.notices.len();
    driven.minutes(600);

    assert_eq!(driven.incident.notices.len(), so_far, "nobody is called any more");
    assert_eq!(driven.owed(Owed::Acknowledged).end, Some(End::Met(Some(person("chidi")))));
}

#[test]
fn that_a_path_took_a_page_ends_nothing() {
    let mut driven = an_incident(Severity::Sev3);

    driven.sends();

    assert!(driven.incident.notices.iter().all(|it| matches!(it.delivery, Delivery::Accepted(_))));
    assert_eq!(driven.owes(), ["acknowledged on-call"]);
    driven.minutes(5);
    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"]);
}

#[test]
fn a_way_that_fails_brings_in_the_next_one_at_once_whether_for_now_or_for_ever() {
    for does in [Path::Busy(None), Path::Refuses] {
        let mut driven = an_incident(Severity::Sev3);
        driven.path("chat", does.clone());

        driven.sends();

        assert_eq!(
            driven.told(|it| is_call(&it.about)),
            ["anna chat", "anna mail", "anna pager"],
            "{does:?}"
        );
        // The second failure of the same way brings in no other.
        driven.later(30);
        assert_eq!(driven.told(|it| is_call(&it.about)).len(), 3, "{does:?}");
    }
}

#[test]
fn a_page_that_nobody_answers_for_is_unknown_and_the_next_way_is_used() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Silent);

    driven.later(19);
    assert_eq!(driven.incident.notices.len(), 2);
    driven.later(1);

    assert_eq!(driven.told(|it| is_call(&it.about)), ["anna chat", "anna mail", "anna pager"]);
    assert!(driven.notice(1).may_repeat);
}

#[test]
fn a_step_without_anybody_is_skipped_at_once_and_cried_out() {
    let weekdays = "schedules:
  primary:
    zone: Europe/Berlin
    layers: [{ people: [anna], days: [mon, tue, wed, thu, fri] }]
  help: { zone: Europe/Berlin, layers: [{ people: [sue] }] }
";
    let saturday = "2026-11-21T08:00:00Z";
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], saturday, Some(with_schedules(weekdays)));

    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"], "at once, not after five minutes");
    assert_eq!(driven.told(|it| matches!(it.about, About::Alarm(_))), ["- siren"]);
    assert!(driven.alarms()[0].contains("`on-call`"), "{:?}", driven.alarms());
    let resort = driven.incident.notices.iter().find(|it| it.to.is_none()).unwrap();
    assert_eq!(resort.audience, Audience::Operator);

    driven.minutes(5);
    assert_eq!(
        calls(&driven),
        ["chidi chat", "chidi mail"],
        "the next round has nobody in its first step either"
    );
}

#[test]
fn a_step_for_which_nobody_is_needed_is_skipped_without_an_alarm() {
    let weekdays = "schedules:
  primary:
    zone: Europe/Berlin
    layers: [{ people: [anna], days: [mon, tue, wed, thu, fri] }]
    gaps: [{ days: [sat, sun], why: \"the commander answers\" }]
  help: { zone: Europe/Berlin, layers: [{ people: [sue] }] }
";
    let saturday = "2026-11-21T08:00:00Z";
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], saturday, Some(with_schedules(weekdays)));

    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"]);
    assert_eq!(driven.alarms(), [""; 0]);
    driven.minutes(5);
    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"]);
    assert_eq!(driven.alarms().len(), 1, "that nobody answered is cried out");
}

#[test]
fn an_escalation_without_anybody_does_not_spin_and_cries_out_once_a_round() {
    let nobody = "schedules:
  primary: { zone: Europe/Berlin, layers: [{ people: [anna], from: \"2030-01-01 00:00\", every: 7d }] }
  help: { zone: Europe/Berlin, layers: [{ people: [sue] }] }
";
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], TUESDAY, Some(with_schedules(nobody)));
    driven.policy.roles.remove("commander");

    driven.minutes(60);

    let alarms = driven.told(|it| matches!(it.about, About::Alarm(_)));
    assert!((12..60).contains(&alarms.len()), "{}", alarms.len());
    assert!(driven.alarms().iter().any(|it| it.contains("Nobody can say who is on duty for `commander`")));
}

/// How many entries a day writes, and when the rounds of the first thing owed began, in minutes.
fn a_day(mut driven: Driven) -> (usize, Vec<i64>) {
    let (before, began) = (driven.log.len(), driven.now);
    for _ in 0..24 * 60 {
        driven.later(60);
        // As the keeper does it: each minute it is looked whether somebody is there.
        driven.hears(&Input::Tick);
    }
    let rounds = driven.log.iter().filter_map(|it| match it.event {
        Event::CallStep { obligation: 1, step: 0, .. } => Some(it.at.duration_since(began).as_mins()),
        _ => None,
    });
    (driven.log.len() - before, rounds.collect())
}

#[test]
fn a_day_in_which_nobody_can_be_told_at_all_writes_little() {
    let world = |notify| Driven::open(&opened(Severity::Sev3), &[], TUESDAY, notify);
    let nobody = "schedules:
  primary: { zone: Europe/Berlin, layers: [{ people: [anna], from: \"2030-01-01 00:00\", every: 7d }] }
  help: { zone: Europe/Berlin, layers: [{ people: [sue] }] }
";
    let mut empty_rota = with_schedules(nobody);
    empty_rota.people.remove(&person("chidi"));
    let mut no_ways = usual();
    no_ways.people.clear();

    let times = [0, 5, 10, 15, 25, 45, 85];
    for (what, driven, at_most) in [
        ("no file", world(None), 60),
        // What is cried out at the last resort has its entries too: queued, sent, accepted.
        ("empty rota", world(Some(empty_rota)), 500),
        ("no way", world(Some(no_ways)), 500),
    ] {
        let (written, rounds) = a_day(driven);

        assert!(written <= at_most, "{what}: {written}");
        assert_eq!(rounds[..7], times, "{what}: {written}");
        assert!(rounds.windows(2).all(|two| two[1] - two[0] <= 60), "{what}: {rounds:?}");
    }
    let bad = Driven::open(&opened(Severity::Sev1), &[], TUESDAY, None);
    let (written, _) = a_day(bad);
    assert!(written <= 250, "four things are owed: {written}");
}

#[test]
fn a_silent_person_is_called_by_the_policy_all_day() {
    let (_, rounds) = a_day(an_incident(Severity::Sev3));

    let every_ten: Vec<i64> = (0..=144).map(|nth| nth * 10).collect();
    assert_eq!(rounds, every_ten);
}

#[test]
fn whoever_can_be_told_again_is_called_at_once_though_the_round_rests() {
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], TUESDAY, None);
    driven.minutes(300);
    let silent = driven.log.len();
    driven.minutes(20);
    driven.hears(&Input::Tick);
    assert_eq!(driven.log.len(), silent, "it rests for an hour");

    driven.notify = Some(usual());
    driven.hears(&Input::Tick);

    assert_eq!(calls(&driven), ["anna chat", "anna mail"]);
    driven.hears(&Input::Tick);
    assert_eq!(calls(&driven).len(), 2, "once");
    driven.minutes(10);
    assert_eq!(calls(&driven), ["anna chat", "anna mail"], "and by the times of the file from then on");
}

#[test]
fn paths_that_refuse_are_no_empty_rota_and_no_round_begins_before_its_time() {
    let mut driven = an_incident(Severity::Sev3);
    driven.policy.roles.remove("commander");
    for path in ["chat", "mail", "pager", "sms"] {
        driven.path(path, Path::Refuses);
    }
    driven.sends();
    let so_far = driven.told(|it| is_call(&it.about)).len();

    driven.hears(&Input::Tick);
    driven.later(299);
    driven.hears(&Input::Tick);

    assert_eq!(driven.told(|it| is_call(&it.about)).len(), so_far);
    driven.minutes(24 * 60);
    assert!(driven.told(|it| is_call(&it.about)).len() > 1000, "they are tried by the times of the file");
}

#[test]
fn when_every_path_of_a_step_refuses_the_next_step_begins_at_once_and_rounds_keep_their_time() {
    let mut driven = an_incident(Severity::Sev3);
    for path in ["chat", "mail", "pager", "sms"] {
        driven.path(path, Path::Refuses);
    }

    driven.sends();

    let told = driven.told(|it| is_call(&it.about));
    assert_eq!(told, ["anna chat", "anna mail", "anna pager", "anna sms", "chidi chat", "chidi mail"]);
    assert_eq!(
        driven.alarms(),
        [
            "No path to anna takes anything: all of them refuse.",
            "No path to chidi takes anything: all of them refuse."
        ]
    );
    driven.later(299);
    assert_eq!(driven.told(|it| is_call(&it.about)).len(), 6, "no round begins before its time");
    driven.later(1);
    assert!(driven.told(|it| is_call(&it.about)).len() > 6);
}

#[test]
fn a_page_that_is_still_being_tried_is_not_queued_again_by_the_next_round() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Busy(None));

    driven.minutes(60);

    let open = driven.incident.notices.iter().filter(|it| it.delivery.is_open());
    let open: Vec<_> = open.map(|it| (it.to.clone(), it.way.path.clone())).collect();
    let mut once = open.clone();
    once.sort();
    once.dedup();
    assert_eq!(open.len(), once.len(), "{open:?}");
    // But the person is called anew over the ways that work.
    assert!(driven.told(|it| is_call(&it.about)).iter().filter(|it| *it == "anna mail").count() > 3);
}

#[test]
fn of_the_alarms_of_many_rounds_only_the_last_waits_and_none_once_somebody_has_answered() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("siren", Path::Busy(None));
    let waiting = |driven: &Driven| {
        driven.told(|it| matches!(it.about, About::Alarm(_)) && it.delivery.is_open()).len()
    };

    driven.minutes(60);
    assert_eq!((driven.alarms().len(), waiting(&driven)), (6, 1));
    driven.acknowledges("anna");

    assert_eq!(waiting(&driven), 0);
}

#[test]
fn an_alarm_that_was_being_sent_when_somebody_answered_is_not_tried_again() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("siren", Path::Silent);
    driven.minutes(10);
    let alarm = |driven: &Driven| driven.incident.notices.iter().find(|it| it.to.is_none()).unwrap().clone();
    assert!(matches!(alarm(&driven).delivery, Delivery::Sending(_)));

    driven.acknowledges("anna");
    driven.minutes(1);

    assert!(matches!(alarm(&driven).delivery, Delivery::Dropped(_)));
}

#[test]
fn somebody_can_have_the_next_step_at_once() {
    let mut driven = an_incident(Severity::Sev3);
    driven.minutes(1);

    driven.says("ben", Says::Escalate);

    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"]);
}

#[test]
fn who_was_called_who_is_on_duty_and_who_takes_turns_answer_for_it_and_others_do_not() {
    for (who, met) in [("anna", true), ("ben", true), ("chidi", false), ("sue", false), ("zoe", false)] {
        let mut driven = an_incident(Severity::Sev3);

        driven.acknowledges(who);

        assert_eq!(driven.owes().is_empty(), met, "{who}");
        assert!(driven.incident.known_by.contains_key(&person(who)));
        let again = Says::Acknowledge { how: "link".to_owned() };
        assert!(
            matches!(driven.refuses(who, again), steadyhand::incident::Refusal::Already(since) if since == driven.now)
        );
    }
}

#[test]
fn who_is_called_in_a_later_step_answers_for_it_from_then_on_and_releases_no_run_before() {
    let tells = [tell("support", "before-start", "acknowledged", 30)];
    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let mut driven = Driven::open(&opened, &tells, TUESDAY, Some(usual()));
    let run = steadyhand::run::RunId(7);

    driven.acknowledges("chidi");
    assert_eq!(driven.owes(), ["acknowledged support"]);
    assert!(!driven.incident.runs[&run].released);
    driven.minutes(10);
    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"]);
    driven.acknowledges("chidi");

    assert_eq!(driven.owes(), [""; 0]);
    assert!(driven.incident.runs[&run].released);
}

#[test]
fn what_waits_to_be_sent_is_dropped_when_somebody_has_answered_and_a_pager_hears_of_it() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Busy(None));
    driven.minutes(1);
    assert_eq!(driven.told(|it| it.about == About::Acknowledged), [""; 0]);

    driven.acknowledges("anna");

    assert!(matches!(driven.notice(1).delivery, Delivery::Dropped(_)));
    assert_eq!(driven.told(|it| it.about == About::Acknowledged), ["anna pager"]);
}

#[test]
fn a_step_takes_those_who_are_on_duty_when_it_begins() {
    // The hand-over is on Monday at 9:00 in Berlin, three minutes after it began.
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], "2026-11-23T07:57:00Z", Some(usual()));
    assert_eq!(calls(&driven), ["anna chat", "anna mail"]);

    driven.minutes(10);

    assert_eq!(calls(&driven), ["ben chat", "ben mail"]);
}

#[test]
fn who_is_called_at_the_moment_when_something_is_late_is_not_told_of_it_besides() {
    let tells = [tell("support", "start", "acknowledged", 10)];
    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let mut driven = Driven::open(&opened, &tells, TUESDAY, Some(usual()));
    driven.says("chidi", Says::Take { part: Part::Commander, person: person("chidi") });

    driven.minutes(10);

    assert_eq!(driven.queued_now(|it| matches!(it, About::Call(1))), ["chidi chat", "chidi mail"]);
    assert_eq!(driven.queued_now(|it| matches!(it, About::Late(_))), [""; 0]);
}

#[test]
fn support_is_reminded_at_half_time_in_one_way_and_the_commander_hears_when_it_is_late() {
    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let tells = [tell("support", "start", "acknowledged", 10)];
    let mut driven = Driven::open(&opened, &tells, TUESDAY, Some(usual()));

    driven.minutes(5);
    assert_eq!(driven.queued_now(|it| matches!(it, About::Reminder(1))), ["sue chat"]);
    driven.minutes(4);
    assert_eq!(driven.told(|it| matches!(it.about, About::Reminder(_))), ["sue chat"], "once");
    driven.minutes(1);

    assert_eq!(driven.queued_now(|it| matches!(it, About::Late(1))), ["anna chat", "anna mail"]);
    assert_eq!(calls(&driven), ["chidi chat", "chidi mail"], "and the next step of Support");
    driven.minutes(60);
    assert_eq!(driven.told(|it| matches!(it.about, About::Late(1))).len(), 2, "once");
}

#[test]
fn what_is_late_is_called_for_until_it_is_done() {
    let mut driven = an_incident(Severity::Sev2);
    driven.acknowledges("anna");
    driven.says(
        "chidi",
        Says::Take { part: steadyhand::incident::model::Part::Commander, person: person("chidi") },
    );
    let published = driven.owed(Owed::Published).number;

    driven.minutes(10);

    assert_eq!(driven.told(|it| it.about == About::Reminder(published)), ["chidi chat"], "the commander");
    assert_eq!(driven.queued_now(|it| *it == About::Late(published)), ["anna chat", "anna mail"]);
    driven.minutes(5);
    assert_eq!(driven.queued_now(|it| *it == About::Late(published)), ["chidi chat", "chidi mail"]);
    driven.publishes("anna");
    let so_far = driven.told(|it| it.about == About::Late(published)).len();
    driven.minutes(30);
    assert_eq!(driven.told(|it| it.about == About::Late(published)).len(), so_far);
    assert_eq!(driven.incident.obligation(published).unwrap().end, Some(End::Met(Some(person("anna")))));
}

#[test]
fn those_who_said_that_they_know_are_asked_again_after_an_hour_of_silence() {
    let mut driven = an_incident(Severity::Sev2);
    for which in [Owed::Commander, Owed::Update, Owed::Published] {
        let obligation = driven.owed(which).number;
        driven.says("anna", Says::Waive { obligation, why: "not needed tonight".to_owned() });
    }
    driven.acknowledges("anna");

    driven.minutes(59);
    assert_eq!(driven.owes(), [""; 0]);
    driven.minutes(1);

    assert_eq!(driven.owes(), ["acknowledged on-call"]);
    assert_eq!(calls(&driven), ["anna chat", "anna mail"]);
    driven.acknowledges("anna");
    driven.says("anna", Says::Status { status: steadyhand::incident::model::Status::Monitoring });
    driven.minutes(300);
    assert_eq!(driven.owes(), [""; 0], "nobody is asked while it is being watched");
}

#[test]
fn a_drill_is_answered_by_those_who_take_part_alone() {
    let opened =
        steadyhand::incident::model::Opened { drill: Some(vec![person("tom")]), ..opened(Severity::Sev3) };
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));

    driven.acknowledges("anna");
    assert_eq!(driven.owes(), ["acknowledged on-call"]);
    driven.minutes(5);
    assert_eq!(calls(&driven), ["tom chat", "tom mail"]);
    driven.acknowledges("tom");

    assert_eq!(driven.owes(), [""; 0]);
}

#[test]
fn a_wait_of_nothing_does_not_flood_anybody() {
    let escalations =
        "escalations:\n  on-call: { steps: [{ tell: [on-call], wait: 0s }], last_resort: [siren] }\n";
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], TUESDAY, Some(with_escalations(escalations)));

    driven.minutes(1);

    let steps = driven.log.iter().filter(|it| matches!(it.event, Event::CallStep { .. })).count();
    assert_eq!(steps, 3, "at once, after 30 s, after 60 s");
}

#[test]
fn an_answer_of_an_attempt_that_is_long_over_changes_nothing() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Silent);
    driven.later(40);
    assert_eq!(driven.notice(1).attempts, 2);
    let before = driven.incident.clone();

    driven.hears(&Input::Sent { notice: 1, attempt: 1, answer: Answer::Never("no".to_owned()) });
    driven.hears(&Input::Sent { notice: 1, attempt: 1, answer: Answer::Accepted(None) });
    driven.hears(&Input::Sent { notice: 1, attempt: 3, answer: Answer::Accepted(None) });
    driven.hears(&Input::Sent { notice: 99, attempt: 1, answer: Answer::Accepted(None) });

    assert_eq!(driven.incident, before);
    driven.hears(&Input::Sent { notice: 1, attempt: 2, answer: Answer::Accepted(None) });
    assert!(matches!(driven.notice(1).delivery, Delivery::Accepted(_)));
}
