//! A stage for conversations: the whole bot behind its pipe, the shipped runbooks, scripted hosts, and a clock that
//! moves only when nothing else goes on. What people type and what they read is written down as they see it.

mod cluster;
mod commands;
mod hosts;
mod served;
mod steady;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use steadyhand::chat::console::follow::{at_rest, line};
use steadyhand::chat::console::pipe;
use steadyhand::chat::console::render::Style;
use steadyhand::chat::console::session::{Led, Session};
use steadyhand::chat::desk::{CameOut, Desk};
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, Happened, Speaker};
use steadyhand::incident::Says;
use steadyhand::journal::{Append, Journal, OpenError};
use steadyhand::library::{Folders, Library};
use steadyhand::policy::decide::Door;
use steadyhand::run::{Run, RunId};
use steadyhand::runbook::source::name::Person;
use tokio::runtime::Runtime;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::bot::Parts;
pub(crate) use cluster::{Cluster, Server};
pub(crate) use hosts::{Answer, Hosts};
pub(crate) use served::Served;

/// Moves the primary on purpose.
pub(crate) const PLANNED: &str =
    "run failover-database cluster=orders candidate=pg2 mode=planned reason=\"planned move to the new rack\"";
/// Takes over from a primary that is dead.
pub(crate) const DEAD: &str =
    "run failover-database cluster=orders candidate=pg2 mode=dead reason=\"pg1 frozen since 03:05\"";

/// When the scenes begin: Wednesday 18 November 2026, 03:07:10 CET.
const BEGIN: &str = "2026-11-18T03:07:10+01:00";
/// A line is answered after so many moves of the clock, or never.
const MOVES: usize = 20_000;

/// One running bot. Dropping it is a crash: every task is gone at once, wherever it stood.
struct Process {
    engine: Engine,
    journal: Journal,
    desk: Desk,
    sessions: BTreeMap<String, Session>,
    events: Receiver<Happened>,
    runtime: Runtime,
}

/// A conversation.
pub(crate) struct Scene {
    /// The hosts, to look at them or to hurt them.
    pub(crate) hosts: Arc<Hosts>,
    clock: Clock,
    process: Option<Process>,
    folders: Folders,
    style: Style,
    heard: String,
    last: String,
    starts: u64,
    /// Support says at once that they know, where a run waits for that.
    support_answers: Arc<AtomicBool>,
    place: tempfile::TempDir,
}

/// A file of this project.
fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The shipped runbooks and packs: each file, and its name in the folder.
fn shipped_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for below in ["", "packs/"] {
        for entry in std::fs::read_dir(ours("runbooks").join(below)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_runbook = Path::new(&name).extension().is_some_and(|ending| ending == "yaml");
            if is_runbook && name != "inventory.yaml" && name != "policy.yaml" && name != "notify.yaml" {
                files.push((ours("runbooks").join(below).join(&name), format!("{below}{name}")));
            }
        }
    }
    files
}

/// The hosts and people of the scenes.
const CAST: &str = "tests/scenes/orders";
const CAST_FILES: [&str; 3] = ["inventory.yaml", "policy.yaml", "known_hosts"];

/// Makes a checkout of the shipped runbooks as they are now, and goes there: what is said of a commit must not depend on
/// who works on this project, and what they have not committed yet.
#[expect(clippy::disallowed_methods, reason = "a checkout is made by git")]
fn to_the_checkout() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::create_dir_all(place.path().join("runbooks/packs")).unwrap();
    for (from, to) in shipped_files() {
        std::fs::copy(from, place.path().join("runbooks").join(to)).unwrap();
    }
    std::fs::create_dir_all(place.path().join(CAST)).unwrap();
    for name in CAST_FILES {
        std::fs::copy(ours(CAST).join(name), place.path().join(CAST).join(name)).unwrap();
    }
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=ana", "-c", "user.email=ana@example.org"];
        let mut git = Command::new("git");
        git.arg("-C").arg(place.path()).args(who).args(arguments);
        git.env("GIT_AUTHOR_DATE", BEGIN).env("GIT_COMMITTER_DATE", BEGIN);
        let out = git.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "The shipped runbooks"]);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(git(&["rev-parse", "HEAD"]));
    // The same files have the same commit; whoever comes second finds them there.
    let _ = std::fs::rename(place.path(), &kept);
    std::env::set_current_dir(kept).unwrap();
}

