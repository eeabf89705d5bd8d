//! Who must agree, and who could.

use crate::plan::model::Approvals;
use crate::policy::Policy;
use crate::runbook::source::name::Person;

/// Who must agree, by name.
pub(super) fn agreed_by(approvals: &Approvals, asked_by: &Person, policy: Option<&Policy>) -> String {
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
