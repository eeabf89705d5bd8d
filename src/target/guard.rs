//! The guard: what is sent to a host so that a command can be asked about later, and what comes back.
//!
//! A command that changes something is started by it, runs on when the link breaks, and leaves behind whether it
//! started and how it ended. Whoever asks gets a true answer, or hears that there is none: never a guess.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::frame::{NotSendable, is_variable, joined, names, not_too_much, place, puts, quoted};
use crate::secrets::Secret;

/// The guard, joined to one line.
static GUARD: LazyLock<String> = LazyLock::new(|| joined(include_str!("guard.sh")));

/// The fixed command of everything that is said to the guard of a host.
pub fn exec_line() -> String {
    format!("exec env -i HOME=\"$HOME\" PATH=\"$PATH\" LC_ALL=C.UTF-8 /bin/sh -c '{}'", &*GUARD)
}

/// One attempt to do something on a host. Its key is never used for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Journal, run, step and number: letters, digits, `.`, `_` and `-`.
    pub key: String,
    /// The state directory that the host had when it was last seen; none if it was never seen.
    pub root: Option<String>,
    /// What the run holds, with its fencing token: a host that has seen a newer one refuses.
    pub holds: Vec<(String, u64)>,
}

/// What is said to a guard.
#[derive(Debug, Clone, Copy)]
pub enum Say<'a> {
    /// Makes the state directory if there is none, and gives its identity.
    Hello,
    /// Starts a command, and follows it.
    Start(&'a Start<'a>),
    /// Sends what was printed from here on, until the end is known.
    Follow {
        /// So many bytes of standard output are here already.
        out: u64,
        /// So many bytes of standard error.
        err: u64,
    },
    /// If it has not started, it never will; else how it stands.
    Seal,
    /// Ends its processes.
    Stop,
    /// Removes what is kept of attempts that have ended, and folders that steps and their undos shared.
    Sweep {
        /// The keys of attempts up to their last dot. What has not ended, or was sealed, is kept.
        steps: &'a [String],
        /// The folders.
        folders: &'a [String],
    },
}

/// A command that is started.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Variables.
    pub variables: &'a BTreeMap<String, String>,
    /// Secrets: each becomes a file, named in a variable.
    pub secrets: &'a [Secret],
    /// The folder that a step and its undo share.
    pub step_dir: Option<&'a str>,
    /// The host ends it by itself after so many seconds, whether or not anybody is there.
    pub limit_seconds: u64,
}

/// The line that says it. Everything variable is in it.
pub fn line(attempt: &Attempt, say: Say<'_>, nonce: &str) -> Result<String, NotSendable> {
    let mut line = format!(
        "nonce={nonce}; key={}; root={}",
        word(&attempt.key)?,
        match &attempt.root {
            Some(root) => word(root)?,
            None => "-",
        }
    );
    match say {
        Say::Hello => line.push_str("; verb=hello"),
        Say::Seal => line.push_str("; verb=seal"),
        Say::Stop => line.push_str("; verb=stop"),
        Say::Follow { out, err } => {
            let _ = write!(line, "; verb=follow; oat={out}; eat={err}");
        }
        Say::Sweep { steps, folders } => {
            let words = |all: &[String]| {
                Ok(all.iter().map(|one| word(one)).collect::<Result<Vec<_>, _>>()?.join(" "))
            };
            let (steps, folders) = (words(steps)?, words(folders)?);
            let _ = write!(line, "; verb=sweep; folders='{folders}'; set -- {steps}");
        }
        Say::Start(start) => {
            let holds: Result<Vec<String>, _> = attempt
                .holds
                .iter()
                .map(|(hold, token)| Ok(format!("{}={token:016}", word(&hold.replace('/', "."))?)))
                .collect();
            let _ = write!(line, "; verb=start; limit={}; holds='{}'", start.limit_seconds, holds?.join(" "));
            if let Some(dir) = start.step_dir {
                let _ = write!(line, "; dir={}", quoted(dir)?);
            }
            if start.argv.first().is_none_or(String::is_empty) {
                return Err(NotSendable::Empty);
            }
            line.push_str("; set --");
            for argument in start.argv {
                let _ = write!(line, " {}", quoted(argument)?);
            }
            line.push_str("; fe() { :");
            for (name, value) in start.variables {
                if !is_variable(name) {
                    return Err(NotSendable::Name(name.clone()));
                }
                let _ = write!(line, "; export {name}={}", quoted(value)?);
            }
            line.push_str("; }");
            if !start.secrets.is_empty() {
                let _ = write!(line, "; place={}; secrets='{}'", place(nonce), names(start.secrets)?);
                let _ = write!(line, "; fs() {{ :{}; }}", puts("put", start.secrets)?);
            }
        }
    }
    let _ = writeln!(line, "; ok={nonce}");
    not_too_much(line)
}

