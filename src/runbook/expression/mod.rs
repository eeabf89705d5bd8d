//! Conditions and targets: a small part of CEL, with units, types and a third answer.
//!
//! `parse` reads the text, `infer` finds its type and what it uses while a file is checked, `evaluate` answers it from
//! measured facts. An expression cannot loop, call out or change anything, and one that cannot be answered is neither
//! true nor false: it does not hold. Our own parser, because places must be exact, units are part of the language, and
//! a file full of conditions has to be read in a fraction of a millisecond (see docs/decisions/0002).

pub mod evaluate;
pub mod infer;
pub mod parse;
pub mod tree;
pub mod types;
pub mod value;

pub use evaluate::{Ask, Facts, Meaning, NoAnswer, Reading, Records};
pub use tree::Expr;
pub use types::{Field, Type};
pub use value::Value;
