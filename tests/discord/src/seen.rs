//! Messages as people see them, and as text for snapshots: names instead of ids, no times.

use std::fmt;

use serde_json::Value;

use crate::message::Message;
use crate::rules::messages::{SILENT, SUPPRESS_EMBEDS};
use crate::world::World;

/// A message as somebody saw it at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its id.
    pub id: u64,
    /// Id of its channel or thread.
    pub channel: u64,
    /// Name of who wrote it.
    pub author: String,
    /// Its text, with names in place of ids.
    pub content: String,
    /// Its embeds.
    pub cards: Vec<Card>,
    /// Its rows of buttons.
    pub rows: Vec<Vec<Button>>,
    /// Its files.
    pub files: Vec<File>,
    /// Who alone sees it, if it is ephemeral.
    pub only_for: Option<String>,
    /// How often it was edited.
    pub edits: usize,
    /// "… is thinking".
    pub is_loading: bool,
    /// It notified nobody.
    pub is_silent: bool,
    /// It is pinned.
    pub is_pinned: bool,
    /// Who was notified when it was written: names, `@role`, `@everyone`.
    pub pings: Vec<String>,
    /// The message that it replies to.
    pub replies_to: Option<u64>,
    /// Name of the thread that hangs on it.
    pub thread: Option<String>,
    /// The emojis under it.
    pub reactions: Vec<String>,
}

/// An embed.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// Its colour as `#RRGGBB`.
    pub bar: Option<String>,
    /// Its fields: name and value.
    pub fields: Vec<(String, String)>,
    /// Its footer.
    pub footer: String,
}

/// A button, or a select menu (which has choices).
#[derive(Clone, Debug)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What comes back with a press; a link has none.
    pub custom_id: Option<String>,
    /// `primary`, `secondary`, `success`, `danger`, `link` or `select`.
    pub style: &'static str,
    /// It cannot be pressed.
    pub is_disabled: bool,
    /// Where a link goes.
    pub url: Option<String>,
    /// Of a select menu: label and value of each choice.
    pub choices: Vec<(String, String)>,
}

/// A file at a message.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl File {
    /// Its text, if it is text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl Seen {
    /// All buttons.
    pub fn buttons(&self) -> impl Iterator<Item = &Button> {
        self.rows.iter().flatten()
    }

    /// The button of this label, or of this custom id.
    pub fn button(&self, named: &str) -> Option<&Button> {
        self.buttons()
            .find(|button| button.label == named)
            .or_else(|| self.buttons().find(|button| button.custom_id.as_deref() == Some(named)))
    }

    /// Everything that can be read in it, as one text.
    pub fn text(&self) -> String {
        self.to_string()
    }

    /// Whether its text, its embeds or its buttons say this.
    pub fn says(&self, what: &str) -> bool {
        self.text().contains(what)
    }
}

/// What one person sees in a channel; without a person, what all see.
pub(crate) fn in_channel(world: &World, channel: u64, person: Option<u64>) -> Vec<Seen> {
    let messages = world.messages.values().filter(|message| message.channel == channel);
    messages
        .filter(|message| message.private_to.is_none() || message.private_to == person)
        .map(|message| seen(world, message))
        .collect()
}

