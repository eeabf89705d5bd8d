//! The state machine of one run. Pure: the same inputs give the same events, and the same events the same state.
//!
//! ```text
//! input --decide--> events --apply--> state --next--> what the bot must do now
//! ```
//!
//! Nothing is done here. `next` is a question put to the state, so that after a crash a replay gives the same answer,
//! and an effect can never be lost with the process that was about to cause it.

pub mod apply;
pub mod decide;
pub mod event;
pub mod input;
pub mod model;
pub mod next;
pub mod pace;

pub use apply::apply;
pub use decide::{Decided, decide};
pub use event::{Event, Stamped};
pub use input::{Input, Refusal, Says, World};
pub use model::{Run, RunId, UnitAt};
pub use next::{Act, deadline, next};
