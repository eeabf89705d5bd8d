//! Notices leave the house: what carries them, the links by which they are answered, and the watch over both.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::environment;
use crate::config::Config;
use crate::duty::model::{Carrier, Notify};
use crate::engine::clock::Clock;
use crate::engine::dice::Dice;
use crate::engine::{Engine, incidents};
use crate::incident::Incident;
use crate::incident::model::{About, Delivery, Notice, Owed};
use crate::incident::next::heads;
use crate::journal::Journal;
use crate::notify::link::Links;
use crate::notify::{Outside, link_key};
use crate::secrets::Secrets;

/// A path has answered within 15 s, or nobody knows.
const TRIED_WITHIN: Duration = Duration::from_secs(17);
/// What was written is heard after about this time.
const HEARD_WITHIN: Duration = Duration::from_millis(20);
/// What stands before a link.
const SAYS: &str = "Say that you know";

/// What notices leave over, and the key of their links.
pub(super) struct Notices {
    /// Every way out of the house.
    pub outside: Arc<Outside>,
    key: Option<[u8; 32]>,
    /// What notify.yaml names.
    pub secrets: Arc<Secrets>,
}

impl Notices {
    /// Everything that notices need. Without a key there are no links, and everything else goes on.
    pub(super) fn new(config: &Config, journal: &Journal) -> Result<Self, String> {
        // What notify.yaml names was granted to it by the policy, or the files would not be in use.
        let secrets = Arc::new(Secrets::new(config.secrets.clone(), environment));
        let outside = Outside::new(secrets.clone(), journal.id(), || Clock::System.now())?;
        let key = link_key::load_or_create(&key_file(&config.journal), &Dice::random().key());
        let key = key.map_err(|why| tracing::error!("notices have no links: {why}")).ok();
        Ok(Self { outside: Arc::new(outside), key, secrets })
    }

    /// From now on notices leave.
    pub(super) fn leave(&self, engine: &Engine) {
        let answers = self.key.map(|key| {
            // Not the engine itself, which keeps this for as long as it lives.
            let clock = engine.clock().clone();
            let answers: incidents::Answers =
                Arc::new(move |notify: &Notify, incident: &Incident, notice: &Notice| {
                    answers(notify, &clock, key, incident, notice)
                });
            answers
        });
        engine.incidents().over(self.outside.clone(), answers);
    }

    /// What checks the links; none without a key.
    pub(super) fn links(&self) -> Option<Links> {
        self.key.map(|key| Links::new("", key))
    }
}

/// Waits until all that was written so far was heard, and every notice that may leave was tried once, for some seconds at
/// most: a process that ends leaves the others to the next one. How many have not left.
pub(super) async fn tried(engine: &Engine) -> usize {
    let incidents = engine.incidents();
    let mut changes = incidents.follow();
    let mut late = std::pin::pin!(Clock::System.after(TRIED_WITHIN));
    let untried = || {
        // What waits for another one on its way may not leave yet.
        let waits = |it: &&Notice| match it.delivery {
            Delivery::Waiting(_) => it.attempts == 0,
            Delivery::Sending(_) => true,
            _ => false,
        };
        incidents.open().iter().map(|incident| heads(incident).filter(waits).count()).sum::<usize>()
    };
    let left = || {
        let open = incidents.open();
        open.iter().flat_map(|it| &it.notices).filter(|it| it.delivery.is_open()).count()
    };
    let written = engine.view().last().unwrap_or_default();
    while incidents.heard() < written {
        tokio::select! {
            () = Clock::System.after(HEARD_WITHIN) => {}
            () = &mut late => return left(),
        }
    }
    while untried() > 0 {
        tokio::select! {
            changed = changes.recv() => if matches!(changed, Err(RecvError::Closed)) { break },
            () = &mut late => break,
        }
    }
    left()
}

/// Beside the journal, so that a copy of the journal alone signs nothing.
fn key_file(journal: &Path) -> PathBuf {
    let mut file = journal.as_os_str().to_owned();
    file.push(".links");
    file.into()
}

/// The link of a notice, where it asks one person whether they know and one person alone reads it.
fn answers(
    notify: &Notify,
    clock: &Clock,
    key: [u8; 32],
    incident: &Incident,
    notice: &Notice,
) -> Vec<(String, String)> {
    let base = notify.answers.as_ref().filter(|_| is_for_one(notify, notice));
    let (Some(base), Some(person)) = (base, &notice.to) else { return Vec::new() };
    if !asks_whether_known(incident, notice) {
        return Vec::new();
    }
    let link = Links::new(base, key).mint(incident.id, person, notice.number, clock.now());
    vec![(SAYS.to_owned(), link)]
}

/// Whether nobody else reads it: a channel is read by many, and a link answers for whom it was sent to.
fn is_for_one(notify: &Notify, notice: &Notice) -> bool {
    let carrier = notify.paths.get(notice.way.path.as_str()).map(|path| &path.carrier);
    let is_personal = matches!(carrier, Some(Carrier::Mail { .. } | Carrier::Webhook { .. }));
    is_personal && notice.to.is_some() && !notice.way.address.is_empty()
}

/// Whether what it is about is met by saying so.
fn asks_whether_known(incident: &Incident, notice: &Notice) -> bool {
    let (About::Call(number) | About::Reminder(number) | About::Late(number)) = notice.about else {
        return false;
    };
    incident.obligation(number).is_some_and(|it| it.is_open() && it.owed == Owed::Acknowledged)
}
