//! A run while it goes on, its questions, and its end.

use std::collections::BTreeMap;

use super::moment::Moment;
use super::page::{Below, Block, Page, Role, Row, Span, Table, cell, plain};
use super::plan::{NO_WAY_BACK, lanes_of, listed, seen_row, target};
use super::refusal::{ended_how, step as step_words};
use super::states;
use crate::plan::model::{Block as PlanBlock, CheckSeen, Undo, Verdict, Work};
use crate::run::model::{Failure, Outcome, Phase, UndoStep, UnitState};
use crate::run::{Event, Run, Stamped, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;

/// How far steps are, where something says so: percent, and in their own units.
pub type Far = BTreeMap<UnitAt, (Option<u8>, String)>;

/// The run as it stands: redrawn in place while it works.
pub fn live(run: &Run, far: &Far, moment: &Moment) -> Page {
    let Some(plan) = run.plan() else {
        let about = vec![format!("run {}", run.id), run.request.runbook.to_string()];
        return Page::new().head(
            states::of_run(run).0,
            about,
            format!("since {}", moment.time(run.requested)),
        );
    };
    let (state, whom) = states::of_run(run);
    let mut about = vec![format!("run {}", run.id), plan.runbook.to_string(), target(plan)];
    about.extend(whom.map(|whom| format!("for {whom}")));
    let right = match (run.started, run.ended) {
        (Some(started), Some(ended)) => {
            format!("{} to {}, {}", moment.second(started), moment.second(ended), between(started, ended))
        }
        (Some(started), None) => format!("started {}, {}", moment.second(started), moment.ago(started)),
        (None, _) => {
            format!("plan {}", run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default())
        }
    };
    let mut page = Page::new().head(state, about, right).with(Block::Table(units(run, far, moment)));
    if let Some(stop) = &run.stop
        && !run.is_ended()
    {
        page = page.text(format!(
            "Stopped by {} at {}: no step begins any more; what runs is ending.",
            stop.by,
            moment.time(stop.at)
        ));
    }
    if let Some((by, at)) = &run.pause {
        page = page.text(format!("Paused by {by} at {}: nothing new begins.", moment.time(*at)));
    }
    page
}

fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> Millis {
    Millis(i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX))
}

/// A line for each unit: state, number, title, hosts, time.
fn units(run: &Run, far: &Far, moment: &Moment) -> Table {
    let Some(plan) = run.plan() else { return Table::default() };
    let no_return = plan.point_of_no_return();
    let mut rows: Vec<Row> = Vec::new();
    for (unit, title, host) in listed(plan) {
        if no_return == Some(unit.number)
            && let Some(last) = rows.last_mut()
        {
            last.below.push(Below::Rule(NO_WAY_BACK.to_owned()));
        }
        let block = plan.blocks.iter().find_map(|block| match block {
            PlanBlock::Each(each) if each.titles.contains_key(&unit.number) => Some(each),
            _ => None,
        });
        match block {
            None => {
                let at = UnitAt { number: unit.number, lane: None };
                rows.push(unit_row(run, far, &at, &title, &host, moment));
            }
            Some(each) => {
                let lanes = lanes_of(each, unit.number);
                let all_wait = lanes.iter().all(|(lane, unit)| {
                    let at = UnitAt { number: unit.number, lane: Some((*lane).clone()) };
                    matches!(run.units.get(&at), Some(UnitState::Waiting { .. }))
                });
                if all_wait || lanes.len() > 8 {
                    rows.push(folded_row(run, unit.number, &title, &lanes));
                } else {
                    for (lane, unit) in lanes {
                        let at = UnitAt { number: unit.number, lane: Some(lane.clone()) };
                        rows.push(unit_row(run, far, &at, &unit.title, lane.as_str(), moment));
                    }
                }
            }
        }
    }
    Table { heads: Vec::new(), wide: Vec::new(), rows }
}

