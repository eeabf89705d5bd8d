//! Incidents in the journal: counted by themselves, in one chain with everything else; and journals that had none.

use std::collections::BTreeSet;

use steadyhand::duty::Way;
use steadyhand::incident::model::{About, Audience, Cause, Opened, Owed, Severity, Status};
use steadyhand::incident::{Event, IncidentId, Stamped};
use steadyhand::journal::entry::Broken;
use steadyhand::journal::{Append, AppendError, IncidentAppend, Journal, JournalView, NewEntry};
use steadyhand::run::RunId;
use steadyhand::runbook::source::name::{PathName, Role};

use super::{Folder, a_note, a_written_journal, wait_until_closed};
use crate::run::plans::{noon, person};

fn opened() -> Event {
    Event::IncidentOpened(Opened {
        cause: Cause::Person { by: person("ana"), why: "orders are slow".to_owned() },
        severity: Severity::Sev2,
        service: None,
        title: "Order processing".to_owned(),
        components: Vec::new(),
        what: "orders are slow".to_owned(),
        owner: Role::new("on-call").unwrap(),
        drill: None,
        news: None,
        follows: None,
    })
}

fn owed() -> Event {
    let who = Role::new("on-call").unwrap();
    Event::ObligationBegan { owed: Owed::Acknowledged, who, due: noon(), holds_back: None }
}

fn a_notice() -> Event {
    let way = Way {
        path: PathName::new("mail").unwrap(),
        address: "ben@example.com".to_owned(),
        depends_on: BTreeSet::new(),
    };
    let to = Some(person("ben"));
    Event::NoticeQueued { about: About::Call(1), audience: Audience::Operator, to, way }
}

/// Events of an incident that has so many before, as an append.
fn an_append(id: u64, expected: u64, open: bool, events: &[Event]) -> Append {
    let stamped = |event: &Event| Stamped { at: noon(), by: None, event: event.clone() };
    Append {
        incident: Some(IncidentAppend { id: IncidentId(id), expected, open }),
        entries: events.iter().map(|event| NewEntry::of_incident(&stamped(event), None)).collect(),
        ..Append::default()
    }
}

/// Writes into a journal, and closes it.
fn write(folder: &Folder, appends: Vec<Append>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = folder.open();
        for append in appends {
            journal.append(append).await.unwrap();
        }
    });
    wait_until_closed(&folder.path());
}

/// Makes it what a program of before had written.
fn as_version_1(folder: &Folder) {
    folder
        .raw()
        .execute_batch(
            "drop index entries_of_incident; alter table entries drop column incident; drop table incidents;
             delete from meta where key = 'incidents_from'; pragma user_version = 1;",
        )
        .unwrap();
}

#[test]
fn an_incident_is_read_back_as_its_events_made_it() {
    let folder = a_written_journal();
    let runs = folder.view().runs().unwrap();
    write(
        &folder,
        vec![
            an_append(1, 0, true, &[opened(), owed(), a_notice()]),
            a_note("status 9"),
            an_append(1, 3, true, &[Event::NoticeSending { notice: 1, attempt: 1, until: noon() }]),
            an_append(2, 0, false, &[opened(), Event::IncidentStatus { status: Status::Closed }]),
        ],
    );

    let view = folder.view();

    let incident = view.incident(IncidentId(1)).unwrap().unwrap();
    assert_eq!((incident.version, incident.notices.len(), incident.notices[0].attempts), (4, 1, 1));
    assert_eq!(view.incidents().unwrap(), [IncidentId(1), IncidentId(2)]);
    assert_eq!(view.open_incidents().unwrap(), [IncidentId(1)]);
    assert_eq!(view.next_incident().unwrap(), IncidentId(3));
    let entries = view.incident_entries(IncidentId(1)).unwrap();
    assert_eq!(entries.iter().filter_map(|entry| entry.nth).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(entries.iter().all(|entry| entry.run.is_none()));
    assert_eq!(view.runs().unwrap(), runs, "runs are counted by themselves");
    assert!(view.incident(IncidentId(3)).unwrap().is_none());
    let verified = view.verify().unwrap();
    assert!(verified.holds(), "{verified:?}");
}

#[tokio::test]
async fn whoever_is_late_writes_nothing_of_an_incident() {
    let folder = Folder::new();
    let journal = folder.open();
    journal.append(an_append(1, 0, true, &[opened()])).await.unwrap();

    let late = journal.append(an_append(1, 0, true, &[opened(), owed()])).await.unwrap_err();

    let conflict = AppendError::IncidentConflict { incident: IncidentId(1), expected: 0, stored: 1 };
    assert_eq!(late, conflict);
    assert_eq!(folder.view().entries().unwrap().len(), 1);
}

#[test]
fn an_edit_beside_the_entries_of_an_incident_is_found() {
    let written = || {
        let folder = Folder::new();
        write(&folder, vec![an_append(1, 0, true, &[opened(), owed()])]);
        folder
    };
    let broken = |sql: &str| {
        let folder = written();
        assert_eq!(folder.raw().execute(sql, []).unwrap(), 1);
        folder.view().verify().unwrap()
    };

    let of_another = broken("update entries set incident = 2 where seq = 2");
    assert_eq!(of_another.broken, Some((2, Broken::Index("the incident".to_owned()))));
    for sql in [
        "update incidents set open = 0",
        "update incidents set version = 3",
        "delete from incidents",
        "insert into incidents values (2, 1, 1)",
    ] {
        assert_eq!(broken(sql).beside, ["The table of incidents is not what the entries say."], "{sql}");
    }
}

#[test]
fn a_journal_without_incidents_is_read_as_one_and_upgraded_when_it_is_written() {
    let folder = a_written_journal();
    as_version_1(&folder);
    let before = folder.view();
    let entries = before.entries().unwrap();

    assert!(before.verify().unwrap().holds());
    assert_eq!(before.runs().unwrap().len(), 2);
    assert!(before.run(RunId(1)).unwrap().is_some());
    assert!(before.incidents().unwrap().is_empty() && before.incident(IncidentId(1)).unwrap().is_none());
    assert_eq!(before.next_incident().unwrap(), IncidentId(1));
    assert_eq!(version(&folder), 1, "looking changes nothing");

    write(&folder, vec![an_append(1, 0, true, &[opened()])]);

    assert_eq!(version(&folder), 2);
    let view = folder.view();
    assert!(view.verify().unwrap().holds());
    assert_eq!(view.entries().unwrap()[..entries.len()], entries, "what stood there stands there");
    assert_eq!(view.incidents_from().unwrap(), entries.len() as u64);
    assert_eq!(before.incidents().unwrap(), [IncidentId(1)], "who had it open sees what is new");
    assert!(before.verify().unwrap().holds());
}

#[test]
fn a_new_journal_had_incidents_from_its_first_entry_on() {
    let folder = Folder::new();
    let view = Journal::open(&folder.path(), false).unwrap().view().clone();

    assert_eq!(JournalView::incidents_from(&view).unwrap(), 0);
}

fn version(folder: &Folder) -> i64 {
    folder.raw().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}
