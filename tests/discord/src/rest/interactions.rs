//! The first response to an interaction: one, within three seconds, and of a kind that fits.

use serde_json::json;

use super::call::{Answer, Call, Reply};
use crate::interaction::{Interaction, Kind, Response};
use crate::message::Message;
use crate::refusal::{Problems, Refusal};
use crate::rules::messages::{ANSWER, EPHEMERAL, LOADING};
use crate::rules::places::{CALLBACK, DEFERRAL};
use crate::rules::{commands, components, messages};
use crate::shape::check_object;
use crate::world::World;

pub(super) fn callback(world: &mut World, call: &Call, id: u64, token: &str) -> Answer {
    let now = world.clock.now_ms();
    let found = world.interactions.get(&id).filter(|interaction| interaction.token == token);
    let interaction = found.ok_or_else(Refusal::unknown_interaction)?;
    if interaction.answered_ms.is_some() {
        return Err(Refusal::already_acknowledged());
    }
    if interaction.has_failed(now) {
        return Err(Refusal::unknown_interaction());
    }
    if !world.channels.contains_key(&interaction.channel) {
        return Err(Refusal::unknown_channel());
    }
    call.asks_only(&["with_response"])?;
    call.fits(CALLBACK)?;
    let kind = call.body["type"].as_u64().unwrap_or_default();
    fits_the_question(interaction, kind)?;
    let (user, channel, button) = (interaction.user, interaction.channel, interaction.message);
    let option_type = interaction.option_type;
    let asked_by = interaction.kind;
    let data = &call.body["data"];
    if !call.files.is_empty() && !matches!(kind, 4 | 7) {
        return Err(Refusal::at("data", "UNKNOWN_FIELD", "Only a message has files."));
    }
    let (response, original) = match kind {
        4 | 5 => {
            if kind == 4 {
                messages::check(data, ANSWER, "data")?;
            } else if !data.is_null() {
                let mut problems = Problems::default();
                check_object(data, DEFERRAL, "data", &mut problems);
                problems.end()?;
            }
            let mut message = answer_message(world, id, data["flags"].as_u64());
            message.kind = if asked_by == Kind::Command { 20 } else { 0 };
            if kind == 4 {
                world.fill(&mut message, data, &call.files, "data")?;
                world.ping(&mut message, &data["allowed_mentions"]);
            } else {
                message.flags |= LOADING;
            }
            let message = world.post(message);
            (Response::Message { deferred: kind == 5 }, Some(message.id))
        }
        6 => {
            if data.as_object().is_some_and(|data| !data.is_empty()) {
                return Err(Refusal::at("data", "UNKNOWN_FIELD", "This response has no data."));
            }
            (Response::Update { deferred: true }, button)
        }
        7 => {
            messages::check(data, ANSWER, "data")?;
            let message = button.and_then(|id| world.messages.get(&id)).cloned();
            let mut message = message.ok_or_else(Refusal::unknown_message)?;
            world.fill(&mut message, data, &call.files, "data")?;
            world.repost(message);
            (Response::Update { deferred: false }, button)
        }
        8 => {
            commands::check_choices(data, option_type, "data")?;
            (Response::Choices(data["choices"].as_array().cloned().unwrap_or_default()), None)
        }
        _ => {
            components::check_modal(data, "data")?;
            (Response::Modal(data.clone()), None)
        }
    };
    let interaction = world.interactions.get_mut(&id).expect("it was found above");
    interaction.answered_ms = Some(now);
    interaction.response = response;
    interaction.original = original;
    if call.query.get("with_response").is_none_or(|said| said != "true") {
        return Ok(Reply::done());
    }
    let mut body = json!({
        "interaction": {
            "id": id.to_string(),
            "type": asked_by.number(),
            "response_message_id": original.map(|id| id.to_string()),
            "response_message_loading": kind == 5,
            "response_message_ephemeral": data["flags"].as_u64().is_some_and(|flags| flags & EPHEMERAL != 0),
            "channel_id": channel.to_string(),
            "user_id": user.to_string(),
        },
        "resource": {"type": kind},
    });
    if let Some(message) = original.filter(|_| kind != 6).and_then(|id| world.messages.get(&id)) {
        body["resource"]["message"] = world.message_json(message);
    }
    Ok(Reply::with(body))
}

fn fits_the_question(interaction: &Interaction, kind: u64) -> Result<(), Refusal> {
    let on_message = interaction.message.is_some();
    let fits = match interaction.kind {
        Kind::Completion => kind == 8,
        Kind::Command => matches!(kind, 4 | 5 | 9),
        Kind::Component => matches!(kind, 4 | 5 | 6 | 7 | 9),
        // A modal does not follow a modal; a message can be changed if there is one.
        Kind::Modal => matches!(kind, 4 | 5) || on_message && matches!(kind, 6 | 7),
    };
    if fits {
        Ok(())
    } else {
        let message = format!("A response of type {kind} does not fit this interaction.");
        Err(Refusal::at("type", "INTERACTION_RESPONSE_TYPE_INVALID", &message))
    }
}

/// An empty message that answers an interaction.
pub(super) fn answer_message(world: &World, id: u64, flags: Option<u64>) -> Message {
    let interaction = &world.interactions[&id];
    let private = flags.is_some_and(|flags| flags & EPHEMERAL != 0);
    Message {
        channel: interaction.channel,
        author: world.bot,
        interaction: Some(id),
        private_to: private.then_some(interaction.user),
        ..Message::default()
    }
}
