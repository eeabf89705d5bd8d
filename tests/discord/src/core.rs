//! The lock around the world, and the bell that rings when it changed.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::wire::Power;
use crate::world::World;

/// Shared by all connections and by the tests.
#[derive(Clone)]
pub(crate) struct Core {
    world: Arc<Mutex<World>>,
    changes: watch::Sender<u64>,
    pub(crate) power: Power,
}

impl Core {
    pub(crate) fn new(world: World, power: Power) -> Self {
        Self { world: Arc::new(Mutex::new(world)), changes: watch::Sender::new(0), power }
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world, and wakes those who wait for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let came = change(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner));
        self.ring();
        came
    }

    pub(crate) fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn bell(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