fn folded_row(run: &Run, number: u32, title: &str, lanes: &[(&HostName, &crate::plan::model::Unit)]) -> Row {
    let at = |lane: &HostName| UnitAt { number, lane: Some(lane.clone()) };
    let over =
        lanes.iter().filter(|(lane, _)| run.units.get(&at(lane)).is_some_and(UnitState::is_over)).count();
    let worst =
        lanes.iter().filter_map(|(lane, _)| run.units.get(&at(lane))).find(|state| state.needs_person());
    let state = match worst {
        Some(state) => states::of_unit(state),
        None if over == lanes.len() => states::SUCCEEDED,
        None if over == 0 => states::WAITING,
        None => states::WORKING,
    };
    let hosts = if lanes.len() > 8 {
        format!("{over} of {} hosts", lanes.len())
    } else {
        lanes.iter().map(|(lane, _)| lane.to_string()).collect::<Vec<_>>().join(" ")
    };
    let cells = vec![
        cell(state.text(), state.role),
        plain(format!("{number:>3}")),
        plain(visible(title)),
        plain(hosts),
        Vec::new(),
    ];
    Row { cells, below: Vec::new() }
}

fn unit_row(run: &Run, far: &Far, at: &UnitAt, title: &str, host: &str, moment: &Moment) -> Row {
    let Some(unit_state) = run.units.get(at) else { return Row::default() };
    let halted = run.broken.keys().any(|watch| watch.unit.as_ref().is_none_or(|unit| unit == at));
    let works = matches!(unit_state, UnitState::Sent { .. });
    let state = match (works, halted, run.stalled.contains_key(at)) {
        (true, true, _) => states::PAUSED,
        (true, false, true) => states::STALLED,
        _ => states::of_unit(unit_state),
    };
    let time = match unit_state {
        UnitState::Sent { at, .. } | UnitState::Holding { since: at } | UnitState::Asked { at, .. } => {
            moment.ago(*at).to_string()
        }
        UnitState::Ran { took, .. } => format!("{took}, being proven"),
        UnitState::Succeeded { took, .. } if took.0 > 0 => took.to_string(),
        _ => String::new(),
    };
    let cells = vec![
        cell(state.text(), state.role),
        plain(format!("{:>3}", at.number)),
        plain(visible(title)),
        plain(host.to_owned()),
        plain(time),
    ];
    let below = far.get(at).filter(|_| works).map(|(percent, text)| Below::Text(bar(*percent, text)));
    Row { cells, below: below.into_iter().collect() }
}

/// ` 61 %  [############--------]  251 GiB of 412 GiB`
fn bar(percent: Option<u8>, text: &str) -> String {
    let Some(percent) = percent else { return visible(text) };
    let full = usize::from(percent.min(100)) / 5;
    format!("{percent:>3} %  [{}{}]  {}", "#".repeat(full), "-".repeat(20 - full), visible(text))
}

