//! Messages in channels.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply};
use crate::limits;
use crate::message::Message;
use crate::permission::Permission;
use crate::refusal::Refusal;
use crate::rules::messages::{CREATE, EDIT};
use crate::sessions::{DIRECT_MESSAGES, GUILD_MESSAGES, REACTIONS};
use crate::shape::snowflake;
use crate::world::World;

pub(super) fn create(world: &mut World, call: &Call, channel: u64) -> Answer {
    let place = world.open(channel)?;
    let write = if place.is_thread() { Permission::SendMessagesInThreads } else { Permission::SendMessages };
    let mut rights = vec![write];
    let filled = |name: &str| call.body[name].as_array().is_some_and(|list| !list.is_empty());
    if filled("embeds") {
        rights.push(Permission::EmbedLinks);
    }
    if !call.files.is_empty() {
        rights.push(Permission::AttachFiles);
    }
    if call.body["message_reference"].is_object() {
        rights.push(Permission::ReadMessageHistory);
    }
    let place = world.open_for(channel, &rights)?;
    let manages = world.bot_rights(place) & Permission::ManageThreads.bit() != 0;
    if place.locked && !manages {
        return Err(Refusal::thread_locked());
    }
    let wakes = place.archived;
    call.asks_only(&[])?;
    call.is_message(CREATE)?;
    if let Some(sent) = already_sent(world, call, channel) {
        return Ok(Reply::with(world.message_json(&sent)));
    }
    let mut message = Message {
        channel,
        author: world.bot,
        nonce: call.body["nonce"].clone(),
        reference: replied_to(world, call, channel)?,
        ..Message::default()
    };
    message.kind = if message.reference.is_some() { 19 } else { 0 };
    world.fill(&mut message, &call.body, &call.files, "")?;
    world.ping(&mut message, &call.body["allowed_mentions"]);
    if wakes {
        // Whoever writes in an archived thread opens it again.
        super::channels::set_archived(world, channel, false);
    }
    let message = world.post(message);
    Ok(Reply::with(world.message_json(&message)))
}

/// The message that this one repeats, if its nonce says so.
fn already_sent(world: &World, call: &Call, channel: u64) -> Option<Message> {
    if call.body["enforce_nonce"] != true {
        return None;
    }
    let oldest = world.clock.now_ms().saturating_sub(limits::NONCE_MS);
    let same = |message: &&Message| {
        message.author == world.bot
            && message.channel == channel
            && message.nonce == call.body["nonce"]
            && message.created_ms >= oldest
    };
    world.messages.values().find(same).cloned()
}

fn replied_to(world: &World, call: &Call, channel: u64) -> Result<Option<u64>, Refusal> {
    let reference = &call.body["message_reference"];
    let Some(id) = snowflake(&reference["message_id"]) else { return Ok(None) };
    let place = snowflake(&reference["channel_id"]).unwrap_or(channel);
    if place == channel && world.message_in(channel, id).is_ok() {
        Ok(Some(id))
    } else if reference["fail_if_not_exists"] == false {
        Ok(None)
    } else {
        Err(Refusal::at("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message"))
    }
}

impl World {
    /// Puts a message into its channel and tells of it. Whoever is named in a thread comes into it.
    pub(crate) fn post(&mut self, mut message: Message) -> Message {
        message.id = self.clock.id();
        message.created_ms = self.clock.now_ms();
        self.messages.insert(message.id, message.clone());
        self.tell_message("MESSAGE_CREATE", &message);
        if self.channels[&message.channel].is_thread() && message.private_to.is_none() {
            for user in message.pings.iter().chain([&message.author]) {
                super::channels::join(self, message.channel, *user);
            }
        }
        message
    }

    /// Stores a changed message and tells of it.
    pub(crate) fn repost(&mut self, mut message: Message) -> Message {
        message.edits_ms.push(self.clock.now_ms());
        self.put(message)
    }

    /// The same without the mark that it was edited.
    pub(crate) fn put(&mut self, message: Message) -> Message {
        self.messages.insert(message.id, message.clone());
        self.tell_message("MESSAGE_UPDATE", &message);
        message
    }

    /// Takes a message away and tells of it.
    pub(crate) fn remove(&mut self, id: u64) {
        let Some(message) = self.messages.remove(&id) else { return };
        if message.private_to.is_some() {
            return;
        }
        let direct = self.channels[&message.channel].is_direct();
        let mut payload = json!({"id": id.to_string(), "channel_id": message.channel.to_string()});
        if !direct {
            payload["guild_id"] = json!(self.guild.to_string());
        }
        self.dispatch("MESSAGE_DELETE", if direct { DIRECT_MESSAGES } else { GUILD_MESSAGES }, payload);
    }
}

