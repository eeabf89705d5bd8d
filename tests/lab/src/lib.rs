//! Real hosts on loopback, for tests and for trying things out.
//!
//! A [`Lab`] is a small data centre inside one directory: seven hosts, each with an sshd of its own on its own address,
//! three of them with PostgreSQL, one with `HAProxy`, and every way to hurt them that works without root. Nothing is simulated but the
//! machine: the bot's scripts run over SSH on real servers, and what they lose is really lost.
//!
//! ```no_run
//! # fn main() -> lab::Result<()> {
//! let lab = lab::Lab::up(lab::Spec::default().fast())?;
//! let writer = lab.writer()?;
//! lab.host("pg1").freeze()?;
//! // … the bot fails over to pg2 …
//! assert!(writer.stop()?.lost.is_empty());
//! # Ok(()) }
//! ```
//!
//! In reading order: what there is (`topology`, `block`, `spec`), the facts of one lab (`ground`), what runs in it
//! (`sshd`, `postgres`, `balance`, `seed`, `backup`, `raise`), asking and hurting (`host`, `harm`, `writer`), and the end (`bury`, `gc`).
//! Linux only: processes are known by what /proc says of them.

mod account;
mod backup;
mod balance;
mod block;
mod bot_files;
mod bury;
mod claim;
mod doctor;
mod error;
mod farm;
mod gc;
mod ground;
mod harm;
mod homes;
mod host;
mod install;
mod keys;
mod lab;
mod network;
mod patience;
mod place;
mod postgres;
mod process;
mod programs;
mod raise;
mod run;
mod seed;
mod spec;
mod sshd;
mod status;
mod topology;
mod writer;

pub use block::Block;
pub use doctor::{Finding, Verdict, examine};
pub use error::{Error, Result};
pub use farm::Farm;
pub use gc::{Cleared, clear_leftovers, remove_half_built_seeds, remove_seeds};
pub use homes::{Awake, Homes};
pub use host::{Host, USUAL_LIMIT};
pub use install::{Installation, installation};
pub use lab::Lab;
pub use network::Reach;
pub use run::Answer;
pub use spec::Spec;
pub use status::{HostStatus, Node, Power};
pub use writer::{Figures, Gap, Report, Writer};
