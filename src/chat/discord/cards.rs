//! A run as a card, by where it stands; a question of it; what all see of what happened.

use std::collections::BTreeSet;

use super::card::{self, CHOICES, Card, TYPED, add_fields, of_page, row_lines};
use super::limits::{THREAD, cut, length};
use super::press::{Button, Style};
use super::safe;
use crate::chat::console::render::Style as Columns;
use crate::engine::Happened;
use crate::incident::Incident;
use crate::plan::model::{Block as PlanBlock, Offer, Unit, Work};
use crate::policy::Policy;
use crate::run::model::{Far, Phase, UnitState};
use crate::run::{Event, Run};
use crate::runbook::model::Effect;
use crate::runbook::source::name::Person;
use crate::wording::page::{Below, Block, Page, Role, Row, plain};
use crate::wording::plan::{self, count, lanes_of, listed};
use crate::wording::{Moment, discord as words, look, run as run_words};

/// The steps of a plan may take so much of a card; the rest is for who must agree, and for what is typed.
const STEPS: usize = 3_000;
/// A field of a plan card has at most so much: the whole plan is beside it.
const PLAN_FIELD: usize = 320;
/// What is read on a lock screen has at most so much.
const SENTENCE: usize = 400;

/// Said in place of the buttons that agree.
const TOO_LONG: &str = "Too long for chat to show whole. Confirm and approve it in the console.";

