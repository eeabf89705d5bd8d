//! Messages and embeds: as they are sent to a channel, as an answer to an interaction, and as an edit.

use serde_json::Value;

use crate::limits;
use crate::refusal::{Problems, Refusal};
use crate::rules::components;
use crate::shape::{Field, Kind, below, check_object, length, list, may, must, some_text, text};

/// `SUPPRESS_EMBEDS`, `EPHEMERAL`, `SUPPRESS_NOTIFICATIONS`.
pub(crate) const SUPPRESS_EMBEDS: u64 = 1 << 2;
pub(crate) const EPHEMERAL: u64 = 1 << 6;
pub(crate) const LOADING: u64 = 1 << 7;
pub(crate) const SILENT: u64 = 1 << 12;

const FIELD: Kind = Kind::Object(&[
    must("name", some_text(limits::FIELD_NAME)),
    must("value", some_text(limits::FIELD_VALUE)),
    may("inline", Kind::Flag),
]);

const SIZE: Kind = Kind::Whole { min: 0, max: i64::MAX };

const PICTURE: Kind = Kind::Object(&[
    must("url", Kind::Link),
    may("proxy_url", Kind::Link),
    may("height", SIZE),
    may("width", SIZE),
]);

const EMBED: Kind = Kind::Object(&[
    may("title", text(limits::EMBED_TITLE)),
    may("type", Kind::Word(&["rich"])),
    may("description", text(limits::EMBED_DESCRIPTION)),
    may("url", Kind::Link),
    may("timestamp", Kind::Time),
    may("color", Kind::Whole { min: 0, max: 0xFF_FF_FF }),
    may(
        "footer",
        Kind::Object(&[
            must("text", some_text(limits::FOOTER)),
            may("icon_url", Kind::Link),
            may("proxy_icon_url", Kind::Link),
        ]),
    ),
    may("image", PICTURE),
    may("thumbnail", PICTURE),
    may(
        "author",
        Kind::Object(&[
            must("name", some_text(limits::EMBED_AUTHOR)),
            may("url", Kind::Link),
            may("icon_url", Kind::Link),
            may("proxy_icon_url", Kind::Link),
        ]),
    ),
    may("fields", list(&FIELD, limits::EMBED_FIELDS)),
]);

const ALLOWED_MENTIONS: Kind = Kind::Object(&[
    may("parse", list(&Kind::Word(&["roles", "users", "everyone"]), 3)),
    may("roles", list(&Kind::Snowflake, limits::MENTIONS)),
    may("users", list(&Kind::Snowflake, limits::MENTIONS)),
    may("replied_user", Kind::Flag),
]);

const ATTACHMENT: Kind = Kind::Object(&[
    must("id", Kind::Snowflake),
    may("filename", some_text(1_024)),
    may("title", text(1_024)),
    may("description", text(1_024)),
    // What an edit sends back of those that stay.
    may("content_type", text(256)),
    may("size", SIZE),
    may("url", Kind::Link),
    may("proxy_url", Kind::Link),
    may("height", SIZE),
    may("width", SIZE),
    may("ephemeral", Kind::Flag),
]);

const REFERENCE: Kind = Kind::Object(&[
    // Forwarding is not spoken here.
    may("type", Kind::OneOf(&[0])),
    must("message_id", Kind::Snowflake),
    may("channel_id", Kind::Snowflake),
    may("guild_id", Kind::Snowflake),
    may("fail_if_not_exists", Kind::Flag),
]);

const EMBEDS: Field = may("embeds", list(&EMBED, limits::EMBEDS));
const FILES: Field = may("attachments", list(&ATTACHMENT, limits::FILES));

/// POST of a message to a channel.
pub(crate) const CREATE: &[Field] = &[
    may("content", text(limits::CONTENT)),
    may("nonce", Kind::Nonce),
    may("enforce_nonce", Kind::Flag),
    may("tts", Kind::Flag),
    EMBEDS,
    may("allowed_mentions", ALLOWED_MENTIONS),
    may("message_reference", REFERENCE),
    may("components", Kind::Anything),
    may("sticker_ids", list(&Kind::Snowflake, 0)),
    FILES,
    may("flags", Kind::Bits(SUPPRESS_EMBEDS | SILENT)),
];

/// PATCH of a message in a channel.
pub(crate) const EDIT: &[Field] = &[
    may("content", text(limits::CONTENT)),
    EMBEDS,
    may("allowed_mentions", ALLOWED_MENTIONS),
    may("components", Kind::Anything),
    FILES,
    may("flags", Kind::Bits(SUPPRESS_EMBEDS)),
];

/// The message of a first response, and of a follow-up.
pub(crate) const ANSWER: &[Field] = &[
    may("content", text(limits::CONTENT)),
    may("tts", Kind::Flag),
    EMBEDS,
    may("allowed_mentions", ALLOWED_MENTIONS),
    may("components", Kind::Anything),
    FILES,
    may("flags", Kind::Bits(SUPPRESS_EMBEDS | EPHEMERAL | SILENT)),
];

/// Holds a message against its table, and its parts against each other.
pub(crate) fn check(body: &Value, fields: &[Field], path: &str) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    check_object(body, fields, path, &mut problems);
    check_embeds(&body["embeds"], &below(path, "embeds"), &mut problems);
    check_mentions(&body["allowed_mentions"], &below(path, "allowed_mentions"), &mut problems);
    if !body["components"].is_null() {
        components::check_message(&body["components"], &below(path, "components"), &mut problems);
    }
    if body["enforce_nonce"] == true && body["nonce"].is_null() {
        problems.add(&below(path, "nonce"), "BASE_TYPE_REQUIRED", "This field is required");
    }
    problems.end()
}

fn check_embeds(embeds: &Value, path: &str, problems: &mut Problems) {
    let embeds = embeds.as_array().map_or(&[][..], Vec::as_slice);
    if embeds.iter().map(embed_length).sum::<usize>() > limits::EMBEDS_TOGETHER {
        problems.add(
            path,
            "MAX_EMBED_SIZE_EXCEEDED",
            format!("Embed size exceeds maximum size of {}", limits::EMBEDS_TOGETHER),
        );
    }
    for (number, embed) in embeds.iter().enumerate() {
        let picture = ["image", "thumbnail"].iter().any(|part| embed[*part].is_object());
        if embed.is_object() && embed_length(embed) == 0 && !picture {
            problems.add(&below(path, number), "BASE_TYPE_REQUIRED", "An embed that shows nothing.");
        }
    }
}

fn embed_length(embed: &Value) -> usize {
    let own = [&embed["title"], &embed["description"], &embed["footer"]["text"], &embed["author"]["name"]];
    let fields = embed["fields"].as_array().into_iter().flatten();
    own.into_iter()
        .chain(fields.flat_map(|field| [&field["name"], &field["value"]]))
        .map(|text| length(text.as_str().unwrap_or_default()))
        .sum()
}

fn check_mentions(mentions: &Value, path: &str, problems: &mut Problems) {
    for list in ["users", "roles"] {
        let listed = mentions[list].as_array().is_some_and(|list| !list.is_empty());
        let parsed = mentions["parse"].as_array().is_some_and(|parse| parse.iter().any(|word| word == list));
        if listed && parsed {
            let message = format!("parse:[\"{list}\"] and {list}: [ids...] are mutually exclusive.");
            problems.add(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
        }
    }
}