/// What happened, as a line for those who follow without a screen: its fields, and a sentence. `None` for what is not
/// worth a line.
pub fn event_line(run: &Run, stamped: &Stamped) -> Option<(Vec<(&'static str, String)>, String)> {
    let mut fields = vec![("run", run.id.to_string())];
    let by = stamped.by.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut of_unit = |unit: &UnitAt, state: &str| {
        fields.push(("step", unit.number.to_string()));
        let host = run.step(unit).map(|step| step.command.host.to_string());
        let lane = unit.lane.as_ref().map(ToString::to_string);
        if let Some(host) = lane.or(host) {
            fields.push(("host", host));
        }
        fields.push(("state", state.to_owned()));
        run.unit(unit).map(|unit| visible(&unit.title)).unwrap_or_default()
    };
    let sentence = match &stamped.event {
        Event::Started { .. } => {
            format!("Everything still holds. The first step begins; {} drives.", run.driver)
        }
        Event::StepSent { unit, attempt, variant, host, .. } => {
            let title = of_unit(unit, "working");
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            match variant {
                crate::run::model::Variant::Main => format!("{title}{again}."),
                crate::run::model::Variant::Instead => {
                    format!("{title}: the host cannot be reached, so it is done from {host} instead{again}.")
                }
            }
        }
        Event::StepUnreached { unit, why } => {
            let title = of_unit(unit, "waiting");
            format!("{title}: not started, because {}.", visible(why))
        }
        Event::StepSucceeded { unit, took, proof } => {
            let title = of_unit(unit, "succeeded");
            fields.push(("took", short_time(*took)));
            let proven = if proof.is_empty() { "" } else { ", and proven" };
            format!("{title}: done{proven}.")
        }
        Event::StepFailed { unit, failure } => {
            let title = of_unit(unit, "FAILED");
            format!("{title}: {}.", failure_words(failure))
        }
        Event::DoorShut { unit, failed } => {
            let title = of_unit(unit, "AWAITING");
            format!("{title}: its door did not open, it was not sent. {}", sentences(failed))
        }
        Event::StepUnknown { unit, why } => {
            let title = of_unit(unit, "UNKNOWN");
            format!("{title}: nobody knows whether it ended: {}. The bot is finding out.", visible(why))
        }
        Event::StillUnknown { unit, .. } => {
            let title = of_unit(unit, "UNKNOWN");
            format!("{title}: it could not be found out. A person must say.")
        }
        Event::Settled { unit, done, how } => {
            let title = of_unit(unit, if *done { "succeeded" } else { "waiting" });
            let what = if *done { "done" } else { "not done" };
            format!("{title}: {what}, because {}.", visible(how))
        }
        Event::GateEntered { unit } => format!("{}: waiting for it.", of_unit(unit, "working")),
        Event::GateOpened { unit, took, .. } => {
            let title = of_unit(unit, "succeeded");
            fields.push(("took", short_time(*took)));
            format!("{title}: it holds.")
        }
        Event::GateOverdue { unit, failed } => {
            let title = of_unit(unit, "OVERDUE");
            format!("{title}: its time is over. {}", sentences(failed))
        }
        Event::Asked { unit, .. } => of_unit(unit, "AWAITING"),
        Event::Reminded { unit, time } => {
            let title = of_unit(unit, "AWAITING");
            let when = if *time == 1 { "half of its time is over" } else { "its time is over" };
            format!("{title} Nobody has answered, and {when}. It still waits.")
        }
        Event::Answered { unit, go_on } => {
            let title = of_unit(unit, "answered");
            format!("{title} {}, says {by}.", if *go_on { "Go on" } else { "Stop" })
        }
        Event::WatchBroke { watch, seen, ends } => {
            let title =
                watch.unit.as_ref().map(|unit| format!("{}: ", of_unit(unit, "PAUSED"))).unwrap_or_default();
            let then = if *ends {
                "What works is ended, and nothing new begins"
            } else {
                "It is halted until that holds again"
            };
            format!("{title}{}. {then}.", visible(&seen.says))
        }
        Event::WatchHolds { watch } => {
            let title =
                watch.unit.as_ref().map(|unit| format!("{}: ", of_unit(unit, "working"))).unwrap_or_default();
            format!("{title}what was watched holds again.")
        }
        Event::StepStalled { unit, done, since } => {
            let title = of_unit(unit, "STALLED");
            let still = between(*since, stamped.at);
            format!("{title}: it has not moved for {still}, at {}.", visible(done))
        }
        Event::StepMoves { unit, done } => {
            let title = of_unit(unit, "working");
            format!("{title}: it moves again, at {}.", visible(done))
        }
        Event::Skipped { unit, why } => {
            let title = of_unit(unit, "skipped");
            format!("{title}: skipped by {by}: \"{}\".", visible(why))
        }
        Event::StopAsked { now } => {
            let what = if *now {
                "no step begins any more, and what runs is ended"
            } else {
                "no step begins any more"
            };
            format!("Stopped by {by}: {what}.")
        }
        Event::Paused => format!("Paused by {by}: nothing new begins."),
        Event::Resumed => format!("Resumed by {by}."),
        Event::UndoConfirmed => format!("The undo is confirmed by {by} and begins."),
        Event::UndoSent { unit, host, .. } => {
            format!("{}: being taken back on {host}.", of_unit(unit, "undoing"))
        }
        Event::UndoDone { unit, ended } => {
            let title = of_unit(unit, "undone");
            if ended.is_some() {
                format!("{title}: taken back.")
            } else {
                format!("{title}: nothing is left to take back.")
            }
        }
        Event::UndoFailed { unit, why, .. } => {
            let title = of_unit(unit, "STUCK");
            format!("{title}: taking it back failed: {}.", visible(why))
        }
        Event::NotPlanned { why, failed, .. } if run.confirmed.is_some() => {
            fields.push(("state", "refused".to_owned()));
            let why: Vec<_> = why.iter().map(|why| visible(why)).collect();
            format!("Not started: {}{}", why.join(" "), sentences(failed))
        }
        Event::PlanChanged { changes, .. } => {
            fields.push(("state", "offered".to_owned()));
            format!("Not started: the plan changed. {} All agreements are void.", changes.join(" "))
        }
        Event::Expired { what } => {
            fields.push(("state", "expired".to_owned()));
            format!("Expired: no {what} came in time. Nothing ran.")
        }
        Event::Ended { outcome, .. } => {
            fields.push(("state", states::of_outcome(*outcome).word.to_owned()));
            let steps =
                run.units.values().filter(|state| matches!(state, UnitState::Succeeded { .. })).count();
            match (run.started, run.ended) {
                (Some(started), Some(ended)) => {
                    format!(
                        "Run {} {} after {}, {steps} of {} done.",
                        run.id,
                        ended_how(*outcome),
                        between(started, ended),
                        run.units.len()
                    )
                }
                _ => format!("Run {} {}. Nothing ran.", run.id, ended_how(*outcome)),
            }
        }
        Event::Requested(_)
        | Event::Offered { .. }
        | Event::NotPlanned { .. }
        | Event::WrongToken { .. }
        | Event::Confirmed { .. }
        | Event::Approved { .. }
        | Event::Withdrawn
        | Event::Refused { .. }
        | Event::HoldsTaken { .. }
        | Event::StepEnded { .. }
        | Event::AskedAgain { .. }
        | Event::Retried { .. }
        | Event::ApprovedAgain { .. }
        | Event::BatchEnded { .. }
        | Event::BatchRested { .. }
        | Event::UndoOffered { .. }
        | Event::UndoExpired
        | Event::UndoRetried
        | Event::Driven { .. }
        | Event::HandedOver { .. } => return None,
    };
    Some((fields, sentence))
}

/// `1.3s`, for fields of a line.
fn short_time(took: Millis) -> String {
    format!("{}.{}s", took.0 / 1000, took.0 % 1000 / 100)
}

fn sentences(failed: &[CheckSeen]) -> String {
    failed.iter().map(|seen| format!("{}.", visible(&seen.says))).collect::<Vec<_>>().join(" ")
}

fn failure_words(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(why) => format!("nothing was sent: {}", visible(why)),
        Failure::Exit { exit, took, .. } => format!("{exit} after {took}"),
        Failure::NotProven(failed) => {
            let says: Vec<_> = failed.iter().map(|seen| visible(&seen.says)).collect();
            format!("its command ended well, but {}", says.join("; "))
        }
        Failure::WatchBroke(seen) => format!("it was ended, because {}", visible(&seen.says)),
    }
}

