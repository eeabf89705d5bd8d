//! Every way of saying no: what happened, why, what to do next, and a stable code.

use jiff::Timestamp;

use super::moment::Moment;
use super::page::{Block, Page, plain};
use super::plan::{approvers, count};
use crate::plan::Resource;
use crate::plan::bind::WrongValue;
use crate::policy::Policy;
use crate::policy::decide::{Denial, Door};
use crate::run::input::Refusal;
use crate::run::model::{Outcome, Phase, Requested};
use crate::run::{Run, RunId, UnitAt};
use crate::runbook::source::hidden::{code_point, shortened, visible};
use crate::runbook::source::name::{Person, RunbookName};
use crate::runbook::source::nearest::nearest;
use crate::runbook::source::problem::Problem;

/// What somebody typed, in backticks: visible, and cut where it is longer than any name.
pub fn quoted(typed: &str) -> String {
    const LONGEST: usize = 60;
    format!("`{}`", shortened(&visible(typed), LONGEST))
}

/// There is no such run, or the speaker may not know of it.
pub fn unknown_run(id: RunId) -> Page {
    Page::sentence(format!("There is no run {id}."))
        .next("status", "shows the runs that are open")
        .code("unknown-run")
}

/// Values are not right; nothing was measured.
pub fn wrong_values(runbook: &RunbookName, wrong: &[WrongValue]) -> Page {
    let what = match wrong.len() {
        1 => "One value is not right, so nothing was measured.".to_owned(),
        n => format!("{} values are not right, so nothing was measured.", capital(&number_word(n))),
    };
    let fields = wrong
        .iter()
        .map(|wrong| (shortened(&visible(&wrong.name), 60), plain(visible(&wrong.what))))
        .collect();
    Page::sentence(what)
        .with(Block::Fields(fields))
        .next(format!("show {runbook}"), "or press Up and correct")
        .code("bad-parameters")
}

/// A resource is held by another run; nothing was measured.
pub fn held(resource: &Resource, by: &Run, since: Timestamp, moment: &Moment) -> Page {
    let (done, all) = by.steps_done();
    Page::sentence(format!(
        "Refused: {resource} is held by run {}, {}, {}, since {}. It has done {done} of {all} steps. Nothing was measured.",
        by.id,
        by.request.runbook,
        by.request.by,
        moment.time(since),
    ))
    .next(
        format!("status {}", by.id),
        format!("or ask {}. A hold cannot be taken by force: stop its run", by.driver),
    )
    .code("held")
}

/// The plan had to be made anew before an agreement could be taken.
pub fn made_anew(run: &Run, changes: &[String], moment: &Moment) -> Page {
    if run.is_ended() {
        let why: Vec<_> = run.remarks.iter().map(|why| visible(why)).collect();
        return Page::sentence(format!(
            "Not agreed: run {} has no plan any more, and is closed. Nothing ran.",
            run.id
        ))
        .text(why.join(" "))
        .code("plan-changed");
    }
    plan_changed(run, changes, moment)
}

/// The plan is another one than was agreed to.
pub fn plan_changed(run: &Run, changes: &[String], moment: &Moment) -> Page {
    let digest = run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default();
    let mut page = Page::sentence(format!(
        "Not started: the plan of run {} changed at {}. All agreements are void, nothing ran.",
        run.id,
        moment.second(moment.now)
    ));
    let why = if changes.is_empty() {
        "a file that it was made from changed".to_owned()
    } else {
        changes.join(" ")
    };
    page = page.fields(vec![("Why", visible(&why)), ("Now", format!("plan {digest}"))]);
    if let Some(token) = &run.token {
        page = page.next(
            format!("plan {}", run.id),
            format!(
                "read it, then {} types confirm {} {} until {}",
                run.request.by,
                run.id,
                token.text,
                moment.with_distance(token.expires)
            ),
        );
    }
    page.code("plan-changed")
}

/// There is no such person.
pub fn unknown_person(name: &Person, people: &[Person]) -> Page {
    unknown_name(name.as_str(), people)
}

/// There is no person of that name.
pub fn unknown_name(name: &str, people: &[Person]) -> Page {
    let people: Vec<_> = people.iter().map(ToString::to_string).collect();
    Page::sentence(format!(
        "There is no {} here. There are: {}. Nothing changed.",
        quoted(name),
        people.join(", ")
    ))
    .code("unknown-person")
}

/// Too much is being said to a run at once.
pub fn busy(id: RunId) -> Page {
    Page::sentence(format!("Run {id} is still busy with what others said to it. Nothing was done."))
        .text("Next: say it again.")
        .code("busy")
}

