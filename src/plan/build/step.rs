//! One unit of a plan: its title, its commands with every value, and what takes it back.

use super::{AtHand, Builder, NotPlanned, not_planned};
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::plan::measure::{
    Errand, ErrandBody, action_errand, pack_and_name, render_inputs, render_raw, undo_errand,
};
use crate::plan::model::{Body, Command, DecidePlan, Path, StepPlan, Undo, Unit, WaitPlan, Work};
use crate::plan::question::say;
use crate::runbook::expression::{Facts, NoAnswer, Value};
use crate::runbook::model::{Command as ModelCommand, Effect, Item, Step, StepBody, Undo as ModelUndo, Word};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;
use crate::runbook::text::Text;

impl Builder<'_> {
    pub(super) fn unit(
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
            StepBody::Own(command) => self.own(step, command, &values, &host, &inputs, &title)?,
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
                let errand = undo_errand(self.set, pack, action, command, host, inputs).map_err(cannot)?;
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
        inputs: &BTreeMap<String, String>,
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
            Ok(builder.command(Errand { host: host.clone(), body, secrets: Vec::new(), at_most }, None))
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
                let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
                self.scripts.entry(sha256.clone()).or_insert(text);
                Body::Script { sha256, variables }
            }
        };
        Command { host: errand.host, action, body, secrets: errand.secrets, at_most: errand.at_most }
    }
}

/// The command of a step or action, and what belongs to it.
struct Planned {
    command: Command,
    undo: Option<Undo>,
    takes: Option<Millis>,
    repeatable: bool,
}
