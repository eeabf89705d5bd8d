//! What changes something is asked about afterwards: its host says whether it ran and how it ended, or that it cannot
//! know. Each command writes a line to a file that is its own: so many lines, so many times it ran.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use lab::Spec;
use steadyhand::config::Config;
use steadyhand::target::guard::Attempt;
use steadyhand::target::ssh::Ssh;
use steadyhand::target::{Control, Ending, Execution, Link, Report, Target as _};
use tokio::sync::watch;

use crate::hosts::{Reached, begin, processes, until};

fn reached() -> Reached {
    Reached::on(Spec::default().fast())
}

pub(crate) fn attempt(key: &str, token: u64) -> Attempt {
    let holds = vec![("cluster/orders".to_owned(), token)];
    Attempt { key: key.to_owned(), root: None, holds }
}

/// A command that changes something, as an attempt of this name.
pub(crate) fn step(reached: &Reached, key: &str, script: &str) -> Execution {
    let counted = format!("echo ran >>{}\n{script}", oracle(reached, key));
    Execution { attempt: Some(attempt(key, 1)), ..reached.script(&counted) }
}

fn oracle(reached: &Reached, key: &str) -> String {
    reached.lab.host("pg1").data_dir().parent().unwrap().join("tmp").join(key).display().to_string()
}

/// How often it ran.
fn ran(reached: &Reached, key: &str) -> usize {
    fs::read_to_string(oracle(reached, key)).map_or(0, |text| text.lines().count())
}