/// Everything that the run waits for a person to say: one question after the other.
pub fn questions(run: &Run, moment: &Moment) -> Page {
    match run.phase {
        Phase::Undoing => undo_question(run, moment),
        Phase::Working => {
            let pages = run.questions().map(|(at, state)| question(run, at, state, moment));
            let page = pages.fold(Page::new(), Page::join);
            let page = run.broken.iter().fold(page, |page, (watch, (seen, ends))| {
                let what = if *ends { "a watch broke, and nothing new begins" } else { "halted by a watch" };
                let whom =
                    watch.unit.as_ref().map(|unit| format!(" {}", step_words(unit))).unwrap_or_default();
                page.head(states::PAUSED, vec![format!("run {}{whom}", run.id), what.to_owned()], "")
                    .with(Block::Table(Table { rows: vec![seen_row(seen)], ..Table::default() }))
                    .text("It goes on by itself when that holds again.")
                    .next(format!("stop {}", run.id), String::new())
            });
            if page.blocks.is_empty() && run.pause.is_some() {
                return Page::new()
                    .next(format!("resume {}", run.id), "goes on")
                    .next(format!("stop {}", run.id), String::new());
            }
            page
        }
        _ => Page::new(),
    }
}

fn question(run: &Run, at: &UnitAt, state: &UnitState, moment: &Moment) -> Page {
    let id = run.id;
    let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
    let host = address(run, at);
    let about = |what: String| vec![format!("run {id} {}", step_words(at)), title.clone(), what];
    let typed = format!("{id} {}{host}", at.number);
    match state {
        UnitState::Asked { at: since, .. } => decide_question(run, at, *since, &title, moment),
        UnitState::Shut { failed, .. } => Page::new()
            .head(states::AWAITING, about("its door did not open, it was not sent".to_owned()), "")
            .with(Block::Table(Table { rows: failed.iter().map(seen_row).collect(), ..Table::default() }))
            .with(Block::Choices(choices(
                run,
                vec![(
                    format!("retry {typed}"),
                    "measures again; sends it only if the checks hold".to_owned(),
                )],
            )))
            .text("No answer: nothing runs.")
            .code("at-the-door"),
        UnitState::Failed { failure, .. } => {
            let mut page = Page::new().head(states::FAILED, about(String::new()), "");
            page = page.fields(vec![("Why", format!("{}.", failure_words(failure)))]);
            let mut options = Vec::new();
            match failure {
                Failure::Exit { output, .. } => {
                    let mut lines = output.err.excerpt(8);
                    if lines.is_empty() {
                        lines = output.out.excerpt(8);
                    }
                    if !lines.is_empty() {
                        page = page.with(Block::Foreign(lines));
                    }
                }
                Failure::NotProven(failed) => {
                    let rows = failed.iter().map(seen_row).collect();
                    page = page.with(Block::Table(Table { rows, ..Table::default() }));
                    options.push((
                        format!("ask {typed}"),
                        "asks what must be true again; sends nothing".to_owned(),
                    ));
                }
                Failure::WatchBroke(seen) => {
                    page = page.with(Block::Table(Table { rows: vec![seen_row(seen)], ..Table::default() }));
                }
                Failure::Unreachable(_) => {}
            }
            let attempt = state.attempts() + 1;
            options.push((format!("retry {typed}"), format!("sends it again, attempt {attempt}")));
            if let Some(PlanBlock::Each(each)) = run.block_of(at)
                && run.failed_lanes(&PlanBlock::Each(each.clone())) < each.failures
            {
                options.push((
                    format!("skip {typed} \"why\""),
                    format!(
                        "goes on without {}",
                        at.lane.as_ref().map(ToString::to_string).unwrap_or_default()
                    ),
                ));
            }
            page.with(Block::Choices(choices(run, options)))
                .text("No answer: nothing runs.")
                .code("step-failed")
        }
        UnitState::Unknown { why, sent_at, found, .. } => {
            let found = found.clone().unwrap_or_default();
            Page::new()
                .head(states::UNKNOWN, about(visible(why)), "")
                .fields(vec![
                    ("Known", format!("the step was sent at {}", moment.second(*sent_at))),
                    ("Not known", "whether the command ended, and how".to_owned()),
                ])
                .with(Block::Table(Table { rows: found.iter().map(seen_row).collect(), ..Table::default() }))
                .with(Block::Choices(choices(
                    run,
                    vec![
                        (format!("ask {typed}"), "asks again; sends nothing".to_owned()),
                        (
                            format!("settle {typed} done \"how you know\""),
                            "goes on with the next step".to_owned(),
                        ),
                        (
                            format!("settle {typed} not-done \"how you know\""),
                            "goes back to its door; it is sent again only after a new approval".to_owned(),
                        ),
                    ],
                )))
                .text(format!("No answer: run {id} keeps its hold and waits."))
                .code("step-unknown")
        }
        UnitState::Withheld { .. } => {
            let digest = run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default();
            Page::new()
                .head(
                    states::AWAITING,
                    about("it was not done, and is sent again only after a new approval".to_owned()),
                    "",
                )
                .with(Block::Choices(choices(
                    run,
                    vec![(
                        format!("approve {id} {digest}"),
                        "by another person: goes back to its door".to_owned(),
                    )],
                )))
                .code("withheld")
        }
        UnitState::Overdue { failed, .. } => Page::new()
            .head(states::OVERDUE, about("its time is over".to_owned()), "")
            .with(Block::Table(Table { rows: failed.iter().map(seen_row).collect(), ..Table::default() }))
            .with(Block::Choices(choices(
                run,
                vec![(format!("retry {typed}"), "waits as long again".to_owned())],
            )))
            .text("No answer: nothing runs.")
            .code("gate-overdue"),
        _ => Page::new(),
    }
}

