//! A failover out of every kind of trouble: writable again, nothing lost that was promised, never two primaries.

use std::thread;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};

use crate::chat::{self, DONE};
use crate::witness::Application;

/// What ana asks for.
fn failover(candidate: &str, mode: &str) -> String {
    format!(
        r#"run failover-database cluster=orders candidate={candidate} mode={mode} reason="pg1 makes trouble""#
    )
}

/// ana asks and confirms, ben approves and, where the bot asks whether to give up rescuing, ana goes on.
fn carried_through(lab: &Lab, candidate: &str, mode: &str) -> chat::Transcript {
    let run = failover(candidate, mode);
    let lines = [run.as_str(), "next", "as ben", "next"];
    let go_on: &[&str] = if mode == "planned" { &[] } else { &["as ana", "answer 1 1 go-on"] };
    let said = chat::types(lab, lines.iter().chain(go_on).copied());
    said.ends_with(DONE).says("Run 1 succeeded")
}

/// The replica that received most, and the other one. With a quorum either may be ahead when the primary dies.
fn furthest(lab: &Lab) -> [&'static str; 2] {
    let received = |name| {
        lab.host(name).sql("select pg_last_wal_receive_lsn() - '0/0'").unwrap().parse::<u64>().unwrap()
    };
    if received("pg3") > received("pg2") { ["pg3", "pg2"] } else { ["pg2", "pg3"] }
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

/// These hosts follow the new primary, and no other does.
fn follow(lab: &Lab, new: &str, followers: &[&str]) {
    let address = lab.host(new).address().to_string();
    for host in lab.status() {
        let node = host.node.filter(|_| followers.contains(&host.host));
        assert_eq!(
            node.as_ref().and_then(|node| node.upstream.as_deref()),
            followers.contains(&host.host).then_some(address.as_str()),
            "{}",
            host.host
        );
    }
}

#[test]
fn a_planned_switchover_loses_nothing_and_brings_the_old_primary_back() {
    let lab = Lab::up(Spec::default()).unwrap();
    let application = Application::of(&lab, "pg1");

    carried_through(&lab, "pg2", "planned").says("17 of 17 checks hold").never_says("At risk");

    let report = application.ends_on(&lab, "pg2");
    assert_eq!(report.lost, [0; 0], "{report:?}");
    follow(&lab, "pg2", &["pg1", "pg3"]);
}

/// The dead modes with synchronous replication: what was acknowledged is on a replica.
fn dead_primary_loses_nothing(hurt: impl Fn(&Host) -> lab::Result<()>, fenced_by: &str) -> Lab {
    let lab = Lab::up(Spec::default().synchronous()).unwrap();
    let application = Application::of(&lab, "pg1");
    hurt(&lab.host("pg1")).unwrap();
    noticed_by_the_replicas(&lab);
    let [candidate, other] = furthest(&lab);

    carried_through(&lab, candidate, "dead").says(fenced_by);

    loses_nothing(&lab, application, candidate, other);
    lab
}

fn loses_nothing(lab: &Lab, application: Application, new: &str, other: &str) {
    let report = application.ends_on(lab, new);
    assert_eq!(report.lost, [0; 0], "{report:?}");
    follow(lab, new, &[other]);
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
    let lab = dead_primary_loses_nothing(Host::freeze, "Fence pg1: done, and proven");
    stays_down_when_it_wakes(&lab);
}

/// It feeds its replicas until it is fenced. If the candidate then turns out to be behind the other replica, it is not
/// promoted, and the next failover is to that one.
#[test]
fn a_half_frozen_primary_that_still_takes_rows_is_fenced_and_replaced() {
    let lab = Lab::up(Spec::default().synchronous()).unwrap();
    let application = Application::of(&lab, "pg1");
    lab.host("pg1").freeze_postmaster().unwrap();

    let half = failover("pg2", "half-frozen");
    let said = chat::types(&lab, [half.as_str(), "next", "as ben", "next", "as ana", "answer 1 1 go-on"]);

    let said = said.says("Fence pg1: done, and proven").says("At risk:").says("it grows until pg1 is fenced");
    if said.code == Some(DONE) {
        loses_nothing(&lab, application, "pg2", "pg3");
    } else {
        said.says("Another replica is further than pg2");
        let dead = failover("pg3", "dead");
        let lines = ["stop 1", &dead, "next", "as cleo", "next", "as ana", "answer 2 1 go-on"];
        chat::types(&lab, lines).ends_with(DONE).says("Run 2 succeeded");
        loses_nothing(&lab, application, "pg3", "pg2");
    }
    stays_down_when_it_wakes(&lab);
}

#[test]
fn a_killed_primary_is_fenced_and_replaced() {
    let lab = dead_primary_loses_nothing(Host::kill, "Fence pg1: done, and proven");
    stays_down_when_it_wakes(&lab);
}

#[test]
fn a_host_without_ssh_is_switched_off_and_replaced() {
    let lab = dead_primary_loses_nothing(Host::freeze_host, "power1");
    assert!(!lab.host("pg1").is_on(), "fenced through its power switch");
}

#[test]
fn a_host_that_is_off_is_replaced() {
    dead_primary_loses_nothing(Host::power_off, "Fence pg1: done, and proven");
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
    let [candidate, _] = furthest(&lab);

    let offered = chat::types(&lab, [failover(candidate, "dead").as_str()]).says("At risk:");
    let bytes = at_risk(&offered.text);
    assert!(bytes > 1_000, "some hundred rows were written after the cut: {offered}");
    let next = offered.next();
    chat::types(&lab, [&next, "as ben", "next", "as ana", "answer 1 1 go-on"]).says("Run 1 succeeded");

    let report = application.ends_on(&lab, candidate);
    assert!(!report.lost.is_empty(), "the warning was not for nothing");
    assert!(
        (report.lost.len() as u64) < bytes,
        "each lost row is at least a byte of the log: {} rows, {bytes} bytes",
        report.lost.len()
    );
}

/// A cluster whose primary died while it wrote a long record, of which the replicas got only the beginning. It may die
/// between two records: then another one does.
fn with_half_a_record() -> Lab {
    for _ in 0..5 {
        let lab = Lab::up(Spec::default().fast()).unwrap();
        let pg1 = lab.host("pg1");
        pg1.sql("create table bulk (t text)").unwrap();
        thread::scope(|scope| {
            let bulk = "insert into bulk select repeat(md5(n::text), 40) from generate_series(1, 3000000) n";
            scope.spawn(|| pg1.sql(bulk));
            let big = "select pg_current_wal_lsn() > '0/4000000'";
            while pg1.sql(big).is_ok_and(|so_far| so_far != "t") {
                thread::sleep(Duration::from_millis(20));
            }
            pg1.kill().unwrap();
        });
        noticed_by_the_replicas(&lab);
        let rest = "select pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn()";
        if lab.host(furthest(&lab)[0]).sql(rest).unwrap() != "0" {
            return lab;
        }
    }
    panic!("five primaries died between two records");
}

/// Half a record that was received can never be replayed: a failover that waited for it would wait for ever. And where it
/// reaches into another file of the log, PostgreSQL 15 dies when it is pointed at the new primary.
#[test]
fn a_primary_that_dies_in_a_long_transaction_leaves_half_a_record_and_is_replaced() {
    let lab = with_half_a_record();
    let [candidate, other] = furthest(&lab);

    carried_through(&lab, candidate, "dead");

    let primaries: Vec<_> = lab.primaries().iter().map(Host::name).collect();
    assert_eq!(primaries, [candidate]);
    follow(&lab, candidate, &[other]);
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
