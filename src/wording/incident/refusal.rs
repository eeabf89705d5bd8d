//! Why something is not done that was said to an incident.

use super::said;
use crate::incident::model::{IncidentId, Status};
use crate::incident::{Incident, Refusal};
use crate::runbook::source::nearest::nearest;
use crate::wording::moment::Moment;
use crate::wording::page::Page;
use crate::wording::refusal::quoted;

/// What was said is not taken.
pub fn of_incident(refusal: &Refusal, incident: &Incident, moment: &Moment) -> Page {
    let id = incident.id;
    let status = format!("incident status {id}");
    let page = |sentence: String| Page::sentence(format!("Refused: {sentence} Nothing changed."));
    match refusal {
        Refusal::Closed => page(format!("{id} is closed."))
            .next("incident open sev2 \"…\"", "if it is back")
            .code("incident-closed"),
        Refusal::NotNow(Status::Resolved) => page(format!("{id} is resolved already."))
            .next(format!("incident investigating {id}"), "if it is back")
            .code("incident-not-now"),
        Refusal::NotNow(stands) => {
            page(format!("{id} is {}, and that comes after its end.", said::status(*stands)))
                .next(format!("incident resolve {id}"), "when it is over")
                .code("incident-not-now")
        }
        Refusal::NoDraft => page(format!("{id} has no draft, so there is nothing to publish."))
            .next(format!("incident draft {id} \"…\""), "what customers are to read, word for word")
            .code("no-draft"),
        Refusal::Drill => page(format!("{id} is a drill, and nothing of a drill goes to customers."))
            .next(status, "what else there is to practise")
            .code("drill"),
        Refusal::NotOwed(owed) => {
            let known: Vec<_> = owed.iter().map(ToString::to_string).collect();
            let known = match known.as_slice() {
                [] => "Nothing is owed.".to_owned(),
                known => format!("Owed are: {}.", known.join(", ")),
            };
            page(format!("{id} owes nothing of that number. {known}"))
                .next(status, "what each is")
                .code("not-owed")
        }
        Refusal::RunGoesOn(run) => page(format!("run {run} belongs to {id} and goes on, so it is not over."))
            .next(format!("status {run}"), "where it stands")
            .code("run-goes-on"),
        Refusal::TooShort(least) => {
            page(format!("that says too little; it has fewer than {least} characters."))
                .text("Next: say it for those who read it later.")
                .code("text-too-short")
        }
        Refusal::TooLong(most) => page(format!("that is longer than {most} characters."))
            .text("Next: say the rest in a second one.")
            .code("text-too-long"),
        Refusal::Taken(part, person) => page(format!("{person} is {} of {id}.", said::part(*part)))
            .next(format!("incident take {} {id} <person>", said::part(*part)), format!("or ask {person}"))
            .code("part-taken"),
        Refusal::Already(at) => page(format!("you have said so at {}.", moment.time(*at)))
            .next(status, String::new())
            .code("said-already"),
    }
}

/// There is no such incident.
pub fn unknown(typed: &str, open: &[IncidentId]) -> Page {
    let known: Vec<String> = open.iter().map(ToString::to_string).collect();
    let near = nearest(typed, known.iter().map(String::as_str));
    let near = near.map(|near| format!(" Nearest: `{near}`.")).unwrap_or_default();
    Page::sentence(format!("There is no incident {}.{near}", quoted(typed)))
        .next("incident", "the incidents that are open")
        .code("unknown-incident")
}
