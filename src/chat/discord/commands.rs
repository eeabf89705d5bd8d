//! The commands that Discord offers: `/run` with the runbooks as they are now, and every other word of the grammar.
//!
//! A pure function of the files to what is registered, and back from what somebody filled in to a command. Discord takes
//! 8,000 characters for one command: where the runbooks need more, descriptions and choices are shortened first, and what
//! still does not fit is typed with `/run any`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::incident_commands as incidents;
use super::limits::{COMMAND, DESCRIPTION, NAME, OPTIONS, cut, length};
use crate::authoring::Set;
use crate::chat::grammar::{Command, NotUnderstood, Word, command, words};
use crate::runbook::expression::Type;
use crate::runbook::model::{Parameter, ParameterKind, Runbook};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Literal;
use crate::wording::look::VERBS;

/// The sub-command that takes any runbook.
pub const ANY: &str = "any";

pub(super) const SUB_COMMAND: u8 = 1;
const GROUP: u8 = 2;
const STRING: u8 = 3;
const INTEGER: u8 = 4;
const BOOLEAN: u8 = 5;

/// An option of a command that is no runbook.
#[derive(Clone, Copy)]
pub(super) struct Opt {
    pub name: &'static str,
    about: &'static str,
    kind: Kind,
    pub required: bool,
}

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number from 1.
    Number,
    /// A whole number that is offered.
    NumberOffered,
    /// A word.
    Text,
    /// A word that is offered.
    TextOffered,
    /// One of these.
    Choice(&'static [&'static str]),
    Flag,
}

pub(super) const fn must(name: &'static str, kind: Kind, about: &'static str) -> Opt {
    Opt { name, about, kind, required: true }
}

pub(super) const fn may(name: &'static str, kind: Kind, about: &'static str) -> Opt {
    Opt { name, about, kind, required: false }
}

const RUN: Opt = must("run", Kind::NumberOffered, "The number of a run");
const STEP: Opt = must("step", Kind::Number, "The number of a step");
const HOST: Opt = may("host", Kind::Text, "The host, where the step has several");
const ATTEMPT: Opt = may("attempt", Kind::Text, "After which attempt, as the question shows it");
const WHY: Opt = must("why", Kind::Text, "Why, in 10 characters or more");

