//! What a run and those who look at it read of the people who are told of it: whom it waits for, and who knows.

use super::post::Post;
use super::said;
use super::told::told;
use crate::incident::Incident;
use crate::incident::model::{End, Obligation};
use crate::run::{Run, RunId};
use crate::runbook::source::hidden::visible;
use crate::wording::moment::Moment;
use crate::wording::page::Page;
use crate::wording::states;

/// Why a run does not begin before people know, by when they are to say so, and what can be done.
pub fn held_back(run: &Run, incident: &Incident, moment: &Moment) -> Page {
    let (id, run_id) = (incident.id, run.id);
    let who = states::who_must_know(run);
    let first = incident.owed().into_iter().find(|it| it.holds_back == Some(run_id));
    let page = Page::sentence(format!("Run {run_id} waits until {who} has said that they know."))
        .text("Nothing is changed before that; the hold stays. Silence never begins it.");
    let Some(first) = first else { return page.next(format!("stop {run_id}"), STOPS) };
    let due = moment.time(first.due);
    let until = match first.late {
        None => format!("{who} has until {due}, and is called; then the next ones are."),
        Some(_) => format!("{who} had until {due}. The next ones are called until somebody says so."),
    };
    page.text(format!("{until} It is said with incident ack {id}, the button, or the link in a message."))
        .next(format!("incident {id}"), "who was told, and what is in the way")
        .next(
            format!("incident waive {id} {} \"why\"", first.number),
            "begins all the same, if they need not know",
        )
        .next(format!("stop {run_id}"), STOPS)
}

/// What a stop does to a run that waits.
const STOPS: &str = "ends it, and nothing was changed";

/// What stands on the card of a run whose planned work people are told of: what is and was owed, and who was told.
pub fn people(run: RunId, incident: &Incident, post: &Post, moment: &Moment) -> Vec<(&'static str, String)> {
    let owed = incident.obligations.iter().map(|it| format!("{}: {}", incident.id, owes(run, it, moment)));
    let told = told(incident, post, moment);
    owed.map(|line| ("Owed", line)).chain(told.into_iter().map(|line| ("Told", line))).collect()
}

fn owes(run: RunId, owed: &Obligation, moment: &Moment) -> String {
    let what = said::owed(owed);
    let waits = if owed.holds_back == Some(run) { "; nothing is changed before that" } else { "" };
    match (&owed.end, owed.late) {
        (None, None) => format!("{what}, due {}{waits}", moment.with_distance(owed.due)),
        (None, Some(_)) => format!("{what}, LATE since {}{waits}", moment.time(owed.due)),
        (Some(End::Met(Some(by))), _) => format!("{what}, done by {by}"),
        (Some(End::Met(None)), _) => format!("{what}, done"),
        (Some(End::Waived(by, why)), _) => format!("{what}, waived by {by}: {}", visible(why)),
        (Some(End::Void), _) => format!("{what}, not needed any more"),
    }
}
