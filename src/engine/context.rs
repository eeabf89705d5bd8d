//! What a run needs to be carried on: its files, what its names mean, and how its hosts are reached.

use std::sync::Arc;

use crate::library::Snapshot;
use crate::plan::measure::ErrandBody;
use crate::plan::model::{Body, Command, Path, Plan};
use crate::plan::situation::{RunWords, Situation};
use crate::run::{Run, UnitAt};
use crate::runbook::model::{Item, Runbook};
use crate::runbook::source::name::HostName;
use crate::target::Destination;

/// The files and meanings of one run.
#[derive(Debug, Clone)]
pub struct Context {
    /// The files.
    pub snapshot: Arc<Snapshot>,
    /// The name of the runbook.
    pub runbook: crate::runbook::source::name::RunbookName,
    /// What names mean.
    pub situation: Arc<Situation>,
}

impl Context {
    /// The context of a plan, made from the files that it was made from: the same after a restart.
    pub fn of_plan(snapshot: Arc<Snapshot>, run: &Run, plan: &Plan) -> Option<Self> {
        let runbook = snapshot.set.runbooks.get(&plan.runbook)?;
        let words =
            RunWords { id: run.id.0, reason: plan.reason.clone(), started_by: plan.asked_by.to_string() };
        let values = plan.parameters.iter().cloned().collect();
        let situation = Situation::new(&snapshot.set, runbook, values, &plan.topology, &words);
        Some(Self { runbook: plan.runbook.clone(), situation: Arc::new(situation), snapshot })
    }

    /// The runbook.
    ///
    /// # Panics
    /// Never: a context is made of a set that has its runbook.
    pub fn runbook(&self) -> &Runbook {
        self.snapshot.set.runbooks.get(&self.runbook).expect("a context has its runbook")
    }

    /// The entry of the runbook at a path, and the name of its host at hand.
    pub fn item(&self, path: Path) -> Option<(&Item, Option<&str>)> {
        let item = self.runbook().items.get(path.item)?;
        match (item, path.inner) {
            (Item::Each(each), Some(inner)) => {
                each.items.get(inner).map(|item| (item, Some(each.variable.value.as_str())))
            }
            (item, _) => Some((item, None)),
        }
    }

    /// The entry of a unit, and its host at hand.
    pub fn item_of<'a>(
        &'a self,
        run: &Run,
        at: &'a UnitAt,
    ) -> Option<(&'a Item, Option<(&'a str, &'a HostName)>)> {
        let path = run.unit(at)?.path;
        let (item, variable) = self.item(path)?;
        let at_hand = variable.and_then(|variable| at.lane.as_ref().map(|lane| (variable, lane)));
        Some((item, at_hand))
    }

    /// How a host is reached, as the inventory says now.
    pub fn destination(&self, name: &HostName) -> Option<Destination> {
        let host = self.snapshot.set.inventory.hosts.get(name)?;
        Some(Destination {
            name: name.clone(),
            address: host.address.value.clone(),
            port: host.port,
            user: host.user.value.clone(),
        })
    }
}

/// A command of the plan as it is sent.
pub fn errand_body(plan: &Plan, command: &Command, run_id: u64) -> Option<ErrandBody> {
    match &command.body {
        Body::Run { argv } => Some(ErrandBody::Run(argv.clone())),
        Body::Script { sha256, variables } => {
            let text = plan.scripts.get(sha256)?.clone();
            let mut variables = variables.clone();
            variables.insert("run_id".to_owned(), run_id.to_string());
            Some(ErrandBody::Script { text, variables })
        }
    }
}
