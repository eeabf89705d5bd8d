//! Who is on duty: asked, handed over, stood in for; and what people may do changes with it.

use std::sync::Arc;
use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::duty::StandIn;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, overrides};
use steadyhand::library::Library;
use steadyhand::run::model::Phase;
use steadyhand::target::Target;

use crate::completing::offered;
use crate::stage::{Hosts, PLANNED, Scene, opened, zone};

/// Of the cast, ana and sue take turns, each Thursday at 9:00; cleo has the weekend.
const NOTIFY: &str = r#"notify: orders

paths:
  chat: { kind: discord, channel: "214600000000000100", depends_on: [discord, egress] }
  post: { kind: mail, server: "mail:25", from: bot@example.com, depends_on: [host/bl1] }
  siren: { kind: slack, url: siren_url, depends_on: [modem] }

people:
  ana: [chat, { path: post, to: ana@example.com }]
  cleo: [chat, { path: post, to: cleo@example.com }]
  sue: [chat, { path: post, to: sue@example.com }]

schedules:
  primary:
    zone: Europe/Berlin
    layers:
      - { people: [ana, sue], every: 7d, from: "2026-11-12 09:00" }
      - { people: [cleo], days: [sat, sun] }
  night:
    zone: Europe/Berlin
    layers: [{ people: [cleo], days: [mon, tue, wed, thu, fri] }]
    gaps: [{ days: [sat, sun], why: The data centre answers at weekends. }]

escalations:
  on-call:
    steps: [{ tell: [on-call] }, { tell: [commander], wait: 10m }]
    last_resort: [siren]
"#;

fn scheduled() -> Scene {
    let mut scene = Scene::with_own_files();
    scene.writes("notify.yaml", NOTIFY);
    scene.edits(
        "policy.yaml",
        "  on-call:       { people: [ana, cleo], escalates_to: commander }",
        "  on-call:       { schedule: primary, escalates_to: commander }",
    );
    scene.edits(
        "policy.yaml",
        "doors: { console: {} }",
        "doors: { console: {} }\n\nsecrets: { siren_url: [notify.yaml] }",
    );
    scene
}

/// Until a minute before the hand-over.
fn before_the_hand_over() -> Scene {
    let scene = scheduled();
    let hand_over: jiff::Timestamp = "2026-11-19T09:00:00+01:00".parse().unwrap();
    let wait = Duration::try_from(hand_over.duration_since(scene.desk().moment().now)).unwrap();
    scene.clock_moves(wait.saturating_sub(Duration::from_mins(1)));
    scene
}

#[test]
fn who_is_on_duty_is_said_with_the_end_and_who_comes_then() {
    let mut scene = scheduled();
    for line in
        ["oncall", "oncall gaps", "oncall who on-call", "oncall who dba", "who owns bl1", "oncall who nobody"]
    {
        scene.says("ben", line);
    }
    scene.edits("policy.yaml", "data-platform: { people: [ben, cleo],", "data-platform: { schedule: night,");
    scene.says("ben", "who owns bl1");
    scene.says("ben", "oncall");
    // The night of the schedule `night` has no layer on Sunday any more.
    scene.edits("notify.yaml", "days: [sat, sun], why", "days: [sat], why");
    scene.edits("notify.yaml", "mon, tue, wed, thu, fri", "sun, mon, tue, wed, thu");
    let came_out = scene.says("ben", "oncall");

    assert_eq!(came_out, CameOut::Refused, "hours without anybody are a problem of the file");
    scene.reads("on-duty");
}

#[test]
fn a_hand_over_gives_and_takes_the_role_at_that_minute() {
    let mut scene = before_the_hand_over();
    scene.says("ana", PLANNED);
    assert_eq!(scene.run(1).phase, Phase::Confirming, "a minute before, ana may");
    scene.does_next("ana");
    scene.clock_moves(Duration::from_mins(2));
    scene.says("ana", "oncall");
    // The plan is agreed to, and made again before it starts: ana may not any more.
    let approve = format!("approve 1 {}", scene.run(1).digest().unwrap().short());
    scene.says("ben", &approve);
    assert!(scene.run(1).is_ended() && scene.run(1).started.is_none(), "{:?}", scene.run(1).phase);
    assert_eq!(scene.says("ana", PLANNED), CameOut::Refused, "nor ask anew");
    scene.says("sue", PLANNED);
    assert_eq!(scene.run(2).phase, Phase::Confirming, "sue may now");
    scene.nothing_was_sent();
    scene.reads("hand-over");
}

