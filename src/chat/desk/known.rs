//! What is known without asking: of a person, and of the roles of a cluster's hosts. Completion lives on it.

use std::collections::BTreeMap;

use super::Desk;
use super::looks::may_look;
use crate::engine::Speaker;
use crate::library::Snapshot;
use crate::plan::bind::bind_given;
use crate::plan::model::Topology;
use crate::plan::situation::{RunWords, Situation};
use crate::run::Event;
use crate::runbook::expression::{Facts, Value};
use crate::runbook::model::{ParameterKind, Runbook};
use crate::runbook::source::name::{ClusterName, HostName};

/// Plans that are looked through for the roles of hosts.
const PLANS: u32 = 50;

impl Desk {
    /// The files, for those who may look at them.
    pub fn files_for(&self, speaker: &Speaker) -> Option<std::sync::Arc<Snapshot>> {
        let snapshot = self.files().ok()?;
        may_look(speaker, &snapshot).is_ok().then_some(snapshot)
    }

    /// What a parameter may be, as far as that is known without asking any host.
    pub fn values_for(
        &self,
        snapshot: &Snapshot,
        runbook: &Runbook,
        parameter: &str,
        given: &[(String, String)],
    ) -> Vec<String> {
        let inventory = &snapshot.set.inventory;
        let found = runbook.parameters.iter().find(|known| known.name.value == parameter);
        match found.map(|parameter| &parameter.kind) {
            Some(ParameterKind::Choice(words)) => words.iter().map(|word| word.value.clone()).collect(),
            Some(ParameterKind::Bool) => vec!["true".to_owned(), "false".to_owned()],
            Some(ParameterKind::Service) => inventory.services.keys().map(ToString::to_string).collect(),
            Some(ParameterKind::Cluster(kinds)) => {
                let fits = |kind: &str| kinds.iter().any(|word| word.value == kind);
                let clusters = inventory.clusters.iter().filter(|(_, cluster)| fits(&cluster.kind));
                clusters.map(|(name, _)| name.to_string()).collect()
            }
            Some(ParameterKind::Host(_)) => {
                let hosts = self.hosts_for(snapshot, runbook, parameter, given);
                hosts.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The hosts that a parameter may be, as far as that is known without asking them. Nothing rather than a wrong one.
    fn hosts_for(
        &self,
        snapshot: &Snapshot,
        runbook: &Runbook,
        parameter: &str,
        given: &[(String, String)],
    ) -> Vec<HostName> {
        let set = &snapshot.set;
        let found = runbook.parameters.iter().find(|known| known.name.value == parameter);
        let Some(ParameterKind::Host(Some(list))) = found.map(|parameter| &parameter.kind) else {
            return Vec::new();
        };
        let topology = self.topology(snapshot);
        let run = RunWords { id: 0, reason: String::new(), started_by: String::new() };
        let situation = Situation::new(set, runbook, bind_given(set, runbook, given), &topology, &run);
        match situation.meaning(&Facts::default()).evaluate(list).answer {
            Ok(Value::List(items)) => items.iter().filter_map(Value::as_host).cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Who was what in each cluster: when a plan was last made, else by the inventory. Nobody knows any more once a run has
    /// changed a host since.
    fn topology(&self, snapshot: &Snapshot) -> BTreeMap<ClusterName, Topology> {
        let clusters = snapshot.set.inventory.clusters.keys();
        let mut planned = self.planned(snapshot);
        let known = clusters.filter_map(|name| {
            let topology = planned.remove(name).unwrap_or_else(|| by_inventory(snapshot, name))?;
            Some((name.clone(), topology))
        });
        known.collect()
    }

    /// The clusters of the newest plans, as they were measured; none where a run has changed a host since.
    fn planned(&self, snapshot: &Snapshot) -> BTreeMap<ClusterName, Option<Topology>> {
        let clusters = &snapshot.set.inventory.clusters;
        let mut planned = BTreeMap::new();
        let view = self.journal.as_ref();
        for entry in view.and_then(|view| view.newest_of_kind("offered", PLANS).ok()).unwrap_or_default() {
            if planned.len() == clusters.len() {
                break;
            }
            let Ok(stamped) = crate::journal::stamped(&entry) else { continue };
            let Event::Offered { offer, .. } = stamped.event else { continue };
            let new: Vec<(&ClusterName, &Topology)> = offer
                .plan
                .topology
                .iter()
                .filter(|(name, _)| clusters.contains_key(*name) && !planned.contains_key(*name))
                .collect();
            if new.is_empty() {
                continue;
            }
            let run = entry.run.and_then(|id| self.run(id).ok());
            let has_begun = run.is_none_or(|run| run.started.is_some());
            let changed = offer.plan.changed_hosts();
            for (name, seen) in new {
                let is_member =
                    |host: &HostName| clusters[name].hosts.iter().any(|word| word.value == host.as_str());
                let is_changed = has_begun && changed.iter().any(|host| is_member(host));
                planned.insert(name.clone(), (!is_changed).then(|| seen.clone()));
            }
        }
        planned
    }
}

/// Who is what in a cluster of which no plan was made yet.
fn by_inventory(snapshot: &Snapshot, name: &ClusterName) -> Option<Topology> {
    let set = &snapshot.set;
    let cluster = set.inventory.clusters.get(name)?;
    let spares = set.inventory.spares_for(&cluster.kind.value).cloned().collect();
    if !set.knows_roles(name) {
        return Some(Topology::without_roles(spares));
    }
    let primary = HostName::new(&cluster.primary.as_ref()?.value)?;
    let members = cluster.hosts.iter().filter_map(|word| HostName::new(&word.value));
    let replicas = members.filter(|host| *host != primary).collect();
    Some(Topology { primary: Some(primary), believed: true, replicas, silent: Vec::new(), spares })
}
