//! Commands on many hosts: the bot, and what people use instead, in turn on the same sshds with the same key.
//!
//! The bot is measured as it is used: a run of a runbook through engine, plan, guard and journal. Of its runs two are
//! told apart: steps that only read, and steps that change something, each under the guard and proven by a probe. Peers
//! run `true` and keep nothing. `ROUNDS=3 make bench-ssh` takes fewer rounds than seven.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::Farm;
use steadyhand::config::Config;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, Speaker, ToRun};
use steadyhand::journal::Journal;
use steadyhand::library::Library;
use steadyhand::run::Event;
use steadyhand::run::model::Outcome;
use steadyhand::target::ssh::Ssh;

use crate::bot::speaker;
use crate::{Goal, Promise, median};

const MANY: usize = 200;
const FEW: usize = 10;
const STEPS: usize = 20;
/// No round of anything takes longer.
const PATIENT: Duration = Duration::from_mins(2);

pub(crate) fn goals() -> Vec<Goal> {
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let farm = Farm::up(MANY, &[]).unwrap();
    write_runbooks(&farm);
    let peers = Peers::new(&farm);
    let mut goals = Vec::new();
    goals.extend(one_step(&runtime, &farm, rounds));
    // One journal for all that changes something: hosts turn an older one away.
    let bot = runtime.block_on(Bot::on(&farm, &farm.dir().join("bench.db"), true));
    goals.extend(twenty_steps(&runtime, &farm, &bot, &peers, rounds));
    goals.extend(warm(&runtime, &farm, &bot, &peers, rounds));
    runtime.block_on(bot.ssh.close());
    goals.extend(cold(&runtime, &farm, &peers, rounds));
    goals
}

/// Wall time, and the processors' time of the client with all its processes, in seconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

/// The middle of each.
fn middle(costs: &[Cost]) -> Cost {
    Cost {
        wall: median(costs.iter().map(|cost| cost.wall).collect()),
        cpu: median(costs.iter().map(|cost| cost.cpu).collect()),
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} s, client {:.2} s CPU", self.wall, self.cpu)
    }
}

