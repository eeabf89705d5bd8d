//! Conversations on Discord: the whole chat against a strict fake one, on scripted hosts. Here the clock is the real one,
//! since what goes over a wire takes real time.

use std::sync::Arc;
use std::time::Duration;

use discord::{Answer, Asked, Discord, Fault, Person, Seen};
use regex_lite::Regex;
use steadyhand::chat::discord::{self as chat, Messages};
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, ToRun};
use steadyhand::library::{Folders, Library};
use steadyhand::run::model::{AskedAfter, Phase};
use steadyhand::run::{Run, RunId};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::bot::{Parts, doors, settings, speaker};
use crate::masked::{steady, without_files};
use crate::stage::{Answer as Does, Hosts, folder, opened, own_files, zone};

/// What parts of the program wrote to the log.
#[derive(Clone, Default)]
struct Written(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// What takes all that is said, also what nobody wants to read.
    fn hears_all(&self) -> tracing::Dispatch {
        let written = self.clone();
        let all = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || written.clone());
        all.finish().into()
    }
}

/// People wait so long for a first response here, so that a machine that stands still for a moment fails no scene;
const PATIENT: Duration = Duration::from_secs(30);
/// and so long, as on Discord itself, where first responses are what it is about.
const IN_TIME: Duration = Duration::from_secs(3);

pub(crate) const ASKED: &str =
    "/run failover-database cluster=orders candidate=pg2 mode=planned reason=\"move to the new rack\"";

/// So many threads of a bot read files and the journal for those who wait.
const BESIDE: usize = 8;

/// A bot that runs. It has a runtime of its own, so that it can be killed.
pub(crate) struct Bot {
    pub(crate) engine: Engine,
    pub(crate) chat: Arc<chat::Discord>,
    ending: CancellationToken,
    runtime: Runtime,
}

/// A server with its people, hosts, files, and a bot.
pub(crate) struct Ground {
    pub(crate) discord: Discord,
    pub(crate) hosts: Arc<Hosts>,
    clock: Clock,
    pub(crate) folders: Folders,
    pub(crate) place: tempfile::TempDir,
    messages: Messages,
    log: Option<Written>,
    /// At a start the chat is there only after run 1 has ended.
    chat_is_late: bool,
    bot: Option<Bot>,
}

impl Ground {
    /// All is well, and the bot listens.
    pub(crate) async fn ready() -> Self {
        Self::with(&["ops"], Messages::Mention).await
    }

    /// The same with these channels in the policy, reading these messages.
    pub(crate) async fn with(channels: &[&str], messages: Messages) -> Self {
        Self::of(channels, messages, Clock::System, |_, policy| policy).await
    }

    /// The same by this clock, with another policy.
    pub(crate) async fn of(
        channels: &[&str],
        messages: Messages,
        clock: Clock,
        edited: impl FnOnce(&Discord, String) -> String,
    ) -> Self {
        let discord = Discord::start().await;
        discord.waits_for_responses(PATIENT);
        let place = folder();
        let folders = own_files(place.path());
        let mut ground = Self {
            discord,
            hosts: Arc::new(Hosts::new(Clock::System)),
            clock,
            folders,
            place,
            messages,
            log: None,
            chat_is_late: false,
            bot: None,
        };
        let policy = ground.folders.runbooks.join("policy.yaml");
        let mut text = std::fs::read_to_string(&policy).unwrap();
        for (number, name) in ["ana", "ben", "cleo", "sue"].iter().enumerate() {
            let id = ground.discord.person(name).id().to_string();
            text = text.replace(&format!("21460000000000000{}", number + 1), &id);
        }
        let door = doors(&ground.discord, channels);
        let text = edited(&ground.discord, text.replace("doors: { console: {} }", &door));
        std::fs::write(&policy, text).unwrap();
        ground.starts().await;
        ground.discord.until_ready().await;
        ground
    }

