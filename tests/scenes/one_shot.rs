//! The program itself, one line at a time, as a shell uses it: words on stdout, and an exit code. No host is needed.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use steadyhand::chat::desk::{CameOut, Desk};

use crate::stage::{PLANNED, Scene, opened};

/// A folder with the cast, and a configuration for it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cast = root.join("tests/scenes/orders");
        let text = format!(
            "runbooks = \"{}\"\ninventory = \"{}\"\npolicy = \"{}\"\nknown_hosts = \"{}\"\ntime_zone = \"Europe/Berlin\"\n{configuration}",
            root.join("runbooks").display(),
            cast.join("inventory.yaml").display(),
            cast.join("policy.yaml").display(),
            cast.join("known_hosts").display(),
        );
        std::fs::write(folder.path().join("steadyhand.toml"), text).unwrap();
        Self { folder }
    }

    fn demo() -> Self {
        Self::new("[demo]\nstart_as = \"ana\"\n")
    }

    #[expect(clippy::disallowed_methods, reason = "the program is what is tested")]
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.here(Command::new(env!("CARGO_BIN_EXE_steadyhand")));
        command.args(words);
        command
    }

    /// The same on a terminal.
    #[expect(clippy::disallowed_methods, reason = "a terminal is made by a program")]
    fn command_on_a_terminal(&self, words: &str) -> Command {
        let mut command = self.here(Command::new("script"));
        command.args(["-qec", &format!("'{}' {words}", env!("CARGO_BIN_EXE_steadyhand")), "/dev/null"]);
        command
    }

    fn here(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["STEADYHAND_CONFIG", "STEADYHAND_JOURNAL", "STEADYHAND_RUNBOOKS", "STEADYHAND_FLAT"] {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR").env("TERM", "xterm");
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// The same for a script on its input.
    fn says_to(&self, script: &[u8]) -> (i32, String) {
        use std::io::Write as _;

        let mut command = self.command(&[]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // It may end before it has read all.
        let _ = child.stdin.take().unwrap().write_all(script);
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// The exit code, and what stands on stdout.
    fn says(&self, words: &[&str]) -> (i32, String) {
        let output = self.run(words);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn looking_exits_with_0() {
    let place = Place::demo();

    for (words, part) in [
        (&["help"][..], "LOOK, changes nothing"),
        (&["help", "approve"], "approve <run> <plan>"),
        (&["runbooks"], "failover-database"),
        (&["runbooks", "all"], "rebuild-data-server"),
        (&["show", "failover-database"], "-- no way back below this line --"),
        (&["status"], "Nothing runs."),
        (&["status", "orders"], "cluster/orders is free."),
        (&["who", "owns", "pg2"], "data-platform: ben, cleo"),
        (&["--help"], "Exit codes: 0 done"),
        (&["run", "--help"], "run <runbook> name=value"),
        (&["run", "failover-database", "-h"], "run <runbook> name=value"),
        (&["status", "--help"], "status [run|incident|cluster|host]"),
        (&["approve", "1", "--help"], "approve <run> <plan>"),
        (&["journal", "verify"], "Nothing has run yet: there is no journal"),
        (&["help", "check"], "steadyhand check --help"),
        (&["--version"], "steadyhand 0.1.0"),
    ] {
        let (code, out) = place.says(words);
        assert_eq!(code, 0, "{words:?}: {out}");
        assert!(out.contains(part), "{words:?}: {out}");
        assert!(!out.contains('\u{1b}'), "{words:?} is coloured on a pipe");
    }
    assert!(!place.folder.path().join("steadyhand.db").exists(), "looking made a journal");
}

#[test]
fn whoever_can_read_the_journal_can_prove_it_and_nothing_else() {
    let place = Place::new("");
    drop(opened(&place.folder.path().join("steadyhand.db")));

    let (looked, refusal) = place.says(&["status"]);
    let (proved, says) = place.says(&["journal", "verify"]);

    assert_eq!((looked, proved), (3, 0), "{refusal}\n{says}");
    assert!(refusal.contains("no-role"), "{refusal}");
    assert!(says.contains("0 entries, unbroken"), "{says}");
}

#[test]
fn the_help_of_the_program_lists_every_verb() {
    let place = Place::demo();

    let (_, out) = place.says(&["--help"]);

    for verb in steadyhand::wording::look::VERBS {
        assert!(out.lines().any(|line| line.trim_start().starts_with(verb.word)), "{}: {out}", verb.word);
    }
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
    assert!(!place.folder.path().join("steadyhand.db").exists());
}

#[test]
fn what_is_not_understood_exits_with_2() {
    let place = Place::demo();

    for (words, part) in [
        (&["frobnicate"][..], "code: unknown-word"),
        (&["statsu"], "Nearest: `status`"),
        (&["statsu", "--help"], "Nearest: `status`"),
        (&["help", "statsu"], "Nearest: `status`"),
        (&["plan", "failover-databse"], "Nearest: `failover-database`"),
        (
            &["plan", "failover-database", "cluster=ordres", "candidate=pg9", "mode=ded"],
            "code: bad-parameters",
        ),
        (&["plan", "failover-database", "orders"], "`orders` is no name=value"),
        (&["show"], "it wants the name of a runbook"),
        (&["status", "1", "2"], "`2` is too much"),
        (&["approve", "x", "y"], "`x` is no number of a run"),
    ] {
        let (code, out) = place.says(words);
        assert_eq!(code, 2, "{words:?}: {out}");
        assert!(out.contains(part), "{words:?}: {out}");
    }
    let output = place.run(&["--no-such-option"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!output.stderr.is_empty());
}

#[test]
fn what_is_refused_exits_with_3() {
    let place = Place::demo();

    for (words, part) in [
        (&["status", "ordres"][..], "code: unknown-target"),
        (&["who", "owns", "pg9"], "code: unknown-host"),
        (&["proof", "1"], "code: not-yet"),
        (&["as", "ben"], "code: demo-only"),
        (&["--as", "sue", "run", "failover-database"], "code: no-role"),
        (&["journal", "show", "1"], "There is no run 1."),
        (&["output", "1", "2"], "There is no run 1."),
        (&["status", "1"], "There is no run 1."),
        (&["stop", "7"], "code: unknown-run"),
    ] {
        let (code, out) = place.says(words);
        assert_eq!(code, 3, "{words:?}: {out}");
        assert!(out.contains(part), "{words:?}: {out}");
    }
}

#[test]
fn nobody_is_somebody_else_outside_of_a_demo() {
    let place = Place::new("");

    let output = place.run(&["--as", "ben", "status"]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--as works in a demo only") && said.contains("Next: "), "{said}");
}

#[test]
fn a_login_that_belongs_to_nobody_sees_nothing() {
    let place = Place::new("");

    for words in [&["runbooks"][..], &["status"], &["show", "failover-database"], &["stop", "1"]] {
        let (code, out) = place.says(words);
        assert_eq!(code, 3, "{out}");
        assert!(out.contains("code: no-role") && !out.contains("failover-database"), "{out}");
    }
}

#[test]
fn who_somebody_is_stands_in_the_passwd_database_and_nowhere_else() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new("");
    let id = place.folder.path().join("id");
    std::fs::write(&id, "#!/bin/sh\necho ana\n").unwrap();
    std::fs::set_permissions(&id, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.folder.path().display());
    let says = || {
        let mut command = place.command(&["runbooks"]);
        command.env("PATH", &path);
        for name in ["USER", "LOGNAME", "USERNAME", "SUDO_USER"] {
            command.env(name, "ana");
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };

    let (code, out) = says();
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("code: no-role"), "{out}");

    // The same login, and now it is the one that belongs to ana.
    let own = std::fs::metadata("/proc/self").unwrap();
    let uid = std::os::unix::fs::MetadataExt::uid(&own).to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid));
    let Some(login) = line.and_then(|line| line.split(':').next()) else { return };
    let toml = place.folder.path().join("steadyhand.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let policy = text.lines().find_map(|line| line.strip_prefix("policy = ")).unwrap().trim_matches('"');
    let own =
        std::fs::read_to_string(policy).unwrap().replace("console: ana ", &format!("console: {login} "));
    std::fs::write(place.folder.path().join("policy.yaml"), own).unwrap();
    std::fs::write(&toml, text.replace(policy, "policy.yaml")).unwrap();

    let (code, out) = says();
    assert_eq!(code, 0, "{out}");
}

#[test]
fn a_person_whom_the_policy_does_not_know_cannot_be_played() {
    let place = Place::demo();

    let output = place.run(&["--as", "mallory", "status"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no person `mallory`"));
}

#[test]
fn a_configuration_that_is_not_right_is_said_with_its_place() {
    let place = Place::new("jurnal = \"x.db\"\n");

    let output = place.run(&["status"]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("unknown field `jurnal`") && said.contains("line 6"), "{said}");
}

#[test]
fn json_is_the_same_as_data() {
    let place = Place::demo();

    let (code, out) = place.says(&["--json", "show", "failover-databse"]);

    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, value["came_out"].as_i64()), (2, Some(2)));
    assert_eq!(value["code"], "unknown-runbook");
    assert_eq!(value["next"][0], "show failover-database");
}

#[test]
fn colour_comes_when_it_is_wanted() {
    let place = Place::demo();

    assert!(place.says(&["--color=always", "runbooks"]).1.contains("\u{1b}["));
    assert!(!place.says(&["--color=never", "runbooks"]).1.contains("\u{1b}["));

    // On a terminal there is colour, unless one of these says no.
    let on_a_terminal = |name: &str, value: &str| {
        let mut command = place.command_on_a_terminal("--color=auto runbooks");
        let output = command.env(name, value).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("failover-database"), "{said}");
        said.contains("\u{1b}[")
    };
    assert!(on_a_terminal("TERM", "xterm"));
    assert!(!on_a_terminal("NO_COLOR", "1"));
    assert!(!on_a_terminal("TERM", "dumb"));
}

#[test]
fn flat_is_asked_for_by_option_environment_or_terminal() {
    let place = Place::demo();
    let is_flat =
        |output: Output| String::from_utf8(output.stdout).unwrap().contains("runbook: failover-database");

    assert!(!is_flat(place.run(&["runbooks"])));
    assert!(is_flat(place.run(&["--flat", "runbooks"])));
    assert!(is_flat(place.run(&["runbooks", "--flat"])));
    assert!(is_flat(place.command(&["runbooks"]).env("STEADYHAND_FLAT", "1").output().unwrap()));
    assert!(is_flat(place.command(&["runbooks"]).env("TERM", "dumb").output().unwrap()));
}

#[test]
fn a_locale_without_utf_8_gets_ascii() {
    let place = Place::demo();

    let output = place.command(&["help"]).env("LC_ALL", "C").output().unwrap();

    assert!(output.stdout.is_ascii());
    assert!(!output.stdout.is_empty());
}

#[test]
fn a_line_that_cannot_be_read_ends_a_script_and_says_why() {
    let place = Place::demo();

    let (code, out) = place.says_to(b"status\nstatus \xff\nrunbooks\n");
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("Line 2 is not UTF-8: its byte 8 begins no character"), "{out}");
    assert!(out.contains("Next: ") && out.contains("code: not-utf-8"), "{out}");
    assert!(out.contains("Nothing runs.") && !out.contains("RUNBOOK"), "{out}");

    let long = format!("status\n\nhelp {}\nrunbooks\n", "x".repeat(70_000));
    let (code, out) = place.says_to(long.as_bytes());
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("Line 3 has more than 64 KiB") && out.contains("code: too-long"), "{out}");
    assert!(!out.contains("RUNBOOK"), "{out}");
}

#[test]
fn a_script_on_a_pipe_ends_at_the_first_line_that_fails() {
    let place = Place::demo();
    let says = |script: &str| place.says_to(script.as_bytes());

    let (code, out) = says("# a comment\nstatus\n\n! statsu\nas ben\nrunbooks\n");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("ana> status\n") && out.contains("ben> runbooks\n"), "{out}");

    let (code, out) = says("status\nstatsu\nrunbooks\n");
    assert_eq!(code, 2, "{out}");
    assert!(!out.contains("RUNBOOK"), "it went on: {out}");

    let (code, out) = says("! status\nrunbooks\n");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("expected to be refused, and it was not") && !out.contains("RUNBOOK"), "{out}");

    let (code, out) = says("show failover-database\nexit\nstatsu\n");
    assert_eq!(code, 0, "{out}");
}

