//! How a lab comes up.
//!
//! Keys, seed and hosts side by side, as far as they do not need each other: first every host's files, then all boots
//! at once, then a look at each service. A service counts only if it is ours that listens. Replicas may boot before the
//! primary; they ask again until it answers.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::error::{Context, Error, Result};
use crate::ground::Ground;
use crate::host::{Host, USUAL_LIMIT};
use crate::network::{self, Reach};
use crate::patience;
use crate::run;
use crate::seed::{self, Breed};
use crate::spec::{Commit, Spare};
use crate::topology::{Duty, SEATS, Seat, first_primary, members, replicas};
use crate::{balance, bot_files, harm, keys, postgres, sshd};

const BOOT_LIMIT: Duration = Duration::from_secs(90);
const LOOK_LIMIT: Duration = Duration::from_secs(1);
/// A fresh replica streams within a second; a loaded machine is given more.
const STREAM_LIMIT: Duration = Duration::from_mins(1);

/// Makes everything in the lab's directory and starts it. Returns when all of it works.
pub(crate) fn raise(ground: &Arc<Ground>) -> Result<()> {
    fs::create_dir_all(ground.writer_dir()).context(|| "could not create the writer's folder".to_owned())?;
    keys::make_client(ground)?;
    hosts(ground)?;
    bot_files::write(ground)
}

/// Makes the hosts and starts them: the part that `reset` repeats. Keys that exist are kept.
pub(crate) fn hosts(ground: &Arc<Ground>) -> Result<()> {
    ground.account.make_dir(&ground.dir.join("h"), 0o755)?;
    let every: Vec<Host> = SEATS.map(|seat| Host { ground: Arc::clone(ground), seat }).into();
    each(&every, furnish)?;
    each(&every, |host| boot(host, "all"))?;
    each(&every, answers)?;
    streams(ground)?;
    balance::spreads(ground)
}

/// Does the same to all hosts at once; the first error counts.
pub(crate) fn each(hosts: &[Host], act: impl Fn(&Host) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = hosts.iter().map(|host| scope.spawn(|| act(host))).collect();
        let ended: Vec<Result<()>> = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Error::new("a thread of the lab panicked"))))
            .collect();
        ended.into_iter().collect()
    })
}

/// Runs the host's boot script; `what` is one of its words.
pub(crate) fn boot(host: &Host, what: &str) -> Result<()> {
    let mut boot = host.command(&host.dir().join("boot"));
    boot.arg(what);
    run::expect(boot, BOOT_LIMIT, &format!("{} did not come up", host.name())).map(|_| ())
}

/// The services of the host answer, and it is ours that answer.
pub(crate) fn answers(host: &Host) -> Result<()> {
    let ground = &host.ground;
    patience::until(USUAL_LIMIT, &format!("sshd of {} answers", host.name()), || {
        ours(host.listener().map(|p| p.pid), ground.ssh_address(host.seat), network::ssh)
    })?;
    if host.seat.duty == Duty::Balancer {
        balance::answers(host)?;
    }
    if !host.data_dir().exists() {
        return Ok(());
    }
    patience::until(USUAL_LIMIT, &format!("PostgreSQL of {} answers", host.name()), || {
        ours(host.postmaster().map(|p| p.pid), ground.pg_address(host.seat), network::postgres)
    })
}

/// Does this process answer at the address, and not somebody else?
fn ours(
    pid: Option<i32>,
    address: SocketAddrV4,
    ask: fn(SocketAddrV4, Duration) -> Reach,
) -> std::result::Result<(), String> {
    match (ask(address, LOOK_LIMIT), pid) {
        (Reach::Up, Some(pid)) if network::listens(pid, address) => Ok(()),
        (Reach::Up, pid) => Err(format!("somebody answers on {address}, but it is not our process {pid:?}")),
        (reach, _) => Err(format!("{address} is {reach:?}")),
    }
}

/// The primary takes writes, and every replica streams from it.
fn streams(ground: &Arc<Ground>) -> Result<()> {
    let primary = Host { ground: Arc::clone(ground), seat: first_primary() };
    let wanted = replicas().count().to_string();
    let condition = match ground.spec.commit {
        Commit::Local => "state = 'streaming'",
        Commit::Quorum => "state = 'streaming' and sync_state = 'quorum'",
    };
    let query = format!(
        "select current_setting('transaction_read_only'), (select count(*) from pg_stat_replication where {condition})"
    );
    patience::until(STREAM_LIMIT, "the primary is writable and the replicas stream from it", || match primary
        .sql(&query)
    {
        Ok(answer) if answer == format!("off|{wanted}") => Ok(()),
        Ok(answer) => Err(format!("read only | streaming replicas: {answer}")),
        Err(e) => Err(e.to_string()),
    })
}

