//! The ways out of the house, as `steadyhand doctor` looks at them: when each took something last, and whether it could.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};

use super::environment;
use crate::config::Config;
use crate::duty::model::{Carrier, Notify, Path};
use crate::engine::clock::Clock;
use crate::incident::Incident;
use crate::journal::{Entry, JournalView, incident_stamped};
use crate::library::Snapshot;
use crate::policy::Policy;
use crate::runbook::source::name::PathName;
use crate::secrets::Secrets;
use crate::wording::Moment;
use crate::wording::doctor::Finding;

/// A path that took nothing for so many days is red.
const GOOD_FOR_DAYS: i64 = 7;
/// So many of the newest notices and trials are looked through.
const LOOKED_THROUGH: u32 = 2_000;

/// All paths of notify.yaml; nothing where there is none.
pub(super) async fn of_paths(config: &Config, snapshot: &Snapshot) -> Option<Vec<Finding>> {
    let notify = snapshot.set.notify.as_ref().ok().filter(|notify| !notify.paths.is_empty())?;
    let policy = snapshot.set.policy.as_ref().ok();
    let took = JournalView::open(&config.journal).map(|view| last_taken(&view)).unwrap_or_default();
    let secrets = Secrets::new(config.secrets.clone(), environment);
    let moment = Moment { now: Clock::System.now(), zone: config.time_zone.clone() };
    let mut found = Vec::new();
    for (name, path) in &notify.paths {
        found.push(of_path(name, path, took.get(name).copied(), policy, &secrets, &moment).await);
    }
    found.push(watcher(notify, &secrets).await);
    Some(found)
}

async fn of_path(
    name: &PathName,
    path: &Path,
    last: Option<Timestamp>,
    policy: Option<&Policy>,
    secrets: &Secrets,
    moment: &Moment,
) -> Finding {
    let names: Vec<String> = path.carrier.secrets().iter().map(|secret| secret.value.clone()).collect();
    if let Err(why) = secrets.resolve(&names).await {
        return Finding::new(
            "path",
            format!("{name}: {why}"),
            true,
            "give the bot what it needs to send there",
        );
    }
    if let (Carrier::Discord { channel }, Some(policy)) = (&path.carrier, policy)
        && !policy.is_taken_in(policy.server(), channel)
    {
        let says = format!("{name}: what is pressed in its channel is not heard");
        return Finding::new("path", says, true, "add the channel to doors in policy.yaml");
    }
    let test = format!("notify test {name}");
    let Some(last) = last else {
        return Finding::well("path", format!("{name}: untested; whether it works is seen by {test}"));
    };
    let oldest = moment.now.checked_sub((GOOD_FOR_DAYS * 24).hours()).unwrap_or(Timestamp::MIN);
    let says = format!("{name}: took something last at {}", moment.with_distance(last));
    Finding::new("path", says, last < oldest, format!("{test}; it took nothing for {GOOD_FOR_DAYS} days"))
}

/// Who notices that the bot is silent.
async fn watcher(notify: &Notify, secrets: &Secrets) -> Finding {
    let Some(watcher) = &notify.watcher else {
        let says = "nobody outside would notice that the bot is silent; notify.yaml can name a watcher";
        return Finding::well("watcher", says);
    };
    match secrets.resolve(std::slice::from_ref(&watcher.url.value)).await {
        Ok(_) => Finding::well("watcher", format!("is called every {}", watcher.every)),
        Err(why) => Finding::new("watcher", why.to_string(), true, "give the bot its address"),
    }
}

/// When each path took something last: a notice, or a trial.
fn last_taken(view: &JournalView) -> BTreeMap<PathName, Timestamp> {
    let mut took: BTreeMap<PathName, Timestamp> = BTreeMap::new();
    let mut note = |path: PathName, at: Timestamp| {
        let last = took.entry(path).or_insert(at);
        *last = at.max(*last);
    };
    for tried in view.newest_of_kind("path-tried", LOOKED_THROUGH).unwrap_or_default() {
        let path = tried.data["path"].as_str().and_then(PathName::new);
        if let Some(path) = path.filter(|_| tried.data["answer"] == "accepted") {
            note(path, tried.time);
        }
    }
    let mut known: BTreeMap<u64, Option<Incident>> = BTreeMap::new();
    for accepted in view.newest_of_kind("notice-accepted", LOOKED_THROUGH).unwrap_or_default() {
        if let Some(path) = path_of(view, &mut known, &accepted) {
            note(path, accepted.time);
        }
    }
    took
}

/// The path of the notice that an entry says was taken.
fn path_of(
    view: &JournalView,
    known: &mut BTreeMap<u64, Option<Incident>>,
    entry: &Entry,
) -> Option<PathName> {
    let id = entry.incident?;
    let incident = known.entry(id.0).or_insert_with(|| view.incident(id).ok().flatten()).as_ref()?;
    let crate::incident::Event::NoticeAccepted { notice, .. } = incident_stamped(entry).ok()?.event else {
        return None;
    };
    Some(incident.notice(notice)?.way.path.clone())
}
