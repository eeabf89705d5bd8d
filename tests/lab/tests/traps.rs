//! Servers that look healthy and are not: read only, lagging, paused, following the wrong one.

use lab::{Host, Lab, Reach};

use crate::{SOON, a_lab, eventually, followers, has, insert};

#[test]
fn traps_are_set_and_healed() {
    let lab = a_lab();

    a_read_only_trap_looks_healthy_and_refuses_writes(&lab);
    a_lagging_replica_receives_and_does_not_replay(&lab);
    a_paused_replica_receives_and_does_not_replay(&lab);
    a_stopped_server_is_healed_in_its_file(&lab);
}

fn a_read_only_trap_looks_healthy_and_refuses_writes(lab: &Lab) {
    let pg1 = lab.host("pg1");

    pg1.set_read_only().unwrap();

    assert_eq!(pg1.database_reach(SOON), Reach::Up);
    assert_eq!(pg1.sql_as_app("select pg_is_in_recovery(), count(*) from w").unwrap(), "f|0");
    assert_eq!(followers(&pg1), "pg2 pg3");
    let refused = insert(&pg1).unwrap_err().to_string();
    assert!(refused.contains("cannot execute INSERT in a read-only transaction"), "{refused}");

    pg1.heal().unwrap();

    insert(&pg1).unwrap();
}

fn a_lagging_replica_receives_and_does_not_replay(lab: &Lab) {
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));

    pg2.lag().unwrap();
    let row = insert(&pg1).unwrap();

    eventually(true, || has(&pg3, row));
    eventually(true, || received_all(&pg1, &pg2));
    assert!(!has(&pg2, row));
    let behind = lab.status().into_iter().find(|s| s.host == "pg2").and_then(|s| s.lag_bytes).unwrap();
    assert!(behind > 0, "{behind}");

    pg2.stop_lagging().unwrap();

    eventually(true, || has(&pg2, row));
}

fn a_paused_replica_receives_and_does_not_replay(lab: &Lab) {
    let [pg1, pg2] = ["pg1", "pg2"].map(|name| lab.host(name));

    pg2.pause_replay().unwrap();
    let row = insert(&pg1).unwrap();

    eventually(true, || received_all(&pg1, &pg2));
    assert!(!has(&pg2, row));
    assert_eq!(pg2.sql("select pg_is_wal_replay_paused()").unwrap(), "t");

    pg2.resume_replay().unwrap();

    eventually(true, || has(&pg2, row));
}

fn a_stopped_server_is_healed_in_its_file(lab: &Lab) {
    let pg1 = lab.host("pg1");
    pg1.set_read_only().unwrap();
    pg1.kill().unwrap();

    pg1.heal().unwrap();
    assert_eq!(pg1.database_reach(SOON), Reach::Down, "healing starts nothing");
    pg1.start_database().unwrap();

    insert(&pg1).unwrap();
}

#[test]
fn replicas_follow_whom_they_are_told() {
    let lab = a_lab();

    a_replica_can_follow_a_replica(&lab);
    a_circle_of_replicas_looks_healthy_and_gets_nothing(&lab);
}

fn a_replica_can_follow_a_replica(lab: &Lab) {
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));

    pg3.follow("pg2").unwrap();
    let row = insert(&pg1).unwrap();

    eventually("pg2".to_owned(), || followers(&pg1));
    assert_eq!(followers(&pg2), "pg3");
    eventually(true, || has(&pg3, row));
}

fn a_circle_of_replicas_looks_healthy_and_gets_nothing(lab: &Lab) {
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));

    pg2.follow("pg3").unwrap();
    pg3.follow("pg2").unwrap();
    let row = insert(&pg1).unwrap();

    for replica in [&pg2, &pg3] {
        assert_eq!(replica.sql("select status from pg_stat_wal_receiver").unwrap(), "streaming");
        assert!(!has(replica, row));
    }
    eventually(String::new(), || followers(&pg1));
    assert!(pg1.follow("pg2").unwrap_err().to_string().contains("it is a primary"));
}

fn received_all(primary: &Host, replica: &Host) -> bool {
    let goal = primary.sql("select pg_current_wal_flush_lsn()").unwrap();
    replica.sql(&format!("select pg_last_wal_receive_lsn() >= '{goal}'")).unwrap() == "t"
}
