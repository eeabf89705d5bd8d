//! Who is told, and who is on duty: names, addresses, turns, hours without anybody, and what ways share.

use std::collections::BTreeSet;

use super::accounts::check_zone;
use super::discord::is_id;
use super::files::Files;
use super::unknown;
use super::uses::Desk;
use crate::duty::hours::{DAY, Hours};
use crate::duty::model::{Carrier, EscalationRule, Layer, Notify, Path, Schedule, Tls, Trials, WayRule};
use crate::duty::path::GOOD_FOR;
use crate::duty::{Duty, Way};
use crate::policy::model::{HeldBy, Policy};
use crate::runbook::grammar::table::{DAYS, NOTIFY_FILE};
use crate::runbook::model::Word;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, PathName, Person, Role, ScheduleName, ServiceName};
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::problem::{Code, Problems};

/// No path is tried more often.
const SHORTEST_TRIALS: Millis = Millis::minutes(60);

/// The schedules that roles of the policy name. What a file with problems would have declared is not missed.
pub(super) fn check_schedules_of_roles(files: &Files, problems: &mut Problems) {
    if files.notify_file.as_ref().is_some_and(|file| problems.any_in(file)) {
        return;
    }
    for role in files.policy.iter().flat_map(|policy| policy.roles.values()) {
        let HeldBy::Schedule { schedule, .. } = &role.held_by else { continue };
        match &files.notify {
            Some(notify) if !notify.schedules.contains_key(schedule.as_str()) && !schedule.is_empty() => {
                let known = notify.schedules.keys().map(ScheduleName::as_str);
                unknown(Code::ScheduleUnknown, schedule, "schedule", known, problems);
            }
            None if files.notify_file.is_none() && !files.unread => {
                let message =
                    format!("there is no schedule `{}`, since there is no {NOTIFY_FILE}", schedule.value);
                let cure = format!("write {NOTIFY_FILE} with this schedule, or name people");
                problems.add(Code::ScheduleUnknown, &schedule.place, message, cure);
            }
            _ => {}
        }
    }
}

/// Holds the file against every rule.
pub(super) fn check_notify(notify: &Notify, files: &Files, desk: &Desk<'_>, problems: &mut Problems) {
    if let Some(url) = &notify.answers {
        check_url(url, problems);
    }
    for path in notify.paths.values() {
        check_path(path, files, problems);
    }
    if let Some(policy) = desk.policy {
        notify.secrets().into_iter().for_each(|secret| check_secret(secret, policy, problems));
    }
    for (person, reached) in &notify.people {
        let word = Word::new(person.to_string(), reached.place.clone());
        desk.person(&word, problems);
        for way in &reached.ways {
            check_way(notify, way, Some(person), desk, problems);
        }
        // An empty list has been noted.
        if reached.ways.len() == 1 {
            let message = format!("{person} can be told in one way only");
            let cure = "add a second one that depends on nothing that the first does";
            problems.add(Code::WayFew, &reached.place, message, cure);
        }
    }
    for (name, schedule) in &notify.schedules {
        check_schedule(name, schedule, notify, desk, problems);
    }
    for (role, escalation) in &notify.escalations {
        check_escalation(role, escalation, notify, desk, problems);
    }
    for way in &notify.public {
        check_way(notify, way, None, desk, problems);
    }
    check_trials(&notify.trials, problems);
}

/// A path is tried often enough to be known before it is red, and not so often that nobody reads it any more.
fn check_trials(trials: &Trials, problems: &mut Problems) {
    if let Some((zone, _)) = &trials.zone {
        check_zone(zone, problems);
    }
    let every = &trials.every;
    if every.value < SHORTEST_TRIALS || every.value > GOOD_FOR {
        let message = format!("paths would be tried every {}", every.value);
        let cure = "from 1h to 7d: a path that took nothing for 7 days is red";
        problems.add(Code::TrialTimes, &every.place, message, cure);
    }
    if trials.hours.days.is_empty() {
        let cure = "name a day, as [mon, thu], or leave `days` out";
        problems.add(Code::TrialTimes, &every.place, "paths would be tried on no day", cure);
    }
}

