//! Several problems at once: all are reported, by file and place, and none twice.

use crate::folder::{Folder, place_and_code};

const MANY: &str = r#"runbook: many
title: Stop {{clustre}}
use_when: ""
owner: taem
rehearse: 30
colour: red

parameters:
  cluster: { type: cluster, kind: [stor] }
  rate: { type: size, min: 5MB, default: 1s }

access: { start: team }

measure:
  node: { probe: store/noed, hosts: cluster.hosts }
  lag: { probe: store/node, host: cluster.replicas }

steps:
  - step: Stop it
    host: cluster.primry
    effect: irreversable
    require:
      - that: lag.lag < 10
    use: store/stopp
  - step: Stop it
    host: cluster.primary
    effect: reversible
    run: [stop, "{{node}}"]
"#;

#[test]
fn many_problems_of_one_file_are_all_reported() {
    let folder = Folder::town().with("runbooks/many.yaml", MANY);

    let found: Vec<String> = folder.problems().iter().map(place_and_code).collect();
    let found = found.join("\n").replace("runbooks/many.yaml:", "");

    insta::assert_snapshot!(found, @r"
    1:10 tell-support
    2:15 name-unknown
    3:12 shape-type
    4:8 role-unknown
    5:11 literal-unit
    6:1 key-unknown
    9:36 pack-unknown
    10:3 name-unused
    10:28 literal-unit
    10:42 parameter-default
    12:18 shape-type
    15:24 probe-unknown
    16:35 target-type
    20:19 field-unknown
    21:13 word-unknown
    23:9 check-sentence
    23:25 type-compare
    24:16 action-unknown
    25:11 step-limit
    25:11 title-twice
    27:13 effect-verify
    27:13 effect-undo
    28:20 by-host
    ");
}

#[test]
fn problems_of_several_files_stand_by_file_and_place() {
    let inventory = "inventory: town\nhosts:\n  b: { address: -x, user: u }\n  a: { address: a b, user: u, owner: team }\n";
    let pack = "pack: other\ntitle: {{x}}\n";
    let folder = Folder::town()
        .with("runbooks/many.yaml", MANY)
        .with("runbooks/inventory.yaml", inventory)
        .with("runbooks/packs/other.yaml", pack);

    let found = folder.problems();

    let places: Vec<(String, u64, u64)> = found
        .iter()
        .map(|problem| {
            let number = |key: &str| problem[key].as_u64().unwrap();
            (problem["file"].as_str().unwrap().to_owned(), number("line"), number("column"))
        })
        .collect();
    let mut sorted = places.clone();
    sorted.sort();
    assert_eq!(places, sorted);
    let files: std::collections::BTreeSet<&str> = places.iter().map(|(file, ..)| file.as_str()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for (index, problem) in found.iter().enumerate() {
        assert!(!found[..index].contains(problem), "twice: {problem}");
    }
}

#[test]
fn a_file_that_cannot_be_read_silences_what_it_would_have_declared() {
    let folder = Folder::town().with("runbooks/packs/store.yaml", "pack: store\ntitle: [\n");

    let found: Vec<String> = folder.problems().iter().map(place_and_code).collect();

    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("runbooks/packs/store.yaml"), "{found:?}");
}

#[test]
fn a_file_that_cannot_be_opened_silences_it_too() {
    let folder = Folder::town();
    let pack = folder.at("runbooks/packs/store.yaml");
    std::fs::remove_file(&pack).unwrap();
    std::fs::create_dir(&pack).unwrap();

    let found: Vec<String> = folder.problems().iter().map(place_and_code).collect();

    assert_eq!(found, ["runbooks/packs/store.yaml:1:1 file-kind"]);
}
