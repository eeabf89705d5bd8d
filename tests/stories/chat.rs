//! The chat as a person at a pipe has it: lines go in, a transcript comes out, and the exit code tells how it ended.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::Lab;

/// No story takes longer, on a busy machine with two cores either.
const LIMIT: Duration = Duration::from_mins(3);

/// How a session at the console ended.
pub(crate) const DONE: i32 = 0;
/// The world broke: a host, a file, the journal.
pub(crate) const BROKE: i32 = 1;
/// It ended at a line that was not understood.
pub(crate) const NOT_UNDERSTOOD: i32 = 2;
/// It ended at a line that was refused.
pub(crate) const REFUSED: i32 = 3;

/// What was typed and said in one session at the console.
pub(crate) struct Transcript {
    /// What stood on the screen.
    pub(crate) text: String,
    /// What the program said about itself.
    pub(crate) log: String,
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Transcript {
    /// Fails unless the session came out like this.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails unless these words were said. Line ends count as spaces, because words wrap.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.flowing().contains(words), "`{words}` was not said in:\n{self}");
        self
    }

    /// Fails if these words were said.
    #[track_caller]
    pub(crate) fn never_says(self, words: &str) -> Self {
        assert!(!self.flowing().contains(words), "`{words}` was said in:\n{self}");
        self
    }

    fn flowing(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What the last `Next:` says to type.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        let last = self.text.lines().rev().find_map(|line| line.strip_prefix("Next: "));
        let last = last.unwrap_or_else(|| panic!("nothing said `Next:` in:\n{self}"));
        last.split("   ").next().unwrap_or(last).trim().to_owned()
    }
}

impl std::fmt::Display for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}(exit code {:?})", self.text, self.log, self.code)
    }
}

/// Opens the chat on the lab, types the lines, and waits for the end.
#[track_caller]
pub(crate) fn types<'a>(lab: &Lab, lines: impl IntoIterator<Item = &'a str>) -> Transcript {
    types_with(&lab.bot_dir().join("steadyhand.toml"), lines)
}

/// The same with another configuration.
#[track_caller]
pub(crate) fn types_with<'a>(config: &Path, lines: impl IntoIterator<Item = &'a str>) -> Transcript {
    let lines: Vec<_> = lines.into_iter().collect();
    let mut chat = open(config);
    chat.child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    chat.ended()
}

/// One line from a shell: its exit code, and what stands on stdout.
#[expect(clippy::disallowed_methods, reason = "the program is what is tested")]
pub(crate) fn from_a_shell(lab: &Lab, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
    command.arg("--config").arg(lab.bot_dir().join("steadyhand.toml")).args(words);
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// An open chat.
pub(crate) struct Open {
    /// The process.
    pub(crate) child: Child,
    out: PathBuf,
    log: PathBuf,
    temporary: PathBuf,
}

/// Opens the chat; what is said goes to files, so that no pipe can be full.
#[track_caller]
pub(crate) fn open(config: &Path) -> Open {
    open_as(Command::new(env!("CARGO_BIN_EXE_steadyhand")), config)
}

/// The same, with the program in another environment.
#[track_caller]
pub(crate) fn open_as(mut command: Command, config: &Path) -> Open {
    let dir = config.parent().unwrap();
    let number =
        (0..1_000).find(|n| !dir.join(format!("said-{n}")).exists()).expect("few sessions in a story");
    let (out, log) = (dir.join(format!("said-{number}")), dir.join(format!("log-{number}")));
    command.arg("--config").arg(config).stdin(Stdio::piped());
    let temporary = dir.join(format!("t{number}"));
    std::fs::create_dir(&temporary).unwrap();
    command.env("TMPDIR", &temporary);
    command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&log).unwrap());
    Open { child: command.spawn().unwrap(), out, log, temporary }
}

/// Opens the chat on the lab and types the lines; it ends when what they began is at rest.
#[track_caller]
pub(crate) fn begins<'a>(lab: &Lab, lines: impl IntoIterator<Item = &'a str>) -> Open {
    let lines: Vec<_> = lines.into_iter().collect();
    let mut chat = open(&lab.bot_dir().join("steadyhand.toml"));
    chat.child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    chat
}

impl Open {
    /// Waits until these words were said.
    #[track_caller]
    pub(crate) fn comes_to(&mut self, words: &str) {
        let deadline = Instant::now() + LIMIT;
        let flowing = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        while !flowing(self.so_far()).contains(words) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "`{words}` does not come:\n{}",
                self.so_far()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What was said so far.
    pub(crate) fn so_far(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What the program said about itself so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for the end. Whatever the end, nothing is left in the temporary folder.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Transcript {
        let deadline = Instant::now() + LIMIT;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("still open after {LIMIT:?}:\n{}", self.so_far());
            }
            thread::sleep(Duration::from_millis(10));
        };
        let left: Vec<_> = std::fs::read_dir(&self.temporary).unwrap().flatten().map(|e| e.path()).collect();
        assert!(code.is_none() || left.is_empty(), "left behind: {left:?}");
        Transcript { text: self.so_far(), log: std::fs::read_to_string(&self.log).unwrap_or_default(), code }
    }
}
