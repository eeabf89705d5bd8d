//! What surrounds the steps: files, hosts with their keys, settings, claims, who must agree, and the limits.

use super::{NotPlanned, Request, not_planned};
use std::collections::{BTreeMap, BTreeSet};

use crate::authoring::Set;
use crate::plan::model::{Approvals, HostPin, Plan, Resource};
use crate::plan::situation::Situation;
use crate::policy::Policy;
use crate::policy::window::is_inside;
use crate::runbook::expression::Value;
use crate::runbook::model::{Effect, Outside, Runbook};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;

/// The hashes of the runbook, of the packs that it may use, and of the policy.
pub(super) fn files(set: &Set, runbook: &Runbook, packs: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut wanted: BTreeSet<String> = packs.clone();
    for measure in &runbook.measures {
        wanted.extend(measure.probe.split_once('/').map(|(first, _)| first.to_owned()));
    }
    let kinds = set.inventory.clusters.values().map(|cluster| cluster.kind.value.clone());
    wanted.extend(kinds);
    let pack_files =
        set.packs.values().filter(|pack| wanted.contains(pack.name.as_str())).map(|pack| &pack.place.file);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for file in pack_files.chain([&runbook.place.file]) {
        if let Some(hash) = set.hashes.get(file) {
            files.insert(file.to_string(), hash.clone());
        }
    }
    // The policy decides who may approve: any change of it voids an approval. The inventory is not hashed as a
    // file; what a plan uses of it stands in the plan.
    files.extend(
        set.hashes
            .iter()
            .filter(|(file, _)| file.stem() == "policy")
            .map(|(f, h)| (f.to_string(), h.clone())),
    );
    files
}

/// How each host is reached that the run may send something to.
pub(super) fn pins(
    set: &Set,
    situation: &Situation,
    plan: &Plan,
    request: &Request,
) -> BTreeMap<HostName, HostPin> {
    let mut names: BTreeSet<&HostName> = BTreeSet::new();
    for (_, unit) in plan.units() {
        if let Some(step) = unit.step() {
            names.insert(&step.command.host);
            names.extend(step.instead.iter().map(|command| &command.host));
        }
    }
    names.extend(situation.measured_hosts());
    names
        .into_iter()
        .filter_map(|name| {
            let host = set.inventory.hosts.get(name)?;
            let pin = HostPin {
                address: host.address.value.clone(),
                port: host.port,
                user: host.user.value.clone(),
                keys: request.keys.get(name).cloned().unwrap_or_default(),
            };
            Some((name.clone(), pin))
        })
        .collect()
}

/// What the inventory says of the clusters and hosts of the plan.
pub(super) fn settings(
    set: &Set,
    situation: &Situation,
    plan: &Plan,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let print = |fields: &BTreeMap<String, Value>| {
        fields.iter().map(|(name, value)| (name.clone(), value.human())).collect::<BTreeMap<_, _>>()
    };
    let mut all = BTreeMap::new();
    for name in plan.topology.keys() {
        if let Some(fields) = situation.records.clusters.get(name) {
            all.insert(format!("cluster/{name}"), print(fields));
        }
    }
    for name in plan.hosts.keys() {
        let mut fields = situation.records.hosts.get(name).map(print).unwrap_or_default();
        if let Some(host) = set.inventory.hosts.get(name) {
            fields.extend(
                host.settings.iter().map(|(name, setting)| (name.clone(), setting.value.value.clone())),
            );
        }
        all.insert(format!("host/{name}"), fields);
    }
    all
}

/// Every cluster parameter, and every host that a changing step or what is done instead runs on.
pub(super) fn holds(situation: &Situation, plan: &Plan) -> Vec<Resource> {
    let clusters = situation.values.values().filter_map(|value| match value {
        Value::Cluster(name) => Some(Resource::cluster(name)),
        _ => None,
    });
    let hosts = plan.units().filter_map(|(_, unit)| unit.step()).filter(|step| step.effect.changes());
    let hosts = hosts.flat_map(|step| {
        let instead = step.instead.iter().map(|command| Resource::host(&command.host));
        std::iter::once(Resource::host(&step.command.host)).chain(instead).collect::<Vec<_>>()
    });
    // Sorted, so that two runs never wait for each other; a run that only reads claims nothing.
    let hosts: BTreeSet<Resource> = hosts.collect();
    if hosts.is_empty() {
        Vec::new()
    } else {
        clusters.collect::<BTreeSet<_>>().into_iter().chain(hosts).collect()
    }
}

