//! Functions, and what is asked of every element of a list.

use super::calculate::too_large;
use super::compare::same;
use super::{Answer, Evaluation, NoAnswer, none};
use crate::runbook::expression::tree::{Fold, Function, Node, Tree};
use crate::runbook::expression::value::Value;
use crate::runbook::source::name::HostName;

impl Evaluation<'_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Tree]) -> Answer {
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

    pub(super) fn over(&mut self, fold: Fold, list: &Tree, name: &str, body: &Tree) -> Answer {
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
}

/// Where a walk up ended.
enum Walk {
    /// At a host that follows nobody; the hosts passed, that one last.
    Ended(Vec<HostName>),
    /// Somewhere on the way, and why.
    Lost(Vec<HostName>, NoAnswer),
}
