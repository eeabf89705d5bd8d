//! Whether two values are the same, and which is larger.

use std::cmp::Ordering;

use super::{NoAnswer, none};
use crate::runbook::expression::value::Value;

/// Whether two values are the same. Whole and other numbers compare by value.
#[expect(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "equality of measured numbers is what was asked"
)]
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Number(b)) | (Value::Number(b), Value::Int(a)) => *a as f64 == *b,
        _ => a == b,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count is compared with a measured number")]
pub(super) fn ordered(a: &Value, b: &Value) -> Result<Ordering, NoAnswer> {
    let floats = |a: f64, b: f64| a.partial_cmp(&b).ok_or_else(|| none("a number is not a number"));
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Int(a), Value::Number(b)) => floats(*a as f64, *b),
        (Value::Number(a), Value::Int(b)) => floats(*a, *b as f64),
        (Value::Number(a), Value::Number(b)) | (Value::Percent(a), Value::Percent(b)) => floats(*a, *b),
        (Value::Size(a), Value::Size(b)) => Ok(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(b)),
        (Value::None, _) | (_, Value::None) => Err(none("a result that is compared is missing")),
        _ => Err(none(format!("{} and {} have no order", a.human(), b.human()))),
    }
}
