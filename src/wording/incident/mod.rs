//! Incidents as people see them who look: which there are, how one stands, what happened, what is left to write. For
//! operators, who may know all of it; what Support and the public read is in `wording::notice`.

pub mod card;
pub mod export;
pub mod help;
pub mod heard;
pub mod list;
pub mod log;
pub mod of_run;
pub mod post;
pub mod refusal;
pub mod reports;
pub mod said;
pub mod timeline;
pub mod told;
#[cfg(test)]
pub(in crate::wording) mod sample;
#[cfg(test)]
mod tests;

pub use card::card;
pub use export::export;
pub use heard::heard;
pub use list::{list, section};
pub use post::Post;
pub use timeline::{Line, timeline};
