//! Phrases of incidents that stand in several pages and notices. For operators.

use crate::incident::model::{
    About, Cause, Incident, IncidentId, Notice, Obligation, Owed, Part, Status, Trouble,
};
use crate::plan::Digest;
use crate::run::RunId;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::Role;
use crate::wording::Page;
use crate::wording::moment::Moment;
use crate::wording::refusal::capital;

/// What is owed, so that "is owed", "is due" and "is late" fit behind it.
pub fn owed(owed: &Obligation) -> String {
    what(owed.owed, &owed.who)
}

/// The same, of something that is owed by a role.
pub fn what(owed: Owed, who: &Role) -> String {
    match owed {
        Owed::Acknowledged => format!("the answer of {who}"),
        Owed::Delivered => format!("a notice to {who}"),
        Owed::Published => "the word to customers".to_owned(),
        Owed::AllClear => "the all-clear to customers".to_owned(),
        Owed::Commander => "a commander".to_owned(),
        Owed::Update => "the next news".to_owned(),
        Owed::Postmortem => "the postmortem".to_owned(),
    }
}

/// That it was not done in time, without a full stop.
pub fn overdue(owed: &Obligation, moment: &Moment) -> String {
    let (who, due) = (&owed.who, moment.time(owed.due));
    match owed.owed {
        Owed::Acknowledged => format!("Nobody of {who} has said that they know; due {due}"),
        Owed::Delivered => format!("No path has taken a notice to {who}; due {due}"),
        Owed::Published => format!("Customers have not been told; due {due}"),
        Owed::AllClear => format!("Customers have not been told that it is over; due {due}"),
        Owed::Commander => format!("Nobody has taken command; due {due}"),
        Owed::Update => format!("There is no news since the last; due {due}"),
        Owed::Postmortem => format!("The postmortem is not done; due {due}"),
    }
}

/// What ends an obligation: the words to type.
pub fn ends(owed: &Obligation, id: IncidentId) -> Option<String> {
    match owed.owed {
        Owed::Acknowledged => Some(format!("incident ack {id}")),
        Owed::Delivered => None,
        Owed::Published | Owed::AllClear => Some(format!("incident publish {id}")),
        Owed::Commander => Some(format!("incident take commander {id}")),
        Owed::Update => Some(format!("incident update {id} \"…\" for=support")),
        Owed::Postmortem => Some(format!("incident close {id}")),
    }
}

/// Why it was opened, behind a time: `by run 142, which failed: step 4 on pg4`.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Run { run, trouble } => format!("by {}", happened(*run, trouble)),
        Cause::Person { by, why } if why.is_empty() => format!("by {by}"),
        Cause::Person { by, why } => format!("by {by}: {}", visible(why.trim_end_matches('.'))),
        // A path says whom it refused, and many read this.
        Cause::Watch { why, .. } => {
            let why = super::told::without_addresses(why.trim_end_matches('.'));
            format!("by the watch over the paths: {}", visible(&why))
        }
        Cause::Reports { reports } => super::reports::cause(reports),
    }
}

/// What happened to a run.
pub fn happened(run: RunId, trouble: &Trouble) -> String {
    let text = |text: &String| visible(text.trim_end_matches('.'));
    match trouble {
        Trouble::Starts => format!("run {run}, which starts"),
        Trouble::Failed(what) => format!("run {run}, which FAILED: {}", text(what)),
        Trouble::Unknown(what) => format!("run {run}, of which an outcome is UNKNOWN: {}", text(what)),
        Trouble::Overdue(what) => format!("run {run}, which is OVERDUE: {}", text(what)),
        Trouble::Stalled(what) => format!("run {run}, which is STALLED: {}", text(what)),
        Trouble::WatchBroke(what) => format!("run {run}, of which a watch broke: {}", text(what)),
        Trouble::Stopped => format!("run {run}, which was stopped"),
        Trouble::EndedBadly(what) => format!("run {run}, which ended badly: {}", text(what)),
        Trouble::Parked(why) => format!("run {run}, which is parked: {}", text(why)),
    }
}

