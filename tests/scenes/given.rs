//! Roles that Discord gives: heard from there, counted at every door for some minutes, and looked at again before a start.

use std::time::Duration;

use discord::{Discord, Fault, Seen};
use steadyhand::chat::desk::CameOut;
use steadyhand::chat::discord::Messages;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::{Engine, Refused, ToRun};
use steadyhand::policy::decide::Denial;
use steadyhand::run::model::{Outcome, Phase};
use steadyhand::run::{Event, RunId};

use crate::bot::speaker;
use crate::discord::Ground;
use crate::stage::{PLANNED, Scene};

/// The role `dba` on the server.
const DBA: &str = "214600000000000099";
const ANA: &str = "214600000000000001";
const BEN: &str = "214600000000000002";
const CLEO: &str = "214600000000000003";
const SUE: &str = "214600000000000004";

/// `dba` is given on Discord; ben is nothing else, and cleo is a commander as well.
fn given() -> Scene {
    let mut scene = Scene::with_own_files();
    scene.edits(
        "policy.yaml",
        "dba:           { people: [ben, cleo] }",
        &format!("dba:           {{ discord: [\"{DBA}\"] }}"),
    );
    scene.edits("policy.yaml", "data-platform: { people: [ben, cleo]", "data-platform: { people: [cleo]");
    scene.edits(
        "policy.yaml",
        "doors: { console: {} }",
        "doors: { console: {}, discord: { server: \"214600000000000100\", channels: [\"214600000000000101\"] } }",
    );
    scene
}

/// Discord says who of them is a dba.
fn says_discord(scene: &Scene, members: &[(&str, bool)]) {
    let said = members.iter().map(|(user, has)| {
        let roles = has.then(|| DBA.to_owned()).into_iter().chain(["214600000000000050".to_owned()]);
        ((*user).to_owned(), roles.collect())
    });
    let said = said.collect();
    let files = scene.desk().files().unwrap();
    let now = scene.desk().moment().now;
    let heard = scene.engine().members_are(files.set.policy.as_ref().unwrap(), said, now);
    scene.waits_for(heard).unwrap();
}

fn approves(scene: &mut Scene, person: &str) -> CameOut {
    let line = format!("approve 1 {}", scene.run(1).digest().unwrap().short());
    scene.says(person, &line)
}

