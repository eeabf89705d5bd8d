//! Support: what customers see, what to say, what not to say, and when the next news comes.

use jiff::Timestamp;

use super::{Facts, Words, in_one_line, paragraphs, sentence};
use crate::incident::Incident;
use crate::incident::model::{About, IncidentId, Notice, Owed, Part, Severity, Status};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::Person;
use crate::wording::incident::said;
use crate::wording::moment::Moment;

/// What Support may know. No host, no command, no output, and no word that an operator said to operators is in it.
pub(super) struct ForSupport<'a> {
    id: IncidentId,
    severity: Severity,
    status: Status,
    /// The service, as customers know it.
    title: &'a str,
    since: Timestamp,
    resolved: Option<Timestamp>,
    why: Why<'a>,
    /// What customers were told, or are to be told.
    say: Option<&'a str>,
    /// What was said for Support last.
    news: Option<&'a str>,
    /// Planned work waits until they know.
    holds_back: bool,
    next_news: Option<Timestamp>,
}

/// Why they are told.
enum Why<'a> {
    /// Somebody of them must say that they know, by then.
    Answer(Timestamp),
    /// Half of the time for that is over.
    Reminded(Timestamp),
    /// Nobody has said so in time.
    Late(Timestamp),
    News,
    /// What customers read now.
    Published(&'a str),
    /// Nobody could be told, or nobody answered.
    Alarm,
    /// Somebody made them something.
    Made(Part, &'a Person),
    Acknowledged(Option<&'a Person>),
    Resolved,
}

impl<'a> ForSupport<'a> {
    pub(super) fn new(incident: &'a Incident, notice: &'a Notice, facts: &'a Facts) -> Self {
        Self::about(incident, &notice.about, notice.queued, facts)
    }

    /// What Support may know when this is what they are told of, since then.
    pub(super) fn about(
        incident: &'a Incident,
        about: &'a About,
        since: Timestamp,
        facts: &'a Facts,
    ) -> Self {
        let owed = |number: u32| incident.obligation(number);
        let due = |number: u32| owed(number).map_or(since, |owed| owed.due);
        let asks = |number: u32| owed(number).is_none_or(|owed| owed.owed == Owed::Acknowledged);
        let called = match about {
            About::Call(number) | About::Reminder(number) | About::Late(number) => Some(*number),
            _ => None,
        };
        let published = |number: u32| incident.published.get((number as usize).checked_sub(1)?);
        let why = match about {
            About::Call(number) if owed(*number).is_some_and(|owed| owed.late.is_some()) => {
                Why::Late(due(*number))
            }
            About::Call(number) => Why::Answer(due(*number)),
            About::Reminder(number) if asks(*number) => Why::Reminded(due(*number)),
            About::Late(number) if asks(*number) => Why::Late(due(*number)),
            // Of reports Support is not told, and would read no more than that there is news.
            About::Report(_) | About::AlertsOver => Why::News,
            About::Reminder(_) | About::Late(_) | About::Update(_) => Why::News,
            About::Published(number) => published(*number).map_or(Why::News, |it| Why::Published(&it.text)),
            About::Alarm(_) => Why::Alarm,
            About::Made { part, by } => Why::Made(*part, by),
            About::Acknowledged => Why::Acknowledged(incident.acknowledged.as_ref().map(|(_, by)| by)),
            About::Resolved => Why::Resolved,
        };
        let for_support = |number: u32| {
            let update = incident.updates.get((number as usize).checked_sub(1)?)?;
            update.for_support.then_some(update.text.as_str())
        };
        let news = match about {
            About::Update(number) => for_support(*number),
            _ => None,
        };
        let last = || {
            let mut said = incident.updates.iter().rev().filter(|update| update.for_support);
            said.next().map(|update| update.text.as_str())
        };
        let published = incident.published.last().map(|it| it.text.as_str());
        let holds_back = called.and_then(owed).is_some_and(|owed| owed.holds_back.is_some());
        Self {
            id: incident.id,
            severity: incident.severity,
            status: incident.status,
            title: &incident.opened.title,
            since: incident.since,
            resolved: incident.resolved,
            why,
            say: published.or(incident.opened.news.as_ref().map(|news| news.say.as_str())),
            news: news.or_else(last),
            holds_back,
            next_news: facts.next_news,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.status, Status::Resolved | Status::Closed)
    }
}

pub(super) fn say(known: &ForSupport<'_>, moment: &Moment) -> Words {
    let title = visible(known.title);
    Words {
        subject: format!("{} {title}", known.id),
        title: headline(known, &title, moment),
        text: paragraphs([
            Some(why(known, moment)),
            known.news.map(|news| format!("News: {}", sentence(news))),
            Some(format!("Customers see: {}", customers_see(known, &title, moment))),
            Some(format!("Say: {}", to_say(known, &title, moment))),
            Some(format!("Do not say: {}", not_to_say(known))),
            Some(format!("Next news: {}", next_news(known, moment))),
            answer(known),
        ]),
    }
}

fn headline(known: &ForSupport<'_>, title: &str, moment: &Moment) -> String {
    let what = match known.severity {
        Severity::Planned => format!("Planned work: {title}"),
        severity => format!("{}: {title}", severity.word()),
    };
    match &known.why {
        Why::Answer(due) | Why::Reminded(due) => {
            format!("{what}. Say by {} that Support knows.", moment.time(*due))
        }
        Why::Late(_) => format!("{what}. Nobody of Support has said that they know."),
        Why::News => format!("{what}. News for Support."),
        Why::Published(_) => format!("{what}. Customers were told."),
        Why::Alarm => format!("{what}. Nobody answers."),
        Why::Made(part, by) => format!("{what}. {by} has made you {}.", said::part(*part)),
        Why::Acknowledged(_) => format!("{what}. Somebody knows."),
        Why::Resolved => format!("{what}. It is over."),
    }
}

fn why(known: &ForSupport<'_>, moment: &Moment) -> String {
    match &known.why {
        Why::Answer(due) if known.holds_back => {
            format!(
                "Planned work waits until Support knows of it. Say that you know by {}: before that it does not begin.",
                moment.time(*due)
            )
        }
        Why::Answer(due) => format!("Support must know of this. Say that you know by {}.", moment.time(*due)),
        Why::Reminded(due) => {
            format!("Half of the time is over. Say by {} that you know.", moment.with_distance(*due))
        }
        Why::Late(due) => {
            format!(
                "Support should have said by {} that they know. Others are called now.",
                moment.time(*due)
            )
        }
        Why::News => "There is news.".to_owned(),
        Why::Published(text) => {
            format!("Customers read since {}: \"{}\"", moment.time(moment.now), in_one_line(text))
        }
        Why::Alarm => "Nobody who was called for this has answered.".to_owned(),
        Why::Made(part, by) => format!("{}. If that cannot be, tell {by}.", said::does(*part)),
        Why::Acknowledged(Some(by)) => format!("{by} has said that they know."),
        Why::Acknowledged(None) => "Somebody has said that they know.".to_owned(),
        Why::Resolved => match known.resolved {
            Some(at) => format!("It is over since {}.", moment.time(at)),
            None => "It is over.".to_owned(),
        },
    }
}

/// By how bad it is. A severity is what people say that customers feel; nothing here was measured.
fn customers_see(known: &ForSupport<'_>, title: &str, moment: &Moment) -> String {
    if known.is_over() {
        return format!("as far as is known nothing any more. It was about {title}.");
    }
    let since = moment.time(known.since);
    match known.severity {
        Severity::Sev1 => format!("they cannot use {title}. Known since {since}."),
        Severity::Sev2 => format!("they are hindered in using {title}. Known since {since}."),
        Severity::Sev3 => format!("hardly anything of {title} as yet; that may change. Known since {since}."),
        Severity::Planned => format!("nothing, as far as is planned. The work is on {title}."),
    }
}

fn to_say(known: &ForSupport<'_>, title: &str, moment: &Moment) -> String {
    if let Some(say) = known.say {
        return format!("\"{}\"", in_one_line(say));
    }
    if known.is_over() {
        return format!("\"The problem with {title} is over.\"");
    }
    let news = known.next_news.map(|at| format!(" News by {}.", moment.time(at))).unwrap_or_default();
    match known.severity {
        Severity::Planned => format!("\"There is planned work on {title}.{news}\""),
        _ => format!("\"There is a problem with {title}. We are working on it.{news}\""),
    }
}

fn not_to_say(known: &ForSupport<'_>) -> &'static str {
    match (known.is_over(), known.severity) {
        (true, _) => "a cause, or that nothing was lost, unless it was published.",
        (false, Severity::Planned) => {
            "when the work is over, or that nobody will notice it. Neither is sure."
        }
        _ => "a cause, a time when it is over, or that nothing was lost. None of these is known yet.",
    }
}

fn next_news(known: &ForSupport<'_>, moment: &Moment) -> String {
    match known.next_news {
        Some(at) => format!("by {}.", moment.time(at)),
        None if known.is_over() => "none is due.".to_owned(),
        None => "no time is set. Whatever changes is told here.".to_owned(),
    }
}

fn answer(known: &ForSupport<'_>) -> Option<String> {
    matches!(known.why, Why::Answer(_) | Why::Reminded(_) | Why::Late(_) | Why::Alarm)
        .then(|| format!("To say that you know: incident ack {}", known.id))
}
