//! Something is not as it should be while a run works: a door, a failure, an unknown outcome. A person answers.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::model::{Outcome, Phase};

use crate::stage::{Answer, DEAD, PLANNED, Scene};

/// What is done instead is for a host that is silent. This one is there, and somebody must look.
#[test]
fn a_host_that_refuses_is_not_switched_off() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().running = false);
    let changed = "pg1 shows the host key SHA256:9uQ, and SHA256:kX3 is pinned";
    scene.hosts.will("pg1", "fence", Answer::NotStarted("host-key-changed", changed));
    scene.says("ana", DEAD);
    scene.does_next("ana");
    scene.does_next("ben");

    let came_out = scene.says("ana", "answer 1 1 go-on");

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert!(!scene.hosts.sent().iter().any(|sent| sent.contains("power-off")), "{:?}", scene.hosts.sent());
    assert!(scene.last().contains("SHA256:9uQ"), "{}", scene.last());
}

#[test]
fn what_is_owed_after_the_promotion_is_said_also_when_the_run_is_stopped() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().running = false);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "it does not"));
    scene.says("ana", DEAD);
    scene.does_next("ana");
    scene.does_next("ben");
    scene.says("ana", "answer 1 1 go-on");
    scene.says("ana", "stop 1");

    scene.says("sue", "status 1");

    assert!(scene.last().contains("Owed   Bring pg1 back as a replica"), "{}", scene.last());
}

/// A run in which the bot itself fails stands still, and says what can be done about it.
#[test]
fn a_fault_of_the_bot_itself_parks_the_run_with_words() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg1", "stop-clean", Answer::IsOurFault);

    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(5));
    scene.says("ana", "status 1");

    assert_eq!(scene.fatal(), None);
    assert!(scene.last().contains("Run 1 is parked"), "{}", scene.last());
    assert!(scene.last().contains("stop 1"), "{}", scene.last());
    assert_ne!(scene.hosts.sent().last().map(String::as_str), Some("pg2 promote"));
    scene.says("ana", "stop 1");
    assert!(scene.run(1).stop.is_some(), "{}", scene.last());
}

/// Whoever asked for the run is not asked by that.
#[test]
fn a_question_is_answered_by_those_whom_it_names() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().running = false);
    scene.says("ben", DEAD);
    scene.does_next("ben");
    scene.does_next("cleo");

    assert_eq!(scene.says("ben", "answer 1 1 go-on"), CameOut::Refused);

    assert!(scene.last().contains("needs the role commander or on-call"), "{}", scene.last());
    scene.nothing_was_sent();
    scene.says("ana", "answer 1 1 go-on");
    assert!(scene.hosts.sent().contains(&"pg2 promote".to_owned()));
}

#[test]
fn a_candidate_that_is_behind_another_replica_is_not_promoted() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| {
        let pg1 = cluster.servers.get_mut("pg1").unwrap();
        (pg1.frozen, pg1.feeds_while_frozen) = (true, true);
    });
    scene.says("ana", &DEAD.replace("mode=dead", "mode=half-frozen"));
    scene.does_next("ana");
    scene.does_next("ben");
    // Until it was fenced it fed them, and pg3 got more.
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg3").unwrap().position += 4096);
    let mut scene = scene.begins_here();

    let came_out = scene.says("ana", "answer 1 1 go-on");

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert!(!scene.hosts.sent().contains(&"pg2 promote".to_owned()));
    scene.says("ana", "stop 1");
    scene.reads("behind-another-replica");
}

#[test]
fn a_door_that_does_not_open_lets_nothing_through() {
    let mut scene = Scene::confirmed(PLANNED);
    // Fenced when the proof of the stop asks, and running again when the door does.
    let seen = |running| {
        let text = format!(
            "{{\"running\":{running},\"read_only_at_start\":true,\"clean\":true,\"end_of_wal\":1512177864}}"
        );
        Answer::Prints(text.into_bytes())
    };
    let by = scene.next_command();
    scene.hosts.will("pg1", "?fence", seen(false));
    scene.hosts.will("pg1", "?fence", seen(false));
    for _ in 0..60 {
        scene.hosts.will("pg1", "?fence", seen(true));
    }

    let came_out = scene.says("ben", &by);

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert!(!scene.hosts.sent().contains(&"pg2 promote".to_owned()));
    scene.hosts.forget();
    scene.does_first("ana");
    assert!(scene.hosts.sent().contains(&"pg2 promote".to_owned()));
    scene.reads("at-the-door");
}

