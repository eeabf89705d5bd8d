//! A secret reaches one script on one host, and nothing else: no journal, no log, no screen, no list of processes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lab::{Lab, Spec};
use steadyhand::config::Config;
use steadyhand::secrets::Secrets;
use steadyhand::target::guard::Attempt;
use steadyhand::target::ssh::Ssh;
use steadyhand::target::{Control, Ending, Execution, Latest, Target as _};

use crate::chat::{self, DONE};
use crate::hosts::{Reached, begin, until};

/// What must appear nowhere.
const VALUE: &str = "Kn\"ö'del & 7 Zwerge/+$x";

const PACK: &str = r#"
pack: vault
title: Something behind a password
probes:
  lock:
    asks: Does the password open it?
    secrets: [door_key]
    at_most: 10s
    results: { opens: bool }
    script: |
      cat "$door_key_file" >&2
      [ "$(stat -c '%a' "$door_key_file")" = 600 ] || exit 9
      printf '{"opens":true}'
actions:
  open:
    does: Opens it.
    secrets: [door_key]
    effect: reversible
    at_most: 30s
    script: |
      key=$(cat "$door_key_file")
      dirname "$door_key_file" >"$step_dir/place"
      ls -l "$door_key_file" | cut -c1-10
      printf 'plain %s\n' "$key"
      printf '%s' "$key" | base64
      printf 'x%s' "$key" | base64 -w 0; echo
      printf 'xy%s' "$key" | base64 -w 0 | tr '+/' '-_' >&2
      printf '%s' "$key" | od -An -tx1
      printf '%s' "$key" | od -An -tx1 | tr -d ' \n' | tr a-f A-F; echo
      printf '%s' "$key" | sed "s/'/'\\\\''/g"
      printf '%s' "$key" | rev 2>/dev/null || true
      half=$(printf %s "$key" | cut -c1-11); printf 'halves %s' "$half"; sleep 0.7; printf '%s\n' "${key#"$half"}"
      sleep 0.3
      echo the end
    undo: { nothing: It closes by itself. }
"#;

const RUNBOOK: &str = r"
runbook: open-it
title: Open it on {{where}}
use_when: It is to be seen what becomes of a secret.
owner: data-platform
rehearse: 30d
secrets: [door_key]

parameters:
  cluster: { type: cluster, kind: [postgresql] }
  where: { type: host, in: cluster.hosts }

access: { start: [on-call] }
tell:
  - { who: support, at: start, until: acknowledged, within: 10m }

measure:
  lock: { probe: vault/lock, host: where }

preflight:
  - that: lock.opens
    else: The password does not open it
steps:
  - step: Open it
    host: where
    effect: reversible
    use: vault/open
    verify:
      - that: lock.opens
        else: It is shut
";

/// A lab whose bot has the runbook above, and the secret in a file.
struct Vault {
    lab: Lab,
    key: PathBuf,
    _runbooks: tempfile::TempDir,
}

impl Vault {
    fn new() -> Self {
        let runbooks = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/packs");
        fs::create_dir(runbooks.path().join("packs")).unwrap();
        for pack in ["host.yaml", "postgresql.yaml"] {
            fs::copy(shipped.join(pack), runbooks.path().join("packs").join(pack)).unwrap();
        }
        fs::write(runbooks.path().join("packs/vault.yaml"), PACK).unwrap();
        fs::write(runbooks.path().join("open-it.yaml"), RUNBOOK).unwrap();
        let lab = Lab::up(Spec::default().fast().runbooks(runbooks.path())).unwrap();
        let bot = lab.bot_dir();
        let key = bot.join("door.key");
        let vault = Self { lab, key, _runbooks: runbooks };
        vault.grants("open-it");
        vault.refers(&format!("file:{}", vault.key.display()));
        vault.holds(VALUE, 0o600);
        vault
    }

