//! Doors for people: one grammar, one desk that answers, the console, and Discord.

pub mod console;
pub mod desk;
pub mod discord;
pub mod grammar;
