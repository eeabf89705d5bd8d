//! Who is primary and who is a replica, as the hosts of a cluster answer.

use std::collections::BTreeMap;

use super::measure::{Inquiry, probe_inquiry};
use super::model::Topology;
use super::situation::Situation;
use crate::authoring::Set;
use crate::runbook::expression::{Ask, Facts, Meaning, NoAnswer, Reading, Records, Value};
use crate::runbook::model::Pack;
use crate::runbook::source::name::{ClusterName, HostName};

/// Why a cluster has no topology that a plan could stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTopology {
    /// Two hosts answer as primary.
    TwoPrimaries(Vec<HostName>),
    /// None answers as primary, and none is known from before.
    NoPrimary,
    /// The inventory does not have the cluster, or there is no pack of its kind.
    Unknown,
}

/// The questions that tell the topology of a cluster, one for each member.
pub fn topology_inquiries(
    set: &Set,
    cluster: &ClusterName,
    situation: &Situation,
) -> BTreeMap<HostName, Result<Inquiry, NoAnswer>> {
    let Some((pack, members)) = pack_and_members(set, cluster) else { return BTreeMap::new() };
    let probe = pack.topology.as_ref().and_then(|topology| pack.probe(&topology.probe));
    let Some(probe) = probe else { return BTreeMap::new() };
    members
        .into_iter()
        .map(|host| {
            let inquiry = probe_inquiry(set, pack, probe, &host, BTreeMap::new(), situation);
            (host, inquiry)
        })
        .collect()
}

fn pack_and_members<'a>(set: &'a Set, cluster: &ClusterName) -> Option<(&'a Pack, Vec<HostName>)> {
    let known = set.inventory.clusters.get(cluster)?;
    let pack = set.packs.get(known.kind.as_str())?;
    Some((pack, known.hosts.iter().filter_map(|word| HostName::new(word)).collect()))
}

/// Whom replicas follow, where their probe has a result `upstream`, as `follows` has it.
fn upstreams<'a>(
    replicas: &'a [HostName],
    readings: &'a BTreeMap<HostName, Reading>,
) -> impl Iterator<Item = HostName> + 'a {
    let answers = replicas.iter().filter_map(|host| readings.get(host)?.as_ref().ok());
    answers.filter_map(|results| results.get("upstream")?.as_host().cloned())
}

/// The host that all of them are.
fn only_one(mut hosts: impl Iterator<Item = HostName>) -> Option<HostName> {
    let first = hosts.next()?;
    hosts.all(|host| host == first).then_some(first)
}

/// What the answers say. A kind that knows no roles is asked nothing and has no primary. If none answers as primary, one that is silent is believed to be it: the one that the replicas
/// follow, else `last_known`, the primary of the last plan, else that of the inventory, else the only silent one.
pub fn topology(
    set: &Set,
    cluster: &ClusterName,
    readings: &BTreeMap<HostName, Reading>,
    last_known: Option<&HostName>,
) -> Result<Topology, NoTopology> {
    let (pack, members) = pack_and_members(set, cluster).ok_or(NoTopology::Unknown)?;
    let spares = set.inventory.spares_for(pack.name.as_str()).cloned().collect();
    let Some(described) = &pack.topology else { return Ok(Topology::without_roles(spares)) };
    let holds = |host: &HostName, expr| {
        let reading =
            readings.get(host).cloned().unwrap_or_else(|| Err(NoAnswer("it was not asked".to_owned())));
        let ask = Ask { measurement: described.probe.value.clone(), host: None };
        let facts = Facts(BTreeMap::from([(ask, reading)]));
        let measurements = BTreeMap::from([(described.probe.value.clone(), None)]);
        let (values, lets, records) = (BTreeMap::new(), BTreeMap::new(), Records::default());
        let meaning = Meaning {
            values: &values,
            lets: &lets,
            measurements: &measurements,
            records: &records,
            facts: &facts,
        };
        meaning.evaluate(expr).answer == Ok(Value::Bool(true))
    };
    let primaries: Vec<HostName> =
        members.iter().filter(|host| holds(host, &described.primary)).cloned().collect();
    let replicas: Vec<HostName> =
        members.iter().filter(|host| holds(host, &described.replica)).cloned().collect();
    let silent: Vec<HostName> =
        members.iter().filter(|host| !matches!(readings.get(*host), Some(Ok(_)))).cloned().collect();
    let (primary, believed) = match primaries.as_slice() {
        [one] => (one.clone(), false),
        [] => {
            let inventory = set.inventory.clusters.get(cluster).and_then(|cluster| cluster.primary.as_ref());
            let from_inventory = inventory.and_then(|word| HostName::new(word));
            // What answers as a replica is no primary, whatever it was before.
            let may_be = |host: &HostName| members.contains(host) && !replicas.contains(host);
            let known = only_one(upstreams(&replicas, readings).filter(|host| silent.contains(host)))
                .or_else(|| last_known.filter(|host| may_be(host)).cloned())
                .or_else(|| from_inventory.filter(|host| may_be(host)))
                .or_else(|| only_one(silent.iter().cloned()));
            (known.ok_or(NoTopology::NoPrimary)?, true)
        }
        _ => return Err(NoTopology::TwoPrimaries(primaries)),
    };
    Ok(Topology { primary: Some(primary), believed, replicas, silent, spares })
}