/// Something that stands beside what a run says of itself: a label, and a line.
pub type Beside = (&'static str, String);

/// A run as everybody sees it now. `people` is what is known of those who are told of it.
pub fn run_card(run: &Run, far: &Far, people: Vec<Beside>, policy: Option<&Policy>, moment: &Moment) -> Card {
    let mut card = match run.phase {
        Phase::Confirming | Phase::Approving => match &run.offer {
            Some(offer) => plan_card(run, offer, policy, moment),
            None => of_page(&run_words::live(run, far, moment), "run.txt"),
        },
        Phase::Ended(_) => {
            let mut card = of_page(&run_words::ended(run, moment).fields(people), "run.txt");
            card.buttons.extend(Button::of_line(&format!("journal show {}", run.id)));
            card
        }
        _ => {
            let page = run_words::live(run, far, moment).fields(people);
            let mut card = of_page(&page, "run.txt");
            card.buttons = steering(run);
            card
        }
    };
    card.content = sentence(run);
    card.footer = footer(run);
    card.silent = true;
    card
}

/// Where a run stands, for a lock screen.
fn sentence(run: &Run) -> String {
    cut(&safe::plain(&run_words::headline(run)), SENTENCE)
}

/// What a run that works can be told at any time.
fn steering(run: &Run) -> Vec<Button> {
    let id = run.id;
    let pause = if run.pause.is_some() { format!("resume {id}") } else { format!("pause {id}") };
    let stop = if run.stop.is_some() { format!("stop {id} now") } else { format!("stop {id}") };
    let whole = run.offer.is_some().then(|| format!("plan {id} --long"));
    let pause = (run.phase == Phase::Working && run.stop.is_none()).then_some(pause);
    pause.into_iter().chain(whole).chain([stop]).filter_map(|line| Button::of_line(&line)).collect()
}

/// `run 142 · plan 7c1e94b2 · failover-database @ 5e07c33`
fn footer(run: &Run) -> String {
    let plan = run.digest().map(|digest| format!(" · plan {}", digest.short())).unwrap_or_default();
    let commit = run.offer.as_ref().and_then(|offer| offer.commit.as_ref());
    let commit = commit.map(|commit| format!(" @ {commit}")).unwrap_or_default();
    format!("run {}{plan} · {}{commit}", run.id, run.request.runbook)
}

/// The name of the thread of a run.
pub fn thread_name(run: &Run) -> String {
    let on = run.plan().map(|plan| format!(" · {}", plan::target(plan))).unwrap_or_default();
    cut(&format!("run {} · {}{on}", run.id, run.request.runbook), THREAD)
}

/// The plan that is to be agreed to. Every step that cannot be taken back stands in it with all its hosts; what else does
/// not fit is counted. If even that is too much, nobody can agree here.
fn plan_card(run: &Run, offer: &Offer, policy: Option<&Policy>, moment: &Moment) -> Card {
    let page = match run.phase {
        Phase::Confirming => plan::offered(run, policy, moment),
        _ => plan::of_run(run, offer, policy, moment),
    };
    let steps = steps_whole(offer);
    let is_whole = steps.is_some();
    let (fields, sentences) = parts(&page);
    let (state, title) = head(&page);
    let mut all = Vec::new();
    add_fields(&mut all, &fields);
    all.retain(|(name, _)| name != "From");
    for (_, text) in &mut all {
        *text = cut(text, PLAN_FIELD);
    }
    let agree: Vec<Button> = if is_whole { Button::of_page(&page) } else { Vec::new() };
    let mut typed: Vec<String> = Vec::new();
    for block in &page.blocks {
        if let (Block::Next { commands, note }, true) = (block, is_whole) {
            let commands: Vec<String> = commands.iter().map(|line| safe::code(line)).collect();
            typed.push(format!("{} ({})", commands.join(" · "), safe::plain(note)));
        }
    }
    if !typed.is_empty() {
        all.push((TYPED.to_owned(), typed.join("\n")));
    }
    let mut text: Vec<String> = sentences;
    if !run.request.reason.is_empty() {
        let asked = format!("Asked by {}: \"{}\"", run.request.by, run.request.reason);
        text.push(cut(&safe::plain(&asked), PLAN_FIELD));
    }
    let id = run.id;
    let refuse = (run.phase == Phase::Approving).then(|| format!("refuse {id} \"why\""));
    let others = [format!("plan {id} --long"), format!("stop {id}")];
    let more = refuse.into_iter().chain(others).filter_map(|line| Button::of_line(&line));
    let mut card = Card {
        title,
        text: text.join("\n"),
        bar: Some(if offer.plan.point_of_no_return().is_some() { Role::Attention } else { state }),
        fields: all,
        buttons: agree.into_iter().chain(more).collect(),
        ..Card::default()
    };
    card.buttons.sort_by_key(|button| button.style == Style::Danger);
    let name = format!("plan-{id}-{}.txt", offer.digest.short());
    let whole = Columns::PIPE.page(&look::plan_of_run(run, true, policy, moment));
    card.file = Some((name.clone(), whole.clone()));
    card::fit(&mut card, &name, &whole, steps.as_deref().unwrap_or(TOO_LONG));
    card
}

/// Whether a card shows all that cannot be taken back. Only then may anybody agree to it in a chat.
pub fn is_shown_whole(offer: &Offer) -> bool {
    steps_whole(offer).is_some()
}

type Fields = Vec<(String, Vec<crate::wording::page::Span>)>;

/// The fields of a plan, and its sentences, without what is only for a terminal.
fn parts(page: &Page) -> (Fields, Vec<String>) {
    let (mut fields, mut sentences) = (Vec::new(), Vec::new());
    for block in &page.blocks {
        match block {
            Block::Fields(more) => fields.extend(more.clone()),
            Block::Text(spans) => {
                let text: String = spans.iter().map(|span| span.text.as_str()).collect();
                if !text.starts_with("Or: ") {
                    sentences.push(safe::plain(&text));
                }
            }
            _ => {}
        }
    }
    (fields, sentences)
}

fn head(page: &Page) -> (Role, String) {
    let head = page.blocks.iter().find_map(|block| match block {
        Block::Head { state, about, .. } => Some((state.role, card::titled(*state, about))),
        _ => None,
    });
    head.unwrap_or((Role::Active, String::new()))
}

/// The steps in a fence; none if those that cannot be taken back are too many for it.
fn steps_whole(offer: &Offer) -> Option<String> {
    let table = plan::steps(offer);
    // What must be shown, and what may be counted: the number of its step with it.
    let mut rows: Vec<(bool, u32, Vec<String>)> = Vec::new();
    for ((unit, _, _), row) in listed(&offer.plan).iter().zip(&table.rows) {
        let must = unit.step().is_some_and(|step| step.effect == Effect::Irreversible);
        let row = if must { with_all_hosts(offer, unit, row) } else { row.clone() };
        let mut lines = row_lines(&row);
        // A line between steps is never counted away.
        let rule = row.below.iter().find_map(|below| match below {
            Below::Rule(text) => Some(text.clone()),
            _ => None,
        });
        lines.retain(|line| Some(line) != rule.as_ref());
        rows.push((must, unit.number, lines));
        rows.extend(rule.map(|rule| (true, unit.number, vec![rule])));
    }
    let fenced = |rows: &[(bool, u32, Vec<String>)]| {
        let lines: Vec<String> = rows.iter().flat_map(|(_, _, lines)| lines).cloned().collect();
        Some(safe::fence(&lines)).filter(|fence| length(fence) <= STEPS)
    };
    fenced(&rows).or_else(|| {
        let mut folded: Vec<(bool, u32, Vec<String>)> = Vec::new();
        for group in rows.chunk_by(|a, b| !a.0 && !b.0) {
            match group {
                [first, .., last] => {
                    let steps = count(group.len(), "step");
                    let line = format!("  … {} to {}: {steps}, none is final", first.1, last.1);
                    folded.push((false, first.1, safe::wrapped(&line, 5)));
                }
                few => folded.extend(few.iter().cloned()),
            }
        }
        fenced(&folded)
    })
}

/// The row of a step with every host by its name.
fn with_all_hosts(offer: &Offer, unit: &Unit, row: &Row) -> Row {
    let block = offer.plan.blocks.iter().find_map(|block| match block {
        PlanBlock::Each(each) if each.titles.contains_key(&unit.number) => Some(each),
        _ => None,
    });
    let Some(each) = block else { return row.clone() };
    let hosts: Vec<String> = lanes_of(each, unit.number).iter().map(|(host, _)| host.to_string()).collect();
    let mut row = row.clone();
    if let Some(cell) = row.cells.get_mut(2) {
        *cell = plain(hosts.join(" "));
    }
    row
}

/// What a run waits for somebody to say, as a message of its own; none if it waits for nobody. `held_by` is the incident of
/// those who must know before it begins.
pub fn question_card(run: &Run, held_by: Option<&Incident>, moment: &Moment) -> Option<Card> {
    let page = run_words::questions(run, held_by, moment);
    if page.blocks.is_empty() {
        return None;
    }
    let mut card = of_page(&page, "question.txt");
    if card.text.is_empty() {
        // Above it stands where the run is; what is asked is more than that.
        card.text = std::mem::take(&mut card.content);
    }
    let code = page.refusal_code().map(|code| format!(" · code: {code}")).unwrap_or_default();
    card.footer = format!("{}{code}", footer(run));
    card.content = sentence(run);
    Some(card)
}

/// Those who are asked: the roles that a step asks, else who drives the run; and first those that are asked because the
/// others were silent.
pub fn asked(run: &Run, policy: Option<&Policy>) -> Vec<Person> {
    if let Some(undo) = run.undo.as_ref().filter(|undo| undo.token.is_some()) {
        return vec![undo.by.clone()];
    }
    let holders = |roles: &[String]| policy.map(|policy| policy.holders(roles)).unwrap_or_default();
    let first = run.questions().next().map(|(at, _)| at);
    let next = first.as_ref().and_then(|at| run.asked_next.get(at)).map(|roles| holders(roles));
    let of_step = first.as_ref().and_then(|at| match (run.units.get(at)?, &run.unit(at)?.work) {
        (UnitState::Asked { .. }, Work::Decide(decide)) => Some(holders(&decide.ask)),
        _ => None,
    });
    let at_first = of_step.filter(|people| !people.is_empty()).unwrap_or_else(|| vec![run.driver.clone()]);
    let mut people: Vec<Person> = next.unwrap_or_default();
    people.extend(at_first);
    let mut seen = BTreeSet::new();
    people.retain(|person| seen.insert(person.clone()));
    people
}

/// A question that was answered, or that is asked no more: it stays, and nothing can be pressed.
pub fn closed(card: &Card, how: &str) -> Card {
    let is_asked = |name: &str| [TYPED, CHOICES].contains(&name);
    let fields = card.fields.iter().filter(|(name, _)| !is_asked(name)).cloned().collect();
    Card {
        buttons: Vec::new(),
        fields,
        bar: Some(Role::Quiet),
        pings: Vec::new(),
        content: format!("{} {}", card.content, safe::plain(how)),
        ..card.clone()
    }
}

/// What happened, as one line in the thread; nothing for what is not worth one.
pub fn line(happened: &Happened, moment: &Moment) -> Option<String> {
    let time = moment.second(happened.stamped.at);
    if let Some(decision) = words::decision(&happened.stamped) {
        return Some(format!("{time} · {}", safe::plain(&decision)));
    }
    if matches!(happened.stamped.event, Event::StepSent { .. } | Event::GateEntered { .. }) {
        // The card says what works; the thread, what came of it.
        return None;
    }
    let (fields, sentence) = run_words::event_line(&happened.run, &happened.stamped)?;
    let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let step = field("step").map(|step| {
        let host = field("host").map(|host| format!(" {host}")).unwrap_or_default();
        format!("{step}{host} · ")
    });
    let state = field("state").map(|state| format!("{state} · ")).unwrap_or_default();
    let took = field("took").map(|took| format!(" {took}.")).unwrap_or_default();
    Some(format!("{time} · {}{}", step.unwrap_or_default(), safe::plain(&format!("{state}{sentence}{took}"))))
}
