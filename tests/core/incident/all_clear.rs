//! Customers who were told of it hear that it is over, or it is not over.

use steadyhand::incident::input::Refusal;
use steadyhand::incident::model::{About, End, Owed, Part, Severity, Status, Trouble};
use steadyhand::incident::{Input, Says, deadline};
use steadyhand::run::RunId;
use steadyhand::run::model::Outcome;

use super::driven::{Driven, TUESDAY, an_incident, by_run, person, replayed, tell, usual};
use super::reports::alert;

const OVER: &str = "Orders: there was a problem. It works again, and we keep watching it.";
const GOES_ON: &str = "Orders: we are looking into a problem. More news will follow here.";

fn is(status: Status) -> Says {
    Says::Status { status }
}

fn draft(text: &str) -> Says {
    Says::Draft { text: text.to_owned() }
}

fn worse(severity: Severity) -> Says {
    Says::Severity { severity, why: "Nobody can order.".to_owned() }
}

/// It is known, and customers have read nothing of it.
fn known(severity: Severity) -> Driven {
    let mut driven = an_incident(severity);
    driven.acknowledges("anna");
    driven.says("anna", Says::Take { part: Part::Commander, person: person("anna") });
    driven
}

/// Customers have read of it.
fn published(severity: Severity) -> Driven {
    let mut driven = known(severity);
    if severity > Severity::Sev2 {
        driven.says("anna", draft(GOES_ON));
    }
    driven.publishes("anna");
    driven
}

/// For all they know it is over.
fn cleared(severity: Severity) -> Driven {
    let mut driven = published(severity);
    driven.says("anna", is(Status::Monitoring));
    driven.publishes("anna");
    driven
}

fn owed(driven: &Driven, owed: Owed) -> Option<u32> {
    driven.incident.obligations.iter().find(|it| it.is_open() && it.owed == owed).map(|it| it.number)
}

fn all_clear(driven: &Driven) -> Option<u32> {
    owed(driven, Owed::AllClear)
}

fn stands(driven: &Driven) -> Option<&str> {
    driven.incident.draft.as_ref().map(|draft| draft.text.as_str())
}

fn run_ends(driven: &mut Driven, run: u64, outcome: Outcome) {
    driven.hears(&Input::RunEnded { run: RunId(run), outcome, tell: Vec::new() });
}

fn run_fails(driven: &mut Driven, run: u64) {
    let trouble = Trouble::Failed("step 4 on pg4".to_owned());
    driven.hears(&Input::Run { run: RunId(run), trouble, severity: Severity::Sev2, tell: Vec::new() });
}

#[track_caller]
fn is_not_resolved(driven: &mut Driven) {
    assert_eq!(driven.refuses("anna", Says::Resolve).code(), "customers-wait");
}

#[test]
fn what_customers_were_told_of_is_not_over_before_they_are_told_so() {
    for severity in [Severity::Sev1, Severity::Sev3] {
        let mut driven = published(severity);
        let wait = driven.refuses("anna", Says::Resolve);
        let read = GOES_ON.to_owned();
        assert_eq!(wait, Refusal::CustomersWait { read, over: false, draft: None, owed: None });
        driven.says("anna", draft("We know the cause by now."));
        driven.publishes("anna");
        driven.says("anna", is(Status::Identified));
        assert_eq!(driven.refuses("anna", is(Status::Resolved)).code(), "customers-wait");
        assert_eq!(all_clear(&driven), None, "it goes on");

        driven.says("anna", is(Status::Monitoring));

        let number = all_clear(&driven);
        let wait = driven.refuses("anna", Says::Resolve);
        let Refusal::CustomersWait { read, over: true, draft: Some((text, digest)), owed } = wait else {
            panic!("{wait:?}")
        };
        assert_eq!((read.as_str(), text.as_str()), ("We know the cause by now.", OVER));
        assert_eq!((owed, Some(digest.short().to_owned())), (number, driven.digest()));
        let number = number.unwrap();
        driven.publishes("anna");
        assert_eq!(driven.incident.obligation(number).unwrap().end, Some(End::Met(Some(person("anna")))));
        driven.says("anna", Says::Resolve);
        assert!(driven.incident.status >= Status::Resolved);
    }
}

