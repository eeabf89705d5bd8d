//! Where the gateway is, and looking at guild, people and roles.

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply, id};
use crate::refusal::Refusal;
use crate::sessions::GUILD_MEMBERS;
use crate::world::World;

pub(super) fn gateway(world: &World) -> Value {
    json!({"url": format!("ws://{}", world.address)})
}

pub(super) fn gateway_bot(world: &World) -> Value {
    json!({
        "url": format!("ws://{}", world.address),
        "shards": 1,
        "session_start_limit": {"total": 1_000, "remaining": 999, "reset_after": 3_600_000, "max_concurrency": 1},
    })
}

pub(super) fn user(world: &World, user: u64) -> Answer {
    world.users.get(&user).map(|user| Reply::with(world.user_json(user))).ok_or_else(Refusal::unknown_user)
}

pub(super) fn guild(world: &World, call: &Call, guild: u64, rest: &[&str]) -> Answer {
    if guild != world.guild {
        return Err(Refusal::unknown_guild());
    }
    if !world.bot_is_member {
        return Err(Refusal::missing_access());
    }
    let people = || world.users.values().filter(|user| user.is_member);
    match rest {
        [] => {
            call.asks_only(&["with_counts"])?;
            let mut guild = world.guild_json();
            let fields = guild.as_object_mut().expect("a guild is an object");
            // What the gateway alone tells.
            for part in [
                "joined_at",
                "large",
                "unavailable",
                "member_count",
                "members",
                "channels",
                "threads",
                "voice_states",
                "presences",
                "stage_instances",
                "guild_scheduled_events",
                "soundboard_sounds",
            ] {
                fields.remove(part);
            }
            Ok(Reply::with(guild))
        }
        ["channels"] => Ok(Reply::with(world.guild_json()["channels"].clone())),
        ["roles"] => Ok(Reply::with(world.guild_json()["roles"].clone())),
        ["threads", "active"] => {
            Ok(Reply::with(json!({"threads": world.guild_json()["threads"], "members": []})))
        }
        ["members"] => {
            call.asks_only(&["limit", "after"])?;
            if world.sessions.granted & GUILD_MEMBERS == 0 {
                return Err(Refusal::missing_access());
            }
            let limit = call.number("limit")?.unwrap_or(1);
            if !(1..=1_000).contains(&limit) {
                return Err(Refusal::at("limit", "NUMBER_TYPE_RANGE", "Between 1 and 1000."));
            }
            let after = call.number("after")?.unwrap_or_default();
            let found = people().filter(|user| user.id > after).take(usize::try_from(limit).unwrap_or(1));
            Ok(Reply::with(found.map(|user| world.member_json(user, true)).collect()))
        }
        ["members", user] => {
            let user = id(user)?;
            let found = people().find(|person| person.id == user);
            let known = world.users.contains_key(&user);
            match found {
                Some(user) => Ok(Reply::with(world.member_json(user, true))),
                None if known => Err(Refusal::unknown_member()),
                None => Err(Refusal::unknown_user()),
            }
        }
        _ => Err(Refusal::no_such_route()),
    }
}
