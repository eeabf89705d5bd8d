//! Who may do what.

pub mod model;
pub mod read;
