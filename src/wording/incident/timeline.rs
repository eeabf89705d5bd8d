//! What happened in an incident, line by line; a line is also what the thread of a chat shows.

use jiff::Timestamp;

use super::told::without_address;
use super::{reports, said};
use crate::incident::model::{About, Audience, Cause, End, Incident};
use crate::incident::{Event, Stamped};
use crate::run::{Run, Stamped as StampedRun};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::Person;
use crate::wording::moment::Moment;
use crate::wording::page::{Block, Page, Role, Row, Table, cell, plain};
use crate::wording::states;

/// Something that happened, at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
    /// Somebody should have been told or have done something, and was or did not.
    pub is_late: bool,
}

/// What an event means to those who look back. `None` for the post that comes and goes: `notify log` has it.
pub fn line(incident: &Incident, stamped: &Stamped) -> Option<Line> {
    let by = stamped.by.as_ref().map_or_else(|| "steadyhand".to_owned(), ToString::to_string);
    let owed =
        |number: &u32| incident.obligation(*number).map_or_else(|| format!("number {number}"), said::owed);
    let why = |text: &str| visible(text.trim_end_matches('.'));
    // Many read it, in a thread or as a postmortem: `notify log` has the address.
    let not_sent = |number: &u32, reason: &str| {
        let notice = incident.notice(*number)?;
        let whose = to(notice.to.as_ref(), notice.way.path.as_str());
        Some(format!("{whose}: {}", why(&without_address(reason, notice))))
    };
    let (text, is_late) = match &stamped.event {
        Event::IncidentOpened(opened) => {
            (format!("opened {}, {}", opened.severity.word(), said::cause(&opened.cause)), false)
        }
        Event::IncidentRun { run, trouble } => (said::happened(*run, trouble), false),
        Event::IncidentReported { report } => (reports::says(report), false),
        Event::IncidentRunEnded { run, outcome } => {
            (format!("run {run} is over: {}", states::of_outcome(*outcome).word), false)
        }
        Event::IncidentRunReleased { run } => {
            (format!("run {run} may begin: everybody knows who must know before"), false)
        }
        Event::IncidentPathTakes => {
            let path =
                incident.red_path().map_or_else(|| "the path".to_owned(), |path| format!("path {path}"));
            (format!("{path} took something again: it is green"), false)
        }
        Event::IncidentSeverity { severity, why: reason } => {
            (format!("{by} says that it is {}: {}", severity.word(), why(reason)), false)
        }
        Event::IncidentStatus { status } => (format!("{by}: {}", said::status(*status)), false),
        Event::IncidentPart { part, person } => {
            let what = said::part(*part);
            let text = match &stamped.by {
                Some(said_by) if said_by != person => format!("{by} makes {person} {what}"),
                _ => format!("{person} is {what}"),
            };
            (text, false)
        }
        Event::IncidentUpdate { text, for_support } => {
            let support = if *for_support { ", for Support too" } else { "" };
            (format!("news of {by}{support}: \"{}\"", visible(text)), false)
        }
        // Those of before that field existed stood ready where the incident began with them.
        Event::IncidentDraft { text, ready } if *ready || stamped.at == incident.since => {
            (format!("a draft for customers stands ready: \"{}\"", visible(text)), false)
        }
        Event::IncidentDraft { text, .. } => (format!("{by} drafted: \"{}\"", visible(text)), false),
        Event::IncidentPublished { text } => (format!("{by} published: \"{}\"", visible(text)), false),
        Event::IncidentAcknowledged { roles, how } => {
            let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
            let roles = if roles.is_empty() { String::new() } else { format!(" for {}", roles.join(", ")) };
            (format!("{by} acknowledged{roles}, {}", way_in(how)), false)
        }
        Event::ObligationReminded { obligation } => {
            (format!("half of the time is over for {}; asked again", owed(obligation)), false)
        }
        Event::ObligationLate { obligation } => (format!("LATE: {}", owed(obligation)), true),
        Event::ObligationEnded { obligation, end: End::Waived(person, reason) } => {
            (format!("{person} waived {}: {}", owed(obligation), why(reason)), false)
        }
        Event::ObligationEnded { obligation, end: End::Met(person) } => {
            let by = person.as_ref().map(|person| format!(" by {person}")).unwrap_or_default();
            (format!("{} is done{by}", owed(obligation)), false)
        }
        Event::CallStep { obligation, people, next, .. } if people.is_empty() && *next > stamped.at => {
            let rest = next.duration_since(stamped.at).as_millis();
            let rest = Millis(i64::try_from(rest).unwrap_or(i64::MAX));
            (format!("nobody can be called for {}: tried again in {rest}", owed(obligation)), true)
        }
        Event::CallStep { obligation, people, .. } if people.is_empty() => {
            (format!("nobody is on duty to be called for {}: the next ones at once", owed(obligation)), true)
        }
        Event::CallStep { obligation, step, round, people, .. } => {
            let people: Vec<_> = people.iter().map(ToString::to_string).collect();
            let again = if *round > 0 { format!(", round {}", round + 1) } else { String::new() };
            let place = format!("step {}{again}", step + 1);
            (
                format!("called {} for {}, {place}", people.join(", "), owed(obligation)),
                *step > 0 || *round > 0,
            )
        }
        Event::NoticeQueued { about: About::Alarm(reason), .. } => (format!("ALARM: {}", why(reason)), true),
        Event::NoticeQueued { about: About::Published(number), audience: Audience::Public, way, .. } => {
            (format!("publication {number} goes out over {}", way.path), false)
        }
        Event::NoticeFailed { notice, why: reason } => {
            (format!("NOT SENT, {}", not_sent(notice, reason)?), true)
        }
        Event::NoticeUnknown { notice, why: reason, .. } => {
            (format!("not known whether it was sent, {}; sent again", not_sent(notice, reason)?), false)
        }
        Event::ObligationBegan { .. }
        | Event::ObligationEnded { end: End::Void, .. }
        | Event::CallWidened { .. }
        | Event::NoticeQueued { .. }
        | Event::NoticeSending { .. }
        | Event::NoticeAccepted { .. }
        | Event::NoticeDelayed { .. }
        | Event::NoticeDropped { .. } => return None,
    };
    Some(Line { at: stamped.at, text, is_late })
}

