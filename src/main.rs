//! The command `steadyhand`.
fn main() {}
