//! steadyhand runs the dangerous procedures of operations with a steady hand.

pub mod authoring;
pub mod engine;
pub mod inventory;
pub mod journal;
pub mod library;
pub mod plan;
pub mod policy;
pub mod run;
pub mod runbook;
pub mod target;

pub mod chat;
pub mod cli;
pub mod config;
pub mod wording;