/// A word of ours, which no shell takes for more.
fn word(text: &str) -> Result<&str, NotSendable> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || !text.chars().all(plain) {
        return Err(NotSendable::Name(text.to_owned()));
    }
    Ok(text)
}

/// How an attempt stands, as its host knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has not started, and never will.
    Never,
    /// Nothing is there, or it is just being made. Only sealing makes that final.
    NotYet,
    /// It runs. If its keeper is gone, its end will not be known.
    Running,
    /// It has ended, and that is being recorded.
    Ending,
    /// It ended.
    Finished(Finished),
    /// It started, and nobody knows how it ended: what watched over it was killed, or the host was started anew.
    Lost {
        /// Whether the host was started anew: then it surely runs no more.
        rebooted: bool,
    },
    /// Its marker cannot be read.
    Torn,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit status.
    pub status: i32,
    /// All that it printed, in bytes; none if something still holds the streams.
    pub printed: Option<(u64, u64)>,
    /// It was ended: `asked` or `timeout`.
    pub stopped: Option<String>,
    /// Others of its processes live on.
    pub left: bool,
}

impl Verdict {
    /// Reads a verdict; none if it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(match words.next()? {
            "never" => Self::Never,
            "absent" | "preparing" => Self::NotYet,
            "running" => Self::Running,
            "ending" => Self::Ending,
            "torn" => Self::Torn,
            "lost" => Self::Lost { rebooted: words.next()? == "reboot" },
            "finished" => {
                let fields: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
                let bytes = |name| fields.get(name)?.trim_end_matches("+lost").parse().ok();
                Self::Finished(Finished {
                    status: fields.get("rc")?.parse().ok()?,
                    printed: bytes("out").zip(bytes("err")),
                    stopped: fields.get("stop").filter(|why| **why != "-").map(ToString::to_string),
                    left: *fields.get("left")? == "yes",
                })
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the shell here stands for the one on a host")]
mod tests {
    use std::io::Write as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::super::blocks::{Blocks, Heard};
    use super::*;

    #[test]
    fn the_guard_is_one_line_that_every_login_shell_passes_on() {
        assert!(!GUARD.contains(['\'', '\\', '\n']), "{}", &*GUARD);
        assert_eq!(
            GUARD.matches('!').count(),
            GUARD.matches("! ").count(),
            "csh expands ! before anything else"
        );
        assert!(GUARD.len() < 16_000);
    }

    fn attempt(key: &str) -> Attempt {
        Attempt { key: key.to_owned(), root: None, holds: Vec::new() }
    }

    /// Says one thing to a guard of the shell here, as a host would hear it.
    fn says(shell: &[&str], home: &Path, attempt: &Attempt, say: Say<'_>) -> Vec<Heard> {
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .args(["-c", &GUARD])
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin");
        let mut command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = command.stdin.take().unwrap();
        stdin.write_all(line(attempt, say, "n1").unwrap().as_bytes()).unwrap();
        let output = command.wait_with_output().unwrap();
        drop(stdin);
        Blocks::new("n1").take(&output.stdout)
    }

    fn start<'a>(argv: &'a [String], variables: &'a BTreeMap<String, String>) -> Start<'a> {
        Start { argv, variables, secrets: &[], step_dir: Some("s"), limit_seconds: 60 }
    }

    fn verdict(heard: &[Heard]) -> Option<&Verdict> {
        heard.iter().find_map(|heard| match heard {
            Heard::Verdict(verdict) => Some(verdict),
            _ => None,
        })
    }

    #[test]
    fn a_command_runs_once_in_every_shell_that_a_host_may_have() {
        let script = "echo ran >>$HOME/ran; test -d \"$step_dir\" && printf %s \"$key\"; exit 7";
        let argv = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        // A name that the guard uses itself, and a value that no shell may read.
        let variables = BTreeMap::from([("key".to_owned(), "a'b\nc$(d)".to_owned())]);
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let home = tempfile::tempdir().unwrap();
            let one = attempt("1.1");

            let first = says(shell, home.path(), &one, Say::Start(&start(&argv, &variables)));
            let again = says(shell, home.path(), &one, Say::Start(&start(&argv, &variables)));
            let sealed = says(shell, home.path(), &one, Say::Seal);

            let printed = |heard: &Heard| matches!(heard, Heard::Printed(_, bytes) if bytes == b"a'b\nc$(d)");
            assert!(first.iter().any(printed), "{shell:?}: {first:?}");
            for heard in [&first, &again, &sealed] {
                let finished = verdict(heard);
                assert!(
                    matches!(finished, Some(Verdict::Finished(end)) if end.status == 7),
                    "{shell:?}: {heard:?}"
                );
            }
            assert_eq!(std::fs::read_to_string(home.path().join("ran")).unwrap(), "ran\n", "{shell:?}");
        }
    }

    /// As sshd does: the login shell is given the whole line, and its profile prints something.
    #[test]
    fn every_login_shell_hands_over_to_the_guard_whatever_its_profile_prints() {
        let argv = ["printf".to_owned(), "%s".to_owned(), "it's \\ \"$x\" !!\n`y`".to_owned()];
        let variables = BTreeMap::new();
        for login in [&["dash"][..], &["bash"], &["busybox", "sh"], &["mksh"], &["zsh"], &["fish"], &["tcsh"]]
        {
            let home = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(home.path().join(".config/fish")).unwrap();
            for profile in [".bashrc", ".zshenv", ".tcshrc", ".config/fish/config.fish"] {
                std::fs::write(home.path().join(profile), "echo Welcome; echo SH1 n1 never\n").unwrap();
            }
            let mut shell = Command::new(login[0]);
            shell.args(&login[1..]).args(["-c", &exec_line()]).env_clear();
            shell.env("HOME", home.path()).env("PATH", "/usr/bin:/bin").env("SSH_CLIENT", "127.0.0.1 1 2");
            let spawned = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
            let mut shell = spawned
                .unwrap_or_else(|error| panic!("{login:?} is not installed: {error}. Next: make test"));
            let mut stdin = shell.stdin.take().unwrap();
            let start = line(&attempt("5.1"), Say::Start(&start(&argv, &variables)), "n2").unwrap();
            stdin.write_all(start.as_bytes()).unwrap();
            let output = shell.wait_with_output().unwrap();
            drop(stdin);

            let heard = Blocks::new("n2").take(&output.stdout);

            let printed =
                |heard: &Heard| matches!(heard, Heard::Printed(_, bytes) if bytes == argv[2].as_bytes());
            assert!(
                heard.iter().any(printed),
                "{login:?}: {heard:?} {}",
                String::from_utf8_lossy(&output.stdout)
            );
            assert!(
                matches!(verdict(&heard), Some(Verdict::Finished(end)) if end.status == 0),
                "{login:?}: {heard:?}"
            );
        }
    }

    #[test]
    fn what_is_over_is_swept_and_what_is_sealed_or_runs_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let variables = BTreeMap::new();
        let run = |key: &str, argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
            says(&["sh"], home.path(), &attempt(key), Say::Start(&start(&argv, &variables)))
        };
        run("1-1.1", &["true"]);
        run("1-1.u1", &["false"]);
        run("1-10.1", &["true"]);
        says(&["sh"], home.path(), &attempt("1-1.2"), Say::Seal);
        let steps = ["1-1".to_owned(), "1-7".to_owned()];

