//! Gateway sessions as the world sees them: who listens, what was told, and what a lost listener has to catch up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::limits;
use crate::message::Message;
use crate::world::World;

pub(crate) const GUILDS: u64 = 1;
pub(crate) const GUILD_MEMBERS: u64 = 1 << 1;
pub(crate) const GUILD_MESSAGES: u64 = 1 << 9;
pub(crate) const REACTIONS: u64 = 1 << 10;
pub(crate) const DIRECT_MESSAGES: u64 = 1 << 12;
pub(crate) const MESSAGE_CONTENT: u64 = 1 << 15;
/// All intents that there are.
pub(crate) const INTENTS: u64 = 0b11_0011_0001_1111_1111_1111_1111;
/// Those that Discord has to grant first.
pub(crate) const PRIVILEGED: u64 = GUILD_MEMBERS | 1 << 8 | MESSAGE_CONTENT;

/// What a connection is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    Send(String),
    Close(u16, &'static str),
    /// End without a word.
    Cut,
}

/// What happened at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A new session began, with these intents.
    Identified {
        /// The bits that were asked for.
        intents: u64,
    },
    /// A session went on, and was told what it missed.
    Resumed {
        /// How many events it missed.
        missed: usize,
    },
    /// A session could not be resumed (op 9).
    NotResumed,
    /// The fake closed a connection for a mistake of the client.
    Closed {
        /// Discord's close code.
        code: u16,
    },
}

pub(crate) struct Session {
    pub(crate) intents: u64,
    pub(crate) seq: u64,
    /// All that was told, by sequence number.
    pub(crate) told: Vec<(u64, String)>,
    pub(crate) wire: Option<UnboundedSender<Order>>,
    pub(crate) lost_ms: u64,
}

/// An event on its way to whoever listens.
#[derive(Clone)]
pub(crate) struct Event {
    name: String,
    /// Told to those that asked for one of these; to all if 0.
    intents: u64,
    payload: Value,
    /// What those get that may not read messages.
    bare: Option<Value>,
}

pub(crate) struct Sessions {
    pub(crate) open: BTreeMap<String, Session>,
    begun: u64,
    pub(crate) heartbeat: Duration,
    pub(crate) acknowledges: bool,
    /// New connections are refused.
    pub(crate) refuses: bool,
    /// Privileged intents that the application has.
    pub(crate) granted: u64,
    pub(crate) happened: Vec<Happening>,
    /// Events that a test holds back, in the order they came.
    pub(crate) held: Option<VecDeque<Event>>,
    /// Names of events that are told twice, once each.
    pub(crate) doubled: Vec<String>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            begun: 0,
            heartbeat: Duration::from_millis(41_250),
            acknowledges: true,
            refuses: false,
            granted: PRIVILEGED,
            happened: Vec::new(),
            held: None,
            doubled: Vec::new(),
        }
    }
}

impl Sessions {
    /// How many connections listen now.
    pub(crate) fn listening(&self) -> usize {
        self.open.values().filter(|session| session.wire.is_some()).count()
    }

    pub(crate) fn order(&self, make: impl Fn() -> Order) {
        for wire in self.open.values().filter_map(|session| session.wire.as_ref()) {
            // A connection that just ended hears nothing.
            let _ = wire.send(make());
        }
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        for session in self.open.values_mut() {
            if event.intents != 0 && session.intents & event.intents == 0 {
                continue;
            }
            let reads = session.intents & MESSAGE_CONTENT != 0;
            let payload = event.bare.as_ref().filter(|_| !reads).unwrap_or(&event.payload);
            session.tell(&event.name, payload);
        }
    }
}

impl Session {
    pub(crate) fn tell(&mut self, name: &str, payload: &Value) {
        self.seq += 1;
        let text = json!({"op": 0, "t": name, "s": self.seq, "d": payload}).to_string();
        self.told.push((self.seq, text.clone()));
        if let Some(wire) = &self.wire {
            let _ = wire.send(Order::Send(text));
        }
    }
}

