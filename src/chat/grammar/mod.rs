//! One grammar for all doors: `verb [object] [name=value …] ["free text"]`.
//!
//! A line of a chat is taken apart here; a line from a shell comes as words already, and goes the same way. `"…"`
//! keeps spaces, `\"` is a quote, nothing else is special. A leading `/` is optional.

mod incidents;

pub use incidents::{OfIncidents, OfNotices, id as incident_id};

use crate::duty::StandIn;
use crate::engine::ToRun;
use crate::incident::IncidentId;
use crate::run::RunId;
use crate::run::model::AskedAfter;
use crate::runbook::source::name::Person;
use crate::wording::look::{LATER, VERBS};
use crate::wording::refusal::quoted;

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// `status`, `142`
    Plain(String),
    /// `cluster=orders`, `reason="…"`
    Pair(String, String),
    /// `"why"`
    Quoted(String),
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the words of the grammar")]
pub enum Command {
    Help(Option<String>),
    Runbooks(Option<String>),
    Show(String),
    Status(Option<String>),
    Output {
        run: RunId,
        number: u32,
        host: Option<String>,
    },
    Plan {
        run: RunId,
        long: bool,
    },
    /// A plan only to be looked at.
    Look {
        runbook: String,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
        long: bool,
    },
    WhoOwns(String),
    OnCall(OnCall),
    JournalShow(RunId),
    JournalOfIncident(IncidentId),
    JournalVerify,
    Run {
        runbook: String,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
    },
    ToRun(RunId, ToRun),
    Incident(OfIncidents),
    Notify(OfNotices),
    /// A word that comes later, and what it is about.
    Later(&'static str, &'static str),
    /// Only in a demo: be somebody else.
    As(Person),
    /// Only in a demo: type what `Next:` says.
    Next,
    /// Only in a demo: hurt or look at the lab.
    Lab(Vec<String>),
    Exit,
}

/// What somebody wants to know or say of duties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCall {
    /// Who is on duty now, and next.
    Now,
    /// When nobody is.
    Gaps,
    /// Who has a role, and how they are told.
    Who(String),
    /// Somebody shall stand in.
    StandIn(StandIn),
}

impl Command {
    /// Whether it is written to the journal.
    pub const fn acts(&self) -> bool {
        match self {
            Self::Run { .. } | Self::ToRun(..) | Self::OnCall(OnCall::StandIn(_)) => true,
            Self::Notify(OfNotices::Test(_)) => true,
            Self::Incident(it) => it.acts(),
            _ => false,
        }
    }

    /// Whether it looks at what runs or has run, or at incidents, and at no runbook.
    pub const fn is_about_runs(&self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::Output { .. }
                | Self::Plan { .. }
                | Self::JournalShow(_)
                | Self::JournalOfIncident(_)
                | Self::JournalVerify
                | Self::Incident(_)
                | Self::Notify(_)
        )
    }
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUnderstood {
    /// Nothing was typed.
    Empty,
    /// It has more than `MAX_LINE` bytes.
    TooLong,
    /// A quote is not closed.
    OpenQuote,
    /// The verb is none.
    UnknownWord(String),
    /// The verb needs something else.
    Form {
        /// The verb.
        verb: String,
        /// What is wrong, as a sentence.
        what: String,
    },
}

/// A line has at most so many bytes. A longer one is not looked at: nobody types it.
pub const MAX_LINE: usize = 4096;

/// Takes a line apart.
pub fn words(line: &str) -> Result<Vec<Word>, NotUnderstood> {
    if line.len() > MAX_LINE {
        return Err(NotUnderstood::TooLong);
    }
    let mut words = Vec::new();
    let mut chars = line.trim().chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        if first == '"' {
            chars.next();
            words.push(Word::Quoted(until_quote(&mut chars)?));
            continue;
        }
        let mut text = String::new();
        let mut pair = None;
        while let Some(&c) = chars.peek() {
            if c.is_whitespace() {
                break;
            }
            chars.next();
            if c == '=' && pair.is_none() && is_name(&text) {
                pair = Some(std::mem::take(&mut text));
                if chars.peek() == Some(&'"') {
                    chars.next();
                    text = until_quote(&mut chars)?;
                    break;
                }
            } else {
                text.push(c);
            }
        }
        words.push(match pair {
            Some(name) => Word::Pair(name, text),
            None => Word::Plain(text),
        });
    }
    Ok(words)
}