fn check_path(path: &Path, files: &Files, problems: &mut Problems) {
    for tag in &path.depends_on {
        check_tag(tag, files, problems);
    }
    match &path.carrier {
        Carrier::Discord { channel } if !channel.is_empty() && !is_id(channel) => {
            let message = format!("`{}` is no id of a Discord channel", channel.value);
            let cure = "the number that Discord shows under Copy Channel ID, in quotes";
            problems.add(Code::ShapeType, &channel.place, message, cure);
        }
        Carrier::Mail { server, from, tls, user, password } => {
            let port = server.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if !server.is_empty() && port.is_none() {
                let message = format!("`{}` names no port", server.value);
                problems.add(Code::ShapeType, &server.place, message, "as smtp.example.com:587");
            }
            if !from.is_empty() && !is_mail_address(from) {
                no_mail_address(from, problems);
            }
            match (user, password) {
                (Some(one), None) => {
                    let cure = "password: the name of a secret";
                    problems.add(Code::KeyMissing, &one.place, "a `user` without a `password`", cure);
                }
                (None, Some(one)) => {
                    let cure = "user: whom the server knows us as";
                    problems.add(Code::KeyMissing, &one.place, "a `password` without a `user`", cure);
                }
                (Some(_), Some(one)) if *tls == Tls::None => {
                    let message = "the password would be sent without encryption";
                    problems.add(Code::WordUnknown, &one.place, message, "tls: starttls, or tls");
                }
                _ => {}
            }
        }
        Carrier::Webhook { url, .. } => check_url(url, problems),
        Carrier::PagerDuty { url: Some(url), .. } => check_url(url, problems),
        _ => {}
    }
}

/// What a path depends on, where it is a thing of the inventory.
fn check_tag(tag: &Word, files: &Files, problems: &mut Problems) {
    let (Some((kind, name)), Some(inventory)) = (tag.split_once('/'), &files.inventory) else { return };
    let known: Vec<&str> = match kind {
        "host" if !inventory.hosts.contains_key(name) => {
            // Never the nearest host.
            let message = format!("there is no host `{name}`");
            problems.add(
                Code::HostUnknown,
                &tag.place,
                message,
                "name a host of the inventory, or leave `host/` out",
            );
            return;
        }
        "cluster" if !inventory.clusters.contains_key(name) => {
            inventory.clusters.keys().map(ClusterName::as_str).collect()
        }
        "service" if !inventory.services.contains_key(name) => {
            inventory.services.keys().map(ServiceName::as_str).collect()
        }
        _ => return,
    };
    let code = if kind == "service" { Code::ServiceUnknown } else { Code::HostUnknown };
    let message = format!("there is no {kind} `{name}`");
    problems.add(code, &tag.place, message, nearest_or_all(name, known.iter().copied()));
}

fn check_url(url: &Word, problems: &mut Problems) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    if !url.is_empty() && (host.is_empty() || url.contains(char::is_whitespace)) {
        let message = format!("`{}` is no address of the web", url.value);
        problems.add(Code::ShapeType, &url.place, message, "it begins with https://");
    } else if host.contains('@') {
        let message = "an address with a name or a password in it";
        problems.add(Code::SecretInText, &url.place, message, "leave out what stands before the `@`");
    }
}

fn check_secret(secret: &Word, policy: &Policy, problems: &mut Problems) {
    let granted = policy.secrets.get(secret.as_str());
    if secret.is_empty() || granted.is_some_and(|to| to.iter().any(|word| word.value == NOTIFY_FILE)) {
        return;
    }
    let message = format!("the policy does not grant the secret `{}` to {NOTIFY_FILE}", secret.value);
    let cure = format!("policy.yaml, secrets: {{ {}: [{NOTIFY_FILE}] }}", secret.value);
    problems.add(Code::SecretUngranted, &secret.place, message, cure);
}

