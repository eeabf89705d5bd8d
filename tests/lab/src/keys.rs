//! The keys: one for the client, one for each host.
//!
//! Made by ssh-keygen, all at once. The client's key belongs to the caller, the hosts' keys to the ordinary user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::{Context, Result};
use crate::ground::Ground;
use crate::host::Host;
use crate::run;

const LIMIT: Duration = Duration::from_secs(20);

/// The client's key, with which the bot logs in.
pub(crate) fn make_client(ground: &Ground) -> Result<()> {
    let dir = ground.dir.join("keys");
    fs::create_dir_all(&dir).context(|| format!("could not create {}", dir.display()))?;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))
        .context(|| format!("could not open {} to the hosts", dir.display()))?;
    let mut keygen = Command::new(&ground.programs.ssh_keygen);
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "steadyhand-lab", "-f"]).arg(ground.client_key());
    run::expect(keygen, LIMIT, "making the client's key").map(|_| ())
}

/// A host's key, in the place of the one before.
pub(crate) fn make_host(host: &Host) -> Result<()> {
    let path = host.dir().join("ssh/hostkey");
    for old in [path.clone(), path.with_extension("pub")] {
        if old.exists() {
            fs::remove_file(&old).context(|| format!("could not remove {}", old.display()))?;
        }
    }
    let mut keygen = host.command(&host.ground.programs.ssh_keygen);
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", host.name(), "-f"]).arg(&path);
    run::expect(keygen, LIMIT, &format!("making the key of {}", host.name())).map(|_| ())
}

/// The first two words of a public key: kind and key, as `known_hosts` wants them.
pub(crate) fn public(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).context(|| format!("could not read {}", path.display()))?;
    Ok(text.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" "))
}
