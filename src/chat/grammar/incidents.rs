//! The words of incidents and of notices: `incident ack inc-31`, `notify log`.

use super::{NotUnderstood, Rest, Word, quoted_word};
use crate::engine::incidents::ReportOf;
use crate::incident::Says;
use crate::incident::model::{IncidentId, Part, Severity, Status};
use crate::runbook::source::name::Person;
use crate::runbook::source::nearest::nearest;
use crate::wording::incident::help::WORDS;
use crate::wording::refusal::quoted;

/// What somebody wants of incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the grammar")]
pub enum OfIncidents {
    List,
    Status(IncidentId),
    Timeline(IncidentId),
    Export(IncidentId),
    Open {
        severity: Severity,
        what: String,
        service: Option<String>,
        /// It is a drill, and these alone take part.
        drill: Option<Vec<Person>>,
    },
    /// The way in is known where it is heard.
    Acknowledge(IncidentId),
    Take {
        incident: IncidentId,
        part: Part,
        /// Whoever says it, if nobody is named.
        person: Option<Person>,
    },
    /// Whatever needs no more than the words.
    Say(IncidentId, Says),
    /// What customers say of a service, or of an incident that is open.
    Report(ReportOf, String),
    /// What was reported lately.
    Reports,
}

impl OfIncidents {
    /// Whether it is written to the journal.
    pub const fn acts(&self) -> bool {
        !matches!(self, Self::List | Self::Status(_) | Self::Timeline(_) | Self::Export(_) | Self::Reports)
    }
}

/// What somebody wants of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfNotices {
    /// Who was told what, over which path; of one incident or of all that are open.
    Log(Option<IncidentId>),
    /// How each path is.
    Paths,
    /// Whether a path works: a letter to the one who asks.
    Test(String),
}

pub(super) fn incident(rest: &mut Rest<'_>) -> Result<OfIncidents, NotUnderstood> {
    let Some(word) = rest.maybe_plain() else { return Ok(OfIncidents::List) };
    if let Some(incident) = id(&word) {
        return Ok(OfIncidents::Status(incident));
    }
    Ok(match word.as_str() {
        "list" => OfIncidents::List,
        "open" => open(rest)?,
        // Other tools call it a role.
        "take" | "role" => take(rest)?,
        "status" => OfIncidents::Status(rest.incident()?),
        "timeline" => OfIncidents::Timeline(rest.incident()?),
        "export" => OfIncidents::Export(rest.incident()?),
        "ack" => OfIncidents::Acknowledge(rest.incident()?),
        _ => {
            if !WORDS.iter().any(|known| known.word == word) {
                return Err(unknown(rest, &word));
            }
            let incident = rest.incident()?;
            OfIncidents::Say(incident, says(&word, rest)?)
        }
    })
}

/// A service by its name, or an incident as inc-31: a bare number is neither.
pub(super) fn report(rest: &mut Rest<'_>) -> Result<OfIncidents, NotUnderstood> {
    let of = rest.plain("a service, or an incident as inc-31")?;
    let of = match of.parse() {
        Ok(incident) => ReportOf::Incident(incident),
        Err(()) => ReportOf::Service(of),
    };
    Ok(OfIncidents::Report(of, rest.text("what customers say, in quotes")?))
}

/// The words that say something to an incident, and need its number first.
fn says(word: &str, rest: &mut Rest<'_>) -> Result<Says, NotUnderstood> {
    Ok(match word {
        "update" => update(rest)?,
        "draft" => Says::Draft { text: rest.text("what customers are to read, in quotes")? },
        "publish" => Says::Publish { digest: rest.maybe_plain() },
        "severity" => {
            let severity = rest.severity()?;
            Says::Severity { severity, why: rest.text("why, in quotes")? }
        }
        "investigating" => Says::Status { status: Status::Investigating },
        "identified" => Says::Status { status: Status::Identified },
        "monitoring" => Says::Status { status: Status::Monitoring },
        "resolve" => Says::Resolve,
        "close" => Says::Close,
        "escalate" => Says::Escalate,
        "waive" => {
            let number = rest.plain("the number of what is owed")?;
            let number = number.trim_start_matches('#');
            let obligation = number
                .parse()
                .map_err(|_| rest.wrong(&format!("{} is no number of something owed", quoted(number))))?;
            Says::Waive { obligation, why: rest.text("why, in quotes")? }
        }
        _ => return Err(unknown(rest, word)),
    })
}

fn open(rest: &mut Rest<'_>) -> Result<OfIncidents, NotUnderstood> {
    let severity = rest.severity()?;
    let what = rest.text("what it is, in quotes")?;
    let (mut service, mut drill) = (None, None);
    while let Some(word) = rest.take().cloned() {
        match word {
            Word::Pair(name, value) if name == "service" && service.is_none() => service = Some(value),
            Word::Pair(name, value) if name == "drill" && drill.is_none() => {
                let people = value.split(',').filter(|name| !name.is_empty());
                let people = people.map(|name| rest.person(name)).collect::<Result<Vec<_>, _>>()?;
                if people.is_empty() {
                    return Err(rest.wrong("drill=<the people who take part, with commas between them>"));
                }
                drill = Some(people);
            }
            other => return Err(rest.wrong(&format!("{} means nothing here", quoted_word(&other)))),
        }
    }
    Ok(OfIncidents::Open { severity, what, service, drill })
}

