//! Who stands in: said by people, kept in the journal, read back at the start.

use std::sync::{Arc, PoisonError};

use super::{Engine, Inner, Refused, Speaker};
use crate::duty::{Override, StandIn};
use crate::journal::{JournalView, OpenError};
use crate::library::{NotLoaded, Said, Snapshot};
use crate::policy::decide::Denial;

/// The entries of the journal that say it.
const KIND: &str = "duty-override";

/// So many of the newest are known. Nobody stands in for longer than some months, and these are years.
const MOST: u32 = 1_000;

/// Who stands in, as the journal has it, in the order in which it was said.
pub fn overrides(view: &JournalView) -> Result<Vec<Override>, OpenError> {
    let entries = view.newest_of_kind(KIND, MOST)?;
    let read = |entry: &crate::journal::Entry| match serde_json::from_value(entry.data.clone()) {
        Ok(it) => Some(it),
        Err(error) => {
            // It is never guessed at: the schedule counts as the file has it.
            tracing::error!("entry {} says who stands in, and cannot be read: {error}", entry.seq);
            None
        }
    };
    Ok(entries.iter().rev().filter_map(read).collect())
}

impl Inner {
    /// What was said of roles.
    pub(super) fn said(&self) -> Said {
        self.said.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something else is said of roles from now on.
    pub(super) fn is_said(&self, say: impl FnOnce(&mut Said)) {
        say(&mut self.said.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The files as they are now, and who has which role now.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, NotLoaded> {
        self.planner.library.load_at(self.clock.now(), &self.said())
    }
}

impl Engine {
    /// Who stands in, in the order in which it was said.
    pub fn overrides(&self) -> Arc<[Override]> {
        self.said().overrides
    }

    /// What was said of roles, and stands in no file.
    pub fn said(&self) -> Said {
        self.inner.said()
    }

    /// Lets somebody stand in on a schedule, from now on or later.
    pub async fn stand_in(&self, speaker: &Speaker, asked: &StandIn) -> Result<Override, Refused> {
        let what = format!("oncall override {} {}", asked.schedule, asked.person);
        let snapshot = self.snapshot()?;
        let by = self.person(speaker, &snapshot, &what).await?;
        let policy =
            snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
        let overrides = self.overrides();
        let duty = snapshot.set.duty(policy, &overrides);
        let asked = match duty.who_may_say(&asked.schedule) {
            Ok(roles) => {
                self.allow(speaker, &what, policy.needs_role(&by, "Saying who stands in", &roles), None)
                    .await?;
                duty.stand_in(&by, asked, self.clock().now())
            }
            Err(refusal) => Err(refusal),
        };
        let it = match asked {
            Ok(it) => it,
            Err(refusal) => {
                self.note_denied(speaker, &what, refusal.code(), None).await?;
                return Err(Refused::StandIn(refusal));
            }
        };
        // One at a time, or the memory could forget what the journal has.
        let _written = self.inner.written.lock().await;
        self.inner.note(KIND, Some(speaker.actor()), serde_json::json!(it)).await?;
        // As it was written, so that the order is that of the journal.
        let written = overrides_of(self.view())?;
        self.inner.is_said(|said| said.overrides = written);
        Ok(it)
    }
}

pub(super) fn overrides_of(view: &JournalView) -> Result<Arc<[Override]>, OpenError> {
    Ok(overrides(view)?.into())
}