#[test]
fn whoever_says_that_customers_know_it_otherwise_gives_their_name_and_a_reason() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    let why = || "Each customer was rung by Sales.".to_owned();

    driven.says("anna", Says::Waive { obligation: all_clear(&driven).unwrap(), why: why() });
    driven.minutes(1);

    assert_eq!(all_clear(&driven), None, "not owed anew");
    let mut over = driven.clone();
    over.says("anna", Says::Resolve);
    assert_eq!(over.incident.status, Status::Resolved);

    // That is for once: it was not meant for what comes after it.
    driven.says("anna", is(Status::Investigating));
    is_not_resolved(&mut driven);
    assert!(owed(&driven, Owed::Published).is_some(), "for all they know it is over");
}

#[test]
fn that_they_need_not_hear_it_is_worse_is_no_all_clear() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", worse(Severity::Sev1));
    let obligation = owed(&driven, Owed::Published).unwrap();
    driven.says("anna", Says::Waive { obligation, why: "They see it themselves.".to_owned() });
    is_not_resolved(&mut driven);
}

#[test]
fn of_what_customers_never_read_they_need_no_all_clear() {
    let mut driven = an_incident(Severity::Sev1);
    driven.says("anna", is(Status::Monitoring));
    assert_eq!(all_clear(&driven), None);
    assert_eq!(stands(&driven), Some(OVER), "whoever publishes now tells no news that are old");
    driven.says("anna", Says::Resolve);
    assert_eq!(driven.incident.status, Status::Resolved);
}

#[test]
fn what_was_written_while_it_went_on_is_no_all_clear() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", draft("Orders cannot be placed since 09:05."));
    driven.says("anna", is(Status::Monitoring));
    assert_eq!(stands(&driven), Some("Orders cannot be placed since 09:05."), "a person wrote it");
    let wait = driven.refuses("anna", Says::Resolve);
    assert!(matches!(wait, Refusal::CustomersWait { over: true, draft: None, .. }), "{wait:?}");

    driven.publishes("anna");

    assert!(all_clear(&driven).is_some());
    is_not_resolved(&mut driven);
    assert_eq!(stands(&driven), Some(OVER));
    driven.publishes("anna");
    driven.says("anna", Says::Resolve);

    // Nor what was written when it seemed to be over, and is published when it goes on.
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    driven.says("anna", draft("All is well again."));
    driven.says("anna", is(Status::Investigating));
    driven.publishes("anna");
    is_not_resolved(&mut driven);
}

#[test]
fn what_stands_ready_says_what_is_the_case() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", worse(Severity::Sev1));
    assert_eq!(stands(&driven), Some(GOES_ON), "worse, so they are told again");
    let read = driven.digest();
    driven.says("anna", is(Status::Monitoring));
    assert_eq!(stands(&driven), Some(OVER));
    assert_eq!(driven.refuses("anna", Says::Publish { digest: read }).code(), "draft-changed");
    assert_eq!(all_clear(&driven), None, "the word to customers is owed already, and this is it");
    is_not_resolved(&mut driven);
    driven.says("anna", is(Status::Investigating));
    assert_eq!(stands(&driven), Some(GOES_ON));

    // It got worse, so it is not over.
    let mut driven = cleared(Severity::Sev2);
    driven.says("anna", worse(Severity::Sev1));
    assert_eq!((driven.incident.status, stands(&driven)), (Status::Investigating, Some(GOES_ON)));
    driven.publishes("anna");
    is_not_resolved(&mut driven);
}

#[test]
fn nothing_is_owed_of_what_is_over() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    let why = "Each customer was rung by Sales.".to_owned();
    driven.says("anna", Says::Waive { obligation: all_clear(&driven).unwrap(), why });
    driven.says("anna", Says::Resolve);
    assert_eq!(driven.owes(), ["postmortem on-call"]);
}

#[test]
fn customers_for_whom_it_is_over_hear_that_it_goes_on() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    let first = all_clear(&driven).unwrap();
    driven.says("anna", is(Status::Investigating));
    assert_eq!(driven.incident.obligation(first).unwrap().end, Some(End::Void), "it goes on, as they know");
    assert_eq!((owed(&driven, Owed::Published), stands(&driven)), (None, Some(GOES_ON)));

    for severity in [Severity::Sev2, Severity::Sev3] {
        let mut driven = cleared(severity);
        driven.says("anna", is(Status::Identified));
        assert!(owed(&driven, Owed::Published).is_some(), "{severity:?}");
        assert_eq!(stands(&driven), Some(GOES_ON));
    }
    // So does an alert that calls at once,
    let mut driven = cleared(Severity::Sev3);
    driven.hears(&Input::Reported { report: alert(20, "a1", Some("critical")), at_once: true });
    assert_eq!(driven.incident.status, Status::Investigating);
    assert!(owed(&driven, Owed::Published).is_some());
    // and a run that fails, once only.
    let mut driven = cleared(Severity::Sev2);
    run_fails(&mut driven, 8);
    assert_eq!(driven.incident.status, Status::Investigating);
    let number = owed(&driven, Owed::Published).unwrap();
    driven.says("anna", Says::Waive { obligation: number, why: "They know it otherwise.".to_owned() });
    run_fails(&mut driven, 9);
    assert_eq!(owed(&driven, Owed::Published), None);
}

