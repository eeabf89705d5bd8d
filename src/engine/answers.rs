//! Saying something to a run: rights first, then whether the plan is still the one that was shown, then the run itself.

use super::{Engine, Heard, NotOffered, Refused, Speaker, ToRun};
use std::sync::Arc;

use super::conductor::Mail;
use crate::library::Snapshot;
use crate::plan::Resource;
use crate::plan::difference::differences;
use crate::policy::decide::Denial;
use crate::policy::model::Policy;
use crate::run::decide::CONFIRM_WITHIN;
use crate::run::model::{Outcome, Phase, Token};
use crate::run::next::after;
use crate::run::{Event, Refusal, Run, RunId, Says, UnitAt, World};
use crate::runbook::source::name::Person;

impl Engine {
    /// Says something to a run.
    pub async fn say(&self, speaker: &Speaker, id: RunId, to_run: ToRun) -> Result<Heard, Refused> {
        let what = format!("{} {id}", to_run.verb());
        let snapshot = self.files_for(id, &to_run)?;
        let person = self.person(speaker, &snapshot, &what).await?;
        let policy =
            snapshot.set.policy.as_ref().map_err(|why| Refused::Denied(Denial::NoPolicy(why.clone())))?;
        let run = match self.run(id) {
            Ok(run) => run,
            Err(refused) => {
                self.note_denied(speaker, &what, "unknown-run", Some(id)).await?;
                return Err(refused);
            }
        };
        let runbook = snapshot.set.runbooks.get(&run.request.runbook);
        let roles = to_run.needs(&run, runbook);
        let own = run.request.by == person || run.driver == person;
        let free = match to_run {
            // That requester and approver differ is said before anything about roles: it is the first thing to know.
            ToRun::Approve { .. } => run.request.by == person,
            // The run itself says for whom it waits.
            ToRun::Confirm { .. } => !own && run.undo.as_ref().is_none_or(|undo| undo.by != person),
            _ => own && to_run.is_free_for_own(),
        };
        if !free {
            self.allow(speaker, &what, policy.needs_role(&person, to_run.deed(), &roles), Some(id)).await?;
        }
        // Only for whom it would be an agreement: nobody else voids what others agreed to, or reads a new plan by trying.
        let agrees = match to_run {
            ToRun::Confirm { .. } => run.request.by == person,
            ToRun::Approve { .. } => run.request.by != person,
            _ => false,
        };
        if agrees && let Some((changed, how)) = self.changed_files(&run, &snapshot).await? {
            self.note_denied(speaker, &what, "plan-changed", Some(id)).await?;
            return Err(Refused::PlanChanged(changed, how));
        }
        if let ToRun::Handover { to } = &to_run
            && !policy.people.contains_key(to)
        {
            self.note_denied(speaker, &what, "unknown-person", Some(id)).await?;
            return Err(Refused::UnknownPerson(to.clone(), policy.people.keys().cloned().collect()));
        }
        let says = self.says(policy, &person, &run, to_run)?;
        let says = match says {
            Ok(says) => says,
            Err(refusal) => {
                self.note_denied(speaker, &what, refusal.code(), Some(id)).await?;
                return Err(Refused::Run(refusal, run));
            }
        };
        let mail = |reply| Mail::Says { by: person, says, actor: speaker.actor(), reply };
        let heard = self.send(id, mail).await?;
        if let Some(error) = heard.not_written {
            return Err(Refused::NotWritten(error));
        }
        if let Some(refusal) = heard.refusal {
            self.note_denied(speaker, &what, refusal.code(), Some(id)).await?;
            return Err(Refused::Run(refusal, heard.run));
        }
        Ok(heard)
    }

    /// The files under which somebody speaks: those that lie there now. Where they cannot be used, a run can still be
    /// steered under those that it began with: a slip in the folder must not keep anybody from stopping it.
    fn files_for(&self, id: RunId, to_run: &ToRun) -> Result<Arc<Snapshot>, Refused> {
        let now = self.snapshot();
        let usable = now.as_ref().is_ok_and(|snapshot| snapshot.set.policy.is_ok());
        if usable || !to_run.steers() {
            return now;
        }
        let offer = self.run(id).ok().and_then(|run| run.offer.clone());
        let files = offer.and_then(|offer| self.inner.files(&offer.sources).ok());
        let at = |files: Arc<Snapshot>| match files.at(self.clock().now(), &self.overrides()) {
            Some(files) => Arc::new(files),
            None => files,
        };
        files.map_or(now, |files| Ok(at(files)))
    }

