//! Operators: what it is, where it stands, what is owed by when, and what to type.

use super::{Facts, Words, in_one_line, paragraphs, sentence};
use crate::incident::Incident;
use crate::incident::model::{About, Notice, Obligation, Owed, Part, Published, Severity};
use crate::runbook::source::hidden::visible;
use crate::wording::incident::{reports, said};
use crate::wording::moment::Moment;

/// What operators may know: all of it.
pub(super) struct ForOperators<'a> {
    incident: &'a Incident,
    notice: &'a Notice,
    facts: &'a Facts,
}

impl<'a> ForOperators<'a> {
    pub(super) const fn new(incident: &'a Incident, notice: &'a Notice, facts: &'a Facts) -> Self {
        Self { incident, notice, facts }
    }

    /// The obligation that the notice is about.
    fn owed(&self) -> Option<&'a Obligation> {
        match &self.notice.about {
            About::Call(number) | About::Reminder(number) | About::Late(number) => {
                self.incident.obligation(*number)
            }
            _ => None,
        }
    }
}

pub(super) fn say(known: &ForOperators<'_>, moment: &Moment) -> Words {
    let incident = known.incident;
    let title = visible(&incident.opened.title);
    Words {
        subject: format!("{} {title}", incident.id),
        title: headline(known, &title, moment),
        text: paragraphs([
            why(known, moment),
            Some(format!("What: {}", sentence(&incident.opened.what))),
            Some(format!("Since: {}, {}.", moment.time(incident.since), said::cause(&incident.opened.cause))),
            runs(known),
            Some(format!("Where it stands: {}", stands(known))),
            owed(known, moment),
            Some(next(known)),
        ]),
    }
}

fn headline(known: &ForOperators<'_>, title: &str, moment: &Moment) -> String {
    let incident = known.incident;
    let what = match incident.severity {
        Severity::Planned => format!("{} planned work, {title}", incident.id),
        severity => format!("{} {} {title}", incident.id, severity.word()),
    };
    let due = |owed: &Obligation| moment.time(owed.due);
    match (&known.notice.about, known.owed()) {
        (About::Call(_), Some(owed)) if owed.late.is_some() => {
            format!("{what}: {} is late since {}.", said::owed(owed), due(owed))
        }
        (About::Call(_), Some(owed)) => {
            format!("{what}: you are called. Say by {} that you know.", due(owed))
        }
        (About::Call(_), None) => format!("{what}: you are called. Say that you know."),
        (About::Reminder(_), Some(owed)) => format!("{what}: {} is due {}.", said::owed(owed), due(owed)),
        (About::Late(_), Some(owed)) => format!("{what}: {} is late since {}.", said::owed(owed), due(owed)),
        (About::Reminder(_) | About::Late(_), None) => format!("{what}: something is owed."),
        (About::Alarm(why), _) => format!("{what}: {}", sentence(why)),
        (About::Update(_), _) => format!("{what}: news."),
        (About::Report(number), _) => {
            format!("{what}: {} report.", reports::nth(incident.reporters_up_to(*number)))
        }
        (About::AlertsOver, _) => format!("{what}: all its alerts are over."),
        (About::Published(_), _) => format!("{what}: customers were told."),
        (About::Made { part, by }, _) => format!("{what}: {by} has made you {}.", said::part(*part)),
        (About::Acknowledged, _) => match &incident.acknowledged {
            Some((_, by)) => format!("{what}: {by} knows."),
            None => format!("{what}: somebody knows."),
        },
        (About::Resolved, _) => format!("{what}: over."),
    }
}

fn why(known: &ForOperators<'_>, moment: &Moment) -> Option<String> {
    let incident = known.incident;
    let by_number = |number: u32| (number as usize).checked_sub(1);
    match (&known.notice.about, known.owed()) {
        (About::Call(_) | About::Late(_), Some(owed)) if owed.late.is_some() => {
            Some(format!("{}, and it goes on until somebody does it.", said::overdue(owed, moment)))
        }
        (About::Call(_), _) => Some(
            "You are called until somebody says that they know. A message that arrived proves nothing."
                .to_owned(),
        ),
        (About::Reminder(_), Some(_)) => Some("Half of the time for it is over.".to_owned()),
        (About::Made { part, by }, _) => {
            let does = said::does(*part);
            Some(format!("{does}. If that cannot be, tell {by}, or hand it on."))
        }
        (About::Update(number), _) => {
            let update = incident.updates.get(by_number(*number)?)?;
            Some(format!("{}, {}: {}", moment.time(update.at), update.by, sentence(&update.text)))
        }
        (About::Resolved, _) => {
            let (path, at) = incident.red_path().zip(incident.path_takes)?;
            Some(format!("Path {path} took something again at {}: it is green.", moment.time(at)))
        }
        (About::Report(number), _) => {
            let report = incident.reports.get(by_number(*number)?)?;
            Some(format!("{}, {}", moment.time(report.at), sentence(&reports::says(report))))
        }
        (About::AlertsOver, _) => {
            let word = if incident.customers_wait() { "monitoring" } else { "resolve" };
            Some(format!(
                "It is not resolved by that. When customers feel nothing of it any more: incident {word} {}",
                incident.id
            ))
        }
        (About::Published(number), _) => {
            let Published { at, by, text, .. } = incident.published.get(by_number(*number)?)?;
            Some(format!("{by} published at {}: \"{}\"", moment.time(*at), in_one_line(text)))
        }
        _ => None,
    }
}

fn runs(known: &ForOperators<'_>) -> Option<String> {
    let lines: Vec<_> = known.facts.run_lines.iter().map(|line| sentence(line)).collect();
    (!lines.is_empty()).then(|| format!("Runs: {}", lines.join("\n")))
}

fn stands(known: &ForOperators<'_>) -> String {
    let incident = known.incident;
    let commander = match incident.parts.get(&Part::Commander) {
        Some(person) => format!("{person} commands"),
        None => "nobody commands".to_owned(),
    };
    let knows = match &incident.acknowledged {
        Some((_, person)) => format!("{person} knows"),
        None => "nobody has said that they know".to_owned(),
    };
    format!("{}, {commander}, {knows}.", said::status(incident.status))
}

fn owed(known: &ForOperators<'_>, moment: &Moment) -> Option<String> {
    let owed = known.incident.owed();
    let lines: Vec<_> = owed
        .iter()
        .map(|owed| {
            let late = if owed.late.is_some() { "LATE since" } else { "due" };
            format!("{}, {late} {}", said::owed(owed), moment.time(owed.due))
        })
        .collect();
    (!lines.is_empty()).then(|| format!("Owed: {}.", lines.join("; ")))
}

fn next(known: &ForOperators<'_>) -> String {
    let id = known.incident.id;
    let first = match (&known.notice.about, known.owed()) {
        (About::Call(_) | About::Late(_) | About::Reminder(_), Some(owed)) => ends(owed, known.incident),
        (About::Call(_) | About::Late(_) | About::Alarm(_), _) => Some(format!("incident ack {id}")),
        _ => None,
    };
    let first = first.map(|word| format!("{word}, then ")).unwrap_or_default();
    format!("Next: {first}incident status {id}")
}

/// The words that end what is owed; what is published is drafted first.
fn ends(owed: &Obligation, incident: &Incident) -> Option<String> {
    let word = said::ends(owed, incident.id)?;
    if matches!(owed.owed, Owed::Published | Owed::AllClear) && incident.draft.is_none() {
        return Some(format!("incident draft {} \"…\", then {word}", incident.id));
    }
    Some(word)
}
