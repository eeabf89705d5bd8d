//! The cases: which procedure, and where its processes are killed one after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::time::Duration;

use steadyhand::failpoint::Point;

use super::drive;
use super::ground::Ground;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// A step of every kind, to the end.
    EveryKind,
    /// Two steps, a third that fails, and all of it taken back.
    TakeBack,
    /// A long step that a person stops, after a restart.
    TakeLong,
    /// What is done instead, because a host is not there.
    GoElsewhere,
    /// So much is recorded before that the write-ahead log is moved.
    MuchBefore,
}

impl Scenario {
    const ALL: [Self; 5] =
        [Self::EveryKind, Self::TakeBack, Self::TakeLong, Self::GoElsewhere, Self::MuchBefore];

    const fn name(self) -> &'static str {
        match self {
            Self::EveryKind => "every-kind",
            Self::TakeBack => "take-back",
            Self::TakeLong => "take-long",
            Self::GoElsewhere => "go-elsewhere",
            Self::MuchBefore => "much-before",
        }
    }
}

/// How a process is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At a failpoint, when it comes by there this time; by `kill`, or because a write failed.
    At { point: Point, nth: usize, deed: String },
    /// From outside, so long after its start.
    After(Duration),
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { point, nth, deed } => write!(f, "{}:{nth}:{deed}", point.name()),
            Self::After(time) => write!(f, "after:{}", time.as_millis()),
        }
    }
}

impl Kill {
    fn at(point: Point, nth: usize) -> Self {
        Self::At { point, nth, deed: "kill".to_owned() }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(time) = text.strip_prefix("after:") {
            return Some(Self::After(Duration::from_millis(time.parse().ok()?)));
        }
        let [name, nth, deed] = text.split(':').collect::<Vec<_>>()[..] else { return None };
        let point = Point::ALL.iter().find(|point| point.name() == name)?;
        Some(Self::At { point: *point, nth: nth.parse().ok()?, deed: deed.to_owned() })
    }
}

/// One procedure, and how its processes are ended: the first, the second, and so on. The last one lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) kills: Vec<Kill>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario.name())?;
        self.kills.iter().try_for_each(|kill| write!(f, " {kill}"))
    }
}

impl Case {
    /// Reads what `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let name = words.next()?;
        let scenario = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)?;
        Some(Self { scenario, kills: words.map(Kill::parse).collect::<Option<_>>()? })
    }
}

/// Chance that is the same each time.
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a number of this size")
    }
}

/// Everything that a process can be killed at: which failpoint, and the how-manyeth time.
pub(crate) struct Cells {
    cells: Vec<Case>,
    /// How long each scenario takes when nobody disturbs it.
    times: BTreeMap<Scenario, Duration>,
}

impl Cells {
    /// Runs each scenario once and looks by what it comes: from its beginning, and after each kind of restart.
    pub(crate) fn measured(ground: &Ground) -> Self {
        let before = [
            (Scenario::EveryKind, None),
            (Scenario::EveryKind, Some(Kill::at(Point::Started, 1))),
            (Scenario::EveryKind, Some(Kill::at(Point::StartUnsent, 1))),
            (Scenario::TakeBack, None),
            (Scenario::TakeBack, Some(Kill::at(Point::UndoIntended, 1))),
            (Scenario::TakeBack, Some(Kill::at(Point::StartSent, 4))),
            (Scenario::TakeLong, None),
            (Scenario::TakeLong, Some(Kill::at(Point::Started, 1))),
            (Scenario::GoElsewhere, None),
            (Scenario::MuchBefore, None),
        ];
        let worker = ground.worker(0);
        let seen = worker.dir.join("seen");
        let (mut cells, mut times) = (Vec::new(), BTreeMap::new());
        for (scenario, first) in before {
            let _ = fs::remove_file(&seen);
            let case = Case { scenario, kills: first.into_iter().collect() };
            let story = drive::drive(&worker, &case, Some(&seen));
            assert!(story.trouble.is_none(), "{case}: {:?}", story.trouble);
            if case.kills.is_empty() {
                times.insert(scenario, story.took);
            }
            let mut counts: BTreeMap<Point, usize> = BTreeMap::new();
            for name in fs::read_to_string(&seen).unwrap_or_default().lines() {
                let point =
                    Point::ALL.iter().find(|point| point.name() == name).expect("a name of the table");
                *counts.entry(*point).or_default() += 1;
            }
            let rare = |point: &Point| matches!(point, Point::CheckpointBegins | Point::CheckpointEnds);
            counts.retain(|point, _| (scenario == Scenario::MuchBefore) == rare(point));
            for (point, count) in counts {
                // Another checkpoint is made while the process ends, or not any more.
                let count = if rare(&point) { count.min(1) } else { count };
                for nth in 1..=count {
                    let mut case = case.clone();
                    case.kills.push(Kill::at(point, nth));
                    cells.push(case);
                }
            }
        }
        eprintln!("{} places to be killed at; {times:?}", cells.len());
        Self { cells, times }
    }

