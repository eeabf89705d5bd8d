//! Pages as text for a terminal or a pipe: three shapes, marks, colours.
//!
//! Wide from 110 columns, normal from 72, flat below or when asked for. Lines wrap at spaces under their own text and
//! never inside a name or a command. Colour only where a terminal shows it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::wording::page::{Below, Block, Page, Role, Row, Span, State, Table};

/// How pages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of the terminal by itself")]
pub struct Style {
    /// Columns of the terminal; a pipe has 80.
    pub width: usize,
    /// No columns: each row as `name: value, name: value`, for narrow terminals and screen readers.
    pub flat: bool,
    /// A terminal: long lines of scripts are wrapped, with a mark. On a pipe they are whole.
    pub terminal: bool,
    /// With colour.
    pub color: bool,
    /// Beyond ASCII: only `·`, `…` and `–`.
    pub unicode: bool,
}

/// From so many columns tables have all their columns.
const WIDE: usize = 110;
/// Below so many columns everything is flat.
pub const NORMAL: usize = 72;

impl Style {
    /// On a pipe.
    pub const PIPE: Self = Self { width: 80, flat: false, terminal: false, color: false, unicode: true };

    /// A page as lines.
    pub fn page(&self, page: &Page) -> String {
        let mut out = String::new();
        let label_width = |fields: &[(String, Vec<Span>)]| {
            fields.iter().map(|(label, _)| width(label)).max().unwrap_or(0).min(24)
        };
        for block in &page.blocks {
            match block {
                Block::Head { state, about, right } => self.head(&mut out, *state, about, right),
                Block::Text(spans) => self.wrapped(&mut out, spans, 0, 0),
                Block::Fields(fields) if self.flat => {
                    for (label, text) in fields {
                        let label = label.trim();
                        let first =
                            if label.is_empty() { Vec::new() } else { vec![plain(format!("{label}: "))] };
                        self.wrapped(&mut out, &[first, text.clone()].concat(), 0, 2);
                    }
                }
                Block::Fields(fields) => {
                    let indent = label_width(fields) + 2;
                    for (label, text) in fields {
                        let pad = " ".repeat(indent.saturating_sub(width(label)).max(1));
                        let first = vec![plain(format!("{label}{pad}"))];
                        self.wrapped(&mut out, &[first, text.clone()].concat(), 0, indent);
                    }
                }
                Block::Table(table) => self.table(&mut out, table),
                Block::Rule(text) => self.wrapped(&mut out, &[plain(format!("  {text}"))], 0, 2),
                Block::Foreign(lines) => {
                    for line in lines {
                        self.foreign(&mut out, line);
                    }
                }
                Block::Script(lines) => {
                    for line in lines {
                        self.script(&mut out, line);
                    }
                }
                Block::Choices(choices) => self.choices(&mut out, choices),
                Block::Next { commands, note } => {
                    let mut spans = vec![plain("Next: ".to_owned())];
                    for (index, command) in commands.iter().enumerate() {
                        if index > 0 {
                            spans.push(plain(" · ".to_owned()));
                        }
                        spans.push(Span { text: command.replace(' ', "\u{a0}"), role: Role::Strong });
                    }
                    if !note.is_empty() && !self.flat {
                        spans.push(plain(format!("      {note}")));
                    }
                    self.wrapped(&mut out, &spans, 0, 6);
                    if !note.is_empty() && self.flat {
                        self.wrapped(&mut out, &[plain(note.clone())], 6, 6);
                    }
                }
                Block::Code(code) => {
                    self.wrapped(
                        &mut out,
                        &[Span { text: format!("code: {code}"), role: Role::Quiet }],
                        0,
                        0,
                    );
                }
                Block::Verbatim(spans) => {
                    for span in spans {
                        out.push_str(&self.painted(&span.text, span.role));
                    }
                    if !out.ends_with('\n') {
                        out.push('\n');
                    }
                }
                Block::Blank => out.push('\n'),
            }
        }
        out
    }

    /// A line of what happened, wrapped at spaces: people read it on a terminal, and programs read a pipe.
    pub fn line(&self, line: &str) -> String {
        let mut out = String::new();
        self.wrapped(&mut out, &[plain(line.to_owned())], 0, 2);
        out.trim_end_matches('\n').to_owned()
    }

