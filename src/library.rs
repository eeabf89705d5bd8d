//! The folder of runbooks, as it lies on disk: a checkout of the reviewed branch.
//!
//! All files are read at once and held against every rule; what comes out is used whole, or not at all. An unchanged
//! folder costs only the reading. Scripts are asked of `sh -n`, links that lead outside are refused, and the commit is
//! named if git knows one.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::authoring::{Checked, Set, SourceFile, check, check_those_read};
use crate::duty::Override;
use crate::plan::canonical_json;
use crate::policy::members::Members;
use crate::runbook::source::name::HostName;
use crate::runbook::source::place::{At, FileName, Place, Span};
use crate::runbook::source::problem::{Code, Problem};
use crate::runbook::source::yaml::MAX_FILE_BYTES;
use crate::target::known_hosts::KnownKeys;

/// Where the files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The folder with `*.yaml` and `packs/*.yaml`.
    pub runbooks: PathBuf,
    /// The inventory; in the folder of runbooks if not said.
    pub inventory: Option<PathBuf>,
    /// The policy, with notify.yaml beside it; in the folder of runbooks if not said.
    pub policy: Option<PathBuf>,
    /// The pinned host keys.
    pub known_hosts: PathBuf,
}

impl Folders {
    /// A folder that holds everything.
    pub fn all_in(folder: impl Into<PathBuf>) -> Self {
        let runbooks = folder.into();
        Self { known_hosts: runbooks.join("known_hosts"), runbooks, inventory: None, policy: None }
    }
}

/// Files that fit together, as they lay on disk at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What plans are made of.
    pub set: Set,
    /// The files themselves.
    pub sources: Vec<SourceFile>,
}

/// What was said of roles, and stands in no file.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Who stands in on a schedule, in the order in which it was said.
    pub overrides: Arc<[Override]>,
    /// Which roles of Discord people have.
    pub members: Arc<Members>,
}

/// Why there is no snapshot.
#[derive(Debug)]
pub enum NotLoaded {
    /// Authors made mistakes.
    Problems(Box<Report>),
    /// The folder cannot be read.
    Unreadable(String),
}

/// Everything that is wrong, with the files to show it.
#[derive(Debug)]
pub struct Report {
    /// By file and place.
    pub problems: Vec<Problem>,
    /// The files.
    pub sources: Vec<SourceFile>,
    /// How many runbooks there are.
    pub runbooks: usize,
    /// Whether a file says which hosts there are.
    pub has_inventory: bool,
}

/// The folder of runbooks, and what was last read from it.
#[derive(Debug)]
pub struct Library {
    folders: Folders,
    last: Mutex<Option<Arc<Snapshot>>>,
    /// What was last read, and the same with who was on duty when it was asked for.
    live: Mutex<Option<(Arc<Snapshot>, Arc<Snapshot>)>>,
}

impl Library {
    /// A library over these folders.
    pub fn new(folders: Folders) -> Self {
        Self { folders, last: Mutex::default(), live: Mutex::default() }
    }

    /// Where the files lie.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Reads the folder as it is now. Who has a role by a schedule or on Discord is not known: that is asked of a moment.
    pub fn load(&self) -> Result<Arc<Snapshot>, NotLoaded> {
        let found = read_files(&self.folders).map_err(NotLoaded::Unreadable)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = &*last
            && found.problems.is_empty()
            && same(&snapshot.sources, &found.sources)
        {
            return Ok(snapshot.clone());
        }
        let (set, report) = judge(found);
        // With problems in the policy or in notify.yaml alone there is a set, whose policy denies what they leave open.
        let Some(set) = set.filter(|_| {
            report.problems.iter().all(|problem| ["policy", "notify"].contains(&problem.place.file.stem()))
        }) else {
            return Err(NotLoaded::Problems(Box::new(report)));
        };
        let snapshot = Arc::new(Snapshot { set, sources: report.sources });
        *last = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Reads the folder as it is now, with who has which role at this moment.
    pub fn load_at(&self, now: Timestamp, said: &Said) -> Result<Arc<Snapshot>, NotLoaded> {
        Ok(self.live(self.load()?, now, said))
    }

    /// What was last read and could be used, with who has which role at this moment.
    pub fn last_at(&self, now: Timestamp, said: &Said) -> Option<Arc<Snapshot>> {
        Some(self.live(self.last()?, now, said))
    }

    /// The same files until the next hand-over, or until Discord says something else.
    fn live(&self, read: Arc<Snapshot>, now: Timestamp, said: &Said) -> Arc<Snapshot> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let known = live.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &read)).map(|(_, known)| known.clone());
        let known = known.unwrap_or_else(|| read.clone());
        let snapshot = known.at(now, said).map_or(known, Arc::new);
        *live = Some((read, snapshot.clone()));
        snapshot
    }

    /// The commit, if git knows one: `5e07c33`, or `5e07c33 and changes` where the files differ from it. It is asked
    /// whenever it is shown: files that did not change may have been committed meanwhile.
    pub fn commit(&self) -> Option<String> {
        commit(&self.folders.runbooks)
    }

    /// What was last read and could be used.
    pub fn last(&self) -> Option<Arc<Snapshot>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The fingerprints of the pinned keys of hosts.
    pub fn pinned_keys(&self, set: &Set) -> BTreeMap<HostName, Vec<String>> {
        let known = KnownKeys::read(&self.folders.known_hosts).unwrap_or_default();
        let keys = |host: &crate::inventory::Host| known.of(&host.address, host.port);
        set.inventory.hosts.iter().map(|(name, host)| (name.clone(), keys(host))).collect()
    }
}

