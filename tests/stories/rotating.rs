//! A replica moves to another machine: nothing is removed before the new one is proven, and all of it can be taken back.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};

use crate::chat::{self, DONE, REFUSED};
use crate::rebuilding::{same_rows, shortened};

const ASK: &str = r#"run rotate-replica cluster=orders leaving=pg3 joining=pg4 source=pg2 rate=500MiB reason="pg3 moves to new hardware""#;
/// The question before the step that cannot be taken back.
const DECIDE: &str = "Is all well without pg3?";

/// A lab with a fresh backup, and runbooks whose times a test can wait for.
fn a_lab(times: &[(&str, &str)]) -> Lab {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    lab.back_up(Duration::ZERO).unwrap();
    shortened(&lab, "rotate-replica.yaml", times);
    lab
}

fn slots(host: &Host) -> String {
    host.sql("select coalesce(string_agg(slot_name, ' ' order by slot_name), '') from pg_replication_slots")
        .unwrap()
}

fn streams_from_pg1(lab: &Lab) -> String {
    let names = "select coalesce(string_agg(application_name, ' ' order by application_name), '') from pg_stat_replication where state = 'streaming'";
    lab.host("pg1").sql(names).unwrap()
}

/// A client of the balancer, at work until its server ends it.
fn client(lab: &Lab, sql: &str) -> String {
    let psql = format!(
        "psql 'host={} port={} user=app dbname=app connect_timeout=5' -qAtX -c \"{sql}\"",
        lab.host("lb1").address(),
        lab.host("pg1").pg_port()
    );
    lab.host("bk1").ssh_within(Duration::from_mins(3), &psql).unwrap().out.trim().to_owned()
}

/// Who answers the clients of the balancer.
fn served_by(lab: &Lab) -> BTreeSet<String> {
    (0..8).map(|_| client(lab, "select current_setting('cluster_name')")).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// Nothing of the replica that is to leave was touched.
#[track_caller]
fn pg3_is_as_it_was(lab: &Lab) {
    assert!(slots(&lab.host("pg1")).contains("pg3"));
    assert!(streams_from_pg1(lab).contains("pg3"));
    both_serve(lab);
}

/// A server that comes up is found by the next looks of the balancer.
#[track_caller]
fn both_serve(lab: &Lab) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while served_by(lab) != names(["pg2", "pg3"]) {
        assert!(Instant::now() < deadline, "{:?}", served_by(lab));
    }
}

#[test]
fn a_replica_is_replaced_while_rows_are_written_and_clients_read() {
    let lab = a_lab(&[]);
    let writer = lab.writer().unwrap();
    let [pg1, pg2, pg3, pg4] = ["pg1", "pg2", "pg3", "pg4"].map(|name| lab.host(name));
    both_serve(&lab);
    let said = thread::scope(|scope| {
        // One on each replica: who is drained keeps the sessions that it has.
        for _ in 0..2 {
            scope.spawn(|| client(&lab, "select pg_sleep(150)"));
        }
        let open = "select count(*) from pg_stat_activity where usename = 'app' and query like '%pg_sleep%' and pid <> pg_backend_pid()";
        let both = Instant::now() + Duration::from_secs(30);
        while [&pg2, &pg3].iter().any(|host| host.sql(open).unwrap() == "0") {
            assert!(Instant::now() < both, "the balancer does not spread its clients");
            thread::sleep(Duration::from_millis(50));
        }
        let mut chat =
            chat::begins(&lab, ["as ben", ASK, "next", "as cleo", "next", "as ben", "answer 1 12 go-on"]);
        chat.comes_to("Let the sessions on pg3 end: waiting for it.");
        thread::sleep(Duration::from_secs(2));
        assert!(!chat.so_far().contains("Stop pg3: done"), "{}", chat.so_far());
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and query like '%pg_sleep%'";
        for host in [&pg3, &pg2] {
            host.sql(end).unwrap();
        }
        chat.ended()
    });

    let said = said.ends_with(DONE).says("Run 1 succeeded").says(DECIDE).says("put pg4 in the place of pg3");
    let said = said.says("no way back below this line");
    let at = |words: &str| said.text.find(words).unwrap_or_else(|| panic!("nothing says {words}: {said}"));
    assert!(at("Read every row of pg4: it holds") < at("Send clients to pg4."));
    assert_eq!((slots(&pg1).as_str(), slots(&pg2).as_str()), ("pg2 pg4", ""), "no slot is forgotten");
    assert_eq!(streams_from_pg1(&lab), "pg2 pg4");
    assert!(pg3.sql("select 1").is_err() && pg3.data_dir().exists(), "it is stopped, and its data is kept");
    assert_eq!(served_by(&lab), names(["pg2", "pg4"]));
    let report = writer.stop().unwrap();
    assert_eq!(report.lost, [0; 0], "{report:?}");
    same_rows(&pg1, &pg4);
    chat::types(&lab, ["journal verify"]).ends_with(DONE).says("unbroken");
}

