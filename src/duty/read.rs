//! Makes a notify file of a tree that has been held against the grammar.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::hours::{DAY, Hours};
use super::model::{
    Carrier, DeclaredGap, EscalationRule, Layer, Notify, Path, Reached, ReportRules, Schedule, StepRule, Tls,
    Trials, Watcher, WayRule,
};
use crate::runbook::grammar::fit::date_time;
use crate::runbook::grammar::table::DAYS;
use crate::runbook::model::Word;
use crate::runbook::read::Reader;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{PathName, Person, Role, ScheduleName};
use crate::runbook::source::place::{At, FileName};
use crate::runbook::source::problem::{Code, Problems};
use crate::runbook::source::yaml::{Kind, Node};

/// A burst is no shorter,
const SHORTEST: Millis = Millis::minutes(1);
/// and no longer than this.
const LONGEST: Millis = Millis::minutes(24 * 60);

/// Makes a notify file of a tree.
pub fn read_notify(file: &FileName, root: &Node, problems: &mut Problems) -> Notify {
    let mut read = Reader::new(file, problems);
    let paths = read.table(root, "paths").into_iter().filter_map(|(name, node)| {
        let depends_on = read.words(node, "depends_on");
        Some((PathName::new(&name)?, Path { place: name.place, carrier: carrier(&read, node), depends_on }))
    });
    let paths = paths.collect();
    let people = read.table(root, "people").into_iter().filter_map(|(name, node)| {
        Some((Person::new(&name)?, Reached { place: name.place, ways: ways(&read, node) }))
    });
    let people = people.collect();
    let schedules = read.table(root, "schedules").into_iter().filter_map(|(name, node)| {
        let zone = read.word(node, "zone");
        let time_zone = TimeZoneDatabase::bundled().get(&zone).unwrap_or(TimeZone::UTC);
        let layers = read.list(node, "layers").iter().map(|node| layer(&mut read, node)).collect();
        let gaps = read.list(node, "gaps").iter().map(|node| {
            let why = read.plain(node, "why").map(|why| why.value).unwrap_or_default();
            DeclaredGap { hours: hours(&mut read, node), why }
        });
        let gaps = gaps.collect();
        Some((ScheduleName::new(&name)?, Schedule { place: name.place, zone, time_zone, layers, gaps }))
    });
    let schedules = schedules.collect();
    let escalations = read.table(root, "escalations").into_iter().filter_map(|(name, node)| {
        let steps = read.list(node, "steps").iter().map(|node| StepRule {
            place: read.place(node),
            tell: read.words(node, "tell"),
            wait: read.duration(node, "wait").map(|at| at.value),
        });
        let last_resort = node.get("last_resort").map(|node| ways(&read, node)).unwrap_or_default();
        Some((Role::new(&name)?, EscalationRule { place: name.place, steps: steps.collect(), last_resort }))
    });
    let escalations = escalations.collect();
    let reports = root.get("reports").map(|node| reports(&mut read, node)).unwrap_or_default();
    Notify {
        name: read.word(root, "notify").value,
        answers: root.get("answers").and_then(|answers| read.maybe_word(answers, "url")),
        paths,
        people,
        schedules,
        escalations,
        public: root.get("public").map(|node| ways(&read, node)).unwrap_or_default(),
        watcher: root.get("watcher").map(|node| Watcher {
            url: read.word(node, "url"),
            every: read.duration(node, "every").map_or(Millis(0), |at| at.value),
        }),
        trials: trials(&mut read, root),
        reports,
    }
}

/// When paths are tried; what the file does not say is as usual.
fn trials(read: &mut Reader<'_>, root: &Node) -> Trials {
    let usual = Trials::usual(read.place(root));
    let Some(node) = root.get("trials") else { return usual };
    let is_said = |key| node.get(key).is_some();
    let said = hours(read, node);
    let (from, to) =
        if is_said("between") { (said.from, said.to) } else { (usual.hours.from, usual.hours.to) };
    Trials {
        every: read.duration(node, "every").unwrap_or(At { place: read.place(node), ..usual.every }),
        hours: Hours { days: if is_said("days") { said.days } else { usual.hours.days }, from, to },
        zone: read.maybe_word(node, "zone").map(|zone| {
            let found = TimeZoneDatabase::bundled().get(&zone).unwrap_or(TimeZone::UTC);
            (zone, found)
        }),
    }
}

