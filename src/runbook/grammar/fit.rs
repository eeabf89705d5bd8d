//! Holds a file against the table: unknown and missing keys, wrong forms, wrong words. All of them at once.

use super::form::{Form, Shape};
use super::table::VALUE_TYPES;
use crate::runbook::source::literal::{Literal, Millis, NUMBER_CURE, NotALiteral, read_literal, units_cure};
use crate::runbook::source::nearest::{nearest, nearest_or_all};
use crate::runbook::source::place::{FileName, Place, Span};
use crate::runbook::source::problem::{Code, Problems};
use crate::runbook::source::yaml::{Kind, Node, Style};

/// Notes everything in which a map differs from its shape.
pub fn fit(file: &FileName, node: &Node, shape: &'static Shape, problems: &mut Problems) {
    Fitting { file, problems }.map(node, shape);
}

struct Fitting<'a> {
    file: &'a FileName,
    problems: &'a mut Problems,
}

impl Fitting<'_> {
    fn add(&mut self, code: Code, span: Span, message: impl Into<String>, cure: impl Into<String>) {
        self.problems.add(code, &Place { file: self.file.clone(), span }, message, cure);
    }

    fn map(&mut self, node: &Node, shape: &'static Shape) {
        let Kind::Map(entries) = &node.kind else {
            self.wrong_type(node, &Form::Map(shape));
            return;
        };
        for entry in entries {
            if let Some(key) = shape.keys.iter().find(|key| key.name == entry.key) {
                self.form(&entry.value, &key.form, key.name);
                let is_empty = matches!(&entry.value.kind, Kind::List(items) if items.is_empty());
                // A cluster without hosts has a code of its own.
                if key.required && is_empty && key.name != "hosts" {
                    let cure = format!("{}: {}", key.name, key.form.example());
                    self.add(
                        Code::ShapeType,
                        entry.value.span,
                        format!("`{}` is an empty list", key.name),
                        cure,
                    );
                }
            } else {
                let cure = if entry.key.contains(' ') && matches!(entry.value.kind, Kind::Empty) {
                    // `{ help: Small, and quick }` has a key `and quick`.
                    "inside `{ }` a `,` ends a value: put the value in double quotes".to_owned()
                } else {
                    nearest_or_all(&entry.key, shape.keys.iter().map(|key| key.name))
                };
                let message = format!("`{}` is not a key of {}", entry.key, shape.what);
                self.add(Code::KeyUnknown, entry.key_span, message, cure);
            }
        }
        for key in shape.keys.iter().filter(|key| key.required) {
            // A misspelt key is reported as such; missing it as well would say it twice.
            let misspelt = entries.iter().any(|entry| {
                let known = shape.keys.iter().map(|key| key.name);
                !known.clone().any(|name| name == entry.key) && nearest(&entry.key, known) == Some(key.name)
            });
            if !misspelt && !entries.iter().any(|entry| entry.key == key.name) {
                let at = entries.first().map_or(node.span, |entry| entry.key_span);
                let (form, _) = key.form.describe();
                let cure = format!("{}: {} ({form})", key.name, key.form.example());
                self.add(Code::KeyMissing, at, format!("`{}` is missing in {}", key.name, shape.what), cure);
            }
        }
    }

    fn form(&mut self, node: &Node, form: &'static Form, key: &str) {
        match (form, &node.kind) {
            (Form::Map(shape), _) => self.map(node, shape),
            (Form::Kinds(shapes), Kind::Map(_)) => self.kinds(node, shapes),
            (Form::Tagged(what, shapes), Kind::Map(_)) => self.tagged(node, what, shapes),
            (Form::List(inner), Kind::List(items)) => {
                for item in items {
                    self.form(item, inner, key);
                }
            }
            (Form::Table(names, inner), Kind::Map(entries)) => {
                for entry in entries {
                    if !names.fits(&entry.key) {
                        let message = format!("`{}` is not a name", entry.key);
                        self.add(Code::NameForm, entry.key_span, message, names.cure());
                    }
                    self.form(&entry.value, inner, &entry.key);
                }
            }
            (Form::Either(first, second), kind) => {
                let single = matches!(kind, Kind::Scalar(..));
                let second_is_single = matches!(second, Form::Percent);
                let chosen = if single && !second_is_single { first } else { second };
                let chosen = if second_is_single && is_int(node) { first } else { chosen };
                self.form(node, chosen, key);
            }
            (Form::Type, Kind::List(items)) => {
                for item in items {
                    match item.scalar() {
                        Some(word) if !word.is_empty() => {}
                        _ => self.wrong_type(item, form),
                    }
                }
            }
            (Form::List(_) | Form::Table(..) | Form::Kinds(_) | Form::Tagged(..), _)
            | (_, Kind::List(_) | Kind::Map(_) | Kind::Empty) => self.wrong_type(node, form),
            (_, Kind::Scalar(text, style)) => self.scalar(node, text, *style, form, key),
        }
    }

    fn kinds(&mut self, node: &Node, shapes: &'static [&'static Shape]) {
        let Kind::Map(entries) = &node.kind else { return };
        let kinds: Vec<&str> = shapes.iter().map(|shape| shape.keys[0].name).collect();
        let Some(first) = entries.first() else {
            self.add(Code::StepKind, node.span, "an empty map stands where a step belongs", "- step: …");
            return;
        };
        if let Some(shape) = shapes.iter().find(|shape| shape.keys[0].name == first.key) {
            self.map(node, shape);
            return;
        }
        if first.key == "each" {
            let cure = "give the inner hosts an `each` of their own, after this one";
            self.add(Code::EachNested, first.key_span, "an `each` inside an `each`", cure);
            return;
        }
        let later = entries.iter().find(|entry| kinds.contains(&entry.key.as_str()));
        let cure = match later {
            Some(entry) => format!("put `{}` first", entry.key),
            None => nearest_or_all(&first.key, kinds.iter().copied()),
        };
        let message = format!("`{}` begins no step", first.key);
        self.add(Code::StepKind, first.key_span, message, cure);
    }

    fn tagged(&mut self, node: &Node, what: &str, shapes: &'static [&'static Shape]) {
        let kinds = shapes.iter().filter_map(|shape| match shape.keys[0].form {
            Form::OneOf([kind]) => Some((*kind, *shape)),
            _ => None,
        });
        let (key, words) = (shapes[0].keys[0].name, kinds.clone().map(|(kind, _)| kind));
        let Some(tag) = node.get(key) else {
            let words: Vec<_> = words.collect();
            let cure = format!("{key}: one of {}", words.join(", "));
            self.add(Code::KeyMissing, node.span, format!("`{key}` is missing in {what}"), cure);
            return;
        };
        let word = tag.scalar().unwrap_or_default();
        if let Some((_, shape)) = kinds.clone().find(|(kind, _)| *kind == word) {
            return self.map(node, shape);
        }
        let message = format!("`{word}` is not possible for `{key}`");
        self.add(Code::WordUnknown, tag.span, message, nearest_or_all(word, words));
    }

    fn wrong_type(&mut self, node: &Node, form: &Form) {
        let (wanted, example) = form.describe();
        let message = format!("{} stands where {wanted} belongs", node.describe());
        let cure = if matches!(&node.kind, Kind::Map(entries) if entries.iter().any(|e| e.key.is_empty())) {
            "a value that begins with `{{` stands in double quotes".to_owned()
        } else {
            format!("for example: {example}")
        };
        self.add(Code::ShapeType, node.span, message, cure);
    }

    fn scalar(&mut self, node: &Node, text: &str, style: Style, form: &Form, key: &str) {
        match form {
            Form::Bool if !matches!(text, "true" | "false") || style != Style::Plain => {
                let message = format!("`{text}` stands where true or false belongs");
                self.add(Code::ShapeType, node.span, message, "write true or false");
            }
            Form::Int(min, max) => match read_literal(text) {
                Ok(Literal::Int(n)) if (*min..=*max).contains(&n) => {}
                Ok(Literal::Int(_)) => {
                    let message = format!("`{key}` cannot be {text}");
                    self.add(Code::NumberForm, node.span, message, format!("from {min} to {max}"));
                }
                other => self.number(node, text, other, form),
            },
            Form::Duration => match read_literal(text) {
                Ok(Literal::Duration(Millis(0))) if NEVER_ZERO.contains(&key) => {
                    let message = format!("`{key}` cannot be {text}");
                    self.add(Code::NumberForm, node.span, message, "more than nothing, as 30s");
                }
                Ok(Literal::Duration(_)) => {}
                other => self.number(node, text, other, form),
            },
            Form::Percent => match read_literal(text) {
                Ok(Literal::Percent(percent)) if (0.0..=100.0).contains(&percent) => {}
                Ok(Literal::Percent(_)) => {
                    let message = format!("`{key}` cannot be {text}");
                    self.add(Code::NumberForm, node.span, message, "from 0% to 100%");
                }
                other => self.number(node, text, other, form),
            },
            Form::Literal if style == Style::Plain && text.starts_with(|c: char| c.is_ascii_digit()) => {
                // An address such as 10.20.0.11 is no number; hex and octal that YAML would convert are refused.
                if let Err(NotALiteral::Form) = read_literal(text)
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                    && looks_like_another_number(text)
                {
                    self.add(
                        Code::NumberForm,
                        node.span,
                        format!("`{text}` is read as a number by YAML"),
                        NUMBER_CURE,
                    );
                }
            }
            Form::Name(names) if !names.fits(text) => {
                self.add(Code::NameForm, node.span, format!("`{text}` is not a name"), names.cure());
            }
            Form::OneOf(words) if !words.contains(&text) => {
                let cure = nearest_or_all(text, words.iter().copied());
                self.add(Code::WordUnknown, node.span, format!("`{text}` is not possible for `{key}`"), cure);
            }
            Form::Clock if !is_clock(text) => {
                self.add(
                    Code::ShapeType,
                    node.span,
                    format!("`{text}` is no time of day"),
                    "write \"20:00\"",
                );
            }
            Form::DateTime if date_time(text).is_none() => {
                let message = format!("`{text}` is no day and time");
                self.add(Code::ShapeType, node.span, message, "write \"2026-01-05 09:00\"");
            }
            Form::Type => {
                let word = text.strip_suffix(" or none").unwrap_or(text);
                if !VALUE_TYPES.contains(&word) {
                    let cure = nearest_or_all(word, VALUE_TYPES);
                    self.add(Code::WordUnknown, node.span, format!("`{text}` is not a type"), cure);
                }
            }
            Form::Plain if text.trim().is_empty() => self.says_nothing(node, key),
            // An argument may be empty, and may have several lines.
            Form::Text if SENTENCES.contains(&key) && text.trim().is_empty() => self.says_nothing(node, key),
            Form::Text if SENTENCES.contains(&key) && text.contains('\n') => {
                let cure = "write it on one line, or fold the lines with `>-`";
                self.add(Code::ShapeType, node.span, format!("`{key}` has several lines"), cure);
            }
            _ => {}
        }
    }

    fn says_nothing(&mut self, node: &Node, key: &str) {
        self.add(Code::ShapeType, node.span, format!("`{key}` says nothing"), "write a sentence");
    }

    fn number(&mut self, node: &Node, text: &str, read: Result<Literal, NotALiteral>, form: &Form) {
        let (wanted, example) = form.describe();
        let (code, message, cure) = match read {
            Err(NotALiteral::Unit) => {
                (Code::LiteralUnit, format!("`{text}` has no unit that we know"), units_cure(text))
            }
            Err(NotALiteral::Form) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                (Code::NumberForm, format!("`{text}` is not a number as we write it"), NUMBER_CURE.to_owned())
            }
            Ok(Literal::Int(n)) if matches!(form, Form::Duration) => {
                (Code::LiteralUnit, format!("`{text}` has no unit"), format!("write {n}s or {n}m"))
            }
            Ok(Literal::Int(n)) if matches!(form, Form::Percent) => {
                (Code::LiteralUnit, format!("`{text}` has no unit"), format!("write {n}%"))
            }
            _ => (
                Code::ShapeType,
                format!("`{text}` stands where {wanted} belongs"),
                format!("for example: {example}"),
            ),
        };
        self.add(code, node.span, message, cure);
    }
}