/// One command on one host, its connection warm: a bare session of the same connection, a step that reads, and one that
/// changes something. Figures only: the goal of P7 is stated for p50 of each.
fn one_step(runtime: &tokio::runtime::Runtime, farm: &Farm, rounds: usize) -> Vec<Goal> {
    use steadyhand::plan::measure::ErrandBody;
    use steadyhand::runbook::source::name::HostName;
    use steadyhand::target::guard::Attempt;
    use steadyhand::target::{Destination, Execution, Target as _};

    let config = Config::load(Some(&farm.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
    let ssh = Ssh::new(config.ssh).unwrap();
    let to = Destination {
        name: HostName::new("w001").unwrap(),
        address: farm.address(1).to_string(),
        port: farm.port(),
        user: farm.user().to_owned(),
    };
    let no_op = ErrandBody::Run(vec!["true".to_owned()]);
    let plain = Execution::probe(to, no_op, Duration::from_secs(20));
    let mux = Peers::new(farm);
    let (mut bare, mut read, mut guarded) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let options = openssh_like(&mux);
        let session = options.connect_mux(farm.address(1).to_string()).await.unwrap();
        for round in 0..rounds * 20 {
            let began = Instant::now();
            session.command("true").status().await.unwrap();
            bare.push(began.elapsed().as_secs_f64() * 1_000.0);
            let began = Instant::now();
            ssh.execute(plain.clone()).await;
            read.push(began.elapsed().as_secs_f64() * 1_000.0);
            let attempt = Attempt {
                key: format!("bench.{round}"),
                root: None,
                holds: vec![("bench/one".to_owned(), 1)],
            };
            let began = Instant::now();
            ssh.execute(Execution { attempt: Some(attempt), ..plain.clone() }).await;
            guarded.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        session.close().await.unwrap();
        ssh.close().await;
    });
    let (bare, read, guarded) = (median(bare), median(read), median(guarded));
    vec![Goal {
        what: "P7 a step under the guard, p50, ms more than a bare command, to 30 ms",
        ratio: (guarded - bare) / 30.0,
        promised: Promise::AtMost(1.0),
        figures: format!(
            "bare {bare:.1} ms, read {read:.1} ms, guarded {guarded:.1} ms; both with a shell of ours around them"
        ),
    }]
}

/// The crate that the bot uses, with the keys of the farm and nothing else.
fn openssh_like(peers: &Peers) -> openssh::SessionBuilder {
    let mut builder = openssh::SessionBuilder::default();
    builder
        .known_hosts_check(openssh::KnownHosts::Strict)
        .config_file(peers.dir.join("plain_config"))
        .control_directory(&peers.dir);
    builder
}

/// P1 to P4: twenty steps on each of ten hosts.
fn twenty_steps(
    runtime: &tokio::runtime::Runtime,
    farm: &Farm,
    on_disk: &Bot,
    peers: &Peers,
    rounds: usize,
) -> Vec<Goal> {
    let forgetful = runtime.block_on(Bot::on(farm, &memory(farm), true));
    let (mut disk, mut memory, mut guarded, mut cold) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut others: Vec<Vec<Cost>> = peers.twenty_steps().iter().map(|_| Vec::new()).collect();
    let mut journal = Vec::new();
    for round in 0..=rounds {
        let a = runtime.block_on(on_disk.run("twenty-reads"));
        let thread = journal_thread();
        let b = runtime.block_on(forgetful.run("twenty-reads"));
        let thread = journal_thread() - thread;
        let c = runtime.block_on(on_disk.run("twenty-changes"));
        let d = runtime.block_on(async {
            let bot = Bot::on(farm, &farm.dir().join(format!("cold{round}.db")), true).await;
            let cost = bot.run("twenty-reads").await;
            bot.ssh.close().await;
            cost
        });
        // The first round warms up.
        if round > 0 {
            disk.push(a.from_start);
            memory.push(b.from_start);
            journal.push(thread);
            guarded.push(c.from_start);
            cold.push(d.whole);
        }
        for (peer, costs) in peers.twenty_steps().iter().zip(&mut others) {
            if round > 0
                && let Some(cost) = peer.run()
            {
                costs.push(cost);
            } else if round == 0 && peer.is_warm {
                peer.run();
            }
        }
    }
    let (disk, memory, guarded, cold) = (middle(&disk), middle(&memory), middle(&guarded), middle(&cold));
    let off = memory.wall - median(journal);
    let what =
        format!("{rounds} rounds in turn, medians: the bot, {STEPS} reads on each of {FEW} hosts: {disk}");
    let mut goals = vec![Goal {
        what: "P1 durability: the journal on disk to none, reads",
        ratio: disk.wall / off,
        promised: Promise::AtMost(1.15),
        figures: format!("{what}; without {off:.3} s: the journal in memory, less the time of its thread"),
    }];
    println!("        for comparison, {STEPS} changes under the guard, each proven by a probe: {guarded}");
    for (peer, costs) in peers.twenty_steps().iter().zip(&others) {
        if costs.is_empty() {
            println!(
                "        {} is not here or failed, so it is not compared: {}",
                peer.name,
                peer.last_words()
            );
            continue;
        }
        let theirs = middle(costs);
        let ours = if peer.is_warm { disk } else { cold };
        let note = if peer.is_warm { "warm" } else { "from the request, connecting included" };
        println!(
            "        {}: with guard and proof the bot is {:.2} times as fast",
            peer.name,
            theirs.wall / guarded.wall
        );
        goals.push(Goal {
            what: peer.what,
            ratio: theirs.wall / ours.wall,
            promised: Promise::AtLeast(peer.faster),
            figures: format!("{}: {theirs}; the bot, {note}: {ours}", peer.name),
        });
        if let Some(less) = peer.less_cpu {
            goals.push(Goal {
                what: "P2 client CPU: xargs ssh with ControlMaster to the bot",
                ratio: theirs.cpu / ours.cpu,
                promised: Promise::AtLeast(less),
                figures: format!("{}: {theirs}; the bot: {ours}", peer.name),
            });
        }
    }
    runtime.block_on(forgetful.ssh.close());
    goals
}

/// P5: one step on two hundred hosts, warm.
fn warm(
    runtime: &tokio::runtime::Runtime,
    farm: &Farm,
    bot: &Bot,
    peers: &Peers,
    rounds: usize,
) -> Vec<Goal> {
    let (mut reads, mut changes, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    let mut others: Vec<Vec<Cost>> = peers.fan_out().iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        let before = farm.cpu();
        let read = runtime.block_on(bot.run("one-read"));
        let sshd = farm.cpu().saturating_sub(before).as_secs_f64();
        let change = runtime.block_on(bot.run("one-change"));
        if round > 0 {
            reads.push(read.from_start);
            changes.push(change.from_start);
            floor.push(sshd);
        }
        for (peer, costs) in peers.fan_out().iter().zip(&mut others) {
            if let Some(cost) = peer.run()
                && round > 0
            {
                costs.push(cost);
            }
        }
    }
    let (reads, changes, sshd) = (middle(&reads), middle(&changes), median(floor));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    for (peer, costs) in peers.fan_out().iter().zip(&others) {
        match costs.as_slice() {
            [] => println!(
                "        {} is not here or failed, so it is not compared: {}",
                peer.name,
                peer.last_words()
            ),
            costs => {
                let theirs = middle(costs);
                println!(
                    "        {MANY} hosts, one step: {} {theirs}; the bot is {:.2} times as fast",
                    peer.name,
                    theirs.wall / reads.wall
                );
            }
        }
    }
    println!("        {MANY} hosts, one change under the guard, proven by a probe: {changes}");
    vec![Goal {
        what: "P5 warm fan-out over 200 hosts, reads, to 1.5 x (sshd CPU / cores) + 20 ms",
        ratio: reads.wall / (1.5 * sshd / cores + 0.02),
        promised: Promise::AtMost(1.0),
        figures: format!(
            "the bot {reads}; sshd {sshd:.2} s CPU, with the shells that it started, on {cores} cores"
        ),
    }]
}

/// P6: one step on two hundred hosts, nothing connected.
fn cold(runtime: &tokio::runtime::Runtime, farm: &Farm, peers: &Peers, rounds: usize) -> Vec<Goal> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let peer = peers.cold_xargs();
    for round in 0..rounds {
        ours.push(runtime.block_on(async {
            let bot = Bot::on(farm, &farm.dir().join(format!("c{round}.db")), true).await;
            let cost = bot.run("one-read").await;
            bot.ssh.close().await;
            cost.whole
        }));
        theirs.push(peer.run().expect("ssh is here"));
    }
    let (ours, theirs) = (middle(&ours), middle(&theirs));
    vec![Goal {
        what: "P6 cold fan-out over 200 hosts, from the request, to xargs ssh",
        ratio: ours.wall / theirs.wall,
        promised: Promise::AtMost(1.1),
        figures: format!("the bot {ours}; {} {theirs}", peer.name),
    }]
}