    fn head(&self, out: &mut String, state: State, about: &[String], right: &str) {
        let about: Vec<&str> = about.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let left = about.join(" · ");
        let mark = state.text();
        let used = width(&mark) + 2 + width(&left);
        let pad = self.width.saturating_sub(used + width(right));
        let mark = Span { text: mark, role: state.role };
        if self.flat || pad < 2 {
            self.wrapped(out, &[mark, plain(format!("  {left}"))], 0, 2);
            if !right.is_empty() {
                self.wrapped(out, &[plain(right.to_owned())], 2, 2);
            }
            return;
        }
        let space = if right.is_empty() { String::new() } else { " ".repeat(pad) };
        out.push_str(&self.painted(&mark.text, mark.role));
        out.push_str(&self.ascii(&format!("  {left}{space}")));
        out.push_str(&self.painted(right, Role::Quiet));
        out.push('\n');
    }

    fn choices(&self, out: &mut String, choices: &[(String, String)]) {
        let longest = choices.iter().map(|(command, _)| width(command)).max().unwrap_or(0);
        let beside = !self.flat && longest + 30 <= self.width;
        for (command, what) in choices {
            // A command is never broken.
            let command_span = Span { text: command.replace(' ', "\u{a0}"), role: Role::Strong };
            if beside {
                let pad = " ".repeat(longest - width(command) + 2);
                self.wrapped(
                    out,
                    &[plain("  ".to_owned()), command_span, plain(format!("{pad}{what}"))],
                    0,
                    longest + 4,
                );
            } else {
                self.wrapped(out, &[plain("  ".to_owned()), command_span], 0, 4);
                self.wrapped(out, &[plain(what.clone())], 6, 6);
            }
        }
    }

    fn foreign(&self, out: &mut String, line: &str) {
        let room = self.width.saturating_sub(4).max(20);
        for piece in columns(line, room, room) {
            out.push_str(format!("  | {piece}").trim_end());
            out.push('\n');
        }
    }

    /// A line of a script. `\` before a piece says that the line above goes on; nothing is left out between them.
    fn script(&self, out: &mut String, line: &str) {
        let room = self.width.saturating_sub(4).max(20);
        let mut rest = line;
        let mut mark = "|";
        while self.terminal && width(rest) > room {
            let most = columns(rest, room, room)[0].len();
            let end = rest[..most].rfind(' ').map_or(most, |space| space + 1);
            // An indent is no word.
            let end = if rest[..end].trim().is_empty() { most } else { end };
            out.extend(["  ", mark, " ", &rest[..end], "\n"]);
            rest = &rest[end..];
            mark = "\\";
        }
        out.extend(["  ", mark, " ", rest, "\n"]);
    }