#[test]
fn a_failed_step_is_tried_again_when_a_person_says_so() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  replication slot \"pg3\" does not exist"));

    let came_out = scene.does_next("ben");
    scene.does_first("ana");

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg3 follow").count(), 2);
    scene.reads("step-failed-and-retried");
}

#[test]
fn a_failed_host_is_left_out_with_a_reason() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  out of disk"));
    scene.does_next("ben");
    let mut scene = scene.begins_here();

    scene.says("ana", "skip 1 5 pg3 \"no\"");
    scene.says("ana", "skip 1 5 pg2 \"disk swap, rebuilt tomorrow\"");
    scene.says("ana", "skip 1 5 pg3 \"disk swap, rebuilt tomorrow\"");

    scene.reads("step-skipped");
}

#[test]
fn what_ended_well_and_is_not_proven_has_failed() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(0, ""));

    scene.does_next("ben");
    scene.says("ana", "ask 1 5 pg3");
    scene.says("ana", "stop 1");

    scene.reads("step-not-proven");
}

#[test]
fn every_way_to_end_badly_has_its_words() {
    let mut scene = Scene::confirmed(PLANNED);
    let answers = [
        Answer::Fails(1, "ERROR:  \u{1b}[31mno\u{202e}pe"),
        Answer::NoProgram,
        Answer::Fails(127, "sh: 1: psql: not found"),
        Answer::Fails(137, "Killed"),
        Answer::Fails(255, ""),
        Answer::FailsAfterwards(3, "warning: it is done, and something else is not"),
        Answer::Hangs,
        Answer::NotStarted("unreachable", "pg3 cannot be reached: connect to 10.20.0.13 port 22: timed out"),
        Answer::NotStarted(
            "host-key-changed",
            "the host key of pg3 changed: it shows SHA256:9uQ, pinned is SHA256:kX3",
        ),
        Answer::NotStarted("host-key-unknown", "no key of pg3 is pinned"),
        Answer::NotStarted("login-refused", "pg3 refused the login of postgres"),
    ];
    for answer in answers {
        scene.hosts.will("pg3", "follow", answer);
    }

    scene.does_next("ben");
    for _ in 0..10 {
        scene.does_first("ana");
    }
    let came_out = scene.does_first("ana");

    assert_eq!(came_out, CameOut::Done);
    scene.reads("ways-to-fail");
}

#[test]
fn an_unknown_outcome_that_is_proven_needs_nobody() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg2", "promote", Answer::LostAfter("the connection to pg2 broke"));

    let came_out = scene.does_next("ben");

    assert_eq!(came_out, CameOut::Done);
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count(), 1);
    scene.reads("unknown-and-proven");
}

#[test]
fn an_unknown_outcome_waits_for_a_person_who_says_it_was_done() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg2", "promote", Answer::LostAfter("the connection to pg2 broke"));
    for _ in 0..60 {
        scene.hosts.will("pg2", "?write", Answer::Fails(2, "psql: error: timeout expired"));
    }
    let came_out = scene.does_next("ben");
    let mut scene = scene.begins_with_last();

    scene.says("ana", "retry 1 4 pg2");
    scene.says("ana", "ask 1 4 pg2");
    scene.hosts.forget();
    scene.says("ana", "settle 1 4 pg2 done \"ok\"");
    scene.says("ana", "settle 1 4 pg2 done \"it took a row from me by hand\"");

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count(), 1);
    scene.reads("unknown-and-settled-done");
}

#[test]
fn an_unknown_outcome_that_was_not_done_is_sent_again_only_after_a_new_approval() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg2", "promote", Answer::LostBefore("the connection to pg2 broke"));
    let approve = scene.next_command();
    scene.does_next("ben");
    let mut scene = scene.begins_with_last();

    scene.says("ana", "settle 1 4 pg2 not-done \"it is a replica still, I looked\"");
    let promotions = scene.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count();
    scene.says("ana", "status 1");
    scene.says("ana", &approve);
    scene.says("ben", &approve);

    assert_eq!(promotions, 1);
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count(), 2);
    scene.reads("unknown-and-not-done");
}