/// A path, and where on it. Of the last resort nobody is the reader.
fn check_way(
    notify: &Notify,
    way: &WayRule,
    person: Option<&Person>,
    desk: &Desk<'_>,
    problems: &mut Problems,
) {
    let Some(path) = notify.paths.get(way.path.as_str()) else {
        if !way.path.is_empty() {
            let known = notify.paths.keys().map(PathName::as_str);
            unknown(Code::PathUnknown, &way.path, "path", known, problems);
        }
        return;
    };
    let kind = path.carrier.word();
    let missing = |to: &str, problems: &mut Problems| {
        let message = format!("the path `{}` needs to know whom it reaches", way.path.value);
        let cure = format!("{{ path: {}, to: {to} }}", way.path.value);
        problems.add(Code::WayAddress, &way.path.place, message, cure);
    };
    match (&path.carrier, &way.to) {
        (Carrier::Mail { .. }, None) => missing("\"anna@example.com\"", problems),
        (Carrier::Mail { .. }, Some(to)) if !is_mail_address(to) => no_mail_address(to, problems),
        (Carrier::Discord { .. }, Some(to)) if !is_id(to) => {
            let message = format!("`{}` is no Discord user id", to.value);
            let cure = "the number that Discord shows under Copy User ID; names change, ids do not";
            problems.add(Code::WayAddress, &to.place, message, cure);
        }
        (Carrier::Discord { .. }, None) => {
            let accounts = person.zip(desk.policy).and_then(|(person, policy)| policy.people.get(person));
            if accounts.is_some_and(|accounts| accounts.discord.is_empty()) {
                let message =
                    format!("the policy knows no Discord account of {}", person.map_or("", Person::as_str));
                let cure =
                    format!("add it in policy.yaml, or write {{ path: {}, to: \"…\" }}", way.path.value);
                problems.add(Code::WayAddress, &way.path.place, message, cure);
            }
        }
        (Carrier::PagerDuty { .. }, Some(to)) => {
            let message = format!("a path of kind {kind} has no use for `to`");
            problems.add(Code::WayAddress, &to.place, message, format!("write {} alone", way.path.value));
        }
        _ => {}
    }
}

fn is_mail_address(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"<>(),;:\"\\".contains(c))
    };
    text.split_once('@').is_some_and(|(name, domain)| plain(name) && plain(domain) && !domain.contains('@'))
}

fn no_mail_address(word: &Word, problems: &mut Problems) {
    let message = format!("`{}` is no mail address", word.value);
    problems.add(Code::WayAddress, &word.place, message, "as anna@example.com");
}

fn check_schedule(
    name: &ScheduleName,
    schedule: &Schedule,
    notify: &Notify,
    desk: &Desk<'_>,
    problems: &mut Problems,
) {
    check_zone(&schedule.zone, problems);
    for layer in &schedule.layers {
        check_turns(layer, problems);
        for person in &layer.people {
            check_reached(person, notify, desk, problems);
        }
    }
    if let Some(gap) = weekly_gap(schedule).filter(|_| !schedule.layers.is_empty()) {
        let message = format!("nobody is on duty by `{name}` {gap}");
        let cure = "add a layer for these hours, or declare them under `gaps` with a `why`";
        problems.add(Code::ScheduleGap, &schedule.place, message, cure);
    }
}

fn check_turns(layer: &Layer, problems: &mut Problems) {
    let several = layer.people.len() > 1;
    match &layer.every {
        None if several => {
            let message = format!("{} people, and nothing says how long a turn is", layer.people.len());
            problems.add(Code::ScheduleTurn, &layer.place, message, "every: 7d, from: \"2026-01-05 09:00\"");
        }
        Some(every) if every.value < Millis(3_600_000) || every.value.0 % 60_000 != 0 => {
            let message = format!("a turn cannot be {}", every.value);
            problems.add(Code::ScheduleTurn, &every.place, message, "an hour or more, in whole minutes");
        }
        Some(every) if layer.from.is_none() => {
            let message = "`every` without `from`: nothing says when the first turn begins";
            problems.add(Code::ScheduleTurn, &every.place, message, "from: \"2026-01-05 09:00\"");
        }
        _ => {}
    }
}

/// Somebody who may have to be told must be known, and have a way.
fn check_reached(person: &Word, notify: &Notify, desk: &Desk<'_>, problems: &mut Problems) {
    let before = problems.count();
    desk.person(person, problems);
    if problems.count() == before && !person.is_empty() && !notify.people.contains_key(person.as_str()) {
        let message = format!("{} cannot be told: `people` has no way", person.value);
        let cure = format!("people: {{ {}: [path, another] }}", person.value);
        problems.add(Code::WayFew, &person.place, message, cure);
    }
}

