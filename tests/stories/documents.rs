//! What the documents say is what happens.
//!
//! `STEADYHAND_UPDATE=1 cargo test --test stories first_screen` writes the README's transcript anew, for a person to
//! read before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiff::tz::TimeZone;
use lab::{Lab, Spec};
use regex_lite::Regex;
use steadyhand::config::{KEYS, variable};
use steadyhand::engine::clock::Clock;
use steadyhand::serve::metrics::{FAMILIES, OF_DISCORD, OF_INCIDENTS, OF_PATHS};
use steadyhand::wording::incident::help::WORDS;

use crate::chat::{self, DONE};

const PEOPLE: [&str; 4] = ["ana> ", "ben> ", "cleo> ", "sue> "];

#[test]
fn the_first_screen_is_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once("```text\n").unwrap();
    let (shown, after) = rest.split_once("```").unwrap();
    let typed = shown.lines().filter_map(|line| PEOPLE.iter().find_map(|prompt| line.strip_prefix(prompt)));
    // What the bot gave to type was new each time.
    let typed: Vec<&str> = typed
        .map(|line| if line.starts_with("confirm ") || line.starts_with("approve ") { "next" } else { line })
        .collect();
    assert!(typed.len() > 5, "{typed:?}");
    // When the primary dies either replica may be ahead; the screen shows the one that is mostly chosen.
    let said =
        (0..5).map(|_| on_a_new_lab(&typed)).find(|said| !said.text.contains("Another replica is further"));
    let said = said.expect("pg2 is not always behind").ends_with(DONE);

    if std::env::var_os("STEADYHAND_UPDATE").is_some() {
        fs::write(&path, format!("{before}```text\n{}```{after}", said.text)).unwrap();
        return;
    }
    let (shown, said) = (steady(shown), steady(&said.text));
    for (shown, said) in shown.lines().zip(said.lines()) {
        assert_eq!(shown, said, "README.md shows the first, and the second was said");
    }
    assert_eq!(shown.lines().count(), said.lines().count());
}

/// On hosts as `make demo` makes them.
fn on_a_new_lab(typed: &[&str]) -> chat::Transcript {
    let lab = Lab::up(Spec::default().synchronous()).unwrap();
    knows_the_lab(&lab);
    lives_far_from_midnight(&lab);
    chat::types(&lab, typed.iter().copied())
}

/// What is said of another day has its date, and the picture has none.
fn lives_far_from_midnight(lab: &Lab) {
    let path = lab.bot_dir().join("steadyhand.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("Europe/Berlin"), "{text}");
    let hour = Clock::System.now().to_zoned(TimeZone::get("Europe/Berlin").unwrap()).hour();
    if !(2..22).contains(&hour) {
        fs::write(&path, text.replace("Europe/Berlin", "Asia/Tokyo")).unwrap();
    }
}

/// `make demo`, or another demo, with a script. The programs are those that are tested: nothing is built or installed. Fails if anything is
/// left behind.
#[track_caller]
fn demo(which: &str, script: &str) -> Output {
    let built = Path::new(env!("CARGO_BIN_EXE_steadyhand")).ancestors().nth(2).unwrap();
    assert!(built.join("debug/lab").exists(), "there is no lab. Next: cargo build --workspace");
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "--old-file=install", "--old-file=build", which]);
    make.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", built);
    make.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut make = make.spawn().unwrap();
    let children = PathBuf::from(format!("/proc/{0}/task/{0}/children", make.id()));
    let shell = loop {
        assert!(make.try_wait().unwrap().is_none(), "it did not begin");
        let pid = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.contains("/demo.sh") {
            break pid;
        }
    };
    make.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();

    let output = make.wait_with_output().unwrap();

    let name = format!("steadyhand-demo-{shell}");
    for folder in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
        assert!(!folder.join(&name).exists(), "{} was left behind", folder.join(&name).display());
    }
    let all = fs::read_dir("/proc").unwrap();
    let processes: Vec<_> = all.filter_map(|entry| belongs_to(&entry.unwrap(), &name)).collect();
    assert!(processes.is_empty(), "left behind: {processes:?}");
    output
}

