//! Puts a plan together: what is left out, who is done in which batch, and every command with its values.
//!
//! Everything comes in as values: files, parameters, topology, host keys, the time. The same input gives the same plan,
//! byte for byte, which is how a changed file, host or role is noticed before the first step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::measure::{
    Errand, ErrandBody, action_errand, pack_and_name, render_inputs, render_raw, undo_errand,
};
use super::model::{
    Approvals, Block, Body, CheckText, Command, DecidePlan, EachBlock, FollowUpPlan, HostPin, IncidentPlan,
    PLAN_FORMAT, Path, Plan, Resource, StepPlan, TellPlan, Topology, Undo, Unit, WaitPlan, Work,
};
use super::question::say;
use super::situation::Situation;
use crate::authoring::{Set, hex};
use crate::policy::Policy;
use crate::policy::window::is_inside;
use crate::runbook::expression::{Facts, NoAnswer, Value};
use crate::runbook::model::{
    Check, CheckUse, Command as ModelCommand, Decide, Each, Effect, Item, Outside, Runbook, Sentence, Step,
    StepBody, Undo as ModelUndo, Wait, Watch, Word,
};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, HostName, Person};
use crate::runbook::text::Text;

/// A plan has at most so many units, all hosts counted.
const MAX_UNITS: usize = 20_000;

/// What a plan is made from, besides the files.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub asked_by: Person,
    /// Why.
    pub reason: String,
    /// Now: it decides whether a window is open.
    pub now: Timestamp,
    /// When this runbook last ended on one of these clusters.
    pub last_end: Option<Timestamp>,
    /// The fingerprints of the pinned keys of each host.
    pub keys: BTreeMap<HostName, Vec<String>>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPlanned {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong, as a whole sentence.
    pub what: String,
    /// What to do, as a whole sentence.
    pub next: String,
}

fn not_planned(code: &'static str, what: impl Into<String>, next: impl Into<String>) -> NotPlanned {
    NotPlanned { code, what: what.into(), next: next.into() }
}

/// Makes the plan.
pub fn build(
    set: &Set,
    runbook: &Runbook,
    policy: &Policy,
    situation: &Situation,
    topology: &BTreeMap<ClusterName, Topology>,
    request: &Request,
) -> Result<Plan, NotPlanned> {
    let mut builder = Builder {
        set,
        runbook,
        situation,
        scripts: BTreeMap::new(),
        left_out: Vec::new(),
        next_number: 1,
        checks: Vec::new(),
        packs: BTreeSet::new(),
    };
    builder.note_checks("preflight", &runbook.preflight);
    builder.note_watches("watch", &runbook.watch);
    let blocks = builder.blocks()?;
    let title = builder.text(&runbook.title)?;
    let mut plan = Plan {
        format: PLAN_FORMAT,
        runbook: runbook.name.clone(),
        files: BTreeMap::new(),
        title,
        asked_by: request.asked_by.clone(),
        reason: request.reason.clone(),
        parameters: runbook
            .parameters
            .iter()
            .filter_map(|parameter| {
                let name = parameter.name.value.clone();
                situation.values.get(&name).map(|value| (name, value.clone()))
            })
            .collect(),
        topology: topology.clone(),
        hosts: BTreeMap::new(),
        settings: BTreeMap::new(),
        checks: std::mem::take(&mut builder.checks),
        watches: runbook.watch.len(),
        blocks,
        left_out: std::mem::take(&mut builder.left_out),
        scripts: std::mem::take(&mut builder.scripts),
        approvals: Approvals::default(),
        holds: Vec::new(),
        incident: builder.incident()?,
        tell: runbook
            .tell
            .iter()
            .map(|tell| TellPlan {
                who: tell.who.value.clone(),
                at: tell.at.clone(),
                until: tell.until.value.clone(),
                within: tell.within,
            })
            .collect(),
        follow_up: builder.follow_up()?,
        contingency: runbook.contingency.as_ref().map(|word| word.value.clone()),
    };
    if plan.units().next().is_none() {
        let next = "Look at `when` in the file, and at the values that were given.";
        return Err(not_planned("nothing-to-do", "Nothing is left to do: every step was left out.", next));
    }
    let packs = builder.packs;
    plan.files = files(set, runbook, &packs);
    plan.hosts = pins(set, situation, &plan, request);
    plan.settings = settings(set, situation, &plan);
    plan.holds = holds(situation, &plan);
    plan.approvals = approvals(policy, runbook, &plan, request)?;
    within_limits(set, policy, runbook, &plan)?;
    Ok(plan)
}

