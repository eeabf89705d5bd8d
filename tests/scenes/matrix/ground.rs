//! Where the matrix is asked: a bot with console and Discord, one runbook, hosts that do what its parameter says, and a
//! run in each state. A run that is asked about is a copy of one that got there by itself, so that each answer is for a
//! run of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use discord::{Discord, Person, Seen};
use steadyhand::chat::console::session::{Led, Session};
use steadyhand::chat::desk::{Desk, Reply};
use steadyhand::chat::discord::{self as chat, Messages};
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, Speaker};
use steadyhand::journal::{Actor, Append, Entry, Journal, NewEntry, RunAppend, stamped};
use steadyhand::library::{Folders, Library};
use steadyhand::plan::measure::ErrandBody;
use steadyhand::plan::model::GuardSeen;
use steadyhand::policy::decide::Door;
use steadyhand::run::{Event, Run, RunId, Stamped, apply};
use steadyhand::target::capture::Kept;
use steadyhand::target::{
    Control, Destination, Ending, Execution, Later, Leftovers, Report, Running, Target,
};
use tokio_util::sync::CancellationToken;

use super::table::State;
use crate::bot::{Parts, doors, settings};
use crate::stage::{folder, opened, zone};

/// Names that nobody without a role may read anywhere.
pub(super) const NAMES: [&str; 5] = ["night-drill", "zeta", "omega", "Drill", "10.20.7"];

const INVENTORY: &str = "inventory: matrix
services:
  shop: { title: The shop, owner: ops }
clusters:
  zeta:  { kind: drill, service: shop, owner: ops, hosts: [zeta1, zeta2, zeta3] }
  omega: { kind: drill, service: shop, owner: ops, hosts: [omega1, omega2] }
hosts:
  zeta1: { address: 10.20.7.1, user: ops, owner: ops }
  zeta2: { address: 10.20.7.2, user: ops, owner: ops }
  zeta3: { address: 10.20.7.3, user: ops, owner: ops }
  omega1: { address: 10.20.7.4, user: ops, owner: ops }
  omega2: { address: 10.20.7.5, user: ops, owner: ops }
";

const PACK: &str = "pack: drill
title: A thing that is drilled
applies_to: every host
probes:
  mark:
    asks: Was it done?
    at_most: 5s
    results: { ok: bool }
    run: [is-marked]
";

const RUNBOOK: &str = r#"runbook: night-drill
title: Drill {{one}} ({{how}})
use_when: It is to be seen who may do what.
owner: ops
rehearse: 90d

parameters:
  cluster: { type: cluster, kind: [drill] }
  one: { type: host, in: cluster.hosts }
  two: { type: host, in: cluster.hosts }
  how: { type: choice, one_of: [works, hangs, fails, breaks] }

access: { start: [on-call], approve: { by: [dba], count: 2 } }
tell:
  - { who: support, at: start, until: acknowledged, within: 1h }

measure:
  mark: { probe: drill/mark, hosts: "[one, two]" }

steps:
  - step: Prepare {{two}}
    host: two
    effect: reversible
    run: [do, works]
    at_most: 30m
    undo: { run: [undo] }
    verify:
      - that: mark[two].ok
        else: "{{two}} is not marked"

  - decide: Go on with {{one}}?
    ask: [on-call]
    within: 10h
    go_on: It is drilled
    stop: It is left alone

  - each: server
    of: "[one]"
    batch: { failures: 1 }
    steps:
      - step: Drill {{server}}
        host: server
        effect: reversible
        run: [do, "{{how}}"]
        at_most: 30m
        undo: { run: [undo] }
        verify:
          - that: mark[server].ok
            else: "{{server}} is not marked"
"#;

