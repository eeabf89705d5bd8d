//! What was moved once is moved again: the bot knows where the primary went, also when nobody can tell it any more.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;

use crate::stage::{DEAD, PLANNED, Scene};

/// Long enough that nobody asks for a commander because it was done a moment ago.
const LATER: Duration = Duration::from_hours(2);

fn pg2_dies_and_pg3_takes_over(scene: &mut Scene) {
    scene.after(LATER);
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg2").unwrap().running = false);
    scene.hosts.forget();
    let line = DEAD.replace("candidate=pg2", "candidate=pg3").replace("pg1 frozen", "pg2 is dead");

    assert_eq!(scene.says("ana", &line), CameOut::NeedsPerson, "{}", scene.last());
    assert!(scene.last().contains("pg2 was the primary"), "{}", scene.last());
    scene.does_next("ana");
    scene.does_next("ben");
    scene.says("ana", "answer 2 1 go-on");

    assert!(scene.hosts.sent().contains(&"pg3 promote".to_owned()), "{}", scene.last());
}

#[test]
fn after_a_planned_failover_the_new_primary_may_die() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.does_next("ben");
    assert!(scene.run(1).is_ended());

    pg2_dies_and_pg3_takes_over(&mut scene);
}

/// pg1 stays down, so that two are silent: whom the last replica follows tells which of them was the primary.
#[test]
fn after_a_dead_primary_was_replaced_the_new_one_may_die_too() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().running = false);
    scene.says("ana", DEAD);
    scene.does_next("ana");
    scene.does_next("ben");
    scene.says("ana", "answer 1 1 go-on");
    assert!(scene.run(1).is_ended());

    pg2_dies_and_pg3_takes_over(&mut scene);
}
