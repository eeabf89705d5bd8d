//! A thousand runbooks checked with all rules and places, beside yamllint, which looks at their form alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Goal, Promise, median};

const RUNBOOKS: usize = 1_000;
const ROUNDS: usize = 7;
/// yamllint takes some ten seconds a round.
const PEER_ROUNDS: usize = 3;

pub(crate) fn goals() -> Vec<Goal> {
    let folder = tempfile::tempdir().unwrap();
    let lines = fill(folder.path());
    let ours = || {
        let mut check = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
        seconds(check.arg("check").arg(folder.path()))
    };
    let peer = || seconds(Command::new("yamllint").args(["-d", "relaxed"]).arg(folder.path()));
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        our_times.push(ours());
        if round < PEER_ROUNDS {
            peer_times.push(peer());
        }
    }
    let (our_time, peer_time) = (median(our_times), median(peer_times));
    let a_file = our_time * 1_000.0 / RUNBOOKS as f64;
    let a_hundred = our_time * 1_000.0 * 100.0 / lines as f64;
    vec![
        Goal {
            what: "steadyhand check, ms for 100 lines, to 0.3 ms",
            ratio: a_hundred / 0.3,
            promised: Promise::AtMost(1.0),
            figures: format!(
                "{RUNBOOKS} runbooks, {lines} lines: {our_time:.3} s, {a_file:.3} ms a file, {a_hundred:.3} ms for 100 lines"
            ),
        },
        Goal {
            what: "yamllint to steadyhand check, the same files",
            ratio: peer_time / our_time,
            promised: Promise::AtLeast(50.0),
            figures: format!("yamllint {peer_time:.2} s, steadyhand {our_time:.3} s"),
        },
    ]
}

/// The shipped runbooks again and again under other names; gives the lines of all runbooks.
fn fill(folder: &Path) -> usize {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    fs::create_dir(folder.join("packs")).unwrap();
    for file in
        ["inventory.yaml", "policy.yaml", "packs/haproxy.yaml", "packs/host.yaml", "packs/postgresql.yaml"]
    {
        fs::copy(shipped.join(file), folder.join(file)).unwrap();
    }
    let names = ["failover-database", "rebuild-data-server"];
    let texts = names.map(|name| fs::read_to_string(shipped.join(format!("{name}.yaml"))).unwrap());
    let mut lines = 0;
    for n in 0..RUNBOOKS / 2 {
        for (name, text) in names.iter().zip(&texts) {
            // Each turns to the other of its own number.
            let text =
                names.iter().fold(text.clone(), |text, name| text.replace(name, &format!("{name}-{n}")));
            lines += text.lines().count();
            fs::write(folder.join(format!("{name}-{n}.yaml")), text).unwrap();
        }
    }
    lines
}

fn seconds(command: &mut Command) -> f64 {
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}; `make bench` installs it"));
    let took = began.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?}: {status}");
    took
}
