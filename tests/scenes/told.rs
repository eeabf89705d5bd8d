//! Who is told: incidents of runs, notices over scripted paths, and what a crash at any moment leaves behind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::duty::model::Carrier;
use steadyhand::engine::{Begin, Refused};
use steadyhand::incident::input::Answer;
use steadyhand::incident::model::{Delivery, End, Owed, Severity, Status};
use steadyhand::incident::{Incident, IncidentId, Refusal, Says};
use steadyhand::journal::JournalView;
use steadyhand::notify::{Kind, Letter, Messenger};
use steadyhand::run::RunId;
use steadyhand::run::model::{Outcome, Phase};
use steadyhand::runbook::source::name::PathName;
use steadyhand::target::Later;

use crate::stage::{Answer as HostAnswer, PLANNED, Scene};

const NOTIFY: &str = r#"notify: orders

paths:
  chat: { kind: discord, channel: "214600000000000100", depends_on: [discord, egress] }
  post: { kind: mail, server: "mail:25", from: bot@example.com, depends_on: [host/bl1] }
  siren: { kind: slack, url: siren_url, depends_on: [modem] }

people:
  ana: [chat, { path: post, to: ana@example.com }]
  ben: [chat, { path: post, to: ben@example.com }]
  cleo: [chat, { path: post, to: cleo@example.com }]
  sue: [chat, { path: post, to: sue@example.com }]

escalations:
  shop:
    steps: [{ tell: [shop] }, { tell: [commander] }]
    last_resort: [siren]
  support:
    steps: [{ tell: [support] }, { tell: [commander] }]
    last_resort: [siren]
"#;

const REBUILD: &str =
    "run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged\"";

/// Paths that answer as they are told, and what left over them.
struct Post {
    left: Mutex<Vec<(String, Letter)>>,
    /// The answers of a path that are not "taken", first one first.
    answers: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    /// Paths of which nobody ever hears.
    silent: Mutex<Vec<String>>,
    /// How many are on their way over each path now, and at most so far.
    at_once: Mutex<BTreeMap<String, (usize, usize)>>,
    journal: Mutex<Option<JournalView>>,
}

impl Post {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            left: Mutex::default(),
            answers: Mutex::default(),
            silent: Mutex::default(),
            at_once: Mutex::default(),
            journal: Mutex::default(),
        })
    }

    fn will(&self, path: &str, answers: &[Answer]) {
        self.answers.lock().unwrap().insert(path.to_owned(), answers.iter().cloned().collect());
    }

    fn letters(&self) -> Vec<(String, Letter)> {
        self.left.lock().unwrap().clone()
    }

    /// Who was told over which path what it is for, in order.
    fn told(&self) -> Vec<String> {
        let line = |(path, letter): &(String, Letter)| {
            let to = letter.to.as_ref().map_or("nobody in particular", |to| to.as_str()).to_owned();
            format!("{path} {to} {:?}", letter.kind)
        };
        self.letters().iter().map(line).collect()
    }
}