    fn table(&self, out: &mut String, table: &Table) {
        let columns = table.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0).max(table.heads.len());
        let shown: Vec<usize> =
            (0..columns).filter(|column| self.width >= WIDE || !table.wide.contains(column)).collect();
        if self.flat {
            self.flat_table(out, table, &shown);
            return;
        }
        let widths = self.widths(table, &shown);
        if !table.heads.is_empty() {
            let heads = table
                .heads
                .iter()
                .map(|head| vec![Span { text: head.clone(), role: Role::Strong }])
                .collect();
            self.row(out, &Row { cells: heads, below: Vec::new() }, &shown, &widths);
        }
        for row in &table.rows {
            self.row(out, row, &shown, &widths);
        }
    }

    fn flat_table(&self, out: &mut String, table: &Table, shown: &[usize]) {
        for row in &table.rows {
            let cells = shown.iter().filter_map(|column| row.cells.get(*column).map(|cell| (column, cell)));
            let mut spans: Vec<Span> = Vec::new();
            for (column, cell) in cells {
                let text: String = cell.iter().map(|span| span.text.trim()).collect();
                if text.is_empty() {
                    continue;
                }
                if !spans.is_empty() {
                    spans.push(plain(", ".to_owned()));
                }
                if let Some(head) = table.heads.get(*column).filter(|head| !head.is_empty()) {
                    spans.push(plain(format!("{}: ", head.to_lowercase())));
                }
                let role = cell.first().map_or(Role::Plain, |span| span.role);
                spans.push(Span { text, role });
            }
            self.wrapped(out, &spans, 0, 2);
            for below in &row.below {
                match below {
                    Below::Text(text) => self.wrapped(out, &[plain(text.clone())], 2, 2),
                    Below::Foreign(line) => self.foreign(out, line),
                    Below::Rule(text) => self.wrapped(out, &[plain(text.clone())], 0, 2),
                }
            }
        }
    }

    /// Widths of the columns: as wide as they need, the widest one narrowed until all fit.
    fn widths(&self, table: &Table, shown: &[usize]) -> Vec<usize> {
        let cell_width = |row: &Row, column: usize| {
            row.cells.get(column).map_or(0, |cell| cell.iter().map(|span| width(&span.text)).sum())
        };
        let mut widths: Vec<usize> = shown
            .iter()
            .map(|column| {
                let cells = table.rows.iter().map(|row| cell_width(row, *column)).max().unwrap_or(0);
                cells.max(table.heads.get(*column).map_or(0, |head| width(head)))
            })
            .collect();
        let gaps = 2 * widths.len().saturating_sub(1);
        loop {
            let total: usize = widths.iter().sum::<usize>() + gaps;
            let Some(widest) = (0..widths.len()).max_by_key(|index| widths[*index]) else { return widths };
            if total <= self.width || widths[widest] <= 12 {
                break;
            }
            widths[widest] -= 1;
        }
        // Wrapped lines are shorter than their room: the next column stands close to what there is.
        let longest = |column: usize, room: usize| {
            let cells = table.rows.iter().filter_map(|row| row.cells.get(column));
            let lines = cells.flat_map(|cell| lines(cell, room));
            let used = lines.map(|line| line.iter().map(|span| width(&span.text)).sum::<usize>()).max();
            used.unwrap_or(0).max(table.heads.get(column).map_or(0, |head| width(head)))
        };
        shown.iter().zip(widths).map(|(column, room)| longest(*column, room)).collect()
    }

    fn row(&self, out: &mut String, row: &Row, shown: &[usize], widths: &[usize]) {
        let empty = Vec::new();
        let cells: Vec<Vec<Vec<Span>>> = shown
            .iter()
            .zip(widths)
            .map(|(column, column_width)| lines(row.cells.get(*column).unwrap_or(&empty), *column_width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        for line in 0..height {
            let mut text = String::new();
            let mut pending = 0;
            for (cell, column_width) in cells.iter().zip(widths) {
                let spans = cell.get(line).unwrap_or(&empty);
                let used: usize = spans.iter().map(|span| width(&span.text)).sum();
                if used > 0 {
                    text.push_str(&" ".repeat(pending));
                    pending = 0;
                    for span in spans {
                        text.push_str(&self.painted(&span.text, span.role));
                    }
                }
                pending += column_width.saturating_sub(used) + 2;
            }
            out.push_str(&text);
            out.push('\n');
        }
        let indent = widths.first().copied().unwrap_or(0) + 2;
        for below in &row.below {
            match below {
                Below::Text(text) => {
                    self.wrapped(out, &[Span { text: text.clone(), role: Role::Quiet }], indent, indent + 2);
                }
                Below::Foreign(line) => self.foreign(out, line),
                Below::Rule(text) => {
                    self.wrapped(out, &[Span { text: text.clone(), role: Role::Attention }], 2, 2);
                }
            }
        }
    }

    /// Wraps at spaces: the first line begins at `first`, the others at `rest`.
    fn wrapped(&self, out: &mut String, spans: &[Span], first: usize, rest: usize) {
        let room = self.width.max(20);
        let rest = rest.min(room.saturating_sub(20).max(2));
        let mut line = " ".repeat(first);
        let mut used = first;
        let mut begun = false;
        for span in spans {
            for (space, word) in words(&span.text) {
                let word_width = width(word);
                if begun && word_width > 0 && used + space + word_width > room {
                    out.push_str(line.trim_end());
                    out.push('\n');
                    // A command that would not fit there moves to the edge before it is broken.
                    let rest = if rest + word_width > room { rest.min(2) } else { rest };
                    line = " ".repeat(rest);
                    used = rest;
                } else {
                    line.push_str(&" ".repeat(space));
                    used += space;
                }
                let mut pieces = pieces(word, room.saturating_sub(used), room.saturating_sub(rest.min(2)))
                    .into_iter()
                    .peekable();
                while let Some(piece) = pieces.next() {
                    line.push_str(&self.painted(piece, span.role));
                    used += width(piece);
                    if pieces.peek().is_some() {
                        out.push_str(line.trim_end());
                        out.push('\n');
                        line = " ".repeat(rest.min(2));
                        used = rest.min(2);
                    }
                }
                begun |= word_width > 0;
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }

    fn painted(&self, text: &str, role: Role) -> String {
        let text = self.ascii(text);
        let code = match role {
            _ if !self.color || text.is_empty() => return text,
            Role::Plain => return text,
            Role::Good => "32",
            Role::Active => "36",
            Role::Attention => "33",
            Role::Danger => "31;1",
            Role::Unknown => "35;1",
            Role::Quiet => "2",
            Role::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn ascii(&self, text: &str) -> String {
        let text = text.replace('\u{a0}', " ");
        if self.unicode { text } else { text.replace('·', "-").replace('…', "...").replace('–', "-") }
    }
}

fn plain(text: String) -> Span {
    Span { text, role: Role::Plain }
}

fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The words of a text, each with the spaces before it.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let space = rest.len() - rest.trim_start_matches(' ').len();
        rest = &rest[space..];
        let end = rest.find(' ').unwrap_or(rest.len());
        found.push((space, &rest[..end]));
        rest = &rest[end..];
    }
    found
}

/// A word that is wider than its room, broken: between the words of a command, else wherever the room ends. The first
/// piece has `first` columns, the others `rest`.
fn pieces(word: &str, first: usize, rest: usize) -> Vec<&str> {
    if width(word) <= first {
        return vec![word];
    }
    let fits = |piece: &str, room: usize| width(piece) <= room;
    let mut pieces = Vec::new();
    let mut left = word;
    let mut room = first;
    while !fits(left, room) {
        let ends = left.match_indices('\u{a0}').map(|(at, _)| at);
        let Some(end) = ends.take_while(|at| fits(&left[..*at], room)).last().filter(|at| *at > 0) else {
            break;
        };
        pieces.push(&left[..end]);
        left = &left[end + '\u{a0}'.len_utf8()..];
        room = rest;
    }
    pieces.extend(columns(left, room, rest));
    pieces
}

/// A text cut into pieces of so many columns, never between a letter and what is drawn on it.
fn columns(text: &str, first: usize, rest: usize) -> Vec<&str> {
    let joins = |c: char| c == '\u{200d}' || UnicodeWidthChar::width(c) == Some(0);
    let mut pieces = Vec::new();
    let (mut start, mut letter, mut room) = (0, 0, first.max(2));
    let mut after_joiner = false;
    for (at, c) in text.char_indices() {
        if !joins(c) && !after_joiner {
            letter = at;
        }
        after_joiner = c == '\u{200d}';
        if width(&text[start..at + c.len_utf8()]) > room && letter > start {
            pieces.push(&text[start..letter]);
            start = letter;
            room = rest.max(2);
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// A cell broken into lines of a width; a word that is longer is cut.
fn lines(cell: &[Span], limit: usize) -> Vec<Vec<Span>> {
    let total: usize = cell.iter().map(|span| width(&span.text)).sum();
    if total <= limit {
        return vec![cell.to_vec()];
    }
    let mut all: Vec<Vec<Span>> = vec![Vec::new()];
    let mut used = 0;
    for span in cell {
        for (space, word) in words(&span.text) {
            let needs = width(word);
            if used > 0 && used + space + needs > limit {
                all.push(Vec::new());
                used = 0;
            }
            let space = if used == 0 && all.len() > 1 { 0 } else { space };
            for (index, piece) in
                columns(word, limit.saturating_sub(used + space), limit).into_iter().enumerate()
            {
                let space = if index == 0 { space } else { 0 };
                if index > 0 {
                    all.push(Vec::new());
                    used = 0;
                }
                let text = format!("{}{piece}", " ".repeat(space));
                used += space + width(piece);
                all.last_mut().expect("never empty").push(Span { text, role: span.role });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::states;

    fn page() -> Page {
        let cells = |a: &str, b: &str, c: &str| [a, b, c].map(|text| vec![plain(text.to_owned())]).to_vec();
        let table = Table {
            heads: ["RUNBOOK", "USE WHEN", "OWNER"].map(str::to_owned).to_vec(),
            wide: vec![2],
            rows: vec![Row {
                cells: cells(
                    "failover-database",
                    "The primary is frozen, unreachable or dead, or is to be moved on purpose.",
                    "dba",
                ),
                below: vec![Below::Rule("-- no way back below this line --".into())],
            }],
        };
        Page::new()
            .head(states::OFFERED, vec!["run 142".into(), "failover-database".into()], "plan 7c1e94b2")
            .fields(vec![(
                "Holds",
                "cluster/orders host/pg1 host/pg2 host/pg3 host/pg4 host/pg5 host/pg6 host/pg7".into(),
            )])
            .with(Block::Table(table))
            .with(Block::Foreign(vec!["LOG:  received promote request".into()]))
            .next("confirm 142 orders-k7m2qx", "until 03:12 CET (in 5 min)")
            .code("own-run")
    }

    #[test]
    fn a_normal_terminal_wraps_under_its_own_text() {
        insta::assert_snapshot!(Style::PIPE.page(&page()), @r"
        : offered  run 142 · failover-database                             plan 7c1e94b2
        Holds  cluster/orders host/pg1 host/pg2 host/pg3 host/pg4 host/pg5 host/pg6
               host/pg7
        RUNBOOK            USE WHEN
        failover-database  The primary is frozen, unreachable or dead, or is to be moved
                           on purpose.
          -- no way back below this line --
          | LOG:  received promote request
        Next: confirm 142 orders-k7m2qx      until 03:12 CET (in 5 min)
        code: own-run
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_one_value_a_line() {
        let flat = Style { width: 40, flat: true, terminal: true, color: false, unicode: false };

        insta::assert_snapshot!(flat.page(&page()), @r"
        : offered  run 142 - failover-database
          plan 7c1e94b2
        Holds: cluster/orders host/pg1 host/pg2
          host/pg3 host/pg4 host/pg5 host/pg6
          host/pg7
        runbook: failover-database, use when:
          The primary is frozen, unreachable or
          dead, or is to be moved on purpose.
        -- no way back below this line --
          | LOG:  received promote request
        Next: confirm 142 orders-k7m2qx
              until 03:12 CET (in 5 min)
        code: own-run
        ");
    }

    #[test]
    fn a_line_of_what_happened_is_wrapped_at_spaces() {
        let narrow = Style { width: 50, flat: true, terminal: true, ..Style::PIPE };
        let line =
            "2026-11-18T03:09:22+01:00 run=1 Everything still holds. The first step begins; ana drives.";

        insta::assert_snapshot!(narrow.line(line), @r"
        2026-11-18T03:09:22+01:00 run=1 Everything still
          holds. The first step begins; ana drives.
        ");
    }

    #[test]
    fn a_script_is_whole_on_a_pipe_and_wrapped_with_a_mark_on_a_terminal() {
        let line = "  timeout 6 psql \"host=$1 port=$2 user=$app_user\" -qAtX -v ON_ERROR_STOP=1";
        let page = Page::new().with(Block::Script(vec![line.to_owned(), String::new(), "done".to_owned()]));
        let narrow = Style { width: 40, terminal: true, ..Style::PIPE };

        assert_eq!(Style { width: 40, ..Style::PIPE }.page(&page), format!("  | {line}\n  | \n  | done\n"));
        let wrapped = narrow.page(&page);
        let marks: String = wrapped.lines().map(|line| &line[..4]).collect();
        assert_eq!(marks, "  |   \\   \\   |   | ");
        let pieces: String = wrapped.lines().take(3).map(|line| &line[4..]).collect();
        assert_eq!(pieces, line);
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let colored = Style { color: true, ..Style::PIPE }.page(&page());
        let mut bare = String::new();
        let mut rest = colored.as_str();
        while let Some(start) = rest.find('\u{1b}') {
            bare.push_str(&rest[..start]);
            rest = &rest[start + rest[start..].find('m').unwrap() + 1..];
        }
        bare.push_str(rest);

        assert_ne!(colored, bare);
        assert_eq!(bare, Style::PIPE.page(&page()));
    }
}
