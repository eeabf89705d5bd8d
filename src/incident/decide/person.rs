//! What people say. Whether they may speak at all was asked of the policy before; which words are for some is in `rights`.

use super::call;
use super::course::Course;
use super::obligations::{
    Begin, end, meet, news_came, of_severity, of_worse, open_ones, postmortem, support_of_bad, void,
};
use super::run::begins_again;
use super::{customers, news, rights};
use crate::incident::event::Event;
use crate::incident::input::{Refusal, Says};
use crate::incident::model::{About, Delivery, End, Obligation, Owed, Part, Severity, Status};
use crate::incident::next::SUPPORT;
use crate::runbook::source::name::{Person, Role};

/// A reason has at least so many characters.
const MIN_REASON: usize = 10;
/// News have at least so many characters,
const MIN_TEXT: usize = 3;
/// and no text has more.
const MAX_TEXT: usize = 4000;

/// Somebody says something.
pub(super) fn says(course: &mut Course<'_>, by: &Person, says: &Says) -> Result<(), Refusal> {
    if course.incident.is_closed() {
        return Err(Refusal::Closed);
    }
    rights::may(course, by, says)?;
    match says {
        Says::Acknowledge { how } => acknowledge(course, by, how),
        Says::Take { part, person } => take(course, by, *part, person),
        Says::Update { text, for_support } => {
            let text = fits(text, MIN_TEXT)?;
            course.say(Event::IncidentUpdate { text, for_support: *for_support });
            let number = u32::try_from(course.incident.updates.len()).unwrap_or(u32::MAX);
            news::update(course, number, by, *for_support);
            if *for_support {
                news_came(course, by);
            }
            Ok(())
        }
        Says::Draft { text } => {
            let text = fits(text, MIN_REASON)?;
            course.say(Event::IncidentDraft { text, ready: false });
            Ok(())
        }
        Says::Publish { digest } => customers::publish(course, by, digest.as_deref()),
        Says::Severity { severity, why } => {
            let why = fits(why, MIN_REASON)?;
            severity_is(course, *severity, why);
            Ok(())
        }
        Says::Status { status } => status_is(course, by, *status),
        Says::Resolve => resolve(course, by),
        Says::Waive { obligation, why } => {
            let open = open_ones(course, |_| true);
            if !open.contains(obligation) {
                return Err(Refusal::NotOwed(open));
            }
            let why = fits(why, MIN_REASON)?;
            end(course, *obligation, End::Waived(by.clone(), why));
            Ok(())
        }
        Says::Escalate => {
            let called = open_ones(course, |it| it.call.is_some() && it.owed != Owed::Postmortem);
            if called.is_empty() {
                return Err(Refusal::NotOwed(open_ones(course, |_| true)));
            }
            call::escalate(course);
            Ok(())
        }
        Says::Close => close(course, by),
    }
}

fn fits(text: &str, least: usize) -> Result<String, Refusal> {
    let text = text.trim();
    match text.chars().count() {
        length if length < least => Err(Refusal::TooShort(least)),
        length if length > MAX_TEXT => Err(Refusal::TooLong(MAX_TEXT)),
        _ => Ok(text.to_owned()),
    }
}

/// Somebody says that they know: whatever they may answer for is met.
fn acknowledge(course: &mut Course<'_>, by: &Person, how: &str) -> Result<(), Refusal> {
    let met = open_ones(course, |it| it.owed == Owed::Acknowledged && answers_for(course, by, it));
    if let Some(since) = course.incident.known_by.get(by).filter(|_| met.is_empty()) {
        return Err(Refusal::Already(*since));
    }
    let mut roles: Vec<Role> = Vec::new();
    for obligation in met.iter().filter_map(|number| course.incident.obligation(*number)) {
        if !roles.contains(&obligation.who) {
            roles.push(obligation.who.clone());
        }
    }
    course.say(Event::IncidentAcknowledged { roles, how: how.to_owned() });
    for number in &met {
        end(course, *number, End::Met(Some(by.clone())));
    }
    if !met.is_empty() {
        news::somebody_knows(course);
    }
    Ok(())
}

/// Whether somebody was called for it, has its role now, or may ever have that role. Those of later steps answer for it
/// once they were called. In a drill those who take part do.
fn answers_for(course: &Course<'_>, by: &Person, obligation: &Obligation) -> bool {
    if course.incident.is_drill() {
        return course.takes_part(by);
    }
    let call = About::Call(obligation.number);
    let called = course.incident.notices.iter().any(|it| it.about == call && it.to.as_ref() == Some(by));
    called
        || course.on_duty(&obligation.who).contains(by)
        || course.duty.reach_of(obligation.who.as_str()).contains(by)
}