/// A word of the grammar as a command: its options as Discord shows them, and the line that they make. In the line `a=` is
/// a pair, `"a` a text, `a?` a word that stands there if the flag is set, `/a` the word itself.
struct Shape {
    name: &'static str,
    options: &'static [Opt],
    line: &'static [&'static str],
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "help",
        options: &[may("word", Kind::TextOffered, "A word of the grammar")],
        line: &["/help", "word"],
    },
    Shape {
        name: "runbooks",
        options: &[may("word", Kind::Text, "all, or a word of their names or uses")],
        line: &["/runbooks", "word"],
    },
    Shape {
        name: "show",
        options: &[must("runbook", Kind::TextOffered, "The name of a runbook")],
        line: &["/show", "runbook"],
    },
    Shape {
        name: "status",
        options: &[may("of", Kind::TextOffered, "A run, a cluster or a host")],
        line: &["/status", "of"],
    },
    Shape { name: "output", options: &[RUN, STEP, HOST], line: &["/output", "run", "step", "host"] },
    Shape {
        name: "plan",
        options: &[RUN, may("long", Kind::Flag, "With every argument on every host")],
        line: &["/plan", "run", "--long?long"],
    },
    Shape {
        name: "who",
        options: &[must("host", Kind::TextOffered, "A host of the inventory")],
        line: &["/who", "/owns", "host"],
    },
    Shape {
        name: "oncall",
        options: &[
            may("about", Kind::Choice(&["gaps", "who", "override"]), "Nothing: who is on duty now"),
            may("role", Kind::Text, "Of who: the role"),
            may("schedule", Kind::Text, "Of override: the schedule"),
            may("person", Kind::Text, "Of override: who stands in"),
            may("from", Kind::Text, "Of override: now, 09:00, 2026-01-05 09:00"),
            may("to", Kind::Text, "Of override: 18:00, 2026-01-06 09:00, or 8h"),
            may("why", Kind::Text, "Of override: why, in 10 characters or more"),
        ],
        line: &["/oncall", "about", "role", "schedule", "person", "from=", "to=", "\"why"],
    },
    Shape {
        name: "notify",
        options: &[
            must(
                "about",
                Kind::Choice(&["log", "paths", "test"]),
                "Who was told what; how the paths are; or a letter to you over one",
            ),
            may("incident", Kind::TextOffered, "Of log: an incident, as inc-31"),
            may("path", Kind::TextOffered, "Of test: the name of a path"),
        ],
        line: &["/notify", "about", "incident", "path"],
    },
    Shape {
        name: "report",
        options: &[
            must("of", Kind::TextOffered, "The service, or an incident as inc-31"),
            must("text", Kind::Text, "What customers say"),
        ],
        line: &["/report", "of", "\"text"],
    },
    Shape { name: "reports", options: &[], line: &["/reports"] },
    Shape { name: "journal", options: &[RUN], line: &["/journal", "/show", "run"] },
    Shape {
        name: "confirm",
        options: &[RUN, must("token", Kind::Text, "The token that the plan shows")],
        line: &["/confirm", "run", "token"],
    },
    Shape {
        name: "approve",
        options: &[
            RUN,
            must("plan", Kind::Text, "The first 8 digits of the plan"),
            may("step", Kind::Number, "A step that is sent again"),
            HOST,
        ],
        line: &["/approve", "run", "plan", "step", "host"],
    },
    Shape { name: "refuse", options: &[RUN, WHY], line: &["/refuse", "run", "\"why"] },
    Shape { name: "withdraw", options: &[RUN], line: &["/withdraw", "run"] },
    Shape {
        name: "answer",
        options: &[RUN, STEP, must("answer", Kind::Choice(&["go-on", "stop"]), "What you say"), HOST],
        line: &["/answer", "run", "step", "host", "answer"],
    },
    Shape {
        name: "stop",
        options: &[RUN, may("now", Kind::Flag, "Ends what works, too")],
        line: &["/stop", "run", "now?now"],
    },
    Shape { name: "pause", options: &[RUN], line: &["/pause", "run"] },
    Shape { name: "resume", options: &[RUN], line: &["/resume", "run"] },
    Shape {
        name: "retry",
        options: &[RUN, STEP, HOST, ATTEMPT],
        line: &["/retry", "run", "step", "host", "attempt="],
    },
    Shape {
        name: "skip",
        options: &[RUN, STEP, WHY, HOST, ATTEMPT],
        line: &["/skip", "run", "step", "host", "attempt=", "\"why"],
    },
    Shape { name: "ask", options: &[RUN, STEP, HOST], line: &["/ask", "run", "step", "host"] },
    Shape {
        name: "settle",
        options: &[
            RUN,
            STEP,
            must("outcome", Kind::Choice(&["done", "not-done"]), "What happened"),
            must("how", Kind::Text, "How you know, in 10 characters or more"),
            HOST,
            ATTEMPT,
        ],
        line: &["/settle", "run", "step", "host", "outcome", "attempt=", "\"how"],
    },
    Shape {
        name: "undo",
        options: &[RUN, may("including", Kind::Number, "Also this step, which did not succeed")],
        line: &["/undo", "run", "including="],
    },
    Shape { name: "take", options: &[RUN], line: &["/take", "run"] },
    Shape {
        name: "handover",
        options: &[RUN, must("person", Kind::TextOffered, "Who shall drive it")],
        line: &["/handover", "run", "person"],
    },
];

/// All commands, as they are registered.
pub fn all(set: &Set) -> Vec<Value> {
    let about = |word: &str| VERBS.iter().find(|verb| verb.word == word).map_or("", |verb| verb.about);
    let shapes = SHAPES.iter().map(|shape| {
        let options: Vec<Value> = shape.options.iter().map(Opt::body).collect();
        json!({ "name": shape.name, "description": described(about(shape.name), DESCRIPTION), "options": options })
    });
    let line = must("line", Kind::Text, "As in the console: status 142");
    let say = json!({
        "name": "say",
        "description": "Any line of the grammar, as it is typed in the console.",
        "options": [line.body()],
    });
    std::iter::once(run_command(set))
        .chain(shapes)
        .chain([incidents::command(about("incident")), say])
        .map(in_servers)
        .collect()
}

/// Commands are taken in servers only.
fn in_servers(mut command: Value) -> Value {
    command["contexts"] = json!([0]);
    command
}

