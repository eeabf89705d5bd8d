//! Answers an expression from values and measured facts. An answer that is missing is an answer of its own.
//!
//! `&&` is false if one side is, `||` is true if one side is, even when the other cannot be answered; everything else
//! that meets a missing answer has none. What was read on the way is kept, so that a failed check can be shown with
//! its values, and what would have to be measured can be asked beforehand.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::tree::{Expr, Fold, Function, Node, Operator, Tree};
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

    fn call(&mut self, function: Function, arguments: &[Tree]) -> Answer {
        match function {
            Function::Count => {
                let items = self.list(&arguments[0])?;
                i64::try_from(items.len()).map(Value::Int).map_err(|_| too_large())
            }
            Function::Distinct => {
                let mut seen: Vec<Value> = Vec::new();
                for item in self.list(&arguments[0])? {
                    if !seen.iter().any(|known| same(known, &item)) {
                        seen.push(item);
                    }
                }
                Ok(Value::List(seen))
            }
            Function::Without => {
                let items = self.list(&arguments[0])?;
                let out = self.value(&arguments[1])?;
                Ok(Value::List(items.into_iter().filter(|item| !same(item, &out)).collect()))
            }
            Function::Follows => {
                let (path, target) = (self.walk(arguments)?, self.host(&arguments[2])?);
                match path {
                    Walk::Ended(path) => Ok(Value::Bool(path[1..].contains(&target))),
                    // The walk met the target before it got lost: that much is known.
                    Walk::Lost(path, _) if path[1..].contains(&target) => Ok(Value::Bool(true)),
                    Walk::Lost(_, why) => Err(why),
                }
            }
            Function::RootOf => match self.walk(arguments)? {
                Walk::Ended(path) => {
                    path.last().cloned().map(Value::Host).ok_or_else(|| none("there is no host"))
                }
                Walk::Lost(_, why) => Err(why),
            },
        }
    }

    /// Walks up from a host to the one that follows nobody.
    fn walk(&mut self, arguments: &[Tree]) -> Result<Walk, NoAnswer> {
        let Node::Name(name) = &arguments[0].node else {
            return Err(none("only a measurement can be walked"));
        };
        let mut path = vec![self.host(&arguments[1])?];
        loop {
            let at = path[path.len() - 1].clone();
            match self.measured(name, Some(at.clone()), "upstream") {
                Ok(Value::None) => return Ok(Walk::Ended(path)),
                Ok(Value::Host(next)) if path.contains(&next) => {
                    let circle: Vec<_> = path.iter().chain([&next]).map(ToString::to_string).collect();
                    let why = format!("they follow each other in a circle: {}", circle.join(" -> "));
                    return Ok(Walk::Lost(path, none(why)));
                }
                Ok(Value::Host(next)) => path.push(next),
                Ok(other) => return Ok(Walk::Lost(path, none(format!("{} is no host", other.human())))),
                Err(why) => return Ok(Walk::Lost(path, why)),
            }
        }
    }

    fn host(&mut self, tree: &Tree) -> Result<HostName, NoAnswer> {
        match self.value(tree)? {
            Value::Host(host) => Ok(host),
            Value::None => Err(none("there is no such host")),
            other => Err(none(format!("{} is no host", other.human()))),
        }
    }

    fn list(&mut self, tree: &Tree) -> Result<Vec<Value>, NoAnswer> {
        match self.value(tree)? {
            Value::List(items) => Ok(items),
            other => Err(none(format!("{} is no list", other.human()))),
        }
    }

    fn over(&mut self, fold: Fold, list: &Tree, name: &str, body: &Tree) -> Answer {
        let items = self.list(list)?;
        let mut kept = Vec::new();
        let mut unanswered = None;
        for item in items {
            self.locals.push((name.to_owned(), item.clone()));
            let answer = match fold {
                Fold::Map => self.value(body),
                _ => self.condition(body).map(Value::Bool),
            };
            self.locals.pop();
            match (fold, answer) {
                (Fold::All, Ok(Value::Bool(false))) => return Ok(Value::Bool(false)),
                (Fold::Exists, Ok(Value::Bool(true))) => return Ok(Value::Bool(true)),
                (Fold::Filter, Ok(Value::Bool(true))) => kept.push(item),
                (Fold::Map, Ok(value)) => kept.push(value),
                (_, Ok(_)) => {}
                (_, Err(why)) => unanswered = unanswered.or(Some(why)),
            }
        }
        if let Some(why) = unanswered {
            return Err(why);
        }
        Ok(match fold {
            Fold::All => Value::Bool(true),
            Fold::Exists => Value::Bool(false),
            Fold::Filter | Fold::Map => Value::List(kept),
        })
    }

    fn ask_all(&self, name: &str, asks: &mut BTreeSet<Ask>) {
        match self.meaning.measurements.get(name) {
            Some(Some(hosts)) => asks.extend(hosts.iter().map(|host| ask(name, Some(host.clone())))),
            Some(None) => {
                asks.insert(ask(name, None));
            }
            None => {}
        }
    }

    /// What a condition comes to from parameters and topology alone; `None` if it reads a measurement.
    fn answered_without_measuring(&mut self, tree: &Tree) -> Option<Result<bool, NoAnswer>> {
        let read_before = self.read.len();
        let answer = self.condition(tree);
        let measured = self.read.len() > read_before;
        self.read.truncate(read_before);
        (!measured).then_some(answer)
    }

    fn collect(&mut self, tree: &Tree, asks: &mut BTreeSet<Ask>) {
        match &tree.node {
            Node::Broken | Node::Null | Node::Bool(_) | Node::Quantity(_) | Node::Word(_) => {}
            Node::Name(name) => {
                let local = self.locals.iter().any(|(local, _)| local == name);
                if let Some(expr) = self.meaning.lets.get(name).filter(|_| !local) {
                    let locals = std::mem::take(&mut self.locals);
                    self.collect(&expr.root, asks);
                    self.locals = locals;
                }
            }
            Node::Field(of, _) => match &of.node {
                Node::Name(name) if self.is_measurement(name) => self.ask_all(name, asks),
                Node::Index(inner, index) => {
                    self.collect(index, asks);
                    if let Node::Name(name) = &inner.node {
                        match self.value(index) {
                            Ok(Value::Host(host)) => {
                                asks.insert(ask(name, Some(host)));
                            }
                            _ => self.ask_all(name, asks),
                        }
                    }
                }
                _ => self.collect(of, asks),
            },
            // A side that decides without measuring spares the other side its questions.
            Node::Binary(operator @ (Operator::And | Operator::Or), a, b) => {
                let decides = Ok(*operator == Operator::Or);
                for (side, other) in [(a, b), (b, a)] {
                    if self.answered_without_measuring(other) != Some(decides.clone()) {
                        self.collect(side, asks);
                    }
                }
            }
            Node::Index(a, b) | Node::Binary(_, a, b) => {
                self.collect(a, asks);
                self.collect(b, asks);
            }
            Node::List(items) => items.iter().for_each(|item| self.collect(item, asks)),
            Node::Not(inner) | Node::Minus(inner) => self.collect(inner, asks),
            Node::If(condition, yes, no) => match self.answered_without_measuring(condition) {
                Some(Ok(true)) => self.collect(yes, asks),
                Some(Ok(false)) => self.collect(no, asks),
                _ => {
                    for part in [condition, yes, no] {
                        self.collect(part, asks);
                    }
                }
            },
            Node::Call(function, arguments) => {
                if matches!(function, Function::Follows | Function::RootOf)
                    && let Node::Name(name) = &arguments[0].node
                {
                    self.ask_all(name, asks);
                }
                for argument in arguments {
                    self.collect(argument, asks);
                }
            }
            Node::Over { list, name, body, .. } => {
                self.collect(list, asks);
                // A list that is itself measured has unknown elements: its body then asks all hosts.
                let items = match self.value(list) {
                    Ok(Value::List(items)) => items,
                    _ => vec![Value::None],
                };
                for item in items {
                    self.locals.push((name.clone(), item));
                    self.collect(body, asks);
                    self.locals.pop();
                }
            }
        }
    }
}

