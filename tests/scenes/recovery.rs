//! The bot is killed after every single event, and started again on the same journal: the run goes on, or a person is
//! asked. What may not happen twice never happens twice.

use std::collections::BTreeMap;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::UnitAt;
use steadyhand::run::model::{Outcome, Phase, UndoStep, UnitState};

use crate::stage::{Answer, PLANNED, Scene};

/// What nobody may do twice.
const ONCE: [&str; 3] = ["pg1 stop-clean", "pg2 promote", "pg1 start-as-replica"];

/// What the plan does to prove that a step was done, as somebody sees it who looks at the hosts.
fn was_done(scene: &Scene, at: &UnitAt) -> bool {
    let wanted = match (at.number, &at.lane) {
        (1, Some(lane)) => format!("pg2 add-slot {lane}"),
        (2, _) => "pg1 stop-clean".to_owned(),
        (4, _) => "pg2 promote".to_owned(),
        (5, _) => "pg3 follow".to_owned(),
        (6, _) => "pg1 start-as-replica".to_owned(),
        other => panic!("nobody asks for {other:?}"),
    };
    scene.hosts.sent().contains(&wanted)
}

fn typed(at: &UnitAt) -> String {
    at.lane.as_ref().map_or_else(|| at.number.to_string(), |lane| format!("{} {lane}", at.number))
}

/// Careful people answer whatever run 1 asks, until it is over.
fn carry_on(scene: &mut Scene) -> Outcome {
    for _ in 0..40 {
        scene.after(std::time::Duration::from_mins(2));
        let run = scene.run(1);
        let digest = run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default();
        match run.phase {
            Phase::Ended(outcome) => return outcome,
            Phase::Confirming => {
                let token = run.token.as_ref().unwrap().text.clone();
                scene.says("ana", &format!("confirm 1 {token}"));
            }
            Phase::Approving => _ = scene.says("ben", &format!("approve 1 {digest}")),
            Phase::Undoing => {
                let undo = run.undo.as_ref().unwrap();
                if let Some(token) = &undo.token {
                    scene.says("ana", &format!("confirm 1 {}", token.text));
                } else if let UndoStep::Failed { unknown: true, .. } = undo.step {
                    // An undo of the packs may be done again.
                    let step = typed(&undo.list[0]);
                    let attempt = run.asked_about(&undo.list[0]).unwrap();
                    scene.says(
                        "ana",
                        &format!("settle 1 {step} not-done attempt={attempt} \"nobody knows, do it again\""),
                    );
                }
            }
            _ => {
                let question = run.questions().next().map(|(at, state)| (at.clone(), state.clone()));
                let Some((at, state)) = question else { continue };
                let step = typed(&at);
                match state {
                    UnitState::Unknown { .. } => {
                        let done = if was_done(scene, &at) { "done" } else { "not-done" };
                        scene.says("ana", &format!("settle 1 {step} {done} \"I have looked at the host\""));
                    }
                    UnitState::Withheld { .. } => {
                        _ = scene.says("ben", &format!("approve 1 {digest} {step}"));
                    }
                    _ => _ = scene.says("ana", &format!("retry 1 {step}")),
                }
            }
        }
    }
    panic!("it never ends:\n{}", scene.transcript());
}

#[track_caller]
fn nothing_happened_twice(scene: &Scene, cut: usize) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for sent in scene.hosts.sent() {
        *times.entry(sent).or_default() += 1;
    }
    for what in ONCE {
        assert_eq!(times.get(what), Some(&1), "killed after event {cut}:\n{}", scene.transcript());
    }
    scene.is_sound();
}

/// Kills the bot after each event of a planned failover, on hosts that a scene prepares.
fn killed_after_each_event(prepare: impl Fn(&Scene)) {
    let mut cuts = 0;
    for cut in 1.. {
        let mut scene = Scene::of_orders();
        prepare(&scene);
        let cut_short = scene.is_agreed_until(PLANNED, cut);
        if !cut_short {
            break;
        }
        scene.restarts();

        let outcome = carry_on(&mut scene);

        assert_eq!(outcome, Outcome::Succeeded, "killed after event {cut}:\n{}", scene.transcript());
        nothing_happened_twice(&scene, cut);
        let verified = scene.engine().view().verify().unwrap();
        assert!(verified.holds(), "killed after event {cut}: {verified:?}");
        scene.hosts.forget();
        cuts += 1;
    }
    assert!(cuts > 20, "only {cuts} cuts were made");
}

#[test]
fn a_failover_survives_a_crash_after_every_event() {
    killed_after_each_event(|_| {});
}

#[test]
fn a_crash_before_the_host_began_repeats_nothing_unasked() {
    killed_after_each_event(|scene| {
        let late = || Answer::Late(std::time::Duration::from_secs(3), Box::new(Answer::Well));
        for (host, action) in [("pg1", "stop-clean"), ("pg2", "promote"), ("pg1", "start-as-replica")] {
            scene.hosts.will(host, action, late());
        }
    });
}

