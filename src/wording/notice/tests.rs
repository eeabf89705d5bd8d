use proptest::prelude::*;

use super::*;
use crate::incident::model::{About, Cause, Incident, News, Part, Severity, Status, Trouble, Update};
use crate::incident::report::{Alert, Of, Report, Reported, Source};
use crate::run::RunId;
use crate::runbook::source::literal::Millis;
use crate::wording::incident::sample::{SECRET, drafted, incident, moment, notice, person, published};

fn said(incident: &Incident, about: About, audience: Audience) -> String {
    let facts = Facts { ..Facts::of(incident, vec![format!("Run 142 on orders: step 3 of 5 on {SECRET}")]) };
    let words = words(incident, &notice(about, audience), &facts, &moment());
    format!("{}\n{}\n\n{}", words.subject, words.title, words.text)
}

#[test]
fn support_reads_what_customers_see_and_what_to_say() {
    insta::assert_snapshot!(said(&incident(), About::Call(2), Audience::Support), @r#"
    inc-31 Order processing
    sev1: Order processing. Say by 03:19 CET that Support knows.

    Support must know of this. Say that you know by 03:19 CET.

    Customers see: they cannot use Order processing. Known since 03:09 CET.

    Say: "There is a problem with Order processing. We are working on it. News by 03:39 CET."

    Do not say: a cause, a time when it is over, or that nothing was lost. None of these is known yet.

    Next news: by 03:39 CET.

    To say that you know: incident ack inc-31
    "#);
}

#[test]
fn support_reads_that_planned_work_waits_for_them() {
    let mut planned = incident();
    planned.severity = Severity::Planned;
    planned.obligations[1].holds_back = Some(RunId(142));

    insta::assert_snapshot!(said(&planned, About::Call(2), Audience::Support), @r#"
    inc-31 Order processing
    Planned work: Order processing. Say by 03:19 CET that Support knows.

    Planned work waits until Support knows of it. Say that you know by 03:19 CET: before that it does not begin.

    Customers see: nothing, as far as is planned. The work is on Order processing.

    Say: "There is planned work on Order processing. News by 03:39 CET."

    Do not say: when the work is over, or that nobody will notice it. Neither is sure.

    Next news: by 03:39 CET.

    To say that you know: incident ack inc-31
    "#);
}

#[test]
fn an_operator_reads_what_it_is_and_what_is_owed() {
    insta::assert_snapshot!(said(&incident(), About::Call(1), Audience::Operator), @"
    inc-31 Order processing
    inc-31 sev1 Order processing: you are called. Say by 03:14 CET that you know.

    You are called until somebody says that they know. A message that arrived proves nothing.

    What: failover-database on pg1-rm-rf.

    Since: 03:09 CET, by run 142, which FAILED: step 3 on pg1-rm-rf.

    Runs: Run 142 on orders: step 3 of 5 on pg1-rm-rf.

    Where it stands: investigating, nobody commands, nobody has said that they know.

    Owed: the answer of on-call, due 03:14 CET; the answer of support, due 03:19 CET; the word to customers, due 03:24 CET; the next news, due 03:39 CET.

    Next: incident ack inc-31, then incident status inc-31
    ");
}

#[test]
fn an_operator_reads_that_nobody_answers() {
    let about = About::Alarm("nobody of support is on duty, and on-call has not answered".to_owned());

    insta::assert_snapshot!(said(&incident(), about, Audience::Operator), @"
    inc-31 Order processing
    inc-31 sev1 Order processing: nobody of support is on duty, and on-call has not answered.

    What: failover-database on pg1-rm-rf.

    Since: 03:09 CET, by run 142, which FAILED: step 3 on pg1-rm-rf.

    Runs: Run 142 on orders: step 3 of 5 on pg1-rm-rf.

    Where it stands: investigating, nobody commands, nobody has said that they know.

    Owed: the answer of on-call, due 03:14 CET; the answer of support, due 03:19 CET; the word to customers, due 03:24 CET; the next news, due 03:39 CET.

    Next: incident ack inc-31, then incident status inc-31
    ");
}

#[test]
fn whoever_is_made_something_reads_what_and_by_whom_each_in_their_words() {
    let by = || person("ana");
    insta::assert_snapshot!(said(&incident(), About::Made { part: Part::Commander, by: by() }, Audience::Operator), @"
    inc-31 Order processing
    inc-31 sev1 Order processing: ana has made you commander.

    You decide what is done from now on. If that cannot be, tell ana, or hand it on.

    What: failover-database on pg1-rm-rf.

    Since: 03:09 CET, by run 142, which FAILED: step 3 on pg1-rm-rf.

    Runs: Run 142 on orders: step 3 of 5 on pg1-rm-rf.

    Where it stands: investigating, nobody commands, nobody has said that they know.

    Owed: the answer of on-call, due 03:14 CET; the answer of support, due 03:19 CET; the word to customers, due 03:24 CET; the next news, due 03:39 CET.

    Next: incident status inc-31
    ");
    let liaison = said(&incident(), About::Made { part: Part::SupportLiaison, by: by() }, Audience::Support);
    let begin: Vec<&str> = liaison.lines().take(4).collect();
    insta::assert_snapshot!(begin.join("\n"), @"
    inc-31 Order processing
    sev1: Order processing. ana has made you support-liaison.

    You speak for Support from now on. If that cannot be, tell ana.
    ");
}

#[test]
fn the_public_reads_exactly_what_was_published() {
    let mut incident = incident();
    let text = "Placing orders fails since 03:05 CET.\n\nNews by 03:40 CET.".to_owned();
    incident.published.push(published(&text));

    let facts = Facts::of(&incident, Vec::new());
    let public = words(&incident, &notice(About::Published(1), Audience::Public), &facts, &moment());

    assert_eq!(public.text, text);
    assert_eq!(public.title, "Order processing");
    let pictures = "\u{26a0}\u{fe0f} Orders fail \u{1f469}\u{200d}\u{1f692}".to_owned();
    incident.published = vec![published(&format!("{pictures}, or\u{200d}ders\u{202e}"))];
    let public = words(&incident, &notice(About::Published(1), Audience::Public), &facts, &moment());
    assert_eq!(public.text, format!("{pictures}, or\\u200dders\\u202e"));
    incident.published = vec![published(&text)];
    let support = words(&incident, &notice(About::Call(2), Audience::Support), &facts, &moment());
    let say = "Say: \"Placing orders fails since 03:05 CET. News by 03:40 CET.\"";
    assert!(support.text.contains(say), "{}", support.text);
}

#[test]
fn every_line_of_a_drill_says_so() {
    let mut drill = incident();
    drill.opened.drill = Some(vec![person("ana")]);
    for audience in [Audience::Operator, Audience::Support] {
        let text = said(&drill, About::Call(2), audience);

        assert!(
            text.lines().filter(|line| !line.is_empty()).all(|line| line.starts_with("[DRILL] ")),
            "{text}"
        );
    }
}

fn about() -> impl Strategy<Value = About> {
    let by_number = prop_oneof![
        (0_u32..6).prop_map(About::Call),
        (0_u32..6).prop_map(About::Reminder),
        (0_u32..6).prop_map(About::Late),
        (0_u32..4).prop_map(About::Update),
        (0_u32..4).prop_map(About::Published),
        (0_u32..4).prop_map(About::Report),
        Just(About::AlertsOver),
    ];
    let alarm = Just(About::Alarm(format!("nobody at {SECRET} answers")));
    let made = Just(About::Made { part: Part::SupportLiaison, by: person("ana") });
    prop_oneof![by_number, alarm, made, Just(About::Acknowledged), Just(About::Resolved)]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let text = || format!("step 3 on {SECRET}");
    prop_oneof![
        Just(Trouble::Starts),
        Just(Trouble::Failed(text())),
        Just(Trouble::Unknown(text())),
        Just(Trouble::Overdue(text())),
        Just(Trouble::Stalled(text())),
        Just(Trouble::WatchBroke(text())),
        Just(Trouble::Stopped),
        Just(Trouble::EndedBadly(text())),
        Just(Trouble::Parked(text())),
    ]
}

/// By a person and by an alert: neither is for Support, though Support may have said the first.
fn reports() -> Vec<Report> {
    let alert = Alert {
        fingerprint: "a1".to_owned(),
        name: SECRET.to_owned(),
        since: Timestamp::UNIX_EPOCH,
        severity: Some(SECRET.to_owned()),
    };
    let report = |source| Report {
        entry: 1,
        at: Timestamp::UNIX_EPOCH,
        said: Reported {
            source,
            of: Of::Unknown(SECRET.to_owned()),
            words: SECRET.to_owned(),
            incident: None,
            drill: false,
            over: false,
        },
    };
    vec![report(Source::Person(person("sue"))), report(Source::Alert(alert))]
}

fn any_incident() -> impl Strategy<Value = Incident> {
    let cause = prop_oneof![
        trouble().prop_map(|trouble| Cause::Run { run: RunId(142), trouble }),
        Just(Cause::Person { by: person("ana"), why: SECRET.to_owned() }),
        Just(Cause::Watch { why: SECRET.to_owned(), path: None }),
        Just(Cause::Reports { reports: reports() }),
    ];
    let severity =
        prop::sample::select(vec![Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Planned]);
    let status = prop::sample::select(vec![
        Status::Investigating,
        Status::Identified,
        Status::Monitoring,
        Status::Resolved,
        Status::Closed,
    ]);
    let updates = prop::collection::vec(any::<bool>(), 0..4);
    (cause, severity, status, updates, any::<[bool; 4]>()).prop_map(
        |(cause, severity, status, updates, [news, resolved, is_published, known])| {
            let mut it = incident();
            it.opened.cause = cause;
            it.reports = reports();
            (it.severity, it.status) = (severity, status);
            it.resolved = resolved.then_some(it.since);
            it.acknowledged = known.then(|| (it.since, person("ana")));
            it.updates = updates
                .into_iter()
                .map(|for_support| Update {
                    at: it.since,
                    by: person("ana"),
                    text: if for_support { "for them".to_owned() } else { SECRET.to_owned() },
                    for_support,
                })
                .collect();
            if news {
                it.opened.news = Some(News { every: Millis(60_000), say: "We are at it.".to_owned() });
            }
            if is_published {
                it.published.push(published("We know."));
            }
            it.draft = Some(drafted(SECRET));
            it.obligations[0].end =
                Some(crate::incident::model::End::Waived(person("ana"), SECRET.to_owned()));
            it
        },
    )
}

proptest! {
    #[test]
    fn nothing_of_the_operators_reaches_support_or_the_public(incident in any_incident(), about in about()) {
        for audience in [Audience::Support, Audience::Public] {
            let text = said(&incident, about.clone(), audience);

            prop_assert!(!text.contains(SECRET) && !text.contains("run 142"), "{audience:?}: {text}");
        }
        // It is looked for where it stands.
        prop_assert!(said(&incident, about, Audience::Operator).contains(SECRET));
    }
}

#[test]
fn a_late_notice_says_which_word_ends_what_is_late() {
    let mut it = incident();
    let next = |it: &Incident, number| {
        let text = said(it, About::Late(number), Audience::Operator);
        text.lines().last().unwrap_or_default().to_owned()
    };

    assert_eq!(next(&it, 1), "Next: incident ack inc-31, then incident status inc-31");
    assert_eq!(next(&it, 3), "Next: incident publish inc-31, then incident status inc-31");
    assert_eq!(next(&it, 4), "Next: incident update inc-31 \"…\" for=support, then incident status inc-31");
    it.draft = None;
    assert_eq!(
        next(&it, 3),
        "Next: incident draft inc-31 \"…\", then incident publish inc-31, then incident status inc-31"
    );
}