/// Where a walk up ended.
enum Walk {
    /// At a host that follows nobody; the hosts passed, that one last.
    Ended(Vec<HostName>),
    /// Somewhere on the way, and why.
    Lost(Vec<HostName>, NoAnswer),
}

/// Whether two values are the same. Whole and other numbers compare by value.
#[expect(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "equality of measured numbers is what was asked"
)]
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Number(b)) | (Value::Number(b), Value::Int(a)) => *a as f64 == *b,
        _ => a == b,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count is compared with a measured number")]
fn ordered(a: &Value, b: &Value) -> Result<Ordering, NoAnswer> {
    let floats = |a: f64, b: f64| a.partial_cmp(&b).ok_or_else(|| none("a number is not a number"));
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Int(a), Value::Number(b)) => floats(*a as f64, *b),
        (Value::Number(a), Value::Int(b)) => floats(*a, *b as f64),
        (Value::Number(a), Value::Number(b)) | (Value::Percent(a), Value::Percent(b)) => floats(*a, *b),
        (Value::Size(a), Value::Size(b)) => Ok(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(b)),
        (Value::None, _) | (_, Value::None) => Err(none("a result that is compared is missing")),
        _ => Err(none(format!("{} and {} have no order", a.human(), b.human()))),
    }
}

fn ask(name: &str, host: Option<HostName>) -> Ask {
    Ask { measurement: name.to_owned(), host }
}

