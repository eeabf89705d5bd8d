//! What the names of a runbook mean for one plan: parameters, `let`, measurements, and the fields of hosts and clusters.

use std::collections::BTreeMap;

use super::model::Topology;
use crate::authoring::Set;
use crate::runbook::expression::{Expr, Facts, Meaning, NoAnswer, Records, Value};
use crate::runbook::given::read_value;
use crate::runbook::model::{MeasureAt, Pack, Runbook};
use crate::runbook::source::name::{ClusterName, HostName};

/// What the run itself is called.
#[derive(Debug, Clone)]
pub struct RunWords {
    /// Its number; 0 for a plan that is only looked at.
    pub id: u64,
    /// Why it is done.
    pub reason: String,
    /// Who asked for it.
    pub started_by: String,
}

/// What names mean. It follows from the files, the parameters and the topology, so that it is the same after a restart.
#[derive(Debug, Clone)]
pub struct Situation {
    /// Parameters.
    pub values: BTreeMap<String, Value>,
    /// `let` names.
    lets: BTreeMap<String, Expr>,
    /// Measurements; those by host with their hosts.
    measurements: BTreeMap<String, Option<Vec<HostName>>>,
    /// Measurements whose host cannot be named, and why: they never answer.
    pub(super) nowhere: BTreeMap<String, NoAnswer>,
    /// For a measurement of one host: the host.
    pub(super) one_host: BTreeMap<String, HostName>,
    /// Fields of hosts, clusters, services and the run.
    pub(super) records: Records,
}

impl Situation {
    /// Puts together what is known.
    pub fn new(
        set: &Set,
        runbook: &Runbook,
        values: BTreeMap<String, Value>,
        topology: &BTreeMap<ClusterName, Topology>,
        run: &RunWords,
    ) -> Self {
        let mut situation = Self {
            values,
            lets: runbook.lets.iter().map(|(name, expr)| (name.value.clone(), expr.clone())).collect(),
            measurements: BTreeMap::new(),
            nowhere: BTreeMap::new(),
            one_host: BTreeMap::new(),
            records: records(set, topology, run),
        };
        for measure in &runbook.measures {
            let name = measure.name.value.clone();
            let facts = Facts::default();
            match &measure.at {
                MeasureAt::Host(expr) => {
                    let answer = situation.meaning(&facts).evaluate(expr).answer;
                    match answer {
                        Ok(Value::Host(host)) => {
                            situation.one_host.insert(name.clone(), host);
                        }
                        Ok(_) => {
                            let why = NoAnswer(format!("{} is none, so nobody can be asked", expr.source));
                            situation.nowhere.insert(name.clone(), why);
                        }
                        Err(why) => {
                            situation.nowhere.insert(name.clone(), why);
                        }
                    }
                    situation.measurements.insert(name, None);
                }
                MeasureAt::Hosts(expr) => {
                    let hosts = match situation.meaning(&facts).evaluate(expr).answer {
                        Ok(Value::List(items)) => items.iter().filter_map(Value::as_host).cloned().collect(),
                        _ => Vec::new(),
                    };
                    situation.measurements.insert(name, Some(hosts));
                }
                MeasureAt::Broken => {}
            }
        }
        situation
    }

    /// Every host that a measurement asks.
    pub fn measured_hosts(&self) -> impl Iterator<Item = &HostName> {
        self.one_host.values().chain(self.measurements.values().flatten().flatten())
    }

    /// The cluster that this pack knows and the run is about; none if it is about several of them.
    pub fn cluster_of_kind(&self, set: &Set, pack: &Pack) -> Option<&ClusterName> {
        let is_of_kind = |name: &ClusterName| {
            set.inventory.clusters.get(name).is_some_and(|cluster| cluster.kind.value == pack.name.as_str())
        };
        let mut of_kind = self.values.values().filter_map(|value| match value {
            Value::Cluster(name) if is_of_kind(name) => Some(name),
            _ => None,
        });
        of_kind.next().filter(|_| of_kind.next().is_none())
    }

