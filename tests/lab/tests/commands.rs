//! The command `lab`, as a person uses it.

use std::process::{Command, Output};

use crate::coming_up::processes_naming;

/// A lab that is brought down at the end, whatever happens.
struct ByHand {
    block: &'static str,
}

impl ByHand {
    fn call(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lab")).args(["--block", self.block]).args(words).output().unwrap()
    }

    /// Calls it, insists on success, and gives what it printed.
    #[track_caller]
    fn ok(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert!(output.status.success(), "lab {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.call(&["down"]);
    }
}

#[test]
fn a_lab_by_hand_from_up_to_down() {
    let lab = ByHand { block: "127.221" };
    let dir = lab::Lab::usual_dir("127.221".parse().unwrap());

    let up = lab.ok(&["up", "--fast"]);
    assert!(up.contains("pg1     127.221.0.11"), "{up}");
    assert_eq!(lab.ok(&["ssh", "pg2", "hostname"]), "pg2\n");
    assert!(
        lab.ok(&["inventory"])
            .starts_with(&format!("# {}\ninventory: lab\n", dir.join("bot/inventory.yaml").display()))
    );

    lab.ok(&["write", "start"]);
    let twice = lab.call(&["write", "start"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("running already"), "{twice:?}");
    lab.ok(&["freeze", "pg2"]);
    assert_eq!(status(&lab, "pg2")["database"], "frozen");
    assert_eq!(status(&lab, "pg2")["process"], "T");
    lab.ok(&["heal", "pg2"]);
    assert_eq!(status(&lab, "pg2")["role"], "replica");
    lab.ok(&["poweroff", "pg3"]);
    assert_eq!(status(&lab, "pg3")["power"], "off");
    lab.ok(&["poweron", "pg3"]);
    assert_eq!(status(&lab, "pg3")["ssh"], "up");

    let check: serde_json::Value = serde_json::from_str(&lab.ok(&["write", "check", "--json"])).unwrap();
    assert_eq!((&check["checked_on"], &check["lost"]), (&"pg1".into(), &serde_json::json!([])));
    assert!(check["acked"].as_u64().unwrap() > 10, "{check}");
    let deleted = lab.ok(&["sql", "pg1", "delete from w where n = (select min(n) from w) returning n"]);
    let stop = lab.call(&["write", "stop", "--json"]);
    let stopped: serde_json::Value = serde_json::from_slice(&stop.stdout).unwrap();
    assert_eq!(stop.status.code(), Some(1), "rows were lost: {deleted}, {stopped}");
    assert_eq!(stopped["lost"], serde_json::json!([deleted.trim().parse::<i64>().unwrap()]));

    lab.ok(&["reset"]);
    assert_eq!(lab.ok(&["sql", "pg1", "select count(*) from w"]), "0\n");
    lab.ok(&["write", "start"]);
    lab.ok(&["down"]);
    assert!(!dir.exists());
    assert_eq!(processes_naming(&dir), Vec::<String>::new(), "the writer has ended too");
}

#[test]
fn a_wrong_word_is_answered_with_the_right_ones() {
    let nowhere = ByHand { block: "127.222" };

    let no_lab = nowhere.call(&["freeze", "pg1"]);
    let no_block = ByHand { block: "10.1" }.call(&["up"]);

    assert_eq!(no_lab.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&no_lab.stderr).contains("`lab up` makes one"), "{no_lab:?}");
    assert!(
        String::from_utf8_lossy(&no_block.stderr).contains("not a block of loopback addresses"),
        "{no_block:?}"
    );
}

#[test]
fn nothing_is_installed_where_all_is_there() {
    let lab = ByHand { block: "127.223" };

    assert_eq!(lab.ok(&["install", "--run"]), "all there, nothing to install\n");
    assert!(lab.ok(&["doctor"]).contains("PostgreSQL"));
}

fn status(lab: &ByHand, host: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&lab.ok(&["status", "--json"])).unwrap();
    all.as_array().unwrap().iter().find(|s| s["host"] == host).unwrap().clone()
}
