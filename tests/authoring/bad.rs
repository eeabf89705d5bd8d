//! A bad example of every problem: each fixture yields the problems that it announces and no other, and the words that
//! an author reads about them stand in a snapshot.
//!
//! A fixture is a file `bad/CODE.yaml`, or `bad/CODE--VARIANT.yaml`, that begins with its problems:
//! `# expect LINE:COLUMN CODE`. It is checked together with the files of `base/`; an inventory, a policy or a notify file
//! takes the place of theirs. A fixture of several files is a folder, whose problems stand in its file `expect`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use steadyhand::runbook::source::problem::Code;

use crate::folder::{Folder, fixtures, place_and_code};

/// A bad example.
struct Fixture {
    /// The code, and what is special about it.
    name: String,
    /// Its problems, sorted by place.
    expected: Vec<String>,
    folder: Folder,
}

impl Fixture {
    fn code(&self) -> &str {
        self.name.split("--").next().unwrap()
    }
}

fn read(path: &Path) -> Fixture {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    if path.is_dir() {
        let expected = fs::read_to_string(path.join("expect")).unwrap().lines().map(str::to_owned).collect();
        let folder = Folder::town().with_all_of(path);
        return Fixture { name, expected, folder };
    }
    let text = fs::read_to_string(path).unwrap();
    let file = match text.lines().find(|line| !line.starts_with('#')).and_then(|line| line.split(':').next())
    {
        Some("inventory") => "runbooks/inventory.yaml".to_owned(),
        Some("policy") => "runbooks/policy.yaml".to_owned(),
        Some("notify") => "runbooks/notify.yaml".to_owned(),
        Some("pack") => format!("runbooks/packs/{name}.yaml"),
        _ => format!("runbooks/{name}.yaml"),
    };
    let expected = text.lines().map_while(|line| line.strip_prefix("# expect "));
    let expected = expected.map(|expected| format!("{file}:{expected}")).collect();
    Fixture { name, expected, folder: Folder::town().with(&file, text) }
}

fn all() -> Vec<Fixture> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(fixtures().join("bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

#[test]
fn the_town_of_the_fixtures_is_sound() {
    let said = Folder::town().check();

    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn every_problem_has_a_bad_example() {
    let shown: BTreeSet<String> = all().iter().map(|fixture| fixture.code().to_owned()).collect();
    let known: BTreeSet<String> = Code::ALL.iter().map(|(code, ..)| code.as_str().to_owned()).collect();

    let missing: Vec<_> = known.difference(&shown).collect();
    assert!(missing.is_empty(), "no fixture in tests/authoring/bad shows {missing:?}");
    let strange: Vec<_> = shown.difference(&known).collect();
    assert!(strange.is_empty(), "fixtures of codes that there are not: {strange:?}");
}

#[test]
fn a_bad_example_yields_what_it_announces() {
    let mut wrong = Vec::new();
    for fixture in all() {
        let found: Vec<String> = fixture.folder.problems().iter().map(place_and_code).collect();
        let own = found.iter().any(|problem| problem.ends_with(&format!(" {}", fixture.code())));
        if found != fixture.expected || !own {
            wrong.push(format!("{}\n  expected {:?}\n  found    {found:?}", fixture.name, fixture.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bad_example_is_answered_with_words_that_help() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for fixture in all() {
        let said = fixture.folder.check();

        assert_eq!((said.code, said.err.as_str()), (3, ""), "{}", fixture.name);
        settings.bind(|| insta::assert_snapshot!(fixture.name.as_str(), said.out));
    }
}
