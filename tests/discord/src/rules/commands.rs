//! Application commands as they are registered. Only chat commands are spoken here.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::limits;
use crate::refusal::{Problems, Refusal};
use crate::shape::{Field, Kind, below, check_object, length, list, may, must, some_text};

pub(crate) const SUB_COMMAND: u64 = 1;
pub(crate) const SUB_COMMAND_GROUP: u64 = 2;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const CHANNEL: u64 = 7;
const NUMBER: u64 = 10;

const COMMAND: &[Field] = &[
    // What an overwrite may carry over.
    may("id", Kind::Snowflake),
    may("type", Kind::OneOf(&[1])),
    must("name", some_text(limits::COMMAND_NAME)),
    may("name_localizations", Kind::Texts),
    must("description", some_text(limits::DESCRIPTION)),
    may("description_localizations", Kind::Texts),
    may("options", list(&Kind::Anything, limits::OPTIONS)),
    may("default_member_permissions", Kind::Snowflake),
    may("dm_permission", Kind::Flag),
    may("default_permission", Kind::Flag),
    may("integration_types", list(&Kind::OneOf(&[0, 1]), 2)),
    may("contexts", list(&Kind::OneOf(&[0, 1, 2]), 3)),
    may("nsfw", Kind::Flag),
];

const OPTION: &[Field] = &[
    must("type", Kind::OneOf(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
    must("name", some_text(limits::COMMAND_NAME)),
    may("name_localizations", Kind::Texts),
    must("description", some_text(limits::DESCRIPTION)),
    may("description_localizations", Kind::Texts),
    may("required", Kind::Flag),
    may("choices", list(&CHOICE, limits::OPTIONS)),
    may("options", list(&Kind::Anything, limits::OPTIONS)),
    may("channel_types", list(&Kind::OneOf(&[0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16]), 13)),
    may("min_value", Kind::Number),
    may("max_value", Kind::Number),
    may("min_length", Kind::Whole { min: 0, max: 6_000 }),
    may("max_length", Kind::Whole { min: 1, max: 6_000 }),
    may("autocomplete", Kind::Flag),
];

const CHOICE: Kind = Kind::Object(&[
    must("name", some_text(limits::DESCRIPTION)),
    may("name_localizations", Kind::Texts),
    must("value", Kind::Anything),
]);

/// The answer to a completion.
const CHOICES: &[Field] = &[must("choices", list(&CHOICE, limits::OPTIONS))];

/// All commands of a bulk overwrite.
pub(crate) fn check_all(body: &Value) -> Result<(), Refusal> {
    let Some(commands) = body.as_array() else {
        return Err(Refusal::at("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"));
    };
    if commands.len() > limits::COMMANDS {
        return Err(Refusal::new(400, 30032, "Maximum number of application commands reached (100)"));
    }
    let mut problems = Problems::default();
    let mut names = BTreeSet::new();
    for (number, command) in commands.iter().enumerate() {
        let path = number.to_string();
        check_object(command, COMMAND, &path, &mut problems);
        check_name(command, &path, &mut problems);
        if !names.insert(command["name"].as_str().unwrap_or_default()) {
            problems.add(
                &path,
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            );
        }
        if together(command) > limits::COMMAND_TOGETHER {
            problems.add(&path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)");
        }
        check_options(&command["options"], Depth::Command, &below(&path, "options"), &mut problems);
    }
    problems.end()
}

/// The choices that complete an option.
pub(crate) fn check_choices(data: &Value, option_type: u64, path: &str) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    check_object(data, CHOICES, path, &mut problems);
    check_values(&data["choices"], option_type, &below(path, "choices"), &mut problems);
    problems.end()
}

#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Command,
    Group,
    SubCommand,
}

fn check_options(options: &Value, depth: Depth, path: &str, problems: &mut Problems) {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    let mut names = BTreeSet::new();
    let mut optional_seen = false;
    let nested = |option: &Value| matches!(option["type"].as_u64(), Some(SUB_COMMAND | SUB_COMMAND_GROUP));
    if options.iter().any(nested) && !options.iter().all(nested) {
        problems.add(
            path,
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        );
    }
    for (number, option) in options.iter().enumerate() {
        let at = below(path, number);
        check_object(option, OPTION, &at, problems);
        check_name(option, &at, problems);
        if !names.insert(option["name"].as_str().unwrap_or_default()) {
            problems.add(
                &at,
                "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS",
                "Option names must be unique",
            );
        }
        let required = option["required"] == true;
        if required && optional_seen {
            problems.add(
                &at,
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            );
        }
        optional_seen |= !required;
        check_option(option, depth, &at, problems);
    }
}

