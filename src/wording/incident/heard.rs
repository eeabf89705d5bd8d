//! The answer to somebody who said something to an incident: what follows from it, and what is needed next.

use super::said;
use crate::incident::model::{About, End, IncidentId, Obligation, Owed, Severity, Status};
use crate::incident::{Incident, Says};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::Person;
use crate::wording::moment::Moment;
use crate::wording::page::Page;

/// What was said is recorded; this is what it means.
pub fn heard(incident: &Incident, by: &Person, says: &Says, moment: &Moment) -> Page {
    let id = incident.id;
    let sentence = match says {
        Says::Acknowledge { .. } => return acknowledged(incident, by, moment),
        Says::Take { part, person } if person == by => {
            format!("{person} is {} of {id} now.", said::part(*part))
        }
        Says::Take { part, person } => {
            let about = About::Made { part: *part, by: by.clone() };
            let is_told =
                incident.notices.iter().any(|it| it.about == about && it.to.as_ref() == Some(person));
            let told =
                if is_told { "They are told." } else { "They have no way to be told: tell them yourself." };
            format!("{person} is {} of {id} now. {told}", said::part(*part))
        }
        Says::Update { for_support, .. } => told_of_news(incident, *for_support),
        Says::Draft { .. } => {
            return Page::sentence(format!("The draft of {id} is as you said. Nobody reads it yet.")).next(
                said::publishes(incident).unwrap_or_else(|| status(id)),
                "customers read exactly that",
            );
        }
        Says::Publish { .. } => return published(incident),
        Says::Severity { severity, .. } => format!("{id} is {} now.", severity.word()),
        Says::Status { .. } if incident.wants_all_clear() => {
            let now =
                format!("{id} is {} now. Customers wait for the all-clear.", said::status(incident.status));
            return all_clear(Page::sentence(now), incident);
        }
        Says::Status { .. } => format!("{id} is {} now.", said::status(incident.status)),
        Says::Resolve => return resolved(incident),
        Says::Waive { obligation, why } => {
            format!(
                "Number {obligation} of what {id} owes is waived: {}.",
                visible(why.trim_end_matches('.'))
            )
        }
        Says::Escalate => format!("The next ones are called for {id}."),
        Says::Close => return Page::sentence(format!("{id} is closed for good.")),
    };
    owes(Page::sentence(sentence), incident, moment)
}

/// An incident was opened by somebody. `problems` says why notify.yaml cannot be used as it is now, if it cannot.
pub fn opened(incident: &Incident, problems: Option<&str>, moment: &Moment) -> Page {
    let what = format!(
        "{} is open: {}, {}.",
        incident.id,
        said::severity(incident),
        visible(&incident.opened.title)
    );
    let page = match (problems, incident.notices.is_empty()) {
        (Some(why), true) => {
            Page::sentence(what).text(format!("{}; nobody can be called.", said::of_notify(why)))
        }
        (Some(why), false) => Page::sentence(what)
            .text(called(incident))
            .text(format!("{}; what was read before goes on.", said::of_notify(why))),
        (None, _) => Page::sentence(what).text(called(incident)),
    };
    let page = match problems {
        Some(why) => said::mends_notify(page, why),
        None => page,
    };
    owes(page, incident, moment)
}

/// Who is being called. That they are does not mean that they know.
fn called(incident: &Incident) -> String {
    let mut people: Vec<String> = Vec::new();
    for person in incident.notices.iter().filter_map(|notice| notice.to.as_ref()) {
        if !people.contains(&person.to_string()) {
            people.push(person.to_string());
        }
    }
    match people.as_slice() {
        [] => "Nobody is called: nobody is on duty who can be told.".to_owned(),
        people => format!("Called: {}. They know once they have said so.", people.join(", ")),
    }
}

/// Who is told of the last news. Whoever says it believes that those whom they said it for read it.
fn told_of_news(incident: &Incident, for_support: bool) -> String {
    let (id, last) = (incident.id, u32::try_from(incident.updates.len()).unwrap_or(u32::MAX));
    let mut people: Vec<String> = Vec::new();
    let of_it = incident.notices.iter().filter(|it| it.about == About::Update(last));
    for person in of_it.filter_map(|it| it.to.as_ref()) {
        if !people.contains(&person.to_string()) {
            people.push(person.to_string());
        }
    }
    let readers = if for_support { "operators and Support" } else { "the operators" };
    match people.as_slice() {
        [] => format!(
            "Recorded for {readers} of {id}. There is nobody else who can be told: tell them yourself."
        ),
        people => format!("Recorded for {readers} of {id}, and told to {}.", people.join(", ")),
    }
}

