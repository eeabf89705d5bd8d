//! Whom the bot tells, on loopback, for tests: a real mail server (aiosmtpd), and services that speak real HTTP and are
//! stricter than the real ones: what those would take in silence, as a key that they do not know, is refused here.
//!
//! ```no_run
//! use peers::{Fault, Peer};
//!
//! let pager = Peer::pagerduty("a routing key of 32 letters and such");
//! pager.next(Fault::status(429).after(30));
//! // … point the bot at pager.url() …
//! pager.wait_for(1);
//! println!("{:?}", pager.alerts());
//! pager.goes_away();
//! pager.assert_clean();
//! ```
//!
//! Everything is synchronous and on threads of its own, so that tests of any kind can use it. Whatever was started ends
//! when its value is dropped.
//!
//! What it claims of Slack, PagerDuty and healthchecks comes from their documentation; no real one was asked.

#![expect(clippy::missing_panics_doc, reason = "a test ends by a panic; the sentence of each says why")]

mod fault;
mod request;
mod peer;
mod strict;
mod webhook;
mod slack;
mod pagerduty;
mod healthchecks;
mod deaf;
mod mail;

pub use deaf::Deaf;
pub use fault::Fault;
pub use mail::{Login, Mail, MailFault, MailServer, MailTls};
pub use pagerduty::Alert;
pub use peer::{Came, Peer};
pub use request::Request;
