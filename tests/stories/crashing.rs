//! Whatever happens to the bot, nothing runs unrecorded or twice: killed at every failpoint, a fault in one run, a disk
//! that is full or broken, a second bot.

#[path = "../crash/matrix/mod.rs"]
pub(crate) mod matrix;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use steadyhand::failpoint::Point;

use crate::chat::{self, BROKE, DONE, Open};
use matrix::ground::{Ground, Worker};

const EVERY_KIND: &str = r#"run every-kind cluster=marks one=h1 two=h2 reason="to see what is left""#;
pub(crate) const TAKE_LONG: &str = r#"run take-long cluster=marks one=h1 reason="to see what is left""#;
const GO_ELSEWHERE: &str = r#"run go-elsewhere cluster=half one=h3 dead=gone reason="to see what is left""#;

#[test]
fn killed_at_every_failpoint_it_repeats_nothing_and_everything_is_recorded() {
    let wanted = matrix::Wanted { runs: Point::ALL.len(), seed: 1, workers: 3, case: None };

    let tally = matrix::run(&wanted);

    assert!(tally.is_good(), "{tally}");
}

/// The bot, with a failpoint.
fn with_failpoint(failpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.env("STEADYHAND_FAILPOINT", failpoint);
    command
}

pub(crate) fn types(bot: &mut Open, lines: &[&str]) {
    let text = lines.join("\n") + "\n";
    bot.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
}

fn types_all(command: Command, config: &Path, lines: &[&str]) -> chat::Transcript {
    let mut bot = chat::open_as(command, config);
    types(&mut bot, lines);
    bot.child.stdin = None;
    bot.ended()
}

/// How often something ran on a host.
pub(crate) fn ran(home: &Path) -> usize {
    fs::read_to_string(home.join("ran")).map_or(0, |text| text.lines().count())
}

fn begun(ground: &Ground) -> Worker<'_> {
    let worker = ground.worker(0);
    worker.begin_anew();
    worker
}

#[test]
fn a_run_with_a_fault_is_parked_and_the_others_go_on() {
    let ground = Ground::new(1);
    let worker = begun(&ground);
    let agree = ["next", "as ben", "next", "as ana"];
    let lines =
        [&[EVERY_KIND], &agree[..], &["status", GO_ELSEWHERE], &agree, &["stop 1", "status 1"]].concat();

    let said = types_all(with_failpoint("step-intended:1:panic"), &worker.config(), &lines).ends_with(DONE);

    let said = said.says("Run 1 is parked: a fault in the bot itself").says("it keeps what it holds");
    said.says("Run 2 succeeded").says("Run 1 was stopped");
    // Its first step was intended and never sent, and after the stop it never will be.
    assert_eq!((ran(&worker.homes[0]), ran(&worker.homes[2])), (0, 1));
    let verified = chat::types_with(&worker.config(), ["journal verify"]).ends_with(DONE);
    let _ = verified.says("unbroken");
}

#[test]
fn a_run_whose_events_cannot_be_read_is_parked_and_the_others_go_on() {
    let ground = Ground::new(1);
    let worker = begun(&ground);
    let _ = chat::types_with(&worker.config(), [TAKE_LONG, "next"]).ends_with(4);
    // As a newer program might have written it.
    let raw = rusqlite::Connection::open(worker.journal()).unwrap();
    let line = r#"{"v":2}"#;
    let hash = steadyhand::journal::entry::leaf(line);
    let edit = "update entries set line = ?1, hash = ?2 where kind = 'confirmed'";
    assert_eq!(raw.execute(edit, [line, &hash]).unwrap(), 1);
    drop(raw);

    let lines = ["status", GO_ELSEWHERE, "next", "as ben", "next", "as ana", "stop 1"];
    let said = chat::types_with(&worker.config(), lines).ends_with(BROKE);

    let said = said.says("Run 1 is parked").says("it has the form 2, and this program knows 1");
    said.says("Run 2 succeeded");
}

#[test]
fn a_disk_that_breaks_at_a_commit_ends_the_bot_and_the_next_one_asks_before_it_sends() {
    let ground = Ground::new(1);
    // Whether the intent of the step is there afterwards or not: nobody knew, so the host is asked.
    for (failpoint, there) in
        [("append-written@step-sent:1:eio", false), ("append-durable@step-sent:1:eio", true)]
    {
        let worker = begun(&ground);
        let lines = [TAKE_LONG, "next", "as ben", "next"];

        let said = types_all(with_failpoint(failpoint), &worker.config(), &lines).ends_with(BROKE);

        assert!(said.log.contains("the journal cannot be relied on any more"), "{said}");
        assert!(said.log.contains("start again to look"), "{said}");
        let view = steadyhand::journal::JournalView::open(&worker.journal()).unwrap();
        let intents = view.newest_of_kind("step-sent", 9).unwrap().len();
        assert_eq!((intents, ran(&worker.homes[0])), (usize::from(there), 0), "{failpoint}");
        if there {
            // It was never sent, and it is not sent on trust.
            let mut bot = chat::open(&worker.config());
            until_true(|| !view.newest_of_kind("step-failed", 1).unwrap().is_empty(), || bot.so_far());
            types(&mut bot, &["stop 1"]);
            bot.child.stdin = None;
            let _ = bot.ended().says("Stopped by ana");
            assert_eq!(ran(&worker.homes[0]), 0);
        }
    }
}

