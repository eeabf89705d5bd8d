//! Which incident something that happened to a run belongs to, and what one begins with that a run opens. Pure.

use jiff::{Timestamp, ToSpan as _};

use crate::incident::input::Input;
use crate::incident::model::{Cause, Incident, IncidentId, News, Opened, Severity, Status, Trouble};
use crate::inventory::Inventory;
use crate::plan::model::{Plan, TellPlan};
use crate::policy::Policy;
use crate::run::Run;
use crate::runbook::source::name::{Role, ServiceName};

/// Trouble so soon after an end is the same incident again; later it is a new one.
const RECURS_WITHIN_MINUTES: i64 = 30;

/// What an incident must know of a run when something happens to it.
#[derive(Debug, Clone)]
pub(super) struct Matter {
    /// What happened.
    pub(super) trouble: Trouble,
    /// How bad that is.
    pub(super) severity: Severity,
    /// The service that is affected.
    pub(super) service: Option<ServiceName>,
}

/// Where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// To an incident that is there.
    There(IncidentId),
    /// To a new one, which may go on from another.
    New(Option<IncidentId>),
    /// To none: the runbook neither opens one nor has anybody told.
    None,
}

/// What happened to a run, as its plan says how bad that is.
pub(super) fn matter(plan: &Plan, trouble: Trouble, inventory: Option<&Inventory>) -> Matter {
    let said = plan.incident.as_ref().and_then(|incident| Severity::read(&incident.severity));
    let is_work = trouble == Trouble::Starts;
    let at_start = plan.incident.as_ref().is_some_and(|incident| incident.at_start);
    let severity = match said {
        Some(severity) if at_start || !is_work => severity,
        _ if is_work => Severity::Planned,
        _ => Severity::Sev3,
    };
    Matter { trouble, severity, service: service_of(plan, inventory) }
}

/// The service of the incident of a plan; without one that of its first cluster.
fn service_of(plan: &Plan, inventory: Option<&Inventory>) -> Option<ServiceName> {
    if let Some(incident) = &plan.incident {
        return incident.service_name.clone();
    }
    let inventory = inventory?;
    let of_hosts = plan.hosts.keys().filter_map(|host| Some(inventory.cluster_of(host.as_str())?.0));
    let mut clusters = plan.topology.keys().chain(of_hosts);
    clusters.find_map(|name| ServiceName::new(&inventory.clusters.get(name)?.service))
}

/// Where it belongs: to the incident that has the run, to the open one of its service, to one that ended just now, or to
/// a new one. `known` are those that are not closed, and the newest of the closed ones.
pub(super) fn home<'a>(
    run: &Run,
    plan: &Plan,
    matter: &Matter,
    known: impl Iterator<Item = &'a Incident> + Clone,
    now: Timestamp,
) -> Home {
    // Trouble of planned work belongs to what goes on in its service, if something does.
    let is_trouble = matter.trouble != Trouble::Starts;
    let own = known.clone().filter(|it| !it.is_closed() && it.runs.contains_key(&run.id));
    let planned = own.clone().find(|it| it.severity == Severity::Planned);
    if let Some(own) = own.clone().find(|it| it.severity != Severity::Planned || !is_trouble) {
        return Home::There(own.id);
    }
    let opens = match (&plan.incident, &matter.trouble) {
        (Some(incident), Trouble::Starts) => incident.at_start || !plan.tell.is_empty(),
        (Some(_), _) => true,
        (None, _) => !plan.tell.is_empty(),
    };
    if !opens {
        return Home::None;
    }
    let is_of_service =
        |it: &&Incident| matter.service.is_some() && it.opened.service == matter.service && !it.is_drill();
    let real = |it: &&Incident| is_of_service(it) && it.severity != Severity::Planned;
    if let Some(open) = known.clone().find(|it| real(it) && it.status < Status::Resolved) {
        return Home::There(open.id);
    }
    let otherwise = |follows| planned.map_or(Home::New(follows), |it| Home::There(it.id));
    if matter.severity == Severity::Planned {
        return otherwise(None);
    }
    let last = known.filter(real).max_by_key(|it| (it.resolved, it.id));
    let Some((last, resolved)) = last.and_then(|last| Some((last, last.resolved?))) else {
        return otherwise(None);
    };
    let recurs_until = resolved.checked_add(RECURS_WITHIN_MINUTES.minutes()).unwrap_or(Timestamp::MAX);
    if is_trouble && now <= recurs_until && !last.is_closed() {
        Home::There(last.id)
    } else {
        otherwise(Some(last.id))
    }
}

/// What an incident begins with that a run opens.
pub(super) fn opened(
    run: &Run,
    plan: &Plan,
    matter: &Matter,
    follows: Option<IncidentId>,
    inventory: Option<&Inventory>,
) -> Opened {
    let incident = plan.incident.as_ref();
    let service = matter.service.as_ref().and_then(|name| inventory?.services.get(name));
    let title = incident.map(|incident| incident.service.clone());
    let title = title.or_else(|| service.map(|service| service.title.clone()));
    let owner = incident
        .and_then(|incident| incident.owner.clone())
        .or_else(|| service.and_then(|service| Role::new(&service.owner)))
        .or_else(|| Role::new(&run.offer.as_ref()?.beside.owner));
    let components = incident.map(|incident| incident.components.clone());
    let news = incident.and_then(|incident| incident.updates.as_ref());
    Opened {
        cause: Cause::Run { run: run.id, trouble: matter.trouble.clone() },
        severity: matter.severity,
        service: matter.service.clone(),
        title: title.unwrap_or_else(|| "Our services".to_owned()),
        components: components
            .or_else(|| service.map(|service| service.shown_as.clone()))
            .unwrap_or_default(),
        what: format!("Run {}: {}", run.id, plan.title),
        owner: owner.unwrap_or_else(nobody),
        drill: None,
        news: news.map(|news| News { every: news.every, say: news.say.clone() }),
        follows,
    }
}

/// Whom a plan tells at these moments.
pub(super) fn tells(plan: &Plan, moments: &[&str]) -> Vec<TellPlan> {
    plan.tell.iter().filter(|tell| moments.contains(&tell.at.as_str())).cloned().collect()
}

/// Whom the plan of a run tells when it starts. When a bad incident begins Support is among them, whatever it says.
pub(super) fn told_at_start(plan: &Plan, severity: Severity, policy: &Policy) -> Vec<TellPlan> {
    let mut tell = tells(plan, &["before-start", "start"]);
    let is_bad = matches!(severity, Severity::Sev1 | Severity::Sev2);
    if is_bad && !tell.iter().any(|tell| tell.who == "support") {
        tell.extend(super::say::support(policy));
    }
    tell
}

/// What an incident hears of it.
pub(super) fn input(run: &Run, matter: &Matter, tell: Vec<TellPlan>) -> Input {
    Input::Run { run: run.id, trouble: matter.trouble.clone(), severity: matter.severity, tell }
}

/// A role that nobody has: its escalation says at the last resort that nobody is there.
pub(super) fn nobody() -> Role {
    Role::new("on-call").expect("`on-call` has the form of a role")
}
