//! Sums, products and ratios of quantities, with their units.

use super::{Answer, NoAnswer, none};
use crate::runbook::expression::tree::Operator;
use crate::runbook::expression::value::Value;
use crate::runbook::source::literal::{Millis, Size};

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "factors and ratios of quantities"
)]
pub(super) fn calculate(operator: Operator, a: &Value, b: &Value) -> Answer {
    let whole = |a: i64, b: i64| {
        match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            _ => a.checked_mul(b),
        }
        .ok_or_else(too_large)
    };
    let real = |a: f64, b: f64| {
        let result = match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            _ => a / b,
        };
        if result.is_finite() {
            Ok(result)
        } else {
            Err(none("a division by zero, or a number that is too large"))
        }
    };
    let scaled =
        |quantity: i64, factor: f64| real(quantity as f64, factor).map(|result| result.round() as i64);
    let number = |value: &Value| match value {
        Value::Int(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        _ => None,
    };
    let divides = operator == Operator::Divide;
    let multiplies = operator == Operator::Multiply;
    match (&a, &b) {
        (Value::None, _) | (_, Value::None) => Err(none("a result that is calculated with is missing")),
        (Value::Int(x), Value::Int(y)) if !divides => whole(*x, *y).map(Value::Int),
        (Value::Size(x), Value::Size(y)) if divides => real(x.0 as f64, y.0 as f64).map(Value::Number),
        (Value::Size(x), Value::Size(y)) if !multiplies => whole(x.0, y.0).map(Size).map(Value::Size),
        (Value::Duration(x), Value::Duration(y)) if divides => {
            real(x.0 as f64, y.0 as f64).map(Value::Number)
        }
        (Value::Duration(x), Value::Duration(y)) if !multiplies => {
            whole(x.0, y.0).map(Millis).map(Value::Duration)
        }
        (Value::Percent(x), Value::Percent(y)) if divides => real(*x, *y).map(Value::Number),
        (Value::Percent(x), Value::Percent(y)) if !multiplies => real(*x, *y).map(Value::Percent),
        (Value::List(x), Value::List(y)) if operator == Operator::Add => {
            Ok(Value::List(x.iter().chain(y).cloned().collect()))
        }
        _ => match (number(a), number(b)) {
            (Some(x), Some(y)) => real(x, y).map(Value::Number),
            (None, Some(factor)) if divides || multiplies => scale(a, factor, scaled, real),
            (Some(factor), None) if multiplies => scale(b, factor, scaled, real),
            _ => Err(none(format!("{} and {} cannot be calculated", a.human(), b.human()))),
        },
    }
}

/// A quantity times or divided by a plain number.
fn scale(
    quantity: &Value,
    factor: f64,
    scaled: impl Fn(i64, f64) -> Result<i64, NoAnswer>,
    real: impl Fn(f64, f64) -> Result<f64, NoAnswer>,
) -> Answer {
    match quantity {
        Value::Size(size) => scaled(size.0, factor).map(Size).map(Value::Size),
        Value::Duration(millis) => scaled(millis.0, factor).map(Millis).map(Value::Duration),
        Value::Percent(percent) => real(*percent, factor).map(Value::Percent),
        other => Err(none(format!("{} cannot be calculated with", other.human()))),
    }
}

pub(super) fn too_large() -> NoAnswer {
    none("a number is too large")
}
