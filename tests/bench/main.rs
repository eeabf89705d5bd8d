//! What we are measured against, as ratios from one run. Exits with 1 if a goal is missed.
//!
//! `make bench` runs all; `cargo bench --bench goals -- check` one of `failover`, `check`, `memory`, `restart`.
//! `make bench-ssh` and `make bench-chat` run the parts `ssh` and `chat`, which are not among all: one needs what it compares
//! with, and both need two hundred hosts. Times here are
//! noisy, so what is compared is measured alternately in the same minute, and medians are compared.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts programs and measures real time")]
#![expect(clippy::cast_precision_loss, reason = "counts of rows and lines are small")]

#[path = "../bot.rs"]
mod bot;
mod chat;
mod check;
mod failover;
#[path = "../crash/matrix/ground.rs"]
#[expect(dead_code, reason = "the crash matrix needs more of it")]
mod ground;
mod memory;
mod restart;
mod ssh;

use std::process::ExitCode;
use std::sync::Arc;

use steadyhand::chat::desk::Desk;
use steadyhand::config::Config;
use steadyhand::engine::Engine;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::journal::Journal;
use steadyhand::library::Library;
use steadyhand::target::ssh::Ssh;

/// A bot with this configuration, on real hosts and by the clock of the machine.
pub(crate) async fn started(config: Config) -> (Engine, Desk, Arc<Ssh>) {
    let ssh = Arc::new(Ssh::new(config.ssh).unwrap());
    let parts = bot::Parts {
        journal: Journal::open(&config.journal, true).unwrap(),
        library: Arc::new(Library::new(config.folders)),
        target: ssh.clone(),
        clock: Clock::System,
        dice: Dice::random(),
        zone: config.time_zone,
        demo: true,
    };
    let (engine, desk) = parts.start().await;
    (engine, desk, ssh)
}

/// One goal: a ratio that must not be above, or below, another.
pub(crate) struct Goal {
    /// What is compared with what.
    pub(crate) what: &'static str,
    /// The ratio that was measured.
    pub(crate) ratio: f64,
    /// The ratio that is promised.
    pub(crate) promised: Promise,
    /// The figures behind it.
    pub(crate) figures: String,
}

/// On which side of a ratio the goal lies.
#[derive(Clone, Copy)]
pub(crate) enum Promise {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(&self) -> bool {
        match self.promised {
            Promise::AtMost(most) => self.ratio <= most,
            Promise::AtLeast(least) => self.ratio >= least,
        }
    }

    fn line(&self) -> String {
        let (side, promised) = match self.promised {
            Promise::AtMost(most) => ("at most", most),
            Promise::AtLeast(least) => ("at least", least),
        };
        let mark = if self.is_met() { "met   " } else { "MISSED" };
        format!("{mark}  {:.2}  {side} {promised:.2}  {}\n        {}", self.ratio, self.what, self.figures)
    }
}

/// A name, and what measures its goals.
type Part = (&'static str, fn() -> Vec<Goal>);

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut parts: Vec<Part> = vec![
        ("check", check::goals),
        ("memory", memory::goals),
        ("restart", restart::goals),
        ("failover", failover::goals),
    ];
    for (name, goals) in [("ssh", ssh::goals as fn() -> Vec<Goal>), ("chat", chat::goals)] {
        if wanted.iter().any(|word| word == name) {
            parts.push((name, goals));
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load at the start: {}", load.split(' ').take(3).collect::<Vec<_>>().join(" "));
    let mut missed = 0;
    for (name, goals) in parts {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == name) {
            continue;
        }
        for goal in goals() {
            println!("{}", goal.line());
            missed += usize::from(!goal.is_met());
        }
    }
    println!("{}", if missed == 0 { "all goals met".to_owned() } else { format!("{missed} goals missed") });
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
