//! How one incident stands: the first thing that somebody reads who was woken.

use jiff::Timestamp;

use super::post::Post;
use super::said;
use super::told::told;
use crate::incident::Incident;
use crate::incident::model::{End, Obligation, Owed, Part, Published, Severity, Status};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::Person;
use crate::wording::moment::Moment;
use crate::wording::page::{Below, Block, Page, Row, Table, cell, plain};
use crate::wording::states;

/// One incident as it stands. `run_lines` are its runs, each in a sentence; `post` says why a notice waits, and who
/// answered when.
pub fn card(incident: &Incident, run_lines: &[String], post: &Post, moment: &Moment) -> Page {
    let opened = &incident.opened;
    let about = vec![incident.id.to_string(), said::severity(incident), visible(&opened.title)];
    let mut fields = vec![("What", visible(&opened.what)), ("Opened", said::cause(&opened.cause))];
    if let Some(before) = opened.follows {
        fields.push(("Follows", before.to_string()));
    }
    fields.extend(run_lines.iter().map(|line| ("Now", visible(line))));
    fields.push(("Roles", roles(incident)));
    fields.push(("Known by", known_by(incident, moment)));
    if let Some(draft) = &incident.draft {
        let publishes = said::publishes(incident).unwrap_or_default();
        fields.push(("Draft", format!("\"{}\" Nobody reads it before {publishes}.", visible(&draft.text))));
    }
    if let Some(Published { at, by, text, .. }) = incident.published.last() {
        fields.push(("Public", format!("\"{}\" ({by}, {})", visible(text), moment.time(*at))));
    }
    if let Some(update) = incident.updates.last() {
        let support = if update.for_support { ", for Support too" } else { "" };
        let by = format!("({}, {}{support})", update.by, moment.time(update.at));
        fields.push(("News", format!("{} {by}", visible(&update.text))));
    }
    fields.extend(told(incident, post, moment).into_iter().map(|line| ("Told", line)));
    let mut page = Page::new().head(
        states::of_incident(incident),
        about,
        format!("since {}", moment.with_distance(incident.since)),
    );
    if incident.is_drill() {
        page = page.text(drill(incident));
    }
    page = page.fields(fields);
    if !incident.obligations.is_empty() {
        page = page.with(Block::Table(obligations(incident, moment)));
    }
    match next(incident) {
        Some((command, note)) => page.next(command, note),
        None => page,
    }
}

/// Who alone takes part, and what it never does.
fn drill(incident: &Incident) -> String {
    let people = incident.opened.drill.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    format!("[DRILL] Only {} are told. Nothing of it goes to customers.", people.join(", "))
}

/// Who is what, also those whom nobody is yet.
fn roles(incident: &Incident) -> String {
    let part = |part: Part| {
        let who = incident.parts.get(&part).map_or_else(|| "nobody".to_owned(), ToString::to_string);
        format!("{} {who}", said::part(part))
    };
    [Part::Commander, Part::Communications, Part::SupportLiaison].map(part).join(" · ")
}

/// Who has said that they know. That something was sent to somebody is not among it.
fn known_by(incident: &Incident, moment: &Moment) -> String {
    if incident.known_by.is_empty() {
        return "nobody has said that they know".to_owned();
    }
    let mut known: Vec<_> = incident.known_by.iter().collect();
    known.sort_by_key(|(_, at)| **at);
    let one = |(person, at): (&Person, &Timestamp)| {
        let met = incident.obligations.iter().filter(|owed| owed.owed == Owed::Acknowledged);
        let met = met.filter(|owed| owed.end == Some(End::Met(Some(person.clone()))));
        let mut roles: Vec<_> = met.map(|owed| owed.who.to_string()).collect();
        roles.dedup();
        let roles = if roles.is_empty() { String::new() } else { format!(" for {}", roles.join(", ")) };
        format!("{person}{roles} ({})", moment.time(*at))
    };
    known.into_iter().map(one).collect::<Vec<_>>().join(" · ")
}

/// What is and was owed, by number; what is done stays, so that it can be looked up.
fn obligations(incident: &Incident, moment: &Moment) -> Table {
    let heads = ["NO", "OWED", "WHAT", "BY", "DUE"].map(str::to_owned).to_vec();
    let rows = incident.obligations.iter().map(|owed| row(owed, moment)).collect();
    Table { heads, wide: Vec::new(), rows }
}

fn row(owed: &Obligation, moment: &Moment) -> Row {
    let state = states::of_obligation(owed);
    let mut below = Vec::new();
    if let Some(run) = owed.holds_back.filter(|_| owed.is_open()) {
        below.push(Below::Text(format!("run {run} does not begin before that")));
    }
    match &owed.end {
        Some(End::Met(Some(by))) => below.push(Below::Text(format!("by {by}"))),
        Some(End::Waived(by, why)) => below.push(Below::Text(format!("{by}: {}", visible(why)))),
        _ => {}
    }
    let due = if owed.is_open() { moment.with_distance(owed.due) } else { moment.time(owed.due) };
    Row {
        cells: vec![
            plain(owed.number.to_string()),
            cell(state.text(), state.role),
            plain(said::owed(owed)),
            plain(owed.who.to_string()),
            plain(due),
        ],
        below,
    }
}

/// What is needed most, ready to copy.
fn next(incident: &Incident) -> Option<(String, String)> {
    let id = incident.id;
    let owes = |what: Owed| incident.obligations.iter().any(|owed| owed.is_open() && owed.owed == what);
    let is_known = !owes(Owed::Acknowledged);
    Some(match incident.status {
        Status::Closed => (format!("incident timeline {id}"), "what happened".to_owned()),
        Status::Resolved => (
            format!("incident export {id}"),
            format!("then incident close {id}, when the postmortem is done"),
        ),
        _ if !is_known => (format!("incident ack {id}"), "says that you know".to_owned()),
        _ if let Some(line) = said::publishes(incident).filter(|_| owes(Owed::AllClear)) => {
            (line, "customers read exactly the draft".to_owned())
        }
        _ if incident.severity == Severity::Planned => return None,
        _ if owes(Owed::Commander) => (format!("incident take commander {id}"), "you decide".to_owned()),
        _ if let Some(line) =
            said::publishes(incident).filter(|_| owes(Owed::Published) || owes(Owed::AllClear)) =>
        {
            (line, "customers read exactly the draft".to_owned())
        }
        _ => (format!("incident update {id} \"…\" for=support"), "what is new".to_owned()),
    })
}
