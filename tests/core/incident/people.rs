//! What people say, and how they are told no.

use steadyhand::incident::model::{
    About, Audience, Delivery, Owed, Part, Published, Severity, Status, Trouble,
};
use steadyhand::incident::{Refusal, Says};

use super::driven::{
    Driven, TUESDAY, an_incident, by_run, is_call, opened, person, tell, usual, with_escalations,
};

fn update(text: &str, for_support: bool) -> Says {
    Says::Update { text: text.to_owned(), for_support }
}

fn with_support() -> Driven {
    let tells = [tell("support", "start", "acknowledged", 30)];
    Driven::open(&opened(Severity::Sev2), &tells, TUESDAY, Some(usual()))
}

#[test]
fn news_for_operators_reach_operators_alone_and_news_for_support_both() {
    let mut driven = with_support();

    driven.says("chidi", update("pg1 is frozen, pg2 takes over", false));
    assert_eq!(driven.told(|it| it.about == About::Update(1)), ["anna chat"]);
    driven.says("chidi", update("orders work again", true));

    let told = |audience| driven.told(|it| it.about == About::Update(2) && it.audience == audience);
    assert_eq!(told(Audience::Operator), ["anna chat"]);
    assert_eq!(told(Audience::Support), ["sue chat"]);
}

#[test]
fn each_news_for_others_renew_what_is_owed_and_news_for_operators_do_not() {
    let mut driven = an_incident(Severity::Sev1);
    let first = driven.owed(Owed::Update).number;
    driven.minutes(4);

    driven.says("anna", update("still looking", false));
    assert_eq!(driven.owed(Owed::Update).number, first);
    driven.says("anna", update("orders fail for some", true));

    let second = driven.owed(Owed::Update);
    assert_ne!(second.number, first);
    assert_eq!(second.due.duration_since(driven.now).as_mins(), 30);
    driven.publishes("anna");
    assert_eq!(
        driven.incident.obligations.iter().filter(|it| it.owed == Owed::Update && it.is_open()).count(),
        1
    );
}

#[test]
fn exactly_the_draft_is_published_once() {
    let mut driven = an_incident(Severity::Sev1);
    driven.says("anna", Says::Draft { text: "Orders fail since 08:00.".to_owned() });

    driven.publishes("anna");

    let Published { by, text, .. } = driven.incident.published.last().unwrap();
    assert_eq!((by, text.as_str()), (&person("anna"), "Orders fail since 08:00."));
    let page = driven.incident.notices.iter().find(|it| it.way.path.as_str() == "page").unwrap();
    assert_eq!((page.audience, &page.to, &page.about), (Audience::Public, &None, &About::Published(1)));
    assert_eq!(driven.refuses("anna", Says::Publish { digest: None }), Refusal::NoDraft);
}

#[test]
fn nothing_is_published_that_was_not_read_and_nothing_twice() {
    let mut driven = an_incident(Severity::Sev1);
    let draft = |text: &str| Says::Draft { text: text.to_owned() };
    let publish = |digest: &str| Says::Publish { digest: Some(digest.to_owned()) };
    driven.says("anna", draft("Orders fail since 08:00."));
    let read = driven.digest().unwrap();

    let unread = driven.refuses("anna", Says::Publish { digest: None });
    assert!(
        matches!(&unread, Refusal::DraftUnread { text, digest } if text == "Orders fail since 08:00." && digest.short() == read)
    );
    driven.says("ben", draft("Orders fail, and nobody knows why."));
    let changed = driven.refuses("anna", publish(&read));
    assert_eq!(changed.code(), "draft-changed");
    assert!(
        matches!(&changed, Refusal::DraftChanged { text, .. } if text == "Orders fail, and nobody knows why.")
    );
    for near in ["", "0", &driven.digest().unwrap()[..7]] {
        assert_eq!(driven.refuses("anna", publish(near)).code(), "draft-changed", "{near}");
    }
    assert_eq!(driven.incident.published, []);

    let now = driven.digest().unwrap();
    driven.says("anna", publish(&now));
    assert_eq!(driven.refuses("ben", publish(&now)), Refusal::NoDraft, "two press at once");
    driven.says("ben", draft("Orders fail, and nobody knows why."));
    let again = driven.refuses("ben", publish(&now));
    assert_eq!(again.code(), "draft-changed", "the same words are a draft of their own");

    let texts: Vec<&str> = driven.incident.published.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["Orders fail, and nobody knows why."]);
}

