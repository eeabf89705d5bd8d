//! Who is called, over which ways, and who next. Steps add, they never cancel: nothing but what a person says ends a call.

use super::course::{Course, same_place};
use super::news::audience_of;
use super::obligations::{open_ones, told_daily};
use crate::duty::tell::{Step, WAIT};
use crate::duty::{Duty, Way, Why};
use crate::incident::event::Event;
use crate::incident::model::{About, Audience, Call, Delivery, Notice, Obligation, Owed};
use crate::incident::next::{wants_call, widens};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role};

/// No step is shorter, whatever a file says: people are called, not flooded.
const SHORTEST: Millis = Millis::seconds(30);
/// So many rounds in which nobody is found keep the times of the file; each further one waits twice as long,
const IN_VAIN: u32 = 3;
/// and this long at most, or as long as the file says. Whoever can be told again is called within a minute all the same.
const RESTS: Millis = Millis::minutes(60);
/// Those who owe a postmortem are told so often.
const DAILY: Millis = Millis(24 * 3_600_000);

/// Why a step begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Because {
    /// Its time has come, or a person wants it now.
    Due,
    /// No path took anything of the step before: the steps that are left are gone through at once, but no round begins
    /// before its time, since paths that refuse do so quickly.
    AllFailed,
}

/// Calls begin, widen, and go on to their next step.
pub(super) fn clocks(course: &mut Course<'_>) {
    for number in open_ones(course, wants_call) {
        let Some(obligation) = course.incident.obligation(number).cloned() else { continue };
        match obligation.call {
            None => begin(course, &obligation, (0, 0), Because::Due),
            Some(call) if call.next <= course.now => {
                let at = following(course, &obligation, call);
                begin(course, &obligation, at, Because::Due);
            }
            Some(call) if is_somebody_back(course, &obligation, call) => {
                begin(course, &obligation, (0, call.round.saturating_add(1)), Because::Due);
            }
            Some(call) => {
                if widens(&obligation, &call).is_some_and(|half| half <= course.now) {
                    widen(course, &obligation, call);
                }
            }
        }
    }
}

/// A person wants the next step of every call now.
pub(super) fn escalate(course: &mut Course<'_>) {
    for number in open_ones(course, |it| it.owed != Owed::Postmortem) {
        let Some(obligation) = course.incident.obligation(number).cloned() else { continue };
        if let Some(call) = obligation.call {
            let at = following(course, &obligation, call);
            begin(course, &obligation, at, Because::Due);
        }
    }
}

/// What the notices of a call are about.
fn about(obligation: &Obligation) -> About {
    match obligation.owed {
        Owed::Acknowledged | Owed::Delivered => About::Call(obligation.number),
        _ => About::Late(obligation.number),
    }
}

/// The steps of the escalation. A drill has one: those who take part.
fn steps(course: &Course<'_>, role: &Role) -> Vec<Step> {
    let nobody = || vec![Step { tell: Vec::new(), wait: WAIT }];
    if course.incident.is_drill() {
        return nobody();
    }
    let steps = course.duty.escalation(role).steps;
    if steps.is_empty() { nobody() } else { steps }
}

/// Which step follows, in which round. Once all were gone through that is cried out.
fn following(course: &mut Course<'_>, obligation: &Obligation, call: Call) -> (usize, u32) {
    if obligation.owed == Owed::Postmortem {
        return (0, call.round.saturating_add(1));
    }
    if call.step + 1 < steps(course, &obligation.who).len() {
        return (call.step + 1, call.round);
    }
    let round = call.round.saturating_add(1);
    let times = if round == 1 { "once".to_owned() } else { format!("{round} times") };
    let who = &obligation.who;
    alarm(course, who, format!("{}{times}. They are called again.", nobody_answered(who)));
    (0, round)
}

/// How every alarm at the end of a round begins: only the last one of a role matters.
fn nobody_answered(who: &Role) -> String {
    format!("Nobody answered: all who are called for `{who}` were called ")
}

/// Begins a step. While nobody of a step can be told, the next one begins at once; without an
/// alarm where that is meant.
fn begin(course: &mut Course<'_>, obligation: &Obligation, at: (usize, u32), because: Because) {
    let (number, who) = (obligation.number, &obligation.who);
    if obligation.owed == Owed::Postmortem {
        let people = told_daily(course, obligation);
        let (step, round) = at;
        let next = course.after(DAILY);
        course.say(Event::CallStep { obligation: number, step, round, people, next });
        return;
    }
    let steps = steps(course, who);
    let (mut step, mut round) = at;
    for nth in 1..=2 * steps.len() {
        let Some(Step { tell, wait }) = steps.get(step).or(steps.first()) else { return };
        let (people, unknown) = reached(course, tell);
        let last = step + 1 >= steps.len();
        // Were nobody called in a whole round, the next one would find nobody either.
        let rests = !people.is_empty() || (last && (nth >= steps.len() || because == Because::AllFailed));
        let wait = (*wait).max(SHORTEST);
        let wait = if people.is_empty() { in_vain(course, number, round, wait) } else { wait };
        let next = if rests { course.after(wait) } else { course.now };
        let empty = people.is_empty();
        course.say(Event::CallStep { obligation: number, step, round, people: people.clone(), next });
        for why in unknown {
            alarm(course, who, why);
        }
        if empty && !nobody_is_needed(course, tell) {
            alarm(course, who, nobody(course, tell));
        }
        for person in people {
            page(course, obligation, &person);
        }
        if rests {
            return;
        }
        let Some(call) = course.incident.obligation(number).and_then(|it| it.call) else { return };
        (step, round) = following(course, obligation, call);
    }
}

