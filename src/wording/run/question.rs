//! Everything that a run waits for a person to say, with the consequence of each answer.

use super::events::{door_words, failure_words};

use crate::incident::Incident;
use crate::plan::model::{Block as PlanBlock, CheckSeen, Undo, Work};
use crate::run::model::{AskedAfter, Failure, LogTail, Phase, UndoStep, UnitState};
use crate::run::next::silence;
use crate::run::{Run, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::wording::incident::of_run;
use crate::wording::moment::Moment;
use crate::wording::page::{Block, Page, Row, State, Table, plain};
use crate::wording::plan::{seen_row, steps_of};
use crate::wording::refusal::step as step_words;
use crate::wording::states;

/// So many questions are put at once; a terminal has 24 rows.
const ASKED_AT_ONCE: usize = 5;

/// Everything that the run waits for a person to say: one question after the other. `held_by` is the incident of those who
/// must know before it begins, where it is known.
pub fn questions(run: &Run, held_by: Option<&Incident>, moment: &Moment) -> Page {
    match run.phase {
        Phase::Undoing => undo_question(run, moment),
        Phase::Working => {
            let pages = run.questions().take(ASKED_AT_ONCE);
            let pages = pages.map(|(at, state)| question(run, &at, state, moment));
            let page = pages.fold(Page::new(), Page::join);
            let more: Vec<UnitAt> = run.questions().skip(ASKED_AT_ONCE).map(|(at, _)| at).collect();
            let page = if more.is_empty() {
                page
            } else {
                page.text(format!("After these there are {} more: {}.", more.len(), steps_of(&more)))
            };
            let page = run.broken.iter().fold(page, |page, (watch, (seen, ends))| {
                let what = if *ends { "a watch broke, and nothing new begins" } else { "halted by a watch" };
                let whom =
                    watch.unit.as_ref().map(|unit| format!(" {}", step_words(unit))).unwrap_or_default();
                page.head(states::PAUSED, vec![format!("run {}{whom}", run.id), what.to_owned()], "")
                    .with(seen_rows(std::slice::from_ref(seen)))
                    .text("It goes on by itself when that holds again; for that nothing has to be typed.")
                    .with(Block::Choices(vec![(
                        format!("stop {} now", run.id),
                        "ends what works, and begins nothing more".to_owned(),
                    )]))
            });
            if let Some(pause) = run.pause.as_ref().filter(|_| page.blocks.is_empty()) {
                let why =
                    if pause.why.is_empty() { String::new() } else { format!(" {}", visible(&pause.why)) };
                return Page::sentence(format!("Run {} waits: nothing works. The hold stays.{why}", run.id))
                    .next(format!("resume {}", run.id), format!("goes on; or stop {}", run.id));
            }
            if let Some(incident) = held_by.filter(|_| run.waits_to_be_known()) {
                return page.join(of_run::held_back(run, incident, moment));
            }
            if run.waits_to_be_known() {
                let who = states::who_must_know(run);
                let waits = format!("Run {} waits until {who} has said that they know.", run.id);
                return page.join(
                    Page::sentence(format!("{waits} Nothing is changed before that; the hold stays."))
                        .next("incident list", "shows which; then incident ack inc-…")
                        .next(format!("stop {}", run.id), "ends it, and nothing was changed"),
                );
            }
            page
        }
        _ => Page::new(),
    }
}

/// A unit about which people are asked.
struct Asked<'a> {
    run: &'a Run,
    at: &'a UnitAt,
    title: String,
    /// Number of the run, number of the step, host: what is typed behind a verb.
    typed: String,
    /// What is typed behind that: after which attempt people are asked, from the second on.
    attempt: String,
    /// What silence means, and who is asked then.
    silence: String,
}

/// Silence never answers; after a while somebody else is asked too.
fn silence_words(run: &Run, at: &UnitAt, moment: &Moment) -> String {
    let next = silence(run).into_iter().find(|(about, ..)| about == at);
    let next = next.map(|(_, role, when)| format!(" {role} is asked too at {}.", moment.time(when)));
    let unknown = matches!(run.units.get(at), Some(UnitState::Unknown { .. }));
    let waits =
        if unknown { format!("run {} keeps its hold and waits", run.id) } else { "nothing runs".to_owned() };
    format!("No answer: {waits}.{}", next.unwrap_or_default())
}

