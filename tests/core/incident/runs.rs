//! What runs do to an incident.

use steadyhand::incident::model::{End, Owed, Severity, Status, Trouble};
use steadyhand::incident::{Event, Input, Says};
use steadyhand::plan::model::TellPlan;
use steadyhand::run::RunId;
use steadyhand::run::model::Outcome;

use super::driven::{Driven, TUESDAY, by_run, is_call, tell, usual};

fn trouble(run: u64, trouble: Trouble, severity: Severity, tell: Vec<TellPlan>) -> Input {
    Input::Run { run: RunId(run), trouble, severity, tell }
}

fn over(run: u64, outcome: Outcome) -> Input {
    Input::RunEnded { run: RunId(run), outcome, tell: Vec::new() }
}

fn planned(tells: &[TellPlan]) -> Driven {
    Driven::open(&by_run(7, Severity::Planned, Trouble::Starts), tells, TUESDAY, Some(usual()))
}

fn is_released(driven: &Driven) -> bool {
    driven.log.iter().any(|it| matches!(it.event, Event::IncidentRunReleased { run: RunId(7) }))
}

#[test]
fn a_run_waits_until_those_know_who_must_know_before_it_begins() {
    let mut driven = planned(&[
        tell("support", "before-start", "acknowledged", 15),
        tell("status-page", "before-start", "published", 15),
    ]);
    driven.minutes(1);
    assert_eq!(driven.incident.runs[&RunId(7)].waits_for, [1, 2]);

    driven.acknowledges("sue");
    assert!(!is_released(&driven), "it is not published yet");
    driven.publishes("anna");

    assert!(is_released(&driven) && driven.incident.runs[&RunId(7)].released);
    assert_eq!(driven.told(|it| it.way.path.as_str() == "page"), ["- page"]);
}

#[test]
fn a_run_need_not_wait_for_what_a_person_waived() {
    let mut driven = planned(&[tell("support", "before-start", "acknowledged", 15)]);

    driven.says("chidi", Says::Waive { obligation: 1, why: "Support sits beside me".to_owned() });

    assert!(is_released(&driven));
}

#[test]
fn what_held_a_run_back_that_never_began_is_not_owed() {
    let mut driven = planned(&[tell("support", "before-start", "acknowledged", 15)]);

    driven.hears(&over(7, Outcome::Stopped));

    assert_eq!(driven.owed(Owed::Acknowledged).end, Some(End::Void));
    assert!(!is_released(&driven));
    driven.minutes(1);
    assert_eq!(driven.incident.status, Status::Closed);
}

