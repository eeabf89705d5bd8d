//! steadyhand runs the dangerous procedures of operations with a steady hand.

pub mod authoring;
pub mod runbook;
pub mod inventory;
pub mod policy;
pub mod plan;
pub mod run;
pub mod journal;
pub mod target;
pub mod library;
pub mod engine;

pub mod wording;
pub mod chat;
pub mod config;
pub mod cli;
