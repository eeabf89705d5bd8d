//! Reads one YAML file into a tree in which every key and value knows its place.
//!
//! YAML is read strictly: duplicate keys, anchors, aliases, tags, merge keys, tabs and second documents are problems,
//! and so are files of more than 256 KiB or 24 levels. No scalar is converted here: `yes`, `0644` and `16MiB` stay the
//! texts that the author wrote, together with whether they were quoted. What a text means is said by the key it
//! belongs to (see the grammar).

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Span as YamlSpan, StructureStyle, options};

use super::hidden::find_hidden;
use super::place::{FileName, Place, Span};
use super::problem::{Code, Problems};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 256 * 1024;
/// The deepest nesting that is read.
const MAX_DEPTH: usize = 24;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a block, with `|` or `>`.
    Block,
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands. Of a quoted scalar the place of its first character inside the quotes; of a block scalar
    /// that of its first content line.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A text of any kind; empty plain scalars are `Empty`.
    Scalar(String, Style),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
    /// Nothing was written.
    Empty,
}

/// One `key: value` of a map.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The kind in words, for "a map where a list belongs".
    pub const fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Scalar(_, Style::Block) => "a block of text",
            Kind::Scalar(..) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Empty => "nothing",
        }
    }

    /// The text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key of a map with its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}

/// Reads a file. `None` means that nothing can be said about its content; the problems say why.
pub fn read_yaml(file: &FileName, source: &str, problems: &mut Problems) -> Option<Node> {
    if source.len() > MAX_FILE_BYTES {
        let place = Place { file: file.clone(), span: Span::on_line(1, 1, 1) };
        let message = "the file has more than 256 KiB";
        problems.add(Code::FileSize, &place, message, "split it; scripts belong into packs");
        return None;
    }
    let before = problems.count();
    note_hidden(file, source, problems);
    if problems.count() > before {
        // What stands there may read differently from what it is: it is not interpreted.
        return None;
    }
    Builder { file, source, problems }.build()
}

/// So many hidden characters of a file are named; more would tell an author nothing more.
const MAX_NAMED: usize = 20;

fn note_hidden(file: &FileName, source: &str, problems: &mut Problems) {
    let (mut named, mut has_returns) = (0, false);
    for (index, line) in source.split('\n').enumerate() {
        let at = |offset: usize, length: usize| Place {
            file: file.clone(),
            span: Span::on_line(to_u32(index + 1), to_u32(offset + 1), to_u32(length)),
        };
        if let Some(offset) = line.chars().position(|c| c == char::REPLACEMENT_CHARACTER) {
            let message = "a byte that is not UTF-8, or a U+FFFD that stands for one";
            problems.add(Code::Yaml, &at(offset, 1), message, "save the file as UTF-8");
            named += 1;
        }
        // Whoever ends one line the other way ends them all so: that is one slip.
        let ended = line.strip_suffix('\r');
        if ended.is_some() && !has_returns {
            has_returns = true;
            let message = "lines end in U+000D and a line feed";
            let cure = "end lines with a line feed alone";
            problems.add(Code::HiddenCharacter, &at(line.chars().count() - 1, 1), message, cure);
        }
        for hidden in find_hidden(ended.unwrap_or(line)) {
            let cure = match hidden.what.as_str() {
                "a tab" => "use spaces",
                what if what.starts_with("U+FEFF") && index == 0 => "save the file without a byte order mark",
                _ => "remove it, or write the word anew",
            };
            problems.add(Code::HiddenCharacter, &at(hidden.offset, hidden.length), hidden.what, cure);
            named += 1;
        }
        if named >= MAX_NAMED {
            return;
        }
    }
}

struct Builder<'a> {
    file: &'a FileName,
    source: &'a str,
    problems: &'a mut Problems,
}

/// A list or map that is being read.
enum Open {
    List(Span, Vec<Node>),
    Map { span: Span, entries: Vec<Entry>, seen: BTreeMap<String, Span>, key: Option<(String, Span)> },
}

