//! What happens to runs, as incidents hear it: entry after entry, in the order of the journal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::home::{Home, home, input, matter, opened, tells, told_at_start};
use super::keeper::{Keeper, Todo};
use super::take::{From, NotTaken};
use crate::engine::lock;
use crate::incident::from_run::trouble_of;
use crate::incident::input::Input;
use crate::incident::model::{IncidentId, Opened, Severity, Trouble};
use crate::incident::report::KIND;
use crate::journal::{Entry, OpenError};
use crate::run::model::{Outcome, Phase};
use crate::run::{Event, Run, RunId};

/// Events of runs that people need not know of: these are most of them, and some are large.
const QUIET: &[&str] = &[
    "requested",
    "offered",
    "plan-changed",
    "confirmed",
    "approved",
    "holds-taken",
    "step-sent",
    "step-ended",
    "step-succeeded",
    "gate-entered",
    "gate-opened",
    "log-seen",
    "batch-ended",
    "batch-rested",
    "known",
];

/// The entry that says that a run stands still because of a fault.
const PARKED: &str = "run-parked";

impl Keeper {
    /// Hears an entry of the journal, if it was not heard before.
    pub(super) async fn hear_entry(&mut self, entry: &Entry) -> Result<(), NotTaken> {
        if entry.seq <= self.inner.incidents.heard.load(Ordering::Acquire) {
            return Ok(());
        }
        let heard = self.hear_new(entry).await;
        if let Err(NotTaken::NotWritten(_)) = heard {
            return heard;
        }
        // A fault of ours in an incident is not repeated by hearing the same again.
        self.inner.incidents.heard.store(entry.seq, Ordering::Release);
        heard
    }