/// Ten steps that cannot be taken back, on each of five hundred hosts.
fn long_runbook() -> String {
    let mut text = String::from(
        "runbook: long-drill
title: Drill all of {{cluster}}
use_when: It is to be seen what is too long for a chat.
owner: ops
rehearse: 90d
contingency: night-drill
parameters:
  cluster: { type: cluster, kind: [drill] }
access: { start: [on-call], approve: { by: [dba], count: 1 } }
tell:
  - { who: support, at: start, until: acknowledged, within: 1h }
measure:
  mark: { probe: drill/mark, hosts: cluster.hosts }
steps:
  - each: server
    of: cluster.hosts
    batch: { size: 100% }
    steps:
",
    );
    for step in 1..=10 {
        let _ = write!(
            text,
            "      - step: Change {step} of {{{{server}}}}
        host: server
        effect: irreversible
        why_no_undo: What was drilled stays so.
        require:
          - that: mark[server].ok
            else: \"{{{{server}}}} is not marked\"
        run: [do, works]
        at_most: 5m
        verify:
          - that: mark[server].ok
            else: \"{{{{server}}}} is not marked\"
"
        );
    }
    text
}

fn inventory(many: usize) -> String {
    let names: Vec<String> = (1..=many).map(|n| format!("many{n}")).collect();
    let cluster = format!(
        "  many:  {{ kind: drill, service: shop, owner: ops, hosts: [{}] }}\nhosts:\n",
        names.join(", ")
    );
    let hosts = names.iter().zip(1..).map(|(name, n): (_, usize)| {
        format!("  {name}: {{ address: 10.21.{}.{}, user: ops, owner: ops }}\n", n / 250, n % 250 + 1)
    });
    INVENTORY.replace("hosts:\n  zeta1", &format!("{cluster}  zeta1")) + &hosts.collect::<String>()
}

/// Whoever is nobody's account on Discord stands in no policy.
fn policy(discord: &Discord) -> String {
    let id = |name: &str| discord.person(name).id();
    let mut people =
        format!("  ana:  {{ discord: [\"{}\", \"{}\"], console: [ana, ana2] }}\n", id("ana"), id("ana-2"));
    for name in ["ben", "cleo", "gus", "sue", "rex"] {
        let _ = writeln!(people, "  {name}:  {{ discord: \"{}\", console: {name} }}", id(name));
    }
    format!(
        "policy: matrix
people:
{people}roles:
  on-call:   {{ people: [ana] }}
  dba:       {{ people: [ben, cleo, gus] }}
  ops:       {{ people: [ben] }}
  support:   {{ people: [sue] }}
  commander: {{ people: [cleo] }}
{}
",
        doors(discord, &["ops"])
    )
}

/// Hosts that do what they are told in the command: `do works`, `do hangs`.
struct Obedient;

fn report(ending: Ending, out: &str) -> Report {
    let out = Kept { head: out.as_bytes().to_vec(), bytes: out.len() as u64, ..Kept::default() };
    Report { ending, out, err: Kept::default(), took: Duration::from_millis(1) }
}

/// Until somebody says stop.
async fn hangs(control: Option<tokio::sync::watch::Receiver<Control>>) -> Report {
    if let Some(mut control) = control
        && control.wait_for(|control| *control == Control::Stop).await.is_ok()
    {
        return report(Ending::Ended { by_limit: false, status: 143, escaped: Vec::new() }, "");
    }
    std::future::pending().await
}

