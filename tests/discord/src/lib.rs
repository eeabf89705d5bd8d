//! A Discord on loopback, for tests: REST v10 and gateway v10 over plain http and ws, stricter than the real one.
//!
//! A bot is pointed at [`Discord::url`] with [`Discord::token`]. People of the guild then type commands, press buttons
//! and fill in modals, as far as their clients would let them; and a test looks at what they see, at every
//! request that came, and at how quickly the bot answered. Whatever Discord refuses is refused with its
//! codes; unknown fields are refused as well, and requests that nothing here answers are noted as strangers'.
//!
//! ```no_run
//! # async fn story() -> Result<(), discord::CannotDo> {
//! let discord = discord::Discord::start().await;
//! // … start the bot with discord.url() and discord.token() …
//! discord.until_ready().await;
//! let ana = discord.person("ana");
//! let asked = ana.types("/run failover cluster=orders reason=\"pg1 is frozen\"")?;
//! let card = asked.reply().await;
//! ana.presses(&card, "Confirm…")?.modal().await.submit(&[("token", "k3v9")])?;
//! println!("{}", discord.shows("ops"));
//! discord.assert_clean();
//! # Ok(()) }
//! ```
//!
//! In reading order: limits and shapes (`limits`, `refusal`, `shape`, `rules`), the world (`clock`, `permission`, `message`,
//! `interaction`, `world`, `payload`), what goes over the wire (`wire`, `core`, `faults`, `record`, `sessions`, `gateway`,
//! `rest`), and what tests hold (`discord`, `harm`, `seen`, `people`, `typed`, `asked`, `script`).

#![expect(clippy::missing_panics_doc, reason = "a test ends by a panic; the sentence of each says why")]

pub mod limits;
mod refusal;
mod shape;
mod rules;
mod clock;
mod permission;
mod message;
mod interaction;
mod world;
mod payload;
mod wire;
mod core;
mod faults;
mod record;
mod sessions;
mod gateway;
mod rest;
mod discord;
mod harm;
mod seen;
mod people;
mod typed;
mod asked;
mod script;

pub use asked::{Answer, Asked, Choice, Input, Modal};
pub use discord::Discord;
pub use faults::Fault;
pub use harm::Release;
pub use people::{CannotDo, Person};
pub use permission::Permission;
pub use record::Request;
pub use script::Script;
pub use seen::{Button, Card, File, Seen};
pub use sessions::Happening;
pub use typed::Typed;