#[test]
fn nothing_is_removed_while_the_new_one_does_not_keep_up() {
    let lab = a_lab(&[("for: 10m", "for: 15s"), ("at_most: 6h", "at_most: 25s")]);
    let pg4 = lab.host("pg4");
    let mut chat = chat::begins(&lab, ["as ben", ASK, "next", "as cleo", "next", "as ben", "stop 1"]);
    chat.comes_to("See pg4 keep up: waiting for it.");
    pg4.lag().unwrap();
    // It stops replaying at the first commit; what follows is more than the gate allows.
    lab.host("pg1").sql("create table one ()").unwrap();
    lab.host("pg1")
        .sql("create table big as select repeat('x', 1000) from generate_series(1, 3000)")
        .unwrap();

    let said = chat.ended().says("See pg4 keep up: its time is over. pg4 does not keep up with pg1");

    said.never_says("Drain pg3.").never_says("Stop pg3.").never_says("AWAITING");
    pg3_is_as_it_was(&lab);
}

#[test]
fn a_no_at_the_last_question_takes_everything_back_in_reverse() {
    let lab = a_lab(&[]);
    let [pg1, pg2, pg4] = ["pg1", "pg2", "pg4"].map(|name| lab.host(name));
    let lines = ["as ben", ASK, "next", "as cleo", "next", "as ben", "answer 1 12 stop", "undo 1", "next"];

    let said = chat::types(&lab, lines).says(DECIDE);

    let said = said.ends_with(DONE);
    let undone = said.text.lines().filter_map(|line| line.split_once("state=undone ")).map(|(_, rest)| rest);
    let taken_back: Vec<&str> = undone.take_while(|line| !line.starts_with("Run 1")).collect();
    let reverse = [
        "Stop pg3: taken back.",
        "Drain pg3: taken back.",
        "Send clients to pg4: taken back.",
        "Give up the slot for pg4 on pg2: nothing is left to take back.",
        "Start pg4 as a replica: taken back.",
        "Copy pg2 to pg4: taken back.",
        "Make a slot for pg4 on pg2: taken back.",
        "Make a slot for pg4 on pg1: taken back.",
    ];
    assert_eq!(taken_back, reverse, "{said}");
    assert_eq!((slots(&pg1).as_str(), slots(&pg2).as_str()), ("pg2 pg3", ""));
    assert!(!pg4.data_dir().exists() && !part(&pg4.data_dir()).exists());
    let deadline = Instant::now() + Duration::from_secs(30);
    while streams_from_pg1(&lab) != "pg2 pg3" {
        assert!(Instant::now() < deadline, "{}", streams_from_pg1(&lab));
        thread::sleep(Duration::from_millis(50));
    }
    pg3_is_as_it_was(&lab);
}

fn part(data: &Path) -> std::path::PathBuf {
    data.with_extension("part")
}

#[test]
fn without_a_fresh_backup_that_restores_nothing_begins() {
    let lab = a_lab(&[]);
    let refused = |why: &str| {
        chat::types(&lab, ["as ben", ASK]).ends_with(REFUSED).says(why);
        crate::refusing::nothing_was_done(&lab);
    };
    lab.back_up(Duration::from_hours(25)).unwrap();
    refused("The newest backup is older than a day, or does not restore");
    lab.back_up(Duration::ZERO).unwrap();
    let damage = "cd ~/../backup/newest; f=$(find base -type f -size +100k | head -n 1); printf x | dd of=$f bs=1 seek=9000 conv=notrunc";
    assert!(lab.host("bk1").ssh(damage).unwrap().ok());
    refused("The newest backup is older than a day, or does not restore");
    let still = ASK.replace("source=pg2", "source=pg3");
    chat::types(&lab, ["as ben", &still]).ends_with(REFUSED).says("pg3 is the one to remove");
}
