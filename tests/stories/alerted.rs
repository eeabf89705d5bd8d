//! A real Alertmanager tells a real bot of three alerts of one service, again and again: one incident, and on-call is told.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use peers::Peer;
use serde_json::{Value, json};
use steadyhand::incident::Incident;
use steadyhand::incident::model::{Audience, Status};
use steadyhand::incident::report::KIND;
use steadyhand::journal::JournalView;
use steadyhand::runbook::source::name::ServiceName;

use crate::crashing::until_true;
use crate::serving::{a_folder, an_own_address, program};
use crate::told::{Running, granting, secret};

const HOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKEN: &str = "Zx81-very-secret";

/// Says this over HTTP, and what is answered: the status and the text.
fn asked(at: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    let length = body.len();
    let kind = "Content-Type: application/json\r\nConnection: close";
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: here\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
}

/// Alertmanager on loopback, which tells the bot there. It groups by service, and repeats itself soon.
fn alertmanager(folder: &Path, bot: SocketAddr) -> (Running, SocketAddr) {
    let config = folder.join("alertmanager.yml");
    let token = folder.join("token-of-alertmanager");
    fs::write(&token, TOKEN).unwrap();
    let text = format!(
        "route: {{ receiver: steadyhand, group_by: [service], group_wait: 1s, group_interval: 2s, repeat_interval: 2s }}\n\
         receivers:\n  - name: steadyhand\n    webhook_configs:\n      - url: http://{bot}/alerts\n        send_resolved: true\n        \
         http_config: {{ authorization: {{ credentials_file: {} }} }}\n",
        token.display()
    );
    fs::write(&config, text).unwrap();
    let at = an_own_address(9093);
    let mut command = Command::new("prometheus-alertmanager");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.path={}", folder.join("alertmanager").display()));
    command.args([format!("--web.listen-address={at}"), "--cluster.listen-address=".to_owned()]);
    let log = fs::File::create(folder.join("alertmanager.log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let running = Running(command.spawn().expect("prometheus-alertmanager is installed"));
    until_true(
        || TcpStream::connect(at).is_ok() && asked(at, "GET", "/-/ready", "").0 == 200,
        || fs::read_to_string(folder.join("alertmanager.log")).unwrap_or_default(),
    );
    (running, at)
}

/// Everybody has two ways; who has the shop answers for orders.
fn notify(phone: &str, siren: &str) -> String {
    let people = ["anna", "ben", "chidi", "dana"].map(|name| format!("  {name}: [phone, siren]\n")).concat();
    format!(
        r#"notify: shop
paths:
  phone: {{ kind: webhook, url: "{phone}", secret: hook_key, depends_on: [modem] }}
  siren: {{ kind: webhook, url: "{siren}", secret: hook_key, depends_on: [mast] }}
people:
{people}schedules:
  primary: {{ zone: UTC, layers: [{{ people: [anna] }}] }}
  support: {{ zone: UTC, layers: [{{ people: [dana] }}] }}
reports: {{ alerts: alerts_key }}
"#
    )
}

fn alert(disk: &str) -> Value {
    json!({
        "labels": { "alertname": "DiskFull", "service": "orders", "disk": disk, "severity": "warning" },
        "annotations": { "summary": format!("{disk} is almost full <b>@everyone</b>") },
    })
}

fn ended(disk: &str) -> Value {
    let mut alert = alert(disk);
    alert["endsAt"] = json!("2020-01-01T00:00:00Z");
    alert["startsAt"] = json!("2019-01-01T00:00:00Z");
    alert
}

#[test]
fn three_alerts_of_one_service_are_one_incident_and_on_call_is_told() {
    let (folder, config) = a_folder();
    let (phone, siren) = (Peer::webhook(HOOK), Peer::webhook(HOOK));
    let here = folder.path();
    fs::write(here.join("notify.yaml"), notify(&phone.url(), &siren.url())).unwrap();
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/policy.yaml");
    let policy = granting(&fs::read_to_string(policy).unwrap(), &["hook_key", "alerts_key"]);
    fs::write(here.join("policy.yaml"), policy).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let secrets = [secret(here, "hook_key", HOOK), secret(here, "alerts_key", TOKEN)].concat();
    fs::write(&config, format!("policy = \"policy.yaml\"\n{text}[secrets]\n{secrets}")).unwrap();
    let bot = an_own_address(9187);
    let (log, journal) = (here.join("log"), here.join("steadyhand.db"));
    let serve = || {
        let mut command = program();
        command.arg("--config").arg(&config).arg("serve").env("STEADYHAND_SERVE_LISTEN", bot.to_string());
        let log = fs::File::options().create(true).append(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Running(command.spawn().unwrap())
    };
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let is_ready = || TcpStream::connect(bot).is_ok() && asked(bot, "GET", "/readyz", "").0 != 0;
    let figure = |name: &str| {
        let (_, text) = asked(bot, "GET", "/metrics", "");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    let incidents = || -> Vec<Incident> {
        let view = JournalView::open(&journal).unwrap();
        view.incidents().unwrap().into_iter().filter_map(|id| view.incident(id).unwrap()).collect()
    };
    let process = serve();
    until_true(is_ready, said);
    let (_alertmanager, at) = alertmanager(here, bot);
    let says = |alerts: &Value| {
        let (status, text) = asked(at, "POST", "/api/v2/alerts", &alerts.to_string());
        assert_eq!(status, 200, "{text}");
    };
    let about =
        || format!("{}\n{}", said(), fs::read_to_string(here.join("alertmanager.log")).unwrap_or_default());

    // Two are too few, however often they are said.
    says(&json!([alert("sda"), alert("sdb")]));
    let taken = "steadyhand_alert_posts_total{result=\"taken\"}";
    until_true(|| figure(taken) >= 3, about);
    assert_eq!(incidents().len(), 0);
    assert_eq!(phone.taken().len(), 0, "nobody is told");

    // The bot is killed, and forgets nothing; meanwhile there is a third.
    drop(process);
    says(&json!([alert("sdc")]));
    let _process = serve();
    until_true(|| TcpStream::connect(bot).is_ok() && incidents().len() == 1, about);
    until_true(|| !phone.taken().is_empty() && !siren.taken().is_empty(), about);
    let before = figure(taken);
    until_true(|| figure(taken) >= before + 2, about);

    let all = incidents();
    assert_eq!(all.len(), 1, "{}", about());
    assert_eq!(all[0].reports.len(), 3, "repeats are none");
    assert_eq!(all[0].opened.service.as_ref().map(ServiceName::as_str), Some("orders"));
    assert!(all[0].notices.iter().all(|it| it.audience == Audience::Operator));
    let view = JournalView::open(&journal).unwrap();
    assert_eq!(view.newest_of_kind(KIND, 100).unwrap().len(), 3, "what is repeated is no fact");

    // All of them are over, and a person is to say that it is.
    says(&json!([ended("sda"), ended("sdb"), ended("sdc")]));
    until_true(|| phone.taken().iter().any(|it| it.to_string().contains("all its alerts are over")), about);
    assert_eq!(incidents()[0].status, Status::Investigating);
    assert_eq!(figure("steadyhand_alert_posts_total{result=\"refused\"}"), 0);
    phone.assert_clean();
    siren.assert_clean();
}
