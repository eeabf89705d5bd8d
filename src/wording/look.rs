//! Looking: the greeting, help, runbooks, one runbook as a document, what is going on.

use super::moment::Moment;
use super::page::{Below, Block, Page, Role, Row, Table, cell, plain};
use super::plan::{NO_WAY_BACK, count, target};
use super::refusal::quoted;
use super::states;
use crate::duty::OnDuty;
use crate::incident::Incident;
use crate::plan::model::Offer;
use crate::policy::Policy;
use crate::run::model::{Far, Phase};
use crate::run::{Run, RunId};
use crate::runbook::model::{Effect, Item, ParameterKind, Runbook, Step, StepBody};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::{Person, RunbookName};
use crate::runbook::source::nearest::nearest;
use crate::runbook::text::{Part, Text};

/// A verb of the grammar, as the help tells it.
#[derive(Debug)]
pub struct Verb {
    /// The word.
    pub word: &'static str,
    /// A shorter word, for those that only look.
    pub alias: Option<&'static str>,
    /// How it is typed.
    pub form: &'static str,
    /// What it does, as sentences.
    pub about: &'static str,
    /// How much it weighs.
    pub weight: Weight,
}

impl Verb {
    /// Whether it only looks.
    pub fn looks(&self) -> bool {
        self.weight == Weight::Looks
    }

    /// Whether it says something to a run that is there, whose number comes first.
    pub fn is_of_a_run(&self) -> bool {
        matches!(self.weight, Weight::Begins | Weight::Agrees | Weight::Steers)
    }
}

/// What a verb can do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nothing is changed.
    Looks,
    /// A list is read back first, and nothing runs before it is confirmed.
    Begins,
    /// It counts as soon as it is said: the last agreement starts the run.
    Agrees,
    /// A run that is there is steered, as soon as it is said.
    Steers,
    /// People are told, or somebody says what they know. What only looks is among it.
    Tells,
}

/// The groups of the help, in its order.
const GROUPS: [(Weight, &str); 5] = [
    (Weight::Looks, "LOOK, changes nothing"),
    (Weight::Begins, "BEGIN, read back first: nothing runs before you have confirmed it"),
    (Weight::Agrees, "AGREE OR NOT, counts at once: the last agreement starts the run"),
    (Weight::Steers, "STEER A RUN, acts at once"),
    (Weight::Tells, "TELL, counts at once: incidents, what is owed, and who is told"),
];

const fn look(
    word: &'static str,
    alias: Option<&'static str>,
    form: &'static str,
    about: &'static str,
) -> Verb {
    Verb { word, alias, form, about, weight: Weight::Looks }
}

const fn act(weight: Weight, word: &'static str, form: &'static str, about: &'static str) -> Verb {
    Verb { word, alias: None, form, about, weight }
}

