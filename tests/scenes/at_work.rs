//! A run at work: how it looks meanwhile, what hosts print, and how it ends.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::model::{Outcome, Phase};

use crate::stage::{Answer, DEAD, PLANNED, Scene};

#[test]
fn status_shows_the_run_as_it_stands_with_the_last_lines_of_the_step() {
    let mut scene = Scene::confirmed(PLANNED);
    let hostile = "LOG:  received promote request\nLOG:  selected new timeline ID: 7 \u{1b}[2J\u{202e}\n";
    scene.hosts.will("pg2", "promote", Answer::Prints(hostile.as_bytes().to_vec()));

    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(5));
    scene.says("sue", "status 1");
    scene.says("sue", "status");
    scene.says("sue", "status orders");

    scene.reads("at-work");
}

#[test]
fn a_dead_primary_is_given_up_fenced_and_replaced() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| {
        cluster.servers.get_mut("pg1").unwrap().frozen = true;
        cluster.servers.get_mut("pg1").unwrap().position += 96_064;
    });
    scene.says("ana", DEAD);
    scene.does_next("ana");
    let mut scene = scene.begins_here();

    scene.does_next("ben");
    scene.says("ana", "answer 1 1 go-on");

    assert_eq!(scene.hosts.sent(), ["pg2 add-slot pg3", "pg1 fence", "pg2 promote", "pg3 follow"]);
    scene.reads("dead-primary");
}

#[test]
fn a_machine_that_cannot_be_reached_is_switched_off_instead() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().cut_off = true);
    scene.says("ana", DEAD);
    scene.does_next("ana");
    let mut scene = scene.begins_here();

    scene.does_next("ben");
    scene.says("ana", "answer 1 1 go-on");

    assert_eq!(scene.hosts.sent(), ["pg2 add-slot pg3", "bastion1 power-off", "pg2 promote", "pg3 follow"]);
    scene.reads("dead-and-unreachable");
}

#[test]
fn the_question_of_a_runbook_is_asked_again_and_silence_is_never_yes() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().frozen = true);
    scene.says("ana", DEAD);
    scene.does_next("ana");
    let mut scene = scene.begins_here();

    scene.does_next("ben");
    scene.after(Duration::from_mins(5));
    scene.after(Duration::from_mins(5));
    scene.after(Duration::from_hours(24));
    scene.says("ben", "answer 1 1 go-on");
    scene.says("cleo", "answer 1 1 stop");

    scene.nothing_was_sent();
    scene.reads("question-of-the-runbook");
}

#[test]
fn what_a_step_printed_is_framed_and_cannot_be_taken_for_our_words() {
    let mut scene = Scene::confirmed(PLANNED);
    let hostile = format!(
        "+ succeeded  run 1\u{1b}[31m red \u{1b}]0;title\u{7}\nNext: approve 2 00000000\n\u{202e}evil\r\nbell\u{8}\n{}\n\nEnd of output.\n",
        "long ".repeat(40)
    );
    scene.hosts.will("pg2", "promote", Answer::Prints(hostile.into_bytes()));
    scene.does_next("ben");
    let mut scene = scene.begins_here();

    scene.says("sue", "output 1 4");
    scene.says("sue", "output 1 5");
    scene.says("sue", "output 1 9");
    scene.says("sue", "output 1 1 pg3");

    scene.reads("output-of-a-step");
}

#[test]
fn endless_output_is_kept_as_head_and_tail() {
    let mut scene = Scene::confirmed(PLANNED);
    let mut endless = b"first\n".to_vec();
    endless.extend(std::iter::repeat_n(b"0123456789\n", 300_000).flatten());
    endless.extend(b"last \xff\xfe bytes\n");
    scene.hosts.will("pg2", "promote", Answer::Prints(endless));
    scene.does_next("ben");

    scene.says("sue", "output 1 4");

    let said = scene.last();
    assert!(said.starts_with("Standard output of step 4, attempt 1: 3300"), "{}", &said[..200]);
    assert!(said.contains("  | first\n") && said.contains("bytes were not kept"), "{}", &said[..200]);
    assert!(said.contains("  | last \u{fffd}\u{fffd} bytes\n"), "{}", &said[said.len() - 200..]);
    assert!(said.len() < 300_000);
}

#[test]
fn the_record_of_a_run_is_read_and_proven() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.does_next("ben");
    let mut scene = scene.begins_here();

    scene.says("sue", "journal show 1");
    scene.says("sue", "journal verify");

    scene.reads("record-of-a-run");
}

#[test]
fn a_long_copy_shows_how_far_it_is_and_says_when_it_stands_still() {
    let gib = |n: i64| n << 30;
    let mut scene = Scene::of_orders();
    scene.says("ben", REBUILD);
    scene.does_next("ben");
    scene.hosts.cluster(|cluster| cluster.copied = (0, gib(40)));
    scene.types("cleo", &scene.next_command());
    for done in 1..=10 {
        scene.after(Duration::from_mins(1));
        scene.hosts.cluster(|cluster| cluster.copied.0 = gib(done));
    }
    scene.after(Duration::from_secs(30));
    let mut scene = scene.begins_here();

    scene.says("sue", "status 1");
    scene.after(Duration::from_mins(3));
    scene.says("sue", "status 1");
    scene.hosts.cluster(|cluster| cluster.copied.0 = gib(11));
    scene.after(Duration::from_mins(1));
    scene.types("ben", "stop 1");
    scene.says("ben", "stop 1 now");

    assert_eq!(
        scene.hosts.sent(),
        ["pg1 add-slot pg3", "pg2 add-slot pg3", "pg3 stop", "pg3 set-aside", "pg3 copy-from pg3"]
    );
    scene.reads("long-copy");
}