/// Where it stands.
pub const fn status(status: Status) -> &'static str {
    match status {
        Status::Investigating => "investigating",
        Status::Identified => "identified",
        Status::Monitoring => "monitoring",
        Status::Resolved => "resolved",
        Status::Closed => "closed",
    }
}

/// What somebody is, as it is typed.
pub const fn part(part: Part) -> &'static str {
    match part {
        Part::Commander => "commander",
        Part::Communications => "communications",
        Part::SupportLiaison => "support-liaison",
    }
}

/// What somebody does who is that.
pub const fn does(part: Part) -> &'static str {
    match part {
        Part::Commander => "You decide what is done from now on",
        Part::Communications => "You say what customers read from now on",
        Part::SupportLiaison => "You speak for Support from now on",
    }
}

/// The draft, and the line that publishes exactly it.
pub fn draft(page: Page, id: IncidentId, text: &str, digest: &Digest) -> Page {
    let page = page.fields(vec![("Draft", format!("\"{}\"", visible(text)))]);
    page.next(publish(id, digest), "customers read exactly that")
}

/// What tells customers that it is over: the draft of that, or that it must be written.
pub fn all_clear(page: Page, id: IncidentId, over: Option<(&str, &Digest)>) -> Page {
    match over {
        Some((text, digest)) => draft(page, id, text, digest),
        None => {
            page.next(format!("incident draft {id} \"…\""), "that it is over, word for word; then publish it")
        }
    }
}

fn publish(id: IncidentId, digest: &Digest) -> String {
    format!("incident publish {id} {}", digest.short())
}

/// The line that publishes the draft as it stands; without a draft nothing can be published.
pub fn publishes(incident: &Incident) -> Option<String> {
    Some(publish(incident.id, &incident.draft_digest()?))
}

/// Why notify.yaml cannot be used, as a sentence begins; the name of the file stays as it is.
pub fn of_notify(why: &str) -> String {
    let why = visible(why);
    if why.starts_with("notify.yaml") { why } else { capital(&why) }
}

/// What to do where notify.yaml cannot be used. `check` has nothing to say of a file that is not there.
pub fn mends_notify(page: Page, why: &str) -> Page {
    if why == "there is no notify.yaml" {
        return page.text("Next: write notify.yaml beside policy.yaml, and tell people yourself until then.");
    }
    page.next("steadyhand check", "in a shell, shows what is wrong")
}

/// How bad it is, and that it is a drill if it is one.
pub fn severity(incident: &Incident) -> String {
    let word = incident.severity.word();
    if incident.is_drill() { format!("[DRILL] {word}") } else { word.to_owned() }
}

/// Whom a notice is for: somebody by name, or what stands at the end of a path that reaches nobody in particular.
pub fn whom(notice: &Notice) -> String {
    match (&notice.to, &notice.about) {
        (Some(person), _) => person.to_string(),
        (None, About::Published(_)) => "status page".to_owned(),
        (None, _) => "last resort".to_owned(),
    }
}

/// What a notice is about, in a few words.
pub fn about(about: &About, incident: &Incident) -> String {
    let of =
        |number: &u32| incident.obligation(*number).map_or_else(|| format!("number {number}"), self::owed);
    match about {
        About::Call(number) => format!("call for {}", of(number)),
        About::Reminder(number) => format!("reminder of {}", of(number)),
        About::Late(number) => format!("{} is late", of(number)),
        About::Alarm(why) => format!("alarm: {}", visible(why)),
        About::Update(number) => format!("news {number}"),
        About::Report(number) => format!("report {number}"),
        About::AlertsOver => "its alerts are over".to_owned(),
        About::Published(number) => format!("publication {number}"),
        About::Made { part: what, by } => format!("made {} by {by}", part(*what)),
        About::Acknowledged => "somebody knows".to_owned(),
        About::Resolved => "it is over".to_owned(),
    }
}
