//! What must be installed on Debian or Ubuntu, and doing it without a server appearing on the machine.
//!
//! The packages start services and create a PostgreSQL cluster on 5432 unless two files tell them not to. Both are made
//! only for the time of the installation, and only if nobody else has put one there. A system database is never touched.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::account::we_are_root;
use crate::error::{Error, Result};
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
        ("haproxy", find("haproxy").is_some()),
        ("socat", find("socat").is_some()),
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

    /// What [`Installation::run`] does, for a shell.
    pub fn commands(&self) -> String {
        let guards = guards();
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
        let failed = || Error::new("the installation did not go through");
        let mut shell = Command::new(if we_are_root() { "sh" } else { "sudo" });
        if !we_are_root() {
            shell.arg("sh");
        }
        let status = shell.arg("-c").arg(self.script(&guards())).status().map_err(|e| {
            let next = if e.kind() == ErrorKind::NotFound { "call it as root" } else { "" };
            failed().because(e).next(next)
        })?;
        if status.success() {
            return Ok(());
        }
        Err(failed().because(status).next("look at what apt-get said"))
    }

    /// One shell does all of it, so that the guards are gone whatever happens to it or to us, Ctrl-C included.
    fn script(&self, guards: &[&Guard]) -> String {
        let remove: Vec<String> = guards.iter().map(|guard| format!("rm -f {}", guard.path)).collect();
        let mut lines = vec!["set -e".to_owned()];
        if !remove.is_empty() {
            lines.push(format!("trap '{}' EXIT", remove.join("; ")));
        }
        for (signal, status) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
            lines.push(format!("trap 'exit {status}' {signal}"));
        }
        lines.extend(guards.iter().map(|guard| guard.as_shell()));
        for step in self.steps().iter().map(|step| step.join(" ")) {
            lines.push(format!("echo '{step}'"));
            lines.push(step);
        }
        lines.join("\n")
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
        for (package, service) in
            [("openssh-server", "ssh"), ("postgresql", "postgresql"), ("haproxy", "haproxy")]
        {
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

/// Those that nobody else has put there; the others stay untouched, also afterwards.
fn guards() -> Vec<&'static Guard> {
    let (ours, others): (Vec<_>, Vec<_>) =
        [&POLICY, &NO_CLUSTER].into_iter().partition(|guard| !Path::new(guard.path).exists());
    for guard in others {
        eprintln!("{} is there already and is left alone", guard.path);
    }
    ours
}

impl Guard {
    fn as_shell(&self) -> String {
        format!(
            "printf '{}' | install -D -m {} /dev/stdin {}",
            self.text.replace('\n', "\\n"),
            self.mode,
            self.path
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::CommandExt as _;
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_is_left_of_the_guards_when_the_installation_is_cut_short() {
        let folder = std::env::temp_dir().join(format!("steadyhand-lab-install-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let apt = folder.join("apt-get");
        fs::write(&apt, "#!/bin/sh\n[ \"$1\" = update ] || exec sleep 60\n").unwrap();
        Command::new("chmod").arg("755").arg(&apt).status().unwrap();
        let path: &'static str = folder.join("guard").display().to_string().leak();
        let guard = Guard { path, ..POLICY };
        let script = Installation { packages: vec!["procps"] }.script(&[&guard]);
        let programs = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());

        for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            // Whoever calls this may ignore them.
            let mut shell = Command::new("env");
            shell.args(["--default-signal", "sh", "-c", &script]).env("PATH", &programs).process_group(0);
            let mut shell = shell.stdout(std::process::Stdio::null()).spawn().unwrap();
            while !Path::new(guard.path).exists() {
                sleep(Duration::from_millis(5));
            }
            sleep(Duration::from_millis(100));
            // As the terminal does with Ctrl-C: to everybody in the group.
            let group = format!("-{}", shell.id());
            Command::new("kill").args(["-s", signal, "--", &group]).status().unwrap();

            assert_eq!(shell.wait().unwrap().code(), Some(status), "{signal}");
            assert!(!Path::new(guard.path).exists(), "{signal}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

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
