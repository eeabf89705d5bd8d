//! A line from a shell, and lines through a pipe that ends: what people are told because of them has left the house before
//! the process ends, and nobody else sends it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use peers::{Fault, Peer};
use steadyhand::config::Config;
use steadyhand::engine::clock::Clock;
use steadyhand::incident::{Event, IncidentId, Stamped};
use steadyhand::journal::{JournalView, incident_stamped};

use crate::chat::DONE;
use crate::serving::program;
use crate::told::{granting, secret};

const HOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A path takes so long to answer: longer than an engine that is put away waits for what is on its way.
const SLOW: Duration = Duration::from_secs(4);
const OPENS: [&str; 5] = ["incident", "open", "sev2", "checkout is slow", "service=orders"];

/// A folder in which chidi answers for the shop and dana is Support. Both are told over `siren` and `bell`; if
/// dana has a peer of her own, she is told over that.
fn a_folder(hook: &Peer, of_dana: Option<&Peer>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let policy = fs::read_to_string(runbooks.join("policy.yaml")).unwrap();
    fs::write(folder.path().join("policy.yaml"), granting(&policy, &["hook_key"])).unwrap();
    let path = |name: &str, peer: &Peer| {
        let url = peer.url();
        format!(
            "  {name}: {{ kind: webhook, url: \"{url}\", secret: hook_key, depends_on: [{name}-line] }}\n"
        )
    };
    let other = of_dana.unwrap_or(hook);
    let paths = [("siren", hook), ("bell", hook), ("drum", other), ("flag", other), ("horn", other)];
    let paths = paths.map(|(name, peer)| path(name, peer)).concat();
    let ways_of_dana = if of_dana.is_some() { "[drum, flag]" } else { "[siren, bell]" };
    let notify = format!(
        r"notify: shop
paths:
{paths}people:
  anna: [siren, bell]
  ben: [siren, bell]
  chidi: [siren, bell]
  dana: {ways_of_dana}
schedules:
  primary: {{ zone: UTC, layers: [{{ people: [anna] }}] }}
  support: {{ zone: UTC, layers: [{{ people: [dana] }}] }}
escalations:
  shop: {{ steps: [{{ tell: [shop], wait: 5m }}], last_resort: [horn] }}
  support: {{ steps: [{{ tell: [support], wait: 5m }}], last_resort: [horn] }}
"
    );
    fs::write(folder.path().join("notify.yaml"), notify).unwrap();
    let config = folder.path().join("steadyhand.toml");
    let text = format!(
        "runbooks = \"{}\"\npolicy = \"policy.yaml\"\n[demo]\nstart_as = \"chidi\"\n[secrets]\n{}",
        runbooks.display(),
        secret(folder.path(), "hook_key", HOOK)
    );
    fs::write(&config, text).unwrap();
    (folder, config)
}

/// The program on these words, with this on its input, until it ends.
fn says(config: &Path, words: &[&str], input: &str) -> Output {
    let mut command = program();
    command.arg("--config").arg(config).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The events of the incident, as the journal has them after the process has ended.
fn events(config: &Path) -> Vec<Stamped> {
    let journal = Config::load(Some(config), &|_| None).unwrap().journal;
    let entries = JournalView::open(&journal).unwrap().incident_entries(IncidentId(1)).unwrap();
    entries.iter().map(|entry| incident_stamped(entry).unwrap()).collect()
}

/// What became of the notices: how many were to be sent, how many a path took, and how many it did not take as yet.
fn in_the_journal(config: &Path) -> (usize, usize, usize) {
    let events = events(config);
    let count = |is: &dyn Fn(&Event) -> bool| events.iter().filter(|it| is(&it.event)).count();
    (
        count(&|event| matches!(event, Event::NoticeQueued { .. })),
        count(&|event| matches!(event, Event::NoticeAccepted { .. })),
        count(&|event| matches!(event, Event::NoticeDelayed { .. })),
    )
}

#[track_caller]
fn was_told(hook: &Peer, config: &Path, output: &Output) {
    assert_eq!(output.status.code(), Some(DONE), "{output:?}");
    let (queued, accepted, _) = in_the_journal(config);
    let to: Vec<_> = hook.taken().iter().map(|came| came["to"].as_str().unwrap().to_owned()).collect();
    assert!(to.contains(&"chidi".to_owned()) && to.contains(&"dana".to_owned()), "{to:?}");
    assert_eq!((accepted, to.len()), (queued, queued), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("not left yet"), "{output:?}");
    hook.assert_clean();
}

#[test]
fn a_line_from_a_shell_ends_when_those_whom_it_calls_have_been_told() {
    let hook = Peer::webhook(HOOK);
    hook.always(Some(Fault::Slow(SLOW)));
    let (_folder, config) = a_folder(&hook, None);

    let output = says(&config, &OPENS, "");

    was_told(&hook, &config, &output);
}

#[test]
fn lines_through_a_pipe_end_when_those_whom_they_call_have_been_told() {
    let hook = Peer::webhook(HOOK);
    hook.always(Some(Fault::Slow(SLOW)));
    let (_folder, config) = a_folder(&hook, None);

    let output = says(&config, &[], "incident open sev2 \"checkout is slow\" service=orders\n");

    was_told(&hook, &config, &output);
}

#[test]
fn a_path_that_is_gone_is_tried_once_and_does_not_hold_the_shell() {
    let (gone, there) = (Peer::webhook(HOOK), Peer::webhook(HOOK));
    gone.goes_away();
    let (_folder, config) = a_folder(&gone, Some(&there));

    let output = says(&config, &OPENS, "");

    // From the last of the first attempts on: how long the process takes to start does not matter.
    let ended = Clock::System.now();
    let first = |it: &&Stamped| matches!(it.event, Event::NoticeSending { attempt: 1, .. });
    let tried = events(&config).iter().rev().find(first).expect("something is sent").at;
    let held = ended.duration_since(tried);
    assert!(held < SignedDuration::from_secs(12), "{held:?}: {output:?}");
    assert_eq!(output.status.code(), Some(DONE), "{output:?}");
    // chidi's two ways end where nobody is, dana's do not.
    let (queued, accepted, delayed) = in_the_journal(&config);
    assert_eq!((queued, accepted, there.taken().len()), (4, 2, 2), "{output:?}");
    assert!(delayed >= 2, "each of the others was tried: {delayed}, {output:?}");
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(says.contains("2 notices have not left yet. Next: start the service"), "{says}");
    there.assert_clean();
}
