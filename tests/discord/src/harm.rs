//! What a test does to the fake: faults, outages, lost sessions, taken rights, and time that passes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::discord::Discord;
use crate::faults::Fault;
use crate::permission::Permission;
use crate::rest::set_archived;
use crate::sessions::{GUILD_MESSAGES, GUILDS, Order, PRIVILEGED};
use crate::world::Channel;

/// In which order events that were held back are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// As they came.
    InOrder,
    /// The last one first.
    Backwards,
}

impl Discord {
    /// Lets so many requests go wrong: those of a method (`*` for any) whose path contains this part.
    pub fn fails(&self, times: usize, method: &str, part: &str, fault: Fault) {
        if times > 0 {
            self.core.change(|world| world.faults.add(times, method, part, fault));
        }
    }

    /// Ends all faults of requests and all rate limits.
    pub fn heals(&self) {
        self.core.change(|world| world.faults.heal());
    }

    /// Refuses every connection and cuts those that are there.
    pub fn goes_down(&self) {
        self.core.power.switch_off();
        self.core.change(|world| world.sessions.order(|| Order::Cut));
    }

    /// Takes connections again.
    pub fn comes_up(&self) {
        self.core.power.switch_on();
        self.core.ring();
    }

    /// Asks listeners to connect anew (op 7).
    pub fn asks_to_reconnect(&self) {
        self.tell_listeners(&json!({"op": 7, "d": null, "s": null, "t": null}));
    }

    /// Tells listeners that their session is invalid (op 9). One that cannot be resumed is forgotten.
    pub fn invalidates_sessions(&self, resumable: bool) {
        self.tell_listeners(&json!({"op": 9, "d": resumable, "s": null, "t": null}));
        if !resumable {
            self.core.change(|world| world.sessions.open.clear());
        }
    }

    fn tell_listeners(&self, payload: &Value) {
        self.core.change(|world| world.sessions.order(|| Order::Send(payload.to_string())));
    }

    /// Ends gateway connections without a word. Their sessions can be resumed.
    pub fn cuts_gateway(&self) {
        self.core.change(|world| world.sessions.order(|| Order::Cut));
    }

    /// Closes gateway connections with a code. Their sessions can be resumed.
    pub fn closes_gateway(&self, code: u16) {
        self.core.change(|world| world.sessions.order(|| Order::Close(code, "closed by the test")));
    }

    /// Refuses connections to the gateway, or takes them again; requests are answered all the while.
    pub fn refuses_gateway(&self, does: bool) {
        self.core.change(|world| world.sessions.refuses = does);
    }

    /// Forgets the sessions that nobody listens on, so that they cannot be resumed.
    pub fn forgets_lost_sessions(&self) {
        self.core.change(|world| world.sessions.open.retain(|_, session| session.wire.is_some()));
    }

    /// Tells the next event of this name twice.
    pub fn repeats_next(&self, event: &str) {
        self.core.change(|world| world.sessions.doubled.push(event.to_owned()));
    }

    /// Holds all events back from now on.
    pub fn holds_events(&self) {
        self.core.change(|world| {
            world.sessions.held.get_or_insert_default();
        });
    }

    /// Tells what was held back, and holds back no more.
    pub fn releases_events(&self, order: Release) {
        self.core.change(|world| {
            let mut held = world.sessions.held.take().unwrap_or_default();
            if order == Release::Backwards {
                held.make_contiguous().reverse();
            }
            for event in held {
                world.sessions.tell(&event);
            }
        });
    }

    /// Tells an event as it is given, whether or not it can be understood.
    pub fn says(&self, event: &str, payload: Value) {
        self.core.change(|world| world.dispatch(event, 0, payload));
    }

    /// Answers heartbeats no more, or again.
    pub fn acknowledges_heartbeats(&self, does: bool) {
        self.core.change(|world| world.sessions.acknowledges = does);
    }

    /// Asks new connections for a heartbeat this often. Usually it is 41.25 s.
    pub fn wants_heartbeats_every(&self, interval: Duration) {
        self.core.change(|world| world.sessions.heartbeat = interval);
    }

    /// Whether the application may ask for members and for the content of messages. At first it may.
    pub fn grants_privileged_intents(&self, does: bool) {
        self.core.change(|world| world.sessions.granted = if does { PRIVILEGED } else { 0 });
    }