    /// The bot starts, on the journal that is there.
    pub(crate) async fn starts(&mut self) {
        let clock = self.clock.clone();
        let log = self.log.as_ref().map(Written::hears_all);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(BESIDE)
            .on_thread_start(move || {
                if let Some(log) = &log {
                    // For as long as the thread lives.
                    std::mem::forget(tracing::dispatcher::set_default(log));
                }
            })
            .enable_all()
            .build()
            .unwrap();
        let settings = settings(&self.discord, self.messages);
        let (hosts, folders, path) =
            (self.hosts.clone(), self.folders.clone(), self.place.path().join("bot.db"));
        let (ending, chat_is_late) = (CancellationToken::new(), self.chat_is_late);
        let started = {
            let ending = ending.clone();
            runtime.spawn(async move {
                let journal = opened(&path);
                let library = Arc::new(Library::new(folders));
                hosts.learn(&library.load().unwrap().set);
                let dice = Dice::seeded(1);
                let parts = Parts { journal, library, target: hosts, clock, dice, zone: zone(), demo: false };
                let (engine, desk) = parts.start().await;
                let mut events = engine.follow();
                while chat_is_late && !engine.run(RunId(1)).unwrap().is_ended() {
                    let _ = events.recv().await;
                }
                let chat = chat::start(settings, desk, ending).unwrap();
                (engine, Arc::new(chat))
            })
        };
        let (engine, chat) = started.await.unwrap();
        self.bot = Some(Bot { engine, chat, ending, runtime });
    }

    pub(crate) fn bot(&self) -> &Bot {
        self.bot.as_ref().unwrap()
    }

    /// It is killed: every task is gone, wherever it stood.
    pub(crate) fn dies(&mut self) {
        self.bot.take().unwrap().runtime.shutdown_background();
    }

    /// It ends in good order.
    pub(crate) async fn ends(&mut self) {
        let bot = self.bot.take().unwrap();
        bot.ending.cancel();
        let chat = bot.chat.clone();
        bot.runtime.spawn(async move { chat.ended().await }).await.unwrap();
        bot.runtime.shutdown_background();
    }

    pub(crate) fn run(&self, id: u64) -> Arc<Run> {
        self.bot().engine.run(RunId(id)).unwrap()
    }

    /// What was refused so far: the codes, in order.
    pub(crate) fn denied(&self) -> Vec<String> {
        let mut entries = self.bot().engine.view().newest_of_kind("command-denied", 100).unwrap();
        entries.reverse();
        entries.iter().map(|entry| entry.data["code"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        self.discord.person(name)
    }

    /// The card of a run, as soon as it says this.
    pub(crate) async fn card(&self, says: &str) -> Seen {
        let look = |discord: &Discord| discord.messages("ops").into_iter().rev().find(|seen| seen.says(says));
        self.discord.until_within(&format!("a card that says `{says}`"), Duration::from_mins(1), look).await
    }

    /// ana asks, and reads the card.
    pub(crate) async fn offered(&self) -> Seen {
        let asked = self.person("ana").types(ASKED).unwrap();
        let reply = asked.reply().await;
        assert!(reply.says("The plan of run 1 stands in this channel"), "{reply}");
        assert_eq!(reply.only_for.as_deref(), Some("ana"));
        self.card("[Confirm…|primary]").await
    }

    /// ana has read the plan back.
    pub(crate) async fn confirmed(&self) -> Seen {
        let card = self.offered().await;
        let form = self.person("ana").presses(&card, "Confirm…").unwrap().modal().await;
        let reply = form.submit(&[("said", &token(&card))]).unwrap().reply().await;
        assert!(reply.only_for.is_some(), "{reply}");
        self.card("[Approve|success]").await
    }

    /// Somebody presses, and is answered privately.
    pub(crate) async fn press(&self, name: &str, card: &Seen, label: &str) -> Seen {
        private(self.person(name).presses(card, label).unwrap(), name).await
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(bot) = self.bot.take() {
            bot.runtime.shutdown_background();
        }
    }
}

pub(crate) async fn private(asked: Asked, name: &str) -> Seen {
    let reply = asked.reply().await;
    assert_eq!(reply.only_for.as_deref(), Some(name), "{reply}");
    reply
}

/// The token that a card shows.
pub(crate) fn token(card: &Seen) -> String {
    let found = Regex::new(r"confirm \d+ (orders-[a-z0-9]+)").unwrap();
    found.captures(&card.text()).unwrap_or_else(|| panic!("no token in {card}"))[1].to_owned()
}

#[track_caller]
pub(crate) fn reads(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, without_files(&steady(text))));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_carry_a_planned_failover_from_start_to_end() {
    let mut ground = Ground::ready().await;

    let offered = ground.offered().await;
    let approving = ground.confirmed_from(&offered).await;
    let wanted = ground.discord.until_says("run 1 · failover-database · orders", "must approve").await;
    assert_eq!(wanted.pings, ["ben", "cleo"], "who may approve, and not who asked");
    let reply = ground.press("ben", &approving, "Approve").await;
    let done = ground.card("succeeded · run 1").await;
    ground.discord.until_says("run 1 · failover-database · orders", "Promote pg2").await;

    assert!(ground.run(1).is_ended());
    reads("discord-failover", &format!("{offered}\n{approving}\n{reply}\n{done}"));
    let messages = ground.discord.messages("ops");
    assert_eq!(messages.len(), 1, "one card, edited in place:\n{}", ground.discord.shows("ops"));
    let thread = ground.discord.shows("run 1 · failover-database · orders");
    assert!(thread.contains("ben") && thread.contains("succeeded"), "{thread}");
    assert!(ground.discord.most_edits_in_a_second() <= 1);
    assert_eq!(ground.bot().chat.health().not_understood, 0);
    ground.ends().await;
    ground.discord.assert_clean();
}

impl Ground {
    async fn confirmed_from(&self, card: &Seen) -> Seen {
        self.confirmed_by("ana", card).await
    }

