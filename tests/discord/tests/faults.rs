//! What goes wrong on purpose with requests, seen through serenity.

use std::time::{Duration, Instant};

use discord::{Discord, Fault};
use serde_json::json;
use serenity::all::*;

use crate::bot::http;
use crate::rest::Caller;

/// Status and code of what serenity reports.
fn status(wrong: &serenity::Error) -> Option<u16> {
    match wrong {
        serenity::Error::Http(wrong) => wrong.status_code().map(|status| status.as_u16()),
        _ => None,
    }
}

async fn say(http: &Http, discord: &Discord) -> Result<Message, serenity::Error> {
    ChannelId::new(discord.channel_id("ops")).say(http, "x").await
}

#[tokio::test]
async fn who_is_limited_stays_away_until_told() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    let after = Duration::from_millis(90_500);
    discord.fails(1, "POST", "/messages", Fault::RateLimited { after, global: false });

    let limited = caller.request("POST", &path).json(&json!({"content": "x"})).send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"91".parse().unwrap()));
    let body: serde_json::Value = limited.json().await.unwrap();
    assert_eq!((&body["retry_after"], &body["global"]), (&json!(90.5), &json!(false)));
    assert_eq!(caller.call("POST", &path, json!({"content": "x"})).await.0, 429, "too early");
    assert_eq!(caller.call("GET", "/users/@me", json!(null)).await.0, 200, "another route");
    assert_eq!(discord.impatient().len(), 1);
    discord.passes(Duration::from_secs(91));
    assert_eq!(caller.call("POST", &path, json!({"content": "x"})).await.0, 200);

    discord.fails(1, "*", "", Fault::RateLimited { after, global: true });
    assert_eq!(caller.call("GET", "/users/@me", json!(null)).await.0, 429);
    assert_eq!(caller.call("POST", &path, json!({"content": "x"})).await.0, 429, "all routes");
    discord.heals();
    assert_eq!(caller.call("GET", "/users/@me", json!(null)).await.0, 200);
    assert!(discord.refusals().is_empty(), "a fault is no refusal");
}

#[tokio::test]
async fn answers_break_and_are_slow() {
    let discord = Discord::start().await;
    let http = http(&discord);
    discord.fails(2, "POST", "/messages", Fault::Status(503));
    for _ in 0..2 {
        assert_eq!(status(&say(&http, &discord).await.unwrap_err()), Some(503));
    }
    assert!(discord.messages("ops").is_empty());

    discord.fails(1, "POST", "/messages", Fault::Slow(Duration::from_millis(300)));
    let begun = Instant::now();
    say(&http, &discord).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(discord.messages("ops").len(), 1);
}

#[tokio::test]
async fn connections_end_before_and_after_the_deed() {
    let discord = Discord::start().await;
    let http = http(&discord);

    discord.fails(1, "POST", "/messages", Fault::Cut);
    assert_eq!(status(&say(&http, &discord).await.unwrap_err()), None, "no answer at all");
    assert!(discord.messages("ops").is_empty());

    discord.fails(1, "POST", "/messages", Fault::AnswerLost);
    assert_eq!(status(&say(&http, &discord).await.unwrap_err()), None);
    assert_eq!(discord.messages("ops").len(), 1, "it was done");
    assert_eq!(discord.requests().last().unwrap().status, 0);
    say(&http, &discord).await.unwrap();
}

#[tokio::test]
async fn discord_goes_down_and_comes_up() {
    let discord = Discord::start().await;
    let http = http(&discord);
    say(&http, &discord).await.unwrap();

    discord.goes_down();
    for _ in 0..3 {
        assert_eq!(status(&say(&http, &discord).await.unwrap_err()), None);
    }
    discord.comes_up();
    say(&http, &discord).await.unwrap();
    assert_eq!(discord.messages("ops").len(), 2);
}
