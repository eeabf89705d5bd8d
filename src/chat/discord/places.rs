//! Where cards stand: each is posted once and edited from then on, with a thread under it, and the journal keeps where, so
//! that the next start goes on with the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Pulse;
use super::card::Card;
use super::limits::NONCE;
use super::post::{Lost, Post};
use super::told::{LOOKED_THROUGH, Stands, Telling, lock};
use crate::engine::Engine;

/// What a card is of.
pub(super) trait Key: Copy + Ord {
    /// The kind of the entries that say where such cards stand.
    const KIND: &'static str;

    /// What it is, as a part of such an entry.
    fn write(self, entry: &mut Value);

    /// The same, read again.
    fn read(entry: &Value) -> Option<Self>;

    /// As people call it.
    fn name(self) -> String;
}

/// One card as it stands.
#[derive(Default)]
pub(super) struct Place {
    /// Where it stands, once that is recorded.
    pub stands: Option<Stands>,
    /// What it says.
    pub card: Option<Card>,
    /// The channel and the message of a card that has no thread yet.
    posted: Option<(u64, u64)>,
    /// Channels that are gone or closed to the bot, until that may have changed.
    pub closed: BTreeSet<u64>,
}

/// What became of a card that was to be edited.
pub(super) enum Edited {
    /// It stands.
    Stands(Stands),
    /// It stands nowhere: it is to be posted, if it is to be shown.
    Nowhere,
    /// Somebody deleted it.
    Deleted,
    /// Its place is gone, or closed to the bot: why.
    Closed(String),
}

/// Where all cards of a kind stand.
pub(super) struct Places<K> {
    engine: Engine,
    pub post: Post,
    pulse: Arc<Pulse>,
    stands: Mutex<BTreeMap<K, Stands>>,
}

impl<K: Key> Places<K> {
    pub(super) fn new(engine: Engine, post: Post, pulse: Arc<Pulse>) -> Self {
        Self { engine, post, pulse, stands: Mutex::default() }
    }

    /// Reads where cards stood before this start.
    pub(super) fn remember(&self) {
        let entries = self.engine.view().newest_of_kind(K::KIND, LOOKED_THROUGH).unwrap_or_default();
        let mut stands = lock(&self.stands);
        for entry in entries {
            if let (Some(key), Some(found)) = (K::read(&entry.data), Stands::read(&entry.data)) {
                // The newest comes first.
                stands.entry(key).or_insert(found);
            }
        }
    }

    /// Where a card stands, or stood last.
    pub(super) fn of(&self, key: K) -> Option<Stands> {
        lock(&self.stands).get(&key).copied()
    }

    /// A card as it stands before anything is shown.
    pub(super) fn begins(&self, key: K) -> Place {
        Place { stands: self.of(key), ..Place::default() }
    }

    /// The cards that stand there.
    pub(super) fn there(&self, is_there: impl Fn(Stands) -> bool) -> Vec<K> {
        lock(&self.stands).iter().filter(|(_, stands)| is_there(**stands)).map(|(key, _)| *key).collect()
    }

    /// The channel that a thread hangs on.
    pub(super) fn channel_of_thread(&self, thread: u64) -> Option<u64> {
        lock(&self.stands).values().find(|stands| stands.thread == Some(thread)).map(|stands| stands.channel)
    }

    /// Edits a card, if it stands and says something else. `thread` is the name of the thread of one that was posted and has
    /// none yet.
    pub(super) async fn edit(
        &self,
        key: K,
        place: &mut Place,
        card: &Card,
        thread: &str,
    ) -> Result<Edited, Lost> {
        if let Some(posted) = place.posted {
            self.begin_thread(key, place, thread, posted).await?;
        }
        let Some(stands) = place.stands else { return Ok(Edited::Nowhere) };
        if place.card.as_ref() == Some(card) {
            return Ok(Edited::Stands(stands));
        }
        let is_new_file = place.card.as_ref().is_none_or(|before| before.file != card.file);
        let edited = match self.post.edit(stands.channel, stands.message, card, is_new_file).await {
            Ok(()) => {
                place.card = Some(card.clone());
                return Ok(Edited::Stands(stands));
            }
            // It would not be taken later either; whoever is asked below it is asked all the same.
            Err(Lost::Refused(why)) => {
                self.pulse.trouble(&format!("the card of {} could not be edited: {why}", key.name()));
                place.card = Some(card.clone());
                return Ok(Edited::Stands(stands));
            }
            Err(Lost::Gone(why)) => {
                self.pulse.trouble(&format!("the card of {} is gone: {why}", key.name()));
                Edited::Deleted
            }
            Err(Lost::Closed(why)) => {
                let name = key.name();
                self.pulse.trouble(&format!("where {name} was shown is gone, or closed to the bot: {why}"));
                place.closed.insert(stands.channel);
                Edited::Closed(why)
            }
            Err(lost) => return Err(lost),
        };
        place.stands = None;
        Ok(edited)
    }

