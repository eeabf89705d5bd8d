//! A failover out of every kind of trouble: writable again, nothing lost that was promised, never two primaries.

use std::thread;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};

use crate::chat::{self, DONE};
use crate::witness::Application;

const PLANNED: &str =
    r#"run failover-database cluster=orders candidate=pg2 mode=planned reason="move to new rack""#;
const DEAD: &str =
    r#"run failover-database cluster=orders candidate=pg2 mode=dead reason="pg1 is in trouble""#;
const HALF: &str =
    r#"run failover-database cluster=orders candidate=pg2 mode=half-frozen reason="pg1 is in trouble""#;

/// ana asks and confirms, ben approves and, where the bot asks whether to give up rescuing, ana goes on.
fn carried_through(lab: &Lab, run: &str) -> chat::Transcript {
    let planned = run == PLANNED;
    let lines = [run, "next", "as ben", "next"];
    let go_on: &[&str] = if planned { &[] } else { &["as ana", "answer 1 1 go-on"] };
    let said = chat::types(lab, lines.iter().chain(go_on).copied());
    said.ends_with(DONE).says("Run 1 succeeded")
}

/// A dead primary is one from every side: also the replicas must have noticed.
pub(crate) fn noticed_by_the_replicas(lab: &Lab) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let streaming = |host: &Host| {
        host.sql("select count(*) from pg_stat_wal_receiver where status = 'streaming'").unwrap() != "0"
    };
    while [lab.host("pg2"), lab.host("pg3")].iter().any(streaming) {
        assert!(Instant::now() < deadline, "the replicas still stream");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Everybody follows pg2, and what pg1 is now.
fn follow_pg2(lab: &Lab, followers: &[&str]) {
    let pg2 = lab.host("pg2").address().to_string();
    for host in lab.status() {
        let node = host.node.filter(|_| followers.contains(&host.host));
        assert_eq!(
            node.as_ref().and_then(|node| node.upstream.as_deref()),
            followers.contains(&host.host).then_some(pg2.as_str()),
            "{}",
            host.host
        );
    }
}

#[test]
fn a_planned_switchover_loses_nothing_and_brings_the_old_primary_back() {
    let lab = Lab::up(Spec::default()).unwrap();
    let application = Application::of(&lab, "pg1");

    carried_through(&lab, PLANNED).says("12 of 12 checks hold").never_says("At risk");

    let report = application.ends_on(&lab, "pg2");
    assert_eq!(report.lost, [0; 0], "{report:?}");
    follow_pg2(&lab, &["pg1", "pg3"]);
}

/// The dead modes with synchronous replication: what was acknowledged is on a replica.
fn dead_primary_loses_nothing(hurt: impl Fn(&Host) -> lab::Result<()>, mode: &str, fenced_by: &str) -> Lab {
    let lab = Lab::up(Spec::default().synchronous()).unwrap();
    let application = Application::of(&lab, "pg1");
    hurt(&lab.host("pg1")).unwrap();
    if mode == DEAD {
        noticed_by_the_replicas(&lab);
    }

    carried_through(&lab, mode).says(fenced_by);

    let report = application.ends_on(&lab, "pg2");
    assert_eq!(report.lost, [0; 0], "{report:?}");
    follow_pg2(&lab, &["pg3"]);
    lab
}

/// Woken up again, it must stay what it was made: no primary.
fn stays_down_when_it_wakes(lab: &Lab) {
    let pg1 = lab.host("pg1");
    pg1.thaw().unwrap();
    assert!(pg1.sql("select 1").is_err(), "it was ended, not only paused");
    // Whoever starts it by hand gets a server that takes no writes.
    if pg1.is_on() {
        pg1.start_database().unwrap();
    } else {
        pg1.power_on().unwrap();
    }
    let refused = pg1.sql_as_app("insert into w (n) values (-1)").map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|error| error.contains("read-only")), "{refused:?}");
}

