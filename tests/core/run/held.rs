//! The rules that hold for every run, whatever it hears. They keep books of their own, made of events alone, so that a
//! slip in the state machine is not repeated here.

use std::collections::BTreeMap;

use steadyhand::plan::Digest;
use steadyhand::plan::model::Undo;
use steadyhand::run::model::{Outcome, Phase, UnitState, Variant};
use steadyhand::run::{Event, Input, Run, Says, Stamped, UnitAt, World, deadline, next};
use steadyhand::runbook::model::Effect;
use steadyhand::runbook::source::name::Person;
use steadyhand::wording::{Moment, run as words};

use super::driven::seen;

/// What the events so far say.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "books of what was said, one line a fact")]
pub(super) struct Rules {
    /// Those know who must know before anything is changed.
    known: bool,
    /// The plan that is shown now.
    digest: Option<Digest>,
    confirmed: Option<Digest>,
    /// The plan as it was made last, inside the holds.
    rechecked: Option<Digest>,
    /// Somebody who agreed might not any more, when that was looked at last.
    gone: bool,
    /// Who agreed to which plan.
    agreed: BTreeMap<Person, Digest>,
    /// Units as they were sent, the newest last, with what is known of them.
    sent: Vec<(UnitAt, Sent)>,
    /// What is to be taken back, the next one first.
    undo: Vec<UnitAt>,
    undoing: bool,
    /// Until when a person may agree to what is shown.
    expires: Option<jiff::Timestamp>,
    undo_expires: Option<jiff::Timestamp>,
    ended: Option<Outcome>,
    /// How it had ended before a person wanted to take something back.
    ended_before: Option<Outcome>,
    /// The step that a person named, to be taken back though it did not succeed.
    named: Option<u32>,
    stopped: bool,
    paused: bool,
    started: bool,
    holds: bool,
}

#[derive(Debug, Clone, Default)]
struct Sent {
    /// What was sent, attempt by attempt, but for what never reached the host.
    commands: Vec<Variant>,
    done: bool,
}

impl Rules {
    /// What is about to be said.
    pub(super) fn input(&mut self, input: &Input) {
        match input {
            Input::Person { says: Says::Undo { including, .. }, .. } => self.named = *including,
            Input::World(World::Rechecked { offer, changes, .. }) => {
                self.rechecked = Some(offer.digest.clone());
                self.gone = !changes.is_empty();
            }
            _ => {}
        }
    }

