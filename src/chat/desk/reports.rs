//! What people and alerts report: what becomes of it, and what was reported lately.

use jiff::ToSpan as _;

use super::{Desk, Reply};
use crate::duty::model::ReportRules;
use crate::engine::incidents::{ReportOf, reports as recorded};
use crate::engine::{Engine, Refused, Speaker};
use crate::incident::Incident;
use crate::incident::next::after;
use crate::incident::report::{KIND, Of, Report};
use crate::runbook::source::name::ServiceName;
use crate::wording::Page;
use crate::wording::incident::reports::Home;
use crate::wording::incident::{refusal, reports as words};

/// What was reported within this time is listed,
const LISTED_MINUTES: i64 = 60;
/// and of that no more than this.
const LISTED: u32 = 500;
/// Among so many of the newest incidents is looked for those that reports belong to.
const RECENT: usize = 50;

impl Desk {
    /// Somebody reports something: what became of it.
    pub(super) async fn report(
        &self,
        engine: &Engine,
        speaker: &Speaker,
        of: &ReportOf,
        said: &str,
    ) -> Result<Reply, Refused> {
        let moment = self.moment();
        match engine.incidents().report(speaker, of, said).await {
            Ok((of, became)) => {
                let problems = self.problems_of_notify();
                Ok(Reply::done(words::became(&became, &of, problems.as_deref(), &moment)))
            }
            Err(Refused::UnknownService(typed, services)) => {
                Ok(Reply::refused(words::unknown_service(&typed, &services)))
            }
            Err(Refused::Incident(why)) => {
                let id = match of {
                    ReportOf::Incident(id) => Some(*id),
                    ReportOf::Service(_) => None,
                };
                Ok(Reply::refused(refusal::not_reported(&why, id)))
            }
            Err(refused) => Err(refused),
        }
    }

    /// What was reported lately, in groups.
    pub(super) fn reports(&self) -> Result<Page, Refused> {
        let moment = self.moment();
        let since = moment.now.checked_sub(LISTED_MINUTES.minutes()).unwrap_or(moment.now);
        let Some(view) = &self.journal else { return Ok(words::list(&[], since, false, &moment)) };
        let entries = view.newest_of_kind(KIND, LISTED)?;
        let is_full = entries.len() == LISTED as usize;
        let reports = entries.iter().rev().filter(|entry| entry.time >= since).filter_map(recorded::read);
        let reports: Vec<Report> = reports.collect();
        let more = is_full && reports.len() == entries.len();
        let newest = view.incidents()?.into_iter().rev().take(RECENT);
        let incidents: Vec<Incident> = newest.filter_map(|id| view.incident(id).ok().flatten()).collect();
        let services = self.files().ok().or_else(|| self.last_files());
        let title_of = |service: &ServiceName| {
            Some(services.as_ref()?.set.inventory.services.get(service)?.title.clone())
        };
        let within = services.as_ref().and_then(|files| files.set.notify.as_ref().ok());
        let within = within.map_or_else(ReportRules::default, |notify| notify.reports.clone()).within;
        let mut groups: Vec<(Of, words::Listed)> = Vec::new();
        for report in &reports {
            let home = home(report, &reports, &incidents, after(report.at, within) >= moment.now);
            let at = groups.iter().position(|(of, it)| *of == report.said.of && it.home == home);
            let at = at.unwrap_or_else(|| {
                let title = words::title(&report.said.of, title_of);
                groups.push((report.said.of.clone(), words::Listed { title, reports: Vec::new(), home }));
                groups.len() - 1
            });
            groups[at].1.reports.push(report.clone());
        }
        let mut groups: Vec<words::Listed> = groups.into_iter().map(|(_, listed)| listed).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.reports.last().map(|report| report.entry)));
        Ok(words::list(&groups, since, more, &moment))
    }
}

/// Where a report belongs: to the incident that has it, or that knew it already; else it waits, if that is not too long ago
/// and the alert is not over.
fn home(report: &Report, all: &[Report], incidents: &[Incident], is_new: bool) -> Home {
    let holds = |it: &&Incident| it.reports.iter().any(|other| other.entry == report.entry);
    let knows = |it: &&Incident| {
        let goes_on = it.resolved.is_none_or(|resolved| resolved >= report.at);
        goes_on && !it.is_drill() && it.last_of(report).is_some()
    };
    let incident = incidents.iter().find(holds).or_else(|| incidents.iter().find(knows));
    let is_over = || all.iter().any(|it| it.said.over && it.entry >= report.entry && it.is_same(report));
    match incident {
        Some(incident) => Home::In(incident.id),
        None if is_new && !report.said.drill && !is_over() => Home::Waits,
        None => Home::Nowhere,
    }
}
