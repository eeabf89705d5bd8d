//! Why something is not done that was said to an incident.

use super::said;
use crate::incident::Refusal;
use crate::incident::input::NotFor;
use crate::incident::model::{IncidentId, Status};
use crate::plan::Digest;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::Person;
use crate::runbook::source::nearest::nearest;
use crate::wording::moment::Moment;
use crate::wording::page::Page;
use crate::wording::refusal::{denied, quoted};

/// What was said is not taken. An incident that was not opened has no number.
pub fn of_incident(refusal: &Refusal, id: Option<IncidentId>, moment: &Moment) -> Page {
    if let Some(id) = id {
        return why(refusal, id, moment);
    }
    let (sentence, command, note) = not_opened(refusal);
    no(refusal, &sentence, command, note)
}

/// A sentence, what to type next, and what that does.
fn no(refusal: &Refusal, sentence: &str, command: String, note: impl Into<String>) -> Page {
    let page = Page::sentence(format!("Refused: {sentence} Nothing changed."));
    page.next(command, note).code(refusal.code())
}

fn why(refusal: &Refusal, id: IncidentId, moment: &Moment) -> Page {
    let said = |sentence: String, command: String, note: &str| no(refusal, &sentence, command, note);
    let status = || format!("incident status {id}");
    match refusal {
        Refusal::Closed => {
            said(format!("{id} is closed."), "incident open sev2 \"…\"".to_owned(), "if it is back")
        }
        Refusal::NotNow(Status::Resolved) => said(
            format!("{id} is resolved already."),
            format!("incident investigating {id}"),
            "if it is back",
        ),
        Refusal::NotNow(stands) => said(
            format!("{id} is {} now, and this does not fit that.", said::status(*stands)),
            status(),
            "what is needed now",
        ),
        Refusal::Denied(denial) => denied(denial),
        Refusal::NotFor(not) => not_for(not, id, refusal.code()),
        Refusal::DraftUnread { text, digest } => read_back(text, digest, id),
        Refusal::DraftChanged { text, digest } => {
            let now = "is another one by now. Nothing was published.";
            let page = Page::sentence(format!("Refused: the draft of {id} {now}"));
            said::draft(page, id, text, digest).code(refusal.code())
        }
        Refusal::NoDraft => said(
            format!("{id} has no draft, so there is nothing to publish."),
            format!("incident draft {id} \"…\""),
            "what customers are to read, word for word",
        ),
        Refusal::Drill => said(
            format!("{id} is a drill, and nothing of a drill goes to customers."),
            status(),
            "what else there is to practise",
        ),
        Refusal::NotOwed(owed) => {
            let known: Vec<_> = owed.iter().map(ToString::to_string).collect();
            let known = match known.as_slice() {
                [] => "Nothing is owed.".to_owned(),
                known => format!("Owed are: {}.", known.join(", ")),
            };
            said(format!("{id} owes nothing of that number. {known}"), status(), "what each is")
        }
        Refusal::RunGoesOn(run) => said(
            format!("run {run} belongs to {id} and goes on, so it is not over."),
            format!("status {run}"),
            "where it stands",
        ),
        Refusal::CustomersWait { read, over, draft, owed } => {
            let page = customers_wait(read, *over, draft.as_ref(), *owed, id);
            page.code(refusal.code())
        }
        Refusal::TooShort(least) => said(
            format!("that has fewer than {least} characters."),
            status(),
            "then say it for those who read it later",
        ),
        Refusal::TooLong(most) => said(
            format!("that is longer than {most} characters."),
            status(),
            "then say it shorter, or in two",
        ),
        Refusal::Taken(part, person) => said(
            format!("{person} is {} of {id}.", said::part(*part)),
            format!("incident take {} {id}", said::part(*part)),
            "once they have said that you take over",
        ),
        Refusal::Already(at) => {
            said(format!("you have said so at {}.", moment.time(*at)), status(), "what is owed now")
        }
    }
}

fn not_opened(refusal: &Refusal) -> (String, String, String) {
    let sentence = match refusal {
        Refusal::TooShort(least) => format!("what it is has fewer than {least} characters."),
        Refusal::TooLong(most) => format!("what it is is longer than {most} characters."),
        _ => "it cannot be opened so.".to_owned(),
    };
    (sentence, "help incident".to_owned(), "how one is opened".to_owned())
}

/// The draft, for whoever wants to publish it and has not said which one they have read.
fn read_back(text: &str, digest: &Digest, id: IncidentId) -> Page {
    let page = Page::sentence(format!("This is the draft of {id}. Nothing is published yet."));
    said::draft(page, id, text, digest).code("draft-unread")
}

