//! The command line: a few options, a few verbs of the shell, and every line of the chat.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::chat::console::render::Style;
use crate::wording::look;

/// Runs the dangerous procedures of operations with a steady hand.
#[derive(Debug, Parser)]
#[command(
    name = "steadyhand",
    version,
    // `help` is a word of the chat.
    disable_help_subcommand = true,
    help_template = "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}",
    before_help = Style::PIPE.page(&look::lines_of_a_shell()).trim_end().to_owned(),
    after_help = "Such as:\n  steadyhand run failover-database cluster=orders candidate=pg2 mode=planned reason=\"move to new rack\"\n  steadyhand status\n  steadyhand journal show 1\n\nExit codes: 0 done · 1 the world broke · 2 not understood · 3 refused, or stopped · 4 a person is needed",
    subcommand_help_heading = "For authors, and the chat itself"
)]
pub(super) struct Arguments {
    /// The configuration; `steadyhand.toml` here if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Be this person. Works in a demo only.
    #[arg(long = "as", global = true, value_name = "PERSON")]
    pub person: Option<String>,

    /// No columns: each row as `name: value, name: value`. For narrow terminals and screen readers.
    #[arg(long, global = true)]
    pub flat: bool,

    /// Colour: on a terminal, always, or never.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto)]
    pub color: When,

    /// Replies as JSON, one object a reply.
    #[arg(long, global = true)]
    pub json: bool,

    /// On a pipe: end with 4 at the first question, instead of reading on.
    #[arg(long, global = true)]
    pub no_input: bool,

    /// What to do; nothing opens the chat.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Verbs that only a shell has.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Checks runbooks, packs, inventory, policy and notify.yaml: all problems at once.
    Check {
        /// Folders of runbooks, or files in them; the configured folder if none is named.
        paths: Vec<PathBuf>,
        /// How problems are printed.
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Examines hosts: whether runs can be carried out there, and what to do where they cannot.
    Doctor {
        /// Hosts of the inventory; all of them if none is named.
        hosts: Vec<String>,
    },
    /// Prints the JSON Schema of a kind of file, for editors.
    Schema {
        /// runbook, pack, inventory, policy or notify.
        #[arg(default_value = "runbook")]
        kind: String,
    },
    /// Prints the reference of the language as Markdown.
    Reference,
    /// Runs as a service: goes on with open runs, and shows its health on `serve.listen`.
    Serve,
    /// Asks the service here how it is: 0 if everything moves, 1 if not.
    Health,
    /// Opens the chat: on a terminal with history and completion, on a pipe with plain lines.
    Console,
    /// A line of the chat.
    #[command(external_subcommand)]
    Line(Vec<String>),
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, and not with `NO_COLOR`.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How problems are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// With the source shown.
    Text,
    /// One JSON object.
    Json,
    /// Annotations for a pull request on GitHub.
    Github,
}

/// Options that may also stand behind the words of a line, where people put them.
const BEHIND: [&str; 4] = ["--flat", "--json", "--no-input", "--color"];
/// The same, with a value of their own.
const BEHIND_WITH_VALUE: [&str; 3] = ["--as", "--config", "--color"];

/// Puts options that stand behind the words of a line before them. Behind `--` nothing is an option.
pub(super) fn in_order(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next();
    let (mut options, mut words, mut raw) = (Vec::new(), Vec::new(), false);
    while let Some(argument) = arguments.next() {
        let name = argument.split('=').next().unwrap_or_default();
        if raw || !argument.starts_with("--") {
            words.push(argument);
        } else if argument == "--" {
            raw = true;
        } else if BEHIND_WITH_VALUE.contains(&argument.as_str()) {
            options.push(argument);
            options.extend(arguments.next());
        } else if BEHIND.contains(&name) || BEHIND_WITH_VALUE.contains(&name) {
            options.push(argument);
        } else {
            words.push(argument);
        }
    }
    program.into_iter().chain(options).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stand_behind_the_line() {
        let line =
            ["steadyhand", "status", "--flat", "142", "--as", "ana", "--color=never"].map(str::to_owned);

        let arguments = Arguments::try_parse_from(in_order(line)).unwrap();

        assert!(arguments.flat);
        assert_eq!(arguments.person.as_deref(), Some("ana"));
        assert_eq!(arguments.color, When::Never);
        assert!(matches!(arguments.verb, Some(Verb::Line(words)) if words == ["status", "142"]));
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
