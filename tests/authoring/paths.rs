//! What can be named on the command line, what lies in folders, and how the program ends: 0 sound, 2 not understood,
//! 3 refused.

use std::os::unix::fs::symlink;

use crate::folder::{Folder, fixtures, place_and_code};

const UNKNOWN: &str = "runbook: broken\ncolour: red\n";

#[test]
fn a_sound_folder_ends_with_0_and_says_so() {
    let said = Folder::town().check();

    assert_eq!((said.code, said.out.as_str()), (0, "1 runbook in 5 files: all sound, … ms.\n"));
}

#[test]
fn a_folder_with_problems_ends_with_3() {
    let said = Folder::town().with("runbooks/broken.yaml", UNKNOWN).check();

    assert_eq!(said.code, 3);
}

#[test]
fn what_is_not_there_is_not_understood() {
    let folder = Folder::town().with("empty/notes.txt", "").with("notes.txt", "");
    for (path, why) in [
        ("runboks", "runboks is not there"),
        ("runbooks/recovr.yaml", "runbooks/recovr.yaml is not there"),
        ("notes.txt", "notes.txt is no file of the language: they end in .yaml"),
        ("empty", "empty holds no file of the language: they end in .yaml"),
    ] {
        let said = folder.run(&["check", path]);

        assert_eq!(said.code, 2, "{path}");
        assert_eq!((said.out.as_str(), said.err), ("", format!("steadyhand: {why}\n")));
    }
    assert_eq!(folder.run(&["check", "--format", "xml"]).code, 2);
    assert_eq!(folder.run(&["check", "--colour"]).code, 2);
}

#[test]
fn one_file_is_checked_among_the_others_and_shown_alone() {
    let folder = Folder::town().with("runbooks/broken.yaml", UNKNOWN);

    for path in [
        "runbooks/broken.yaml",
        "./runbooks/broken.yaml",
        "runbooks/./broken.yaml",
        "runbooks/packs/../broken.yaml",
    ] {
        let said = folder.run(&["check", path]);
        assert_eq!(said.code, 3, "{path}: {}", said.out);
        assert!(said.out.contains("broken.yaml:2:1"), "{path}: {}", said.out);
    }
    let sound = folder.run(&["check", "runbooks/packs/store.yaml", "runbooks/recover.yaml"]);

    assert_eq!(sound.code, 0);
    assert!(sound.out.starts_with("2 of 6 files: sound,"), "{}", sound.out);
    assert!(sound.out.contains("errors in other files of the folder"), "{}", sound.out);
}

#[test]
fn a_folder_beside_one_of_its_files_is_shown_whole_and_once() {
    let folder = Folder::town().with("runbooks/broken.yaml", UNKNOWN);
    let alone = folder.problems().len();

    for paths in [["runbooks/recover.yaml", "runbooks"], ["runbooks", "./runbooks"]] {
        let said = folder.run(&["check", paths[0], paths[1], "--format", "github"]);
        assert_eq!(said.out.lines().count(), alone, "{}", said.out);
    }
}

#[test]
fn the_configured_folder_keeps_its_policy_elsewhere() {
    let policy = std::fs::read_to_string(fixtures().join("base/policy.yaml")).unwrap();
    let folder = Folder::town()
        .with("apart/policy.yaml", policy)
        .with("steadyhand.toml", "policy = 'apart/policy.yaml'\n");
    let runbook =
        std::fs::read_to_string(fixtures().join("base/recover.yaml")).unwrap().replace("[team]", "[teem]");
    let folder = folder.with("runbooks/recover.yaml", runbook);
    std::fs::remove_file(folder.at("runbooks/policy.yaml")).unwrap();

    for arguments in [&["check"][..], &["check", "runbooks"], &["check", "runbooks/recover.yaml"]] {
        let said = folder.run(arguments);
        assert!(said.out.contains("there is no role `teem`"), "{arguments:?}: {}", said.out);
    }
}

#[test]
fn what_is_no_text_file_is_named_and_not_waited_for() {
    let folder = Folder::town();
    std::fs::create_dir(folder.at("runbooks/folder.yaml")).unwrap();
    mkfifo(&folder, "runbooks/pipe.yaml");
    symlink("nowhere.yaml", folder.at("runbooks/link.yaml")).unwrap();
    let folder = folder.with("runbooks/old.yml", "runbook: old\n");

    let found: Vec<String> = folder.problems().iter().map(place_and_code).collect();

    assert_eq!(
        found,
        [
            "runbooks/folder.yaml:1:1 file-kind",
            "runbooks/link.yaml:1:1 path-outside",
            "runbooks/old.yml:1:1 file-name",
            "runbooks/pipe.yaml:1:1 file-kind",
        ]
    );
}

#[expect(clippy::disallowed_methods, reason = "only a program makes a pipe with a name")]
fn mkfifo(folder: &Folder, name: &str) {
    assert!(std::process::Command::new("mkfifo").arg(folder.at(name)).status().unwrap().success());
}

#[test]
fn a_link_inside_the_folder_is_a_file_like_any_other() {
    let folder = Folder::town();
    std::fs::rename(folder.at("runbooks/recover.yaml"), folder.at("runbooks/packs/kept.txt")).unwrap();
    symlink("packs/kept.txt", folder.at("runbooks/recover.yaml")).unwrap();

    assert_eq!(folder.check().code, 0);
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("latin", b"runbook: x\ntitle: caf\xe9\n", "2:11 yaml"),
        ("windows", b"runbook: x\r\ntitle: y\r\n", "1:11 hidden-character"),
        ("mark", b"\xef\xbb\xbfrunbook: x\n", "1:1 hidden-character"),
        ("tab", b"runbook: x\naccess:\n\tstart: [team]\n", "3:1 hidden-character"),
        ("nul", b"runbook: x\0\n", "1:11 hidden-character"),
    ];
    for (name, bytes, expected) in cases {
        let file = format!("runbooks/{name}.yaml");
        let found: Vec<String> =
            Folder::town().with(&file, bytes).problems().iter().map(place_and_code).collect();

        assert_eq!(found.first(), Some(&format!("{file}:{expected}")), "{found:?}");
    }
}

#[test]
fn lines_that_end_the_other_way_are_one_problem() {
    let text = std::fs::read_to_string(fixtures().join("base/recover.yaml")).unwrap().replace('\n', "\r\n");
    let found = Folder::town().with("runbooks/recover.yaml", text).problems();

    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["message"], "lines end in U+000D and a line feed");
}

#[test]
fn a_huge_file_is_refused_for_its_size() {
    let huge = format!("runbook: huge\ntitle: {}\n", "é".repeat(5 << 20));
    let found: Vec<String> =
        Folder::town().with("runbooks/huge.yaml", huge).problems().iter().map(place_and_code).collect();

    assert_eq!(found, ["runbooks/huge.yaml:1:1 file-size"]);
}

#[test]
fn a_file_full_of_hidden_characters_is_told_in_few_lines() {
    let said = Folder::town().with("runbooks/x.yaml", "\u{200b}\n".repeat(10_000)).check();

    assert!(said.out.lines().count() < 100, "{} lines", said.out.lines().count());
}

#[test]
fn a_long_line_is_shown_around_its_problem() {
    let said = Folder::town().with("runbooks/x.yaml", format!("{}: 1\n", "x".repeat(100_000))).check();

    assert_eq!(said.code, 3);
    assert!(said.out.lines().all(|line| line.chars().count() < 400), "{}", said.out.len());
}
