//! What happens to a run, made of plain numbers, so that a failing case shrinks to the shortest one.
//!
//! Most moves fit the state: an act that is wanted is answered, a question that stands is answered. The others do not:
//! the wrong person, the wrong step, an old attempt, a report that comes twice or late. Fitting moves lead deep, the
//! others try every door on the way.

use proptest::prelude::*;
use steadyhand::plan::Plan;
use steadyhand::plan::model::{CheckSeen, Offer, Undo, Verdict};
use steadyhand::run::event::{Exit, OutputSummary};
use steadyhand::run::model::{LogTail, Phase, UndoStep, UnitState, WatchAt};
use steadyhand::run::{Act, Input, Says, UnitAt, World, deadline, next};
use steadyhand::runbook::source::literal::Millis;

use super::driven::{Driven, a_run_of};
use super::plans::{PlanOf, a_plan, edited, fails, holds, offer, person, unit, unit_on};

/// Who there is. Ana asks for every run.
const PEOPLE: [&str; 4] = ["ana", "ben", "cara", "dan"];

/// One move: what kind, about which, and how it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    kind: u8,
    which: u8,
    how: u8,
}

pub(super) fn a_move() -> impl Strategy<Value = Move> {
    (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, which, how)| Move { kind, which, how })
}

/// A plan and what happens to its run.
pub(super) fn a_history() -> impl Strategy<Value = (Plan, Vec<Move>)> {
    (some_plan(), prop::collection::vec(a_move(), 1..90))
}

/// Small plans of every shape.
pub(super) fn some_plan() -> impl Strategy<Value = Plan> {
    let blocks = prop::collection::vec((0..12_u8, any::<u8>()), 1..5);
    (blocks, 0..3_u32, any::<u8>()).prop_map(|(blocks, approvals, rest)| {
        let mut plan = a_plan().approved_by(approvals).watched(usize::from(rest & 1));
        if rest & 2 != 0 {
            plan = plan.claiming(&[]);
        }
        if rest & 0b1100 == 0b1100 && approvals > 0 {
            plan = plan.with_a_commander();
        }
        if rest & 0b11_0000 == 0b11_0000 {
            plan = plan.known_before();
        }
        for (kind, flags) in blocks {
            plan = a_block(plan, kind, flags);
        }
        plan.made()
    })
}

fn a_block(plan: PlanOf, kind: u8, flags: u8) -> PlanOf {
    let has = |bit: u8| flags & (1 << bit) != 0;
    let plan = match kind {
        0 => return plan.wait("Wait for the replicas"),
        1 => return plan.decide("Go on?"),
        2 => plan.each(&[&["web1"], &["web2", "web3"]], 2),
        3 => plan.each(&[&["web1"], &["web2"]], 1).resting(Millis::minutes(1), 1),
        4 | 5 => plan.step("Promote").irreversible(),
        6 => plan.step("Look").read(),
        7 | 8 => plan.step("Fence").or_instead(),
        9 => plan.step("Tell").with(|step| step.undo = Some(Undo::Nothing("it is only told".to_owned()))),
        _ => plan.step("Move"),
    };
    plan.with(|step| {
        step.repeatable = has(0) && has(1);
        step.has_proof = !has(2);
        step.watches = usize::from(has(3));
        step.has_progress = has(4);
        if has(5) && has(6) {
            step.instead = step.instead.take().or_else(|| Some(super::plans::command("ipmi", "power-off")));
        }
    })
}

/// Plays a history to its end.
pub(super) fn play(plan: &Plan, moves: &[Move], mut after_each: impl FnMut(&Driven)) -> Driven {
    let mut driven = a_run_of(plan);
    for a_move in moves {
        driven.moves(*a_move);
        after_each(&driven);
    }
    driven
}

