//! The bot as a service: real processes, asked over HTTP as Prometheus and systemd ask them, ended as systemd ends them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use discord::Discord;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use peers::Peer;
use serde_json::{Value, json};
use steadyhand::journal::JournalView;

use crate::bot::doors;
use crate::chat::{self, BROKE, DONE};
use crate::crashing::matrix::ground::{Ground, Worker};
use crate::crashing::{TAKE_LONG, end_of_step, on_a_small_disk, ran, types, until_true};
use crate::told::secret;

/// An idle service takes no more memory, in KiB.
const PROMISED_KIB: u64 = 40 * 1024;

/// A service.
struct Serving {
    child: Child,
    config: PathBuf,
    log: PathBuf,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bot, which tries no path by itself: whether it did would depend on the hour at which the tests run.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.env("STEADYHAND_SERVE_TRIALS", "off");
    command
}

/// An address of loopback that belongs to this process of tests, so that nobody takes the port while a program of ours
/// starts or is started again.
pub(crate) fn an_own_address(port: u16) -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    ([127, 64 + high % 64, middle, low], port).into()
}

/// A folder with the runbooks that come with it, and no journal yet.
pub(crate) fn a_folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("steadyhand.toml");
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    fs::write(&config, format!("runbooks = \"{}\"\n[serve]\nlog_format = \"json\"\n", runbooks.display()))
        .unwrap();
    (folder, config)
}

/// `steadyhand serve`, on a port that is free.
fn serve(mut command: Command, config: &Path) -> Serving {
    let folder = config.parent().unwrap();
    let number = (0..100).find(|n| !folder.join(format!("served-{n}")).exists()).unwrap();
    let log = folder.join(format!("served-{number}"));
    let temporary = folder.join(format!("ts{number}"));
    fs::create_dir(&temporary).unwrap();
    command.arg("--config").arg(config).arg("serve");
    command.env("STEADYHAND_SERVE_LISTEN", "127.0.0.1:0").env("STEADYHAND_SERVE_LOG_FORMAT", "json");
    command.env("TMPDIR", temporary).env_remove("RUST_LOG").env_remove("STEADYHAND_LOG");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    Serving { child: child.spawn().unwrap(), config: config.to_owned(), log }
}

/// A console begins a long step, and is killed.
fn begins_a_step(worker: &Worker<'_>) {
    worker.begin_anew();
    let mut console = chat::open(&worker.config());
    types(&mut console, &[TAKE_LONG, "next", "as ben", "next"]);
    until_true(|| ran(&worker.homes[0]) == 1, || console.so_far() + &console.log());
    console.child.kill().unwrap();
    let _ = console.ended();
}

impl Serving {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Every line of the log is one object; those with this message.
    #[track_caller]
    fn said(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let whole = &log[..log.rfind('\n').map_or(0, |end| end + 1)];
        let lines = whole.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        lines.filter(|line| line["message"].as_str().is_some_and(|said| said.contains(message))).collect()
    }

    #[track_caller]
    fn when_ready(self) -> Self {
        until_true(|| !self.said("ready").is_empty(), || self.log());
        self
    }

    /// Where it answers.
    #[track_caller]
    fn at(&self) -> SocketAddr {
        until_true(|| !self.said("listening").is_empty(), || self.log());
        self.said("listening")[0]["listen"].as_str().unwrap().parse().unwrap()
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.at()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
    }

    /// A figure, by its name and labels.
    #[track_caller]
    fn figure(&self, what: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {what} in:\n{text}")).parse().unwrap()
    }

