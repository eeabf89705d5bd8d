//! Answers an expression from values and measured facts. An answer that is missing is an answer of its own.
//!
//! `&&` is false if one side is, `||` is true if one side is, even when the other cannot be answered; everything else
//! that meets a missing answer has none. What was read on the way is kept, so that a failed check can be shown with
//! its values, and what would have to be measured can be asked beforehand.

mod calculate;
mod call;
mod compare;
#[cfg(test)]
mod tests;
mod wanted;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::calculate::{calculate, too_large};
use self::compare::{ordered, same};
use super::tree::{Expr, Node, Operator, Tree};
use super::value::Value;
use crate::runbook::source::literal::{Literal, Millis, Size};
use crate::runbook::source::name::{ClusterName, HostName, ServiceName};

/// Why a question has no answer, as the end of the sentence "it cannot be answered: …".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoAnswer(pub String);

/// What one host answered to one measurement: its results, or why there are none.
pub type Reading = Result<BTreeMap<String, Value>, NoAnswer>;

/// What has been measured, by measurement and host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts(pub BTreeMap<Ask, Reading>);

/// One measurement on one host. A measurement of one host has no host here: it is the measurement's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask {
    /// The name of the measurement.
    pub measurement: String,
    /// The host, for a measurement by host.
    pub host: Option<HostName>,
}

/// The fields of hosts, clusters and services. They do not change while a plan lives.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Of hosts.
    pub hosts: BTreeMap<HostName, BTreeMap<String, Value>>,
    /// Of clusters, with `primary`, `replicas` and `spares` as they were measured.
    pub clusters: BTreeMap<ClusterName, BTreeMap<String, Value>>,
    /// Of services.
    pub services: BTreeMap<ServiceName, BTreeMap<String, Value>>,
    /// Of the run itself.
    pub run: BTreeMap<String, Value>,
}

/// What the names of a runbook mean at this moment.
#[derive(Debug, Clone, Copy)]
pub struct Meaning<'a> {
    /// Parameters, and the host at hand of an `each`.
    pub values: &'a BTreeMap<String, Value>,
    /// `let` names.
    pub lets: &'a BTreeMap<String, Expr>,
    /// Measurements by name; `true` for those by host, with the hosts they ask.
    pub measurements: &'a BTreeMap<String, Option<Vec<HostName>>>,
    /// Fields of hosts, clusters, services and the run.
    pub records: &'a Records,
    /// What has been measured.
    pub facts: &'a Facts,
}

/// An answer, with what was read to find it.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// The value, or why there is none.
    pub answer: Result<Value, NoAnswer>,
    /// The measured fields that were read: `node[pg2].replayed` and its value, in order of reading.
    pub read: Vec<(String, Result<Value, NoAnswer>)>,
}

impl Meaning<'_> {
    /// Answers an expression.
    pub fn evaluate(&self, expr: &Expr) -> Evaluated {
        self.evaluate_tree(&expr.root)
    }

    /// Answers a tree, such as a dotted name in a text.
    pub fn evaluate_tree(&self, tree: &Tree) -> Evaluated {
        let mut evaluation = Evaluation { meaning: *self, locals: Vec::new(), read: Vec::new() };
        let answer = evaluation.value(tree);
        Evaluated { answer, read: evaluation.read }
    }

    /// What has to be measured before this expression can be answered. Both sides of every choice are asked; a host
    /// that is not known without measuring means all hosts of its measurement.
    pub fn wanted(&self, expr: &Expr) -> BTreeSet<Ask> {
        let mut asks = BTreeSet::new();
        let mut evaluation = Evaluation { meaning: *self, locals: Vec::new(), read: Vec::new() };
        evaluation.collect(&expr.root, &mut asks);
        asks
    }
}

struct Evaluation<'a> {
    meaning: Meaning<'a>,
    locals: Vec<(String, Value)>,
    read: Vec<(String, Result<Value, NoAnswer>)>,
}

type Answer = Result<Value, NoAnswer>;

fn none(why: impl Into<String>) -> NoAnswer {
    NoAnswer(why.into())
}

