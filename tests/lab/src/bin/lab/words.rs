//! How the command `lab` prints what it found.

use std::io::Write;

use lab::HostStatus;

/// The line above those of [`status_line`].
pub(crate) const STATUS_HEAD: &str =
    "host    address      power ssh     database process role       lsn         upstream     lag";

/// One host, as a row of the table that `lab status` prints.
pub(crate) fn status_line(s: &HostStatus) -> String {
    let nothing = || "-".to_owned();
    let process = match (s.process, s.stopped) {
        (Some(state), 0) => state.to_string(),
        (Some(state), stopped) => format!("{state} {stopped}/{}", s.processes),
        (None, _) => nothing(),
    };
    let node = s.node.as_ref();
    let role = node.map_or_else(nothing, |n| {
        let trapped = n.role == "primary" && !n.writable;
        if trapped { "read-only!".to_owned() } else { n.role.clone() }
    });
    let lower = |value: String| value.to_lowercase();
    let line = format!(
        "{:<7} {:<12} {:<5} {:<7} {:<8} {:<7} {:<10} {:<11} {:<12} {}",
        s.host,
        s.address,
        lower(format!("{:?}", s.power)),
        lower(format!("{:?}", s.ssh)),
        s.database.map_or_else(nothing, |d| lower(format!("{d:?}"))),
        process,
        role,
        node.map_or_else(nothing, |n| n.lsn.clone()),
        node.and_then(|n| n.upstream.clone()).unwrap_or_else(nothing),
        s.lag_bytes.map_or_else(nothing, |bytes| format!("{bytes} B")),
    );
    let streams = node.is_none_or(|n| n.role == "primary" || n.streaming);
    if streams { line } else { format!("{line}, not streaming") }
}

/// Prints a line. A closed pipe, as `lab status | head` leaves it, is no error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
