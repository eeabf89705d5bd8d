//! Small plans, written as sentences: `a_plan().step("Fence").irreversible()`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use steadyhand::plan::model::Body;
use steadyhand::plan::model::{
    Approvals, Beside, Block, CheckSeen, Command, DecidePlan, EachBlock, Offer, PLAN_FORMAT, Path, Plan,
    StepPlan, TellPlan, Undo, Unit, Verdict, WaitPlan, Work,
};
use steadyhand::plan::usual::Usual;
use steadyhand::plan::{Digest, Resource};
use steadyhand::run::UnitAt;
use steadyhand::runbook::model::Effect;
use steadyhand::runbook::source::literal::Millis;
use steadyhand::runbook::source::name::{HostName, Person, RunbookName};

/// When every run of these tests is asked for.
pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

pub(crate) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// A unit that has one host.
pub(crate) fn unit(number: u32) -> UnitAt {
    UnitAt { number, lane: None }
}

/// A unit on one host of an `each`.
pub(crate) fn unit_on(number: u32, lane: &str) -> UnitAt {
    UnitAt { number, lane: Some(host(lane)) }
}

/// A check that holds.
pub(crate) fn holds(that: &str) -> CheckSeen {
    CheckSeen {
        that: that.to_owned(),
        says: format!("{that} does not hold"),
        warns: false,
        verdict: Verdict::Holds,
        read: vec![("node[pg1].writable".to_owned(), "true".to_owned())],
    }
}

/// A check that does not.
pub(crate) fn fails(that: &str) -> CheckSeen {
    CheckSeen { verdict: Verdict::Fails, ..holds(that) }
}

pub(crate) fn command(host_name: &str, what: &str) -> Command {
    Command {
        host: host(host_name),
        action: Some(format!("postgresql/{what}")),
        body: Body::Run { argv: vec![what.to_owned(), host_name.to_owned()] },
        secrets: Vec::new(),
        at_most: Millis::minutes(1),
    }
}

/// A plan in the making; what is said of a step is said of the last one.
#[derive(Debug, Clone)]
pub(crate) struct PlanOf {
    plan: Plan,
    next: u32,
}

/// A plan without any step, asked for by ana. It needs one approval and claims the cluster `orders`.
pub(crate) fn a_plan() -> PlanOf {
    let plan = Plan {
        format: PLAN_FORMAT,
        runbook: RunbookName::new("failover-database").unwrap(),
        files: BTreeMap::from([("failover-database.yaml".to_owned(), "1f".repeat(32))]),
        title: "Fail over orders".to_owned(),
        asked_by: person("ana"),
        reason: "the primary is frozen".to_owned(),
        parameters: Vec::new(),
        topology: BTreeMap::new(),
        hosts: BTreeMap::new(),
        settings: BTreeMap::new(),
        checks: Vec::new(),
        watches: 0,
        blocks: Vec::new(),
        left_out: Vec::new(),
        secrets: BTreeMap::new(),
        scripts: BTreeMap::new(),
        approvals: Approvals { count: 1, by: vec!["dba".to_owned()], ..Approvals::default() },
        holds: vec![Resource("cluster/orders".to_owned())],
        incident: None,
        tell: Vec::new(),
        follow_up: Vec::new(),
        contingency: None,
    };
    PlanOf { plan, next: 1 }
}

impl PlanOf {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn one(mut self, title: &str, work: Work) -> Self {
        let number = self.number();
        let path = Path { item: self.plan.blocks.len(), inner: None };
        self.plan.blocks.push(Block::One(Unit { number, path, title: title.to_owned(), work }));
        self
    }

    /// A reversible step on a host of its own, with a proof.
    pub(crate) fn step(self, title: &str) -> Self {
        let step = a_step(&format!("pg{}", self.next));
        self.one(title, Work::Step(Box::new(step)))
    }

    /// A gate.
    pub(crate) fn wait(self, title: &str) -> Self {
        self.one(title, Work::Wait(WaitPlan { at_most: Millis::minutes(10), hold_for: None, watches: 0 }))
    }

    /// A question to people, to be answered within ten minutes.
    pub(crate) fn decide(self, title: &str) -> Self {
        let decide = DecidePlan {
            ask: vec!["on-call".to_owned()],
            within: Millis::minutes(10),
            go_on: "goes on".to_owned(),
            stop: "stops".to_owned(),
        };
        self.one(title, Work::Decide(decide))
    }

    /// Steps host by host; `steps` of them for each host.
    pub(crate) fn each(mut self, batches: &[&[&str]], steps: u32) -> Self {
        let item = self.plan.blocks.len();
        let first = self.next;
        self.next += steps;
        let unit = |number: u32, host_name: &str| Unit {
            number,
            path: Path { item, inner: Some((number - first) as usize) },
            title: format!("Work {number} on {host_name}"),
            work: Work::Step(Box::new(a_step(host_name))),
        };
        let lane = |name: &&str| {
            (host(name), (first..first + steps).map(|number| unit(number, name)).collect::<Vec<_>>())
        };
        self.plan.blocks.push(Block::Each(EachBlock {
            variable: "web".to_owned(),
            batches: batches.iter().map(|batch| batch.iter().map(|name| host(name)).collect()).collect(),
            pause: Millis(0),
            failures: 1,
            lanes: batches.iter().copied().flatten().map(lane).collect(),
            titles: (first..first + steps).map(|number| (number, format!("Work {number}"))).collect(),
        }));
        self
    }

