//! In which channel an incident is shown: where those are told who answer for it.

use crate::duty::Duty;
use crate::duty::model::Carrier;
use crate::runbook::source::name::Role;

use super::incident_cards::SUPPORT;

/// The channels over which people of a role are told, best ways first.
pub(super) fn channels_of(duty: &Duty<'_>, role: &Role) -> Vec<u64> {
    let Ok(notify) = duty.notify else { return Vec::new() };
    let people = duty.reach_of(role.as_str());
    let ways = people.iter().flat_map(|person| duty.ways(person));
    let mut channels: Vec<u64> = Vec::new();
    for way in ways {
        let carrier = notify.paths.get(way.path.as_str()).map(|path| &path.carrier);
        let channel = carrier.and_then(channel).filter(|channel| !channels.contains(channel));
        channels.extend(channel);
    }
    channels
}

/// The channels of all paths but those that Support or the public reads: commands and hosts stand on a card.
pub(super) fn channels_of_operators(duty: &Duty<'_>) -> Vec<u64> {
    let Ok(notify) = duty.notify else { return Vec::new() };
    let public = notify.public.iter().filter_map(|rule| notify.paths.get(rule.path.value.as_str()));
    let mut others: Vec<u64> = public.filter_map(|path| channel(&path.carrier)).collect();
    others.extend(Role::new(SUPPORT).iter().flat_map(|support| channels_of(duty, support)));
    let all = notify.paths.values().filter_map(|path| channel(&path.carrier));
    all.filter(|channel| !others.contains(channel)).collect()
}

fn channel(carrier: &Carrier) -> Option<u64> {
    match carrier {
        Carrier::Discord { channel } => channel.parse().ok().filter(|id| *id != 0),
        _ => None,
    }
}