/// The shipped runbooks with the cast of the scenes.
fn shipped() -> Folders {
    CHECKOUT.call_once(to_the_checkout);
    let cast = Path::new(CAST);
    Folders {
        runbooks: PathBuf::from("runbooks"),
        inventory: Some(cast.join("inventory.yaml")),
        policy: Some(cast.join("policy.yaml")),
        known_hosts: cast.join("known_hosts"),
    }
}

/// The shipped runbooks with the cast of the scenes, copied to where they can be edited.
pub(crate) fn own_files(place: &Path) -> Folders {
    let folder = place.join("runbooks");
    std::fs::create_dir_all(folder.join("packs")).unwrap();
    let mut files: Vec<_> =
        CAST_FILES.iter().map(|name| (ours(CAST).join(name), (*name).to_owned())).collect();
    files.extend(shipped_files());
    for (from, to) in files {
        std::fs::copy(from, folder.join(to)).unwrap();
    }
    Folders::all_in(folder)
}

/// A folder that is gone with its scene: in memory where that is possible, because nothing here is about disks.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

static CHECKOUT: Once = Once::new();
static SHIPPED: LazyLock<Arc<Library>> = LazyLock::new(|| Arc::new(Library::new(shipped())));

pub(crate) fn zone() -> TimeZone {
    TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap()
}

/// The console of a person: each has one.
fn session_of<'a>(sessions: &'a mut BTreeMap<String, Session>, desk: &Desk, person: &str) -> &'a mut Session {
    sessions
        .entry(person.to_owned())
        .or_insert_with(|| Session::new(desk.clone(), Scene::speaker(person), None))
}

impl Scene {
    /// The cluster `orders` with the shipped runbooks; all is well.
    pub(crate) fn of_orders() -> Self {
        Self::in_place(folder(), shipped())
    }

    /// The same with files of its own, which the scene can edit.
    pub(crate) fn with_own_files() -> Self {
        let place = folder();
        let folders = own_files(place.path());
        Self::in_place(place, folders)
    }

    fn in_place(place: tempfile::TempDir, folders: Folders) -> Self {
        let clock = Clock::moved(BEGIN.parse().unwrap());
        let hosts = Arc::new(Hosts::new(clock.clone()));
        let mut scene = Self {
            hosts,
            clock,
            process: None,
            folders,
            style: Style::PIPE,
            heard: String::new(),
            last: String::new(),
            starts: 0,
            support_answers: Arc::new(AtomicBool::new(true)),
            place,
        };
        scene.starts();
        scene
    }

