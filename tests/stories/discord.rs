//! Two people on Discord fail a real cluster over: a strict fake Discord, real hosts, and nothing in between but the bot.

use std::sync::Arc;
use std::time::Duration;

use discord::{Discord, Seen};
use lab::{Lab, Spec};
use regex_lite::Regex;
use secrecy::zeroize::Zeroizing;
use steadyhand::chat::desk::Desk;
use steadyhand::chat::discord::{self as chat, Messages, Settings};
use steadyhand::config::Config;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, Planner};
use steadyhand::journal::{Journal, OpenError};
use steadyhand::library::Library;
use steadyhand::run::RunId;
use steadyhand::secrets::Secret;
use steadyhand::target::Target;
use steadyhand::target::ssh::Ssh;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::witness::Application;

/// The whole bot, on a runtime of its own, so that it can be killed.
struct Bot {
    engine: Engine,
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
    let (server, channel) = (discord.guild_id(), discord.channel_id("ops"));
    let door =
        format!("doors: {{ console: {{}}, discord: {{ server: \"{server}\", channels: [\"{channel}\"] }} }}");
    std::fs::write(&path, text.replace("doors: { console: {} }", &door)).unwrap();
}

impl Bot {
    fn starts(lab: &Lab, discord: &Discord) -> Self {
        let runtime = runtime();
        let config = Config::load(Some(&lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        let settings = Settings {
            token: Secret::new("discord", Zeroizing::new(discord.token().into_bytes())).unwrap(),
            messages: Messages::Mention,
            api: Some(discord.url()),
        };
        let ending = CancellationToken::new();
        let (engine, chat) = runtime.block_on(async {
            let journal = loop {
                match Journal::open(&config.journal, true) {
                    // The writer of a bot that was killed lets go of the file a moment later.
                    Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
                    opened => break opened.unwrap(),
                }
            };
            let library = Arc::new(Library::new(config.folders.clone()));
            let target = Arc::new(Ssh::new(config.ssh.clone()).unwrap()) as Arc<dyn Target>;
            let clock = Clock::System;
            let view = journal.view().clone();
            let (zone, dice) = (config.time_zone.clone(), Dice::random());
            let started =
                Engine::start(journal, library.clone(), target.clone(), clock.clone(), dice, zone.clone());
            let engine = started.await.unwrap();
            let planner = Planner { library, target, clock: clock.clone() };
            let desk =
                Desk { engine: Some(engine.clone()), planner, journal: Some(view), clock, zone, demo: true };
            (engine, chat::start(settings, desk, ending.clone()).unwrap())
        });
        Self { engine, chat, ending, runtime }
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

async fn card(discord: &Discord, says: &str) -> Seen {
    let look = |discord: &Discord| discord.messages("ops").into_iter().rev().find(|seen| seen.says(says));
    discord.until_within(&format!("a card that says `{says}`"), Duration::from_secs(120), look).await
}

/// ana asks for a switchover, reads the plan back and confirms it; the card that ben can approve.
async fn confirmed(discord: &Discord) -> Seen {
    discord.until_ready().await;
    let ana = discord.person("ana");
    let line =
        "/run failover-database cluster=orders candidate=pg2 mode=planned reason=\"move to the new rack\"";
    let asked = ana.types(line).unwrap();
    let offered = card(discord, "[Confirm…|primary]").await;
    assert!(asked.reply().await.says("stands in this channel"));
    let token = Regex::new(r"confirm \d+ (orders-[a-z0-9]+)").unwrap();
    let token = token.captures(&offered.text()).unwrap()[1].to_owned();
    let form = ana.presses(&offered, "Confirm…").unwrap().modal().await;
    form.submit(&[("said", &token)]).unwrap().reply().await;
    card(discord, "[Approve|success]").await
}

#[test]
#[ignore = "written, and not seen to pass yet"]
fn two_people_on_discord_move_a_real_primary_and_lose_nothing() {
    let lab = Lab::up(Spec::default()).unwrap();
    let application = Application::of(&lab, "pg1");
    let outside = runtime();
    let discord = outside.block_on(Discord::start());
    opens_the_door(&lab, &discord);
    let bot = Bot::starts(&lab, &discord);

    outside.block_on(async {
        let approving = confirmed(&discord).await;
        discord.person("ben").presses(&approving, "Approve").unwrap().reply().await;
        let done = card(&discord, "succeeded · run 1").await;
        assert_eq!(done.id, approving.id, "one card from start to end");
    });

    let report = application.ends_on(&lab, "pg2");
    assert_eq!(report.lost, [0; 0], "{report:?}");
    assert!(discord.most_edits_in_a_second() <= 1);
    let slowest = discord.first_responses().into_iter().filter_map(|(_, took)| took).max().unwrap();
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert_eq!(bot.chat.health().not_understood, 0);
    bot.ends();
    discord.assert_clean();
}

#[test]
#[ignore = "written, and not seen to pass yet"]
fn killed_between_approval_and_first_step_it_goes_on_with_the_same_card() {
    let lab = Lab::up(Spec::default()).unwrap();
    let outside = runtime();
    let discord = outside.block_on(Discord::start());
    opens_the_door(&lab, &discord);
    let bot = Bot::starts(&lab, &discord);
    let approving = outside.block_on(confirmed(&discord));
    let mut events = bot.engine.follow();
    discord.person("ben").presses(&approving, "Approve").unwrap();
    outside.block_on(async {
        // The agreement is recorded; the first step is not sent.
        while events.recv().await.unwrap().run.approvals.is_empty() {}
    });
    assert!(bot.engine.run(RunId(1)).unwrap().started.is_none());
    bot.dies();

    let bot = Bot::starts(&lab, &discord);

    let done = outside.block_on(card(&discord, "succeeded · run 1"));
    assert_eq!(done.id, approving.id);
    assert_eq!(lab.host("pg2").sql("select pg_is_in_recovery()").unwrap(), "f");
    bot.ends();
}
