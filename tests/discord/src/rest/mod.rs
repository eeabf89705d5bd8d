//! The REST side: which request goes where. What stands nowhere here is a stranger's request.

mod call;
mod channels;
mod commands;
mod guilds;
mod interactions;
mod messages;
mod serve;
mod webhooks;

pub(crate) use channels::set_archived;
pub(crate) use serve::serve;

use call::{Answer, Call, Reply, id};

use crate::refusal::Refusal;
use crate::world::World;

/// Answers a request.
fn route(world: &mut World, call: &Call) -> Answer {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    // The token of an interaction is its own proof; a wrong one of the bot is wrong everywhere.
    let by_token = matches!(path.as_slice(), ["interactions" | "webhooks", ..]);
    match &call.authorization {
        Some(said) if *said == format!("Bot {}", world.token) => {}
        None if by_token || path == ["gateway"] => {}
        _ => return Err(Refusal::unauthorized()),
    }
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["gateway"]) => Ok(Reply::with(guilds::gateway(world))),
        ("GET", ["gateway", "bot"]) => Ok(Reply::with(guilds::gateway_bot(world))),
        ("GET", ["users", "@me"]) => Ok(Reply::with(world.own_json())),
        ("POST", ["users", "@me", "channels"]) => channels::open_direct(world, call),
        ("GET", ["users", user]) => guilds::user(world, id(user)?),
        ("GET", ["applications", "@me"] | ["oauth2", "applications", "@me"]) => {
            Ok(Reply::with(world.application_json()))
        }

        (_, ["applications", app, "commands", rest @ ..]) => commands::global(world, call, id(app)?, rest),
        (_, ["applications", app, "guilds", guild, "commands", rest @ ..]) => {
            commands::of_guild(world, call, id(app)?, id(guild)?, rest)
        }

        ("POST", ["interactions", which, token, "callback"]) => {
            interactions::callback(world, call, id(which)?, token)
        }
        ("POST", ["webhooks", app, token]) => webhooks::follow_up(world, call, id(app)?, token),
        (_, ["webhooks", app, token, "messages", which]) => {
            webhooks::message(world, call, id(app)?, token, which)
        }

        ("GET", ["guilds", guild, rest @ ..]) => guilds::guild(world, call, id(guild)?, rest),

        (_, ["channels", channel, rest @ ..]) => in_channel(world, call, id(channel)?, rest),
        _ => Err(Refusal::no_such_route()),
    }
}

fn in_channel(world: &mut World, call: &Call, channel: u64, rest: &[&str]) -> Answer {
    match (call.method.as_str(), rest) {
        ("GET", []) => channels::get(world, channel),
        ("PATCH", []) => channels::edit(world, call, channel),
        ("POST", ["typing"]) => channels::typing(world, channel),
        ("POST", ["threads"]) => channels::begin_thread(world, call, channel, None),
        ("GET", ["threads", "archived", "public"]) => channels::archived(world, call, channel),
        ("GET", ["pins"]) => messages::pins(world, channel),
        ("GET", ["thread-members"]) => channels::members(world, channel),
        ("PUT" | "DELETE", ["thread-members", "@me"]) => {
            let bot = world.bot;
            channels::member(world, call, channel, bot)
        }
        ("PUT" | "DELETE", ["thread-members", user]) => channels::member(world, call, channel, id(user)?),

        ("GET", ["messages"]) => messages::list(world, call, channel),
        ("POST", ["messages"]) => messages::create(world, call, channel),
        ("GET", ["messages", message]) => messages::get(world, channel, id(message)?),
        ("PATCH", ["messages", message]) => messages::edit(world, call, channel, id(message)?),
        ("DELETE", ["messages", message]) => messages::delete(world, channel, id(message)?),
        ("POST", ["messages", message, "threads"]) => {
            channels::begin_thread(world, call, channel, Some(id(message)?))
        }
        ("PUT" | "DELETE", ["messages", message, "reactions", emoji, "@me"]) => {
            messages::react(world, call, channel, id(message)?, emoji)
        }
        ("PUT" | "DELETE", ["pins", message] | ["messages", "pins", message]) => {
            messages::pin(world, call, channel, id(message)?)
        }
        _ => Err(Refusal::no_such_route()),
    }
}
