//! Two runs at once: on one cluster the second is refused, on two clusters they go side by side.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::model::{Outcome, Phase};

use crate::stage::{Answer, PLANNED, Scene};

/// Run 1 works on orders.
fn at_work() -> Scene {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg1", "stop-clean", Answer::Late(Duration::from_secs(40), Box::new(Answer::Well)));
    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(5));
    scene.begins_here()
}

#[test]
fn a_second_run_on_a_held_cluster_is_told_by_whom_and_since_when() {
    let mut scene = at_work();
    let asked = scene.hosts.executions();

    let came_out = scene.says(
        "ben",
        "run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged\"",
    );
    scene.says("ben", "status orders");

    assert_eq!(came_out, CameOut::Refused);
    assert_eq!(scene.hosts.executions(), asked, "it was measured all the same");
    scene.reads("held");
}

#[test]
fn of_two_agreed_plans_for_one_cluster_the_second_does_not_start() {
    let mut scene = Scene::confirmed(PLANNED);
    let first = scene.next_command();
    scene.says("cleo", PLANNED);
    scene.does_next("cleo");
    let second = scene.next_command();
    scene.hosts.will("pg1", "stop-clean", Answer::Late(Duration::from_secs(40), Box::new(Answer::Well)));
    let mut scene = scene.begins_here();

    scene.types("ben", &first);
    let came_out = scene.says("ben", &second);

    assert_eq!(came_out, CameOut::Refused);
    assert_eq!(scene.run(2).phase, Phase::Ended(Outcome::Refused));
    scene.after(Duration::from_mins(2));
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count(), 1);
    scene.reads("held-at-the-start");
}

#[test]
fn runs_on_two_clusters_go_side_by_side() {
    let mut scene = at_work();
    let other = PLANNED.replace("orders", "billing").replace("pg2", "bl2");

    scene.says("ana", &other);
    scene.does_next("ana");
    let came_out = scene.does_next("ben");

    assert_eq!(came_out, CameOut::Done);
    assert_eq!(scene.run(2).phase, Phase::Ended(Outcome::Succeeded));
    assert_eq!(scene.run(1).phase, Phase::Working, "the first waited for the second");
    scene.after(Duration::from_mins(1));
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn status_puts_first_what_needs_a_person() {
    let mut scene = at_work();
    scene.hosts.will("bl2", "promote", Answer::Fails(1, "ERROR:  no"));
    let other = PLANNED.replace("orders", "billing").replace("pg2", "bl2");
    scene.says("ana", &other);
    scene.does_next("ana");
    scene.types("ben", &scene.next_command());
    scene.after(Duration::from_secs(20));
    let mut scene = scene.begins_here();

    scene.says("sue", "status");
    scene.does_next("sue");

    scene.reads("status-of-two-runs");
}

#[test]
fn what_has_ended_holds_nothing() {
    let mut scene = at_work();
    scene.says("ana", "stop 1");
    let mut scene = scene.begins_here();

    scene.says("ana", "status orders");

    assert!(scene.last().contains("is free"), "{}", scene.last());
    assert!(scene.engine().view().holds().unwrap().is_empty());
}