    /// `steadyhand health`: its exit code, and what it prints.
    fn health(&self) -> (i32, String) {
        let output = program()
            .args(["health", "--config"])
            .arg(&self.config)
            .env("STEADYHAND_SERVE_LISTEN", self.at().to_string())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// `VmRSS`, or `RssAnon`: without the pages of the program, which is large while it has what a debugger needs.
    fn memory_kib(&self, of: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(of)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ended as systemd and Docker do it: its exit code.
    #[track_caller]
    fn ends_at(&mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        self.ended()
    }

    #[track_caller]
    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_service_shows_how_it_is_tells_systemd_and_ends_when_it_is_asked() {
    let (folder, config) = a_folder();
    let without_secrets = fs::read_to_string(&config).unwrap();
    let switch = Peer::healthchecks();
    let watcher = secret(folder.path(), "watcher_url", &switch.url());
    fs::write(&config, format!("{without_secrets}[secrets]\n{watcher}")).unwrap();
    let systemd = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hears = || {
        let mut text = [0; 64];
        let length = systemd.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let mut command = program();
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "900000");

    let mut service = serve(command, &config);

    // It says that it lives again and again, and that it is ready once.
    let (mut ready, mut lives) = (0, 0);
    while ready < 1 || lives < 2 {
        match hears().as_str() {
            "READY=1" => ready += 1,
            "WATCHDOG=1" => lives += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(ready, 1);
    // Somebody outside is called, and hears it.
    until_true(|| !switch.came().is_empty(), || service.log());
    switch.assert_clean();
    let (status, text) = service.get("/healthz");
    let health: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &health["state"]), (200, &"ok".into()), "{text}");
    for part in ["journal", "runs", "followers", "notices", "watcher"] {
        assert_eq!(health["parts"][part]["state"], "ok", "{text}");
    }
    assert_eq!(service.get("/readyz").0, 200, "{}", service.get("/readyz").1);
    assert_eq!(service.get("/journal").0, 404);
    assert_eq!(service.health(), (DONE, text));
    let (_, figures) = service.get("/metrics");
    for (name, kind, help) in steadyhand::serve::metrics::FAMILIES {
        assert!(
            figures.contains(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name}")),
            "{figures}"
        );
    }
    // The start of the bot itself was written, however often its health was asked.
    let entries = || JournalView::open(&folder.path().join("steadyhand.db")).unwrap().last().unwrap();
    assert_eq!(entries(), 1);
    assert!((service.figure("steadyhand_events_total") - 1.0).abs() < f64::EPSILON);
    assert!(
        (service.figure("steadyhand_journal_appends_total{result=\"written\"}") - 1.0).abs() < f64::EPSILON
    );
    assert!((service.figure("steadyhand_health{part=\"journal\"}")).abs() < f64::EPSILON);
    // Without the pages of the program itself, of which a build for tests has many.
    let memory = service.memory_kib("RssAnon:");
    assert!(memory <= PROMISED_KIB, "{memory} KiB");

    // Somebody who says nothing, and many of them, hold nobody up for long.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(service.at()).unwrap()).collect();
    assert_eq!(service.get("/healthz").0, 200);
    drop(silent);

    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE), "{}", service.log());
    while hears() != "STOPPING=1" {}
    assert_eq!(service.said("asked to end").len(), 1);
    assert_eq!(entries(), 2);
    let (code, said) = service.health();
    assert!(code == BROKE && said.contains("Next: start steadyhand serve"), "{said}");

    // Without the address nobody outside can be called: that is said, and no start anew would cure it.
    fs::write(&config, without_secrets).unwrap();
    let mut service = serve(program(), &config).when_ready();
    let watcher = || service.part("/healthz", "watcher");
    until_true(|| watcher().1 == "attention", || format!("{:?}", watcher()));
    let (status, _, says) = watcher();
    assert!(status == 200 && says.contains("add it to [secrets]"), "{status} {says}");
    // Ctrl-C ends it as well.
    assert_eq!(service.ends_at(Signal::SIGINT), Some(DONE));
}

#[test]
fn a_second_service_or_a_console_on_the_same_journal_is_refused_and_the_first_goes_on() {
    let (_folder, config) = a_folder();
    let mut first = serve(program(), &config).when_ready();

    let mut second = serve(program(), &config);
    assert_eq!(second.ended(), Some(BROKE));
    assert!(second.log().contains(&format!("is in use by process {}", first.child.id())), "{}", second.log());
    let console = chat::types_with(&config, ["status"]).ends_with(BROKE);
    assert!(console.log.contains("is in use by process"), "{console}");

    // Beside it on the same port, with a journal of its own.
    let (_other, config) = a_folder();
    let mut third = program();
    third.env("STEADYHAND_SERVE_LISTEN", first.at().to_string()).arg("--config").arg(&config).arg("serve");
    let output = third.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(BROKE));
    assert!(
        said.contains("serve.listen: nothing can listen on") && said.contains("name another port"),
        "{said}"
    );
    assert_eq!(first.get("/healthz").0, 200);
    assert_eq!(first.ends_at(Signal::SIGTERM), Some(DONE));
}

