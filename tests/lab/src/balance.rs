//! `HAProxy` on the balancer: what takes clients, and spreads them over the replicas and the spare.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Result;
use crate::ground::Ground;
use crate::host::{Host, USUAL_LIMIT};
use crate::patience;
use crate::topology::{Duty, SEATS, balancer, replicas};

/// The backend of those who serve reads.
pub(crate) const BACKEND: &str = "replicas";
const LIMIT: Duration = Duration::from_secs(2);

/// The socket on which it takes orders.
pub(crate) fn socket(ground: &Ground) -> PathBuf {
    ground.host_dir(balancer()).join("run/ha.sock")
}

/// `haproxy.cfg`. The spare is in it from the start, and gets nobody until somebody says so.
pub(crate) fn config(ground: &Ground) -> String {
    let here = ground.block.address(balancer().octet);
    let mut text = format!(
        "global
  nbthread 1
  maxconn 200
  stats socket {socket} mode 600 level admin
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
frontend reads
  bind {here}:{port}
  default_backend {BACKEND}
backend {BACKEND}
  balance roundrobin
",
        socket = socket(ground).display(),
        port = ground.spec.pg_port,
    );
    for seat in SEATS.into_iter().filter(|seat| matches!(seat.duty, Duty::Replica | Duty::Spare)) {
        let out = if seat.duty == Duty::Spare { " disabled" } else { "" };
        let _ = writeln!(
            text,
            "  server {} {} check inter 2s fastinter 500ms weight 100{out}",
            seat.name,
            ground.pg_address(seat)
        );
    }
    text
}

/// It takes orders on its socket.
pub(crate) fn answers(host: &Host) -> Result<()> {
    patience::until(USUAL_LIMIT, &format!("HAProxy of {} answers", host.name()), || {
        match say(&host.ground, "show info") {
            Ok(said) if said.contains("Name: HAProxy") => Ok(()),
            Ok(said) => Err(said),
            Err(error) => Err(error.to_string()),
        }
    })
}

/// Every replica gets clients. One that was not there at its first look is left out until two looks have found it.
pub(crate) fn spreads(ground: &Ground) -> Result<()> {
    patience::until(USUAL_LIMIT, "HAProxy sends clients to every replica", || {
        let said =
            say(ground, &format!("show servers state {BACKEND}")).map_err(|error| error.to_string())?;
        let out: Vec<&str> = replicas().map(|seat| seat.name).filter(|name| !is_up(&said, name)).collect();
        if out.is_empty() { Ok(()) } else { Err(format!("it leaves out {}", out.join(", "))) }
    })
}

/// Is the server up, in the answer to `show servers state`? Its fourth column is the server's name, the sixth its
/// operational state, where 2 is up (its management guide, 9.3).
fn is_up(said: &str, server: &str) -> bool {
    said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|columns| {
        columns.get(3).is_some_and(|name| *name == server)
            && columns.get(5).is_some_and(|state| *state == "2")
    })
}

fn say(ground: &Ground, order: &str) -> std::io::Result<String> {
    let mut socket = UnixStream::connect(socket(ground))?;
    socket.set_read_timeout(Some(LIMIT))?;
    writeln!(socket, "{order}")?;
    let mut said = String::new();
    socket.read_to_string(&mut said)?;
    Ok(said)
}
