//! Carries out what changes something: under the guard of its host, followed to its end over as many connections as
//! that takes.

#![expect(clippy::disallowed_methods, reason = "limits of connections and commands are real time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::blocks::{Blocks, Heard, Left, Stream};
use super::capture::Keeping;
use super::connection::Channel;
use super::guard::{self, Attempt, Finished, Say, Start, Verdict};
use super::ssh::{Ssh, nonce, parts};
use super::talk::wanted;
use super::why_not::{no_place_for_secrets, not_started};
use super::{Control, Destination, Ending, Execution, Latest, Leftovers, Link, Report};
use crate::failpoint::{self, Point};
use crate::plan::measure::ErrandBody;
use crate::plan::model::GuardSeen;
use crate::secrets::Secret;
use crate::secrets::mask::{Masks, masked};

/// After a stop, the guard has this long to say that the processes have ended: it waits 2 s before it kills, 2 s for
/// them to be gone, and 3 s for that to be written down.
const STOP_WITHIN: Duration = Duration::from_secs(12);
/// A guard of which nothing but words is wanted has this long for them.
const WORDS_WITHIN: Duration = Duration::from_secs(10);
/// A host that cannot be reached any more is asked again for so long after the limit of what runs there.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long it is waited before a host is asked again; the last one counts for all that follow.
const AGAIN_AFTER: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];
/// The host ends a command by itself so long after we would have: then nobody was there.
const LATER_BY_ITSELF: u64 = 5;
/// So many of the last lines are shown while a command runs.
const SHOWN_LINES: usize = 2;
/// No answer that is about no attempt has more parts.
const MAX_WORDS: usize = 16;
/// Of what ssh itself says, so many bytes are kept.
const MAX_HINT: usize = 4096;

/// One execution, over all its connections.
pub(super) struct Guarded<'a> {
    ssh: &'a Ssh,
    execution: &'a Execution,
    attempt: &'a Attempt,
    /// Since when it is followed here, or when it was sent from here. Its limit counts from then: of what was sent
    /// before nobody here knows when it began, and its host ends it by itself.
    began: Instant,
    masks: Option<Arc<Masks>>,
    out: Keeping,
    err: Keeping,
    control: Option<watch::Receiver<Control>>,
    started: bool,
    /// It must end: because of the limit, or because somebody said so.
    stopped: Option<bool>,
    /// Since when somebody wants it stopped.
    stop_since: Option<Instant>,
    /// What lives on of it, once its guard was told to stop it and has looked.
    left: Option<Left>,
}

/// How one conversation with a guard ended.
#[derive(Debug)]
enum Talked {
    /// It answered: so it stands.
    Stands(Verdict),
    /// Nothing was started, and why.
    Refused(String),
    /// The connection broke, or the guard fell silent.
    Broke(String),
    /// There was no connection.
    NotReached(Ending),
}

impl<'a> Guarded<'a> {
    /// These secrets may be printed.
    pub(super) fn new(
        ssh: &'a Ssh,
        execution: &'a Execution,
        attempt: &'a Attempt,
        masks: Option<&Arc<Masks>>,
    ) -> Self {
        Self {
            ssh,
            execution,
            attempt,
            began: Instant::now(),
            masks: masks.cloned(),
            out: Keeping::masked(masks),
            err: Keeping::masked(masks),
            control: execution.control.clone(),
            started: false,
            stopped: None,
            stop_since: None,
            left: None,
        }
    }

    /// Starts it with these secrets, and follows it to its end.
    pub(super) async fn start(mut self, secrets: &[Secret]) -> Report {
        let (argv, variables) = parts(&self.execution.body);
        let start = Start {
            argv: &argv,
            variables,
            secrets,
            step_dir: self.execution.step_dir.as_deref(),
            limit_seconds: self.execution.limit.as_secs().saturating_add(LATER_BY_ITSELF),
        };
        let Some(_turn) = self.turn().await else {
            return self.report(stopped_before());
        };
        let ending = match self.talk(Say::Start(&start)).await {
            // Nothing can have been sent: no need to ask whether it began.
            Talked::NotReached(ending) => ending,
            Talked::Refused(why) => refused(&why),
            Talked::Stands(verdict) => self.follow(verdict).await,
            Talked::Broke(why) => {
                self.tell_link(Some(&why));
                self.find_out(why).await
            }
        };
        self.report(ending)
    }

