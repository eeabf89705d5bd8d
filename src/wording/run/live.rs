//! The run as it stands, redrawn in place while it works.

use std::fmt::Write as _;

use crate::plan::model::{Block as PlanBlock, EachBlock};
use crate::run::model::{Far, HowFar, Pause, UnitState};
use crate::run::{Run, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;
use crate::wording::moment::Moment;
use crate::wording::page::{Below, Block, Page, Row, Table, cell, plain};
use crate::wording::plan::{NAMED, NO_WAY_BACK, lanes_of, listed, target};
use crate::wording::states;

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
            format!("{}, {}", moment.span(started, ended), between(started, ended))
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
    if let Some(pause) = &run.pause {
        page = page.text(paused(pause, moment));
    }
    page
}

/// Since when nothing new begins, who said so, and why.
pub(super) fn paused(pause: &Pause, moment: &Moment) -> String {
    let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = if pause.why.is_empty() { String::new() } else { format!(" {}", visible(&pause.why)) };
    format!("Paused{by} at {}: nothing new begins.{why}", moment.time(pause.at))
}

pub(super) fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> Millis {
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
                if all_wait || lanes.len() > NAMED {
                    rows.push(folded_row(run, each, unit.number, &title, &lanes));
                    // Those that need somebody are named; the others are counted above.
                    let troubled = lanes.iter().filter(|(lane, unit)| {
                        let at = UnitAt { number: unit.number, lane: Some((*lane).clone()) };
                        run.units.get(&at).is_some_and(UnitState::needs_person)
                    });
                    for (lane, unit) in troubled.take(if all_wait { 0 } else { NAMED }) {
                        let at = UnitAt { number: unit.number, lane: Some((*lane).clone()) };
                        rows.push(unit_row(run, far, &at, &unit.title, lane.as_str(), moment));
                    }
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

fn folded_row(
    run: &Run,
    each: &EachBlock,
    number: u32,
    title: &str,
    lanes: &[(&HostName, &crate::plan::model::Unit)],
) -> Row {
    let states: Vec<&UnitState> = lanes
        .iter()
        .filter_map(|(lane, _)| run.units.get(&UnitAt { number, lane: Some((*lane).clone()) }))
        .collect();
    let over = states.iter().filter(|state| state.is_over()).count();
    let worst = states.iter().find(|state| state.needs_person());
    let state = match worst {
        Some(state) => states::of_unit(state),
        None if over == lanes.len() => states::SUCCEEDED,
        None if over == 0 && states.iter().all(|state| matches!(state, UnitState::Waiting { .. })) => {
            states::WAITING
        }
        None => states::WORKING,
    };
    let hosts = if lanes.len() > NAMED {
        counted(&states)
    } else {
        lanes.iter().map(|(lane, _)| lane.to_string()).collect::<Vec<_>>().join(" ")
    };
    let left = (state == states::WORKING).then(|| time_left(each, number, run)).flatten();
    let cells = vec![
        cell(state.text(), state.role),
        plain(format!("{number:>3}")),
        plain(visible(title)),
        plain(hosts),
        plain(left.map_or_else(String::new, |left| format!("about {left} left"))),
    ];
    Row { cells, below: Vec::new() }
}

/// `98 of 200 hosts, 1 skipped, 1 FAILED, 20 working`
fn counted(all: &[&UnitState]) -> String {
    let done = all.iter().filter(|state| matches!(state, UnitState::Succeeded { .. })).count();
    let mut told = format!("{done} of {} hosts", all.len());
    let mut others: Vec<(&str, usize)> = Vec::new();
    for state in all {
        let word = match state {
            UnitState::Waiting { .. } | UnitState::Succeeded { .. } => continue,
            state => states::of_unit(state).word,
        };
        match others.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => others.push((word, 1)),
        }
    }
    for (word, count) in others {
        let _ = write!(told, ", {count} {word}");
    }
    told
}

/// How long the batches that are left will take, if each takes as long as the slowest host did so far.
fn time_left(each: &EachBlock, number: u32, run: &Run) -> Option<Millis> {
    let state = |host: &HostName| run.units.get(&UnitAt { number, lane: Some(host.clone()) });
    let slowest = each.lanes.keys().filter_map(|host| match state(host) {
        Some(UnitState::Succeeded { took, .. }) => Some(took.0),
        _ => None,
    });
    let slowest = slowest.max()?;
    let is_left =
        |hosts: &&Vec<HostName>| hosts.iter().any(|host| state(host).is_some_and(|state| !state.is_over()));
    let left = i64::try_from(each.batches.iter().filter(is_left).count()).ok()?;
    Some(Millis(left * slowest + (left - 1).max(0) * each.pause.0))
}

fn unit_row(run: &Run, far: &Far, at: &UnitAt, title: &str, host: &str, moment: &Moment) -> Row {
    let Some(unit_state) = run.units.get(at) else { return Row::default() };
    let halted = run.is_halted(at);
    let works = matches!(unit_state, UnitState::Sent { .. });
    let state = match (works, halted, run.stalled.contains_key(at), run.late.contains(at)) {
        (true, true, ..) => states::PAUSED,
        (true, false, true, _) => states::STALLED,
        (true, false, false, true) => states::OVERDUE,
        _ => states::of_unit(unit_state),
    };
    let time = match unit_state {
        UnitState::Sent { at: sent, .. } => match run.usual(at) {
            Some(usual) => format!("{}, usually {}", moment.ago(*sent), usual.takes),
            None => moment.ago(*sent).to_string(),
        },
        UnitState::Holding { since: at } | UnitState::Asked { at, .. } => moment.ago(*at).to_string(),
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
    let holds = matches!(unit_state, UnitState::Holding { .. });
    let far = far.get(at).filter(|_| works || holds).cloned();
    // What is halted goes at no rate.
    let far = far.map(|far| if halted { HowFar { rate: None, left: None, ..far } } else { far });
    let mut below = far.map(|far| how_far(&far, moment)).unwrap_or_default();
    if let Some((since, why)) = run.unlinked.get(at) {
        let since = moment.second(*since);
        below.push(Below::Text(format!(
            "since {since}: {}; what runs there goes on, asking again",
            visible(why)
        )));
    }
    Row { cells, below }
}

/// How far the steps of a run are that work, one line each, for those who follow without a screen.
pub fn progress_lines(run: &Run, far: &Far, moment: &Moment) -> Vec<String> {
    let works =
        |at: &UnitAt| matches!(run.units.get(at), Some(UnitState::Sent { .. } | UnitState::Holding { .. }));
    let told = far.iter().filter(|(at, far)| works(at) && !far.amount.is_empty());
    told.map(|(at, far)| {
        let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
        let host = run.step(at).map(|step| format!(" host={}", step.command.host)).unwrap_or_default();
        let percent = far.percent.map(|percent| format!("{percent} %, ")).unwrap_or_default();
        format!(
            "{} run={} step={}{host} state=working {title}: {percent}{}.",
            moment.stamp(moment.now),
            run.id,
            at.number,
            amount(far, moment)
        )
    })
    .collect()
}

/// How far a step is, and the last lines that it printed.
fn how_far(far: &HowFar, moment: &Moment) -> Vec<Below> {
    let amount = (!far.amount.is_empty()).then(|| Below::Text(bar(far.percent, &amount(far, moment))));
    let lines = far.lines.iter().map(|line| Below::Foreign(visible(line)));
    amount.into_iter().chain(lines).collect()
}

/// `251 GiB of 412 GiB, 40 MiB/s, about 1 h 9 min left`
fn amount(far: &HowFar, moment: &Moment) -> String {
    let mut parts = vec![visible(&far.amount)];
    match far.silent_since {
        Some(since) => parts.push(format!("not measured since {}", moment.second(since))),
        None => parts.extend(far.rate.clone()),
    }
    parts.extend(far.left.map(|left| match roughly(left) {
        Millis(0) => "less than a minute left".to_owned(),
        left => format!("about {left} left"),
    }));
    parts.join(", ")
}

/// To whole minutes, and from two hours on to five of them: an estimate does not know better.
fn roughly(left: Millis) -> Millis {
    let minutes = if left >= Millis::minutes(120) { 5 } else { 1 };
    let step = Millis::minutes(minutes).0;
    Millis((left.0 + step / 2) / step * step)
}

/// ` 61 %  [############--------]  251 GiB of 412 GiB`
fn bar(percent: Option<u8>, amount: &str) -> String {
    let Some(percent) = percent else { return amount.to_owned() };
    let full = usize::from(percent.min(100)) / 5;
    format!("{percent:>3} %  [{}{}]  {amount}", "#".repeat(full), "-".repeat(20 - full))
}
