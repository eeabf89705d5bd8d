//! The middle, where no words are: many at once, those who follow slowly, and what is left of a run that has ended.

use steadyhand::chat::console::follow::follow;
use steadyhand::engine::{Refused, ToRun};
use steadyhand::run::RunId;
use steadyhand::run::model::{Outcome, Phase};
use tokio::sync::broadcast;

use crate::stage::{PLANNED, Scene};

#[test]
fn too_much_at_once_is_refused_and_nothing_is_lost() {
    let mut scene = Scene::confirmed(PLANNED);
    let engine = scene.engine().clone();

    let (mut busy, mut heard) = (0, 0);
    for answer in scene.at_once(300, |_| {
        let engine = engine.clone();
        async move { engine.say(&Scene::speaker("ana"), RunId(1), ToRun::Pause).await }
    }) {
        match answer {
            Err(Refused::Busy(RunId(1))) => busy += 1,
            Err(Refused::Run(..)) => heard += 1,
            other => panic!("{other:?}"),
        }
    }

    assert_eq!(busy + heard, 300);
    assert!(busy > 0 && heard >= 128, "{busy} were refused, {heard} were heard");
    let page = steadyhand::wording::refusal::busy(RunId(1));
    scene.shows_page(&page);
    assert!(scene.last().contains("Next: ") && scene.last().contains("code: busy"), "{}", scene.last());
}

#[test]
fn of_many_who_approve_at_once_one_counts() {
    let mut scene = Scene::confirmed(PLANNED);
    let engine = scene.engine().clone();
    let digest = scene.run(1).digest().unwrap().short().to_owned();

    let answers =
        scene.at_once(20, |_| {
            let (engine, digest) = (engine.clone(), digest.clone());
            async move {
                engine.say(&Scene::speaker("ben"), RunId(1), ToRun::Approve { digest, step: None }).await
            }
        });

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    scene.after(std::time::Duration::from_mins(1));
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
    assert_eq!(scene.hosts.sent().iter().filter(|sent| *sent == "pg2 promote").count(), 1);
}

#[test]
fn of_many_who_ask_for_a_run_each_has_a_number_of_their_own() {
    let mut scene = Scene::of_orders();
    let engine = scene.engine().clone();

    let answers = scene.at_once(8, |_| {
        let engine = engine.clone();
        let arguments = [("cluster", "orders"), ("candidate", "pg2"), ("mode", "planned")];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        async move {
            let reason = Some("planned move".to_owned());
            engine.request(&Scene::speaker("ana"), "failover-database", arguments, reason).await
        }
    });

    let mut ids: Vec<u64> = answers.into_iter().map(|answer| answer.unwrap().id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_run_that_has_ended_is_put_down() {
    let idle = Scene::of_orders().tasks();
    let mut scene = Scene::confirmed(PLANNED);
    assert_eq!(scene.tasks(), idle + 1, "one conductor carries it");

    scene.does_next("ben");
    scene.settle();

    assert_eq!(scene.tasks(), idle, "somebody still carries a run that is over");
    assert!(scene.engine().open_runs().is_empty());
    assert!(scene.engine().far(RunId(1)).is_empty());
    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn who_follows_slowly_is_told_what_was_not_shown() {
    let mut scene = Scene::confirmed(PLANNED);
    let mut events = scene.engine().follow();
    scene.does_next("ben");
    let mut all = Vec::new();
    while let Ok(happened) = events.try_recv() {
        all.push(happened);
    }
    let (sender, behind) = broadcast::channel(4);
    for happened in &all {
        sender.send(happened.clone()).unwrap();
    }

    let mut shown = Vec::new();
    let (engine, desk) = (scene.engine().clone(), scene.desk().clone());
    let run = scene.waits_for(follow(&engine, &desk, RunId(1), behind, |line| shown.push(line.to_owned())));

    assert!(run.is_some_and(|run| run.is_ended()));
    assert!(all.len() > 10);
    let last = shown.last().unwrap();
    assert!(last.contains("Run 1 succeeded"), "{shown:#?}");
    assert!(shown.iter().any(|line| line.contains("were not shown")), "{shown:#?}");
}
