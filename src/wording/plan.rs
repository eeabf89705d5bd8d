//! The plan, read back: the short form that fits on a screen, and the long one with every argument on every host.

use std::collections::BTreeMap;

use super::moment::Moment;
use super::page::{Below, Block, Page, Role, Row, Span, Table, cell, plain};
use super::refusal::step as step_words;
use super::states;
use crate::plan::model::{
    Approvals, Block as PlanBlock, Body, CheckSeen, Command, EachBlock, Offer, Plan, StepPlan, Undo, Unit,
    Verdict, Work,
};
use crate::plan::usual::Usual;
use crate::policy::Policy;
use crate::run::model::Phase;
use crate::run::{Run, UnitAt};
use crate::runbook::model::Effect;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{HostName, Person};

/// What stands between the steps that can be taken back and those that cannot.
pub const NO_WAY_BACK: &str = "-- no way back below this line --";

/// The offer, as its requester reads it.
pub fn offered(run: &Run, policy: Option<&Policy>, moment: &Moment) -> Page {
    let (Some(offer), Some(token)) = (&run.offer, &run.token) else { return Page::new() };
    let about = vec![format!("run {}", run.id), offer.plan.runbook.to_string(), target(&offer.plan)];
    let right = format!("{}  plan {}", moment.time(moment.now), offer.digest.short());
    let until = format!("until {}", moment.with_distance(token.expires));
    short(&Page::new().head(states::OFFERED, about, right), offer, &run.request.by, policy, moment)
        .next(format!("confirm {} {}", run.id, token.text), until)
        .text(format!("Or: plan {0} --long · stop {0}", run.id))
}

/// The plan of a run that was read back, or that has begun or ended.
pub fn of_run(run: &Run, offer: &Offer, policy: Option<&Policy>, moment: &Moment) -> Page {
    let digest = offer.digest.short();
    let about = vec![format!("run {}", run.id), offer.plan.runbook.to_string(), target(&offer.plan)];
    let head = Page::new().head(states::of_run(run).0, about, format!("plan {digest}"));
    let page = short(&head, offer, &run.request.by, policy, moment);
    let page =
        if run.phase == Phase::Approving { page.join(waits_for_approval(run, policy, moment)) } else { page };
    page.text(format!("Or: plan {} --long, with every argument on every host", run.id))
}

/// Who must approve a run, and what they type.
pub fn waits_for_approval(run: &Run, policy: Option<&Policy>, moment: &Moment) -> Page {
    let Some(plan) = run.plan() else { return Page::new() };
    let digest = run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default();
    let people = approvers(&plan.approvals, &run.request.by, policy);
    let until = run.approve_until.map(|at| format!("until {}", moment.with_distance(at)));
    Page::new()
        .text(format!("{}: {people}.", needed(&plan.approvals)))
        .next(format!("approve {} {digest}", run.id), until.unwrap_or_default())
}

/// A plan that was made only to be looked at.
pub fn looked_at(offer: &Offer, asked_by: &Person, policy: Option<&Policy>, moment: &Moment) -> Page {
    let about = vec![offer.plan.runbook.to_string(), target(&offer.plan)];
    let head = Page::new().head(states::OFFERED, about, format!("plan {}", offer.digest.short()));
    short(&head, offer, asked_by, policy, moment).text(
        "This is a look: it asks for nothing and nothing will run. A run of it has a digest of its own.",
    )
}

/// What a plan is about: its clusters, or its hosts.
pub fn target(plan: &Plan) -> String {
    let clusters: Vec<_> = plan.topology.keys().map(ToString::to_string).collect();
    if clusters.is_empty() {
        hosts_of(&plan.changed_hosts().iter().map(ToString::to_string).collect::<Vec<_>>())
    } else {
        clusters.join(" ")
    }
}

