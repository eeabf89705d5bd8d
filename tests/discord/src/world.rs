//! Everything there is: one guild with its people, channels and messages, the bot, and what goes on between them.
//!
//! All of it stands behind one lock. Nothing here waits.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::interaction::Interaction;
use crate::message::{File, Message};
use crate::permission::{self, Permission};
use crate::record::Request;
use crate::refusal::Refusal;
use crate::sessions::Sessions;

pub(crate) struct World {
    pub(crate) clock: Clock,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) application: u64,
    pub(crate) bot: u64,
    pub(crate) guild: u64,
    pub(crate) guild_name: String,
    /// Whether the bot is (still) a member of the guild.
    pub(crate) bot_is_member: bool,
    pub(crate) users: BTreeMap<u64, User>,
    pub(crate) roles: BTreeMap<u64, Role>,
    pub(crate) channels: BTreeMap<u64, Channel>,
    pub(crate) messages: BTreeMap<u64, Message>,
    pub(crate) files: BTreeMap<u64, File>,
    /// By guild; those for everywhere under `None`.
    pub(crate) commands: BTreeMap<Option<u64>, Vec<Value>>,
    pub(crate) interactions: BTreeMap<u64, Interaction>,
    pub(crate) sessions: Sessions,
    pub(crate) faults: Faults,
    pub(crate) record: Vec<Request>,
    /// So long people wait for a first response.
    pub(crate) first_response_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Human,
    Bot,
    Webhook,
}

pub(crate) struct User {
    pub(crate) id: u64,
    /// The unique name.
    pub(crate) name: String,
    /// What the guild calls them instead.
    pub(crate) nick: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) roles: Vec<u64>,
    pub(crate) is_member: bool,
    pub(crate) joined_ms: u64,
}

pub(crate) struct Role {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) permissions: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelKind {
    Text,
    Direct,
    PublicThread,
    PrivateThread,
}

impl ChannelKind {
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Text => 0,
            Self::Direct => 1,
            Self::PublicThread => 11,
            Self::PrivateThread => 12,
        }
    }
}

pub(crate) struct Channel {
    pub(crate) id: u64,
    pub(crate) kind: ChannelKind,
    /// Of a direct channel: `@` and the person's name.
    pub(crate) name: String,
    pub(crate) topic: Option<String>,
    /// Of a thread: its channel.
    pub(crate) parent: Option<u64>,
    /// Of a thread: who began it.
    pub(crate) owner: u64,
    pub(crate) archived: bool,
    pub(crate) locked: bool,
    pub(crate) archived_ms: u64,
    pub(crate) auto_archive_minutes: u64,
    /// Of a thread: who is in it. Of a direct channel: the person.
    pub(crate) members: Vec<u64>,
    /// Rights that the bot does not have here.
    pub(crate) taken: u64,
    pub(crate) created_ms: u64,
}

impl Channel {
    pub(crate) fn new(id: u64, kind: ChannelKind, name: &str, now_ms: u64) -> Self {
        Self {
            id,
            kind,
            name: name.to_owned(),
            topic: None,
            parent: None,
            owner: 0,
            archived: false,
            locked: false,
            archived_ms: now_ms,
            auto_archive_minutes: 1_440,
            members: Vec::new(),
            taken: 0,
            created_ms: now_ms,
        }
    }

    pub(crate) fn is_thread(&self) -> bool {
        matches!(self.kind, ChannelKind::PublicThread | ChannelKind::PrivateThread)
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.kind == ChannelKind::Direct
    }
}

impl World {
    /// A guild with the bot in it, and nothing else.
    pub(crate) fn new(address: String) -> Self {
        let mut clock = Clock::default();
        let [application, guild] = [clock.id(), clock.id()];
        let now = clock.now_ms();
        let bot = User {
            id: application,
            name: "steadyhand".to_owned(),
            nick: None,
            kind: Kind::Bot,
            roles: Vec::new(),
            is_member: true,
            joined_ms: now,
        };
        let everyone = Role { id: guild, name: "@everyone".to_owned(), permissions: permission::COMMON };
        Self {
            clock,
            address,
            token: "fake.discord.token".to_owned(),
            application,
            bot: application,
            guild,
            guild_name: "steady".to_owned(),
            bot_is_member: true,
            users: BTreeMap::from([(application, bot)]),
            roles: BTreeMap::from([(guild, everyone)]),
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            files: BTreeMap::new(),
            commands: BTreeMap::new(),
            interactions: BTreeMap::new(),
            sessions: Sessions::default(),
            faults: Faults::default(),
            record: Vec::new(),
            first_response_ms: crate::limits::FIRST_RESPONSE_MS,
        }
    }

    pub(crate) fn user_named(&self, name: &str) -> Option<&User> {
        self.users.values().find(|user| user.name == name)
    }

    pub(crate) fn role_named(&self, name: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.name == name)
    }

    /// The channel or thread of a name; the newest, if there are several.
    pub(crate) fn channel_named(&self, name: &str) -> Option<&Channel> {
        let name = name.trim_start_matches('#');
        self.channels.values().rev().find(|channel| channel.name == name)
    }

    /// What a person may in the guild.
    pub(crate) fn rights_of(&self, user: &User) -> u64 {
        let roles = user.roles.iter().filter_map(|role| self.roles.get(role));
        let all = roles.fold(permission::COMMON, |all, role| all | role.permissions);
        if all & permission::ADMINISTRATOR != 0 { permission::BOT | permission::ADMINISTRATOR } else { all }
    }

    /// What the bot may in a channel. A thread has the rights of its channel.
    pub(crate) fn bot_rights(&self, channel: &Channel) -> u64 {
        let ground = channel.parent.and_then(|parent| self.channels.get(&parent)).unwrap_or(channel);
        if channel.is_direct() { permission::BOT } else { permission::BOT & !ground.taken & !channel.taken }
    }

    /// The channel, if the bot sees it.
    pub(crate) fn open(&self, id: u64) -> Result<&Channel, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(Refusal::unknown_channel)?;
        let gone = !self.bot_is_member && !channel.is_direct();
        let private = channel.kind == ChannelKind::PrivateThread && !channel.members.contains(&self.bot);
        if gone || private || self.bot_rights(channel) & Permission::ViewChannel.bit() == 0 {
            return Err(Refusal::missing_access());
        }
        Ok(channel)
    }

    /// The channel, if the bot may do all of these there.
    pub(crate) fn open_for(&self, id: u64, rights: &[Permission]) -> Result<&Channel, Refusal> {
        let channel = self.open(id)?;
        let held = self.bot_rights(channel);
        if rights.iter().all(|right| held & right.bit() != 0) {
            Ok(channel)
        } else {
            Err(Refusal::missing_permissions())
        }
    }

    /// A message of a channel that everybody sees.
    pub(crate) fn message_in(&self, channel: u64, id: u64) -> Result<&Message, Refusal> {
        let message = self.messages.get(&id).filter(|message| message.channel == channel);
        message.filter(|message| message.private_to.is_none()).ok_or_else(Refusal::unknown_message)
    }
}
