//! One incident: each rule by its example, and the rules that hold for every sequence of inputs.

mod all_clear;
mod calling;
mod driven;
mod duties;
mod ending;
mod from_run;
mod opening;
mod people;
mod properties;
mod rights;
mod red_path;
mod reports;
mod runs;
mod sending;
