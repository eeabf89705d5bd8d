//! Stop, pause, resume, undo, take over: said while steps run and answers come late.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::model::{Outcome, Phase};

use crate::stage::{Answer, PLANNED, Scene};

/// The run works, and pg1 takes a minute to stop.
fn stopping() -> Scene {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg1", "stop-clean", Answer::Late(Duration::from_secs(20), Box::new(Answer::Well)));
    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(5));
    scene.begins_here()
}

#[test]
fn a_stop_lets_the_step_end_and_begins_no_other() {
    let mut scene = stopping();

    let came_out = scene.says("cleo", "stop 1");
    scene.says("ana", "stop 1");

    assert_eq!(came_out, CameOut::Done);
    assert_eq!(scene.hosts.sent().last().unwrap(), "pg1 stop-clean");
    scene.reads("stopped");
}

#[test]
fn stop_now_ends_the_step_that_runs() {
    let mut scene = stopping();

    scene.types("cleo", "stop 1");
    scene.says("cleo", "stop 1 now");

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Stopped));
    scene.reads("stopped-now");
}

#[test]
fn a_paused_run_waits_and_goes_on() {
    let mut scene = stopping();

    scene.says("ana", "pause 1");
    let sent = scene.hosts.sent();
    scene.after(Duration::from_hours(1));
    assert_eq!(scene.hosts.sent(), sent, "a paused run began something");
    scene.says("ana", "pause 1");
    scene.says("ana", "status 1");
    let came_out = scene.says("ana", "resume 1");

    assert_eq!(came_out, CameOut::Done);
    scene.reads("paused-and-resumed");
}

#[test]
fn a_paused_run_can_be_stopped() {
    let mut scene = stopping();

    scene.says("ana", "pause 1");
    scene.says("ana", "stop 1");

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Stopped));
}

#[test]
fn what_was_done_is_taken_back_newest_first() {
    let mut scene = stopping();
    scene.says("ana", "stop 1");
    let mut scene = scene.begins_with_last();

    scene.says("ana", "undo 1");
    let confirm = scene.next_command();
    scene.says("ben", &confirm);
    scene.says("ana", &confirm);

    let sent = scene.hosts.sent();
    assert_eq!(
        sent[sent.len() - 3..],
        ["pg1 undo stop-clean", "pg2 undo add-slot pg3", "pg2 undo add-slot pg1"]
    );
    assert!(scene.hosts.cluster(|cluster| cluster.servers["pg1"].running && !cluster.servers["pg1"].standby));
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Undone));
    scene.reads("taken-back");
}

#[test]
fn only_what_was_done_after_the_point_of_no_return_is_taken_back() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.does_next("ben");
    let sent = scene.hosts.sent();
    let mut scene = scene.begins_here();

    let came_out = scene.says("ana", "undo 1");

    assert_eq!(came_out, CameOut::NeedsPerson, "{}", scene.last());
    scene.says("ana", "stop 1");
    assert_eq!(scene.hosts.sent(), sent);
    scene.reads("past-the-point-of-no-return");
}

#[test]
fn an_undo_that_nobody_reads_back_is_not_done() {
    let mut scene = stopping();
    scene.says("ana", "stop 1");
    scene.says("ana", "undo 1");
    let sent = scene.hosts.sent();
    let confirm = scene.next_command();
    let mut scene = scene.begins_here();

    scene.after(Duration::from_mins(5));
    scene.says("ana", &confirm);

    assert_eq!(scene.hosts.sent(), sent);
    scene.reads("undo-expired");
}

#[test]
fn an_undo_that_fails_is_stuck_and_asks() {
    let mut scene = stopping();
    scene.says("ana", "stop 1");
    scene.says("ana", "undo 1");
    scene.hosts.will("pg1", "undo stop-clean", Answer::Fails(1, "pg_ctl: could not start server"));
    scene.hosts.will("pg2", "undo add-slot", Answer::LostAfter("the connection to pg2 broke"));
    let confirm = scene.next_command();
    let mut scene = scene.begins_here();

    scene.says("ana", &confirm);
    scene.says("ana", "status");
    scene.says("ana", "retry 1 2 pg1 attempt=u1");
    scene.says("ana", "settle 1 1 pg3 done attempt=u1 \"the slot is gone, I looked\"");

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Undone));
    scene.reads("undo-failed");
}

#[test]
fn a_stuck_undo_can_be_given_up() {
    let mut scene = stopping();
    scene.says("ana", "stop 1");
    scene.says("ana", "undo 1");
    scene.hosts.will("pg1", "undo stop-clean", Answer::Fails(1, "pg_ctl: could not start server"));
    let confirm = scene.next_command();
    scene.says("ana", &confirm);
    let mut scene = scene.begins_here();

    let came_out = scene.says("ana", "stop 1");

    assert_eq!(came_out, CameOut::Broke);
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Stuck));
    scene.reads("undo-given-up");
}

#[test]
fn somebody_else_takes_the_wheel() {
    let mut scene = stopping();

    scene.types("ana", "handover 1 cleo");
    scene.types("ben", "handover 1 cleo");
    scene.types("cleo", "take 1");
    scene.types("cleo", "take 1");
    scene.types("sue", "take 1");

    assert_eq!(scene.run(1).driver.as_str(), "cleo");
    scene.reads("handed-over");
}

#[test]
fn those_without_a_role_steer_nothing() {
    let mut scene = stopping();

    for line in
        ["stop 1", "pause 1", "undo 1", "take 1", "retry 1 2 pg1", "stop 1 now", "refuse 1 \"I say no\""]
    {
        assert_eq!(scene.types("sue", line), CameOut::Refused, "{line}");
        assert!(scene.last().contains("code: no-role"), "{}", scene.last());
    }

    assert!(scene.run(1).stop.is_none() && scene.run(1).pause.is_none());
}

#[test]
fn a_report_that_comes_after_a_stop_changes_nothing_more() {
    let mut scene = stopping();
    scene.says("ana", "stop 1");
    let (sent, version) = (scene.hosts.sent(), scene.run(1).version);

    scene.after(Duration::from_hours(1));

    assert_eq!((scene.hosts.sent(), scene.run(1).version), (sent, version));
}
