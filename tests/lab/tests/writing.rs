//! The writer finds every lost row, and no row that is not lost.

use std::time::{Duration, Instant};

use lab::{Lab, Spec};

use crate::{SOON, a_lab, eventually, followers};

#[test]
fn a_row_that_is_really_lost_is_reported() {
    let lab = a_lab();
    let pg1 = lab.host("pg1");
    let writer = lab.writer().unwrap();
    assert!(writer.check().unwrap().lost.is_empty());

    let deleted = pg1.sql("delete from w where n = (select min(n) from w) returning n").unwrap();
    let report = writer.stop().unwrap();

    assert_eq!(report.lost, [deleted.parse::<i64>().unwrap()]);
    assert_eq!(report.checked_on, "pg1");
    assert!(report.figures.acked > 1, "{report:?}");
}

#[test]
fn a_witness_tells_until_when_its_host_took_writes() {
    let lab = a_lab();
    let [pg1, pg2] = ["pg1", "pg2"].map(|name| lab.host(name));
    let (writer, witness) = (lab.writer().unwrap(), lab.writer_at(&pg1).unwrap());

    pg1.freeze_postmaster().unwrap();
    let frozen = Instant::now();
    eventually(true, || witness.acks_by("pg1").is_some_and(|(_, last)| last > frozen));
    pg1.power_off().unwrap();
    pg2.sql("select pg_promote()").unwrap();
    writer.wait_for_ack_after(Instant::now(), SOON).unwrap();

    let ((_, last), (first, _)) = (witness.acks_by("pg1").unwrap(), writer.acks_by("pg2").unwrap());
    assert!(last < first, "the old primary took no row beside the new one");
    assert_eq!(witness.acks_by("pg2"), None, "a witness stays where it is");
}

#[test]
fn nothing_is_lost_in_an_orderly_restart() {
    let lab = Lab::up(Spec::default()).unwrap();
    let pg1 = lab.host("pg1");
    let writer = lab.writer().unwrap();

    let before = Instant::now();
    pg1.restart_database().unwrap();
    let answering = before.elapsed();
    let writable = writer.wait_for_ack_after(before + answering, SOON).unwrap();
    let report = writer.stop().unwrap();

    assert!(report.lost.is_empty(), "{report:?}");
    assert!(writable < Duration::from_secs(5), "{writable:?}");
    assert!(!report.figures.errors.is_empty(), "the writer has felt it: {report:?}");
}

#[test]
fn a_failover_of_a_cut_primary_loses_rows_and_the_writer_knows_how_many() {
    let lab = a_lab();
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));
    let writer = lab.writer().unwrap();
    pg1.cut_replication().unwrap();
    let cut = Instant::now();
    writer.wait_for_ack_after(cut + Duration::from_millis(300), SOON).unwrap();

    pg1.power_off().unwrap();
    let off = Instant::now();
    pg2.sql("select pg_promote()").unwrap();
    pg3.follow("pg2").unwrap();
    let writable = writer.wait_for_ack_after(off, SOON).unwrap();
    let report = writer.stop().unwrap();

    assert!(report.lost.len() > 10, "some 100 rows were written after the cut: {report:?}");
    assert_eq!(report.checked_on, "pg2");
    assert!(report.figures.acked_by["pg2"] > 0 && report.figures.acked_by["pg1"] > 0, "{report:?}");
    assert!(writable < SOON);
    // Counted independently: what pg1 kept and pg2 never saw. Rows of unknown fate may be among them.
    let seen: i64 = pg2.sql("select count(*) from w").unwrap().parse().unwrap();
    assert_eq!(
        seen,
        i64::try_from(report.figures.acked - report.lost.len() + report.unknown_present).unwrap()
    );
}

#[test]
fn a_writer_on_a_frozen_server_can_be_stopped() {
    let lab = a_lab();
    let pg1 = lab.host("pg1");
    let mut writer = lab.writer().unwrap();
    pg1.freeze().unwrap();
    let frozen = Instant::now();

    let nothing = writer.wait_for_ack_after(frozen + Duration::from_millis(100), Duration::from_secs(1));
    let figures = writer.end();
    let error = writer.check().unwrap_err().to_string();

    assert!(nothing.unwrap_err().to_string().contains("the application can write again: not so after 1 s"));
    assert_eq!(figures.unknown, 1, "the row that was under way: {figures:?}");
    assert!(figures.longest_gap_seconds > 0.9, "the open gap counts: {figures:?}");
    assert!(error.contains("hosts that say that they are primary: []"), "{error}");
    assert!(frozen.elapsed() < Duration::from_secs(15));
}

#[test]
fn the_writer_finds_the_new_primary_behind_a_frozen_host() {
    let lab = a_lab();
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));
    let writer = lab.writer().unwrap();
    pg2.freeze().unwrap();

    pg1.kill().unwrap();
    pg3.sql("select pg_promote()").unwrap();
    writer.wait_for_ack_after(Instant::now(), SOON).unwrap();

    let report = writer.stop().unwrap();
    assert_eq!(report.checked_on, "pg3");
    assert!(report.figures.acked_by["pg3"] > 0, "{report:?}");
}

#[test]
fn a_commit_that_gave_up_waiting_for_a_replica_is_no_acknowledgement() {
    let lab = Lab::up(Spec::default().fast().synchronous()).unwrap();
    let pg1 = lab.host("pg1");
    let writer = lab.writer().unwrap();
    pg1.cut_replication().unwrap();

    // A cancelled wait ends with a yes and a warning: "committed locally, but might not have been replicated".
    eventually(true, || {
        pg1.sql("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'").unwrap();
        writer.figures().unknown > 0
    });
    pg1.heal().unwrap();
    eventually("pg2 pg3".to_owned(), || followers(&pg1));
    let report = writer.stop().unwrap();

    assert!(report.lost.is_empty(), "{report:?}");
    assert!(report.figures.unknown >= 1 && report.unknown_present >= 1, "{report:?}");
}
