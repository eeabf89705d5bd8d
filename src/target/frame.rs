//! What is sent to a host: the runner as one line, and the frame that holds everything variable.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::secrets::Secret;

/// Linux executes nothing with an argument or variable of 128 KiB or more.
pub const MAX_ARGUMENT: usize = 128 * 1024 - 1;
/// All arguments and variables together.
const MAX_FRAME: usize = 900 * 1024;

/// The runner, joined to one line.
static RUNNER: LazyLock<String> = LazyLock::new(|| joined(include_str!("runner.sh")));

/// A script of ours without its comments, as one line: a login shell passes it on as it is.
pub(super) fn joined(script: &str) -> String {
    script.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ")
}

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
    /// Secrets: each becomes a file, named in a variable.
    pub secrets: &'a [Secret],
    /// Random, so that nobody else can speak for the runner.
    pub nonce: &'a str,
}

impl Frame<'_> {
    /// The line.
    pub fn line(&self) -> Result<String, NotSendable> {
        if self.argv.is_empty() || self.argv[0].is_empty() {
            return Err(NotSendable::Empty);
        }
        let mut line = format!("_nonce={}; set --", self.nonce);
        for argument in self.argv {
            let _ = write!(line, " {}", quoted(argument)?);
        }
        line.push_str("; _fe() { :");
        for (name, value) in self.variables {
            if !is_variable(name) {
                return Err(NotSendable::Name(name.clone()));
            }
            // A host takes name and value together for one argument.
            if name.len() + 1 + value.len() > MAX_ARGUMENT {
                return Err(NotSendable::TooLong(name.len() + 1 + value.len()));
            }
            let _ = write!(line, "; export {name}={}", quoted(value)?);
        }
        line.push_str("; }");
        if !self.secrets.is_empty() {
            let _ = write!(line, "; _place={}; _secrets='{}'", place(self.nonce), names(self.secrets)?);
            let _ = write!(line, "; _fs() {{ :{}; }}", puts("_put", self.secrets)?);
        }
        let _ = writeln!(line, "; _ok={}", self.nonce);
        not_too_much(line)
    }
}

/// The name of the folder of the secrets of one execution. It tells nothing of the nonce, which the command may not know.
pub(super) fn place(nonce: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("place {nonce}")));
    format!(".steadyhand-{}", &digest[..32])
}