/// Checks a folder and gives everything that is wrong.
pub fn check_folder(folders: &Folders) -> Result<Report, String> {
    Ok(judge(read_files(folders)?).1)
}

fn same(a: &[SourceFile], b: &[SourceFile]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.text == b.text)
}

/// Files, and problems of reading them.
struct Found {
    sources: Vec<SourceFile>,
    problems: Vec<Problem>,
}

fn judge(found: Found) -> (Option<Set>, Report) {
    let Checked { set, mut problems, runbooks, has_inventory, scripts } =
        check_those_read(&found.sources, found.problems.is_empty());
    problems.extend(found.problems);
    problems.extend(shell_problems(&scripts));
    problems.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
    (set, Report { problems, sources: found.sources, runbooks, has_inventory })
}

fn read_files(folders: &Folders) -> Result<Found, String> {
    let mut found = Found { sources: Vec::new(), problems: Vec::new() };
    let folder = &folders.runbooks;
    let root =
        folder.canonicalize().map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    // Who is told stands beside who there is.
    let notify = folders.policy.as_ref().map(|policy| policy.with_file_name("notify.yaml"));
    let apart: Vec<&str> =
        [(&folders.inventory, "inventory.yaml"), (&folders.policy, "policy.yaml"), (&notify, "notify.yaml")]
            .into_iter()
            .filter_map(|(path, name)| path.is_some().then_some(name))
            .collect();
    for (below, is_root) in [(folder.clone(), true), (folder.join("packs"), false)] {
        if !is_root && !below.exists() {
            continue;
        }
        for path in yaml_files(&below)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if is_root && apart.contains(&name.as_str()) {
                continue;
            }
            let wrong = match path.canonicalize() {
                Ok(real) if real.starts_with(&root) => {
                    read_file(&path, &mut found)?;
                    continue;
                }
                Ok(_) => "this link leads out of the folder of runbooks",
                Err(_) => "this link leads nowhere",
            };
            note(&mut found, &path, Code::PathOutside, wrong, "put the file itself into the folder");
        }
    }
    for path in [&folders.inventory, &folders.policy, &notify].into_iter().flatten() {
        if path.exists() {
            read_file(path, &mut found)?;
        }
    }
    found.sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, found: &mut Found) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    if path.extension().is_some_and(|ending| ending == "yml") {
        note(found, path, Code::FileNameDiffers, "files of the language end in .yaml", "rename it");
        return Ok(());
    }
    // A folder has no text, and to read a pipe would wait for ever.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        let cure = "give another ending to what is no file of the language";
        note(found, path, Code::FileKind, "this is no file", cure);
        return Ok(());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than is read, so that a file that is too large shows as one, whatever its size.
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    // Bytes that are no UTF-8 become U+FFFD, which is refused where it stands.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    found.sources.push(SourceFile { name: shown(path), text });
    Ok(())
}

fn shown(path: &Path) -> FileName {
    let text = path.to_string_lossy();
    FileName::new(text.strip_prefix("./").unwrap_or(&text))
}

fn note(found: &mut Found, path: &Path, code: Code, message: &str, cure: &str) {
    let place = Place { file: shown(path), span: Span::on_line(1, 1, 1) };
    found.problems.push(Problem { code, place, message: message.to_owned(), cure: cure.to_owned() });
}