struct Builder<'a> {
    set: &'a Set,
    runbook: &'a Runbook,
    situation: &'a Situation,
    scripts: BTreeMap<String, String>,
    left_out: Vec<String>,
    next_number: u32,
    checks: Vec<CheckText>,
    packs: BTreeSet<String>,
}

/// The host at hand of an `each`.
type AtHand<'a> = Option<(&'a str, &'a HostName)>;

impl Builder<'_> {
    fn blocks(&mut self) -> Result<Vec<Block>, NotPlanned> {
        let mut blocks = Vec::new();
        for (item, model) in self.runbook.items.iter().enumerate() {
            if !self.is_in(model, None)? {
                self.left_out.push(self.title_of(model));
                continue;
            }
            match model {
                Item::Each(each) => blocks.extend(self.each(item, each)?.map(Block::Each)),
                other => {
                    let number = self.number();
                    blocks.push(Block::One(self.unit(number, Path { item, inner: None }, other, None)?));
                }
            }
        }
        Ok(blocks)
    }

    fn number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    fn is_in(&self, item: &Item, at_hand: AtHand<'_>) -> Result<bool, NotPlanned> {
        let Some(when) = item.when() else { return Ok(true) };
        let (facts, values) = (Facts::default(), self.situation.with_host(at_hand));
        match self.situation.meaning_of(&values, &facts).evaluate(when).answer {
            Ok(Value::Bool(is_in)) => Ok(is_in),
            Ok(_) => Ok(false),
            Err(NoAnswer(why)) => {
                let what = format!("Whether `{}` belongs to the plan cannot be said: {why}.", item.title());
                Err(not_planned("when-unknown", what, "Give the value that `when` needs."))
            }
        }
    }

    /// The title of something that is left out, as far as it can be rendered.
    fn title_of(&self, item: &Item) -> String {
        match item {
            Item::Each(each) => {
                let titles: Vec<_> =
                    each.items.iter().map(|inner| self.collective_title(inner, each)).collect();
                titles.join(", ")
            }
            Item::Step(Step { title: text, .. })
            | Item::Wait(Wait { title: text, .. })
            | Item::Decide(Decide { question: text, .. }) => {
                say(self.situation, None, text, &Facts::default())
            }
        }
    }

    fn each(&mut self, item: usize, each: &Each) -> Result<Option<EachBlock>, NotPlanned> {
        let facts = Facts::default();
        let hosts = match self.situation.meaning(&facts).evaluate(&each.of).answer {
            Ok(Value::List(items)) => items.iter().filter_map(Value::as_host).cloned().collect::<Vec<_>>(),
            Ok(other) => [other].iter().filter_map(Value::as_host).cloned().collect(),
            Err(NoAnswer(why)) => {
                let what = format!("The hosts of `each: {}` cannot be named: {why}.", each.variable.value);
                return Err(not_planned("target-unknown", what, "Look at the inventory and the parameters."));
            }
        };
        if hosts.is_empty() {
            let what = format!(
                "`each: {}` has no host: `{}` is an empty list.",
                each.variable.value, each.of.source
            );
            let next = "Leave it out with `when`, or choose other values.";
            return Err(not_planned("target-empty", what, next));
        }
        if let Some(twice) = hosts.iter().enumerate().find(|(at, host)| hosts[..*at].contains(host)) {
            let what = format!("`each: {}` has {} twice.", each.variable.value, twice.1);
            return Err(not_planned(
                "target-twice",
                what,
                "Write distinct(…) around the list, or choose other values.",
            ));
        }
        let first_number = self.next_number;
        let mut lanes = BTreeMap::new();
        let mut titles = BTreeMap::new();
        let mut checks = 0;
        for (lane, host) in hosts.iter().enumerate() {
            let at_hand = Some((each.variable.value.as_str(), host));
            let mut units = Vec::new();
            for (inner, model) in each.items.iter().enumerate() {
                let number = first_number + u32::try_from(inner).unwrap_or(0);
                titles.entry(number).or_insert_with(|| self.collective_title(model, each));
                if self.is_in(model, at_hand)? {
                    units.push(self.unit(number, Path { item, inner: Some(inner) }, model, at_hand)?);
                }
            }
            lanes.insert(host.clone(), units);
            // The checks are the same text for each host: they are listed once.
            if lane == 0 {
                checks = self.checks.len();
            }
            self.checks.truncate(checks);
        }
        self.next_number = first_number + u32::try_from(each.items.len()).unwrap_or(0);
        if lanes.values().map(Vec::len).sum::<usize>() > MAX_UNITS {
            return Err(not_planned(
                "too-many-units",
                "The plan has more than 20,000 steps.",
                "Choose fewer hosts.",
            ));
        }
        if lanes.values().all(Vec::is_empty) {
            self.left_out.extend(titles.into_values());
            self.next_number = first_number;
            return Ok(None);
        }
        if let [only] = hosts.as_slice() {
            for unit in lanes.get(only).into_iter().flatten() {
                titles.insert(unit.number, unit.title.clone());
            }
        }
        let size = each.batch.size.of(hosts.len());
        let (first, rest) = hosts.split_at(1);
        let batches = std::iter::once(first.to_vec()).chain(rest.chunks(size).map(<[_]>::to_vec)).collect();
        Ok(Some(EachBlock {
            variable: each.variable.value.clone(),
            batches,
            pause: each.batch.pause,
            failures: each.batch.failures,
            lanes,
            titles,
        }))
    }

    /// A title for all hosts together: "Point each follower at pg2".
    fn collective_title(&self, item: &Item, each: &Each) -> String {
        let text = match item {
            Item::Step(step) => &step.title,
            Item::Wait(wait) => &wait.title,
            Item::Decide(decide) => &decide.question,
            Item::Each(_) => return String::new(),
        };
        let variable = each.variable.value.as_str();
        let facts = Facts::default();
        let meaning = self.situation.meaning(&facts);
        let rendered = text.render(|tree| {
            let at_hand =
                matches!(&tree.node, crate::runbook::expression::tree::Node::Name(name) if name == variable);
            let shown = if at_hand {
                format!("each {variable}")
            } else {
                meaning.evaluate_tree(tree).answer.map_or_else(|_| "…".to_owned(), |value| value.human())
            };
            Ok::<_, std::convert::Infallible>(shown)
        });
        rendered.unwrap_or_default()
    }

    fn unit(
        &mut self,
        number: u32,
        path: Path,
        item: &Item,
        at_hand: AtHand<'_>,
    ) -> Result<Unit, NotPlanned> {
        let (title, work) = match item {
            Item::Step(step) => (&step.title, Work::Step(Box::new(self.step(number, step, at_hand)?))),
            Item::Wait(wait) => {
                self.note_checks(&format!("until of {number}"), &wait.until);
                self.note_watches(&format!("watch of {number}"), &wait.watch);
                (
                    &wait.title,
                    Work::Wait(WaitPlan {
                        at_most: wait.at_most,
                        hold_for: wait.hold_for,
                        watches: wait.watch.len(),
                    }),
                )
            }
            Item::Decide(decide) => {
                let text = |text: &Text| say(self.situation, at_hand, text, &Facts::default());
                let work = DecidePlan {
                    ask: crate::policy::decide::role_names(&decide.ask),
                    within: decide.within,
                    go_on: text(&decide.go_on),
                    stop: text(&decide.stop),
                };
                (&decide.question, Work::Decide(work))
            }
            Item::Each(_) => {
                return Err(not_planned("each-nested", "An `each` inside an `each`.", "Check the file."));
            }
        };
        Ok(Unit { number, path, title: say(self.situation, at_hand, title, &Facts::default()), work })
    }

    fn step(&mut self, number: u32, step: &Step, at_hand: AtHand<'_>) -> Result<StepPlan, NotPlanned> {
        self.note_checks(&format!("require of {number}"), &step.require);
        self.note_checks(&format!("verify of {number}"), &step.verify);
        self.note_watches(&format!("watch of {number}"), &step.watch);
        let values = self.situation.with_host(at_hand);
        let title = say(self.situation, at_hand, &step.title, &Facts::default());
        let host = self.one_host(&values, &step.host, &title)?;
        let inputs = self.inputs(&values, &step.with, &title)?;
        let effect = step.effect.as_ref().map_or(Effect::Irreversible, |effect| effect.value);
        let mut planned = match &step.body {
            StepBody::Use(word) => self.action(&values, word, &host, inputs, &title)?,
            StepBody::Own(command) => self.own(step, command, &values, &host, inputs, &title)?,
            StepBody::Broken => {
                return Err(not_planned("step-body", "A step does nothing.", "Check the file."));
            }
        };
        if let Some(at_most) = step.at_most {
            planned.command.at_most = at_most;
        }
        let mut step_plan = StepPlan {
            effect,
            command: planned.command,
            instead: None,
            undo: planned.undo,
            undo_instead: None,
            why_no_undo: step.why_no_undo.as_ref().map(|why| why.value.clone()),
            takes: step.takes.or(planned.takes),
            repeatable: planned.repeatable || step.repeatable.as_ref().is_some_and(|at| at.value),
            has_door: !step.require.is_empty(),
            has_proof: !step.verify.is_empty(),
            watches: step.watch.len(),
            has_progress: step.progress.is_some(),
        };
        if let Some(instead) = &step.instead {
            let facts = Facts::default();
            // A host that nobody can switch off has no other way: the plan says so by leaving it out.
            if let Ok(Value::Host(other)) =
                self.situation.meaning_of(&values, &facts).evaluate(&instead.host).answer
            {
                let inputs = self.inputs(&values, &instead.with, &title)?;
                let planned = self.action(&values, &instead.action, &other, inputs, &title)?;
                step_plan.instead = Some(planned.command);
                step_plan.undo_instead = planned.undo;
            }
        }
        Ok(step_plan)
    }

    fn one_host(
        &self,
        values: &BTreeMap<String, Value>,
        expr: &crate::runbook::expression::Expr,
        title: &str,
    ) -> Result<HostName, NotPlanned> {
        let facts = Facts::default();
        let why = match self.situation.meaning_of(values, &facts).evaluate(expr).answer {
            Ok(Value::Host(host)) => return Ok(host),
            Ok(Value::None) => format!("`{}` is none", expr.source),
            Ok(other) => format!("`{}` is {}, not a host", expr.source, other.human()),
            Err(NoAnswer(why)) => why,
        };
        let what = format!("The step \"{title}\" has no host: {why}.");
        Err(not_planned("target-empty", what, "Add it to the inventory, or choose other values."))
    }

    fn inputs(
        &self,
        values: &BTreeMap<String, Value>,
        with: &[(Word, Text)],
        title: &str,
    ) -> Result<BTreeMap<String, String>, NotPlanned> {
        let inputs = render_inputs(self.situation, values, with);
        inputs.map_err(|NoAnswer(why)| {
            let what = format!("The step \"{title}\" lacks a value: {why}.");
            not_planned("input-unknown", what, "Add it to the inventory, or choose other values.")
        })
    }

    fn action(
        &mut self,
        values: &BTreeMap<String, Value>,
        word: &Word,
        host: &HostName,
        inputs: BTreeMap<String, String>,
        title: &str,
    ) -> Result<Planned, NotPlanned> {
        let cannot = |NoAnswer(why): NoAnswer| {
            let what = format!("The step \"{title}\" cannot be put together: {why}.");
            not_planned("step-unknown", what, "Look at the inventory and the packs.")
        };
        let (pack, name) = pack_and_name(self.set, values, word).map_err(cannot)?;
        let action =
            pack.action(name).ok_or_else(|| cannot(NoAnswer(format!("{} has no `{name}`", pack.name))))?;
        self.packs.insert(pack.name.to_string());
        let errand = action_errand(self.set, pack, action, host, inputs.clone()).map_err(cannot)?;
        let called = Some(format!("{}/{name}", pack.name));
        let undo = match action.undo.as_ref().map(|undo| &undo.value) {
            Some(ModelUndo::Nothing(why)) => Some(Undo::Nothing(why.clone())),
            Some(ModelUndo::Command(command)) => {
                let errand =
                    undo_errand(self.set, pack, command, host, inputs, action.at_most).map_err(cannot)?;
                Some(Undo::Command(self.command(errand, called.clone())))
            }
            Some(ModelUndo::Broken) | None => None,
        };
        Ok(Planned {
            command: self.command(errand, called),
            undo,
            takes: action.takes,
            repeatable: action.repeatable,
        })
    }

    /// A command or script that stands in the runbook itself.
    fn own(
        &mut self,
        step: &Step,
        command: &ModelCommand,
        values: &BTreeMap<String, Value>,
        host: &HostName,
        inputs: BTreeMap<String, String>,
        title: &str,
    ) -> Result<Planned, NotPlanned> {
        let at_most = step.at_most.unwrap_or(Millis::minutes(1));
        let address =
            self.set.inventory.hosts.get(host).map(|host| host.address.value.clone()).unwrap_or_default();
        let errand = |builder: &mut Self, command: &ModelCommand| {
            let body = match command {
                ModelCommand::Run(arguments) => {
                    let argv = arguments.iter().map(|text| render_raw(builder.situation, values, text));
                    let argv = argv.collect::<Result<Vec<_>, _>>().map_err(|NoAnswer(why)| {
                        let what = format!("The step \"{title}\" lacks a value: {why}.");
                        not_planned("input-unknown", what, "Add it to the inventory, or choose other values.")
                    })?;
                    ErrandBody::Run(argv)
                }
                ModelCommand::Script(script) => {
                    let mut variables = inputs.clone();
                    variables.insert("host".to_owned(), host.to_string());
                    variables.insert("address".to_owned(), address.clone());
                    ErrandBody::Script { text: script.value.clone(), variables }
                }
            };
            Ok(builder.command(Errand { host: host.clone(), body, at_most }, None))
        };
        let main = errand(self, command)?;
        let undo = match step.undo.as_ref().map(|undo| &undo.value) {
            Some(ModelUndo::Nothing(why)) => Some(Undo::Nothing(why.clone())),
            Some(ModelUndo::Command(command)) => Some(Undo::Command(errand(self, command)?)),
            Some(ModelUndo::Broken) | None => None,
        };
        Ok(Planned { command: main, undo, takes: None, repeatable: false })
    }

    /// Keeps the text of a script once, whatever number of hosts it runs on.
    fn command(&mut self, errand: Errand, action: Option<String>) -> Command {
        let body = match errand.body {
            ErrandBody::Run(argv) => Body::Run { argv },
            ErrandBody::Script { text, variables } => {
                let sha256 = hex(&Sha256::digest(text.as_bytes()));
                self.scripts.entry(sha256.clone()).or_insert(text);
                Body::Script { sha256, variables }
            }
        };
        Command { host: errand.host, action, body, at_most: errand.at_most }
    }

    fn text(&self, text: &Text) -> Result<String, NotPlanned> {
        Ok(say(self.situation, None, text, &Facts::default()))
    }

    fn incident(&self) -> Result<Option<IncidentPlan>, NotPlanned> {
        let Some(incident) = &self.runbook.incident else { return Ok(None) };
        let facts = Facts::default();
        let service = match self.situation.meaning(&facts).evaluate(&incident.service).answer {
            Ok(Value::Service(name)) => {
                self.set.inventory.services.get(&name).map(|service| service.title.clone())
            }
            _ => None,
        };
        let service = service.ok_or_else(|| {
            let what = format!("The service of the incident, `{}`, is not known.", incident.service.source);
            not_planned("service-unknown", what, "Look at the inventory.")
        })?;
        Ok(Some(IncidentPlan { severity: incident.severity.clone(), at_start: incident.at_start, service }))
    }

    fn follow_up(&self) -> Result<Vec<FollowUpPlan>, NotPlanned> {
        let one = |follow_up: &crate::runbook::model::FollowUp| {
            Ok(FollowUpPlan {
                what: self.text(&follow_up.what)?,
                runbook: follow_up.runbook.as_ref().map(|word| word.value.clone()),
                within: follow_up.within,
            })
        };
        self.runbook.follow_up.iter().map(one).collect()
    }

    fn note_checks(&mut self, asked: &str, used: &[CheckUse]) {
        for check in used.iter().filter_map(|used| self.runbook.resolve(used)) {
            self.checks.push(check_text(asked, check));
        }
    }

    fn note_watches(&mut self, asked: &str, watches: &[Watch]) {
        for watch in watches {
            self.checks.push(CheckText {
                asked: asked.to_owned(),
                that: watch.that.source.to_string(),
                says: watch.sentence.source.to_string(),
                within: Some(watch.every),
                hold_for: Some(watch.broken_for),
            });
        }
    }
}