impl Target for Obedient {
    fn execute(&self, execution: Execution) -> Running<'_> {
        Box::pin(async move {
            let words = match &execution.body {
                ErrandBody::Run(words) => words.iter().map(String::as_str).collect::<Vec<_>>(),
                ErrandBody::Script { .. } => vec!["script"],
            };
            match words.as_slice() {
                ["is-marked"] if execution.to.name.as_str() == "zeta3" => report(Ending::Exited(1), ""),
                ["is-marked"] => report(Ending::Exited(0), "{\"ok\":true}\n"),
                ["do", "hangs"] => hangs(execution.control).await,
                ["do", "fails"] => report(Ending::Exited(1), ""),
                ["do", "breaks"] => report(Ending::Lost { why: "the link broke".to_owned() }, ""),
                ["do", "works"] | ["undo"] => report(Ending::Exited(0), ""),
                _ => report(Ending::Exited(0), "{\"missing\":\"\"}\n"),
            }
        })
    }

    fn settle(&self, execution: Execution) -> Running<'_> {
        match &execution.body {
            ErrandBody::Run(words) if words.last().is_some_and(|word| word == "hangs") => {
                Box::pin(hangs(execution.control))
            }
            _ => Box::pin(async { report(Ending::Lost { why: "nobody knows".to_owned() }, "") }),
        }
    }

    fn hello(&self, _: Destination) -> Later<'_, Result<GuardSeen, Ending>> {
        Box::pin(async { Ok(GuardSeen { root: "0123456789abcdef".to_owned(), boot: "as ever".to_owned() }) })
    }

    fn sweep(&self, _: Destination, _: Leftovers) -> Later<'_, ()> {
        Box::pin(async {})
    }

    fn prewarm(&self, _: Destination) -> Later<'_, ()> {
        Box::pin(async {})
    }
}

/// What a run of a state looks like, and what somebody must know to speak to it.
pub(super) struct Model {
    events: Vec<Stamped>,
    /// The host of its third step.
    pub(super) host: &'static str,
    pub(super) token: String,
    pub(super) digest: String,
}

/// All of it.
pub(super) struct Ground {
    pub(super) discord: Discord,
    pub(super) engine: Engine,
    desk: Desk,
    journal: Journal,
    policy: std::path::PathBuf,
    pub(super) models: BTreeMap<State, Model>,
    /// The thread of the first run.
    pub(super) thread: String,
    /// A message of somebody in each place, to press on.
    pub(super) notes: BTreeMap<&'static str, Seen>,
    chat: chat::Discord,
    ending: CancellationToken,
    _place: tempfile::TempDir,
}

impl Ground {
    /// With a run in each state.
    pub(super) async fn ready() -> Self {
        let mut ground = Self::empty(1).await;
        for state in State::ALL {
            let model = ground.model(state).await;
            ground.models.extend(model.map(|model| (state, model)));
        }
        ground.thread = ground.discord.until("a thread", |it| it.threads("ops").first().cloned()).await;
        let note = ground.person_in("sue", "thread").writes("good morning").unwrap();
        ground.notes.insert("thread", note);
        ground
    }

    /// Nothing runs yet; there are so many hosts for what is long.
    pub(super) async fn empty(many: usize) -> Self {
        let discord = Discord::start().await;
        discord.waits_for_responses(Duration::from_secs(30));
        for name in ["ana-2", "gus", "rex", "b\u{435}n"] {
            discord.add_person(name, &[]);
        }
        discord.person("b\u{435}n").is_nicknamed("ben");
        let place = folder();
        let folders = Folders::all_in(place.path().join("runbooks"));
        fs::create_dir_all(folders.runbooks.join("packs")).unwrap();
        let policy_file = folders.runbooks.join("policy.yaml");
        for (name, text) in [
            ("inventory.yaml", inventory(many).as_str()),
            ("long-drill.yaml", &long_runbook()),
            ("packs/drill.yaml", PACK),
            ("night-drill.yaml", RUNBOOK),
            ("policy.yaml", &policy(&discord)),
        ] {
            fs::write(folders.runbooks.join(name), text).unwrap();
        }
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        let mut pins: Vec<String> = (1..=5).map(|n| format!("10.20.7.{n} {key}\n")).collect();
        pins.extend((1..=many).map(|n| format!("10.21.{}.{} {key}\n", n / 250, n % 250 + 1)));
        fs::write(&folders.known_hosts, pins.concat()).unwrap();
        let library = Arc::new(Library::new(folders));
        library.load().unwrap_or_else(|wrong| panic!("{:.600}", format!("{wrong:?}")));
        let journal = opened(&place.path().join("bot.db"));
        let parts = Parts {
            journal: journal.clone(),
            library,
            target: Arc::new(Obedient),
            clock: Clock::System,
            dice: Dice::seeded(1),
            zone: zone(),
            demo: false,
        };
        let (engine, desk) = parts.start().await;
        let settings = settings(&discord, Messages::Mention);
        let ending = CancellationToken::new();
        let chat = chat::start(settings, desk.clone(), ending.clone()).unwrap();
        discord.until_ready().await;
        let mut ground = Self {
            discord,
            engine,
            desk,
            journal,
            policy: policy_file,
            models: BTreeMap::new(),
            thread: String::new(),
            notes: BTreeMap::new(),
            chat,
            ending,
            _place: place,
        };
        let someone = ground.discord.person("sue");
        for place in ["ops", "incidents"] {
            ground.notes.insert(place, someone.in_channel(place).writes("good morning").unwrap());
        }
        ground.notes.insert("direct", someone.in_direct().writes("good morning").unwrap());
        ground
    }

