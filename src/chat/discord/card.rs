//! Pages as messages: an embed with fields, buttons and a file, within what Discord takes.
//!
//! All words come from `wording`; here it is decided what stands where. A page that does not fit is cut, says so, and comes
//! whole as a file.

use serde_json::{Value, json};

use super::limits::{
    BUTTONS, COLUMNS, CONTENT, FIELD, FIELD_NAME, FIELDS, FILE, FOOTER, IN_A_ROW, PINGS, TEXT, TITLE,
    TOGETHER, cut, length,
};
use super::press::Button;
use super::safe;
use crate::chat::console::render::Style as Columns;
use crate::wording::page::{Below, Block, Page, Role, Row, Span, State, Table};

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// The sentence that is read on a lock screen. It holds no embed.
    pub content: String,
    /// Mark, word, what.
    pub title: String,
    /// What stands under it.
    pub text: String,
    /// The bar at its side.
    pub bar: Option<Role>,
    /// Name and text of each.
    pub fields: Vec<(String, String)>,
    /// How the message is found again.
    pub footer: String,
    /// Where the question stands that is open.
    pub link: Option<String>,
    /// What can be pressed.
    pub buttons: Vec<Button>,
    /// A file: its name and its text.
    pub file: Option<(String, String)>,
    /// Ids of those who are notified.
    pub pings: Vec<String>,
    /// It notifies nobody who is not pinged.
    pub silent: bool,
}

/// All fields together have at most so much, so that there is room for what stands above them.
const ALL_FIELDS: usize = 4_000;
/// However much the fields have, the sentences above them have so much.
const ABOVE: usize = 300;

/// The field with what is typed instead of pressing.
pub const TYPED: &str = "Or type";
/// The field that says what each choice does.
pub const CHOICES: &str = "Choices";

/// Why a card does not say everything.
const CUT: &str = "Too long for chat: the file has all of it.";

/// The colour of the bar: people who see colours otherwise tell these apart.
pub const fn color(role: Role) -> u32 {
    match role {
        Role::Good => 0x0000_9E73,
        Role::Active | Role::Plain | Role::Strong => 0x0000_72B2,
        Role::Attention => 0x00E6_9F00,
        Role::Danger => 0x00D5_5E00,
        Role::Unknown => 0x00CC_79A7,
        Role::Quiet => 0x007F_7F7F,
    }
}

/// A page as a message. `name` is that of the file that has all of it, if it must be cut.
pub fn of_page(page: &Page, name: &str) -> Card {
    let mut card = Card { buttons: Button::of_page(page), ..Card::default() };
    let mut paragraphs: Vec<String> = Vec::new();
    let (mut chosen, mut typed): (Vec<String>, Vec<String>) = Default::default();
    // What hosts said stands where it belongs, and so does all that stands before it.
    let foreign = page.blocks.iter().rposition(|block| matches!(block, Block::Foreign(_))).unwrap_or(0);
    for (index, block) in page.blocks.iter().enumerate() {
        match block {
            Block::Head { state, about, right } => {
                let title = titled(*state, about);
                if card.title.is_empty() {
                    card.title = title;
                    card.bar = Some(state.role);
                    card.footer = safe_footer(right);
                } else {
                    paragraphs.push(format!("**{title}**"));
                }
            }
            Block::Text(spans) => paragraphs.push(safe::plain(&joined(spans))),
            Block::Fields(fields) if index < foreign => {
                let mut all = Vec::new();
                add_fields(&mut all, fields);
                paragraphs.extend(all.into_iter().map(|(name, text)| format!("**{name}** {text}")));
            }
            Block::Fields(fields) => add_fields(&mut card.fields, fields),
            Block::Table(table) => paragraphs.extend(tabled(table)),
            Block::Rule(text) => paragraphs.push(safe::fence(std::slice::from_ref(text))),
            Block::Foreign(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| format!("| {line}")).collect();
                paragraphs.push(safe::fence(&lines));
            }
            Block::Script(lines) => paragraphs.push(safe::fence(lines)),
            Block::Choices(choices) => {
                let line =
                    |(line, what): &(String, String)| format!("{}: {}", safe::code(line), safe::plain(what));
                chosen.extend(choices.iter().map(line));
            }
            Block::Next { commands, note } => {
                let commands: Vec<String> = commands.iter().map(|line| safe::code(line)).collect();
                let note = if note.is_empty() { String::new() } else { format!(" ({})", safe::plain(note)) };
                typed.push(format!("{}{note}", commands.join(" · ")));
            }
            Block::Code(code) => {
                let dot = if card.footer.is_empty() { "" } else { " · " };
                card.footer = format!("{}{dot}code: {code}", card.footer);
            }
            Block::Verbatim(spans) => {
                let lines: Vec<String> = joined(spans).lines().map(str::to_owned).collect();
                paragraphs.push(safe::fence(&lines));
            }
            Block::Blank => {}
        }
    }
    let is_bare = card.title.is_empty() && card.fields.is_empty();
    if is_bare && !typed.is_empty() && !paragraphs.iter().any(|text| text.contains("```")) {
        paragraphs.push(format!("Next: {}", typed.join("\n")));
    } else if !typed.is_empty() {
        card.fields.push((TYPED.to_owned(), typed.join("\n")));
    }
    if !chosen.is_empty() {
        card.fields.push((CHOICES.to_owned(), chosen.join("\n")));
    }
    if card.title.is_empty() && card.fields.is_empty() {
        // A sentence or two need no embed.
        let all = paragraphs.join("\n");
        if length(&all) + length(&card.footer) < CONTENT - 8 && !all.contains("```") {
            let footer = std::mem::take(&mut card.footer);
            card.content = if footer.is_empty() { all } else { format!("{all}\n-# {footer}") };
            return card;
        }
    }
    card.text = paragraphs.join("\n");
    if card.text.is_empty() && card.title.is_empty() && card.fields.is_empty() {
        // Discord takes no message that says nothing.
        card.text.push('-');
    }
    let whole = Columns::PIPE.page(page);
    fit(&mut card, name, &whole, "");
    card
}

