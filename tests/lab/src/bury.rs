//! The end of a lab: all its processes, then its directory.
//!
//! Used by `down`, by `Drop`, by a failed `up` and by `gc`. PostgreSQL is asked to stop at once first, so that it gives
//! its shared memory back; whatever is left is killed. Nothing is deleted that does not hold a `lab.json` of ours.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::error::{Context, Result};
use crate::ground::Ground;
use crate::host::Host;
use crate::patience;
use crate::process::Part;
use crate::raise::each;
use crate::run;
use crate::topology::SEATS;
use crate::writer::background;

const LIMIT: Duration = Duration::from_secs(20);
/// An immediate stop takes some 50 ms. After this time SIGKILL does it.
const POLITE: Duration = Duration::from_secs(2);

/// Ends the lab and removes its directory.
pub(crate) fn bury(ground: &Arc<Ground>) -> Result<()> {
    background::end(ground)?;
    stop_hosts(ground)?;
    fs::remove_dir_all(&ground.dir).context(|| format!("could not remove {}", ground.dir.display()))
}

/// Ends all processes of all hosts; their files stay.
pub(crate) fn stop_hosts(ground: &Arc<Ground>) -> Result<()> {
    let hosts: Vec<Host> = SEATS.map(|seat| Host { ground: Arc::clone(ground), seat }).into();
    each(&hosts, stop_host)
}

fn stop_host(host: &Host) -> Result<()> {
    if let Some(postmaster) = host.postmaster() {
        // The immediate stop; a stopped process takes no signal but these, hence CONT.
        postmaster.signal(Signal::QUIT);
        for process in host.processes_of(Part::Database) {
            process.signal(Signal::CONT);
        }
        let _ = patience::until(POLITE, "PostgreSQL stops at once", || {
            if host.processes_of(Part::Database).is_empty() { Ok(()) } else { Err(String::new()) }
        });
    }
    end_all(host, |_| true)?;
    remove_shared_memory(host);
    Ok(())
}

/// Kills the host's processes that are chosen, until none is left.
pub(crate) fn end_all(host: &Host, chosen: impl Fn(Part) -> bool) -> Result<()> {
    patience::until(LIMIT, &format!("the processes of {} end", host.name()), || {
        let left: Vec<_> = host.processes().into_iter().filter(|p| chosen(p.part)).collect();
        for process in &left {
            process.signal(Signal::KILL);
        }
        if left.is_empty() {
            return Ok(());
        }
        Err(left.iter().map(|p| format!("{} {}", p.pid, p.title)).collect::<Vec<_>>().join("\n"))
    })
}

/// A killed server leaves a few bytes of System V shared memory, which PostgreSQL itself would free at its next start.
/// `postmaster.pid` names it in line 7; it is removed only if the kernel knows it under both numbers, used by nobody.
fn remove_shared_memory(host: &Host) {
    let pid_file = fs::read_to_string(host.data_dir().join("postmaster.pid")).unwrap_or_default();
    let mut numbers = pid_file.lines().nth(6).unwrap_or_default().split_ascii_whitespace();
    let (Some(key), Some(id)) = (numbers.next(), numbers.next()) else { return };
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let unused = table.lines().any(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        // key shmid perms size cpid lpid nattch …; the table shows the key signed, PostgreSQL writes it unsigned.
        let same_key = fields.first().and_then(|f| f.parse::<i64>().ok()).map(|k| k & 0xffff_ffff)
            == key.parse::<i64>().ok().map(|k| k & 0xffff_ffff);
        same_key && fields.get(1) == Some(&id) && fields.get(6) == Some(&"0")
    });
    if unused {
        let mut ipcrm = host.ground.account.command("ipcrm");
        ipcrm.args(["-m", id]);
        let _ = run::answer(ipcrm, POLITE);
    }
}
