//! Scripts: variables that nothing sets. Most typing errors in a script are found this way, before it ever runs.
//!
//! This is a scan, not a shell: quotes, comments and here-documents are followed, assignments, `for` and `read` set
//! names, and only lower-case names are looked at, because the variables that we set are lower-case. Whether a script
//! is one at all is asked of `sh -n` by the library.

use std::collections::BTreeSet;

use super::files::Files;
use super::parameters::OURS;
use crate::runbook::model::{Command, StepBody, Undo};
use crate::runbook::source::nearest::nearest_or_all;
use crate::runbook::source::place::{At, Place, Span};
use crate::runbook::source::problem::{Code, Problems};

/// Every script of all files, for `sh -n`.
pub(super) fn all_scripts(files: &Files) -> Vec<At<String>> {
    let mut found = Vec::new();
    for pack in files.packs.values() {
        found.extend(pack.prelude.clone());
        let probes = pack.probes.iter().map(|probe| (probe.body.as_ref(), None));
        let actions = pack.actions.iter().map(|action| (action.body.as_ref(), action.undo.as_ref()));
        probes.chain(actions).for_each(|(body, undo)| push(&mut found, body, undo));
    }
    for (step, _) in files.runbooks.values().flat_map(super::super::runbook::model::Runbook::all_steps) {
        let body = match &step.body {
            StepBody::Own(command) => Some(command),
            _ => None,
        };
        push(&mut found, body, step.undo.as_ref());
    }
    found
}

fn push(found: &mut Vec<At<String>>, body: Option<&Command>, undo: Option<&At<Undo>>) {
    let undo = undo.and_then(|undo| match &undo.value {
        Undo::Command(command) => Some(command),
        _ => None,
    });
    for command in [body, undo].into_iter().flatten() {
        if let Command::Script(script) = command {
            found.push(script.clone());
        }
    }
}

/// Notes every variable of a script that nothing sets: neither we, nor its inputs, nor the script or its prelude.
pub(super) fn check_script(
    script: &At<String>,
    prelude: Option<&str>,
    names: &[&str],
    problems: &mut Problems,
) {
    let own = scan(script);
    let mut known: BTreeSet<&str> = own.set.iter().map(String::as_str).collect();
    let before = prelude.map(scan).unwrap_or_default();
    known.extend(before.set.iter().map(String::as_str));
    known.extend(names);
    known.extend(OURS);
    for used in &own.used {
        if !known.contains(used.name.as_str()) {
            let place = place_in(script, used);
            let cure = nearest_or_all(&used.name, known.iter().copied());
            problems.add(Code::ScriptVariable, &place, format!("nothing sets `${}`", used.name), cure);
        }
    }
}

/// The place of a variable: the place of a script is its first line with content.
fn place_in(script: &At<String>, used: &Used) -> Place {
    let blank = script.value.split('\n').take_while(|line| line.trim().is_empty()).count();
    let line = u32::try_from(used.line.saturating_sub(blank)).unwrap_or(0);
    let column = u32::try_from(used.column).unwrap_or(0);
    let length = u32::try_from(used.name.len() + 1).unwrap_or(1);
    let span = script.place.span;
    Place {
        file: script.place.file.clone(),
        span: Span::on_line(span.line + line, span.column + column, length),
    }
}

#[derive(Debug, Default)]
struct Scan {
    set: BTreeSet<String>,
    used: Vec<Used>,
}

#[derive(Debug)]
struct Used {
    name: String,
    /// Lines before it.
    line: usize,
    /// Characters before its `$` on its line.
    column: usize,
}

/// What the scan is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    DoubleQuotes,
}

