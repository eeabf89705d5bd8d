//! What is owed, by whom, by when; and what happens at half of the time and when it is over.

use super::course::Course;
use super::customers::stands_ready;
use super::news::{audience_of, news_waits, news_ways};
use crate::duty::Duty;
use crate::incident::event::Event;
use crate::incident::model::{About, Delivery, End, Incident, Obligation, Owed, Part, Severity, Status};
use crate::incident::next::{SUPPORT, reminder, stale};
use crate::plan::model::TellPlan;
use crate::run::RunId;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role};

/// The on-call has so long to say that they know, and somebody to take command.
const AT_ONCE: Millis = Millis::minutes(5);
/// Support has so long to say that they know of something that became bad.
const SUPPORT_KNOWS: Millis = Millis::minutes(10);
/// Customers are told within this time, that it happens and that it is over.
pub(super) const PUBLISH: Millis = Millis::minutes(10);
/// How often there are news of the worst, and of what is bad.
const NEWS_SEV1: Millis = Millis::minutes(30);
const NEWS_SEV2: Millis = Millis::minutes(60);
/// The postmortem is owed for five days.
const POSTMORTEM: Millis = Millis(5 * 24 * 3_600_000);
/// The role that decides, where the policy has one by this name.
const COMMANDER: &str = "commander";
/// Who is told by being published to.
const STATUS_PAGE: &str = "status-page";

/// Which of the obligations of a severity begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Those that there never were.
    Missing,
    /// All that are not owed at the moment: it began again.
    Again,
}

/// Whom a plan tells.
pub(super) fn tells(course: &mut Course<'_>, run: Option<RunId>, tell: &[TellPlan]) {
    let owner = course.incident.opened.owner.clone();
    for tell in tell {
        let holds_back = run.filter(|_| tell.at == "before-start");
        let (owed, who) = match (tell.who.as_str(), tell.until.as_str()) {
            (STATUS_PAGE, _) | (_, "published") => (Owed::Published, owner.clone()),
            (who, "acknowledged") => (Owed::Acknowledged, Role::new(who).unwrap_or_else(|| owner.clone())),
            (who, _) => (Owed::Delivered, Role::new(who).unwrap_or_else(|| owner.clone())),
        };
        owe(course, owed, who, tell.within, holds_back);
    }
    // In a drill nothing is published, and a run does not wait for it.
    let waits = course.incident.obligations.iter().any(|it| run.is_some() && it.holds_back == run);
    if let Some(run) = run.filter(|_| !waits && tell.iter().any(|tell| tell.at == "before-start")) {
        course.say(Event::IncidentRunReleased { run });
    }
}

/// What is owed because it is as bad as it is.
pub(super) fn of_severity(course: &mut Course<'_>, begin: Begin) {
    let severity = course.incident.severity;
    if severity == Severity::Planned || course.incident.is_closed() {
        return;
    }
    if course.incident.status == Status::Resolved {
        postmortem(course);
        return;
    }
    let owner = course.incident.opened.owner.clone();
    if is_missing(&course.incident, Owed::Acknowledged, Some(&owner), begin) {
        owe(course, Owed::Acknowledged, owner.clone(), AT_ONCE, None);
    }
    if severity > Severity::Sev2 {
        return;
    }
    if is_missing(&course.incident, Owed::Commander, None, begin)
        && !course.incident.parts.contains_key(&Part::Commander)
    {
        let who = commander(course);
        owe(course, Owed::Commander, who, AT_ONCE, None);
    }
    // News are owed again and again: that they came once does not matter.
    if is_missing(&course.incident, Owed::Update, None, Begin::Again) {
        next_news(course);
    }
    if is_missing(&course.incident, Owed::Published, None, begin) {
        owe(course, Owed::Published, owner, PUBLISH, None);
    }
}

/// It is worse than it was: whoever had answered before must know that, and Support of all that is bad.
pub(super) fn of_worse(course: &mut Course<'_>) {
    of_severity(course, Begin::Again);
    support_of_bad(course);
}

/// Support hears of all that is bad, while it goes on.
pub(super) fn support_of_bad(course: &mut Course<'_>) {
    let goes_on = !matches!(course.incident.status, Status::Resolved | Status::Closed);
    if goes_on && course.incident.severity <= Severity::Sev2 && !course.incident.is_drill() {
        call_support(course);
    }
}

