//! Who is asked about a run on Discord: each question is posted anew, since an edit notifies nobody, and pings those who may
//! answer.

use super::card::Card;
use super::cards::{asked, closed, question_card};
use super::limits::cut;
use super::post::{Lost, Post};
use super::safe;
use super::told::{LINE, Stands, address, ids_of, mentioning};
use crate::incident::Incident;
use crate::policy::Policy;
use crate::run::Run;
use crate::run::model::Phase;
use crate::runbook::source::name::Person;
use crate::wording::{Moment, discord as words, plan};

/// What is asked about a run now, and where.
#[derive(Default)]
pub(super) struct Questions {
    /// The plan for which approvers were asked.
    asked_to_approve: Option<String>,
    /// The question that is open: where it stands, and its message.
    open: Option<(u64, u64, Card)>,
    /// It may have gone: it is looked at, though it is the same.
    is_doubted: bool,
    /// The server on which it was asked.
    server: String,
}

impl Questions {
    /// The address of the question that is open.
    pub(super) fn link(&self) -> Option<String> {
        let (place, message, _) = self.open.as_ref()?;
        Some(address(&self.server, *place, *message))
    }

    /// It may have gone.
    pub(super) const fn doubt(&mut self) {
        self.is_doubted = true;
    }

    /// People are asked somewhere else from now on.
    pub(super) fn ask_anew(&mut self) {
        (self.asked_to_approve, self.open) = (None, None);
    }

    /// Asks those who may approve, once for each plan.
    pub(super) async fn ask_approvers(
        &mut self,
        post: &Post,
        stands: Stands,
        run: &Run,
        policy: Option<&Policy>,
    ) -> Result<(), Lost> {
        let (Phase::Approving, Some(plan), Some(digest)) = (run.phase, run.plan(), run.digest()) else {
            return Ok(());
        };
        if self.asked_to_approve.as_deref() == Some(digest.short()) {
            return Ok(());
        }
        let holders = policy.map(|policy| policy.holders(&plan.approvals.by)).unwrap_or_default();
        let others: Vec<Person> = holders.into_iter().filter(|person| *person != run.request.by).collect();
        let pings = ids_of(policy, &others);
        let sentence = words::approval_wanted(run, &plan::needed(&plan.approvals));
        let sentence = cut(&safe::plain(&sentence), LINE);
        let server = policy.and_then(Policy::server).unwrap_or_default();
        let card = address(server, stands.channel, stands.message);
        let sentence = format!("{sentence} {card}");
        let card = Card { content: mentioning(&pings, &sentence), pings, ..Card::default() };
        post.send(stands.asks_in(), &card, None, None).await?;
        self.asked_to_approve = Some(digest.short().to_owned());
        Ok(())
    }

    /// Posts the question that a run has; one that is not asked any more is closed.
    pub(super) async fn show(
        &mut self,
        post: &Post,
        stands: Stands,
        run: &Run,
        held_by: Option<&Incident>,
        policy: Option<&Policy>,
        moment: &Moment,
    ) -> Result<(), Lost> {
        let question = question_card(run, held_by, moment).map(|mut card| {
            card.pings = ids_of(policy, &asked(run, policy));
            card
        });
        let is_same = |open: &Card, now: &Card| {
            open.buttons == now.buttons && open.title == now.title && open.pings == now.pings
        };
        if let Some((place, message, open)) = &self.open
            && question.as_ref().is_some_and(|now| is_same(open, now))
        {
            if !self.is_doubted {
                return Ok(());
            }
            match post.edit(*place, *message, &posted(open), false).await {
                Ok(()) => {
                    self.is_doubted = false;
                    return Ok(());
                }
                // In a thread that was archived it could not be seen any more either.
                Err(Lost::Gone(_) | Lost::Refused(_)) => self.open = None,
                Err(lost) => return Err(lost),
            }
        }
        if let Some((place, message, open)) = &self.open {
            let how =
                if question.is_some() { "It is asked anew below." } else { "This is not asked any more." };
            match post.edit(*place, *message, &closed(open, how), false).await {
                Ok(()) | Err(Lost::Gone(_) | Lost::Closed(_) | Lost::Refused(_)) => self.open = None,
                Err(away) => return Err(away),
            }
        }
        if let Some(open) = question {
            let place = stands.asks_in();
            let message = post.send(place, &posted(&open), None, None).await?;
            self.open = Some((place, message, open));
            self.is_doubted = false;
            policy.and_then(Policy::server).unwrap_or_default().clone_into(&mut self.server);
        }
        Ok(())
    }
}

/// A question as it is posted.
fn posted(question: &Card) -> Card {
    Card { content: mentioning(&question.pings, &question.content), ..question.clone() }
}
