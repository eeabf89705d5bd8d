//! How a run ended, or why it never began.

use super::live::live;

use crate::plan::model::{CheckSeen, Verdict};
use crate::run::Run;
use crate::run::model::{Far, Outcome, Phase, UnitState};
use crate::runbook::source::hidden::visible;
use crate::wording::moment::Moment;
use crate::wording::page::{Below, Block, Page, Role, Row, Table, cell, plain};
use crate::wording::plan::{steps_of, values};
use crate::wording::refusal::again;
use crate::wording::states;

/// The end of a run, as its summary.
pub fn ended(run: &Run, moment: &Moment) -> Page {
    let Phase::Ended(outcome) = run.phase else { return Page::new() };
    let mut page = if run.started.is_some() {
        live(run, &Far::new(), moment)
    } else {
        let about = vec![format!("run {}", run.id), run.request.runbook.to_string()];
        Page::new().head(states::of_outcome(outcome), about, "nothing ran")
    };
    if run.started.is_none() {
        let page = run.remarks.iter().fold(page, |page, remark| page.text(visible(remark)));
        return page.next(again(run), "makes a new plan; what was measured is old now");
    }
    let mut fields: Vec<(&str, String)> =
        run.remarks.iter().map(|remark| ("Left", visible(remark))).collect();
    // What cannot be undone was done: what is owed for it is owed however the run ended.
    let owes = matches!(outcome, Outcome::Succeeded | Outcome::WithIssues) || run.past_no_return().is_some();
    if let Some(plan) = run.plan().filter(|_| owes) {
        for owed in &plan.follow_up {
            let by = owed.runbook.as_ref().map(|runbook| format!(" ({runbook})")).unwrap_or_default();
            fields.push(("Owed", format!("{}{by}, within {}.", visible(&owed.what), owed.within)));
        }
    }
    fields.push(("Proof", format!("journal show {}, and journal verify", run.id)));
    page = page.fields(fields);
    let back = run.can_undo(None);
    // What was sent without having succeeded may have done something.
    let unsure = run.sent.iter().rev().find(|at| {
        matches!(run.units.get(at), Some(UnitState::Failed { sent: true, .. } | UnitState::Unknown { .. }))
    });
    let with_it = unsure.map(|at| (at.number, run.can_undo(Some(at.number))));
    if let Some((number, all)) = with_it.filter(|(_, all)| all.len() > back.len())
        && matches!(outcome, Outcome::Stopped | Outcome::Stuck)
    {
        let including = format!("undo {} including={number}", run.id);
        page = page.next(including, format!("takes back {}", steps_of(&all)));
    }
    if matches!(outcome, Outcome::Stopped | Outcome::Stuck) && !back.is_empty() {
        page = page.next(format!("undo {}", run.id), format!("takes back {}", steps_of(&back)));
    } else if matches!(outcome, Outcome::Stopped | Outcome::Stuck)
        && let Some(turn_to) = run.offer.as_ref().and_then(|offer| offer.beside.turn_to.as_ref())
    {
        page = page.next(visible(turn_to), "the runbook to turn to");
    }
    page
}

/// No plan was made, or the run may not begin: the checks that stand in the way, with their values.
pub fn not_planned(run: &Run, code: &str, why: &[String], failed: &[CheckSeen]) -> Page {
    let what = match (failed.len(), run.confirmed.is_some()) {
        (0, false) => format!("Run {} has no plan; nothing was changed.", run.id),
        (0, true) => format!("Not started: run {} may not begin. Nothing was changed.", run.id),
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
    if !why.iter().any(|why| why.starts_with("Next: ")) {
        let note = if code == "bad-parameters" { "with values that fit" } else { "when that is mended" };
        page = page.next(again(run), note);
    }
    page.code(code.to_owned())
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
    let values: Vec<_> = values(seen).collect();
    if !values.is_empty() {
        below.push(Below::Text(values.join(" · ")));
    }
    Row { cells: vec![cell(mark, role), plain(format!("{}.", visible(&seen.says)))], below }
}