#[test]
fn a_run_that_somebody_else_stopped_was_not_carried_out() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.types("ben", &scene.next_command());
    let approved = scene.run(1);
    scene.types("cleo", "stop 1");
    let stopped = scene.run(1);
    scene.after(Duration::from_mins(5));
    let ended = scene.run(1);
    assert!(ended.is_ended() && !approved.is_ended());

    assert_eq!(Desk::came_out(&ended, &stopped), CameOut::Done, "for who said stop");
    assert_eq!(Desk::came_out(&ended, &approved), CameOut::Refused, "for who followed it");
}

#[test]
fn a_journal_with_a_run_that_cannot_be_read_is_said_in_words() {
    let place = Place::demo();
    assert_eq!(place.says(&["stop", "1"]).0, 3);
    let journal = rusqlite::Connection::open(place.folder.path().join("steadyhand.db")).unwrap();
    let (seq, line): (u64, String) = journal
        .query_row("select seq, line from entries order by seq desc limit 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    // A run that is open, and whose only event is none.
    let params = (seq, steadyhand::journal::entry::leaf(&line));
    journal.execute("update entries set run = 1, nth = 1 where seq = ?1 and hash = ?2", params).unwrap();
    journal.execute("insert into runs (id, version, open) values (1, 1, 1)", []).unwrap();
    drop(journal);

    let output = place.run(&["stop", "1"]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("cannot be used") && said.contains("Next: "), "{said}");
    assert!(!said.contains("Journal(") && !said.contains("Entry {"), "{said}");
}

#[test]
fn a_demo_journal_and_a_real_one_never_mix() {
    let place = Place::demo();
    assert_eq!(place.says(&["stop", "1"]).0, 3);
    assert!(place.folder.path().join("steadyhand.db").exists());

    let text = std::fs::read_to_string(place.folder.path().join("steadyhand.toml")).unwrap();
    let real = text.split("[demo]").next().unwrap();
    std::fs::write(place.folder.path().join("steadyhand.toml"), real).unwrap();
    let output = place.run(&["stop", "1"]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is a demo journal, and the configuration is real"), "{said}");
}