/// ` attempt=2`, from the second attempt on and for every undo: an answer to another one is not taken for an answer to
/// this.
fn attempt_of(run: &Run, at: &UnitAt) -> String {
    match run.asked_about(at) {
        None | Some(AskedAfter::Step(1)) => String::new(),
        Some(attempt) => format!(" attempt={attempt}"),
    }
}

fn question(run: &Run, at: &UnitAt, state: &UnitState, moment: &Moment) -> Page {
    let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
    let typed = format!("{} {}{}", run.id, at.number, address(run, at));
    let asked = Asked {
        run,
        at,
        title,
        typed,
        attempt: attempt_of(run, at),
        silence: silence_words(run, at, moment),
    };
    match state {
        UnitState::Asked { at: since, seen, .. } => {
            decide_question(run, at, (*since, seen), &asked.title, moment)
        }
        UnitState::Shut { failed, .. } => asked.at_the_door(failed),
        UnitState::Failed { failure, .. } => asked.failed(failure, state.attempts() + 1),
        UnitState::Unknown { why, sent_at, found, .. } => {
            asked.unknown(why, &moment.second(*sent_at), found.as_deref().unwrap_or_default())
        }
        UnitState::Withheld { .. } => asked.withheld(),
        UnitState::Overdue { failed, .. } => asked.overdue(failed),
        _ => Page::new(),
    }
}

impl Asked<'_> {
    /// The line that must be enough by itself.
    fn head(&self, state: State, what: impl Into<String>) -> Page {
        let step = format!("run {} {}", self.run.id, step_words(self.at));
        Page::new().head(state, vec![step, self.title.clone(), what.into()], "")
    }

    /// The choices of this question, and those that are always there.
    fn choices(&self, options: Vec<(String, String)>) -> Page {
        Page::new().with(Block::Choices(choices(self.run, self.at, options))).join(contingency(self.run))
    }

    fn at_the_door(&self, failed: &[CheckSeen]) -> Page {
        let retry = format!("retry {}{}", self.typed, self.attempt);
        self.head(states::AWAITING, door_words(self.run, self.at))
            .with(seen_rows(failed))
            .join(self.choices(vec![(retry, "measures again; sends it only if the checks hold".to_owned())]))
            .text(self.silence.clone())
            .code("at-the-door")
    }

    fn failed(&self, failure: &Failure, next_attempt: u32) -> Page {
        let (typed, attempt) = (&self.typed, &self.attempt);
        let why = format!("{}.", failure_words(failure));
        let mut page = self.head(states::FAILED, "").fields(vec![("Why", why)]);
        let mut options = Vec::new();
        match failure {
            Failure::Exit { output, .. } => {
                let lines = if output.err.bytes > 0 { output.err.excerpt(8) } else { output.out.excerpt(8) };
                if !lines.is_empty() {
                    page = page.with(Block::Foreign(lines));
                }
            }
            Failure::NotProven(failed) => {
                page = page.with(seen_rows(failed));
                let again = "asks what must be true again; sends nothing".to_owned();
                options.push((format!("ask {typed}"), again));
            }
            Failure::WatchBroke(seen) => page = page.with(seen_rows(std::slice::from_ref(seen))),
            Failure::Unreachable(_) => {}
        }
        page = match self.run.logs.get(self.at) {
            Some(log) => page.join(log_words(log)),
            None => page,
        };
        options
            .push((format!("retry {typed}{attempt}"), format!("sends it again, as attempt {next_attempt}")));
        if let (Some(lane), Some(block @ PlanBlock::Each(each))) = (&self.at.lane, self.run.block_of(self.at))
            && self.run.failed_lanes(block) < each.failures
        {
            options.push((format!("skip {typed}{attempt} \"why\""), format!("goes on without {lane}")));
        }
        page.join(self.choices(options)).text(self.silence.clone()).code("step-failed")
    }

    fn unknown(&self, why: &str, sent_at: &str, found: &[CheckSeen]) -> Page {
        let (typed, attempt) = (&self.typed, &self.attempt);
        let options = vec![
            (format!("ask {typed}"), "asks again; sends nothing".to_owned()),
            (
                format!("settle {typed} done{attempt} \"how you know\""),
                "goes on with the next step".to_owned(),
            ),
            (
                format!("settle {typed} not-done{attempt} \"how you know\""),
                "goes back to its door; it is sent again only after a new approval".to_owned(),
            ),
        ];
        self.head(states::UNKNOWN, visible(why))
            .fields(vec![
                ("Known", format!("the step was sent at {sent_at}")),
                ("Not known", "whether the command ended, and how".to_owned()),
            ])
            .with(seen_rows(found))
            .join(self.choices(options))
            .text(self.silence.clone())
            .code("step-unknown")
    }

    fn withheld(&self) -> Page {
        let digest = self.run.digest().map(|digest| digest.short().to_owned()).unwrap_or_default();
        let step = self.typed.split_once(' ').map_or("", |(_, step)| step);
        let approve = format!("approve {} {digest} {step}", self.run.id);
        self.head(states::AWAITING, "it was not done, and is sent again only after a new approval")
            .join(self.choices(vec![(approve, "by another person: goes back to its door".to_owned())]))
            .text(self.silence.clone())
            .code("withheld")
    }

    fn overdue(&self, failed: &[CheckSeen]) -> Page {
        let retry = format!("retry {}{}", self.typed, self.attempt);
        self.head(states::OVERDUE, "its time is over")
            .with(seen_rows(failed))
            .join(self.choices(vec![(retry, "waits as long again".to_owned())]))
            .text(self.silence.clone())
            .code("gate-overdue")
    }
}

