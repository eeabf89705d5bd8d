//! Gates and questions that wait for hours: over restarts, and over times in which nobody measured.

use std::time::Duration;

use steadyhand::run::UnitAt;
use steadyhand::run::model::UnitState;

use crate::stage::{DEAD, Scene};

/// A rebuild stands at its gate, which must hold for five minutes, within an hour.
fn at_the_gate() -> Scene {
    let mut scene = Scene::of_orders();
    scene.says(
        "ben",
        "run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged\"",
    );
    scene.does_next("ben");
    scene.types("cleo", &scene.next_command());
    for _ in 0..400 {
        if is_holding(&scene) {
            return scene.begins_here();
        }
        scene.after(Duration::from_mins(1));
    }
    panic!("it never came to its gate")
}

fn is_holding(scene: &Scene) -> bool {
    matches!(scene.run(1).units[&UnitAt { number: 8, lane: None }], UnitState::Holding { .. })
}

/// It was open, and the question behind it is put.
fn has_opened(scene: &Scene) -> bool {
    matches!(scene.run(1).units[&UnitAt { number: 9, lane: None }], UnitState::Asked { .. })
}

#[test]
fn a_gate_says_for_how_long_it_holds() {
    let mut scene = at_the_gate();

    scene.after(Duration::from_mins(2));
    scene.says("sue", "status 1");

    scene.reads("gate-that-holds");
}

/// What nobody measured did not hold: the time begins anew, also if it holds right after the restart.
#[test]
fn the_time_in_which_no_bot_ran_does_not_count_for_a_gate() {
    let mut scene = at_the_gate();
    scene.after(Duration::from_mins(3));

    scene.crashes();
    scene.clock_moves(Duration::from_mins(30));
    scene.starts();
    scene.settle();

    scene.after(Duration::from_mins(4));
    assert!(is_holding(&scene), "four minutes are not five");
    scene.after(Duration::from_mins(2));
    assert!(has_opened(&scene));
}

/// The machine of the bot slept, and the bot with it.
#[test]
fn a_time_in_which_nobody_measured_does_not_count_for_a_gate() {
    let mut scene = at_the_gate();
    scene.after(Duration::from_mins(3));

    scene.clock_moves(Duration::from_mins(30));
    scene.settle();
    scene.after(Duration::from_mins(4));

    assert!(is_holding(&scene), "nobody has seen it hold for five minutes");
    scene.after(Duration::from_mins(2));
    assert!(has_opened(&scene));
}

/// The limit is counted from the first event: a bot that was away gives nobody more time.
#[test]
fn the_limit_of_a_gate_is_counted_over_a_restart() {
    let mut scene = at_the_gate();

    scene.crashes();
    scene.clock_moves(Duration::from_mins(70));
    scene.hosts.cluster(|cluster| {
        let pg3 = cluster.servers.get_mut("pg3").unwrap();
        (pg3.replay_paused, pg3.replayed) = (true, pg3.replayed - (1 << 30));
    });
    scene.starts();
    scene.settle();
    scene.after(Duration::from_mins(1));

    let unit = UnitAt { number: 8, lane: None };
    assert!(
        matches!(scene.run(1).units[&unit], UnitState::Overdue { .. }),
        "{:?}",
        scene.run(1).units[&unit]
    );
}

#[test]
fn a_question_is_reminded_of_and_escalated_over_a_restart() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().frozen = true);
    scene.says("ana", DEAD);
    scene.does_next("ana");
    scene.does_next("ben");
    let mut scene = scene.begins_here();

    scene.crashes();
    scene.clock_moves(Duration::from_mins(7));
    scene.starts();
    scene.settle();
    scene.after(Duration::from_mins(2));
    scene.crashes();
    scene.clock_moves(Duration::from_hours(3));
    scene.starts();
    scene.settle();
    scene.after(Duration::from_hours(1));

    scene.nothing_was_sent();
    assert!(scene.run(1).waits_for_person());
    scene.reads("question-over-restarts");
}