/// Every verb that works, in the order of the help.
pub const VERBS: &[Verb] = &[
    look("help", Some("?"), "help [word]", "All words, or one in full."),
    look(
        "runbooks",
        Some("rb"),
        "runbooks [word|all]",
        "The runbooks that you may run or approve, or all, or those whose name or use has a word.",
    ),
    look("show", None, "show <runbook>", "One runbook as a document, made from the file that runs."),
    look(
        "status",
        Some("s"),
        "status [run|incident|cluster|host]",
        "What is going on: all of it, or one run, incident, cluster or host.",
    ),
    look(
        "output",
        Some("o"),
        "output <run> <step> [host]",
        "What a step printed, whole as far as it was kept.",
    ),
    look(
        "plan",
        Some("p"),
        "plan <run> [--long]",
        "The plan of a run; --long has every argument on every host. `plan <runbook> name=value …` makes one to look at: it measures, asks for nothing, and nothing will run.",
    ),
    look("who", None, "who owns <host>", "Who answers for a host, and whom they escalate to."),
    look(
        "oncall",
        None,
        "oncall [who [role] | gaps | override <schedule> <person> to=… \"why\"]",
        "Who is on duty now and next; the hours of the next 14 days in which nobody is; how a role is told. `override` lets somebody stand in, and counts at once: to=8h, to=18:00 or to=\"2026-01-05 09:00\", before it from=… if not from now on. The newest goes before all others.",
    ),
    look(
        "journal",
        None,
        "journal show <run|incident> · journal verify",
        "The entries of a run or an incident: who, when, what, where, how it ended. Or whether anything in the journal was changed.",
    ),
    act(
        Weight::Begins,
        "run",
        "run <runbook> name=value … reason=\"…\"",
        "Measures, shows every step as a plan, and waits for you. Nothing is changed before you confirm, and before a second person approves where the runbook says so.",
    ),
    act(
        Weight::Agrees,
        "confirm",
        "confirm <run> <token>",
        "You have read the plan back. The token names the target; it is shown with the plan, good once and for 5 minutes. Only the requester can.",
    ),
    act(
        Weight::Agrees,
        "approve",
        "approve <run> <plan> [step] [host]",
        "You agree to exactly this plan, by its first 8 digits. Never the one who asked for it. It is waited for 30 minutes.",
    ),
    act(Weight::Agrees, "refuse", "refuse <run> \"why\"", "The run is closed before it starts."),
    act(
        Weight::Agrees,
        "withdraw",
        "withdraw <run>",
        "Takes your approval back before the start. `stop <run>` takes the request itself back.",
    ),
    act(
        Weight::Steers,
        "answer",
        "answer <run> <step> [host] go-on|stop",
        "Answers a question that the runbook asks. Silence is never a yes.",
    ),
    act(
        Weight::Steers,
        "stop",
        "stop <run> [now]",
        "No step begins any more, from this moment. Before the start it closes the request. `now` also ends what runs.",
    ),
    act(Weight::Steers, "pause", "pause <run>", "What runs goes on; nothing new begins. The hold stays."),
    act(Weight::Steers, "resume", "resume <run>", "Goes on after a pause."),
    act(
        Weight::Steers,
        "retry",
        "retry <run> <step> [host] [attempt=<n>]",
        "Tries a failed step again, on one host; measures a shut door again; waits for a gate as long again.",
    ),
    act(
        Weight::Steers,
        "skip",
        "skip <run> <step> <host> [attempt=<n>] \"why\"",
        "Goes on without a host, where the runbook allows hosts to fail.",
    ),
    act(
        Weight::Steers,
        "ask",
        "ask <run> <step> [host]",
        "Asks again what is known of a step whose outcome is unknown or not proven. Sends nothing.",
    ),
    act(
        Weight::Steers,
        "settle",
        "settle <run> <step> [host] [attempt=<n>] done|not-done \"how you know\"",
        "Says how an unknown outcome ended. It is recorded with your name.",
    ),
    act(
        Weight::Begins,
        "undo",
        "undo <run> [including=<step>]",
        "Takes back what was done, newest first, never past an irreversible step. Shows the list and asks for a token. `including` names a step that did not succeed and may have done something.",
    ),
    act(Weight::Steers, "take", "take <run>", "You answer the questions of this run from now on."),
    act(Weight::Steers, "handover", "handover <run> <person>", "Offers the run to somebody, who says take."),
    Verb {
        word: "incident",
        alias: Some("inc"),
        form: "incident [list] · incident <word> inc-31 … · incident open <severity> …",
        about: "What hurts customers, who owes what by when, and who knows. Without a word: the incidents that are open. inc-31 may be typed as 31.",
        weight: Weight::Tells,
    },
    act(
        Weight::Tells,
        "notify",
        "notify log [inc-31] · notify test <path>",
        "Who was told what, over which path, and what became of it. `test` sends a letter over a path to you alone, and says what the path answered.",
    ),
];

