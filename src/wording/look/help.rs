//! The greeting, and the help.

use super::words::{BESIDE, GROUPS, LATER, VERBS};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::{Person, RunbookName};
use crate::runbook::source::nearest::nearest;
use crate::wording::page::{Block, Page, plain};
use crate::wording::plan::count;
use crate::wording::refusal::quoted;

/// What the console knows when it opens.
#[derive(Debug)]
pub struct Opening<'a> {
    /// Who sits there.
    pub person: Option<&'a Person>,
    /// As whom they logged in.
    pub account: &'a str,
    /// Their roles.
    pub roles: Vec<String>,
    /// The journal, and whether it was made just now.
    pub journal: (String, bool),
    /// How many runbooks there are, from where, at which commit.
    pub runbooks: (usize, String, Option<String>),
    /// A demo on a lab.
    pub demo: bool,
    /// Runs that are open.
    pub open: usize,
    /// The first runbook that this person may run.
    pub first: Option<RunbookName>,
}

/// The greeting: it teaches three things, once.
pub fn greeting(opening: &Opening<'_>) -> Page {
    let who = match opening.person {
        Some(person) if opening.roles.is_empty() => format!("you are {person}"),
        Some(person) => format!("you are {person} ({})", opening.roles.join(", ")),
        None => "the policy does not know you".to_owned(),
    };
    let (journal, is_new) = &opening.journal;
    let journal = if *is_new { format!("new journal {journal}") } else { format!("journal {journal}") };
    let (n, folder, commit) = &opening.runbooks;
    let commit = commit.as_ref().map(|commit| format!(" at {commit}")).unwrap_or_default();
    let mut page = Page::new()
        .text(format!("steadyhand {} · console · {who} · {journal}", env!("CARGO_PKG_VERSION")))
        .text(format!("{} from {folder}{commit}, all sound · chat: not connected", count(*n, "runbook")));
    if opening.person.is_none() {
        return page
            .text(format!(
                "The login `{}` belongs to nobody in the policy, so you may read the help and no more.",
                visible(opening.account)
            ))
            .text("Next: ask those who run steadyhand.");
    }
    if opening.open > 0 && (opening.demo || *is_new) {
        page = page.text(format!("{} open: status shows them.", count(opening.open, "run")));
    }
    if opening.demo {
        return page
            .text("A demo: real servers and a real PostgreSQL cluster `orders` on this machine. Three things to type:")
            .with(Block::Choices(vec![
                ("show failover-database".to_owned(), "the runbook, made from the file that runs".to_owned()),
                (
                    "run failover-database cluster=orders candidate=pg2 mode=planned reason=\"a first look\"".to_owned(),
                    "measures, shows the plan, and waits for you".to_owned(),
                ),
                ("as ben".to_owned(), "be the second person, and approve what ana has confirmed".to_owned()),
            ]))
            .text("`next` types what `Next:` says. All words: help. Leave: exit, or Ctrl-D");
    }
    let next = match &opening.first {
        _ if opening.open > 0 => "status".to_owned(),
        Some(runbook) => format!("show {runbook}"),
        None => "runbooks".to_owned(),
    };
    if !*is_new {
        let open =
            if opening.open > 0 { format!("{} open · ", count(opening.open, "run")) } else { String::new() };
        return page.next(next, format!("{open}All words: help"));
    }
    page.text("Three things to know")
        .with(Block::Fields(vec![
            ("  1".to_owned(), plain("`run` never runs at once. It measures, shows every step, and waits for you, and for a second person where the runbook says so.")),
            ("  2".to_owned(), plain("Looking is free: `runbooks`, `show <runbook>`, `status` change nothing.")),
            ("  3".to_owned(), plain("You can stop at any time: `stop <run>`. Silence is never taken as a yes.")),
        ]))
        .next(next, "All words: help")
}

