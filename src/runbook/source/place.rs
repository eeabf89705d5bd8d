//! Where something stands in a file: what an editor jumps to, and what is underlined.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A stretch of one file, in the units that editors show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    /// Line of the first character; the first line is 1.
    pub line: u32,
    /// Column of the first character, counted in characters; the first is 1.
    pub column: u32,
    /// Line of the character after the last.
    pub end_line: u32,
    /// Column of the character after the last.
    pub end_column: u32,
}

impl Span {
    /// A stretch within one line.
    pub const fn on_line(line: u32, column: u32, length: u32) -> Self {
        Self { line, column, end_line: line, end_column: column + length }
    }

    /// A part of this stretch, `offset` characters after its start. The part of a stretch that covers several
    /// lines is counted along its first line.
    #[must_use]
    pub const fn part(self, offset: u32, length: u32) -> Self {
        Self::on_line(self.line, self.column + offset, length)
    }
}

/// The name of a file as people know it: relative to the folder that was checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// Takes the path as it is to be shown.
    pub fn new(path: impl AsRef<str>) -> Self {
        Self(path.as_ref().into())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part of the path without `.yaml`, which must be the name of the runbook or pack within.
    pub fn stem(&self) -> &str {
        let last = self.0.rsplit('/').next().unwrap_or(&self.0);
        last.strip_suffix(".yaml").unwrap_or(last)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for FileName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A stretch of a named file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: FileName,
    /// The stretch.
    #[serde(flatten)]
    pub span: Span,
}

/// A value and the place that it was read from.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> At<T> {
    /// Joins a value and its place.
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

impl<T> std::ops::Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