/// What the policy says.
pub fn denied(denial: &Denial) -> Page {
    match denial {
        Denial::NoPolicy(why) => {
            Page::sentence(format!("Refused: {why}, and without a policy nobody may do anything. Nothing was done."))
                .next("steadyhand check", "in a shell, shows what is wrong")
                .code("no-policy")
        }
        Denial::NoPerson(account) => Page::sentence(format!(
            "You have no role here: the account `{}` belongs to nobody. Nothing was done. Next: ask those who run steadyhand.",
            visible(account)
        ))
        .code("no-role"),
        Denial::DoorClosed(door) => {
            let how = match door {
                Door::Console => "doors: { console: {} }",
                Door::Discord | Door::Link => "doors: { discord: { server: \"…\", channels: [\"…\"] } }",
            };
            Page::sentence(format!("Refused: the policy takes no commands from the {}. Nothing was done.", door_name(*door)))
                .text(format!("Next: `{how}` in policy.yaml opens it."))
                .code("door-closed")
        }
        Denial::WrongPlace(_) => Page::sentence("Refused: commands are not taken in this place. Nothing was done.")
            .text("Next: the channels that the policy names.")
            .code("wrong-place"),
        Denial::NoRole { deed, needs, has, next } => {
            let has = if has.is_empty() { "have none".to_owned() } else { format!("have {}", has.join(", ")) };
            let next: Vec<_> = next.iter().map(ToString::to_string).collect();
            let next = if next.is_empty() { "nobody has it; ask those who keep the policy".to_owned() } else { next.join(", ") };
            let role = "the role";
            Page::sentence(format!("Refused: {} needs {role} {}; you {has}. Nothing changed.", lower(deed), needs.join(" or ")))
                .text(format!("Next: {next}."))
                .code("no-role")
        }
        Denial::RoleUnknown { deed, why } => Page::sentence(format!(
            "Refused: your roles could not be checked. {} needs one, and {}. Nothing changed.",
            deed,
            visible(why)
        ))
        .text("Next: try again, or ask those who keep the policy.")
        .code("role-unknown"),
    }
}

const fn door_name(door: Door) -> &'static str {
    match door {
        Door::Console => "console",
        Door::Discord => "Discord server",
        Door::Link => "link of a notice",
    }
}

/// There is no such runbook. `runbooks` are the names that the speaker may know.
pub fn unknown_runbook(name: &str, runbooks: &[String]) -> Page {
    let names = runbooks.iter().map(String::as_str);
    let page = Page::sentence(match nearest(name, names) {
        Some(near) => {
            format!("{} is not a runbook. Nearest: `{near}`. Nothing was measured.", quoted(name))
        }
        None => format!("{} is not a runbook. Nothing was measured.", quoted(name)),
    });
    match nearest(name, runbooks.iter().map(String::as_str)) {
        Some(near) => page.next(format!("show {near}"), String::new()),
        None => page.next("runbooks", String::new()),
    }
    .code("unknown-runbook")
}

/// What the run says.
#[expect(clippy::too_many_lines, reason = "a table: one case a refusal")]
pub fn of_run(refusal: &Refusal, run: &Run, policy: Option<&Policy>, moment: &Moment) -> Page {
    let id = run.id;
    let page = match refusal {
        Refusal::NotYourRun { waits_for } => {
            let page = Page::sentence(format!(
                "Not done: run {id} waits for {waits_for}, not for you. Nothing changed."
            ));
            match run.phase {
                Phase::Undoing => page.next(format!("stop {id}"), "if it should not be taken back"),
                Phase::Working => page.next(format!("take {id}"), "if you are to answer for it from now on"),
                _ => page.next(format!("refuse {id} \"why\""), "if it should not run"),
            }
        }
        Refusal::OwnRun { asked_by } => {
            let people = run.plan().map(|plan| approvers(&plan.approvals, asked_by, policy));
            Page::sentence(format!(
                "Not approved: {asked_by} asked for run {id}, and another person must agree. Nothing changed."
            ))
            .text(format!("Next: {}.", people.unwrap_or_default()))
        }
        Refusal::BadToken { tries, odd } => {
            let odd = odd.map_or_else(String::new, |(at, c)| {
                format!(" Character {at} is {}, which is not what it looks like.", code_point(c))
            });
            Page::sentence(format!(
                "Not confirmed: the token is not right (try {tries} of 3).{odd} Type it, do not paste it."
            ))
            .next(format!("plan {id}"), "shows it again")
        }
        Refusal::TokensSpent => {
            Page::sentence(format!("x stopped: three wrong tokens for run {id}. Nothing ran."))
                .next(again(run), "makes a new plan")
        }
        Refusal::Ended { outcome } => Page::sentence(format!(
            "This request has ended: run {id} {} at {}. Nothing was done.",
            ended_how(*outcome),
            run.ended.map(|at| moment.time(at)).unwrap_or_default()
        ))
        .next(format!("status {id}"), String::new()),
        Refusal::Again { what, by, at } => {
            Page::sentence(format!("Already {what} by {by} at {}. Nothing more was done.", moment.time(*at)))
        }
        Refusal::OldPlan { typed, now } => Page::sentence(format!(
            "Not approved: {} is not the plan of run {id}. Its plan is {} now. Nothing changed.",
            quoted(typed),
            now.short()
        ))
        .next(format!("plan {id}"), "read it before you approve it"),
        Refusal::NotNow { what, because } => {
            Page::sentence(format!("Not {what}: run {id}, because {because}. Nothing changed."))
                .next(format!("status {id}"), String::new())
        }
        Refusal::NoSuchStep { number, hosts } => {
            let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            let page = if hosts.is_empty() {
                Page::sentence(format!("Run {id} has no step {number} on that host. Nothing changed."))
            } else if let [one] = hosts.as_slice() {
                Page::sentence(format!("Step {number} of run {id} is there for {one} only. Nothing changed."))
            } else {
                let hosts = hosts.join(", ");
                Page::sentence(format!(
                    "Step {number} of run {id} runs on several hosts. Name one of them: {hosts}. Nothing changed."
                ))
            };
            page.next(format!("status {id}"), String::new())
        }
        Refusal::NotAsked { unit, what, because } => Page::sentence(format!(
            "Not {what}: {} of run {id}, because {because}. Nothing changed.",
            step(unit)
        ))
        .next(format!("status {id}"), String::new()),
        Refusal::Stale { unit, attempt, now } => Page::sentence(format!(
            "Not taken: it answers attempt {attempt} of {} of run {id}, and attempt {now} is asked about. Nothing changed.",
            step(unit)
        ))
        .text(format!("Look at what happened since. An answer to it says attempt={now} behind the step and host."))
        .next(format!("status {id}"), String::new()),
        Refusal::NothingToUndo { past } => match past {
            Some(past) => Page::sentence(format!(
                "Nothing can be taken back: {} is past the point of no return. Nothing changed.",
                step(past)
            ))
            .next(format!("status {id}"), String::new()),
            None => Page::sentence(format!(
                "Nothing of run {id} has to be taken back: no step has succeeded. Nothing changed."
            )),
        },
        Refusal::TooManyFailures { allowed } => Page::sentence(format!(
            "Not skipped: the runbook allows {} to fail here. Nothing changed.",
            count(*allowed, "host")
        ))
        .next(format!("stop {id}"), String::new()),
        Refusal::TooShort { what, needs } => Page::sentence(format!(
            "Not taken: say {what} in {needs} characters or more. It is recorded. Nothing changed."
        )),
        Refusal::NeedsCommander { why } => Page::sentence(format!(
            "Not approved: {} Nothing changed.",
            visible(why)
        ))
        .text(format!(
            "Next: {}.",
            run.plan().map_or_else(String::new, |plan| approvers(&plan.approvals, &run.request.by, policy))
        )),
    };
    page.code(refusal.code())
}

