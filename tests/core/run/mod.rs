//! One run: the rules that hold for every sequence of inputs, and each rule by its example.

mod driven;
mod held;
mod moves;
mod plans;
mod properties;
mod reached;
mod ways_on;
