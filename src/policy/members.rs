//! What Discord says of people: which roles of its server they have. It is known for some minutes, and then nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::model::{HeldBy, Policy};
use crate::runbook::source::name::Person;

/// So long what Discord said counts. It is asked every minute: one answer that is missing takes no role from anybody.
pub const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(3);

/// Why nobody knows what Discord says, behind its name.
pub(super) const NOT_ASKED: &str = "has not been asked yet";

/// What Discord said last of each user that the policy knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    said: BTreeMap<String, Said>,
}

/// What was said of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// The ids of all roles that they have; none if they are not on the server.
    roles: BTreeSet<String>,
    /// When it was asked: what is said is no older.
    asked: Timestamp,
}

/// Who has a role of the policy that Discord gives; or why nobody knows, behind the name of Discord. Of whoever is missing
/// nobody knows either.
pub type Seats = BTreeMap<Person, Result<bool, String>>;

impl Members {
    /// Discord says which roles a user has. What was asked earlier than what is known is not heard.
    pub fn hear(&mut self, user: &str, roles: BTreeSet<String>, asked: Timestamp) {
        if self.said.get(user).is_none_or(|known| known.asked <= asked) {
            self.said.insert(user.to_owned(), Said { roles, asked });
        }
    }

    /// The people who had a role of Discord when it was last asked, however long ago.
    pub fn last_holders(&self, policy: &Policy, role: &str) -> BTreeSet<Person> {
        let has = |user: &str| self.said.get(user).is_some_and(|said| said.roles.contains(role));
        let people = policy.people.iter();
        let holders = people.filter(|(_, accounts)| accounts.discord.iter().any(|user| has(user)));
        holders.map(|(person, _)| person.clone()).collect()
    }

    /// Who has one of these roles of Discord at this moment. Whoever has no account there certainly has none.
    fn seats(&self, policy: &Policy, roles: &[String], now: Timestamp) -> Seats {
        let fresh = |user: &str| {
            let said = self.said.get(user).ok_or_else(|| NOT_ASKED.to_owned())?;
            if now.duration_since(said.asked).abs() <= KNOWN_FOR {
                return Ok(roles.iter().any(|role| said.roles.contains(role)));
            }
            let asked = said.asked.strftime("%Y-%m-%d %H:%M UTC");
            Err(format!("was last asked at {asked}, and that counts for {} minutes", KNOWN_FOR.as_mins()))
        };
        let seat = |users: &[crate::runbook::model::Word]| {
            let mut seat = Ok(false);
            for said in users.iter().map(|user| fresh(user)) {
                match said {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(why) => seat = Err(why),
                }
            }
            seat
        };
        policy.people.iter().map(|(person, accounts)| (person.clone(), seat(&accounts.discord))).collect()
    }

    /// The policy with who has roles of Discord at this moment. `None` if that is what it says already.
    pub fn policy_at(&self, policy: &Policy, now: Timestamp) -> Option<Policy> {
        let of_discord = policy.roles.iter().filter_map(|(name, role)| match &role.held_by {
            HeldBy::Discord { roles, now: known } => Some((name, roles, known)),
            _ => None,
        });
        let mut changed = Vec::new();
        for (name, roles, known) in of_discord {
            let seats = self.seats(policy, &super::decide::role_names(roles), now);
            if seats != *known {
                changed.push((name.clone(), seats));
            }
        }
        if changed.is_empty() {
            return None;
        }
        let mut policy = policy.clone();
        for (name, seats) in changed {
            if let Some(HeldBy::Discord { now, .. }) =
                policy.roles.get_mut(&name).map(|role| &mut role.held_by)
            {
                *now = seats;
            }
        }
        Some(policy)
    }
}

impl Policy {
    /// The ids of all roles of Discord that it names.
    pub fn roles_of_discord(&self) -> BTreeSet<&str> {
        let named = self.roles.values().filter_map(|role| match &role.held_by {
            HeldBy::Discord { roles, .. } => Some(roles),
            _ => None,
        });
        named.flatten().map(|role| role.as_str()).collect()
    }
}
