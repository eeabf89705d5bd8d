//! A folder that changes: what is edited, renamed, deleted or linked between two looks at it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use steadyhand::library::{Library, NotLoaded, Report, Snapshot};
use steadyhand::policy::decide::Denial;
use steadyhand::policy::decide::policy_of;
use steadyhand::wording::refusal;

use super::sample::{POLICY, RUNBOOK, inventory, on_disk};

fn loaded(library: &Library) -> Arc<Snapshot> {
    match library.load() {
        Ok(snapshot) => snapshot,
        Err(NotLoaded::Problems(report)) => panic!("{:#?}", report.problems),
        Err(NotLoaded::Unreadable(why)) => panic!("{why}"),
    }
}

fn problems(library: &Library) -> Report {
    match library.load() {
        Err(NotLoaded::Problems(report)) => *report,
        other => panic!("it has problems: {other:?}"),
    }
}

fn codes(report: &Report) -> Vec<String> {
    report.problems.iter().map(|problem| format!("{:?}", problem.code)).collect()
}

#[expect(clippy::disallowed_methods, reason = "a checkout is made by git")]
fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=anna", "-c", "user.email=anna@example.org"];
    let out = Command::new("git").arg("-C").arg(folder).args(who).args(arguments).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_folder_that_did_not_change_is_the_same_snapshot() {
    let (_folder, library) = on_disk();

    assert!(Arc::ptr_eq(&loaded(&library), &loaded(&library)));
}

#[test]
fn an_edit_is_seen_at_the_next_look_and_the_old_files_are_kept_by_those_who_have_them() {
    let (folder, library) = on_disk();
    let before = loaded(&library);
    let (list, blobs) = before.blobs();

    fs::write(folder.path().join("restart-web.yaml"), RUNBOOK.replace("size: 3", "size: 2")).unwrap();
    let after = loaded(&library);

    assert_ne!(after.blobs().0, list);
    let kept = |hash: &str| blobs.iter().find(|(known, _)| known == hash).map(|(_, text)| text.clone());
    let again = Snapshot::from_blobs(&list, kept).unwrap();
    assert_eq!(again.set.hashes, before.set.hashes, "a run ends under the files that it began with");
}

#[test]
fn a_file_that_the_journal_changed_is_not_used() {
    let (_folder, library) = on_disk();
    let (list, blobs) = loaded(&library).blobs();
    let found = |hash: &str| blobs.iter().find(|(known, _)| known == hash).map(|(_, text)| text.clone());

    let changed =
        Snapshot::from_blobs(&list, |hash| found(hash).map(|text| text.replace("web-restart", "rm")));
    let missing = Snapshot::from_blobs(&list, |hash| found(hash).filter(|text| !text.contains("pack: web")));
    let nothing = Snapshot::from_blobs(&list, |_| None);

    assert!(changed.unwrap_err().ends_with("was changed in the journal"));
    assert!(missing.unwrap_err().ends_with("packs/web.yaml is not in the journal"));
    assert_eq!(nothing.unwrap_err(), "the list of its files is not in the journal");
}

#[test]
fn a_runbook_that_was_renamed_must_say_its_new_name() {
    let (folder, library) = on_disk();
    loaded(&library);

    fs::rename(folder.path().join("restart-web.yaml"), folder.path().join("restart-all.yaml")).unwrap();

    assert_eq!(codes(&problems(&library)), ["FileNameDiffers"]);
    fs::write(
        folder.path().join("restart-all.yaml"),
        RUNBOOK.replace("runbook: restart-web", "runbook: restart-all"),
    )
    .unwrap();
    assert!(loaded(&library).set.runbooks.contains_key("restart-all"));
}

#[test]
fn a_runbook_that_was_deleted_is_gone() {
    let (folder, library) = on_disk();
    loaded(&library);

    fs::remove_file(folder.path().join("restart-web.yaml")).unwrap();

    assert!(loaded(&library).set.runbooks.is_empty());
}

#[test]
fn one_broken_runbook_stops_all_and_the_last_good_folder_is_not_used_in_its_place() {
    let (folder, library) = on_disk();
    loaded(&library);

    fs::write(folder.path().join("restart-web.yaml"), RUNBOOK.replace("owner: ops", "owner: nobody"))
        .unwrap();

    assert!(!problems(&library).problems.is_empty());
    fs::write(folder.path().join("restart-web.yaml"), RUNBOOK).unwrap();
    assert!(loaded(&library).set.policy.is_ok());
}

#[test]
fn a_policy_that_breaks_while_the_bot_runs_denies_all_from_then_on() {
    let (folder, library) = on_disk();
    assert!(loaded(&library).set.policy.is_ok());
    let path = folder.path().join("policy.yaml");

    for (text, why) in [
        (Some(POLICY.replace("doors:", "dors:")), "policy.yaml has 1 problem"),
        (Some(String::new()), "policy.yaml has 1 problem"),
        (None, "there is no policy.yaml"),
    ] {
        match text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let denial = policy_of(&loaded(&library).set.policy).map(|_| ()).unwrap_err();
        assert_eq!(denial, Denial::NoPolicy(why.to_owned()));
    }
    fs::write(&path, POLICY).unwrap();
    assert!(loaded(&library).set.policy.is_ok());
}

#[test]
fn without_an_inventory_there_is_nothing_to_run_on() {
    let (folder, library) = on_disk();

    fs::remove_file(folder.path().join("inventory.yaml")).unwrap();

    let report = problems(&library);
    let page = refusal::runbooks_broken(&report.problems);
    let words = serde_json::to_string(&page).unwrap();
    assert!(
        words.contains("The folder of runbooks holds no inventory, so nothing can be done with it."),
        "{words}"
    );
}

