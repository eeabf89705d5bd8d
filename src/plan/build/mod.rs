//! Puts a plan together: what is left out, who is done in which batch, and every command with its values.
//!
//! Everything comes in as values: files, parameters, topology, host keys, the time. The same input gives the same plan,
//! byte for byte, which is how a changed file, host or role is noticed before the first step.

mod step;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use terms::{approvals, files, holds, pins, settings, within_limits};

use crate::authoring::Set;
use crate::plan::model::{
    Approvals, Block, CheckText, EachBlock, FollowUpPlan, IncidentPlan, NewsPlan, PLAN_FORMAT, Path, Plan,
    TellPlan, Topology,
};
use crate::plan::question::{say, say_fixed};
use crate::plan::situation::Situation;
use crate::policy::Policy;
use crate::runbook::expression::{Expr, Facts, NoAnswer, Value};
use crate::runbook::model::{Check, CheckUse, Decide, Each, Item, Runbook, Sentence, Step, Wait, Watch};
use crate::runbook::source::name::{ClusterName, HostName, Person, Role};
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
    /// Where the secrets of the runbook are read from.
    pub secrets: BTreeMap<String, String>,
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
    let title = builder.text(&runbook.title);
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
        secrets: request.secrets.clone(),
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
        self.holds(item.when(), at_hand, item.title())
    }

    /// Whether something with this condition belongs to the plan.
    fn holds(&self, when: Option<&Expr>, at_hand: AtHand<'_>, title: &str) -> Result<bool, NotPlanned> {
        let Some(when) = when else { return Ok(true) };
        let (facts, values) = (Facts::default(), self.situation.with_host(at_hand));
        match self.situation.meaning_of(&values, &facts).evaluate(when).answer {
            Ok(Value::Bool(is_in)) => Ok(is_in),
            Ok(_) => Ok(false),
            Err(NoAnswer(why)) => {
                let what = format!("Whether `{title}` belongs to the plan cannot be said: {why}.");
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

    fn text(&self, text: &Text) -> String {
        say(self.situation, None, text, &Facts::default())
    }

    fn incident(&self) -> Result<Option<IncidentPlan>, NotPlanned> {
        let Some(incident) = &self.runbook.incident else { return Ok(None) };
        let facts = Facts::default();
        let service = match self.situation.meaning(&facts).evaluate(&incident.service).answer {
            Ok(Value::Service(name)) => self.set.inventory.services.get_key_value(&name),
            _ => None,
        };
        let (name, service) = service.ok_or_else(|| {
            let what = format!("The service of the incident, `{}`, is not known.", incident.service.source);
            not_planned("service-unknown", what, "Look at the inventory.")
        })?;
        let updates = incident.updates.as_ref();
        Ok(Some(IncidentPlan {
            severity: incident.severity.clone(),
            at_start: incident.at_start,
            service: service.title.clone(),
            service_name: Some(name.clone()),
            owner: Role::new(&service.owner),
            components: service.shown_as.clone(),
            updates: updates.map(|(every, say)| NewsPlan { every: *every, say: self.text(say) }),
        }))
    }

    fn follow_up(&self) -> Result<Vec<FollowUpPlan>, NotPlanned> {
        let mut owed = Vec::new();
        for follow_up in &self.runbook.follow_up {
            let what = self.text(&follow_up.what);
            if self.holds(follow_up.when.as_ref(), None, &what)? {
                let runbook = follow_up.runbook.as_ref().map(|word| word.value.clone());
                owed.push(FollowUpPlan { what, runbook, within: follow_up.within });
            }
        }
        Ok(owed)
    }

    fn note_checks(&mut self, asked: &str, used: &[CheckUse]) {
        for check in used.iter().filter_map(|used| self.runbook.resolve(used)) {
            let text = self.check_text(asked, check);
            self.checks.push(text);
        }
    }

    fn note_watches(&mut self, asked: &str, watches: &[Watch]) {
        for watch in watches {
            self.checks.push(CheckText {
                asked: asked.to_owned(),
                that: watch.that.source.to_string(),
                says: say_fixed(self.situation, &watch.sentence),
                within: Some(watch.every),
                hold_for: Some(watch.broken_for),
            });
        }
    }

    fn check_text(&self, asked: &str, check: &Check) -> CheckText {
        let says = match &check.sentence {
            Sentence::Else(text) | Sentence::Warn(text) => say_fixed(self.situation, text),
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
}