    fn edits(&self, name: &str, edit: impl Fn(&str) -> String) {
        let path = self.lab.bot_dir().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, edit(&text)).unwrap();
    }

    fn grants(&self, to: &str) {
        self.edits("policy.yaml", |text| {
            format!("{}\nsecrets:\n  door_key: [{to}]\n", text.split("\nsecrets:").next().unwrap().trim_end())
        });
    }

    fn refers(&self, reference: &str) {
        self.edits("steadyhand.toml", |text| {
            format!("{}\n[secrets]\ndoor_key = \"{reference}\"\n", text.split("\n[secrets]").next().unwrap())
        });
    }

    fn holds(&self, value: &str, mode: u32) {
        fs::write(&self.key, format!("{value}\n")).unwrap();
        fs::set_permissions(&self.key, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn says(&self, lines: &[&str]) -> chat::Transcript {
        chat::types(&self.lab, lines.iter().copied())
    }
}

/// What must not be found of a value, by the name of the form.
fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let own = |before: usize, encoded: String| {
        let own = (before * 8).div_ceil(6)..(before + value.len()) * 8 / 6;
        encoded[own].to_owned()
    };
    let mut forms = vec![
        ("plain", value.to_owned()),
        ("first half", value.chars().take(11).collect()),
        ("hex", hex::encode(value)),
        ("upper hex", hex::encode_upper(value)),
        ("json", serde_json::to_string(value).unwrap().trim_matches('"').to_owned()),
        ("shell", value.replace('\'', "'\\''")),
    ];
    for before in 0..3 {
        let shifted = format!("{}{value}", &"xyz"[..before]);
        forms.push(("base64", own(before, STANDARD.encode(&shifted))));
        forms.push(("base64 of an address", own(before, URL_SAFE.encode(&shifted))));
    }
    forms.into_iter().map(|(name, form)| (name, form.into_bytes())).collect()
}

#[track_caller]
fn holds_nothing(of: &str, bytes: &[u8]) {
    for (name, form) in forms(VALUE) {
        let found = bytes.windows(form.len()).position(|window| window == form);
        assert!(
            found.is_none(),
            "{name} in {of}: {}",
            String::from_utf8_lossy(
                &bytes[found.unwrap().saturating_sub(80)..]
                    [..160.min(bytes.len() - found.unwrap().saturating_sub(80))]
            )
        );
    }
}

/// Every file below a folder, or the file.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            files(&entry.path(), found);
        }
    } else if path.is_file() {
        found.push(path.to_owned());
    }
}