    /// Somebody's line at the console.
    pub(super) async fn types(&self, account: &str, line: &str) -> Reply {
        let snapshot = self.desk.library().load().unwrap();
        let person = snapshot.set.policy.as_ref().unwrap().person_of(Door::Console, account).cloned();
        let speaker = Speaker { person, account: account.to_owned(), door: Door::Console };
        match Session::new(self.desk.clone(), speaker, None).answer(line).await {
            Led::Said(reply) => reply,
            Led::Leave => panic!("nobody leaves"),
        }
    }

    pub(super) fn run(&self, id: RunId) -> Arc<Run> {
        self.engine.run(id).unwrap()
    }

    /// Everything that was recorded since.
    pub(super) fn since(&self, seq: u64) -> Vec<Entry> {
        self.journal.view().entries_after(seq).unwrap()
    }

    pub(super) fn last(&self) -> u64 {
        self.journal.view().last().unwrap()
    }

    /// Whoever reads it meanwhile finds one or the other.
    fn put_policy(&self, text: &str) {
        let beside = self.policy.with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &self.policy).unwrap();
    }

    /// The policy is another one while this is done.
    pub(super) async fn under<T>(&self, from: &str, to: &str, work: impl Future<Output = T>) -> T {
        let text = fs::read_to_string(&self.policy).unwrap();
        assert!(text.contains(from), "{text}");
        self.put_policy(&text.replace(from, to));
        // What is opened goes by the files that were read last.
        self.engine.snapshot().unwrap();
        let done = work.await;
        self.put_policy(&text);
        done
    }

    /// Somebody in a place.
    pub(super) fn person_in(&self, name: &str, place: &str) -> Person {
        let person = self.discord.person(name);
        match place {
            "thread" => person.in_channel(&self.thread),
            "direct" => person.in_direct(),
            channel => person.in_channel(channel),
        }
    }

    async fn until(&self, id: RunId, is_so: impl Fn(&Run) -> bool) -> Arc<Run> {
        let mut happens = self.engine.follow();
        let soon = async {
            loop {
                let run = self.run(id);
                if is_so(&run) {
                    return run;
                }
                let _ = happens.recv().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), soon)
            .await
            .unwrap_or_else(|_| panic!("{:?} {:?}", self.run(id).phase, self.run(id).units))
    }

    /// A run is led to a state by what people say, as it always is.
    async fn model(&self, state: State) -> Option<Model> {
        let (how, host) = match state {
            State::Nothing => return None,
            State::Working | State::Paused => ("hangs", "zeta1"),
            State::Unknown => ("breaks", "zeta3"),
            _ => ("fails", "zeta1"),
        };
        let id = self.journal.view().next_run().unwrap();
        let asked =
            format!("run night-drill cluster=zeta one={host} two=zeta2 how={how} reason=\"to be seen\"");
        let reply = self.types("ana", &asked).await;
        assert!(reply.run.is_some(), "{:?}", reply.page);
        let token = |run: &Run| run.token.as_ref().map(|token| token.text.clone()).unwrap_or_default();
        let mut says = token(&self.run(id));
        let digest = self.run(id).digest().unwrap().short().to_owned();
        if state > State::Expired {
            self.types("ana", &format!("confirm {id} {says}")).await;
        }
        if state > State::Approving {
            self.types("cleo", &format!("approve {id} {digest}")).await;
        }
        if state > State::Half {
            self.types("ben", &format!("approve {id} {digest}")).await;
            self.until(id, |run| run.waits_for_person() && run.started.is_some()).await;
        }
        if state > State::Asking {
            self.types("ana", &format!("answer {id} 2 go-on")).await;
            let works = matches!(state, State::Working | State::Paused);
            self.until(id, |run| if works { run.is_at_work() } else { run.waits_for_person() }).await;
        }
        match state {
            State::Paused => _ = self.types("ana", &format!("pause {id}")).await,
            State::Undoing => {
                self.types("ana", &format!("undo {id}")).await;
                let run = self.run(id);
                says.clone_from(&run.undo.as_ref().unwrap().token.as_ref().unwrap().text);
            }
            State::Ended => {
                self.types("ana", &format!("stop {id}")).await;
                self.until(id, Run::is_ended).await;
            }
            _ => {}
        }
        let entries = self.journal.view().entries_of(id).unwrap();
        let mut events: Vec<Stamped> = entries.iter().map(|entry| stamped(entry).unwrap()).collect();
        for stamped in &mut events {
            let over = matches!(state, State::Expired | State::Late);
            let expires = if over { "2020-01-01T00:00:00Z" } else { "2100-01-01T00:00:00Z" };
            match &mut stamped.event {
                // It was confirmed in time.
                Event::Offered { .. } if state == State::Late => {}
                Event::Offered { token, .. } | Event::UndoOffered { token, .. } => {
                    token.expires = expires.parse().unwrap();
                }
                Event::Confirmed { approve_until, .. } => *approve_until = expires.parse().unwrap(),
                _ => {}
            }
        }
        // What it holds is free for the next one.
        self.types("ana", &format!("stop {id} now")).await;
        self.until(id, Run::is_ended).await;
        Some(Model { events, host, token: says, digest })
    }

    /// A new run in this state. It holds things of its own, and nobody carries it until somebody speaks to it.
    pub(super) async fn copy(&self, state: State) -> RunId {
        let id = self.journal.view().next_run().unwrap();
        let Some(model) = self.models.get(&state) else { return RunId(999_999) };
        let Event::Requested(request) = &model.events[0].event else { panic!("a run begins with a request") };
        let mut run = Run::new(id, request.clone(), model.events[0].at);
        let (mut entries, mut expected, mut held) = (Vec::new(), 0, run.holds.clone());
        for stamped in &model.events {
            let mut stamped = stamped.clone();
            if let Event::HoldsTaken { holds } = &mut stamped.event {
                for (resource, token) in holds {
                    (resource.0, *token) = (format!("{}-{id}", resource.0), 1);
                }
            }
            apply(&mut run, &stamped);
            let actor = stamped.by.as_ref().map(|by| Actor {
                person: Some(by.clone()),
                account: "model".to_owned(),
                door: Door::Console,
            });
            entries.push(NewEntry::of_event(&stamped, actor));
            if run.holds != held {
                held = run.holds.clone();
                self.write(&run, std::mem::take(&mut entries), expected, true).await;
                expected = run.version;
            }
        }
        if !entries.is_empty() {
            self.write(&run, entries, expected, false).await;
        }
        id
    }

    async fn write(&self, run: &Run, entries: Vec<NewEntry>, expected: u64, holds: bool) {
        let holds = holds.then(|| run.holds.clone());
        let append = RunAppend { id: run.id, expected, open: !run.is_ended(), holds };
        self.journal.append(Append { run: Some(append), entries, ..Append::default() }).await.unwrap();
    }

    /// The bot ends, and has said what was to be said.
    pub(super) async fn ends(&self) {
        self.ending.cancel();
        self.chat.ended().await;
        self.engine.end().await;
    }
}
