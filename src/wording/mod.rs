//! Every sentence said to people, as plain data, by audience. Pages speak to operators; notices also to Support and the public.
//!
//! Pure functions from what is known to a [`Page`]. Who shows it decides about width and colour. What comes from
//! hosts or from authors is made visible here and is never anything but text.

pub mod answer;
pub mod check;
pub mod discord;
pub mod doctor;
pub mod duty;
pub mod incident;
pub mod look;
pub mod moment;
pub mod notice;
pub mod page;
pub mod paths;
pub mod plan;
pub mod record;
pub mod refusal;
pub mod run;
pub mod states;

pub use moment::Moment;
pub use page::Page;
