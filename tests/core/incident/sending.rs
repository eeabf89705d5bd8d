//! How notices leave: in order, again after a while, never twice at a time.

use steadyhand::incident::model::{About, Delivery, Notice, Owed, Severity};
use steadyhand::incident::next::heads;
use steadyhand::incident::{Input, Says, deadline, next};
use steadyhand::runbook::source::literal::Millis;

use super::driven::{Driven, Path, TUESDAY, an_incident, is_call, opened, over_slack, with_escalations};

/// The seconds after which a notice was tried.
fn tries(driven: &Driven, number: u32) -> Vec<i64> {
    use steadyhand::incident::Event;
    let sending = driven
        .log
        .iter()
        .filter(|it| matches!(it.event, Event::NoticeSending { notice, .. } if notice == number));
    sending.map(|it| it.at.duration_since(driven.incident.since).as_secs()).collect()
}

#[test]
fn what_is_not_taken_is_tried_again_later_and_later_and_then_every_quarter_of_an_hour() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Busy(None));

    driven.minutes(60);

    assert_eq!(tries(&driven, 1), [0, 5, 20, 80, 380, 1280, 2180, 3080]);
}

#[test]
fn a_path_that_wants_to_be_left_alone_is_but_for_a_quarter_of_an_hour_at_most() {
    for (pause, second) in [(2, 5), (30, 30), (7200, 900)] {
        let mut driven = an_incident(Severity::Sev3);
        driven.path("chat", Path::Busy(Some(Millis::seconds(pause))));

        driven.minutes(16);

        assert_eq!(tries(&driven, 1)[1], second, "{pause}");
    }
}

#[test]
fn what_was_in_the_middle_of_being_sent_is_sent_again_by_whoever_comes_after_a_crash() {
    let mut driven = an_incident(Severity::Sev3);
    driven.hears(&Input::Sends { notices: vec![1, 2] });
    assert_eq!(next(&driven.incident, driven.now), [0_u32; 0], "not twice at a time");
    driven.incident = super::driven::replayed(&driven.log);

    driven.later(20);

    assert!(driven.notice(1).may_repeat);
    assert!(matches!(driven.notice(1).delivery, Delivery::Waiting(_)));
    driven.later(5);
    assert!(matches!(driven.notice(1).delivery, Delivery::Accepted(_)));
    assert_eq!(tries(&driven, 1), [0, 25]);
}

#[test]
fn on_one_path_to_one_reader_nothing_overtakes() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Busy(None));
    driven.sends();
    driven.says("ben", Says::Update { text: "first".to_owned(), for_support: false });

    let update = u32::try_from(driven.incident.notices.len()).unwrap();
    assert_eq!(driven.told(|it| it.number == update), ["anna chat"]);
    assert!(!next(&driven.incident, driven.now).contains(&update), "the page is still to be sent there");
    driven.path("chat", Path::Takes);
    driven.later(6);

    let done = |number: u32| match driven.notice(number).delivery {
        Delivery::Accepted(at) => at,
        ref other => panic!("{other:?}"),
    };
    assert!(done(1) <= done(update));
}

#[test]
fn a_page_does_not_stand_behind_what_its_path_did_not_take() {
    let mut driven = an_incident(Severity::Sev2);
    driven.path("chat", Path::Busy(None));

    driven.minutes(40);

    let waits = |it: &&Notice| matches!(it.delivery, Delivery::Waiting(_)) && it.attempts > 3;
    let chat = |it: &&Notice| it.way.path.as_str() == "chat";
    let first = driven.incident.notices.iter().filter(chat).find(waits).unwrap();
    let late = |it: &&Notice| it.to == first.to && matches!(it.about, About::Late(_));
    let later = driven.incident.notices.iter().filter(chat).find(late).unwrap();
    assert!(later.number > first.number);
    let queued = later.queued.duration_since(driven.incident.since).as_secs();
    assert_eq!(tries(&driven, later.number)[0], queued);
}

