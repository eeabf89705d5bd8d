//! The bot that is killed: an engine with its journal, whose clock jumps over every pause, and a crowd that opens
//! incidents, answers some, says something, and is silent otherwise. It ends by itself when enough notices were queued
//! and none is left to be sent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use steadyhand::config::Config;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::incidents::Begin;
use steadyhand::engine::{Engine, Speaker};
use steadyhand::incident::input::Says;
use steadyhand::incident::model::{Delivery, Severity, Status};
use steadyhand::incident::{Incident, IncidentId};
use steadyhand::journal::Journal;
use steadyhand::library::Library;
use steadyhand::notify::Outside;
use steadyhand::policy::decide::Door;
use steadyhand::runbook::source::name::Person;
use steadyhand::secrets::Secrets;
use steadyhand::target::ssh::Ssh;

/// So many incidents are open at once.
const OPEN: usize = 24;
/// Nothing happens before this moment: a Friday evening, so that a weekend comes.
pub(crate) const BEGIN: &str = "2026-03-27T18:00:00Z";
/// The people of the policy.
pub(crate) const PEOPLE: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];

/// xorshift64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap() % below
    }
}

fn speaker(name: &str) -> Speaker {
    Speaker { person: Person::new(name), account: name.to_owned(), door: Door::Console }
}

/// Works until `wanted` notices were queued and all of them have come to an end.
pub(crate) async fn works(folder: &Path, wanted: usize, seed: u64) {
    let config = Config::load(Some(&folder.join("steadyhand.toml")), &|_| None).unwrap();
    let journal = loop {
        // The one that was killed lets go of the file a moment later.
        if let Ok(journal) = Journal::open(&config.journal, false) {
            break journal;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let last = journal.view().last().unwrap();
    let at = journal.view().entries_after(last.saturating_sub(1)).unwrap().last().map(|entry| entry.time);
    let clock = Clock::moved(at.unwrap_or_else(|| BEGIN.parse().unwrap()));
    let library = Arc::new(Library::new(config.folders.clone()));
    let target = Arc::new(Ssh::new(config.ssh.clone()).unwrap());
    let secrets = Arc::new(Secrets::new(config.secrets.clone(), |_| None));
    let zone = config.time_zone.clone();
    let origin = journal.id().to_owned();
    let engine = Engine::start(journal, library, target, clock.clone(), Dice::random(), zone).await.unwrap();
    let within = Duration::from_secs(5);
    let outside = Outside::waiting(within, secrets, &origin, Timestamp::now).unwrap();
    engine.incidents().over(Arc::new(outside), None);
    let mut chance = Chance(seed | 1);
    loop {
        let queued = count(&engine, "notice-queued");
        let open = engine.incidents().open();
        if queued < wanted {
            crowd(&engine, &open, &mut chance).await;
        } else {
            for incident in open.iter().filter(|incident| incident.status < Status::Resolved) {
                ends(&engine, &speaker("p0"), incident.id).await;
            }
            let open = engine.incidents().open();
            for incident in open.iter().filter(|incident| !moves(incident)) {
                let _ = engine.incidents().say(&speaker("p0"), incident.id, Says::Close).await;
            }
            if open.iter().all(|incident| !moves(incident)) {
                break;
            }
        }
        passes(&engine, &clock).await;
    }
    engine.end().await;
}

/// Whether something of it is still to be sent.
fn moves(incident: &Incident) -> bool {
    incident.notices.iter().any(|notice| notice.delivery.is_open())
}

fn count(engine: &Engine, kind: &str) -> usize {
    engine.view().newest_of_kind(kind, u32::MAX).unwrap().len()
}

/// Somebody does something.
async fn crowd(engine: &Engine, open: &[Arc<Incident>], chance: &mut Chance) {
    let incidents = engine.incidents();
    if open.len() < OPEN {
        let severity = [Severity::Sev1, Severity::Sev2, Severity::Sev3][chance.below(3)];
        let begin = Begin {
            severity,
            service: Some(["shop", "search", "mail"][chance.below(3)].to_owned()),
            what: "the soak has opened it".to_owned(),
            drill: None,
        };
        incidents.begin(&speaker("p0"), begin).await.unwrap();
    }
    let Some(incident) = open.get(chance.below(open.len().max(1))) else { return };
    let by = speaker(PEOPLE[chance.below(6)]);
    let says = match chance.below(12) {
        0 | 1 => Says::Acknowledge { how: "console".to_owned() },
        2 | 3 => {
            Says::Update { text: "it is looked at, as before".to_owned(), for_support: chance.below(2) == 0 }
        }
        4 => publish(incident),
        5 => Says::Escalate,
        6 if incident.notices.len() > 12 => return ends(engine, &by, incident.id).await,
        7 if incident.status == Status::Resolved => Says::Close,
        _ => return,
    };
    // A refusal is as good as any answer here.
    let _ = incidents.say(&by, incident.id, says).await;
}

/// It is over, and customers who read of it read that.
async fn ends(engine: &Engine, by: &Speaker, id: IncidentId) {
    let incidents = engine.incidents();
    let _ = incidents.say(by, id, Says::Status { status: Status::Monitoring }).await;
    let is_this = |incident: &&Arc<Incident>| incident.id == id && incident.customers_wait();
    if let Some(incident) = incidents.open().iter().find(is_this) {
        let _ = incidents.say(by, id, publish(incident)).await;
    }
    let _ = incidents.say(by, id, Says::Resolve).await;
}

fn publish(incident: &Incident) -> Says {
    Says::Publish { digest: incident.draft_digest().map(|it| it.short().to_owned()) }
}

/// Time passes: as the wall has it while something is on its way, and to the next thing that is due else.
async fn passes(engine: &Engine, clock: &Clock) {
    tokio::time::sleep(Duration::from_millis(10)).await;
    let busy = engine.incidents().open().iter().any(|incident| {
        incident.notices.iter().any(|notice| matches!(notice.delivery, Delivery::Sending(_)))
    });
    let next = clock.next_awaited().map(|next| next.duration_since(clock.now()));
    let jump = next.and_then(|next| Duration::try_from(next).ok()).unwrap_or_default();
    clock.advance(if busy { Duration::from_millis(10) } else { jump.min(Duration::from_mins(1)) });
}

/// Every incident that the journal has.
pub(crate) fn all_of(journal: &steadyhand::journal::JournalView) -> Vec<(IncidentId, Incident)> {
    let all = journal.incidents().unwrap().into_iter();
    all.map(|id| (id, journal.incident(id).unwrap().unwrap())).collect()
}
