//! What becomes of notices: sent, taken, refused for now or for ever, or nobody knows.

use super::course::{Course, same_place};
use super::obligations::end;
use super::{call, news};
use crate::incident::event::Event;
use crate::incident::input::Answer;
use crate::incident::model::{About, Delivery, End, Notice, Owed};
use crate::incident::next::{after, next};
use crate::runbook::source::literal::Millis;

/// A path answers within 15 s; what has not been heard 5 s later is not known.
const PATIENCE: Millis = Millis::seconds(20);

/// How long until it is tried again, after the first attempt and so on; later on as after the last.
const AGAIN: [Millis; 5] =
    [Millis::seconds(5), Millis::seconds(15), Millis::seconds(60), Millis::minutes(5), LONGEST];

/// So long the other ways of a reader have, before what may have been taken is sent again and may be read twice.
const OTHERS_FIRST: Millis = Millis::seconds(30);

/// However long a path wants to be left alone.
const LONGEST: Millis = Millis::minutes(15);

/// These are sent now, if they may be.
pub(super) fn sends(course: &mut Course<'_>, notices: &[u32]) {
    let may = next(&course.incident, course.now);
    let until = course.after(PATIENCE);
    for number in notices.iter().filter(|number| may.contains(number)) {
        let sent = course.incident.notice(*number).filter(|it| matches!(it.delivery, Delivery::Waiting(_)));
        if let Some(attempt) = sent.map(|it| it.attempts + 1) {
            course.say(Event::NoticeSending { notice: *number, attempt, until });
        }
    }
}

/// A path answered. What it says of an attempt that is long over changes nothing, unless it settles the matter.
pub(super) fn answered(course: &mut Course<'_>, number: u32, attempt: u32, answer: &Answer) {
    let Some(notice) = course.incident.notice(number).cloned() else { return };
    if notice.attempts != attempt || !notice.delivery.is_open() || attempt == 0 {
        return;
    }
    let waited_for = matches!(notice.delivery, Delivery::Sending(_));
    match answer {
        Answer::Accepted(id) => {
            course.say(Event::NoticeAccepted { notice: number, id: id.clone() });
            took(course, &notice);
        }
        Answer::Never(why) => {
            course.say(Event::NoticeFailed { notice: number, why: why.clone() });
            call::a_way_failed(course, &notice);
            call::a_step_failed(course, &notice);
            news::a_way_failed(course, &notice);
        }
        Answer::NotNow(why, pause) if waited_for => {
            let pause = pause.unwrap_or(Millis(0)).max(pause_after(attempt)).min(LONGEST);
            let again = course.after(pause);
            again_later(course, &notice, Event::NoticeDelayed { notice: number, why: why.clone(), again });
        }
        Answer::Unknown(why) if waited_for => unknown(course, &notice, why),
        _ => {}
    }
}

/// Attempts of which nobody heard.
pub(super) fn time_is_over(course: &mut Course<'_>) {
    let over = |it: &&Notice| matches!(it.delivery, Delivery::Sending(until) if until <= course.now);
    let over: Vec<Notice> = course.incident.notices.iter().filter(over).cloned().collect();
    for notice in over {
        unknown(course, &notice, "No answer was heard in time: it may have been sent, or not.");
    }
}

fn unknown(course: &mut Course<'_>, notice: &Notice, why: &str) {
    let shortest = if shows_repeats(course, notice) { OTHERS_FIRST } else { Millis(0) };
    let again = after(course.now, pause_after(notice.attempts).max(shortest));
    let event = Event::NoticeUnknown { notice: notice.number, why: why.to_owned(), again };
    again_later(course, notice, event);
}

/// What may have been taken, and was told the same reader over another way since, is not sent again where it would be read
/// twice. What goes to nobody in particular has other readers on every way.
pub(super) fn told_otherwise(course: &mut Course<'_>) {
    let waits =
        |it: &&Notice| it.may_repeat && it.to.is_some() && matches!(it.delivery, Delivery::Waiting(_));
    let waiting = course.incident.notices.iter().filter(waits);
    let repeats: Vec<Notice> = waiting.filter(|it| shows_repeats(course, it)).cloned().collect();
    for notice in repeats {
        let since = |it: &&Notice| matches!(it.delivery, Delivery::Accepted(at) if at >= notice.queued);
        let told = course.incident.notices.iter().filter(since);
        let Some(other) = told.filter(|it| it.about == notice.about).find(|it| it.to == notice.to) else {
            continue;
        };
        let why =
            format!("It may have been taken, and was told over {}: it is not sent twice.", other.way.path);
        course.say(Event::NoticeDropped { notice: notice.number, superseded: false, why });
    }
}

/// Whether whatever its path takes twice is read twice.
fn shows_repeats(course: &Course<'_>, notice: &Notice) -> bool {
    let path = course.duty.notify.ok().and_then(|notify| notify.paths.get(&notice.way.path));
    path.is_some_and(|path| !path.carrier.knows_keys())
}

fn pause_after(attempt: u32) -> Millis {
    let place = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(1);
    AGAIN.get(place).copied().unwrap_or(LONGEST)
}

/// It is tried again, unless that is of no use any more.
fn again_later(course: &mut Course<'_>, notice: &Notice, event: Event) {
    if let Some((superseded, why)) = of_no_use(course, notice) {
        course.say(Event::NoticeDropped { notice: notice.number, superseded, why: why.to_owned() });
        return;
    }
    course.say(event);
    // The next way of somebody is used at the first failure of one, not at each.
    if notice.attempts == 1 {
        call::a_way_failed(course, notice);
    }
}

/// Why it need not be tried again, and whether newer news replaced it.
fn of_no_use(course: &Course<'_>, notice: &Notice) -> Option<(bool, &'static str)> {
    if course.incident.is_closed() {
        return Some((false, "The incident was closed while it was being sent."));
    }
    if course.obligation_of(notice).is_some_and(|it| !it.is_open()) {
        return Some((false, "What it asks for had ended while it was being sent."));
    }
    let newer = |it: &&Notice| {
        matches!(it.about, About::Update(_))
            && it.number > notice.number
            && it.to == notice.to
            && it.audience == notice.audience
            && same_place(&it.way, &notice.way)
    };
    let news =
        matches!(notice.about, About::Update(_)) && course.incident.notices.iter().any(|it| newer(&it));
    news.then_some((true, "Newer news replaced it while it was being sent."))
}

/// A path took it. That alone ends what is owed until it was delivered, and nothing else.
fn took(course: &mut Course<'_>, notice: &Notice) {
    let About::Call(number) = notice.about else { return };
    let owed = course.incident.obligation(number).filter(|it| it.is_open());
    if owed.is_some_and(|it| it.owed == Owed::Delivered) {
        end(course, number, End::Met(None));
    }
}
