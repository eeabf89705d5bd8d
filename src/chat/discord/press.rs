//! Buttons and forms: each is a line of the grammar that is typed by pressing.
//!
//! What comes back with a press is that line, behind the number of its form: `s1 retry 142 4 pg4 attempt=2`. It holds
//! names and numbers only, nothing that is secret and no right: anybody could send anything, so every press is asked of
//! the policy and of the run as if it had been typed. Where a person must say something, `?` stands for it, and a form
//! asks.

use super::limits::{CUSTOM_ID, LABEL, cut};
use crate::chat::grammar::{Command, OfIncidents, Word, command, words};
use crate::engine::incidents::ReportOf;
use crate::incident::IncidentId;
use crate::run::RunId;
use crate::wording::page::{Block, Page};
use crate::wording::plan::count;
use crate::wording::refusal::capital;

/// Before what comes back with a press: the number of this form of it.
const FORM: &str = "s1";
/// Stands for what a person says.
const ASKED: &str = "?";
/// The fewest characters of a reason.
const REASON: usize = 10;

/// Something to press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// How it looks.
    pub style: Style,
    /// What comes back with a press.
    pub id: String,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The usual next.
    Primary = 1,
    /// Looks, waits, pauses.
    Secondary = 2,
    /// Agrees.
    Success = 3,
    /// Ends, takes back, gives up.
    Danger = 4,
}

/// What a press means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pressed {
    /// A command.
    Command(Command),
    /// Somebody must say something first.
    Ask(Form),
    /// Nothing that this version knows.
    Unknown,
}

/// A form with one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What comes back with it.
    pub id: String,
    /// What stands above it.
    pub title: String,
    /// What stands above the input.
    pub label: String,
    /// The fewest characters.
    pub min: usize,
    /// Whether there is room for sentences.
    pub is_long: bool,
    /// What it is about.
    pub about: About,
}

/// What a form is about: while it is over, nothing is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A run.
    Run(RunId),
    /// An incident.
    Incident(IncidentId),
}

impl Button {
    /// The button of a line as it stands in a page; none for a line that begins a run, or that is too long for one.
    pub fn of_line(line: &str) -> Option<Self> {
        let mut typed: Vec<String> = Vec::new();
        for word in words(line).ok()? {
            typed.push(match word {
                Word::Plain(text) => text,
                Word::Pair(name, value) => format!("{name}={value}"),
                Word::Quoted(_) => ASKED.to_owned(),
            });
        }
        if typed.first().is_some_and(|verb| verb == "confirm") {
            // A token is typed by whoever has read the plan back; no button holds it.
            typed.truncate(2);
            typed.push(ASKED.to_owned());
        }
        let line = typed.join(" ");
        let id = format!("{FORM} {line}");
        let is_known = !matches!(pressed(&id), Pressed::Unknown);
        if id.len() > CUSTOM_ID || !is_known {
            return None;
        }
        let words: Vec<&str> = typed.iter().map(String::as_str).collect();
        let (label, style) = shown(&words);
        Some(Self { label: cut(&label, LABEL), style, id })
    }

    /// The same with another label, where people are spoken to who read other words.
    #[must_use]
    pub fn labelled(self, label: &str, style: Style) -> Self {
        Self { label: cut(label, LABEL), style, ..self }
    }

    /// The buttons of everything that a page says to type.
    pub fn of_page(page: &Page) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let lines = page.blocks.iter().flat_map(|block| match block {
            Block::Next { commands, .. } => commands.iter().map(String::as_str).collect::<Vec<_>>(),
            Block::Choices(choices) => choices.iter().map(|(line, _)| line.as_str()).collect(),
            _ => Vec::new(),
        });
        for button in lines.filter_map(Self::of_line) {
            if !all.iter().any(|known| known.id == button.id) {
                all.push(button);
            }
        }
        // What ends something comes last; else they stand as in the page.
        all.sort_by_key(|button| button.style == Style::Danger);
        all
    }
}

