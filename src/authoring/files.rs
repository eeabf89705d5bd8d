//! Reads every file by its first key.

use std::collections::BTreeMap;

use super::SourceFile;
use crate::inventory::{Inventory, read_inventory};
use crate::policy::model::Policy;
use crate::policy::read::read_policy;
use crate::runbook::grammar::fit::fit;
use crate::runbook::grammar::table;
use crate::runbook::model::{Pack, Runbook};
use crate::runbook::read::{read_pack, read_runbook};
use crate::runbook::source::name::{PackName, RunbookName};
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::place::{FileName, Place, Span};
use crate::runbook::source::problem::{Code, Problems};
use crate::runbook::source::yaml::{Entry, Kind, Node, read_yaml};

/// What the files hold.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) runbooks: BTreeMap<RunbookName, Runbook>,
    pub(super) packs: BTreeMap<PackName, Pack>,
    pub(super) inventory: Option<Inventory>,
    pub(super) policy: Option<Policy>,
    /// The file of the policy, readable or not.
    pub(super) policy_file: Option<FileName>,
    /// Files that could not be read: nobody knows what they would have declared.
    pub(super) unread: bool,
    /// How many files are runbooks.
    pub(super) runbook_count: usize,
}

/// Reads all files.
pub(super) fn read_all(sources: &[SourceFile], problems: &mut Problems) -> Files {
    let mut files = Files::default();
    for source in sources {
        let name = &source.name;
        if name.stem() == "policy" {
            files.policy_file = Some(name.clone());
        }
        if let Some(root) = read_yaml(name, &source.text, problems) {
            read_one(name, &root, &mut files, problems);
        } else {
            files.unread = true;
            let broken_runbook = source.text.trim_start().starts_with("runbook:");
            files.runbook_count += usize::from(broken_runbook);
            if source.text.trim().is_empty() && !problems.any_in(name) {
                let place = Place { file: name.clone(), span: Span::on_line(1, 1, 1) };
                problems.add(Code::FileKind, &place, "the file is empty", KINDS_CURE);
            }
        }
    }
    files
}

const KINDS_CURE: &str = "the first key is runbook, pack, inventory or policy";

fn read_one(name: &FileName, root: &Node, files: &mut Files, problems: &mut Problems) {
    let first = match &root.kind {
        Kind::Map(entries) => entries.first(),
        _ => None,
    };
    let Some(first) = first else {
        let place = Place { file: name.clone(), span: root.span };
        let message = format!("the file is {}, not a map", root.describe());
        problems.add(Code::FileKind, &place, message, KINDS_CURE);
        files.unread = true;
        return;
    };
    let place = Place { file: name.clone(), span: first.key_span };
    let Some(shape) = table::FILES.iter().find(|shape| shape.keys[0].name == first.key) else {
        wrong_kind(first, root, &place, problems);
        files.unread = true;
        return;
    };
    fit(name, root, shape, problems);
    match first.key.as_str() {
        "runbook" => {
            files.runbook_count += 1;
            match read_runbook(name, root, problems) {
                Some(runbook) => {
                    stands_in_its_file(name, "runbook", runbook.name.as_str(), &runbook.place, problems);
                    if let Some(twin) = files.runbooks.get(&runbook.name) {
                        let message = format!("`{}` stands in {} too", runbook.name, twin.place.file);
                        problems.add(
                            Code::NameTaken,
                            &runbook.place,
                            message,
                            "give one of them another name",
                        );
                    } else {
                        files.runbooks.insert(runbook.name.clone(), runbook);
                    }
                }
                None => files.unread = true,
            }
        }
        "pack" => match read_pack(name, root, problems) {
            Some(pack) => {
                stands_in_its_file(name, "pack", pack.name.as_str(), &pack.place, problems);
                if let Some(twin) = files.packs.get(&pack.name) {
                    let message = format!("`{}` stands in {} too", pack.name, twin.place.file);
                    problems.add(Code::NameTaken, &pack.place, message, "give one of them another name");
                } else {
                    files.packs.insert(pack.name.clone(), pack);
                }
            }
            None => files.unread = true,
        },
        "inventory" if files.inventory.is_some() => second("inventory", &place, problems),
        "inventory" => files.inventory = Some(read_inventory(name, root, problems)),
        "policy" if files.policy.is_some() => second("policy", &place, problems),
        _ => {
            files.policy_file = Some(name.clone());
            files.policy = Some(read_policy(name, root, problems));
        }
    }
}

fn wrong_kind(first: &Entry, root: &Node, place: &Place, problems: &mut Problems) {
    let kinds = table::FILES.map(|shape| shape.keys[0].name);
    let later = kinds.iter().find(|kind| root.get(kind).is_some());
    let cure = match later {
        Some(kind) => format!("put `{kind}` first: it says what the file is"),
        None if first.key == "notify" => "notify files are not read yet: remove it".to_owned(),
        None => nearest_or_all(&first.key, kinds),
    };
    let message = format!("`{}` does not say what this file is", first.key);
    problems.add(Code::FileKind, place, message, cure);
}

fn second(what: &str, place: &Place, problems: &mut Problems) {
    problems.add(
        Code::NameTaken,
        place,
        format!("a second {what}"),
        format!("there is one {what}; join them"),
    );
}

/// The name of a runbook or pack is that of its file, so that a reviewer finds it.
fn stands_in_its_file(file: &FileName, kind: &str, name: &str, place: &Place, problems: &mut Problems) {
    if file.stem() != name {
        let message = format!("the {kind} `{name}` stands in {file}");
        let or = if RunbookName::new(file.stem()).is_some() {
            format!(", or the {kind} {}", file.stem())
        } else {
            String::new()
        };
        problems.add(Code::FileNameDiffers, place, message, format!("call the file {name}.yaml{or}"));
    }
}
