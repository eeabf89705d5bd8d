use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::sample::{SECRET, at, drafted, incident, moment, notice, owed, person, published};
use super::*;
use crate::incident::input::{Answer, NotFor};
use crate::incident::model::{
    About, Audience, Cause, Delivery, End, Incident, IncidentId, Owed, Part, Severity, Status, Trouble,
};
use crate::incident::{Event, Refusal, Says, Stamped};
use crate::plan::Digest;
use crate::policy::decide::Denial;
use crate::run::RunId;
use crate::runbook::source::name::{PathName, Role};
use crate::wording::page::{Below, Block, Page, Row};

/// A page as lines, as plain as can be: how it is drawn is the console's.
fn lines(page: &Page) -> String {
    let text = |spans: &[crate::wording::page::Span]| {
        spans.iter().map(|span| span.text.as_str()).collect::<String>()
    };
    let row = |row: &Row| {
        let cells: Vec<_> = row.cells.iter().map(|cell| text(cell)).collect();
        let below = row.below.iter().map(|below| match below {
            Below::Text(text) | Below::Foreign(text) | Below::Rule(text) => format!("    {text}"),
        });
        std::iter::once(cells.join(" | ")).chain(below).collect::<Vec<_>>().join("\n")
    };
    let block = |block: &Block| match block {
        Block::Head { state, about, right } => format!("{} {} ({right})", state.text(), about.join(" · ")),
        Block::Text(spans) | Block::Verbatim(spans) => text(spans),
        Block::Fields(fields) => {
            let fields: Vec<_> = fields.iter().map(|(label, it)| format!("{label}: {}", text(it))).collect();
            fields.join("\n")
        }
        Block::Table(table) => table.rows.iter().map(row).collect::<Vec<_>>().join("\n"),
        Block::Next { commands, note } => format!("Next: {} ({note})", commands.join(", ")),
        Block::Code(code) => format!("code: {code}"),
        Block::Script(script) => script.join("\n"),
        other => format!("{other:?}"),
    };
    page.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn said(at_second: &str, by: Option<&str>, event: Event) -> Stamped {
    Stamped { at: at(&format!("2026-11-18T03:{at_second}+01:00")), by: by.map(person), event }
}

/// Support has not answered, ana has; one path took a page and one did not.
fn at_work() -> Incident {
    let mut it = incident();
    it.parts.insert(Part::Commander, person("ana"));
    it.acknowledged = Some((at("2026-11-18T03:10:00+01:00"), person("ana")));
    it.known_by.insert(person("ana"), at("2026-11-18T03:10:00+01:00"));
    it.obligations[0].end = Some(End::Met(Some(person("ana"))));
    it.obligations[1].late = Some(at("2026-11-18T03:19:00+01:00"));
    it.obligations.push(owed(5, Owed::Postmortem, "on-call", "2026-11-20T03:09:00+01:00"));
    it.obligations[4].end = Some(End::Waived(person("ana"), "a false alarm".to_owned()));
    let mut accepted = notice(About::Call(2), Audience::Support);
    accepted.delivery = Delivery::Accepted(at("2026-11-18T03:09:05+01:00"));
    let mut failed = notice(About::Call(2), Audience::Support);
    failed.number = 2;
    failed.way.path = PathName::new("mail").unwrap();
    failed.delivery = Delivery::Failed("550 no such user".to_owned());
    let mut alarm = notice(About::Alarm("nobody of support answers".to_owned()), Audience::Operator);
    alarm.number = 3;
    alarm.to = None;
    alarm.way.path = PathName::new("siren").unwrap();
    alarm.delivery = Delivery::Waiting(at("2026-11-18T03:09:00+01:00"));
    it.notices = vec![accepted, failed, alarm];
    it
}

fn story() -> Vec<Stamped> {
    let support = Role::new("support").unwrap();
    let step = |step, people: &[&str]| Event::CallStep {
        obligation: 2,
        step,
        round: 0,
        people: people.iter().map(|name| person(name)).collect(),
        next: at("2026-11-18T03:14:00+01:00"),
    };
    vec![
        said("09:00", None, Event::IncidentOpened(incident().opened)),
        said(
            "09:00",
            None,
            Event::ObligationBegan {
                owed: Owed::Acknowledged,
                who: support,
                due: at("2026-11-18T03:19:00+01:00"),
                holds_back: None,
            },
        ),
        said("09:00", None, step(0, &["sue"])),
        said("09:05", None, Event::NoticeAccepted { notice: 1, id: None }),
        said("09:06", None, Event::NoticeFailed { notice: 2, why: "550 no such user".to_owned() }),
        said(
            "10:00",
            Some("ana"),
            Event::IncidentAcknowledged {
                roles: vec![Role::new("on-call").unwrap()],
                how: "console".to_owned(),
            },
        ),
        said("11:00", Some("ana"), Event::IncidentPart { part: Part::Commander, person: person("ana") }),
        said("12:00", None, Event::IncidentRun { run: RunId(142), trouble: Trouble::Stopped }),
        said("19:00", None, Event::ObligationLate { obligation: 2 }),
        said("19:00", None, step(1, &[])),
        said("31:00", Some("cleo"), Event::IncidentPublished { text: "Orders work again.".to_owned() }),
        said("40:00", Some("ana"), Event::IncidentStatus { status: Status::Monitoring }),
    ]
}

fn customers_wait(over: bool, draft: Option<&str>) -> Refusal {
    Refusal::CustomersWait {
        read: "Orders fail.".to_owned(),
        over,
        draft: draft.map(|text| (text.to_owned(), Digest::of(&text))),
        owed: over.then_some(7),
    }
}

#[test]
fn a_card_says_where_it_stands_what_is_owed_and_who_was_told() {
    let page = card(&at_work(), &["Run 142 on orders: step 3 of 5.".to_owned()], &Post::default(), &moment());

    insta::assert_snapshot!(lines(&page), @r#"
    ! investigating inc-31 · sev1 · Order processing (since 03:09 CET (in 0 s))
    What: failover-database on pg1-rm-rf
    Opened: by run 142, which FAILED: step 3 on pg1-rm-rf
    Now: Run 142 on orders: step 3 of 5.
    Roles: commander ana · communications nobody · support-liaison nobody
    Known by: ana for on-call (03:10 CET)
    Draft: "a draft that nobody published" Nobody reads it before incident publish inc-31 d27f6310.
    News: pg1-rm-rf does not answer (ana, 03:09 CET)
    Told: sue: chat accepted 03:09 CET, mail NOT SENT: 550 no such user
    Told: last resort: siren waits
    1 | + done | the answer of on-call | on-call | 03:14 CET
        by ana
    2 | ! LATE | the answer of support | support | 03:19 CET (in 10 min)
    3 | . owed | the word to customers | on-call | 03:24 CET (in 15 min)
    4 | . owed | the next news | on-call | 03:39 CET (in 30 min)
    5 | - waived | the postmortem | on-call | 2026-11-20 03:09 CET
        ana: a false alarm
    Next: incident ack inc-31 (says that you know)
    "#);
}

#[test]
fn a_new_one_asks_first_whether_somebody_knows() {
    let page = card(&incident(), &[], &Post::default(), &moment());

    assert_eq!(page.commands(), ["incident ack inc-31"]);
    assert!(lines(&page).contains("nobody has said that they know"), "{}", lines(&page));
}

#[test]
fn a_card_of_a_drill_says_so_before_anything_else() {
    let mut drill = incident();
    drill.opened.drill = Some(vec![person("ana"), person("ben")]);

    let page = lines(&card(&drill, &[], &Post::default(), &moment()));

    assert!(page.starts_with("! investigating inc-31 · [DRILL] sev1 · Order processing"), "{page}");
    assert!(page.contains("Only ana, ben are told. Nothing of it goes to customers."), "{page}");
}

#[test]
fn the_list_names_each_and_what_is_owed_first() {
    let mut planned = incident();
    planned.id = IncidentId(32);
    planned.severity = Severity::Planned;
    planned.obligations.clear();
    let open = [Arc::new(at_work()), Arc::new(planned)];

    insta::assert_snapshot!(lines(&section(&open, &moment())), @"
    INCIDENTS
    ! investigating | inc-31 | sev1 | Order processing | ana commands | 0 s
        failover-database on pg1-rm-rf
    : planned | inc-32 | planned | Order processing | nobody commands | 0 s
        failover-database on pg1-rm-rf
    OWED
    ! LATE | the answer of support | inc-31 | 03:19 CET (in 10 min)
    . owed | the word to customers | inc-31 | 03:24 CET (in 15 min)
    . owed | the next news | inc-31 | 03:39 CET (in 30 min)
    ");
    assert_eq!(
        lines(&list(&[], &moment())),
        "No incident is open.\nNext: incident open sev2 \"…\" (opens one and calls who is on duty)"
    );
}

#[test]
fn a_timeline_leaves_the_post_out_and_names_what_is_late() {
    let of_runs = vec![Line {
        at: at("2026-11-18T03:09:30+01:00"),
        text: "run 142: pg2 is the primary.".to_owned(),
        is_late: false,
    }];

    let all = timeline::lines(&at_work(), &story(), of_runs);

    insta::assert_snapshot!(lines(&timeline(&at_work(), &all, &moment())), @r#"
    ! investigating inc-31 · sev1 · Order processing (since 03:09 CET)
    03:09:00 CET | opened sev1, by run 142, which FAILED: step 3 on pg1-rm-rf
    03:09:00 CET | called sue for the answer of support, step 1
    03:09:06 CET | NOT SENT, to sue over mail: 550 no such user
    03:09:30 CET | run 142: pg2 is the primary.
    03:10:00 CET | ana acknowledged for on-call, at the console
    03:11:00 CET | ana is commander
    03:12:00 CET | run 142, which was stopped
    03:19:00 CET | LATE: the answer of support
    03:19:00 CET | nobody is on duty to be called for the answer of support: the next ones at once
    03:31:00 CET | cleo published: "Orders work again."
    03:40:00 CET | ana: monitoring
    Next: notify log inc-31 (who was told, over which path)
    Next: incident export inc-31 (the draft of the postmortem)
    "#);
}

#[test]
fn the_log_says_what_became_of_each_notice_and_when_its_person_answered() {
    let mut it = at_work();
    it.notices[0].delivery = Delivery::Waiting(at("2026-11-18T03:10:00+01:00"));
    let mut news = notice(About::Update(1), Audience::Support);
    news.number = 4;
    news.way.path = PathName::new("post").unwrap();
    it.notices.push(news);
    let mut later = notice(About::Late(2), Audience::Support);
    later.queued = at("2026-11-18T03:19:00+01:00");
    later.number = 5;
    later.way.path = PathName::new("desk").unwrap();
    it.notices.push(later);
    let delayed = Event::NoticeDelayed {
        notice: 1,
        why: "429 too many requests".to_owned(),
        again: at("2026-11-18T03:10:00+01:00"),
    };
    let answer = Event::IncidentAcknowledged { roles: Vec::new(), how: "console".to_owned() };
    let post = Post::of(&[said("09:05", None, delayed), said("16:00", Some("sue"), answer)]);

    let known = card(&it, &[], &post, &moment());
    assert!(lines(&known).contains("chat waits until 03:10 CET: 429 too many requests"), "{}", lines(&known));
    insta::assert_snapshot!(lines(&log::log(&[(Arc::new(it), post)], &moment())), @"
    03:09:00 CET | inc-31 | sue | chat | . waiting | call for the answer of support | 03:16 CET
        waits until 03:10 CET: 429 too many requests
    03:09:00 CET | inc-31 | sue | mail | ! NOT SENT | call for the answer of support | 03:16 CET
        NOT SENT: 550 no such user
    03:09:00 CET | inc-31 | last resort | siren | . waiting | alarm: nobody of support answers | 
        waits
    03:09:00 CET | inc-31 | sue | post | ! NOT SENT | news 1 | 
        NOT SENT: pg1-rm-rf
    03:19:00 CET | inc-31 | sue | desk | ! NOT SENT | the answer of support is late | 
        NOT SENT: pg1-rm-rf
    Accepted means that a path took it. Only who has answered knows.
    ");
}

#[test]
fn a_card_says_why_each_waits_when_people_answered_and_no_address() {
    let mut it = at_work();
    it.notices[0].delivery = Delivery::Waiting(at("2026-11-18T03:10:00+01:00"));
    it.notices[1].delivery = Delivery::Failed(format!(
        "550 {SECRET} <sue@example.org>: no such user, see https://mail.example/why"
    ));
    let mut behind = notice(About::Update(1), Audience::Support);
    (behind.number, behind.delivery) = (4, Delivery::Waiting(at("2026-11-18T03:09:00+01:00")));
    it.notices.push(behind);
    let away = Event::NoticeDelayed {
        notice: 1,
        why: "Discord cannot be reached: 503".to_owned(),
        again: at("2026-11-18T03:10:00+01:00"),
    };
    let answer = Event::IncidentAcknowledged { roles: Vec::new(), how: "console".to_owned() };
    let post = Post::of(&[said("09:05", None, away), said("16:00", Some("sue"), answer)]);

    let known = lines(&card(&it, &[], &post, &moment()));
    let told: Vec<_> = known.lines().filter(|line| line.starts_with("Told: ")).collect();

    assert_eq!(
        told,
        [
            "Told: sue: chat waits behind another, which waits until 03:10 CET: Discord cannot be reached: 503, \
             mail NOT SENT: 550 … … no such user, see …; acknowledged 03:16 CET",
            "Told: last resort: siren waits",
        ]
    );
}

#[test]
fn what_many_read_of_a_notice_that_was_not_sent_names_no_address() {
    let it = at_work();
    let why = format!("550 {SECRET} <sue@example.org>: no such user, see https://mail.example/why");
    let events = [
        said("09:06", None, Event::NoticeFailed { notice: 2, why: why.clone() }),
        said("09:07", None, Event::NoticeUnknown { notice: 2, why, again: at("2026-11-18T03:10:00+01:00") }),
    ];

    let lines: Vec<_> = timeline::lines(&it, &events, Vec::new()).into_iter().map(|line| line.text).collect();

    assert_eq!(
        lines,
        [
            "NOT SENT, to sue over mail: 550 … … no such user, see …",
            "not known whether it was sent, to sue over mail: 550 … … no such user, see …; sent again",
        ]
    );
    let why = "3 tries failed, the last one: 550 <sue@example.org>: no such user".to_owned();
    let cause = said::cause(&Cause::Watch { why, path: None });
    assert_eq!(cause, "by the watch over the paths: 3 tries failed, the last one: 550 … no such user");
}

#[test]
fn the_draft_of_the_postmortem_has_facts_and_places_for_people() {
    let mut it = at_work();
    it.published.push(published("Orders work again."));
    let all = timeline::lines(&it, &story(), Vec::new());

    insta::assert_snapshot!(lines(&export(&it, &story(), &[], &all, &moment().zone)), @r#"
    # inc-31 sev1: Order processing

    DRAFT, from the journal. `___` is for people to fill in.

    - Severity: sev1
    - What: failover-database on pg1-rm-rf
    - Opened: 2026-11-18 03:09:00 CET, by run 142, which FAILED: step 3 on pg1-rm-rf
    - Commander: ana
    - Customers read from 2026-11-18 03:31:00 CET, by cleo: "Orders work again."
    - Impact on customers, from when until when, as measured: ___

    ## How long it took

    | time to | took | at | counted |
    |---|---|---|---|
    | detect | ___ | ___ | since customers felt it |
    | tell | 5 s | 2026-11-18 03:09:05 CET | until a path took the first notice |
    | acknowledge | 1 min | 2026-11-18 03:10:00 CET | until a person said that they know |
    | mitigate | 31 min | 2026-11-18 03:40:00 CET | until somebody said that it seems to be over |
    | resolve | ___ | ___ | until it was over |

    ## Timeline

    - 2026-11-18 03:09:00 CET opened sev1, by run 142, which FAILED: step 3 on pg1-rm-rf
    - 2026-11-18 03:09:00 CET called sue for the answer of support, step 1
    - 2026-11-18 03:09:06 CET NOT SENT, to sue over mail: 550 no such user
    - 2026-11-18 03:10:00 CET ana acknowledged for on-call, at the console
    - 2026-11-18 03:11:00 CET ana is commander
    - 2026-11-18 03:12:00 CET run 142, which was stopped
    - 2026-11-18 03:19:00 CET LATE: the answer of support
    - 2026-11-18 03:19:00 CET nobody is on duty to be called for the answer of support: the next ones at once
    - 2026-11-18 03:31:00 CET cleo published: "Orders work again."
    - 2026-11-18 03:40:00 CET ana: monitoring

    ## What ran

    No run belongs to it.

    ## Who was told, and when

    Accepted means that a path took it; only who answered knew.

    | queued | who | path | about | what became of it | answered |
    |---|---|---|---|---|---|
    | 2026-11-18 03:09:00 CET | sue | chat | call for the answer of support | accepted 2026-11-18 03:09 CET |  |
    | 2026-11-18 03:09:00 CET | sue | mail | call for the answer of support | NOT SENT: 550 no such user |  |
    | 2026-11-18 03:09:00 CET | last resort | siren | alarm: nobody of support answers | waits until 2026-11-18 03:09 CET |  |

    ## What was owed

    | what | who | due | ended |
    |---|---|---|---|
    | the answer of on-call | on-call | 2026-11-18 03:14:00 CET | done by ana |
    | the answer of support | support | 2026-11-18 03:19:00 CET | is owed still |
    | the word to customers | on-call | 2026-11-18 03:24:00 CET | is owed still |
    | the next news | on-call | 2026-11-18 03:39:00 CET | is owed still |
    | the postmortem | on-call | 2026-11-20 03:09:00 CET | waived by ana: a false alarm |

    ## What people have to say

    - Why it happened: ___
    - What helped: ___
    - What did not: ___
    - What we change, who does it, by when: ___
    "#);
}

#[test]
fn who_may_not_say_something_reads_who_may_and_who_publishes_reads_the_draft() {
    let digest = incident().draft_digest().unwrap();
    let not = |unknown| NotFor {
        part: Part::Commander,
        person: person("dora"),
        roles: vec![Role::new("sre").unwrap(), Role::new("on-call").unwrap()],
        next: vec![person("ana"), person("rob")],
        unknown,
    };
    let text = || "Orders fail.".to_owned();
    let denied = Denial::NoRole {
        deed: "Resolving an incident",
        needs: vec!["sre".to_owned()],
        has: vec!["dev".to_owned()],
        next: vec![person("rob")],
    };
    let refusals = [
        Refusal::Denied(denied),
        Refusal::NotFor(not(None)),
        Refusal::NotFor(not(Some("`sre` is given on Discord, which has not been asked".to_owned()))),
        Refusal::DraftUnread { text: text(), digest: digest.clone() },
        Refusal::DraftChanged { text: text(), digest },
    ];
    let mut all = Vec::new();
    for refusal in &refusals {
        let page = refusal::of_incident(refusal, Some(IncidentId(31)), &moment());
        assert_eq!(page.refusal_code(), Some(refusal.code()));
        all.push(lines(&page));
    }

    insta::assert_snapshot!(all.join("\n\n"), @r#"
    Refused: resolving an incident needs the role sre; you have dev. Nothing changed.
    Next: rob.
    code: no-role

    Refused: to be commander of inc-31 needs the role sre or on-call, which dora does not have. Nothing changed.
    Next: ana, rob.
    code: no-role

    Refused: whether dora may be commander of inc-31 could not be found out. It needs the role sre or on-call, and `sre` is given on Discord, which has not been asked. Nothing changed.
    Next: ana, rob.
    code: role-unknown

    This is the draft of inc-31. Nothing is published yet.
    Draft: "Orders fail."
    Next: incident publish inc-31 d27f6310 (customers read exactly that)
    code: draft-unread

    Refused: the draft of inc-31 is another one by now. Nothing was published.
    Draft: "Orders fail."
    Next: incident publish inc-31 d27f6310 (customers read exactly that)
    code: draft-changed
    "#);
}

#[test]
fn every_refusal_has_its_code_and_says_what_to_do() {
    let refusals = [
        Refusal::Closed,
        Refusal::NotNow(Status::Resolved),
        Refusal::NotNow(Status::Investigating),
        Refusal::NoDraft,
        Refusal::Drill,
        Refusal::NotOwed(vec![2, 3]),
        Refusal::NotOwed(Vec::new()),
        Refusal::RunGoesOn(RunId(142)),
        customers_wait(false, None),
        customers_wait(true, Some("Orders work again.")),
        customers_wait(true, None),
        Refusal::TooShort(10),
        Refusal::TooLong(4_000),
        Refusal::Taken(Part::Commander, person("ben")),
        Refusal::Already(at("2026-11-18T03:10:00+01:00")),
    ];
    let mut all = Vec::new();
    for refusal in &refusals {
        for id in [Some(IncidentId(31)), None] {
            let page = refusal::of_incident(refusal, id, &moment());
            assert_eq!(page.refusal_code(), Some(refusal.code()));
            assert_eq!(page.commands().len(), 1, "{refusal:?}");
            if id.is_some() {
                all.push(lines(&page));
            }
        }
    }

    insta::assert_snapshot!(all.join("\n\n"), @r#"
    Refused: inc-31 is closed. Nothing changed.
    Next: incident open sev2 "…" (if it is back)
    code: incident-closed

    Refused: inc-31 is resolved already. Nothing changed.
    Next: incident investigating inc-31 (if it is back)
    code: not-now

    Refused: inc-31 is investigating now, and this does not fit that. Nothing changed.
    Next: incident status inc-31 (what is needed now)
    code: not-now

    Refused: inc-31 has no draft, so there is nothing to publish. Nothing changed.
    Next: incident draft inc-31 "…" (what customers are to read, word for word)
    code: no-draft

    Refused: inc-31 is a drill, and nothing of a drill goes to customers. Nothing changed.
    Next: incident status inc-31 (what else there is to practise)
    code: drill

    Refused: inc-31 owes nothing of that number. Owed are: 2, 3. Nothing changed.
    Next: incident status inc-31 (what each is)
    code: not-owed

    Refused: inc-31 owes nothing of that number. Nothing is owed. Nothing changed.
    Next: incident status inc-31 (what each is)
    code: not-owed

    Refused: run 142 belongs to inc-31 and goes on, so it is not over. Nothing changed.
    Next: status 142 (where it stands)
    code: run-goes-on

    Refused: customers have not been told that inc-31 is over. They read last: "Orders fail." Nothing changed.
    Next: incident monitoring inc-31 (if it is over; then the all-clear is drafted)
    code: customers-wait

    Refused: customers have not been told that inc-31 is over. They read last: "Orders fail." Nothing changed.
    If they know it otherwise: incident waive inc-31 7 "why".
    Draft: "Orders work again."
    Next: incident publish inc-31 bfc3e12b (customers read exactly that)
    code: customers-wait

    Refused: customers have not been told that inc-31 is over. They read last: "Orders fail." Nothing changed.
    If they know it otherwise: incident waive inc-31 7 "why".
    Next: incident draft inc-31 "…" (that it is over, word for word; then publish it)
    code: customers-wait

    Refused: that has fewer than 10 characters. Nothing changed.
    Next: incident status inc-31 (then say it for those who read it later)
    code: too-short

    Refused: that is longer than 4000 characters. Nothing changed.
    Next: incident status inc-31 (then say it shorter, or in two)
    code: too-long

    Refused: ben is commander of inc-31. Nothing changed.
    Next: incident take commander inc-31 (once they have said that you take over)
    code: taken

    Refused: you have said so at 03:10 CET. Nothing changed.
    Next: incident status inc-31 (what is owed now)
    code: already
    "#);
}

#[test]
fn whoever_says_something_hears_what_it_means_and_what_is_owed_next() {
    let it = at_work();
    let ana = person("ana");
    let says = |says: Says| lines(&heard(&it, &ana, &says, &moment()));

    insta::assert_snapshot!([
        says(Says::Acknowledge { how: "console".to_owned() }),
        says(Says::Take { part: Part::Commander, person: person("ben") }),
        says(Says::Update { text: "x".to_owned(), for_support: true }),
        says(Says::Draft { text: "x".to_owned() }),
        says(Says::Waive { obligation: 3, why: "no customer sees it.".to_owned() }),
        says(Says::Resolve),
        lines(&heard::opened(&it, None, &moment())),
    ].join("\n\n"), @"
    Recorded: ana knows of inc-31, and answers for on-call. Nobody is called for that any more.
    Owed next: the answer of support, due 03:19 CET (in 10 min).
    Next: incident status inc-31 ()

    ben is commander of inc-31 now. They have no way to be told: tell them yourself.
    Owed next: the answer of support, due 03:19 CET (in 10 min).
    Next: incident status inc-31 ()

    Recorded for operators and Support of inc-31. There is nobody else who can be told: tell them yourself.
    Owed next: the answer of support, due 03:19 CET (in 10 min).
    Next: incident status inc-31 ()

    The draft of inc-31 is as you said. Nobody reads it yet.
    Next: incident publish inc-31 d27f6310 (customers read exactly that)

    Number 3 of what inc-31 owes is waived: no customer sees it.
    Owed next: the answer of support, due 03:19 CET (in 10 min).
    Next: incident status inc-31 ()

    inc-31 is resolved. Whoever was called is told.
    Customers were told nothing of it.

    inc-31 is open: sev1, Order processing.
    Called: sue. They know once they have said so.
    Owed next: the answer of support, due 03:19 CET (in 10 min).
    Next: incident status inc-31 ()
    ");
}

#[test]
fn whoever_says_news_hears_who_is_told_of_it_and_who_is_not() {
    let mut it = at_work();
    let news = u32::try_from(it.updates.len()).unwrap();
    let heard = |it: &Incident, for_support| {
        let says = Says::Update { text: "x".to_owned(), for_support };
        lines(&heard(it, &person("ana"), &says, &moment())).lines().next().unwrap().to_owned()
    };

    let nobody = "There is nobody else who can be told: tell them yourself.";
    assert_eq!(heard(&it, false), format!("Recorded for the operators of inc-31. {nobody}"));
    assert_eq!(heard(&it, true), format!("Recorded for operators and Support of inc-31. {nobody}"));
    it.notices.push(notice(About::Update(news), Audience::Support));
    assert_eq!(heard(&it, false), "Recorded for the operators of inc-31, and told to sue.");
    assert_eq!(heard(&it, true), "Recorded for operators and Support of inc-31, and told to sue.");
}

#[test]
fn a_path_that_took_a_letter_proves_nothing_yet() {
    let pager = PathName::new("pager").unwrap();
    let tried = |answer: &Answer| lines(&log::tried(&pager, Some(&person("ana")), answer));

    let taken = tried(&Answer::Accepted(None));
    assert!(taken.contains("Whether it arrives is for ana to see") && !taken.contains("code:"), "{taken}");
    for answer in [
        Answer::NotNow("429".to_owned(), None),
        Answer::Never("410".to_owned()),
        Answer::Unknown("it broke".to_owned()),
    ] {
        assert!(tried(&answer).ends_with("code: path-red"), "{answer:?}");
    }
}

#[test]
fn what_people_typed_shows_what_it_hides() {
    let mut it = incident();
    it.opened.what = format!("{SECRET}\u{202e}\u{1b}[2J");
    it.draft = Some(drafted("a\u{200b}b"));
    let events = [Stamped {
        at: Timestamp::UNIX_EPOCH,
        by: Some(person("ana")),
        event: Event::IncidentUpdate { text: "\u{1b}]0;x".to_owned(), for_support: false },
    }];
    let all = timeline::lines(&it, &events, Vec::new());

    let zone = moment();
    assert_ne!(zone.zone, TimeZone::UTC);
    let pages = [
        card(&it, &[], &Post::default(), &zone),
        timeline(&it, &all, &zone),
        export(&it, &events, &[], &all, &zone.zone),
    ];

    for page in pages {
        assert!(!lines(&page).contains(['\u{202e}', '\u{1b}', '\u{200b}']), "{}", lines(&page));
    }
}

#[test]
fn what_is_published_says_to_how_many_places_it_goes() {
    let mut it = at_work();
    it.published.push(published("Orders work again."));
    let says = |it: &Incident| lines(&heard(it, &person("cleo"), &Says::Publish { digest: None }, &moment()));
    assert!(says(&it).contains("nobody outside reads it by this"), "{}", says(&it));

    let mut page = notice(About::Published(1), Audience::Public);
    page.number = 4;
    page.to = None;
    it.notices.push(page);

    assert!(says(&it).contains("It goes to 1 place, the status page."), "{}", says(&it));
    let card = lines(&card(&it, &[], &Post::default(), &moment()));
    assert!(card.contains("Told: status page: chat NOT SENT"), "{card}");
    assert!(card.contains("Told: last resort: siren waits"), "{card}");
}

#[test]
fn where_no_incident_is_open_the_log_offers_that_of_the_newest() {
    assert_eq!(
        lines(&log::none_open(Some(IncidentId(31)))),
        "No incident is open.\nNext: notify log inc-31 (who was told of the newest)"
    );
    assert_eq!(lines(&log::none_open(None)), "No incident is open.");
    assert_eq!(
        lines(&log::log(&[(Arc::new(incident()), Post::default())], &moment())),
        "Nobody was told anything of inc-31 yet: no notice was queued."
    );
}

#[test]
fn problems_of_notify_are_said_where_people_would_be_called() {
    let why = "notify.yaml has 2 problems";
    let mut it = at_work();
    let page = heard::opened(&it, Some(why), &moment());
    assert!(lines(&page).contains("notify.yaml has 2 problems; what was read before goes on."), "{page:?}");
    assert_eq!(page.commands()[0], "steadyhand check");

    it.notices.clear();
    let page = heard::opened(&it, Some(why), &moment());
    assert!(lines(&page).contains("notify.yaml has 2 problems; nobody can be called."), "{page:?}");
    assert!(!lines(&page).contains("nobody is on duty"), "{page:?}");

    let page = log::no_path("mail", &[], Some(why));
    assert_eq!(page.commands(), ["steadyhand check"]);
    assert!(!lines(&page).contains("no way to you."), "{page:?}");
}

#[test]
fn where_nothing_is_called_there_are_no_next_ones() {
    let page = refusal::nothing_called(IncidentId(31));

    assert!(lines(&page).starts_with("Refused: nothing is being called for inc-31."), "{page:?}");
    assert_eq!(page.refusal_code(), Some("not-owed"));
}

/// Customers have read of it, it seems to be over, and the all-clear is owed.
fn to_be_cleared() -> Incident {
    let mut it = incident();
    it.status = Status::Monitoring;
    it.published.push(published("Orders fail."));
    it.draft = Some(crate::incident::model::Draft { over: true, ..drafted("Orders work again.") });
    it.obligations.iter_mut().for_each(|it| it.end = Some(End::Void));
    it.obligations.push(owed(5, Owed::AllClear, "on-call", "2026-11-18T03:19:00+01:00"));
    it
}

#[test]
fn whoever_says_that_it_seems_to_be_over_or_publishes_hears_that_customers_wait() {
    let mut it = to_be_cleared();
    let digest = it.draft_digest().unwrap();
    let next = format!("incident publish inc-31 {}", digest.short());
    let ana = person("ana");
    let publish = || Says::Publish { digest: None };

    let page = heard(&it, &ana, &Says::Status { status: Status::Monitoring }, &moment());
    assert!(lines(&page).contains("Customers wait for the all-clear."), "{}", lines(&page));
    assert_eq!(page.commands(), [next.as_str()]);
    let page = heard(&it, &ana, &publish(), &moment());
    assert!(lines(&page).contains("drafted before it seemed to be over"), "{}", lines(&page));
    assert_eq!(page.commands(), [next.as_str()]);
    // A draft of before is none that they wait for.
    it.draft = Some(drafted("Orders fail since 03:05."));
    let page = heard(&it, &ana, &publish(), &moment());
    assert_eq!(page.commands(), ["incident draft inc-31 \"…\""]);

    it.published[0].over = true;
    assert_eq!(heard(&it, &ana, &publish(), &moment()).commands(), ["incident resolve inc-31"]);
    it.status = Status::Resolved;
    assert_eq!(heard(&it, &ana, &publish(), &moment()).commands(), ["incident status inc-31"]);
}

#[test]
fn the_card_of_planned_work_too_says_what_tells_customers_that_it_is_over() {
    let mut it = to_be_cleared();
    let next = format!("incident publish inc-31 {}", it.draft_digest().unwrap().short());
    for severity in [Severity::Sev2, Severity::Planned] {
        it.severity = severity;
        assert_eq!(card(&it, &[], &Post::default(), &moment()).commands(), [next.as_str()], "{severity:?}");
    }
}

#[test]
fn when_the_alerts_are_over_operators_read_a_word_that_is_taken() {
    let mut it = to_be_cleared();
    let about = notice(About::AlertsOver, Audience::Operator);
    let text = |it: &Incident| {
        let facts = crate::wording::notice::Facts::of(it, Vec::new());
        crate::wording::notice::words(it, &about, &facts, &moment()).text
    };
    assert!(text(&it).contains("any more: incident monitoring inc-31"), "{}", text(&it));
    it.published.clear();
    assert!(text(&it).contains("any more: incident resolve inc-31"), "{}", text(&it));
}