/// All words, grouped by danger; the last line is about the reader.
pub fn help(rights: Option<(usize, usize, usize)>, demo: bool) -> Page {
    let mut page = Page::new();
    for (weight, about) in GROUPS {
        let verbs = VERBS.iter().filter(|verb| verb.weight == weight);
        let words = verbs.map(|verb| verb.word).collect::<Vec<_>>().join(" · ");
        page = page.text(about).with(Block::Fields(vec![("  ".to_owned(), plain(words))]));
    }
    if demo {
        page = page.text("DEMO").with(Block::Fields(vec![(
            "  ".to_owned(),
            plain("as <person>: be somebody else · next: type what Next says · lab <words>: hurt the hosts"),
        )]));
    }
    let rights = match rights {
        Some((may_run, may_approve, all)) => {
            let approve = if may_approve == 0 { "none".to_owned() } else { may_approve.to_string() };
            format!("You may run {may_run} of {} and approve {approve}. ", count(all, "runbook"))
        }
        None => String::new(),
    };
    page.text(format!("{rights}One word in full: help approve"))
}

/// The verbs as the help of the program lists them: a line of the chat is also a command of a shell.
pub fn lines_of_a_shell() -> Page {
    let mut page = Page::sentence("Lines of the chat, one at a time. `steadyhand help WORD` explains one:");
    for (weight, about) in GROUPS {
        let verbs = VERBS.iter().filter(|verb| verb.weight == weight);
        let fields = verbs.map(|verb| {
            let first = verb.about.split_inclusive('.').next().unwrap_or_default();
            (format!("  {:<9}", verb.word), plain(first))
        });
        page = page.text(about).with(Block::Fields(fields.collect()));
    }
    page
}

/// One word in full, or the nearest one.
pub fn help_word(word: &str) -> Page {
    if let Some(verb) = VERBS.iter().find(|verb| verb.word == word || verb.alias == Some(word)) {
        let mut page = Page::sentence(verb.form).text(verb.about);
        if let Some(alias) = verb.alias {
            page = page.text(format!("Shorter: {alias}"));
        } else if verb.is_of_a_run() {
            page = page.text("A word that acts cannot be shortened.");
        }
        if verb.word == "incident" {
            page = page.join(crate::wording::incident::help::words());
        }
        return page;
    }
    if let Some((_, what)) = LATER.iter().find(|(later, _)| *later == word) {
        return not_yet(word, what);
    }
    if let Some((_, form, about)) = BESIDE.iter().find(|(beside, ..)| *beside == word) {
        return Page::sentence(*form).text(*about);
    }
    unknown_word(word)
}

/// A word that is none.
pub fn unknown_word(word: &str) -> Page {
    let words = || VERBS.iter().map(|verb| verb.word);
    let shown = quoted(word);
    if let Some(of) = crate::wording::incident::help::said_of(word) {
        return Page::sentence(format!("{shown} is not a word here. Of an incident: `{of}`."))
            .next("incident", "those that are open")
            .code("unknown-word");
    }
    let begun: Vec<_> =
        words().filter(|known| known.starts_with(word)).map(|known| format!("`{known}`")).collect();
    match nearest(word, words()) {
        Some(near) => Page::sentence(format!("{shown} is not a word here. Nearest: `{near}`."))
            .next(format!("help {near}"), String::new()),
        None if begun.is_empty() => {
            Page::sentence(format!("{shown} is not a word here.")).next("help", "all words")
        }
        None => Page::sentence(format!(
            "{shown} is not a word here. It begins {}; words that act are never shortened.",
            begun.join(", ")
        ))
        .next("help", "all words"),
    }
    .code("unknown-word")
}

/// A word that belongs to the grammar and comes later.
pub fn not_yet(word: &str, what: &str) -> Page {
    Page::sentence(format!("`{word}` is not there yet: {what} with a later version. Nothing was done."))
        .next("help", "what is there")
        .code("not-yet")
}
