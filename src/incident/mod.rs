//! When a run becomes an incident, who owes what by when, and who is told over which path. Pure: the same inputs give
//! the same events, and the same events the same state.
//!
//! ```text
//! input --decide--> events --apply--> state --next--> what is sent now; deadline: when to look again
//! ```
//!
//! What is told is part of the same state: a notice is queued by the event that causes it, in the same append, and a
//! replay after a crash finds it where it was. **Accepted is not told**: a path took it. Only a person who says so has
//! been told, and only that ends an escalation.

pub mod apply;
pub mod customers;
pub mod decide;
pub mod event;
pub mod from_run;
pub mod input;
pub mod model;
pub mod next;
pub mod paths;
pub mod report;

pub use apply::apply;
pub use decide::{Decided, decide};
pub use event::{Event, Stamped};
pub use input::{Input, Refusal, Says};
pub use model::{Incident, IncidentId};
pub use next::{deadline, next};