impl Opt {
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "type": match self.kind {
                Kind::Number | Kind::NumberOffered => INTEGER,
                Kind::Text | Kind::TextOffered | Kind::Choice(_) => STRING,
                Kind::Flag => BOOLEAN,
            },
            "name": self.name,
            "description": self.about,
        });
        if self.required {
            body["required"] = json!(true);
        }
        match self.kind {
            Kind::Number => body["min_value"] = json!(1),
            Kind::NumberOffered | Kind::TextOffered => body["autocomplete"] = json!(true),
            Kind::Choice(words) => {
                body["choices"] = words.iter().map(|word| json!({ "name": word, "value": word })).collect();
            }
            Kind::Text | Kind::Flag => {}
        }
        body
    }
}

/// How much is said about runbooks.
#[derive(Clone, Copy)]
struct Detail {
    description: usize,
    choices: bool,
}

/// From much to little: the first that fits is taken.
const DETAILS: [Detail; 4] = [
    Detail { description: DESCRIPTION, choices: true },
    Detail { description: 40, choices: true },
    Detail { description: 40, choices: false },
    Detail { description: 12, choices: false },
];

/// `/run`, with a sub-command for each runbook; in groups by their owners where there are many.
fn run_command(set: &Set) -> Value {
    let fitting: Vec<&Runbook> = set.runbooks.values().filter(|runbook| is_a_command(runbook)).collect();
    let body = |runbooks: &[&Runbook], detail: Detail| {
        let mut options = if fitting.len() < OPTIONS {
            runbooks.iter().map(|runbook| sub_command(runbook, detail)).collect()
        } else {
            groups(runbooks, detail)
        };
        options.push(any_runbook());
        json!({
            "name": "run",
            "description": "Measures, shows every step as a plan, and waits for you. Nothing runs before you confirm.",
            "options": options,
        })
    };
    for detail in DETAILS {
        let command = body(&fitting, detail);
        if together(&command) <= COMMAND {
            return command;
        }
    }
    // The first ones by name, as many as fit.
    let first = |n: usize| body(&fitting[..n], DETAILS[DETAILS.len() - 1]);
    let counts: Vec<usize> = (1..fitting.len()).collect();
    first(counts.partition_point(|n| together(&first(*n)) <= COMMAND))
}

/// Whether a runbook can be a command by itself. What cannot is said by `steadyhand check`.
fn is_a_command(runbook: &Runbook) -> bool {
    let fits = |name: &str| name.len() <= NAME;
    fits(runbook.name.as_str())
        && runbook.name.as_str() != ANY
        && runbook.parameters.len() < OPTIONS
        && runbook.parameters.iter().all(|parameter| fits(&parameter.name))
}

fn groups(runbooks: &[&Runbook], detail: Detail) -> Vec<Value> {
    let mut by_owner: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for runbook in runbooks {
        let group = by_owner.entry(runbook.owner.as_str()).or_default();
        if group.len() < OPTIONS {
            group.push(sub_command(runbook, detail));
        }
    }
    let named = by_owner.into_iter().filter(|(owner, _)| owner.len() <= NAME && *owner != ANY);
    let group = |(owner, options): (&str, Vec<Value>)| json!({ "type": GROUP, "name": owner, "description": format!("Runbooks of {owner}"), "options": options });
    named.take(OPTIONS - 1).map(group).collect()
}

fn sub_command(runbook: &Runbook, detail: Detail) -> Value {
    let mut options: Vec<Value> =
        runbook.parameters.iter().map(|parameter| parameter_option(parameter, detail)).collect();
    options.push(reason());
    // Discord wants those that must be given first.
    options.sort_by_key(|option| option["required"] != true);
    json!({
        "type": SUB_COMMAND,
        "name": runbook.name,
        "description": described(&runbook.use_when, detail.description),
        "options": options,
    })
}

fn reason() -> Value {
    json!({
        "type": STRING,
        "name": "reason",
        "description": "Why, in 10 characters or more",
        "required": true,
        "min_length": 10,
        "max_length": 1_000,
    })
}

fn any_runbook() -> Value {
    json!({
        "type": SUB_COMMAND,
        "name": ANY,
        "description": "Any runbook, with its values as name=value",
        "options": [
            must("runbook", Kind::TextOffered, "The name of a runbook").body(),
            reason(),
            may("values", Kind::Text, "name=value, with spaces between them").body(),
        ],
    })
}