#[test]
fn a_frozen_primary_is_fenced_and_replaced() {
    let lab = dead_primary_loses_nothing(Host::freeze, DEAD, "Fence pg1: done, and proven");
    stays_down_when_it_wakes(&lab);
}

#[test]
fn a_half_frozen_primary_that_still_takes_rows_is_fenced_and_replaced() {
    let lab = dead_primary_loses_nothing(Host::freeze_postmaster, HALF, "Fence pg1: done, and proven");
    stays_down_when_it_wakes(&lab);
}

#[test]
fn a_killed_primary_is_fenced_and_replaced() {
    let lab = dead_primary_loses_nothing(Host::kill, DEAD, "Fence pg1: done, and proven");
    stays_down_when_it_wakes(&lab);
}

#[test]
fn a_host_without_ssh_is_switched_off_and_replaced() {
    let lab = dead_primary_loses_nothing(Host::freeze_host, DEAD, "power1");
    assert!(!lab.host("pg1").is_on(), "fenced through its power switch");
}

#[test]
fn a_host_that_is_off_is_replaced() {
    dead_primary_loses_nothing(Host::power_off, DEAD, "Fence pg1: done, and proven");
}

/// Asynchronous replication can lose what no replica got. The plan says how much before anybody approves.
#[test]
fn what_asynchronous_replication_may_lose_is_said_in_bytes_before_anybody_approves() {
    let lab = Lab::up(Spec::default()).unwrap();
    let pg1 = lab.host("pg1");
    let application = Application::of(&lab, "pg1");
    let cut = Instant::now();
    pg1.cut_replication().unwrap();
    application.writes_on_after(cut + Duration::from_millis(500));
    pg1.kill().unwrap();
    noticed_by_the_replicas(&lab);

    let offered = chat::types(&lab, [DEAD]).says("At risk:");
    let bytes = at_risk(&offered.text);
    assert!(bytes > 1_000, "some hundred rows were written after the cut: {offered}");
    let next = offered.next();
    chat::types(&lab, [&next, "as ben", "next", "as ana", "answer 1 1 go-on"]).says("Run 1 succeeded");

    let report = application.ends_on(&lab, "pg2");
    assert!(!report.lost.is_empty(), "the warning was not for nothing");
    assert!(
        (report.lost.len() as u64) < bytes,
        "each lost row is at least a byte of the log: {} rows, {bytes} bytes",
        report.lost.len()
    );
}

/// Half a record that was received can never be replayed; a failover that waited for it would wait for ever.
#[test]
fn a_primary_that_dies_in_a_long_transaction_leaves_half_a_record_and_is_replaced() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    let [pg1, pg2] = ["pg1", "pg2"].map(|name| lab.host(name));
    pg1.sql("create table bulk (t text)").unwrap();
    let received = "select pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn()";
    thread::scope(|scope| {
        scope.spawn(|| {
            pg1.sql("insert into bulk select repeat(md5(n::text), 40) from generate_series(1, 3000000) n")
        });
        let big = "select pg_current_wal_lsn() > '0/4000000'";
        while pg1.sql(big).is_ok_and(|so_far| so_far != "t") {
            thread::sleep(Duration::from_millis(20));
        }
        pg1.kill().unwrap();
    });
    noticed_by_the_replicas(&lab);
    assert_ne!(pg2.sql(received).unwrap(), "0", "half a record is there");

    carried_through(&lab, DEAD);

    let primaries: Vec<_> = lab.primaries().iter().map(Host::name).collect();
    assert_eq!(primaries, ["pg2"]);
    follow_pg2(&lab, &["pg3"]);
}

fn at_risk(text: &str) -> u64 {
    let after = text.split("At risk:").nth(1).unwrap_or_default().trim();
    let number: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
    assert!(
        after[number.len()..].trim_start().starts_with("bytes"),
        "exact, because loss is at stake: {after}"
    );
    number.replace(',', "").parse().unwrap()
}