fn too_large() -> NoAnswer {
    none("a number is too large")
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "factors and ratios of quantities"
)]
fn calculate(operator: Operator, a: &Value, b: &Value) -> Answer {
    let whole = |a: i64, b: i64| {
        match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            _ => a.checked_mul(b),
        }
        .ok_or_else(too_large)
    };
    let real = |a: f64, b: f64| {
        let result = match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            _ => a / b,
        };
        if result.is_finite() {
            Ok(result)
        } else {
            Err(none("a division by zero, or a number that is too large"))
        }
    };
    let scaled =
        |quantity: i64, factor: f64| real(quantity as f64, factor).map(|result| result.round() as i64);
    let number = |value: &Value| match value {
        Value::Int(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        _ => None,
    };
    let divides = operator == Operator::Divide;
    let multiplies = operator == Operator::Multiply;
    match (&a, &b) {
        (Value::None, _) | (_, Value::None) => Err(none("a result that is calculated with is missing")),
        (Value::Int(x), Value::Int(y)) if !divides => whole(*x, *y).map(Value::Int),
        (Value::Size(x), Value::Size(y)) if divides => real(x.0 as f64, y.0 as f64).map(Value::Number),
        (Value::Size(x), Value::Size(y)) if !multiplies => whole(x.0, y.0).map(Size).map(Value::Size),
        (Value::Duration(x), Value::Duration(y)) if divides => {
            real(x.0 as f64, y.0 as f64).map(Value::Number)
        }
        (Value::Duration(x), Value::Duration(y)) if !multiplies => {
            whole(x.0, y.0).map(Millis).map(Value::Duration)
        }
        (Value::Percent(x), Value::Percent(y)) if divides => real(*x, *y).map(Value::Number),
        (Value::Percent(x), Value::Percent(y)) if !multiplies => real(*x, *y).map(Value::Percent),
        (Value::List(x), Value::List(y)) if operator == Operator::Add => {
            Ok(Value::List(x.iter().chain(y).cloned().collect()))
        }
        _ => match (number(a), number(b)) {
            (Some(x), Some(y)) => real(x, y).map(Value::Number),
            (None, Some(factor)) if divides || multiplies => scale(a, factor, scaled, real),
            (Some(factor), None) if multiplies => scale(b, factor, scaled, real),
            _ => Err(none(format!("{} and {} cannot be calculated", a.human(), b.human()))),
        },
    }
}

