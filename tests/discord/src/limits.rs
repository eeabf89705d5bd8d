//! What Discord counts, and how far. Texts are counted in UTF-16 units: never less than any client or server counts.

/// Text of a message.
pub const CONTENT: usize = 2_000;
/// Embeds of a message.
pub const EMBEDS: usize = 10;
/// All texts of all embeds of a message together.
pub const EMBEDS_TOGETHER: usize = 6_000;
/// Title of an embed.
pub const EMBED_TITLE: usize = 256;
/// Description of an embed.
pub const EMBED_DESCRIPTION: usize = 4_096;
/// Fields of an embed.
pub const EMBED_FIELDS: usize = 25;
/// Name of a field.
pub const FIELD_NAME: usize = 256;
/// Value of a field.
pub const FIELD_VALUE: usize = 1_024;
/// Footer of an embed.
pub const FOOTER: usize = 2_048;
/// Name of the author of an embed.
pub const EMBED_AUTHOR: usize = 256;
/// Rows of buttons under a message.
pub const ROWS: usize = 5;
/// Buttons in a row.
pub const BUTTONS: usize = 5;
/// The id that comes back with a press.
pub const CUSTOM_ID: usize = 100;
/// Label of a button.
pub const BUTTON_LABEL: usize = 80;
/// Title of a modal.
pub const MODAL_TITLE: usize = 45;
/// Inputs of a modal.
pub const MODAL_INPUTS: usize = 5;
/// Label of an input.
pub const INPUT_LABEL: usize = 45;
/// Value of an input.
pub const INPUT_VALUE: usize = 4_000;
/// Placeholder of an input.
pub const INPUT_PLACEHOLDER: usize = 100;
/// Placeholder of a select menu.
pub const SELECT_PLACEHOLDER: usize = 150;
/// Name of a channel or thread.
pub const CHANNEL_NAME: usize = 100;
/// Chat commands of an application, each in a guild and everywhere.
pub const COMMANDS: usize = 100;
/// Options of a command, and choices of an option.
pub const OPTIONS: usize = 25;
/// Name of a command or option.
pub const COMMAND_NAME: usize = 32;
/// Description of a command or option; name and value of a choice.
pub const DESCRIPTION: usize = 100;
/// Names, descriptions and values of one command together.
pub const COMMAND_TOGETHER: usize = 8_000;
/// Files of a message.
pub const FILES: usize = 10;
/// Bytes of the files of a message together.
pub const FILES_BYTES: usize = 10 * 1024 * 1024;
/// Text of a nonce.
pub const NONCE: usize = 25;
/// Persons or roles that a message may list as mentioned.
pub const MENTIONS: usize = 100;
/// Time for the first response to an interaction, milliseconds.
pub const FIRST_RESPONSE_MS: u64 = 3_000;
/// Life of the token of an interaction, milliseconds.
pub const TOKEN_LIFE_MS: u64 = 15 * 60 * 1_000;
/// How long `enforce_nonce` remembers, milliseconds. Discord says "the past few minutes".
pub const NONCE_MS: u64 = 5 * 60 * 1_000;
/// How long a lost session can be resumed, milliseconds.
pub const RESUME_MS: u64 = 5 * 60 * 1_000;
/// What a client may send to the gateway in a minute.
pub const GATEWAY_SENDS: usize = 120;