impl Builder<'_> {
    fn build(mut self) -> Option<Node> {
        let options = options! {
            emit_comments: false,
            emit_unresolved_aliases: true,
            block_nesting_limit: 64,
            flow_nesting_limit: 64,
        };
        let before = self.problems.count();
        let mut stack: Vec<Open> = Vec::new();
        let mut root = None;
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.source, options) {
            let (event, yaml_span) = match event {
                Ok(next) => next,
                Err(error) => {
                    self.syntax(&error);
                    return None;
                }
            };
            let span = span_of(&yaml_span);
            self.note_anchor_or_tag(&event, span);
            let done = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents == 2 {
                        self.add(
                            Code::Yaml,
                            span,
                            "a second document begins here",
                            "one file holds one document",
                        );
                        return None;
                    }
                    None
                }
                Event::Scalar(text, style, ..) => {
                    self.note_escapes(&text, style, span);
                    Some(self.scalar_node(text.into_owned(), style, &yaml_span))
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) => {
                    let cure = "write the value out; where `*` belongs to the text, put it in double quotes";
                    self.add(Code::Yaml, span, "an alias (`*`) hides what it stands for", cure);
                    Some(Node { span, kind: Kind::Empty })
                }
                Event::SequenceStart(..) => {
                    stack.push(Open::List(span, Vec::new()));
                    None
                }
                Event::MappingStart(style, ..) => {
                    self.note_brace_key(&stack, style, span);
                    stack.push(Open::Map { span, entries: Vec::new(), seen: BTreeMap::new(), key: None });
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => stack.pop().map(|open| close(open, span)),
                _ => None,
            };
            if stack.len() > MAX_DEPTH {
                self.add(Code::FileSize, span, "more than 24 levels", "name the inner part and refer to it");
                return None;
            }
            if let Some(node) = done {
                self.put(&mut stack, node, &mut root);
            }
        }
        if self.problems.count() > before {
            return None;
        }
        root
    }

    /// Hands a finished node to the list or map around it.
    fn put(&mut self, stack: &mut [Open], node: Node, root: &mut Option<Node>) {
        match stack.last_mut() {
            None => *root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { entries, seen, key, .. }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
                None => match node.kind {
                    Kind::Scalar(text, style) => {
                        if text == "<<" && style == Style::Plain {
                            let cure = "write the keys out; a reviewer must see them";
                            self.add(Code::Yaml, node.span, "a merge key (`<<`)", cure);
                        } else if let Some(first) = seen.insert(text.clone(), node.span) {
                            let message = format!("`{text}` stands twice, first on line {}", first.line);
                            self.add(Code::Yaml, node.span, message, "remove one of them");
                        }
                        *key = Some((text, node.span));
                    }
                    Kind::Empty => *key = Some((String::new(), node.span)),
                    // `{{` has been noted where it began.
                    _ if self.noted_on(node.span.line) => *key = Some((String::new(), node.span)),
                    _ => {
                        let cure = "a value that begins with `{{` or `[` stands in double quotes";
                        self.add(Code::Yaml, node.span, "a key that is a list or a map", cure);
                        *key = Some((String::new(), node.span));
                    }
                },
            },
        }
    }

    fn scalar_node(&self, text: String, style: ScalarStyle, yaml_span: &YamlSpan) -> Node {
        let span = span_of(yaml_span);
        let (style, span) = match style {
            ScalarStyle::Plain => (Style::Plain, span),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let end_column = span.end_column.saturating_sub(1).max(1);
                (Style::Quoted, Span { column: span.column + 1, end_column, ..span })
            }
            ScalarStyle::Literal | ScalarStyle::Folded => (Style::Block, self.first_content_line(span)),
        };
        // The parser gives `~` where nothing was written.
        let is_empty = style == Style::Plain && (text.is_empty() || text == "~");
        let kind = if is_empty { Kind::Empty } else { Kind::Scalar(text, style) };
        Node { span, kind }
    }

    /// The place of a block scalar is its first content line: there an editor should open.
    fn first_content_line(&self, span: Span) -> Span {
        let below = self.source.split('\n').enumerate().skip(span.line.saturating_sub(1) as usize);
        for (index, line) in below {
            let indent = line.chars().take_while(|c| *c == ' ').count();
            let length = line.chars().count() - indent;
            if length > 0 {
                return Span::on_line(to_u32(index + 1), to_u32(indent + 1), to_u32(length));
            }
        }
        span
    }

    /// `"\u202e"` is seen by a reviewer, and hidden from all who read the plan.
    fn note_escapes(&mut self, text: &str, style: ScalarStyle, span: Span) {
        if style == ScalarStyle::DoubleQuoted
            && let Some(hidden) = find_hidden(text).first()
        {
            let message = format!("an escape writes what is not seen: {}", hidden.what);
            self.add(Code::HiddenCharacter, span, message, "leave it out; a script can print it");
        }
    }

    fn note_anchor_or_tag(&mut self, event: &Event<'_>, span: Span) {
        let (anchor, tag) = match event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => (*anchor, tag.is_some()),
            _ => return,
        };
        if anchor != 0 {
            let cure = "remove it; where `&` belongs to the text, put it in double quotes";
            self.add(Code::Yaml, self.back_to('&', span), "an anchor (`&`)", cure);
        }
        if tag {
            let cure =
                "remove it; where `!` belongs to the value, put it in double quotes, or write `== false`";
            self.add(Code::Yaml, self.back_to('!', span), "a tag (`!`)", cure);
        }
    }

    /// The place of a mark that stands before a value, on its line or the one above.
    fn back_to(&self, mark: char, value: Span) -> Span {
        let before = |line: u32, until: usize| {
            let text = self.source.split('\n').nth((line as usize).checked_sub(1)?)?;
            text.chars().take(until).enumerate().filter(|(_, c)| *c == mark).last().map(|(at, _)| at)
        };
        let here = before(value.line, value.column as usize).map(|at| (value.line, at));
        let above = || before(value.line - 1, usize::MAX).map(|at| (value.line - 1, at));
        here.or_else(above).map_or(value, |(line, at)| Span::on_line(line, to_u32(at + 1), 1))
    }

    /// `title: {{name}}` without quotes is a map whose key is a map: say so in our words.
    fn note_brace_key(&mut self, stack: &[Open], style: StructureStyle, span: Span) {
        let inside_flow_map = matches!(stack.last(), Some(Open::Map { key: None, .. }));
        if inside_flow_map && style == StructureStyle::Flow {
            let cure = "a value that begins with `{{` stands in double quotes";
            self.add(Code::Yaml, span, "`{{` begins a map here", cure);
        }
    }

    /// Whether something is wrong with this line already: what follows from it is not said besides.
    fn noted_on(&self, line: u32) -> bool {
        self.problems.any_on(self.file, line)
    }

    fn syntax(&mut self, error: &granit_parser::ScanError) {
        let marker = error.marker();
        if self.noted_on(to_u32(marker.line())) {
            return;
        }
        let span = Span::on_line(to_u32(marker.line()), to_u32(marker.col() + 1), 1);
        let line = self.source.split('\n').nth(marker.line().saturating_sub(1)).unwrap_or("");
        let mark = line.chars().nth(marker.col());
        let cure = if mark == Some('!') {
            "a value that begins with `!` stands in double quotes; or write `… == false`"
        } else if matches!(mark, Some('&' | '*' | '@' | '`' | '%')) {
            "a value that begins with this sign stands in double quotes"
        } else if line.contains("{{") {
            "a value that begins with `{{`, or holds `: ` or ` #`, stands in double quotes"
        } else if line.contains('[') {
            "a value with `[` or `,` stands in double quotes, or on a line of its own"
        } else if line.contains(": ") && line.matches(": ").count() > 1 {
            "a value that holds `: ` stands in double quotes"
        } else {
            "look at the indentation and the quotes of this line and the one above"
        };
        self.add(Code::Yaml, span, format!("this is not YAML: {}", error.info()), cure);
    }

    fn add(&mut self, code: Code, span: Span, message: impl Into<String>, cure: &str) {
        self.problems.add(code, &Place { file: self.file.clone(), span }, message, cure);
    }
}

