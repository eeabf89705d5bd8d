//! Makes a policy of a tree that has been held against the grammar.

use super::members::Seats;
use super::model::{
    Accounts, BreakGlass, DiscordDoor, Doors, HeldBy, IncidentRights, Policy, RoleHolders, Rule, Window,
};
use crate::runbook::grammar::table::DAYS;
use crate::runbook::model::Effect;
use crate::runbook::read::Reader;
use crate::runbook::source::literal::Literal;
use crate::runbook::source::name::{Person, Role};
use crate::runbook::source::place::FileName;
use crate::runbook::source::problem::{Code, Problems};
use crate::runbook::source::yaml::{Kind, Node};

/// Makes a policy of a tree.
pub fn read_policy(file: &FileName, root: &Node, problems: &mut Problems) -> Policy {
    let mut read = Reader::new(file, problems);
    let people = read.table(root, "people").into_iter().filter_map(|(name, node)| {
        let (discord, console) = (read.words(node, "discord"), read.words(node, "console"));
        Some((Person::new(&name.value)?, Accounts { place: name.place, discord, console }))
    });
    let people = people.collect();
    let roles = read.table(root, "roles");
    let roles = roles.into_iter().filter_map(|(name, node)| {
        let ways = ["people", "schedule", "discord"].into_iter().filter(|way| node.get(way).is_some());
        let ways: Vec<&str> = ways.collect();
        let held_by = match ways.as_slice() {
            ["people"] => HeldBy::People(read.words(node, "people")),
            ["schedule"] => HeldBy::Schedule {
                schedule: read.word(node, "schedule"),
                now: Err("nobody has said for which moment".to_owned()),
            },
            ["discord"] => HeldBy::Discord { roles: read.words(node, "discord"), now: Seats::new() },
            _ => {
                let how = match ways.as_slice() {
                    [] => "no people, no schedule and no role of Discord".to_owned(),
                    several => several.join(" and "),
                };
                let cure = "write one of people: [a, b], schedule: name and discord: [\"id of a role\"]";
                read.add(Code::RoleEmpty, &name.place, format!("`{}` has {how}", name.value), cure);
                HeldBy::Nobody
            }
        };
        let escalates_to = read.maybe_word(node, "escalates_to");
        Some((Role::new(&name.value)?, RoleHolders { place: name.place, held_by, escalates_to }))
    });
    let roles = roles.collect();
    let windows = read.table(root, "windows").into_iter().map(|(name, node)| {
        let days = read.words(node, "days");
        let days = days.iter().filter_map(|day| DAYS.iter().position(|known| *known == day.value));
        let window = Window {
            days: days.filter_map(|day| i8::try_from(day).ok()).collect(),
            from: minutes(&read.word(node, "from")),
            to: minutes(&read.word(node, "to")),
            zone: read.word(node, "zone"),
        };
        (name.value, window)
    });
    let windows = windows.collect();
    Policy {
        name: read.word(root, "policy").value,
        people,
        roles,
        windows,
        doors: root.get("doors").map(|doors| read_doors(&read, doors)).unwrap_or_default(),
        rules: read.list(root, "rules").iter().map(|node| read_rule(&read, node)).collect(),
        secrets: read
            .table(root, "secrets")
            .into_iter()
            .map(|(name, node)| {
                let items = match &node.kind {
                    Kind::List(items) => items.as_slice(),
                    _ => &[],
                };
                let word = |item: &Node| {
                    item.scalar()
                        .map(|text| crate::runbook::model::Word::new(text.to_owned(), read.place(item)))
                };
                (name.value, items.iter().filter_map(word).collect())
            })
            .collect(),
        incidents: root.get("incidents").map(|node| Box::new(read_rights(&read, node))),
        break_glass: root
            .get("break_glass")
            .map(|node| BreakGlass { by: read.words(node, "by"), tell: read.words(node, "tell") }),
    }
}

fn read_doors(read: &Reader<'_>, doors: &Node) -> Doors {
    let discord = doors.get("discord").map(|node| DiscordDoor {
        server: read.word(node, "server"),
        channels: read.words(node, "channels"),
    });
    Doors { console: doors.get("console").is_some(), discord }
}

fn read_rights(read: &Reader<'_>, node: &Node) -> IncidentRights {
    let roles = |key: &str| node.get(key).is_some().then(|| read.words(node, key));
    IncidentRights { publish: roles("publish"), resolve: roles("resolve"), waive: roles("waive") }
}

fn read_rule(read: &Reader<'_>, node: &Node) -> Rule {
    let all = node.get("runbooks").and_then(Node::scalar).is_some();
    let count = |key: &str| read.int(node, key).and_then(|n| usize::try_from(n).ok());
    Rule {
        place: read.place(node),
        runbooks: (!all).then(|| read.words(node, "runbooks")),
        effect: match read.maybe_word(node, "effect").as_ref().map(|word| word.value.as_str()) {
            Some("read") => Some(Effect::Read),
            Some("reversible") => Some(Effect::Reversible),
            Some("irreversible") => Some(Effect::Irreversible),
            _ => None,
        },
        approve_at_least: count("approve_at_least").and_then(|n| u32::try_from(n).ok()),
        stale_rehearsal: read.maybe_word(node, "stale_rehearsal"),
        most_hosts: count("most_hosts"),
        most_of_cluster: match read.literal(node, "most_of_cluster").map(|at| at.value) {
            Some(Literal::Percent(percent)) => Some(percent),
            _ => None,
        },
    }
}

/// Minutes after midnight of `20:00`; what is no time of day has been noted.
fn minutes(clock: &str) -> i32 {
    let parts =
        clock.split_once(':').and_then(|(h, m)| Some((h.parse::<i32>().ok()?, m.parse::<i32>().ok()?)));
    parts.map_or(0, |(hours, minutes)| hours * 60 + minutes)
}
