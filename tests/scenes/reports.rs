//! What people report, and alerts that the bot is told of: seen together, and never forgotten. The paths are scripted;
//! everything else is the bot.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use steadyhand::chat::desk::CameOut;
use steadyhand::incident::IncidentId;
use steadyhand::incident::model::{Audience, Incident, Severity};
use steadyhand::incident::report::{Alert, Of, Reported, Source};
use steadyhand::runbook::source::name::ServiceName;

use crate::incidents::{Paths, connects, told};
use crate::stage::Scene;

fn incident(scene: &Scene, id: u64) -> Option<Arc<Incident>> {
    scene.engine().incidents().get(IncidentId(id)).unwrap()
}

fn alert(nth: usize, severity: &str, over: bool) -> Reported {
    let alert = Alert {
        fingerprint: format!("a{nth}"),
        name: "HighLatency".to_owned(),
        since: Timestamp::UNIX_EPOCH,
        severity: Some(severity.to_owned()),
    };
    Reported {
        source: Source::Alert(alert),
        of: Of::Service(ServiceName::new("orders").unwrap()),
        words: format!("p99 is 4 s (pg{nth}:9187) @everyone"),
        incident: None,
        drill: false,
        over,
    }
}

/// These alerts come in one post; how many of them were new.
fn posted(scene: &mut Scene, alerts: Vec<Reported>) -> usize {
    let incidents = scene.engine().incidents();
    let new = scene.waits_for(async move { incidents.alerts(alerts).await.unwrap() });
    scene.settle();
    new
}

