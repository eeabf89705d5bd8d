//! Kills the real bot at each failpoint and at any moment, on real hosts, starts it again, and compares what the hosts
//! saw with what the journal says.

mod case;
mod drive;
pub(crate) mod ground;
mod oracle;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use steadyhand::failpoint::Point;

use case::{Case, Cells, Kill};
use ground::Ground;

/// What is wanted.
pub(crate) struct Wanted {
    /// How many runs are crashed.
    pub(crate) runs: usize,
    /// Another one, other cases.
    pub(crate) seed: u64,
    /// How many at once.
    pub(crate) workers: usize,
    /// This one only, as it was printed.
    pub(crate) case: Option<String>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Tally {
    runs: usize,
    unrecorded: usize,
    repeats: usize,
    unknown: usize,
    resolved: usize,
    /// By failpoint: cases that armed it, processes that it ended, outcomes that were unknown then.
    points: BTreeMap<Point, [usize; 3]>,
    at_random: usize,
    undisturbed: usize,
    /// Whether every failpoint must have been hit.
    covers_all: bool,
    broken: usize,
    seconds: f64,
}

impl Tally {
    /// Nothing unrecorded, nothing twice, nothing left unknown, nothing else wrong, and no failpoint left out.
    pub(crate) fn is_good(&self) -> bool {
        let clean = self.unrecorded == 0 && self.repeats == 0 && self.unknown == self.resolved;
        clean && self.broken == 0 && self.missed().is_empty()
    }

    /// The failpoints that ended no process.
    fn missed(&self) -> Vec<&'static str> {
        let hit = |point: &Point| self.points.get(point).is_some_and(|counts| counts[1] > 0);
        // Nobody is told in these runs, whose journals are new: the edges of notices belong to `make soak-notify`, and
        // what brings an older journal here has tests of its own.
        let elsewhere = |point: &Point| Point::OF_NOTICES.contains(point) || *point == Point::JournalUpgraded;
        let missed = Point::ALL.iter().filter(|point| !elsewhere(point));
        let missed = missed.filter(|point| self.covers_all && !hit(point));
        missed.map(|point| point.name()).collect()
    }

    fn add(&mut self, case: &Case, story: &drive::Story, found: &oracle::Found) {
        self.runs += 1;
        self.unrecorded += found.unrecorded.len();
        self.repeats += found.repeats.len();
        self.unknown += found.unknown;
        self.resolved += found.resolved;
        for kill in &case.kills {
            if let Kill::At { point, .. } = kill {
                self.points.entry(*point).or_default()[0] += 1;
            }
        }
        for death in &story.deaths {
            match death.at {
                Some(point) => {
                    let counts = self.points.entry(point).or_default();
                    counts[1] += 1;
                    counts[2] += death.unknown;
                }
                None => self.at_random += 1,
            }
        }
        self.undisturbed += usize::from(story.deaths.is_empty());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18}{:>8}{:>8}{:>10}", "failpoint", "armed", "ended", "unknown")?;
        for point in Point::ALL {
            let [armed, ended, unknown] = self.points.get(point).copied().unwrap_or_default();
            writeln!(f, "{:<18}{armed:>8}{ended:>8}{unknown:>10}", point.name())?;
        }
        writeln!(f, "{:<18}{:>8}{:>8}", "at any moment", "", self.at_random)?;
        writeln!(f, "{:<18}{:>8}{:>8}", "never", "", self.undisturbed)?;
        if self.broken > 0 {
            writeln!(f, "{} cases went wrong, see above", self.broken)?;
        }
        if !self.missed().is_empty() {
            writeln!(f, "never hit: {}", self.missed().join(", "))?;
        }
        #[expect(clippy::cast_precision_loss, reason = "runs are few")]
        let each = self.seconds / self.runs.max(1) as f64;
        writeln!(f, "{:.0} s, {each:.2} s a run", self.seconds)?;
        write!(
            f,
            "{} runs, {} unrecorded effects, {} repeats, {} unknown, {} unknown resolved",
            self.runs, self.unrecorded, self.repeats, self.unknown, self.resolved
        )
    }
}

/// Makes the cases, and runs them side by side.
pub(crate) fn run(wanted: &Wanted) -> Tally {
    let ground = Ground::new(wanted.workers);
    let cases = match &wanted.case {
        Some(text) => vec![Case::parse(text).unwrap_or_else(|| panic!("this is no case: {text}"))],
        None => Cells::measured(&ground).cases(wanted.seed, wanted.runs),
    };
    let covers_all = wanted.case.is_none() && wanted.runs >= Point::ALL.len();
    let tally = Mutex::new(Tally { covers_all, ..Tally::default() });
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for worker in 0..wanted.workers {
            let (ground, cases, tally, next) = (&ground, &cases, &tally, &next);
            scope.spawn(move || {
                let worker = ground.worker(worker);
                while let Some((number, case)) =
                    Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|n| Some((n, cases.get(n)?)))
                {
                    let story = drive::drive(&worker, case, None);
                    let found = oracle::compare(&worker, case, &story);
                    let mut tally = tally.lock().unwrap();
                    tally.add(case, &story, &found);
                    if let Some(wrong) = found.wrong(case, wanted.seed) {
                        let kept = worker.keep(number);
                        println!("{wrong}\n  kept in {}\n", kept.display());
                        tally.broken += 1;
                    }
                    if tally.runs % 500 == 0 {
                        eprintln!(
                            "{} of {} runs, {:.0} s",
                            tally.runs,
                            cases.len(),
                            began.elapsed().as_secs_f64()
                        );
                    }
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap();
    tally.seconds = began.elapsed().as_secs_f64();
    if tally.broken > 0 {
        ground.leave();
    }
    tally
}
