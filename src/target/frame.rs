//! What is sent to a host: the runner as one line, and the frame that holds everything variable.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Linux executes nothing with an argument or variable of 128 KiB or more.
pub const MAX_ARGUMENT: usize = 128 * 1024 - 1;
/// All arguments and variables together.
const MAX_FRAME: usize = 900 * 1024;

/// The runner, joined to one line.
static RUNNER: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("runner.sh").lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join(" ")
});

/// The fixed command of every execution. The environment is emptied, but for three variables of the login.
pub fn exec_line() -> String {
    format!("exec env -i HOME=\"$HOME\" PATH=\"$PATH\" LC_ALL=C.UTF-8 /bin/sh -c '{}'", &*RUNNER)
}

/// Why a command cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSendable {
    /// A NUL byte cannot be part of an argument.
    #[error("an argument holds a NUL byte, which no program can be given")]
    Nul,
    /// An argument is too long.
    #[error("an argument has {0} bytes, and a host executes at most {MAX_ARGUMENT}")]
    TooLong(usize),
    /// All of them together are too long.
    #[error("all arguments together have {0} bytes, and at most {MAX_FRAME} are sent")]
    TooMuch(usize),
    /// A variable with a name that steers programs.
    #[error("`{0}` is no name for a variable")]
    Name(String),
    /// There is no program.
    #[error("there is no program to run")]
    Empty,
}

/// Everything variable of one execution.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Variables.
    pub variables: &'a BTreeMap<String, String>,
    /// The folder that a step and its undo share; none for what only reads.
    pub step_dir: Option<&'a str>,
    /// Whether the command is ended when the caller is gone.
    pub end_with_link: bool,
    /// Random, so that nobody else can speak for the runner.
    pub nonce: &'a str,
}

impl Frame<'_> {
    /// The line.
    pub fn line(&self) -> Result<String, NotSendable> {
        if self.argv.is_empty() || self.argv[0].is_empty() {
            return Err(NotSendable::Empty);
        }
        let mut line = format!("nonce={}; set --", self.nonce);
        for argument in self.argv {
            let _ = write!(line, " {}", quoted(argument)?);
        }
        line.push_str("; fe() { :");
        for (name, value) in self.variables {
            if !is_variable(name) {
                return Err(NotSendable::Name(name.clone()));
            }
            let _ = write!(line, "; export {name}={}", quoted(value)?);
        }
        line.push_str("; }");
        if let Some(dir) = self.step_dir {
            let _ = write!(line, "; dir={}", quoted(dir)?);
        }
        if self.end_with_link {
            line.push_str("; end=y");
        }
        let _ = writeln!(line, "; ok={}", self.nonce);
        if line.len() > MAX_FRAME {
            return Err(NotSendable::TooMuch(line.len()));
        }
        Ok(line)
    }
}

/// Names that we set are lower-case, and none of them steers a program.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A value in single quotes, on one line: exactly its bytes, whatever they are.
fn quoted(value: &str) -> Result<String, NotSendable> {
    if value.contains('\0') {
        return Err(NotSendable::Nul);
    }
    if value.len() > MAX_ARGUMENT {
        return Err(NotSendable::TooLong(value.len()));
    }
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("'\\''"),
            '\n' => out.push_str("'\"$nl\"'"),
            c => out.push(c),
        }
    }
    out.push('\'');
    Ok(out)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the shell here stands for the one on a host")]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_runner_is_one_line_that_every_login_shell_passes_on() {
        assert!(!RUNNER.contains(['\'', '\\', '\n']), "{}", &*RUNNER);
        assert_eq!(
            RUNNER.matches('!').count(),
            RUNNER.matches("! ").count(),
            "csh expands ! before anything else"
        );
        assert!(RUNNER.len() < 4_000);
        let parses = Command::new("sh").args(["-n", "-c", &RUNNER]).status().unwrap();
        assert!(parses.success());
    }

    /// Runs a frame by the shell here, as a host would, and gives what the command printed.
    fn run(frame: &Frame<'_>) -> String {
        let home = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", &exec_line()])
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        stdin.write_all(frame.line().unwrap().as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        drop(stdin);
        let out = String::from_utf8(output.stdout).unwrap();
        let started = format!("\nSH1 {} started\n", frame.nonce);
        let ended = format!("\nSH1 {} exit=0\n", frame.nonce);
        let inner = out.strip_prefix(&started).and_then(|rest| rest.strip_suffix(&ended));
        inner.unwrap_or_else(|| panic!("{out:?} {:?}", String::from_utf8_lossy(&output.stderr))).to_owned()
    }

    fn words(argv: &[String], variables: &BTreeMap<String, String>) -> Vec<String> {
        let script = "for a; do printf '%s\\0' \"$a\"; done; printf '%s\\0' \"${x-unset}\"";
        let mut all = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned(), "sh".to_owned()];
        all.extend(argv.iter().cloned());
        let frame = Frame { argv: &all, variables, step_dir: None, end_with_link: true, nonce: "abc123" };
        run(&frame).split_terminator('\0').map(str::to_owned).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn every_value_arrives_as_exactly_one_argument(argv in prop::collection::vec("[^\0]{0,40}", 0..4), x in "[^\0]{0,40}") {
            let variables = BTreeMap::from([("x".to_owned(), x.clone())]);

            let arrived = words(&argv, &variables);

            let mut expected = argv.clone();
            expected.push(x);
            prop_assert_eq!(arrived, expected);
        }
    }

    #[test]
    fn hostile_values_stay_values() {
        let argv =
            ["$(touch pwned)", "`id`", "a'b\"c", "-rf", "a\nb\n", "*", "~", "", "\\n", "'; exit 9; '", "!!"];
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();

        let mut expected = argv.clone();
        expected.push("unset".to_owned());
        assert_eq!(words(&argv, &BTreeMap::new()), expected);
    }

    #[test]
    fn what_no_host_could_execute_is_refused_here() {
        let line = |argument: &str, name: &str| {
            let argv = ["echo".to_owned(), argument.to_owned()];
            let variables = BTreeMap::from([(name.to_owned(), String::new())]);
            Frame { argv: &argv, variables: &variables, step_dir: None, end_with_link: false, nonce: "a" }
                .line()
        };

        assert_eq!(line("a\0b", "x"), Err(NotSendable::Nul));
        assert_eq!(line(&"x".repeat(128 * 1024), "x"), Err(NotSendable::TooLong(128 * 1024)));
        assert_eq!(line("a", "LD_PRELOAD"), Err(NotSendable::Name("LD_PRELOAD".into())));
        assert!(line(&"x".repeat(MAX_ARGUMENT), "x").is_ok());
    }

    #[test]
    fn only_three_variables_of_the_login_reach_a_command() {
        let argv = ["env".to_owned()];
        let variables = BTreeMap::from([("x".to_owned(), "1".to_owned())]);
        let frame = Frame {
            argv: &argv,
            variables: &variables,
            step_dir: Some("7-1"),
            end_with_link: true,
            nonce: "n",
        };

        let printed = run(&frame);
        let mut names: Vec<_> =
            printed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.sort_unstable();

        let shells_own = ["PWD", "OLDPWD", "SHLVL", "_"];
        names.retain(|name| !shells_own.contains(name));
        assert_eq!(names, ["HOME", "LC_ALL", "PATH", "step_dir", "x"]);
    }
}