/// The command of a step or action, and what belongs to it.
struct Planned {
    command: Command,
    undo: Option<Undo>,
    takes: Option<Millis>,
    repeatable: bool,
}

fn check_text(asked: &str, check: &Check) -> CheckText {
    let says = match &check.sentence {
        Sentence::Else(text) | Sentence::Warn(text) => text.source.to_string(),
        Sentence::Broken => String::new(),
    };
    CheckText {
        asked: asked.to_owned(),
        that: check.that.source.to_string(),
        says,
        within: check.within.as_ref().map(|at| at.value),
        hold_for: check.hold_for.as_ref().map(|at| at.value),
    }
}

/// The hashes of the runbook, of the packs that it may use, and of the policy.
fn files(set: &Set, runbook: &Runbook, packs: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut wanted: BTreeSet<String> = packs.clone();
    for measure in &runbook.measures {
        wanted.extend(measure.probe.split_once('/').map(|(first, _)| first.to_owned()));
    }
    let kinds = set.inventory.clusters.values().map(|cluster| cluster.kind.value.clone());
    wanted.extend(kinds);
    let pack_files =
        set.packs.values().filter(|pack| wanted.contains(pack.name.as_str())).map(|pack| &pack.place.file);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for file in pack_files.chain([&runbook.place.file]) {
        if let Some(hash) = set.hashes.get(file) {
            files.insert(file.to_string(), hash.clone());
        }
    }
    // The policy decides who may approve: any change of it voids an approval. The inventory is not hashed as a
    // file; what a plan uses of it stands in the plan.
    files.extend(
        set.hashes
            .iter()
            .filter(|(file, _)| file.stem() == "policy")
            .map(|(f, h)| (f.to_string(), h.clone())),
    );
    files
}