fn close(open: Open, end: Span) -> Node {
    let whole = |start: Span| Span { end_line: end.end_line, end_column: end.end_column, ..start };
    match open {
        Open::List(span, items) => Node { span: whole(span), kind: Kind::List(items) },
        Open::Map { span, entries, .. } => Node { span: whole(span), kind: Kind::Map(entries) },
    }
}

fn span_of(span: &YamlSpan) -> Span {
    Span {
        line: to_u32(span.start.line()),
        column: to_u32(span.start.col() + 1),
        end_line: to_u32(span.end.line()),
        end_column: to_u32(span.end.col() + 1),
    }
}

/// Files have at most 256 KiB, so that every position fits.
fn to_u32(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> (Option<Node>, Vec<String>) {
        let mut problems = Problems::default();
        let node = read_yaml(&FileName::new("x.yaml"), source, &mut problems);
        let said = problems
            .sorted()
            .into_iter()
            .map(|p| {
                format!("{}:{} {} {}", p.place.span.line, p.place.span.column, p.code.as_str(), p.message)
            })
            .collect();
        (node, said)
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let (node, said) = read("a: 1\nb:\n  - 'x y'\n  - { c: 0644 }\ns: |\n  one\n  two\n");

        assert_eq!(said, [""; 0]);
        let node = node.unwrap();
        assert_eq!(node.get("a").unwrap().span, Span::on_line(1, 4, 1));
        assert_eq!(node.entry("b").unwrap().key_span, Span::on_line(2, 1, 1));
        let Kind::List(items) = &node.get("b").unwrap().kind else { panic!("a list") };
        assert_eq!(items[0].span, Span::on_line(3, 6, 3));
        assert_eq!(items[1].get("c").unwrap().scalar(), Some("0644"));
        assert_eq!(node.get("s").unwrap().span, Span::on_line(6, 3, 3));
        assert_eq!(node.get("s").unwrap().scalar(), Some("one\ntwo\n"));
    }

    #[test]
    fn a_value_that_was_not_written_is_nothing() {
        let (node, said) = read("a:\nb: ~\nc: ''\nd: { e, f: }\n");

        assert_eq!(said, [""; 0]);
        let node = node.unwrap();
        let d = node.get("d").unwrap();
        for empty in [node.get("a"), node.get("b"), d.get("e"), d.get("f")] {
            assert!(matches!(empty.unwrap().kind, Kind::Empty), "{empty:?}");
        }
        assert_eq!(node.get("c").unwrap().scalar(), Some(""));
    }

    #[test]
    fn what_a_reviewer_could_overlook_is_refused() {
        let cases = [
            ("a: 1\na: 2\n", "2:1 yaml `a` stands twice, first on line 1"),
            ("a: &x 1\n", "1:4 yaml an anchor (`&`)"),
            ("a: &x\n  b: 1\n", "1:4 yaml an anchor (`&`)"),
            ("a: *x\n", "1:4 yaml an alias (`*`) hides what it stands for"),
            ("a: !str 1\n", "1:4 yaml a tag (`!`)"),
            ("<<: { a: 1 }\n", "1:1 yaml a merge key (`<<`)"),
            ("a: 1\n---\nb: 1\n", "2:1 yaml a second document begins here"),
            ("a: {{x}}\n", "1:5 yaml `{{` begins a map here"),
            ("a:\tb\n", "1:3 hidden-character a tab"),
            ("a: x\u{202e}y\n", "1:5 hidden-character U+202E cannot be seen"),
        ];
        for (source, expected) in cases {
            let (node, said) = read(source);
            assert!(node.is_none(), "{source:?}");
            assert!(said.iter().any(|line| line.starts_with(expected)), "{source:?}: {said:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_goes_off() {
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let wide = format!("a: {}", "x".repeat(MAX_FILE_BYTES));
        let laughs = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n";

        for source in [deep.as_str(), wide.as_str(), laughs, "a: &a [*a]"] {
            let (node, said) = read(source);
            assert!(node.is_none());
            assert!(!said.is_empty());
        }
    }
}
