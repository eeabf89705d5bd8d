//! The writer's side of the wire: find a server that takes writes, insert, and say honestly what came of it.
//!
//! Blocking, on the writer's own thread. The hosts are asked in turn with a limit before the driver connects: the
//! driver itself waits for ever for a frozen server, which accepts the connection and then says nothing.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postgres::config::TargetSessionAttrs;
use postgres::error::{DbError, Severity};
use postgres::{Client, Config, NoTls, Statement};

use super::Shared;
use crate::ground::Ground;
use crate::network::{self, Reach};
use crate::postgres::{APP, APP_PASSWORD};
use crate::topology::{Seat, members};

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const STATEMENT_TIMEOUT_MS: u32 = 3000;
/// Keeps it at some hundred rows a second.
const BETWEEN_ROWS: Duration = Duration::from_millis(2);
const BEFORE_RECONNECT: Duration = Duration::from_millis(50);

/// A server that said that it takes writes.
struct Session {
    client: Client,
    insert: Statement,
    host: &'static str,
    /// Set when the server warns during a statement.
    warned: Arc<AtomicBool>,
}

/// Writes until it is told to stop.
///
/// With `only`, it tries this host alone, and its rows have negative numbers, so that they meet nobody else's.
pub(super) fn write(ground: &Ground, shared: &Shared, only: Option<Seat>) {
    let mut n = if only.is_some() { -first_number() } else { first_number() };
    while !shared.stop.load(Ordering::SeqCst) {
        match connect(ground, only) {
            Ok(mut session) => insert_while_it_lasts(&mut session, &mut n, shared),
            Err(text) => shared.ledger().error(&text),
        }
        thread::park_timeout(BEFORE_RECONNECT);
    }
}

/// Milliseconds since 1970, so that the rows of two writers of one lab do not meet.
fn first_number() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX / 2)
}

fn insert_while_it_lasts(session: &mut Session, n: &mut i64, shared: &Shared) {
    while !shared.stop.load(Ordering::SeqCst) {
        *n += 1;
        shared.ledger().sends(*n);
        session.warned.store(false, Ordering::SeqCst);
        let answer = session.client.execute(&session.insert, &[&*n]);
        let mut ledger = shared.ledger();
        match answer {
            // The commit is there, but the server gave up waiting for a replica: that was no promise.
            Ok(_) if session.warned.load(Ordering::SeqCst) => ledger.unknown_fate(*n),
            Ok(_) => ledger.ack(*n, session.host),
            Err(e) => {
                ledger.error(&format!("{}: {}", session.host, told(&e)));
                if is_certain_refusal(e.as_db_error()) {
                    ledger.refuse();
                } else {
                    ledger.unknown_fate(*n);
                }
                return;
            }
        }
        drop(ledger);
        thread::park_timeout(BETWEEN_ROWS);
    }
}

/// An ordinary error of a statement rolls it back for certain. Whatever ends or cancels the session may have come after
/// the commit.
fn is_certain_refusal(error: Option<&DbError>) -> bool {
    const OPERATOR_INTERVENTION: &str = "57";
    error.is_some_and(|e| {
        e.parsed_severity() == Some(Severity::Error) && !e.code().code().starts_with(OPERATOR_INTERVENTION)
    })
}

fn connect(ground: &Ground, only: Option<Seat>) -> Result<Session, String> {
    let mut reasons = Vec::new();
    for seat in members().filter(|seat| only.is_none_or(|only| only.name == seat.name)) {
        let address = ground.pg_address(seat);
        match network::postgres(address, CONNECT_LIMIT) {
            Reach::Up => {}
            Reach::Frozen => {
                reasons.push(format!("{}: no answer", seat.name));
                continue;
            }
            Reach::Down => {
                reasons.push(format!("{}: refused", seat.name));
                continue;
            }
        }
        let warned = Arc::new(AtomicBool::new(false));
        let opened = config(&address.ip().to_string(), address.port(), &warned).connect(NoTls).and_then(
            |mut client| {
                let insert = client.prepare("insert into w(n) values ($1)")?;
                Ok((client, insert))
            },
        );
        match opened {
            Ok((client, insert)) => return Ok(Session { client, insert, host: seat.name, warned }),
            Err(e) => reasons.push(format!("{}: {}", seat.name, told(&e))),
        }
    }
    Err(reasons.join("; "))
}

fn config(ip: &str, port: u16, warned: &Arc<AtomicBool>) -> Config {
    let warned = Arc::clone(warned);
    let mut config = Config::new();
    config
        .host(ip)
        .port(port)
        .user(APP)
        .password(APP_PASSWORD)
        .dbname(APP)
        .application_name("writer")
        .options(&format!("-c statement_timeout={STATEMENT_TIMEOUT_MS}"))
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(CONNECT_LIMIT)
        .tcp_user_timeout(CONNECT_LIMIT)
        .notice_callback(move |notice| {
            if notice.parsed_severity() == Some(Severity::Warning) {
                warned.store(true, Ordering::SeqCst);
            }
        });
    config
}

/// The server's own words; else the driver's, with the reason that it keeps apart.
fn told(error: &postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(e), _) => e.message().to_owned(),
        (None, Some(reason)) => format!("{error}: {reason}"),
        (None, None) => error.to_string(),
    }
}
