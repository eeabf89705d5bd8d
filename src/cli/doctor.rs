//! Examines hosts: `steadyhand doctor`. Needs no journal, and no person.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::arguments::Arguments;
use super::{Failed, show, style};
use crate::chat::desk::{CameOut, Reply};
use crate::config::Config;
use crate::engine::clock::Clock;
use crate::engine::doctor;
use crate::library::{Library, NotLoaded};
use crate::runbook::source::name::HostName;
use crate::target::Target;
use crate::target::ssh::Ssh;
use crate::wording::{Page, doctor as words};

/// So many hosts are examined at once.
const AT_ONCE: usize = 16;

/// Examines the named hosts, or all of them.
pub(super) async fn examine(
    arguments: &Arguments,
    config: Config,
    named: &[String],
) -> Result<CameOut, Failed> {
    let library = Library::new(config.folders.clone());
    let snapshot = library.load().map_err(|why| match why {
        NotLoaded::Unreadable(why) => format!("the folder of runbooks cannot be read: {why}"),
        NotLoaded::Problems(_) => "the folder of runbooks has problems. Next: steadyhand check".to_owned(),
    })?;
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
    let came_out = if found.iter().all(words::is_well) { CameOut::Done } else { CameOut::Refused };
    show(arguments, style(arguments), &Reply { page: words::examined(&found), came_out, run: None });
    Ok(came_out)
}