fn short(head: &Page, offer: &Offer, asked_by: &Person, policy: Option<&Policy>, moment: &Moment) -> Page {
    let plan = &offer.plan;
    let hold = offer.preflight.iter().filter(|seen| !seen.warns);
    let (asked, held) =
        hold.fold((0, 0), |(asked, held), seen| (asked + 1, held + usize::from(seen.holds())));
    let units = unit_count(plan);
    let hosts = plan.changed_hosts().len();
    let summary = format!(
        "{}, changing {}{}. {held} of {asked} checks hold.",
        count(units, "step"),
        count(hosts, "host"),
        usual(offer).map_or_else(String::new, |usual| format!(", usually {usual}")),
    );
    let mut page = head
        .clone()
        .text(format!("{}.", visible(&plan.title)))
        .text(summary)
        .with(Block::Table(steps(offer)));
    let mut fields: Vec<(String, Vec<Span>)> = Vec::new();
    let mut field = |label: &str, text: String| fields.push((label.to_owned(), plain(text)));
    for seen in offer.preflight.iter().filter(|seen| !seen.holds()) {
        let label = if seen.warns { "Warning" } else { "! Fails" };
        field(label, format!("{}.", visible(&seen.says)));
    }
    field("Facts", facts(offer, moment));
    if let Some(batches) = batches(plan) {
        field("Batches", batches);
    }
    if !plan.left_out.is_empty() {
        field("Left out", format!("{}.", visible(&plan.left_out.join("; "))));
    }
    for (name, from) in &plan.secrets {
        field("Secret", format!("{name}, from {}, to {}", visible(from), given_to(plan, name)));
    }
    if let Some(starts) = starts(plan) {
        field("Starts", starts);
    }
    field("Agreed by", agreed_by(&plan.approvals, asked_by, policy));
    for because in &plan.approvals.because {
        field("", because.clone());
    }
    if let Some(why) = &plan.approvals.commander {
        field("", why.clone());
    }
    if !plan.holds.is_empty() {
        field("Holds", holds(plan));
    }
    for (nth, fate) in offer.beside.fates.iter().enumerate() {
        field(if nth == 0 { "Notices" } else { "" }, super::duty::fate(fate));
    }
    for owed in &plan.follow_up {
        let by = owed.runbook.as_ref().map(|runbook| format!(" ({runbook})")).unwrap_or_default();
        field("Afterwards", format!("{}{by}, within {}.", visible(&owed.what), owed.within));
    }
    let commit = offer.commit.as_ref().map(|commit| format!(" @ {commit}")).unwrap_or_default();
    field("From", format!("{}{commit}", plan.runbook));
    page = page.with(Block::Fields(fields));
    page
}

/// Which steps get a secret.
fn given_to(plan: &Plan, name: &str) -> String {
    let mut steps: Vec<String> = Vec::new();
    for (_, unit) in plan.units() {
        let gets = unit.step().is_some_and(|step| {
            let undo = [&step.undo, &step.undo_instead].into_iter().filter_map(|undo| match undo {
                Some(Undo::Command(command)) => Some(command),
                _ => None,
            });
            let commands = std::iter::once(&step.command).chain(&step.instead).chain(undo);
            commands.into_iter().any(|command| command.secrets.iter().any(|secret| secret == name))
        });
        let number = unit.number.to_string();
        if gets && !steps.contains(&number) {
            steps.push(number);
        }
    }
    match steps.as_slice() {
        [] => "probes only.".to_owned(),
        [one] => format!("step {one}."),
        many => format!("steps {}.", many.join(", ")),
    }
}

/// `5 steps`, `1 step`.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// More hosts than this are counted, not named: a terminal has 24 rows.
pub const NAMED: usize = 8;

/// Hosts by name, or how many they are.
pub fn hosts_of(names: &[String]) -> String {
    if names.len() > NAMED { count(names.len(), "host") } else { names.join(" ") }
}

