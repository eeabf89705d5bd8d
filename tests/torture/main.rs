//! Torture of the guard through the real client: at a random moment of a step something is killed, and what the client
//! then says is compared with what the command itself has counted in a file.
//!
//! `make torture RUNS=5000`; `cargo bench --bench torture -- cost` compares the time of a guarded command with that of
//! one that only reads. Ends with 1 if a verdict was wrong.

#![expect(
    clippy::disallowed_methods,
    reason = "kills at random moments are real time, and programs are started"
)]

mod cost;
mod harm;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harm::Harm;
use lab::{Lab, Spec};
use steadyhand::config::Config;
use steadyhand::plan::measure::ErrandBody;
use steadyhand::runbook::source::name::HostName;
use steadyhand::target::guard::Attempt;
use steadyhand::target::ssh::Ssh;
use steadyhand::target::{Control, Destination, Ending, Execution, Target as _};
use tokio::sync::watch;

/// Every attempt is known within its limit, two minutes of patience, and a little more.
const FOR_EVER: Duration = Duration::from_mins(3);

/// A host with a worker of its own.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) to: Destination,
    /// The home that its sshd gives to everybody.
    pub(crate) home: PathBuf,
    config: PathBuf,
}

impl Place {
    pub(crate) fn client(&self) -> Arc<Ssh> {
        let config = Config::load(Some(&self.config), &|_| None).expect("the lab wrote it");
        Arc::new(Ssh::new(config.ssh).expect("there is room in the temporary folder"))
    }

    pub(crate) fn places(lab: &Lab) -> Vec<Self> {
        let place = |host: lab::Host| Self {
            to: Destination {
                name: HostName::new(host.name()).expect("a name"),
                address: host.address().to_string(),
                port: host.ssh_port(),
                user: lab.user().to_owned(),
            },
            home: host.dir().join("home"),
            config: lab.bot_dir().join("steadyhand.toml"),
        };
        lab.hosts().into_iter().map(place).collect()
    }

    pub(crate) fn changes(&self, key: &str, script: String) -> Execution {
        let body = ErrandBody::Script { text: script, variables: BTreeMap::new() };
        let attempt = Attempt { key: key.to_owned(), root: None, holds: vec![("host/it".to_owned(), 1)] };
        Execution {
            attempt: Some(attempt),
            ..Execution::probe(self.to.clone(), body, Duration::from_secs(20))
        }
    }
}

/// Small and repeatable; nothing here is secret.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// What came of the runs with one kind of harm.
#[derive(Default)]
struct Row {
    runs: u64,
    never: u64,
    finished: u64,
    lost: u64,
    wrong: u64,
}

#[derive(Default)]
struct Tally {
    rows: Mutex<BTreeMap<&'static str, Row>>,
    /// Those that are said never to have run: looked at again at the end.
    never: Mutex<Vec<(Harm, PathBuf)>>,
}

/// One step and one harm.
struct Case {
    harm: Harm,
    key: String,
    counter: PathBuf,
    status: i32,
    script: String,
    moment: Duration,
}

impl Case {
    fn new(number: u64, place: &Place, chance: &mut Chance) -> Self {
        let harm = Harm::ALL[usize::try_from(chance.below(Harm::ALL.len() as u64)).expect("few")];
        let status = i32::try_from(chance.below(6)).expect("small");
        let key = format!("torture-{}-{number}.1", std::process::id());
        let counter = place.home.join(&key);
        let lasts = match harm {
            Harm::Stop => "sleep 30".to_owned(),
            Harm::StopStubborn => "trap '' TERM; sleep 30; sleep 30; sleep 30".to_owned(),
            _ => format!("echo some output; sleep 0.{:03}", chance.below(300)),
        };
        let script = format!("echo ran >>{}\n{lasts}\nexit {status}", counter.display());
        let within = if chance.below(10) < 6 { 30 } else { 200 };
        Self { harm, key, counter, status, script, moment: Duration::from_millis(chance.below(within)) }
    }

    fn count(&self) -> usize {
        count(&self.counter)
    }

    /// Why this verdict is wrong; none if it is right.
    fn wrong(&self, ending: &Ending, place: &Place) -> Option<String> {
        let count = self.count();
        let right = match ending {
            Ending::NotStarted { code, .. } => count == 0 && (*code == "not-started" || self.harm.cuts()),
            Ending::Exited(status) if *status == self.status => count == 1,
            // The process that becomes the command was killed before it did: a wrong "it ran", which costs a look.
            Ending::Exited(137 | 143) => self.harm.kills_commands() && count <= 1,
            Ending::Ended { escaped, .. } => {
                self.harm.stops() && count <= 1 && escaped.is_empty() && harm::marked(&self.key).is_empty()
            }
            Ending::Lost { .. } => self.harm.kills_guards() && count <= 1,
            Ending::Exited(_) | Ending::NoCommand | Ending::Lives { .. } => false,
        };
        (!right).then(|| {
            format!(
                "{} on {} after {:?}: {ending:?}, and it ran {count} times and exits with {}",
                self.harm.name(),
                place.to.name,
                self.moment,
                self.status
            )
        })
    }
}

fn count(counter: &PathBuf) -> usize {
    fs::read_to_string(counter).map_or(0, |text| text.lines().count())
}

