//! From the approval to the first row that clients can write: the bot, and a shell script with the same commands over
//! warm connections, in turn on the same cluster. The primary moves to and fro between pg1 and pg2.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::{Host, Lab, Spec, Writer};
use steadyhand::chat::desk::Desk;
use steadyhand::chat::grammar::{command, words};
use steadyhand::config::Config;
use steadyhand::engine::Engine;
use steadyhand::engine::context::{Context, errand_body};
use steadyhand::engine::planner::Before;
use steadyhand::plan::measure::{ErrandBody, inquiry};
use steadyhand::plan::model::Plan;
use steadyhand::policy::decide::Door;
use steadyhand::run::RunId;
use steadyhand::run::model::Requested;
use steadyhand::runbook::expression::Ask;
use steadyhand::runbook::source::name::{HostName, Person, RunbookName};
use steadyhand::target::ssh::Ssh;

use crate::bot::speaker;
use crate::started;
use crate::{Goal, Promise, median};

const ROUNDS: usize = 9;
const PATIENT: Duration = Duration::from_secs(30);

pub(crate) fn goals() -> Vec<Goal> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(compare())
}

async fn compare() -> Vec<Goal> {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    let bot = Bot::on(&lab).await;
    let by_hand = lab.dir().join("by-hand");
    fs::create_dir(&by_hand).unwrap();
    open_connections(&lab, &by_hand);
    let (mut bots, mut scripts) = (Vec::new(), Vec::new());
    let mut primary = ["pg1", "pg2"];
    // The first round of each warms up.
    for round in 0..=ROUNDS {
        let by_bot = bot.moves(&lab, primary[1]).await;
        primary.reverse();
        bot.write_commands(&by_hand, primary[1]).await;
        let by_script = script_moves(&lab, &by_hand, primary);
        primary.reverse();
        if round > 0 {
            bots.push(by_bot);
            scripts.push(by_script);
        }
    }
    bot.ssh.close().await;
    close_connections(&lab, &by_hand);
    let (bot, script) = (median(bots), median(scripts));
    vec![Goal {
        what: "from approval to writable: the bot to a shell script with the same commands",
        ratio: bot / script,
        promised: Promise::AtMost(1.15),
        figures: format!("{ROUNDS} rounds in turn, medians: bot {bot:.3} s, script {script:.3} s"),
    }]
}

/// The bot as a console has it, with runbooks of its own: without the hour between two failovers.
struct Bot {
    desk: Desk,
    engine: Engine,
    ssh: Arc<Ssh>,
}

