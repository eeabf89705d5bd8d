//! Who is on duty at a moment, and how each person is told: the file `notify.yaml`, with the roles of the policy and
//! what people said since.
//!
//! The moment and the stand-ins come in as values. Wall-clock times are those of the zone of a schedule: a hand-over
//! at 09:00 stays at 09:00. A time that daylight saving leaves out is as much later as the clock was moved, and one
//! that comes twice is the first of both, as calendars have it (RFC 5545).

pub mod hours;
pub mod model;
pub mod on_duty;
pub mod path;
pub mod read;
pub mod stand_in;
pub mod tell;
pub mod trials;

pub use model::Notify;
pub use on_duty::{Duty, OnDuty, Override, Why};
pub use stand_in::{NoStandIn, StandIn};
pub use tell::{Escalation, Fate, Way};
