//! The runbook language.

pub mod expression;
pub mod given;
pub mod grammar;
pub mod model;
pub mod read;
pub mod source;
pub mod text;
