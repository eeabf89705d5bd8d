//! The scripts of the packs, alone on real hosts: what they do at the edges, twice, halfway, and taken back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};
use steadyhand::config::Config;
use steadyhand::library::{Library, Snapshot};
use steadyhand::plan::measure::{Errand, ErrandBody, action_errand, undo_errand};
use steadyhand::runbook::model::{Command, Undo};
use steadyhand::runbook::source::name::{ClusterName, HostName};
use steadyhand::target::ssh::Ssh;
use steadyhand::target::{Destination, Ending, Execution, Report, Target as _};
use tokio::runtime::Runtime;

use crate::chat::{self, BROKE, DONE};
use crate::failing_over::noticed_by_the_replicas;
use crate::guarded::attempt;

/// A lab, and the packs as they are shipped.
struct Hands {
    lab: Lab,
    ssh: Arc<Ssh>,
    files: Arc<Snapshot>,
    runtime: Runtime,
    /// How many steps were sent: each is an attempt of its own.
    sent: Cell<u32>,
}

type Inputs<'a> = [(&'a str, &'a str)];

impl Hands {
    fn on(spec: Spec) -> Self {
        let lab = Lab::up(spec).unwrap();
        let config = Config::load(Some(&lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        let files = Library::new(config.folders).load().unwrap();
        let ssh = Arc::new(Ssh::new(config.ssh).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { lab, ssh, files, runtime, sent: Cell::new(0) }
    }

    fn host(&self, name: &str) -> Host {
        self.lab.host(name)
    }

    /// Does an action of a pack, or takes it back; both share a folder of this name.
    fn sends(&self, host: &str, action: &str, dir: &str, inputs: &Inputs<'_>) -> Report {
        let (undoes, action) = action.strip_prefix("undo ").map_or((false, action), |action| (true, action));
        let (pack, name) = action.split_once('/').unwrap_or(("postgresql", action));
        let pack = &self.files.set.packs[pack];
        let action = pack.actions.iter().find(|action| action.name.value == name).unwrap();
        let host = HostName::new(host).unwrap();
        let inputs = owned(inputs);
        let errand = match action.undo.as_ref().map(|undo| &undo.value) {
            Some(Undo::Command(undo)) if undoes => {
                undo_errand(&self.files.set, pack, action, undo, &host, None, inputs).unwrap()
            }
            _ => action_errand(&self.files.set, pack, action, &host, None, inputs).unwrap(),
        };
        self.executes(errand, Some(dir.to_owned()))
    }

    /// The same, and it goes well.
    #[track_caller]
    fn does(&self, host: &str, action: &str, dir: &str, inputs: &Inputs<'_>) {
        let report = self.sends(host, action, dir, inputs);
        assert_eq!(report.ending, Ending::Exited(0), "{action} on {host}: {}", said(&report));
    }

    /// The same, and it says that it failed, with these words.
    #[track_caller]
    fn fails(&self, host: &str, action: &str, dir: &str, inputs: &Inputs<'_>, why: &str) {
        let report = self.sends(host, action, dir, inputs);
        assert!(matches!(report.ending, Ending::Exited(status) if status != 0), "{action}: {report:?}");
        assert!(said(&report).contains(why), "{action} on {host}: {}", said(&report));
    }

    /// What a probe prints; nothing if it has no answer.
    fn asks(&self, host: &str, probe: &str, inputs: &Inputs<'_>) -> Option<serde_json::Value> {
        let (pack, name) = probe.split_once('/').unwrap_or(("postgresql", probe));
        let pack = &self.files.set.packs[pack];
        let probe = pack.probe(name).unwrap();
        // The errand of a probe, made from that of an action: they get the same variables.
        let mut action = pack.actions[0].clone();
        action.body.clone_from(&probe.body);
        assert!(matches!(action.body, Some(Command::Script(_))));
        let host = HostName::new(host).unwrap();
        let cluster = ClusterName::new("orders").filter(|_| pack.name.as_str() == "postgresql");
        let errand =
            action_errand(&self.files.set, pack, &action, &host, cluster.as_ref(), owned(inputs)).unwrap();
        let report = self.executes(Errand { at_most: probe.at_most, ..errand }, None);
        let printed = (report.ending == Ending::Exited(0)).then_some(report.out.head)?;
        Some(serde_json::from_slice(&printed).unwrap())
    }

    fn executes(&self, mut errand: Errand, step_dir: Option<String>) -> Report {
        let host = self.host(errand.host.as_str());
        self.sent.set(self.sent.get() + 1);
        let attempt = step_dir.as_ref().map(|_| attempt(&format!("by-hand-{}", self.sent.get()), 1));
        if let ErrandBody::Script { variables, .. } = &mut errand.body {
            variables.insert("run_id".to_owned(), "1".to_owned());
        }
        self.runtime.block_on(self.ssh.execute(Execution {
            to: Destination {
                name: errand.host.clone(),
                address: host.address().to_string(),
                port: host.ssh_port(),
                user: self.lab.user().to_owned(),
            },
            keys: None,
            body: errand.body,
            secrets: errand.secrets,
            limit: errand.at_most.as_std(),
            step_dir,
            ago: Duration::ZERO,
            attempt,
            control: None,
            latest: None,
            link: None,
        }))
    }

    /// A program of this name goes before the real one on a host.
    fn puts(&self, host: &str, program: &str, script: &str) {
        let path = format!("{}/bin/{program}", self.host(host).dir().display());
        let text = script.replace('\'', "'\\''");
        self.shell(host, &format!("printf '#!/bin/sh\\n%s\\n' '{text}' >{path}; chmod 755 {path}"));
    }

    #[track_caller]
    fn shell(&self, host: &str, command: &str) -> String {
        let answer = self.host(host).ssh(command).unwrap();
        assert!(answer.ok(), "{command}: {answer:?}");
        answer.out.trim().to_owned()
    }

    fn slots(&self, host: &str) -> String {
        let names =
            "select coalesce(string_agg(slot_name, ' ' order by slot_name), '') from pg_replication_slots";
        self.host(host).sql(names).unwrap()
    }

    fn address(&self, host: &str) -> String {
        self.host(host).address().to_string()
    }
}

fn owned(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn said(report: &Report) -> String {
    format!("{:?} {}", report.ending, String::from_utf8_lossy(&report.err.head))
}

fn fast() -> Hands {
    Hands::on(Spec::default().fast())
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn only_a_switch_that_says_off_is_evidence_of_a_machine_that_is_off() {
    let hands = fast();
    let machine = [("machine", "pg1")];
    let is_on = || hands.asks("power1", "host/power", &machine).map(|said| said["is_on"].clone());
    assert_eq!(is_on(), Some(true.into()));
    hands.does("power1", "host/power-off", "off", &machine);
    assert_eq!(is_on(), Some(false.into()));
    hands.does("power1", "undo host/power-off", "off", &machine);
    assert_eq!(is_on(), Some(true.into()));

    let real = hands.shell("power1", "command -v machine-power");
    hands.shell("power1", &format!("mv {real} {real}.away"));
    assert_eq!(is_on(), None, "there is no such program");
    for broken in ["exit 1", "echo off; exit 1", "exit 0", "echo unknown", "echo 'timed out: not off'"] {
        hands.puts("power1", "machine-power", broken);
        assert_eq!(is_on(), None, "{broken}");
    }
    // It says well done, and the machine is on.
    hands.puts("power1", "machine-power", "[ $1 != status ] || echo on");
    hands.fails("power1", "host/power-off", "on", &machine, "the switch of pg1 says on");
    // It was off already, so taking it back leaves it off.
    hands.puts(
        "power1",
        "machine-power",
        "[ $1 != on ] || touch $HOME/switched-on; [ $1 != status ] || echo off",
    );
    hands.does("power1", "host/power-off", "was-off", &machine);
    hands.does("power1", "undo host/power-off", "was-off", &machine);
    hands.shell("power1", "[ ! -e $HOME/switched-on ]");
}

#[test]
fn what_a_failed_step_did_not_do_is_not_taken_back() {
    let hands = fast();
    let pg3 = hands.host("pg3");
    let (data, kept) = (pg3.data_dir(), pg3.data_dir().with_extension("kept"));
    let copy = [("source_address", "127.0.0.1"), ("slot", "pg3"), ("rate", "41943040")];

    hands.fails("pg3", "copy-from", "copy", &copy, "is there already");
    hands.does("pg3", "undo copy-from", "copy", &copy);
    assert!(data.join("PG_VERSION").exists(), "the undo of a copy that never began deleted live data");

    hands.shell("pg3", &format!("mkdir {0}; echo old >{0}/PG_VERSION", kept.display()));
    pg3.stop_database().unwrap();
    hands.fails("pg3", "set-aside", "aside", &[], "is there already");
    hands.does("pg3", "undo set-aside", "aside", &[]);
    assert_eq!(fs::read_to_string(kept.join("PG_VERSION")).unwrap(), "old\n");
    pg3.start_database().unwrap();

    // What ran before a step that failed at once still runs, and what did not run does not.
    hands.fails("pg3", "start-as-replica", "start", &[("primary_address", "127.0.0.1")], "it runs already");
    hands.does("pg3", "undo start-as-replica", "start", &[("primary_address", "127.0.0.1")]);
    assert_eq!(pg3.sql("select 1").unwrap(), "1");
    pg3.stop_database().unwrap();
    hands.does("pg3", "stop", "stop", &[]);
    hands.does("pg3", "undo stop", "stop", &[]);
    assert!(pg3.sql("select 1").is_err(), "it was stopped before the step");
}

#[test]
fn a_copy_that_breaks_off_is_taken_back_to_what_was_there() {
    let hands = fast();
    let pg3 = hands.host("pg3");
    let nowhere = [("source_address", "127.0.0.1"), ("slot", "pg3"), ("rate", "41943040")];
    hands.does("pg3", "stop", "1", &[]);
    hands.does("pg3", "set-aside", "2", &[]);
    hands.fails("pg3", "copy-from", "3", &nowhere, "");
    let files = hands.asks("pg3", "files", &[]).unwrap();
    assert_eq!((&files["data"], &files["kept"]), (&false.into(), &true.into()), "{files}");

    for undo in
        ["undo copy-from", "undo set-aside", "undo stop", "undo copy-from", "undo set-aside", "undo stop"]
    {
        let dir = match undo {
            "undo stop" => "1",
            "undo set-aside" => "2",
            _ => "3",
        };
        hands.does("pg3", undo, dir, &nowhere);
    }

    assert_eq!(pg3.sql("select 1").unwrap(), "1");
    let files = hands.asks("pg3", "files", &[]).unwrap();
    assert_eq!(
        (&files["data"], &files["kept"], &files["part"]),
        (&true.into(), &false.into(), &false.into())
    );
}

#[test]
fn a_slow_promotion_is_waited_for_and_a_second_one_is_content() {
    let hands = fast();
    let pg2 = hands.host("pg2");
    hands.host("pg1").kill().unwrap();
    let startup = "select pid from pg_stat_activity where backend_type = 'startup'";
    let pid = pg2.sql(startup).unwrap();
    hands.shell(
        "pg2",
        &format!("kill -STOP {pid}; (sleep 23; kill -CONT {pid}) </dev/null >/dev/null 2>&1 &"),
    );

    hands.does("pg2", "promote", "promote", &[]);
    hands.does("pg2", "promote", "promote", &[]);

    assert_eq!(pg2.sql("select pg_is_in_recovery()").unwrap(), "f");
}

#[test]
fn the_mark_stands_before_the_server_is_ended() {
    let hands = fast();
    // What is dead works nowhere, also while nobody has buried it.
    let spy = "p=$(head -n 1 \"$HOME/../pg/postmaster.pid\"); [ -z \"$(readlink \"/proc/$p/cwd\")\" ] || \
               echo \"$@\" >>\"$HOME/marked-while-it-ran\"; exec /usr/bin/touch \"$@\"";
    hands.puts("pg1", "touch", spy);
    hands.does("pg1", "stop-clean", "clean", &[]);
    assert!(hands.shell("pg1", "cat $HOME/marked-while-it-ran").contains("standby.signal"));
    hands.does("pg1", "undo stop-clean", "clean", &[]);
    hands.shell("pg1", "rm $HOME/marked-while-it-ran");

    hands.does("pg1", "fence", "fence", &[]);

    assert!(hands.shell("pg1", "cat $HOME/marked-while-it-ran").contains("standby.signal"));
    hands.does("pg1", "undo fence", "fence", &[]);
    assert_eq!(hands.host("pg1").sql("select pg_is_in_recovery()").unwrap(), "f");
}

#[test]
fn a_fence_is_not_held_up_by_a_number_that_another_process_has_now() {
    let hands = fast();
    let pg1 = hands.host("pg1");
    pg1.kill().unwrap();
    let other = fs::read_to_string(pg1.dir().join("run/sshd.pid")).unwrap();
    hands.shell(
        "pg1",
        &format!("sed -i '1s/.*/{}/' {}/postmaster.pid", other.trim(), pg1.data_dir().display()),
    );

    hands.does("pg1", "fence", "fence", &[]);

    let fence = hands.asks("pg1", "fence", &[]).unwrap();
    assert_eq!((&fence["running"], &fence["read_only_at_start"]), (&false.into(), &true.into()), "{fence}");
    // It was dead before, and stays so; only the mark is taken away.
    hands.does("pg1", "undo fence", "fence", &[]);
    let fence = hands.asks("pg1", "fence", &[]).unwrap();
    assert_eq!((&fence["running"], &fence["read_only_at_start"]), (&false.into(), &false.into()), "{fence}");
    // And who wants to start it is not held up either.
    hands
        .shell("pg1", "mkdir -p $HOME/.steadyhand/steps/by-hand; : >$HOME/.steadyhand/steps/by-hand/stopped");
    hands.does("pg1", "undo stop", "by-hand", &[]);
    assert_eq!(pg1.sql("select 1").unwrap(), "1");
}

#[test]
fn an_undo_that_starts_is_content_with_a_server_that_runs() {
    let hands = fast();
    let pg1 = hands.host("pg1");
    hands.does("pg1", "fence", "fence", &[]);
    hands.does("pg1", "undo fence", "fence", &[]);
    hands.does("pg1", "undo fence", "fence", &[]);
    hands.does("pg1", "stop-clean", "clean", &[]);
    hands.does("pg1", "stop-clean", "clean", &[]);
    hands.does("pg1", "undo stop-clean", "clean", &[]);
    hands.does("pg1", "undo stop-clean", "clean", &[]);
    assert_eq!(pg1.sql("select pg_is_in_recovery()").unwrap(), "f");
}

#[test]
fn a_slot_that_was_made_twice_is_taken_back_once_and_one_that_was_there_stays() {
    let hands = fast();
    let slot = [("slot", "PG-4.new")];
    hands.does("pg2", "add-slot", "mine", &slot);
    hands.does("pg2", "add-slot", "mine", &slot);
    hands.does("pg2", "add-slot", "other", &slot);
    assert_eq!(hands.slots("pg2"), "pg_4_new");
    hands.does("pg2", "undo add-slot", "other", &slot);
    assert_eq!(hands.slots("pg2"), "pg_4_new", "it was there before");

    // A copy takes the same slot by the same name.
    let pg3 = hands.host("pg3");
    let source = hands.address("pg2");
    let copy = [("source_address", source.as_str()), ("slot", "PG-4.new"), ("rate", "536870912")];
    hands.does("pg3", "stop", "stop", &[]);
    hands.does("pg3", "set-aside", "aside", &[]);
    hands.does("pg3", "copy-from", "copy", &copy);
    assert!(pg3.data_dir().join("PG_VERSION").exists());
    hands.does("pg3", "undo copy-from", "copy", &copy);
    assert!(!pg3.data_dir().exists());

    hands.does("pg2", "undo add-slot", "mine", &slot);
    assert_eq!(hands.slots("pg2"), "");
}

#[test]
fn a_slot_that_has_lost_its_log_is_not_taken_for_one_that_keeps_it() {
    let hands = fast();
    let pg1 = hands.host("pg1");
    hands.does("pg1", "add-slot", "first", &[("slot", "pg4")]);
    pg1.sql("alter system set max_slot_wal_keep_size = '1MB'").unwrap();
    pg1.sql("alter system set wal_keep_size = 0").unwrap();
    pg1.sql("select pg_reload_conf()").unwrap();
    let lost = "select wal_status from pg_replication_slots where slot_name = 'pg4'";
    until("the slot is lost", || {
        pg1.sql("create table one (); drop table one; select pg_switch_wal()").unwrap();
        pg1.sql("checkpoint").unwrap();
        pg1.sql(lost).unwrap() == "lost"
    });

    hands.fails("pg1", "add-slot", "again", &[("slot", "pg4")], "the slot pg4 is lost");

    hands.does("pg1", "undo add-slot", "again", &[("slot", "pg4")]);
    assert_eq!(pg1.sql(lost).unwrap(), "lost", "it was there before");
}

#[test]
fn a_replica_knows_whether_it_has_a_slot_and_may_log_in() {
    let hands = fast();
    let at = |host: &str| [("upstream_address", hands.address(host))];
    let link = |host: &str, upstream: &str| {
        let at = at(upstream);
        hands.asks(host, "link", &[("upstream_address", at[0].1.as_str())])
    };
    let system = hands.host("pg1").sql("select system_identifier from pg_control_system()").unwrap();
    let to_primary = link("pg3", "pg1").unwrap();
    assert_eq!((&to_primary["slot"], &to_primary["system_id"]), (&true.into(), &system.as_str().into()));
    assert_eq!(link("pg3", "pg2").unwrap()["slot"], false);
    hands.does("pg2", "add-slot", "slot", &[("slot", "pg3")]);
    assert_eq!(link("pg3", "pg2").unwrap()["slot"], true, "idle");
    assert_eq!(link("pg3", "pg2").unwrap()["slot"], true, "and the question leaves it alone");
    hands.host("pg3").cut_replication().unwrap();
    assert_eq!(link("pg3", "pg2"), None, "it knows no password any more");
}

#[test]
fn a_replica_that_is_down_halfway_to_another_primary_gets_there_and_back() {
    let hands = fast();
    let (pg2, pg3) = (hands.host("pg2"), hands.host("pg3"));
    hands.host("pg1").kill().unwrap();
    hands.does("pg2", "promote", "promote", &[]);
    hands.does("pg2", "add-slot", "slot", &[("slot", "pg3")]);
    let new = hands.address("pg2");
    let to = [("primary_address", new.as_str())];
    let before = pg3.sql("show primary_conninfo").unwrap();
    hands.does("pg3", "follow", "follow", &to);
    // As if it had died between its stop and its start.
    hands.shell("pg3", "echo FFFFFFFFFFFFFFFF >$HOME/.steadyhand/steps/follow/torn");
    pg3.stop_database().unwrap();

    hands.does("pg3", "follow", "follow", &to);

    let fed = "select count(*) from pg_stat_replication where application_name = 'pg3'";
    until("pg3 streams from pg2", || pg2.sql(fed).unwrap() == "1");
    for name in ["pg2", "pg3"] {
        assert_eq!(hands.asks(name, "node", &[]).unwrap()["timeline"], 2, "{name}");
    }
    pg3.stop_database().unwrap();
    hands.does("pg3", "undo follow", "follow", &to);
    assert_eq!(pg3.sql("show primary_conninfo").unwrap(), before);
}

#[test]
fn a_listener_on_all_addresses_counts_and_what_cannot_be_seen_is_no_answer() {
    const PORT: u16 = 5599;
    let hands = Hands::on(Spec::default().fast().pg_port(PORT));
    let running = || hands.asks("pg1", "fence", &[]).map(|said| said["running"].clone());
    assert_eq!(running(), Some(true.into()));
    hands.host("pg1").stop_database().unwrap();
    assert_eq!(running(), Some(false.into()), "others listen on addresses of their own");
    for name in ["pg2", "pg3"] {
        hands.host(name).stop_database().unwrap();
    }
    hands.host("lb1").power_off().unwrap();
    let all = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    assert_eq!(running(), Some(true.into()));
    drop(all);
    let all = TcpListener::bind(("::", PORT)).unwrap();
    assert_eq!(running(), Some(true.into()));
    drop(all);
    assert_eq!(running(), Some(false.into()));

    for blind in ["find", "ss", "readlink", "cut"] {
        hands.puts("pg1", blind, "exit 1");
        assert_eq!(running(), None, "{blind} does not work");
        hands.shell("pg1", &format!("rm {}/bin/{blind}", hands.host("pg1").dir().display()));
    }
    hands.puts("pg1", "find", "exit 1");
    hands.fails("pg1", "fence", "blind", &[], "");
}

#[test]
fn what_a_failover_asks_before_it_begins_is_measured() {
    let hands = fast();
    let (pg1, pg2) = (hands.host("pg1"), hands.host("pg2"));
    pg1.sql("alter system set archive_mode = on; alter system set archive_command = 'false'").unwrap();
    pg1.restart_database().unwrap();
    let waiting = || hands.asks("pg1", "sessions", &[]).unwrap()["unarchived"].as_i64().unwrap();
    let before = waiting();
    pg1.sql("create table one (); select pg_switch_wal(); create table two (); select pg_switch_wal()")
        .unwrap();
    until("two more files wait for the archive", || waiting() >= before + 2);

    let free = || hands.asks("pg2", "node", &[]).unwrap()["free_slots"].as_i64().unwrap();
    let before = free();
    pg2.sql("select pg_create_physical_replication_slot('one')").unwrap();
    assert_eq!(free(), before - 1);
}

#[test]
fn who_only_monitors_a_server_is_no_client_of_it() {
    let hands = fast();
    let pg1 = hands.host("pg1");
    pg1.sql("create role watcher login; grant pg_monitor to watcher").unwrap();
    let all =
        "select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and pid <> pg_backend_pid()";
    // The last is a superuser, who may do what `pg_monitor` may: that alone does not make a monitor.
    for (user, open, clients) in [("watcher", "1", 0), ("app", "2", 1), (hands.lab.user(), "3", 2)] {
        let psql = format!("psql -h {} -p {} -U {user} -d app", pg1.socket_dir().display(), pg1.pg_port());
        hands.shell("pg1", &format!("{psql} -c 'select pg_sleep(60)' </dev/null >/dev/null 2>&1 &"));
        until("the session is open", || pg1.sql(all).unwrap() == open);
        assert_eq!(hands.asks("pg1", "sessions", &[]).unwrap()["clients"], clients, "{user}");
    }
}

#[test]
fn a_backup_is_tried_out_beside_it_if_there_is_room() {
    let hands = fast();
    hands.lab.back_up(Duration::ZERO).unwrap();
    let above = hands.host("bk1").dir().join("backup").display().to_string();
    let in_it = |command: &str| hands.shell("bk1", &format!("cd {above}; {command}"));
    let restored = || hands.asks("bk1", "backup", &[]).map(|said| said["restored"].clone());
    // The newest may be a link: what it leads to is copied, and nothing in it is changed.
    in_it(
        "mv newest of-today; ln -s of-today newest; mkdir .tried.1 .tried.2; touch -d '2 hours ago' .tried.1",
    );
    let before = in_it("find of-today -printf '%p %s %T@ %m\\n' | sort | sha256sum");
    hands.puts("bk1", "cp", "echo \"$@\" >>~/copied; exec /bin/cp \"$@\"");

    assert_eq!(restored(), Some(true.into()));

    let copied = hands.shell("bk1", "cat ~/copied");
    assert!(copied.contains(&format!("{above}/.tried.")), "{copied}");
    assert_eq!(in_it("find of-today -printf '%p %s %T@ %m\\n' | sort | sha256sum"), before);
    assert_eq!(in_it("ls -A"), ".tried.2\nnewest\nof-today", "another one may be at work in the second");
    hands.puts("bk1", "df", "echo Filesystem; echo disk 9999 9000 999 90% /");
    assert_eq!(restored(), None, "there is no room");
    assert_eq!(in_it("ls -A"), ".tried.2\nnewest\nof-today");
}

#[test]
fn what_was_kept_says_by_which_run_and_only_that_run_deletes_it() {
    let hands = fast();
    let pg3 = hands.host("pg3");
    let kept = pg3.data_dir().with_extension("kept").display().to_string();
    hands.does("pg3", "stop", "stop", &[]);
    hands.does("pg3", "set-aside", "aside", &[]);
    assert_eq!(hands.shell("pg3", &format!("cat {kept}/kept-by-run")), "1");
    hands.does("pg3", "undo set-aside", "aside", &[]);
    assert!(!pg3.data_dir().join("kept-by-run").exists());
    hands.does("pg3", "set-aside", "aside", &[]);

    hands.shell("pg3", &format!("echo 7 >{kept}/kept-by-run"));
    hands.fails("pg3", "set-aside", "other", &[], "kept by run 7");
    hands.fails("pg3", "delete-kept", "delete", &[], "was kept by run 7, and this is run 1");
    assert!(pg3.data_dir().with_extension("kept").join("PG_VERSION").exists());

    hands.shell("pg3", &format!("echo 1 >{kept}/kept-by-run"));
    hands.does("pg3", "delete-kept", "delete", &[]);
    hands.does("pg3", "delete-kept", "delete", &[]);
    assert!(!pg3.data_dir().with_extension("kept").exists());
}

#[test]
fn what_cannot_be_looked_into_may_hold_anything() {
    let hands = fast();
    let dir = hands.host("pg1").dir().join("closed").display().to_string();
    let exists =
        |path: &str| hands.asks("pg1", "host/path", &[("path", path)]).map(|said| said["exists"].clone());
    let inside = format!("{dir}/in/it");
    assert_eq!(exists(&inside), Some(false.into()));
    hands.shell("pg1", &format!("mkdir -p {inside}"));
    assert_eq!(exists(&inside), Some(true.into()));
    hands.shell("pg1", &format!("chmod 0 {dir}"));
    assert_eq!(exists(&inside), None);
    hands.shell("pg1", &format!("chmod 700 {dir}"));
}

/// What a failover leaves to be done: the old primary, which was fenced, is copied anew and follows the new one.
#[test]
fn a_fenced_primary_is_rebuilt_and_nothing_is_left_behind() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    crate::rebuilding::shortened(&lab, "rebuild-data-server.yaml", &[]);
    let (pg1, pg2, pg3) = (lab.host("pg1"), lab.host("pg2"), lab.host("pg3"));
    pg1.freeze().unwrap();
    noticed_by_the_replicas(&lab);
    let failover = r#"run failover-database cluster=orders candidate=pg2 mode=dead reason="pg1 is frozen""#;
    let said = chat::types(&lab, [failover, "next", "as ben", "next", "as ana", "answer 1 1 go-on"]);
    said.ends_with(DONE).says("Run 1 succeeded");

    let rebuild =
        r#"run rebuild-data-server cluster=orders target=pg1 source=pg3 rate=500MiB reason="pg1 was fenced""#;
    let said = chat::types(&lab, ["as ben", rebuild, "next", "as cleo", "next", "answer 2 9 go-on"]);

    said.ends_with(DONE).says("Run 2 succeeded");
    let fed = "select count(*) from pg_stat_replication where application_name = 'pg1'";
    until("pg1 streams from pg2", || pg2.sql(fed).unwrap() == "1");
    assert_eq!(pg3.sql("select count(*) from pg_replication_slots").unwrap(), "0");
    assert_eq!(pg1.sql("show transaction_read_only").unwrap(), "on");
    assert!(!pg1.data_dir().with_extension("kept").exists());
}

/// The machine cannot be reached, and its switch does not answer: there is no evidence, and nobody is promoted.
#[test]
fn a_switch_that_does_not_answer_fences_nobody() {
    let hands = fast();
    hands.host("pg1").freeze_host().unwrap();
    noticed_by_the_replicas(&hands.lab);
    hands.puts("power1", "machine-power", "exit 1");
    let run = r#"run failover-database cluster=orders candidate=pg2 mode=dead reason="pg1 has died""#;

    let said = chat::types(&hands.lab, [run, "next", "as ben", "next", "as ana", "answer 1 1 go-on"]);

    assert_ne!(said.code, Some(BROKE), "{said}");
    said.never_says("Promote pg2: done");
    assert_eq!(hands.host("pg2").sql("select pg_is_in_recovery()").unwrap(), "t");
    hands.host("pg1").thaw().unwrap();
}

/// A server that was drained, or given up, before a step stays so when the step is taken back.
#[test]
fn the_balancer_is_put_back_to_what_it_was_before_each_step() {
    let hands = fast();
    let of = |server| [("backend", "replicas"), ("server", server)];
    let stands = |server| {
        let said = hands.asks("lb1", "haproxy/server", &of(server))?;
        Some(format!("{} {}", said["state"].as_str().unwrap(), said["weight"]))
    };
    assert_eq!(stands("pg3").as_deref(), Some("ready 100"));
    assert_eq!(stands("pg4").as_deref(), Some("maint 100"));
    assert_eq!(stands("pg9"), None);
    hands.fails("lb1", "haproxy/drain", "no", &of("pg9"), "there is no server pg9");
    hands.does("lb1", "undo haproxy/drain", "no", &of("pg9"));

    hands.does("lb1", "haproxy/drain", "mine", &of("pg3"));
    hands.does("lb1", "haproxy/drain", "mine", &of("pg3"));
    hands.does("lb1", "haproxy/drain", "other", &of("pg3"));
    hands.does("lb1", "undo haproxy/drain", "other", &of("pg3"));
    assert_eq!(stands("pg3").as_deref(), Some("drain 100"), "it was drained before");
    hands.does("lb1", "undo haproxy/drain", "mine", &of("pg3"));
    assert_eq!(stands("pg3").as_deref(), Some("ready 100"));

    let tenth = [("backend", "replicas"), ("server", "pg4"), ("weight", "10%")];
    hands.does("lb1", "haproxy/admit", "admit", &tenth);
    assert_eq!(stands("pg4").as_deref(), Some("ready 10"));
    hands.does("lb1", "undo haproxy/admit", "admit", &tenth);
    assert_eq!(stands("pg4").as_deref(), Some("maint 100"));
    hands.host("lb1").power_off().unwrap();
    hands.host("lb1").power_on().unwrap();
    assert_eq!(stands("pg3").as_deref(), Some("ready 100"), "it comes up with its host");
}

#[test]
fn every_row_is_read_when_rows_are_counted() {
    let hands = fast();
    let (pg1, pg3) = (hands.host("pg1"), hands.host("pg3"));
    let empty = hands.asks("pg1", "rows", &[]).unwrap();
    assert_eq!((&empty["tables"], &empty["rows"]), (&2.into(), &0.into()), "{empty}");
    pg1.sql("create schema \"odd one\"; create table \"odd one\".\"it's\" as select generate_series(1, 7)")
        .unwrap();
    pg3.corrupt().unwrap();
    let all = hands.asks("pg1", "rows", &[]).unwrap();
    assert_eq!((&all["tables"], &all["rows"]), (&4.into(), &2007.into()), "{all}");
    assert_eq!(hands.asks("pg3", "rows", &[]), None, "a page cannot be read");
}

#[test]
fn two_servers_with_one_name_are_noticed_before_one_of_them_is_built_anew() {
    let hands = fast();
    let primary = hands.address("pg1");
    let link = || hands.asks("pg3", "link", &[("upstream_address", primary.as_str())]);
    assert_eq!(link().unwrap()["slot"], true, "its own server uses it");
    hands.host("pg3").stop_database().unwrap();
    until("the slot is free", || link().is_some_and(|said| said["slot"] == true));

    let port = hands.host("pg1").pg_port();
    hands.shell("pg4", &format!("mkdir -p ~/wal; pg_receivewal -D ~/wal -d 'host={primary} port={port} user=repl' -S pg3 </dev/null >/dev/null 2>&1 &"));
    let used = "select active from pg_replication_slots where slot_name = 'pg3'";
    until("another one uses it", || hands.host("pg1").sql(used).unwrap() == "t");

    assert_eq!(link(), None);
    let ask = r#"run rebuild-data-server cluster=orders target=pg3 source=pg2 reason="pg3 is to be rebuilt""#;
    let said = chat::types(&hands.lab, ["as ben", ask]).ends_with(chat::REFUSED);
    said.says("two servers with one name");
    crate::refusing::nothing_was_done(&hands.lab);
}
