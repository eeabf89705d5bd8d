//! An incident that the watch opened because a path is red.

use steadyhand::incident::model::{About, Cause, End, Opened, Owed, Severity, Status};
use steadyhand::incident::{Event, Input, Says};
use steadyhand::runbook::source::name::PathName;

use super::driven::{Driven, Path, TUESDAY, is_call, opened, usual};

fn of(path: &str) -> Opened {
    let why = format!("path {path} is red: 3 tries in a row failed");
    Opened {
        cause: Cause::Watch { why, path: PathName::new(path) },
        title: "How people are told".to_owned(),
        ..opened(Severity::Sev3)
    }
}

#[test]
fn it_is_told_over_every_path_but_the_red_one_and_not_to_support() {
    let mut driven = Driven::open(&of("chat"), &[], TUESDAY, Some(usual()));
    driven.minutes(20);

    let told = driven.told(|_| true);
    assert!(told.contains(&"anna mail".to_owned()) && told.contains(&"chidi mail".to_owned()), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("chat") || line.starts_with("sue")), "{told:?}");
    assert!(driven.incident.obligations.iter().all(|it| it.owed == Owed::Acknowledged));
}

#[test]
fn a_last_resort_that_is_red_is_not_cried_out_at() {
    let mut driven = Driven::open(&of("siren"), &[], TUESDAY, Some(usual()));
    driven.minutes(20);

    assert_eq!(driven.alarms(), [""; 0]);
    assert!(!driven.told(|it| is_call(&it.about)).is_empty());
}

#[test]
fn it_is_over_by_itself_when_the_path_takes_something_and_everybody_hears_that() {
    let mut driven = Driven::open(&of("chat"), &[], TUESDAY, Some(usual()));
    driven.minutes(2);
    driven.acknowledges("anna");

    let decided = driven.hears(&Input::PathTakes);
    driven.minutes(1);

    assert_eq!(decided.events.first(), Some(&Event::IncidentPathTakes));
    assert_eq!(driven.incident.status, Status::Closed);
    assert!(driven.told(|it| it.about == About::Resolved).contains(&"anna mail".to_owned()));
    assert_eq!(driven.hears(&Input::PathTakes).events, []);
}

#[test]
fn nobody_is_called_any_more_for_a_path_that_takes_something() {
    let mut driven = Driven::open(&of("chat"), &[], TUESDAY, Some(usual()));
    driven.path("mail", Path::Busy(None));
    driven.minutes(2);

    driven.hears(&Input::PathTakes);
    driven.minutes(60);

    assert_eq!(driven.owed(Owed::Acknowledged).end, Some(End::Void));
    assert_eq!(driven.incident.status, Status::Closed);
}

#[test]
fn what_a_person_took_over_is_theirs_to_end() {
    for says in [
        Says::Take {
            part: steadyhand::incident::model::Part::Commander,
            person: super::driven::person("anna"),
        },
        Says::Update { text: "the relay is being moved".to_owned(), for_support: false },
        Says::Status { status: Status::Identified },
        Says::Severity { severity: Severity::Sev2, why: "nobody is told of anything".to_owned() },
    ] {
        let mut driven = Driven::open(&of("chat"), &[], TUESDAY, Some(usual()));
        driven.minutes(1);
        driven.says("anna", says);

        driven.hears(&Input::PathTakes);
        driven.minutes(1);

        assert!(driven.incident.status < Status::Resolved);
        assert!(driven.incident.path_takes.is_some());
    }
    // Other incidents do not hear of paths.
    let mut driven = Driven::open(&opened(Severity::Sev3), &[], TUESDAY, Some(usual()));
    assert_eq!(driven.hears(&Input::PathTakes).events, []);
}
