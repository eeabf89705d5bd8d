//! Reads the text of an expression. One mistake ends the reading: it is reported at the character where it shows.

use super::tree::{Expr, Fold, Function, Node, Operator, Tree};
use crate::runbook::source::literal::{Literal, NUMBER_CURE, NotALiteral, read_literal, units_cure};
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::place::Place;
use crate::runbook::source::problem::{Code, Problems};

/// The longest expression, in characters.
const MAX_LENGTH: usize = 500;
/// The deepest brackets.
const MAX_BRACKETS: usize = 8;
/// How conditions look, for those who meet them first.
const FORM_CURE: &str = "conditions look like `node[candidate].replayed >= 16MiB && mode == 'dead'`";

/// Reads an expression that stands at `place`. One with a mistake, which is noted, comes back as broken.
pub fn parse(source: &str, place: &Place, problems: &mut Problems) -> Expr {
    match Parser::new(source).and_then(Parser::whole) {
        Ok(root) => Expr { source: source.into(), root, place: place.clone() },
        Err(wrong) => {
            let at = Place { file: place.file.clone(), span: place.span.part(wrong.offset, wrong.length) };
            problems.add(wrong.code, &at, wrong.message, wrong.cure);
            Expr::broken(source, place)
        }
    }
}

/// The tree of a dotted name such as `candidate.address`, as it stands in a text.
pub fn dotted_name(path: &str, offset: u32) -> Tree {
    let mut end = 0;
    let mut tree: Option<Tree> = None;
    for part in path.split('.') {
        end += part.len() + usize::from(tree.is_some());
        let length = u32::try_from(end).unwrap_or(u32::MAX);
        tree = Some(match tree {
            None => Tree { offset, length, node: Node::Name(part.to_owned()) },
            Some(inner) => Tree { offset, length, node: Node::Field(Box::new(inner), part.to_owned()) },
        });
    }
    tree.unwrap_or(Tree { offset, length: 0, node: Node::Null })
}

struct Wrong {
    offset: u32,
    length: u32,
    code: Code,
    message: String,
    cure: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Word(String),
    Quantity(Literal),
    Mark(&'static str),
}

struct Spot {
    token: Token,
    offset: u32,
    length: u32,
}

/// Marks, longest first.
const MARKS: [&str; 23] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "!", "?", ":", ".", ",", "(", ")", "[",
    "]", "{", "}",
];

struct Parser {
    tokens: Vec<Spot>,
    next: usize,
    brackets: usize,
    end: u32,
}

type Parsed = Result<Tree, Wrong>;

impl Parser {
    fn new(source: &str) -> Result<Self, Wrong> {
        let chars: Vec<char> = source.chars().collect();
        let end = to_u32(chars.len());
        if chars.len() > MAX_LENGTH || chars.contains(&'\n') {
            let why =
                if chars.contains(&'\n') { "has several lines" } else { "has more than 500 characters" };
            return Err(Wrong {
                offset: 0,
                length: 1,
                code: Code::ExprTooLong,
                message: format!("the expression {why}"),
                cure: "give a part of it a name under `let` or `checks`".to_owned(),
            });
        }
        if let Some(at) = source.find("{{") {
            return Err(Wrong {
                offset: to_u32(source[..at].chars().count()),
                length: 2,
                code: Code::ExprTemplate,
                message: "this is an expression: names stand bare".to_owned(),
                cure: "write the name alone, without braces".to_owned(),
            });
        }
        Ok(Self { tokens: tokens(&chars)?, next: 0, brackets: 0, end })
    }

    fn whole(mut self) -> Parsed {
        let tree = self.choice()?;
        match self.tokens.get(self.next) {
            None => Ok(tree),
            Some(_) => Err(self.wrong("an operator such as `==`, `&&` or `+`")),
        }
    }

    /// `condition ? yes : no`
    fn choice(&mut self) -> Parsed {
        let condition = self.binary(0)?;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.choice()?;
        self.expect(":", "`:` and the other value")?;
        let no = self.choice()?;
        let span = (condition.offset, end_of(&no));
        Ok(node(span, Node::If(Box::new(condition), Box::new(yes), Box::new(no))))
    }

