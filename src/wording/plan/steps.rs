//! The steps of a plan in a few lines each, and how long they usually take.

use super::counted::hosts_of;
use crate::plan::model::{Block, EachBlock, Offer, Plan, Unit, Work};
use crate::plan::usual::Usual;
use crate::runbook::model::Effect;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;
use crate::wording::page::{Below, Role, Row, Table, cell, plain};

/// What stands between the steps that can be taken back and those that cannot.
pub const NO_WAY_BACK: &str = "-- no way back below this line --";
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
            Block::One(unit) => {
                let host = unit.step().map(|step| step.command.host.to_string()).unwrap_or_default();
                all.push((unit, unit.title.clone(), host));
            }
            Block::Each(each) => {
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

/// Units as people count them: those of an `each` once.
pub fn unit_count(plan: &Plan) -> usize {
    let mut numbers: Vec<u32> = plan.units().map(|(_, unit)| unit.number).collect();
    numbers.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len()
}

/// The usual time of all steps, if it is known of all of them.
pub(super) fn usual(offer: &Offer) -> Option<Millis> {
    let takes = |units: &[Unit]| -> Option<i64> {
        let steps = units.iter().filter(|unit| unit.step().is_some());
        steps.map(|unit| offer.usual(unit.number).map(|usual| usual.takes.0)).sum()
    };
    let all = offer.plan.blocks.iter().map(|block| match block {
        Block::One(unit) => takes(std::slice::from_ref(unit)),
        // Hosts of a batch go side by side: the slowest counts.
        Block::Each(each) => {
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
