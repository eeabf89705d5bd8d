//! The JSON Schema that editors use: it accepts all that `check` accepts, and refuses what has the wrong shape.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::folder::{Folder, fixtures};
use crate::good::{good, shipped};

/// The kinds of files.
pub(crate) const KINDS: [&str; 5] = ["runbook", "pack", "inventory", "policy", "notify"];

/// The schema of a kind, as the program prints it in this folder.
pub(crate) fn schema(folder: &Folder, kind: &str) -> Value {
    let said = folder.run(&["schema", kind]);
    assert_eq!(said.code, 0, "{}", said.out);
    serde_json::from_str(&said.out).expect("JSON")
}

/// A file as any YAML reader sees it.
pub(crate) fn as_json(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

/// Every file of a folder of runbooks, with its kind.
pub(crate) fn files(folder: &Path) -> Vec<(String, &'static str, Value)> {
    let mut found = Vec::new();
    for below in [folder.to_owned(), folder.join("packs")] {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let value = as_json(&fs::read_to_string(&path).unwrap());
                let kind = KINDS.into_iter().find(|kind| value.get(kind).is_some()).expect("a kind");
                found.push((path.display().to_string(), kind, value));
            }
        }
    }
    assert!(found.len() > 4, "{} holds too few files", folder.display());
    found
}

fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn each_schema_is_one() {
    let folder = Folder::empty();
    for kind in KINDS {
        let schema = schema(&folder, kind);

        assert!(jsonschema::meta::is_valid(&schema), "{kind}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
    assert_eq!(schema(&folder, "runbook"), {
        let said = folder.run(&["schema"]);
        serde_json::from_str::<Value>(&said.out).unwrap()
    });
    assert_eq!(folder.run(&["schema", "runbok"]).code, 2);
}

#[test]
fn sound_files_fit_the_schema_with_and_without_the_names_of_the_folder() {
    for folder in [shipped(), good(), Folder::town()] {
        for schemas in [&folder, &Folder::empty()] {
            for (name, kind, value) in files(&folder.at("runbooks")) {
                let wrong = mistakes(&schema(schemas, kind), &value);
                assert!(wrong.is_empty(), "{name}: {wrong:#?}");
            }
        }
    }
}

#[test]
fn wrong_shapes_are_refused_by_the_schema_too() {
    let folder = Folder::empty();
    let schema = schema(&folder, "runbook");
    for name in [
        "key-unknown",
        "key-missing",
        "shape-type",
        "shape-type--map",
        "word-unknown",
        "name-form",
        "number-form--range",
        "step-kind--unknown",
        "literal-unit--key",
        "each-nested",
    ] {
        let text = fs::read_to_string(fixtures().join(format!("bad/{name}.yaml"))).unwrap();
        assert!(!mistakes(&schema, &as_json(&text)).is_empty(), "{name}");
    }
}

#[test]
fn an_editor_completes_the_names_of_the_folder() {
    let folder = Folder::town();
    let unknown = |name: &str| fs::read_to_string(fixtures().join(format!("bad/{name}.yaml"))).unwrap();

    for name in [
        "role-unknown",
        "window-unknown",
        "probe-unknown",
        "pack-unknown",
        "action-unknown",
        "runbook-unknown",
    ] {
        let value = as_json(&unknown(name));

        assert_eq!(mistakes(&schema(&Folder::empty(), "runbook"), &value), [""; 0], "{name}");
        assert!(!mistakes(&schema(&folder, "runbook"), &value).is_empty(), "{name}");
    }
}

#[test]
fn a_cluster_parameter_may_have_any_name() {
    let folder = Folder::town();
    let text = fs::read_to_string(fixtures().join("base/recover.yaml")).unwrap();
    let text = text.replace("cluster", "books").replace("type: books", "type: cluster")
        + "    require:\n      - that: node.answered\n        else: It does not answer\nmeasure:\n  node: { probe: books/node, host: books.primary }\n";
    let folder = folder.with("runbooks/recover.yaml", &text);
    assert_eq!(folder.check().code, 0, "{}", folder.check().out);

    assert_eq!(mistakes(&schema(&folder, "runbook"), &as_json(&text)), [""; 0]);
}