#[test]
fn what_may_have_been_taken_is_not_said_twice_to_somebody_who_heard_it_over_another_way() {
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], TUESDAY, Some(over_slack()));
    driven.path("chat", Path::Silent);
    for path in ["mail", "pager", "sms"] {
        driven.path(path, Path::Busy(None));
    }
    driven.sends();

    driven.later(10);
    driven.path("mail", Path::Takes);
    driven.later(50);

    let Delivery::Dropped(why) = &driven.notice(1).delivery else { panic!("{:?}", driven.notice(1)) };
    assert_eq!(why, "It may have been taken, and was told over mail: it is not sent twice.");
    assert_eq!(tries(&driven, 1), [0]);
}

#[test]
fn what_may_have_been_taken_is_said_again_where_nothing_else_was() {
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], TUESDAY, Some(over_slack()));
    for path in ["chat", "mail", "pager", "sms"] {
        driven.path(path, Path::Silent);
    }
    driven.sends();

    driven.later(19);
    driven.path("chat", Path::Takes);
    driven.later(60);

    assert_eq!(tries(&driven, 1), [0, 50], "the other ways had their time first");
    assert!(matches!(driven.notice(1).delivery, Delivery::Accepted(_)));
}

#[test]
fn what_reaches_nobody_in_particular_is_said_again_though_another_way_took_it_too() {
    let mut notify = over_slack();
    notify.public.insert(0, notify.people["anna"].ways[0].clone());
    let mut driven = Driven::open(&opened(Severity::Sev1), &[], TUESDAY, Some(notify));
    driven.path("chat", Path::Silent);
    driven.publishes("chidi");
    driven.sends();
    driven.later(19);
    driven.path("chat", Path::Takes);

    driven.minutes(5);

    // Whoever reads the one page does not read the other.
    let is_public = |it: &Notice| it.about == About::Published(1);
    assert_eq!(driven.told(is_public), ["- chat", "- page"]);
    let mut public = driven.incident.notices.iter().filter(|it| is_public(it));
    assert!(public.all(|it| matches!(it.delivery, Delivery::Accepted(_))));
}

#[test]
fn newer_news_replace_older_ones_that_wait_and_never_a_page() {
    let mut driven = an_incident(Severity::Sev3);
    driven.path("chat", Path::Busy(None));
    driven.sends();

    driven.says("ben", Says::Update { text: "first".to_owned(), for_support: false });
    driven.says("ben", Says::Update { text: "second".to_owned(), for_support: false });

    let superseded = driven.told(|it| it.delivery == Delivery::Superseded);
    assert_eq!(superseded, ["anna chat"]);
    assert!(
        driven
            .incident
            .notices
            .iter()
            .filter(|it| is_call(&it.about))
            .all(|it| it.delivery != Delivery::Superseded)
    );
}

#[test]
fn only_what_may_be_sent_is_sent() {
    let mut driven = an_incident(Severity::Sev3);

    let decided = driven.hears(&Input::Sends { notices: vec![2, 2, 99, 0] });

    assert_eq!(decided.events.len(), 1, "{decided:?}");
    assert_eq!(driven.hears(&Input::Sends { notices: vec![2] }).events, []);
    assert_eq!(deadline(&driven.incident), Some(driven.now), "the other one is to be sent now");
}

#[test]
fn news_go_over_the_first_way_that_takes_news_and_over_the_next_such_way_where_one_refuses() {
    let text = "escalations:
  on-call: { steps: [{ tell: [on-call], wait: 5m }], last_resort: [siren] }
";
    let mut driven = an_incident(Severity::Sev2);
    let mut notify = with_escalations(text);
    let anna = notify.people.get_mut("anna").unwrap();
    anna.ways.swap(0, 2);
    driven.notify = Some(notify);
    driven.path("mail", Path::Refuses);

    driven.says("ben", Says::Update { text: "orders work again".to_owned(), for_support: false });
    driven.sends();

    assert_eq!(driven.told(|it| it.about == About::Update(1)), ["anna mail", "anna chat"]);
    driven.minutes(5);
    let published = driven.owed(Owed::Published).number;
    assert_eq!(driven.told(|it| it.about == About::Reminder(published)), ["anna mail", "anna chat"]);
}

