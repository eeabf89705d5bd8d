//! Two hundred hosts at once: real sshds, one of them silent, one on which the step fails.

use std::fs;
use std::time::Instant;

use lab::Farm;

use crate::chat::{DONE, types_with};

const PACK: &str = "pack: web
title: A web server that is a file
commands: [cat]
probes:
  page:
    asks: Which version does it serve?
    at_most: 5s
    results: { version: int }
    script: |
      printf '{\"version\":%d}' \"$(cat version 2>/dev/null || echo 0)\"
actions:
  install:
    does: Installs a version.
    inputs: { version: int }
    effect: reversible
    takes: 100ms
    at_most: 20s
    repeatable: true
    script: |
      test ! -e broken || { echo this one is broken >&2; exit 3; }
      echo \"$version\" >version
      echo ran >>times
    undo:
      script: rm -f version
";

const RUNBOOK: &str = "runbook: roll-out
title: Roll version {{version}} out on {{cluster}}
use_when: A version is to be installed on every web server, few at a time.
owner: web
rehearse: 90d

parameters:
  cluster: { type: cluster, kind: [web] }
  version: { type: int, min: 1 }

access: { start: [on-call] }
tell:
  - { who: support, at: start, until: acknowledged, within: 1h }

measure:
  page: { probe: web/page, hosts: cluster.hosts }

steps:
  - each: server
    of: cluster.hosts
    batch: { size: 50%, pause: 1s, failures: 2 }
    steps:
      - step: Install on {{server}}
        host: server
        effect: reversible
        use: web/install
        with: { version: \"{{version}}\" }
        verify:
          - that: page[server].version == version
            else: \"{{server}} serves another version\"
";

#[test]
fn two_hundred_hosts_are_done_batch_by_batch_and_two_bad_ones_stop_nobody() {
    let farm = Farm::up(200, &[120]).unwrap();
    fs::write(farm.bot_dir().join("runbooks/packs/web.yaml"), PACK).unwrap();
    fs::write(farm.bot_dir().join("runbooks/roll-out.yaml"), RUNBOOK).unwrap();
    fs::write(farm.home(7).join("broken"), "").unwrap();
    let began = Instant::now();

    let said = types_with(
        &farm.bot_dir().join("steadyhand.toml"),
        [
            "run roll-out cluster=farm version=7 reason=\"the new version is out\"",
            "next",
            "next",
            "status 1",
        ],
    );

    println!("{said}\n{:?}", began.elapsed());
    said.ends_with(DONE);
}
