//! How people are told: their ways, who is told next, and what the paths share with hosts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::model::{Carrier, Notify, WayRule};
use super::on_duty::Duty;
use crate::inventory::Inventory;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{HostName, PathName, Person, Role};

/// How long until the next step of an escalation, if the file does not say.
pub const WAIT: Millis = Millis(300_000);

/// A path, and where on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The path.
    pub path: PathName,
    /// A mail address, a Discord user id, a member id of Slack; empty where the path alone says whom it reaches.
    pub address: String,
    /// What the path needs to work.
    pub depends_on: BTreeSet<String>,
}

impl Way {
    /// What both need to work.
    pub fn shares<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        self.depends_on.intersection(&other.depends_on).map(String::as_str).collect()
    }
}

/// Who is told, and who next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// In this order; the last is followed by the first.
    pub steps: Vec<Step>,
    /// Where is cried out when nobody answers. Empty for a role that no escalation of the file is about.
    pub last_resort: Vec<Way>,
}

/// People who are told at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The roles whose people are told.
    pub tell: Vec<Role>,
    /// How long until the next step.
    pub wait: Millis,
}

/// A host on which a path depends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fate {
    /// The host.
    pub host: HostName,
    /// As the path calls what it depends on: `host/mail1`, `cluster/orders`.
    pub tag: String,
    /// The path.
    pub path: PathName,
}

impl Duty<'_> {
    /// How a person is told, best first. Nobody who stands not in the file can be told.
    pub fn ways(&self, person: &Person) -> Vec<Way> {
        let Ok(notify) = self.notify else { return Vec::new() };
        let rules = notify.people.get(person).map(|reached| reached.ways.as_slice()).unwrap_or_default();
        rules.iter().filter_map(|rule| self.way(notify, rule, Some(person))).collect()
    }

    /// The two ways over which a page goes at once: the first, and the first of the others that shares nothing with it;
    /// if all share something, the second.
    pub fn first_two(ways: &[Way]) -> Vec<&Way> {
        let Some((first, others)) = ways.split_first() else { return Vec::new() };
        let second = others.iter().find(|way| first.shares(way).is_empty()).or(others.first());
        std::iter::once(first).chain(second).collect()
    }

    /// Who is told of what a role answers for, and who next.
    pub fn escalation(&self, role: &Role) -> Escalation {
        if let Ok(notify) = self.notify
            && let Some(rule) = notify.escalations.get(role)
        {
            let steps = rule.steps.iter().map(|step| Step {
                tell: step.tell.iter().filter_map(|word| Role::new(word)).collect(),
                wait: step.wait.unwrap_or(WAIT),
            });
            let last_resort = rule.last_resort.iter().filter_map(|rule| self.way(notify, rule, None));
            return Escalation { steps: steps.collect(), last_resort: last_resort.collect() };
        }
        let mut roles = vec![role.clone()];
        while let Some(next) =
            roles.last().and_then(|role| self.policy.roles.get(role)?.escalates_to.as_ref())
            && let Some(next) = Role::new(next).filter(|next| !roles.contains(next))
        {
            roles.push(next);
        }
        let steps = roles.into_iter().map(|role| Step { tell: vec![role], wait: WAIT });
        Escalation { steps: steps.collect(), last_resort: Vec::new() }
    }

    /// A way as the file has it, of a person or of nobody in particular. `None` if there is no such path.
    pub fn way(&self, notify: &Notify, rule: &WayRule, person: Option<&Person>) -> Option<Way> {
        let (name, path) = notify.paths.get_key_value(rule.path.as_str())?;
        let known = || match path.carrier {
            Carrier::Discord { .. } => {
                self.policy.people.get(person?)?.discord.first().map(|id| id.value.clone())
            }
            _ => None,
        };
        let address = rule.to.as_ref().map(|to| to.value.clone()).or_else(known).unwrap_or_default();
        let depends_on = path.depends_on.iter().map(|tag| tag.value.clone()).collect();
        Some(Way { path: name.clone(), address, depends_on })
    }
}

/// The paths that depend on one of these hosts: on it, on a cluster that it is in, or on the service of that cluster.
/// What a path depends on stands there once.
pub fn shared_fate<'a>(
    notify: &Notify,
    inventory: &Inventory,
    hosts: impl IntoIterator<Item = &'a HostName>,
) -> Vec<Fate> {
    let mut fates = BTreeMap::new();
    for host in hosts {
        let mut tags = vec![format!("host/{host}")];
        if let Some((name, cluster)) = inventory.cluster_of(host.as_str()) {
            tags.extend([format!("cluster/{name}"), format!("service/{}", cluster.service.value)]);
        }
        for (path, rule) in &notify.paths {
            if let Some(tag) = rule.depends_on.iter().find(|tag| tags.contains(tag)) {
                // Of many hosts of a cluster the first is enough.
                fates.entry((path, &tag.value)).or_insert(host);
            }
        }
    }
    let fate = |((path, tag), host): ((&PathName, &String), &HostName)| Fate {
        host: host.clone(),
        tag: tag.clone(),
        path: path.clone(),
    };
    fates.into_iter().map(fate).collect()
}