/// Customers still read that it goes on: what tells them, or who says that they need not hear it.
fn customers_wait(
    read: &str,
    over: bool,
    draft: Option<&(String, Digest)>,
    owed: Option<u32>,
    id: IncidentId,
) -> Page {
    let read = visible(read);
    let page = Page::sentence(format!(
        "Refused: customers have not been told that {id} is over. They read last: \"{read}\" Nothing changed."
    ));
    if !over {
        return page
            .next(format!("incident monitoring {id}"), "if it is over; then the all-clear is drafted");
    }
    let page = match owed {
        Some(number) => {
            page.text(format!("If they know it otherwise: incident waive {id} {number} \"why\"."))
        }
        None => page,
    };
    said::all_clear(page, id, draft.map(|(text, digest)| (text.as_str(), digest)))
}

/// Somebody cannot be that, and who can.
fn not_for(not: &NotFor, id: IncidentId, code: &'static str) -> Page {
    let (person, part) = (&not.person, said::part(not.part));
    let roles: Vec<_> = not.roles.iter().map(ToString::to_string).collect();
    let roles = roles.join(" or ");
    let page = match &not.unknown {
        Some(why) => Page::sentence(format!(
            "Refused: whether {person} may be {part} of {id} could not be found out. It needs the role {roles}, and {}. Nothing changed.",
            visible(why)
        )),
        None => Page::sentence(format!(
            "Refused: to be {part} of {id} needs the role {roles}, which {person} does not have. Nothing changed."
        )),
    };
    let next: Vec<_> = not.next.iter().map(ToString::to_string).collect();
    let next = if next.is_empty() { "ask those who keep the policy".to_owned() } else { next.join(", ") };
    page.text(format!("Next: {next}.")).code(code)
}

/// What was reported is not taken.
pub fn not_reported(refusal: &Refusal, id: Option<IncidentId>) -> Page {
    let (sentence, command, note) = match (refusal, id) {
        (Refusal::TooShort(least), _) => {
            (format!("that has fewer than {least} characters."), "help report".to_owned(), "how it is said")
        }
        (Refusal::TooLong(most), _) => (
            format!("that is longer than {most} characters."),
            "help report".to_owned(),
            "say it shorter, or in two",
        ),
        (_, Some(id)) => (format!("{id} is closed."), "report <service> \"…\"".to_owned(), "if it is back"),
        (_, None) => ("it cannot be taken so.".to_owned(), "help report".to_owned(), "how it is said"),
    };
    Page::sentence(format!("Refused: {sentence} Nothing was recorded."))
        .next(command, note)
        .code(refusal.code())
}

/// notify.yaml cannot be used as it is now. It stands before what is known all the same.
pub fn notify_broken(why: &str) -> Page {
    let page = Page::sentence(format!(
        "{}. What was read before goes on; where nothing was, nobody can be called.",
        said::of_notify(why)
    ));
    said::mends_notify(page, why)
}

/// Nothing is being called, so there are no next ones to call.
pub fn nothing_called(id: IncidentId) -> Page {
    Page::sentence(format!("Refused: nothing is being called for {id}. Nothing changed."))
        .next(format!("incident status {id}"), "what is owed, and by whom")
        .code(Refusal::NotOwed(Vec::new()).code())
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

/// It is a drill, and somebody else said something of it.
pub fn not_of_drill(id: IncidentId, people: &[Person]) -> Page {
    let people: Vec<_> = people.iter().map(ToString::to_string).collect();
    Page::sentence(format!(
        "Refused: {id} is a drill, and only {} take part in it. Nothing changed.",
        people.join(", ")
    ))
    .next(format!("incident status {id}"), "it may be looked at")
    .code("not-of-drill")
}

/// There is no such service.
pub fn unknown_service(typed: &str, services: &[String]) -> Page {
    let near = nearest(typed, services.iter().map(String::as_str));
    let near = near.map(|near| format!(" Nearest: `{near}`.")).unwrap_or_default();
    Page::sentence(format!("There is no service {}.{near} Nothing was opened.", quoted(typed)))
        .text(format!("Next: one of {}, or no service at all.", services.join(", ")))
        .code("unknown-service")
}

/// It stands still because of a fault in the bot.
pub fn parked(id: IncidentId, why: &str) -> Page {
    Page::sentence(format!(
        "{id} is parked: {}. Nobody is told anything of it by the bot until it is carried on. All other incidents go on.",
        crate::runbook::source::hidden::visible(why)
    ))
    .text("Next: tell those who must know yourself, and start the bot again: then it is carried on.")
    .code("incident-parked")
}
