//! Hosts without a database, cheaply: a port and a home for each, and an sshd for sixteen of them.
//!
//! For tests that need the real OpenSSH and a shell, thousands of times. Each host is a port of 127.0.0.1; what is
//! changed there is changed in its home.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::account::Account;
use crate::error::{Context, Error, Result};
use crate::network::{self, Reach};
use crate::sshd::WITHOUT_ROOT;
use crate::{keys, patience, programs, run};

const LIMIT: Duration = Duration::from_secs(20);
const LOOK_LIMIT: Duration = Duration::from_secs(1);
/// One sshd listens on no more addresses.
const SSHD_ADDRESSES: usize = 16;

/// Homes, and the sshds that let into them. Dropping it ends the sshds; the folder is the caller's.
#[derive(Debug)]
pub struct Homes {
    dir: PathBuf,
    account: Account,
    ports: Vec<u16>,
    _sshds: Vec<Sshd>,
}

/// A host that answers for as long as this is kept.
#[derive(Debug)]
pub struct Awake {
    _sshd: Sshd,
}

#[derive(Debug)]
struct Sshd(Child);

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Homes {
    /// Starts the sshds in this folder, which must exist, with so many hosts. Those with these numbers refuse every
    /// connection until they are woken.
    pub fn open(dir: &Path, count: usize, asleep: impl Fn(usize) -> bool) -> Result<Self> {
        let account = Account::ordinary()?;
        let place = |name: &str| dir.join(name);
        for name in ["ssh", "home"] {
            account.make_dir(&place(name), 0o755)?;
        }
        make_key(Command::new(program("ssh-keygen")?), &place("client"))?;
        make_key(account.command(program("ssh-keygen")?), &place("ssh/hostkey"))?;
        let client = keys::public(&place("client.pub"))?;
        account.write(&place("ssh/authorized_keys"), &format!("{client}\n"), 0o600)?;
        let ports = free_ports(count)?;
        for number in 0..count {
            account.make_dir(&place(&format!("home/{number}")), 0o755)?;
        }
        let all: Vec<usize> = (0..count).collect();
        let awake: Vec<usize> = all.iter().copied().filter(|number| !asleep(*number)).collect();
        let sshds = awake.chunks(SSHD_ADDRESSES).map(|hosts| start(dir, &account, &ports, hosts));
        let sshds = sshds.collect::<Result<_>>()?;
        Ok(Self { dir: dir.to_owned(), account, ports, _sshds: sshds })
    }

    /// Wakes a host that was asleep.
    pub fn wake(&self, number: usize) -> Result<Awake> {
        Ok(Awake { _sshd: start(&self.dir, &self.account, &self.ports, &[number])? })
    }

    /// Where the host with this number is reached, from 0.
    pub fn address(&self, number: usize) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.ports[number])
    }

    /// The home of the user there.
    pub fn home(&self, number: usize) -> PathBuf {
        self.dir.join(format!("home/{number}"))
    }

    /// The user who logs in.
    pub fn user(&self) -> &str {
        &self.account.name
    }

    /// The private key that lets in.
    pub fn client_key(&self) -> PathBuf {
        self.dir.join("client")
    }

    /// The line that pins the key of an address, whoever listens there.
    pub fn pin(&self, address: SocketAddrV4) -> Result<String> {
        let key = keys::public(&self.dir.join("ssh/hostkey.pub"))?;
        Ok(format!("[{}]:{} {key}\n", address.ip(), address.port()))
    }
}

/// Starts an sshd for some of the hosts, and waits until it answers for each.
fn start(dir: &Path, account: &Account, ports: &[u16], hosts: &[usize]) -> Result<Sshd> {
    let name = hosts.first().map_or_else(String::new, ToString::to_string);
    let (file, log) = (dir.join(format!("ssh/config-{name}")), dir.join(format!("ssh/log-{name}")));
    account.write(&file, &config(dir, ports, hosts), 0o644)?;
    let mut command = account.command(program("sshd")?);
    command.arg("-D").arg("-f").arg(file).arg("-E").arg(&log);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let sshd = Sshd(command.spawn().context(|| "could not start sshd".to_owned())?);
    for number in hosts {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, ports[*number]);
        patience::until(LIMIT, "the sshd of the homes answers", || {
            match network::ssh(address, LOOK_LIMIT) {
                Reach::Up => Ok(()),
                reach => Err(format!("{reach:?}: {}", fs::read_to_string(&log).unwrap_or_default())),
            }
        })?;
    }
    Ok(sshd)
}

fn program(name: &str) -> Result<PathBuf> {
    programs::find(name).ok_or_else(|| {
        Error::new(format!("there is no {name}")).next("`cargo lab install --run` installs it")
    })
}

fn make_key(mut keygen: Command, path: &Path) -> Result<()> {
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "homes", "-f"]).arg(path);
    run::expect(keygen, LIMIT, &format!("making the key {}", path.display())).map(|_| ())
}

/// Ports on which nobody listens. They are given back before sshd takes them; who is faster then fails the start.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held: std::io::Result<Vec<_>> = (0..count).map(listen).collect();
    let held = held.context(|| "there are no free ports".to_owned())?;
    let ports: std::io::Result<Vec<u16>> = held.iter().map(|one| Ok(one.local_addr()?.port())).collect();
    ports.context(|| "a port has no number".to_owned())
}

fn config(dir: &Path, ports: &[u16], hosts: &[usize]) -> String {
    let dir = dir.display();
    let mut text = format!(
        "HostKey {dir}/ssh/hostkey
PidFile none
AuthorizedKeysFile {dir}/ssh/authorized_keys
{WITHOUT_ROOT}MaxStartups 200:30:400
# The cheapest of those that are safe: thousands of connections are made.
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
"
    );
    for number in hosts {
        let _ = writeln!(text, "ListenAddress 127.0.0.1:{}", ports[*number]);
    }
    for number in hosts {
        let port = ports[*number];
        let _ = writeln!(
            text,
            "Match LocalPort {port}\n  SetEnv HOME={dir}/home/{number} PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8"
        );
    }
    text
}
