//! The file as it was read: paths, people, schedules, escalations.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::hours::Hours;
use crate::runbook::model::Word;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{PathName, Person, Role, ScheduleName};
use crate::runbook::source::place::{At, Place};

/// Who is told, and how.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Its name, as `production`.
    pub name: String,
    /// Where the links in notices lead.
    pub answers: Option<Word>,
    /// Ways out of the house.
    pub paths: BTreeMap<PathName, Path>,
    /// How each person is told.
    pub people: BTreeMap<Person, Reached>,
    /// Who is on duty when.
    pub schedules: BTreeMap<ScheduleName, Schedule>,
    /// Who is told, and who next, by role.
    pub escalations: BTreeMap<Role, EscalationRule>,
    /// Where published news go: a status page.
    pub public: Vec<WayRule>,
    /// Who outside notices that the bot is silent.
    pub watcher: Option<Watcher>,
    /// When paths are tried that took nothing for some time.
    pub trials: Trials,
    /// When reports of people and alerts make an incident.
    pub reports: ReportRules,
}

/// A way out of the house.
#[derive(Debug, Clone)]
pub struct Path {
    /// Where its name stands.
    pub place: Place,
    /// What it goes over.
    pub carrier: Carrier,
    /// What it needs to work.
    pub depends_on: Vec<Word>,
}

/// What a path goes over. Secrets are named here and never held.
#[derive(Debug, Clone)]
pub enum Carrier {
    /// A channel on Discord.
    Discord {
        /// Its id.
        channel: Word,
    },
    /// A mail server.
    Mail {
        /// Name and port.
        server: Word,
        /// The address of the sender.
        from: Word,
        /// How the connection is encrypted.
        tls: Tls,
        /// Whom the server knows us as.
        user: Option<Word>,
        /// The secret that holds the password.
        password: Option<Word>,
    },
    /// An address that takes signed messages.
    Webhook {
        /// The address.
        url: Word,
        /// The secret that messages are signed with.
        secret: Word,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// The secret that holds the address.
        url: Word,
    },
    /// A service of `PagerDuty`.
    PagerDuty {
        /// The secret that holds the integration key.
        routing_key: Word,
        /// The address of its events, if it is not the usual one.
        url: Option<Word>,
    },
}

impl Carrier {
    /// As the file calls it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Discord { .. } => "discord",
            Self::Mail { .. } => "mail",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::PagerDuty { .. } => "pagerduty",
        }
    }

    /// Whether it shows a letter once, however often it comes with the same key. An incoming webhook of Slack knows no
    /// keys: whatever it takes twice is read twice.
    pub const fn knows_keys(&self) -> bool {
        !matches!(self, Self::Slack { .. })
    }

    /// The secrets that it names.
    pub fn secrets(&self) -> Vec<&Word> {
        match self {
            Self::Discord { .. } => Vec::new(),
            Self::Mail { password, .. } => password.iter().collect(),
            Self::Webhook { secret: word, .. }
            | Self::Slack { url: word }
            | Self::PagerDuty { routing_key: word, .. } => vec![word],
        }
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first words on, once both have said that they can.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

/// How somebody is told.
#[derive(Debug, Clone)]
pub struct Reached {
    /// Where the name of the person stands.
    pub place: Place,
    /// Best first.
    pub ways: Vec<WayRule>,
}

/// A path, and where on it.
#[derive(Debug, Clone)]
pub struct WayRule {
    /// The path.
    pub path: Word,
    /// Where on it, if the file says that.
    pub to: Option<Word>,
}

/// Who is on duty when.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Where its name stands.
    pub place: Place,
    /// The name of its zone.
    pub zone: Word,
    /// The zone; UTC while its name is none, which has been noted.
    pub time_zone: TimeZone,
    /// A later one goes before an earlier one.
    pub layers: Vec<Layer>,
    /// When nobody is on duty and that is meant.
    pub gaps: Vec<DeclaredGap>,
}

/// One person, or several who take turns.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Where it stands.
    pub place: Place,
    /// In the order of their turns.
    pub people: Vec<Word>,
    /// How long a turn is.
    pub every: Option<At<Millis>>,
    /// When the first turn begins, in the zone of the schedule.
    pub from: Option<DateTime>,
    /// At which hours of the week.
    pub hours: Hours,
}

/// Hours in which nobody is on duty, and that is meant.
#[derive(Debug, Clone)]
pub struct DeclaredGap {
    /// At which hours of the week.
    pub hours: Hours,
    /// Why nobody is needed then.
    pub why: String,
}

/// Who is told, and who next.
#[derive(Debug, Clone)]
pub struct EscalationRule {
    /// Where the name of the role stands.
    pub place: Place,
    /// In this order.
    pub steps: Vec<StepRule>,
    /// Where is cried out when nobody answers.
    pub last_resort: Vec<WayRule>,
}

/// People who are told at the same time.
#[derive(Debug, Clone)]
pub struct StepRule {
    /// Where it stands.
    pub place: Place,
    /// The roles whose people are told.
    pub tell: Vec<Word>,
    /// How long until the next step, if the file says that.
    pub wait: Option<Millis>,
}

/// A dead man's switch outside.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// The secret that holds the address to call.
    pub url: Word,
    /// How often it is called.
    pub every: Millis,
}

/// When paths are tried.
#[derive(Debug, Clone)]
pub struct Trials {
    /// A path that took nothing for so long is tried.
    pub every: At<Millis>,
    /// The hours of the week at which a path that is well is tried; one that failed is tried at once.
    pub hours: Hours,
    /// The zone of these hours, if the file says one; otherwise it is that of the bot.
    pub zone: Option<(Word, TimeZone)>,
}

impl Trials {
    /// Every two days in working hours: Monday to Friday, from 09:00 to 17:00.
    pub fn usual(place: Place) -> Self {
        let hours = Hours { days: (0..5).collect(), from: 9 * 60, to: 17 * 60 };
        Self { every: At::new(Millis(2 * 24 * 3_600_000), place), hours, zone: None }
    }
}

/// When reports of people and alerts make an incident, and who may post alerts.
#[derive(Debug, Clone)]
pub struct ReportRules {
    /// So many sources of one service make an incident,
    pub burst: usize,
    /// if all of them report within this time.
    pub within: Millis,
    /// The secret that a post of alerts shows. Without one no alert is taken.
    pub alerts: Option<Word>,
    /// An alert whose label `severity` is one of these opens an incident at once.
    pub opens_at_once: Vec<String>,
}

impl Default for ReportRules {
    fn default() -> Self {
        let opens_at_once = ["critical", "page"].map(str::to_owned).to_vec();
        Self { burst: 3, within: Millis::minutes(15), alerts: None, opens_at_once }
    }
}

impl Notify {
    /// Every secret that the file names.
    pub fn secrets(&self) -> Vec<&Word> {
        let of_paths = self.paths.values().flat_map(|path| path.carrier.secrets());
        let of_watcher = self.watcher.iter().map(|watcher| &watcher.url);
        of_paths.chain(of_watcher).chain(&self.reports.alerts).collect()
    }
}
