//! How users, channels and messages look on the wire.

use serde_json::{Value, json};

use crate::clock::written;
use crate::message::{Attachment, Message, mentioned};
use crate::permission;
use crate::world::{Channel, Kind, Role, User, World};

impl World {
    #[expect(clippy::unused_self, reason = "it reads as the others do")]
    pub(crate) fn user_json(&self, user: &User) -> Value {
        json!({
            "id": user.id.to_string(),
            "username": user.name,
            "discriminator": if user.kind == Kind::Human { "0" } else { "0000" },
            "global_name": null,
            "avatar": null,
            "bot": user.kind != Kind::Human,
            "system": false,
            "mfa_enabled": false,
            "banner": null,
            "accent_color": null,
            "flags": 0,
            "public_flags": 0,
            "premium_type": 0,
        })
    }

    /// The bot about itself.
    pub(crate) fn own_json(&self) -> Value {
        let mut own = self.user_json(&self.users[&self.bot]);
        own["verified"] = json!(true);
        own["email"] = Value::Null;
        own["locale"] = json!("en-US");
        own
    }

    pub(crate) fn application_json(&self) -> Value {
        json!({
            "id": self.application.to_string(),
            "name": "steadyhand",
            "icon": null,
            "description": "",
            "bot_public": false,
            "bot_require_code_grant": false,
            "bot": self.own_json(),
            "owner": {
                "id": "1", "username": "owner", "discriminator": "0", "global_name": null, "avatar": null,
                "bot": false, "public_flags": 0, "flags": 0,
            },
            "verify_key": "00",
            "team": null,
            "summary": "",
            "flags": if self.sessions.granted == 0 { 1 << 23 } else { 1 << 23 | 1 << 19 | 1 << 15 },
            "tags": [],
        })
    }

    /// A member; with the user, or beside one.
    pub(crate) fn member_json(&self, user: &User, with_user: bool) -> Value {
        let mut member = json!({
            "nick": user.nick,
            "avatar": null,
            "banner": null,
            "roles": user.roles.iter().map(u64::to_string).collect::<Vec<_>>(),
            "joined_at": written(user.joined_ms),
            "premium_since": null,
            "deaf": false,
            "mute": false,
            "flags": 0,
            "pending": false,
            "communication_disabled_until": null,
        });
        if with_user {
            member["user"] = self.user_json(user);
        }
        member
    }

    pub(crate) fn role_json(&self, role: &Role) -> Value {
        json!({
            "id": role.id.to_string(),
            "name": role.name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
            "hoist": false,
            "icon": null,
            "unicode_emoji": null,
            "position": u64::from(role.id != self.guild),
            "permissions": role.permissions.to_string(),
            "managed": false,
            "mentionable": false,
            "flags": 0,
        })
    }

    pub(crate) fn channel_json(&self, channel: &Channel) -> Value {
        let last = self.messages.values().rev().find(|message| message.channel == channel.id);
        let last = last.map(|message| message.id.to_string());
        if channel.is_direct() {
            let recipients = channel.members.iter().map(|id| self.user_json(&self.users[id]));
            return json!({
                "id": channel.id.to_string(),
                "type": 1,
                "last_message_id": last,
                "last_pin_timestamp": null,
                "recipients": recipients.collect::<Vec<_>>(),
                "flags": 0,
            });
        }
        let mut payload = json!({
            "id": channel.id.to_string(),
            "type": channel.kind.number(),
            "guild_id": self.guild.to_string(),
            "name": channel.name,
            "parent_id": channel.parent.map(|parent| parent.to_string()),
            "last_message_id": last,
            "last_pin_timestamp": null,
            "rate_limit_per_user": 0,
            "flags": 0,
            "permissions": self.bot_rights(channel).to_string(),
        });
        if channel.is_thread() {
            let messages = self.messages.values().filter(|message| message.channel == channel.id).count();
            payload["owner_id"] = json!(channel.owner.to_string());
            payload["message_count"] = json!(messages);
            payload["total_message_sent"] = json!(messages);
            payload["member_count"] = json!(channel.members.len());
            payload["thread_metadata"] = json!({
                "archived": channel.archived,
                "auto_archive_duration": channel.auto_archive_minutes,
                "archive_timestamp": written(channel.archived_ms),
                "locked": channel.locked,
                "invitable": true,
                "create_timestamp": written(channel.created_ms),
            });
        } else {
            payload["position"] = json!(0);
            payload["topic"] = json!(channel.topic);
            payload["nsfw"] = json!(false);
            let taken = channel.taken.to_string();
            let of_bot = json!({"id": self.bot.to_string(), "type": 1, "allow": "0", "deny": taken});
            payload["permission_overwrites"] = if channel.taken == 0 { json!([]) } else { json!([of_bot]) };
        }
        payload
    }

