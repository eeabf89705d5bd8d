//! What came of it: what the journal says was told, held against what the receivers took.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use steadyhand::engine::incidents::notice_key;
use steadyhand::incident::model::{About, Delivery, Notice};
use steadyhand::incident::{Event, Incident, Stamped};
use steadyhand::journal::{Journal, incident_stamped};

use crate::bot::all_of;
use crate::receivers::{Receivers, Taken};

/// The figures.
pub(crate) struct Verdict {
    queued: u32,
    accepted: u32,
    ended_otherwise: u32,
    /// What may have been taken and is not sent again, since its reader was told over another path.
    told_otherwise: u32,
    attempts: u64,
    /// Sentences, one for each.
    lost: Vec<String>,
    /// What was taken more than once, by path.
    repeats: BTreeMap<&'static str, u32>,
    kills: u32,
    faults: BTreeMap<&'static str, u32>,
    /// The longest time in milliseconds from the first failure of a page to another path.
    second_path: i64,
    holds: bool,
}

/// Judges what the journal in this folder has.
pub(crate) fn of(folder: &Path, receivers: &Receivers, kills: u32) -> Verdict {
    let opened = Journal::open(&folder.join("steadyhand.db"), false).unwrap();
    let (id, journal) = (opened.id(), opened.view());
    let taken = receivers.taken();
    let mut verdict = Verdict {
        queued: 0,
        accepted: 0,
        ended_otherwise: 0,
        told_otherwise: 0,
        attempts: 0,
        lost: Vec::new(),
        repeats: BTreeMap::new(),
        kills,
        faults: receivers.faults(),
        second_path: 0,
        holds: journal.verify().unwrap().holds(),
    };
    for (number, incident) in all_of(journal) {
        let entries = journal.incident_entries(number).unwrap();
        let events: Vec<Stamped> = entries.iter().map(|entry| incident_stamped(entry).unwrap()).collect();
        verdict.second_path = verdict.second_path.max(second_path(&incident, &events));
        for notice in &incident.notices {
            verdict.queued += 1;
            verdict.attempts += u64::from(notice.attempts);
            let key = notice_key(id, number, notice.number);
            let path = notice.way.path.as_str();
            let times = times(&taken, path, &key, number.0);
            let what = || format!("{number} notice {} over {path}", notice.number);
            match &notice.delivery {
                Delivery::Accepted(_) => {
                    verdict.accepted += 1;
                    if times == 0 {
                        verdict.lost.push(format!("{}: accepted, and nobody has it", what()));
                    }
                }
                Delivery::Waiting(_) | Delivery::Sending(_) => {
                    verdict.lost.push(format!("{}: never came to an end", what()));
                }
                Delivery::Dropped(why) if why.starts_with("It may have been taken") => {
                    verdict.told_otherwise += 1;
                    let told = |it: &&Notice| {
                        it.about == notice.about
                            && it.to == notice.to
                            && matches!(it.delivery, Delivery::Accepted(at) if at >= notice.queued)
                    };
                    if !incident.notices.iter().any(|it| told(&it)) {
                        verdict.lost.push(format!("{}: nobody was told of it over another path", what()));
                    }
                }
                _ => verdict.ended_otherwise += 1,
            }
        }
    }
    for ((path, _), times) in taken {
        // PagerDuty's keys are those of the incident: every step of a call says the same alert again.
        if path != "pagerduty" && times > 1 {
            *verdict.repeats.entry(path).or_default() += times - 1;
        }
    }
    verdict
}

fn times(taken: &Taken, path: &str, key: &str, incident: u64) -> u32 {
    let is_it = |(at, found): &(&str, String)| match (path, *at) {
        ("hook" | "siren", "webhook") | ("slack", "slack") => found == key,
        ("mail", "mail") => found.contains(key),
        ("pager", "pagerduty") => found.ends_with(&format!("inc-{incident}")),
        _ => false,
    };
    taken.iter().filter(|(it, _)| is_it(it)).map(|(_, times)| times).sum()
}

/// How long after its first failure a page was tried over another way of the same person, at worst.
fn second_path(incident: &Incident, events: &[Stamped]) -> i64 {
    let mut failed: BTreeMap<u32, Timestamp> = BTreeMap::new();
    let mut sent: BTreeMap<u32, Timestamp> = BTreeMap::new();
    for stamped in events {
        match &stamped.event {
            Event::NoticeSending { notice, .. } => _ = sent.entry(*notice).or_insert(stamped.at),
            Event::NoticeDelayed { notice, .. }
            | Event::NoticeFailed { notice, .. }
            | Event::NoticeUnknown { notice, .. } => _ = failed.entry(*notice).or_insert(stamped.at),
            _ => {}
        }
    }
    let others = |number: u32, at: Timestamp| {
        let this = incident.notice(number)?;
        let (About::Call(_), Some(person)) = (&this.about, &this.to) else { return None };
        let same = incident.notices.iter().filter(|it| {
            it.number != number
                && it.about == this.about
                && it.to.as_ref() == Some(person)
                && it.way.path != this.way.path
        });
        // Somebody has answered before another way was needed, or every way was on its way already.
        let first = same
            .filter_map(|it| sent.get(&it.number))
            .map(|sent| sent.duration_since(at).as_millis())
            .min()?;
        i64::try_from(first.max(0)).ok()
    };
    failed.iter().filter_map(|(number, at)| others(*number, *at)).max().unwrap_or_default()
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.lost.is_empty() && self.holds && self.second_path <= 60_000
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lost in self.lost.iter().take(20) {
            writeln!(f, "lost: {lost}")?;
        }
        let faults: Vec<String> = self.faults.iter().map(|(what, times)| format!("{times} {what}")).collect();
        writeln!(
            f,
            "{} attempts; faults: {}; killed {} times",
            self.attempts,
            faults.join(", "),
            self.kills
        )?;
        writeln!(
            f,
            "{} accepted, {} ended otherwise (answered before, replaced by newer news, refused for ever)",
            self.accepted, self.ended_otherwise
        )?;
        writeln!(
            f,
            "{} may have been taken and were not said again, since their readers heard it over another path",
            self.told_otherwise
        )?;
        writeln!(f, "another path at most {} s after the first failure", self.second_path / 1000)?;
        writeln!(f, "the journal {}", if self.holds { "holds" } else { "does NOT hold" })?;
        let of = |path: &str| self.repeats.get(path).copied().unwrap_or_default();
        let percent = |times: u32| 100.0 * f64::from(times) / f64::from(self.queued.max(1));
        let keyed = of("mail") + of("webhook");
        writeln!(
            f,
            "{keyed} came again with the key of before ({:.2} %): a receiver that looks at it shows each once",
            percent(keyed)
        )?;
        let visible = of("slack");
        write!(
            f,
            "{} notifications, {} lost, {visible} repeats ({:.2} %), all over Slack, which knows no key, and marked as such",
            self.queued,
            self.lost.len(),
            percent(visible)
        )
    }
}
