//! Who may say what, where the policy has `incidents:`. Without it, and in a drill, whoever may speak at all may say
//! everything; whether somebody may speak at all was asked before.
//!
//! Words that end or publish something need a role of the policy, or a part in the incident. A part that gives such words
//! is therefore for those who may have it: else whoever may not end an incident would take command, and end it.

use super::course::Course;
use super::obligations::commander;
use crate::incident::input::{NotFor, Refusal, Says};
use crate::incident::model::{Part, Status};
use crate::policy::Policy;
use crate::policy::decide::{Denial, Holds, role_names};
use crate::policy::model::IncidentRights;
use crate::runbook::model::Word;
use crate::runbook::source::name::{Person, Role};

/// Whether somebody may say this.
pub(super) fn may(course: &Course<'_>, by: &Person, says: &Says) -> Result<(), Refusal> {
    let Some(rights) = course.duty.policy.incidents.as_deref().filter(|_| !course.incident.is_drill()) else {
        return Ok(());
    };
    let policy = course.duty.policy_at(course.now);
    if let Says::Take { part, person } = says {
        return may_be(course, rights, &policy, by, *part, person);
    }
    let Some((deed, roles, parts)) = needed(course, rights, says) else { return Ok(()) };
    if parts.iter().any(|part| course.incident.parts.get(part) == Some(by)) {
        return Ok(());
    }
    let roles = role_names(roles);
    let denial = match policy.holds(by, &roles) {
        Holds::Yes => return Ok(()),
        Holds::Unknown(why) => Denial::RoleUnknown { deed, why },
        Holds::No => {
            let of_parts = parts.iter().filter_map(|part| course.incident.parts.get(part).cloned());
            let mut next: Vec<Person> = Vec::new();
            for person in of_parts.chain(policy.holders(&roles)) {
                if !next.contains(&person) {
                    next.push(person);
                }
            }
            Denial::NoRole { deed, needs: roles, has: policy.roles_of(by), next }
        }
    };
    Err(Refusal::Denied(denial))
}

/// What a word does, the roles of which it needs one, and the parts that stand for such a role. None: it needs no more
/// than others.
fn needed<'a>(
    course: &Course<'_>,
    rights: &'a IncidentRights,
    says: &Says,
) -> Option<(&'static str, &'a [Word], &'static [Part])> {
    const COMMANDER: &[Part] = &[Part::Commander];
    const SPEAKERS: &[Part] = &[Part::Commander, Part::Communications];
    let resolve = |deed| Some((deed, rights.resolve.as_deref()?, COMMANDER));
    match says {
        Says::Publish { .. } => Some(("Publishing", rights.publish.as_deref()?, SPEAKERS)),
        Says::Draft { .. } => Some(("Drafting", rights.publish.as_deref()?, SPEAKERS)),
        Says::Waive { .. } => Some(("Waiving", rights.waive.as_deref()?, COMMANDER)),
        Says::Resolve | Says::Status { status: Status::Resolved } => resolve("Resolving an incident"),
        Says::Close | Says::Status { status: Status::Closed } => resolve("Closing an incident"),
        Says::Severity { severity, .. } if *severity > course.incident.severity => {
            resolve("Lowering the severity")
        }
        Says::Severity { .. }
        | Says::Status { .. }
        | Says::Acknowledge { .. }
        | Says::Take { .. }
        | Says::Update { .. }
        | Says::Escalate => None,
    }
}

/// Whether a person may become, or be made, this.
fn may_be(
    course: &Course<'_>,
    rights: &IncidentRights,
    policy: &Policy,
    by: &Person,
    part: Part,
    person: &Person,
) -> Result<(), Refusal> {
    let by_commands = course.incident.parts.get(&Part::Commander) == Some(by);
    let for_publishing = match part {
        Part::Commander => None,
        // Who commands gives it to anybody.
        Part::Communications if rights.publish.is_some() && !by_commands => rights.publish.as_ref(),
        Part::Communications | Part::SupportLiaison => return Ok(()),
    };
    let named = for_publishing.into_iter().chain(&rights.resolve).flatten();
    let named = named.filter_map(|word| Role::new(word));
    let mut roles: Vec<Role> = Vec::new();
    for role in named.chain(called_for_it(course)) {
        if policy.roles.contains_key(&role) && !roles.contains(&role) {
            roles.push(role);
        }
    }
    let is_of = |person: &Person| {
        let reach = |role: &Role| {
            course.on_duty(role).contains(person) || course.duty.reach_of(role.as_str()).contains(person)
        };
        roles.iter().any(reach)
    };
    if is_of(person) {
        return Ok(());
    }
    let names: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let unknown = match policy.holds(person, &names) {
        Holds::Yes => return Ok(()),
        Holds::Unknown(why) => Some(why),
        Holds::No => None,
    };
    let next = policy.people.keys().filter(|person| is_of(person)).cloned().collect();
    Err(Refusal::NotFor(NotFor { part, person: person.clone(), roles, next, unknown }))
}

/// The roles whose people may be called for the answer of the owner, or for a commander.
fn called_for_it(course: &Course<'_>) -> impl Iterator<Item = Role> {
    let with_others = |role: Role| {
        let told = course.duty.escalation(&role).steps.into_iter().flat_map(|step| step.tell);
        std::iter::once(role).chain(told)
    };
    [course.incident.opened.owner.clone(), commander(course)].into_iter().flat_map(with_others)
}
