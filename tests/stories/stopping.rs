//! What was stopped runs no more, what lives on is named, and nothing waits for ever: on real hosts, each with a time
//! that it may take.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use lab::{Lab, Spec};
use steadyhand::target::{Control, Ending, Execution, Target as _};

use crate::chat::{self, DONE, REFUSED};
use crate::guarded::{attempt, step};
use crate::hosts::{Reached, begin, processes, until};

const RUNBOOK: &str = r"
runbook: do-it
title: Do something on {{where}}
use_when: It is to be seen how it ends.
owner: data-platform
rehearse: 30d

parameters:
  cluster: { type: cluster, kind: [postgresql] }
  where: { type: host, in: cluster.hosts }

access: { start: [on-call] }
tell:
  - { who: support, at: start, until: acknowledged, within: 10m }

measure:
  kept: { probe: host/path, host: where, with: { path: / } }

steps:
  - step: Do it
    host: where
    effect: EFFECT
    script: |
      SCRIPT
    at_most: 170s
";

const RUN: &str = r#"run do-it cluster=orders where=pg1 reason="to see how it ends""#;

/// A lab whose runbook does this, as a step with or without an effect.
fn lab_that_does(script: &str, changes: bool) -> (tempfile::TempDir, Lab) {
    let runbooks = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/packs");
    fs::create_dir(runbooks.path().join("packs")).unwrap();
    for pack in ["host.yaml", "postgresql.yaml"] {
        fs::copy(shipped.join(pack), runbooks.path().join("packs").join(pack)).unwrap();
    }
    let effect = if changes { "reversible" } else { "read" };
    let mut text = RUNBOOK.to_owned();
    if !changes {
        let from = text.find("measure:").unwrap();
        text.replace_range(from..text.find("steps:").unwrap(), "");
    }
    text = text.replace("EFFECT", effect).replace("SCRIPT", script);
    if changes {
        text += "    undo: { nothing: It did nothing. }\n    verify:\n      - that: kept.exists\n        else: Nothing is there\n";
    }
    fs::write(runbooks.path().join("do-it.yaml"), text).unwrap();
    let lab = Lab::up(Spec::default().fast().runbooks(runbooks.path())).unwrap();
    (runbooks, lab)
}

/// How many processes on pg1 have this command line.
fn running(lab: &Lab, pattern: &str) -> usize {
    let marked = format!("[{}]{}", &pattern[..1], &pattern[1..]);
    let answer = lab.host("pg1").ssh(&format!("pgrep -fc '^{marked}' || true")).unwrap();
    answer.out.trim().parse().unwrap()
}

