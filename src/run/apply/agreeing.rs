//! From the request to the start: plans, tokens, approvals, holds.

use std::sync::Arc;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::who;
use crate::plan::model::Offer;
use crate::run::event::{Event, Stamped};
use crate::run::model::{Approval, Phase, Run, Token, UnitAt, UnitState};

pub(super) fn apply(run: &mut Run, stamped: &Stamped) {
    let at = stamped.at;
    match &stamped.event {
        Event::Requested(request) => {
            run.request = request.clone();
            run.driver = request.by.clone();
            run.requested = at;
        }
        Event::Offered { offer, token } | Event::PlanChanged { offer, token, .. } => {
            offered(run, offer, token);
        }
        Event::NotPlanned { why, .. } => run.remarks.clone_from(why),
        Event::WrongToken { tries } => run.wrong_tokens = *tries,
        Event::Confirmed { approve_until, .. } => {
            run.confirmed = Some(at);
            run.token = None;
            run.wrong_tokens = 0;
            run.approve_until = Some(*approve_until);
            let alone = run.plan().is_some_and(|plan| plan.approvals.count == 0);
            run.phase = if alone { Phase::Ready } else { Phase::Approving };
        }
        Event::Approved { roles, .. } => {
            let commander = roles.iter().any(|role| role == "commander");
            run.approvals.push(Approval { by: who(run, stamped), at, roles: roles.clone(), commander });
            let needed = run.plan().map_or(u32::MAX, |plan| plan.approvals.count);
            if u32::try_from(run.approvals.len()).unwrap_or(u32::MAX) >= needed {
                run.phase = Phase::Ready;
            }
        }
        Event::Withdrawn => {
            let by = who(run, stamped);
            run.approvals.retain(|approval| approval.by != by);
            run.holds.clear();
            run.phase = Phase::Approving;
        }
        Event::Refused { why } => {
            run.remarks = vec![format!("{} refused it: \"{why}\".", who(run, stamped))];
        }
        Event::Expired { .. } => run.token = None,
        Event::HoldsTaken { holds } => run.holds.clone_from(holds),
        Event::Started { guards, .. } => {
            run.guards.clone_from(guards);
            run.started = Some(at);
            run.phase = Phase::Working;
        }
        _ => {}
    }
}

/// A plan to be read back. Nothing that was agreed before counts for it.
fn offered(run: &mut Run, offer: &Offer, token: &Token) {
    run.offer = Some(Arc::new(offer.clone()));
    run.units = RedBlackTreeMapSync::new_sync();
    run.open = RedBlackTreeSetSync::new_sync();
    for (place, lane, unit) in offer.plan.placed_units() {
        let at = UnitAt { number: unit.number, lane: lane.cloned() };
        run.units.insert_mut(at, UnitState::Waiting { attempts: 0 });
        run.open.insert_mut(place);
    }
    run.sent.clear();
    run.reached = RedBlackTreeMapSync::new_sync();
    run.token = Some(token.clone());
    run.wrong_tokens = 0;
    run.confirmed = None;
    run.approvals.clear();
    run.approve_until = None;
    run.holds.clear();
    run.phase = Phase::Confirming;
}
