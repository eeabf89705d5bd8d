//! The draft of the postmortem, as Markdown. Facts are filled in; judgements stay open, as `___`. Times are in the team's zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::post::Post;
use super::said;
use super::timeline::Line;
use super::told::{delivery, without_address};
use crate::incident::model::{End, Incident, Published, Status};
use crate::incident::{Event, Stamped};
use crate::run::model::UnitState;
use crate::run::{Run, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::wording::moment::Moment;
use crate::wording::page::{Block, Page, plain};
use crate::wording::plan::{body, target};
use crate::wording::refusal::capital;
use crate::wording::states;

/// What only people can say.
const OPEN: &str = "___";

/// The draft as a page: each line as it is to be copied.
pub fn export(
    incident: &Incident,
    events: &[Stamped],
    runs: &[&Run],
    lines: &[Line],
    zone: &TimeZone,
) -> Page {
    Page::new().with(Block::Verbatim(plain(markdown(incident, events, runs, lines, zone).join("\n"))))
}

/// The draft, line by line.
pub fn markdown(
    incident: &Incident,
    events: &[Stamped],
    runs: &[&Run],
    lines: &[Line],
    zone: &TimeZone,
) -> Vec<String> {
    // Far from today, so that every time has its date.
    let moment = Moment { now: Timestamp::UNIX_EPOCH, zone: zone.clone() };
    [
        head(incident, &moment),
        clocks(incident, events, &moment),
        happened(lines, &moment),
        ran(runs, &moment),
        told(incident, &Post::of(events), &moment),
        owed(incident, &moment),
        judgements(),
    ]
    .concat()
}

/// A part of the draft: its head, with an empty line around it, and what stands below.
fn part(head: &str) -> Vec<String> {
    vec![String::new(), format!("## {head}"), String::new()]
}

/// The heads of a table.
fn heads<const N: usize>(names: [&str; N]) -> [String; 2] {
    [format!("| {} |", names.join(" | ")), format!("|{}", "---|".repeat(N))]
}

fn row<const N: usize>(cells: [String; N]) -> String {
    format!("| {} |", cells.map(|cell| escaped(&cell)).join(" | "))
}

fn head(incident: &Incident, moment: &Moment) -> Vec<String> {
    let opened = &incident.opened;
    let cause = escaped(&said::cause(&opened.cause));
    let mut text = vec![
        format!("# {} {}: {}", incident.id, said::severity(incident), escaped(&opened.title)),
        String::new(),
        format!("DRAFT, from the journal. `{OPEN}` is for people to fill in."),
        String::new(),
        format!("- Severity: {}", incident.severity.word()),
        format!("- What: {}", escaped(&opened.what)),
        format!("- Opened: {}, {cause}", moment.second(incident.since)),
    ];
    for (part, person) in &incident.parts {
        text.push(format!("- {}: {person}", capital(said::part(*part))));
    }
    for Published { at, by, text: published, .. } in &incident.published {
        text.push(format!(
            "- Customers read from {}, by {by}: \"{}\"",
            moment.second(*at),
            escaped(published)
        ));
    }
    text.push(format!("- Impact on customers, from when until when, as measured: {OPEN}"));
    text
}

/// From the first moment on: how long until people were told, knew, and it was over.
fn clocks(incident: &Incident, events: &[Stamped], moment: &Moment) -> Vec<String> {
    let first = |fits: fn(&Event) -> bool| events.iter().find(|stamped| fits(&stamped.event)).map(|it| it.at);
    let told = first(|event| matches!(event, Event::NoticeAccepted { .. }));
    let mitigated = first(|event| {
        matches!(event, Event::IncidentStatus { status: Status::Monitoring | Status::Resolved })
    });
    let rows = [
        ("detect", None, "since customers felt it"),
        ("tell", told, "until a path took the first notice"),
        (
            "acknowledge",
            incident.acknowledged.as_ref().map(|(at, _)| *at),
            "until a person said that they know",
        ),
        ("mitigate", mitigated, "until somebody said that it seems to be over"),
        ("resolve", incident.resolved, "until it was over"),
    ];
    let mut text = part("How long it took");
    text.extend(heads(["time to", "took", "at", "counted"]));
    for (what, at, counted) in rows {
        let (took, when) = match at {
            Some(at) => (between(incident.since, at).to_string(), moment.second(at)),
            None => (OPEN.to_owned(), OPEN.to_owned()),
        };
        text.push(format!("| {what} | {took} | {when} | {counted} |"));
    }
    text
}

fn happened(lines: &[Line], moment: &Moment) -> Vec<String> {
    let mut text = part("Timeline");
    text.extend(lines.iter().map(|line| format!("- {} {}", moment.second(line.at), escaped(&line.text))));
    text
}

fn ran(runs: &[&Run], moment: &Moment) -> Vec<String> {
    let mut text = part("What ran");
    if runs.is_empty() {
        text.push("No run belongs to it.".to_owned());
    }
    for run in runs {
        text.extend(one_run(run, moment));
    }
    text
}

fn one_run(run: &Run, moment: &Moment) -> Vec<String> {
    let approved: Vec<_> = run.approvals.iter().map(|approval| approval.by.to_string()).collect();
    let approved =
        if approved.is_empty() { String::new() } else { format!(", approved by {}", approved.join(", ")) };
    let what = run.plan().map(target).unwrap_or_default();
    let mut text = vec![format!(
        "Run {}: {} {what}, asked by {}{approved}: {}. \"{}\"",
        run.id,
        run.request.runbook,
        run.request.by,
        states::of_run(run).0.word,
        escaped(&run.request.reason),
    )];
    if let (Some(started), Some(digest)) = (run.started, run.digest()) {
        let took = run.ended.map(|ended| format!(", {}", between(started, ended))).unwrap_or_default();
        text.push(format!("Started {}{took}. Plan {}.", moment.second(started), digest.short()));
    }
    text.push(String::new());
    text.extend(heads(["step", "host", "command", "ended", "took"]));
    text.extend(run.units.iter().map(|(at, state)| step(run, at, state)));
    text
}

fn step(run: &Run, at: &UnitAt, state: &UnitState) -> String {
    let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
    let command = run.command(at, run.variant(at));
    let host = command.map(|command| command.host.to_string());
    let host = host.or_else(|| at.lane.as_ref().map(ToString::to_string)).unwrap_or_default();
    let said = command.zip(run.plan()).map(|(command, plan)| body(plan, &command.body)).unwrap_or_default();
    let took = match state {
        UnitState::Succeeded { took, .. } | UnitState::Ran { took, .. } => took.to_string(),
        _ => String::new(),
    };
    row([format!("{} {title}", at.number), host, said, states::of_unit(state).word.to_owned(), took])
}

/// Each notice, when a path took it, and when its person answered.
fn told(incident: &Incident, post: &Post, moment: &Moment) -> Vec<String> {
    let mut text = part("Who was told, and when");
    if incident.notices.is_empty() {
        text.push("Nobody was told.".to_owned());
        return text;
    }
    text.push("Accepted means that a path took it; only who answered knew.".to_owned());
    text.push(String::new());
    text.extend(heads(["queued", "who", "path", "about", "what became of it", "answered"]));
    for notice in &incident.notices {
        text.push(row([
            moment.second(notice.queued),
            said::whom(notice),
            notice.way.path.to_string(),
            said::about(&notice.about, incident),
            without_address(&delivery(incident, notice, post, moment), notice),
            post.answered(incident, notice).map(|at| moment.second(at)).unwrap_or_default(),
        ]));
    }
    text
}

fn owed(incident: &Incident, moment: &Moment) -> Vec<String> {
    if incident.obligations.is_empty() {
        return Vec::new();
    }
    let mut text = part("What was owed");
    text.extend(heads(["what", "who", "due", "ended"]));
    for owed in &incident.obligations {
        let late = if owed.late.is_some() { ", late" } else { "" };
        let ended = match &owed.end {
            None => "is owed still".to_owned(),
            Some(End::Met(Some(by))) => format!("done by {by}{late}"),
            Some(End::Met(None)) => format!("done{late}"),
            Some(End::Waived(by, why)) => format!("waived by {by}: {}", visible(why)),
            Some(End::Void) => "not needed any more".to_owned(),
        };
        text.push(row([said::owed(owed), owed.who.to_string(), moment.second(owed.due), ended]));
    }
    text
}

fn judgements() -> Vec<String> {
    const ASKED: [&str; 4] =
        ["Why it happened", "What helped", "What did not", "What we change, who does it, by when"];
    let mut text = part("What people have to say");
    text.extend(ASKED.map(|what| format!("- {what}: {OPEN}")));
    text
}

fn between(from: Timestamp, to: Timestamp) -> Millis {
    Millis(i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX).max(0))
}

/// Text, and nothing that Markdown makes something else of.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        if matches!(c, '|' | '<' | '`' | '*' | '_' | '[' | ']' | '\\' | '#') {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
    }
    out
}