/// How long it rests after a round in which nobody was found.
fn in_vain(course: &Course<'_>, number: u32, round: u32, wait: Millis) -> Millis {
    let call = course.incident.obligation(number).and_then(|it| it.call);
    let since = call.and_then(|call| call.nobody_since).unwrap_or(round);
    let rounds = round.saturating_sub(since).saturating_add(1);
    let doubled = rounds.saturating_sub(IN_VAIN).min(20);
    Millis(wait.0.saturating_mul(1 << doubled).min(RESTS.0.max(wait.0)))
}

/// Nobody was found in a whole round, and by now somebody can be told.
fn is_somebody_back(course: &Course<'_>, obligation: &Obligation, call: Call) -> bool {
    let rests = call.found_nobody() && obligation.owed != Owed::Postmortem;
    rests && steps(course, &obligation.who).iter().any(|step| !reached(course, &step.tell).0.is_empty())
}

/// Whether the file says of every role of a step that nobody is on duty for it now, and why.
fn nobody_is_needed(course: &Course<'_>, tell: &[Role]) -> bool {
    let declared = |role: &Role| {
        let duty = course.duty.on_duty(role.as_str(), course.now);
        duty.is_ok_and(|duty| matches!(duty.why, Why::Declared(_)))
    };
    !course.incident.is_drill() && !tell.is_empty() && tell.iter().all(declared)
}

fn nobody(course: &Course<'_>, tell: &[Role]) -> String {
    if course.duty.notify.is_err() {
        return "Nobody can be told: notify.yaml cannot be read.".to_owned();
    }
    let roles: Vec<String> = tell.iter().map(|role| format!("`{role}`")).collect();
    match roles.as_slice() {
        [] => "A step of the escalation names nobody.".to_owned(),
        roles => format!(
            "Nobody could be called for {}: nobody is on duty, or nobody of them has a way.",
            roles.join(" and ")
        ),
    }
}

/// Those of a step who can be told, and why others cannot.
fn reached(course: &Course<'_>, tell: &[Role]) -> (Vec<Person>, Vec<String>) {
    let (mut people, mut unknown) = (Vec::new(), Vec::new());
    let mut add = |person: Person, unknown: &mut Vec<String>| {
        if people.contains(&person) {
        } else if course.ways(&person).is_empty() {
            let other = if course.incident.red_path().is_some() { "no other way" } else { "no way" };
            unknown.push(format!("{person} should be called, and notify.yaml has {other} to them."));
        } else {
            people.push(person);
        }
    };
    if let Some(participants) = &course.incident.opened.drill {
        for person in participants {
            add(person.clone(), &mut unknown);
        }
    } else {
        for role in tell {
            match course.duty.people_on_duty(role.as_str(), course.now) {
                Ok(on_duty) => on_duty.into_iter().for_each(|person| add(person, &mut unknown)),
                Err(why) => unknown.push(format!("Nobody can say who is on duty for `{role}`: {why}.")),
            }
        }
    }
    (people, unknown)
}

/// A page goes over the first two ways at once; where one of them is in trouble already, over the next one too.
fn page(course: &mut Course<'_>, obligation: &Obligation, person: &Person) {
    let (about, audience) = (about(obligation), audience_of(course, person, &obligation.who));
    let ways = course.ways(person);
    let mut troubled = 0;
    for way in Duty::first_two(&ways) {
        troubled += usize::from(is_in_trouble(course, way));
        // What is still being tried need not be tried twice.
        if !course.is_open(&about, Some(person), way) {
            course.tell(about.clone(), audience, Some(person.clone()), way.clone());
        }
    }
    let call = course.incident.obligation(obligation.number).and_then(|it| it.call);
    let since = call.map_or(0, |call| call.first);
    for _ in 0..troubled {
        further(course, &about, audience, person, since);
    }
}

/// Something has failed there, and is tried again.
fn is_in_trouble(course: &Course<'_>, way: &Way) -> bool {
    let troubled = |it: &&Notice| it.attempts > 0 && matches!(it.delivery, Delivery::Waiting(_));
    course.incident.notices.iter().filter(troubled).any(|it| same_place(&it.way, way))
}

/// The next way of somebody that was not used since a notice. Gives whether there was one.
fn further(course: &mut Course<'_>, about: &About, audience: Audience, person: &Person, since: u32) -> bool {
    let used = |way: &Way| {
        let same =
            |it: &&Notice| it.about == *about && it.to.as_ref() == Some(person) && same_place(&it.way, way);
        course.incident.notices.iter().filter(same).any(|it| it.number >= since || it.delivery.is_open())
    };
    let Some(way) = course.ways(person).into_iter().find(|way| !used(way)) else { return false };
    course.tell(about.clone(), audience, Some(person.clone()), way);
    true
}

