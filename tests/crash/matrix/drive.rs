//! One case: starts the bot on a pipe, types what people would, and starts it again when it was killed, until the run
//! is over.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use steadyhand::failpoint::Point;
use steadyhand::journal::{Entry, JournalView};
use steadyhand::run::model::{AskedAfter, Phase, UndoStep, UnitState, Variant};
use steadyhand::run::{Run, RunId, UnitAt};

use super::case::{Case, Kill, Scenario};
use super::ground::Worker;

/// A case that takes longer is broken.
const LIMIT: Duration = Duration::from_mins(4);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(2);
/// So many processes are started for a case that kills fewer.
const STARTS: usize = 8;
/// A line that nothing came of is typed again.
const TYPE_AGAIN: Duration = Duration::from_mins(1);
const RUN: RunId = RunId(1);

/// A process that was ended.
pub(crate) struct Death {
    /// At which failpoint; none if from outside.
    pub(crate) at: Option<Point>,
    /// Commands that were sent and of which the journal had no outcome then.
    pub(crate) unknown: usize,
}

/// Something that was sent, and whose outcome was not recorded when a process was killed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unknown {
    pub(crate) unit: UnitAt,
    pub(crate) attempt: u32,
    pub(crate) undo: bool,
}

/// How a case went.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) deaths: Vec<Death>,
    pub(crate) unknown: Vec<Unknown>,
    /// The run at its end, and all that is recorded of it.
    pub(crate) run: Option<Run>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) took: Duration,
    /// It did not come to an end.
    pub(crate) trouble: Option<String>,
}

/// The journal, as somebody beside the bot can read it.
struct Look {
    view: Option<JournalView>,
    raw: Option<rusqlite::Connection>,
}

impl Look {
    fn version(&mut self, path: &Path) -> u64 {
        if self.raw.is_none() {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            self.raw = rusqlite::Connection::open_with_flags(path, flags).ok();
        }
        let raw = self.raw.as_ref();
        let version = raw.and_then(|raw| {
            let mut statement = raw.prepare_cached("select version from runs where id = 1").ok()?;
            statement.query_row([], |row| row.get(0)).ok()
        });
        version.unwrap_or(0)
    }

    fn run(&mut self, path: &Path) -> Option<Run> {
        if self.view.is_none() {
            self.view = JournalView::open(path).ok();
        }
        self.view.as_ref()?.run(RUN).ok()?
    }
}

/// Drives a case to its end. `seen` gets the failpoints by which the process came that follows the kills.
pub(crate) fn drive(worker: &Worker<'_>, case: &Case, seen: Option<&Path>) -> Story {
    worker.begin_anew();
    let began = Instant::now();
    let mut story = Story::default();
    let mut awake = None;
    for start in 0..STARTS + case.kills.len() {
        let kill = case.kills.get(start);
        let mut bot = start_bot(worker, kill, seen.filter(|_| start == case.kills.len()));
        let mut look = Look { view: None, raw: None };
        let status = attend(worker, case, &mut bot, kill, &mut look, began + LIMIT);
        let run = look.run(&worker.journal());
        match status {
            Ok(status) if status.signal() == Some(9) => {
                let at = kill.and_then(|kill| match kill {
                    Kill::At { point, .. } => Some(*point),
                    Kill::After(_) => None,
                });
                story.died(at.filter(|_| !bot.by_us), run.as_ref());
            }
            // A write that failed.
            Ok(status) if status.code() == Some(1) && kill.is_some() => {
                let Some(Kill::At { point, .. }) = kill else { continue };
                story.died(Some(*point), run.as_ref());
            }
            Ok(_) => {}
            Err(why) => {
                story.trouble = Some(why);
                break;
            }
        }
        if run.as_ref().is_some_and(Run::is_ended) {
            break;
        }
        // A host of which nobody knows whether it was told to start something comes back; else only a person could say.
        let of_gone = |(unit, state): (&UnitAt, &UnitState)| {
            unit.lane.is_none() && matches!(state, UnitState::Sent { variant: Variant::Main, .. })
        };
        if case.scenario == Scenario::GoElsewhere && run.is_some_and(|run| run.units.iter().any(of_gone)) {
            awake.get_or_insert_with(|| worker.wake());
        }
        if start + 1 == STARTS + case.kills.len() {
            story.trouble = Some("it is started again and again".to_owned());
        }
    }
    let mut look = Look { view: None, raw: None };
    story.run = look.run(&worker.journal());
    story.entries = look.view.as_ref().and_then(|view| view.entries_of(RUN).ok()).unwrap_or_default();
    story.took = began.elapsed();
    hang_up(&worker.dir.join("t"));
    story
}

