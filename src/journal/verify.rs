//! Checks that nothing in a journal was changed: the chain, the columns beside it, the holds, the files.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::entry::{Broken, Chain};
use super::store::Lines;
use super::{JournalView, OpenError, stamped};

use crate::run::{Event, Run, RunId};

/// What a check of a journal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries hold.
    pub entries: u64,
    /// The hash of the last one that holds: compare it with a copy that was kept elsewhere.
    pub head: String,
    /// The first entry that does not hold, and why.
    pub broken: Option<(u64, Broken)>,
    /// What stands beside the chain and disagrees with it, as sentences.
    pub beside: Vec<String>,
}

impl Verified {
    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.broken.is_none() && self.beside.is_empty()
    }
}

impl JournalView {
    /// Checks every entry and what stands beside them.
    pub fn verify(&self) -> Result<Verified, OpenError> {
        let reader = self.reader();
        let mut chain = Chain::default();
        let mut runs: BTreeMap<RunId, Run> = BTreeMap::new();
        let mut broken = None;
        for stored in reader.lines(Lines::All)? {
            let entry = match chain.check(&stored.line, &stored.hash) {
                Ok(entry) => entry,
                Err(why) => {
                    broken = Some((stored.seq, why));
                    break;
                }
            };
            let beside = [
                ("the position", entry.seq == stored.seq),
                ("the run", entry.run == stored.run),
                ("the number within its run", entry.nth == stored.nth),
                ("the type", entry.kind == stored.kind),
            ];
            if let Some((what, _)) = beside.iter().find(|(_, same)| !same) {
                broken = Some((stored.seq, Broken::Index((*what).to_owned())));
                break;
            }
            let Some(id) = entry.run else { continue };
            let stamped = stamped(&entry)?;
            if let Event::Requested(request) = &stamped.event {
                runs.entry(id).or_insert_with(|| Run::new(id, request.clone(), stamped.at));
            }
            if let Some(run) = runs.get_mut(&id) {
                crate::run::apply(run, &stamped);
            }
        }
        let mut beside = Vec::new();
        if broken.is_none() {
            let held: BTreeMap<String, (RunId, u64)> =
                reader.holds()?.into_iter().map(|held| (held.resource.0, (held.run, held.token))).collect();
            let claimed: BTreeMap<String, (RunId, u64)> = runs
                .values()
                .flat_map(|run| run.holds.iter().map(|(name, token)| (name.0.clone(), (run.id, *token))))
                .collect();
            if held != claimed {
                beside.push("The table of holds is not what the entries say.".to_owned());
            }
            let versions: Vec<(RunId, u64)> = runs.values().map(|run| (run.id, run.version)).collect();
            if reader.runs(false)? != versions {
                beside.push("The table of runs is not what the entries say.".to_owned());
            }
            for (sha256, content) in reader.blobs()? {
                if hex::encode(Sha256::digest(content.as_bytes())) != sha256 {
                    beside.push(format!("The file {} was changed.", &sha256[..12.min(sha256.len())]));
                }
            }
        }
        let (entries, head) = chain.head();
        Ok(Verified { entries, head: head.to_owned(), broken, beside })
    }
}
