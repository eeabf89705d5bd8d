//! The plan, read back: the short form that fits on a screen, and the long one with every argument on every host.

mod agreed;
mod counted;
mod long;
mod seen;
mod steps;

pub use agreed::{approvers, needed};
pub use counted::{NAMED, count, hosts_of, steps_of};
pub use long::{body, long};
pub use seen::seen_row;
pub(super) use seen::values;
pub use steps::{NO_WAY_BACK, effect, lanes_of, listed, steps, unit_count, usually};

use self::agreed::agreed_by;
use self::steps::usual;
use super::moment::Moment;
use super::page::{Block, Page, Span, plain};
use super::states;
use crate::plan::model::{Block as PlanBlock, Offer, Plan, Undo};
use crate::policy::Policy;
use crate::run::Run;
use crate::run::model::Phase;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::{HostName, Person};

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