/// Words that belong to the grammar and come later: they answer that they are not there yet.
pub const LATER: &[(&str, &str)] = &[
    ("drill", "drills come"),
    ("readiness", "readiness comes"),
    ("audit", "the search in the journal comes"),
    ("proof", "signed proofs come"),
    ("watching", "watching a late step comes"),
    ("maint", "planned work comes"),
    ("breakglass", "break-glass comes"),
];

/// Words that are no verbs of the grammar: of the console, of its demo, and of a shell.
const BESIDE: &[(&str, &str, &str)] = &[
    ("exit", "exit", "Leaves the console. Ctrl-D does the same."),
    ("quit", "quit", "Leaves the console. Ctrl-D does the same."),
    ("as", "as <person>", "Be somebody else. In the chat of a demo only."),
    ("next", "next", "Types what the last `Next:` said. In the chat of a demo only."),
    ("lab", "lab <words>", "Hurts or heals the hosts; `lab help` lists how. In the chat of a demo only."),
    ("doctor", "steadyhand doctor [host …]", "In a shell only: `steadyhand doctor --help`."),
    ("check", "steadyhand check [path …]", "In a shell only: `steadyhand check --help`."),
    ("schema", "steadyhand schema [kind]", "In a shell only: `steadyhand schema --help`."),
    ("reference", "steadyhand reference", "In a shell only: `steadyhand reference --help`."),
    ("console", "steadyhand console", "In a shell only: `steadyhand console --help`."),
];

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
            page = page.join(super::incident::help::words());
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

/// What a runbook may be for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: RunbookName,
    /// When to reach for it.
    pub use_when: String,
    /// The role that answers for it.
    pub owner: String,
    /// The reader may run it.
    pub may_run: bool,
    /// The reader may approve it.
    pub may_approve: bool,
}

/// A list of runbooks; `hidden` is how many are not shown, `word` what was searched for.
pub fn runbooks(listed: &[Listed], hidden: usize, word: Option<&str>) -> Page {
    let searched = word.is_some_and(|word| word != "all");
    let others = if searched { "" } else { ", which you may neither run nor approve" };
    let others = format!("{hidden} more{others}");
    if listed.is_empty() {
        let page = match word.filter(|_| searched) {
            Some(word) => Page::sentence(format!("No runbook has {} in its name or its use.", quoted(word))),
            None if hidden == 0 => Page::sentence("There is no runbook yet."),
            None => Page::sentence("There is no runbook that you may run or approve."),
        };
        return if hidden > 0 { page.next("runbooks all", count(hidden, "runbook")) } else { page };
    }
    let rows = listed.iter().map(|runbook| {
        let you = match (runbook.may_run, runbook.may_approve) {
            (true, true) => "run, approve",
            (true, false) => "run",
            (false, true) => "approve",
            (false, false) => "–",
        };
        Row {
            cells: vec![
                plain(runbook.name.to_string()),
                plain(visible(&runbook.use_when)),
                plain(you),
                plain(runbook.owner.clone()),
            ],
            below: Vec::new(),
        }
    });
    let heads = ["RUNBOOK", "USE WHEN", "YOU", "OWNER"].map(str::to_owned).to_vec();
    let page = Page::new().with(Block::Table(Table { heads, wide: vec![3], rows: rows.collect() }));
    if hidden > 0 {
        page.next("runbooks all", others)
    } else {
        page.next(format!("show {}", listed[0].name), String::new())
    }
}

/// A text of a runbook for readers: references stand in angle brackets.
fn readable(text: &Text) -> String {
    let mut out = String::new();
    for part in &text.parts {
        match part {
            Part::Raw(raw) => out.push_str(raw),
            Part::Reference(tree) => {
                let from = tree.offset as usize;
                let path: String = text.source.chars().skip(from).take(tree.length as usize).collect();
                out.push_str(&["<", &path, ">"].concat());
            }
        }
    }
    visible(&out)
}

