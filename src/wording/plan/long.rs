//! The long form: every argument, check, value and script.

use std::collections::BTreeMap;

use super::counted::count;
use super::seen::seen_row;
use super::steps::{effect, usually};
use super::target;
use crate::plan::model::{Body, Command, Offer, Plan, StepPlan, Undo, Unit, Work};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::HostName;
use crate::wording::moment::Moment;
use crate::wording::page::{Block, Page, Role, Row, Span, Table, cell, plain};

/// Everything: each command on each host, each check as written, each value that was read.
pub fn long(offer: &Offer, moment: &Moment) -> Page {
    let plan = &offer.plan;
    let commit = offer.commit.as_ref().map(|commit| format!(" @ {commit}")).unwrap_or_default();
    let mut page = Page::new()
        .text(format!("PLAN {} · {}{commit} · {}", offer.digest.short(), plan.runbook, target(plan)))
        .fields(vec![
            ("Title", visible(&plan.title)),
            ("Asked by", plan.asked_by.to_string()),
            ("Reason", visible(&plan.reason)),
            ("Digest", offer.digest.to_string()),
            (
                "Measured",
                format!("{} to {}", moment.second(offer.measured.0), moment.second(offer.measured.1)),
            ),
        ]);
    let parameters: Vec<(String, Vec<Span>)> =
        plan.parameters.iter().map(|(name, value)| (name.clone(), plain(visible(&value.human())))).collect();
    page = page.text("PARAMETERS").with(Block::Fields(parameters)).text("PREFLIGHT");
    page = page.with(Block::Table(Table {
        rows: offer.preflight.iter().map(seen_row).collect(),
        ..Table::default()
    }));
    page = page.text("STEPS");
    for (lane, unit) in plan.units() {
        page = page.join(long_unit(offer, lane, unit));
    }
    let asked = plan.checks.iter().filter(|check| check.asked != "preflight").map(|check| {
        let within = check.within.map(|within| format!("   within {within}")).unwrap_or_default();
        let hold_for = check.hold_for.map(|hold_for| format!("   for {hold_for}")).unwrap_or_default();
        let text = format!("{}   else: {}{within}{hold_for}", check.that, check.says);
        (check.asked.clone(), plain(visible(&text)))
    });
    page = page.text("CHECKS, asked again where they stand").with(Block::Fields(asked.collect()));
    if !plan.secrets.is_empty() {
        let secrets = plan.secrets.iter().map(|(name, from)| (name.clone(), plain(visible(from))));
        page = page.text("SECRETS, read when they are sent").with(Block::Fields(secrets.collect()));
    }
    let hosts = plan.hosts.iter().map(|(name, pin)| {
        let keys = if pin.keys.is_empty() { "NO KEY IS PINNED".to_owned() } else { pin.keys.join(" ") };
        (name.to_string(), plain(format!("{}@{}:{}  {keys}", pin.user, pin.address, pin.port)))
    });
    page = page.text("HOSTS").with(Block::Fields(hosts.collect()));
    let files =
        plan.files.iter().map(|(file, hash)| (file.clone(), cell(format!("sha256 {hash}"), Role::Quiet)));
    page.text("FILES").with(Block::Fields(files.collect())).join(scripts(plan))
}

fn long_unit(offer: &Offer, lane: Option<&HostName>, unit: &Unit) -> Page {
    let plan = &offer.plan;
    let (effect, role) = effect(unit);
    let lane = lane.map(|lane| format!(" · {lane}")).unwrap_or_default();
    let title = format!("{:>3}  {}{lane}", unit.number, visible(&unit.title));
    let head = Row { cells: vec![plain(title), cell(effect, role)], below: Vec::new() };
    let mut page = Page::new().with(Block::Table(Table { rows: vec![head], ..Table::default() }));
    let mut fields: Vec<(String, Vec<Span>)> = Vec::new();
    match &unit.work {
        Work::Step(step) => {
            fields.extend(long_step(plan, step));
            let usual = offer.usual(unit.number).map(|usual| usually(&usual));
            fields.extend(usual.map(|usual| ("     time".to_owned(), plain(usual))));
        }
        Work::Wait(_) => {}
        Work::Decide(decide) => {
            fields.push(("     go-on".to_owned(), plain(visible(&decide.go_on))));
            fields.push(("     stop".to_owned(), plain(visible(&decide.stop))));
        }
    }
    page = page.with(Block::Fields(fields));
    page
}

