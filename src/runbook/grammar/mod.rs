//! The grammar of all files as one table, and what is made from it.
//!
//! `table` says for each place which keys there are, how their values are read and what they mean. `fit` holds a file
//! against it, `schema` makes the JSON Schema for editors and `reference` the page for authors. So the three cannot
//! differ.

pub mod fit;
pub mod form;
pub mod reference;
pub mod schema;
pub mod table;

pub use form::{Form, Key, Refers, Shape};
