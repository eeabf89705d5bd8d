//! Examines hosts by themselves: what every runbook needs of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use crate::library::Snapshot;
use crate::plan::examined::{Answers, Examined};
use crate::plan::measure::ErrandBody;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::HostName;
use crate::target::{Destination, Ending, Execution, Report, Target};

/// So many commands that do nothing are timed.
const NO_OPS: usize = 5;
/// One answer takes no longer.
const WITHIN: Duration = Duration::from_secs(10);

/// What a host says of itself, a line each. No line keeps the others back.
const SCRIPT: &str = r#"
user=$(id -un)
echo "shell=$(getent passwd "$user" | cut -d: -f7)" || :
folder=$HOME/.steadyhand
[ -d "$folder" ] || folder=$HOME
echo "room=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')" || :
if sync "$folder" 2>/dev/null; then echo durable=yes; else echo durable=no; fi
kills=
for file in /usr/lib/systemd/logind.conf /usr/lib/systemd/logind.conf.d/*.conf /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf /run/systemd/logind.conf.d/*.conf; do
  [ -r "$file" ] || continue
  said=$(sed -n 's/^ *KillUserProcesses *= *//p' "$file" | tail -n 1)
  [ -z "$said" ] || kills=$said
done
[ ! -e "/var/lib/systemd/linger/$user" ] || kills=
echo "kills=$kills"
missing=
for command in $commands; do command -v "$command" >/dev/null || missing="$missing $command"; done
echo "missing=${missing# }"
"#;

/// Examines a host of the inventory; none if it has no such host.
pub async fn examine(
    target: Arc<dyn Target>,
    clock: Clock,
    snapshot: Arc<Snapshot>,
    host: HostName,
    keys: Vec<String>,
) -> Option<Examined> {
    let known = snapshot.set.inventory.hosts.get(&host)?;
    let to = Destination {
        name: host.clone(),
        address: known.address.value.clone(),
        port: known.port,
        user: known.user.value.clone(),
    };
    let at = format!("{}@{}:{}", to.user, to.address, to.port);
    let commands = commands_of(&snapshot, &host);
    let answers = answers(&*target, &clock, to, &commands).await;
    Some(Examined { host, at, keys, answers })
}

async fn answers(
    target: &dyn Target,
    clock: &Clock,
    to: Destination,
    commands: &[String],
) -> Result<Answers, (String, String)> {
    let no_op = || ErrandBody::Run(vec!["true".to_owned()]);
    ended(target.execute(Execution::probe(to.clone(), no_op(), WITHIN)).await)?;
    let mut costs = Vec::new();
    for _ in 0..NO_OPS {
        let began = clock.now();
        ended(target.execute(Execution::probe(to.clone(), no_op(), WITHIN)).await)?;
        costs.push(clock.now().duration_since(began).as_millis().unsigned_abs());
    }
    costs.sort_unstable();
    let cost_ms = u64::try_from(costs[NO_OPS / 2]).unwrap_or(u64::MAX);
    let guard = target.hello(to.clone()).await.map_err(|ending| why(&ending).1);
    let date = ErrandBody::Run(vec!["date".to_owned(), "+%s".to_owned()]);
    let dated = target.execute(Execution::probe(to.clone(), date, WITHIN)).await;
    let now = clock.now().as_second();
    let said = String::from_utf8_lossy(&dated.out.head).trim().parse::<i64>().ok();
    let variables = BTreeMap::from([("commands".to_owned(), commands.join(" "))]);
    let script = ErrandBody::Script { text: SCRIPT.to_owned(), variables };
    let told = ended(target.execute(Execution::probe(to, script, WITHIN)).await)?;
    let told = String::from_utf8_lossy(&told.out.head)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let ahead = said.map(|said| Millis::seconds(said - now));
    Ok(Answers { cost_ms, guard, ahead, told, commands: commands.len() })
}

/// A command that ended, however that was.
fn ended(report: Report) -> Result<Report, (String, String)> {
    match &report.ending {
        Ending::Exited(_) => Ok(report),
        ending => Err(why(ending)),
    }
}

fn why(ending: &Ending) -> (String, String) {
    let (code, why) = match ending {
        Ending::NotStarted { code, why } => (*code, why.clone()),
        Ending::Lost { why } | Ending::Lives { why } => ("lost", why.clone()),
        Ending::Ended { .. } => {
            ("slow", format!("a command that does nothing took longer than {} s", WITHIN.as_secs()))
        }
        Ending::NoCommand => {
            ("no-command", "the most ordinary programs are not on the PATH of the login user".to_owned())
        }
        Ending::Exited(status) => ("lost", format!("it ended with {status}")),
    };
    (code.to_owned(), why)
}

/// The programs that the packs of a host need: of its cluster, of its own kind, and of what it may join.
fn commands_of(snapshot: &Snapshot, host: &HostName) -> Vec<String> {
    let inventory = &snapshot.set.inventory;
    let of_cluster = inventory.cluster_of(host.as_str()).map(|(_, cluster)| &cluster.kind);
    let own = inventory.hosts.get(host);
    let kinds =
        [of_cluster, own.and_then(|host| host.kind.as_ref()), own.and_then(|host| host.spare_for.as_ref())];
    let packs = kinds.into_iter().flatten().filter_map(|kind| snapshot.set.packs.get(kind.value.as_str()));
    let mut commands: Vec<String> =
        packs.flat_map(|pack| &pack.commands).map(|word| word.value.clone()).collect();
    commands.sort_unstable();
    commands.dedup();
    commands
}