#[test]
fn somebody_stands_in_and_has_the_role_meanwhile_also_after_a_restart() {
    let mut scene = scheduled();
    // Whoever has the role now, or one that it escalates to, says it; for somebody whom the files trust with it.
    for (who, line) in [
        ("ben", "oncall override primary sue to=8h \"ana is at the dentist\""),
        ("ana", "oncall override primary ben to=8h \"I am at the dentist\""),
        ("ana", "oncall override primray sue to=8h \"I am at the dentist\""),
        ("ana", "oncall override primary sue to=tomorrow \"I am at the dentist\""),
        ("ana", "oncall override primary sue to=\"2026-01-05 09:00\" \"at the dentist\""),
        ("ana", "oncall override primary sue to=900d \"I am at the dentist\""),
        ("ana", "oncall override primary sue to=8h \"dentist\""),
        ("cleo", "oncall override night cleo to=8h \"nobody has this role\""),
    ] {
        assert_eq!(scene.says(who, line), CameOut::Refused, "{who}: {line}");
    }
    assert_eq!(scene.says("ana", "oncall override primary sue to=8h \"I am at the dentist\""), CameOut::Done);
    scene.says("ben", "oncall");
    assert_eq!(scene.says("ana", PLANNED), CameOut::Refused, "sue has the role now");
    // A bot that only looks reads it from the journal.
    let mut looking = scene.desk().clone();
    looking.engine = None;
    assert_eq!(looking.overrides(), scene.desk().overrides());
    assert_eq!(looking.overrides().len(), 1);
    scene.restarts();
    assert_eq!(scene.says("ana", PLANNED), CameOut::Refused, "and after a restart");
    scene.says("ben", "oncall who on-call");
    scene.says("ben", "journal verify");
    scene.clock_moves(Duration::from_hours(8));
    scene.says("ana", PLANNED);
    assert_eq!(scene.run(1).phase, Phase::Confirming, "the eight hours are over");

    scene.reads("stand-in");
}

#[test]
fn overrides_that_are_said_at_one_moment_all_count() {
    let scene = scheduled();
    // Moments are the same only on several threads.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(all_count(&scene));
}

async fn all_count(scene: &Scene) {
    let place = crate::stage::folder();
    let library = Arc::new(Library::new(scene.desk().library().folders().clone()));
    let target = Arc::new(Hosts::new(Clock::System)) as Arc<dyn Target>;
    let journal = opened(&place.path().join("bot.db"));
    let engine = Engine::start(journal, library, target, scene.desk().clock.clone(), Dice::seeded(1), zone());
    let engine = engine.await.unwrap();
    let asked = StandIn {
        schedule: "primary".to_owned(),
        person: "sue".to_owned(),
        from: None,
        to: "8h".to_owned(),
        why: "I am at the dentist".to_owned(),
    };

    for round in 1..=20 {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let (engine, asked) = (engine.clone(), asked.clone());
            // Whoever stands in may hand on.
            let who = if round == 1 { "ana" } else { "sue" };
            all.spawn(async move { engine.stand_in(&Scene::speaker(who), &asked).await.map(|_| ()) });
        }
        let took = all.join_all().await.into_iter().flatten().count();
        assert!(took > 0, "round {round}");
        assert_eq!(engine.overrides().to_vec(), overrides(engine.view()).unwrap(), "round {round}");
    }
}

#[test]
fn a_broken_notify_file_is_no_empty_rota_and_keeps_nobody_else_from_working() {
    let mut scene = scheduled();
    scene.edits("notify.yaml", "schedules:", "shedules:");
    assert_eq!(scene.says("ana", PLANNED), CameOut::Refused);
    assert_eq!(scene.says("cleo", "status"), CameOut::Done);

    scene.reads("notify-broken");
}

#[test]
fn a_plan_says_which_paths_depend_on_what_it_changes() {
    let mut scene = scheduled();
    scene.edits("notify.yaml", "depends_on: [host/bl1]", "depends_on: [host/pg2]");
    scene.edits("notify.yaml", "depends_on: [modem]", "depends_on: [service/orders]");
    scene.says("ana", PLANNED);

    scene.reads("shared-fate");
}

#[test]
fn words_about_duties_are_completed_with_those_who_may_stand_in() {
    let scene = scheduled();

    assert_eq!(offered(&scene, "ben", "oncall "), ["gaps", "override", "who"]);
    assert_eq!(offered(&scene, "ben", "oncall who on"), ["on-call"]);
    assert_eq!(offered(&scene, "ben", "oncall override "), ["night", "primary"]);
    assert_eq!(offered(&scene, "ben", "oncall override primary "), ["ana", "cleo", "sue"]);
    assert_eq!(offered(&scene, "ben", "oncall override primary sue "), ["from=", "to="]);
    assert_eq!(offered(&scene, "ben", "oncall override primary sue from=now "), ["to="]);
    assert!(offered(&scene, "mallory", "oncall who ").is_empty());
}
