//! What authors of runbooks meet: problems, formats, the schema, the reference, the documents.

mod bad;
mod files;
mod folder;
mod formats;
mod good;
mod guide;
mod nasty;
mod paths;
mod planned;
mod reference;
mod schema;
mod together;
mod values;
