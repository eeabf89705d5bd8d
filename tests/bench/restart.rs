//! A start on a long journal: 100,000 events, and 100 runs that are open. The time until the first answer, and until the
//! first decision after it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use steadyhand::journal::{Actor, Append, Journal, NewEntry, RunAppend, stamped};
use steadyhand::policy::decide::Door;
use steadyhand::run::{Event, Input, Run, RunId, Says, Stamped, apply, decide};
use steadyhand::runbook::source::name::Person;

use crate::ground::Ground;
use crate::{Goal, Promise, median};

const EVENTS: usize = 100_000;
const OPEN: u64 = 100;
const ROUNDS: usize = 5;

pub(crate) fn goals() -> Vec<Goal> {
    let ground = Ground::new(1);
    let worker = ground.worker(0);
    worker.begin_anew();
    let model = one_run(&worker.config(), &worker.journal());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let last = runtime.block_on(fill(&worker.journal(), &model));
    drop(runtime);
    let (mut starts, mut decisions) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (start, decision) = restart(&worker.config(), last - round as u64);
        starts.push(start);
        decisions.push(decision);
    }
    let (start, decision) = (median(starts), median(decisions));
    let figures = format!(
        "{EVENTS} events, {OPEN} open runs, median of {ROUNDS} starts: {start:.3} s to the first answer, {decision:.3} s more to a decision"
    );
    vec![
        Goal {
            what: "a restart to the first answer, to 2 s",
            ratio: start / 2.0,
            promised: Promise::AtMost(1.0),
            figures: figures.clone(),
        },
        Goal {
            what: "from there to the next decision, to 0.5 s",
            ratio: decision / 0.5,
            promised: Promise::AtMost(1.0),
            figures,
        },
    ]
}

/// The bot itself makes one run, which stands at a question: its events are the model of all others.
fn one_run(config: &Path, journal: &Path) -> Vec<Stamped> {
    let mut bot = Command::new(env!("CARGO_BIN_EXE_steadyhand"))
        .arg("--config")
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines =
        "run take-back cluster=marks one=h1 two=h2 reason=\"to be copied often\"\nnext\nas ben\nnext\n";
    bot.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    bot.wait().unwrap();
    let view = steadyhand::journal::JournalView::open(journal).unwrap();
    let model: Vec<Stamped> =
        view.entries_of(RunId(1)).unwrap().iter().map(|entry| stamped(entry).unwrap()).collect();
    assert!(model.iter().any(|stamped| matches!(stamped.event, Event::StepFailed { .. })), "{model:?}");
    model
}

/// Fills the journal with copies: most were stopped, the last ones stand at their question. Gives the number of the last.
async fn fill(path: &Path, model: &[Stamped]) -> u64 {
    // The process before may still be closing it.
    let journal = Journal::open(path, true).unwrap();
    let ended =
        u64::try_from((EVENTS - model.len() * usize::try_from(OPEN).unwrap()) / (model.len() + 2)).unwrap();
    let last = 1 + ended + OPEN;
    let mut waiting = Vec::new();
    for id in 2..=last {
        let is_open = id > 1 + ended;
        for append in copy(RunId(id), model, is_open) {
            waiting.push(tokio::spawn({
                let journal = journal.clone();
                async move { journal.append(append).await.unwrap() }
            }));
            // In order: a run begins with its first append.
            if waiting.len() == 1 || waiting.len() % 2 == 0 {
                for one in waiting.drain(..) {
                    one.await.unwrap();
                }
            }
        }
    }
    for one in waiting {
        one.await.unwrap();
    }
    last
}

/// A run with the same events, and a hold of its own: what is up to the holds, and the rest.
fn copy(id: RunId, model: &[Stamped], is_open: bool) -> Vec<Append> {
    let Event::Requested(request) = &model[0].event else { panic!("a run begins with a request") };
    let mut run = Run::new(id, request.clone(), model[0].at);
    let mut appends: Vec<Append> = vec![Append::default()];
    let mut began = 0;
    let mut events: Vec<Stamped> = model.to_vec();
    for stamped in &mut events {
        if let Event::HoldsTaken { holds } = &mut stamped.event {
            for (resource, token) in holds {
                (resource.0, *token) = (format!("{}-{id}", resource.0), 1);
            }
        }
    }
    let mut at = 0;
    loop {
        if at == events.len() && !is_open && !run.is_ended() {
            let by = Person::new("ana").unwrap();
            let now = events[at - 1].at;
            let stop = Input::Person { by: by.clone(), says: Says::Stop { now: false } };
            let stops = decide(&run, &stop, now).events;
            events.extend(stops.into_iter().map(|event| Stamped { at: now, by: Some(by.clone()), event }));
        }
        let Some(stamped) = events.get(at) else { break };
        at += 1;
        let before = run.holds.clone();
        apply(&mut run, stamped);
        let actor = stamped.by.as_ref().map(|by| Actor {
            person: Some(by.clone()),
            account: by.to_string(),
            door: Door::Console,
        });
        let append = appends.last_mut().unwrap();
        append.entries.push(NewEntry::of_event(stamped, actor));
        if run.holds != before {
            append.run = Some(RunAppend {
                id,
                expected: began,
                open: !run.is_ended(),
                holds: Some(run.holds.clone()),
            });
            began = run.version;
            appends.push(Append::default());
        }
    }
    if let Some(rest) = appends.last_mut().filter(|rest| !rest.entries.is_empty()) {
        rest.run = Some(RunAppend { id, expected: began, open: !run.is_ended(), holds: None });
    } else {
        appends.pop();
    }
    appends
}

/// Seconds from the start of the program to its first answer, and from there until a run was stopped.
fn restart(config: &Path, id: u64) -> (f64, f64) {
    let began = Instant::now();
    let mut bot = Command::new(env!("CARGO_BIN_EXE_steadyhand"))
        .arg("--config")
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = bot.stdin.take().unwrap();
    let mut lines = BufReader::new(bot.stdout.take().unwrap()).lines().map_while(Result::ok);
    writeln!(stdin, "status").unwrap();
    assert!(lines.any(|line| line.contains("NEEDS A PERSON")));
    let answered = Instant::now();
    writeln!(stdin, "stop {id}").unwrap();
    assert!(lines.any(|line| line.contains(&format!("Run {id} was stopped")) || line.contains("Stopped by")));
    let decided = Instant::now();
    drop(stdin);
    assert!(lines.count() > 0);
    bot.wait().unwrap();
    ((answered - began).as_secs_f64(), (decided - answered).as_secs_f64())
}
