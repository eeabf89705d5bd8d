//! What people say of incidents: rights first, then the incident itself. Every refusal is recorded.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::files::usable;
use super::{Begin, Incidents, Mail};
use crate::duty::{Duty, Notify};
use crate::engine::{Refused, Speaker};
use crate::incident::input::Refusal;
use crate::incident::model::{Cause, Opened, Severity};
use crate::incident::{Incident, IncidentId, Says};
use crate::journal::{Actor, AppendError};
use crate::library::Snapshot;
use crate::plan::model::TellPlan;
use crate::policy::Policy;
use crate::policy::decide::{Denial, Door, Ruling, policy_of};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role, ServiceName};

/// What an incident is has at least so many characters.
const MIN_WHAT: usize = 10;
/// Support has so long to say that they know, where no runbook says otherwise.
const SUPPORT_KNOWS_WITHIN: Millis = Millis::minutes(10);

impl Incidents {
    /// Says something of an incident.
    pub async fn say(&self, speaker: &Speaker, id: IncidentId, says: Says) -> Result<Arc<Incident>, Refused> {
        let what = format!("incident {} {id}", verb(&says));
        let snapshot = self.files()?;
        let person = self.engine.person(speaker, &snapshot, &what).await?;
        self.has_a_role(speaker, &snapshot, &person, &what).await?;
        let Some(incident) = self.get(id)? else {
            self.engine.note_denied(speaker, &what, "unknown-incident", None).await?;
            return Err(Refused::UnknownIncident(id.to_string()));
        };
        if let Some(people) = incident.opened.drill.as_ref().filter(|people| !people.contains(&person)) {
            self.engine.note_denied(speaker, &what, "not-of-drill", None).await?;
            return Err(Refused::NotOfDrill(id, people.clone()));
        }
        if incident.is_closed() {
            self.engine.note_denied(speaker, &what, Refusal::Closed.code(), None).await?;
            return Err(Refused::Incident(Refusal::Closed));
        }
        if let Says::Take { person: to, .. } = &says
            && let Some(refused) = unknown_person(&snapshot, to)
        {
            self.engine.note_denied(speaker, &what, "unknown-person", None).await?;
            return Err(refused);
        }
        let actor = speaker.actor();
        let said = self.send(|reply| Mail::Says { id, by: person, says, actor, reply }).await;
        match said {
            // It was read back: nothing was refused.
            Err(Refused::Incident(Refusal::DraftUnread { .. })) => said,
            Err(Refused::Incident(refusal)) => {
                self.engine.note_denied(speaker, &what, refusal.code(), None).await?;
                Err(match refusal {
                    Refusal::Denied(denial) => Refused::Denied(denial),
                    refusal => Refused::Incident(refusal),
                })
            }
            said => said,
        }
    }

    /// A person followed the link of a notice of theirs, and said there that they know.
    pub async fn acknowledged_by_link(
        &self,
        id: IncidentId,
        person: Person,
    ) -> Result<Arc<Incident>, Refused> {
        let snapshot = self.files()?;
        // A link outlives the days on which somebody was trusted.
        policy_of(&snapshot.set.policy).map_err(Refused::Denied)?;
        if let Some(refused) = unknown_person(&snapshot, &person) {
            return Err(refused);
        }
        if self.get(id)?.is_none() {
            return Err(Refused::UnknownIncident(id.to_string()));
        }
        let actor = Actor { person: Some(person.clone()), account: "link".to_owned(), door: Door::Link };
        let says = Says::Acknowledge { how: "link".to_owned() };
        self.send(|reply| Mail::Says { id, by: person, says, actor, reply }).await
    }

    /// Begins an incident, or a drill of one.
    pub async fn begin(&self, speaker: &Speaker, begin: Begin) -> Result<Arc<Incident>, Refused> {
        let what = "incident open".to_owned();
        let snapshot = self.files()?;
        let by = self.engine.person(speaker, &snapshot, &what).await?;
        self.has_a_role(speaker, &snapshot, &by, &what).await?;
        let (opened, tell) = match opened(&snapshot, &by, begin) {
            Ok(opened) => opened,
            Err(refused) => {
                let code = match &refused {
                    Refused::UnknownService(..) => "unknown-service",
                    Refused::UnknownParticipant(..) => "unknown-person",
                    _ => "bad-parameters",
                };
                self.engine.note_denied(speaker, &what, code, None).await?;
                return Err(refused);
            }
        };
        let actor = speaker.actor();
        self.send(|reply| Mail::Begins { opened: Box::new(opened), tell, actor, reply }).await
    }

    /// Everybody who has a role at this moment, or whose turn it may be another time: nobody who can help is turned away.
    pub(super) async fn has_a_role(
        &self,
        speaker: &Speaker,
        snapshot: &Snapshot,
        person: &Person,
        what: &str,
    ) -> Result<(), Refused> {
        let policy =
            snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
        let overrides = self.engine.overrides();
        let duty: Duty<'_> = snapshot.set.duty(policy, &overrides);
        if policy.roles.keys().any(|role| duty.reach_of(role.as_str()).contains(person)) {
            return Ok(());
        }
        let roles: Vec<String> = policy.roles.keys().map(ToString::to_string).collect();
        let ruling: Ruling = policy.needs_role(person, "Answering for an incident", &roles);
        self.engine.allow(speaker, what, ruling, None).await
    }