/// Support is called, if there is one and it is not told already.
fn call_support(course: &mut Course<'_>) {
    let Some((support, _)) = course.duty.policy.roles.get_key_value(SUPPORT) else { return };
    let support = support.clone();
    let told = |owed| !is_missing(&course.incident, owed, Some(&support), Begin::Again);
    if !told(Owed::Acknowledged) && !told(Owed::Delivered) {
        owe(course, Owed::Acknowledged, support, SUPPORT_KNOWS, None);
    }
}

/// Whether somebody of the owner is called and has not answered yet.
pub(super) fn is_owner_called(course: &Course<'_>) -> bool {
    let owner = &course.incident.opened.owner;
    !is_missing(&course.incident, Owed::Acknowledged, Some(owner), Begin::Again)
}

/// The owner must know of something new, and is called, if nobody of them is called already.
pub(super) fn call_owner(course: &mut Course<'_>) {
    if !is_owner_called(course) {
        let owner = course.incident.opened.owner.clone();
        owe(course, Owed::Acknowledged, owner, AT_ONCE, None);
    }
}

pub(super) fn is_missing(incident: &Incident, owed: Owed, who: Option<&Role>, begin: Begin) -> bool {
    let counts = |it: &Obligation| match &it.end {
        None => true,
        Some(End::Met(_) | End::Waived(..)) => begin == Begin::Missing,
        Some(End::Void) => false,
    };
    let same = |it: &&Obligation| it.owed == owed && who.is_none_or(|who| it.who == *who);
    !incident.obligations.iter().filter(same).any(counts)
}

/// The role that owes a commander: the one that the policy calls so, or the owner.
pub(super) fn commander(course: &Course<'_>) -> Role {
    let named = course.duty.policy.roles.get_key_value(COMMANDER).map(|(role, _)| role.clone());
    named.unwrap_or_else(|| course.incident.opened.owner.clone())
}

/// The next news are owed.
fn next_news(course: &mut Course<'_>) {
    let usual = if course.incident.severity == Severity::Sev1 { NEWS_SEV1 } else { NEWS_SEV2 };
    let every = course.incident.opened.news.as_ref().map_or(usual, |news| news.every.min(usual));
    let who = course.incident.opened.owner.clone();
    owe(course, Owed::Update, who, every, None);
}

/// There were news: the next ones are owed from now on, unless it is over.
pub(super) fn news_came(course: &mut Course<'_>, by: &Person) {
    meet(course, Owed::Update, by);
    let goes_on = !matches!(course.incident.status, Status::Resolved | Status::Closed);
    if course.incident.severity <= Severity::Sev2 && goes_on {
        next_news(course);
    }
}

/// What is learnt from it is owed, once. Of a drill nothing is.
pub(super) fn postmortem(course: &mut Course<'_>) {
    let wanted = course.incident.severity <= Severity::Sev2 && !course.incident.is_drill();
    if wanted && is_missing(&course.incident, Owed::Postmortem, None, Begin::Missing) {
        let who = course.incident.opened.owner.clone();
        owe(course, Owed::Postmortem, who, POSTMORTEM, None);
    }
}

/// Something is owed from now on.
pub(super) fn owe(course: &mut Course<'_>, owed: Owed, who: Role, within: Millis, holds_back: Option<RunId>) {
    if matches!(owed, Owed::Published | Owed::AllClear) {
        if course.incident.is_drill() {
            return;
        }
        if course.incident.draft.is_none() {
            stands_ready(course);
        }
    }
    let due = course.after(within);
    course.say(Event::ObligationBegan { owed, who, due, holds_back });
}

/// Every obligation of this kind that is owed was met by a person.
pub(super) fn meet(course: &mut Course<'_>, owed: Owed, by: &Person) {
    for number in open_ones(course, |it| it.owed == owed) {
        end(course, number, End::Met(Some(by.clone())));
    }
}

/// Every obligation of these is not needed any more.
pub(super) fn void(course: &mut Course<'_>, which: impl Fn(&Obligation) -> bool) {
    for number in open_ones(course, which) {
        end(course, number, End::Void);
    }
}

/// Those that are owed, by number.
pub(super) fn open_ones(course: &Course<'_>, which: impl Fn(&Obligation) -> bool) -> Vec<u32> {
    let open = course.incident.obligations.iter().filter(|it| it.is_open());
    open.filter(|it| which(it)).map(|it| it.number).collect()
}

