//! What has to be measured before an expression can be answered.

use std::collections::BTreeSet;

use super::{Ask, Evaluation, NoAnswer};
use crate::runbook::expression::tree::{Function, Node, Operator, Tree};
use crate::runbook::expression::value::Value;
use crate::runbook::source::name::HostName;

impl Evaluation<'_> {
    pub(super) fn collect(&mut self, tree: &Tree, asks: &mut BTreeSet<Ask>) {
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
}

fn ask(name: &str, host: Option<HostName>) -> Ask {
    Ask { measurement: name.to_owned(), host }
}
