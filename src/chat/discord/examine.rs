//! Looks whether the chat could work: the token, the application, the server and the channels of the policy.
//!
//! Nothing is changed and nothing is posted; the bot may be connected meanwhile.

use serenity::all::{
    ApplicationFlags, Channel, ChannelId, ChannelType, GuildId, Http, Member, PartialGuild, Permissions,
};

use super::post::{Lost, http, within};
use super::{Messages, Settings};
use crate::engine::clock::Clock;
use crate::policy::Policy;
use crate::wording::doctor::Finding;

/// What the bot needs in each channel, and no more.
pub const NEEDED: u64 = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::CREATE_PUBLIC_THREADS)
    .union(Permissions::EMBED_LINKS)
    .union(Permissions::ATTACH_FILES)
    .union(Permissions::READ_MESSAGE_HISTORY)
    .bits();

/// A row for each thing that the chat needs, in the order in which it needs them. What cannot be asked without one that is
/// wrong is not asked.
pub async fn examine(settings: &Settings, policy: Option<&Policy>, clock: &Clock) -> Vec<Finding> {
    let asks = Asks { http: http(settings), clock: clock.clone(), messages: settings.messages };
    let mut found = Vec::new();
    // Whatever is wrong ends the row that it is found in.
    if let Err(wrong) = asks.all(policy, &mut found).await {
        found.push(wrong);
    }
    found
}

struct Asks {
    http: Http,
    clock: Clock,
    messages: Messages,
}

impl Asks {
    async fn all(&self, policy: Option<&Policy>, found: &mut Vec<Finding>) -> Result<(), Finding> {
        let user = self.asked(self.http.get_current_user()).await.map_err(|lost| not_let_in(&lost))?;
        found.push(Finding::well("token", format!("Discord takes it, for the bot {}", user.name)));
        let application = self.asked(self.http.get_current_application_info()).await;
        let application = application.map_err(|lost| not_let_in(&lost))?;
        self.http.set_application_id(application.id);
        found.push(Finding::well("application", format!("{}, {}", application.name, application.id)));
        found.push(self.intents(application.flags.unwrap_or_default()));

        let Some((policy, door)) = policy.and_then(|policy| Some((policy, policy.doors.discord.as_ref()?)))
        else {
            let says = "the policy opens no door on Discord";
            let cure = "add doors: { discord: { server: …, channels: [ … ] } } to policy.yaml";
            return Err(Finding::new("server", says, true, cure));
        };
        let server = GuildId::new(id(&door.server.value, "server")?);
        let link = invitation(application.id.get(), server.get());
        let guild = self.asked(self.http.get_guild(server)).await.map_err(|lost| match lost {
            lost if lost.is_away() => not_let_in(&lost),
            _ => Finding::new(
                "server",
                format!("the bot is not on {server}"),
                true,
                format!("invite it: {link}"),
            ),
        })?;
        let member =
            self.asked(self.http.get_member(server, user.id)).await.map_err(|lost| not_let_in(&lost))?;
        let is_administrator = guild.member_permissions(&member).administrator();
        found.push(Finding::new(
            "server",
            if is_administrator {
                format!("{}: the bot is an administrator there", guild.name)
            } else {
                guild.name.clone()
            },
            is_administrator,
            "take that from its role: it needs the named permissions in its channels, and no others",
        ));
        found.push(match self.asked(self.http.get_guild_commands(server)).await {
            Ok(commands) => Finding::well("commands", format!("{} are registered", commands.len())),
            Err(lost) => Finding::new(
                "commands",
                lost.to_string(),
                true,
                format!("invite it again, with both scopes: {link}"),
            ),
        });
        for role in policy.roles_of_discord() {
            let known = guild.roles.values().find(|known| known.id.to_string() == role);
            found.push(match known {
                Some(known) => Finding::well("role", format!("{role} is @{}", known.name)),
                None => Finding::new(
                    "role",
                    format!("{role} is no role of this server: nobody has what it gives"),
                    true,
                    "take its id from Discord again, under Copy Role ID, and put it into policy.yaml",
                ),
            });
        }
        for channel in &door.channels {
            let channel = ChannelId::new(id(&channel.value, "channel")?);
            found.push(self.channel(channel, &guild, &member).await);
        }
        Ok(())
    }

    fn intents(&self, flags: ApplicationFlags) -> Finding {
        let of_content =
            ApplicationFlags::GATEWAY_MESSAGE_CONTENT | ApplicationFlags::GATEWAY_MESSAGE_CONTENT_LIMITED;
        if self.messages != Messages::All {
            return Finding::well("intents", "none of the privileged ones is needed");
        }
        Finding::new(
            "intents",
            if flags.intersects(of_content) { "message content" } else { "message content is not granted" },
            !flags.intersects(of_content),
            "turn on Message Content Intent under Bot in the developer portal, or set messages = \"mention\"",
        )
    }

    async fn channel(&self, id: ChannelId, guild: &PartialGuild, member: &Member) -> Finding {
        let here = "take its id from Discord again, or let the bot see it";
        let channel = match self.asked(self.http.get_channel(id)).await {
            Ok(Channel::Guild(channel)) if channel.guild_id == guild.id => channel,
            Ok(_) => return Finding::new("channel", format!("{id} is not of this server"), true, here),
            Err(lost) if lost.is_away() => return not_let_in(&lost),
            Err(_) => {
                return Finding::new("channel", format!("{id} is gone, or hidden from the bot"), true, here);
            }
        };
        if ![ChannelType::Text, ChannelType::News].contains(&channel.kind) {
            return Finding::new(
                "channel",
                format!("#{} is no text channel", channel.name),
                true,
                "name one",
            );
        }
        let missing = Permissions::from_bits_truncate(NEEDED) - guild.user_permissions_in(&channel, member);
        let names = missing.get_permission_names().join(", ");
        Finding::new(
            "channel",
            if missing.is_empty() {
                format!("#{}: the bot may do what it needs", channel.name)
            } else {
                format!("#{}: the bot may not: {names}", channel.name)
            },
            !missing.is_empty(),
            "allow that for the role of the bot, in the settings of the channel",
        )
    }

    async fn asked<T>(&self, asked: impl Future<Output = serenity::Result<T>>) -> Result<T, Lost> {
        within(&self.clock, asked).await
    }
}

fn not_let_in(lost: &Lost) -> Finding {
    if matches!(lost, Lost::NotLetIn(_)) {
        let cure = "reset the token under Bot in the developer portal, put the new one where discord.token points, and \
                    start the bot anew";
        return Finding::new("token", "Discord refuses it", true, cure);
    }
    Finding::new(
        "Discord",
        lost.to_string(),
        true,
        "look whether discord.com, port 443, can be reached from here, then ask again",
    )
}

fn id(text: &str, what: &'static str) -> Result<u64, Finding> {
    let id = text.parse().ok().filter(|id| *id != 0);
    id.ok_or_else(|| Finding::new(what, format!("{text} is no id"), true, "copy its id from Discord"))
}

/// The link that invites the bot, with all that it needs.
fn invitation(application: u64, server: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={NEEDED}&guild_id={server}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handbook_names_the_permissions_by_their_number_and_each_by_its_name() {
        let handbook =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md")).unwrap();

        assert!(handbook.contains(&NEEDED.to_string()), "{NEEDED}");
        for name in Permissions::from_bits(NEEDED).unwrap().get_permission_names() {
            assert!(handbook.contains(name), "{name}");
        }
    }
}