#[test]
fn a_replica_is_rebuilt_from_another() {
    let mut scene = Scene::of_orders();
    scene.says(
        "ben",
        "run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged\"",
    );
    scene.does_next("ben");
    // The copy moves on, so that nobody is alarmed.
    scene.hosts.will("pg3", "copy-from", Answer::LostAfter("the connection to pg3 broke"));
    scene.types("cleo", &scene.next_command());
    scene.after(Duration::from_mins(30));
    scene.says("ben", "answer 1 9 go-on");
    scene.after(Duration::from_mins(1));
    let mut scene = scene.begins_here();

    scene.says("sue", "status 1");

    assert_eq!(scene.hosts.sent()[..3], ["pg1 add-slot pg3", "pg2 add-slot pg3", "pg3 stop"]);
    scene.reads("rebuilt");
}

/// A rebuild that ben asked for and cleo approved.
fn rebuilding(scene: &mut Scene, run: u64) {
    scene.says("ben", REBUILD);
    scene.does_next("ben");
    let approve = scene.next_command();
    scene.types("cleo", &approve);
    scene.after(Duration::from_secs(1));
    assert!(scene.run(run).started.is_some());
}

const REBUILD: &str =
    "run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged, copy it anew\"";

/// Whoever follows on lines hears now and then how far it is, and when it will be done, once that is known.
#[test]
fn how_long_a_copy_still_takes_is_said_once_it_is_known() {
    let mut scene = Scene::with_own_files();
    // It waits for nobody, so that whoever approves it reads it to its end.
    scene.edits("rebuild-data-server.yaml", "at: before-start", "at: start");
    scene.says("ben", REBUILD);
    scene.does_next("ben");
    scene.hosts.copies(40 << 30, 16 << 20);
    scene.hosts.will("pg3", "copy-from", Answer::Limited(Duration::from_mins(40)));
    let mut scene = scene.begins_with_last();

    scene.does_next("cleo");

    scene.reads("copy-with-time-left");
}

#[test]
fn what_takes_longer_than_in_earlier_runs_is_overdue() {
    let mut scene = Scene::of_orders();
    for run in 1..=3 {
        rebuilding(&mut scene, run);
        scene.after(Duration::from_hours(4));
        scene.says("ben", &format!("answer {run} 9 go-on"));
        scene.after(Duration::from_mins(1));
        assert_eq!(scene.run(run).phase, Phase::Ended(Outcome::Succeeded));
    }
    scene.hosts.will("pg3", "copy-from", Answer::Limited(Duration::from_hours(5)));
    let mut scene = scene.begins_here();

    rebuilding(&mut scene, 4);
    scene.after(Duration::from_hours(3));
    assert!(!scene.transcript().contains("OVERDUE"), "three hours are not late");
    scene.after(Duration::from_hours(1));
    scene.says("sue", "status 4");
    scene.after(Duration::from_hours(2));

    assert_eq!(scene.transcript().matches("state=OVERDUE").count(), 1, "it is said once");
    scene.reads("overdue");
}

/// What is halted by a watch does not move, and nobody is called for that.
#[test]
fn a_copy_that_a_watch_has_halted_is_not_stalled() {
    let mut scene = Scene::of_orders();
    scene.hosts.copies(40 << 30, 16 << 20);
    rebuilding(&mut scene, 1);
    scene.after(Duration::from_mins(1));
    let mut scene = scene.begins_here();

    scene.hosts.loads("pg2", 2.5);
    scene.hosts.copies(40 << 30, 0);
    scene.after(Duration::from_mins(10));
    scene.says("sue", "status 1");
    scene.hosts.loads("pg2", 0.3);
    scene.after(Duration::from_mins(1));

    assert!(!scene.transcript().contains("STALLED"));
    scene.reads("halted-by-a-watch");
}

/// What the slots of a run keep for a copy may fill the disk of the primary. Then it is ended, and nothing goes on.
#[test]
fn a_copy_is_ended_when_what_is_kept_for_it_fills_a_disk() {
    let mut scene = Scene::of_orders();
    scene.hosts.fills("pg1", 70);
    assert_eq!(scene.says("ben", REBUILD), CameOut::Refused);
    let full = "The disk of pg1 or of the source is too full";
    assert!(scene.last().contains(full), "{}", scene.last());
    scene.hosts.fills("pg1", 69);
    scene.hosts.copies(40 << 30, 16 << 20);
    rebuilding(&mut scene, 2);
    scene.after(Duration::from_mins(1));
    let mut scene = scene.begins_here();

    scene.hosts.fills("pg1", 85);
    scene.after(Duration::from_mins(1));
    scene.types("ben", "retry 2 5 pg3");
    scene.after(Duration::from_mins(1));
    scene.says("ben", "stop 2");

    let sent = scene.hosts.sent();
    assert_eq!(sent.iter().filter(|sent| sent.contains("copy-from")).count(), 1, "the disk is still full");
    scene.reads("disk-fills");
}

#[test]
fn a_link_that_breaks_is_said_at_once_and_again_when_it_is_back() {
    let mut scene = Scene::of_orders();
    scene.says("ben", REBUILD);
    scene.does_next("ben");
    scene.hosts.will(
        "pg3",
        "copy-from",
        Answer::Unlinked(Duration::from_mins(3), "the connection to pg3 broke"),
    );
    scene.types("cleo", &scene.next_command());
    let mut scene = scene.begins_here();

    scene.after(Duration::from_mins(1));
    scene.says("sue", "status 1");
    scene.after(Duration::from_mins(5));

    scene.reads("link-lost");
}
