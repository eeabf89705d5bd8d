//! The configuration of a host's sshd.
//!
//! An ordinary user's sshd lets in only that user. `SetEnv` replaces even HOME, so that every host has a home of its
//! own although all share one account. Each of the other lines cures a trouble that was met.

use crate::ground::Ground;
use crate::topology::Seat;

/// What every sshd of an ordinary user has: nothing but a key lets anybody in.
pub(crate) const WITHOUT_ROOT: &str = "\
# The folder above may be writable by all, as /tmp is.
StrictModes no
# Without root there is no PAM, and with it a locked account would be refused.
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserRC no
X11Forwarding no
PrintMotd no
UseDNS no
";

/// The whole `sshd_config`.
pub(crate) fn config(ground: &Ground, seat: Seat) -> String {
    let dir = ground.host_dir(seat);
    let dir = dir.display();
    let address = ground.ssh_address(seat);
    let alive = ground
        .spec
        .client_alive_seconds
        .map_or_else(String::new, |seconds| format!("ClientAliveInterval {seconds}\n"));
    format!(
        "Port {port}
ListenAddress {ip}
HostKey {dir}/ssh/hostkey
PidFile {dir}/run/sshd.pid
AuthorizedKeysFile {dir}/ssh/authorized_keys
{WITHOUT_ROOT}LogLevel VERBOSE
MaxStartups 100:30:200
MaxSessions {sessions}
{alive}Subsystem sftp internal-sftp
SetEnv HOME={dir}/home PATH={path} LC_ALL=C.UTF-8
",
        port = address.port(),
        ip = address.ip(),
        sessions = ground.spec.max_sessions,
        path = ground.path_of(seat),
    )
}
