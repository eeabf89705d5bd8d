//! The files with which the bot finds the lab: inventory, policy, known hosts, and a small configuration.
//!
//! They lie in `bot/` and belong to the caller. Text only; what they say of the lab comes from its facts.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::ground::Ground;
use crate::keys;
use crate::postgres::APP;
use crate::topology::{
    CLUSTER, Duty, SEATS, Seat, backup_host, balancer, first_primary, members, power_host,
};
use crate::{backup, balance};

/// Writes all of them.
pub(crate) fn write(ground: &Ground) -> Result<()> {
    let dir = ground.bot_dir();
    fs::create_dir_all(&dir).context(|| format!("could not create {}", dir.display()))?;
    let files = [
        ("inventory.yaml", inventory(ground)),
        ("policy.yaml", POLICY.to_owned()),
        ("known_hosts", known_hosts(ground)?),
        ("steadyhand.toml", configuration(ground)),
    ];
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

fn inventory(ground: &Ground) -> String {
    let names: Vec<_> = members().map(|s| s.name).collect();
    let addresses: Vec<_> = members().map(|s| ground.block.address(s.octet).to_string()).collect();
    let port = ground.spec.pg_port;
    let mut text = format!(
        "inventory: lab
services:
  orders: {{ title: Orders, owner: shop, shown_as: [checkout, order-history] }}
clusters:
  {CLUSTER}:
    kind: postgresql
    service: orders
    owner: data-platform
    hosts: [{hosts}]
    primary: {primary}
    settings: {{ port: {port}, repl_user: repl, app_user: {APP}, app_db: {APP}, client_address: \"{clients}\", client_port: {port}, min_healthy: 2, full_at: 99%,
                proxy: {proxy}, proxy_backend: {backend}, backup_host: {keeper}, backup_dir: {backup} }}
hosts:
",
        hosts = names.join(", "),
        primary = first_primary().name,
        clients = addresses.join(","),
        proxy = balancer().name,
        backend = balance::BACKEND,
        keeper = backup_host().name,
        backup = backup::newest(ground).display(),
    );
    for seat in SEATS {
        let address = ground.ssh_address(seat);
        let _ = writeln!(
            text,
            "  {}: {{ address: {}, port: {}, user: {}{} }}",
            seat.name,
            address.ip(),
            address.port(),
            ground.account.name,
            duty(ground, seat)
        );
    }
    text
}

fn duty(ground: &Ground, seat: Seat) -> String {
    let settings = settings(ground, seat);
    match seat.duty {
        Duty::Primary | Duty::Replica => format!(", settings: {settings}, depends_on: [lab]"),
        Duty::Spare => format!(", owner: data-platform, spare_for: postgresql, settings: {settings}"),
        // The inventory names no pack that the folder of runbooks does not have.
        Duty::Balancer if ground.spec.runbooks.join("packs/haproxy.yaml").exists() => {
            format!(
                ", owner: network, kind: haproxy, settings: {{ socket: {} }}",
                balance::socket(ground).display()
            )
        }
        Duty::Backup => ", owner: data-platform".to_owned(),
        Duty::Balancer | Duty::Power => ", owner: network".to_owned(),
    }
}

fn settings(ground: &Ground, seat: Seat) -> String {
    let dir = ground.host_dir(seat);
    let dir = dir.display();
    format!(
        "{{ data_dir: {dir}/pg, config_file: {dir}/pg.conf, log_file: {dir}/log/pg.log, socket_dir: {dir}/run, \
         power_host: {}, power_id: {} }}",
        power_host().name,
        seat.name
    )
}

const POLICY: &str = r#"policy: lab
people:
  ana:  { console: ana }
  ben:  { console: ben }
  cleo: { console: cleo }
  sue:  { console: sue }
roles:
  on-call:       { people: [ana, cleo] }
  dba:           { people: [ben, cleo] }
  commander:     { people: [cleo] }
  data-platform: { people: [ben, cleo], escalates_to: commander }
  shop:          { people: [sue], escalates_to: commander }
  network:       { people: [ben], escalates_to: commander }
  support:       { people: [sue], escalates_to: commander }
windows:
  quiet: { days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00", zone: Europe/Berlin }
doors: { console: {} }
rules:
  - { runbooks: all, effect: irreversible, approve_at_least: 1 }
  - { runbooks: all, most_hosts: 12 }
break_glass: { by: [commander], tell: [data-platform, support] }
"#;

fn known_hosts(ground: &Ground) -> Result<String> {
    let mut text = String::new();
    for seat in SEATS {
        let key = keys::public(&ground.host_dir(seat).join("ssh/hostkey.pub"))?;
        let address = ground.ssh_address(seat);
        let _ = writeln!(text, "[{}]:{} {key}", address.ip(), address.port());
    }
    Ok(text)
}

fn configuration(ground: &Ground) -> String {
    let bot = ground.bot_dir();
    let runbooks = fs::canonicalize(&ground.spec.runbooks).unwrap_or_else(|_| ground.spec.runbooks.clone());
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let in_bot = |name: &str| quoted(&bot.join(name));
    format!(
        "# The bot against the lab of {block}. Written by `lab up`.
time_zone = \"Europe/Berlin\"
journal = {journal}
runbooks = {runbooks}
inventory = {inventory}
policy = {policy}
known_hosts = {known_hosts}

[ssh]
identity_file = {key}

[demo]
start_as = \"ana\"
{lab}",
        block = ground.block,
        journal = in_bot("steadyhand.db"),
        runbooks = quoted(&runbooks),
        inventory = in_bot("inventory.yaml"),
        policy = in_bot("policy.yaml"),
        known_hosts = in_bot("known_hosts"),
        key = quoted(&ground.client_key()),
        lab = lab_command().map_or_else(String::new, |program| {
            format!("lab = [{}, \"--dir\", {}]\n", quoted(&program), quoted(&ground.dir))
        }),
    )
}

/// The command `lab`, if this program is it: the chat of the demo then has the word `lab`.
fn lab_command() -> Option<PathBuf> {
    std::env::current_exe().ok().filter(|program| program.file_stem().is_some_and(|name| name == "lab"))
}
