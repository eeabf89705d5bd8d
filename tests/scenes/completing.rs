//! What Tab offers on a terminal: what this person may know, and nothing that is known to be wrong.

use std::sync::{Arc, Mutex};

use reedline::Completer as _;
use steadyhand::chat::console::complete::Words;

use crate::stage::{PLANNED, Scene};

/// What is offered to a person for the word at the end of a line.
pub(crate) fn offered(scene: &Scene, person: &str, line: &str) -> Vec<String> {
    let speaker = Arc::new(Mutex::new(Scene::speaker(person)));
    let mut words = Words::new(scene.desk().clone(), speaker);
    let found = words.complete(line, line.len());
    found.suggestions().iter().map(|suggestion| suggestion.value.clone()).collect()
}

#[test]
fn a_host_is_offered_where_its_list_allows_it() {
    let scene = Scene::of_orders();

    let line = "run failover-database cluster=orders candidate=";

    assert_eq!(offered(&scene, "ana", line), ["candidate=pg2", "candidate=pg3"]);
    assert_eq!(offered(&scene, "ana", "run failover-database cluster=orders mode=p"), ["mode=planned"]);
    assert!(offered(&scene, "ana", "run failover-database candidate=").is_empty(), "of which cluster?");
    assert!(offered(&scene, "ana", "approve 2 ").is_empty());
}

#[test]
fn after_a_change_nobody_knows_who_is_a_replica_until_a_plan_is_made() {
    let mut scene = Scene::confirmed(PLANNED);
    let line = "run failover-database cluster=orders candidate=";
    assert_eq!(offered(&scene, "ana", line), ["candidate=pg2", "candidate=pg3"]);

    scene.does_next("ben");
    assert!(offered(&scene, "ana", line).is_empty(), "the roles have changed");

    scene.says("ana", &PLANNED.replace("pg2", "pg3"));
    assert_eq!(offered(&scene, "ana", line), ["candidate=pg1", "candidate=pg3"]);
}

#[test]
fn whom_the_policy_does_not_know_is_offered_no_names() {
    let scene = Scene::offered(PLANNED);

    for line in
        ["show ", "run ", "who owns ", "handover 1 ", "as ", "stop ", "run failover-database cluster="]
    {
        assert!(offered(&scene, "mallory", line).is_empty(), "{line}");
    }
    assert_eq!(offered(&scene, "mallory", "help appr"), ["approve"]);
    assert_eq!(offered(&scene, "ana", "stop "), ["1"]);
    assert!(offered(&scene, "ana", "who owns ").contains(&"pg1".to_owned()));
}
