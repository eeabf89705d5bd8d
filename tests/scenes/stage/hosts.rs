//! The hosts of the scenes. They do what the cluster does, unless a scene has told them to answer otherwise.
//!
//! Stricter than real hosts: a command that no pack has, that makes no sense on its host, or that is sent in the wrong
//! manner is a fault of the bot, and so is an answer that was laid out and never asked for.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use steadyhand::authoring::Set;
use steadyhand::engine::clock::Clock;
use steadyhand::plan::model::GuardSeen;
use steadyhand::target::capture::Kept;
use steadyhand::target::{
    Control, Destination, Ending, Execution, Later, Leftovers, Report, Running, Target,
};

use super::cluster::{Came, Cluster};
use super::commands::Commands;

/// What a host does with a command, other than what it is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Nothing for so long, and then this.
    Late(Duration, Box<Answer>),
    /// What it is asked for, and prints this.
    Prints(Vec<u8>),
    /// What it is asked for.
    Well,
    /// Nothing: it ends with this status and complains.
    Fails(i32, &'static str),
    /// What it is asked for; then it ends with this status and complains.
    FailsAfterwards(i32, &'static str),
    /// Nothing: there is no such program.
    NoProgram,
    /// It is not reached: the stable code, and why.
    NotStarted(&'static str, &'static str),
    /// Nothing, and the link breaks.
    LostBefore(&'static str),
    /// What it is asked for, and the link breaks.
    LostAfter(&'static str),
    /// What it is asked for, and it takes so long.
    Limited(Duration),
    /// The link is broken for so long, from 10 s on; then what it is asked for.
    Unlinked(Duration, &'static str),
    /// Nothing, until its limit is reached or somebody ends it.
    Hangs,
    /// The bot itself has a fault, just there.
    IsOurFault,
}

struct Inside {
    cluster: Cluster,
    commands: Commands,
    laid_out: BTreeMap<(String, String), VecDeque<Answer>>,
    sent: Vec<String>,
    executions: u64,
    wrong: Vec<String>,
}

/// All hosts of the inventory.
pub(crate) struct Hosts {
    inside: Mutex<Inside>,
    clock: Clock,
}

/// How long an action takes on these hosts.
fn takes(name: &str) -> Duration {
    let seconds = match name {
        "fence" => 1.3,
        "add-slot" | "drop-slot" | "release-slot" | "undo add-slot" => 0.4,
        "stop-clean" | "stop" => 2.2,
        "promote" => 2.9,
        "start-as-replica" => 5.1,
        "copy-from" => 10_200.0,
        _ => 2.1,
    };
    Duration::from_secs_f64(seconds)
}

impl Hosts {
    /// Hosts that are well.
    pub(crate) fn new(clock: Clock) -> Self {
        let inside = Inside {
            cluster: Cluster::new(),
            commands: Commands::default(),
            laid_out: BTreeMap::new(),
            sent: Vec::new(),
            executions: 0,
            wrong: Vec::new(),
        };
        Self { inside: Mutex::new(inside), clock }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inside) -> T) -> T {
        f(&mut self.inside.lock().unwrap())
    }

    /// They know the commands of these packs.
    pub(crate) fn learn(&self, set: &Set) {
        self.with(|inside| inside.commands.learn(set));
    }

    /// The cluster, to look at it or to hurt it.
    pub(crate) fn cluster<T>(&self, f: impl FnOnce(&mut Cluster) -> T) -> T {
        self.with(|inside| f(&mut inside.cluster))
    }

    /// The next command of this name on this host is answered so. Probes have a `?` before their name.
    pub(crate) fn will(&self, host: &str, command: &str, answer: Answer) {
        self.with(|inside| {
            let key = (host.to_owned(), command.to_owned());
            inside.laid_out.entry(key).or_default().push_back(answer);
        });
    }

    /// Nothing is laid out any more.
    pub(crate) fn forget(&self) {
        self.with(|inside| inside.laid_out.clear());
    }

    /// From now on a copy of so many bytes goes so many of them in a second.
    pub(crate) fn copies(&self, total: i64, rate: i64) {
        let now = self.clock.now();
        self.with(|inside| {
            let done = inside.cluster.copied_at(now).0;
            inside.cluster.copied = (done, total);
            inside.cluster.copies = Some((now, rate));
        });
    }

    /// How busy each processor of a host is.
    pub(crate) fn loads(&self, host: &str, per_cpu: f64) {
        self.with(|inside| inside.cluster.loads.insert(host.to_owned(), per_cpu));
    }

    /// The disk of a host is so full, in percent.
    pub(crate) fn fills(&self, host: &str, percent: i64) {
        self.with(|inside| inside.cluster.used.insert(host.to_owned(), percent));
    }

    /// Every change that reached a host, in order: `pg2 promote`.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.with(|inside| inside.sent.clone())
    }

    /// How many commands came so far, probes too.
    pub(crate) fn executions(&self) -> u64 {
        self.with(|inside| inside.executions)
    }

    /// What the bot did wrong, and what a scene laid out in vain.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.with(|inside| {
            let vain = inside.laid_out.iter().filter(|(_, answers)| !answers.is_empty());
            let vain = vain.map(|((host, command), _)| format!("{host} was never asked for {command}"));
            inside.wrong.iter().cloned().chain(vain).collect()
        })
    }

    /// Ends when the time is over, or earlier with how the command was ended.
    async fn lasts(&self, wait: Duration, limit: Duration, control: Option<&mut Watch>) -> Option<Ending> {
        let stopped = async {
            let ended = match control {
                Some(control) => control.wait_for(|control| *control == Control::Stop).await.is_ok(),
                None => false,
            };
            if !ended {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => Some(Ending::Ended { by_limit: false, status: 143, escaped: Vec::new() }),
            () = self.clock.after(wait.min(limit)) => {
                (wait >= limit).then_some(Ending::Ended { by_limit: true, status: 143, escaped: Vec::new() })
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table: one case an answer")]
    async fn carry_out(&self, mut execution: Execution) -> Report {
        let host = execution.to.name.to_string();
        let known = self.with(|inside| {
            inside.executions += 1;
            inside.commands.recognise(&execution.body)
        });
        let Some(known) = known else {
            return self.wrong(format!("{host} was sent what no pack has: {:?}", execution.body));
        };
        let name = known.names[0].clone();
        let changes = !name.starts_with('?');
        let is_step = execution.attempt.is_some() && execution.step_dir.is_some() && execution.keys.is_some();
        let is_probe =
            execution.attempt.is_none() && execution.step_dir.is_none() && execution.keys.is_none();
        if (changes && !is_step) || (!changes && !is_probe) {
            return self.wrong(format!("{name} was sent to {host} in the wrong manner"));
        }
        let answer = self.with(|inside| {
            let mut find =
                |name: &String| inside.laid_out.get_mut(&(host.clone(), name.clone()))?.pop_front();
            known.names.iter().find_map(&mut find).unwrap_or(Answer::Well)
        });
        let began = self.clock.now();
        let limit = execution.limit;
        let mut answer = answer;
        while let Answer::Late(wait, then) = answer {
            if let Some(ending) = self.lasts(wait, limit, execution.control.as_mut()).await {
                return self.report(ending, b"", b"", began);
            }
            answer = *then;
        }
        match &answer {
            Answer::NotStarted(code, why) => return Report::not_started(code, *why, Duration::ZERO),
            Answer::NoProgram => return self.report(Ending::NoCommand, b"", b"", began),
            _ => {}
        }
        let does = matches!(
            answer,
            Answer::Well
                | Answer::Prints(_)
                | Answer::FailsAfterwards(..)
                | Answer::LostAfter(_)
                | Answer::Limited(_)
                | Answer::Unlinked(..)
        );
        let step_dir = execution.step_dir.clone().unwrap_or_default();
        let slot = known.variables.get("slot").filter(|_| changes).map(|slot| format!(" {slot}"));
        let now = self.clock.now();
        let came = self.with(|inside| {
            if changes {
                inside.sent.push(format!("{host} {name}{}", slot.unwrap_or_default()));
            }
            match (does, changes) {
                (false, _) => Came::Ended(0, String::new(), String::new()),
                (true, true) => inside.cluster.act(&host, &known.names, &known.variables, &step_dir),
                (true, false) => inside.cluster.answer(&host, &name, &known.variables, now),
            }
        });
        let (status, out, err) = match came {
            Came::Forbidden(why) => return self.wrong(why),
            Came::Unreachable => {
                if changes {
                    self.with(|inside| inside.sent.pop());
                }
                let why = format!(
                    "{host} cannot be reached: connect to {} port 22: timed out",
                    execution.to.address
                );
                return Report::not_started("unreachable", why, Duration::ZERO);
            }
            Came::Hangs => {
                let ending = self.lasts(limit, limit, execution.control.as_mut()).await;
                return self.report(ending.unwrap(), b"", b"", began);
            }
            Came::Ended(status, out, err) => (status, out, err),
        };
        let mut lasts = takes(&name);
        let (status, out, err) = match answer {
            Answer::Limited(wait) => {
                lasts = wait;
                (status, out.into_bytes(), err)
            }
            Answer::Unlinked(wait, why) => {
                self.clock.after(Duration::from_secs(10)).await;
                let tell = &execution.link.as_ref().unwrap().0;
                // It is tried again and again, and each time it fails.
                tell(Some(why));
                tell(Some(why));
                self.clock.after(wait).await;
                tell(None);
                (status, out.into_bytes(), err)
            }
            Answer::Well | Answer::Late(..) => (status, out.into_bytes(), err),
            Answer::Prints(bytes) => {
                if let Some(latest) = &execution.latest {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                    (latest.0)(lines[lines.len().saturating_sub(2)..].to_vec());
                }
                (status, bytes, err)
            }
            Answer::Fails(status, err) | Answer::FailsAfterwards(status, err) => {
                (status, Vec::new(), if err.is_empty() { String::new() } else { format!("{err}\n") })
            }
            Answer::LostBefore(why) | Answer::LostAfter(why) => {
                return self.report(Ending::Lost { why: why.to_owned() }, b"", b"", began);
            }
            Answer::IsOurFault => panic!("a fault of the bot itself"),
            Answer::Hangs => {
                let ending = self.lasts(limit, limit, execution.control.as_mut()).await;
                return self.report(ending.unwrap(), b"", b"", began);
            }
            Answer::NotStarted(..) | Answer::NoProgram => unreachable!("answered above"),
        };
        if changes && let Some(ending) = self.lasts(lasts, limit, execution.control.as_mut()).await {
            return self.report(ending, &out, err.as_bytes(), began);
        }
        self.report(Ending::Exited(status), &out, err.as_bytes(), began)
    }

    fn wrong(&self, what: String) -> Report {
        self.with(|inside| inside.wrong.push(what.clone()));
        Report::not_started("not-sendable", what, Duration::ZERO)
    }

    fn report(&self, ending: Ending, out: &[u8], err: &[u8], began: jiff::Timestamp) -> Report {
        let took = Duration::try_from(self.clock.now().duration_since(began)).unwrap();
        Report { ending, out: kept(out), err: kept(err), took }
    }
}

type Watch = tokio::sync::watch::Receiver<Control>;

fn kept(bytes: &[u8]) -> Kept {
    let (head, tail) = bytes.split_at(bytes.len().min(65_537));
    let tail = &tail[tail.len().saturating_sub(65_536)..];
    Kept {
        head: head.to_vec(),
        tail: tail.to_vec(),
        bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(bytes)),
    }
}

impl Target for Hosts {
    fn execute(&self, execution: Execution) -> Running<'_> {
        Box::pin(self.carry_out(execution))
    }

    /// These hosts keep nothing about what was sent to them.
    fn settle(&self, _: Execution) -> Running<'_> {
        let why = "the bot ended while it ran".to_owned();
        let report = self.report(Ending::Lost { why }, b"", b"", self.clock.now());
        Box::pin(async move { report })
    }

    /// They keep nothing, and can be asked nevertheless: who they are is asked by the name `?hello`.
    fn hello(&self, to: Destination) -> Later<'_, Result<GuardSeen, Ending>> {
        let host = to.name.to_string();
        let said = self.with(|inside| {
            let laid_out = inside.laid_out.get_mut(&(host.clone(), "?hello".to_owned()));
            match laid_out.and_then(VecDeque::pop_front) {
                Some(Answer::NotStarted(code, why)) => Err(Ending::NotStarted { code, why: why.to_owned() }),
                _ => Ok(GuardSeen { root: format!("{:0>16}", host.len()), boot: "as ever".to_owned() }),
            }
        });
        Box::pin(async move { said })
    }

    fn sweep(&self, _: Destination, _: Leftovers) -> Later<'_, ()> {
        Box::pin(async {})
    }

    fn prewarm(&self, _: Destination) -> Later<'_, ()> {
        Box::pin(async {})
    }
}
