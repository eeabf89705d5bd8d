//! Channels and threads.

use serde_json::json;

use super::call::{Answer, Call, Reply};
use crate::permission::Permission;
use crate::refusal::Refusal;
use crate::rules::places::{DIRECT, EDIT_CHANNEL, EDIT_THREAD, THREAD, THREAD_OF_MESSAGE};
use crate::sessions::{GUILD_MEMBERS, GUILDS};
use crate::shape::snowflake;
use crate::world::{Channel, ChannelKind, Kind, World};

const HAS_THREAD: u64 = 1 << 5;

pub(super) fn get(world: &World, channel: u64) -> Answer {
    Ok(Reply::with(world.channel_json(world.open(channel)?)))
}

pub(super) fn typing(world: &World, channel: u64) -> Answer {
    world.open_for(channel, &[Permission::SendMessages])?;
    Ok(Reply::done())
}

pub(super) fn open_direct(world: &mut World, call: &Call) -> Answer {
    call.fits(DIRECT)?;
    let user = snowflake(&call.body["recipient_id"]).unwrap_or_default();
    let user = world.users.get(&user).ok_or_else(Refusal::unknown_user)?;
    if user.kind != Kind::Human {
        return Err(Refusal::new(400, 50007, "Cannot send messages to this user"));
    }
    let user = user.id;
    let channel = world.direct_with(user);
    Ok(Reply::with(world.channel_json(&world.channels[&channel])))
}

impl World {
    /// The direct channel of the bot and a person; there is one.
    pub(crate) fn direct_with(&mut self, user: u64) -> u64 {
        let known = self.channels.values().find(|channel| channel.is_direct() && channel.members == [user]);
        if let Some(known) = known {
            return known.id;
        }
        let id = self.clock.id();
        let name = format!("@{}", self.users[&user].name);
        let mut channel = Channel::new(id, ChannelKind::Direct, &name, self.clock.now_ms());
        channel.members = vec![user];
        self.channels.insert(id, channel);
        id
    }
}

pub(super) fn edit(world: &mut World, call: &Call, id: u64) -> Answer {
    let channel = world.open(id)?;
    let rights = world.bot_rights(channel);
    if channel.is_direct() {
        return Err(Refusal::wrong_channel_type());
    }
    if !channel.is_thread() {
        if rights & Permission::ManageChannels.bit() == 0 {
            return Err(Refusal::missing_permissions());
        }
        call.fits(EDIT_CHANNEL)?;
        change(world, id, |channel| {
            if let Some(name) = call.body["name"].as_str() {
                name.clone_into(&mut channel.name);
            }
            if let Some(topic) = call.body.get("topic") {
                channel.topic = topic.as_str().map(str::to_owned);
            }
        });
        return get(world, id);
    }
    call.fits(EDIT_THREAD)?;
    let (own, manages) = (channel.owner == world.bot, rights & Permission::ManageThreads.bit() != 0);
    let locks = call.body["locked"].as_bool().is_some_and(|locked| locked != channel.locked);
    if (locks || channel.locked || !own) && !manages {
        return Err(Refusal::missing_permissions());
    }
    if channel.archived && call.body["archived"] != false {
        return Err(Refusal::archived());
    }
    let now = world.clock.now_ms();
    change(world, id, |channel| {
        if let Some(name) = call.body["name"].as_str() {
            name.clone_into(&mut channel.name);
        }
        if let Some(archived) = call.body["archived"].as_bool() {
            channel.archived = archived;
            channel.archived_ms = now;
        }
        if let Some(locked) = call.body["locked"].as_bool() {
            channel.locked = locked;
        }
        if let Some(minutes) = call.body["auto_archive_duration"].as_u64() {
            channel.auto_archive_minutes = minutes;
        }
    });
    get(world, id)
}

/// Changes a channel and tells of it.
fn change(world: &mut World, id: u64, how: impl FnOnce(&mut Channel)) {
    let Some(channel) = world.channels.get_mut(&id) else { return };
    how(channel);
    let name = if channel.is_thread() { "THREAD_UPDATE" } else { "CHANNEL_UPDATE" };
    let payload = world.channel_json(&world.channels[&id]);
    world.dispatch(name, GUILDS, payload);
}

pub(crate) fn set_archived(world: &mut World, id: u64, archived: bool) {
    let now = world.clock.now_ms();
    change(world, id, |channel| {
        channel.archived = archived;
        channel.archived_ms = now;
    });
}