/// Asks `sh -n` of every script. Scripts with the same text are asked once.
fn shell_problems(scripts: &[At<String>]) -> Vec<Problem> {
    let mut texts: BTreeMap<&str, Vec<&At<String>>> = BTreeMap::new();
    for script in scripts {
        texts.entry(&script.value).or_default().push(script);
    }
    let mut problems = Vec::new();
    for (text, places) in texts {
        let Some(said) = shell_says(text) else { continue };
        for script in places {
            // sh counts from the first line of the text, whose place is the place of the script.
            let line: u32 = said
                .split(':')
                .find_map(|part| part.trim().trim_start_matches("line ").parse().ok())
                .unwrap_or(1);
            // What is missing at the end shows behind the last line; the author looks at the last line.
            let last = u32::try_from(text.trim_end().split('\n').count()).unwrap_or(u32::MAX);
            let below = line.clamp(1, last) - 1;
            let span = Span::on_line(script.place.span.line + below, script.place.span.column, 1);
            let what = said.rsplit(": ").next().unwrap_or(&said).trim().to_owned();
            problems.push(Problem {
                code: Code::ScriptSyntax,
                place: Place { file: script.place.file.clone(), span },
                message: format!("sh cannot read this script: {what}"),
                cure: "look at its quotes, `fi`, `done` and `esac`".to_owned(),
            });
        }
    }
    problems
}

/// What `sh -n` says of a script that it cannot read.
#[expect(clippy::disallowed_methods, reason = "the shell alone knows its grammar")]
fn shell_says(text: &str) -> Option<String> {
    let output = Command::new("sh").args(["-n", "-c", text]).stdin(Stdio::null()).output().ok()?;
    (!output.status.success())
        .then(|| String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("").to_owned())
}

/// The commit of a folder, whoever owns it: the service reads a checkout that another user keeps. Hooks are off, and only
/// local facts are asked.
#[expect(clippy::disallowed_methods, reason = "git is asked for one fact")]
fn commit(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "safe.directory=*",
                "-C",
            ])
            .arg(folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let short = git(&["rev-parse", "--short", "HEAD"])?;
    let clean = git(&["status", "--porcelain", "--", "."])?.is_empty();
    Some(if clean { short } else { format!("{short} and changes") })
}

impl Snapshot {
    /// The same files with who has which role at this moment. `None` if that is so already.
    pub fn at(&self, now: Timestamp, said: &Said) -> Option<Self> {
        let policy = self.set.policy.as_ref().ok()?;
        // Discord first: who may stand in on a schedule may be one of its people.
        let by_discord = said.members.policy_at(policy, now);
        let duty = self.set.duty(by_discord.as_ref().unwrap_or(policy), &said.overrides);
        let by_schedule = (!duty.is_policy_of(now)).then(|| duty.policy_at(now));
        let policy = Ok(by_schedule.or(by_discord)?);
        Some(Self { set: Set { policy, ..self.set.clone() }, sources: self.sources.clone() })
    }

    /// What the journal keeps of the files: each text by its SHA-256, and the list of them, whose hash comes first.
    pub fn blobs(&self) -> (String, Vec<(String, String)>) {
        use sha2::{Digest as _, Sha256};
        let names: BTreeMap<String, String> =
            self.sources.iter().map(|source| (source.name.to_string(), source.sha256())).collect();
        let list = canonical_json(&names);
        let hash = hex::encode(Sha256::digest(list.as_bytes()));
        let mut blobs = vec![(hash.clone(), list)];
        blobs.extend(self.sources.iter().map(|source| (source.sha256(), source.text.clone())));
        (hash, blobs)
    }

    /// The files as a journal kept them, read again. A run ends under the files that it began with.
    pub fn from_blobs(list_hash: &str, blob: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let list = blob(list_hash).ok_or("the list of its files is not in the journal")?;
        let names: BTreeMap<String, String> =
            serde_json::from_str(&list).map_err(|error| error.to_string())?;
        let sources = names.into_iter().map(|(name, hash)| {
            let text = blob(&hash).ok_or_else(|| format!("{name} is not in the journal"))?;
            let source = SourceFile { name: FileName::new(name), text };
            if source.sha256() == hash {
                Ok(source)
            } else {
                Err(format!("{} was changed in the journal", source.name))
            }
        });
        let sources = sources.collect::<Result<Vec<_>, String>>()?;
        let set = check(&sources).set.ok_or("its files do not pass the rules of this version")?;
        Ok(Self { set, sources })
    }
}