    /// Posts a card in the first channel that takes it, and begins its thread. None if no channel does. `first` tells its
    /// first message from all others, so that it is posted once over a crash.
    pub(super) async fn post(
        &self,
        key: K,
        place: &mut Place,
        (card, first, thread): (Card, String, &str),
        channel: impl Fn(&BTreeSet<u64>) -> Option<u64> + Sync,
    ) -> Result<Option<Stands>, Lost> {
        // Another one than the first time, or Discord would give the message back that is gone or closed.
        let mut nonce = self.of(key).map_or(first, |stands| format!("a{}", stands.message));
        nonce.truncate(NONCE);
        while let Some(channel) = channel(&place.closed) {
            match self.post.send(channel, &card, Some(&nonce), None).await {
                Ok(message) => {
                    place.card = Some(card);
                    place.posted = Some((channel, message));
                    return self.begin_thread(key, place, thread, (channel, message)).await.map(Some);
                }
                Err(Lost::Closed(why)) => {
                    self.pulse.trouble(&format!("{} cannot be shown in a channel: {why}", key.name()));
                    place.closed.insert(channel);
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(None)
    }

    /// Begins the thread of a card that was posted: there it stands from now on.
    async fn begin_thread(
        &self,
        key: K,
        place: &mut Place,
        name: &str,
        (channel, message): (u64, u64),
    ) -> Result<Stands, Lost> {
        let thread = match self.post.begin_thread(channel, message, name).await {
            Ok(thread) => Some(thread),
            Err(lost) if lost.is_away() => return Err(lost),
            // It was begun before the last end: a thread has the id of its message.
            Err(Lost::Refused(_)) => Some(message),
            Err(_) => None,
        };
        let stands = Stands { channel, message, thread };
        self.stands_now(key, place, stands).await;
        Ok(stands)
    }

    /// Somebody deleted or locked the thread. Where no other can be begun, there is none.
    pub(super) async fn begin_again(&self, key: K, place: &mut Place, name: &str) -> Result<(), Lost> {
        let Some(stands) = place.stands else { return Ok(()) };
        let thread = match self.post.begin_thread(stands.channel, stands.message, name).await {
            Ok(thread) => Some(thread),
            Err(lost) if lost.is_away() => return Err(lost),
            Err(_) => None,
        };
        self.stands_now(key, place, Stands { thread, ..stands }).await;
        Ok(())
    }

    /// From now on it stands there, also after the next start.
    async fn stands_now(&self, key: K, place: &mut Place, stands: Stands) {
        let mut entry = stands.recorded();
        key.write(&mut entry);
        if let Err(refused) = self.engine.note_shown(K::KIND, entry).await {
            self.pulse.trouble(&format!(
                "where {} is shown was not recorded: {}",
                key.name(),
                refused.for_log()
            ));
        }
        lock(&self.stands).insert(key, stands);
        (place.stands, place.posted) = (Some(stands), None);
    }

    /// Tells in the thread what waits to be told, as one message that notifies nobody. `more` says how many lines did not
    /// fit.
    pub(super) async fn tell(
        &self,
        stands: Stands,
        telling: &mut Telling,
        more: impl Fn(usize) -> String,
    ) -> Result<(), Lost> {
        // Without a thread the card tells what is; the channel is not filled with what was.
        if let (Some(thread), Some(text)) = (stands.thread, telling.text(more)) {
            let card = Card { content: text, silent: true, ..Card::default() };
            self.post.send(thread, &card, None, None).await?;
        }
        telling.is_told();
        Ok(())
    }
}