impl Driven {
    fn moves(&mut self, Move { kind, which, how }: Move) {
        match kind {
            // What is wanted is done, or what is asked is answered.
            0..150 => match (self.wanted(which), self.answer(which, how)) {
                (Some(act), answer) if answer.is_none() || kind < 110 => {
                    let world = self.report(&act, how);
                    self.world(world);
                }
                (_, Some((by, says))) => {
                    self.says(by, says);
                }
                _ => self.until_the_deadline(),
            },
            150..162 => self.until_the_deadline(),
            162..166 => {
                self.later(i64::from(how) * 3);
            }
            // Time goes on, and nobody has looked at the clock yet.
            166..168 => {
                self.now = deadline(&self.run).map_or(self.now, |moment| self.now.max(moment));
            }
            // A clock that is set back.
            168..170 => {
                self.later(-i64::from(how));
            }
            170..176 => self.restarts(),
            // Somebody says stop or pause, and what was under way comes in right after it.
            176 => {
                self.says("cara", Says::Stop { now: how.is_multiple_of(2) });
                self.comes_in(which, how);
            }
            177 => {
                if how % 4 == 3 {
                    self.world(World::PlaceLost { why: "its channel is gone".to_owned() });
                } else {
                    self.says("cara", Says::Pause);
                }
                self.comes_in(which, how);
            }
            178..205 => {
                let says = self.anything_said(which, how);
                self.says(PEOPLE[usize::from(which) % PEOPLE.len()], says);
            }
            // What was under way when something else was said comes in now.
            205..220 => self.comes_in(which, how),
            220..235 => {
                let world = self.anything_reported(which, how);
                self.world(world);
            }
            // What was said once is said again, late.
            _ => {
                if let Some(again) = self.said.get(usize::from(which) % self.said.len().max(1)).cloned() {
                    self.hears(again);
                }
            }
        }
    }

    fn wanted(&self, which: u8) -> Option<Act> {
        let acts = next(&self.run);
        acts.get(usize::from(which) % acts.len().max(1)).cloned()
    }

    /// What was wanted before the last thing was said is answered only now.
    fn comes_in(&mut self, which: u8, how: u8) {
        let acts = std::mem::take(&mut self.under_way);
        if let Some(act) = acts.get(usize::from(which) % acts.len().max(1)) {
            let world = self.report(act, how);
            self.world(world);
        }
    }

    fn until_the_deadline(&mut self) {
        if let Some(moment) = deadline(&self.run) {
            self.now = self.now.max(moment);
        }
        self.hears(Input::Tick);
    }

    /// An offer of the plan: as it was, with a check that fails, or after an edit.
    fn an_offer(&mut self, how: u8) -> Box<Offer> {
        if how % 16 == 15 {
            self.plan = edited(&self.plan);
        }
        let mut offer = offer(&self.plan);
        if how % 16 == 14 {
            offer.preflight.push(fails("follows(node, candidate, old)"));
        }
        Box::new(offer)
    }

    /// The answer of the world to an act that is wanted.
    pub(super) fn report(&mut self, act: &Act, how: u8) -> World {
        let well = how < 150;
        match act.clone() {
            Act::MakePlan if how % 16 == 13 => World::NotPlanned {
                code: "preflight".to_owned(),
                why: Vec::new(),
                failed: vec![fails("cluster is whole")],
            },
            Act::MakePlan => World::Planned { offer: Box::new(offer(&self.plan)), token: self.token() },
            Act::Claim => World::Claimed(self.claims().expect("something to claim")),
            Act::Recheck => {
                let offer = self.an_offer(how);
                let mut changes = Vec::new();
                if Some(&offer.digest) != self.run.digest() {
                    changes.push("failover-database.yaml was edited".to_owned());
                }
                if how % 16 == 11 {
                    changes.push("ben is no dba any more".to_owned());
                }
                World::Rechecked { offer, token: self.token(), changes }
            }
            Act::LetKnow => World::Known,
            Act::Begin(unit) => World::AtDoor { unit, seen: seen(how < 200) },
            Act::Await(unit, attempt, _) if how % 16 == 12 => {
                let lost = (which_half(how)).then(|| "the link broke".to_owned());
                World::Link { unit, attempt, lost }
            }
            Act::Await(unit, attempt, _) => end_of(unit, attempt, how),
            Act::End(unit, attempt) | Act::Halt(unit, attempt) => ended(unit, attempt, Exit::Stopped),
            Act::Watch(watch, broken) => {
                World::Watched { watch, seen: one(broken), ends: how.is_multiple_of(2) }
            }
            Act::Progress(unit, _, stalled) => World::Moved {
                unit,
                stalled: !stalled,
                done: "3 GiB of 7 GiB".to_owned(),
                since: self.now,
                rate: None,
            },
            Act::Prove(unit, _) => World::Proof { unit, seen: seen(well), took: Millis(40) },
            // Its host answers after all: it runs still, it has ended, it never began.
            Act::Settle(unit, attempt) if how % 16 == 11 => World::Link { unit, attempt, lost: None },
            Act::Settle(unit, attempt) if how % 16 == 12 => {
                ended(unit, attempt, Exit::Code(i32::from(!well)))
            }
            Act::Settle(unit, attempt) if how % 16 == 13 => {
                World::Unreached { unit, attempt, silent: false, why: "it never started there".to_owned() }
            }
            Act::Settle(unit, _) => World::Found {
                unit,
                seen: if how.is_multiple_of(3) { Vec::new() } else { seen(how < 100) },
                lives: how.is_multiple_of(5),
            },
            Act::ReadLog(unit, _) => World::Log { unit, log: a_log(well) },
            Act::Gate(unit, _) => World::Gate { unit, seen: seen(well), open: well },
            Act::Question(unit) => World::Fresh { unit, seen: seen(well) },
            Act::Undo(unit, attempt) => World::UndoBegins { unit, attempt },
            Act::AwaitUndo(unit, attempt) => World::UndoEnded {
                unit,
                attempt,
                ended: match how % 4 {
                    2 => Err(("the link broke".to_owned(), how % 8 == 2)),
                    3 => Ok((Exit::Code(1), Millis(20), OutputSummary::default())),
                    _ => Ok((Exit::Code(0), Millis(20), OutputSummary::default())),
                },
            },
        }
    }