/// The hours of a week in which nobody is on duty and nobody says that this is meant. Who it is does not matter: the
/// week is the whole cycle.
fn weekly_gap(schedule: &Schedule) -> Option<String> {
    let week = usize::try_from(7 * DAY).unwrap_or_default();
    let mut held = vec![false; week];
    let layers = schedule.layers.iter().map(|layer| &layer.hours);
    for (from, to) in layers.chain(schedule.gaps.iter().map(|gap| &gap.hours)).flat_map(Hours::of_week) {
        for minute in from..to {
            held[usize::try_from(minute).unwrap_or_default() % week] = true;
        }
    }
    // A gap over the end of the week is one: it is looked for from an hour that somebody holds.
    let Some(begin) = held.iter().position(|held| *held) else { return Some("at any hour".to_owned()) };
    let free = |nth: &usize| !held[(begin + nth) % week];
    let from = (0..week).find(free)?;
    let to = (from..=week).find(|nth| !free(nth)).unwrap_or(week);
    let others = (to..week).any(|nth| free(&nth));
    let name = |nth: usize| {
        let minute = (begin + nth) % week;
        format!("{} {:02}:{:02}", DAYS[minute / 1440], minute % 1440 / 60, minute % 60)
    };
    Some(format!("from {} to {}{}", name(from), name(to), if others { ", and at other hours" } else { "" }))
}

fn check_escalation(
    role: &Role,
    escalation: &EscalationRule,
    notify: &Notify,
    desk: &Desk<'_>,
    problems: &mut Problems,
) {
    desk.role(&Word::new(role.to_string(), escalation.place.clone()), problems);
    for way in &escalation.last_resort {
        check_way(notify, way, None, desk, problems);
    }
    let Some(policy) = desk.policy else { return };
    let duty = Duty { policy, notify: Ok(notify), overrides: &[] };
    let resort = escalation.last_resort.iter().filter_map(|rule| Some((rule, duty.way(notify, rule, None)?)));
    let resort: Vec<(&WayRule, Way)> = resort.collect();
    let mut seen = BTreeSet::new();
    for step in &escalation.steps {
        let before = problems.count();
        step.tell.iter().for_each(|role| desk.role(role, problems));
        let reached: BTreeSet<Person> = step.tell.iter().flat_map(|role| duty.reach_of(role)).collect();
        let silent = reached.iter().all(|person| duty.ways(person).is_empty());
        // An unknown schedule, person or path has been noted, where it stands.
        let held = |role: &Word| match policy.roles.get(role.as_str()).map(|role| &role.held_by) {
            Some(HeldBy::Schedule { schedule, .. }) => notify.schedules.contains_key(schedule.as_str()),
            Some(HeldBy::People(_)) => true,
            _ => false,
        };
        if silent && problems.count() == before && step.tell.iter().all(held) {
            let message = "this step reaches nobody";
            let cure = "tell a role whose people stand under `people`";
            problems.add(Code::EscalationEmpty, &step.place, message, cure);
            continue;
        }
        for person in reached {
            let ways = duty.ways(&person);
            if !notify.people.contains_key(&person) && policy.people.contains_key(&person) {
                let message = format!("{person} is told in this step, and has no way");
                let cure = format!("people: {{ {person}: [path, another] }}");
                problems.add(Code::WayFew, &step.place, message, cure);
            }
            if seen.insert(person.clone()) {
                check_fate(&person, &ways, &resort, notify, problems);
            }
        }
    }
}

/// The first two ways of somebody, and the last resort, have nothing in common.
fn check_fate(
    person: &Person,
    ways: &[Way],
    resort: &[(&WayRule, Way)],
    notify: &Notify,
    problems: &mut Problems,
) {
    let place = |nth: usize| {
        notify.people.get(person).and_then(|reached| reached.ways.get(nth)).map(|way| &way.path.place)
    };
    if let [first, second, ..] = ways
        && let Some(place) = place(1)
        && let [shared, ..] = first.shares(second).as_slice()
    {
        let message = format!("both of the first two ways of {person} depend on {shared}");
        let cure = format!("after `{}` put a way that does not depend on it", first.path);
        problems.add(Code::SharedFate, place, message, cure);
    }
    for (rule, last) in resort {
        // Once for each, whomever it would be about besides.
        if problems.any_at(Code::SharedFate, &rule.path.place) {
            continue;
        }
        let with = ways.iter().take(2).find_map(|way| Some((way, *last.shares(way).first()?)));
        if let Some((way, shared)) = with {
            let message = format!(
                "the last resort depends on {shared}, as `{}` does, by which {person} is told first",
                way.path
            );
            let cure = "choose a path that depends on nothing that the first two ways of anybody here do";
            problems.add(Code::SharedFate, &rule.path.place, message, cure);
        }
    }
}