impl World {
    /// Tells an event to all that asked for one of the intents (to all if 0).
    pub(crate) fn dispatch(&mut self, name: &str, intents: u64, payload: Value) {
        self.dispatch_event(Event { name: name.to_owned(), intents, payload, bare: None });
    }

    fn dispatch_event(&mut self, event: Event) {
        if let Some(held) = &mut self.sessions.held {
            held.push_back(event);
            return;
        }
        self.sessions.tell(&event);
        if let Some(at) = self.sessions.doubled.iter().position(|name| *name == event.name) {
            self.sessions.doubled.remove(at);
            self.sessions.tell(&event);
        }
    }

    /// Tells of a message, unless it is ephemeral. Its text is for those with the intent, and for all when it is
    /// the bot's own, names the bot, or was written to it alone.
    pub(crate) fn tell_message(&mut self, name: &str, message: &Message) {
        if message.private_to.is_some() {
            return;
        }
        let payload = self.message_event(message);
        let direct = self.channels[&message.channel].is_direct();
        let open = direct || message.author == self.bot || self.names_bot(&message.content);
        let bare = (!open).then(|| {
            let mut bare = payload.clone();
            bare["content"] = json!("");
            for list in ["embeds", "components", "attachments"] {
                bare[list] = json!([]);
            }
            bare
        });
        let intents = if direct { DIRECT_MESSAGES } else { GUILD_MESSAGES };
        self.dispatch_event(Event { name: name.to_owned(), intents, payload, bare });
    }

    /// Begins a session: `READY`, then the guild.
    pub(crate) fn begin_session(&mut self, intents: u64, wire: UnboundedSender<Order>) -> String {
        self.sessions.begun += 1;
        let name = format!("session-{}", self.sessions.begun);
        let ready = json!({
            "v": 10,
            "user": self.own_json(),
            "guilds": if self.bot_is_member { json!([{"id": self.guild.to_string(), "unavailable": true}]) } else { json!([]) },
            "session_id": name,
            "session_type": "normal",
            "resume_gateway_url": format!("ws://{}", self.address),
            "shard": [0, 1],
            "application": {"id": self.application.to_string(), "flags": 1 << 19 | 1 << 15},
            "private_channels": [],
            "presences": [],
            "relationships": [],
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
            "_trace": [],
        });
        let mut session = Session { intents, seq: 0, told: Vec::new(), wire: Some(wire), lost_ms: 0 };
        session.tell("READY", &ready);
        if self.bot_is_member && intents & GUILDS != 0 {
            let mut guild = self.guild_json();
            if intents & GUILD_MEMBERS == 0 {
                // Without the intent a bot learns of itself alone.
                guild["members"] = json!([self.member_json(&self.users[&self.bot], true)]);
            }
            session.tell("GUILD_CREATE", &guild);
        }
        self.sessions.open.insert(name.clone(), session);
        self.sessions.happened.push(Happening::Identified { intents });
        name
    }

    /// Goes on with a session; `None` if there is nothing to go on with. What it missed is told anew.
    pub(crate) fn resume_session(
        &mut self,
        name: &str,
        seq: u64,
        wire: UnboundedSender<Order>,
    ) -> Option<()> {
        let now = self.clock.now_ms();
        let found = self.sessions.open.get_mut(name).filter(|session| {
            seq <= session.seq && (session.wire.is_some() || now <= session.lost_ms + limits::RESUME_MS)
        });
        let Some(session) = found else {
            self.sessions.happened.push(Happening::NotResumed);
            return None;
        };
        let missed: Vec<String> =
            session.told.iter().filter(|(told, _)| *told > seq).map(|(_, text)| text.clone()).collect();
        self.sessions.happened.push(Happening::Resumed { missed: missed.len() });
        for text in missed {
            let _ = wire.send(Order::Send(text));
        }
        // One session has one connection: an older one ends.
        if let Some(old) = session.wire.replace(wire) {
            let _ = old.send(Order::Cut);
        }
        session.tell("RESUMED", &json!({"_trace": []}));
        Some(())
    }
}
