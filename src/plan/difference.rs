//! How two plans of one run differ, as sentences: why an agreement is void.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Block, Plan, Topology};

/// What is different now, the most important first. Empty only if the plans are the same.
pub fn differences(was: &Plan, now: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for (cluster, before) in &was.topology {
        if let Some(after) = now.topology.get(cluster) {
            found.extend(topology(cluster.as_str(), before, after));
        }
    }
    found.extend(steps(was, now));
    for (host, before) in &was.hosts {
        match now.hosts.get(host) {
            Some(after) if before.keys != after.keys => {
                found.push(format!("The pinned key of {host} changed."));
            }
            Some(after) if before != after => {
                let reach =
                    |pin: &super::model::HostPin| format!("{}@{}:{}", pin.user, pin.address, pin.port);
                found.push(format!("{host} was {}, now {}.", reach(before), reach(after)));
            }
            _ => {}
        }
    }
    found.extend(files(&was.files, &now.files));
    for (owner, before) in &was.settings {
        let after = now.settings.get(owner);
        let changed: Vec<&str> = before
            .iter()
            .filter(|(name, value)| after.is_some_and(|after| after.get(*name) != Some(value)))
            .filter(|(name, _)| !matches!(name.as_str(), "primary" | "replicas" | "spares" | "hosts"))
            .map(|(name, _)| name.as_str())
            .collect();
        if !changed.is_empty() {
            found.push(format!("The inventory of {owner} changed: {}.", changed.join(", ")));
        }
    }
    if was.secrets != now.secrets {
        let names = now.secrets.keys().chain(was.secrets.keys());
        let changed: BTreeSet<&str> = names
            .filter(|name| was.secrets.get(*name) != now.secrets.get(*name))
            .map(String::as_str)
            .collect();
        let changed: Vec<&str> = changed.into_iter().collect();
        found.push(format!("Secrets are read from elsewhere now: {}.", changed.join(", ")));
    }
    if was.approvals != now.approvals {
        found.push(format!(
            "It needs {} approvals now, and needed {}.",
            now.approvals.count, was.approvals.count
        ));
    }
    if found.is_empty() && was != now {
        found.push("A command, a check or what is told changed.".to_owned());
    }
    found
}

fn topology(cluster: &str, was: &Topology, now: &Topology) -> Option<String> {
    let list = |hosts: &[crate::runbook::source::name::HostName]| {
        let names: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    };
    if let (Some(before), Some(after)) = (&was.primary, &now.primary)
        && before != after
    {
        Some(format!("The primary of {cluster} was {before}, now {after}."))
    } else if was.replicas != now.replicas {
        Some(format!("The replicas of {cluster} were {}, now {}.", list(&was.replicas), list(&now.replicas)))
    } else if was.silent != now.silent {
        Some(format!("Silent in {cluster} were {}, now {}.", list(&was.silent), list(&now.silent)))
    } else {
        None
    }
}

/// Which hosts each step runs on.
fn steps(was: &Plan, now: &Plan) -> Vec<String> {
    let hosts = |plan: &Plan| {
        let mut all: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (lane, unit) in plan.units() {
            let host = lane
                .map(ToString::to_string)
                .or_else(|| unit.step().map(|step| step.command.host.to_string()));
            all.entry(unit.number).or_default().extend(host);
        }
        all
    };
    let (before, after) = (hosts(was), hosts(now));
    if was.blocks.len() != now.blocks.len() || before.len() != after.len() {
        return vec![format!("The plan had {} steps, and has {}.", before.len(), after.len())];
    }
    let moved = before.iter().filter_map(|(number, hosts)| {
        let now = after.get(number)?;
        (now != hosts).then(|| format!("Step {number} was on {}, now on {}.", hosts.join(" "), now.join(" ")))
    });
    let mut found: Vec<String> = moved.collect();
    let sizes = |plan: &Plan| -> Vec<Vec<usize>> {
        let batches = plan.blocks.iter().map(|block| match block {
            Block::Each(each) => each.batches.iter().map(Vec::len).collect(),
            Block::One(_) => Vec::new(),
        });
        batches.collect()
    };
    if found.is_empty() && sizes(was) != sizes(now) {
        found.push("The batches changed.".to_owned());
    }
    found
}

fn files(was: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let changed =
        was.iter().filter(|(file, hash)| now.get(*file) != Some(hash)).map(|(file, _)| file.as_str());
    let added = now.keys().filter(|file| !was.contains_key(*file)).map(String::as_str);
    let all: Vec<&str> = changed.chain(added).collect();
    if all.is_empty() { Vec::new() } else { vec![format!("{} changed.", all.join(", "))] }
}