/// The names of secrets, each of which is one of a variable.
pub(super) fn names(secrets: &[Secret]) -> Result<String, NotSendable> {
    let name = |secret: &Secret| {
        let name = secret.name();
        if is_variable(name) { Ok(name.to_owned()) } else { Err(NotSendable::Name(name.to_owned())) }
    };
    Ok(secrets.iter().map(name).collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// The body of the function that puts them there. What calls `put` is built into the shell: no program gets a value.
pub(super) fn puts(put: &str, secrets: &[Secret]) -> Result<String, NotSendable> {
    let mut body = String::new();
    for secret in secrets {
        let _ = write!(body, "; {put} {} {}", secret.name(), quoted(secret.expose())?);
    }
    Ok(body)
}

/// The line, unless it is longer than what is sent.
pub(super) fn not_too_much(line: String) -> Result<String, NotSendable> {
    if line.len() > MAX_FRAME { Err(NotSendable::TooMuch(line.len())) } else { Ok(line) }
}

/// Names that we set are lower-case, and none of them steers a program. The runner's own begin with `_`, and so no
/// variable can change what it does.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A value in single quotes, on one line: exactly its bytes, whatever they are.
pub(super) fn quoted(value: &str) -> Result<String, NotSendable> {
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
            '\n' => out.push_str("'\"$_nl\"'"),
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
        let frame = Frame { argv: &all, variables, secrets: &[], nonce: "abc123" };
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

    const WORDS: &[&str] = &[
        "s",
        "nl",
        "nonce",
        "ok",
        "dir",
        "end",
        "frame",
        "fe",
        "say",
        "c",
        "g",
        "k",
        "l",
        "n",
        "w",
        "rc",
        "own",
        "folder",
        "member",
        "lives",
        "wait",
        "if",
        "for",
        "do",
        "exec",
        "export",
        "exit",
        "echo",
        "test",
        "setsid",
        "kill",
        "read",
        "stop",
        "path",
        "ifs",
        "ld_preload",
    ];

    /// Names that stood in the runner once or stand in it now, words of the shell, and any other legal one.
    fn a_name() -> impl Strategy<Value = String> {
        prop_oneof![prop::sample::select(WORDS).prop_map(str::to_owned), "[a-z][a-z0-9_]{0,8}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn every_variable_arrives_whatever_it_is_called(
            variables in prop::collection::btree_map(a_name(), prop_oneof![Just("false -- x\ny".to_owned()), "[^\0]{0,12}"], 1..8),
        ) {
            let argv = ["env".to_owned(), "-0".to_owned()];
            let frame = Frame { argv: &argv, variables: &variables, secrets: &[], nonce: "abc123" };

            let printed = run(&frame);

            let arrived: BTreeMap<_, _> =
                printed.split('\0').filter_map(|line| line.split_once('=')).collect();
            for (name, value) in &variables {
                prop_assert_eq!(arrived.get(name.as_str()), Some(&value.as_str()), "{}", name);
            }
        }
    }

    #[test]
    fn no_name_of_the_runner_can_be_one_of_a_variable() {
        let frame =
            Frame { argv: &["true".to_owned()], variables: &BTreeMap::new(), secrets: &[], nonce: "n" };
        let all = format!("{} {}", &*RUNNER, frame.line().unwrap());
        let names = |pattern: &str| {
            let pattern = regex_lite::Regex::new(pattern).unwrap();
            pattern.captures_iter(&all).map(|found| found[1].to_owned()).collect::<Vec<_>>()
        };
        let all_of_them = [
            names(r"(?:^|[ ;(])([A-Za-z_][A-Za-z0-9_]*)="),
            names(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)"),
            names(r"read -r ([a-z_]+)"),
            names(r"([a-z_]+)\(\)"),
        ]
        .concat();

        assert!(all_of_them.len() > 50, "{all_of_them:?}");
        for name in all_of_them.iter().filter(|name| *name != "IFS") {
            assert!(!is_variable(name), "a variable could be called `{name}`");
        }
    }

    /// A shell as hosts have it, with these programs and no others.
    fn host_with(programs: &[&str]) -> (tempfile::TempDir, Command) {
        let home = tempfile::tempdir().unwrap();
        for program in programs {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            std::os::unix::fs::symlink(found.trim(), home.path().join(program)).unwrap();
        }
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &exec_line()]).env("HOME", home.path()).env("PATH", home.path());
        (home, shell)
    }

    #[test]
    fn where_children_cannot_be_ended_nobody_says_that_they_were() {
        // Without setsid there is no process group, and what the command started cannot be found.
        let with_setsid = (&["env", "cat", "grep", "sleep", "setsid"][..], "ended=143");
        let without = (&["env", "sleep"][..], "left=143");
        // A stop may come before the group is there.
        for (programs, said) in std::iter::repeat_n(with_setsid, 30).chain([without]) {
            let (_home, mut shell) = host_with(programs);
            let argv = ["sleep".to_owned(), "60".to_owned()];
            let frame = Frame { argv: &argv, variables: &BTreeMap::new(), secrets: &[], nonce: "n" };
            let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut stdin = shell.stdin.take().unwrap();
            stdin.write_all(format!("{}stop\n", frame.line().unwrap()).as_bytes()).unwrap();

            let output = shell.wait_with_output().unwrap();

            let out = String::from_utf8(output.stdout).unwrap();
            assert_eq!(out, format!("\nSH1 n started\n\nSH1 n {said}\n"));
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
            Frame { argv: &argv, variables: &variables, secrets: &[], nonce: "a" }.line()
        };

        assert_eq!(line("a\0b", "x"), Err(NotSendable::Nul));
        assert_eq!(line(&"x".repeat(128 * 1024), "x"), Err(NotSendable::TooLong(128 * 1024)));
        let long = BTreeMap::from([("x".to_owned(), "x".repeat(MAX_ARGUMENT - 1))]);
        let argv = ["env".to_owned()];
        let frame = Frame { argv: &argv, variables: &long, secrets: &[], nonce: "a" };
        assert_eq!(frame.line(), Err(NotSendable::TooLong(128 * 1024)));
        assert_eq!(line("a", "LD_PRELOAD"), Err(NotSendable::Name("LD_PRELOAD".into())));
        assert!(line(&"x".repeat(MAX_ARGUMENT), "x").is_ok());
    }

    #[test]
    fn only_three_variables_of_the_login_reach_a_command() {
        let argv = ["env".to_owned()];
        let variables = BTreeMap::from([("x".to_owned(), "1".to_owned())]);
        let frame = Frame { argv: &argv, variables: &variables, secrets: &[], nonce: "n" };

        let printed = run(&frame);
        let mut names: Vec<_> =
            printed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.sort_unstable();

        let shells_own = ["PWD", "OLDPWD", "SHLVL", "_"];
        names.retain(|name| !shells_own.contains(name));
        assert_eq!(names, ["HOME", "LC_ALL", "PATH", "x"]);
    }
}
