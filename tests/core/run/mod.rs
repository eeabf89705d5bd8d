//! One run: the rules that hold for every sequence of inputs, and each rule by its example.

mod agreeing;
pub(crate) mod driven;
mod held;
mod moves;
mod pace;
pub(crate) mod plans;
mod properties;
mod reached;
mod undoing;
mod ways_on;
mod working;