/// Where somebody said it.
fn way_in(how: &str) -> String {
    match how {
        "console" => "at the console".to_owned(),
        "discord" => "on Discord".to_owned(),
        other => format!("by {}", visible(other)),
    }
}

/// `to sue over mail`, `over siren`.
fn to(person: Option<&Person>, path: &str) -> String {
    let person = person.map(|person| format!("to {person} ")).unwrap_or_default();
    format!("{person}over {path}")
}

/// The lines of a run of it.
pub fn of_run(run: &Run, events: &[StampedRun]) -> Vec<Line> {
    let line = |stamped: &StampedRun| {
        let (_, sentence) = crate::wording::run::event_line(run, stamped)?;
        let by = stamped.by.as_ref().map(|by| format!(", {by}")).unwrap_or_default();
        Some(Line { at: stamped.at, text: format!("run {}{by}: {sentence}", run.id), is_late: false })
    };
    events.iter().filter_map(line).collect()
}

/// All lines of an incident and of its runs, in their order. What happened at one time stays in the order given.
pub fn lines(incident: &Incident, events: &[Stamped], of_runs: Vec<Line>) -> Vec<Line> {
    let mut lines: Vec<Line> = match &incident.opened.cause {
        Cause::Reports { reports } => reports::first_lines(reports).collect(),
        _ => Vec::new(),
    };
    lines.extend(events.iter().filter_map(|stamped| line(incident, stamped)));
    lines.extend(of_runs);
    lines.sort_by_key(|line| line.at);
    lines
}

/// What happened, line by line.
pub fn timeline(incident: &Incident, lines: &[Line], moment: &Moment) -> Page {
    let rows = lines.iter().map(|line| Row {
        cells: vec![
            plain(moment.second(line.at)),
            cell(line.text.clone(), if line.is_late { Role::Attention } else { Role::Plain }),
        ],
        below: Vec::new(),
    });
    let about = vec![incident.id.to_string(), said::severity(incident), visible(&incident.opened.title)];
    let since = format!("since {}", moment.time(incident.since));
    Page::new()
        .head(states::of_incident(incident), about, since)
        .with(Block::Table(Table { rows: rows.collect(), ..Table::default() }))
        .next(format!("notify log {}", incident.id), "who was told, over which path")
        .next(format!("incident export {}", incident.id), "the draft of the postmortem")
}