    /// What names mean outside of an `each`.
    pub fn meaning<'a>(&'a self, facts: &'a Facts) -> Meaning<'a> {
        self.meaning_of(&self.values, facts)
    }

    /// What names mean with these values, such as [`Situation::with_host`] gives them.
    pub fn meaning_of<'a>(&'a self, values: &'a BTreeMap<String, Value>, facts: &'a Facts) -> Meaning<'a> {
        Meaning { values, lets: &self.lets, measurements: &self.measurements, records: &self.records, facts }
    }

    /// The values inside an `each`, with the host at hand.
    pub fn with_host(&self, at_hand: Option<(&str, &HostName)>) -> BTreeMap<String, Value> {
        let mut values = self.values.clone();
        if let Some((variable, host)) = at_hand {
            values.insert(variable.to_owned(), Value::Host(host.clone()));
        }
        values
    }
}

/// The fields of all hosts, clusters and services of the inventory.
fn records(set: &Set, topology: &BTreeMap<ClusterName, Topology>, run: &RunWords) -> Records {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut records = Records::default();
    for (name, service) in &set.inventory.services {
        let fields =
            [("name", text(name.as_str())), ("title", text(&service.title)), ("owner", text(&service.owner))];
        records.services.insert(name.clone(), fields.map(|(key, value)| (key.to_owned(), value)).into());
    }
    for (name, host) in &set.inventory.hosts {
        let owner = set.inventory.owner_of(name.as_str()).unwrap_or_default();
        let fields =
            [("name", text(name.as_str())), ("address", text(&host.address)), ("owner", text(owner))];
        let mut fields: BTreeMap<String, Value> = fields.map(|(key, value)| (key.to_owned(), value)).into();
        for pack in set.packs.values().filter(|pack| pack.every_host) {
            for (setting, kind) in &pack.settings {
                let given = set.inventory.setting_of(name.as_str(), setting);
                fields.insert(
                    setting.value.clone(),
                    setting_value(given.map(|word| word.value.as_str()), &kind.kind),
                );
            }
        }
        records.hosts.insert(name.clone(), fields);
    }
    let hosts = |names: &[HostName]| Value::List(names.iter().cloned().map(Value::Host).collect());
    for (name, cluster) in &set.inventory.clusters {
        let members: Vec<HostName> = cluster.hosts.iter().filter_map(|word| HostName::new(word)).collect();
        let mut fields = BTreeMap::from([
            ("name".to_owned(), text(name.as_str())),
            ("owner".to_owned(), text(&cluster.owner)),
            ("hosts".to_owned(), hosts(&members)),
        ]);
        if let Some(service) = crate::runbook::source::name::ServiceName::new(&cluster.service) {
            fields.insert("service".to_owned(), Value::Service(service));
        }
        if let Some(seen) = topology.get(name) {
            if let Some(primary) = &seen.primary {
                fields.insert("primary".to_owned(), Value::Host(primary.clone()));
                fields.insert("replicas".to_owned(), hosts(&seen.replicas));
            }
            fields.insert("spares".to_owned(), hosts(&seen.spares));
        }
        if let Some(pack) = set.packs.get(cluster.kind.as_str()) {
            for (setting, kind) in &pack.settings {
                let given = cluster.settings.get(&setting.value).map(|word| word.value.as_str());
                if given.is_some() || kind.optional {
                    fields.insert(setting.value.clone(), setting_value(given, &kind.kind));
                }
            }
        }
        records.clusters.insert(name.clone(), fields);
    }
    let run_fields = [
        ("id", text(&run.id.to_string())),
        ("reason", text(&run.reason)),
        ("started_by", text(&run.started_by)),
    ];
    records.run = run_fields.map(|(key, value)| (key.to_owned(), value)).into();
    records
}

/// A setting as a value. Its type was checked with the files; what is missing or `none` is none.
fn setting_value(given: Option<&str>, kind: &crate::runbook::expression::Type) -> Value {
    match given {
        None | Some("none") => Value::None,
        Some(text) => read_value(text, kind).unwrap_or(Value::None),
    }
}
