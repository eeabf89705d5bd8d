//! Sizes, durations and percentages: how they are written in files and expressions, and how they print.
//!
//! A quantity is an exact whole number of its smallest unit: bytes, milliseconds. The same forms hold in YAML and in
//! expressions. Raw printing is for commands (`16777216`, `30`), human printing for sentences (`16 MiB`, `30 s`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub i64);

/// A stretch of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Whole seconds as milliseconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    /// Whole minutes as milliseconds.
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60_000)
    }

    /// As the standard library's duration; a negative stretch is none.
    pub fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }

    /// From the standard library's duration; longer than 292 million years is as long as can be.
    pub fn from_std(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A quantity as a file or an expression has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// `42`
    Int(i64),
    /// `0.7`
    Number(f64),
    /// `16MiB`
    Size(Size),
    /// `30s`
    Duration(Millis),
    /// `25%`
    Percent(f64),
}

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotALiteral {
    /// It begins with digits, but the unit does not exist.
    Unit,
    /// Hex, octal, separators, a leading zero, an exponent, or more than fits.
    Form,
}

/// What to write where a unit is wrong.
const UNITS_CURE: &str = "sizes end in KiB, MiB, GiB or TiB, durations in ms, s, m, h or d, percentages in %";
/// Units as people write them elsewhere, and ours.
const OTHER_UNITS: [(&str, &str); 16] = [
    ("KB", "KiB"),
    ("kB", "KiB"),
    ("kb", "KiB"),
    ("MB", "MiB"),
    ("mb", "MiB"),
    ("GB", "GiB"),
    ("gb", "GiB"),
    ("TB", "TiB"),
    ("sec", "s"),
    ("secs", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minutes", "m"),
    ("hours", "h"),
    ("days", "d"),
];

/// What to write instead of a quantity with a unit that does not exist.
pub fn units_cure(text: &str) -> String {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    match OTHER_UNITS.iter().find(|(other, _)| *other == unit) {
        Some((_, ours)) => format!("write {digits}{ours}"),
        None => UNITS_CURE.to_owned(),
    }
}

/// What to write where a number is wrong.
pub const NUMBER_CURE: &str = "write a plain decimal number, without 0x, leading zeros, `_` or exponent";

/// Units of size, largest last.
const SIZES: [(&str, i64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
/// Units of time, with their milliseconds.
const DURATIONS: [(&str, i64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a number with or without unit. `text` begins with a digit.
pub fn read_literal(text: &str) -> Result<Literal, NotALiteral> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(NotALiteral::Form);
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        let (decimals, unit) = fraction.split_at(end);
        if decimals.is_empty() {
            return Err(NotALiteral::Form);
        }
        let number: f64 = format!("{digits}.{decimals}").parse().map_err(|_| NotALiteral::Form)?;
        return match unit {
            "" => Ok(Literal::Number(number)),
            "%" => Ok(Literal::Percent(number)),
            _ if unit.starts_with(['e', 'E', '_', '.']) => Err(NotALiteral::Form),
            _ => Err(NotALiteral::Unit),
        };
    }
    let whole: i64 = digits.parse().map_err(|_| NotALiteral::Form)?;
    if rest.is_empty() {
        return Ok(Literal::Int(whole));
    }
    if rest == "%" {
        return Ok(Literal::Percent(exact_percent(whole).ok_or(NotALiteral::Form)?));
    }
    if rest.starts_with(['_', 'x', 'X', 'o', 'O', 'b', 'B', 'e', 'E']) {
        return Err(NotALiteral::Form);
    }
    if let Some((_, factor)) = SIZES.iter().find(|(unit, _)| *unit == rest) {
        return whole.checked_mul(*factor).map(|n| Literal::Size(Size(n))).ok_or(NotALiteral::Form);
    }
    if let Some((_, factor)) = DURATIONS.iter().find(|(unit, _)| *unit == rest) {
        return whole.checked_mul(*factor).map(|n| Literal::Duration(Millis(n))).ok_or(NotALiteral::Form);
    }
    Err(NotALiteral::Unit)
}

/// Reads a quantity that may have a sign, as values do that people give. Only plain numbers have one.
pub fn read_signed(text: &str) -> Result<Literal, NotALiteral> {
    let Some(digits) = text.strip_prefix('-') else { return read_literal(text) };
    match read_literal(digits)? {
        Literal::Int(n) => Ok(Literal::Int(-n)),
        Literal::Number(n) => Ok(Literal::Number(-n)),
        _ => Err(NotALiteral::Form),
    }
}

fn exact_percent(whole: i64) -> Option<f64> {
    i32::try_from(whole).ok().map(f64::from)
}

impl fmt::Display for Size {
    /// `512 bytes`, `16 MiB`, `1.2 GiB`: two or three digits, so that it can be read at a glance.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let Some((unit, factor)) = SIZES.iter().rev().find(|(_, factor)| magnitude >= factor.unsigned_abs())
        else {
            return write!(f, "{} byte{}", grouped(self.0), if magnitude == 1 { "" } else { "s" });
        };
        let amount = self.0 as f64 / *factor as f64;
        if self.0 % factor == 0 || amount.abs() >= 100.0 {
            write!(f, "{amount:.0} {unit}")
        } else {
            write!(f, "{} {unit}", trimmed(amount, 1))
        }
    }
}

impl fmt::Display for Millis {
    /// `0.4 s`, `41 s`, `2 min 10 s`, `7 h 40 min`, `9 d`: at most two units.
    #[expect(clippy::cast_precision_loss, reason = "one decimal of less than ten seconds is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        if ms.abs() < 10_000 {
            return write!(f, "{} s", trimmed(ms as f64 / 1000.0, 1));
        }
        let seconds = ms / 1000;
        let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
            if small == 0 {
                format!("{big} {big_unit}")
            } else {
                format!("{big} {big_unit} {small} {small_unit}")
            }
        };
        let text = if seconds < 60 {
            format!("{seconds} s")
        } else if seconds < 3600 {
            two(seconds / 60, "min", seconds % 60, "s")
        } else if seconds < 86_400 {
            two(seconds / 3600, "h", seconds % 3600 / 60, "min")
        } else {
            two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
        };
        f.write_str(&text)
    }
}