/// The bot, with a journal of its own.
struct Bot {
    engine: Engine,
    ssh: Arc<Ssh>,
    speaker: Speaker,
}

/// What a run took.
struct Took {
    /// From the request to its end.
    whole: Cost,
    /// From the start of the first step to its end.
    from_start: Cost,
}

impl Bot {
    async fn on(farm: &Farm, journal: &Path, demo: bool) -> Self {
        let config = Config::load(Some(&farm.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        let ssh = Arc::new(Ssh::new(config.ssh).unwrap());
        let library = Arc::new(Library::new(config.folders));
        let journal = Journal::open(journal, demo).unwrap();
        let dice = Dice::random();
        let engine =
            Engine::start(journal, library, ssh.clone(), Clock::System, dice, config.time_zone).await;
        let speaker = speaker("ana");
        Self { engine: engine.unwrap(), ssh, speaker }
    }

    /// Asks for a run, confirms its plan, and waits for its end.
    async fn run(&self, runbook: &str) -> Took {
        let mut happens = self.engine.follow();
        let (began, cpu) = (Instant::now(), client_cpu());
        let arguments =
            vec![("cluster".to_owned(), if runbook.starts_with("one") { "farm" } else { "few" }.to_owned())];
        let reason = Some("to be measured".to_owned());
        let run = self.engine.request(&self.speaker, runbook, arguments, reason).await.unwrap();
        let token = run.token.as_ref().unwrap_or_else(|| panic!("{:?}", run.remarks)).text.clone();
        self.engine.say(&self.speaker, run.id, ToRun::Confirm { token }).await.unwrap();
        let mut start = None;
        let outcome = loop {
            let happened = tokio::time::timeout(PATIENT, happens.recv()).await.expect("it ends").unwrap();
            match happened.stamped.event {
                Event::Started { .. } => {
                    let cpu = client_cpu();
                    start = Some((Instant::now(), cpu));
                }
                Event::Ended { outcome, .. } => break outcome,
                Event::StepFailed { unit, failure } => panic!("{unit:?}: {failure:?}"),
                _ => {}
            }
        };
        assert_eq!(outcome, Outcome::Succeeded);
        let since =
            |began: Instant, cpu: f64| Cost { wall: began.elapsed().as_secs_f64(), cpu: client_cpu() - cpu };
        let (started, cpu_then) = start.expect("it has started");
        Took { whole: since(began, cpu), from_start: since(started, cpu_then) }
    }
}

/// A file of its own in memory, where nothing is waited for.
fn memory(farm: &Farm) -> PathBuf {
    let name = farm.dir().file_name().unwrap().to_string_lossy().into_owned();
    let path = Path::new("/dev/shm").join(format!("{name}-bench.db"));
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = fs::remove_file(format!("{}{end}", path.display()));
    }
    path
}

/// Seconds of processors' time of this process, of all that it has waited for, and of the masters of ssh, which are
/// nobody's children.
fn client_cpu() -> f64 {
    let mut ticks = 0;
    let own = std::process::id().to_string();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let ours =
            name == own || (stat.contains("(ssh)") && command_line(&entry.path()).contains("steadyhand-"));
        if ours {
            ticks += ticks_of(&stat);
        }
    }
    ticks as f64 / 100.0
}