    /// The files as they are now; those that could be used last where they cannot: a slip in the folder keeps nobody from
    /// saying that they know.
    pub(super) fn files(&self) -> Result<Arc<Snapshot>, Refused> {
        match usable(&self.engine.inner) {
            Ok(snapshot) => Ok(snapshot),
            Err(_) => self.engine.snapshot(),
        }
    }

    async fn send(&self, mail: impl FnOnce(super::Reply) -> Mail) -> Result<Arc<Incident>, Refused> {
        let gone = || {
            let why = "the keeper of incidents has ended".to_owned();
            Refused::NotWritten(AppendError::NotWritten { why })
        };
        let (reply, answer) = oneshot::channel();
        self.room().mailbox.send(mail(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// What an incident begins with that a person opens, and who is told at once.
fn opened(snapshot: &Snapshot, by: &Person, begin: Begin) -> Result<(Opened, Vec<TellPlan>), Refused> {
    let services = &snapshot.set.inventory.services;
    let service = match &begin.service {
        None => None,
        Some(name) => {
            let known = ServiceName::new(name).filter(|name| services.contains_key(name));
            let names = || services.keys().map(ToString::to_string).collect();
            Some(known.ok_or_else(|| Refused::UnknownService(name.clone(), names()))?)
        }
    };
    if begin.what.trim().chars().count() < MIN_WHAT {
        return Err(Refused::Incident(Refusal::TooShort(MIN_WHAT)));
    }
    let policy =
        snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
    let drill = begin.drill.map(|names| participants(policy, by, &names)).transpose()?;
    let known = service.as_ref().and_then(|name| services.get(name));
    let is_drill = drill.is_some();
    let what = begin.what.trim().to_owned();
    let opened = Opened {
        cause: Cause::Person { by: by.clone(), why: what.clone() },
        severity: begin.severity,
        title: known.map_or_else(|| "Our services".to_owned(), |service| service.title.clone()),
        components: known.map(|service| service.shown_as.clone()).unwrap_or_default(),
        what,
        owner: known
            .and_then(|service| Role::new(&service.owner))
            .unwrap_or_else(|| whoever_answers(snapshot.set.notify.as_ref().ok(), policy)),
        service,
        drill,
        news: None,
        follows: None,
    };
    let is_bad = matches!(opened.severity, Severity::Sev1 | Severity::Sev2);
    let tell = if is_bad && !is_drill { support(policy) } else { Vec::new() };
    Ok((opened, tell))
}

/// Support is told of every bad incident, also of one that no runbook speaks of.
pub(super) fn support(policy: &Policy) -> Vec<TellPlan> {
    let there = policy.roles.contains_key("support");
    let tell = TellPlan {
        who: "support".to_owned(),
        at: "start".to_owned(),
        until: "acknowledged".to_owned(),
        within: SUPPORT_KNOWS_WITHIN,
    };
    there.then_some(tell).into_iter().collect()
}

/// Who takes part in a drill: those who were named, and whoever begins it.
fn participants(policy: &Policy, by: &Person, names: &[String]) -> Result<Vec<Person>, Refused> {
    let mut people = vec![by.clone()];
    for name in names {
        let known = policy.people.keys().find(|person| person.as_str() == name);
        let Some(person) = known else {
            let all = policy.people.keys().cloned().collect();
            return Err(Refused::UnknownParticipant(name.clone(), all));
        };
        if !people.contains(person) {
            people.push(person.clone());
        }
    }
    Ok(people)
}

/// The role that answers for what has no service: on-call, or the first that an escalation is about.
pub(super) fn whoever_answers(notify: Option<&Notify>, policy: &Policy) -> Role {
    let escalated = notify.into_iter().flat_map(|notify| notify.escalations.keys());
    let on_call = policy.roles.keys().filter(|role| role.as_str() == "on-call");
    let any = on_call.chain(escalated).chain(policy.roles.keys()).next();
    any.cloned().unwrap_or_else(super::home::nobody)
}

fn unknown_person(snapshot: &Snapshot, person: &Person) -> Option<Refused> {
    let policy = snapshot.set.policy.as_ref().ok()?;
    let all = || policy.people.keys().cloned().collect();
    (!policy.people.contains_key(person)).then(|| Refused::UnknownPerson(person.clone(), all()))
}

/// The word that people type.
const fn verb(says: &Says) -> &'static str {
    match says {
        Says::Acknowledge { .. } => "ack",
        Says::Take { .. } => "take",
        Says::Update { .. } => "update",
        Says::Draft { .. } => "draft",
        Says::Publish { .. } => "publish",
        Says::Severity { .. } => "severity",
        Says::Status { .. } => "status",
        Says::Resolve => "resolve",
        Says::Waive { .. } => "waive",
        Says::Escalate => "escalate",
        Says::Close => "close",
    }
}
