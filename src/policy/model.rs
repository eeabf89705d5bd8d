//! The policy as it was read: people, roles, windows, doors, and rules that only tighten.

use std::collections::BTreeMap;

use super::members::Seats;
use crate::runbook::model::{Effect, Word};
use crate::runbook::source::name::{Person, Role};
use crate::runbook::source::place::{At, Place};

/// The policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name, as `production`.
    pub name: String,
    /// Who there is.
    pub people: BTreeMap<Person, Accounts>,
    /// What people are.
    pub roles: BTreeMap<Role, RoleHolders>,
    /// Times of the week.
    pub windows: BTreeMap<String, Window>,
    /// Where commands are taken from.
    pub doors: Doors,
    /// What makes runbooks stricter.
    pub rules: Vec<Rule>,
    /// Secrets, and the runbooks that may read each.
    pub secrets: BTreeMap<String, Vec<Word>>,
    /// Who may say the words of incidents that end or publish something. Without it everybody with a role may.
    pub incidents: Option<Box<IncidentRights>>,
    /// The last way.
    pub break_glass: Option<BreakGlass>,
}

/// The accounts of a person.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Where the name of the person stands.
    pub place: Place,
    /// Discord user ids.
    pub discord: Vec<Word>,
    /// Login names on the machine of the bot.
    pub console: Vec<Word>,
}

/// Who has a role.
#[derive(Debug, Clone)]
pub struct RoleHolders {
    /// Where the name of the role stands.
    pub place: Place,
    /// Who has it.
    pub held_by: HeldBy,
    /// Who is asked when nobody answers.
    pub escalates_to: Option<Word>,
}

/// How a role is held.
#[derive(Debug, Clone)]
pub enum HeldBy {
    /// By these people, always.
    People(Vec<Word>),
    /// By whomever a schedule names.
    Schedule {
        /// The schedule.
        schedule: Word,
        /// Who is on duty at the moment of this policy; or why nobody can know.
        now: Result<Vec<Person>, String>,
    },
    /// By those people of this policy who have one of these roles on its Discord server.
    Discord {
        /// The ids of the roles.
        roles: Vec<Word>,
        /// Who has one at the moment of this policy; or why nobody can know.
        now: Seats,
    },
    /// Several of them or none: a problem has been noted.
    Nobody,
}

/// A time of the week.
#[derive(Debug, Clone)]
pub struct Window {
    /// The days on which it begins, 0 being Monday.
    pub days: Vec<i8>,
    /// When it begins, in minutes after midnight.
    pub from: i32,
    /// When it ends, in minutes after midnight; on the next day if not later than `from`.
    pub to: i32,
    /// The time zone.
    pub zone: Word,
}

/// Where commands are taken from.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// Whether the terminal chat is a door.
    pub console: bool,
    /// Where on Discord.
    pub discord: Option<DiscordDoor>,
}

/// Where on Discord commands are taken from.
#[derive(Debug, Clone)]
pub struct DiscordDoor {
    /// The id of the server.
    pub server: Word,
    /// The ids of the channels; the first one shows runs that were asked for elsewhere.
    pub channels: Vec<Word>,
}

/// What makes runbooks stricter.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it stands.
    pub place: Place,
    /// The runbooks that it is about; `None` is all.
    pub runbooks: Option<Vec<Word>>,
    /// Only those with a step of this effect.
    pub effect: Option<Effect>,
    /// So many people must approve.
    pub approve_at_least: Option<u32>,
    /// What happens when the last rehearsal is too old.
    pub stale_rehearsal: Option<At<String>>,
    /// A run changes at most so many hosts.
    pub most_hosts: Option<usize>,
    /// A run changes at most so many percent of a cluster's hosts, rounded up.
    pub most_of_cluster: Option<f64>,
}

/// The roles that some words of incidents need. A word that it does not name is for everybody with a role.
#[derive(Debug, Clone, Default)]
pub struct IncidentRights {
    /// To draft what customers read, and to publish it.
    pub publish: Option<Vec<Word>>,
    /// To say that it is over, to close it, and to say that it is less bad.
    pub resolve: Option<Vec<Word>>,
    /// To say that something owed is not needed.
    pub waive: Option<Vec<Word>>,
}

/// The last way past the approvals.
#[derive(Debug, Clone)]
pub struct BreakGlass {
    /// Who may take it.
    pub by: Vec<Word>,
    /// Who is told at once.
    pub tell: Vec<Word>,
}
