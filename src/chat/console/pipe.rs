//! The chat on a pipe: plain lines, one command after the other, each followed to its rest.
//!
//! It ends at the first line that fails, because what follows was written for a world in which it did not. A line that
//! begins with `!` says that it is expected to be refused.

use std::io::Write;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use super::follow::{at_rest, follow};
use super::render::Style;
use super::session::{Led, Session};
use crate::chat::desk::{CameOut, Desk, Reply};
use crate::engine::Engine;

/// Reads lines until the end, or the first that fails. The result is the exit code of the process.
pub async fn run(
    mut session: Session,
    style: Style,
    input: impl AsyncRead + Unpin,
    out: &mut impl Write,
    no_input: bool,
) -> CameOut {
    let mut lines = BufReader::new(input).lines();
    let mut last = CameOut::Done;
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (line, refusal_expected) = match line.strip_prefix('!') {
            Some(rest) => (rest.trim(), true),
            None => (line, false),
        };
        let line = session.meant(line);
        if session.demo.is_some() {
            print(out, &format!("{}{line}\n", session.prompt()));
        }
        let Some(came_out) = say(&mut session, style, &line, out).await else { return last };
        if refusal_expected {
            if matches!(came_out, CameOut::Refused | CameOut::NotUnderstood) {
                continue;
            }
            print(out, "This line was expected to be refused, and it was not.\n");
            return CameOut::Broke;
        }
        last = came_out;
        if matches!(last, CameOut::Broke | CameOut::NotUnderstood | CameOut::Refused)
            || (no_input && last == CameOut::NeedsPerson)
        {
            return last;
        }
    }
    last
}

/// Answers one line, and follows the run that it moves to its rest. `None` when the person leaves.
pub async fn say(session: &mut Session, style: Style, line: &str, out: &mut impl Write) -> Option<CameOut> {
    let events = session.desk.engine.as_ref().map(Engine::follow);
    let Led::Said(reply) = session.answer(line).await else { return None };
    print(out, &style.page(&reply.page));
    if let Some(run) = reply.closed() {
        return Some(Desk::came_out(run));
    }
    let (Some(replied), Some(events), Some(engine)) = (&reply.run, events, session.desk.engine.clone())
    else {
        return Some(reply.came_out);
    };
    let id = replied.id;
    let rested = follow(&engine, &session.desk, id, events, |line| print(out, &format!("{line}\n"))).await;
    Some(match rested {
        Some(run) if is_said(&reply) && run.version == replied.version => reply.came_out,
        Some(run) if !is_said(&reply) || run.is_ended() || session_moved(&run) => {
            let page = at_rest(&run, &session.desk);
            print(out, &style.page(&page));
            session.remember_next(&page);
            Desk::came_out(&run)
        }
        _ => reply.came_out,
    })
}

/// The reply itself has said what the run waits for.
fn is_said(reply: &Reply) -> bool {
    reply.came_out == CameOut::NeedsPerson
}

/// The run has gone on since the reply: it stands at a question of its own.
fn session_moved(run: &crate::run::Run) -> bool {
    run.started.is_some()
}

/// A closed pipe ends nothing: what runs goes on, and the journal has it.
fn print(out: &mut impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
