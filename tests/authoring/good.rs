//! Sound files: what is shipped, and more runbooks on the same packs. Together they use every word of the language.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::folder::{Folder, fixtures};
use crate::schema::{KINDS, files, schema};

/// What is shipped.
pub(crate) fn shipped() -> Folder {
    Folder::empty().with_all_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks"))
}

/// What is shipped, with the runbooks and packs of the tests.
pub(crate) fn good() -> Folder {
    shipped().with_all_of(&fixtures().join("good"))
}

#[test]
fn what_is_shipped_is_sound() {
    let said = shipped().check();

    assert_eq!(said.code, 0, "{}", said.out);
    assert!(said.out.starts_with("3 runbooks in 9 files: all sound"), "{}", said.out);
}

#[test]
fn the_good_examples_are_sound() {
    let said = good().check();

    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn every_key_and_word_of_the_language_is_used_by_a_good_example() {
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    let schemas = KINDS.map(|kind| (kind, schema(&Folder::empty(), kind)));
    for (kind, schema) in &schemas {
        note_known(kind, schema, &mut known);
        for (shape, inner) in schema["$defs"].as_object().unwrap() {
            note_known(shape, inner, &mut known);
        }
    }
    for folder in [good(), Folder::town()] {
        for (_, kind, value) in files(&folder.at("runbooks")) {
            let (_, schema) = schemas.iter().find(|(known, _)| *known == kind).unwrap();
            note_used(schema, kind, schema, &value, &mut used);
        }
    }

    let missing: Vec<_> = known.difference(&used).collect();
    assert!(known.len() > 150, "{}", known.len());
    assert!(missing.is_empty(), "no good example uses {missing:#?}");
}

/// The keys of a shape, and the words that a key may have.
fn note_known(shape: &str, schema: &Value, known: &mut BTreeSet<String>) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        known.insert(format!("{shape}.{key}"));
        note_words(&format!("{shape}.{key}"), value, known);
    }
}

fn note_words(name: &str, schema: &Value, known: &mut BTreeSet<String>) {
    for word in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        known.insert(format!("{} = {word}", name_of_words(name)));
    }
    for inner in schema["oneOf"].as_array().into_iter().flatten() {
        note_words(name, inner, known);
    }
    for inner in [&schema["items"], &schema["additionalProperties"]] {
        if inner.is_object() {
            note_words(name, inner, known);
        }
    }
}

/// Inputs, results and settings have the same types: each type is shown by one of them.
fn name_of_words(name: &str) -> &str {
    if ["action.inputs", "probe.inputs", "probe.results", "pack.settings"].contains(&name) {
        "type"
    } else {
        name
    }
}

/// The keys and words of a value, found by walking along its schema.
fn note_used(root: &Value, name: &str, schema: &Value, value: &Value, used: &mut BTreeSet<String>) {
    if let Some(shape) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        return note_used(root, shape, &root["$defs"][shape], value, used);
    }
    for inner in schema["oneOf"].as_array().into_iter().flatten() {
        if may_be(root, inner, value) {
            note_used(root, name, inner, value, used);
        }
    }
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let (of, inner) = match schema["properties"].get(key) {
                    Some(inner) => (format!("{name}.{key}"), inner),
                    None => (name.to_owned(), &schema["additionalProperties"]),
                };
                used.insert(of.clone());
                note_used(root, &of, inner, value, used);
            }
        }
        Value::Array(items) => {
            for item in items {
                note_used(root, name, &schema["items"], item, used);
            }
        }
        Value::String(word) => {
            used.insert(format!("{} = {word}", name_of_words(name)));
        }
        _ => {}
    }
}

/// Whether one of several forms may be meant: by its type, and of a map by the keys that it must have.
fn may_be(root: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(shape) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        return may_be(root, &root["$defs"][shape], value);
    }
    match value {
        Value::Object(_) => schema["required"]
            .as_array()
            .is_some_and(|keys| keys.iter().filter_map(Value::as_str).all(|key| value.get(key).is_some())),
        Value::Array(_) => schema["type"] == "array",
        _ => schema["type"] != "array" && schema["type"] != "object",
    }
}

#[test]
fn every_part_of_the_expressions_is_used_by_a_good_example() {
    let mut expressions = String::new();
    for folder in [good(), Folder::town()] {
        for (_, _, value) in files(&folder.at("runbooks")) {
            collect(&value, &mut expressions);
        }
    }
    for part in [
        " == ",
        " != ",
        " < ",
        " <= ",
        " > ",
        " >= ",
        " && ",
        " || ",
        " + ",
        " - ",
        " * ",
        " / ",
        " in [",
        " ? ",
        " : ",
        "!",
        ".all(",
        ".exists(",
        ".filter(",
        ".map(",
        "count(",
        "without(",
        "distinct(",
        "follows(",
        "root_of(",
        "null",
        "MiB",
        "GiB",
        "KiB",
        "TiB",
        "ms",
        "%",
        ".answered",
        "run.id",
        "run.reason",
        "run.started_by",
        "service.title",
        ".spares",
        ".replicas",
        ".primary",
        ".hosts",
        ".owner",
        ".address",
        ".name",
    ] {
        assert!(expressions.contains(part), "no good example uses `{part}`");
    }
}

/// All texts of a file, each on a line.
fn collect(value: &Value, found: &mut String) {
    match value {
        Value::Object(entries) => entries.values().for_each(|value| collect(value, found)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::String(text) => {
            found.push_str(text);
            found.push('\n');
        }
        _ => {}
    }
}