/// The entries that say who was given a role, and from whom it was taken: gained, lost, held.
fn written(engine: &Engine) -> Vec<String> {
    let mut entries = engine.view().newest_of_kind("discord-roles", 100).unwrap();
    entries.reverse();
    let part = |data: &serde_json::Value, key: &str| {
        let names = data[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    let line = |data: &serde_json::Value| {
        format!("+{} -{} ={}", part(data, "gained"), part(data, "lost"), part(data, "held_by"))
    };
    entries.iter().map(|entry| line(&entry.data)).collect()
}

#[test]
fn what_discord_said_counts_at_the_console_for_three_minutes() {
    let mut scene = given();
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    assert_eq!(approves(&mut scene, "ben"), CameOut::Refused, "nobody has asked Discord");
    assert!(scene.last().contains("has not been asked yet"), "{}", scene.last());
    scene.says("ben", "oncall who dba");
    assert_eq!(approves(&mut scene, "sue"), CameOut::Refused);
    assert!(scene.last().contains("role-unknown"), "nobody knows what she is: {}", scene.last());

    says_discord(&scene, &[(ANA, false), (BEN, true), (CLEO, false)]);
    scene.clock_moves(Duration::from_secs(181));
    assert_eq!(approves(&mut scene, "ben"), CameOut::Refused, "that was too long ago");
    assert!(scene.last().contains("was last asked at 2026-11-18"), "{}", scene.last());

    says_discord(&scene, &[(BEN, true)]);
    scene.clock_moves(Duration::from_secs(170));
    scene.says("cleo", "oncall who dba");
    says_discord(&scene, &[(ANA, false), (BEN, true), (CLEO, false), (SUE, false)]);
    scene.says("cleo", "oncall who dba");
    scene.says("cleo", "who owns pg1");
    assert_eq!(scene.run(1).phase, Phase::Approving);
    assert_eq!(approves(&mut scene, "ben"), CameOut::Done);
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
    scene.reads("given-for-minutes");
}

#[test]
fn a_role_that_is_taken_before_the_start_voids_what_was_agreed() {
    let mut scene = given();
    scene.edits("policy.yaml", "approve_at_least: 1", "approve_at_least: 2");
    says_discord(&scene, &[(ANA, false), (BEN, true), (CLEO, false)]);
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    let digest = scene.run(1).digest().unwrap().clone();
    assert_eq!(approves(&mut scene, "ben"), CameOut::NeedsPerson);
    says_discord(&scene, &[(ANA, false), (BEN, false), (CLEO, true)]);
    approves(&mut scene, "cleo");

    let run = scene.run(1);
    assert_eq!((run.phase, run.approvals.len()), (Phase::Confirming, 0));
    assert!(run.holds.is_empty() && run.confirmed.is_none());
    assert_eq!(run.digest(), Some(&digest), "the plan is the same");
    scene.nothing_was_sent();
    // Read back and agreed to anew, by those who may now.
    scene.says("ana", &format!("confirm 1 {}", run.token.as_ref().unwrap().text));
    assert_eq!(approves(&mut scene, "ben"), CameOut::Refused);
    approves(&mut scene, "cleo");
    says_discord(&scene, &[(BEN, true)]);
    approves(&mut scene, "ben");
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
    assert_eq!(written(scene.engine()), ["+ben - =ben", "+cleo -ben =cleo", "+ben - =ben cleo"]);
    scene.reads("taken-before-the-start");
}

#[test]
fn nothing_starts_while_nobody_knows_whether_those_who_agreed_still_may() {
    let mut scene = given();
    scene.edits("policy.yaml", "approve_at_least: 1", "approve_at_least: 2");
    says_discord(&scene, &[(ANA, false), (BEN, true), (CLEO, false)]);
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    approves(&mut scene, "ben");
    scene.clock_moves(Duration::from_mins(4));
    // cleo is a commander by the policy, so that her word counts without Discord; ben's did not.
    assert_eq!(approves(&mut scene, "cleo"), CameOut::Refused);

    let run = scene.run(1);
    assert_eq!((run.phase, run.started), (Phase::Ended(Outcome::Refused), None));
    scene.nothing_was_sent();
    let codes = scene.engine().view().newest_of_kind("not-planned", 1).unwrap();
    let event = steadyhand::journal::stamped(&codes[0]).unwrap().event;
    assert!(matches!(event, Event::NotPlanned { code, .. } if code == "role-unknown"));
    scene.reads("nobody-knows");
}

#[test]
fn what_needs_no_role_of_discord_does_not_wait_for_it() {
    let mut scene = given();
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    approves(&mut scene, "cleo");

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded), "{}", scene.last());
}

#[test]
fn after_a_restart_nobody_is_a_dba_until_discord_says_so() {
    let mut scene = given();
    says_discord(&scene, &[(ANA, true), (BEN, true), (CLEO, false)]);
    says_discord(&scene, &[(ANA, true), (BEN, true)]);
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    scene.restarts();
    assert_eq!(approves(&mut scene, "ben"), CameOut::Refused);
    says_discord(&scene, &[(ANA, false), (BEN, true)]);
    assert_eq!(approves(&mut scene, "ben"), CameOut::Done);

    assert_eq!(written(scene.engine()), ["+ana ben - =ana ben", "+ben - =ben"]);
}