    /// Waits for its turn on its host, for as long as that takes; none if somebody stops it meanwhile.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let stopped = async {
            let mut control = self.control.clone();
            let stop = match &mut control {
                Some(control) => control.wait_for(|wanted| *wanted == Control::Stop).await.is_ok(),
                None => false,
            };
            if !stop {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            turn = self.ssh.turn_of_a_step(&self.execution.to) => turn,
            () = stopped => None,
        }
    }

    /// Finds out what became of it, and follows it to its end. What was sent does not wait for its turn.
    pub(super) async fn settle(mut self) -> Report {
        let ending = self.find_out("the bot ended while it ran".to_owned()).await;
        self.report(ending)
    }

    fn report(self, ending: Ending) -> Report {
        Report {
            ending,
            out: self.out.finish(),
            err: self.err.finish(),
            took: self.began.elapsed() + self.execution.ago,
        }
    }

    /// Asks until the host has answered, or nobody has patience any more.
    async fn find_out(&mut self, mut why: String) -> Ending {
        let mut waits = AGAIN_AFTER.iter();
        let mut wait = AGAIN_AFTER[0];
        loop {
            match self.talk(Say::Seal).await {
                Talked::Stands(verdict) => return self.follow(verdict).await,
                Talked::Refused(refused) if refused.starts_with("other-root") => return nobody_knows(),
                Talked::Refused(refused) => why = format!("its guard says {refused}"),
                Talked::Broke(again) => why = again,
                Talked::NotReached(Ending::NotStarted { why: again, .. }) => why = again,
                Talked::NotReached(_) => {}
            }
            self.tell_link(Some(&why));
            if self.is_out_of_patience() {
                return Ending::Lost { why };
            }
            wait = *waits.next().unwrap_or(&wait);
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether nobody asks any more: some time after it has surely ended by itself, or since somebody wants it stopped.
    fn is_out_of_patience(&mut self) -> bool {
        if self.control.as_ref().is_some_and(|control| *control.borrow() == Control::Stop) {
            self.stop_since.get_or_insert_with(Instant::now);
        }
        let ended = self.began + self.execution.limit.saturating_sub(self.execution.ago);
        Instant::now() > gives_up(ended, self.stop_since)
    }

    /// What a verdict means; what runs is followed, over new connections if need be.
    async fn follow(&mut self, mut verdict: Verdict) -> Ending {
        let mut why = "the connection broke".to_owned();
        loop {
            match verdict {
                // Its directory was removed or restored from a copy meanwhile.
                Verdict::Never if self.started => {
                    return Ending::Lost {
                        why: "it started there, and its guard knows nothing of it any more".to_owned(),
                    };
                }
                Verdict::Never => {
                    return not_started("not-started", "it never started there, and will not any more");
                }
                Verdict::Lost { rebooted: true } => {
                    return Ending::Lost { why: "the host was started anew while it ran".to_owned() };
                }
                Verdict::Lost { rebooted: false } => {
                    return Ending::Lost {
                        why: "its processes were killed together with their guard".to_owned(),
                    };
                }
                Verdict::Torn => {
                    return Ending::Lost { why: "the mark of its guard cannot be read".to_owned() };
                }
                Verdict::Finished(finished) if self.has_all_of(&finished) => {
                    return self.end(&finished).await;
                }
                Verdict::Finished(_) | Verdict::NotYet | Verdict::Running | Verdict::Ending => {}
            }
            if self.is_out_of_patience() {
                return Ending::Lost { why };
            }
            // Whoever was to stop it may not have heard so.
            let stop = self.stopped.is_some() && self.left.is_none();
            let follow = Say::Follow { out: self.out.came(), err: self.err.came() };
            let before = verdict.clone();
            verdict = match self.talk(if stop { Say::Stop } else { follow }).await {
                Talked::Stands(verdict) if stop => verdict,
                // What is printed after the end is not waited for.
                Talked::Stands(Verdict::Finished(finished)) => return self.end(&finished).await,
                Talked::Stands(verdict) => verdict,
                Talked::Refused(refused) if refused.starts_with("other-root") => return nobody_knows(),
                Talked::Refused(refused) => return Ending::Lost { why: format!("its guard says {refused}") },
                Talked::Broke(again) => {
                    why = again;
                    self.tell_link(Some(&why));
                    tokio::time::sleep(AGAIN_AFTER[1]).await;
                    before
                }
                Talked::NotReached(ending) => {
                    if let Ending::NotStarted { why: again, .. } = ending {
                        why = again;
                    }
                    self.tell_link(Some(&why));
                    tokio::time::sleep(AGAIN_AFTER[2]).await;
                    before
                }
            };
        }
    }

    fn has_all_of(&self, finished: &Finished) -> bool {
        finished.printed.is_none_or(|(out, err)| self.out.came() >= out && self.err.came() >= err)
    }

    /// How it ended. Where it was ended, its host is asked once more whether anything of it lives on.
    async fn end(&mut self, finished: &Finished) -> Ending {
        let status = finished.status;
        let Some(stopped) = &finished.stopped else { return Ending::Exited(status) };
        if self.left.is_none() {
            self.talk(Say::Stop).await;
        }
        let by_limit = stopped == "timeout" || self.stopped == Some(true);
        match self.left.take() {
            Some(left) if left.group => {
                let why = "processes of its group could not be ended, and still run there".to_owned();
                Ending::Lives { why }
            }
            None if finished.left => {
                Ending::Lost { why: "not all of its processes could be ended".to_owned() }
            }
            left => Ending::Ended { by_limit, status, escaped: left.unwrap_or_default().escaped },
        }
    }

    /// One conversation, from the connecting to the last word.
    async fn talk(&mut self, say: Say<'_>) -> Talked {
        let nonce = nonce();
        let line = match guard::line(self.attempt, say, &nonce) {
            Ok(line) => Zeroizing::new(line),
            Err(why) => {
                return Talked::NotReached(not_started("not-sendable", why.to_string()));
            }
        };
        let (ssh, execution) = (self.ssh, self.execution);
        let command = guard::exec_line();
        let follows = matches!(say, Say::Start(_) | Say::Follow { .. });
        if matches!(say, Say::Follow { .. }) {
            // What was said before may have been lost with the connection, or with the bot that said it: whoever
            // follows anew says again what is to become of the processes.
            self.control.as_mut().map(watch::Receiver::mark_changed);
        }
        let (unsent, sent) = points(say);
        let starts = matches!(say, Say::Start(_));
        let spoken = ssh.over_a_channel(execution, &command, async |channel| {
            failpoint::pass(unsent);
            if starts {
                if !self.may_start().await {
                    return (Talked::NotReached(stopped_before()), false);
                }
                // Waiting for a connection is no part of it.
                self.began = Instant::now();
            }
            let talked = self.listen(channel, &line, &nonce, follows, sent).await;
            let broke = matches!(talked, Talked::Broke(_));
            (talked, broke)
        });
        spoken.await.unwrap_or_else(Talked::NotReached)
    }

    fn tell_link(&self, lost: Option<&str>) {
        if let Some(Link(tell)) = &self.execution.link {
            tell(lost.map(|why| masked(self.masks.as_ref(), why)).as_deref());
        }
    }

    /// Whether it may still be sent, once a connection is there: what was halted waits, what was stopped never begins.
    async fn may_start(&mut self) -> bool {
        let Some(control) = &mut self.control else { return true };
        let wanted = control.wait_for(|wanted| *wanted != Control::Pause).await;
        wanted.is_ok_and(|wanted| *wanted == Control::Run)
    }

    /// Hears what a guard says to its last word. One that `follows` a command hears stop and pause itself, and takes as
    /// long as the command does.
    async fn listen(
        &mut self,
        mut channel: Channel,
        line: &str,
        nonce: &str,
        follows: bool,
        sent: Point,
    ) -> Talked {
        let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
            (channel.stdin().take(), channel.stdout().take(), channel.stderr().take())
        else {
            return Talked::Broke("ssh gave no streams".to_owned());
        };
        if let Err(error) = stdin.write_all(line.as_bytes()).await {
            return Talked::Broke(format!("the command could not be sent whole: {error}"));
        }
        failpoint::pass(sent);
        let mut blocks = Blocks::new(nonce);
        let mut hint = Vec::new();
        let (mut out_block, mut err_block) = (vec![0; 64 * 1024], vec![0; 4096]);
        let limit = tokio::time::sleep_until((self.began + self.execution.limit).into());
        tokio::pin!(limit);
        let mut give_up =
            (!follows || self.stopped.is_some()).then(|| Box::pin(tokio::time::sleep(STOP_WITHIN)));
        let mut stands = None;
        let mut hint_is_open = true;
        loop {
            tokio::select! {
                read = stdout.read(&mut out_block) => {
                    let Ok(n @ 1..) = read else { break };
                    for heard in blocks.take(&out_block[..n]) {
                        match heard {
                            Heard::Started => {
                                self.started = true;
                                failpoint::pass(Point::Started);
                                self.tell_link(None);
                            }
                            Heard::Refused(why) => return Talked::Refused(why),
                            Heard::Printed(stream, bytes) => self.printed(stream).take(&bytes),
                            Heard::Gap(stream, bytes) => self.printed(stream).skip(bytes),
                            Heard::Verdict(verdict) => stands = Some(verdict),
                            Heard::Stopped(left) => self.left = Some(left),
                            Heard::Hello(_) => {}
                            Heard::End => {
                                failpoint::pass(Point::Ended);
                                return stands.map_or_else(|| Talked::Broke("its guard said nothing".to_owned()), Talked::Stands);
                            }
                        }
                    }
                    self.show();
                }
                read = stderr.read(&mut err_block), if hint_is_open => match read {
                    Ok(n @ 1..) => {
                        let room = MAX_HINT.saturating_sub(hint.len());
                        hint.extend_from_slice(&err_block[..n.min(room)]);
                    }
                    _ => hint_is_open = false,
                },
                () = &mut limit, if follows && self.stopped.is_none() => {
                    self.stopped = Some(true);
                    let _ = stdin.write_all(b"stop\n").await;
                    give_up = Some(Box::pin(tokio::time::sleep(STOP_WITHIN)));
                }
                wanted = wanted(&mut self.control), if follows && self.stopped.is_none() => {
                    let word: &[u8] = match wanted {
                        Control::Run => b"resume\n",
                        Control::Pause => b"pause\n",
                        Control::Stop => b"stop\n",
                    };
                    if wanted == Control::Stop {
                        failpoint::pass(Point::StopUnsent);
                    }
                    let _ = stdin.write_all(word).await;
                    if wanted == Control::Stop {
                        failpoint::pass(Point::StopSent);
                        self.stopped = Some(false);
                        give_up = Some(Box::pin(tokio::time::sleep(STOP_WITHIN)));
                    }
                }
                () = async { if let Some(timer) = give_up.as_mut() { timer.await } }, if give_up.is_some() => break,
            }
        }
        let said = [blocks.noise(), String::from_utf8_lossy(&hint).trim().to_owned()].join(" ");
        let said: String = said.trim().chars().take(200).collect();
        match stands {
            Some(verdict) => Talked::Stands(verdict),
            None if said.is_empty() => Talked::Broke("the connection broke".to_owned()),
            None => Talked::Broke(format!("the connection broke: {said}")),
        }
    }

    fn printed(&mut self, stream: Stream) -> &mut Keeping {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    fn show(&self) {
        if let Some(Latest(show)) = &self.execution.latest {
            let out = self.out.last_lines(SHOWN_LINES);
            show(if out.is_empty() { self.err.last_lines(SHOWN_LINES) } else { out });
        }
    }
}

/// Where a test ends the process: before something is said to a guard, and right after it.
fn points(say: Say<'_>) -> (Point, Point) {
    match say {
        Say::Start(_) => (Point::StartUnsent, Point::StartSent),
        Say::Seal | Say::Hello | Say::Sweep { .. } => (Point::SealUnsent, Point::SealSent),
        Say::Follow { .. } => (Point::FollowUnsent, Point::FollowSent),
        Say::Stop => (Point::StopUnsent, Point::StopSent),
    }
}

/// When nobody asks any more about what surely ends by itself at one moment, and was to be stopped from another one on.
fn gives_up(ended: Instant, stop_since: Option<Instant>) -> Instant {
    stop_since.map_or(ended, |stop| stop.min(ended)) + PATIENCE
}

fn stopped_before() -> Ending {
    not_started("stopped", "it was stopped before it was sent")
}

/// The state directory of the host is another one now.
fn nobody_knows() -> Ending {
    let why = "the folder .steadyhand in the home of the login user is another one than when the run started, \
               so the host does not know what became of it";
    Ending::Lost { why: why.to_owned() }
}

/// Asks the guard of a host who it is.
pub(super) async fn hello(ssh: &Ssh, to: Destination) -> Result<GuardSeen, Ending> {
    let heard = words(ssh, &to, Say::Hello).await?.ok_or_else(|| {
        let within = WORDS_WITHIN.as_secs();
        let why = format!(
            "the login shell of {} on {} did not hand over in {within} s: look at its profile",
            to.user, to.name
        );
        not_started("login-refused", why)
    })?;
    heard
        .into_iter()
        .find_map(|heard| match heard {
            Heard::Hello(guard) => Some(Ok(guard)),
            Heard::Refused(why) => Some(Err(refused(&why))),
            _ => None,
        })
        .unwrap_or_else(|| {
            let why = format!(
                "the login of {} on {} hands over to no shell: give that user a shell such as /bin/sh",
                to.user, to.name
            );
            Err(not_started("login-refused", why))
        })
}

/// Removes what a host keeps of steps that are over.
pub(super) async fn sweep(ssh: &Ssh, to: Destination, left: &Leftovers) {
    let _ = words(ssh, &to, Say::Sweep { steps: &left.steps, folders: &left.folders }).await;
}

/// What a guard answers to something that is about no attempt; none if that takes too long.
async fn words(ssh: &Ssh, to: &Destination, say: Say<'_>) -> Result<Option<Vec<Heard>>, Ending> {
    let nobody = Attempt { key: "-".to_owned(), root: None, holds: Vec::new() };
    let nonce = nonce();
    let line =
        guard::line(&nobody, say, &nonce).map_err(|why| not_started("not-sendable", why.to_string()))?;
    let execution = Execution::probe(to.clone(), ErrandBody::Run(Vec::new()), WORDS_WITHIN);
    ssh.over_a_channel(&execution, &guard::exec_line(), async |mut channel| {
        let heard = tokio::time::timeout(WORDS_WITHIN, hear(&mut channel, &line, &nonce)).await.ok();
        let broke = heard.as_ref().is_none_or(Vec::is_empty);
        (heard, broke)
    })
    .await
}

async fn hear(channel: &mut Channel, line: &str, nonce: &str) -> Vec<Heard> {
    let (Some(mut stdin), Some(mut stdout)) = (channel.stdin().take(), channel.stdout().take()) else {
        return Vec::new();
    };
    let (mut blocks, mut heard, mut block) = (Blocks::new(nonce), Vec::new(), vec![0; 4096]);
    if stdin.write_all(line.as_bytes()).await.is_err() {
        return heard;
    }
    while let Ok(n @ 1..) = stdout.read(&mut block).await {
        heard.extend(blocks.take(&block[..n]));
        if heard.iter().any(|heard| matches!(heard, Heard::End | Heard::Refused(_)))
            || heard.len() > MAX_WORDS
        {
            break;
        }
    }
    heard
}

/// Why a guard started nothing.
fn refused(why: &str) -> Ending {
    let folder = "the folder .steadyhand in the home of the login user";
    let (code, why) = match why.split(' ').next().unwrap_or_default() {
        "no-command" => return Ending::NoCommand,
        "fenced" => (
            "fenced",
            "the host knows a newer run that holds the same: another bot, or a journal that was restored or is new"
                .to_owned(),
        ),
        "busy" => {
            let attempt = why.split("attempt=").nth(1).unwrap_or_default();
            let look = format!("look at it, and when it is over remove ~/.steadyhand/a/{attempt}");
            ("fenced", format!("a step of an earlier run is not over there, or its mark cannot be read: {look}"))
        }
        "secret-place" => return no_place_for_secrets(),
        "no-tool" => {
            let tool = why.split(' ').nth(1).unwrap_or_default();
            (
                "no-guard",
                format!(
                    "the host has no {tool}, without which what changes something cannot be guarded: install it"
                ),
            )
        }
        "no-linux" => (
            "no-guard",
            "the host is no Linux, or hides /proc: what changes something can be guarded on Linux only"
                .to_owned(),
        ),
        "bad-shell" => {
            ("no-guard", "/bin/sh of the host is no POSIX shell: make it dash, bash or busybox".to_owned())
        }
        "full" => ("state-dir", format!("the disk of {folder} is full: make room there")),
        "read-only" => {
            ("state-dir", format!("{folder} is on a file system that is read-only: mount it to be written"))
        }
        "unwritable" => ("state-dir", format!("{folder} cannot be written: give it to that user")),
        "other-root" => (
            "state-dir",
            format!("{folder} is another one than when the run started: find out who removed or restored it"),
        ),
        _ => ("state-dir", format!("{folder} cannot be used ({why}): look at it on the host")),
    };
    not_started(code, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_stopped_is_asked_about_for_two_minutes_and_not_to_the_end_of_its_limit() {
        let now = Instant::now();
        let (hours, minutes) = (Duration::from_hours(3), Duration::from_mins(2));

        assert_eq!(gives_up(now + hours, None), now + hours + minutes);
        assert_eq!(gives_up(now + hours, Some(now)), now + minutes);
        assert_eq!(gives_up(now, Some(now + hours)), now + minutes, "it ended before that");
    }
}