fn check_option(option: &Value, depth: Depth, path: &str, problems: &mut Problems) {
    let kind = option["type"].as_u64().unwrap_or_default();
    let wrong_place = match kind {
        SUB_COMMAND => depth == Depth::SubCommand,
        SUB_COMMAND_GROUP => depth != Depth::Command,
        _ => depth == Depth::Group,
    };
    if wrong_place {
        problems.add(
            &below(path, "type"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Not at this depth: a group holds sub-commands, and a sub-command holds plain options",
        );
    }
    let filled = |name: &str| option[name].as_array().is_some_and(|list| !list.is_empty());
    let only = |name: &str, there: bool, kinds: &[u64], problems: &mut Problems| {
        if there && !kinds.contains(&kind) {
            let message = format!("An option of this type has no {name}");
            problems.add(&below(path, name), "APPLICATION_COMMAND_OPTIONS_FIELD_INVALID", message);
        }
    };
    let value = [STRING, INTEGER, NUMBER];
    only("options", filled("options"), &[SUB_COMMAND, SUB_COMMAND_GROUP], problems);
    only("choices", filled("choices"), &value, problems);
    only("autocomplete", option["autocomplete"] == true, &value, problems);
    only("channel_types", filled("channel_types"), &[CHANNEL], problems);
    for name in ["min_value", "max_value"] {
        only(name, !option[name].is_null(), &[INTEGER, NUMBER], problems);
    }
    for name in ["min_length", "max_length"] {
        only(name, !option[name].is_null(), &[STRING], problems);
    }
    if matches!(kind, SUB_COMMAND | SUB_COMMAND_GROUP) && option["required"] == true {
        let message = "A sub-command cannot be required";
        problems.add(&below(path, "required"), "APPLICATION_COMMAND_OPTIONS_FIELD_INVALID", message);
    }
    if filled("choices") && option["autocomplete"] == true {
        problems.add(
            &below(path, "autocomplete"),
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
            "Autocomplete and choices exclude each other",
        );
    }
    check_values(&option["choices"], kind, &below(path, "choices"), problems);
    match kind {
        SUB_COMMAND => {
            check_options(&option["options"], Depth::SubCommand, &below(path, "options"), problems);
        }
        SUB_COMMAND_GROUP => {
            check_options(&option["options"], Depth::Group, &below(path, "options"), problems);
        }
        _ => {}
    }
}

/// Choices have values of the type of their option, and names of their own.
fn check_values(choices: &Value, kind: u64, path: &str, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for (number, choice) in choices.as_array().into_iter().flatten().enumerate() {
        let at = below(path, number);
        let value = &choice["value"];
        let fits = match kind {
            STRING => value.as_str().is_some_and(|text| length(text) <= limits::DESCRIPTION),
            INTEGER => value.is_i64(),
            NUMBER => value.is_number(),
            _ => true,
        };
        if !fits {
            problems.add(
                &below(&at, "value"),
                "APPLICATION_COMMAND_OPTIONS_CHOICE_VALUE",
                "Not a value of the option's type, or longer than 100",
            );
        }
        if !names.insert(choice["name"].as_str().unwrap_or_default()) {
            problems.add(
                &at,
                "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS",
                "Choice names must be unique",
            );
        }
    }
}

fn check_name(of: &Value, path: &str, problems: &mut Problems) {
    let name = of["name"].as_str().unwrap_or_default();
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.chars().all(letters) {
        problems.add(
            &below(path, "name"),
            "APPLICATION_COMMAND_INVALID_NAME",
            "Command name is invalid: only a-z, 0-9, `-` and `_`",
        );
    }
}

fn together(of: &Value) -> usize {
    let own: usize =
        ["name", "description"].iter().map(|part| length(of[*part].as_str().unwrap_or_default())).sum();
    let below: usize = of["options"].as_array().into_iter().flatten().map(together).sum();
    let choices = of["choices"].as_array().into_iter().flatten();
    let choices: usize = choices
        .map(|choice| {
            length(choice["name"].as_str().unwrap_or_default())
                + length(choice["value"].as_str().unwrap_or_default())
        })
        .sum();
    own + below + choices
}
