//! Hosts, clusters and services, with their owners: what a run can touch, and whom to ask about it.
//!
//! The inventory is a file in git. Who is primary is not in it: that is measured, and the file says only whom to
//! believe until somebody has answered.

use std::collections::BTreeMap;

use crate::runbook::model::Word;
use crate::runbook::read::Reader;
use crate::runbook::source::name::{ClusterName, HostName, ServiceName};
use crate::runbook::source::place::{FileName, Place};
use crate::runbook::source::problem::Problems;
use crate::runbook::source::yaml::Node;

/// Settings as they were written, by name. Their types stand in the packs.
pub type Settings = BTreeMap<String, Setting>;

/// A setting as it was written.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where its name stands.
    pub place: Place,
    /// Its value.
    pub value: Word,
}

/// The inventory.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// Its name, as `production`.
    pub name: String,
    /// What customers use.
    pub services: BTreeMap<ServiceName, Service>,
    /// Hosts that belong together.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// Where steps run.
    pub hosts: BTreeMap<HostName, Host>,
}

/// What customers use.
#[derive(Debug, Clone)]
pub struct Service {
    /// As customers know it.
    pub title: String,
    /// The role that answers for it.
    pub owner: Word,
    /// Components of the status page.
    pub shown_as: Vec<String>,
}

/// Hosts that belong together.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Where its name stands.
    pub place: Place,
    /// The pack that knows it.
    pub kind: Word,
    /// The service that stands on it.
    pub service: Word,
    /// The role that answers for it.
    pub owner: Word,
    /// Its members, in the order of the file.
    pub hosts: Vec<Word>,
    /// The primary that is believed until one has answered.
    pub primary: Option<Word>,
    /// Settings for the cluster and all its hosts.
    pub settings: Settings,
}

/// A machine that ssh reaches.
#[derive(Debug, Clone)]
pub struct Host {
    /// Where its name stands.
    pub place: Place,
    /// An address or name, unique in the inventory.
    pub address: Word,
    /// The port of its sshd.
    pub port: u16,
    /// Whom ssh logs in as.
    pub user: Word,
    /// The role that answers for it, if it says so itself.
    pub owner: Option<Word>,
    /// The pack that knows it, when it is in no cluster.
    pub kind: Option<Word>,
    /// The kind of cluster that it may join.
    pub spare_for: Option<Word>,
    /// What it shares fate with.
    pub depends_on: Vec<Word>,
    /// Settings for this host; they go before those of its cluster.
    pub settings: Settings,
}

impl Inventory {
    /// The cluster that a host is a member of.
    pub fn cluster_of(&self, host: &str) -> Option<(&ClusterName, &Cluster)> {
        self.clusters.iter().find(|(_, cluster)| cluster.hosts.iter().any(|member| member.value == host))
    }

    /// The role that answers for a host: its own, or that of its cluster.
    pub fn owner_of(&self, host: &str) -> Option<&str> {
        let own = self.hosts.get(host).and_then(|host| host.owner.as_ref());
        own.or_else(|| self.cluster_of(host).map(|(_, cluster)| &cluster.owner))
            .map(|word| word.value.as_str())
    }

    /// A setting of a host: its own, else that of its cluster.
    pub fn setting_of(&self, host: &str, setting: &str) -> Option<&Word> {
        let own = self.hosts.get(host).and_then(|host| host.settings.get(setting));
        own.or_else(|| self.cluster_of(host).and_then(|(_, cluster)| cluster.settings.get(setting)))
            .map(|setting| &setting.value)
    }

    /// The hosts that may join a cluster of this kind, and are in none.
    pub fn spares_for(&self, kind: &str) -> impl Iterator<Item = &HostName> {
        self.hosts.iter().filter_map(move |(name, host)| {
            let fits = host.spare_for.as_ref().is_some_and(|word| word.value == kind);
            (fits && self.cluster_of(name.as_str()).is_none()).then_some(name)
        })
    }

    /// The host that has this name or address.
    pub fn host_called(&self, name_or_address: &str) -> Option<&HostName> {
        let by_name = self.hosts.get_key_value(name_or_address).map(|(name, _)| name);
        by_name.or_else(|| {
            self.hosts.iter().find(|(_, host)| host.address.value == name_or_address).map(|(name, _)| name)
        })
    }
}

/// Makes an inventory of a tree that has been held against the grammar.
pub fn read_inventory(file: &FileName, root: &Node, problems: &mut Problems) -> Inventory {
    let mut read = Reader::new(file, problems);
    let services = read.table(root, "services");
    let services = services.into_iter().filter_map(|(name, node)| {
        let title = read.plain(node, "title").map(|title| title.value).unwrap_or_default();
        let shown_as = read.words(node, "shown_as").into_iter().map(|word| word.value).collect();
        Some((ServiceName::new(&name)?, Service { title, owner: read.word(node, "owner"), shown_as }))
    });
    let services = services.collect();
    let clusters = read.table(root, "clusters").into_iter().filter_map(|(name, node)| {
        let cluster = Cluster {
            kind: read.word(node, "kind"),
            service: read.word(node, "service"),
            owner: read.word(node, "owner"),
            hosts: read.words(node, "hosts"),
            primary: read.maybe_word(node, "primary"),
            settings: settings(&read, node),
            place: name.place,
        };
        Some((ClusterName::new(&name.value)?, cluster))
    });
    let clusters = clusters.collect();
    let hosts = read.table(root, "hosts").into_iter().filter_map(|(name, node)| {
        let host = Host {
            address: read.word(node, "address"),
            port: read.int(node, "port").and_then(|port| u16::try_from(port).ok()).unwrap_or(22),
            user: read.word(node, "user"),
            owner: read.maybe_word(node, "owner"),
            kind: read.maybe_word(node, "kind"),
            spare_for: read.maybe_word(node, "spare_for"),
            depends_on: read.words(node, "depends_on"),
            settings: settings(&read, node),
            place: name.place,
        };
        Some((HostName::new(&name.value)?, host))
    });
    let hosts = hosts.collect();
    Inventory { name: read.word(root, "inventory").value, services, clusters, hosts }
}

fn settings(read: &Reader<'_>, node: &Node) -> Settings {
    let table = read.table(node, "settings").into_iter();
    table
        .filter_map(|(name, value)| {
            let text = value.scalar()?;
            let value = Word::new(text.to_owned(), read.place(value));
            Some((name.value, Setting { place: name.place, value }))
        })
        .collect()
}
