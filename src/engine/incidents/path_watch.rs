//! The watch over the paths: each is tried when it took nothing for long, one that is red is said over the others, and
//! one that is well again is said too. What is due when is decided by `duty::path` and `incident::paths`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::keeper::Keeper;
use super::say::whoever_answers;
use super::take::From;
use super::{Incidents, Mail};
use crate::duty::path::Heard;
use crate::engine::lock;
use crate::incident::IncidentId;
use crate::incident::input::Input;
use crate::incident::model::{Cause, Opened, Severity, Status};
use crate::incident::paths::{Seen, healed};
use crate::wording::moment::Moment;
use crate::wording::paths as words;

/// It looks at least so often, since files change.
const LOOKS_EVERY_MINUTES: i64 = 5;
/// What could not be done is tried again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

impl Incidents {
    /// Tries the paths when they are due and says what is red, until the bot ends. Whoever serves does this once, after
    /// there is something that carries notices.
    pub async fn watch_paths(self) {
        let inner = self.engine.inner.clone();
        let up = inner.clock.now();
        loop {
            let looked = async {
                let wake = self.look_after_paths(up).await;
                // What happened while it looked was seen, or wakes it at once.
                tokio::select! {
                    () = self.room().paths_changed.notified() => {}
                    () = inner.clock.until(wake) => {}
                }
            };
            tokio::select! {
                () = inner.ending.cancelled() => return,
                () = looked => {}
            }
        }
    }

    /// Does what is due. Gives when to look again if nothing happens before.
    async fn look_after_paths(&self, up: Timestamp) -> Timestamp {
        let seen = self.look_at_paths(up);
        // Behind the look: what is due at once is due at the moment of the look, and the clock goes on.
        let now = self.engine.inner.clock.now();
        let is_due = |seen: &Seen| seen.next.is_some_and(|next| next <= now);
        let Some(seen) = seen else { return later(now) };
        let mut trials = JoinSet::new();
        for due in seen.iter().filter(|seen| is_due(seen)) {
            let (incidents, path, target) = (self.clone(), due.path.clone(), due.target.clone());
            trials.spawn(async move {
                if let Err(refused) = incidents.tries_by_itself(&path, &target).await {
                    tracing::warn!("path {path} could not be tried: {}", refused.for_log());
                }
            });
        }
        while trials.join_next().await.is_some() {}
        let Some(seen) = self.look_at_paths(up) else { return later(now) };
        for red in seen.iter().filter(|seen| seen.is_to_report) {
            self.says_red(red, &seen).await;
        }
        for incident in self.open() {
            if healed(&incident, &seen).is_some() {
                let (done, is_done) = oneshot::channel();
                self.room().mailbox.send(Mail::PathTakes { id: incident.id, done }).ok();
                is_done.await.ok();
            }
        }
        let now = self.engine.inner.clock.now();
        let soonest = now.checked_add(AGAIN_AFTER).unwrap_or(Timestamp::MAX);
        let next = seen.iter().filter_map(|seen| seen.next).min();
        next.map_or_else(|| later(now), |next| next.max(soonest).min(later(now)))
    }

    fn look_at_paths(&self, up: Timestamp) -> Option<Vec<Seen>> {
        let carries = self.room().carriers.borrow().is_some();
        self.paths_since(up).ok().filter(|_| carries)
    }

    /// One incident for a path that is red.
    async fn says_red(&self, red: &Seen, all: &[Seen]) {
        let inner = &self.engine.inner;
        let moment = Moment { now: inner.clock.now(), zone: inner.zone.clone() };
        let Ok(snapshot) = self.files() else { return };
        let Ok(policy) = &snapshot.set.policy else { return };
        let states = all.iter().map(|seen| (seen.path.clone(), seen.state)).collect::<BTreeMap<_, _>>();
        let opened = Opened {
            cause: Cause::Watch { why: words::why_red(red, &moment), path: Some(red.path.clone()) },
            severity: Severity::Sev3,
            service: None,
            title: words::TITLE.to_owned(),
            components: Vec::new(),
            what: words::what_is_red(red, &states),
            owner: whoever_answers(snapshot.set.notify.as_ref().ok(), policy),
            drill: None,
            news: None,
            follows: None,
        };
        let (done, is_done) = oneshot::channel();
        self.room().mailbox.send(Mail::PathIsRed { opened: Box::new(opened), done }).ok();
        is_done.await.ok();
    }
}

impl Keeper {
    /// Opens the incident of a path that is red, unless one is there.
    pub(super) async fn path_is_red(&mut self, opened: &Opened) {
        let Cause::Watch { path: Some(path), .. } = &opened.cause else { return };
        if lock(&self.inner.incidents.paths).get(path).is_some_and(|known| known.reported) {
            return;
        }
        let is_there =
            |it: &&crate::incident::Incident| it.red_path() == Some(path) && it.status < Status::Resolved;
        if self.open.values().any(|it| is_there(&it)) {
            let now = self.inner.clock.now();
            self.inner.incidents.hears_of_path(path.clone(), now, Heard::Reported);
        } else if let Err(why) = self.begin(opened, &[], From::default()).await {
            tracing::error!("that path {path} is red could not be recorded: {why}");
        }
    }

    /// The path of an incident took something again.
    pub(super) async fn path_takes(&mut self, id: IncidentId) {
        // It stands still until somebody says something of it, and is asked again then.
        if self.is_parked(id) {
            return;
        }
        if let Err(why) = self.take(id, &[Input::PathTakes], From::default()).await {
            tracing::error!("that the path of {id} is well again could not be recorded: {why}");
        }
    }
}

fn later(now: Timestamp) -> Timestamp {
    now.checked_add(LOOKS_EVERY_MINUTES.minutes()).unwrap_or(Timestamp::MAX)
}
