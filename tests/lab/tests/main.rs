//! The lab, tested on itself: that it comes up as promised, that every injection hurts, and that nothing stays behind.
//!
//! A lab is up in less than a second, so nearly every test has its own. All are fast ones (no fsync) unless the disk
//! matters.

mod coming_up;
mod commands;
mod cutting;
mod freezing;
mod leftovers;
mod power;
mod traps;
mod writing;

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec};

/// Long enough for a busy machine, short enough to end a broken run.
const SOON: Duration = Duration::from_secs(20);

fn a_lab() -> Lab {
    Lab::up(Spec::default().fast()).unwrap()
}

/// Waits until `look` gives what is expected. Fails with what was seen last.
#[track_caller]
fn eventually<T: PartialEq + Debug>(expected: T, mut look: impl FnMut() -> T) {
    let deadline = Instant::now() + SOON;
    loop {
        let seen = look();
        if seen == expected {
            return;
        }
        assert!(Instant::now() < deadline, "after {SOON:?} still {seen:?}, not {expected:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Replicas that stream from this host, by name.
fn followers(host: &Host) -> String {
    host.sql("select coalesce(string_agg(application_name, ' ' order by 1), '') from pg_stat_replication where state = 'streaming'")
        .unwrap_or_else(|e| e.to_string())
}

/// Inserts a row as the application does.
fn insert(host: &Host, n: i64) -> lab::Result<String> {
    host.sql_as_app(&format!("insert into w (n) values ({n})"))
}

/// Is the row here?
fn has(host: &Host, n: i64) -> bool {
    host.sql(&format!("select count(*) from w where n = {n}")).unwrap() == "1"
}
