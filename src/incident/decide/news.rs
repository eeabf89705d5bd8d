//! What people are told who are not called: news, what is published, that somebody knows, that it is over.

use super::course::{Course, same_place};
use super::obligations::commander;
use crate::duty::Way;
use crate::duty::model::Carrier;
use crate::incident::event::Event;
use crate::incident::model::{About, Audience, Delivery, Notice, Owed, Part, Status};
use crate::incident::next::SUPPORT;
use crate::runbook::source::name::{Person, Role};

/// What a person reads who is told of what a role owes. Of what Support owes, whoever is of Support reads what is for
/// Support, whatever else they are; of all else they do so if they are of no other role that is called. Of people without
/// any such role that role decides.
pub(super) fn audience_of(course: &Course<'_>, person: &Person, who: &Role) -> Audience {
    let is = |role: &Role| {
        course.on_duty(role).contains(person) || course.duty.reach_of(role.as_str()).contains(person)
    };
    if who.as_str() == SUPPORT && is(who) {
        return Audience::Support;
    }
    let roles = called_roles(course, who);
    let mut held = roles.iter().filter(|role| is(role)).peekable();
    let only_support = match held.peek() {
        Some(_) => held.all(|role| role.as_str() == SUPPORT),
        None => who.as_str() == SUPPORT,
    };
    if only_support { Audience::Support } else { Audience::Operator }
}

/// This role, that of the owner and that of the commander, with all to whom they escalate; and Support.
fn called_roles(course: &Course<'_>, who: &Role) -> Vec<Role> {
    let mut roles: Vec<Role> = Role::new(SUPPORT).into_iter().collect();
    for role in [who.clone(), course.incident.opened.owner.clone(), commander(course)] {
        roles.extend(course.duty.escalation(&role).steps.into_iter().flat_map(|step| step.tell));
        roles.push(role);
    }
    roles
}

/// Whether this waits for somebody on this way already.
pub(super) fn news_waits(course: &Course<'_>, about: &About, person: &Person, way: &Way) -> bool {
    course.is_open(about, Some(person), way)
}

/// Everybody who was called hears news, over their first way that takes news; those of Support hear what was said for them.
pub(super) fn update(course: &mut Course<'_>, number: u32, by: &Person, for_support: bool) {
    let called = course.incident.notices.iter().filter(|it| matches!(it.about, About::Call(_)));
    let called = called.filter_map(|it| it.to.clone());
    let support: Vec<Person> = Role::new(SUPPORT).map(|role| course.on_duty(&role)).unwrap_or_default();
    let mut readers: Vec<Person> = Vec::new();
    for person in called.chain(support) {
        if !readers.contains(&person) {
            readers.push(person);
        }
    }
    let owner = course.incident.opened.owner.clone();
    for person in readers {
        let audience = audience_of(course, &person, &owner);
        if person == *by || (audience == Audience::Support && !for_support) {
            continue;
        }
        let Some(way) = news_ways(course, &person).into_iter().next() else { continue };
        supersede(course, audience, &person, &way);
        course.tell(About::Update(number), audience, Some(person), way);
    }
}

/// Everybody who was called and reads what operators read hears of it, over their first way that takes news.
pub(super) fn to_operators(course: &mut Course<'_>, about: &About) {
    let owner = course.incident.opened.owner.clone();
    let called = course.incident.notices.iter().filter(|it| matches!(it.about, About::Call(_)));
    let mut readers: Vec<Person> = called.filter_map(|it| it.to.clone()).collect();
    readers.sort();
    readers.dedup();
    for person in readers {
        if audience_of(course, &person, &owner) != Audience::Operator {
            continue;
        }
        let Some(way) = news_ways(course, &person).into_iter().next() else { continue };
        course.tell(about.clone(), Audience::Operator, Some(person), way);
    }
}

/// News that wait for the same reader on the same way need not be sent any more. A page never is replaced.
fn supersede(course: &mut Course<'_>, audience: Audience, person: &Person, way: &Way) {
    let older = |it: &&Notice| {
        matches!(it.about, About::Update(_))
            && matches!(it.delivery, Delivery::Waiting(_))
            && it.audience == audience
            && it.to.as_ref() == Some(person)
            && same_place(&it.way, way)
    };
    let older: Vec<u32> = course.incident.notices.iter().filter(older).map(|it| it.number).collect();
    for notice in older {
        let why = "Newer news replaced it before it could be sent.".to_owned();
        course.say(Event::NoticeDropped { notice, superseded: true, why });
    }
}

/// Somebody else made a person something: they hear of it over their first way that takes news.
pub(super) fn made(course: &mut Course<'_>, part: Part, person: &Person, by: &Person) {
    let owner = course.incident.opened.owner.clone();
    let Some(way) = news_ways(course, person).into_iter().next().filter(|_| course.takes_part(person)) else {
        return;
    };
    let about = About::Made { part, by: by.clone() };
    if !news_waits(course, &about, person, &way) {
        let audience = audience_of(course, person, &owner);
        course.tell(about, audience, Some(person.clone()), way);
    }
}

/// What a person published goes out, word for word. Nothing of a drill does.
pub(super) fn publish(course: &mut Course<'_>, number: u32) {
    let Ok(notify) = course.duty.notify else { return };
    if course.incident.is_drill() {
        return;
    }
    let ways: Vec<Way> =
        notify.public.iter().filter_map(|rule| course.duty.way(notify, rule, None)).collect();
    for way in ways {
        course.tell(About::Published(number), Audience::Public, None, way);
    }
}

