//! The one who carries letters out of the house: knows every carrier, and gives none of them longer than 15 s.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::attempt::Attempt;
use super::http::Http;
use super::{Letter, Messenger, mail, pagerduty, slack, watcher, webhook};
use crate::duty::model::Carrier;
use crate::incident::input::Answer;
use crate::runbook::source::name::PathName;
use crate::secrets::Secrets;
use crate::target::Later;

/// After this time nobody waits for a path any more.
const SENT_WITHIN: Duration = Duration::from_secs(15);

/// Who shows letters on Discord. The chat gives one to [`Outside::chat_is_up`].
pub trait DiscordRoom: Send + Sync {
    /// Shows a letter in a channel by its id, to the user whose id stands in its address, if one does. A letter whose
    /// key was shown before is not shown again.
    fn show<'a>(&'a self, channel: &'a str, letter: &'a Letter) -> Later<'a, Answer>;
}

/// All ways out of the house.
pub struct Outside {
    pub(super) secrets: Arc<Secrets>,
    pub(super) http: Http,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    pub(super) origin: String,
    sent_within: Duration,
    chat: Mutex<Option<Arc<dyn DiscordRoom>>>,
}

impl Outside {
    /// All ways out. `origin` is the same as long as the journal is, and another for every journal: others know our
    /// incidents by it. `now` is the clock. The error says why nothing can be sent over HTTP at all.
    pub fn new(
        secrets: Arc<Secrets>,
        origin: &str,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, String> {
        Self::waiting(SENT_WITHIN, secrets, origin, now)
    }

    /// The same, with another time than 15 s after which nobody waits for a path any more.
    pub fn waiting(
        sent_within: Duration,
        secrets: Arc<Secrets>,
        origin: &str,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, String> {
        Ok(Self {
            secrets,
            http: Http::new(connected_within(sent_within))?,
            now: Box::new(now),
            origin: origin.to_owned(),
            sent_within,
            chat: Mutex::default(),
        })
    }

    /// The chat is connected: from now on letters go there. A later one takes the place of an earlier one.
    pub fn chat_is_up(&self, room: Arc<dyn DiscordRoom>) {
        *self.chat.lock().unwrap_or_else(PoisonError::into_inner) = Some(room);
    }

    /// Calls the watcher outside, whose address this secret holds. The error says why it did not hear us,
    /// and what to do next.
    pub async fn call(&self, url_secret: &str) -> Result<(), String> {
        watcher::call(self, url_secret).await
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) const fn sent_within(&self) -> Duration {
        self.sent_within
    }

    pub(super) fn connect_within(&self) -> Duration {
        connected_within(self.sent_within)
    }

    async fn carried(&self, carrier: &Carrier, attempt: &Attempt<'_>) -> Answer {
        match carrier {
            Carrier::Discord { channel } => {
                let room = self.chat.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let Some(room) = room else {
                    return Answer::NotNow("the chat is not connected".to_owned(), None);
                };
                attempt.leaves();
                room.show(channel, attempt.letter).await
            }
            Carrier::Mail { server, from, tls, user, password } => {
                let login =
                    user.as_ref().zip(password.as_ref()).map(|(user, word)| (user.as_str(), word.as_str()));
                mail::send(attempt, &mail::Server { address: server, from, tls: *tls, login }).await
            }
            Carrier::Webhook { url, secret } => webhook::send(attempt, url, secret).await,
            Carrier::Slack { url } => slack::send(attempt, url).await,
            Carrier::PagerDuty { routing_key, url } => {
                pagerduty::send(attempt, routing_key, url.as_ref().map(|url| url.as_str())).await
            }
        }
    }
}

/// A connection stands after a third of the time, or nothing was sent: what is silent from the beginning is told from what
/// took a letter and fell silent.
fn connected_within(sent_within: Duration) -> Duration {
    sent_within / 3
}

impl Messenger for Outside {
    fn send<'a>(
        &'a self,
        _path: &'a PathName,
        carrier: &'a Carrier,
        letter: &'a Letter,
    ) -> Later<'a, Answer> {
        Box::pin(async move {
            let attempt = Attempt::new(self, letter);
            match timeout(self.sent_within, self.carried(carrier, &attempt)).await {
                Ok(answer) => answer,
                Err(_) => attempt.given_up(self.sent_within),
            }
        })
    }
}
