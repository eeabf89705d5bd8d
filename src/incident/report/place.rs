//! What becomes of a report: it joins, waits, or opens an incident.

use super::{Of, Report, Source, distinct};
use crate::duty::model::ReportRules;
use crate::incident::model::{Cause, Incident, IncidentId, Severity, Status};
use crate::incident::next::after;
use crate::runbook::source::literal::Millis;

/// So many reports wait for others, the newest ones.
const MAX_WAITING: usize = 1_000;

/// What becomes of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It belongs to an open incident, and is news there.
    Joins(IncidentId),
    /// This incident knows it already, or takes no more: nothing happens.
    Known(IncidentId),
    /// Too few say it as yet.
    Waits,
    /// One incident begins with all of these.
    Opens {
        /// How bad it is as far as is known.
        severity: Severity,
        /// In the order in which they came; this one is the last.
        reports: Vec<Report>,
    },
    /// An alert is over that no incident has, or it was said in a drill that is over.
    Nothing,
}

/// What becomes of a report, given those that wait, and the incidents: those that are open, and newly closed ones. It asks
/// no clock: a report counts from the time at which it was heard, also when it is read again after a restart. What led to
/// nothing then leads to nothing now.
pub fn place<'a>(
    report: &Report,
    waiting: &[Report],
    incidents: impl Iterator<Item = &'a Incident> + Clone,
    rules: &ReportRules,
) -> Place {
    if let Some(knew) = incidents.clone().find(|it| knew(it, report)) {
        return Place::Known(knew.id);
    }
    let open = incidents.filter(|it| !it.is_closed());
    let goes_on = |it: &&Incident| it.status < Status::Resolved;
    let said_of = report.said.incident.and_then(|id| open.clone().filter(goes_on).find(|it| it.id == id));
    let holds = |it: &&Incident| it.last_of(report).is_some_and(|last| !last.said.over);
    if report.said.over {
        let holder = open.clone().find(holds);
        return holder.map_or(Place::Nothing, |it| Place::Joins(it.id));
    }
    if report.said.drill && said_of.is_none() {
        return Place::Nothing;
    }
    let home = said_of.or_else(|| open.filter(goes_on).find(|it| is_about(it, &report.said.of)));
    if let Some(home) = home {
        let is_too_much = home.is_full() && !(calls_at_once(report, rules) && home.is_mild());
        return if holds(&home) || is_too_much { Place::Known(home.id) } else { Place::Joins(home.id) };
    }
    let mut reports: Vec<Report> = counted(report, waiting, rules.within).cloned().collect();
    reports.push(report.clone());
    if calls_at_once(report, rules) {
        Place::Opens { severity: Severity::Sev2, reports }
    } else if distinct(&reports) >= rules.burst {
        Place::Opens { severity: Severity::Sev3, reports }
    } else {
        Place::Waits
    }
}

/// Whether an incident that has ended since knew this when it was said.
fn knew(incident: &Incident, report: &Report) -> bool {
    let before = |known: &&Report| known.entry < report.entry && known.is_same(report);
    !report.said.over
        && incident.resolved.is_some_and(|resolved| resolved > report.at)
        && incident.reports.iter().rev().find(before).is_some_and(|last| !last.said.over)
}

/// Whether it is about what an incident is about. Planned work is no place for what customers feel meanwhile, and a drill
/// is none for what is real.
fn is_about(incident: &Incident, of: &Of) -> bool {
    let is_real = !incident.is_drill() && incident.severity != Severity::Planned;
    is_real
        && match of {
            Of::Service(service) => incident.opened.service.as_ref() == Some(service),
            Of::Unknown(_) => {
                let first = match &incident.opened.cause {
                    Cause::Reports { reports } => reports.first(),
                    _ => None,
                };
                incident.opened.service.is_none() && first.is_some_and(|first| first.said.of == *of)
            }
        }
}

/// Those that wait and count with this one: of the same, and not longer ago than a burst lasts.
pub fn counted<'a>(
    report: &'a Report,
    waiting: &'a [Report],
    within: Millis,
) -> impl Iterator<Item = &'a Report> {
    waiting.iter().filter(move |other| {
        other.said.of == report.said.of && !other.is_same(report) && after(other.at, within) >= report.at
    })
}

/// Whether an alert is labelled as one for which nobody waits.
pub fn calls_at_once(report: &Report, rules: &ReportRules) -> bool {
    let Source::Alert(alert) = &report.said.source else { return false };
    !report.said.over && alert.severity.as_ref().is_some_and(|it| rules.opens_at_once.contains(it))
}

/// Puts a report among those that wait. Whatever said the same before is replaced, and so is an alert that is over; what no
/// burst can reach any more is forgotten.
pub fn wait(waiting: &mut Vec<Report>, report: Report, within: Millis) {
    waiting.retain(|other| !other.is_same(&report) && after(other.at, within) >= report.at);
    if !report.said.over {
        waiting.push(report);
    }
    let too_many = waiting.len().saturating_sub(MAX_WAITING);
    waiting.drain(..too_many);
}