/// It is not owed any more, and what was to be said of it is not said.
pub(super) fn end(course: &mut Course<'_>, number: u32, end: End) {
    let why = match &end {
        End::Met(_) => "What it asks for was done before it could be sent.",
        End::Waived(..) => "What it asks for was waived before it could be sent.",
        End::Void => "What it asks for is not needed any more.",
    };
    course.say(Event::ObligationEnded { obligation: number, end });
    let waits = course.incident.notices.iter().filter(|it| matches!(it.delivery, Delivery::Waiting(_)));
    let waits: Vec<u32> =
        waits.filter(|it| it.about.obligation() == Some(number)).map(|it| it.number).collect();
    for notice in waits {
        course.say(Event::NoticeDropped { notice, superseded: false, why: why.to_owned() });
    }
}

/// Half of the time is over; all of it is; those who said that they know have been silent for long.
pub(super) fn clocks(course: &mut Course<'_>) {
    for number in open_ones(course, |_| true) {
        let Some(obligation) = course.incident.obligation(number).cloned() else { continue };
        if obligation.late.is_none() && obligation.due <= course.now {
            late(course, &obligation);
        } else if reminder(&obligation).is_some_and(|half| half <= course.now) {
            course.say(Event::ObligationReminded { obligation: number });
            for person in owners(course, &obligation) {
                first_way(course, &About::Reminder(number), &obligation, person);
            }
        }
    }
    if stale(&course.incident).is_some_and(|since| since <= course.now) {
        call_owner(course);
    }
}

/// It was not met in time. Where people are called for it already, the commander is told once; else they are called now,
/// by `call::clocks`.
fn late(course: &mut Course<'_>, obligation: &Obligation) {
    let number = obligation.number;
    course.say(Event::ObligationLate { obligation: number });
    if !matches!(obligation.owed, Owed::Acknowledged | Owed::Delivered) {
        return;
    }
    let commander = course.incident.parts.get(&Part::Commander).cloned();
    let owner = course.incident.opened.owner.clone();
    let people = commander.map_or_else(|| course.on_duty(&owner), |person| vec![person]);
    let called = |course: &Course<'_>, person: &Person| {
        let call = About::Call(number);
        course.incident.notices.iter().any(|it| it.about == call && it.to.as_ref() == Some(person))
    };
    for person in people {
        if !course.takes_part(&person) || called(course, &person) {
            continue;
        }
        let ways = course.ways(&person);
        for way in Duty::first_two(&ways) {
            let audience = audience_of(course, &person, &owner);
            course.tell(About::Late(number), audience, Some(person.clone()), way.clone());
        }
    }
}

/// Who has it to do: the person who is that in the incident, or those on duty for its role.
fn owners(course: &Course<'_>, obligation: &Obligation) -> Vec<Person> {
    let parts: &[Part] = match obligation.owed {
        Owed::Published | Owed::AllClear | Owed::Update => &[Part::Communications, Part::Commander],
        Owed::Postmortem => &[Part::Commander],
        Owed::Acknowledged => &[Part::SupportLiaison],
        Owed::Commander | Owed::Delivered => &[],
    };
    let named = parts.iter().find_map(|part| course.incident.parts.get(part)).cloned();
    let people = named.map_or_else(|| course.on_duty(&obligation.who), |person| vec![person]);
    let mut people: Vec<Person> = people.into_iter().filter(|it| course.takes_part(it)).collect();
    if let Some(all) = course.incident.opened.drill.as_ref().filter(|_| people.is_empty()) {
        people.clone_from(all);
    }
    people
}

/// Once, over the first way of somebody that takes news: nothing rings.
fn first_way(course: &mut Course<'_>, about: &About, obligation: &Obligation, person: Person) {
    let Some(way) = news_ways(course, &person).into_iter().next() else { return };
    if !news_waits(course, about, &person, &way) {
        let audience = audience_of(course, &person, &obligation.who);
        course.tell(about.clone(), audience, Some(person), way);
    }
}

/// A postmortem that is late: those who owe it are told once a day.
pub(super) fn told_daily(course: &mut Course<'_>, obligation: &Obligation) -> Vec<Person> {
    let people = owners(course, obligation);
    for person in people.clone() {
        first_way(course, &About::Late(obligation.number), obligation, person);
    }
    people
}
