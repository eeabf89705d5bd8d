//! A command whose intent is recorded is sent, or its host is asked what became of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::asking::not_there;
use super::outcome::{NoEnd, escaped, exit_of, outputs, summary};
use super::{Conductor, Done};
use crate::engine::ask::elapsed;
use crate::engine::context::errand_body;
use crate::plan::model::{Command, Undo};
use crate::plan::question;
use crate::run::event::still_run;
use crate::run::model::{UnitState, Variant};
use crate::run::{Act, Run, UnitAt, World};
use crate::runbook::model::Item;
use crate::runbook::source::literal::Millis;
use crate::target::guard::Attempt;
use crate::target::{Control, Destination, Ending, Execution, Latest, Link, Report, Target};

/// A host that is asked once more what became of a step has so long to answer. It was asked with patience before.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// How a command that was intended is carried to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Carry {
    /// It is sent.
    Send,
    /// It was sent by a process that is gone: its host is asked.
    Settle,
}

impl Carry {
    async fn out(self, target: &dyn Target, execution: Option<Execution>) -> Report {
        let Some(execution) = execution else {
            let why = "its host or its script is not known any more";
            return Report::not_started("not-sendable", why, Duration::ZERO);
        };
        match self {
            Self::Send => target.execute(execution).await,
            Self::Settle => target.settle(execution).await,
        }
    }
}

impl Conductor {
    /// Sends a command whose intent has just been recorded by us, or finds out what became of one that was sent before.
    pub(super) fn carry(&mut self, unit: &UnitAt, attempt: u32, variant: Variant, how: Carry) {
        let act = Act::Await(unit.clone(), attempt, variant);
        let Some(command) = self.run.command(unit, variant).cloned() else { return };
        let (control, controlled) = watch::channel(Control::Run);
        let link = self.link(unit, attempt);
        let execution = self.execution(unit, &command, &format!("{attempt}"), Some(controlled));
        let (inner, unit, id) = (self.inner.clone(), unit.clone(), self.run.id);
        let sent = act.clone();
        self.fly(act.clone(), async move {
            let execution = execution.map(|execution| Execution { link: Some(link), ..execution });
            let report = how.out(&*inner.planner.target, execution).await;
            let outputs = outputs(&report, id, &unit, attempt, false);
            let world = match exit_of(&report) {
                Ok(exit) => {
                    let (took, output) = (Millis::from_std(report.took), summary(&report));
                    World::Ended { unit, attempt, exit, took, output, escaped: escaped(&report) }
                }
                Err(NoEnd::NotStarted { silent, why }) => World::Unreached { unit, attempt, silent, why },
                Err(NoEnd::Lost(why)) => World::Lost { unit, attempt, why },
            };
            Done { act: sent, world, context: None, blobs: Vec::new(), outputs }
        });
        if let Some(flight) = self.flying.get_mut(&act) {
            flight.control = Some(control);
        }
    }

    /// Sends an undo whose intent has just been recorded by us, or finds out what became of one that was sent before.
    pub(super) fn carry_undo(&mut self, unit: &UnitAt, attempt: u32, how: Carry) {
        let act = Act::AwaitUndo(unit.clone(), attempt);
        let Some(Undo::Command(command)) = self.run.undo_of(unit).cloned() else { return };
        let (control, controlled) = watch::channel(Control::Run);
        let execution = self.execution(unit, &command, &format!("u{attempt}"), Some(controlled));
        let (inner, unit, id) = (self.inner.clone(), unit.clone(), self.run.id);
        let sent = act.clone();
        self.fly(act.clone(), async move {
            let report = how.out(&*inner.planner.target, execution).await;
            let outputs = outputs(&report, id, &unit, attempt, true);
            let ended = match exit_of(&report) {
                Ok(exit) if escaped(&report).is_empty() => {
                    Ok((exit, Millis::from_std(report.took), summary(&report)))
                }
                Ok(exit) => Err((format!("{exit}, but {}", still_run(&escaped(&report))), true)),
                Err(NoEnd::NotStarted { why, .. }) => Err((why, false)),
                Err(NoEnd::Lost(why)) => Err((why, true)),
            };
            let world = World::UndoEnded { unit, attempt, ended };
            Done { act: sent, world, context: None, blobs: Vec::new(), outputs }
        });
        if let Some(flight) = self.flying.get_mut(&act) {
            flight.control = Some(control);
        }
    }

