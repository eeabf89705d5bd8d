//! Two people on Discord fail a real cluster over: a strict fake Discord, real hosts, and nothing in between but the bot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use discord::{Asked, Discord, Seen};
use lab::{Lab, Spec};
use regex_lite::Regex;
use steadyhand::chat::desk::Desk;
use steadyhand::chat::discord::cards::{question_card, run_card};
use steadyhand::chat::discord::{self as chat, Messages};
use steadyhand::config::Config;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, Happened, ToRun};
use steadyhand::journal::{Journal, OpenError};
use steadyhand::library::Library;
use steadyhand::run::model::{Far, Phase};
use steadyhand::run::{Event, RunId};
use steadyhand::target::ssh::Ssh;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::bot::{Parts, doors, settings, speaker};
use crate::failing_over::noticed_by_the_replicas;
use crate::masked::{steady, without_files};
use crate::witness::Application;

/// The whole bot, on a runtime of its own, so that it can be killed.
struct Bot {
    engine: Engine,
    desk: Desk,
    chat: chat::Discord,
    ending: CancellationToken,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The policy of the lab with a door on this server, and the ids of its people.
fn opens_the_door(lab: &Lab, discord: &Discord) {
    let path = lab.bot_dir().join("policy.yaml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for name in ["ana", "ben", "cleo", "sue"] {
        let id = discord.person(name).id();
        let entry = Regex::new(&format!(r"{name}: +\{{ console: {name} \}}")).unwrap();
        let with_id = format!("{name}: {{ console: {name}, discord: \"{id}\" }}");
        text = entry.replace(&text, with_id.as_str()).into_owned();
    }
    std::fs::write(&path, text.replace("doors: { console: {} }", &doors(discord, &["ops"]))).unwrap();
}

impl Bot {
    fn starts(lab: &Lab, discord: &Discord) -> Self {
        let runtime = runtime();
        let config = Config::load(Some(&lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        let settings = settings(discord, Messages::Mention);
        let ending = CancellationToken::new();
        let (engine, desk, chat) = runtime.block_on(async {
            let journal = loop {
                match Journal::open(&config.journal, true) {
                    // The writer of a bot that was killed lets go of the file a moment later.
                    Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
                    opened => break opened.unwrap(),
                }
            };
            let parts = Parts {
                journal,
                library: Arc::new(Library::new(config.folders)),
                target: Arc::new(Ssh::new(config.ssh).unwrap()),
                clock: Clock::System,
                dice: Dice::random(),
                zone: config.time_zone,
                demo: true,
            };
            let (engine, desk) = parts.start().await;
            (engine, desk.clone(), chat::start(settings, desk, ending.clone()).unwrap())
        });
        Self { engine, desk, chat, ending, runtime }
    }

    /// It is killed: every task is gone, wherever it stood.
    fn dies(self) {
        self.runtime.shutdown_background();
    }

    fn ends(self) {
        self.ending.cancel();
        self.runtime.block_on(async {
            self.chat.ended().await;
            self.engine.end().await;
        });
    }
}

/// Every state of the card and of its question, one after the other, as they follow from what happened.
struct Film {
    states: Arc<Mutex<Vec<String>>>,
}

impl Film {
    fn of(bot: &Bot) -> Self {
        let states = Arc::new(Mutex::new(Vec::new()));
        let (mut events, desk, all) = (bot.engine.follow(), bot.desk.clone(), states.clone());
        bot.runtime.spawn(async move {
            while let Ok(happened) = events.recv().await {
                let shown = steady(&of_state(&desk, &happened));
                let mut all = all.lock().unwrap();
                if all.last() != Some(&shown) {
                    all.push(shown);
                }
            }
        });
        Self { states }
    }

    fn states(&self) -> Vec<String> {
        self.states.lock().unwrap().clone()
    }
}

fn of_state(desk: &Desk, happened: &Happened) -> String {
    let snapshot = desk.library().load().unwrap();
    let policy = snapshot.set.policy.as_ref().ok();
    let card = run_card(&happened.run, &Far::new(), Vec::new(), policy, &desk.moment()).shown();
    let question = question_card(&happened.run, None, &desk.moment());
    question.map_or(card.clone(), |question| format!("{card}-- asked in the thread\n{}", question.shown()))
}

/// Titles and texts that the card had on Discord, one after the other.
fn shown_on(discord: &Discord, card: u64) -> Vec<String> {
    let path = format!("/messages/{card}");
    let edits = discord.requests().into_iter();
    let edits = edits.filter(|request| request.method == "PATCH" && request.path.ends_with(&path));
    let text = |request: discord::Request| {
        let embed = &request.body["embeds"][0];
        let text = |name: &str| embed[name].as_str().unwrap_or_default().to_owned();
        let text = format!("title    {}\n{}", text("title"), text("description"));
        steady(&text).replace('\n', "\ntext     ")
    };
    edits.map(text).collect()
}

const THREAD: &str = "run 1 · failover-database · orders";

/// What everybody could read in the thread: its lines in order, however many stood in one message.
fn told_in_thread(discord: &Discord) -> String {
    let lines = discord.messages(THREAD).into_iter().map(|seen| {
        if seen.cards.is_empty() && seen.pings.is_empty() { seen.content + "\n" } else { seen.to_string() }
    });
    lines.collect()
}

#[track_caller]
fn reads(name: &str, parts: &[(&str, String)]) {
    let parts: Vec<String> = parts.iter().map(|(what, text)| format!("# {what}\n{text}\n")).collect();
    let text = parts.concat();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, steady(&text)));
}

async fn card(discord: &Discord, says: &str) -> Seen {
    let look = |discord: &Discord| discord.messages("ops").into_iter().rev().find(|seen| seen.says(says));
    discord.until_within(&format!("a card that says `{says}`"), Duration::from_mins(2), look).await
}

/// What somebody is answered, whom nobody else hears.
async fn answered(name: &str, asked: Asked) -> String {
    let reply = asked.reply().await;
    assert_eq!(reply.only_for.as_deref(), Some(name), "{reply}");
    without_files(&steady(&reply.to_string())) + "\n"
}

const PLANNED: &str =
    "/run failover-database cluster=orders candidate=pg2 mode=planned reason=\"move to the new rack\"";
const DEAD: &str =
    "/run failover-database cluster=orders candidate=pg2 mode=dead reason=\"pg1 does not answer\"";

/// ana asks for it, reads the plan back and confirms it; the card that ben can approve, and what ana was answered.
async fn confirmed(discord: &Discord, line: &str) -> (Seen, String) {
    discord.until_ready().await;
    let ana = discord.person("ana");
    let asked = ana.types(line).unwrap();
    let offered = card(discord, "[Confirm…|primary]").await;
    let mut said = answered("ana", asked).await;
    let token = Regex::new(r"confirm \d+ (orders-[a-z0-9]+)").unwrap();
    let token = token.captures(&offered.text()).unwrap()[1].to_owned();
    let form = ana.presses(&offered, "Confirm…").unwrap().modal().await;
    said += &answered("ana", form.submit(&[("said", &token)]).unwrap()).await;
    (card(discord, "[Approve|success]").await, said)
}

/// A lab, a Discord, and a bot on both.
struct Ground {
    lab: Lab,
    discord: Discord,
    outside: Runtime,
}

impl Ground {
    fn of(lab: Lab) -> (Self, Bot) {
        let outside = runtime();
        let discord = outside.block_on(Discord::start());
        opens_the_door(&lab, &discord);
        let bot = Bot::starts(&lab, &discord);
        (Self { lab, discord, outside }, bot)
    }

