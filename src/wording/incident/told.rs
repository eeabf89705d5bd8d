//! Who was told, and what became of it: on a card in one line for each person, elsewhere notice by notice.

use std::collections::BTreeMap;

use super::post::Post;
use super::said;
use crate::incident::Incident;
use crate::incident::model::{Delivery, Notice};
use crate::incident::next::heads;
use crate::runbook::source::hidden::visible;
use crate::wording::moment::Moment;

/// An error has so many characters on a card at most: the log of notices has all of it.
const WHY: usize = 120;

/// A line for each person or place, in the order in which they were told first: the last notice of each path counts, and
/// when they said last that they know. Many read a card, so it names no address: `notify log` does.
pub fn told(incident: &Incident, post: &Post, moment: &Moment) -> Vec<String> {
    let mut by_whom: Vec<(String, BTreeMap<&str, &Notice>)> = Vec::new();
    for notice in &incident.notices {
        let name = said::whom(notice);
        let at = by_whom.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            by_whom.push((name, BTreeMap::new()));
            by_whom.len() - 1
        });
        by_whom[at].1.insert(notice.way.path.as_str(), notice);
    }
    let line = |(name, ways): (String, BTreeMap<&str, &Notice>)| {
        let of_them = incident.notices.iter().filter(|notice| said::whom(notice) == name);
        let answered = of_them.filter_map(|notice| post.answered(incident, notice)).max();
        let way = |(path, notice): (&str, &Notice)| {
            format!("{path} {}", said_of(incident, notice, moment, &|notice| short(post, notice)))
        };
        let answered = answered.map(|at| format!("; acknowledged {}", moment.time(at)));
        let ways: Vec<String> = ways.into_iter().map(way).collect();
        format!("{name}: {}{}", ways.join(", "), answered.unwrap_or_default())
    };
    by_whom.into_iter().map(line).collect()
}

/// `accepted 03:09 CET`: a path took it, and no more is known. What waits or is sent again says what went wrong last, and
/// what waits behind another says so of that one.
pub fn delivery(incident: &Incident, notice: &Notice, post: &Post, moment: &Moment) -> String {
    said_of(incident, notice, moment, &|notice| why(post, notice).map(str::to_owned))
}

fn said_of(
    incident: &Incident,
    notice: &Notice,
    moment: &Moment,
    why: &dyn Fn(&Notice) -> Option<String>,
) -> String {
    let because = || why(notice).map(|why| format!(": {}", visible(&why))).unwrap_or_default();
    match &notice.delivery {
        Delivery::Waiting(at) => match before(incident, notice) {
            Some(first) => {
                format!("waits behind another, which {}", said_of(incident, first, moment, why))
            }
            None if *at > moment.now => format!("waits until {}{}", moment.time(*at), because()),
            None => format!("waits{}", because()),
        },
        Delivery::Sending(_) => format!("is being sent{}", again(because())),
        Delivery::Accepted(at) => format!("accepted {}", moment.time(*at)),
        Delivery::Failed(_) => format!("NOT SENT{}", because()),
        Delivery::Superseded => "replaced by newer news".to_owned(),
        Delivery::Dropped(why) => format!("not needed: {}", visible(why.trim_end_matches('.'))),
    }
}

/// The notice to the same place that must leave before this one, if there is one.
fn before<'a>(incident: &'a Incident, notice: &Notice) -> Option<&'a Notice> {
    let same = |it: &&Notice| it.way.path == notice.way.path && it.way.address == notice.way.address;
    heads(incident).find(same).filter(|first| first.number != notice.number)
}

/// That it is not the first attempt, if there was something wrong with one.
fn again(why: String) -> String {
    if why.is_empty() { why } else { format!(" again{why}") }
}

/// What is wrong with it: why its path never takes it, or the last error.
fn why<'a>(post: &'a Post, notice: &'a Notice) -> Option<&'a str> {
    match &notice.delivery {
        Delivery::Failed(why) => Some(why),
        _ => post.why(notice),
    }
}

/// The same in few words, and without an address.
fn short(post: &Post, notice: &Notice) -> Option<String> {
    let why = without_address(why(post, notice)?, notice);
    let is_long = why.chars().count() > WHY;
    Some(if is_long { why.chars().take(WHY - 1).chain(['…']).collect() } else { why })
}

/// What is wrong with a notice, without an address of anybody or of a path, which may be as good as a key.
pub(super) fn without_address(why: &str, notice: &Notice) -> String {
    let address = notice.way.address.as_str();
    if address.is_empty() { without_addresses(why) } else { without_addresses(&why.replace(address, "…")) }
}

/// The same, where it is not known which address it may be.
pub(super) fn without_addresses(why: &str) -> String {
    let is_address = |word: &str| word.contains('@') || word.contains("://");
    let words = why.split_whitespace().map(|word| if is_address(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
