//! An address at which nobody takes a call: connections are neither taken nor refused.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A connection that stands is there within this time on loopback.
const AT_ONCE: Duration = Duration::from_millis(300);

/// An address at which nobody takes a call.
pub struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    _callers: Vec<TcpStream>,
}

impl Deaf {
    /// Begins to be deaf: so many callers wait already that the system leaves further ones without a word.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let mut callers = Vec::new();
        while let Ok(caller) = TcpStream::connect_timeout(&address, AT_ONCE) {
            callers.push(caller);
            assert!(callers.len() < 10_000, "the queue of a listener has no end here");
        }
        Self { address, _listener: listener, _callers: callers }
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}
