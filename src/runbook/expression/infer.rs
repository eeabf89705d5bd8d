//! Finds the type of an expression, and what it uses, while a file is checked.
//!
//! Mistakes are noted with their place and the nearest right word; what they leave has the type `Broken`, which fits
//! everywhere, so that one mistake is reported once.

use std::collections::BTreeSet;

use super::tree::{Expr, Fold, Function, Node, Operator, Tree};
use super::types::{Fields, Measured, Named, Scope, Type};
use crate::runbook::source::literal::Literal;
use crate::runbook::source::name::PackName;
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::problem::{Code, Problems};

/// The type of an expression and what it depends on.
#[derive(Debug, Clone)]
pub struct Inferred {
    /// Its type.
    pub kind: Type,
    /// Whether it may be missing, as an optional setting.
    pub optional: bool,
    /// What it uses, also through `let`.
    pub uses: Uses,
}

/// What an expression depends on.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// Names it mentions, `let` names and the names behind them.
    pub names: BTreeSet<String>,
    /// Measurements it reads, with the host that is asked: `None` is the measurement's own host, or all of them.
    pub measured: Vec<(String, Option<Tree>)>,
}

impl Uses {
    /// Whether anything is measured.
    pub fn measures(&self) -> bool {
        !self.measured.is_empty()
    }

    /// Takes over what another expression uses.
    pub fn join(&mut self, other: &Uses) {
        self.names.extend(other.names.iter().cloned());
        self.measured.extend(other.measured.iter().cloned());
    }
}

/// Finds type and uses of an expression.
pub fn infer(expr: &Expr, scope: &Scope, problems: &mut Problems) -> Inferred {
    let mut checker = Checker { expr, scope, problems, locals: Vec::new(), uses: Uses::default() };
    let (kind, optional) = checker.kind(&expr.root);
    Inferred { kind, optional, uses: checker.uses }
}

struct Checker<'a> {
    expr: &'a Expr,
    scope: &'a Scope,
    problems: &'a mut Problems,
    locals: Vec<(String, Type)>,
    uses: Uses,
}

