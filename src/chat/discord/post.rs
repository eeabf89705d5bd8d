//! Messages out: the one place that sends anything to Discord, and the one constructor of its client.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use serenity::all::{
    ChannelId, CreateAttachment, GuildId, Http, HttpBuilder, HttpError, InteractionId, MessageId, UserId,
};

use super::Settings;
use super::card::Card;
use super::press::Form;
use crate::engine::clock::Clock;

/// Notifies nobody.
const SILENT: u64 = 1 << 12;
/// Only who asked sees it.
const PRIVATE: u64 = 1 << 6;
/// So many of the newest messages are looked through for one that may stand there already.
const LOOKED_AT: u8 = 50;
/// One answer takes no longer.
const WITHIN: Duration = Duration::from_secs(15);

/// Why something did not get there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    /// The message is not there any more; where it stood, the bot may still write.
    #[error("it is gone: {0}")]
    Gone(String),
    /// The channel, thread or server is not there any more, or was closed to the bot.
    #[error("its place is gone, or closed to the bot: {0}")]
    Closed(String),
    /// Discord does not take it as it is: it would not be taken later either.
    #[error("not taken: {0}")]
    Refused(String),
    /// Discord does not know the bot: nothing works until it has another token.
    #[error(
        "Discord refuses the token: {0}. Next: put a new one where discord.token points, and start the bot anew"
    )]
    NotLetIn(String),
    /// Discord could not be reached, is overloaded or broken: the same may work later.
    #[error("Discord cannot be reached: {0}")]
    Away(String),
    /// The same, and certainly nothing got there.
    #[error("Discord cannot be reached: {0}")]
    NotSent(String),
}

impl Lost {
    /// Whether nothing works for now, whatever it is.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::NotSent(_) | Self::NotLetIn(_))
    }
}

/// Sends.
#[derive(Clone)]
pub(super) struct Post {
    http: Arc<Http>,
    clock: Clock,
}

/// The client for requests. serenity heeds another address only without its limiter; in earnest neither is touched.
pub(super) fn http(settings: &Settings) -> Http {
    let builder = HttpBuilder::new(settings.token.expose());
    match &settings.api {
        Some(api) => builder.proxy(api.clone()).ratelimiter_disabled(true).build(),
        None => builder.build(),
    }
}

/// What Discord answers, or why it does not. serenity would wait for an answer, and for its own limiter, without end.
pub(super) async fn within<T, E: Into<Lost>>(
    clock: &Clock,
    asked: impl IntoFuture<Output = Result<T, E>>,
) -> Result<T, Lost> {
    tokio::select! {
        answer = asked.into_future() => answer.map_err(Into::into),
        () = clock.after(WITHIN) => Err(Lost::Away(format!("no answer in {} s", WITHIN.as_secs()))),
    }
}

impl Post {
    pub(super) fn new(settings: &Settings, clock: Clock) -> Self {
        Self { http: Arc::new(http(settings)), clock }
    }

    async fn within<T>(&self, asked: impl Future<Output = serenity::Result<T>>) -> Result<T, Lost> {
        within(&self.clock, asked).await
    }

    /// Asks who the bot is: commands are registered under that id. Ends with the id of its user.
    pub(super) async fn introduce(&self) -> Result<u64, Lost> {
        let info = self.within(self.http.get_current_application_info()).await?;
        self.http.set_application_id(info.id);
        self.own_user().await
    }

    /// The id of the bot's user.
    pub(super) async fn own_user(&self) -> Result<u64, Lost> {
        Ok(self.within(self.http.get_current_user()).await?.id.get())
    }

    /// The ids of all roles that somebody has on a server; none if they are not on it.
    pub(super) async fn roles_of(&self, server: u64, user: u64) -> Result<BTreeSet<String>, Lost> {
        let asked = async {
            match self.http.get_member(GuildId::new(server), UserId::new(user)).await {
                Ok(member) => Ok(member.roles.iter().map(ToString::to_string).collect()),
                Err(serenity::Error::Http(HttpError::UnsuccessfulRequest(response)))
                    if [UNKNOWN_MEMBER, UNKNOWN_USER].contains(&response.error.code) =>
                {
                    Ok(BTreeSet::new())
                }
                Err(error) => Err(error),
            }
        };
        self.within(asked).await
    }

    /// Registers all commands of a server at once.
    pub(super) async fn register(&self, server: u64, commands: &[Value]) -> Result<(), Lost> {
        self.within(self.http.create_guild_commands(GuildId::new(server), &commands)).await.map(|_| ())
    }

    /// Posts a message. With a nonce Discord takes it once, within some minutes.
    pub(super) async fn send(
        &self,
        channel: u64,
        card: &Card,
        nonce: Option<&str>,
        answers: Option<u64>,
    ) -> Result<u64, Lost> {
        let mut body = card.body();
        if card.silent {
            body["flags"] = json!(SILENT);
        }
        if let Some(nonce) = nonce {
            body["nonce"] = json!(nonce);
            body["enforce_nonce"] = json!(true);
        }
        if let Some(message) = answers {
            body["message_reference"] =
                json!({ "message_id": message.to_string(), "fail_if_not_exists": false });
        }
        let sent = self.within(self.http.send_message(ChannelId::new(channel), files(card), &body)).await?;
        Ok(sent.id.get())
    }