    /// pg2 is the only primary, and the run is over.
    fn is_moved(&self, bot: &Bot) {
        assert!(bot.engine.run(RunId(1)).unwrap().is_ended());
        let primaries: Vec<_> = self.lab.primaries().iter().map(lab::Host::name).collect();
        assert_eq!(primaries, ["pg2"]);
    }
}

#[test]
fn two_people_on_discord_move_a_real_primary_and_lose_nothing() {
    let (ground, bot) = Ground::of(Lab::up(Spec::default()).unwrap());
    let application = Application::of(&ground.lab, "pg1");
    let (discord, film) = (&ground.discord, Film::of(&bot));

    let (done, said) = ground.outside.block_on(async {
        let (approving, mut said) = confirmed(discord, PLANNED).await;
        for (name, label) in [("ana", "Approve"), ("uma", "Approve"), ("sue", "Approve"), ("ben", "Approve")]
        {
            said += &answered(name, discord.person(name).presses(&approving, label).unwrap()).await;
        }
        let done = card(discord, "succeeded · run 1").await;
        assert_eq!(done.id, approving.id, "one card from start to end");
        discord.until_says(THREAD, "Run 1 succeeded").await;
        let record = answered("ben", discord.person("ben").presses(&done, "Journal").unwrap()).await;
        assert!(record.contains("ben  approved") && record.contains("Promote pg2"), "{record}");
        (done, said)
    });

    let report = application.ends_on(&ground.lab, "pg2");
    assert_eq!(report.lost, [0; 0], "{report:?}");
    ground.is_moved(&bot);
    let states = film.states();
    let all = shown_on(discord, done.id);
    assert!(all.len() >= 2 && all.last().unwrap().contains("succeeded · run 1"), "{all:?}");
    for shown in all {
        assert!(
            states.iter().any(|state| is_shown(state, &shown)),
            "{shown}\nis no state of:\n{}",
            states.join("\n")
        );
    }
    reads(
        "discord-planned",
        &[("the card", states.join("\n")), ("the thread", told_in_thread(discord)), ("answers", said)],
    );
    assert!(discord.most_edits_in_a_second() <= 1);
    assert_eq!(bot.chat.health().not_understood, 0);
    bot.ends();
    discord.assert_clean();
}

/// Whether a card on Discord is this state. How long something works is seen between two events too.
fn is_shown(state: &str, shown: &str) -> bool {
    let bar = Regex::new("   bar #[0-9A-F]{6}").unwrap();
    let words = |text: &str| {
        let text = bar.replace_all(text, "").replace("text     ", "").replace("N s", "");
        text.split_whitespace().collect::<String>()
    };
    words(state).contains(&words(shown))
}

#[test]
fn a_dead_primary_is_replaced_when_those_who_are_asked_say_so_on_discord() {
    let (ground, bot) = Ground::of(Lab::up(Spec::default().synchronous()).unwrap());
    let (discord, film) = (&ground.discord, Film::of(&bot));
    ground.lab.host("pg1").freeze().unwrap();
    noticed_by_the_replicas(&ground.lab);

    let said = ground.outside.block_on(async {
        let (approving, mut said) = confirmed(discord, DEAD).await;
        said += &answered("ben", discord.person("ben").presses(&approving, "Approve").unwrap()).await;
        let asked = discord.until_says(THREAD, "[Go on|primary]").await;
        assert_eq!(asked.pings, ["ana", "cleo"], "on-call and commander are asked");
        card(discord, "https://discord.com/…/run 1").await;
        said += &answered("ben", discord.person("ben").in_channel(THREAD).presses(&asked, "Go on").unwrap())
            .await;
        said +=
            &answered("cleo", discord.person("cleo").in_channel(THREAD).presses(&asked, "Go on").unwrap())
                .await;
        let done = card(discord, "succeeded · run 1").await;
        assert!(!done.says("https://"), "{done}");
        assert_eq!(done.id, approving.id);
        discord.until_says(THREAD, "Run 1 succeeded").await;
        said
    });

    ground.is_moved(&bot);
    reads(
        "discord-dead",
        &[("the card", film.states().join("\n")), ("the thread", told_in_thread(discord)), ("answers", said)],
    );
    assert!(discord.most_edits_in_a_second() <= 1);
    bot.ends();
    discord.assert_clean();
}

#[test]
fn with_the_gateway_cut_in_the_middle_it_goes_on_and_a_press_of_meanwhile_counts() {
    let (ground, bot) = Ground::of(Lab::up(Spec::default()).unwrap());
    let discord = &ground.discord;
    let mut events = bot.engine.follow();

    ground.outside.block_on(async {
        let (approving, _) = confirmed(discord, PLANNED).await;
        discord.person("ben").presses(&approving, "Approve").unwrap().reply().await;
        while !matches!(events.recv().await.unwrap().stamped.event, Event::StepSent { .. }) {}
        discord.cuts_gateway();
        // It is told when the session is resumed.
        discord.person("ana").types("/pause run=1").unwrap().reply().await;
        let paused = discord.until_says(THREAD, "[Resume|primary]").await;
        discord.person("ana").in_channel(THREAD).presses(&paused, "Resume").unwrap().reply().await;
        let done = card(discord, "succeeded · run 1").await;
        assert_eq!(done.id, approving.id);
        discord
            .until_within("it listens", Duration::from_secs(30), |it| (it.listening() == 1).then_some(()))
            .await;
    });

    ground.is_moved(&bot);
    assert_eq!(bot.chat.health().not_understood, 0);
    bot.ends();
}

#[test]
fn killed_between_approval_and_first_step_it_goes_on_with_the_same_card() {
    let (ground, bot) = Ground::of(Lab::up(Spec::default()).unwrap());
    let discord = &ground.discord;
    let all = ["pg1", "pg2", "pg3"].map(|name| ground.lab.host(name));
    let (approving, _) = ground.outside.block_on(confirmed(discord, PLANNED));
    let mut events = bot.engine.follow();
    ground.outside.block_on(async {
        // Before the first step everything is measured again, and no host answers.
        for host in &all {
            host.cut_ssh().unwrap();
        }
        discord.person("ben").presses(&approving, "Approve").unwrap();
        while events.recv().await.unwrap().run.approvals.is_empty() {}
    });
    assert!(bot.engine.run(RunId(1)).unwrap().started.is_none());
    bot.dies();
    for host in &all {
        host.heal().unwrap();
    }

    let bot = Bot::starts(&ground.lab, discord);

    let done = ground.outside.block_on(card(discord, "succeeded · run 1"));
    assert_eq!(done.id, approving.id);
    assert_eq!(discord.messages("ops").len(), 1, "{}", discord.shows("ops"));
    ground.is_moved(&bot);
    bot.ends();
}

#[test]
fn with_discord_down_for_the_whole_run_it_ends_well_and_is_summed_up_once() {
    let (ground, bot) = Ground::of(Lab::up(Spec::default()).unwrap());
    let application = Application::of(&ground.lab, "pg1");
    let discord = &ground.discord;
    let mut events = bot.engine.follow();
    let (approving, before) = ground.outside.block_on(async {
        let (approving, _) = confirmed(discord, PLANNED).await;
        discord.until_says(THREAD, "must approve").await;
        let before = discord.messages(THREAD).len();
        discord.goes_down();
        let digest = bot.engine.run(RunId(1)).unwrap().digest().unwrap().short().to_owned();
        bot.engine.say(&speaker("ben"), RunId(1), ToRun::Approve { digest, step: None }).await.unwrap();
        // The run neither waits nor pauses.
        let ends = async {
            loop {
                let happened = events.recv().await.unwrap();
                assert!(happened.run.pause.is_none(), "{happened:?}");
                if happened.ended {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(2), ends).await.expect("no run waits for Discord");
        (approving, before)
    });
    assert!(matches!(bot.engine.run(RunId(1)).unwrap().phase, Phase::Ended(_)));
    let report = application.ends_on(&ground.lab, "pg2");
    assert_eq!(report.lost, [0; 0], "{report:?}");
    let health = || bot.chat.health();
    let is_told = |_: &Discord| (!health().connected && health().last_trouble.is_some()).then_some(());
    ground.outside.block_on(async {
        // Nothing rings on a Discord that is down.
        for _ in 0..200 {
            if is_told(discord).is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("that chat is away is not said: {:?}", health());
    });

    discord.comes_up();

    ground.outside.block_on(async {
        let done = card(discord, "succeeded · run 1").await;
        assert_eq!(done.id, approving.id);
        let summary = discord.until_says(THREAD, "Chat was away").await;
        let after: Vec<Seen> = discord.messages(THREAD).into_iter().skip(before).collect();
        assert_eq!(after.len(), 1, "one summary:\n{}", discord.shows(THREAD));
        assert!(summary.pings.is_empty() && summary.is_silent, "{summary}");
        reads("discord-away", &[("the summary", summary.to_string())]);
    });
    ground.is_moved(&bot);
    bot.ends();
}
