//! What is said, as plain data: blocks of text with roles. Who shows it decides about width, colour and marks.

use std::borrow::Cow;

use serde::Serialize;

/// A reply, or a part of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Page {
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// A state, what it is about, and something at the right edge.
    Head {
        /// The state.
        state: State,
        /// What it is about, joined by dots.
        about: Vec<String>,
        /// At the right edge.
        right: String,
    },
    /// A paragraph.
    Text(Vec<Span>),
    /// Lines with a label, such as `Holds`; the text hangs under its own beginning.
    Fields(Vec<(String, Vec<Span>)>),
    /// Columns.
    Table(Table),
    /// A line that separates: `-- no way back below this line --`.
    Rule(String),
    /// Text from hosts. Each line has a bar before it and is never anything but text.
    Foreign(Vec<String>),
    /// A script, line by line, to be copied and compared: on a pipe no line is cut.
    Script(Vec<String>),
    /// Commands with their consequences.
    Choices(Vec<(String, String)>),
    /// What to type next.
    Next {
        /// Ready to copy.
        commands: Vec<String>,
        /// What else there is to say about it.
        note: String,
    },
    /// The stable code of a refusal.
    Code(Cow<'static, str>),
    /// Text exactly as it is, such as a file with a mistake underlined.
    Verbatim(Vec<Span>),
    /// An empty line.
    Blank,
}

/// Columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Heads of the columns; none means no line of heads.
    pub heads: Vec<String>,
    /// Which columns are shown on wide terminals only.
    pub wide: Vec<usize>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// One text for each column.
    pub cells: Vec<Vec<Span>>,
    /// Lines that belong under the row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<Below>,
}

/// A line under a row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Below {
    /// Ours.
    Text(String),
    /// From a host.
    Foreign(String),
    /// A line that separates the rows.
    Rule(String),
}

/// A stretch of text with one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The text.
    pub text: String,
    /// What it is to the eye.
    #[serde(skip_serializing_if = "Role::is_plain")]
    pub role: Role,
}

/// What a text is to the eye. Code names roles only; each face has its own colours for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Proven, done.
    Good,
    /// Going on, or waiting by design.
    Active,
    /// Someone should look; a point of no return.
    Attention,
    /// Failed, irreversible, late.
    Danger,
    /// Outcome unknown.
    Unknown,
    /// Old, closed, codes, digests.
    Quiet,
    /// Column heads and commands.
    Strong,
}

impl Role {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}

/// A mark and a word for a state. The word is the meaning; the mark guides the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct State {
    /// One ASCII character.
    pub mark: char,
    /// The word.
    pub word: &'static str,
    /// Its role.
    pub role: Role,
}

impl State {
    /// The states that people see, by `STATES`.
    pub const fn new(mark: char, word: &'static str, role: Role) -> Self {
        Self { mark, word, role }
    }

    /// Mark and word.
    pub fn text(&self) -> String {
        format!("{} {}", self.mark, self.word)
    }
}

/// Ordinary text.
pub fn plain(text: impl Into<String>) -> Vec<Span> {
    vec![Span { text: text.into(), role: Role::Plain }]
}

/// Text with a role.
pub fn span(text: impl Into<String>, role: Role) -> Span {
    Span { text: text.into(), role }
}

/// A cell with a role.
pub fn cell(text: impl Into<String>, role: Role) -> Vec<Span> {
    vec![span(text, role)]
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// A page of one sentence.
    pub fn sentence(text: impl Into<String>) -> Self {
        Self::new().text(text)
    }

    /// Adds a block.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(Block::Text(plain(text)))
    }

    /// Adds a state line.
    #[must_use]
    pub fn head(self, state: State, about: Vec<String>, right: impl Into<String>) -> Self {
        self.with(Block::Head { state, about, right: right.into() })
    }

    /// Adds fields, unless there are none.
    #[must_use]
    pub fn fields(self, fields: Vec<(&str, String)>) -> Self {
        let fields: Vec<_> =
            fields.into_iter().map(|(label, text)| (label.to_owned(), plain(text))).collect();
        if fields.is_empty() { self } else { self.with(Block::Fields(fields)) }
    }

    /// Adds what to type next.
    #[must_use]
    pub fn next(self, command: impl Into<String>, note: impl Into<String>) -> Self {
        self.with(Block::Next { commands: vec![command.into()], note: note.into() })
    }

    /// Adds the code of a refusal.
    #[must_use]
    pub fn code(self, code: impl Into<Cow<'static, str>>) -> Self {
        self.with(Block::Code(code.into()))
    }

    /// The page, and no code.
    #[must_use]
    pub fn without_code(mut self) -> Self {
        self.blocks.retain(|block| !matches!(block, Block::Code(_)));
        self
    }

    /// Adds the blocks of another page.
    #[must_use]
    pub fn join(mut self, other: Page) -> Self {
        self.blocks.extend(other.blocks);
        self
    }

    /// Every command that the page says to type next, in order.
    pub fn commands(&self) -> Vec<&str> {
        self.blocks
            .iter()
            .flat_map(|block| match block {
                Block::Next { commands, .. } => commands.iter().map(String::as_str).collect(),
                Block::Choices(choices) => choices.iter().map(|(command, _)| command.as_str()).collect(),
                _ => Vec::new(),
            })
            .collect()
    }

    /// The code of the refusal, if it is one.
    pub fn refusal_code(&self) -> Option<&str> {
        self.blocks.iter().find_map(|block| match block {
            Block::Code(code) => Some(code.as_ref()),
            _ => None,
        })
    }
}