/// The label of a line, and how it looks.
fn shown(words: &[&str]) -> (String, Style) {
    let about = |from: usize| -> String {
        let words = words.iter().skip(from).filter(|word| !word.contains('=') && **word != ASKED);
        words.copied().collect::<Vec<_>>().join(" ")
    };
    let (verb, rest) = (words.first().copied().unwrap_or_default(), about(2));
    let named = |what: &str| if rest.is_empty() { what.to_owned() } else { format!("{what} {rest}") };
    let has = |word: &str| words.contains(&word);
    let of_step = |what: &str| {
        let hosts = words.iter().skip(3).find(|word| !word.contains('=') && !is_answer(word));
        hosts.map_or_else(|| what.to_owned(), |host| format!("{what} · {host}"))
    };
    match verb {
        "incident" => of_incident(words),
        "report" => ("Customers report…".to_owned(), Style::Secondary),
        "confirm" => ("Confirm…".to_owned(), Style::Primary),
        "approve" => ("Approve".to_owned(), Style::Success),
        "withdraw" => ("Withdraw".to_owned(), Style::Secondary),
        "refuse" => ("Refuse…".to_owned(), Style::Danger),
        "stop" if has("now") => ("Stop now".to_owned(), Style::Danger),
        "stop" => ("Stop".to_owned(), Style::Danger),
        "pause" => ("Pause".to_owned(), Style::Secondary),
        "resume" => ("Resume".to_owned(), Style::Primary),
        "retry" => (named("Retry"), Style::Primary),
        "ask" => (named("Ask again"), Style::Primary),
        "skip" => (format!("{}…", cut(&named("Skip"), LABEL - 1)), Style::Danger),
        "settle" if has("done") => (format!("{}…", cut(&of_step("Done"), LABEL - 1)), Style::Secondary),
        "settle" => (format!("{}…", cut(&of_step("Not done"), LABEL - 1)), Style::Secondary),
        "answer" if has("go-on") => (of_step("Go on"), Style::Primary),
        "answer" => (of_step("Stop here"), Style::Danger),
        "undo" => match words.iter().find_map(|word| word.strip_prefix("including=")) {
            Some(step) => (format!("Undo with {step}"), Style::Danger),
            None => ("Undo".to_owned(), Style::Danger),
        },
        "take" => ("Take".to_owned(), Style::Secondary),
        "plan" => ("Whole plan".to_owned(), Style::Secondary),
        "output" => (named("Output"), Style::Secondary),
        "journal" => ("Journal".to_owned(), Style::Secondary),
        "status" => ("Status".to_owned(), Style::Secondary),
        other => (capital(other), Style::Secondary),
    }
}

/// The label of a line that speaks to an incident, and how it looks.
fn of_incident(words: &[&str]) -> (String, Style) {
    let word = words.get(1).copied().unwrap_or_default();
    let has = |word: &str| words.contains(&word);
    match word {
        "ack" => ("Acknowledge".to_owned(), Style::Success),
        "take" if has("commander") => ("Take command".to_owned(), Style::Primary),
        "take" if has("communications") => ("Take communications".to_owned(), Style::Secondary),
        "take" => ("Take liaison".to_owned(), Style::Secondary),
        "publish" => ("Publish draft".to_owned(), Style::Secondary),
        "update" => ("Post update…".to_owned(), Style::Secondary),
        "draft" => ("Write draft…".to_owned(), Style::Secondary),
        "escalate" => ("Escalate now".to_owned(), Style::Secondary),
        "severity" => (format!("{}…", words.get(3).copied().unwrap_or("Severity")), Style::Secondary),
        "waive" => (format!("Waive {}…", words.get(3).copied().unwrap_or_default()), Style::Danger),
        other if other.starts_with("inc-") => ("Status".to_owned(), Style::Secondary),
        other => (capital(other), Style::Secondary),
    }
}

fn is_answer(word: &str) -> bool {
    ["done", "not-done", "go-on", "stop", ASKED].contains(&word)
}

/// What came back, taken apart: only a line that speaks to a run that is there, or that looks.
pub fn pressed(id: &str) -> Pressed {
    let Some(typed) = typed_of(id) else { return Pressed::Unknown };
    if typed.contains(&Word::Plain(ASKED.to_owned())) {
        // Whatever is said makes it whole: what is not is no line of ours.
        return match filled(typed.clone(), "0123456789").map(|words| command(&words)) {
            Some(Ok(Command::ToRun(run, _))) => Pressed::Ask(form(id, &typed, run)),
            Some(Ok(Command::Incident(
                OfIncidents::Say(incident, _) | OfIncidents::Report(ReportOf::Incident(incident), _),
            ))) => Pressed::Ask(incident_form(id, &typed, incident)),
            _ => Pressed::Unknown,
        };
    }
    match command(&typed) {
        Ok(command) if may_be_pressed(&command) => Pressed::Command(command),
        _ => Pressed::Unknown,
    }
}