    pub(super) async fn hear_new(&mut self, entry: &Entry) -> Result<(), NotTaken> {
        if entry.kind == KIND && entry.run.is_none() && entry.incident.is_none() {
            return self.hear_report(entry).await;
        }
        if entry.kind == PARKED && entry.run.is_none() {
            let run = entry.data["run"].as_u64().map(RunId);
            let Some(run) = run.and_then(|id| self.inner.journal.view().run(id).ok().flatten()) else {
                return Ok(());
            };
            let why = entry.data["why"].as_str().unwrap_or_default().to_owned();
            return self.hear_run(&run, Some(Trouble::Parked(why)), None, entry.seq).await;
        }
        let (Some(id), Some(nth)) = (entry.run, entry.nth) else { return Ok(()) };
        if QUIET.contains(&entry.kind.as_str()) {
            return Ok(());
        }
        let (stamped, run) = match (crate::journal::stamped(entry), self.run_after(id, nth).await) {
            (Ok(stamped), Ok(Some(run))) => (stamped, run),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!("run {id} is not heard of: {error}");
                return Ok(());
            }
            (Ok(_), Ok(None)) => return Ok(()),
        };
        let trouble = catch_unwind(AssertUnwindSafe(|| trouble_of(&run, &stamped))).unwrap_or_else(|_| {
            tracing::error!("what entry {} means for incidents could not be found out", entry.seq);
            None
        });
        // Nobody is hurt when work is called off that had changed nothing.
        let trouble = trouble.filter(|it| *it != Trouble::Stopped || run.has_sent_a_change());
        let ended = match &stamped.event {
            Event::Ended { outcome, .. } => Some(*outcome),
            _ => None,
        };
        self.hear_run(&run, trouble, ended, entry.seq).await
    }

    /// The run once this event was applied to it. Whoever carries it may be a moment behind the journal.
    async fn run_after(&self, id: RunId, nth: u64) -> Result<Option<Arc<Run>>, OpenError> {
        let carried = lock(&self.inner.carried).get(&id).map(|carried| carried.state.subscribe());
        if let Some(mut state) = carried {
            tokio::select! {
                run = state.wait_for(|run| run.version >= nth) => if let Ok(run) = run {
                    return Ok(Some(run.clone()));
                },
                () = self.inner.ending.cancelled() => {}
            }
        }
        Ok(self.inner.journal.view().run(id)?.map(Arc::new))
    }

    /// Something happened to a run, or it is over, or both.
    async fn hear_run(
        &mut self,
        run: &Run,
        trouble: Option<Trouble>,
        ended: Option<Outcome>,
        seq: u64,
    ) -> Result<(), NotTaken> {
        let Some(plan) = run.plan() else { return Ok(()) };
        let over = ended.map(|outcome| Input::RunEnded { run: run.id, outcome, tell: tells(plan, &["end"]) });
        let own = self.open.values().filter(|incident| incident.runs.contains_key(&run.id));
        let own: Vec<IncidentId> = own.map(|incident| incident.id).collect();
        let Some(trouble) = trouble else {
            return self.all_hear(&own, over.as_slice(), seq).await;
        };
        let known = self.known();
        let matter = matter(plan, trouble, known.inventory());
        let now = self.inner.clock.now();
        let candidates = self.open.values().chain(&self.closed);
        let candidates: Vec<_> = candidates.filter(|it| it.is_closed() || !self.is_parked(it.id)).collect();
        let tell = || told_at_start(plan, matter.severity, known.policy());
        match home(run, plan, &matter, candidates.into_iter(), now) {
            Home::None => Ok(()),
            Home::There(id) => {
                // What else it belongs to hears of its end, and no more.
                for other in own.into_iter().filter(|other| *other != id) {
                    self.hears(other, over.as_slice(), None).await?;
                }
                let is_new = self.open.get(&id).is_some_and(|incident| !incident.runs.contains_key(&run.id));
                let tell = if is_new { tell() } else { Vec::new() };
                let inputs: Vec<Input> = std::iter::once(input(run, &matter, tell)).chain(over).collect();
                self.hears(id, &inputs, Some(seq)).await
            }
            Home::New(follows) => {
                let opened = opened(run, plan, &matter, follows, known.inventory());
                let from = From { actor: None, entry: over.is_none().then_some(seq) };
                let id = self.begin(&opened, &tell(), from).await?;
                match over {
                    Some(over) => self.hears(id, &[over], Some(seq)).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Several hear the same. That the entry was heard stands beside the last: until then it is heard again.
    async fn all_hear(&mut self, ids: &[IncidentId], inputs: &[Input], seq: u64) -> Result<(), NotTaken> {
        for (nth, id) in (1..).zip(ids) {
            self.hears(*id, inputs, (nth == ids.len()).then_some(seq)).await?;
        }
        Ok(())
    }

    async fn hears(&mut self, id: IncidentId, inputs: &[Input], entry: Option<u64>) -> Result<(), NotTaken> {
        if self.is_parked(id) {
            return Ok(());
        }
        self.take(id, inputs, From { actor: None, entry }).await.map(|_| ())
    }

    /// Looks later whether runs are over that an incident believes to go on: it stood still when they ended, or that
    /// entry could not be read, or the process ended in between.
    pub(super) fn doubts_runs_of(&mut self, id: IncidentId) {
        let runs = self.open.get(&id).into_iter().flat_map(|incident| &incident.runs);
        let doubted = runs.filter(|(_, seen)| seen.goes_on()).map(|(run, _)| Todo::Doubted(id, *run));
        self.todo.extend(doubted);
    }

    /// Hears that a run is over, if it is.
    pub(super) async fn hear_doubted(&mut self, id: IncidentId, run: RunId) -> Result<(), NotTaken> {
        let run = self.inner.journal.view().run(run);
        let run = run.map_err(|error| tracing::error!("a run of {id} is not heard of: {error}"));
        let Ok(Some(run)) = run else { return Ok(()) };
        let (Some(plan), Phase::Ended(outcome)) = (run.plan(), &run.phase) else { return Ok(()) };
        let over = Input::RunEnded { run: run.id, outcome: *outcome, tell: tells(plan, &["end"]) };
        self.hears(id, &[over], None).await
    }

    /// Runs that had started before this journal had incidents, and go on: people are told of them now.
    pub(super) fn started_before(&mut self, from: u64) -> Result<(), OpenError> {
        if from == 0 {
            return Ok(());
        }
        let view = self.inner.journal.view();
        for id in view.open_runs()? {
            if self.open.values().any(|incident| incident.runs.contains_key(&id)) {
                continue;
            }
            let entries = view.entries_of(id)?;
            let started = entries.into_iter().find(|entry| entry.kind == "started" && entry.seq <= from);
            self.todo.extend(started.map(|entry| Todo::Older(Arc::new(entry))));
        }
        Ok(())
    }

    /// The incident that a new one of the same service goes on from, if that ended not long ago.
    pub(super) fn follows(&self, opened: &Opened) -> Option<IncidentId> {
        let same = self.open.values().chain(&self.closed).filter(|it| {
            opened.drill.is_none()
                && opened.service.is_some()
                && it.opened.service == opened.service
                && !it.is_drill()
                && it.severity != Severity::Planned
                && it.resolved.is_some()
        });
        same.max_by_key(|it| (it.resolved, it.id)).map(|it| it.id)
    }
}
