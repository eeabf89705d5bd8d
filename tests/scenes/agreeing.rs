//! From the request to the start: confirm, approve, refuse, and everything that is not one.

use std::time::Duration;

use steadyhand::chat::desk::CameOut;

use crate::stage::{DEAD, PLANNED, Scene};

#[test]
fn a_planned_failover_is_read_back_agreed_and_done() {
    let mut scene = Scene::of_orders();

    scene.says("ana", PLANNED);
    scene.does_next("ana");
    let came_out = scene.does_next("ben");

    assert_eq!(came_out, CameOut::Done);
    assert_eq!(
        scene.hosts.sent(),
        [
            "pg2 add-slot pg1",
            "pg2 add-slot pg3",
            "pg1 stop-clean",
            "pg2 promote",
            "pg3 follow",
            "pg1 start-as-replica"
        ]
    );
    scene.reads("planned-failover");
}

#[test]
fn the_scripts_of_a_plan_can_be_put_together_again() {
    let mut scene = Scene::offered(PLANNED);

    scene.says("ben", "plan 1 --long");

    let (_, shown) = scene.last().split_once("\nSCRIPTS").unwrap();
    let text = |part: &str| -> String {
        part.lines().filter_map(|line| Some(format!("{}\n", line.strip_prefix("  | ")?))).collect()
    };
    let (prelude, rest) =
        shown.split_once("sha256 is of the whole text\n").unwrap().1.split_once("\nsha256 ").unwrap();
    let prelude = text(prelude);
    assert!(
        prelude.lines().count() > 5
            && shown.matches(&format!("  | {}", prelude.lines().next().unwrap())).count() == 1
    );
    let run = scene.run(1);
    let scripts = &run.plan().unwrap().scripts;
    assert_eq!(rest.split("\nsha256 ").count(), scripts.len());
    for part in rest.split("\nsha256 ") {
        let hash = part.lines().next().unwrap();
        assert_eq!(format!("{prelude}{}", text(part)), scripts[hash], "{hash}");
    }
}

#[test]
fn a_plan_is_shown_whole_on_request() {
    let mut scene = Scene::offered(PLANNED);

    scene.says("ben", "plan 1 --long");
    scene.ends_before("SCRIPTS");

    scene.nothing_was_sent();
    scene.reads("plan-in-full");
}

#[test]
fn a_plan_that_is_only_looked_at_asks_for_nothing() {
    let mut scene = Scene::of_orders();

    let came_out = scene.says("sue", "plan failover-database cluster=orders candidate=pg2 mode=planned");
    scene.says("sue", "status");

    assert_eq!(came_out, CameOut::Done);
    scene.nothing_was_sent();
    scene.reads("plan-to-look-at");
}

#[test]
fn one_who_approves_may_say_no_and_why() {
    let mut scene = Scene::confirmed(PLANNED);

    scene.says("cleo", "refuse 1 \"pg3 has the faster disks, take pg3\"");
    scene.says("ben", "approve 1 00000000");
    scene.says("ana", "status 1");

    scene.nothing_was_sent();
    scene.reads("refused-by-another");
}

#[test]
fn nobody_approves_what_they_asked_for() {
    let mut scene = Scene::of_orders();
    scene.says("cleo", PLANNED);
    scene.does_next("cleo");
    let approve = scene.next_command();

    let came_out = scene.says("cleo", &approve);

    assert_eq!(came_out, CameOut::Refused);
    scene.nothing_was_sent();
    scene.reads("own-run");
}

#[test]
fn another_person_cannot_confirm() {
    let mut scene = Scene::offered(PLANNED);

    let came_out = scene.does_next("ben");

    assert_eq!(came_out, CameOut::Refused);
    scene.nothing_was_sent();
    scene.reads("confirmed-by-another");
}

#[test]
fn without_the_role_nobody_approves() {
    let mut scene = Scene::confirmed(PLANNED);

    let came_out = scene.does_next("sue");

    assert_eq!(came_out, CameOut::Refused);
    scene.nothing_was_sent();
    scene.reads("approved-without-the-role");
}

