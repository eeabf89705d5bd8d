//! What every host does now, seen from outside and asked from inside, within a few seconds whatever is broken.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ground::Ground;
use crate::host::Host;
use crate::lab::Lab;
use crate::network::Reach;
use crate::process::{self, Part};
use crate::topology::SEATS;

/// A healthy host answers in milliseconds; a frozen one costs this once.
const LIMIT: Duration = Duration::from_secs(2);

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub host: &'static str,
    /// Its address.
    pub address: String,
    /// Is it switched on?
    pub power: Power,
    /// How its sshd answers.
    pub ssh: Reach,
    /// How its PostgreSQL answers; none where there is no data.
    pub database: Option<Reach>,
    /// The postmaster's state as /proc shows it: `S` or `R` alive, `T` stopped, `Z` dead and not yet buried.
    pub process: Option<char>,
    /// How many PostgreSQL processes live.
    pub processes: usize,
    /// How many of them are stopped.
    pub stopped: usize,
    /// What PostgreSQL says of itself; none if it does not answer.
    #[serde(flatten)]
    pub node: Option<Node>,
    /// Bytes of WAL that this replica has not replayed, measured against the primary, if there is exactly one.
    pub lag_bytes: Option<i64>,
}

/// The switch of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// On, or something of it is still alive.
    On,
    /// Off, and nothing of it is left.
    Off,
}

/// What PostgreSQL says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `primary` or `replica`.
    pub role: String,
    /// Does a new transaction write?
    pub writable: bool,
    /// The end of what is written (primary) or replayed (replica).
    pub lsn: String,
    /// The same in bytes.
    #[serde(skip_serializing)]
    pub position: i64,
    /// The address that it follows, from the receiver, else from the configuration.
    pub upstream: Option<String>,
    /// Is a receiver streaming?
    pub streaming: bool,
}

impl Lab {
    /// The state of all hosts.
    pub fn status(&self) -> Vec<HostStatus> {
        of(self.ground())
    }
}

fn of(ground: &Arc<Ground>) -> Vec<HostStatus> {
    let mut all: Vec<HostStatus> = thread::scope(|scope| {
        let hosts = SEATS.map(|seat| Host { ground: Arc::clone(ground), seat });
        let asking = hosts.map(|host| scope.spawn(move || look(&host)));
        asking.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let primaries: Vec<Host> = all
        .iter()
        .filter(|s| s.node.as_ref().is_some_and(|n| n.role == "primary"))
        .filter_map(|s| ground.cluster().find(|seat| seat.name == s.host))
        .map(|seat| Host { ground: Arc::clone(ground), seat })
        .collect();
    if let [primary] = &primaries[..] {
        // Asked again, after the replicas: else a busy replica seems to be ahead.
        let end = node(primary, Reach::Up).map(|n| n.position);
        for status in &mut all {
            let replica = status.node.as_ref().filter(|n| n.role == "replica");
            status.lag_bytes = replica.zip(end).map(|(n, end)| end - n.position);
        }
    }
    all
}

/// The hosts of the cluster that say that they are primary.
pub(crate) fn primaries(ground: &Arc<Ground>) -> Vec<Host> {
    thread::scope(|scope| {
        let hosts = ground.cluster().map(|seat| Host { ground: Arc::clone(ground), seat });
        let asking: Vec<_> =
            hosts.map(|host| scope.spawn(move || (node(&host, host.database_reach(LIMIT)), host))).collect();
        asking
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .filter(|(node, _)| node.as_ref().is_some_and(|n| n.role == "primary"))
            .map(|(_, host)| host)
            .collect()
    })
}

fn look(host: &Host) -> HostStatus {
    let database = host.processes_of(Part::Database);
    let pid_file = fs::read_to_string(host.data_dir().join("postmaster.pid")).unwrap_or_default();
    let postmaster: Option<i32> = pid_file.lines().next().and_then(|line| line.trim().parse().ok());
    let reach = host.database_reach(LIMIT);
    HostStatus {
        host: host.name(),
        address: host.address().to_string(),
        power: if host.is_on() { Power::On } else { Power::Off },
        ssh: host.ssh_reach(LIMIT),
        database: host.data_dir().exists().then_some(reach),
        process: postmaster.and_then(|pid| match database.iter().find(|p| p.pid == pid) {
            Some(postmaster) => Some(postmaster.state),
            // Any other process of that number is not ours, unless it is what the killed one left.
            None => process::state(pid).filter(|state| *state == 'Z'),
        }),
        processes: database.len(),
        stopped: database.iter().filter(|p| p.is_stopped()).count(),
        node: node(host, reach),
        lag_bytes: None,
    }
}

fn node(host: &Host, reach: Reach) -> Option<Node> {
    if reach != Reach::Up {
        return None;
    }
    let json = host.sql_within(LIMIT, QUERY).ok()?;
    serde_json::from_str(&json).ok()
}

const QUERY: &str = "select json_build_object(
    'role', case when r then 'replica' else 'primary' end,
    'writable', current_setting('transaction_read_only') = 'off',
    'lsn', l::text, 'position', l - '0/0'::pg_lsn,
    'upstream', case when r then coalesce((select sender_host from pg_stat_wal_receiver),
        substring(current_setting('primary_conninfo') from 'host=([^ ]+)')) end,
    'streaming', coalesce((select status = 'streaming' from pg_stat_wal_receiver), false))
  from pg_is_in_recovery() r,
    lateral (select case when r then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end) as w(l)";