impl Bot {
    async fn on(lab: &Lab) -> Self {
        let mut config = Config::load(Some(&lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        let own = lab.bot_dir().join("runbooks");
        fs::create_dir_all(own.join("packs")).unwrap();
        for file in [
            "failover-database.yaml",
            "rebuild-data-server.yaml",
            "packs/haproxy.yaml",
            "packs/host.yaml",
            "packs/postgresql.yaml",
        ] {
            let text = fs::read_to_string(config.folders.runbooks.join(file)).unwrap();
            fs::write(own.join(file), text.replace("cool_down: 1h\n", "")).unwrap();
        }
        config.folders.runbooks = own;
        let (engine, desk, ssh) = started(config).await;
        Self { desk, engine, ssh }
    }

    /// Types a line as a person; gives the run that it is about.
    async fn says(&self, person: &str, line: &str) -> Option<RunId> {
        self.desk
            .answer(&speaker(person), command(&words(line).unwrap()).unwrap())
            .await
            .run
            .map(|run| run.id)
    }

    /// Moves the primary; gives the seconds from the approval to the first row on the candidate.
    async fn moves(&self, lab: &Lab, candidate: &str) -> f64 {
        let ask = format!(
            r#"run failover-database cluster=orders candidate={candidate} mode=planned reason="to be measured""#
        );
        let id = self.says("ana", &ask).await.expect("it has become a run");
        self.engine.rest(id).await.unwrap();
        let run = self.engine.run(id).unwrap();
        let token = run.token.as_ref().unwrap_or_else(|| panic!("{:?}", run.remarks)).text.clone();
        self.says("ana", &format!("confirm {id} {token}")).await;
        let digest = run.digest().unwrap().short().to_owned();
        let writer = lab.writer().unwrap();
        let approved = Instant::now();
        self.says("ben", &format!("approve {id} {digest}")).await;
        let writable = writable_after(&writer, candidate, approved);
        let run = self.engine.rest(id).await.unwrap();
        assert!(run.is_ended(), "{:?}", run.phase);
        no_loss(writer);
        writable
    }

    /// Writes every command that the bot would send to move the primary to `candidate`.
    async fn write_commands(&self, folder: &Path, candidate: &str) {
        let arguments = [("cluster", "orders"), ("candidate", candidate), ("mode", "planned")];
        let request = Requested {
            runbook: RunbookName::new("failover-database").unwrap(),
            arguments: arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            reason: "to be measured".to_owned(),
            by: Person::new("ana").unwrap(),
            account: "ana".to_owned(),
            door: Door::Console,
        };
        let planner = &self.desk.planner;
        let snapshot = planner.library.load().unwrap_or_else(|error| panic!("{error:?}"));
        let planned = planner.offer(&snapshot, RunId(1), &request, &Before::default()).await;
        let (offer, context) = planned.unwrap_or_else(|not| panic!("{not:?}"));
        write_steps(folder, &offer.plan);
        write_questions(folder, &context);
    }
}

fn write_steps(folder: &Path, plan: &Plan) {
    for (lane, unit) in plan.units() {
        let Some(step) = unit.step() else { continue };
        let action = step.command.action.as_deref().unwrap_or_default();
        let name = action.rsplit('/').next().unwrap();
        let lane = lane.map(|host| format!("-{host}")).unwrap_or_default();
        let body = errand_body(plan, &step.command, 1).unwrap();
        fs::write(folder.join(format!("{name}{lane}.sh")), as_sh(&body)).unwrap();
    }
}

/// Every question of the runbook to every host of the cluster.
fn write_questions(folder: &Path, context: &Context) {
    let questions = [
        ("node", "node"),
        ("link", "link"),
        ("clients", "sessions"),
        ("readers", "sessions"),
        ("fence", "fence"),
        ("power", "power"),
        ("write", "write"),
    ];
    for (measurement, name) in questions {
        for host in ["pg1", "pg2", "pg3"] {
            let by_host = ["node", "link"].contains(&measurement).then(|| HostName::new(host).unwrap());
            let ask = Ask { measurement: measurement.to_owned(), host: by_host };
            // The candidate is not asked about its link to itself.
            let asked = inquiry(&context.snapshot.set, context.runbook(), &context.situation, &ask);
            let Ok(asked) = asked else { continue };
            let path = folder.join(format!("{name}-{}.sh", asked.errand.host));
            fs::write(path, as_sh(&asked.errand.body)).unwrap();
        }
    }
}

fn as_sh(body: &ErrandBody) -> String {
    let ErrandBody::Script { text, variables } = body else { panic!("all of these are scripts") };
    let mut script = "export step_dir=$(mktemp -d)\n".to_owned();
    for (name, value) in variables {
        let _ = writeln!(script, "export {name}='{}'", value.replace('\'', r"'\''"));
    }
    script + text
}

fn script_moves(lab: &Lab, folder: &Path, [old, new]: [&str; 2]) -> f64 {
    let writer = lab.writer().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/by-hand.sh");
    let started = Instant::now();
    let mut running = Command::new("sh").arg(script).arg(folder).args([old, new, "pg3"]).spawn().unwrap();
    let writable = writable_after(&writer, new, started);
    assert!(running.wait().unwrap().success());
    no_loss(writer);
    writable
}

fn writable_after(writer: &Writer, host: &str, moment: Instant) -> f64 {
    let deadline = Instant::now() + PATIENT;
    loop {
        if let Some((first, _)) = writer.acks_by(host) {
            return (first - moment).as_secs_f64();
        }
        assert!(Instant::now() < deadline, "{host} takes no rows: {:?}", writer.figures().errors);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn no_loss(writer: Writer) {
    let report = writer.stop().unwrap();
    assert_eq!(report.lost, [0; 0], "{report:?}");
}

/// The hosts that the failover speaks to.
fn reached(lab: &Lab) -> Vec<Host> {
    let mut hosts = lab.members();
    hosts.push(lab.host("power1"));
    hosts
}

fn open_connections(lab: &Lab, folder: &Path) {
    let mut config = format!(
        "Host *\n  BatchMode yes\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n  ControlMaster auto\n  ControlPath {}/%n\n  ControlPersist 300\n",
        lab.user(),
        lab.client_key().display(),
        lab.bot_dir().join("known_hosts").display(),
        folder.display(),
    );
    for host in reached(lab) {
        let _ = writeln!(
            config,
            "Host {}\n  HostName {}\n  Port {}",
            host.name(),
            host.address(),
            host.ssh_port()
        );
    }
    fs::write(folder.join("ssh_config"), config).unwrap();
    for host in reached(lab) {
        ssh(folder, &[host.name(), "true"]);
    }
}

fn close_connections(lab: &Lab, folder: &Path) {
    for host in reached(lab) {
        ssh(folder, &["-O", "exit", host.name()]);
    }
}

fn ssh(folder: &Path, arguments: &[&str]) {
    let output =
        Command::new("ssh").arg("-F").arg(folder.join("ssh_config")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