/// Steps by number and host; one on many hosts is told by their number.
pub fn steps_of(units: &[UnitAt]) -> String {
    if units.len() <= NAMED {
        return units.iter().map(step_words).collect::<Vec<_>>().join(", ");
    }
    let mut numbers: Vec<(u32, Vec<&UnitAt>)> = Vec::new();
    for unit in units {
        match numbers.iter_mut().find(|(number, _)| *number == unit.number) {
            Some((_, of_number)) => of_number.push(unit),
            None => numbers.push((unit.number, vec![unit])),
        }
    }
    let told = numbers.iter().map(|(number, of_number)| match of_number.as_slice() {
        [one] => step_words(one),
        many => format!("step {number} on {} hosts", many.len()),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// How an `each` over many hosts goes through them.
fn batches(plan: &Plan) -> Option<String> {
    let many = plan.blocks.iter().filter_map(|block| match block {
        PlanBlock::Each(each) if each.lanes.len() > NAMED => Some(each),
        _ => None,
    });
    let told = many.map(|each| {
        let size = each.batches.iter().map(Vec::len).max().unwrap_or(1);
        let pause =
            if each.pause.0 > 0 { format!(", {} between batches", each.pause) } else { String::new() };
        let failures = match each.failures {
            0 => "no host may be left out".to_owned(),
            n => format!("{} may be left out", count(n, "host")),
        };
        format!("1 host first, then at most {size} at once{pause}; {failures}")
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("{}.", told.join("; ")))
}

/// Claims: many hosts are counted.
fn holds(plan: &Plan) -> String {
    if plan.holds.len() <= NAMED {
        return plan.holds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    }
    let (hosts, others): (Vec<String>, Vec<String>) =
        plan.holds.iter().map(ToString::to_string).partition(|hold| hold.starts_with("host/"));
    format!("{} {}", others.join(" "), count(hosts.len(), "host")).trim().to_owned()
}

/// Units as people count them: those of an `each` once.
pub fn unit_count(plan: &Plan) -> usize {
    let mut numbers: Vec<u32> = plan.units().map(|(_, unit)| unit.number).collect();
    numbers.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len()
}

/// The usual time of all steps, if it is known of all of them.
fn usual(offer: &Offer) -> Option<Millis> {
    let takes = |units: &[Unit]| -> Option<i64> {
        let steps = units.iter().filter(|unit| unit.step().is_some());
        steps.map(|unit| offer.usual(unit.number).map(|usual| usual.takes.0)).sum()
    };
    let all = offer.plan.blocks.iter().map(|block| match block {
        PlanBlock::One(unit) => takes(std::slice::from_ref(unit)),
        // Hosts of a batch go side by side: the slowest counts.
        PlanBlock::Each(each) => {
            let lane = |host: &HostName| takes(each.lanes.get(host).map_or(&[], Vec::as_slice));
            let batch = |hosts: &Vec<HostName>| {
                hosts.iter().map(lane).try_fold(0, |most, takes| Some(most.max(takes?)))
            };
            let pauses = each.pause.0 * i64::try_from(each.batches.len().saturating_sub(1)).unwrap_or(0);
            each.batches.iter().map(batch).sum::<Option<i64>>().map(|takes| takes + pauses)
        }
    });
    all.sum::<Option<i64>>().filter(|ms| *ms > 0).map(Millis)
}

/// `usually 2 h 50 min, from 7 runs`.
pub fn usually(usual: &Usual) -> String {
    let from =
        if usual.runs == 0 { "as the runbook says".to_owned() } else { format!("from {} runs", usual.runs) };
    format!("usually {}, {from}", usual.takes)
}

/// Who was what, and how old that is.
fn facts(offer: &Offer, moment: &Moment) -> String {
    let (first, last) = offer.measured;
    let (youngest, oldest) = (moment.ago(last), moment.ago(first));
    let age = match (youngest.0 < 1000, oldest.0 < 1000) {
        (_, true) => "Less than 1 s old".to_owned(),
        (true, false) => format!("Up to {oldest} old"),
        // What differs by less than is shown is one age.
        (false, false) if youngest.to_string() == oldest.to_string() => format!("{oldest} old"),
        (false, false) => format!("{youngest} to {oldest} old"),
    };
    let names = |hosts: &[HostName]| hosts_of(&hosts.iter().map(ToString::to_string).collect::<Vec<_>>());
    let clusters = offer.plan.topology.values().filter_map(|seen| {
        // A kind that knows no roles was asked for none.
        let primary = seen.primary.as_ref()?;
        let primary = if seen.believed {
            format!("{primary} was the primary when it last answered")
        } else {
            format!("{primary} is the primary")
        };
        let replicas = match seen.replicas.as_slice() {
            [] => "no replica answers".to_owned(),
            [one] => format!("{one} is a replica"),
            many => format!("{} are replicas", names(many)),
        };
        let silent = match seen.silent.as_slice() {
            [] => String::new(),
            [one] => format!("; {one} does not answer"),
            many => format!("; {} do not answer", names(many)),
        };
        Some(format!("{primary}; {replicas}{silent}"))
    });
    let clusters: Vec<_> = clusters.collect();
    if clusters.is_empty() { format!("{age}.") } else { format!("{age}: {}.", clusters.join("; ")) }
}

/// What a run starts besides its steps.
fn starts(plan: &Plan) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(incident) = &plan.incident {
        let when = if incident.at_start { "at the start" } else { "if there is trouble" };
        parts.push(format!("incident {} for {} {when}", incident.severity, visible(&incident.service)));
    }
    for tell in &plan.tell {
        let when = match tell.at.as_str() {
            "before-start" => "before the start",
            "end" => "at the end",
            _ => "at the start",
        };
        parts.push(format!("{} told {when} ({} in {})", tell.who, tell.until, tell.within));
    }
    if parts.is_empty() {
        return None;
    }
    let waits = plan.tell.iter().any(|tell| tell.at == "before-start");
    let waits = if waits { " Nothing is changed before that." } else { "" };
    Some(format!("{}.{waits}", parts.join(", ")))
}

/// Who must agree, by name.
fn agreed_by(approvals: &Approvals, asked_by: &Person, policy: Option<&Policy>) -> String {
    if approvals.count == 0 {
        return format!("{asked_by} alone");
    }
    format!(
        "{asked_by}, then {} of {} but not {asked_by}: {}",
        approvals.count,
        approvals.by.join(" or "),
        approvers(approvals, asked_by, policy)
    )
}

/// Who could approve: all who have one of the roles, without the one who asked.
pub fn approvers(approvals: &Approvals, asked_by: &Person, policy: Option<&Policy>) -> String {
    let holders = |roles: &[String]| policy.map(|policy| policy.holders(roles)).unwrap_or_default();
    let commanders = holders(&["commander".to_owned()]);
    // Where one is enough and a commander must be among them, nobody else can be that one.
    let may = |person: &Person| !one_commander(approvals) || commanders.contains(person);
    let people = holders(&approvals.by);
    let people: Vec<_> =
        people.iter().filter(|person| *person != asked_by && may(person)).map(ToString::to_string).collect();
    if people.is_empty() { "nobody else has that role".to_owned() } else { people.join(", ") }
}

/// Who must approve, as the beginning of a sentence.
pub fn needed(approvals: &Approvals) -> String {
    if one_commander(approvals) {
        return "A commander must approve".to_owned();
    }
    let among = if approvals.commander.is_some() { ", one of them a commander" } else { "" };
    format!("{} of {} must approve{among}", approvals.count, approvals.by.join(" or "))
}

fn one_commander(approvals: &Approvals) -> bool {
    approvals.commander.is_some() && approvals.count <= 1
}

/// What takes longer than this has its usual time under it.
const LONG: Millis = Millis::minutes(1);

/// The steps with their hosts and effects; a rule stands where the way back ends.
pub fn steps(offer: &Offer) -> Table {
    let plan = &offer.plan;
    let mut rows: Vec<Row> = Vec::new();
    let no_return = plan.point_of_no_return();
    for (unit, title, hosts) in listed(plan) {
        if no_return == Some(unit.number)
            && let Some(last) = rows.last_mut()
        {
            last.below.push(Below::Rule(NO_WAY_BACK.to_owned()));
        }
        let (effect, role) = effect(unit);
        rows.push(Row {
            cells: vec![
                plain(format!("{:>3}", unit.number)),
                plain(visible(&title)),
                plain(hosts),
                cell(effect, role),
            ],
            below: instead(unit).into_iter().chain(long_one(offer, unit)).map(Below::Text).collect(),
        });
    }
    Table { heads: Vec::new(), wide: Vec::new(), rows }
}

/// How long a step usually takes, where that is long or was learnt.
fn long_one(offer: &Offer, unit: &Unit) -> Option<String> {
    let usual = offer.usual(unit.number).filter(|usual| usual.takes >= LONG)?;
    Some(usually(&usual))
}

/// What is done where the host of a step cannot be reached: whoever agrees must know.
fn instead(unit: &Unit) -> Option<String> {
    let step = unit.step()?;
    let instead = step.instead.as_ref()?;
    let what = instead.action.as_deref().unwrap_or("another command");
    Some(format!("if {} is silent: {} on {}", step.command.host, visible(what), instead.host))
}

/// Every unit once, with its title and hosts.
pub fn listed(plan: &Plan) -> Vec<(&Unit, String, String)> {
    let mut all = Vec::new();
    for block in &plan.blocks {
        match block {
            PlanBlock::One(unit) => {
                let host = unit.step().map(|step| step.command.host.to_string()).unwrap_or_default();
                all.push((unit, unit.title.clone(), host));
            }
            PlanBlock::Each(each) => {
                for (number, title) in &each.titles {
                    let lanes = lanes_of(each, *number);
                    if let Some((_, unit)) = lanes.first() {
                        let hosts: Vec<_> = lanes.iter().map(|(host, _)| host.to_string()).collect();
                        all.push((unit, title.clone(), hosts_of(&hosts)));
                    }
                }
            }
        }
    }
    all
}

/// The hosts of an `each` that have a unit of this number, in the order of the batches.
pub fn lanes_of(each: &EachBlock, number: u32) -> Vec<(&HostName, &Unit)> {
    let hosts = each.batches.iter().flatten();
    hosts
        .filter_map(|host| Some((host, each.lanes.get(host)?.iter().find(|unit| unit.number == number)?)))
        .collect()
}

/// What a reader must know first about a unit.
pub fn effect(unit: &Unit) -> (String, Role) {
    match &unit.work {
        Work::Step(step) => match step.effect {
            Effect::Read => ("read".to_owned(), Role::Plain),
            Effect::Reversible => ("reversible".to_owned(), Role::Plain),
            Effect::Irreversible => ("IRREVERSIBLE".to_owned(), Role::Danger),
        },
        Work::Wait(wait) => {
            let hold = wait.hold_for.map(|hold| format!("for {hold}, ")).unwrap_or_default();
            (format!("waits {hold}at most {}", wait.at_most), Role::Quiet)
        }
        Work::Decide(decide) => (format!("asks {}", decide.ask.join(", ")), Role::Attention),
    }
}

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

/// A check with its values.
pub fn seen_row(seen: &CheckSeen) -> Row {
    let (mark, role) = match (&seen.verdict, seen.warns) {
        (Verdict::Holds, _) => ("+ holds", Role::Good),
        (Verdict::Fails, true) => ("! warns", Role::Attention),
        (Verdict::Fails, false) => ("! FAILS", Role::Danger),
        (Verdict::NoAnswer(_), true) => ("? warns", Role::Attention),
        (Verdict::NoAnswer(_), false) => ("? NO ANSWER", Role::Danger),
    };
    let mut below = Vec::new();
    if let Verdict::NoAnswer(why) = &seen.verdict {
        below.push(Below::Text(format!("no answer: {}", visible(why))));
    }
    if !seen.holds() {
        below.push(Below::Text(format!("{}.", visible(&seen.says))));
    }
    below.extend(values(seen).map(Below::Text));
    Row { cells: vec![cell(mark, role), plain(visible(&seen.that))], below }
}

/// The values that a check read. Why there is no answer is said once, and not again for each of them.
pub(super) fn values(seen: &CheckSeen) -> impl Iterator<Item = String> {
    let why = match &seen.verdict {
        Verdict::NoAnswer(why) => Some(format!("no answer: {why}")),
        _ => None,
    };
    let read = seen.read.iter().filter(move |(_, value)| why.as_ref() != Some(value));
    read.map(|(name, value)| format!("{name} = {}", visible(value)))
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
