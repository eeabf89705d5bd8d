//! Taking back: in reverse order, completed steps only, never past an irreversible step that was sent.

use super::{Decided, standing};
use crate::plan::model::Undo;
use crate::plan::{Digest, Resource};
use crate::run::event::{Event, Exit, OutputSummary};
use crate::run::input::Refusal;
use crate::run::model::{Outcome, Phase, Run, Token, UndoStep, UnitAt};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::Person;

/// A person wants to take back: the list is shown, and must be read back like a plan.
pub(super) fn offer(run: &Run, including: Option<u32>, token: &Token, holds: &[(Resource, u64)]) -> Decided {
    let at_work = run.is_at_work();
    let possible = match run.phase {
        Phase::Working => !at_work,
        Phase::Ended(Outcome::Stopped | Outcome::WithIssues | Outcome::Stuck | Outcome::Succeeded) => {
            !holds.is_empty()
        }
        _ => false,
    };
    if !possible {
        let because = match run.phase {
            Phase::Working => "a step is at work; stop it or wait for its end".to_owned(),
            Phase::Ended(Outcome::Undone) => "it was taken back already".to_owned(),
            Phase::Ended(Outcome::Refused | Outcome::Expired) => "nothing of it ran".to_owned(),
            Phase::Ended(_) => "since its end another run has held what it held".to_owned(),
            _ => standing(run),
        };
        return Decided::refused(Refusal::NotNow { what: "taken back", because });
    }
    let list = run.can_undo(including);
    if list.is_empty() {
        return Decided::refused(Refusal::NothingToUndo { past: run.past_no_return().cloned() });
    }
    let digest = Digest::of(&(run.id, &list));
    Decided::events([Event::UndoOffered { list, digest, token: token.clone(), holds: holds.to_vec() }])
}

/// The person who asked for the undo reads it back.
pub(super) fn confirm(run: &Run, by: &Person, typed: &str) -> Decided {
    let Some((undo, token)) = run.undo.as_ref().and_then(|undo| Some((undo, undo.token.as_ref()?))) else {
        return Decided::refused(Refusal::NotNow { what: "confirmed", because: standing(run) });
    };
    if *by != undo.by {
        return Decided::refused(Refusal::NotYourRun { waits_for: undo.by.clone() });
    }
    if typed != token.text {
        let tries = run.wrong_tokens + 1;
        let odd = super::agree::odd_character(typed, &token.text);
        let mut events = vec![Event::WrongToken { tries }];
        if tries >= super::TOKEN_TRIES {
            // The undo is not done; the run stands where it stood.
            events.push(Event::UndoExpired);
            return Decided { events, refusal: Some(Refusal::TokensSpent) };
        }
        return Decided { events, refusal: Some(Refusal::BadToken { tries, odd }) };
    }
    Decided::events([Event::UndoConfirmed])
}

/// An undo ended, could not begin, or was lost.
pub(super) fn ended(
    run: &Run,
    unit: &UnitAt,
    attempt: u32,
    ended: &Result<(Exit, Millis, OutputSummary), (String, bool)>,
) -> Decided {
    let awaited = run.phase == Phase::Undoing
        && run
            .undo
            .as_ref()
            .is_some_and(|undo| undo.list.first() == Some(unit) && undo.step == UndoStep::Sent { attempt });
    if !awaited {
        return Decided::nothing();
    }
    let unit = unit.clone();
    let event = match ended {
        Ok((exit, took, output)) if exit.is_success() => {
            Event::UndoDone { unit, ended: Some((*exit, *took, output.clone())) }
        }
        Ok((exit, took, output)) => {
            let why = format!("{exit} after {took}");
            Event::UndoFailed { unit, why, unknown: false, output: Some(output.clone()) }
        }
        Err((why, unknown)) => Event::UndoFailed { unit, why: why.clone(), unknown: *unknown, output: None },
    };
    Decided::events([event])
}

/// The intent to take a step back is written.
pub(super) fn begins(run: &Run, unit: &UnitAt, attempt: u32) -> Decided {
    let Some(Undo::Command(command)) = run.undo_of(unit) else { return Decided::nothing() };
    let waits = run.phase == Phase::Undoing
        && run.stop.is_none()
        && run.undo.as_ref().is_some_and(|undo| {
            let next = UndoStep::Waiting { attempts: attempt.saturating_sub(1) };
            undo.list.first() == Some(unit) && undo.token.is_none() && undo.step == next
        });
    if !waits {
        return Decided::nothing();
    }
    let (host, body) = (command.host.clone(), command.body.clone());
    Decided::events([Event::UndoSent { unit: unit.clone(), attempt, host, body }])
}
