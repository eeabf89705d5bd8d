//! Compares what the hosts saw with what the journal says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use steadyhand::journal::{JournalView, stamped};
use steadyhand::run::model::{Outcome, Phase};
use steadyhand::run::{Event, UnitAt};

use super::case::{Case, Scenario};
use super::drive::{Story, Unknown};
use super::ground::Worker;

/// What is wrong, and how much was unknown.
#[derive(Default)]
pub(crate) struct Found {
    /// Effects without an intent before them.
    pub(crate) unrecorded: Vec<String>,
    /// What ran again without a person's word.
    pub(crate) repeats: Vec<String>,
    pub(crate) unknown: usize,
    pub(crate) resolved: usize,
    /// Whatever else is not as it must be.
    other: Vec<String>,
}

impl Found {
    /// What to say of a case that went wrong, with how to see it again; none if all was well.
    pub(crate) fn wrong(&self, case: &Case, seed: u64) -> Option<String> {
        let is_well = self.unrecorded.is_empty() && self.repeats.is_empty() && self.other.is_empty();
        if is_well && self.unknown == self.resolved {
            return None;
        }
        let mut text = format!("BROKEN  make crash CASE='{case}'   (seed {seed})");
        for (what, which) in
            [("unrecorded", &self.unrecorded), ("repeated", &self.repeats), ("wrong", &self.other)]
        {
            for one in which {
                let _ = write!(text, "\n  {what}: {one}");
            }
        }
        if self.unknown != self.resolved {
            let _ = write!(text, "\n  {} of {} unknown outcomes were found out", self.resolved, self.unknown);
        }
        Some(text)
    }
}

/// What the journal knows of one command that was sent.
#[derive(Default)]
struct Intent {
    unit: Option<UnitAt>,
    /// When it was recorded, in nanoseconds.
    at: i128,
    /// It ended with 0.
    ended_well: bool,
    /// It never started.
    never: bool,
    /// Its end is known.
    settled: bool,
}

/// Compares a case that is over.
pub(crate) fn compare(worker: &Worker<'_>, case: &Case, story: &Story) -> Found {
    let mut found = Found { unknown: story.unknown.len(), ..Found::default() };
    found.other.extend(story.trouble.clone());
    let journal = worker.journal();
    match JournalView::open(&journal).and_then(|view| Ok((view.verify()?, view.holds()?))) {
        Ok((verified, holds)) => {
            if !verified.holds() {
                found.other.push(format!("the journal is broken: {verified:?}"));
            }
            if !holds.is_empty() && story.trouble.is_none() {
                found.other.push(format!("it still holds {holds:?}"));
            }
        }
        Err(error) => found.other.push(format!("the journal cannot be read: {error}")),
    }
    let expected = match case.scenario {
        Scenario::EveryKind | Scenario::GoElsewhere | Scenario::MuchBefore => Outcome::Succeeded,
        Scenario::TakeBack => Outcome::Undone,
        Scenario::TakeLong => Outcome::Stopped,
    };
    let phase = story.run.as_ref().map(|run| run.phase);
    if phase != Some(Phase::Ended(expected)) {
        found.other.push(format!("it should have ended as {expected:?}, and is {phase:?}"));
    }
    let asked = story.run.as_ref().map_or(0, |run| run.requested.as_millisecond());
    let id = format!("{}-1-{asked}", name_of(worker).unwrap_or_default());
    let (intents, words) = read(story, &id, &mut found);
    let effects = effects(worker);
    for (key, times) in &effects {
        match intents.get(key) {
            None => found.unrecorded.push(format!("{key} ran, and no intent is recorded")),
            Some(intent) if times.iter().any(|time| *time < intent.at) => {
                found.unrecorded.push(format!("{key} ran before its intent was recorded"));
            }
            Some(intent) if intent.never => {
                found.other.push(format!("{key} ran, and the journal says that it never started"));
            }
            Some(_) => {}
        }
        if times.len() > 1 {
            found.repeats.push(format!("{key} ran {} times", times.len()));
        }
    }
    for (key, intent) in &intents {
        let marks = story.run.as_ref().zip(intent.unit.as_ref()).and_then(|(run, unit)| run.step(unit));
        if intent.ended_well && marks.is_some_and(|step| step.effect.changes()) && !effects.contains_key(key)
        {
            found.other.push(format!("{key} is said to have ended well, and never ran"));
        }
    }
    repeats(story, &id, &effects, &words, &mut found);
    let resolved = |one: &&Unknown| {
        let key = key_of(&id, &one.unit, one.attempt, one.undo);
        let reads =
            story.run.as_ref().and_then(|run| run.step(&one.unit)).is_some_and(|step| !step.effect.changes());
        // What only reads is simply asked again.
        intents.get(&key).is_some_and(|intent| intent.settled || reads)
    };
    found.resolved = story.unknown.iter().filter(resolved).count();
    found
}

