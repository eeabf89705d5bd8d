//! Who is on duty, when nobody is, how people are told, and who stands in.

use jiff::Timestamp;

use super::moment::Moment;
use super::page::{Below, Block, Page, Role as Look, Row, Table, cell, plain};
use super::refusal::quoted;
use crate::duty::on_duty::Stretch;
use crate::duty::stand_in::MIN_REASON;
use crate::duty::{Duty, Escalation, Fate, NoStandIn, OnDuty, Override, Way, Why};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role, ScheduleName};

/// A schedule at this moment, and the roles that it holds.
#[derive(Debug)]
pub struct Seat {
    /// Its name.
    pub schedule: ScheduleName,
    /// Who is on duty by it.
    pub on_duty: OnDuty,
    /// The roles that they have by it.
    pub roles: Vec<Role>,
}

/// Everybody who is on duty.
pub fn on_duty(seats: &[Seat], moment: &Moment) -> Page {
    if seats.is_empty() {
        return Page::sentence("There is no schedule: every role has the people whom the policy names.")
            .text("Schedules stand in notify.yaml, under `schedules`.");
    }
    let rows = seats.iter().map(|seat| {
        let duty = &seat.on_duty;
        let who = match (&duty.why, duty.people.is_empty()) {
            (Why::Gap, _) => cell("nobody", Look::Danger),
            (_, true) => plain("nobody"),
            _ => cell(names(&duty.people), Look::Strong),
        };
        let roles: Vec<_> = seat.roles.iter().map(ToString::to_string).collect();
        Row {
            cells: vec![
                plain(seat.schedule.to_string()),
                who,
                plain(duty.until.map_or_else(String::new, |until| moment.with_distance(until))),
                plain(if duty.until.is_some() { names(&duty.next) } else { String::new() }),
                plain(roles.join(", ")),
            ],
            below: because(&duty.why).map(Below::Text).into_iter().collect(),
        }
    });
    let heads = ["SCHEDULE", "ON DUTY", "UNTIL", "THEN", "ROLES"].map(str::to_owned).to_vec();
    Page::new()
        .with(Block::Table(Table { heads, wide: vec![4], rows: rows.collect() }))
        .next("oncall gaps", "the next 14 days")
}

/// Why it is so, where that is not a matter of course.
fn because(why: &Why) -> Option<String> {
    match why {
        Why::Always | Why::Turn => None,
        Why::Discord => Some("says Discord".to_owned()),
        Why::StandsIn { by, why } => {
            Some(format!("stands in, says {by}: {}", visible(why.trim_end_matches('.'))))
        }
        Why::Declared(why) => Some(format!("that is meant: {}", visible(why.trim_end_matches('.')))),
        Why::Gap => Some("nobody has said that this is meant".to_owned()),
    }
}

/// `anna, until 09:00 CET (in 5 h), then ben`.
pub fn who(duty: &OnDuty, moment: &Moment) -> String {
    let end = duty
        .until
        .map(|until| format!(", until {}, then {}", moment.with_distance(until), names(&duty.next)));
    format!("{}{}", names(&duty.people), end.unwrap_or_default())
}

