//! A run in one sentence, for those who see no more of it than that: on a lock screen, or at the head of a card.

use super::live::between;
use crate::plan::Plan;
use crate::plan::model::Work;
use crate::run::model::{Phase, UndoStep, UnitState};
use crate::run::{Run, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::wording::plan::{count, needed, target, unit_count};
use crate::wording::refusal::step as step_words;
use crate::wording::states;

/// The state of a run, the thing, and what is needed.
pub fn headline(run: &Run) -> String {
    let (id, by) = (run.id, &run.request.by);
    let Some(plan) = run.plan() else {
        return match run.phase {
            Phase::Ended(outcome) => {
                format!(
                    "Run {id} of {by}, {}: {}. Nothing ran.",
                    run.request.runbook,
                    states::of_outcome(outcome).word
                )
            }
            _ => format!("Run {id}: the plan of {} is being made for {by}.", run.request.runbook),
        };
    };
    let what = format!("{} on {}", plan.runbook, target(plan));
    let of = format!("Run {id} on {}", target(plan));
    match run.phase {
        Phase::Measuring => format!("{of}: its plan is being made anew."),
        Phase::Confirming => {
            format!("Plan for {by}: {what}.{} It waits for {by} to confirm it.", no_return(plan))
        }
        Phase::Approving => {
            format!("Plan of {by}: {what}.{} {}.", no_return(plan), needed(&plan.approvals))
        }
        Phase::Ready => format!("{of}: agreed. Everything is measured again before the first step."),
        Phase::Working => working(run, plan, &of),
        Phase::Undoing => undoing(run, &of),
        Phase::Ended(outcome) => {
            let took = match (run.started, run.ended) {
                (Some(started), Some(ended)) => format!(" after {}", between(started, ended)),
                _ => ". Nothing ran".to_owned(),
            };
            format!("{of}: {}{took}.", states::of_outcome(outcome).word)
        }
    }
}

fn no_return(plan: &Plan) -> String {
    plan.point_of_no_return().map(|step| format!(" No way back from step {step} on.")).unwrap_or_default()
}

fn titled(run: &Run, at: &UnitAt) -> String {
    let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
    format!("{}, {title}", step_words(at))
}

fn working(run: &Run, plan: &Plan, of: &str) -> String {
    let asked: Vec<_> = run.questions().collect();
    if let Some((at, state)) = asked.first() {
        let more = match asked.len() {
            1 => String::new(),
            n => format!(" {} more.", n - 1),
        };
        if let (UnitState::Asked { .. }, Some(Work::Decide(decide))) =
            (state, run.unit(at).map(|unit| &unit.work))
        {
            return format!("{of} asks {}: {}{more}", decide.ask.join(" or "), titled(run, at));
        }
        return format!(
            "{of} waits for {}: {}: {}.{more}",
            run.driver,
            titled(run, at),
            states::of_unit(state).word
        );
    }
    if let Some(pause) = &run.pause {
        let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        return format!("{of}: paused{by}. {} drives.", run.driver);
    }
    if run.waits_to_be_known() {
        return format!("{of} waits until {} has said that they know.", states::who_must_know(run));
    }
    let at_work = run.units.iter().find(|(_, state)| states::of_unit(state) == states::WORKING);
    match at_work {
        Some((at, _)) => {
            let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
            let on = at.lane.as_ref().map(|lane| format!(" on {lane}")).unwrap_or_default();
            let all = unit_count(plan);
            format!("{of}: step {} of {all}{on}, {title}. {} drives.", at.number, run.driver)
        }
        None => format!("{of}: {}, working. {} drives.", count(unit_count(plan), "step"), run.driver),
    }
}

fn undoing(run: &Run, of: &str) -> String {
    let Some(undo) = &run.undo else { return format!("{of}: taking back.") };
    let left = count(undo.list.len(), "step");
    match (&undo.token, &undo.step) {
        (Some(_), _) => format!("{of}: {} would take back {left}, and has to confirm it.", undo.by),
        (None, UndoStep::Failed { .. }) => {
            format!("{of} waits for {}: taking back failed, {left} left.", run.driver)
        }
        (None, _) => format!("{of}: taking back, {left} left."),
    }
}
