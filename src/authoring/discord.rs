//! What Discord can show: where its door is open, every runbook is a command there, and every parameter an option.

use crate::policy::model::DiscordDoor;
use crate::runbook::model::{ParameterKind, Runbook, Word};
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};

/// The longest name of a command or an option.
const NAME: usize = 32;
/// Options of a command; one of them is the reason.
const OPTIONS: usize = 25;
/// The longest value of a choice.
const CHOICE: usize = 100;

/// Whether a text is an id of Discord: a number that never changes.
pub(super) fn is_id(text: &str) -> bool {
    (15..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Holds the door against what Discord has.
pub(super) fn check_door(door: &DiscordDoor, problems: &mut Problems) {
    let id = |word: &Word, what: &str, problems: &mut Problems| {
        if !word.value.is_empty() && !is_id(&word.value) {
            let message = format!("`{}` is no id of a Discord {what}", word.value);
            let cure = format!("the number that Discord shows under Copy {what} ID, in quotes");
            problems.add(Code::ShapeType, &word.place, message, cure);
        }
    };
    id(&door.server, "Server", problems);
    door.channels.iter().for_each(|channel| id(channel, "Channel", problems));
    if door.channels.is_empty() {
        let message = "the door discord has no channel, so nothing could be said there";
        problems.add(Code::KeyMissing, &door.server.place, message, "name a channel, or remove the door");
    }
}

/// Holds a runbook against what a command can be.
pub(super) fn check_runbook(runbook: &Runbook, problems: &mut Problems) {
    let long = |text: &str, place: &Place, what: &str, most: usize, problems: &mut Problems| {
        if text.len() > most {
            let message = format!("{what} has {} characters, and Discord takes {most}", text.len());
            problems.add(Code::DiscordLimit, place, message, "shorten it, or close the door discord");
        }
    };
    long(runbook.name.as_str(), &runbook.place, "the name of this runbook", NAME, problems);
    for parameter in &runbook.parameters {
        long(&parameter.name, &parameter.name.place, "the name of this parameter", NAME, problems);
        if let ParameterKind::Choice(words) = &parameter.kind {
            for word in words {
                long(word, &word.place, "this choice", CHOICE, problems);
            }
        }
    }
    if let Some(first_too_many) = runbook.parameters.get(OPTIONS - 1) {
        let message = format!(
            "this runbook has {} parameters, and a command of Discord has {} beside the reason",
            runbook.parameters.len(),
            OPTIONS - 1
        );
        let cure = "divide the runbook, or close the door discord";
        problems.add(Code::DiscordLimit, &first_too_many.name.place, message, cure);
    }
}
