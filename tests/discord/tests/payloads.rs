//! Everything that the fake says can be read by serenity's own types.

use discord::Discord;
use serde_json::Value;
use serenity::all::*;

use crate::bot::Bot;

async fn get(discord: &Discord, path: &str) -> Value {
    let url = format!("{}/api/v10{path}", discord.url());
    let request = reqwest::Client::new().get(url).header("authorization", format!("Bot {}", discord.token()));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    let shown = format!("{value:#}");
    serde_json::from_value(value).unwrap_or_else(|why| panic!("{why}: {shown}"))
}

#[tokio::test]
async fn every_kind_of_interaction_is_understood() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let ana = discord.person("ana");

    let command = ana.types("/run failover cluster=orders who=ben").unwrap();
    let card = command.reply().await;
    let interaction: Interaction = read(command.payload());
    let Interaction::Command(command) = interaction else { panic!("a command was expected") };
    assert_eq!(command.user.name, "ana");
    assert_eq!(command.data.resolved.users.len(), 1);

    let completion = ana.completes("run failover", "cluster", "o").unwrap();
    assert!(matches!(read(completion.payload()), Interaction::Autocomplete(_)));

    let press = ana.presses(&card, "Why…").unwrap();
    let Interaction::Component(component) = read(press.payload()) else { panic!("a press was expected") };
    assert_eq!(component.message.id.get(), card.id);

    let form = press.modal().await.submit(&[("reason", "a good reason")]).unwrap();
    assert!(matches!(read(form.payload()), Interaction::Modal(_)));

    let forged = ana.forges_modal("any", &[("reason", "none")], None);
    assert!(matches!(read(forged.payload()), Interaction::Modal(_)));

    discord.person("ben").presses(&card, "Confirm").unwrap();
    discord.until_says("run 1", "step 1").await;
    let within = ana.in_channel("run 1").types("/ping").unwrap();
    let Interaction::Command(within) = read(within.payload()) else { panic!("a command was expected") };
    assert_eq!(within.channel_id.get(), card.id, "a thread has the id of its message");

    let alone = ana.in_direct().types("/ping").unwrap();
    let Interaction::Command(alone) = read(alone.payload()) else { panic!("a command was expected") };
    assert_eq!((alone.guild_id, alone.user.name.as_str()), (None, "ana"));
}

#[tokio::test]
async fn what_is_looked_up_is_understood() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    let (guild, ops, ana) = (discord.guild_id(), discord.channel_id("ops"), discord.person("ana"));
    let written = ana.writes("hello @ben in #incidents").unwrap();
    ana.replies(&written, "me again").unwrap();

    read::<CurrentUser>(get(&discord, "/users/@me").await);
    read::<CurrentApplicationInfo>(get(&discord, "/oauth2/applications/@me").await);
    read::<CurrentApplicationInfo>(get(&discord, "/applications/@me").await);
    read::<BotGateway>(get(&discord, "/gateway/bot").await);
    read::<PartialGuild>(get(&discord, &format!("/guilds/{guild}?with_counts=true")).await);
    let channels: Vec<GuildChannel> = read(get(&discord, &format!("/guilds/{guild}/channels")).await);
    assert_eq!(channels.len(), 4);
    read::<Vec<Role>>(get(&discord, &format!("/guilds/{guild}/roles")).await);
    let members = bot.http.get_guild_members(guild.into(), Some(1_000), None).await.unwrap();
    assert_eq!(members.len(), 8, "six people, the bot and another bot");
    bot.http.get_member(guild.into(), ana.id().into()).await.unwrap();
    bot.http.get_user(ana.id().into()).await.unwrap();
    read::<Channel>(get(&discord, &format!("/channels/{ops}")).await);
    let messages: Vec<Message> = read(get(&discord, &format!("/channels/{ops}/messages")).await);
    assert_eq!(messages[0].content, "me again");
    assert_eq!(messages[0].referenced_message.as_ref().unwrap().id.get(), written.id);
    assert_eq!(messages[1].mentions[0].name, "ben");
    let app = discord.application_id();
    read::<Vec<Command>>(get(&discord, &format!("/applications/{app}/commands")).await);
    let direct =
        bot.http.create_private_channel(&serde_json::json!({"recipient_id": ana.id().to_string()})).await;
    assert_eq!(direct.unwrap().recipient.name, "ana");
    discord.assert_clean();
}

#[tokio::test]
async fn every_event_is_understood() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    let (ana, ops) = (discord.person("ana"), ChannelId::new(discord.channel_id("ops")));
    let http = &bot.http;

    let written = ana.writes("hello").unwrap();
    ana.edits(&written, "hello again").unwrap();
    ana.reacts(&written, "👍");
    discord.person("alerts").writes("disk full").unwrap();
    ana.in_direct().writes("between us").unwrap();
    ana.gets_role("dba");
    ana.is_nicknamed("boss");
    discord.person("uma").leaves();
    discord.add_person("new", &["dba"]);
    discord.add_role("guest");
    discord.add_channel("later");
    let thread =
        ops.create_thread(http, CreateThread::new("talk").kind(ChannelType::PublicThread)).await.unwrap();
    thread.id.add_thread_member(http, ana.id().into()).await.unwrap();
    thread.id.edit_thread(http, EditThread::new().name("talk 2").locked(true)).await.unwrap();
    let mut own = thread.id.say(http, "<@1> hello").await.unwrap();
    let edit = EditMessage::new().content("hello").embed(CreateEmbed::new().title("x")).components(vec![]);
    own.edit(http, edit).await.unwrap();
    own.react(http, '👍').await.unwrap();
    ops.broadcast_typing(http).await.unwrap();
    own.pin(http).await.unwrap();
    own.delete(http).await.unwrap();
    let purged = thread.id.say(http, "purged").await.unwrap();
    discord.purges_messages("talk 2", &[purged.id.get()]);
    discord.takes_right("ops", discord::Permission::SendMessages);
    discord.deletes_channel("talk 2");
    discord.deletes_channel("later");
    discord.removes_bot();
    discord.invites_bot();

    let wanted = [
        "READY",
        "GUILD_CREATE",
        "GUILD_DELETE",
        "MESSAGE_CREATE",
        "MESSAGE_UPDATE",
        "MESSAGE_DELETE",
        "MESSAGE_DELETE_BULK",
        "MESSAGE_REACTION_ADD",
        "GUILD_MEMBER_UPDATE",
        "GUILD_MEMBER_REMOVE",
        "GUILD_MEMBER_ADD",
        "GUILD_ROLE_CREATE",
        "CHANNEL_CREATE",
        "CHANNEL_UPDATE",
        "CHANNEL_DELETE",
        "CHANNEL_PINS_UPDATE",
        "THREAD_CREATE",
        "THREAD_UPDATE",
        "THREAD_DELETE",
        "THREAD_MEMBERS_UPDATE",
    ];
    let told = |_: &Discord| {
        let heard = bot.heard();
        (heard.iter().filter(|name| *name == "GUILD_CREATE").count() == 2).then_some(heard)
    };
    let heard = crate::bot::eventually("all events", || told(&discord)).await;
    for name in wanted {
        assert!(heard.iter().any(|it| it == name), "{name} is missing in {heard:?}");
    }
    assert!(!heard.contains(&"UNKNOWN".to_owned()), "{heard:?}");
    let hook = |event: &Event| matches!(event, Event::MessageCreate(it) if it.message.webhook_id.is_some());
    assert!(bot.events().iter().any(hook));
    bot.stop().await;
}