#[test]
fn a_service_with_a_slip_in_its_configuration_or_its_runbooks_says_what_and_where() {
    let (folder, config) = a_folder();
    let right = fs::read_to_string(&config).unwrap();
    fs::write(&config, right.replace("log_format", "log_fromat")).unwrap();
    let mut service = serve(program(), &config);
    assert_eq!(service.ended(), Some(BROKE));
    let said = service.log();
    assert!(
        said.contains("line 3: unknown field `log_fromat`, expected one of `listen`, `log_format`, `trials`"),
        "{said}"
    );
    assert!(!folder.path().join("steadyhand.db").exists(), "nothing was begun");

    // With runbooks that do not load it lives, and takes no requests.
    fs::write(&config, "runbooks = \"none\"\n").unwrap();
    let mut service = serve(program(), &config).when_ready();
    assert_eq!(service.get("/healthz").0, 200);
    let (status, said) = service.get("/readyz");
    assert!(status == 503 && said.contains(r#""runbooks":{"state":"down""#), "{said}");
    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE));
}

#[test]
fn a_service_that_could_never_read_who_is_told_says_so_until_it_can() {
    let (folder, config) = a_folder();
    let runbooks = folder.path().join("runbooks");
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let copied = Command::new("cp").arg("-r").arg(&theirs).arg(&runbooks).status().unwrap();
    assert!(copied.success());
    let right = fs::read_to_string(runbooks.join("notify.yaml")).unwrap();
    fs::write(runbooks.join("notify.yaml"), right.replace("paths:", "pahts:")).unwrap();
    let settings = format!("runbooks = \"{}\"\n[serve]\nlog_format = \"json\"\n", runbooks.display());
    fs::write(&config, settings).unwrap();

    let mut service = serve(program(), &config).when_ready();

    let (status, said) = service.get("/healthz");
    assert!(status == 200 && said.contains("none was read before: nobody is called"), "{said}");
    let log = service.log();
    assert!(log.contains("notify.yaml has") && log.contains("nobody is called for incidents"), "{log}");
    fs::write(runbooks.join("notify.yaml"), right).unwrap();
    let health = || service.get("/healthz").1;
    until_true(|| !health().contains("nobody is called"), health);
    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE));
}

#[test]
fn a_service_that_ends_in_the_middle_of_a_step_leaves_it_alone_and_the_next_one_follows_it_to_its_end() {
    let ground = Ground::new(1);
    let worker = ground.worker(0);
    begins_a_step(&worker);

    let mut first = serve(program(), &worker.config()).when_ready();
    until_true(|| first.figure("steadyhand_ssh_connections") > 0.0, || first.log());
    assert!((first.figure("steadyhand_runs_open") - 1.0).abs() < f64::EPSILON);
    assert!(first.figure("steadyhand_runs_waiting").abs() < f64::EPSILON);
    let asked = Instant::now();
    assert_eq!(first.ends_at(Signal::SIGTERM), Some(DONE), "{}", first.log());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());

    let mut second = serve(program(), &worker.config()).when_ready();
    until_true(|| second.figure("steadyhand_ssh_connections") > 0.0, || second.log());
    assert!(second.figure("steadyhand_steps_total{outcome=\"failed\"}").abs() < f64::EPSILON, "it lives");
    // Panics unless it still runs there.
    end_of_step(&worker.homes[0]);
    until_true(
        || (second.figure("steadyhand_steps_total{outcome=\"failed\"}") - 1.0).abs() < f64::EPSILON,
        || second.log(),
    );
    until_true(|| (second.figure("steadyhand_runs_waiting") - 1.0).abs() < f64::EPSILON, || second.log());
    let failed = second.said("Work:");
    let failed =
        failed.iter().find(|line| line["state"] == "FAILED").unwrap_or_else(|| panic!("{}", second.log()));
    assert_eq!((&failed["run"], &failed["step"], &failed["host"]), (&1.into(), &1.into(), &"h1".into()));
    assert_eq!(second.get("/healthz").0, 200);
    assert_eq!(second.ends_at(Signal::SIGTERM), Some(DONE));
    assert_eq!(ran(&worker.homes[0]), 1, "it was sent once");
}