/// `! AWAITING · run 142 step 4 · …`
pub fn titled(state: State, about: &[String]) -> String {
    let about: Vec<String> =
        about.iter().filter(|part| !part.is_empty()).map(|part| safe::plain(part)).collect();
    let word = format!("{} {}", state.mark, state.word);
    [safe::plain(&word)].into_iter().chain(about).collect::<Vec<_>>().join(" · ")
}

/// Footers know no markup.
fn safe_footer(text: &str) -> String {
    crate::runbook::source::hidden::visible(text)
}

fn joined(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

/// A label that is empty goes on with the one above.
pub fn add_fields(all: &mut Vec<(String, String)>, fields: &[(String, Vec<Span>)]) {
    for (label, text) in fields {
        let text = safe::plain(&joined(text));
        match all.last_mut().filter(|(last, _)| label.trim().is_empty() || last == &safe::plain(label)) {
            Some((_, last)) => *last = format!("{last}\n{text}"),
            None => all.push((safe::plain(label.trim()), text)),
        }
    }
}

/// A table as lines in a fence: what does not fit beside each other stands below each other.
fn tabled(table: &Table) -> Option<String> {
    let lines: Vec<String> = table.rows.iter().flat_map(row_lines).collect();
    (!lines.is_empty()).then(|| safe::fence(&lines))
}

/// A row of a table in a fence.
pub fn row_lines(row: &Row) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, cell) in row.cells.iter().map(|cell| joined(cell)).enumerate() {
        // Numbers stand under each other where they come first; behind a state they need not.
        let cell = if index == 0 { cell.trim_end().to_owned() } else { cell.trim().to_owned() };
        if cell.trim().is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(last) if last.chars().count() + 2 + cell.chars().count() <= COLUMNS => {
                *last = format!("{last}  {cell}");
            }
            Some(_) => lines.push(format!("   {}", cell.trim())),
            None => lines.push(cell),
        }
    }
    let mut lines: Vec<String> = lines.iter().flat_map(|line| safe::wrapped(line, 5)).collect();
    for below in &row.below {
        match below {
            Below::Text(text) => lines.extend(safe::wrapped(&format!("   {text}"), 5)),
            Below::Foreign(text) => lines.push(format!(" | {text}")),
            Below::Rule(text) => lines.push(text.clone()),
        }
    }
    lines
}

/// Cuts what Discord does not take, says so, and adds the whole text as a file. What stands `last` in the text is never
/// cut: all else gives way to it. So it does to a footer, which may be set afterwards.
pub fn fit(card: &mut Card, name: &str, whole: &str, last: &str) {
    let mut was_cut = card.fields.len() > FIELDS;
    if was_cut {
        // The last one says what to type.
        let last = card.fields.pop();
        card.fields.truncate(FIELDS - 1);
        card.fields.extend(last);
    }
    let mut shorten = |text: &mut String, most: usize| {
        if length(text) > most {
            was_cut = true;
            *text = cut_block(text, most);
        }
    };
    shorten(&mut card.content, CONTENT);
    shorten(&mut card.title, TITLE);
    shorten(&mut card.footer, FOOTER);
    card.fields.iter_mut().for_each(|(field, _)| shorten(field, FIELD_NAME.min(100)));
    let names: usize = card.fields.iter().map(|(name, _)| length(name)).sum();
    let below = length(last) + 1 + length(CUT) + 2;
    let together = TOGETHER.saturating_sub(length(&card.title) + FOOTER + names);
    let all_fields = ALL_FIELDS.min(together.saturating_sub(below + ABOVE));
    let texts = |card: &Card| -> usize { card.fields.iter().map(|(_, text)| length(text)).sum() };
    let most = if texts(card) > all_fields { all_fields / card.fields.len() } else { FIELD };
    card.fields.iter_mut().for_each(|(_, text)| shorten(text, most.min(FIELD)));
    let room = TEXT.min(together.saturating_sub(texts(card))).saturating_sub(below);
    shorten(&mut card.text, room);
    if was_cut {
        card.file.get_or_insert_with(|| (name.to_owned(), whole.to_owned()));
    }
    let parts = [card.text.as_str(), last, if was_cut { CUT } else { "" }];
    card.text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    card.buttons.truncate(BUTTONS);
    card.pings.truncate(PINGS);
    if let Some((_, text)) = &mut card.file
        && text.len() > FILE
    {
        let mut end = FILE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("\n… cut here: this is larger than a file of the chat may be.\n");
    }
}

