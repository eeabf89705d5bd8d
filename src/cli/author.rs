//! For authors: `check` and `schema`. Neither needs a journal, a host or a person.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::arguments::CheckFormat;
use super::{Failed, say, sentence};
use crate::chat::console::render::Style;
use crate::chat::desk::CameOut;
use crate::config::Config;
use crate::library::{Folders, check_folder};
use crate::runbook::grammar::schema;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::problem::Problem;
use crate::wording::check as words;

/// Checks folders, or files in them, and prints every problem.
pub(super) fn check(
    config: &Config,
    paths: &[PathBuf],
    format: CheckFormat,
    style: Style,
) -> Result<CameOut, Failed> {
    #[expect(clippy::disallowed_methods, reason = "the time that a check takes is told to the author")]
    let began = Instant::now();
    let configured = [config.folders.runbooks.clone()];
    let asked = match asked(if paths.is_empty() { &configured } else { paths }) {
        Ok(asked) => asked,
        Err(why) => return Ok(not_understood(&why)),
    };
    let mut sources = Sources::default();
    let mut problems: Vec<Problem> = Vec::new();
    let mut counts = words::Counts::default();
    for Asked { folder, only } in asked.into_values() {
        let folders = folders_of(config, &folder);
        let report = check_folder(&folders)?;
        if report.sources.is_empty() && report.problems.is_empty() {
            return Ok(not_understood(&format!(
                "{} holds no file of the language: they end in .yaml",
                folder.display()
            )));
        }
        let found = report.problems.len();
        let wanted = |problem: &Problem| {
            let name = Path::new(problem.place.file.as_str());
            only.as_ref().is_none_or(|only| file_of(name).is_some_and(|file| only.contains(&file)))
        };
        problems.extend(report.problems.into_iter().filter(wanted));
        counts.elsewhere += found;
        counts.runbooks += report.runbooks;
        counts.files += report.sources.len();
        counts.asked += only.map_or(report.sources.len(), |only| only.len());
        counts.without_inventory |= !report.has_inventory;
        sources.0.extend(report.sources.into_iter().map(|source| (source.name.to_string(), source.text)));
    }
    counts.elsewhere -= problems.len();
    counts.took_ms = began.elapsed().as_millis();
    match format {
        CheckFormat::Text => say(&style.page(&words::problems(&problems, &sources, &counts))),
        CheckFormat::Json => {
            let value = serde_json::json!({
                "problems": problems,
                "elsewhere": counts.elsewhere,
                "runbooks": counts.runbooks,
                "files": counts.files,
            });
            say(&format!("{value}\n"));
        }
        CheckFormat::Github => {
            for problem in &problems {
                say(&format!("{}\n", words::github(problem)));
            }
        }
    }
    Ok(if problems.is_empty() { CameOut::Done } else { CameOut::Refused })
}

/// A folder that is checked.
struct Asked {
    /// As it was named.
    folder: PathBuf,
    /// The files whose problems are shown; all of them if none is named.
    only: Option<BTreeSet<PathBuf>>,
}

/// What was named, each folder once. A folder that is named itself is shown whole, whatever else is named.
fn asked(paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, Asked>, String> {
    let mut asked: BTreeMap<PathBuf, Asked> = BTreeMap::new();
    for path in paths {
        let shown = path.display();
        let (folder, file) = if path.is_dir() {
            (path.clone(), None)
        } else if !path.exists() {
            return Err(format!("{shown} is not there"));
        } else if path.extension().is_none_or(|ending| ending != "yaml" && ending != "yml") {
            return Err(format!("{shown} is no file of the language: they end in .yaml"));
        } else {
            (folder_of(path), Some(file_of(path).ok_or_else(|| format!("{shown} is not there"))?))
        };
        let real =
            folder.canonicalize().map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
        let entry = asked.entry(real).or_insert_with(|| Asked { folder, only: Some(BTreeSet::new()) });
        match (file, &mut entry.only) {
            (Some(file), Some(only)) => {
                only.insert(file);
            }
            (Some(_), None) => {}
            (None, only) => *only = None,
        }
    }
    Ok(asked)
}

/// A file by its real folder, so that `./a.yaml` and `a.yaml` are one. A link in a folder stays that link.
fn file_of(file: &Path) -> Option<PathBuf> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(file.file_name()?))
}

/// The configured folder keeps its inventory and policy, wherever they lie; any other holds all that belongs to it.
fn folders_of(config: &Config, folder: &Path) -> Folders {
    let same = |other: &Path| other.canonicalize().ok() == folder.canonicalize().ok();
    if same(&config.folders.runbooks) {
        Folders { runbooks: folder.to_owned(), ..config.folders.clone() }
    } else {
        Folders::all_in(folder)
    }
}

/// What was asked cannot be done. Said beside the output, which a program may read.
fn not_understood(why: &str) -> CameOut {
    eprintln!("steadyhand: {}", visible(why));
    CameOut::NotUnderstood
}

/// The folder of runbooks that a file is in: its own, or the one above `packs`.
fn folder_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent.file_name().is_some_and(|name| name == "packs") {
        parent.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    } else {
        parent.to_owned()
    }
}

/// Texts of files, to underline places in them.
#[derive(Debug, Default)]
struct Sources(BTreeMap<String, String>);

impl words::Lines for Sources {
    fn line(&self, file: &str, line: u32) -> Option<&str> {
        self.0.get(file)?.split('\n').nth(line as usize - 1)
    }
}

/// Prints the JSON Schema of a kind of file, with the names of the configured folder filled in.
pub(super) fn schema(kind: &str, config: Option<&Path>) -> CameOut {
    let library = Config::load(config, &super::environment)
        .ok()
        .and_then(|config| crate::library::Library::new(config.folders).load().ok());
    let names = library.as_ref().map(|snapshot| snapshot.set.names()).unwrap_or_default();
    if let Some(schema) = schema::schema(kind, &names) {
        say(&format!("{schema:#}\n"));
        CameOut::Done
    } else {
        let page = sentence("There is a schema for runbook, pack, inventory, policy and notify.")
            .code("unknown-kind");
        say(&Style::PIPE.page(&page));
        CameOut::NotUnderstood
    }
}
