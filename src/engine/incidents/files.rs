//! The files as incidents need them: those of this moment, or the last that could be used. An incident never waits until
//! somebody has mended a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::duty::{Duty, Override};
use crate::engine::Inner;
use crate::inventory::Inventory;
use crate::library::Snapshot;
use crate::policy::Policy;
use crate::policy::model::Doors;

/// The files of one moment.
#[derive(Debug, Clone)]
pub(super) struct Known {
    snapshot: Option<Arc<Snapshot>>,
    /// Why there are none.
    why: String,
    nobody: Arc<Policy>,
    overrides: Arc<[Override]>,
}

impl Known {
    /// Reads them.
    pub(super) fn of(inner: &Inner) -> Self {
        let said = inner.said();
        let (mut snapshot, mut why) = match inner.snapshot() {
            Ok(snapshot) => (Some(snapshot), String::new()),
            Err(_) => (None, "the files cannot be used".to_owned()),
        };
        let is_whole = |set: &Arc<Snapshot>| set.set.policy.is_ok() && set.set.notify.is_ok();
        if !snapshot.as_ref().is_some_and(is_whole) {
            let last = inner.planner.library.last_at(inner.clock.now(), &said);
            snapshot = last.filter(is_whole).or(snapshot);
        }
        if let Some(Err(of_policy)) = snapshot.as_ref().map(|snapshot| &snapshot.set.policy) {
            why.clone_from(of_policy);
        }
        Self { snapshot, why, nobody: Arc::new(nobody()), overrides: said.overrides }
    }

    /// The policy; one that has nobody where there is none.
    pub(super) fn policy(&self) -> &Policy {
        let policy = self.snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
        policy.unwrap_or(&self.nobody)
    }

    /// The inventory.
    pub(super) fn inventory(&self) -> Option<&Inventory> {
        self.snapshot.as_ref().map(|snapshot| &snapshot.set.inventory)
    }

    /// Who is on duty, and how people are told.
    pub(super) fn duty(&self) -> Duty<'_> {
        match &self.snapshot {
            Some(snapshot) => snapshot.set.duty(self.policy(), &self.overrides),
            None => Duty { policy: &self.nobody, notify: Err(&self.why), overrides: &self.overrides },
        }
    }
}

/// A policy without anybody.
fn nobody() -> Policy {
    Policy {
        name: String::new(),
        people: BTreeMap::new(),
        roles: BTreeMap::new(),
        windows: BTreeMap::new(),
        doors: Doors { console: false, discord: None },
        rules: Vec::new(),
        secrets: BTreeMap::new(),
        break_glass: None,
    }
}
