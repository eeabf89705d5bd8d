//! What was found of the bot and on hosts that were examined: a row for each thing, and what to do about it.

use super::page::{Below, Block, Page, Role, Row, Table, cell, plain};
use super::plan::count;
use crate::plan::examined::{Answers, Examined};
use crate::runbook::source::hidden::visible;

/// A command that does nothing may cost so much, in milliseconds.
const MAX_COST_MS: u64 = 500;
/// So much room must there be for what the host keeps, in KiB.
const MIN_ROOM_KIB: u64 = 64 * 1024;
/// Clocks may differ by so much, in seconds.
const MAX_AHEAD_S: i64 = 5;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    what: &'static str,
    says: String,
    /// What to do, where it is wrong.
    cure: Option<String>,
}

impl Finding {
    /// What was looked at, and what was seen; where it is wrong, what to do.
    pub fn new(what: &'static str, says: impl Into<String>, wrong: bool, cure: impl Into<String>) -> Self {
        Self { what, says: says.into(), cure: wrong.then(|| cure.into()) }
    }

    /// It is as it should be.
    pub fn well(what: &'static str, says: impl Into<String>) -> Self {
        Self { what, says: says.into(), cure: None }
    }

    /// Whether it is as it should be.
    pub fn is_well(&self) -> bool {
        self.cure.is_none()
    }
}

/// Whether all is well there.
pub fn is_well(examined: &Examined) -> bool {
    findings(examined).iter().all(Finding::is_well)
}

/// The bot in its parts, each with its title, then all hosts, one below the other; and what needs something.
pub fn examined(parts: &[(&str, Vec<Finding>)], hosts: &[Examined]) -> Page {
    let mut page = Page::new();
    for (title, found) in parts {
        page = table(page, title, found);
    }
    for host in hosts {
        page = table(page, &format!("{}  {}", host.host, visible(&host.at)), &findings(host));
    }
    let mut unwell: Vec<&str> = Vec::new();
    for finding in parts.iter().flat_map(|(_, found)| found).filter(|finding| !finding.is_well()) {
        if unwell.last() != Some(&finding.what) {
            unwell.push(finding.what);
        }
    }
    if !unwell.is_empty() {
        page = page.text(format!("The bot needs something: {}.", unwell.join(", "))).code("bot-unwell");
    } else if !parts.is_empty() {
        page = page.text("The bot: all well.");
    }
    if hosts.is_empty() { page } else { summary(page, hosts) }
}

fn table(page: Page, title: &str, found: &[Finding]) -> Page {
    let rows = found.iter().map(row).collect();
    page.text(title).with(Block::Table(Table { rows, ..Table::default() })).with(Block::Blank)
}

fn summary(page: Page, hosts: &[Examined]) -> Page {
    let unwell: Vec<String> =
        hosts.iter().filter(|host| !is_well(host)).map(|host| host.host.to_string()).collect();
    if unwell.is_empty() {
        return page.text(format!("{}: all well.", count(hosts.len(), "host")));
    }
    page.text(format!(
        "{} of {} need something: {}.",
        unwell.len(),
        count(hosts.len(), "host"),
        unwell.join(", ")
    ))
    .code("host-unwell")
}

fn row(finding: &Finding) -> Row {
    let (mark, role) =
        if finding.cure.is_some() { ("! WRONG", Role::Danger) } else { ("+ well", Role::Good) };
    Row {
        cells: vec![cell(mark, role), plain(finding.what), plain(visible(&finding.says))],
        below: finding.cure.iter().map(|cure| Below::Text(format!("Cure: {}.", visible(cure)))).collect(),
    }
}

