//! Copies, corruption, loops: what the long runbooks meet.

use std::thread;
use std::time::{Duration, Instant};

use lab::Host;

use crate::a_lab;

/// A base backup onto a host, in a folder of its own.
fn copies(to: &Host, from: &Host) -> lab::Answer {
    let copy = format!(
        "rm -rf ~/copy; pg_basebackup -D ~/copy -d 'host={} port={} user=repl application_name=pg_basebackup' -X stream -c fast --no-password",
        from.address(),
        from.pg_port()
    );
    to.ssh_within(Duration::from_mins(2), &copy).unwrap()
}

#[test]
fn a_corrupt_page_is_found_by_whoever_reads_it_and_by_a_copy_and_can_be_mended() {
    let lab = a_lab();
    let [pg1, pg3, pg4] = ["pg1", "pg3", "pg4"].map(|name| lab.host(name));

    pg3.corrupt().unwrap();

    let said = pg3.sql("select count(note) from keepsakes").unwrap_err().to_string();
    assert!(said.contains("invalid page"), "{said}");
    assert_eq!(pg1.sql("select count(note) from keepsakes").unwrap(), "2000");
    let copy = copies(&pg4, &pg3);
    assert!(!copy.ok() && copy.err.contains("checksum"), "{copy:?}");
    assert!(pg1.corrupt().unwrap_err().to_string().contains("it is a primary"));

    pg3.mend().unwrap();
    assert_eq!(pg3.sql("select count(note) from keepsakes").unwrap(), "2000");
    pg3.mend().unwrap();
}

#[test]
fn two_replicas_in_a_loop_look_well_and_get_nothing() {
    let lab = a_lab();
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));
    pg2.loop_with("pg3").unwrap();

    pg1.sql("create table unseen ()").unwrap();

    for replica in [&pg2, &pg3] {
        assert_eq!(replica.sql("select status from pg_stat_wal_receiver").unwrap(), "streaming");
        assert_eq!(replica.sql("select to_regclass('unseen') is null").unwrap(), "t");
    }
    pg2.end_loop_with("pg3").unwrap();
    for replica in [&pg2, &pg3] {
        let deadline = Instant::now() + Duration::from_secs(20);
        while replica.sql("select to_regclass('unseen') is null").unwrap() == "t" {
            assert!(Instant::now() < deadline, "{} gets nothing", replica.name());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_copy_is_slow_or_stands_still() {
    let lab = a_lab();
    let [pg2, pg4] = ["pg2", "pg4"].map(|name| lab.host(name));
    let began = Instant::now();
    assert!(copies(&pg4, &pg2).ok());
    let usual = began.elapsed();
    pg4.slow_copies().unwrap();
    let (from, onto) = (pg2.clone(), pg4.clone());
    let slow = thread::spawn(move || copies(&onto, &from));

    pg2.stall_copy().unwrap();
    let streamed = "select backup_streamed from pg_stat_progress_basebackup";
    let before = pg2.sql(streamed).unwrap();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(pg2.sql(streamed).unwrap(), before, "it stands still");
    assert!(!slow.is_finished());

    pg2.let_copy_go_on().unwrap();
    thread::sleep(Duration::from_secs(2) + usual);
    assert!(!slow.is_finished(), "it goes on slowly");
    assert_ne!(pg2.sql(streamed).unwrap(), before);
    pg4.ssh("pkill -x pg_basebackup").unwrap();
    assert!(!slow.join().unwrap().ok());
    pg4.heal().unwrap();
    assert!(copies(&pg4, &pg2).ok());
}

#[test]
fn a_backup_is_as_old_as_it_is_said_to_be_and_is_whole() {
    let lab = a_lab();
    let bk1 = lab.host("bk1");
    lab.back_up(Duration::from_hours(30)).unwrap();
    lab.back_up(Duration::from_hours(25)).unwrap();

    let newest = format!("{}/backup/newest", bk1.dir().display());
    assert!(bk1.ssh(&format!("pg_verifybackup -q {newest}")).unwrap().ok());
    let age = bk1.ssh(&format!("echo $(( $(date +%s) - $(stat -c %Y {newest}/backup_manifest) ))")).unwrap();
    let age: u64 = age.out.trim().parse().unwrap();
    assert!((25 * 3600..25 * 3600 + 60).contains(&age), "{age}");
}

#[test]
fn the_balancer_spreads_over_those_that_serve_and_leaves_out_the_empty_spare() {
    let lab = a_lab();
    let bk1 = lab.host("bk1");
    let ask = format!(
        "psql 'host={} port={} user=app dbname=app' -qAtX -c \"select current_setting('cluster_name')\"",
        lab.host("lb1").address(),
        bk1.pg_port()
    );
    let mut seen: Vec<String> = (0..6).map(|_| bk1.ssh(&ask).unwrap().out.trim().to_owned()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["pg2", "pg3"]);

    lab.host("lb1").power_off().unwrap();
    assert!(!bk1.ssh(&ask).unwrap().ok());
    lab.host("lb1").power_on().unwrap();
    assert!(bk1.ssh(&ask).unwrap().ok());
}
