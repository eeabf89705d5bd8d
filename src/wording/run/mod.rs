//! A run while it goes on, its questions, and its end.

mod end;
mod events;
mod headline;
mod live;
mod question;

pub use end::{ended, not_planned};
pub use events::{event_line, heard};
pub use headline::headline;
pub use live::{live, progress_lines};
pub use question::questions;
