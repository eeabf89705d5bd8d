//! The journal for readers: the entries of a run or of an incident, and whether anything was changed.

use std::collections::BTreeMap;

use super::incident::{said, timeline};
use super::moment::Moment;
use super::page::{Below, Block, Page, Role, Row, Table, cell, plain};
use super::states;
use crate::incident::{self, Incident};
use crate::plan::model::CheckSeen;
use crate::run::{Event, Run, Stamped, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::HostName;

/// An entry of a run, with its place in the journal.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its position in the journal.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// What happened.
    pub stamped: Stamped,
}

/// The entries of a run: when, who, what, where, how it ended, and what it printed.
pub fn journal_of(run: &Run, entries: &[Recorded], moment: &Moment) -> Page {
    let (state, _) = states::of_run(run);
    let about = vec![
        format!("run {}", run.id),
        run.request.runbook.to_string(),
        format!("asked by {}", run.request.by),
    ];
    let mut rows = Vec::new();
    let mut sent_to = BTreeMap::new();
    for recorded in entries {
        let stamped = &recorded.stamped;
        if let Event::StepSent { unit, host, .. } = &stamped.event {
            sent_to.insert(unit.clone(), host.clone());
        }
        let by = stamped.by.as_ref().map_or_else(|| "bot".to_owned(), ToString::to_string);
        let (what, wherever, how, below) = describe(run, &sent_to, &stamped.event);
        rows.push(Row {
            cells: vec![
                plain(recorded.seq.to_string()),
                plain(moment.second(stamped.at)),
                plain(by),
                plain(what),
                plain(wherever),
                plain(how),
                cell(&recorded.hash[..8.min(recorded.hash.len())], Role::Quiet),
            ],
            below,
        });
    }
    let heads = ["ENTRY", "TIME", "WHO", "WHAT", "WHERE", "HOW", "HASH"].map(str::to_owned).to_vec();
    Page::new()
        .head(state, about, moment.second(run.requested))
        .text(format!("Reason: \"{}\"", visible(&run.request.reason)))
        .with(Block::Table(Table { heads, wide: vec![6], rows }))
        .next("journal verify", "proves that nothing of it was changed")
}

/// The entries of an incident: when, who, what.
pub fn journal_of_incident(
    incident: &Incident,
    entries: &[(u64, incident::Stamped)],
    moment: &Moment,
) -> Page {
    let about = vec![incident.id.to_string(), said::severity(incident), visible(&incident.opened.title)];
    let rows = entries.iter().map(|(seq, stamped)| Row {
        cells: vec![
            plain(seq.to_string()),
            plain(moment.second(stamped.at)),
            plain(stamped.by.as_ref().map_or_else(|| "bot".to_owned(), ToString::to_string)),
            plain(entry_of_incident(incident, stamped, moment)),
        ],
        below: Vec::new(),
    });
    let heads = ["ENTRY", "TIME", "WHO", "WHAT"].map(str::to_owned).to_vec();
    Page::new()
        .head(states::of_incident(incident), about, moment.second(incident.since))
        .with(Block::Table(Table { heads, wide: Vec::new(), rows: rows.collect() }))
        .next("journal verify", "proves that nothing of it was changed")
}

/// What stands in the timeline as it stands there, and the post, which does not.
fn entry_of_incident(incident: &Incident, stamped: &incident::Stamped, moment: &Moment) -> String {
    use incident::Event;
    if let Some(line) = timeline::line(incident, stamped) {
        return line.text;
    }
    let whose = |number: &u32| match incident.notice(*number) {
        Some(notice) => {
            let to = notice.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
            format!("notice {number}{to} over {}", notice.way.path)
        }
        None => format!("notice {number}"),
    };
    match &stamped.event {
        Event::ObligationBegan { owed, who, due, .. } => {
            format!("owed from now on: {}, due {}", said::what(*owed, who), moment.time(*due))
        }
        Event::ObligationEnded { obligation, .. } => format!("number {obligation} is not owed any more"),
        Event::CallWidened { obligation } => format!("further ways for number {obligation}"),
        Event::NoticeQueued { to, way, about, .. } => {
            let to = to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
            format!("to be told{to} over {}: {}", way.path, said::about(about, incident))
        }
        Event::NoticeSending { notice, attempt, .. } => format!("sent {}, attempt {attempt}", whose(notice)),
        Event::NoticeAccepted { notice, .. } => format!("accepted {}", whose(notice)),
        Event::NoticeDelayed { notice, why, .. } => format!("not now {}: {}", whose(notice), visible(why)),
        Event::NoticeDropped { notice, why, .. } => format!("not needed {}: {}", whose(notice), visible(why)),
        // All others stand in the timeline.
        _ => String::new(),
    }
}

