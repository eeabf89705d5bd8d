//! The types of the language, and what the names in a runbook stand for while it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::runbook::source::name::PackName;

/// The type of an expression, a parameter, an input or a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// Free text.
    Text,
    /// Bytes.
    Size,
    /// A stretch of time.
    Duration,
    /// A percentage.
    Percent,
    /// A host of the inventory.
    Host,
    /// A cluster of one of these kinds.
    Cluster(Vec<PackName>),
    /// A service of the inventory.
    Service,
    /// One of these words.
    Words(Vec<String>),
    /// Several values of one type.
    List(Box<Type>),
    /// `null`, which compares with everything that may be missing.
    Null,
    /// A mistake has been noted already: fits everything, so that it is reported once.
    Broken,
}

impl Type {
    /// Whether a value of this type prints as one value in a text.
    pub const fn prints(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Null)
    }

    /// Whether a value of type `other` can stand where this type is wanted.
    pub fn takes(&self, other: &Type) -> bool {
        match (self, other) {
            (Self::Broken, _) | (_, Self::Broken | Self::Null) | (Self::Number, Self::Int) => true,
            (Self::Text, Self::Words(_) | Self::Host | Self::Cluster(_) | Self::Service)
            | (Self::Cluster(_), Self::Cluster(_)) => true,
            (Self::Words(wanted), Self::Words(given)) => given.iter().all(|word| wanted.contains(word)),
            (Self::List(wanted), Self::List(given)) => wanted.takes(given),
            _ => self == other,
        }
    }

    /// Whether two types can be compared for equality.
    pub fn compares_with(&self, other: &Type) -> bool {
        match (self, other) {
            (Self::Broken | Self::Null, _) | (_, Self::Broken | Self::Null) => true,
            (Self::Int | Self::Number, Self::Int | Self::Number)
            | (Self::Text | Self::Words(_), Self::Text | Self::Words(_))
            | (Self::Cluster(_), Self::Cluster(_)) => true,
            _ => self == other,
        }
    }

    /// Whether values of this type have an order.
    pub const fn has_order(&self) -> bool {
        matches!(self, Self::Int | Self::Number | Self::Size | Self::Duration | Self::Percent | Self::Broken)
    }
}

impl fmt::Display for Type {
    /// With its article: "a size".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("a condition"),
            Self::Int => f.write_str("an integer"),
            Self::Number => f.write_str("a number"),
            Self::Text => f.write_str("a text"),
            Self::Size => f.write_str("a size"),
            Self::Duration => f.write_str("a duration"),
            Self::Percent => f.write_str("a percentage"),
            Self::Host => f.write_str("a host"),
            Self::Cluster(_) => f.write_str("a cluster"),
            Self::Service => f.write_str("a service"),
            Self::Words(words) if words.len() == 1 => write!(f, "the word '{}'", words[0]),
            Self::Words(words) => write!(f, "one of {}", words.join(", ")),
            Self::List(inner) => match inner.as_ref() {
                Self::Host => f.write_str("a list of hosts"),
                _ => f.write_str("a list"),
            },
            Self::Null => f.write_str("null"),
            Self::Broken => f.write_str("something unknown"),
        }
    }
}

/// A field of a host, a cluster or a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its type.
    pub kind: Type,
    /// Whether it may be missing.
    pub optional: bool,
}

impl Field {
    /// A field that is always there.
    pub const fn always(kind: Type) -> Self {
        Self { kind, optional: false }
    }
}

/// Fields by name.
pub type Fields = BTreeMap<String, Field>;

/// What a measurement gives.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Whether it has a result for each of several hosts.
    pub by_host: bool,
    /// The results of its probe.
    pub fields: Fields,
    /// Whether its probe writes.
    pub writes: bool,
    /// Whether its probe or its host could not be understood: every field of it is `Broken`.
    pub broken: bool,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Named {
    /// A parameter, or the host at hand of an `each`.
    Value(Type),
    /// A `let`, with what it uses.
    Let(super::infer::Inferred),
    /// A measurement.
    Measurement(Measured),
    /// `run`, which has an id, a reason and a starter.
    Run,
}

/// All names that an expression may use, and the fields of what they stand for.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// By name.
    pub names: BTreeMap<String, Named>,
    /// Fields of every host.
    pub host_fields: Fields,
    /// Settings of clusters, by their kind.
    pub cluster_settings: BTreeMap<PackName, Fields>,
    /// Kinds of clusters that know no roles: they have neither primary nor replicas.
    pub without_roles: BTreeSet<PackName>,
}

impl Scope {
    /// The fields of a value of this type; `None` if such a value has none.
    pub fn fields_of(&self, kind: &Type) -> Option<Fields> {
        match kind {
            Type::Host => Some(self.host_fields.clone()),
            Type::Service => {
                Some(fields([("name", Type::Text), ("title", Type::Text), ("owner", Type::Text)]))
            }
            Type::Cluster(kinds) => {
                let hosts = || Type::List(Box::new(Type::Host));
                let mut found = fields([
                    ("name", Type::Text),
                    ("owner", Type::Text),
                    ("service", Type::Service),
                    ("hosts", hosts()),
                    ("spares", hosts()),
                ]);
                if self.without_roles_of(kinds).is_none() {
                    found.extend(fields([("replicas", hosts()), ("primary", Type::Host)]));
                }
                found.extend(self.shared_settings(kinds));
                Some(found)
            }
            _ => None,
        }
    }

    /// The first of these kinds that knows no roles.
    pub fn without_roles_of<'k>(&self, kinds: &'k [PackName]) -> Option<&'k PackName> {
        kinds.iter().find(|kind| self.without_roles.contains(*kind))
    }

    /// The settings that clusters of all these kinds have.
    fn shared_settings(&self, kinds: &[PackName]) -> Fields {
        let mut all = kinds.iter().map(|kind| self.cluster_settings.get(kind).cloned().unwrap_or_default());
        let first = all.next().unwrap_or_default();
        all.fold(first, |shared, next| {
            shared.into_iter().filter(|(name, field)| next.get(name) == Some(field)).collect()
        })
    }

    /// The fields of `run`.
    pub fn run_fields() -> Fields {
        fields([("id", Type::Text), ("reason", Type::Text), ("started_by", Type::Text)])
    }
}

/// Fields that are always there.
pub fn fields<const N: usize>(pairs: [(&str, Type); N]) -> Fields {
    pairs.into_iter().map(|(name, kind)| (name.to_owned(), Field::always(kind))).collect()
}
