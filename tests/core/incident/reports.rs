//! Reports of people and alerts: which are seen together, which count once, and what they open or join.

use jiff::SignedDuration;
use steadyhand::duty::model::ReportRules;
use steadyhand::incident::decide::open;
use steadyhand::incident::model::{About, Audience, Cause, Opened, Severity, Status};
use steadyhand::incident::report::place::wait;
use steadyhand::incident::report::{
    Alert, MAX_REPORTS, Of, Place, Report, Reported, Source, distinct, place,
};
use steadyhand::incident::{Event, Incident, IncidentId, Input, Says};
use steadyhand::runbook::source::name::ServiceName;

use super::driven::{Driven, TUESDAY, at, notify, opened, person, replayed, role, usual};

fn of(service: &str) -> Of {
    Of::Service(ServiceName::new(service).unwrap())
}

/// A report so many minutes after eight, which is also the number of its entry.
fn report(minute: u64, source: Source, words: &str) -> Report {
    let late = SignedDuration::from_mins(i64::try_from(minute).unwrap());
    let said = Reported {
        source,
        of: of("orders"),
        words: words.to_owned(),
        incident: None,
        drill: false,
        over: false,
    };
    Report { entry: minute, at: at(TUESDAY) + late, said }
}

fn by(minute: u64, name: &str, words: &str) -> Report {
    report(minute, Source::Person(person(name)), words)
}

pub(super) fn alert(minute: u64, fingerprint: &str, severity: Option<&str>) -> Report {
    let alert = Alert {
        fingerprint: fingerprint.to_owned(),
        name: "DiskFull".to_owned(),
        since: at(TUESDAY),
        severity: severity.map(str::to_owned),
    };
    report(minute, Source::Alert(alert), "Disk almost full (db-1:9100)")
}

fn over(mut report: Report) -> Report {
    report.said.over = true;
    report
}

/// Hears these one after the other with no incident open, and says what became of each.
fn became(reports: &[Report], rules: &ReportRules) -> Vec<String> {
    let (mut waiting, mut all) = (Vec::new(), Vec::new());
    for report in reports {
        let place = place(report, &waiting, std::iter::empty(), rules);
        all.push(match &place {
            Place::Opens { severity, reports } => format!("{} of {}", severity.word(), reports.len()),
            other => format!("{other:?}"),
        });
        wait(&mut waiting, report.clone(), rules.within);
        if let Place::Opens { .. } = place {
            waiting.clear();
        }
    }
    all
}

fn usually(reports: &[Report]) -> Vec<String> {
    became(reports, &ReportRules::default())
}

/// An incident that these reports opened.
fn opened_by(reports: Vec<Report>, severity: Severity) -> Driven {
    let opened =
        Opened { cause: Cause::Reports { reports }, service: ServiceName::new("orders"), ..opened(severity) };
    let mut driven = Driven::open(&opened, &[], TUESDAY, Some(usual()));
    driven.sends();
    driven
}

fn three() -> Vec<Report> {
    vec![by(1, "sue", "orders fail"), by(2, "tom", "orders fail"), by(3, "zoe", "orders fail")]
}

fn joins(driven: &mut Driven, report: Report, at_once: bool) -> Vec<Event> {
    driven.hears(&Input::Reported { report, at_once }).events
}

fn place_in(incident: &Incident, report: &Report) -> Place {
    place(report, &[], std::iter::once(incident), &ReportRules::default())
}

#[test]
fn three_sources_within_a_quarter_of_an_hour_make_one_incident() {
    assert_eq!(usually(&three()), ["Waits", "Waits", "sev3 of 3"]);

    let mixed = [by(1, "sue", "orders fail"), alert(2, "a1", Some("warning")), alert(16, "a2", None)];
    assert_eq!(usually(&mixed), ["Waits", "Waits", "sev3 of 3"], "the first is just not too old");
    let late = [by(1, "sue", "orders fail"), alert(2, "a1", Some("warning")), alert(17, "a2", None)];
    assert_eq!(usually(&late), ["Waits"; 3], "the first is too old");
    let rules = notify("notify: x\npaths: {}\npeople: {}\nreports: { burst: 2, within: 1m }").reports;
    assert_eq!(
        became(&[by(1, "sue", "orders fail"), by(2, "tom", "it fails")], &rules),
        ["Waits", "sev3 of 2"]
    );
    assert_eq!(became(&[by(1, "sue", "orders fail"), by(3, "tom", "it fails")], &rules), ["Waits"; 2]);
}