fn findings(examined: &Examined) -> Vec<Finding> {
    let pinned = Finding::new(
        "host key",
        if examined.keys.is_empty() { "none is pinned".to_owned() } else { examined.keys.join(" or ") },
        examined.keys.is_empty(),
        "compare the key on the host itself, then add it to known_hosts",
    );
    match &examined.answers {
        Err((code, why)) => vec![pinned, Finding::new("reachable", why.clone(), true, not_reached(code))],
        Ok(answers) => {
            let mut all = vec![pinned, Finding::new("reachable", "it answers, and lets us in", false, "")];
            all.extend(of_answers(answers));
            all
        }
    }
}

fn not_reached(code: &str) -> &'static str {
    match code {
        "unreachable" => "look whether the host is on, its sshd runs, and the way to it is open",
        "host-key-unknown" => "compare the key on the host itself, then add it to known_hosts",
        "host-key-changed" => "find out why it has another key before anybody changes known_hosts",
        "login-refused" => "give the login user our public key, and a shell such as /bin/sh",
        "busy" => "raise MaxSessions of its sshd, or wait for the runs that use it",
        "slow" => "look at the profile of the login user, and at the load of the host",
        _ => "look at the sshd log of the host, then ask again",
    }
}

fn of_answers(answers: &Answers) -> Vec<Finding> {
    let told = |name: &str| answers.told.get(name).map(String::as_str).unwrap_or_default();
    let shell = if told("shell").is_empty() { "a shell that it does not tell" } else { told("shell") };
    let room = told("room").parse::<u64>().ok();
    let durable = told("durable") == "yes";
    let kills = matches!(told("kills").to_lowercase().as_str(), "yes" | "true" | "on" | "1");
    let missing = told("missing");
    let guard = match &answers.guard {
        Ok(guard) => format!("it can be used; its folder is {}", guard.root),
        Err(why) => why.clone(),
    };
    let boot = answers.guard.as_ref().map_or("it did not tell", |guard| guard.boot.as_str());
    let clock = match answers.ahead {
        Some(ahead) if ahead.0 == 0 => "as ours".to_owned(),
        Some(ahead) => format!("{} s {}", ahead.0.abs() / 1000, if ahead.0 > 0 { "ahead" } else { "behind" }),
        None => "it did not tell the time".to_owned(),
    };
    let clock_is_wrong = answers.ahead.is_none_or(|ahead| ahead.0.abs() / 1000 > MAX_AHEAD_S);
    vec![
        Finding::new(
            "login",
            format!("{shell}, {} ms for a command that does nothing", answers.cost_ms),
            answers.cost_ms > MAX_COST_MS,
            "look at the profile of the login user, and at the load of the host",
        ),
        Finding::new(
            "guard",
            guard,
            answers.guard.is_err(),
            "do what it says: until then nothing is changed there",
        ),
        Finding::new("boot", boot, answers.guard.is_err(), "mend the guard first"),
        Finding::new(
            "room",
            room.map_or_else(
                || "it did not tell".to_owned(),
                |kib| format!("{} MiB free for what is kept of steps", kib / 1024),
            ),
            room.is_none_or(|kib| kib < MIN_ROOM_KIB),
            format!("make room in the home of the login user: {} MiB or more", MIN_ROOM_KIB / 1024),
        ),
        Finding::new(
            "durable",
            if durable { "what a step writes down survives a power failure" } else { "sync does not work" },
            !durable,
            "install sync of coreutils, and look at the disk: without it no step can be begun safely",
        ),
        Finding::new("clock", clock, clock_is_wrong, "start the synchronisation of time, such as chrony"),
        Finding::new(
            "logout",
            if kills {
                "KillUserProcesses ends a step when its connection breaks"
            } else {
                "a step survives its connection"
            },
            kills,
            "loginctl enable-linger for the login user, or KillUserProcesses=no in logind.conf",
        ),
        Finding::new(
            "programs",
            if answers.commands == 0 {
                "its packs need none".to_owned()
            } else if missing.is_empty() {
                format!("{} of its packs are there", count(answers.commands, "program"))
            } else {
                format!("not there: {missing}")
            },
            !missing.is_empty(),
            "install them, or put them on the PATH of the login user",
        ),
    ]
}
