//! The chat on a pipe: plain lines, one command after the other, each followed to its rest.
//!
//! It ends at the first line that fails, because what follows was written for a world in which it did not. A line that
//! begins with `!` says that it is expected to be refused.

use std::io::Write;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::follow::{at_rest, follow};
use super::render::Style;
use super::session::{Led, Session};
use crate::chat::desk::{CameOut, Desk, Reply};
use crate::engine::Engine;
use crate::wording::Page;

/// No line of a script is longer, in bytes. What the chat takes is shorter still, and says so itself.
const MAX_BYTES: usize = 64 * 1024;

/// Reads lines until the end, or the first that fails. The result is the exit code of the process.
pub async fn run(
    mut session: Session,
    style: Style,
    input: impl AsyncRead + Unpin,
    out: &mut impl Write,
    no_input: bool,
) -> CameOut {
    let mut input = BufReader::new(input);
    let mut last = CameOut::Done;
    for number in 1_u64.. {
        let line = match next_line(&mut input).await {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(why) => {
                let (page, came_out) = why.said(number);
                print(out, &style.page(&page));
                return came_out;
            }
        };
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

/// Why there is no next line, though the input has not ended.
#[derive(Debug)]
enum Unreadable {
    TooLong,
    /// It is no UTF-8 from this byte on, counted from 1.
    NotUtf8(usize),
    Broken(std::io::Error),
}

impl Unreadable {
    /// What is said of it, and the exit code of the process.
    fn said(&self, number: u64) -> (Page, CameOut) {
        let behind = "Nothing was done with it, and nothing behind it was read.";
        match self {
            Self::TooLong => {
                let what = format!("Line {number} has more than {} KiB. {behind}", MAX_BYTES / 1024);
                let next = "Next: look for a line end that is missing, and send the rest again.";
                (Page::sentence(what).text(next).code("too-long"), CameOut::NotUnderstood)
            }
            Self::NotUtf8(byte) => {
                let what =
                    format!("Line {number} is not UTF-8: its byte {byte} begins no character. {behind}");
                let next = "Next: save the script as UTF-8, and send it from that line on.";
                (Page::sentence(what).text(next).code("not-utf-8"), CameOut::NotUnderstood)
            }
            Self::Broken(error) => {
                let what = format!("Line {number} cannot be read: {error}. {behind}");
                (Page::sentence(what).text("Next: send the rest again.").code("input"), CameOut::Broke)
            }
        }
    }
}

/// The next line, with no more of it in memory than a line may have. `None` at the end.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<String>, Unreadable> {
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    let read = input.take(limit).read_until(b'\n', &mut bytes).await.map_err(Unreadable::Broken)?;
    if read == 0 {
        return Ok(None);
    }
    if bytes.len() > MAX_BYTES && !bytes.ends_with(b"\n") {
        return Err(Unreadable::TooLong);
    }
    let line = String::from_utf8(bytes);
    line.map(Some).map_err(|error| Unreadable::NotUtf8(error.utf8_error().valid_up_to() + 1))
}

/// Answers one line, and follows the run that it moves to its rest. `None` when the person leaves.
pub async fn say(session: &mut Session, style: Style, line: &str, out: &mut impl Write) -> Option<CameOut> {
    let events = session.desk.engine.as_ref().map(Engine::follow);
    let Led::Said(reply) = session.answer(line).await else { return None };
    print(out, &style.page(&reply.page));
    if let Some(run) = reply.closed() {
        return Some(Desk::came_out(run, run));
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
            Desk::came_out(&run, replied)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_without_end_is_not_taken_into_memory() {
        let mut endless = BufReader::new(tokio::io::repeat(b'x'));
        assert!(matches!(next_line(&mut endless).await, Err(Unreadable::TooLong)));

        let longest = "x".repeat(MAX_BYTES);
        let two = format!("{longest}\n{longest}");
        let mut two = BufReader::new(two.as_bytes());
        assert_eq!(next_line(&mut two).await.unwrap().unwrap().trim_end(), longest);
        assert_eq!(next_line(&mut two).await.unwrap().unwrap(), longest);
        assert!(next_line(&mut two).await.unwrap().is_none());
    }
}