impl Messenger for Post {
    fn send<'a>(&'a self, path: &'a PathName, _: &'a Carrier, letter: &'a Letter) -> Later<'a, Answer> {
        let path = path.to_string();
        if let Some(view) = self.journal.lock().unwrap().as_ref() {
            let stored = view.incident(letter.incident).unwrap().expect("it is written");
            let sending = |it: &&steadyhand::incident::model::Notice| {
                matches!(it.delivery, Delivery::Sending(_)) && it.to == letter.to
            };
            assert!(stored.notices.iter().any(|it| sending(&it)), "the intent is durable before it leaves");
        }
        self.left.lock().unwrap().push((path.clone(), letter.clone()));
        let answer = self.answers.lock().unwrap().get_mut(&path).and_then(VecDeque::pop_front);
        let silent = self.silent.lock().unwrap().contains(&path);
        {
            let mut at_once = self.at_once.lock().unwrap();
            let (now, most) = at_once.entry(path.clone()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        Box::pin(async move {
            if silent {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            self.at_once.lock().unwrap().entry(path).or_default().0 -= 1;
            answer.unwrap_or(Answer::Accepted(None))
        })
    }
}

/// The cast, with ways to each of them.
fn reachable() -> Scene {
    let mut scene = Scene::with_own_files();
    scene.support_is_silent();
    scene.writes("notify.yaml", NOTIFY);
    scene.edits(
        "policy.yaml",
        "doors: { console: {} }",
        "doors: { console: {} }\n\nsecrets: { siren_url: [notify.yaml] }",
    );
    scene
}

/// Notices leave over these paths from now on.
fn over(scene: &mut Scene, post: &Arc<Post>) {
    *post.journal.lock().unwrap() = Some(scene.engine().view().clone());
    scene.engine().incidents().over(post.clone(), None);
    scene.settle();
}

/// ana asks, confirms, ben approves: until the run rests.
fn agreed(scene: &mut Scene, line: &str) {
    scene.says("ana", line);
    scene.does_next("ana");
    scene.does_next("ben");
    scene.settle();
}

/// ben asks for a rebuild, cleo approves it: until the run rests.
fn rebuilding(scene: &mut Scene) {
    scene.says("ben", REBUILD);
    scene.does_next("ben");
    let approve = scene.next_command();
    scene.types("cleo", &approve);
    scene.after(Duration::from_secs(10));
}

fn say(scene: &mut Scene, person: &str, id: u64, says: Says) -> Result<Arc<Incident>, Refused> {
    let incidents = scene.engine().incidents();
    let said = scene.waits_for(incidents.say(&Scene::speaker(person), IncidentId(id), says));
    scene.settle();
    said
}

fn knows() -> Says {
    Says::Acknowledge { how: "console".to_owned() }
}

fn begins(scene: &mut Scene, severity: Severity, drill: Option<&[&str]>) -> Result<Arc<Incident>, Refused> {
    let begin = Begin {
        severity,
        service: Some("orders".to_owned()),
        what: "orders are refused at the till".to_owned(),
        drill: drill.map(|people| people.iter().map(|name| (*name).to_owned()).collect()),
    };
    let incidents = scene.engine().incidents();
    let begun = scene.waits_for(incidents.begin(&Scene::speaker("ana"), begin));
    scene.settle();
    begun
}

fn incident(scene: &Scene, id: u64) -> Arc<Incident> {
    scene.engine().incidents().get(IncidentId(id)).unwrap().expect("there is one")
}

/// The journal holds, and what is shown is what it says.
fn holds(scene: &mut Scene) {
    scene.settle();
    let view = scene.engine().view();
    let verified = view.verify().unwrap();
    assert!(verified.holds(), "{verified:?}");
    for shown in scene.engine().incidents().open() {
        assert_eq!(view.incident(shown.id).unwrap().as_ref(), Some(&*shown));
    }
}

#[test]
fn a_run_that_opens_an_incident_has_support_told_over_two_ways_at_once() {
    let mut scene = reachable();
    let post = Post::new();
    over(&mut scene, &post);

    agreed(&mut scene, PLANNED);

    assert_eq!(scene.run(1).phase, Phase::Ended(Outcome::Succeeded), "{}", scene.last());
    let opened = incident(&scene, 1);
    assert_eq!((opened.severity, opened.opened.title.as_str()), (Severity::Sev1, "Order processing"));
    assert!(opened.runs.contains_key(&RunId(1)));
    let told = post.told();
    for way in ["chat sue Page", "post sue Page"] {
        assert!(told.contains(&way.to_owned()), "{told:?}");
    }
    let says_something = |letter: &Letter| !letter.words.subject.is_empty() && !letter.words.text.is_empty();
    assert!(post.letters().iter().all(|(_, letter)| says_something(letter)), "{:?}", post.letters());
    holds(&mut scene);
}

#[test]
fn nothing_leaves_before_somebody_carries_it_and_then_all_of_it_does() {
    let mut scene = reachable();
    begins(&mut scene, Severity::Sev1, None).unwrap();
    let waits = incident(&scene, 1).notices.len();
    assert!(waits >= 2);
    let found = scene.engine().incidents().audit(scene.desk().moment().now);
    assert_eq!(found, ["Notices wait, and nothing carries them."]);

    let post = Post::new();
    over(&mut scene, &post);

    assert_eq!(post.letters().len(), waits);
    assert!(scene.engine().incidents().audit(scene.desk().moment().now).is_empty());
    holds(&mut scene);
}

#[test]
fn a_page_of_a_new_incident_leaves_before_the_news_of_old_ones() {
    let mut scene = reachable();
    for id in 1..=5 {
        begins(&mut scene, Severity::Sev3, None).unwrap();
        say(&mut scene, "sue", id, knows()).unwrap();
        let says = Says::Update { text: "orders work again".to_owned(), for_support: true };
        say(&mut scene, "ben", id, says).unwrap();
    }
    begins(&mut scene, Severity::Sev3, None).unwrap();

    let post = Post::new();
    over(&mut scene, &post);

    let letters: Vec<(u64, Kind)> = post.letters().iter().map(|(_, it)| (it.incident.0, it.kind)).collect();
    assert_eq!(letters[..2], [(6, Kind::Page), (6, Kind::Page)], "{letters:?}");
    assert_eq!(letters.len(), 2 + 5, "{letters:?}");
    holds(&mut scene);
}

#[test]
fn what_is_owed_and_whose_time_passed_unheard_is_found() {
    let mut scene = reachable();
    over(&mut scene, &Post::new());
    begins(&mut scene, Severity::Sev2, None).unwrap();
    say(&mut scene, "ana", 1, Says::Resolve).unwrap();
    say(&mut scene, "sue", 1, knows()).unwrap();
    let now = scene.desk().moment().now;
    let owed = incident(&scene, 1).owed().iter().map(|it| (it.number, it.due)).collect::<Vec<_>>();
    let [(number, due)] = owed[..] else { panic!("the postmortem alone: {owed:?}") };
    let incidents = scene.engine().incidents();
    assert_eq!(incidents.audit(now), [""; 0]);

    // A bot whose clocks stand still would be found by it.
    let found = incidents.audit(due + jiff::SignedDuration::from_mins(6));

    assert_eq!(found, [format!("inc-1 should have heard at {due} that obligation {number} is late.")]);
}

#[test]
fn a_person_who_says_that_they_know_ends_the_call_and_a_path_that_takes_it_does_not() {
    let mut scene = reachable();
    let post = Post::new();
    over(&mut scene, &post);
    begins(&mut scene, Severity::Sev3, None).unwrap();
    let calls = |post: &Post| post.letters().iter().filter(|(_, letter)| letter.kind == Kind::Page).count();
    let first = calls(&post);
    assert!(first >= 2, "{:?}", post.told());

    scene.after(Duration::from_mins(6));
    let second = calls(&post);
    assert!(second > first, "nobody answered: the next one is called: {:?}", post.told());
    say(&mut scene, "sue", 1, knows()).unwrap();
    scene.after(Duration::from_mins(30));

    assert_eq!(calls(&post), second, "{:?}", post.told());
    let incident = incident(&scene, 1);
    let owed = incident.obligations.iter().find(|owed| owed.owed == Owed::Acknowledged).unwrap();
    assert!(matches!(&owed.end, Some(End::Met(Some(by))) if by.as_str() == "sue"));
    holds(&mut scene);
}

#[test]
fn a_letter_that_was_on_its_way_when_the_bot_died_is_sent_again_with_the_same_key() {
    let mut scene = reachable();
    let post = Post::new();
    post.silent.lock().unwrap().push("chat".to_owned());
    over(&mut scene, &post);
    begins(&mut scene, Severity::Sev3, None).unwrap();
    let (_, first) = post.letters().into_iter().find(|(path, _)| path == "chat").unwrap();
    assert!(!first.may_repeat);

    scene.restarts();
    let again = Post::new();
    over(&mut scene, &again);
    scene.after(Duration::from_mins(1));

    let (_, second) = again.letters().into_iter().find(|(_, letter)| letter.key == first.key).unwrap();
    assert!(second.may_repeat && second.to == first.to);
    let first_keys: Vec<String> = post.letters().into_iter().map(|(_, letter)| letter.key).collect();
    let taken = again
        .letters()
        .iter()
        .filter(|(path, letter)| path == "post" && first_keys.contains(&letter.key))
        .count();
    assert_eq!(taken, 0, "what was taken is not sent again");
    holds(&mut scene);
}

#[test]
fn a_letter_of_which_nobody_hears_is_unknown_after_a_while_and_sent_again() {
    let mut scene = reachable();
    let post = Post::new();
    post.silent.lock().unwrap().push("chat".to_owned());
    over(&mut scene, &post);
    begins(&mut scene, Severity::Sev3, None).unwrap();

    scene.after(Duration::from_secs(16));
    post.silent.lock().unwrap().clear();
    scene.after(Duration::from_secs(30));

    let letters = post.letters();
    let (_, first) = letters.iter().find(|(path, _)| path == "chat").unwrap();
    let same: Vec<_> = letters.iter().filter(|(_, letter)| letter.key == first.key).collect();
    assert_eq!(same.len(), 2);
    assert!(!same[0].1.may_repeat && same[1].1.may_repeat);
}

#[test]
fn a_path_that_refuses_is_tried_again_as_late_as_it_wants() {
    let mut scene = reachable();
    let post = Post::new();
    let busy = Answer::NotNow("busy".to_owned(), Some(steadyhand::runbook::source::literal::Millis(40_000)));
    post.will("post", &[busy]);
    over(&mut scene, &post);
    begins(&mut scene, Severity::Sev3, None).unwrap();
    let to_post = |post: &Post| post.letters().iter().filter(|(path, _)| path == "post").count();
    assert_eq!(to_post(&post), 1);

    scene.after(Duration::from_secs(39));
    assert_eq!(to_post(&post), 1, "it wants to be left alone");
    scene.after(Duration::from_secs(2));
    assert_eq!(to_post(&post), 2);
}

#[test]
fn no_path_carries_more_than_four_at_once() {
    let mut scene = reachable();
    let post = Post::new();
    post.silent.lock().unwrap().push("post".to_owned());
    over(&mut scene, &post);

    for _ in 0..7 {
        begins(&mut scene, Severity::Sev3, None).unwrap();
    }

    let at_once = post.at_once.lock().unwrap().clone();
    assert_eq!(at_once["post"], (4, 4));
    assert!(at_once["chat"].1 <= 4 && at_once["chat"].0 == 0, "{at_once:?}");
    let to_chat = post.letters().iter().filter(|(path, _)| path == "chat").count();
    assert!(to_chat >= 7, "a path that hangs keeps no other from being used");
}

#[test]
fn nothing_leaves_while_the_journal_takes_nothing() {
    let mut scene = reachable();
    let post = Post::new();
    begins(&mut scene, Severity::Sev3, None).unwrap();
    let sql = |scene: &Scene, sql: &str| {
        rusqlite::Connection::open(scene.journal_path()).unwrap().execute_batch(sql).unwrap();
    };
    sql(&scene, crate::journal::FULL);
    over(&mut scene, &post);
    scene.after(Duration::from_secs(20));
    assert!(post.letters().is_empty());
    assert!(matches!(say(&mut scene, "sue", 1, knows()), Err(Refused::NotWritten(_))));

    sql(&scene, crate::journal::ROOM);
    scene.after(Duration::from_secs(6));

    assert!(!post.letters().is_empty());
    assert!(say(&mut scene, "sue", 1, knows()).is_ok());
    holds(&mut scene);
}

#[test]
fn a_run_changes_nothing_before_support_knows_also_over_a_crash() {
    let mut scene = reachable();
    let post = Post::new();
    over(&mut scene, &post);

    rebuilding(&mut scene);

    let waits = scene.run(1);
    assert!(waits.waits_to_be_known() && !waits.has_sent_a_change(), "{}", scene.last());
    assert_eq!(incident(&scene, 1).severity, Severity::Planned);
    scene.says("ana", "status 1");
    assert!(scene.last().contains("waits until Support has said that they know"), "{}", scene.last());
    scene.restarts();
    over(&mut scene, &Post::new());
    assert!(scene.run(1).waits_to_be_known());

    say(&mut scene, "sue", 1, knows()).unwrap();

    assert!(scene.run(1).known.is_some() && scene.run(1).has_sent_a_change());
    holds(&mut scene);
}

#[test]
fn a_waiver_lets_a_run_begin_and_a_stop_ends_it_unchanged() {
    let mut scene = reachable();
    rebuilding(&mut scene);
    let owed = incident(&scene, 1).obligations.iter().find(|owed| owed.holds_back.is_some()).unwrap().number;
    let why = "sue said so on the phone".to_owned();
    say(&mut scene, "cleo", 1, Says::Waive { obligation: owed, why }).unwrap();
    assert!(scene.run(1).known.is_some());

    let mut scene = reachable();
    rebuilding(&mut scene);
    assert_eq!(scene.says("ben", "stop 1"), CameOut::Done);
    assert!(scene.run(1).is_ended() && !scene.run(1).has_sent_a_change());
    holds(&mut scene);
}

#[test]
fn whatever_a_run_went_through_before_a_crash_it_has_one_incident_afterwards() {
    let mut cuts = 0;
    loop {
        let mut scene = reachable();
        let enough = scene.is_agreed_until(PLANNED, cuts + 1);
        scene.restarts();
        // A crash once more, right after the start.
        scene.restarts();

        let started = scene.run(1).started.is_some();
        let all = scene.engine().view().incidents().unwrap();
        assert_eq!(all.len(), usize::from(started), "after {cuts} events");
        if started {
            assert!(incident(&scene, 1).runs.contains_key(&RunId(1)));
        }
        holds(&mut scene);
        if !enough {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 10);
}

#[test]
fn trouble_soon_after_an_end_is_the_same_incident_again_and_later_a_new_one() {
    let mut scene = reachable();
    begins(&mut scene, Severity::Sev1, None).unwrap();
    for by in ["ana", "sue"] {
        say(&mut scene, by, 1, knows()).unwrap();
    }
    say(&mut scene, "cleo", 1, Says::Resolve).unwrap();
    assert_eq!(incident(&scene, 1).status, Status::Resolved);
    scene.after(Duration::from_mins(20));

    scene.hosts.will("pg3", "stop", HostAnswer::Fails(1, "pg_ctl: server does not shut down"));
    rebuilding(&mut scene);

    // The work itself is told of by itself; its trouble is trouble of the service.
    assert_eq!(incident(&scene, 2).severity, Severity::Planned);
    say(&mut scene, "sue", 2, knows()).unwrap();
    scene.after(Duration::from_secs(10));
    assert_eq!(scene.engine().view().incidents().unwrap().len(), 2, "{}", scene.last());
    let again = incident(&scene, 1);
    assert!(again.status < Status::Resolved, "{:?} {:?}", again.status, again.runs);
    assert!(again.runs.contains_key(&RunId(1)));
    scene.says("ben", "stop 1");
    scene.settle();
    assert!(incident(&scene, 2).is_closed(), "it closes by itself: {:?}", incident(&scene, 2));
    say(&mut scene, "cleo", 1, Says::Resolve).unwrap();
    scene.after(Duration::from_mins(31));
    agreed(&mut scene, PLANNED);
    assert_eq!(incident(&scene, 3).opened.follows, Some(IncidentId(1)));
    holds(&mut scene);
}

#[test]
fn who_takes_no_part_in_a_drill_is_told_nothing_and_says_nothing() {
    let mut scene = reachable();
    let post = Post::new();
    over(&mut scene, &post);
    begins(&mut scene, Severity::Sev1, Some(&["sue"])).unwrap();
    scene.after(Duration::from_mins(30));

    for (_, letter) in post.letters() {
        assert!(letter.drill && letter.words.subject.starts_with("[DRILL]"), "{letter:?}");
        let to = letter.to.as_ref().map(ToString::to_string);
        assert!(["ana", "sue"].map(|name| Some(name.to_owned())).contains(&to), "{letter:?}");
    }
    assert!(!post.letters().is_empty());
    assert!(matches!(say(&mut scene, "ben", 1, knows()), Err(Refused::NotOfDrill(..))));
    assert!(matches!(
        say(&mut scene, "sue", 1, Says::Publish { digest: None }),
        Err(Refused::Incident(Refusal::Drill | Refusal::NoDraft))
    ));
    say(&mut scene, "sue", 1, knows()).unwrap();
    // Real trouble of the same service is no part of it.
    agreed(&mut scene, PLANNED);
    assert_eq!(scene.engine().view().incidents().unwrap().len(), 2);
}

#[test]
fn who_has_no_role_and_what_is_not_there_is_refused_and_recorded() {
    let mut scene = reachable();
    begins(&mut scene, Severity::Sev3, None).unwrap();

    assert!(matches!(say(&mut scene, "mallory", 1, knows()), Err(Refused::Denied(_))));
    assert!(matches!(say(&mut scene, "sue", 7, knows()), Err(Refused::UnknownIncident(_))));
    let incidents = scene.engine().incidents();
    let begin = |service: &str, what: &str| Begin {
        severity: Severity::Sev3,
        service: Some(service.to_owned()),
        what: what.to_owned(),
        drill: None,
    };
    let ana = Scene::speaker("ana");
    let unknown = scene.waits_for(incidents.begin(&ana, begin("ordres", "orders are refused")));
    assert!(matches!(unknown, Err(Refused::UnknownService(..))));
    let short = scene.waits_for(incidents.begin(&ana, begin("orders", "slow")));
    assert!(matches!(short, Err(Refused::Incident(Refusal::TooShort(10)))));

    let denied = scene.engine().view().newest_of_kind("command-denied", 10).unwrap();
    let codes: Vec<&str> = denied.iter().rev().filter_map(|entry| entry.data["code"].as_str()).collect();
    assert_eq!(codes, ["no-person", "unknown-incident", "unknown-service", "bad-parameters"]);
    holds(&mut scene);
}

#[test]
fn a_link_says_that_its_person_knows_also_where_the_files_are_broken() {
    let mut scene = reachable();
    begins(&mut scene, Severity::Sev3, None).unwrap();
    scene.edits("policy.yaml", "policy: orders", "policy: [orders");
    let incidents = scene.engine().incidents();
    let sue = steadyhand::runbook::source::name::Person::new("sue").unwrap();

    scene.waits_for(incidents.acknowledged_by_link(IncidentId(1), sue.clone())).unwrap();

    let incident = incident(&scene, 1);
    assert_eq!(incident.acknowledged.as_ref().map(|(_, by)| by), Some(&sue));
    let eve = steadyhand::runbook::source::name::Person::new("eve").unwrap();
    let refused = scene.waits_for(incidents.acknowledged_by_link(IncidentId(1), eve));
    assert!(matches!(refused, Err(Refused::UnknownPerson(..))));
    holds(&mut scene);
}

#[test]
fn a_fault_in_one_incident_parks_it_and_no_other() {
    let mut scene = reachable();
    let post = Post::new();
    begins(&mut scene, Severity::Sev3, None).unwrap();
    begins(&mut scene, Severity::Sev3, None).unwrap();
    let faulty: steadyhand::engine::Answers = Arc::new(|_, incident, _| {
        assert!(incident.id != IncidentId(1), "a test makes a fault");
        Vec::new()
    });
    scene.engine().incidents().over(post.clone(), Some(faulty));
    scene.settle();

    let incidents = scene.engine().incidents();
    assert_eq!(incidents.parked().keys().collect::<Vec<_>>(), [&IncidentId(1)]);
    assert!(post.letters().iter().all(|(_, letter)| letter.incident == IncidentId(2)));
    assert!(!post.letters().is_empty());
    let found = incidents.audit(scene.desk().moment().now);
    assert_eq!(found, ["inc-1 stands still: a fault in the bot itself."]);
    say(&mut scene, "sue", 2, knows()).unwrap();

    // Whoever speaks of it has it carried on again.
    scene.engine().incidents().over(post.clone(), None);
    say(&mut scene, "sue", 1, knows()).unwrap();
    assert!(scene.engine().incidents().parked().is_empty());
    holds(&mut scene);
}

#[test]
fn a_journal_of_before_opens_no_incident_for_what_is_over_and_tells_of_what_goes_on() {
    let mut scene = reachable();
    scene.is_agreed_until(PLANNED, usize::MAX);
    let open =
        "run failover-database cluster=orders candidate=pg1 mode=planned reason=\"and back to the old rack\"";
    scene.after(Duration::from_hours(2));
    scene.hosts.will(
        "pg2",
        "stop-clean",
        HostAnswer::Late(Duration::from_hours(9), Box::new(HostAnswer::Well)),
    );
    scene.says("ana", open);
    scene.does_next("ana");
    let approve = scene.next_command();
    scene.types("ben", &approve);
    assert!(scene.run(2).started.is_some() && !scene.run(2).is_ended(), "{}", scene.last());
    scene.crashes();
    rusqlite::Connection::open(scene.journal_path())
        .unwrap()
        .execute_batch(
            "delete from entries where incident is not null; drop index entries_of_incident;
             alter table entries drop column incident; drop table incidents; pragma user_version = 1;",
        )
        .unwrap();

    scene.starts();
    scene.settle();

    let all = scene.engine().view().incidents().unwrap();
    assert_eq!(all, [IncidentId(1)]);
    assert_eq!(incident(&scene, 1).runs.keys().collect::<Vec<_>>(), [&RunId(2)]);
    scene.restarts();
    assert_eq!(scene.engine().view().incidents().unwrap(), [IncidentId(1)]);
}

#[test]
fn what_was_written_and_never_heard_is_heard_after_the_next_start_and_only_then() {
    let mut scene = reachable();
    scene.is_agreed_until(PLANNED, usize::MAX);
    scene.crashes();
    // As if the process had died before it heard anything of the run.
    rusqlite::Connection::open(scene.journal_path())
        .unwrap()
        .execute_batch("delete from entries where incident is not null; delete from incidents;")
        .unwrap();

    scene.starts();
    scene.settle();

    let heard = incident(&scene, 1);
    assert!(heard.runs[&RunId(1)].ended.is_some() && heard.severity == Severity::Sev1);
    let version = heard.version;
    scene.restarts();
    assert_eq!(scene.engine().view().incidents().unwrap(), [IncidentId(1)]);
    assert_eq!(incident(&scene, 1).version, version, "nothing is heard twice");
}