    pub(crate) fn thread_member_json(&self, thread: u64, user: u64) -> Value {
        json!({
            "id": thread.to_string(),
            "user_id": user.to_string(),
            "join_timestamp": written(self.clock.now_ms()),
            "flags": 0,
            "muted": false,
            "mute_config": null,
        })
    }

    /// A message as REST gives it.
    pub(crate) fn message_json(&self, message: &Message) -> Value {
        let author = &self.users[&message.author];
        let mentions = message.pings.iter().filter_map(|id| self.users.get(id));
        let attachments = message.attachments.iter().map(|file| self.attachment_json(message, file));
        let mut payload = json!({
            "id": message.id.to_string(),
            "channel_id": message.channel.to_string(),
            "type": message.kind,
            "author": self.user_json(author),
            "content": message.content,
            "timestamp": written(message.created_ms),
            "edited_timestamp": message.edits_ms.last().map(|ms| written(*ms)),
            "tts": message.tts,
            "mention_everyone": message.pings_everyone,
            "mentions": mentions.map(|user| self.user_json(user)).collect::<Vec<_>>(),
            "mention_roles": message.pings_roles.iter().map(u64::to_string).collect::<Vec<_>>(),
            "attachments": attachments.collect::<Vec<_>>(),
            "embeds": message.embeds,
            "components": numbered(&message.components),
            "pinned": message.pinned,
            "flags": message.flags | message.private_to.map_or(0, |_| crate::rules::messages::EPHEMERAL),
        });
        if !message.nonce.is_null() {
            payload["nonce"] = message.nonce.clone();
        }
        if message.is_webhook {
            payload["webhook_id"] = json!(message.author.to_string());
        }
        if !message.reactions.is_empty() {
            payload["reactions"] = self.reactions_json(message);
        }
        if let Some(replied) = message.reference {
            payload["message_reference"] = json!({
                "type": 0,
                "message_id": replied.to_string(),
                "channel_id": message.channel.to_string(),
                "guild_id": self.guild.to_string(),
            });
            let plain = |replied: &Message| {
                self.message_json(&Message { reference: None, thread: None, ..replied.clone() })
            };
            payload["referenced_message"] = self.messages.get(&replied).map_or(Value::Null, plain);
        }
        if let Some(thread) = message.thread.and_then(|id| self.channels.get(&id)) {
            payload["thread"] = self.channel_json(thread);
        }
        if let Some(interaction) = message.interaction.and_then(|id| self.interactions.get(&id)) {
            let user = self.user_json(&self.users[&interaction.user]);
            let name = interaction.data["name"].as_str().unwrap_or_default();
            payload["application_id"] = json!(self.application.to_string());
            payload["webhook_id"] = json!(self.application.to_string());
            payload["interaction_metadata"] = json!({
                "id": interaction.id.to_string(),
                "type": interaction.kind.number(),
                "user": user,
                "authorizing_integration_owners": {"0": self.guild.to_string()},
            });
            payload["interaction"] = json!({
                "id": interaction.id.to_string(),
                "type": interaction.kind.number(),
                "name": name,
                "user": user,
            });
        }
        payload
    }

    /// A message as the gateway gives it.
    pub(crate) fn message_event(&self, message: &Message) -> Value {
        let mut payload = self.message_json(message);
        if !self.channels[&message.channel].is_direct() {
            payload["guild_id"] = json!(self.guild.to_string());
            if !message.is_webhook {
                payload["member"] = self.member_json(&self.users[&message.author], false);
            }
        }
        payload
    }

    fn attachment_json(&self, message: &Message, attachment: &Attachment) -> Value {
        let file = &self.files[&attachment.id];
        let url = format!(
            "http://{}/attachments/{}/{}/{}",
            self.address, message.channel, attachment.id, attachment.name
        );
        json!({
            "id": attachment.id.to_string(),
            "filename": attachment.name,
            "description": attachment.description,
            "content_type": file.content_type,
            "size": file.bytes.len(),
            "url": url,
            "proxy_url": url,
            "ephemeral": message.private_to.is_some(),
        })
    }