#[test]
fn who_is_made_something_by_another_hears_of_it_once_and_nothing_rings() {
    let mut driven = an_incident(Severity::Sev2);
    let take = |part, who: &str| Says::Take { part, person: person(who) };
    let made = |driven: &Driven| driven.told(|it| matches!(it.about, About::Made { .. }));

    driven.says("anna", take(Part::Commander, "anna"));
    assert_eq!(made(&driven), [""; 0], "they did it themselves");
    driven.says("anna", take(Part::Commander, "chidi"));
    assert_eq!(made(&driven), ["chidi chat"]);
    driven.says("chidi", take(Part::SupportLiaison, "sue"));
    driven.says("chidi", take(Part::Communications, "zoe"));

    assert_eq!(made(&driven), ["chidi chat", "sue chat"], "nothing leads to zoe");
    let of_sue = driven.incident.notices.iter().rev().find(|it| it.to == Some(person("sue"))).unwrap();
    let by = person("chidi");
    assert_eq!(of_sue.about, About::Made { part: Part::SupportLiaison, by });
    assert_eq!(of_sue.audience, Audience::Support);
}

#[test]
fn what_somebody_was_made_goes_over_their_next_way_if_the_first_refuses_and_only_while_they_are_that() {
    let made = |driven: &Driven| driven.told(|it| matches!(it.about, About::Made { .. }));
    let take = |who: &str| Says::Take { part: Part::Commander, person: person(who) };
    for (stays, ways) in [(true, &["ben chat", "ben mail"][..]), (false, &["ben chat"][..])] {
        let mut driven = an_incident(Severity::Sev2);
        driven.sends();
        driven.says("anna", take("ben"));
        driven.path("chat", super::driven::Path::Refuses);
        if !stays {
            driven.says("ben", take("chidi"));
        }

        driven.sends();

        let of_ben: Vec<String> = made(&driven).into_iter().filter(|it| it.starts_with("ben")).collect();
        assert_eq!(of_ben, ways, "{stays}");
    }
}

#[test]
fn in_a_drill_nobody_hears_that_they_were_made_something_who_takes_no_part() {
    let opened =
        steadyhand::incident::model::Opened { drill: Some(vec![person("tom")]), ..opened(Severity::Sev2) };
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));

    driven.says("tom", Says::Take { part: Part::Communications, person: person("ben") });

    assert_eq!(driven.told(|it| matches!(it.about, About::Made { .. })), [""; 0]);
}

#[test]
fn who_takes_command_has_it_until_they_hand_it_over() {
    let mut driven = an_incident(Severity::Sev1);
    let take = |who: &str| Says::Take { part: Part::Commander, person: person(who) };

    driven.says("anna", take("anna"));
    assert!(!driven.owes().contains(&"commander commander".to_owned()));
    assert_eq!(driven.refuses("ben", take("ben")), Refusal::Taken(Part::Commander, person("anna")));
    assert_eq!(driven.refuses("anna", take("anna")), Refusal::Taken(Part::Commander, person("anna")));
    driven.says("anna", take("ben"));
    // The policy makes chidi commander: who has gone to sleep does not keep it.
    driven.says("chidi", take("chidi"));

    assert_eq!(driven.incident.parts[&Part::Commander], person("chidi"));
}

