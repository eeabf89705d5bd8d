//! The proxy of the first path is gone, and people are told all the same; the bot is killed, and somebody outside notices.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use discord::Discord;
use peers::{MailServer, Peer};

use crate::crashing::until_true;
use crate::serving::{a_folder_with, an_own_address, keeps_the_token, program};

const HOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PAGER: &str = "R0123456789012345678901234567890";
/// The switch outside is called so often, and cries out when it was not for two times as long.
const EVERY: Duration = Duration::from_secs(1);

/// A process of ours, which goes with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `HAProxy` on loopback, before this address.
fn a_proxy(folder: &Path, before: &str) -> (Running, SocketAddr) {
    let at = an_own_address(9443);
    let text = format!(
        "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n\
         frontend in\n  bind {at}\n  default_backend out\nbackend out\n  server one {before}\n"
    );
    let config = folder.join("haproxy.cfg");
    fs::write(&config, text).unwrap();
    let mut command = Command::new("haproxy");
    command
        .arg("-db")
        .arg("-f")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let proxy = Running(command.spawn().expect("haproxy is installed"));
    until_true(|| TcpStream::connect(at).is_ok(), || "haproxy".to_owned());
    (proxy, at)
}

/// Everybody has three ways: over the proxy, over a pager, and by mail.
fn notify(siren: &str, pager: &str, mail: &str) -> String {
    let ways = |name: &str| format!("  {name}: [siren, pager, {{ path: mail, to: {name}@shop.test }}]\n");
    let people = ["anna", "ben", "chidi", "dana"].map(ways).concat();
    format!(
        r#"notify: shop
paths:
  siren: {{ kind: webhook, url: "{siren}", secret: hook_key, depends_on: [proxy] }}
  pager: {{ kind: pagerduty, routing_key: pager_key, url: "{pager}", depends_on: [pagerduty] }}
  mail:  {{ kind: mail, server: "{mail}", from: steadyhand@shop.test, tls: none, depends_on: [relay] }}
  shout: {{ kind: mail, server: "{mail}", from: shout@shop.test, tls: none, depends_on: [attic] }}
people:
{people}schedules:
  primary: {{ zone: UTC, layers: [{{ people: [anna] }}] }}
  support: {{ zone: UTC, layers: [{{ people: [dana] }}] }}
escalations:
  shop: {{ steps: [{{ tell: [shop], wait: 5m }}], last_resort: [{{ path: shout, to: all@shop.test }}] }}
  support: {{ steps: [{{ tell: [support], wait: 5m }}], last_resort: [{{ path: shout, to: all@shop.test }}] }}
watcher: {{ url: watcher_url, every: 1s }}
trials: {{ days: [mon, tue, wed, thu, fri, sat, sun], between: ["00:00", "00:00"] }}
"#
    )
}

/// Keeps a secret in a file of its own: the line of the configuration that names it.
pub(crate) fn secret(folder: &Path, name: &str, value: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, value).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    format!("{name} = \"file:{}\"\n", path.display())
}

/// The shipped policy, with these secrets for those who are told and no others.
#[track_caller]
pub(crate) fn granting(policy: &str, secrets: &[&str]) -> String {
    let (before, behind) = policy.split_once("secrets:").unwrap();
    let behind = behind.split_once("break_glass:").unwrap().1;
    let granted: Vec<String> = secrets.iter().map(|name| format!("{name}: [notify.yaml]")).collect();
    format!("{before}secrets: {{ {} }}\nbreak_glass:{behind}", granted.join(", "))
}

