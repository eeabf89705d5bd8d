//! What Discord takes, and how much of it. Texts are counted in UTF-16 units: never less than Discord counts.

/// Text of a message.
pub const CONTENT: usize = 2_000;
/// All texts of the embeds of a message together.
pub const TOGETHER: usize = 6_000;
/// Title of an embed.
pub const TITLE: usize = 256;
/// Text of an embed.
pub const TEXT: usize = 4_096;
/// Fields that we show; Discord takes 25, and phones stack them.
pub const FIELDS: usize = 8;
/// Name of a field.
pub const FIELD_NAME: usize = 256;
/// Text of a field.
pub const FIELD: usize = 1_024;
/// Footer of an embed. Discord takes 2,048; a run is found again with these.
pub const FOOTER: usize = 300;
/// Columns of a fence: what a phone shows without breaking lines.
pub const COLUMNS: usize = 44;
/// Buttons in a row.
pub const IN_A_ROW: usize = 5;
/// Buttons under a message.
pub const BUTTONS: usize = 25;
/// Label of a button. Discord takes 80; a row of five fits on a phone with these.
pub const LABEL: usize = 24;
/// What comes back with a press, in bytes.
pub const CUSTOM_ID: usize = 100;
/// Title of a form, and label of its input.
pub const FORM_TITLE: usize = 45;
/// What is typed into a form, at most.
pub const FORM_TEXT: usize = 1_000;
/// Name of a thread.
pub const THREAD: usize = 100;
/// Characters of a nonce.
pub const NONCE: usize = 25;
/// Bytes of a file.
pub const FILE: usize = 8 * 1024 * 1024;
/// People who are pinged by one message.
pub const PINGS: usize = 3;

/// Name of a command or an option.
pub const NAME: usize = 32;
/// Description of a command or an option; name and value of a choice.
pub const DESCRIPTION: usize = 100;
/// Options of a command, and choices of an option.
pub const OPTIONS: usize = 25;
/// Names, descriptions and values of one command together.
pub const COMMAND: usize = 8_000;

/// The length of a text as Discord counts it.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The beginning of a text, with `…` where something was cut off. An escape is never cut in two.
pub fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.len_utf16();
        if used >= most {
            break;
        }
        kept.push(c);
    }
    let slashes = kept.chars().rev().take_while(|c| *c == '\\').count();
    if slashes % 2 == 1 {
        kept.pop();
    }
    kept.push('…');
    kept
}