#[test]
fn a_person_makes_it_worse_and_harmless_again() {
    let mut driven = an_incident(Severity::Sev3);
    driven.acknowledges("anna");
    let severity = |severity| Says::Severity { severity, why: "many customers call".to_owned() };

    driven.says("anna", severity(Severity::Sev1));
    assert_eq!(
        driven.owes(),
        [
            "acknowledged on-call",
            "commander commander",
            "update on-call",
            "published on-call",
            "acknowledged support"
        ],
        "the on-call knew of something small"
    );
    assert_eq!(driven.queued_now(is_call).last().unwrap(), "sue mail");
    driven.acknowledges("anna");
    driven.acknowledges("sue");
    driven.says("anna", severity(Severity::Sev3));
    assert_eq!(driven.owes(), [""; 0]);
    driven.says("anna", severity(Severity::Sev2));

    assert_eq!(driven.owes().len(), 5);
    let short = Says::Severity { severity: Severity::Sev3, why: "so".to_owned() };
    assert_eq!(driven.refuses("anna", short), Refusal::TooShort(10));
    assert_eq!(driven.refuses("anna", update(&"x".repeat(4001), true)), Refusal::TooLong(4000));
}

#[test]
fn what_is_not_owed_cannot_be_waived() {
    let mut driven = an_incident(Severity::Sev3);
    let waive = |obligation| Says::Waive { obligation, why: "anna sits beside me".to_owned() };

    assert_eq!(driven.refuses("ben", waive(2)), Refusal::NotOwed(vec![1]));
    let short = Says::Waive { obligation: 1, why: "no".to_owned() };
    assert_eq!(driven.refuses("ben", short), Refusal::TooShort(10));
    driven.says("ben", waive(1));
    assert_eq!(driven.refuses("ben", waive(1)), Refusal::NotOwed(Vec::new()));
    assert!(driven.incident.notices.iter().all(|it| matches!(it.delivery, Delivery::Dropped(_))));
    assert_eq!(driven.refuses("ben", Says::Escalate), Refusal::NotOwed(Vec::new()));
}

#[test]
fn it_is_not_over_while_a_run_of_it_goes_on_and_nothing_is_said_of_what_is_closed() {
    let opened = by_run(7, Severity::Sev3, Trouble::Stopped);
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    let run = steadyhand::run::RunId(7);
    assert_eq!(driven.refuses("anna", Says::Resolve), Refusal::RunGoesOn(run));
    assert_eq!(driven.refuses("anna", Says::Close), Refusal::NotNow(Status::Investigating));
    assert_eq!(
        driven.refuses("anna", Says::Status { status: Status::Investigating }),
        Refusal::NotNow(Status::Investigating)
    );

    let outcome = steadyhand::run::model::Outcome::Stopped;
    driven.hears(&steadyhand::incident::Input::RunEnded { run, outcome, tell: Vec::new() });
    driven.sends();
    driven.says("anna", Says::Resolve);
    driven.sends();

    assert_eq!(driven.incident.status, Status::Closed);
    assert_eq!(driven.refuses("anna", update("one more word", true)), Refusal::Closed);
    assert!(!driven.told(|it| is_call(&it.about)).is_empty());
}

#[test]
fn who_is_of_support_alone_reads_what_is_for_support_whoever_escalates_to_them() {
    let escalations = "escalations:
  on-call: { steps: [{ tell: [on-call], wait: 5m }, { tell: [support], wait: 5m }], last_resort: [siren] }
  support: { steps: [{ tell: [support], wait: 5m }, { tell: [commander], wait: 5m }], last_resort: [siren] }
";
    let tells = [tell("support", "start", "acknowledged", 30)];
    let notify = Some(with_escalations(escalations));
    let mut driven = Driven::open(&opened(Severity::Sev3), &tells, TUESDAY, notify);

    driven.minutes(20);
    driven.says("ben", update("orders work again", true));

    for notice in driven.incident.notices.iter().filter(|it| it.to.is_some()) {
        let of_support = notice.to == Some(person("sue"));
        let reads = if of_support { Audience::Support } else { Audience::Operator };
        assert_eq!(notice.audience, reads, "{notice:?}");
    }
    let to =
        |who, number| driven.told(|it| it.to == Some(person(who)) && it.about == About::Call(number)).len();
    assert!(to("sue", 2) > 0 && to("chidi", 1) > 0, "each was called for the other role");
}
