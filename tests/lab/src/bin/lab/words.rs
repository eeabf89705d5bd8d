//! How the command `lab` prints what it found.

use std::io::Write;

use lab::{HostStatus, Report};

/// The line above those of [`status_line`].
pub(crate) const STATUS_HEAD: &str = "host    power ssh     database   role       lsn        upstream lag";

/// One host of all, as a row of the table that `lab status` prints. It fits 80 columns with a margin.
pub(crate) fn status_line(s: &HostStatus, all: &[HostStatus]) -> String {
    let nothing = || "-".to_owned();
    let lower = |value: String| value.to_lowercase();
    let stopped = if s.stopped == 0 { String::new() } else { format!(" {}/{}", s.stopped, s.processes) };
    let node = s.node.as_ref();
    let named = |address| all.iter().find(|host| host.address == address).map_or(address, |host| host.host);
    let role = node.map_or_else(nothing, |n| {
        let trapped = n.role == "primary" && !n.writable;
        if trapped { "read-only!".to_owned() } else { n.role.clone() }
    });
    let line = format!(
        "{:<7} {:<5} {:<7} {:<10} {:<10} {:<10} {:<8} {}",
        s.host,
        lower(format!("{:?}", s.power)),
        lower(format!("{:?}", s.ssh)),
        s.database.map_or_else(nothing, |d| lower(format!("{d:?}{stopped}"))),
        role,
        node.map_or_else(nothing, |n| n.lsn.clone()),
        node.and_then(|n| n.upstream.as_deref()).map_or("-", named),
        s.lag_bytes.map_or_else(nothing, |bytes| format!("{bytes} B")),
    );
    let streams = node.is_none_or(|n| n.role == "primary" || n.streaming);
    if streams { line } else { format!("{line}, stalled") }
}

/// What the writer met, as the lines that `lab write check` prints.
pub(crate) fn report_lines(report: &Report) -> Vec<String> {
    let figures = &report.figures;
    let by: Vec<String> = figures.acked_by.iter().map(|(host, rows)| format!("{host} {rows}")).collect();
    let mut lines = vec![
        format!("{} rows acknowledged ({}), {} lost", figures.acked, by.join(", "), report.lost.len()),
        format!("longest time without a row: {:.2} s", figures.longest_gap_seconds),
    ];
    if figures.unknown > 0 {
        let (unknown, present) = (figures.unknown, report.unknown_present);
        lines.push(format!("{unknown} of unknown fate, {present} of them on {}", report.checked_on));
    }
    lines
}

/// Prints a line. A closed pipe, as `lab status | head` leaves it, is no error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
