//! Wrong words: what is wrong is named, all of it at once, and the nearest right word beside it. Nothing is measured.

use steadyhand::chat::desk::CameOut;

use crate::stage::{PLANNED, Scene};

/// The lines one after the other; none of them may reach a host, not even to measure.
fn typed(lines: &[&str]) -> Scene {
    let mut scene = Scene::of_orders();
    for line in lines {
        let came_out = scene.says("ana", line);
        assert!(
            matches!(came_out, CameOut::NotUnderstood | CameOut::Refused),
            "{line} came out as {came_out:?}"
        );
    }
    assert_eq!(scene.hosts.executions(), 0, "a host was asked");
    scene
}

#[test]
fn the_nearest_runbook_is_named() {
    let scene = typed(&[
        "run failover-databse cluster=orders",
        "show failover-databse",
        "plan failover-databse cluster=orders",
        "run restart-everything",
    ]);

    scene.reads("wrong-runbook");
}

#[test]
fn all_wrong_values_are_named_at_once() {
    let scene = typed(&[
        "run failover-database clutser=orders candidate=pg5 mode=ded reason=frozen",
        "run failover-database cluster=ordres candidate=pg2 mode=planned reason=\"planned move\"",
        "run failover-database",
        "run failover-database cluster= candidate= mode= reason=\"planned move\"",
        "plan rebuild-data-server cluster=orders target=pg3 source=pg2 rate=9GiB",
        "plan rebuild-data-server cluster=orders target=pg3 source=pg2 rate=fast",
        "run failover-database cluster=orders cluster=orders candidate=pg2 mode=planned reason=\"planned move\"",
        "plan failover-database cluster=orders candidate=pg9 mode=planned",
    ]);

    scene.reads("wrong-values");
}

#[test]
fn the_nearest_verb_is_named() {
    let scene = typed(&[
        "statsu",
        "aprove 1 7c1e94b2",
        "runbook",
        "frobnicate",
        "stpo 1",
        "st 1",
        "con 1 x",
        "ack inc-1",
        "inc-1",
    ]);

    scene.reads("wrong-verb");
}

#[test]
fn what_is_missing_or_too_much_is_said_with_the_form() {
    let scene = typed(&[
        "confirm",
        "confirm 1",
        "approve one 7c1e94b2",
        "approve 1",
        "approve 1 7c1e94b2 now",
        "refuse 1",
        "refuse 1 \"because",
        "stop",
        "skip 1 4",
        "settle 1 3 pg2 maybe \"I looked\"",
        "answer 1 1 yes",
        "status 1 2",
        "who pg1",
        "journal",
        "run",
        "run failover-database orders",
        "run failover-database reason=a reason=b",
    ]);

    scene.reads("wrong-form");
}

#[test]
fn a_step_or_run_that_is_not_there_is_said() {
    let scene =
        typed(&["stop 7", "status 7", "plan 7", "output 7 1", "journal show 7", "approve 7 7c1e94b2"]);

    scene.reads("no-such-run");
}

#[test]
fn empty_lines_and_bare_slashes_do_nothing() {
    let mut scene = Scene::of_orders();

    for line in ["", "   ", "/", "//", "\t"] {
        let came_out = scene.says("ana", line);
        assert_eq!(came_out, CameOut::NotUnderstood, "{line:?}");
    }

    assert_eq!(scene.hosts.executions(), 0);
    scene.reads("empty-lines");
}

#[test]
fn a_very_long_line_is_answered_shortly() {
    let mut scene = Scene::of_orders();
    let long = "x".repeat(100_000);

    for line in [
        long.clone(),
        format!("stop {long}"),
        format!("run {long}"),
        format!("show {long}"),
        format!("status {long}"),
        format!("who owns {long}"),
        format!("run failover-database {long}"),
        format!("run failover-database {long}=1"),
        format!("run failover-database cluster={long} candidate=pg2 mode=planned reason=\"planned move\""),
        format!("run failover-database cluster=orders candidate={long} mode={long} reason=\"planned move\""),
        format!("refuse 1 \"{long}\""),
        format!("confirm 1 {long}"),
        format!("help {long}"),
    ] {
        scene.says("ana", &line);
        assert!(scene.last().len() < 2_000, "{} bytes for {}", scene.last().len(), &line[..40]);
    }

    assert_eq!(scene.hosts.executions(), 0);
}

#[test]
fn what_cannot_be_seen_is_shown_as_its_code_point() {
    let mut scene = Scene::of_orders();

    for line in [
        "sta\u{202e}tus",
        "\u{1b}[31mstatus",
        "show failover\u{200b}-database",
        "run failover-database cluster=ord\u{202e}ers candidate=pg2 mode=planned reason=\"planned move\"",
        "status pg\u{7}1",
        "who owns p\u{0}g1",
        "stop 1\u{1b}[2J",
        "stop \u{1b}[2J",
    ] {
        scene.says("ana", line);
        let hidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202e}');
        assert!(!scene.last().contains(hidden), "{:?}", scene.last());
    }

    assert_eq!(scene.hosts.executions(), 0);
}

#[test]
fn a_reason_with_hidden_characters_is_not_taken() {
    let mut scene = Scene::of_orders();

    let came_out = scene.says("ana", &PLANNED.replace("planned move", "planned \u{1b}[2J move"));

    assert_eq!(came_out, CameOut::NotUnderstood);
    assert_eq!(scene.hosts.executions(), 0);
    assert!(scene.last().contains("reason"), "{}", scene.last());
}

#[test]
fn who_was_refused_what_stands_in_the_journal() {
    let mut scene = Scene::confirmed(PLANNED);
    for (person, line) in [
        ("ana", "run failover-databse cluster=orders"),
        ("ana", "run failover-database cluster=orders candidate=pg2 mode=planned reason=short"),
        ("ana", "handover 1 nobody-here"),
        ("sue", "stop 1"),
        ("ana", "stop 99"),
    ] {
        assert_ne!(scene.says(person, line), CameOut::Done, "{line}");
    }

    let journal = rusqlite::Connection::open(scene.journal_path()).unwrap();
    let denied = "select line from entries where kind = 'command-denied' order by seq";
    let mut denied = journal.prepare(denied).unwrap();
    let denied: Vec<String> = denied.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let codes = ["unknown-runbook", "bad-parameters", "unknown-person", "no-role", "unknown-run"];
    assert_eq!(denied.len(), codes.len(), "{denied:#?}");
    for (line, code) in denied.iter().zip(codes) {
        assert!(line.contains(code), "{code}: {line}");
    }
}
