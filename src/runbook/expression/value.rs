//! Values: what a name stands for and what a probe answered. They print in two ways, and only in these two.

use serde::{Deserialize, Serialize};

use crate::runbook::source::literal::{Millis, Size, grouped, trimmed};
use crate::runbook::source::name::{ClusterName, HostName, ServiceName};

/// A value of an expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// An optional result or setting that is missing.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number. Numbers are stored as text: canonical records hold no floats and nothing from 2^53 on.
    #[serde(with = "as_text")]
    Int(i64),
    /// A number with decimals.
    #[serde(with = "as_text")]
    Number(f64),
    /// Free text.
    Text(String),
    /// Bytes.
    #[serde(with = "as_text")]
    Size(Size),
    /// A stretch of time.
    Duration(Millis),
    /// A percentage; 25 means 25 %.
    #[serde(with = "as_text")]
    Percent(f64),
    /// A host of the inventory.
    Host(HostName),
    /// A cluster of the inventory.
    Cluster(ClusterName),
    /// A service of the inventory.
    Service(ServiceName),
    /// Several values of one type.
    List(Vec<Value>),
}

impl Value {
    /// As a command gets it: bytes, seconds, a number, a name. `None` for a list.
    pub fn raw(&self) -> Option<String> {
        Some(match self {
            Self::None => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Number(value) | Self::Percent(value) => trimmed(*value, 6),
            Self::Text(text) => text.clone(),
            Self::Size(size) => size.0.to_string(),
            Self::Duration(Millis(ms)) if ms % 1000 == 0 => (ms / 1000).to_string(),
            Self::Duration(Millis(ms)) => {
                let sign = if *ms < 0 { "-" } else { "" };
                let ms = ms.unsigned_abs();
                format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
            }
            Self::Host(name) => name.to_string(),
            Self::Cluster(name) => name.to_string(),
            Self::Service(name) => name.to_string(),
            Self::List(_) => return None,
        })
    }

    /// As people read it: `16 MiB`, `2 min`, `25 %`.
    pub fn human(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Number(value) => trimmed(*value, 2),
            Self::Percent(value) => format!("{} %", trimmed(*value, 1)),
            // Exact bytes where rounding would hide whether anything is lost.
            Self::Size(size) if (1024..1 << 20).contains(&size.0) && size.0 % 1024 != 0 => {
                format!("{} bytes ({size})", grouped(size.0))
            }
            Self::Size(size) => size.to_string(),
            Self::Duration(millis) => millis.to_string(),
            Self::List(items) if items.is_empty() => "none".to_owned(),
            Self::List(items) => items.iter().map(Self::human).collect::<Vec<_>>().join(" "),
            Self::Bool(_)
            | Self::Int(_)
            | Self::Text(_)
            | Self::Host(_)
            | Self::Cluster(_)
            | Self::Service(_) => self.raw().unwrap_or_default(),
        }
    }

    /// The host, if it is one.
    pub const fn as_host(&self) -> Option<&HostName> {
        match self {
            Self::Host(name) => Some(name),
            _ => None,
        }
    }
}

mod as_text {
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::runbook::source::literal::Size;

    /// A number that is stored as text.
    pub(super) trait Stored: Sized {
        fn write(&self) -> String;
        fn read(text: &str) -> Option<Self>;
    }

    macro_rules! stored {
        ($($number:ty),*) => {$(
            impl Stored for $number {
                fn write(&self) -> String {
                    self.to_string()
                }

                fn read(text: &str) -> Option<Self> {
                    <$number>::from_str(text).ok()
                }
            }
        )*};
    }
    stored!(i64, f64);

    impl Stored for Size {
        fn write(&self) -> String {
            self.0.to_string()
        }

        fn read(text: &str) -> Option<Self> {
            text.parse().ok().map(Size)
        }
    }

    pub(super) fn serialize<T: Stored, S: Serializer>(number: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.write())
    }

    pub(super) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::read(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_plain_units_and_people_get_words() {
        let size = Value::Size(Size(16 << 20));
        let time = Value::Duration(Millis(130_500));

        assert_eq!((size.raw().unwrap().as_str(), size.human().as_str()), ("16777216", "16 MiB"));
        assert_eq!((time.raw().unwrap().as_str(), time.human().as_str()), ("130.500", "2 min 10 s"));
        assert_eq!(Value::Size(Size(96_064)).human(), "96,064 bytes (93.8 KiB)");
        assert_eq!(Value::Percent(25.0).human(), "25 %");
        assert_eq!(Value::List(vec![]).raw(), None);
    }

    #[test]
    fn a_stored_value_comes_back_the_same_and_holds_no_float() {
        let values = vec![Value::Number(0.7), Value::Percent(12.5), Value::None, Value::Size(Size(1 << 60))];

        let stored = serde_json::to_string(&values).unwrap();

        assert_eq!(stored, r#"[{"number":"0.7"},{"percent":"12.5"},"none",{"size":"1152921504606846976"}]"#);
        assert_eq!(serde_json::from_str::<Vec<Value>>(&stored).unwrap(), values);
    }
}