    /// Holds an event against what came before it. `run` is the state before the event.
    #[expect(clippy::too_many_lines, reason = "a table: one case an event")]
    pub(super) fn event(&mut self, run: &Run, stamped: &Stamped) {
        let Stamped { at, by, event } = stamped;
        if let Some(outcome) = self.ended {
            after_the_end(outcome, event);
        }
        match event {
            Event::Offered { offer, token } | Event::PlanChanged { offer, token, .. } => {
                assert!(!self.started, "a plan that has begun never changes");
                assert_eq!(offer.digest, Digest::of(&offer.plan));
                self.digest = Some(offer.digest.clone());
                self.confirmed = None;
                self.agreed.clear();
                self.holds = false;
                self.expires = Some(token.expires);
            }
            Event::Confirmed { digest, approve_until } => {
                assert_eq!(by.as_ref(), Some(&run.request.by), "only the requester confirms");
                assert_eq!(Some(digest), self.digest.as_ref());
                assert!(self.expires.is_some_and(|until| *at < until), "confirmed after the token expired");
                self.confirmed = Some(digest.clone());
                self.expires = Some(*approve_until);
            }
            Event::Approved { digest, .. } => {
                let by = by.clone().expect("a person approves");
                assert_ne!(by, run.request.by, "nobody approves their own run");
                assert_eq!(Some(digest), self.digest.as_ref());
                assert!(self.expires.is_some_and(|until| *at < until), "approved after the time was over");
                assert!(self.agreed.insert(by, digest.clone()).is_none(), "one person approves once");
            }
            Event::ApprovedAgain { .. } => {
                assert_ne!(by.as_ref(), Some(&run.request.by), "nobody approves their own run");
            }
            Event::Withdrawn => {
                assert!(self.agreed.remove(by.as_ref().expect("a person")).is_some());
                self.holds = false;
            }
            Event::HoldsTaken { .. } => self.holds = true,
            Event::Started { .. } => {
                self.agreement(run);
                assert_eq!(self.rechecked, self.digest, "what begins is what would be planned now");
                assert!(!self.gone, "and those who agreed still may");
                assert!(
                    self.holds || run.plan().is_some_and(|plan| plan.holds.is_empty()),
                    "a run starts inside its holds only"
                );
                self.started = true;
            }
            Event::StepSent { unit, variant, body, .. } => {
                self.may_send(run);
                let step = run.step(unit).expect("a step of the plan");
                let must_know = !run.must_know().is_empty() && step.effect.changes();
                assert!(self.known || !must_know, "something is changed, and Support does not know");
                let command = run.command(unit, *variant).expect("a command of the plan");
                assert_eq!(*body, command.body, "what is sent is what was agreed to");
                self.sends(unit, *variant);
            }
            Event::StepUnreached { unit, .. } => self.book(unit, |sent| {
                sent.commands.pop();
            }),
            Event::StepSucceeded { unit, .. } => self.book(unit, |sent| sent.done = true),
            Event::Settled { unit, done: true, .. } if self.undoing => self.taken_back(unit),
            // It is sent again.
            Event::Settled { .. } if self.undoing => {}
            Event::Settled { unit, done, .. } => {
                self.book(unit, |sent| {
                    if *done {
                        sent.done = true;
                    } else {
                        sent.commands.pop();
                    }
                });
            }
            Event::StopAsked { .. } => self.stopped = true,
            Event::Known => self.known = true,
            Event::Paused | Event::PlaceLost { .. } => self.paused = true,
            Event::Resumed => self.paused = false,
            Event::UndoOffered { list, token, .. } => {
                self.last_first(run, list);
                self.undo.clone_from(list);
                self.undo_expires = Some(token.expires);
                self.undoing = true;
                self.stopped = false;
                self.ended_before = self.ended.take();
            }
            Event::UndoConfirmed => {
                assert!(
                    self.undo_expires.is_some_and(|until| *at < until),
                    "confirmed after the token expired"
                );
            }
            Event::UndoExpired => {
                self.undoing = false;
                self.undo.clear();
                self.ended = self.ended_before.take();
            }
            Event::UndoSent { unit, body, .. } => {
                assert_eq!(
                    run.undo.as_ref().map(|undo| undo.token.is_none()),
                    Some(true),
                    "nobody read it back"
                );
                assert!(!self.stopped, "nothing is taken back after a stop");
                assert_eq!(self.undo.first(), Some(unit), "the last step is taken back first");
                let Some(Undo::Command(command)) = self.takes_back(run, unit) else {
                    panic!("nothing takes {unit:?} back")
                };
                assert_eq!(*body, command.body, "what is taken back is what was sent");
            }
            Event::UndoDone { unit, .. } => self.taken_back(unit),
            Event::Ended { outcome, .. } => {
                self.ended = Some(*outcome);
                self.undoing = false;
            }
            _ => {}
        }
    }

    /// Everybody who must agree has agreed, to this very plan.
    fn agreement(&self, run: &Run) {
        let plan = run.plan().expect("a plan");
        assert_eq!(self.digest, Some(Digest::of(plan)), "the plan is the one that was shown");
        assert_eq!(self.confirmed, self.digest, "the requester read another plan back");
        let agreed = self.agreed.values().filter(|digest| Some(*digest) == self.digest.as_ref()).count();
        assert!(agreed as u64 >= u64::from(plan.approvals.count), "an approval is missing");
        assert!(!self.agreed.contains_key(&run.request.by));
    }

    fn may_send(&self, run: &Run) {
        assert!(self.started, "nothing is sent before the start");
        self.agreement(run);
        assert!(self.ended.is_none(), "nothing is sent after the end");
        assert!(
            !self.undoing && run.phase == Phase::Working,
            "nothing new is sent while steps are taken back"
        );
        assert!(!self.stopped, "nothing is sent after a stop");
        assert!(!self.paused, "nothing is sent in a pause");
        assert!(run.broken.is_empty(), "nothing is sent while a watch is broken");
    }

