//! Before anything is changed: what stands in the way of a plan is measured and said, and nothing is sent.

use steadyhand::chat::desk::CameOut;

use crate::stage::{Answer, DEAD, PLANNED, Scene, Server};

/// What stands in the way when this is wrong with the cluster.
#[track_caller]
fn refused(name: &str, line: &str, harm: impl FnOnce(&mut dyn FnMut(&str, &dyn Fn(&mut Server)))) {
    let mut scene = Scene::of_orders();
    let hosts = scene.hosts.clone();
    harm(&mut |host, harm| hosts.cluster(|cluster| harm(cluster.servers.get_mut(host).unwrap())));

    let came_out = scene.says("ana", line);

    assert_eq!(came_out, CameOut::Refused, "{}", scene.last());
    scene.nothing_was_sent();
    scene.reads(name);
}

#[test]
fn the_candidate_is_the_primary() {
    refused("candidate-is-the-primary", &PLANNED.replace("pg2", "pg1"), |_| {});
}

#[test]
fn a_refused_run_that_is_looked_at_says_next_once() {
    let mut scene = Scene::of_orders();
    scene.says("ana", &PLANNED.replace("pg2", "pg1"));
    scene.says("ana", "status 1");
    assert_eq!(scene.last().matches("Next: ").count(), 1, "{}", scene.last());
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg2").unwrap().replay_paused = true);
    scene.says("ana", PLANNED);

    let came_out = scene.says("ana", "status 2");

    assert_eq!(came_out, CameOut::Done);
    assert_eq!(scene.last().matches("Next: ").count(), 1, "{}", scene.last());
    scene.reads("status-of-a-refused-run");
}

#[test]
fn the_candidate_is_a_spare() {
    refused("candidate-is-a-spare", &PLANNED.replace("pg2", "pg4"), |_| {});
}

#[test]
fn the_candidate_is_of_another_cluster() {
    refused("candidate-is-of-another-cluster", &PLANNED.replace("pg2", "bl2"), |_| {});
}

#[test]
fn the_candidate_follows_someone_else() {
    refused("candidate-follows-another", PLANNED, |harm| {
        harm("pg2", &|pg2| pg2.upstream = Some("bl1".to_owned()));
    });
}

#[test]
fn two_standbys_follow_each_other() {
    refused("standbys-in-a-cycle", PLANNED, |harm| {
        harm("pg2", &|pg2| pg2.upstream = Some("pg3".to_owned()));
        harm("pg3", &|pg3| pg3.upstream = Some("pg2".to_owned()));
    });
}

#[test]
fn the_candidate_lags() {
    refused("candidate-lags", PLANNED, |harm| harm("pg2", &|pg2| pg2.replayed -= 64 << 20));
}

#[test]
fn replay_is_paused_on_the_candidate() {
    refused("replay-is-paused", PLANNED, |harm| harm("pg2", &|pg2| pg2.replay_paused = true));
}

#[test]
fn a_replica_is_of_another_version() {
    refused("another-version", PLANNED, |harm| harm("pg3", &|pg3| pg3.version = 15));
}

#[test]
fn a_replica_holds_the_data_of_another_cluster() {
    refused("another-system", PLANNED, |harm| harm("pg3", &|pg3| pg3.system_id = "7309999999999999999"));
}

#[test]
fn a_primary_that_answers_is_not_dead() {
    refused("not-dead", DEAD, |_| {});
}

#[test]
fn a_primary_that_still_feeds_is_not_dead() {
    refused("still-feeds", DEAD, |harm| {
        harm("pg1", &|pg1| (pg1.frozen, pg1.feeds_while_frozen) = (true, true));
    });
}

#[test]
fn a_frozen_primary_is_not_moved_on_purpose() {
    refused("frozen-and-planned", PLANNED, |harm| harm("pg1", &|pg1| pg1.frozen = true));
}

#[test]
fn two_primaries() {
    refused("two-primaries", PLANNED, |harm| harm("pg3", &|pg3| pg3.upstream = None));
}

#[test]
fn nobody_answers() {
    refused("nobody-answers", PLANNED, |harm| {
        for host in ["pg1", "pg2", "pg3"] {
            harm(host, &|server| server.cut_off = true);
        }
    });
}

#[test]
fn a_host_whose_guard_cannot_be_used() {
    let mut scene = Scene::of_orders();
    let why = "the disk of the folder .steadyhand in the home of the login user is full: make room there";
    scene.hosts.will("pg2", "?hello", Answer::NotStarted("state-dir", why));

    let came_out = scene.says("ana", PLANNED);

    assert_eq!(came_out, CameOut::Refused, "{}", scene.last());
    scene.nothing_was_sent();
    scene.reads("guard-cannot-be-used");
}

#[test]
fn several_things_are_wrong_at_once() {
    refused("several-things-are-wrong", PLANNED, |harm| {
        harm("pg2", &|pg2| (pg2.replay_paused, pg2.free_senders) = (true, 0));
        harm("pg3", &|pg3| pg3.version = 15);
        harm("pg1", &|pg1| pg1.running_backups = 1);
    });
}

#[test]
fn a_host_shows_another_key_than_the_pinned_one() {
    let mut scene = Scene::of_orders();
    for _ in 0..2 {
        let why = "the host key of pg2 changed: it shows SHA256:9uQ, pinned is SHA256:kX3";
        scene.hosts.will("pg2", "?node", Answer::NotStarted("host-key-changed", why));
    }
    scene.hosts.will(
        "pg2",
        "?commands",
        Answer::NotStarted("host-key-changed", "the host key of pg2 changed"),
    );

    scene.says("ana", PLANNED);
    scene.hosts.forget();

    scene.nothing_was_sent();
    scene.reads("host-key-changed");
}

#[test]
fn a_probe_that_prints_nonsense_is_no_answer() {
    let endless = vec![b'x'; 70_000];
    let nonsense: [&[u8]; 6] = [
        b"",
        b"Last login: Tue\n{}",
        b"{\"role\":\"boss\"}",
        b"{\"role\":\"replica\"}\n{\"role\":\"replica\"}",
        b"\x1b[2J\xff\xfe",
        &endless,
    ];
    for bytes in nonsense {
        let mut scene = Scene::of_orders();
        scene.hosts.will("pg2", "?node", Answer::Prints(bytes.to_vec()));

        let came_out = scene.says("ana", PLANNED);

        assert_eq!(came_out, CameOut::Refused, "{}", scene.last());
        assert!(!scene.last().contains('\u{1b}') && scene.last().len() < 3_000, "{}", scene.last());
        scene.nothing_was_sent();
    }
}

#[test]
fn a_command_that_is_not_on_a_host_stands_in_the_way() {
    let mut scene = Scene::of_orders();
    scene.hosts.will("pg3", "?commands", Answer::Prints(b"{\"missing\":\"pg_ctl ss\"}".to_vec()));

    scene.says("ana", PLANNED);

    scene.nothing_was_sent();
    scene.reads("command-missing-on-a-host");
}

#[test]
fn long_transactions_are_a_warning_and_no_refusal() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().long = 2);

    let came_out = scene.says("ana", PLANNED);

    assert_eq!(came_out, CameOut::NeedsPerson);
    assert!(scene.last().contains("Warning    Long or prepared transactions on pg1"), "{}", scene.last());
}
