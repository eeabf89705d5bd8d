//! The journal does not take what happens: nothing begins unrecorded, and it is said.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::model::{Outcome, Phase};

use crate::stage::{Answer, PLANNED, Scene};

/// Every write fails as on a full disk: a table whose numbers are used up says the same to the database.
pub(crate) const FULL: &str = "create table used_up (id integer primary key autoincrement);
    insert into used_up values (9223372036854775807);
    create trigger full before insert on entries begin insert into used_up (id) values (null); end;";
pub(crate) const ROOM: &str = "drop trigger full; drop table used_up;";
/// Every write fails so that nobody knows what was written.
const BROKEN: &str =
    "create trigger broken before insert on entries begin select raise(fail, 'disk I/O error'); end;";

fn database(scene: &Scene, sql: &str) {
    rusqlite::Connection::open(scene.journal_path()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn nothing_begins_on_a_full_disk() {
    let mut scene = Scene::of_orders();
    database(&scene, FULL);

    let came_out = scene.says("ana", PLANNED);
    scene.says("ana", "status");
    database(&scene, ROOM);
    scene.says("ana", PLANNED);

    assert_eq!(came_out, CameOut::Broke);
    assert!(scene.run(1).token.is_some());
    scene.nothing_was_sent();
    scene.ends_before("\nana> run failover-database cluster=orders candidate=pg2 mode=planned reason=\"planned move to the new rack\"\n: off");
    scene.reads("disk-full");
}

#[test]
fn an_agreement_that_is_not_recorded_is_none() {
    let mut scene = Scene::confirmed(PLANNED);
    let approve = scene.next_command();
    database(&scene, FULL);

    let came_out = scene.says("ben", &approve);

    assert_eq!(came_out, CameOut::Broke);
    assert!(scene.run(1).approvals.is_empty());
    scene.nothing_was_sent();
    database(&scene, ROOM);
    assert_eq!(scene.says("ben", &approve), CameOut::Done);
}

#[test]
fn an_end_that_cannot_be_recorded_is_kept_until_there_is_room() {
    let mut scene = Scene::confirmed(PLANNED);
    let late = Answer::Late(Duration::from_secs(10), Box::new(Answer::Well));
    scene.hosts.will("pg1", "stop-clean", late);
    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(5));

    database(&scene, FULL);
    scene.after(Duration::from_mins(1));
    let sent = scene.hosts.sent();
    database(&scene, ROOM);
    scene.after(Duration::from_mins(1));

    assert_eq!(sent.last().unwrap(), "pg1 stop-clean", "something began unrecorded");
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg1 stop-clean").count(), 1);
}

#[test]
fn a_journal_that_cannot_be_relied_on_ends_the_bot_with_words() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg1", "stop-clean", Answer::Limited(Duration::from_secs(10)));
    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(5));
    let mut scene = scene.begins_here();

    database(&scene, BROKEN);
    let came_out = scene.says("ana", "pause 1");
    scene.after(Duration::from_mins(1));
    let why = scene.fatal();
    let sent = scene.hosts.sent();

    assert_eq!(came_out, CameOut::Broke);
    assert!(why.is_some_and(|why| why.contains("disk I/O error")));
    assert!(!sent.contains(&"pg2 promote".to_owned()));
    scene.ends_before("\n-- 1 min later");
    scene.reads("journal-fault");

    scene.crashes();
    database(&scene, "drop trigger broken");
    scene.starts();
    scene.after(Duration::from_mins(2));
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded), "{}", scene.transcript());
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg1 stop-clean").count(), 1);
}

#[test]
fn a_second_bot_on_the_same_journal_is_refused() {
    let scene = Scene::of_orders();

    let error = steadyhand::journal::Journal::open(&scene.journal_path(), false).unwrap_err().to_string();

    assert!(error.contains("is in use by process") && error.contains("Next:"), "{error}");
}

#[test]
fn what_was_changed_from_outside_is_found() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.does_next("ben");
    database(&scene, "update entries set line = replace(line, '\"ben\"', '\"eve\"') where kind = 'approved'");

    let came_out = scene.says("sue", "journal verify");

    assert_eq!(came_out, CameOut::Broke);
    assert!(scene.last().contains("entry 5"), "{}", scene.last());
}
