//! What a service shows of the engine: whether its runs are carried, and how many stand where.

use std::time::Duration;

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::conductor::Mail;
use super::{Engine, lock};
use crate::run::model::UnitState;

/// How many runs stand where, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Runs that have not ended.
    pub open: usize,
    /// Of these, those that wait for a person.
    pub waiting: usize,
    /// Of these, those that nobody carries on because of a fault.
    pub parked: usize,
    /// Steps of open runs of which nobody knows how they ended.
    pub unknown: usize,
}

impl Engine {
    /// How many runs stand where. What is parked is not read again for it.
    pub fn standing(&self) -> Standing {
        let parked = lock(&self.inner.parked).len();
        let mut standing = Standing { open: parked, parked, ..Standing::default() };
        let carried: Vec<_> =
            lock(&self.inner.carried).values().map(|carried| carried.state.borrow().clone()).collect();
        for run in carried.iter().filter(|run| !run.is_ended()) {
            let unknown = run.units.values().filter(|state| matches!(state, UnitState::Unknown { .. }));
            standing.open += 1;
            standing.waiting += usize::from(run.waits_for_person());
            standing.unknown += unknown.count();
        }
        standing
    }

    /// How many runs do not answer in this time, though they are carried.
    pub async fn silent(&self, within: Duration) -> usize {
        let mut silent = 0;
        let mut asked = Vec::new();
        for carried in lock(&self.inner.carried).values() {
            let (reply, answer) = oneshot::channel();
            match carried.mailbox.try_send(Mail::Ping(reply)) {
                Ok(()) => asked.push(answer),
                Err(_) => silent += 1,
            }
        }
        let mut late = self.inner.clock.after(within);
        let mut is_late = false;
        for mut answer in asked {
            if !is_late {
                tokio::select! {
                    // One that has just ended says nothing any more: that is an answer.
                    _ = &mut answer => continue,
                    () = &mut late => is_late = true,
                }
            }
            silent += usize::from(answer.try_recv() == Err(TryRecvError::Empty));
        }
        silent
    }

    /// How many events the slowest of those who follow has not seen yet.
    pub fn behind(&self) -> usize {
        self.inner.followers.len()
    }

    /// Whether the journal can be relied on.
    pub fn is_sound(&self) -> bool {
        !self.inner.is_fatal()
    }
}
