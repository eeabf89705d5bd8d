//! Customers who were told of it hear that it is over, or it is not over.

use steadyhand::incident::input::Refusal;
use steadyhand::incident::model::{About, End, Owed, Part, Severity, Status, Trouble};
use steadyhand::incident::{Input, Says};
use steadyhand::run::RunId;
use steadyhand::run::model::Outcome;

use super::driven::{Driven, TUESDAY, an_incident, by_run, person, usual};

const OVER: &str = "Orders: it works again. We keep watching it.";
const GOES_ON: &str = "Orders: we are looking into a problem. More news will follow here.";

fn is(status: Status) -> Says {
    Says::Status { status }
}

/// Customers have read of it, and nobody is called any more.
fn published(severity: Severity) -> Driven {
    let mut driven = an_incident(severity);
    driven.acknowledges("anna");
    driven.says("anna", Says::Take { part: Part::Commander, person: person("anna") });
    if severity > Severity::Sev2 {
        driven.says("anna", Says::Draft { text: GOES_ON.to_owned() });
    }
    driven.publishes("anna");
    driven
}

fn all_clear(driven: &Driven) -> Option<u32> {
    driven
        .incident
        .obligations
        .iter()
        .find(|it| it.is_open() && it.owed == Owed::AllClear)
        .map(|it| it.number)
}

#[test]
fn what_customers_were_told_of_is_not_over_before_they_are_told_so() {
    for severity in [Severity::Sev1, Severity::Sev3] {
        let mut driven = published(severity);
        let wait = driven.refuses("anna", Says::Resolve);
        assert_eq!(wait, Refusal::CustomersWait { read: GOES_ON.to_owned(), draft: None, owed: None });
        driven.says("anna", Says::Draft { text: "We know the cause by now.".to_owned() });
        driven.publishes("anna");
        driven.says("anna", is(Status::Identified));
        assert_eq!(driven.refuses("anna", is(Status::Resolved)).code(), "customers-wait");
        assert_eq!(all_clear(&driven), None, "it goes on");

        driven.says("anna", is(Status::Monitoring));

        let owed = all_clear(&driven);
        let Refusal::CustomersWait { read, draft: Some((draft, digest)), owed: said } =
            driven.refuses("anna", Says::Resolve)
        else {
            panic!("{:?}", driven.incident)
        };
        assert_eq!((read.as_str(), draft.as_str()), ("We know the cause by now.", OVER));
        assert_eq!((said, Some(digest.short().to_owned())), (owed, driven.digest()));
        assert!(owed.is_some());
        driven.publishes("anna");
        assert_eq!(
            driven.incident.obligation(owed.unwrap()).unwrap().end,
            Some(End::Met(Some(person("anna"))))
        );
        driven.says("anna", Says::Resolve);
        assert!(driven.incident.status >= Status::Resolved);
    }
}

#[test]
fn whoever_says_that_customers_know_it_otherwise_gives_their_name_and_a_reason() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));

    let why = "Each customer was rung by Sales.".to_owned();
    driven.says("anna", Says::Waive { obligation: all_clear(&driven).unwrap(), why });
    driven.minutes(1);

    assert_eq!(all_clear(&driven), None, "not owed anew");
    driven.says("anna", Says::Resolve);
    assert_eq!(driven.incident.status, Status::Resolved);
}

#[test]
fn of_what_customers_never_read_they_need_no_all_clear() {
    let mut driven = an_incident(Severity::Sev1);
    driven.says("anna", is(Status::Monitoring));
    assert_eq!(all_clear(&driven), None);
    driven.says("anna", Says::Resolve);
    assert_eq!(driven.incident.status, Status::Resolved);
}

#[test]
fn what_a_person_has_drafted_stays_and_what_stood_ready_before_is_the_all_clear_now() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", Says::Draft { text: "Orders can be placed since 09:12.".to_owned() });
    driven.says("anna", is(Status::Monitoring));
    assert_eq!(driven.incident.draft.as_deref(), Some("Orders can be placed since 09:12."));

    let mut driven = published(Severity::Sev2);
    driven.says("anna", Says::Severity { severity: Severity::Sev1, why: "Nobody can order.".to_owned() });
    assert_eq!(driven.incident.draft.as_deref(), Some(GOES_ON), "worse, so they are told again");
    driven.says("anna", is(Status::Monitoring));
    assert_eq!(driven.incident.draft.as_deref(), Some(OVER));
    assert_eq!(all_clear(&driven), None, "the word to customers is owed already, and this is it");
    assert_eq!(driven.refuses("anna", Says::Resolve).code(), "customers-wait");
    driven.publishes("anna");
    driven.says("anna", Says::Resolve);
}

#[test]
fn customers_who_believe_that_it_is_over_hear_that_it_is_not() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    let first = all_clear(&driven).unwrap();
    driven.says("anna", is(Status::Investigating));
    assert_eq!(driven.incident.obligation(first).unwrap().end, Some(End::Void), "it goes on, as they know");
    assert!(!driven.owes().iter().any(|it| it.starts_with("published")), "{:?}", driven.owes());

    driven.says("anna", is(Status::Monitoring));
    driven.publishes("anna");
    driven.says("anna", is(Status::Identified));
    assert_eq!(driven.incident.draft.as_deref(), Some(GOES_ON));
    assert!(driven.owes().contains(&"published on-call".to_owned()), "{:?}", driven.owes());

    // A run that fails says the same.
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    driven.publishes("anna");
    let trouble = Trouble::Failed("step 4 on pg4".to_owned());
    driven.hears(&Input::Run { run: RunId(8), trouble, severity: Severity::Sev2, tell: Vec::new() });
    assert_eq!(driven.incident.status, Status::Investigating);
    assert!(driven.owes().contains(&"published on-call".to_owned()), "{:?}", driven.owes());
}

#[test]
fn who_owes_the_all_clear_is_reminded_and_when_it_is_late_somebody_is_called() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    let number = all_clear(&driven).unwrap();

    driven.minutes(5);
    assert!(driven.incident.obligation(number).unwrap().reminded);
    driven.minutes(5);

    let owed = driven.incident.obligation(number).unwrap();
    assert!(owed.late.is_some() && owed.call.is_some(), "{owed:?}");
    assert_eq!(driven.queued_now(|it| *it == About::Late(number)), ["anna chat", "anna mail"]);
}

#[test]
fn planned_work_of_which_customers_read_is_over_when_they_read_that() {
    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    driven.says("anna", Says::Draft { text: "Orders may be slow for a minute.".to_owned() });
    driven.publishes("anna");

    driven.hears(&Input::RunEnded { run: RunId(7), outcome: Outcome::Succeeded, tell: Vec::new() });

    assert_eq!((driven.incident.status, all_clear(&driven).is_some()), (Status::Monitoring, true));
    assert_eq!(driven.incident.draft.as_deref(), Some("Orders: the planned work is done."));
    driven.publishes("anna");
    assert!(driven.incident.status >= Status::Resolved);
}
