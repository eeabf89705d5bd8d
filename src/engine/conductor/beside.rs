//! What is done on hosts beside the steps: connections before them, and clearing up after the run.

use std::collections::{BTreeMap, BTreeSet};

use super::Conductor;
use crate::run::model::{Outcome, Phase, UnitState};
use crate::runbook::source::name::HostName;
use crate::target::{Destination, Leftovers};

impl Conductor {
    /// Connects to every host of the plan while the first of them works.
    pub(super) fn prewarm(&self) {
        let Some(plan) = self.run.plan() else { return };
        let steps = plan.units().filter_map(|(_, unit)| unit.step());
        let hosts: BTreeSet<&HostName> = steps.map(|step| &step.command.host).collect();
        for (host, pin) in hosts.into_iter().filter_map(|host| Some((host, plan.hosts.get(host)?))) {
            let (target, to) = (self.inner.planner.target.clone(), Destination::pinned(host, pin));
            tokio::spawn(async move { target.prewarm(to).await });
        }
    }

    /// What its hosts keep of a run that is over is removed, beside everything else. Where nobody knows how a step ended
    /// it is kept, and so are the folders as long as something could be taken back.
    pub(super) fn clear_up(&self) {
        let Some(plan) = self.run.plan() else { return };
        let undone = self.run.phase == Phase::Ended(Outcome::Undone);
        // By number, not by host: of thousands of hosts it would take seconds, in which nobody else is heard.
        let numbers: BTreeSet<u32> = self.run.sent.iter().map(|at| at.number).collect();
        let goes_back = !undone && numbers.iter().any(|number| !self.run.can_undo(Some(*number)).is_empty());
        let mut left: BTreeMap<&HostName, Leftovers> = BTreeMap::new();
        for at in self.run.units.keys() {
            let step = self.run.step(at).filter(|step| step.effect.changes());
            let known = !matches!(self.run.units.get(at), Some(UnitState::Unknown { .. }));
            let sent = self.run.units.get(at).is_some_and(|state| state.attempts() > 0)
                || self.run.sent.contains(at);
            let Some(step) = step.filter(|_| known && sent) else { continue };
            for host in
                std::iter::once(&step.command.host).chain(step.instead.as_ref().map(|instead| &instead.host))
            {
                let of_host = left.entry(host).or_default();
                of_host.steps.push(self.step_key(at));
                if !goes_back {
                    of_host.folders.push(self.step_key(at));
                }
            }
        }
        for (host, left) in left {
            let Some(pin) = plan.hosts.get(host) else { continue };
            let (target, to) = (self.inner.planner.target.clone(), Destination::pinned(host, pin));
            self.inner.clearing.spawn(async move { target.sweep(to, left).await });
        }
    }
}