/// As the hosts are told: journal, run, when it was asked for, step, host at hand, and attempt.
fn key_of(id: &str, unit: &UnitAt, attempt: u32, undo: bool) -> String {
    let lane = unit.lane.as_ref().map(|lane| format!("-{lane}")).unwrap_or_default();
    format!("{id}-{}{lane}.{}{attempt}", unit.number, if undo { "u" } else { "" })
}

fn name_of(worker: &Worker<'_>) -> Option<String> {
    let raw = rusqlite::Connection::open(worker.journal()).ok()?;
    raw.query_row("select value from meta where key = 'id'", [], |row| row.get(0)).ok()
}

/// Every intent, and how often a person wanted a step again.
fn read(story: &Story, id: &str, found: &mut Found) -> (BTreeMap<String, Intent>, BTreeMap<UnitAt, usize>) {
    let mut intents: BTreeMap<String, Intent> = BTreeMap::new();
    let mut words: BTreeMap<UnitAt, usize> = BTreeMap::new();
    let mut last: BTreeMap<UnitAt, String> = BTreeMap::new();
    for entry in &story.entries {
        let Ok(stamped) = stamped(entry) else { continue };
        let at = stamped.at.as_nanosecond();
        match stamped.event {
            Event::StepSent { unit, attempt, .. } => {
                let key = key_of(id, &unit, attempt, false);
                last.insert(unit.clone(), key.clone());
                intents.insert(key, Intent { unit: Some(unit), at, ..Intent::default() });
            }
            Event::UndoSent { unit, attempt, .. } => {
                let key = key_of(id, &unit, attempt, true);
                last.insert(unit.clone(), key.clone());
                intents.insert(key, Intent { unit: Some(unit), at, ..Intent::default() });
            }
            Event::StepEnded { unit, attempt, exit, .. } => {
                if let Some(intent) = intents.get_mut(&key_of(id, &unit, attempt, false)) {
                    intent.settled = true;
                    intent.ended_well = exit.is_success();
                }
            }
            Event::StepUnreached { unit, .. } => {
                if let Some(intent) = last.get(&unit).and_then(|key| intents.get_mut(key)) {
                    intent.settled = true;
                    intent.never = true;
                }
            }
            Event::UndoDone { unit, ended: Some(_) } => {
                if let Some(intent) = last.get(&unit).and_then(|key| intents.get_mut(key)) {
                    intent.settled = true;
                    intent.ended_well = true;
                }
            }
            Event::UndoFailed { unit, unknown, output, .. } => {
                if let Some(intent) = last.get(&unit).and_then(|key| intents.get_mut(key)) {
                    intent.settled = !unknown;
                    intent.never = !unknown && output.is_none();
                }
            }
            Event::StillUnknown { unit, .. } => {
                found.other.push(format!("a person was asked about {unit:?}"));
            }
            Event::Retried { unit } | Event::ApprovedAgain { unit } => *words.entry(unit).or_default() += 1,
            Event::UndoRetried => {}
            _ => {}
        }
    }
    (intents, words)
}

/// Every line on every host: who ran, and when, in nanoseconds.
fn effects(worker: &Worker<'_>) -> BTreeMap<String, Vec<i128>> {
    let mut effects: BTreeMap<String, Vec<i128>> = BTreeMap::new();
    for home in &worker.homes {
        for line in fs::read_to_string(home.join("ran")).unwrap_or_default().lines() {
            let (key, time) = line.split_once(' ').unwrap_or((line, "0"));
            effects.entry(key.to_owned()).or_default().push(time.parse().unwrap_or(0));
        }
    }
    effects
}

/// A step that may not be repeated runs once, and once more for each time that a person wanted it.
fn repeats(
    story: &Story,
    id: &str,
    effects: &BTreeMap<String, Vec<i128>>,
    words: &BTreeMap<UnitAt, usize>,
    found: &mut Found,
) {
    let Some(run) = &story.run else { return };
    for unit in run.units.keys() {
        let Some(step) = run.step(unit) else { continue };
        if step.repeatable {
            continue;
        }
        let ran = |undo: bool| (1..50).filter(|n| effects.contains_key(&key_of(id, unit, *n, undo))).count();
        let allowed = 1 + words.get(unit).copied().unwrap_or(0);
        if ran(false) > allowed {
            found.repeats.push(format!(
                "step {} ran as {} attempts, and {allowed} were wanted",
                unit.number,
                ran(false)
            ));
        }
    }
}
