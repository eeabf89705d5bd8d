//! The lab, tested on itself: that it comes up as promised, that every injection hurts, and that nothing stays behind.
//!
//! A lab is up in less than a second, so nearly every test has its own. All are fast ones (no fsync) unless the disk
//! matters.

mod coming_up;
mod copying;
mod commands;
mod cutting;
mod freezing;
mod leftovers;
mod power;
mod traps;
mod writing;

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
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
#[expect(clippy::needless_pass_by_value, reason = "a call reads as a sentence: eventually this, from that")]
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
    host.sql(
        "select coalesce(string_agg(application_name, ' ' order by application_name), '')
           from pg_stat_replication where state = 'streaming'",
    )
    .unwrap_or_else(|e| e.to_string())
}

/// Inserts a row as the application does, and gives its number.
fn insert(host: &Host) -> lab::Result<i64> {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let row = NEXT.fetch_add(1, Ordering::Relaxed);
    host.sql_as_app(&format!("insert into w (n) values ({row})")).map(|_| row)
}

/// Is the row here?
fn has(host: &Host, row: i64) -> bool {
    host.sql(&format!("select count(*) from w where n = {row}")).unwrap() == "1"
}
