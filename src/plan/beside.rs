//! What is put beside a plan: who is asked next, where logs lie, what is typed to turn to the contingency.

use std::collections::BTreeMap;

use super::model::{Beside, Path, Plan};
use super::situation::Situation;
use crate::authoring::Set;
use crate::duty::Fate;
use crate::duty::tell::shared_fate;
use crate::policy::Policy;
use crate::runbook::model::{Item, Runbook};

/// All of it, but for what earlier runs teach.
pub fn beside(set: &Set, runbook: &Runbook, policy: &Policy, situation: &Situation, plan: &Plan) -> Beside {
    let roles = policy.roles.iter();
    let escalates_to =
        roles.filter_map(|(role, held)| Some((role.to_string(), held.escalates_to.as_ref()?.value.clone())));
    let written = plan
        .units()
        .filter_map(|(_, unit)| Some((unit.number, item(runbook, unit.path)?.title().to_owned())));
    Beside {
        owner: runbook.owner.value.clone(),
        escalates_to: escalates_to.collect(),
        written: written.collect(),
        learnt: BTreeMap::new(),
        logs: logs(set, plan),
        fates: fates(set, plan),
        turn_to: turn_to(set, runbook, situation),
    }
}

/// What the paths share with the hosts that the plan changes.
fn fates(set: &Set, plan: &Plan) -> Vec<Fate> {
    let notify = set.notify.as_ref().ok();
    notify.map(|notify| shared_fate(notify, &set.inventory, plan.changed_hosts())).unwrap_or_default()
}

fn item(runbook: &Runbook, path: Path) -> Option<&Item> {
    match (runbook.items.get(path.item)?, path.inner) {
        (Item::Each(each), Some(inner)) => each.items.get(inner),
        (item, _) => Some(item),
    }
}

/// Where the log of each pack lies, on each host that an action of it runs on.
fn logs(set: &Set, plan: &Plan) -> BTreeMap<String, String> {
    let steps = plan.units().filter_map(|(_, unit)| unit.step());
    let commands = steps.flat_map(|step| std::iter::once(&step.command).chain(&step.instead));
    commands
        .filter_map(|command| {
            let (pack, _) = command.action.as_ref()?.split_once('/')?;
            let setting = set.packs.get(pack)?.log.as_ref()?;
            let path = &set.inventory.setting_of(command.host.as_str(), setting)?.value;
            (path != "none").then(|| (format!("{pack}/{}", command.host), path.clone()))
        })
        .collect()
}

/// `run rebuild-data-server cluster=orders target=… reason="…"`: what both runbooks call the same is the same.
fn turn_to(set: &Set, runbook: &Runbook, situation: &Situation) -> Option<String> {
    let other = set.runbooks.get(runbook.contingency.as_ref()?.value.as_str())?;
    let arguments = other.parameters.iter().filter_map(|parameter| {
        let name = &parameter.name.value;
        let same = runbook.parameters.iter().any(|ours| {
            ours.name.value == *name
                && std::mem::discriminant(&ours.kind) == std::mem::discriminant(&parameter.kind)
        });
        match situation.values.get(name).filter(|_| same).and_then(crate::runbook::expression::Value::raw) {
            Some(value) if !value.contains([' ', '"']) => Some(format!(" {name}={value}")),
            _ if parameter.default.is_some() => None,
            _ => Some(format!(" {name}=…")),
        }
    });
    Some(format!("run {}{} reason=\"…\"", other.name, arguments.collect::<String>()))
}
