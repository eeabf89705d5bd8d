//! Notices under faults: `make soak-notify N=10000`. Three of ten attempts on every path go wrong, and the bot is killed
//! at every edge of a notice and at random moments, again and again. Ends with the figures, and with 1 if one was lost.

#![expect(clippy::disallowed_methods, reason = "the bot is started and killed, in real time")]

mod bot;
mod receivers;
mod verdict;

use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use receivers::Receivers;
use steadyhand::failpoint::Point;

/// The bot is killed after so many notices, on average.
const KILLED_EVERY: u64 = 100;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let wanted = usize::try_from(number("N", 1000)).expect("as many as can be counted");
    let seed = number("SEED", 1);
    if let Some(folder) = std::env::var_os("SOAK_BOT") {
        runtime.block_on(bot::works(Path::new(&folder), wanted, seed));
        return ExitCode::SUCCESS;
    }
    if !cfg!(debug_assertions) {
        println!("This build has no failpoints. Next: make soak-notify");
        return ExitCode::FAILURE;
    }
    let folder = tempfile::tempdir().unwrap();
    let verdict = runtime.block_on(async {
        let receivers = Receivers::start(seed).await;
        files(folder.path(), &receivers);
        let kills = soaked(folder.path(), wanted, seed).await;
        verdict::of(folder.path(), &receivers, kills)
    });
    println!("{verdict}");
    if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts the bot until it has done everything, and kills it meanwhile. How often it was killed.
async fn soaked(folder: &Path, wanted: usize, seed: u64) -> u32 {
    let edges = Point::OF_NOTICES.map(Point::name);
    let (mut kills, mut chance) = (0_u32, seed | 1);
    loop {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("SOAK_BOT", folder).env("SEED", (chance >> 8).to_string());
        let enough = u64::from(kills) * KILLED_EVERY >= wanted as u64;
        let edge = edges[kills as usize % edges.len()];
        if !enough {
            // A point is passed once for several notices.
            let nth = 1 + (chance >> 33) % (KILLED_EVERY / 2);
            command.env("STEADYHAND_FAILPOINT", format!("{edge}:{nth}:kill"));
        }
        let mut bot = command.spawn().unwrap();
        if ended(&mut bot).await {
            return kills;
        }
        kills += 1;
    }
}

/// Whether the bot ended by itself.
async fn ended(bot: &mut Child) -> bool {
    loop {
        if let Some(status) = bot.try_wait().unwrap() {
            assert!(status.success() || status.code().is_none(), "the bot broke: {status}");
            return status.success();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The files of the bot. Everybody has four ways that share nothing; Slack alone knows no keys.
fn files(folder: &Path, receivers: &Receivers) {
    let (web, mail) = (receivers.web, receivers.mail);
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    std::fs::create_dir(folder.join("runbooks")).unwrap();
    write("known_hosts", String::new());
    let secrets = [
        ("hook_key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        ("slack_url", format!("http://127.0.0.1:{web}/slack")),
        ("pager_key", "R0123456789012345678901234567890".to_owned()),
    ];
    let mut config = format!(
        "journal = \"{0}/steadyhand.db\"\nrunbooks = \"{0}/runbooks\"\ninventory = \"{0}/inventory.yaml\"\n\
         policy = \"{0}/policy.yaml\"\nknown_hosts = \"{0}/known_hosts\"\n[secrets]\n",
        folder.display()
    );
    for (name, value) in secrets {
        write(name, value);
        config.extend([name, " = \"file:", &folder.join(name).display().to_string(), "\"\n"]);
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.join(name), private).unwrap();
    }
    write("steadyhand.toml", config);
    write(
        "inventory.yaml",
        "inventory: soak\nservices:\n  shop: { title: The shop, owner: on-call, shown_as: [shop] }\n  \
         search: { title: Search, owner: on-call, shown_as: [search] }\n  \
         mail: { title: Mail, owner: platform, shown_as: [mail] }\nclusters: {}\nhosts: {}\n"
            .to_owned(),
    );
    let people = bot::PEOPLE.map(|name| format!("  {name}: {{ console: {name} }}\n")).concat();
    write(
        "policy.yaml",
        format!(
            "policy: soak\npeople:\n{people}roles:\n  on-call: {{ people: [p0, p1], escalates_to: commander }}\n  \
             platform: {{ people: [p2, p3], escalates_to: commander }}\n  commander: {{ people: [p0, p5] }}\n  \
             support: {{ people: [p4], escalates_to: commander }}\ndoors: {{ console: {{}} }}\nrules: []\n\
             secrets: {{ hook_key: [notify.yaml], slack_url: [notify.yaml], pager_key: [notify.yaml] }}\n"
        ),
    );
    let ways = |name: &str, first: &str| {
        let mut all = vec!["hook", "mail", "slack", "pager"];
        let at = all.iter().position(|it| *it == first).unwrap();
        all.rotate_left(at);
        let all: Vec<String> = all
            .into_iter()
            .map(|path| match path {
                "mail" => format!("{{ path: mail, to: {name}@soak.test }}"),
                path => path.to_owned(),
            })
            .collect();
        format!("  {name}: [{}]\n", all.join(", "))
    };
    let firsts = ["hook", "mail", "slack", "pager", "hook", "mail"];
    let people: String = bot::PEOPLE.iter().zip(firsts).map(|(name, first)| ways(name, first)).collect();
    let escalation = |role: &str| {
        format!(
            "  {role}: {{ steps: [{{ tell: [{role}], wait: 5m }}, {{ tell: [commander], wait: 5m }}], last_resort: [siren] }}\n"
        )
    };
    let escalations: String = ["on-call", "platform", "support"].map(escalation).concat();
    write(
        "notify.yaml",
        format!(
            "notify: soak\npaths:\n  hook: {{ kind: webhook, url: \"http://127.0.0.1:{web}/hook\", secret: hook_key, depends_on: [a] }}\n  \
             mail: {{ kind: mail, server: \"127.0.0.1:{mail}\", from: bot@soak.test, tls: none, depends_on: [b] }}\n  \
             slack: {{ kind: slack, url: slack_url, depends_on: [c] }}\n  \
             pager: {{ kind: pagerduty, routing_key: pager_key, url: \"http://127.0.0.1:{web}/v2/enqueue\", depends_on: [d] }}\n  \
             siren: {{ kind: webhook, url: \"http://127.0.0.1:{web}/hook\", secret: hook_key, depends_on: [e] }}\n\
             people:\n{people}escalations:\n{escalations}"
        ),
    );
}
