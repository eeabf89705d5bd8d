//! The tree of an expression. Every node knows which characters it came from.

use std::sync::Arc;

use crate::runbook::source::literal::Literal;
use crate::runbook::source::place::{Place, Span};

/// An expression with its text and its place.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The text as the author wrote it. It goes into the plan as evidence of what was asked.
    pub source: Arc<str>,
    /// Its tree.
    pub root: Tree,
    /// Where it stands.
    pub place: Place,
}

impl Expr {
    /// What stands for an expression that could not be read.
    pub fn broken(source: &str, place: &Place) -> Self {
        let root = Tree { offset: 0, length: 1, node: Node::Broken };
        Self { source: source.into(), root, place: place.clone() }
    }

    /// The place of a part of this expression, or of a reference in a text. The lines of a block begin in the column
    /// of its first one.
    pub fn place_of(&self, tree: &Tree) -> Place {
        let before = self.source.chars().take(tree.offset as usize);
        let (mut lines, mut characters) = (0, 0);
        for c in before {
            (lines, characters) = if c == '\n' { (lines + 1, 0) } else { (lines, characters + 1) };
        }
        let start = self.place.span;
        let span = Span::on_line(start.line + lines, start.column + characters, tree.length);
        Place { file: self.place.file.clone(), span }
    }
}

/// A node and the characters that it covers.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Characters before it in the text of the expression.
    pub offset: u32,
    /// How many characters are underlined when it is wrong.
    pub length: u32,
    /// What it is.
    pub node: Node,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Node {
    /// What could not be read; a problem has been noted, and everything fits.
    Broken,
    /// `null`: an optional result that is missing.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `16MiB`, `30s`, `25%`, `2`, `0.7`
    Quantity(Literal),
    /// `'dead'`
    Word(String),
    /// `candidate`
    Name(String),
    /// `cluster.primary`
    Field(Box<Tree>, String),
    /// `node[candidate]`
    Index(Box<Tree>, Box<Tree>),
    /// `[joining, leaving]`
    List(Vec<Tree>),
    /// `!x`
    Not(Box<Tree>),
    /// `-x`
    Minus(Box<Tree>),
    /// `a + b`
    Binary(Operator, Box<Tree>, Box<Tree>),
    /// `a ? b : c`
    If(Box<Tree>, Box<Tree>, Box<Tree>),
    /// `count(x)`
    Call(Function, Vec<Tree>),
    /// `list.all(name, body)`
    Over {
        /// Which of the four.
        fold: Fold,
        /// The list.
        list: Box<Tree>,
        /// The name of the element at hand.
        name: String,
        /// What is asked of each.
        body: Box<Tree>,
    },
}

/// Operators between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operators")]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}

/// The functions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// How many elements a list has.
    Count,
    /// A list without one element.
    Without,
    /// A list with each element once.
    Distinct,
    /// Whether walking up from one host reaches another.
    Follows,
    /// The host where the walk up ends.
    RootOf,
}

impl Function {
    /// All of them with their names and arguments, for messages.
    pub const ALL: [(Function, &'static str, &'static str); 5] = [
        (Self::Count, "count", "count(list)"),
        (Self::Without, "without", "without(list, x)"),
        (Self::Distinct, "distinct", "distinct(list)"),
        (Self::Follows, "follows", "follows(measurement, host, upstream)"),
        (Self::RootOf, "root_of", "root_of(measurement, host)"),
    ];

    /// How many arguments it takes.
    pub const fn arguments(self) -> usize {
        match self {
            Self::Count | Self::Distinct => 1,
            Self::Without | Self::RootOf => 2,
            Self::Follows => 3,
        }
    }

    /// Its name and arguments as text.
    pub fn form(self) -> &'static str {
        Self::ALL.iter().find(|(function, ..)| *function == self).map_or("", |(_, _, form)| form)
    }
}

/// What is done with the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of CEL")]
pub enum Fold {
    All,
    Exists,
    Filter,
    Map,
}

impl Tree {
    /// Whether two trees say the same, wherever they stand.
    pub fn same_as(&self, other: &Tree) -> bool {
        let all = |a: &[Tree], b: &[Tree]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_as(b));
        match (&self.node, &other.node) {
            (Node::Null, Node::Null) | (Node::Broken, Node::Broken) => true,
            (Node::Bool(a), Node::Bool(b)) => a == b,
            (Node::Quantity(a), Node::Quantity(b)) => a == b,
            (Node::Word(a), Node::Word(b)) | (Node::Name(a), Node::Name(b)) => a == b,
            (Node::Field(a, x), Node::Field(b, y)) => x == y && a.same_as(b),
            (Node::Index(a, x), Node::Index(b, y)) => a.same_as(b) && x.same_as(y),
            (Node::List(a), Node::List(b)) => all(a, b),
            (Node::Not(a), Node::Not(b)) | (Node::Minus(a), Node::Minus(b)) => a.same_as(b),
            (Node::Binary(o, a, x), Node::Binary(p, b, y)) => o == p && a.same_as(b) && x.same_as(y),
            (Node::If(a, b, c), Node::If(x, y, z)) => a.same_as(x) && b.same_as(y) && c.same_as(z),
            (Node::Call(f, a), Node::Call(g, b)) => f == g && all(a, b),
            (
                Node::Over { fold: f, list: a, name: n, body: x },
                Node::Over { fold: g, list: b, name: m, body: y },
            ) => f == g && n == m && a.same_as(b) && x.same_as(y),
            _ => false,
        }
    }
}
