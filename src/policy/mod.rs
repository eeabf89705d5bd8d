//! People, roles and rules, and the one decision that every door asks.

pub mod decide;
pub mod members;
pub mod model;
pub mod read;
pub mod window;

pub use model::Policy;