    fn reactions_json(&self, message: &Message) -> Value {
        let mut seen: Vec<&str> = message.reactions.iter().map(|(emoji, _)| emoji.as_str()).collect();
        seen.dedup();
        let count = |emoji: &str| message.reactions.iter().filter(|(it, _)| it == emoji).count();
        let mine = |emoji: &str| message.reactions.iter().any(|(it, by)| it == emoji && *by == self.bot);
        let of = |emoji: &str| {
            json!({
                "count": count(emoji),
                "count_details": {"burst": 0, "normal": count(emoji)},
                "me": mine(emoji),
                "me_burst": false,
                "emoji": {"id": null, "name": emoji},
                "burst_colors": [],
            })
        };
        seen.into_iter().map(of).collect()
    }

    /// All of the guild, for `GUILD_CREATE`; the fields that REST gives are among them.
    pub(crate) fn guild_json(&self) -> Value {
        let members = self.users.values().filter(|user| user.is_member && user.kind != Kind::Webhook);
        let members: Vec<Value> = members.map(|user| self.member_json(user, true)).collect();
        let owner =
            self.users.values().find(|user| user.kind == Kind::Human).map_or(self.bot, |user| user.id);
        let seen =
            |channel: &&Channel| self.bot_rights(channel) & permission::Permission::ViewChannel.bit() != 0;
        let channels: Vec<&Channel> =
            self.channels.values().filter(|channel| !channel.is_direct()).filter(seen).collect();
        let threads = channels.iter().filter(|channel| channel.is_thread() && !channel.archived);
        let others = channels.iter().filter(|channel| !channel.is_thread());
        let mut guild = json!({
            "id": self.guild.to_string(),
            "name": self.guild_name,
            "icon": null, "splash": null, "discovery_splash": null, "banner": null,
            "description": null, "vanity_url_code": null,
            "owner_id": owner.to_string(),
            "afk_channel_id": null, "afk_timeout": 300,
            "widget_enabled": false, "widget_channel_id": null,
            "verification_level": 1, "default_message_notifications": 1, "explicit_content_filter": 0,
            "roles": self.roles.values().map(|role| self.role_json(role)).collect::<Vec<_>>(),
            "emojis": [], "stickers": [], "features": [],
            "mfa_level": 0, "application_id": null,
            "system_channel_id": null, "system_channel_flags": 0,
            "rules_channel_id": null, "public_updates_channel_id": null, "safety_alerts_channel_id": null,
            "max_members": 500_000, "max_presences": null, "max_video_channel_users": 25,
            "premium_tier": 0, "premium_subscription_count": 0, "premium_progress_bar_enabled": false,
            "preferred_locale": "en-US", "nsfw_level": 0, "nsfw": false,
        });
        let told = json!({
            "joined_at": written(self.users[&self.bot].joined_ms),
            "large": false, "unavailable": false,
            "member_count": members.len(),
            "members": members,
            "channels": others.map(|channel| self.channel_json(channel)).collect::<Vec<_>>(),
            "threads": threads.map(|channel| self.channel_json(channel)).collect::<Vec<_>>(),
            "voice_states": [], "presences": [], "stage_instances": [], "guild_scheduled_events": [],
            "soundboard_sounds": [],
        });
        for (name, value) in told.as_object().into_iter().flatten() {
            guild[name] = value.clone();
        }
        guild
    }

    /// Whether a text names the bot, so that its content is told without the intent.
    pub(crate) fn names_bot(&self, text: &str) -> bool {
        mentioned(text, "<@").chain(mentioned(text, "<@!")).any(|id| id == self.bot)
    }
}

/// Components with the numbers that Discord gives to those that have none.
fn numbered(rows: &[Value]) -> Vec<Value> {
    fn give(component: &mut Value, next: &mut u64) {
        *next += 1;
        if component["id"].is_null() {
            component["id"] = json!(*next);
        }
        for inner in component["components"].as_array_mut().into_iter().flatten() {
            give(inner, next);
        }
    }
    let mut next = 0;
    let mut rows = rows.to_vec();
    for row in &mut rows {
        give(row, &mut next);
    }
    rows
}