/// Texts that people read as one line.
const SENTENCES: [&str; 10] =
    ["title", "step", "wait", "decide", "go_on", "stop", "else", "warn", "do", "say"];

/// Times that would be over at once.
const NEVER_ZERO: [&str; 5] = ["at_most", "every", "stalled_after", "rehearse", "wait"];

/// `0644`, `0x1F`, `1_000`: other YAML readers make other numbers of these.
fn looks_like_another_number(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_');
    text.strip_prefix("0x").is_some_and(digits)
        || text.strip_prefix("0o").is_some_and(digits)
        || text.strip_prefix("0b").is_some_and(digits)
        || (text.starts_with('0') && text.len() > 1 && text.bytes().all(|b| b.is_ascii_digit()))
        || (text.contains('_') && text.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
}

/// `00:00` to `24:00`.
fn is_clock(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else { return false };
    let number = |t: &str| (t.len() == 2).then(|| t.parse::<u32>().ok()).flatten();
    match (number(hours), number(minutes)) {
        (Some(24), Some(0)) => true,
        (Some(hours), Some(minutes)) => hours < 24 && minutes < 60,
        _ => false,
    }
}

/// `2026-01-05 09:00`, and only this form.
pub fn date_time(text: &str) -> Option<jiff::civil::DateTime> {
    let is_form = text.len() == 16 && text.as_bytes()[10] == b' ' && is_clock(&text[11..]);
    is_form.then(|| text.parse().ok()).flatten()
}

fn is_int(node: &Node) -> bool {
    node.scalar().is_some_and(|text| matches!(read_literal(text), Ok(Literal::Int(_))))
}