        let folders = ["s".to_owned()];
        says(&["sh"], home.path(), &attempt("-"), Say::Sweep { steps: &steps, folders: &folders });

        let names = |folder: &str| {
            let entries = std::fs::read_dir(home.path().join(".steadyhand").join(folder)).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names("a"), ["1-1.2", "1-10.1"]);
        assert!(names("steps").is_empty());
    }

    #[test]
    fn what_was_sealed_never_starts() {
        let home = tempfile::tempdir().unwrap();
        let argv = ["touch".to_owned(), home.path().join("ran").display().to_string()];
        let variables = BTreeMap::new();
        let one = attempt("2.1");

        let sealed = says(&["sh"], home.path(), &one, Say::Seal);
        let late = says(&["sh"], home.path(), &one, Say::Start(&start(&argv, &variables)));

        assert_eq!((verdict(&sealed), verdict(&late)), (Some(&Verdict::Never), Some(&Verdict::Never)));
        assert!(!home.path().join("ran").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_told_by_its_cause() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".steadyhand"), "a file").unwrap();
        let (argv, variables) = (["true".to_owned()], BTreeMap::new());

        let heard = says(&["sh"], home.path(), &attempt("3.1"), Say::Start(&start(&argv, &variables)));

        assert_eq!(heard, [Heard::Refused("state-dir".to_owned())]);
    }

    #[test]
    fn another_state_directory_is_another_host() {
        let home = tempfile::tempdir().unwrap();
        let heard = says(&["sh"], home.path(), &attempt("4.1"), Say::Hello);
        assert!(
            matches!(heard.as_slice(), [Heard::Hello(guard), Heard::End] if guard.root.len() == 16 && guard.boot.len() == 36),
            "{heard:?}"
        );

        let elsewhere = Attempt { root: Some("0123456789abcdef".to_owned()), ..attempt("4.1") };
        let heard = says(&["sh"], home.path(), &elsewhere, Say::Seal);

        assert!(
            matches!(heard.as_slice(), [Heard::Refused(why)] if why.starts_with("other-root")),
            "{heard:?}"
        );
    }

    #[test]
    fn a_word_that_is_more_than_a_word_is_refused_here() {
        for key in ["", "a b", "a;b", "a/b", "$(id)", "a\nb"] {
            assert!(line(&attempt(key), Say::Seal, "n1").is_err(), "{key:?}");
        }
    }
}
