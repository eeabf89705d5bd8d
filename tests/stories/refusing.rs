//! What is refused on real hosts, with the words, and with nothing done.

use std::fs;
use std::path::PathBuf;

use lab::{Lab, Spec};
use regex_lite::Regex;
use steadyhand::journal::{JournalView, OpenError};
use steadyhand::run::RunId;

use crate::chat::{self, BROKE, NOT_UNDERSTOOD, REFUSED, Transcript};

const ASK: &str =
    r#"run failover-database cluster=orders candidate=pg2 mode=planned reason="move to new rack""#;

fn a_lab() -> Lab {
    Lab::up(Spec::default().fast()).unwrap()
}

/// Fails unless pg1 is still the only primary, and no script that changes something has been sent anywhere.
#[track_caller]
pub(crate) fn nothing_was_done(lab: &Lab) {
    let primaries: Vec<_> = lab.primaries().iter().map(lab::Host::name).collect();
    assert_eq!(primaries, ["pg1"]);
    assert_eq!(sent(lab), [""; 0]);
}

/// What changing steps have left behind: entries of the journal that say so, and folders that they got on hosts.
fn sent(lab: &Lab) -> Vec<String> {
    let mut found = Vec::new();
    match JournalView::open(&lab.bot_dir().join("steadyhand.db")) {
        Ok(view) => {
            let kinds = view.newest_of_kind("step-sent", 100).unwrap().into_iter();
            found.extend(
                kinds.map(|entry| format!("the journal says in entry {} that a step was sent", entry.seq)),
            );
        }
        Err(OpenError::Missing { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    for host in lab.hosts() {
        let folders = fs::read_dir(host.dir().join("home/.steadyhand/steps"));
        let names = folders.into_iter().flatten().map(|folder| folder.unwrap().file_name());
        found.extend(names.map(|name| format!("{} has the folder {}", host.name(), name.display())));
    }
    found
}

/// Asks for a switchover to this candidate, which must be refused.
#[track_caller]
fn refused(lab: &Lab, candidate: &str, mode: &str) -> Transcript {
    let ask = format!(
        "run failover-database cluster=orders candidate={candidate} mode={mode} reason=\"move to new rack\""
    );
    let said = chat::types(lab, [ask.as_str()]).ends_with(REFUSED);
    nothing_was_done(lab);
    said
}

/// Changes a file of the bot on this lab.
fn edit(lab: &Lab, file: &str, from: &str, to: &str) {
    let path = lab.bot_dir().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`:\n{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

/// Gives the bot a copy of the runbooks of its own, to change them.
pub(crate) fn own_runbooks(lab: &Lab) -> PathBuf {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let to = lab.bot_dir().join("runbooks");
    fs::create_dir_all(to.join("packs")).unwrap();
    for folder in ["", "packs"] {
        for file in fs::read_dir(from.join(folder)).unwrap().map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap();
            // The lab has an inventory and a policy of its own.
            if file.is_file() && name != "inventory.yaml" && name != "policy.yaml" {
                fs::copy(&file, to.join(folder).join(name)).unwrap();
            }
        }
    }
    edit(lab, "steadyhand.toml", &from.display().to_string(), &to.display().to_string());
    to
}

#[test]
fn a_candidate_that_is_the_primary() {
    refused(&a_lab(), "pg1", "planned")
        .says("`pg1` is not one of cluster.replicas now: it is the primary of orders. Possible: pg2, pg3.");
}

#[test]
fn a_candidate_that_follows_somebody_else() {
    let lab = a_lab();
    lab.host("pg3").follow("pg2").unwrap();
    refused(&lab, "pg3", "planned").says("pg3 does not follow pg1, but pg2");
}

#[test]
fn candidates_in_a_circle_of_standbys() {
    let lab = a_lab();
    lab.host("pg3").follow("pg2").unwrap();
    lab.host("pg2").follow("pg3").unwrap();
    refused(&lab, "pg2", "planned").says("pg2 does not follow pg1, but pg3");
    lab.host("pg1").kill().unwrap();
    let ask = r#"run failover-database cluster=orders candidate=pg2 mode=dead reason="pg1 has died""#;
    chat::types(&lab, [ask]).ends_with(REFUSED).says("pg2 does not follow pg1, but pg3");
}

#[test]
fn a_candidate_that_lags_too_far_behind() {
    let lab = a_lab();
    let pg1 = lab.host("pg1");
    lab.host("pg2").lag().unwrap();
    // It stops replaying at the first commit; what follows is more than the runbook allows.
    pg1.sql("create table small ()").unwrap();
    pg1.sql("create table big as select repeat('x', 1000) from generate_series(1, 30000)").unwrap();
    refused(&lab, "pg2", "planned").says("pg2 is too far behind");
}

#[test]
fn a_candidate_whose_replay_is_paused() {
    let lab = a_lab();
    lab.host("pg2").pause_replay().unwrap();
    refused(&lab, "pg2", "planned").says("Replay is paused on pg2");
}

#[test]
fn a_candidate_with_the_data_of_another_cluster() {
    let lab = Lab::up(Spec::default().fast().foreign_cluster_on_spare()).unwrap();
    edit(&lab, "inventory.yaml", "hosts: [pg1, pg2, pg3]", "hosts: [pg1, pg2, pg3, pg4]");
    refused(&lab, "pg4", "planned").says("pg1 and pg4 of orders all answer as primary");
}

#[test]
fn a_cluster_that_is_unknown_or_empty() {
    let lab = a_lab();
    let unknown = ASK.replace("cluster=orders", "cluster=order");
    chat::types(&lab, [unknown.as_str()])
        .ends_with(NOT_UNDERSTOOD)
        .says("`order` is not a cluster")
        .says("Nearest: `orders`");
    edit(&lab, "inventory.yaml", "hosts: [pg1, pg2, pg3]", "hosts: []");
    chat::types(&lab, [ASK]).ends_with(BROKE).says("a cluster without hosts").says("code: runbooks-broken");
    nothing_was_done(&lab);
}

#[test]
fn an_approval_of_ones_own_run() {
    let lab = a_lab();
    let said = chat::types(&lab, [ASK, "next", "next"]).ends_with(REFUSED);
    said.says("ana asked for run 1, and another person must agree").says("code: own-run");
    nothing_was_done(&lab);
}

#[test]
fn a_second_run_on_a_cluster_that_is_held() {
    let lab = a_lab();
    lab.host("pg1").kill().unwrap();
    crate::failing_over::noticed_by_the_replicas(&lab);
    let first = ASK.replace("planned", "dead");
    let said = chat::types(&lab, [first.as_str(), "next", "as ben", "next", "as cleo", first.as_str()]);
    // Run 1 waits at its question and holds the cluster.
    let since = Regex::new(
        r"Refused: cluster/orders is held by run 1, failover-database, ana, since \d\d:\d\d CES?T\. It has done 0 of \d+ steps\.",
    );
    let flowing = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(since.unwrap().is_match(&flowing), "{said}");
    said.ends_with(REFUSED).says("code: held");
    assert_eq!(sent(&lab), [""; 0]);
    let runs = JournalView::open(&lab.bot_dir().join("steadyhand.db")).unwrap().runs().unwrap();
    assert_eq!(runs, [RunId(1)], "what was refused became no run");

    // Run 1 itself goes on: what it sends then is seen.
    chat::types(&lab, ["answer 1 1 go-on"]);
    let sent = sent(&lab);
    assert!(sent.iter().any(|what| what.contains("entry")), "{sent:?}");
    assert!(sent.iter().any(|what| what.contains("folder")), "{sent:?}");
}

#[test]
fn an_approval_after_a_fact_has_changed() {
    let lab = a_lab();
    let confirmed = chat::types(&lab, [ASK, "next"]);
    lab.host("pg2").pause_replay().unwrap();
    let next = confirmed.next();
    chat::types(&lab, ["as ben", &next]).ends_with(REFUSED).says("Replay is paused on pg2");
    nothing_was_done(&lab);
}

#[test]
fn an_approval_after_the_runbook_was_edited() {
    let lab = a_lab();
    let runbooks = own_runbooks(&lab);
    let confirmed = chat::types(&lab, [ASK, "next"]);
    let path = runbooks.join("failover-database.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("16MiB", "1GiB")).unwrap();
    let next = confirmed.next();
    chat::types(&lab, ["as ben", &next])
        .ends_with(REFUSED)
        .says("All agreements are void")
        .says("failover-database.yaml changed");
    nothing_was_done(&lab);
}

#[test]
fn an_approval_after_the_inventory_was_edited() {
    let lab = a_lab();
    let confirmed = chat::types(&lab, [ASK, "next"]);
    edit(&lab, "inventory.yaml", "min_healthy: 2", "min_healthy: 1");
    let next = confirmed.next();
    chat::types(&lab, ["as ben", &next])
        .ends_with(REFUSED)
        .says("All agreements are void")
        .says("The inventory of cluster/orders changed: min_healthy");
    nothing_was_done(&lab);
}

#[test]
fn an_approval_of_another_plan() {
    let lab = a_lab();
    let said = chat::types(&lab, [ASK, "next", "as ben", "approve 1 00000000"]).ends_with(REFUSED);
    said.says("00000000");
    nothing_was_done(&lab);
}

#[test]
fn a_host_whose_key_has_changed() {
    let lab = a_lab();
    lab.host("pg2").change_host_key().unwrap();
    refused(&lab, "pg2", "planned").says("`pg2` is not one of").says("host key");
}

#[test]
fn a_host_whose_key_is_not_known() {
    let lab = a_lab();
    let known = lab.bot_dir().join("known_hosts");
    let address = lab.host("pg2").address().to_string();
    let text = fs::read_to_string(&known).unwrap();
    let others: Vec<_> = text.lines().filter(|line| !line.contains(&address)).collect();
    fs::write(&known, others.join("\n") + "\n").unwrap();
    refused(&lab, "pg2", "planned").says("`pg2` is not one of").says("host key");
}
