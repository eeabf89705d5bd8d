//! A PostgreSQL cluster in a few fields: enough to answer every probe of the pack, and to do what its actions do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

/// One server.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and a scene changes one of them"
)]
pub(crate) struct Server {
    /// Whom it follows; a primary follows nobody.
    pub(crate) upstream: Option<String>,
    /// Its process is there.
    pub(crate) running: bool,
    /// Its process answers nothing.
    pub(crate) frozen: bool,
    /// It answers nothing, and still feeds its replicas.
    pub(crate) feeds_while_frozen: bool,
    /// Nothing of the machine can be reached.
    pub(crate) cut_off: bool,
    /// The machine is on.
    pub(crate) powered: bool,
    /// It starts as a replica.
    pub(crate) standby: bool,
    /// It was shut down cleanly.
    pub(crate) clean: bool,
    /// The log that it has.
    pub(crate) position: i64,
    /// The log that it has replayed.
    pub(crate) replayed: i64,
    /// Where its last checkpoint lies.
    pub(crate) end_of_wal: i64,
    /// Replay stands still.
    pub(crate) replay_paused: bool,
    /// Which cluster its data is of.
    pub(crate) system_id: &'static str,
    /// The major version.
    pub(crate) version: i64,
    /// The newest timeline that it knows.
    pub(crate) timeline: i64,
    /// Slots that are left for replicas.
    pub(crate) free_slots: i64,
    /// Files of the log that wait for the archive.
    pub(crate) unarchived: i64,
    /// Connections that are left for replicas.
    pub(crate) free_senders: i64,
    /// Backups that it gives.
    pub(crate) running_backups: i64,
    /// Sessions with a long transaction.
    pub(crate) long: i64,
    /// Slots that it has.
    pub(crate) slots: BTreeSet<String>,
    /// Whom it followed before it was pointed elsewhere.
    before: Option<String>,
    /// Its data directory: there, and kept under another name.
    pub(crate) has_data: bool,
    /// See `has_data`.
    pub(crate) has_kept: bool,
}

impl Server {
    fn new(upstream: Option<&str>) -> Self {
        Self {
            upstream: upstream.map(str::to_owned),
            running: true,
            frozen: false,
            feeds_while_frozen: false,
            cut_off: false,
            powered: true,
            standby: upstream.is_some(),
            clean: false,
            position: 1_512_177_864,
            replayed: 1_512_177_864,
            end_of_wal: 1_512_100_000,
            replay_paused: false,
            system_id: "7301234567890123456",
            version: 16,
            timeline: 6,
            free_slots: 10,
            unarchived: 0,
            free_senders: 8,
            running_backups: 0,
            long: 0,
            slots: BTreeSet::new(),
            before: None,
            has_data: true,
            has_kept: false,
        }
    }

    fn with_slots(mut self, slots: [&str; 2]) -> Self {
        self.slots.extend(slots.map(str::to_owned));
        self
    }

    fn answers(&self) -> bool {
        self.running && !self.frozen
    }

    /// Does what an action does with the data directory, if it is one that does and may.
    fn moves_data(&mut self, name: &str, notes: &mut BTreeSet<&'static str>) -> bool {
        match name {
            "set-aside" if self.has_data && !self.has_kept && !self.running => {
                notes.insert("moved");
                (self.has_data, self.has_kept) = (false, true);
            }
            "undo set-aside" if !notes.contains("moved") => {}
            "undo set-aside" if self.has_kept => (self.has_data, self.has_kept) = (true, false),
            "copy-from" if !self.has_data => {
                notes.insert("copied");
                self.has_data = true;
            }
            "undo copy-from" => self.has_data &= !notes.contains("copied"),
            "delete-kept" => self.has_kept = false,
            _ => return false,
        }
        true
    }
}

/// What came of a command, before anything is done to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Came {
    /// It ended with this status, and printed on standard output and standard error.
    Ended(i32, String, String),
    /// It does not end.
    Hangs,
    /// The machine is not reached.
    Unreachable,
    /// Nothing like it may ever be sent there: the bot is wrong.
    Forbidden(String),
}

