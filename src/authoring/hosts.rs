//! The inventory: addresses, owners, members, and settings against the packs.

use std::collections::BTreeMap;

use super::unknown;
use super::uses::Desk;
use crate::inventory::{Cluster, Inventory, Setting, Settings};
use crate::runbook::expression::{Type, Value};
use crate::runbook::given::read_value;
use crate::runbook::model::{Pack, Word};
use crate::runbook::source::name::HostName;
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};

/// Holds the inventory against every rule.
pub(super) fn check_inventory(inventory: &Inventory, desk: &Desk<'_>, problems: &mut Problems) {
    for service in inventory.services.values() {
        desk.role(&service.owner, problems);
    }
    for (name, cluster) in &inventory.clusters {
        check_cluster(inventory, name.as_str(), cluster, desk, problems);
    }
    let members = inventory.clusters.values().flat_map(|cluster| &cluster.hosts);
    let misspelt = members.clone().any(|member| !inventory.hosts.contains_key(member.as_str()));
    let mut addresses: BTreeMap<(String, u16), &HostName> = BTreeMap::new();
    for (name, host) in &inventory.hosts {
        check_address(&host.address, "address", problems);
        check_address(&host.user, "user", problems);
        if let Some(first) = addresses.insert((host.address.value.to_lowercase(), host.port), name)
            && !host.address.is_empty()
        {
            let message = format!("{first} has the address {} too", host.address.value);
            problems.add(Code::HostTwice, &host.address.place, message, "one machine is one host");
        }
        if let Some(role) = &host.owner {
            desk.role(role, problems);
        }
        // A host whose cluster misspells it belongs to that cluster; the slip has been noted there.
        if inventory.owner_of(name.as_str()).is_none() && !misspelt {
            let message = format!("nobody answers for {name}");
            problems.add(Code::OwnerMissing, &host.place, message, "owner: a role, or put it into a cluster");
        }
        for kind in [&host.kind, &host.spare_for].into_iter().flatten() {
            desk.pack(kind, problems);
        }
        check_settings_of_host(inventory, name, desk, problems);
    }
}

fn check_cluster(
    inventory: &Inventory,
    name: &str,
    cluster: &Cluster,
    desk: &Desk<'_>,
    problems: &mut Problems,
) {
    let pack = desk.pack(&cluster.kind, problems);
    desk.role(&cluster.owner, problems);
    if !cluster.service.is_empty() && !inventory.services.contains_key(cluster.service.as_str()) {
        let known = inventory.services.keys().map(super::super::runbook::source::name::ServiceName::as_str);
        unknown(Code::ServiceUnknown, &cluster.service, "service", known, problems);
    }
    if cluster.hosts.is_empty() {
        problems.add(Code::ClusterEmpty, &cluster.place, "a cluster without hosts", "hosts: [pg1, pg2]");
    }
    for host in &cluster.hosts {
        if !inventory.hosts.contains_key(host.as_str()) {
            // Never the nearest host: the possible ones are the keys of `hosts`.
            let message = format!("there is no host `{}`", host.value);
            problems.add(Code::HostUnknown, &host.place, message, "add it under `hosts`");
        }
    }
    if let Some(primary) = &cluster.primary
        && !cluster.hosts.iter().any(|host| host.value == primary.value)
    {
        let members: Vec<_> = cluster.hosts.iter().map(|host| host.value.as_str()).collect();
        let message = format!("`{}` is not a member of this cluster", primary.value);
        problems.add(Code::HostUnknown, &primary.place, message, format!("members: {}", members.join(", ")));
    }
    if let Some(pack) = pack {
        check_settings(inventory, &cluster.settings, &[pack], desk, problems);
        for (setting, _) in pack.settings.iter().filter(|(_, kind)| !kind.optional) {
            if missed_by_all(inventory, cluster, setting) && !cluster.hosts.is_empty() {
                missing(name, setting, pack, &cluster.place, problems);
            }
        }
    }
}