    /// Changes the block that was written last.
    pub(crate) fn block(mut self, change: impl FnOnce(&mut Block)) -> Self {
        change(self.plan.blocks.last_mut().expect("a block"));
        self
    }

    /// Changes every step of the block that was written last.
    pub(crate) fn with(self, change: impl Fn(&mut StepPlan)) -> Self {
        self.block(|block| {
            let units: Vec<&mut Unit> = match block {
                Block::One(unit) => vec![unit],
                Block::Each(each) => each.lanes.values_mut().flatten().collect(),
            };
            for unit in units {
                if let Work::Step(step) = &mut unit.work {
                    change(step);
                }
            }
        })
    }

    /// The pause between batches of the `each` that was written last, and how many of its hosts may fail.
    pub(crate) fn resting(self, pause: Millis, failures: usize) -> Self {
        self.block(|block| {
            if let Block::Each(each) = block {
                each.pause = pause;
                each.failures = failures;
            }
        })
    }

    pub(crate) fn irreversible(self) -> Self {
        self.with(|step| {
            step.effect = Effect::Irreversible;
            step.undo = None;
            step.why_no_undo = Some("the new timeline cannot be joined".to_owned());
        })
    }

    pub(crate) fn read(self) -> Self {
        self.with(|step| {
            step.effect = Effect::Read;
            step.undo = None;
        })
    }

    pub(crate) fn unproven(self) -> Self {
        self.with(|step| step.has_proof = false)
    }

    /// If its host cannot be reached, something is done on another one instead.
    pub(crate) fn or_instead(self) -> Self {
        self.with(|step| {
            step.instead = Some(command("ipmi", "power-off"));
            step.undo_instead = Some(Undo::Command(command("ipmi", "power-on")));
        })
    }

    /// The whole run, asked all the while.
    pub(crate) fn watched(mut self, watches: usize) -> Self {
        self.plan.watches = watches;
        self
    }

    /// Support must know before anything is changed.
    pub(crate) fn known_before(mut self) -> Self {
        self.plan.tell.push(TellPlan {
            who: "support".to_owned(),
            at: "before-start".to_owned(),
            until: "acknowledged".to_owned(),
            within: Millis::minutes(30),
        });
        self
    }

    pub(crate) fn approved_by(mut self, count: u32) -> Self {
        self.plan.approvals.count = count;
        self
    }

    pub(crate) fn with_a_commander(mut self) -> Self {
        self.plan.approvals.commander = Some("It cools down.".to_owned());
        self
    }

    pub(crate) fn claiming(mut self, resources: &[&str]) -> Self {
        self.plan.holds = resources.iter().map(|name| Resource((*name).to_owned())).collect();
        self
    }

    pub(crate) fn made(self) -> Plan {
        self.plan
    }
}

fn a_step(host_name: &str) -> StepPlan {
    StepPlan {
        effect: Effect::Reversible,
        command: command(host_name, "do"),
        instead: None,
        undo: Some(Undo::Command(command(host_name, "undo"))),
        undo_instead: None,
        why_no_undo: None,
        takes: None,
        repeatable: false,
        has_proof: true,
        watches: 0,
        has_progress: false,
    }
}

/// What is shown of a plan: all of preflight holds.
pub(crate) fn offer(plan: &Plan) -> Offer {
    Offer {
        digest: Digest::of(plan),
        plan: plan.clone(),
        commit: Some("5e07c33".to_owned()),
        sources: "2e".repeat(32),
        preflight: vec![holds("follows(node, candidate, old)")],
        guards: BTreeMap::new(),
        measured: (noon(), noon()),
        beside: beside(plan),
    }
}

/// Commanders are asked at last. Steps usually take two minutes, and some hosts have a log.
fn beside(plan: &Plan) -> Beside {
    let pair = |(from, to): (&str, &str)| (from.to_owned(), to.to_owned());
    let numbers = || plan.units().map(|(_, unit)| unit.number);
    let usual = Usual { takes: Millis::minutes(2), spread: Millis(0), runs: 3 };
    Beside {
        owner: "data-platform".to_owned(),
        escalates_to: [("data-platform", "dba"), ("dba", "commander"), ("on-call", "commander")]
            .map(pair)
            .into(),
        written: plan.units().map(|(_, unit)| (unit.number, unit.title.clone())).collect(),
        learnt: numbers().map(|number| (number, usual)).collect(),
        logs: [("postgresql/pg4", "/srv/pg/log/pg.log"), ("postgresql/web3", "/srv/pg/log/pg.log")]
            .map(pair)
            .into(),
        fates: Vec::new(),
        turn_to: None,
    }
}

/// The same plan after somebody edited a file.
pub(crate) fn edited(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for hash in plan.files.values_mut() {
        *hash = hex_after(hash);
    }
    plan
}

fn hex_after(hash: &str) -> String {
    Digest::of(&hash).as_str().to_owned()
}