#[test]
fn what_is_wrong_in_the_inventory_is_told_with_its_place() {
    let wrong = [
        (inventory(3).replace("kind: web", "kind: wep"), "wep"),
        (inventory(3).replace("primary: web1", "primary: web9"), "web9"),
        (inventory(3).replace("hosts: [web1, web2, web3]", "hosts: [web1, web2, web4]"), "web4"),
        (inventory(3).replace("hosts: [web1, web2, web3]", "hosts: []"), "hosts"),
        (inventory(3).replace("10.20.1.2", "10.20.1.1"), "10.20.1.1"),
        (inventory(3).replace("owner: ops, shown_as", "owner: nobody, shown_as"), "nobody"),
        (inventory(3).replace("user: web }\n  web2", "user: web, port: 70000 }\n  web2"), "70000"),
        (inventory(3).replace("  web3: {", "  web2: {"), "web2"),
        (inventory(3).replace("service: shop", "service: stop"), "stop"),
    ];
    let (folder, library) = on_disk();

    for (text, word) in wrong {
        fs::write(folder.path().join("inventory.yaml"), &text).unwrap();
        let report = problems(&library);
        let told = report.problems.iter().any(|problem| {
            problem.place.file.stem() == "inventory"
                && (problem.message.contains(word) || problem.cure.contains(word))
        });
        assert!(told, "{word}: {:#?}", report.problems);
    }
}

#[test]
fn a_link_that_leads_out_of_the_folder_is_refused() {
    let (folder, library) = on_disk();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("evil.yaml"), RUNBOOK.replace("restart-web", "evil")).unwrap();

    symlink(outside.path().join("evil.yaml"), folder.path().join("evil.yaml")).unwrap();
    let by_file = codes(&problems(&library));
    fs::remove_file(folder.path().join("evil.yaml")).unwrap();
    symlink(folder.path().join("nowhere.yaml"), folder.path().join("gone.yaml")).unwrap();
    let to_nothing = codes(&problems(&library));

    assert_eq!((by_file, to_nothing), (vec!["PathOutside".to_owned()], vec!["PathOutside".to_owned()]));
}

#[test]
fn a_folder_of_packs_that_is_a_link_to_elsewhere_is_refused() {
    let (folder, library) = on_disk();
    let outside = tempfile::tempdir().unwrap();
    fs::rename(folder.path().join("packs"), outside.path().join("packs")).unwrap();
    symlink(outside.path().join("packs"), folder.path().join("packs")).unwrap();

    assert!(codes(&problems(&library)).contains(&"PathOutside".to_owned()));
}

#[test]
fn a_link_inside_the_folder_is_a_file_like_any_other() {
    let (folder, library) = on_disk();
    fs::create_dir(folder.path().join("kept")).unwrap();
    fs::rename(folder.path().join("restart-web.yaml"), folder.path().join("kept/restart-web.yaml")).unwrap();
    symlink(folder.path().join("kept/restart-web.yaml"), folder.path().join("restart-web.yaml")).unwrap();

    assert!(loaded(&library).set.runbooks.contains_key("restart-web"));
}

#[test]
fn a_folder_that_is_no_checkout_has_no_commit() {
    let (_folder, library) = on_disk();

    assert_eq!(library.commit(), None);
}

#[test]
fn a_checkout_is_named_by_its_commit_and_by_what_differs_from_it() {
    let (folder, library) = on_disk();
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "The first files"]);
    let clean = library.commit().expect("a commit");

    fs::write(folder.path().join("restart-web.yaml"), format!("{RUNBOOK}# for the night\n")).unwrap();
    let dirty = library.commit().expect("a commit");

    assert!(clean.len() >= 7 && clean.chars().all(|c| c.is_ascii_hexdigit()), "{clean}");
    assert_eq!(dirty, format!("{clean} and changes"));
}

#[test]
fn a_commit_of_the_same_files_is_named_too() {
    let (folder, library) = on_disk();
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "The first files"]);
    fs::write(folder.path().join("restart-web.yaml"), format!("{RUNBOOK}# for the night\n")).unwrap();
    loaded(&library);
    assert!(library.commit().unwrap().ends_with(" and changes"));

    git(folder.path(), &["commit", "-q", "-a", "-m", "For the night"]);

    // The files are the same as at the last look; the checkout is clean now.
    loaded(&library);
    let commit = library.commit().unwrap();
    assert!(!commit.ends_with(" and changes"), "{commit}");
}

#[test]
fn a_folder_that_is_not_there_is_said_so() {
    let (folder, library) = on_disk();
    drop(folder);

    let Err(NotLoaded::Unreadable(why)) = library.load() else { panic!("it is not there") };

    assert!(why.contains("cannot be read: No such file or directory"), "{why}");
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_told_with_its_name() {
    let (folder, library) = on_disk();
    fs::write(folder.path().join("binary.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(folder.path().join("large.yaml"), "# all of it\n".repeat(200_000)).unwrap();
    fs::write(folder.path().join("old.yml"), RUNBOOK).unwrap();

    let report = problems(&library);

    for name in ["binary.yaml", "large.yaml", "old.yml"] {
        let told = report.problems.iter().any(|problem| problem.place.file.to_string().ends_with(name));
        assert!(told, "{name}: {:#?}", report.problems);
    }
}