/// What is not said is as usual.
fn reports(read: &mut Reader<'_>, node: &Node) -> ReportRules {
    let usual = ReportRules::default();
    let within = read.duration(node, "within");
    if let Some(within) = within.as_ref().filter(|at| !(SHORTEST..=LONGEST).contains(&at.value)) {
        let message = format!("a burst of reports cannot be {} long", within.value);
        read.add(Code::ShapeType, &within.place, message, "1m or more, and 24h at most");
    }
    let at_once = read.words(node, "opens_at_once");
    for (nth, word) in at_once.iter().enumerate() {
        if word.trim().is_empty() {
            let cure = "a value of the label `severity`, as critical";
            read.add(Code::ShapeType, &word.place, "this is no severity of an alert", cure);
        } else if at_once.iter().take(nth).any(|before| before.value == word.value) {
            let message = format!("`{}` is there twice", word.value);
            read.add(Code::ShapeType, &word.place, message, "leave one of them out");
        }
    }
    let is_said = node.get("opens_at_once").is_some();
    ReportRules {
        burst: read.int(node, "burst").and_then(|burst| usize::try_from(burst).ok()).unwrap_or(usual.burst),
        within: within.map_or(usual.within, |at| at.value),
        alerts: read.maybe_word(node, "alerts"),
        opens_at_once: if is_said {
            at_once.into_iter().map(|word| word.value).collect()
        } else {
            usual.opens_at_once
        },
    }
}

fn carrier(read: &Reader<'_>, node: &Node) -> Carrier {
    match node.get("kind").and_then(Node::scalar).unwrap_or_default() {
        "discord" => Carrier::Discord { channel: read.word(node, "channel") },
        "mail" => Carrier::Mail {
            server: read.word(node, "server"),
            from: read.word(node, "from"),
            tls: match node.get("tls").and_then(Node::scalar) {
                Some("tls") => Tls::Tls,
                Some("none") => Tls::None,
                _ => Tls::StartTls,
            },
            user: read.maybe_word(node, "user"),
            password: read.maybe_word(node, "password"),
        },
        "webhook" => Carrier::Webhook { url: read.word(node, "url"), secret: read.word(node, "secret") },
        "pagerduty" => Carrier::PagerDuty {
            routing_key: read.word(node, "routing_key"),
            url: read.maybe_word(node, "url"),
        },
        // A kind that is none has been noted: it counts as the one that asks nothing of its ways.
        _ => Carrier::Slack { url: read.word(node, "url") },
    }
}

/// A list of paths, each by its name or with where on it.
fn ways(read: &Reader<'_>, list: &Node) -> Vec<WayRule> {
    let Kind::List(items) = &list.kind else { return Vec::new() };
    let way = |item: &Node| match item.scalar() {
        Some(path) => WayRule { path: Word::new(path.to_owned(), read.place(item)), to: None },
        None => WayRule { path: read.word(item, "path"), to: read.maybe_word(item, "to") },
    };
    items.iter().map(way).collect()
}

fn layer(read: &mut Reader<'_>, node: &Node) -> Layer {
    Layer {
        place: read.place(node),
        people: read.words(node, "people"),
        every: read.duration(node, "every"),
        // One that is none has been noted, and is not missed.
        from: read.maybe_word(node, "from").map(|from| date_time(&from).unwrap_or_default()),
        hours: hours(read, node),
    }
}

fn hours(read: &mut Reader<'_>, node: &Node) -> Hours {
    let days = if node.get("days").is_some() {
        let days = read.words(node, "days");
        let days = days.iter().filter_map(|day| DAYS.iter().position(|known| *known == day.value));
        days.filter_map(|day| i8::try_from(day).ok()).collect()
    } else {
        (0..7).collect()
    };
    let clocks = read.words(node, "between");
    let between = match (node.get("between"), clocks.as_slice()) {
        (None, _) => (0, DAY),
        (Some(_), [from, to]) => (minutes(from), minutes(to)),
        (Some(list), _) => {
            let place = read.place(list);
            let cure = "write [\"18:00\", \"08:00\"]: when it begins, and when it ends";
            read.add(Code::ShapeType, &place, "`between` has two times", cure);
            (0, DAY)
        }
    };
    Hours { days, from: between.0, to: between.1 }
}

/// Minutes after midnight of `20:00`; what is no time of day has been noted.
fn minutes(clock: &str) -> i32 {
    let parts =
        clock.split_once(':').and_then(|(h, m)| Some((h.parse::<i32>().ok()?, m.parse::<i32>().ok()?)));
    parts.map_or(0, |(hours, minutes)| hours * 60 + minutes)
}
