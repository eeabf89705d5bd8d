//! Checks that nothing in a journal was changed: the chain, the columns beside it, the holds, the files, the outputs.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::entry::{Broken, Chain, GENESIS};
use super::output::{Output, to_compare};
use super::store::{Lines, Reader, StoredKey, StoredLine};
use super::{JournalView, OpenError, event_of, heard, incident_event_of};

use crate::incident::{Incident, IncidentId};
use crate::run::event::{Captured, OutputSummary};
use crate::run::{Event, Run, RunId, Stamped, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::HostName;

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
        // All of one moment: beside a bot that writes, the tables would else be younger than the entries.
        let moment = reader.at_one_moment()?;
        let mut chain = Chain::default();
        let mut said = Said::default();
        let mut holds = (0, GENESIS.to_owned());
        let mut broken = None;
        for stored in reader.lines(Lines::All)? {
            match hear(&stored, &mut chain, &mut said) {
                Ok(()) => holds = (stored.seq, stored.hash),
                Err(why) => {
                    broken = Some((stored.seq, why));
                    break;
                }
            }
        }
        let beside = if broken.is_none() { said.beside(&reader)? } else { Vec::new() };
        drop(moment);
        let (entries, head) = holds;
        Ok(Verified { entries, head, broken, beside })
    }
}

/// Takes the next entry, if it continues the chain, and what stands beside it says the same.
fn hear(stored: &StoredLine, chain: &mut Chain, said: &mut Said) -> Result<(), Broken> {
    let entry = chain.check(&stored.line, &stored.hash)?;
    let beside = [
        ("the position", entry.seq == stored.seq),
        ("the run", entry.run == stored.run),
        ("the incident", entry.incident == stored.incident),
        ("the number within its run or incident", entry.nth == stored.nth),
        ("the type", entry.kind == stored.kind),
    ];
    if let Some((what, _)) = beside.iter().find(|(_, same)| !same) {
        return Err(Broken::Index((*what).to_owned()));
    }
    if let Some(id) = entry.run {
        said.hears(id, &event_of(&entry)?);
    }
    if let Some(id) = entry.incident {
        let stamped = incident_event_of(&entry)?;
        let mut incident = said.incidents.remove(&id);
        heard(&mut incident, id, &stamped);
        said.incidents.extend(incident.map(|incident| (id, incident)));
    }
    Ok(())
}

/// What the entries say, to be held against the tables beside them.
#[derive(Debug, Default)]
struct Said {
    runs: BTreeMap<RunId, Run>,
    incidents: BTreeMap<IncidentId, Incident>,
    /// The last fencing token of every resource.
    tokens: BTreeMap<String, u64>,
    /// What each command printed on both streams; none while its end is not known.
    printed: BTreeMap<(RunId, UnitAt, u32, bool), Option<[Captured; 2]>>,
    /// The last attempt to take back a step.
    undos: BTreeMap<(RunId, UnitAt), u32>,
}

impl Said {
    fn hears(&mut self, id: RunId, stamped: &Stamped) {
        if let Event::Requested(request) = &stamped.event {
            self.runs.entry(id).or_insert_with(|| Run::new(id, request.clone(), stamped.at));
        }
        if let Event::HoldsTaken { holds } | Event::UndoOffered { holds, .. } = &stamped.event {
            for (resource, token) in holds {
                let last = self.tokens.entry(resource.0.clone()).or_default();
                *last = (*last).max(*token);
            }
        }
        self.hears_of_output(id, &stamped.event);
        if let Some(run) = self.runs.get_mut(&id) {
            crate::run::apply(run, stamped);
        }
    }

    fn hears_of_output(&mut self, id: RunId, event: &Event) {
        let (unit, attempt, undo, output): (_, _, _, Option<&OutputSummary>) = match event {
            Event::StepSent { unit, attempt, .. } => (unit, *attempt, false, None),
            Event::StepEnded { unit, attempt, output, .. } => (unit, *attempt, false, Some(output)),
            Event::UndoSent { unit, attempt, .. } => {
                self.undos.insert((id, unit.clone()), *attempt);
                (unit, *attempt, true, None)
            }
            Event::UndoDone { unit, .. } | Event::UndoFailed { unit, .. } => {
                let output = match event {
                    Event::UndoDone { ended, .. } => ended.as_ref().map(|(_, _, output)| output),
                    Event::UndoFailed { output, .. } => output.as_ref(),
                    _ => None,
                };
                let attempt = self.undos.get(&(id, unit.clone())).copied().unwrap_or_default();
                (unit, attempt, true, output)
            }
            _ => return,
        };
        self.printed.insert((id, unit.clone(), attempt, undo), output.map(to_compare));
    }

    /// Whether an output is what its event says. Of a command whose end nobody knows the chain has no output.
    fn fits(&self, key: &StoredKey, output: &Output) -> bool {
        let lane = if key.lane.is_empty() { Some(None) } else { HostName::new(&key.lane).map(Some) };
        let Some(lane) = lane else { return false };
        let unit = UnitAt { number: key.number, lane };
        match (self.printed.get(&(key.run, unit, key.attempt, key.undo)), key.stream.as_str()) {
            (Some(Some([out, _])), "out") => output.fits(out),
            (Some(Some([_, err])), "err") => output.fits(err),
            (Some(None), "out" | "err") => true,
            _ => false,
        }
    }

    /// What disagrees, as sentences.
    fn beside(&self, reader: &Reader) -> Result<Vec<String>, OpenError> {
        let mut beside = Vec::new();
        let held: BTreeMap<String, (RunId, u64)> =
            reader.holds()?.into_iter().map(|held| (held.resource.0, (held.run, held.token))).collect();
        let holds = |run: &Run| run.holds.clone().into_iter().map(move |(name, token)| (name.0, token));
        let claimed: BTreeMap<String, (RunId, u64)> = self
            .runs
            .values()
            .flat_map(|run| holds(run).map(|(name, token)| (name, (run.id, token))))
            .collect();
        let rows: Vec<_> = self.runs.values().map(|run| (run.id, run.version, !run.is_ended())).collect();
        let incidents: Vec<_> =
            self.incidents.values().map(|it| (it.id, it.version, !it.is_over())).collect();
        let tables = [
            ("holds", held == claimed),
            ("runs", reader.run_rows()? == rows),
            ("incidents", reader.incident_rows()? == incidents),
            ("tokens", reader.tokens()?.into_iter().eq(self.tokens.clone())),
        ];
        for (table, _) in tables.iter().filter(|(_, same)| !same) {
            beside.push(format!("The table of {table} is not what the entries say."));
        }
        for (sha256, content) in reader.blobs()? {
            if hex::encode(Sha256::digest(content.as_bytes())) != sha256 {
                beside.push(format!("The file {} was changed.", sha256.get(..12).unwrap_or(&sha256)));
            }
        }
        reader.each_output(|key, output| {
            if !self.fits(&key, &output) {
                beside.push(format!("What {key} was changed."));
            }
        })?;
        Ok(beside)
    }
}

impl std::fmt::Display for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { run, number, lane, attempt, undo, stream } = self;
        let what = if *undo { "the undo of step" } else { "step" };
        write!(f, "{what} {number} of run {run} printed")?;
        if !lane.is_empty() {
            write!(f, " for {}", visible(lane))?;
        }
        write!(f, " in attempt {attempt} ({})", visible(stream))
    }
}