impl Checker<'_> {
    fn add(&mut self, code: Code, tree: &Tree, message: impl Into<String>, cure: impl Into<String>) -> Type {
        self.problems.add(code, &self.expr.place_of(tree), message, cure);
        Type::Broken
    }

    fn of(&mut self, tree: &Tree) -> Type {
        self.kind(tree).0
    }

    fn kind(&mut self, tree: &Tree) -> (Type, bool) {
        let kind = match &tree.node {
            Node::Broken => Type::Broken,
            Node::Null => Type::Null,
            Node::Bool(_) => Type::Bool,
            Node::Word(word) => Type::Words(vec![word.clone()]),
            Node::Quantity(literal) => match literal {
                Literal::Int(_) => Type::Int,
                Literal::Number(_) => Type::Number,
                Literal::Size(_) => Type::Size,
                Literal::Duration(_) => Type::Duration,
                Literal::Percent(_) => Type::Percent,
            },
            Node::Name(name) => return self.name(tree, name),
            Node::Field(of, field) => return self.field(tree, of, field),
            Node::Index(of, index) => {
                self.of(index);
                if let Some(name) = self.measurement(of) {
                    let message = format!("`{name}[…]` is a whole result");
                    self.add(Code::TextValue, tree, message, "name one field: `….answered`, `….position`")
                } else if self.of(of) == Type::Broken {
                    Type::Broken
                } else {
                    self.add(
                        Code::ByHost,
                        tree,
                        "only a measurement by host takes an index",
                        "name[host].field",
                    )
                }
            }
            Node::List(items) => self.list(items),
            Node::Not(inner) => {
                self.condition(inner);
                Type::Bool
            }
            Node::Minus(inner) => {
                let kind = self.of(inner);
                if kind.has_order() {
                    kind
                } else {
                    self.add(
                        Code::TypeCompare,
                        tree,
                        format!("`-` before {kind}"),
                        "only numbers have a sign",
                    )
                }
            }
            Node::Binary(operator, left, right) => self.binary(tree, *operator, left, right),
            Node::If(condition, yes, no) => {
                self.condition(condition);
                let (yes, no) = (self.of(yes), self.of(no));
                if yes.takes(&no) {
                    yes
                } else if no.takes(&yes) {
                    no
                } else {
                    let message = format!("one side is {yes}, the other {no}");
                    self.add(Code::TypeMixed, tree, message, "give both the same type")
                }
            }
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Over { fold, list, name, body } => self.over(*fold, list, name, body),
        };
        (kind, false)
    }

    fn name(&mut self, tree: &Tree, name: &str) -> (Type, bool) {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return (kind.clone(), false);
        }
        self.uses.names.insert(name.to_owned());
        match self.scope.names.get(name) {
            Some(Named::Value(kind)) => (kind.clone(), false),
            Some(Named::Let(inferred)) => {
                self.uses.join(&inferred.uses);
                (inferred.kind.clone(), inferred.optional)
            }
            Some(Named::Run) => (
                self.add(
                    Code::TextValue,
                    tree,
                    "`run` is no value",
                    "write run.id, run.reason or run.started_by",
                ),
                false,
            ),
            Some(Named::Measurement(measured)) => {
                let by_host = measured.by_host;
                self.uses.measured.push((name.to_owned(), None));
                let (code, cure) = if by_host {
                    (Code::ByHost, format!("{name}[host].field"))
                } else {
                    (Code::TextValue, format!("name one field: {name}.answered, {name}.…"))
                };
                (self.add(code, tree, format!("`{name}` is a whole result"), cure), false)
            }
            None => {
                let cure = self.nearest_name(name);
                (self.add(Code::NameUnknown, tree, format!("`{name}` is declared nowhere"), cure), false)
            }
        }
    }

    fn nearest_name(&self, name: &str) -> String {
        let locals = self.locals.iter().map(|(local, _)| local.as_str());
        let all: Vec<&str> = locals.chain(self.scope.names.keys().map(String::as_str)).collect();
        nearest_or_all(name, all.iter().copied())
    }

    /// The name of the measurement that this tree is, if it is one.
    fn measurement(&self, tree: &Tree) -> Option<String> {
        let Node::Name(name) = &tree.node else { return None };
        let local = self.locals.iter().any(|(local, _)| local == name);
        let found = !local && matches!(self.scope.names.get(name), Some(Named::Measurement(_)));
        found.then(|| name.clone())
    }

    fn field(&mut self, tree: &Tree, of: &Tree, field: &str) -> (Type, bool) {
        if let Some(name) = self.measurement(of) {
            return self.result(tree, &name, None, field);
        }
        if let Node::Index(inner, index) = &of.node
            && let Some(name) = self.measurement(inner)
        {
            let kind = self.of(index);
            if !Type::Host.takes(&kind) {
                self.add(
                    Code::ByHost,
                    index,
                    format!("{kind} stands where a host belongs"),
                    "name[host].field",
                );
            }
            return self.result(tree, &name, Some(index.as_ref()), field);
        }
        if let Node::Name(name) = &of.node
            && matches!(self.scope.names.get(name), Some(Named::Run))
        {
            self.uses.names.insert(name.clone());
            return self.pick(tree, "`run`", field, &Scope::run_fields());
        }
        let kind = self.of(of);
        match self.scope.fields_of(&kind) {
            Some(fields) => match self.role_of_none(&kind, field) {
                Some(pack) => {
                    let message =
                        format!("a cluster of the kind {pack} has no `{field}`: its pack has no topology");
                    self.no_field(tree, field, message, "hosts; or give the pack a `topology`")
                }
                None => self.pick(tree, &kind.to_string(), field, &fields),
            },
            None if kind == Type::Broken => (Type::Broken, false),
            None => {
                let cure = "only hosts, clusters, services and measurements have fields";
                (self.add(Code::FieldUnknown, tree, format!("{kind} has no field `{field}`"), cure), false)
            }
        }
    }

    fn result(&mut self, tree: &Tree, name: &str, index: Option<&Tree>, field: &str) -> (Type, bool) {
        self.uses.names.insert(name.to_owned());
        self.uses.measured.push((name.to_owned(), index.cloned()));
        let Some(Named::Measurement(measured)) = self.scope.names.get(name) else {
            return (Type::Broken, false);
        };
        let Measured { by_host, fields, broken, .. } = measured;
        if *by_host != index.is_some() {
            let (message, cure) = if *by_host {
                (format!("`{name}` has a result for each host"), format!("{name}[host].{field}"))
            } else {
                (format!("`{name}` asks one host"), format!("{name}.{field}"))
            };
            return (self.add(Code::ByHost, tree, message, cure), false);
        }
        if field == "answered" {
            return (Type::Bool, false);
        }
        if *broken {
            return (Type::Broken, false);
        }
        let mut fields = fields.clone();
        fields.extend(super::types::fields([("answered", Type::Bool)]));
        self.pick(tree, &format!("the measurement `{name}`"), field, &fields)
    }

    fn pick(&mut self, tree: &Tree, owner: &str, field: &str, fields: &Fields) -> (Type, bool) {
        if let Some(found) = fields.get(field) {
            return (found.kind.clone(), found.optional);
        }
        let cure = nearest_or_all(field, fields.keys().map(String::as_str));
        self.no_field(tree, field, format!("{owner} has no field `{field}`"), &cure)
    }

    /// The kind of a cluster that knows no roles, where a role is wanted.
    fn role_of_none(&self, kind: &Type, field: &str) -> Option<PackName> {
        match kind {
            Type::Cluster(kinds) if matches!(field, "primary" | "replicas") => {
                self.scope.without_roles_of(kinds).cloned()
            }
            _ => None,
        }
    }

    fn no_field(&mut self, tree: &Tree, field: &str, message: String, cure: &str) -> (Type, bool) {
        // The place of a field is the field, not what stands before its dot.
        let length = u32::try_from(field.chars().count()).unwrap_or(tree.length);
        let offset = tree.offset + tree.length - length;
        let spot = Tree { offset, length, node: Node::Null };
        (self.add(Code::FieldUnknown, &spot, message, cure), false)
    }

    fn list(&mut self, items: &[Tree]) -> Type {
        let mut kind = None;
        for item in items {
            let next = self.of(item);
            kind = Some(match kind {
                None => next,
                Some(Type::Words(mut words)) if matches!(next, Type::Words(_)) => {
                    if let Type::Words(more) = next {
                        words.extend(more);
                    }
                    Type::Words(words)
                }
                Some(first) if first.takes(&next) => first,
                Some(first) => {
                    let message = format!("a list of {first} and {next}");
                    self.add(Code::TypeMixed, item, message, "a list has one type")
                }
            });
        }
        Type::List(Box::new(kind.unwrap_or(Type::Broken)))
    }

    fn condition(&mut self, tree: &Tree) {
        let kind = self.of(tree);
        if !Type::Bool.takes(&kind) || kind == Type::Null {
            self.add(Code::TypeWrong, tree, format!("{kind} stands where a condition belongs"), "compare it");
        }
    }

    fn binary(&mut self, tree: &Tree, operator: Operator, left: &Tree, right: &Tree) -> Type {
        match operator {
            Operator::Or | Operator::And => {
                self.condition(left);
                self.condition(right);
                Type::Bool
            }
            Operator::Equal | Operator::NotEqual => {
                self.equality(tree, left, right);
                Type::Bool
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let (a, b) = (self.of(left), self.of(right));
                if !(a.has_order() && b.has_order() && (a.takes(&b) || b.takes(&a))) {
                    self.cannot_compare(tree, operator, (&a, left), (&b, right));
                }
                Type::Bool
            }
            Operator::In => {
                let (a, b) = (self.of(left), self.of(right));
                match &b {
                    Type::List(inner) => {
                        self.words_fit(left, &a, right, inner);
                        if !inner.compares_with(&a) {
                            self.add(
                                Code::TypeCompare,
                                tree,
                                format!("{a} cannot be in {b}"),
                                "compare like with like",
                            );
                        }
                    }
                    Type::Broken => {}
                    _ => {
                        self.add(
                            Code::TypeWrong,
                            right,
                            format!("{b} stands where a list belongs"),
                            "write [a, b]",
                        );
                    }
                }
                Type::Bool
            }
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => {
                let (a, b) = (self.of(left), self.of(right));
                if let Some(kind) = calculated(operator, &a, &b) {
                    kind
                } else {
                    self.cannot_compare(tree, operator, (&a, left), (&b, right));
                    Type::Broken
                }
            }
        }
    }

    fn equality(&mut self, tree: &Tree, left: &Tree, right: &Tree) {
        let (a, b) = (self.of(left), self.of(right));
        if self.words_fit(left, &a, right, &b) {
            return;
        }
        if !a.compares_with(&b) || matches!((&a, &b), (Type::List(_), _) | (_, Type::List(_))) {
            self.cannot_compare(tree, Operator::Equal, (&a, left), (&b, right));
        }
    }

    /// A word that is compared with a choice must be one of its words. Says whether a problem was noted.
    fn words_fit(&mut self, left: &Tree, a: &Type, right: &Tree, b: &Type) -> bool {
        for (tree, literal, choice) in [(left, a, b), (right, b, a)] {
            if let (Node::Word(word), Type::Words(_), Type::Words(words)) = (&tree.node, literal, choice)
                && !words.contains(word)
            {
                let cure = nearest_or_all(word, words.iter().map(String::as_str));
                self.add(Code::WordUnknown, tree, format!("'{word}' is not possible here"), cure);
                return true;
            }
        }
        false
    }

    fn cannot_compare(
        &mut self,
        tree: &Tree,
        operator: Operator,
        left: (&Type, &Tree),
        right: (&Type, &Tree),
    ) {
        if *left.0 == Type::Broken || *right.0 == Type::Broken {
            return;
        }
        let verb = match operator {
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => "calculated",
            _ => "compared",
        };
        let message = format!("{} is {verb} with {}", left.0, right.0);
        let with_unit = |kind: &Type, other: &Tree| match (kind, &other.node) {
            (Type::Size, Node::Quantity(Literal::Int(n))) => Some(format!("a size has a unit: write {n}MiB")),
            (Type::Duration, Node::Quantity(Literal::Int(n))) => {
                Some(format!("a duration has a unit: write {n}s"))
            }
            (Type::Percent, Node::Quantity(Literal::Int(n))) => {
                Some(format!("a percentage has a sign: write {n}%"))
            }
            _ => None,
        };
        let cure = with_unit(left.0, right.1)
            .or_else(|| with_unit(right.0, left.1))
            .unwrap_or_else(|| format!("`{}` needs two of one type", operator.as_str()));
        // Underline the operator's right side, where the eye has the left one before it.
        let spot = if matches!(operator, Operator::In) { tree } else { right.1 };
        self.add(Code::TypeCompare, spot, message, cure);
    }

    fn call(&mut self, function: Function, arguments: &[Tree]) -> Type {
        match function {
            Function::Count => {
                self.list_of(&arguments[0]);
                Type::Int
            }
            Function::Distinct => self.list_of(&arguments[0]),
            Function::Without => {
                let list = self.list_of(&arguments[0]);
                let element = self.of(&arguments[1]);
                if let Type::List(inner) = &list
                    && !inner.compares_with(&element)
                {
                    let message = format!("{element} cannot be in {list}");
                    self.add(
                        Code::TypeCompare,
                        &arguments[1],
                        message,
                        "take out an element of the list's type",
                    );
                }
                list
            }
            Function::Follows | Function::RootOf => {
                self.walk(&arguments[0]);
                for host in &arguments[1..] {
                    let kind = self.of(host);
                    if !Type::Host.takes(&kind) {
                        self.add(
                            Code::TypeWrong,
                            host,
                            format!("{kind} stands where a host belongs"),
                            function.form(),
                        );
                    }
                }
                if function == Function::Follows { Type::Bool } else { Type::Host }
            }
        }
    }

    /// The first argument of a walk: a measurement by host whose probe says who is upstream.
    fn walk(&mut self, tree: &Tree) {
        let Some(name) = self.measurement(tree) else {
            let kind = self.of(tree);
            if kind != Type::Broken {
                let cure =
                    "name a measurement with `hosts`, whose probe has the result `upstream: host or none`";
                self.add(Code::Topology, tree, format!("{kind} stands where a measurement belongs"), cure);
            }
            return;
        };
        self.uses.names.insert(name.clone());
        self.uses.measured.push((name.clone(), None));
        let Some(Named::Measurement(measured)) = self.scope.names.get(&name) else { return };
        let upstream = measured.fields.get("upstream");
        let fits = measured.by_host && upstream.is_some_and(|field| field.kind == Type::Host);
        if !fits && !measured.broken {
            let message = format!("`{name}` does not say who is upstream of each host");
            let cure = "measure several `hosts` with a probe that has the result `upstream: host or none`";
            self.add(Code::Topology, tree, message, cure);
        }
    }

    fn list_of(&mut self, tree: &Tree) -> Type {
        let kind = self.of(tree);
        match kind {
            Type::List(_) => kind,
            Type::Broken => Type::List(Box::new(Type::Broken)),
            _ => {
                self.add(
                    Code::TypeWrong,
                    tree,
                    format!("{kind} stands where a list belongs"),
                    "write [a, b]",
                );
                Type::List(Box::new(Type::Broken))
            }
        }
    }

    fn over(&mut self, fold: Fold, list: &Tree, name: &str, body: &Tree) -> Type {
        let kind = self.list_of(list);
        let Type::List(inner) = &kind else { return Type::Broken };
        if self.scope.names.contains_key(name) || self.locals.iter().any(|(local, _)| local == name) {
            let message = format!("`{name}` hides another name");
            self.add(Code::NameTaken, list, message, "call the element at hand something else");
        }
        self.locals.push((name.to_owned(), inner.as_ref().clone()));
        let result = match fold {
            Fold::All | Fold::Exists => {
                self.condition(body);
                Type::Bool
            }
            Fold::Filter => {
                self.condition(body);
                kind.clone()
            }
            Fold::Map => Type::List(Box::new(self.of(body))),
        };
        self.locals.pop();
        result
    }
}