impl Story {
    fn died(&mut self, at: Option<Point>, run: Option<&Run>) {
        let mut sent: Vec<Unknown> = Vec::new();
        if let Some(run) = run {
            for (unit, state) in &run.units {
                if let UnitState::Sent { attempt, .. } = state {
                    sent.push(Unknown { unit: unit.clone(), attempt: *attempt, undo: false });
                }
            }
            if let (Phase::Undoing, Some(undo)) = (&run.phase, &run.undo)
                && let (UndoStep::Sent { attempt }, Some(unit)) = (&undo.step, undo.list.first())
            {
                sent.push(Unknown { unit: unit.clone(), attempt: *attempt, undo: true });
            }
        }
        self.deaths.push(Death { at, unknown: sent.len() });
        self.unknown.extend(sent.into_iter().filter(|one| !self.unknown.contains(one)).collect::<Vec<_>>());
    }
}

/// A process, with its ends.
struct Bot {
    child: Child,
    stdin: Option<std::process::ChildStdin>,
    started: Instant,
    /// We killed it, not a failpoint.
    by_us: bool,
    /// A line was typed whose run is followed to its rest: no other is read meanwhile.
    follows: bool,
}

impl Bot {
    fn types(&mut self, text: &str) {
        self.follows = true;
        self.say(text);
    }

    fn say(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            // A closed pipe: it has died, and is started again.
            let _ = stdin.write_all(text.as_bytes());
        }
    }

    fn kill(&mut self) {
        self.by_us = true;
        let _ = self.child.kill();
    }
}

fn start_bot(worker: &Worker<'_>, kill: Option<&Kill>, seen: Option<&Path>) -> Bot {
    let append = |path: &Path| File::options().create(true).append(true).open(path).unwrap();
    let [said, log] = worker.said();
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.arg("--config").arg(worker.config()).arg("console");
    command.env("TMPDIR", worker.dir.join("t")).env_remove("STEADYHAND_LOG");
    command.stdin(Stdio::piped()).stdout(append(&said)).stderr(append(&log));
    if let Some(at @ Kill::At { .. }) = kill {
        command.env("STEADYHAND_FAILPOINT", at.to_string());
    }
    if let Some(seen) = seen {
        command.env("STEADYHAND_FAILPOINTS_SEEN", seen);
    }
    let mut child = command.spawn().unwrap();
    let stdin = child.stdin.take();
    Bot { child, stdin, started: Instant::now(), by_us: false, follows: false }
}

/// Types what people would, until the process has ended.
fn attend(
    worker: &Worker<'_>,
    case: &Case,
    bot: &mut Bot,
    kill: Option<&Kill>,
    look: &mut Look,
    until: Instant,
) -> Result<ExitStatus, String> {
    let journal = worker.journal();
    let (mut known, mut run) = (u64::MAX, None);
    let mut typed: Option<(u64, Instant)> = None;
    loop {
        if let Some(status) = bot.child.try_wait().unwrap() {
            return Ok(status);
        }
        let now = Instant::now();
        if matches!(kill, Some(Kill::After(time)) if now >= bot.started + *time) && !bot.by_us {
            bot.kill();
            continue;
        }
        if now > until {
            bot.kill();
            let _ = bot.child.wait();
            return Err(format!("it is not over after {LIMIT:?}"));
        }
        let version = look.version(&journal);
        if version != known {
            known = version;
            run = look.run(&journal);
        }
        if run.as_ref().is_some_and(Run::is_ended) {
            bot.stdin = None;
        } else if case.scenario == Scenario::TakeLong && works(run.as_ref()) && !bot.by_us {
            match bot.follows {
                // Nobody can say stop at this console before the run rests.
                true if has_effect(worker) => bot.kill(),
                true => {}
                false if run.as_ref().is_some_and(|run| run.stop.is_some()) => {}
                false => {
                    bot.say("stop 1 now\n");
                    typed = Some((version, now));
                }
            }
        } else if typed.is_none_or(|(before, at)| before != version || now > at + TYPE_AGAIN)
            && let Some(lines) = says(case, run.as_ref())
        {
            bot.types(&lines);
            typed = Some((version, now));
        }
        std::thread::sleep(LOOK);
    }
}

