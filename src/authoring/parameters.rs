//! Parameters and the names of inputs.

use regex_lite::Regex;

use super::scope::parameter_type;
use super::uses::Desk;
use crate::runbook::expression::Type;
use crate::runbook::given::read_value;
use crate::runbook::model::{Limits, Parameter, ParameterKind, Runbook, Word};
use crate::runbook::source::literal::{Literal, Millis, Size, read_signed};
use crate::runbook::source::problem::{Code, Problems};

/// Names of variables that are ours in every script.
pub(super) const OURS: [&str; 4] = ["host", "address", "run_id", "step_dir"];

/// Holds all parameters against their rules.
pub(super) fn check_parameters(runbook: &Runbook, desk: &Desk<'_>, problems: &mut Problems) {
    for parameter in &runbook.parameters {
        let name = &parameter.name;
        match &parameter.kind {
            ParameterKind::Host(None) => {
                let message = format!("`{}` could be any host", name.value);
                problems.add(Code::ParameterAnyHost, &name.place, message, "in: cluster.replicas");
            }
            ParameterKind::Cluster(kinds) if kinds.is_empty() => {
                let message = format!("`{}` could be a cluster of any kind", name.value);
                problems.add(Code::ParameterKind, &name.place, message, "kind: [postgresql]");
            }
            ParameterKind::Cluster(kinds) => kinds.iter().for_each(|kind| _ = desk.pack(kind, problems)),
            ParameterKind::Choice(words) => check_choice(name, words, problems),
            ParameterKind::Text(Some(pattern)) => {
                if let Err(error) = Regex::new(pattern) {
                    let message = format!("`{}` is not a regular expression: {error}", pattern.value);
                    problems.add(Code::ShapeType, &pattern.place, message, "for example ^[a-z]+$");
                }
            }
            ParameterKind::Quantity(kind, limits) => check_limits(kind, limits, problems),
            _ => {}
        }
        check_default(parameter, problems);
    }
}

fn check_choice(name: &Word, words: &[Word], problems: &mut Problems) {
    if words.len() < 2 {
        let message = format!("`{}` leaves no choice", name.value);
        problems.add(Code::ParameterChoice, &name.place, message, "one_of: [planned, dead]");
    }
    for (index, word) in words.iter().enumerate() {
        if words[..index].iter().any(|earlier| earlier.value == word.value) {
            let message = format!("`{}` is offered twice", word.value);
            problems.add(Code::ParameterChoice, &word.place, message, "remove one of them");
        }
    }
}

fn check_limits(kind: &Type, limits: &Limits, problems: &mut Problems) {
    for limit in [&limits.min, &limits.max].into_iter().flatten() {
        let fits = matches!(
            (kind, limit.value),
            (Type::Int | Type::Number, Literal::Int(_))
                | (Type::Number, Literal::Number(_))
                | (Type::Size, Literal::Size(_))
                | (Type::Duration, Literal::Duration(_))
                | (Type::Percent, Literal::Percent(_))
        );
        if !fits {
            problems.add(
                Code::ParameterDefault,
                &limit.place,
                format!("the limit is not {kind}"),
                "give it the type of the parameter",
            );
        }
    }
    if let (Some(min), Some(max)) = (&limits.min, &limits.max)
        && amount(min.value) > amount(max.value)
    {
        problems.add(
            Code::ParameterDefault,
            &max.place,
            "the largest value is below the smallest",
            "swap them",
        );
    }
}

/// A quantity as a plain number, to compare two of one type.
#[expect(clippy::cast_precision_loss, reason = "limits of people are far below 2^53")]
pub(crate) fn amount(literal: Literal) -> f64 {
    match literal {
        Literal::Int(n) | Literal::Size(Size(n)) | Literal::Duration(Millis(n)) => n as f64,
        Literal::Number(n) | Literal::Percent(n) => n,
    }
}

fn check_default(parameter: &Parameter, problems: &mut Problems) {
    let Some(default) = &parameter.default else { return };
    let kind = parameter_type(&parameter.kind);
    if matches!(kind, Type::Host | Type::Cluster(_)) {
        let message = "a target has no default: who runs it must say it";
        problems.add(Code::ParameterDefault, &default.place, message, "remove the default");
    } else if let Err(not) = read_value(default, &kind)
        && kind != Type::Broken
    {
        problems.add(
            Code::ParameterDefault,
            &default.place,
            format!("`{}` {}", default.value, not.what),
            not.cure,
        );
    } else if let ParameterKind::Text(pattern) = &parameter.kind {
        let fits = match pattern {
            // One that is no regular expression has been noted.
            Some(pattern) => Regex::new(&format!("^(?:{})$", pattern.value))
                .map_or(true, |pattern| pattern.is_match(&default.value)),
            None => !default.starts_with('-'),
        };
        if !fits {
            let (why, cure) = match pattern {
                Some(pattern) => (format!("does not match {}", pattern.value), "let it match the pattern"),
                None => ("begins with `-`, and would be refused".to_owned(), "begin it with another sign"),
            };
            let message = format!("`{}` {why}", default.value);
            problems.add(Code::ParameterDefault, &default.place, message, cure);
        }
    } else if let ParameterKind::Quantity(_, limits) = &parameter.kind
        && let Ok(value) = read_signed(default)
    {
        let below = limits.min.as_ref().is_some_and(|min| amount(value) < amount(min.value));
        let above = limits.max.as_ref().is_some_and(|max| amount(value) > amount(max.value));
        if below || above {
            let message = format!("`{}` is outside the limits", default.value);
            problems.add(Code::ParameterDefault, &default.place, message, "put it between min and max");
        }
    }
}

/// A name that becomes a variable of a script must not steer programs, nor be one of ours.
pub(super) fn check_input_name(name: &Word, problems: &mut Problems) {
    let word = name.value.as_str();
    let steers = word.ends_with("_proxy")
        || word.starts_with("ld_")
        || matches!(word, "ifs" | "env" | "bash_env" | "ps1" | "ps4" | "cdpath" | "path_separator");
    let message = if steers {
        format!("programs would be steered by a variable `{word}`")
    } else if OURS.contains(&word) {
        format!("`{word}` is set by us in every script")
    } else {
        return;
    };
    problems.add(Code::InputName, &name.place, message, "give it another name");
}
