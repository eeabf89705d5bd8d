//! What must be installed on Debian or Ubuntu, and doing it without a server appearing on the machine.
//!
//! The packages start services and create a PostgreSQL cluster on 5432 unless two files tell them not to. Both are made
//! only for the time of the installation, and only if nobody else has put one there. A system database is never touched.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::we_are_root;
use crate::error::{Context, Error, Result};
use crate::programs::{find, newest_postgresql};

/// Asked before a package starts its service; 101 means no.
const POLICY: (&str, &str) = ("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
/// Read by the first installation of a PostgreSQL version. A file of its own: the one above it belongs to a package.
const NO_CLUSTER: (&str, &str) =
    ("/etc/postgresql-common/createcluster.d/steadyhand-lab.conf", "create_main_cluster = false\n");

/// What is missing, as packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    packages: Vec<&'static str>,
}

/// Looks at what is there. Takes milliseconds; calls no package manager.
pub fn installation() -> Installation {
    let needs = [
        ("openssh-client", find("ssh").is_some() && find("ssh-keygen").is_some()),
        ("openssh-server", find("sshd").is_some()),
        ("postgresql", newest_postgresql().is_some()),
        ("procps", find("pgrep").is_some()),
        ("iproute2", find("ss").is_some()),
    ];
    Installation {
        packages: needs.into_iter().filter(|(_, there)| !there).map(|(package, _)| package).collect(),
    }
}

impl Installation {
    /// The packages to install; empty if all is there.
    pub fn packages(&self) -> &[&'static str] {
        &self.packages
    }

    /// The commands that [`Installation::run`] would call, one a line.
    pub fn commands(&self) -> String {
        let lines: Vec<_> = self.steps().iter().map(|step| step.join(" ")).collect();
        lines.join("\n")
    }

    /// Installs the packages with apt, through sudo if the caller is not root.
    pub fn run(&self) -> Result<()> {
        if self.packages.is_empty() {
            return Ok(());
        }
        if find("apt-get").is_none() {
            return Err(Error::new("nothing was installed")
                .because("there is no apt-get here; this knows Debian and Ubuntu only")
                .next(format!("install these with your own package manager: {}", self.packages.join(", "))));
        }
        let _policy = Guarding::put(&POLICY, 0o755)?;
        let _no_cluster = Guarding::put(&NO_CLUSTER, 0o644)?;
        for step in self.steps() {
            println!("{}", step.join(" "));
            call(&step)?;
        }
        Ok(())
    }

    fn steps(&self) -> Vec<Vec<&str>> {
        if self.packages.is_empty() {
            return Vec::new();
        }
        let mut install = vec![
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
        ];
        install.extend(&self.packages);
        vec![vec!["apt-get", "update"], install]
    }
}

/// A file that is there for a time only. What somebody else has put there stays untouched.
struct Guarding {
    ours: Option<PathBuf>,
}

impl Guarding {
    fn put((path, text): &(&str, &str), mode: u32) -> Result<Self> {
        let path = Path::new(path);
        if path.exists() {
            println!("{} is there already and is left alone", path.display());
            return Ok(Self { ours: None });
        }
        let part = std::env::temp_dir().join(format!("steadyhand-lab-install-{}", std::process::id()));
        fs::write(&part, text).context(|| format!("could not write {}", part.display()))?;
        let mode = format!("{mode:o}");
        let (from, to) = (part.display().to_string(), path.display().to_string());
        let placed = call(&["install", "-D", "-m", &mode, &from, &to]);
        let _ = fs::remove_file(&part);
        placed.map(|()| Self { ours: Some(path.to_owned()) })
    }
}

impl Drop for Guarding {
    fn drop(&mut self) {
        if let Some(path) = &self.ours
            && let Err(e) = call(&["rm", "-f", &path.display().to_string()])
        {
            eprintln!("{} was made for the installation and is still there: {e}", path.display());
        }
    }
}

fn call(words: &[&str]) -> Result<()> {
    let mut words = words.to_vec();
    if !we_are_root() {
        words.insert(0, "sudo");
    }
    let status = Command::new(words[0]).args(&words[1..]).status().map_err(|e| {
        let next = if e.kind() == ErrorKind::NotFound { "call it as root" } else { "" };
        Error::new(format!("could not call {}", words[0])).because(e).next(next)
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("`{}` failed", words.join(" "))).because(status))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nothing_missing_means_nothing_to_do() {
        let nothing = Installation { packages: Vec::new() };

        assert_eq!(nothing.commands(), "");
        nothing.run().unwrap();
    }

    #[test]
    fn the_commands_name_what_is_missing() {
        let some = Installation { packages: vec!["openssh-server", "postgresql"] };

        assert_eq!(
            some.commands(),
            "apt-get update\n\
             env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends openssh-server postgresql"
        );
    }

    #[test]
    fn the_policy_is_a_program() {
        let path = std::env::temp_dir().join(format!("steadyhand-lab-policy-{}", std::process::id()));
        fs::write(&path, POLICY.1).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();

        let status = Command::new(&path).status().unwrap();
        fs::remove_file(&path).unwrap();

        assert_eq!(status.code(), Some(101));
    }
}