fn works(run: Option<&Run>) -> bool {
    run.is_some_and(|run| run.units.values().any(|state| matches!(state, UnitState::Sent { .. })))
}

fn has_effect(worker: &Worker<'_>) -> bool {
    worker.homes.iter().any(|home| home.join("ran").exists())
}

/// What people say to a run that stands like this; nothing while it moves by itself.
fn says(case: &Case, run: Option<&Run>) -> Option<String> {
    let Some(run) = run else {
        let (runbook, values) = match case.scenario {
            Scenario::TakeBack => ("take-back", "cluster=marks one=h1 two=h2"),
            Scenario::TakeLong => ("take-long", "cluster=marks one=h1"),
            Scenario::GoElsewhere => ("go-elsewhere", "cluster=half one=h3 dead=gone"),
            Scenario::EveryKind | Scenario::MuchBefore => ("every-kind", "cluster=marks one=h1 two=h2"),
        };
        let much =
            "!approve 99 00000000\n".repeat(if case.scenario == Scenario::MuchBefore { 2_050 } else { 0 });
        return Some(format!("{much}run {runbook} {values} reason=\"to see what a crash leaves\"\n"));
    };
    match &run.phase {
        Phase::Confirming => Some(format!("as ana\nconfirm 1 {}\n", run.token.as_ref()?.text)),
        Phase::Approving => Some(format!("as ben\napprove 1 {}\n", run.digest()?.short())),
        Phase::Undoing => {
            let undo = run.undo.as_ref()?;
            if let Some(token) = &undo.token {
                return Some(format!("as {}\nconfirm 1 {}\n", undo.by, token.text));
            }
            let failed = matches!(undo.step, UndoStep::Failed { unknown: false, .. });
            let unit = undo.list.first().filter(|_| failed)?;
            Some(retry(run, unit))
        }
        Phase::Working if run.stop.is_none() => {
            let (unit, state) = run.questions().next()?;
            Some(match state {
                UnitState::Failed { failure: steadyhand::run::model::Failure::Exit { .. }, .. }
                    if case.scenario == Scenario::TakeBack =>
                {
                    "undo 1\n".to_owned()
                }
                UnitState::Failed { .. } | UnitState::Shut { .. } => retry(run, &unit),
                // Nobody should have to say how it ended: the host knows.
                _ => "stop 1\n".to_owned(),
            })
        }
        _ => None,
    }
}

/// The answer to the question that is asked now, and to no later one.
fn retry(run: &Run, unit: &UnitAt) -> String {
    let lane = unit.lane.as_ref().map(|lane| format!(" {lane}")).unwrap_or_default();
    format!(
        "retry 1 {}{lane} attempt={}\n",
        unit.number,
        run.asked_about(unit).unwrap_or(AskedAfter::Step(1))
    )
}

/// Ends the connections that killed processes left; OpenSSH would close each of them a minute later.
fn hang_up(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            hang_up(&entry.path());
        } else if kind.is_socket()
            && let Ok(mut master) = UnixStream::connect(entry.path())
        {
            // Hello, version 4; then: end.
            let words: [u32; 6] = [8, 1, 4, 8, 0x1000_0005, 1];
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let _ = master.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = master.write_all(&bytes);
            let _ = master.read_to_end(&mut Vec::new());
        }
    }
}
