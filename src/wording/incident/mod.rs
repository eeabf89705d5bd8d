//! Incidents as people see them who look: which there are, how one stands, what happened, what is left to write.

pub mod help;
pub mod said;