    /// What a person answers to what stands there now; `None` if nobody is asked.
    pub(super) fn answer(&mut self, which: u8, how: u8) -> Option<(&'static str, Says)> {
        let other = PEOPLE[1 + usize::from(which) % 3];
        match self.run.phase {
            Phase::Confirming => Some(("ana", Says::Confirm { token: self.run.token.clone()?.text })),
            Phase::Approving => Some((other, self.approved(which, how))),
            Phase::Undoing => {
                let undo = self.run.undo.clone()?;
                if let Some(token) = undo.token {
                    let by = PEOPLE.into_iter().find(|name| person(name) == undo.by)?;
                    return Some((by, Says::Confirm { token: token.text }));
                }
                let unit = undo.list.first()?.clone();
                match undo.step {
                    UndoStep::Failed { .. } if how % 8 == 5 => Some((other, Says::Stop { now: false })),
                    UndoStep::Failed { unknown: true, .. } => Some((other, settle(unit, how))),
                    UndoStep::Failed { unknown: false, .. } => Some((other, Says::Retry { unit })),
                    _ => None,
                }
            }
            Phase::Working => {
                let questions: Vec<(UnitAt, UnitState)> =
                    self.run.questions().map(|(at, state)| (at.clone(), state.clone())).collect();
                let (unit, state) = questions.get(usize::from(which) % questions.len().max(1))?.clone();
                if how % 16 == 9 {
                    return Some((other, self.undo(Some(unit.number))));
                }
                if how % 16 == 11 {
                    return Some((other, Says::Skip { unit, why: "its disk is gone".to_owned() }));
                }
                if how % 16 == 13 {
                    return Some((other, Says::Ask { unit }));
                }
                Some(match state {
                    UnitState::Unknown { .. } => (other, settle(unit, how)),
                    UnitState::Withheld { .. } => (other, self.approved(which, how)),
                    UnitState::Asked { .. } => (other, Says::Answer { unit, go_on: how % 8 != 7 }),
                    _ => (other, Says::Retry { unit }),
                })
            }
            Phase::Ended(_) => {
                Some((other, self.undo((how.is_multiple_of(4)).then_some(u32::from(which) % 6))))
            }
            _ => None,
        }
    }

    fn approved(&self, which: u8, how: u8) -> Says {
        // Dan is the commander.
        let is_commander = which % 3 == 2 || how.is_multiple_of(5);
        let roles = if is_commander {
            vec!["commander".to_owned(), "dba".to_owned()]
        } else {
            vec!["dba".to_owned()]
        };
        let digest = self.run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default();
        Says::Approve { digest, step: None, roles, is_commander }
    }

    pub(super) fn undo(&mut self, including: Option<u32>) -> Says {
        let holds = if self.run.is_ended() { self.claims().unwrap_or_default() } else { Vec::new() };
        Says::Undo { including, token: self.token(), holds }
    }

    fn some_unit(&self, which: u8) -> UnitAt {
        let others = [unit(99), unit_on(1, "nowhere"), unit(0)];
        let count = self.run.units.size() + others.len();
        let all: Vec<UnitAt> = self.run.units.keys().cloned().chain(others).collect();
        all[usize::from(which) % count].clone()
    }