/// The end of the log of the system, framed as what it is: text from a host.
fn log_words(log: &LogTail) -> Page {
    let path = visible(&log.path);
    let page = match &log.why_not {
        Some(why) => {
            return Page::new().fields(vec![("Log", format!("{path} could not be read: {}.", visible(why)))]);
        }
        None => Page::new().fields(vec![("Log", format!("The end of {path}:"))]),
    };
    page.with(Block::Foreign(log.lines.iter().map(|line| visible(line)).collect()))
}

fn seen_rows(seen: &[CheckSeen]) -> Block {
    Block::Table(Table { rows: seen.iter().map(seen_row).collect(), ..Table::default() })
}

/// What is typed behind the number of a step: the host, where the step has several.
fn address(run: &Run, at: &UnitAt) -> String {
    let host = at.lane.as_ref().map(ToString::to_string);
    let host = host.or_else(|| run.step(at).map(|step| step.command.host.to_string()));
    host.map(|host| format!(" {host}")).unwrap_or_default()
}

/// The choices that are always there: undo, as far as it goes, and stop. What may have done something without having
/// succeeded is taken back too, if that is said.
fn choices(run: &Run, at: &UnitAt, mut options: Vec<(String, String)>) -> Vec<(String, String)> {
    let id = run.id;
    let back = run.can_undo(None);
    let with_it = run.can_undo(Some(at.number));
    if with_it.len() > back.len() {
        options.push((
            format!("undo {id} including={}", at.number),
            format!("takes back {}", steps_of(&with_it)),
        ));
    }
    if back.is_empty() {
        if let Some(past) = run.past_no_return() {
            let how = if with_it.is_empty() { "not possible" } else { "no further" };
            options.push((
                "undo".to_owned(),
                format!("{how}: {} is past the point of no return", step_words(past)),
            ));
        }
    } else {
        options.push((format!("undo {id}"), format!("takes back {}", steps_of(&back))));
    }
    options.push((format!("stop {id}"), "leaves it so; the hold is released".to_owned()));
    options
}

/// The runbook to turn to: a run of its own, with a plan of its own, once this one lets go of what it holds.
fn contingency(run: &Run) -> Page {
    let turn_to = run.offer.as_ref().and_then(|offer| offer.beside.turn_to.as_ref());
    let words = |turn_to: &String| vec![("Or", format!("stop {}, and then {}", run.id, visible(turn_to)))];
    Page::new().fields(turn_to.map(words).unwrap_or_default())
}

