//! The README's first screen is what really happens. `STEADYHAND_UPDATE=1 cargo test --test stories readme` writes it
//! anew, for a person to read before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use lab::{Lab, Spec};
use regex_lite::Regex;

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
    let lab = Lab::up(Spec::default()).unwrap();
    knows_the_lab(&lab);

    let said = chat::types(&lab, typed).ends_with(DONE);

    if std::env::var_os("STEADYHAND_UPDATE").is_some() {
        fs::write(&path, format!("{before}```text\n{}```{after}", said.text)).unwrap();
        return;
    }
    assert_eq!(steady(shown), steady(&said.text), "README.md shows something else");
}

/// The console of a demo can hurt its hosts: with the program beside the bot.
fn knows_the_lab(lab: &Lab) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_steadyhand")).with_file_name("lab");
    assert!(program.exists(), "{} is not there. Next: cargo build --workspace", program.display());
    let path = lab.bot_dir().join("steadyhand.toml");
    let words = format!("lab = [{:?}, \"--dir\", {:?}]\n", program, lab.dir());
    fs::write(&path, fs::read_to_string(&path).unwrap() + &words).unwrap();
}

/// A transcript without what differs from time to time.
fn steady(text: &str) -> String {
    let rules = [
        (r"\d{4}-\d\d-\d\dT[0-9:+-]+", "TIME"),
        (r"\d\d:\d\d(:\d\d)?( CET| CEST)", "TIME"),
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
