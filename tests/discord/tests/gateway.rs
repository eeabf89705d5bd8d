//! The gateway: sessions that are lost and go on, events that are repeated, held back, or make no sense.

use std::time::Duration;

use discord::{Discord, Happening, Release};
use serde_json::json;
use serenity::all::*;

use crate::bot::{Bot, all_intents, eventually, http};

fn resumed(discord: &Discord) -> Vec<usize> {
    let log = discord.gateway_log();
    let missed = log.iter().filter_map(|it| match it {
        Happening::Resumed { missed } => Some(*missed),
        _ => None,
    });
    missed.collect()
}

fn identified(discord: &Discord) -> usize {
    discord.gateway_log().iter().filter(|it| matches!(it, Happening::Identified { .. })).count()
}

fn texts(bot: &Bot) -> Vec<String> {
    let events = bot.events();
    let texts = events.iter().filter_map(|event| match event {
        Event::MessageCreate(it) => Some(it.message.content.clone()),
        _ => None,
    });
    texts.collect()
}

#[tokio::test]
async fn a_client_that_is_asked_to_reconnect_resumes() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    eventually("the guild", || bot.heard().contains(&"GUILD_CREATE".to_owned()).then_some(())).await;

    discord.asks_to_reconnect();
    discord.until("a resume", |it| (resumed(it).len() == 1).then_some(())).await;

    assert_eq!(identified(&discord), 1);
    discord.person("ana").writes("still there?").unwrap();
    eventually("the message", || texts(&bot).contains(&"still there?".to_owned()).then_some(())).await;
}

#[tokio::test]
async fn what_was_missed_is_told_after_a_resume() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    eventually("the guild", || bot.heard().contains(&"GUILD_CREATE".to_owned()).then_some(())).await;

    discord.cuts_gateway();
    discord.until("nobody listens", |it| (it.listening() == 0).then_some(())).await;
    discord.person("ana").writes("one").unwrap();
    discord.person("ana").writes("two").unwrap();
    discord.until("a resume", |it| (resumed(it).len() == 1).then_some(())).await;

    eventually("both", || (texts(&bot) == ["one", "two"]).then_some(())).await;
    assert_eq!(resumed(&discord), [2]);
    assert!(bot.heard().contains(&"RESUMED".to_owned()));
}

#[tokio::test]
async fn a_session_that_is_invalid_begins_anew() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    eventually("the guild", || bot.heard().contains(&"GUILD_CREATE".to_owned()).then_some(())).await;

    discord.invalidates_sessions(false);
    discord.until("a new session", |it| (identified(it) == 2).then_some(())).await;

    discord.person("ana").writes("again").unwrap();
    eventually("the message", || (texts(&bot) == ["again"]).then_some(())).await;
}

#[tokio::test]
async fn a_session_that_was_forgotten_cannot_be_resumed() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    eventually("the guild", || bot.heard().contains(&"GUILD_CREATE".to_owned()).then_some(())).await;

    discord.cuts_gateway();
    discord.until("nobody listens", |it| (it.listening() == 0).then_some(())).await;
    discord.passes(Duration::from_mins(10));
    discord.until("a new session", |it| (identified(it) == 2).then_some(())).await;

    assert!(discord.gateway_log().contains(&Happening::NotResumed));
}

#[tokio::test]
async fn a_client_comes_back_when_discord_does() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    eventually("the guild", || bot.heard().contains(&"GUILD_CREATE".to_owned()).then_some(())).await;

    discord.goes_down();
    discord.until("nobody listens", |it| (it.listening() == 0).then_some(())).await;
    discord.person("ana").writes("missed").unwrap();
    discord.comes_up();

    discord
        .until_within("somebody listens", Duration::from_mins(1), |it| (it.listening() == 1).then_some(()))
        .await;
    discord.person("ana").writes("heard").unwrap();
    eventually("the message", || texts(&bot).contains(&"heard".to_owned()).then_some(())).await;
}

#[tokio::test]
async fn a_gateway_is_away_while_requests_are_answered() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    eventually("the guild", || bot.heard().contains(&"GUILD_CREATE".to_owned()).then_some(())).await;

    discord.refuses_gateway(true);
    discord.cuts_gateway();
    discord.until("nobody listens", |it| (it.listening() == 0).then_some(())).await;
    let asked = discord.person("ana").types("/ping").unwrap();
    assert!(bot.http.get_current_user().await.is_ok());
    assert_eq!(asked.took(), None);
    discord.refuses_gateway(false);

    discord
        .until_within("somebody listens", Duration::from_mins(1), |it| (it.listening() == 1).then_some(()))
        .await;
}

