//! How people see things: names instead of ids, menus, and the lines of a script.

use discord::{Discord, Script};
use insta::assert_snapshot;
use serde_json::json;
use serenity::all::{ComponentInteractionDataKind, Interaction};

use crate::bot::Bot;
use crate::rest::Caller;

#[tokio::test]
async fn ids_and_times_are_shown_as_people_see_them() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let (ops, ana, dba) = (discord.channel_id("ops"), discord.person("ana").id(), discord.role_id("dba"));
    let link = format!("https://discord.com/channels/{}/{ops}/{ana}", discord.guild_id());
    let content = format!(
        "<@{ana}> <@!{ana}> <@&{dba}> <#{ops}> <t:1794967932:R> <t:1794967932> <@1> a < b <b> {link}."
    );
    let body = json!({"content": content, "flags": 4096, "allowed_mentions": {"parse": [], "users": [ana]}, "embeds": [{
        "description": "one\ntwo",
        "fields": [{"name": "Now", "value": format!("<#{ops}>")}],
    }]});
    let sent = caller.call("POST", &format!("/channels/{ops}/messages"), body).await.1;
    let sent = sent["id"].as_str().unwrap();
    caller.call("PUT", &format!("/channels/{ops}/pins/{sent}"), json!(null)).await;
    discord.person("ben").reacts(&discord.newest("ops").unwrap(), "👍");
    discord.person("ben").writes("hm").unwrap();
    let plain = json!({"content": "no card", "flags": 4, "embeds": [{"title": "x"}], "allowed_mentions": {"parse": []}});
    caller.call("POST", &format!("/channels/{ops}/messages"), plain).await;
    let reply = json!({"content": "yes", "message_reference": {"message_id": sent}});
    caller.call("POST", &format!("/channels/{ops}/messages"), reply).await;

    assert_snapshot!(discord.shows("ops"), @r"
    steadyhand (silent) (pinned) (pings ana)
      @ana @ana @dba #ops <t:…:R> <t:…:f> <@1> a < b <b> https://discord.com/…/ops.
      | (no title)
      | one
      | two
      | - Now
      |   #ops
      reactions: 👍

    ben
      hm

    steadyhand
      no card

    steadyhand (reply) (pings steadyhand)
      yes
    ");
}

#[tokio::test]
async fn menus_are_chosen_from() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let menu = json!({"type": 3, "custom_id": "which", "placeholder": "Which host?", "options": [
        {"label": "the first", "value": "pg1"}, {"label": "the second", "value": "pg2"},
    ]});
    let body = json!({"content": "x", "components": [{"type": 1, "components": [menu]}]});
    caller.call("POST", &format!("/channels/{}/messages", discord.channel_id("ops")), body).await;
    let (ana, message) = (discord.person("ana"), discord.newest("ops").unwrap());

    assert!(ana.selects(&message, "Which host?", &["the third"]).is_err());
    assert!(ana.presses(&message, "Which host?").is_err());
    let asked = ana.selects(&message, "Which host?", &["the second"]).unwrap();

    let Interaction::Component(chosen) = serde_json::from_value(asked.payload()).unwrap() else {
        panic!("a choice was expected");
    };
    let ComponentInteractionDataKind::StringSelect { values } = chosen.data.kind else {
        panic!("a menu was expected");
    };
    assert_eq!(values, ["pg2"]);
}

#[tokio::test]
async fn a_script_plays_lines() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let mut script = Script::new(discord.clone());

    let mut told = String::new();
    for line in [
        "# a comment",
        "ben in ops: hello @ana",
        "ana in ops: /form",
        "ana fills in reason=\"a good reason\"",
        "ana in ops: /run failover",
        "ben in ops presses Nothing",
        "show ops to ana",
        "fly",
    ] {
        let said = script.play(line).await.unwrap_or_else(|why| format!("cannot: {why}\n"));
        told += &["> ", line, "\n", &said].concat();
        if !told.ends_with('\n') {
            told.push('\n');
        }
    }

    assert_snapshot!(told, @r#"
    > # a comment
    > ben in ops: hello @ana
    > ana in ops: /form
    form `Say why`: [Why?*: ]
    > ana fills in reason="a good reason"
    steadyhand (only ana sees it)
      Because: a good reason
    > ana in ops: /run failover
    cannot: `cluster` is required
    > ben in ops presses Nothing
    cannot: nothing in ops has a button `Nothing`
    > show ops to ana
    ben (pings ana)
      hello @ana

    steadyhand (only ana sees it)
      Because: a good reason
    > fly
    cannot: `fly` is not understood. Next: help
    "#);
}
