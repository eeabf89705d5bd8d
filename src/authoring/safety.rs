//! What hurried people forget: limits, watching what is long, proving a write, telling Support.

use super::effects::uses_of;
use super::scope::Scoped;
use crate::runbook::expression::infer::{Uses, infer};
use crate::runbook::model::{Effect, Item, Step, StepBody};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::problem::{Code, Problems};

/// A step may take this long without progress and watch.
const UNWATCHED_AT_MOST: Millis = Millis::minutes(30);

/// Holds a runbook against the rules of safety.
pub(super) fn check_safety(scoped: &mut Scoped<'_>, problems: &mut Problems) {
    let runbook = scoped.runbook;
    for (step, _) in runbook.all_steps() {
        check_limit(scoped, step, problems);
    }
    check_tell(scoped, problems);
    check_write(scoped, problems);
}

/// The longest that a step may take, by itself or by its action.
fn limit_of(scoped: &Scoped<'_>, step: &Step) -> Option<Millis> {
    let of_action = || match &step.body {
        StepBody::Use(word) => {
            let actions = scoped.desk.actions(scoped.runbook, word, &mut Problems::default());
            actions.iter().map(|(_, action)| action.at_most).max()
        }
        _ => None,
    };
    step.at_most.or_else(of_action)
}

fn check_limit(scoped: &Scoped<'_>, step: &Step, problems: &mut Problems) {
    let Some(limit) = limit_of(scoped, step) else {
        if matches!(step.body, StepBody::Own(_)) {
            problems.add(Code::StepLimit, &step.title.place, "a step without a limit", "at_most: 60s");
        }
        return;
    };
    let watched = !step.watch.is_empty() || !scoped.runbook.watch.is_empty();
    if limit > UNWATCHED_AT_MOST && !(step.progress.is_some() && watched) {
        let message = format!("a step of up to {limit} that nobody watches");
        let cure = "say how far it is under `progress`, and what it must not harm under `watch`";
        problems.add(Code::LongUnwatched, &step.title.place, message, cure);
    }
}

fn check_tell(scoped: &Scoped<'_>, problems: &mut Problems) {
    let runbook = scoped.runbook;
    let changes = runbook
        .all_steps()
        .any(|(step, _)| step.effect.as_ref().is_some_and(|effect| effect.value != Effect::Read));
    if changes && !runbook.tell.iter().any(|tell| tell.who.value == "support") {
        let message = "this runbook changes something, and Support is not told";
        let cure = "tell: [{ who: support, at: start, until: acknowledged, within: 10m }]";
        problems.add(Code::TellSupport, &runbook.place, message, cure);
    }
    for tell in &runbook.tell {
        let page = tell.who.value == "status-page";
        if !page {
            scoped.desk.role(&tell.who, problems);
        }
        let wrong = match (page, tell.until.as_str()) {
            (true, "acknowledged" | "delivered") => {
                Some("a status page is published, it acknowledges nothing")
            }
            (false, "published") => Some("people acknowledge, only a status page is published"),
            _ => None,
        };
        if let Some(message) = wrong {
            let cure = if page { "until: published" } else { "until: acknowledged" };
            problems.add(Code::TellUntil, &tell.until.place, message, cure);
        }
    }
}

/// Reads can work while writes hang: where a data store is changed, something must write afterwards.
fn check_write(scoped: &mut Scoped<'_>, problems: &mut Problems) {
    let runbook = scoped.runbook;
    let changes_a_store = |step: &Step| {
        let changes = step.effect.as_ref().is_some_and(|effect| effect.value.changes());
        let StepBody::Use(word) = &step.body else { return false };
        let actions = scoped.desk.actions(runbook, word, &mut Problems::default());
        changes && actions.iter().any(|(pack, _)| pack.topology.is_some())
    };
    let Some((step, _)) = runbook.all_steps().find(|(step, _)| changes_a_store(step)) else { return };
    let mut uses = Uses::default();
    let watches = runbook.watch.iter().chain(runbook.all_steps().flat_map(|(step, _)| &step.watch));
    for watch in watches {
        uses.join(&infer(&watch.that, &scoped.scope, &mut Problems::default()).uses);
    }
    for (step, _) in runbook.all_steps() {
        uses.join(&uses_of(scoped, &step.verify));
    }
    let inner = runbook.items.iter().flat_map(|item| match item {
        Item::Each(each) => each.items.as_slice(),
        other => std::slice::from_ref(other),
    });
    for item in inner {
        if let Item::Wait(wait) = item {
            uses.join(&uses_of(scoped, &wait.until));
        }
    }
    let proven = uses
        .measured
        .iter()
        .any(|(name, _)| scoped.measured(name).is_some_and(|measured| measured.writes || measured.broken));
    if !proven {
        let message = "a data store is changed, and nothing that is asked afterwards writes to it";
        let cure = "verify with a probe that writes: reads can work while writes hang";
        problems.add(Code::WriteUnproven, &step.title.place, message, cure);
    }
}