#[test]
fn the_same_counts_once_however_often_it_is_said() {
    let repeats: Vec<Report> = (1..=10).map(|minute| alert(minute, "a1", Some("warning"))).collect();
    assert_eq!(usually(&repeats), vec!["Waits"; 10]);

    let impatient = [by(1, "sue", "Orders fail"), by(2, "sue", "orders fail!"), by(3, "sue", "orders  fail")];
    assert_eq!(usually(&impatient), ["Waits"; 3]);

    // One person of Support at night speaks for many customers.
    let customers =
        [by(1, "sue", "Mr Ito cannot pay"), by(2, "sue", "shop 7: no order"), by(3, "sue", "an error 500")];
    assert_eq!(usually(&customers), ["Waits", "Waits", "sev3 of 3"]);
}

#[test]
fn services_are_apart_and_so_are_alerts_that_name_none() {
    let other = |mut report: Report, of: Of| {
        report.said.of = of;
        report
    };
    let apart = [
        by(1, "sue", "orders fail"),
        other(by(2, "tom", "no invoice"), of("billing")),
        other(alert(3, "a1", None), Of::Unknown("DiskFull".to_owned())),
        other(alert(4, "a2", None), Of::Unknown("HostDown".to_owned())),
        by(5, "tom", "orders fail"),
    ];
    assert_eq!(usually(&apart), ["Waits"; 5]);

    let unknown = |minute, print| other(alert(minute, print, None), Of::Unknown("DiskFull".to_owned()));
    let same = [unknown(1, "a1"), unknown(2, "a2"), unknown(3, "a3")];
    assert_eq!(usually(&same), ["Waits", "Waits", "sev3 of 3"]);
}

#[test]
fn an_alert_that_calls_at_once_waits_for_nobody_and_takes_with_it_what_waits() {
    assert_eq!(usually(&[alert(1, "a1", Some("critical"))]), ["sev2 of 1"]);
    assert_eq!(usually(&[alert(1, "a1", Some("page"))]), ["sev2 of 1"]);
    assert_eq!(
        usually(&[by(1, "sue", "orders fail"), alert(2, "a1", Some("critical"))]),
        ["Waits", "sev2 of 2"]
    );
    let rules = notify("notify: x\npaths: {}\npeople: {}\nreports: { opens_at_once: [disaster] }").reports;
    assert_eq!(
        became(&[alert(1, "a1", Some("critical")), alert(2, "a2", Some("disaster"))], &rules),
        ["Waits", "sev2 of 2"]
    );
    assert_eq!(usually(&[over(alert(1, "a1", Some("critical")))]), ["Nothing"]);
}

#[test]
fn an_alert_that_is_over_waits_no_more() {
    let blips =
        [alert(1, "a1", None), alert(2, "a2", None), over(alert(3, "a1", None)), alert(4, "a3", None)];

    assert_eq!(usually(&blips), ["Waits", "Waits", "Nothing", "Waits"]);
}

#[test]
fn on_call_is_called_and_nobody_else_before_a_person_says_how_bad_it_is() {
    let mut driven = opened_by(three(), Severity::Sev3);
    assert_eq!(driven.told(|_| true), ["anna chat", "anna mail"]);
    driven.minutes(1);
    assert!(driven.incident.notices.iter().all(|it| it.audience == Audience::Operator));

    driven.says("anna", Says::Severity { severity: Severity::Sev1, why: "nobody can order".to_owned() });
    assert!(driven.owes().contains(&"acknowledged support".to_owned()), "{:?}", driven.owes());
}

#[test]
fn what_an_alert_called_bad_is_told_to_support_once_a_person_agrees() {
    let mut driven = opened_by(vec![alert(1, "a1", Some("critical"))], Severity::Sev2);
    assert!(!driven.owes().iter().any(|owed| owed.ends_with("support")), "{:?}", driven.owes());

    let agrees = || Says::Severity { severity: Severity::Sev2, why: "customers see it".to_owned() };
    driven.says("anna", agrees());
    assert!(driven.owes().contains(&"acknowledged support".to_owned()), "{:?}", driven.owes());
    driven.acknowledges("sue");
    driven.says("anna", agrees());
    assert!(!driven.owes().contains(&"acknowledged support".to_owned()), "Support is not called twice");
}

