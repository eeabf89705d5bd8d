//! What an event of a run means for incidents.

use super::model::Trouble;
use crate::run::{Run, Stamped};

/// What people must know of it, if anything: `Trouble::Starts` once the holds are taken and all was measured again.
pub fn trouble_of(_run: &Run, _stamped: &Stamped) -> Option<Trouble> {
    todo!()
}
