//! Canonical JSON and the digest of a plan.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a plan, as 64 hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

/// How many digits people read and type.
pub const SHOWN_DIGITS: usize = 8;

impl Digest {
    /// Of anything that can be stored.
    pub fn of<T: Serialize>(value: &T) -> Self {
        Self(hex::encode(Sha256::digest(canonical_json(value).as_bytes())))
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 8 digits, which people read and type.
    pub fn short(&self) -> &str {
        &self.0[..SHOWN_DIGITS]
    }

    /// Whether somebody means this digest: its first 8 digits or more.
    pub fn is_meant_by(&self, typed: &str) -> bool {
        typed.len() >= SHOWN_DIGITS && self.0.starts_with(typed)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// JSON in one form only, in the manner of RFC 8785: keys sorted, no spaces. Floats do not occur in what we store, and
/// whole numbers from 2^53 on are stored as text, so every reader gets the same bytes.
///
/// # Panics
/// Never for our own types: maps have text keys, and nothing fails to serialize.
pub fn canonical_json<T: Serialize>(value: &T) -> String {
    // serde_json's map is a BTreeMap: going through a value sorts the keys.
    let value = serde_json::to_value(value).expect("our types have text keys");
    debug_assert!(is_canonical(&value), "a float or a large number in {value}");
    value.to_string()
}

fn is_canonical(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(n) => n.as_i64().is_some_and(|n| n.unsigned_abs() < 1 << 53),
        serde_json::Value::Array(items) => items.iter().all(is_canonical),
        serde_json::Value::Object(map) => map.values().all(is_canonical),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_has_the_same_bytes_whatever_its_order() {
        let one: serde_json::Value = serde_json::from_str(r#"{"b":1,"a":[true,null,"é\u0001\n"]}"#).unwrap();
        let two: serde_json::Value =
            serde_json::from_str(r#"{ "a": [true, null, "é\u0001\n"], "b": 1 }"#).unwrap();

        assert_eq!(canonical_json(&one), "{\"a\":[true,null,\"é\\u0001\\n\"],\"b\":1}");
        assert_eq!(Digest::of(&one), Digest::of(&two));
    }

    #[test]
    fn eight_digits_name_a_digest_and_seven_do_not() {
        let digest = Digest::of(&"x");

        assert!(digest.is_meant_by(digest.short()));
        assert!(digest.is_meant_by(digest.as_str()));
        assert!(!digest.is_meant_by(&digest.short()[..7]));
        assert!(!digest.is_meant_by(""));
    }
}
