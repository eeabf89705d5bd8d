//! Files as authors write them: the YAML tree with places, names, quantities, hidden characters, and problems.
//!
//! Everything that reads a runbook, a pack, the inventory or the policy stands on this. Nothing here knows what a
//! runbook is.

pub mod hidden;
pub mod literal;
pub mod name;
pub mod nearest;
pub mod place;
pub mod problem;
pub mod yaml;
