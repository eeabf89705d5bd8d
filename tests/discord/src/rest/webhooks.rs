//! What follows the first response, by the token of the interaction: `@original` and follow-ups.

use super::call::{Answer, Call, Reply};
use super::interactions::answer_message;
use crate::refusal::Refusal;
use crate::rules::messages::{ANSWER, EDIT, LOADING};
use crate::world::World;

/// The interaction of a token, if it was answered and the token is alive.
fn interaction(world: &World, app: u64, token: &str) -> Result<u64, Refusal> {
    let found = world.interactions.values().find(|interaction| interaction.token == token);
    let found = found.filter(|_| app == world.application).ok_or_else(Refusal::unknown_webhook)?;
    if found.token_is_dead(world.clock.now_ms()) {
        return Err(Refusal::dead_token());
    }
    if !world.channels.contains_key(&found.channel) {
        return Err(Refusal::unknown_channel());
    }
    // Before the first response, and after it failed to come, there is nothing to follow.
    found.answered_ms.map(|_| found.id).ok_or_else(Refusal::unknown_webhook)
}

pub(super) fn follow_up(world: &mut World, call: &Call, app: u64, token: &str) -> Answer {
    let id = interaction(world, app, token)?;
    call.asks_only(&["wait"])?;
    call.is_message(ANSWER)?;
    let loading = world.interactions[&id].original.and_then(|id| world.messages.get(&id));
    if let Some(loading) = loading.filter(|message| message.is_loading()) {
        // The first one takes the place of a deferred answer, and is as private as that.
        let original = loading.id;
        return edit(world, call, original);
    }
    let mut message = answer_message(world, id, call.body["flags"].as_u64());
    world.fill(&mut message, &call.body, &call.files, "")?;
    world.ping(&mut message, &call.body["allowed_mentions"]);
    let message = world.post(message);
    if let Some(interaction) = world.interactions.get_mut(&id) {
        interaction.followups.push(message.id);
    }
    Ok(Reply::with(world.message_json(&message)))
}

pub(super) fn message(world: &mut World, call: &Call, app: u64, token: &str, which: &str) -> Answer {
    let id = interaction(world, app, token)?;
    let interaction = &world.interactions[&id];
    let named = if which == "@original" {
        interaction.original
    } else {
        let id = super::id(which)?;
        (interaction.original == Some(id) || interaction.followups.contains(&id)).then_some(id)
    };
    let message = named.filter(|id| world.messages.contains_key(id)).ok_or_else(Refusal::unknown_message)?;
    call.asks_only(&[])?;
    match call.method.as_str() {
        "GET" => Ok(Reply::with(world.message_json(&world.messages[&message]))),
        "PATCH" => {
            call.is_message(EDIT)?;
            edit(world, call, message)
        }
        "DELETE" => {
            world.remove(message);
            Ok(Reply::done())
        }
        _ => Err(Refusal::no_such_route()),
    }
}

fn edit(world: &mut World, call: &Call, id: u64) -> Answer {
    let mut message = world.messages[&id].clone();
    let was_loading = message.is_loading();
    message.flags &= !LOADING;
    world.fill(&mut message, &call.body, &call.files, "")?;
    // What takes the place of "thinking" is no edit to people.
    let message = if was_loading { world.put(message) } else { world.repost(message) };
    Ok(Reply::with(world.message_json(&message)))
}
