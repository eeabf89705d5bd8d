//! The policy: people and their accounts, roles, windows, rules that only tighten.

use std::collections::BTreeMap;

use super::uses::Desk;
use crate::policy::model::{HeldBy, Policy, Rule};
use crate::runbook::grammar::table::NOTIFY_FILE;
use crate::runbook::model::Word;
use crate::runbook::source::name::Person;
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::problem::{Code, Problems};

/// Holds the policy against every rule.
pub(super) fn check_policy(policy: &Policy, desk: &Desk<'_>, problems: &mut Problems) {
    check_accounts(policy, problems);
    if let Some(door) = &policy.doors.discord {
        super::discord::check_door(door, problems);
    }
    for (name, role) in &policy.roles {
        if let HeldBy::People(people) = &role.held_by {
            if people.is_empty() {
                let message = format!("nobody has the role `{name}`");
                problems.add(Code::RoleEmpty, &role.place, message, "name a person, or remove the role");
            }
            for person in people {
                desk.person(person, problems);
            }
        }
        if let HeldBy::Discord { roles, .. } = &role.held_by {
            super::discord::check_role(name, roles, &role.place, policy, problems);
        }
        if let Some(next) = &role.escalates_to {
            desk.role(next, problems);
        }
    }
    for window in policy.windows.values() {
        check_zone(&window.zone, problems);
    }
    for rule in &policy.rules {
        check_rule(rule, desk, problems);
    }
    for runbook in policy.secrets.values().flatten().filter(|word| word.value != NOTIFY_FILE) {
        desk.runbook(runbook, problems);
    }
    if let Some(rights) = &policy.incidents {
        let named = [&rights.publish, &rights.resolve, &rights.waive];
        for role in named.into_iter().flatten().flatten() {
            desk.role(role, problems);
        }
    }
    for role in policy.break_glass.iter().flat_map(|glass| glass.by.iter().chain(&glass.tell)) {
        desk.role(role, problems);
    }
}

/// Whether there is a time zone of this name.
pub(super) fn check_zone(zone: &Word, problems: &mut Problems) {
    let known = jiff::tz::TimeZoneDatabase::bundled();
    if !zone.is_empty() && known.get(zone).is_err() {
        let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
        let nearest = nearest_or_all(zone, names.iter().map(String::as_str));
        let cure = if nearest.starts_with("nearest") { nearest } else { "as Europe/Berlin".to_owned() };
        let message = format!("there is no time zone `{}`", zone.value);
        problems.add(Code::WordUnknown, &zone.place, message, cure);
    }
}

fn check_accounts(policy: &Policy, problems: &mut Problems) {
    let mut owners: BTreeMap<(&str, &str), &Person> = BTreeMap::new();
    for (person, accounts) in &policy.people {
        let all = accounts.discord.iter().map(|id| ("discord", id));
        for (door, account) in all.chain(accounts.console.iter().map(|login| ("console", login))) {
            if let Some(other) = owners.insert((door, account.as_str()), person)
                && other != person
            {
                let message =
                    format!("the {door} account `{}` belongs to the person {other} already", account.value);
                problems.add(Code::PersonTwice, &account.place, message, "an account belongs to one person");
            }
            check_account(door, account, problems);
        }
    }
}

fn check_account(door: &str, account: &Word, problems: &mut Problems) {
    if door == "discord" && !super::discord::is_id(&account.value) {
        let message = format!("`{}` is no Discord user id", account.value);
        let cure = "the number that Discord shows under Copy User ID; names change, ids do not";
        problems.add(Code::ShapeType, &account.place, message, cure);
    }
}

fn check_rule(rule: &Rule, desk: &Desk<'_>, problems: &mut Problems) {
    for runbook in rule.runbooks.iter().flatten() {
        desk.runbook(runbook, problems);
    }
    let tightens = rule.approve_at_least.is_some()
        || rule.stale_rehearsal.is_some()
        || rule.most_hosts.is_some()
        || rule.most_of_cluster.is_some();
    if !tightens {
        let cure = "add approve_at_least, stale_rehearsal, most_hosts or most_of_cluster";
        problems.add(Code::RuleLoosens, &rule.place, "this rule makes nothing stricter", cure);
    }
}
