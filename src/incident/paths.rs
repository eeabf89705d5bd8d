//! What notices say of the paths out of the house, and how each path is at a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::model::{Cause, Incident, Opened};
use super::{Event, Stamped};
use crate::duty::Duty;
use crate::duty::path::{Heard, Known, State};
use crate::duty::trials::{Target, Whose};
use crate::runbook::source::name::PathName;

/// What an event of an incident says of a path, and of which. Most say nothing of any.
pub fn heard(incident: &Incident, stamped: &Stamped) -> Option<(PathName, Heard)> {
    let (notice, heard) = match &stamped.event {
        Event::IncidentOpened(opened) => return reported(opened),
        Event::NoticeAccepted { notice, .. } => (notice, Heard::Took),
        Event::NoticeDelayed { notice, why, .. }
        | Event::NoticeFailed { notice, why }
        | Event::NoticeUnknown { notice, why, .. } => (notice, Heard::Failed(why.clone())),
        _ => return None,
    };
    Some((incident.notice(*notice)?.way.path.clone(), heard))
}

/// The path that an incident was opened because of.
pub fn reported(opened: &Opened) -> Option<(PathName, Heard)> {
    let Cause::Watch { path, .. } = &opened.cause else { return None };
    Some((path.clone()?, Heard::Reported))
}

/// A path at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub path: PathName,
    /// How it is.
    pub state: State,
    /// What is known of it.
    pub known: Known,
    /// How it can be tried.
    pub target: Target,
    /// Whose way it is.
    pub whose: Whose,
    /// So many notices wait for it, and try it by themselves.
    pub waits: usize,
    /// When it is tried next if it takes nothing before. None where it never is, and while notices wait for it.
    pub next: Option<Timestamp>,
    /// Nobody has been told that it is red, and whoever tries paths could have tried it: an incident is opened.
    pub is_to_report: bool,
}

/// Every path of `notify.yaml`. `up` is since when somebody tries paths, and `zone` that of the bot.
pub fn seen(
    duty: &Duty<'_>,
    known: &BTreeMap<PathName, Known>,
    open: &[Arc<Incident>],
    zone: &TimeZone,
    (up, now): (Timestamp, Timestamp),
) -> Vec<Seen> {
    let Ok(notify) = duty.notify else { return Vec::new() };
    let times = notify.trials.times(zone);
    let of_path = |path: &PathName| {
        let known = known.get(path).cloned().unwrap_or_default();
        let target = duty.target(path, now);
        let times = target.letter().map(|_| &times);
        let waits = open.iter().flat_map(|incident| &incident.notices);
        let waits = waits.filter(|notice| notice.delivery.is_open() && notice.way.path == *path).count();
        Seen {
            path: path.clone(),
            state: known.state(times, now),
            whose: notify.whose(path),
            next: times.filter(|_| waits == 0).map(|times| known.next_trial(times, now)),
            is_to_report: known.is_to_report(times, up, now),
            waits,
            target,
            known,
        }
    };
    notify.paths.keys().map(of_path).collect()
}

/// The path of an incident that the watch opened and that goes on, if that path took something since.
pub fn healed<'a>(incident: &'a Incident, seen: &[Seen]) -> Option<&'a PathName> {
    let path = incident.red_path()?;
    let known = &seen.iter().find(|seen| seen.path == *path)?.known;
    let is_news = incident.path_takes.is_none() && incident.resolved.is_none();
    (is_news && known.took.is_some_and(|took| took > incident.since)).then_some(path)
}
