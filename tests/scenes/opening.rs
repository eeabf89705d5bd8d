//! The first minutes: the greeting, help, the list, one runbook as a document.

use crate::stage::Scene;

#[test]
fn the_greeting_teaches_three_things() {
    let mut scene = Scene::of_orders();

    let page = scene.desk().greeting(&Scene::speaker("ana"), true);
    scene.shows_page(&page);

    scene.reads("greeting");
}

#[test]
fn a_later_greeting_is_short_and_counts_open_runs() {
    let mut scene = Scene::offered(crate::stage::PLANNED);

    let page = scene.desk().greeting(&Scene::speaker("ben"), false);
    scene.shows_page(&page);
    scene.does_next("ben");

    scene.reads("greeting-with-an-open-run");
}

#[test]
fn what_the_greeting_says_next_works() {
    let mut scene = Scene::of_orders();
    let page = scene.desk().greeting(&Scene::speaker("ana"), true);
    scene.shows_page(&page);

    scene.does_next("ana");

    scene.reads("greeting-and-next");
}

#[test]
fn help_is_grouped_by_danger_and_ends_with_the_reader() {
    let mut scene = Scene::of_orders();

    scene.says("ana", "help");
    let help = scene.last().to_owned();
    scene.says("ana", "?");
    assert_eq!(scene.last(), help);
    scene.says("cleo", "help approve");
    scene.says("cleo", "help settle");
    scene.says("cleo", "help incident");
    scene.says("cleo", "help aprove");

    scene.reads("help");
}

#[test]
fn every_word_of_the_help_has_a_page_of_its_own() {
    let mut scene = Scene::of_orders();
    for verb in steadyhand::wording::look::VERBS {
        scene.says("ana", &format!("help {}", verb.word));
        assert!(scene.last().contains(verb.form), "{}", scene.last());
        assert!(scene.last().lines().all(|line| line.chars().count() <= 80), "{}", scene.last());
    }
}

#[test]
fn the_list_says_what_the_reader_may_do() {
    let mut scene = Scene::of_orders();

    scene.says("ana", "runbooks");
    scene.says("ben", "rb");
    scene.says("sue", "runbooks");
    scene.says("sue", "runbooks all");
    scene.says("sue", "runbooks rebuild");
    scene.says("sue", "runbooks nothing-like-it");

    scene.reads("runbooks");
}

#[test]
fn the_list_has_the_owner_where_there_is_room() {
    let wide = steadyhand::chat::console::render::Style {
        width: 120,
        ..steadyhand::chat::console::render::Style::PIPE
    };
    let mut scene = Scene::of_orders().shown(wide);

    scene.says("ben", "runbooks");

    scene.reads("runbooks-wide");
}

#[test]
fn a_runbook_is_shown_as_the_document_that_runs() {
    let mut scene = Scene::of_orders();

    scene.says("ana", "show failover-database");
    scene.says("ana", "who owns pg2");
    scene.says("ana", "who owns pg9");

    scene.reads("show-runbook");
}

#[test]
fn an_empty_status_is_a_sentence() {
    let mut scene = Scene::of_orders();

    scene.says("ana", "status");
    scene.says("ana", "status orders");
    scene.says("ana", "status pg2");
    scene.says("ana", "status ordres");
    scene.says("ana", "status 9");

    scene.reads("status-of-nothing");
}

#[test]
fn words_of_later_versions_say_so() {
    let mut scene = Scene::of_orders();

    for line in ["proof 1", "drill failover-database", "readiness", "audit who=ben", "breakglass 1 \"x\""] {
        scene.says("ana", line);
    }

    scene.nothing_was_sent();
    scene.reads("not-there-yet");
}