    /// Everything is shown so from now on.
    pub(crate) fn shown(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Where the journal lies.
    pub(crate) fn journal_path(&self) -> PathBuf {
        self.place.path().join("steadyhand.db")
    }

    /// Only what was said last belongs to this scene.
    pub(crate) fn begins_with_last(mut self) -> Self {
        self.heard = self.last.clone();
        self
    }

    /// ana asked for this, and has not confirmed it yet.
    pub(crate) fn offered(line: &str) -> Self {
        let mut scene = Self::of_orders();
        scene.says("ana", line);
        scene.begins_here()
    }

    /// ana asked for this and confirmed it; nobody has approved it yet.
    pub(crate) fn confirmed(line: &str) -> Self {
        let mut scene = Self::offered(line);
        scene.does_next("ana");
        scene.begins_here()
    }

    /// The bot starts, on the journal that is there.
    pub(crate) fn starts(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        self.starts += 1;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let journal = opened(&self.journal_path());
        // A folder that no scene edits is read once for all of them.
        let library = if self.folders == shipped() {
            SHIPPED.clone()
        } else {
            Arc::new(Library::new(self.folders.clone()))
        };
        let parts = Parts {
            journal: journal.clone(),
            library,
            target: self.hosts.clone(),
            clock: self.clock.clone(),
            dice: Dice::seeded(self.starts),
            zone: zone(),
            demo: false,
        };
        let (engine, desk) = runtime.block_on(parts.start());
        runtime.spawn(support(engine.clone(), self.support_answers.clone()));
        let events = engine.follow();
        let sessions = BTreeMap::new();
        self.process = Some(Process { engine, journal, desk, sessions, events, runtime });
        self.learn();
    }

    /// Nobody of Support says anything by themselves from now on.
    pub(crate) fn support_is_silent(&self) {
        self.support_answers.store(false, Ordering::SeqCst);
    }

    /// The hosts know the commands of the files as they are now.
    fn learn(&self) {
        if let Ok(snapshot) = self.desk().library().load() {
            self.hosts.learn(&snapshot.set);
        }
    }

    /// The bot is gone, as if its process had been killed.
    pub(crate) fn crashes(&mut self) {
        self.process = None;
        self.note("-- the bot is killed --\n");
    }

    /// It is killed, and started again.
    pub(crate) fn restarts(&mut self) {
        self.crashes();
        self.starts();
        self.settle();
    }

    /// Edits a file of the folder.
    pub(crate) fn edits(&mut self, file: &str, from: &str, to: &str) {
        let path = self.folders.runbooks.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        self.learn();
    }

    /// Puts a file into the folder.
    pub(crate) fn writes(&mut self, file: &str, text: &str) {
        std::fs::write(self.folders.runbooks.join(file), text).unwrap();
        self.learn();
    }

    /// Where the answers come from.
    pub(crate) fn desk(&self) -> &Desk {
        &self.process.as_ref().unwrap().desk
    }

    /// The middle.
    pub(crate) fn engine(&self) -> &Engine {
        &self.process.as_ref().unwrap().engine
    }

    /// A run as it is now.
    pub(crate) fn run(&self, id: u64) -> Arc<Run> {
        self.engine().run(RunId(id)).unwrap()
    }

    /// The clock of the world moves, whether a bot runs or not.
    pub(crate) fn clock_moves(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The bot ends in good order.
    pub(crate) fn ends(&mut self) {
        let process = self.process.take().unwrap();
        process.runtime.block_on(process.engine.end());
    }

    /// Why the bot must end, if it must.
    pub(crate) fn fatal(&self) -> Option<String> {
        let process = self.process.as_ref().unwrap();
        process.runtime.block_on(async {
            tokio::select! {
                biased;
                why = process.engine.fatal() => Some(why),
                () = tokio::task::yield_now() => None,
            }
        })
    }

    /// How many tasks the bot has at work.
    pub(crate) fn tasks(&self) -> usize {
        self.process.as_ref().unwrap().runtime.metrics().num_alive_tasks()
    }

    /// Works until it is done; the clock moves when all is quiet.
    pub(crate) fn waits_for<T>(&self, work: impl Future<Output = T>) -> T {
        let process = self.process.as_ref().unwrap();
        process.runtime.block_on(driven(work, &process.journal, &self.hosts, &self.clock))
    }

    /// Many do something at the same moment.
    pub(crate) fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &mut self,
        count: usize,
        what: impl Fn(usize) -> F,
    ) -> Vec<T> {
        self.waits_for(async {
            let tasks: Vec<_> = (0..count).map(|index| tokio::spawn(what(index))).collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.unwrap());
            }
            answers
        })
    }

    /// ana asks for this and confirms it, ben approves it, and it works: until so many events have happened. Says
    /// whether there were so many.
    pub(crate) fn is_agreed_until(&mut self, line: &str, events: usize) -> bool {
        let process = self.process.as_ref().unwrap();
        let (engine, desk) = (process.engine.clone(), process.desk.clone());
        let line = line.to_owned();
        self.happens_until(events, async move {
            let mut ana = Session::new(desk.clone(), Self::speaker("ana"), None);
            let mut ben = Session::new(desk, Self::speaker("ben"), None);
            ana.answer(&line).await;
            let token = engine.run(RunId(1)).unwrap().token.clone().unwrap();
            ana.answer(&format!("confirm 1 {}", token.text)).await;
            let digest = engine.run(RunId(1)).unwrap().digest().unwrap().short().to_owned();
            ben.answer(&format!("approve 1 {digest}")).await;
            engine.rest(RunId(1)).await.unwrap();
        })
    }

    /// ana takes run 1 back, until so many events have happened. Says whether there were so many.
    pub(crate) fn is_taken_back_until(&mut self, events: usize) -> bool {
        let process = self.process.as_ref().unwrap();
        let (engine, desk) = (process.engine.clone(), process.desk.clone());
        self.happens_until(events, async move {
            let mut ana = Session::new(desk, Self::speaker("ana"), None);
            ana.answer("undo 1").await;
            let token = engine.run(RunId(1)).unwrap().undo.clone().unwrap().token.unwrap();
            ana.answer(&format!("confirm 1 {}", token.text)).await;
            engine.rest(RunId(1)).await.unwrap();
        })
    }

    fn happens_until(&mut self, events: usize, work: impl Future<Output = ()>) -> bool {
        let process = self.process.as_ref().unwrap();
        let mut happened = process.engine.follow();
        let counted = async {
            for _ in 0..events {
                happened.recv().await.unwrap();
            }
        };
        let work = async {
            tokio::select! {
                biased;
                () = counted => true,
                () = work => false,
            }
        };
        process.runtime.block_on(driven(work, &process.journal, &self.hosts, &self.clock))
    }

    /// Somebody who sits at the console.
    pub(crate) fn speaker(name: &str) -> Speaker {
        let known = ["ana", "ben", "cleo", "sue"].contains(&name);
        let person = Person::new(name).filter(|_| known);
        Speaker { person, account: name.to_owned(), door: Door::Console }
    }

    /// A person types a line, and reads until the run that it moves is at rest.
    pub(crate) fn says(&mut self, person: &str, line: &str) -> CameOut {
        let (clock, hosts, style) = (self.clock.clone(), self.hosts.clone(), self.style);
        let process = self.process.as_mut().unwrap();
        let session = session_of(&mut process.sessions, &process.desk, person);
        let mut out = Vec::new();
        let came_out = process.runtime.block_on(async {
            let said = pipe::say(session, style, line, &mut out);
            driven(said, &process.journal, &hosts, &clock).await
        });
        while process.events.try_recv().is_ok() {}
        let text = String::from_utf8(out).unwrap();
        self.note(&format!("{person}> {line}\n{text}"));
        self.last = text;
        came_out.expect("nobody leaves in a scene")
    }

    /// A person types a line and reads its reply; what follows from it is not waited for.
    pub(crate) fn types(&mut self, person: &str, line: &str) -> CameOut {
        let (clock, hosts, style) = (self.clock.clone(), self.hosts.clone(), self.style);
        let process = self.process.as_mut().unwrap();
        let session = session_of(&mut process.sessions, &process.desk, person);
        let led = process
            .runtime
            .block_on(async { driven(session.answer(line), &process.journal, &hosts, &clock).await });
        let Led::Said(reply) = led else { panic!("nobody leaves in a scene") };
        let text = style.page(&reply.page);
        self.note(&format!("{person}> {line}\n{text}"));
        self.last = text;
        self.settle();
        reply.came_out
    }

    /// A person types what the last `Next:` says.
    pub(crate) fn does_next(&mut self, person: &str) -> CameOut {
        let command = self.next_command();
        self.says(person, &command)
    }

    /// A person types the first answer that the last question offers.
    pub(crate) fn does_first(&mut self, person: &str) -> CameOut {
        let offered = self.last.lines().filter_map(|line| line.strip_prefix("  "));
        let is_command =
            |line: &&str| ["retry ", "confirm ", "resume "].iter().any(|verb| line.starts_with(verb));
        let line = offered.clone().find(is_command);
        let line = line.unwrap_or_else(|| panic!("no answer is offered:\n{}", self.last));
        let command = line.split("  ").next().unwrap().to_owned();
        self.says(person, &command)
    }

    /// The first command behind the last `Next:` that was shown, as a person reads it.
    pub(crate) fn next_command(&self) -> String {
        let next = self.last.lines().rev().find_map(|line| line.strip_prefix("Next: "));
        let next = next.unwrap_or_else(|| panic!("nothing says what is next:\n{}", self.last));
        let end = [next.find("   "), next.find(" · ")].into_iter().flatten().min();
        next[..end.unwrap_or(next.len())].to_owned()
    }

    /// The rest of what was said is not looked at.
    pub(crate) fn ends_before(&mut self, heading: &str) {
        let end = self.heard.find(heading).expect("it was not said");
        self.heard.truncate(end);
    }

    /// What was last said.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// Everything that goes on without time goes on until it rests.
    pub(crate) fn settle(&mut self) {
        let process = self.process.as_ref().unwrap();
        process.runtime.block_on(settled(&process.journal, &self.hosts));
    }

    /// Time passes, and what happens meanwhile is shown as on a pipe.
    pub(crate) fn after(&mut self, time: Duration) {
        let until = self.clock.now().checked_add(time).unwrap();
        loop {
            self.settle();
            match self.clock.next_awaited().filter(|next| *next <= until) {
                Some(next) => move_to(&self.clock, next),
                None => break,
            }
        }
        move_to(&self.clock, until);
        self.settle();
        let process = self.process.as_mut().unwrap();
        let mut text =
            format!("-- {} later --\n", steadyhand::runbook::source::literal::Millis::from_std(time));
        let mut resting = BTreeMap::new();
        while let Ok(happened) = process.events.try_recv() {
            if let Some(line) = line(&happened, &process.desk.moment()) {
                text += &(line + "\n");
            }
            resting.insert(happened.run.id, happened.run);
        }
        for run in resting.into_values().filter(|run| run.waits_for_person()) {
            text.push_str(&self.style.page(&at_rest(&run, &process.desk)));
        }
        self.note(&text);
        self.last = text;
    }

    /// What was said so far belongs to another scene.
    pub(crate) fn begins_here(mut self) -> Self {
        self.heard.clear();
        self
    }

    /// Something that is no line of anybody.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.heard.is_empty() {
            self.heard.push('\n');
        }
        self.heard.push_str(text);
    }

    /// Shows a page that nobody asked for, such as the greeting.
    pub(crate) fn shows_page(&mut self, page: &steadyhand::wording::Page) {
        let text = self.style.page(page);
        self.note(&text);
        self.last = text;
    }

    /// The conversation so far, with stable digests.
    pub(crate) fn transcript(&self) -> String {
        let commit = self.desk().library().commit();
        let folder = self.folders.runbooks.display().to_string();
        steady::text(&self.heard, commit.as_deref(), &folder)
    }

    /// The conversation is the one that is kept under this name, and the hosts were content.
    #[track_caller]
    pub(crate) fn reads(&self, name: &str) {
        self.is_sound();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.transcript()));
    }

    /// Nothing was sent that should not have been, and everything that was laid out was used.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        assert_eq!(self.hosts.faults(), Vec::<String>::new(), "{}", self.heard);
    }

    /// No change reached a host.
    #[track_caller]
    pub(crate) fn nothing_was_sent(&self) {
        assert_eq!(self.hosts.sent(), Vec::<String>::new(), "{}", self.heard);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.is_sound();
        }
    }
}

