//! People of the guild: what they can do with their clients, and, explicitly named so, what only a forger can.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::discord::Discord;
use crate::interaction::{Doing, Kind};
use crate::limits;
use crate::message::Message;
use crate::seen::{self, Seen};
use crate::sessions::GUILD_MEMBERS;
use crate::shape::length;
use crate::typed::Typed;
use crate::world::{Kind as UserKind, World};

/// A client would not let them: there is no such command, button or choice for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotDo(pub String);

impl fmt::Display for CannotDo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for CannotDo {}

pub(crate) fn cannot<T>(why: impl Into<String>) -> Result<T, CannotDo> {
    Err(CannotDo(why.into()))
}

/// Somebody in a channel.
#[derive(Clone)]
pub struct Person {
    pub(crate) discord: Discord,
    pub(crate) id: u64,
    pub(crate) channel: u64,
}

impl Person {
    /// Their id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The same person in another channel or thread.
    #[must_use]
    pub fn in_channel(&self, name: &str) -> Self {
        Self { channel: self.discord.channel_id(name), ..self.clone() }
    }

    /// The same person, alone with the bot.
    #[must_use]
    pub fn in_direct(&self) -> Self {
        let channel = self.discord.core.change(|world| world.direct_with(self.id));
        Self { channel, ..self.clone() }
    }

    /// Begins a command: its name, with the names of group and sub-command.
    pub fn command(&self, path: &str) -> Typed {
        Typed::new(self.clone(), path)
    }

    /// Types a whole command: `/run failover cluster=orders reason="two words"`.
    pub fn types(&self, line: &str) -> Result<Asked, CannotDo> {
        Typed::read(self.clone(), line)?.sends()
    }

    /// What a client offers while an option is filled in, asked of the bot.
    pub fn completes(&self, path: &str, option: &str, partial: &str) -> Result<Asked, CannotDo> {
        self.command(path).completes(option, partial)
    }

    /// Writes a message.
    pub fn writes(&self, text: &str) -> Result<Seen, CannotDo> {
        self.posts(text, None)
    }

    /// Replies to a message. The reply notifies its author, as clients do unless told otherwise.
    pub fn replies(&self, to: &Seen, text: &str) -> Result<Seen, CannotDo> {
        self.posts(text, Some(to.id))
    }

    fn posts(&self, text: &str, reference: Option<u64>) -> Result<Seen, CannotDo> {
        if text.trim().is_empty() || length(text) > limits::CONTENT {
            return cannot("a message has 1 to 2,000 characters");
        }
        self.discord.core.change(|world| {
            let channel = &world.channels[&self.channel];
            let user = &world.users[&self.id];
            if !user.is_member && user.kind != UserKind::Webhook && !channel.is_direct() {
                return cannot(format!("{} is no member of this guild", user.name));
            }
            if channel.locked {
                return cannot(format!("#{} is locked", channel.name));
            }
            let mut message = Message {
                channel: self.channel,
                author: self.id,
                is_webhook: world.users[&self.id].kind == UserKind::Webhook,
                kind: if reference.is_some() { 19 } else { 0 },
                content: written(world, text),
                reference,
                ..Message::default()
            };
            world.ping(&mut message, &Value::Null);
            let message = world.post(message);
            Ok(seen::seen(world, &message))
        })
    }

    /// Edits what they wrote.
    pub fn edits(&self, message: &Seen, text: &str) -> Result<Seen, CannotDo> {
        self.discord.core.change(|world| {
            let own = world.messages.get(&message.id).filter(|message| message.author == self.id);
            let Some(mut own) = own.cloned() else { return cannot("one edits one's own messages") };
            own.content = written(world, text);
            let message = world.repost(own);
            Ok(seen::seen(world, &message))
        })
    }

    /// Puts an emoji under a message.
    pub fn reacts(&self, message: &Seen, emoji: &str) {
        self.discord.core.change(|world| world.reacts(self.id, message.id, emoji, true));
    }

    /// Presses a button of a message: only one that it really shows now, to them, and that can be pressed.
    pub fn presses(&self, message: &Seen, label: &str) -> Result<Asked, CannotDo> {
        let now = self.sees_in(message.channel).into_iter().find(|seen| seen.id == message.id);
        match now {
            Some(_) if !self.can_press() => cannot("they have no client that shows buttons"),
            Some(now) => self.presses_as_seen(&now, label),
            None => cannot(format!("they do not see this message: {message}")),
        }
    }

    /// A human who is in the guild.
    fn can_press(&self) -> bool {
        self.discord.core.look(|world| {
            let user = &world.users[&self.id];
            user.kind == UserKind::Human && user.is_member
        })
    }

    /// Presses a button that was there when they looked, and may have gone since: a late press.
    pub fn presses_as_seen(&self, message: &Seen, label: &str) -> Result<Asked, CannotDo> {
        let Some(button) = message.button(label) else {
            return cannot(format!("there is no button `{label}` on: {message}"));
        };
        let custom_id = match &button.custom_id {
            _ if button.is_disabled => return cannot(format!("`{label}` is disabled on: {message}")),
            _ if button.style == "select" => return cannot(format!("`{label}` is a menu")),
            None => return cannot(format!("`{label}` is a link")),
            Some(custom_id) => custom_id,
        };
        self.component(message, 2, custom_id, &json!(null))
    }

