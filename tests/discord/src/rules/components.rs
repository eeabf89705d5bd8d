//! Rows, buttons, select menus of texts, and the inputs of a modal. Other components are not spoken here.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::limits;
use crate::refusal::{Problems, Refusal};
use crate::shape::{Field, Kind, below, check_object, may, must, some_text, text};

const COMPONENT_ID: Field = may("id", Kind::Whole { min: 0, max: i32::MAX as i64 });

const EMOJI: Kind =
    Kind::Object(&[may("id", Kind::Snowflake), may("name", some_text(32)), may("animated", Kind::Flag)]);

const ROW: &[Field] = &[must("type", Kind::OneOf(&[1])), COMPONENT_ID, must("components", Kind::Anything)];

const BUTTON: &[Field] = &[
    must("type", Kind::OneOf(&[2])),
    COMPONENT_ID,
    must("style", Kind::OneOf(&[1, 2, 3, 4, 5])),
    may("label", some_text(limits::BUTTON_LABEL)),
    may("emoji", EMOJI),
    may("custom_id", some_text(limits::CUSTOM_ID)),
    may("url", Kind::Link),
    may("disabled", Kind::Flag),
];

const CHOICE: Kind = Kind::Object(&[
    must("label", some_text(100)),
    must("value", some_text(100)),
    may("description", text(100)),
    may("emoji", EMOJI),
    may("default", Kind::Flag),
]);

const SELECT: &[Field] = &[
    must("type", Kind::OneOf(&[3])),
    COMPONENT_ID,
    must("custom_id", some_text(limits::CUSTOM_ID)),
    must("options", Kind::List { of: &CHOICE, min: 1, max: limits::OPTIONS }),
    may("placeholder", text(limits::SELECT_PLACEHOLDER)),
    may("min_values", Kind::Whole { min: 0, max: 25 }),
    may("max_values", Kind::Whole { min: 1, max: 25 }),
    may("disabled", Kind::Flag),
];

#[expect(clippy::cast_possible_wrap, reason = "it is small")]
const INPUT_VALUE: i64 = limits::INPUT_VALUE as i64;

const INPUT: &[Field] = &[
    must("type", Kind::OneOf(&[4])),
    COMPONENT_ID,
    must("custom_id", some_text(limits::CUSTOM_ID)),
    must("style", Kind::OneOf(&[1, 2])),
    must("label", some_text(limits::INPUT_LABEL)),
    may("min_length", Kind::Whole { min: 0, max: INPUT_VALUE }),
    may("max_length", Kind::Whole { min: 1, max: INPUT_VALUE }),
    may("required", Kind::Flag),
    may("value", text(limits::INPUT_VALUE)),
    may("placeholder", text(limits::INPUT_PLACEHOLDER)),
];

const MODAL: &[Field] = &[
    must("custom_id", some_text(limits::CUSTOM_ID)),
    must("title", some_text(limits::MODAL_TITLE)),
    must("components", Kind::Anything),
];

/// The rows under a message.
pub(crate) fn check_message(rows: &Value, path: &str, problems: &mut Problems) {
    let mut known = BTreeSet::new();
    for (at, items) in rows_of(rows, limits::ROWS, path, problems) {
        let buttons = items.iter().filter(|item| item["type"] == 2).count();
        if items.is_empty() || items.len() > limits::BUTTONS {
            problems.add(&at, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
        } else if buttons != items.len() && items.len() > 1 {
            problems.add(&at, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "A select menu stands alone in its row.");
        }
        for (number, item) in items.iter().enumerate() {
            let at = below(&at, number);
            match item["type"].as_u64() {
                Some(2) => check_button(item, &at, problems),
                Some(3) => check_object(item, SELECT, &at, problems),
                _ => problems.add(&below(&at, "type"), "BASE_TYPE_CHOICES", "Value must be one of {2, 3}."),
            }
            unique(item, &at, &mut known, problems);
        }
    }
}

/// A modal: its title and its inputs, one a row.
pub(crate) fn check_modal(modal: &Value, path: &str) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    check_object(modal, MODAL, path, &mut problems);
    let at = below(path, "components");
    let rows = modal["components"].as_array().map_or(0, Vec::len);
    if rows == 0 {
        problems.add(&at, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
    }
    let mut known = BTreeSet::new();
    for (at, items) in rows_of(&modal["components"], limits::MODAL_INPUTS, &at, &mut problems) {
        if items.len() != 1 {
            problems.add(&at, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 1 in length.");
        }
        for (number, item) in items.iter().enumerate() {
            let at = below(&at, number);
            check_object(item, INPUT, &at, &mut problems);
            let bound = |name: &str| item[name].as_u64();
            if bound("min_length").unwrap_or(0) > bound("max_length").unwrap_or(u64::MAX) {
                problems.add(&below(&at, "min_length"), "NUMBER_TYPE_MAX", "More than max_length.");
            }
            unique(item, &at, &mut known, &mut problems);
        }
    }
    problems.end()
}

/// The contents of each row with their paths.
fn rows_of<'a>(
    rows: &'a Value,
    max: usize,
    path: &str,
    problems: &mut Problems,
) -> Vec<(String, &'a [Value])> {
    let Some(rows) = rows.as_array() else {
        problems.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        return Vec::new();
    };
    if rows.len() > max {
        problems.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between 1 and {max} in length."));
    }
    let mut found = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let at = below(path, number);
        check_object(row, ROW, &at, problems);
        match row["components"].as_array() {
            Some(items) => found.push((below(&at, "components"), items.as_slice())),
            None if row["components"].is_null() => {}
            None => problems.add(&at, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"),
        }
    }
    found
}

fn check_button(button: &Value, path: &str, problems: &mut Problems) {
    check_object(button, BUTTON, path, problems);
    let (link, custom, url) =
        (button["style"] == 5, !button["custom_id"].is_null(), !button["url"].is_null());
    if link && (!url || custom) {
        problems.add(path, "BUTTON_COMPONENT_URL_REQUIRED", "A link has a url and no custom id.");
    }
    if !link && url {
        problems.add(&below(path, "url"), "BUTTON_COMPONENT_INVALID_URL", "Only a link has a url.");
    }
    if !link && !custom {
        problems.add(
            &below(path, "custom_id"),
            "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
            "A custom id is required",
        );
    }
    if button["label"].is_null() && button["emoji"].is_null() {
        problems.add(path, "BUTTON_COMPONENT_INVALID_CONTENT", "A button has a label or an emoji.");
    }
}

fn unique(item: &Value, path: &str, known: &mut BTreeSet<String>, problems: &mut Problems) {
    if let Some(id) = item["custom_id"].as_str()
        && !known.insert(id.to_owned())
    {
        problems.add(
            &below(path, "custom_id"),
            "COMPONENT_CUSTOM_ID_DUPLICATED",
            "Component custom id cannot be duplicated",
        );
    }
}
