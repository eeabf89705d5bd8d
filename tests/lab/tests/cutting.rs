//! Cut links: SSH as a black hole, refused, interrupted, with another key; replication that stands still.

use std::thread;
use std::time::Duration;

use lab::{Lab, Reach};

use crate::{a_lab, eventually, followers, has, insert};

const A_MOMENT: Duration = Duration::from_millis(500);

#[test]
fn ssh_is_cut_and_healed() {
    let lab = a_lab();

    a_cut_ssh_is_a_black_hole_until_it_is_healed(&lab);
    a_refused_ssh_loses_its_sessions_until_it_is_healed(&lab);
    a_restarted_sshd_keeps_open_sessions_and_killed_ones_end(&lab);
    a_changed_host_key_is_refused_until_it_is_healed(&lab);
}

fn a_cut_ssh_is_a_black_hole_until_it_is_healed(lab: &Lab) {
    let pg2 = lab.host("pg2");
    let session = thread::spawn({
        let pg2 = pg2.clone();
        move || pg2.ssh_within(Duration::from_mins(1), "sleep 2; echo done")
    });
    eventually(true, || pg2.ssh("pgrep -fx 'sleep 2'").unwrap().ok());

    pg2.cut_ssh().unwrap();

    assert_eq!(pg2.ssh_reach(A_MOMENT), Reach::Frozen);
    let tried = pg2.ssh("true").unwrap();
    assert_eq!(tried.status, Some(255));
    assert!(tried.err.contains("timed out"), "{tried:?}");
    assert!(!session.is_finished(), "the command has ended, but nobody hears of it");
    assert_eq!(followers(&lab.host("pg1")), "pg2 pg3", "only SSH is cut");

    pg2.freeze().unwrap();
    pg2.thaw().unwrap();
    assert_eq!(pg2.ssh_reach(A_MOMENT), Reach::Frozen, "a thaw does not mend the cable");

    pg2.heal().unwrap();

    assert_eq!(session.join().unwrap().unwrap().out, "done\n");
    assert!(pg2.ssh("true").unwrap().ok());
}

fn a_refused_ssh_loses_its_sessions_until_it_is_healed(lab: &Lab) {
    let pg2 = lab.host("pg2");
    let session = thread::spawn({
        let pg2 = pg2.clone();
        move || pg2.ssh("sleep 1000")
    });
    eventually(true, || pg2.ssh("pgrep -fx 'sleep 1000'").unwrap().ok());

    pg2.refuse_ssh().unwrap();

    assert_eq!(pg2.ssh_reach(A_MOMENT), Reach::Down);
    assert_eq!(session.join().unwrap().unwrap().status, Some(255));
    assert_eq!(pg2.database_reach(A_MOMENT), Reach::Up);

    pg2.heal().unwrap();

    assert!(pg2.ssh("true").unwrap().ok());
}

fn a_restarted_sshd_keeps_open_sessions_and_killed_ones_end(lab: &Lab) {
    let pg2 = lab.host("pg2");
    let session = thread::spawn({
        let pg2 = pg2.clone();
        move || pg2.ssh("sleep 1002")
    });
    eventually(true, || pg2.ssh("pgrep -fx 'sleep 1002'").unwrap().ok());

    pg2.restart_sshd().unwrap();

    assert!(pg2.ssh("true").unwrap().ok());
    assert!(!session.is_finished());

    pg2.kill_ssh_sessions().unwrap();

    assert_eq!(session.join().unwrap().unwrap().status, Some(255));
    assert!(pg2.ssh("true").unwrap().ok());
}

fn a_changed_host_key_is_refused_until_it_is_healed(lab: &Lab) {
    let pg2 = lab.host("pg2");

    pg2.change_host_key().unwrap();

    let refused = pg2.ssh("true").unwrap();
    assert_eq!(refused.status, Some(255));
    assert!(refused.err.contains("Host key verification failed"), "{refused:?}");

    pg2.heal().unwrap();

    assert!(pg2.ssh("true").unwrap().ok());
}

#[test]
fn replication_is_cut_and_healed() {
    let lab = a_lab();

    cut_replication_stays_cut_over_a_restart(&lab);
    a_primary_cut_off_serves_nobody_and_still_takes_writes(&lab);
}

fn cut_replication_stays_cut_over_a_restart(lab: &Lab) {
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));

    pg2.cut_replication().unwrap();
    let row = insert(&pg1).unwrap();
    eventually(true, || has(&pg3, row));
    pg2.restart_database().unwrap();

    assert_eq!(followers(&pg1), "pg3");
    assert!(!has(&pg2, row));
    let conninfo = pg2.sql("show primary_conninfo").unwrap();
    assert!(
        conninfo.contains(&format!("host={}", pg1.address())),
        "what probes read is not changed: {conninfo}"
    );

    pg2.heal().unwrap();

    eventually(true, || has(&pg2, row));
    eventually("pg2 pg3".to_owned(), || followers(&pg1));
}

fn a_primary_cut_off_serves_nobody_and_still_takes_writes(lab: &Lab) {
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));

    pg1.cut_replication().unwrap();
    let row = insert(&pg1).unwrap();

    assert_eq!(followers(&pg1), "");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(followers(&pg1), "", "nobody comes back by himself");
    assert!(!has(&pg2, row) && !has(&pg3, row));

    pg1.heal().unwrap();

    eventually(true, || has(&pg2, row) && has(&pg3, row));
}

#[test]
fn synchronous_writes_wait_while_both_replicas_are_cut() {
    let lab = lab::Lab::up(lab::Spec::default().fast().synchronous()).unwrap();
    let pg1 = lab.host("pg1");
    insert(&pg1).unwrap();

    pg1.cut_replication().unwrap();

    let hangs =
        pg1.sql_within(Duration::from_secs(1), "insert into w (n) values (-1)").unwrap_err().to_string();
    assert!(hangs.contains("did not end within 1 s"), "{hangs}");

    pg1.heal().unwrap();

    insert(&pg1).unwrap();
}
