//! What is known of the paths: read from the journal once, and kept as things happen.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Incidents, Room};
use crate::duty::path::{Heard, Known};
use crate::engine::{Refused, lock};
use crate::incident::paths::{Seen, heard, reported, seen};
use crate::incident::{Event, Incident};
use crate::journal::{Entry, JournalView, incident_stamped};
use crate::policy::decide::policy_of;
use crate::runbook::source::name::PathName;

/// The entry that a trial is about to be sent, and the one that says what became of it.
pub(super) const TRIES: &str = "path-tries";
pub(super) const TRIED: &str = "path-tried";
/// Of each kind so many of the newest are looked through: a path that takes nothing else is tried every few days.
const LOOKED_THROUGH: u32 = 500;
/// The kinds of entries that say something of a path.
const KINDS: [&str; 7] =
    [TRIES, TRIED, "incident-opened", "notice-accepted", "notice-delayed", "notice-failed", "notice-unknown"];

/// What a journal says of the paths. What cannot be read is not counted: it is said elsewhere.
pub fn known_paths(view: &JournalView) -> BTreeMap<PathName, Known> {
    let newest = KINDS.iter().flat_map(|kind| view.newest_of_kind(kind, LOOKED_THROUGH).unwrap_or_default());
    let mut entries: Vec<Entry> = newest.collect();
    entries.sort_by_key(|entry| entry.seq);
    let mut known: BTreeMap<PathName, Known> = BTreeMap::new();
    let mut incidents: BTreeMap<u64, Option<Incident>> = BTreeMap::new();
    for entry in &entries {
        if let Some((path, heard)) = of_entry(view, &mut incidents, entry) {
            known.entry(path).or_default().hear(entry.time, heard);
        }
    }
    known
}

fn of_entry(
    view: &JournalView,
    incidents: &mut BTreeMap<u64, Option<Incident>>,
    entry: &Entry,
) -> Option<(PathName, Heard)> {
    let Some(id) = entry.incident else {
        let path = entry.data["path"].as_str().and_then(PathName::new)?;
        let why = || entry.data["why"].as_str().unwrap_or("it did not take a trial").to_owned();
        return Some(match (entry.kind.as_str(), entry.data["answer"].as_str()) {
            (TRIES, _) => (path, Heard::Tries),
            (_, Some("accepted")) => (path, Heard::Took),
            _ => (path, Heard::Failed(why())),
        });
    };
    let stamped = incident_stamped(entry).ok()?;
    if let Event::IncidentOpened(opened) = &stamped.event {
        // It says all itself: hundreds of incidents are not read for it.
        return reported(opened);
    }
    let incident = incidents.entry(id.0).or_insert_with(|| view.incident(id).ok().flatten()).as_ref()?;
    heard(incident, &stamped)
}

impl Room {
    /// Something happened on a path.
    pub(super) fn hears_of_path(&self, path: PathName, at: Timestamp, heard: Heard) {
        lock(&self.paths).entry(path).or_default().hear(at, heard);
        self.paths_changed.notify_one();
    }
}

impl Incidents {
    /// Every path of `notify.yaml`, as it is now.
    pub fn paths(&self) -> Result<Vec<Seen>, Refused> {
        self.paths_since(Timestamp::MIN)
    }

    /// The same, where somebody tries paths since that moment.
    pub(super) fn paths_since(&self, up: Timestamp) -> Result<Vec<Seen>, Refused> {
        let inner = &self.engine.inner;
        let snapshot = self.files()?;
        let policy = policy_of(&snapshot.set.policy).map_err(Refused::Denied)?;
        let overrides = self.engine.overrides();
        let known = lock(&self.room().paths).clone();
        let open: Vec<_> = lock(&self.room().open).values().cloned().collect();
        let duty = snapshot.set.duty(policy, &overrides);
        Ok(seen(&duty, &known, &open, &inner.zone, (up, inner.clock.now())))
    }
}
