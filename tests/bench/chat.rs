//! Discord: how long somebody waits for the first response, while nothing goes on, while two hundred hosts are worked on,
//! and when two hundred people ask at once.
//!
//! What is measured begins with the fake Discord telling of an interaction and ends when it has the response, so the
//! fake's own work is in it. Discord, people and bot have runtimes of their own, in one process.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use discord::{Answer, Asked, Discord, Seen};
use lab::Farm;
use steadyhand::chat::discord::{self as chat, Messages};
use steadyhand::config::Config;
use steadyhand::engine::{Engine, Speaker, ToRun};
use steadyhand::run::{Run, RunId};
use steadyhand::target::ssh::Ssh;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::bot::{doors, settings, speaker};
use crate::started;
use crate::{Goal, Promise};

const HOSTS: usize = 200;
const IDLE: usize = 600;
const AT_ONCE: usize = 200;
/// The run works so long at most while it is measured.
const BUSY: Duration = Duration::from_secs(40);
/// Somebody asks so often meanwhile.
const EVERY: Duration = Duration::from_millis(20);

pub(crate) fn goals() -> Vec<Goal> {
    let farm = Farm::up(HOSTS, &[]).unwrap();
    crate::ssh::write_runbooks(&farm);
    let (people, machine) = (runtime(), runtime());
    let discord = people.block_on(Discord::start());
    opens_the_door(&farm, &discord);
    let bot = machine.block_on(Bot::on(&farm, &discord));
    people.block_on(discord.until_ready());
    // One that waits, so that there is something to press.
    machine.block_on(bot.asks_for("one-read", "few"));
    let note = people.block_on(discord.until_says("ops", "run 1"));

    people.block_on(one_by_one(&discord, &note, 40, || false));
    let idle = people.block_on(one_by_one(&discord, &note, IDLE, || false));
    let at_once = people.block_on(all_at_once(&discord, &note));
    let before = farm.cpu();
    let run = machine.block_on(bot.works("twenty-reads"));
    let began = Instant::now();
    let over = || began.elapsed() > BUSY || bot.engine.run(run).is_ok_and(|run| run.is_ended());
    let busy = people.block_on(one_by_one(&discord, &note, usize::MAX, over));
    let (seconds, sshd) = (began.elapsed().as_secs_f64(), farm.cpu().saturating_sub(before).as_secs_f64());
    let done = bot.engine.run(run).unwrap();
    machine.block_on(bot.ends());
    if idle.first.at(100).max(busy.first.at(100)).max(at_once.first.at(100)) < 3_000.0 {
        discord.assert_clean();
    }
    vec![
        Goal {
            what: "P13 Discord, first response while nothing goes on, p99, to 10 ms",
            ratio: idle.first.at(99) / 10.0,
            promised: Promise::AtMost(1.0),
            figures: idle.to_string(),
        },
        Goal {
            what: "P13 Discord, first response while 20 reads on each of 200 hosts run, p99, to 100 ms",
            ratio: busy.first.at(99) / 100.0,
            promised: Promise::AtMost(1.0),
            figures: format!(
                "{busy}; in {seconds:.1} s {} steps were done, and the sshds beside took {sshd:.1} s CPU",
                done.steps_done().0
            ),
        },
        Goal {
            what: "Discord, 200 interactions at once, the slowest first response, to 3 s",
            ratio: at_once.first.at(100) / 3_000.0,
            promised: Promise::AtMost(1.0),
            figures: at_once.to_string(),
        },
    ]
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// ana and ben are known on this server.
fn opens_the_door(farm: &Farm, discord: &Discord) {
    let path = farm.bot_dir().join("policy.yaml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for name in ["ana", "ben"] {
        let id = discord.person(name).id();
        let (from, to) = (
            format!("{name}: {{ console: {name} }}"),
            format!("{name}: {{ console: {name}, discord: \"{id}\" }}"),
        );
        assert!(text.contains(&from), "{text}");
        text = text.replace(&from, &to);
    }
    std::fs::write(&path, text.replace("doors: { console: {} }", &doors(discord, &["ops"]))).unwrap();
}

struct Bot {
    engine: Engine,
    ssh: Arc<Ssh>,
    speaker: Speaker,
    chat: chat::Discord,
    ending: CancellationToken,
}

impl Bot {
    async fn on(farm: &Farm, discord: &Discord) -> Self {
        let mut config = Config::load(Some(&farm.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        config.journal = farm.dir().join("chat.db");
        let (engine, desk, ssh) = started(config).await;
        let settings = settings(discord, Messages::Mention);
        let ending = CancellationToken::new();
        let chat = chat::start(settings, desk, ending.clone()).unwrap();
        let speaker = speaker("ana");
        Self { engine, ssh, speaker, chat, ending }
    }

    async fn asks_for(&self, runbook: &str, cluster: &str) -> Arc<Run> {
        let arguments = vec![("cluster".to_owned(), cluster.to_owned())];
        self.engine
            .request(&self.speaker, runbook, arguments, Some("to be measured".to_owned()))
            .await
            .unwrap()
    }

    /// All hosts work.
    async fn works(&self, runbook: &str) -> RunId {
        let run = self.asks_for(runbook, "farm").await;
        let token = run.token.as_ref().unwrap_or_else(|| panic!("{:?}", run.remarks)).text.clone();
        let mut happens = self.engine.follow();
        self.engine.say(&self.speaker, run.id, ToRun::Confirm { token }).await.unwrap();
        // The first batch is one host.
        while self.engine.run(run.id).unwrap().steps_done().0 < 2 {
            let _ = happens.recv().await;
        }
        run.id
    }

    async fn ends(&self) {
        for run in self.engine.open_runs() {
            let _ = self.engine.say(&self.speaker, run.id, ToRun::Stop { now: true }).await;
        }
        self.ending.cancel();
        self.chat.ended().await;
        self.engine.end().await;
        self.ssh.close().await;
    }
}

/// Milliseconds, sorted.
struct Times(Vec<f64>);

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// So many of a hundred took no longer.
    fn at(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent).div_ceil(100).max(1) - 1]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", self.at(50), self.at(99), self.at(100))
    }
}