/// A small disk of its own for what a process writes there, gone with the process; where none can be made, none.
pub(crate) fn on_a_small_disk(folder: &Path) -> Option<Command> {
    let in_a_room_of_its_own = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(words)
            .args(["sh", "-c", "mount -t tmpfs -o size=1m none \"$0\" && exec \"$@\""])
            .arg(folder);
        command
    };
    let rooms: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let words = rooms.into_iter().find(|words| {
        in_a_room_of_its_own(words).arg("true").output().is_ok_and(|output| output.status.success())
    })?;
    let mut command = in_a_room_of_its_own(words);
    command.arg(env!("CARGO_BIN_EXE_steadyhand"));
    Some(command)
}

#[test]
fn on_a_full_disk_the_bot_stays_up_and_what_happened_is_written_when_there_is_room() {
    let ground = Ground::new(1);
    let worker = begun(&ground);
    let disk = worker.dir.join("disk");
    fs::create_dir(&disk).unwrap();
    let config = fs::read_to_string(worker.config()).unwrap();
    fs::write(worker.config(), config.replace("\"steadyhand.db\"", "\"disk/steadyhand.db\"")).unwrap();
    let Some(command) = on_a_small_disk(&disk) else {
        // Without the right to mount, a write that fails as on a full disk: the intent of the step is written later.
        let lines = [EVERY_KIND, "next", "as ben", "next"];
        let said = types_all(with_failpoint("append-written@step-sent:1:full"), &worker.config(), &lines)
            .ends_with(DONE);
        assert!(
            said.log.contains("the disk is full") && said.log.contains("stands still and tries again"),
            "{said}"
        );
        return;
    };
    let mut bot = chat::open_as(command, &worker.config());
    types(&mut bot, &[TAKE_LONG, "next", "as ben", "next"]);
    until_true(|| ran(&worker.homes[0]) == 1, || bot.so_far());
    let inside = PathBuf::from(format!("/proc/{}/root{}", bot.child.id(), disk.display()));
    let filler = inside.join("filler");
    let mut full = fs::File::create(&filler).unwrap();
    while full.write_all(&[0; 512]).is_ok() {}

    end_of_step(&worker.homes[0]);
    until_true(|| bot.log().contains("stands still and tries again"), || bot.so_far() + &bot.log());
    let before = bot.so_far();
    drop(full);
    fs::remove_file(&filler).unwrap();
    until_true(|| bot.so_far().contains("state=FAILED"), || bot.so_far() + &bot.log());

    assert!(!before.contains("state=FAILED"), "{before}");
    assert!(bot.log().contains("the disk is full"), "{}", bot.log());
    types(&mut bot, &["as ana", "stop 1", "journal verify"]);
    bot.child.stdin = None;
    let _ = bot.ended().ends_with(DONE).says("Run 1 was stopped").says("unbroken");
    assert_eq!(ran(&worker.homes[0]), 1);
}

pub(crate) fn until_true(mut condition: impl FnMut() -> bool, so_far: impl Fn() -> String) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it does not come true:\n{}", so_far());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Ends the command of the one step that runs on a host, as somebody there might.
pub(crate) fn end_of_step(home: &Path) {
    let attempts = fs::read_dir(home.join(".steadyhand/a")).unwrap().flatten();
    let started = attempts.map(|entry| fs::read_to_string(entry.path().join("started")).unwrap_or_default());
    let pids: Vec<String> = started.filter_map(|line| Some(line.split(' ').nth(1)?.to_owned())).collect();
    let [pid] = &pids[..] else { panic!("one step runs: {pids:?}") };
    let killed = Command::new("kill").args(["-TERM", "--", &format!("-{pid}")]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn two_bots_with_a_journal_each_are_told_apart_and_a_killed_one_blocks_nobody() {
    let ground = Ground::new(1);
    let worker = begun(&ground);
    // A short path: the sockets of ssh lie below it.
    let second = worker.dir.with_file_name("2");
    fs::create_dir(&second).unwrap();
    for name in ["steadyhand.toml", "known_hosts"] {
        fs::copy(worker.dir.join(name), second.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(worker.dir.join("runbooks"), second.join("runbooks")).unwrap();
    let configs = [worker.config(), second.join("steadyhand.toml")];

    // Both call it run 1, at the same time, on the same hosts.
    let mut bots = configs.each_ref().map(|config| chat::open(config));
    for bot in &mut bots {
        types(bot, &[EVERY_KIND, "next", "as ben", "next", "as ana"]);
    }
    for bot in &bots {
        until_true(|| bot.so_far().contains("Run 1 succeeded"), || bot.so_far() + &bot.log());
    }
    let on_first = fs::read_to_string(worker.homes[0].join("ran")).unwrap();
    let mut keys: Vec<&str> = on_first.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(keys.len(), 4, "two steps of two runs: {on_first}");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 4, "each has a name of its own: {on_first}");

    // A third one on the journal of the first is refused, until the first is killed.
    let refused = chat::types_with(&configs[0], ["status"]).ends_with(BROKE);
    assert!(refused.log.contains("is in use by process"), "{refused}");
    let [mut first, mut second] = bots;
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let _ = chat::types_with(&configs[0], ["status", "journal verify"]).ends_with(DONE).says("unbroken");
    second.child.stdin = None;
    let _ = second.ended().ends_with(DONE);
}