/// How each host is reached that the run may send something to.
fn pins(set: &Set, situation: &Situation, plan: &Plan, request: &Request) -> BTreeMap<HostName, HostPin> {
    let mut names: BTreeSet<&HostName> = BTreeSet::new();
    for (_, unit) in plan.units() {
        if let Some(step) = unit.step() {
            names.insert(&step.command.host);
            names.extend(step.instead.iter().map(|command| &command.host));
        }
    }
    names.extend(situation.measured_hosts());
    names
        .into_iter()
        .filter_map(|name| {
            let host = set.inventory.hosts.get(name)?;
            let pin = HostPin {
                address: host.address.value.clone(),
                port: host.port,
                user: host.user.value.clone(),
                keys: request.keys.get(name).cloned().unwrap_or_default(),
            };
            Some((name.clone(), pin))
        })
        .collect()
}

/// What the inventory says of the clusters and hosts of the plan.
fn settings(set: &Set, situation: &Situation, plan: &Plan) -> BTreeMap<String, BTreeMap<String, String>> {
    let print = |fields: &BTreeMap<String, Value>| {
        fields.iter().map(|(name, value)| (name.clone(), value.human())).collect::<BTreeMap<_, _>>()
    };
    let mut all = BTreeMap::new();
    for name in plan.topology.keys() {
        if let Some(fields) = situation.records.clusters.get(name) {
            all.insert(format!("cluster/{name}"), print(fields));
        }
    }
    for name in plan.hosts.keys() {
        let mut fields = situation.records.hosts.get(name).map(print).unwrap_or_default();
        if let Some(host) = set.inventory.hosts.get(name) {
            fields.extend(host.settings.iter().map(|(setting, word)| (setting.clone(), word.value.clone())));
        }
        all.insert(format!("host/{name}"), fields);
    }
    all
}