/// The command line of a process that has something to do with a folder of this name.
fn belongs_to(entry: &fs::DirEntry, mark: &str) -> Option<String> {
    entry.file_name().to_str()?.parse::<u32>().ok()?;
    let read = |name: &str| {
        let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let folder = fs::read_link(entry.path().join("cwd")).unwrap_or_default().display().to_string();
    let line = read("cmdline");
    // One that has ended has none.
    let lives = !line.is_empty() && [&line, &read("environ"), &folder].iter().any(|text| text.contains(mark));
    lives.then_some(line)
}

#[test]
fn the_demo_does_what_a_script_says_and_leaves_nothing() {
    let script = r#"
        lab sql pg1 "show synchronous_standby_names"
        lab write start
        ! as nobody
        run failover-database cluster=orders candidate=pg2 mode=planned reason="to see the demo work"
        next
        as ben
        next
        lab write stop
        journal verify
    "#;

    let output = demo("demo", script);

    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for words in ["ANY 1 (", "ben> ", "Run 1 succeeded", " 0 lost", "unbroken"] {
        assert!(said.contains(words), "`{words}` was not said in:\n{said}");
    }
}

#[test]
fn the_demo_on_discord_plays_to_its_end_by_itself_and_leaves_nothing() {
    let output = demo("demo-discord", "");

    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for words in ["only ana sees", "it rings ben", "[Approve]", "[Go on]", "+ succeeded · run 1", "unbroken"]
    {
        assert!(said.contains(words), "`{words}` was not said in:\n{said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 110 && !line.contains('\\')), "{said}");
}

#[test]
fn a_line_of_a_demo_that_fails_ends_it_and_leaves_nothing() {
    for (line, code) in [("statsu", "Error 2"), ("status nowhere", "Error 3"), ("lab kill pg9", "Error 1")] {
        let output = demo("demo", &format!("status\n{line}\nrunbooks\n"));

        let (said, about) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && about.contains(code), "{line}: {said}{about}");
        assert!(said.contains("Nothing runs.") && !said.contains("ana> runbooks"), "{said}");
    }
}

#[test]
fn the_settings_of_the_handbook_are_all_of_them() {
    let handbook = document("docs/operating.md");
    for key in KEYS {
        let row = format!("| `{key}` | `{}` |", variable(key));
        assert!(handbook.contains(&row), "no {row}");
    }
    // Each variable that the handbook names is one that is read, and the other way round.
    let variables = Regex::new("STEADYHAND_[A-Z_]*[A-Z]").unwrap();
    let names = |text: &str| {
        variables.find_iter(text).map(|name| name.as_str().to_owned()).collect::<BTreeSet<String>>()
    };
    let mut read = names(&document("src/cli/mod.rs"));
    read.extend(KEYS.map(variable));
    read.extend(["STEADYHAND_CONFIG", "STEADYHAND_SECRETS"].map(str::to_owned));
    assert_eq!(names(&handbook), read);
}

#[test]
fn the_figures_of_the_handbook_are_those_that_are_served() {
    let handbook = document("docs/operating.md");
    for families in [&FAMILIES[..], &OF_INCIDENTS, &OF_PATHS, &OF_DISCORD] {
        let row = |(name, kind, help): &(&str, &str, &str)| format!("| `{name}` | {kind} | {help} |\n");
        let rows: String = families.iter().map(row).collect();

        assert!(handbook.contains(&rows), "write them so:\n{rows}");
    }
}

#[test]
fn the_words_of_incidents_in_the_handbook_are_those_of_the_help() {
    let row = |known: &steadyhand::wording::incident::help::Word| {
        format!("| `{}` | {} |\n", format!("incident {} {}", known.word, known.form).trim(), known.about)
    };
    let rows: String = WORDS.iter().map(row).collect();

    assert!(document("docs/operating.md").contains(&rows), "write them so:\n{rows}");
}

#[test]
fn the_links_between_the_documents_lead_to_a_file_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut followed = 0;
    for name in DOCUMENTS {
        let folder = Path::new(name).parent().unwrap();
        for found in link.captures_iter(&prose(name)) {
            let (file, heading) = found[1].split_once('#').unwrap_or((&found[1], ""));
            if file.contains(':') {
                continue;
            }
            let to = if file.is_empty() { PathBuf::from(name) } else { folder.join(file) };
            assert!(root.join(&to).exists(), "{name}: {} is not there", &found[1]);
            if !heading.is_empty() {
                let all = headings(&to.display().to_string());
                assert!(all.contains(heading), "{name}: {} is no heading of {all:?}", &found[1]);
            }
            followed += 1;
        }
    }
    assert!(followed > 40, "{followed}");
}

/// Those that people read.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "ARCHITECTURE.md",
    "docs/operating.md",
    "docs/security.md",
    "docs/writing-runbooks.md",
    "docs/runbook-reference.md",
];

