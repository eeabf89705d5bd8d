//! For authors: `check` and `schema`. Neither needs a journal, a host or a person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::arguments::CheckFormat;
use super::{Failed, say, sentence};
use crate::chat::console::render::Style;
use crate::chat::desk::CameOut;
use crate::config::Config;
use crate::library::{Folders, Report, check_folder};
use crate::runbook::grammar::schema;
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
    let mut reports: BTreeMap<PathBuf, (Report, Option<Vec<String>>)> = BTreeMap::new();
    if paths.is_empty() {
        let report = check_folder(&config.folders)?;
        reports.insert(config.folders.runbooks.clone(), (report, None));
    }
    for path in paths {
        let (folder, file) = if path.is_dir() { (path.clone(), None) } else { (folder_of(path), Some(path)) };
        let entry = match reports.entry(folder.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                if file.is_some_and(|file| !file.exists()) {
                    return Err(format!("{} is not there", path.display()).into());
                }
                entry.insert((check_folder(&Folders::all_in(folder))?, file.map(|_| Vec::new())))
            }
        };
        if let (Some(file), Some(files)) = (file, &mut entry.1) {
            files.push(shown(file));
        }
    }
    let took = began.elapsed().as_millis();
    let mut sources = Sources::default();
    let mut problems: Vec<Problem> = Vec::new();
    let (mut runbooks, mut files) = (0, 0);
    for (report, only) in reports.into_values() {
        let wanted = |problem: &Problem| {
            only.as_ref().is_none_or(|only| only.iter().any(|file| file == problem.place.file.as_str()))
        };
        problems.extend(report.problems.into_iter().filter(wanted));
        runbooks += report.runbooks;
        files += report.sources.len();
        sources.0.extend(report.sources.into_iter().map(|source| (source.name.to_string(), source.text)));
    }
    match format {
        CheckFormat::Text => say(&style.page(&words::problems(&problems, &sources, runbooks, files, took))),
        CheckFormat::Json => {
            let value = serde_json::json!({ "problems": problems, "runbooks": runbooks, "files": files });
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

/// The folder of runbooks that a file is in: its own, or the one above `packs`.
fn folder_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent.file_name().is_some_and(|name| name == "packs") {
        parent.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    } else {
        parent.to_owned()
    }
}

fn shown(file: &Path) -> String {
    let text = file.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
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
        let page =
            sentence("There is a schema for runbook, pack, inventory and policy.").code("unknown-kind");
        say(&Style::PIPE.page(&page));
        CameOut::NotUnderstood
    }
}