/// Every cluster parameter, and every host that a changing step or what is done instead runs on.
fn holds(situation: &Situation, plan: &Plan) -> Vec<Resource> {
    let clusters = situation.values.values().filter_map(|value| match value {
        Value::Cluster(name) => Some(Resource::cluster(name)),
        _ => None,
    });
    let hosts = plan.units().filter_map(|(_, unit)| unit.step()).filter(|step| step.effect.changes());
    let hosts = hosts.flat_map(|step| {
        let instead = step.instead.iter().map(|command| Resource::host(&command.host));
        std::iter::once(Resource::host(&step.command.host)).chain(instead).collect::<Vec<_>>()
    });
    // Sorted, so that two runs never wait for each other; a run that only reads claims nothing.
    let hosts: BTreeSet<Resource> = hosts.collect();
    if hosts.is_empty() {
        Vec::new()
    } else {
        clusters.collect::<BTreeSet<_>>().into_iter().chain(hosts).collect()
    }
}

/// Who must agree: what the runbook says, and what the policy adds.
fn approvals(
    policy: &Policy,
    runbook: &Runbook,
    plan: &Plan,
    request: &Request,
) -> Result<Approvals, NotPlanned> {
    let mut approvals = match &runbook.access.approve {
        Some(approve) => Approvals {
            count: approve.count,
            by: crate::policy::decide::role_names(&approve.by),
            ..Approvals::default()
        },
        // Where only the policy asks for an approval, the owner of the runbook gives it.
        None => Approvals { by: vec![runbook.owner.value.clone()], ..Approvals::default() },
    };
    let has_effect = |effect: Effect| plan.units().any(|(_, unit)| unit.effect() == Some(effect));
    for rule in &policy.rules {
        let named = rule
            .runbooks
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name.value == runbook.name.as_str()));
        if !named || rule.effect.is_some_and(|effect| !has_effect(effect)) {
            continue;
        }
        if let Some(least) = rule.approve_at_least.filter(|least| *least > approvals.count) {
            approvals.because.push(format!("The policy asks for {least} approvals here."));
            approvals.count = least;
        }
        match rule.stale_rehearsal.as_ref().map(|word| word.value.as_str()) {
            Some("refuse") => {
                let what =
                    format!("{} has never been rehearsed, and the policy refuses it then.", runbook.name);
                return Err(not_planned(
                    "not-rehearsed",
                    what,
                    "Rehearse it first, or ask those who keep the policy.",
                ));
            }
            Some(_) => {
                approvals.because.push("It has never been rehearsed: one more approval.".to_owned());
                approvals.count += 1;
            }
            None => {}
        }
    }
    if let Some(rule) = &runbook.window {
        let window = policy.windows.get(rule.name.as_str());
        let inside = window.and_then(|window| is_inside(window, request.now)).unwrap_or(false);
        if !inside && rule.outside == Outside::Refuse {
            let what = format!(
                "{} runs in the window `{}` only, and now is outside it.",
                runbook.name, rule.name.value
            );
            return Err(not_planned(
                "outside-window",
                what,
                "Wait for the window, or ask those who keep the policy.",
            ));
        }
        if !inside {
            approvals
                .because
                .push(format!("Now is outside the window `{}`: one more approval.", rule.name.value));
            approvals.count += 1;
        }
    }
    if let (Some(cool_down), Some(last)) = (runbook.cool_down, request.last_end) {
        let since = Millis(request.now.duration_since(last).as_millis().try_into().unwrap_or(i64::MAX));
        if since < cool_down {
            let why = format!(
                "It ran here {since} ago, and cools down for {cool_down}: a commander must be among those who approve."
            );
            approvals.count = approvals.count.max(1);
            approvals.commander = Some(why);
        }
    }
    Ok(approvals)
}