pub(super) fn list(world: &World, call: &Call, channel: u64) -> Answer {
    world.open_for(channel, &[Permission::ReadMessageHistory])?;
    call.asks_only(&["limit", "before", "after", "around"])?;
    let (before, after, around) = (call.number("before")?, call.number("after")?, call.number("around")?);
    if [before, after, around].iter().flatten().count() > 1 {
        return Err(Refusal::at(
            "before",
            "BASE_TYPE_CHOICES",
            "before, after and around exclude each other.",
        ));
    }
    let limit = call.number("limit")?.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(Refusal::at("limit", "NUMBER_TYPE_RANGE", "int value should be between 1 and 100."));
    }
    let limit = usize::try_from(limit).unwrap_or(100);
    let all: Vec<&Message> = world
        .messages
        .values()
        .filter(|message| message.channel == channel && message.private_to.is_none())
        .collect();
    let newest_of =
        |ids: &mut dyn Iterator<Item = &Message>| ids.map(|message| message.id).collect::<Vec<_>>();
    let mut ids = match (before, after, around) {
        (Some(before), ..) => newest_of(&mut all.iter().copied().rev().filter(|m| m.id < before).take(limit)),
        (_, Some(after), _) => newest_of(&mut all.iter().copied().filter(|m| m.id > after).take(limit)),
        (.., Some(around)) => {
            let mut near = newest_of(&mut all.iter().copied());
            near.sort_by_key(|id| id.abs_diff(around));
            near.truncate(limit);
            near
        }
        _ => newest_of(&mut all.iter().copied().rev().take(limit)),
    };
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(Reply::with(ids.iter().map(|id| world.message_json(&world.messages[id])).collect()))
}

pub(super) fn get(world: &World, channel: u64, id: u64) -> Answer {
    world.open_for(channel, &[Permission::ReadMessageHistory])?;
    Ok(Reply::with(world.message_json(world.message_in(channel, id)?)))
}

pub(super) fn edit(world: &mut World, call: &Call, channel: u64, id: u64) -> Answer {
    let place = world.open(channel)?;
    let archived = place.archived;
    let mut message = world.message_in(channel, id)?.clone();
    if message.author != world.bot {
        return Err(Refusal::of_another());
    }
    if archived {
        return Err(Refusal::archived());
    }
    call.asks_only(&[])?;
    call.is_message(EDIT)?;
    world.fill(&mut message, &call.body, &call.files, "")?;
    let message = world.repost(message);
    Ok(Reply::with(world.message_json(&message)))
}

pub(super) fn delete(world: &mut World, channel: u64, id: u64) -> Answer {
    let place = world.open(channel)?;
    let (archived, rights) = (place.archived, world.bot_rights(place));
    let message = world.message_in(channel, id)?;
    if message.author != world.bot && rights & Permission::ManageMessages.bit() == 0 {
        return Err(Refusal::missing_permissions());
    }
    if archived {
        return Err(Refusal::archived());
    }
    world.remove(id);
    Ok(Reply::done())
}

pub(super) fn pin(world: &mut World, call: &Call, channel: u64, id: u64) -> Answer {
    world.open_for(channel, &[Permission::ManageMessages])?;
    world.message_in(channel, id)?;
    let pinned = world.messages.values().filter(|message| message.channel == channel && message.pinned);
    if call.method == "PUT" && pinned.count() >= 50 {
        return Err(Refusal::new(400, 30003, "Maximum number of pins reached (50)"));
    }
    if let Some(message) = world.messages.get_mut(&id) {
        message.pinned = call.method == "PUT";
    }
    let payload = json!({
        "guild_id": world.guild.to_string(), "channel_id": channel.to_string(), "last_pin_timestamp": null,
    });
    world.dispatch("CHANNEL_PINS_UPDATE", crate::sessions::GUILDS, payload);
    Ok(Reply::done())
}

pub(super) fn pins(world: &World, channel: u64) -> Answer {
    world.open_for(channel, &[Permission::ReadMessageHistory])?;
    let pinned = world.messages.values().rev().filter(|message| message.channel == channel && message.pinned);
    Ok(Reply::with(pinned.map(|message| world.message_json(message)).collect()))
}

pub(super) fn react(world: &mut World, call: &Call, channel: u64, id: u64, emoji: &str) -> Answer {
    world.open_for(channel, &[Permission::ReadMessageHistory, Permission::AddReactions])?;
    world.message_in(channel, id)?;
    if emoji.is_empty() || emoji.is_ascii() {
        return Err(Refusal::new(400, 10014, "Unknown Emoji"));
    }
    let bot = world.bot;
    world.reacts(bot, id, emoji, call.method == "PUT");
    Ok(Reply::done())
}

impl World {
    /// Puts a reaction under a message, or takes it away.
    pub(crate) fn reacts(&mut self, user: u64, id: u64, emoji: &str, puts: bool) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let own = (emoji.to_owned(), user);
        let there = message.reactions.contains(&own);
        message.reactions.retain(|reaction| *reaction != own);
        if puts {
            message.reactions.push(own);
            // The same ones stand together.
            let order: BTreeSet<_> = message.reactions.drain(..).collect();
            message.reactions.extend(order);
        }
        if there == puts {
            return;
        }
        let (channel, author) = (message.channel, message.author);
        let payload: Value = json!({
            "user_id": user.to_string(), "channel_id": channel.to_string(), "message_id": id.to_string(),
            "guild_id": self.guild.to_string(), "message_author_id": author.to_string(),
            "member": self.member_json(&self.users[&user], true),
            "emoji": {"id": null, "name": emoji}, "burst": false, "burst_colors": [], "type": 0,
        });
        let name = if puts { "MESSAGE_REACTION_ADD" } else { "MESSAGE_REACTION_REMOVE" };
        self.dispatch(name, REACTIONS, payload);
    }
}