/// The beginning of a text. A fence that is open where it is cut is closed.
fn cut_block(text: &str, most: usize) -> String {
    let mut kept = cut(text, most.saturating_sub(5));
    if kept.matches("```").count() % 2 == 1 {
        kept.push_str("\n```");
    }
    kept
}

impl Card {
    /// Says where the question stands that is open: before all else that stands in fields.
    pub fn lead_to(&mut self, link: Option<String>) {
        if self.link.is_some() {
            self.fields.remove(0);
        }
        if let Some(link) = &link {
            self.fields.insert(0, ("Question".to_owned(), link.clone()));
            self.fields.truncate(FIELDS);
            let over = self.together().saturating_sub(TOGETHER);
            if over > 0 {
                self.text = cut_block(&self.text, length(&self.text).saturating_sub(over));
            }
        }
        self.link = link;
    }

    /// The body of the message. Nobody is mentioned by what is written in it; who is pinged is listed.
    pub fn body(&self) -> Value {
        let pings: Vec<&String> = self.pings.iter().take(PINGS).collect();
        let mut mentions = json!({ "parse": [] });
        if !pings.is_empty() {
            mentions["users"] = json!(pings);
        }
        let rows: Vec<Value> = self
            .buttons
            .chunks(IN_A_ROW)
            .map(|row| json!({ "type": 1, "components": row.iter().map(Button::body).collect::<Vec<_>>() }))
            .collect();
        let mut body = json!({
            "content": self.content,
            "embeds": self.embed().into_iter().collect::<Vec<_>>(),
            "components": rows,
            "allowed_mentions": mentions,
        });
        body["attachments"] = match &self.file {
            Some((name, _)) => json!([{ "id": "0", "filename": name }]),
            None => json!([]),
        };
        body
    }

    fn embed(&self) -> Option<Value> {
        let is_empty = self.title.is_empty() && self.text.is_empty() && self.fields.is_empty();
        if is_empty {
            return None;
        }
        let mut embed = json!({});
        if !self.title.is_empty() {
            embed["title"] = json!(self.title);
        }
        if !self.text.is_empty() {
            embed["description"] = json!(self.text);
        }
        if let Some(role) = self.bar {
            embed["color"] = json!(color(role));
        }
        if !self.fields.is_empty() {
            let field =
                |(name, value): &(String, String)| json!({ "name": name, "value": value, "inline": false });
            embed["fields"] = self.fields.iter().map(field).collect();
        }
        if !self.footer.is_empty() {
            embed["footer"] = json!({ "text": self.footer });
        }
        Some(embed)
    }

    /// As text, for tests that compare cards.
    pub fn shown(&self) -> String {
        use std::fmt::Write as _;
        let mut out = format!("content  {}\n", self.content);
        if let Some(role) = self.bar {
            let _ = writeln!(out, "title    {}   bar #{:06X}", self.title, color(role));
        } else if !self.title.is_empty() {
            let _ = writeln!(out, "title    {}", self.title);
        }
        for line in self.text.lines() {
            let _ = writeln!(out, "text     {line}");
        }
        for (name, text) in &self.fields {
            let _ = writeln!(out, "field    {name}: {}", text.replace('\n', "\n         "));
        }
        if !self.footer.is_empty() {
            let _ = writeln!(out, "footer   {}", self.footer);
        }
        for button in &self.buttons {
            let _ = writeln!(out, "button   [{}|{:?}] {}", button.label, button.style, button.id);
        }
        if let Some((name, text)) = &self.file {
            let _ = writeln!(out, "file     {name}, {} lines", text.lines().count());
        }
        if !self.pings.is_empty() {
            let _ = writeln!(out, "pings    {}", self.pings.join(" "));
        }
        out
    }

    /// How long all texts of the embed are together.
    pub fn together(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, text)| length(name) + length(text)).sum();
        length(&self.title) + length(&self.text) + length(&self.footer) + fields
    }
}

impl Button {
    fn body(&self) -> Value {
        json!({ "type": 2, "style": self.style as u8, "label": self.label, "custom_id": self.id })
    }
}
