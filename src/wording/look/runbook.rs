//! Runbooks: which there are, and one as a document, made from the file that runs.

use crate::policy::Policy;
use crate::runbook::model::{Effect, Item, ParameterKind, Runbook, Step, StepBody};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::RunbookName;
use crate::runbook::text::{Part, Text};
use crate::wording::page::{Below, Block, Page, Role, Row, Table, cell, plain};
use crate::wording::plan::{NO_WAY_BACK, count};
use crate::wording::refusal::quoted;

/// What a runbook may be for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: RunbookName,
    /// When to reach for it.
    pub use_when: String,
    /// The role that answers for it.
    pub owner: String,
    /// The reader may run it.
    pub may_run: bool,
    /// The reader may approve it.
    pub may_approve: bool,
}

/// A list of runbooks; `hidden` is how many are not shown, `word` what was searched for.
pub fn runbooks(listed: &[Listed], hidden: usize, word: Option<&str>) -> Page {
    let searched = word.is_some_and(|word| word != "all");
    let others = if searched { "" } else { ", which you may neither run nor approve" };
    let others = format!("{hidden} more{others}");
    if listed.is_empty() {
        let page = match word.filter(|_| searched) {
            Some(word) => Page::sentence(format!("No runbook has {} in its name or its use.", quoted(word))),
            None if hidden == 0 => Page::sentence("There is no runbook yet."),
            None => Page::sentence("There is no runbook that you may run or approve."),
        };
        return if hidden > 0 { page.next("runbooks all", count(hidden, "runbook")) } else { page };
    }
    let rows = listed.iter().map(|runbook| {
        let you = match (runbook.may_run, runbook.may_approve) {
            (true, true) => "run, approve",
            (true, false) => "run",
            (false, true) => "approve",
            (false, false) => "–",
        };
        Row {
            cells: vec![
                plain(runbook.name.to_string()),
                plain(visible(&runbook.use_when)),
                plain(you),
                plain(runbook.owner.clone()),
            ],
            below: Vec::new(),
        }
    });
    let heads = ["RUNBOOK", "USE WHEN", "YOU", "OWNER"].map(str::to_owned).to_vec();
    let page = Page::new().with(Block::Table(Table { heads, wide: vec![3], rows: rows.collect() }));
    if hidden > 0 {
        page.next("runbooks all", others)
    } else {
        page.next(format!("show {}", listed[0].name), String::new())
    }
}

/// One runbook as a document, made from the file that runs.
pub fn show(runbook: &Runbook, commit: Option<&str>, policy: Option<&Policy>) -> Page {
    let commit = commit.map(|commit| format!(" @ {commit}")).unwrap_or_default();
    let words = |words: &[crate::runbook::model::Word]| {
        words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(", ")
    };
    let owner = runbook.owner.value.clone();
    let people = policy.map(|policy| policy.holders(std::slice::from_ref(&owner))).unwrap_or_default();
    let people: Vec<_> = people.iter().map(ToString::to_string).collect();
    let people = if people.is_empty() { String::new() } else { format!(": {}", people.join(", ")) };
    let approve = match &runbook.access.approve {
        Some(approve) => {
            let by = words(&approve.by).replace(", ", " or ");
            format!("approve: {} of {by}, never the one who runs it", approve.count)
        }
        None => "approve: nobody else".to_owned(),
    };
    let mut fields = vec![
        ("Use when", visible(&runbook.use_when)),
        ("Owner", format!("{owner}{people} · rehearse every {}", runbook.rehearse)),
        ("Who", format!("run: {} · {approve}", words(&runbook.access.start))),
    ];
    if !runbook.tell.is_empty() {
        let tells: Vec<_> = runbook
            .tell
            .iter()
            .map(|tell| format!("{} ({} in {})", tell.who.value, tell.until.value, tell.within))
            .collect();
        fields.push(("Tells", format!("{}.", tells.join(", "))));
    }
    fields.push(("Takes", takes(runbook)));
    let after: usize = runbook.all_steps().map(|(step, _)| step.verify.len()).sum();
    let doors: usize = runbook.all_steps().map(|(step, _)| step.require.len()).sum();
    fields.push((
        "Checks",
        format!("{} before the plan, {doors} at doors, {after} after steps", runbook.preflight.len()),
    ));
    if let Some(contingency) = &runbook.contingency {
        fields.push(("Way out", contingency.value.clone()));
    }
    let values: Vec<_> =
        runbook.parameters.iter().map(|parameter| format!("{}=…", parameter.name.value)).collect();
    Page::new()
        .text(format!("{}    {}{commit}", readable(&runbook.title), runbook.name))
        .fields(fields)
        .with(Block::Table(document(runbook)))
        .next(format!("run {} {} reason=\"…\"", runbook.name, values.join(" ")), String::new())
}