/// A quantity times or divided by a plain number.
fn scale(
    quantity: &Value,
    factor: f64,
    scaled: impl Fn(i64, f64) -> Result<i64, NoAnswer>,
    real: impl Fn(f64, f64) -> Result<f64, NoAnswer>,
) -> Answer {
    match quantity {
        Value::Size(size) => scaled(size.0, factor).map(Size).map(Value::Size),
        Value::Duration(millis) => scaled(millis.0, factor).map(Millis).map(Value::Duration),
        Value::Percent(percent) => real(*percent, factor).map(Value::Percent),
        other => Err(none(format!("{} cannot be calculated with", other.human()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::expression::parse::parse;
    use crate::runbook::source::place::{FileName, Place, Span};
    use crate::runbook::source::problem::Problems;

    /// A small world: pg1 is primary, pg2 follows it, pg3 is silent; `one` asks one host.
    struct World {
        values: BTreeMap<String, Value>,
        lets: BTreeMap<String, Expr>,
        measurements: BTreeMap<String, Option<Vec<HostName>>>,
        records: Records,
        facts: Facts,
    }

    fn host(name: &str) -> HostName {
        HostName::new(name).unwrap()
    }

    fn expr(source: &str) -> Expr {
        let place = Place { file: FileName::new("x"), span: Span::on_line(1, 1, 1) };
        let mut problems = Problems::default();
        let expr = parse(source, &place, &mut problems);
        assert_eq!(problems.count(), 0, "{source}");
        expr
    }

    fn world() -> World {
        let hosts = ["pg1", "pg2", "pg3"].map(host);
        let mut world = World {
            values: BTreeMap::from([
                ("a".into(), Value::Host(host("pg1"))),
                ("b".into(), Value::Host(host("pg2"))),
                ("hs".into(), Value::List(hosts.iter().cloned().map(Value::Host).collect())),
                ("mode".into(), Value::Text("dead".into())),
            ]),
            lets: BTreeMap::from([("lag".into(), expr("node[a].position - node[b].position"))]),
            measurements: BTreeMap::from([("node".into(), Some(hosts.to_vec())), ("one".into(), None)]),
            records: Records::default(),
            facts: Facts::default(),
        };
        world
            .records
            .hosts
            .insert(host("pg1"), BTreeMap::from([("address".into(), Value::Text("127.0.0.1".into()))]));
        world.says("pg1", 500, Value::None);
        world.says("pg2", 100, Value::Host(host("pg1")));
        let silent = Ask { measurement: "node".into(), host: Some(host("pg3")) };
        world.facts.0.insert(silent, Err(NoAnswer("pg3 did not answer in 5 s".into())));
        world
    }

    impl World {
        fn says(&mut self, name: &str, position: i64, upstream: Value) {
            let ask = Ask { measurement: "node".into(), host: Some(host(name)) };
            let results = BTreeMap::from([
                ("position".into(), Value::Size(Size(position))),
                ("upstream".into(), upstream),
            ]);
            self.facts.0.insert(ask, Ok(results));
        }

        fn meaning(&self) -> Meaning<'_> {
            let World { values, lets, measurements, records, facts } = self;
            Meaning { values, lets, measurements, records, facts }
        }

        fn answer(&self, source: &str) -> Result<String, String> {
            self.meaning().evaluate(&expr(source)).answer.map(|v| v.human()).map_err(|n| n.0)
        }
    }

    #[test]
    fn what_is_known_is_answered() {
        let world = world();

        assert_eq!(world.answer("node[b].position <= 100 * 1KiB"), Ok("true".into()));
        assert_eq!(world.answer("lag"), Ok("400 bytes".into()));
        assert_eq!(world.answer("lag * 2 > 500 * 1KiB || mode in ['dead', 'planned']"), Ok("true".into()));
        assert_eq!(world.answer("a.address"), Ok("127.0.0.1".into()));
        assert_eq!(world.answer("count(without(hs, a))"), Ok("2".into()));
        assert_eq!(world.answer("hs.filter(h, h != a).map(h, h)"), Ok("pg2 pg3".into()));
        assert_eq!(world.answer("count(distinct(hs + [a]))"), Ok("3".into()));
        assert_eq!(world.answer("7 / 2"), Ok("3.5".into()));
        assert_eq!(world.answer("mode == 'dead' ? 1h : 2s"), Ok("1 h".into()));
    }

    #[test]
    fn a_question_that_cannot_be_answered_does_not_hold() {
        let world = world();

        assert_eq!(
            world.answer("node[b].position < 1KiB && one.x == 1"),
            Err("one.x was not measured".into())
        );
        assert_eq!(
            world.answer("hs.all(h, node[h].position >= 0KiB)"),
            Err("pg3 did not answer in 5 s".into())
        );
        assert_eq!(
            world.answer("1 / 0 > 1"),
            Err("a division by zero, or a number that is too large".into())
        );
        assert_eq!(world.answer("9223372036854775807 + 1"), Err("a number is too large".into()));
        assert!(world.answer("node[b].upstream.address == 'x'").is_ok());
        assert!(world.answer("node[a].upstream.address == 'x'").is_err(), "the primary follows nobody");
    }

    #[test]
    fn the_side_that_decides_wins_over_silence() {
        let world = world();

        assert_eq!(world.answer("one.x == 1 || mode == 'dead'"), Ok("true".into()));
        assert_eq!(world.answer("one.x == 1 && mode == 'planned'"), Ok("false".into()));
        assert_eq!(world.answer("hs.exists(h, node[h].position == 100 * 1KiB / 1024)"), Ok("true".into()));
        assert_eq!(world.answer("hs.all(h, node[h].position == 500 * 1KiB / 1024)"), Ok("false".into()));
        assert_eq!(
            world.answer("node[hs.filter(h, h == b).all(h, true) ? b : a].answered"),
            Ok("true".into())
        );
        assert_eq!(world.answer("node[b].answered == false"), Ok("false".into()));
        assert_eq!(world.answer("one.answered"), Ok("false".into()));
    }

    #[test]
    fn a_walk_ends_at_the_root_and_never_in_a_circle() {
        let mut world = world();
        assert_eq!(world.answer("follows(node, b, a)"), Ok("true".into()));
        assert_eq!(world.answer("follows(node, a, b)"), Ok("false".into()));
        assert_eq!(world.answer("root_of(node, b)"), Ok("pg1".into()));

        world.says("pg1", 500, Value::Host(host("pg2")));

        let circle = "they follow each other in a circle: pg2 -> pg1 -> pg2";
        assert_eq!(world.answer("root_of(node, b)"), Err(circle.into()));
        assert_eq!(
            world.answer("follows(node, b, a)"),
            Ok("true".into()),
            "b does follow a, whatever a follows"
        );
    }

    #[test]
    fn only_what_is_needed_is_asked() {
        let world = world();
        let wanted = |source: &str| {
            let asks = world.meaning().wanted(&expr(source));
            let shown = asks.into_iter().map(|ask| match ask.host {
                Some(host) => format!("{}[{host}]", ask.measurement),
                None => ask.measurement,
            });
            shown.collect::<Vec<_>>().join(" ")
        };

        assert_eq!(wanted("node[b].position > 1KiB"), "node[pg2]");
        assert_eq!(wanted("lag < 1KiB"), "node[pg1] node[pg2]");
        assert_eq!(wanted("one.x || node[b].answered"), "node[pg2] one");
        assert_eq!(
            wanted("mode == 'dead' || one.x"),
            "",
            "what decides without measuring spares the question"
        );
        assert_eq!(wanted("one.x && mode == 'planned'"), "");
        assert_eq!(wanted("mode == 'planned' ? one.x : node[b].answered"), "node[pg2]");
        assert_eq!(wanted("without(hs, a).all(h, node[h].answered)"), "node[pg2] node[pg3]");
        assert_eq!(wanted("follows(node, b, a)"), "node[pg1] node[pg2] node[pg3]");
        assert_eq!(wanted("node[root_of(node, b)].answered"), "node[pg1] node[pg2] node[pg3]");
    }

    #[test]
    fn what_was_read_is_kept_as_evidence() {
        let world = world();

        let read = world.meaning().evaluate(&expr("node[a].position - node[b].position < 1KiB")).read;

        let shown: Vec<_> =
            read.iter().map(|(name, v)| format!("{name}={}", v.as_ref().unwrap().human())).collect();
        assert_eq!(shown, ["node[pg1].position=500 bytes", "node[pg2].position=100 bytes"]);
    }
}
