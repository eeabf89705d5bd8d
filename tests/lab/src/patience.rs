//! Waiting for the world, with a limit.
//!
//! The lab's world is other processes, which cannot tell us when they are ready. So we look, often and cheaply, until
//! it is so or the limit is reached; then the error says what was last seen. Nothing here sleeps for a fixed time.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long to wait between two looks. Short, because tests measure times of this order.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `look` gives a value. `Err` of `look` is what is still missing, and is quoted when time is up.
pub(crate) fn until<T>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(missing) if Instant::now() >= deadline => {
                return Err(Error::new(format!("{what}: not so after {} s", limit.as_secs_f32()))
                    .because(missing)
                    .next("if the machine was only busy, try again; else look at the logs in h/*/log"));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