/// Who must agree: what the runbook says, and what the policy adds.
pub(super) fn approvals(
    policy: &Policy,
    runbook: &Runbook,
    plan: &Plan,
    request: &Request,
) -> Result<Approvals, NotPlanned> {
    let mut approvals = match &runbook.access.approve {
        Some(approve) => Approvals {
            count: approve.count,
            by: crate::policy::decide::role_names(&approve.by),
            ..Approvals::default()
        },
        // Where only the policy asks for an approval, the owner of the runbook gives it.
        None => Approvals { by: vec![runbook.owner.value.clone()], ..Approvals::default() },
    };
    let has_effect = |effect: Effect| plan.units().any(|(_, unit)| unit.effect() == Some(effect));
    for rule in &policy.rules {
        let named = rule
            .runbooks
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name.value == runbook.name.as_str()));
        if !named || rule.effect.is_some_and(|effect| !has_effect(effect)) {
            continue;
        }
        if let Some(least) = rule.approve_at_least.filter(|least| *least > approvals.count) {
            approvals.because.push(format!("The policy asks for {least} approvals here."));
            approvals.count = least;
        }
        match rule.stale_rehearsal.as_ref().map(|word| word.value.as_str()) {
            Some("refuse") => {
                let what =
                    format!("{} has never been rehearsed, and the policy refuses it then.", runbook.name);
                return Err(not_planned(
                    "not-rehearsed",
                    what,
                    "Rehearse it first, or ask those who keep the policy.",
                ));
            }
            Some(_) => {
                approvals.because.push("It has never been rehearsed: one more approval.".to_owned());
                approvals.count += 1;
            }
            None => {}
        }
    }
    if let Some(rule) = &runbook.window {
        let window = policy.windows.get(rule.name.as_str());
        let inside = window.and_then(|window| is_inside(window, request.now)).unwrap_or(false);
        if !inside && rule.outside == Outside::Refuse {
            let what = format!(
                "{} runs in the window `{}` only, and now is outside it.",
                runbook.name, rule.name.value
            );
            return Err(not_planned(
                "outside-window",
                what,
                "Wait for the window, or ask those who keep the policy.",
            ));
        }
        if !inside {
            approvals
                .because
                .push(format!("Now is outside the window `{}`: one more approval.", rule.name.value));
            approvals.count += 1;
        }
    }
    if let (Some(cool_down), Some(last)) = (runbook.cool_down, request.last_end) {
        let since = Millis(request.now.duration_since(last).as_millis().try_into().unwrap_or(i64::MAX));
        if since < cool_down {
            // Neither the time nor the distance: a plan that is made again must be the same.
            let why = format!(
                "It ended here less than {cool_down} ago, and cools down so long: a commander must be among those who approve."
            );
            approvals.count = approvals.count.max(1);
            approvals.commander = Some(why);
        }
    }
    Ok(approvals)
}

/// The policy limits how many hosts one run may change.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a list"
)]
pub(super) fn within_limits(
    set: &Set,
    policy: &Policy,
    runbook: &Runbook,
    plan: &Plan,
) -> Result<(), NotPlanned> {
    let changed = plan.changed_hosts();
    for rule in &policy.rules {
        let named = rule
            .runbooks
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name.value == runbook.name.as_str()));
        if !named {
            continue;
        }
        if let Some(most) = rule.most_hosts.filter(|most| changed.len() > *most) {
            let what =
                format!("The plan changes {} hosts, and the policy allows {most} in a run.", changed.len());
            return Err(not_planned(
                "too-many-hosts",
                what,
                "Choose fewer hosts, or ask those who keep the policy.",
            ));
        }
        let Some(percent) = rule.most_of_cluster else { continue };
        for (name, cluster) in &set.inventory.clusters {
            let members = cluster.hosts.len();
            let touched = changed
                .iter()
                .filter(|host| cluster.hosts.iter().any(|word| word.value == host.as_str()))
                .count();
            let most = (members as f64 * percent / 100.0).ceil() as usize;
            if touched > most {
                let what = format!(
                    "The plan changes {touched} of {members} hosts of {name}, and the policy allows {percent} %, that is {most}."
                );
                return Err(not_planned(
                    "too-much-of-cluster",
                    what,
                    "Choose fewer hosts, or ask those who keep the policy.",
                ));
            }
        }
    }
    Ok(())
}
