//! Values that were written to break something: our own, always; and public collections, where they lie beside us.
//!
//! The collections are other people's work and not part of this repository. `STEADYHAND_CORPORA` names their folder;
//! without it `../shared/corpora` is looked at.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Our own values, with some that are too long for a file.
pub(crate) fn own() -> Vec<String> {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/authoring/nasty.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut values: Vec<String> =
        lines.map(|line| serde_json::from_str(line).expect("a JSON string")).collect();
    assert!(values.len() > 100, "{}", values.len());
    for (part, times) in
        [("x", 1000), ("x", 1001), ("9", 5000), ("é", 50_000), ("a\u{301}", 2000), ("{{", 3000), ("(", 3000)]
    {
        values.push(part.repeat(times));
    }
    values
}

/// The values of the public collections, and how many of the three were not there.
pub(crate) fn public() -> (Vec<String>, usize) {
    let folder = corpora();
    let mut skipped = 0;
    let mut read = |name: &str, values: fn(&str) -> Vec<String>| {
        fs::read_to_string(folder.join(name)).map_or_else(
            |_| {
                skipped += 1;
                eprintln!("skipped: {name} is not in {}", folder.display());
                Vec::new()
            },
            |text| values(&text),
        )
    };
    let mut all = read("blns/blns.json", |text| serde_json::from_str(text).expect("a list of strings"));
    all.extend(read("payloadbox/command-injection-unix.every-second-line.txt", |text| {
        text.lines().map(str::to_owned).collect()
    }));
    all.extend(read("trojan-source/samples.json", samples));
    (all, skipped)
}

/// The lines that read differently from what they say; none if they are not there.
pub(crate) fn trojan() -> Vec<String> {
    fs::read_to_string(corpora().join("trojan-source/samples.json"))
        .map_or_else(|_| Vec::new(), |text| samples(&text))
}

fn samples(text: &str) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(entries) => {
                found.extend(entries.get("text").and_then(Value::as_str).map(str::to_owned));
                entries.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(text).expect("JSON"), &mut found);
    assert!(found.len() > 10, "{}", found.len());
    found
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where the collections lie")]
fn corpora() -> PathBuf {
    let named = std::env::var("STEADYHAND_CORPORA").map(PathBuf::from);
    named.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"))
}

/// Asserts that what is printed holds nothing that hides, turns or moves what stands around it. This is written anew
/// here, so that a hole in the product's own list shows.
pub(crate) fn assert_visible(printed: &str, why: &str) {
    let odd = printed.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(*c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    });
    assert!(odd.is_none(), "U+{:04X} is printed for {why:?}: {printed:?}", u32::from(odd.unwrap()));
}
