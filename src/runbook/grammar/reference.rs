//! The reference of the language as Markdown, made from the table: every key, how it is read, what it means, and every
//! problem that `steadyhand check` names.

use std::fmt::Write as _;

use super::form::{Form, Shape};
use super::table::FILES;
use crate::runbook::source::problem::Code;

/// The whole page.
pub fn page() -> String {
    let mut page = String::from(
        "# Reference of the runbook language\n\nMade by `steadyhand reference` from the table that `steadyhand check` uses. **!** marks keys that must be there. (E) is an expression, in which names stand bare; (T) a text, in which a reference stands in double braces; (P) a plain text without references. Where it says \"acted on later\", this version does nothing with it beyond checking and recording: do it by hand.\n",
    );
    let mut shapes: Vec<&'static Shape> = Vec::new();
    for shape in FILES {
        collect(shape, &mut shapes);
    }
    for shape in shapes {
        let _ = write!(page, "\n## {}\n\n{}\n\n", capital(shape.what), shape.about);
        if shape.keys.is_empty() {
            continue;
        }
        page.push_str("| key | form | meaning |\n|---|---|---|\n");
        for key in shape.keys {
            let must = if key.required { "**!**" } else { "" };
            let (form, _) = key.form.describe();
            let _ = writeln!(
                page,
                "| `{}`{must} | {}{} | {} |",
                key.name,
                escaped(&form),
                way(&key.form),
                escaped(&key.meaning())
            );
        }
    }
    page.push_str(
        "\n## Problems\n\nWhat `steadyhand check` refuses. All problems of all files are reported at once.\n",
    );
    let mut group = "";
    for (code, of, about) in Code::ALL {
        if *of != group {
            group = of;
            let _ = write!(page, "\n### {}\n\n", capital(group));
        }
        let _ = writeln!(page, "* `{}`: {}", code.as_str(), escaped(about));
    }
    page
}

fn collect(shape: &'static Shape, shapes: &mut Vec<&'static Shape>) {
    if shapes.iter().any(|known| std::ptr::eq(*known, shape)) {
        return;
    }
    shapes.push(shape);
    for key in shape.keys {
        collect_form(&key.form, shapes);
    }
}

fn collect_form(form: &'static Form, shapes: &mut Vec<&'static Shape>) {
    match form {
        Form::Map(shape) => collect(shape, shapes),
        Form::Kinds(kinds) | Form::Tagged(_, kinds) => {
            for shape in *kinds {
                collect(shape, shapes);
            }
        }
        Form::List(inner) | Form::Table(_, inner) => collect_form(inner, shapes),
        Form::Either(first, second) => {
            collect_form(first, shapes);
            collect_form(second, shapes);
        }
        _ => {}
    }
}

/// How the value is read, where that is not plain from its form.
const fn way(form: &Form) -> &'static str {
    match form {
        Form::Expr => " (E)",
        Form::Text => " (T)",
        Form::Plain => " (P)",
        _ => "",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
