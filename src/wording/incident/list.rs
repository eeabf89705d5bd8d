//! Which incidents are open, each in one line, and what is owed first.

use std::sync::Arc;

use super::said;
use crate::incident::Incident;
use crate::incident::model::{Obligation, Part};
use crate::runbook::source::hidden::visible;
use crate::wording::moment::Moment;
use crate::wording::page::{Below, Block, Page, Row, Table, cell, plain};
use crate::wording::states;

/// The incidents that are open.
pub fn list(incidents: &[Arc<Incident>], moment: &Moment) -> Page {
    if incidents.is_empty() {
        return Page::sentence("No incident is open.")
            .next("incident open sev2 \"…\"", "opens one and calls who is on duty");
    }
    let page = Page::new().with(Block::Table(Table { rows: rows(incidents, moment), ..Table::default() }));
    page.next(format!("incident status {}", incidents[0].id), String::new())
}

/// The incidents and what is owed, as a part of what is going on. Nothing where nothing is open.
pub fn section(incidents: &[Arc<Incident>], moment: &Moment) -> Page {
    if incidents.is_empty() {
        return Page::new();
    }
    let page = Page::sentence("INCIDENTS")
        .with(Block::Table(Table { rows: rows(incidents, moment), ..Table::default() }));
    let mut owed: Vec<_> = incidents
        .iter()
        .flat_map(|incident| incident.owed().into_iter().map(move |owed| (incident, owed)))
        .collect();
    owed.sort_by_key(|(incident, owed)| (owed.due, incident.id, owed.number));
    if owed.is_empty() {
        return page;
    }
    let rows = owed.iter().map(|(incident, owed)| owed_row(incident, owed, moment)).collect();
    page.text("OWED").with(Block::Table(Table { rows, ..Table::default() }))
}

fn rows(incidents: &[Arc<Incident>], moment: &Moment) -> Vec<Row> {
    incidents.iter().map(|incident| row(incident, moment)).collect()
}

fn row(incident: &Incident, moment: &Moment) -> Row {
    let state = states::of_incident(incident);
    let commands = match incident.parts.get(&Part::Commander) {
        Some(person) => format!("{person} commands"),
        None => "nobody commands".to_owned(),
    };
    Row {
        cells: vec![
            cell(state.text(), state.role),
            plain(incident.id.to_string()),
            plain(said::severity(incident)),
            plain(visible(&incident.opened.title)),
            plain(commands),
            plain(moment.ago(incident.since).to_string()),
        ],
        below: vec![Below::Text(visible(&incident.opened.what))],
    }
}

fn owed_row(incident: &Incident, owed: &Obligation, moment: &Moment) -> Row {
    let state = states::of_obligation(owed);
    Row {
        cells: vec![
            cell(state.text(), state.role),
            plain(said::owed(owed)),
            plain(incident.id.to_string()),
            plain(moment.with_distance(owed.due)),
        ],
        below: Vec::new(),
    }
}
