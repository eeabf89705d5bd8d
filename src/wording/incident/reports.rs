//! Reports of people and alerts: what they say, what becomes of them, and which there were. Words of an alert are for
//! operators: hosts stand in them.

use std::sync::Arc;

use jiff::Timestamp;

use super::heard;
use super::timeline::Line;
use crate::incident::report::{Of, Report, Source, distinct};
use crate::incident::{Incident, IncidentId};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::ServiceName;
use crate::runbook::source::nearest::nearest;
use crate::wording::moment::Moment;
use crate::wording::page::{Below, Block, Page, Row, Table, plain};
use crate::wording::plan::count;
use crate::wording::refusal::{capital, quoted};

/// Of one report as much is shown where there are several,
const SHOWN: usize = 160;
/// and so many of them.
const AT_ONCE: usize = 5;

/// Who or what reports: `sue`, `alert DiskFull`.
pub fn source(source: &Source) -> String {
    match source {
        Source::Person(person) => person.to_string(),
        Source::Alert(alert) => format!("alert {}", visible(&alert.name)),
    }
}

/// What a report says, as a line: `sue reports: "orders fail"`.
pub fn says(report: &Report) -> String {
    let (who, words) = (source(&report.said.source), visible(&report.said.words));
    match report.said.source {
        Source::Alert(_) if report.said.over => format!("{who} is over"),
        Source::Alert(_) => format!("{who} fires: \"{words}\""),
        Source::Person(_) => format!("{who} reports: \"{words}\""),
    }
}

/// What an incident is that begins with these.
pub fn what(reports: &[Report]) -> String {
    let said: Vec<String> = reports.iter().take(AT_ONCE).map(short).collect();
    let more = reports.len().saturating_sub(AT_ONCE);
    let more = if more > 0 { format!(" And {more} more.") } else { String::new() };
    format!("{}: {}.{more}", capital(&count(distinct(reports), "report")), said.join("; "))
}

/// `by 3 reports: sue, ben, alert DiskFull`.
pub(super) fn cause(reports: &[Report]) -> String {
    let mut sources: Vec<String> = Vec::new();
    for report in reports {
        let name = source(&report.said.source);
        if !sources.contains(&name) {
            sources.push(name);
        }
    }
    let more = sources.len().saturating_sub(AT_ONCE);
    sources.truncate(AT_ONCE);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("by {}: {}{more}", count(distinct(reports), "report"), sources.join(", "))
}

/// What an incident began with, line by line.
pub(super) fn first_lines(reports: &[Report]) -> impl Iterator<Item = Line> {
    reports.iter().map(|report| Line { at: report.at, text: says(report), is_late: false })
}