pub(super) fn begin_thread(world: &mut World, call: &Call, parent: u64, message: Option<u64>) -> Answer {
    let private = call.body["type"] == 12;
    let right = if private { Permission::CreatePrivateThreads } else { Permission::CreatePublicThreads };
    if world.open_for(parent, &[right])?.kind != ChannelKind::Text {
        return Err(Refusal::wrong_channel_type());
    }
    call.asks_only(&[])?;
    match message {
        Some(message) => {
            call.fits(THREAD_OF_MESSAGE)?;
            if world.message_in(parent, message)?.thread.is_some() {
                return Err(Refusal::thread_exists());
            }
        }
        None => call.fits(THREAD)?,
    }
    // A thread has the id of the message that it hangs on.
    let id = message.unwrap_or_else(|| world.clock.id());
    let kind = if private { ChannelKind::PrivateThread } else { ChannelKind::PublicThread };
    let name = call.body["name"].as_str().unwrap_or_default();
    let mut thread = Channel::new(id, kind, name, world.clock.now_ms());
    thread.parent = Some(parent);
    thread.owner = world.bot;
    thread.members = vec![world.bot];
    if let Some(minutes) = call.body["auto_archive_duration"].as_u64() {
        thread.auto_archive_minutes = minutes;
    }
    world.channels.insert(id, thread);
    let mut told = world.channel_json(&world.channels[&id]);
    told["newly_created"] = json!(true);
    world.dispatch("THREAD_CREATE", GUILDS, told);
    if let Some(message) = message.and_then(|id| world.messages.get_mut(&id)) {
        message.thread = Some(id);
        message.flags |= HAS_THREAD;
        let message = message.clone();
        world.tell_message("MESSAGE_UPDATE", &message);
    }
    let mut payload = world.channel_json(&world.channels[&id]);
    payload["member"] = world.thread_member_json(id, world.bot);
    Ok(Reply::created(payload))
}

/// The public threads of a channel that are archived, the newest first.
pub(super) fn archived(world: &World, call: &Call, parent: u64) -> Answer {
    world.open_for(parent, &[Permission::ReadMessageHistory])?;
    call.asks_only(&["before", "limit"])?;
    let threads = world.channels.values().rev().filter(|thread| {
        thread.parent == Some(parent) && thread.archived && thread.kind == ChannelKind::PublicThread
    });
    let threads: Vec<_> = threads.map(|thread| world.channel_json(thread)).collect();
    Ok(Reply::with(json!({"threads": threads, "members": [], "has_more": false})))
}

pub(super) fn members(world: &World, thread: u64) -> Answer {
    let channel = world.open(thread)?;
    if !channel.is_thread() {
        return Err(Refusal::wrong_channel_type());
    }
    let members = channel.members.iter().map(|user| world.thread_member_json(thread, *user));
    Ok(Reply::with(members.collect()))
}

pub(super) fn member(world: &mut World, call: &Call, thread: u64, user: u64) -> Answer {
    let channel = world.open(thread)?;
    if !channel.is_thread() {
        return Err(Refusal::wrong_channel_type());
    }
    if channel.archived {
        return Err(Refusal::archived());
    }
    if !world.users.get(&user).is_some_and(|user| user.is_member) {
        return Err(Refusal::unknown_user());
    }
    if call.method == "PUT" {
        world.open_for(thread, &[Permission::SendMessagesInThreads])?;
        join(world, thread, user);
    } else {
        if user != world.bot {
            world.open_for(thread, &[Permission::ManageThreads])?;
        }
        if let Some(channel) = world.channels.get_mut(&thread) {
            channel.members.retain(|member| *member != user);
        }
        tell_members(world, thread, &[], &[user]);
    }
    Ok(Reply::done())
}

/// Puts somebody into a thread.
pub(crate) fn join(world: &mut World, thread: u64, user: u64) {
    let webhook = world.users[&user].kind == Kind::Webhook;
    let Some(channel) = world.channels.get_mut(&thread) else { return };
    if webhook || channel.members.contains(&user) {
        return;
    }
    channel.members.push(user);
    tell_members(world, thread, &[user], &[]);
}

fn tell_members(world: &mut World, thread: u64, came: &[u64], left: &[u64]) {
    let added = came.iter().map(|user| {
        let mut member = world.thread_member_json(thread, *user);
        member["member"] = world.member_json(&world.users[user], true);
        member["presence"] = serde_json::Value::Null;
        member
    });
    let payload = json!({
        "id": thread.to_string(),
        "guild_id": world.guild.to_string(),
        "member_count": world.channels[&thread].members.len(),
        "added_members": added.collect::<Vec<_>>(),
        "removed_member_ids": left.iter().map(u64::to_string).collect::<Vec<_>>(),
    });
    // Of itself a bot is told without the intent.
    let own = came.iter().chain(left).any(|user| *user == world.bot);
    world.dispatch("THREAD_MEMBERS_UPDATE", if own { GUILDS } else { GUILD_MEMBERS }, payload);
}