#[test]
fn a_report_of_an_open_incident_joins_it_and_tells_those_who_work_on_it() {
    let mut driven = opened_by(three(), Severity::Sev3);
    driven.acknowledges("anna");
    let fourth = by(20, "sue", "invoices fail too");
    assert_eq!(place_in(&driven.incident, &fourth), Place::Joins(IncidentId(31)));

    let events = joins(&mut driven, fourth.clone(), false);
    assert!(matches!(&events[0], Event::IncidentReported { .. }), "{events:?}");
    assert_eq!(driven.told(|it| it.about == About::Report(4)), ["anna chat"]);
    assert_eq!(place_in(&driven.incident, &fourth), Place::Known(IncidentId(31)));
    assert_eq!(joins(&mut driven, fourth, false), [], "it is known");
    assert_eq!(driven.incident.reporters_up_to(4), 4);
    assert_eq!(replayed(&driven.log), driven.incident);
}

#[test]
fn support_reads_nothing_of_reports_also_where_it_was_called() {
    let mut driven = opened_by(three(), Severity::Sev3);
    driven.says("anna", Says::Severity { severity: Severity::Sev1, why: "nobody can order".to_owned() });
    driven.sends();
    joins(&mut driven, alert(20, "a9", None), false);

    let told = driven.told(|it| it.about == About::Report(4));
    assert!(
        told.contains(&"anna chat".to_owned()) && !told.iter().any(|it| it.starts_with("sue")),
        "{told:?}"
    );
}

#[test]
fn what_an_incident_knew_while_it_went_on_opens_no_other_when_it_is_read_again_later() {
    let critical = |minute| alert(minute, "a1", Some("critical"));
    let mut driven = opened_by(vec![critical(1)], Severity::Sev2);
    driven.minutes(30);
    // It repeats itself in the 20th minute, and that is nothing new.
    assert_eq!(place_in(&driven.incident, &critical(20)), Place::Known(IncidentId(31)));
    driven.says("anna", Says::Resolve);

    // The bot is started again, and reads once more what led to nothing.
    assert_eq!(place_in(&driven.incident, &critical(20)), Place::Known(IncidentId(31)));

    // But not what is said after the end, by another, or again after it was over.
    assert!(matches!(place_in(&driven.incident, &critical(31)), Place::Opens { .. }));
    assert!(matches!(place_in(&driven.incident, &alert(20, "a2", Some("page"))), Place::Opens { .. }));
    let mut driven = opened_by(vec![critical(1)], Severity::Sev2);
    driven.minutes(30);
    joins(&mut driven, over(critical(10)), false);
    driven.says("anna", Says::Resolve);
    assert!(matches!(place_in(&driven.incident, &critical(20)), Place::Opens { .. }));
}

#[test]
fn nothing_joins_what_is_over_planned_or_a_drill() {
    let next = by(20, "sue", "orders fail again");
    let mut driven = opened_by(three(), Severity::Sev3);
    driven.says("anna", Says::Resolve);
    assert_eq!(place_in(&driven.incident, &next), Place::Waits);

    let planned = Opened { service: ServiceName::new("orders"), ..opened(Severity::Planned) };
    let driven = Driven::open(&planned, &[], TUESDAY, Some(usual()));
    assert_eq!(place_in(&driven.incident, &next), Place::Waits);

    let service = ServiceName::new("orders");
    let drill =
        Opened { service, drill: Some(vec![person("anna"), person("sue")]), ..opened(Severity::Sev1) };
    let mut driven = Driven::open(&drill, &[], TUESDAY, Some(usual()));
    assert_eq!(place_in(&driven.incident, &next), Place::Waits);
    let mut said_in_it = next.clone();
    (said_in_it.said.incident, said_in_it.said.drill) = (Some(IncidentId(31)), true);
    assert_eq!(place_in(&driven.incident, &said_in_it), Place::Joins(IncidentId(31)));
    joins(&mut driven, said_in_it.clone(), false);
    driven.says("anna", Says::Resolve);
    assert_eq!(place_in(&driven.incident, &said_in_it), Place::Nothing, "it never counts for what is real");
}

#[test]
fn a_critical_alert_that_joins_something_mild_calls_again() {
    let mut driven = opened_by(three(), Severity::Sev3);
    driven.acknowledges("anna");
    assert_eq!(driven.owes(), Vec::<String>::new());

    joins(&mut driven, alert(20, "a1", Some("critical")), true);
    assert_eq!(driven.incident.severity, Severity::Sev2);
    assert!(driven.owes().contains(&"acknowledged on-call".to_owned()), "{:?}", driven.owes());
    assert!(!driven.owes().iter().any(|owed| owed.ends_with("support")), "{:?}", driven.owes());
}