    /// Operators by level: `||`, `&&`, comparisons, `+ -`, `* /`.
    fn binary(&mut self, level: usize) -> Parsed {
        const LEVELS: [&[Operator]; 5] = [
            &[Operator::Or],
            &[Operator::And],
            &[
                Operator::Equal,
                Operator::NotEqual,
                Operator::LessOrEqual,
                Operator::GreaterOrEqual,
                Operator::Less,
                Operator::Greater,
                Operator::In,
            ],
            &[Operator::Add, Operator::Subtract],
            &[Operator::Multiply, Operator::Divide],
        ];
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().copied().find(|operator| self.take(operator.as_str())) {
            let right = self.binary(level + 1)?;
            let span = (left.offset, end_of(&right));
            left = node(span, Node::Binary(operator, Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.here();
        if self.take("!") {
            let inner = self.unary()?;
            return Ok(node((start, end_of(&inner)), Node::Not(Box::new(inner))));
        }
        if self.take("-") {
            let inner = self.unary()?;
            return Ok(node((start, end_of(&inner)), Node::Minus(Box::new(inner))));
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Parsed {
        let mut tree = self.primary()?;
        loop {
            if self.take(".") {
                let (name, after) =
                    self.name("a field, `.all(…)`, `.exists(…)`, `.filter(…)` or `.map(…)`")?;
                tree = if self.take("(") {
                    self.over(tree, &name, after)?
                } else {
                    let span = (tree.offset, after);
                    node(span, Node::Field(Box::new(tree), name))
                };
            } else if self.take("[") {
                self.open()?;
                let index = self.choice()?;
                self.expect("]", "`]`")?;
                self.brackets -= 1;
                let span = (tree.offset, self.last_end());
                tree = node(span, Node::Index(Box::new(tree), Box::new(index)));
            } else {
                return Ok(tree);
            }
        }
    }

    /// The rest of `list.all(name, body)`, after its opening bracket.
    fn over(&mut self, list: Tree, called: &str, after: u32) -> Parsed {
        let fold = match called {
            "all" => Fold::All,
            "exists" => Fold::Exists,
            "filter" => Fold::Filter,
            "map" => Fold::Map,
            _ => {
                let length = to_u32(called.chars().count());
                return Err(unknown_function(called, after - length, length));
            }
        };
        self.open()?;
        let (name, _) = self.name("a name for the element at hand")?;
        self.expect(",", "`,` and what is asked of each element")?;
        let body = self.choice()?;
        self.expect(")", "`)`")?;
        self.brackets -= 1;
        let span = (list.offset, self.last_end());
        Ok(node(span, Node::Over { fold, list: Box::new(list), name, body: Box::new(body) }))
    }

    fn primary(&mut self) -> Parsed {
        const WANTED: &str = "a name, a value or `(`";
        let start = self.here();
        let Some(spot) = self.tokens.get(self.next) else { return Err(self.wrong(WANTED)) };
        let end = spot.offset + spot.length;
        let simple = |node_kind| node((start, end), node_kind);
        match spot.token.clone() {
            Token::Word(word) => {
                self.next += 1;
                Ok(simple(Node::Word(word)))
            }
            Token::Quantity(literal) => {
                self.next += 1;
                Ok(simple(Node::Quantity(literal)))
            }
            Token::Name(name) => {
                self.next += 1;
                match name.as_str() {
                    "true" => Ok(simple(Node::Bool(true))),
                    "false" => Ok(simple(Node::Bool(false))),
                    "null" => Ok(simple(Node::Null)),
                    _ if self.take("(") => self.call(&name, start, end),
                    _ => Ok(simple(Node::Name(name))),
                }
            }
            Token::Mark("(") => {
                self.next += 1;
                self.open()?;
                let inner = self.choice()?;
                self.expect(")", "`)`")?;
                self.brackets -= 1;
                Ok(inner)
            }
            Token::Mark("[") => {
                self.next += 1;
                let items = self.items("]")?;
                Ok(node((start, self.last_end()), Node::List(items)))
            }
            Token::Mark("{") => Err(Wrong {
                offset: start,
                length: 1,
                code: Code::ExprLiteral,
                message: "conditions have no maps".to_owned(),
                cure: "write a list, as ['primary', 'replica']".to_owned(),
            }),
            Token::Mark(_) => Err(self.wrong(WANTED)),
        }
    }

    fn call(&mut self, name: &str, start: u32, end: u32) -> Parsed {
        let Some((function, _, form)) = Function::ALL.iter().find(|(_, known, _)| *known == name) else {
            return Err(unknown_function(name, start, end - start));
        };
        let arguments = self.items(")")?;
        if arguments.len() != function.arguments() {
            return Err(Wrong {
                offset: start,
                length: end - start,
                code: Code::ExprFunction,
                message: format!(
                    "`{name}` takes {} argument{}, not {}",
                    function.arguments(),
                    if function.arguments() == 1 { "" } else { "s" },
                    arguments.len()
                ),
                cure: format!("write {form}"),
            });
        }
        Ok(node((start, self.last_end()), Node::Call(*function, arguments)))
    }

    /// Expressions between commas up to the closing mark, whose opening one has been read.
    fn items(&mut self, close: &'static str) -> Result<Vec<Tree>, Wrong> {
        self.open()?;
        let mut items = Vec::new();
        if !self.take(close) {
            loop {
                items.push(self.choice()?);
                if self.take(close) {
                    break;
                }
                self.expect(",", &format!("`,` or `{close}`"))?;
            }
        }
        self.brackets -= 1;
        Ok(items)
    }

    fn open(&mut self) -> Result<(), Wrong> {
        self.brackets += 1;
        if self.brackets <= MAX_BRACKETS {
            return Ok(());
        }
        Err(Wrong {
            offset: self.here().saturating_sub(1),
            length: 1,
            code: Code::ExprTooLong,
            message: "more than 8 levels of brackets".to_owned(),
            cure: "give a part of it a name under `let` or `checks`".to_owned(),
        })
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = match self.tokens.get(self.next).map(|spot| &spot.token) {
            Some(Token::Mark(text)) => *text == mark,
            Some(Token::Name(name)) => mark == "in" && name == "in",
            _ => false,
        };
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str, wanted: &str) -> Result<(), Wrong> {
        if self.take(mark) { Ok(()) } else { Err(self.wrong(wanted)) }
    }

    /// A name, and the position behind it.
    fn name(&mut self, wanted: &str) -> Result<(String, u32), Wrong> {
        match self.tokens.get(self.next) {
            Some(Spot { token: Token::Name(name), offset, length }) => {
                let found = (name.clone(), offset + length);
                self.next += 1;
                Ok(found)
            }
            _ => Err(self.wrong(wanted)),
        }
    }

    fn here(&self) -> u32 {
        self.tokens.get(self.next).map_or(self.end, |spot| spot.offset)
    }

    fn last_end(&self) -> u32 {
        self.tokens.get(self.next.saturating_sub(1)).map_or(self.end, |spot| spot.offset + spot.length)
    }

    fn name_at(&self, index: usize) -> Option<&str> {
        match &self.tokens.get(index)?.token {
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    fn wrong(&self, wanted: &str) -> Wrong {
        let (offset, length, found) = match self.tokens.get(self.next) {
            None => (self.end, 1, "the end".to_owned()),
            Some(spot) => (
                spot.offset,
                spot.length,
                match &spot.token {
                    Token::Name(name) => format!("`{name}`"),
                    Token::Word(word) => format!("'{word}'"),
                    Token::Quantity(_) => "a number".to_owned(),
                    Token::Mark(mark) => format!("`{mark}`"),
                },
            ),
        };
        let message = format!("{found} stands where {wanted} belongs");
        let cure = match (self.name_at(self.next), self.next.checked_sub(1).and_then(|at| self.name_at(at))) {
            (Some("and"), _) => "write `&&`",
            (Some("or"), _) => "write `||`",
            (_, Some("not")) => "write `… == false`",
            _ => FORM_CURE,
        };
        Wrong { offset, length, code: Code::ExprSyntax, message, cure: cure.to_owned() }
    }
}

fn unknown_function(name: &str, offset: u32, length: u32) -> Wrong {
    if matches!(name, "len" | "length" | "size") {
        let message = format!("there is no function `{name}`");
        return Wrong {
            offset,
            length,
            code: Code::ExprFunction,
            message,
            cure: "write count(list)".to_owned(),
        };
    }
    let forms: Vec<_> = Function::ALL.iter().map(|(_, _, form)| *form).collect();
    let nearest = nearest_or_all(name, Function::ALL.map(|(_, known, _)| known));
    let cure = if nearest.starts_with("nearest") {
        nearest
    } else {
        format!("there are {}, and list.all, .exists, .filter, .map", forms.join(", "))
    };
    let message = format!("there is no function `{name}`");
    Wrong { offset, length, code: Code::ExprFunction, message, cure }
}

fn tokens(chars: &[char]) -> Result<Vec<Spot>, Wrong> {
    let mut spots = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c == ' ' {
            at += 1;
            continue;
        }
        let rest = &chars[at..];
        let (token, length) = if c.is_ascii_alphabetic() || c == '_' {
            name_or_prefix(rest, at)?
        } else if c.is_ascii_digit() {
            quantity(rest, at)?
        } else if c == '\'' {
            word(rest, at)?
        } else if let Some(mark) =
            MARKS.iter().find(|mark| rest.starts_with(&mark.chars().collect::<Vec<_>>()))
        {
            (Token::Mark(mark), mark.len())
        } else {
            let (message, cure) = match c {
                '"' => ("a word stands in single quotes", "write 'word'"),
                '=' => ("`=` alone compares nothing", "write `==`"),
                '&' => ("`&` alone joins nothing", "write `&&`"),
                '|' => ("`|` alone joins nothing", "write `||`"),
                '%' => ("`%` stands right behind a number, as in 25%", "there is no remainder"),
                _ => ("this character means nothing here", FORM_CURE),
            };
            return Err(at_char(at, 1, Code::ExprSyntax, message, cure));
        };
        spots.push(Spot { token, offset: to_u32(at), length: to_u32(length) });
        at += length;
    }
    Ok(spots)
}

fn name_or_prefix(rest: &[char], at: usize) -> Result<(Token, usize), Wrong> {
    let length = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').count();
    let name: String = rest[..length].iter().collect();
    if matches!(rest.get(length), Some('\'' | '"')) {
        let message = "conditions have no bytes or raw strings";
        return Err(at_char(at, length + 1, Code::ExprLiteral, message, "write 'word'"));
    }
    Ok((Token::Name(name), length))
}

fn quantity(rest: &[char], at: usize) -> Result<(Token, usize), Wrong> {
    let mut length = 0;
    while let Some(c) = rest.get(length) {
        let decimal_point = *c == '.' && rest.get(length + 1).is_some_and(char::is_ascii_digit);
        if !(c.is_ascii_alphanumeric() || *c == '_' || decimal_point) {
            break;
        }
        length += 1;
    }
    length += usize::from(rest.get(length) == Some(&'%'));
    let text: String = rest[..length].iter().collect();
    match read_literal(&text) {
        Ok(literal) => Ok((Token::Quantity(literal), length)),
        Err(_) if text.strip_suffix(['u', 'U']).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) => {
            Err(at_char(
                at,
                length,
                Code::ExprLiteral,
                "conditions have no unsigned numbers",
                "leave out the `u`",
            ))
        }
        Err(NotALiteral::Unit) => Err(at_char(
            at,
            length,
            Code::LiteralUnit,
            &format!("`{text}` has no unit that we know"),
            &units_cure(&text),
        )),
        Err(NotALiteral::Form) => Err(at_char(
            at,
            length,
            Code::NumberForm,
            &format!("`{text}` is not a number as we write it"),
            NUMBER_CURE,
        )),
    }
}

fn word(rest: &[char], at: usize) -> Result<(Token, usize), Wrong> {
    match rest[1..].iter().position(|c| *c == '\'') {
        Some(end) => {
            let word: String = rest[1..=end].iter().collect();
            if word.contains('\\') {
                let cure = "a word stands as it is between single quotes";
                return Err(at_char(at, end + 2, Code::ExprSyntax, "`\\` has no meaning in a word", cure));
            }
            Ok((Token::Word(word), end + 2))
        }
        None => {
            Err(at_char(at, rest.len(), Code::ExprSyntax, "the word has no closing quote", "write 'word'"))
        }
    }
}

fn at_char(at: usize, length: usize, code: Code, message: &str, cure: &str) -> Wrong {
    Wrong {
        offset: to_u32(at),
        length: to_u32(length),
        code,
        message: message.to_owned(),
        cure: cure.to_owned(),
    }
}

fn node((start, end): (u32, u32), node: Node) -> Tree {
    Tree { offset: start, length: end - start, node }
}

fn end_of(tree: &Tree) -> u32 {
    tree.offset + tree.length
}

/// Expressions have at most 500 characters, so that every position fits.
fn to_u32(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::source::place::{FileName, Span};

    fn read(source: &str) -> Result<String, String> {
        let place = Place { file: FileName::new("x"), span: Span::on_line(1, 1, 1) };
        let mut problems = Problems::default();
        let expr = parse(source, &place, &mut problems);
        match problems.sorted().first() {
            None => Ok(print(&expr.root)),
            Some(problem) => {
                Err(format!("{} {} {}", problem.place.span.column, problem.code.as_str(), problem.message))
            }
        }
    }

    /// The tree with every bracket written out.
    fn print(tree: &Tree) -> String {
        let list = |items: &[Tree]| items.iter().map(print).collect::<Vec<_>>().join(" ");
        match &tree.node {
            Node::Broken => "broken".into(),
            Node::Null => "null".into(),
            Node::Bool(b) => b.to_string(),
            Node::Quantity(q) => format!("{q:?}"),
            Node::Word(w) => format!("'{w}'"),
            Node::Name(n) => n.clone(),
            Node::Field(a, f) => format!("{}.{f}", print(a)),
            Node::Index(a, i) => format!("{}[{}]", print(a), print(i)),
            Node::List(items) => format!("[{}]", list(items)),
            Node::Not(a) => format!("(! {})", print(a)),
            Node::Minus(a) => format!("(- {})", print(a)),
            Node::Binary(o, a, b) => format!("({} {} {})", o.as_str(), print(a), print(b)),
            Node::If(a, b, c) => format!("(if {} {} {})", print(a), print(b), print(c)),
            Node::Call(f, a) => format!("({f:?} {})", list(a)),
            Node::Over { fold, list, name, body } => {
                format!("({fold:?} {} {name} {})", print(list), print(body))
            }
        }
    }

    #[test]
    fn operators_bind_as_in_cel() {
        assert_eq!(read("a || b && c == d + e * f").unwrap(), "(|| a (&& b (== c (+ d (* e f)))))");
        assert_eq!(read("a - b - c").unwrap(), "(- (- a b) c)");
        assert_eq!(read("!a.b[c].d == false").unwrap(), "(== (! a.b[c].d) false)");
        assert_eq!(read("a ? b : c ? d : e").unwrap(), "(if a b (if c d e))");
        assert_eq!(read("x in [a, b]").unwrap(), "(in x [a b])");
        assert_eq!(read("hs.all(h, node[h].up)").unwrap(), "(All hs h node[h].up)");
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let cases = [
            ("a = b", "3 expr-syntax `=` alone compares nothing"),
            ("a == \"b\"", "6 expr-syntax a word stands in single quotes"),
            ("a <= 16MB", "6 literal-unit `16MB` has no unit that we know"),
            ("a <= 0x1F", "6 number-form `0x1F` is not a number as we write it"),
            ("a == b'x'", "6 expr-literal conditions have no bytes or raw strings"),
            ("a == 3u", "6 expr-literal conditions have no unsigned numbers"),
            ("{'a': 1}", "1 expr-literal conditions have no maps"),
            ("{{a}} == b", "1 expr-template this is an expression: names stand bare"),
            ("size(a) > 1", "1 expr-function there is no function `size`"),
            ("a.startsWith(b)", "3 expr-function there is no function `startsWith`"),
            ("count(a, b)", "1 expr-function `count` takes 1 argument, not 2"),
            ("a &&", "5 expr-syntax the end stands where a name, a value or `(` belongs"),
            ("a b", "3 expr-syntax `b` stands where an operator such as `==`, `&&` or `+` belongs"),
        ];
        for (source, expected) in cases {
            assert_eq!(read(source), Err(expected.to_owned()), "{source}");
        }
    }

    #[test]
    fn brackets_and_length_have_a_limit() {
        let deep = format!("{}a{}", "(".repeat(9), ")".repeat(9));
        let long = format!("a{}", " && a".repeat(100));
        let dashes = format!("{}a", "-".repeat(400));

        assert!(read(&deep).unwrap_err().contains("expr-too-long"));
        assert!(read(&long).unwrap_err().contains("expr-too-long"));
        assert!(read(&dashes).is_ok(), "signs do not nest");
        assert!(read(&format!("{}a{}", "(".repeat(8), ")".repeat(8))).is_ok());
    }
}
