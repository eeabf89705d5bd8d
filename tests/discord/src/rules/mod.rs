//! What Discord accepts in a body: tables of fields, and the rules between fields.

pub(crate) mod commands;
pub(crate) mod components;
pub(crate) mod messages;
pub(crate) mod places;
