//! Plans made from files and from facts that a test writes down: no host is asked.

use std::collections::BTreeMap;

use steadyhand::authoring::{Set, SourceFile, check};
use steadyhand::plan::build::{Request, build};
use steadyhand::plan::digest::Digest;
use steadyhand::plan::model::{Beside, Offer, Topology};
use steadyhand::plan::question::{answer, checks};
use steadyhand::plan::situation::{RunWords, Situation};
use steadyhand::runbook::expression::{Facts, Value};
use steadyhand::runbook::model::Runbook;
use steadyhand::runbook::source::name::{ClusterName, HostName, Person};
use steadyhand::runbook::source::place::FileName;

use crate::folder::Folder;

/// The set of a folder, which must be sound.
pub(crate) fn set_of(folder: &Folder) -> Set {
    let said = folder.check();
    assert_eq!(said.code, 0, "{}", said.out);
    let mut sources = Vec::new();
    for below in ["runbooks", "runbooks/packs"] {
        for entry in std::fs::read_dir(folder.at(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push(SourceFile { name: FileName::new(name), text });
            }
        }
    }
    check(&sources).set.expect("a set")
}

/// A host by its name.
pub(crate) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// The offer of a plan for one cluster, of which all answer, on a Sunday morning.
pub(crate) fn offer(
    set: &Set,
    runbook: &Runbook,
    values: BTreeMap<String, Value>,
    (cluster, primary, replicas): (&str, &str, &[&str]),
    facts: &Facts,
) -> Offer {
    let topology = Topology {
        primary: Some(host(primary)),
        believed: false,
        replicas: replicas.iter().map(|name| host(name)).collect(),
        silent: Vec::new(),
        spares: Vec::new(),
    };
    let topology = BTreeMap::from([(ClusterName::new(cluster).unwrap(), topology)]);
    let now = "2026-03-01T10:00:00Z".parse().unwrap();
    let run = RunWords { id: 7, reason: "because it is a test".to_owned(), started_by: "anna".to_owned() };
    let situation = Situation::new(set, runbook, values, &topology, &run);
    let keys = BTreeMap::new();
    let asked_by = Person::new("anna").unwrap();
    let request =
        Request { asked_by, reason: run.reason, now, last_end: None, keys, secrets: BTreeMap::new() };
    let policy = set.policy.as_ref().unwrap();
    let plan = build(set, runbook, policy, &situation, &topology, &request).expect("a plan");
    let preflight = checks(runbook, &runbook.preflight);
    let preflight = preflight.into_iter().map(|check| answer(&situation, None, check, facts)).collect();
    let digest = Digest::of(&plan);
    Offer {
        plan,
        digest,
        commit: None,
        sources: String::new(),
        preflight,
        guards: BTreeMap::new(),
        measured: (now, now),
        beside: Beside::default(),
    }
}
