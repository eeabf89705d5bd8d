//! The end: who hears of it, what is owed afterwards, and when it begins again.

use steadyhand::incident::model::{About, Delivery, End, Owed, Severity, Status};
use steadyhand::incident::{Says, deadline};

use super::driven::{Driven, Path, TUESDAY, an_incident, is_call, opened, tell, usual};

#[test]
fn everybody_who_was_called_hears_once_that_it_is_over_over_the_same_way() {
    let mut driven = an_incident(Severity::Sev2);
    driven.path("mail", Path::Busy(None));
    driven.minutes(6);
    driven.acknowledges("chidi");

    driven.says("chidi", Says::Resolve);
    driven.minutes(30);

    let mut over = driven.told(|it| it.about == About::Resolved);
    over.sort();
    let mut called = driven.told(|it| {
        matches!(it.about, About::Call(_) | About::Late(_) | About::Alarm(_))
            && matches!(it.delivery, Delivery::Accepted(_))
    });
    called.sort();
    called.dedup();
    assert_eq!(over, called);
    assert!(!over.is_empty() && !over.contains(&"anna mail".to_owned()), "{over:?}");
    assert_eq!(driven.owes(), ["postmortem on-call"]);
    assert_eq!(driven.incident.status, Status::Resolved);
}

#[test]
fn a_postmortem_that_is_late_is_said_once_a_day_in_one_way_and_nobody_is_called() {
    let mut driven = an_incident(Severity::Sev1);
    driven.acknowledges("anna");
    driven.says("anna", Says::Resolve);
    let postmortem = driven.owed(Owed::Postmortem).number;
    driven.minutes(1);
    let before = driven.incident.notices.len();

    driven.minutes(5 * 24 * 60 - 2);
    let reminded = driven.told(|it| it.about == About::Reminder(postmortem));
    assert_eq!(reminded, ["anna chat"], "at half of the time");
    driven.minutes(3 * 24 * 60);

    // From Monday on ben is on call.
    let late = driven.told(|it| it.about == About::Late(postmortem));
    assert_eq!(late, ["anna chat", "ben chat", "ben chat"]);
    assert_eq!(driven.incident.notices.len(), before + 1 + 3);
    assert_eq!(driven.alarms(), [""; 0]);

    driven.says("anna", Says::Close);

    assert_eq!(driven.incident.status, Status::Closed);
    assert_eq!(deadline(&driven.incident), None);
    assert!(matches!(driven.owed(Owed::Postmortem).end, Some(End::Met(Some(_)))));
}

#[test]
fn it_begins_again_and_all_is_owed_again() {
    let mut driven = an_incident(Severity::Sev1);
    driven.acknowledges("anna");
    driven.publishes("anna");
    driven.says("anna", Says::Status { status: Status::Monitoring });
    driven.publishes("anna");
    driven.says("anna", Says::Resolve);
    driven.minutes(1);

    driven.says("ben", Says::Status { status: Status::Investigating });

    assert_eq!(
        driven.owes(),
        ["acknowledged on-call", "commander commander", "update on-call", "published on-call"]
    );
    assert!(driven.queued_now(is_call).contains(&"anna chat".to_owned()));
    driven.acknowledges("anna");
    driven.says("anna", Says::Resolve);
    assert_eq!(driven.owes(), ["postmortem on-call"]);
}

#[test]
fn support_that_has_not_answered_is_called_after_the_end_too_and_then_it_closes() {
    let tells = [tell("support", "start", "acknowledged", 30)];
    let mut driven = Driven::open(&opened(Severity::Sev3), &tells, TUESDAY, Some(usual()));
    driven.minutes(1);
    driven.says("anna", Says::Resolve);
    driven.minutes(1);

    assert_eq!(driven.owes(), ["acknowledged support"], "who says that it is over knows of it");
    assert_eq!(driven.incident.status, Status::Resolved);
    let over = |driven: &Driven| driven.told(|it| it.about == About::Resolved).len();
    assert_eq!(over(&driven), 4);
    driven.minutes(20);
    assert!(driven.told(|it| is_call(&it.about)).contains(&"chidi chat".to_owned()));
    assert_eq!(over(&driven), 4, "nobody is called and told at once that it is over");
    driven.acknowledges("sue");
    driven.minutes(1);
    assert!(over(&driven) > 4);

    assert_eq!(driven.incident.status, Status::Closed);
    assert_eq!(deadline(&driven.incident), None);
}

#[test]
fn what_waits_when_it_is_closed_is_dropped_with_a_reason_and_what_is_on_its_way_still_ends() {
    let mut driven = an_incident(Severity::Sev1);
    driven.minutes(1);
    driven.says("anna", Says::Resolve);
    driven.path("chat", Path::Busy(None));
    driven.path("mail", Path::Silent);
    driven.sends();

    driven.says("anna", Says::Close);
    assert_eq!(driven.incident.status, Status::Closed);
    assert!(driven.incident.notices.iter().any(|it| matches!(it.delivery, Delivery::Sending(_))));
    driven.minutes(5);

    assert!(driven.incident.notices.iter().all(|it| !it.delivery.is_open()));
    assert!(driven.incident.notices.iter().any(|it| matches!(it.delivery, Delivery::Dropped(_))));
    assert_eq!(deadline(&driven.incident), None);
}

#[test]
fn a_drill_that_is_over_owes_no_postmortem() {
    let opened = steadyhand::incident::model::Opened {
        drill: Some(vec![super::driven::person("tom")]),
        ..opened(Severity::Sev1)
    };
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    driven.sends();

    driven.says("tom", Says::Resolve);
    driven.minutes(1);

    assert_eq!(driven.incident.status, Status::Closed);
}
