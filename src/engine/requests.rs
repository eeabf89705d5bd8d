//! Asking for a run: who speaks, whether they may, and everything that can be said before anything is measured.

use super::{Engine, Refused, Speaker};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::journal::{Append, AppendError, NewEntry, RunAppend};
use crate::library::Snapshot;
use crate::plan::Resource;
use crate::plan::bind::bind;
use crate::policy::decide::{Denial, Ruling, policy_of, role_names};
use crate::run::model::{Phase, Requested};
use crate::run::{Event, Run, RunId, Stamped, apply};
use crate::runbook::expression::Value;
use crate::runbook::source::name::Person;

impl Engine {
    /// Who speaks, and under which policy; denials are recorded.
    pub(super) async fn person(
        &self,
        speaker: &Speaker,
        snapshot: &Snapshot,
        what: &str,
    ) -> Result<Person, Refused> {
        let denial = match policy_of(&snapshot.set.policy) {
            Err(denial) => denial,
            Ok(policy) if !policy.is_open(speaker.door) => Denial::DoorClosed(speaker.door),
            Ok(policy) => match &speaker.person {
                Some(person) if policy.people.contains_key(person) => return Ok(person.clone()),
                _ => Denial::NoPerson(speaker.account.clone()),
            },
        };
        self.deny(speaker, what, denial, None).await
    }

    /// Turns somebody away at a door, before anything was asked of the engine: recorded as every refusal is.
    pub async fn turn_away(&self, speaker: &Speaker, what: &str, denial: Denial) -> Refused {
        match self.note_denied(speaker, what, denial.code(), None).await {
            Ok(()) => Refused::Denied(denial),
            Err(refused) => refused,
        }
    }

    async fn deny<T>(
        &self,
        speaker: &Speaker,
        what: &str,
        denial: Denial,
        run: Option<RunId>,
    ) -> Result<T, Refused> {
        self.note_denied(speaker, what, denial.code(), run).await?;
        Err(Refused::Denied(denial))
    }

    pub(super) async fn allow(
        &self,
        speaker: &Speaker,
        what: &str,
        ruling: Ruling,
        run: Option<RunId>,
    ) -> Result<(), Refused> {
        match ruling {
            Ruling::Allow => Ok(()),
            Ruling::Deny(denial) => self.deny(speaker, what, denial, run).await,
        }
    }

    /// Asks for a run. Ends when its plan is shown, or when there will be none.
    pub async fn request(
        &self,
        speaker: &Speaker,
        runbook: &str,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
    ) -> Result<Arc<Run>, Refused> {
        let id = self.begin(speaker, runbook, arguments, reason).await?;
        self.when(id, |run| run.phase != Phase::Measuring).await
    }

    /// Everything that can be said before anything is measured; then the run exists.
    async fn begin(
        &self,
        speaker: &Speaker,
        name: &str,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
    ) -> Result<RunId, Refused> {
        let what = format!("run {name}");
        let snapshot = self.snapshot()?;
        let person = self.person(speaker, &snapshot, &what).await?;
        let policy =
            snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
        let Some(runbook) = snapshot.set.runbooks.get(name) else {
            self.note_denied(speaker, &what, "unknown-runbook", None).await?;
            return Err(Refused::UnknownRunbook(name.to_owned()));
        };
        let start = role_names(&runbook.access.start);
        self.allow(speaker, &what, policy.needs_role(&person, "Running", &start), None).await?;
        let values = match bind(&snapshot.set, runbook, &arguments, reason.as_deref()) {
            Ok(values) => values,
            Err(wrong) => {
                self.note_denied(speaker, &what, "bad-parameters", None).await?;
                return Err(Refused::WrongValues(runbook.name.clone(), wrong));
            }
        };
        if let Some(refused) = self.held(&values)? {
            self.note_denied(speaker, &what, "held", None).await?;
            return Err(refused);
        }
        let request = Requested {
            runbook: runbook.name.clone(),
            arguments,
            reason: reason.unwrap_or_default(),
            by: person.clone(),
            account: speaker.account.clone(),
            door: speaker.door,
        };
        let now = self.inner.clock.now();
        let stamped = Stamped { at: now, by: Some(person), event: Event::Requested(request.clone()) };
        // Two requests at one time want the same number: the journal takes one, the other asks for the next.
        loop {
            let id = self.view().next_run()?;
            let append = Append {
                run: Some(RunAppend { id, expected: 0, open: true, holds: None }),
                entries: vec![NewEntry::of_event(&stamped, Some(speaker.actor()))],
                ..Append::default()
            };
            match self.inner.journal.append(append).await {
                Ok(_) => {
                    let mut run = Run::new(id, request, now);
                    apply(&mut run, &stamped);
                    self.conduct(run, None);
                    return Ok(id);
                }
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(Refused::NotWritten(error)),
            }
        }
    }

    /// A cluster that another run holds: then nothing is measured.
    fn held(&self, values: &BTreeMap<String, Value>) -> Result<Option<Refused>, Refused> {
        let clusters: Vec<Resource> = values
            .values()
            .filter_map(|value| match value {
                Value::Cluster(name) => Some(Resource::cluster(name)),
                _ => None,
            })
            .collect();
        let held = self.view().holds()?.into_iter().find(|held| clusters.contains(&held.resource));
        held.map(|held| {
            Ok(Refused::Held { resource: held.resource, by: self.run(held.run)?, since: held.since })
        })
        .transpose()
    }
}
