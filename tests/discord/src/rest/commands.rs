//! Registering commands.

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply};
use crate::refusal::Refusal;
use crate::rules::commands::check_all;
use crate::world::World;

pub(super) fn global(world: &mut World, call: &Call, app: u64, rest: &[&str]) -> Answer {
    commands(world, call, app, None, rest)
}

pub(super) fn of_guild(world: &mut World, call: &Call, app: u64, guild: u64, rest: &[&str]) -> Answer {
    if guild != world.guild || !world.bot_is_member {
        return Err(Refusal::missing_access());
    }
    commands(world, call, app, Some(guild), rest)
}

fn commands(world: &mut World, call: &Call, app: u64, guild: Option<u64>, rest: &[&str]) -> Answer {
    if app != world.application {
        return Err(Refusal::new(
            403,
            20012,
            "You are not authorized to perform this action on this application",
        ));
    }
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            call.asks_only(&["with_localizations"])?;
            Ok(Reply::with(world.commands.get(&guild).cloned().unwrap_or_default().into()))
        }
        ("PUT", []) => {
            call.asks_only(&[])?;
            check_all(&call.body)?;
            let before = world.commands.get(&guild).cloned().unwrap_or_default();
            let bodies = call.body.as_array().cloned().unwrap_or_default();
            let now: Vec<Value> = bodies.iter().map(|body| registered(world, body, guild, &before)).collect();
            world.commands.insert(guild, now.clone());
            Ok(Reply::with(now.into()))
        }
        _ => Err(Refusal::no_such_route()),
    }
}

/// A command as it is given back. One of the same name keeps its id.
fn registered(world: &mut World, body: &Value, guild: Option<u64>, before: &[Value]) -> Value {
    let id = before.iter().find(|old| old["name"] == body["name"]).map(|old| old["id"].clone());
    let mut command = json!({
        "id": id.unwrap_or_else(|| world.clock.id().to_string().into()),
        "application_id": world.application.to_string(),
        "version": world.clock.id().to_string(),
        "type": 1,
        "default_member_permissions": null,
        "nsfw": false,
        "contexts": null,
        "integration_types": [0],
        "options": [],
    });
    if let Some(guild) = guild {
        command["guild_id"] = json!(guild.to_string());
    }
    for (name, value) in body.as_object().into_iter().flatten() {
        if name != "id" && !value.is_null() {
            command[name] = value.clone();
        }
    }
    command
}
