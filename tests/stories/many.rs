//! Two hundred hosts at once: real sshds, one of them silent, one on which the step fails.

use std::fs;

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

    let said = types_with(
        &farm.bot_dir().join("steadyhand.toml"),
        [
            "run roll-out cluster=farm version=7 reason=\"the new version is out\"",
            "next",
            "status 1",
            "skip 1 1 w007 \"its disk is broken, a ticket is open\"",
            "status 1",
            "skip 1 1 w120 \"it does not answer, somebody goes there\"",
        ],
    );

    let said = said.ends_with(DONE);
    let said = said
        .says("Install on each server 200 hosts reversible")
        .says("1 host first, then at most 100 at once, 1 s between batches; 2 hosts may be left out.")
        .says("cluster/farm 200 hosts")
        .says("exit 3 after")
        .says("this one is broken")
        .says("takes back step 1 on 100 hosts")
        .says("100 of 200 hosts, 1 FAILED")
        // The silent one holds nobody up, and is told apart from the one that is broken.
        .says("w120 does not answer ssh in 3 s")
        .says("198 of 200 hosts, 1 skipped, 1 FAILED")
        .says("Run 1 ended with issues");
    let longest = status_page(&said.text);
    assert!(longest < 24, "{longest} lines do not fit a terminal:\n{said}");
    for number in 1..=200 {
        let times = fs::read_to_string(farm.home(number).join("times")).unwrap_or_default();
        let expected = if [7, 120].contains(&number) { "" } else { "ran\n" };
        assert_eq!(times, expected, "host {number}");
    }
    let last = said.text.lines().filter(|line| line.contains("host=w200 state=succeeded")).count();
    assert_eq!(last, 1);
}

/// How many lines the longest answer to `status` has.
fn status_page(text: &str) -> usize {
    let answers = text.split("ana> status 1").skip(1);
    answers.map(|answer| answer.lines().take_while(|line| !line.starts_with("ana> ")).count()).max().unwrap()
}