#[test]
fn on_a_full_disk_a_service_is_not_well_stays_up_and_is_well_again_when_there_is_room() {
    let (folder, config) = a_folder();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("journal = \"disk/steadyhand.db\"\n{text}")).unwrap();
    let small = on_a_small_disk(&disk);
    let is_small = small.is_some();
    // Without the right to mount one, no file of it may grow any more.
    let without = || {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_steadyhand")]);
        command
    };
    let mut command = small.unwrap_or_else(without);
    // As `program` has it: what a trial writes would come by the hour of the day.
    command.env("STEADYHAND_SERVE_TRIALS", "off");
    let mut service = serve(command, &config).when_ready();
    assert_eq!(service.get("/healthz").0, 200);
    let filler = PathBuf::from(format!("/proc/{}/root{}/filler", service.child.id(), disk.display()));
    let limit = |bytes: &str| {
        let pid = service.child.id().to_string();
        let done =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status();
        assert!(done.unwrap().success());
    };

    if is_small {
        let mut full = fs::File::create(&filler).unwrap();
        while full.write_all(&[0; 512]).is_ok() {}
    } else {
        limit("1024");
    }
    until_true(|| service.get("/healthz").0 == 503, || service.get("/healthz").1);
    let (code, said) = service.health();
    assert!(
        code == BROKE && said.contains("its disk takes nothing more") && said.contains("make room"),
        "{said}"
    );
    assert_eq!(service.get("/readyz").0, 503);
    assert!((service.figure("steadyhand_health{part=\"journal\"}") - 2.0).abs() < f64::EPSILON);

    if is_small {
        fs::remove_file(&filler).unwrap();
    } else {
        limit("unlimited");
    }
    until_true(|| service.get("/healthz").0 == 200, || service.get("/healthz").1);
    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE));
}

#[test]
fn a_service_whose_journal_breaks_says_so_and_ends_with_the_code_of_the_console() {
    let (_folder, config) = a_folder();
    let mut command = program();
    command.env("STEADYHAND_FAILPOINT", "append-written:1:eio");
    let mut service = serve(command, &config);
    assert_eq!(service.ended(), Some(BROKE));
    assert_eq!(service.said("the service cannot start: journal-fault").len(), 1, "{}", service.log());

    let ground = Ground::new(1);
    let worker = ground.worker(0);
    begins_a_step(&worker);
    // Its start is written, and what it hears of the step is not.
    let mut command = program();
    command.env("STEADYHAND_FAILPOINT", "append-written:2:eio");
    let mut service = serve(command, &worker.config()).when_ready();
    until_true(|| service.figure("steadyhand_ssh_connections") > 0.0, || service.log());
    end_of_step(&worker.homes[0]);

    assert_eq!(service.ended(), Some(BROKE), "{}", service.log());
    assert_eq!(service.said("start again to look").len(), 1, "{}", service.log());
}

#[test]
fn while_another_program_holds_the_journal_a_service_is_not_well_and_no_watchdog_needs_to_end_it() {
    let (folder, config) = a_folder();
    let mut service = serve(program(), &config).when_ready();
    let other = rusqlite::Connection::open(folder.path().join("steadyhand.db")).unwrap();

    other.execute_batch("begin immediate").unwrap();
    until_true(|| service.get("/healthz").0 == 503, || service.get("/healthz").1);
    for _ in 0..2 {
        let (_, state, says) = service.part("/healthz", "journal");
        assert!(state == "down" && says.contains("another program holds the file"), "{state} {says}");
    }

    other.execute_batch("rollback").unwrap();
    until_true(|| service.get("/healthz").0 == 200, || service.get("/healthz").1);
    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE));
}

/// A folder whose service is on this Discord, where ana is anna of the policy. The token is still to come.
pub(crate) fn a_folder_with(discord: &Discord) -> (tempfile::TempDir, PathBuf) {
    let (folder, config) = a_folder();
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let policy = fs::read_to_string(runbooks.join("policy.yaml")).unwrap();
    let policy = policy
        .replace("214600000000000001", &discord.person("ana").id().to_string())
        .replace("doors: { console: {} }", &doors(discord, &["ops"]));
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    // Who is told stands beside who there is.
    fs::copy(runbooks.join("notify.yaml"), folder.path().join("notify.yaml")).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let table = format!("[discord]\ntoken = \"file:discord-token\"\napi = \"{}\"\n", discord.url());
    fs::write(&config, format!("policy = \"policy.yaml\"\n{text}{table}")).unwrap();
    (folder, config)
}

