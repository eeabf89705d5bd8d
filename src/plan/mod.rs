//! From a runbook, arguments, an inventory and facts to a plan with a digest.
//!
//! Pure: what has to be measured is asked for as data ([`measure`]), and comes back as readings. The order is: bind the
//! parameters, measure the topology, bind the hosts, ask preflight, build. What is shown is what is run.

pub mod beside;
pub mod bind;
pub mod build;
pub mod difference;
pub mod digest;
pub mod examined;
pub mod measure;
pub mod model;
pub mod question;
pub mod situation;
pub mod topology;
pub mod usual;

pub use digest::{Digest, canonical_json};
pub use model::{Offer, Plan, Resource};
pub use situation::Situation;