/// The bot after a restart: nothing of the old connections is left.
fn another_bot(reached: &Reached) -> Arc<Ssh> {
    let config = Config::load(Some(&reached.lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
    Arc::new(Ssh::new(config.ssh).unwrap())
}

fn code(report: &Report) -> &str {
    match &report.ending {
        Ending::NotStarted { code, .. } => code,
        ending => panic!("{ending:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_is_carried_out_once_and_known_for_ever() {
    let reached = reached();
    let whole = step(&reached, "once", "echo out; echo err >&2; exit 3");

    let first = reached.ssh.execute(whole.clone()).await;
    let again = reached.ssh.execute(whole.clone()).await;
    let asked = another_bot(&reached).settle(whole).await;

    for report in [&first, &again, &asked] {
        assert_eq!(report.ending, Ending::Exited(3));
        assert_eq!((report.out.head.as_slice(), report.err.head.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    }
    assert_eq!(ran(&reached, "once"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_that_was_never_started_never_starts_after_it_was_asked_about() {
    let reached = reached();
    let late = step(&reached, "late", "exit 0");

    let asked = another_bot(&reached).settle(late.clone()).await;
    let came_late = reached.ssh.execute(late).await;

    assert_eq!((code(&asked), code(&came_late)), ("not-started", "not-started"));
    assert_eq!(ran(&reached, "late"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_survives_its_connection_and_is_followed_to_its_end() {
    let reached = reached();
    let long = step(&reached, "long", "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.4; done; exit 4");
    let running = tokio::spawn({
        let (ssh, long) = (reached.ssh.clone(), long.clone());
        async move { ssh.execute(long).await }
    });
    until(|| ran(&reached, "long") == 1).await;

    reached.lab.host("pg1").kill_ssh_sessions().unwrap();
    let report = running.await.unwrap();

    assert_eq!(report.ending, Ending::Exited(4));
    assert_eq!(report.out.head, b"1\n2\n3\n4\n5\n6\n7\n8\n", "nothing is missing, and nothing came twice");
    assert_eq!(ran(&reached, "long"), 1);
}

/// It waited for its turn on the host for longer than it may take, so when it was meant says nothing about its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_that_waited_long_for_its_turn_is_not_ended_by_the_next_bot() {
    let reached = reached();
    let long = step(&reached, "waited", "sleep 2; exit 5");
    let running = tokio::spawn({
        let (ssh, long) = (reached.ssh.clone(), long.clone());
        async move { ssh.execute(long).await }
    });
    until(|| ran(&reached, "waited") == 1).await;
    running.abort();

    let ago = Duration::from_hours(3);
    let report = another_bot(&reached).settle(Execution { ago, ..long }).await;

    assert_eq!(report.ending, Ending::Exited(5));
    assert!(report.took >= ago, "{:?}", report.took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_survives_the_bot_and_is_followed_by_the_next_one() {
    let reached = reached();
    let long = step(&reached, "left", "for n in 1 2 3 4 5; do echo $n; sleep 0.4; done");
    let running = tokio::spawn({
        let (ssh, long) = (reached.ssh.clone(), long.clone());
        async move { ssh.execute(long).await }
    });
    until(|| ran(&reached, "left") == 1).await;

    running.abort();
    let report = another_bot(&reached).settle(long).await;

    assert_eq!(report.ending, Ending::Exited(0));
    assert_eq!(report.out.head, b"1\n2\n3\n4\n5\n");
    assert_eq!(ran(&reached, "left"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_claims_to_know_how_a_step_ended_whose_guard_was_killed_with_it() {
    let reached = reached();
    let shot = step(&reached, "shot", "sleep 304");
    let running = tokio::spawn({
        let (ssh, shot) = (reached.ssh.clone(), shot.clone());
        async move { ssh.execute(shot).await }
    });
    until(|| ran(&reached, "shot") == 1).await;

    // The guards of this host alone, and then the command.
    let guards = "for p in $(pgrep -f '[S]H1 .nonce'); do grep -qa \"HOME=$HOME\" /proc/$p/environ && kill -9 $p || :; done";
    let killed = reached.ends(&format!("{guards}; pkill -9 -f 'sleep 30[4]'")).await;
    assert_eq!(killed.ending, Ending::Exited(0));
    let report = running.await.unwrap();

    assert!(matches!(report.ending, Ending::Lost { .. }), "{report:?}");
    assert_eq!(ran(&reached, "shot"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_ends_all_processes_also_those_that_do_not_want_to() {
    let reached = reached();
    let stubborn = "trap '' TERM; (trap '' TERM; sleep 305; sleep 305) & sleep 305; sleep 305";
    let (control, running) = begin(&reached.ssh, step(&reached, "stubborn", stubborn));
    until(|| processes(&reached, "sleep 305") == 2).await;

    control.send_replace(Control::Stop);
    let report = running.await.unwrap();

    assert!(matches!(report.ending, Ending::Ended { by_limit: false, .. }), "{report:?}");
    assert_eq!(processes(&reached, "sleep 305"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_host_ends_a_step_over_its_limit_though_nobody_is_there() {
    let reached = reached();
    let slow = Execution { limit: Duration::from_secs(1), ..step(&reached, "slow", "sleep 306") };

    let report = reached.ssh.execute(slow).await;

    assert!(matches!(report.ending, Ending::Ended { by_limit: true, .. }), "{report:?}");
    assert_eq!(processes(&reached, "sleep 306"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_host_obeys_only_the_newest_who_holds() {
    let reached = reached();
    let by = |key: &str, token| {
        let whole = step(&reached, key, "exit 0");
        Execution { attempt: Some(attempt(key, token)), ..whole }
    };

    assert_eq!(reached.ssh.execute(by("newer", 8)).await.ending, Ending::Exited(0));
    assert_eq!(code(&reached.ssh.execute(by("older", 7)).await), "fenced");

    assert_eq!((ran(&reached, "newer"), ran(&reached, "older")), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_newer_run_waits_for_no_step_of_an_older_one_and_starts_none_beside_it() {
    let reached = reached();
    let old = step(&reached, "old", "sleep 307");
    let running = tokio::spawn({
        let (ssh, old) = (reached.ssh.clone(), old.clone());
        async move { ssh.execute(old).await }
    });
    until(|| ran(&reached, "old") == 1).await;

    let new = Execution { attempt: Some(attempt("new", 2)), ..step(&reached, "new", "exit 0") };
    let report = reached.ssh.execute(new).await;

    assert_eq!(code(&report), "fenced");
    assert_eq!(ran(&reached, "new"), 0);
    reached.ends("pkill -f 'sleep 30[7]'").await;
    assert_eq!(running.await.unwrap().ending, Ending::Exited(143));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_gigabyte_of_output_costs_little_and_its_end_is_known() {
    let reached = reached();
    let loud = step(&reached, "loud", "yes 0123456789 | head -c 300000000; echo end; exit 6");

    let report = reached.ssh.execute(loud).await;

    assert_eq!(report.ending, Ending::Exited(6));
    assert_eq!(report.out.bytes, 300_000_004);
    assert!(report.out.head.starts_with(b"0123456789\n") && report.out.tail.ends_with(b"end\n"));
    let kept = reached.ends("du -sk .steadyhand | cut -f1").await;
    let kept: u64 = String::from_utf8_lossy(&kept.out.head).trim().parse().unwrap();
    assert!(kept < 16 * 1024, "{kept} KiB on the host");
}

/// The states of the processes that these words call, as the system tells: `T` is halted.
fn states(words: &str) -> String {
    let listed = std::process::Command::new("ps").args(["-eo", "stat=,args="]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let of_ours = |line: &&str| line.trim_end().ends_with(words);
    listed.lines().filter(of_ours).filter_map(|line| line.chars().next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_halted_step_stands_still_and_goes_on() {
    let reached = reached();
    let (control, running) = begin(&reached.ssh, step(&reached, "halted", "sleep 3.08; echo on"));
    until(|| states("sleep 3.08") == "S").await;

    control.send_replace(Control::Pause);
    until(|| states("sleep 3.08") == "T").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!running.is_finished(), "what is halted does not end");
    control.send_replace(Control::Run);

    let report = running.await.unwrap();
    assert_eq!((report.ending, report.out.head.as_slice()), (Ending::Exited(0), &b"on\n"[..]));
}

/// The bot was killed while a step was halted, perhaps right before it would have let it go on: the next one says anew
/// what is to become of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_next_bot_decides_about_a_step_that_the_last_one_halted() {
    let reached = reached();
    let whole = step(&reached, "kept", "sleep 0.109; sleep 1.109; echo on");
    let (control, running) = begin(&reached.ssh, whole.clone());
    until(|| states("sleep 1.109") == "S").await;
    control.send_replace(Control::Pause);
    until(|| states("sleep 1.109") == "T").await;
    running.abort();

    // Its watch is broken still.
    let (control, controlled) = watch::channel(Control::Pause);
    let asked = Execution { control: Some(controlled), ..whole.clone() };
    let next = another_bot(&reached);
    let running = tokio::spawn(async move { next.settle(asked).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(states("sleep 1.109"), "T", "it was let go though nobody said so");
    running.abort();
    drop(control);

    // The watch holds again, and that was said before the last bot could act on it.
    let (_control, controlled) = watch::channel(Control::Run);
    let asked = Execution { control: Some(controlled), ..whole };
    let report = another_bot(&reached).settle(asked).await;

    assert_eq!((report.ending, report.out.head.as_slice()), (Ending::Exited(0), &b"on\n"[..]));
    assert_eq!(ran(&reached, "kept"), 1);
}

/// Steps may take hours: a fifth one on a host waits for its turn, and checks, watches and stops get through.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn however_many_steps_work_on_a_host_there_is_a_way_in() {
    let reached = reached();
    let (wanted, running): (Vec<_>, Vec<_>) = (1..=8)
        .map(|number| begin(&reached.ssh, step(&reached, &format!("long{number}"), "sleep 341")))
        .unzip();
    until(|| processes(&reached, "sleep 341") == 4).await;

    assert_eq!(reached.ends("exit 0").await.ending, Ending::Exited(0));
    assert_eq!(processes(&reached, "sleep 341"), 4);

    for wanted in &wanted {
        wanted.send_replace(Control::Stop);
    }
    let mut never = 0;
    for running in running {
        match running.await.unwrap().ending {
            Ending::NotStarted { code: "stopped", .. } => never += 1,
            Ending::Ended { by_limit: false, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(never, 4, "what waits is stopped where it stands");
    assert_eq!(processes(&reached, "sleep 341"), 0);
}

/// Whoever follows a step hears that the connection broke, and that the host answers again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_breaks_is_told_and_so_is_that_it_is_back() {
    let reached = reached();
    let heard: Arc<std::sync::Mutex<Vec<Option<String>>>> = Arc::default();
    let hears = {
        let heard = heard.clone();
        Link(Arc::new(move |lost| heard.lock().unwrap().push(lost.map(str::to_owned))))
    };
    let long = Execution { link: Some(hears), ..step(&reached, "told", "sleep 3; exit 4") };
    let running = tokio::spawn({
        let ssh = reached.ssh.clone();
        async move { ssh.execute(long).await }
    });
    until(|| ran(&reached, "told") == 1).await;

    reached.lab.host("pg1").kill_ssh_sessions().unwrap();

    assert_eq!(running.await.unwrap().ending, Ending::Exited(4));
    let heard = heard.lock().unwrap().clone();
    let lost = heard.iter().position(Option::is_some).expect("that it broke");
    assert!(heard[lost..].iter().any(Option::is_none), "that it is back: {heard:?}");
}