/// `3rd`
pub fn nth(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// The same, cut.
fn short(report: &Report) -> String {
    let said = says(report);
    if said.chars().count() <= SHOWN {
        return said;
    }
    format!("{}… (cut)\"", said.chars().take(SHOWN).collect::<String>())
}

/// What became of a report.
#[derive(Debug, Clone)]
pub enum Became {
    /// It belongs to an incident that was open: as which of those who report it.
    Joined(IncidentId, usize),
    /// That incident knew it already.
    Known(IncidentId),
    /// So many of so many that make an incident have said it within this time.
    Waits {
        /// So many, this one among them.
        count: usize,
        /// So many make an incident,
        burst: usize,
        /// within this time.
        within: Millis,
    },
    /// An incident was opened by it.
    Opened(Arc<Incident>),
    /// It is recorded, and nobody has looked at it yet.
    Recorded,
}

/// The answer to whoever reported something.
pub fn became(became: &Became, of: &Of, problems: Option<&str>, moment: &Moment) -> Page {
    match became {
        Became::Joined(id, number) => {
            Page::sentence(format!("Recorded: the {} report of {id}. Who works on it is told.", nth(*number)))
                .next(format!("incident status {id}"), "where it stands")
        }
        Became::Known(id) => Page::sentence(format!("Recorded: {id} knows it already, so nobody is told again."))
            .next(format!("incident status {id}"), "where it stands"),
        Became::Waits { count, burst, within } => {
            let service = match of {
                Of::Service(service) => format!(" service={service}"),
                Of::Unknown(_) => String::new(),
            };
            Page::sentence(format!(
                "Recorded: {count} of {burst} that make an incident, if they come within {within}. Nobody is called yet."
            ))
            .next(format!("incident open sev2 \"…\"{service}"), "if you know that it is bad: it calls at once")
        }
        Became::Opened(incident) => heard::opened(incident, problems, moment),
        Became::Recorded => Page::sentence(
            "Recorded. What becomes of it is not decided yet, because the journal takes nothing at the moment.",
        )
        .next("reports", "what became of it"),
    }
}

/// There is no such service to report something of.
pub fn unknown_service(typed: &str, services: &[String]) -> Page {
    let near = nearest(typed, services.iter().map(String::as_str));
    let near = near.map(|near| format!(" Nearest: `{near}`.")).unwrap_or_default();
    Page::sentence(format!("There is no service {}.{near} Nothing was recorded.", quoted(typed)))
        .text(format!("Next: one of {}, or an incident, as inc-31.", services.join(", ")))
        .code("unknown-service")
}

/// Reports of the same, and the incident that they belong to.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What they are about, as people know it.
    pub title: String,
    /// In the order in which they came; the end of an alert is among them.
    pub reports: Vec<Report>,
    /// What became of them.
    pub home: Home,
}

/// Where reports belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// To an incident.
    In(IncidentId),
    /// To none yet: they wait for others.
    Waits,
    /// To none: there were too few in their time, or what they said is over.
    Nowhere,
}

/// What is reported of, as it is called.
pub fn title(of: &Of, title_of: impl Fn(&ServiceName) -> Option<String>) -> String {
    match of {
        Of::Service(service) => title_of(service).unwrap_or_else(|| service.to_string()),
        Of::Unknown(name) => format!("not known which service: {}", visible(name)),
    }
}

/// The reports of the last time, in groups, the newest group first. `more` says that there were more than are shown.
pub fn list(groups: &[Listed], since: Timestamp, more: bool, moment: &Moment) -> Page {
    let since = moment.time(since);
    if groups.is_empty() {
        return Page::sentence(format!("Nothing was reported since {since}."))
            .next("help report", "how something is reported");
    }
    let rows = groups.iter().map(|group| {
        let state = match group.home {
            Home::In(id) => id.to_string(),
            Home::Waits => "waits for others".to_owned(),
            Home::Nowhere => "none".to_owned(),
        };
        let last = group.reports.last().map(|report| moment.ago(report.at).to_string()).unwrap_or_default();
        let shown = group.reports.iter().rev().take(AT_ONCE).rev();
        let mut below: Vec<Below> = shown
            .map(|report| Below::Text(format!("{} {}", moment.time(report.at), short(report))))
            .collect();
        let before = group.reports.len().saturating_sub(AT_ONCE);
        if before > 0 {
            below.insert(0, Below::Text(format!("{before} before these")));
        }
        Row {
            cells: vec![
                plain(visible(&group.title)),
                plain(count(distinct(&group.reports), "report")),
                plain(state),
                plain(last),
            ],
            below,
        }
    });
    let heads = ["ABOUT", "REPORTS", "INCIDENT", "LAST"].map(str::to_owned).to_vec();
    let page = Page::sentence(format!("Reports since {since}")).with(Block::Table(Table {
        heads,
        rows: rows.collect(),
        wide: Vec::new(),
    }));
    let page = if more { page.text("There were more; the journal has all of them.") } else { page };
    let first = groups.iter().find_map(|group| match group.home {
        Home::In(id) => Some(id),
        Home::Waits | Home::Nowhere => None,
    });
    match first {
        Some(id) => page.next(format!("incident status {id}"), String::new()),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_in_words_of_english() {
        let said: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(nth).to_vec();

        assert_eq!(said.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th");
    }
}