/// Words that a shell has taken apart already: each is one word, whatever it holds.
pub fn words_of_shell(arguments: &[String]) -> Vec<Word> {
    let word = |argument: &String| match argument.split_once('=') {
        Some((name, value)) if is_name(name) => Word::Pair(name.to_owned(), value.to_owned()),
        _ if argument.contains(char::is_whitespace) => Word::Quoted(argument.clone()),
        _ => Word::Plain(argument.clone()),
    };
    arguments.iter().map(word).collect()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn until_quote(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, NotUnderstood> {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(text),
            '\\' if chars.peek() == Some(&'"') => {
                chars.next();
                text.push('"');
            }
            c => text.push(c),
        }
    }
    Err(NotUnderstood::OpenQuote)
}

/// What the words want.
pub fn command(words: &[Word]) -> Result<Command, NotUnderstood> {
    let Some((first, rest)) = words.split_first() else { return Err(NotUnderstood::Empty) };
    let Word::Plain(verb) = first else {
        return Err(NotUnderstood::UnknownWord(shown(first)));
    };
    let typed = verb.strip_prefix('/').unwrap_or(verb);
    let known = VERBS.iter().find(|verb| verb.word == typed || verb.alias == Some(typed));
    // A bare `/` stays what it is, so that it can be quoted.
    let verb = known.map_or(if typed.is_empty() { verb } else { typed }, |verb| verb.word);
    // The words of the lab are its own.
    if verb != "lab" && rest.iter().any(is_help) {
        return Ok(Command::Help(Some(verb.to_owned())));
    }
    let mut rest = Rest { verb, words: rest };
    let command = match verb {
        "help" => Command::Help(rest.maybe_plain()),
        "runbooks" => Command::Runbooks(rest.maybe_plain()),
        "show" => Command::Show(rest.plain("the name of a runbook")?),
        "status" => Command::Status(rest.maybe_plain()),
        "output" => Command::Output { run: rest.run()?, number: rest.number()?, host: rest.maybe_plain() },
        "plan" => plan(&mut rest)?,
        "who" => {
            let owns = rest.plain("owns <host>")?;
            if owns != "owns" {
                return Err(rest.wrong("write: who owns <host>"));
            }
            Command::WhoOwns(rest.plain("a host")?)
        }
        "oncall" => Command::OnCall(on_call(&mut rest)?),
        "journal" => match rest.plain("show <run or incident>, or verify")?.as_str() {
            "show" => rest.journal_of()?,
            "verify" => Command::JournalVerify,
            _ => return Err(rest.wrong("write: journal show <run or incident>, or journal verify")),
        },
        "run" => {
            let runbook = rest.plain("the name of a runbook")?;
            let (arguments, reason, _) = rest.pairs(&[])?;
            Command::Run { runbook, arguments, reason }
        }
        "incident" => Command::Incident(incidents::incident(&mut rest)?),
        "report" => Command::Incident(incidents::report(&mut rest)?),
        "reports" => Command::Incident(OfIncidents::Reports),
        "notify" => Command::Notify(incidents::notify(&mut rest)?),
        "as" => {
            let name = rest.plain("a person")?;
            Command::As(Person::new(&name).ok_or_else(|| rest.wrong("that is no name of a person"))?)
        }
        "next" => Command::Next,
        "lab" => return Ok(Command::Lab(rest.words.iter().map(shown).collect())),
        "exit" | "quit" => Command::Exit,
        _ => match to_run(verb, &mut rest)? {
            Some(command) => command,
            None => match LATER.iter().find(|(word, _)| *word == verb) {
                Some((word, what)) => return Ok(Command::Later(word, what)),
                None => return Err(NotUnderstood::UnknownWord(verb.to_owned())),
            },
        },
    };
    rest.end()?;
    Ok(command)
}

