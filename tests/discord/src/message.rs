//! A message and its files: how it is made of a body, changed by an edit, and whom it pings.

use serde_json::{Value, json};

use crate::limits;
use crate::refusal::Refusal;
use crate::rules::messages::{EPHEMERAL, LOADING, SUPPRESS_EMBEDS};
use crate::shape::{below, snowflake};
use crate::world::World;

/// A file as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

/// A file at a message.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are Discord's own")]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) channel: u64,
    pub(crate) author: u64,
    pub(crate) is_webhook: bool,
    /// Discord's number: 0 plain, 19 a reply, 20 the answer to a command, 21 the head of a thread.
    pub(crate) kind: u64,
    pub(crate) content: String,
    pub(crate) embeds: Vec<Value>,
    pub(crate) components: Vec<Value>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) flags: u64,
    pub(crate) tts: bool,
    pub(crate) pinned: bool,
    pub(crate) nonce: Value,
    pub(crate) reference: Option<u64>,
    /// What it answers.
    pub(crate) interaction: Option<u64>,
    /// The only person who sees it, if it is ephemeral.
    pub(crate) private_to: Option<u64>,
    pub(crate) created_ms: u64,
    /// When it was edited, each time.
    pub(crate) edits_ms: Vec<u64>,
    /// Persons who were notified, when it was written: an edit notifies nobody.
    pub(crate) pings: Vec<u64>,
    pub(crate) pings_roles: Vec<u64>,
    pub(crate) pings_everyone: bool,
    pub(crate) reactions: Vec<(String, u64)>,
    /// The thread that hangs on it.
    pub(crate) thread: Option<u64>,
}

impl Message {
    pub(crate) fn is_loading(&self) -> bool {
        self.flags & LOADING != 0
    }

    fn is_empty(&self) -> bool {
        self.content.is_empty()
            && self.embeds.is_empty()
            && self.attachments.is_empty()
            && self.components.is_empty()
    }
}

/// A body with its files, by the number in `files[n]`.
pub(crate) type Files = std::collections::BTreeMap<u64, File>;

impl World {
    /// Puts a checked body into a message. An edit changes only what it names.
    pub(crate) fn fill(
        &mut self,
        message: &mut Message,
        body: &Value,
        files: &Files,
        path: &str,
    ) -> Result<(), Refusal> {
        if let Some(content) = body.get("content") {
            // Discord trims what it stores.
            content.as_str().unwrap_or_default().trim().clone_into(&mut message.content);
        }
        self.attach(message, body, files, path)?;
        if let Some(embeds) = body.get("embeds") {
            message.embeds = embeds.as_array().into_iter().flatten().map(shown_embed).collect();
            named_files_exist(message, &below(path, "embeds"))?;
        }
        if let Some(components) = body.get("components") {
            message.components = components.as_array().cloned().unwrap_or_default();
        }
        if let Some(flags) = body["flags"].as_u64() {
            let kept = message.flags & !SUPPRESS_EMBEDS;
            message.flags = kept | flags & !EPHEMERAL;
        }
        message.tts |= body["tts"] == true;
        if message.is_empty() { Err(Refusal::empty_message()) } else { Ok(()) }
    }

    fn attach(
        &mut self,
        message: &mut Message,
        body: &Value,
        files: &Files,
        path: &str,
    ) -> Result<(), Refusal> {
        let at = below(path, "attachments");
        let bytes: usize = files.values().map(|file| file.bytes.len()).sum();
        if bytes > limits::FILES_BYTES {
            return Err(Refusal::new(413, 40005, "Request entity too large"));
        }
        let listed = body["attachments"].as_array();
        if listed.is_none() && files.is_empty() && body.get("attachments").is_none() {
            return Ok(());
        }
        let before = std::mem::take(&mut message.attachments);
        let mut used = Vec::new();
        for (number, entry) in listed.into_iter().flatten().enumerate() {
            let id = snowflake(&entry["id"]).unwrap_or_default();
            if let Some(kept) = before.iter().find(|kept| kept.id == id) {
                message.attachments.push(kept.clone());
            } else if let Some(file) = files.get(&id) {
                used.push(id);
                let name = entry["filename"].as_str().unwrap_or(&file.name).to_owned();
                let description = entry["description"].as_str().map(str::to_owned);
                let kept = self.store(File { name: name.clone(), ..file.clone() });
                message.attachments.push(Attachment { id: kept, name, description });
            } else {
                return Err(Refusal::at(
                    &below(&below(&at, number), "id"),
                    "ATTACHMENT_NOT_FOUND",
                    &format!("Attachment data cannot be found: there is no files[{id}]."),
                ));
            }
        }
        if let Some(left) = files.keys().find(|id| !used.contains(id)) {
            let message = format!("files[{left}] is not listed in attachments.");
            return Err(Refusal::at(&at, "ATTACHMENT_NOT_LISTED", &message));
        }
        Ok(())
    }

    fn store(&mut self, file: File) -> u64 {
        let id = self.clock.id();
        self.files.insert(id, file);
        id
    }

    /// Works out who is notified by a new message.
    pub(crate) fn ping(&self, message: &mut Message, mentions: &Value) {
        // Nobody is notified of what only one person sees.
        if message.private_to.is_some() {
            return;
        }
        let parses = |word: &str| {
            mentions.is_null()
                || mentions["parse"].as_array().is_some_and(|parse| parse.iter().any(|it| it == word))
        };
        let lists = |list: &str, id: u64| {
            mentions[list].as_array().is_some_and(|ids| ids.iter().any(|it| snowflake(it) == Some(id)))
        };
        let text = message.content.clone();
        let users = mentioned(&text, "<@!").chain(mentioned(&text, "<@"));
        for id in users.filter(|id| parses("users") || lists("users", *id)) {
            if self.users.contains_key(&id) && !message.pings.contains(&id) {
                message.pings.push(id);
            }
        }
        for id in mentioned(&text, "<@&").filter(|id| parses("roles") || lists("roles", *id)) {
            if self.roles.contains_key(&id) {
                message.pings_roles.push(id);
            }
        }
        message.pings_everyone = parses("everyone") && (text.contains("@everyone") || text.contains("@here"));
        let replied = message.reference.and_then(|id| self.messages.get(&id)).map(|replied| replied.author);
        if let Some(author) = replied
            && (mentions.is_null() || mentions["replied_user"] == true)
            && !message.pings.contains(&author)
        {
            message.pings.push(author);
        }
    }
}

/// The ids of mentions that begin with these characters.
pub(crate) fn mentioned<'a>(text: &'a str, opening: &'a str) -> impl Iterator<Item = u64> + 'a {
    text.split(opening).skip(1).filter_map(|rest| rest.split_once('>')?.0.parse().ok())
}

/// An embed as it is shown: without what is null.
fn shown_embed(embed: &Value) -> Value {
    let mut shown = embed.clone();
    if let Some(fields) = shown.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        fields.insert("type".to_owned(), json!("rich"));
    }
    shown
}

/// `attachment://name` in an embed names a file of the message.
fn named_files_exist(message: &Message, path: &str) -> Result<(), Refusal> {
    for (number, embed) in message.embeds.iter().enumerate() {
        for part in ["image", "thumbnail"] {
            let named = embed[part]["url"].as_str().and_then(|url| url.strip_prefix("attachment://"));
            if named.is_some_and(|name| !message.attachments.iter().any(|file| file.name == name)) {
                let at = below(&below(&below(path, number), part), "url");
                return Err(Refusal::at(
                    &at,
                    "ATTACHMENT_NOT_FOUND",
                    "No file of this message has that name.",
                ));
            }
        }
    }
    Ok(())
}