/// What is typed behind the number of a step: the host, where the step has several.
fn address(run: &Run, at: &UnitAt) -> String {
    let host = at.lane.as_ref().map(ToString::to_string);
    let host = host.or_else(|| run.step(at).map(|step| step.command.host.to_string()));
    host.map(|host| format!(" {host}")).unwrap_or_default()
}

/// The choices that are always there: undo, as far as it goes, and stop.
fn choices(run: &Run, mut options: Vec<(String, String)>) -> Vec<(String, String)> {
    let id = run.id;
    let back = run.can_undo(None);
    if back.is_empty() {
        if let Some(past) = run.past_no_return() {
            options.push((
                "undo".to_owned(),
                format!("not possible: {} is past the point of no return", step_words(past)),
            ));
        }
    } else {
        let list: Vec<_> = back.iter().map(step_words).collect();
        options.push((format!("undo {id}"), format!("takes back {}", list.join(", "))));
    }
    options.push((format!("stop {id}"), "leaves it so; the hold is released".to_owned()));
    options
}

fn decide_question(run: &Run, at: &UnitAt, since: jiff::Timestamp, title: &str, moment: &Moment) -> Page {
    let Some(Work::Decide(decide)) = run.unit(at).map(|unit| &unit.work) else { return Page::new() };
    let id = run.id;
    let until = crate::run::next::after(since, decide.within);
    let host = at.lane.as_ref().map(|lane| format!(" {lane}")).unwrap_or_default();
    let about = vec![format!("run {id} {}", step_words(at)), title.to_owned()];
    Page::new()
        .head(states::AWAITING, about, format!("for {}", decide.ask.join(", ")))
        .with(Block::Choices(vec![
            (format!("answer {id} {}{host} go-on", at.number), visible(&decide.go_on)),
            (format!("answer {id} {}{host} stop", at.number), visible(&decide.stop)),
        ]))
        .text(format!(
            "Asked until {}. Silence is never a yes: then it still waits.",
            moment.with_distance(until)
        ))
}