/// `run --help`: asked in the way of a shell. In quotes it is a text like any other.
fn is_help(word: &Word) -> bool {
    matches!(word, Word::Plain(text) if text == "--help" || text == "-h")
}

fn plan(rest: &mut Rest<'_>) -> Result<Command, NotUnderstood> {
    let first = rest.plain("the number of a run, or the name of a runbook")?;
    if let Ok(id) = first.parse() {
        let long = rest.flag("--long");
        return Ok(Command::Plan { run: RunId(id), long });
    }
    let (arguments, reason, long) = rest.pairs(&["--long"])?;
    Ok(Command::Look { runbook: first, arguments, reason, long })
}

fn on_call(rest: &mut Rest<'_>) -> Result<OnCall, NotUnderstood> {
    match rest.maybe_plain().as_deref() {
        None => Ok(OnCall::Now),
        Some("gaps") => Ok(OnCall::Gaps),
        Some("who") => Ok(rest.maybe_plain().map_or(OnCall::Now, OnCall::Who)),
        Some("override") => {
            let (schedule, person) = (rest.plain("a schedule")?, rest.plain("a person")?);
            let (from, to) = (rest.pair("from")?, rest.pair("to")?);
            let to = to.ok_or_else(|| rest.wrong("it wants to=<until when>, as to=18:00 or to=8h"))?;
            Ok(OnCall::StandIn(StandIn { schedule, person, from, to, why: rest.text("why, in quotes")? }))
        }
        Some(_) => Err(rest.wrong("write: oncall, oncall gaps, oncall who <role>, or oncall override …")),
    }
}

/// The verbs that say something to a run.
fn to_run(verb: &str, rest: &mut Rest<'_>) -> Result<Option<Command>, NotUnderstood> {
    let is_one = VERBS.iter().any(|known| known.word == verb && known.is_of_a_run());
    if !is_one {
        return Ok(None);
    }
    let run = rest.run()?;
    let to_run = match verb {
        "confirm" => ToRun::Confirm { token: rest.plain("the token that the plan shows")? },
        "approve" => {
            let digest = rest.plain("the first 8 digits of the plan")?;
            let step = rest.maybe_number()?.map(|number| (number, rest.maybe_plain()));
            ToRun::Approve { digest, step }
        }
        "withdraw" => ToRun::Withdraw,
        "refuse" => ToRun::Refuse { why: rest.text("why, in quotes")? },
        "stop" => ToRun::Stop { now: rest.flag("now") },
        "pause" => ToRun::Pause,
        "resume" => ToRun::Resume,
        "retry" => {
            let number = rest.number()?;
            ToRun::Retry { number, host: rest.maybe_plain(), attempt: rest.attempt()? }
        }
        "ask" => ToRun::Ask { number: rest.number()?, host: rest.maybe_plain() },
        "skip" => {
            let number = rest.number()?;
            let (host, attempt) = (rest.maybe_plain(), rest.attempt()?);
            ToRun::Skip { number, host, attempt, why: rest.text("why, in quotes")? }
        }
        "settle" => {
            let number = rest.number()?;
            let (host, word) = rest.host_and_word(&["done", "not-done"])?;
            let attempt = rest.attempt()?;
            let how = rest.text("how you know, in quotes")?;
            ToRun::Settle { number, host, attempt, done: word == "done", how }
        }
        "answer" => {
            let number = rest.number()?;
            let (host, word) = rest.host_and_word(&["go-on", "stop"])?;
            ToRun::Answer { number, host, go_on: word == "go-on" }
        }
        "undo" => ToRun::Undo { including: rest.including()? },
        "take" => ToRun::Take,
        "handover" => {
            let to = rest.plain("a person")?;
            ToRun::Handover { to: Person::new(&to).ok_or_else(|| rest.wrong("that is no name of a person"))? }
        }
        _ => return Ok(None),
    };
    Ok(Some(Command::ToRun(run, to_run)))
}

/// Arguments, the reason, and whether a flag was among them.
type Pairs = (Vec<(String, String)>, Option<String>, bool);

/// The words behind the verb.
struct Rest<'a> {
    verb: &'a str,
    words: &'a [Word],
}