/// How much of what was asked holds; what only warns is not counted.
fn hold_of(seen: &[CheckSeen]) -> String {
    let checks = || seen.iter().filter(|seen| !seen.warns);
    format!("{} of {} checks hold", checks().filter(|seen| seen.holds()).count(), checks().count())
}

/// What held, and what was read to find it.
fn proven(seen: &CheckSeen) -> Vec<Below> {
    let read: Vec<_> = seen.read.iter().map(|(what, value)| format!("{what} = {}", visible(value))).collect();
    let holds = Below::Text(format!("holds: {}", visible(&seen.that)));
    if read.is_empty() { vec![holds] } else { vec![holds, Below::Text(read.join(" · "))] }
}

type Described = (String, String, String, Vec<Below>);

#[expect(clippy::too_many_lines, reason = "a table: one case an event")]
fn describe(run: &Run, sent_to: &BTreeMap<UnitAt, HostName>, event: &Event) -> Described {
    let unit = |unit: &UnitAt| {
        let title = run.unit(unit).map(|unit| visible(&unit.title)).unwrap_or_default();
        // Where it was sent last; the host at hand of an `each` may be another, and stands in the title.
        let host = sent_to.get(unit).map(ToString::to_string);
        let host = host.or_else(|| run.step(unit).map(|step| step.command.host.to_string()));
        let host = host.or_else(|| unit.lane.as_ref().map(ToString::to_string));
        (format!("{} {title}", unit.number), host.unwrap_or_default())
    };
    let none = String::new;
    let simple = |what: &str| (what.to_owned(), none(), none(), Vec::new());
    match event {
        Event::Requested(request) => {
            let values: Vec<_> =
                request.arguments.iter().map(|(name, value)| format!("{name}={}", visible(value))).collect();
            ("requested".into(), none(), none(), vec![Below::Text(values.join(" "))])
        }
        Event::Offered { offer, .. } => {
            ("offered".into(), none(), format!("plan {}", offer.digest.short()), Vec::new())
        }
        Event::PlanChanged { offer, changes, .. } => {
            let below = changes.iter().map(|change| Below::Text(visible(change))).collect();
            ("plan changed".into(), none(), format!("plan {}", offer.digest.short()), below)
        }
        Event::NotPlanned { code, why, failed } => {
            let why = why.iter().map(|why| Below::Text(visible(why)));
            let failed = failed.iter().map(|seen| Below::Text(format!("{}.", visible(&seen.says))));
            ("not planned".into(), none(), code.clone(), why.chain(failed).collect())
        }
        Event::WrongToken { tries } => ("wrong token".into(), none(), format!("try {tries}"), Vec::new()),
        Event::Confirmed { digest, .. } => {
            ("confirmed".into(), none(), format!("plan {}", digest.short()), Vec::new())
        }
        Event::Approved { digest, roles } => (
            "approved".into(),
            none(),
            format!("plan {}", digest.short()),
            vec![Below::Text(format!("as {}", roles.join(", ")))],
        ),
        Event::Refused { why } => ("refused".into(), none(), none(), vec![Below::Text(visible(why))]),
        Event::Expired { what } => ("expired".into(), none(), what.clone(), Vec::new()),
        Event::HoldsTaken { holds } => {
            let holds: Vec<_> =
                holds.iter().map(|(resource, token)| format!("{resource} ({token})")).collect();
            ("holds taken".into(), none(), none(), vec![Below::Text(holds.join(" "))])
        }
        Event::Started { preflight, .. } => ("started".into(), none(), hold_of(preflight), Vec::new()),
        Event::StepSent { unit: at, attempt, host, body, token, .. } => {
            let (title, _) = unit(at);
            let body = run.plan().map(|plan| super::plan::body(plan, body)).unwrap_or_default();
            let token = token.map(|token| format!(" token {token}")).unwrap_or_default();
            (
                format!("sent {title}"),
                host.to_string(),
                format!("attempt {attempt}"),
                vec![Below::Text(format!("{body}{token}"))],
            )
        }
        Event::StepEnded { unit: at, exit, took, output, .. } => {
            let (title, host) = unit(at);
            let mut below = Vec::new();
            for (name, stream) in [("out", &output.out), ("err", &output.err)] {
                if stream.bytes > 0 {
                    let sha = stream.sha256.get(..8).unwrap_or(&stream.sha256);
                    below.push(Below::Text(format!("{name}: {} bytes, sha256 {sha}", stream.bytes)));
                    below.extend(stream.excerpt(4).iter().map(|line| Below::Foreign(visible(line))));
                }
            }
            (format!("ended {title}"), host, format!("{exit}, {took}"), below)
        }
        Event::StepUnreached { unit: at, why } => {
            let (title, host) = unit(at);
            (format!("not reached {title}"), host, none(), vec![Below::Text(visible(why))])
        }
        Event::StepSucceeded { unit: at, took, proof, .. } => {
            let (title, host) = unit(at);
            let below = proof.iter().flat_map(proven).collect();
            (format!("succeeded {title}"), host, took.to_string(), below)
        }
        Event::StepFailed { unit: at, failure } => {
            let (title, host) = unit(at);
            let below = match failure {
                crate::run::model::Failure::NotProven(failed) => {
                    failed.iter().map(|seen| Below::Text(format!("{}.", visible(&seen.says)))).collect()
                }
                crate::run::model::Failure::Unreachable(why) => vec![Below::Text(visible(why))],
                crate::run::model::Failure::WatchBroke(seen) => {
                    vec![Below::Text(format!("{}.", visible(&seen.says)))]
                }
                crate::run::model::Failure::Exit { .. } => Vec::new(),
            };
            (format!("FAILED {title}"), host, none(), below)
        }
        Event::DoorShut { unit: at, failed } => {
            let (title, host) = unit(at);
            let below = failed.iter().map(|seen| Below::Text(format!("{}.", visible(&seen.says)))).collect();
            (format!("door shut {title}"), host, none(), below)
        }
        Event::StepUnknown { unit: at, why } => {
            let (title, host) = unit(at);
            (format!("UNKNOWN {title}"), host, none(), vec![Below::Text(visible(why))])
        }
        Event::StillUnknown { unit: at, .. } => {
            let (title, host) = unit(at);
            (format!("still unknown {title}"), host, none(), Vec::new())
        }
        Event::Settled { unit: at, done, how } => {
            let (title, host) = unit(at);
            let what = if *done { "done" } else { "not done" };
            (format!("settled {title}"), host, what.into(), vec![Below::Text(visible(how))])
        }
        Event::GateEntered { unit: at } => (format!("waits {}", unit(at).0), none(), none(), Vec::new()),
        Event::GateOpened { unit: at, took, seen } => {
            let below = seen.iter().flat_map(proven).collect();
            (format!("opened {}", unit(at).0), none(), took.to_string(), below)
        }
        Event::GateOverdue { unit: at, .. } => {
            (format!("OVERDUE {}", unit(at).0), none(), none(), Vec::new())
        }
        Event::Asked { unit: at, seen } => {
            let hold = seen.iter().filter(|seen| seen.holds()).count();
            (
                format!("asked {}", unit(at).0),
                none(),
                format!("{hold} of {} checks hold", seen.len()),
                Vec::new(),
            )
        }
        Event::Reminded { unit: at, .. } => (format!("reminded {}", unit(at).0), none(), none(), Vec::new()),
        Event::Answered { unit: at, go_on } => (
            format!("answered {}", unit(at).0),
            none(),
            if *go_on { "go on" } else { "stop" }.into(),
            Vec::new(),
        ),
        Event::Skipped { unit: at, why } => {
            let (title, host) = unit(at);
            (format!("skipped {title}"), host, none(), vec![Below::Text(visible(why))])
        }
        Event::UndoSent { unit: at, host, attempt, .. } => {
            (format!("undo sent {}", unit(at).0), host.to_string(), format!("attempt {attempt}"), Vec::new())
        }
        Event::UndoDone { unit: at, ended } => {
            let (title, host) = unit(at);
            let how = ended
                .as_ref()
                .map_or_else(|| "nothing to do".to_owned(), |(exit, took, _)| format!("{exit}, {took}"));
            (format!("undone {title}"), host, how, Vec::new())
        }
        Event::UndoFailed { unit: at, why, .. } => {
            let (title, host) = unit(at);
            (format!("undo FAILED {title}"), host, none(), vec![Below::Text(visible(why))])
        }
        Event::Ended { outcome, remarks } => {
            let below = remarks.iter().map(|remark| Below::Text(visible(remark))).collect();
            ("ended".into(), none(), states::of_outcome(*outcome).word.into(), below)
        }
        Event::Driven { driver } => ("driven".into(), none(), driver.to_string(), Vec::new()),
        Event::HandedOver { to } => ("handed over".into(), none(), to.to_string(), Vec::new()),
        Event::Withdrawn => simple("withdrew the approval"),
        Event::AskedAgain { .. } => simple("asked again"),
        Event::Retried { unit: at } => (format!("retry {}", unit(at).0), unit(at).1, none(), Vec::new()),
        Event::ApprovedAgain { unit: at } => {
            (format!("approved again {}", unit(at).0), unit(at).1, none(), Vec::new())
        }
        Event::WatchBroke { seen, ends, .. } => {
            let what = if *ends { "watch broke, ends" } else { "watch broke, halts" };
            (what.into(), none(), none(), vec![Below::Text(format!("{}.", visible(&seen.says)))])
        }
        Event::WatchHolds { .. } => simple("watch holds again"),
        Event::StepStalled { unit: at, done, .. } => {
            (format!("STALLED {}", unit(at).0), unit(at).1, done.clone(), Vec::new())
        }
        Event::StepMoves { unit: at, done } => {
            (format!("moves {}", unit(at).0), unit(at).1, done.clone(), Vec::new())
        }
        Event::StepLate { unit: at, usual } => {
            (format!("OVERDUE {}", unit(at).0), unit(at).1, super::plan::usually(usual), Vec::new())
        }
        Event::LinkLost { unit: at, why } => {
            let (title, host) = unit(at);
            (format!("connection lost {title}"), host, none(), vec![Below::Text(visible(why))])
        }
        Event::LinkFound { unit: at } => {
            (format!("connection found {}", unit(at).0), unit(at).1, none(), Vec::new())
        }
        Event::LogSeen { unit: at, log } => {
            let lines = log.lines.iter().map(|line| Below::Foreign(visible(line)));
            let why = log.why_not.iter().map(|why| Below::Text(visible(why)));
            (format!("log {}", unit(at).0), unit(at).1, visible(&log.path), lines.chain(why).collect())
        }
        Event::AskedNext { unit: at, role } => {
            (format!("asked next {}", unit(at).0), none(), role.clone(), Vec::new())
        }
        Event::BatchEnded { .. } => simple("batch ended"),
        Event::BatchRested { .. } => simple("batch rested"),
        Event::StopAsked { now } => simple(if *now { "stop now" } else { "stop" }),
        Event::Paused => simple("pause"),
        Event::PlaceLost { why } => {
            ("paused by itself".into(), none(), none(), vec![Below::Text(visible(why))])
        }
        Event::Resumed => simple("resume"),
        Event::Known => simple("known"),
        Event::UndoOffered { list, digest, .. } => {
            let list: Vec<_> = list.iter().map(|at| at.number.to_string()).collect();
            (
                format!("undo offered: {}", list.join(", ")),
                none(),
                format!("plan {}", digest.short()),
                Vec::new(),
            )
        }
        Event::UndoConfirmed => simple("undo confirmed"),
        Event::UndoExpired => simple("undo not done"),
        Event::UndoRetried => simple("undo retried"),
    }
}

/// Whether anything was changed. `broken` is the first entry that does not hold, and why.
pub fn verified(entries: u64, head: &str, broken: Option<(u64, &str)>, beside: &[String]) -> Page {
    if let Some((seq, why)) = broken {
        return Page::new()
            .head(states::FAILED, vec![format!("entry {seq} does not hold: {why}")], "")
            .text(format!("{entries} entries before it hold. Somebody changed the file from outside, or it is damaged."))
            .text("Next: keep the file as it is, find out who could write to it, and restore a backup beside it.")
            .code("tampered");
    }
    if !beside.is_empty() {
        let page = Page::new().head(
            states::FAILED,
            vec![format!("{entries} entries hold, and what stands beside them does not")],
            "",
        );
        return beside.iter().fold(page, |page, what| page.text(visible(what))).code("tampered");
    }
    Page::new()
        .head(states::SUCCEEDED, vec![format!("{entries} entries, unbroken")], "")
        .fields(vec![("Head", format!("entry {entries}, sha256 {head}"))])
        .text("Nothing anchors the head yet: keep a copy of it elsewhere. An older journal in its place would pass, and have another head.")
}
