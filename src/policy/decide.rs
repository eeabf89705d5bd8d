//! Who may do what: the one place that every door asks.
//!
//! Answers are three-valued. "You may not" and "your role could not be checked" are different sentences with different
//! codes, and both mean no. Without a policy the answer is no.

use serde::{Deserialize, Serialize};

use super::members::NOT_ASKED;
use super::model::{HeldBy, Policy};
use crate::runbook::model::Word;
use crate::runbook::source::name::Person;

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// The terminal chat, or one line from a shell.
    Console,
    /// A server and its channels on Discord.
    Discord,
    /// The link of a notice: whoever it was sent to says there that they know, and can say nothing else.
    Link,
}

/// Whether a person has one of some roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Has one of them.
    Yes,
    /// Has none of them.
    No,
    /// Nobody can say, and why.
    Unknown(String),
}

/// The answer of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Goes on.
    Allow,
    /// May not, and why.
    Deny(Denial),
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// There is no policy that could allow it.
    NoPolicy(String),
    /// The policy knows no such person or account.
    NoPerson(String),
    /// The door is not open.
    DoorClosed(Door),
    /// The door is open, and not in this server or channel.
    WrongPlace(Door),
    /// None of the needed roles is theirs.
    NoRole {
        /// What they want to do: "Approving".
        deed: &'static str,
        /// The roles of which one is needed.
        needs: Vec<String>,
        /// The roles that they have.
        has: Vec<String>,
        /// People who have a needed role.
        next: Vec<Person>,
    },
    /// Whether a needed role is theirs could not be found out.
    RoleUnknown {
        /// What they want to do.
        deed: &'static str,
        /// Why.
        why: String,
    },
}

impl Policy {
    /// The person behind an account.
    pub fn person_of(&self, door: Door, account: &str) -> Option<&Person> {
        self.people.iter().find_map(|(person, accounts)| {
            let accounts = match door {
                Door::Console => &accounts.console,
                Door::Discord => &accounts.discord,
                Door::Link => return None,
            };
            accounts.iter().any(|known| known.value == account).then_some(person)
        })
    }

    /// Whether commands are taken from a door.
    pub fn is_open(&self, door: Door) -> bool {
        match door {
            Door::Console => self.doors.console,
            Door::Discord => self.doors.discord.is_some(),
            Door::Link => false,
        }
    }

    /// The server on Discord that it names.
    pub fn server(&self) -> Option<&str> {
        self.doors.discord.as_ref().map(|door| door.server.as_str())
    }

    /// Whether commands are taken in this channel of this server on Discord. A thread counts as the channel that it hangs
    /// on; what has no server, as a direct message, is nowhere.
    pub fn is_taken_in(&self, server: Option<&str>, channel: &str) -> bool {
        let Some(door) = &self.doors.discord else { return false };
        server == Some(door.server.as_str()) && door.channels.iter().any(|known| known.as_str() == channel)
    }

    /// Whether a person has one of these roles. One certain yes is enough; without it one unknown makes it unknown.
    pub fn holds(&self, person: &Person, roles: &[String]) -> Holds {
        let mut unknown = None;
        for role in roles {
            match self.roles.get(role.as_str()).map(|role| &role.held_by) {
                Some(HeldBy::People(people)) if people.iter().any(|word| word.value == person.as_str()) => {
                    return Holds::Yes;
                }
                Some(HeldBy::Schedule { now: Ok(people), .. }) if people.contains(person) => {
                    return Holds::Yes;
                }
                Some(HeldBy::Schedule { schedule, now: Err(why) }) => {
                    unknown = Some(format!("`{role}` follows the schedule `{}`: {why}", schedule.value));
                }
                Some(HeldBy::Discord { now, .. }) if self.people.contains_key(person) => {
                    match now.get(person) {
                        Some(Ok(true)) => return Holds::Yes,
                        Some(Ok(false)) => {}
                        seat => {
                            let why =
                                seat.and_then(|seat| seat.as_ref().err()).map_or(NOT_ASKED, String::as_str);
                            unknown = Some(format!("`{role}` is given on Discord, which {why}"));
                        }
                    }
                }
                Some(HeldBy::People(_) | HeldBy::Schedule { .. } | HeldBy::Discord { .. }) => {}
                Some(HeldBy::Nobody) | None => {
                    unknown = Some(format!("the policy does not say who has `{role}`"));
                }
            }
        }
        unknown.map_or(Holds::No, Holds::Unknown)
    }

    /// Whether what somebody agreed to still counts: they had these roles then, and one of `needs` was needed. What
    /// people and schedules gave them stays, since the plan covers the policy. What Discord gave must be theirs now.
    pub fn still_counts(&self, person: &Person, had: &[String], needs: &[String]) -> Holds {
        let of_discord = |role: &String| {
            matches!(self.roles.get(role.as_str()).map(|role| &role.held_by), Some(HeldBy::Discord { .. }))
        };
        let mut by = needs.iter().filter(|role| had.contains(role));
        if by.any(|role| !of_discord(role)) { Holds::Yes } else { self.holds(person, needs) }
    }

    /// The people who certainly have one of these roles.
    pub fn holders(&self, roles: &[String]) -> Vec<Person> {
        self.people.keys().filter(|person| self.holds(person, roles) == Holds::Yes).cloned().collect()
    }

    /// The roles that a person certainly has.
    pub fn roles_of(&self, person: &Person) -> Vec<String> {
        let all = self.roles.keys().map(ToString::to_string);
        all.filter(|role| self.holds(person, std::slice::from_ref(role)) == Holds::Yes).collect()
    }

    /// Whether a person who has one of these roles may go on.
    pub fn needs_role(&self, person: &Person, deed: &'static str, roles: &[String]) -> Ruling {
        if !self.people.contains_key(person) {
            return Ruling::Deny(Denial::NoPerson(person.to_string()));
        }
        match self.holds(person, roles) {
            Holds::Yes => Ruling::Allow,
            Holds::Unknown(why) => Ruling::Deny(Denial::RoleUnknown { deed, why }),
            Holds::No => Ruling::Deny(Denial::NoRole {
                deed,
                needs: roles.to_vec(),
                has: self.roles_of(person),
                next: self.holders(roles).into_iter().filter(|other| other != person).collect(),
            }),
        }
    }
}

/// Roles as plain texts.
pub fn role_names(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.value.clone()).collect()
}

/// The policy of a set, or the denial that stands in its place.
pub fn policy_of(policy: &Result<Policy, String>) -> Result<&Policy, Denial> {
    policy.as_ref().map_err(|why| Denial::NoPolicy(why.clone()))
}

impl Denial {
    /// The stable code that stands beside the sentence.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPolicy(_) => "no-policy",
            Self::NoPerson(_) => "no-person",
            Self::DoorClosed(_) => "door-closed",
            Self::WrongPlace(_) => "wrong-place",
            Self::NoRole { .. } => "no-role",
            Self::RoleUnknown { .. } => "role-unknown",
        }
    }
}
