//! Agreeing: the requester reads the plan back, others approve, and what was agreed is what begins.

use jiff::Timestamp;

use super::{APPROVE_WITHIN, Decided, TOKEN_TRIES, standing};
use crate::plan::model::{CheckSeen, Offer};
use crate::run::event::Event;
use crate::run::input::Refusal;
use crate::run::model::{Outcome, Phase, Run, Token, UnitAt, UnitState};
use crate::run::next::after;
use crate::runbook::source::name::Person;

/// The requester types the token that names the target.
pub(super) fn confirm(run: &Run, by: &Person, typed: &str, now: Timestamp) -> Decided {
    if run.phase == Phase::Undoing {
        return super::undo::confirm(run, by, typed);
    }
    let (Phase::Confirming, Some(token), Some(digest)) = (run.phase, &run.token, run.digest()) else {
        if let Some(at) = run.confirmed {
            return Decided::refused(Refusal::Again { what: "confirmed", by: run.request.by.clone(), at });
        }
        return Decided::refused(Refusal::NotNow { what: "confirmed", because: standing(run) });
    };
    if *by != run.request.by {
        return Decided::refused(Refusal::NotYourRun { waits_for: run.request.by.clone() });
    }
    if typed != token.text {
        return wrong_token(run, typed, token);
    }
    let approve_until = after(now, APPROVE_WITHIN);
    Decided::events([Event::Confirmed { digest: digest.clone(), approve_until }])
}

/// Each wrong token is recorded; the third ends the run.
fn wrong_token(run: &Run, typed: &str, token: &Token) -> Decided {
    let tries = run.wrong_tokens + 1;
    let wrong = Event::WrongToken { tries };
    if tries >= TOKEN_TRIES {
        let ended =
            Event::Ended { outcome: Outcome::Stopped, remarks: vec!["Three wrong tokens.".to_owned()] };
        return Decided { events: vec![wrong, ended], refusal: Some(Refusal::TokensSpent) };
    }
    let odd = odd_character(typed, &token.text);
    Decided { events: vec![wrong], refusal: Some(Refusal::BadToken { tries, odd }) }
}

/// The first character that is not the one it looks like.
pub(super) fn odd_character(typed: &str, wanted: &str) -> Option<(usize, char)> {
    let mut wanted = wanted.chars();
    let mut typed = typed.chars().enumerate();
    typed.find(|(_, c)| wanted.next() != Some(*c) && !c.is_ascii_graphic()).map(|(at, c)| (at + 1, c))
}

/// Another person agrees to exactly this plan.
pub(super) fn approve(
    run: &Run,
    by: &Person,
    typed: &str,
    step: Option<&UnitAt>,
    (roles, is_commander): (&[String], bool),
) -> Decided {
    let (Some(plan), Some(digest)) = (run.plan(), run.digest()) else {
        return Decided::refused(Refusal::NotNow { what: "approved", because: standing(run) });
    };
    if *by == run.request.by {
        return Decided::refused(Refusal::OwnRun { asked_by: run.request.by.clone() });
    }
    if !digest.is_meant_by(typed) {
        return Decided::refused(Refusal::OldPlan { typed: typed.to_owned(), now: digest.clone() });
    }
    if run.phase == Phase::Working
        && run.units.values().any(|state| matches!(state, UnitState::Withheld { .. }))
    {
        return approve_again(run, by, step);
    }
    if let Some(before) = run.approvals.iter().find(|approval| approval.by == *by) {
        return Decided::refused(Refusal::Again { what: "approved", by: by.clone(), at: before.at });
    }
    if run.phase != Phase::Approving {
        if let Some(last) = run.approvals.last() {
            return Decided::refused(Refusal::Again { what: "approved", by: last.by.clone(), at: last.at });
        }
        return Decided::refused(Refusal::NotNow { what: "approved", because: standing(run) });
    }
    let agreed = u32::try_from(run.approvals.len()).unwrap_or(u32::MAX);
    let last = agreed + 1 >= plan.approvals.count;
    let commander_missing = !is_commander && !run.approvals.iter().any(|approval| approval.commander);
    if let Some(why) = plan.approvals.commander.as_ref().filter(|_| last && commander_missing) {
        return Decided::refused(Refusal::NeedsCommander { why: why.clone() });
    }
    Decided::events([Event::Approved { digest: digest.clone(), roles: roles.to_vec() }])
}

/// A step that was not done is sent again. Where several wait for that, it is one that is named.
fn approve_again(run: &Run, by: &Person, step: Option<&UnitAt>) -> Decided {
    let waits =
        |state: &UnitState| matches!(state, UnitState::Withheld { approvals, .. } if !approvals.contains(by));
    let mut waiting =
        run.units.iter().filter(|(unit, state)| waits(state) && step.is_none_or(|step| step == *unit));
    let because = match (waiting.next(), waiting.next()) {
        (Some((unit, _)), None) => {
            return Decided::events([Event::ApprovedAgain { unit: unit.clone() }]);
        }
        (Some(_), Some(_)) => "several steps wait for it: name one of them, as its question shows",
        (None, _) if step.is_some() => "that step does not wait for it, or you agreed already",
        (None, _) => "you agreed already",
    };
    Decided::refused(Refusal::NotNow { what: "approved", because: because.to_owned() })
}

/// An approval is taken back before the start.
pub(super) fn withdraw(run: &Run, by: &Person) -> Decided {
    let agreed = run.approvals.iter().any(|approval| approval.by == *by);
    let because = match run.phase {
        Phase::Approving | Phase::Ready if agreed => return Decided::events([Event::Withdrawn]),
        Phase::Approving | Phase::Ready => "you have not approved it".to_owned(),
        _ => standing(run),
    };
    Decided::refused(Refusal::NotNow { what: "withdrawn", because })
}

/// Anybody who may take part can say no before it starts.
pub(super) fn refuse(run: &Run, why: &str) -> Decided {
    match run.phase {
        Phase::Measuring | Phase::Confirming | Phase::Approving | Phase::Ready => {
            let ended = Event::Ended { outcome: Outcome::Refused, remarks: Vec::new() };
            Decided::events([Event::Refused { why: why.to_owned() }, ended])
        }
        _ => {
            let because = format!("{}; to end it, say stop", standing(run));
            Decided::refused(Refusal::NotNow { what: "refused", because })
        }
    }
}

/// The plan was made once more: another one voids what was agreed, and so does a role that somebody agreed with and has
/// no more. Inside the holds the same one begins, if all that preflight asks still holds.
pub(super) fn rechecked(run: &Run, offer: &Offer, token: &Token, changes: &[String]) -> Decided {
    if Some(&offer.digest) != run.digest() || !changes.is_empty() {
        let changed = Event::PlanChanged {
            offer: Box::new(offer.clone()),
            token: token.clone(),
            changes: changes.to_vec(),
        };
        return Decided::events([changed]);
    }
    // What was measured before the resources were claimed says nothing about the time after.
    let unclaimed = run.holds.is_empty() && run.plan().is_some_and(|plan| !plan.holds.is_empty());
    if run.phase != Phase::Ready || unclaimed {
        return Decided::nothing();
    }
    let failed: Vec<CheckSeen> = offer.preflight.iter().filter(|seen| seen.stops()).cloned().collect();
    if !failed.is_empty() {
        let not_planned = Event::NotPlanned { code: "not-started".to_owned(), why: Vec::new(), failed };
        return Decided::events([
            not_planned,
            Event::Ended { outcome: Outcome::Refused, remarks: Vec::new() },
        ]);
    }
    Decided::events([Event::Started { preflight: offer.preflight.clone(), guards: offer.guards.clone() }])
}