/// Reads the command line and environment of every process, again and again, until it is told to stop.
fn watch_processes(stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<(usize, Vec<String>)> {
    let stop = stop.clone();
    std::thread::spawn(move || {
        let (mut looks, mut found) = (0, Vec::new());
        while !stop.load(Ordering::SeqCst) {
            for process in fs::read_dir("/proc").unwrap().flatten() {
                for of in ["cmdline", "environ"] {
                    let Ok(bytes) = fs::read(process.path().join(of)) else { continue };
                    looks += 1;
                    for (name, form) in forms(VALUE) {
                        if bytes.windows(form.len()).any(|window| window == form) {
                            found.push(format!("{name} in {of}: {}", String::from_utf8_lossy(&bytes)));
                        }
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        (looks, found)
    })
}

fn left_in_memory() -> Vec<PathBuf> {
    let mut left: Vec<PathBuf> =
        fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    left.retain(|path| fs::read_to_string(path.join("door_key")).is_ok_and(|text| text.contains("Zwerge")));
    left
}

const RUN: &str = r#"run open-it cluster=orders where=pg1 reason="to see what becomes of it""#;

#[test]
fn a_secret_reaches_its_script_and_nothing_else() {
    let vault = Vault::new();
    let stop = Arc::new(AtomicBool::new(false));
    let watching = watch_processes(&stop);

    let said = vault
        .says(&[RUN, "next", "output 1 1", "journal show 1", "plan 1 --long", "journal verify"])
        .ends_with(DONE);

    stop.store(true, Ordering::SeqCst);
    let (looks, found) = watching.join().unwrap();
    assert!(looks > 100 && found.is_empty(), "{found:?}");
    let said =
        said.says("Open it: done, and proven").says("plain [secret]").says("halves [secret]").says("the end");
    let said = said.says("-rw-------").says("door_key as the file $door_key_file").says("unbroken");
    let said = said.says("door_key, from file:").says("to step 1.");
    holds_nothing("the screen", said.text.as_bytes());
    holds_nothing("the log", said.log.as_bytes());
    let mut all = Vec::new();
    files(&vault.lab.bot_dir(), &mut all);
    let all: Vec<_> = all.into_iter().filter(|file| *file != vault.key).collect();
    assert!(all.iter().any(|file| file.ends_with("steadyhand.db")), "{all:?}");
    for file in all {
        holds_nothing(&file.display().to_string(), &fs::read(&file).unwrap());
    }
    // On the host the file is gone, and nothing of ours holds it but what the script itself printed.
    let place = vault.lab.host("pg1").ssh("cat ~/.steadyhand/steps/*-1-*-1/place").unwrap().out;
    assert!(place.starts_with("/dev/shm/.steadyhand-") && !Path::new(place.trim()).exists(), "{place}");
    let kept = vault
        .lab
        .host("pg1")
        .ssh("cd ~/.steadyhand && find . -type f ! -name 'o.*' ! -name 'e.*' -exec cat {} +")
        .unwrap();
    holds_nothing("the state of the host", kept.out.as_bytes());
    assert!(left_in_memory().is_empty(), "{:?}", left_in_memory());
}

#[test]
fn what_cannot_be_read_stops_a_step_before_anything_is_sent() {
    let vault = Vault::new();
    vault.holds(VALUE, 0o644);
    let said = vault.says(&[&format!("! {RUN}")]).ends_with(DONE);
    let said = said.says("cannot be read from").says("(mode 0644): chmod 600 it").says("code: preflight");
    holds_nothing("the screen", said.text.as_bytes());

    vault.holds("hunter2", 0o600);
    let said = vault.says(&[&format!("! {RUN}")]).ends_with(DONE).says("fewer than 8 characters");
    let _ = said.never_says("hunter2");

    vault.refers(VALUE.replace('"', "").as_str());
    let said = vault.says(&[RUN]).ends_with(chat::BROKE);
    assert!(
        said.log.contains("secrets.door_key: it is no reference") && !said.log.contains("Zwerge"),
        "{said}"
    );

    vault.edits("steadyhand.toml", |text| text.replace("door_key", "other_key").replace("Kn", "file:Kn"));
    let _ = vault.says(&[&format!("! {RUN}")]).ends_with(DONE).says("says nothing of the secret `door_key`");

    vault.grants("another-book");
    let _ = vault.says(&[&format!("! {RUN}")]).never_says("Open it");
    let ran = vault.lab.host("pg1").ssh("ls ~/.steadyhand/a 2>/dev/null | wc -l").unwrap();
    assert_eq!(ran.out.trim(), "0");
}

fn bot(reached: &Reached, references: &str) -> Arc<Ssh> {
    let path = reached.lab.bot_dir().join("with-secrets.toml");
    let text = fs::read_to_string(reached.lab.bot_dir().join("steadyhand.toml")).unwrap();
    fs::write(&path, format!("{text}\n[secrets]\n{references}\n")).unwrap();
    let config = Config::load(Some(&path), &|_| None).unwrap();
    let environment = |name: &str| (name == "DOOR").then(|| "Riese mit 9 Augen".to_owned());
    Arc::new(Ssh::new(config.ssh).unwrap().with_secrets(Secrets::new(config.secrets, environment)))
}

fn step(reached: &Reached, key: &str, script: &str) -> Execution {
    let attempt = Attempt { key: key.to_owned(), root: None, holds: Vec::new() };
    let secrets = vec!["door_key".to_owned()];
    let step_dir = Some(key.to_owned());
    Execution { attempt: Some(attempt), secrets, step_dir, ..reached.script(script) }
}

/// Where the secret of a step lies, once it has said so.
fn place(reached: &Reached, key: &str) -> String {
    let file = format!("cat ~/.steadyhand/steps/{key}/place 2>/dev/null || true");
    reached.lab.host("pg1").ssh(&file).unwrap().out.trim().to_owned()
}

const SLOW: &str = "echo \"$door_key_file\" >\"$step_dir/place\"; for n in 1 2 3 4 5 6; do sleep 0.3; cat \"$door_key_file\"; done";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_keeps_its_secret_over_a_crash_and_loses_it_at_its_end() {
    let reached = Reached::on(Spec::default().fast());
    let slow = step(&reached, "slow", SLOW);
    let running = tokio::spawn({
        let (ssh, slow) = (bot(&reached, "door_key = \"env:DOOR\""), slow.clone());
        async move { ssh.execute(slow).await }
    });
    until(|| Path::new(&place(&reached, "slow")).is_file()).await;
    running.abort();
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let show = {
        let lines = lines.clone();
        move |shown: Vec<String>| lines.lock().unwrap().extend(shown)
    };
    let followed = Execution { latest: Some(Latest(Arc::new(show))), ..slow.clone() };

    let report = bot(&reached, "door_key = \"env:DOOR\"").settle(followed).await;

    assert_eq!(report.ending, Ending::Exited(0));
    assert_eq!(String::from_utf8_lossy(&report.out.head), "[secret]", "six times, without anything between");
    assert!(lines.lock().unwrap().iter().all(|line| !line.contains("Riese")));
    assert!(!Path::new(&place(&reached, "slow")).exists());
    // A bot that cannot read it any more learns how it ended, and shows nothing of what it printed.
    let gone = bot(&reached, "door_key = \"env:GONE\"");
    let report = gone.settle(slow).await;
    assert_eq!(report.ending, Ending::Exited(0));
    let said = String::from_utf8_lossy(&report.out.head).into_owned();
    assert!(said.contains("cannot be masked") && !said.contains("Riese"), "{said}");
    // And it starts nothing that needs it.
    let report = gone.execute(step(&reached, "never", "touch \"$step_dir/ran\"")).await;
    let Ending::NotStarted { code: "no-secret", why } = report.ending else { panic!("{report:?}") };
    assert!(why.contains("`door_key` cannot be read from env:GONE: it is not set"), "{why}");
    let attempts = reached.lab.host("pg1").ssh("ls ~/.steadyhand/a").unwrap().out;
    assert_eq!(attempts.trim(), "slow");
}

/// A probe, or the end of a log, that shows what an earlier bot had sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_bot_was_told_to_know_is_masked_before_it_has_sent_it() {
    let reached = Reached::on(Spec::default().fast());
    let printing = reached.script("printf %s 'Riese mit 9 Augen'");
    let next = bot(&reached, "door_key = \"env:DOOR\"");

    next.know(vec!["gone".to_owned(), "door_key".to_owned()]).await;
    let report = next.execute(printing).await;

    assert_eq!(String::from_utf8_lossy(&report.out.head), "[secret]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_command_that_is_killed_leaves_no_secret_behind() {
    let reached = Reached::on(Spec::default().fast());
    let ssh = bot(&reached, "door_key = \"env:DOOR\"");
    let waits = "echo \"$door_key_file\" >\"$step_dir/place\"; cat \"$door_key_file\"; sleep 311";
    // What only reads has no folder of its own on the host.
    let reading = |key| {
        let folder = format!("step_dir=$HOME/.steadyhand/steps/{key}; mkdir -p \"$step_dir\"; {waits}");
        Execution { attempt: None, step_dir: None, ..step(&reached, key, &folder) }
    };
    let reads = reading("reads");
    let mut places = Vec::new();
    // Stopped by a person, and over its limit; under the guard and under the runner.
    for (key, whole) in [("stopped", step(&reached, "stopped", waits)), ("reads", reads)] {
        let (control, running) = begin(&ssh, whole);
        until(|| Path::new(&place(&reached, key)).is_file()).await;
        places.push(place(&reached, key));
        control.send_replace(Control::Stop);
        let report = running.await.unwrap();
        assert!(matches!(report.ending, Ending::Ended { by_limit: false, .. }), "{report:?}");
        assert_eq!(String::from_utf8_lossy(&report.out.head), "[secret]");
    }
    // Killed together with the guard: whoever asks next takes it away.
    let shot = step(&reached, "shot", waits);
    let running = tokio::spawn({
        let (ssh, shot) = (ssh.clone(), shot.clone());
        async move { ssh.execute(shot).await }
    });
    until(|| Path::new(&place(&reached, "shot")).is_file()).await;
    places.push(place(&reached, "shot"));
    let guards = "for p in $(pgrep -f '[S]H1 .nonce'); do grep -qa \"HOME=$HOME\" /proc/$p/environ && kill -9 $p || :; done";
    reached.ends(&format!("{guards}; pkill -9 -f 'sleep 31[1]'")).await;
    assert!(matches!(running.await.unwrap().ending, Ending::Lost { .. }));
    // The link breaks under a command that only reads.
    let cut = reading("cut");
    let running = tokio::spawn({
        let ssh = ssh.clone();
        async move { ssh.execute(cut).await }
    });
    until(|| Path::new(&place(&reached, "cut")).is_file()).await;
    places.push(place(&reached, "cut"));
    reached.lab.host("pg1").kill_ssh_sessions().unwrap();
    let _ = running.await;

    for place in &places {
        until(|| !Path::new(place).parent().unwrap().exists()).await;
    }
    assert_eq!(places.len(), 4);
}
