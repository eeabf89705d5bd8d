//! steadyhand runs the dangerous procedures of operations with a steady hand.
//!
//! A request turns a **runbook** into a **plan**: a fixed list of rendered steps on named hosts, with a digest.
//! **Policy** says who may run it and who must confirm it. A **run** is a pure state machine: inputs are *decided* into
//! events, events are *applied* to state, and state alone tells what is wanted *next*. Every event is appended to one
//! hash-chained **journal**, which is audit log, recovery log and event stream at once. The **engine** appends first and
//! acts second; whoever shows something *follows* the journal.
//!
//! The modules below stand in reading order, and each uses only those above it. `tests/architecture.rs` holds them to
//! that; `ARCHITECTURE.md` tells the rest.

// Pure: no file, no socket, no clock, no randomness, no async. Time, ids and measured values come in as values.
pub mod runbook;
pub mod inventory;
pub mod policy;
pub mod duty;
pub mod authoring;
pub mod plan;
pub mod run;
pub mod incident;
pub mod wording;

// The outside: what is stored, where commands are carried out, what is read; and where a test ends the process.
pub mod failpoint;
pub mod journal;
pub mod secrets;
pub mod target;
pub mod library;
pub mod notify;

// The middle: the only loop that acts.
pub mod engine;

// The faces, and what puts everything together.
pub mod chat;
pub mod config;
pub mod serve;
pub mod cli;