    /// Chooses in a menu of a message, by labels.
    pub fn selects(&self, message: &Seen, menu: &str, labels: &[&str]) -> Result<Asked, CannotDo> {
        let now = self.sees_in(message.channel).into_iter().find(|seen| seen.id == message.id);
        let Some(menu) = now.as_ref().and_then(|now| now.button(menu)).filter(|menu| !menu.is_disabled)
        else {
            return cannot(format!("there is no menu `{menu}` on: {message}"));
        };
        let value =
            |label: &&str| menu.choices.iter().find(|(known, _)| known == label).map(|(_, value)| value);
        let values: Option<Vec<&String>> = labels.iter().map(value).collect();
        match (values, &menu.custom_id) {
            (Some(values), Some(custom_id)) => self.component(message, 3, custom_id, &json!(values)),
            _ => cannot(format!("{labels:?} are no choices of the menu")),
        }
    }

    /// A press that no client would send: of any custom id, on any message that there is.
    pub fn forges_press(&self, message: &Seen, custom_id: &str) -> Asked {
        self.component(message, 2, custom_id, &json!(null)).expect("a forger asks nobody")
    }

    /// A modal that nobody was shown: with any custom id and any fields, on a message or not.
    pub fn forges_modal(&self, custom_id: &str, fields: &[(&str, &str)], message: Option<&Seen>) -> Asked {
        let rows = fields.iter().map(|(name, value)| input(name, value));
        let data = json!({"custom_id": custom_id, "components": rows.collect::<Vec<_>>()});
        self.happens(Kind::Modal, message.map(|message| message.id), data, self.channel)
    }

    fn component(
        &self,
        message: &Seen,
        kind: u64,
        custom_id: &str,
        values: &Value,
    ) -> Result<Asked, CannotDo> {
        if !self.discord.core.look(|world| world.messages.contains_key(&message.id)) {
            return cannot("this message is gone");
        }
        let mut data = json!({"custom_id": custom_id, "component_type": kind, "id": 1});
        if !values.is_null() {
            data["values"] = values.clone();
        }
        Ok(self.happens(Kind::Component, Some(message.id), data, message.channel))
    }

    pub(crate) fn happens(&self, kind: Kind, message: Option<u64>, data: Value, channel: u64) -> Asked {
        self.asks(Doing { kind, user: self.id, channel, message, data, option_type: 0 })
    }

    pub(crate) fn asks(&self, doing: Doing) -> Asked {
        let (id, limit) = self.discord.core.change(|world| (world.happens(doing), world.first_response_ms));
        // Who waits shall learn that the time for an answer is over.
        let core = self.discord.core.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(limit + 50)).await;
            core.ring();
        });
        Asked { discord: self.discord.clone(), id }
    }

    /// What they see in their channel, the oldest first; their own ephemeral messages are among it.
    pub fn sees(&self) -> Vec<Seen> {
        self.sees_in(self.channel)
    }

    fn sees_in(&self, channel: u64) -> Vec<Seen> {
        self.discord.core.look(|world| seen::in_channel(world, channel, Some(self.id)))
    }

    /// What they see in their channel, as text for snapshots.
    pub fn shows(&self) -> String {
        seen::written(&self.sees())
    }

    /// Waits for a message that they see in their channel and that says this.
    pub async fn until_sees(&self, what: &str) -> Seen {
        let look = |_: &Discord| self.sees().into_iter().rev().find(|seen| seen.says(what));
        self.discord.until(&format!("a message that says `{what}`"), look).await
    }

    /// They are given a role.
    pub fn gets_role(&self, role: &str) {
        let role = self.discord.role_id(role);
        self.changes(|user| user.roles.push(role));
    }

    /// A role is taken from them.
    pub fn loses_role(&self, role: &str) {
        let role = self.discord.role_id(role);
        self.changes(|user| user.roles.retain(|held| *held != role));
    }

    /// They call themselves something else in this guild. Their name stays what it is.
    pub fn is_nicknamed(&self, nick: &str) {
        self.changes(|user| user.nick = Some(nick.to_owned()));
    }

    fn changes(&self, how: impl FnOnce(&mut crate::world::User)) {
        self.discord.core.change(|world| {
            how(world.users.get_mut(&self.id).expect("people stay known"));
            let mut payload = world.member_json(&world.users[&self.id], true);
            payload["guild_id"] = json!(world.guild.to_string());
            world.dispatch("GUILD_MEMBER_UPDATE", GUILD_MEMBERS, payload);
        });
    }

    /// They leave the guild.
    pub fn leaves(&self) {
        self.discord.core.change(|world| {
            world.users.get_mut(&self.id).expect("people stay known").is_member = false;
            let user = world.user_json(&world.users[&self.id]);
            let payload = json!({"guild_id": world.guild.to_string(), "user": user});
            world.dispatch("GUILD_MEMBER_REMOVE", GUILD_MEMBERS, payload);
        });
    }
}

/// A row of a modal with what was filled in.
pub(crate) fn input(name: &str, value: &str) -> Value {
    json!({"type": 1, "id": 1, "components": [{"type": 4, "id": 2, "custom_id": name, "value": value}]})
}

/// What somebody writes: names of people, roles and channels become mentions, as a client makes them.
fn written(world: &World, text: &str) -> String {
    let mut out = text.to_owned();
    for user in world.users.values() {
        out = replaced(&out, &format!("@{}", user.name), &format!("<@{}>", user.id));
    }
    for role in world.roles.values().filter(|role| role.id != world.guild) {
        out = replaced(&out, &format!("@{}", role.name), &format!("<@&{}>", role.id));
    }
    for channel in world.channels.values().filter(|channel| !channel.is_direct()) {
        out = replaced(&out, &format!("#{}", channel.name), &format!("<#{}>", channel.id));
    }
    out
}

/// Replaces a name where it ends as a word.
fn replaced(text: &str, name: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let after = &rest[at + name.len()..];
        let ends = !after.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
        out.push_str(&rest[..at]);
        out.push_str(if ends { by } else { name });
        rest = after;
    }
    out + rest
}