#[tokio::test]
async fn who_sends_no_heartbeat_is_closed() {
    let discord = Discord::start().await;
    discord.wants_heartbeats_every(Duration::from_millis(100));
    let _bot = Bot::start(&discord).await;
    // serenity looks every half second, and so is late.
    discord
        .until("a close", |it| it.gateway_log().contains(&Happening::Closed { code: 4009 }).then_some(()))
        .await;
}

#[tokio::test]
async fn a_client_leaves_a_gateway_that_acknowledges_nothing() {
    let discord = Discord::start().await;
    discord.wants_heartbeats_every(Duration::from_secs(1));
    discord.acknowledges_heartbeats(false);
    let _bot = Bot::start(&discord).await;

    // serenity does not resume then.
    discord.until("a new session", |it| (identified(it) >= 2).then_some(())).await;
}

#[tokio::test]
async fn intents_decide_what_is_told() {
    let discord = Discord::start().await;
    let intents = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
    let bot = Bot::start_with(&discord, intents).await;
    let ana = discord.person("ana");

    ana.writes("hidden").unwrap();
    ana.writes("@steadyhand help").unwrap();
    ana.in_direct().writes("alone").unwrap();
    ana.gets_role("dba");
    ana.writes("last").unwrap();

    let four = || (texts(&bot).len() == 4).then(|| texts(&bot));
    let texts = eventually("four messages", four).await;
    let id = discord.application_id();
    assert_eq!(texts, [String::new(), format!("<@{id}> help"), "alone".to_owned(), String::new()]);
    assert!(!bot.heard().contains(&"GUILD_MEMBER_UPDATE".to_owned()));
}

#[tokio::test]
async fn events_are_repeated_held_back_and_turned_around() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    let ana = discord.person("ana");

    discord.repeats_next("MESSAGE_CREATE");
    ana.writes("one").unwrap();
    ana.writes("two").unwrap();
    eventually("three", || (texts(&bot) == ["one", "one", "two"]).then_some(())).await;

    discord.holds_events();
    ana.writes("three").unwrap();
    ana.writes("four").unwrap();
    discord.releases_events(Release::Backwards);
    ana.writes("five").unwrap();
    eventually("all", || (texts(&bot) == ["one", "one", "two", "four", "three", "five"]).then_some(())).await;

    let silent = ana.types("/silent").unwrap();
    silent.is_told_again();
    let told = || {
        let ids: Vec<u64> = bot
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::InteractionCreate(it) => Some(it.interaction.id().get()),
                _ => None,
            })
            .collect();
        (ids == [silent.id(), silent.id()]).then_some(())
    };
    eventually("the same twice", told).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_unknown_to_a_client() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;

    discord.says("INTERACTION_CREATE", json!({"id": "nonsense"}));
    discord.says("SOMETHING_NEW", json!({}));
    discord.person("ana").writes("on").unwrap();

    eventually("the message after", || texts(&bot).contains(&"on".to_owned()).then_some(())).await;
    assert_eq!(identified(&discord), 1, "the connection goes on");
}

#[tokio::test]
async fn who_may_not_listen_is_closed() {
    let discord = Discord::start().await;
    discord.grants_privileged_intents(false);
    let own = HttpBuilder::new(discord.token()).proxy(discord.url()).ratelimiter_disabled(true);
    let mut client = ClientBuilder::new_with_http(own.build(), all_intents()).await.unwrap();
    let wrong = client.start().await.unwrap_err();
    assert!(matches!(wrong, serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents)), "{wrong:?}");

    // A client asks with a token that is revoked meanwhile.
    let token = discord.token();
    let stale = http_of(&discord, &token);
    discord.revokes_token();
    assert!(stale.get_current_user().await.is_err());
    assert!(discord.gateway_log().contains(&Happening::Closed { code: 4014 }));
    http(&discord).get_current_user().await.unwrap();
}

fn http_of(discord: &Discord, token: &str) -> Http {
    HttpBuilder::new(token).proxy(discord.url()).ratelimiter_disabled(true).build()
}
