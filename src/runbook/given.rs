//! Reads a value that somebody gave as text: a setting, a default, a parameter typed in chat, a literal argument.

use super::expression::{Type, Value};
use super::source::hidden::find_hidden;
use super::source::literal::{Literal, NUMBER_CURE, NotALiteral, read_literal, units_cure};
use super::source::name::{ClusterName, HostName, ServiceName};
use super::source::nearest::nearest_or_all;

/// The longest text that is taken as a value, in bytes.
pub const MAX_TEXT: usize = 1000;

/// Why a text is no value of a type: what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAValue {
    /// What is wrong, as the end of "`x` …".
    pub what: String,
    /// What to write instead.
    pub cure: String,
}

/// Reads a text as a value of a type. Whether a host, cluster or service exists is asked elsewhere.
pub fn read_value(text: &str, kind: &Type) -> Result<Value, NotAValue> {
    let wrong = |what: &str, cure: &str| Err(NotAValue { what: what.to_owned(), cure: cure.to_owned() });
    let is_no = || NotAValue { what: format!("is not {kind}"), cure: example(kind) };
    match kind {
        Type::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => wrong("is neither true nor false", "write true or false"),
        },
        Type::Int | Type::Number | Type::Size | Type::Duration | Type::Percent => {
            let (digits, negative) = match text.strip_prefix('-') {
                Some(digits) => (digits, true),
                None => (text, false),
            };
            let literal = match read_literal(digits) {
                Ok(literal) => literal,
                Err(NotALiteral::Unit) => return wrong("has no unit that we know", &units_cure(text)),
                Err(NotALiteral::Form) => return wrong(&format!("is not {kind}"), NUMBER_CURE),
            };
            match (kind, literal) {
                (Type::Int, Literal::Int(n)) => Ok(Value::Int(if negative { -n } else { n })),
                #[expect(clippy::cast_precision_loss, reason = "a number that was asked for with decimals")]
                (Type::Number, Literal::Int(n)) => {
                    Ok(Value::Number(if negative { -(n as f64) } else { n as f64 }))
                }
                (Type::Number, Literal::Number(n)) => Ok(Value::Number(if negative { -n } else { n })),
                (Type::Size, Literal::Size(size)) if !negative => Ok(Value::Size(size)),
                (Type::Duration, Literal::Duration(millis)) if !negative => Ok(Value::Duration(millis)),
                (Type::Percent, Literal::Percent(percent)) if !negative => Ok(Value::Percent(percent)),
                _ => Err(is_no()),
            }
        }
        Type::Words(words) => {
            if words.iter().any(|word| word == text) {
                return Ok(Value::Text(text.to_owned()));
            }
            Err(NotAValue {
                what: format!("is not {}", words.join(" or ")),
                cure: nearest_or_all(text, words.iter().map(String::as_str)),
            })
        }
        Type::Host => HostName::new(text).map(Value::Host).ok_or_else(is_no),
        Type::Cluster(_) => ClusterName::new(text).map(Value::Cluster).ok_or_else(is_no),
        Type::Service => ServiceName::new(text).map(Value::Service).ok_or_else(is_no),
        Type::Text => {
            if text.len() > MAX_TEXT {
                return wrong("has more than 1,000 bytes", "say it in fewer words");
            }
            if text.contains('\n') {
                return wrong("has several lines", "write it on one line");
            }
            match find_hidden(text).first() {
                Some(hidden) => {
                    wrong(&format!("holds a character that is not seen: {}", hidden.what), "type it anew")
                }
                None => Ok(Value::Text(text.to_owned())),
            }
        }
        Type::List(_) | Type::Null | Type::Broken => Err(is_no()),
    }
}

fn example(kind: &Type) -> String {
    let example = match kind {
        Type::Int => "3",
        Type::Number => "0.7",
        Type::Size => "40MiB",
        Type::Duration => "30s",
        Type::Percent => "25%",
        Type::Host => "pg1",
        Type::Cluster(_) | Type::Service => "orders",
        _ => "a value",
    };
    format!("for example {example}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_its_type_or_says_why_not() {
        let words = Type::Words(vec!["planned".into(), "dead".into()]);
        let size = Value::Size(crate::runbook::source::literal::Size(40 << 20));

        assert_eq!(read_value("40MiB", &Type::Size), Ok(size));
        assert_eq!(read_value("-3", &Type::Int), Ok(Value::Int(-3)));
        assert_eq!(read_value("ded", &words).unwrap_err().cure, "nearest: `dead`");
        assert_eq!(read_value("40", &Type::Size).unwrap_err().what, "is not a size");
        assert_eq!(read_value("-40MiB", &Type::Size).unwrap_err().what, "is not a size");
        assert_eq!(read_value("40MB", &Type::Size).unwrap_err().what, "has no unit that we know");
        assert_eq!(read_value("a/b", &Type::Host).unwrap_err().what, "is not a host");
    }

    #[test]
    fn a_text_carries_everything_that_can_be_seen() {
        for text in ["", "$(reboot)", "a'b\"c`d", "-rf", "{{x}}", "a; b | c & d > e", "ünï"] {
            assert_eq!(read_value(text, &Type::Text), Ok(Value::Text(text.into())), "{text}");
        }
        for text in ["a\nb", "a\u{0}b", "a\u{202e}b", "a\u{200b}b", "\u{1b}[2J", "a\tb"] {
            assert!(read_value(text, &Type::Text).is_err(), "{text:?}");
        }
    }
}
