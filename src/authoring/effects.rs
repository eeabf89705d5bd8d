//! What steps do to the world, and what a reader must be told of it: undo, reasons, evidence, approval, proof.

use super::scope::Scoped;
use crate::runbook::expression::infer::{Uses, infer};
use crate::runbook::expression::tree::Tree;
use crate::runbook::model::{CheckUse, Effect, MeasureAt, Runbook, Step, StepBody, Undo};
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};

/// Holds every step against the rules of effects.
pub(super) fn check_effects(scoped: &Scoped<'_>, problems: &mut Problems) {
    let runbook = scoped.runbook;
    for (step, _) in runbook.all_steps() {
        check_action(scoped, step, problems);
        check_words(step, problems);
        check_undo(step, problems);
        check_proof(step, problems);
        if let Some(effect) = &step.effect
            && effect.value == Effect::Irreversible
        {
            check_irreversible(scoped, step, &effect.place, problems);
        }
        check_instead(scoped, step, problems);
    }
}

fn check_action(scoped: &Scoped<'_>, step: &Step, problems: &mut Problems) {
    let StepBody::Use(word) = &step.body else { return };
    for (_, action) in scoped.desk.actions(scoped.runbook, word, &mut Problems::default()) {
        if let (Some(ours), Some(its)) = (&step.effect, &action.effect)
            && ours.value != its.value
        {
            let message = format!("`{}` is {}, not {}", word.value, its.value.as_str(), ours.value.as_str());
            problems.add(
                Code::EffectDiffers,
                &ours.place,
                message,
                format!("effect: {}", its.value.as_str()),
            );
        }
    }
    let overrides = [
        step.undo.as_ref().map(|undo| ("undo", &undo.place)),
        step.repeatable.as_ref().map(|repeatable| ("repeatable", &repeatable.place)),
    ];
    for (key, place) in overrides.into_iter().flatten() {
        let message = format!("`{key}` beside `use`: it comes from the action");
        problems.add(Code::StepOverrides, place, message, "remove it, or change the action");
    }
}

fn check_words(step: &Step, problems: &mut Problems) {
    let effect = step.effect.as_ref().map(|effect| effect.value);
    if let (Some(why), Some(undo)) = (&step.why_no_undo, &step.undo) {
        let message = "both an undo and a reason why there is none";
        problems.add(
            Code::EffectWords,
            &undo.place.clone().max(why.place.clone()),
            message,
            "keep the one that is true",
        );
    } else if let Some(why) = &step.why_no_undo
        && !matches!(effect, None | Some(Effect::Irreversible))
    {
        let message = "`why_no_undo` on a step that is not irreversible";
        problems.add(Code::EffectWords, &why.place, message, "effect: irreversible, or remove the reason");
    } else if let (Some(undo), Some(Effect::Irreversible)) = (&step.undo, effect) {
        let message = "an undo on an irreversible step";
        problems.add(Code::EffectWords, &undo.place, message, "effect: reversible, or why_no_undo");
    }
    if let (Some(undo), Some(Effect::Read)) = (&step.undo, effect) {
        problems.add(Code::EffectRead, &undo.place, "an undo of a step that only reads", "remove it");
    }
}

fn check_undo(step: &Step, problems: &mut Problems) {
    let Some(effect) = &step.effect else { return };
    let own = matches!(step.body, StepBody::Own(_));
    if effect.value == Effect::Reversible && own && step.undo.is_none() {
        let message = "a reversible step without undo";
        problems.add(
            Code::EffectUndo,
            &effect.place,
            message,
            "undo: { run: […] }, or undo: { nothing: why }",
        );
    }
}

fn check_proof(step: &Step, problems: &mut Problems) {
    let Some(effect) = &step.effect else { return };
    if effect.value.changes() && step.verify.is_empty() {
        let message = "a step that changes something, and nothing proves it";
        problems.add(
            Code::EffectVerify,
            &effect.place,
            message,
            "verify: a check of what must be true afterwards",
        );
    }
}

fn check_irreversible(scoped: &Scoped<'_>, step: &Step, place: &Place, problems: &mut Problems) {
    let runbook = scoped.runbook;
    if step.why_no_undo.is_none() {
        let message = "an irreversible step without a reason";
        problems.add(
            Code::EffectWhy,
            place,
            message,
            "why_no_undo: The new timeline cannot be joined to the old one.",
        );
    }
    if step.require.is_empty() {
        let message = "this step cannot be taken back, and nothing is measured before it";
        problems.add(Code::EffectRequire, place, message, "require: a check of a measurement");
    } else if !uses_of(scoped, &step.require).measures() {
        let message = "the evidence before an irreversible step measures nothing";
        let at = step.require[0].place();
        problems.add(Code::RequireUnmeasured, at, message, "require a check of a measurement");
    }
    if runbook.access.approve.is_none() {
        let message = "an irreversible step in a runbook that nobody else approves";
        problems.add(
            Code::EffectApprove,
            place,
            message,
            "access: { start: […], approve: { by: […], count: 1 } }",
        );
    }
    if runbook.contingency.is_none() {
        let message = "an irreversible step in a runbook without a way out";
        problems.add(Code::EffectContingency, place, message, "contingency: the runbook to turn to");
    }
}

/// All that these checks use.
pub(super) fn uses_of(scoped: &Scoped<'_>, checks: &[CheckUse]) -> Uses {
    let mut all = Uses::default();
    for check in checks.iter().filter_map(|used| scoped.runbook.resolve(used)) {
        all.join(&infer(&check.that, &scoped.scope, &mut Problems::default()).uses);
    }
    all
}

fn check_instead(scoped: &Scoped<'_>, step: &Step, problems: &mut Problems) {
    let Some(instead) = &step.instead else { return };
    if instead.host.root.same_as(&step.host.root) {
        let message = "the unreachable host stands in for itself";
        problems.add(Code::InsteadSame, &instead.host.place, message, "another host, as old.power_host");
        return;
    }
    let uses = uses_of(scoped, &step.verify);
    let elsewhere = uses.measured.iter().any(|(name, index)| {
        asked_host(scoped.runbook, name, index.as_ref()).is_none_or(|host| !host.same_as(&step.host.root))
    });
    if !elsewhere && !step.verify.is_empty() {
        let message = "all that verifies this step asks the host that cannot be reached";
        let cure = "verify with a measurement on another host too, joined by ||";
        problems.add(Code::InsteadUnproven, step.verify[0].place(), message, cure);
    }
}

/// The one host that a measurement asks; `None` if it asks several.
fn asked_host<'a>(runbook: &'a Runbook, name: &str, index: Option<&'a Tree>) -> Option<&'a Tree> {
    index.or_else(|| match &runbook.measure(name)?.at {
        MeasureAt::Host(host) => Some(&host.root),
        _ => None,
    })
}

/// Whether an undo does something.
pub(super) fn undoes(undo: &Undo) -> bool {
    matches!(undo, Undo::Command(_))
}
