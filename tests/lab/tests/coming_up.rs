//! What a lab is when it has come up, and what is said when it cannot.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use lab::{Lab, Spec};

use crate::{a_lab, eventually, followers, has, insert};

#[test]
fn a_new_lab_is_as_promised() {
    let lab = Lab::up(Spec::default()).unwrap();

    up_gives_a_writable_primary_and_two_streaming_replicas(&lab);
    every_host_has_its_own_environment_over_ssh(&lab);
    psql_works_on_a_host_with_three_variables_only(&lab);
    the_bots_files_belong_to_the_caller_and_name_real_places(&lab);
    a_block_in_use_is_refused(&lab);
}

fn up_gives_a_writable_primary_and_two_streaming_replicas(lab: &Lab) {
    let [pg1, pg2, pg3] = ["pg1", "pg2", "pg3"].map(|name| lab.host(name));

    let row = insert(&pg1).unwrap();

    assert_eq!(lab.primary().unwrap().name(), "pg1");
    assert_eq!(followers(&pg1), "pg2 pg3");
    assert_eq!(pg1.sql("show fsync").unwrap(), "on");
    assert_eq!(
        pg1.sql(
            "select string_agg(slot_name, ' ' order by slot_name) from pg_replication_slots where active"
        )
        .unwrap(),
        "pg2 pg3"
    );
    assert_eq!(pg2.sql("select count(*) from pg_replication_slots").unwrap(), "0");
    for replica in [pg2, pg3] {
        eventually(true, || has(&replica, row));
        let refused = insert(&replica).unwrap_err().to_string();
        assert!(refused.contains("cannot execute INSERT in a read-only transaction"), "{refused}");
    }
}

