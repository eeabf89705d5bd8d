//! What authors of runbooks meet: problems, formats, the schema, the reference, the documents.

mod bad;
mod folder;
mod formats;
mod good;
mod paths;
mod reference;
mod schema;
mod together;