/// What a form came back with, taken apart.
pub fn submitted(id: &str, said: &str) -> Pressed {
    let Some(words) = typed_of(id).and_then(|typed| filled(typed, said)) else { return Pressed::Unknown };
    match command(&words) {
        Ok(
            command @ (Command::ToRun(..)
            | Command::Incident(
                OfIncidents::Say(..) | OfIncidents::Report(ReportOf::Incident(_), _),
            )),
        ) => Pressed::Command(command),
        _ => Pressed::Unknown,
    }
}

/// The words of a line, if it is one of this form: names and numbers, and nothing in quotes.
fn typed_of(id: &str) -> Option<Vec<Word>> {
    let line = id.strip_prefix(FORM)?.strip_prefix(' ')?;
    let words = words(line).ok()?;
    let is_ours = id.len() <= CUSTOM_ID && !words.iter().any(|word| matches!(word, Word::Quoted(_)));
    is_ours.then_some(words)
}

/// The words with what a person said: a token is a word, everything else a text. It is one line, as if it had been typed;
/// only what customers read keeps its own.
fn filled(typed: Vec<Word>, said: &str) -> Option<Vec<Word>> {
    let is_token = typed.first() == Some(&Word::Plain("confirm".to_owned()));
    let is_draft = typed.get(1) == Some(&Word::Plain("draft".to_owned()));
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let said =
        if is_draft || is_token { said.replace("\r\n", "\n") } else { lines.collect::<Vec<_>>().join(" ") };
    let asked = Word::Plain(ASKED.to_owned());
    let last = typed.last() == Some(&asked) && typed.iter().filter(|word| **word == asked).count() == 1;
    let said = if is_token { Word::Plain(said) } else { Word::Quoted(said) };
    last.then(|| typed.into_iter().map(|word| if word == asked { said.clone() } else { word }).collect())
}

const fn may_be_pressed(command: &Command) -> bool {
    matches!(
        command,
        Command::ToRun(..)
            | Command::Status(Some(_))
            | Command::Plan { .. }
            | Command::Output { .. }
            | Command::JournalShow(_)
            | Command::JournalOfIncident(_)
            | Command::Show(_)
            | Command::Help(_)
    ) || matches!(command, Command::Incident(it) if !matches!(it, OfIncidents::Open { .. } | OfIncidents::Report(..)))
}

fn plain_words(typed: &[Word]) -> Vec<&str> {
    let plain = typed.iter().filter_map(|word| match word {
        Word::Plain(text) => Some(text.as_str()),
        _ => None,
    });
    plain.collect()
}

/// A form for what is said to an incident.
fn incident_form(id: &str, typed: &[Word], incident: IncidentId) -> Form {
    let words = plain_words(typed);
    let word =
        if words.first() == Some(&"report") { "report" } else { words.get(1).copied().unwrap_or_default() };
    let (what, label) = match word {
        "report" => ("customers report", "What customers say, in their words"),
        "update" if typed.iter().any(|word| matches!(word, Word::Pair(name, _) if name == "for")) => {
            ("news, also for Support", "What customers see, and what comes next")
        }
        "update" => ("news for operators", "What you know, or what customers say"),
        "draft" => ("what customers are to read", "Word for word; it is not published yet"),
        _ => (word, "Why? It is recorded"),
    };
    let most = super::limits::FORM_TITLE;
    Form {
        id: id.to_owned(),
        title: cut(&format!("{incident}: {what}"), most),
        label: cut(label, most),
        min: REASON,
        is_long: true,
        about: About::Incident(incident),
    }
}