fn decide_question(
    run: &Run,
    at: &UnitAt,
    (since, seen): (jiff::Timestamp, &[CheckSeen]),
    title: &str,
    moment: &Moment,
) -> Page {
    let Some(Work::Decide(decide)) = run.unit(at).map(|unit| &unit.work) else { return Page::new() };
    let id = run.id;
    let until = crate::run::next::after(since, decide.within);
    let host = at.lane.as_ref().map(|lane| format!(" {lane}")).unwrap_or_default();
    let about = vec![format!("run {id} {}", step_words(at)), title.to_owned()];
    let page = Page::new().head(states::AWAITING, about, format!("for {}", decide.ask.join(", ")));
    measured_again(page, seen)
        .with(Block::Choices(vec![
            (format!("answer {id} {}{host} go-on", at.number), visible(&decide.go_on)),
            (format!("answer {id} {}{host} stop", at.number), visible(&decide.stop)),
        ]))
        .text(if until > moment.now {
            format!(
                "Asked until {}. Silence is never a yes: then it still waits.",
                moment.with_distance(until)
            )
        } else {
            format!("Its time was over at {}. Silence is never a yes: it still waits.", moment.time(until))
        })
}

/// What is asked again beside a question: how much of it holds, and all that does not.
fn measured_again(page: Page, seen: &[CheckSeen]) -> Page {
    let checks = || seen.iter().filter(|seen| !seen.warns);
    if checks().count() == 0 {
        return page;
    }
    let hold = checks().filter(|seen| seen.holds()).count();
    let page = page.text(format!("Measured again: {hold} of {} checks hold.", checks().count()));
    let warnings = seen.iter().filter(|seen| seen.warns && !seen.holds());
    let page = warnings.fold(page, |page, seen| page.text(format!("Warning: {}.", visible(&seen.says))));
    let others: Vec<CheckSeen> = checks().filter(|seen| !seen.holds()).cloned().collect();
    if others.is_empty() { page } else { page.with(seen_rows(&others)) }
}

fn undo_question(run: &Run, moment: &Moment) -> Page {
    let Some(undo) = &run.undo else { return Page::new() };
    let id = run.id;
    if let Some(token) = &undo.token {
        let mut rows = Vec::new();
        for at in &undo.list {
            let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
            let (host, what) = match run.undo_of(at) {
                Some(Undo::Command(command)) => (
                    command.host.to_string(),
                    run.plan()
                        .map(|plan| crate::wording::plan::body(plan, &command.body))
                        .unwrap_or_default(),
                ),
                Some(Undo::Nothing(why)) => (String::new(), format!("nothing: {}", visible(why))),
                None => (String::new(), String::new()),
            };
            rows.push(Row {
                cells: vec![plain(format!("{:>3}", at.number)), plain(title), plain(host), plain(what)],
                below: Vec::new(),
            });
        }
        let about = vec![
            format!("undo of run {id}"),
            format!("newest first: {}", crate::wording::plan::count(undo.list.len(), "step")),
        ];
        return Page::new()
            .head(states::CONFIRMING, about, format!("plan {}", undo.digest.short()))
            .with(Block::Table(Table { rows, ..Table::default() }))
            .next(
                format!("confirm {id} {}", token.text),
                format!("until {}", moment.with_distance(token.expires)),
            );
    }
    let (Some(at), UndoStep::Failed { why, unknown, .. }) = (undo.list.first(), &undo.step) else {
        return Page::new();
    };
    let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
    let about = vec![format!("run {id}"), format!("taking back {} failed", step_words(at)), title];
    let (typed, attempt) = (format!("{id} {}{}", at.number, address(run, at)), attempt_of(run, at));
    let mut options = Vec::new();
    if *unknown {
        options.push((
            format!("settle {typed} done{attempt} \"how you know\""),
            "it is taken back; goes on".to_owned(),
        ));
        options.push((
            format!("settle {typed} not-done{attempt} \"how you know\""),
            "sends the undo again".to_owned(),
        ));
    } else {
        options.push((format!("retry {typed}{attempt}"), "sends the undo again".to_owned()));
    }
    options.push((format!("stop {id}"), "gives up; the hold is released".to_owned()));
    Page::new()
        .head(states::STUCK, about, "")
        .fields(vec![("Why", format!("{}.", visible(why)))])
        .with(Block::Choices(options))
        .text("No answer: the hold is kept.")
        .code("undo-failed")
}
