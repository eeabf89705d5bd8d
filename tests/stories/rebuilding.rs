//! A server is copied anew from another one: what is refused, what is noticed while the copy runs, and what it survives.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};

use crate::chat::{self, DONE, REFUSED};
use crate::refusing::{nothing_was_done, own_runbooks};

/// Gives the bot runbooks of its own, in which one has times that a test can wait for. Other tests make this machine
/// busy, and its disk may be full, so neither is ever too much, unless a test says otherwise.
pub(crate) fn shortened(lab: &Lab, runbook: &str, times: &[(&str, &str)]) {
    let usual = [
        ("per_cpu < 0.7", "per_cpu < 1000"),
        ("per_cpu < 1.5", "per_cpu < 1000"),
        ("used < 70%", "used < 101%"),
        ("used < 85%", "used < 101%"),
        // Nobody of Support sits in these stories: how a run waits for them is told in scenes.
        ("at: before-start", "at: start"),
        ("    for: 10s\n", "    for: 1s\n"),
        ("    for: 10m\n", "    for: 2s\n"),
        ("    for: 5m\n", "    for: 1s\n"),
    ];
    let path = own_runbooks(lab).join(runbook);
    let mut text = fs::read_to_string(&path).unwrap();
    for (from, to) in times {
        assert!(text.contains(from), "{runbook} has no `{from}`");
        text = text.replace(from, to);
    }
    for (from, to) in usual {
        text = text.replace(from, to);
    }
    fs::write(path, text).unwrap();
}

fn rebuild(target: &str, source: &str, rate: &str) -> String {
    format!(
        r#"run rebuild-data-server cluster=orders target={target} source={source} rate={rate} reason="its data is corrupt""#
    )
}

/// What ben asks for and cleo approves; she also lets the old data go.
fn agreed(ask: &str) -> [&str; 6] {
    let delete = if ask.contains("source=pg1") { "answer 1 7 go-on" } else { "answer 1 9 go-on" };
    ["as ben", ask, "next", "as cleo", "next", delete]
}

/// Both have the same rows in every table of the application.
#[track_caller]
pub(crate) fn same_rows(primary: &Host, replica: &Host) {
    let reached = format!(
        "select pg_last_wal_replay_lsn() >= '{}'",
        primary.sql("select pg_current_wal_lsn()").unwrap()
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    while replica.sql(&reached).unwrap() != "t" {
        assert!(Instant::now() < deadline, "{} lags", replica.name());
        thread::sleep(Duration::from_millis(50));
    }
    let tables = primary.sql("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1").unwrap();
    assert!(tables.contains("ops_probe"), "{tables}");
    for table in tables.lines() {
        let rows = format!("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) from {table} t");
        assert_eq!(primary.sql(&rows).unwrap(), replica.sql(&rows).unwrap(), "{table}");
    }
}

#[test]
fn a_corrupt_replica_is_rebuilt_from_the_primary_and_has_its_rows_again() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    shortened(&lab, "rebuild-data-server.yaml", &[]);
    let [pg1, pg3] = ["pg1", "pg3"].map(|name| lab.host(name));
    let writer = lab.writer().unwrap();
    pg3.corrupt().unwrap();
    assert!(pg3.sql("select count(note) from keepsakes").is_err());

    let ask = rebuild("pg3", "pg1", "20MiB");
    let said = chat::types(&lab, agreed(&ask)).ends_with(DONE).says("Run 1 succeeded");

    said.says("Left out Make a slot for pg3 on pg1; Give up the slot for pg3 on pg1");
    let report = writer.stop().unwrap();
    assert_eq!(report.lost, [0; 0], "{report:?}");
    assert_eq!(pg3.sql("select count(note) from keepsakes").unwrap(), "2000");
    same_rows(&pg1, &pg3);
    let fed = "select string_agg(application_name, ' ' order by application_name) from pg_stat_replication";
    assert_eq!(pg1.sql(fed).unwrap(), "pg2 pg3");
    assert!(!pg3.data_dir().with_extension("kept").exists());
}

#[test]
fn a_no_keeps_the_old_data_and_nobody_builds_over_it() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    shortened(&lab, "rebuild-data-server.yaml", &[]);
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));
    let ask = rebuild("pg3", "pg2", "500MiB");
    let mut lines = agreed(&ask);
    lines[5] = "answer 1 9 stop";

    let said = chat::types(&lab, lines).ends_with(DONE).says("Run 1 was stopped");

    said.says("Keep it beside the new data until somebody moves it away");
    let kept = pg3.data_dir().with_extension("kept");
    assert_eq!(fs::read_to_string(kept.join("kept-by-run")).unwrap(), "1\n");
    same_rows(&pg1, &pg3);
    assert_eq!(
        pg2.sql("select count(*) from pg_replication_slots").unwrap(),
        "0",
        "it was given up long before"
    );
    let again = chat::types(&lab, ["as ben", &ask]).ends_with(REFUSED);
    again.says("pg3 still has data of an earlier rebuild beside its data directory");
}

#[test]
fn a_copy_that_would_feed_on_itself_is_refused_before_anything_is_done() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    let refused = |target: &str, source: &str, why: &str| {
        chat::types(&lab, ["as ben", &rebuild(target, source, "40MiB")]).ends_with(REFUSED).says(why);
        nothing_was_done(&lab);
    };
    refused("pg1", "pg2", "pg1 must be neither the primary nor the source");
    refused("pg3", "pg3", "pg3 must be neither the primary nor the source");
    let itself = "pg2 is fed by pg3, or does not lead to pg1: the copy would feed on itself";
    lab.host("pg2").follow("pg3").unwrap();
    refused("pg3", "pg2", itself);
    // Now nobody leads to the primary, and both say that they stream.
    lab.host("pg3").follow("pg2").unwrap();
    refused("pg3", "pg2", itself);
    lab.host("pg2").end_loop_with("pg3").unwrap();
    refused("pg2", "pg2", "pg2 must be neither the primary nor the source");
}