/// One runbook as a document, made from the file that runs.
pub fn show(runbook: &Runbook, commit: Option<&str>, policy: Option<&Policy>) -> Page {
    let commit = commit.map(|commit| format!(" @ {commit}")).unwrap_or_default();
    let words = |words: &[crate::runbook::model::Word]| {
        words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(", ")
    };
    let owner = runbook.owner.value.clone();
    let people = policy.map(|policy| policy.holders(std::slice::from_ref(&owner))).unwrap_or_default();
    let people: Vec<_> = people.iter().map(ToString::to_string).collect();
    let people = if people.is_empty() { String::new() } else { format!(": {}", people.join(", ")) };
    let approve = match &runbook.access.approve {
        Some(approve) => {
            let by = words(&approve.by).replace(", ", " or ");
            format!("approve: {} of {by}, never the one who runs it", approve.count)
        }
        None => "approve: nobody else".to_owned(),
    };
    let mut fields = vec![
        ("Use when", visible(&runbook.use_when)),
        ("Owner", format!("{owner}{people} · rehearse every {}", runbook.rehearse)),
        ("Who", format!("run: {} · {approve}", words(&runbook.access.start))),
    ];
    if !runbook.tell.is_empty() {
        let tells: Vec<_> = runbook
            .tell
            .iter()
            .map(|tell| format!("{} ({} in {})", tell.who.value, tell.until.value, tell.within))
            .collect();
        fields.push(("Tells", format!("{}.", tells.join(", "))));
    }
    fields.push(("Takes", takes(runbook)));
    let after: usize = runbook.all_steps().map(|(step, _)| step.verify.len()).sum();
    let doors: usize = runbook.all_steps().map(|(step, _)| step.require.len()).sum();
    fields.push((
        "Checks",
        format!("{} before the plan, {doors} at doors, {after} after steps", runbook.preflight.len()),
    ));
    if let Some(contingency) = &runbook.contingency {
        fields.push(("Way out", contingency.value.clone()));
    }
    let values: Vec<_> =
        runbook.parameters.iter().map(|parameter| format!("{}=…", parameter.name.value)).collect();
    Page::new()
        .text(format!("{}    {}{commit}", readable(&runbook.title), runbook.name))
        .fields(fields)
        .with(Block::Table(document(runbook)))
        .next(format!("run {} {} reason=\"…\"", runbook.name, values.join(" ")), String::new())
}