async fn one(case: &Case, place: &Place, clients: &mut [Arc<Ssh>; 2], chance: &mut Chance) -> Vec<Ending> {
    let [client, spare] = clients;
    let (control, controlled) = watch::channel(Control::Run);
    let execution = place.changes(&case.key, case.script.clone());
    let start = |client: &Arc<Ssh>, execution: Execution| {
        let client = client.clone();
        tokio::spawn(async move { client.execute(execution).await.ending })
    };
    // The moment counts from the sending.
    client.prewarm(place.to.clone()).await;
    spare.prewarm(place.to.clone()).await;
    let running = start(client, Execution { control: Some(controlled), ..execution.clone() });
    let twice = (case.harm == Harm::Twice).then(|| start(&place.client(), execution.clone()));
    tokio::time::sleep(case.moment).await;
    if case.harm.stops() {
        control.send_replace(Control::Stop);
    }
    let frozen = case.harm.strike(place, &case.key, client.folder(), chance);
    let mut endings = Vec::new();
    if case.harm.loses_client() {
        running.abort();
        // The next one has a connection already: its question may overtake what is still on its way.
        std::mem::swap(client, spare);
        endings.push(settled(client, &execution).await);
        if case.harm == Harm::HalfOpen {
            *spare = place.client();
        }
    } else {
        endings.push(
            tokio::time::timeout(FOR_EVER, running)
                .await
                .map_or_else(|_| hangs(), |end| end.expect("no panic")),
        );
        if case.harm == Harm::Master {
            *client = place.client();
        }
    }
    if let Some(twice) = twice {
        endings.push(
            tokio::time::timeout(FOR_EVER, twice)
                .await
                .map_or_else(|_| hangs(), |end| end.expect("no panic")),
        );
    }
    // Whatever was said once is said again, by everybody.
    if matches!(endings[0], Ending::Exited(_) | Ending::Ended { .. }) && chance.below(8) == 0 {
        endings.push(settled(&place.client(), &execution).await);
    }
    harm::kill_all(&frozen);
    endings
}

async fn settled(client: &Arc<Ssh>, execution: &Execution) -> Ending {
    tokio::time::timeout(FOR_EVER, client.settle(execution.clone()))
        .await
        .map_or_else(|_| hangs(), |report| report.ending)
}

fn hangs() -> Ending {
    Ending::Exited(-1)
}

async fn worker(place: Place, seed: u64, next: Arc<AtomicU64>, runs: u64, tally: Arc<Tally>) {
    let mut chance = Chance(seed);
    let mut clients = [place.client(), place.client()];
    // Logins take a while, and never the same.
    fs::write(place.home.join(".bashrc"), "sleep 0.0$((RANDOM % 10))\n").expect("a home");
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= runs {
            return;
        }
        let case = Case::new(number, &place, &mut chance);
        let endings = one(&case, &place, &mut clients, &mut chance).await;
        let wrong: Vec<String> = endings.iter().filter_map(|ending| case.wrong(ending, &place)).collect();
        for wrong in &wrong {
            println!("WRONG: {wrong}");
        }
        let mut rows = tally.rows.lock().expect("no panic");
        let row = rows.entry(case.harm.name()).or_default();
        row.runs += 1;
        row.wrong += u64::from(!wrong.is_empty());
        match &endings[0] {
            Ending::NotStarted { .. } => {
                row.never += 1;
                tally.never.lock().expect("no panic").push((case.harm, case.counter.clone()));
            }
            Ending::Lost { .. } => row.lost += 1,
            _ => row.finished += 1,
        }
        if number > 0 && number.is_multiple_of(100) {
            println!("{number} runs");
        }
    }
}

fn torture(runs: u64, seed: u64) -> ExitCode {
    let lab = Lab::up(Spec::default().fast()).expect("a lab");
    let tally = Arc::new(Tally::default());
    let next = Arc::new(AtomicU64::new(0));
    println!("{runs} runs, seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let places = Place::places(&lab).into_iter().enumerate();
        let workers: Vec<_> = places
            .map(|(n, place)| {
                let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(n as u64 + 1);
                tokio::spawn(worker(place, seed, next.clone(), runs, tally.clone()))
            })
            .collect();
        for worker in workers {
            worker.await.expect("no panic");
        }
    });
    let (mut kills, mut wrong) = (0, 0);
    println!(
        "{:<34} {:>6} {:>6} {:>9} {:>6} {:>6}",
        "what was done", "runs", "never", "finished", "lost", "wrong"
    );
    for (name, row) in tally.rows.lock().expect("no panic").iter() {
        let Row { runs, never, finished, lost, wrong: bad } = row;
        println!("{name:<34} {runs:>6} {never:>6} {finished:>9} {lost:>6} {bad:>6}");
        kills += runs;
        wrong += bad;
    }
    for (harm, counter) in tally.never.lock().expect("no panic").iter() {
        if count(counter) > 0 {
            println!("WRONG: {}: it was said never to run, and ran later", harm.name());
            wrong += 1;
        }
    }
    println!("{kills} kills, {wrong} wrong verdicts");
    if wrong == 0 && kills == runs { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cost"] => cost::compare(),
        [runs] => torture(runs.parse().expect("a number of runs"), u64::from(std::process::id())),
        [runs, seed] => torture(runs.parse().expect("a number of runs"), seed.parse().expect("a seed")),
        _ => torture(1_000, u64::from(std::process::id())),
    }
}
