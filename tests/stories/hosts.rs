//! Commands on real hosts: every way in which one can end is told apart, and everything has a limit.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};
use steadyhand::config::Config;
use steadyhand::plan::measure::ErrandBody;
use steadyhand::runbook::source::name::HostName;
use steadyhand::target::known_hosts::KnownKeys;
use steadyhand::target::ssh::{Ssh, SshSettings};
use steadyhand::target::{Control, Destination, Ending, Execution, Report, Target as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::chat::{self, BROKE, DONE};

/// Longer than any of these commands takes on a busy machine.
const PATIENT: Duration = Duration::from_secs(20);

/// A lab, and hosts as the bot reaches them.
pub(crate) struct Reached {
    pub(crate) lab: Lab,
    pub(crate) ssh: Arc<Ssh>,
}

impl Reached {
    pub(crate) fn on(spec: Spec) -> Self {
        let lab = Lab::up(spec).unwrap();
        let config = Config::load(Some(&lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        Self { ssh: Arc::new(Ssh::new(config.ssh).unwrap()), lab }
    }

    fn destination(&self, name: &str) -> Destination {
        let host = self.lab.host(name);
        Destination {
            name: HostName::new(name).unwrap(),
            address: host.address().to_string(),
            port: host.ssh_port(),
            user: self.lab.user().to_owned(),
        }
    }

    /// A script on pg1 that only reads.
    pub(crate) fn script(&self, text: &str) -> Execution {
        Execution {
            to: self.destination("pg1"),
            keys: None,
            body: ErrandBody::Script { text: text.to_owned(), variables: BTreeMap::new() },
            secrets: Vec::new(),
            limit: PATIENT,
            step_dir: None,
            ago: Duration::ZERO,
            attempt: None,
            control: None,
            latest: None,
            link: None,
        }
    }

    pub(crate) async fn ends(&self, text: &str) -> Report {
        self.ssh.execute(self.script(text)).await
    }
}

/// Begins a command: what tells its processes to halt, go on or end, and how it ended.
pub(crate) fn begin(ssh: &Arc<Ssh>, execution: Execution) -> (watch::Sender<Control>, JoinHandle<Report>) {
    let (control, controlled) = watch::channel(Control::Run);
    let execution = Execution { control: Some(controlled), ..execution };
    let ssh = ssh.clone();
    (control, tokio::spawn(async move { ssh.execute(execution).await }))
}

fn reached() -> Reached {
    Reached::on(Spec::default().fast())
}

fn pg1(reached: &Reached) -> Host {
    reached.lab.host("pg1")
}

fn code(report: &Report) -> &str {
    match &report.ending {
        Ending::NotStarted { code, .. } => code,
        ending => panic!("{ending:?}"),
    }
}

#[tokio::test]
async fn each_end_of_a_command_is_told_apart() {
    let reached = reached();

    assert_eq!(reached.ends("exit 0").await.ending, Ending::Exited(0));
    assert_eq!(reached.ends("exit 3").await.ending, Ending::Exited(3));
    // ssh itself says 255 when the link breaks, and a shell says 127 and 126 of its own.
    assert_eq!(reached.ends("exit 255").await.ending, Ending::Exited(255));
    assert_eq!(reached.ends("exit 127").await.ending, Ending::Exited(127));
    assert_eq!(reached.ends("kill -9 $$").await.ending, Ending::Exited(137));

    let mut no_such = reached.script("");
    no_such.body = ErrandBody::Run(vec!["no-such-program".to_owned()]);
    assert_eq!(reached.ssh.execute(no_such).await.ending, Ending::NoCommand);
}

#[tokio::test]
async fn output_is_kept_within_limits_and_all_of_it_is_hashed() {
    let report = reached().ends("yes 0123456789 | head -c 20000000; echo end; echo 2 >&2").await;

    assert_eq!(report.ending, Ending::Exited(0));
    assert_eq!(report.out.bytes, 20_000_004);
    assert!(report.out.head.len() + report.out.tail.len() < 200_000, "memory is bounded");
    assert!(report.out.head.starts_with(b"0123456789\n") && report.out.tail.ends_with(b"end\n"));
    assert_eq!(report.out.sha256, "e407d66bf4efa554e38cc3269e553748028121bee5c099483e2990052aaddc21");
    assert_eq!(report.err.head, b"2\n");
}

#[tokio::test]
async fn a_command_over_its_limit_is_ended_with_all_its_children() {
    let reached = reached();
    let mut slow = reached.script("sleep 300 & sleep 300");
    slow.limit = Duration::from_millis(700);

    let report = reached.ssh.execute(slow).await;

    assert!(matches!(report.ending, Ending::Ended { by_limit: true, .. }), "{report:?}");
    assert!(report.took < PATIENT, "{:?}", report.took);
    assert_eq!(processes(&reached, "sleep 300"), 0);
}

#[tokio::test]
async fn a_person_can_end_a_command() {
    let reached = reached();
    let (control, running) = begin(&reached.ssh, reached.script("echo begun; sleep 301"));
    until(|| processes(&reached, "sleep 301") > 0).await;

    control.send_replace(Control::Stop);
    let report = running.await.unwrap();

    assert!(matches!(report.ending, Ending::Ended { by_limit: false, .. }), "{report:?}");
    assert_eq!(report.out.head, b"begun\n");
    assert_eq!(processes(&reached, "sleep 301"), 0);
}

#[tokio::test]
async fn a_command_is_ended_only_when_no_child_of_it_is_left() {
    let reached = reached();
    // The first process dies of TERM at once, and its child does not.
    let stubborn = |mark: &str| reached.script(&format!("(trap '' TERM; exec sleep {mark}) & sleep {mark}"));
    let mut over_limit = stubborn("304");
    over_limit.limit = Duration::from_millis(700);

    let report = reached.ssh.execute(over_limit).await;

    assert!(matches!(report.ending, Ending::Ended { by_limit: true, .. }), "{report:?}");
    assert_eq!(processes(&reached, "sleep 304"), 0);

    let (control, running) = begin(&reached.ssh, stubborn("305"));
    until(|| processes(&reached, "sleep 305") > 1).await;
    control.send_replace(Control::Stop);
    let report = running.await.unwrap();

    assert!(matches!(report.ending, Ending::Ended { by_limit: false, .. }), "{report:?}");
    assert_eq!(processes(&reached, "sleep 305"), 0);
    assert_eq!(report.err.head, b"", "what the shell says about its jobs is not the command's");
}

#[tokio::test]
async fn a_command_that_is_cut_and_says_0_was_cut_all_the_same() {
    let reached = reached();
    let mut late = reached.script("trap 'exit 0' TERM; sleep 306 & wait");
    late.limit = Duration::from_millis(700);

    let report = reached.ssh.execute(late).await;

    assert_eq!(report.ending, Ending::Ended { by_limit: true, status: 0, escaped: Vec::new() });
}

#[tokio::test]
async fn what_reads_ends_with_the_link() {
    let reached = reached();
    let (ssh, reads) = (reached.ssh.clone(), reached.script("sleep 302"));
    let running = tokio::spawn(async move { ssh.execute(reads).await });
    until(|| processes(&reached, "sleep 302") >= 1).await;

    pg1(&reached).kill_ssh_sessions().unwrap();

    let report = running.await.unwrap();
    assert!(matches!(report.ending, Ending::Lost { .. }), "nobody knows how it ended: {report:?}");
    until(|| processes(&reached, "sleep 302") == 0).await;
    // The next command has a link of its own.
    assert_eq!(reached.ends("exit 0").await.ending, Ending::Exited(0));
    reached.ends("pkill -f 'sleep 30[3]'").await;
}

/// The first attempt fails; the second finds what it left. The undo finds both.
const IN_A_FOLDER: &str = r#"
runbook: keep-it
title: Keep something on {{where}}
use_when: It is to be seen what a step finds in its folder.
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
  - step: Keep it
    host: where
    effect: reversible
    repeatable: true
    script: |
      echo kept >>"$step_dir/kept"
      echo kept here
      [ "$(wc -l <"$step_dir/kept")" -ge 2 ]
    at_most: 10s
    undo:
      script: |
        cp "$step_dir/kept" "$HOME/taken-back"
        echo taken back
    verify:
      - that: kept.exists
        else: Nothing is there
  - step: Fail
    host: where
    effect: reversible
    script: exit 3
    at_most: 10s
    undo: { nothing: It did nothing. }
    verify:
      - that: kept.exists
        else: Nothing is there
"#;

#[test]
fn the_folder_of_a_step_is_its_own_whichever_bot_asks() {
    let runbooks = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/packs");
    fs::create_dir(runbooks.path().join("packs")).unwrap();
    for pack in ["host.yaml", "postgresql.yaml"] {
        fs::copy(shipped.join(pack), runbooks.path().join("packs").join(pack)).unwrap();
    }
    fs::write(runbooks.path().join("keep-it.yaml"), IN_A_FOLDER).unwrap();
    let lab = Lab::up(Spec::default().fast().runbooks(runbooks.path())).unwrap();
    let run = r#"run keep-it cluster=orders where=pg1 reason="to look at its folder""#;
    let on_pg1 = |command: &str| lab.host("pg1").ssh(command).unwrap().out;

    // Two bots with a journal each: both call this run 1. Each finds what it left, and nothing else.
    for bots in 1..=2 {
        let said = chat::types(&lab, [run, "next", "retry 1 1 pg1", "undo 1", "next"]).ends_with(DONE);
        said.says("Keep it: exit 1").says("Keep it: done, and proven").says("Keep it: taken back");
        assert_eq!(on_pg1("cat ~/taken-back"), "kept\nkept\n");
        assert_eq!(on_pg1("ls ~/.steadyhand/steps"), "", "all was taken back, and nothing needs it any more");
        let journal = lab.bot_dir().join("steadyhand.db");
        outputs_are_proven(&lab, &journal);
        fs::rename(journal, lab.bot_dir().join(format!("of-bot-{bots}.db"))).unwrap();
    }
}

/// What the step and its undo printed is what the journal says, and a forgery is found.
fn outputs_are_proven(lab: &Lab, journal: &std::path::Path) {
    let printed = chat::types(lab, ["output 1 1", "journal verify"]).ends_with(DONE);
    let _ = printed.says("kept here").says("taken back").says("unbroken");
    let raw = rusqlite::Connection::open(journal).unwrap();
    for undo in [false, true] {
        let forge = |from: &str, to: &str| {
            let forge = "update outputs set head = cast(replace(cast(head as text), ?1, ?2) as blob)
                         where undo = ?3 and stream = 'out' and attempt = (select max(attempt) from outputs where undo = ?3)";
            assert_eq!(raw.execute(forge, (from, to, undo)).unwrap(), 1);
        };
        let (was, forged) = if undo { ("taken back", "left there") } else { ("kept here", "kept away") };
        forge(was, forged);
        let said = chat::types(lab, ["output 1 1", "journal verify"]).ends_with(BROKE).says(forged);
        let what = if undo { "the undo of step 1 of run 1" } else { "step 1 of run 1" };
        let _ = said.says(&format!("What {what} printed")).says("was changed");
        forge(forged, was);
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_has_certainly_started_nothing() {
    let reached = reached();
    pg1(&reached).refuse_ssh().unwrap();
    assert_eq!(code(&reached.ends("exit 0").await), "unreachable");
    pg1(&reached).heal().unwrap();

    pg1(&reached).cut_ssh().unwrap();
    let began = Instant::now();
    assert_eq!(code(&reached.ends("exit 0").await), "unreachable");
    assert!(began.elapsed() < PATIENT, "a black hole is given up: {:?}", began.elapsed());
    pg1(&reached).heal().unwrap();

    assert_eq!(reached.ends("exit 0").await.ending, Ending::Exited(0), "and it is found again");
}

#[tokio::test]
async fn a_key_that_changed_or_is_not_known_ends_it_before_anything_starts() {
    let reached = reached();
    pg1(&reached).change_host_key().unwrap();
    assert_eq!(code(&reached.ends("exit 0").await), "host-key-changed");

    let known = reached.lab.bot_dir().join("known_hosts");
    fs::write(&known, "").unwrap();
    assert_eq!(code(&reached.ends("exit 0").await), "host-key-unknown");
    assert_eq!(fs::read_to_string(&known).unwrap(), "", "no key is ever learnt");
}

#[tokio::test]
async fn a_command_goes_only_to_the_key_that_was_agreed_to() {
    let reached = reached();
    let known = reached.lab.bot_dir().join("known_hosts");
    let to = reached.destination("pg1");
    let pinned = || KnownKeys::read(&known).unwrap().of(&to.address, to.port);
    let mut agreed = reached.script("exit 0");
    agreed.keys = Some(pinned());
    assert_eq!(reached.ssh.execute(agreed.clone()).await.ending, Ending::Exited(0));

    // The host gets another key, and somebody pins that one: right for a new plan, and not for this one.
    let text = fs::read_to_string(&known).unwrap();
    let now = reached.lab.host("pg2").dir().join("ssh/hostkey.pub");
    let [old, new] = [reached.lab.host("pg1").dir().join("ssh/hostkey.pub"), now]
        .map(|file| fs::read_to_string(file).unwrap().split(' ').nth(1).unwrap().trim().to_owned());
    assert!(text.contains(&old));
    fs::write(&known, text.replace(&old, &new)).unwrap();
    let report = reached.ssh.execute(agreed.clone()).await;
    assert_eq!(code(&report), "host-key-changed", "also where a connection is open");
    // Nobody else uses the connection that was made with the old key.
    assert_eq!(code(&reached.ends("exit 0").await), "host-key-changed");

    // Another key beside the one that was agreed to is another agreement, too.
    let line = text.lines().find(|line| line.contains(&old)).unwrap();
    fs::write(&known, format!("{text}{}\n", line.replace(&old, &new))).unwrap();
    assert_eq!(code(&reached.ssh.execute(agreed.clone()).await), "host-key-changed");
    assert_eq!(reached.ends("exit 0").await.ending, Ending::Exited(0));

    fs::write(&known, text).unwrap();
    assert_eq!(reached.ssh.execute(agreed).await.ending, Ending::Exited(0));
}

#[tokio::test]
async fn many_commands_to_a_silent_host_wait_for_one_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let known_hosts = folder.path().join("known_hosts");
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    fs::write(&known_hosts, format!("[127.0.0.1]:{port} ssh-ed25519 {key}\n")).unwrap();
    let ssh = Arc::new(Ssh::new(SshSettings { identity_file: None, known_hosts }).unwrap());
    let execution = Execution {
        to: Destination {
            name: HostName::new("silent").unwrap(),
            address: "127.0.0.1".to_owned(),
            port,
            user: "nobody".to_owned(),
        },
        keys: None,
        body: ErrandBody::Run(vec!["true".to_owned()]),
        secrets: Vec::new(),
        limit: PATIENT,
        step_dir: None,
        ago: Duration::ZERO,
        attempt: None,
        control: None,
        latest: None,
        link: None,
    };
    let began = Instant::now();

    // More than there are sessions on one connection.
    let together = (0..10).map(|_| {
        let (ssh, execution) = (ssh.clone(), execution.clone());
        tokio::spawn(async move { ssh.execute(execution).await })
    });
    for running in together.collect::<Vec<_>>() {
        assert_eq!(code(&running.await.unwrap()), "unreachable");
    }
    let took = began.elapsed();

    let again = Instant::now();
    assert_eq!(code(&ssh.execute(execution).await), "unreachable");
    let alone = again.elapsed();
    assert!(alone > Duration::from_secs(1), "the next one tries again: {alone:?}");
    assert!(took < alone * 2, "ten took {took:?}, and one {alone:?}");
}

#[tokio::test]
async fn a_login_that_is_refused_says_so() {
    let reached = reached();
    let mut stranger = reached.script("exit 0");
    stranger.to.user = "nobody".to_owned();
    assert_eq!(code(&reached.ssh.execute(stranger).await), "login-refused");
}

#[tokio::test]
async fn more_commands_than_sessions_wait_their_turn() {
    let reached = Reached::on(Spec::default().fast().max_sessions(2));
    let together = (0..12).map(|n| {
        let (ssh, mut execution) = (reached.ssh.clone(), reached.script(&format!("sleep 0.1; echo {n}")));
        execution.limit = PATIENT;
        tokio::spawn(async move { ssh.execute(execution).await })
    });
    for (n, running) in together.collect::<Vec<_>>().into_iter().enumerate() {
        let report = running.await.unwrap();
        assert_eq!(report.ending, Ending::Exited(0), "{report:?}");
        assert_eq!(report.out.head, format!("{n}\n").as_bytes());
    }
}

#[tokio::test]
async fn a_command_sees_nothing_of_our_environment_and_forwards_nothing() {
    let reached = reached();
    let report = reached.ends("env | cut -d= -f1 | sort | tr '\\n' ' '").await;
    let names = String::from_utf8(report.out.head).unwrap();
    for forbidden in ["SSH_AUTH_SOCK", "DISPLAY", "SSH_", "LANG ", "CARGO"] {
        assert!(!names.contains(forbidden), "{names}");
    }
}

#[tokio::test]
async fn sockets_and_settings_lie_in_a_folder_of_our_own_that_goes_with_us() {
    use std::os::unix::fs::PermissionsExt as _;

    let reached = reached();
    assert_eq!(reached.ends("exit 0").await.ending, Ending::Exited(0));
    let folder = reached.ssh.folder().to_owned();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o077, 0, "nobody else may look");

    reached.ssh.close().await;

    assert!(!folder.exists(), "though somebody still holds it");
}

/// How many processes of pg1 have this command line.
pub(crate) fn processes(reached: &Reached, pattern: &str) -> usize {
    let marked = format!("[{}]{}", &pattern[..1], &pattern[1..]);
    let answer = pg1(reached).ssh(&format!("pgrep -fc '^{marked}' || true")).unwrap();
    answer.out.trim().parse().unwrap_or(0)
}

pub(crate) async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENT;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come true");
        tokio::task::yield_now().await;
    }
}
