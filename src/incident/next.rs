//! What is sent now, and when to look again. Questions put to the state: after a crash a replay gives the same answers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::model::{About, Call, Delivery, Incident, Notice, Obligation, Owed, Severity, Status};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{PathName, Person};

/// The role whose people hear what customers see, and never more.
pub const SUPPORT: &str = "support";

/// After so long without a word a person who said that they know is asked again.
pub const STALE: Millis = Millis::minutes(60);

/// The notices that may be sent now, first ones first. Of each reader at each address of a path only one at a time, in the
/// order in which they were queued; what overtakes what is said by [`heads`].
pub fn next(incident: &Incident, now: Timestamp) -> Vec<u32> {
    let may = |notice: &&Notice| matches!(notice.delivery, Delivery::Waiting(from) if from <= now);
    heads(incident).filter(may).map(|notice| notice.number).collect()
}

/// When something is due next: an escalation, an obligation, another attempt, the end of an attempt of which nobody hears.
pub fn deadline(incident: &Incident) -> Option<Timestamp> {
    let attempts = heads(incident).filter_map(|notice| match notice.delivery {
        Delivery::Waiting(at) | Delivery::Sending(at) => Some(at),
        _ => None,
    });
    if incident.is_closed() {
        return attempts.min();
    }
    let owed = incident.obligations.iter().filter(|it| it.is_open()).flat_map(of_obligation);
    // An all-clear that is not owed yet is from before there were any.
    let wanted = incident.wants_all_clear() && incident.owed_to_customers().is_none();
    let wanted = wanted.then_some(incident.touched);
    attempts.chain(owed).chain(stale(incident)).chain(wanted).min()
}

/// The open notices that wait for none before them. What one reader gets at one place comes in order, and what ends an
/// alert neither overtakes a page nor is overtaken by one, whoever it is for. But a page never stands behind what the path
/// did not take: that may be tried again in a quarter of an hour only.
pub fn heads(incident: &Incident) -> impl Iterator<Item = &Notice> {
    let mut places: BTreeMap<(&PathName, &str), Before<'_>> = BTreeMap::new();
    incident.notices.iter().filter(|notice| notice.delivery.is_open()).filter(move |notice| {
        places.entry((&notice.way.path, &notice.way.address)).or_default().passes(notice)
    })
}

/// The open notices at one place, before the one that is looked at.
#[derive(Default)]
struct Before<'a> {
    /// One of them ends an alert.
    ends: bool,
    /// Their readers; and whether one of theirs leaves now for the first time, so that a page waits for it.
    readers: BTreeMap<Option<&'a Person>, bool>,
}

impl<'a> Before<'a> {
    /// Whether this one waits for none of them. It is one of them from now on.
    fn passes(&mut self, notice: &'a Notice) -> bool {
        let to = notice.to.as_ref();
        let waits = match self.readers.get(&to) {
            _ if self.ends => true,
            _ if ends(notice) => !self.readers.is_empty(),
            None => false,
            Some(leaves) => *leaves || !rings(notice),
        };
        self.ends |= ends(notice);
        *self.readers.entry(to).or_default() |= !waits && !is_tried_again(notice);
        !waits
    }
}

/// Whether it ends an alert, where a path keeps one open.
const fn ends(notice: &Notice) -> bool {
    matches!(notice.about, About::Acknowledged | About::Resolved)
}

/// Whether it calls somebody.
pub const fn rings(notice: &Notice) -> bool {
    matches!(notice.about, About::Call(_) | About::Late(_) | About::Alarm(_))
}

const fn is_tried_again(notice: &Notice) -> bool {
    notice.attempts > 0 && matches!(notice.delivery, Delivery::Waiting(_))
}

fn of_obligation(obligation: &Obligation) -> impl Iterator<Item = Timestamp> {
    let call = match &obligation.call {
        Some(call) => [Some(call.next), widens(obligation, call)],
        None => [wants_call(obligation).then_some(obligation.since), None],
    };
    let late = obligation.late.is_none().then_some(obligation.due);
    [reminder(obligation), late].into_iter().chain(call).flatten()
}

/// When its owner is reminded: once, at half of its time. Those who are being called anyhow are not.
pub(super) fn reminder(obligation: &Obligation) -> Option<Timestamp> {
    let reminds = match obligation.owed {
        Owed::Published | Owed::AllClear | Owed::Commander | Owed::Update | Owed::Postmortem => true,
        Owed::Acknowledged => obligation.who.as_str() == SUPPORT,
        Owed::Delivered => false,
    };
    let due = reminds && !obligation.reminded && obligation.late.is_none();
    due.then(|| half(obligation.since, obligation.due))
}

/// When the people of a step are told over their further ways too. Nobody is rung for a postmortem.
pub(super) fn widens(obligation: &Obligation, call: &Call) -> Option<Timestamp> {
    let widens = !call.widened && obligation.owed != Owed::Postmortem;
    widens.then(|| half(call.since, call.next))
}

/// Whether people are called for it, and go on being called until it has ended.
pub(super) fn wants_call(obligation: &Obligation) -> bool {
    obligation.is_open()
        && (matches!(obligation.owed, Owed::Acknowledged | Owed::Delivered) || obligation.late.is_some())
}

/// When those who said that they know are asked again, because nobody has done anything since.
pub(super) fn stale(incident: &Incident) -> Option<Timestamp> {
    let asked =
        |it: &&Obligation| it.is_open() && it.owed == Owed::Acknowledged && it.who == incident.opened.owner;
    let at_work = matches!(incident.status, Status::Investigating | Status::Identified);
    let stale =
        at_work && incident.severity <= Severity::Sev2 && !incident.obligations.iter().any(|it| asked(&it));
    stale.then(|| after(incident.touched, STALE))
}

/// So much later.
pub fn after(moment: Timestamp, time: Millis) -> Timestamp {
    moment.checked_add(jiff::SignedDuration::from_millis(time.0)).unwrap_or(Timestamp::MAX)
}

fn half(from: Timestamp, to: Timestamp) -> Timestamp {
    from.checked_add(to.duration_since(from) / 2).unwrap_or(to)
}