fn takes(runbook: &Runbook) -> String {
    let parameters = runbook.parameters.iter().map(|parameter| {
        let name = &parameter.name.value;
        let kind = match &parameter.kind {
            ParameterKind::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| word.value.as_str()).collect();
                return format!("{name}={}", words.join("|"));
            }
            ParameterKind::Host(Some(list)) => format!(" (one of {})", list.source),
            ParameterKind::Cluster(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.value.as_str()).collect();
                format!(" (of kind {})", kinds.join(" or "))
            }
            _ => String::new(),
        };
        let default =
            parameter.default.as_ref().map(|default| format!(" [{}]", default.value)).unwrap_or_default();
        format!("{name}{kind}{default}")
    });
    parameters.chain(["reason".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// The steps of the file, with what is left out under which condition.
fn document(runbook: &Runbook) -> Table {
    let mut rows: Vec<Row> = Vec::new();
    let mut past = false;
    let mut number = 0;
    for item in &runbook.items {
        let (inner, each) = match item {
            Item::Each(each) => (each.items.as_slice(), Some(each)),
            other => (std::slice::from_ref(other), None),
        };
        for item in inner {
            number += 1;
            let irreversible =
                matches!(item, Item::Step(Step { effect: Some(at), .. }) if at.value == Effect::Irreversible);
            if irreversible && !past {
                past = true;
                if let Some(last) = rows.last_mut() {
                    last.below.push(Below::Rule(NO_WAY_BACK.to_owned()));
                }
            }
            let mut row = document_row(number, item);
            if let Some(each) = each {
                row.below.insert(
                    0,
                    Below::Text(format!("for each {} of {}", each.variable.value, each.of.source)),
                );
            }
            if let Some(when) = item.when() {
                row.below.push(Below::Text(format!("only when {}", when.source)));
            }
            rows.push(row);
        }
    }
    Table { rows, ..Table::default() }
}

fn document_row(number: usize, item: &Item) -> Row {
    let (title, place, effect, role) = match item {
        Item::Step(step) => {
            let effect = step.effect.as_ref().map_or(Effect::Irreversible, |at| at.value);
            let (word, role) = match effect {
                Effect::Irreversible => ("IRREVERSIBLE", Role::Danger),
                other => (other.as_str(), Role::Plain),
            };
            (readable(&step.title), format!("on {}", step.host.source), word.to_owned(), role)
        }
        Item::Wait(wait) => {
            (readable(&wait.title), String::new(), format!("waits at most {}", wait.at_most), Role::Quiet)
        }
        Item::Decide(decide) => {
            let asked: Vec<_> = decide.ask.iter().map(|word| word.value.as_str()).collect();
            (readable(&decide.question), String::new(), format!("asks {}", asked.join(", ")), Role::Attention)
        }
        Item::Each(_) => (String::new(), String::new(), String::new(), Role::Plain),
    };
    let mut below = Vec::new();
    if let Item::Step(step) = item {
        if let StepBody::Use(action) = &step.body {
            below.push(Below::Text(format!("does {}", action.value)));
        }
        if let Some(why) = &step.why_no_undo {
            below.push(Below::Text(format!("why no undo: {}", visible(why))));
        }
    }
    Row { cells: vec![plain(format!("{number:>3}")), plain(title), plain(place), cell(effect, role)], below }
}

/// A text of a runbook for readers: references stand in angle brackets.
fn readable(text: &Text) -> String {
    let mut out = String::new();
    for part in &text.parts {
        match part {
            Part::Raw(raw) => out.push_str(raw),
            Part::Reference(tree) => {
                let from = tree.offset as usize;
                let path: String = text.source.chars().skip(from).take(tree.length as usize).collect();
                out.push_str(&["<", &path, ">"].concat());
            }
        }
    }
    visible(&out)
}