impl Rest<'_> {
    fn wrong(&self, what: &str) -> NotUnderstood {
        NotUnderstood::Form { verb: self.verb.to_owned(), what: what.to_owned() }
    }

    fn take(&mut self) -> Option<&Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn plain(&mut self, wanted: &str) -> Result<String, NotUnderstood> {
        match self.words.first() {
            Some(Word::Plain(text)) => {
                let text = text.clone();
                self.take();
                Ok(text)
            }
            Some(other) => Err(self.wrong(&format!("{} stands where {wanted} belongs", quoted_word(other)))),
            None => Err(self.wrong(&format!("it wants {wanted}"))),
        }
    }

    fn maybe_plain(&mut self) -> Option<String> {
        match self.words.first() {
            Some(Word::Plain(text)) => {
                let text = text.clone();
                self.take();
                Some(text)
            }
            _ => None,
        }
    }

    /// Free text: in quotes, or a single word.
    fn text(&mut self, wanted: &str) -> Result<String, NotUnderstood> {
        match self.words.first() {
            Some(Word::Plain(text) | Word::Quoted(text)) => {
                let text = text.clone();
                self.take();
                Ok(text)
            }
            Some(other) => Err(self.wrong(&format!("{} stands where {wanted} belongs", quoted_word(other)))),
            None => Err(self.wrong(&format!("it wants {wanted}"))),
        }
    }

    fn run(&mut self) -> Result<RunId, NotUnderstood> {
        let text = self.plain("the number of a run")?;
        text.parse().map(RunId).map_err(|_| self.wrong(&format!("{} is no number of a run", quoted(&text))))
    }

    /// A run by its number, or an incident, as inc-31.
    fn journal_of(&mut self) -> Result<Command, NotUnderstood> {
        if let Some(Word::Plain(text)) = self.words.first()
            && let Ok(incident) = text.parse()
        {
            self.take();
            return Ok(Command::JournalOfIncident(incident));
        }
        Ok(Command::JournalShow(self.run()?))
    }

    fn number(&mut self) -> Result<u32, NotUnderstood> {
        let text = self.plain("the number of a step")?;
        text.parse().map_err(|_| self.wrong(&format!("{} is no number of a step", quoted(&text))))
    }

    fn maybe_number(&mut self) -> Result<Option<u32>, NotUnderstood> {
        if self.words.is_empty() { Ok(None) } else { self.number().map(Some) }
    }

    fn flag(&mut self, word: &str) -> bool {
        let there = matches!(self.words.first(), Some(Word::Plain(text)) if text == word);
        if there {
            self.take();
        }
        there
    }

    /// `[host] word`, where the word is one of these.
    fn host_and_word(&mut self, words: &[&str]) -> Result<(Option<String>, String), NotUnderstood> {
        let first = self.plain(&words.join(" or "))?;
        if words.contains(&first.as_str()) {
            return Ok((None, first));
        }
        let word = self.plain(&words.join(" or "))?;
        if words.contains(&word.as_str()) {
            return Ok((Some(first), word));
        }
        Err(self.wrong(&format!("{} is neither {}", quoted(&word), words.join(" nor "))))
    }

    /// `name=value`, if that comes next.
    fn pair(&mut self, name: &str) -> Result<Option<String>, NotUnderstood> {
        match self.words.first().cloned() {
            Some(Word::Pair(known, value)) if known == name => {
                self.take();
                Ok(Some(value))
            }
            Some(Word::Pair(known, _)) if !["from", "to"].contains(&known.as_str()) => {
                Err(self.wrong(&format!("{} means nothing here", quoted(&known))))
            }
            _ => Ok(None),
        }
    }

    /// After which attempt somebody was asked; the first, if that is not said.
    fn attempt(&mut self) -> Result<AskedAfter, NotUnderstood> {
        let Some(Word::Pair(name, value)) = self.words.first().cloned() else {
            return Ok(AskedAfter::Step(1));
        };
        if name != "attempt" {
            return Ok(AskedAfter::Step(1));
        }
        self.take();
        value.parse().map_err(|_| self.wrong("attempt=<number of an attempt, as the question shows it>"))
    }

    fn including(&mut self) -> Result<Option<u32>, NotUnderstood> {
        match self.take().cloned() {
            None => Ok(None),
            Some(Word::Pair(name, value)) if name == "including" => {
                value.parse().map(Some).map_err(|_| self.wrong("including=<number of a step>"))
            }
            Some(other) => Err(self.wrong(&format!("{} means nothing here", quoted_word(&other)))),
        }
    }

    /// All that is left as `name=value`, the reason apart, and whether one of these flags is among it.
    fn pairs(&mut self, flags: &[&str]) -> Result<Pairs, NotUnderstood> {
        let (mut arguments, mut reason, mut flag) = (Vec::new(), None, false);
        while let Some(word) = self.take().cloned() {
            match word {
                Word::Pair(name, value) if name == "reason" => {
                    if reason.replace(value).is_some() {
                        return Err(self.wrong("reason is given twice"));
                    }
                }
                Word::Pair(name, value) => arguments.push((name, value)),
                Word::Plain(text) if flags.contains(&text.as_str()) => flag = true,
                other => {
                    return Err(self.wrong(&format!("{} is no name=value", quoted_word(&other))));
                }
            }
        }
        Ok((arguments, reason, flag))
    }

    fn end(&self) -> Result<(), NotUnderstood> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(self.wrong(&format!("{} is too much", quoted_word(word)))),
        }
    }
}