fn undo_question(run: &Run, moment: &Moment) -> Page {
    let Some(undo) = &run.undo else { return Page::new() };
    let id = run.id;
    if let Some(token) = &undo.token {
        let mut rows = Vec::new();
        for at in &undo.list {
            let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
            let (host, what) = match run.undo_of(at) {
                Some(Undo::Command(command)) => (
                    command.host.to_string(),
                    run.plan().map(|plan| super::plan::body(plan, &command.body)).unwrap_or_default(),
                ),
                Some(Undo::Nothing(why)) => (String::new(), format!("nothing: {}", visible(why))),
                None => (String::new(), String::new()),
            };
            rows.push(Row {
                cells: vec![plain(format!("{:>3}", at.number)), plain(title), plain(host), plain(what)],
                below: Vec::new(),
            });
        }
        let about = vec![
            format!("undo of run {id}"),
            format!("newest first: {}", super::plan::count(undo.list.len(), "step")),
        ];
        return Page::new()
            .head(states::CONFIRMING, about, format!("plan {}", undo.digest.short()))
            .with(Block::Table(Table { rows, ..Table::default() }))
            .next(
                format!("confirm {id} {}", token.text),
                format!("until {}", moment.with_distance(token.expires)),
            );
    }
    let (Some(at), UndoStep::Failed { why, unknown, .. }) = (undo.list.first(), &undo.step) else {
        return Page::new();
    };
    let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
    let about = vec![format!("run {id}"), format!("taking back {} failed", step_words(at)), title];
    let typed = format!("{id} {}{}", at.number, address(run, at));
    let mut options = Vec::new();
    if *unknown {
        options
            .push((format!("settle {typed} done \"how you know\""), "it is taken back; goes on".to_owned()));
        options
            .push((format!("settle {typed} not-done \"how you know\""), "sends the undo again".to_owned()));
    } else {
        options.push((format!("retry {typed}"), "sends the undo again".to_owned()));
    }
    options.push((format!("stop {id}"), "gives up; the hold is released".to_owned()));
    Page::new()
        .head(states::STUCK, about, "")
        .fields(vec![("Why", format!("{}.", visible(why)))])
        .with(Block::Choices(options))
        .text("No answer: the hold is kept.")
        .code("undo-failed")
}