fn every_host_has_its_own_environment_over_ssh(lab: &Lab) {
    for host in lab.hosts() {
        let dir = host.dir();
        let dir = dir.display();
        let seen = host
            .ssh("printf '%s\\n' \"$HOME\" \"$PATH\" \"$LC_ALL\" \"$(hostname)\" \"$(id -un)\" ~")
            .unwrap();
        let lines: Vec<&str> = seen.out.lines().collect();

        assert_eq!(seen.status, Some(0), "{seen:?}");
        assert_eq!(lines[0], format!("{dir}/home"));
        assert!(lines[1].starts_with(&format!("{dir}/bin:")), "{}", lines[1]);
        assert!(lines[1].ends_with("/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), "{}", lines[1]);
        assert_eq!(&lines[2..], ["C.UTF-8", host.name(), lab.user(), &format!("{dir}/home")]);
        let pgpass = fs::metadata(host.dir().join("home/.pgpass")).unwrap();
        assert_eq!(pgpass.permissions().mode() & 0o777, 0o600);
    }
}

fn psql_works_on_a_host_with_three_variables_only(lab: &Lab) {
    let pg1 = lab.host("pg1");
    let clean = "env -i HOME=\"$HOME\" PATH=\"$PATH\" LC_ALL=\"$LC_ALL\"";

    let as_superuser = pg1
        .ssh(&format!(
            "{clean} psql -h {} -p {} -d postgres -qAtXc \"select current_user, current_setting('is_superuser')\"",
            pg1.socket_dir().display(),
            pg1.pg_port()
        ))
        .unwrap();
    let as_app = |to: &str| {
        lab.host("pg2")
            .ssh(&format!(
                "{clean} psql 'host={} port={} user=app dbname=app connect_timeout=2' -qAtXc \"show cluster_name\"",
                lab.host(to).address(),
                pg1.pg_port()
            ))
            .unwrap()
    };

    assert_eq!(as_superuser.out, format!("{}|on\n", lab.user()), "{as_superuser:?}");
    assert_eq!(as_app("pg1").out, "pg1\n");
    assert_eq!(as_app("pg3").out, "pg3\n");
    let tools = pg1
        .ssh("command -v psql pg_ctl pg_controldata pg_basebackup pg_verifybackup pg_rewind ss pgrep awk")
        .unwrap();
    assert_eq!(tools.out.lines().count(), 9, "{tools:?}");
}

fn the_bots_files_belong_to_the_caller_and_name_real_places(lab: &Lab) {
    let me = fs::metadata("/proc/self").unwrap().uid();
    let read = |name: &str| {
        let path = lab.bot_dir().join(name);
        assert_eq!(fs::metadata(&path).unwrap().uid(), me, "{name}");
        fs::read_to_string(path).unwrap()
    };

    let inventory = read("inventory.yaml");
    let toml = read("steadyhand.toml");
    let known_hosts = read("known_hosts");

    let pg1 = lab.host("pg1");
    assert!(inventory.contains(&format!(
        "  pg1: {{ address: {}, port: {}, user: {}, settings: {{ data_dir: {}, config_file: {}/pg.conf, log_file: {}, \
         socket_dir: {}, power_host: power1, power_id: pg1 }}, depends_on: [lab] }}\n",
        pg1.address(),
        pg1.ssh_port(),
        lab.user(),
        pg1.data_dir().display(),
        pg1.dir().display(),
        pg1.log_file().display(),
        pg1.socket_dir().display(),
    )));
    assert_eq!(fs::canonicalize(pg1.data_dir()).unwrap(), pg1.data_dir(), "a real path, no link");
    assert!(known_hosts.starts_with(&format!("[{}]:{} ssh-ed25519 AAAA", pg1.address(), pg1.ssh_port())));
    assert_eq!(known_hosts.lines().count(), 7);
    assert!(read("policy.yaml").contains("break_glass: { by: [commander]"));
    for name in ["inventory.yaml", "policy.yaml", "known_hosts"] {
        assert!(toml.contains(&format!("\"{}\"", lab.bot_dir().join(name).display())), "{toml}");
    }
    let key = fs::metadata(lab.client_key()).unwrap();
    assert_eq!((key.uid(), key.permissions().mode() & 0o777), (me, 0o600));
}

#[test]
fn two_labs_side_by_side_do_not_meet() {
    let (one, other) = (a_lab(), a_lab());

    let row = insert(&one.host("pg1")).unwrap();
    other.host("pg1").kill().unwrap();

    assert_ne!(one.block(), other.block());
    assert!(has(&one.host("pg1"), row));
    other.host("pg1").start_database().unwrap();
    assert!(!has(&other.host("pg1"), row));
    assert_eq!(followers(&one.host("pg1")), "pg2 pg3");
}

fn a_block_in_use_is_refused(lab: &Lab) {
    let error = Lab::up(Spec::default().block(&lab.block().to_string()).unwrap()).unwrap_err().to_string();

    assert!(error.contains(&format!("the block {} cannot be used", lab.block())), "{error}");
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert_eq!(lab.primary().unwrap().name(), "pg1");
}

#[test]
fn a_port_already_taken_is_said_and_nothing_is_left() {
    let _another = TcpListener::bind(("127.201.0.13", 5532)).unwrap();

    let error = Lab::up(Spec::default().block("127.201").unwrap()).unwrap_err().to_string();

    assert!(error.contains("port 5532 of 127.201.0.13 is taken: somebody listens there"), "{error}");
    assert!(error.contains("choose another one"), "{error}");
    assert_nothing_left("127.201");
}

#[test]
fn a_server_that_does_not_start_shows_its_log_and_nothing_is_left() {
    // More milliseconds than PostgreSQL can count.
    let impossible =
        Spec::default().block("127.202").unwrap().replication_timeout(Duration::from_secs(10_000_000));

    let error = Lab::up(impossible).unwrap_err().to_string();

    assert!(error.contains("PostgreSQL did not start"), "{error}");
    assert!(error.contains("wal_sender_timeout"), "{error}");
    assert_nothing_left("127.202");
}

#[test]
fn a_directory_too_long_for_a_socket_is_refused() {
    let dir = std::env::temp_dir().join("x".repeat(90));

    let error = Lab::up(Spec::default().dir(&dir)).unwrap_err().to_string();

    assert!(error.contains("the kernel allows 107"), "{error}");
    assert!(!dir.exists());
}

#[test]
fn a_directory_that_exists_is_left_as_it_is() {
    let dir = std::env::temp_dir().join(format!("steadyhand-lab-precious-{}", std::process::id()));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("photo"), "of the cat").unwrap();

    let error = Lab::up(Spec::default().block("127.203").unwrap().dir(&dir)).unwrap_err().to_string();
    let photo = fs::read_to_string(dir.join("photo")).unwrap();
    fs::remove_dir_all(&dir).unwrap();

    assert!(error.contains("exists"), "{error}");
    assert_eq!(photo, "of the cat");
}

#[test]
fn a_foreign_cluster_on_the_spare_has_another_identifier() {
    let lab = Lab::up(Spec::default().fast().foreign_cluster_on_spare()).unwrap();
    let id = |name: &str| lab.host(name).sql("select system_identifier from pg_control_system()").unwrap();

    assert_eq!(id("pg1"), id("pg2"));
    assert_ne!(id("pg1"), id("pg4"));
    assert_eq!(lab.primary().unwrap().name(), "pg1");
}

#[test]
fn a_lab_is_as_its_specification_says() {
    let dir = std::env::temp_dir().join(format!("steadyhand-lab-special-{}", std::process::id()));
    let spec = Spec::default().block("127.204").unwrap().dir(&dir).ssh_port(2522).pg_port(5632);
    let spec = spec.max_sessions(3).client_alive_seconds(7).runbooks("/srv/runbooks");
    let lab = Lab::up(spec.replication_timeout(Duration::from_secs(5)).fast().synchronous()).unwrap();
    let pg1 = lab.host("pg1");

    let config = pg1.dir().join("ssh/sshd_config");
    let sshd = pg1.ssh(&format!("$(command -v sshd) -T -f {}", config.display())).unwrap();
    let settings =
        "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where name in
        ('fsync', 'port', 'synchronous_standby_names', 'wal_receiver_timeout', 'wal_sender_timeout')";

    assert_eq!(lab.dir(), dir);
    assert_eq!(
        (pg1.address().to_string().as_str(), pg1.ssh_port(), pg1.pg_port()),
        ("127.204.0.11", 2522, 5632)
    );
    for line in ["maxsessions 3", "clientaliveinterval 7"] {
        assert!(sshd.out.lines().any(|l| l == line), "{sshd:?}");
    }
    assert_eq!(
        pg1.sql(settings).unwrap(),
        "fsync=off port=5632 synchronous_standby_names=ANY 1 (pg2, pg3) wal_receiver_timeout=5000 wal_sender_timeout=5000"
    );
    assert!(
        fs::read_to_string(lab.bot_dir().join("steadyhand.toml"))
            .unwrap()
            .contains("runbooks = \"/srv/runbooks\"\n")
    );
}

#[test]
fn reset_gives_the_first_state_back() {
    let lab = a_lab();
    let [pg1, pg2] = ["pg1", "pg2"].map(|name| lab.host(name));
    let row = insert(&pg1).unwrap();
    pg1.power_off().unwrap();
    pg2.sql("select pg_promote()").unwrap();
    pg2.change_host_key().unwrap();
    lab.host("pg3").freeze_host().unwrap();

    lab.reset().unwrap();

    assert_eq!(lab.primary().unwrap().name(), "pg1");
    assert_eq!(followers(&pg1), "pg2 pg3");
    assert!(!has(&pg1, row));
    assert_eq!(pg2.ssh("hostname").unwrap().out, "pg2\n");
}

fn assert_nothing_left(block: &str) {
    let dir = Lab::usual_dir(block.parse().unwrap());
    assert!(!dir.exists(), "{}", dir.display());
    assert!(!dir.with_extension(format!("{}.lock", &block[4..])).exists());
    assert_eq!(processes_naming(&dir), Vec::<String>::new());
}

/// Living processes whose command line, directory or environment names this directory.
pub(crate) fn processes_naming(dir: &Path) -> Vec<String> {
    let name = dir.to_str().unwrap();
    let all = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok());
    all.filter(|entry| entry.file_name().to_string_lossy() != std::process::id().to_string())
        .filter_map(|entry| {
            let text = |file: &str| {
                String::from_utf8_lossy(&fs::read(entry.path().join(file)).unwrap_or_default())
                    .replace('\0', " ")
            };
            let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let found =
                text("cmdline").contains(name) || text("environ").contains(name) || cwd.starts_with(dir);
            found.then(|| text("cmdline"))
        })
        .collect()
}