/// A document without what it quotes.
fn prose(name: &str) -> String {
    let mut is_prose = true;
    let text = document(name);
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        is_prose ^= fence;
        is_prose && !fence
    });
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// The headings of a document, as links name them.
fn headings(name: &str) -> BTreeSet<String> {
    let text = prose(name);
    let titles =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: char| c.is_alphanumeric() || " -_".contains(c);
    titles.map(|title| title.to_lowercase().replace(|c| !kept(c), "").replace(' ', "-")).collect()
}

#[test]
fn the_readme_names_the_rust_that_it_needs() {
    let manifest = document("Cargo.toml");
    let (_, needed) = manifest.split_once("rust-version = \"").unwrap();
    let (needed, _) = needed.split_once('"').unwrap();

    assert!(document("README.md").contains(&format!("Rust {needed} or later")), "Rust {needed}");
}

#[test]
fn the_codes_of_the_handbook_are_those_of_the_source() {
    let handbook = document("docs/operating.md");
    let (_, tables) = handbook.split_once("## If something is refused").unwrap();
    let row = Regex::new(r"^\| (`[^|]*`) \| ([0-4])( or [0-4])? \| \S").unwrap();
    let mut told = Vec::new();
    for line in tables.lines().filter(|line| line.starts_with("| `")) {
        let row = row.captures(line).unwrap_or_else(|| panic!("no code, exit and meaning: {line}"));
        told.extend(row[1].split(", ").map(|code| code.trim_matches('`').to_owned()));
    }
    let mut sources = String::new();
    every_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let written =
        Regex::new(r#"(?:\.code\(|NotOffered::new\(|not_planned\(|\bcode: )\s*"([a-z-]+)""#).unwrap();
    let mut said: BTreeSet<String> =
        written.captures_iter(&sources).map(|found| found[1].to_owned()).collect();
    // Those that are listed by kind of refusal.
    let arm = Regex::new(r#"=> "([a-z-]+)","#).unwrap();
    for list in sources.split("pub const fn code(&self) -> &'static str {").skip(1) {
        let (list, _) = list.split_once("\n    }\n").unwrap();
        said.extend(arm.captures_iter(list).map(|found| found[1].to_owned()));
    }
    assert!(said.len() > 60, "{said:?}");
    let unique: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(unique.len(), told.len(), "a code is there twice");
    assert_eq!(unique, said);
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn every_file(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            every_file(&path, all);
        } else {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The console of a demo can hurt its hosts: with the program beside the bot.
fn knows_the_lab(lab: &Lab) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_steadyhand")).with_file_name("lab");
    assert!(program.exists(), "{} is not there. Next: cargo build --workspace", program.display());
    let path = lab.bot_dir().join("steadyhand.toml");
    let [program, dir] = [&program, lab.dir()].map(|path| path.display().to_string());
    let words = format!("lab = [{program:?}, \"--dir\", {dir:?}]\n");
    fs::write(&path, fs::read_to_string(&path).unwrap() + &words).unwrap();
}

/// A transcript without what differs from time to time. Whether anything was at risk does, too.
fn steady(text: &str) -> String {
    let rules = [
        // Words wrap where figures are longer.
        (r"\n {12}(\S)", " $1"),
        (r"Warning:? +At risk:[^\n]*\n( +[^\n]*got them\.\n|has not got them\.\n|[^\n]*got them\.\n)?", ""),
        (r"Facts +[^:]* old:", "Facts of some AGE:"),
        (r"\d{4}-\d\d-\d\dT[0-9:+-]+", "TIME"),
        (r"\d\d:\d\d(:\d\d)?( CET| CEST| JST)", "TIME"),
        (r"\d\d:\d\d:\d\d-TIME", "TIME"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\b(plan|approve 1) [0-9a-f]{8}\b", "$1 DIGEST"),
        (r"orders-[a-z0-9]{6}", "TOKEN"),
        (r"@ [^\n]*", "@ COMMIT"),
        (r"\d+(\.\d+)?( min \d+)? ?(ms|s|min|bytes|KiB|entries)\b", "FIGURE"),
        (r"\d+ rows acknowledged \([^)]*\)", "ROWS"),
        (r"\d+ of unknown fate, \d+", "SOME of unknown fate, SOME"),
        (r"entry \d+", "entry N"),
        (r" +", " "),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, with)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    })
}
