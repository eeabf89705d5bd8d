//! Running a program to its end, within a limit.
//!
//! Every program that the lab calls (ssh, psql, cp, its own scripts) goes through here: no input unless given, both
//! outputs caught, killed when the limit is reached. A hanging host must never hang a test.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{Context, Error, Result};

/// A daemon that inherited the output would keep it open for ever; after the program has ended, this is enough.
const REST_OF_OUTPUT: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

impl Answer {
    /// Did it exit with 0?
    pub fn ok(&self) -> bool {
        self.status == Some(0)
    }
}

/// Runs the program. An exit status other than 0 is an answer, not an error; no end within `limit` is an error.
pub(crate) fn answer(command: Command, limit: Duration) -> Result<Answer> {
    answer_with_input(command, "", limit)
}

/// Like [`answer`], with text on its standard input.
pub(crate) fn answer_with_input(mut command: Command, input: &str, limit: Duration) -> Result<Answer> {
    let name = command.get_program().to_string_lossy().into_owned();
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(|| format!("could not start {name}"))?;
    feed(&mut child, input);
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());

    if !ends_within(&child, limit)? {
        let _ = child.kill();
        let _ = child.wait();
        let said = err.recv_timeout(REST_OF_OUTPUT).unwrap_or_default();
        return Err(Error::new(format!(
            "{name} did not end within {} s and was killed",
            limit.as_secs_f32()
        ))
        .because(said)
        .next("if a host is frozen or cut on purpose, that is the answer; else see `lab status`"));
    }
    let status = child.wait().context(|| format!("could not wait for {name}"))?;
    Ok(Answer {
        status: status.code(),
        out: out.recv_timeout(REST_OF_OUTPUT).unwrap_or_default(),
        err: err.recv_timeout(REST_OF_OUTPUT).unwrap_or_default(),
    })
}

/// Runs the program and insists on exit status 0. `what` names the purpose, for the error.
pub(crate) fn expect(command: Command, limit: Duration, what: &str) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let answer = answer(command, limit)?;
    if answer.ok() {
        return Ok(answer.out);
    }
    Err(Error::new(format!("{what}: {name} failed ({})", told(answer.status)))
        .because(format!("{}{}", answer.err, answer.out)))
}

/// An exit status in words.
pub(crate) fn told(status: Option<i32>) -> String {
    status.map_or_else(|| "ended by a signal".to_owned(), |s| format!("exit status {s}"))
}

fn feed(child: &mut Child, input: &str) {
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // On a thread, because a program that does not read would block us past the limit.
        thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn ends_within(child: &Child, limit: Duration) -> Result<bool> {
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())
        .context(|| "could not watch a program (pidfd_open)".to_owned())?;
    let limit = Timespec::try_from(limit).map_err(|_| Error::new("a limit is too long to be waited for"))?;
    loop {
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit)) {
            Ok(ready) => return Ok(ready > 0),
            // A signal handler of the test process interrupted us: at worst the limit begins again.
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::new("could not wait for a program").because(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_hangs_is_killed_at_the_limit() {
        let error = answer(sh("echo so far >&2; exec sleep 60"), Duration::from_millis(200)).unwrap_err();

        assert!(error.to_string().contains("sh did not end within 0.2 s and was killed"), "{error}");
        assert!(error.to_string().contains("so far"), "{error}");
    }

    #[test]
    fn input_output_and_status_come_back() {
        let answer =
            answer_with_input(sh("cat; echo no >&2; exit 3"), "hello", Duration::from_secs(5)).unwrap();

        assert_eq!(answer, Answer { status: Some(3), out: "hello".to_owned(), err: "no\n".to_owned() });
    }
}