/// A clock that goes with the real one, and can be moved on besides.
pub(crate) fn going() -> Clock {
    let clock = Clock::moved(Clock::System.now());
    let goes = clock.clone();
    tokio::spawn(async move {
        let step = Duration::from_millis(10);
        loop {
            Clock::System.after(step).await;
            goes.advance(step);
        }
    });
    clock
}

/// A server where `dba` is the role of that name; `sue` of the policy is adam, who is an administrator and no dba.
async fn on_discord(clock: &Clock, approvals: u32) -> Ground {
    let edited = |server: &Discord, policy: String| {
        let id = |name: &str| server.person(name).id().to_string();
        let policy = policy
            .replace(
                "dba:           { people: [ben, cleo] }",
                &format!("dba:           {{ discord: [\"{}\"] }}", server.role_id("dba")),
            )
            .replace("commander:     { people: [cleo] }", "commander:     { people: [ana] }")
            .replace("[ben, cleo], escalates_to", "[ana], escalates_to")
            .replace("[ana, cleo], escalates_to", "[ana], escalates_to")
            .replace("approve_at_least: 1", &format!("approve_at_least: {approvals}"));
        policy.replace(&id("sue"), &id("adam"))
    };
    Ground::of(&["ops"], Messages::Mention, clock.clone(), edited).await
}

/// What is written last of who is a dba, as soon as it counts.
async fn until_written(ground: &Ground, last: &str) {
    for _ in 0..6_000 {
        if is_written(ground, last) {
            return;
        }
        Clock::System.after(Duration::from_millis(10)).await;
    }
    panic!("{:?} does not end with {last}", written(&ground.bot().engine));
}

fn is_written(ground: &Ground, last: &str) -> bool {
    let engine = &ground.bot().engine;
    let files = engine.snapshot().unwrap();
    let holders = files.set.policy.as_ref().unwrap().holders(&["dba".to_owned()]);
    let holders: Vec<_> = holders.iter().map(ToString::to_string).collect();
    let counts = format!("={}", holders.join(" "));
    written(engine).last().is_some_and(|line| line == last && line.ends_with(&counts))
}

/// A minute passes for the bot, so that it asks Discord, and this is written. Once more where the clock was moved before
/// the bot waited on it.
async fn until_asked(ground: &Ground, clock: &Clock, last: &str) {
    for _ in 0..10 {
        clock.advance(Duration::from_secs(61));
        for _ in 0..200 {
            if is_written(ground, last) {
                return;
            }
            Clock::System.after(Duration::from_millis(10)).await;
        }
    }
    panic!("{:?} does not end with {last}", written(&ground.bot().engine));
}

/// Somebody says something to run 1 on the console.
async fn on_the_console(ground: &Ground, name: &str, to_run: ToRun) -> Result<(), Refused> {
    let engine = ground.bot().engine.clone();
    let speaker = speaker(name);
    engine.say(&speaker, RunId(1), to_run).await.map(|_| ())
}

