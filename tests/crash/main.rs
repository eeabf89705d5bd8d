//! The crash matrix: `make crash RUNS=10000`. Ends with the figures, and with 1 if anything was repeated or unrecorded.
//!
//! `SEED=` makes the same cases again, `CASE='take-back undo-intended:1:kill'` one of them.

#![expect(clippy::disallowed_methods, reason = "the real program is started and killed, in real time")]

mod matrix;

use std::process::ExitCode;

fn main() -> ExitCode {
    if !cfg!(debug_assertions) {
        println!("This build has no failpoints. Next: make crash");
        return ExitCode::FAILURE;
    }
    let number = |name: &str, usual: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => usual,
    };
    let wanted = matrix::Wanted {
        runs: usize::try_from(number("RUNS", 1000)).expect("as many as can be counted"),
        seed: number("SEED", 1),
        workers: usize::try_from(number("WORKERS", 4)).expect("as many as can be counted"),
        case: std::env::var("CASE").ok(),
    };
    let tally = matrix::run(&wanted);
    println!("{tally}");
    if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