/// The end of a run, as its summary.
pub fn ended(run: &Run, moment: &Moment) -> Page {
    let Phase::Ended(outcome) = run.phase else { return Page::new() };
    let mut page = if run.started.is_some() {
        live(run, &Far::new(), moment)
    } else {
        let about = vec![format!("run {}", run.id), run.request.runbook.to_string()];
        Page::new().head(states::of_outcome(outcome), about, "nothing ran")
    };
    let remarks: Vec<(String, Vec<Span>)> =
        run.remarks.iter().map(|remark| ("Left".to_owned(), plain(visible(remark)))).collect();
    if !remarks.is_empty() && run.started.is_some() {
        page = page.with(Block::Fields(remarks));
    } else {
        for remark in &run.remarks {
            page = page.text(visible(remark));
        }
    }
    if run.started.is_none() {
        return page;
    }
    if let Some(plan) = run.plan() {
        let mut fields: Vec<(&str, String)> = Vec::new();
        for owed in &plan.follow_up {
            let by = owed.runbook.as_ref().map(|runbook| format!(" ({runbook})")).unwrap_or_default();
            if matches!(outcome, Outcome::Succeeded | Outcome::WithIssues) {
                fields.push(("Owed", format!("{}{by}, within {}.", visible(&owed.what), owed.within)));
            }
        }
        fields.push(("Proof", format!("journal show {}, and journal verify", run.id)));
        page = page.fields(fields);
    }
    let back = run.can_undo(None);
    if matches!(outcome, Outcome::Stopped | Outcome::WithIssues | Outcome::Stuck) && !back.is_empty() {
        let list: Vec<_> = back.iter().map(step_words).collect();
        page = page.next(format!("undo {}", run.id), format!("takes back {}", list.join(", ")));
    }
    page
}

/// No plan was made, or the run may not begin: the checks that stand in the way, with their values.
pub fn not_planned(run: &Run, code: &'static str, why: &[String], failed: &[CheckSeen]) -> Page {
    let what = match (failed.len(), run.confirmed.is_some()) {
        (0, _) => format!("Run {} has no plan; nothing was changed.", run.id),
        (1, false) => {
            format!("Refused: a check does not hold, so run {} has no plan. Nothing was changed.", run.id)
        }
        (n, false) => {
            format!("Refused: {n} checks do not hold, so run {} has no plan. Nothing was changed.", run.id)
        }
        (_, true) => format!(
            "Not started: what held for the plan of run {} does not hold any more. Nothing was changed.",
            run.id
        ),
    };
    let mut page = Page::new()
        .head(states::REFUSED, vec![format!("run {}", run.id), run.request.runbook.to_string()], "")
        .text(what);
    for why in why {
        page = page.text(visible(why));
    }
    if !failed.is_empty() {
        page = page
            .with(Block::Table(Table { rows: failed.iter().map(failed_row).collect(), ..Table::default() }));
    }
    page.code(code)
}

/// A check that does not hold: its sentence first, then the condition and the values.
fn failed_row(seen: &CheckSeen) -> Row {
    let (mark, role) = match seen.verdict {
        Verdict::NoAnswer(_) => ("? no answer", Role::Danger),
        _ => ("! fails", Role::Danger),
    };
    let mut below = vec![Below::Text(visible(&seen.that))];
    if let Verdict::NoAnswer(why) = &seen.verdict {
        below.push(Below::Text(format!("no answer: {}", visible(why))));
    }
    let values: Vec<_> =
        seen.read.iter().map(|(name, value)| format!("{name} = {}", visible(value))).collect();
    if !values.is_empty() {
        below.push(Below::Text(values.join(" · ")));
    }
    Row { cells: vec![cell(mark, role), plain(format!("{}.", visible(&seen.says)))], below }
}

