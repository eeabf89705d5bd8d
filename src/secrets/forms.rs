//! The forms in which a value may be printed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::MIN_BYTES;

/// White space is not compared: programs wrap and indent what they encode.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Without white space.
pub(super) fn squeezed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| !is_space(*byte)).collect()
}

/// Every form of a value, without white space: of all of it, and of each line that is long enough.
pub(super) fn forms(value: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for piece in std::iter::once(value).chain(value.lines().map(str::trim)) {
        if squeezed(piece.as_bytes()).len() >= MIN_BYTES {
            let printed = written(piece).into_iter().chain(in_base64(piece.as_bytes()));
            all.extend(printed.map(|form| squeezed(form.as_bytes())).filter(|form| form.len() >= MIN_BYTES));
        }
    }
    all
}

/// As it is, reversed, and as others write it.
fn written(value: &str) -> Vec<String> {
    let hex = hex::encode(value);
    let mut forms = Vec::new();
    // In an address, in a path of one, as a component by JavaScript, as a field of a form.
    for keeps in [&b"-._~"[..], b"-._~/", b"-._~!'()*", b"-._* "] {
        for lower in [false, true] {
            let encoded = percent(value, |c| keeps.contains(&c), lower);
            forms.push(if keeps.contains(&b' ') { encoded.replace(' ', "+") } else { encoded });
        }
    }
    // In JSON, as careful programs write it and as others do.
    let json = json(value);
    let careful = json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    for json in [&json, &careful] {
        for json in [json.clone(), ascii(json, false), ascii(json, true)] {
            forms.extend([json.replace('/', "\\/"), json]);
        }
    }
    forms.extend([
        value.to_owned(),
        value.chars().rev().collect(),
        hex.to_uppercase(),
        hex,
        value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        // For a shell: in single quotes, in double quotes, by backslashes, and as bash writes control characters.
        value.replace('\'', "'\\''"),
        value.replace('\'', "'\"'\"'"),
        escaped(value, |c| "\\\"$`!".contains(c)),
        escaped(value, |c| !c.is_alphanumeric() && !"_-./:@%+,=\n".contains(c)),
        escaped(value, |c| "\\'".contains(c)).replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r"),
    ]);
    forms
}

/// In base64 wherever it stands: what comes before moves its bits, and the characters that it shares with its
/// neighbours are not its own.
fn in_base64(value: &[u8]) -> Vec<String> {
    let mut forms = vec![STANDARD.encode(value), URL_SAFE.encode(value)];
    let line = [value, b"\n"].concat();
    forms.extend([STANDARD.encode(&line), URL_SAFE.encode(&line)]);
    for before in 0..3 {
        let shifted = [&vec![0; before], value].concat();
        let own = (before * 8).div_ceil(6)..shifted.len() * 8 / 6;
        forms.push(STANDARD_NO_PAD.encode(&shifted)[own.clone()].to_owned());
        forms.push(URL_SAFE_NO_PAD.encode(&shifted)[own].to_owned());
    }
    forms
}

fn percent(value: &str, keeps: impl Fn(u8) -> bool, lower: bool) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || keeps(byte) {
            out.push(char::from(byte));
        } else if lower {
            let _ = write!(out, "%{byte:02x}");
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every other character as `\u00e9`.
fn ascii(json: &str, upper: bool) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
            }
        }
    }
    out
}

fn escaped(value: &str, which: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if which(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
