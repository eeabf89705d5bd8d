//! Problems of authors, as text with the place underlined, and as annotations for a pull request.

use super::page::{Block, Page, Role, Span, plain, span};
use super::plan::count;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::problem::Problem;

/// A file with its text, to underline places in it.
pub trait Lines {
    /// A line of a file, from 1.
    fn line(&self, file: &str, line: u32) -> Option<&str>;
}

/// What was checked.
#[derive(Debug, Default)]
pub struct Counts {
    /// Runbooks among the files.
    pub runbooks: usize,
    /// All files that were read: they are checked together.
    pub files: usize,
    /// The files whose problems are shown.
    pub asked: usize,
    /// Problems in files that were not asked for.
    pub elsewhere: usize,
    /// No file says which hosts there are.
    pub without_inventory: bool,
    /// How long it took.
    pub took_ms: u128,
}

/// All problems with their places underlined, and a summary.
pub fn problems(problems: &[Problem], lines: &dyn Lines, counts: &Counts) -> Page {
    let mut spans: Vec<Span> = Vec::new();
    for problem in problems {
        spans.extend(one(problem, lines));
    }
    let mut broken: Vec<&str> = problems.iter().map(|problem| problem.place.file.as_str()).collect();
    broken.dedup();
    let page = if spans.is_empty() { Page::new() } else { Page::new().with(Block::Verbatim(spans)) };
    page.text(summary(problems.len(), broken.len(), counts))
}

fn summary(problems: usize, broken: usize, counts: &Counts) -> String {
    let Counts { runbooks, files, asked, elsewhere, without_inventory, took_ms } = counts;
    let (runbooks, all) = (count(*runbooks, "runbook"), count(*files, "file"));
    let whole = asked == files;
    let mut text = match (problems, whole) {
        (0, true) => format!("{runbooks} in {all}: all sound, {took_ms} ms."),
        (0, false) => format!("{asked} of {all}: sound, {took_ms} ms."),
        _ => format!(
            "{} in {broken} of {all} ({runbooks}), {took_ms} ms. Nothing is loaded before they are mended.",
            count(problems, "error"),
        ),
    };
    if *elsewhere > 0 {
        let errors = count(*elsewhere, "error");
        text.push_str(
            &[" ", &errors, " in other files of the folder: nothing is loaded before they are mended."]
                .concat(),
        );
    }
    if *without_inventory {
        text.push_str(" There is no inventory: nothing is loaded without it.");
    }
    text
}

fn one(problem: &Problem, lines: &dyn Lines) -> Vec<Span> {
    let place = &problem.place.span;
    let mut out = vec![
        span(format!("error[{}]", problem.code.as_str()), Role::Danger),
        span(format!(": {}\n", on_one_line(&problem.message)), Role::Strong),
        span(
            format!("  --> {}:{}:{}\n", on_one_line(problem.place.file.as_str()), place.line, place.column),
            Role::Quiet,
        ),
    ];
    if let Some(line) = lines.line(problem.place.file.as_str(), place.line) {
        let number = place.line.to_string();
        let before: String = line.chars().take(place.column as usize - 1).collect();
        let at: String = line.chars().skip(place.column as usize - 1).collect();
        let length = if place.end_line == place.line {
            (place.end_column.saturating_sub(place.column)) as usize
        } else {
            at.chars().count()
        };
        let marked: String = at.chars().take(length.max(1)).collect();
        // Hidden characters are written out, and the mark is as long as what is shown.
        let (before, shown_mark, rest) = (
            visible(&before),
            visible(&marked),
            visible(&at.chars().skip(length.max(1)).collect::<String>()),
        );
        let (before, shown_mark, rest) = cropped(&before, &shown_mark, &rest);
        let pad = " ".repeat(number.len());
        let line = format!("{before}{shown_mark}{rest}");
        out.extend(plain(format!("   {number} | {}\n", line.trim_end())));
        let marks = "^".repeat(shown_mark.trim_end().chars().count().max(1));
        out.extend(plain(format!("   {pad} | {}", " ".repeat(before.chars().count()))));
        out.push(span(marks, Role::Danger));
        out.extend(plain(format!("  {}\n", on_one_line(&problem.cure))));
    } else if !problem.cure.is_empty() {
        out.extend(plain(format!("   = {}\n", on_one_line(&problem.cure))));
    }
    out
}

/// A line has at most about so many characters on each side of what is underlined, and as many underlined.
const SHOWN: usize = 100;

/// Cuts a long line around the part that is underlined.
fn cropped(before: &str, mark: &str, rest: &str) -> (String, String, String) {
    let cut = |text: &str| {
        let cut: String = text.chars().take(SHOWN).collect();
        if cut.len() < text.len() { format!("{cut}…") } else { cut }
    };
    let too_many = before.chars().count().saturating_sub(SHOWN);
    let before = match too_many {
        0 => before.to_owned(),
        _ => format!("…{}", before.chars().skip(too_many).collect::<String>()),
    };
    let mark = cut(mark);
    // Behind a mark that was cut nothing more is shown.
    let rest = if mark.ends_with('…') { String::new() } else { cut(rest) };
    (before, mark, rest)
}

/// One annotation a problem, as GitHub's workflow commands want it.
pub fn github(problem: &Problem) -> String {
    let place = &problem.place.span;
    let end =
        if place.end_line == place.line { format!(",endColumn={}", place.end_column) } else { String::new() };
    let cure =
        if problem.cure.is_empty() { String::new() } else { format!(". {}", as_sentence(&problem.cure)) };
    format!(
        "::error file={},line={},col={}{end},title={}::{}{cure}.",
        property(problem.place.file.as_str()),
        place.line,
        place.column,
        problem.code.as_str(),
        data(&visible(&problem.message)),
        cure = data(&visible(&cure)),
    )
}

/// A cure behind a full stop. One that is YAML stays as it must be written.
fn as_sentence(cure: &str) -> String {
    let first = cure.split(' ').next().unwrap_or_default();
    if first.ends_with(':') && first != "nearest:" {
        format!("Write {cure}")
    } else {
        super::refusal::capital(cure)
    }
}

/// A text that may come from a file, as one line that shows what is in it.
fn on_one_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// Text of a workflow command: percent signs and line ends are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command: colons and commas too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
