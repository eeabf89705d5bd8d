//! A step that ended well, or whose end nobody heard, and that did nothing: its proof does not hold. And what stands in
//! the way of a failover that would end badly.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;

use crate::stage::{Answer, Cluster, DEAD, PLANNED, Scene, Server};

const REBUILD: &str =
    "run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged\"";

fn rebuild(prepare: impl Fn(&Scene)) -> Scene {
    let mut scene = Scene::of_orders();
    scene.says("ben", REBUILD);
    scene.does_next("ben");
    prepare(&scene);
    scene.types("cleo", &scene.next_command());
    scene.after(Duration::from_hours(6));
    // If it came so far.
    scene.says("ben", "answer 1 9 go-on");
    scene.after(Duration::from_mins(1));
    scene
}

#[test]
fn a_slot_that_was_not_made_is_missed_before_anything_is_stopped() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg2", "add-slot", Answer::Fails(0, ""));

    let came_out = scene.does_next("ben");

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert!(scene.last().contains("pg2 has no slot for pg1"), "{}", scene.last());
    assert!(!scene.hosts.sent().contains(&"pg1 stop-clean".to_owned()));
}

#[test]
fn a_replica_without_a_slot_is_not_taken_for_one_that_receives() {
    let mut scene = Scene::confirmed(PLANNED);
    let late = Answer::Late(Duration::from_secs(10), Box::new(Answer::Well));
    scene.hosts.will("pg2", "promote", late);
    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(8));
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg2").unwrap().slots.remove("pg3"));
    scene.after(Duration::from_mins(2));

    assert!(scene.last().contains("pg3 does not receive from pg2"), "{}", scene.last());
}

#[test]
fn no_step_of_a_rebuild_is_taken_for_done_that_did_nothing() {
    let steps = [
        ("pg1", "add-slot", "pg1 has no slot for pg3"),
        ("pg2", "add-slot", "pg2 has no slot for pg3"),
        ("pg3", "stop", "pg3 still runs"),
        ("pg3", "set-aside", "The old data of pg3 is not kept"),
        ("pg3", "copy-from", "pg3 has no whole copy"),
        ("pg2", "release-slot", "pg2 still has the slot of pg3"),
        ("pg3", "delete-kept", "The old data of pg3 is still there"),
    ];
    for (host, action, says) in steps {
        for lost in [false, true] {
            let scene = rebuild(|scene| {
                if action == "add-slot" && host == "pg1" {
                    scene.hosts.cluster(|cluster| {
                        cluster.servers.get_mut("pg1").unwrap().slots.remove("pg3");
                    });
                }
                // What may be done twice is sent up to three times.
                let times = if lost && !matches!(action, "stop" | "set-aside" | "copy-from") { 4 } else { 1 };
                for _ in 0..times {
                    let nothing =
                        if lost { Answer::LostBefore("the link broke") } else { Answer::Fails(0, "") };
                    scene.hosts.will(host, action, nothing);
                }
            });
            scene.hosts.forget();
            assert!(scene.run(1).waits_for_person(), "{action} on {host}: {}", scene.transcript());
            assert!(scene.transcript().split_whitespace().collect::<Vec<_>>().join(" ").contains(says));
            assert!(!scene.transcript().contains("Run 1 succeeded"), "{}", scene.transcript());
        }
    }
}

#[test]
fn a_half_frozen_primary_names_the_bytes_that_are_at_risk_before_anybody_approves() {
    for behind in [0, 96_064] {
        let mut scene = Scene::of_orders();
        scene.hosts.cluster(|cluster| {
            let pg1 = cluster.servers.get_mut("pg1").unwrap();
            (pg1.frozen, pg1.feeds_while_frozen) = (true, true);
            pg1.position += behind;
        });

        scene.says("ana", &DEAD.replace("mode=dead", "mode=half-frozen"));

        let said = scene.last().split_whitespace().collect::<Vec<_>>().join(" ");
        let bytes = if behind == 0 { "At risk: 0 bytes" } else { "At risk: 96,064 bytes" };
        assert!(said.contains(bytes) && said.contains("it grows until pg1 is fenced"), "{}", scene.last());
    }
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| {
        let pg1 = cluster.servers.get_mut("pg1").unwrap();
        (pg1.frozen, pg1.feeds_while_frozen) = (true, true);
    });
    scene.hosts.will("pg1", "?wal-end", Answer::Fails(1, "pg_waldump: not found"));
    scene.says("ana", &DEAD.replace("mode=dead", "mode=half-frozen"));
    assert!(scene.last().contains("cannot be known now"), "{}", scene.last());
}

/// What is said when this is wrong with one host.
fn asked(line: &str, host: &str, harm: impl FnOnce(&mut Server)) -> (CameOut, String) {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| harm(cluster.servers.get_mut(host).unwrap()));
    let came_out = scene.says("ana", line);
    scene.nothing_was_sent();
    (came_out, scene.last().split_whitespace().collect::<Vec<_>>().join(" "))
}