fn approve(ground: &Ground) -> ToRun {
    ToRun::Approve { digest: ground.run(1).digest().unwrap().short().to_owned(), step: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_counts_with_the_first_press_and_at_other_doors_within_a_minute() {
    let clock = going();
    let ground = on_discord(&clock, 2).await;
    until_written(&ground, "+ben cleo - =ben cleo").await;
    ground.person("cleo").loses_role("dba");
    until_asked(&ground, &clock, "+ -cleo =ben").await;
    ground.person("ben").loses_role("dba");
    let card = ground.confirmed().await;
    let refused = ground.press("ben", &card, "Approve").await;
    assert!(refused.says("needs the role dba"), "what he lost counts with his press: {refused}");
    let refused: Seen = ground.press("adam", &card, "Approve").await;
    assert!(refused.says("needs the role dba"), "an administrator is no dba: {refused}");
    let refused = ground.press("uma", &card, "Approve").await;
    assert!(refused.says("belongs to nobody"), "{refused}");
    ground.person("uma").gets_role("dba");
    let refused = ground.press("uma", &card, "Approve").await;
    assert!(refused.says("belongs to nobody"), "the policy does not know her, whatever she is: {refused}");
    assert!(ground.run(1).approvals.is_empty());

    ground.person("ben").gets_role("dba");
    ground.press("ben", &card, "Approve").await;
    assert_eq!(ground.run(1).approvals.len(), 1, "what he gained as well");
    ground.person("cleo").gets_role("dba");
    until_asked(&ground, &clock, "+cleo - =ben cleo").await;
    on_the_console(&ground, "cleo", approve(&ground)).await.unwrap();
    ground.until("it starts", |run| run.started.is_some()).await;

    let lines = written(&ground.bot().engine);
    assert_eq!(lines.first().unwrap(), "+ben cleo - =ben cleo");
    assert!(lines.iter().any(|line| line.starts_with("+ben - =ben")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("uma") || line.contains("sue")), "{lines:?}");
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn discord_is_asked_once_more_right_before_the_start() {
    let clock = going();
    let ground = on_discord(&clock, 2).await;
    until_written(&ground, "+ben cleo - =ben cleo").await;
    let card = ground.confirmed().await;
    ground.press("ben", &card, "Approve").await;
    assert_eq!(ground.run(1).approvals.len(), 1);
    // No minute passes: nobody has asked since.
    ground.person("ben").loses_role("dba");
    ground.press("cleo", &card, "Approve").await;

    let run = ground.until("void", |run| run.phase == Phase::Confirming).await;
    assert!(run.approvals.is_empty());
    let thread = "run 1 · failover-database · orders";
    ground
        .discord
        .until_says(thread, "ben approved it as dba, which Discord does not give them any more")
        .await;
    ground.hosts_untouched();
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_for_whom_there_is_no_answer_keeps_nobody_else_from_being_heard() {
    let clock = going();
    let ground = on_discord(&clock, 2).await;
    until_written(&ground, "+ben cleo - =ben cleo").await;
    let asked = |name: &str| {
        let path = format!("/members/{}", ground.person(name).id());
        ground.discord.requests().iter().filter(|it| it.path.ends_with(&path)).count()
    };
    ground.discord.fails(9, "GET", &format!("/members/{}", ground.person("ana").id()), {
        Fault::Slow(Duration::from_hours(1))
    });
    ground.person("ben").loses_role("dba");
    let before = asked("cleo");

    clock.advance(Duration::from_secs(61));
    ground.discord.until("cleo is asked for", |_| (asked("cleo") > before).then_some(())).await;
    // Long before the answer for ana is given up: a start waits for five seconds.
    until_written(&ground, "+ -ben =cleo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_discord_is_down_nobody_knows_who_may_and_nothing_begins() {
    let clock = going();
    let ground = on_discord(&clock, 2).await;
    until_written(&ground, "+ben cleo - =ben cleo").await;
    let card = ground.confirmed().await;
    ground.press("ben", &card, "Approve").await;
    ground.discord.goes_down();
    clock.advance(Duration::from_mins(1));
    on_the_console(&ground, "cleo", ToRun::Pause).await.unwrap_err();
    clock.advance(Duration::from_secs(130));
    let refused = on_the_console(&ground, "cleo", approve(&ground)).await.unwrap_err();
    assert!(matches!(refused, Refused::Denied(Denial::RoleUnknown { .. })), "{refused:?}");
    let refused = on_the_console(&ground, "cleo", ToRun::Stop { now: false }).await.unwrap_err();
    assert!(matches!(refused, Refused::Denied(Denial::RoleUnknown { .. })), "{refused:?}");
    // ana is a commander by the policy, and asked for it herself.
    on_the_console(&ground, "ana", ToRun::Refuse { why: "Discord is down".to_owned() }).await.unwrap();
    assert!(ground.run(1).is_ended() && ground.run(1).started.is_none());
    ground.hosts_untouched();
}