#[test]
fn who_owes_the_all_clear_is_reminded_and_when_it_is_late_somebody_is_called() {
    let mut driven = published(Severity::Sev2);
    driven.says("anna", is(Status::Monitoring));
    let number = all_clear(&driven).unwrap();

    driven.minutes(5);
    assert!(driven.incident.obligation(number).unwrap().reminded);
    driven.minutes(5);

    let late = driven.incident.obligation(number).unwrap();
    assert!(late.late.is_some() && late.call.is_some(), "{late:?}");
    assert_eq!(driven.queued_now(|it| *it == About::Late(number)), ["anna chat", "anna mail"]);
}

#[test]
fn planned_work_of_which_customers_read_is_over_when_they_read_that() {
    for outcome in [Outcome::Succeeded, Outcome::Stopped] {
        let opened = by_run(7, Severity::Planned, Trouble::Starts);
        let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
        driven.says("anna", draft("Orders may be slow for a minute."));
        driven.publishes("anna");
        assert_eq!(all_clear(&driven), None, "it goes on");

        run_ends(&mut driven, 7, outcome);

        assert!(all_clear(&driven).is_some(), "{outcome:?}");
        assert_eq!(stands(&driven), Some("Orders: the planned work is over."));
        driven.publishes("anna");
        assert!(driven.incident.status >= Status::Resolved);
    }
}

#[test]
fn what_is_published_after_planned_work_is_the_all_clear_whatever_else_is_owed() {
    let opened = by_run(7, Severity::Planned, Trouble::Starts);
    let tells = [tell("support", "start", "acknowledged", 30)];
    let mut driven = Driven::open(&opened, &tells, TUESDAY, Some(usual()));
    driven.says("anna", draft("Orders may be slow for a minute."));
    driven.publishes("anna");
    run_ends(&mut driven, 7, Outcome::Succeeded);

    driven.publishes("anna");
    driven.acknowledges("sue");

    assert!(driven.incident.status >= Status::Resolved, "{:?}", driven.owes());

    // Where the runbook has it published at the end, nothing else is wanted.
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    let tell = vec![tell("status-page", "end", "published", 10)];
    driven.hears(&Input::RunEnded { run: RunId(7), outcome: Outcome::Succeeded, tell });
    assert_eq!(stands(&driven), Some("Orders: the planned work is over."));
    driven.publishes("anna");
    assert!(driven.incident.status >= Status::Resolved, "{:?}", driven.owes());
}

#[test]
fn it_is_not_over_for_customers_while_a_run_goes_on() {
    let mut driven = published(Severity::Sev2);
    driven.hears(&Input::Run {
        run: RunId(8),
        trouble: Trouble::Starts,
        severity: Severity::Sev2,
        tell: vec![tell("status-page", "before-start", "published", 10)],
    });
    driven.says("anna", is(Status::Monitoring));
    assert_eq!((all_clear(&driven), stands(&driven)), (None, Some(GOES_ON)));
    driven.publishes("anna");
    assert_eq!(all_clear(&driven), None);

    run_ends(&mut driven, 8, Outcome::Succeeded);
    assert!(all_clear(&driven).is_some());
}

#[test]
fn in_a_journal_of_before_the_all_clear_is_owed_at_the_next_start() {
    let mut driven = published(Severity::Sev3);
    driven.says("anna", is(Status::Monitoring));
    driven.sends();
    let number = all_clear(&driven).unwrap();
    let written = driven.log.clone();
    let began = |it: &steadyhand::incident::Event| {
        matches!(it, steadyhand::incident::Event::ObligationBegan { owed: Owed::AllClear, .. })
            || matches!(it, steadyhand::incident::Event::IncidentDraft { ready: true, .. })
    };
    driven.log.retain(|stamped| !began(&stamped.event));
    assert!(driven.log.len() < written.len());
    driven.incident = replayed(&driven.log);
    assert_eq!(all_clear(&driven), None);

    assert_eq!(deadline(&driven.incident), Some(driven.incident.touched));
    driven.hears(&Input::Tick);

    assert_eq!((all_clear(&driven), stands(&driven)), (Some(number), Some(OVER)));
}