fn form(id: &str, typed: &[Word], run: RunId) -> Form {
    let words = plain_words(typed);
    let step = words.get(2).copied().unwrap_or_default();
    let host = words.get(3).filter(|word| !is_answer(word)).map(|host| format!(" on {host}"));
    let host = host.unwrap_or_default();
    let (title, label, min) = match words.first().copied().unwrap_or_default() {
        "confirm" => (format!("Confirm run {run}"), "The token that the plan shows".to_owned(), 1),
        "refuse" => (format!("Refuse run {run}"), "Why? Everybody reads it".to_owned(), REASON),
        "skip" => (format!("Run {run}: skip step {step}{host}"), "Why? It is recorded".to_owned(), REASON),
        "settle" => {
            let what = if words.contains(&"not-done") { "is not done" } else { "is done" };
            let title = format!("Run {run}: step {step}{host} {what}");
            (title, "How do you know? It is recorded".to_owned(), REASON)
        }
        verb => (format!("{verb}: run {run}"), format!("{} or more", count(REASON, "character")), REASON),
    };
    let most = super::limits::FORM_TITLE;
    let is_long = min == REASON;
    Form {
        id: id.to_owned(),
        title: cut(&title, most),
        label: cut(&label, most),
        min,
        is_long,
        about: About::Run(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ToRun;
    use crate::incident::Says;
    use crate::run::model::AskedAfter;

    fn label(line: &str) -> String {
        Button::of_line(line)
            .map_or_else(|| "-".to_owned(), |button| format!("{} {:?}", button.label, button.style))
    }

    #[test]
    fn every_line_that_speaks_to_a_run_has_a_button() {
        for (line, shown) in [
            ("confirm 142 orders-k7m2qx", "Confirm… Primary"),
            ("approve 142 7c1e94b2", "Approve Success"),
            ("refuse 142 \"why\"", "Refuse… Danger"),
            ("withdraw 142", "Withdraw Secondary"),
            ("stop 142", "Stop Danger"),
            ("stop 142 now", "Stop now Danger"),
            ("pause 142", "Pause Secondary"),
            ("resume 142", "Resume Primary"),
            ("retry 142 4 pg4", "Retry 4 pg4 Primary"),
            ("retry 142 4 pg4 attempt=2", "Retry 4 pg4 Primary"),
            ("ask 142 4 pg4", "Ask again 4 pg4 Primary"),
            ("skip 142 4 pg4 \"why\"", "Skip 4 pg4… Danger"),
            ("settle 142 4 pg4 done \"how you know\"", "Done · pg4… Secondary"),
            ("settle 142 4 pg4 not-done attempt=u1 \"how you know\"", "Not done · pg4… Secondary"),
            ("answer 142 4 go-on", "Go on Primary"),
            ("answer 142 4 pg4 stop", "Stop here · pg4 Danger"),
            ("undo 142", "Undo Danger"),
            ("undo 142 including=4", "Undo with 4 Danger"),
            ("take 142", "Take Secondary"),
            ("plan 142 --long", "Whole plan Secondary"),
            ("output 142 4 pg4", "Output 4 pg4 Secondary"),
            ("journal show 142", "Journal Secondary"),
            ("incident ack inc-31", "Acknowledge Success"),
            ("incident take commander inc-31", "Take command Primary"),
            ("incident publish inc-31", "Publish draft Secondary"),
            ("incident update inc-31 for=support \"news\"", "Post update… Secondary"),
            ("incident escalate inc-31", "Escalate now Secondary"),
            ("incident waive inc-31 3 \"why\"", "Waive 3… Danger"),
            ("incident resolve inc-31", "Resolve Secondary"),
            ("incident inc-31", "Status Secondary"),
            ("report inc-31 \"what\"", "Customers report… Secondary"),
            // What begins something is typed.
            ("incident open sev1 \"orders fail\"", "-"),
            ("report orders \"orders fail\"", "-"),
            ("notify test pager", "-"),
            ("run failover-database cluster=orders", "-"),
            ("plan failover-database cluster=orders", "-"),
            ("undo", "-"),
            ("next", "-"),
        ] {
            assert_eq!(label(line), shown, "{line}");
        }
    }

    #[test]
    fn what_comes_back_is_the_line_and_what_was_said() {
        let button = Button::of_line("skip 142 4 pg4 attempt=2 \"why\"").unwrap();
        assert_eq!(button.id, "s1 skip 142 4 pg4 attempt=2 ?");
        let Pressed::Ask(form) = pressed(&button.id) else { panic!("a reason is asked for") };
        assert_eq!((form.title.as_str(), form.min), ("Run 142: skip step 4 on pg4", 10));

        let said = "disk swap\" now stop 1";
        let skip = ToRun::Skip {
            number: 4,
            host: Some("pg4".to_owned()),
            attempt: AskedAfter::Step(2),
            why: said.to_owned(),
        };
        assert_eq!(submitted(&form.id, said), Pressed::Command(Command::ToRun(RunId(142), skip)));

        let token = Button::of_line("confirm 142 orders-k7m2qx").unwrap();
        assert!(!token.id.contains("k7m2qx"), "no button holds the token");
        let confirm = ToRun::Confirm { token: "orders-k7m2qx now".to_owned() };
        let back = submitted(&token.id, "orders-k7m2qx now");
        assert_eq!(back, Pressed::Command(Command::ToRun(RunId(142), confirm)), "what is said is one word");
    }

    #[test]
    fn news_of_an_incident_is_asked_for_and_comes_back_whole() {
        let button = Button::of_line("incident update inc-31 for=support \"news\"").unwrap();
        assert_eq!(button.id, "s1 incident update inc-31 for=support ?");
        let Pressed::Ask(form) = pressed(&button.id) else { panic!("the news is asked for") };
        assert_eq!(form.about, About::Incident(IncidentId(31)));
        assert_eq!(form.title, "inc-31: news, also for Support");

        let text = "Orders work again\" for=support publish".to_owned();
        let says = Says::Update { text: text.clone(), for_support: true };
        let command = Command::Incident(OfIncidents::Say(IncidentId(31), says));
        assert_eq!(submitted(&form.id, &text), Pressed::Command(command));
    }

    #[test]
    fn a_form_has_room_for_lines_and_only_what_customers_read_keeps_them() {
        let says = |says| Pressed::Command(Command::Incident(OfIncidents::Say(IncidentId(31), says)));
        let text = "Orders fail.\r\n\n  We look at it. ";

        let news = Says::Update { text: "Orders fail. We look at it.".to_owned(), for_support: false };
        assert_eq!(submitted("s1 incident update inc-31 ?", text), says(news));
        let draft = Says::Draft { text: text.replace("\r\n", "\n") };
        assert_eq!(submitted("s1 incident draft inc-31 ?", text), says(draft));
    }

    #[test]
    fn what_customers_say_is_asked_for_and_belongs_to_that_incident() {
        let button = Button::of_line("report inc-31 \"what\"").unwrap();
        assert_eq!(button.id, "s1 report inc-31 ?");
        let Pressed::Ask(form) = pressed(&button.id) else { panic!("their words are asked for") };
        assert_eq!(
            (form.about, form.title.as_str()),
            (About::Incident(IncidentId(31)), "inc-31: customers report")
        );

        let said = "it fails\" service=orders".to_owned();
        let report = OfIncidents::Report(ReportOf::Incident(IncidentId(31)), said.clone());
        assert_eq!(submitted(&form.id, &said), Pressed::Command(Command::Incident(report)));
    }

    #[test]
    fn what_is_no_line_of_ours_does_nothing() {
        let long = format!("s1 stop 142{}", " ".repeat(100));
        for id in [
            "",
            "s1",
            "s1 ",
            "s2 stop 142",
            "stop 142",
            "s1stop 142",
            "s1 stop",
            "s1 stop x",
            "s1 stop -1",
            "s1 stop 99999999999999999999999",
            "s1 run failover-database cluster=orders",
            "s1 as ben",
            "s1 next",
            "s1 lab kill pg1",
            "s1 exit",
            "s1 skip 142 4 pg4 \"forged\"",
            "s1 incident open sev1 ?",
            "s1 incident ack",
            "s1 incident ack inc-31 ?",
            "s1 report orders ?",
            "s1 report inc-31",
            "s1 report inc-31 forged",
            "s1 incident update inc-31 ? for=support",
            "s1 skip ? 4 pg4 ?",
            "s1 ? 142",
            "s1 stop 142 ?",
            "s1 settle 142 4 perhaps ?",
            &long,
        ] {
            assert_eq!(pressed(id), Pressed::Unknown, "{id}");
            assert_eq!(submitted(id, "a good reason"), Pressed::Unknown, "{id}");
        }
        // A form that nobody asked to fill in.
        assert_eq!(submitted("s1 stop 142", "x"), Pressed::Unknown);
    }
}
