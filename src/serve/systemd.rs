//! What systemd is told: that we are ready, that we end, and, as long as another start would not help, that we live.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use super::health::{Health, State};
use crate::engine::clock::Clock;

/// The socket that systemd listens on, if it started us and wants to hear.
#[derive(Debug, Clone)]
pub struct Systemd {
    to: Option<(Arc<UnixDatagram>, SocketAddr)>,
    /// How often it wants to hear that we live.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// What the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn new(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let address = env("NOTIFY_SOCKET").and_then(|name| match name.strip_prefix('@') {
            Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name).ok(),
            None => SocketAddr::from_pathname(name).ok(),
        });
        let socket = UnixDatagram::unbound().ok().map(Arc::new);
        if let Some(socket) = &socket {
            // Nobody waits for a systemd that does not read.
            let _ = socket.set_nonblocking(true);
        }
        let pid = env("WATCHDOG_PID");
        let is_ours = pid.is_none_or(|pid| pid == std::process::id().to_string());
        let micros = env("WATCHDOG_USEC").filter(|_| is_ours).and_then(|micros| micros.parse().ok());
        Self { to: socket.zip(address), watchdog: micros.map(Duration::from_micros) }
    }

    /// Says this, if somebody wants to hear it.
    pub fn say(&self, what: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(what.as_bytes(), address)
        {
            tracing::warn!("systemd cannot be told {what}: {error}");
        }
    }

    /// Says three times in each period that we live, unless a part is stuck. What another start does not cure, as a full
    /// disk, is no reason to be ended.
    pub async fn watch(self, health: Arc<Health>, clock: Clock) {
        let Some(period) = self.watchdog.filter(|period| !period.is_zero()) else { return };
        loop {
            if health.report().await.state < State::Stuck {
                self.say("WATCHDOG=1");
            }
            clock.after(period / 3).await;
        }
    }
}