#[test]
fn news_that_a_path_refuses_go_elsewhere_also_where_it_became_the_last_way_meanwhile() {
    let mut driven = an_incident(Severity::Sev3);
    driven.says("ben", Says::Update { text: "orders work again".to_owned(), for_support: false });
    assert_eq!(driven.told(|it| it.about == About::Update(1)), ["anna chat"]);
    // It is known by now that the chat fails: everybody is told over it at last.
    let chat = steadyhand::runbook::source::name::PathName::new("chat").unwrap();
    driven.notify = driven.notify.take().map(|notify| notify.avoiding(&[chat].into()));
    driven.path("chat", Path::Refuses);
    driven.path("sms", Path::Refuses);

    driven.sends();

    assert_eq!(driven.told(|it| it.about == About::Update(1)), ["anna chat", "anna mail"]);
    driven.path("mail", Path::Refuses);
    driven.says("ben", Says::Update { text: "and invoices too".to_owned(), for_support: false });
    driven.sends();
    assert_eq!(
        driven.told(|it| it.about == About::Update(2)),
        ["anna mail", "anna sms", "anna chat"],
        "each way refuses once"
    );
}

/// What the order of notices means, said for each pair of them.
fn waits_for(later: &Notice, earlier: &Notice, is_head: bool) -> bool {
    let ends = |it: &Notice| matches!(it.about, About::Acknowledged | About::Resolved);
    let rings = matches!(later.about, About::Call(_) | About::Late(_) | About::Alarm(_));
    let is_tried_again = earlier.attempts > 0 && matches!(earlier.delivery, Delivery::Waiting(_));
    let passes = rings && (!is_head || is_tried_again);
    later.way == earlier.way && (ends(later) || ends(earlier) || (later.to == earlier.to && !passes))
}

#[test]
fn whoever_waits_for_whom_is_found_out_for_thousands_of_notices() {
    let mut driven = an_incident(Severity::Sev3);
    let model = driven.notice(1).clone();
    let mut dice: u32 = 31;
    let mut roll = |sides: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 16) % sides
    };
    for number in 3..=602 {
        let mut notice = Notice { number, ..model.clone() };
        notice.way.address = format!("place {}", roll(40));
        notice.to =
            ["anna", "ben", ""].map(steadyhand::runbook::source::name::Person::new)[roll(3) as usize].clone();
        notice.about = match roll(9) {
            0 => About::Resolved,
            1..=4 => About::Call(1),
            _ => About::Update(number),
        };
        notice.attempts = roll(2);
        if notice.attempts > 0 && roll(3) == 0 {
            notice.delivery = Delivery::Sending(driven.now);
        }
        driven.incident.notices.push(notice);
    }
    let mut expected: Vec<u32> = Vec::new();
    for (place, later) in driven.incident.notices.iter().enumerate() {
        let mut earlier = driven.incident.notices.iter().take(place);
        if !earlier.any(|earlier| waits_for(later, earlier, expected.contains(&earlier.number))) {
            expected.push(later.number);
        }
    }
    assert!(expected.len() > 50 && expected.len() < 200, "{}", expected.len());

    let heads: Vec<u32> = heads(&driven.incident).map(|notice| notice.number).collect();
    assert_eq!(heads, expected);

    // Each at a place of its own, so that nothing waits for anything.
    driven.incident.notices = (1..=10_000)
        .map(|number| {
            let mut notice = Notice { number, ..model.clone() };
            notice.way.address = format!("place {number}");
            notice
        })
        .collect();
    assert_eq!(next(&driven.incident, driven.now).len(), 10_000);
}