fn scan(script: &str) -> Scan {
    let mut scan = Scan::default();
    let mut here: Option<(String, bool)> = None;
    let mut inside = Inside::Code;
    let mut single = false;
    for (line_number, line) in script.split('\n').enumerate() {
        if let Some((end, quoted)) = &here {
            if line.trim_start_matches('\t') == end {
                here = None;
            } else if !quoted {
                note_used(&mut scan, line, line_number, 0..line.chars().count());
            }
            continue;
        }
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        let mut code = String::new();
        while at < chars.len() {
            let c = chars[at];
            if single {
                single = c != '\'';
                at += 1;
                continue;
            }
            match (c, inside) {
                ('\\', _) => at += 1,
                ('\'', Inside::Code) => single = true,
                ('"', Inside::Code) => inside = Inside::DoubleQuotes,
                ('"', Inside::DoubleQuotes) => inside = Inside::Code,
                ('#', Inside::Code) if at == 0 || chars[at - 1].is_whitespace() => break,
                ('$', _) => note_used(&mut scan, line, line_number, at..at + 1),
                ('<', Inside::Code) if chars.get(at + 1) == Some(&'<') => {
                    here = here_document(&chars[at + 2..]);
                    at += 1;
                }
                _ => {}
            }
            if inside == Inside::Code && !single && c != '\'' {
                code.push(c);
            } else {
                // What stands in quotes is no assignment.
                code.push('\u{1}');
            }
            at += 1;
        }
        note_set(&mut scan, &code);
    }
    scan
}

/// The word that ends a here-document, and whether it was quoted.
fn here_document(after: &[char]) -> Option<(String, bool)> {
    let text: String = after.iter().collect();
    let word = text.trim_start_matches('-').trim_start();
    let quoted = word.starts_with(['\'', '"', '\\']);
    let word = word.trim_start_matches(['\'', '"', '\\']);
    let end: String = word.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!end.is_empty()).then_some((end, quoted))
}

/// Variables at the `$` of these positions.
fn note_used(scan: &mut Scan, line: &str, line_number: usize, positions: std::ops::Range<usize>) {
    let chars: Vec<char> = line.chars().collect();
    for column in positions {
        if chars[column] != '$' || (column > 0 && chars[column - 1] == '\\') {
            continue;
        }
        let rest = chars[column + 1..].iter().skip_while(|c| matches!(c, '{' | '#' | '!'));
        let name: String = rest.take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
        let ours = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let already = scan.used.iter().any(|used| used.name == name);
        if ours && !already {
            scan.used.push(Used { name, line: line_number, column });
        }
    }
}

/// Names that a line sets: `name=`, `for name in`, `read name …`.
fn note_set(scan: &mut Scan, code: &str) {
    let words: Vec<&str> = code.split(|c: char| c.is_whitespace() || ";(){}&|`".contains(c)).collect();
    let mut reading = false;
    for (index, word) in words.iter().enumerate() {
        if let Some((name, _)) = word.split_once('=')
            && is_name(name)
        {
            scan.set.insert(name.to_owned());
        }
        let before = index.checked_sub(1).map_or("", |before| words[before]);
        if before == "for" && is_name(word) {
            scan.set.insert((*word).to_owned());
        }
        reading = *word == "read" || (reading && (word.starts_with('-') || is_name(word)));
        if reading && is_name(word) && *word != "read" {
            scan.set.insert((*word).to_owned());
        }
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(script: &str, names: &[&str]) -> Vec<String> {
        let place =
            Place { file: crate::runbook::source::place::FileName::new("x"), span: Span::on_line(10, 5, 1) };
        let mut problems = Problems::default();
        check_script(&At::new(script.to_owned(), place), Some("sql() { port=$1; }"), names, &mut problems);
        let show = |p: crate::runbook::source::problem::Problem| {
            format!("{}:{} {} ({})", p.place.span.line, p.place.span.column, p.message, p.cure)
        };
        problems.sorted().into_iter().map(show).collect()
    }

    #[test]
    fn a_slip_in_a_variable_is_found_with_its_place() {
        let found =
            missing("p=$(head -1 \"$data_dir/x\")\necho $p \"${dta_dir}\" $port $host", &["data_dir"]);

        assert_eq!(found, ["11:14 nothing sets `$dta_dir` (nearest: `data_dir`)"]);
    }

    #[test]
    fn quotes_comments_and_here_documents_are_followed() {
        let script = "awk '{print $x}' # $y\nfor i in 1 2; do echo $i; done\ncat <<'SQL'\n$z\nSQL\nwhile read -r a b; do echo $a $b; done\n\
                      cat <<END\n$host\nEND\necho \\$q \"$1 ${#a} $NF\"; [ \"$(stat -c %Y \"$address\")\" ]";

        assert_eq!(missing(script, &[]), [""; 0]);
        assert_eq!(missing("cat <<END\n$nope\nEND", &[]).len(), 1);
        assert_eq!(
            missing("echo \"a 'b $nope'\"", &[]).len(),
            1,
            "single quotes inside double ones do not quote"
        );
    }
}