impl Evaluation<'_> {
    fn value(&mut self, tree: &Tree) -> Answer {
        match &tree.node {
            Node::Broken => Err(none("the expression could not be read")),
            Node::Null => Ok(Value::None),
            Node::Bool(value) => Ok(Value::Bool(*value)),
            Node::Word(word) => Ok(Value::Text(word.clone())),
            Node::Quantity(literal) => Ok(match literal {
                Literal::Int(n) => Value::Int(*n),
                Literal::Number(n) => Value::Number(*n),
                Literal::Size(size) => Value::Size(*size),
                Literal::Duration(millis) => Value::Duration(*millis),
                Literal::Percent(percent) => Value::Percent(*percent),
            }),
            Node::Name(name) => self.name(name),
            Node::Field(of, field) => self.field(of, field),
            Node::Index(..) => Err(none("a whole result is no value")),
            Node::List(items) => {
                items.iter().map(|item| self.value(item)).collect::<Result<_, _>>().map(Value::List)
            }
            Node::Not(inner) => self.condition(inner).map(|holds| Value::Bool(!holds)),
            Node::Minus(inner) => match self.value(inner)? {
                Value::Int(n) => n.checked_neg().map(Value::Int).ok_or_else(too_large),
                Value::Number(n) => Ok(Value::Number(-n)),
                Value::Size(Size(n)) => n.checked_neg().map(Size).map(Value::Size).ok_or_else(too_large),
                Value::Duration(Millis(n)) => Ok(Value::Duration(Millis(-n))),
                Value::Percent(n) => Ok(Value::Percent(-n)),
                other => Err(none(format!("{} has no sign", other.human()))),
            },
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::If(condition, yes, no) => {
                if self.condition(condition)? {
                    self.value(yes)
                } else {
                    self.value(no)
                }
            }
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Over { fold, list, name, body } => self.over(*fold, list, name, body),
        }
    }

    fn name(&mut self, name: &str) -> Answer {
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.meaning.values.get(name) {
            return Ok(value.clone());
        }
        match self.meaning.lets.get(name) {
            // A `let` means its expression and sees no element at hand of the place where it is used.
            Some(expr) => {
                let locals = std::mem::take(&mut self.locals);
                let answer = self.value(&expr.root);
                self.locals = locals;
                answer
            }
            None => Err(none(format!("nothing says what `{name}` is"))),
        }
    }

    fn is_measurement(&self, name: &str) -> bool {
        !self.locals.iter().any(|(local, _)| local == name) && self.meaning.measurements.contains_key(name)
    }

    fn field(&mut self, of: &Tree, field: &str) -> Answer {
        match &of.node {
            Node::Name(name) if self.is_measurement(name) => self.measured(name, None, field),
            Node::Name(name) if name == "run" && !self.meaning.values.contains_key(name) => self
                .meaning
                .records
                .run
                .get(field)
                .cloned()
                .ok_or_else(|| none(format!("run has no {field} yet"))),
            Node::Index(inner, index) => {
                let Node::Name(name) = &inner.node else {
                    return Err(none("only a measurement has an index"));
                };
                match self.value(index)? {
                    Value::Host(host) => self.measured(name, Some(host), field),
                    other => Err(none(format!("{} is no host", other.human()))),
                }
            }
            _ => match self.value(of)? {
                Value::Host(host) => {
                    self.record_field(self.meaning.records.hosts.get(&host), host.as_str(), field)
                }
                Value::Cluster(name) => {
                    self.record_field(self.meaning.records.clusters.get(&name), name.as_str(), field)
                }
                Value::Service(name) => {
                    self.record_field(self.meaning.records.services.get(&name), name.as_str(), field)
                }
                Value::None => Err(none(format!("there is nothing that could have a {field}"))),
                other => Err(none(format!("{} has no field {field}", other.human()))),
            },
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the evaluation, like its neighbours")]
    fn record_field(&self, record: Option<&BTreeMap<String, Value>>, owner: &str, field: &str) -> Answer {
        record
            .and_then(|record| record.get(field))
            .cloned()
            .ok_or_else(|| none(format!("the inventory does not say {field} of {owner}")))
    }

    fn measured(&mut self, name: &str, host: Option<HostName>, field: &str) -> Answer {
        let shown = match &host {
            Some(host) => format!("{name}[{host}].{field}"),
            None => format!("{name}.{field}"),
        };
        let ask = Ask { measurement: name.to_owned(), host };
        let reading = self.meaning.facts.0.get(&ask);
        let answer = match (reading, field) {
            (reading, "answered") => Ok(Value::Bool(matches!(reading, Some(Ok(_))))),
            (None, _) => Err(none(format!("{shown} was not measured"))),
            (Some(Err(why)), _) => Err(why.clone()),
            (Some(Ok(results)), _) => {
                results.get(field).cloned().ok_or_else(|| none(format!("{shown} is not among the results")))
            }
        };
        if !self.read.iter().any(|(seen, _)| *seen == shown) {
            self.read.push((shown, answer.clone()));
        }
        answer
    }

    fn condition(&mut self, tree: &Tree) -> Result<bool, NoAnswer> {
        match self.value(tree)? {
            Value::Bool(holds) => Ok(holds),
            Value::None => Err(none("a result that the condition needs is missing")),
            other => Err(none(format!("{} is neither true nor false", other.human()))),
        }
    }

    fn binary(&mut self, operator: Operator, left: &Tree, right: &Tree) -> Answer {
        match operator {
            Operator::And => self.joined(left, right, false),
            Operator::Or => self.joined(left, right, true),
            Operator::Equal | Operator::NotEqual => {
                let (a, b) = (self.value(left)?, self.value(right)?);
                Ok(Value::Bool(same(&a, &b) == (operator == Operator::Equal)))
            }
            Operator::In => {
                let (a, b) = (self.value(left)?, self.value(right)?);
                match b {
                    Value::List(items) => Ok(Value::Bool(items.iter().any(|item| same(&a, item)))),
                    other => Err(none(format!("{} is no list", other.human()))),
                }
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let order = ordered(&self.value(left)?, &self.value(right)?)?;
                Ok(Value::Bool(match operator {
                    Operator::Less => order == Ordering::Less,
                    Operator::LessOrEqual => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            }
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => {
                calculate(operator, &self.value(left)?, &self.value(right)?)
            }
        }
    }

    /// `&&` and `||`: the side that decides wins, answered or not be the other.
    fn joined(&mut self, left: &Tree, right: &Tree, decides: bool) -> Answer {
        let left = self.condition(left);
        if left == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        let right = self.condition(right);
        if right == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        left?;
        right?;
        Ok(Value::Bool(!decides))
    }
}
