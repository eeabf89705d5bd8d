//! From wherever a run stands there is a way to its end: if from now on every host answers well and every person says
//! what helps, it comes there by itself, and nobody has to say stop.

use steadyhand::run::model::{Phase, UndoStep, UnitState};
use steadyhand::run::{Act, Input, Says, deadline, next};

use super::driven::{Driven, seen};

/// A run that has not ended after so many good answers never will.
const ENOUGH: usize = 400;

impl Driven {
    /// Everything goes well from now on. `Err` tells where it hangs.
    pub(super) fn goes_well(&mut self) -> Result<(), String> {
        for _ in 0..ENOUGH {
            if self.run.is_ended() {
                return Ok(());
            }
            let version = self.run.version;
            if self.run.pause.is_some() && self.run.phase == Phase::Working {
                self.says("ben", Says::Resume);
                continue;
            }
            for act in next(&self.run) {
                // A watch that holds is asked on, and says nothing; a step that moves neither.
                let quiet = matches!(act, Act::Watch(_, false) | Act::Progress(_, _, false) | Act::Halt(..));
                if quiet {
                    continue;
                }
                let world = self.report(&act, 1);
                self.world(world);
                if self.run.version != version {
                    break;
                }
            }
            if self.run.version == version {
                self.somebody_helps();
            }
            if let Some(moment) = deadline(&self.run).filter(|_| self.run.version == version) {
                self.now = self.now.max(moment);
                self.hears(Input::Tick);
            }
            if self.run.version == version {
                return Err(format!("nothing helps any more: {}", seen(&self.run)));
            }
        }
        Err(format!("it goes on for ever: {}", seen(&self.run)))
    }

    /// The answer that carries the run on.
    fn somebody_helps(&mut self) {
        let undo_unknown = self
            .run
            .undo
            .as_ref()
            .is_some_and(|undo| matches!(undo.step, UndoStep::Failed { unknown: true, .. }));
        let question = self.run.questions().next().map(|(_, state)| state.clone());
        let version = self.run.version;
        for (which, how) in [(0, 0), (1, 0), (2, 0)] {
            let Some((by, says)) = self.answer(which, how) else { return };
            let says = match (says, &question) {
                (Says::Settle { unit, how, .. }, _) if undo_unknown => Says::Settle { unit, done: true, how },
                (Says::Settle { unit, how, .. }, Some(UnitState::Unknown { .. })) => {
                    Says::Settle { unit, done: true, how }
                }
                (says, _) => says,
            };
            self.says(by, says);
            if self.run.version != version {
                return;
            }
        }
    }
}
