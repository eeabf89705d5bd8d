//! Follows a run on lines: what happened, one line an event, until it rests.

use jiff::Timestamp;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::chat::desk::Desk;
use crate::engine::{Engine, Happened};
use crate::run::model::Phase;
use crate::run::next::after;
use crate::run::{Run, RunId};
use crate::runbook::source::literal::Millis;
use crate::wording::page::Page;
use crate::wording::run as run_words;
use crate::wording::{Moment, look};

/// The line of an event: time, fields, and the sentence.
pub fn line(happened: &Happened, moment: &Moment) -> Option<String> {
    let (fields, sentence) = run_words::event_line(&happened.run, &happened.stamped)?;
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    Some(format!("{} {} {sentence}", moment.stamp(happened.stamped.at), fields.join(" ")))
}

/// A value with spaces stands in quotes, so that programs can read the fields.
fn quoted(value: &str) -> String {
    if value.contains([' ', '"', '=']) {
        format!("\"{}\"", value.replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}

/// Follows one run until it rests, and hands every line to `show`. What happened before is not shown again.
pub async fn follow(
    engine: &Engine,
    desk: &Desk,
    id: RunId,
    mut events: tokio::sync::broadcast::Receiver<Happened>,
    mut show: impl FnMut(&str),
) -> Option<std::sync::Arc<Run>> {
    let mut seen = 0;
    let mut told = desk.clock.now();
    loop {
        let run = engine.run(id).ok()?;
        // Everything that led here has been sent before the state said so.
        loop {
            match events.try_recv() {
                Ok(happened) => shown(&happened, id, &mut seen, desk, &mut show),
                Err(TryRecvError::Lagged(n)) => show(&not_shown(n, id)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if run.waits_for_person() || engine.parked().contains_key(&id) {
            return Some(run);
        }
        tokio::select! {
            next = events.recv() => match next {
                Ok(happened) => shown(&happened, id, &mut seen, desk, &mut show),
                Err(RecvError::Lagged(n)) => show(&not_shown(n, id)),
                Err(RecvError::Closed) => return engine.run(id).ok(),
            },
            _ = engine.rest(id) => {}
            () = desk.clock.until(next_told(told)) => {
                told = desk.clock.now();
                for line in run_words::progress_lines(&run, &desk.far(id), &desk.moment()) {
                    show(&line);
                }
            }
        }
    }
}

/// How far a step is, is said so often to those who follow on lines.
const PROGRESS_LINE_EVERY: Millis = Millis::minutes(5);

fn next_told(told: Timestamp) -> Timestamp {
    after(told, PROGRESS_LINE_EVERY)
}

fn not_shown(n: u64, id: RunId) -> String {
    format!("… {n} events were not shown; journal show {id} has all of them")
}

fn shown(happened: &Happened, id: RunId, seen: &mut u64, desk: &Desk, show: &mut impl FnMut(&str)) {
    if happened.run.id != id || happened.run.version <= *seen {
        return;
    }
    *seen = happened.run.version;
    if let Some(line) = line(happened, &desk.moment()) {
        show(&line);
    }
}

/// What stands at the end of following: the summary, the questions, or why it did not begin.
pub fn at_rest(run: &Run, desk: &Desk) -> Page {
    if let Some(why) = desk.parked().get(&run.id) {
        return look::parked(run.id, why, true);
    }
    let moment = desk.moment();
    match run.phase {
        Phase::Ended(_) if run.started.is_none() && run.confirmed.is_some() => desk.why_not(run),
        Phase::Ended(_) => run_words::ended(run, &moment),
        Phase::Confirming => {
            let snapshot = desk.files().ok();
            let policy = snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
            look::status_of_run(run, &desk.far(run.id), None, policy, &moment)
        }
        Phase::Approving => Page::new(),
        _ => run_words::questions(run, desk.held_back_by(run).as_deref(), &moment),
    }
}