/// The hosts of the inventory.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// By name.
    pub(crate) servers: BTreeMap<String, Server>,
    /// How much of a base backup was given, and of how much.
    pub(crate) copied: (i64, i64),
    /// Since when it goes so many bytes in a second.
    pub(crate) copies: Option<(Timestamp, i64)>,
    /// How full disks are that are not half empty, in percent.
    pub(crate) used: BTreeMap<String, i64>,
    /// How busy processors are that are not idle.
    pub(crate) loads: BTreeMap<String, f64>,
    /// Rows that were written to prove something: by run, who wrote it and when.
    rows: BTreeMap<String, (String, Timestamp)>,
    /// What steps have noted for their undo, by their folder.
    notes: BTreeMap<String, BTreeSet<&'static str>>,
}

fn printed(value: &Value) -> Came {
    Came::Ended(0, value.to_string(), String::new())
}

fn fails(status: i32, err: &str) -> Came {
    Came::Ended(status, String::new(), format!("{err}\n"))
}

const NO_SERVER: &str = "psql: error: connection to server failed: No such file or directory";

impl Cluster {
    /// `orders` on pg1 to pg3 with the spare pg4, and `billing` on bl1 to bl3.
    pub(crate) fn new() -> Self {
        let mut spare = Server::new(None);
        (spare.running, spare.has_data) = (false, false);
        let servers = [
            ("pg1", Server::new(None).with_slots(["pg2", "pg3"])),
            ("pg2", Server::new(Some("pg1"))),
            ("pg3", Server::new(Some("pg1"))),
            ("pg4", spare),
            ("bl1", Server::new(None).with_slots(["bl2", "bl3"])),
            ("bl2", Server::new(Some("bl1"))),
            ("bl3", Server::new(Some("bl1"))),
        ];
        Self {
            servers: servers.map(|(name, server)| (name.to_owned(), server)).into(),
            copied: (0, 0),
            copies: None,
            used: BTreeMap::new(),
            loads: BTreeMap::new(),
            rows: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }

    /// Where the rows come from that this host shows.
    fn source(&self, host: &str) -> String {
        let mut at = host.to_owned();
        for _ in 0..9 {
            match self.servers[&at].upstream.clone().filter(|_| self.streams(&at)) {
                Some(upstream) => at = upstream,
                None => return at,
            }
        }
        at
    }

    fn root(&self, host: &str) -> String {
        let mut at = host.to_owned();
        for _ in 0..9 {
            match &self.servers[&at].upstream {
                Some(upstream) => at = upstream.clone(),
                None => return at,
            }
        }
        at
    }

    /// It receives from its upstream: nobody is fed who has no slot there.
    fn streams(&self, host: &str) -> bool {
        let server = &self.servers[host];
        let fed = |upstream: &String| {
            let upstream = &self.servers[upstream];
            let feeds = upstream.answers() || upstream.feeds_while_frozen;
            upstream.powered && !upstream.cut_off && feeds && upstream.slots.contains(host)
        };
        server.answers() && server.upstream.as_ref().is_some_and(fed)
    }

    /// How far a copy is at this time.
    pub(crate) fn copied_at(&self, now: Timestamp) -> (i64, i64) {
        let (done, total) = self.copied;
        let more = self.copies.map_or(0, |(began, rate)| now.duration_since(began).as_secs() * rate);
        ((done + more).min(total), total)
    }

    /// What a probe answers.
    pub(crate) fn answer(
        &mut self,
        host: &str,
        probe: &str,
        variables: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Came {
        match probe {
            "?commands" => return printed(&json!({ "missing": "" })),
            "?power" => {
                let machine = Self::machine(&variables["machine"]);
                return printed(&json!({ "is_on": self.servers[&machine].powered }));
            }
            _ => {}
        }
        let Some(server) = self.servers.get(host).cloned() else {
            return Came::Forbidden(format!("{probe} is not for {host}"));
        };
        if server.cut_off || !server.powered {
            return Came::Unreachable;
        }
        if probe == "?log" {
            let path = &variables["log"];
            return Came::Ended(
                0,
                format!("LOG:  this is {path} of {host}\nFATAL:  the end of it\n"),
                String::new(),
            );
        }
        if probe == "?link" {
            let upstream = &self.servers[&Self::host_of(&variables["upstream_address"])];
            if upstream.cut_off || !upstream.powered || !upstream.answers() {
                return fails(2, NO_SERVER);
            }
            let slot = upstream.slots.contains(host);
            return printed(&json!({ "system_id": upstream.system_id, "slot": slot }));
        }
        let of_server = matches!(probe, "?node" | "?sessions" | "?sees-write" | "?write" | "?copy");
        if of_server && server.running && server.frozen {
            return Came::Hangs;
        }
        if of_server && !server.running {
            return fails(2, NO_SERVER);
        }
        let run = variables.get("run_id").cloned().unwrap_or_default();
        match probe {
            "?node" => printed(&self.node(host, &server)),
            "?fence" => printed(&json!({
                "running": server.running, "read_only_at_start": server.standby,
                "clean": server.clean, "end_of_wal": server.end_of_wal,
            })),
            "?wal-end" => printed(&json!({ "end": server.position })),
            "?sessions" => printed(&json!({ "clients": 40, "long": server.long, "prepared": 0,
                "unarchived": server.unarchived })),
            "?write" if server.upstream.is_some() => {
                fails(3, "ERROR:  cannot execute INSERT in a read-only transaction")
            }
            "?write" => {
                self.rows.insert(run, (host.to_owned(), now));
                printed(&json!({ "ok": true, "by": host }))
            }
            "?client-write" => {
                let root = self.root(host);
                let writes =
                    |name: &String| self.servers[name].upstream.is_none() && self.servers[name].answers();
                let family = self.servers.keys().filter(|name| name[..2] == host[..2] && *name != "pg4");
                match family.filter(|name| writes(name)).max_by_key(|name| **name == root).cloned() {
                    Some(by) => {
                        self.rows.insert(run, (by.clone(), now));
                        printed(&json!({ "ok": true, "by": by }))
                    }
                    None => fails(2, "psql: error: connection to server failed: session is read-only"),
                }
            }
            "?sees-write" => match self.rows.get(&run).filter(|(by, _)| self.source(host) == *by) {
                Some((by, at)) => {
                    let age = now.duration_since(*at).as_secs();
                    printed(&json!({ "found": true, "age": age, "by": by }))
                }
                None => printed(&json!({ "found": false, "age": null, "by": null })),
            },
            "?copy" => {
                let (done, total) = self.copied_at(now);
                if total == 0 {
                    return Came::Ended(1, String::new(), "no base backup streams now\n".to_owned());
                }
                printed(&json!({ "done": done, "total": total }))
            }
            "?files" => printed(&json!({
                "data": server.has_data, "kept": server.has_kept, "part": false,
                "running": server.running, "free": 900_i64 << 30,
            })),
            "?room" => printed(&json!({ "used": self.used.get(host).unwrap_or(&45) })),
            "?load" => printed(&json!({ "per_cpu": self.loads.get(host).unwrap_or(&0.3), "cpus": 8 })),
            _ => Came::Forbidden(format!("no answer is known for {probe} on {host}")),
        }
    }

    fn node(&self, host: &str, server: &Server) -> Value {
        let followers = self
            .servers
            .keys()
            .filter(|name| self.servers[*name].upstream.as_deref() == Some(host) && self.streams(name));
        json!({
            "role": if server.upstream.is_some() { "replica" } else { "primary" },
            "upstream": server.upstream,
            "streaming": self.streams(host),
            "system_id": server.system_id,
            "version": server.version,
            "position": server.position,
            "replayed": server.replayed,
            "replay_paused": server.replay_paused,
            "writable": server.upstream.is_none(),
            "timeline": server.timeline,
            "free_senders": server.free_senders,
            "free_slots": server.free_slots,
            "running_backups": server.running_backups,
            "followers": followers.count(),
            "data_size": 40_i64 << 30,
        })
    }

    fn machine(id: &str) -> String {
        match id {
            "u11" => "pg1",
            "u12" => "pg2",
            "u13" => "pg3",
            "u21" => "bl1",
            "u22" => "bl2",
            "u23" => "bl3",
            other => panic!("nobody has the machine {other}"),
        }
        .to_owned()
    }

    fn host_of(address: &str) -> String {
        let number: u32 = address.strip_prefix("10.20.0.").unwrap().parse().unwrap();
        if number > 20 { format!("bl{}", number - 20) } else { format!("pg{}", number - 10) }
    }

    /// Does what an action does. Any of these names may be meant: the same text takes two different actions back. As on
    /// real hosts, an undo does nothing but what its step has noted in the folder of both.
    pub(crate) fn act(
        &mut self,
        host: &str,
        names: &[String],
        variables: &BTreeMap<String, String>,
        step_dir: &str,
    ) -> Came {
        let done = Came::Ended(0, String::new(), String::new());
        let name = names[0].as_str();
        if let "power-off" | "undo power-off" = name {
            let machine = Self::machine(&variables["machine"]);
            let server = self.servers.get_mut(&machine).unwrap();
            server.powered = name != "power-off";
            server.running &= server.powered;
            return done;
        }
        let slot = variables.get("slot").cloned().unwrap_or_default();
        let feeds = variables.get("primary_address").map(|address| Self::host_of(address));
        let feeds_at = feeds.as_ref().map(|host| self.servers[host].position);
        let streaming: Vec<String> = self
            .servers
            .keys()
            .filter(|name| self.servers[*name].upstream.as_deref() == Some(host) && self.streams(name))
            .cloned()
            .collect();
        let Some(server) = self.servers.get_mut(host) else {
            return Came::Forbidden(format!("{name} is not for {host}"));
        };
        if server.cut_off || !server.powered {
            return Came::Unreachable;
        }
        let notes = self.notes.entry(format!("{host} {step_dir}")).or_default();
        let is_primary = server.upstream.is_none();
        match name {
            "add-slot" if server.answers() => {
                if server.slots.insert(slot) {
                    notes.insert("made");
                }
            }
            "undo add-slot" if !notes.contains("made") => {}
            "undo add-slot" if server.answers() => _ = server.slots.remove(&slot),
            "drop-slot" | "release-slot" if server.answers() => _ = server.slots.remove(&slot),
            "stop-clean" if is_primary && server.answers() => {
                server.end_of_wal = server.position;
                server.position += 112;
                notes.extend(["stopped", "marked"]);
                (server.running, server.clean, server.standby) = (false, true, true);
                let position = server.position;
                for name in streaming {
                    let replica = self.servers.get_mut(&name).unwrap();
                    replica.position = position;
                    if !replica.replay_paused {
                        replica.replayed = position;
                    }
                }
            }
            "fence" => {
                if server.running {
                    notes.insert("stopped");
                }
                if !server.standby {
                    notes.insert("marked");
                }
                (server.running, server.frozen, server.standby) = (false, false, true);
            }
            "undo fence" | "undo stop-clean" | "undo stop" => {
                server.standby &= !notes.contains("marked");
                if notes.contains("stopped") && !server.running {
                    (server.running, server.clean) = (true, false);
                }
            }
            "promote" if !is_primary && server.answers() => {
                (server.upstream, server.standby) = (None, false);
            }
            "follow" if !is_primary && server.answers() => {
                let before = std::mem::replace(&mut server.upstream, feeds);
                if notes.insert("before") {
                    server.before = before;
                }
            }
            "undo follow" if !notes.contains("before") => {}
            "undo follow" if server.answers() => server.upstream = server.before.clone(),
            "start-as-replica" if !server.running && server.has_data => {
                notes.insert("started");
                (server.running, server.standby, server.upstream) = (true, true, feeds);
                server.position = feeds_at.unwrap_or_default();
                server.replayed = server.position;
                server.slots.clear();
            }
            "undo start-as-replica" => server.running &= !notes.contains("started"),
            "stop" => {
                if server.running {
                    notes.insert("stopped");
                }
                server.running = false;
            }
            _ if server.moves_data(name, notes) => {}
            "add-slot" | "undo add-slot" | "drop-slot" | "release-slot" | "undo follow" => {
                return fails(2, NO_SERVER);
            }
            _ => {
                return Came::Forbidden(format!(
                    "{name} must never be sent to {host} as it is now: {server:?}"
                ));
            }
        }
        Came::Ended(0, String::new(), String::new())
    }
}