    /// The newest message of a place that has this in its footer, and that was written by `author`.
    pub(super) async fn find(&self, channel: u64, author: u64, text: &str) -> Result<Option<u64>, Lost> {
        let asked = self.http.get_messages(ChannelId::new(channel), None, Some(LOOKED_AT));
        let newest = self.within(asked).await?;
        let has = |message: &&serenity::all::Message| {
            let mut footers = message.embeds.iter().filter_map(|embed| embed.footer.as_ref());
            message.author.id.get() == author && footers.any(|footer| footer.text.contains(text))
        };
        Ok(newest.iter().find(has).map(|message| message.id.get()))
    }

    /// Edits a message. A file that it has stays unless the card has another.
    pub(super) async fn edit(
        &self,
        channel: u64,
        message: u64,
        card: &Card,
        with_file: bool,
    ) -> Result<(), Lost> {
        let mut body = card.body();
        let files = if with_file { files(card) } else { Vec::new() };
        if files.is_empty() {
            without(&mut body, "attachments");
        }
        let (channel, message) = (ChannelId::new(channel), MessageId::new(message));
        self.within(self.http.edit_message(channel, message, &body, files)).await.map(|_| ())
    }

    /// Begins a thread under a message.
    pub(super) async fn begin_thread(&self, channel: u64, message: u64, name: &str) -> Result<u64, Lost> {
        let body = json!({ "name": name, "auto_archive_duration": 10_080 });
        let (channel, message) = (ChannelId::new(channel), MessageId::new(message));
        let begun = self.http.create_thread_from_message(channel, message, &body, None);
        Ok(self.within(begun).await?.id.get())
    }

    /// Promises an answer that only who asked will see.
    pub(super) async fn promise(&self, id: u64, token: &str) -> Result<(), Lost> {
        self.respond(id, token, &json!({ "type": 5, "data": { "flags": PRIVATE } })).await
    }

    /// Opens a form.
    pub(super) async fn ask(&self, id: u64, token: &str, form: &Form) -> Result<(), Lost> {
        let input = json!({
            "type": 4,
            "custom_id": "said",
            "style": if form.is_long { 2 } else { 1 },
            "label": form.label,
            "min_length": form.min,
            "max_length": super::limits::FORM_TEXT,
            "required": true,
        });
        let rows = json!([{ "type": 1, "components": [input] }]);
        let data = json!({ "custom_id": form.id, "title": form.title, "components": rows });
        self.respond(id, token, &json!({ "type": 9, "data": data })).await
    }

    /// Offers what an option may be.
    pub(super) async fn offer(&self, id: u64, token: &str, choices: &[Value]) -> Result<(), Lost> {
        self.respond(id, token, &json!({ "type": 8, "data": { "choices": choices } })).await
    }

    async fn respond(&self, id: u64, token: &str, body: &Value) -> Result<(), Lost> {
        let id = InteractionId::new(id);
        self.within(self.http.create_interaction_response(id, token, body, Vec::new())).await
    }

    /// Keeps the promise.
    pub(super) async fn answer(&self, token: &str, card: &Card) -> Result<(), Lost> {
        let mut body = card.body();
        let files = files(card);
        if files.is_empty() {
            without(&mut body, "attachments");
        }
        self.within(self.http.edit_original_interaction_response(token, &body, files)).await.map(|_| ())
    }
}

fn without(body: &mut Value, key: &str) {
    if let Some(body) = body.as_object_mut() {
        body.remove(key);
    }
}

fn files(card: &Card) -> Vec<CreateAttachment> {
    let file = card.file.iter();
    file.map(|(name, text)| CreateAttachment::bytes(text.clone().into_bytes(), name.clone())).collect()
}

/// Discord's code for a message that is not there.
const UNKNOWN_MESSAGE: isize = 10_008;
/// Discord's code for somebody who is not on the server.
const UNKNOWN_MEMBER: isize = 10_007;
/// Discord's code for an id that is nobody's.
const UNKNOWN_USER: isize = 10_013;
/// Discord's code for a thread in which only moderators write.
const THREAD_LOCKED: isize = 160_005;

/// What an error of serenity means for whoever wanted to say something. It holds no address: those of answers to
/// interactions are as good as a key.
impl From<serenity::Error> for Lost {
    fn from(error: serenity::Error) -> Self {
        let response = match error {
            serenity::Error::Http(HttpError::UnsuccessfulRequest(response)) => response,
            serenity::Error::Http(HttpError::Request(error)) if error.is_connect() => {
                return Self::NotSent(error.without_url().to_string());
            }
            serenity::Error::Http(HttpError::Request(error)) => {
                return Self::Away(error.without_url().to_string());
            }
            // It was done, and the answer says so in a way that is not understood: once more would be twice.
            serenity::Error::Json(_) => {
                return Self::Refused(format!("the answer was not understood: {error}"));
            }
            _ => return Self::Away(error.to_string()),
        };
        let code = response.error.code;
        let why = format!("{code} {}", response.error.message);
        let status = response.status_code;
        // serenity has a number of its own for an answer that is none of Discord's: the status says all of it.
        let whole = if code < 0 { status.to_string() } else { format!("{status} {why}") };
        match status.as_u16() {
            401 => Self::NotLetIn(whole),
            429 => Self::NotSent(whole),
            408 | 500.. => Self::Away(whole),
            _ if code == THREAD_LOCKED => Self::Closed(why),
            404 if code == UNKNOWN_MESSAGE => Self::Gone(why),
            403 | 404 => Self::Closed(why),
            _ => Self::Refused(why),
        }
    }
}