    /// So many cases: first one for each failpoint, then all of them in any order, again and again, with moments that
    /// are no failpoint among them, second crashes, and disks that break.
    pub(crate) fn cases(&self, seed: u64, runs: usize) -> Vec<Case> {
        let of_point = |point: &Point| {
            let is_at =
                |case: &&Case| matches!(case.kills.last(), Some(Kill::At { point: at, .. }) if at == point);
            self.cells.iter().filter(is_at).collect::<Vec<_>>()
        };
        let mut dice = Dice(seed);
        let mut cases: Vec<Case> = Vec::new();
        for point in Point::ALL {
            let cells = of_point(point);
            if !cells.is_empty() {
                let mut case = cells[dice.below(cells.len())].clone();
                // This one must be hit, and the last times of something do not come each time: what happens at once is
                // appended together.
                if let Some(Kill::At { nth, .. }) = case.kills.last_mut() {
                    *nth = nth.div_ceil(2);
                }
                cases.push(case);
            }
        }
        let mut deck: Vec<&Case> = Vec::new();
        while cases.len() < runs {
            if deck.is_empty() {
                deck = self.cells.iter().collect();
                for at in (1..deck.len()).rev() {
                    deck.swap(at, dice.below(at + 1));
                }
            }
            let case =
                if dice.below(5) == 0 { self.at_any_moment(&mut dice) } else { deck.pop().unwrap().clone() };
            cases.push(self.worse(case, &mut dice));
        }
        cases.truncate(runs);
        cases
    }

    fn moment(&self, scenario: Scenario, dice: &mut Dice) -> Kill {
        let longest =
            self.times.get(&scenario).map_or(1000, |time| usize::try_from(time.as_millis()).unwrap());
        Kill::After(Duration::from_millis(dice.below(longest + 1) as u64))
    }

    fn at_any_moment(&self, dice: &mut Dice) -> Case {
        let scenario = Scenario::ALL[dice.below(4)];
        Case { scenario, kills: vec![self.moment(scenario, dice)] }
    }

    /// Sometimes the process after it is killed too, and sometimes a write fails instead.
    fn worse(&self, mut case: Case, dice: &mut Dice) -> Case {
        if let Some(Kill::At { point, deed, .. }) = case.kills.last_mut()
            && matches!(point, Point::AppendWritten | Point::AppendDurable)
            && dice.below(4) == 0
        {
            // A full disk is a clean no, so it comes before the commit only.
            let full = *point == Point::AppendWritten && dice.below(4) == 0;
            if full { "full" } else { "eio" }.clone_into(deed);
        }
        if dice.below(4) == 0 {
            let kill = if dice.below(2) == 0 {
                self.moment(case.scenario, dice)
            } else {
                let same = self.cells.iter().filter(|cell| cell.scenario == case.scenario);
                let points: Vec<&Kill> = same.filter_map(|cell| cell.kills.last()).collect();
                points[dice.below(points.len())].clone()
            };
            case.kills.push(kill);
        }
        case
    }
}