#[test]
fn whom_the_policy_does_not_know_is_told_no_names() {
    let mut scene = Scene::confirmed(PLANNED);
    let approve = scene.next_command();
    let greeting = scene.desk().greeting(&Scene::speaker("mallory"), false);
    scene.shows_page(&greeting);

    for line in [&approve, PLANNED, "runbooks", "status", "show failover-database", "stop 1", "stop 99"] {
        assert_eq!(scene.says("mallory", line), CameOut::Refused, "{line}");
        for name in ["pg1", "orders-", "ben", "cleo", "failover-databse"] {
            assert!(!scene.last().contains(name), "{name} was told:\n{}", scene.last());
        }
    }

    scene.nothing_was_sent();
    scene.reads("unknown-person");
}

#[test]
fn three_wrong_tokens_end_the_request() {
    let mut scene = Scene::offered(PLANNED);
    let confirm = scene.next_command();

    scene.says("ana", "confirm 1 orders-aaaaaa");
    // A Cyrillic letter that looks like the Latin one.
    scene.says("ana", &confirm.replacen("orders-m", "orders-м", 1));
    scene.says("ana", "confirm 1 orders-bbbbbb");
    scene.says("ana", &confirm);

    scene.nothing_was_sent();
    scene.reads("wrong-tokens");
}

#[test]
fn a_request_that_has_ended_takes_no_answer() {
    let mut scene = Scene::confirmed(PLANNED);
    let approve = scene.next_command();
    scene.says("ana", "stop 1");

    scene.says("ben", &approve);
    scene.says("ana", "confirm 1 orders-mfwzng");
    scene.says("ben", "refuse 1 \"too late for this one\"");

    scene.nothing_was_sent();
    scene.reads("answers-to-what-has-ended");
}

#[test]
fn saying_it_twice_does_it_once() {
    let mut scene = Scene::offered(PLANNED);
    let confirm = scene.next_command();
    scene.does_next("ana");
    scene.says("ana", &confirm);

    scene.nothing_was_sent();
    scene.reads("confirmed-twice");
}

#[test]
fn a_confirmation_in_time_or_none() {
    let mut scene = Scene::offered(PLANNED);
    let confirm = scene.next_command();

    scene.after(Duration::from_secs(299));
    assert!(!scene.run(1).is_ended());
    scene.after(Duration::from_secs(1));
    scene.says("ana", &confirm);

    scene.nothing_was_sent();
    scene.reads("nobody-confirmed");
}

#[test]
fn an_approval_in_time_or_none() {
    let mut scene = Scene::confirmed(PLANNED);
    let approve = scene.next_command();

    scene.after(Duration::from_mins(30));
    scene.says("ben", &approve);

    scene.nothing_was_sent();
    scene.reads("nobody-approved");
}

#[test]
fn the_plan_of_a_dead_primary_says_what_is_at_risk() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| {
        cluster.servers.get_mut("pg1").unwrap().frozen = true;
        cluster.servers.get_mut("pg1").unwrap().position += 96_064;
    });

    scene.says("ana", DEAD);

    scene.nothing_was_sent();
    scene.reads("plan-of-a-dead-primary");
}

#[test]
fn whoever_may_approve_reads_the_plan_and_is_told_what_to_type() {
    let mut scene = Scene::confirmed(PLANNED);

    scene.says("ben", "plan 1");
    scene.says("ben", "status 1");

    scene.reads("plan-for-who-approves");
}

#[test]
fn while_it_cools_down_only_a_commander_is_named() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.does_next("ben");
    let again = PLANNED.replace("candidate=pg2", "candidate=pg1");
    let mut scene = scene.begins_here();

    scene.says("ana", &again);
    scene.does_next("ana");
    let approve = scene.next_command();
    scene.says("ben", &approve);
    scene.says("cleo", &approve);

    scene.reads("cooling-down");
}
