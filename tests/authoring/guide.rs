//! `docs/writing-runbooks.md`: its files are sound, and its commands print what it shows.

use std::path::Path;

use serde_json::Value;
use steadyhand::chat::console::render::Style;
use steadyhand::plan::bind::bind;
use steadyhand::runbook::expression::{Ask, Facts, Value as Measured};
use steadyhand::runbook::source::problem::Code;
use steadyhand::wording::moment::Moment;
use steadyhand::wording::plan as words;

use crate::folder::{Folder, without_time};
use crate::planned::{host, offer, set_of};
use crate::schema::{KINDS, as_json, schema};

/// A block of the page: what stands behind its fence, and its text.
struct Block {
    mark: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/writing-runbooks.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some("") if is_open => is_open = false,
            Some(mark) => {
                assert!(!is_open && !mark.is_empty(), "a block without a mark: {line}");
                blocks.push(Block { mark: mark.to_owned(), text: String::new() });
                is_open = true;
            }
            None if is_open => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_open && blocks.len() > 10, "{}", blocks.len());
    blocks
}

/// A folder with all complete files of the page.
fn folder() -> Folder {
    let mut folder = Folder::empty();
    let mut count = 0;
    for block in blocks() {
        if let Some(path) = block.mark.strip_prefix("yaml runbooks/") {
            folder = folder.with(&format!("runbooks/{path}"), block.text);
            count += 1;
        }
    }
    assert_eq!(count, 5);
    folder
}

#[test]
fn every_block_says_what_it_is() {
    for Block { mark, .. } in blocks() {
        let known = mark.starts_with("yaml runbooks/")
            || ["yaml fragment", "yaml workflow", "console", "sh", "text plan"].contains(&mark.as_str());
        assert!(known, "```{mark}");
    }
}

#[test]
fn the_files_of_the_page_are_sound() {
    let said = folder().check();

    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn the_commands_of_the_page_print_what_it_shows() {
    let folder = folder();
    let mut asked = 0;
    for block in blocks().iter().filter(|block| block.mark == "console") {
        for part in block.text.split("$ ").skip(1) {
            let (line, shown) = part.split_once('\n').unwrap();

            let said = folder.shell(line);

            assert_eq!(without_time(&said.out), without_time(shown), "$ {line}\n{}", said.err);
            asked += 1;
        }
    }
    assert!(asked >= 6, "{asked}");
}

#[test]
fn fragments_use_keys_that_there_are() {
    let mut known = Vec::new();
    for kind in KINDS {
        let schema = schema(&Folder::empty(), kind);
        for shape in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
            known.extend(shape["properties"].as_object().unwrap().keys().cloned());
        }
    }
    let fragments: Vec<Value> = blocks()
        .iter()
        .filter(|block| block.mark == "yaml fragment")
        .map(|block| as_json(&block.text))
        .collect();
    assert!(fragments.len() >= 4);
    for fragment in fragments {
        for key in fragment.as_object().expect("a map").keys() {
            assert!(known.contains(key), "`{key}` is no key");
        }
    }
}

#[test]
fn the_rules_of_the_page_are_those_of_the_check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/writing-runbooks.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rules) = page.split_once("## Rules that surprise").unwrap();
    let (rules, _) = rules.split_once("## ").unwrap();
    let named: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim_end_matches(" |").strip_prefix("| ")?.rsplit_once(" | "))
        .flat_map(|(_, codes)| codes.split(", "))
        .filter_map(|code| code.strip_prefix('`')?.strip_suffix('`'))
        .collect();
    assert!(named.len() > 12, "{named:?}");
    for code in named {
        assert!(Code::ALL.iter().any(|(known, ..)| known.as_str() == code), "`{code}` is no code");
    }
}

#[test]
fn the_plan_of_the_page_is_what_people_read() {
    let set = set_of(&folder());
    let runbook = &set.runbooks["promote-replica"];
    let given = [("cluster", "sessions"), ("candidate", "cache2")];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let values = bind(&set, runbook, &given, Some("look at the plan")).unwrap();
    let node = |of: &str, name: &str, value| {
        let ask = Ask { measurement: "node".to_owned(), host: Some(host(of)) };
        (ask, Ok([(name.to_owned(), value)].into()))
    };
    let in_step = node("cache2", "in_step", Measured::Bool(true));
    let facts = Facts([in_step, node("cache1", "needs", Measured::Int(1))].into());

    let offer = offer(&set, runbook, values, ("sessions", "cache1", &["cache2", "cache3"]), &facts);

    let moment = Moment { now: offer.measured.0, zone: jiff::tz::TimeZone::UTC };
    let page = words::looked_at(&offer, &offer.plan.asked_by, set.policy.as_ref().ok(), &moment);
    let printed = Style::PIPE.page(&page);
    let shown = blocks().into_iter().find(|block| block.mark == "text plan").expect("a plan").text;
    // The digest follows from every byte of the files; the page would change with each comma.
    let digest = |text: &str| text.replace(offer.digest.short(), "3f9c21aa");
    assert_eq!(shown.trim_end(), digest(&printed).trim_end(), "{printed}");
}