fn parameter_option(parameter: &Parameter, detail: Detail) -> Value {
    let name = parameter.name.as_str();
    let help = parameter.help.as_deref().unwrap_or(name);
    let (kind, more) = match &parameter.kind {
        ParameterKind::Bool => (BOOLEAN, Value::Null),
        ParameterKind::Quantity(Type::Int, limits) => {
            let bound = |at: &Option<crate::runbook::source::place::At<Literal>>| match at
                .as_ref()
                .map(|at| &at.value)
            {
                Some(Literal::Int(n)) if n.abs() < 1 << 53 => json!(n),
                _ => Value::Null,
            };
            (INTEGER, json!({ "min_value": bound(&limits.min), "max_value": bound(&limits.max) }))
        }
        ParameterKind::Choice(words) if detail.choices && words.len() <= OPTIONS => {
            let choices = words.iter().map(|word| json!({ "name": word.value, "value": word.value }));
            (STRING, json!({ "choices": choices.collect::<Vec<_>>() }))
        }
        ParameterKind::Choice(_)
        | ParameterKind::Host(Some(_))
        | ParameterKind::Cluster(_)
        | ParameterKind::Service => (STRING, json!({ "autocomplete": true })),
        _ => (STRING, Value::Null),
    };
    let mut option =
        json!({ "type": kind, "name": name, "description": described(help, detail.description) });
    if parameter.default.is_none() {
        option["required"] = json!(true);
    }
    for (key, value) in more.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        option[key] = value.clone();
    }
    option
}

/// A description is one line, and never empty.
pub(super) fn described(text: &str, most: usize) -> String {
    let line = visible(text.trim());
    cut(if line.is_empty() { "-" } else { &line }, most)
}

/// What Discord counts of a command: names, descriptions, and choices with their values.
pub fn together(command: &Value) -> usize {
    let text = |value: &Value| value.as_str().map_or(0, length);
    let below = |name: &str| command[name].as_array().into_iter().flatten();
    let choices =
        below("choices").map(|choice| text(&choice["name"]) + text(&choice["value"])).sum::<usize>();
    let options = below("options").map(together).sum::<usize>();
    text(&command["name"]) + text(&command["description"]) + choices + options
}

/// What somebody filled in: the names of command, group and sub-command, and each option as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// `["run", "failover-database"]`
    pub path: Vec<String>,
    /// Name and value.
    pub options: Vec<(String, String)>,
}

impl Filled {
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The command that it means: through the one grammar, word by word, so that no value is ever read as anything else.
    pub fn command(&self) -> Result<Command, NotUnderstood> {
        let name = self.path.first().map(String::as_str).unwrap_or_default();
        match (name, self.path.last()) {
            ("run", Some(last)) if self.path.len() > 1 => return self.run(last),
            ("incident", Some(last)) if self.path.len() > 1 => return command(&incidents::line(self, last)),
            ("say", _) => return command(&words(self.option("line").unwrap_or_default())?),
            _ => {}
        }
        let Some(shape) = SHAPES.iter().find(|shape| shape.name == name) else {
            return Err(NotUnderstood::UnknownWord(name.to_owned()));
        };
        let given = |name: &str| self.option(name).map(str::to_owned);
        let word = |part: &&str| match part {
            part if part.starts_with('/') => Some(Word::Plain(part[1..].to_owned())),
            part if part.starts_with('"') => given(&part[1..]).map(Word::Quoted),
            part if part.ends_with('=') => {
                let name = &part[..part.len() - 1];
                given(name).map(|value| Word::Pair(name.to_owned(), value))
            }
            part => match part.split_once('?') {
                Some((word, flag)) => {
                    (given(flag).as_deref() == Some("true")).then(|| Word::Plain(word.to_owned()))
                }
                None => given(part).map(Word::Plain),
            },
        };
        command(&shape.line.iter().filter_map(word).collect::<Vec<_>>())
    }

    fn run(&self, last: &str) -> Result<Command, NotUnderstood> {
        let reason = self.option("reason").map(str::to_owned);
        if last == ANY {
            let runbook = self.option("runbook").unwrap_or_default().to_owned();
            let mut typed = vec![Word::Plain("run".to_owned()), Word::Plain(runbook)];
            typed.extend(words(self.option("values").unwrap_or_default())?);
            typed.extend(reason.map(|reason| Word::Pair("reason".to_owned(), reason)));
            return command(&typed);
        }
        let arguments = self.options.iter().filter(|(name, _)| name != "reason").cloned().collect();
        Ok(Command::Run { runbook: last.to_owned(), arguments, reason })
    }

    /// The runbook whose values are being filled in.
    pub fn runbook(&self) -> Option<&str> {
        let is_run = self.path.first().is_some_and(|name| name == "run") && self.path.len() > 1;
        self.path.last().map(String::as_str).filter(|last| is_run && *last != ANY)
    }
}