#[test]
fn when_all_alerts_are_over_those_who_work_on_it_hear_so_and_it_goes_on() {
    let mut driven =
        opened_by(vec![alert(1, "a1", None), alert(2, "a2", None), by(3, "sue", "slow")], Severity::Sev3);
    let ends = over(alert(20, "a1", None));
    assert_eq!(place_in(&driven.incident, &ends), Place::Joins(IncidentId(31)));
    joins(&mut driven, ends.clone(), false);
    assert_eq!(driven.told(|it| it.about == About::AlertsOver), Vec::<String>::new());
    assert_eq!(place_in(&driven.incident, &ends), Place::Nothing, "it is over already");

    joins(&mut driven, over(alert(21, "a2", None)), false);
    assert_eq!(driven.told(|it| it.about == About::AlertsOver), ["anna chat"]);
    assert_eq!(driven.incident.status, Status::Investigating);

    // It comes back.
    assert_eq!(place_in(&driven.incident, &alert(22, "a2", None)), Place::Joins(IncidentId(31)));
    joins(&mut driven, alert(22, "a2", None), false);
    assert!(!driven.incident.all_alerts_are_over());
    assert_eq!(driven.incident.reporters_up_to(u32::MAX), 3, "the same source is none more");
}

#[test]
fn that_alerts_are_over_is_no_news_once_a_person_has_said_so() {
    let mut driven = opened_by(vec![alert(1, "a1", None), alert(2, "a2", None)], Severity::Sev2);
    driven.says("anna", Says::Resolve);
    let told = driven.told(|_| true).len();

    for ends in [over(alert(20, "a1", None)), over(alert(21, "a2", None))] {
        assert_eq!(place_in(&driven.incident, &ends), Place::Joins(IncidentId(31)));
        joins(&mut driven, ends, true);
    }

    assert!(driven.incident.all_alerts_are_over(), "it is recorded");
    assert_eq!(driven.told(|_| true).len(), told, "and nobody is told");
    assert_eq!((driven.incident.status, driven.incident.severity), (Status::Resolved, Severity::Sev2));
}

#[test]
fn a_storm_tells_few_times_and_has_an_end() {
    let mut driven = opened_by(three(), Severity::Sev3);
    for nth in 0..600 {
        joins(&mut driven, alert(20, &format!("a{nth}"), None), false);
        driven.sends();
    }

    let told = driven.incident.notices.iter().filter(|it| matches!(it.about, About::Report(_))).count();
    assert_eq!(told, 7 + 9 + 4, "the 4th to the 10th, each tenth, each hundredth");
    assert_eq!(driven.incident.reports.len(), MAX_REPORTS);
    assert_eq!(place_in(&driven.incident, &alert(21, "new", None)), Place::Known(IncidentId(31)));
    // But one that calls at once is heard, if it makes it worse.
    let critical = alert(21, "new", Some("critical"));
    assert_eq!(place_in(&driven.incident, &critical), Place::Joins(IncidentId(31)));
    joins(&mut driven, critical, true);
    assert_eq!(driven.incident.severity, Severity::Sev2);
    let another = alert(21, "newer", Some("critical"));
    assert_eq!(place_in(&driven.incident, &another), Place::Known(IncidentId(31)));
    assert_eq!(joins(&mut driven, another, true), []);
    for nth in 0..600 {
        joins(&mut driven, over(alert(30, &format!("a{nth}"), None)), false);
    }
    assert!(!driven.incident.all_alerts_are_over(), "of some it is not known");
}

#[test]
fn reports_are_read_from_a_journal_as_they_were_written() {
    for report in [by(1, "sue", "orders fail"), over(alert(2, "a1", Some("critical")))] {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "{text}");
    }
    assert_eq!(distinct(&three()), 3);

    let (policy, notify) = (super::driven::policy(), usual());
    let duty = steadyhand::duty::Duty { policy: &policy, notify: Ok(&notify), overrides: &[] };
    let opened = Opened {
        cause: Cause::Reports { reports: three() },
        owner: role("on-call"),
        ..opened(Severity::Sev3)
    };
    let events = open(IncidentId(1), &opened, &[], at(TUESDAY), &duty);
    let text = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&text).unwrap(), events);
}
