//! The plan is made, or made anew before the start.

use super::{Conductor, Done};
use crate::engine::planner::who_may_no_more;
use crate::library::NotLoaded;
use crate::plan::difference::differences;
use crate::run::decide::CONFIRM_WITHIN;
use crate::run::model::Token;
use crate::run::next::after;
use crate::run::{Act, World};

impl Conductor {
    pub(super) fn start_planning(&mut self, act: Act) {
        let inner = self.inner.clone();
        let run = self.run.clone();
        self.fly(act.clone(), async move {
            let again = act == Act::Recheck;
            if let (true, Ok(Ok(policy))) =
                (again, inner.snapshot().as_ref().map(|now| now.set.policy.as_ref()))
            {
                inner.ask_discord(policy).await;
            }
            let snapshot = match inner.snapshot() {
                Ok(snapshot) => snapshot,
                Err(why) => return Done::new(act, not_loaded(&why)),
            };
            let before = inner.before(&snapshot, run.id, &run.request);
            let (offer, context) =
                match inner.planner.offer_of(&snapshot, run.id, &run.request, &before).await {
                    Ok(made) => made,
                    Err(not) => return Done::new(act, not.into()),
                };
            // What was measured took its time: who agreed is looked at last.
            let now = snapshot.at(inner.clock.now(), &inner.said());
            let gone = match who_may_no_more(now.as_ref().unwrap_or(&snapshot), &run) {
                Ok(gone) => gone,
                Err(not) => return Done::new(act, not.into()),
            };
            let stops: Vec<_> = offer.preflight.iter().filter(|seen| seen.stops()).cloned().collect();
            if !again && !stops.is_empty() {
                let world =
                    World::NotPlanned { code: "preflight".to_owned(), why: Vec::new(), failed: stops };
                return Done::new(act, world);
            }
            let token = Token {
                text: inner.dice.token(&offer.plan.target_name()),
                expires: after(inner.clock.now(), CONFIRM_WITHIN),
            };
            let blobs = snapshot.blobs().1;
            let offer = Box::new(offer);
            let world = match run.offer.as_ref().filter(|_| again) {
                Some(was) => {
                    let mut changes = differences(&was.plan, &offer.plan);
                    if changes.is_empty() && !gone.is_empty() {
                        changes.push("Its steps are the same.".to_owned());
                    }
                    changes.extend(gone);
                    World::Rechecked { offer, token, changes }
                }
                None => World::Planned { offer, token },
            };
            Done { act, world, context: Some(context), blobs, outputs: Vec::new() }
        });
    }
}

pub(super) fn not_planned(code: &str, why: String) -> World {
    World::NotPlanned { code: code.to_owned(), why: vec![why], failed: Vec::new() }
}

fn not_loaded(why: &NotLoaded) -> World {
    let why = match why {
        NotLoaded::Unreadable(why) => vec![format!("The folder of runbooks cannot be read: {why}.")],
        NotLoaded::Problems(report) if report.problems.is_empty() => {
            vec!["The folder of runbooks holds no inventory.".to_owned()]
        }
        NotLoaded::Problems(report) => vec![
            format!(
                "The folder of runbooks has {} problems, so nothing is run from it.",
                report.problems.len()
            ),
            "Next: steadyhand check".to_owned(),
        ],
    };
    World::NotPlanned { code: "runbooks-broken".to_owned(), why, failed: Vec::new() }
}
