//! What customers read of an incident: what was published, what is to be, and whether they still wait for the word that it
//! is over.

use super::model::{Incident, Obligation, Owed, Severity, Status};
use crate::plan::Digest;

impl Incident {
    /// What names the draft: its text, in this incident, before anything else is published of it. Whoever publishes says
    /// it, so that nothing is published that they have not read, and nothing twice.
    pub fn draft_digest(&self) -> Option<Digest> {
        let draft = self.draft.as_ref()?;
        Some(Digest::of(&(self.id, self.published.len(), &draft.text)))
    }

    /// Whether customers can be told that it is over: it seems to be, or planned work has been done.
    pub fn can_be_cleared(&self) -> bool {
        let seems_over = match self.status {
            Status::Investigating | Status::Identified => {
                self.severity == Severity::Planned && !self.runs.is_empty()
            }
            Status::Monitoring | Status::Resolved | Status::Closed => true,
        };
        seems_over && self.run_that_goes_on().is_none()
    }

    /// Customers were told of it and not that it is over, and nobody has said that they need not be.
    pub fn customers_wait(&self) -> bool {
        self.published.last().is_some_and(|it| !it.over) && !self.all_clear_waived
    }

    /// Customers were told of it, and for all they know it is over.
    pub fn is_over_for_customers(&self) -> bool {
        !self.published.is_empty() && !self.customers_wait()
    }

    /// Whether the all-clear must be owed now.
    pub fn wants_all_clear(&self) -> bool {
        self.customers_wait() && self.can_be_cleared() && self.status < Status::Resolved
    }

    /// What waits for a word to customers.
    pub fn owed_to_customers(&self) -> Option<&Obligation> {
        let public = |it: &&Obligation| matches!(it.owed, Owed::Published | Owed::AllClear);
        self.obligations.iter().filter(|it| it.is_open()).find(public)
    }
}