    /// Before an agreement is taken: if a file of the plan changed meanwhile, the plan is made anew at once.
    ///
    /// Gives the run with its new plan, and how that differs.
    async fn changed_files(
        &self,
        run: &Run,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Option<(Arc<Run>, Vec<String>)>, Refused> {
        let Some(offer) =
            run.offer.as_ref().filter(|_| matches!(run.phase, Phase::Confirming | Phase::Approving))
        else {
            return Ok(None);
        };
        if offer.sources == snapshot.blobs().0 {
            return Ok(None);
        }
        let before = self.inner.before(snapshot, run.id, &run.request);
        let made = self.inner.planner.offer_of(snapshot, run.id, &run.request, &before).await;
        let (world, context, changes) = match made {
            Ok((offer, _)) if Some(&offer.digest) == run.digest() => return Ok(None),
            Ok((new, context)) => {
                let changes = differences(&offer.plan, &new.plan);
                let token = self.token(&new.plan.target_name());
                (
                    World::Rechecked { offer: Box::new(new), token, changes: changes.clone() },
                    Some(context),
                    changes,
                )
            }
            Err(NotOffered { code, why, failed }) => {
                (World::NotPlanned { code, why, failed }, None, Vec::new())
            }
        };
        let blobs = snapshot.blobs().1;
        let mail = |reply| Mail::Replanned { world, context, blobs, reply };
        Ok(Some((self.send(run.id, mail).await?.run, changes)))
    }

    fn token(&self, target: &str) -> Token {
        Token { text: self.inner.dice.token(target), expires: after(self.inner.clock.now(), CONFIRM_WITHIN) }
    }

    /// What a person says, with what the state machine needs besides: roles, tokens, claims.
    fn says(
        &self,
        policy: &Policy,
        person: &Person,
        run: &Run,
        to_run: ToRun,
    ) -> Result<Result<Says, Refusal>, Refused> {
        let unit = |number, host: Option<String>| find_unit(run, number, host.as_deref());
        let after =
            |attempt, unit: &UnitAt, says| Says::After { unit: unit.clone(), attempt, says: Box::new(says) };
        Ok(Ok(match to_run {
            ToRun::Confirm { token } => Says::Confirm { token },
            ToRun::Approve { digest, step } => {
                let step = match step.map(|(number, host)| unit(number, host)).transpose() {
                    Ok(step) => step,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let roles = policy.roles_of(person);
                let is_commander = roles.iter().any(|role| role == "commander");
                Says::Approve { digest, step, roles, is_commander }
            }
            ToRun::Withdraw => Says::Withdraw,
            ToRun::Refuse { why } => Says::Refuse { why },
            ToRun::Stop { now } => Says::Stop { now },
            ToRun::Pause => Says::Pause,
            ToRun::Resume => Says::Resume,
            ToRun::Retry { number, host, attempt } => match unit(number, host) {
                Ok(unit) => after(attempt, &unit, Says::Retry { unit: unit.clone() }),
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Skip { number, host, attempt, why } => match unit(number, host) {
                Ok(unit) => after(attempt, &unit, Says::Skip { unit: unit.clone(), why }),
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Ask { number, host } => match unit(number, host) {
                Ok(unit) => Says::Ask { unit },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Settle { number, host, attempt, done, how } => match unit(number, host) {
                Ok(unit) => after(attempt, &unit, Says::Settle { unit: unit.clone(), done, how }),
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Answer { number, host, go_on } => match unit(number, host) {
                Ok(unit) => Says::Answer { unit, go_on },
                Err(refusal) => return Ok(Err(refusal)),
            },
            ToRun::Undo { including } => {
                let target = run.plan().map(crate::plan::Plan::target_name).unwrap_or_default();
                Says::Undo { including, token: self.token(&target), holds: self.claim_again(run)? }
            }
            ToRun::Take => Says::Take,
            ToRun::Handover { to } => Says::Handover { to },
        }))
    }

    /// What an ended run would claim to be taken back: only if nobody else has held any of it since.
    fn claim_again(&self, run: &Run) -> Result<Vec<(Resource, u64)>, Refused> {
        if !matches!(
            run.phase,
            Phase::Ended(Outcome::Stopped | Outcome::WithIssues | Outcome::Stuck | Outcome::Succeeded)
        ) {
            return Ok(Vec::new());
        }
        let mut last_held = Vec::new();
        for entry in self.view().entries_of(run.id)? {
            match crate::journal::stamped(&entry)?.event {
                Event::HoldsTaken { holds } => last_held = holds,
                Event::UndoOffered { holds, .. } if !holds.is_empty() => last_held = holds,
                _ => {}
            }
        }
        let resources: Vec<Resource> = last_held.iter().map(|(resource, _)| resource.clone()).collect();
        let next = self.view().next_tokens(&resources)?;
        let untouched = next.iter().zip(&last_held).all(|((_, next), (_, last))| *next == last + 1);
        Ok(if untouched { next } else { Vec::new() })
    }
}

/// The unit that a number and a host name; a unit that has one host needs none.
fn find_unit(run: &Run, number: u32, host: Option<&str>) -> Result<crate::run::UnitAt, Refusal> {
    let of_number: Vec<&crate::run::UnitAt> = run.units.keys().filter(|at| at.number == number).collect();
    let called = |at: &&&crate::run::UnitAt| match (&at.lane, host) {
        (Some(lane), Some(host)) => lane.as_str() == host,
        (None, Some(host)) => run.step(at).is_none_or(|step| {
            let hosts = std::iter::once(&step.command).chain(&step.instead);
            hosts.map(|command| command.host.as_str()).any(|name| name == host)
        }),
        (_, None) => of_number.len() == 1,
    };
    let hosts = || of_number.iter().filter_map(|at| at.lane.clone()).collect();
    of_number
        .iter()
        .find(called)
        .map(|at| (**at).clone())
        .ok_or_else(|| Refusal::NoSuchStep { number, hosts: hosts() })
}