fn command_line(process: &Path) -> String {
    String::from_utf8_lossy(&fs::read(process.join("cmdline")).unwrap_or_default()).replace('\0', " ")
}

/// User and system time, own and of children that were waited for.
fn ticks_of(stat: &str) -> u64 {
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    fields.get(11..15).into_iter().flatten().filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// Seconds of processors' time of the threads that write journals.
fn journal_thread() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let ticks: u64 = stats
        .filter(|stat| stat.contains("(journal)"))
        .map(|stat| {
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            fields[11..13].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
        })
        .sum();
    ticks as f64 / 100.0
}

/// What people use instead: commands of a shell, and what is promised against each.
struct Peers {
    dir: PathBuf,
    sshd: Vec<Peer>,
    many: Vec<Peer>,
}

struct Peer {
    name: &'static str,
    what: &'static str,
    script: String,
    faster: f64,
    less_cpu: Option<f64>,
    is_warm: bool,
    /// Where what it prints goes.
    said: PathBuf,
}

impl Peer {
    /// The last line that it printed.
    fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
    }

    /// What one round takes; none if it is not here or fails.
    fn run(&self) -> Option<Cost> {
        let cpu = children_cpu();
        let masters = peer_masters();
        let began = Instant::now();
        let mut command = Command::new("timeout");
        let script = format!("exec >{} 2>&1; {}", self.said.display(), self.script);
        command.args(["--kill-after=1", "120", "sh", "-c", &script]);
        let status = command.stdin(Stdio::null()).status().ok()?;
        let wall = began.elapsed().as_secs_f64();
        status.success().then(|| Cost { wall, cpu: children_cpu() - cpu + peer_masters() - masters })
    }
}

/// Seconds of processors' time of children that were waited for.
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    fields[13..15].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() as f64 / 100.0
}

/// Seconds of processors' time of the masters that peers keep.
fn peer_masters() -> f64 {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if stat.contains("(ssh)") && command_line(&entry.path()).contains("/peers/") {
            ticks += ticks_of(&stat);
        }
    }
    ticks as f64 / 100.0
}