pub(crate) fn keeps_the_token(folder: &Path, discord: &Discord, mode: u32) {
    let path = folder.join("discord-token");
    fs::write(&path, discord.token() + "\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

impl Serving {
    /// What a part says of itself at this path.
    fn part(&self, path: &str, part: &str) -> (u16, String, String) {
        let (status, text) = self.get(path);
        let text: Value = serde_json::from_str(&text).unwrap();
        let of = |what: &str| text["parts"][part][what].as_str().unwrap_or_default().to_owned();
        (status, of("state"), of("says"))
    }

    #[track_caller]
    fn comes_to_health(&self, status: u16, state: &str, says: &str) {
        let now = || self.part("/healthz", "discord");
        let is_so = || now().0 == status && now().1 == state && now().2.contains(says);
        until_true(is_so, || format!("{:?}\n{}", now(), self.log()));
    }
}

#[test]
fn a_service_whose_token_of_discord_cannot_be_read_says_where_it_should_be_and_begins_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let discord = runtime.block_on(Discord::start());
    let (folder, config) = a_folder_with(&discord);
    let says = |what: &[&str]| {
        let mut service = serve(program(), &config);
        assert_eq!(service.ended(), Some(BROKE));
        let said = service.log();
        assert!(what.iter().all(|part| said.contains(part)), "{said}");
        assert!(!said.contains(&discord.token()), "{said}");
    };

    says(&[
        "the secret `discord.token` cannot be read from file:",
        "/discord-token: No such file",
        "Next: put",
    ]);
    keeps_the_token(folder.path(), &discord, 0o644);
    says(&["others may read or change it (mode 0644): chmod 600 it"]);

    keeps_the_token(folder.path(), &discord, 0o600);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&discord.url(), "https://discord.example")).unwrap();
    says(&["only an address of this machine may stand there. Next: remove it"]);
    assert!(discord.requests().is_empty());
}

#[test]
fn a_service_whose_writer_of_the_journal_dies_ends_so_that_it_is_started_again() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let discord = runtime.block_on(Discord::start());
    let (folder, config) = a_folder_with(&discord);
    keeps_the_token(folder.path(), &discord, 0o600);
    let mut command = program();
    // The start is the first; who is turned away is the second.
    command.env("STEADYHAND_FAILPOINT", "append-begins:2:panic");
    let mut service = serve(command, &config).when_ready();

    runtime.block_on(async {
        discord.until_ready().await;
        discord.person("uma").types("/status").unwrap();
    });

    assert_eq!(service.ended(), Some(BROKE), "{}", service.log());
    // What a panic prints is no JSON.
    assert!(service.log().contains("the writer of the journal has ended"), "{}", service.log());
}

#[test]
fn a_service_on_discord_answers_there_shows_how_the_chat_is_and_is_ready_without_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let discord = runtime.block_on(Discord::start());
    let (folder, config) = a_folder_with(&discord);
    keeps_the_token(folder.path(), &discord, 0o600);

    // It starts while Discord is away.
    discord.goes_down();
    let mut service = serve(program(), &config).when_ready();
    service.comes_to_health(200, "attention", "not connected since 20");
    let (status, state, says) = service.part("/readyz", "discord");
    assert!(status == 200 && state == "attention" && says.contains("connects by itself"), "{status} {says}");
    assert!(service.figure("steadyhand_discord_connected").abs() < f64::EPSILON);

    discord.comes_up();
    service.comes_to_health(200, "ok", "");
    assert_eq!(service.part("/readyz", "discord").1, "ok");
    runtime.block_on(async {
        discord.until_ready().await;
        let answer = discord.person("ana").types("/status").unwrap().reply().await;
        assert!(answer.says("Nothing runs."), "{answer}");
    });
    assert!((service.figure("steadyhand_discord_connected") - 1.0).abs() < f64::EPSILON);
    let answered = "steadyhand_discord_interactions_total{result=\"answered\"}";
    assert!((service.figure(answered) - 1.0).abs() < f64::EPSILON);
    assert!((service.figure("steadyhand_discord_first_response_seconds_count") - 1.0).abs() < f64::EPSILON);
    assert!(service.figure("steadyhand_discord_first_response_seconds_sum") < 3.0);
    let memory = service.memory_kib("RssAnon:");
    assert!(memory <= PROMISED_KIB, "{memory} KiB");

    // An interaction without most of what it should have.
    discord.says("INTERACTION_CREATE", json!({"id": "1", "type": 2}));
    service.comes_to_health(503, "down", "1 of the events of Discord could not be understood");
    assert_eq!(service.part("/readyz", "discord").0, 200);
    let unread = "steadyhand_discord_events_not_understood_total";
    assert!((service.figure(unread) - 1.0).abs() < f64::EPSILON);
    assert!((service.figure("steadyhand_health{part=\"discord\"}") - 2.0).abs() < f64::EPSILON);

    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE), "{}", service.log());
    assert!(service.said("the chat did not end").is_empty(), "{}", service.log());
    assert_eq!(discord.listening(), 0);

    // The next start has forgotten it, and a token that was revoked ends nothing.
    let mut service = serve(program(), &config).when_ready();
    service.comes_to_health(200, "ok", "");
    discord.revokes_token();
    service.comes_to_health(200, "attention", "401");
    assert_eq!(service.get("/readyz").0, 200);
    discord.goes_down();
    let asked = Instant::now();
    assert_eq!(service.ends_at(Signal::SIGTERM), Some(DONE), "{}", service.log());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}