/// Half of a step is over: its people are told over all their ways.
fn widen(course: &mut Course<'_>, obligation: &Obligation, call: Call) {
    course.say(Event::CallWidened { obligation: obligation.number });
    let about = about(obligation);
    let since = call.first;
    let mut people: Vec<Person> = Vec::new();
    for notice in &of_step(course, &about, since) {
        people.extend(notice.to.clone().filter(|person| !people.contains(person)));
    }
    for person in people {
        let audience = audience_of(course, &person, &obligation.who);
        while further(course, &about, audience, &person, since) {}
    }
}

/// The notices of a step, with those of earlier ones that are still on their way.
fn of_step(course: &Course<'_>, about: &About, since: u32) -> Vec<Notice> {
    let of =
        |it: &&Notice| it.about == *about && it.to.is_some() && (it.number >= since || it.delivery.is_open());
    course.incident.notices.iter().filter(of).cloned().collect()
}

/// A way failed, for now or for ever: the next one of this person is used at once.
pub(super) fn a_way_failed(course: &mut Course<'_>, notice: &Notice) {
    let Some(person) = notice.to.as_ref() else { return };
    let Some(obligation) = called_for(course, notice) else { return };
    let since = match obligation.call {
        Some(call) => call.first.min(notice.number),
        None => notice.number,
    };
    further(course, &notice.about, notice.audience, person, since);
}

/// The obligation that a page is about, if it is owed still.
fn called_for(course: &Course<'_>, notice: &Notice) -> Option<Obligation> {
    let (About::Call(number) | About::Late(number)) = notice.about else { return None };
    course.incident.obligation(number).filter(|it| it.is_open() && it.owed != Owed::Postmortem).cloned()
}

/// Every way of everybody in a step refuses for ever: that is cried out, and the next step begins at once.
pub(super) fn a_step_failed(course: &mut Course<'_>, notice: &Notice) {
    let Some(obligation) = called_for(course, notice).filter(|it| about(it) == notice.about) else { return };
    let Some(call) = obligation.call else { return };
    let notices = of_step(course, &notice.about, call.first);
    if notices.is_empty() || !notices.iter().all(|it| matches!(it.delivery, Delivery::Failed(_))) {
        return;
    }
    let mut people: Vec<String> = notices.iter().filter_map(|it| Some(it.to.as_ref()?.to_string())).collect();
    people.dedup();
    let why = format!("No path to {} takes anything: all of them refuse.", people.join(", "));
    alarm(course, &obligation.who, why);
    if call.step + 1 < steps(course, &obligation.who).len() {
        begin(course, &obligation, (call.step + 1, call.round), Because::AllFailed);
    }
}

/// Cries out at the last resort of a role: once for each reason, until that has left the house.
fn alarm(course: &mut Course<'_>, who: &Role, why: String) {
    if course.incident.is_drill() {
        return;
    }
    let ends_a_round = why.starts_with(&nobody_answered(who));
    let about = About::Alarm(why);
    for way in course.without_red(course.duty.escalation(who).last_resort) {
        let just_now =
            |it: &&Notice| it.about == about && same_place(&it.way, &way) && it.queued == course.now;
        let said = course.incident.notices.iter().any(|it| just_now(&it));
        if !said && !course.is_open(&about, None, &way) {
            if ends_a_round {
                supersede(course, who, &way);
            }
            course.tell(about.clone(), Audience::Operator, None, way);
        }
    }
}

/// Alarms of earlier rounds that still wait on this way need not be sent any more.
fn supersede(course: &mut Course<'_>, who: &Role, way: &Way) {
    let begins = nobody_answered(who);
    let older = waiting_alarms(course, |why, it| why.starts_with(&begins) && same_place(&it.way, way));
    for notice in older {
        let why = "A newer alarm replaced it before it could be sent.".to_owned();
        course.say(Event::NoticeDropped { notice, superseded: true, why });
    }
}

/// Once nobody is called any more, nothing need be cried out.
pub(super) fn falls_silent(course: &mut Course<'_>) {
    if !open_ones(course, |it| it.call.is_some() && it.owed != Owed::Postmortem).is_empty() {
        return;
    }
    for notice in waiting_alarms(course, |_, _| true) {
        let why = "Nobody was called any more before it could be sent.".to_owned();
        course.say(Event::NoticeDropped { notice, superseded: false, why });
    }
}

/// The alarms that wait to be sent, or to be tried again, by number.
fn waiting_alarms(course: &Course<'_>, which: impl Fn(&str, &Notice) -> bool) -> Vec<u32> {
    let of = |it: &&Notice| match (&it.about, &it.delivery) {
        (About::Alarm(why), Delivery::Waiting(_)) => which(why, it),
        _ => false,
    };
    course.incident.notices.iter().filter(of).map(|it| it.number).collect()
}