    fn sends(&mut self, unit: &UnitAt, variant: Variant) {
        let before = self.sent.iter().position(|(at, _)| at == unit).map(|index| self.sent.remove(index).1);
        let mut commands = before.unwrap_or_default().commands;
        commands.push(variant);
        self.sent.push((unit.clone(), Sent { commands, done: false }));
    }

    fn book(&mut self, unit: &UnitAt, change: impl FnOnce(&mut Sent)) {
        let (_, sent) = self.sent.iter_mut().find(|(at, _)| at == unit).expect("it was sent");
        change(sent);
    }

    /// A list of steps to take back: done, each with its undo, the last one first, and none from before a step that
    /// nothing takes back.
    fn last_first(&self, run: &Run, list: &[UnitAt]) {
        let place = |unit: &UnitAt| self.sent.iter().position(|(at, _)| at == unit).expect("it was sent");
        let places: Vec<usize> = list.iter().map(place).collect();
        assert!(
            places.windows(2).all(|pair| pair[0] > pair[1]),
            "the last step is taken back first: {list:?}"
        );
        for (unit, place) in list.iter().zip(places) {
            assert_eq!(run.step(unit).map(|step| step.effect), Some(Effect::Reversible));
            assert!(self.takes_back(run, unit).is_some(), "{unit:?} has no undo");
            let no_return = self.sent[place..].iter().any(|(at, sent)| {
                !sent.commands.is_empty()
                    && run.step(at).is_some_and(|step| step.effect == Effect::Irreversible)
            });
            assert!(!no_return, "{unit:?} lies before the point of no return");
            // A step that is named may have failed half-way; it was sent nevertheless.
            let named = self.named == Some(unit.number);
            assert!(named || self.sent[place].1.done, "{unit:?} was not done, and nobody named it");
            assert!(!matches!(run.units[unit], UnitState::Undone), "{unit:?} was taken back before");
        }
    }

    /// What takes a step back, by the command that was sent last.
    fn takes_back<'a>(&self, run: &'a Run, unit: &UnitAt) -> Option<&'a Undo> {
        let variant =
            self.sent.iter().find(|(at, _)| at == unit).and_then(|(_, sent)| sent.commands.last())?;
        let step = run.step(unit)?;
        match variant {
            Variant::Main => step.undo.as_ref(),
            Variant::Instead => step.undo_instead.as_ref(),
        }
    }

    fn taken_back(&mut self, unit: &UnitAt) {
        assert_eq!(self.undo.first(), Some(unit), "steps are taken back in the order that was shown");
        self.undo.remove(0);
    }
}

/// Nothing happens to an ended run, but that what can be taken back is taken back.
fn after_the_end(outcome: Outcome, event: &Event) {
    assert!(
        matches!(event, Event::UndoOffered { .. }),
        "an ended run hears nothing but undo: {}",
        super::reached::name(event)
    );
    assert!(
        !matches!(outcome, Outcome::Undone | Outcome::Refused | Outcome::Expired),
        "nothing is left of a run that is {outcome:?}"
    );
}

/// No state is a dead end: the run wants something, something happens by itself, or a person is told what to type.
pub(super) fn is_no_dead_end(run: &Run) {
    if run.is_ended() {
        assert!(next(run).is_empty() && deadline(run).is_none() && run.holds.is_empty());
        return;
    }
    if !next(run).is_empty() {
        return;
    }
    if matches!(run.phase, Phase::Confirming | Phase::Approving) {
        assert!(deadline(run).is_some(), "an agreement is waited for without an end");
        return;
    }
    assert!(
        run.waits_for_person() || deadline(run).is_some(),
        "nothing moves, and nobody is asked: {}",
        seen(run)
    );
    if run.waits_for_person() {
        let moment = Moment { now: run.requested, zone: jiff::tz::TimeZone::UTC };
        let page = words::questions(run, None, &moment);
        assert!(
            !page.commands().is_empty(),
            "a person is waited for and not told what to type: {}",
            seen(run)
        );
    }
}
