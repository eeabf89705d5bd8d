//! Why nothing was started on a host, in words. OpenSSH tells its reasons in words only, too.

use std::time::Duration;

use super::{Destination, Ending};

/// A connection is made within this time, or the host is unreachable.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn not_started(code: &'static str, why: impl Into<String>) -> Ending {
    Ending::NotStarted { code, why: why.into() }
}

/// Secrets are not put anywhere else.
pub(super) fn no_place_for_secrets() -> Ending {
    let why =
        "its secrets cannot be put on the host: neither /dev/shm nor the home of the login user takes a file";
    not_started("secret-place", why)
}

/// Why there is no connection. OpenSSH says it in words only.
pub(super) fn why_not_connected(to: &Destination, pinned: &[String], error: &openssh::Error) -> Ending {
    let text = chain(error);
    let name = &to.name;
    if text.contains("IDENTIFICATION HAS CHANGED") || text.contains("Host key verification failed") {
        let shown = text
            .split_whitespace()
            .find(|word| word.starts_with("SHA256:"))
            .map(|word| word.trim_end_matches('.'));
        let shown = shown.map_or_else(|| "another one".to_owned(), str::to_owned);
        let why = format!(
            "{name} shows the host key {shown}, and {} is pinned: find out why before anybody changes that",
            pinned.join(" or ")
        );
        return not_started("host-key-changed", why);
    }
    if text.contains("Permission denied") {
        return not_started(
            "login-refused",
            format!("{name} does not let {} in: {}", to.user, first_line(&text)),
        );
    }
    let why = if text.contains("Connection refused") {
        format!("{name} refuses connections on port {}", to.port)
    } else if text.contains("timed out") {
        format!("{name} does not answer ssh in {} s", CONNECT_WITHIN.as_secs())
    } else {
        format!("{name} cannot be reached by ssh: {}", first_line(&text))
    };
    not_started("unreachable", why)
}

fn first_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('@'))
        .unwrap_or("no reason given")
        .to_owned()
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
