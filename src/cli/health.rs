//! Asks the service of this configuration how it is: `steadyhand health`. For containers, which have no other client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Failed, say};
use crate::chat::desk::CameOut;
use crate::config::Config;

/// A service answers sooner: each of its parts has seven seconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(9);
/// No answer is longer.
const MAX_ANSWER: u64 = 64 * 1024;

/// Prints what the service says, and ends with 0 if everything moves.
pub(super) fn ask(config: &Config) -> Result<CameOut, Failed> {
    let listen = here(config.serve.listen);
    let (status, text) = get(listen).map_err(|error| {
        format!(
            "no service answers on {listen}: {error}. Next: start steadyhand serve, or look at serve.listen"
        )
    })?;
    say(&text);
    Ok(if status == "200" { CameOut::Done } else { CameOut::Broke })
}

/// A service that listens on every address is asked on this machine.
fn here(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => listen,
        IpAddr::V4(_) => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(_) => (Ipv6Addr::LOCALHOST, listen.port()).into(),
    }
}

/// The status and the text of `/healthz`.
fn get(listen: SocketAddr) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect_timeout(&listen, ANSWERS_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: steadyhand\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    let text = answer.split_once("\r\n\r\n").map(|(_, text)| text.to_owned()).unwrap_or_default();
    Ok((status, text))
}