/// What was said when somebody agreed, refused or steered.
pub fn heard(run: &Run, by: &str, events: &[Event], moment: &Moment) -> Page {
    let id = run.id;
    let now = moment.time(moment.now);
    let mut page = Page::new();
    for event in events {
        page = match event {
            Event::Confirmed { digest, approve_until } => {
                let alone = run.plan().is_some_and(|plan| plan.approvals.count == 0);
                if alone {
                    page.text(format!("Confirmed by {by} at {now}. Run {id} starts now, {} drives.", run.driver))
                } else {
                    let needed = run.plan().map_or(1, |plan| plan.approvals.count);
                    let roles = run.plan().map(|plan| plan.approvals.by.join(", ")).unwrap_or_default();
                    page.text(format!("Confirmed by {by} at {now}. Now {needed} of {roles} must approve, not {}.", run.request.by))
                        .next(format!("approve {id} {}", digest.short()), format!("until {}", moment.with_distance(*approve_until)))
                }
            }
            Event::Approved { digest, .. } => {
                let needed = run.plan().map_or(1, |plan| plan.approvals.count) as usize;
                let left = needed.saturating_sub(run.approvals.len());
                if left == 0 {
                    page.text(format!("Approved by {by} at {now}. Run {id} starts now, {} drives.", run.driver))
                } else {
                    page.text(format!("Approved by {by} at {now}. {left} more must approve."))
                        .next(format!("approve {id} {}", digest.short()), String::new())
                }
            }
            Event::Withdrawn => page.text(format!("{by} took the approval of run {id} back at {now}. It has not started.")),
            Event::Refused { why } => page.head(states::REFUSED, vec![format!("run {id}, by {by} at {now}: \"{}\"", visible(why))], "").text("It is closed, nothing ran."),
            Event::StopAsked { now: true } => page.text(format!("Stopped by {by} at {now}: run {id} begins no new step, and what runs is being ended.")),
            Event::StopAsked { now: false } => page.text(format!("Stopped by {by} at {now}: run {id} begins no new step.")),
            Event::Paused => page
                .text(format!("Paused by {by} at {now}: run {id} finishes what it is doing, then it waits. The hold stays."))
                .next(format!("resume {id}"), String::new()),
            Event::Resumed => page.text(format!("Resumed by {by} at {now}: run {id} goes on.")),
            Event::Retried { unit } => page.text(format!("{by} at {now}: {} of run {id} is tried again.", step_words(unit))),
            Event::AskedAgain { unit } => page.text(format!("{by} at {now}: {} of run {id} is asked about again. Nothing is sent.", step_words(unit))),
            Event::Skipped { unit, why } => page.text(format!("{by} at {now}: run {id} goes on without {}: \"{}\".", step_words(unit), visible(why))),
            Event::Settled { unit, done, how } => {
                let what = if *done { "done" } else { "not done" };
                page.text(format!("{by} at {now}: {} of run {id} is {what}: \"{}\".", step_words(unit), visible(how)))
            }
            Event::Answered { go_on, .. } => {
                let what = if *go_on { "goes on" } else { "ends here" };
                page.text(format!("Answered by {by} at {now}: run {id} {what}."))
            }
            Event::ApprovedAgain { unit } => page.text(format!("Approved by {by} at {now}: {} of run {id} goes back to its door.", step_words(unit))),
            Event::UndoConfirmed => page.text(format!("Confirmed by {by} at {now}. Run {id} is being taken back.")),
            Event::UndoExpired => page.text(format!("The undo of run {id} is not done.")),
            Event::UndoRetried => page.text(format!("{by} at {now}: the undo is tried again.")),
            Event::Driven { driver } => page.text(format!("{driver} drives run {id} since {now}.")),
            Event::HandedOver { to } => page
                .text(format!("{by} offers run {id} to {to} at {now}; {} drives until then.", run.driver))
                .next(format!("take {id}"), format!("by {to}")),
            _ => page,
        };
    }
    page
}