fn nobody_reads_them_but_operators(paths: &Paths) {
    for letter in paths.letters() {
        if letter.audience != Audience::Operator {
            let text = format!("{} {} {}", letter.words.subject, letter.words.title, letter.words.text);
            for word in ["customers cannot pay", "p99", "HighLatency", "pg1"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }
}

#[test]
fn several_people_report_one_service_and_on_call_is_called_once() {
    let (mut scene, paths) = told();

    scene.types("sue", "report ordres \"customers cannot pay\"");
    scene.types("sue", "report orders \"no\"");
    scene.types("sue", "report orders \"customers cannot pay\"");
    scene.types("sue", "report orders \"Customers cannot pay!\"");
    scene.types("ana", "report orders \"my own order hangs\"");
    assert_eq!(paths.took(), Vec::<String>::new(), "nobody is called yet");
    scene.types("ben", "reports");
    scene.types("ben", "report orders \"three mails from big customers\"");
    assert!(!paths.took().is_empty());
    scene.types("cleo", "report orders \"the shop on the market square too\"");
    scene.types("cleo", "report inc-1 \"and the one at the station\"");
    scene.types("cleo", "report inc-1 \"and the one at the station\"");
    scene.types("cleo", "report inc-9 \"and the one at the station\"");
    scene.types("ana", "reports");
    scene.types("sue", "incident timeline inc-1");
    scene.types("sue", "incident status inc-1");

    assert!(incident(&scene, 2).is_none(), "one incident");
    nobody_reads_them_but_operators(&paths);
    scene.nothing_was_sent();
    scene.reads("reports");
}

#[test]
fn who_is_not_known_reports_nothing() {
    let (mut scene, _paths) = told();

    assert_eq!(scene.types("eve", "report orders \"customers cannot pay\""), CameOut::Refused);
    assert_eq!(scene.types("eve", "reports"), CameOut::Refused);
    scene.says("ana", "reports");
    assert!(scene.last().contains("Nothing was reported"), "{}", scene.last());
}

#[test]
fn a_burst_is_one_incident_also_where_the_bot_is_killed_in_between() {
    let (mut scene, paths) = told();
    scene.types("sue", "report orders \"customers cannot pay\"");
    scene.restarts();
    connects(&scene, &paths);
    scene.types("ana", "report orders \"my own order hangs\"");
    assert!(incident(&scene, 1).is_none());
    scene.restarts();
    connects(&scene, &paths);
    scene.types("ben", "report orders \"three mails from big customers\"");
    let opened = incident(&scene, 1).expect("it is opened by the third");
    assert_eq!((opened.severity, opened.reports.len()), (Severity::Sev3, 3));

    scene.restarts();
    connects(&scene, &paths);
    scene.types("cleo", "report orders \"it hangs at the station\"");
    let joined = incident(&scene, 1).unwrap();
    assert_eq!(joined.reports.len(), 4);
    assert!(incident(&scene, 2).is_none(), "nothing is opened twice");

    scene.types("ana", "incident ack inc-1");
    scene.types("ana", "incident resolve inc-1");
    scene.restarts();
    connects(&scene, &paths);
    scene.types("cleo", "report orders \"it hangs at the harbour\"");
    assert!(scene.last().contains("1 of 3"), "what belonged to another counts no more: {}", scene.last());
    scene.is_sound();
}

#[test]
fn what_waits_is_not_forgotten_where_something_later_opened_an_incident_before_the_bot_was_killed() {
    let (mut scene, paths) = told();
    scene.types("sue", "report orders \"customers cannot pay\"");
    scene.types("ana", "report orders \"my own order hangs\"");
    for (who, words) in [("sue", "no invoice came"), ("ana", "no invoice"), ("cleo", "invoices are empty")] {
        scene.types(who, &format!("report billing \"{words}\""));
    }
    assert!(incident(&scene, 1).is_some_and(|it| it.reports.len() == 3), "{}", scene.last());

    // All of that was heard, and no start hears it again.
    scene.restarts();
    connects(&scene, &paths);
    scene.types("ben", "report orders \"three mails from big customers\"");

    let opened = incident(&scene, 2).expect("it is the third");
    assert_eq!(opened.opened.service.as_ref().map(ServiceName::as_str), Some("orders"));
    assert_eq!(opened.reports.len(), 3);
    scene.is_sound();
}

#[test]
fn a_report_waits_for_others_no_longer_than_a_burst_lasts() {
    let (mut scene, _paths) = told();
    scene.types("sue", "report orders \"customers cannot pay\"");
    scene.types("ana", "report orders \"my own order hangs\"");
    scene.after(Duration::from_mins(16));

    scene.types("ben", "report orders \"three mails from big customers\"");

    assert!(scene.last().contains("1 of 3"), "{}", scene.last());
    assert!(incident(&scene, 1).is_none());
}

#[test]
fn alerts_are_seen_together_repeats_are_none_and_their_end_is_told() {
    let (mut scene, paths) = told();
    assert_eq!(posted(&mut scene, vec![alert(1, "warning", false), alert(2, "warning", false)]), 2);
    for _ in 0..50 {
        assert_eq!(posted(&mut scene, vec![alert(1, "warning", false)]), 0, "a repeat is no fact");
    }
    assert!(incident(&scene, 1).is_none());

    assert_eq!(posted(&mut scene, vec![alert(3, "warning", false), alert(1, "warning", false)]), 1);
    assert_eq!(incident(&scene, 1).unwrap().severity, Severity::Sev3);
    // An hour later it is said again, and belongs to the same.
    scene.after(Duration::from_mins(61));
    assert_eq!(posted(&mut scene, vec![alert(1, "warning", false)]), 1);
    assert_eq!(incident(&scene, 1).unwrap().reports.len(), 3);
    paths.took();

    posted(&mut scene, vec![alert(1, "warning", true), alert(2, "warning", true), alert(3, "warning", true)]);
    let said = paths.took();
    assert!(said.iter().any(|letter| letter.contains("all its alerts are over")), "{said:?}");
    assert!(incident(&scene, 1).unwrap().resolved.is_none(), "only a person says that it is over");
    assert!(incident(&scene, 2).is_none());
    nobody_reads_them_but_operators(&paths);
    scene.says("ana", "incident timeline inc-1");
    assert!(scene.last().contains("alert HighLatency is over"), "{}", scene.last());
}

#[test]
fn an_alert_that_said_nothing_new_calls_nobody_when_the_bot_is_started_again_after_its_incident() {
    let (mut scene, paths) = told();
    posted(&mut scene, vec![alert(1, "critical", false)]);
    scene.types("ana", "incident ack inc-1");
    scene.after(Duration::from_mins(61));
    assert_eq!(posted(&mut scene, vec![alert(1, "critical", false)]), 1);
    scene.after(Duration::from_mins(1));
    scene.types("ana", "incident resolve inc-1");
    scene.types("ana", "incident close inc-1");
    assert!(incident(&scene, 1).unwrap().is_closed());

    scene.restarts();
    connects(&scene, &paths);
    scene.settle();

    assert!(incident(&scene, 2).is_none());
    scene.is_sound();
}

#[test]
fn a_critical_alert_opens_at_once_and_support_hears_when_a_person_says_so() {
    let (mut scene, paths) = told();

    posted(&mut scene, vec![alert(1, "critical", false)]);
    assert_eq!(incident(&scene, 1).unwrap().severity, Severity::Sev2);
    let letters = paths.letters();
    assert!(!letters.is_empty() && letters.iter().all(|it| it.audience == Audience::Operator), "{letters:?}");

    scene.types("ben", "incident severity inc-1 sev2 \"customers are hindered\"");
    let letters = paths.letters();
    assert!(letters.iter().any(|it| it.audience == Audience::Support), "{letters:?}");
    nobody_reads_them_but_operators(&paths);
}

#[test]
fn a_storm_of_alerts_delays_no_page() {
    let (mut scene, paths) = told();

    posted(&mut scene, (0..2_000).map(|nth| alert(nth, "warning", false)).collect());

    assert!(paths.took().iter().any(|letter| letter.contains("you are called")));
    assert!(incident(&scene, 2).is_none());
    scene.says("ana", "reports");
    assert!(scene.last().contains("There were more"), "{}", scene.last());
    scene.is_sound();
}

#[test]
fn nothing_of_a_drill_counts_for_what_is_real() {
    let (mut scene, _paths) = told();
    scene.types("ana", "incident open sev1 \"we practise a dead primary\" service=orders drill=ana,cleo");

    assert_eq!(scene.types("ben", "report inc-1 \"customers cannot pay\""), CameOut::Refused);
    assert!(scene.last().contains("code: not-of-drill"), "{}", scene.last());
    scene.types("cleo", "report inc-1 \"customers cannot pay\"");
    assert!(scene.last().contains("1st report of inc-1"), "{}", scene.last());
    scene.types("ben", "report orders \"it really fails\"");
    assert!(scene.last().contains("1 of 3"), "what is real belongs to no drill: {}", scene.last());
}
