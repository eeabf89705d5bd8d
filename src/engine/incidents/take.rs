//! Decides, appends, applies, tells: in this order. A fault of ours in one incident parks it, and no other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::files::Known;
use super::keeper::Keeper;
use super::{Changed, Reply};
use crate::engine::{Refused, lock};
use crate::failpoint::{self, Point};
use crate::incident::input::{Input, Refusal};
use crate::incident::model::Opened;
use crate::incident::paths::heard;
use crate::incident::{self, Event, Incident, IncidentId, Stamped};
use crate::journal::{Actor, Append, AppendError, IncidentAppend, NewEntry};
use crate::plan::model::TellPlan;

/// What belongs to something that is taken.
#[derive(Debug, Default)]
pub(super) struct From {
    /// Who said it.
    pub(super) actor: Option<Actor>,
    /// The entry of the journal of which it comes. It stands beside the first event, so that it is never heard twice.
    pub(super) entry: Option<u64>,
}

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// The journal did not take it: it is offered again.
    #[error("{0}")]
    NotWritten(AppendError),
    /// The incident stands still because of a fault, and why.
    #[error("it stands still because of {0}")]
    Parked(String),
}

impl Keeper {
    /// An incident hears something. All of it is written at one time, and stands or falls together.
    pub(super) async fn take(
        &mut self,
        id: IncidentId,
        inputs: &[Input],
        from: From,
    ) -> Result<Option<Refusal>, NotTaken> {
        let Some(before) = self.open.get(&id) else { return Ok(None) };
        let now = self.inner.clock.now();
        let known = self.known();
        let by = from.actor.as_ref().and_then(|actor| actor.person.clone());
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let mut after = before.clone();
            let (mut all, mut refusal) = (Vec::new(), None);
            for input in inputs {
                let decided = incident::decide(&after, input, now, &known.duty());
                refusal = decided.refusal.or(refusal);
                for event in decided.events {
                    let stamped = Stamped { at: now, by: by.clone(), event };
                    incident::apply(&mut after, &stamped);
                    all.push(stamped);
                }
            }
            (after, all, refusal)
        }));
        let Ok((after, all, refusal)) = decided else { return Err(self.park(id).await) };
        let expected = before.version;
        self.write(after, expected, all, from).await?;
        Ok(refusal)
    }

    /// A new incident.
    pub(super) async fn begin(
        &mut self,
        opened: &Opened,
        tell: &[TellPlan],
        from: From,
    ) -> Result<IncidentId, NotTaken> {
        let now = self.inner.clock.now();
        let id = self
            .inner
            .journal
            .view()
            .next_incident()
            .map_err(|error| NotTaken::NotWritten(AppendError::NotWritten { why: error.to_string() }))?;
        let known = self.known();
        let by = from.actor.as_ref().and_then(|actor| actor.person.clone());
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let events = incident::decide::open(id, opened, tell, now, &known.duty());
            let stamped = |event| Stamped { at: now, by: by.clone(), event };
            let all: Vec<Stamped> = events.into_iter().map(stamped).collect();
            let mut incident = Incident::new(id, opened.clone(), now);
            all.iter().skip(1).for_each(|stamped| incident::apply(&mut incident, stamped));
            (incident, all)
        }));
        let Ok((incident, all)) = begun else {
            return Err(NotTaken::Parked("a fault in the bot itself kept it from being opened".to_owned()));
        };
        self.write(incident, 0, all, from).await?;
        Ok(id)
    }

    /// Appends what was decided, and shows it.
    async fn write(
        &mut self,
        after: Incident,
        expected: u64,
        all: Vec<Stamped>,
        from: From,
    ) -> Result<(), NotTaken> {
        if all.is_empty() {
            return Ok(());
        }
        let mut entries: Vec<NewEntry> =
            all.iter().map(|stamped| NewEntry::of_incident(stamped, from.actor.clone())).collect();
        if let (Some(seq), Some(data)) =
            (from.entry, entries.first_mut().and_then(|entry| entry.data.as_object_mut()))
        {
            data.insert(HEARD.to_owned(), seq.into());
        }
        let append = Append {
            incident: Some(IncidentAppend { id: after.id, expected, open: !after.is_over() }),
            entries,
            ..Append::default()
        };
        if let Err(error) = self.inner.journal.append(append).await {
            if let AppendError::Fatal { why } = &error {
                self.inner.journal_is_lost(why);
            }
            return Err(NotTaken::NotWritten(error));
        }
        self.show(after, all);
        Ok(())
    }

    /// The state that everybody sees from now on, and what led to it.
    fn show(&mut self, incident: Incident, all: Vec<Stamped>) {
        let queued = all.iter().any(|stamped| matches!(stamped.event, Event::NoticeQueued { .. }));
        let released = incident.runs.iter().filter(|(_, seen)| seen.released).map(|(run, _)| *run);
        self.inner.incidents.released.send_if_modified(|runs| {
            let before = runs.len();
            runs.extend(released);
            runs.len() > before
        });
        for stamped in &all {
            if let Some((path, heard)) = heard(&incident, stamped) {
                self.inner.incidents.hears_of_path(path, stamped.at, heard);
            }
        }
        let shown = Arc::new(incident.clone());
        {
            // Both under the lock: whoever reads the new state can already receive what led to it.
            let mut open = lock(&self.inner.incidents.open);
            if incident.is_over() {
                open.remove(&incident.id);
            } else {
                open.insert(incident.id, shown.clone());
            }
            for stamped in all {
                // Nobody follows: that is fine.
                let _ = self.inner.incidents.changed.send(Changed { incident: shown.clone(), stamped });
            }
        }
        if incident.is_over() {
            self.open.remove(&incident.id);
            self.closed.retain(|other| other.opened.service != incident.opened.service);
            self.closed.push(incident);
        } else {
            self.open.insert(incident.id, incident);
        }
        if queued {
            failpoint::pass(Point::NoticeQueued);
        }
    }

    /// Lets an incident stand still, until somebody says something of it or the bot is started again.
    pub(super) async fn park(&mut self, id: IncidentId) -> NotTaken {
        let why = "a fault in the bot itself".to_owned();
        tracing::error!("{id} is parked: {why}");
        lock(&self.inner.incidents.parked).insert(id, why.clone());
        let data = serde_json::json!({ "incident": id, "why": why });
        // Whether it is recorded or not, it is parked.
        self.inner.note("incident-parked", None, data).await.ok();
        NotTaken::Parked(why)
    }

    pub(super) fn is_parked(&self, id: IncidentId) -> bool {
        lock(&self.inner.incidents.parked).contains_key(&id)
    }

    /// What the files say now.
    pub(super) fn known(&self) -> Known {
        Known::of(&self.inner)
    }
}

/// Answers somebody who said something.
pub(super) fn answer(
    id: IncidentId,
    taken: Result<Option<Refusal>, NotTaken>,
    state: Option<Incident>,
    reply: Reply,
) {
    let _ = reply.send(match (taken, state) {
        (Ok(None), Some(incident)) => Ok(Arc::new(incident)),
        (Ok(None), None) => Err(Refused::UnknownIncident(id.to_string())),
        (Ok(Some(refusal)), _) => Err(Refused::Incident(refusal)),
        (Err(NotTaken::NotWritten(error)), _) => Err(Refused::NotWritten(error)),
        (Err(NotTaken::Parked(why)), _) => Err(Refused::Parked(id, why)),
    });
}

/// Beside the first event that an entry led to: the position of that entry.
pub(super) const HEARD: &str = "heard";
