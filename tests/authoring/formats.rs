//! The formats of `check`: text for people, JSON for programs, annotations for pull requests.

use crate::folder::Folder;

/// Two problems, one of them with every sign that a workflow command must escape.
fn folder() -> Folder {
    Folder::town().with("runbooks/odd,name: 100%.yaml", "runbook: odd\n\"one%,two:\\nthree\": 1\n")
}

#[test]
fn json_has_stable_fields() {
    let said = folder().run(&["check", "runbooks", "--format", "json"]);

    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said.code, 3);
    assert_eq!(said.out.lines().count(), 1);
    for problem in value["problems"].as_array().unwrap() {
        let keys: Vec<&str> = problem.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "column", "cure", "end_column", "end_line", "file", "line", "message"]);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn json_may_be_asked_for_as_everywhere() {
    let folder = folder();

    assert_eq!(
        folder.run(&["check", "runbooks", "--json"]).out,
        folder.run(&["check", "runbooks", "--format", "json"]).out
    );
}

#[test]
fn json_of_a_sound_folder_is_an_empty_list() {
    let said = Folder::town().run(&["check", "runbooks", "--format", "json"]);

    assert_eq!(said.out, "{\"elsewhere\":0,\"files\":5,\"problems\":[],\"runbooks\":1}\n");
    assert_eq!(said.code, 0);
}

#[test]
fn annotations_escape_what_would_end_them() {
    let said = folder().run(&["check", "runbooks", "--format", "github"]);

    assert_eq!(said.code, 3);
    insta::assert_snapshot!(said.out);
    for line in said.out.lines() {
        let (properties, message) = line.strip_prefix("::error ").unwrap().split_once("::").unwrap();
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').unwrap();
            assert!(["file", "line", "col", "endColumn", "title"].contains(&name), "{line}");
            assert!(!value.contains([':', ',', '\r', '\n']), "{line}");
        }
        for text in [properties, message] {
            for (at, _) in text.match_indices('%') {
                assert!(["%25", "%0A", "%0D", "%3A", "%2C"].contains(&&text[at..at + 3]), "{line}");
            }
        }
    }
}

#[test]
fn annotations_of_a_sound_folder_are_none() {
    let said = Folder::town().run(&["check", "runbooks", "--format", "github"]);

    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
}

#[test]
fn text_shows_the_source_and_underlines_it() {
    insta::assert_snapshot!(folder().check().out);
}

#[test]
fn colour_comes_only_when_it_is_wanted() {
    let plain = folder().run(&["check", "runbooks"]);
    let coloured = folder().run(&["check", "runbooks", "--color", "always"]);

    assert!(!plain.out.contains('\u{1b}'));
    assert!(coloured.out.contains('\u{1b}'));
}