impl Peers {
    #[expect(clippy::too_many_lines, reason = "a table: each peer with its files")]
    fn new(farm: &Farm) -> Self {
        let dir = farm.dir().join("peers");
        fs::create_dir_all(&dir).unwrap();
        let at = dir.display();
        let (hosts, few) = (farm.names(), farm.names()[..FEW].to_vec());
        let mut aliases = String::new();
        let mut inventory = String::from("[all]\n");
        for (number, name) in (1..).zip(&hosts) {
            let _ = writeln!(aliases, "Host {name}\n  HostName {}", farm.address(number));
            let _ = writeln!(inventory, "{name} ansible_host={}", farm.address(number));
        }
        let common = format!(
            "Host *\n  BatchMode yes\n  User {}\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            farm.user(),
            farm.port(),
            farm.client_key().display(),
            farm.bot_dir().join("known_hosts").display(),
        );
        fs::write(dir.join("plain_config"), format!("{aliases}{common}")).unwrap();
        let mux = format!("  ControlMaster auto\n  ControlPath {at}/%n\n  ControlPersist 300\n");
        fs::write(dir.join("config"), format!("{aliases}{common}{mux}")).unwrap();
        fs::write(dir.join("hosts"), hosts.join("\n") + "\n").unwrap();
        fs::write(dir.join("few"), few.join("\n") + "\n").unwrap();
        fs::write(dir.join("inventory"), &inventory).unwrap();
        fs::write(
            dir.join("ansible.cfg"),
            format!(
                "[defaults]\nforks = 50\ngather_facts = False\nhost_key_checking = True\ninventory = {at}/inventory\nretry_files_enabled = False\n[ssh_connection]\npipelining = True\nusetty = False\nssh_args = -F {at}/config\n"
            ),
        )
        .unwrap();
        for module in ["raw", "command"] {
            let tasks = format!("    - {module}: 'true'\n      changed_when: false\n").repeat(STEPS);
            let few = few.join(",");
            let play = format!("- hosts: {few}\n  gather_facts: false\n  tasks:\n{tasks}");
            fs::write(dir.join(format!("{module}.yaml")), play).unwrap();
        }
        let fabric = format!(
            "from concurrent.futures import ThreadPoolExecutor\nfrom fabric import Connection\n\ndef work(address):\n    c = Connection(address, user='{}', port={}, connect_kwargs={{'key_filename': '{}'}})\n    for _ in range({STEPS}):\n        c.run('true', hide=True, in_stream=False)\n    c.close()\n\nwith ThreadPoolExecutor({FEW}) as pool:\n    list(pool.map(work, [{}]))\n",
            farm.user(),
            farm.port(),
            farm.client_key().display(),
            (1..=FEW).map(|number| format!("'{}'", farm.address(number))).collect::<Vec<_>>().join(", "),
        );
        fs::write(dir.join("with_fabric.py"), fabric).unwrap();
        let infra_hosts: Vec<String> = (1..=FEW)
            .map(|number| {
                format!(
                    "('{}', {{'ssh_user': '{}', 'ssh_port': {}, 'ssh_key': '{}', 'ssh_known_hosts_file': '{}'}})",
                    farm.address(number),
                    farm.user(),
                    farm.port(),
                    farm.client_key().display(),
                    farm.bot_dir().join("known_hosts").display()
                )
            })
            .collect();
        fs::write(dir.join("infra_hosts.py"), format!("few = [{}]\n", infra_hosts.join(", "))).unwrap();
        let operations = "server.shell(name='a step', commands=['true'])\n".repeat(STEPS);
        fs::write(
            dir.join("infra_deploy.py"),
            format!("from pyinfra.operations import server\n{operations}"),
        )
        .unwrap();
        let ansible = format!("cd {at} && ANSIBLE_CONFIG={at}/ansible.cfg");
        let mitogen = format!(
            "plugins=$(/usr/bin/python3 -c 'import ansible_mitogen, os; print(os.path.dirname(ansible_mitogen.__file__))')/plugins/strategy && {ansible} ANSIBLE_STRATEGY_PLUGINS=$plugins ANSIBLE_STRATEGY=mitogen_linear ansible-playbook command.yaml"
        );
        let peer = |name: &'static str, what, script: String, faster, less_cpu, is_warm| {
            let said = dir.join(format!("said-{}", name.replace(' ', "-")));
            Peer { name, what, script, faster, less_cpu, is_warm, said }
        };
        let xargs = format!(
            "for step in $(seq {STEPS}); do xargs -P50 -I@ ssh -F {at}/config @ true <{at}/few || exit 1; done"
        );
        let sshd = vec![
            peer("xargs -P50 ssh", "P2 xargs ssh with ControlMaster to the bot", xargs, 2.0, Some(8.0), true),
            peer(
                "ansible raw",
                "P3 ansible raw to the bot",
                format!("{ansible} ansible-playbook raw.yaml"),
                8.0,
                None,
                true,
            ),
            peer(
                "ansible command",
                "P3 ansible command, pipelining, to the bot",
                format!("{ansible} ansible-playbook command.yaml"),
                30.0,
                None,
                true,
            ),
            peer("mitogen", "P3 ansible command with mitogen to the bot", mitogen, 15.0, None, true),
            peer(
                "fabric",
                "P4 fabric to the bot, connecting included",
                format!("/usr/bin/python3 {at}/with_fabric.py"),
                2.5,
                None,
                false,
            ),
            peer(
                "pyinfra",
                "P4 pyinfra to the bot, connecting included",
                format!("cd {at} && \"${{PYINFRA:-pyinfra}}\" -y infra_hosts.py infra_deploy.py"),
                2.5,
                None,
                false,
            ),
        ];
        let many = vec![
            peer(
                "xargs -P50 ssh",
                "",
                format!("xargs -P50 -I@ ssh -F {at}/config @ true <{at}/hosts"),
                0.0,
                None,
                true,
            ),
            peer(
                "clush",
                "",
                format!("clush -q -S -f 50 -o '-F {at}/config' --hostfile={at}/hosts true"),
                0.0,
                None,
                true,
            ),
            peer(
                "pssh",
                "",
                format!("parallel-ssh -h {at}/hosts -p 50 -t 60 -x '-F {at}/config' true"),
                0.0,
                None,
                true,
            ),
            peer("ansible raw", "", format!("{ansible} ansible all -m raw -a true"), 0.0, None, true),
        ];
        Self { dir, sshd, many }
    }

    fn twenty_steps(&self) -> &[Peer] {
        &self.sshd
    }

    fn fan_out(&self) -> &[Peer] {
        &self.many
    }

    fn cold_xargs(&self) -> Peer {
        let at = self.dir.display();
        Peer {
            name: "xargs -P50 ssh",
            what: "",
            script: format!("xargs -P50 -I@ ssh -F {at}/plain_config @ true <{at}/hosts"),
            faster: 0.0,
            less_cpu: None,
            is_warm: false,
            said: self.dir.join("said-cold"),
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Their masters would live on for minutes.
        let at = self.dir.display();
        let script = format!(
            "for host in $(cat {at}/hosts); do test -S {at}/$host && ssh -F {at}/config -O exit $host; done; exit 0"
        );
        let _ = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

const PACK: &str = "pack: web
title: A server that is a file
probes:
  mark:
    asks: Was it marked?
    at_most: 20s
    results: { ok: bool }
    script: echo '{\"ok\":true}'
";

/// Twenty steps on ten hosts, and one on all: that read, and that change something.
pub(crate) fn write_runbooks(farm: &Farm) {
    let runbooks = farm.bot_dir().join("runbooks");
    fs::write(runbooks.join("packs/web.yaml"), PACK).unwrap();
    let inventory = farm.bot_dir().join("inventory.yaml");
    let text = fs::read_to_string(&inventory).unwrap();
    // A cluster of the first ten besides: a host belongs to one cluster, and so these are taken out of the large one
    // only in its name.
    let few = format!(
        "  few: {{ kind: web, service: shop, owner: web, hosts: [{}] }}\n",
        farm.names()[..FEW].join(", ")
    );
    fs::write(&inventory, text.replace("clusters:\n", &format!("clusters:\n{few}"))).unwrap();
    for (name, steps, changes) in [
        ("twenty-reads", STEPS, false),
        ("twenty-changes", STEPS, true),
        ("one-read", 1, false),
        ("one-change", 1, true),
    ] {
        let mut text = format!(
            "runbook: {name}\ntitle: Measure {{{{cluster}}}}\nuse_when: It is to be measured.\nowner: web\nrehearse: 90d\nparameters:\n  cluster: {{ type: cluster, kind: [web] }}\naccess: {{ start: [on-call] }}\n"
        );
        if changes {
            text.push_str("tell:\n  - { who: support, at: start, until: acknowledged, within: 1h }\nmeasure:\n  mark: { probe: web/mark, hosts: cluster.hosts }\n");
        }
        text.push_str(
            "steps:\n  - each: server\n    of: cluster.hosts\n    batch: { size: 100% }\n    steps:\n",
        );
        for step in 1..=steps {
            let _ = writeln!(
                text,
                "      - step: Step {step} on {{{{server}}}}\n        host: server\n        effect: {}\n        run: [\"true\"]\n        at_most: 20s",
                if changes { "reversible" } else { "read" }
            );
            if changes {
                text.push_str("        undo: { nothing: It changes nothing. }\n        verify:\n          - that: mark[server].ok\n            else: \"{{server}} is not marked\"\n");
            }
        }
        fs::write(runbooks.join(format!("{name}.yaml")), text).unwrap();
    }
}
