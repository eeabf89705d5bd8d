//! What Discord says of people: heard from the chat, written down where it changes, laid over the policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Engine, Inner, Refused};
use crate::policy::Policy;
use crate::runbook::source::name::Person;

/// The entries of the journal that say who was given a role on Discord, and from whom one was taken.
const KIND: &str = "discord-roles";

/// Who had each role of Discord, by its id.
pub(super) type Written = BTreeMap<String, BTreeSet<Person>>;

/// A run is about to start so long at most, while Discord is asked once more.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Asking Discord once more.
#[derive(Debug)]
pub(super) struct Asks {
    /// Since when something newer is wanted.
    wanted: watch::Sender<Timestamp>,
    /// When what was last asked was asked, answered or not.
    asked: watch::Sender<Timestamp>,
}

impl Default for Asks {
    fn default() -> Self {
        let never = || watch::Sender::new(Timestamp::UNIX_EPOCH);
        Self { wanted: never(), asked: never() }
    }
}

impl Inner {
    /// Has Discord asked once more, if the policy has roles from there. Without an answer what is known already counts, as
    /// long as it does. After a start of the bot nobody may have asked yet, so that it waits for that as well.
    pub(super) async fn ask_discord(&self, policy: &Policy) {
        if policy.roles_of_discord().is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut asked = self.asks.asked.subscribe();
        self.asks.wanted.send_replace(now);
        tokio::select! {
            _ = asked.wait_for(|asked| *asked >= now) => {}
            () = self.clock.after(ASK_WITHIN) => {}
        }
    }
}

impl Engine {
    /// Changes when Discord is to be asked at once: a run is about to start.
    pub fn members_wanted(&self) -> watch::Receiver<Timestamp> {
        self.inner.asks.wanted.subscribe()
    }

    /// All that could be asked of Discord was asked, from this moment on.
    pub fn members_were_asked(&self, asked: Timestamp) {
        self.inner.asks.asked.send_replace(asked);
    }

    /// Discord says which of its roles these users have; it was asked at this moment. Every change is written down
    /// before it counts, and after each start what is said first.
    pub async fn members_are(
        &self,
        policy: &Policy,
        users: Vec<(String, BTreeSet<String>)>,
        asked: Timestamp,
    ) -> Result<(), Refused> {
        let mut written = self.inner.written.lock().await;
        let mut members = (*self.said().members).clone();
        for (user, roles) in users {
            members.hear(&user, roles, asked);
        }
        for role in policy.roles_of_discord() {
            let (had, has) = (written.get(role), members.last_holders(policy, role));
            if had == Some(&has) {
                continue;
            }
            let none = BTreeSet::new();
            let had = had.unwrap_or(&none);
            let data = serde_json::json!({
                "role": role,
                "gained": has.difference(had).collect::<Vec<_>>(),
                "lost": had.difference(&has).collect::<Vec<_>>(),
                "held_by": has,
            });
            self.inner.note(KIND, None, data).await?;
            written.insert(role.to_owned(), has);
        }
        self.inner.is_said(|said| said.members = Arc::new(members));
        Ok(())
    }
}