/// What ssh gets as a destination or user: never an option, never a token that it expands.
fn check_address(word: &Word, what: &str, problems: &mut Problems) {
    if word.is_empty() {
        return;
    }
    let first = word.value.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let rest = word.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':'));
    if !first || !rest || word.value.len() > 253 {
        let message = format!("`{}` is no {what}", word.value);
        let cure = "letters, digits, `.`, `_`, `-` and `:`, beginning with a letter or digit";
        problems.add(Code::HostAddress, &word.place, message, cure);
    }
}

fn check_settings_of_host(inventory: &Inventory, name: &HostName, desk: &Desk<'_>, problems: &mut Problems) {
    let Some(host) = inventory.hosts.get(name) else { return };
    let cluster = inventory.cluster_of(name.as_str()).map(|(_, cluster)| cluster);
    // A spare gets the settings of the cluster that it joins; what it says itself is checked, the rest is not missed.
    let required = [cluster.map(|cluster| &cluster.kind), host.kind.as_ref()];
    let required: Vec<&Pack> =
        required.into_iter().flatten().filter_map(|kind| desk.packs.get(kind.as_str())).collect();
    let everywhere: Vec<&Pack> = desk.packs.values().filter(|pack| pack.every_host).collect();
    let spare = host.spare_for.as_ref().and_then(|kind| desk.packs.get(kind.as_str()));
    let mut known = required.clone();
    known.extend(&everywhere);
    known.extend(spare);
    check_settings(inventory, &host.settings, &known, desk, problems);
    for pack in required.iter().chain(&everywhere) {
        for (setting, kind) in &pack.settings {
            let of_cluster = cluster.filter(|cluster| cluster.kind.value == pack.name.as_str());
            // What all members miss is said once, of their cluster.
            if !kind.optional
                && inventory.setting_of(name.as_str(), setting).is_none()
                && !of_cluster.is_some_and(|cluster| missed_by_all(inventory, cluster, setting))
            {
                missing(name.as_str(), setting, pack, &host.place, problems);
            }
        }
    }
}

/// Whether neither the cluster nor one of its members has a setting.
fn missed_by_all(inventory: &Inventory, cluster: &Cluster, setting: &str) -> bool {
    cluster.hosts.iter().all(|host| inventory.setting_of(host.as_str(), setting).is_none())
}

fn missing(whose: &str, setting: &Word, pack: &Pack, place: &Place, problems: &mut Problems) {
    let message = format!("{whose} has no `{}`, which {} needs", setting.value, pack.name);
    let cure = format!("settings: {{ {}: … }} of the host or its cluster", setting.value);
    problems.add(Code::SettingMissing, place, message, cure);
}

fn check_settings(
    inventory: &Inventory,
    settings: &Settings,
    packs: &[&Pack],
    desk: &Desk<'_>,
    problems: &mut Problems,
) {
    for (name, Setting { place, value }) in settings {
        let Some(wanted) = packs.iter().find_map(|pack| pack.setting(name)) else {
            if !desk.unread {
                let known: Vec<&str> = packs
                    .iter()
                    .flat_map(|pack| pack.settings.iter().map(|(setting, _)| setting.value.as_str()))
                    .collect();
                let at = Word::new(name.clone(), place.clone());
                unknown(Code::SettingUnknown, &at, "setting", known.iter().copied(), problems);
            }
            continue;
        };
        if wanted.optional && value.value == "none" {
            continue;
        }
        match read_value(value, &wanted.kind) {
            Ok(Value::Host(host)) if !inventory.hosts.contains_key(&host) => {
                no_such_host(&host, &value.place, problems);
            }
            Ok(_) => {}
            Err(_) if wanted.kind == Type::Broken => {}
            Err(not) => {
                let message = format!("`{name}` is {}, and `{}` {}", wanted.kind, value.value, not.what);
                problems.add(Code::SettingType, &value.place, message, not.cure);
            }
        }
    }
}

fn no_such_host(host: &HostName, place: &Place, problems: &mut Problems) {
    problems.add(Code::HostUnknown, place, format!("there is no host `{host}`"), "add it under `hosts`");
}