fn names(people: &[Person]) -> String {
    if people.is_empty() {
        return "nobody".to_owned();
    }
    people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One role: who has it, how each is told, who is told next.
pub fn who_of(role: &Role, on_duty: &OnDuty, duty: &Duty<'_>, moment: &Moment) -> Page {
    let mut fields = vec![("On duty".to_owned(), plain(who(on_duty, moment)))];
    let mut field = |label: String, text: String| fields.push((label, plain(text)));
    if let Some(because) = because(&on_duty.why) {
        field(String::new(), format!("{because}."));
    }
    for person in &on_duty.people {
        field(person.to_string(), told(&duty.ways(person)));
    }
    let Escalation { steps, last_resort } = duty.escalation(role);
    let mut after = Millis(0);
    for step in &steps {
        let roles: Vec<_> = step.tell.iter().map(ToString::to_string).collect();
        let people = step
            .tell
            .iter()
            .flat_map(|role| duty.on_duty(role.as_str(), moment.now))
            .flat_map(|it| it.people);
        let people: std::collections::BTreeSet<Person> = people.collect();
        let people: Vec<_> = people.into_iter().collect();
        let when = if after.0 == 0 { "at once".to_owned() } else { format!("after {after}") };
        field(when, format!("{}: {}", roles.join(", "), names(&people)));
        after = Millis(after.0.saturating_add(step.wait.0));
    }
    field(format!("after {after}"), "again from the first".to_owned());
    if !last_resort.is_empty() {
        let paths: Vec<_> = last_resort.iter().map(|way| way.path.to_string()).collect();
        field("At last".to_owned(), paths.join(", "));
    }
    Page::sentence(format!("{role}")).with(Block::Fields(fields))
}

/// `chat and mail at once, then pager`. Addresses are nobody's business.
fn told(ways: &[Way]) -> String {
    let first = Duty::first_two(ways);
    let others: Vec<_> =
        ways.iter().filter(|way| !first.contains(way)).map(|way| way.path.to_string()).collect();
    let first: Vec<_> = first.iter().map(|way| way.path.to_string()).collect();
    match (first.as_slice(), others.as_slice()) {
        ([], _) => "cannot be told: notify.yaml has no way".to_owned(),
        ([one], _) => one.clone(),
        (two, []) => format!("{} at once", two.join(" and ")),
        (two, others) => format!("{} at once, then {}", two.join(" and "), others.join(", ")),
    }
}

/// When nobody is on duty by a schedule, in the next 14 days.
pub fn gaps(gaps: &[(ScheduleName, Vec<Stretch>)], moment: &Moment) -> Page {
    let rows: Vec<Row> = gaps
        .iter()
        .flat_map(|(schedule, gaps)| gaps.iter().map(move |gap| (schedule, gap)))
        .map(|(schedule, gap)| Row {
            cells: vec![
                plain(schedule.to_string()),
                plain(moment.with_distance(gap.from)),
                plain(moment.time(gap.to)),
                plain(length(gap.from, gap.to).to_string()),
            ],
            below: Vec::new(),
        })
        .collect();
    if rows.is_empty() {
        return Page::sentence(
            "No gap in the next 14 days: somebody is on duty by every schedule, but in hours that notify.yaml declares.",
        );
    }
    let heads = ["SCHEDULE", "NOBODY FROM", "UNTIL", "FOR"].map(str::to_owned).to_vec();
    Page::sentence("In these hours nobody is on duty, and nobody has said that this is meant.")
        .with(Block::Table(Table { heads, wide: Vec::new(), rows }))
        .text("Next: a layer or `gaps` in notify.yaml; for this time alone, oncall override.")
}

fn length(from: Timestamp, to: Timestamp) -> Millis {
    Millis(i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX))
}

/// Somebody stands in.
pub fn stands_in(it: &Override, roles: &[Role], moment: &Moment) -> Page {
    let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
    Page::sentence(format!(
        "{} is on duty by {} from {} to {}, and has {} meanwhile: {}.",
        it.person,
        it.schedule,
        if it.from <= moment.now { "now".to_owned() } else { moment.with_distance(it.from) },
        moment.time(it.to),
        roles.join(", "),
        visible(it.why.trim_end_matches('.')),
    ))
    .next("oncall", "who is on duty now")
}

/// Nobody stands in.
pub fn no_stand_in(refusal: &NoStandIn) -> Page {
    let (sentence, next) = match refusal {
        NoStandIn::NotKnown(why) => (
            format!("Refused: schedules cannot be asked, {}.", visible(why)),
            "steadyhand check, in a shell".to_owned(),
        ),
        NoStandIn::UnknownSchedule(name, known) => (
            format!("Refused: there is no schedule {}.", quoted(name)),
            if known.is_empty() {
                "notify.yaml has none".to_owned()
            } else {
                format!("there are: {}", known.join(", "))
            },
        ),
        NoStandIn::NoRole(name) => (
            format!("Refused: no role has the schedule {name}, so nobody may say who stands in."),
            format!("`schedule: {name}` of a role in policy.yaml"),
        ),
        NoStandIn::NotTrusted(person, may) => {
            let may: Vec<_> = may.iter().map(ToString::to_string).collect();
            let what = "takes no turns on this schedule, and has no role to which it escalates";
            (format!("Refused: {} {what}.", quoted(person)), format!("one of: {}", may.join(", ")))
        }
        NoStandIn::NoTime(text) => (
            format!("Refused: {} is no time.", quoted(text)),
            "now, 09:00, \"2026-01-05 09:00\", or 8h for eight hours; in the zone of the schedule".to_owned(),
        ),
        NoStandIn::Over => {
            ("Refused: it would end before it begins.".to_owned(), "another `to`, as 8h".to_owned())
        }
        NoStandIn::TooLong => (
            "Refused: nobody stands in for more than 92 days.".to_owned(),
            "change the schedule in notify.yaml".to_owned(),
        ),
        NoStandIn::TooShort => (
            format!("Refused: the reason has fewer than {MIN_REASON} characters."),
            "say why, for those who read it later".to_owned(),
        ),
    };
    Page::sentence(format!("{sentence} Nothing changed.")).text(format!("Next: {next}.")).code(refusal.code())
}

/// What a plan says of paths that depend on what it changes.
pub fn fate(fate: &Fate) -> String {
    let Fate { host, tag, path } = fate;
    if *tag == format!("host/{host}") {
        format!("This touches {tag}, on which the path {path} depends.")
    } else {
        format!("This touches {host}, and so {tag}, on which the path {path} depends.")
    }
}