#[test]
fn taking_back_survives_a_crash_after_every_event() {
    let mut cuts = 0;
    for cut in 1.. {
        let mut scene = Scene::of_orders();
        scene.says("ana", PLANNED);
        scene.does_next("ana");
        scene.hosts.will("pg1", "stop-clean", Answer::Fails(1, "ERROR:  no"));
        scene.does_next("ben");
        scene.says("ana", "stop 1");
        if !scene.is_taken_back_until(cut) {
            break;
        }
        scene.restarts();
        if scene.run(1).phase == Phase::Ended(Outcome::Stopped) {
            scene.says("ana", "undo 1");
        }

        let outcome = carry_on(&mut scene);

        assert_eq!(outcome, Outcome::Undone, "killed after event {cut}:\n{}", scene.transcript());
        assert!(scene.hosts.cluster(|cluster| cluster.servers["pg2"].slots.is_empty()));
        cuts += 1;
    }
    assert!(cuts > 4, "only {cuts} cuts were made");
}

#[test]
fn a_crash_in_the_middle_of_a_step_is_told() {
    let mut scene = Scene::confirmed(PLANNED);
    let late = Answer::Late(std::time::Duration::from_mins(1), Box::new(Answer::Well));
    scene.hosts.will("pg2", "promote", late);
    scene.types("ben", &scene.next_command());
    scene.after(std::time::Duration::from_secs(10));
    let mut scene = scene.begins_here();

    scene.restarts();
    scene.after(std::time::Duration::from_mins(1));
    scene.says("ana", "status");
    scene.says("ana", "status 1");

    assert_eq!(scene.hosts.sent().last().unwrap(), "pg1 stop-clean");
    scene.reads("killed-in-the-middle-of-a-step");
}

#[test]
fn an_orderly_end_begins_nothing_and_a_start_goes_on() {
    let mut scene = Scene::confirmed(PLANNED);
    let late = Answer::Late(std::time::Duration::from_secs(30), Box::new(Answer::Well));
    scene.hosts.will("pg3", "follow", late);
    scene.types("ben", &scene.next_command());
    scene.after(std::time::Duration::from_secs(8));

    scene.ends();
    let sent = scene.hosts.sent();
    scene.starts();
    scene.after(std::time::Duration::from_mins(2));

    assert!(!sent.contains(&"pg3 follow".to_owned()));
    // Following may be done again, so nobody is asked.
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded), "{}", scene.transcript());
}

#[test]
fn a_question_is_still_asked_after_a_restart() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  no"));
    scene.does_next("ben");

    scene.restarts();
    scene.says("ana", "status 1");
    scene.does_first("ana");

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn what_expired_while_no_bot_ran_is_taken_from_nobody() {
    for confirmed in [false, true] {
        let mut scene = if confirmed { Scene::confirmed(PLANNED) } else { Scene::offered(PLANNED) };
        let agree = scene.next_command();
        scene.crashes();
        scene.clock_moves(std::time::Duration::from_hours(1));
        scene.starts();

        let came_out = scene.says(if confirmed { "ben" } else { "ana" }, &agree);

        assert_eq!(came_out, CameOut::Refused, "{}", scene.last());
        assert!(scene.last().contains("code: ended"), "{}", scene.last());
        assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Expired));
        scene.nothing_was_sent();
    }
}

#[test]
fn an_undo_that_expired_while_no_bot_ran_is_not_done() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg1", "stop-clean", Answer::Fails(1, "ERROR:  no"));
    scene.does_next("ben");
    scene.says("ana", "stop 1");
    scene.says("ana", "undo 1");
    let confirm = scene.next_command();
    assert!(confirm.starts_with("confirm 1 "), "{confirm}");
    let sent = scene.hosts.sent();
    scene.crashes();
    scene.clock_moves(std::time::Duration::from_hours(1));
    scene.starts();

    let came_out = scene.says("ana", &confirm);

    assert_eq!(came_out, CameOut::Refused, "{}", scene.last());
    assert_eq!(scene.hosts.sent(), sent);
}

/// The files that a run began with may be unreadable to a later version. It is not carried on, and not kept for ever.
#[test]
fn a_run_whose_files_cannot_be_read_can_be_stopped() {
    let mut scene = Scene::confirmed(PLANNED);
    let late = Answer::Late(std::time::Duration::from_mins(1), Box::new(Answer::Well));
    scene.hosts.will("pg2", "promote", late);
    scene.types("ben", &scene.next_command());
    scene.after(std::time::Duration::from_secs(10));
    let sent = scene.hosts.sent();

    scene.crashes();
    let journal = rusqlite::Connection::open(scene.journal_path()).unwrap();
    journal.execute_batch("update blobs set content = 'runbook: [' || content").unwrap();
    scene.starts();
    scene.after(std::time::Duration::from_mins(1));
    scene.says("ana", "stop 1");
    scene.after(std::time::Duration::from_mins(1));

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Stopped), "{}", scene.transcript());
    assert_eq!(scene.hosts.sent(), sent, "nothing was sent any more");
}