fn long_step(plan: &Plan, step: &StepPlan) -> Vec<(String, Vec<Span>)> {
    let mut fields = Vec::new();
    let mut add = |label: &str, text: String| fields.push((format!("     {label}"), plain(text)));
    let mut command = |label: &str, command: &Command| {
        let action = command.action.as_ref().map(|action| format!("{action}: ")).unwrap_or_default();
        add(
            label,
            format!(
                "on {}, at most {}: {action}{}",
                command.host,
                command.at_most,
                body(plan, &command.body)
            ),
        );
        if let Body::Script { variables, .. } = &command.body {
            let variables: Vec<_> =
                variables.iter().map(|(name, value)| format!("{name}=[{}]", visible(value))).collect();
            add("", variables.join(" "));
        }
        if !command.secrets.is_empty() {
            let files = command.secrets.iter().map(|name| format!("{name} as the file ${name}_file"));
            add("", format!("secrets: {}", files.collect::<Vec<_>>().join(", ")));
        }
    };
    command("runs", &step.command);
    if let Some(instead) = &step.instead {
        command("instead", instead);
    }
    match &step.undo {
        Some(Undo::Command(undo)) => command("undo", undo),
        Some(Undo::Nothing(why)) => add("undo", format!("nothing: {}", visible(why))),
        None => {}
    }
    if let Some(why) = &step.why_no_undo {
        add("no undo", visible(why));
    }
    fields
}

/// A command as it will be executed: each argument in brackets.
pub fn body(plan: &Plan, body: &Body) -> String {
    match body {
        Body::Run { argv } => {
            argv.iter().map(|word| format!("[{}]", visible(word))).collect::<Vec<_>>().join(" ")
        }
        Body::Script { sha256, .. } => {
            let lines = plan.scripts.get(sha256).map_or(0, |text| text.lines().count());
            format!("script of {}, sha256 {}", count(lines, "line"), sha256.get(..8).unwrap_or(sha256))
        }
    }
}

/// Every script, once. Scripts of one pack begin with its prelude: that is shown before them, once.
fn scripts(plan: &Plan) -> Page {
    let mut page = Page::new();
    if plan.scripts.is_empty() {
        return page;
    }
    let used = uses_of_scripts(plan);
    let mut packs: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for hash in plan.scripts.keys() {
        let pack = used.get(hash.as_str()).and_then(|(pack, _)| *pack);
        packs.entry(pack).or_default().push(hash);
    }
    page = page.text("SCRIPTS, as they are sent. Each sha256 is of the whole text");
    for (pack, hashes) in packs {
        let texts: Vec<Vec<&str>> = hashes.iter().map(|hash| plan.scripts[*hash].lines().collect()).collect();
        let shared = if pack.is_some() { shared_lines(&texts) } else { 0 };
        if shared > 0 {
            let pack = pack.unwrap_or_default();
            page = page
                .text(format!("Each script of {pack} below begins with {}:", these(shared)))
                .with(Block::Script(texts[0][..shared].iter().map(|line| visible(line)).collect()));
        }
        for (hash, lines) in hashes.iter().zip(&texts) {
            let what = used.get(hash).map_or("", |(_, what)| what.as_str());
            let above = if shared > 0 { format!(", behind the {shared} above") } else { String::new() };
            page = page
                .text(format!("{what}: {}{above}", count(lines.len() - shared, "line")))
                .text(format!("sha256 {hash}"))
                .with(Block::Script(lines[shared..].iter().map(|line| visible(line)).collect()));
        }
    }
    page
}

fn these(lines: usize) -> String {
    if lines == 1 { "this line".to_owned() } else { format!("these {lines} lines") }
}

/// How many lines all of several texts begin with.
fn shared_lines(texts: &[Vec<&str>]) -> usize {
    let [first, others @ ..] = texts else { return 0 };
    if others.is_empty() {
        return 0;
    }
    let shared = |other: &Vec<&str>| first.iter().zip(other).take_while(|(a, b)| a == b).count();
    others.iter().map(shared).min().unwrap_or(0)
}

/// By its hash, the pack of each script and what it is for: the first action or step that uses it.
fn uses_of_scripts(plan: &Plan) -> BTreeMap<&str, (Option<&str>, String)> {
    let mut used = BTreeMap::new();
    for (_, unit) in plan.units() {
        let Some(step) = unit.step() else { continue };
        let undo = match &step.undo {
            Some(Undo::Command(undo)) => Some(undo),
            _ => None,
        };
        let commands = [(Some(&step.command), ""), (step.instead.as_ref(), ""), (undo, "undo of ")];
        for (command, kind) in commands {
            let Some(Command { action, body: Body::Script { sha256, .. }, .. }) = command else { continue };
            let name = action.clone().unwrap_or_else(|| format!("step {}", unit.number));
            let pack = action.as_ref().and_then(|action| Some(action.split_once('/')?.0));
            used.entry(sha256.as_str()).or_insert_with(|| (pack, format!("{kind}{name}")));
        }
    }
    used
}
