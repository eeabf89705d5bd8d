//! Every rule for authors, held against all files at once.
//!
//! Text comes in, a [`Set`] comes out, or all the problems that stand in its way, sorted by place. A set is what plans
//! are made of: it exists only whole. A file that could not be read silences complaints about what it would have
//! declared. What needs a process (`sh -n`) or the file system (links that lead outside) is asked by the library.

mod accounts;
mod discord;
mod duties;
mod effects;
mod files;
mod hosts;
mod packs;
mod parameters;
mod runbooks;
mod safety;
mod scope;
mod scripts;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

pub(crate) use parameters::amount;

use crate::duty::{Duty, Notify, Override};
use crate::inventory::Inventory;
use crate::policy::model::Policy;
use crate::runbook::grammar::schema::Names;
use crate::runbook::model::{Pack, ParameterKind, Runbook, Word};
use crate::runbook::source::name::{ClusterName, PackName, RunbookName};
use crate::runbook::source::place::{At, FileName};
use crate::runbook::source::problem::{Code, Problem, Problems};

/// A file as it was found.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its name, as people know it.
    pub name: FileName,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// SHA-256 of its text, in hex.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.text.as_bytes()))
    }
}

/// All that plans are made of: files that fit together without a problem.
#[derive(Debug, Clone)]
pub struct Set {
    /// Runbooks by name.
    pub runbooks: BTreeMap<RunbookName, Runbook>,
    /// Packs by name.
    pub packs: BTreeMap<PackName, Pack>,
    /// Hosts, clusters and services.
    pub inventory: Inventory,
    /// Who may do what; or why there is no policy, which denies all.
    pub policy: Result<Policy, String>,
    /// Who is told, how, and who is on duty; or why that is not known.
    pub notify: Result<Notify, String>,
    /// SHA-256 of each file, by name.
    pub hashes: BTreeMap<FileName, String>,
}

impl Set {
    /// Whether hosts of this cluster are primary or replica: its kind has a topology.
    pub fn knows_roles(&self, cluster: &ClusterName) -> bool {
        let cluster = self.inventory.clusters.get(cluster);
        let pack = cluster.and_then(|cluster| self.packs.get(cluster.kind.value.as_str()));
        pack.is_some_and(|pack| pack.topology.is_some())
    }

    /// What is known of duties, with who stands in.
    pub fn duty<'a>(&'a self, policy: &'a Policy, overrides: &'a [Override]) -> Duty<'a> {
        Duty { policy, notify: self.notify.as_ref().map_err(String::as_str), overrides }
    }

    /// Every name that an editor can complete.
    pub fn names(&self) -> Names {
        let mut names = Names::default();
        names.add("runbook", self.runbooks.keys());
        names.add("host", self.inventory.hosts.keys());
        names.add("service", self.inventory.services.keys());
        // `cluster/name` is the pack of the cluster's kind, whatever the parameter is called.
        let parameters = self.runbooks.values().flat_map(|runbook| &runbook.parameters);
        let clusters = parameters.filter(|parameter| matches!(parameter.kind, ParameterKind::Cluster(_)));
        let mut clusters: BTreeSet<&str> = clusters.map(|parameter| parameter.name.value.as_str()).collect();
        clusters.insert("cluster");
        for pack in self.packs.values() {
            names.add("pack", [&pack.name]);
            for before in clusters.iter().copied().chain([pack.name.as_str()]) {
                let full = |name: &Word| format!("{before}/{}", name.value);
                names.add("probe", pack.probes.iter().map(|probe| full(&probe.name)));
                names.add("action", pack.actions.iter().map(|action| full(&action.name)));
            }
        }
        if let Ok(policy) = &self.policy {
            names.add("role", policy.roles.keys());
            names.add("person", policy.people.keys());
            names.add("window", policy.windows.keys());
            names.add("secret", policy.secrets.keys());
        }
        if let Ok(notify) = &self.notify {
            names.add("path", notify.paths.keys());
            names.add("schedule", notify.schedules.keys());
        }
        names
    }
}

