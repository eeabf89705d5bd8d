//! The pure core and the journal: what holds for every sequence of inputs, and for every file.

mod duty;
mod files;
mod incident;
mod journal;
mod packaging;
mod paths;
mod run;
