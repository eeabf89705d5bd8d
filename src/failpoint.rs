//! Places before and after everything durable, and everything that is said to a host: there a test ends the process.
//!
//! A build for development has them, a release has none of this. `STEADYHAND_FAILPOINT=step-intended:2:kill` ends the
//! process by SIGKILL when it comes by there the second time; `panic` makes a fault of ours, `eio` and `full` a write
//! that fails. `append-written@step-sent:1:eio` counts only writes that have such an entry. `STEADYHAND_FAILPOINTS_SEEN` names a file that gets a line for each place that is passed.

/// Names each place once.
macro_rules! points {
    ($($point:ident = $name:literal, $what:literal;)+) => {
        /// A place.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $(#[doc = $what] $point,)+
        }

        impl Point {
            /// Every place.
            pub const ALL: &'static [Self] = &[$(Self::$point,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }
        }
    };
}

points! {
    JournalMade = "journal-made", "The tables of a new journal are made.";
    JournalUpgraded = "journal-upgraded", "An older journal has the tables of this version.";
    JournalNamed = "journal-named", "A new journal has its name.";
    AppendBegins = "append-begins", "Nothing of an append is written.";
    AppendWritten = "append-written", "All of an append is written, and not committed.";
    AppendDurable = "append-durable", "An append is durable, and nobody has heard of it.";
    AppendTold = "append-told", "Whoever appended has heard of it.";
    CheckpointBegins = "checkpoint-begins", "The write-ahead log is to be moved into the main file.";
    CheckpointEnds = "checkpoint-ends", "It was moved.";
    EngineStarted = "engine-started", "The start is recorded, and no open run is carried on yet.";
    EngineEnds = "engine-ends", "The end is recorded.";
    StepIntended = "step-intended", "The intent of a step is durable, and nothing is done for it.";
    UndoIntended = "undo-intended", "The intent of an undo is durable, and nothing is done for it.";
    NoticeQueued = "notice-queued", "Notices are queued, and none is being sent.";
    NoticeIntended = "notice-intended", "The intent to send notices is durable, and nothing has left.";
    NoticeSent = "notice-sent", "A path answered, and that is not recorded.";
    NoticeRecorded = "notice-recorded", "What a path answered is recorded.";
    StepHeard = "step-heard", "What became of a step is known here, and not recorded.";
    UndoHeard = "undo-heard", "What became of an undo is known here, and not recorded.";
    StartUnsent = "start-unsent", "A guard listens, and is not told to start.";
    StartSent = "start-sent", "A guard was told to start.";
    Started = "started", "A guard said that the command runs.";
    Ended = "ended", "A guard said how it ended, or that it never will start.";
    SealUnsent = "seal-unsent", "After a restart: a guard is not asked yet what became of a command.";
    SealSent = "seal-sent", "It was asked, and what never started never will.";
    FollowUnsent = "follow-unsent", "What runs is to be followed.";
    FollowSent = "follow-sent", "It is followed.";
    StopUnsent = "stop-unsent", "The processes of a command are to be ended.";
    StopSent = "stop-sent", "The guard was told to end them.";
    AskUnsent = "ask-unsent", "A host listens, and is not asked its question.";
    AskSent = "ask-sent", "It was asked.";
    Asked = "asked", "It has answered.";
}

impl Point {
    /// The edges of a notice.
    pub const OF_NOTICES: [Self; 4] =
        [Self::NoticeQueued, Self::NoticeIntended, Self::NoticeSent, Self::NoticeRecorded];
}

/// A write that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The disk says that it is broken.
    Io,
    /// The disk is full.
    Full,
}

/// Comes by a place where something is written; whether that has an entry of a kind can be asked.
#[cfg(not(debug_assertions))]
#[inline]
pub fn writes(_: Point, _: impl Fn(&str) -> bool) -> Result<(), Fault> {
    Ok(())
}

/// Comes by a place where something is written; whether that has an entry of a kind can be asked.
#[cfg(debug_assertions)]
pub fn writes(point: Point, has: impl Fn(&str) -> bool) -> Result<(), Fault> {
    armed::at(point, has)
}

/// Comes by a place.
#[inline]
pub fn pass(point: Point) {
    // Only a write can fail.
    let _ = writes(point, |_| false);
}

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write as _;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Fault, Point};

    struct Armed {
        point: Point,
        /// Only what has such an entry counts.
        kind: Option<String>,
        /// So many passes are left until it acts.
        left: AtomicU32,
        deed: String,
    }

    #[expect(clippy::disallowed_methods, reason = "a test of the whole process has no other way in")]
    fn environment(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = environment("STEADYHAND_FAILPOINT")?;
        let wrong = || panic!("STEADYHAND_FAILPOINT is no name:number:kill, panic, eio or full: {text}");
        let [place, nth, deed] = text.split(':').collect::<Vec<_>>()[..] else { wrong() };
        let (name, kind) = place.split_once('@').map_or((place, None), |(name, kind)| (name, Some(kind)));
        let known = Point::ALL.iter().find(|point| point.name() == name);
        let (Some(point), Ok(left)) = (known, nth.parse()) else { wrong() };
        let kind = kind.map(ToOwned::to_owned);
        Some(Armed { point: *point, kind, left: AtomicU32::new(left), deed: deed.to_owned() })
    });

    static SEEN: LazyLock<Option<std::fs::File>> = LazyLock::new(|| {
        let path = environment("STEADYHAND_FAILPOINTS_SEEN")?;
        std::fs::File::options().create(true).append(true).open(path).ok()
    });

    pub(super) fn at(point: Point, has: impl Fn(&str) -> bool) -> Result<(), Fault> {
        if let Some(mut seen) = SEEN.as_ref() {
            let _ = seen.write_all(format!("{}\n", point.name()).as_bytes());
        }
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.point == point) else { return Ok(()) };
        if armed.kind.as_ref().is_some_and(|kind| !has(kind)) {
            return Ok(());
        }
        if armed.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return Ok(());
        }
        match armed.deed.as_str() {
            "eio" => Err(Fault::Io),
            "full" => Err(Fault::Full),
            "panic" => panic!("a test makes a fault at {}", point.name()),
            _ => {
                let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
                // Nothing is done any more by this thread until the signal has come.
                loop {
                    std::thread::park();
                }
            }
        }
    }
}