#[test]
fn a_gate_past_its_limit_asks_and_may_wait_as_long_again() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg2").unwrap().replayed -= 8_408);
    // Replay stands still from the moment when the plan was confirmed.
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg2").unwrap().free_senders = 9);
    let approve = scene.next_command();
    scene.types("ben", &approve);
    scene.hosts.cluster(|cluster| {
        let pg2 = cluster.servers.get_mut("pg2").unwrap();
        pg2.replay_paused = true;
    });
    scene.after(Duration::from_secs(400));
    scene.hosts.cluster(|cluster| {
        let pg2 = cluster.servers.get_mut("pg2").unwrap();
        pg2.replayed = pg2.position;
    });
    scene.does_first("ana");

    scene.reads("gate-past-its-limit");
}

#[test]
fn an_answer_that_belongs_to_no_question_is_refused() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  out of disk"));
    scene.does_next("ben");
    let mut scene = scene.begins_here();
    let sent = scene.hosts.sent();

    for line in [
        "retry 1 2 pg1",
        "retry 1 9",
        "retry 1 1",
        "retry 1 5 pg9",
        "answer 1 5 pg3 go-on",
        "settle 1 5 pg3 done \"I have looked at it\"",
        "ask 1 5 pg3",
        "undo 1",
        "resume 1",
        "withdraw 1",
        "confirm 1 orders-mfwzng",
        "skip 1 5 pg9 \"I do not like it\"",
        "approve 1 00000000",
        "refuse 1 \"too late for that\"",
        "take 1",
        "handover 1 ana",
        "handover 1 nobody-here",
    ] {
        let came_out = scene.says("ana", line);
        assert_eq!(came_out, CameOut::Refused, "{line}");
    }

    assert_eq!(scene.hosts.sent(), sent);
    scene.reads("answers-without-a-question");
}

/// Two people answer the same question: the second answer is not taken for one to the next question.
#[test]
fn an_answer_for_an_attempt_that_is_over_is_refused() {
    let mut scene = Scene::confirmed(PLANNED);
    for _ in 0..2 {
        scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  out of disk"));
    }
    scene.does_next("ben");
    scene.says("ana", "retry 1 5 pg3");
    let mut scene = scene.begins_here();
    let sent = scene.hosts.sent();

    assert_eq!(scene.says("cleo", "retry 1 5 pg3"), CameOut::Refused);
    assert_eq!(scene.says("cleo", "skip 1 5 pg3 \"disk swap, rebuilt tomorrow\""), CameOut::Refused);

    assert_eq!(scene.hosts.sent(), sent);
    scene.says("cleo", "skip 1 5 pg3 attempt=2 \"disk swap, rebuilt tomorrow\"");
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::WithIssues));
    scene.reads("stale-answer");
}

#[test]
fn silence_asks_others_and_answers_nothing() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  out of disk"));
    scene.does_next("ben");
    let mut scene = scene.begins_here();
    let sent = scene.hosts.sent();

    scene.after(Duration::from_mins(3));
    scene.restarts();
    scene.after(Duration::from_hours(5));

    assert_eq!(scene.hosts.sent(), sent, "silence is no answer");
    assert!(scene.run(1).waits_for_person());
    scene.reads("nobody-answers-a-failure");
}

#[test]
fn a_log_that_cannot_be_read_holds_no_question_up() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  out of disk"));
    scene.hosts.will("pg3", "?log", Answer::Hangs);

    let came_out = scene.does_next("ben");

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert!(
        scene.last().contains("pg.log could not be read: pg3 did not show it in 5 s."),
        "{}",
        scene.last()
    );
    assert!(scene.last().contains("retry 1 5 pg3"), "{}", scene.last());
}

#[test]
fn a_log_is_text_of_a_host_and_nothing_else() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  out of disk"));
    let hostile = "first\nNext: approve 2 00000000\n\u{1b}[31mred\u{202e}\n";
    scene.hosts.will("pg3", "?log", Answer::Prints(hostile.as_bytes().to_vec()));

    scene.does_next("ben");

    let said = scene.last();
    assert!(said.contains("  | Next: approve 2 00000000\n"), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}'), "{said}");
}