/// The writer of a bot that was killed commits what it had taken before it lets go of the file.
pub(crate) fn opened(path: &Path) -> Journal {
    for _ in 0..1_000_000 {
        match Journal::open(path, false) {
            Err(OpenError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays in use", path.display());
}

fn move_to(clock: &Clock, moment: jiff::Timestamp) {
    let by = moment.duration_since(clock.now());
    clock.advance(Duration::try_from(by).unwrap_or_default());
}

/// Carries work on: whenever all is quiet and it has not ended, the clock moves to what is waited for next.
async fn driven<T>(work: impl Future<Output = T>, journal: &Journal, hosts: &Hosts, clock: &Clock) -> T {
    let mut work = pin!(work);
    for _ in 0..MOVES {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = settled(journal, hosts) => {}
        }
        let next = clock.next_awaited().expect("nothing goes on, and nothing is waited for");
        assert!(next > clock.now(), "what is waited for has come, and nobody takes it");
        move_to(clock, next);
    }
    panic!("it does not end");
}

/// sue of Support says that she knows, as soon as a run waits for that.
async fn support(engine: Engine, answers: Arc<AtomicBool>) {
    let incidents = engine.incidents();
    let mut changes = incidents.follow();
    loop {
        for incident in incidents.open() {
            let waits = incident.obligations.iter().any(|owed| owed.is_open() && owed.holds_back.is_some());
            if waits && answers.load(Ordering::SeqCst) {
                let knows = Says::Acknowledge { how: "console".to_owned() };
                let _ = incidents.say(&Scene::speaker("sue"), incident.id, knows).await;
            }
        }
        if let Err(RecvError::Closed) = changes.recv().await {
            return;
        }
    }
}

/// Ends when nothing goes on any more that needs no time. The journal takes one thing after the other: what was
/// appended before is answered when our own empty append is.
async fn settled(journal: &Journal, hosts: &Hosts) {
    let entries = journal.follow();
    let pulse = || (hosts.executions(), entries.len());
    let (mut quiet, mut last) = (0, pulse());
    while quiet < 2 {
        for _ in 0..40 {
            tokio::task::yield_now().await;
        }
        let _ = journal.append(Append::default()).await;
        for _ in 0..40 {
            tokio::task::yield_now().await;
        }
        let now = pulse();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
}