/// In whatever order: what, in which incident, and who.
fn take(rest: &mut Rest<'_>) -> Result<OfIncidents, NotUnderstood> {
    let (mut part, mut incident, mut person) = (None, None, None);
    while let Some(word) = rest.maybe_plain() {
        if let Some(known) = read_part(&word).filter(|_| part.is_none()) {
            part = Some(known);
        } else if let Some(known) = id(&word).filter(|_| incident.is_none()) {
            incident = Some(known);
        } else if person.is_none() {
            person = Some(word);
        } else {
            return Err(rest.wrong(&format!("{} is too much", quoted(&word))));
        }
    }
    let (Some(part), Some(incident)) = (part, incident) else {
        let what = "it wants commander, communications or support-liaison, and then the incident, as inc-31";
        return Err(rest.wrong(what));
    };
    let person = person.map(|name| rest.person(&name)).transpose()?;
    Ok(OfIncidents::Take { incident, part, person })
}

fn update(rest: &mut Rest<'_>) -> Result<Says, NotUnderstood> {
    let mut for_support = rest.for_support()?;
    let text = rest.text("the news, in quotes")?;
    for_support |= rest.for_support()?;
    Ok(Says::Update { text, for_support })
}

pub(super) fn notify(rest: &mut Rest<'_>) -> Result<OfNotices, NotUnderstood> {
    match rest.maybe_plain().as_deref() {
        None => Ok(OfNotices::Log(None)),
        Some("log") if rest.words.is_empty() => Ok(OfNotices::Log(None)),
        Some("log") => Ok(OfNotices::Log(Some(rest.incident()?))),
        Some("paths") => Ok(OfNotices::Paths),
        Some("test") => Ok(OfNotices::Test(rest.plain("the name of a path")?)),
        Some(_) => Err(rest.wrong("write: notify log [inc-31], notify paths, or notify test <path>")),
    }
}

fn unknown(rest: &Rest<'_>, word: &str) -> NotUnderstood {
    let near = nearest(word, WORDS.iter().map(|known| known.word));
    let near = near.map(|near| format!(". Nearest: `{near}`")).unwrap_or_default();
    rest.wrong(&format!("{} is no word of it{near}", quoted(word)))
}

/// `inc-31`, or `31`.
pub fn id(word: &str) -> Option<IncidentId> {
    let digits = word.strip_prefix("inc-").unwrap_or(word);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok().map(IncidentId) } else { None }
}

fn read_part(word: &str) -> Option<Part> {
    use crate::wording::incident::said::part;
    [Part::Commander, Part::Communications, Part::SupportLiaison].into_iter().find(|it| part(*it) == word)
}

