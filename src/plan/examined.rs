//! What is measured of a host by itself, without any runbook.

use std::collections::BTreeMap;

use super::model::GuardSeen;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;

/// A host that was examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its name.
    pub host: HostName,
    /// How it is reached: `ana@10.0.0.1:22`.
    pub at: String,
    /// The fingerprints of the keys that are pinned for it.
    pub keys: Vec<String>,
    /// What could be asked of it; or why nothing could: the stable code, and the end of a sentence.
    pub answers: Result<Answers, (String, String)>,
}

/// What a host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// What a command that does nothing costs over an open connection: the median, in milliseconds.
    pub cost_ms: u64,
    /// What its guard says of itself, or why there is none.
    pub guard: Result<GuardSeen, String>,
    /// How far its clock is ahead of ours; below 0 it is behind. None if it did not say.
    pub ahead: Option<Millis>,
    /// What it says of itself, by name: `shell`, `room` (KiB), `durable`, `kills`, `missing`.
    pub told: BTreeMap<String, String>,
    /// How many programs the packs of this host need.
    pub commands: usize,
}
