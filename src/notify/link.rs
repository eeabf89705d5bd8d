//! Links by which one person answers one notice: signed, for one person, for seven days. Pure: the key and the time come in.
//!
//! Whoever has the link is taken for the person whom it was sent to, so it can do one thing only: say that they know. That
//! it is used once is known by the incident, which has the acknowledgement then. Looking at the page behind it changes
//! nothing, since the scanners of mail servers look at every link.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::incident::IncidentId;
use crate::runbook::source::name::Person;

/// Where the page of a link stands behind the address of the bot; the token follows.
pub const ROUTE: &str = "/answer/";
/// So long a link is good: over a long weekend, and not for ever in a mailbox.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A token is shorter than that; what is longer is not even looked at.
const MAX_TOKEN: usize = 256;
/// What is signed begins with this, so that nothing else that the key signs is ever taken for a link.
const PURPOSE: &[u8] = b"steadyhand answer link 1\0";

/// Makes and checks links.
pub struct Links {
    base: String,
    key: [u8; 32],
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of which incident.
    pub incident: IncidentId,
    /// Whom it was sent to.
    pub person: Person,
    /// In which notice.
    pub notice: u32,
    /// Until when it is good.
    pub until: Timestamp,
}

/// Why a link is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Part of it is missing, or somebody changed it, or another bot made it: which of them, nobody is told.
    #[error(
        "This link is not one of ours: it was cut off, changed, or made by another bot. Next: open it from the message \
         again, or say `incident ack` in the chat or on the console."
    )]
    NotOurs,
    /// It was one.
    #[error(
        "This link was good for seven days, which are over. Next: say `incident ack` in the chat or on the console."
    )]
    Expired,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Links {
    /// Links that lead to this address of the bot, as `https://steadyhand.example.com`.
    pub fn new(base: &str, key: [u8; 32]) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), key }
    }

    /// A link by which this person says that they know.
    pub fn mint(&self, incident: IncidentId, person: &Person, notice: u32, now: Timestamp) -> String {
        let until = now.saturating_add(GOOD_FOR).map_or(i64::MAX, Timestamp::as_second);
        let payload = URL_SAFE_NO_PAD.encode(format!("{} {notice} {until} {person}", incident.0));
        let signature = URL_SAFE_NO_PAD.encode(self.signing(&payload).finalize().into_bytes());
        format!("{}{ROUTE}{payload}.{signature}", self.base)
    }

    /// What the token of a link says, if we signed it and it is still good.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Claim, Bad> {
        let (payload, signature) =
            token.split_once('.').filter(|_| token.len() <= MAX_TOKEN).ok_or(Bad::NotOurs)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Bad::NotOurs)?;
        // Compares in constant time. Nothing of the payload is read before.
        self.signing(payload).verify_slice(&signature).map_err(|_| Bad::NotOurs)?;
        let claim = read(payload).ok_or(Bad::NotOurs)?;
        if now < claim.until { Ok(claim) } else { Err(Bad::Expired) }
    }

    fn signing(&self, payload: &str) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update(PURPOSE);
        mac.update(payload.as_bytes());
        mac
    }
}

/// HMAC-SHA256 with this key.
pub(super) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length; the error belongs to other algorithms"
    )]
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn read(payload: &str) -> Option<Claim> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let mut words = text.split(' ');
    let incident = IncidentId(words.next()?.parse().ok()?);
    let notice = words.next()?.parse().ok()?;
    let until = Timestamp::from_second(words.next()?.parse().ok()?).ok()?;
    let person = Person::new(words.next()?)?;
    words.next().is_none().then_some(Claim { incident, person, notice, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::new("https://bot.example/", [7; 32])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The token of a link for ana.
    fn token() -> String {
        let link = links().mint(IncidentId(31), &Person::new("ana").unwrap(), 4, at(1_000));
        link.strip_prefix("https://bot.example/answer/").expect(&link).to_owned()
    }

    #[test]
    fn a_link_says_who_was_told_of_what() {
        let claim = links().check(&token(), at(2_000)).unwrap();

        assert_eq!((claim.incident, claim.notice), (IncidentId(31), 4));
        assert_eq!(claim.person.as_str(), "ana");
        assert_eq!(claim.until, at(1_000 + 7 * 24 * 3_600));
    }

    #[test]
    fn a_link_is_good_for_seven_days_and_no_second_longer() {
        let end = 1_000 + 7 * 24 * 3_600;

        assert!(links().check(&token(), at(end - 1)).is_ok());
        assert_eq!(links().check(&token(), at(end)), Err(Bad::Expired));
    }

    #[test]
    fn no_character_of_a_link_can_be_changed_or_left_out() {
        let token = token();
        for place in 0..token.len() {
            let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
            let mut changed = token.clone();
            changed.replace_range(place..=place, other);
            assert_eq!(links().check(&changed, at(2_000)), Err(Bad::NotOurs), "changed at {place}");
            assert_eq!(links().check(&token[..place], at(2_000)), Err(Bad::NotOurs), "cut off at {place}");
        }
        assert_eq!(links().check(&format!("{token}A"), at(2_000)), Err(Bad::NotOurs));
        assert_eq!(links().check(&"A.".repeat(10_000), at(2_000)), Err(Bad::NotOurs));
    }

    #[test]
    fn a_link_of_another_bot_is_not_ours() {
        let other = Links::new("https://bot.example", [8; 32]);

        assert_eq!(other.check(&token(), at(2_000)), Err(Bad::NotOurs));
    }

    #[test]
    fn an_expired_link_that_was_forged_is_said_to_be_forged() {
        let token = token();
        let (_, signature) = token.split_once('.').unwrap();
        let forged = format!("{}.{signature}", URL_SAFE_NO_PAD.encode("31 4 1000 ben"));

        assert_eq!(links().check(&forged, at(i64::from(u32::MAX))), Err(Bad::NotOurs));
    }

    #[test]
    fn nothing_shows_the_key() {
        let shown = format!("{:?}", Links::new("https://bot.example", *b"abcdefghijklmnopqrstuvwxyz012345"));

        assert_eq!(shown, "Links { base: \"https://bot.example\", .. }");
    }
}