/// Somebody is something in it. Who is that already hands it over; a commander by the policy may also take it.
fn take(course: &mut Course<'_>, by: &Person, part: Part, person: &Person) -> Result<(), Refusal> {
    if let Some(holder) = course.incident.parts.get(&part) {
        let may = holder == by || course.on_duty(&super::obligations::commander(course)).contains(by);
        if holder == person || !may {
            return Err(Refusal::Taken(part, holder.clone()));
        }
    }
    course.say(Event::IncidentPart { part, person: person.clone() });
    if person != by {
        news::made(course, part, person, by);
    }
    if part == Part::Commander {
        meet(course, Owed::Commander, by);
    }
    Ok(())
}

fn severity_is(course: &mut Course<'_>, severity: Severity, why: String) {
    let before = course.incident.severity;
    course.say(Event::IncidentSeverity { severity, why });
    if severity < before {
        let believed_over = course.incident.status == Status::Monitoring && begins_again(course);
        of_worse(course);
        if believed_over {
            customers::hear_that_it_goes_on(course);
        }
    } else if severity == before && severity <= Severity::Sev2 && !was_for_support(course) {
        // Only an alert had said so before, and Support hears nothing of what no person has said.
        support_of_bad(course);
    } else if severity > Severity::Sev2 {
        let public = |owed| matches!(owed, Owed::Commander | Owed::Update | Owed::Published);
        void(course, |it| public(it.owed) && it.holds_back.is_none());
    }
}

fn was_for_support(course: &Course<'_>) -> bool {
    course.incident.obligations.iter().any(|it| it.who.as_str() == SUPPORT)
}

fn status_is(course: &mut Course<'_>, by: &Person, status: Status) -> Result<(), Refusal> {
    let before = course.incident.status;
    match status {
        Status::Resolved => resolve(course, by),
        Status::Closed => close(course, by),
        _ if status == before => Err(Refusal::NotNow(before)),
        Status::Investigating if before == Status::Resolved => {
            let believed_over = begins_again(course);
            of_severity(course, Begin::Again);
            if believed_over {
                customers::hear_that_it_goes_on(course);
            }
            Ok(())
        }
        _ if before == Status::Resolved => Err(Refusal::NotNow(before)),
        _ => {
            let believed_over = course.incident.is_over_for_customers();
            course.say(Event::IncidentStatus { status });
            if believed_over && status < Status::Monitoring {
                customers::hear_that_it_goes_on(course);
            }
            Ok(())
        }
    }
}

/// It is over. Whoever says so knows of it.
fn resolve(course: &mut Course<'_>, by: &Person) -> Result<(), Refusal> {
    if course.incident.status == Status::Resolved {
        return Err(Refusal::NotNow(Status::Resolved));
    }
    if let Some(run) = course.incident.run_that_goes_on() {
        return Err(Refusal::RunGoesOn(run));
    }
    if course.incident.customers_wait() {
        return Err(customers::wait(&course.incident));
    }
    course.say(Event::IncidentStatus { status: Status::Resolved });
    for number in open_ones(course, |it| it.owed == Owed::Acknowledged && answers_for(course, by, it)) {
        end(course, number, End::Met(Some(by.clone())));
    }
    void(course, |it| matches!(it.owed, Owed::Update | Owed::Commander | Owed::Published));
    postmortem(course);
    Ok(())
}

/// The postmortem is done, and whatever else was owed is not any more.
fn close(course: &mut Course<'_>, by: &Person) -> Result<(), Refusal> {
    if course.incident.status != Status::Resolved {
        return Err(Refusal::NotNow(course.incident.status));
    }
    news::it_is_over(course);
    meet(course, Owed::Postmortem, by);
    void(course, |_| true);
    let waits = course.incident.notices.iter().filter(|it| matches!(it.delivery, Delivery::Waiting(_)));
    let waits: Vec<u32> = waits.map(|it| it.number).collect();
    for notice in waits {
        let why = "The incident was closed before it could be sent.".to_owned();
        course.say(Event::NoticeDropped { notice, superseded: false, why });
    }
    course.say(Event::IncidentStatus { status: Status::Closed });
    Ok(())
}
