//! What is going on: all runs, one run, its plan and its output, who holds a resource and who answers for a host.

use std::sync::Arc;

use crate::duty::OnDuty;
use crate::incident::Incident;
use crate::plan::model::Offer;
use crate::policy::Policy;
use crate::run::model::{Far, Phase};
use crate::run::{Run, RunId};
use crate::wording::moment::Moment;
use crate::wording::page::{Block, Page, Row, Table, cell, plain};
use crate::wording::plan::{self, target};
use crate::wording::{duty, run as running, states};

/// What is going on now: what needs a person first, then what moves.
pub fn status(runs: &[Arc<Run>], is_carried: bool, moment: &Moment) -> Page {
    if runs.is_empty() {
        return Page::sentence(format!("Nothing runs. It is {}.", moment.time(moment.now)));
    }
    let needs: Vec<_> = runs.iter().filter(|run| run.waits_for_person()).collect();
    let mut page = if is_carried { Page::new() } else { no_bot() };
    if !needs.is_empty() {
        page = page.text("NEEDS A PERSON").with(Block::Table(Table {
            rows: needs.iter().map(|run| status_row(run, moment)).collect(),
            ..Table::default()
        }));
    }
    let moves: Vec<_> = runs.iter().filter(|run| !run.waits_for_person()).collect();
    if !moves.is_empty() {
        page = page.text("RUNS").with(Block::Table(Table {
            rows: moves.iter().map(|run| status_row(run, moment)).collect(),
            ..Table::default()
        }));
    }
    let first = needs.first().or(moves.first());
    first.map_or_else(Page::new, |run| page.next(format!("status {}", run.id), String::new()))
}

fn status_row(run: &Run, moment: &Moment) -> Row {
    let (state, whom) = states::of_run(run);
    let (done, all) = run.steps_done();
    let what = run.plan().map_or_else(String::new, target);
    let waits = match run.phase {
        Phase::Confirming => format!("{} confirms", run.request.by),
        Phase::Approving => {
            run.plan().map(|plan| format!("{} approve", plan.approvals.by.join(", "))).unwrap_or_default()
        }
        _ => whom.map(|whom| format!("{whom} answers")).unwrap_or_default(),
    };
    let since = run.started.unwrap_or(run.requested);
    Row {
        cells: vec![
            cell(state.text(), state.role),
            plain(run.id.to_string()),
            plain(format!("{} · {what}", run.request.runbook)),
            plain(format!("{done} of {all}")),
            plain(waits),
            plain(moment.ago(since).to_string()),
        ],
        below: Vec::new(),
    }
}

/// What is shown stands still: nobody carries it on.
pub fn no_bot() -> Page {
    Page::sentence("No bot runs, so nothing of this is carried on. What was sent to a host goes on there.")
        .next("steadyhand", "in a shell starts one: it goes on where the last one ended")
}

/// A run stands still because of a fault that is not its own. One whose events cannot be read cannot be stopped either.
pub fn parked(id: RunId, why: &str, is_readable: bool) -> Page {
    let what = format!(
        "Run {id} is parked: {why}. Nothing of it is carried on, it keeps what it holds, and what was sent to a host goes on there. All other runs go on."
    );
    let page = Page::sentence(what);
    if !is_readable {
        return page
            .text("Start the bot in the version that wrote its events: then it is carried on from where it stands.")
            .next("journal verify", "says whether the journal is whole");
    }
    page.next(format!("stop {id}"), "begins no new step of it")
        .text("Or start the bot again: then it is carried on from where it stands.")
}

/// One run: where it stands, and what it waits for. `held_by` is as for `run::questions`.
pub fn status_of_run(
    run: &Run,
    far: &Far,
    held_by: Option<&Incident>,
    policy: Option<&Policy>,
    moment: &Moment,
) -> Page {
    match run.phase {
        Phase::Confirming => plan::offered(run, policy, moment),
        Phase::Approving => {
            running::live(run, far, moment).join(plan::waits_for_approval(run, policy, moment))
        }
        Phase::Ended(_) => running::ended(run, moment),
        _ => running::live(run, far, moment).join(running::questions(run, held_by, moment)),
    }
}

/// The plan of a run.
pub fn plan_of_run(run: &Run, long: bool, policy: Option<&Policy>, moment: &Moment) -> Page {
    let Some(offer) = &run.offer else {
        return Page::sentence(format!("Run {} has no plan.", run.id)).code("no-plan");
    };
    if long {
        return plan::long(offer, moment);
    }
    if run.phase == Phase::Confirming {
        return plan::offered(run, policy, moment);
    }
    plan::of_run(run, offer, policy, moment)
}

/// A plan that was made only to be looked at, long.
pub fn long_look(offer: &Offer, moment: &Moment) -> Page {
    plan::long(offer, moment).text("This is a look: it asks for nothing and nothing will run.")
}

/// What is held by whom, for `status <cluster>`.
pub fn holds(resource: &str, run: Option<&Run>, moment: &Moment) -> Page {
    match run {
        None => Page::sentence(format!("{resource} is free.")),
        Some(run) => Page::sentence(format!(
            "{resource} is held by run {}, {}, {}, since {}.",
            run.id,
            run.request.runbook,
            run.request.by,
            moment.time(run.started.unwrap_or(run.requested))
        ))
        .next(format!("status {}", run.id), String::new()),
    }
}

/// Who answers for a host.
pub fn who_owns(
    host: &str,
    owner: &str,
    on_duty: Option<&OnDuty>,
    escalates: &[String],
    cluster: Option<&str>,
    moment: &Moment,
) -> Page {
    let people = match on_duty {
        Some(duty) if duty.until.is_some() || !duty.people.is_empty() => duty::who(duty, moment),
        _ => "nobody has that role".to_owned(),
    };
    let cluster = cluster.map(|cluster| format!(", member of {cluster}")).unwrap_or_default();
    let mut fields = vec![("Owner", format!("{owner}: {people}"))];
    if !escalates.is_empty() {
        fields.push(("Then", escalates.join(", then ")));
    }
    Page::sentence(format!("{host}{cluster}")).fields(fields)
}

/// What a step printed, framed so that it cannot be taken for our words.
pub fn output(title: &str, streams: &[(String, Vec<String>)]) -> Page {
    let mut page = Page::new();
    if streams.is_empty() {
        return Page::sentence(format!("{title} printed nothing."));
    }
    for (head, lines) in streams {
        page = page.text(head.clone()).with(Block::Foreign(lines.clone()));
    }
    page.text("End of output.")
}

/// There is nothing to verify.
pub fn no_journal() -> Page {
    Page::sentence("Nothing has run yet: there is no journal, and nothing to verify.")
        .text("If something has run, look at the working directory, and at `journal` in steadyhand.toml.")
}
