//! What people must know of a run.

use steadyhand::incident::from_run::trouble_of;
use steadyhand::incident::model::Trouble;
use steadyhand::run::model::{Failure, Outcome, WatchAt};
use steadyhand::run::{Event, Run, Stamped};

use crate::run::driven::{Driven, a_run_of};
use crate::run::plans::{a_plan, fails, noon, unit};

fn of(run: &Run, event: Event) -> Option<Trouble> {
    trouble_of(run, &Stamped { at: noon(), by: None, event })
}

#[test]
fn a_run_that_was_driven_to_its_start_has_started_once_and_nothing_else_was_of_note() {
    let driven = Driven::working(&a_plan().step("Fence").made());

    let heard: Vec<_> = driven.log.iter().filter_map(|it| trouble_of(&driven.run, it)).collect();

    assert!(driven.log.len() > 3);
    assert_eq!(heard, [Trouble::Starts]);
}

#[test]
fn each_trouble_names_its_step_for_operators() {
    let driven = Driven::working(&a_plan().step("Fence").step("Move").made());
    let run = &driven.run;
    let failure = Failure::Unreachable("no route".to_owned());
    let at = || unit(2);
    let name = || "step 2: Move".to_owned();

    assert_eq!(of(run, Event::StepFailed { unit: at(), failure }), Some(Trouble::Failed(name())));
    assert_eq!(
        of(run, Event::StepUnknown { unit: at(), why: "?".to_owned() }),
        Some(Trouble::Unknown(name()))
    );
    assert_eq!(
        of(run, Event::GateOverdue { unit: at(), failed: Vec::new() }),
        Some(Trouble::Overdue(name()))
    );
    let stalled = Event::StepStalled { unit: at(), done: "3".to_owned(), since: noon(), rate: None };
    assert_eq!(of(run, stalled), Some(Trouble::Stalled(name())));
    let broke =
        |unit| Event::WatchBroke { watch: WatchAt { unit, index: 0 }, seen: fails("lag"), ends: false };
    assert_eq!(of(run, broke(Some(at()))), Some(Trouble::WatchBroke(name())));
    assert_eq!(of(run, broke(None)), Some(Trouble::WatchBroke("the whole run".to_owned())));
    let undo = |unknown| Event::UndoFailed { unit: at(), why: "no".to_owned(), unknown, output: None };
    assert_eq!(of(run, undo(false)), Some(Trouble::Failed(format!("taking back {}", name()))));
    assert_eq!(of(run, undo(true)), Some(Trouble::Unknown(format!("taking back {}", name()))));
    let ended = |outcome| Event::Ended { outcome, remarks: vec!["pg1 is left frozen.".to_owned()] };
    assert_eq!(of(run, ended(Outcome::Stuck)), Some(Trouble::EndedBadly("pg1 is left frozen.".to_owned())));
    assert_eq!(of(run, ended(Outcome::Succeeded)), None);
}

#[test]
fn to_stop_a_run_is_of_note_once_it_has_begun() {
    let stop = || Event::StopAsked { now: false };
    let plan = a_plan().step("Fence").made();

    assert_eq!(of(&Driven::working(&plan).run, stop()), Some(Trouble::Stopped));
    assert_eq!(of(&a_run_of(&plan).planned().run, stop()), None);
}
