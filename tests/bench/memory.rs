//! What the console holds in memory while nobody types: on a terminal, after a plan has been made.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab::{Lab, Spec};

use crate::{Goal, Promise};

const PROMISED_KIB: f64 = 30.0 * 1024.0;

pub(crate) fn goals() -> Vec<Goal> {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    let config = lab.bot_dir().join("steadyhand.toml");
    let console = format!("{} --config {}", env!("CARGO_BIN_EXE_steadyhand"), config.display());
    // `script` gives it a terminal.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--flush", "--command", &console, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let mut out = terminal.stdout.take().unwrap();
    std::thread::spawn({
        let said = said.clone();
        move || {
            let mut block = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut block) {
                said.lock().unwrap().extend_from_slice(&block[..n]);
            }
        }
    });
    let text = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    let wait_for = |words: &str| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !text().contains(words) {
            // A terminal is asked where its cursor is, and answers.
            assert!(Instant::now() < deadline, "`{words}` does not appear in:\n{}", text());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let mut keys = terminal.stdin.take().unwrap();
    wait_for("\u{1b}[6n");
    keys.write_all(b"\x1b[1;1R").unwrap();
    wait_for("ana>");
    let ask = r#"run failover-database cluster=orders candidate=pg2 mode=planned reason="how much memory""#;
    keys.write_all(format!("{ask}\r").as_bytes()).unwrap();
    wait_for("confirm 1");
    let kib = resident(terminal.id());
    keys.write_all(b"\x04").unwrap();
    drop(keys);
    let _ = terminal.kill();
    let _ = terminal.wait();
    vec![Goal {
        what: "memory of the idle console to 30 MiB",
        ratio: kib / PROMISED_KIB,
        promised: Promise::AtMost(1.0),
        figures: format!(
            "{:.1} MiB resident, with the runbooks, a journal and a run that waits",
            kib / 1024.0
        ),
    }]
}

/// Resident memory of the only child of a process, in KiB.
fn resident(parent: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let child = children.split_whitespace().next().expect("script has started the console");
    let command = fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap();
    let pid = if command.contains("steadyhand\0--config") {
        child.to_owned()
    } else {
        // A shell in between.
        fs::read_to_string(format!("/proc/{child}/task/{child}/children")).unwrap().trim().to_owned()
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
