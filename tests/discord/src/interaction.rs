//! An interaction: what a person did, and how the bot answered.

use serde_json::{Value, json};

use crate::limits;
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    Component,
    Completion,
    Modal,
}

impl Kind {
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Command => 2,
            Self::Component => 3,
            Self::Completion => 4,
            Self::Modal => 5,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Component => "press",
            Self::Completion => "completion",
            Self::Modal => "modal",
        }
    }
}

/// The first response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Response {
    None,
    /// A message, at once or after a deferral.
    Message {
        deferred: bool,
    },
    /// The message with the button is changed, at once or later.
    Update {
        deferred: bool,
    },
    Modal(Value),
    Choices(Vec<Value>),
}

pub(crate) struct Interaction {
    pub(crate) id: u64,
    pub(crate) token: String,
    pub(crate) kind: Kind,
    pub(crate) user: u64,
    pub(crate) channel: u64,
    /// The message with the button; of a modal that a button opened, too.
    pub(crate) message: Option<u64>,
    pub(crate) data: Value,
    /// Of a completion: the type of the option that is completed.
    pub(crate) option_type: u64,
    pub(crate) created_ms: u64,
    /// Until when its first response is waited for.
    pub(crate) answer_by_ms: u64,
    pub(crate) answered_ms: Option<u64>,
    pub(crate) response: Response,
    /// The message that `@original` means.
    pub(crate) original: Option<u64>,
    pub(crate) followups: Vec<u64>,
}

impl Interaction {
    /// Whether no answer came in time. It stays so, whatever comes later.
    pub(crate) fn has_failed(&self, now_ms: u64) -> bool {
        self.answered_ms.is_none() && now_ms > self.answer_by_ms
    }

    pub(crate) fn token_is_dead(&self, now_ms: u64) -> bool {
        now_ms > self.created_ms + limits::TOKEN_LIFE_MS
    }
}

/// Something that a person does and the bot shall answer.
pub(crate) struct Doing {
    pub(crate) kind: Kind,
    pub(crate) user: u64,
    pub(crate) channel: u64,
    pub(crate) message: Option<u64>,
    pub(crate) data: Value,
    pub(crate) option_type: u64,
}

impl World {
    /// Makes an interaction of it, and sends it to the bot.
    pub(crate) fn happens(&mut self, doing: Doing) -> u64 {
        let (id, now) = (self.clock.id(), self.clock.now_ms());
        let interaction = Interaction {
            id,
            token: format!("token-of-{id}"),
            kind: doing.kind,
            user: doing.user,
            channel: doing.channel,
            message: doing.message,
            data: doing.data,
            option_type: doing.option_type,
            created_ms: now,
            answer_by_ms: now + self.first_response_ms,
            answered_ms: None,
            response: Response::None,
            original: None,
            followups: Vec::new(),
        };
        let payload = self.interaction_json(&interaction);
        self.interactions.insert(id, interaction);
        self.dispatch("INTERACTION_CREATE", 0, payload);
        id
    }

    /// The payload of `INTERACTION_CREATE`.
    pub(crate) fn interaction_json(&self, interaction: &Interaction) -> Value {
        let channel = &self.channels[&interaction.channel];
        let user = &self.users[&interaction.user];
        let mut payload = json!({
            "id": interaction.id.to_string(),
            "application_id": self.application.to_string(),
            "type": interaction.kind.number(),
            "data": interaction.data,
            "channel": self.channel_json(channel),
            "channel_id": channel.id.to_string(),
            "token": interaction.token,
            "version": 1,
            "app_permissions": self.bot_rights(channel).to_string(),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": {"0": self.guild.to_string()},
            "context": 0,
            "attachment_size_limit": limits::FILES_BYTES,
        });
        if channel.is_direct() {
            payload["context"] = json!(1);
            payload["authorizing_integration_owners"] = json!({"0": "0"});
            payload["user"] = self.user_json(user);
        } else {
            let mut member = self.member_json(user, true);
            member["permissions"] = json!(self.rights_of(user).to_string());
            payload["guild_id"] = json!(self.guild.to_string());
            payload["guild_locale"] = json!("en-US");
            payload["guild"] = json!({"id": self.guild.to_string(), "locale": "en-US", "features": []});
            payload["member"] = member;
        }
        if let Some(message) = interaction.message.and_then(|id| self.messages.get(&id)) {
            payload["message"] = self.message_json(message);
        }
        payload
    }
}
