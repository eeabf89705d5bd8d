//! The configuration of a host's PostgreSQL, and the words in which its roles and passwords are known.
//!
//! Configuration lies outside the data directory, as Debian does it: what a copy tool brings along cannot change it.
//! Only `postgresql.auto.conf`, with the upstream, lies inside, because `ALTER SYSTEM` and the bot write there.

use std::fmt::Write as _;
use std::path::Path;

use crate::ground::Ground;
use crate::spec::{Commit, Disk};
use crate::topology::{Duty, SEATS, Seat, first_primary, replicas};

/// Role and password, for every host's `.pgpass`.
pub(crate) const LOGINS: [(&str, &str); 3] = [("repl", "replpw"), ("app", "apppw"), ("rewind", "rewindpw")];
/// The database of the application, owned by the role of the same name.
pub(crate) const APP: &str = "app";
/// The password of the application's role.
pub(crate) const APP_PASSWORD: &str = "apppw";

/// What every server of the cluster has in common, the seed included: a replica refuses to start with less than its
/// primary had.
pub(crate) const COMMON: &str = "wal_level = replica
hot_standby = on
wal_log_hints = on
max_wal_senders = 8
max_replication_slots = 8
max_connections = 40
wal_keep_size = 128MB
max_slot_wal_keep_size = 512MB
min_wal_size = 32MB
max_wal_size = 128MB
shared_buffers = 32MB
# In files of the data directory: /dev/shm is small in containers, and what a killed server leaves there stays.
dynamic_shared_memory_type = mmap
wal_retrieve_retry_interval = 200ms
logging_collector = off
log_line_prefix = '%m [%p] %a '
";

/// `pg.conf`, given to the server with `-c config_file=`.
pub(crate) fn conf(ground: &Ground, seat: Seat) -> String {
    let dir = ground.host_dir(seat);
    let dir = dir.display();
    let address = ground.pg_address(seat);
    let timeout = ground.spec.replication_timeout.as_millis();
    let fsync = if ground.spec.disk == Disk::Durable { "on" } else { "off" };
    format!(
        "{COMMON}
listen_addresses = '{ip}'
port = {port}
unix_socket_directories = '{dir}/run'
hba_file = '{dir}/pg_hba.conf'
cluster_name = '{name}'
fsync = {fsync}
wal_sender_timeout = {timeout}ms
wal_receiver_timeout = {timeout}ms
",
        ip = address.ip(),
        port = address.port(),
        name = seat.name,
    )
}

/// The same for the seed while it is built: only a socket in its own folder, no address, no port that could be taken.
pub(crate) fn seed_conf(socket_dir: &Path) -> String {
    format!(
        "{COMMON}\nlisten_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\n",
        socket_dir.display()
    )
}

/// Who may connect: everybody with a password; over the socket without.
pub(crate) const HBA: &str = "local all all trust
host replication repl 127.0.0.0/8 scram-sha-256
host all rewind 127.0.0.0/8 scram-sha-256
host all all 127.0.0.0/8 scram-sha-256
";

/// The same, but nobody may replicate from here. The first line that fits counts.
pub(crate) fn hba_without_replication() -> String {
    format!("host replication all all reject\n{HBA}")
}

/// `.pgpass`: the given roles on every host that may hold a database, and on the balancer before them.
pub(crate) fn pgpass(ground: &Ground, roles: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for seat in SEATS.into_iter().filter(|s| s.takes_clients()) {
        let address = ground.pg_address(seat);
        for (role, password) in roles {
            let _ = writeln!(text, "{}:{}:*:{role}:{password}", address.ip(), address.port());
        }
    }
    text
}

/// What `primary_conninfo` says on `seat` when it follows `upstream`: exactly what the packs write.
pub(crate) fn conninfo(ground: &Ground, seat: Seat, upstream: Seat) -> String {
    let to = ground.pg_address(upstream);
    format!("host={} port={} user=repl application_name={}", to.ip(), to.port(), seat.name)
}

/// The first `postgresql.auto.conf` of a host.
pub(crate) fn auto_conf(ground: &Ground, seat: Seat) -> String {
    match seat.duty {
        Duty::Replica => format!(
            "primary_conninfo = '{}'\nprimary_slot_name = '{}'\n",
            conninfo(ground, seat, first_primary()),
            seat.name
        ),
        Duty::Primary if ground.spec.commit == Commit::Quorum => {
            let names: Vec<_> = replicas().map(|s| s.name).collect();
            format!("synchronous_standby_names = 'ANY 1 ({})'\n", names.join(", "))
        }
        _ => String::new(),
    }
}

/// Roles, database, tables and slots of a new cluster. One statement a line: psql sends them one by one.
pub(crate) fn seed_sql() -> String {
    let mut sql = String::new();
    for (role, password) in LOGINS {
        let replication = if role == "repl" { "replication" } else { "" };
        let _ = writeln!(sql, "create role {role} login {replication} password '{password}';");
    }
    for function in [
        "pg_ls_dir(text,boolean,boolean)",
        "pg_stat_file(text,boolean)",
        "pg_read_binary_file(text)",
        "pg_read_binary_file(text,bigint,bigint,boolean)",
    ] {
        // Enough for pg_rewind, without superuser.
        let _ = writeln!(sql, "grant execute on function pg_catalog.{function} to rewind;");
    }
    for seat in replicas() {
        let _ = writeln!(sql, "select pg_create_physical_replication_slot('{}');", seat.name);
    }
    sql.push_str(
        "create database app owner app;
checkpoint;
\\connect app
set role app;
create table w (n bigint primary key, at timestamptz default now());
create table ops_probe (id text primary key, host text, at timestamptz default clock_timestamp());
",
    );
    sql
}