/// Messages as one text.
pub(crate) fn written(messages: &[Seen]) -> String {
    messages.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

pub(crate) fn seen(world: &World, message: &Message) -> Seen {
    let name = |id: &u64| world.users[id].name.clone();
    let mut pings: Vec<String> = message.pings.iter().map(name).collect();
    pings.extend(message.pings_roles.iter().map(|id| format!("@{}", world.roles[id].name)));
    if message.pings_everyone {
        pings.push("@everyone".to_owned());
    }
    let rows = message.components.iter().map(|row| {
        row["components"].as_array().into_iter().flatten().map(|part| button(world, part)).collect()
    });
    let files = message
        .attachments
        .iter()
        .map(|file| File { name: file.name.clone(), bytes: world.files[&file.id].bytes.clone() });
    Seen {
        id: message.id,
        channel: message.channel,
        author: name(&message.author),
        content: plain(world, &message.content),
        cards: message
            .embeds
            .iter()
            .filter(|_| message.flags & SUPPRESS_EMBEDS == 0)
            .map(|embed| card(world, embed))
            .collect(),
        rows: rows.collect(),
        files: files.collect(),
        only_for: message.private_to.as_ref().map(name),
        edits: message.edits_ms.len(),
        is_loading: message.is_loading(),
        is_silent: message.flags & SILENT != 0,
        is_pinned: message.pinned,
        pings,
        replies_to: message.reference,
        thread: message.thread.and_then(|id| world.channels.get(&id)).map(|thread| thread.name.clone()),
        reactions: message.reactions.iter().map(|(emoji, _)| emoji.clone()).collect(),
    }
}

fn card(world: &World, embed: &Value) -> Card {
    let text = |value: &Value| plain(world, value.as_str().unwrap_or_default());
    let fields = embed["fields"].as_array().into_iter().flatten();
    Card {
        title: text(&embed["title"]),
        text: text(&embed["description"]),
        bar: embed["color"].as_u64().map(|color| format!("#{color:06X}")),
        fields: fields.map(|field| (text(&field["name"]), text(&field["value"]))).collect(),
        footer: text(&embed["footer"]["text"]),
    }
}

fn button(world: &World, part: &Value) -> Button {
    let text = |name: &str| part[name].as_str().map(str::to_owned);
    let style = match (part["type"].as_u64(), part["style"].as_u64()) {
        (Some(3), _) => "select",
        (_, Some(1)) => "primary",
        (_, Some(2)) => "secondary",
        (_, Some(3)) => "success",
        (_, Some(4)) => "danger",
        _ => "link",
    };
    let emoji = part["emoji"]["name"].as_str().unwrap_or_default();
    let label = text("label").or_else(|| text("placeholder")).unwrap_or_default();
    let choices = part["options"].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Button {
        label: plain(world, [emoji, &label].join(" ").trim()),
        custom_id: text("custom_id"),
        style,
        is_disabled: part["disabled"] == true,
        url: text("url"),
        choices: choices.map(|choice| (word(&choice["label"]), word(&choice["value"]))).collect(),
    }
}

/// A text with names in place of ids, and without times.
fn plain(world: &World, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find('>').unwrap_or(0);
        if let Some(shown) = rest.get(1..end).and_then(|inside| reference(world, inside)) {
            out.push_str(&shown);
            rest = &rest[end + 1..];
        } else {
            out.push('<');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    links(world, &out)
}

fn reference(world: &World, inside: &str) -> Option<String> {
    let id = |digits: &str| digits.parse::<u64>().ok();
    if let Some(role) = inside.strip_prefix("@&") {
        return world.roles.get(&id(role)?).map(|role| format!("@{}", role.name));
    }
    if let Some(user) = inside.strip_prefix('@') {
        return world.users.get(&id(user.trim_start_matches('!'))?).map(|user| format!("@{}", user.name));
    }
    if let Some(channel) = inside.strip_prefix('#') {
        return world.channels.get(&id(channel)?).map(|channel| format!("#{}", channel.name));
    }
    let (_, style) = inside.strip_prefix("t:")?.split_once(':').unwrap_or(("", "f"));
    Some(format!("<t:…:{style}>"))
}

/// Addresses of messages, as the name of their channel.
fn links(world: &World, text: &str) -> String {
    const START: &str = "https://discord.com/channels/";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(START) {
        out.push_str(&rest[..at]);
        let path = &rest[at + START.len()..];
        let end = path.find(|c: char| !(c.is_ascii_digit() || c == '/')).unwrap_or(path.len());
        let channel = path[..end].split('/').nth(1).and_then(|id| id.parse().ok());
        let name = channel.and_then(|id: u64| world.channels.get(&id)).map_or("nowhere", |it| &it.name);
        out.push_str("https://discord.com/…/");
        out.push_str(name);
        rest = &path[end..];
    }
    out + rest
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.author)?;
        if let Some(person) = &self.only_for {
            write!(out, " (only {person} sees it)")?;
        }
        for (is, word) in [
            (self.replies_to.is_some(), "reply"),
            (self.is_loading, "thinking"),
            (self.edits > 0, "edited"),
            (self.is_silent, "silent"),
            (self.is_pinned, "pinned"),
        ] {
            if is {
                write!(out, " ({word})")?;
            }
        }
        if !self.pings.is_empty() {
            write!(out, " (pings {})", self.pings.join(", "))?;
        }
        writeln!(out)?;
        for line in self.content.lines() {
            writeln!(out, "  {line}")?;
        }
        for card in &self.cards {
            write!(out, "{card}")?;
        }
        for row in &self.rows {
            let row: Vec<String> = row.iter().map(ToString::to_string).collect();
            writeln!(out, "  {}", row.join(" "))?;
        }
        for file in &self.files {
            writeln!(out, "  file {}, {} bytes", file.name, file.bytes.len())?;
            for line in file.text().unwrap_or("(not text)").lines().take(40) {
                writeln!(out, "    {line}")?;
            }
        }
        if let Some(thread) = &self.thread {
            writeln!(out, "  thread: {thread}")?;
        }
        if !self.reactions.is_empty() {
            writeln!(out, "  reactions: {}", self.reactions.join(" "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Card {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bar = self.bar.as_ref().map_or(String::new(), |bar| format!("   bar {bar}"));
        writeln!(out, "  | {}{bar}", if self.title.is_empty() { "(no title)" } else { &self.title })?;
        for line in self.text.lines() {
            writeln!(out, "  | {line}")?;
        }
        for (name, value) in &self.fields {
            writeln!(out, "  | - {name}")?;
            for line in value.lines() {
                writeln!(out, "  |   {line}")?;
            }
        }
        if !self.footer.is_empty() {
            writeln!(out, "  | _ {}", self.footer)?;
        }
        Ok(())
    }
}

impl fmt::Display for Button {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{}|{}{}]", self.label, self.style, if self.is_disabled { "|off" } else { "" })
    }
}