    /// Whoever asked has read the plan back.
    pub(crate) async fn confirmed_by(&self, name: &str, card: &Seen) -> Seen {
        let form = self.person(name).presses(card, "Confirm…").unwrap().modal().await;
        assert_eq!(form.title, "Confirm run 1");
        form.submit(&[("said", &token(card))]).unwrap().reply().await;
        self.card("[Approve|success]").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_count_is_said_to_who_did_it_and_nothing_is_done() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    let mut said = Vec::new();
    let mut note = |what: &str, reply: &Seen| said.push(format!("# {what}\n{reply}"));

    note("own run", &ground.press("ana", &card, "Approve").await);
    note("nobody", &ground.press("uma", &card, "Approve").await);
    note("an administrator", &ground.press("adam", &card, "Approve").await);
    note("no role", &ground.press("sue", &card, "Approve").await);
    let approve = card.button("Approve").unwrap().custom_id.clone().unwrap();
    let other = approve.replace(&approve[approve.len() - 8..], "00000000");
    note("another plan", &private(ground.person("ben").forges_press(&card, &other), "ben").await);
    for forged in ["s1 approve", "s9 approve 1", "x", "s1 run failover-database", "s1 as ben"] {
        note(forged, &private(ground.person("ben").forges_press(&card, forged), "ben").await);
    }
    let form =
        ground.person("uma").forges_modal("s1 refuse 1 ?", &[("said", "because I want to")], Some(&card));
    note("a form of nobody", &private(form, "uma").await);
    let form = ground.person("ben").forges_modal("s1 confirm 1 ?", &[("said", "orders-aaaaaa")], None);
    note("confirmed by another", &private(form, "ben").await);
    let elsewhere = ground.person("ben").in_channel("incidents").types("/stop run=1").unwrap();
    note("another channel", &private(elsewhere, "ben").await);
    let status = ground.person("uma").types("/status").unwrap();
    note("looking", &private(status, "uma").await);

    assert!(
        ground.person("ben").in_direct().types("/stop run=1").is_err(),
        "there are no commands in direct messages"
    );
    assert_eq!(ground.run(1).phase, Phase::Approving);
    assert!(ground.run(1).approvals.is_empty() && ground.run(1).stop.is_none());
    ground.hosts_untouched();
    reads("discord-refused", &said.join("\n"));
    assert_eq!(
        ground.denied(),
        [
            "own-run",
            "no-person",
            "no-person",
            "no-role",
            "old-plan",
            "no-person",
            "again",
            "wrong-place",
            "no-person"
        ]
    );
    ground.discord.assert_clean();
}

impl Ground {
    #[track_caller]
    pub(crate) fn hosts_untouched(&self) {
        assert_eq!(self.hosts.sent(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_that_is_told_twice_or_repeated_decides_once() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    let ben = ground.person("ben");

    ground.discord.waits_for_responses(IN_TIME);
    let presses: Vec<Asked> = (0..100).map(|_| ben.presses_as_seen(&card, "Approve").unwrap()).collect();
    presses[0].is_told_again();
    for press in &presses {
        assert!(press.reply().await.only_for.is_some());
    }

    let approvals = ground.bot().engine.view().newest_of_kind("approved", 200).unwrap();
    assert_eq!(approvals.len(), 1, "a hundred presses are one decision");
    assert!(ground.discord.refusals().is_empty(), "{:?}", ground.discord.refusals());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_interactions_at_once_are_answered_in_time() {
    let ground = Ground::ready().await;
    let ana = ground.person("ana");

    ground.discord.waits_for_responses(IN_TIME);
    let asked: Vec<Asked> = (0..200).map(|_| ana.types("/status").unwrap()).collect();
    for asked in &asked {
        assert!(asked.reply().await.says("Nothing runs"));
    }

    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_same_card_goes_on() {
    let mut ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.press("ben", &card, "Approve").await;

    ground.dies();
    ground.starts().await;

    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id, "{}", ground.discord.shows("ops"));
    assert_eq!(ground.discord.messages("ops").len(), 1);
    ground.discord.until_says("run 1 · failover-database · orders", "The bot was started again").await;
    assert_eq!(ground.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count(), 1);
    // A button of before the crash, pressed now.
    let late = private(ground.person("cleo").presses_as_seen(&card, "Approve").unwrap(), "cleo").await;
    assert!(late.says("has ended") || late.says("ended"), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_it_is_told_what_ended_before_the_chat_was_there() {
    let mut ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.press("ben", &card, "Approve").await;

    ground.dies();
    ground.chat_is_late = true;
    ground.starts().await;

    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id, "{}", ground.discord.shows("ops"));
    ground.discord.until_says(THREAD, "The bot was started again").await;
    // Another start has nothing new to say.
    let before = ground.discord.messages(THREAD).len();
    ground.ends().await;
    ground.chat_is_late = false;
    ground.starts().await;
    ground.discord.until_ready().await;
    ground.ends().await;
    assert_eq!(ground.discord.messages(THREAD).len(), before, "{}", ground.discord.shows(THREAD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_while_discord_is_away_and_is_summed_up_once() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.discord.until_says("run 1 · failover-database · orders", "must approve").await;
    let before = ground.discord.messages("run 1 · failover-database · orders").len();
    ground.discord.fails(1_000_000, "POST", "/messages", Fault::Status(503));
    ground.discord.fails(1_000_000, "PATCH", "/messages", Fault::Status(503));
    let digest = ground.run(1).digest().unwrap().short().to_owned();
    let mut events = ground.bot().engine.follow();
    ground.person("ben").types(&format!("/approve run=1 plan={digest}")).unwrap().answer().await;

    let ends = async { while !events.recv().await.unwrap().ended {} };
    tokio::time::timeout(Duration::from_mins(2), ends).await.expect("no run waits for Discord");
    assert!(ground.bot().chat.health().last_trouble.is_some());
    ground.discord.heals();

    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id);
    let summary = ground.discord.until_says("run 1 · failover-database · orders", "Chat was away").await;
    assert!(summary.says("Promote pg2"), "{summary}");
    let after = ground.discord.messages("run 1 · failover-database · orders").len();
    assert_eq!(after, before + 1, "{}", ground.discord.shows("run 1 · failover-database · orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_are_offered_names() {
    let ground = Ground::ready().await;
    let names =
        |choices: Vec<discord::Choice>| choices.into_iter().map(|choice| choice.name).collect::<Vec<_>>();
    let clusters =
        |name: &str| ground.person(name).completes("run failover-database", "cluster", "o").unwrap();

    assert_eq!(names(clusters("ana").choices().await), ["orders"]);
    assert_eq!(names(clusters("uma").choices().await), Vec::<String>::new());
    assert_eq!(names(clusters("adam").choices().await), Vec::<String>::new(), "an administrator is nobody");
    assert_eq!(names(clusters("sue").choices().await), Vec::<String>::new(), "who may not run it");
    let typed = ground.person("ana").command("run failover-database").with("cluster", "orders");
    let candidates = typed.completes("candidate", "pg").unwrap().choices().await;
    assert!(names(candidates.clone()).contains(&"pg2".to_owned()), "{candidates:?}");
    let runs = ground.person("ana").completes("status", "of", "").unwrap().choices().await;
    assert!(names(runs).contains(&"orders".to_owned()));
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_is_worked_out_beside_those_who_wait_for_a_first_response() {
    let ground = Ground::ready().await;
    let card = ground.offered().await;
    let ana = ground.person("ana");
    let (begins, begun) = std::sync::mpsc::channel();
    let works: Vec<_> = (0..BESIDE)
        .map(|_| {
            let (end, ends) = std::sync::mpsc::channel::<()>();
            let begins = begins.clone();
            ground.bot().runtime.spawn_blocking(move || {
                begins.send(()).unwrap();
                let _ = ends.recv();
            });
            end
        })
        .collect();
    assert_eq!(begun.iter().take(BESIDE).count(), BESIDE, "nothing is read any more");

    let typed = ana.completes("run failover-database", "cluster", "o").unwrap();
    let form = ana.presses(&card, "Confirm…").unwrap();
    let looks = ana.types("/status").unwrap();

    assert!(matches!(looks.answer().await, Answer::Deferred { ephemeral: true }));
    assert_eq!((typed.took(), form.took()), (None, None), "what has to read waits, and nobody else does");
    drop(works);
    assert_eq!(typed.choices().await.len(), 1);
    form.modal().await;
    assert!(looks.reply().await.says("failover-database"));
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_called_runbook_is_offered_its_own_values() {
    let mut ground = Ground::ready().await;
    let file = ground.folders.runbooks.join("failover-database.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let parameter = "parameters:\n  runbook: { type: cluster, kind: [postgresql], help: Which one }";
    let text = text.replace("parameters:", parameter).replace("({{mode}})", "({{mode}}, {{runbook}})");
    std::fs::write(&file, text).unwrap();
    let report = steadyhand::library::check_folder(&ground.folders).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    ground.ends().await;
    ground.starts().await;
    let knows = |it: &Discord| {
        let commands = serde_json::to_string(&it.commands()).unwrap();
        commands.contains("Which one").then_some(())
    };
    ground.discord.until("the parameter is registered", knows).await;
    let offered = async |command: &str| {
        let typed = ground.person("ana").completes(command, "runbook", "").unwrap().choices().await;
        typed.into_iter().map(|choice| choice.name).collect::<Vec<_>>()
    };

    assert_eq!(offered("run failover-database").await, ["billing", "orders"]);
    assert!(offered("run any").await.contains(&"failover-database".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_begins_with_the_mention_is_a_line_and_nothing_else_is() {
    let ground = Ground::ready().await;
    let ana = ground.person("ana");
    let bot = "steadyhand";

    let asked = ana.writes(&format!("@{bot} status")).unwrap();
    let reply = ground.discord.until_says("ops", "Nothing runs").await;
    assert_eq!(reply.replies_to, Some(asked.id));

    let before = ground.discord.messages("ops").len();
    for text in ["status", "/status", &format!("tell @{bot} status"), "yes", "approve"] {
        ana.writes(text).unwrap();
    }
    ana.replies(&reply, "stop 1").unwrap();
    ana.in_channel("incidents").writes(&format!("@{bot} status")).unwrap();
    ana.in_direct().writes(&format!("@{bot} status")).unwrap();
    ground.person("ci").writes(&format!("@{bot} status")).unwrap();
    ground.person("alerts").writes(&format!("@{bot} status")).unwrap();
    // Whoever asks last is answered last.
    ana.writes(&format!("@{bot} show nothing")).unwrap();
    ground.discord.until_says("ops", "is not a runbook").await;
    assert_eq!(ground.discord.messages("ops").len(), before + 6 + 2 + 2, "{}", ground.discord.shows("ops"));
    assert_eq!(ground.discord.messages("incidents").len(), 1);
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_after_every_way_to_lose_the_gateway() {
    let ground = Ground::ready().await;
    let ana = ground.person("ana");
    let answers = async |what: &str| {
        let looks = ana.types("/status").unwrap();
        assert!(looks.reply().await.says("Nothing runs"), "{what}");
    };

    answers("at first").await;
    for kind in ["INTERACTION_CREATE", "VOICE_CHANNEL_START_TIME_UPDATE", "GUILD_ROLE_UPDATE", "TYPING_START"]
    {
        ground.discord.says(kind, serde_json::json!({ "id": "nonsense" }));
    }
    let connections = || ground.discord.gateway_log().len();
    let back = async |before: usize| {
        let is_back = |it: &Discord| (connections() > before && it.listening() == 1).then_some(());
        ground.discord.until_within("it is back", Duration::from_secs(30), is_back).await;
    };
    let before = connections();
    ground.discord.asks_to_reconnect();
    back(before).await;
    answers("after op 7").await;
    let before = connections();
    ground.discord.closes_gateway(4_000);
    back(before).await;
    answers("after a close").await;

    let health = ground.bot().chat.health();
    assert_eq!(health.not_understood, 1, "only what somebody may have said counts: {health:?}");
    assert!(health.connected && health.commands > 20, "{health:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_discord_the_bot_starts_and_connects_later() {
    let mut ground = Ground::ready().await;
    ground.ends().await;
    ground.discord.goes_down();
    ground.starts().await;
    ground.discord.until("nobody listens", |discord| (discord.listening() == 0).then_some(())).await;
    assert!(!ground.bot().chat.health().connected);

    ground.discord.comes_up();

    ground
        .discord
        .until_within("it listens", Duration::from_secs(30), |it| (it.listening() == 1).then_some(()))
        .await;
    let answer = ground.person("ana").types("/status").unwrap().answer().await;
    assert!(!matches!(answer, Answer::Failed), "{answer:?}");
}

pub(crate) const THREAD: &str = "run 1 · failover-database · orders";

impl Ground {
    /// It waits for ana: pg3 did not follow.
    pub(crate) async fn failed(&self) -> Seen {
        self.hosts.will("pg3", "follow", Does::Fails(1, "ERROR:  no slot"));
        let card = self.confirmed().await;
        self.press("ben", &card, "Approve").await;
        self.card("FAILED").await
    }

    /// Somebody says something on the console.
    pub(crate) async fn on_the_console(&self, name: &str, to_run: ToRun) {
        let (engine, speaker) = (self.bot().engine.clone(), speaker(name));
        let said =
            self.bot().runtime.spawn(async move { engine.say(&speaker, RunId(1), to_run).await.map(|_| ()) });
        said.await.unwrap().unwrap();
    }

    /// Ends as soon as this is so of the run.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Run) -> bool) -> Arc<Run> {
        let mut events = self.bot().engine.follow();
        let becomes = async {
            while !is_so(&self.run(1)) {
                let _ = events.recv().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), becomes).await.unwrap_or_else(|_| panic!("{what}"));
        self.run(1)
    }

    pub(crate) fn retry() -> ToRun {
        ToRun::Retry { number: 5, host: Some("pg3".to_owned()), attempt: AskedAfter::Step(1) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_in_the_thread_of_a_run_is_written_in_its_channel() {
    let ground = Ground::ready().await;
    ground.confirmed().await;
    ground.discord.until_says(THREAD, "must approve").await;

    let asked = ground.person("ana").in_channel(THREAD).writes("@steadyhand status 1").unwrap();

    let reply = ground.discord.until_says(THREAD, "approving · run 1").await;
    assert_eq!(reply.replies_to, Some(asked.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_messages_are_read_a_line_begins_with_a_slash_or_the_mention() {
    let ground = Ground::with(&["ops"], Messages::All).await;
    let ana = ground.person("ana");

    let asked = ana.writes("/status").unwrap();
    let reply = ground.discord.until_says("ops", "Nothing runs").await;
    assert_eq!(reply.replies_to, Some(asked.id));
    for text in ["status", "stop 1", "see /status"] {
        ana.writes(text).unwrap();
    }
    ana.in_channel("incidents").writes("/status").unwrap();
    let last = ana.writes("@steadyhand show nothing").unwrap();
    let reply = ground.discord.until_says("ops", "is not a runbook").await;

    assert_eq!(reply.replies_to, Some(last.id));
    let answers = ground.discord.messages("ops").into_iter().filter(|seen| seen.author == "steadyhand");
    assert_eq!(answers.count(), 2, "{}", ground.discord.shows("ops"));
    assert_eq!(ground.discord.messages("incidents").len(), 1);
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_the_log_and_no_word_in_the_chat_holds_the_token() {
    let mut ground = Ground::ready().await;
    ground.ends().await;
    let log = Written::default();
    ground.log = Some(log.clone());
    let token = ground.discord.token();

    ground.starts().await;
    ground.discord.until("it listens", |it| (it.listening() == 1).then_some(())).await;
    let card = ground.confirmed().await;
    ground.discord.fails(3, "PATCH", "/messages", Fault::Cut);
    ground.discord.fails(3, "POST", "/callback", Fault::Status(500));
    ground.person("ben").presses(&card, "Approve").unwrap();
    ground.discord.cuts_gateway();
    ground.discord.revokes_token();
    let is_told =
        |_: &Discord| ground.bot().chat.health().last_trouble.filter(|trouble| trouble.contains("401"));
    let trouble = ground.discord.until_within("it is told", Duration::from_mins(1), is_told).await;
    assert!(trouble.contains("refuses the token") && trouble.contains("discord.token"), "{trouble}");

    let written = log.text();
    assert!(written.contains("steadyhand") && written.contains("serenity"), "something is heard");
    assert!(!trouble.contains(&token) && !written.contains(&token), "{trouble}");
    for part in ["Bot ", "authorization"] {
        let told: Vec<&str> =
            written.lines().filter(|line| line.contains(part) && line.contains(&token[..12])).collect();
        assert!(told.is_empty(), "{told:?}");
    }
    assert!(!ground.discord.shows("ops").contains(&token));
}
