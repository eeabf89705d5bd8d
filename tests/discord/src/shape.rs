//! What a body may look like: tables of fields, each with its type and limits.
//!
//! A field that is not in its table is refused. Discord itself ignores most of those, and so hides the slip.

use serde_json::Value;

use crate::refusal::Problems;

/// The type of a value, with its limits.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Text of a length in UTF-16 units.
    Text {
        min: usize,
        max: usize,
    },
    Flag,
    Whole {
        min: i64,
        max: i64,
    },
    /// Any number.
    Number,
    /// An id, or a number as text.
    Snowflake,
    /// A text or a number of at most so many characters.
    Nonce,
    OneOf(&'static [i64]),
    Word(&'static [&'static str]),
    /// A set of bits, of which only these may be set.
    Bits(u64),
    /// A moment, as RFC 3339.
    Time,
    /// An address: `http`, `https` or `attachment`.
    Link,
    List {
        of: &'static Kind,
        min: usize,
        max: usize,
    },
    Object(&'static [Field]),
    /// Texts by language.
    Texts,
    /// Checked elsewhere.
    Anything,
}

/// A field of an object.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    must: bool,
}

/// A field that must be there.
pub(crate) const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, must: true }
}

/// A field that may be missing or null.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, must: false }
}

/// Text of at most so many units.
pub(crate) const fn text(max: usize) -> Kind {
    Kind::Text { min: 0, max }
}

/// Text of at least one and at most so many units.
pub(crate) const fn some_text(max: usize) -> Kind {
    Kind::Text { min: 1, max }
}

/// A list of at most so many.
pub(crate) const fn list(of: &'static Kind, max: usize) -> Kind {
    Kind::List { of, min: 0, max }
}

/// How long a text is for Discord.
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The path of something below a path.
pub(crate) fn below(path: &str, name: impl std::fmt::Display) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// The number that an id is, if it is one.
pub(crate) fn snowflake(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Holds a value against its type; what is wrong goes to the problems.
pub(crate) fn check(value: &Value, kind: Kind, path: &str, problems: &mut Problems) {
    match kind {
        Kind::Text { min, max } => check_text(value, min, max, path, problems),
        Kind::Flag if !value.is_boolean() => {
            problems.add(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.");
        }
        Kind::Whole { min, max } => match value.as_i64() {
            None => {
                problems.add(path, "NUMBER_TYPE_COERCE", format!("Value \"{}\" is not int.", plain(value)));
            }
            Some(number) if number < min || number > max => {
                problems.add(
                    path,
                    "NUMBER_TYPE_RANGE",
                    format!("int value should be between {min} and {max}."),
                );
            }
            Some(_) => {}
        },
        Kind::Number if !value.is_number() => {
            problems.add(path, "NUMBER_TYPE_COERCE", format!("Value \"{}\" is not float.", plain(value)));
        }
        Kind::Snowflake if snowflake(value).is_none() => {
            problems.add(path, "NUMBER_TYPE_COERCE", format!("Value \"{}\" is not snowflake.", plain(value)));
        }
        Kind::Nonce if value.is_string() => check_text(value, 0, crate::limits::NONCE, path, problems),
        Kind::Nonce if !value.is_i64() && !value.is_u64() => {
            problems.add(path, "STRING_TYPE_CONVERT", "A nonce is a text or a whole number.");
        }
        Kind::OneOf(numbers) if !value.as_i64().is_some_and(|number| numbers.contains(&number)) => {
            problems.add(path, "BASE_TYPE_CHOICES", format!("Value must be one of {numbers:?}."));
        }
        Kind::Word(words) if !value.as_str().is_some_and(|word| words.contains(&word)) => {
            problems.add(path, "BASE_TYPE_CHOICES", format!("Value must be one of {words:?}."));
        }
        Kind::Bits(allowed) => match value.as_u64() {
            None => {
                problems.add(path, "NUMBER_TYPE_COERCE", format!("Value \"{}\" is not int.", plain(value)));
            }
            Some(bits) if bits & !allowed != 0 => {
                problems.add(
                    path,
                    "BITFIELD_TYPE_INVALID",
                    format!("Only these bits may be set: {allowed}."),
                );
            }
            Some(_) => {}
        },
        Kind::Time if !value.as_str().is_some_and(is_time) => {
            problems.add(path, "DATE_TIME_TYPE_PARSE", format!("Could not parse {}.", plain(value)));
        }
        Kind::Link if !value.as_str().is_some_and(is_link) => {
            problems.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
        }
        Kind::List { of, min, max } => check_list(value, *of, min, max, path, problems),
        Kind::Object(fields) => check_object(value, fields, path, problems),
        Kind::Texts => match value.as_object() {
            None => problems.add(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType"),
            Some(texts) => {
                for (language, value) in texts {
                    check_text(value, 1, crate::limits::DESCRIPTION, &below(path, language), problems);
                }
            }
        },
        _ => {}
    }
}

fn check_text(value: &Value, min: usize, max: usize, path: &str, problems: &mut Problems) {
    let Some(text) = value.as_str() else {
        let message = format!("Could not interpret \"{}\" as string.", plain(value));
        return problems.add(path, "STRING_TYPE_CONVERT", message);
    };
    let long = length(text);
    if long > max && min == 0 {
        problems.add(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
    } else if long < min || long > max {
        problems.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
    } else if min > 0 && text.trim().is_empty() {
        // Discord trims first, and then finds nothing.
        problems.add(path, "BASE_TYPE_REQUIRED", "This field is required");
    }
}

fn check_list(value: &Value, of: Kind, min: usize, max: usize, path: &str, problems: &mut Problems) {
    let Some(items) = value.as_array() else {
        return problems.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
    };
    if items.len() < min || items.len() > max {
        problems.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
    }
    for (number, item) in items.iter().enumerate() {
        check(item, of, &below(path, number), problems);
    }
}

/// Holds an object against its table.
pub(crate) fn check_object(value: &Value, fields: &[Field], path: &str, problems: &mut Problems) {
    let Some(object) = value.as_object() else {
        return problems.add(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
    };
    for field in fields {
        let at = below(path, field.name);
        match object.get(field.name) {
            None | Some(Value::Null) if field.must => {
                problems.add(&at, "BASE_TYPE_REQUIRED", "This field is required");
            }
            None | Some(Value::Null) => {}
            Some(value) => check(value, field.kind, &at, problems),
        }
    }
    for name in object.keys() {
        if !fields.iter().any(|field| field.name == name) {
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            let message = format!("`{name}` is no field here. Known: {}.", known.join(", "));
            problems.add(&below(path, name), "UNKNOWN_FIELD", message);
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `2026-11-21T14:45:46`, with a fraction and a zone if there is one.
fn is_time(text: &str) -> bool {
    text.len() >= 19
        && text.bytes().take(19).enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T' || byte == b' ',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        })
}

fn is_link(text: &str) -> bool {
    let schemes = ["http://", "https://", "attachment://", "discord://"];
    schemes
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.contains(' ')))
}
