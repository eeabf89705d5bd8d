//! Texts with references: `Promote {{candidate}}`.
//!
//! Only dotted names stand between double braces. Everything else that Handlebars knows (calls, blocks, partials,
//! comments, raw output) is refused, so that a text is rendered in one pass over typed values and nothing in it can
//! act. The plain form is read here, at the speed of a scan; whatever looks otherwise is handed to Handlebars itself,
//! to say what it is.

use std::sync::Arc;

use handlebars::template::{Template, TemplateElement};

use super::expression::parse::dotted_name;
use super::expression::tree::{Expr, Tree};
use super::source::place::{Place, Span};
use super::source::problem::{Code, Problems};

/// The longest text, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// A text and its references.
#[derive(Debug, Clone)]
pub struct Text {
    /// As the author wrote it.
    pub source: Arc<str>,
    /// In order.
    pub parts: Vec<Part>,
    /// Where it stands.
    pub place: Place,
}

/// A part of a text.
#[derive(Debug, Clone)]
pub enum Part {
    /// Printed as it is.
    Raw(String),
    /// A dotted name whose value is printed. Its offset counts characters from the start of the text.
    Reference(Tree),
}

impl Text {
    /// The references, each as an expression of its own.
    pub fn references(&self) -> impl Iterator<Item = Expr> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Reference(tree) => {
                Some(Expr { source: self.source.clone(), root: tree.clone(), place: self.place.clone() })
            }
            Part::Raw(_) => None,
        })
    }

    /// The one reference that is the whole text, if it is one.
    pub fn lone_reference(&self) -> Option<Expr> {
        match self.parts.as_slice() {
            [Part::Reference(_)] => self.references().next(),
            _ => None,
        }
    }

    /// The text without references, if it has none.
    pub fn literal(&self) -> Option<&str> {
        self.parts.iter().all(|part| matches!(part, Part::Raw(_))).then_some(&*self.source)
    }

    /// Prints the text in one pass; `print` says what stands for each reference.
    pub fn render<E>(&self, mut print: impl FnMut(&Tree) -> Result<String, E>) -> Result<String, E> {
        let mut out = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Raw(raw) => out.push_str(raw),
                Part::Reference(tree) => out.push_str(&print(tree)?),
            }
        }
        Ok(out)
    }
}

/// Reads a text that stands at `place`.
pub fn read_text(source: &str, place: &Place, problems: &mut Problems) -> Text {
    let text = |parts| Text { source: source.into(), parts, place: place.clone() };
    if source.len() > MAX_BYTES {
        let message = format!("a text of {} KiB", source.len() / 1024);
        problems.add(
            Code::TextTemplate,
            place,
            message,
            "a text has at most 16 KiB; put long scripts into a pack",
        );
        return text(Vec::new());
    }
    match parts(source) {
        Ok(parts) => text(parts),
        Err(odd) => {
            let (message, cure) = diagnose(source);
            problems.add(Code::TextTemplate, &place_in(source, odd, place), message, cure);
            text(Vec::new())
        }
    }
}

/// Where a text that stands at `place` holds its first reference, or something that looks like one.
pub fn first_reference(source: &str, place: &Place) -> Option<Place> {
    source.find("{{").map(|at| place_in(source, at, place))
}

/// The place of two braces of a text. The lines of a block begin in the column of its first one.
fn place_in(source: &str, at: usize, place: &Place) -> Place {
    let before = &source[..at];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    // The place of a block is that of its first line with content.
    let blank = source.split('\n').take_while(|line| line.trim().is_empty()).count();
    let below = before.matches('\n').count().saturating_sub(blank);
    let characters = source[line_start..at].chars().count();
    let span = Span::on_line(place.span.line + count(below), place.span.column + count(characters), 2);
    Place { file: place.file.clone(), span }
}

/// The parts of a text, or the byte position of what is no plain reference.
fn parts(source: &str) -> Result<Vec<Part>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find("{{").map(|open| at + open) {
        let inside = &source[open + 2..];
        let Some(length) = inside.find("}}") else { return Err(open) };
        let name = inside[..length].trim_matches(' ');
        let escaped = source[..open].ends_with('\\');
        let triple = inside[length + 2..].starts_with('}');
        if escaped || triple || !is_dotted_name(name) {
            return Err(open);
        }
        if open > at {
            found.push(Part::Raw(source[at..open].to_owned()));
        }
        let spaces = inside[..length].len() - inside[..length].trim_start_matches(' ').len();
        let characters = source[..open + 2 + spaces].chars().count();
        found.push(Part::Reference(dotted_name(name, u32::try_from(characters).unwrap_or(0))));
        at = open + 2 + length + 2;
    }
    if at < source.len() {
        found.push(Part::Raw(source[at..].to_owned()));
    }
    Ok(found)
}

fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(|part| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

/// Says what a text is that is more than text and plain references.
fn diagnose(source: &str) -> (String, &'static str) {
    const CURE: &str = "only dotted names stand between braces: {{candidate.address}}";
    if source.contains("\\{{") {
        return ("`\\{{` writes braces, which texts do not have".to_owned(), CURE);
    }
    let template = match Template::compile(source) {
        Ok(template) => template,
        Err(error) => return (format!("this is not a text with references: {}", error.reason()), CURE),
    };
    let what = template.elements.iter().find_map(|element| match element {
        TemplateElement::HtmlExpression(_) => Some("raw output (`{{{ }}}`)"),
        TemplateElement::HelperBlock(_) => Some("a block (`{{#…}}`)"),
        TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => Some("a decorator"),
        TemplateElement::PartialExpression(_) | TemplateElement::PartialBlock(_) => {
            Some("a partial (`{{> …}}`)")
        }
        TemplateElement::Comment(_) => Some("a comment (`{{! …}}`)"),
        _ => None,
    });
    let indexed =
        source.split("{{").skip(1).any(|rest| rest.split("}}").next().is_some_and(|name| name.contains('[')));
    let cure = if indexed { "give it a name under `let`, and write that between the braces" } else { CURE };
    (format!("{} in a text", what.unwrap_or("more than a dotted name")), cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::expression::tree::Node;
    use crate::runbook::source::place::FileName;

    fn read(source: &str) -> (Text, Vec<String>) {
        let place = Place { file: FileName::new("x"), span: Span::on_line(1, 1, 1) };
        let mut problems = Problems::default();
        let text = read_text(source, &place, &mut problems);
        (
            text,
            problems.sorted().into_iter().map(|p| format!("{} {}", p.place.span.column, p.message)).collect(),
        )
    }

    #[test]
    fn references_are_printed_in_one_pass() {
        let (text, problems) = read("Fail over {{cluster}} to {{ candidate.name }}!");

        assert_eq!(problems, [""; 0]);
        let printed = text.render(|tree| Ok::<_, ()>(format!("<{{{{{}}}}}>", tree.length)));
        assert_eq!(printed.unwrap(), "Fail over <{{7}}> to <{{14}}>!");
    }

    #[test]
    fn everything_but_a_dotted_name_is_refused_by_what_it_is() {
        let cases = [
            ("a {{#if x}}y{{/if}}", "3 a block (`{{#…}}`) in a text"),
            ("{{{x}}}", "1 raw output (`{{{ }}}`) in a text"),
            ("{{> x}}", "1 a partial (`{{> …}}`) in a text"),
            ("{{! x}}", "1 a comment (`{{! …}}`) in a text"),
            ("{{lookup x y}}", "1 more than a dotted name in a text"),
            ("{{x", "1 this is not a text with references"),
            ("{{}}", "1 this is not a text with references"),
            ("\\{{x}}", "2 `\\{{` writes braces, which texts do not have"),
            ("{{../x}}", "1 more than a dotted name in a text"),
        ];
        for (source, expected) in cases {
            let (_, problems) = read(source);
            assert!(problems.first().is_some_and(|p| p.starts_with(expected)), "{source}: {problems:?}");
        }
    }

    #[test]
    fn what_is_accepted_prints_as_handlebars_prints_it() {
        let mut engine = handlebars::Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(handlebars::no_escape);
        let data = serde_json::json!({ "a": { "b": "1<2" }, "c": "x {{a}}" });
        for source in ["", "plain", "{{c}}", "{{a.b}}{{c}} }} { {{ a.b }}", "$ {a} 'q' \"q\"\n{{c}}\n"] {
            let (text, problems) = read(source);

            assert_eq!(problems, [""; 0], "{source}");
            let ours = text.render(|tree| match &tree.node {
                Node::Name(_) => Ok::<_, ()>("x {{a}}".to_owned()),
                _ => Ok("1<2".to_owned()),
            });
            assert_eq!(ours.unwrap(), engine.render_template(source, &data).unwrap(), "{source}");
        }
    }
}
