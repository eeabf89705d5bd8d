//! An incident at night, for the tests of words: a run failed, nobody has answered yet.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::duty::Way;
use crate::incident::IncidentId;
use crate::incident::model::{
    About, Audience, Cause, Delivery, Draft, Incident, Notice, Obligation, Opened, Owed, Published, Severity,
    Status, Trouble, Update,
};
use crate::run::RunId;
use crate::runbook::source::name::{PathName, Person, Role};
use crate::wording::moment::Moment;

/// Whatever only operators may read has this in it.
pub(in crate::wording) const SECRET: &str = "pg1-rm-rf";

pub(in crate::wording) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(in crate::wording) fn moment() -> Moment {
    let zone = TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap_or(TimeZone::UTC);
    Moment { now: at("2026-11-18T03:09:00+01:00"), zone }
}

pub(in crate::wording) fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

pub(in crate::wording) fn owed(number: u32, owed: Owed, who: &str, due: &str) -> Obligation {
    Obligation {
        number,
        owed,
        who: Role::new(who).unwrap(),
        since: at("2026-11-18T03:09:00+01:00"),
        due: at(due),
        reminded: false,
        late: None,
        end: None,
        call: None,
        holds_back: None,
    }
}

/// What a person drafted while it went on.
pub(in crate::wording) fn drafted(text: &str) -> Draft {
    Draft { text: text.to_owned(), ready: false, over: false }
}

/// What cleo published while it went on.
pub(in crate::wording) fn published(text: &str) -> Published {
    Published { at: at("2026-11-18T03:31:00+01:00"), by: person("cleo"), text: text.to_owned(), over: false }
}

pub(in crate::wording) fn incident() -> Incident {
    let since = at("2026-11-18T03:09:00+01:00");
    Incident {
        id: IncidentId(31),
        version: 1,
        opened: Opened {
            cause: Cause::Run { run: RunId(142), trouble: Trouble::Failed(format!("step 3 on {SECRET}")) },
            severity: Severity::Sev1,
            service: None,
            title: "Order processing".to_owned(),
            components: Vec::new(),
            what: format!("failover-database on {SECRET}"),
            owner: Role::new("on-call").unwrap(),
            drill: None,
            news: None,
            follows: None,
        },
        since,
        severity: Severity::Sev1,
        status: Status::Investigating,
        runs: BTreeMap::new(),
        parts: BTreeMap::new(),
        obligations: vec![
            owed(1, Owed::Acknowledged, "on-call", "2026-11-18T03:14:00+01:00"),
            owed(2, Owed::Acknowledged, "support", "2026-11-18T03:19:00+01:00"),
            owed(3, Owed::Published, "on-call", "2026-11-18T03:24:00+01:00"),
            owed(4, Owed::Update, "on-call", "2026-11-18T03:39:00+01:00"),
        ],
        notices: Vec::new(),
        reports: Vec::new(),
        updates: vec![Update {
            at: since,
            by: person("ana"),
            text: format!("{SECRET} does not answer"),
            for_support: false,
        }],
        draft: Some(drafted("a draft that nobody published")),
        published: Vec::new(),
        all_clear_waived: false,
        resolved: None,
        acknowledged: None,
        known_by: BTreeMap::new(),
        touched: since,
        path_takes: None,
    }
}

pub(in crate::wording) fn notice(about: About, audience: Audience) -> Notice {
    Notice {
        number: 1,
        about,
        audience,
        to: Some(person("sue")),
        way: Way {
            path: PathName::new("chat").unwrap(),
            address: SECRET.to_owned(),
            depends_on: BTreeSet::from([SECRET.to_owned()]),
        },
        queued: at("2026-11-18T03:09:00+01:00"),
        attempts: 0,
        delivery: Delivery::Failed(SECRET.to_owned()),
        may_repeat: false,
    }
}
