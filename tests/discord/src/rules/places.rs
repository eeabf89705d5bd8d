//! Channels, threads, and the frame of an answer to an interaction.

use crate::limits;
use crate::shape::{Field, Kind, list, may, must, some_text, text};

const AFTER: Kind = Kind::OneOf(&[60, 1_440, 4_320, 10_080]);
const SLOW_MODE: Kind = Kind::Whole { min: 0, max: 21_600 };

/// POST of a thread under a message.
pub(crate) const THREAD_OF_MESSAGE: &[Field] = &[
    must("name", some_text(limits::CHANNEL_NAME)),
    may("auto_archive_duration", AFTER),
    may("rate_limit_per_user", SLOW_MODE),
];

/// POST of a thread without a message. The type is asked for: what it is when missing has changed before.
pub(crate) const THREAD: &[Field] = &[
    must("name", some_text(limits::CHANNEL_NAME)),
    may("auto_archive_duration", AFTER),
    must("type", Kind::OneOf(&[11, 12])),
    may("invitable", Kind::Flag),
    may("rate_limit_per_user", SLOW_MODE),
];

/// PATCH of a thread.
pub(crate) const EDIT_THREAD: &[Field] = &[
    may("name", some_text(limits::CHANNEL_NAME)),
    may("archived", Kind::Flag),
    may("auto_archive_duration", AFTER),
    may("locked", Kind::Flag),
    may("invitable", Kind::Flag),
    may("rate_limit_per_user", SLOW_MODE),
    may("flags", Kind::Bits(1 << 1)),
];

/// PATCH of a channel.
pub(crate) const EDIT_CHANNEL: &[Field] = &[
    may("name", some_text(limits::CHANNEL_NAME)),
    may("topic", text(1_024)),
    may("position", Kind::Whole { min: 0, max: 10_000 }),
    may("nsfw", Kind::Flag),
    may("rate_limit_per_user", SLOW_MODE),
    may("default_auto_archive_duration", AFTER),
];

/// POST of a channel to one person.
pub(crate) const DIRECT: &[Field] = &[must("recipient_id", Kind::Snowflake)];

/// POST of the first response to an interaction.
pub(crate) const CALLBACK: &[Field] =
    &[must("type", Kind::OneOf(&[1, 4, 5, 6, 7, 8, 9])), may("data", Kind::Anything)];

/// The data of a deferral. serenity sends an empty list of files with it.
pub(crate) const DEFERRAL: &[Field] = &[
    may("flags", Kind::Bits(crate::rules::messages::EPHEMERAL)),
    may("tts", Kind::Flag),
    may("attachments", list(&Kind::Anything, 0)),
];
