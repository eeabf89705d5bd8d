//! A small folder of runbooks: one cluster of web servers, a pack that restarts them, and who may do so.

use std::collections::BTreeMap;
use std::fs;

use jiff::Timestamp;
use steadyhand::authoring::{Set, SourceFile, check};
use steadyhand::library::{Folders, Library};
use steadyhand::plan::Plan;
use steadyhand::plan::bind::bind;
use steadyhand::plan::build::{NotPlanned, Request, build};
use steadyhand::plan::model::Topology;
use steadyhand::plan::situation::{RunWords, Situation};
use steadyhand::runbook::expression::Value;
use steadyhand::runbook::source::name::ClusterName;
use steadyhand::runbook::source::place::FileName;
use tempfile::TempDir;

use crate::run::plans::{host, noon, person};

pub(super) const PACK: &str = r"pack: web
title: A web server
topology: { probe: node, primary: node.leads, replica: node.leads == false }

probes:
  node:
    asks: Does it lead?
    at_most: 5s
    results: { leads: bool }
    run: [web-status]
  request:
    asks: Does it serve?
    at_most: 5s
    results: { serves: bool }
    writes: a line in its log
    run: [web-request]

actions:
  restart:
    does: Restarts the web server.
    effect: reversible
    at_most: 30s
    run: [web-restart]
    undo: { nothing: It serves again by itself. }
";

pub(super) const RUNBOOK: &str = r#"runbook: restart-web
title: Restart {{cluster}}
use_when: The web servers hang.
owner: ops
rehearse: 90d

parameters:
  cluster: { type: cluster, kind: [web] }

access: { start: [on-call] }
tell:
  - { who: support, at: start, until: delivered, within: 10m }

measure:
  request: { probe: web/request, hosts: cluster.hosts }

steps:
  - each: server
    of: cluster.hosts
    batch: { size: 3 }
    steps:
      - step: Restart {{server}}
        host: server
        effect: reversible
        use: web/restart
        verify:
          - that: request[server].serves
            else: "{{server}} does not serve"
"#;

pub(super) const POLICY: &str = r"policy: sample

people:
  anna: { console: [anna, anna.admin] }
  ben: { console: ben }
  dana: { console: dana }

roles:
  on-call: { people: [anna, dana] }
  dba: { people: [ben] }
  ops: { people: [anna, ben], escalates_to: commander }
  commander: { people: [ben] }
  support: { people: [dana] }
  night: { schedule: primary }

doors: { console: {} }

rules:
  - { runbooks: all, most_hosts: 12 }
";

/// The schedule that the policy names.
const NOTIFY: &str = r#"notify: sample

paths:
  post: { kind: mail, server: "mail1:25", from: bot@shop.example, depends_on: [mail1] }
  fax: { kind: mail, server: "mail2:25", from: bot@shop.example, depends_on: [mail2] }

people:
  ben: [{ path: post, to: ben@shop.example }, { path: fax, to: ben@fax.example }]

schedules:
  primary: { zone: UTC, layers: [{ people: [ben] }] }
"#;

/// An inventory with a cluster of so many web servers.
pub(super) fn inventory(hosts: usize) -> String {
    let names: Vec<String> = (1..=hosts).map(|number| format!("web{number}")).collect();
    let lines: Vec<String> = (1..=hosts)
        .map(|number| format!("  web{number}: {{ address: 10.20.1.{number}, user: web }}\n"))
        .collect();
    format!(
        "inventory: sample\n\nservices:\n  shop: {{ title: The shop, owner: ops, shown_as: [shop] }}\n\nclusters:\n  webs:\n    \
         kind: web\n    service: shop\n    owner: ops\n    hosts: [{}]\n    primary: web1\n\nhosts:\n{}",
        names.join(", "),
        lines.concat()
    )
}

/// The files of a cluster of so many web servers, with this policy.
pub(super) fn sources(hosts: usize, policy: Option<&str>) -> Vec<SourceFile> {
    let file = |name: &str, text: &str| SourceFile { name: FileName::new(name), text: text.to_owned() };
    let mut all = vec![
        file("inventory.yaml", &inventory(hosts)),
        file("packs/web.yaml", PACK),
        file("restart-web.yaml", RUNBOOK),
    ];
    all.extend(policy.map(|text| file("policy.yaml", text)));
    let is_scheduled = policy.is_some_and(|text| text.contains("schedule: primary"));
    all.extend(is_scheduled.then(|| file("notify.yaml", NOTIFY)));
    all
}

/// The set that these files make; every problem of them is told.
pub(super) fn set(sources: &[SourceFile]) -> Set {
    let checked = check(sources);
    let problems: Vec<String> = checked
        .problems
        .iter()
        .map(|problem| format!("{:?}: {}; {}", problem.place, problem.message, problem.cure))
        .collect();
    assert!(problems.is_empty(), "the sample is right: {problems:#?}");
    checked.set.expect("a set")
}

/// The plan that restarts a whole cluster of so many web servers under this policy.
pub(super) fn plan(
    hosts: usize,
    policy: &str,
    runbook: &str,
    now: Timestamp,
    last_end: Option<Timestamp>,
) -> Result<Plan, NotPlanned> {
    let mut sources = sources(hosts, Some(policy));
    for source in &mut sources {
        if source.name.stem() == "restart-web" {
            runbook.clone_into(&mut source.text);
        }
    }
    let set = set(&sources);
    let runbook = &set.runbooks["restart-web"];
    let arguments = [("cluster".to_owned(), "webs".to_owned())];
    let values = bind(&set, runbook, &arguments, Some("the servers hang")).expect("values");
    assert!(values.values().any(|value| matches!(value, Value::Cluster(_))));
    let replicas = (2..=hosts).map(|number| host(&format!("web{number}"))).collect();
    let topology = Topology {
        primary: Some(host("web1")),
        believed: false,
        replicas,
        silent: Vec::new(),
        spares: Vec::new(),
    };
    let topology = BTreeMap::from([(ClusterName::new("webs").unwrap(), topology)]);
    let words = RunWords { id: 7, reason: "the servers hang".to_owned(), started_by: "anna".to_owned() };
    let situation = Situation::new(&set, runbook, values, &topology, &words);
    let request = Request {
        asked_by: person("anna"),
        reason: "the servers hang".to_owned(),
        now,
        last_end,
        keys: BTreeMap::new(),
        secrets: BTreeMap::new(),
    };
    build(&set, runbook, set.policy.as_ref().expect("a policy"), &situation, &topology, &request)
}

/// The plan of now, where no run was before.
pub(super) fn plan_under(policy: &str, hosts: usize) -> Result<Plan, NotPlanned> {
    plan(hosts, policy, RUNBOOK, noon(), None)
}

/// The same folder on disk.
pub(super) fn on_disk() -> (TempDir, Library) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("packs")).unwrap();
    for source in sources(3, Some(POLICY)) {
        fs::write(folder.path().join(source.name.to_string()), source.text).unwrap();
    }
    let library = Library::new(Folders::all_in(folder.path()));
    (folder, library)
}