/// Waits a while for this to come true.
#[track_caller]
fn soon(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The run is begun by a bot that is then killed.
fn begun_by_a_bot_that_is_killed(lab: &Lab, pattern: &str) {
    let mut open = chat::open(&lab.bot_dir().join("steadyhand.toml"));
    open.child.stdin.as_mut().unwrap().write_all(format!("{RUN}\nnext\n").as_bytes()).unwrap();
    soon("it begins", || running(lab, pattern) > 0);
    open.child.kill().unwrap();
    assert_eq!(open.ended().code, None);
}

#[test]
fn a_step_that_a_killed_bot_left_is_ended_by_the_next_one() {
    let (_runbooks, lab) = lab_that_does("trap '' TERM; sleep 331; sleep 331", true);
    begun_by_a_bot_that_is_killed(&lab, "sleep 331");
    assert_eq!(running(&lab, "sleep 331"), 1, "it goes on without its bot");

    let began = Instant::now();
    let said = chat::types(&lab, ["stop 1 now"]);

    said.says("nothing of it runs there any more").says("Step 1 on pg1 (Do it) failed and may have changed");
    assert_eq!(running(&lab, "sleep 331"), 0);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

#[test]
fn what_only_reads_ends_with_its_bot() {
    let (_runbooks, lab) = lab_that_does("exec sleep 332", false);
    begun_by_a_bot_that_is_killed(&lab, "sleep 332");

    soon("it is gone", || running(&lab, "sleep 332") == 0);
}

#[test]
fn what_a_host_keeps_of_a_run_goes_when_it_is_over() {
    let (_runbooks, lab) = lab_that_does("echo done; : >\"$step_dir/x\"", true);
    let kept = |folder: &str| {
        lab.host("pg1").ssh(&format!("ls ~/.steadyhand/{folder} | wc -l")).unwrap().out.trim().to_owned()
    };

    let _ = chat::types(&lab, [RUN, "next"]).ends_with(DONE);
    assert_eq!((kept("a"), kept("steps")), ("0".to_owned(), "1".to_owned()), "it could still be taken back");
    let _ = chat::types(&lab, ["undo 1", "next"]).ends_with(DONE);

    assert_eq!(kept("steps"), "0");
}

/// So much more memory does the bot need while this is printed to it.
fn grows_by(script: &str, changes: bool) -> u64 {
    let (_runbooks, lab) = lab_that_does(script, changes);
    let mut open = chat::open(&lab.bot_dir().join("steadyhand.toml"));
    let mut stdin = open.child.stdin.take().unwrap();
    let memory = |pid: u32, name: &str| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    stdin.write_all(format!("{RUN}\n").as_bytes()).unwrap();
    soon("the plan", || open.so_far().contains("confirm 1"));
    let before = memory(open.child.id(), "VmRSS:");
    stdin.write_all(b"next\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(170);
    while !open.so_far().contains("succeeded  run 1") {
        assert!(Instant::now() < deadline && open.child.try_wait().unwrap().is_none(), "{}", open.so_far());
        std::thread::sleep(Duration::from_millis(200));
    }
    let most = memory(open.child.id(), "VmHWM:");
    drop(stdin);
    let _ = open.ended().ends_with(DONE);
    most - before
}

#[test]
fn a_host_that_prints_a_gigabyte_costs_the_bot_little_memory() {
    let grown = [
        grows_by("yes 0123456789 | head -c 1000000000", true),
        grows_by("yes 0123456789 | head -c 300000000", false),
    ];
    println!("the bot grew by {grown:?} KiB");
    assert!(grown.iter().all(|kib| *kib < 64 * 1024), "{grown:?} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_names_what_has_left_the_group() {
    let reached = Reached::on(Spec::default().fast());
    let leaving = step(&reached, "leaving", "setsid sleep 333 & sleep 334; sleep 334");
    let (control, running) = begin(&reached.ssh, leaving);
    until(|| processes(&reached, "sleep 33[34]") == 2).await;

    control.send_replace(Control::Stop);
    let report = running.await.unwrap();

    let pid = reached.ends("pgrep -f '^sleep 33[3]'").await.out.head;
    let pid: u32 = String::from_utf8(pid).unwrap().trim().parse().unwrap();
    assert!(
        matches!(&report.ending, Ending::Ended { escaped, .. } if *escaped == [pid]),
        "{pid}: {report:?}"
    );
    assert_eq!(processes(&reached, "sleep 334"), 0);
    reached.ends(&format!("kill {pid}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_that_comes_while_the_link_is_broken_is_obeyed_when_it_is_back() {
    let reached = Reached::on(Spec::default().fast());
    let (control, running) = begin(&reached.ssh, step(&reached, "cut", "sleep 335; sleep 335"));
    until(|| processes(&reached, "sleep 335") == 1).await;

    reached.lab.host("pg1").refuse_ssh().unwrap();
    control.send_replace(Control::Stop);
    tokio::time::sleep(Duration::from_secs(1)).await;
    reached.lab.host("pg1").heal().unwrap();
    let report = running.await.unwrap();

    assert!(matches!(report.ending, Ending::Ended { by_limit: false, .. }), "{report:?}");
    assert_eq!(processes(&reached, "sleep 335"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_half_open_link_is_noticed_and_a_step_is_followed_again_when_it_is_back() {
    let reached = Reached::on(Spec::default().fast());
    let limit = Duration::from_secs(100);
    let changes = Execution { limit, ..step(&reached, "halted", "sleep 20; echo through; exit 5") };
    let reads = Execution { limit, ..reached.script("echo begun; sleep 336") };
    let [changes, reads] = [changes, reads].map(|execution| {
        let ssh = reached.ssh.clone();
        tokio::spawn(async move { ssh.execute(execution).await })
    });
    until(|| processes(&reached, "sleep 20") + processes(&reached, "sleep 336") == 2).await;

    // The connection stays open, and nothing comes: also not for those who connect anew.
    reached.lab.host("pg1").cut_ssh().unwrap();
    let began = Instant::now();
    let reads = reads.await.unwrap();
    let noticed = began.elapsed();
    reached.lab.host("pg1").heal().unwrap();
    let changes = changes.await.unwrap();

    assert!(matches!(reads.ending, Ending::Lost { .. }), "{reads:?}");
    assert!(noticed < Duration::from_secs(30), "{noticed:?}");
    assert_eq!((changes.ending, changes.out.head.as_slice()), (Ending::Exited(5), &b"through\n"[..]));
    until(|| processes(&reached, "sleep 336") == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_host_without_a_usable_guard_says_why_and_in_time() {
    let reached = Reached::on(Spec::default().fast());
    let to = || reached.script("").to;
    let home = reached.lab.host("pg1").dir().join("home");
    let guard = reached.ssh.hello(to()).await.unwrap();
    assert_eq!((guard.root.len(), guard.boot.len()), (16, 36));
    assert_eq!(reached.ssh.hello(to()).await, Ok(guard.clone()), "it is the same every time");

    let mut wrong = step(&reached, "elsewhere", "exit 0");
    wrong.attempt.as_mut().unwrap().root = Some("0".repeat(16));
    let report = reached.ssh.execute(wrong.clone()).await;
    assert!(
        matches!(&report.ending, Ending::NotStarted { why, .. } if why.contains("another one")),
        "{report:?}"
    );
    let report = reached.ssh.settle(wrong).await;
    assert!(matches!(&report.ending, Ending::Lost { why } if why.contains("another one")), "{report:?}");
    let right = Execution { attempt: Some(attempt("right", 1)), ..step(&reached, "right", "exit 0") };
    assert_eq!(reached.ssh.execute(right).await.ending, Ending::Exited(0));

    let says = async |what: &str| {
        let began = Instant::now();
        let said = reached.ssh.hello(to()).await;
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: {:?}", began.elapsed());
        let Err(Ending::NotStarted { code, why }) = said else { panic!("{what}: {said:?}") };
        assert!(why.contains(what), "{code}: {why}");
    };
    let folder = home.join(".steadyhand");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    says("cannot be written").await;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    // The login hands over to nobody, or does so never.
    fs::write(home.join(".bashrc"), "exit 3\n").unwrap();
    says("hands over to no shell").await;
    fs::write(home.join(".bashrc"), "sleep 337\n").unwrap();
    says("did not hand over in 10 s").await;
    fs::remove_file(home.join(".bashrc")).unwrap();

    assert_eq!(reached.ssh.hello(to()).await, Ok(guard));
}

#[test]
fn a_doctor_finds_each_fault_and_says_what_cures_it() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    let doctor = |hosts: &[&str]| {
        let words: Vec<&str> = ["doctor"].iter().chain(hosts).copied().collect();
        let (code, said) = chat::from_a_shell(&lab, &words);
        (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (code, said) = doctor(&["pg1"]);
    assert_eq!(code, DONE, "{said}");
    assert!(said.contains("1 host: all well."), "{said}");

    let pg1 = lab.host("pg1");
    let fault = |program: &str, prints: &str, says: &str, cure: &str| {
        let fake = pg1.dir().join("bin").join(program);
        let was = fs::read(&fake).ok();
        fs::write(&fake, format!("#!/bin/sh\n{prints}\n")).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let (code, said) = doctor(&["pg1"]);
        was.map_or_else(|| fs::remove_file(&fake), |was| fs::write(&fake, was)).unwrap();
        assert!(code == REFUSED && said.contains(says) && said.contains(cure), "{program}: {code} {said}");
        assert!(said.contains("1 of 1 host need something: pg1."), "{said}");
    };
    fault("date", "echo 1000000000", "s behind", "synchronisation of time");
    fault("df", "printf 'x\\nd 1 1 1024 0%% /\\n'", "1 MiB free", "make room");
    fault("sync", "exit 1", "sync does not work", "install sync of coreutils");
    fault("sed", "echo yes", "KillUserProcesses ends a step", "enable-linger");
    fault("true", "sleep 0.7", "ms for a command that does nothing", "profile of the login user");

    let folder = pg1.dir().join("home/.steadyhand");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let (code, said) = doctor(&["pg1"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(code == REFUSED && said.contains("cannot be written: give it to that user"), "{said}");

    pg1.refuse_ssh().unwrap();
    let (code, said) = doctor(&[]);
    pg1.heal().unwrap();
    assert!(
        code == REFUSED && said.contains("refuses connections") && said.contains("its sshd runs"),
        "{said}"
    );
    assert!(said.contains("1 of 7 hosts need something: pg1."), "{said}");

    pg1.change_host_key().unwrap();
    assert!(doctor(&["pg1"]).1.contains("find out why it has another key"));
    fs::write(lab.bot_dir().join("known_hosts"), "").unwrap();
    assert!(doctor(&["pg1"]).1.contains("none is pinned"));
    assert_eq!(doctor(&["pg9"]).0, REFUSED);
}
