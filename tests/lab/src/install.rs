//! What must be installed on Debian or Ubuntu, and doing it without a server appearing on the machine.
//!
//! The packages start services and create a PostgreSQL cluster on 5432 unless two files tell them not to. Both are made
//! only for the time of the installation, and only if nobody else has put one there. A system database is never touched.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::account::we_are_root;
use crate::error::{Context, Error, Result};
use crate::programs::{find, newest_postgresql};

/// Asked before a package starts its service; 101 means no.
const POLICY: Guard = Guard { path: "/usr/sbin/policy-rc.d", text: "#!/bin/sh\nexit 101\n", mode: "755" };
/// Read by the first installation of a PostgreSQL version. A file of its own: the one beside it belongs to a package.
const NO_CLUSTER: Guard = Guard {
    path: "/etc/postgresql-common/createcluster.d/steadyhand-lab.conf",
    text: "create_main_cluster = false\n",
    mode: "644",
};

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

    /// The commands that [`Installation::run`] calls, for a shell.
    pub fn commands(&self) -> String {
        let guards: Vec<&Guard> =
            [&POLICY, &NO_CLUSTER].into_iter().filter(|g| !Path::new(g.path).exists()).collect();
        let mut lines: Vec<String> = guards.iter().map(|guard| guard.as_shell()).collect();
        lines.extend(self.steps().iter().map(|step| step.join(" ")));
        lines.extend(guards.iter().map(|guard| format!("rm -f {}", guard.path)));
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
        let _policy = POLICY.put()?;
        let _no_cluster = NO_CLUSTER.put()?;
        for step in self.steps() {
            println!("{}", step.join(" "));
            call(&step)?;
        }
        Ok(())
    }

    fn steps(&self) -> Vec<Vec<&str>> {
        let mut install = vec![
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
        ];
        install.extend(&self.packages);
        let mut steps = vec![vec!["apt-get", "update"], install];
        // The lab starts its own. What was not there before shall not run after the next boot either.
        for (package, service) in [("openssh-server", "ssh"), ("postgresql", "postgresql")] {
            if self.packages.contains(&package) && find("systemctl").is_some() {
                steps.push(vec!["systemctl", "disable", service]);
            }
        }
        steps
    }
}

/// A file that is there for the time of an installation only.
struct Guard {
    path: &'static str,
    text: &'static str,
    mode: &'static str,
}

impl Guard {
    /// Puts it there, unless somebody else has; that one stays untouched, also afterwards.
    fn put(&self) -> Result<Placed<'_>> {
        if Path::new(self.path).exists() {
            println!("{} is there already and is left alone", self.path);
            return Ok(Placed { ours: None });
        }
        let part = std::env::temp_dir().join(format!("steadyhand-lab-install-{}", std::process::id()));
        fs::write(&part, self.text).context(|| format!("could not write {}", part.display()))?;
        let placed = call(&["install", "-D", "-m", self.mode, &part.display().to_string(), self.path]);
        let _ = fs::remove_file(&part);
        placed.map(|()| Placed { ours: Some(self) })
    }

    fn as_shell(&self) -> String {
        format!(
            "printf '{}' | install -D -m {} /dev/stdin {}",
            self.text.replace('\n', "\\n"),
            self.mode,
            self.path
        )
    }
}

/// A guard that goes when the installation is over, however it ended.
struct Placed<'a> {
    ours: Option<&'a Guard>,
}

impl Drop for Placed<'_> {
    fn drop(&mut self) {
        if let Some(guard) = self.ours
            && let Err(e) = call(&["rm", "-f", guard.path])
        {
            eprintln!("{} was made for the installation and is still there: {e}", guard.path);
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
    use super::*;

    #[test]
    fn the_commands_name_what_is_missing_and_only_that() {
        let some = Installation { packages: vec!["openssh-server"] };

        let commands = some.commands();

        assert!(
            commands.contains("apt-get install --yes --no-install-recommends openssh-server\n"),
            "{commands}"
        );
        assert!(!commands.contains("disable postgresql"), "{commands}");
    }

    #[test]
    fn a_guard_as_shell_makes_the_same_file() {
        let path = std::env::temp_dir().join(format!("steadyhand-lab-guard-{}", std::process::id()));
        let command = POLICY.as_shell().replace(POLICY.path, &path.display().to_string());

        let made = Command::new("sh").args(["-c", &command]).status().unwrap();
        let (text, asked) = (fs::read_to_string(&path).unwrap(), Command::new(&path).status().unwrap());
        fs::remove_file(&path).unwrap();

        assert!(made.success());
        assert_eq!((text.as_str(), asked.code()), (POLICY.text, Some(101)));
    }
}