#[test]
fn trouble_of_planned_work_makes_it_an_incident_with_all_that_is_owed() {
    let mut driven = planned(&[tell("support", "start", "acknowledged", 15)]);
    let failed = Trouble::Failed("step 3 on pg1: Freeze".to_owned());

    driven.hears(&trouble(7, failed.clone(), Severity::Sev1, Vec::new()));

    assert_eq!(driven.incident.severity, Severity::Sev1);
    assert_eq!(
        driven.owes(),
        [
            "acknowledged support",
            "acknowledged on-call",
            "commander commander",
            "update on-call",
            "published on-call"
        ]
    );
    assert!(driven.queued_now(is_call).contains(&"anna chat".to_owned()));
    let why = driven.log.iter().find_map(|it| match &it.event {
        Event::IncidentSeverity { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert!(!why.unwrap().contains("pg1"), "no host where others read it");
    // The same again is not recorded again.
    assert_eq!(driven.hears(&trouble(7, failed, Severity::Sev1, Vec::new())).events, []);
    // Something else is.
    let other = Trouble::Failed("step 4".to_owned());
    assert_eq!(driven.hears(&trouble(7, other, Severity::Sev1, Vec::new())).events.len(), 1);
    assert_eq!(driven.hears(&trouble(7, Trouble::Stopped, Severity::Sev3, Vec::new())).events.len(), 1);
    assert_eq!(driven.incident.severity, Severity::Sev1, "nothing makes it harmless by itself");
}

#[test]
fn a_run_that_joins_later_has_its_own_tells() {
    let mut driven = planned(&[tell("support", "start", "acknowledged", 15)]);
    driven.acknowledges("sue");

    let tells = vec![tell("support", "before-start", "acknowledged", 15)];
    driven.hears(&trouble(8, Trouble::Starts, Severity::Planned, tells));

    assert_eq!(driven.owes(), ["acknowledged support"]);
    assert_eq!(driven.incident.runs[&RunId(8)].waits_for, [2]);
    driven.acknowledges("sue");
    assert!(driven.incident.runs[&RunId(8)].released);
}

#[test]
fn planned_work_is_over_by_itself_when_its_runs_are_and_nothing_is_owed() {
    let mut driven = planned(&[tell("support", "start", "acknowledged", 15)]);
    driven.sends();

    driven.hears(&over(7, Outcome::Succeeded));
    assert_eq!(driven.incident.status, Status::Investigating, "Support has not answered");
    driven.acknowledges("sue");

    assert_eq!(driven.incident.status, Status::Resolved);
    driven.sends();
    let over = driven.told(|it| it.about == steadyhand::incident::model::About::Resolved);
    assert_eq!(over, ["sue chat", "sue mail"]);
    assert_eq!(driven.incident.status, Status::Closed);
}

#[test]
fn what_is_told_at_the_end_is_owed_then() {
    let mut driven = planned(&[]);
    let tell = vec![tell("support", "end", "delivered", 10)];

    driven.hears(&Input::RunEnded { run: RunId(7), outcome: Outcome::Succeeded, tell });

    assert_eq!(driven.owes(), ["delivered support"]);
    driven.sends();
    assert_eq!(driven.owes(), [""; 0]);
}

#[test]
fn a_run_that_succeeds_leaves_something_to_look_at_and_trouble_takes_that_back() {
    let opened = by_run(7, Severity::Sev2, Trouble::Starts);
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));

    driven.hears(&over(7, Outcome::Succeeded));
    assert_eq!(driven.incident.status, Status::Monitoring);
    assert_eq!(driven.hears(&over(7, Outcome::Succeeded)).events, [], "once");
    driven.hears(&trouble(8, Trouble::Starts, Severity::Sev2, Vec::new()));
    assert_eq!(driven.incident.status, Status::Monitoring);
    driven.hears(&trouble(8, Trouble::Stopped, Severity::Sev2, Vec::new()));

    assert_eq!(driven.incident.status, Status::Investigating);
}

#[test]
fn a_step_that_fails_again_after_people_had_answered_calls_the_owner_again() {
    let failed = Trouble::Failed("step 3 on pg1: Freeze".to_owned());
    let again = trouble(7, failed.clone(), Severity::Sev3, Vec::new());
    let mut driven = Driven::open(&by_run(7, Severity::Sev3, failed), &[], TUESDAY, Some(usual()));
    assert_eq!(driven.hears(&again).events, [], "the owner is being called");
    driven.acknowledges("anna");
    driven.says("anna", Says::Status { status: Status::Monitoring });
    driven.minutes(1);

    driven.hears(&again);

    assert_eq!(driven.incident.status, Status::Investigating);
    assert_eq!(driven.owes(), ["acknowledged on-call"]);
    assert_eq!(driven.queued_now(is_call), ["anna chat", "anna mail"]);
    assert_eq!(driven.hears(&again).events, [], "once");
}

#[test]
fn trouble_calls_the_owner_who_had_answered_when_it_began_and_a_start_does_not() {
    let opened = by_run(7, Severity::Sev3, Trouble::Starts);
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    driven.acknowledges("anna");

    driven.hears(&trouble(8, Trouble::Starts, Severity::Sev3, Vec::new()));
    assert_eq!(driven.owes(), [""; 0]);
    driven.hears(&trouble(7, Trouble::Stalled("step 2".to_owned()), Severity::Sev3, Vec::new()));

    assert_eq!(driven.owes(), ["acknowledged on-call"]);
}