/// Removes all files of a host but its key, which known hosts pin. Its processes must have ended.
pub(crate) fn forget(host: &Host) -> Result<()> {
    harm::ssh::restore_key(host)?;
    let dir = host.dir();
    for entry in fs::read_dir(&dir).context(|| format!("could not read {}", dir.display()))?.flatten() {
        let path = entry.path();
        let removed = match entry.file_type() {
            _ if entry.file_name() == "ssh" => Ok(()),
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        removed.context(|| format!("could not remove {}", path.display()))?;
    }
    Ok(())
}

/// All files of a host.
fn furnish(host: &Host) -> Result<()> {
    let ground = &host.ground;
    let account = &ground.account;
    let dir = host.dir();
    account.make_dir(&dir, 0o755)?;
    for (name, mode) in
        [("ssh", 0o700), ("run", 0o755), ("log", 0o755), ("tmp", 0o755), ("bin", 0o755), ("home", 0o755)]
    {
        account.make_dir(&dir.join(name), mode)?;
    }
    if !dir.join("ssh/hostkey").exists() {
        keys::make_host(host)?;
    }
    let client = keys::public(&ground.client_key().with_extension("pub"))?;
    account.write(&dir.join("ssh/authorized_keys"), &format!("{client}\n"), 0o600)?;
    account.write(&dir.join("ssh/sshd_config"), &sshd::config(ground, host.seat), 0o644)?;
    account.write(&dir.join("bin/hostname"), &format!("#!/bin/sh\necho {}\n", host.name()), 0o755)?;
    account.write(&dir.join("boot"), include_str!("scripts/boot.sh"), 0o755)?;
    account.write(&dir.join("facts"), &facts(host), 0o644)?;
    account.write(&dir.join("home/.pgpass"), &postgres::pgpass(ground, &postgres::LOGINS), 0o600)?;
    if host.seat.duty == Duty::Power {
        account.write(&dir.join("bin/machine-power"), include_str!("scripts/machine-power.sh"), 0o755)?;
    }
    if host.seat.duty == Duty::Balancer {
        account.write(&dir.join("haproxy.cfg"), &balance::config(ground), 0o644)?;
    }
    if host.seat.may_hold_database() {
        account.write(&dir.join("pg.conf"), &postgres::conf(ground, host.seat), 0o644)?;
        account.write(&dir.join("pg_hba.conf"), postgres::HBA, 0o600)?;
    }
    match breed(ground, host.seat) {
        Some(breed) => seed::plant(host, &seed::ensure(ground, breed)?),
        None => Ok(()),
    }
}

/// Which cluster's data lies on the host from the start.
fn breed(ground: &Ground, seat: Seat) -> Option<Breed> {
    if members().any(|member| member == seat) {
        return Some(Breed::Orders);
    }
    (seat.duty == Duty::Spare && ground.spec.spare == Spare::Foreign).then_some(Breed::Foreign)
}

/// What the boot script must know, as assignments of a shell. Paths are plain (see `check_path`), so need no quoting.
fn facts(host: &Host) -> String {
    let programs = &host.ground.programs;
    let show = |path: &Path| path.display().to_string();
    format!(
        "name={}\nsshd={}\nhaproxy={}\npg_bin={}\npath={}\n",
        host.name(),
        show(&programs.sshd),
        show(&programs.haproxy),
        show(&programs.pg_bin),
        host.ground.path_of(host.seat)
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn somebody_elses_service_is_not_taken_for_ours() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for mut caller in listener.incoming().flatten() {
                caller.write_all(b"SSH-2.0-x").unwrap();
            }
        });
        let me = i32::try_from(std::process::id()).unwrap();

        let of_me = ours(Some(me), address, network::ssh);
        let of_another = ours(Some(1), address, network::ssh).unwrap_err();
        let of_nobody = ours(None, address, network::ssh).unwrap_err();

        assert_eq!(of_me, Ok(()));
        assert!(of_another.contains("it is not our process Some(1)"), "{of_another}");
        assert!(of_nobody.contains("it is not our process None"), "{of_nobody}");
    }
}