#[test]
fn a_copy_that_stands_still_is_noticed_and_followed_when_it_goes_on() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    shortened(&lab, "rebuild-data-server.yaml", &[("stalled_after: 2m", "stalled_after: 5s")]);
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));
    pg3.slow_copies().unwrap();
    let ask = rebuild("pg3", "pg2", "500MiB");
    let mut chat = chat::begins(&lab, agreed(&ask));
    chat.comes_to("Copy pg2 to pg3.");

    pg2.stall_copy().unwrap();
    chat.comes_to("STALLED Copy pg2 to pg3: it has not moved for");
    pg2.let_copy_go_on().unwrap();

    chat.comes_to("Copy pg2 to pg3: it moves again");
    chat.ended().ends_with(DONE).says("Run 1 succeeded");
    same_rows(&pg1, &pg3);
}

#[test]
fn a_copy_that_overloads_its_source_is_halted_and_goes_on_when_the_load_is_gone() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    // The load itself is not tested, so the threshold stays and the machine is given processors, or none to speak of.
    let runbooks = own_runbooks(&lab);
    let path = runbooks.join("rebuild-data-server.yaml");
    let text = fs::read_to_string(&path).unwrap().replace("    for: 5m\n", "    for: 1s\n");
    let text = text.replace("used < 70%", "used < 101%").replace("used < 85%", "used < 101%");
    let text = text.replace("at: before-start", "at: start");
    fs::write(&path, text.replace("        for: 1m\n", "        every: 1s\n        for: 1s\n")).unwrap();
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));
    let processors = |count: &str| assert!(pg2.ssh(&format!("echo {count} >~/count")).unwrap().ok());
    let program = format!(
        "printf '#!/bin/sh\\ncat ~/count\\n' >{0}; chmod 755 {0}",
        pg2.dir().join("bin/nproc").display()
    );
    assert!(pg2.ssh(&program).unwrap().ok());
    processors("1000000");
    let ask = rebuild("pg3", "pg2", "2MiB");
    let mut chat = chat::begins(&lab, agreed(&ask));
    chat.comes_to("Copy pg2 to pg3.");
    let mine = "for p in $(pgrep -x pg_basebackup); do grep -qzxF \"HOME=$HOME\" /proc/$p/environ && sed -n 's/^State:.\\(.\\).*/\\1/p' /proc/$p/status; done | sort -u | tr -d '\\n'";
    let state = || pg3.ssh(mine).unwrap().out;
    while state() != "S" {
        assert!(!chat.so_far().contains("Copy pg2 to pg3: done"), "{}", chat.so_far());
    }

    processors("0.000001");
    chat.comes_to("PAUSED Copy pg2 to pg3: pg2 is overloaded by the copy (load.per_cpu = ");
    let deadline = Instant::now() + Duration::from_secs(20);
    while state() != "T" {
        assert!(Instant::now() < deadline, "its processes go on: {}", state());
    }
    processors("1000000");
    chat.comes_to("what was watched holds again");

    chat.ended().ends_with(DONE).says("Run 1 succeeded");
    same_rows(&pg1, &pg3);
}

/// How long the network is cut.
const CUT: Duration = Duration::from_secs(30);

/// The copy itself takes most of a minute. Whatever dies meanwhile, it runs once and its end is known.
#[test]
fn a_copy_survives_the_bot_the_sshd_of_its_host_and_the_network() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    shortened(&lab, "rebuild-data-server.yaml", &[]);
    let [pg1, pg3] = ["pg1", "pg3"].map(|name| lab.host(name));
    // So long that all of it happens while it runs: the rate is 1 MiB a second.
    pg1.sql("create table ballast as select n, repeat(md5(n::text), 30) from generate_series(1, 15000) n")
        .unwrap();
    let real = pg3.ssh("command -v pg_basebackup").unwrap().out;
    let counting = format!(
        "printf '#!/bin/sh\\necho ran >>~/copies\\nexec {} \"$@\"\\n' >{1}; chmod 755 {1}",
        real.trim(),
        pg3.dir().join("bin/pg_basebackup").display()
    );
    assert!(pg3.ssh(&counting).unwrap().ok());
    let ask = rebuild("pg3", "pg2", "1MiB");

    let mut first = chat::begins(&lab, agreed(&ask));
    first.comes_to("Copy pg2 to pg3.");
    let begun = Instant::now();
    while !pg3.dir().join("home/copies").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", first.so_far());
        thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    first.child.kill().unwrap();
    first.ended();
    pg3.kill_ssh_sessions().unwrap();
    pg3.restart_sshd().unwrap();
    let second = chat::begins(&lab, ["as cleo", "take 1", "answer 1 9 go-on"]);
    thread::sleep(Duration::from_secs(5));
    pg3.cut_ssh().unwrap();
    thread::sleep(CUT);
    let kept = pg3.data_dir().with_extension("part").exists();
    assert!(kept, "it was still at work when the network came back, {:?} after it began", begun.elapsed());
    pg3.heal().unwrap();
    let said = second.ended();

    said.ends_with(DONE).says("Copy pg2 to pg3: done, and proven").says("Run 1 succeeded");
    assert_eq!(fs::read_to_string(pg3.dir().join("home/copies")).unwrap(), "ran\n", "it was copied once");
    same_rows(&pg1, &pg3);
    let _ = chat::types(&lab, ["journal verify"]).ends_with(DONE).says("unbroken");
}
