//! The JSON Schema of a kind of file, made from the table: for editors, which complete and underline while one types.
//!
//! It says what shape a file has. Expressions and references are plain strings there: `steadyhand check` has the last
//! word.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::form::{Form, Refers, Shape};
use super::table::{FILES, NOTIFY_FILE, VALUE_TYPES};
use crate::runbook::source::name::NameForm;

/// Names that an editor completes; empty where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<&'static str, Vec<String>>);

impl Names {
    /// Notes names of a kind.
    pub fn add(&mut self, kind: &'static str, names: impl IntoIterator<Item = impl ToString>) {
        let known = self.0.entry(kind).or_default();
        known.extend(names.into_iter().map(|name| name.to_string()));
        known.sort();
        known.dedup();
    }

    fn get(&self, refers: Refers) -> &[String] {
        let what = match refers {
            Refers::Role => "role",
            Refers::Person => "person",
            Refers::Window => "window",
            Refers::Runbook => "runbook",
            Refers::Pack => "pack",
            Refers::Probe => "probe",
            Refers::Action => "action",
            Refers::Host => "host",
            Refers::Service => "service",
            Refers::Secret => "secret",
            Refers::SecretReader => "runbook",
            Refers::Path => "path",
            Refers::Schedule => "schedule",
            // These are declared in the file itself.
            Refers::Check | Refers::Setting | Refers::OwnProbe => return &[],
        };
        self.0.get(what).map_or(&[], Vec::as_slice)
    }
}

/// The schema of a kind of file, by its first key. `None` if there is no such kind.
pub fn schema(kind: &str, names: &Names) -> Option<Value> {
    let shape = FILES.iter().find(|shape| shape.keys[0].name == kind)?;
    let mut maker = Maker { names, definitions: Map::new() };
    let mut schema = maker.map(shape);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("steadyhand {kind}"));
    schema["$defs"] = Value::Object(maker.definitions);
    Some(schema)
}

struct Maker<'a> {
    names: &'a Names,
    definitions: Map<String, Value>,
}

impl Maker<'_> {
    fn map(&mut self, shape: &'static Shape) -> Value {
        let mut properties = Map::new();
        for key in shape.keys {
            let mut value = self.form(&key.form);
            if let Value::Object(value) = &mut value {
                value.insert("description".to_owned(), json!(key.meaning()));
            }
            properties.insert(key.name.to_owned(), value);
        }
        let required: Vec<&str> = shape.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        json!({
            "type": "object",
            "description": shape.about,
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// Shapes stand once, under `$defs`.
    fn reference(&mut self, shape: &'static Shape) -> Value {
        let name = shape.what.trim_start_matches("a ").trim_start_matches("an ").replace(' ', "_");
        if !self.definitions.contains_key(&name) {
            // Known before it is made, so that a shape may hold itself.
            self.definitions.insert(name.clone(), Value::Null);
            let map = self.map(shape);
            self.definitions.insert(name.clone(), map);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn form(&mut self, form: &'static Form) -> Value {
        match form {
            Form::Bool => json!({ "type": "boolean" }),
            Form::Int(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Form::Name(names) => json!({ "type": "string", "pattern": names.pattern() }),
            Form::Word(refers) => match self.names.get(*refers) {
                [] => json!({ "type": "string" }),
                known => {
                    let mut known = known.to_vec();
                    match refers {
                        // `tell` knows one reader that is no role.
                        Refers::Role => known.push("status-page".to_owned()),
                        Refers::SecretReader => known.push(NOTIFY_FILE.to_owned()),
                        _ => {}
                    }
                    json!({ "type": "string", "enum": known })
                }
            },
            Form::OneOf(words) => json!({ "enum": words }),
            Form::Duration => json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)(ms|s|m|h|d)$" }),
            Form::Percent => json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)(\\.[0-9]+)?%$" }),
            Form::Literal => json!({ "type": ["string", "number", "boolean"] }),
            // An expression may be a bare word of YAML, such as true.
            Form::Expr => json!({ "type": ["string", "boolean", "number"], "maxLength": 500 }),
            Form::Text => json!({ "type": ["string", "number", "boolean"] }),
            Form::Plain | Form::Script => json!({ "type": "string" }),
            Form::Type => {
                let with_none = VALUE_TYPES.iter().map(|kind| format!("{kind} or none"));
                let words: Vec<String> =
                    VALUE_TYPES.iter().map(ToString::to_string).chain(with_none).collect();
                json!({ "oneOf": [
                    { "type": "string", "enum": words },
                    { "type": "array", "items": { "type": ["string", "boolean"] }, "minItems": 1 },
                ] })
            }
            Form::Free => json!({ "type": ["string", "integer"] }),
            Form::Clock => json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$" }),
            Form::DateTime => {
                json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]$" })
            }
            Form::List(inner) => json!({ "type": "array", "items": self.form(inner) }),
            Form::Map(shape) => self.reference(shape),
            Form::Table(names, inner) => self.table(*names, inner),
            Form::Kinds(shapes) | Form::Tagged(_, shapes) => {
                let all: Vec<Value> = shapes.iter().map(|shape| self.reference(shape)).collect();
                json!({ "oneOf": all })
            }
            Form::Either(first, second) => json!({ "oneOf": [self.form(first), self.form(second)] }),
        }
    }

    fn table(&mut self, names: NameForm, inner: &'static Form) -> Value {
        json!({
            "type": "object",
            "propertyNames": { "pattern": names.pattern() },
            "additionalProperties": self.form(inner),
        })
    }
}