/// The policy limits how many hosts one run may change.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a list"
)]
fn within_limits(set: &Set, policy: &Policy, runbook: &Runbook, plan: &Plan) -> Result<(), NotPlanned> {
    let changed = plan.changed_hosts();
    for rule in &policy.rules {
        let named = rule
            .runbooks
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name.value == runbook.name.as_str()));
        if !named {
            continue;
        }
        if let Some(most) = rule.most_hosts.filter(|most| changed.len() > *most) {
            let what =
                format!("The plan changes {} hosts, and the policy allows {most} in a run.", changed.len());
            return Err(not_planned(
                "too-many-hosts",
                what,
                "Choose fewer hosts, or ask those who keep the policy.",
            ));
        }
        let Some(percent) = rule.most_of_cluster else { continue };
        for (name, cluster) in &set.inventory.clusters {
            let members = cluster.hosts.len();
            let touched = changed
                .iter()
                .filter(|host| cluster.hosts.iter().any(|word| word.value == host.as_str()))
                .count();
            let most = (members as f64 * percent / 100.0).ceil() as usize;
            if touched > most {
                let what = format!(
                    "The plan changes {touched} of {members} hosts of {name}, and the policy allows {percent} %, that is {most}."
                );
                return Err(not_planned(
                    "too-much-of-cluster",
                    what,
                    "Choose fewer hosts, or ask those who keep the policy.",
                ));
            }
        }
    }
    Ok(())
}
