//! Whole stories on real hosts: commands typed into the chat of the real program, sshd and PostgreSQL of the lab, and
//! the figures of a writer that does what the application does.

#![expect(
    clippy::disallowed_methods,
    reason = "stories start the real program, and real hosts take real time"
)]

mod alerted;
#[path = "../bot.rs"]
mod bot;
mod chat;
mod crashing;
mod discord;
mod documents;
mod examining;
mod failing_over;
mod guarded;
mod hosts;
mod many;
#[path = "../scenes/masked.rs"]
mod masked;
mod one_shot;
mod packs;
mod paged;
mod paths;
mod rebuilding;
mod refusing;
mod rotating;
mod secrets;
mod serving;
mod stopping;
mod told;
mod turns;
mod values;
mod witness;
