//! Narrow, wide, flat, without colour: the same words, and no line wider than the terminal.

use std::time::Duration;

use steadyhand::chat::console::render::{NORMAL, Style};
use unicode_width::UnicodeWidthStr;

use crate::stage::{Answer, DEAD, PLANNED, Scene};

/// What somebody reads in half an hour with trouble in it; every kind of page is among it.
fn half_an_hour(style: Style) -> Scene {
    let mut scene = Scene::of_orders().shown(style);
    let greeting = scene.desk().greeting(&Scene::speaker("ana"), true);
    scene.shows_page(&greeting);
    for line in [
        "help",
        "help settle",
        "runbooks",
        "show failover-database",
        "show rebuild-data-server",
        "who owns pg2",
        "statsu",
        "confirm 1",
        "run failover-database clutser=orders candidate=pg5 mode=ded reason=frozen",
        DEAD,
        PLANNED,
        "plan 2 --long",
        "status",
    ] {
        scene.says("ana", line);
    }
    let token = scene.run(2).token.clone().unwrap().text;
    scene.says("ana", &format!("confirm 2 {token}"));
    let digest = scene.run(2).digest().unwrap().short().to_owned();
    let printed = "LOG:  \u{1b}[2J\u{202e}世界 e\u{301} 👩\u{200d}🚒 and a long line that goes on and on and on and on and on, over the edge\n";
    scene.hosts.will("pg1", "stop-clean", Answer::Prints(printed.as_bytes().to_vec()));
    scene.hosts.will("pg2", "promote", Answer::LostBefore("the connection to pg2 broke"));
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  replication slot \"pg3\" does not exist"));
    scene.types("ben", &format!("approve 2 {digest}"));
    scene.after(Duration::from_secs(2));
    for line in ["status 2", "pause 2", "resume 2", "output 2 2"] {
        scene.says("ana", line);
    }
    scene.says("ana", "settle 2 4 pg2 not-done \"it is a replica still\"");
    scene.says("ben", &format!("approve 2 {digest}"));
    for line in [
        "skip 2 5 pg3 \"disk swap, rebuilt tomorrow\"",
        "undo 2",
        "stop 2",
        "journal show 2",
        "journal verify",
    ] {
        scene.says("ana", line);
    }
    scene
}

/// Lines for programs have fields, and are never broken.
fn is_of_events(line: &str) -> bool {
    line.starts_with("2026-11-18T")
}

/// What somebody typed is theirs.
fn is_typed(line: &str) -> bool {
    ["ana> ", "ben> "].iter().any(|prompt| line.starts_with(prompt))
}

/// Letters that belong to the letter before them: none may begin a line.
fn joins(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{fe0f}')
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 60, 80, 120] {
        let style = Style { width, flat: width < NORMAL, terminal: true, ..Style::PIPE };

        let text = half_an_hour(style).transcript();

        let mut lines = 0;
        for line in text.lines().filter(|line| !is_of_events(line) && !is_typed(line)) {
            assert!(line.width() <= width, "{} columns of {width}: {line}", line.width());
            assert!(!line.trim_start_matches([' ', '|']).starts_with(joins), "a letter is broken: {line}");
            lines += 1;
        }
        assert!(lines > 300, "only {lines} lines at {width}");
    }
}

#[test]
fn the_shape_changes_and_the_words_do_not() {
    // In which order the words of a table come depends on where its cells are wrapped.
    let words = |style: Style| {
        let text = half_an_hour(style).transcript();
        let ours = text.lines().filter(|line| !line.starts_with("  | "));
        let mut words: Vec<String> = ours.flat_map(str::split_whitespace).map(str::to_owned).collect();
        words.sort();
        words
    };

    let narrow = words(Style { width: 74, ..Style::PIPE });
    let normal = words(Style { width: 100, ..Style::PIPE });

    let different = narrow.iter().zip(&normal).find(|(a, b)| a != b);
    assert_eq!(different, None);
    assert!(normal.len() > 2_000, "only {} words", normal.len());
}

#[test]
fn colour_stands_nowhere_but_in_codes_and_not_without_it() {
    let colored = half_an_hour(Style { color: true, ..Style::PIPE }).transcript();
    let plain = half_an_hour(Style::PIPE).transcript();

    let codes = regex_lite::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert!(codes.find_iter(&colored).count() > 100);
    assert!(!plain.contains('\u{1b}'));
    // Digests are shown as stand-ins only where no colour stands before them.
    let bare = |text: &str| codes.replace_all(text, "").replace(|c: char| c.is_ascii_hexdigit(), "");
    assert_eq!(bare(&colored), bare(&plain));
}

#[test]
fn without_utf_8_only_ascii_is_ours() {
    let text = half_an_hour(Style { unicode: false, ..Style::PIPE }).transcript();

    for line in text.lines().filter(|line| !is_typed(line) && !line.contains("LOG:")) {
        let foreign = line.starts_with("  | ");
        assert!(foreign || line.is_ascii(), "{line}");
    }
}

#[test]
fn a_plan_on_forty_columns() {
    let flat = Style { width: 40, flat: true, ..Style::PIPE };
    let mut scene = Scene::of_orders().shown(flat);

    scene.says("ana", PLANNED);
    scene.does_next("ana");
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  replication slot \"pg3\" does not exist"));
    let approve = scene.next_command();
    scene.types("ben", &approve);
    scene.after(Duration::from_secs(2));
    scene.types("sue", "status 1");
    scene.after(Duration::from_mins(1));

    scene.reads("forty-columns");
}