/// What was found in a folder of files.
#[derive(Debug)]
pub struct Checked {
    /// The set, if it can be used. With problems in the policy or in notify.yaml alone it can: that policy
    /// then denies all, and of roles that a schedule holds nobody knows who has them.
    pub set: Option<Set>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// How many runbooks were read, with or without problems.
    pub runbooks: usize,
    /// Whether a file says which hosts there are.
    pub has_inventory: bool,
    /// Every script with its place, to be asked of `sh -n`.
    pub scripts: Vec<At<String>>,
}

/// Reads all files and holds them against every rule.
pub fn check(sources: &[SourceFile]) -> Checked {
    check_those_read(sources, true)
}

/// The same, where some files could not even be opened: what they would have declared is not missed.
pub fn check_those_read(sources: &[SourceFile], are_all: bool) -> Checked {
    let mut problems = Problems::default();
    let mut files = files::read_all(sources, &mut problems);
    files.unread |= !are_all;
    let desk = uses::Desk::new(&files);
    for pack in files.packs.values() {
        packs::check_pack(pack, &mut problems);
    }
    let all: Vec<&Runbook> = files.runbooks.values().collect();
    for found in in_parallel(&all, |runbook| {
        let mut problems = Problems::default();
        runbooks::check_runbook(runbook, &desk, &mut problems);
        problems
    }) {
        problems.join(found);
    }
    if let Some(inventory) = &files.inventory {
        hosts::check_inventory(inventory, &desk, &mut problems);
    }
    if let Some(policy) = &files.policy {
        accounts::check_policy(policy, &desk, &mut problems);
        if policy.doors.discord.is_some() {
            files.runbooks.values().for_each(|runbook| discord::check_runbook(runbook, &mut problems));
        }
    }
    if let Some(notify) = &files.notify {
        duties::check_notify(notify, &files, &desk, &mut problems);
    }
    duties::check_schedules_of_roles(&files, &mut problems);
    let runbooks = files.runbook_count;
    let has_inventory = files.inventory.is_some() || files.unread;
    let scripts = scripts::all_scripts(&files);
    let problems = problems.sorted();
    let in_policy = problems_in(files.policy_file.as_ref(), &problems);
    let in_notify = problems_in(files.notify_file.as_ref(), &problems);
    let only_these = in_policy + in_notify == problems.len();
    let set = files.inventory.filter(|_| only_these).map(|inventory| Set {
        runbooks: files.runbooks,
        packs: files.packs,
        inventory,
        policy: usable("policy.yaml", files.policy, files.policy_file.as_ref(), in_policy),
        notify: usable("notify.yaml", files.notify, files.notify_file.as_ref(), in_notify),
        hashes: sources.iter().map(|source| (source.name.clone(), source.sha256())).collect(),
    });
    Checked { set, problems, runbooks, has_inventory, scripts }
}

fn problems_in(file: Option<&FileName>, problems: &[Problem]) -> usize {
    problems.iter().filter(|problem| Some(&problem.place.file) == file).count()
}

/// A file without which the others can still be looked at; or why it cannot be used.
fn usable<T>(name: &str, read: Option<T>, file: Option<&FileName>, problems: usize) -> Result<T, String> {
    match (read, problems) {
        (Some(read), 0) => Ok(read),
        (None, _) if file.is_none() => Err(format!("there is no {name}")),
        (_, n) => Err(format!("{name} has {n} problem{}", if n == 1 { "" } else { "s" })),
    }
}

/// What `work` gives for each item, in their order. Many items are divided among the processors.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Fewer than this are done before a thread has started.
    const A_SHARE: usize = 16;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(A_SHARE);
    let mut shares = items.chunks(share);
    let first = shares.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<R>>())).collect();
        let mut done: Vec<R> = first.iter().map(work).collect();
        for other in others {
            // A bug in a rule is one here as well.
            done.extend(other.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)));
        }
        done
    })
}

/// A word that refers to nothing, answered with the nearest one.
fn unknown<'a>(
    code: Code,
    word: &crate::runbook::model::Word,
    what: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    problems: &mut Problems,
) {
    let cure = crate::runbook::source::nearest::nearest_or_all(word, known);
    problems.add(code, &word.place, format!("there is no {what} `{}`", word.value), cure);
}
