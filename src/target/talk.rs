//! The conversation with the runner on a host: the frame goes in, and both streams are heard until it has said the end
//! on each, the limit is over, or the link is.

#![expect(clippy::disallowed_methods, reason = "limits of connections and commands are real time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::capture::{Capture, Said};
use super::connection::Channel;
use super::why_not::{chain, no_place_for_secrets, not_started};
use super::{Control, Ending, Execution, Latest, Report};
use crate::failpoint::{self, Point};
use crate::secrets::mask::Masks;

/// After a stop, the runner has this long to say what became of the processes: it waits 2 s before it kills, and 1 s
/// behind that.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// After one stream has said the end, the other one has this long to say it too.
const OTHER_STREAM_WITHIN: Duration = Duration::from_millis(500);
/// So many of the last lines are shown while a command runs.
const SHOWN_LINES: usize = 2;

/// Sends the frame, and listens until the runner has said the end on both streams, the limit is over, or the link is.
pub(super) async fn converse(
    mut channel: Channel,
    line: &str,
    nonce: &str,
    execution: &Execution,
    masks: Option<&Arc<Masks>>,
) -> Report {
    let began = Instant::now();
    let (mut out, mut err) = (Capture::new(nonce, masks), Capture::new(nonce, masks));
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (channel.stdin().take(), channel.stdout().take(), channel.stderr().take())
    else {
        return Report::not_started("unreachable", "ssh gave no streams", began.elapsed());
    };
    let mut talk = Talk::default();
    let mut wrote = Ok(());
    if let Err(error) = stdin.write_all(line.as_bytes()).await {
        wrote = Err(error);
    }
    failpoint::pass(Point::AskSent);
    let (mut out_block, mut err_block) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let limit = tokio::time::sleep(execution.limit);
    tokio::pin!(limit);
    let mut give_up: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
    let mut control = execution.control.clone();
    while !talk.is_over() {
        tokio::select! {
            read = stdout.read(&mut out_block), if !talk.out.closed => match read {
                Ok(0) | Err(_) => talk.out.closed = true,
                Ok(n) => {
                    talk.hear(out.take(&out_block[..n]), |talk| &mut talk.out);
                    show(execution, &out);
                }
            },
            read = stderr.read(&mut err_block), if !talk.err.closed => match read {
                Ok(0) | Err(_) => talk.err.closed = true,
                Ok(n) => {
                    talk.hear(err.take(&err_block[..n]), |talk| &mut talk.err);
                    show(execution, &err);
                }
            },
            () = &mut limit, if talk.stopped.is_none() => {
                talk.stopped = Some(true);
                let _ = stdin.write_all(b"stop\n").await;
                give_up = Some(Box::pin(tokio::time::sleep(STOP_WITHIN)));
            }
            wanted = wanted(&mut control), if talk.stopped.is_none() => {
                let word: &[u8] = match wanted {
                    Control::Run => b"resume\n",
                    Control::Pause => b"pause\n",
                    Control::Stop => b"stop\n",
                };
                let _ = stdin.write_all(word).await;
                if wanted == Control::Stop {
                    talk.stopped = Some(false);
                    give_up = Some(Box::pin(tokio::time::sleep(STOP_WITHIN)));
                }
            }
            () = async { if let Some(timer) = give_up.as_mut() { timer.await } }, if give_up.is_some() => {
                talk.gave_up = true;
            }
        }
        if talk.said_once() && give_up.is_none() {
            give_up = Some(Box::pin(tokio::time::sleep(OTHER_STREAM_WITHIN)));
        }
    }
    drop(stdin);
    let ending = ending(&talk, channel, wrote.err(), &out, &err).await;
    Report { ending, out: out.finish(), err: err.finish(), took: began.elapsed() }
}

/// Shows the last lines of a stream to those who look.
fn show(execution: &Execution, stream: &Capture) {
    if let Some(Latest(show)) = &execution.latest {
        show(stream.last_lines(SHOWN_LINES));
    }
}

