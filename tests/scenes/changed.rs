//! What a plan was made from changes before it starts: agreements to the old plan are void.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::run::model::{Outcome, Phase};

use crate::stage::{Answer, PLANNED, Scene};

fn offered() -> Scene {
    let mut scene = Scene::with_own_files();
    scene.says("ana", PLANNED);
    scene.begins_here()
}

fn confirmed() -> Scene {
    let mut scene = offered();
    scene.does_next("ana");
    scene.begins_here()
}

#[test]
fn a_runbook_edited_before_the_confirmation_makes_the_plan_anew() {
    let mut scene = offered();
    let confirm = scene.next_command();
    scene.edits(
        "failover-database.yaml",
        "at_most: 5m\n\n  - step: Promote",
        "at_most: 7m\n\n  - step: Promote",
    );

    let came_out = scene.says("ana", &confirm);
    scene.nothing_was_sent();
    assert_eq!(came_out, CameOut::Refused);
    scene.says("ana", &confirm);
    scene.says("ana", "plan 1");
    scene.does_next("ana");

    scene.nothing_was_sent();
    scene.reads("runbook-edited-before-confirming");
}

#[test]
fn an_inventory_edited_after_the_confirmation_voids_the_agreement() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.edits("inventory.yaml", "address: 10.20.0.13", "address: 10.20.0.14");
    scene.edits("inventory.yaml", "pg4: { address: 10.20.0.14", "pg4: { address: 10.20.0.13");

    let came_out = scene.says("ben", &approve);
    assert_eq!(came_out, CameOut::Refused);
    scene.says("ben", &approve);

    scene.nothing_was_sent();
    scene.reads("inventory-edited-before-approving");
}

#[test]
fn a_change_that_no_plan_sees_voids_nothing() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.edits("rebuild-data-server.yaml", "rehearse: 60d", "rehearse: 50d");

    let came_out = scene.says("ben", &approve);

    assert_eq!(came_out, CameOut::Done, "{}", scene.last());
}

#[test]
fn another_primary_than_in_the_plan_voids_the_agreement() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.hosts.cluster(|cluster| {
        cluster.servers.get_mut("pg1").unwrap().upstream = Some("pg3".to_owned());
        cluster.servers.get_mut("pg2").unwrap().upstream = Some("pg3".to_owned());
        cluster.servers.get_mut("pg3").unwrap().upstream = None;
    });

    scene.says("ben", &approve);
    scene.says("ana", "status 1");

    scene.nothing_was_sent();
    scene.reads("another-primary-at-the-start");
}

#[test]
fn a_fact_outside_its_limit_keeps_the_run_from_starting() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg2").unwrap().replay_paused = true);

    let came_out = scene.says("ben", &approve);

    assert_eq!(came_out, CameOut::Refused);
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Refused));
    scene.nothing_was_sent();
    scene.reads("fact-changed-at-the-start");
}

#[test]
fn a_fact_that_moves_inside_its_limit_changes_nothing() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.after(Duration::from_mins(10));
    scene.hosts.cluster(|cluster| {
        for server in cluster.servers.values_mut() {
            server.position += 4 << 20;
            server.replayed += 4 << 20;
        }
    });

    let came_out = scene.says("ben", &approve);

    assert_eq!(came_out, CameOut::Done, "{}", scene.last());
}

#[test]
fn an_approval_of_another_plan_is_not_taken() {
    let mut scene = confirmed();

    for digest in ["00000000", "zzzzzzzz", "7", ""] {
        scene.says("ben", format!("approve 1 {digest}").trim());
    }

    scene.nothing_was_sent();
    scene.reads("approval-of-another-plan");
}

#[test]
fn a_broken_folder_begins_nothing_and_says_where() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    let door = "require: [fenced, complete, furthest]";
    scene.edits("failover-database.yaml", door, "requires: [fenced, complete]");

    for (person, line) in [("ben", approve.as_str()), ("ana", "runbooks"), ("ana", PLANNED)] {
        assert_eq!(scene.says(person, line), CameOut::Broke, "{line}");
        for part in ["failover-database.yaml:", "Next: steadyhand check", "code: runbooks-broken"] {
            assert!(scene.last().contains(part), "{line}: {}", scene.last());
        }
    }
    let mut scene = scene.begins_here();
    scene.says("ana", "status");
    scene.says("ana", "stop 1");

    scene.nothing_was_sent();
    scene.reads("looking-and-stopping-with-broken-runbooks");
}

#[test]
fn a_run_is_steered_though_the_folder_broke_meanwhile() {
    for broken in ["failover-database.yaml", "policy.yaml"] {
        let mut scene = confirmed();
        scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  no"));
        scene.does_next("ben");
        scene.edits(broken, ":", "::");
        scene.restarts();

        assert_eq!(scene.says("ana", "retry 1 5 pg3"), CameOut::Done, "{}", scene.last());
        assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
    }
}

#[test]
fn a_run_ends_under_the_files_that_it_began_with() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.types("ben", &approve);
    scene.edits("packs/postgresql.yaml", "pg_promote(true, 60)", "pg_promote(true, 10)");

    scene.after(Duration::from_mins(1));

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn somebody_who_lost_their_role_agrees_to_nothing() {
    let mut scene = confirmed();
    let approve = scene.next_command();
    scene.edits("policy.yaml", "dba:           { people: [ben, cleo] }", "dba:           { people: [cleo] }");

    let came_out = scene.says("ben", &approve);

    assert_eq!(came_out, CameOut::Refused);
    assert!(scene.last().contains("code: no-role"), "{}", scene.last());
    scene.nothing_was_sent();
}

/// ana is on call no more.
fn loses_the_role(scene: &mut Scene) {
    scene.edits("policy.yaml", "on-call:       { people: [ana, cleo]", "on-call:       { people: [cleo]");
}

#[test]
fn somebody_who_lost_their_role_starts_nothing_that_they_asked_for() {
    let mut scene = Scene::with_own_files();
    scene.says("ana", PLANNED);
    loses_the_role(&mut scene);

    scene.does_next("ana");

    scene.nothing_was_sent();
    assert!(scene.last().contains("code: no-role"), "{}", scene.last());
}

#[test]
fn somebody_who_lost_their_role_only_stops_what_they_began() {
    let mut scene = Scene::with_own_files();
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    scene.hosts.will("pg1", "stop-clean", Answer::Fails(1, "it does not stop"));
    scene.does_next("ben");
    loses_the_role(&mut scene);
    let sent = scene.hosts.sent();

    for line in ["retry 1 2", "undo 1", "skip 1 2 \"not needed\""] {
        assert_eq!(scene.says("ana", line), CameOut::Refused, "{line}: {}", scene.last());
    }

    assert_eq!(scene.hosts.sent(), sent);
    assert_ne!(scene.says("ana", "stop 1"), CameOut::Refused, "{}", scene.last());
}