/// How long people waited.
struct Waited {
    first: Times,
    whole: Times,
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} interactions: first response {}; the whole answer {}",
            self.first.0.len(),
            self.first,
            self.whole
        )
    }
}

/// Of every kind in turn: a command, a press that is refused, a form, names that are completed.
fn asks(discord: &Discord, note: &Seen, number: usize) -> Asked {
    let ana = discord.person("ana");
    match number % 4 {
        0 => ana.types("/status").unwrap(),
        1 => ana.forges_press(note, "s1 approve 1 00000000"),
        2 => ana.forges_press(note, "s1 refuse 1 ?"),
        _ => ana.completes("run one-read", "cluster", "f").unwrap(),
    }
}

async fn one_by_one(discord: &Discord, note: &Seen, most: usize, over: impl Fn() -> bool) -> Waited {
    let (mut first, mut whole) = (Vec::new(), Vec::new());
    let mut number = 0;
    while number < most && !over() {
        let (began, asked) = (Instant::now(), asks(discord, note, number));
        // Who is not answered has waited for three seconds.
        let answer = asked.answer().await;
        first.push(milliseconds(began));
        if number % 4 < 2 && !matches!(answer, Answer::Failed) {
            asked.reply().await;
            whole.push(milliseconds(began));
        }
        tokio::time::sleep(EVERY).await;
        number += 1;
    }
    Waited { first: Times::of(first), whole: Times::of(whole) }
}

async fn all_at_once(discord: &Discord, note: &Seen) -> Waited {
    let began = Instant::now();
    let asked: Vec<Asked> = (0..AT_ONCE).map(|number| asks(discord, note, number)).collect();
    let waits = asked.into_iter().enumerate().map(|(number, asked)| {
        tokio::spawn(async move {
            let answer = asked.answer().await;
            let first = milliseconds(began);
            if number % 4 < 2 && !matches!(answer, Answer::Failed) {
                asked.reply().await;
            }
            (first, milliseconds(began))
        })
    });
    let (mut first, mut whole) = (Vec::new(), Vec::new());
    for waits in waits.collect::<Vec<_>>() {
        let (answered, replied) = waits.await.unwrap();
        first.push(answered);
        whole.push(replied);
    }
    Waited { first: Times::of(first), whole: Times::of(whole) }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}
