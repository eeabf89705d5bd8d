//! The ways out of the house, as `steadyhand doctor` looks at them: when each took something last, and whether it could; and the
//! door for alerts.

use std::sync::Arc;

use super::environment;
use crate::config::Config;
use crate::duty::model::{Carrier, Notify, Path};
use crate::engine::clock::Clock;
use crate::engine::incidents::known_paths;
use crate::engine::overrides;
use crate::incident::Incident;
use crate::incident::paths::{Seen, seen};
use crate::journal::JournalView;
use crate::library::Snapshot;
use crate::policy::Policy;
use crate::secrets::Secrets;
use crate::wording::Moment;
use crate::wording::doctor::Finding;
use crate::wording::paths::examined;

/// All paths of notify.yaml and the door for alerts; or that the file cannot be used, or is not there.
pub(super) async fn of_paths(config: &Config, snapshot: &Snapshot) -> Vec<Finding> {
    let notify = match &snapshot.set.notify {
        Ok(notify) => notify,
        Err(why) => return vec![without(why, is_there(snapshot))],
    };
    let policy = snapshot.set.policy.as_ref().ok();
    let view = JournalView::open(&config.journal).ok();
    let secrets = Secrets::new(config.secrets.clone(), environment);
    let moment = Moment { now: Clock::System.now(), zone: config.time_zone.clone() };
    let mut found = Vec::new();
    for seen in seen_in(view.as_ref(), snapshot, policy, &moment) {
        let Some(path) = notify.paths.get(&seen.path) else { continue };
        found.push(match missing(path, policy, &secrets).await {
            Some((says, cure)) => Finding::new("path", format!("{}: {says}", seen.path), true, cure),
            None => of_path(&seen, &moment),
        });
    }
    found.push(watcher(notify, &secrets).await);
    found.extend(alerts(notify, &secrets).await);
    found
}

/// Whether the file lies there, be it as it may.
fn is_there(snapshot: &Snapshot) -> bool {
    snapshot.sources.iter().any(|source| source.name.stem() == "notify")
}

/// Nobody is called by a bot that is started so. Whoever has no file may have meant that; problems are never meant.
fn without(why: &str, is_there: bool) -> Finding {
    let says = format!("{why}: a bot that is started now calls nobody");
    Finding::new("notify", says, is_there, "steadyhand check says what and where")
}

/// How each path is, by what the journal says; without a policy nobody can be told, and nothing is tried.
fn seen_in(
    view: Option<&JournalView>,
    snapshot: &Snapshot,
    policy: Option<&Policy>,
    moment: &Moment,
) -> Vec<Seen> {
    let Some(policy) = policy else { return Vec::new() };
    let known = view.map(known_paths).unwrap_or_default();
    let open = view.and_then(|view| Some((view, view.open_incidents().ok()?)));
    let open: Vec<Arc<Incident>> = open
        .map(|(view, open)| {
            open.into_iter().filter_map(|id| view.incident(id).ok().flatten().map(Arc::new)).collect()
        })
        .unwrap_or_default();
    let said = view.and_then(|view| overrides(view).ok()).unwrap_or_default();
    let duty = snapshot.set.duty(policy, &said);
    seen(&duty, &known, &open, &moment.zone, (moment.now, moment.now))
}

/// What a path lacks that it needs before anything can go over it, and what to do.
async fn missing(path: &Path, policy: Option<&Policy>, secrets: &Secrets) -> Option<(String, &'static str)> {
    let names: Vec<String> = path.carrier.secrets().iter().map(|secret| secret.value.clone()).collect();
    if let Err(why) = secrets.resolve(&names).await {
        return Some((why.to_string(), "give the bot what it needs to send there"));
    }
    if let (Carrier::Discord { channel }, Some(policy)) = (&path.carrier, policy)
        && !policy.is_taken_in(policy.server(), channel)
    {
        let says = "what is pressed in its channel is not heard".to_owned();
        return Some((says, "add the channel to doors in policy.yaml"));
    }
    None
}

fn of_path(seen: &Seen, moment: &Moment) -> Finding {
    match examined(seen, moment) {
        (says, None) => Finding::well("path", says),
        (says, Some(cure)) => Finding::new("path", says, true, cure),
    }
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

/// Whether the door for alerts can know who may post; nothing where it is closed.
async fn alerts(notify: &Notify, secrets: &Secrets) -> Option<Finding> {
    let name = notify.reports.alerts.as_ref()?;
    Some(match secrets.resolve(std::slice::from_ref(&name.value)).await {
        Ok(_) => Finding::well("alerts", "are taken from whoever shows the token"),
        Err(why) => {
            let says = format!("none is taken: {why}");
            Finding::new("alerts", says, true, "give the bot the token that Alertmanager shows")
        }
    })
}
