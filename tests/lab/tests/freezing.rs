//! Frozen servers accept connections and answer nothing; thawed ones go on.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Reach};

use crate::{a_lab, eventually, followers, has, insert};

const A_MOMENT: Duration = Duration::from_millis(500);

fn a_frozen_primary_accepts_connections_and_answers_nothing(lab: &Lab) {
    let pg1 = lab.host("pg1");

    pg1.freeze().unwrap();

    TcpStream::connect((pg1.address(), pg1.pg_port())).unwrap();
    assert_eq!(pg1.database_reach(A_MOMENT), Reach::Frozen);
    let over_ssh = pg1.ssh(&format!(
        "timeout 1 psql -h {} -p {} -d app -c 'select 1'",
        pg1.socket_dir().display(),
        pg1.pg_port()
    ));
    assert_eq!(over_ssh.unwrap().status, Some(124), "SSH works, the query hangs");
    let asked = Instant::now();
    let error = pg1.sql_within(A_MOMENT, "select 1").unwrap_err().to_string();
    assert!(error.contains("did not end within 0.5 s and was killed"), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(lab.primaries().len(), 0);
    // The timeouts of 2 s are what makes the replicas notice.
    for replica in ["pg2", "pg3"].map(|name| lab.host(name)) {
        eventually("0".to_owned(), || replica.sql("select count(*) from pg_stat_wal_receiver").unwrap());
    }

    pg1.thaw().unwrap();

    let row = insert(&pg1).unwrap();
    eventually("pg2 pg3".to_owned(), || followers(&pg1));
    eventually(true, || has(&lab.host("pg2"), row));
}

fn a_half_frozen_server_goes_on_for_old_sessions_only(lab: &Lab) {
    let pg1 = lab.host("pg1");
    let writer = lab.writer().unwrap();

    pg1.freeze_postmaster().unwrap();

    assert_eq!(pg1.database_reach(A_MOMENT), Reach::Frozen);
    let written = writer.wait_for_ack_after(Instant::now() + A_MOMENT, Duration::from_secs(10)).unwrap();
    assert!(written < Duration::from_secs(1), "{written:?}");
    assert_eq!(state(&pg1), (Some('T'), 1));

    pg1.thaw().unwrap();

    assert_eq!(pg1.database_reach(Duration::from_secs(5)), Reach::Up);
    let report = writer.stop().unwrap();
    assert!(report.lost.is_empty(), "{report:?}");
}

fn a_frozen_host_is_silent_on_ssh_too(lab: &Lab) {
    let pg1 = lab.host("pg1");

    pg1.freeze_host().unwrap();

    assert_eq!(pg1.ssh_reach(A_MOMENT), Reach::Frozen);
    assert_eq!(pg1.database_reach(A_MOMENT), Reach::Frozen);
    let refused = pg1.ssh("true").unwrap();
    assert_eq!(refused.status, Some(255), "{refused:?}");

    pg1.thaw().unwrap();

    assert!(pg1.ssh("true").unwrap().ok());
    insert(&pg1).unwrap();
}

#[test]
fn servers_freeze_and_thaw() {
    let lab = a_lab();

    to_freeze_what_does_not_run_is_an_error(&lab);
    a_frozen_primary_accepts_connections_and_answers_nothing(&lab);
    a_half_frozen_server_goes_on_for_old_sessions_only(&lab);
    a_frozen_host_is_silent_on_ssh_too(&lab);
}

fn to_freeze_what_does_not_run_is_an_error(lab: &Lab) {
    let error = lab.host("pg4").freeze().unwrap_err().to_string();

    assert!(error.contains("pg4 has no running PostgreSQL"), "{error}");
}

/// The postmaster's state, and how many processes are stopped.
fn state(host: &Host) -> (Option<char>, usize) {
    let lab = lab::Lab::open(host.dir().parent().unwrap().parent().unwrap()).unwrap();
    let all = lab.status();
    let status = all.iter().find(|s| s.host == host.name()).unwrap();
    (status.process, status.stopped)
}
