//! The words in which the grammar is written.

use crate::runbook::source::name::NameForm;

/// A map with fixed keys.
#[derive(Debug)]
pub struct Shape {
    /// What it is, with its article: "a step".
    pub what: &'static str,
    /// What it is for, for the reference page.
    pub about: &'static str,
    /// Its keys, in the order in which they are best written.
    pub keys: &'static [Key],
}

/// A key of a map.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// How its value is read.
    pub form: Form,
    /// What it means, as a sentence.
    pub about: &'static str,
    /// It is checked and recorded with the plan, and this version does not act on it.
    pub later: bool,
}

impl Key {
    /// What it means, and whether that is acted on yet.
    pub fn meaning(&self) -> String {
        let later = if self.later { " Checked and recorded now, acted on later." } else { "" };
        format!("{}{later}", self.about)
    }
}

/// How a value is read.
#[derive(Debug)]
pub enum Form {
    /// true or false.
    Bool,
    /// A whole number within limits.
    Int(i64, i64),
    /// The name that is declared here.
    Name(NameForm),
    /// A word that refers to something declared elsewhere.
    Word(Refers),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `30s`
    Duration,
    /// `25%`
    Percent,
    /// A literal whose type stands elsewhere: a default, a limit, a setting.
    Literal,
    /// Text with references.
    Text,
    /// Text without references.
    Plain,
    /// A fixed script for `sh`.
    Script,
    /// An expression.
    Expr,
    /// `size`, `host or none`, or a list of words.
    Type,
    /// An address or a name that `ssh` connects to, a path, an account: checked apart.
    Free,
    /// `20:00`
    Clock,
    /// `2026-01-05 09:00`
    DateTime,
    /// A list.
    List(&'static Form),
    /// A map with fixed keys.
    Map(&'static Shape),
    /// A map from names to values of one form.
    Table(NameForm, &'static Form),
    /// A map whose first key says which of these it is.
    Kinds(&'static [&'static Shape]),
    /// What it is, and the maps that it may be: the first key of each, wherever it stands, says by its word which.
    Tagged(&'static str, &'static [&'static Shape]),
    /// A single value of the first form, or a list or map of the second.
    Either(&'static Form, &'static Form),
}

/// What a word refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refers {
    /// A role of the policy.
    Role,
    /// A person of the policy.
    Person,
    /// A window of the policy.
    Window,
    /// A runbook.
    Runbook,
    /// A pack.
    Pack,
    /// `pack/probe` or `cluster/probe`.
    Probe,
    /// `pack/action` or `cluster/action`.
    Action,
    /// A check of this runbook.
    Check,
    /// A host of the inventory.
    Host,
    /// A service of the inventory.
    Service,
    /// A secret of the policy.
    Secret,
    /// A file that may read a secret: a runbook, or `notify.yaml`.
    SecretReader,
    /// A path of notify.yaml.
    Path,
    /// A schedule of notify.yaml.
    Schedule,
    /// A setting of this pack.
    Setting,
    /// A probe of this pack.
    OwnProbe,
}

impl Form {
    /// What belongs here, for "a list stands where … belongs", with an example.
    pub fn describe(&self) -> (String, &'static str) {
        match self {
            Self::Bool => ("true or false".to_owned(), "true"),
            Self::Int(..) => ("a whole number".to_owned(), "2"),
            Self::Name(_) => ("a name".to_owned(), "a-name"),
            Self::Word(_) => ("a single word".to_owned(), "dba"),
            Self::OneOf(words) => {
                (format!("one of {}", words.join(", ")), words.first().copied().unwrap_or(""))
            }
            Self::Duration => ("a duration".to_owned(), "30s"),
            Self::Percent => ("a percentage".to_owned(), "25%"),
            Self::Literal => ("a single value".to_owned(), "40MiB"),
            Self::Text => ("a text".to_owned(), "Promote {{candidate}}"),
            Self::Plain => ("a text".to_owned(), "A sentence without references."),
            Self::Script => ("a script".to_owned(), "| and lines below"),
            Self::Expr => ("an expression".to_owned(), "candidate != old"),
            Self::Type => ("a type".to_owned(), "size, host or none, [on, off]"),
            Self::Free => ("a single value".to_owned(), "10.20.0.11"),
            Self::Clock => ("a time of day".to_owned(), "\"20:00\""),
            Self::DateTime => ("a day and a time".to_owned(), "\"2026-01-05 09:00\""),
            Self::List(inner) => {
                let example = match inner {
                    Self::Kinds(_) => "- step: …",
                    Self::Map(_) => "- key: value",
                    Self::Either(Self::Word(Refers::Check), _) => "- that: …",
                    Self::Clock => "[\"09:00\", \"17:00\"]",
                    _ => "[a, b]",
                };
                (format!("a list of {}", inner.plural()), example)
            }
            Self::Map(shape) => (shape.what.to_owned(), "key: value"),
            Self::Table(_, inner) => (format!("a map from names to {}", inner.plural()), "name: …"),
            Self::Kinds(shapes) => {
                let kinds: Vec<_> = shapes.iter().map(|shape| shape.keys[0].name).collect();
                (format!("a map that begins with {}", kinds.join(", ")), "- step: …")
            }
            Self::Tagged(what, _) => ((*what).to_owned(), "{ kind: … }"),
            Self::Either(first, second) => {
                let ((first, example), (second, _)) = (first.describe(), second.describe());
                (format!("{first}, or {second}"), example)
            }
        }
    }

    /// How such a value looks; of a map the keys that must be there.
    pub fn example(&self) -> String {
        let Self::Map(shape) = self else { return self.describe().1.to_owned() };
        let required = shape.keys.iter().filter(|key| key.required).map(|key| format!("{}: …", key.name));
        let required: Vec<_> = required.collect();
        format!("{{ {} }}", required.join(", "))
    }

    fn plural(&self) -> String {
        match self {
            Self::Word(_) | Self::Name(_) | Self::Free => "words".to_owned(),
            Self::Text | Self::Plain => "texts".to_owned(),
            Self::Expr => "expressions".to_owned(),
            Self::Type => "types".to_owned(),
            Self::OneOf(words) => format!("words of {}", words.join(", ")),
            Self::Either(Self::Word(Refers::Check), _) => "checks".to_owned(),
            Self::Either(Self::Word(Refers::Path), _) => "ways".to_owned(),
            Self::Clock => "times of day".to_owned(),
            Self::Tagged(what, _) => format!("maps, each {what}"),
            Self::List(inner) => format!("lists of {}", inner.plural()),
            Self::Kinds(_) => "steps".to_owned(),
            Self::Map(shape) => format!("maps, each {}", shape.what),
            _ => "maps".to_owned(),
        }
    }
}