impl Rest<'_> {
    fn incident(&mut self) -> Result<IncidentId, NotUnderstood> {
        let text = self.plain("an incident, as inc-31")?;
        id(&text).ok_or_else(|| self.wrong(&format!("{} is no incident, as inc-31 is one", quoted(&text))))
    }

    fn severity(&mut self) -> Result<Severity, NotUnderstood> {
        let text = self.plain("how bad it is: sev1, sev2 or sev3")?;
        let known = Severity::read(&text).filter(|severity| *severity != Severity::Planned);
        known.ok_or_else(|| self.wrong(&format!("{} is none of sev1, sev2 and sev3", quoted(&text))))
    }

    fn person(&self, name: &str) -> Result<Person, NotUnderstood> {
        Person::new(name).ok_or_else(|| self.wrong(&format!("{} is no name of a person", quoted(name))))
    }

    /// `for=support`, if that comes next.
    fn for_support(&mut self) -> Result<bool, NotUnderstood> {
        match self.words.first().cloned() {
            Some(Word::Pair(name, value)) if name == "for" => {
                self.take();
                let who = value.as_str();
                if who == "support" { Ok(true) } else { Err(self.wrong("only for=support can stand here")) }
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::grammar::{Command, command, words};

    fn read(line: &str) -> Result<OfIncidents, String> {
        match command(&words(line).unwrap()) {
            Ok(Command::Incident(it)) => Ok(it),
            Ok(other) => Err(format!("{other:?}")),
            Err(NotUnderstood::Form { what, .. }) => Err(what),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    fn say(says: Says) -> OfIncidents {
        OfIncidents::Say(IncidentId(31), says)
    }

    fn person(name: &str) -> Person {
        Person::new(name).unwrap()
    }

    #[test]
    fn every_word_of_incidents_is_understood() {
        let id = IncidentId(31);
        let text = |text: &str| text.to_owned();
        let take = |person| OfIncidents::Take { incident: id, part: Part::SupportLiaison, person };
        let cases = [
            ("incident", OfIncidents::List),
            ("inc list", OfIncidents::List),
            ("incident inc-31", OfIncidents::Status(id)),
            ("incident status 31", OfIncidents::Status(id)),
            ("incident timeline inc-31", OfIncidents::Timeline(id)),
            ("incident export inc-31", OfIncidents::Export(id)),
            ("incident ack inc-31", OfIncidents::Acknowledge(id)),
            ("incident take support-liaison inc-31", take(None)),
            ("incident take inc-31 support-liaison sue", take(Some(person("sue")))),
            ("incident role support-liaison inc-31 sue", take(Some(person("sue")))),
            ("incident publish 31", say(Says::Publish { digest: None })),
            ("incident publish inc-31 4f2ad01b", say(Says::Publish { digest: Some(text("4f2ad01b")) })),
            ("incident resolve inc-31", say(Says::Resolve)),
            ("incident close inc-31", say(Says::Close)),
            ("incident escalate inc-31", say(Says::Escalate)),
            ("incident identified inc-31", say(Says::Status { status: Status::Identified })),
            ("incident monitoring inc-31", say(Says::Status { status: Status::Monitoring })),
            ("incident investigating inc-31", say(Says::Status { status: Status::Investigating })),
            ("incident draft inc-31 \"We know.\"", say(Says::Draft { text: text("We know.") })),
            (
                "incident update inc-31 \"pg2 has taken over\"",
                say(Says::Update { text: text("pg2 has taken over"), for_support: false }),
            ),
            (
                "incident update inc-31 \"orders work again\" for=support",
                say(Says::Update { text: text("orders work again"), for_support: true }),
            ),
            (
                "incident severity inc-31 sev1 \"nobody can order\"",
                say(Says::Severity { severity: Severity::Sev1, why: text("nobody can order") }),
            ),
            (
                "incident waive inc-31 3 \"no customer sees it\"",
                say(Says::Waive { obligation: 3, why: text("no customer sees it") }),
            ),
            (
                "incident open sev2 \"checkout is slow\" service=orders drill=anna,ben",
                OfIncidents::Open {
                    severity: Severity::Sev2,
                    what: text("checkout is slow"),
                    service: Some(text("orders")),
                    drill: Some(vec![person("anna"), person("ben")]),
                },
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn every_word_of_the_help_is_one_of_the_grammar() {
        for known in WORDS {
            let answer = read(&format!("incident {}", known.word));
            assert!(!answer.as_ref().is_err_and(|what| what.contains("is no word of it")), "{answer:?}");
        }
    }

    #[test]
    fn what_is_not_understood_says_what_is_missing_or_near() {
        for (line, what) in [
            ("incident resolv inc-31", "`resolv` is no word of it. Nearest: `resolve`"),
            ("incident ack", "it wants an incident, as inc-31"),
            ("incident ack run-31", "`run-31` is no incident, as inc-31 is one"),
            ("incident open planned \"x\"", "`planned` is none of sev1, sev2 and sev3"),
            ("incident update inc-31 \"x\" for=everybody", "only for=support can stand here"),
            ("incident open sev1 \"x\" drill=", "drill=<the people who take part, with commas between them>"),
            ("incident waive inc-31 x \"why\"", "`x` is no number of something owed"),
            ("incident ack inc-31 now", "`now` is too much"),
        ] {
            assert_eq!(read(line), Err(what.to_owned()), "{line}");
        }
    }

    #[test]
    fn something_is_reported_of_a_service_or_of_an_incident() {
        let report = |of, words: &str| OfIncidents::Report(of, words.to_owned());
        let service = || ReportOf::Service("orders".to_owned());
        let read = |line: &str| match command(&words(line).unwrap()) {
            Ok(Command::Incident(it)) => Ok(it),
            Err(NotUnderstood::Form { what, .. }) => Err(what),
            other => Err(format!("{other:?}")),
        };

        assert_eq!(read("report orders \"orders fail\""), Ok(report(service(), "orders fail")));
        let of_incident = ReportOf::Incident(IncidentId(31));
        assert_eq!(read("report inc-31 \"orders fail\""), Ok(report(of_incident, "orders fail")));
        assert_eq!(read("report orders"), Err("it wants what customers say, in quotes".to_owned()));
        assert_eq!(read("report"), Err("it wants a service, or an incident as inc-31".to_owned()));
        assert_eq!(read("reports"), Ok(OfIncidents::Reports));
        assert!(report(service(), "x").acts() && !OfIncidents::Reports.acts());
    }

    #[test]
    fn notices_are_listed_and_paths_are_tried() {
        let read = |line: &str| command(&words(line).unwrap());

        assert_eq!(read("notify log"), Ok(Command::Notify(OfNotices::Log(None))));
        assert_eq!(read("notify log inc-31"), Ok(Command::Notify(OfNotices::Log(Some(IncidentId(31))))));
        assert_eq!(read("notify test pager"), Ok(Command::Notify(OfNotices::Test("pager".to_owned()))));
        assert!(read("notify everybody").is_err());
        assert_eq!(read("notify paths"), Ok(Command::Notify(OfNotices::Paths)));
        assert!(read("notify test pager").unwrap().acts() && !read("notify log").unwrap().acts());
        assert!(read("incident ack 31").unwrap().acts() && !read("incident 31").unwrap().acts());
    }
}