fn takes(runbook: &Runbook) -> String {
    let parameters = runbook.parameters.iter().map(|parameter| {
        let name = &parameter.name.value;
        let kind = match &parameter.kind {
            ParameterKind::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| word.value.as_str()).collect();
                return format!("{name}={}", words.join("|"));
            }
            ParameterKind::Host(Some(list)) => format!(" (one of {})", list.source),
            ParameterKind::Cluster(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.value.as_str()).collect();
                format!(" (of kind {})", kinds.join(" or "))
            }
            _ => String::new(),
        };
        let default =
            parameter.default.as_ref().map(|default| format!(" [{}]", default.value)).unwrap_or_default();
        format!("{name}{kind}{default}")
    });
    parameters.chain(["reason".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// The steps of the file, with what is left out under which condition.
fn document(runbook: &Runbook) -> Table {
    let mut rows: Vec<Row> = Vec::new();
    let mut past = false;
    let mut number = 0;
    for item in &runbook.items {
        let (inner, each) = match item {
            Item::Each(each) => (each.items.as_slice(), Some(each)),
            other => (std::slice::from_ref(other), None),
        };
        for item in inner {
            number += 1;
            let irreversible =
                matches!(item, Item::Step(Step { effect: Some(at), .. }) if at.value == Effect::Irreversible);
            if irreversible && !past {
                past = true;
                if let Some(last) = rows.last_mut() {
                    last.below.push(Below::Rule(NO_WAY_BACK.to_owned()));
                }
            }
            let mut row = document_row(number, item);
            if let Some(each) = each {
                row.below.insert(
                    0,
                    Below::Text(format!("for each {} of {}", each.variable.value, each.of.source)),
                );
            }
            if let Some(when) = item.when() {
                row.below.push(Below::Text(format!("only when {}", when.source)));
            }
            rows.push(row);
        }
    }
    Table { rows, ..Table::default() }
}

fn document_row(number: usize, item: &Item) -> Row {
    let (title, place, effect, role) = match item {
        Item::Step(step) => {
            let effect = step.effect.as_ref().map_or(Effect::Irreversible, |at| at.value);
            let (word, role) = match effect {
                Effect::Irreversible => ("IRREVERSIBLE", Role::Danger),
                other => (other.as_str(), Role::Plain),
            };
            (readable(&step.title), format!("on {}", step.host.source), word.to_owned(), role)
        }
        Item::Wait(wait) => {
            (readable(&wait.title), String::new(), format!("waits at most {}", wait.at_most), Role::Quiet)
        }
        Item::Decide(decide) => {
            let asked: Vec<_> = decide.ask.iter().map(|word| word.value.as_str()).collect();
            (readable(&decide.question), String::new(), format!("asks {}", asked.join(", ")), Role::Attention)
        }
        Item::Each(_) => (String::new(), String::new(), String::new(), Role::Plain),
    };
    let mut below = Vec::new();
    if let Item::Step(step) = item {
        if let StepBody::Use(action) = &step.body {
            below.push(Below::Text(format!("does {}", action.value)));
        }
        if let Some(why) = &step.why_no_undo {
            below.push(Below::Text(format!("why no undo: {}", visible(why))));
        }
    }
    Row { cells: vec![plain(format!("{number:>3}")), plain(title), plain(place), cell(effect, role)], below }
}

/// What is going on now: what needs a person first, then what moves.
pub fn status(runs: &[std::sync::Arc<Run>], is_carried: bool, moment: &Moment) -> Page {
    if runs.is_empty() {
        return Page::sentence(format!("Nothing runs. It is {}.", moment.time(moment.now)));
    }
    let needs: Vec<_> = runs.iter().filter(|run| run.waits_for_person()).collect();
    let mut page = if is_carried { Page::new() } else { no_bot() };
    if !needs.is_empty() {
        page = page.text("NEEDS A PERSON").with(Block::Table(Table {
            rows: needs.iter().map(|run| status_row(run, moment)).collect(),
            ..Table::default()
        }));
    }
    let moves: Vec<_> = runs.iter().filter(|run| !run.waits_for_person()).collect();
    if !moves.is_empty() {
        page = page.text("RUNS").with(Block::Table(Table {
            rows: moves.iter().map(|run| status_row(run, moment)).collect(),
            ..Table::default()
        }));
    }
    let first = needs.first().or(moves.first());
    first.map_or_else(Page::new, |run| page.next(format!("status {}", run.id), String::new()))
}

/// What is shown stands still: nobody carries it on.
pub fn no_bot() -> Page {
    Page::sentence("No bot runs, so nothing of this is carried on. What was sent to a host goes on there.")
        .next("steadyhand", "in a shell starts one: it goes on where the last one ended")
}

/// A run stands still because of a fault that is not its own. One whose events cannot be read cannot be stopped either.
pub fn parked(id: RunId, why: &str, is_readable: bool) -> Page {
    let what = format!(
        "Run {id} is parked: {why}. Nothing of it is carried on, it keeps what it holds, and what was sent to a host goes on there. All other runs go on."
    );
    let page = Page::sentence(what);
    if !is_readable {
        return page
            .text("Start the bot in the version that wrote its events: then it is carried on from where it stands.")
            .next("journal verify", "says whether the journal is whole");
    }
    page.next(format!("stop {id}"), "begins no new step of it")
        .text("Or start the bot again: then it is carried on from where it stands.")
}

fn status_row(run: &Run, moment: &Moment) -> Row {
    let (state, whom) = states::of_run(run);
    let (done, all) = run.steps_done();
    let what = run.plan().map_or_else(String::new, target);
    let waits = match run.phase {
        Phase::Confirming => format!("{} confirms", run.request.by),
        Phase::Approving => {
            run.plan().map(|plan| format!("{} approve", plan.approvals.by.join(", "))).unwrap_or_default()
        }
        _ => whom.map(|whom| format!("{whom} answers")).unwrap_or_default(),
    };
    let since = run.started.unwrap_or(run.requested);
    Row {
        cells: vec![
            cell(state.text(), state.role),
            plain(run.id.to_string()),
            plain(format!("{} · {what}", run.request.runbook)),
            plain(format!("{done} of {all}")),
            plain(waits),
            plain(moment.ago(since).to_string()),
        ],
        below: Vec::new(),
    }
}

/// One run: where it stands, and what it waits for. `held_by` is as for `run::questions`.
pub fn status_of_run(
    run: &Run,
    far: &Far,
    held_by: Option<&Incident>,
    policy: Option<&Policy>,
    moment: &Moment,
) -> Page {
    match run.phase {
        Phase::Confirming => super::plan::offered(run, policy, moment),
        Phase::Approving => {
            super::run::live(run, far, moment).join(super::plan::waits_for_approval(run, policy, moment))
        }
        Phase::Ended(_) => super::run::ended(run, moment),
        _ => super::run::live(run, far, moment).join(super::run::questions(run, held_by, moment)),
    }
}

/// The plan of a run.
pub fn plan_of_run(run: &Run, long: bool, policy: Option<&Policy>, moment: &Moment) -> Page {
    let Some(offer) = &run.offer else {
        return Page::sentence(format!("Run {} has no plan.", run.id)).code("no-plan");
    };
    if long {
        return super::plan::long(offer, moment);
    }
    if run.phase == Phase::Confirming {
        return super::plan::offered(run, policy, moment);
    }
    super::plan::of_run(run, offer, policy, moment)
}

/// Who answers for a host.
pub fn who_owns(
    host: &str,
    owner: &str,
    on_duty: Option<&OnDuty>,
    escalates: &[String],
    cluster: Option<&str>,
    moment: &Moment,
) -> Page {
    let people = match on_duty {
        Some(duty) if duty.until.is_some() || !duty.people.is_empty() => super::duty::who(duty, moment),
        _ => "nobody has that role".to_owned(),
    };
    let cluster = cluster.map(|cluster| format!(", member of {cluster}")).unwrap_or_default();
    let mut fields = vec![("Owner", format!("{owner}: {people}"))];
    if !escalates.is_empty() {
        fields.push(("Then", escalates.join(", then ")));
    }
    Page::sentence(format!("{host}{cluster}")).fields(fields)
}

/// What a step printed, framed so that it cannot be taken for our words.
pub fn output(title: &str, streams: &[(String, Vec<String>)]) -> Page {
    let mut page = Page::new();
    if streams.is_empty() {
        return Page::sentence(format!("{title} printed nothing."));
    }
    for (head, lines) in streams {
        page = page.text(head.clone()).with(Block::Foreign(lines.clone()));
    }
    page.text("End of output.")
}

/// There is nothing to verify.
pub fn no_journal() -> Page {
    Page::sentence("Nothing has run yet: there is no journal, and nothing to verify.")
        .text("If something has run, look at the working directory, and at `journal` in steadyhand.toml.")
}

/// What is held by whom, for `status <cluster>`.
pub fn holds(resource: &str, run: Option<&Run>, moment: &Moment) -> Page {
    match run {
        None => Page::sentence(format!("{resource} is free.")),
        Some(run) => Page::sentence(format!(
            "{resource} is held by run {}, {}, {}, since {}.",
            run.id,
            run.request.runbook,
            run.request.by,
            moment.time(run.started.unwrap_or(run.requested))
        ))
        .next(format!("status {}", run.id), String::new()),
    }
}

/// A plan that was made only to be looked at, long.
pub fn long_look(offer: &Offer, moment: &Moment) -> Page {
    super::plan::long(offer, moment).text("This is a look: it asks for nothing and nothing will run.")
}