#[track_caller]
fn refuses(line: &str, host: &str, harm: impl FnOnce(&mut Server), why: &str) {
    let (came_out, said) = asked(line, host, harm);
    assert_eq!(came_out, CameOut::Refused, "{said}");
    assert!(said.contains(why), "{said}");
}

#[track_caller]
fn warns(line: &str, host: &str, harm: impl FnOnce(&mut Server), why: &str) {
    let (came_out, said) = asked(line, host, harm);
    assert_eq!(came_out, CameOut::NeedsPerson, "{said}");
    assert!(said.contains(why), "{said}");
}

#[test]
fn what_would_end_a_failover_badly_is_asked_before_it() {
    refuses(PLANNED, "pg2", |pg2| pg2.free_slots = 1, "too few free replication slots");
    refuses(PLANNED, "pg3", |pg3| pg3.timeline = 7, "pg2 is on an older timeline than another replica");
    refuses(PLANNED, "pg1", |pg1| pg1.unarchived = 9, "files of the log of pg1 wait for the archive");
    warns(PLANNED, "pg2", |pg2| pg2.long = 1, "Long queries on pg2 can hold up its replay");
    // Slots that are there already are not asked for again.
    let (came_out, said) = asked(PLANNED, "pg2", |pg2| {
        pg2.free_slots = 0;
        pg2.slots.extend(["pg1".to_owned(), "pg3".to_owned()]);
    });
    assert_eq!(came_out, CameOut::NeedsPerson, "{said}");
}

#[test]
fn what_does_not_stream_is_neither_copied_nor_counted() {
    let far = "pg2 does not stream, or is too far behind to be copied";
    let few = "Too few healthy servers would be left";
    let refuses = |line: &str, harm: &dyn Fn(&mut Cluster), why: &str| {
        let mut scene = Scene::of_orders();
        scene.hosts.cluster(harm);
        assert_eq!(scene.says("ben", line), CameOut::Refused, "{}", scene.last());
        assert!(scene.last().contains(why), "{}", scene.last());
        scene.nothing_was_sent();
    };
    let lags = |cluster: &mut Cluster| {
        let pg2 = cluster.servers.get_mut("pg2").unwrap();
        (pg2.replay_paused, pg2.replayed) = (true, pg2.replayed - (16 << 20));
    };
    let is_fed_no_more =
        |cluster: &mut Cluster| _ = cluster.servers.get_mut("pg1").unwrap().slots.remove("pg2");
    refuses(REBUILD, &lags, far);
    refuses(REBUILD, &is_fed_no_more, far);
    refuses(&REBUILD.replace("source=pg2", "source=pg1"), &is_fed_no_more, few);
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(lags);
    assert_eq!(scene.says("ben", &REBUILD.replace("source=pg2", "source=pg1")), CameOut::NeedsPerson);
    let is_fed_no_more =
        |cluster: &mut Cluster| _ = cluster.servers.get_mut("pg1").unwrap().slots.remove("pg3");
    let mut scene = Scene::with_own_files();
    scene.edits("inventory.yaml", "min_healthy: 2", "min_healthy: 3");
    scene.hosts.cluster(is_fed_no_more);
    assert_eq!(scene.says("ana", PLANNED), CameOut::Refused);
    assert!(scene.last().contains(few), "{}", scene.last());
}

#[test]
fn a_cluster_keeps_as_many_healthy_servers_as_it_needs_unless_its_primary_is_dead() {
    let needs = |needed: &str| {
        let mut scene = Scene::with_own_files();
        scene.edits("inventory.yaml", "min_healthy: 2", needed);
        scene
    };
    let mut scene = needs("min_healthy: 4");
    assert_eq!(scene.says("ana", PLANNED), CameOut::Refused);
    assert!(scene.last().contains("Too few healthy servers would be left"), "{}", scene.last());
    scene.nothing_was_sent();

    let mut scene = needs("min_healthy: 3");
    assert_eq!(scene.says("ana", PLANNED), CameOut::NeedsPerson, "{}", scene.last());
    scene.says("ana", "stop 1");
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().frozen = true);
    assert_eq!(scene.says("ana", DEAD), CameOut::NeedsPerson);
    assert!(scene.last().contains("Fewer healthy servers will be left"), "{}", scene.last());
}

#[test]
fn a_replica_that_may_not_log_in_at_the_candidate_stands_in_the_way() {
    let mut scene = Scene::of_orders();
    scene.hosts.will("pg3", "?link", Answer::Fails(2, "FATAL:  no pg_hba.conf entry for replication"));

    let came_out = scene.says("ana", PLANNED);

    assert_eq!(came_out, CameOut::Refused);
    assert!(scene.last().contains("A future replica of pg2 may not replicate from it"), "{}", scene.last());
    assert!(scene.last().contains("FATAL:  no\n"), "{}", scene.last());
    scene.nothing_was_sent();
}
