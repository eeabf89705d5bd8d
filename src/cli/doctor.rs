//! Examines the bot and its hosts: `steadyhand doctor`. Needs no person, and works beside a running bot.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::arguments::Arguments;
use super::paths::of_paths;
use super::{Failed, discord_settings, show, style};
use crate::chat::desk::{CameOut, Reply};
use crate::chat::discord;
use crate::config::Config;
use crate::engine::clock::Clock;
use crate::engine::doctor;
use crate::journal::{JournalView, OpenError};
use crate::library::{Library, NotLoaded, Snapshot};
use crate::runbook::source::name::HostName;
use crate::target::Target;
use crate::target::ssh::Ssh;
use crate::wording::Page;
use crate::wording::doctor::{self as words, Finding};

/// So many hosts are examined at once.
const AT_ONCE: usize = 16;

/// So much room must there be for the journal, in MiB.
const MIN_ROOM_MIB: u64 = 256;

/// Examines the named hosts; or the bot itself, and all of them.
pub(super) async fn examine(
    arguments: &Arguments,
    config: Config,
    named: &[String],
) -> Result<CameOut, Failed> {
    let library = Library::new(config.folders.clone());
    let loaded = library.load();
    let mut parts = Vec::new();
    if named.is_empty() {
        parts.push(("The bot", of_the_bot(&config, &loaded).await));
        if let Some(discord) = of_discord(&config, loaded.as_deref().ok()).await {
            parts.push(("Discord", discord));
        }
        if let Ok(snapshot) = &loaded {
            parts.push(("Notices", of_paths(&config, snapshot).await));
        }
    }
    let snapshot = match loaded {
        Ok(snapshot) => snapshot,
        Err(_) if named.is_empty() => {
            let page = words::examined(&parts, &[]);
            show(arguments, style(arguments), &Reply { page, came_out: CameOut::Refused, run: None });
            return Ok(CameOut::Refused);
        }
        Err(NotLoaded::Unreadable(why)) => {
            return Err(format!("the folder of runbooks cannot be read: {why}").into());
        }
        Err(NotLoaded::Problems(_)) => {
            return Err("the folder of runbooks has problems. Next: steadyhand check".into());
        }
    };
    let known = &snapshot.set.inventory.hosts;
    let mut hosts: Vec<HostName> = Vec::new();
    for name in named {
        let Some((host, _)) = known.get_key_value(name.as_str()) else {
            let page = Page::sentence(format!("The inventory has no host `{name}`."))
                .next("hosts", "")
                .code("unknown-host");
            show(arguments, style(arguments), &Reply { page, came_out: CameOut::Refused, run: None });
            return Ok(CameOut::Refused);
        };
        hosts.push(host.clone());
    }
    if named.is_empty() {
        hosts.extend(known.keys().cloned());
    }
    let keys = library.pinned_keys(&snapshot.set);
    let ssh = Arc::new(Ssh::new(config.ssh)?);
    let (mut asked, mut found, mut waiting) = (JoinSet::new(), BTreeMap::new(), hosts.clone().into_iter());
    loop {
        while asked.len() < AT_ONCE
            && let Some(host) = waiting.next()
        {
            let pinned = keys.get(&host).cloned().unwrap_or_default();
            let target = ssh.clone() as Arc<dyn Target>;
            asked.spawn(doctor::examine(target, Clock::System, snapshot.clone(), host, pinned));
        }
        let Some(done) = asked.join_next().await else { break };
        if let Some(examined) = done? {
            found.insert(examined.host.clone(), examined);
        }
    }
    ssh.close().await;
    let found: Vec<_> = hosts.iter().filter_map(|host| found.remove(host)).collect();
    let is_well =
        parts.iter().flat_map(|(_, found)| found).all(Finding::is_well) && found.iter().all(words::is_well);
    let came_out = if is_well { CameOut::Done } else { CameOut::Refused };
    show(arguments, style(arguments), &Reply { page: words::examined(&parts, &found), came_out, run: None });
    Ok(came_out)
}