fn quoted_word(word: &Word) -> String {
    quoted(&shown(word))
}

fn shown(word: &Word) -> String {
    match word {
        Word::Plain(text) | Word::Quoted(text) => text.clone(),
        Word::Pair(name, value) => format!("{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, NotUnderstood> {
        command(&words(line)?)
    }

    #[test]
    fn a_line_means_the_same_with_and_without_the_slash() {
        let line = r#"run failover-database cluster=orders candidate=pg2 reason="pg1 is \"frozen\"""#;
        let expected = Command::Run {
            runbook: "failover-database".into(),
            arguments: vec![("cluster".into(), "orders".into()), ("candidate".into(), "pg2".into())],
            reason: Some("pg1 is \"frozen\"".into()),
        };

        assert_eq!(read(line), Ok(expected.clone()));
        assert_eq!(read(&format!("/{line}")), Ok(expected));
    }

    #[test]
    fn a_line_of_a_shell_is_the_same_line() {
        let arguments = ["run", "x", "a=1 2", "reason=pg1 is frozen"].map(str::to_owned);

        assert_eq!(command(&words_of_shell(&arguments)), read("run x a=\"1 2\" reason=\"pg1 is frozen\""));
        let arguments = ["refuse", "1", "take pg3 instead"].map(str::to_owned);
        assert_eq!(command(&words_of_shell(&arguments)), read("refuse 1 \"take pg3 instead\""));
    }

    #[test]
    fn every_verb_that_says_something_to_a_run_is_understood() {
        let run = RunId(142);
        let host = Some("pg4".to_owned());
        let cases = [
            ("confirm 142 orders-k7m2qx", ToRun::Confirm { token: "orders-k7m2qx".into() }),
            ("approve 142 7c1e94b2", ToRun::Approve { digest: "7c1e94b2".into(), step: None }),
            (
                "approve 142 7c1e94b2 4 pg4",
                ToRun::Approve { digest: "7c1e94b2".into(), step: Some((4, host.clone())) },
            ),
            ("refuse 142 \"take pg3\"", ToRun::Refuse { why: "take pg3".into() }),
            ("withdraw 142", ToRun::Withdraw),
            ("stop 142", ToRun::Stop { now: false }),
            ("stop 142 now", ToRun::Stop { now: true }),
            ("pause 142", ToRun::Pause),
            ("resume 142", ToRun::Resume),
            ("retry 142 4 pg4", ToRun::Retry { number: 4, host: host.clone(), attempt: AskedAfter::Step(1) }),
            ("retry 142 4 attempt=3", ToRun::Retry { number: 4, host: None, attempt: AskedAfter::Step(3) }),
            ("retry 142 4", ToRun::Retry { number: 4, host: None, attempt: AskedAfter::Step(1) }),
            ("retry 142 4 attempt=u2", ToRun::Retry { number: 4, host: None, attempt: AskedAfter::Undo(2) }),
            (
                "skip 142 4 pg4 attempt=2 \"disk swap\"",
                ToRun::Skip {
                    number: 4,
                    host: host.clone(),
                    attempt: AskedAfter::Step(2),
                    why: "disk swap".into(),
                },
            ),
            ("ask 142 3 pg4", ToRun::Ask { number: 3, host: host.clone() }),
            (
                "settle 142 3 pg4 not-done \"it is a replica\"",
                ToRun::Settle {
                    number: 3,
                    host: host.clone(),
                    attempt: AskedAfter::Step(1),
                    done: false,
                    how: "it is a replica".into(),
                },
            ),
            ("answer 142 1 go-on", ToRun::Answer { number: 1, host: None, go_on: true }),
            ("answer 142 1 pg4 stop", ToRun::Answer { number: 1, host, go_on: false }),
            ("undo 142", ToRun::Undo { including: None }),
            ("undo 142 including=3", ToRun::Undo { including: Some(3) }),
            ("take 142", ToRun::Take),
            ("handover 142 ben", ToRun::Handover { to: Person::new("ben").unwrap() }),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Ok(Command::ToRun(run, expected)), "{line}");
        }
    }

    #[test]
    fn reading_words_may_be_shortened_and_acting_words_never() {
        assert_eq!(read("s 142"), Ok(Command::Status(Some("142".into()))));
        assert_eq!(read("? approve"), Ok(Command::Help(Some("approve".into()))));
        assert_eq!(read("p 142 --long"), Ok(Command::Plan { run: RunId(142), long: true }));
        for line in ["appr 142 7c1e94b2", "st 142", "con 142 x"] {
            assert!(matches!(read(line), Err(NotUnderstood::UnknownWord(_))), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_says_what_is_missing() {
        let cases = [
            ("", NotUnderstood::Empty),
            ("refuse 142 \"why", NotUnderstood::OpenQuote),
            ("confirm", form("confirm", "it wants the number of a run")),
            ("confirm abc x", form("confirm", "`abc` is no number of a run")),
            ("confirm 142", form("confirm", "it wants the token that the plan shows")),
            ("approve 142 7c1e94b2 now", form("approve", "`now` is no number of a step")),
            ("run x y", form("run", "`y` is no name=value")),
            ("run x reason=a reason=b", form("run", "reason is given twice")),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Err(expected), "{line}");
        }
    }

    fn form(verb: &str, what: &str) -> NotUnderstood {
        NotUnderstood::Form { verb: verb.into(), what: what.into() }
    }

    #[test]
    fn a_word_with_the_help_of_a_shell_is_helped_and_does_nothing() {
        for line in ["run --help", "run failover-database cluster=orders --help", "/run -h"] {
            assert_eq!(read(line), Ok(Command::Help(Some("run".into()))), "{line}");
        }
        assert_eq!(read("s --help"), Ok(Command::Help(Some("status".into()))));
        let text = Command::ToRun(RunId(1), ToRun::Refuse { why: "--help".into() });
        assert_eq!(read("refuse 1 \"--help\""), Ok(text));
    }

    #[test]
    fn a_word_that_comes_later_says_so() {
        assert!(matches!(read("proof 142"), Ok(Command::Later("proof", _))));
        assert_eq!(read("journal show inc-31"), Ok(Command::JournalOfIncident(IncidentId(31))));
        assert_eq!(read("oncall"), Ok(Command::OnCall(OnCall::Now)));
        assert_eq!(read("oncall who"), read("oncall"));
        assert!(!read("oncall").unwrap().acts());
        let stand_in = StandIn {
            schedule: "primary".into(),
            person: "ben".into(),
            from: Some("2026-11-21 09:00".into()),
            to: "8h".into(),
            why: "anna is ill today".into(),
        };
        let line = r#"oncall override primary ben from="2026-11-21 09:00" to=8h "anna is ill today""#;
        assert_eq!(read(line), Ok(Command::OnCall(OnCall::StandIn(stand_in))));
        assert!(read(line).unwrap().acts());
        assert!(read("oncall override primary ben \"without an end\"").is_err());
    }
}