    fn anything_said(&mut self, which: u8, how: u8) -> Says {
        let unit = self.some_unit(which / 4);
        let why = if how.is_multiple_of(7) { "no".to_owned() } else { "I looked at the host".to_owned() };
        match how % 22 {
            0 => Says::Confirm { token: "orders-wrong".to_owned() },
            1 => Says::Confirm { token: self.run.token.clone().map(|token| token.text).unwrap_or_default() },
            2 => Says::Approve {
                digest: "00000000".to_owned(),
                step: None,
                roles: Vec::new(),
                is_commander: true,
            },
            3 => self.approved(which, how),
            4 => Says::Withdraw,
            5 => Says::Refuse { why },
            6 => Says::Stop { now: which.is_multiple_of(2) },
            7..=9 => Says::Pause,
            10..=12 => Says::Resume,
            13 => Says::Retry { unit },
            14 => Says::Skip { unit, why },
            15 => Says::Ask { unit },
            16 => Says::Settle { unit, done: which.is_multiple_of(2), how: why },
            17 => Says::Answer { unit, go_on: which.is_multiple_of(2) },
            18 => Says::Take,
            19 => Says::Handover { to: person(PEOPLE[usize::from(which / 8) % PEOPLE.len()]) },
            20 => self.undo(None),
            _ => self.undo(Some(unit.number)),
        }
    }

    /// A report about any step and any attempt, asked for or not.
    fn anything_reported(&mut self, which: u8, how: u8) -> World {
        let unit = self.some_unit(which);
        let attempt = u32::from(which % 3) + 1;
        let acts = [
            Act::MakePlan,
            Act::Recheck,
            Act::Begin(unit.clone()),
            Act::Await(unit.clone(), attempt, steadyhand::run::model::Variant::Main),
            Act::Watch(
                WatchAt { unit: (which.is_multiple_of(2)).then(|| unit.clone()), index: 0 },
                how.is_multiple_of(2),
            ),
            Act::Progress(unit.clone(), attempt, how.is_multiple_of(2)),
            Act::Prove(unit.clone(), attempt),
            Act::Settle(unit.clone(), attempt),
            Act::ReadLog(unit.clone(), attempt),
            Act::Gate(unit.clone(), self.now),
            Act::Question(unit.clone()),
            Act::Undo(unit.clone(), attempt),
            Act::AwaitUndo(unit, attempt),
        ];
        let act = acts[usize::from(how) % acts.len()].clone();
        self.report(&act, which)
    }
}

const fn which_half(how: u8) -> bool {
    how < 128
}

fn a_log(well: bool) -> LogTail {
    let path = "/srv/pg/log/pg.log".to_owned();
    if well {
        LogTail { path, lines: vec!["FATAL:  out of memory".to_owned()], why_not: None }
    } else {
        LogTail { path, lines: Vec::new(), why_not: Some("permission denied".to_owned()) }
    }
}

fn settle(unit: UnitAt, how: u8) -> Says {
    Says::Settle { unit, done: how.is_multiple_of(2), how: "I looked at the host".to_owned() }
}

fn ended(unit: UnitAt, attempt: u32, exit: Exit) -> World {
    World::Ended {
        unit,
        attempt,
        exit,
        took: Millis(1_200),
        output: OutputSummary::default(),
        escaped: Vec::new(),
    }
}

fn one(well: bool) -> CheckSeen {
    if well { holds("fence.running == false") } else { fails("fence.running == false") }
}

/// What was measured: it holds, or one of it does not; a warning never stands in the way.
fn seen(well: bool) -> Vec<CheckSeen> {
    let warning = CheckSeen { warns: true, ..fails("lag is small") };
    let silent =
        CheckSeen { verdict: Verdict::NoAnswer("the host was silent".to_owned()), ..holds("write.ok") };
    if well { vec![one(true), warning] } else { vec![one(true), warning, silent] }
}

fn end_of(unit: UnitAt, attempt: u32, how: u8) -> World {
    let why = "the link broke".to_owned();
    match how {
        0..150 => ended(unit, attempt, Exit::Code(0)),
        150..180 => World::Unreached { unit, attempt, silent: how < 165, why },
        180..220 => World::Lost { unit, attempt, why },
        220..235 => ended(unit, attempt, Exit::Code(1)),
        235..245 => ended(unit, attempt, Exit::Signal(137)),
        245..250 => ended(unit, attempt, Exit::TimedOut),
        250..253 => ended(unit, attempt, Exit::NotFound),
        _ => ended(unit, attempt, Exit::Stopped),
    }
}