    /// Lets time pass, at once, for tokens, first responses, nonces, rate limits and sessions. Threads in which nobody
    /// wrote for their time are archived.
    pub fn passes(&self, time: Duration) {
        self.core.change(|world| {
            world.clock.forward(time);
            let now = world.clock.now_ms();
            let quiet = |thread: &&Channel| {
                let in_it = world.messages.values().rev().find(|message| message.channel == thread.id);
                let last =
                    in_it.map_or(thread.created_ms, |message| message.created_ms).max(thread.archived_ms);
                thread.is_thread() && !thread.archived && now > last + thread.auto_archive_minutes * 60_000
            };
            let quiet: Vec<u64> = world.channels.values().filter(quiet).map(|thread| thread.id).collect();
            for thread in quiet {
                set_archived(world, thread, true);
            }
        });
    }

    /// Revokes the token: every request is refused, and listeners are closed with 4004. Returns the new token.
    pub fn revokes_token(&self) -> String {
        self.core.change(|world| {
            world.token.push('x');
            world.sessions.order(|| Order::Close(4004, "Authentication failed."));
            world.sessions.open.clear();
            world.token.clone()
        })
    }

    /// Takes a right of the bot in a channel and its threads.
    pub fn takes_right(&self, channel: &str, right: Permission) {
        let id = self.channel_id(channel);
        self.change_channel(id, |taken| taken | right.bit());
    }

    /// Gives a right back.
    pub fn gives_right(&self, channel: &str, right: Permission) {
        let id = self.channel_id(channel);
        self.change_channel(id, |taken| taken & !right.bit());
    }

    fn change_channel(&self, id: u64, how: impl FnOnce(u64) -> u64) {
        self.core.change(|world| {
            let Some(channel) = world.channels.get_mut(&id) else { return };
            channel.taken = how(channel.taken);
            let payload = world.channel_json(&world.channels[&id]);
            world.dispatch("CHANNEL_UPDATE", GUILDS, payload);
        });
    }

    /// Deletes a channel with its threads and messages.
    pub fn deletes_channel(&self, name: &str) {
        let id = self.channel_id(name);
        self.core.change(|world| {
            let payload = world.channel_json(&world.channels[&id]);
            let is_thread = world.channels[&id].is_thread();
            let gone = |channel: &Channel| channel.id == id || channel.parent == Some(id);
            let ids: Vec<u64> =
                world.channels.values().filter(|channel| gone(channel)).map(|channel| channel.id).collect();
            world.messages.retain(|_, message| !ids.contains(&message.channel));
            world.channels.retain(|id, _| !ids.contains(id));
            world.dispatch(if is_thread { "THREAD_DELETE" } else { "CHANNEL_DELETE" }, GUILDS, payload);
        });
    }

    /// Deletes a message, as a moderator would.
    pub fn deletes_message(&self, id: u64) {
        self.core.change(|world| world.remove(id));
    }

    /// Deletes messages of a channel or thread at once, as a moderator's bot would.
    pub fn purges_messages(&self, channel: &str, ids: &[u64]) {
        let channel = self.channel_id(channel);
        self.core.change(|world| {
            world.messages.retain(|id, _| !ids.contains(id));
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let (channel, guild) = (channel.to_string(), world.guild.to_string());
            let payload = json!({"ids": ids, "channel_id": channel, "guild_id": guild});
            world.dispatch("MESSAGE_DELETE_BULK", GUILD_MESSAGES, payload);
        });
    }

    /// Archives a thread as time would, or locks it as a moderator would.
    pub fn archives_thread(&self, name: &str, locks: bool) {
        let id = self.channel_id(name);
        self.core.change(|world| {
            if let Some(thread) = world.channels.get_mut(&id) {
                thread.locked |= locks;
            }
            set_archived(world, id, true);
        });
    }

    /// Throws the bot out of the guild.
    pub fn removes_bot(&self) {
        self.core.change(|world| {
            world.bot_is_member = false;
            let payload = json!({"id": world.guild.to_string()});
            world.dispatch("GUILD_DELETE", GUILDS, payload);
        });
    }

    /// Invites the bot again.
    pub fn invites_bot(&self) {
        self.core.change(|world| {
            world.bot_is_member = true;
            let payload = world.guild_json();
            world.dispatch("GUILD_CREATE", GUILDS, payload);
        });
    }
}
