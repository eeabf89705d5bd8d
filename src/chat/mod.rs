//! Doors for people: one grammar, one desk that answers, and the console.

pub mod console;
pub mod desk;
pub mod grammar;
