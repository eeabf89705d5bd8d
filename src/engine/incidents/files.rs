//! The files as incidents need them: those of this moment, or the last that could be used. An incident never waits until
//! somebody has mended a file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::duty::{Duty, Notify, Override};
use crate::engine::{Inner, lock};
use crate::inventory::Inventory;
use crate::library::{NotLoaded, Snapshot};
use crate::policy::Policy;
use crate::policy::model::Doors;
use crate::runbook::source::place::FileName;

/// How `notify.yaml` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyFile {
    /// It can be used.
    Usable,
    /// There is none, and there was none since the bot was started: nobody is called.
    Missing,
    /// It cannot be used, and why; what was read before goes on.
    Old(String),
    /// It cannot be used, and why; nothing was read before, so that nobody is called.
    Unusable(String),
}

/// The files of one moment.
#[derive(Debug, Clone)]
pub(super) struct Known {
    snapshot: Option<Arc<Snapshot>>,
    /// Why there are none.
    why: String,
    nobody: Arc<Policy>,
    /// How people are told while paths fail: over those at last.
    avoiding: Option<Arc<Notify>>,
    overrides: Arc<[Override]>,
}

impl Known {
    /// Reads them.
    pub(super) fn of(inner: &Inner) -> Self {
        let said = inner.said();
        let (snapshot, why) = match usable(inner) {
            Ok(snapshot) => (Some(snapshot), String::new()),
            Err(why) => (None, why),
        };
        let avoiding = snapshot.as_ref().and_then(|snapshot| avoiding(inner, snapshot));
        Self { snapshot, why, nobody: Arc::new(nobody()), avoiding, overrides: said.overrides }
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
            Some(snapshot) => {
                let duty = snapshot.set.duty(self.policy(), &self.overrides);
                Duty { notify: self.avoiding.as_deref().map_or(duty.notify, Ok), ..duty }
            }
            None => Duty { policy: &self.nobody, notify: Err(&self.why), overrides: &self.overrides },
        }
    }
}

/// How people are told while paths fail; none while all are well.
fn avoiding(inner: &Inner, snapshot: &Snapshot) -> Option<Arc<Notify>> {
    let known = lock(&inner.incidents.paths);
    let fail: BTreeSet<_> =
        known.iter().filter(|(_, known)| known.fails()).map(|(path, _)| path.clone()).collect();
    let notify = snapshot.set.notify.as_ref().ok().filter(|_| !fail.is_empty())?;
    Some(Arc::new(notify.clone().avoiding(&fail)))
}

/// The files as they are now, or those that could be used whole last; and without those as far as they can be used.
pub(super) fn usable(inner: &Inner) -> Result<Arc<Snapshot>, String> {
    let now = inner.snapshot();
    let mut last = lock(&inner.incidents.usable);
    match now {
        Ok(now) if now.set.policy.is_ok() && now.set.notify.is_ok() => {
            *last = Some(now.clone());
            return Ok(now);
        }
        Ok(now) if last.is_none() => return Ok(now),
        _ => {}
    }
    let Some(last) = last.clone() else { return Err("the files cannot be used".to_owned()) };
    Ok(last.at(inner.clock.now(), &inner.said()).map_or(last, Arc::new))
}

/// How `notify.yaml` is at this moment.
pub(super) fn of_notify(inner: &Inner) -> NotifyFile {
    let is_notify = |file: &FileName| file.stem() == "notify";
    let why = match inner.snapshot() {
        Ok(now) => match &now.set.notify {
            Ok(_) => return NotifyFile::Usable,
            Err(why) if now.sources.iter().any(|source| is_notify(&source.name)) => Some(why.clone()),
            // It may be that nobody is to be told.
            Err(_) => None,
        },
        Err(NotLoaded::Problems(report)) => {
            let of_notify = report.problems.iter().any(|problem| is_notify(&problem.place.file));
            let whose = if of_notify { "notify.yaml has problems" } else { "the runbooks have problems" };
            Some(whose.to_owned())
        }
        Err(NotLoaded::Unreadable(why)) => Some(why),
    };
    let was_read = lock(&inner.incidents.usable).as_ref().is_some_and(|last| last.set.notify.is_ok());
    match why {
        Some(why) if was_read => NotifyFile::Old(why),
        None if was_read => NotifyFile::Old("there is no notify.yaml any more".to_owned()),
        Some(why) => NotifyFile::Unusable(why),
        None => NotifyFile::Missing,
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
        incidents: None,
        break_glass: None,
    }
}
