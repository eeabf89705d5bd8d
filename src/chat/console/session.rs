//! One person at a console: reads lines, answers them, and shows what goes on. Terminal and pipe share this.

use std::process::Stdio;

use crate::chat::desk::{CameOut, Desk, Reply};
use crate::chat::grammar::{Command, MAX_LINE, NotUnderstood, command, words};
use crate::engine::Speaker;
use crate::runbook::source::name::Person;
use crate::wording::page::Block;
use crate::wording::{Page, look};

/// What a demo adds.
#[derive(Debug, Clone)]
pub struct DemoWords {
    /// The command that hurts and heals the hosts, with its first arguments.
    pub lab: Vec<String>,
}

/// One person at a console.
pub struct Session {
    /// Who answers.
    pub desk: Desk,
    /// Who speaks; a demo can change it.
    pub speaker: Speaker,
    /// What a demo adds.
    pub demo: Option<DemoWords>,
    /// What the last `Next:` said.
    next: Option<String>,
}

/// What a line led to.
pub enum Led {
    /// Words to show.
    Said(Reply),
    /// The person leaves.
    Leave,
}

impl Session {
    /// A session of a speaker.
    pub fn new(desk: Desk, speaker: Speaker, demo: Option<DemoWords>) -> Self {
        Self { desk, speaker, demo, next: None }
    }

    /// What stands before the line: `ana> `.
    pub fn prompt(&self) -> String {
        let who = self.speaker.person.as_ref().map_or(self.speaker.account.as_str(), Person::as_str);
        format!("{who}> ")
    }

    /// The line that is really meant: a demo's `next` is what `Next:` says.
    pub fn meant(&self, line: &str) -> String {
        let is_next = line.trim().trim_start_matches('/') == "next";
        match (&self.demo, &self.next) {
            (Some(_), Some(next)) if is_next => next.clone(),
            _ => line.to_owned(),
        }
    }

    /// Answers a line.
    pub async fn answer(&mut self, line: &str) -> Led {
        let understood = words(line).and_then(|words| command(&words));
        let reply = match understood {
            Err(error) => Reply::not_understood(not_understood(&error)),
            Ok(Command::Exit) => return Led::Leave,
            Ok(Command::As(person)) if self.demo.is_some() => self.be(person),
            Ok(Command::Next) if self.demo.is_some() => {
                let page = Page::sentence("Nothing has said `Next:` yet.").code("no-next");
                Reply { page, came_out: CameOut::Refused, run: None }
            }
            Ok(Command::Lab(arguments)) if self.demo.is_some() => self.lab(&arguments).await,
            Ok(command) => self.desk.answer(&self.speaker, command).await,
        };
        self.remember_next(&reply.page);
        Led::Said(reply)
    }

    /// Keeps what `Next:` says, for a demo that types it.
    pub fn remember_next(&mut self, page: &Page) {
        if let Some(next) = page.commands().first() {
            self.next = Some((*next).to_owned());
        }
    }

    fn be(&mut self, person: Person) -> Reply {
        let policy = self.desk.files().ok();
        let known = policy.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
        let Some(policy) = known.filter(|policy| policy.people.contains_key(&person)) else {
            let names: Vec<_> = known
                .map(|policy| policy.people.keys().map(ToString::to_string).collect())
                .unwrap_or_default();
            let page =
                Page::sentence(format!("There is no `{person}` here. There are: {}.", names.join(", ")));
            return Reply { page: page.code("unknown-person"), came_out: CameOut::NotUnderstood, run: None };
        };
        let roles = policy.roles_of(&person);
        let roles = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
        let page = Page::sentence(format!("You are {person} now ({roles}). This works in a demo only."));
        self.speaker.account = person.to_string();
        self.speaker.person = Some(person);
        Reply { page, came_out: CameOut::Done, run: None }
    }

    /// Hurts or heals the hosts of the demo.
    #[expect(clippy::disallowed_methods, reason = "the lab of a demo is a program of its own")]
    async fn lab(&self, arguments: &[String]) -> Reply {
        let failed = |what: String| Reply {
            page: Page::sentence(what).code("lab"),
            came_out: CameOut::Broke,
            run: None,
        };
        let Some((program, first)) = self.demo.as_ref().and_then(|demo| demo.lab.split_first()) else {
            return failed("This demo has no lab command.".to_owned());
        };
        let output = tokio::process::Command::new(program)
            .args(first)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await;
        match output {
            Err(error) => failed(format!("The lab command cannot be started: {error}.")),
            Ok(output) => {
                let text = [output.stdout, output.stderr].concat();
                let lines: Vec<String> = String::from_utf8_lossy(&text)
                    .lines()
                    .map(crate::runbook::source::hidden::visible)
                    .collect();
                let came_out = if output.status.success() { CameOut::Done } else { CameOut::Broke };
                let page = if lines.is_empty() {
                    Page::sentence("Done.")
                } else {
                    Page::new().with(Block::Foreign(lines))
                };
                Reply { page, came_out, run: None }
            }
        }
    }
}

/// A line that is no command.
pub fn not_understood(error: &NotUnderstood) -> Page {
    match error {
        NotUnderstood::Empty => Page::new(),
        NotUnderstood::TooLong => {
            Page::sentence(format!("A line has at most {MAX_LINE} characters. Nothing was done."))
                .next("help", "all words")
                .code("too-long")
        }
        NotUnderstood::OpenQuote => Page::sentence("A quote is not closed. Nothing was done.")
            .text("Next: add the closing \".")
            .code("open-quote"),
        NotUnderstood::UnknownWord(word) => look::unknown_word(word),
        NotUnderstood::Form { verb, what } => {
            let form = look::VERBS.iter().find(|known| known.word == verb).map_or("", |verb| verb.form);
            let page = Page::sentence(format!("`{verb}`: {what}. Nothing was done."));
            let page = if form.is_empty() { page } else { page.text(format!("Form: {form}")) };
            page.next(format!("help {verb}"), String::new()).code("not-understood")
        }
    }
}
