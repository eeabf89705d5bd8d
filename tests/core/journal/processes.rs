//! Real processes on one journal: the second is refused, the killed one leaves a whole chain, the command line shows it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use steadyhand::journal::{Journal, OpenError};
use tempfile::TempDir;

use super::{Folder, a_written_journal};

/// The program itself, over a demo or a real journal.
pub(super) struct Bot {
    home: TempDir,
}

impl Bot {
    /// Over this real journal.
    pub(super) fn over(journal: &Path) -> Self {
        Self::configured(&format!("journal = \"{}\"\n", journal.display()))
    }

    /// A demo with a journal of its own; anna sits at the console.
    fn demo() -> Self {
        Self::configured("journal = \"demo.db\"\n[demo]\nstart_as = \"anna\"\n")
    }

    fn configured(text: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let (settings, sections) =
            text.split_once('[').map_or((text, String::new()), |(first, rest)| (first, format!("[{rest}")));
        let text = format!("runbooks = \"{}\"\n{settings}{sections}", runbooks.display());
        fs::write(home.path().join("steadyhand.toml"), text).unwrap();
        fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { home }
    }

    fn journal(&self) -> PathBuf {
        self.home.path().join("demo.db")
    }

    #[expect(clippy::disallowed_methods, reason = "a second process is what this is about")]
    pub(super) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadyhand"));
        command.arg("--config").arg(self.home.path().join("steadyhand.toml")).args(line);
        command
            .env_remove("STEADYHAND_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn says(&self, line: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let text = [stdout, stderr].concat();
        (status.code().unwrap(), String::from_utf8(text).unwrap())
    }
}

/// Root may write what nobody may: then the command is carried out by somebody else.
#[expect(clippy::disallowed_methods, reason = "the rights of another user are what this is about")]
pub(super) fn as_nobody(command: Command) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return command;
    }
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    other.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    other
}

#[test]
fn a_second_process_on_the_same_journal_is_refused_and_told_which_is_the_first() {
    let bot = Bot::demo();
    let mut first = bot.command(&["console"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = first.stdin.take().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    writeln!(input, "!approve 99 00000000").unwrap();
    // It has answered, so it has opened its journal.
    lines.next().expect("an answer").unwrap();

    let (code, words) = bot.says(&["console"]);
    let inside = Journal::open(&bot.journal(), true).unwrap_err();

    drop(input);
    let ended = first.wait().unwrap();
    assert_eq!(code, 1, "{words}");
    let expected = format!(
        "is in use by process {}: one bot writes a journal. Next: use that one, or end it",
        first.id()
    );
    assert!(words.contains(&expected), "{words}");
    assert!(matches!(inside, OpenError::InUse { .. }), "{inside}");
    assert!(ended.success(), "the first one was not disturbed");
    assert_eq!(bot.says(&["journal", "verify"]).0, 0);
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_a_journal_that_holds() {
    let bot = Bot::demo();
    for round in 1..=6_usize {
        let mut writer = bot.command(&["console"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = writer.stdin.take().unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let feeder = std::thread::spawn(move || {
            // Each of these is refused, and each refusal is recorded. A closed pipe ends it.
            while writeln!(input, "!approve 99 00000000").is_ok() {}
        });
        let answers = lines.map_while(Result::ok).filter(|line| line.contains("There is no run 99"));
        let heard = answers.take(round * 17).count();
        writer.kill().unwrap();
        writer.wait().unwrap();
        feeder.join().unwrap();
        assert_eq!(heard, round * 17, "it was in the middle of writing");

        // The next process opens it, and nothing that was answered is missing.
        let (code, words) = bot.says(&["journal", "verify"]);
        assert_eq!(code, 0, "{words}");
        let journal = Journal::open(&bot.journal(), true).unwrap();
        let denied = journal.view().newest_of_kind("command-denied", u32::MAX).unwrap().len();
        let least: usize = (1..=round).map(|round| round * 17).sum();
        assert!(denied >= least, "{denied} of {least} refusals are recorded");
        assert!(journal.view().verify().unwrap().holds());
    }
}

#[test]
fn the_command_line_verifies_a_journal_and_its_exit_code_tells() {
    let bot = Bot::demo();
    let nothing_yet = bot.says(&["journal", "verify"]);
    assert_eq!(bot.says(&["approve", "99", "00000000"]).0, 3);
    let whole = bot.says(&["journal", "verify"]);
    let raw = rusqlite::Connection::open(bot.journal()).unwrap();
    let edit =
        "update entries set line = replace(line, 'unknown-run', 'unknown-ran') where kind = 'command-denied'";
    assert!(raw.execute(edit, []).unwrap() > 0);
    drop(raw);
    let broken = bot.says(&["journal", "verify"]);

    assert_eq!(nothing_yet.0, 0, "{}", nothing_yet.1);
    assert!(nothing_yet.1.contains("Nothing has run yet"), "{}", nothing_yet.1);
    assert_eq!(whole.0, 0, "{}", whole.1);
    assert_eq!(broken.0, 1, "{}", broken.1);
    assert!(broken.1.contains("it was edited: its hash is another one"), "{}", broken.1);
}

#[test]
fn the_hash_that_is_shown_is_that_of_the_stored_line() {
    let folder = a_written_journal();
    // A demo over the same file, so that anna may look.
    folder.raw().execute("update meta set value = 'true' where key = 'demo'", []).unwrap();
    // The line says the same in other bytes: only what is stored can tell.
    let raw = folder.raw();
    let line: String = raw.query_row("select line from entries where seq = 3", [], |row| row.get(0)).unwrap();
    let spaced = line.replacen(':', ": ", 1);
    raw.execute("update entries set line = ?1 where seq = 3", [&spaced]).unwrap();
    drop(raw);
    let bot =
        Bot::configured(&format!("journal = \"{}\"\n[demo]\nstart_as = \"anna\"\n", folder.path().display()));

    let (code, shown) = bot.says(&["journal", "show", "1", "--json"]);

    assert_eq!(code, 0, "{shown}");
    let hash = |line: &str| steadyhand::journal::entry::leaf(line)[..8].to_owned();
    assert!(shown.contains(&hash(&spaced)), "{shown}");
    assert!(!shown.contains(&hash(&line)), "not that of the line as it should be:\n{shown}");
}

#[test]
fn a_run_that_is_not_there_is_shown_as_such() {
    let bot = Bot::demo();
    bot.says(&["approve", "99", "00000000"]);

    let (code, words) = bot.says(&["journal", "show", "99"]);

    assert_eq!(code, 3, "{words}");
    assert!(words.contains("There is no run 99."), "{words}");
}

#[test]
fn a_lock_that_a_dead_process_left_stops_nobody() {
    let folder = Folder::new();
    fs::write(folder.path().with_extension("db.lock"), "4194305").unwrap();

    folder.open();
}