/// The line that asks for the same once more; the reason is a new one.
pub fn again(run: &Run) -> String {
    asked_again(&run.request)
}

/// The line that asks for this; the reason is a new one.
pub fn asked_again(request: &Requested) -> String {
    let quoted = |text: &str| format!("\"{}\"", visible(text).replace('"', "\\\""));
    let mut line = format!("run {}", request.runbook);
    for (name, value) in &request.arguments {
        let value = if value.contains([' ', '"']) { quoted(value) } else { visible(value) };
        line = line + " " + name + "=" + &value;
    }
    line + " reason=\"…\""
}

/// `step 4 on pg3`
pub fn step(unit: &UnitAt) -> String {
    match &unit.lane {
        Some(lane) => format!("step {} on {lane}", unit.number),
        None => format!("step {}", unit.number),
    }
}

/// How a run ended, behind "run 142".
pub const fn ended_how(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::WithIssues => "ended with issues",
        Outcome::Undone => "was undone",
        Outcome::Stopped => "was stopped",
        Outcome::Refused => "was refused",
        Outcome::Expired => "expired",
        Outcome::Stuck => "ended stuck",
    }
}

/// Files of the folder have problems.
pub fn runbooks_broken(problems: &[Problem]) -> Page {
    let page = match problems.first() {
        Some(first) => Page::sentence(format!(
            "The folder of runbooks has {}, so nothing is done with it. The first: {}:{}: {}.",
            count(problems.len(), "problem"),
            first.place.file,
            first.place.span.line,
            visible(&first.message)
        )),
        None => Page::sentence("The folder of runbooks holds no inventory, so nothing can be done with it."),
    };
    page.next("steadyhand check", "in a shell, shows all of them").code("runbooks-broken")
}

/// The folder cannot be read.
pub fn runbooks_unreadable(why: &str) -> Page {
    Page::sentence(format!("The folder of runbooks cannot be used: {}.", visible(why)))
        .text("Next: look at the folder and at the configuration.")
        .code("runbooks-unreadable")
}

/// The journal certainly did not take it.
pub fn not_written(why: &str) -> Page {
    Page::sentence(format!("{}. Nothing was done, because nothing runs unrecorded.", capital(&visible(why))))
        .text("Next: make room or give access, then say it again.")
        .code("journal-not-written")
}

/// Nobody knows whether the journal took it.
pub fn journal_fault(why: &str) -> Page {
    Page::sentence(format!("Whether this was recorded is not known: {}.", visible(why)))
        .text("The bot ends now; when it starts again it looks.")
        .code("journal-fault")
}

/// The journal cannot be read.
pub fn journal_unreadable(why: &str) -> Page {
    Page::sentence(capital(&format!("{}.", visible(why)))).code("journal-unreadable")
}

fn number_word(n: usize) -> String {
    const WORDS: [&str; 10] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    WORDS.get(n).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

/// The text with its first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