/// The next thing that is wanted of the processes; never, if nobody can want anything any more.
pub(super) async fn wanted(control: &mut Option<watch::Receiver<Control>>) -> Control {
    if let Some(receiver) = control {
        // A wish that came before we listened is one too.
        let first = receiver.has_changed().is_ok_and(|changed| changed);
        if first || receiver.changed().await.is_ok() {
            return *receiver.borrow_and_update();
        }
    }
    *control = None;
    std::future::pending().await
}

/// How far one stream is.
#[derive(Debug, Default)]
struct Stream {
    /// How the command ended, once the runner has said it here.
    end: Option<End>,
    closed: bool,
}

/// How a command ended, and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By itself.
    Itself(i32),
    /// By us, and nobody of its process group is left.
    ByUs(i32),
    /// We tried, and somebody may be left.
    Left,
}

/// What was heard so far.
#[derive(Debug, Default)]
struct Talk {
    started: bool,
    refused: Option<String>,
    out: Stream,
    err: Stream,
    /// Stop was sent: because of the limit, or because somebody said so.
    stopped: Option<bool>,
    gave_up: bool,
}

impl Talk {
    fn hear(&mut self, said: Vec<Said>, on: impl Fn(&mut Self) -> &mut Stream) {
        for said in said {
            match said {
                Said::Started => self.started = true,
                Said::Refused(why) => self.refused = Some(why),
                Said::Exit(status) => on(self).end = Some(End::Itself(status)),
                Said::Ended(status) => on(self).end = Some(End::ByUs(status)),
                Said::Left(_) => on(self).end = Some(End::Left),
            }
        }
    }

    fn end(&self) -> Option<End> {
        self.err.end.or(self.out.end)
    }

    fn said_once(&self) -> bool {
        self.end().is_some() || self.refused.is_some()
    }

    /// Nothing more is worth waiting for.
    fn is_over(&self) -> bool {
        let both = (self.out.end.is_some() || self.out.closed) && (self.err.end.is_some() || self.err.closed);
        (both && self.said_once())
            || self.refused.is_some()
            || (self.out.closed && self.err.closed)
            || self.gave_up
    }
}

async fn ending(
    talk: &Talk,
    channel: Channel,
    wrote: Option<std::io::Error>,
    out: &Capture,
    err: &Capture,
) -> Ending {
    match (&talk.refused, talk.end()) {
        (Some(why), _) if why == "no-command" => return Ending::NoCommand,
        (Some(why), _) if why == "secret-place" => return no_place_for_secrets(),
        (Some(why), _) => {
            let why = format!("the folder .steadyhand in the home of the login user cannot be used ({why})");
            return not_started("state-dir", why);
        }
        (None, Some(End::Itself(status))) => return Ending::Exited(status),
        (None, Some(End::ByUs(status))) => {
            return Ending::Ended { by_limit: talk.stopped.unwrap_or_default(), status, escaped: Vec::new() };
        }
        (None, Some(End::Left)) => {
            return Ending::Lost { why: "processes of it may still run: they could not be ended".to_owned() };
        }
        (None, None) => {}
    }
    if talk.started || talk.stopped.is_some() {
        let why = if talk.stopped.is_some() {
            "the host did not say that its processes ended".to_owned()
        } else {
            "the connection broke".to_owned()
        };
        return Ending::Lost { why };
    }
    // The runner never spoke. If ssh says that the login shell ended by itself, it never ran.
    match timeout(STOP_WITHIN, channel.wait()).await {
        Ok(Ok(status)) => {
            let noise = [err.noise(), out.noise()].join(" ");
            let noise: String = noise.trim().chars().take(200).collect();
            let why = format!("the login shell ended with {status} before the runner began: {noise}");
            not_started("login-refused", why)
        }
        Ok(Err(openssh::Error::Remote(_))) => {
            not_started("login-refused", "the login shell cannot run `exec env -i … /bin/sh`")
        }
        Ok(Err(error)) => Ending::Lost { why: format!("the connection broke: {}", chain(&error)) },
        Err(_) => match wrote {
            Some(error) => Ending::Lost { why: format!("the command could not be sent whole: {error}") },
            None => Ending::Lost { why: "the connection broke".to_owned() },
        },
    }
}