/// What the bot needs on its own machine.
async fn of_the_bot(config: &Config, loaded: &Result<Arc<Snapshot>, NotLoaded>) -> Vec<Finding> {
    let check = "steadyhand check says what and where";
    let mut found = match loaded {
        Err(NotLoaded::Unreadable(why)) => {
            vec![Finding::new("runbooks", why.clone(), true, "look at runbooks in the configuration")]
        }
        Err(NotLoaded::Problems(report)) => {
            let says = format!("{} problems: no request is taken", report.problems.len());
            vec![Finding::new("runbooks", says, true, check)]
        }
        Ok(snapshot) => vec![
            Finding::well("runbooks", format!("{}, without a problem", snapshot.set.runbooks.len())),
            match &snapshot.set.policy {
                Ok(policy) => Finding::well("policy", format!("it knows {} people", policy.people.len())),
                Err(_) => Finding::new("policy", "it has problems: nobody may do anything", true, check),
            },
        ],
    };
    found.push(journal(config).await);
    found.push(room(config));
    found
}

/// Whether the journal is whole. Each entry is looked at.
async fn journal(config: &Config) -> Finding {
    let path = config.journal.clone();
    let verified =
        tokio::task::spawn_blocking(move || JournalView::open(&path).and_then(|view| view.verify())).await;
    match verified {
        Ok(Ok(verified)) if verified.holds() => {
            let head = verified.head.get(..12).unwrap_or_default();
            Finding::well("journal", format!("all {} entries hold; its head is {head}…", verified.entries))
        }
        Ok(Ok(_)) => {
            let says = "it was changed from outside, or is damaged";
            Finding::new("journal", says, true, "steadyhand journal verify says where; restore a backup")
        }
        Ok(Err(OpenError::Missing { .. })) => {
            Finding::well("journal", "there is none yet: the first start makes it")
        }
        Ok(Err(error)) => {
            let (says, cure) = with_cure(&error.to_string(), "look at the file");
            Finding::new("journal", says, true, cure)
        }
        Err(error) => Finding::new("journal", error.to_string(), true, "steadyhand journal verify says more"),
    }
}

/// Whether the journal can be written where it lies, and has room there.
fn room(config: &Config) -> Finding {
    let folder = config.journal.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(".".as_ref());
    let at = folder.display();
    let cure = "give the folder to the user of the bot, or name another journal";
    if let Err(error) = nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK) {
        return Finding::new("room", format!("{at} cannot be written: {}", error.desc()), true, cure);
    }
    match nix::sys::statvfs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.blocks_available().saturating_mul(disk.fragment_size()) / (1024 * 1024);
            let cure = format!("make room: on a full disk nothing begins; {MIN_ROOM_MIB} MiB or more");
            Finding::new("room", format!("{free} MiB free for the journal"), free < MIN_ROOM_MIB, cure)
        }
        Err(error) => Finding::new("room", format!("{at}: {}", error.desc()), true, cure),
    }
}

/// What the chat needs on Discord; nothing where neither the configuration nor the policy speaks of it.
async fn of_discord(config: &Config, snapshot: Option<&Snapshot>) -> Option<Vec<Finding>> {
    let policy = snapshot.and_then(|snapshot| snapshot.set.policy.as_ref().ok());
    let door = policy.and_then(|policy| policy.doors.discord.as_ref());
    let Some(discord) = &config.discord else {
        let says = "the policy opens a door on Discord, and the configuration has no [discord]";
        let cure = "say there where the token is, or take the door out of the policy";
        return door.map(|_| vec![Finding::new("token", says, true, cure)]);
    };
    Some(match discord_settings(discord).await {
        Ok(settings) => discord::examine(&settings, policy, &Clock::System).await,
        Err(why) => {
            let (says, cure) = with_cure(&why.to_string(), "look at discord.token");
            vec![Finding::new("token", says, true, cure)]
        }
    })
}

/// What an error says, and what to do, which stands behind it.
fn with_cure(error: &str, otherwise: &str) -> (String, String) {
    let (says, cure) = error.split_once(". Next: ").unwrap_or((error, otherwise));
    (says.to_owned(), cure.to_owned())
}
