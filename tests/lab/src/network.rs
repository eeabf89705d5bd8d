//! What can be seen of a host through the network, and who listens there.
//!
//! Everything is bounded: a frozen host accepts connections and then says nothing, which is an answer here, not a hang.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use serde::Serialize;

/// How a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// It connects and speaks.
    Up,
    /// It connects and says nothing: frozen, or a black hole.
    Frozen,
    /// The connection is refused.
    Down,
}

/// Does an sshd greet us there?
pub(crate) fn ssh(address: SocketAddrV4, limit: Duration) -> Reach {
    speaks(address, &[], limit)
}

/// Does a PostgreSQL answer there? It is asked whether it speaks TLS, which only a living postmaster can answer.
pub(crate) fn postgres(address: SocketAddrV4, limit: Duration) -> Reach {
    speaks(address, &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f], limit)
}

fn speaks(address: SocketAddrV4, question: &[u8], limit: Duration) -> Reach {
    let mut stream = match TcpStream::connect_timeout(&address.into(), limit) {
        Ok(stream) => stream,
        // A full queue of a frozen listener: nothing refuses, nothing accepts.
        Err(e) if e.kind() == ErrorKind::TimedOut => return Reach::Frozen,
        Err(_) => return Reach::Down,
    };
    let asked = stream.set_read_timeout(Some(limit)).and_then(|()| stream.write_all(question));
    match asked.and_then(|()| stream.read(&mut [0; 1])) {
        Ok(1..) => Reach::Up,
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Reach::Frozen,
        Ok(_) | Err(_) => Reach::Down,
    }
}

/// Why nobody can listen there; none if one can.
///
/// It is only looked, not tried: a listener of ours, however short, would stand in the way of a host that comes up.
pub(crate) fn why_taken(address: SocketAddrV4) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().any(|table| is_listened_to(table, address)).then(|| "somebody listens there".to_owned())
}

/// Whether somebody listens at this address, or at its port on every address.
fn is_listened_to(table: &str, address: SocketAddrV4) -> bool {
    let everywhere = [format!("{:08X}", 0), format!("{:032X}", 0)];
    let everywhere = everywhere.map(|any| format!("{any}:{:04X}", address.port()));
    listener(table, address).is_some() || everywhere.iter().any(|local| listener_at(table, local).is_some())
}

/// Is it this very process that listens there?
pub(crate) fn listens(pid: i32, address: SocketAddrV4) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let Some(inode) = listener(&table, address) else { return false };
    let socket = format!("socket:[{inode}]");
    let mut files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.any(|f| fs::read_link(f.path()).is_ok_and(|to| to.as_os_str() == socket.as_str()))
}

/// The inode of the listening socket of that address, in the table that /proc/net/tcp shows.
fn listener(table: &str, address: SocketAddrV4) -> Option<&str> {
    listener_at(table, &format!("{:08X}:{:04X}", hex_order(*address.ip()), address.port()))
}

fn listener_at<'a>(table: &'a str, wanted: &str) -> Option<&'a str> {
    const LISTENING: &str = "0A";
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        (local == wanted && state == LISTENING).then(|| fields.nth(5))?
    })
}

/// The kernel prints the address as one number in the order of the machine.
fn hex_order(ip: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(ip.octets())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

    fn listening() -> (TcpListener, SocketAddrV4) {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let address = SocketAddrV4::new(LOOPBACK, listener.local_addr().unwrap().port());
        (listener, address)
    }

    #[test]
    fn a_listener_belongs_to_its_process_only() {
        let (_kept, address) = listening();
        let me = i32::try_from(std::process::id()).unwrap();

        assert!(listens(me, address));
        assert!(!listens(1, address));
        assert!(why_taken(address).is_some());
    }

    #[test]
    fn who_listens_everywhere_listens_there_too() {
        let line = |local: &str, state: &str| {
            format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
            )
        };
        let there = SocketAddrV4::new(Ipv4Addr::new(127, 78, 0, 11), 2422);

        assert!(is_listened_to(&line("0B004E7F:0976", "0A"), there));
        assert!(is_listened_to(&line("00000000:0976", "0A"), there));
        assert!(is_listened_to(&line("00000000000000000000000000000000:0976", "0A"), there));
        assert!(!is_listened_to(&line("0B004E7F:0976", "01"), there), "a connection is no listener");
        assert!(!is_listened_to(&line("00000000:0977", "0A"), there));
        assert!(!is_listened_to(&line("0C004E7F:0976", "0A"), there));
    }

    #[test]
    fn silence_is_frozen_and_refusal_is_down() {
        let (listener, address) = listening();

        let silent = ssh(address, Duration::from_millis(100));
        drop(listener);
        let gone = ssh(address, Duration::from_millis(100));

        assert_eq!((silent, gone), (Reach::Frozen, Reach::Down));
    }
}
