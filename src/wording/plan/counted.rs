//! A few are named, many are counted.

use crate::run::UnitAt;
use crate::wording::refusal::step as step_words;

/// `5 steps`, `1 step`.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// More hosts than this are counted, not named: a terminal has 24 rows.
pub const NAMED: usize = 8;

/// Hosts by name, or how many they are.
pub fn hosts_of(names: &[String]) -> String {
    if names.len() > NAMED { count(names.len(), "host") } else { names.join(" ") }
}

/// Steps by number and host; one on many hosts is told by their number.
pub fn steps_of(units: &[UnitAt]) -> String {
    if units.len() <= NAMED {
        return units.iter().map(step_words).collect::<Vec<_>>().join(", ");
    }
    let mut numbers: Vec<(u32, Vec<&UnitAt>)> = Vec::new();
    for unit in units {
        match numbers.iter_mut().find(|(number, _)| *number == unit.number) {
            Some((_, of_number)) => of_number.push(unit),
            None => numbers.push((unit.number, vec![unit])),
        }
    }
    let told = numbers.iter().map(|(number, of_number)| match of_number.as_slice() {
        [one] => step_words(one),
        many => format!("step {number} on {} hosts", many.len()),
    });
    told.collect::<Vec<_>>().join(", ")
}
