//! Reads every file by its first key.

use std::collections::BTreeMap;

use super::{SourceFile, in_parallel};
use crate::duty::Notify;
use crate::duty::read::read_notify;
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
    pub(super) notify: Option<Notify>,
    /// The file that says who is told, readable or not.
    pub(super) notify_file: Option<FileName>,
    /// Files that could not be read: nobody knows what they would have declared.
    pub(super) unread: bool,
    /// How many files are runbooks.
    pub(super) runbook_count: usize,
}

/// What one file holds.
enum Part {
    Runbook(Option<Box<Runbook>>),
    Pack(Option<Box<Pack>>),
    Inventory(Inventory, Place),
    Policy(Box<Policy>, Place),
    Notify(Box<Notify>, Place),
    /// Nobody knows what it would have declared.
    Unread {
        runbook: bool,
    },
}

/// Reads all files, side by side.
pub(super) fn read_all(sources: &[SourceFile], problems: &mut Problems) -> Files {
    let parts = in_parallel(sources, |source| {
        let mut problems = Problems::default();
        (read_one(source, &mut problems), problems)
    });
    let mut files = Files::default();
    for (source, (part, found)) in sources.iter().zip(parts) {
        problems.join(found);
        match source.name.stem() {
            "policy" => files.policy_file = Some(source.name.clone()),
            "notify" => files.notify_file = Some(source.name.clone()),
            _ => {}
        }
        take(part, &source.name, &mut files, problems);
    }
    files
}

const KINDS_CURE: &str = "the first key is runbook, pack, inventory, policy or notify";

fn read_one(source: &SourceFile, problems: &mut Problems) -> Part {
    let name = &source.name;
    let Some(root) = read_yaml(name, &source.text, problems) else {
        if source.text.trim().is_empty() && problems.count() == 0 {
            let place = Place { file: name.clone(), span: Span::on_line(1, 1, 1) };
            problems.add(Code::FileKind, &place, "the file is empty", KINDS_CURE);
        }
        return Part::Unread { runbook: source.text.trim_start().starts_with("runbook:") };
    };
    let first = match &root.kind {
        Kind::Map(entries) => entries.first(),
        _ => None,
    };
    let Some(first) = first else {
        let place = Place { file: name.clone(), span: root.span };
        let message = format!("the file is {}, not a map", root.describe());
        problems.add(Code::FileKind, &place, message, KINDS_CURE);
        return Part::Unread { runbook: false };
    };
    let place = Place { file: name.clone(), span: first.key_span };
    let Some(shape) = table::FILES.iter().find(|shape| shape.keys[0].name == first.key) else {
        wrong_kind(first, &root, &place, problems);
        return Part::Unread { runbook: false };
    };
    fit(name, &root, shape, problems);
    match first.key.as_str() {
        "runbook" => Part::Runbook(read_runbook(name, &root, problems).map(Box::new)),
        "pack" => Part::Pack(read_pack(name, &root, problems).map(Box::new)),
        "inventory" => Part::Inventory(read_inventory(name, &root, problems), place),
        "notify" => Part::Notify(Box::new(read_notify(name, &root, problems)), place),
        _ => Part::Policy(Box::new(read_policy(name, &root, problems)), place),
    }
}

/// Puts a part beside the others.
fn take(part: Part, file: &FileName, files: &mut Files, problems: &mut Problems) {
    match part {
        Part::Runbook(Some(runbook)) => {
            files.runbook_count += 1;
            let (name, place) = (&runbook.name, &runbook.place);
            let twin = files.runbooks.get(name).map(|twin| &twin.place);
            if is_alone(file, "runbook", name.as_str(), place, twin, problems) {
                files.runbooks.insert(name.clone(), *runbook);
            }
        }
        Part::Pack(Some(pack)) => {
            let (name, place) = (&pack.name, &pack.place);
            let twin = files.packs.get(name).map(|twin| &twin.place);
            if is_alone(file, "pack", name.as_str(), place, twin, problems) {
                files.packs.insert(name.clone(), *pack);
            }
        }
        Part::Inventory(_, place) if files.inventory.is_some() => second("inventory", &place, problems),
        Part::Inventory(inventory, _) => files.inventory = Some(inventory),
        Part::Policy(_, place) if files.policy.is_some() => second("policy", &place, problems),
        Part::Policy(policy, _) => {
            files.policy_file = Some(file.clone());
            files.policy = Some(*policy);
        }
        Part::Notify(_, place) if files.notify.is_some() => second("notify file", &place, problems),
        Part::Notify(notify, _) => {
            files.notify_file = Some(file.clone());
            files.notify = Some(*notify);
        }
        Part::Runbook(None) => {
            files.runbook_count += 1;
            files.unread = true;
        }
        Part::Pack(None) => files.unread = true,
        Part::Unread { runbook } => {
            files.runbook_count += usize::from(runbook);
            files.unread = true;
        }
    }
}

/// Whether this is the only one of its name. That it stands in a file of its name is said on the way.
fn is_alone(
    file: &FileName,
    kind: &str,
    name: &str,
    place: &Place,
    twin: Option<&Place>,
    problems: &mut Problems,
) -> bool {
    stands_in_its_file(file, kind, name, place, problems);
    if let Some(twin) = twin {
        let message = format!("`{name}` stands in {} too", twin.file);
        problems.add(Code::NameTaken, place, message, "give one of them another name");
    }
    twin.is_none()
}

fn wrong_kind(first: &Entry, root: &Node, place: &Place, problems: &mut Problems) {
    let kinds = table::FILES.map(|shape| shape.keys[0].name);
    let later = kinds.iter().find(|kind| root.get(kind).is_some());
    let cure = match later {
        Some(kind) => format!("put `{kind}` first: it says what the file is"),
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
