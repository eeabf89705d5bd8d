//! What is owed from the first moment on, and who is called.

use jiff::SignedDuration;
use steadyhand::incident::model::{Audience, News, Owed, Severity, Trouble};
use steadyhand::incident::{Event, Says};
use steadyhand::run::RunId;
use steadyhand::runbook::source::literal::Millis;

use super::driven::{Driven, TUESDAY, an_incident, at, by_run, is_call, opened, person, role, tell, usual};

#[test]
fn the_worst_owes_everything_and_the_on_call_is_called_over_two_ways_that_share_nothing() {
    let driven = an_incident(Severity::Sev1);

    assert!(matches!(driven.log[0].event, Event::IncidentOpened(_)));
    assert_eq!(
        driven.owes(),
        ["acknowledged on-call", "commander commander", "update on-call", "published on-call"]
    );
    let within = |owed| driven.owed(owed).due.duration_since(at(TUESDAY));
    assert_eq!(within(Owed::Acknowledged), SignedDuration::from_mins(5));
    assert_eq!(within(Owed::Commander), SignedDuration::from_mins(5));
    assert_eq!(within(Owed::Update), SignedDuration::from_mins(30));
    assert_eq!(within(Owed::Published), SignedDuration::from_mins(10));
    assert_eq!(driven.told(|_| true), ["anna chat", "anna mail"]);
    assert_eq!(
        driven.incident.draft.as_ref().map(|draft| draft.text.as_str()),
        Some("Orders: we are looking into a problem. More news will follow here.")
    );
}

#[test]
fn news_are_owed_every_hour_for_sev2_and_as_often_as_the_runbook_says_if_that_is_more_often() {
    assert_eq!(
        an_incident(Severity::Sev2).owed(Owed::Update).due.duration_since(at(TUESDAY)),
        SignedDuration::from_mins(60)
    );

    let news = News { every: Millis::minutes(20), say: "Orders may be slow.".to_owned() };
    let opened = steadyhand::incident::model::Opened { news: Some(news), ..opened(Severity::Sev2) };
    let driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));

    assert_eq!(driven.owed(Owed::Update).due.duration_since(at(TUESDAY)), SignedDuration::from_mins(20));
    assert_eq!(driven.incident.draft.as_ref().map(|draft| draft.text.as_str()), Some("Orders may be slow."));
}

#[test]
fn sev3_owes_that_somebody_knows_and_planned_work_owes_what_its_runbook_tells() {
    assert_eq!(an_incident(Severity::Sev3).owes(), ["acknowledged on-call"]);

    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let driven =
        Driven::open(&opened, &[tell("support", "start", "acknowledged", 30)], TUESDAY, Some(usual()));

    assert_eq!(driven.owes(), ["acknowledged support"]);
    assert_eq!(driven.told(|it| it.audience == Audience::Support), ["sue chat", "sue mail"]);
    assert_eq!(driven.told(|it| it.audience == Audience::Operator), [""; 0]);
}

#[test]
fn what_a_plan_tells_is_owed_once_and_not_again_because_of_the_severity() {
    let tells = [
        tell("on-call", "start", "acknowledged", 3),
        tell("status-page", "start", "published", 15),
        tell("support", "start", "acknowledged", 10),
    ];
    let driven = Driven::open(&opened(Severity::Sev1), &tells, TUESDAY, Some(usual()));

    assert_eq!(
        driven.owes(),
        [
            "acknowledged on-call",
            "published on-call",
            "acknowledged support",
            "commander commander",
            "update on-call"
        ]
    );
    let on_call = driven.incident.obligation(1).unwrap();
    assert_eq!(on_call.due.duration_since(at(TUESDAY)), SignedDuration::from_mins(3));
}

#[test]
fn what_is_owed_until_it_is_delivered_ends_when_the_first_path_takes_it() {
    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let tells = [tell("support", "start", "delivered", 10)];
    let mut driven = Driven::open(&opened, &tells, TUESDAY, Some(usual()));
    assert_eq!(driven.owes(), ["delivered support"]);

    driven.path("chat", super::driven::Path::Busy(None));
    driven.sends();

    assert_eq!(driven.owes(), [""; 0]);
    assert!(driven.owed(Owed::Delivered).call.is_none());
    let minutes = driven.incident.notices.len();
    driven.minutes(60);
    assert_eq!(driven.incident.notices.len(), minutes, "nobody is called any more");
}

#[test]
fn a_drill_tells_those_who_take_part_and_nothing_goes_to_the_public() {
    let opened = steadyhand::incident::model::Opened {
        drill: Some(vec![person("tom")]),
        ..by_run(7, Severity::Sev1, Trouble::Starts)
    };
    let tells =
        [tell("support", "start", "acknowledged", 10), tell("status-page", "before-start", "published", 10)];
    let mut driven = Driven::open(&opened, &tells, TUESDAY, Some(usual()));

    assert_eq!(
        driven.owes(),
        ["acknowledged support", "acknowledged on-call", "commander commander", "update on-call"]
    );
    assert_eq!(driven.told(|it| is_call(&it.about)), ["tom chat", "tom mail", "tom chat", "tom mail"]);
    assert_eq!(driven.incident.draft, None);
    // What would have held the run back is not owed: the run need not wait for it.
    assert!(driven.incident.runs[&RunId(7)].released);

    driven.minutes(120);

    assert_eq!(driven.alarms(), [""; 0]);
    driven.says("tom", Says::Draft { text: "Orders are slow.".to_owned() });
    assert_eq!(driven.refuses("tom", Says::Publish { digest: None }), steadyhand::incident::Refusal::Drill);
    driven.refuses("tom", Says::Waive { obligation: 99, why: "a long enough reason".to_owned() });
    driven.acknowledges("tom");
    assert!(driven.incident.owed().iter().all(|it| it.owed != Owed::Acknowledged));
}

#[test]
fn without_a_notify_file_it_is_owed_nevertheless_and_nothing_spins() {
    let mut driven = Driven::open(&opened(Severity::Sev1), &[], TUESDAY, None);
    assert_eq!(driven.incident.notices, []);

    driven.minutes(60);

    assert_eq!(driven.incident.notices, []);
    assert!(driven.owes().contains(&"acknowledged on-call".to_owned()));
    let steps = driven.log.iter().filter(|it| matches!(it.event, Event::CallStep { .. })).count();
    assert!((12..200).contains(&steps), "{steps}");
    // A role that nothing is known of is no reason to fall silent or to spin.
    let opened = steadyhand::incident::model::Opened { owner: role("nowhere"), ..opened(Severity::Sev1) };
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    driven.minutes(60);
    assert!(driven.owes().contains(&"acknowledged nowhere".to_owned()));
}