/// The type of a calculation, or `None` if there is no such calculation.
fn calculated(operator: Operator, a: &Type, b: &Type) -> Option<Type> {
    use Type::{Broken, Duration, Int, List, Number, Percent, Size};
    let plain = |kind: &Type| matches!(kind, Int | Number);
    let quantity = |kind: &Type| matches!(kind, Size | Duration | Percent);
    match (operator, a, b) {
        (_, Broken, _) | (_, _, Broken) => Some(Broken),
        (Operator::Divide, a, b) if plain(a) && plain(b) => Some(Number),
        (_, Int, Int) => Some(Int),
        (_, a, b) if plain(a) && plain(b) => Some(Number),
        (Operator::Add | Operator::Subtract, a, b) if quantity(a) && a == b => Some(a.clone()),
        (Operator::Add, List(x), List(y)) if x.takes(y) => Some(a.clone()),
        (Operator::Multiply, a, b) if quantity(a) && plain(b) => Some(a.clone()),
        (Operator::Multiply, a, b) if plain(a) && quantity(b) => Some(b.clone()),
        (Operator::Divide, a, b) if quantity(a) && plain(b) => Some(a.clone()),
        (Operator::Divide, a, b) if quantity(a) && a == b => Some(Number),
        _ => None,
    }
}