/// The ways of a person over which news can go, best first.
pub(super) fn news_ways(course: &Course<'_>, person: &Person) -> Vec<Way> {
    course.ways(person).into_iter().filter(|way| !keeps_alerts(course, way)).collect()
}

/// Whether a path only opens and closes alerts, and takes no news.
fn keeps_alerts(course: &Course<'_>, way: &Way) -> bool {
    let path = course.duty.notify.ok().and_then(|notify| notify.paths.get(&way.path));
    path.is_some_and(|path| matches!(path.carrier, Carrier::PagerDuty { .. }))
}

/// A way refused news for ever: they go over the next one of the same person that takes news, if they are still worth it.
/// A way that was the first when they were queued may be the last by now.
pub(super) fn a_way_failed(course: &mut Course<'_>, notice: &Notice) {
    let Some(person) = notice.to.as_ref().filter(|_| are_worth_it(course, notice)) else { return };
    let refused = |way: &Way| {
        let same = |it: &&Notice| it.about == notice.about && it.to == notice.to && same_place(&it.way, way);
        let mut same = course.incident.notices.iter().filter(same);
        same.any(|it| matches!(it.delivery, Delivery::Failed(_)))
    };
    let ways = news_ways(course, person);
    let after = ways.iter().skip_while(|way| !same_place(way, &notice.way)).nth(1);
    let Some(way) = after.or_else(|| ways.iter().find(|way| !refused(way))).cloned() else { return };
    if news_waits(course, &notice.about, person, &way) {
        return;
    }
    if matches!(notice.about, About::Update(_)) {
        supersede(course, notice.audience, person, &way);
    }
    course.tell(notice.about.clone(), notice.audience, Some(person.clone()), way);
}

/// Whether a notice is news that nothing newer has replaced, or speaks of something that is still owed.
fn are_worth_it(course: &Course<'_>, notice: &Notice) -> bool {
    let newer =
        |it: &Notice| matches!(it.about, About::Update(_)) && it.to == notice.to && it.number > notice.number;
    match notice.about {
        About::Update(_) => !course.incident.is_closed() && !course.incident.notices.iter().any(newer),
        About::Made { part, .. } => {
            !course.incident.is_closed() && course.incident.parts.get(&part) == notice.to.as_ref()
        }
        About::Report(_) | About::AlertsOver => course.incident.status < Status::Resolved,
        About::Reminder(_) => course.asks_still(notice),
        About::Late(_) => {
            course.obligation_of(notice).is_some_and(|it| it.is_open() && it.owed == Owed::Postmortem)
        }
        _ => false,
    }
}

/// Paths that keep an alert open hear that somebody knows, once nobody is called over them any more.
pub(super) fn somebody_knows(course: &mut Course<'_>) {
    let calls = |notice: &Notice| {
        matches!(notice.about, About::Call(_) | About::Late(_))
            && (notice.delivery.is_open() || matches!(notice.delivery, Delivery::Accepted(_)))
    };
    let mut last: Vec<Notice> = Vec::new();
    for notice in course.incident.notices.iter().filter(|it| keeps_alerts(course, &it.way)) {
        if calls(notice) || notice.about == About::Acknowledged {
            last.retain(|it| !same_place(&it.way, &notice.way));
            last.push(notice.clone());
        }
    }
    for notice in last.into_iter().filter(|it| it.about != About::Acknowledged) {
        let others = course.incident.notices.iter().filter(|it| same_place(&it.way, &notice.way));
        if !others.filter(|it| calls(it)).any(|it| course.asks_still(it)) {
            course.tell(About::Acknowledged, notice.audience, notice.to, notice.way);
        }
    }
}

/// Everybody who was called, or heard an alarm, hears once that it is over. Who is called after the end, since they still
/// have to know, hears it when they have said so.
pub(super) fn it_is_over(course: &mut Course<'_>) {
    let (Status::Resolved, Some(resolved)) = (course.incident.status, course.incident.resolved) else {
        return;
    };
    let called = course.incident.owed().iter().any(|it| it.call.is_some() && it.owed != Owed::Postmortem);
    let mut told: Vec<Notice> = Vec::new();
    for notice in course.incident.notices.iter().filter(|it| course.was_alerted(it)) {
        if !told.iter().any(|it| it.to == notice.to && same_place(&it.way, &notice.way)) {
            told.push(notice.clone());
        }
    }
    for notice in told {
        let here = |it: &&Notice| it.to == notice.to && same_place(&it.way, &notice.way);
        let here: Vec<&Notice> = course.incident.notices.iter().filter(here).collect();
        let over = here.iter().rev().find(|it| it.about == About::Resolved);
        let after = over.map_or(0, |it| it.number);
        let asks_still = |it: &Notice| match it.about {
            About::Alarm(_) => called,
            _ => course.asks_still(it),
        };
        let asked_since = |it: &Notice| it.queued > resolved && asks_still(it);
        let mut since = here.iter().filter(|it| it.number > after && course.was_alerted(it));
        if since.any(|it| !asked_since(it)) {
            course.tell(About::Resolved, notice.audience, notice.to.clone(), notice.way.clone());
        }
    }
}