/// A number with at most so many decimals, and none that are zero at the end.
pub fn trimmed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A whole number with commas between thousands, for exact counts in sentences.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        assert_eq!(read_literal("16MiB"), Ok(Literal::Size(Size(16 << 20))));
        assert_eq!(read_literal("30s"), Ok(Literal::Duration(Millis(30_000))));
        assert_eq!(read_literal("250ms"), Ok(Literal::Duration(Millis(250))));
        assert_eq!(read_literal("25%"), Ok(Literal::Percent(25.0)));
        assert_eq!(read_literal("0.7"), Ok(Literal::Number(0.7)));
        assert_eq!(read_literal("0"), Ok(Literal::Int(0)));
    }

    #[test]
    fn a_unit_from_elsewhere_is_answered_with_ours() {
        assert_eq!(units_cure("500MB"), "write 500MiB");
        assert_eq!(units_cure("10min"), "write 10m");
        assert_eq!(units_cure("5M"), UNITS_CURE, "it may mean minutes");
    }

    #[test]
    fn only_plain_numbers_have_a_sign() {
        assert_eq!(read_signed("-3"), Ok(Literal::Int(-3)));
        assert_eq!(read_signed("-0.5"), Ok(Literal::Number(-0.5)));
        for wrong in ["-16MiB", "-30s", "-5%", "--3", "-"] {
            assert_eq!(read_signed(wrong), Err(NotALiteral::Form), "{wrong}");
        }
    }

    #[test]
    fn other_forms_are_refused_by_what_is_wrong_with_them() {
        for unit in ["16MB", "30sec", "5M", "1.5GiB", "2hours"] {
            assert_eq!(read_literal(unit), Err(NotALiteral::Unit), "{unit}");
        }
        for form in ["0x1F", "0b11", "0644", "1_000", "1e6", "1.", "99999999999999999999", "9999999999TiB"] {
            assert_eq!(read_literal(form), Err(NotALiteral::Form), "{form}");
        }
    }

    #[test]
    fn quantities_print_for_people() {
        let size = |n: i64| Size(n).to_string();
        let time = |ms: i64| Millis(ms).to_string();

        assert_eq!(size(1), "1 byte");
        assert_eq!(size(512), "512 bytes");
        assert_eq!(size(96_064), "93.8 KiB");
        assert_eq!(size(16 << 20), "16 MiB");
        assert_eq!(size(1_258_291), "1.2 MiB");
        assert_eq!(size(412 << 30), "412 GiB");
        assert_eq!(time(400), "0.4 s");
        assert_eq!(time(3000), "3 s");
        assert_eq!(time(41_300), "41 s");
        assert_eq!(time(130_000), "2 min 10 s");
        assert_eq!(time(27_600_000), "7 h 40 min");
        assert_eq!(time(9 * 86_400_000), "9 d");
        assert_eq!(grouped(1_096_064), "1,096,064");
    }
}