fn acknowledged(incident: &Incident, by: &Person, moment: &Moment) -> Page {
    let id = incident.id;
    let roles: Vec<String> = incident
        .obligations
        .iter()
        .filter(|owed| owed.owed == Owed::Acknowledged)
        .filter(|owed| owed.end == Some(End::Met(Some(by.clone()))))
        .map(|owed| owed.who.to_string())
        .collect();
    let page = match roles.as_slice() {
        [] => Page::sentence(format!("Recorded: {by} knows of {id}. Nothing that is owed was theirs.")),
        roles => Page::sentence(format!(
            "Recorded: {by} knows of {id}, and answers for {}. Nobody is called for that any more.",
            roles.join(", ")
        )),
    };
    owes(page, incident, moment)
}

fn published(incident: &Incident) -> Page {
    let id = incident.id;
    let text = incident.published.last().map(|it| visible(&it.text)).unwrap_or_default();
    let page = Page::sentence(format!("Published for {id}: \"{text}\"")).text(where_it_goes(incident));
    match incident.status {
        Status::Resolved | Status::Closed => page.next(status(id), "it is over by that"),
        _ if incident.wants_all_clear() => all_clear(
            page.text(
                "That was drafted before it seemed to be over: customers wait for the all-clear still.",
            ),
            incident,
        ),
        Status::Monitoring if incident.run_that_goes_on().is_none() => {
            page.next(format!("incident resolve {id}"), "once it stays well")
        }
        _ => page.next(format!("incident draft {id} \"…\""), "what customers are to read next"),
    }
}

fn all_clear(page: Page, incident: &Incident) -> Page {
    let draft = incident.draft.as_ref().filter(|draft| draft.over).map(|draft| draft.text.as_str());
    said::all_clear(page, incident.id, draft.zip(incident.draft_digest().as_ref()))
}

/// To how many places the last publication goes. Without any nobody outside reads it, and a person must see to that.
fn where_it_goes(incident: &Incident) -> String {
    let last = u32::try_from(incident.published.len()).unwrap_or(u32::MAX);
    match incident.notices.iter().filter(|notice| notice.about == About::Published(last)).count() {
        0 => "notify.yaml names no status page, so nobody outside reads it by this. Next: post it there by hand, or name `public:` in notify.yaml.".to_owned(),
        1 => "It goes to 1 place, the status page.".to_owned(),
        places => format!("It goes to {places} places."),
    }
}

fn resolved(incident: &Incident) -> Page {
    let id = incident.id;
    let told = if incident.notices.is_empty() { "Nobody was called." } else { "Whoever was called is told." };
    let page = Page::sentence(format!("{id} is resolved. {told}"));
    let page = if incident.severity <= Severity::Sev2 && incident.published.is_empty() && !incident.is_drill()
    {
        page.text("Customers were told nothing of it.")
    } else {
        page
    };
    if incident.obligations.iter().any(|owed| owed.is_open() && owed.owed == Owed::Postmortem) {
        return page.next(format!("incident export {id}"), "the draft of the postmortem, which is owed");
    }
    page
}

/// What is still owed first, with the words that end it.
fn owes(page: Page, incident: &Incident, moment: &Moment) -> Page {
    let owed = incident.owed();
    let Some(first) = owed.first() else { return page };
    let page = page.text(format!("Owed next: {}.", one(first, moment)));
    // Whether the answer of a role is the reader's is not known here.
    let command = said::ends(first, incident.id).filter(|_| first.owed != Owed::Acknowledged);
    page.next(command.unwrap_or_else(|| status(incident.id)), String::new())
}

fn one(owed: &Obligation, moment: &Moment) -> String {
    format!("{}, due {}", said::owed(owed), moment.with_distance(owed.due))
}

fn status(id: IncidentId) -> String {
    format!("incident status {id}")
}