#[test]
fn without_the_proxy_of_the_first_path_people_are_told_and_without_the_bot_somebody_outside_notices() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let discord = runtime.block_on(Discord::start());
    let (folder, config) = a_folder_with(&discord);
    keeps_the_token(folder.path(), &discord, 0o600);
    let (hook, pager, mail) = (Peer::webhook(HOOK), Peer::pagerduty(PAGER), MailServer::start());
    let switch = Peer::healthchecks();
    let address = |url: &str| url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let (proxy, at) = a_proxy(folder.path(), &address(&hook.url()));
    let siren = hook.url().replace(&address(&hook.url()), &at.to_string());
    fs::write(folder.path().join("notify.yaml"), notify(&siren, &pager.url(), &mail.address())).unwrap();
    let secrets = [("hook_key", HOOK), ("pager_key", PAGER), ("watcher_url", &switch.url())];
    let policy = fs::read_to_string(folder.path().join("policy.yaml")).unwrap();
    let policy = granting(&policy, &["hook_key", "pager_key", "watcher_url"]);
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let table = secrets.map(|(name, value)| secret(folder.path(), name, value)).concat();
    fs::write(&config, format!("{text}[secrets]\n{table}")).unwrap();
    let log = folder.path().join("log");
    let mut command = program();
    command.arg("--config").arg(&config).arg("serve").env("STEADYHAND_SERVE_LISTEN", "127.0.0.1:0");
    command.env("STEADYHAND_SERVE_TRIALS", "on");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut bot = Running(command.spawn().unwrap());
    let said = || fs::read_to_string(&log).unwrap_or_default();
    until_true(|| !switch.taken().is_empty() || !switch.came().is_empty(), said);

    // Each path is tried once, and an alert of a trial is closed at once.
    let is_tried = || !hook.taken().is_empty() && !pager.alerts().is_empty() && mail.letters().len() >= 2;
    let state = || format!("{} {:?} {:?} {}", hook.taken().len(), pager.alerts(), mail.letters(), said());
    until_true(is_tried, state);
    let trials = mail.letters();
    assert!(trials.iter().all(|letter| letter.header("Subject") == "[test] steadyhand"), "{trials:?}");
    let mut to: Vec<String> = trials.iter().flat_map(|letter| letter.to.clone()).collect();
    to.sort();
    assert_eq!(to, ["all@shop.test", "anna@shop.test"], "the last resort, and whoever is on duty");
    until_true(|| pager.alerts().iter().all(|alert| alert.status == "resolved"), said);
    let tried = (hook.taken().len(), pager.alerts().len());

    // While all is well a page goes over the proxy, too.
    let asked = |line: &str| {
        runtime.block_on(async {
            discord.until_ready().await;
            discord.person("ana").types(line).unwrap().reply().await
        })
    };
    asked("/incident open severity=sev2 service=orders text=\"checkout is slow\"");
    until_true(|| hook.taken().len() > tried.0 && pager.alerts().len() > tried.1, said);

    // The proxy is killed, and the pager does not answer: both of the first two ways are gone.
    drop(proxy);
    pager.goes_away();
    let mails = mail.letters().len();
    let before = (hook.taken().len(), pager.alerts().len());
    let gone = Instant::now();
    asked("/incident open severity=sev1 service=orders text=\"checkout does not answer\"");
    until_true(|| mail.letters().len() > mails, said);
    let told_after = gone.elapsed();
    assert!(told_after < Duration::from_mins(1), "told after {told_after:?}");
    let letter = mail.letters()[mails].clone();
    assert!(letter.header("Subject").contains("Order processing"), "{}", letter.raw);
    assert!(["chidi@shop.test", "dana@shop.test"].contains(&letter.to[0].as_str()), "{:?}", letter.to);
    assert_eq!((hook.taken().len(), pager.alerts().len()), before, "nothing went over what is gone");
    println!("told {:.1} s after both first ways were gone", told_after.as_secs_f64());

    // The switch outside is still called: everybody is being told. The bot is killed, and it is called no more.
    let calls = switch.came().len();
    until_true(|| switch.came().len() > calls, said);
    bot.0.kill().unwrap();
    bot.0.wait().unwrap();
    let killed = Instant::now();
    let (mut calls, mut last) = (switch.came().len(), Instant::now());
    until_true(
        || {
            let now = switch.came().len();
            if now > calls {
                (calls, last) = (now, Instant::now());
            }
            last.elapsed() > 3 * EVERY
        },
        said,
    );
    println!("somebody outside noticed {:.1} s after the bot was killed", killed.elapsed().as_secs_f64());
    hook.assert_clean();
    switch.assert_clean();
}