    /// Asks the host once more what became of a step, and then what must be true after it. Nothing is sent.
    pub(super) fn start_settling(&mut self, act: Act, unit: &UnitAt, attempt: u32) {
        let variant = self.run.variant(unit);
        let execution = self
            .run
            .command(unit, variant)
            .and_then(|command| self.execution(unit, command, &format!("{attempt}"), None));
        // What only reads was ended with its link: nobody keeps how.
        let execution = execution.filter(|execution| execution.attempt.is_some());
        let (asker, run, inner, unit) = (self.asker(), self.run.clone(), self.inner.clone(), unit.clone());
        let link = self.link(&unit, attempt);
        self.fly(act.clone(), async move {
            let mut lives = false;
            if let Some(mut execution) = execution {
                // Once the host says that it runs, it is followed by whoever is told so, and not here.
                execution.link = Some(link);
                let target = inner.planner.target.clone();
                tokio::select! {
                    biased;
                    report = target.settle(execution) => if let Some(done) = ended(&act, &run, &unit, attempt, &report) {
                        return done;
                    } else {
                        lives = matches!(report.ending, Ending::Lives { .. });
                    },
                    () = inner.clock.after(SETTLE_WITHIN) => {}
                }
            }
            let Some(asker) = asker else {
                return Done::new(act, World::Found { unit, seen: vec![not_there()], lives });
            };
            let seen = match asker.context.item_of(&run, &unit) {
                Some((Item::Step(step), at_hand)) => {
                    let checks = question::checks(asker.context.runbook(), &step.verify);
                    asker.patiently(at_hand, &checks).await
                }
                _ => vec![not_there()],
            };
            Done::new(act, World::Found { unit, seen, lives })
        });
    }

    /// Hears what becomes of the connection over which a step is followed.
    fn link(&self, unit: &UnitAt, attempt: u32) -> Link {
        let (notes, unit) = (self.notes.clone(), unit.clone());
        Link(Arc::new(move |lost| {
            // Where so much waits to be heard, one thing more would not be.
            let _ =
                notes.try_send(World::Link { unit: unit.clone(), attempt, lost: lost.map(str::to_owned) });
        }))
    }

    fn execution(
        &self,
        unit: &UnitAt,
        command: &Command,
        attempt: &str,
        control: Option<watch::Receiver<Control>>,
    ) -> Option<Execution> {
        let plan = self.run.plan()?;
        let step = self.run.step(unit)?;
        let pin = plan.hosts.get(&command.host)?;
        let step_key = self.step_key(unit);
        let sent = self.run.units.get(unit).and_then(UnitState::sent_at);
        let now = self.inner.clock.now();
        let changes = step.effect.changes();
        let (inner, id, at) = (self.inner.clone(), self.run.id, unit.clone());
        let show = move |lines| inner.show_far(id, &at, |far| far.lines = lines);
        Some(Execution {
            to: Destination::pinned(&command.host, pin),
            keys: Some(pin.keys.clone()),
            body: errand_body(plan, command, self.run.id.0)?,
            secrets: command.secrets.clone(),
            limit: command.at_most.as_std(),
            // A step, its attempts and its undo share it; no other run of any bot does.
            step_dir: changes.then(|| step_key.clone()),
            attempt: changes.then(|| Attempt {
                key: format!("{step_key}.{attempt}"),
                root: self.run.guards.get(&command.host).map(|guard| guard.root.clone()),
                holds: self
                    .run
                    .holds
                    .iter()
                    .filter(|(what, _)| what.concerns(&command.host))
                    .map(|(what, token)| (what.to_string(), *token))
                    .collect(),
            }),
            ago: sent.map_or(Duration::ZERO, |sent| elapsed(sent, now).as_std()),
            control,
            latest: Some(Latest(Arc::new(show))),
            link: None,
        })
    }

    /// The name of a step on its host; no other run of any bot has it. A journal that was restored from a copy counts
    /// its runs anew, so the number of a run is not enough: the moment when it was asked for tells them apart.
    pub(super) fn step_key(&self, unit: &UnitAt) -> String {
        let lane = unit.lane.as_ref().map(|lane| format!("-{lane}")).unwrap_or_default();
        let asked = self.run.requested.as_millisecond();
        format!("{}-{}-{asked}-{}{lane}", self.inner.journal.id(), self.run.id, unit.number)
    }
}

/// What the host of a step says of how it ended, if it knows.
fn ended(act: &Act, run: &Run, unit: &UnitAt, attempt: u32, report: &Report) -> Option<Done> {
    let unit = unit.clone();
    let outputs = outputs(report, run.id, &unit, attempt, false);
    let world = match exit_of(report) {
        Ok(exit) => {
            let (took, output) = (Millis::from_std(report.took), summary(report));
            World::Ended { unit, attempt, exit, took, output, escaped: escaped(report) }
        }
        Err(NoEnd::NotStarted { why, .. })
            if matches!(report.ending, Ending::NotStarted { code: "not-started", .. }) =>
        {
            World::Unreached { unit, attempt, silent: false, why }
        }
        Err(_) => return None,
    };
    Some(Done { act: act.clone(), world, context: None, blobs: Vec::new(), outputs })
}
